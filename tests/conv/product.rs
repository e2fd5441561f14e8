//! Convolutions as matrix products: as a GPU of its own would compute them, and where they are none.

use super::{ChannelsLast, plane};
use langevin::reference::{Op, generate};
use langevin::{Boundary, Capabilities, ConvDesc, Format, Kernel, Pick, Variant};
use langevin_testkit::{compare_with, conform_as_gpu, gpu};

fn variants(desc: &ConvDesc, capabilities: &Capabilities) -> Vec<&'static str> {
    desc.variants(capabilities).iter().map(|variant| variant.name).collect()
}

/// More tiles than one along both axes of the product, of the largest size that the work fills, with rests at every end.
#[test]
fn large_tiles_and_what_is_over() {
    let Some(gpu) = gpu() else { return };
    for (i, layout) in langevin::ConvLayout::ALL.into_iter().enumerate() {
        for format in [Format::F32, Format::F16] {
            let (x, w) = (format, format);
            // 140 output channels and 2 x 67 x 129 outputs are 3 x 271 tiles of 64 x 64.
            let sizes = ConvDesc { batch: 2, in_channels: 5, out_channels: 140, ..plane(67, 130, [1, 2]) };
            conform_as_gpu(&gpu, &ConvDesc { x, w, layout, ..sizes }, i as u64);
        }
    }
}

/// Sums of I8 leave f32 after 1,024 products.
#[test]
fn long_sums_of_integers() {
    let Some(gpu) = gpu() else { return };
    let (x, w) = (Format::I8, Format::I8);
    let desc =
        ConvDesc { x, w, in_channels: 130, out_channels: 40, padding: vec![[1, 1]], ..plane(4, 9, [3, 3]) };
    conform_as_gpu(&gpu, &desc, 1);
    let constant = vec![Boundary::Constant(127.0), Boundary::Replicate];
    conform_as_gpu(&gpu, &ConvDesc { layout: ChannelsLast, boundary: constant, ..desc }, 2);
}

/// What lies outside is that of the last axis along which a position is outside, in every variant.
#[test]
fn constants_of_each_axis() {
    let Some(gpu) = gpu() else { return };
    let boundary = [0.5, -2.0, 3.0].map(Boundary::Constant).to_vec();
    let desc = ConvDesc {
        x: Format::F16,
        w: Format::E4m3,
        in_channels: 3,
        out_channels: 17,
        spatial: vec![3, 4, 5],
        kernel: vec![3, 3, 3],
        padding: vec![[1, 1]],
        boundary,
        ..Default::default()
    };
    let inputs = generate::inputs(&desc, 3);
    for variant in desc.variants(gpu.capabilities()) {
        compare_with(&gpu, &desc, &inputs, variant, gpu.capabilities().clone());
    }
}

#[test]
fn a_gpu_takes_products_where_they_fill_tiles() {
    let mut capabilities = Capabilities::minimal();
    let many = ConvDesc { in_channels: 3, out_channels: 16, ..plane(8, 8, [3, 3]) };
    assert_eq!(variants(&many, &capabilities), ["tiled", "direct"]);
    let few = ConvDesc { out_channels: 15, ..many.clone() };
    assert_eq!(variants(&few, &capabilities), ["direct", "tiled"]);
    capabilities.device_type = langevin::wgpu::DeviceType::Cpu;
    assert_eq!(variants(&many, &capabilities), ["direct", "tiled"]);
}

/// A transposed convolution, groups that share words of the output, nothing to sum, copies that no binding holds.
#[test]
fn what_is_no_product_is_summed_directly() {
    let capabilities = Capabilities::minimal();
    let many = ConvDesc { in_channels: 32, out_channels: 32, ..plane(8, 8, [3, 3]) };
    let transposed = ConvDesc { transposed: true, ..many.clone() };
    let shared =
        ConvDesc { in_channels: 36, out_channels: 36, groups: 2, layout: ChannelsLast, ..many.clone() };
    let empty = ConvDesc { in_channels: 0, ..many.clone() };
    // 2^26 numbers of F16 are 128 MiB, the largest binding; of F32 they are twice that.
    let large = ConvDesc { spatial: vec![1 << 10, 1 << 11], x: Format::F16, ..many.clone() };
    for desc in [transposed, shared, empty, large.clone()] {
        assert!(desc.validate().is_ok());
        assert_eq!(variants(&desc, &capabilities), ["direct"], "{desc:?}");
    }
    let half = ConvDesc { spatial: vec![1 << 10, 1 << 10], ..large };
    let best: Variant = langevin::choice(&half, &capabilities, &Pick::Best).unwrap();
    // Three places more than half of the limit.
    assert_eq!(best.name, "direct");
    let less = ConvDesc { spatial: vec![1 << 10, 1000], ..half };
    assert_eq!(langevin::choice(&less, &capabilities, &Pick::Best).unwrap().name, "tiled");
}
