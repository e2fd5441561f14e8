//! The discrete Laplacian on a cell-centred grid.

use crate::stencil::{FaceMean, Fields, Grid, GridAxis, Operator, Point, Stencil};
use crate::{
    Boundary, ConvDesc, Cost, DescError, Edge, Expected, Format, Op, Role, Rounded, Tensor, TensorSpec,
    Tensors,
};
use ndarray::{ArrayD, ArrayViewD};

/// `out = diffusivity sum over the cells around of weight (neighbour - u)`
///
/// | [`Stencil`] | points | weights |
/// |---|---|---|
/// | `Second` | 3, 5, 7 | `1 / spacing^2` for the nearest cells along each axis |
/// | `Fourth` | 5, 9, 13 | `16 / 12` and `-1 / 12` of that for the two nearest |
/// | `Isotropic` | 3, 9, 27 | all cells around; see [`Stencil::Isotropic`] |
///
/// It is a sum of differences, so a constant field gives exactly 0 where the edges are periodic or insulated.
///
/// With a [`LaplacianDesc::medium`] every cell has a share of the diffusivity, and what flows between two cells goes by
/// the [`FaceMean`] of their shares: `div(D grad u)` in flux form, so that nothing is lost. An edge has its cell's share.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `u` | `[batch, spatial..]` | [`LaplacianDesc::u`] |
/// | `medium` | `[batch, spatial..]` | [`LaplacianDesc::medium`] |
/// | `out` | `[batch, spatial..]` | [`LaplacianDesc::out`] |
///
/// All are row-major with every row starting on a 4-byte word. `spatial` has one entry per axis, 1 to 3 of them. The
/// lists `spacing` and `boundary` have one entry per axis, or one for every axis, or none for the default. JSON also
/// takes one value in place of a list, and one [`Edge`] for both ends of an axis: `"boundary": "periodic"`,
/// `["periodic", {"dirichlet": 1.0}]`, `[["neumann", {"fixed": 2.0}]]`. Outside of two edges at once, rows are continued
/// along the last axis first, so that the first axis' edge has the last word.
///
/// Arithmetic is f32, in any order; weights, and what an edge adds, are computed in f64 and rounded once.
/// Infinity and NaN reach only their cell and those around it. An F16 or BF16 output overflows to infinity.
///
/// Error bound, per element, with `u = 2^-23`: `gamma(points + 2 axes + 6)` of the sum of
/// `|weight| (|neighbour| + |u|)`, with a medium `gamma(points + 2 axes + 12)`, plus half a unit in the last place of
/// `out`. The order of a stencil is that of smooth fields; beside [`Edge::Dirichlet`] and [`Edge::Neumann`] it is that of
/// fields which the mirror images continue smoothly, as what heat leaves behind does. A grid of one cell along an axis is
/// defined, also for longer stencils: the cell is its own periodic neighbour, mirror images are mirrored again.
///
/// # Errors
/// [`DescError::Field`] for other than 1 to 3 axes, a list of another length, a spacing that is not positive or whose
/// inverse square is not an f32, an axis that is periodic at one end only, a value at an edge that is not finite, a
/// diffusivity that is not, an 8-bit format, a medium with another stencil than `Second`; [`DescError::Value`] for a share
/// that is negative or not finite; [`DescError::TooLarge`] where indices would leave u32.
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
/// Sources: LeVeque, Finite Difference Methods for Ordinary and Partial Differential Equations, sections 2.12 to 2.16, 3.2
/// and 3.5; O'Reilly and Beck, A family of large-stencil discrete Laplacian approximations in three dimensions, 2006.
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
    /// Which cells a Laplacian is made of.
    pub stencil: Stencil,
    /// The factor of the whole: 1, or how fast something spreads.
    pub diffusivity: f64,
    /// How `medium` is stored, the share that each cell has of the diffusivity: F32, F16 or BF16; none where all have 1.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub medium: Option<Format>,
    /// The share of a face.
    pub face_mean: FaceMean,
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
            stencil: Stencil::Second,
            diffusivity: 1.0,
            medium: None,
            face_mean: FaceMean::Arithmetic,
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

    /// The cells around a cell and the weights of their differences, the diffusivity included; the last axis runs fastest.
    pub fn points(&self) -> Vec<Point> {
        let mut points = self.grid().points();
        points.iter_mut().for_each(|point| point.weight *= self.diffusivity);
        points
    }

    /// An upper bound of the largest eigenvalue of the negated operator, as long as no cell has a share above 1: for
    /// `Second` at most `diffusivity sum of 4 / spacing^2`.
    ///
    /// It comes from the largest row sums of the matrices along the axes (Gershgorin), so it holds for every edge; periodic
    /// grids of even extent and grids with [`Edge::Dirichlet`] reach it.
    pub fn lambda_max(&self) -> f64 {
        self.diffusivity.abs() * self.grid().lambda_max()
    }

    /// The largest weight with which a cell enters its own negated Laplacian: for `Second`
    /// `diffusivity sum of 2 / spacing^2` in the interior, more beside [`Edge::Dirichlet`].
    pub fn largest_diagonal(&self) -> f64 {
        self.extremes()[0]
    }

    /// Whether no other cell enters with a negative weight: then its steps keep a maximum principle. So it is for `Second`;
    /// not for `Fourth`, and for `Isotropic` where the spacings differ much.
    pub fn has_positive_weights(&self) -> bool {
        self.extremes()[1] >= 0.0
    }

    /// The largest diagonal entry of the negated matrix, and the smallest weight of another cell; an axis without cells counts
    /// as one of a single cell, so that limits are finite where the other axes set them. Cells between those near the ends are
    /// alike: nine are as good as any more.
    fn extremes(&self) -> [f64; 2] {
        let spatial: Vec<usize> = self.spatial.iter().map(|&extent| extent.clamp(1, 9)).collect();
        let grid = Grid { spatial: &spatial, ..self.grid() };
        Operator::new(grid, self.diffusivity, 0.0, 0.0, self.face_mean).extremes()
    }

    pub(crate) fn grid(&self) -> Grid<'_> {
        let Self { batch, spatial, spacing, boundary, stencil, .. } = self;
        Grid { batch: *batch, spatial, spacing, boundary, stencil: *stencil }
    }

    pub(crate) fn operator(&self, keep: f64, rate: f64) -> Operator {
        Operator::new(self.grid(), self.diffusivity, keep, rate, self.face_mean)
    }

    /// The convolution that computes the same, and its weights: `x` is `u` as `[batch, 1, spatial..]`.
    ///
    /// The weights are F32, so the convolution's own bound comes on top of this descriptor's.
    ///
    /// # Errors
    /// [`DescError::Field`] for a medium, and for edges that no padding stands for: others than [`Edge::Periodic`],
    /// [`Edge::Fixed`] of one value at both ends, which the format of `u` must hold, and [`Edge::Neumann`] of 0.
    pub fn as_conv(&self) -> Result<(ConvDesc, Tensor), DescError> {
        self.validate()?;
        if let Some(format) = self.medium {
            return Err(Self::field_error("medium", "absent for a convolution", format));
        }
        let (axes, reach) = (self.spatial.len(), self.stencil.reach());
        let boundary = |axis: usize| match self.axis(axis).edges {
            [Edge::Periodic, Edge::Periodic] => Ok(Boundary::Circular),
            [Edge::Fixed(0.0), Edge::Fixed(0.0)] => Ok(Boundary::Zero),
            [Edge::Fixed(before), Edge::Fixed(after)]
                if before == after && before == f64::from(before as f32) =>
            {
                Ok(Boundary::Constant(before as f32))
            }
            [Edge::Neumann(0.0), Edge::Neumann(0.0)] => Ok(Boundary::Symmetric),
            [before, after] => {
                let expected = "periodic, fixed at one f32 or insulated at both ends for a convolution";
                Err(Self::field_error("boundary", expected, format!("{before:?} and {after:?}")))
            }
        };
        let side = 2 * reach + 1;
        let desc = ConvDesc {
            batch: self.batch,
            spatial: self.spatial.clone(),
            kernel: vec![side; axes],
            x: self.u,
            out: self.out,
            padding: vec![[reach, reach]],
            boundary: (0..axes).map(boundary).collect::<Result<_, _>>()?,
            ..Default::default()
        };
        let mut weights = vec![0.0f32; side.pow(axes as u32)];
        let centre = weights.len() / 2;
        let points = self.points();
        weights[centre] = -points.iter().map(|point| point.weight).sum::<f64>() as f32;
        for Point { steps, weight } in points {
            let step = steps.iter().fold(0, |index, step| index * side as i64 + step);
            weights[(centre as i64 + step) as usize] = weight as f32;
        }
        let shape = [vec![1, 1], desc.kernel.clone()].concat();
        Ok((desc, Tensor::from_f32(Format::F32, &shape, &weights)?))
    }
}

impl Op for LaplacianDesc {
    const NAME: &'static str = "laplacian";

    fn validate(&self) -> Result<(), DescError> {
        let formats = [("u", self.u), ("out", self.out), ("medium", self.medium.unwrap_or(Format::F32))];
        self.grid().validate::<Self>(&formats)?;
        self.grid().check_medium::<Self>(self.medium)?;
        check_diffusivity::<Self>(self.diffusivity, &self.points())?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = self.grid().shape();
        let medium = self.medium.map(|format| TensorSpec::input("medium", format, &shape));
        let u = TensorSpec::input("u", self.u, &shape);
        [u].into_iter().chain(medium).chain([TensorSpec::output("out", self.out, &shape)]).collect()
    }

    fn cost(&self) -> Cost {
        // A difference, a multiplication and an addition for each cell around.
        let points = self.grid().points().len();
        Cost::of(3.0 * points as f64 * self.grid().cells(), &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let cells = |name| inputs.values(name).map(|values| values.into_raw_vec_and_offset().0);
        let u = exact(&cells("u").unwrap_or_default());
        let medium = cells("medium");
        let fields = Fields { u: &u, medium: medium.as_deref(), source: None };
        let stored: Vec<Rounded> =
            self.operator(0.0, 0.0).apply(fields).iter().map(|cell| cell.store(self.out)).collect();
        let [value, bound] = self.grid().split(&stored);
        vec![Expected::bounded("out", value, bound)]
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        let share = |value: f64| value >= 0.0 && value.is_finite();
        inputs.check_values_of(Self::NAME, "medium", "shares that are finite and not negative", share)
    }
}

/// Cells that carry no error.
pub(crate) fn exact(cells: &[f64]) -> Vec<Rounded> {
    cells.iter().map(|&cell| Rounded::exact(cell)).collect()
}

/// Checks that a diffusivity makes weights that are f32.
fn check_diffusivity<O: Op>(diffusivity: f64, points: &[Point]) -> Result<(), DescError> {
    if diffusivity.is_finite() && points.iter().all(|point| (point.weight as f32).is_finite()) {
        return Ok(());
    }
    Err(O::field_error("diffusivity", "finite, also over the squared spacing as f32", diffusivity))
}

/// Checks that a descriptor reads no other tensor than `u`.
pub(crate) fn only_input_is_u<O: Op>(op: &O) -> Result<(), DescError> {
    let other = op.tensors().into_iter().find(|spec| spec.role == Role::Input && spec.name != "u");
    other.map_or(Ok(()), |TensorSpec { name, shape, dtype, .. }| {
        Err(DescError::Missing { op: O::NAME, tensor: name.into(), dtype, shape })
    })
}

/// The Laplacian of a field `[batch, spatial..]` in f64, of a descriptor without a medium; formats are not looked at.
///
/// # Errors
/// Those of [`LaplacianDesc`], [`DescError::Missing`] for a medium, and [`DescError::Shape`] when the field has another
/// shape.
pub fn laplacian(u: ArrayViewD<'_, f64>, desc: &LaplacianDesc) -> Result<ArrayD<f64>, DescError> {
    desc.validate()?;
    only_input_is_u(desc)?;
    desc.grid().check_shape::<LaplacianDesc>(u.shape())?;
    let cells: Vec<Rounded> = u.iter().map(|&value| Rounded::exact(value)).collect();
    let [value, _] =
        desc.grid().split(&desc.operator(0.0, 0.0).apply(Fields { u: &cells, ..Default::default() }));
    Ok(value)
}
