use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar of `steps` steps on standard error, drawn only on a terminal.
pub(crate) fn bar(steps: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(steps).with_prefix(what);
    match ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} {elapsed} {wide_msg}") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
