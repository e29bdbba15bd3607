"""Kernels of the program search: the cheapest way to write every segment of a list, by dynamic programming.

A segment [a, b) is written as a literal, as a leaf (one to four lines that `LEAVES` names, found from the list's
differences), as a shorter segment repeated, as two segments joined, or as something found elsewhere (`extra`). Costs
are those of `dsl.bits`, with one estimate `reference` for the price of any reference, for a line's number is not known
before the program is whole. Invariants: costs are exact but for that; every segment has a literal to fall back on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.entropy.jit import kernel

CODE = math.log2(25)
COUNT = math.log2(20)

LITERAL, SPLIT, REPEATED, REPEATED_CUT, EXTRA = 0, 1, 2, 3, 4
LEAF = 10  # + one of:
(
    RANGE,  # range, range_down, range_step or its reverse
    FAR_STEP,  # jump of a range_step, or its reverse
    CONSTANT,  # repeat
    LONG_CONSTANT,  # range cut by min or max
    WRAPPED,  # range or range_step, mod
    WRAPPED_DOWN,  # range_down or reversed range_step, mod
    SUMS,  # scan_add of repeat, mod
    LONG_SUMS,  # the same with repeat_list
    PLATEAU_FIRST,  # max of a range or range_step, min of a range_down
    PLATEAU_LAST,  # min of a range or range_step, max of a range_down
    EXCEPTION,  # range or range_down with one value substituted
) = range(11)
LEAVES = 11
MAX_STEP = 9
FREE = 0.5  # what a list costs that stands in the program already: nothing, but not for nothing


@kernel
def far_factor(step: int) -> int:
    """Return k in 2..9 such that step / k is in 2..9; 0 where there is none."""
    for factor in range(2, 10):
        if step % factor == 0 and 2 <= step // factor <= 9:
            return factor
    return 0


@kernel
def wrap(values: Any, a: int) -> tuple[int, int, int]:
    """Return modulus, rising step and end of the longest progression modulo a number from a; modulus 0 where none."""
    n = len(values)
    if a + 2 >= n:
        return 0, 0, a
    u = values[a + 1] - values[a]
    i = a + 2
    while i < n and values[i] - values[i - 1] == u:
        i += 1
    if i >= n:
        return 0, 0, a
    w = values[i] - values[i - 1]
    modulus = abs(u - w)
    step = max(u, w)
    if modulus > 256 or step < 0 or step >= modulus:
        return 0, 0, a
    for j in range(a, i + 1):
        if values[j] >= modulus or values[j] < 0:
            return 0, 0, a
    i += 1
    while i < n and 0 <= values[i] < modulus and (values[i] - values[i - 1] == u or values[i] - values[i - 1] == w):
        i += 1
    return modulus, step, i


@kernel
def leaves(values: Any, reference: float, free: int, shortest: Any, longest: Any, price: Any) -> None:
    """Fill for each kind of leaf and each start the lengths that it can have, and its price, (LEAVES, n) each."""
    n = len(values)
    longest[:, :] = 0
    line = CODE + reference  # of a modifier without numbers
    number = line + 8
    run = np.zeros(n + 1, np.int64)  # of equal differences from here, in items
    if n:
        run[n - 1] = 1
    for a in range(n - 2, -1, -1):
        same = a + 2 < n and values[a + 2] - values[a + 1] == values[a + 1] - values[a]
        run[a] = run[a + 1] + 1 if same else 2
    for a in range(n - 1):
        if values[a] < 0 or values[a] > 255 or values[a + 1] < 0 or values[a + 1] > 255:
            continue
        step = values[a + 1] - values[a]
        size = abs(step)
        end = a + run[a]
        limit = end
        for i in range(a, end):
            if values[i] < 0 or values[i] > 255:
                limit = i
                break
        length = limit - a
        if size == 0:
            shortest[CONSTANT, a], longest[CONSTANT, a] = 2, min(length, 20)
            price[CONSTANT, a] = CODE + 8 + COUNT
            shortest[LONG_CONSTANT, a], longest[LONG_CONSTANT, a] = 2, min(length, max(256 - values[a], values[a] + 1))
            price[LONG_CONSTANT, a] = CODE + 16 + number
        elif size <= MAX_STEP:
            shortest[RANGE, a], longest[RANGE, a] = 2, length
            price[RANGE, a] = CODE + 16 + (3 if size > 1 else 0) + (line if step < -1 else 0)
        elif far_factor(size):
            shortest[FAR_STEP, a], longest[FAR_STEP, a] = 3, length
            price[FAR_STEP, a] = CODE + 19 + line + 3 + (line if step < 0 else 0)
        # A level stretch, then a slope; or a slope, then a level stretch.
        if size == 0 and end < n and 0 <= values[end] <= 255:
            slope_end, then = slope(values, end)
            rise = values[end] - values[a]
            if then == 0:
                then = 1 if rise > 0 else -1
            first = values[end] - then * (end - a)
            if rise * then > 0 and abs(rise) <= abs(then) and 0 <= first <= 255 and then >= -1:
                shortest[PLATEAU_FIRST, a], longest[PLATEAU_FIRST, a] = end - a + 1, slope_end - a
                price[PLATEAU_FIRST, a] = CODE + 16 + (3 if then > 1 else 0) + number
        elif end < n and (step == -1 or 1 <= step <= MAX_STEP):
            rise = values[end] - values[end - 1]
            level = end
            if rise * step <= 0 or abs(rise) > size:  # it ends on the slope's last value
                level = end - 1
            last = level
            while last < n and values[last] == values[level]:
                last += 1
            last = min(last, a + 1 + ((255 - values[a]) // step if step > 0 else values[a]))
            if last > level + 1 and 0 <= values[level] <= 255:
                shortest[PLATEAU_LAST, a], longest[PLATEAU_LAST, a] = level - a + 2, last - a
                price[PLATEAU_LAST, a] = CODE + 16 + (3 if size > 1 else 0) + number
        # One value that does not fit a range.
        if size == 1 and limit == end and end < n and 0 <= values[end] <= 255:
            i = end + 1
            while i < n and values[i] == values[a] + step * (i - a) and 0 <= values[i] <= 255:
                i += 1
            if i > end + 1:
                shortest[EXCEPTION, a], longest[EXCEPTION, a] = end - a + 2, i - a
                price[EXCEPTION, a] = CODE + 16 + line + 16
        modulus, step, end = wrap(values, a)
        if modulus:
            remainder = 0.0 if modulus == free else number
            if 1 <= step <= MAX_STEP:
                shortest[WRAPPED, a] = 3
                longest[WRAPPED, a] = min(end - a, (255 - values[a]) // step + 1)
                price[WRAPPED, a] = CODE + 16 + (3 if step > 1 else 0) + remainder
            fall = modulus - step
            if 1 <= fall <= MAX_STEP:
                first = values[a] + (255 - values[a]) // modulus * modulus
                shortest[WRAPPED_DOWN, a] = 3
                longest[WRAPPED_DOWN, a] = min(end - a, first // fall + 1)
                price[WRAPPED_DOWN, a] = CODE + 16 + remainder + (3 + line if fall > 1 else 0)
            if values[a] == step:
                shortest[SUMS, a], longest[SUMS, a] = 3, min(end - a, 20)
                price[SUMS, a] = CODE + 8 + COUNT + line + remainder
                shortest[LONG_SUMS, a], longest[LONG_SUMS, a] = 21, end - a
                price[LONG_SUMS, a] = CODE + 8 + COUNT + line + 3 + line + remainder


@kernel
def slope(values: Any, a: int) -> tuple[int, int]:
    """Return the end of the progression of bytes that begins at a, and its step; step 0 where it is one item."""
    n = len(values)
    if a + 1 >= n:
        return a + 1, 0
    step = values[a + 1] - values[a]
    i = a + 1
    while i < n and values[i] - values[i - 1] == step and 0 <= values[i] <= 255:
        i += 1
    return (i, step) if i > a + 1 and 0 < abs(step) <= 9 else (a + 1, 0)


@kernel
def common(values: Any) -> NDArray[np.int16]:
    """Return for each two places how many items from them on are the same, (n + 1, n + 1)."""
    n = len(values)
    same = np.zeros((n + 1, n + 1), np.int16)
    for a in range(n - 1, -1, -1):
        for b in range(n - 1, a, -1):
            if values[a] == values[b]:
                same[a, b] = same[a + 1, b + 1] + 1
    return same


@kernel
def cheapest(values: Any, reference: float, free: int, extra: Any, cost: Any, how: Any, detail: Any) -> None:
    """Fill what each segment [a, b) costs at least, and how it is written.

    Args:
        values: the list, int64 (n).
        reference: bits of a reference.
        free: a modulus, or 0; what is made of this list is taken modulo it anyway, so no line needs to do so here.
        extra: what a segment costs when written in a way found elsewhere, infinite where there is none, (n + 1, n + 1).
        cost, how, detail: filled, (n + 1, n + 1); `detail` is where a segment is split, or the repeated length.
    """
    n = len(values)
    same = common(values)
    shortest = np.zeros((LEAVES, n), np.int64)
    longest = np.zeros((LEAVES, n), np.int64)
    price = np.zeros((LEAVES, n), np.float64)
    leaves(values, reference, free, shortest, longest, price)
    join = CODE + 2 * reference
    again = CODE + 3 + reference
    cut = CODE + 16 + reference
    literal = np.zeros(n + 1, np.int64)  # end of the bytes from here
    literal[n] = n
    for a in range(n - 1, -1, -1):
        literal[a] = literal[a + 1] if 0 <= values[a] <= 255 else a
    for length in range(1, n + 1):
        for a in range(n - length + 1):
            b = a + length
            best, way, what = np.inf, EXTRA, 0
            if literal[a] >= b:
                best, way = CODE + 8 * length, LITERAL
            for kind in range(LEAVES):
                if shortest[kind, a] <= length <= longest[kind, a] and price[kind, a] < best:
                    if kind == LONG_SUMS and not short_factor(length):
                        continue
                    best, way = price[kind, a], LEAF + kind
            if extra[a, b] < best:
                best, way = extra[a, b], EXTRA
            for period in range(1, length // 2 + 1):
                if same[a, a + period] >= length - period:
                    times = -(-length // period)
                    if times > 9 or period * times > 256:
                        continue
                    total = cost[a, a + period] + again
                    if period * times != length:
                        if length > 255:
                            continue
                        total += cut
                    if total < best:
                        best, what = total, period
                        way = REPEATED if period * times == length else REPEATED_CUT
            for m in range(a + 1, b):
                total = cost[a, m] + cost[m, b] + join
                if total < best:
                    best, way, what = total, SPLIT, m
            cost[a, b] = best
            how[a, b] = way
            detail[a, b] = what


@kernel
def short_factor(length: int) -> int:
    """Return k in 2..9 that divides a length to 20 or less; 0 where there is none."""
    for factor in range(2, 10):
        if length % factor == 0 and length // factor <= 20:
            return factor
    return 0


@kernel
def interleaved(values: Any, evens: Any, odds: Any, reference: float, extra: Any, who: Any, name: int) -> None:
    """Offer every segment as two interleaved ones: `evens`, `odds` are the costs of the list's two halves.

    Where both are the same list, it is paid once.
    """
    n = len(values)
    join = CODE + 2 * reference
    doubled = np.zeros(n + 2, np.int64)  # end of the pairs of equal values from here
    for a in range(n - 1, -1, -1):
        doubled[a] = max(doubled[a + 2], a + 2) if a + 1 < n and values[a] == values[a + 1] else a
    for a in range(n - 3):
        half = a // 2
        for b in range(a + 4, n + 1):
            one, two = (b - a + 1) // 2, (b - a) // 2
            if a % 2 == 0:
                total = evens[half, half + one] + odds[half, half + two] + join
            else:
                total = odds[half, half + one] + evens[half + 1, half + 1 + two] + join
            if one == two and doubled[a] >= b:
                total = (odds if a % 2 else evens)[half, half + one] + join
            if total < extra[a, b]:
                extra[a, b] = total
                who[a, b] = name


@kernel
def matches(
    values: Any, places: Any, item: Any, own: Any, reference: float, extra: Any, who: Any, name: int
) -> None:
    """Offer every segment that a known list gives: itself, cut, reversed, with a number added or subtracted.

    Ways are `name` + 0 for the list itself, 1 a slice, 2 the reverse, 3 the reverse of a slice; + 4 with a number
    added. `places` says where each value of the list stands in the sequence, and `own` where the item was made: there
    it is not offered, for nothing else may make it.
    """
    n, m = len(values), len(item)
    line = CODE + reference
    for a in range(n):
        for p in range(m):
            for backward in range(2):
                shift = values[a] - item[p]
                if shift < -255 or shift > 255:
                    continue
                way = 2 * backward + (4 if shift else 0)
                price = (line if backward else 0.0) + (line + 8 if shift else 0.0)
                limit = min(n - a, p + 1 if backward else m - p)
                length = 0
                while length < limit:
                    q = p - length if backward else p + length
                    if values[a + length] - item[q] != shift or own[places[a + length]]:
                        break
                    length += 1
                for size in range(2, length + 1):
                    whole = size == m
                    total = price + (FREE if whole else line + 16)
                    if total < extra[a, a + size]:
                        extra[a, a + size] = total
                        who[a, a + size] = name + way + (0 if whole else 1)

@kernel
def rate_moduli(values: Any, scores: Any) -> None:
    """Rate each modulus by at how many places sums modulo it follow a pattern, where the list itself does not, (257).

    A pattern is a constant, linear or quadratic sequence of steps, or every second step constant or linear; as many
    places as would follow one by chance do not count.
    """
    n = len(values)
    for modulus in range(2, 257):
        score, tried = 0, 0
        for i in range(5, n):
            fits = True
            for j in range(6):
                if values[i - j] >= modulus or values[i - j] < 0:
                    fits = False
            if not fits:
                continue
            tried += 1
            a = values[i] - values[i - 1]
            b = values[i - 1] - values[i - 2]
            if a == b or values[i] - values[i - 2] == values[i - 2] - values[i - 4]:
                continue
            c = values[i - 2] - values[i - 3]
            d = values[i - 3] - values[i - 4]
            e = values[i - 4] - values[i - 5]
            for rest in (a - 2 * b + c, a - c, a - 2 * c + e, a - 3 * b + 3 * c - d):
                if rest % modulus == 0:
                    score += 1
                    break
        scores[modulus] = max(score - 4 * tried // modulus, 0)


@kernel
def echoes(values: Any, gains: Any, sources: Any) -> None:
    """Fill for each place about how many bits it would save to make what stands there of what stands before, (n).

    What stands before may be read backwards and with a number added, and what stands there may be every second value.
    `sources` gets where it begins and ends, (n, 2).
    """
    n = len(values)
    for j in range(n):
        gains[j] = 0
        for stride in range(1, 3):
            for direction in range(2):
                for i in range(j):
                    shift = values[j] - values[i]
                    length = 0
                    at, to = i, j
                    while 0 <= at < j and to < n and values[to] - values[at] == shift:
                        length += 1
                        at += -1 if direction else 1
                        to += stride
                    gain = 8 * length - 30 - (18 if shift else 0) - 8 * direction - 10 * stride
                    if gain > gains[j]:
                        gains[j] = gain
                        sources[j, 0] = at + 1 if direction else i
                        sources[j, 1] = i + 1 if direction else at
