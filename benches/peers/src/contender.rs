//! A library that computes one problem.

use std::error::Error;

/// One library's computation, ready to run again and again.
pub(crate) trait Contender {
    /// Which code runs: a variant, a compiler.
    fn how(&self) -> String;
    /// Computes that many times and waits once, until all of it is done.
    fn run(&mut self, times: usize) -> Result<(), Box<dyn Error>>;
    /// Computes once and reads the answer back.
    fn answer(&mut self) -> Result<Vec<f32>, Box<dyn Error>>;
}
