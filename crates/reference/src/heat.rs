//! Explicit Euler steps of the heat equation.

use crate::laplacian::{exact, only_input_is_u};
use crate::stencil::{
    FaceMean, Fields, Grid, GridAxis, MAX_STAGES, Operator, Scheme, Stencil, SuperStep, rkl2_stages,
};
use crate::{Cost, DescError, Edge, Expected, Format, LaplacianDesc, Op, Rounded, TensorSpec, Tensors};
use ndarray::{ArrayD, ArrayViewD};

/// The most steps that one call takes.
pub const MAX_STEPS_PER_DISPATCH: usize = 8;

/// `out = u + time_step (diffusivity laplacian(u) + source)`, several times over: with the Laplacian of [`LaplacianDesc`]
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `u` | `[batch, spatial..]` | [`HeatDesc::u`] |
/// | `medium` | `[batch, spatial..]` | [`HeatDesc::medium`] |
/// | `source` | `[batch, spatial..]` | [`HeatDesc::source`] |
/// | `out` | `[batch, spatial..]` | [`HeatDesc::out`] |
///
/// Layout, lists, edges, stencils, media and JSON are those of [`LaplacianDesc`]; channels count as batch. `u` and `out`
/// are different buffers: a run alternates between two. Diffusivity and time step belong to the descriptor, not to a
/// buffer, because the step is only stable below [`HeatDesc::stable_dt`], and that is checked before anything runs. For
/// the same reason the shares of a medium lie between 0 and 1; a GPU that is given others does not notice.
///
/// [`HeatDesc::steps_per_dispatch`] steps are one call: they read and write the field once, where a variant keeps the steps
/// between on the chip. Every step is rounded to the storage format, so that the result is that of as many calls with one
/// step each: to the bit where the driver neither contracts nor reorders, as Mesa's software driver does not, and within
/// the bound everywhere. F32 keeps every digit of the arithmetic; in F16 and BF16 a field stops changing where steps
/// become smaller than half a unit in the last place.
///
/// Arithmetic is f32, in any order; `time_step * diffusivity / spacing^2` and the like are computed in f64 and rounded
/// once. A constant field stays the same to the bit where the edges are periodic or insulated and nothing is added.
///
/// Error bound of one step, per element, with `u = 2^-23` and the weights of the Laplacian times `time_step`:
/// `gamma(points + 2 axes + 6)` of `|u| + sum of |weight| (|neighbour| + |u|) + time_step |source|`, with a medium
/// `gamma(points + 2 axes + 12)`, plus half a unit in the last place of `out`. Up to [`HeatDesc::monotone_dt`] a step
/// amplifies no error, so the bounds of `n` steps add up.
///
/// # Errors
/// Those of [`LaplacianDesc`]; [`DescError::Field`] for a diffusivity or a time step that is negative or not finite, for a
/// time step above [`HeatDesc::stable_dt`] or beyond f32, for no step or more than [`MAX_STEPS_PER_DISPATCH`] to a dispatch, and for
/// several where `u` and `out` are stored differently; [`DescError::Value`] for a share above 1.
///
/// # Example
/// ```
/// use langevin_reference::{Format, HeatDesc, Op, Tensor, Tensors};
/// let desc = HeatDesc { spatial: vec![4], time_step: 0.25, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("u", Tensor::from_f32(Format::F32, &[1, 4], &[0.0, 4.0, 0.0, 0.0])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values().as_slice(), Some(&[1.0, 2.0, 1.0, 0.0][..]));
/// let twice = HeatDesc { steps_per_dispatch: 2, ..desc.clone() };
/// assert_eq!(twice.evaluate(&inputs)?[0].values().as_slice(), Some(&[1.0, 1.5, 1.0, 0.5][..]));
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
    /// Which cells a Laplacian is made of.
    pub stencil: Stencil,
    /// How fast it spreads, in squared lengths per time; 1.
    pub diffusivity: f64,
    /// How `medium` is stored, the share that each cell has of the diffusivity: F32, F16 or BF16; none where all have 1.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub medium: Option<Format>,
    /// The share of a face.
    pub face_mean: FaceMean,
    /// How `source` is stored, what every cell gains in a unit of time: F32, F16 or BF16; none where nothing is added.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub source: Option<Format>,
    /// The time that one step advances.
    pub time_step: f64,
    /// How it does.
    pub scheme: Scheme,
    /// The steps of one call, 1 to [`MAX_STEPS_PER_DISPATCH`].
    pub steps_per_dispatch: usize,
    /// How `u` is stored: F32, F16 or BF16.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub u: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
}

impl Default for HeatDesc {
    /// One periodic F32 field of unit spacing and diffusivity, one step: give `spatial` and `time_step`.
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
            source: None,
            time_step: 0.0,
            scheme: Scheme::Euler,
            steps_per_dispatch: 1,
            u: Format::F32,
            out: Format::F32,
        }
    }
}

impl HeatDesc {
    /// The Laplacian that a step applies, times the diffusivity.
    pub fn laplacian(&self) -> LaplacianDesc {
        LaplacianDesc {
            batch: self.batch,
            spatial: self.spatial.clone(),
            spacing: self.spacing.clone(),
            boundary: self.boundary.clone(),
            stencil: self.stencil,
            diffusivity: self.diffusivity,
            medium: self.medium,
            face_mean: self.face_mean,
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

    /// The largest time step for which no mode grows: `2 / lambda_max`, infinite without diffusion, and
    /// [`Scheme::reach`] times as much.
    ///
    /// `lambda_max` is [`LaplacianDesc::lambda_max`], which holds the diffusivity. For equal spacings `h` along `d` axes,
    /// [`Stencil::Second`] allows `h^2 / (2 d)` over the diffusivity, `Fourth` three quarters of that, and `Isotropic`
    /// `3 h^2 / 8` in two dimensions and `15 h^2 / 46` in three.
    pub fn stable_dt(&self) -> f64 {
        self.scheme.reach() * 2.0 / self.laplacian().lambda_max()
    }

    /// The largest time step for which every new value is a weighted mean of old values and those at the edges, so that no
    /// value leaves their range: `1 / largest_diagonal`. 0 for [`Stencil::Fourth`] and [`Scheme::Rkl2`], whose steps are no
    /// means.
    pub fn monotone_dt(&self) -> f64 {
        let laplacian = self.laplacian();
        let is_mean = self.scheme == Scheme::Euler && laplacian.has_positive_weights();
        if is_mean { 1.0 / laplacian.largest_diagonal() } else { 0.0 }
    }

    /// The largest error that one step adds to any cell of a field without values beyond `largest`, to which nothing is
    /// added: the bound of a step, at its worst. Infinite for [`Scheme::Rkl2`], whose bound needs the field.
    pub fn step_bound(&self, largest: f64) -> f64 {
        if self.scheme != Scheme::Euler {
            return f64::INFINITY;
        }
        self.operator().worst(largest, self.medium.is_some(), 0.0).store(self.out).error
    }

    fn grid(&self) -> Grid<'_> {
        let Self { batch, spatial, spacing, boundary, stencil, .. } = self;
        Grid { batch: *batch, spatial, spacing, boundary, stencil: *stencil }
    }

    /// `keep u` and what a step changes.
    fn operator_keeping(&self, keep: f64) -> Operator {
        Operator::new(self.grid(), self.diffusivity * self.time_step, keep, self.time_step, self.face_mean)
    }

    /// One step of Euler's.
    fn operator(&self) -> Operator {
        self.operator_keeping(1.0)
    }

    /// All steps of a call, and what a step becomes where it is stored.
    fn advance(
        &self,
        u: Vec<Rounded>,
        medium: Option<&[f64]>,
        source: Option<&[f64]>,
        store: impl Fn(Rounded) -> Rounded,
    ) -> Vec<Rounded> {
        let step = |u: &[Rounded]| {
            let fields = Fields { u, medium, source };
            match self.scheme {
                Scheme::Euler => self.operator().apply(fields),
                Scheme::Rkl2 { stages } => SuperStep {
                    change: &self.operator_keeping(0.0),
                    stages: &rkl2_stages(stages),
                    lambda: self.time_step * self.laplacian().lambda_max(),
                    cells: self.spatial.iter().product(),
                }
                .apply(fields),
            }
        };
        let steps = 0..self.steps_per_dispatch;
        steps.fold(u, |u, _| step(&u).into_iter().map(&store).collect())
    }

    fn check_scheme(&self) -> Result<(), DescError> {
        let Scheme::Rkl2 { stages } = self.scheme else { return Ok(()) };
        if !(2..=MAX_STAGES).contains(&stages) {
            return Err(Self::field_error("scheme", format!("of 2 to {MAX_STAGES} stages"), stages));
        }
        if self.steps_per_dispatch != 1 {
            let expected = "1 where a step has stages";
            return Err(Self::field_error("steps_per_dispatch", expected, self.steps_per_dispatch));
        }
        Ok(())
    }

    fn check_steps(&self) -> Result<(), DescError> {
        let steps = self.steps_per_dispatch;
        if !(1..=MAX_STEPS_PER_DISPATCH).contains(&steps) {
            let expected = format!("1 to {MAX_STEPS_PER_DISPATCH}");
            return Err(Self::field_error("steps_per_dispatch", expected, steps));
        }
        if steps > 1 && self.u != self.out {
            let expected =
                format!("1 where `u` is {} and `out` {}: a step continues the one before", self.u, self.out);
            return Err(Self::field_error("steps_per_dispatch", expected, steps));
        }
        Ok(())
    }
}

impl Op for HeatDesc {
    const NAME: &'static str = "heat";

    fn validate(&self) -> Result<(), DescError> {
        let other = |format: Option<Format>| format.unwrap_or(Format::F32);
        let formats = [
            ("u", self.u),
            ("out", self.out),
            ("medium", other(self.medium)),
            ("source", other(self.source)),
        ];
        self.grid().validate::<Self>(&formats)?;
        self.grid().check_medium::<Self>(self.medium)?;
        for (field, value) in [("diffusivity", self.diffusivity), ("time_step", self.time_step)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Self::field_error(field, "finite and not negative", value));
            }
        }
        if self.time_step > f64::from(f32::MAX) {
            return Err(Self::field_error("time_step", "at most the largest number of f32", self.time_step));
        }
        self.check_scheme()?;
        // The limit itself is allowed, however it was rounded.
        if self.time_step > self.stable_dt() * (1.0 + 4.0 * f64::EPSILON) {
            let limit = self.stable_dt();
            let formula = match self.scheme {
                Scheme::Euler => "2 / (diffusivity * lambda_max)".to_owned(),
                Scheme::Rkl2 { stages } => {
                    format!("(stages^2 + stages - 2) / (2 diffusivity * lambda_max) of {stages} stages")
                }
            };
            let expected = format!("at most {limit}, the stability limit {formula}");
            return Err(Self::field_error("time_step", expected, self.time_step));
        }
        self.check_steps()?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = self.grid().shape();
        let input =
            |name, format: Option<Format>| format.map(|format| TensorSpec::input(name, format, &shape));
        let inputs = [input("u", Some(self.u)), input("medium", self.medium), input("source", self.source)];
        let out = TensorSpec::output("out", self.out, &shape);
        inputs.into_iter().flatten().chain([out]).collect()
    }

    fn cost(&self) -> Cost {
        let points = self.grid().points().len() as f64;
        let each = match self.scheme {
            Scheme::Euler => (3.0 * points + 1.0) * self.steps_per_dispatch as f64,
            Scheme::Rkl2 { stages } => (3.0 * points + 9.0) * stages as f64,
        };
        let flops = each * self.grid().cells();
        Cost::of(flops, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let cells = |name| inputs.values(name).map(|values| values.into_raw_vec_and_offset().0);
        let (medium, source) = (cells("medium"), cells("source"));
        let u = exact(&cells("u").unwrap_or_default());
        let u = self.advance(u, medium.as_deref(), source.as_deref(), |cell| cell.store(self.out));
        let [value, bound] = self.grid().split(&u);
        vec![Expected::bounded("out", value, bound)]
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        inputs.check_values_of(Self::NAME, "medium", "shares from 0 to 1", share)
    }
}

/// One call, [`HeatDesc::steps_per_dispatch`] steps, of a field `[batch, spatial..]` in f64, of a descriptor without a
/// medium and without a source; formats are not looked at.
///
/// # Errors
/// Those of [`HeatDesc`], [`DescError::Missing`] for a medium or a source, and [`DescError::Shape`] when the field has
/// another shape.
pub fn heat_step(u: ArrayViewD<'_, f64>, desc: &HeatDesc) -> Result<ArrayD<f64>, DescError> {
    desc.validate()?;
    only_input_is_u(desc)?;
    desc.grid().check_shape::<HeatDesc>(u.shape())?;
    let cells = u.iter().map(|&value| Rounded::exact(value)).collect();
    let cells = desc.advance(cells, None, None, |cell| cell);
    Ok(desc.grid().split(&cells)[0].clone())
}
