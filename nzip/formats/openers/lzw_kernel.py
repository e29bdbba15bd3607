"""The loops of the opener `lzw`; apart because this module imports numba.

A table of phrases is what decoder and encoder build alike: each entry is a phrase that was coded since the table was
cleared, and one more byte. The encoder finds phrases by (phrase, next byte) in a hash table. Its slots carry the number
of the table, so that clearing takes no time. Where two phrases are the same bytes, which only an encoder makes that
does not take the longest, the hash table holds the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nzip.entropy.integers import i64, width
from nzip.entropy.jit import inlined, kernel

LARGEST = 12  # bits of a code
CODES = 1 << LARGEST
SLOTS = 1 << 14
MULTIPLIER = 0x9E3779B1

# What `undo` says.
WRITTEN, READ, CLEARED, BITS, ENDED = range(5)  # bytes, codes, clears, bits that were read, whether by a code


@inlined
def _code_width(count: int, bits: int, early: int) -> Any:
    """Bits of the code after `count` codes since the last clear; `bits` of each byte, `early` 1 where codes grow one
    code too soon."""
    entries = (1 << bits) + 2 + (count - 1 if count > 0 else 0)
    return min(LARGEST, max(bits + 1, width(i64(entries + early))))


@inlined
def _at(coded: Any, place: int, wide: int, big: int) -> Any:
    """The code of `wide` bits at bit `place`, which lies inside."""
    k = place >> 3
    shift = place & 7
    value = i64(0)
    if big:
        for i in range(3):
            value = value << 8 | (i64(coded[k + i]) if k + i < len(coded) else i64(0))
        value >>= 24 - shift - wide
    else:
        for i in range(3):
            value |= (i64(coded[k + i]) if k + i < len(coded) else i64(0)) << 8 * i
        value >>= shift
    return value & ((1 << wide) - 1)


@kernel
def undo(
    coded: Any, big: int, early: int, bits: int, enough: int, out: Any, codes: Any, clears: Any, said: Any
) -> None:
    """Decode `coded` (uint8) until a code says that it ends, or `out` (uint8) holds `enough`, or it makes no sense.

    codes: uint16, all but clears. clears: int32, for each clear how many codes stood before it since the last one.
    """
    prefix = np.zeros(CODES, np.int32)
    suffix = np.zeros(CODES, np.uint8)
    initial = np.zeros(CODES, np.uint8)
    length = np.zeros(CODES, np.int64)
    clear = 1 << bits
    for k in range(clear):
        suffix[k] = k
        initial[k] = k
        length[k] = 1
    place, written, read, cleared, ended = i64(0), i64(0), i64(0), i64(0), i64(0)
    count = i64(0)
    before = i64(-1)
    entry = clear + 2
    while True:
        wide = _code_width(count, bits, early)
        if place + wide > len(coded) * 8:
            break
        code = _at(coded, place, wide, big)
        if code == clear:
            if cleared == len(clears):
                break
            clears[cleared] = count
            cleared += 1
            count = i64(0)
            before = i64(-1)
            entry = clear + 2
            place += wide
            continue
        if code == clear + 1:
            place += wide
            ended = i64(1)
            break
        fresh = before >= 0 and entry < CODES
        if written >= enough or code > entry or (code == entry and not fresh) or read == len(codes):
            break
        if fresh:  # its last byte is the first of the phrase that comes now
            prefix[entry] = before
            length[entry] = length[before] + 1
            initial[entry] = initial[before]
            suffix[entry] = initial[before] if code == entry else initial[code]
        if written + length[code] > len(out):
            break
        if fresh:
            entry += 1
        at = written + length[code] - 1
        written += length[code]
        phrase = code
        while at >= written - length[code]:
            out[at] = suffix[phrase]
            phrase = i64(prefix[phrase])
            at -= 1
        codes[read] = code
        read += 1
        count += 1
        before = code
        place += wide
    said[WRITTEN], said[READ], said[CLEARED], said[BITS], said[ENDED] = written, read, cleared, place, ended


@inlined
def _slot(keys: Any, key: int, table: int) -> Any:
    """Where `key` of the table numbered `table` is, or would be."""
    k = ((key * MULTIPLIER) >> 15) & (SLOTS - 1)
    wanted = table << 20 | key
    while keys[k] >> 20 == table and keys[k] != wanted:
        k = (k + 1) & (SLOTS - 1)
    return k


@kernel
def phrases(
    inner: Any, bits: int, top: int, clears: Any, total: int, odd: Any, odds: int, codes: Any, known: int
) -> int:
    """Cut `inner` (uint8) into phrases and return how many there are, or less than 0.

    top: phrases of the table have numbers below this.
    clears: int32; after how many codes since the last clear the next is, for `total` clears; the last of them stands
        for all others.
    odd: int32 (..., 3), the phrases that are not the longest ones: how many stand between it and the odd one before,
        bytes that it is shorter, and its number plus 1 if that is not what the table has; `odds` of them are there.
    codes: uint16; the phrases' numbers.
    known: 0 to fill `codes`; else so many `codes` are given, `odd` is filled, and how many it has is returned.
    """
    keys = np.zeros(SLOTS, np.int64)
    numbers = np.zeros(SLOTS, np.uint16)
    length = np.zeros(CODES, np.int64)
    clear = 1 << bits
    for k in range(clear):
        length[k] = 1
    table = i64(1)
    at, made, count, cleared, found, gap = i64(0), i64(0), i64(0), i64(0), i64(0), i64(0)
    entry = clear + 2
    while at < len(inner):
        while cleared < total and clears[min(cleared, len(clears) - 1)] == count:
            cleared += 1
            count = i64(0)
            table += 1
            entry = clear + 2
        code = i64(inner[at])
        if code >= clear or made == len(codes) or (known and made == known):
            return -1
        size = i64(1)
        while at + size < len(inner):
            slot = _slot(keys, code << 8 | i64(inner[at + size]), table)
            if keys[slot] >> 20 != table:
                break
            code = i64(numbers[slot])
            size += 1
        given = code
        less = i64(0)
        if known:
            given = i64(codes[made])
            if given != code:
                less = size - (length[given] if given != clear and given != clear + 1 and given < entry else 0)
                if less >= size or less < 0 or found == len(odd):
                    return -1
        elif found < odds and odd[found, 0] == gap:
            less = i64(odd[found, 1])
            if less < 0 or less >= size:
                return -1
        if less:  # walk again, not so far
            size -= less
            code = i64(inner[at])
            for k in range(1, size):
                code = i64(numbers[_slot(keys, code << 8 | i64(inner[at + k]), table)])
        gap += 1
        if known:
            if less or given != code:
                odd[found, 0] = gap - 1
                odd[found, 1] = less
                odd[found, 2] = given + 1 if given != code else 0
                found += 1
                gap = i64(0)
        else:
            if found < odds and odd[found, 0] == gap - 1:
                given = i64(odd[found, 2]) - 1 if odd[found, 2] else code
                found += 1
                gap = i64(0)
            else:
                given = code
            codes[made] = given
        made += 1
        count += 1
        if at + size < len(inner) and entry < top:
            slot = _slot(keys, code << 8 | i64(inner[at + size]), table)
            if keys[slot] >> 20 != table:
                keys[slot] = table << 20 | code << 8 | i64(inner[at + size])
                numbers[slot] = entry
            length[entry] = size + 1
            entry += 1
        at += size
    if known:
        return found if made == known else -1
    return made if found == odds else -1


@kernel
def pack(codes: Any, clears: Any, total: int, big: int, early: int, bits: int, end: int, out: Any) -> int:
    """Write `codes` (uint16) with their clears, as in `phrases`, and the code of the end if `end` says so; return the
    bits, or -1 where `out` (uint8, zeros) has no room or a clear has no place."""
    clear = 1 << bits
    cleared, count, k, place = i64(0), i64(0), i64(0), i64(0)
    while True:
        clearing = cleared < total and clears[min(cleared, len(clears) - 1)] == count
        if clearing:
            code = i64(clear)
        elif k < len(codes):
            code = i64(codes[k])
        elif cleared < total:
            return -1
        elif end:
            code = i64(clear + 1)
        else:
            return place
        wide = _code_width(count, bits, early)
        if place + wide > len(out) * 8 or code >= 1 << wide:
            return -1
        at = place >> 3
        shift = place & 7
        if big:
            value = code << (24 - shift - wide)
            for i in range(3):
                piece = value >> (16 - 8 * i) & 255
                if piece:
                    out[at + i] |= piece
        else:
            value = code << shift
            for i in range(3):
                piece = value >> 8 * i & 255
                if piece:
                    out[at + i] |= piece
        place += wide
        if clearing:
            cleared += 1
            count = i64(0)
        elif k < len(codes):
            k += 1
            count += 1
        else:
            return place
