"""The loops of the transform `lines` that take lines apart; apart because this module imports numba.

Invariants: what is written stays inside of the arrays, whatever is read; where it does not fit a loop says so by a
negative number, and what it wrote is not used.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i64
from nzip.entropy.jit import bare, inlined
from nzip.formats.transforms.lines_layout import (
    COLON,
    COMMA,
    COUNTED,
    DASH,
    DIGIT,
    DOT,
    DOTS,
    EDGE,
    END,
    FORM,
    FRACTION,
    LETTER,
    MARK,
    MICRO,
    MOST_DIGITS,
    NUMBER,
    OTHER,
    RARE,
    TEXT,
    TIME,
    WRONG,
)

SIX, LARGE_T = b"6T"


@inlined
def hashed(h: int, byte: int) -> int:
    return ((h << 5) + h ^ i64(byte)) & 0xFFFFFFFF


@inlined
def slot_of(h: int, mask: int) -> int:
    return ((h ^ (h >> 15)) * 0x2545F491 >> 12) & mask


@inlined
def _clock(data: Array, kinds: Array, i: int, end: int) -> int:
    """Return 256 times the bytes of the time of day at `i`, and its form; 0 if there is none."""
    found = i64(0)
    if i + 8 <= end and (data[i + 2] == COLON or data[i + 2] == DOT) and data[i + 5] == data[i + 2]:
        there = data[i + 3] < SIX and data[i + 6] < SIX
        for k in (0, 1, 3, 4, 6, 7):
            there = there and kinds[data[i + k]] == DIGIT
        if there:
            form = i64(DOTS) if data[i + 2] == DOT else i64(0)
            size = i64(8)
            digits = i64(0)
            mark = i64(0)
            if i + 9 < end:
                mark = i64(data[i + 8])
                while digits < 7 and i + 9 + digits < end and kinds[data[i + 9 + digits]] == DIGIT:
                    digits += 1
            if (mark == DOT or mark == COMMA or mark == COLON) and (digits == 3 or digits == 6):  # noqa: SIM109 - as above
                form += FRACTION * (1 if mark == DOT else 2 if mark == COMMA else 3)
                form += MICRO if digits == 6 else 0
                size = 9 + digits
            whole = i + size == end or kinds[data[i + size]] != DIGIT
            # Addresses are of numbers and points, too.
            if whole and (data[i + 2] == COLON or form & MICRO):
                found = 256 * size + form
    return found


@bare
def count(data: Array, kinds: Array, counts: Array) -> int:
    """Count the words of a text without digits, as far as `RARE`, by their hashes in `counts` (uint8, zeros)."""
    size = i64(len(data))
    i = i64(0)
    while i < size:
        if kinds[data[i]] & EDGE or data[i] == END:
            i += 1
        else:
            h = i64(0)
            digits = False
            while i < size and not (kinds[data[i]] & EDGE) and data[i] != END:
                h = hashed(h, data[i])
                digits = digits or kinds[data[i]] == DIGIT
                i += 1
            if not digits:
                slot = slot_of(h, (1 << COUNTED) - 1)
                if counts[slot] < RARE:
                    counts[slot] += 1
    return i64(0)


@bare
def shapes(
    data: Array, kinds: Array, whole: int, counts: Array, store: Array, slots: Array, begins: Array, hashes: Array,
    ids: Array, starts: Array, sizes: Array, said: Array,
) -> int:  # fmt: skip
    """Take lines apart into templates and fields.

    Args:
        data: uint8, the lines; a last one without an end is one too.
        kinds: uint8, of each byte.
        whole: 1 to take words with letters and digits as they are; `counts` are of their like without digits.
        store: uint8, for the templates' text; begins: int32, where each begins; hashes: int64, of each.
        slots: int32, zeros, a power of two of them.
        ids: int32, for the template of each line.
        starts, sizes: int32, for the places of all fields.
        said: int64; the number of lines, of templates, and of bytes of their text.

    Returns:
        The number of fields; -1 where there is no room.
    """
    size = i64(len(data))
    mask = i64(len(slots)) - 1
    fields = i64(0)
    line = i64(0)
    templates = i64(0)
    base = i64(0)
    a = i64(0)
    while a < size:
        b = a
        while b < size and data[b] != END:
            b += 1
        if base + b - a + 1 > len(store) or line >= len(ids) or fields + (b - a) // 2 + 1 > len(starts):
            return i64(WRONG)
        at = base
        i = a
        fine = i64(0)  # until here words are taken apart
        apart = i64(0)  # until here parts of words stay apart
        while i < b:
            kind = i64(kinds[data[i]])
            if (kind & EDGE) or (kind == OTHER and not whole):
                store[at] = data[i]
                at += 1
                i += 1
                continue
            before = i64(OTHER) if i == a else i64(kinds[data[i - 1]])
            joined = DIGIT <= before <= LETTER
            free = i == a or not (joined or data[i - 1] == COLON or data[i - 1] == DOT)
            clock = _clock(data, kinds, i, b) if kind == DIGIT and free and i >= fine else i64(0)
            if kind == DIGIT and not clock and i + 11 <= b and (i >= fine or not whole):
                # Dates before a time, with a T between: 2015-07-29T17:41:44
                day = i
                if data[i + 4] == DASH and data[i + 7] == DASH:
                    day = i + 8
                if day + 3 <= b and data[day + 2] == LARGE_T and free:
                    clock = _clock(data, kinds, day + 3, b)
                    dated = clock > 0 and kinds[data[day]] == DIGIT and kinds[data[day + 1]] == DIGIT
                    if day > i:
                        for k in (0, 1, 2, 3, 5, 6):
                            dated = dated and kinds[data[i + k]] == DIGIT
                    if dated:
                        if day > i:
                            store[at] = NUMBER
                            store[at + 1] = DASH
                            store[at + 2] = NUMBER
                            store[at + 3] = DASH
                            at += 4
                            starts[fields] = i
                            sizes[fields] = 4
                            starts[fields + 1] = i + 5
                            sizes[fields + 1] = 2
                            fields += 2
                        store[at] = NUMBER
                        store[at + 1] = LARGE_T
                        at += 2
                        starts[fields] = day
                        sizes[fields] = 2
                        fields += 1
                        i = day + 3
                    else:
                        clock = i64(0)
            if clock:
                store[at] = TIME
                store[at + 1] = FORM + (clock & 255)
                at += 2
                starts[fields] = i
                sizes[fields] = clock >> 8
                fields += 1
                i += clock >> 8
                fine = max(fine, i)
                apart = max(apart, i)
                continue
            if whole and i >= fine:
                j = i
                h = i64(0)
                digits = i64(0)
                letters = i64(0)
                points = i64(0)
                while j < b and not (kinds[data[j]] & EDGE):
                    h = hashed(h, data[j])
                    digits += kinds[data[j]] == DIGIT
                    letters += kinds[data[j]] == LETTER
                    points += data[j] == DOT
                    letters += 100 if kinds[data[j]] == MARK else 0
                    digits += 100 if kinds[data[j]] == MARK else 0
                    j += 1
                if digits == 0:
                    if counts[slot_of(h, (1 << COUNTED) - 1)] >= RARE:
                        while i < j:
                            store[at] = data[i]
                            at += 1
                            i += 1
                        continue
                elif letters == 0 and points < 2:
                    fine = j
                    apart = j
                    continue
                store[at] = TEXT
                at += 1
                starts[fields] = i
                sizes[fields] = j - i
                fields += 1
                i = j
                continue
            if kind == OTHER:
                store[at] = data[i]
                at += 1
                i += 1
                continue
            p = i
            q = i
            j = i
            text = kind == MARK
            if text:
                while j < b and kinds[data[j]] == MARK:
                    j += 1
            else:
                while p < b and kinds[data[p]] == LETTER:
                    p += 1
                q = p
                while q < b and kinds[data[q]] == DIGIT:
                    q += 1
                j = q
                while j < b and kinds[data[j]] == LETTER:
                    j += 1
                text = q - p > MOST_DIGITS or (j < b and kinds[data[j]] == DIGIT)
                while j < b and (kinds[data[j]] == LETTER or kinds[data[j]] == DIGIT):
                    j += 1
                if i >= apart and j + 1 < b:
                    if data[j] == DASH:
                        mixed = i64(1) if text else i64(0)
                        e = j
                        while (
                            e + 1 < b
                            and data[e] == DASH
                            and (kinds[data[e + 1]] == LETTER or kinds[data[e + 1]] == DIGIT)
                        ):
                            e += 1
                            changes = i64(0)
                            last = i64(LETTER)
                            while e < b and (kinds[data[e]] == LETTER or kinds[data[e]] == DIGIT):
                                changes += kinds[data[e]] != last
                                last = i64(kinds[data[e]])
                                e += 1
                            mixed += changes > 2
                        apart = e
                        if mixed >= 2:
                            text = True
                            j = e
                    elif data[j] == DOT and p == i and q == j:
                        points = i64(0)
                        e = j
                        while e + 1 < b and data[e] == DOT and kinds[data[e + 1]] == DIGIT:
                            e += 1
                            points += 1
                            while e < b and kinds[data[e]] == DIGIT:
                                e += 1
                        apart = e
                        if points >= 3 and (e == b or kinds[data[e]] != LETTER):
                            text = True
                            j = e
            if text:
                store[at] = TEXT
                at += 1
                starts[fields] = i
                sizes[fields] = j - i
                fields += 1
            else:
                while i < p:
                    store[at] = data[i]
                    at += 1
                    i += 1
                if q > p:
                    store[at] = NUMBER
                    at += 1
                    starts[fields] = p
                    sizes[fields] = q - p
                    fields += 1
                    i = q
                while i < j:
                    store[at] = data[i]
                    at += 1
                    i += 1
            i = j
        store[at] = END
        at += 1
        h = i64(0)
        for k in range(base, at):
            h = hashed(h, store[k])
        slot = slot_of(h, mask)
        found = i64(-1)
        while slots[slot] and found < 0:
            other = i64(slots[slot]) - 1
            if hashes[other] == h:
                start = i64(begins[other])
                length = i64(begins[other + 1]) - start
                if length == at - base:
                    k = i64(0)
                    while k < length and store[start + k] == store[base + k]:
                        k += 1
                    if k == length:
                        found = other
            slot = (slot + 1) & mask
        if found < 0:
            if templates + 1 >= len(begins):
                return i64(WRONG)
            found = templates
            slots[slot] = templates + 1
            hashes[templates] = h
            templates += 1
            begins[templates] = at
            base = at
        ids[line] = found
        line += 1
        a = b + 1
    said[0] = line
    said[1] = templates
    said[2] = base
    return fields
