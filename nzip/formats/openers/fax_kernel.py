"""The loops of the opener `fax`; apart because this module imports numba.

A row is the places where its colour changes, the first of them to black. Each is told by its distance to one of the row
above, or runs are told by their lengths (ITU-T Recommendations T.4 and T.6).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nzip.entropy.integers import i64, u8
from nzip.entropy.jit import inlined, kernel

# The codes of runs of white and of black: of 0 to 63 pixels, of 64, 128, ... 1728, and of 1792 ... 2560 of any colour.
WHITE = (
    "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 101010 101011 "
    "0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 00000011 "
    "00011010 00011011 00010010 00010011 00010100 00010101 00010110 00010111 00101000 00101001 00101010 00101011 "
    "00101100 00101101 00000100 00000101 00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 "
    "01011000 01011001 01011010 01011011 01001010 01001011 00110010 00110011 00110100 "
    "11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 011010010 "
    "011010011 011010100 011010101 011010110 011010111 011011000 011011001 011011010 011011011 010011000 010011001 "
    "010011010 011000 010011011"
)
BLACK = (
    "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 000011000 "
    "0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 00000010111 "
    "00000011000 000011001010 000011001011 000011001100 000011001101 000001101000 000001101001 000001101010 "
    "000001101011 000011010010 000011010011 000011010100 000011010101 000011010110 000011010111 000001101100 "
    "000001101101 000011011010 000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 "
    "000001100101 000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 "
    "000001011000 000001011001 000000101011 000000101100 000001011010 000001100110 000001100111 "
    "0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 0000001101100 "
    "0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 0000001110010 0000001110011 0000001110100 "
    "0000001110101 0000001110110 0000001110111 0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 "
    "0000001011011 0000001100100 0000001100101"
)
LONG = (
    "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110 "
    "000000010111 000000011100 000000011101 000000011110 000000011111"
)
PEEK = 13  # bits of the longest code
MOST = 2560  # pixels of a run that one code tells
# Modes by the distance of a change to the one above, -3 to 3; then the two others.
MODES = ("0000010", "000010", "010", "1", "011", "000011", "0000011", "001", "0001")
HORIZONTAL, PASS = 7, 8
END, END_BITS = 0x001001, 24
ROWS, PLACE, ENDED = range(3)


def _codes() -> Any:
    """(2, 104, 2): of white and black, of each run: code and bits; runs from 64 on stand at 63 + run / 64."""
    table = np.zeros((2, 104, 2), np.int32)
    for colour, codes in enumerate((WHITE, BLACK)):
        for k, code in enumerate([*codes.split(), *LONG.split()]):
            table[colour, k] = int(code, 2), len(code)
    return table


def _by_code(codes: list[str], most: int) -> Any:
    """(2 ** most, 2): of each number of `most` bits: which code it begins with, or -1, and its bits."""
    table = np.full((1 << most, 2), -1, np.int16)
    for k, code in enumerate(codes):
        first = int(code, 2) << most - len(code)
        table[first : first + (1 << most - len(code))] = k, len(code)
    return table


CODES = _codes()
MODE_CODES = np.array([(int(code, 2), len(code)) for code in MODES], np.int32)
RUNS = np.stack([_by_code([*codes.split(), *LONG.split()], PEEK) for codes in (WHITE, BLACK)])
BY_MODE = _by_code(list(MODES), 7)


@inlined
def _bits(data: Any, place: int, count: int) -> Any:
    """`count` bits, up to 24, at bit `place`; zeros behind the end."""
    k = place >> 3
    value = i64(0)
    for i in range(4):
        value = value << 8 | (i64(data[k + i]) if k + i < len(data) else i64(0))
    return value >> (32 - (place & 7) - count) & ((1 << count) - 1)


@inlined
def _put(out: Any, place: int, code: int, count: int) -> Any:
    """Write `count` bits, up to 24; return where the next ones go."""
    k = place >> 3
    value = code << (32 - (place & 7) - count)
    for i in range(4):
        piece = value >> (24 - 8 * i) & 255
        if piece and k + i < len(out):
            out[k + i] |= u8(piece)
    return place + count


@inlined
def _above(changes: Any, at: int, behind: int, colour: int) -> Any:
    """Which of a row's `changes` is the first behind `behind` that ends `colour`; the search begins near `at`."""
    k = at
    while k >= 2 and changes[k - 2] > behind:
        k -= 2
    if k & 1 != colour:
        k = k + 1 if k == 0 else k - 1
    while changes[k] <= behind:
        k += 2
    return k


@kernel
def undo(coded: Any, width: int, aligned: int, out: Any, said: Any) -> None:
    """Decode rows of `width` pixels to `out` (uint8 (rows, bytes), zeros; 1 is black) until there are enough."""
    far = i64(1) << 40
    above = np.full(width + 4, far, np.int64)  # changes; then `width` for ever, as it were
    row = np.full(width + 4, far, np.int64)
    above[0] = above[1] = above[2] = above[3] = width
    place, rows, ended = i64(0), i64(0), i64(0)
    size = len(coded) * 8
    while rows < len(out):
        begin = place
        if aligned:
            place = (place + 7) & ~7
        if _bits(coded, place, END_BITS) == END and place + END_BITS <= size:
            break
        count, colour, at, near = i64(0), i64(0), i64(-1), i64(0)
        good = True
        while good and at < width:
            peek = _bits(coded, place, 7)
            mode = i64(BY_MODE[peek, 0])
            if mode < 0:
                good = False
                break
            place += i64(BY_MODE[peek, 1])
            near = _above(above, near, at, colour)
            if mode == PASS:
                at = above[near + 1] if above[near] < width else width
                good = at < width
            elif mode == HORIZONTAL:
                start = max(at, 0)
                for _ in range(2):
                    run = i64(0)
                    code = i64(64)
                    while good and code >= 64:
                        peek = _bits(coded, place, PEEK)
                        code = i64(RUNS[colour, peek, 0])
                        good = code >= 0 and run <= width
                        if good:
                            place += i64(RUNS[colour, peek, 1])
                            run += code if code < 64 else (code - 63) * 64
                    start += run
                    good = good and start <= width and count < width + 1
                    if good:
                        row[count] = start
                        count += 1
                    colour ^= 1
                at = start
            else:
                change = above[near] + mode - 3
                good = change >= max(at, 0) and change <= width and count < width + 1 and (change > at or at <= 0)
                if good:
                    row[count] = change
                    count += 1
                    at = change
                    colour ^= 1
        if not good or place > size:
            place = begin
            break
        for k in range(0, count, 2):
            stop = row[k + 1] if k + 1 < count else i64(width)
            for pixel in range(row[k], stop):
                out[rows, pixel >> 3] |= u8(128 >> (pixel & 7))
        rows += 1
        for k in range(4):
            row[count + k if count + k < len(row) else len(row) - 1] = width
        for k in range(min(count + 4, len(row))):
            above[k] = row[k]
    if _bits(coded, place, END_BITS) == END and place + END_BITS <= size:
        ended = i64(1)
        place += END_BITS
    said[ROWS], said[PLACE], said[ENDED] = rows, place, ended


@inlined
def _put_run(out: Any, place: int, run: int, colour: int) -> Any:
    while run > MOST + 63:
        place = _put(out, place, i64(CODES[colour, 103, 0]), i64(CODES[colour, 103, 1]))
        run -= MOST
    if run >= 64:
        k = 63 + (run >> 6)
        place = _put(out, place, i64(CODES[colour, k, 0]), i64(CODES[colour, k, 1]))
        run &= 63
    return _put(out, place, i64(CODES[colour, run, 0]), i64(CODES[colour, run, 1]))


@kernel
def redo(bitmap: Any, width: int, aligned: int, ended: int, out: Any) -> int:
    """Write the rows of `bitmap` (uint8 (rows, bytes)) as codes to `out` (uint8, zeros); return the bits, or -1 where
    there is no room for them."""
    above = np.full(width + 4, width, np.int64)
    row = np.full(width + 4, width, np.int64)
    place = i64(0)
    room = len(out) * 8
    for k in range(len(bitmap)):
        if aligned:
            place = (place + 7) & ~7
        count, last, pixel = i64(0), i64(0), i64(0)
        while pixel < width:
            byte = i64(bitmap[k, pixel >> 3])
            if pixel & 7 == 0 and byte == (255 if last else 0):
                pixel += 8
                continue
            bit = byte >> (7 - (pixel & 7)) & 1
            if bit != last:
                row[count] = pixel
                count += 1
                last = bit
            pixel += 1
        for i in range(count, min(count + 4, width + 4)):
            row[i] = width
        at, colour, near, now = i64(-1), i64(0), i64(0), i64(0)
        while at < width:
            if place > room:
                return -1
            near = _above(above, near, at, colour)
            while now < count and row[now] <= at:
                now += 1
            first = row[now] if now < count else i64(width)
            over = above[near]
            if above[near + 1] < first and over < width:
                place = _put(out, place, i64(MODE_CODES[PASS, 0]), i64(MODE_CODES[PASS, 1]))
                at = above[near + 1]
            elif -3 <= first - over <= 3:
                mode = first - over + 3
                place = _put(out, place, i64(MODE_CODES[mode, 0]), i64(MODE_CODES[mode, 1]))
                at = first
                colour ^= 1
            else:
                second = row[now + 1] if now + 1 < count else i64(width)
                place = _put(out, place, i64(MODE_CODES[HORIZONTAL, 0]), i64(MODE_CODES[HORIZONTAL, 1]))
                place = _put_run(out, place, first - max(at, 0), colour)
                place = _put_run(out, place, second - first, colour ^ 1)
                at = second
        for i in range(min(count + 4, width + 4)):
            above[i] = row[i]
    if ended:
        place = _put(out, place, END, END_BITS)
    return place if place <= room else -1
