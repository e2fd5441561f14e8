//! Dense bytes and padded rows.

use langevin_formats::{
    Format, LengthError, NAN_PAD, pack_rows, pack_rows_with, padded_row_len, row_words, unpack_rows,
};
use proptest::prelude::*;

#[test]
fn row_sizes_round_up_to_words() {
    let words = |format, lengths: [usize; 6]| lengths.map(|row_len| row_words(format, row_len));
    assert_eq!(words(Format::F32, [0, 1, 3, 4, 5, 8]), [0, 1, 3, 4, 5, 8]);
    assert_eq!(words(Format::BF16, [0, 1, 3, 4, 5, 8]), [0, 1, 2, 2, 3, 4]);
    assert_eq!(words(Format::E5m2, [0, 1, 3, 4, 5, 8]), [0, 1, 1, 1, 2, 2]);
    assert_eq!([0, 1, 4, 5].map(|row_len| padded_row_len(Format::I8, row_len)), [0, 4, 4, 8]);
    for format in Format::ALL {
        assert_eq!(row_words(format, usize::MAX), usize::MAX.div_ceil(format.per_word()));
        assert_eq!(padded_row_len(format, usize::MAX), usize::MAX);
    }
}

#[test]
fn rows_of_bytes_by_hand() {
    let packed = |dense: &[u8], row_len| pack_rows(Format::E4m3, dense, row_len).unwrap();
    assert_eq!(packed(&[1, 2], 1), [0x01, 0x02]);
    assert_eq!(packed(&[1, 2, 3, 4, 5, 6], 3), [0x0003_0201, 0x0006_0504]);
    assert_eq!(packed(&[1, 2, 3, 4, 5], 5), [0x0403_0201, 0x05]);
    assert_eq!(packed(&[1, 2, 3, 4, 5, 6, 7, 8], 4), [0x0403_0201, 0x0807_0605]);
}

#[test]
fn rows_of_wider_elements_by_hand() {
    let dense = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06];
    assert_eq!(pack_rows(Format::F16, &dense, 3).unwrap(), [0x0403_0201, 0x0605]);
    assert_eq!(pack_rows(Format::F16, &dense, 1).unwrap(), [0x0201, 0x0403, 0x0605]);
    assert_eq!(pack_rows(Format::F32, &1.0_f32.to_le_bytes(), 1).unwrap(), [0x3f80_0000]);
}

#[test]
fn padding_takes_the_asked_byte_and_nothing_else_changes() {
    let dense = [1, 2, 3, 4, 5, 6];
    assert_eq!(pack_rows_with(Format::I8, &dense, 3, 0xee).unwrap(), [0xee03_0201, 0xee06_0504]);
    assert_eq!(
        pack_rows_with(Format::BF16, &dense, 1, NAN_PAD).unwrap(),
        [0xffff_0201, 0xffff_0403, 0xffff_0605]
    );
    let poisoned = pack_rows_with(Format::I8, &dense, 3, NAN_PAD).unwrap();
    assert_eq!(unpack_rows(Format::I8, &poisoned, 3, 2).unwrap(), dense);
}

#[test]
fn the_nan_pad_is_nan_in_every_float_format() {
    for format in Format::ALL.into_iter().filter(|format| format.is_float()) {
        assert!(format.decode(u32::from_ne_bytes([NAN_PAD; 4])).is_nan(), "{format}");
    }
}

#[test]
fn empty_rows_take_no_words() {
    for format in Format::ALL {
        assert_eq!(pack_rows(format, &[], 0), Ok(vec![]));
        assert_eq!(pack_rows(format, &[], 7), Ok(vec![]));
        assert_eq!(unpack_rows(format, &[], 0, 9), Ok(vec![]));
        assert_eq!(unpack_rows(format, &[], 0, usize::MAX), Ok(vec![]));
        assert_eq!(unpack_rows(format, &[], 9, 0), Ok(vec![]));
    }
}

#[test]
fn wrong_lengths_are_errors_that_say_so() {
    let error = pack_rows(Format::E4m3, &[0; 7], 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "dense e4m3 data: expected a multiple of 3 bytes for rows of 3 elements, got 7"
    );
    assert!(matches!(error, LengthError::Rows { format: Format::E4m3, row_len: 3, bytes: 7 }));
    assert!(matches!(pack_rows(Format::F16, &[0; 3], 1), Err(LengthError::Rows { bytes: 3, .. })));
    assert!(matches!(pack_rows(Format::I8, &[0], 0), Err(LengthError::Rows { row_len: 0, .. })));
    for format in Format::ALL {
        assert!(matches!(pack_rows(format, &[0; 8], usize::MAX), Err(LengthError::Rows { .. })));
    }
    let error = unpack_rows(Format::I8, &[0; 3], 5, 2).unwrap_err();
    assert_eq!(error.to_string(), "padded i8 data: expected 4 words for 2 rows of 5 elements, got 3");
    assert!(matches!(
        unpack_rows(Format::I8, &[0], 0, 1),
        Err(LengthError::Words { expected: 0, got: 1, .. })
    ));
    assert!(unpack_rows(Format::I8, &[0], usize::MAX, usize::MAX).is_err());
}

fn any_format() -> impl Strategy<Value = Format> {
    proptest::sample::select(Format::ALL.as_slice())
}

proptest! {
    #[test]
    fn packing_round_trips_and_places_every_element(
        format in any_format(), row_len in 0..40_usize, rows in 0..6_usize, pad in any::<u8>(),
    ) {
        let bytes = format.bytes();
        // 37 is odd, so that neighbouring bytes differ and the pattern repeats only after 256.
        let dense: Vec<u8> = (0..row_len * rows * bytes).map(|index| (index as u8).wrapping_mul(37)).collect();
        let words = pack_rows_with(format, &dense, row_len, pad).unwrap();
        prop_assert_eq!(words.len(), rows * row_words(format, row_len));
        prop_assert_eq!(&unpack_rows(format, &words, row_len, rows).unwrap(), &dense);

        let stored: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let padded_bytes = padded_row_len(format, row_len) * bytes;
        for (index, &byte) in stored.iter().enumerate() {
            let (row, column) = (index / padded_bytes, index % padded_bytes);
            let expected = if column < row_len * bytes { dense[row * row_len * bytes + column] } else { pad };
            prop_assert_eq!(byte, expected, "{} row {} byte {}", format, row, column);
        }
    }
}
