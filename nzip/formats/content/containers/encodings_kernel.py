"""The loop that finds long runs of base64 and hexadecimal digits; apart because this module imports numba.

It looks at one byte in `STEP`. Most have a neighbour near that is in no alphabet, which ends the look.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import i64, u64
from nzip.entropy.jit import bare
from nzip.formats.content.containers.alphabets import BASE64, BREAKING, HEXADECIMAL

STEP = 48  # a first line has so many characters at least
LONGEST = 64  # bytes between two lines, at most
START, STOP, ALPHABET, FIRST, LINE, LAST, BETWEEN = range(7)  # of a run: places, letters, and as in `Lines`
COLUMNS = 7


@bare
def _narrowed(mask: int, kind: int, sure: int) -> Any:
    """The alphabets of `mask` that have a letter of `kind` too, for text that goes on; 0 where it ends. Where `sure`
    says so, digits of hexadecimal numbers stay such."""
    left = mask & kind
    return left if left & BASE64 and (not sure or left & HEXADECIMAL) else 0


@bare
def _after(data: Any, classes: Any, at: int) -> Any:
    """Where the bytes between two lines that begin at `at` end; `at` where there are none that break a line."""
    k = at
    breaks = False
    going = True
    while going and k < len(data) and k - at <= LONGEST:
        byte = i64(data[u64(k)])
        following = i64(data[u64(k + 1)]) if k + 1 < len(data) else i64(0)
        if byte == 92 and (following == 110 or following == 114 or following == 116):  # backslash and n, r, t
            breaks = breaks or following != 116
            k += 2
        elif byte == 38 and following == 35:  # &#10;
            end = k + 2
            while end < len(data) and end < k + 7 and data[u64(end)] != 59:
                end += 1
            going = end < len(data) and data[u64(end)] == 59
            breaks = True
            k = end + 1
        elif classes[u64(byte)] & BREAKING:
            breaks = breaks or byte == 10 or byte == 13
            k += 1
        else:
            going = False
    return k if breaks and k - at <= LONGEST and k < len(data) else at


@bare
def runs(data: Any, classes: Any, least: int, out: Any) -> int:
    """Write the runs of `data` (uint8) that have `least` characters or more to `out` (int64, `COLUMNS` for each), and
    return how many they are.

    `classes` (uint8[256]) has the alphabets that each byte is of. Runs do not overlap, and stand in order. Those that
    `out` has no room for are left out.
    """
    size = len(data)
    found = i64(0)
    floor = i64(0)  # where the last run ended
    at = i64(STEP // 2)
    while at < size and COLUMNS * (found + 1) <= len(out):
        mask = i64(classes[u64(data[u64(at)])])
        if not mask & BASE64:
            at += STEP
            continue
        start = at
        whole = True
        while whole and start > floor:
            left = _narrowed(mask, i64(classes[u64(data[u64(start - 1)])]), i64(0))
            whole = left != 0
            if whole:
                mask = left
                start -= 1
        stop = at + 1
        whole = True
        while whole and stop < size:
            left = _narrowed(mask, i64(classes[u64(data[u64(stop)])]), i64(0))
            whole = left != 0
            if whole:
                mask = left
                stop += 1
        if stop - start < STEP:
            at = stop + STEP - 1
            continue
        first = stop - start
        sure = mask & HEXADECIMAL
        line, between, total, lines = i64(0), i64(0), first, i64(1)
        gap = stop
        last = i64(0)  # characters of the last line, if it is another length
        going = True
        while going:
            if not between:
                text = _after(data, classes, stop)
            else:
                text = stop + between
                if text >= size:
                    text = stop
                k = i64(0)
                while text > stop and k < between:
                    if data[u64(gap + k)] != data[u64(stop + k)]:
                        text = stop
                    k += 1
            if text == stop:
                break
            end = text
            going = True
            narrow = mask
            while going and end < size:
                left = _narrowed(narrow, i64(classes[u64(data[u64(end)])]), sure)
                going = left != 0
                if going:
                    narrow = left
                    end += 1
            length = end - text
            if not length:
                break
            if not between:
                between = text - gap
                line = length if length >= first else first
            mask = narrow
            lines += 1
            total += length
            stop = end
            going = length == line
            if not going:
                last = length
        pads = i64(0)
        if not mask & HEXADECIMAL:
            while pads < 2 and stop + pads < size and data[u64(stop + pads)] == 61:
                pads += 1
            pads = pads if (total + pads) % 4 == 0 else 0
            stop += pads
        if 0 < last < STEP and last < line and not pads and (lines == 2 or (not mask & HEXADECIMAL and total % 4)):
            stop -= last + between  # a word that follows
            total -= last
            last = i64(0)
        odd = total & 1 if mask & HEXADECIMAL else i64(total % 4 == 1)
        if odd:
            stop -= 1 + (between if last == 1 else 0)
            total -= 1
            if last > line:
                last -= 1
        if total >= least and mask & HEXADECIMAL != HEXADECIMAL:
            row = COLUMNS * found
            out[u64(row + START)] = start
            out[u64(row + STOP)] = stop
            out[u64(row + ALPHABET)] = mask
            out[u64(row + FIRST)] = first
            out[u64(row + LINE)] = line if stop - start > first else 0
            out[u64(row + LAST)] = last if last > line else 0
            out[u64(row + BETWEEN)] = between
            found += 1
        floor = stop
        at = stop + STEP - 1
    return found
