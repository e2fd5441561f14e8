//! The convolution in f64 with its bound.

use super::{ConvDesc, ConvSource};
use crate::bound::{Rounded, U_ACC};
use crate::{Expected, Format, Granularity, Tensors};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use rayon::prelude::*;

pub(super) fn answer(desc: &ConvDesc, inputs: &Tensors) -> Expected {
    let values = |name: &str| inputs.values(name);
    let scalar = |name: &str| values(name).map(|value| value.sum());
    let by_channel = |name: &str| values(name).map(|values| values.into_raw_vec_and_offset().0);
    let [x, w] = ["x", "w"].map(|name| values(name).unwrap_or_default());
    let sums = sums(desc, x.view(), w.view());
    let volume = desc.out_spatial().iter().product::<usize>().max(1);
    let x_scale = scalar("x_scale");
    let w_scale = by_channel("w_scale");
    let bias = by_channel("bias");
    let residual = values("residual").map(|residual| channels_first(desc, residual.view()));
    let finish = |(i, [sum, magnitude]): (usize, &[f64; 2])| {
        let channel = i / volume % desc.out_channels;
        let mut y = total(desc, *sum, *magnitude);
        if let Some(scale) = x_scale {
            y = y.mul(Rounded::exact(scale));
        }
        if let Some(scales) = &w_scale {
            let per_tensor = desc.w_scale == Some(Granularity::PerTensor);
            y = y.mul(Rounded::exact(scales[if per_tensor { 0 } else { channel }]));
        }
        if let Some(bias) = &bias {
            y = y.add(Rounded::exact(bias[channel]));
        }
        y = desc.activation.apply_rounded(y);
        if let Some(residual) = &residual {
            y = y.add(Rounded::exact(residual[i]));
        }
        y.store(desc.out)
    };
    let (value, bound) = sums.iter().enumerate().map(finish).map(|y| (y.value, y.error)).unzip();
    Expected::bounded("out", shaped(desc, value), shaped(desc, bound))
}

/// The sum of products as f32, or as an i32 that is converted.
fn total(desc: &ConvDesc, sum: f64, magnitude: f64) -> Rounded {
    match desc.is_integer() {
        false => Rounded::dot(sum, magnitude, desc.terms()),
        true if sum.abs() <= f64::from(1 << 24) => Rounded::exact(sum),
        true => Rounded { value: sum, error: U_ACC * sum.abs() },
    }
}

/// The elements of a tensor of inputs or outputs in the order `[batch, channels, spatial..]`.
fn channels_first(desc: &ConvDesc, array: ArrayViewD<'_, f64>) -> Vec<f64> {
    let mut axes: Vec<usize> = (0..array.ndim()).collect();
    let channels = axes.remove(desc.layout.channel_axis(array.ndim()));
    axes.insert(1, channels);
    array.permuted_axes(axes).iter().copied().collect()
}

/// One value per output, in that order, as the descriptor lays them out.
pub(super) fn shaped(desc: &ConvDesc, values: Vec<f64>) -> ArrayD<f64> {
    let first = [&[desc.batch, desc.out_channels], &desc.out_spatial()[..]].concat();
    let array = ArrayD::from_shape_vec(IxDyn(&first), values);
    let mut array = array.unwrap_or_else(|_| ArrayD::zeros(IxDyn(&first)));
    let last = desc.layout.channel_axis(first.len());
    (1..last).for_each(|axis| array.swap_axes(axis, axis + 1));
    array.as_standard_layout().into_owned()
}

/// The weights as `[out_channels, channels of a group, kernel..]`.
fn weights(desc: &ConvDesc, w: ArrayViewD<'_, f64>) -> Vec<f64> {
    let volume = desc.kernel.iter().product::<usize>();
    let stored = channels_first(desc, w);
    if !desc.transposed {
        return stored;
    }
    let (channels, outputs) = (desc.group_channels(), desc.group_outputs());
    let mut weights = Vec::with_capacity(stored.len());
    for o in 0..desc.out_channels {
        for c in 0..channels {
            let from = ((o / outputs * channels + c) * outputs + o % outputs) * volume;
            weights.extend_from_slice(&stored[from..from + volume]);
        }
    }
    weights
}

/// The sum of products, and of their magnitudes, for every output in the order `[batch, channels, spatial..]`.
pub(super) fn sums(desc: &ConvDesc, x: ArrayViewD<'_, f64>, w: ArrayViewD<'_, f64>) -> Vec<[f64; 2]> {
    let axes = desc.three_axes();
    let out = axes.map(|axis| axis.out_extent());
    let volume: usize = out.iter().product();
    let mut sums = vec![[0.0; 2]; desc.batch * desc.out_channels * volume];
    if sums.is_empty() {
        return sums;
    }
    let (x, w) = (channels_first(desc, x), weights(desc, w));
    let channels = desc.group_channels();
    let in_volume: usize = axes.iter().map(|axis| axis.extent).product();
    let kernel_volume: usize = axes.iter().map(|axis| axis.kernel).product();
    let sources = axes.map(|axis| {
        let windows = 0..axis.out_extent();
        windows.map(|i| (0..axis.kernel).map(|k| axis.source(i, k)).collect()).collect::<Vec<Vec<_>>>()
    });
    sums.par_chunks_mut(volume).enumerate().for_each(|(plane, sums)| {
        let (item, o) = (plane / desc.out_channels, plane % desc.out_channels);
        let first_channel = item * desc.in_channels + o / desc.group_outputs() * channels;
        for (position, sum) in sums.iter_mut().enumerate() {
            let at = [position / (out[1] * out[2]), position / out[2] % out[1], position % out[2]];
            for tap in 0..kernel_volume {
                let (height, width) = (axes[1].kernel, axes[2].kernel);
                let k = [tap / (height * width), tap / width % height, tap % width];
                let meets = [0, 1, 2].map(|axis| sources[axis][at[axis]][k[axis]]);
                if meets.contains(&ConvSource::Nowhere) {
                    continue;
                }
                // Of several axes that are outside, the last one says what is there.
                let outside = (0..3).rev().find(|&axis| meets[axis] == ConvSource::Outside);
                let inside = meets.iter().zip(&axes).fold(0, |inside, (source, axis)| match source {
                    ConvSource::Element(element) => inside * axis.extent + element,
                    _ => inside,
                });
                for c in 0..channels {
                    let value = match outside {
                        Some(axis) => axes[axis].boundary.outside(),
                        None => x[(first_channel + c) * in_volume + inside],
                    };
                    let product = w[(o * channels + c) * kernel_volume + tap] * value;
                    sum[0] += product;
                    sum[1] += product.abs();
                }
            }
        }
    });
    sums
}

impl ConvDesc {
    /// Whether sums of products are i32, exact.
    pub fn is_integer(&self) -> bool {
        self.x == Format::I8 && self.w == Format::I8
    }
}
