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
