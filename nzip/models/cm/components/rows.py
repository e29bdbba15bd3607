"""Rows: what the byte to come may be in lines of fields (logs, tables, JSON, XML).

The line is aligned with the latest one that began with the same shape (its letters, and a mark for each number). From
there come four guesses of the byte to come: the byte that stands there; the number there after one more step; a number,
or a time of the day, that follows from one before it in this line; and a token that was copied from a few tokens
before, again. Each has a cell of an adaptive map by how often it was right in this place. What is known is kept in
`fields`; docs/reference/CM.md says what each number of it means.

That lines have types with fields that can be aligned is what parsers of logs know (Liu et al., "Logzip", ASE 2019; Yu
et al., "Unlocking the Power of Numbers", ASE 2024); here they are no columns but inputs of the mixer.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i64, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.models.cm.components.sources import class_of
from nzip.models.cm.layout import (
    K1,
    K2,
    K3,
    K5,
    KEYED,
    LINES,
    R_AGREE,
    R_ALIGNED,
    R_BYTES,
    R_CELLS,
    R_CLOCK,
    R_CLOCKED,
    R_CLOCKS,
    R_COLUMN,
    R_COPY,
    R_COUNT,
    R_DIGITS,
    R_FULL,
    R_HEX,
    R_KEY,
    R_LEAD,
    R_LINE,
    R_NOTES,
    R_NUMBER,
    R_NUMBERS,
    R_OFFSET,
    R_PLACES,
    R_QUOTED,
    R_SHAPE,
    R_SHAPE1,
    R_SHAPE2,
    R_SINCE,
    R_SIZE,
    R_SPOT,
    R_STAMP,
    R_STEPPED,
    R_TIME,
    R_TOKEN,
    R_TOKENS,
    R_WIDTH,
    R_ZERO,
)
from nzip.models.cm.presets import ALIGNED, BESIDE, CELL, FIRSTCELL, GUESSES, LINESHAPE, SPOT, UNLIKE

DAY = 86400
DIFFERS = 32  # added to how a number differs, and once more for each byte since, up to five times
OTHER = 31  # how what is no number differs


@inlined
def joined(a: int, b: int) -> Any:
    """Return a hash of two hashes."""
    t = u64(u64(u64(a ^ u64(b * u64(K2))) + u64(K5)) * u64(K3))
    return u64(t ^ (t >> u64(29)))


@inlined
def grown(hash_: int, c: int) -> Any:
    """Return the hash of what `hash_` stands for and one more byte."""
    return u64(u64(hash_ + u64(c + 1)) * u64(K5))


@inlined
def kind_of(c: int) -> Any:
    """Return 1, 2, 3 for a letter, a digit, another byte."""
    return max(class_of(c) - 1, i64(1)) if class_of(c) < 4 else i64(3)


@bare
def clock_at(buf: Array, at: int, end: int) -> Any:
    """Return the seconds of the day that `hh:mm:ss` (or with two points) at `at` says; -1 where it is not there."""
    t = i64(-1)
    if at > 0 and at + 8 <= end and class_of(i64(buf[u64(at - 1)])) != 3:
        mark = i64(buf[u64(at + 2)])
        if (mark == 58 or mark == 46) and i64(buf[u64(at + 5)]) == mark:
            t = i64(0)
            wrong = i64(0)
            for k in range(3):
                tens = i64(buf[u64(at + 3 * k)]) - 48
                ones = i64(buf[u64(at + 3 * k + 1)]) - 48
                wrong |= i64(tens < 0) | i64(tens > 5) | i64(ones < 0) | i64(ones > 9)
                t = t * 60 + tens * 10 + ones
            if wrong > 0 or t >= DAY:
                t = i64(-1)
    return t


@inlined
def follow_digits(fields: Array, o: int, c: int) -> None:
    """Go on along what is written at `o`, or leave it where `c` is something else."""
    at = i64(fields[u64(o + 1)])
    if at < i64(fields[u64(o)]) and i64(fields[u64(o + R_DIGITS + at)]) == c:
        fields[u64(o + 1)] = u64(at + 1)
    else:
        fields[u64(o)] = u64(0)
        fields[u64(o + 1)] = u64(0)


@bare
def write_number(fields: Array, o: int, value: int, note: int) -> None:
    """Write a number at `o`, as wide as the one that `note` tells of where that began with a zero."""
    fields[u64(o)] = u64(0)
    fields[u64(o + 1)] = u64(0)
    if value >= 0:
        size = i64(1)
        rest = value // 10
        while rest > 0:
            rest = rest // 10
            size += 1
        if note & 32:
            size = max(size, note & 31)
        if size <= 18:
            fields[u64(o)] = u64(size)
            rest = value
            for k in range(size):
                fields[u64(o + R_DIGITS + size - 1 - k)] = u64(48 + rest % 10)
                rest = rest // 10


@bare
def write_clock(fields: Array, o: int, t: int, mark: int) -> None:
    """Write a time of the day at `o`."""
    fields[u64(o)] = u64(8)
    fields[u64(o + 1)] = u64(0)
    for k in range(3):
        part = t % 60
        t = t // 60
        fields[u64(o + R_DIGITS + 6 - 3 * k)] = u64(48 + part // 10)
        fields[u64(o + R_DIGITS + 7 - 3 * k)] = u64(48 + part % 10)
    fields[u64(o + R_DIGITS + 2)] = u64(mark)
    fields[u64(o + R_DIGITS + 5)] = u64(mark)


@bare
def end_number(fields: Array) -> None:
    """Note the number that has just ended in the entry of its place."""
    size = i64(fields[R_WIDTH])
    if size <= 18:
        spot = u64(fields[R_SPOT])
        o = R_NUMBERS + 4 * i64(spot >> u64(53))
        value = i64(fields[R_NUMBER])
        note = u64(fields[u64(o + 3)])
        step = i64(0)
        same = i64(0)
        one = i64(0)
        stepped = i64(0)
        offset = i64(0)
        if (note >> u64(22)) == (spot & u64((1 << 42) - 1)):
            m = i64(note & u64(0x3FFFFF))
            step = value - i64(fields[u64(o)])
            same = (m >> 6) & 15
            same = min(same + 1, i64(15)) if u64(step + R_ZERO) == u64(fields[u64(o + 1)]) else same >> 1
            one = (m >> 10) & 15
            one = min(one + 1, i64(15)) if step == 1 else one >> 1
            right = i64(fields[R_STEPPED] > u64(0)) & i64(fields[R_STEPPED] == fields[R_STEPPED + 1])
            stepped = (((m >> 14) << 1) | right) & 15
            offset = (m >> 18) & 15
        stamp = i64(fields[R_STAMP])
        ahead = u64(value - stamp + R_ZERO)
        offset = ((offset << 1) | (i64(stamp > 0) & i64(ahead == u64(fields[u64(o + 2)])))) & 15
        fields[u64(o)] = u64(value)
        fields[u64(o + 1)] = u64(step + R_ZERO)
        fields[u64(o + 2)] = ahead
        m = size | (same << 6) | (one << 10) | (stepped << 14) | (offset << 18)
        power = i64(1)
        for _ in range(size - 1):
            power *= 10
        if size > 1 and value < power:
            m |= 32
        fields[u64(o + 3)] = u64(u64(spot << u64(22)) | u64(m))
        fields[R_STAMP] = u64(value)
        if size == 10:
            fields[R_TIME] = u64(value)


@bare
def end_clock(fields: Array, t: int) -> None:
    """Note the time of the day that has just ended."""
    o = R_CLOCKS + 2 * i64(fields[R_CLOCKED])
    ahead = (t - i64(fields[R_TIME])) % DAY
    right = i64(ahead == i64(fields[u64(o)]))
    fields[u64(o)] = u64(ahead)
    fields[u64(o + 1)] = u64(((i64(fields[u64(o + 1)]) << 1) | right) & 15)
    fields[R_TIME] = u64(t)
    fields[R_CLOCKED] = u64(min(i64(fields[R_CLOCKED]) + 1, i64(7)))
    fields[R_CLOCK] = u64(0)


@bare
def end_token(fields: Array, pos: int, right: int) -> None:
    """Note the token that ends before the last byte: whether it was that of the aligned line, or one copied."""
    spot = u64(R_NOTES + i64(u64(fields[R_LEAD]) >> u64(52)))
    note = i64(fields[spot])
    aligned = ((note << 1) | right) & 15
    back = (note >> 4) & 31
    copied = (note >> 9) & 15
    count = i64(fields[R_COUNT])
    token = u64(fields[R_TOKEN])
    if back > 0 and u64(fields[u64(R_TOKENS + ((count - back) & 31))]) == token:
        copied = ((copied << 1) | 1) & 15
    else:
        copied = (copied << 1) & 15
        back = i64(1)
        while back < 32 and u64(fields[u64(R_TOKENS + ((count - back) & 31))]) != token:
            back += 1
        back &= 31
    fields[spot] = u64(aligned | (back << 4) | (copied << 9))
    fields[u64(R_TOKENS + (count & 31))] = token
    fields[u64(R_PLACES + (count & 31))] = u64(pos - 1 - i64(fields[R_SIZE]))
    fields[R_COUNT] = u64(count + 1)
    fields[R_SHAPE2] = fields[R_SHAPE1]
    # Hexadecimal numbers have one shape.
    fields[R_SHAPE1] = u64(120) if fields[R_HEX] == u64(1) and fields[R_SIZE] > u64(3) else fields[R_SHAPE]


@bare
def lead_on(fields: Array, c: int, mode: int) -> Any:
    """Return the hash of what leads to the token that the separator `c` announces."""
    full = u64(fields[R_FULL])
    if fields[R_SIZE] > u64(0):
        full = joined(full, u64(fields[R_SHAPE1]))
    if mode == KEYED:
        if (c == 58 or c == 61 or c == 62) and fields[R_COUNT] > u64(0):
            fields[R_KEY] = joined(u64(fields[R_SHAPE1]), u64(fields[R_SHAPE2]))
            fields[R_SINCE] = u64(0)
        since = min(i64(fields[R_SINCE]) + 1, i64(6))
        fields[R_SINCE] = u64(since)
        if c == 45 or c == 46 or c == 47 or c == 95:
            full = joined(full, u64(c))
        else:
            full = joined(joined(u64(fields[R_KEY]), u64(since)), u64(c))
    elif c == 10:
        full = u64(0)
    elif c == mode and mode != LINES and fields[R_QUOTED] == u64(0):
        fields[R_COLUMN] = u64(i64(fields[R_COLUMN]) + 1)
        full = u64(u64(fields[R_COLUMN]) * u64(K1))
    else:
        full = joined(full, u64(c))
    return full


@bare
def begin_line(fields: Array) -> None:
    """Forget what belongs to the line that a byte 10 has ended, but for its shape."""
    fields[R_LINE] = joined(u64(fields[R_FULL]), u64(fields[R_SHAPE1]))
    for k in (R_COLUMN, R_QUOTED, R_SHAPE1, R_SHAPE2, R_STAMP, R_TIME, R_CLOCK, R_CLOCKED):
        fields[k] = u64(0)


@bare
def guess_numbers(fields: Array, buf: Array, pos: int, aligned: int, inside: int) -> None:
    """Write the numbers that may come, where the aligned line goes on with a digit."""
    t = i64(-1)
    if inside == 0 and fields[R_CLOCK] == u64(0):
        t = clock_at(buf, aligned, pos)
    if t >= 0:
        fields[R_CLOCK] = u64(3)
        o = R_CLOCKS + 2 * i64(fields[R_CLOCKED])
        if fields[R_TIME] > u64(0):
            write_clock(
                fields, R_OFFSET, (i64(fields[R_TIME]) + i64(fields[u64(o)])) % DAY, i64(buf[u64(aligned + 2)])
            )  # fmt: skip
            fields[R_OFFSET + 2] = fields[u64(o + 1)]
    spot = joined(u64(fields[R_LEAD]), u64(fields[R_SHAPE]))
    o = R_NUMBERS + 4 * i64(spot >> u64(53))
    note = u64(fields[u64(o + 3)])
    if (note >> u64(22)) == (spot & u64((1 << 42) - 1)):
        m = i64(note & u64(0x3FFFFF))
        step = i64(fields[u64(o + 1)]) - R_ZERO
        if step == 0 or ((m >> 10) & 15) > ((m >> 6) & 15):
            step = i64(1)
        write_number(fields, i64(R_STEPPED), i64(fields[u64(o)]) + step, m)
        fields[R_STEPPED + 2] = u64((m >> 14) & 15)
        if fields[R_STAMP] > u64(0) and fields[R_CLOCK] == u64(0):
            write_number(fields, i64(R_OFFSET), i64(fields[R_STAMP]) + i64(fields[u64(o + 2)]) - R_ZERO, m)
            fields[R_OFFSET + 2] = u64((m >> 18) & 15)


@inlined
def written(fields: Array, o: int) -> Any:
    """Return the byte to come of what is written at `o`; 0 for none."""
    at = i64(fields[u64(o + 1)])
    return i64(fields[u64(o + R_DIGITS + at)]) if at < i64(fields[u64(o)]) else i64(0)


@bare
def renew_rows(v: Array, fields: Array, spots: Array, buf: Array, pos: int, mode: int) -> None:
    """Bring `fields`, and the sources and guesses made of them, to where they predict byte `pos` (1 or more)."""
    c = i64(buf[u64(pos - 1)])
    kind = kind_of(c)
    inside = i64(kind < 3)
    # ---- numbers end
    if kind != 2 and fields[R_WIDTH] > u64(0):
        t = clock_at(buf, pos - 9, pos - 1) if inside == 0 and fields[R_WIDTH] == u64(2) else i64(-1)
        if fields[R_CLOCK] > u64(0):
            fields[R_CLOCK] = u64(i64(fields[R_CLOCK]) - 1)
        else:
            end_number(fields)
        if t >= 0:
            end_clock(fields, t)
        fields[R_WIDTH] = u64(0)
    # ---- along what was guessed
    follow_digits(fields, R_STEPPED, c)
    follow_digits(fields, R_OFFSET, c)
    copy = i64(fields[R_COPY])
    if copy > 0:
        copy = copy + 1 if i64(buf[u64(copy)]) == c else i64(0)
    aligned = i64(fields[R_ALIGNED])
    agree = i64(fields[R_AGREE])
    there = i64(buf[u64(aligned)]) if aligned > 0 else i64(-1)
    unlike = i64(v[UNLIKE])
    if unlike > 0:
        unlike = min(unlike + DIFFERS, 5 * DIFFERS + (unlike & (DIFFERS - 1)))
    if there == c:
        aligned += 1
    elif inside > 0:
        if unlike == 0:
            unlike = i64(DIFFERS + OTHER)
            if kind == 2 and there >= 48 and there <= 57:
                unlike = DIFFERS + 10 + c - there
        agree = i64(0)
        if aligned > 0 and kind_of(there) < 3:
            aligned += 1
    elif aligned > 0 and c != 10:
        at = aligned
        stop = min(aligned + 48, pos - 1)
        while at < stop and i64(buf[u64(at)]) != c and i64(buf[u64(at)]) != 10:
            at += 1
        if at < stop and i64(buf[u64(at)]) == c:
            aligned = at + 1
    if inside == 0 and c != 46:
        unlike = i64(0)
    v[UNLIKE] = u64(unlike)
    # ---- the token
    if inside > 0:
        fields[R_TOKEN] = grown(u64(fields[R_TOKEN]), c)
        fields[R_SIZE] = u64(i64(fields[R_SIZE]) + 1)
        if kind == 2:
            width = i64(fields[R_WIDTH])
            if width == 0:
                fields[R_SPOT] = joined(u64(fields[R_LEAD]), u64(fields[R_SHAPE]))
                fields[R_SHAPE] = grown(u64(fields[R_SHAPE]), i64(48))
                fields[R_NUMBER] = u64(0)
                fields[R_HEX] = u64(i64(fields[R_HEX]) | 1)
            if width < 18:
                fields[R_NUMBER] = u64(i64(fields[R_NUMBER]) * 10 + (c - 48))
            fields[R_WIDTH] = u64(min(width + 1, i64(19)))
        else:
            fields[R_SHAPE] = grown(u64(fields[R_SHAPE]), c)
            if not (97 <= c <= 102 or 65 <= c <= 70):
                fields[R_HEX] = u64(2)
    else:
        if fields[R_SIZE] > u64(0):
            v[BESIDE] = joined(u64(fields[R_LEAD]), u64(fields[R_TOKEN]))
            if v[FIRSTCELL] == u64(0):
                v[FIRSTCELL] = v[BESIDE]
            end_token(fields, pos, agree & i64(there == c))
        if mode != KEYED and mode != LINES and c == 34:
            fields[R_QUOTED] = u64(1 - i64(fields[R_QUOTED]))
        full = lead_on(fields, c, mode)
        if c == 10:
            begin_line(fields)
            v[BESIDE] = u64(0)
            v[FIRSTCELL] = u64(0)
        fields[R_FULL] = full
        # ---- where the same led to
        short = joined(joined(u64(fields[R_SHAPE1]), u64(fields[R_SHAPE2])), u64(c + 256 * i64(fields[R_COLUMN])))
        k = u64(u64(full * u64(K1)) >> u64(48))
        known = i64(spots[k])
        spots[k] = u32(pos)
        k = u64(u64(short * u64(K1)) >> u64(48))
        similar = i64(spots[k])
        spots[k] = u32(pos)
        fields[R_LEAD] = full
        if known > 0 and i64(buf[u64(known - 1)]) == c:
            aligned = known
        elif similar > 0 and similar < pos and i64(buf[u64(similar - 1)]) == c:
            aligned = similar
            fields[R_LEAD] = short
        agree = i64(1)
        fields[R_TOKEN] = u64(0)
        fields[R_SHAPE] = u64(0)
        fields[R_SIZE] = u64(0)
        fields[R_HEX] = u64(0)
        back = (i64(fields[u64(R_NOTES + i64(u64(fields[R_LEAD]) >> u64(52)))]) >> 4) & 31
        copy = i64(0)
        if back > 0:
            copy = i64(fields[u64(R_PLACES + ((i64(fields[R_COUNT]) - back) & 31))])
    fields[R_ALIGNED] = u64(aligned)
    fields[R_AGREE] = u64(agree)
    fields[R_COPY] = u64(copy)
    # ---- what may come
    first = i64(0)
    second = i64(0)
    kind1 = i64(0)
    if aligned > 0:
        first = i64(buf[u64(aligned)])
        kind1 = kind_of(first)
        if aligned + 1 < pos:
            second = i64(buf[u64(aligned + 1)])
        if kind != 2 and kind1 == 2:
            guess_numbers(fields, buf, pos, aligned, inside)
    step = written(fields, i64(R_STEPPED))
    offset = written(fields, i64(R_OFFSET))
    third = i64(buf[u64(copy)]) if copy > 0 else i64(0)
    note = i64(fields[u64(R_NOTES + i64(u64(fields[R_LEAD]) >> u64(52)))])
    size = min(i64(fields[R_SIZE]), i64(3))
    fields[R_BYTES] = u64(first | 256) if aligned > 0 else u64(0)
    fields[R_CELLS] = u64((((note & 15) * 2 + agree) * 4 + kind1) * 4 + size)
    fields[R_BYTES + 1] = u64(step | 256) if step > 0 else u64(0)
    at = min(i64(fields[R_STEPPED + 1]), i64(7))
    fields[R_CELLS + 1] = u64(512 + (i64(fields[R_STEPPED + 2]) * 8 + at) * 2 + i64(step == first))
    fields[R_BYTES + 2] = u64(offset | 256) if offset > 0 else u64(0)
    at = min(i64(fields[R_OFFSET + 1]), i64(7))
    fields[R_CELLS + 2] = u64(768 + (i64(fields[R_OFFSET + 2]) * 8 + at) * 2 + i64(offset == first))
    fields[R_BYTES + 3] = u64(third | 256) if copy > 0 else u64(0)
    fields[R_CELLS + 3] = u64(1024 + ((((note >> 9) & 15) * 4 + size) * 4 + kind_of(third)) * 2 + i64(third == first))
    # ---- sources
    flags = agree | (kind1 << 1)
    if step > 0:
        flags |= 8 if step == first else 16
    flags |= i64(offset > 0) << 5
    if copy > 0:
        flags |= 64 if third == first else 128
    v[GUESSES] = u64(flags)
    v[ALIGNED] = u64(first | (second << 8) | (step << 16))
    v[SPOT] = joined(u64(fields[R_LEAD]), u64(fields[R_WIDTH]) if kind == 2 else u64(fields[R_SHAPE]))
    v[CELL] = joined(u64(fields[R_LEAD]), u64(fields[R_TOKEN]))
    v[LINESHAPE] = fields[R_LINE]
