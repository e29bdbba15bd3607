"""The loop of preset 2: a byte of a value is eight binary decisions, and the chance of each is mixed.

The first plane is an exponent, or as good as one: how large a value is. That is expected to be as the values of its row
and of its column were, in the mean; what stands left and above says more. The second has a sign and digits, which are
not quite noise: where values thin out towards larger ones, low digits are likelier, and by how much depends on how far
a value is from the usual. The others are noise, but where values repeat each other.
"""

from __future__ import annotations

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u64, width
from nzip.entropy.jit import bare
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import count, counted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sse import between, refine, spot_of
from nzip.models.cm.components.vectors import dot16, train16
from nzip.models.tensor.layout import (
    BIAS,
    CONTEXTS0,
    CONTEXTS1,
    CONTEXTS2,
    CONTEXTS_BESIDE,
    FINAL_LIMIT,
    LANES_MIXED,
    LIMIT,
    QUICK,
    RATE,
)

N0, N1, N2, NB = len(CONTEXTS0), len(CONTEXTS1), len(CONTEXTS2), len(CONTEXTS_BESIDE)


@bare
def code(
    decode: bool,
    planes: Array,  # uint8: the planes of a piece, from `start` on, one behind the other
    start: int, number: int, wide: int, row: int,
    mixed: Array,  # uint8 (wide,): whether a plane is coded here; the others are known
    columns: Array,  # int32 (row,): the mean of each column, zeros at first
    coded: Array, coder: Array,
    cells: Array,  # uint32: the cells of all contexts, those of each plane behind each other
    bases: Array,  # int64: where those of each context begin
    mixer: Array, final: Array, squash: Array, stretch: Array, rates: Array, knots: Array, reached: Array,
    beside: bool,  # values stand beside older ones: the first plane has the digits of a difference
    keys: Array, levels: Array,  # uint8 (number,): of the older values, as `differences.Base` has them
) -> None:  # fmt: skip
    """Code the planes of a piece of `number` values that are mixed."""
    x = zeros(LANES_MIXED, i32)
    places = zeros(16, i64)
    low, high, window, at = taken(coder)
    size = min(width(i64(number)), i64(31)) + (i64(32) if row < number else i64(0))
    mean = i64(-1)  # of all values, times 2^8
    across = i64(0)  # of the row
    column, line = i64(0), i64(0)
    west, west2 = i64(0), i64(0)
    level, extra = i64(0), N0 + 1 + NB if beside else N0 + 1
    for k in range(256):
        cells[u64(bases[1] + k)] = 0
    second = i64(start + number)
    for i in range(number):
        here = u64(start + i)
        north = i64(planes[here - u64(row)]) if line > 0 else west
        northeast = i64(planes[here - u64(row - 1)]) if line > 0 and column + 1 < row else north
        down = i64(columns[u64(column)]) if line > 0 else (across if column > 0 else mean)
        if mean < 0:
            expected = i64(127 << 8)
        elif line == 0:
            expected = across if column > 0 else mean
        else:
            most = i64(511 << 8) if beside else i64(255 << 8)
            expected = max(min(across + down - mean, most), i64(0)) if column > 0 else down
        whole = expected
        w, w2 = west, west2
        if beside:
            # How large differences are is alike; how many digits that is depends on the older value.
            level = i64(levels[u64(i)])
            if line > 0:
                north += i64(levels[u64(i - row)])
                northeast += i64(levels[u64(i - row + (1 if column + 1 < row else 0))])
            expected = max(min(expected - (level << 8), i64(255 << 8)), i64(0))
            w, w2 = max(min(west - level, i64(255)), i64(0)), max(min(west2 - level, i64(255)), i64(0))
            north, northeast = max(min(north - level, i64(255)), i64(0)), max(min(northeast - level, i64(255)), i64(0))
        first = i64(planes[here])
        if mixed[0]:
            near = (3 * w + 2 * north + w2 + northeast + 1) * 4 // 7 if line > 0 else (2 * w + w2) * 4 // 3
            places[0] = size
            places[1] = 0
            places[2] = w
            places[3] = north
            places[4] = expected >> 5
            places[5] = near
            places[6] = (
                max(min((across - mean) >> 6, i64(7)), i64(-8)) + 8
                + (max(min((down - mean) >> 6, i64(7)), i64(-8)) + 8) * 16
            )  # fmt: skip
            places[7] = (
                max(min(w - (expected >> 8), i64(7)), i64(-8)) + 8
                + (max(min(north - (expected >> 8), i64(7)), i64(-8)) + 8) * 16
            )  # fmt: skip
            places[8] = i64(column & 4095)
            places[9] = (expected + near * 64) >> 9
            for k in range(N0):
                places[u64(k)] = i64(bases[u64(k)]) + places[u64(k)] * 256
            if beside:
                places[N0 + 1] = i64(keys[u64(i)])
                places[N0 + 2] = min(expected >> 6, i64(63)) * 64 + min(w, i64(7)) * 8 + min(north, i64(7))
                places[N0 + 3] = min(expected >> 5, i64(127)) * 16 + min(w, i64(15))
                for k in range(NB):
                    places[u64(N0 + 1 + k)] = i64(bases[u64(N0 + N1 + N2 + k)]) + places[u64(N0 + 1 + k)] * 256
            node = i64(1)
            chosen = (1 + ((expected >> 6) & 3)) * 256 * LANES_MIXED
            for b in range(8):
                x[u64(N0)] = i32(BIAS)
                for k in range(N0):
                    x[u64(k)] = i32(stretch[u64(counted(cells, i64(places[u64(k)]) + node) >> u64(20))])
                for k in range(N0 + 1, extra):
                    x[u64(k)] = i32(stretch[u64(counted(cells, i64(places[u64(k)]) + node) >> u64(20))])
                one = node * LANES_MIXED
                two = chosen + node * LANES_MIXED
                total = bounded((i64(dot16(x, mixer, i64(0), one)) + i64(dot16(x, mixer, i64(0), two))) >> 8)
                p = squashed(total, squash)
                spot = spot_of(total)
                cell = ((expected >> 7) & 1) * 4096 + node * 16 + (spot >> 8)
                fine = between(final, cell, knots[u64(spot >> 8)], knots[u64((spot >> 8) + 1)], spot & 255)
                chance = max(min((p + fine) >> 1, i64(65535)), i64(1))
                bit = i64(0)
                if decode:
                    bit, low, high, window, at = decode_step(low, high, window, at, coded, chance)
                else:
                    bit = (first >> (7 - b)) & 1
                    low, high, at = encode_step(low, high, at, coded, bit, chance)
                target = bit * 4194303
                e = i32(error_of(bit, p, i64(RATE)))
                train16(x, mixer, i64(0), one, e)
                train16(x, mixer, i64(0), two, e)
                for k in range(N0):
                    count(cells, i64(places[u64(k)]) + node, target, i64(LIMIT), rates)
                for k in range(N0 + 1, extra):
                    count(cells, i64(places[u64(k)]) + node, target, i64(LIMIT), rates)
                part = spot & 255
                nearer = cell + (part >> 7)
                refine(final, nearer, knots[u64((spot >> 8) + (part >> 7))], target, i64(FINAL_LIMIT), rates)
                node = node * 2 + bit
            first = node & 255
            if decode:
                planes[here] = u8(first)
        # What is expected learns.
        value = first << 8
        apart = value - expected
        if beside:
            # Of a difference of 0 no more is known than that it is not larger.
            value = (first + level) << 8 if first > 0 or mean < 0 else min(level << 8, whole)
        if mean < 0:
            mean = across = value
        else:
            mean += (value - mean) // min(i64(i) + 2, i64(1024))
            across += (value - across) // min(column + 2, i64(64))
        if row < number:
            columns[u64(column)] = value if line == 0 else down + (value - down) // min(line + 2, i64(64))
        if wide > 1 and mixed[1]:
            there = u64(second + i)
            byte = i64(planes[there])
            left = i64(planes[there - u64(1)]) if i > 0 else i64(0)
            above = i64(planes[there - u64(row)]) if line > 0 else left
            distance = max(min(apart >> 6, i64(31)), i64(-32)) + 32
            places[0] = size
            places[1] = first
            places[2] = distance * 4 + ((left >> 7) << 1) + (above >> 7)
            places[3] = left
            places[4] = above
            places[5] = (first & 7) * 128 + distance
            places[6] = (left >> 5) | (above >> 5) << 3
            places[7] = (column & 255) if row < number else i64(0)
            for k in range(N1):
                places[u64(k)] = i64(bases[u64(N0 + k)]) + places[u64(k)] * 256
            node = i64(1)
            for b in range(8):
                for k in range(N1):
                    x[u64(k)] = i32(stretch[u64(counted(cells, i64(places[u64(k)]) + node) >> u64(20))])
                x[u64(N1)] = i32(BIAS)
                for k in range(N1 + 1, extra):
                    x[u64(k)] = i32(0)
                one = (5 * 256 + node) * LANES_MIXED
                two = (6 * 256 + (distance >> 1) * 8 + b) * LANES_MIXED
                total = bounded((i64(dot16(x, mixer, i64(0), one)) + i64(dot16(x, mixer, i64(0), two))) >> 8)
                p = squashed(total, squash)
                bit = i64(0)
                chance = max(min(p, i64(65535)), i64(1))
                if decode:
                    bit, low, high, window, at = decode_step(low, high, window, at, coded, chance)
                else:
                    bit = (byte >> (7 - b)) & 1
                    low, high, at = encode_step(low, high, at, coded, bit, chance)
                target = bit * 4194303
                e = i32(error_of(bit, p, i64(RATE)))
                train16(x, mixer, i64(0), one, e)
                train16(x, mixer, i64(0), two, e)
                for k in range(N1):
                    count(cells, i64(places[u64(k)]) + node, target, i64(LIMIT), rates)
                node = node * 2 + bit
            if decode:
                planes[there] = u8(node & 255)
        lower = i64(0)  # the plane behind the one that is coded
        hash_ = u64(first)
        if wide > 1:
            hash_ = u64(hash_ << u64(8)) | u64(planes[u64(second + i)])
        for back in range(wide - 2):
            plane = wide - 1 - back
            there = u64(start + plane * number + i)
            byte = i64(planes[there])
            if mixed[plane]:
                kind = (plane & 7) * 2 + (i64(1) if lower > 0 else i64(0))
                spread = u64((hash_ ^ (hash_ >> u64(29))) * u64(0xBF58476D1CE4E5B9))
                spread = u64((spread ^ (spread >> u64(31))) * u64(0x94D049BB133111EB))
                places[0] = kind
                places[1] = kind * 256 + first
                places[2] = i64(spread >> u64(52))
                for k in range(N2):
                    places[u64(k)] = i64(bases[u64(N0 + N1 + k)]) + places[u64(k)] * 256
                node = i64(1)
                for b in range(8):
                    for k in range(N2):
                        x[u64(k)] = i32(stretch[u64(counted(cells, i64(places[u64(k)]) + node) >> u64(20))])
                    x[u64(N2)] = i32(BIAS)
                    for k in range(N2 + 1, extra):
                        x[u64(k)] = i32(0)
                    one = ((8 + (plane & 7)) * 256 + node) * LANES_MIXED
                    two = (7 * 256 + first) * LANES_MIXED
                    total = bounded((i64(dot16(x, mixer, i64(0), one)) + i64(dot16(x, mixer, i64(0), two))) >> 8)
                    p = squashed(total, squash)
                    bit = i64(0)
                    chance = max(min(p, i64(65535)), i64(1))
                    if decode:
                        bit, low, high, window, at = decode_step(low, high, window, at, coded, chance)
                    else:
                        bit = (byte >> b) & 1
                        low, high, at = encode_step(low, high, at, coded, bit, chance)
                    target = bit * 4194303
                    e = i32(error_of(bit, p, i64(RATE)))
                    train16(x, mixer, i64(0), one, e)
                    train16(x, mixer, i64(0), two, e)
                    for k in range(N2):
                        count(cells, i64(places[u64(k)]) + node, target, i64(LIMIT if k != 2 else QUICK), rates)
                    node = node * 2 + bit
                if decode:
                    byte = i64(0)
                    for b in range(8):
                        byte |= ((node >> (7 - b)) & 1) << b
                    planes[there] = u8(byte)
            hash_ = u64(hash_ << u64(8)) | u64(byte)
            lower = byte
        west2 = west
        west = first + level
        column += 1
        if column >= row:
            column = i64(0)
            line += 1
            across = (across + mean) >> 1
    reached[0] += number * wide
    put_back(coder, low, high, window, at)
