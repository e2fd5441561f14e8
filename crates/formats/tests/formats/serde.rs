//! Names in data formats.

use langevin_formats::{Format, Overflow};

#[test]
fn formats_are_their_names() {
    for format in Format::ALL {
        let text = serde_json::to_string(&format).unwrap();
        assert_eq!(text, format!("\"{format}\""));
        assert_eq!(serde_json::from_str::<Format>(&text).unwrap(), format);
    }
    assert!(serde_json::from_str::<Format>("\"F16\"").is_err());
}

#[test]
fn overflow_modes_are_snake_case() {
    for (mode, text) in
        [(Overflow::Saturate, "\"saturate\""), (Overflow::NonSaturating, "\"non_saturating\"")]
    {
        assert_eq!(serde_json::to_string(&mode).unwrap(), text);
        assert_eq!(serde_json::from_str::<Overflow>(text).unwrap(), mode);
    }
}
