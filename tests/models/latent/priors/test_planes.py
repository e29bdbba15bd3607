"""The prior over planes: what is learned codes and comes back; damage is found; kernels say what plain Python says."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.errors import CorruptError
from nzip.models.latent.priors import planes as coder
from nzip.models.latent.walloc.training.prior import learn


def latents(seed: int, count: int = 3, height: int = 24, width: int = 17) -> np.ndarray:
    """Smooth planes that hang together, with noise that differs from place to place."""
    source = np.random.default_rng(seed)
    walk = source.normal(0, 1, (count, height + 8, width + 8)).cumsum(1).cumsum(2) / 6
    walk[1:] += 0.7 * walk[:1]
    noise = source.normal(0, 1, walk.shape) * np.abs(walk) / 8
    return np.clip(np.rint(walk + noise), -128, 127).astype(np.int8)[:, 8:, 8:]


@pytest.fixture(scope="module")
def prior() -> coder.PlanesPrior:
    return learn([latents(seed) for seed in range(20)])


@pytest.mark.parametrize("shape", [(24, 17), (1, 1), (1, 9), (7, 1), (3, 2)])
def test_there_and_back(prior: coder.PlanesPrior, shape: tuple[int, int]) -> None:
    given = latents(99)[:, : shape[0], : shape[1]]
    data = coder.encode(given, prior)
    assert np.array_equal(coder.decode(data, given.shape, prior), given)


def test_what_was_not_foreseen_comes_back(prior: coder.PlanesPrior) -> None:
    source = np.random.default_rng(5)
    given = source.integers(-128, 128, (3, 9, 8)).astype(np.int8)
    given[0, 0, :2] = -128, 127
    data = coder.encode(given, prior)
    assert np.array_equal(coder.decode(data, given.shape, prior), given)


def test_it_learned(prior: coder.PlanesPrior) -> None:
    given = latents(7)
    counts = np.bincount(given.reshape(-1).astype(int) + 128)
    share = counts[counts > 0] / given.size
    alone = -(share * np.log2(share)).sum() * given.size / 8
    assert len(coder.encode(given, prior)) < 0.8 * alone


def test_kernel_is_plain_python(prior: coder.PlanesPrior) -> None:
    given = latents(11)[:, :6, :5]
    symbols, tables, _ = coder.symbols_of(given, prior)
    threaded = coder.symbols_of(given, prior, 3)
    assert np.array_equal(symbols, threaded[0])
    assert np.array_equal(tables, threaded[1])
    errors: dict[tuple[int, int, int], int] = {}
    count, height, width = given.shape
    n = 0
    for c in range(count):
        for y in range(height):
            for x in range(width):
                total, expected = int(prior.bias[c]), int(prior.error_bias[c])
                for k in range(prior.taps.shape[1]):
                    d, above, right = map(int, prior.taps[c, k])
                    p, v, h = c - d, y - above, x + right
                    inside = p >= 0 and 0 <= v < height and 0 <= h < width
                    total += int(prior.weights[c, k]) * (int(given[p, v, h]) if inside else 0)
                for k in range(prior.error_taps.shape[1]):
                    d, above, right = map(int, prior.error_taps[c, k])
                    expected += int(prior.error_weights[c, k]) * errors.get((c - d, y - above, x + right), 0)
                guess = max(-127 * 8, min(127 * 8, total >> 9))
                kind = sum(1 for border in prior.borders if border <= expected >> 12)
                middle = (guess + 4) >> 3
                value = int(given[c, y, x])
                off = value - middle
                errors[c, y, x] = abs(8 * value - guess)
                assert symbols[n] == (off + 40 if abs(off) <= 40 else 81)
                assert tables[n] == kind * 8 + guess - 8 * middle + 4
                n += 1


def test_taps_come_before(prior: coder.PlanesPrior) -> None:
    for plane in range(prior.planes):
        for taps, weights in ((prior.taps, prior.weights), (prior.error_taps, prior.error_weights)):
            used = [tap for tap, weight in zip(taps[plane], weights[plane], strict=True) if weight]
            assert used
            for d, above, right in used:
                assert d > 0 or above > 0 or (above == 0 and right < 0)
                assert max(abs(above), abs(right)) <= coder.REACH
                assert 0 <= plane - d <= plane


def test_damage_is_found(prior: coder.PlanesPrior) -> None:
    given = latents(3)
    data = coder.encode(given, prior)
    wrong = 0
    for cut in range(0, len(data), 4):
        with pytest.raises(CorruptError):
            coder.decode(data[:cut], given.shape, prior)
    with pytest.raises(CorruptError):
        coder.decode(data + b"\0\0\0\0", given.shape, prior)
    for place in range(0, len(data), 7):
        broken = bytearray(data)
        broken[place] ^= 0x55
        try:
            wrong += not np.array_equal(coder.decode(bytes(broken), given.shape, prior), given)
        except CorruptError:
            wrong += 1
    assert wrong == len(range(0, len(data), 7))


def test_another_number_of_planes_is_refused(prior: coder.PlanesPrior) -> None:
    with pytest.raises(ValueError, match="3 planes"):
        coder.encode(np.zeros((4, 2, 2), np.int8), prior)
    with pytest.raises(ValueError, match="3 planes"):
        coder.decode(b"", (4, 2, 2), prior)
