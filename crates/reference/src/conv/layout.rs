use super::ConvDesc;
use crate::{Format, Granularity, TensorSpec};

/// In which order the axes of a convolution's tensors are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ConvLayout {
    /// Channels before the spatial axes: NCW, NCHW, NCDHW; PyTorch's default. As JSON also `"nchw"`.
    #[default]
    #[cfg_attr(feature = "serde", serde(alias = "nchw"))]
    ChannelsFirst,
    /// Channels behind the spatial axes: NWC, NHWC, NDHWC; the order in memory of PyTorch's `channels_last`, of `w` too.
    /// As JSON also `"nhwc"`.
    #[cfg_attr(feature = "serde", serde(alias = "nhwc"))]
    ChannelsLast,
}

impl ConvLayout {
    /// Every layout.
    pub const ALL: [Self; 2] = [Self::ChannelsFirst, Self::ChannelsLast];

    /// A shape from its parts: the outer axis, the channels, and the spatial axes.
    pub fn shape(self, outer: usize, channels: usize, spatial: &[usize]) -> Vec<usize> {
        match self {
            Self::ChannelsFirst => [&[outer, channels], spatial].concat(),
            Self::ChannelsLast => [&[outer], spatial, &[channels]].concat(),
        }
    }

    /// The parts of such a shape.
    pub fn parts(self, shape: &[usize]) -> Option<(usize, usize, &[usize])> {
        let (&outer, rest) = shape.split_first()?;
        let (&channels, spatial) = match self {
            Self::ChannelsFirst => rest.split_first()?,
            Self::ChannelsLast => rest.split_last()?,
        };
        Some((outer, channels, spatial))
    }

    /// Where the channels stand among that many axes.
    pub(super) fn channel_axis(self, axes: usize) -> usize {
        if self == Self::ChannelsFirst { 1 } else { axes - 1 }
    }
}

impl ConvDesc {
    /// The shape of `w`.
    fn w_shape(&self) -> Vec<usize> {
        let (outer, inner) = match self.transposed {
            false => (self.out_channels, self.group_channels()),
            true => (self.in_channels, self.group_outputs()),
        };
        self.layout.shape(outer, inner, &self.kernel)
    }

    /// The shape of `out`.
    pub(super) fn out_shape(&self) -> Vec<usize> {
        self.layout.shape(self.batch, self.out_channels, &self.out_spatial())
    }

    pub(super) fn specs(&self) -> Vec<TensorSpec> {
        let x_shape = self.layout.shape(self.batch, self.in_channels, &self.spatial);
        let scales = match self.w_scale {
            Some(Granularity::PerRow) => vec![self.out_channels],
            _ => vec![],
        };
        let out_shape = self.out_shape();
        let mut specs =
            vec![TensorSpec::input("x", self.x, &x_shape), TensorSpec::input("w", self.w, &self.w_shape())];
        specs.extend(self.x_scale.then(|| TensorSpec::input("x_scale", Format::F32, &[])));
        specs.extend(self.w_scale.map(|_| TensorSpec::input("w_scale", Format::F32, &scales)));
        specs.extend(self.bias.then(|| TensorSpec::input("bias", Format::F32, &[self.out_channels])));
        specs.extend(self.residual.then(|| TensorSpec::input("residual", self.out, &out_shape)));
        specs.push(TensorSpec::output("out", self.out, &out_shape));
        specs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_come_apart_as_they_were_put_together() {
        assert_eq!(ConvLayout::ChannelsFirst.shape(2, 3, &[4, 5]), [2, 3, 4, 5]);
        assert_eq!(ConvLayout::ChannelsLast.shape(2, 3, &[4, 5]), [2, 4, 5, 3]);
        for layout in ConvLayout::ALL {
            let shape = layout.shape(2, 3, &[4, 5]);
            assert_eq!(layout.parts(&shape), Some((2, 3, &[4, 5][..])));
            assert_eq!(shape[layout.channel_axis(4)], 3);
            assert_eq!(layout.parts(&[2]), None);
        }
    }
}
