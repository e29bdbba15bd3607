"""The kernels of the `cmstrong` engine: the sources of contexts, prediction, mixing, coding, learning.

The method is that of `cm` with more of everything (Mahoney, "Adaptive Weighing of Context Models for Lossless Data
Compression", 2005, and "Data Compression Explained", chapter 4.3). docs/reference/CMSTRONG.md is the specification;
tests/naive_cmstrong.py says the same in plain Python, and must agree to the bit.

Invariants:
* Integers only, and every width is written: u64, i64 and so on are casts when compiled, and wrap by masks when numba
  is switched off. Sums of 32-bit products are exact whatever their order.
* Wrappers own all memory; kernels fill arrays. An array is indexed by unsigned numbers, which numba does not check
  for a sign, so each index stays in range for any input: damaged payloads lead to wrong bytes and nothing else.
* Tables are arguments and never globals, which would become part of the machine code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from nzip.entropy.jit import kernel
from nzip.models.cmstrong.layout import (
    ABOVE,
    AFTER1,
    AFTER2,
    AFTER3,
    APM_EXPECTED,
    APM_LAST,
    APM_PAIR,
    APM_WORD,
    BIAS,
    BIT_BITS,
    BRACKET,
    CFG_APM_LIMIT,
    CFG_BITS,
    CFG_FINAL_RATE,
    CFG_INPUTS,
    CFG_LIMIT,
    CFG_LOUD,
    CFG_MATCH_BITS,
    CFG_QUIET,
    CFG_RATE,
    CFG_RATE_FALL,
    CFG_RATE_START,
    CFG_RECORD,
    CFG_SECOND,
    CFG_SKIM,
    COLUMN,
    COUNT,
    DECODE,
    DEPTH,
    ENCODE,
    ENDINGS,
    EXPECT,
    FIRST,
    GAP,
    GUESS,
    IDENT,
    IDENT1,
    K1,
    K2,
    K3,
    K4,
    K5,
    LAST8,
    LAST16,
    LETTERS,
    LINE,
    LINE_BEFORE,
    LINE_FIRST,
    LINE_START,
    LINEWORD,
    MARKS,
    MATCH,
    MATCH_CELLS,
    MATCH_VERIFY,
    PARTIAL,
    PLACE,
    SHAPE,
    SKIM_AHEAD,
    SMALL_ERROR,
    SOURCE,
    STACK,
    STEM_NOW,
    STRETCH_MAX,
    SURE,
    WORD,
    WORD1,
    WORD2,
    WORD3,
)  # fmt: skip
from nzip.models.lanes import COMPILED, WEIGHT_MAX, Array, i32, i64, prefetch, u8, u32, u64

if not COMPILED:
    from nzip.models.lanes import plain_dot, plain_train

    def dot(inputs: Array, weights: Array, o: int, lanes: int) -> int:
        return plain_dot(inputs, weights[o : o + 16 * lanes])

    def train(inputs: Array, weights: Array, o: int, lanes: int, error: int) -> None:
        weights[o : o + 16 * lanes] = plain_train(inputs, weights[o : o + 16 * lanes], error)

else:
    from llvmlite import ir
    from numba.extending import intrinsic

    from nzip.models import lanes as vector

    _LANES = ir.VectorType(vector.INT, 16)

    def _each(builder: Any, lanes: Any, start: Any, body: Any) -> Any:
        """Run body(index, value) for index = 0, 16, ... below 16 `lanes`; return the last value."""
        before, after = builder.block, None
        loop, after = builder.append_basic_block("lanes"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        wide = lanes.type
        index, value = builder.phi(wide), builder.phi(start.type)
        index.add_incoming(ir.Constant(wide, 0), before)
        value.add_incoming(start, before)
        result = body(index, value)
        following = builder.add(index, ir.Constant(wide, 16))
        end = builder.block  # not `loop` where indexes are checked
        index.add_incoming(following, end)
        value.add_incoming(result, end)
        builder.cbranch(builder.icmp_signed("<", following, builder.shl(lanes, ir.Constant(wide, 4))), loop, after)
        builder.position_at_end(after)
        return result

    @intrinsic
    def dot(typing_context: Any, inputs: Any, weights: Any, o: Any, lanes: Any) -> Any:
        """Return the sum of the products inputs[k] * weights[o + k], k < 16 lanes, each shifted right by 8."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def body(index: Any, value: Any) -> Any:
                x = vector.load(builder, vector.pointer(context, builder, signature.args[0], args[0], index, _LANES))
                at = builder.add(args[2], index)
                w = vector.load(builder, vector.pointer(context, builder, signature.args[1], args[1], at, _LANES))
                return builder.add(value, vector.products(builder, x, w))

            return vector.total(builder, _each(builder, args[3], vector.same(_LANES, 0), body))

        return types.int32(inputs, weights, types.int64, types.int64), generate

    @intrinsic
    def train(typing_context: Any, inputs: Any, weights: Any, o: Any, lanes: Any, error: Any) -> Any:
        """Add (inputs[k] * error + 2^13) >> 14 to weights[o + k], kept within +-WEIGHT_MAX, for k < 16 lanes."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            e = vector.spread(builder, _LANES, args[4])

            def body(index: Any, value: Any) -> Any:
                x = vector.load(builder, vector.pointer(context, builder, signature.args[0], args[0], index, _LANES))
                at = builder.add(args[2], index)
                there = vector.pointer(context, builder, signature.args[1], args[1], at, _LANES)
                vector.store(builder, vector.trained(builder, x, vector.load(builder, there), e), there)
                return value

            _each(builder, args[3], ir.Constant(vector.INT, 0), body)
            return context.get_dummy_value()

        return types.void(inputs, weights, types.int64, types.int64, types.int32), generate


@kernel
def renew(v: Array, buf: Array, pos: int, period: int, after1: Array, after2: Array, after3: Array) -> None:
    """Bring the sources `v` to where they predict byte `pos` (1 or more); all bytes before it are in `buf`."""
    c = i64(buf[u64(pos - 1)])
    old = u64(v[LAST8])
    last = old & u64(255)
    after1[last] = u64((u64(after1[last]) << u64(8)) | u64(c))
    pair = old & u64(0xFFFF)
    after2[pair] = u64((u64(after2[pair]) << u64(8)) | u64(c))
    three = u64(u64((old & u64(0xFFFFFF)) * u64(K1)) >> u64(48))
    after3[three] = u64((u64(after3[three]) << u64(8)) | u64(c))
    now = u64((old << u64(8)) | u64(c))
    v[LAST16] = u64((u64(v[LAST16]) << u64(8)) | (old >> u64(56)))
    v[LAST8] = now
    v[AFTER1] = after1[now & u64(0xFF)]
    v[AFTER2] = after2[now & u64(0xFFFF)]
    v[AFTER3] = after3[u64(u64((now & u64(0xFFFFFF)) * u64(K1)) >> u64(48))]
    letter = i64(0)
    if c >= 128 or 97 <= c <= 122:
        kind = 1
        letter = c
    elif 65 <= c <= 90:
        kind = 2
        letter = c + 32
    elif 48 <= c <= 57:
        kind = 3
    elif c == 32:
        kind = 4
    elif c == 10:
        kind = 5
    elif c == 0:
        kind = 6
    else:
        kind = 8 + (c & 7)
    v[SHAPE] = u64((u64(v[SHAPE]) << u64(4)) | u64(kind))
    word = u64(v[WORD])
    letters = i64(v[COUNT])
    gap = i64(v[GAP])
    if letter > 0:
        v[LETTERS] = u64((u64(v[LETTERS]) << u64(8)) | u64(letter))
        if letters == 5:
            v[STEM_NOW] = u64(word >> u64(48))
        if letters == 0:
            v[FIRST] = u64(letter)
        letters = min(letters + 1, i64(255))
        gap = i64(0)
        v[WORD] = u64(u64(word + u64(letter)) * u64(K5))
    else:
        gap = min(gap + 1, i64(255))
        letters = i64(0)
        if word != u64(0):
            v[WORD3] = v[WORD2]
            v[WORD2] = v[WORD1]
            v[WORD1] = word
            stem = u64(v[STEM_NOW]) if v[COUNT] > u64(5) else u64(word >> u64(48))
            x = u64(v[LETTERS]) & u64(0xFFFFFF)
            if v[COUNT] < u64(3):
                x &= u64(0xFFFF)
            if v[COUNT] < u64(2):
                x &= u64(0xFF)
            v[ENDINGS] = u64(((u64(v[ENDINGS]) & u64(0xFFFFFF)) << u64(24)) | x | (stem << u64(48)))
            v[WORD] = u64(0)
            if v[LINE_FIRST] == 0:
                v[LINE_FIRST] = word
    v[COUNT] = u64(letters)
    v[GAP] = u64(gap)
    v[PLACE] = u64(u64(letters) | (u64(gap) << u64(8)) | (u64(v[FIRST]) << u64(16)))
    if kind <= 3 or c == 95:
        v[IDENT] = u64(u64(u64(v[IDENT]) + u64(c + 1)) * u64(K5))
    elif v[IDENT] != u64(0):
        v[IDENT1] = v[IDENT]
        v[IDENT] = u64(0)
    if kind > 4 or kind == 5:
        v[MARKS] = u64((u64(v[MARKS]) << u64(8)) | u64(c))
    depth = i64(v[DEPTH])
    if c == 40 or c == 91 or c == 123 or c == 60:
        if depth < 62:
            v[u64(STACK + depth)] = u64(c)
            depth += 1
    elif c == 34:
        if depth > 0 and v[u64(STACK + depth - 1)] == u64(34):
            depth -= 1
        elif depth < 62:
            v[u64(STACK + depth)] = u64(34)
            depth += 1
    elif c == 41 or c == 93 or c == 125 or c == 62:
        opener = u64(40) if c == 41 else u64(c - 2)
        if depth > 0 and v[u64(STACK + depth - 1)] == opener:
            depth -= 1
        elif depth > 1 and v[u64(STACK + depth - 2)] == opener:
            depth -= 2
    v[DEPTH] = u64(depth)
    x = u64(0)
    if depth > 0:
        x = u64(v[u64(STACK + depth - 1)])
        if depth > 1:
            x |= u64(v[u64(STACK + depth - 2)]) << u64(8)
    v[BRACKET] = x
    if c == 10:
        v[LINE_BEFORE] = v[LINE_START]
        v[LINE_START] = u64(pos)
        v[LINE_FIRST] = u64(0)
    v[LINEWORD] = v[LINE_FIRST]
    start = i64(v[LINE_START])
    column = pos - start
    above = i64(v[LINE_BEFORE]) + column
    x = u64(min(column, i64(255)))
    if above < start:
        x |= u64(buf[u64(above)]) << u64(8)
    if column > 0:
        x |= u64(buf[u64(start)]) << u64(16)
    v[LINE] = x
    if period > 0:
        x = u64(0)
        a = i64(0)
        al = i64(0)
        a2 = i64(0)
        if pos >= period:
            a = i64(buf[u64(pos - period)])
            if period > 1:
                x |= u64(buf[u64(pos - period + 1)]) << u64(16)
            if period > 2:
                x |= u64(buf[u64(pos - period + 2)]) << u64(40)
        if pos > period:
            al = i64(buf[u64(pos - period - 1)])
        if pos >= 2 * period:
            a2 = i64(buf[u64(pos - 2 * period)])
        if pos >= 3 * period:
            x |= u64(buf[u64(pos - 3 * period)]) << u64(32)
        x |= u64(a) | (u64(a2) << u64(8)) | (u64(al) << u64(24))
        v[ABOVE] = x
        v[COLUMN] = u64(pos % period)
        v[GUESS] = u64(
            u64((a + c - al) & 255) | (u64((2 * a - a2) & 255) << u64(8)) | (u64(((a + c) >> 1) & 255) << u64(16))
        )


@kernel
def address(v: Array, spec: Array, hashes: Array, places: Array, checks: Array, slots: Array, shift: int) -> None:
    """Find where each context's bucket for the first nibble lies, and ask for its cache line."""
    for i in range(hashes.shape[0]):
        j = 6 * i
        first = u64(v[spec[u64(j)]] & spec[u64(j + 1)])
        second = u64(v[spec[u64(j + 2)]] & spec[u64(j + 3)])
        third = u64(v[spec[u64(j + 4)]] & spec[u64(j + 5)])
        t = u64(u64(u64(first * u64(K1)) ^ u64(second * u64(K2))) + u64(third * u64(K3)))
        t = u64(u64(u64(t ^ (t >> u64(29))) + u64(i + 1)) * u64(K3))
        t = u64(u64(t ^ (t >> u64(32))) * u64(K4))
        hashes[i] = t
        places[i] = i64(t >> shift) << 4
        checks[i] = u8(t >> u64(16))
        prefetch(slots, places[i])


@kernel
def grade_of(length: int) -> int:
    """Return the class (0..31) of a match's length."""
    if length < 16:
        return i64(length)
    if length < 80:
        return i64(16 + ((length - 16) >> 3))
    return min(24 + ((length - 80) >> 6), i64(31))


@kernel
def readdress(grown: int, hashes: Array, places: Array, checks: Array, slots: Array, shift: int) -> None:
    """Find where each context's bucket for the second nibble lies; `grown` is a one and the first nibble."""
    for i in range(hashes.shape[0]):
        t = u64(u64(u64(hashes[i]) ^ u64(u64(grown) * u64(K1))) * u64(K3))
        t = u64(u64(t ^ (t >> u64(32))) * u64(K2))
        checks[i] = u8(t >> u64(16))
        places[i] = i64(t >> shift) << 4
        prefetch(slots, places[i])


@kernel
def look_up(found: Array, places: Array, checks: Array, slots: Array, slots64: Array) -> int:
    """Find the bucket of each context at its place or near it, or empty one; return how many had seen something.

    The loop stands here, not in the callers: a call for each context takes a third of all time.
    """
    seen = i64(0)
    for i in range(places.shape[0]):
        place = i64(places[i])
        check = checks[i]
        if slots[u64(place)] != check:
            second = place ^ 16
            third = place ^ 32
            if slots[u64(second)] == check:
                place = second
            elif slots[u64(third)] == check:
                place = third
            else:
                # A lower state has seen fewer bits: that bucket is given up.
                if slots[u64(second + 1)] < slots[u64(place + 1)]:
                    place = second
                if slots[u64(third + 1)] < slots[u64(place + 1)]:
                    place = third
                slots64[u64(place >> 3)] = u64(0)
                slots64[u64((place >> 3) + 1)] = u64(0)
                slots[u64(place)] = check
        found[i] = place
        seen += i64(slots[u64(place + 1)] > 0)
    return seen


@kernel
def follow(
    v: Array,
    buf: Array,
    pos: int,
    least: Array,
    m_pointer: Array,
    m_length: Array,
    m_missed: Array,
    m_expected: Array,
    table: Array,
    match_bits: int,
) -> None:
    """Bring the match models to where they predict byte `pos` (1 or more), and EXPECT with them."""
    now = u64(v[LAST8])
    match_shift = u64(64 - match_bits)
    first = i64(0)
    for m in range(least.shape[0]):
        length = i64(m_length[m])
        if length > 0:
            if i64(buf[u64(m_pointer[m])]) == i64(now & u64(255)):
                length = min(length + 1, i64(65535))
                m_missed[m] = (i64(m_missed[m]) << 1) & 255
            else:
                length = i64(0)
                m_missed[m] = ((i64(m_missed[m]) << 1) | 1) & 255
            m_pointer[m] = i64(m_pointer[m]) + 1
        short = i64(least[m])
        if pos >= short:
            if short <= 8:
                h = u64(u64(now << u64(64 - 8 * short)) * u64(K1))
            else:
                h = u64(u64(now * u64(K1)) ^ u64(u64(u64(v[LAST16]) << u64(128 - 8 * short)) * u64(K2)))
                h = u64(u64(h ^ (h >> u64(32))) * u64(K3))
            h = u64((h >> match_shift) + (u64(m) << u64(match_bits)))
            if length == 0:
                pointer = i64(table[h])
                if pointer > 0:
                    while (
                        length < MATCH_VERIFY
                        and pointer > length
                        and buf[u64(pointer - length - 1)] == buf[u64(pos - length - 1)]
                    ):
                        length += 1
                    if length < short:
                        length = i64(0)
                    m_pointer[m] = pointer
            table[h] = u32(pos)
        m_length[m] = length
        if length > 0:
            m_expected[m] = i64(buf[u64(m_pointer[m])]) | 256
            if first == 0:
                first = (i64(m_expected[m]) & 255) | ((grade_of(length) + 1) << 8)
        else:
            m_expected[m] = i64(0)
    v[EXPECT] = u64(first)


@kernel
def adapted(cell: int, target: int, limit: int, rates: Array) -> Any:
    """Return `cell` (probability 22 bits, count 10 bits) after one more bit: `target` is 0 or 2^22 - 1."""
    count = i64(cell & u32(1023))
    p = i64(cell >> u32(10))
    p += ((target - p) * i64(rates[u64(count)])) >> 16
    return u32((p << 10) | (count + i64(count < limit)))


@kernel
def between(apm: Array, cell: int, start0: int, start1: int, part: int) -> Any:
    """Return 16 bits of probability: `part` / 256 of the way from `cell` to the next."""
    p0 = i64((apm[u64(cell)] ^ start0) >> u32(10))
    p1 = i64((apm[u64(cell + 1)] ^ start1) >> u32(10))
    return (p0 * (256 - part) + p1 * part) >> 14


@kernel
def code(
    mode: int,  # ENCODE, DECODE, or READ: learn from what is known and code nothing
    first: int,  # 0, or `known`: all that is known was read in an earlier call with the same state
    skimmed: int,  # bytes of `buf`, fewer than all, that only match models and some histories see,
    known: int,  # and bytes up to where all is learned but nothing coded: a primer
    buf: Array,  # uint8 (size,): what is known, then the block; decoding fills it
    coded: Array,  # uint8: the coded bits; encoding fills it
    settings: Array,  # int64 (CFG_SIZE,)
    spec: Array,  # uint64 (6 * contexts,): three sources and their masks for each
    near: Array,  # uint64 (bit contexts,): masks of near bits
    least: Array,  # int64 (matches,): bytes that each match model hashes
    selectors: Array,  # int64 (6 * sets,): what selects, first row, source, shift, mask, by bit or not
    x: Array,  # int32 (inputs,): zeros; starts at a cache line, as `weights` and `slots`
    slots: Array,  # uint8: buckets of 16 bytes; starts at a cache line
    slots64: Array,  # uint64: the same memory
    bitslots: Array,  # uint8 (1 << BIT_BITS,): histories of near bits
    maps: Array,  # uint32 (256 * contexts,): probability 22 bits, count 10 bits
    match_maps: Array,  # uint32 (matches * MATCH_CELLS,)
    table: Array,  # uint32 (matches << match bits,): where each match model saw a hash last
    weights: Array,  # int32 (rows * inputs,): 16 fractional bits
    uses: Array,  # int64 (rows,)
    final: Array,  # int32 ((256 + 256 + 80 + 32768) * sets,): 16 fractional bits
    apm: Array,  # uint32 (16 * APM_ROWS,): as maps, each xor its knot's start
    knots: Array,  # uint32 (17,): probability and count a knot starts with
    squash: Array,  # int32 (2 * STRETCH_MAX + 1,): 16 bits
    stretch: Array,  # int16 (65536,)
    after: Array,  # uint8 (2 * states,)
    rates: Array,  # int32 (1024,)
    v: Array,  # uint64 (SOURCES,): the sources
    after1: Array,  # uint64 (256,): what followed each byte
    after2: Array,  # uint64 (65536,): what followed each pair of bytes
    after3: Array,  # uint64 (65536,): what followed three bytes, by their hash
    matched: Array,  # int64 (4 * matches,): of each match: pointer, length, missed, expected
    reached: Array,  # int64 (1,): the byte of `buf` that the kernel is at, for those who show it
) -> Any:
    """Encode `buf[known:]` into `coded`, or decode it.

    Returns the length of the coded bits: those written (one more than `coded` holds when they do not fit, and coding
    stops early), or those read, where bytes read behind the end count too and are zeros.
    """
    size = i64(buf.shape[0])
    room = i64(coded.shape[0])
    n = i64(spec.shape[0]) // 6
    nb = i64(near.shape[0])
    all_ = n + nb
    matches = i64(least.shape[0])
    sets = i64(selectors.shape[0]) // 6
    inputs = i64(settings[CFG_INPUTS])
    limit = i64(settings[CFG_LIMIT])
    period = i64(settings[CFG_RECORD])
    rate = i64(settings[CFG_RATE])
    final_rate = i64(settings[CFG_FINAL_RATE])
    apm_limit = i64(settings[CFG_APM_LIMIT])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_bits = i64(settings[CFG_MATCH_BITS])
    lanes = inputs >> 4
    loud = i64(settings[CFG_LOUD])
    quiet = i64(settings[CFG_QUIET])
    second_at = all_
    seconds = i64(settings[CFG_SECOND])  # contexts with a second input
    few = min(n, i64(settings[CFG_SKIM]))
    match_at = all_ + seconds

    decode = mode == DECODE

    hashes = np.zeros(n, np.uint64)
    places = np.zeros(n, np.int64)  # of the buckets to be looked up
    checks = np.zeros(n, np.uint8)
    found = np.zeros(all_, np.int64)  # places of the buckets in use
    cells = np.zeros(all_, np.int64)  # in maps
    rows = np.zeros(sets, np.int64)
    dots = np.zeros(sets, np.int64)
    f_rows = np.zeros(4, np.int64)
    f_dots = np.zeros(4, np.int64)
    a_cells = np.zeros(5, np.int64)
    m_pointer = matched[:matches]
    m_length = matched[matches : 2 * matches]
    m_missed = matched[2 * matches : 3 * matches]
    m_expected = matched[3 * matches :]
    m_grade = np.zeros(matches, np.int64)
    m_guess = np.zeros(matches, np.int64)
    m_cell = np.zeros(matches, np.int64)
    m_cell2 = np.zeros(matches, np.int64)
    extra = np.zeros(256, np.int64)  # what the learning rate has on top, by uses / 4
    fall = i64(settings[CFG_RATE_FALL])
    for k in range(256):
        extra[k] = i64(settings[CFG_RATE_START]) * fall // (fall + 4 * k)
    x[u64(match_at + 3 * matches)] = i32(BIAS)

    low = u32(0)
    high = u32(0xFFFFFFFF)
    window = u32(0)
    at = i64(0)  # in coded
    if decode:
        for _ in range(4):
            window = u32((window << u32(8)) | (u32(coded[u64(at)]) if at < room else u32(0)))
            at += 1

    seen = i64(0)
    seen8 = i64(0)
    seen16 = i64(0)
    node = i64(1)
    if first > 0:
        renew(v, buf, first, period, after1, after2, after3)
        follow(v, buf, first, least, m_pointer, m_length, m_missed, m_expected, table, match_bits)
    address(v, spec, hashes, places, checks, slots, shift)
    # All that is skimmed is known: buckets are asked for many bytes before they are looked up.
    few_places = np.zeros(2 * few * SKIM_AHEAD, np.int64)
    few_checks = np.zeros(2 * few * SKIM_AHEAD, np.uint8)
    for begin in range(first, skimmed, SKIM_AHEAD):
        reached[0] = begin
        stop = min(begin + SKIM_AHEAD, skimmed)
        k = i64(0)
        for pos in range(begin, stop):
            for i in range(few):
                few_places[u64(k + i)] = places[i]
                few_checks[u64(k + i)] = checks[i]
            k += few
            nibble = i64(buf[u64(pos)]) >> 4
            readdress(16 | nibble, hashes[:few], few_places[k : k + few], few_checks[k : k + few], slots, shift)
            k += few
            renew(v, buf, pos + 1, period, after1, after2, after3)
            follow(v, buf, pos + 1, least, m_pointer, m_length, m_missed, m_expected, table, match_bits)
            address(v, spec, hashes if pos + 1 == skimmed else hashes[:few], places, checks, slots, shift)
        k = i64(0)
        for pos in range(begin, stop):
            symbol = i64(buf[u64(pos)])
            for half in range(2):
                look_up(found, few_places[k : k + few], few_checks[k : k + few], slots, slots64)
                k += few
                nibble = (symbol >> 4) if half == 0 else (symbol & 15)
                for i in range(few):
                    bucket = i64(found[i])
                    node = i64(1)
                    for q in range(3, -1, -1):
                        y = (nibble >> q) & 1
                        slot = u64(bucket + node)
                        slots[slot] = after[u64((i64(slots[slot]) << 1) + y)]
                        node = (node << 1) | y
    for pos in range(max(first, skimmed), size):
        reached[0] = pos
        last8 = u64(v[LAST8])
        last = i64(last8 & u64(255))
        expected = i64(0)
        longest = i64(-1)
        for m in range(matches):
            if m_length[m] > 0:
                m_grade[m] = grade_of(m_length[m])
                if longest < 0:
                    longest = i64(m)
                    expected = i64(m_expected[m])
            else:
                m_grade[m] = i64(0)

        symbol = i64(0)
        told = pos < known
        if told or not decode:
            symbol = i64(buf[u64(pos)])
        pair = i64(u64((last8 & u64(0xFFFF)) * u64(K1)) >> u64(48))
        word_hash = i64(u64((u64(v[WORD]) + (last8 & u64(255))) * u64(K1)) >> u64(48))
        # Three bytes of each row above: left, straight, right.
        b_one = u64(0)
        b_two = u64(0)
        b_three = u64(0)
        if nb > 0:
            for k in range(3):
                back = pos - period - 1 + k
                b_one = u64(b_one << u64(8))
                if back >= 0 and back < pos:
                    b_one |= u64(buf[u64(back)])
                back -= period
                b_two = u64(b_two << u64(8))
                if back >= 0 and back < pos:
                    b_two |= u64(buf[u64(back)])
                back -= period
                b_three = u64(b_three << u64(8))
                if back >= 0 and back < pos:
                    b_three |= u64(buf[u64(back)])
        near_bits = u64(0)
        partial = i64(1)  # a one, then the bits of this byte so far
        for bit in range(8):
            # ---- buckets, once a nibble
            if bit == 0 or bit == 4:
                seen = look_up(found, places, checks, slots, slots64)
                node = i64(1)
                seen8 = (seen * 8) // (n + 1)
                seen16 = (seen * 16) // (n + 1)

            # ---- predict
            for i in range(n):
                place = i64(found[i]) + node
                cell = (i << 8) | i64(slots[u64(place)])
                cells[i] = cell
                p = i64(maps[u64(cell)] >> u32(16))
                x[u64(i)] = i32(stretch[u64(p)])
            for i in range(min(n, seconds)):
                x[u64(second_at + i)] = i32((i64(maps[u64(cells[i])] >> u32(16)) - 32768) >> 6)
            if nb > 0:
                near_bits = u64(((last8 << u64(bit)) | u64(partial ^ (1 << bit))) & u64(0xFFFF))
                near_bits |= u64((b_one >> u64(8 - bit)) & u64(0xFFFF)) << u64(16)
                near_bits |= u64((b_two >> u64(8 - bit)) & u64(0xFFFF)) << u64(32)
                near_bits |= u64((b_three >> u64(8 - bit)) & u64(0xFFFF)) << u64(48)
                for j in range(nb):
                    t = u64(u64(near_bits & near[j]) * u64(K1))
                    t = u64(u64(u64(t ^ (t >> u64(29))) + u64(j + 1)) * u64(K3))
                    place = i64(t >> u64(64 - BIT_BITS))
                    i = n + j
                    found[i] = place
                    cell = (i << 8) | i64(bitslots[u64(place)])
                    cells[i] = cell
                    p = i64(maps[u64(cell)] >> u32(16))
                    x[u64(i)] = i32(stretch[u64(p)])
                    if i < seconds:
                        x[u64(second_at + i)] = i32((p - 32768) >> 6)
            guess = i64(-1)  # the bit that the longest match expects
            for m in range(matches):
                m_guess[m] = i64(-1)
                base = match_at + 3 * m
                if m_expected[m] > 0 and (i64(m_expected[m]) >> (8 - bit)) == partial:
                    y = (i64(m_expected[m]) >> (7 - bit)) & 1
                    m_guess[m] = y
                    if longest == m:
                        guess = y
                    missed = i64(m_missed[m])
                    trust = i64(0)
                    if missed & 15:
                        trust = 2 + (missed & 1)
                    elif missed:
                        trust = i64(1)
                    cell = m * MATCH_CELLS + i64(m_grade[m]) * 4 + trust
                    m_cell[m] = cell
                    p = i64(match_maps[u64(cell)] >> u32(16))
                    value = i64(stretch[u64(p)])
                    x[u64(base)] = i32(value if y else -value)
                    value = (p - 32768) >> 6
                    x[u64(base + 1)] = i32(value if y else -value)
                    cell = m * MATCH_CELLS + 128 + (min(i64(m_grade[m]) >> 3, i64(3)) << 11)
                    cell += ((i64(m_expected[m]) & 255) << 3) + bit
                    m_cell2[m] = cell
                    p = i64(match_maps[u64(cell)] >> u32(16))
                    value = i64(stretch[u64(p)])
                    x[u64(base + 2)] = i32(value if y else -value)
                else:
                    x[u64(base)] = i32(0)
                    x[u64(base + 1)] = i32(0)
                    x[u64(base + 2)] = i32(0)

            # ---- mix
            prefetch(apm, (APM_LAST + (last << 8) + partial) << 4)
            for k in range(sets):
                selector = i64(selectors[k])
                if selector == SOURCE:
                    field = u64(v[u64(selectors[2 * sets + k])]) >> u64(selectors[3 * sets + k])
                    row = i64(field & u64(selectors[4 * sets + k]))
                    if selectors[5 * sets + k] > 0:
                        row = row * 8 + bit
                elif selector == PARTIAL:
                    row = partial
                elif selector == MATCH:
                    row = seen8 * 72 + bit
                    if guess >= 0:
                        row += ((i64(m_grade[longest]) >> 2) + 1) * 8
                else:
                    row = i64(near_bits & u64(3)) | i64((near_bits >> u64(19)) & u64(0x7C))
                    row |= i64((near_bits >> u64(31)) & u64(0x380))
                row += i64(selectors[sets + k])
                rows[k] = row
                start = row * inputs
                dots[k] = max(min(i64(dot(x, weights, start, lanes)) >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
            f_rows[0] = partial * sets
            f_rows[1] = (256 + last) * sets
            f_row = seen16
            if guess >= 0:
                f_row += ((i64(m_grade[longest]) >> 3) + 1) * 16
            f_rows[2] = (512 + f_row) * sets
            f_rows[3] = (592 + (i64(u64(v[SHAPE]) & u64(4095)) << 3) + bit) * sets
            mixed = i64(0)
            for f in range(4):
                start = i64(f_rows[f])
                total = i64(0)
                for k in range(sets):
                    total += i64(dots[k]) * i64(final[u64(start + k)])
                f_dots[f] = max(min(total >> 16, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
                mixed += i64(f_dots[f])
            mixed >>= 2
            p_mixed = i64(squash[u64(mixed + STRETCH_MAX)])

            # ---- refine: 15 intervals over the stretch domain, interpolated
            spot = ((mixed + STRETCH_MAX + 1) * 5) >> 3
            knot = spot >> 8
            part = spot & 255
            start0 = u32(knots[u64(knot)])
            start1 = u32(knots[u64(knot + 1)])
            a_cells[0] = (partial << 4) + knot
            a_cells[1] = ((APM_LAST + (last << 8) + partial) << 4) + knot
            a_cells[2] = ((APM_PAIR + ((pair ^ (partial * 0x9E35)) & 0xFFFF)) << 4) + knot
            if guess >= 0:
                a_cells[3] = ((APM_EXPECTED + ((expected & 255) << 8) + partial) << 4) + knot
            else:
                a_cells[3] = ((APM_EXPECTED + partial) << 4) + knot
            a_cells[4] = ((APM_WORD + ((word_hash ^ (partial * 0x9E35)) & 0xFFFF)) << 4) + knot
            q0 = between(apm, i64(a_cells[0]), start0, start1, part)
            q1 = between(apm, i64(a_cells[1]), start0, start1, part)
            q2 = between(apm, i64(a_cells[2]), start0, start1, part)
            q3 = between(apm, i64(a_cells[3]), start0, start1, part)
            q4 = between(apm, i64(a_cells[4]), start0, start1, part)
            p1 = (4 * p_mixed + q0 + 2 * q1 + 3 * q2 + 3 * q3 + 3 * q4 + 8) >> 4
            p1 = max(min(p1, i64(65535)), i64(1))

            # ---- code
            if told:
                y = (symbol >> (7 - bit)) & 1
            else:
                middle = u32(low + u32((u64(u32(high - low)) * u64(p1)) >> u64(16)))
                if decode:
                    y = i64(window <= middle)
                else:
                    y = (symbol >> (7 - bit)) & 1
                if y:
                    high = middle
                else:
                    low = u32(middle + u32(1))
                while ((low ^ high) & u32(0xFF000000)) == 0:
                    if decode:
                        window = u32((window << u32(8)) | (u32(coded[u64(at)]) if at < room else u32(0)))
                    else:
                        if at >= room:
                            return room + 1
                        coded[u64(at)] = u8(high >> u32(24))
                    at += 1
                    low = u32(low << u32(8))
                    high = u32((high << u32(8)) | u32(255))

            grown = (partial << 1) | y
            # ---- learn: histories always, the rest when there is something to learn
            for i in range(n):
                place = i64(found[i]) + node
                slots[u64(place)] = after[u64(((i64(cells[i]) & 255) << 1) + y)]
            for i in range(n, all_):
                place = i64(found[i])
                bitslots[u64(place)] = after[u64(((i64(cells[i]) & 255) << 1) + y)]
            # ---- where to look next: the memory answers while the rest learns
            if bit == 3:
                readdress(grown, hashes, places, checks, slots, shift)
            elif bit == 7:
                c = grown & 255
                buf[u64(pos)] = u8(c)
                if pos + 1 < size:
                    renew(v, buf, pos + 1, period, after1, after2, after3)
                    follow(v, buf, pos + 1, least, m_pointer, m_length, m_missed, m_expected, table, match_bits)
                    address(v, spec, hashes, places, checks, slots, shift)

            if ((65536 - p1) if y else p1) > SURE:
                for f in range(4):
                    start = i64(f_rows[f])
                    error = (((y << 16) - i64(squash[u64(i64(f_dots[f]) + STRETCH_MAX)])) * final_rate) >> 10
                    for k in range(sets):
                        w = start + k
                        changed = i64(final[u64(w)]) + ((i64(dots[k]) * error + 0x2000) >> 14)
                        final[u64(w)] = i32(max(min(changed, i64(WEIGHT_MAX)), i64(-WEIGHT_MAX)))
                # Loud inputs teach less at a time.
                power = i64(dot(x, x, i64(0), lanes))
                scale = ((loud + quiet) << 16) // ((power >> 8) + quiet)
                for k in range(sets):
                    row = i64(rows[k])
                    used = i64(uses[u64(row)])
                    step = rate + i64(extra[u64(min(used >> 2, i64(255)))])
                    step = (step * scale) >> 16
                    uses[u64(row)] = min(used + 1, i64(65535))
                    e = i32((((y << 16) - i64(squash[u64(i64(dots[k]) + STRETCH_MAX)])) * step) >> 10)
                    if e > SMALL_ERROR or e < -SMALL_ERROR:
                        train(x, weights, row * inputs, lanes, e)
                target = y * 4194303
                for i in range(all_):
                    cell = i64(cells[i])
                    maps[u64(cell)] = adapted(u32(maps[u64(cell)]), target, limit, rates)
                for m in range(matches):
                    if m_guess[m] >= 0:
                        right = i64(4194303) if m_guess[m] == y else i64(0)
                        cell = i64(m_cell[m])
                        match_maps[u64(cell)] = adapted(u32(match_maps[u64(cell)]), right, i64(1022), rates)
                        cell = i64(m_cell2[m])
                        match_maps[u64(cell)] = adapted(u32(match_maps[u64(cell)]), right, i64(1022), rates)
                upper = i64(part >= 128)
                start0 = start1 if upper else start0
                for k in range(5):
                    cell = i64(a_cells[k]) + upper
                    apm[u64(cell)] = u32(adapted(u32(apm[u64(cell)] ^ start0), target, apm_limit, rates) ^ start0)
            partial = grown
            node = (node << 1) | y

    if mode != ENCODE:
        return at
    # The fewest bytes that, with zeros behind them, lie between low and high.
    for k in range(0, 5):
        rest = (u64(1) << u64(32 - 8 * k)) - u64(1)
        code_end = u64(u64(u64(low) + rest) & u64(u64(0xFFFFFFFFFFFFFFFF) ^ rest))
        if code_end <= u64(high):
            for q in range(k):
                if at >= room:
                    return room + 1
                coded[u64(at)] = u8(code_end >> u64(24 - 8 * q))
                at += 1
            break
    return at
