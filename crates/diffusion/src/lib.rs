//! Two diffusions built from langevin's kernels: the heat equation and a diffusion transformer.
