"""Values of tensors apart and together: a plane has one byte of each value, the one that says most comes first.

A form says how many bytes a value has, and which bits its planes have. The bytes of a number are its planes. Rotated,
the sign goes behind the first 8 bits of what follows it, so that the first plane of a bfloat16 or an IEEE 754 float of
32 bits is its exponent. Shifted, it goes behind the 8 bits after the exponent's highest one, which is 0 in values below
2: the first plane then has a digit of the fraction too, and the second one has 7 bits.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i64, u8, u64
from nzip.entropy.jit import bare, inlined
from nzip.models.tensor.layout import ROTATED, SHIFTED

PIECE = 1 << 12  # values whose planes are made at once


@inlined
def part_first(values: Array, bits: int, form: int, planes: Array, to: int, next_: int, first: int, stop: int) -> None:
    """Write the first two planes of values that are rotated or shifted; `bits` as a literal let a processor take many
    at once."""
    if form & ROTATED:
        for k in range(first, stop):
            planes[u64(to + k)] = u8((u64(values[u64(k)]) >> u64(bits - 9)) & u64(255))
        for k in range(first, stop):
            value = u64(values[u64(k)])
            sign, digits = u64((value >> u64(bits - 8)) & u64(128)), u64((value >> u64(bits - 16)) & u64(127))
            planes[u64(next_ + k)] = u8(sign | digits)
    else:
        for k in range(first, stop):
            planes[u64(to + k)] = u8((u64(values[u64(k)]) >> u64(bits - 10)) & u64(255))
        for k in range(first, stop):
            value = u64(values[u64(k)])
            sign, digits = u64((value >> u64(bits - 7)) & u64(64)), u64((value >> u64(bits - 16)) & u64(63))
            planes[u64(next_ + k)] = u8(sign | digits)


@bare
def part(values: Array, count: int, bits: int, form: int, planes: Array, at: int) -> None:
    """Write the planes of `count` values of `bits` bits one behind the other to `planes[at:]`."""
    first = i64(0)
    while first < count:
        stop = min(count, first + PIECE)
        if form & (ROTATED | SHIFTED):
            if bits == 16:
                part_first(values, 16, form, planes, at, at + count, first, stop)
            else:
                part_first(values, 32, form, planes, at, at + count, first, stop)
        for p in range(2 if form & (ROTATED | SHIFTED) else 0, bits >> 3):
            shift, to = u64(bits - 8 - 8 * p), at + p * count
            for k in range(first, stop):
                planes[u64(to + k)] = u8((u64(values[u64(k)]) >> shift) & u64(255))
        first = stop


@inlined
def join_first(values: Array, bits: int, form: int, planes: Array, at: int, next_: int, first: int, stop: int) -> None:
    """Undo `part_first`."""
    if form & ROTATED:
        for k in range(first, stop):
            one, two = u64(planes[u64(at + k)]), u64(planes[u64(next_ + k)])
            values[u64(k)] = (
                u64((two & u64(128)) << u64(bits - 8)) | u64(one << u64(bits - 9))
                | u64((two & u64(127)) << u64(bits - 16))
            )  # fmt: skip
    else:
        for k in range(first, stop):
            one, two = u64(planes[u64(at + k)]), u64(planes[u64(next_ + k)])
            values[u64(k)] = (
                u64((two & u64(64)) << u64(bits - 7)) | u64(one << u64(bits - 10))
                | u64((two & u64(63)) << u64(bits - 16))
            )  # fmt: skip


@bare
def join(values: Array, count: int, bits: int, form: int, planes: Array, at: int) -> None:
    """Undo `part`: `values` are zeros before."""
    first = i64(0)
    while first < count:
        stop = min(count, first + PIECE)
        if form & (ROTATED | SHIFTED):
            if bits == 16:
                join_first(values, 16, form, planes, at, at + count, first, stop)
            else:
                join_first(values, 32, form, planes, at, at + count, first, stop)
        for p in range(2 if form & (ROTATED | SHIFTED) else 0, bits >> 3):
            shift, source = u64(bits - 8 - 8 * p), at + p * count
            for k in range(first, stop):
                values[u64(k)] |= u64(u64(planes[u64(source + k)]) << shift)
        first = stop


@bare
def tally(planes: Array, start: int, count: int, step: int, counts: Array, at: int) -> int:
    """Count the bytes of every `step`-th of `count` places into `counts[at : at + 256]`; return how many they were."""
    seen = i64(0)
    for k in range(start, start + count, step):
        cell = u64(at + i64(planes[u64(k)]))
        counts[cell] += 1
        seen += 1
    return seen


@bare
def squeeze(planes: Array, start: int, count: int, out: Array, to: int) -> None:
    """Write bytes below 128 with 7 bits each to `out[to:]`: 8 of them in 7 bytes, the first in the lowest bits; zeros
    for those behind the last."""
    for group in range((count + 7) >> 3):
        first = start + 8 * group
        word = u64(0)
        for k in range(min(i64(8), start + count - first)):
            word |= u64(u64(planes[u64(first + k)]) << u64(7 * k))
        for k in range(7):
            out[u64(to + 7 * group + k)] = u8((word >> u64(8 * k)) & u64(255))


@bare
def spread(data: Array, start: int, count: int, planes: Array, to: int) -> None:
    """Undo `squeeze`."""
    for group in range(count >> 3):
        word = u64(0)
        for k in range(7):
            word |= u64(u64(data[u64(start + 7 * group + k)]) << u64(8 * k))
        for k in range(8):
            planes[u64(to + 8 * group + k)] = u8((word >> u64(7 * k)) & u64(127))
    done = count >> 3 << 3
    word = u64(0)
    if done < count:
        for k in range(7):
            word |= u64(u64(data[u64(start + 7 * (done >> 3) + k)]) << u64(8 * k))
    for k in range(count - done):
        planes[u64(to + done + k)] = u8((word >> u64(7 * k)) & u64(127))
