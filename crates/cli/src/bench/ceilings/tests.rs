use super::*;
use naga::valid::{Capabilities as NagaCapabilities, ValidationFlags, Validator};

/// Parses, validates and writes a module; naga has no HLSL for cooperative matrices.
fn write(wgsl: &str) {
    let module = naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|e| panic!("{}", e.emit_to_string(wgsl)));
    let info = Validator::new(ValidationFlags::all(), NagaCapabilities::all())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(wgsl)));
    naga::back::spv::write_vec(&module, &info, &Default::default(), None).expect("SPIR-V");
    let msl =
        naga::back::msl::Options { fake_missing_bindings: true, lang_version: (2, 3), ..Default::default() };
    naga::back::msl::write_string(&module, &info, &msl, &Default::default()).expect("MSL");
}

#[test]
fn every_shader_is_valid_by_itself() {
    for text in [include_str!("copy.wgsl"), include_str!("fma.wgsl"), include_str!("cooperative.wgsl")] {
        // `enable` must come first, and the stand-ins do not.
        let (enables, rest): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("enable "));
        write(&[enables.join("\n"), rest.join("\n")].join("\n"));
    }
}

#[test]
fn the_relevant_ceiling_depends_on_what_is_counted() {
    let ceilings = Ceilings { copy_bytes: 1.0, f32_flops: 2.0, ..Default::default() };
    assert_eq!(ceilings.of(Unit::Bytes, Tier::Cooperative), ("copy", 1.0));
    assert_eq!(ceilings.of(Unit::Flops, Tier::Cooperative), ("f32 fma", 2.0));
    let ceilings = Ceilings { cooperative_flops: Some(3.0), ..ceilings };
    assert_eq!(ceilings.of(Unit::Flops, Tier::Cooperative), ("cooperative", 3.0));
    assert_eq!(ceilings.of(Unit::Flops, Tier::Portable), ("f32 fma", 2.0));
}

#[test]
fn a_copy_fits_the_device() {
    let minimal = Capabilities::minimal();
    assert_eq!(copy_bytes(&minimal), 128 << 20);
    let limits = wgpu::Limits { max_storage_buffer_binding_size: (2 << 30) - 4, ..minimal.limits.clone() };
    assert!(copy_bytes(&Capabilities { limits, ..minimal }) <= 256 << 20);
}
