"""The loops of the transform `lines` over columns, there and back; apart because this module imports numba.

Invariants: what is written stays inside of the arrays, whatever is read; where it does not fit, or what is read cannot
be, a loop says so by a negative number, and what it wrote is not used.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i64
from nzip.entropy.jit import bare, inlined
from nzip.formats.transforms.lines_apart import hashed, slot_of
from nzip.formats.transforms.lines_layout import (
    COLON,
    COMMA,
    DOT,
    DOTS,
    ELSEWHERE,
    END,
    FORM,
    FRACTION,
    KNOWN,
    LEAST_PLAIN,
    LETTER,
    LOOKED_AT,
    MICRO,
    MOST_DIGITS,
    MOST_VALUE,
    NEAR,
    NUMBER,
    ONE,
    PLAIN,
    ROWS,
    SHARED,
    TEXT,
    TIME,
    TWO,
    WRONG,
)


@bare
def columns(
    text: Array, kinds: Array, slots: Array, begins: Array, firsts: Array, column: Array, kept: Array, hashes: Array
) -> int:
    """Find which column each field of the templates belongs to.

    Args:
        text: uint8, the templates, in order.
        kinds: uint8, of each byte.
        slots: int32, zeros, a power of two of them, more than there are fields.
        begins, firsts: int32, for where each template begins, and the number of its first field; one more of each.
        column: int32, for the column of each field.
        kept, hashes: int64, for the kind of each column, and the hash that it is known by.

    Returns:
        The number of columns; -1 where these are no such templates.
    """
    mask = i64(len(slots)) - 1
    size = i64(len(text))
    fields = i64(0)
    templates = i64(0)
    found = i64(0)
    index = i64(0)
    p = i64(0)
    literal = i64(0)  # where what stands before the field begins
    while p < size:
        if templates + 1 >= len(begins):
            return i64(WRONG)
        byte = i64(text[p])
        p += 1
        if byte == END:
            templates += 1
            begins[templates] = p
            firsts[templates] = fields
            index = i64(0)
            literal = p
        elif byte == NUMBER or byte == TEXT or byte == TIME:  # noqa: SIM109 - as above
            q = p - 1
            stop = q
            if byte == TIME:
                if p >= size or text[p] < FORM or text[p] >= FORM + 2 * MICRO:
                    return i64(WRONG)
                p += 1
            while q > literal and kinds[text[q - 1]] != LETTER:
                q -= 1
            while q > literal and kinds[text[q - 1]] == LETTER:
                q -= 1
            h = hashed(i64(0), min(index, SHARED))
            while q < stop:
                h = hashed(h, text[q])
                q += 1
            if byte == TIME:
                h = hashed(h, text[p - 1])
            h = hashed(h, text[p] if p < size else END)
            slot = slot_of(h, mask)
            while slots[slot] and not (hashes[slots[slot] - 1] == h and kept[slots[slot] - 1] == byte):
                slot = (slot + 1) & mask
            if slots[slot] == 0:
                hashes[found] = h
                kept[found] = byte
                found += 1
                slots[slot] = found
            column[fields] = slots[slot] - 1
            fields += 1
            index += 1
            literal = p
    if templates + 1 != len(begins) or literal != p or index:
        return i64(WRONG)
    return found


@bare
def numbered(coded: Array, ids: Array, firsts: Array, column: Array, uses: Array, ends: Array) -> int:
    """Read the template of each line, and count what is in each column.

    Args:
        coded: uint8, the templates' indexes.
        ids: int32, for those of the lines.
        firsts, column: as `columns` leaves them.
        uses: int64, zeros, for the number of lines of each template.
        ends: int64, zeros, for the number of fields in each column and, behind, of all columns before it.

    Returns:
        The number of fields; -1 where there is no such template, or the indexes do not end where they should.
    """
    at = i64(0)
    for line in range(len(ids)):
        found = _index(coded, at)
        if found < 0:
            return i64(WRONG)
        at += 1 if found < ONE else 2 if found < ONE + TWO else 4
        if found >= len(uses):
            return i64(WRONG)
        ids[line] = found
        uses[found] += 1
    if at != len(coded):
        return i64(WRONG)
    return _counted(firsts, column, uses, ends)


@inlined
def _index(coded: Array, at: int) -> int:
    """Return the index at `at`; -1 where none is whole."""
    left = i64(len(coded)) - at
    found = i64(-1)
    if left > 0:
        byte = i64(coded[at])
        if byte < ONE:
            found = byte
        elif byte < 255:
            if left > 1:
                found = ONE + ((byte - ONE) << 8) + i64(coded[at + 1])
        elif left > 3:
            found = ONE + TWO + (i64(coded[at + 1]) << 16) + (i64(coded[at + 2]) << 8) + i64(coded[at + 3])
    return found


@inlined
def _counted(firsts: Array, column: Array, uses: Array, ends: Array) -> int:
    for template in range(len(uses)):
        for field in range(firsts[template], firsts[template + 1]):
            ends[column[field] + 1] += uses[template]
    for number in range(1, len(ends)):
        ends[number] += ends[number - 1]
    return i64(ends[len(ends) - 1])


@inlined
def _put_index(out: Array, at: int, index: int) -> int:
    """Write an index where there is room for four bytes; return where the next goes."""
    if index < ONE:
        out[at] = index
        at += 1
    elif index < ONE + TWO:
        out[at] = ONE + ((index - ONE) >> 8)
        out[at + 1] = (index - ONE) & 255
        at += 2
    else:
        out[at] = 255
        out[at + 1] = (index - ONE - TWO) >> 16
        out[at + 2] = ((index - ONE - TWO) >> 8) & 255
        out[at + 3] = (index - ONE - TWO) & 255
        at += 4
    return at


@inlined
def _number(data: Array, start: int, size: int) -> int:
    value = i64(0)
    for k in range(start, start + size):
        value = 10 * value + i64(data[k]) - 48
    return value


@inlined
def _moment(data: Array, start: int, size: int) -> int:
    value = _number(data, start, 2) * 3600 + _number(data, start + 3, 2) * 60 + _number(data, start + 6, 2)
    if size > 8:
        value = value * (1000 if size == 12 else 1000000) + _number(data, start + 9, size - 9)
    return value


@inlined
def _folded(difference: int) -> int:
    return 2 * difference if difference >= 0 else -2 * difference - 1


@inlined
def _bytes(value: int) -> int:
    """Return how many bytes `value` has, one at least."""
    count = i64(1)
    while value >= 256:
        value >>= 8
        count += 1
    return count


@inlined
def _same(data: Array, starts: Array, sizes: Array, one: int, other: int) -> bool:
    size = i64(sizes[one])
    same = size == i64(sizes[other])
    if same:
        a, b = i64(starts[one]), i64(starts[other])
        k = i64(0)
        while k < size and data[a + k] == data[b + k]:
            k += 1
        same = k == size
    return same


@inlined
def _found(
    data: Array, starts: Array, sizes: Array, order: Array, k: int, shift: int, base: int, slots: Array, mask: int
) -> int:
    """Return the slot of the text of field `order[k]`, or a free one. A slot above `base` less 1 and with `shift` added
    is the place of the field in `order`."""
    h = i64(0)
    start = i64(starts[order[k]])
    for p in range(start, start + sizes[order[k]]):
        h = hashed(h, data[p])
    slot = slot_of(h, mask)
    while slots[slot] > base and not _same(data, starts, sizes, i64(order[slots[slot] - 1 + shift]), i64(order[k])):
        slot = (slot + 1) & mask
    return slot


@inlined
def _mode(
    data: Array, starts: Array, sizes: Array, order: Array, first: int, stop: int, base: int, slots: Array, mask: int
) -> int:
    """Return the mode of a column of numbers: 1 and the digits that all have at least, or 0 where they are texts."""
    zeros = i64(0)  # digits of those that begin with 0, if all have as many
    least = i64(MOST_DIGITS)
    plain = True
    for k in range(first, stop):
        size = i64(sizes[order[k]])
        least = min(least, size)
        if size > 1 and data[starts[order[k]]] == 48:
            plain = plain and (zeros == 0 or zeros == size)
            zeros = size
    mode = i64(0)
    if plain and (zeros == 0 or least >= zeros):
        mode = 1 + zeros
        # About what differences cost, and what texts do, in halves of a byte.
        differences = i64(0)
        last = i64(0)
        before = i64(-1)
        for k in range(first, stop):
            value = _number(data, i64(starts[order[k]]), i64(sizes[order[k]]))
            folded = _folded(value - last)
            last = value
            if folded >= NEAR:
                differences += 1 + 2 * _bytes(folded)
            elif folded != before:
                differences += 1
            before = folded
        if stop - first >= 8 and 2 * differences > stop - first:
            different = i64(0)
            again = i64(0)
            for k in range(first, stop):
                if k > first and _same(data, starts, sizes, i64(order[k - 1]), i64(order[k])):
                    continue
                slot = _found(data, starts, sizes, order, k, first - base, base, slots, mask)
                if slots[slot] > base:
                    again += 2 if different > ONE else 1
                else:
                    again += 1 + i64(sizes[order[k]])
                    if different < KNOWN:
                        slots[slot] = k - first + base + 1
                        different += 1
            if again < differences:
                mode = i64(0)
    return mode


@inlined
def _log(value: int) -> int:
    """Return about log2 of a number below 2^48, in 256th parts of a bit."""
    whole = i64(0)
    while value >> (whole + 1):
        whole += 1
    return (whole << 8) + ((value << 8) >> whole) - 256


@inlined
def _seen(counts: Array, row: int, byte: int, chance: int) -> int:
    """Count a byte in a row; return the chance it had there, of 2^16, if it is `chance` elsewhere."""
    total = i64(counts[(ROWS << 8) + row]) + ELSEWHERE
    found = max(i64(1), ((i64(counts[(row << 8) + byte]) << 16) + ELSEWHERE * chance) // total)
    counts[(row << 8) + byte] += 1
    counts[(ROWS << 8) + row] += 1
    return found


@inlined
def _cost(
    data: Array, starts: Array, sizes: Array, order: Array, first: int, stop: int, width: int, counts: Array
) -> int:
    """Return about what numbers of a column cost, in 256th parts of a bit, if `width` bytes of each stand as they are,
    or, where it is 0, their differences do.

    Bytes of `near` hang on the one before, or steps between them on the step before, whichever is shorter; of bytes of
    `far` the first hangs on how many follow.
    """
    for k in range(len(counts)):
        counts[k] = 0
    cost = i64(0)
    steps = i64(0)
    last = i64(0)
    before = i64(0)
    step_before = i64(0)
    for k in range(first, stop):
        value = _number(data, i64(starts[order[k]]), i64(sizes[order[k]]))
        more = width - 1
        byte = i64(0)
        if width:
            byte = value >> (8 * more)
        else:
            byte = _folded(value - last)
            last = value
            more = i64(0)
            if byte >= NEAR:
                value = byte
                more = _bytes(value)
                byte = NEAR - 1 + more
        cost += 4096 - _log(_seen(counts, before, byte, _seen(counts, i64(256), byte, i64(256))))
        if width:
            step = (byte - before) & 255
            chance = _seen(counts, i64(513), step, i64(256))
            steps += 4096 - _log(_seen(counts, 257 + step_before, step, chance))
            step_before = step
        before = byte
        if more:
            byte = (value >> (8 * (more - 1))) & 255
            far = 4096 - _log(_seen(counts, 513 + more, byte, i64(256))) + ((more - 1) << 11)
            cost += far
            steps += far
    return min(cost, steps) if width else cost


@inlined
def _plain(data: Array, starts: Array, sizes: Array, order: Array, first: int, stop: int, counts: Array) -> int:
    """Return how many bytes numbers of a column have if they stand as they are; 0 where differences are shorter."""
    width = i64(0)
    if stop - first >= LEAST_PLAIN:
        for k in range(first, stop):
            width = max(width, _bytes(_number(data, i64(starts[order[k]]), i64(sizes[order[k]]))))
        stop = min(stop, first + LOOKED_AT)
        differences = _cost(data, starts, sizes, order, first, stop, i64(0), counts)
        if _cost(data, starts, sizes, order, first, stop, width, counts) >= differences:
            width = i64(0)
    return width


@bare
def put(
    data: Array, ids: Array, firsts: Array, column: Array, kept: Array, starts: Array, sizes: Array, uses: Array,
    ends: Array, order: Array, slots: Array, listed: Array, plain: int, counts: Array, indexes: Array, modes: Array,
    near: Array, far: Array, again: Array, texts: Array, said: Array,
) -> int:  # fmt: skip
    """Write the columns of fields.

    Args:
        data: uint8, the lines; ids: int32, the template of each, as an index of those that `columns` saw.
        firsts, column, kept: as `columns` leaves them; starts, sizes: the places of fields.
        uses: int64, zeros, one for each template; ends: int64, zeros, one for each column and one more.
        order: int32, for the fields, column by column.
        slots, listed: int32, zeros, a power of two of each.
        plain: 1 if numbers may stand as they are; counts: int32, 257 of them for each of `ROWS`.
        indexes, modes, near, far, again, texts: uint8, for what is written.
        said: int64; the bytes of each of the six.

    Returns:
        0; -1 where there is no room.
    """
    at = i64(0)
    for line in range(len(ids)):
        if at + 4 > len(indexes):
            return i64(WRONG)
        at = _put_index(indexes, at, i64(ids[line]))
        uses[ids[line]] += 1
    said[0] = at
    _counted(firsts, column, uses, ends)
    field = i64(0)
    for line in range(len(ids)):
        for k in range(firsts[ids[line]], firsts[ids[line] + 1]):
            order[ends[column[k]]] = field
            ends[column[k]] += 1
            field += 1
    mask = i64(len(slots)) - 1
    n = i64(0)
    f = i64(0)
    g = i64(0)
    t = i64(0)
    first = i64(0)
    base = i64(0)  # what is not above it in `slots` is of columns before
    for number in range(len(ends) - 1):
        stop = i64(ends[number])  # it was moved to where the next begins
        mode = i64(0)
        if kept[number] == TIME:
            mode = i64(1)
        elif kept[number] == NUMBER:
            mode = _mode(data, starts, sizes, order, first, stop, base, slots, mask)
            base += stop - first
            if mode and plain:
                mode += PLAIN * _plain(data, starts, sizes, order, first, stop, counts)
        modes[number] = mode
        if mode:
            width = (mode - 1) // PLAIN
            last = i64(0)
            for k in range(first, stop):
                start, size = i64(starts[order[k]]), i64(sizes[order[k]])
                value = _number(data, start, size) if kept[number] == NUMBER else _moment(data, start, size)
                count = width - 1
                if width:
                    near[n] = value >> (8 * count)
                else:
                    folded = _folded(value - last)
                    last = value
                    value = folded
                    count = i64(0) if folded < NEAR else _bytes(folded)
                    near[n] = folded if folded < NEAR else NEAR - 1 + count
                n += 1
                if f + count > len(far):
                    return i64(WRONG)
                while count:
                    count -= 1
                    far[f] = (value >> (8 * count)) & 255
                    f += 1
        else:
            different = i64(0)
            before = i64(-1)
            for k in range(first, stop):
                start, size = i64(starts[order[k]]), i64(sizes[order[k]])
                if g + 4 > len(again) or t + size + 1 > len(texts):
                    return i64(WRONG)
                if before >= 0 and _same(data, starts, sizes, before, order[k]):
                    again[g] = 0
                    g += 1
                    continue
                before = i64(order[k])
                slot = _found(data, starts, sizes, order, k, first - base, base, slots, mask)
                if slots[slot] > base:
                    g = _put_index(again, g, i64(listed[slot]) + 2)
                    continue
                again[g] = 1
                g += 1
                for p in range(start, start + size):
                    texts[t] = data[p]
                    t += 1
                texts[t] = END
                t += 1
                if different < KNOWN:
                    slots[slot] = k - first + base + 1
                    listed[slot] = different
                    different += 1
            base += stop - first
        first = stop
    said[1] = len(ends) - 1
    said[2] = n
    said[3] = f
    said[4] = g
    said[5] = t
    return i64(0)


@bare
def values(
    kept: Array, ends: Array, modes: Array, near: Array, far: Array, again: Array, texts: Array, listed: Array,
    found: Array,
) -> int:  # fmt: skip
    """Read the columns of fields.

    Args:
        kept: as `columns` leaves it; ends: as `numbered` does.
        modes, near, far, again, texts: uint8, what `put` wrote.
        listed: int32, for the texts of a column that have an index.
        found: int64, for the value of each field, column by column: a number, or where a text begins in `texts`.

    Returns:
        0; -1 where these are no such columns, or more is there.
    """
    n = i64(0)
    f = i64(0)
    g = i64(0)
    t = i64(0)
    first = i64(0)
    for number in range(len(kept)):
        stop = i64(ends[number + 1])
        mode = i64(modes[number])
        width = (mode - 1) // PLAIN if mode else i64(0)
        if mode - PLAIN * width > MOST_DIGITS + 1 or width > 8:
            return i64(WRONG)
        if (mode and kept[number] == TEXT) or (mode != 1 and kept[number] == TIME):
            return i64(WRONG)
        if mode:
            if n + stop - first > len(near):
                return i64(WRONG)
            value = i64(0)
            for k in range(first, stop):
                folded = i64(near[n])
                n += 1
                count = width - 1
                if not width:
                    count = i64(0)
                    if folded >= NEAR:
                        count = folded - NEAR + 1
                        folded = i64(0)
                if count > 8 or f + count > len(far):
                    return i64(WRONG)
                if (count == 8 and far[f] >= 128) or (width == 8 and folded >= 128):
                    return i64(WRONG)
                while count:
                    folded = (folded << 8) + i64(far[f])
                    f += 1
                    count -= 1
                if width:
                    value = folded
                else:
                    value += -(folded >> 1) - 1 if folded & 1 else folded >> 1
                if value < 0 or value >= MOST_VALUE:
                    return i64(WRONG)
                found[k] = value
        else:
            different = i64(0)
            last = i64(-1)
            for k in range(first, stop):
                index = _index(again, g)
                if index < 0 or index - 2 >= different or (index == 0 and last < 0):
                    return i64(WRONG)
                g += 1 if index < ONE else 2 if index < ONE + TWO else 4
                if index == 1:
                    last = t
                    while t < len(texts) and texts[t] != END:
                        t += 1
                    if t == len(texts):
                        return i64(WRONG)
                    t += 1
                    if different < KNOWN:
                        listed[different] = last
                        different += 1
                elif index:
                    last = i64(listed[index - 2])
                found[k] = last
        first = stop
    return i64(0) if n == len(near) and f == len(far) and g == len(again) and t == len(texts) else i64(WRONG)


@bare
def join(
    ids: Array, text: Array, begins: Array, firsts: Array, column: Array, ends: Array, modes: Array, texts: Array,
    found: Array, out: Array,
) -> int:  # fmt: skip
    """Write the lines.

    Args:
        ids: int32, the template of each; text: uint8, the templates.
        begins, firsts, column: as `columns` leaves them; ends: as `numbered` does, and is used up.
        modes, texts: uint8, of columns; found: as `values` leaves it.
        out: uint8, for the lines.

    Returns:
        The number of bytes; -1 where there is no room, or a time that is none.
    """
    at = i64(0)
    room = i64(len(out))
    for line in range(len(ids)):
        p = i64(begins[ids[line]])
        field = i64(firsts[ids[line]])
        while True:
            byte = i64(text[p])
            p += 1
            if byte > TIME or byte == 0:
                if at == room:
                    return i64(WRONG)
                out[at] = byte
                at += 1
                if byte == END:
                    break
                continue
            number = i64(column[field])
            field += 1
            value = i64(found[ends[number]])
            ends[number] += 1
            if byte == TIME:
                form = i64(text[p])
                p += 1
                digits = i64(0)
                mark = (form // FRACTION) & 3
                if mark:
                    digits = i64(6) if form & MICRO else i64(3)
                size = 8 if mark == 0 else 9 + digits
                part = 1 if mark == 0 else 1000000 if form & MICRO else 1000
                if value >= 360000 * part or at + size > room:
                    return i64(WRONG)
                if mark:
                    out[at + 8] = DOT if mark == 1 else COMMA if mark == 2 else COLON
                    _digits(out, at + 9, digits, value % part)
                    value //= part
                between = DOT if form & DOTS else COLON
                _digits(out, at, 2, value // 3600)
                out[at + 2] = between
                _digits(out, at + 3, 2, value // 60 % 60)
                out[at + 5] = between
                _digits(out, at + 6, 2, value % 60)
                at += size
            elif modes[number]:
                digits = max((i64(modes[number]) - 1) % PLAIN, 1)
                more = i64(10)
                for _ in range(digits - 1):
                    more *= 10
                while digits < MOST_DIGITS and value >= more:
                    digits += 1
                    more *= 10
                if at + digits > room:
                    return i64(WRONG)
                _digits(out, at, digits, value)
                at += digits
            else:
                while texts[value] != END:
                    if at == room:
                        return i64(WRONG)
                    out[at] = texts[value]
                    at += 1
                    value += 1
    return at


@inlined
def _digits(out: Array, at: int, digits: int, value: int) -> None:
    k = at + digits
    while k > at:
        k -= 1
        out[k] = 48 + value % 10
        value //= 10
