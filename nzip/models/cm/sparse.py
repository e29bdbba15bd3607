"""The kernel that writes a kept state out again."""

from __future__ import annotations

from nzip.entropy.integers import Array, i64, u64
from nzip.entropy.jit import bare


@bare
def spread(gaps: Array, values: Array, out: Array) -> None:
    """Write `values` to `out`, each so many bytes (1 or more) behind the one before; the first counts from -1."""
    at = i64(-1)
    for k in range(gaps.shape[0]):
        at += i64(gaps[k])
        out[u64(at)] = values[k]
