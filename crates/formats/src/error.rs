//! The errors of this crate.

use std::error::Error;
use std::fmt;

use crate::Format;

/// A slice whose length does not fit the format or the shape.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LengthError {
    /// Dense bytes that are not a whole number of elements.
    Elements {
        /// The format of the elements.
        format: Format,
        /// The length got, in bytes.
        bytes: usize,
    },
    /// Dense bytes that are not a whole number of rows.
    Rows {
        /// The format of the elements.
        format: Format,
        /// Elements in a row.
        row_len: usize,
        /// The length got, in bytes.
        bytes: usize,
    },
    /// Words that are not the asked number of padded rows.
    Words {
        /// The format of the elements.
        format: Format,
        /// Elements in a row.
        row_len: usize,
        /// Rows asked for.
        rows: usize,
        /// Words that many rows take; `usize::MAX` when it is more than a `usize` holds.
        expected: usize,
        /// The length got, in words.
        got: usize,
    },
}

impl fmt::Display for LengthError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elements { format, bytes } => {
                let each = format.bytes();
                write!(formatter, "dense {format} data: expected a multiple of {each} bytes, got {bytes}")
            }
            Self::Rows { format, row_len, bytes } => {
                let row_bytes = row_len.saturating_mul(format.bytes());
                write!(
                    formatter,
                    "dense {format} data: expected a multiple of {row_bytes} bytes for rows of {row_len} \
                     elements, got {bytes}"
                )
            }
            Self::Words { format, row_len, rows, expected, got } => write!(
                formatter,
                "padded {format} data: expected {expected} words for {rows} rows of {row_len} elements, \
                 got {got}"
            ),
        }
    }
}

impl Error for LengthError {}

/// A name that no [`Format`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseFormatError {
    /// The name got.
    pub name: String,
}

impl fmt::Display for ParseFormatError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Format::ALL.map(Format::name).join(", ");
        write!(formatter, "number format: expected one of {known}, got {:?}", self.name)
    }
}

impl Error for ParseFormatError {}
