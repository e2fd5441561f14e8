//! What holds for any product.

use super::{product, run};
use langevin::reference::generate;
use langevin::reference::{Op, Rounded};
use langevin::verify::{Tensor, Tensors};
use langevin::{Activation, Format, Gpu, Granularity, Kernel, MatmulDesc, Operand, Pair};
use langevin_testkit::{conform_in_turns, conform_on, gpu};
use proptest::prelude::*;

fn matrix(rows: usize, columns: usize, values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, &[1, rows, columns], values).unwrap()
}

fn inputs(a: Tensor, b: Tensor) -> Tensors {
    let mut inputs = Tensors::new();
    inputs.insert("a", a);
    inputs.insert("b", b);
    inputs
}

/// A product by one of the variants, drawn by the seed.
fn multiply(gpu: &Gpu, desc: &MatmulDesc, [a, b]: [&Tensor; 2], seed: u64) -> Tensor {
    let variants = desc.variants(gpu.capabilities());
    let drawn = variants[seed as usize % variants.len()];
    run(gpu, desc, &inputs(a.clone(), b.clone()), drawn)
}

fn bytes_of_rows(tensor: &Tensor, rows: std::ops::Range<usize>, row_bytes: usize) -> Vec<u8> {
    tensor.bytes()[rows.start * row_bytes..rows.end * row_bytes].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..Default::default() })]

    #[test]
    fn any_product_is_within_its_bound(
        (m, k, n, batch) in (1usize..70, 0usize..150, 1usize..18, 1usize..3),
        formats in (0usize..6, 0usize..6, 0usize..6),
        flags in any::<u16>(),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let bit = |i: u32| flags >> i & 1 == 1;
        let scale = |i: u32, own| [None, Some(own), Some(Granularity::PerGroup(32)), Some(Granularity::PerTensor)][usize::from(flags >> i & 3)];
        let operand = |format: Format, i: u32, own| Operand {
            transposed: bit(i),
            shared: bit(i + 1),
            zero: format == Format::I8 && bit(i + 1),
            scale: scale(i + 2, own),
            ..format.into()
        };
        let desc = MatmulDesc {
            batch,
            a: operand(Format::ALL[formats.0], 0, Granularity::PerRow),
            b: operand(Format::ALL[formats.1], 4, Granularity::PerColumn),
            out: Format::ALL[formats.2],
            bias: bit(8),
            residual: bit(9),
            pair: bit(10).then_some(Pair::GateLast),
            activation: Activation::ALL[usize::from(flags >> 11) % 5],
            batch_invariant: bit(14),
            ..product(m, k, 4 * n)
        };
        conform_in_turns(&gpu, &desc, seed);
    }

    /// `P A` has the rows of `A` permuted, so the product's rows are permuted, bit for bit; by every variant.
    #[test]
    fn permuting_rows_permutes_rows(m in 2usize..40, k in 1usize..40, n in 1usize..40, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = product(m, k, n);
        let inputs = generate::inputs(&desc, seed);
        let mut turned = inputs.clone();
        let mut bytes = inputs.get("a").unwrap().bytes().to_vec();
        bytes.rotate_left(k * 4);
        turned.insert("a", Tensor::new(Format::F32, &[1, m, k], bytes).unwrap());
        for variant in desc.variants(gpu.capabilities()) {
            let mut expected = run(&gpu, &desc, &inputs, variant).bytes().to_vec();
            expected.rotate_left(n * 4);
            let got = run(&gpu, &desc, &turned, variant);
            prop_assert_eq!(got.bytes(), expected);
        }
        conform_on(&gpu, &desc, &turned);
    }

    /// A row's bits depend on neither the number of rows, nor the batch, nor what the other rows hold.
    #[test]
    fn batch_invariant_rows_keep_their_bits(
        (m, k, n) in (2usize..100, 1usize..600, 1usize..40),
        format in 0usize..3,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        // One for each way to sum: f32 only, halves, integers.
        let format = [Format::F32, Format::F16, Format::I8][format];
        let b = Operand { transposed: seed % 2 == 0, ..format.into() };
        let whole = MatmulDesc { a: format.into(), b, batch_invariant: true, ..product(m, k, n) };
        let given = generate::inputs(&whole, seed);
        let (a, b) = (given.get("a").unwrap(), given.get("b").unwrap());
        let row = seed as usize % m;
        let one = MatmulDesc { m: 1, ..whole.clone() };
        let a_row = Tensor::new(format, &[1, 1, k], bytes_of_rows(a, row..row + 1, k * format.bytes())).unwrap();
        // The same row as every item of a batch, whose other operand is shared.
        let batched = MatmulDesc { batch: 3, b: Operand { shared: true, ..one.b }, ..one.clone() };
        let thrice = Tensor::new(format, &[3, 1, k], a_row.bytes().repeat(3)).unwrap();
        let b_shared = b.clone().reshape(&b.shape()[1..]).unwrap();
        prop_assert_eq!(one.variants(gpu.capabilities()), whole.variants(gpu.capabilities()));
        for variant in whole.variants(gpu.capabilities()) {
            let all = run(&gpu, &whole, &given, variant);
            let alone = run(&gpu, &one, &inputs(a_row.clone(), b.clone()), variant);
            prop_assert_eq!(alone.bytes(), bytes_of_rows(&all, row..row + 1, n * 4), "{}", variant.name);
            let in_batch = run(&gpu, &batched, &inputs(thrice.clone(), b_shared.clone()), variant);
            prop_assert_eq!(in_batch.bytes(), alone.bytes().repeat(3), "{}", variant.name);
        }
    }

    /// `(A + A') B = A B + A' B`, within the bounds of the three products; sums of small integers are exact as inputs.
    #[test]
    fn products_are_linear((m, k, n) in (1usize..30, 1usize..90, 1usize..30), seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = product(m, k, n);
        let draw = |seed| {
            let drawn = generate::inputs(&MatmulDesc { a: Format::I8.into(), ..desc.clone() }, seed);
            drawn.get("a").unwrap().to_f32()
        };
        let (first, second) = (draw(seed), draw(seed.wrapping_add(1)));
        let sum: Vec<f32> = first.iter().zip(&second).map(|(x, y)| x + y).collect();
        let b = generate::inputs(&desc, seed).get("b").unwrap().clone();
        let result = |values: &[f32]| {
            let a = matrix(m, k, values);
            let got = multiply(&gpu, &desc, [&a, &b], seed).to_f64();
            let bound = bounds(&desc, &inputs(a, b.clone()));
            (got, bound)
        };
        let [(x, x_bound), (y, y_bound), (z, z_bound)] = [result(&first), result(&second), result(&sum)];
        for i in 0..m * n {
            let at = [0, i / n, i % n];
            let allowed = x_bound[at] + y_bound[at] + z_bound[at];
            prop_assert!((x[at] + y[at] - z[at]).abs() <= allowed, "{at:?}");
        }
    }

    /// `A (B x) = (A B) x`, within the bounds of the four products and what the inner errors become.
    #[test]
    fn products_are_associative((m, k, l) in (1usize..20, 1usize..40, 1usize..40), seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let [ab, bx] = [product(m, k, l), product(k, l, 1)];
        let outer = generate::inputs(&ab, seed);
        let (a, b) = (outer.get("a").unwrap(), outer.get("b").unwrap());
        let x = generate::inputs(&product(l, 1, 1), seed).get("a").unwrap().clone().reshape(&[1, l, 1]).unwrap();
        let b_x = multiply(&gpu, &bx, [b, &x], seed);
        let left = multiply(&gpu, &product(m, k, 1), [a, &b_x], seed);
        let a_b = multiply(&gpu, &ab, [a, b], seed);
        let right = multiply(&gpu, &product(m, l, 1), [&a_b, &x], seed);
        let own = [
            bounds(&product(m, k, 1), &inputs(a.clone(), b_x)),
            bounds(&product(m, l, 1), &inputs(a_b, x.clone())),
        ];
        // The inner product's errors, multiplied by the magnitudes they meet.
        let (bx_bound, ab_bound) = (bounds(&bx, &inputs(b.clone(), x.clone())), bounds(&ab, &outer));
        let (a, x) = (a.to_f64(), x.to_f64());
        for i in 0..m {
            let through_a: f64 = (0..k).map(|p| a[[0, i, p]].abs() * bx_bound[[0, p, 0]]).sum();
            let through_x: f64 = (0..l).map(|p| ab_bound[[0, i, p]] * x[[0, p, 0]].abs()).sum();
            let allowed = through_a + through_x + own[0][[0, i, 0]] + own[1][[0, i, 0]];
            let difference = (left.to_f64()[[0, i, 0]] - right.to_f64()[[0, i, 0]]).abs();
            prop_assert!(difference <= allowed, "row {i}: {difference} > {allowed}");
        }
    }

    /// `(A B)^T = B^T A^T`, within both bounds; and a transposed operand is the operand, bit for bit.
    #[test]
    fn transposition_exchanges_the_operands((m, k, n) in (1usize..40, 1usize..60, 1usize..40), seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = product(m, k, n);
        let given = generate::inputs(&desc, seed);
        let (a, b) = (given.get("a").unwrap(), given.get("b").unwrap());
        let got = multiply(&gpu, &desc, [a, b], seed);
        let turned = MatmulDesc {
            a: Operand { transposed: true, ..Default::default() },
            b: Operand { transposed: true, ..Default::default() },
            ..product(n, k, m)
        };
        let exchanged = multiply(&gpu, &turned, [b, a], seed).to_f64();
        let bound = bounds(&desc, &given);
        for ((at, x), bound) in got.to_f64().indexed_iter().zip(bound.iter()) {
            prop_assert!((x - exchanged[[0, at[2], at[1]]]).abs() <= 2.0 * bound, "{at:?}");
        }
    }

    /// Cut along k, a product is the sum of the pieces' products; cut along n, it is the pieces side by side.
    #[test]
    fn blocks_make_the_whole((m, k, n) in (1usize..30, 2usize..80, 2usize..30), seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = product(m, k, n);
        let given = generate::inputs(&desc, seed);
        let (a, b) = (given.get("a").unwrap(), given.get("b").unwrap());
        let whole = multiply(&gpu, &desc, [a, b], seed).to_f64();
        let cut = 1 + seed as usize % (k - 1);
        let columns = |from: usize, to: usize| langevin::Columns { start: from, width: to };
        let left = MatmulDesc { a: Operand { columns: Some(columns(0, k)), ..Default::default() }, ..product(m, cut, n) };
        let right = MatmulDesc { a: Operand { columns: Some(columns(cut, k)), ..Default::default() }, ..product(m, k - cut, n) };
        let b_rows = |rows: std::ops::Range<usize>| {
            let count = rows.len();
            Tensor::new(Format::F32, &[1, count, n], bytes_of_rows(b, rows, n * 4)).unwrap()
        };
        let (upper, lower) = (b_rows(0..cut), b_rows(cut..k));
        let pieces = [multiply(&gpu, &left, [a, &upper], seed).to_f64(), multiply(&gpu, &right, [a, &lower], seed).to_f64()];
        let bound = bounds(&desc, &given);
        for (at, x) in whole.indexed_iter() {
            let at = [0, at[1], at[2]];
            // The pieces' bounds together are below the whole's.
            prop_assert!((x - pieces[0][at] - pieces[1][at]).abs() <= 2.0 * bound[at], "{at:?}");
        }
        let half = 1 + seed as usize % (n - 1);
        let side = |from: usize, count: usize| MatmulDesc {
            b: Operand { columns: Some(columns(from, n)), ..Default::default() },
            ..product(m, k, count)
        };
        let (first, second) = (multiply(&gpu, &side(0, half), [a, b], seed).to_f64(), multiply(&gpu, &side(half, n - half), [a, b], seed).to_f64());
        for (at, x) in whole.indexed_iter() {
            let (i, j) = (at[1], at[2]);
            let piece = if j < half { first[[0, i, j]] } else { second[[0, i, j - half]] };
            prop_assert!((x - piece).abs() <= 2.0 * bound[[0, i, j]], "{at:?}");
        }
    }
}

/// The bound of every element.
fn bounds(desc: &MatmulDesc, inputs: &Tensors) -> ndarray::ArrayD<f64> {
    match desc.evaluate(inputs).unwrap().remove(0).answer {
        langevin::verify::Answer::Bounded { bound, .. } => bound,
        langevin::verify::Answer::Exact(tensor) => tensor.to_f64().mapv(|_| Rounded::exact(0.0).error),
    }
}
