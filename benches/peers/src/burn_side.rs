//! burn's side: its wgpu backend with autotune and fusion, as its users get it.

use crate::cases::{self, Problem, Truth, format, inputs};
use crate::contender::Contender;
use crate::truth::{self, values};
use burn::tensor::module::{attention, conv2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Device, Tensor, TensorData};
use langevin::Format;
use std::error::Error;

/// The version in `Cargo.toml`.
pub(crate) const VERSION: &str = "0.22.1";

/// What burn's code goes through on its way to the driver.
pub(crate) const COMPILER: &str = if cfg!(feature = "spirv") { "SPIR-V" } else { "WGSL" };

/// An opened device, and the name of its adapter.
pub(crate) fn open() -> Result<(Device, String), Box<dyn Error>> {
    let (device, setup) = Device::wgpu_options().init_with_setup()?;
    Ok((device, setup.adapter.get_info().name))
}

/// A computation whose result has `D` axes.
struct Burn<const D: usize, F: Fn() -> Tensor<D>> {
    device: Device,
    compute: F,
}

type Prepared = (Box<dyn Contender>, Truth);

/// Makes a problem ready, with what its answer must be.
pub(crate) fn prepare(device: &Device, problem: &Problem) -> Result<Prepared, Box<dyn Error>> {
    match problem {
        Problem::Matmul { m, k, n, peer, .. } => matmul([*m, *k, *n], format(peer)?, device),
        Problem::Attention { heads, seq, head_dim, format: name } => {
            self_attention([*heads, *seq, *head_dim], format(name)?, device)
        }
        Problem::Conv2d { channels, extent } => {
            let desc = cases::conv2d(*channels, *extent);
            let inputs = inputs(&desc);
            let truth = truth::of_conv2d(&desc, &inputs)?;
            convolution([*channels, *extent], values(&inputs, "x")?, values(&inputs, "w")?, truth, device)
        }
        Problem::Heat { extent } => {
            let desc = cases::heat(*extent);
            let inputs = inputs(&desc);
            let truth = truth::of_heat(&desc, &inputs)?;
            convolution([1, *extent], values(&inputs, "u")?, truth::heat_filter(), truth, device)
        }
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], format: Format, device: &Device) -> Tensor<D> {
    let dtype = if format == Format::F16 { DType::F16 } else { DType::F32 };
    Tensor::from_data(TensorData::new(values, shape), (device, dtype))
}

fn ready<const D: usize>(device: &Device, compute: impl Fn() -> Tensor<D> + 'static) -> Box<dyn Contender> {
    Box::new(Burn { device: device.clone(), compute })
}

fn matmul([m, k, n]: [usize; 3], format: Format, device: &Device) -> Result<Prepared, Box<dyn Error>> {
    let desc = cases::matmul(m, k, n, format, format);
    let inputs = inputs(&desc);
    let a = tensor(values(&inputs, "a")?, [m, k], format, device);
    let b = tensor(values(&inputs, "b")?, [k, n], format, device);
    let truth = truth::of_matmul(&desc, &inputs)?;
    Ok((ready(device, move || a.clone().matmul(b.clone())), truth))
}

fn self_attention(
    [heads, seq, head_dim]: [usize; 3],
    format: Format,
    device: &Device,
) -> Result<Prepared, Box<dyn Error>> {
    let desc = cases::attention(heads, seq, head_dim, format);
    let inputs = inputs(&desc);
    let of = |name| {
        Ok::<_, Box<dyn Error>>(tensor(values(&inputs, name)?, [1, heads, seq, head_dim], format, device))
    };
    let [q, k, v] = [of("q")?, of("k")?, of("v")?];
    let truth = truth::of_attention(&desc, &inputs)?;
    let compute = move || attention(q.clone(), k.clone(), v.clone(), None, None, Default::default());
    Ok((ready(device, compute), truth))
}

fn convolution(
    [channels, extent]: [usize; 2],
    x: Vec<f32>,
    w: Vec<f32>,
    truth: Truth,
    device: &Device,
) -> Result<Prepared, Box<dyn Error>> {
    let x = tensor(x, [1, channels, extent, extent], Format::F32, device);
    let w = tensor(w, [channels, channels, 3, 3], Format::F32, device);
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    Ok((ready(device, move || conv2d(x.clone(), w.clone(), None, options.clone())), truth))
}

impl<const D: usize, F: Fn() -> Tensor<D>> Contender for Burn<D, F> {
    fn how(&self) -> String {
        COMPILER.to_owned()
    }

    fn run(&mut self, times: usize) -> Result<(), Box<dyn Error>> {
        // Kept until the device has worked: what is dropped before might not be computed at all.
        let results: Vec<_> = (0..times).map(|_| (self.compute)()).collect();
        self.device.sync().map_err(|error| format!("burn: {error:?}"))?;
        drop(results);
        Ok(())
    }

    fn answer(&mut self) -> Result<Vec<f32>, Box<dyn Error>> {
        let data = (self.compute)().into_data().convert::<f32>();
        data.try_into_vec::<f32>().map_err(|error| format!("burn: {error:?}").into())
    }
}
