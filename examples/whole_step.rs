//! The attention block of a transformer - norm, packed projection, attention, projection with residual - as one pass in one
//! submit, and each kernel's part of it against its reference: `cargo run --example whole_step`.

use langevin::reference::generate;
use langevin::verify::{Tensor, Tensors, compare};
use langevin::{
    Align, Attention, AttentionBuffers, AttentionDesc, Format, Gpu, Heads, Kernel, Matmul, MatmulBuffers,
    MatmulDesc, Norm, NormBuffers, NormDesc, NormKind, View, wgpu,
};

const TOKENS: usize = 20;
const HEADS: usize = 4;
const HEAD_DIM: usize = 16;
const WIDTH: usize = HEADS * HEAD_DIM;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    let device = gpu.device();

    let normalise = NormDesc { rows: TOKENS, width: WIDTH, kind: NormKind::Rms, ..Default::default() };
    let project = MatmulDesc { m: TOKENS, k: WIDTH, n: 3 * WIDTH, ..Default::default() };
    // A row of the projection holds q, k and v of all heads; attention reads them where they are.
    let third =
        |part: usize| Heads::default().viewed(View::columns(TOKENS, 3 * WIDTH, part * WIDTH, HEAD_DIM));
    let attend = AttentionDesc {
        heads: HEADS,
        kv_heads: HEADS,
        seq_q: TOKENS,
        seq_kv: TOKENS,
        head_dim: HEAD_DIM,
        v_dim: HEAD_DIM,
        q: third(0),
        k: third(1),
        v: third(2),
        causal: Some(Align::TopLeft),
        out_view: Some(View::columns(TOKENS, WIDTH, 0, HEAD_DIM)),
        ..Default::default()
    };
    let finish = MatmulDesc { m: TOKENS, k: WIDTH, n: WIDTH, residual: true, ..Default::default() };

    // Weights and tokens at random; buffers between the kernels. All of it once, before the first step.
    let random = |desc: &MatmulDesc, name: &str, seed| {
        generate::inputs(desc, seed).get(name).cloned().ok_or(format!("no `{name}`"))
    };
    let (tokens, w_in, w_out) =
        (random(&project, "a", 1)?, random(&project, "b", 2)?, random(&finish, "b", 3)?);
    let upload = |tensor: &Tensor| gpu.upload("input", &tensor.to_words(0));
    let (x, w1, w2) = (upload(&tokens)?, upload(&w_in)?, upload(&w_out)?);
    let empty = |columns: usize| gpu.empty("between", (TOKENS * columns * 4) as u64);
    let (normed, qkv, mixed, out) = (empty(WIDTH)?, empty(3 * WIDTH)?, empty(WIDTH)?, empty(WIDTH)?);
    let all = wgpu::Buffer::as_entire_buffer_binding;
    let (norm, attention) = (Norm::new(device, &normalise)?, Attention::new(device, &attend)?);
    let (first, last) = (Matmul::new(device, &project)?, Matmul::new(device, &finish)?);
    // Some devices cut a long sum into slices, whose sums need memory that the caller lends.
    let lend = |bytes: u64| gpu.empty("scratch", bytes);
    let (s1, s2, s3) =
        (lend(first.scratch_bytes())?, lend(attention.scratch_bytes())?, lend(last.scratch_bytes())?);
    let calls = [
        norm.bind(device, NormBuffers::new(all(&x), all(&normed)))?,
        first.bind(
            device,
            MatmulBuffers {
                scratch: lent(&s1, first.scratch_bytes()),
                ..MatmulBuffers::new(all(&normed), all(&w1), all(&qkv))
            },
        )?,
        attention.bind(
            device,
            AttentionBuffers {
                scratch: lent(&s2, attention.scratch_bytes()),
                ..AttentionBuffers::new(all(&qkv), all(&qkv), all(&qkv), all(&mixed))
            },
        )?,
        last.bind(
            device,
            MatmulBuffers {
                residual: Some(all(&x)),
                scratch: lent(&s3, last.scratch_bytes()),
                ..MatmulBuffers::new(all(&mixed), all(&w2), all(&out))
            },
        )?,
    ];

    // A step: nothing is allocated, checked or waited for.
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    calls.iter().for_each(|call| call.record(&mut pass));
    drop(pass);
    gpu.queue().submit([encoder.finish()]);

    // What each kernel made of what it was given.
    let read = |buffer: &wgpu::Buffer, columns: usize| {
        let words = gpu.download(buffer)?;
        Ok::<_, Box<dyn std::error::Error>>(Tensor::from_words(Format::F32, &[1, TOKENS, columns], &words)?)
    };
    let (normed, qkv, mixed, out) =
        (read(&normed, WIDTH)?, read(&qkv, 3 * WIDTH)?, read(&mixed, WIDTH)?, read(&out, WIDTH)?);
    check(&normalise, &[("x", &tokens)], &normed)?;
    check(&project, &[("a", &normed), ("b", &w_in)], &qkv)?;
    check(&attend, &[("q", &qkv), ("k", &qkv), ("v", &qkv)], &mixed)?;
    check(&finish, &[("a", &mixed), ("b", &w_out), ("residual", &tokens)], &out)
}

fn lent(scratch: &wgpu::Buffer, bytes: u64) -> Option<wgpu::BufferBinding<'_>> {
    (bytes > 0).then(|| scratch.as_entire_buffer_binding())
}

/// Compares an output with the reference of its kernel; tensors take the shapes of the descriptor.
fn check<D: Kernel>(
    desc: &D,
    inputs: &[(&str, &Tensor)],
    out: &Tensor,
) -> Result<(), Box<dyn std::error::Error>> {
    let shaped = |name: &str, tensor: &Tensor| {
        let spec = desc.tensors().into_iter().find(|spec| spec.name == name).ok_or(format!("no `{name}`"))?;
        let elements: usize = spec.shape.iter().product();
        Tensor::new(Format::F32, &spec.shape, tensor.bytes()[..4 * elements].to_vec())
            .map_err(|error| error.to_string())
    };
    let mut given = Tensors::new();
    for (name, tensor) in inputs {
        given.insert(*name, shaped(name, tensor)?);
    }
    let comparison = compare(&desc.evaluate(&given)?[0], &shaped("out", out)?);
    println!("{}: {comparison}", D::NAME);
    if comparison.passed() { Ok(()) } else { Err("a result is out of its bound".into()) }
}
