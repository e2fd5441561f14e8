//! The thin wgpu layer of langevin: adapter and tier, shader composition, pipelines, errors, transfers, timing.
