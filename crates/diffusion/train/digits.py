"""The real digits: scikit-learn's bundled copy of the test set of UCI's "Optical Recognition of Handwritten Digits"."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

# A pixel counts the ink in a 4 x 4 cell of the scan.
MAX_PIXEL = 16


def load() -> tuple:
    """Images [1797, 8, 8] u8 in 0..=16 and labels [1797] u8."""
    digits = load_digits()
    return digits.images.astype(np.uint8), digits.target.astype(np.uint8)


def to_model(images: np.ndarray) -> np.ndarray:
    """[n, 8, 8] in 0..=16 to [n, 1, 8, 8] in [-1, 1]."""
    return (images.astype(np.float32) / (MAX_PIXEL / 2) - 1)[:, None]


def from_model(x: np.ndarray) -> np.ndarray:
    """[n, 1, 8, 8] to [n, 8, 8] in [0, 16]: what lies outside [-1, 1] is clipped, fractions stay."""
    return (np.clip(np.asarray(x)[:, 0], -1, 1) + 1) * (MAX_PIXEL / 2)


def nearest_neighbours(neighbours: int) -> KNeighborsClassifier:
    """A classifier on the raw pixels of all real digits."""
    images, labels = load()
    return KNeighborsClassifier(neighbours).fit(images.reshape(len(images), -1).astype(np.float64), labels)
