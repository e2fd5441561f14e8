use crate::recipe::Recipe;
use langevin_gpu::{Capabilities, Tier};
use langevin_reference::Op;

/// One shader for one kind of adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name, the suffix of its shader's file.
    pub name: &'static str,
    /// What it needs of the device.
    pub tier: Tier,
    /// Why it stands where it does in the order of preference, with the measurement where there is one.
    pub reason: &'static str,
}

/// Buffers by tensor name.
pub trait Buffers<'a> {
    /// The bindings given, `None` for those left out; `scratch` is among them where a kernel may need it.
    fn named(self) -> Vec<(&'static str, Option<wgpu::BufferBinding<'a>>)>;
}

/// A descriptor that has shaders. Implemented by every `*Desc` of this crate and by nothing else.
pub trait Kernel: Op + sealed::Sealed {
    /// Where the tensors are.
    type Buffers<'a>: Buffers<'a>;

    /// The variants that can run this descriptor on such a device, the preferred one first. A pure function.
    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant>;

    /// The shaders and dispatches of one of those variants. A pure function.
    #[doc(hidden)]
    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe;
}

pub(crate) mod sealed {
    /// Keeps [`super::Kernel`] ours, so that it can grow.
    pub trait Sealed {}
}

/// Declares a `*Buffers` struct: required tensors, then optional ones, each with its documentation.
macro_rules! buffers {
    (
        $(#[$meta:meta])* $name:ident {
            required: $($(#[$required_meta:meta])* $required:ident),* ;
            optional: $($(#[$optional_meta:meta])* $optional:ident),* $(;)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name<'a> {
            $($(#[$required_meta])* pub $required: ::wgpu::BufferBinding<'a>,)*
            $($(#[$optional_meta])* pub $optional: Option<::wgpu::BufferBinding<'a>>,)*
        }

        impl<'a> $name<'a> {
            /// The required tensors alone; set the optional fields that the descriptor uses.
            pub fn new($($required: ::wgpu::BufferBinding<'a>),*) -> Self {
                Self { $($required,)* $($optional: None,)* }
            }
        }

        impl<'a> $crate::kernel::Buffers<'a> for $name<'a> {
            fn named(self) -> Vec<(&'static str, Option<::wgpu::BufferBinding<'a>>)> {
                vec![
                    $((stringify!($required), Some(self.$required)),)*
                    $((stringify!($optional), self.$optional),)*
                ]
            }
        }
    };
}
pub(crate) use buffers;
