//! One explicit Euler step of the heat equation.

use crate::stencil::{Grid, GridAxis};
use crate::{Cost, DescError, Edge, Expected, Format, LaplacianDesc, Op, TensorSpec, Tensors};
use ndarray::{ArrayD, ArrayViewD};

/// `out = u + time_step * diffusivity * laplacian(u)`, with the Laplacian of [`LaplacianDesc`]
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `u` | `[batch, spatial..]` | [`HeatDesc::u`] |
/// | `out` | `[batch, spatial..]` | [`HeatDesc::out`] |
///
/// Layout, lists, edges and JSON are those of [`LaplacianDesc`]. `u` and `out` are different buffers: a run alternates
/// between two. Diffusivity and time step belong to the descriptor, not to a buffer, because the step is only stable
/// below [`HeatDesc::stable_dt`], and that is checked before anything runs.
///
/// Arithmetic is f32, in any order; `time_step * diffusivity / spacing^2` is computed in f64 and rounded once. A
/// constant field stays the same to the bit where the edges are periodic or insulated.
///
/// Error bound of one step, per element, with `u = 2^-23` and `r = time_step * diffusivity / spacing^2`:
/// `gamma(4 axes + 4) (|u| + sum of r (|neighbour| + |u|))`, plus half a unit in the last place of `out`. Up to
/// [`HeatDesc::monotone_dt`] a step amplifies no error, so the bounds of `n` steps add up.
///
/// # Errors
/// Those of [`LaplacianDesc`]; [`DescError::Field`] for a diffusivity or a time step that is negative or not finite,
/// and for a time step above [`HeatDesc::stable_dt`].
///
/// # Example
/// ```
/// use langevin_reference::{Format, HeatDesc, Op, Tensor, Tensors};
/// let desc = HeatDesc { spatial: vec![4], time_step: 0.25, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("u", Tensor::from_f32(Format::F32, &[1, 4], &[0.0, 4.0, 0.0, 0.0])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values().as_slice(), Some(&[1.0, 2.0, 1.0, 0.0][..]));
/// let unstable = HeatDesc { time_step: 0.6, ..desc };
/// assert!(unstable.validate().unwrap_err().to_string().contains("`time_step` must be at most 0.5"));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: LeVeque, Finite Difference Methods for Ordinary and Partial Differential Equations, section 9.1.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct HeatDesc {
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
    /// How fast it spreads, in squared lengths per time; 1.
    pub diffusivity: f64,
    /// The time that one step advances.
    pub time_step: f64,
    /// How `u` is stored: F32, F16 or BF16.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub u: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
}

impl Default for HeatDesc {
    /// One periodic F32 field of unit spacing and diffusivity: give `spatial` and `time_step`.
    fn default() -> Self {
        Self {
            batch: 1,
            spatial: Vec::new(),
            spacing: Vec::new(),
            boundary: Vec::new(),
            diffusivity: 1.0,
            time_step: 0.0,
            u: Format::F32,
            out: Format::F32,
        }
    }
}

impl HeatDesc {
    /// The Laplacian that a step applies.
    pub fn laplacian(&self) -> LaplacianDesc {
        LaplacianDesc {
            batch: self.batch,
            spatial: self.spatial.clone(),
            spacing: self.spacing.clone(),
            boundary: self.boundary.clone(),
            u: self.u,
            out: self.out,
        }
    }

    /// The settings of an axis of a valid descriptor.
    pub fn axis(&self, axis: usize) -> GridAxis {
        self.grid().axis(axis)
    }

    /// The weight of a difference along an axis: `time_step * diffusivity / spacing^2`.
    pub fn ratio(&self, axis: usize) -> f64 {
        self.time_step * self.diffusivity * self.axis(axis).weight()
    }

    /// The largest time step for which no mode grows: `2 / (diffusivity * lambda_max)`, infinite without diffusion.
    ///
    /// `lambda_max` is [`LaplacianDesc::lambda_max`]. For equal spacings `h` along `d` axes it is `h^2 / (2 d)` over the
    /// diffusivity.
    pub fn stable_dt(&self) -> f64 {
        2.0 / (self.diffusivity * self.laplacian().lambda_max())
    }

    /// The largest time step for which every new value is a weighted mean of old values and those at the edges:
    /// `1 / (diffusivity * largest_diagonal)`, so that no value leaves their range.
    pub fn monotone_dt(&self) -> f64 {
        1.0 / (self.diffusivity * self.laplacian().largest_diagonal())
    }

    /// The largest error that a step adds to any cell of a field without values beyond `largest`: the bound of a step,
    /// at its worst.
    pub fn step_bound(&self, largest: f64) -> f64 {
        self.grid().worst(largest, 1.0, &self.ratios()).store(self.out).error
    }

    fn grid(&self) -> Grid<'_> {
        let Self { batch, spatial, spacing, boundary, .. } = self;
        Grid { batch: *batch, spatial, spacing, boundary }
    }

    fn ratios(&self) -> Vec<f64> {
        (0..self.spatial.len()).map(|axis| self.ratio(axis)).collect()
    }
}

impl Op for HeatDesc {
    const NAME: &'static str = "heat";

    fn validate(&self) -> Result<(), DescError> {
        self.grid().validate::<Self>(self.u, self.out)?;
        for (field, value) in [("diffusivity", self.diffusivity), ("time_step", self.time_step)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Self::field_error(field, "finite and not negative", value));
            }
        }
        // The limit itself is allowed, and a product of it might round above 2.
        if self.time_step > self.stable_dt() {
            let limit = self.stable_dt();
            let expected = format!("at most {limit}, the stability limit 2 / (diffusivity * lambda_max)");
            return Err(Self::field_error("time_step", expected, self.time_step));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = self.grid().shape();
        vec![TensorSpec::input("u", self.u, &shape), TensorSpec::output("out", self.out, &shape)]
    }

    fn cost(&self) -> Cost {
        Cost::of(5.0 * self.spatial.len() as f64 * self.grid().cells(), &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let u = inputs.values("u").unwrap_or_default().into_raw_vec_and_offset().0;
        let cells = self.grid().rounded(&u, 1.0, &self.ratios());
        let (value, bound) =
            cells.iter().map(|cell| cell.store(self.out)).map(|y| (y.value, y.error)).unzip();
        vec![Expected::bounded("out", self.grid().shaped(value), self.grid().shaped(bound))]
    }
}

/// One step of a field `[batch, spatial..]` in f64; formats are not looked at.
///
/// # Errors
/// Those of [`HeatDesc`], and [`DescError::Shape`] when the field has another shape.
pub fn heat_step(u: ArrayViewD<'_, f64>, desc: &HeatDesc) -> Result<ArrayD<f64>, DescError> {
    desc.validate()?;
    desc.grid().check_shape::<HeatDesc>(u.shape())?;
    let cells: Vec<f64> = u.iter().copied().collect();
    let rounded = desc.grid().rounded(&cells, 1.0, &desc.ratios());
    Ok(desc.grid().shaped(rounded.iter().map(|cell| cell.value).collect()))
}
