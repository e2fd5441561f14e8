//! Dense bytes to and from rows that start on a 32-bit word, the layout of every GPU tensor.

use crate::{Format, LengthError};

/// A pad byte that makes every code NaN (I8: -1), for tests that must notice a read of the padding.
pub const NAN_PAD: u8 = 0xff;

/// Words that a row of `row_len` elements takes: `ceil(row_len / per_word)`.
pub const fn row_words(format: Format, row_len: usize) -> usize {
    row_len.div_ceil(format.per_word())
}

/// Elements that a row of `row_len` elements takes with its padding: `row_words * per_word`.
///
/// `usize::MAX` where the product would exceed it.
pub const fn padded_row_len(format: Format, row_len: usize) -> usize {
    row_words(format, row_len).saturating_mul(format.per_word())
}

/// Dense codes as padded rows: each row of `row_len` elements starts on a word, and its pad bytes are zero.
///
/// Rows of no elements take no words: `row_len = 0` with no bytes gives no words.
///
/// The memory of the words is the bytes a GPU buffer holds; on a little-endian host element 0 of a row is in
/// the lowest bits of its first word.
///
/// # Errors
/// [`LengthError::Rows`] when the bytes are not a whole number of rows.
///
/// ```
/// use langevin_formats::{Format, pack_rows, unpack_rows};
///
/// let words = pack_rows(Format::I8, &[1, 2, 3, 4, 5, 6], 3)?;
/// assert_eq!(words, [0x0003_0201, 0x0006_0504]);
/// assert_eq!(unpack_rows(Format::I8, &words, 3, 2)?, [1, 2, 3, 4, 5, 6]);
/// # Ok::<(), langevin_formats::LengthError>(())
/// ```
pub fn pack_rows(format: Format, dense: &[u8], row_len: usize) -> Result<Vec<u32>, LengthError> {
    pack_rows_with(format, dense, row_len, 0)
}

/// [`pack_rows`] with every pad byte set to `pad`, for tests; [`NAN_PAD`] poisons the padding.
///
/// # Errors
/// [`LengthError::Rows`] when the bytes are not a whole number of rows.
pub fn pack_rows_with(
    format: Format,
    dense: &[u8],
    row_len: usize,
    pad: u8,
) -> Result<Vec<u32>, LengthError> {
    // A row too long for usize is longer than any slice, so saturation keeps it an error.
    let row_bytes = row_len.saturating_mul(format.bytes());
    if dense.is_empty() {
        return Ok(Vec::new());
    }
    // A multiple of zero is only zero, so this rejects bytes in rows of no elements.
    if !dense.len().is_multiple_of(row_bytes) {
        return Err(LengthError::Rows { format, row_len, bytes: dense.len() });
    }
    let row_words = row_words(format, row_len);
    let mut words = vec![u32::from_ne_bytes([pad; 4]); dense.len() / row_bytes * row_words];
    for (padded, row) in words.chunks_exact_mut(row_words).zip(dense.chunks_exact(row_bytes)) {
        let padded: &mut [u8] = bytemuck::cast_slice_mut(padded);
        padded[..row_bytes].copy_from_slice(row);
    }
    Ok(words)
}

/// The dense codes of `rows` padded rows; the pad bytes are not looked at.
///
/// # Errors
/// [`LengthError::Words`] when there are not exactly `rows * row_words` words.
pub fn unpack_rows(
    format: Format,
    words: &[u32],
    row_len: usize,
    rows: usize,
) -> Result<Vec<u8>, LengthError> {
    let row_words = row_words(format, row_len);
    let expected = rows.saturating_mul(row_words);
    if words.len() != expected {
        return Err(LengthError::Words { format, row_len, rows, expected, got: words.len() });
    }
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let row_bytes = row_len * format.bytes();
    let mut dense = Vec::with_capacity(rows * row_bytes);
    for padded in words.chunks_exact(row_words) {
        let padded: &[u8] = bytemuck::cast_slice(padded);
        dense.extend_from_slice(&padded[..row_bytes]);
    }
    Ok(dense)
}
