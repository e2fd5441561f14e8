//! Random descriptors: for checks of kernels beyond chosen cases, and of what happens with descriptors that make no sense.

mod descriptors;
mod draw;

use crate::Op;
pub use draw::Draw;

/// A descriptor that can be drawn.
pub trait Random: Op + Sized {
    /// Any options together, sizes around tiles and vectors. Many break a rule; which, [`Op::validate`] tells.
    fn random(draw: &mut Draw) -> Self;
}

/// So many valid descriptors, of which no tensor takes more than `bytes` and none costs more than `flops`; from the same
/// seed the same ones. Fewer where a hundred times as many draws have not brought them.
///
/// # Example
/// ```
/// use langevin_reference::{MatmulDesc, Op, random};
/// for desc in random::valid::<MatmulDesc>(5, 1, 1 << 20, 1e7) {
///     assert!(desc.validate().is_ok());
/// }
/// ```
pub fn valid<D: Random>(count: usize, seed: u64, bytes: u64, flops: f64) -> Vec<D> {
    let small = |desc: &D| {
        let fits = |spec: &crate::TensorSpec| spec.gpu_bytes().is_some_and(|needed| needed <= bytes);
        desc.validate().is_ok() && desc.tensors().iter().all(fits) && desc.cost().flops <= flops
    };
    let mut draw = Draw::new(seed, 0);
    (0..100 * count).map(|_| D::random(&mut draw)).filter(small).take(count).collect()
}
