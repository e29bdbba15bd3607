"""The kernels of the `cm` engine: the sources of contexts, prediction, mixing, coding, learning.

The method is the context mixing of bits of the PAQ programs (Mahoney, "Adaptive Weighing of Context Models for
Lossless Data Compression", 2005, and "Data Compression Explained", chapter 4.3): hashed contexts lead to bit
histories, adaptive maps turn those into probabilities, gated networks mix them in the logistic domain, and adaptive
probability maps refine the result. docs/reference/CM.md is the specification; tests/naive_cm.py says the same in plain
Python, and must agree to the bit.

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
from nzip.models.cm.layout import (
    ABOVE,
    AFTER1,
    AFTER2,
    APM_EXPECTED,
    APM_LAST,
    APM_PAIR,
    APM_ROWS,
    BIAS,
    CFG_AHEAD,
    CFG_APM_LIMIT,
    CFG_BITS,
    CFG_COUNTER_BITS,
    CFG_COUNTER_LIMIT,
    CFG_COUNTERS,
    CFG_FINAL_RATE,
    CFG_INPUTS,
    CFG_LIMIT,
    CFG_MATCH_BITS,
    CFG_MATCH_MIN,
    CFG_RATE,
    CFG_RATE_FALL,
    CFG_RATE_START,
    CFG_RECORD,
    CFG_REFINE,
    COLUMN,
    DECODE,
    ENCODE,
    HALF,
    K1,
    K2,
    K3,
    K4,
    K5,
    LAST,
    LAST2,
    LAST8,
    LAST16,
    LINE,
    LINE_BEFORE,
    LINE_START,
    MATCH,
    MATCH_VERIFY,
    ONE,
    PARTIAL,
    READ,
    SEEN,
    SHAPE,
    SHAPES,
    SMALL_ERROR,
    SOURCES,
    STRETCH_MAX,
    SURE,
    WORD,
    WORD1,
    WORD2,
    WORDS,
)  # fmt: skip
from nzip.models.lanes import COMPILED, Array, i32, i64, prefetch, u8, u32, u64

if not COMPILED:
    from nzip.models.lanes import plain_dot, plain_train

    def dot16(inputs: Array, weights: Array, i: int, o: int) -> int:
        return plain_dot(inputs[i : i + 16], weights[o : o + 16])

    def train16(inputs: Array, weights: Array, i: int, o: int, error: int) -> None:
        weights[o : o + 16] = plain_train(inputs[i : i + 16], weights[o : o + 16], error)

else:
    from llvmlite import ir
    from numba.extending import intrinsic

    from nzip.models import lanes as vector

    _LANES = ir.VectorType(vector.INT, 16)

    @intrinsic
    def dot16(typing_context: Any, inputs: Any, weights: Any, i: Any, o: Any) -> Any:
        """Return the sum of 16 products inputs[i + k] * weights[o + k], each shifted right by 8."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x = vector.load(builder, vector.pointer(context, builder, signature.args[0], args[0], args[2], _LANES))
            w = vector.load(builder, vector.pointer(context, builder, signature.args[1], args[1], args[3], _LANES))
            return vector.total(builder, vector.products(builder, x, w))

        return types.int32(inputs, weights, types.int64, types.int64), generate

    @intrinsic
    def train16(typing_context: Any, inputs: Any, weights: Any, i: Any, o: Any, error: Any) -> Any:
        """Add (inputs[i + k] * error + 2^13) >> 14 to weights[o + k], kept within +-WEIGHT_MAX, for 16 lanes."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x = vector.load(builder, vector.pointer(context, builder, signature.args[0], args[0], args[2], _LANES))
            there = vector.pointer(context, builder, signature.args[1], args[1], args[3], _LANES)
            e = vector.spread(builder, _LANES, args[4])
            vector.store(builder, vector.trained(builder, x, vector.load(builder, there), e), there)
            return context.get_dummy_value()

        return types.void(inputs, weights, types.int64, types.int64, types.int32), generate


@kernel
def renew(v: Array, buf: Array, pos: int, period: int, after1: Array, after2: Array) -> None:
    """Bring the sources `v` to where they predict byte `pos` (1 or more); all bytes before it are in `buf`."""
    c = i64(buf[u64(pos - 1)])
    old = u64(v[LAST8])
    if pos >= 2:
        last = old & u64(255)
        after1[last] = u64((u64(after1[last]) << u64(8)) | u64(c))
        pair = old & u64(0xFFFF)
        after2[pair] = u64((u64(after2[pair]) << u64(8)) | u64(c))
    now = u64((old << u64(8)) | u64(c))
    v[LAST16] = u64((u64(v[LAST16]) << u64(8)) | (old >> u64(56)))
    v[LAST8] = now
    v[AFTER1] = after1[now & u64(0xFF)]
    v[AFTER2] = after2[now & u64(0xFFFF)]
    if c >= 128 or 97 <= c <= 122:
        kind = 1
        letter = c
    elif 65 <= c <= 90:
        kind = 2
        letter = c + 32
    else:
        letter = i64(0)
        if 48 <= c <= 57:
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
    if letter > 0:
        v[WORD] = u64(u64(word + u64(letter)) * u64(K5))
    elif word != u64(0):
        v[WORD2] = v[WORD1]
        v[WORD1] = word
        v[WORD] = u64(0)
        v[WORDS] = u64(word + u64(u64(v[WORD2]) * u64(K2)))
    if c == 10:
        v[LINE_BEFORE] = v[LINE_START]
        v[LINE_START] = u64(pos)
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
        if pos >= period:
            x = u64(buf[u64(pos - period)])
            if period > 1:
                x |= u64(buf[u64(pos - period + 1)]) << u64(16)
        if pos > period:
            x |= u64(buf[u64(pos - period - 1)]) << u64(24)
        if pos >= 2 * period:
            x |= u64(buf[u64(pos - 2 * period)]) << u64(8)
        if pos >= 3 * period:
            x |= u64(buf[u64(pos - 3 * period)]) << u64(32)
        v[ABOVE] = x
        v[COLUMN] = u64(pos % period)


@kernel
def address(
    v: Array, spec: Array, direct: Array, hashes: Array, places: Array, checks: Array, slots: Array, shift: int
) -> None:
    """Find where each context's bucket for the first nibble lies, and ask for the cache lines of both nibbles."""
    for i in range(direct.shape[0]):
        j = 4 * i
        first = u64(v[spec[u64(j)]] & spec[u64(j + 1)])
        if direct[i] > 0:
            places[i] = i64(first) * 512 + i64(direct[i])
        else:
            second = u64(v[spec[u64(j + 2)]] & spec[u64(j + 3)])
            t = u64(u64(first * u64(K1)) ^ u64(second * u64(K2)))
            t = u64(u64(u64(t ^ (t >> u64(29))) + u64(i + 1)) * u64(K3))
            t = u64(u64(t ^ (t >> u64(32))) * u64(K4))
            hashes[i] = t
            places[i] = i64(t >> shift) << 4
            checks[i] = u8(t >> u64(16))
            prefetch(slots, places[i])
            if direct[i] == 0:
                prefetch(slots, places[i] ^ 64)


@kernel
def adapted(cell: int, target: int, limit: int, rates: Array) -> Any:
    """Return `cell` (probability 22 bits, count 10 bits) after one more bit: `target` is 0 or 2^22 - 1."""
    count = i64(cell & u32(1023))
    p = i64(cell >> u32(10))
    p += ((target - p) * i64(rates[u64(count)])) >> 16
    return u32((p << 10) | (count + i64(count < limit)))


@kernel
def equal_before(buf: Array, pointer: int, pos: int) -> Any:
    """Return how many bytes before `pointer` are those before `pos`, MATCH_VERIFY at most."""
    length = i64(0)
    while length < MATCH_VERIFY and pointer > length and buf[u64(pointer - length - 1)] == buf[u64(pos - length - 1)]:
        length += 1
    return length


@kernel
def line_of(last8: int, j: int, partial: int, shift: int) -> Any:
    """Return where counter `j` (of the last j + 1 bytes) has its line for the nibble that `partial` begins."""
    known = u64(last8 & u64((u64(1) << u64(8 * (j + 1))) - u64(1)))
    t = u64(u64(known * u64(K1)) ^ u64(u64(partial + 32 * (j + 1)) * u64(K2)))
    return i64(u64(u64(t ^ (t >> u64(32))) * u64(K3)) >> shift) << 4


@kernel
def between(apm: Array, cell: int, start0: int, start1: int, part: int) -> Any:
    """Return 16 bits of probability: `part` / 256 of the way from `cell` to the next."""
    p0 = i64((apm[u64(cell)] ^ start0) >> u32(10))
    p1 = i64((apm[u64(cell + 1)] ^ start1) >> u32(10))
    return (p0 * (256 - part) + p1 * part) >> 14


@kernel
def code(
    mode: int,  # ENCODE, DECODE, or READ: learn from what is known and code nothing
    first: int,  # where in `buf` to begin; what is before it was read in an earlier call with the same state
    buf: Array,  # uint8 (size,): what was read, then the block; decoding fills it
    coded: Array,  # uint8: the coded bits; encoding fills it
    settings: Array,  # int64 (CFG_SIZE,)
    spec: Array,  # uint64 (4 * contexts,): two sources and their masks for each
    direct: Array,  # int64 (contexts,): > 0 where an unhashed context's buckets start, 0 near, -1 wide
    selectors: Array,  # int64 (2 * sets,): what selects, then the first row of each set
    slots: Array,  # uint8: buckets of 16 bytes, hashed ones first; starts at a cache line
    slots64: Array,  # uint64: the same memory
    maps: Array,  # uint32 (256 * contexts + MATCH_MAPS,): probability 22 bits, count 10 bits
    table: Array,  # uint32 (1 << match bits,): where the match model saw a hash last
    weights: Array,  # int32 (rows * inputs,): 16 fractional bits
    uses: Array,  # int64 (rows,)
    final: Array,  # int32 (256 * sets,): 16 fractional bits
    counters: Array,  # uint32 (16 << counter bits,): as maps, each xor HALF; lines of 16, the first unused
    apm: Array,  # uint32 (16 * APM_ROWS,): as maps, each xor its knot's start
    knots: Array,  # uint32 (17,): probability and count a knot starts with
    squash: Array,  # int32 (2 * STRETCH_MAX + 1,): 16 bits
    stretch: Array,  # int16 (4096,)
    after: Array,  # uint8 (2 * states,)
    rates: Array,  # int32 (1024,)
    v: Array,  # uint64 (SOURCES,): the sources
    after1: Array,  # uint64 (256,): what followed each byte
    after2: Array,  # uint64 (65536,): what followed each pair of bytes
    carried: Array,  # int64 (6,): of the match: pointer, length, missed, candidate; bytes coded, range - 1
    reached: Array,  # int64 (1,): the byte of `buf` that the kernel is at, for those who show it
) -> Any:
    """Encode `buf[first:]` into `coded`, or decode it, or only learn from it.

    Returns the length of the coded bits: those written (one more than `coded` holds when they do not fit, and coding
    stops early), or those read, where bytes read behind the end count too and are zeros.
    """
    size = i64(buf.shape[0])
    room = i64(coded.shape[0])
    contexts = i64(direct.shape[0])
    sets = i64(selectors.shape[0]) >> 1
    inputs = i64(settings[CFG_INPUTS])
    limit = i64(settings[CFG_LIMIT])
    period = i64(settings[CFG_RECORD])
    rate = i64(settings[CFG_RATE])
    least = i64(settings[CFG_MATCH_MIN])
    final_rate = i64(settings[CFG_FINAL_RATE])
    apm_limit = i64(settings[CFG_APM_LIMIT])
    refine = i64(settings[CFG_REFINE])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_shift = u64(64 - i64(settings[CFG_MATCH_BITS]))
    ahead = i64(settings[CFG_AHEAD])  # 1: the match model looks up a byte ahead, so that nothing waits for its table
    match_drop = u64(64 - 8 * (least - ahead))
    lanes = inputs >> 4
    counted = i64(settings[CFG_COUNTERS])
    counter_shift = u64(64 - i64(settings[CFG_COUNTER_BITS]))
    counter_limit = i64(settings[CFG_COUNTER_LIMIT])
    doubled = min(contexts, inputs - contexts - 3 - counted)  # contexts with a second input
    match_input = contexts + doubled
    counter_input = match_input + 3

    hashes = np.zeros(contexts, np.uint64)
    places = np.zeros(contexts, np.int64)  # of the buckets to be looked up
    checks = np.zeros(contexts, np.uint8)
    found = np.zeros(contexts, np.int64)  # places of the buckets in use
    cells = np.zeros(contexts, np.int64)  # in maps
    c_lines = np.zeros(counted, np.int64)  # where in `counters` this nibble's lines start
    x = np.zeros(inputs, np.int32)
    rows = np.zeros(sets, np.int64)
    dots = np.zeros(sets, np.int64)
    extra = np.zeros(256, np.int64)  # what the learning rate has on top, by uses / 4
    fall = i64(settings[CFG_RATE_FALL])
    for k in range(256):
        extra[k] = i64(settings[CFG_RATE_START]) * fall // (fall + 4 * k)
    x[u64(match_input + 2)] = i32(BIAS)

    low = u32(0)
    high = u32(0xFFFFFFFF)
    window = u32(0)
    at = i64(0)  # in coded
    if mode == DECODE:
        for _ in range(4):
            window = u32((window << u32(8)) | (u32(coded[u64(at)]) if at < room else u32(0)))
            at += 1

    pointer = i64(carried[0])  # of the match: where the byte expected next stands
    length = i64(carried[1])  # of the match, 0 for none
    candidate = i64(carried[3])  # for the match: where the last bytes stood before, without the very last
    h = u64(0)
    missed = i64(carried[2])  # one bit a byte that a match predicted, 1 where it failed
    seen = i64(0)
    node = i64(1)
    if first > 0:
        renew(v, buf, first, period, after1, after2)
    address(v, spec, direct, hashes, places, checks, slots, shift)
    for pos in range(first, size):
        reached[0] = pos
        last8 = u64(v[LAST8])
        last = i64(last8 & u64(255))

        # ---- match model, once a byte
        if length > 0 and i64(buf[u64(pointer)]) == last:
            length = min(length + 1, i64(65535))
            pointer += 1
            missed = (missed << 1) & 255
        else:
            if length > 0:
                missed = ((missed << 1) | 1) & 255
            length = i64(0)
        if ahead > 0:
            if length == 0 and candidate > 0:
                pointer = candidate + 1
                length = equal_before(buf, pointer, pos)
                if length < least:
                    length = i64(0)
            h = u64(u64((last8 << match_drop) * u64(K1)) >> match_shift)
            prefetch(table, i64(h))
        elif least > 0 and pos >= least:
            h = u64(u64((last8 << match_drop) * u64(K1)) >> match_shift)
            if length == 0:
                pointer = i64(table[h])
                if pointer > 0:
                    length = equal_before(buf, pointer, pos)
                    if length < least:
                        length = i64(0)
            table[h] = u32(pos)
        expected = i64(0)
        grade = i64(0)
        if length > 0:
            expected = i64(buf[u64(pointer)]) | 256
            if length < 16:
                grade = length
            elif length < 80:
                grade = 16 + ((length - 16) >> 3)
            else:
                grade = min(24 + ((length - 80) >> 6), i64(31))

        symbol = i64(0)
        if mode != DECODE:
            symbol = i64(buf[u64(pos)])
        pair = i64(u64((last8 & u64(0xFFFF)) * u64(K1)) >> u64(48))
        partial = i64(1)  # a one, then the bits of this byte so far
        for bit in range(8):
            # ---- buckets, once a nibble
            if bit == 4 and ahead > 0:
                candidate = i64(table[h])
                table[h] = u32(pos)
                prefetch(buf, candidate)
            if bit == 0 or bit == 4:
                seen = i64(0)
                for i in range(contexts):
                    place = i64(places[i])
                    if direct[i] > 0:
                        found[i] = place if bit == 0 else place + 16 * partial
                    else:
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
                for j in range(counted):
                    c_lines[j] = line_of(last8, j, partial, counter_shift)
                node = i64(1)

            # ---- predict
            for i in range(contexts):
                cell = (i << 8) | i64(slots[u64(found[i] + node)])
                cells[i] = cell
                p = i64(maps[u64(cell)] >> u32(20))
                x[u64(i)] = i32(stretch[u64(p)])
                if i < doubled:
                    x[u64(contexts + i)] = i32((p - 2048) >> 2)
            guess = i64(-1)  # the bit that the match expects
            match_cell = i64(0)
            if length > 0:
                if (expected >> (8 - bit)) == partial:
                    guess = (expected >> (7 - bit)) & 1
                    trust = i64(0)
                    if missed & 15:
                        trust = 2 + (missed & 1)
                    elif missed:
                        trust = i64(1)
                    match_cell = (contexts << 8) + grade * 4 + trust
                    p = i64(maps[u64(match_cell)] >> u32(20))
                    sign = 2 * guess - 1
                    x[u64(match_input)] = i32(sign * i64(stretch[u64(p)]))
                    x[u64(match_input + 1)] = i32((sign * (p - 2048)) >> 2)
                else:
                    length = i64(0)
                    missed = ((missed << 1) | 1) & 255
            if guess < 0:
                x[u64(match_input)] = i32(0)
                x[u64(match_input + 1)] = i32(0)

            for j in range(counted):
                p = i64(u32(counters[u64(i64(c_lines[j]) + node)] ^ u32(HALF)) >> u32(20))
                x[u64(counter_input + j)] = i32(stretch[u64(p)])

            # ---- mix
            total = i64(0)
            for k in range(sets):
                selector = i64(selectors[k])
                if selector == ONE:
                    row = i64(0)
                elif selector == PARTIAL:
                    row = partial
                elif selector == LAST:
                    row = last
                elif selector == MATCH:
                    row = seen * 72 + bit
                    if guess >= 0:
                        row += ((grade >> 2) + 1) * 8
                elif selector == SEEN:
                    row = seen * 8 + bit
                elif selector == LAST2:
                    row = i64((last8 >> u64(8)) & u64(255))
                elif selector == SHAPES:
                    row = i64(v[SHAPE] & u64(255))
                else:
                    row = i64(v[COLUMN] & u64(255))
                row += i64(selectors[sets + k])
                rows[k] = row
                start = row * inputs
                acc = i32(0)
                for b in range(lanes):
                    acc = i32(acc + dot16(x, weights, b * 16, start + b * 16))
                dot = max(min(i64(acc) >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
                dots[k] = dot
                total += dot * i64(final[u64(partial * sets + k)])
            mixed = max(min(total >> 16, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
            p_mixed = i64(squash[u64(mixed + STRETCH_MAX)])

            # ---- refine: 15 intervals over the stretch domain, interpolated
            spot = ((mixed + STRETCH_MAX + 1) * 5) >> 3
            knot = spot >> 8
            part = spot & 255
            start0 = u32(knots[u64(knot)])
            start1 = u32(knots[u64(knot + 1)])
            a0 = (partial << 4) + knot
            a1 = ((APM_LAST + (last << 8) + partial) << 4) + knot
            if guess >= 0:
                a2 = ((APM_EXPECTED + ((expected & 255) << 8) + partial) << 4) + knot
            else:
                a2 = ((APM_PAIR + ((pair ^ (partial * 0x9E35)) & 0xFFF)) << 4) + knot
            q0 = between(apm, a0, start0, start1, part)
            q1 = between(apm, a1, start0, start1, part)
            q2 = between(apm, a2, start0, start1, part)
            p1 = p_mixed
            if refine > 0:
                p1 = (2 * p_mixed + q0 + 2 * q1 + 3 * q2 + 4) >> 3
            p1 = max(min(p1, i64(65535)), i64(1))

            # ---- code
            y = (symbol >> (7 - bit)) & 1
            if mode != READ:
                middle = u32(low + u32((u64(u32(high - low)) * u64(p1)) >> u64(16)))
                if mode == DECODE:
                    y = i64(window <= middle)
                if y:
                    high = middle
                else:
                    low = u32(middle + u32(1))
                while ((low ^ high) & u32(0xFF000000)) == 0:
                    if mode == DECODE:
                        window = u32((window << u32(8)) | (u32(coded[u64(at)]) if at < room else u32(0)))
                    else:
                        if at >= room:
                            return room + 1
                        coded[u64(at)] = u8(high >> u32(24))
                    at += 1
                    low = u32(low << u32(8))
                    high = u32((high << u32(8)) | u32(255))

            # ---- where to look next: the memory answers while the rest learns
            grown = (partial << 1) | y
            if bit < 7:
                prefetch(apm, (APM_LAST + (last << 8) + grown) << 4)
                if (expected >> (7 - bit)) == grown:
                    prefetch(apm, (APM_EXPECTED + ((expected & 255) << 8) + grown) << 4)
                else:
                    prefetch(apm, (APM_PAIR + ((pair ^ (grown * 0x9E35)) & 0xFFF)) << 4)
            if bit == 3:
                for i in range(contexts):
                    if direct[i] <= 0:
                        t = u64(u64(u64(hashes[i]) ^ u64(u64(grown) * u64(K1))) * u64(K3))
                        t = u64(u64(t ^ (t >> u64(32))) * u64(K2))
                        checks[i] = u8(t >> u64(16))
                        if direct[i] == 0:
                            places[i] = (i64(places[i]) ^ 64) ^ (i64(t >> u64(62)) << 4)
                        else:
                            places[i] = i64(t >> shift) << 4
                            prefetch(slots, i64(places[i]))
                for j in range(counted):
                    prefetch(counters, line_of(last8, j, grown, counter_shift))
            elif bit == 7:
                if mode == DECODE:
                    buf[u64(pos)] = u8(grown)
                prefetch(apm, (APM_LAST + ((grown & 255) << 8) + 1) << 4)
                if pos + 1 < size:
                    renew(v, buf, pos + 1, period, after1, after2)
                    address(v, spec, direct, hashes, places, checks, slots, shift)
                    for j in range(counted):
                        prefetch(counters, line_of(u64(v[LAST8]), j, 1, counter_shift))
                    if least > 0 and ahead == 0:
                        prefetch(table, i64(u64((u64(v[LAST8]) << match_drop) * u64(K1)) >> match_shift))

            # ---- learn: histories always, the rest when there is something to learn
            for i in range(contexts):
                slots[u64(found[i] + node)] = after[u64(((i64(cells[i]) & 255) << 1) + y)]
            if ((65536 - p1) if y else p1) > SURE:
                error = (((y << 16) - p_mixed) * final_rate) >> 10
                for k in range(sets):
                    w = partial * sets + k
                    dot = i64(dots[k])
                    final[u64(w)] = i32(i64(final[u64(w)]) + ((dot * error + 0x2000) >> 14))
                    row = i64(rows[k])
                    used = i64(uses[u64(row)])
                    step = rate + i64(extra[u64(min(used >> 2, i64(255)))])
                    uses[u64(row)] = min(used + 1, i64(65535))
                    e = i32((((y << 16) - i64(squash[u64(dot + STRETCH_MAX)])) * step) >> 10)
                    if e > SMALL_ERROR or e < -SMALL_ERROR:
                        start = row * inputs
                        for b in range(lanes):
                            train16(x, weights, b * 16, start + b * 16, e)
                target = y * 4194303
                for i in range(contexts):
                    cell = i64(cells[i])
                    maps[u64(cell)] = adapted(u32(maps[u64(cell)]), target, limit, rates)
                for j in range(counted):
                    cell = i64(c_lines[j]) + node
                    changed = adapted(u32(counters[u64(cell)] ^ u32(HALF)), target, counter_limit, rates)
                    counters[u64(cell)] = u32(changed ^ u32(HALF))
                if guess >= 0:
                    right = i64(4194303) if guess == y else i64(0)
                    maps[u64(match_cell)] = adapted(u32(maps[u64(match_cell)]), right, i64(1022), rates)
                upper = i64(part >= 128)
                start0 = start1 if upper else start0
                for k in range(3):
                    cell = (a0 if k == 0 else (a1 if k == 1 else a2)) + upper
                    apm[u64(cell)] = u32(adapted(u32(apm[u64(cell)] ^ start0), target, apm_limit, rates) ^ start0)
            partial = grown
            node = (node << 1) | y

    carried[0] = pointer
    carried[1] = length
    carried[2] = missed
    carried[3] = candidate
    carried[4] = at
    carried[5] = i64(u32(high - low))
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


@kernel
def restore(
    first: int,  # as `code` was given it
    buf: Array,  # as `code` left it
    settings: Array, spec: Array, direct: Array,  # as there
    slots: Array, table: Array, counters: Array, apm: Array, v: Array, after1: Array, after2: Array,  # as `code` left
    slots_was: Array, table_was: Array, counters_was: Array, apm_was: Array, v_was: Array, after1_was: Array,
    after2_was: Array,  # what they were before
) -> None:  # fmt: skip
    """Undo what `code` changed in the large arrays, by walking through the block once more.

    `v` and `after1` are undone as well; the arrays that are not arguments are for the caller to copy.
    """
    size = i64(buf.shape[0])
    contexts = i64(direct.shape[0])
    period = i64(settings[CFG_RECORD])
    least = i64(settings[CFG_MATCH_MIN])
    ahead = i64(settings[CFG_AHEAD])
    counted = i64(settings[CFG_COUNTERS])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_shift = u64(64 - i64(settings[CFG_MATCH_BITS]))
    match_drop = u64(64 - 8 * (least - ahead))
    counter_shift = u64(64 - i64(settings[CFG_COUNTER_BITS]))
    hashes = np.zeros(contexts, np.uint64)
    places = np.zeros(contexts, np.int64)
    checks = np.zeros(contexts, np.uint8)
    known = np.zeros(256, np.uint8)
    for again in range(2):
        # What followed pairs of bytes takes part in contexts: it is undone, renewed on the walk, and undone again.
        for k in range(SOURCES):
            v[k] = v_was[k]
        for k in range(256):
            after1[k] = after1_was[k]
        for pos in range(max(first - 3, i64(0)), size - 1):
            pair = (i64(buf[u64(pos)]) << 8) | i64(buf[u64(pos + 1)])
            after2[u64(pair)] = after2_was[u64(pair)]
        # The sources begin with zeros for what lies before the first byte.
        for c in range(256):
            after2[u64(c)] = after2_was[u64(c)]
        if again > 0:
            break
        if first > 0:
            renew(v, buf, first, period, after1, after2)
        address(v, spec, direct, hashes, places, checks, slots, shift)
        for pos in range(first, size):
            last8 = u64(v[LAST8])
            symbol = i64(buf[u64(pos)])
            half = 16 | (symbol >> 4)
            for i in range(contexts):
                place = i64(places[i])
                if direct[i] > 0:
                    for k in range(512):
                        slots[u64(place + k)] = slots_was[u64(place + k)]
                    continue
                start = place & -128 if direct[i] == 0 else place & -64
                for k in range(128 if direct[i] == 0 else 64):
                    slots[u64(start + k)] = slots_was[u64(start + k)]
                if direct[i] < 0:
                    t = u64(u64(u64(hashes[i]) ^ u64(u64(half) * u64(K1))) * u64(K3))
                    t = u64(u64(t ^ (t >> u64(32))) * u64(K2))
                    start = (i64(t >> shift) << 4) & -64
                    for k in range(64):
                        slots[u64(start + k)] = slots_was[u64(start + k)]
            for j in range(counted):
                for part in range(2):
                    start = line_of(last8, j, half if part > 0 else 1, counter_shift)
                    for k in range(16):
                        counters[u64(start + k)] = counters_was[u64(start + k)]
            if least > 0:
                h = u64(u64((last8 << match_drop) * u64(K1)) >> match_shift)
                table[h] = table_was[h]
            known[u64(last8 & u64(255))] = 1
            if pos + 1 < size:
                renew(v, buf, pos + 1, period, after1, after2)
                address(v, spec, direct, hashes, places, checks, slots, shift)
    # Any byte that was ever read may have been expected.
    for pos in range(size):
        known[u64(buf[u64(pos)])] = 1
    for c in range(256):
        if known[u64(c)] > 0:
            for row in range(2):
                start = ((APM_LAST if row == 0 else APM_EXPECTED) + (c << 8)) << 4
                for k in range(4096):
                    apm[u64(start + k)] = apm_was[u64(start + k)]
    for k in range(16 * APM_LAST):
        apm[u64(k)] = apm_was[u64(k)]
    for k in range(16 * APM_PAIR, 16 * APM_ROWS):
        apm[u64(k)] = apm_was[u64(k)]


@kernel
def count_repeats(sample: Array, fresh: Array, scores: Array) -> None:
    """Count for each distance the bytes where `fresh` is 1 and that equal the byte so far back."""
    n = i64(sample.shape[0])
    for distance in range(2, scores.shape[0]):
        total = i32(0)
        for k in range(distance, n):
            total = i32(total + i32(fresh[k] & u8(sample[k] == sample[k - distance])))
        scores[distance] = total


@kernel
def spread(gaps: Array, values: Array, out: Array) -> None:
    """Write `values` to `out`, each so many bytes (1 or more) behind the one before; the first counts from -1."""
    at = i64(-1)
    for k in range(gaps.shape[0]):
        at += i64(gaps[k])
        out[u64(at)] = values[k]
