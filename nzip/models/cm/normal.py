"""The loop `normal`: contexts, one match model, counters, a mixer of two layers, sse.

The method is the context mixing of bits of the PAQ programs (Mahoney, "Adaptive Weighing of Context Models for
Lossless Data Compression", 2005, and "Data Compression Explained", chapter 4.3): hashed contexts lead to bit
histories, adaptive maps turn those into probabilities, gated networks mix them in the logistic domain, and secondary
estimation corrects the result. docs/reference/CM.md is the specification; tests/naive_cm.py says the same in plain
Python, and must agree to the bit.

Invariants of this and of the other loops:
* Integers only, and every width is written: u64, i64 and so on are casts when compiled, and wrap by masks when numba
  is switched off. Sums of 32-bit products are exact whatever their order.
* Wrappers own all memory; kernels fill arrays. An array is indexed by unsigned numbers, which numba does not check
  for a sign, so each index stays in range for any input: damaged payloads lead to wrong bytes and nothing else.
* Tables are arguments and never globals, which would become part of the machine code.
* What is known of the block so far stands in arrays alone: a loop may stop at any byte, and be called again from there
  with other contexts.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.buckets import check_of, claimed, hashed, rehashed
from nzip.models.cm.components.learners import count, counted, learn, line_of
from nzip.models.cm.components.match import (
    failed,
    followed,
    grade_of,
    looked_up,
    recovered,
    short_hash,
    trust_of,
    verified,
)  # fmt: skip
from nzip.models.cm.components.mixer import bounded, error_of, row_by_match, row_by_source, squashed, warmed, warmth
from nzip.models.cm.components.rows import renew_rows
from nzip.models.cm.components.sources import renew_bytes, renew_line, renew_shape, renew_words
from nzip.models.cm.components.sse import between, refine, row_of, spot_of
from nzip.models.cm.components.vectors import dot, prefetch, train
from nzip.models.cm.layout import (
    BIAS,
    CFG_AHEAD,
    CFG_BITS,
    CFG_COUNTER_BITS,
    CFG_COUNTER_LIMIT,
    CFG_COUNTERS,
    CFG_FINAL_RATE,
    CFG_GUESSES,
    CFG_INPUTS,
    CFG_LIMIT,
    CFG_MATCH_BITS,
    CFG_MATCH_MIN,
    CFG_MODE,
    CFG_RATE,
    CFG_RATE_FALL,
    CFG_RATE_START,
    CFG_RECOVERS,
    CFG_SSE_LIMIT,
    DECODE,
    K1,
    MATCH_MAPS,
    PARTIAL,
    R_BYTES,
    R_CELLS,
    READ,
    SMALL_ERROR,
    SOURCE,
    SSE_EXPECTED,
    SSE_LAST,
    SSE_PAIR,
    SSE_ROWS,
    SURE,
)  # fmt: skip
from nzip.models.cm.presets import LAST8, SOURCES


@bare
def renew(v: Array, buf: Array, pos: int, settings: Array) -> None:
    """Bring the sources `v` to where they predict byte `pos` (1 or more); all bytes before it are in `buf`."""
    c = i64(buf[u64(pos - 1)])
    renew_bytes(v, c)
    renew_words(v, c)
    renew_line(v, buf, pos, c)
    renew_shape(v, buf, pos, c, settings)


@bare
def address(
    v: Array, spec: Array, direct: Array, hashes: Array, places: Array, checks: Array, slots: Array, shift: int
) -> None:
    """Find where each context's bucket for the first nibble lies, and ask for the cache lines of both nibbles."""
    for i in range(direct.shape[0]):
        j = 5 * i
        first = u64(v[spec[u64(j)]] & spec[u64(j + 1)])
        if direct[i] > 0:
            places[i] = i64(first) * 512 + i64(direct[i])
        else:
            t = hashed(first, u64(v[spec[u64(j + 2)]] & spec[u64(j + 3)]), u64(0), u64(spec[u64(j + 4)]))
            hashes[i] = t
            places[i] = i64(t >> shift) << 4
            checks[i] = check_of(t)
            prefetch(slots, places[i])
            if direct[i] == 0:
                prefetch(slots, places[i] ^ 64)


@bare
def readdress(grown: int, direct: Array, hashes: Array, places: Array, checks: Array, slots: Array, shift: int) -> None:
    """Find where each context's bucket for the second nibble lies; `grown` is a one and the first nibble."""
    for i in range(direct.shape[0]):
        if direct[i] <= 0:
            t = rehashed(u64(hashes[i]), grown)
            checks[i] = check_of(t)
            if direct[i] == 0:
                places[i] = (i64(places[i]) ^ 64) ^ (i64(t >> u64(62)) << 4)
            else:
                places[i] = i64(t >> shift) << 4
                prefetch(slots, i64(places[i]))


@inlined
def look_up(
    partial: int, direct: Array, found: Array, places: Array, checks: Array, slots: Array, slots64: Array
) -> int:  # fmt: skip
    """Find the bucket of each context for the nibble that `partial` begins; return how many had seen something."""
    seen = i64(0)
    for i in range(direct.shape[0]):
        place = i64(places[i])
        if direct[i] > 0:
            found[i] = place if partial == 1 else place + 16 * partial
        else:
            place = claimed(slots, slots64, place, checks[i])
            found[i] = place
            seen += i64(slots[u64(place + 1)] > 0)
    return seen


@inlined
def last_row(known: bool, expected: int, pair: int, partial: int) -> Any:
    """Return the row of the third sse: by the byte that the match expects, if it is `known` so far, or by two bytes."""
    if known:
        row = SSE_EXPECTED + ((expected & 255) << 8) + partial
    else:
        row = SSE_PAIR + (row_of(pair, partial) & 0xFFF)
    return row


@bare
def code(
    mode: int,  # ENCODE, DECODE, or READ: learn from what is known and code nothing
    first: int,  # where in `buf` to begin; what is before it was read in an earlier call with the same state
    end: int,  # where to stop
    buf: Array,  # uint8: what was read, then the block; decoding fills it
    coded: Array,  # uint8: the coded bits; encoding fills it
    coder: Array,  # int64 (4,): as `nzip.entropy.bounds.begin` makes it
    settings: Array,  # int64 (CFG_SIZE,)
    spec: Array,  # uint64 (5 * contexts,): for each two sources and their masks, and the salt of its hash
    direct: Array,  # int64 (contexts,): > 0 where an unhashed context's buckets start, 0 near, -1 wide
    selectors: Array,  # int64 (6 * sets,): what selects, first row, source, shift, mask, by bit or not
    slots: Array,  # uint8: buckets of 16 bytes, hashed ones first; starts at a cache line
    slots64: Array,  # uint64: the same memory
    maps: Array,  # uint32 (256 * contexts + MATCH_MAPS + GUESS_CELLS,): probability 22 bits, count 10 bits
    table: Array,  # uint32 (1 << match bits,): where the match model saw a hash last
    weights: Array,  # int32 (rows * inputs,): 16 fractional bits
    uses: Array,  # int64 (rows,)
    final: Array,  # int32 (256 * sets,): 16 fractional bits
    counters: Array,  # uint32 (16 << counter bits,): as maps, each xor HALF; lines of 16, the first unused
    sse: Array,  # uint32 (16 * SSE_ROWS,): as maps, each xor its knot's start
    knots: Array,  # uint32 (17,): probability and count a knot starts with
    squash: Array,  # int32 (2 * STRETCH_MAX + 1,): 16 bits
    stretch: Array,  # int16 (4096,)
    after: Array,  # uint8 (2 * states,)
    rates: Array,  # int32 (1024,)
    v: Array,  # uint64 (SOURCES,): the sources
    fields: Array,  # uint64 (R_FIELDS,): what is known of rows
    spots: Array,  # uint32 (SPOTS,): where in rows the same led to
    matched: Array,  # int64 (4,): of the match: pointer, length, missed, candidate
    reached: Array,  # int64 (1,): the byte of `buf` that the kernel is at, for those who show it
) -> None:
    """Encode `buf[first:end]` into `coded`, or decode it, or only learn from it.

    Encoding stops once `coded` is full: the coder then has counted more bytes than there is room for.
    """
    room = i64(coded.shape[0])
    contexts = i64(direct.shape[0])
    sets = i64(selectors.shape[0]) // 6
    inputs = i64(settings[CFG_INPUTS])
    limit = i64(settings[CFG_LIMIT])
    rate = i64(settings[CFG_RATE])
    least = i64(settings[CFG_MATCH_MIN])
    final_rate = i64(settings[CFG_FINAL_RATE])
    sse_limit = i64(settings[CFG_SSE_LIMIT])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_shift = u64(64 - i64(settings[CFG_MATCH_BITS]))
    ahead = i64(settings[CFG_AHEAD])  # 1: the match model looks up a byte ahead, so that nothing waits for its table
    match_drop = u64(64 - 8 * (least - ahead))
    vectors = inputs >> 4
    counts = i64(settings[CFG_COUNTERS])
    counter_shift = u64(64 - i64(settings[CFG_COUNTER_BITS]))
    counter_limit = i64(settings[CFG_COUNTER_LIMIT])
    guesses = i64(settings[CFG_GUESSES])
    rows_mode = i64(settings[CFG_MODE])
    doubled = min(contexts, inputs - contexts - 3 - counts - guesses)  # contexts with a second input
    match_input = contexts + doubled
    counter_input = match_input + 3
    guess_input = counter_input + counts
    guess_cells = (contexts << 8) + MATCH_MAPS

    hashes = zeros(contexts, u64)
    places = zeros(contexts, i64)  # of the buckets to be looked up
    checks = zeros(contexts, u8)
    found = zeros(contexts, i64)  # places of the buckets in use
    cells = zeros(contexts, i64)  # in maps
    c_lines = zeros(counts, i64)  # where in `counters` this nibble's lines start
    g_bytes = zeros(guesses, i64)  # that are guessed, + 256; 0 for none
    g_cells = zeros(guesses, i64)  # in maps
    x = zeros(inputs, i32)
    rows = zeros(sets, i64)
    dots = zeros(sets, i64)
    extra = warmth(i64(settings[CFG_RATE_START]), i64(settings[CFG_RATE_FALL]))
    x[u64(match_input + 2)] = i32(BIAS)

    recovers = i64(settings[CFG_RECOVERS])
    low, high, window, at = taken(coder)
    pointer = i64(matched[0])  # of the match: where the byte expected next stands
    length = i64(matched[1])  # of the match, 0 for none
    missed = i64(matched[2])  # one bit a byte that a match predicted, 1 where it failed
    candidate = i64(matched[3])  # for the match: where the last bytes stood before, without the very last
    h = u64(0)
    seen = i64(0)
    node = i64(1)
    if first > 0:
        renew(v, buf, first, settings)
        if guesses > 0:
            renew_rows(v, fields, spots, buf, first, rows_mode)
    address(v, spec, direct, hashes, places, checks, slots, shift)
    for pos in range(first, end):
        reached[0] = pos
        last8 = u64(v[LAST8])
        last = i64(last8 & u64(255))

        # ---- match model, once a byte
        pointer, length, missed = followed(buf, last, pointer, length, missed)
        if ahead > 0:
            if recovers > 0:
                if length == 0:
                    pointer, length = recovered(buf, pos, least, pointer, missed, candidate)
            elif length == 0 and candidate > 0:
                pointer = candidate + 1
                length = verified(buf, pointer, pos, least)
            h = short_hash(last8, match_drop, match_shift)
            prefetch(table, i64(h))
        elif least > 0 and pos >= least:
            h = short_hash(last8, match_drop, match_shift)
            if recovers > 0 and length == 0:
                pointer, length = recovered(buf, pos, least, pointer, missed, i64(table[h]) - 1)
            pointer, length = looked_up(table, h, buf, pos, least, pointer, length)
        expected = i64(0)
        grade = i64(0)
        if length > 0:
            expected = i64(buf[u64(pointer)]) | 256
            grade = grade_of(length)

        for j in range(guesses):
            g_bytes[j] = i64(fields[u64(R_BYTES + j)])
            g_cells[j] = guess_cells + 2 * i64(fields[u64(R_CELLS + j)])
            x[u64(guess_input + j)] = i32(0)
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
                seen = look_up(partial, direct, found, places, checks, slots, slots64)
                for j in range(counts):
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
                    match_cell = (contexts << 8) + grade * 4 + trust_of(missed)
                    p = i64(maps[u64(match_cell)] >> u32(20))
                    sign = 2 * guess - 1
                    x[u64(match_input)] = i32(sign * i64(stretch[u64(p)]))
                    x[u64(match_input + 1)] = i32((sign * (p - 2048)) >> 2)
                else:
                    length = i64(0)
                    missed = failed(missed)
            if guess < 0:
                x[u64(match_input)] = i32(0)
                x[u64(match_input + 1)] = i32(0)
            for j in range(counts):
                p = i64(counted(counters, i64(c_lines[j]) + node) >> u32(20))
                x[u64(counter_input + j)] = i32(stretch[u64(p)])

            for j in range(guesses):
                byte = i64(g_bytes[j])
                if byte > 0:
                    said = i64(0)
                    if (byte >> (8 - bit)) == partial:
                        said = i64(stretch[u64(maps[u64(i64(g_cells[j]) + (bit >> 2))] >> u32(20))])
                        if (byte >> (7 - bit)) & 1 == 0:
                            said = -said
                    else:
                        g_bytes[j] = 0
                    x[u64(guess_input + j)] = i32(said)

            # ---- mix
            total = i64(0)
            for k in range(sets):
                selector = i64(selectors[k])
                if selector == SOURCE:
                    row = row_by_source(selectors, sets, k, v, bit)
                elif selector == PARTIAL:
                    row = partial
                else:
                    row = row_by_match(seen, bit, guess, grade)
                row += i64(selectors[sets + k])
                rows[k] = row
                dots[k] = bounded(i64(dot(x, weights, row * inputs, vectors)) >> 8)
                total += i64(dots[k]) * i64(final[u64(partial * sets + k)])
            mixed = bounded(total >> 16)
            p_mixed = squashed(mixed, squash)

            # ---- sse
            spot = spot_of(mixed)
            knot = spot >> 8
            part = spot & 255
            start0 = u32(knots[u64(knot)])
            start1 = u32(knots[u64(knot + 1)])
            a0 = (partial << 4) + knot
            a1 = ((SSE_LAST + (last << 8) + partial) << 4) + knot
            a2 = (last_row(guess >= 0, expected, pair, partial) << 4) + knot
            q0 = between(sse, a0, start0, start1, part)
            q1 = between(sse, a1, start0, start1, part)
            q2 = between(sse, a2, start0, start1, part)
            p1 = (2 * p_mixed + q0 + 2 * q1 + 3 * q2 + 4) >> 3
            p1 = max(min(p1, i64(65535)), i64(1))

            # ---- code
            y = (symbol >> (7 - bit)) & 1
            if mode == DECODE:
                y, low, high, window, at = decode_step(low, high, window, at, coded, p1)
            elif mode != READ:
                low, high, at = encode_step(low, high, at, coded, y, p1)

            # ---- where to look next: the memory answers while the rest learns
            grown = (partial << 1) | y
            if bit < 7:
                prefetch(sse, (SSE_LAST + (last << 8) + grown) << 4)
                prefetch(sse, last_row((expected >> (7 - bit)) == grown, expected, pair, grown) << 4)
            if bit == 3:
                readdress(grown, direct, hashes, places, checks, slots, shift)
                for j in range(counts):
                    prefetch(counters, line_of(last8, j, grown, counter_shift))
            elif bit == 7:
                if mode == DECODE:
                    buf[u64(pos)] = u8(grown)
                prefetch(sse, (SSE_LAST + ((grown & 255) << 8) + 1) << 4)
                if pos + 1 < end:
                    renew(v, buf, pos + 1, settings)
                    if guesses > 0:
                        renew_rows(v, fields, spots, buf, pos + 1, rows_mode)
                    address(v, spec, direct, hashes, places, checks, slots, shift)
                    for j in range(counts):
                        prefetch(counters, line_of(u64(v[LAST8]), j, 1, counter_shift))
                    if least > 0 and ahead == 0:
                        prefetch(table, i64(short_hash(u64(v[LAST8]), match_drop, match_shift)))

            # ---- learn: histories always, the rest when there is something to learn
            for i in range(contexts):
                slots[u64(found[i] + node)] = after[u64(((i64(cells[i]) & 255) << 1) + y)]
            if ((65536 - p1) if y else p1) > SURE:
                error = error_of(y, p_mixed, final_rate)
                for k in range(sets):
                    w = partial * sets + k
                    said = i64(dots[k])
                    final[u64(w)] = i32(i64(final[u64(w)]) + ((said * error + 0x2000) >> 14))
                    row = i64(rows[k])
                    e = i32(error_of(y, squashed(said, squash), warmed(uses, row, rate, extra)))
                    if e > SMALL_ERROR or e < -SMALL_ERROR:
                        train(x, weights, row * inputs, vectors, e)
                target = y * 4194303
                for i in range(contexts):
                    learn(maps, i64(cells[i]), target, limit, rates)
                for j in range(counts):
                    count(counters, i64(c_lines[j]) + node, target, counter_limit, rates)
                if guess >= 0:
                    learn(maps, match_cell, i64(4194303) if guess == y else i64(0), i64(1022), rates)
                for j in range(guesses):
                    if g_bytes[j] > 0:
                        right = i64(4194303) if ((i64(g_bytes[j]) >> (7 - bit)) & 1) == y else i64(0)
                        learn(maps, i64(g_cells[j]) + (bit >> 2), right, i64(1022), rates)
                upper = i64(part >= 128)
                start0 = start1 if upper else start0
                refine(sse, a0 + upper, start0, target, sse_limit, rates)
                refine(sse, a1 + upper, start0, target, sse_limit, rates)
                refine(sse, a2 + upper, start0, target, sse_limit, rates)
            partial = grown
            node = (node << 1) | y
        if mode != DECODE and at > room:
            break

    matched[0] = pointer
    matched[1] = length
    matched[2] = missed
    matched[3] = candidate
    put_back(coder, low, high, window, at)


@bare
def restore(
    first: int,  # as `code` was given it
    buf: Array,  # as `code` left it
    settings: Array, spec: Array, direct: Array,  # as there
    slots: Array, table: Array, counters: Array, sse: Array,  # as `code` left them
    v_was: Array, slots_was: Array, table_was: Array, counters_was: Array, sse_was: Array,  # what they were before
) -> None:  # fmt: skip
    """Undo what `code` changed in the large arrays, by walking through the block once more.

    The arrays that are not arguments are for the caller to copy.
    """
    size = i64(buf.shape[0])
    contexts = i64(direct.shape[0])
    least = i64(settings[CFG_MATCH_MIN])
    ahead = i64(settings[CFG_AHEAD])
    counts = i64(settings[CFG_COUNTERS])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_shift = u64(64 - i64(settings[CFG_MATCH_BITS]))
    match_drop = u64(64 - 8 * (least - ahead))
    counter_shift = u64(64 - i64(settings[CFG_COUNTER_BITS]))
    v = zeros(SOURCES, u64)
    hashes = zeros(contexts, u64)
    places = zeros(contexts, i64)
    checks = zeros(contexts, u8)
    known = zeros(256, u8)
    for k in range(SOURCES):
        v[k] = v_was[k]
    if first > 0:
        renew(v, buf, first, settings)
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
                start = (i64(rehashed(u64(hashes[i]), half) >> shift) << 4) & -64
                for k in range(64):
                    slots[u64(start + k)] = slots_was[u64(start + k)]
        for j in range(counts):
            for part in range(2):
                start = line_of(last8, j, half if part > 0 else 1, counter_shift)
                for k in range(16):
                    counters[u64(start + k)] = counters_was[u64(start + k)]
        if least > 0:
            h = short_hash(last8, match_drop, match_shift)
            table[h] = table_was[h]
        known[u64(last8 & u64(255))] = 1
        if pos + 1 < size:
            renew(v, buf, pos + 1, settings)
            address(v, spec, direct, hashes, places, checks, slots, shift)
    # Any byte that was ever read may have been expected.
    for pos in range(size):
        known[u64(buf[u64(pos)])] = 1
    for c in range(256):
        if known[u64(c)] > 0:
            for row in range(2):
                start = ((SSE_LAST if row == 0 else SSE_EXPECTED) + (c << 8)) << 4
                for k in range(4096):
                    sse[u64(start + k)] = sse_was[u64(start + k)]
    for k in range(16 * SSE_LAST):
        sse[u64(k)] = sse_was[u64(k)]
    for k in range(16 * SSE_PAIR, 16 * SSE_ROWS):
        sse[u64(k)] = sse_was[u64(k)]
