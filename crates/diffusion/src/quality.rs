//! What became of the pictures: how near two sets are, and which digits a classifier sees.

use crate::DiffusionError;
use ndarray::{Array1, Array2, Axis};
use safetensors::SafeTensors;

/// The peak signal-to-noise ratio of pictures against others, in decibels: `10 log10(range^2 / mean squared difference)`;
/// infinite for equal ones.
pub fn psnr(pictures: &[f32], reference: &[f32], range: f64) -> f64 {
    let squares: f64 = pictures.iter().zip(reference).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    10.0 * (range * range * pictures.len() as f64 / squares).log10()
}

/// The Frechet distance (squared, as usual) of two sets of features, each taken for a normal distribution:
/// `|m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))`, with the biased covariances. 0 for sets of the same mean and covariance.
/// A row is a sample; there should be more of them than features.
///
/// Source: Dowson and Landau, Journal of Multivariate Analysis 12, 1982; Heusel et al., arXiv 1706.08500.
///
/// # Errors
/// [`DiffusionError::Config`] for sets without samples or of different widths.
pub fn frechet(one: &Array2<f64>, other: &Array2<f64>) -> Result<f64, DiffusionError> {
    let (Some((mean_one, of_one)), Some((mean_other, of_other))) = (moments(one), moments(other)) else {
        return Err(DiffusionError::config("features", "at least one sample of each set", 0));
    };
    if one.ncols() != other.ncols() {
        return Err(DiffusionError::config(
            "features",
            format!("{} of a sample", one.ncols()),
            other.ncols(),
        ));
    }
    let (values, vectors) = eigen(of_one.clone());
    // The root of a covariance; rounding may leave an eigenvalue a little below zero.
    let root = vectors.dot(&Array2::from_diag(&values.mapv(|value| value.max(0.0).sqrt()))).dot(&vectors.t());
    let (between, _) = eigen(root.dot(&of_other).dot(&root));
    let distance = (&mean_one - &mean_other).mapv(|difference| difference * difference).sum();
    let overlap: f64 = between.iter().map(|value| value.max(0.0).sqrt()).sum();
    Ok(distance + of_one.diag().sum() + of_other.diag().sum() - 2.0 * overlap)
}

/// Mean and biased covariance; none without samples.
fn moments(samples: &Array2<f64>) -> Option<(Array1<f64>, Array2<f64>)> {
    let mean = samples.mean_axis(Axis(0))?;
    let centred = samples - &mean;
    Some((mean, centred.t().dot(&centred) / samples.nrows() as f64))
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix by Jacobi's rotations.
fn eigen(mut a: Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let n = a.nrows();
    let mut vectors = Array2::eye(n);
    let scale = a.iter().fold(f64::MIN_POSITIVE, |largest: f64, x| largest.max(x.abs()));
    // Each sweep squares what is left beside the diagonal; 30 are far more than any matrix needs.
    for _ in 0..30 {
        let rest =
            a.indexed_iter().filter(|((i, j), _)| i < j).fold(0.0f64, |rest, (_, x)| rest.max(x.abs()));
        if rest <= f64::EPSILON * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut vectors, p, q);
            }
        }
    }
    (a.diag().to_owned(), vectors)
}

/// Turns rows and columns p and q so that their element becomes zero.
fn rotate(a: &mut Array2<f64>, vectors: &mut Array2<f64>, p: usize, q: usize) {
    if a[[p, q]] == 0.0 {
        return;
    }
    let slope = (a[[q, q]] - a[[p, p]]) / (2.0 * a[[p, q]]);
    let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
    for k in 0..a.nrows() {
        (a[[k, p]], a[[k, q]]) = turn(a[[k, p]], a[[k, q]]);
        (vectors[[k, p]], vectors[[k, q]]) = turn(vectors[[k, p]], vectors[[k, q]]);
    }
    for k in 0..a.nrows() {
        (a[[p, k]], a[[q, k]]) = turn(a[[p, k]], a[[q, k]]);
    }
}

/// The real digits that the digit model learned, as a judge of generated ones.
#[derive(Clone, Debug)]
pub struct RealDigits(Vec<(Vec<f32>, usize)>);

/// Neighbours that vote.
const NEIGHBOURS: usize = 3;
/// Numbers of a digit.
const PIXELS: usize = 64;

impl RealDigits {
    /// The 1,797 digits that come with this crate.
    ///
    /// # Errors
    /// [`DiffusionError::Safetensors`] unless the crate was damaged.
    pub fn load() -> Result<Self, DiffusionError> {
        let file = SafeTensors::deserialize(include_bytes!("../goldens/digits.safetensors"))?;
        let (images, labels) = (file.tensor("images")?, file.tensor("labels")?);
        let scaled = |picture: &[u8]| picture.iter().map(|&value| f32::from(value) / 8.0 - 1.0).collect();
        let pictures = images.data().chunks_exact(PIXELS).map(scaled);
        Ok(Self(pictures.zip(labels.data().iter().map(|&label| usize::from(label))).collect()))
    }

    /// The label that most of the nearest neighbours have; of equally many, that of the nearest.
    pub fn classify(&self, picture: &[f32]) -> usize {
        let distance =
            |other: &[f32]| -> f32 { picture.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum() };
        let mut nearest: Vec<_> = self.0.iter().map(|(other, label)| (distance(other), *label)).collect();
        nearest.sort_by(|a, b| a.0.total_cmp(&b.0));
        nearest.truncate(NEIGHBOURS);
        let votes = |label: usize| nearest.iter().filter(|(_, other)| *other == label).count();
        let most = nearest.iter().map(|(_, label)| votes(*label)).max().unwrap_or(0);
        nearest.iter().map(|(_, label)| *label).find(|&label| votes(label) == most).unwrap_or(0)
    }

    /// The fraction of pictures that are the digit asked for.
    pub fn accuracy(&self, pictures: &[f32], classes: &[usize]) -> f64 {
        let right = |(picture, class): &(&[f32], &usize)| self.classify(picture) == **class;
        pictures.chunks_exact(PIXELS).zip(classes).filter(right).count() as f64 / classes.len().max(1) as f64
    }

    /// The pixels of every digit: the features of [`frechet`].
    pub fn features(&self) -> Array2<f64> {
        let all: Vec<f32> = self.0.iter().flat_map(|(picture, _)| picture.iter().copied()).collect();
        features(&all)
    }
}

/// The pixels of 8 x 8 pictures, clipped to -1 to 1 as they are shown: a row for each.
pub fn features(pictures: &[f32]) -> Array2<f64> {
    let rows = pictures.len() / PIXELS;
    Array2::from_shape_fn((rows, PIXELS), |(i, j)| f64::from(pictures[i * PIXELS + j].clamp(-1.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn equal_pictures_have_no_noise() {
        assert_eq!(psnr(&[1.0, -1.0], &[1.0, -1.0], 2.0), f64::INFINITY);
        // A mean square of 0.02 under a range of 2: 10 log10(200).
        assert!((psnr(&[0.2, 0.0], &[0.0, 0.0], 2.0) - 10.0 * 200f64.log10()).abs() < 1e-6);
    }

    #[test]
    fn eigenvalues_are_those_of_the_textbook() {
        let (mut values, vectors) = eigen(array![[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]]);
        assert!((vectors.t().dot(&vectors) - Array2::<f64>::eye(3)).iter().all(|x| x.abs() < 1e-15));
        values.as_slice_mut().unwrap().sort_by(f64::total_cmp);
        assert!((values - array![1.0, 3.0, 5.0]).iter().all(|x| x.abs() < 1e-14));
    }

    /// Along independent axes the distance is `sum (m1 - m2)^2 + (s1 - s2)^2`; a rotation of both sets changes nothing.
    #[test]
    fn the_distance_of_normal_distributions_is_that_of_their_means_and_spreads() {
        // Corners: mean and standard deviations exactly as the offsets.
        let corners = |mean: [f64; 2], spread: [f64; 2]| {
            let signs = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]];
            Array2::from_shape_fn((4, 2), |(i, j)| mean[j] + spread[j] * signs[i][j])
        };
        let (one, other) = (corners([0.0, 1.0], [1.0, 2.0]), corners([3.0, 1.0], [0.5, 4.0]));
        let expected = 9.0 + 0.25 + 4.0;
        assert!((frechet(&one, &other).unwrap() - expected).abs() < 1e-12);
        let turn = array![[0.6, -0.8], [0.8, 0.6]];
        assert!((frechet(&one.dot(&turn), &other.dot(&turn)).unwrap() - expected).abs() < 1e-12);
        assert!(frechet(&one, &one).unwrap().abs() < 1e-12);
        assert!(frechet(&one, &Array2::zeros((4, 3))).unwrap_err().to_string().contains("2 of a sample"));
    }

    /// The real digits are all of their own class, and far nearer to each other than to noise.
    #[test]
    fn real_digits_are_their_own_best_judges() {
        let real = RealDigits::load().unwrap();
        let pictures: Vec<f32> = real.0.iter().take(100).flat_map(|(picture, _)| picture.clone()).collect();
        let labels: Vec<usize> = real.0.iter().take(100).map(|(_, label)| *label).collect();
        assert!(real.accuracy(&pictures, &labels) > 0.97);
        let next: Vec<usize> = labels.iter().map(|label| (label + 1) % 10).collect();
        assert!(real.accuracy(&pictures, &next) < 0.03);
        let noise = features(&crate::noise(1, 0, 0..200, PIXELS));
        let all = real.features();
        // SciPy's `sqrtm` says 1.18781 of the two halves, whose writers differ.
        let (half, other) = all.view().split_at(Axis(0), 900);
        let [own, far] = [&other.to_owned(), &noise].map(|set| frechet(&half.to_owned(), set).unwrap());
        assert!((own - 1.18781).abs() < 1e-5 && far > 20.0, "{own} {far}");
    }
}
