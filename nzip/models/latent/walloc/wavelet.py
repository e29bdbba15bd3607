"""The wavelet packets of the latent codecs: biorthogonal 9/7 filters, periodic, every band split at each level.

The filters are those of Cohen, Daubechies and Feauveau ("Biorthogonal Bases of Compactly Supported Wavelets", 1992)
that JPEG 2000 has too, in lifting steps (Daubechies and Sweldens, "Factoring Wavelet Transforms into Lifting Steps",
1998, section 7.7), scaled so that a constant grows by the square root of two along each axis and level: bands are then
about as large as the signal, whatever the level. WaLLoC (Jacobellis and Yadwadkar, DCC 2025) splits its signals so.

J levels turn C channels into C 4^J bands (pictures) or C 2^J (sound). Band b of channel c at a level becomes the bands
4 b + 2 v + h (v: high along the height, h: high along the width), or 2 b + h, so a channel's bands stand together.
Everything is float32; results agree between machines to rounding and no closer: nothing is decoded from them exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.entropy.jit import kernel

Signal = NDArray[np.float32]
Array = Any

# The lifting steps' factors, and the scale of what is low.
STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
SCALE = 1.149604398860241

_A, _B, _C, _D = (np.float32(v) for v in STEPS)
_LOW, _HIGH = np.float32(SCALE), np.float32(1 / SCALE)


@kernel
def _split_columns(x: Array, out: Array) -> None:
    """Split each column of x (2 n, width): the low half goes to out[:n], the high half to out[n:]."""
    n, width = x.shape[0] // 2, x.shape[1]
    for k in range(n):
        for j in range(width):
            out[k, j] = x[2 * k, j]
            out[n + k, j] = x[2 * k + 1, j]
    for step, factor in enumerate((_A, _B, _C, _D)):
        for k in range(n):
            if step % 2 == 0:  # high += factor (low, next low)
                to, one, other = out[n + k], out[k], out[(k + 1) % n]
            else:  # low += factor (previous high, high)
                to, one, other = out[k], out[n + (k + n - 1) % n], out[n + k]
            for j in range(width):
                to[j] += factor * (one[j] + other[j])
    for k in range(n):
        for j in range(width):
            out[k, j] *= _LOW
            out[n + k, j] *= _HIGH


@kernel
def _join_columns(x: Array, out: Array) -> None:
    """Undo `_split_columns`; x is spoiled."""
    n, width = x.shape[0] // 2, x.shape[1]
    for k in range(n):
        for j in range(width):
            x[k, j] *= _HIGH
            x[n + k, j] *= _LOW
    for step, factor in enumerate((_D, _C, _B, _A)):
        for k in range(n):
            if step % 2 == 0:
                to, one, other = x[k], x[n + (k + n - 1) % n], x[n + k]
            else:
                to, one, other = x[n + k], x[k], x[(k + 1) % n]
            for j in range(width):
                to[j] -= factor * (one[j] + other[j])
    for k in range(n):
        for j in range(width):
            out[2 * k, j] = x[k, j]
            out[2 * k + 1, j] = x[n + k, j]


@kernel
def _split_row(x: Array, low: Array, high: Array) -> None:
    """Split one row of an even number of samples."""
    n = len(low)
    for k in range(n):
        low[k] = x[2 * k]
        high[k] = x[2 * k + 1]
    for k in range(n - 1):
        high[k] += _A * (low[k] + low[k + 1])
    high[n - 1] += _A * (low[n - 1] + low[0])
    low[0] += _B * (high[n - 1] + high[0])
    for k in range(1, n):
        low[k] += _B * (high[k - 1] + high[k])
    for k in range(n - 1):
        high[k] += _C * (low[k] + low[k + 1])
    high[n - 1] += _C * (low[n - 1] + low[0])
    low[0] += _D * (high[n - 1] + high[0])
    for k in range(1, n):
        low[k] += _D * (high[k - 1] + high[k])
    for k in range(n):
        low[k] *= _LOW
        high[k] *= _HIGH


@kernel
def _join_row(low: Array, high: Array, out: Array) -> None:
    """Undo `_split_row`; the halves are spoiled."""
    n = len(low)
    for k in range(n):
        low[k] *= _HIGH
        high[k] *= _LOW
    low[0] -= _D * (high[n - 1] + high[0])
    for k in range(1, n):
        low[k] -= _D * (high[k - 1] + high[k])
    for k in range(n - 1):
        high[k] -= _C * (low[k] + low[k + 1])
    high[n - 1] -= _C * (low[n - 1] + low[0])
    low[0] -= _B * (high[n - 1] + high[0])
    for k in range(1, n):
        low[k] -= _B * (high[k - 1] + high[k])
    for k in range(n - 1):
        high[k] -= _A * (low[k] + low[k + 1])
    high[n - 1] -= _A * (low[n - 1] + low[0])
    for k in range(n):
        out[2 * k] = low[k]
        out[2 * k + 1] = high[k]


@kernel
def _split_pictures(x: Array, out: Array) -> None:
    """Split bands (B, 2 h, 2 w) into (4 B, h, w)."""
    height, width = x.shape[1], x.shape[2]
    tall = np.empty((height, width), np.float32)
    for b in range(x.shape[0]):
        _split_columns(x[b], tall)
        for k in range(height):
            v, row = (0, k) if k < height // 2 else (1, k - height // 2)
            _split_row(tall[k], out[4 * b + 2 * v, row], out[4 * b + 2 * v + 1, row])


@kernel
def _join_pictures(x: Array, out: Array) -> None:
    """Undo `_split_pictures`; x is spoiled."""
    height, width = out.shape[1], out.shape[2]
    tall = np.empty((height, width), np.float32)
    for b in range(out.shape[0]):
        for k in range(height):
            v, row = (0, k) if k < height // 2 else (1, k - height // 2)
            _join_row(x[4 * b + 2 * v, row], x[4 * b + 2 * v + 1, row], tall[k])
        _join_columns(tall, out[b])


@kernel
def _split_sounds(x: Array, out: Array) -> None:
    for b in range(x.shape[0]):
        _split_row(x[b], out[2 * b], out[2 * b + 1])


@kernel
def _join_sounds(x: Array, out: Array) -> None:
    for b in range(out.shape[0]):
        _join_row(x[2 * b], x[2 * b + 1], out[b])


def analyse(signal: Signal, levels: int) -> Signal:
    """Return the bands of a signal.

    Args:
        signal: float32 (C, H, W) or (C, T); each of H, W, T a multiple of 2^levels that is 2^levels or more.
        levels: J, 0 or more.

    Returns:
        float32 (C 4^J, H / 2^J, W / 2^J) or (C 2^J, T / 2^J).

    Raises:
        ValueError: the signal has another shape.
    """
    x = np.ascontiguousarray(signal, np.float32)
    if x.ndim not in (2, 3) or levels < 0 or any(n % (1 << levels) or not n for n in x.shape[1:]):
        raise ValueError(f"{levels} levels do not divide a signal of the shape {signal.shape}")
    for _ in range(levels):
        many = 2 ** (x.ndim - 1)
        out = np.empty((many * x.shape[0], *(n // 2 for n in x.shape[1:])), np.float32)
        (_split_pictures if x.ndim == 3 else _split_sounds)(x, out)
        x = out
    return x


def synthesise(bands: Signal, levels: int) -> Signal:
    """Return the signal of bands: the inverse of `analyse`.

    Args:
        bands: float32 (C 4^J, h, w) or (C 2^J, t).
        levels: J.

    Raises:
        ValueError: the number of bands is not one that `levels` levels give.
    """
    x = np.array(bands, np.float32, order="C")
    if x.ndim not in (2, 3) or levels < 0 or x.shape[0] % 2 ** ((x.ndim - 1) * levels) or 0 in x.shape:
        raise ValueError(f"bands of the shape {bands.shape} are not those of {levels} levels")
    for _ in range(levels):
        many = 2 ** (x.ndim - 1)
        out = np.empty((x.shape[0] // many, *(2 * n for n in x.shape[1:])), np.float32)
        (_join_pictures if x.ndim == 3 else _join_sounds)(x, out)
        x = out
    return x
