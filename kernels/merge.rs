use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, Stage, StageBuilder};
use crate::{Capabilities, MergeDesc, Plan, Tier};
use langevin_gpu::Access;
use langevin_reference::Dtype;

/// Partial results of attention over parts of the keys, merged: see [`MergeDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `quads` | portable | every adapter: an invocation has four columns of a row, and its parts, or every eighth of many |
///
/// It is the second dispatch of an [`Attention`](crate::Attention) that splits its keys, over parts of the caller's.
///
/// # Example
/// ```no_run
/// use langevin::{Merge, MergeDesc, MergeBuffers};
/// # fn f(device: &wgpu::Device, pass: &mut wgpu::ComputePass, [parts, part_lse, out, lse]: [&wgpu::Buffer; 4])
/// # -> Result<(), Box<dyn std::error::Error>> {
/// // Two attentions of 8 heads and 100 queries, over keys that live in two places. Each has written a half of `parts`
/// // and of `part_lse`; the result is a part again.
/// let desc = MergeDesc { parts: 2, rows: 8 * 100, dim: 64, lse: true, ..Default::default() };
/// let [parts, part_lse, out, lse] = [parts, part_lse, out, lse].map(wgpu::Buffer::as_entire_buffer_binding);
/// let buffers = MergeBuffers { lse: Some(lse), ..MergeBuffers::new(parts, part_lse, out) };
/// Merge::new(device, &desc)?.bind(device, buffers)?.record(pass);
/// # Ok(()) }
/// ```
pub type Merge = Plan<MergeDesc>;

buffers! {
    /// Where the tensors of a [`MergeDesc`] are.
    MergeBuffers {
        required:
            /// The results of the parts.
            parts,
            /// The logarithms of their sums of exponentials.
            part_lse,
            /// The merged result.
            out;
        optional:
            /// With [`MergeDesc::lse`].
            lse
    }
}

const QUADS: Variant = Variant { name: "quads", tier: Tier::Portable, reason: "runs everywhere" };

/// Parts from which on invocations share those of a vector: an H200 waited for one part after the other.
const MANY_PARTS: usize = 16;

/// The stage that merges the parts of so many vectors of four columns, which `builder` says how to read.
pub(crate) fn merged(builder: StageBuilder, parts: usize, vectors: usize) -> Stage {
    let lanes = if parts < MANY_PARTS { 1 } else { 8 };
    builder
        .constant("PART_LANES", lanes as u32)
        .size("parts", parts)
        .part("attention_merge", include_str!("../shaders/attention_merge.wgsl"))
        .loop_iterations(2 * parts.div_ceil(lanes) + 2 * lanes)
        .proven()
        .groups((vectors * lanes).div_ceil(64) as u64)
}

impl sealed::Sealed for MergeDesc {}

impl Kernel for MergeDesc {
    type Buffers<'a> = MergeBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![QUADS]
    }

    fn recipe(&self, _: Variant, _: &Capabilities) -> Recipe {
        let Self { parts, rows, dim, .. } = *self;
        // Rows without columns still have logarithms.
        let quads = if self.lse { dim.div_ceil(4).max(1) } else { dim.div_ceil(4) };
        let stage = StageBuilder::new("merge", self)
            .size("rows_in_all", rows)
            .size("quads", quads)
            .size("dim", dim)
            .size("part_pitch", Dtype::from(self.x).padded_row_len(dim))
            .size("out_pitch", Dtype::from(self.out).padded_row_len(dim))
            .reads("parts")
            .words("part_lse", Access::Read)
            .writes("out")
            .writes_bits("lse")
            .part("merge_pairs", include_str!("../shaders/shared/merge_pairs.wgsl"));
        Recipe::single(merged(stage, parts, rows * quads))
    }
}
