"""Sounds at another rate: band-limited interpolation with a windowed sinc (Smith, "Digital Audio Resampling", 2002)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

ZEROS = 24  # zero crossings of the sinc to each side
ROLLOFF = 0.95  # of the lower rate's half, where the filter begins to fall
BETA = 9.0  # of the Kaiser window


def resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Return samples (C, T) at another rate: float32 (C, ceil(T wanted / rate)).

    Raises:
        ValueError: a rate is not positive.
    """
    if rate < 1 or wanted < 1:
        raise ValueError("rates are positive")
    if rate == wanted or samples.shape[1] == 0:
        return np.ascontiguousarray(samples, np.float32)
    divisor = math.gcd(rate, wanted)
    up, down = wanted // divisor, rate // divisor
    count = -(-samples.shape[1] * up // down)
    cutoff = min(1.0, up / down) * ROLLOFF
    reach = math.ceil(ZEROS / cutoff)
    padded = np.pad(samples.astype(np.float32), ((0, 0), (reach, reach + 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    out = np.empty((len(samples), count), np.float32)
    taps = np.arange(-reach, reach + 1)
    # Outputs that lie at the same fraction between inputs have the same filter.
    for phase in range(min(up, count)):
        numbers = np.arange(phase, count, up)
        at = numbers * down
        fraction = (at[0] % up) / up
        distance = taps - fraction
        inside = np.clip(1 - (distance / (reach + 1)) ** 2, 0, None)
        filter_ = cutoff * np.sinc(cutoff * distance) * np.i0(BETA * np.sqrt(inside)) / np.i0(BETA)
        filter_ /= filter_.sum()
        out[:, numbers] = windows[:, at // up] @ filter_.astype(np.float32)
    return out
