//! CPU reference of the langevin kernels: what each computes, in f64, and how wrong a kernel may be.
