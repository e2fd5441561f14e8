mod choice;
mod loops;
mod options;
mod stages;

use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::{AttentionDesc, Capabilities, Plan};

/// Scaled dot-product attention with its options, fused: see [`AttentionDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `shuffle` | software | CPUs with subgroups of 8: no barriers, numbers spread by shuffles |
/// | `broadcast` | software | other CPUs: no barriers, keys and values read by broadcast |
/// | `cooperative` | cooperative | q, k and v in formats that f16 holds, up to 128 long, v without scales by token, more than 16 rows or `batch_invariant` unless asked for: matrix units |
/// | `tiled_subgroup` | subgroup | subgroups of 8 or more: lanes compare by shuffles instead of workgroup memory |
/// | `tiled` | portable | every GPU: 64 rows and 32 keys at a time in workgroup memory |
/// | `tiled_f16` | f16 | q, k and v in formats that f16 holds, when asked for: tiles of half the size in workgroup memory |
///
/// A row is a query of one of the heads that share a kv head, so that the queries of a group read its keys and values
/// once. Keys that no row of a tile may see by its place are skipped, whole blocks at a time.
///
/// Needs scratch ([`Plan::scratch_bytes`]) where the rows alone do not fill the device: the keys are then split among workgroups
/// and the parts added up in a second dispatch, always in the same order. Also with sequences, which are listed with their
/// tiles first, and where the tensors are more than the eight storage buffers that WebGPU promises: the sinks and the
/// scales are then joined there first.
///
/// # Example
/// ```no_run
/// use langevin::{Align, Attention, AttentionBuffers, AttentionDesc, Format};
/// # fn f(device: &wgpu::Device, pass: &mut wgpu::ComputePass, [q, k, v, scale, out, scratch]: [&wgpu::Buffer; 6])
/// # -> Result<(), Box<dyn std::error::Error>> {
/// // A new token of 8 heads against a cache of 1000 in E4M3, with a scale per kv head for both.
/// let cache = langevin::Heads::from(Format::E4m3).scaled([1, 2, 1]);
/// let attention = Attention::new(device, &AttentionDesc {
///     heads: 8, kv_heads: 2, seq_q: 1, seq_kv: 1000, head_dim: 64, v_dim: 64,
///     k: cache, v: cache, causal: Some(Align::BottomRight), ..Default::default()
/// })?;
/// let [q, k, v, scale, out, scratch] = [q, k, v, scale, out, scratch].map(wgpu::Buffer::as_entire_buffer_binding);
/// let (k_scale, v_scale) = (Some(scale.clone()), Some(scale));
/// let buffers = AttentionBuffers { k_scale, v_scale, scratch: Some(scratch), ..AttentionBuffers::new(q, k, v, out) };
/// attention.bind(device, buffers)?.record(pass);
/// # Ok(()) }
/// ```
pub type Attention = Plan<AttentionDesc>;

buffers! {
    /// Where the tensors of an [`AttentionDesc`] are.
    AttentionBuffers {
        required:
            /// The queries.
            q,
            /// The keys.
            k,
            /// The values.
            v,
            /// The result.
            out;
        optional:
            /// With [`AttentionDesc::mask`].
            mask,
            /// With [`AttentionDesc::bias`].
            bias,
            /// With scales of `q`.
            q_scale,
            /// With scales of `k`.
            k_scale,
            /// With scales of `v`.
            v_scale,
            /// With [`AttentionDesc::sinks`].
            sinks,
            /// With [`AttentionDesc::sequences`].
            q_offsets,
            /// With [`AttentionDesc::sequences`].
            kv_offsets,
            /// With [`AttentionDesc::lse`].
            lse,
            /// Memory lent for the call, where [`Plan::scratch_bytes`] asks for it.
            scratch
    }
}

impl sealed::Sealed for AttentionDesc {}

impl Kernel for AttentionDesc {
    type Buffers<'a> = AttentionBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        choice::variants(self, capabilities)
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        stages::recipe(self, variant, capabilities)
    }
}
