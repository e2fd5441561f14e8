//! The guide, as pages of this documentation.
//!
//! The same chapters are a book in the repository, `docs/guide`, with one more that has the pictures.

/// A chapter; links to other chapters become links to their modules, as the first definition of a link is the one that counts.
macro_rules! chapters {
    ($($name:ident: $file:literal;)*) => {
        $(
            #[doc = "\n[five]: crate::guide::five_minutes"]
            #[doc = "[device]: crate::guide::own_device"]
            #[doc = "[formats]: crate::guide::formats_and_tiers"]
            #[doc = "[numerics]: crate::guide::numerics"]
            #[doc = "[kernel]: crate::guide::own_kernel"]
            #[doc = "[pytorch]: crate::guide::pytorch"]
            #[doc = "[diffusion]: crate::guide::diffusion"]
            #[doc = "[measuring]: crate::guide::measuring"]
            #[doc = "[trouble]: crate::guide::troubleshooting"]
            #[doc = "[records]: https://github.com/langevin-rs/langevin/tree/main/benches/records\n"]
            #[doc = include_str!(concat!("../docs/guide/", $file))]
            pub mod $name {}
        )*
    };
}

chapters! {
    introduction: "introduction.md";
    five_minutes: "five-minutes.md";
    own_device: "own-device.md";
    formats_and_tiers: "formats-and-tiers.md";
    numerics: "numerics.md";
    own_kernel: "own-kernel.md";
    pytorch: "pytorch.md";
    diffusion: "diffusion.md";
    measuring: "measuring.md";
    troubleshooting: "troubleshooting.md";
}
