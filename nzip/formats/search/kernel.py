"""The loop over the words of a text; apart because this module imports numba.

Words are found again by a hash table, and compared byte by byte before two are held to be one.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i64
from nzip.entropy.jit import bare, inlined
from nzip.formats.search.layout import (
    DIGIT,
    DOT,
    DOTS,
    END,
    FOLLOWING,
    FULL,
    FULL_NUMBERS,
    HEADS,
    LEAD,
    LEAST_NUMBER,
    LETTER,
    LINES,
    LONGEST,
    MOST_HEADS,
    MOST_NUMBERS,
    MOST_WORDS,
    NUMBERS,
    SLOT_BITS,
    WORDS,
)


@inlined
def _hashed(h: int, byte: int) -> int:
    return ((h << 5) + h ^ i64(byte)) & 0xFFFFFFFF


@inlined
def _keep(data: Array, start: int, size: int, h: int, number: int, slots: Array, places: Array, said: Array) -> None:
    """Add the word of `size` bytes at `start`, whose hash is `h`, if it is not there."""
    slot = ((h ^ (h >> 15)) * 0x2545F491 >> 12) & ((1 << SLOT_BITS) - 1)
    while True:
        at = i64(slots[slot])
        if at == 0:
            count = said[WORDS]
            if size > LONGEST or count >= MOST_WORDS or (number and said[NUMBERS] >= MOST_NUMBERS):
                if number:
                    said[FULL_NUMBERS] = 1
                else:
                    said[FULL] = 1
            else:
                places[2 * count] = start
                places[2 * count + 1] = size
                said[WORDS] = count + 1
                said[NUMBERS] += number
                slots[slot] = count + 1
            break
        same = places[2 * at - 1] == size
        if same:
            other = places[2 * at - 2]
            k = i64(0)
            while k < size and data[other + k] == data[start + k]:
                k += 1
            same = k == size
        if same:
            break
        slot = (slot + 1) & ((1 << SLOT_BITS) - 1)


@bare
def words(
    data: Array, kinds: Array, head: int, digits: int, slots: Array, places: Array, heads: Array, said: Array
) -> int:
    """Find the distinct words of `data` (uint8), lines of text.

    Args:
        data: the lines; the first begins at its start.
        kinds: uint8, of each byte.
        head: of each line so many bytes are compared with those of the line before; 0 for none.
        digits: which words of digits are looked for: 0 none, 1 those with dots, 2 numbers too.
        slots: int32, zeros; places: int64, of each word where it begins and its size; heads: int64, where lines begin
            whose first bytes are not those of the line before; said: int64, zeros; see `layout`.

    Returns:
        The number of words.
    """
    size = i64(len(data))
    last = i64(-1)  # where the latest line of `heads` begins
    i = i64(0)
    begins = True
    while i < size:
        if begins:
            begins = False
            if head > 0:
                same = last >= 0 and i + head <= size
                k = i64(0)
                while same and k < head:
                    same = data[last + k] == data[i + k]
                    k += 1
                if not same:
                    last = i
                    if said[HEADS] < MOST_HEADS:
                        heads[said[HEADS]] = i
                    said[HEADS] += 1
        kind = kinds[data[i]]
        if kind == LETTER:
            start = i
            h = i64(0)
            while i < size and kinds[data[i]] == LETTER:
                h = _hashed(h, data[i])
                i += 1
            _keep(data, start, i - start, h, 0, slots, places, said)
        elif kind == DIGIT or kind == DOT:  # noqa: SIM109 - numba makes no set of it
            start = i
            dots = i64(0)
            while i < size and (kinds[data[i]] == DIGIT or kinds[data[i]] == DOT):
                dots += kinds[data[i]] == DOT
                i += 1
            j = start
            while j < i and digits > (0 if dots >= DOTS else 1):
                if dots < DOTS and kinds[data[j]] == DOT:
                    j += 1
                    continue
                begin = j
                h = i64(0)
                while j < i and (dots >= DOTS or kinds[data[j]] == DIGIT):
                    h = _hashed(h, data[j])
                    j += 1
                if dots >= DOTS or j - begin >= LEAST_NUMBER:
                    _keep(data, begin, j - begin, h, 1 if dots < DOTS else 0, slots, places, said)
        elif kind == LEAD:
            start = i
            most = i64(2) if data[i] < 0xE0 else (i64(3) if data[i] < 0xF0 else i64(4))
            h = _hashed(i64(0), data[i])
            i += 1
            while i < size and i - start < most and kinds[data[i]] == FOLLOWING:
                h = _hashed(h, data[i])
                i += 1
            _keep(data, start, i - start, h, 0, slots, places, said)
        else:
            if kind == END:
                said[LINES] += 1
                begins = True
            i += 1
    return i64(said[WORDS])
