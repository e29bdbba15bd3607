"""A prior over planes of small integers, as the latents of `walloc` are: a linear prediction and its expected error.

Each value is predicted from values around it and before it, a few *taps* (the same plane to the left and above, earlier
planes all around), as lossless coders of pictures do (Wu and Memon, "Context-Based, Adaptive, Lossless Image
Coding", 1997). The expected error, from the errors at the same taps, chooses one of a set of distributions of what is
left, for each of eight places of the prediction between two integers. All weights and tables are integers, learned
once (`learn`) and shipped; nothing adapts while coding, so a small picture costs no time to learn from.

The values are coded plane by plane, each by rows, by rANS with 16-bit frequencies.

Invariants:
* Everything is integers, so a file decodes the same everywhere.
* Places outside count as 0, with error 0: arrays are padded, and no tap is checked while coding.
* A value further than RANGE from its prediction is an escape and follows in 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nzip.entropy import rans
from nzip.errors import CorruptError

Array = Any

WEIGHT_BITS = 12
PHASES = 8  # places between two integers that are told apart
RANGE = 40
SYMBOLS = 2 * RANGE + 2  # differences from -RANGE to RANGE, and an escape
PRECISION = 16
REACH = 2  # rows and columns that taps look at to each side

_BOTTOM = np.uint64(1 << 31)


@dataclass(frozen=True)
class PlanesPrior:
    """What was learned for C planes.

    Attributes:
        taps: int16 (C, K, 3): how many planes before, rows above and columns to the right; all of them come before the
            value that they predict.
        weights: int32 (C, K), of the taps' values, 12 fractional bits.
        bias: int32 (C,), likewise.
        error_taps: int16 (C, M, 3): taps whose errors are asked.
        error_weights: int32 (C, M), of those errors, 12 fractional bits, none below 0.
        error_bias: int32 (C,), likewise.
        borders: int32 (S - 1,), increasing: the class of an expected error is how many are not above it.
        cdf: uint32 (S, PHASES, SYMBOLS + 1), from 0 to 2^16.
    """

    taps: NDArray[np.int16]
    weights: NDArray[np.int32]
    bias: NDArray[np.int32]
    error_taps: NDArray[np.int16]
    error_weights: NDArray[np.int32]
    error_bias: NDArray[np.int32]
    borders: NDArray[np.int32]
    cdf: NDArray[np.uint32]

    @property
    def planes(self) -> int:
        return len(self.taps)

    def offsets(self, height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where both kinds of taps stand from their value, in padded arrays (planes, rows, columns)."""
        row = width + 2 * REACH
        plane = (height + 2 * REACH) * row

        def of(taps: NDArray[np.int16]) -> NDArray[np.int64]:
            t = taps.astype(np.int64)
            return np.ascontiguousarray(-t[:, :, 0] * plane - t[:, :, 1] * row + t[:, :, 2])

        return of(self.taps), of(self.error_taps)


_FIELDS = {
    "taps": np.int16, "weights": np.int32, "bias": np.int32, "error_taps": np.int16, "error_weights": np.int32,
    "error_bias": np.int32, "borders": np.int32,
}  # fmt: skip


def to_tensors(prior: PlanesPrior, prefix: str) -> dict[str, NDArray[Any]]:
    """Return a prior as tensors to keep, each name behind `prefix`; frequencies in 16 bits take the tables' place."""
    kept: dict[str, NDArray[Any]] = {prefix + name: getattr(prior, name) for name in _FIELDS}
    return kept | {f"{prefix}freqs": np.diff(prior.cdf.astype(np.int64), axis=2).astype(np.uint16)}


def from_tensors(tensors: Mapping[str, NDArray[Any]], prefix: str) -> PlanesPrior:
    """Return the prior that `to_tensors` kept.

    Raises:
        KeyError: a tensor is missing.
        ValueError: the tensors are no prior: shapes, taps that come after their value, tables that are none.
    """
    parts = {name: np.ascontiguousarray(tensors[prefix + name], kind) for name, kind in _FIELDS.items()}
    freqs = tensors[f"{prefix}freqs"].astype(np.int64)
    count = len(parts["taps"])
    for taps, weights, bias in (("taps", "weights", "bias"), ("error_taps", "error_weights", "error_bias")):
        t = parts[taps].astype(np.int64)
        if t.ndim != 3 or t.shape[2] != 3 or len(t) != count:
            raise ValueError(f"{taps} of the shape {t.shape}")
        if parts[weights].shape != t.shape[:2] or parts[bias].shape != (count,):
            raise ValueError(f"{weights} do not fit {taps}")
        before, above, right = t[:, :, 0], t[:, :, 1], t[:, :, 2]
        inside = (before >= 0) & (before <= np.arange(count)[:, None])
        inside &= (np.abs(above) <= REACH) & (np.abs(right) <= REACH)
        inside &= (before > 0) | (above > 0) | ((above == 0) & (right < 0))
        if not inside.all():
            raise ValueError(f"{taps} that do not come before their value")
    borders = parts["borders"]
    if freqs.shape != (len(borders) + 1, PHASES, SYMBOLS) or (np.diff(borders) <= 0).any():
        raise ValueError("classes that are none")
    if freqs.min(initial=1) < 1 or (freqs.sum(axis=2) != 1 << PRECISION).any():
        raise ValueError("frequencies that do not add up")
    cdf = np.zeros((*freqs.shape[:2], SYMBOLS + 1), np.uint32)
    cdf[:, :, 1:] = freqs.cumsum(axis=2)
    return PlanesPrior(**parts, cdf=cdf)


@njit(cache=True, nogil=True)
def _predict(values: Array, at: int, offsets: Array, weights: Array, bias: int) -> Any:
    """Return the prediction of values[at], in eighths."""
    total = np.int32(bias)
    for k in range(len(offsets)):
        total += weights[k] * np.int32(values[at + offsets[k]])
    total >>= np.int32(WEIGHT_BITS - 3)
    return min(max(np.int64(total), np.int64(-127 * 8)), np.int64(127 * 8))


@njit(cache=True, nogil=True)
def _class_of(errors: Array, at: int, offsets: Array, weights: Array, bias: int, borders: Array) -> int:
    total = np.int32(bias)
    for k in range(len(offsets)):
        total += weights[k] * np.int32(errors[at + offsets[k]])
    total >>= np.int32(WEIGHT_BITS)
    low, high = 0, len(borders)
    while low < high:
        middle = (low + high) >> 1
        if borders[middle] <= total:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _classify(
    values: Array, errors: Array, height: int, width: int, offsets: Array, error_offsets: Array, weights: Array,
    bias: Array, error_weights: Array, error_bias: Array, borders: Array, symbols: Array, tables: Array, escapes: Array,
) -> None:  # fmt: skip
    """Fill `errors`, and for each value in coding order its symbol, its table and the value itself."""
    planes = len(bias)
    n = 0
    row = width + 2 * REACH
    for c in range(planes):
        for y in range(height):
            for x in range(width):
                at = (c * (height + 2 * REACH) + y + REACH) * row + x + REACH
                guess = _predict(values, at, offsets[c], weights[c], bias[c])
                kind = _class_of(errors, at, error_offsets[c], error_weights[c], error_bias[c], borders)
                value = np.int64(values[at])
                errors[at] = abs(8 * value - guess)
                middle = (guess + 4) >> 3
                off = value - middle
                symbols[n] = off + RANGE if -RANGE <= off <= RANGE else SYMBOLS - 1
                tables[n] = kind * PHASES + (guess - 8 * middle + 4)
                escapes[n] = value + 128
                n += 1


@njit(cache=True, nogil=True)
def _step(state: Array, words: Array, at: int, start: int, freq: int) -> int:
    """Take a symbol's interval off the state; return the next word's place, or -1 if there is none."""
    x = state[0]
    x = np.uint64(freq) * (x >> np.uint64(PRECISION)) + (x & np.uint64(0xFFFF)) - np.uint64(start)
    if x < _BOTTOM:
        if at >= len(words):
            return -1
        x = (x << np.uint64(32)) | np.uint64(words[at])
        at += 1
    state[0] = x
    return at


@njit(cache=True, nogil=True)
def _decode(
    words: Array, state: Array, values: Array, errors: Array, height: int, width: int, offsets: Array,
    error_offsets: Array, weights: Array, bias: Array, error_weights: Array, error_bias: Array, borders: Array,
    cdf: Array,
) -> int:  # fmt: skip
    """Fill `values`; return the place behind the last word, or -1 for a stream that is damaged."""
    planes = len(bias)
    at = 2
    across = width + 2 * REACH
    for c in range(planes):
        for y in range(height):
            for x in range(width):
                place = (c * (height + 2 * REACH) + y + REACH) * across + x + REACH
                guess = _predict(values, place, offsets[c], weights[c], bias[c])
                kind = _class_of(errors, place, error_offsets[c], error_weights[c], error_bias[c], borders)
                middle = (guess + 4) >> 3
                row = cdf[kind * PHASES + (guess - 8 * middle + 4)]
                slot = state[0] & np.uint64(0xFFFF)
                symbol = np.int64(rans.search(row, slot, np.uint64(0), np.uint64(SYMBOLS)))
                at = _step(state, words, at, row[symbol], row[symbol + 1] - row[symbol])
                if at < 0:
                    return -1
                value: Any = middle + symbol - RANGE
                if symbol == SYMBOLS - 1:
                    value = np.int64(state[0] & np.uint64(0xFFFF)) >> np.int64(8)
                    at = _step(state, words, at, value << 8, 256)
                    if at < 0:
                        return -1
                    value -= 128
                if value < -128 or value > 127:
                    return -1
                values[place] = value
                errors[place] = abs(8 * value - guess)
    return at


def _padded(height: int, width: int, planes: int) -> NDArray[np.int16]:
    return np.zeros((planes, height + 2 * REACH, width + 2 * REACH), np.int16)


def _numbers(prior: PlanesPrior) -> tuple[Any, ...]:
    return prior.weights, prior.bias, prior.error_weights, prior.error_bias, prior.borders


def symbols_of(
    planes: NDArray[np.int8], prior: PlanesPrior
) -> tuple[NDArray[np.int16], NDArray[np.int32], NDArray[np.int16], NDArray[np.int16]]:
    """Return what a prior makes of planes, int8 (C, H, W).

    Returns:
        For each value in coding order its symbol, its table (class * PHASES + phase) and itself plus 128; then the
        errors in eighths, int16 (C, H + 2 REACH, W + 2 REACH), zeros around them.
    """
    count, height, width = planes.shape
    values = _padded(height, width, count)
    values[:, REACH:-REACH, REACH:-REACH] = planes
    errors = np.zeros_like(values)
    symbols, tables = np.empty(planes.size, np.int16), np.empty(planes.size, np.int32)
    escapes = np.empty(planes.size, np.int16)
    classified: Any = _classify
    classified(values.reshape(-1), errors.reshape(-1), height, width, *prior.offsets(height, width), *_numbers(prior),
               symbols, tables, escapes)  # fmt: skip
    return symbols, tables, escapes, errors


def encode(planes: NDArray[np.int8], prior: PlanesPrior) -> bytes:
    """Return the code of planes, int8 (C, H, W).

    Raises:
        ValueError: the prior is for another number of planes.
    """
    if planes.ndim != 3 or planes.shape[0] != prior.planes:
        raise ValueError(f"a prior for {prior.planes} planes does not fit an array of the shape {planes.shape}")
    symbols, tables, escapes, _ = symbols_of(np.asarray(planes, np.int8), prior)
    cdf = prior.cdf.reshape(-1, SYMBOLS + 1)
    starts = cdf[tables, symbols]
    freqs = cdf[tables, symbols + 1] - starts
    out = np.flatnonzero(symbols == SYMBOLS - 1)
    if len(out):
        starts = np.insert(starts, out + 1, (escapes[out].astype(np.uint32) << 8))
        freqs = np.insert(freqs, out + 1, np.uint32(256))
    return rans.words_to_bytes(rans.encode_reverse_family(starts, freqs, PRECISION))


def decode(data: bytes, shape: tuple[int, int, int], prior: PlanesPrior) -> NDArray[np.int8]:
    """Return planes, int8 (C, H, W), from their code.

    Raises:
        CorruptError: the code is damaged.
        ValueError: the prior is for another number of planes.
    """
    count, height, width = shape
    if count != prior.planes:
        raise ValueError(f"a prior for {prior.planes} planes does not fit an array of the shape {shape}")
    words = rans.bytes_to_words(data)
    state = rans.open_states(words, 1)
    values = _padded(height, width, count)
    decoded: Any = _decode
    at = decoded(words, state, values.reshape(-1), np.zeros(values.size, np.int16), height, width,
                 *prior.offsets(height, width), *_numbers(prior), prior.cdf.reshape(-1, SYMBOLS + 1))  # fmt: skip
    if at < 0:
        raise CorruptError("the code of the latents is damaged")
    rans.check_end(words, state, int(at))
    return values[:, REACH:-REACH, REACH:-REACH].astype(np.int8)
