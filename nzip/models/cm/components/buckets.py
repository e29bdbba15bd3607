"""Buckets: where a context's histories of a nibble lie, and how they are found, or taken from others.

A bucket has 16 bytes: a check and 15 bit histories, by the bits of the nibble so far. Four lie in a cache line.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u8, u64
from nzip.entropy.jit import inlined
from nzip.models.cm.layout import K1, K2, K3, K4


@inlined
def hashed(first: int, second: int, third: int, salt: int) -> Any:
    """Return the hash of up to three masked sources; `salt` keeps contexts apart."""
    t = u64(u64(u64(first * u64(K1)) ^ u64(second * u64(K2))) + u64(third * u64(K3)))
    t = u64(u64(u64(t ^ (t >> u64(29))) + u64(salt)) * u64(K3))
    return u64(u64(t ^ (t >> u64(32))) * u64(K4))


@inlined
def rehashed(t: int, grown: int) -> Any:
    """Return the hash for a byte's second nibble; `grown` is a one and the first nibble."""
    t = u64(u64(t ^ u64(u64(grown) * u64(K1))) * u64(K3))
    return u64(u64(t ^ (t >> u64(32))) * u64(K2))


@inlined
def check_of(t: int) -> Any:
    """Return the byte by which a bucket knows its context."""
    return u8(t >> u64(16))


@inlined
def claimed(slots: Array, slots64: Array, place: int, check: int) -> Any:
    """Return where the bucket of a context lies: at `place` or in one of two others of its cache line.

    Where it is in none, the least used of them is emptied for it.
    """
    if slots[u64(place)] != check:
        second = place ^ 16
        third = place ^ 32
        if slots[u64(second)] == check:
            place = second
        elif slots[u64(third)] == check:
            place = third
        else:
            # A lower state has seen fewer bits: that bucket is given up.
            if slots[u64(second + 1)] < slots[u64(place + 1)]:
                place = second
            if slots[u64(third + 1)] < slots[u64(place + 1)]:
                place = third
            slots64[u64(place >> 3)] = u64(0)
            slots64[u64((place >> 3) + 1)] = u64(0)
            slots[u64(place)] = check
    return i64(place)


@inlined
def claimed_of_two(slots: Array, slots64: Array, place: int, check: int) -> Any:
    """As `claimed`, with one other bucket and without branches."""
    other = place ^ 16
    here = i64(slots[u64(place)] == check)
    beside = i64(slots[u64(other)] == check)
    fewer = i64(slots[u64(other + 1)] < slots[u64(place + 1)])
    place = other if (1 - here) & (beside | fewer) else place
    keep = u64(u64(0) - u64(here | beside))
    w = u64(place >> 3)
    slots64[w] = u64((u64(slots64[w]) & keep) | u64(check))
    slots64[w + u64(1)] = u64(u64(slots64[w + u64(1)]) & keep)
    return i64(place)
