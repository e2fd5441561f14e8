//! The discrete Laplacian on a cell-centred grid.

use crate::stencil::{Grid, GridAxis};
use crate::{Boundary, ConvDesc, Cost, DescError, Edge, Expected, Format, Op, Tensor, TensorSpec, Tensors};
use ndarray::{ArrayD, ArrayViewD};

/// `out = sum over axes of ((left - u) + (right - u)) / spacing^2`
///
/// The second-order stencil of 3, 5 or 7 points. It is a sum of differences, so a constant field gives exactly 0 where
/// the edges are periodic or insulated.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `u` | `[batch, spatial..]` | [`LaplacianDesc::u`] |
/// | `out` | `[batch, spatial..]` | [`LaplacianDesc::out`] |
///
/// Both are row-major with every row starting on a 4-byte word. `spatial` has one entry per axis, 1 to 3 of them. The
/// lists `spacing` and `boundary` have one entry per axis, or one for every axis, or none for the default. JSON also
/// takes one value in place of a list, and one [`Edge`] for both ends of an axis: `"boundary": "periodic"`,
/// `["periodic", {"dirichlet": 1.0}]`, `[["neumann", {"fixed": 2.0}]]`.
///
/// Arithmetic is f32, in any order; `1 / spacing^2`, and what an edge adds, are computed in f64 and rounded once.
/// Infinity and NaN reach only their cell and its neighbours. An F16 or BF16 output overflows to infinity.
///
/// Error bound, per element, with `u = 2^-23`: `gamma(4 axes + 4) sum of (|neighbour| + |u|) / spacing^2`, plus half a
/// unit in the last place of `out`. A grid of one cell along an axis is defined; the cell is its own periodic neighbour.
///
/// # Errors
/// [`DescError::Field`] for other than 1 to 3 axes, a list of another length, a spacing that is not positive or whose
/// inverse square is not an f32, an axis that is periodic at one end only, a value at an edge that is not finite, an
/// 8-bit format; [`DescError::TooLarge`] where indices would leave u32.
///
/// # Example
/// ```
/// use langevin_reference::{Edge, Format, LaplacianDesc, Op, Tensor, Tensors};
/// let desc = LaplacianDesc { spatial: vec![3], boundary: vec![[Edge::Neumann(0.0); 2]], ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("u", Tensor::from_f32(Format::F32, &[1, 3], &[0.0, 1.0, 4.0])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values().as_slice(), Some(&[1.0, 2.0, -3.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: LeVeque, Finite Difference Methods for Ordinary and Partial Differential Equations, sections 2.12 and 3.2.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct LaplacianDesc {
    /// Independent fields.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Extents of a field, the fastest axis last.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub spatial: Vec<usize>,
    /// The distance between cell centres; 1.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::list"))]
    pub spacing: Vec<f64>,
    /// What lies before the first and after the last cell; periodic.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::per_axis::json::pairs"))]
    pub boundary: Vec<[Edge; 2]>,
    /// How `u` is stored: F32, F16 or BF16.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub u: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
}

impl Default for LaplacianDesc {
    /// One periodic F32 field of unit spacing: give `spatial`.
    fn default() -> Self {
        Self {
            batch: 1,
            spatial: Vec::new(),
            spacing: Vec::new(),
            boundary: Vec::new(),
            u: Format::F32,
            out: Format::F32,
        }
    }
}

impl LaplacianDesc {
    /// The settings of an axis of a valid descriptor.
    pub fn axis(&self, axis: usize) -> GridAxis {
        self.grid().axis(axis)
    }

    /// An upper bound of the largest eigenvalue of the negated operator: at most `sum of 4 / spacing^2`.
    ///
    /// It is the largest row sum of the matrix (Gershgorin), so it holds for every edge; periodic grids of even extent
    /// and grids with [`Edge::Dirichlet`] reach it.
    pub fn lambda_max(&self) -> f64 {
        self.sum_over_axes(|axis| axis.extremes()[1] * axis.weight())
    }

    /// The largest weight with which a cell enters its own negated Laplacian: `sum of 2 / spacing^2` in the interior,
    /// more beside [`Edge::Dirichlet`].
    pub fn largest_diagonal(&self) -> f64 {
        self.sum_over_axes(|axis| axis.extremes()[0] * axis.weight())
    }

    fn sum_over_axes(&self, of_axis: impl Fn(GridAxis) -> f64) -> f64 {
        (0..self.spatial.len()).map(|axis| of_axis(self.axis(axis))).sum()
    }

    pub(crate) fn grid(&self) -> Grid<'_> {
        let Self { batch, spatial, spacing, boundary, .. } = self;
        Grid { batch: *batch, spatial, spacing, boundary }
    }

    fn weights(&self) -> Vec<f64> {
        (0..self.spatial.len()).map(|axis| self.axis(axis).weight()).collect()
    }

    /// The convolution that computes the same, and its weights: `x` is `u` as `[batch, 1, spatial..]`.
    ///
    /// The weights are F32, so the convolution's own bound comes on top of this descriptor's.
    ///
    /// # Errors
    /// [`DescError::Field`] for edges other than [`Edge::Periodic`] and [`Edge::Fixed`] of 0, which no padding stands
    /// for.
    pub fn as_conv(&self) -> Result<(ConvDesc, Tensor), DescError> {
        self.validate()?;
        let axes = self.spatial.len();
        let boundary = |axis: usize| match self.axis(axis).edges {
            [Edge::Periodic, Edge::Periodic] => Ok(Boundary::Circular),
            [Edge::Fixed(0.0), Edge::Fixed(0.0)] => Ok(Boundary::Zero),
            other => {
                let expected = "periodic or fixed at 0 for a convolution";
                Err(Self::field_error("boundary", expected, format!("{other:?}")))
            }
        };
        let desc = ConvDesc {
            batch: self.batch,
            spatial: self.spatial.clone(),
            kernel: vec![3; axes],
            x: self.u,
            out: self.out,
            padding: vec![[1, 1]],
            boundary: (0..axes).map(boundary).collect::<Result<_, _>>()?,
            ..Default::default()
        };
        let mut weights = vec![0.0f32; 3usize.pow(axes as u32)];
        let centre = weights.len() / 2;
        for axis in 0..axes {
            let stride = 3usize.pow((axes - 1 - axis) as u32);
            weights[centre - stride] = self.axis(axis).weight() as f32;
            weights[centre + stride] = self.axis(axis).weight() as f32;
        }
        weights[centre] = -self.sum_over_axes(|axis| 2.0 * axis.weight()) as f32;
        let shape = [vec![1, 1], desc.kernel.clone()].concat();
        Ok((desc, Tensor::from_f32(Format::F32, &shape, &weights)?))
    }
}

impl Op for LaplacianDesc {
    const NAME: &'static str = "laplacian";

    fn validate(&self) -> Result<(), DescError> {
        self.grid().validate::<Self>(self.u, self.out)?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = self.grid().shape();
        vec![TensorSpec::input("u", self.u, &shape), TensorSpec::output("out", self.out, &shape)]
    }

    fn cost(&self) -> Cost {
        // Per axis two differences, their sum, a multiplication and an addition.
        Cost::of(5.0 * self.spatial.len() as f64 * self.grid().cells(), &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let u = inputs.values("u").unwrap_or_default().into_raw_vec_and_offset().0;
        let cells = self.grid().rounded(&u, 0.0, &self.weights());
        let (value, bound) =
            cells.iter().map(|cell| cell.store(self.out)).map(|y| (y.value, y.error)).unzip();
        vec![Expected::bounded("out", self.grid().shaped(value), self.grid().shaped(bound))]
    }
}

/// The Laplacian of a field `[batch, spatial..]` in f64; formats are not looked at.
///
/// # Errors
/// Those of [`LaplacianDesc`], and [`DescError::Shape`] when the field has another shape.
pub fn laplacian(u: ArrayViewD<'_, f64>, desc: &LaplacianDesc) -> Result<ArrayD<f64>, DescError> {
    desc.validate()?;
    desc.grid().check_shape::<LaplacianDesc>(u.shape())?;
    let cells: Vec<f64> = u.iter().copied().collect();
    let rounded = desc.grid().rounded(&cells, 0.0, &desc.weights());
    Ok(desc.grid().shaped(rounded.iter().map(|cell| cell.value).collect()))
}
