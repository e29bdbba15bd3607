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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.entropy import rans
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError

Array = Any

WEIGHT_BITS = 12
PHASES = 8  # places between two integers that are told apart
RANGE = 40
SYMBOLS = 2 * RANGE + 2  # differences from -RANGE to RANGE, and an escape
PRECISION = 16
REACH = 2  # rows and columns that taps look at to each side

_BITS = np.uint64(PRECISION)


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
        borders: int32 (S - 1,), increasing from 1 or more: the class of an expected error is how many are not above it.
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

    def ordered(self, height: int, width: int) -> tuple[Any, ...]:
        """Return both kinds of taps as kernels take them, in padded arrays (planes, rows, columns).

        Returns:
            For each kind: where each tap stands from its value, int64 (C, K); weights, int32 (C, K); how many are
            far, which is not in the value's own row, and how many there are, int64 (C, 2). Far taps come first.
        """
        row = width + 2 * REACH
        plane = (height + 2 * REACH) * row
        out: list[Any] = []
        for taps, weights in ((self.taps, self.weights), (self.error_taps, self.error_weights)):
            t = taps.astype(np.int64)
            places = -t[:, :, 0] * plane - t[:, :, 1] * row + t[:, :, 2]
            near = (t[:, :, 0] == 0) & (t[:, :, 1] == 0)
            rank = np.where(weights == 0, 2, near)  # what weighs nothing is last, and left out
            order = np.argsort(rank, axis=1, kind="stable")
            counts = np.stack([(rank == 0).sum(axis=1), (rank < 2).sum(axis=1)], axis=1)
            out += [np.take_along_axis(places, order, 1), np.take_along_axis(weights, order, 1), counts]
        return tuple(out)

    @cached_property
    def classes(self) -> NDArray[np.uint8]:
        """The class of each expected error from 0 to the last border, in eighths."""
        return np.searchsorted(self.borders, np.arange(self.borders[-1] + 1), side="right").astype(np.uint8)


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
        # No sum may leave 32 bits; an error has 11.
        most = np.abs(parts[weights].astype(np.int64)).sum(axis=1) << 11
        if (most + np.abs(parts[bias].astype(np.int64))).max(initial=0) >= 1 << 31:
            raise ValueError(f"{weights} that are too large")
    borders = parts["borders"]
    if not 1 <= len(borders) < 256 or borders[0] < 1 or borders[-1] > 1 << 12:
        raise ValueError("borders out of range")
    if freqs.shape != (len(borders) + 1, PHASES, SYMBOLS) or (np.diff(borders) <= 0).any():
        raise ValueError("classes that are none")
    if freqs.min(initial=1) < 1 or (freqs.sum(axis=2) != 1 << PRECISION).any():
        raise ValueError("frequencies that do not add up")
    cdf = np.zeros((*freqs.shape[:2], SYMBOLS + 1), np.uint32)
    cdf[:, :, 1:] = freqs.cumsum(axis=2)
    return PlanesPrior(**parts, cdf=cdf)


@kernel
def _far(source: Array, at: int, places: Array, weights: Array, count: int, start: int, sums: Array) -> None:
    """Put what the far taps add up to, and `start`, into `sums`, for a row that begins at `at`."""
    sums[:] = start
    for k in range(count):
        weight, first = weights[k], at + places[k]
        for x in range(len(sums)):
            sums[x] += weight * np.int32(source[first + x])


@kernel
def _near(source: Array, at: int, places: Array, weights: Array, counts: Array, total: int) -> Any:
    """Return `total` and what the taps in the row of the value at `at` add up to."""
    sum_ = np.int64(total)
    for k in range(counts[0], counts[1]):
        sum_ += np.int64(weights[k]) * np.int64(source[at + places[k]])
    return sum_


@kernel
def _guess(total: int) -> Any:
    return min(max(np.int64(total) >> (WEIGHT_BITS - 3), np.int64(-127 * 8)), np.int64(127 * 8))


@kernel
def _class(total: int, classes: Array) -> Any:
    return np.int64(classes[min(max(np.int64(total) >> WEIGHT_BITS, np.int64(0)), np.int64(len(classes) - 1))])


@kernel
def _predict(
    planes: Array, values: Array, errors: Array, height: int, width: int, places: Array, weights: Array, counts: Array,
    bias: Array, symbols: Array, tables: Array,
) -> None:  # fmt: skip
    """Fill `errors`, and of each value its symbol and the phase of its table, for some planes."""
    across = width + 2 * REACH
    sums = np.empty(width, np.int32)
    for c in planes:
        for y in range(height):
            at = (c * (height + 2 * REACH) + y + REACH) * across + REACH
            n = (c * height + y) * width
            # All values are known here, so near taps are like far ones.
            _far(values, at, places[c], weights[c], counts[c, 1], bias[c], sums)
            for x in range(width):
                guess = _guess(sums[x])
                value = np.int64(values[at + x])
                errors[at + x] = abs(8 * value - guess)
                middle = (guess + 4) >> 3
                off = value - middle
                symbols[n + x] = off + RANGE if -RANGE <= off <= RANGE else SYMBOLS - 1
                tables[n + x] = guess - 8 * middle + 4


@kernel
def _classify(
    planes: Array, errors: Array, height: int, width: int, places: Array, weights: Array, counts: Array, bias: Array,
    classes: Array, tables: Array,
) -> None:  # fmt: skip
    """Add the class to the table of each value, for some planes; the errors of all planes are there."""
    across = width + 2 * REACH
    sums = np.empty(width, np.int32)
    for c in planes:
        for y in range(height):
            at = (c * (height + 2 * REACH) + y + REACH) * across + REACH
            n = (c * height + y) * width
            _far(errors, at, places[c], weights[c], counts[c, 1], bias[c], sums)
            for x in range(width):
                tables[n + x] += _class(sums[x], classes) * PHASES


@kernel
def _decode(
    words: Array, state: Array, values: Array, errors: Array, height: int, width: int, places: Array, weights: Array,
    counts: Array, error_places: Array, error_weights: Array, error_counts: Array, bias: Array, error_bias: Array,
    classes: Array, cdf: Array,
) -> int:  # fmt: skip
    """Fill `values`; return the place behind the last word, or -1 for a stream that is damaged."""
    at = 2
    across = width + 2 * REACH
    sums, error_sums = np.empty(width, np.int32), np.empty(width, np.int32)
    for c in range(len(bias)):
        for y in range(height):
            first = (c * (height + 2 * REACH) + y + REACH) * across + REACH
            _far(values, first, places[c], weights[c], counts[c, 0], bias[c], sums)
            _far(errors, first, error_places[c], error_weights[c], error_counts[c, 0], error_bias[c], error_sums)
            for x in range(width):
                place = first + x
                guess = _guess(_near(values, place, places[c], weights[c], counts[c], sums[x]))
                total = _near(errors, place, error_places[c], error_weights[c], error_counts[c], error_sums[x])
                middle = (guess + 4) >> 3
                row = cdf[_class(total, classes) * PHASES + (guess - 8 * middle + 4)]
                slot = state[0] & np.uint64(0xFFFF)
                symbol = np.int64(rans.search(row, slot, np.uint64(0), np.uint64(SYMBOLS)))
                at = rans.take(words, state, at, row[symbol], row[symbol + 1] - row[symbol], _BITS)
                if at < 0:
                    return -1
                value: Any = middle + symbol - RANGE
                if symbol == SYMBOLS - 1:
                    value = np.int64(state[0] & np.uint64(0xFFFF)) >> np.int64(8)
                    at = rans.take(words, state, at, value << 8, 256, _BITS)
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


def symbols_of(
    planes: NDArray[np.int8], prior: PlanesPrior, threads: int = 1
) -> tuple[NDArray[np.int16], NDArray[np.int32], NDArray[np.int16]]:
    """Return what a prior makes of planes, int8 (C, H, W).

    Args:
        planes: the values.
        prior: for C planes.
        threads: that share the planes; they change nothing.

    Returns:
        For each value in coding order its symbol and its table (class * PHASES + phase); then the errors in eighths,
        int16 (C, H + 2 REACH, W + 2 REACH), zeros around them.
    """
    count, height, width = planes.shape
    values = _padded(height, width, count)
    values[:, REACH:-REACH, REACH:-REACH] = planes
    errors = np.zeros_like(values)
    symbols, tables = np.empty(planes.size, np.int16), np.empty(planes.size, np.int32)
    ordered = prior.ordered(height, width)
    predict: Any = _predict
    classify: Any = _classify

    def first(some: NDArray[np.int64]) -> None:
        predict(some, values.reshape(-1), errors.reshape(-1), height, width, *ordered[:3], prior.bias, symbols, tables)

    def second(some: NDArray[np.int64]) -> None:
        classify(some, errors.reshape(-1), height, width, *ordered[3:], prior.error_bias, prior.classes, tables)

    shares = [np.arange(number, count, threads) for number in range(threads)]
    if threads == 1:
        first(shares[0])
        second(shares[0])
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(first, shares))
            list(pool.map(second, shares))
    return symbols, tables, errors


def encode(planes: NDArray[np.int8], prior: PlanesPrior, threads: int = 1) -> bytes:
    """Return the code of planes, int8 (C, H, W); the threads that share the work change nothing.

    Raises:
        ValueError: the prior is for another number of planes.
    """
    if planes.ndim != 3 or planes.shape[0] != prior.planes:
        raise ValueError(f"a prior for {prior.planes} planes does not fit an array of the shape {planes.shape}")
    values = np.ascontiguousarray(planes, np.int8)
    symbols, tables, _ = symbols_of(values, prior, threads)
    cdf = prior.cdf.reshape(-1, SYMBOLS + 1)
    starts = cdf[tables, symbols]
    freqs = cdf[tables, symbols + 1] - starts
    out = np.flatnonzero(symbols == SYMBOLS - 1)
    if len(out):
        escapes = (values.reshape(-1)[out].astype(np.int32) + 128).astype(np.uint32)
        starts = np.insert(starts, out + 1, escapes << 8)
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
                 *prior.ordered(height, width), prior.bias, prior.error_bias, prior.classes,
                 prior.cdf.reshape(-1, SYMBOLS + 1))  # fmt: skip
    if at < 0:
        raise CorruptError("the code of the latents is damaged")
    rans.check_end(words, state, int(at))
    return values[:, REACH:-REACH, REACH:-REACH].astype(np.int8)
