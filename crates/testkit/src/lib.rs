//! What langevin's tests share: device or skip, poisoned buffers, generators.
