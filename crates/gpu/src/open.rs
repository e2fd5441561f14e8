use crate::capabilities::coop_shapes;
use crate::traffic::Counters;
use crate::trusted;
use crate::{Capabilities, Distrusted, GpuError, Traffic};
use std::sync::{Arc, OnceLock};

/// Which adapter to open, and with what.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Takes the first adapter whose name contains this, case ignored; otherwise the most capable one.
    pub adapter: Option<String>,
    /// Opens with WebGPU's default limits and no optional feature, whatever the adapter has.
    pub minimal: bool,
    /// Enables cooperative matrices, an experimental feature of wgpu, where the adapter has them.
    pub cooperative: bool,
}

/// A device and its queue, for programs that have none of their own.
#[derive(Clone, Debug)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    capabilities: Capabilities,
    lost: Arc<OnceLock<String>>,
    counters: Arc<Counters>,
}

/// Every adapter of every backend, the most capable first.
pub fn adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

impl Gpu {
    /// Opens an adapter with every feature that a kernel variant can use.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] and [`GpuError::Open`].
    pub fn open(options: &OpenOptions) -> Result<Self, GpuError> {
        let wanted = options.adapter.as_deref().unwrap_or_default().to_lowercase();
        let name = |adapter: &wgpu::Adapter| adapter.get_info().name;
        let adapters = adapters();
        match adapters.iter().find(|adapter| name(adapter).to_lowercase().contains(&wanted)) {
            Some(adapter) => Self::open_adapter(adapter, options),
            None => {
                let found = adapters.iter().map(name).collect();
                Err(GpuError::NoAdapter { wanted: options.adapter.clone(), found })
            }
        }
    }

    /// Opens this adapter; `options.adapter` is not looked at.
    ///
    /// # Errors
    /// [`GpuError::Open`].
    pub fn open_adapter(adapter: &wgpu::Adapter, options: &OpenOptions) -> Result<Self, GpuError> {
        let mut useful = wgpu::Features::SHADER_F16
            | wgpu::Features::SHADER_INT64
            | wgpu::Features::SUBGROUP
            | wgpu::Features::TIMESTAMP_QUERY;
        let cooperative = options.cooperative && !options.minimal && !coop_shapes(adapter).is_empty();
        if cooperative {
            useful |= wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        }
        let limits = wgpu::Limits::default();
        let (required_features, required_limits) = if options.minimal {
            (wgpu::Features::empty(), limits)
        } else {
            (useful & adapter.features(), limits.or_better_values_from(&adapter.limits()))
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("langevin"),
            required_features,
            required_limits,
            experimental_features: trusted::experimental(cooperative),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| {
            GpuError::Open { adapter: adapter.get_info().name, message: error.to_string() }
        })?;
        let gpu = Self::from_device(device, queue);
        gpu.watch_for_loss();
        Ok(Self { capabilities: gpu.capabilities.clone().with_adapter(adapter), ..gpu })
    }

    /// Wraps the caller's own device. Its handlers for errors and loss stay the caller's.
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let capabilities = Capabilities::of(&device);
        Self { device, queue, capabilities, lost: Arc::new(OnceLock::new()), counters: Arc::default() }
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// What the device can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Keeps plans that are made for these capabilities from variants that failed a check.
    pub fn distrust(&mut self, distrusted: Vec<Distrusted>) {
        self.capabilities.distrusted = distrusted;
    }

    /// Why the device was lost; `None` while it lives.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// What this handle and its clones have asked of the device so far.
    pub fn traffic(&self) -> Traffic {
        self.counters.traffic()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// An error once the device is lost: loss does not reach error scopes, so every wait asks.
    pub(crate) fn check_alive(&self) -> Result<(), GpuError> {
        match self.lost() {
            Some(reason) => Err(GpuError::DeviceLost { reason: reason.to_owned() }),
            None => Ok(()),
        }
    }

    fn watch_for_loss(&self) {
        let lost = Arc::clone(&self.lost);
        self.device.set_device_lost_callback(move |reason, message| {
            // Only the first reason counts.
            let _ = lost.set(format!("{reason:?}: {message}"));
        });
    }
}
