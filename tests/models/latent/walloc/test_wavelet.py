"""The wavelet packet transform: the published filters, exact inverse to rounding, the order of bands."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.models.latent.walloc import wavelet

# The analysis filters of the biorthogonal pair 9/7, as published, for a low band whose constants grow by sqrt(2).
LOW = (
    0.852698679009, 0.377402855613, -0.110624404418, -0.023849465020, 0.037828455507,
)  # fmt: skip
HIGH = (0.788485616406, -0.418092273222, -0.040689417610, 0.064538882629)


def filtered(x: np.ndarray, half: tuple[float, ...], start: int) -> np.ndarray:
    """A symmetric filter, given from its middle, around every other sample of a periodic signal."""
    n = len(x)
    out = []
    for middle in range(start, n, 2):
        total = half[0] * x[middle]
        for k, tap in enumerate(half[1:], 1):
            total += tap * (x[(middle - k) % n] + x[(middle + k) % n])
        out.append(total)
    return np.array(out)


def naive(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.apply_along_axis(filtered, axis, x, LOW, 0),
        np.apply_along_axis(filtered, axis, x, HIGH, 1),
    )


@pytest.mark.parametrize("size", [2, 4, 6, 32])
def test_sound_is_filtered_as_published(size: int) -> None:
    x = np.random.default_rng(1).normal(0, 1, (2, size)).astype(np.float32)
    low, high = naive(x.astype(float), 1)
    found = wavelet.analyse(x, 1)
    assert found.shape == (4, size // 2)
    assert np.allclose(found[::2], low, atol=2e-5)
    assert np.allclose(found[1::2], high, atol=2e-5) or np.allclose(found[1::2], -high, atol=2e-5)


def test_pictures_are_split_both_ways() -> None:
    x = np.random.default_rng(2).normal(0, 1, (3, 8, 12)).astype(np.float32)
    found = wavelet.analyse(x, 2)
    assert found.shape == (48, 2, 3)
    bands = [x.astype(float)[c] for c in range(3)]
    for _ in range(2):
        bands = [part for band in bands for tall in naive(band, 0) for part in naive(tall, 1)]
    for b, band in enumerate(bands):
        assert np.allclose(np.abs(found[b]), np.abs(band), atol=5e-5), b


@pytest.mark.parametrize(
    ("shape", "levels"), [((1, 2), 1), ((2, 512), 8), ((2, 768), 8), ((3, 8, 8), 3), ((1, 64, 24), 3), ((4, 5, 7), 0)]
)
def test_there_and_back(shape: tuple[int, ...], levels: int) -> None:
    x = np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)
    kept = x.copy()
    bands = wavelet.analyse(x, levels)
    again = bands.copy()
    back = wavelet.synthesise(bands, levels)
    assert np.abs(back - kept).max() < 2e-5
    assert np.array_equal(x, kept)
    assert np.array_equal(bands, again)
    assert bands.size == x.size


def test_a_constant_grows_in_one_band() -> None:
    bands = wavelet.analyse(np.ones((1, 16, 16), np.float32), 3)
    assert np.allclose(bands[0], 8, atol=1e-4)
    assert np.abs(bands[1:]).max() < 1e-4


@pytest.mark.parametrize("shape", [(3, 12, 16), (8,), (1, 0, 8), (1, 1, 8, 8)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="levels"):
        wavelet.analyse(np.zeros(shape, np.float32), 3)


def test_wrong_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="levels"):
        wavelet.synthesise(np.zeros((3, 4, 4), np.float32), 1)
