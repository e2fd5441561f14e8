//! Plots as SVG, without a library: points and lines between two axes.

use crate::html::escaped;
use std::fmt::Write;

/// One axis: what it shows, and from where to where.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) range: [f64; 2],
    pub(super) is_logarithmic: bool,
}

/// A measured value; its text appears under the pointer.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) at: [f64; 2],
    pub(super) colour: &'static str,
    pub(super) text: String,
}

/// A limit.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) points: Vec<[f64; 2]>,
    pub(super) text: String,
}

/// The drawing area, and what is left around it for labels.
const SIZE: [f64; 2] = [760.0, 420.0];
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 50.0;
const TOP: f64 = 20.0;
const RIGHT: f64 = 20.0;

impl Axis {
    /// Powers of ten around all of the values; nothing where none is a positive number.
    pub(super) fn logarithmic(label: &'static str, values: impl Iterator<Item = f64>) -> Option<Self> {
        let exponents: Vec<f64> =
            values.filter(|value| *value > 0.0 && value.is_finite()).map(f64::log10).collect();
        let least = exponents.iter().copied().fold(f64::INFINITY, f64::min).floor();
        let most = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
        let range = [10f64.powf(least), 10f64.powf(most.max(least + 1.0))];
        (!exponents.is_empty()).then_some(Self { label, range, is_logarithmic: true })
    }

    /// From 0 to 1 along the axis.
    fn place(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        if self.is_logarithmic {
            (value / low).log10() / (high / low).log10()
        } else {
            (value - low) / (high - low)
        }
    }

    fn ticks(&self) -> Vec<f64> {
        let [low, high] = self.range;
        if self.is_logarithmic {
            let powers = (high / low).log10().round() as i32;
            (0..=powers).map(|power| low * 10f64.powi(power)).collect()
        } else {
            (0..=4).map(|i| low + (high - low) * f64::from(i) / 4.0).collect()
        }
    }
}

/// A plot; `tick` writes a number of an axis, 0 for x and 1 for y.
pub(super) fn plot(
    axes: &[Axis; 2],
    lines: &[Line],
    points: &[Point],
    tick: impl Fn(usize, f64) -> String,
) -> String {
    let [width, height] = SIZE;
    let x = |value: f64| LEFT + axes[0].place(value) * (width - LEFT - RIGHT);
    let y = |value: f64| height - BOTTOM - axes[1].place(value) * (height - BOTTOM - TOP);
    let mut svg = format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\">\n");
    // Writing to a string does not fail.
    for value in axes[0].ticks() {
        let (at, bottom) = (x(value), height - BOTTOM);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" class=\"x\">{}</text>",
            bottom + 18.0,
            tick(0, value)
        );
    }
    for value in axes[1].ticks() {
        let (at, right) = (y(value), width - RIGHT);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" class=\"y\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            tick(1, value)
        );
    }
    let (middle, low) = ((LEFT + width - RIGHT) / 2.0, height - 8.0);
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{low}\" class=\"x\">{}</text>", axes[0].label);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"12\">{}</text>", axes[1].label);
    for Line { points, text } in lines {
        let corners: Vec<String> = points.iter().map(|[a, b]| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        let _ = writeln!(svg, "<polyline class=\"limit\" points=\"{}\"/>", corners.join(" "));
        if let Some([a, b]) = points.last() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" class=\"y\">{text}</text>",
                x(*a) - 4.0,
                y(*b) - 5.0
            );
        }
    }
    for Point { at: [a, b], colour, text } in points {
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{colour}\"><title>{}</title></circle>",
            x(*a),
            y(*b),
            escaped(text)
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_spans_whole_powers() {
        let axis = Axis::logarithmic("x", [30.0, 2e4, f64::NAN, 0.0].into_iter()).unwrap();
        let [low, high] = axis.range;
        assert!((low - 10.0).abs() < 1e-9 && (high - 1e5).abs() < 1e-6);
        assert!((axis.place(1000.0) - 0.5).abs() < 1e-9);
        assert_eq!(axis.ticks().len(), 5);
        assert!(Axis::logarithmic("x", std::iter::empty()).is_none());
        assert_eq!(Axis::logarithmic("x", std::iter::once(7.0)).unwrap().ticks().len(), 2);
    }

    #[test]
    fn points_lie_inside_and_their_text_is_harmless() {
        let axis = |label| Axis { label, range: [0.0, 1.0], is_logarithmic: false };
        let point = Point { at: [1.0, 0.0], colour: "red", text: "<b> & \"c\"".into() };
        let svg = plot(&[axis("x"), axis("y")], &[], &[point], |_, value| format!("{value}"));
        assert!(svg.contains("cx=\"740.0\" cy=\"370.0\""), "{svg}");
        assert!(svg.contains("<title>&lt;b&gt; &amp; &quot;c&quot;</title>"), "{svg}");
    }
}
