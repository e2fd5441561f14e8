//! Shaders without a GPU: every variant is parsed, validated and written to SPIR-V, MSL and HLSL by naga, its bindings
//! are compared with the host's list, and every file is valid by itself.

use langevin::formats::e8m0::ScaleRounding;
use langevin::gpu::CoopShape;
use langevin::{
    Activation, ActivationDesc, ActivationQuantizeDesc, Align, AttentionDesc, Boundary, Capabilities,
    CastDesc, ChangeDesc, Columns, CombineDesc, ConvDesc, ConvLayout, DequantizeDesc, Edge, FaceMean,
    FakeQuantizeDesc, Format, GatedResidualDesc, Granularity, Heads, HeatDesc, HistogramDesc, Kernel,
    LaplacianDesc, MatmulDesc, MergeDesc, Modulation, NormDesc, NormKind, NormQuantizeDesc, Operand,
    Overflow, Pair, Pairing, PatchifyDesc, Positions, QuantizeDesc, RotaryDesc, Rounding, ScaleSource,
    Scheme, StageSource, Stencil, UnpatchifyDesc, View, Window, sources,
};
use naga::{AddressSpace, StorageAccess};
use std::path::{Path, PathBuf};

/// A software adapter has every variant that no optional feature gates, another the features of Mesa's lavapipe; the others have the
/// rest, with cooperative matrices of both sizes and subgroups of 8 and 32.
fn capabilities() -> [Capabilities; 6] {
    let minimal = Capabilities::minimal();
    let software = Capabilities { device_type: wgpu::DeviceType::Cpu, ..minimal.clone() };
    let with = |size, subgroup, kib: u32| {
        let mut limits = minimal.limits.clone();
        limits.max_compute_workgroup_storage_size = kib << 10;
        Capabilities {
            features: wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP,
            subgroup_sizes: (subgroup, subgroup),
            coop: vec![CoopShape { size }],
            limits,
            ..minimal.clone()
        }
    };
    let mut lavapipe = Capabilities { device_type: wgpu::DeviceType::Cpu, coop: vec![], ..with(8, 8, 16) };
    lavapipe.features |= wgpu::Features::SHADER_INT64;
    [minimal.clone(), software, lavapipe, with(16, 32, 48), with(8, 8, 16), with(8, 32, 32)]
}

/// Checks every variant of a descriptor.
fn check<D: Kernel>(desc: &D) {
    for capabilities in capabilities() {
        for variant in desc.variants(&capabilities) {
            let sources = sources(desc, &capabilities, &variant.into()).unwrap();
            assert!(!sources.is_empty(), "{desc:?} dispatches nothing");
            for source in sources {
                check_source(&format!("{} of {desc:?}", variant.name), &source, &capabilities);
            }
        }
    }
}

fn check_source(what: &str, source: &StageSource, capabilities: &Capabilities) {
    let module = write_everywhere(what, &source.wgsl);
    keep(&source.wgsl);
    let mut storage: Vec<_> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| match variable.space {
            AddressSpace::Storage { access } => {
                Some((variable.binding.unwrap().binding, variable.name.clone().unwrap(), access))
            }
            _ => None,
        })
        .collect();
    storage.sort_by_key(|(binding, ..)| *binding);
    let names: Vec<_> = storage.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!((names.len(), source.ranges.len()), (source.bindings.len(), source.bindings.len()), "{what}");
    for (name, tensor) in names.iter().zip(&source.bindings) {
        // One of several steps reads and writes what stands in for the field, a seam has both ends of a tensor.
        let is_end = name.strip_prefix(tensor).is_some_and(|end| ["_low", "_high"].contains(&end));
        let is_field = ["u", "out", "u_low", "u_high", "start", "first", "before"].contains(name);
        let is_step = is_field && ["scratch", "out", "u"].contains(tensor);
        // A convolution as a product reads both factors from where its first dispatches laid them.
        let is_laid = ["packed", "a", "b"].contains(name) && *tensor == "scratch";
        assert!(name == tensor || is_step || is_end || is_laid, "{what}: {name} is {tensor}");
    }
    assert!(
        storage.iter().enumerate().all(|(i, (binding, ..))| *binding as usize == i + 1),
        "{what}: numbering"
    );
    assert!(
        storage.iter().any(|(.., access)| access.contains(StorageAccess::STORE)),
        "{what} writes nothing"
    );
    let entry = &module.entry_points[0];
    assert_eq!(entry.workgroup_size.iter().product::<u32>(), source.invocations, "{what}");
    assert!(
        source.invocations <= capabilities.limits.max_compute_invocations_per_workgroup,
        "{what}: too many invocations"
    );
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let bytes = |space| {
        let of_space = |v: &&naga::GlobalVariable| v.space == space;
        module
            .global_variables
            .iter()
            .map(|(_, v)| v)
            .filter(of_space)
            .map(|v| layouter[v.ty].size)
            .sum::<u32>()
    };
    assert!(
        bytes(AddressSpace::WorkGroup) <= capabilities.limits.max_compute_workgroup_storage_size,
        "{what}: too much workgroup memory"
    );
    assert!(bytes(AddressSpace::Uniform) as usize <= source.params.len() * 4, "{what}: parameters");
}

/// Leaves a module in the folder that `LANGEVIN_WGSL_DIR` names, for compilers of others.
fn keep(wgsl: &str) {
    // Cooperative matrices are wgpu's own extension.
    let Some(folder) = std::env::var_os("LANGEVIN_WGSL_DIR") else { return };
    if wgsl.contains("enable wgpu_cooperative_matrix") {
        return;
    }
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(wgsl, &mut hasher);
    let name = format!("{:016x}.wgsl", std::hash::Hasher::finish(&hasher));
    std::fs::write(Path::new(&folder).join(name), wgsl).unwrap();
}

/// Parses, validates and writes a module in every language a backend takes.
fn write_everywhere(what: &str, wgsl: &str) -> naga::Module {
    let module =
        naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|e| panic!("{what}: {}", e.emit_to_string(wgsl)));
    let capabilities = naga::valid::Capabilities::all();
    let info = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{what}: {}", e.emit_to_string(wgsl)));
    let spv = naga::back::spv::Options { lang_version: (1, 3), ..Default::default() };
    naga::back::spv::write_vec(&module, &info, &spv, None).unwrap_or_else(|e| panic!("{what}: {e}"));
    let msl =
        naga::back::msl::Options { lang_version: (3, 0), fake_missing_bindings: true, ..Default::default() };
    naga::back::msl::write_string(&module, &info, &msl, &Default::default())
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    // DX12 has no cooperative matrices.
    if wgsl.contains("enable wgpu_cooperative_matrix") {
        return module;
    }
    let hlsl = naga::back::hlsl::Options {
        fake_missing_bindings: true,
        shader_model: naga::back::hlsl::ShaderModel::V6_2,
        ..Default::default()
    };
    let mut text = String::new();
    naga::back::hlsl::Writer::new(&mut text, &hlsl, &Default::default())
        .write(&module, &info, None)
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    module
}

#[test]
fn matmul() {
    // Operands and results are coded apart: the results take turns. Layouts, too: rows that are whole vectors and not.
    for (i, a) in Format::ALL.into_iter().enumerate() {
        for (j, b) in Format::ALL.into_iter().enumerate() {
            let (out, k) = (Format::ALL[(i + 2 * j) % 6], if (i + j) % 2 == 0 { 5 } else { 16 });
            let [a, b] = [a, b].map(Operand::from);
            let b = Operand { transposed: i % 3 == 1, ..b };
            check(&MatmulDesc { m: 3, k, n: 8, a, b, out, ..Default::default() });
        }
    }
    let wide = MatmulDesc { m: 1500, k: 64, n: 1500, ..Default::default() };
    for format in [Format::F32, Format::F16, Format::I8] {
        let [a, b] = [Operand::from(format), Operand { transposed: true, ..format.into() }];
        check(&MatmulDesc { a, b, ..wide.clone() });
        check(&MatmulDesc { a, b, pair: Some(Pair::GateFirst), m: 70, n: 40, ..wide.clone() });
    }
    for activation in Activation::ALL {
        check(&MatmulDesc {
            m: 3,
            k: 5,
            n: 7,
            a: Operand { zero: true, ..Operand::from(Format::I8).scaled(Granularity::PerRow) },
            b: Operand::default().scaled(Granularity::PerColumn),
            bias: true,
            activation,
            gate: Some(Columns { start: 1, width: 9 }),
            residual: true,
            ..Default::default()
        });
    }
}

#[test]
fn quantize() {
    for (x, q) in [(Format::F32, Format::E4m3), (Format::F16, Format::E5m2), (Format::BF16, Format::I8)] {
        for granularity in [
            Granularity::PerTensor,
            Granularity::PerRow,
            Granularity::PerColumn,
            Granularity::PerBlock { rows: 2, columns: 8 },
        ] {
            for scale in [ScaleSource::Dynamic, ScaleSource::Static] {
                for asymmetric in [false, q == Format::I8] {
                    let shape = vec![70, 5];
                    check(&QuantizeDesc {
                        shape,
                        x,
                        q,
                        granularity,
                        scale,
                        asymmetric,
                        ..Default::default()
                    });
                }
            }
        }
    }
}

#[test]
fn mx_blocks() {
    for (x, q) in [(Format::F32, Format::E4m3), (Format::F16, Format::E5m2)] {
        let (shape, granularity) = (vec![3, 150], Granularity::PerGroup(32));
        for scale in [ScaleSource::Dynamic, ScaleSource::Static] {
            let scale_rounding = Some(ScaleRounding::Even);
            let (shape, asymmetric) = (shape.clone(), false);
            let (overflow, rounding) = (Overflow::Saturate, Rounding::Stochastic);
            check(&QuantizeDesc {
                shape,
                x,
                q,
                granularity,
                scale,
                asymmetric,
                scale_rounding,
                overflow,
                rounding,
            });
        }
        check(&DequantizeDesc { shape, q, granularity, power_scales: true, ..Default::default() });
    }
}

#[test]
fn fake_quantize() {
    for (i, granularity) in
        [Granularity::PerTensor, Granularity::PerRow, Granularity::PerColumn].into_iter().enumerate()
    {
        let (q, out) =
            ([Format::E4m3, Format::E5m2, Format::I8][i], [Format::F32, Format::F16, Format::BF16][i]);
        let codes =
            QuantizeDesc { shape: vec![70, 5], q, granularity, asymmetric: i == 2, ..Default::default() };
        check(&FakeQuantizeDesc { codes, out });
    }
}

#[test]
fn cast() {
    for x in Format::ALL {
        for out in Format::ALL {
            check(&CastDesc { shape: vec![3, 5], x, out, ..Default::default() });
        }
    }
}

#[test]
fn histogram() {
    for x in [Format::F32, Format::F16, Format::BF16] {
        check(&HistogramDesc { shape: vec![3, 5], x });
    }
}

#[test]
fn dequantize() {
    for q in Format::ALL {
        for out in [Format::F32, Format::F16, Format::BF16] {
            let zero_point = q == Format::I8;
            let granularity = match out {
                Format::F32 => Granularity::PerGroup(4),
                Format::F16 => Granularity::PerBlock { rows: 2, columns: 1 },
                _ => Granularity::PerRow,
            };
            check(&DequantizeDesc {
                shape: vec![3, 5],
                q,
                out,
                granularity,
                zero_point,
                ..Default::default()
            });
        }
    }
}

#[test]
fn norm() {
    for (x, out) in [(Format::F32, Format::F32), (Format::F16, Format::BF16), (Format::E4m3, Format::F16)] {
        for kind in [NormKind::Layer, NormKind::Rms] {
            let desc = NormDesc { rows: 3, width: 5, kind, x, out, ..Default::default() };
            let modulation = Some(Modulation { width: 11, shift: 0, scale: 6 });
            check(&NormDesc { weight: true, bias: true, modulation, ..desc.clone() });
            check(&desc);
        }
    }
}

#[test]
fn producers_with_quantizers() {
    let block = Granularity::PerBlock { rows: 2, columns: 1 };
    for granularity in [Granularity::PerTensor, Granularity::PerRow, Granularity::PerColumn, block] {
        for scale in [ScaleSource::Dynamic, ScaleSource::Static] {
            let codes = QuantizeDesc { granularity, scale, ..Default::default() };
            let modulation = Some(Modulation { width: 11, shift: 0, scale: 6 });
            let norm =
                NormDesc { rows: 30, width: 5, weight: true, bias: true, modulation, ..Default::default() };
            check(&NormQuantizeDesc::new(norm, codes.clone()));
            let activation = ActivationDesc { rows: 30, width: 5, ..Default::default() };
            check(&ActivationQuantizeDesc::new(activation, codes));
        }
    }
    let granularity = Granularity::PerGroup(32);
    let mx = QuantizeDesc { granularity, scale_rounding: Some(ScaleRounding::Even), ..Default::default() };
    check(&NormQuantizeDesc::new(NormDesc { width: 70, ..Default::default() }, mx));
}

#[test]
fn activation_and_gated_residual() {
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let out = [Format::F32, Format::F16, Format::BF16][i % 3];
        check(&ActivationDesc { rows: 3, width: 5, activation, x: Format::ALL[i], out });
    }
    for gate in [None, Some(Columns { start: 2, width: 9 })] {
        let (x, out) = (Format::F16, Format::BF16);
        check(&GatedResidualDesc { batch: 2, rows: 3, width: 5, x, out, gate });
    }
}

#[test]
fn merge() {
    for (i, x) in Format::ALL.into_iter().enumerate() {
        let out = [Format::F32, Format::F16, Format::BF16][i % 3];
        check(&MergeDesc { parts: 2, rows: 3, dim: 5, x, out, lse: i < 3 });
    }
}

#[test]
fn rotary() {
    let axes = [vec![10], vec![2, 8], vec![2, 2, 2, 2], vec![]];
    let positions = [Positions::From(1), Positions::Tokens, Positions::ItemTokens];
    for (i, x) in Format::ALL.into_iter().enumerate() {
        let out = [Format::F32, Format::F16, Format::BF16][i % 3];
        for (j, axes) in axes.iter().enumerate() {
            let pairing = [Pairing::HalfSplit, Pairing::Interleaved][(i + j) % 2];
            let (norm, weight) = ((j != 1).then_some(1e-6), (i + j) % 2 == 0 && j != 1);
            let sizes = RotaryDesc { heads: 2, seq: 3, head_dim: 11, table_rows: 4, ..Default::default() };
            let x_view = (i % 2 == 1).then_some(View { offset: 1, batch: 0, head: 11, seq: 22 });
            let positions = positions[(i + j) % 3];
            let desc = RotaryDesc { axes: axes.clone(), pairing, norm, weight, positions, out, ..sizes };
            check(&RotaryDesc { x, x_view, ..desc.clone() });
            check(&RotaryDesc { x: out, in_place: true, ..desc });
        }
    }
}

#[test]
fn combine_and_patches() {
    for (states, predictions, noise) in [(1, 1, false), (1, 2, true), (4, 2, true), (2, 0, false)] {
        check(&CombineDesc { states, predictions, noise, elements: 3 });
    }
    check(&ChangeDesc { elements: 5 });
    check(&PatchifyDesc { batch: 1, channels: 2, height: 4, width: 6, patch: 2, repeat: 2 });
    check(&UnpatchifyDesc { batch: 1, channels: 2, height: 4, width: 6, patch: 2 });
}

/// Formats in pairs, each with an output, a layout, few and many channels; then every option.
#[test]
fn conv() {
    let plane = ConvDesc { spatial: vec![4, 5], kernel: vec![3, 3], in_channels: 8, ..Default::default() };
    for (i, x) in Format::ALL.into_iter().enumerate() {
        for (j, w) in Format::ALL.into_iter().enumerate() {
            let out = [Format::F32, Format::F16, Format::BF16][(i + j) % 3];
            let layout = ConvLayout::ALL[(i + j) % 2];
            let out_channels = [1, 5, 40][(i + 2 * j) % 3];
            check(&ConvDesc { x, w, out, layout, out_channels, bias: j % 2 == 0, ..plane.clone() });
        }
    }
    for bits in 0..64 {
        let bit = |i: u32| bits >> i & 1 == 1;
        let transposed = bit(0);
        check(&ConvDesc {
            layout: ConvLayout::ALL[usize::from(bit(1))],
            groups: if bit(2) { 2 } else { 1 },
            transposed,
            stride: vec![2],
            upsample: vec![if bit(3) && !transposed { 2 } else { 1 }],
            padding: vec![[1, 1]],
            boundary: vec![if bit(4) && !transposed { Boundary::Circular } else { Boundary::Zero }],
            x_scale: bit(5),
            w_scale: [None, Some(Granularity::PerTensor), Some(Granularity::PerRow)][bits as usize % 3],
            activation: Activation::ALL[bits as usize % 5],
            residual: bit(3),
            out_channels: 6,
            x: if bit(5) { Format::I8 } else { Format::F32 },
            w: Format::I8,
            ..plane.clone()
        });
    }
}

#[test]
fn laplacian_and_heat() {
    let formats = [Format::F32, Format::F16, Format::BF16];
    for (u, out) in formats.into_iter().flat_map(|u| formats.map(|out| (u, out))) {
        // A width of whole quads, and one that is not.
        for spatial in [vec![9], vec![4, 12], vec![3, 4, 9]] {
            for stencil in Stencil::ALL {
                check(&LaplacianDesc { spatial: spatial.clone(), stencil, u, out, ..Default::default() });
            }
            let (source, face_mean) = (Some(u), FaceMean::Harmonic);
            let step = HeatDesc { spatial, time_step: 0.1, u, out, ..Default::default() };
            let stages = HeatDesc { scheme: Scheme::Rkl2 { stages: 3 }, ..step.clone() };
            check(&HeatDesc { medium: Some(out), source, face_mean, ..stages.clone() });
            check(&stages);
            check(&HeatDesc { medium: Some(out), source, face_mean, ..step.clone() });
            check(&step);
        }
    }
    for (i, format) in formats.into_iter().enumerate() {
        for (j, spatial) in [vec![12], vec![4, 9], vec![4, 12], vec![3, 4, 12]].into_iter().enumerate() {
            let boundary = vec![[[Edge::Periodic; 2], [Edge::Fixed(1.0), Edge::Neumann(2.0)]][(i + j) % 2]];
            let (u, out, steps_per_dispatch) = (format, format, 2 + (3 * i + j) % 7);
            check(&HeatDesc {
                spatial,
                boundary,
                time_step: 0.1,
                u,
                out,
                steps_per_dispatch,
                ..Default::default()
            });
        }
    }
}

#[test]
fn attention() {
    let sizes = AttentionDesc { heads: 2, seq_q: 3, seq_kv: 5, head_dim: 6, v_dim: 7, ..Default::default() };
    for (i, q) in Format::ALL.into_iter().enumerate() {
        for (j, k) in Format::ALL.into_iter().enumerate() {
            let out = [Format::F32, Format::F16, Format::BF16][(i + 2 * j) % 3];
            let (v, seq_q) = (Format::ALL[(i + j) % 6], if j % 2 == 0 { 3 } else { 100 });
            check(&AttentionDesc { q: q.into(), k: k.into(), v: v.into(), out, seq_q, ..sizes.clone() });
        }
    }
    // Odd, so that every pair of bits takes all its values.
    for bits in (0..256).step_by(11) {
        let bit = |i: u32| bits >> i & 1 == 1;
        let align = if bit(0) { Align::BottomRight } else { Align::Offset(1) };
        let scaled = |shape| Heads { scale: bit(2).then_some(shape), ..Format::F16.into() };
        let k_view = bit(7).then_some(View { offset: 1, batch: 0, head: 0, seq: 7 });
        check(&AttentionDesc {
            mask: bit(0).then_some([1, 1, 3, 5]),
            bias: bit(1).then_some([1, 2, 1, 5]),
            q: scaled([1, 2, 1]),
            k: Heads { view: k_view, ..scaled([1, 1, 5]) },
            v: if bit(1) { scaled([1, 1, 5]) } else { scaled([1, 1, 1]) },
            sinks: bit(3),
            lse: bit(4),
            causal: bit(5).then_some(align),
            window: bit(6).then_some(Window { left: Some(1), right: Some(1), align }),
            softcap: bit(6).then_some(2.0),
            sequences: bit(7).then_some(2),
            ..sizes.clone()
        });
        // Split, and with more columns than one slice.
        let (seq_kv, v_dim) = (3000, 150);
        if bits < 64 {
            check(&AttentionDesc {
                seq_kv,
                v_dim,
                sinks: bit(3),
                lse: bit(4),
                v: scaled([1, 1, 3000]),
                ..sizes.clone()
            });
        }
    }
    // Matrices of 16 x 16 and of 8 x 8: dims that fill them and do not, rows in eights and not, and the options.
    let is_cooperative = |wgsl: &str| wgsl.contains("enable wgpu_cooperative_matrix");
    for (i, format) in [Format::F16, Format::E4m3, Format::E5m2, Format::I8].into_iter().enumerate() {
        let (head_dim, v_dim) = [(128, 128), (64, 80), (72, 20), (12, 96)][i];
        let [q, k, v] = [format, Format::F16, format].map(Heads::from);
        let desc = AttentionDesc { q, k, v, head_dim, v_dim, seq_q: 100, seq_kv: 70, ..sizes.clone() };
        let sources = sources(&desc, &capabilities()[3], &langevin::Pick::Best).unwrap();
        assert!(sources.iter().all(|source| is_cooperative(&source.wgsl)), "{desc:?}");
        check(&desc);
        let causal = Some(Align::BottomRight);
        let causal =
            AttentionDesc { causal, softcap: Some(2.0), sequences: Some(2), out: Format::F16, ..desc };
        check(&causal);
        // Workgroup memory by single elements.
        let metal = Capabilities { backend: wgpu::Backend::Metal, ..capabilities()[5].clone() };
        for source in langevin::sources(&causal, &metal, &langevin::Pick::Best).unwrap() {
            check_source("attention on Metal", &source, &metal);
        }
    }
}

fn wgsl_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(wgsl_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "wgsl") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_file_is_valid_by_itself() {
    let files = wgsl_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders"));
    assert!(files.len() > 15, "only {} shaders found", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        write_everywhere(&file.display().to_string(), &langevin::gpu::standalone(&text));
    }
}

/// A broken shader must fail: the checks above would otherwise prove nothing.
#[test]
fn a_broken_shader_is_rejected() {
    let rejects = |wgsl: &str| std::panic::catch_unwind(|| write_everywhere("broken", wgsl)).is_err();
    assert!(rejects("fn f() -> f32 { return 1u; }"));
    assert!(rejects("@compute @workgroup_size(1) fn main() { missing(); }"));
    let wrong_list = StageSource {
        label: "wrong",
        invocations: 1,
        wgsl: "@group(0) @binding(1) var<storage, read_write> out: array<u32>;
               @compute @workgroup_size(1) fn main() { out[0] = 1u; }"
            .into(),
        params: vec![0; 4],
        bindings: vec!["other"],
        ranges: vec![None],
        workgroups: [1; 3],
    };
    assert!(
        std::panic::catch_unwind(|| check_source("wrong", &wrong_list, &Capabilities::minimal())).is_err()
    );
}

/// One kernel's pieces share a stem: the shader, the host side, the reference and the test.
#[test]
fn every_kernel_has_its_four_pieces() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = ["lib", "bind", "error", "guide", "kernel", "plan", "recipe", "stencil", "verify"];
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let kernels: Vec<String> = std::fs::read_dir(root.join("kernels"))
        .unwrap()
        .map(|entry| stem(&entry.unwrap().path()))
        .filter(|stem| !shared.contains(&stem.as_str()))
        .collect();
    assert!(!kernels.is_empty());
    let shaders: Vec<String> = wgsl_files(&root.join("shaders")).iter().map(|path| stem(path)).collect();
    for kernel in &kernels {
        let belongs = |shader: &String| shader == kernel || shader.starts_with(&format!("{kernel}_"));
        assert!(shaders.iter().any(belongs), "kernels/{kernel} has no shader of that stem");
        for folder in ["crates/reference/src", "tests"] {
            let twin = root.join(folder).join(format!("{kernel}.rs"));
            assert!(twin.exists(), "kernels/{kernel} has no twin {}", twin.display());
        }
    }
    let main_shaders = std::fs::read_dir(root.join("shaders")).unwrap().map(|entry| entry.unwrap().path());
    for shader in main_shaders.filter(|path| path.is_file()).map(|path| stem(&path)) {
        let owned =
            kernels.iter().any(|kernel| shader == *kernel || shader.starts_with(&format!("{kernel}_")));
        assert!(owned, "shaders/{shader}.wgsl belongs to no kernel");
    }
}
