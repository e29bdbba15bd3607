"""The mixer: gated networks in the logistic domain (Mattern, "Mixing Strategies in Data Compression", DCC 2012)."""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u64
from nzip.entropy.jit import inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.layout import STRETCH_MAX


@inlined
def bounded(x: int) -> Any:
    """Return `x` kept within the stretch domain."""
    return max(min(i64(x), i64(STRETCH_MAX)), i64(-STRETCH_MAX))


@inlined
def squashed(x: int, squash: Array) -> Any:
    """Return the probability (16 bits) that `x` of the stretch domain stands for."""
    return i64(squash[u64(x + STRETCH_MAX)])


@inlined
def row_by_source(selectors: Array, sets: int, k: int, v: Array, bit: int) -> Any:
    """Return which row of weight set `k` (of `sets`) the field of a source chooses."""
    field = u64(v[u64(selectors[2 * sets + k])]) >> u64(selectors[3 * sets + k])
    row = i64(field & u64(selectors[4 * sets + k]))
    if selectors[5 * sets + k] > 0:
        row = row * 8 + bit
    return row


@inlined
def row_by_match(seen: int, bit: int, guess: int, grade: int) -> Any:
    """Return which row the buckets in use choose, and the match's length where it expects a bit, `guess`."""
    row = seen * 72 + bit
    if guess >= 0:
        row += ((grade >> 2) + 1) * 8
    return row


@inlined
def error_of(y: int, p: int, rate: int) -> Any:
    """Return by how much weights are to learn from bit `y`, which `p` (16 bits) said would be 1."""
    return (((y << 16) - p) * rate) >> 10


@inlined
def warmth(start: int, fall: int) -> Any:
    """Return what the learning rate of a row has on top, by its uses / 4: int64 (256,)."""
    extra = zeros(256, i64)
    for k in range(256):
        extra[k] = start * fall // (fall + 4 * k)
    return extra


@inlined
def warmed(uses: Array, row: int, rate: int, extra: Array) -> Any:
    """Return the learning rate of a row that is used once more."""
    used = i64(uses[u64(row)])
    uses[u64(row)] = min(used + 1, i64(65535))
    return rate + i64(extra[u64(min(used >> 2, i64(255)))])
