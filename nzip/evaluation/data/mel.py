"""What cepstra and mel spectra are made with: triangular filters, evenly spaced in mel, and the cosine transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def mel_filters(rate: int, points: int, bands: int) -> Doubles:
    """Return triangles of height 1 over the bins of a spectrum of `points` samples, (bands, points // 2 + 1).

    Their edges are `bands` + 2 places from 0 to rate / 2 Hz at equal distances in mel, 2595 log10(1 + f / 700).
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)  # (bands + 2,) Hz
    bins = np.arange(points // 2 + 1) * (rate / points)  # Hz
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))


def dct(size: int) -> Doubles:
    """Return the orthonormal DCT-II as a matrix: (size, size), a row for each coefficient."""
    k, n = np.arange(size)[:, None], np.arange(size)
    matrix = np.sqrt(2 / size) * np.cos(np.pi * k * (2 * n + 1) / (2 * size))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)
