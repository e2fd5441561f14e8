//! Quantize against its reference.
use langevin::{Format, Granularity, Overflow, QuantizeDesc, ScaleSource};
use langevin_testkit::{conform, gpu};

#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for q in [Format::E4m3, Format::I8] {
        for granularity in [Granularity::PerTensor, Granularity::PerRow] {
            for (rows, width) in [(1, 1), (3, 5), (70, 9), (5, 300)] {
                conform(
                    &gpu,
                    &QuantizeDesc { shape: vec![rows, width], q, granularity, ..Default::default() },
                    1,
                );
            }
        }
    }
    let _ = (Overflow::Saturate, ScaleSource::Static);
}
