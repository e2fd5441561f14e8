use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar of `steps` steps on standard error, drawn only on a terminal.
pub(crate) fn bar(steps: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(steps).with_prefix(what);
    styled(bar, "{prefix} [{bar:32}] {pos}/{len} {elapsed} {wide_msg}")
}

/// The same of bytes.
pub(crate) fn bytes(bytes: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(bytes).with_prefix(what);
    styled(bar, "{prefix} [{bar:32}] {bytes}/{total_bytes} {elapsed} {wide_msg}")
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
