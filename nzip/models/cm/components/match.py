"""The match model: what followed the last bytes when they stood there before."""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.models.cm.layout import K1, K2, K3, MATCH_VERIFY, RECOVERED


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


@bare
def verified(buf: Array, pointer: int, pos: int, least: int) -> Any:
    """Return the length of a match of which `pointer` is the next byte; 0 for less than `least`."""
    length = equal_before(buf, pointer, pos, i64(MATCH_VERIFY))
    if length < least:
        length = i64(0)
    return length


@bare
def looked_up(table: Array, place: int, buf: Array, pos: int, least: int, pointer: int, length: int) -> Any:
    """Return (pointer, length) of the match before byte `pos`: if there is none, one where `table` saw its hash last.

    The table then knows `pos` for that.
    """
    if length == 0:
        pointer = i64(table[u64(place)])
        length = verified(buf, pointer, pos, least)
    table[u64(place)] = u32(pos)
    return pointer, length


@inlined
def failed(missed: int) -> Any:
    """Return the latest failures after one more."""
    return ((missed << 1) | 1) & 255


@inlined
def followed(buf: Array, last: int, pointer: int, length: int, missed: int) -> Any:
    """Return (pointer, length, missed) of a match after the byte `last`; its length is 0 where it was another one."""
    if length > 0 and i64(buf[u64(pointer)]) == last:
        length = min(length + 1, i64(65535))
        pointer += 1
        missed = (missed << 1) & 255
    else:
        if length > 0:
            missed = failed(missed)
        length = i64(0)
    return pointer, length, missed


@inlined
def held(missed: int) -> Any:
    """Return 1 if a match that failed goes on behind the byte that differed: not where it failed often of late."""
    often = i64(0)
    for bit in range(8):
        often += (missed >> bit) & 1
    return i64(often <= 4)


@bare
def recovered(buf: Array, pos: int, least: int, pointer: int, missed: int, candidate: int) -> Any:
    """Return (pointer, length) of a match that failed at the byte before: it goes on behind that, or gives way to one
    that `candidate` leads to, the byte before the one expected next (0 for none)."""
    length = i64(0)
    if pointer > 0 and held(missed) > 0:
        pointer += 1
        length = i64(1)
    if candidate > 0:
        known = verified(buf, candidate + 1, pos, least)
        if known > 0 and (length == 0 or known >= RECOVERED):
            pointer = candidate + 1
            length = known
    return pointer, length


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
