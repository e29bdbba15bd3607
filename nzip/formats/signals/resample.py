"""Sounds at another rate: band-limited interpolation with a windowed sinc (Smith, "Digital Audio Resampling", 2002).

Outputs that lie at the same fraction between inputs have the same filter. Where there are more fractions than about
`TABLE`, filters are drawn from a table of that many, with a line between two, which is nearer than float32 tells. So
the time follows the number of samples, whatever the rates are, and the memory beside the sounds is bounded.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

ZEROS = 24  # zero crossings of the sinc to each side
ROLLOFF = 0.95  # of the lower rate's half, where the filter begins to fall
BETA = 9.0  # of the Kaiser window
TABLE = 4096  # fractions that have filters of their own; fewer where filters are long
PIECE = 1 << 20  # products that are made at once, about


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
    padded = np.pad(np.asarray(samples, np.float32), ((0, 0), (reach, reach + 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    out = np.empty((len(samples), count), np.float32)
    step = max(1, PIECE // ((2 * reach + 1) * len(samples)))
    size = max(64, math.ceil(TABLE * cutoff))  # a longer filter changes less from one fraction to the next
    if up <= size:
        for phase in range(min(up, count)):
            numbers = np.arange(phase, count, up)
            at = numbers * down
            kernel = _filters(np.array([(at[0] % up) / up]), cutoff, reach)[0]
            for begin in range(0, len(numbers), step):
                cut = slice(begin, begin + step)
                out[:, numbers[cut]] = windows[:, at[cut] // up] @ kernel
        return out
    table = _filters(np.arange(size + 1) / size, cutoff, reach)
    for begin in range(0, count, step):
        at = np.arange(begin, min(begin + step, count)) * down
        place = (at % up) * (size / up)
        below = np.minimum(place.astype(np.int64), size - 1)
        share = (place - below).astype(np.float32)[:, None]
        kernels = table[below] * (1 - share) + table[below + 1] * share  # (n, taps)
        out[:, begin : begin + len(at)] = np.einsum("cnt,nt->cn", windows[:, at // up], kernels)
    return out


def _filters(fractions: NDArray[np.float64], cutoff: float, reach: int) -> NDArray[np.float32]:
    """Return the filters (n, 2 reach + 1) of outputs that lie so far behind an input."""
    distance = np.arange(-reach, reach + 1) - fractions[:, None]
    inside = np.clip(1 - (distance / (reach + 1)) ** 2, 0, None)
    out = cutoff * np.sinc(cutoff * distance) * np.i0(BETA * np.sqrt(inside)) / np.i0(BETA)
    return (out / out.sum(axis=1, keepdims=True)).astype(np.float32)
