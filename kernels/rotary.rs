use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, Stage, StageBuilder};
use crate::{Capabilities, Pairing, Plan, Positions, RotaryDesc, Tier};
use langevin_gpu::{Access, ParamValue};

/// Rotary position embedding of queries or keys, after their RMS norm: see [`RotaryDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `tree` | portable | every GPU: up to 64 invocations share a row |
/// | `serial` | software | adapters that are CPUs: no barriers, an invocation has a row to itself |
///
/// # Example
/// ```no_run
/// use langevin::{Positions, Rotary, RotaryBuffers, RotaryDesc, View};
/// # fn f(device: &wgpu::Device, pass: &mut wgpu::ComputePass, [qkv, cos, sin, positions]: [&wgpu::Buffer; 4])
/// # -> Result<(), Box<dyn std::error::Error>> {
/// // The queries of a packed projection of q, k and v: 8 heads of 64 for 100 tokens, normalised and turned in place.
/// let queries = Some(View::columns(100, 3 * 512, 0, 64));
/// let rotary = Rotary::new(device, &RotaryDesc {
///     heads: 8, seq: 100, head_dim: 64, axes: vec![64], norm: Some(1e-6),
///     // `cos` and `sin` are of `rotary_table` with positions 0 to 4095.
///     table_rows: 4096, positions: Positions::Tokens,
///     in_place: true, x_view: queries, out_view: queries, ..Default::default()
/// })?;
/// let [qkv, cos, sin, positions] = [qkv, cos, sin, positions].map(|buffer| buffer.as_entire_buffer_binding());
/// let (cos, sin, positions) = (Some(cos), Some(sin), Some(positions));
/// let buffers = RotaryBuffers { cos, sin, positions, ..RotaryBuffers::new(qkv) };
/// rotary.bind(device, buffers)?.record(pass);
/// # Ok(()) }
/// ```
pub type Rotary = Plan<RotaryDesc>;

buffers! {
    /// Where the tensors of a [`RotaryDesc`] are.
    RotaryBuffers {
        required:
            /// The result.
            out;
        optional:
            /// What is turned, unless [`RotaryDesc::in_place`].
            x,
            /// With [`RotaryDesc::weight`].
            weight,
            /// The cosines, with any axis.
            cos,
            /// The sines, with any axis.
            sin,
            /// With positions of tokens: see [`Positions`].
            positions
    }
}

const TREE: Variant = Variant { name: "tree", tier: Tier::Portable, reason: "runs everywhere" };

const SERIAL: Variant = Variant {
    name: "serial",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where barriers cost more than a row of products",
};

impl sealed::Sealed for RotaryDesc {}

impl Kernel for RotaryDesc {
    type Buffers<'a> = RotaryBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        [SERIAL, TREE].into_iter().filter(|variant| capabilities.has(variant.tier)).collect()
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let builder = with_row(with_angles(StageBuilder::new("rotary", self), self), self)
            .flag("HAS_NORM", self.norm.is_some())
            .flag("HAS_WEIGHT", self.weight)
            .size("rows", rows(self))
            .size("heads_per_weight", (self.heads / self.weight_rows.max(1)).max(1))
            .param("eps", ParamValue::F32(self.norm.unwrap_or(1.0)))
            .reads("weight");
        Recipe::single(match variant.tier {
            Tier::Software => serial(builder, self),
            _ => tree(builder, self, capabilities),
        })
    }
}

fn rows(desc: &RotaryDesc) -> usize {
    desc.batch * desc.heads * desc.seq
}

fn serial(builder: StageBuilder, desc: &RotaryDesc) -> Stage {
    let quads = desc.head_dim.div_ceil(4);
    builder
        .part("rotary_serial", include_str!("../shaders/rotary_serial.wgsl"))
        .loop_iterations(3 * quads)
        .groups(rows(desc).div_ceil(8) as u64)
}

/// As many rows to a workgroup as give it 256 invocations, since a GPU starts about a workgroup every nanosecond.
fn tree(builder: StageBuilder, desc: &RotaryDesc, capabilities: &Capabilities) -> Stage {
    let limits = &capabilities.limits;
    let most = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x).min(256);
    let lanes = desc.head_dim.div_ceil(4).next_power_of_two();
    let group_rows = (most as usize / lanes).max(1);
    builder
        .constant("LANES", lanes as u32)
        .constant("GROUP_ROWS", group_rows as u32)
        .part("rotary_tree", include_str!("../shaders/rotary_tree.wgsl"))
        .loop_iterations(8)
        .groups(rows(desc).div_ceil(group_rows) as u64)
}

/// The rows of x and of out, and how elements of one are turned.
fn with_row(builder: StageBuilder, desc: &RotaryDesc) -> StageBuilder {
    let [x, out] = desc.strides();
    let builder = builder
        .flag("X_ON_WORDS", desc.x_starts_on_words())
        .size("heads", desc.heads)
        .size("seq", desc.seq)
        .size("head_dim", desc.head_dim)
        .size("x_offset", x.offset)
        .size("x_batch", x.batch)
        .size("x_head", x.head)
        .size("x_seq", x.seq)
        .size("out_offset", out.offset)
        .size("out_batch", out.batch)
        .size("out_head", out.head)
        .size("out_seq", out.seq);
    let builder = if desc.in_place {
        builder.updates("out").part("in_place", include_str!("../shaders/shared/rotary_in_place.wgsl"))
    } else {
        builder.reads("x").writes("out")
    };
    builder.part("rotary_row", include_str!("../shaders/shared/rotary_row.wgsl"))
}

/// The axes, and the angles of a token along each.
fn with_angles(builder: StageBuilder, desc: &RotaryDesc) -> StageBuilder {
    const STARTS: [&str; 4] = ["start_0", "start_1", "start_2", "start_3"];
    const LENGTHS: [&str; 4] = ["length_0", "length_1", "length_2", "length_3"];
    let mut start = 0;
    let mut builder = builder
        .flag("HALF_SPLIT", desc.pairing == Pairing::HalfSplit)
        .constant("AXES", desc.axes.len() as u32)
        .size("turned", 2 * desc.pairs())
        .size("pairs", desc.pairs())
        .size("table_rows", desc.table_rows);
    for (i, &axis) in desc.axes.iter().enumerate() {
        builder = builder.size(STARTS[i], start).size(LENGTHS[i], axis);
        start += axis;
    }
    let builder = builder.reads("cos").reads("sin");
    let first = match desc.positions {
        Positions::From(first) => first,
        // Without axes there are no positions to read.
        _ if desc.axes.is_empty() => 0,
        _ => {
            return builder
                .flag("POSITIONS_BY_ITEM", desc.positions == Positions::ItemTokens)
                .words("positions", Access::Read)
                .part("rotary_given", include_str!("../shaders/shared/rotary_given.wgsl"));
        }
    };
    builder
        .size("first_position", first)
        .part("rotary_in_order", include_str!("../shaders/shared/rotary_in_order.wgsl"))
}
