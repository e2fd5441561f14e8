//! A record as one HTML file that needs nothing else: rooflines, fractions of the ceilings over size, and the table.

mod svg;

use super::ceilings::Ceilings;
use super::record::{Record, Row, Timing};
use super::table::{duration, percent, quantity, rate};
use crate::html::{STYLE, escaped, line, paragraph, section, table};
use svg::{Axis, Line, Point, plot};

/// Kernels by family, each with a colour that people with any colour vision tell apart (Okabe and Ito).
const FAMILIES: [(&str, &str, &[&str]); 7] = [
    ("matmul", "#0072b2", &["matmul"]),
    ("attention", "#d55e00", &["attention"]),
    ("convolution", "#009e73", &["conv"]),
    ("stencils", "#cc79a7", &["heat", "laplacian"]),
    ("codecs", "#e69f00", &["quantize", "dequantize"]),
    ("norm", "#56b4e9", &["norm"]),
    ("others", "#888888", &[]),
];

impl Record {
    /// The whole page.
    pub(super) fn html(&self) -> String {
        let adapter = &self.adapter;
        let title = escaped(&format!("langevin on {}", adapter.name));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <h1>{title}</h1>\n"
        );
        let commit = self.commit.as_ref().map_or(String::new(), |commit| format!(" at {commit}"));
        page += &paragraph(&format!(
            "{}, {}, {}; langevin {}{commit}, wgpu {}; langevin {}",
            adapter.backend,
            adapter.driver,
            self.date,
            self.langevin,
            self.wgpu,
            self.command.join(" ")
        ));
        page += &legend();
        if let Some(ceilings) = &self.ceilings {
            page += &self.roofline(ceilings).map_or(String::new(), |svg| section("Roofline", &svg));
        }
        page +=
            &self.by_size().map_or(String::new(), |svg| section("Fraction of the ceiling over size", &svg));
        page + &section("All variants", &self.rows_as_table())
    }

    /// What a plan takes by itself, where it was timed.
    fn chosen(&self) -> impl Iterator<Item = (&Row, &Timing)> {
        self.rows.iter().filter(|row| row.chosen).filter_map(|row| Some((row, row.timing.as_ref()?)))
    }

    /// Operations per second over operations per byte, under the lines that memory and arithmetic draw.
    fn roofline(&self, ceilings: &Ceilings) -> Option<String> {
        let points: Vec<Point> = self
            .chosen()
            .filter(|(row, _)| row.flops > 0.0)
            .map(|(row, timing)| {
                point(row, timing, [row.flops / row.bytes, row.flops / timing.gpu_seconds.median])
            })
            .collect();
        let peaks =
            [("f32 multiply-adds", Some(ceilings.f32_flops)), ("cooperative", ceilings.cooperative_flops)];
        let peaks: Vec<(&str, f64)> =
            peaks.into_iter().filter_map(|(name, rate)| Some((name, rate?))).collect();
        let rates = points.iter().map(|point| point.at[1]).chain(peaks.iter().map(|(_, rate)| *rate));
        // Wide enough for every corner, where a roof reaches the rate that its label names.
        let corners = peaks.iter().map(|(_, rate)| rate / ceilings.copy_bytes);
        let x =
            Axis::logarithmic("operations per byte", points.iter().map(|point| point.at[0]).chain(corners))?;
        let y = Axis::logarithmic("operations per second", rates)?;
        let line = |(name, rate): &(&str, f64)| {
            let bandwidth = ceilings.copy_bytes;
            // Where the roof's two sides meet, or the end of the plot.
            let corner = (rate / bandwidth).clamp(x.range[0], x.range[1]);
            let start = (y.range[0] / bandwidth).clamp(x.range[0], corner);
            let roof = |intensity: f64| [intensity, (intensity * bandwidth).min(*rate)];
            let points = vec![roof(start), roof(corner), roof(x.range[1])];
            Line { points, text: format!("{name} {}", quantity(*rate, "FLOP/s")) }
        };
        let lines: Vec<Line> = peaks.iter().map(line).collect();
        Some(plot(&[x, y], &lines, &points, |axis, value| match axis {
            0 => format!("{value}"),
            _ => quantity(value, ""),
        }))
    }

    /// Fractions of the ceilings over the bytes that a case touches.
    fn by_size(&self) -> Option<String> {
        let fraction = |(row, timing): (&Row, &Timing)| {
            Some(point(row, timing, [row.bytes, timing.fraction_of_ceiling?]))
        };
        let points: Vec<Point> = self.chosen().filter_map(fraction).collect();
        let x = Axis::logarithmic("bytes of the tensors", points.iter().map(|point| point.at[0]))?;
        // More than all of it happens: a cache is faster than memory.
        let most = points.iter().map(|point| point.at[1]).fold(1.0, f64::max);
        let y = Axis { label: "fraction of the ceiling", range: [0.0, most], is_logarithmic: false };
        Some(plot(&[x, y], &[], &points, |axis, value| match axis {
            0 => quantity(value, "B"),
            _ => percent(value),
        }))
    }

    fn rows_as_table(&self) -> String {
        let heading = ["kernel", "case", "variant", "time", "IQR", "rate", "of ceiling", "checked"];
        let rows: String = self.rows.iter().map(|row| line("td", &cells(row))).collect();
        table(&(line("th", &heading.map(str::to_owned)) + &rows))
    }
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.kernel.clone(), row.case.clone(), row.variant.clone()];
    if row.chosen {
        cells[2] += " *";
    }
    if let Some(timing) = &row.timing {
        let fraction = timing.fraction_of_ceiling.zip(timing.ceiling.as_ref());
        cells.extend([
            duration(timing.gpu_seconds.median),
            percent(timing.gpu_seconds.relative_range()),
            rate(timing.rate, row.unit),
            fraction.map_or("-".into(), |(fraction, name)| format!("{} {name}", percent(fraction))),
        ]);
    } else {
        cells.extend(["-"; 4].map(str::to_owned));
    }
    cells.push(row.checked.clone().or(row.finding.clone()).unwrap_or_default());
    cells
}

fn point(row: &Row, timing: &Timing, at: [f64; 2]) -> Point {
    let (_, colour, _) = family(&row.kernel);
    let time = duration(timing.gpu_seconds.median);
    let text =
        format!("{} {} ({}): {time}, {}", row.kernel, row.case, row.variant, rate(timing.rate, row.unit));
    Point { at, colour, text }
}

fn family(kernel: &str) -> (&'static str, &'static str, &'static [&'static str]) {
    let found = FAMILIES.into_iter().find(|(.., kernels)| kernels.contains(&kernel));
    found.unwrap_or(FAMILIES[FAMILIES.len() - 1])
}

fn legend() -> String {
    let entry =
        |(name, colour, _)| format!("<span class=\"dot\" style=\"background:{colour}\"></span>{name}");
    let entries: String = FAMILIES.into_iter().map(entry).collect();
    format!(
        "<p>{entries}. A point names its case under the pointer; only what a plan takes by itself is drawn.</p>\n"
    )
}
