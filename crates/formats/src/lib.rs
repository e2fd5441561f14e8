//! Number formats of the langevin kernels on the CPU: bit-exact F16, BF16, FP8 and INT8 codecs.
