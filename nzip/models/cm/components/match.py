"""The match model: what followed the last bytes when they stood there before."""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u64
from nzip.entropy.jit import inlined
from nzip.models.cm.layout import K1, K2, K3


@inlined
def short_hash(last8: int, drop: int, shift: int) -> Any:
    """Return the place in the table for the last bytes: those that a shift to the left by `drop` leaves."""
    return u64(u64((last8 << drop) * u64(K1)) >> shift)


@inlined
def long_hash(last8: int, last16: int, least: int) -> Any:
    """Return a hash of the last `least` bytes, 9 to 16."""
    h = u64(u64(last8 * u64(K1)) ^ u64(u64(last16 << u64(128 - 8 * least)) * u64(K2)))
    return u64(u64(h ^ (h >> u64(32))) * u64(K3))


@inlined
def equal_before(buf: Array, pointer: int, pos: int, most: int) -> Any:
    """Return how many bytes before `pointer` are those before `pos`, `most` at most."""
    length = i64(0)
    while length < most and pointer > length and buf[u64(pointer - length - 1)] == buf[u64(pos - length - 1)]:
        length += 1
    return length


@inlined
def grade_of(length: int) -> Any:
    """Return the class (0..31) of a match's length."""
    if length < 16:
        grade = i64(length)
    elif length < 80:
        grade = i64(16 + ((length - 16) >> 3))
    else:
        grade = min(i64(24 + ((length - 80) >> 6)), i64(31))
    return grade


@inlined
def trust_of(missed: int) -> Any:
    """Return the class (0..3) of a match model's latest failures: one bit for each byte, 1 where it failed."""
    trust = i64(0)
    if missed & 15:
        trust = i64(2 + (missed & 1))
    elif missed:
        trust = i64(1)
    return trust
