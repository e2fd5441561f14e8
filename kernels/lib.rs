//! Portable GPU compute kernels.
