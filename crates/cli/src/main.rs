//! The `langevin` program.
fn main() {}
