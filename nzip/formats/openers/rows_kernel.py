"""The loops of the opener `rows`; apart because this module imports numba.

Filters are those of PNG (ISO/IEC 15948, section 9): each byte less a prediction from the byte `step` before (a), the
one above (b) and the one above a (c), all taken modulo 256. Bytes outside of the picture are zero. A row of `coded` is
one byte with the filter and then `row` bytes; the last row may end early. Every `height` rows a new picture begins
(never, where it is 0).
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import i32, i64, u8
from nzip.entropy.jit import bare

FILTERS = 5


@bare
def paeth(a: Any, b: Any, c: Any) -> Any:
    """Return of a, b and c the one nearest to a + b - c, the earlier where two are as near."""
    right, up = b - c, a - c  # distances from a and from b
    both = abs(right + up)
    right, up = abs(right), abs(up)
    return a if right <= up and right <= both else b if up <= both else c


@bare
def open_rows(coded: Any, row: int, step: int, height: int, raw: Any, filters: Any) -> int:
    """Undo the filters of `coded` (uint8): `raw` (uint8) gets the pixels, `filters` (uint8) one byte a row.

    Returns 1, or 0 where a row has a filter that there is not.
    """
    at, to, n = 0, 0, 0
    while at < len(coded):
        kind = coded[at]
        if kind >= FILTERS:
            return 0
        filters[n] = kind
        at += 1
        count = min(row, len(coded) - at)
        first = n == 0 or (height > 0 and n % height == 0)
        above = to - row
        if kind == 2 and not first:
            for i in range(count):
                raw[to + i] = u8(i64(coded[at + i]) + i64(raw[above + i]))
        elif kind == 0 or kind == 2:
            for i in range(count):
                raw[to + i] = coded[at + i]
        elif kind == 1 or (kind == 4 and first):  # with nothing above, the nearest is the byte before
            for i in range(min(step, count)):
                raw[to + i] = coded[at + i]
            for i in range(step, count):
                raw[to + i] = u8(i64(coded[at + i]) + i64(raw[to + i - step]))
        elif first:
            for i in range(min(step, count)):
                raw[to + i] = coded[at + i]
            for i in range(step, count):
                raw[to + i] = u8(i64(coded[at + i]) + (i64(raw[to + i - step]) >> 1))
        elif kind == 3:
            for i in range(min(step, count)):
                raw[to + i] = u8(i64(coded[at + i]) + (i64(raw[above + i]) >> 1))
            for i in range(step, count):
                raw[to + i] = u8(i64(coded[at + i]) + ((i64(raw[to + i - step]) + i64(raw[above + i])) >> 1))
        else:
            for i in range(min(step, count)):
                raw[to + i] = u8(i64(coded[at + i]) + i64(raw[above + i]))
            for i in range(step, count):
                near = paeth(i64(raw[to + i - step]), i64(raw[above + i]), i64(raw[above + i - step]))
                raw[to + i] = u8(i64(coded[at + i]) + near)
        at += count
        to += count
        n += 1
    return 1


@bare
def close_rows(raw: Any, row: int, step: int, height: int, filters: Any, coded: Any) -> None:
    """Filter `raw` (uint8) by `filters` (uint8, one a row, all of them below `FILTERS`) into `coded` (uint8)."""
    at, to = 0, 0
    for n in range(len(filters)):
        kind = filters[n]
        coded[to] = kind
        to += 1
        count = min(row, len(raw) - at)
        first = n == 0 or (height > 0 and n % height == 0)
        above = at - row
        head = min(step, count)
        if kind == 2 and not first:
            for i in range(count):
                coded[to + i] = u8(i64(raw[at + i]) - i64(raw[above + i]))
        elif kind == 0 or kind == 2:
            for i in range(count):
                coded[to + i] = raw[at + i]
        elif kind == 1 or (kind == 4 and first):
            for i in range(head):
                coded[to + i] = raw[at + i]
            for i in range(step, count):
                coded[to + i] = u8(i64(raw[at + i]) - i64(raw[at + i - step]))
        elif first:
            for i in range(head):
                coded[to + i] = raw[at + i]
            for i in range(step, count):
                coded[to + i] = u8(i64(raw[at + i]) - (i64(raw[at + i - step]) >> 1))
        elif kind == 3:
            for i in range(head):
                coded[to + i] = u8(i64(raw[at + i]) - (i64(raw[above + i]) >> 1))
            for i in range(step, count):
                coded[to + i] = u8(i64(raw[at + i]) - ((i64(raw[at + i - step]) + i64(raw[above + i])) >> 1))
        else:
            for i in range(head):
                coded[to + i] = u8(i64(raw[at + i]) - i64(raw[above + i]))
            for i in range(step, count):
                near = paeth(i64(raw[at + i - step]), i64(raw[above + i]), i64(raw[above + i - step]))
                coded[to + i] = u8(i64(raw[at + i]) - near)
        at += count
        to += count


@bare
def smallest_sums(raw: Any, row: int, step: int, height: int, filters: Any) -> None:
    """Set each row's filter (uint8) to the one whose bytes, taken as signed, have the smallest sum of magnitudes; the
    first of several."""
    at = 0
    for n in range(len(filters)):
        count = min(row, len(raw) - at)
        first = n == 0 or (height > 0 and n % height == 0)
        above = at - row
        none, sub, up, average, near = i64(0), i64(0), i64(0), i64(0), i64(0)
        for i in range(min(step, count)):
            x = i64(raw[at + i])
            b = i64(0) if first else i64(raw[above + i])
            none += magnitude(x)
            sub += magnitude(x)
            up += magnitude(x - b)
            average += magnitude(x - (b >> 1))
            near += magnitude(x - b)
        if first:
            for i in range(step, count):
                x, a = i64(raw[at + i]), i64(raw[at + i - step])
                none += magnitude(x)
                sub += magnitude(x - a)
                average += magnitude(x - (a >> 1))
            up, near = none, sub
        else:
            for i in range(step, count):
                x, a = i32(raw[at + i]), i32(raw[at + i - step])
                b, c = i32(raw[above + i]), i32(raw[above + i - step])
                none += magnitude(x)
                sub += magnitude(x - a)
                up += magnitude(x - b)
                average += magnitude(x - ((a + b) >> 1))
                near += magnitude(x - paeth(a, b, c))
        best, least = 0, none
        if sub < least:
            best, least = 1, sub
        if up < least:
            best, least = 2, up
        if average < least:
            best, least = 3, average
        if near < least:
            best = 4
        filters[n] = best
        at += count


@bare
def magnitude(difference: Any) -> Any:
    """Return the magnitude of a difference modulo 256 that is taken as signed."""
    low = difference & 255
    return min(low, 256 - low)
