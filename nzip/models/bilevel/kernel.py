"""The loop of the engine `bilevel`: a pixel is predicted from pixels around it that are known.

Each context is a choice of these pixels, or of counts of them, whose values have adaptive probabilities in a table; a
mixer with two sets of weights joins them, and a last stage looks up what its word has been worth.
"""

from __future__ import annotations

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.bilevel.layout import (
    BIAS,
    CONTEXTS,
    FINAL_LIMIT,
    LANES,
    LIMIT,
    MARGIN,
    NEAR_ROWS,
    RATE,
    REACH,
    SURE,
)  # fmt: skip
from nzip.models.cm.components.learners import count, counted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sse import between, refine, spot_of
from nzip.models.cm.components.vectors import dot16, train16

COUNT = len(CONTEXTS)


@inlined
def span(window: int, left: int, right: int) -> int:
    """The pixels of a row from `left` of the one to be coded to `right` of it, -REACH to REACH."""
    return (window >> (REACH - right)) & ((1 << (left + right + 1)) - 1)


@inlined
def ones(value: int) -> int:
    """How many of 32 bits are set."""
    value = value - ((value >> 1) & 0x55555555)
    value = (value & 0x33333333) + ((value >> 2) & 0x33333333)
    value = (value + (value >> 4)) & 0x0F0F0F0F
    return (value * 0x01010101 >> 24) & 255


@bare
def code(
    decode: bool,
    data: Array,  # uint8: rows of bytes, the highest bit the first pixel
    row: int, coded: Array, coder: Array,
    lines: Array,  # uint8 (5 * wide,): the row that is coded and those above it, in turn
    cells: Array, mixer: Array, final: Array, squash: Array, stretch: Array, rates: Array, knots: Array,
    reached: Array,
) -> None:  # fmt: skip
    """Code the rows of a picture."""
    x = zeros(LANES, i32)
    places = zeros(COUNT, i64)
    low, high, window, at = taken(coder)
    wide = row * 8 + 2 * MARGIN
    height = i64(data.shape[0]) // row
    mask = i64((1 << (2 * REACH + 1)) - 1)
    x[u64(COUNT)] = i32(BIAS)
    for y in range(height):
        here = i64(y % 5) * wide
        one, two, three, four = (
            i64((y + 4) % 5) * wide, i64((y + 3) % 5) * wide, i64((y + 2) % 5) * wide, i64((y + 1) % 5) * wide
        )  # fmt: skip
        left = i64(0)
        a = b = c = d = i64(0)
        for k in range(MARGIN, MARGIN + REACH):
            a = a << 1 | i64(lines[u64(one + k)])
            b = b << 1 | i64(lines[u64(two + k)])
            c = c << 1 | i64(lines[u64(three + k)])
            d = d << 1 | i64(lines[u64(four + k)])
        byte = i64(0)
        for column in range(row * 8):
            ahead = u64(column + MARGIN + REACH)
            a = (a << 1 | i64(lines[u64(one) + ahead])) & mask
            b = (b << 1 | i64(lines[u64(two) + ahead])) & mask
            c = (c << 1 | i64(lines[u64(three) + ahead])) & mask
            d = (d << 1 | i64(lines[u64(four) + ahead])) & mask
            near = (left & 15) | span(a, 2, 2) << 4 | span(b, 1, 1) << 9
            n0, n1, n2, n3 = ones(left & 255), ones(span(a, 6, 6)), ones(span(b, 5, 5)), ones(span(c, 4, 4))
            places[0] = near
            places[1] = (
                (left & 255) | span(a, 1, 2) << 8 | span(b, 0, 0) << 12 | span(c, 0, 0) << 13
                | (column & 3) << 14 | i64(y & 3) << 16
            )  # fmt: skip
            places[2] = (left & 7) | span(a, 2, 2) << 3 | span(b, 2, 2) << 8 | span(c, 2, 2) << 13 | span(d, 1, 0) << 18
            places[3] = (
                (left & 1) | (left >> 1 & 1) << 1 | (left >> 3 & 1) << 2 | (left >> 5 & 1) << 3 | (left >> 7 & 1) << 4
                | span(a, 1, 1) << 5 | (b >> 4 & 1) << 8 | (b >> 6 & 1) << 9 | (b >> 8 & 1) << 10
                | (b >> 10 & 1) << 11 | (b >> 12 & 1) << 12 | (d >> 6 & 1) << 13 | (d >> 8 & 1) << 14
                | (d >> 10 & 1) << 15 | (c >> 8 & 1) << 16 | (a >> 5 & 1) << 17 | (a >> 11 & 1) << 18
                | (c >> 6 & 1) << 19
            )  # fmt: skip
            places[4] = n0 | n1 << 4 | n2 << 8 | min(n3, i64(15)) << 12 | (left & 1) << 16 | span(a, 1, 1) << 17
            places[5] = (left & 127) | span(a, 6, 6) << 7
            places[6] = (left & 3) | span(a, 5, 5) << 2 | span(b, 3, 3) << 13
            places[7] = span(a, 3, 1) | span(b, 2, 2) << 5 | span(c, 2, 2) << 10 | span(d, 2, 2) << 15
            far = u64((left & 31) | span(a, 4, 4) << 5 | span(b, 4, 4) << 14 | span(c, 4, 4) << 23)
            far = u64(far | u64(span(d, 3, 3) << 32))
            places[8] = i64(u64(far * u64(0x9E3779B97F4A7C15)) >> u64(44))
            far = u64(u64((left & 4095) | a << 12 | b << 29 | (c & 0x1FFE) << 45) * u64(0xD6E8FEB86659FD93))
            far = u64((far ^ (far >> u64(32))) + u64(d * 0x9E3779B1 + (c & 1)))
            places[9] = i64(u64(far * u64(0x9E3779B97F4A7C15)) >> u64(44))
            base = i64(0)
            for k in range(COUNT):
                places[u64(k)] += base
                base += i64(1 << CONTEXTS[k])
                x[u64(k)] = i32(stretch[u64(counted(cells, i64(places[u64(k)])) >> u32(20))])
            first = ((left & 7) | span(a, 1, 1) << 3 | span(b, 0, 0) << 6 | (a >> 6 & 1) << 7) * LANES
            second = (NEAR_ROWS + min(n0, i64(7)) + min(n1, i64(7)) * 8 + min(n2 >> 1, i64(3)) * 64) * LANES
            mixed = bounded((i64(dot16(x, mixer, i64(0), first)) + i64(dot16(x, mixer, i64(0), second))) >> 8)
            p = squashed(mixed, squash)
            spot = spot_of(mixed)
            cell = near * 16 + (spot >> 8)
            part = spot & 255
            start0, start1 = u32(knots[u64(spot >> 8)]), u32(knots[u64((spot >> 8) + 1)])
            refined = between(final, cell, start0, start1, part)
            chance = max(min((p + refined) >> 1, i64(65535)), i64(1))
            bit = i64(0)
            if decode:
                bit, low, high, window, at = decode_step(low, high, window, at, coded, chance)
            else:
                bit = i64(data[u64(y * row + (column >> 3))]) >> (7 - (column & 7)) & 1
                low, high, at = encode_step(low, high, at, coded, bit, chance)
            if ((65536 - chance) if bit else chance) > SURE:
                target = bit * 4194303
                e = i32(error_of(bit, p, i64(RATE)))
                train16(x, mixer, i64(0), first, e)
                train16(x, mixer, i64(0), second, e)
                for k in range(COUNT):
                    count(cells, i64(places[u64(k)]), target, i64(LIMIT), rates)
                nearer = cell + (part >> 7)
                refine(final, nearer, start1 if part >> 7 else start0, target, i64(FINAL_LIMIT), rates)
            left = (left << 1 | bit) & 0xFFFF
            lines[u64(here + MARGIN + column)] = u8(bit)
            byte = (byte << 1 | bit) & 255
            if decode and column & 7 == 7:
                data[u64(y * row + (column >> 3))] = u8(byte)
        reached[0] += row
    put_back(coder, low, high, window, at)
