"""The one look at every byte that finds where containers may begin; apart because this module imports numba.

A table says of each pair of bytes whether anything begins with it; what does is compared further here, so that the
places which leave this loop are few, also in bytes that are noise.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import i64
from nzip.entropy.jit import bare, inlined

ZLIB = 1  # what the table has for a pair; the numbers above it are words of `scan.WORDS`


@bare
def scan(data: Any, table: Any, words: Any, starts: Any, masks: Any, places: Any, kinds: Any, start: int) -> int:
    """Find places in `data` (uint8) from `start` on.

    Args:
        table: uint8[65536], by the first two bytes (the first one is the higher): 0, `ZLIB`, or a word's number.
        words: uint8; all words, one after another.
        starts: int64; where word k begins is `starts[k]`, where it ends `starts[k + 1]`.
        masks: uint8, as `words`: the bits of each byte that must be equal.
        places, kinds: int64; get the places and their numbers.

    Returns:
        How many were found. Where it is as many as fit, more may follow behind the last.
    """
    found = 0
    most = len(places)
    before = i64(data[start]) if start < len(data) else i64(0)
    for at in range(start, len(data) - 1):
        byte = i64(data[at + 1])
        kind = i64(table[before << 8 | byte])
        before = byte
        if kind:
            if kind == ZLIB:
                right = begins_deflate(data, at + 2, data[at] == 0x78)
            else:
                first, last = starts[kind], starts[kind + 1]
                right = at + last - first <= len(data)
                if right:
                    for k in range(first, last):
                        if (data[at + k - first] ^ words[k]) & masks[k]:
                            right = False
                            break
            if right:
                places[found] = at
                kinds[found] = kind
                found += 1
                if found == most:
                    return found
    return found


@inlined
def begins_deflate(data: Any, at: int, common: bool) -> Any:
    """Return whether a deflate stream may begin at `at`, by the header of its first block (RFC 1951, 3.2).

    A block with the fixed code has no header; it is believed where what stands before it is `common`.
    """
    result = False
    if at + 5 <= len(data):
        kind = (i64(data[at]) >> 1) & 3
        if kind == 0:
            size = i64(data[at + 1]) | i64(data[at + 2]) << 8
            result = size ^ 0xFFFF == i64(data[at + 3]) | i64(data[at + 4]) << 8 and data[at] < 8 and size > 0
        elif kind == 1:
            result = common
        elif kind == 2 and at + 12 <= len(data):
            bits = i64(data[at]) >> 3 | i64(data[at + 1]) << 5 | i64(data[at + 2]) << 13
            lengths, distances, codes = bits & 31, (bits >> 5) & 31, ((bits >> 10) & 15) + 4
            if lengths < 30 and distances < 30:
                room = i64(128)
                for k in range(codes):
                    place = 17 + 3 * k
                    low = at + (place >> 3)
                    length = (i64(data[low]) | i64(data[low + 1]) << 8) >> (place & 7) & 7
                    if length:
                        room -= i64(128) >> length
                result = room == 0
    return result


@bare
def jpeg_end(data: Any, start: int, most: int) -> int:
    """Return where the JPEG file ends that begins at `start`; less the place where it is seen to be none.

    Args:
        most: bytes that may be looked at.
    """
    at, stop = start + 2, min(len(data), start + most)
    frames, scans = 0, 0
    while at + 4 <= stop:
        if data[at] != 0xFF:
            return -at
        marker = i64(data[at + 1])
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            return at + 2 if frames == 1 and scans else -at
        if marker == 0x01 or marker == 0 or 0xD0 <= marker <= 0xD8:
            return -at
        length = i64(data[at + 2]) << 8 | i64(data[at + 3])
        if length < 2:
            return -at
        if 0xC0 <= marker <= 0xCF and marker != 0xC4 and marker != 0xC8 and marker != 0xCC:
            if marker > 0xC2:
                return -at  # lossless, hierarchical or arithmetic
            frames += 1
        at += 2 + length
        if marker == 0xDA:
            scans += 1
            while at + 2 <= stop:
                if data[at] != 0xFF:
                    at += 1
                elif data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
                    at += 2
                else:
                    break
    if at + 2 <= stop and at >= 0 and data[at] == 0xFF and data[at + 1] == 0xD9 and frames == 1 and scans:
        return at + 2
    return -min(at, stop)
