"""The loop of inflating; apart because this module imports numba.

A stream is read block by block; between blocks the reader stands in the array `state`. Where an output array is full,
the reader goes back to the start of the block, so that the caller can go on with larger ones.
"""

from __future__ import annotations

import numpy as np

from nzip.entropy.integers import Array, i64, u8, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.formats.openers.deflate import constants
from nzip.formats.openers.deflate.constants import DISTANCE_BASE, DISTANCE_BITS, LENGTH_BASE, LENGTH_BITS, ORDER
from nzip.formats.openers.deflate.layout import (
    BAD,
    BIT,
    BLOCKS,
    DIST,
    DIST_BITS,
    DIST_COUNT,
    DIST_SORTED,
    DONE,
    FIELDS,
    KIND_AT,
    LENGTHS,
    LIT,
    LIT_BITS,
    LIT_COUNT,
    LIT_SORTED,
    MORE,
    OFFSETS,
    OUT,
    PADDING,
    REACHED,
    SHORT,
    START_AT,
    STOP_AT,
    TOKEN_AT,
    TOKENS,
)  # fmt: skip

# An entry: the code's length, extra bits << 4, value << 8. A value below 256 is a literal, 256 the end, 512 and more
# a length + 512.
_END = 256
_LENGTH = 512


@bare
def canonical(scratch: Array, lengths: int, n: int, count: int, ordered: int) -> int:
    """Sort symbols by their codes; return how many codes of 15 bits are left over (below 0: too many)."""
    for k in range(16):
        scratch[u64(count + k)] = 0
    for k in range(n):
        scratch[u64(count + i64(scratch[u64(lengths + k)]))] += 1
    left = 1
    scratch[u64(OFFSETS + 1)] = 0
    for k in range(1, 16):
        left = (left << 1) - i64(scratch[u64(count + k)])
        if left < 0:
            return -1
        if k < 15:
            scratch[u64(OFFSETS + k + 1)] = scratch[u64(OFFSETS + k)] + scratch[u64(count + k)]
    for k in range(n):
        length = i64(scratch[u64(lengths + k)])
        if length > 0:
            at = i64(scratch[u64(OFFSETS + length)])
            scratch[u64(ordered + at)] = k
            scratch[u64(OFFSETS + length)] = at + 1
    return left


@bare
def fill(scratch: Array, tables: Array, count: int, ordered: int, table: int, bits: int, literals: int) -> None:
    """Fill the entries of codes of at most `bits` bits."""
    for k in range(1 << bits):
        scratch[u64(table + k)] = 0
    code = 0
    at = 0
    for length in range(1, bits + 1):
        for _ in range(i64(scratch[u64(count + length)])):
            symbol = i64(scratch[u64(ordered + at)])
            at += 1
            entry = length | entry_of(tables, symbol, literals)
            if symbol >= (constants.LITERALS if literals > 0 else constants.DISTANCES):
                entry = 0  # codes that stand for nothing
            mirrored = 0
            for k in range(length):
                mirrored |= ((code >> k) & 1) << (length - 1 - k)
            while mirrored < 1 << bits:
                scratch[u64(table + mirrored)] = entry
                mirrored += 1 << length
            code += 1
        code <<= 1


@bare
def entry_of(tables: Array, symbol: int, literals: int) -> int:
    """Return the entry of a symbol, without the code's length."""
    if literals == 0:
        return i64(tables[u64(DISTANCE_BASE + symbol)]) << 8 | i64(tables[u64(DISTANCE_BITS + symbol)]) << 4
    if symbol <= 256:
        return symbol << 8
    place = symbol - 257
    return (_LENGTH + i64(tables[u64(LENGTH_BASE + place)])) << 8 | i64(tables[u64(LENGTH_BITS + place)]) << 4


@bare
def long_code(scratch: Array, count: int, ordered: int, window: int) -> int:
    """Return symbol << 4 | length of the code at the start of `window` (uint64), -1 if there is none."""
    code = 0
    first = 0
    at = 0
    for length in range(1, 16):
        code |= i64((window >> u64(length - 1)) & u64(1))
        n = i64(scratch[u64(count + length)])
        if code - n < first:
            return i64(scratch[u64(ordered + at + code - first)]) << 4 | length
        at += n
        first = (first + n) << 1
        code <<= 1
    return -1


@bare
def bits_at(coded: Array, bit: int) -> int:
    """Return the 57 bits or more at `bit` (uint64); past the end they are zeros."""
    at = bit >> 3
    window = u64(0)
    if at + 8 <= coded.shape[0]:
        window = (
            u64(coded[u64(at)])
            | u64(coded[u64(at + 1)]) << u64(8)
            | u64(coded[u64(at + 2)]) << u64(16)
            | u64(coded[u64(at + 3)]) << u64(24)
            | u64(coded[u64(at + 4)]) << u64(32)
            | u64(coded[u64(at + 5)]) << u64(40)
            | u64(coded[u64(at + 6)]) << u64(48)
            | u64(coded[u64(at + 7)]) << u64(56)
        )
    else:
        for k in range(8):
            if at + k < coded.shape[0]:
                window |= u64(coded[u64(at + k)]) << u64(8 * k)
    return window >> u64(bit & 7)


@bare
def read_lengths(coded: Array, bit: int, scratch: Array, tables: Array, runs: Array) -> int:
    """Read the header of a dynamic block, after its first three bits; return the bit behind it, below 0 if it is bad.

    The lengths go to `scratch`. runs (int32): how they were written, if there is room: the number of literal and of
    distance codes, of codes for lengths, these, then the number of steps and the steps (symbol | repeats << 8).
    """
    window = bits_at(coded, bit)
    literals = 257 + i64(window & u64(31))
    distances = 1 + i64((window >> u64(5)) & u64(31))
    codes = 4 + i64((window >> u64(10)) & u64(15))
    bit += 14
    if literals > constants.LITERALS or distances > constants.DISTANCES:
        return -1
    for k in range(constants.CODE_LENGTHS):
        scratch[u64(LENGTHS + k)] = 0
    keep = runs.shape[0] > 0
    if keep:
        runs[0], runs[1], runs[2] = literals, distances, codes
    window = bits_at(coded, bit)
    for k in range(codes):
        if k == 16:
            window = bits_at(coded, bit + 48)
        length = i64((window >> u64(3 * (k & 15))) & u64(7))
        scratch[u64(LENGTHS + i64(tables[u64(ORDER + k)]))] = length
        if keep:
            runs[u64(3 + k)] = length
    bit += 3 * codes
    if canonical(scratch, i64(LENGTHS), i64(constants.CODE_LENGTHS), i64(DIST_COUNT), i64(DIST_SORTED)) != 0:
        return -1
    for k in range(128):
        scratch[u64(DIST + k)] = 0
    code = 0
    at = 0
    for length in range(1, 8):
        for _ in range(i64(scratch[u64(DIST_COUNT + length)])):
            mirrored = 0
            for k in range(length):
                mirrored |= ((code >> k) & 1) << (length - 1 - k)
            entry = i64(scratch[u64(DIST_SORTED + at)]) << 4 | length
            at += 1
            while mirrored < 128:
                scratch[u64(DIST + mirrored)] = entry
                mirrored += 1 << length
            code += 1
        code <<= 1
    total = literals + distances
    n = 0
    steps = 0
    while n < total:
        window = bits_at(coded, bit)
        entry = i64(scratch[u64(DIST + i64(window & u64(127)))])
        if entry == 0:
            return -1
        symbol = entry >> 4
        used = entry & 15
        value = 0
        repeat = 1
        if symbol < 16:
            value = symbol
        elif symbol == 16:
            if n == 0:
                return -1
            value = i64(scratch[u64(LENGTHS + n - 1)])
            repeat = 3 + i64((window >> u64(used)) & u64(3))
            used += 2
        elif symbol == 17:
            repeat = 3 + i64((window >> u64(used)) & u64(7))
            used += 3
        else:
            repeat = 11 + i64((window >> u64(used)) & u64(127))
            used += 7
        if n + repeat > total:
            return -1
        for k in range(repeat):
            scratch[u64(LENGTHS + n + k)] = value
        n += repeat
        bit += used
        if keep:
            runs[u64(23 + steps)] = symbol | repeat << 8
        steps += 1
    if keep:
        runs[22] = steps
    if i64(scratch[u64(LENGTHS + 256)]) == 0:
        return -1
    # The distances' lengths move to a place of their own.
    for k in range(distances - 1, -1, -1):
        scratch[u64(LENGTHS + 288 + k)] = scratch[u64(LENGTHS + literals + k)]
    for k in range(distances, 32):
        scratch[u64(LENGTHS + 288 + k)] = 0
    for k in range(literals, 288):
        scratch[u64(LENGTHS + k)] = 0
    return bit


@bare
def _incomplete(scratch: Array, left: int, count: int) -> bool:
    """Whether a set of codes is incomplete in a way that zlib's inflate refuses."""
    if left == 0:
        return False
    longer = 0
    for k in range(2, 16):
        longer += i64(scratch[u64(count + k)])
    return longer > 0


@inlined
def stopped(state: Array, out: int, status: int) -> int:
    """Return why reading ends here, and keep how many bytes were made until this was seen."""
    state[REACHED] = out
    return status


@bare
def inflate(
    coded: Array, state: Array, plain: Array, tokens: Array, blocks: Array, scratch: Array, tables: Array
) -> int:
    """Inflate from `state` on to the end of the stream, or as far as the arrays have room.

    coded, plain: uint8. tokens: uint32, blocks: int64, `FIELDS` a block; empty where they are not wanted. A stored
    block has no tokens.
    """
    end = 8 * coded.shape[0]
    keep = blocks.shape[0] > 0
    none = tokens[:0]
    while True:
        bit = i64(state[BIT])
        out = i64(state[OUT])
        token = i64(state[TOKENS])
        block = i64(state[BLOCKS])
        window = bits_at(coded, bit)
        last = i64(window & u64(1))
        kind = i64((window >> u64(1)) & u64(3))
        if keep:
            if (block + 1) * FIELDS > blocks.shape[0]:
                return MORE
            blocks[u64(block * FIELDS)] = bit
            blocks[u64(block * FIELDS + KIND_AT)] = kind | last << 2
            blocks[u64(block * FIELDS + TOKEN_AT)] = token
            blocks[u64(block * FIELDS + START_AT)] = out
        bit += 3
        if kind == 3:
            return stopped(state, out, i64(BAD))
        if kind == 0:
            padding = -bit & 7
            if (i64(window >> u64(3)) & ((1 << padding) - 1)) != 0:
                state[PADDING] = 1
            bit += padding
            if bit + 32 > end:
                return stopped(state, out, i64(SHORT))
            window = bits_at(coded, bit)
            length = i64(window & u64(0xFFFF))
            if length != (i64((window >> u64(16)) & u64(0xFFFF)) ^ 0xFFFF):
                return stopped(state, out, i64(BAD))
            bit += 32
            if bit + 8 * length > end:
                return stopped(state, out, i64(SHORT))
            if out + length > plain.shape[0]:
                return stopped(state, out, i64(MORE))
            at = bit >> 3
            for k in range(length):
                plain[u64(out + k)] = coded[u64(at + k)]
            bit += 8 * length
            out += length
        else:
            if kind == 1:
                for k in range(288):
                    scratch[u64(LENGTHS + k)] = 8 if k < 144 else (9 if k < 256 else (7 if k < 280 else 8))
                for k in range(32):
                    scratch[u64(LENGTHS + 288 + k)] = 5
            else:
                bit = read_lengths(coded, bit, scratch, tables, none.view(np.int32))
                if bit < 0:
                    return stopped(state, out, i64(BAD))
                if bit > end:
                    return stopped(state, out, i64(SHORT))
            left = canonical(scratch, i64(LENGTHS), i64(288), i64(LIT_COUNT), i64(LIT_SORTED))
            if left < 0 or _incomplete(scratch, left, i64(LIT_COUNT)):
                return stopped(state, out, i64(BAD))
            fill(scratch, tables, i64(LIT_COUNT), i64(LIT_SORTED), i64(LIT), i64(LIT_BITS), i64(1))
            left = canonical(scratch, i64(LENGTHS + 288), i64(32), i64(DIST_COUNT), i64(DIST_SORTED))
            if left < 0 or _incomplete(scratch, left, i64(DIST_COUNT)):
                return stopped(state, out, i64(BAD))
            fill(scratch, tables, i64(DIST_COUNT), i64(DIST_SORTED), i64(DIST), i64(DIST_BITS), i64(0))
            while True:
                window = bits_at(coded, bit)
                entry = i64(scratch[u64(LIT + i64(window & u64(1023)))])
                if entry == 0:
                    found = long_code(scratch, i64(LIT_COUNT), i64(LIT_SORTED), window)
                    if found < 0 or found >> 4 > 285:
                        return stopped(state, out, i64(BAD))
                    entry = entry_of(tables, found >> 4, i64(1)) | (found & 15)
                value = entry >> 8
                used = entry & 15
                if value < _END:
                    if out >= plain.shape[0]:
                        return stopped(state, out, i64(MORE))
                    plain[u64(out)] = u8(value)
                    out += 1
                    bit += used
                    if keep:
                        if token >= tokens.shape[0]:
                            return stopped(state, out, i64(MORE))
                        tokens[u64(token)] = u32(value)
                        token += 1
                    if bit > end:
                        return stopped(state, out, i64(SHORT))
                    continue
                if value == _END:
                    bit += used
                    break
                extra = (entry >> 4) & 15
                length = value - _LENGTH + i64((window >> u64(used)) & ((u64(1) << u64(extra)) - u64(1)))
                used += extra
                if length == 258 and extra == 5:
                    return stopped(state, out, i64(BAD))  # allowed, but nobody writes it
                window >>= u64(used)
                entry = i64(scratch[u64(DIST + i64(window & u64(255)))])
                if entry == 0:
                    found = long_code(scratch, i64(DIST_COUNT), i64(DIST_SORTED), window)
                    if found < 0 or found >> 4 > 29:
                        return stopped(state, out, i64(BAD))
                    entry = entry_of(tables, found >> 4, i64(0)) | (found & 15)
                more = entry & 15
                extra = (entry >> 4) & 15
                distance = (entry >> 8) + i64((window >> u64(more)) & ((u64(1) << u64(extra)) - u64(1)))
                bit += used + more + extra
                if bit > end:
                    return stopped(state, out, i64(SHORT))
                if distance > out or distance == 0:
                    return stopped(state, out, i64(BAD))
                if out + length > plain.shape[0]:
                    return stopped(state, out, i64(MORE))
                if keep:
                    if token >= tokens.shape[0]:
                        return stopped(state, out, i64(MORE))
                    tokens[u64(token)] = u32(length | distance << 9)
                    token += 1
                source = out - distance
                for k in range(length):
                    plain[u64(out + k)] = plain[u64(source + k)]
                out += length
            if bit > end:
                return stopped(state, out, i64(SHORT))
        if keep:
            blocks[u64(block * FIELDS + STOP_AT)] = out
        state[BIT] = bit
        state[OUT] = out
        state[TOKENS] = token
        state[BLOCKS] = block + 1
        if last:
            return DONE
