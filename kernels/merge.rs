use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, MergeDesc, Plan, Tier};
use langevin_gpu::Access;
use langevin_reference::Dtype;

/// Partial results of attention over parts of the keys, merged: see [`MergeDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `quads` | portable | every adapter: an invocation has four columns of a row, and goes through its parts in order |
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
            .size("parts", parts)
            .size("rows_in_all", rows)
            .size("quads", quads)
            .size("dim", dim)
            .size("part_pitch", Dtype::from(self.x).padded_row_len(dim))
            .size("out_pitch", Dtype::from(self.out).padded_row_len(dim))
            .reads("parts")
            .words("part_lse", Access::Read)
            .writes("out")
            .writes_bits("lse")
            .part("merge_pairs", include_str!("../shaders/shared/merge_pairs.wgsl"))
            .part("attention_merge", include_str!("../shaders/attention_merge.wgsl"))
            .loop_iterations(2 * parts)
            .groups((rows * quads).div_ceil(64) as u64);
        Recipe::single(stage)
    }
}
