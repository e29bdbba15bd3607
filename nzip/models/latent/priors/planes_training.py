"""Learns a prior over planes from arrays of latents: least squares, rounded to integers, then counts.

Nothing here takes part in coding, so floats are free; what it returns has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.entropy.cdf import freqs_to_cdf, quantise_counts
from nzip.models.latent.priors import planes as coder
from nzip.models.latent.priors.planes import PHASES, PRECISION, RANGE, REACH, SYMBOLS, WEIGHT_BITS, PlanesPrior

# Taps in the same plane: rows above, columns to the right.
AROUND = ((0, -1), (1, 0), (1, -1), (1, 1), (0, -2), (2, 0), (1, -2), (1, 2), (2, -1), (2, 1))
BEFORE = 24  # taps in earlier planes
ERRORS_AROUND = ((0, -1), (0, -2), (1, -2), (1, -1), (1, 0), (1, 1), (1, 2), (2, -1), (2, 0), (2, 1))
ERRORS_BEFORE = 18
CROSS = ((0, 0), (1, 0), (-1, 0), (0, -1), (0, 1))  # where earlier planes are asked
SPARSE = 5  # one place in so many is looked at to choose taps
CLASSES = 56
FIRST_BORDER = 2  # the least expected error, in eighths, that is told from none
ONE = 1 << WEIGHT_BITS

Latents = NDArray[np.int8]


def _shifted(padded: NDArray[Any], plane: int, above: int = 0, right: int = 0) -> NDArray[Any]:
    """Return what a tap sees at each place, flat; `padded` is (C, H + 2 REACH, W + 2 REACH)."""
    height, width = (n - 2 * REACH for n in padded.shape[1:])
    y, x = REACH - above, REACH + right
    return padded[plane, y : y + height, x : x + width].reshape(-1)


class _Sums:
    """Normal equations of one least-squares fit, added up over pieces."""

    def __init__(self, size: int) -> None:
        self.matrix = np.zeros((size, size))
        self.right = np.zeros(size)

    def add(self, rows: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None = None) -> None:
        weighted = rows if weight is None else rows * weight
        self.matrix += weighted @ rows.T
        self.right += weighted @ target

    def solve(self) -> NDArray[np.float64]:
        ridge = 1e-4 * np.trace(self.matrix) / len(self.right) + 1e-9
        return np.linalg.solve(self.matrix + ridge * np.eye(len(self.right)), self.right)

    def solve_positive(self) -> NDArray[np.float64]:
        """Coordinate descent with no number below 0."""
        found = np.maximum(self.solve(), 0)
        diagonal = np.maximum(np.diag(self.matrix), 1e-9)
        for _ in range(200):
            for k in range(len(found)):
                found[k] = max(0.0, found[k] + (self.right[k] - self.matrix[k] @ found) / diagonal[k])
        return found


def _choose(padded: Sequence[NDArray[Any]], plane: int) -> list[tuple[int, int, int]]:
    """Return a plane's taps: those around, and those in earlier planes that say most when all are asked."""
    around = [(0, above, right) for above, right in AROUND]
    candidates = [(plane - c, above, right) for c in range(plane) for above, right in CROSS]
    for most in (4 * BEFORE, BEFORE):
        if len(candidates) > most:
            sums = _Sums(len(around) + len(candidates))
            for array in padded:
                rows = _rows(array, plane, around + candidates)[:, ::SPARSE]
                sums.add(rows, _shifted(array, plane)[::SPARSE])
            gain = (sums.solve() ** 2 * np.diag(sums.matrix))[len(around) :]
            candidates = [candidates[k] for k in sorted(np.argsort(-gain)[:most])]
    return around + candidates


def _rows(array: NDArray[Any], plane: int, taps: Sequence[tuple[int, int, int]]) -> NDArray[np.float32]:
    """Return what taps see at each place, float32 (K, H W)."""
    return np.stack([_shifted(array, plane - d, a, r) for d, a, r in taps]).astype(np.float32)


def _rows_and_one(array: NDArray[Any], plane: int, taps: Sequence[tuple[int, int, int]]) -> NDArray[np.float32]:
    """Return the same, and a row of ones for the constant."""
    rows = _rows(array, plane, taps)
    return np.concatenate([rows, np.ones((1, rows.shape[1]), np.float32)])


def _tables(counts: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the tables (S, PHASES, SYMBOLS + 1) of counts (S, PHASES, SYMBOLS)."""
    return np.stack([freqs_to_cdf(quantise_counts(kind, PRECISION)) for kind in counts])


def learn(pieces: Iterable[Latents], passes: int = 2) -> PlanesPrior:
    """Return a prior for latents like `pieces`, int8 (C, H, W) each, all with the same C.

    Raises:
        ValueError: there is nothing to learn from.
    """
    arrays = [np.asarray(piece, np.int8) for piece in pieces]
    if not arrays:
        raise ValueError("a prior needs latents to learn from")
    count = arrays[0].shape[0]
    edge = ((0, 0), (REACH, REACH), (REACH, REACH))
    padded = [np.pad(array, edge).astype(np.float32) for array in arrays]
    chosen = [_choose(padded, plane) for plane in range(count)]
    most = max(map(len, chosen))
    taps = np.zeros((count, most, 3), np.int16)
    taps[:, :, 2] = -1
    weights, bias = np.zeros((count, most), np.int32), np.zeros(count, np.int32)
    for plane, own in enumerate(chosen):
        taps[plane, : len(own)] = own
        sums = _Sums(len(own) + 1)
        for array in padded:
            sums.add(_rows_and_one(array, plane, own), _shifted(array, plane))
        found = np.rint(sums.solve() * ONE).astype(np.int32)
        weights[plane, : len(own)], bias[plane] = found[:-1], found[-1]
    borders = np.unique(np.rint(np.geomspace(FIRST_BORDER, 8 * 90, CLASSES - 1)).astype(np.int32))
    # Errors do not hang on classes, nor classes on tables: each is learned with what comes after it left plain.
    plain = _tables(np.ones((len(borders) + 1, PHASES, SYMBOLS), np.int64))
    nothing = np.zeros((count, 1), np.int32)
    prior = PlanesPrior(taps, weights, bias, taps[:, :1], nothing, nothing[:, 0], borders, plain)
    errors = [coder.symbols_of(piece, prior)[2].astype(np.float32) for piece in arrays]
    error_taps, error_weights, error_bias = _learn_errors(errors, passes)
    prior = replace(prior, error_taps=error_taps, error_weights=error_weights, error_bias=error_bias)
    counts = np.zeros((len(borders) + 1) * PHASES * SYMBOLS, np.int64)
    for piece in arrays:
        symbols, tables, _ = coder.symbols_of(piece, prior)
        counts += np.bincount(tables * SYMBOLS + symbols, minlength=len(counts))
    return replace(prior, cdf=_tables(_smoothed(counts.reshape(-1, PHASES, SYMBOLS))))


def _learn_errors(errors: Sequence[NDArray[np.float32]], passes: int) -> tuple[Any, Any, Any]:
    """Return taps, weights and bias of the expected error: weighted least squares, so small errors count as well."""
    count = len(errors[0])
    most = len(ERRORS_AROUND) + ERRORS_BEFORE
    taps = np.zeros((count, most, 3), np.int16)
    taps[:, :, 2] = -1
    out_weights, out_bias = np.zeros((count, most), np.int32), np.zeros(count, np.int32)
    for plane in range(count):
        around = [(0, above, right) for above, right in ERRORS_AROUND]
        others = [(plane - c, above, right) for c in range(plane) for above, right in CROSS]
        own = around + others
        found = np.full(len(own) + 1, 1.0 / len(own))
        for step in range(passes + 1):
            choosing = step == 0 and len(own) > most
            sums = _Sums(len(own) + 1)
            for array in errors:
                rows, target = _rows_and_one(array, plane, own), _shifted(array, plane)
                if choosing:
                    rows, target = rows[:, ::SPARSE], target[::SPARSE]
                weight = (1 / np.maximum(found.astype(np.float32) @ rows, 1.0)) ** 2
                sums.add(rows, target, weight)
            found = sums.solve_positive()
            if choosing:
                gain = (found**2 * np.diag(sums.matrix))[len(around) : -1]
                best = sorted(np.argsort(-gain)[:ERRORS_BEFORE])
                own = around + [others[k] for k in best]
                kept = [*range(len(around)), *(len(around) + int(k) for k in best), -1]
                found = found[kept]
        rounded = np.rint(found * ONE).astype(np.int32)
        taps[plane, : len(own)] = own
        out_weights[plane, : len(own)], out_bias[plane] = rounded[:-1], rounded[-1]
    return taps, out_weights, out_bias


def _smoothed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return counts (S, PHASES, SYMBOLS) with a share of what a Laplace distribution of the class's own width says."""
    offsets = np.arange(-RANGE, RANGE + 1)
    phase = (np.arange(PHASES) - 4) / 8
    out = np.zeros(counts.shape, np.float64)
    last = 0.1
    for kind in range(len(counts)):
        inside = counts[kind, :, :-1]
        distance = np.abs(offsets[None] - phase[:, None])
        total = inside.sum()
        width = (inside * distance).sum() / total if total > 50 else last * 1.15
        last = width = max(float(width), 0.02)
        edges = (np.arange(-RANGE, RANGE + 2) - 0.5)[None] - phase[:, None]
        below = np.where(edges < 0, 0.5 * np.exp(edges / width), 1 - 0.5 * np.exp(-edges / width))
        shape = np.concatenate([np.diff(below, axis=1), np.exp(-RANGE / width) * np.ones((PHASES, 1))], 1)
        shape = np.maximum(shape / shape.sum(1, keepdims=True), 2e-6)
        out[kind] = counts[kind] + shape * (30 + 0.01 * counts[kind].sum(1, keepdims=True))
    return np.rint(out * 1000).astype(np.int64) + 1
