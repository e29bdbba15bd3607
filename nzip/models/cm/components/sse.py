"""Secondary symbol estimation: what a mixed probability turned out to mean, by context.

A context's row has 16 knots over the stretch domain, and what lies between two of them is interpolated. A cell is that
of a map (`learners`), xor what its knot starts with, so that an array of zeros is the identity.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u32, u64
from nzip.entropy.jit import inlined
from nzip.models.cm.components.learners import adapted
from nzip.models.cm.layout import STRETCH_MAX


@inlined
def spot_of(mixed: int) -> Any:
    """Return where `mixed` lies in a row: its knot, and 256ths of the way to the next."""
    return ((mixed + STRETCH_MAX + 1) * 5) >> 3


@inlined
def row_of(hash_: int, partial: int) -> Any:
    """Return the row for a hash of 16 bits and the bits of this byte so far."""
    return hash_ ^ (partial * 0x9E35)


@inlined
def between(sse: Array, cell: int, start0: int, start1: int, part: int) -> Any:
    """Return 16 bits of probability: `part` / 256 of the way from `cell` to the next."""
    p0 = i64((sse[u64(cell)] ^ start0) >> u32(10))
    p1 = i64((sse[u64(cell + 1)] ^ start1) >> u32(10))
    return (p0 * (256 - part) + p1 * part) >> 14


@inlined
def refine(sse: Array, cell: int, start: int, target: int, limit: int, rates: Array) -> None:
    """Let a cell, whose knot starts with `start`, learn one more bit."""
    sse[u64(cell)] = u32(adapted(u32(sse[u64(cell)] ^ start), target, limit, rates) ^ start)
