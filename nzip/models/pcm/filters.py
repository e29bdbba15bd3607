"""Filters that follow a gradient, in integers: components of the kernel.

A filter predicts what the stages before it left of a sample from what they left of the samples before, many of them:
normalised least mean squares (Widrow and Hoff, 1960; Nagumo and Noda, 1967). What it sees stands twice in a ring, so
that the latest of them are always side by side.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i32, i64, u64
from nzip.entropy.jit import inlined
from nzip.models.pcm.layout import FILTER, FILTER_MAX, LEVEL_MAX, STEP


@inlined
def filtered(ring: Array, weights: Array, at: int, start: int, o: int, taps: int) -> int:
    """Return what the filter with weights[o:] predicts: of ring[at + start:], `taps` values."""
    total = i64(0)
    first = at + start
    for k in range(taps):
        total += i64(ring[u64(first + k)]) * i64(weights[u64(o + k)])
    return total >> i64(FILTER)


@inlined
def follow(ring: Array, weights: Array, at: int, start: int, o: int, taps: int, gain: int) -> None:
    """Change the weights by what the filter saw, times `gain`."""
    g = i32(gain)
    first = at + start
    for k in range(taps):
        w = i32(weights[u64(o + k)] + i32(i32(i32(ring[u64(first + k)] * g) + i32(1 << (STEP - 1))) >> i32(STEP)))
        weights[u64(o + k)] = min(max(w, i32(-FILTER_MAX)), i32(FILTER_MAX))


@inlined
def gain_of(level: int, predicted: int, step: int, energy: int, taps: int) -> int:
    """Return by how much weights follow where `level` came in the place of `predicted`."""
    gain = ((level - predicted) * step) // (energy // taps + 64)
    return max(min(gain, i64(LEVEL_MAX)), i64(-LEVEL_MAX))


@inlined
def push(ring: Array, at: int, start: int, taps: int, level: int) -> int:
    """Put `level` in the place of the oldest value of a ring; return by how much its energy grows."""
    old = i64(ring[u64(at + start)])
    ring[u64(at + start)] = i32(level)
    ring[u64(at + start + taps)] = i32(level)
    return level * level - old * old
