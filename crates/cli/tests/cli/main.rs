//! The program as its users meet it: exit codes, messages and files.
//!
//! `LANGEVIN_RUNNER`, split at spaces, comes before the program's path. Tests that need an adapter say so and pass
//! without one, or fail where `REQUIRE_GPU` is set.

mod bench;
mod damage;
mod docs;
mod doctor;
#[path = "../../src/documented.rs"]
mod documented;
mod evaluate;
mod faults;
mod files;
mod generate;
mod heat;
mod info;
mod kernels;
mod plan;
mod process;
mod quantize;
mod run;
