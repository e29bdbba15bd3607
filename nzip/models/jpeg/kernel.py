"""The loop over coefficients: what they are coded by, and what is learned from each.

Component after component, some rows of units of them at a time, and block after block: how many of the 49 inner
coefficients are not zero, then these coefficients; the same for the first row and the first column; the lowest
coefficient (DC) last. A value is coded by decisions: is it zero, is its size above 1, 2, ..., its
sign, its bits. For each decision contexts give probabilities, which one gated mixer joins.

The order of a block, and the borders that are continued, are those of lepton (D. Horn and others, "The Design,
Implementation, and Deployment of a System to Transparently Compress Hundreds of Petabytes of Image Files for a
File-Storage Service", NSDI 2017), which takes one context for each decision; mixing is that of PAQ. What is new here:
a plane's coefficients are also predicted by two linear regressions that learn as they go, one of magnitudes in the
domain of logarithms, one of values.

A border of a block that is continued: where two blocks meet, each frequency along the border has an amplitude there,
the sum of the coefficients of that frequency, whose signs alternate on one side. As pictures are smooth, both sides
have about the same; what is known of a block is taken off, and the rest predicts what is not.

docs/reference/JPEG.md is the specification; tests/naive_jpeg.py says the same in plain Python. Only integers take part.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u32, u64, width
from nzip.entropy.jit import bare
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import adapted
from nzip.models.cm.components.mixer import bounded, error_of, squashed, warmed
from nzip.models.cm.components.vectors import dot, dot16, train, train16
from nzip.models.cm.layout import BIAS, HALF
from nzip.models.jpeg.layout import DECODE, FAR, FLAT, LARGER, LARGEST, MOST, NODES, TREE, WAVE

COUNT, ZERO, SIZE, SIGN, BITS = range(5)  # what a decision is about
INNER, ROW, COLUMN, LOWEST, DONE = range(5)  # the groups of a block


@bare
def classed(x: int, most: int) -> Any:
    """Return the class of `x`, 0 or more: 0..3 have their own, then there are two an octave, up to `most`."""
    b = i64(x)
    if b >= 4:
        n = width(b)
        b = 2 * n + ((b >> (n - 2)) & 1) - 2
    return min(b, i64(most))


@bare
def both_ways(x: int, most: int) -> Any:
    """Return the class of a value with its sign: 0..2 `most`."""
    b = classed(abs(x), most)
    return most + b if x >= 0 else most - b


@bare
def sign_of(x: int) -> Any:
    """Return 0, 1 or 2 for a negative value, zero, a positive one."""
    return i64(x > 0) - i64(x < 0) + 1


@bare
def clipped(x: int, most: int) -> Any:
    """Return `x` kept within +-`most`."""
    return max(min(i64(x), i64(most)), -i64(most))


@bare
def logged(logs: Array, x: int) -> Any:
    """Return the logarithm of a magnitude in quarters."""
    return logs[u64(min(x, i64(4095)))]


@bare
def code(
    mode: int,  # ENCODE or DECODE
    planes: Array,  # int16 (64 * (blocks + 1),): the coefficients that are held; the last block is zeros
    shape: Array,  # int64 (4 + 6 * components,): components, blocks held, rows of units: from, to; of each component:
    # where its block 0 is or would be, blocks wide, high, set (0 or 1), blocks down in a unit, columns before it
    quantisers: Array,  # int64 (64 * components,), raster order
    order: Array,  # int64 (64,): the places of coefficients in the order in which they come, then 0
    coded: Array,  # uint8: encoding fills it
    coder: Array,  # int64 (4,)
    settings: Array,  # int64 (6,): vectors of 16 inputs, rate of weights, limit of counts; decisions so far; the most
    # that coefficients may cost in their file, in sixteenths of a bit, and what they did
    chosen: Array,  # int64 (5 * 33,): how many contexts of each kind, and which
    starts: Array,  # int64 (5 * MOST,): where the cells of each begin
    cells: Array,  # uint32: probability 22 bits, count 10 bits, xor HALF
    weights: Array,  # int32: rows of the mixer
    uses: Array,  # int64: how often each row was used
    extra: Array,  # int64 (256,): what its rate has on top
    sizes: Array,  # int32 (128 * 16,): the regression of magnitudes
    values: Array,  # int32 (128 * 16,): the regression of values
    logs: Array,  # int32 (4096,)
    squash: Array,  # uint16
    stretch: Array,  # int16 (4096,)
    rates: Array,  # int32 (1024,)
    below: Array,  # int64 (8 * columns,): amplitudes at the lower borders of the blocks above
    counts: Array,  # int64 (4 * columns,): of the blocks above
    errors: Array,  # int64 (columns,): of the blocks above, how far their DC was from its prediction
    others: Array,  # int16 (blocks,): the same for all blocks of component 1 that are held
) -> int:
    """Encode rows of units into `coded`, or decode them; return 1 where no file could hold so much."""
    vectors = i64(settings[0])
    rate = i64(settings[1])
    limit = i64(settings[2])
    decisions = i64(0)
    afford = i64(settings[4])
    spent = i64(settings[5])
    x = zeros(16 * vectors, i32)
    rows = zeros(5 * MOST, i64)
    where = zeros(MOST, i64)
    f = zeros(16, i32)  # what the regression of magnitudes sees
    g = zeros(16, i32)  # and that of values
    on_left = zeros(8, i64)  # what is not explained yet of the amplitudes at the left border, by frequency down
    on_top = zeros(8, i64)
    right = zeros(8, i64)  # amplitudes at the right border
    down = zeros(8, i64)
    by_left = zeros(64, i64)  # 2^36 / (quantiser * FLAT or WAVE)
    by_top = zeros(64, i64)
    finer = zeros(64, i64)  # 2^20 / quantiser
    known = zeros(144, i64)  # dequantised coefficients of this block with two rows of zeros around
    left_counts = zeros(4, i64)
    low, high, window, at = taken(coder)
    blank = i64(shape[1]) * 64
    x[16 * vectors - 1] = BIAS
    f[15] = 64
    first0 = i64(shape[4])
    wide0 = i64(shape[5])
    high0 = i64(shape[6])
    for c in range(i64(shape[0])):
        first = i64(shape[u64(4 + 6 * c)])
        wide = i64(shape[u64(5 + 6 * c)])
        tall = i64(shape[u64(6 + 6 * c)])
        s = i64(shape[u64(7 + 6 * c)])
        lines = i64(shape[u64(8 + 6 * c)])
        column = i64(shape[u64(9 + 6 * c)])
        first1 = i64(shape[10]) if c > 1 else i64(0)
        paired = c > 1 and i64(shape[11]) == wide and i64(shape[12]) == tall
        for r in range(64):
            q = i64(quantisers[u64(64 * c + r)])
            by_left[r] = (i64(1) << 36) // (q * (FLAT if r & 7 == 0 else WAVE))
            by_top[r] = (i64(1) << 36) // (q * (FLAT if r < 8 else WAVE))
            finer[r] = (i64(1) << 20) // q
        for y in range(i64(shape[2]) * lines, i64(shape[3]) * lines):
            left_error = i64(0)
            for k in range(8):
                right[k] = 0
            for k in range(4):
                left_counts[k] = 0
            for bx in range(wide):
                o = 64 * (first + y * wide + bx)
                o_top = o - 64 * wide if y > 0 else blank
                o_left = o - 64 if bx > 0 else blank
                o_both = o_top - 64 if y > 0 and bx > 0 else blank
                o_next = o_top + 64 if y > 0 and bx + 1 < wide else blank
                # Two blocks that are like this one: of component 0 at the same place, or further ones of this plane.
                o_one = o - 128 if bx > 1 else o_left
                o_two = o - 128 * wide if y > 1 else o_top
                o_pair = blank  # the block of component 1 at the same place
                if c > 0:
                    at_x = bx * wide0 // wide
                    at_y = y * high0 // tall
                    o_one = 64 * (first0 + at_y * wide0 + at_x)
                    at_x = min(at_x + max(wide0 // wide - 1, i64(0)), wide0 - 1)
                    at_y = min(at_y + max(high0 // tall - 1, i64(0)), high0 - 1)
                    o_two = 64 * (first0 + at_y * wide0 + at_x)
                    if paired:
                        o_pair = 64 * (first1 + y * wide + bx)
                for k in range(8):
                    on_left[k] = right[k]
                    on_top[k] = below[u64(8 * (column + bx) + k)]
                    right[k] = 0
                    down[k] = 0
                for k in range(24, 120):
                    known[k] = 0
                group = i64(INNER)
                place = i64(0)
                stop = i64(0)
                left = i64(0)  # coefficients of the group that are not zero and to come
                total = i64(0)
                before = i64(0)  # magnitudes of the coefficients before
                before2 = i64(0)
                recent = i64(0)  # their decaying sum
                while group < DONE:
                    # ---- what comes, and its contexts
                    target = i64(0)
                    expected = i64(0)
                    bits = i64(0)
                    r = i64(0)
                    spot = i64(0)  # of a coefficient in `known`
                    line = i64(0)  # of its regressions
                    size_guess = i64(0)
                    value_guess = i64(0)
                    kind = i64(0)
                    select = i64(0)
                    if group == LOWEST:
                        kind = i64(3)
                        by = i64(by_left[0])
                        from_left = (i64(on_left[0]) * by) >> 32  # sixteenths of a quantiser
                        from_top = (i64(on_top[0]) * by) >> 32
                        rough_left = i64(0)
                        rough_top = i64(0)
                        for k in range(1, 8):
                            rough_left += abs(i64(on_left[k]))
                            rough_top += abs(i64(on_top[k]))
                        rough_left = (rough_left * by) >> 34
                        rough_top = (rough_top * by) >> 34
                        if bx == 0:
                            from_left = from_top
                        elif y == 0:
                            from_top = from_left
                        # The calmer border counts for more.
                        weight = rough_top + 2
                        parts = rough_left + rough_top + 4
                        guess = from_top + ((from_left - from_top) * weight) // parts
                        expected = clipped((guess + 8) >> 4, i64(8191))
                        fine = (guess + 8) & 15
                        apart = from_left - from_top
                        apart_class = classed(abs(apart) >> 2, i64(15))
                        apart_way = both_ways(apart >> 2, i64(15))
                        rough = classed(rough_left + rough_top, i64(15))
                        top_error = i64(errors[u64(column + bx)])
                        next_error = i64(errors[u64(column + bx + 1)]) if bx + 1 < wide else top_error
                        near = classed(abs(left_error) + abs(top_error), i64(15))
                        pair_error = i64(others[u64(o_pair >> 6)]) if paired else i64(0)
                        of_set = s * 64
                        left_class = classed(abs(left_error), i64(15))
                        top_class = classed(abs(top_error), i64(15))
                        if mode != DECODE:
                            target = i64(planes[u64(o)]) - expected
                        b = 3 * MOST
                        rows[b] = of_set + rough
                        rows[b + 1] = (of_set + rough) * 16 + apart_class
                        rows[b + 2] = (of_set + apart_class) * 16 + near
                        rows[b + 3] = (of_set + rough) * 16 + near
                        rows[b + 4] = (of_set + total) * 16 + rough
                        rows[b + 5] = (of_set + classed(rough_left, i64(15))) * 16 + classed(rough_top, i64(15))
                        rows[b + 6] = of_set + left_class * 4 + (min(top_class, i64(7)) >> 1)
                        rows[b + 7] = (of_set + top_class) * 16 + classed(abs(next_error), i64(15))
                        rows[b + 8] = (of_set + classed(abs(pair_error), i64(15))) * 16 + rough
                        rows[b + 9] = (of_set + near) * 16 + min(total, i64(15))
                        rows[b + 10] = of_set + fine
                        b = 4 * MOST
                        rows[b] = (of_set + fine) * 32 + rough
                        rows[b + 1] = (of_set + apart_way) * 32 + apart_class
                        rows[b + 2] = (of_set + sign_of(left_error) * 3 + sign_of(top_error)) * 32 + near
                        rows[b + 3] = (of_set + both_ways(left_error, i64(15))) * 32 + both_ways(top_error, i64(15))
                        rows[b + 4] = (of_set + both_ways(pair_error, i64(15))) * 32 + fine
                        rows[b + 5] = (of_set + apart_way) * 32 + fine
                        select = (18 + s) * 36
                    elif stop != 49 + 7 * group:
                        # how many coefficients of the group are not zero
                        kind = i64(2)
                        stop = 49 + 7 * group
                        bits = i64(6) if group == INNER else i64(3)
                        of_pair = i64(0)
                        of_like = i64(0)
                        for k in range(place, stop):
                            r = i64(order[u64(k)])
                            if mode != DECODE:
                                target += i64(planes[u64(o + r)] != 0)
                            if c > 0:
                                of_like += i64(planes[u64(o_one + r)] != 0) + i64(planes[u64(o_two + r)] != 0)
                                of_pair += i64(planes[u64(o_pair + r)] != 0)
                        top_count = i64(counts[u64(4 * (column + bx) + group)])
                        left_count = i64(left_counts[u64(group)])
                        if y == 0:
                            top_count = left_count
                        if bx == 0:
                            left_count = top_count
                        next_count = top_count
                        if y > 0 and bx + 1 < wide:
                            next_count = i64(counts[u64(4 * (column + bx) + 4 + group)])
                        mean = (top_count + left_count + 1) >> 1
                        rough = i64(0)
                        for k in range(1, 8):
                            rough += abs(i64(on_left[k])) + abs(i64(on_top[k]))
                        rough = classed((rough * i64(by_left[9])) >> 34, i64(15))
                        of_group = (s * 3 + group) * 64
                        so_far = classed(total, i64(15))
                        b = 2 * MOST
                        rows[b] = of_group + mean
                        rows[b + 1] = (of_group + top_count) * 16 + classed(left_count, i64(15))
                        rows[b + 2] = (of_group + left_count) * 16 + classed(top_count, i64(15))
                        rows[b + 3] = (of_group + mean) * 16 + so_far
                        rows[b + 4] = (of_group + mean) * 16 + rough
                        counted = classed(top_count + left_count + next_count, i64(15))
                        rows[b + 5] = (of_group + counted) * 16 + classed(of_like, i64(15))
                        rows[b + 6] = (of_group + of_pair) * 16 + classed(mean, i64(15))
                        rows[b + 7] = of_group + total
                        rows[b + 8] = (of_group + classed(of_like, i64(15))) * 16 + min(of_pair, i64(15))
                        rows[b + 9] = (of_group + ((top_count + left_count + 2 * next_count + 2) >> 2)) * 16 + so_far
                        rows[b + 10] = (of_group + so_far) * 16 + rough
                        select = 20 * 36 + (s * 3 + group) * 8
                    elif left == 0:
                        place = stop
                        group += 1
                        before = i64(0)
                        before2 = i64(0)
                        recent = i64(0)
                        continue
                    else:
                        r = i64(order[u64(place)])
                        u = r & 7
                        v = r >> 3
                        if mode != DECODE:
                            target = i64(planes[u64(o + r)])
                        top = i64(planes[u64(o_top + r)])
                        aside = i64(planes[u64(o_left + r)])
                        corner = i64(planes[u64(o_both + r)])
                        beyond = i64(planes[u64(o_next + r)])
                        pair = i64(planes[u64(o_pair + r)])
                        like = i64(planes[u64(o_one + r)])
                        likes = abs(like) + abs(i64(planes[u64(o_two + r)]))
                        large_top = abs(top)
                        large_aside = abs(aside)
                        beside = (large_top + large_aside) * 8
                        if bx > 0 and y > 0:
                            beside = ((large_top + large_aside) * 13 + 6 * abs(corner)) >> 2
                        by = i64(finer[r])
                        spot = 12 * v + u + 26
                        at_left = i64(known[u64(spot - 1)])
                        at_top = i64(known[u64(spot - 12)])
                        at_right = i64(known[u64(spot + 1)])
                        at_down = i64(known[u64(spot + 12)])
                        corners = abs(i64(known[u64(spot - 13)])) + abs(i64(known[u64(spot - 11)]))
                        corners += abs(i64(known[u64(spot + 11)])) + abs(i64(known[u64(spot + 13)]))
                        inside = 2 * (abs(at_left) + abs(at_top) + abs(at_right) + abs(at_down)) + corners
                        inside = (inside * by) >> 20
                        from_left = (i64(on_left[v]) * i64(by_left[r])) >> 32 if v > 0 else i64(0)  # sixteenths
                        from_top = (i64(on_top[u]) * i64(by_top[r])) >> 32 if u > 0 else i64(0)
                        joined = (from_left + from_top) >> 1
                        if v == 0 or bx == 0:
                            joined = from_top
                        elif u == 0 or y == 0:
                            joined = from_left
                        # Frequencies next to this one, in the blocks next to this one; never the lowest.
                        around = i64(0)
                        if u < 7:
                            around += abs(i64(planes[u64(o_top + r + 1)])) + abs(i64(planes[u64(o_left + r + 1)]))
                        if v < 7:
                            around += abs(i64(planes[u64(o_top + r + 8)])) + abs(i64(planes[u64(o_left + r + 8)]))
                        if u > 0 and r > 1:
                            around += abs(i64(planes[u64(o_top + r - 1)])) + abs(i64(planes[u64(o_left + r - 1)]))
                        if r > 8:
                            around += abs(i64(planes[u64(o_top + r - 8)])) + abs(i64(planes[u64(o_left + r - 8)]))
                        z = r + 64 * s
                        line = 16 * z
                        f[0] = logged(logs, 4 * large_top)
                        f[1] = logged(logs, 4 * large_aside)
                        f[2] = logged(logs, 4 * abs(corner))
                        f[3] = logged(logs, 4 * abs(beyond))
                        f[4] = logged(logs, 4 * likes)
                        f[5] = logged(logs, (abs(at_left) * by) >> 18)
                        f[6] = logged(logs, (abs(at_top) * by) >> 18)
                        f[7] = logged(logs, (abs(at_right) * by) >> 18)
                        f[8] = logged(logs, (abs(at_down) * by) >> 18)
                        f[9] = logged(logs, (corners * by) >> 19)
                        f[10] = logged(logs, abs(from_left) >> 2)
                        f[11] = logged(logs, abs(from_top) >> 2)
                        f[12] = logged(logs, 2 * around)
                        f[13] = logged(logs, recent)
                        f[14] = logged(logs, 4 * left)
                        size_guess = max(i64(dot16(f, sizes, i64(0), line)) >> 8, i64(0))
                        g[0] = clipped(from_left, i64(1023))
                        g[1] = clipped(from_top, i64(1023))
                        g[2] = clipped(16 * top, i64(1023))
                        g[3] = clipped(16 * aside, i64(1023))
                        g[4] = clipped(16 * corner, i64(1023))
                        g[5] = clipped(16 * beyond, i64(1023))
                        g[6] = clipped(16 * pair, i64(1023))
                        g[7] = clipped(16 * like, i64(1023)) if c > 0 else i64(0)
                        g[8] = clipped((i64(known[u64(spot - 2)]) * by) >> 16, i64(1023))
                        g[9] = clipped((i64(known[u64(spot - 24)]) * by) >> 16, i64(1023))
                        g[10] = clipped((i64(known[u64(spot + 2)]) * by) >> 16, i64(1023))
                        g[11] = clipped((i64(known[u64(spot + 24)]) * by) >> 16, i64(1023))
                        g[12] = clipped((at_left * by) >> 16, i64(1023))
                        g[13] = clipped((at_top * by) >> 16, i64(1023))
                        g[14] = clipped((at_right * by) >> 16, i64(1023))
                        g[15] = clipped((at_down * by) >> 16, i64(1023))
                        value_guess = clipped(i64(dot16(g, values, i64(0), line)) >> 8, i64(1023))
                        zone = min(u + v, i64(8))
                        zones = zone + 16 * s
                        to_come = min(left, i64(15))
                        size_class = min(size_guess >> 3, i64(31))
                        beside_class = classed(beside, i64(15))
                        inside_class = classed(inside, i64(15))
                        joined_class = classed(abs(joined) >> 2, i64(15))
                        left_class = classed(abs(from_left) >> 2, i64(15))
                        top_class = classed(abs(from_top) >> 2, i64(15))
                        value_class = classed(abs(value_guess), i64(31))
                        rows[0] = z * 32 + size_class
                        rows[1] = z * 32 + min(left, i64(31))
                        rows[2] = z * 16 + left_class
                        rows[3] = (beside_class * 16 + inside_class) * 32 + zones
                        rows[4] = (to_come * 16 + inside_class) * 32 + beside_class + 16 * s
                        rows[5] = (left_class * 16 + top_class) * 32 + zones
                        rows[6] = (size_class * 8 + min(before, i64(7))) * 64 + min(before2, i64(1)) * 32 + zones
                        rows[7] = (z * 16 + classed(2 * likes, i64(15))) * 8 + min(abs(pair), i64(7))
                        rows[8] = z * 16 + classed(recent, i64(15))
                        rows[9] = (to_come * 64 + stop - place) * 2 + s
                        rows[10] = ((min(before, i64(7)) * 8 + min(before2, i64(7))) * 16 + to_come) * 2 + s
                        rows[11] = (size_class * 16 + joined_class) * 32 + zones
                        rows[12] = z * 16 + top_class
                        rows[13] = (z * 8 + (size_class >> 2)) * 16 + to_come
                        rows[14] = (size_class * 16 + to_come) * 16 + joined_class
                        rows[15] = z * 32 + value_class
                        rows[16] = (value_class * 32 + size_class) * 16 + to_come
                        rows[17] = (value_class * 32 + zones) * 16 + beside_class
                        way = both_ways(joined >> 2, i64(15))
                        left_way = both_ways(from_left >> 3, i64(7))
                        top_way = both_ways(from_top >> 3, i64(7))
                        value_way = both_ways(value_guess, i64(23))
                        neighbours = sign_of(top) * 3 + sign_of(aside)
                        signs = sign_of(at_left) + 3 * sign_of(at_top)
                        signs += 9 * sign_of(i64(known[u64(spot - 2)])) + 27 * sign_of(i64(known[u64(spot - 24)]))
                        b = i64(MOST)
                        rows[b] = z * 32 + way
                        rows[b + 1] = (left_way * 16 + top_way) * 32 + zones
                        rows[b + 2] = neighbours * 128 + z
                        rows[b + 3] = signs * 32 + zones
                        rows[b + 4] = sign_of(pair) * 128 + z
                        rows[b + 5] = (way * 9 + neighbours) * 2 + s
                        fine = max(min((joined >> 2) + 32, i64(63)), i64(0))
                        rows[b + 6] = (fine * 9 + min(inside_class, i64(8))) * 2 + s
                        rows[b + 7] = z * 47 + value_way
                        rows[b + 8] = (value_way * 16 + left_way) * 16 + top_way
                        rows[b + 9] = (value_way * 32 + size_class) * 2 + s
                        select = (s * 9 + zone) * 36
                    # ---- where the rows begin
                    sign_kind = kind + 1
                    b = kind * 33
                    wider = NODES
                    if kind == 2:
                        wider = TREE
                    for k in range(i64(chosen[u64(b)])):
                        j = kind * MOST + i64(chosen[u64(b + 1 + k)])
                        rows[u64(j)] = i64(starts[u64(j)]) + i64(rows[u64(j)]) * wider
                    # ---- its decisions
                    large = abs(target)
                    size = width(large)
                    size_so_far = i64(0)
                    phase = i64(ZERO)
                    node = i64(0)
                    if kind == 2:
                        phase = i64(COUNT)
                        node = i64(1)
                    value = i64(0)
                    negative = i64(0)
                    while True:
                        inputs = i64(chosen[u64(b)])
                        row = (select + (bits if phase == COUNT else node)) * 16 * vectors
                        if phase == SIGN:
                            node = min(size_so_far, i64(LARGER)) - 1
                            row = (select + 32 + node) * 16 * vectors
                            c_at = sign_kind * 33
                            inputs = i64(chosen[u64(c_at)])
                            for k in range(inputs):
                                j = sign_kind * MOST + i64(chosen[u64(c_at + 1 + k)])
                                cell = i64(starts[u64(j)]) + i64(rows[u64(j)]) * LARGER + node
                                where[u64(k)] = cell
                                x[u64(k)] = stretch[u64(u32(cells[u64(cell)] ^ u32(HALF)) >> u32(20))]
                        else:
                            for k in range(inputs):
                                cell = i64(rows[u64(kind * MOST + i64(chosen[u64(b + 1 + k)]))]) + node
                                where[u64(k)] = cell
                                x[u64(k)] = stretch[u64(u32(cells[u64(cell)] ^ u32(HALF)) >> u32(20))]
                        for k in range(inputs, 16 * vectors - 1):
                            x[u64(k)] = 0
                        p = squashed(bounded(i64(dot(x, weights, row, vectors)) >> 8), squash)
                        bit = i64(0)
                        if mode == DECODE:
                            bit, low, high, window, at = decode_step(low, high, window, at, coded, p)
                        else:
                            if phase == COUNT:
                                bit = (target >> (bits - 1)) & 1
                            elif phase == ZERO:
                                bit = i64(target != 0)
                            elif phase == SIZE:
                                bit = i64(size > size_so_far)
                            elif phase == SIGN:
                                bit = i64(target < 0)
                            else:
                                bit = (large >> (bits - 1)) & 1
                            low, high, at = encode_step(low, high, at, coded, bit, p)
                        goal = bit * 4194303
                        for k in range(inputs):
                            cell = u64(where[u64(k)])
                            cells[cell] = u32(adapted(u32(cells[cell] ^ u32(HALF)), goal, limit, rates) ^ u32(HALF))
                        pace = warmed(uses, row // (16 * vectors), rate, extra)
                        train(x, weights, row, vectors, i32(error_of(bit, p, pace)))
                        decisions += 1
                        if phase == COUNT:
                            node = node * 2 + bit
                            value = value * 2 + bit
                            bits -= 1
                            if bits == 0:
                                break
                        elif phase == ZERO:
                            if bit == 0:
                                break
                            phase = i64(SIZE)
                            size_so_far = i64(1)
                            node = i64(1)
                        elif phase == SIZE:
                            if bit > 0:
                                size_so_far += 1
                                node = size_so_far
                            if bit == 0 or size_so_far == 15:
                                phase = i64(SIGN)
                        elif phase == SIGN:
                            negative = bit
                            value = i64(1)
                            bits = size_so_far - 1
                            if bits == 0:
                                break
                            phase = i64(BITS)
                            node = 15 + size_so_far
                        else:
                            value = value * 2 + bit
                            bits -= 1
                            if bits == 0:
                                break
                            node = i64(31)
                    # ---- what is known now
                    if negative > 0:
                        value = -value
                    if kind == 3:
                        found = clipped(value + expected, i64(LARGEST))
                        if mode == DECODE:
                            planes[u64(o)] = found
                        amount = clipped(found * i64(quantisers[u64(64 * c)]), i64(FAR)) * FLAT
                        right[0] += amount
                        down[0] += amount
                        left_error = value
                        errors[u64(column + bx)] = value
                        if c == 1:
                            others[u64(o >> 6)] = value
                        group = i64(DONE)
                    elif kind == 2:
                        left = min(value, stop - place)
                        total += left
                        counts[u64(4 * (column + bx) + group)] = left
                        left_counts[u64(group)] = left
                    else:
                        grown = logged(logs, 4 * abs(value))
                        train16(f, sizes, i64(0), line, i32((i64(grown) - size_guess) * 200))
                        power = i64(dot16(g, g, i64(0), i64(0))) + 16
                        error = (clipped(16 * value, i64(1023)) - value_guess) * 40000 // power
                        train16(g, values, i64(0), line, i32(clipped(error, i64(1 << 20))))
                        recent = (recent * 3 + 12 * abs(value)) >> 2
                        before2 = before
                        before = abs(value)
                        place += 1
                        spent += 1
                        if value != 0:
                            left -= 1
                            spent += 16 * size_so_far
                            if mode == DECODE:
                                planes[u64(o + r)] = value
                            amount = clipped(value * i64(quantisers[u64(64 * c + r)]), i64(FAR))
                            known[u64(spot)] = amount
                            u = r & 7
                            v = r >> 3
                            part = amount * (FLAT if u == 0 else WAVE)
                            on_left[v] -= part
                            right[v] += part if u & 1 == 0 else -part
                            part = amount * (FLAT if v == 0 else WAVE)
                            on_top[u] -= part
                            down[u] += part if v & 1 == 0 else -part
                        if place == stop:
                            left = i64(0)
                for k in range(8):
                    below[u64(8 * (column + bx) + k)] = down[k]
            if spent > afford or (mode != DECODE and at > coded.shape[0]):
                break
    settings[3] += decisions
    settings[5] = spent
    put_back(coder, low, high, window, at)
    return i64(spent > afford)
