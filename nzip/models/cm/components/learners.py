"""Adaptive probabilities: cells that follow the bits seen, and counters of the last bytes made of them."""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u32, u64
from nzip.entropy.jit import inlined
from nzip.models.cm.layout import HALF, K1, K2, K3


@inlined
def adapted(cell: int, target: int, limit: int, rates: Array) -> Any:
    """Return `cell` (probability 22 bits, count 10 bits) after one more bit: `target` is 0 or 2^22 - 1."""
    count = i64(cell & u32(1023))
    p = i64(cell >> u32(10))
    p += ((target - p) * i64(rates[u64(count)])) >> 16
    return u32((p << 10) | (count + i64(count < limit)))


@inlined
def learn(cells: Array, cell: int, target: int, limit: int, rates: Array) -> None:
    """Let cells[cell] learn one more bit."""
    cells[u64(cell)] = adapted(u32(cells[u64(cell)]), target, limit, rates)


@inlined
def line_of(last8: int, j: int, partial: int, shift: int) -> Any:
    """Return where counter `j` (of the last j + 1 bytes) has its line for the nibble that `partial` begins."""
    known = u64(last8 & u64((u64(1) << u64(8 * (j + 1))) - u64(1)))
    t = u64(u64(known * u64(K1)) ^ u64(u64(partial + 32 * (j + 1)) * u64(K2)))
    return i64(u64(u64(t ^ (t >> u64(32))) * u64(K3)) >> shift) << 4


@inlined
def counted(counters: Array, cell: int) -> Any:
    """Return the cell of a counter; all begin at one half, where the array begins with zeros."""
    return u32(counters[u64(cell)] ^ u32(HALF))


@inlined
def count(counters: Array, cell: int, target: int, limit: int, rates: Array) -> None:
    """Let a counter's cell learn one more bit."""
    counters[u64(cell)] = u32(adapted(u32(counters[u64(cell)] ^ u32(HALF)), target, limit, rates) ^ u32(HALF))
