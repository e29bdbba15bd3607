"""Values by how far they are from those of an older tensor, which both sides have.

Floats are counted in order, so that neighbours differ by 1, also around zero: a negative one, whose digits grow away
from zero, has all its bits but the sign turned over. A difference is taken modulo 2^bits. For tables it is folded, so
that small ones of both signs are small numbers; for mixing it is how many binary digits it has, its sign, and what
stands behind its highest digit.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i64, u8, u64, width
from nzip.entropy.jit import bare, inlined


@inlined
def in_order(value: int, bits: int, real: int) -> int:
    """Return a value's place among all of `bits` bits, modulo 2^bits; and of a place the value."""
    top = u64(u64(1) << u64(bits - 1))
    return u64(value ^ (top - u64(1))) if real > 0 and value & top > u64(0) else u64(value)


@inlined
def mask_of(bits: int) -> int:
    """Return `bits` ones."""
    return u64(u64(0xFFFFFFFFFFFFFFFF) >> u64(64 - bits))


@bare
def keyed(old: Array, count: int, bits: int, keys: Array) -> None:
    """Write what tells the sizes of older values apart, 8 bits behind the sign (of bytes all), to `keys` (uint8)."""
    drop = u64(max(bits - 9, i64(0)))
    for k in range(count):
        keys[u64(k)] = u8((u64(old[u64(k)]) >> drop) & u64(255))


@bare
def placed(keys: Array, count: int, starts: Array, places: Array) -> None:
    """Write where each value goes when they are sorted by their keys to `places` (int32); `starts` (int64[256]), where
    each key's begin, end where these end."""
    for k in range(count):
        key = u64(keys[u64(k)])
        places[u64(k)] = starts[key]
        starts[key] += 1


@bare
def folded(values: Array, old: Array, count: int, bits: int, real: int, places: Array, out: Array) -> None:
    """Write the differences of values, folded, to their places in `out`."""
    mask, high = mask_of(bits), u64(bits - 1)
    for k in range(count):
        there = in_order(u64(old[u64(k)]), bits, real)
        d = u64((in_order(u64(values[u64(k)]), bits, real) - there) & mask)
        turned = mask if d >> high > u64(0) else u64(0)
        out[u64(places[u64(k)])] = u64(u64((d << u64(1)) & mask) ^ turned)


@bare
def unfolded(differences: Array, old: Array, count: int, bits: int, real: int, places: Array, out: Array) -> None:
    """Undo `folded`."""
    mask = mask_of(bits)
    for k in range(count):
        z = u64(differences[u64(places[u64(k)])])
        d = u64((z >> u64(1)) ^ (mask if z & u64(1) > u64(0) else u64(0)))
        there = in_order(u64(old[u64(k)]), bits, real)
        out[u64(k)] = in_order(u64((there + d) & mask), bits, real)


@bare
def measured(values: Array, old: Array, count: int, bits: int, real: int, planes: Array) -> None:
    """Write planes to `planes`, one behind the other: a difference's binary digits; then, from the highest byte on, its
    sign and the digits behind the highest one."""
    mask, high = mask_of(bits), u64(bits - 1)
    for k in range(count):
        there = in_order(u64(old[u64(k)]), bits, real)
        d = u64((in_order(u64(values[u64(k)]), bits, real) - there) & mask)
        sign = u64(d >> high)
        size = u64((u64(0) - d) & mask) if sign > u64(0) else d
        digits = width(i64(size))
        rest = u64(u64(size << u64(bits - digits)) & (mask >> u64(1))) if digits > 0 else u64(0)
        rest = u64(rest | u64(sign << high))
        planes[u64(k)] = u8(digits)
        for p in range(bits >> 3):
            planes[u64((p + 1) * count + k)] = u8((rest >> u64(bits - 8 - 8 * p)) & u64(255))


@bare
def unmeasured(planes: Array, old: Array, count: int, bits: int, real: int, out: Array) -> None:
    """Undo `measured`; whatever planes hold gives values."""
    mask, high = mask_of(bits), u64(bits - 1)
    for k in range(count):
        digits = min(i64(planes[u64(k)]), i64(bits))
        rest = u64(0)
        for p in range(bits >> 3):
            rest = u64(u64(rest << u64(8)) | u64(planes[u64((p + 1) * count + k)]))
        d = u64(0)
        if digits > 0:
            d = u64(u64(rest | u64(u64(1) << high)) >> u64(bits - digits))
            if rest >> high > u64(0):
                d = u64((u64(0) - d) & mask)
        there = in_order(u64(old[u64(k)]), bits, real)
        out[u64(k)] = in_order(u64((there + d) & mask), bits, real)
