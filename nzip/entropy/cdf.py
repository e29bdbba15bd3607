"""Integer frequencies for the multi-symbol coders, from counts or from float probabilities.

The coders want positive integers that sum to a power of two. Quantising is the place where floats could leak a
machine's rounding into a file, so it is done in integers: counts are scaled by integer division and the rest is given
out by largest remainders (Hamilton's method), ties to the lower index; floats become integers first, by steps that
IEEE 754 makes exact.

Invariants of every result: shape of the input, dtype uint32, each row sums to 2^precision, and every symbol that may
occur has at least 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

MAX_PRECISION = 24
_SUM_BITS = 38  # rows are scaled down to sums under 2^38, so that sum * 2^24 stays under 2^63
_FLOAT_BITS = 36  # bits kept of the largest float of a row

Freqs = npt.NDArray[np.uint32]


def quantise_counts(counts: npt.ArrayLike, precision: int, *, keep_zeros: bool = False) -> Freqs:
    """Return frequencies in proportion to `counts`.

    Args:
        counts: non-negative integers below 2^62, shape (V,) or (B, V).
        precision: log2 of the sum of each row, 1..24.
        keep_zeros: give symbols of count 0 frequency 0 (they can then not be coded) in place of 1.

    Returns:
        uint32 of the same shape. Beside the 1 that each symbol has, a symbol differs from its exact share of what is
        left by less than 1 (by less than 1 + V / 2^13 where the counts sum to 2^38 or more), so the cost is that of the
        uniform part: V / 2^precision of the probability.

    Raises:
        ValueError: a count is negative or too large, a row is all zero, the precision is out of range or too small
            for the number of symbols.

    >>> quantise_counts([0, 1, 2, 3], 5).tolist()
    [1, 6, 10, 15]
    """
    table = np.asarray(counts)
    if table.dtype.kind not in "iu" or table.ndim not in (1, 2) or table.shape[-1] == 0:
        raise ValueError(f"counts must be integers of shape (V,) or (B, V), not {table.dtype} of shape {table.shape}")
    if not 1 <= precision <= MAX_PRECISION:
        raise ValueError(f"precision {precision} is not in 1..{MAX_PRECISION}")
    if table.size and (int(table.min()) < 0 or int(table.max()) >= 1 << 62):
        raise ValueError("counts must be 0 or more and below 2^62")
    rows = np.atleast_2d(table).astype(np.int64)
    out = np.stack([_quantise_row(row, precision, keep_zeros) for row in rows]) if len(rows) else rows.astype(np.uint32)
    return out.reshape(table.shape)


def _quantise_row(row: npt.NDArray[np.int64], precision: int, keep_zeros: bool) -> Freqs:
    used = row > 0
    if not used.any():
        raise ValueError("a row of counts is all zero")
    floor = used.astype(np.int64) if keep_zeros else np.ones_like(row)
    left = (1 << precision) - int(floor.sum())
    if left < 0:
        raise ValueError(f"{int(floor.sum())} symbols need more than the {1 << precision} of precision {precision}")
    # Python's integers for the sum: V counts below 2^62 do not fit in 64 bits.
    shift = max(0, sum(row.tolist()).bit_length() - _SUM_BITS) if row.max() >= 1 << 20 else 0
    scaled = row >> shift
    total = int(scaled.sum())
    shares, remainders = np.divmod(scaled * left, total)
    rest = left - int(shares.sum())
    # A stable sort gives ties to the lower index.
    first = np.argsort(-remainders, kind="stable")[:rest]
    shares[first] += 1
    return (shares + floor).astype(np.uint32)


def quantise_floats(probabilities: npt.ArrayLike, precision: int) -> Freqs:
    """Return frequencies in proportion to `probabilities`, which need not sum to 1.

    Each row is scaled by a power of two and cut to integers of at most 36 bits, both of which are exact; the integers
    then go through `quantise_counts`. So float32 and float64 tables of equal values give the same frequencies,
    everywhere.

    Args:
        probabilities: float16, float32 or float64, finite and non-negative, shape (V,) or (B, V).
        precision: log2 of the sum of each row, 1..24.

    Returns:
        uint32 of the same shape; every symbol has at least 1.

    Raises:
        ValueError: a value is negative, infinite or not a number, a row is all zero, or as `quantise_counts`.
    """
    table = np.asarray(probabilities)
    if table.dtype.kind != "f" or table.dtype.itemsize > 8 or table.ndim not in (1, 2) or table.shape[-1] == 0:
        raise ValueError(f"floats of shape (V,) or (B, V) are needed, not {table.dtype} of shape {table.shape}")
    if not np.isfinite(table).all() or (table < 0).any():
        raise ValueError("probabilities must be finite and not negative")
    rows = table.astype(np.float64)
    peak = rows.max(axis=-1, keepdims=True)
    if (peak == 0).any():
        raise ValueError("a row of probabilities is all zero")
    exponent = np.frexp(peak)[1]
    # Two steps, since one power of two may lie outside the range of float64.
    half = (_FLOAT_BITS - exponent) // 2
    weights = np.floor(np.ldexp(np.ldexp(rows, half), _FLOAT_BITS - exponent - half))
    return quantise_counts(weights.astype(np.int64), precision)


def freqs_to_cdf(freqs: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Return the cumulative frequencies of each row, from 0 to the sum: shape (V + 1,) or (B, V + 1), uint32.

    Raises:
        ValueError: `freqs` is not of integers, or a row sums to more than 2^24.
    """
    table = np.asarray(freqs)
    if table.dtype.kind not in "iu" or table.ndim not in (1, 2):
        raise ValueError(f"integer frequencies of shape (V,) or (B, V) are needed, not {table.dtype}")
    # Each one first: a sum of large ones could wrap around to a small one.
    good = not table.size or (int(table.min()) >= 0 and int(table.max()) <= 1 << MAX_PRECISION)
    sums = np.cumsum(table.astype(np.int64), axis=-1)
    if not good or (table.size and int(sums[..., -1].max()) > 1 << MAX_PRECISION):
        raise ValueError(f"frequencies must be 0 or more and sum to at most 2^{MAX_PRECISION}")
    zeros = np.zeros((*table.shape[:-1], 1), np.int64)
    return np.concatenate([zeros, sums], axis=-1).astype(np.uint32)


def code_length_bits(symbols: npt.ArrayLike, freqs: npt.ArrayLike) -> float:
    """Return the ideal code length of `symbols` in bits under one table of frequencies (a report, never coded with)."""
    table = np.asarray(freqs, np.float64)
    return float(-np.log2(table[np.asarray(symbols)] / table.sum()).sum())


def entropy_bits(freqs: npt.ArrayLike) -> float:
    """Return the entropy of a table of frequencies in bits a symbol (a report, never coded with)."""
    table = np.asarray(freqs, np.float64)
    shares: Any = table[table > 0] / table.sum()
    return float(-(shares * np.log2(shares)).sum())


def check_symbols(symbols: npt.ArrayLike, alphabet: int) -> npt.NDArray[np.int32]:
    """Return `symbols` as int32, shape (n,), contiguous; ValueError unless they are integers in 0..alphabet-1."""
    array = np.asarray(symbols)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"symbols must be integers of shape (n,), not {array.dtype} of shape {array.shape}")
    if array.size and (array.min() < 0 or array.max() >= alphabet):
        raise ValueError(f"symbols must lie in 0..{alphabet - 1}")
    return np.ascontiguousarray(array, np.int32)


def check_intervals(
    starts: npt.ArrayLike, freqs: npt.ArrayLike, totals: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return starts and freqs as int64, shape (n,); ValueError unless each interval is non-empty and in its total.

    Args:
        starts, freqs: integers, shape (n,).
        totals: int64, shape (n,) or (), at least 0.
    """
    low, width = np.asarray(starts), np.asarray(freqs)
    if low.ndim != 1 or low.shape != width.shape:
        raise ValueError(f"starts and freqs must have one shape (n,), not {low.shape} and {width.shape}")
    if low.size and (low.dtype.kind not in "iu" or width.dtype.kind not in "iu"):
        raise ValueError(f"starts and freqs must be integers, not {low.dtype} and {width.dtype}")
    # A uint64 too large for int64 becomes negative here, and is refused as such. The differences cannot wrap.
    low, width = low.astype(np.int64), width.astype(np.int64)
    if low.size and (low.min() < 0 or width.min() < 1 or (low > np.asarray(totals) - width).any()):
        raise ValueError("every interval must be non-empty and lie within its total")
    return low, width


def check_count(count: int) -> None:
    """Raise ValueError where a number of symbols is negative."""
    if count < 0:
        raise ValueError(f"count {count} is negative")
