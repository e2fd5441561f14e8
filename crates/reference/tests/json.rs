//! The JSON of the descriptors with lists per axis: short forms, and unknown fields.
#![cfg(feature = "serde")]

use langevin_reference::{Activation, Boundary, ConvDesc, ConvLayout, Edge, Format, HeatDesc, LaplacianDesc};
use serde_json::{from_str, to_string};

#[test]
fn one_value_stands_for_every_axis() {
    let desc: ConvDesc =
        from_str(r#"{"stride": 2, "dilation": [1, 3], "padding": 1, "boundary": "reflect", "out": "f16"}"#)
            .unwrap();
    let expected = ConvDesc {
        stride: vec![2],
        dilation: vec![1, 3],
        padding: vec![[1, 1]],
        boundary: vec![Boundary::Reflect],
        out: Format::F16,
        ..Default::default()
    };
    assert_eq!(desc, expected);
    let paddings =
        |text: &str| from_str::<ConvDesc>(&format!("{{\"padding\": {text}}}")).map(|desc| desc.padding);
    assert_eq!(paddings("[1, 2]").unwrap(), [[1, 1], [2, 2]]);
    assert_eq!(paddings("[[1, 2]]").unwrap(), [[1, 2]]);
    assert_eq!(paddings("[[0, 1], 2, [3, 4]]").unwrap(), [[0, 1], [2, 2], [3, 4]]);
    assert!(paddings("[[1, 2, 3]]").is_err() && paddings("-1").is_err() && paddings("\"same\"").is_err());
    let periodic: ConvDesc = from_str(r#"{"boundary": ["periodic", "zero"]}"#).unwrap();
    assert_eq!(periodic.boundary, [Boundary::Circular, Boundary::Zero]);
    let constant: ConvDesc = from_str(r#"{"boundary": {"constant": 0.5}, "layout": "nhwc"}"#).unwrap();
    assert_eq!(
        (constant.boundary, constant.layout),
        (vec![Boundary::Constant(0.5)], ConvLayout::ChannelsLast)
    );
    let mixed: ConvDesc = from_str(r#"{"boundary": ["reflect", {"constant": -1}]}"#).unwrap();
    assert_eq!(mixed.boundary, [Boundary::Reflect, Boundary::Constant(-1.0)]);
}

#[test]
fn edges_are_names_or_values() {
    let edges = |text: &str| {
        from_str::<LaplacianDesc>(&format!("{{\"boundary\": {text}}}")).map(|desc| desc.boundary)
    };
    assert_eq!(edges("\"periodic\"").unwrap(), [[Edge::Periodic; 2]]);
    assert_eq!(edges("{\"dirichlet\": 1}").unwrap(), [[Edge::Dirichlet(1.0); 2]]);
    assert_eq!(edges("\"neumann\"").unwrap(), [[Edge::Neumann(0.0); 2]]);
    let each = edges(r#"["periodic", {"fixed": 0.5}, ["neumann", {"dirichlet": -2}]]"#).unwrap();
    let expected = [[Edge::Periodic; 2], [Edge::Fixed(0.5); 2], [Edge::Neumann(0.0), Edge::Dirichlet(-2.0)]];
    assert_eq!(each, expected);
    for wrong in ["\"open\"", "{\"periodic\": 1}", "3", "[[\"periodic\"]]"] {
        assert!(edges(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_written_reads_back_and_unknown_fields_are_errors() {
    let heat = HeatDesc {
        spacing: vec![0.5, 2.0],
        boundary: vec![[Edge::Fixed(1.0), Edge::Neumann(0.25)], [Edge::Periodic; 2]],
        diffusivity: 3.0,
        time_step: 0.01,
        out: Format::BF16,
        ..Default::default()
    };
    assert_eq!(from_str::<HeatDesc>(&to_string(&heat).unwrap()).unwrap(), heat);
    let conv = ConvDesc {
        groups: 2,
        padding: vec![[1, 2]],
        boundary: vec![Boundary::Circular, Boundary::Constant(0.25)],
        upsample: vec![2],
        activation: Activation::Silu,
        layout: ConvLayout::ChannelsLast,
        ..Default::default()
    };
    assert_eq!(from_str::<ConvDesc>(&to_string(&conv).unwrap()).unwrap(), conv);
    for text in [r#"{"dt": 1}"#, r#"{"spatial": [3]}"#, r#"{"u": "f32"}"#] {
        assert!(from_str::<HeatDesc>(text).unwrap_err().to_string().contains("unknown field"), "{text}");
    }
    assert!(from_str::<ConvDesc>(r#"{"pad": 1}"#).is_err());
}
