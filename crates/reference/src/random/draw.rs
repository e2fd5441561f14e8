//! Random parts of descriptors: mostly small and sensible, sometimes at an edge, sometimes absurd.

use crate::{Activation, Align, Boundary, Columns, Edge, Format, Granularity, Overflow, ScaleSource, View};
use langevin_formats::Rounding;
use langevin_formats::e8m0::ScaleRounding;

const EDGES: [usize; 14] = [0, 1, 2, 3, 4, 31, 32, 33, 63, 64, 65, 255, 256, 257];
const ABSURD: [usize; 11] = [
    65_535,
    65_536,
    1 << 20,
    (1 << 24) + 1,
    1 << 31,
    u32::MAX as usize,
    1 << 32,
    (1 << 33) + 5,
    usize::MAX / 2,
    usize::MAX - 1,
    usize::MAX,
];
const NUMBERS: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    0.25,
    1e-3,
    3.0,
    1e-30,
    1e-45,
    1e-320,
    1e30,
    3.5e38,
    1e300,
    f64::MAX,
    f64::MIN_POSITIVE,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    -2.5,
];

/// Random parts of descriptors, by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Draw {
    state: u64,
    /// How many of a hundred sizes and numbers are absurd.
    absurd: u64,
}

impl Draw {
    /// Draws from a seed; of a hundred sizes and numbers about so many make no sense.
    pub fn new(seed: u64, absurd: u64) -> Self {
        Self { state: seed, absurd }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `end`; 0 for an end of 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end.max(1) as u64) as usize
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.bits() & 1 == 1
    }

    /// True once in so many times.
    pub fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn some<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }

    /// Mostly small.
    pub(crate) fn size(&mut self) -> usize {
        match self.bits() % 100 {
            kind if kind < self.absurd => self.one(&ABSURD),
            kind if kind < 30 => self.one(&EDGES),
            _ => 1 + self.below(20),
        }
    }

    /// Smaller still: of groups, strides and kernels.
    pub(crate) fn count(&mut self) -> usize {
        match self.bits() % 100 {
            kind if kind < self.absurd / 2 => self.size(),
            kind if kind < self.absurd => 0,
            _ => 1 + self.below(3),
        }
    }

    pub(crate) fn number(&mut self) -> f64 {
        if self.bits() % 100 < self.absurd { self.one(&NUMBERS) } else { (1 + self.below(64)) as f64 / 16.0 }
    }

    pub(crate) fn axes(&mut self) -> usize {
        if self.bits() % 100 < self.absurd { self.below(6) } else { 1 + self.below(3) }
    }

    /// None, one or `axes` of them; now and then another count.
    pub(crate) fn list<T>(&mut self, axes: usize, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let len = if self.bits() % 100 < self.absurd { self.below(5) } else { self.one(&[0, 1, axes]) };
        (0..len).map(|_| draw(self)).collect()
    }

    pub(crate) fn extents(&mut self, axes: usize) -> Vec<usize> {
        (0..axes).map(|_| self.size()).collect()
    }

    pub(crate) fn format(&mut self) -> Format {
        self.one(&Format::ALL)
    }

    /// One that the tensor in question mostly takes.
    pub(crate) fn format_of(&mut self, usual: &[Format]) -> Format {
        if self.bits() % 100 < self.absurd { self.format() } else { self.one(usual) }
    }

    pub(crate) fn float(&mut self) -> Format {
        self.format_of(&[Format::F32, Format::F16, Format::BF16])
    }

    pub(crate) fn activation(&mut self) -> Activation {
        self.one(&Activation::ALL)
    }

    pub(crate) fn overflow(&mut self) -> Overflow {
        self.one(&[Overflow::Saturate, Overflow::NonSaturating])
    }

    pub(crate) fn rounding(&mut self) -> Rounding {
        self.one(&[Rounding::NearestEven, Rounding::Stochastic])
    }

    pub(crate) fn scale_source(&mut self) -> ScaleSource {
        self.one(&[ScaleSource::Dynamic, ScaleSource::Static])
    }

    pub(crate) fn scale_rounding(&mut self) -> ScaleRounding {
        self.one(&[ScaleRounding::Floor, ScaleRounding::Rceil, ScaleRounding::Ceil, ScaleRounding::Even])
    }

    pub(crate) fn granularity(&mut self) -> Granularity {
        match self.below(6) {
            0 => Granularity::PerTensor,
            1 => Granularity::PerRow,
            2 => Granularity::PerColumn,
            3 => Granularity::PerGroup(self.one(&[32, 64, 128])),
            4 => Granularity::PerGroup(self.size()),
            _ => Granularity::PerBlock { rows: self.size(), columns: self.size() },
        }
    }

    pub(crate) fn boundary(&mut self) -> Boundary {
        if self.rarely(6) { Boundary::Constant(self.number() as f32) } else { self.one(&Boundary::ALL) }
    }

    /// Both ends of an axis, mostly a pair that may stand together.
    pub(crate) fn edges(&mut self) -> [Edge; 2] {
        let edge = |draw: &mut Self| match draw.below(3) {
            0 => Edge::Fixed(draw.number()),
            1 => Edge::Dirichlet(draw.number()),
            _ => Edge::Neumann(draw.number()),
        };
        match self.below(8) {
            0..3 => [Edge::Periodic; 2],
            3 => [Edge::Periodic, edge(self)],
            _ => [edge(self), edge(self)],
        }
    }

    pub(crate) fn align(&mut self) -> Align {
        match self.below(4) {
            0 => Align::TopLeft,
            1 => Align::BottomRight,
            2 => Align::Offset(self.below(21) as i64 - 10),
            _ => Align::Offset(self.one(&[i64::MIN, -(1 << 40), 0, 1 << 31, i64::MAX])),
        }
    }

    pub(crate) fn columns(&mut self) -> Columns {
        Columns { start: self.one(&[0, 4, 8]), width: self.one(&[1, 2, 3]) * 16 }
    }

    /// Rows close to each other, rows of tokens, or anything.
    pub(crate) fn view(&mut self, [heads, seq, dim]: [usize; 3]) -> View {
        let pitch = dim.saturating_add(3) / 4 * 4;
        match self.below(3) {
            0 => View {
                offset: 0,
                batch: heads.saturating_mul(seq).saturating_mul(pitch),
                head: seq.saturating_mul(pitch),
                seq: pitch,
            },
            1 => View {
                offset: 4 * self.below(4),
                batch: heads.saturating_mul(seq).saturating_mul(pitch),
                head: pitch,
                seq: heads.saturating_mul(pitch),
            },
            _ => View { offset: self.size(), batch: self.size(), head: self.size(), seq: self.size() },
        }
    }
}
