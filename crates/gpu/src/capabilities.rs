use std::fmt;

/// What a kernel variant needs of the adapter. `Portable` is enough for every feature of every kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Tier {
    /// WebGPU's default limits, no optional feature.
    Portable,
    /// No barriers, broadcast loads: for adapters that are CPUs.
    Software,
    /// f16 in storage buffers.
    F16,
    /// Subgroup operations.
    Subgroup,
    /// Packed 8-bit dot products.
    Dot4,
    /// Cooperative matrices.
    Cooperative,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 6] =
        [Self::Portable, Self::Software, Self::F16, Self::Subgroup, Self::Dot4, Self::Cooperative];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Software => "software",
            Self::F16 => "f16",
            Self::Subgroup => "subgroup",
            Self::Dot4 => "dot4",
            Self::Cooperative => "cooperative",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Tier {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|tier| tier.name() == name)
            .ok_or_else(|| format!("a tier is one of {}, got \"{name}\"", names()))
    }
}

/// A cooperative-matrix size that WGSL can spell: square, f16 operands, f32 result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CoopShape {
    /// Rows, columns and depth of a tile: 8 or 16.
    pub size: u32,
}

/// A variant that gave wrong results on an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrusted {
    /// The kernel.
    pub op: String,
    /// The variant's name.
    pub variant: String,
    /// What was found.
    pub finding: String,
}

/// What a device can do: all that the choice of a kernel variant depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// The adapter's name.
    pub adapter: String,
    /// The driver and its version.
    pub driver: String,
    /// The API underneath.
    pub backend: wgpu::Backend,
    /// Whether it is a GPU, or a CPU that plays one.
    pub device_type: wgpu::DeviceType,
    /// The features the device was opened with.
    pub features: wgpu::Features,
    /// The limits the device was opened with.
    pub limits: wgpu::Limits,
    /// The smallest and the largest subgroup; equal where the size is fixed.
    pub subgroup_sizes: (u32, u32),
    /// Usable cooperative-matrix sizes; empty where the feature was not enabled.
    pub coop: Vec<CoopShape>,
    /// How many iterations the loops of one invocation may run together before the driver silently ends them.
    ///
    /// `u64::MAX` but for Mesa's llvmpipe before version 26, which stops after 65,535 and goes on with wrong values
    /// (seen on 22.3; 26.1 has no such limit, versions between were not tried). A plan keeps below it or is refused.
    pub max_loop_iterations: u64,
    /// Variants that no plan may take, as an earlier check of the adapter found. Empty unless the caller fills it.
    pub distrusted: Vec<Distrusted>,
}

/// The limit of llvmpipe that [`Capabilities::max_loop_iterations`] describes.
fn max_loop_iterations(driver: &str, driver_info: &str) -> u64 {
    let mesa = driver_info.split_once("Mesa ").map(|(_, version)| version);
    let major = mesa.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if driver == "llvmpipe" && major.is_none_or(|major| major < 26) { 65_535 } else { u64::MAX }
}

impl Capabilities {
    /// What `device` can do.
    ///
    /// The sizes of cooperative matrices are known to the adapter alone: [`Capabilities::with_adapter`] adds them.
    pub fn of(device: &wgpu::Device) -> Self {
        let info = device.adapter_info();
        Self {
            max_loop_iterations: max_loop_iterations(&info.driver, &info.driver_info),
            adapter: info.name,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            backend: info.backend,
            device_type: info.device_type,
            features: device.features(),
            limits: device.limits(),
            subgroup_sizes: (info.subgroup_min_size, info.subgroup_max_size),
            coop: Vec::new(),
            distrusted: Vec::new(),
        }
    }

    /// Adds what only the adapter knows.
    pub fn with_adapter(mut self, adapter: &wgpu::Adapter) -> Self {
        if self.features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            self.coop = coop_shapes(adapter);
        }
        self
    }

    /// What speaks against a variant of a kernel here.
    pub fn distrusts(&self, op: &str, variant: &str) -> Option<&Distrusted> {
        self.distrusted.iter().find(|distrusted| distrusted.op == op && distrusted.variant == variant)
    }

    /// Whether the device has a tier.
    pub fn has(&self, tier: Tier) -> bool {
        match tier {
            Tier::Portable | Tier::Dot4 => true,
            // A CPU's subgroups are its vector lanes; the variant relies on no particular width.
            Tier::Software => self.device_type == wgpu::DeviceType::Cpu,
            Tier::F16 => self.features.contains(wgpu::Features::SHADER_F16),
            Tier::Subgroup => self.features.contains(wgpu::Features::SUBGROUP),
            Tier::Cooperative => !self.coop.is_empty() && self.has(Tier::F16),
        }
    }

    /// The tiers the device has.
    pub fn tiers(&self) -> Vec<Tier> {
        Tier::ALL.into_iter().filter(|&tier| self.has(tier)).collect()
    }

    /// An imaginary GPU with WebGPU's default limits and no optional feature: the least a kernel must run on.
    pub fn minimal() -> Self {
        Self {
            adapter: "minimal".into(),
            driver: String::new(),
            backend: wgpu::Backend::Noop,
            device_type: wgpu::DeviceType::Other,
            features: wgpu::Features::empty(),
            limits: wgpu::Limits::default(),
            subgroup_sizes: (4, 128),
            coop: Vec::new(),
            max_loop_iterations: u64::MAX,
            distrusted: Vec::new(),
        }
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tiers = self.tiers().into_iter().map(Tier::name).collect::<Vec<_>>().join(" ");
        write!(
            f,
            "{} | {} | {} | {:?} | {tiers}",
            self.adapter,
            self.backend.to_str(),
            self.driver,
            self.device_type
        )
    }
}

/// The usable rows of the adapter's table.
pub(crate) fn coop_shapes(adapter: &wgpu::Adapter) -> Vec<CoopShape> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let usable = |row: &wgpu::CooperativeMatrixProperties| {
        row.m_size == row.n_size
            && row.n_size == row.k_size
            && [8, 16].contains(&row.m_size)
            && row.ab_type == F16
            && row.cr_type == F32
    };
    let mut shapes: Vec<_> = adapter
        .cooperative_matrix_properties()
        .iter()
        .filter(|row| usable(row))
        .map(|row| CoopShape { size: row.m_size })
        .collect();
    shapes.sort_by_key(|shape| std::cmp::Reverse(shape.size));
    shapes.dedup();
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimal_device_has_only_what_every_device_has() {
        assert_eq!(Capabilities::minimal().tiers(), [Tier::Portable, Tier::Dot4]);
    }

    #[test]
    fn only_an_old_llvmpipe_counts_iterations() {
        assert_eq!(max_loop_iterations("llvmpipe", "Mesa 22.3.6 (LLVM 15.0.6)"), 65_535);
        assert_eq!(max_loop_iterations("llvmpipe", "Mesa 26.1.6-1~bpo13+1 (LLVM 19.1.7)"), u64::MAX);
        assert_eq!(max_loop_iterations("llvmpipe", "something else"), 65_535);
        assert_eq!(max_loop_iterations("NVIDIA", "575.1"), u64::MAX);
    }

    #[test]
    fn tier_names_round_trip_and_a_wrong_one_is_named() {
        for tier in Tier::ALL {
            assert_eq!(tier.name().parse::<Tier>().unwrap(), tier);
        }
        assert!("T0".parse::<Tier>().unwrap_err().contains("got \"T0\""));
    }
}
