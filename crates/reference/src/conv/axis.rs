use super::ConvDesc;
use crate::{Boundary, DescError, Op};

/// One axis of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvAxis {
    /// Elements of the input.
    pub extent: usize,
    /// Elements of the kernel.
    pub kernel: usize,
    /// Input elements between two outputs; output elements between two inputs where it is transposed.
    pub stride: usize,
    /// Elements between two kernel elements.
    pub dilation: usize,
    /// Elements added before and after the input; taken off the output where it is transposed.
    pub padding: [usize; 2],
    /// What the added elements hold.
    pub boundary: Boundary,
    /// How often each element of the input is repeated.
    pub upsample: usize,
    /// Whether it spreads inputs instead of gathering them.
    pub transposed: bool,
    /// Elements added behind the output where it is transposed.
    pub output_padding: usize,
}

/// Where a kernel element meets the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvSource {
    /// This element.
    Element(usize),
    /// What is outside of the input.
    Outside,
    /// Between two elements of a transposed convolution: nothing, not even a term of the sum.
    Nowhere,
}

impl ConvAxis {
    /// An axis of one element, as if it were not there.
    pub const UNIT: Self = Self {
        extent: 1,
        kernel: 1,
        stride: 1,
        dilation: 1,
        padding: [0, 0],
        boundary: Boundary::Zero,
        upsample: 1,
        transposed: false,
        output_padding: 0,
    };

    /// Elements of the repeated input; saturating.
    pub fn repeated_extent(&self) -> usize {
        self.extent.saturating_mul(self.upsample)
    }

    /// From the first to the last element that a kernel covers; saturating.
    fn span(&self) -> usize {
        self.kernel.saturating_sub(1).saturating_mul(self.dilation).saturating_add(1)
    }

    fn both_paddings(&self) -> usize {
        self.padding[0].saturating_add(self.padding[1])
    }

    /// The repeated input with its padding, or the output of a transposed axis before its padding is taken off;
    /// saturating.
    pub fn padded_extent(&self) -> usize {
        if !self.transposed {
            return self.repeated_extent().saturating_add(self.both_paddings());
        }
        match self.extent.checked_sub(1) {
            Some(steps) => {
                let spread = steps.saturating_mul(self.stride).saturating_add(self.span());
                spread.saturating_add(self.output_padding)
            }
            None => 0,
        }
    }

    /// Elements of the output.
    pub fn out_extent(&self) -> usize {
        if self.transposed {
            return self.padded_extent().saturating_sub(self.both_paddings());
        }
        match self.padded_extent().checked_sub(self.span()) {
            Some(steps) => steps / self.stride.max(1) + 1,
            None => 0,
        }
    }

    /// The most kernel elements that meet one output: all of them, unless a transposed axis has a stride.
    pub fn taps(&self) -> usize {
        if self.transposed { self.kernel.div_ceil(self.tap_step()) } else { self.kernel }
    }

    /// Kernel elements from one that meets an output to the next.
    pub fn tap_step(&self) -> usize {
        if self.transposed { (self.stride / self.stride_and_dilation()).max(1) } else { 1 }
    }

    /// The greatest common divisor of the stride and the dilation; at least 1.
    pub fn stride_and_dilation(&self) -> usize {
        let (mut a, mut b) = (self.stride, self.dilation);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a.max(1)
    }

    /// What kernel element `k` of output element `out` meets.
    pub fn source(&self, out: usize, k: usize) -> ConvSource {
        let from = |position: i64, extent| self.boundary.source(position, extent);
        let element = if self.transposed {
            let position = (out + self.padding[0]) as i64 - (k * self.dilation) as i64;
            let stride = self.stride as i64;
            if position.rem_euclid(stride) != 0 {
                return ConvSource::Nowhere;
            }
            from(position.div_euclid(stride), self.extent)
        } else {
            let position = (out * self.stride + k * self.dilation) as i64 - self.padding[0] as i64;
            from(position, self.repeated_extent()).map(|element| element / self.upsample)
        };
        element.map_or(ConvSource::Outside, ConvSource::Element)
    }

    pub(super) fn check(&self) -> Result<(), DescError> {
        let Self { extent, kernel, stride, dilation, padding, boundary, upsample, .. } = *self;
        for (field, value) in
            [("kernel", kernel), ("stride", stride), ("dilation", dilation), ("upsample", upsample)]
        {
            if value == 0 {
                return Err(ConvDesc::field_error(field, "at least 1 along every axis", 0));
            }
        }
        self.check_direction()?;
        let widest = padding[0].max(padding[1]);
        let repeated = self.repeated_extent();
        if boundary == Boundary::Reflect && widest > 0 && widest >= repeated {
            let expected = format!("less than the extent {repeated} of an axis that is reflected");
            return Err(ConvDesc::field_error("padding", expected, widest));
        }
        if boundary != Boundary::Zero && widest > 0 && extent == 0 {
            let got = format!("0 with a padding of {widest} by {boundary:?}");
            return Err(ConvDesc::field_error("spatial", "at least 1 where it is not padded by zeros", got));
        }
        self.check_index_range()
    }

    /// Positions before and after the input are signed 32-bit integers in the shader, which also multiplies two numbers
    /// below a transposed axis' stride.
    fn check_index_range(&self) -> Result<(), DescError> {
        let Self { stride, dilation, .. } = *self;
        if self.transposed && stride > 1 << 16 {
            let (what, limit, got) = ("the stride of a transposed axis".into(), 1 << 16, stride as u128);
            return Err(DescError::TooLarge { op: ConvDesc::NAME, what, limit, got });
        }
        let limit = i32::MAX as u64;
        let reach = self.padded_extent().saturating_add(self.both_paddings());
        let got = reach.max(stride).max(self.span()).max(dilation).max(self.repeated_extent()) as u128;
        if got > u128::from(limit) {
            let what =
                "the extent with its padding, the stride, or what the kernel spans along an axis".into();
            return Err(DescError::TooLarge { op: ConvDesc::NAME, what, limit, got });
        }
        Ok(())
    }

    /// What only one of the two directions has.
    fn check_direction(&self) -> Result<(), DescError> {
        let Self { stride, dilation, boundary, upsample, output_padding, .. } = *self;
        if !self.transposed {
            let given = (output_padding > 0).then_some(output_padding);
            let error = |got| ConvDesc::field_error("output_padding", "absent unless it is transposed", got);
            return given.map_or(Ok(()), |got| Err(error(got)));
        }
        if boundary != Boundary::Zero {
            let expected = "zero for a transposed convolution, which reads nothing outside";
            return Err(ConvDesc::field_error("boundary", expected, format!("{boundary:?}")));
        }
        if upsample != 1 {
            return Err(ConvDesc::field_error("upsample", "1 for a transposed convolution", upsample));
        }
        // As PyTorch asks: with more, the last outputs would meet no input at all.
        let most = stride.max(dilation);
        if output_padding >= most {
            let expected = format!("less than {most}, the larger of stride and dilation");
            return Err(ConvDesc::field_error("output_padding", expected, output_padding));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: ConvAxis = ConvAxis { extent: 4, kernel: 3, ..ConvAxis::UNIT };

    #[test]
    fn a_transposed_axis_undoes_the_extents_of_a_plain_one() {
        for (kernel, stride, dilation, before, after) in
            [(3, 2, 1, 1, 1), (4, 2, 1, 1, 1), (3, 3, 2, 0, 2), (3, 4, 6, 3, 1)]
        {
            let there = ConvAxis { kernel, stride, dilation, padding: [before, after], ..LINE };
            for extent in 20..32 {
                let plain = ConvAxis { extent, ..there };
                let rest = (plain.padded_extent() - plain.span()) % stride;
                let back =
                    ConvAxis { extent: plain.out_extent(), transposed: true, output_padding: rest, ..there };
                assert_eq!(back.out_extent(), extent, "{plain:?}");
            }
        }
    }

    /// Both directions pair the same elements.
    #[test]
    fn a_transposed_axis_reads_where_a_plain_one_writes() {
        for (stride, dilation) in [(1, 1), (2, 1), (3, 2), (2, 4), (6, 4)] {
            let plain = ConvAxis { extent: 23, stride, dilation, padding: [2, 1], ..LINE };
            let back = ConvAxis { extent: plain.out_extent(), transposed: true, ..plain };
            for i in 0..back.out_extent() {
                let mut met = 0;
                for k in 0..3 {
                    let element = back.source(i, k);
                    met += usize::from(element != ConvSource::Nowhere);
                    for out in 0..plain.out_extent() {
                        let there = plain.source(out, k) == ConvSource::Element(i);
                        assert_eq!(there, element == ConvSource::Element(out), "{plain:?} {i} {k} {out}");
                    }
                }
                assert!(met <= back.taps(), "{back:?} {i}");
            }
        }
    }

    #[test]
    fn an_upsampled_axis_repeats_its_elements() {
        let axis = ConvAxis {
            extent: 2,
            kernel: 1,
            padding: [2, 1],
            boundary: Boundary::Reflect,
            upsample: 2,
            ..ConvAxis::UNIT
        };
        let got: Vec<_> = (0..axis.out_extent()).map(|out| axis.source(out, 0)).collect();
        // a b -> a a b b -> b a | a a b b | b
        assert_eq!(got, [1, 0, 0, 0, 1, 1, 1].map(ConvSource::Element));
    }

    #[test]
    fn nothing_gives_nothing() {
        let empty = ConvAxis { extent: 0, transposed: true, ..LINE };
        assert_eq!((empty.out_extent(), ConvAxis { transposed: false, ..empty }.out_extent()), (0, 0));
        assert_eq!(ConvAxis { extent: 2, padding: [3, 3], transposed: true, ..LINE }.out_extent(), 0);
    }
}
