use crate::{Boundary, ConvDesc, DescError, Op};

/// One axis of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvAxis {
    /// Elements of the input.
    pub extent: usize,
    /// Elements of the kernel.
    pub kernel: usize,
    /// Input elements between two outputs.
    pub stride: usize,
    /// Input elements between two kernel elements.
    pub dilation: usize,
    /// Elements added before and after.
    pub padding: [usize; 2],
    /// What they hold.
    pub boundary: Boundary,
}

impl ConvAxis {
    /// An axis of one element, as if it were not there.
    pub const UNIT: Self =
        Self { extent: 1, kernel: 1, stride: 1, dilation: 1, padding: [0, 0], boundary: Boundary::Zero };

    /// The input with its padding; saturating.
    pub fn padded_extent(&self) -> usize {
        self.extent.saturating_add(self.padding[0]).saturating_add(self.padding[1])
    }

    /// Elements of the output.
    pub fn out_extent(&self) -> usize {
        let span = self.kernel.saturating_sub(1).saturating_mul(self.dilation).saturating_add(1);
        match self.padded_extent().checked_sub(span) {
            Some(steps) => steps / self.stride.max(1) + 1,
            None => 0,
        }
    }

    /// Where kernel element `k` of output element `out` reads; `None` for a zero.
    pub fn source(&self, out: usize, k: usize) -> Option<usize> {
        let position = (out * self.stride + k * self.dilation) as i64 - self.padding[0] as i64;
        self.boundary.source(position, self.extent)
    }

    pub(crate) fn check(&self) -> Result<(), DescError> {
        let Self { extent, kernel, stride, dilation, padding, boundary } = *self;
        for (field, value) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            if value == 0 {
                return Err(ConvDesc::field_error(field, "at least 1 along every axis", 0));
            }
        }
        let widest = padding[0].max(padding[1]);
        if boundary == Boundary::Reflect && widest > 0 && widest >= extent {
            let expected = format!("less than the extent {extent} of an axis that is reflected");
            return Err(ConvDesc::field_error("padding", expected, widest));
        }
        if boundary != Boundary::Zero && widest > 0 && extent == 0 {
            let got = format!("0 with a padding of {widest} by {boundary:?}");
            return Err(ConvDesc::field_error("spatial", "at least 1 where it is repeated", got));
        }
        // Positions before and after the input are signed 32-bit integers in the shader.
        let limit = i32::MAX as u64;
        let got = self.padded_extent().max(stride).max(dilation).max(kernel) as u128;
        if got > u128::from(limit) {
            let what = "the padded extent, the stride, the dilation or the kernel of an axis".into();
            return Err(DescError::TooLarge { op: ConvDesc::NAME, what, limit, got });
        }
        Ok(())
    }
}
