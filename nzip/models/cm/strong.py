"""The loop `strong`: the loop `normal` with more of everything.

Many more contexts, more weight sets, three match models, four mixers in the second layer, more sse, and contexts of
near bits for bitmaps (Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression", 2005, and "Data
Compression Explained", chapter 4.3). docs/reference/CMSTRONG.md is the specification; tests/naive_cmstrong.py says the
same in plain Python, and must agree to the bit. The invariants are those of `nzip.models.cm.normal`.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.buckets import check_of, claimed, hashed, rehashed
from nzip.models.cm.components.learners import learn
from nzip.models.cm.components.match import followed, grade_of, long_hash, looked_up, recovered, trust_of
from nzip.models.cm.components.mixer import bounded, error_of, row_by_match, row_by_source, squashed, warmed, warmth
from nzip.models.cm.components.rows import renew_rows
from nzip.models.cm.components.sources import (
    follows,
    renew_bytes,
    renew_shape,
    renew_text,
    three_of,
)
from nzip.models.cm.components.sse import between, refine, row_of, spot_of
from nzip.models.cm.components.vectors import WEIGHT_MAX, dot, prefetch, train
from nzip.models.cm.layout import (
    BIAS,
    BIT_BITS,
    CFG_BITS,
    CFG_FINAL_RATE,
    CFG_GUESSES,
    CFG_INPUTS,
    CFG_LIMIT,
    CFG_LOUD,
    CFG_MATCH_BITS,
    CFG_MODE,
    CFG_QUIET,
    CFG_RATE,
    CFG_RATE_FALL,
    CFG_RATE_START,
    CFG_RECORD,
    CFG_RECOVERS,
    CFG_SECOND,
    CFG_SKIM,
    CFG_SKIMMED,
    CFG_SSE_LIMIT,
    DECODE,
    FINAL_LAST,
    FINAL_MATCH,
    FINAL_SHAPE,
    K1,
    K3,
    MATCH,
    PARTIAL,
    R_BYTES,
    R_CELLS,
    READ,
    SKIM_AHEAD,
    SMALL_ERROR,
    SOURCE,
    SSE_EXPECTED,
    SSE_LAST,
    SSE_PAIR,
    STRONG_MATCH_CELLS,
    STRONG_SSE_WORD,
    STRONG_SURE,
)  # fmt: skip
from nzip.models.cm.presets import AFTER1, AFTER2, AFTER3, ALIGNED, EXPECT, GUESSES, LAST8, LAST16, SHAPE, WORD


@bare
def renew(
    v: Array, buf: Array, pos: int, settings: Array, after1: Array, after2: Array, after3: Array, fields: Array,
    spots: Array,
) -> None:  # fmt: skip
    """Bring the sources `v` to where they predict byte `pos` (1 or more); all bytes before it are in `buf`."""
    c = i64(buf[u64(pos - 1)])
    old = u64(v[LAST8])
    follows(after1, old & u64(0xFF), c)
    follows(after2, old & u64(0xFFFF), c)
    follows(after3, three_of(old), c)
    renew_bytes(v, c)
    now = u64(v[LAST8])
    v[AFTER1] = after1[now & u64(0xFF)]
    v[AFTER2] = after2[now & u64(0xFFFF)]
    v[AFTER3] = after3[three_of(now)]
    renew_text(v, buf, pos, c)
    renew_shape(v, buf, pos, c, settings)
    if settings[CFG_GUESSES] > 0:
        renew_rows(v, fields, spots, buf, pos, i64(settings[CFG_MODE]))


@bare
def address(v: Array, spec: Array, hashes: Array, places: Array, checks: Array, slots: Array, shift: int) -> None:
    """Find where each context's bucket for the first nibble lies, and ask for its cache line."""
    for i in range(hashes.shape[0]):
        j = 7 * i
        first = u64(v[spec[u64(j)]] & spec[u64(j + 1)])
        second = u64(v[spec[u64(j + 2)]] & spec[u64(j + 3)])
        t = hashed(first, second, u64(v[spec[u64(j + 4)]] & spec[u64(j + 5)]), u64(spec[u64(j + 6)]))
        hashes[i] = t
        places[i] = i64(t >> shift) << 4
        checks[i] = check_of(t)
        prefetch(slots, places[i])


@bare
def readdress(grown: int, hashes: Array, places: Array, checks: Array, slots: Array, shift: int) -> None:
    """Find where each context's bucket for the second nibble lies; `grown` is a one and the first nibble."""
    for i in range(hashes.shape[0]):
        t = rehashed(u64(hashes[i]), grown)
        checks[i] = check_of(t)
        places[i] = i64(t >> shift) << 4
        prefetch(slots, places[i])


@bare
def look_up(found: Array, places: Array, checks: Array, slots: Array, slots64: Array) -> int:
    """Find the bucket of each context at its place or near it, or empty one; return how many had seen something."""
    seen = i64(0)
    for i in range(places.shape[0]):
        place = claimed(slots, slots64, i64(places[i]), checks[i])
        found[i] = place
        seen += i64(slots[u64(place + 1)] > 0)
    return seen


@bare
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
    recovers: int,
) -> None:
    """Bring the match models to where they predict byte `pos` (1 or more), and EXPECT with them."""
    now = u64(v[LAST8])
    match_shift = u64(64 - match_bits)
    first = i64(0)
    for m in range(least.shape[0]):
        pointer, length, missed = followed(
            buf, i64(now & u64(255)), i64(m_pointer[m]), i64(m_length[m]), i64(m_missed[m])
        )
        short = i64(least[m])
        if pos >= short:
            if short <= 8:
                h = u64(u64(now << u64(64 - 8 * short)) * u64(K1))
            else:
                h = long_hash(now, u64(v[LAST16]), short)
            h = u64((h >> match_shift) + (u64(m) << u64(match_bits)))
            if recovers > 0 and length == 0:
                pointer, length = recovered(buf, pos, short, pointer, missed, i64(table[h]) - 1)
            pointer, length = looked_up(table, h, buf, pos, short, pointer, length)
        m_pointer[m] = pointer
        m_length[m] = length
        m_missed[m] = missed
        if length > 0:
            m_expected[m] = i64(buf[u64(pointer)]) | 256
            if first == 0:
                first = (i64(m_expected[m]) & 255) | ((grade_of(length) + 1) << 8)
        else:
            m_expected[m] = i64(0)
    v[EXPECT] = u64(first)


@bare
def skim(
    first: int, skimmed: int, buf: Array, settings: Array, spec: Array, least: Array, hashes: Array, places: Array,
    checks: Array, found: Array, slots: Array, slots64: Array, after: Array, v: Array, after1: Array, after2: Array,
    after3: Array, fields: Array, spots: Array, m_pointer: Array, m_length: Array, m_missed: Array, m_expected: Array,
    table: Array, reached: Array,
) -> None:  # fmt: skip
    """Let match models and the histories of the first contexts see `buf[first:skimmed]`, and address what follows.

    All of it is known: buckets are asked for many bytes before they are looked up.
    """
    few = min(i64(hashes.shape[0]), i64(settings[CFG_SKIM]))
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_bits = i64(settings[CFG_MATCH_BITS])
    recovers = i64(settings[CFG_RECOVERS])
    few_places = zeros(2 * few * SKIM_AHEAD, i64)
    few_checks = zeros(2 * few * SKIM_AHEAD, u8)
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
            renew(v, buf, pos + 1, settings, after1, after2, after3, fields, spots)
            follow(v, buf, pos + 1, least, m_pointer, m_length, m_missed, m_expected, table, match_bits, recovers)
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


@inlined
def for_bit(y: int, value: int) -> Any:
    """Return an input that says how likely bit `y` is, as one of how likely a one is."""
    return value if y else -value


@inlined
def around(buf: Array, pos: int, distance: int) -> Any:
    """Return the three bytes around the one `distance` before `pos`, the last one lowest; 0 for what is unknown."""
    three = u64(0)
    for k in range(3):
        back = pos - distance - 1 + k
        three = u64(three << u64(8))
        if back >= 0 and back < pos:
            three |= u64(buf[u64(back)])
    return three


@inlined
def near_of(last8: int, partial: int, bit: int, above1: int, above2: int, above3: int) -> Any:
    """Return the last 16 bits, and 16 bits around the bit to come of each of three rows above."""
    near = u64(((last8 << u64(bit)) | u64(partial ^ (1 << bit))) & u64(0xFFFF))
    near |= u64((above1 >> u64(8 - bit)) & u64(0xFFFF)) << u64(16)
    near |= u64((above2 >> u64(8 - bit)) & u64(0xFFFF)) << u64(32)
    near |= u64((above3 >> u64(8 - bit)) & u64(0xFFFF)) << u64(48)
    return near


@bare
def code(
    mode: int,  # ENCODE, DECODE, or READ: learn from what is known and code nothing
    first: int,  # where in `buf` to begin; what is before it was read in an earlier call with the same state
    end: int,  # where to stop
    buf: Array,  # uint8: what was read, then the block; decoding fills it
    coded: Array,  # uint8: the coded bits; encoding fills it
    coder: Array,  # int64 (4,): as `nzip.entropy.bounds.begin` makes it
    settings: Array,  # int64 (CFG_SIZE,)
    spec: Array,  # uint64 (7 * contexts,): for each three sources and their masks, and the salt of its hash
    near: Array,  # uint64 (bit contexts,): masks of near bits
    least: Array,  # int64 (matches,): bytes that each match model hashes
    selectors: Array,  # int64 (6 * sets,): what selects, first row, source, shift, mask, by bit or not
    x: Array,  # int32 (inputs,): zeros; starts at a cache line, as `weights` and `slots`
    slots: Array,  # uint8: buckets of 16 bytes; starts at a cache line
    slots64: Array,  # uint64: the same memory
    bitslots: Array,  # uint8 (1 << BIT_BITS,): histories of near bits
    maps: Array,  # uint32 (256 * contexts,): probability 22 bits, count 10 bits
    match_maps: Array,  # uint32 (matches * STRONG_MATCH_CELLS,)
    guess_maps: Array,  # uint32 (GUESS_CELLS,) where there are guesses: as maps
    table: Array,  # uint32 (matches << match bits,): where each match model saw a hash last
    weights: Array,  # int32 (rows * inputs,): 16 fractional bits
    uses: Array,  # int64 (rows,)
    final: Array,  # int32 (FINAL_ROWS * sets,): 16 fractional bits
    sse: Array,  # uint32 (16 * STRONG_SSE_ROWS,): as maps, each xor its knot's start
    knots: Array,  # uint32 (17,): probability and count a knot starts with
    squash: Array,  # int32 (2 * STRETCH_MAX + 1,): 16 bits
    stretch: Array,  # int16 (65536,)
    after: Array,  # uint8 (2 * states,)
    rates: Array,  # int32 (1024,)
    v: Array,  # uint64 (SOURCES,): the sources
    after1: Array,  # uint64 (256,): what followed each byte
    after2: Array,  # uint64 (65536,): what followed each pair of bytes
    after3: Array,  # uint64 (65536,): what followed three bytes, by their hash
    fields: Array,  # uint64 (R_FIELDS,): what is known of rows
    spots: Array,  # uint32 (SPOTS,): where the hash of what led there was seen last
    matched: Array,  # int64 (4 * matches,): of each match: pointer, length, missed, expected
    reached: Array,  # int64 (1,): the byte of `buf` that the kernel is at, for those who show it
) -> None:
    """Encode `buf[first:end]` into `coded`, or decode it, or only learn from it.

    Encoding stops once `coded` is full: the coder then has counted more bytes than there is room for.
    """
    room = i64(coded.shape[0])
    n = i64(spec.shape[0]) // 7
    nb = i64(near.shape[0])
    all_ = n + nb
    matches = i64(least.shape[0])
    sets = i64(selectors.shape[0]) // 6
    inputs = i64(settings[CFG_INPUTS])
    limit = i64(settings[CFG_LIMIT])
    period = i64(settings[CFG_RECORD])
    rate = i64(settings[CFG_RATE])
    final_rate = i64(settings[CFG_FINAL_RATE])
    sse_limit = i64(settings[CFG_SSE_LIMIT])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_bits = i64(settings[CFG_MATCH_BITS])
    recovers = i64(settings[CFG_RECOVERS])
    vectors = inputs >> 4
    loud = i64(settings[CFG_LOUD])
    quiet = i64(settings[CFG_QUIET])
    second_at = all_
    seconds = i64(settings[CFG_SECOND])  # contexts with a second input
    skimmed = i64(settings[CFG_SKIMMED])  # up to here only match models and some histories see what is read
    match_at = all_ + seconds
    guesses = i64(settings[CFG_GUESSES])
    guess_at = match_at + 3 * matches + 1

    hashes = zeros(n, u64)
    places = zeros(n, i64)  # of the buckets to be looked up
    checks = zeros(n, u8)
    found = zeros(all_, i64)  # places of the buckets in use
    cells = zeros(all_, i64)  # in maps
    rows = zeros(sets, i64)
    dots = zeros(sets, i64)
    f_rows = zeros(4, i64)
    f_dots = zeros(4, i64)
    a_cells = zeros(5, i64)
    m_pointer = matched[:matches]
    m_length = matched[matches : 2 * matches]
    m_missed = matched[2 * matches : 3 * matches]
    m_expected = matched[3 * matches :]
    m_grade = zeros(matches, i64)
    m_guess = zeros(matches, i64)
    m_cell = zeros(matches, i64)
    m_cell2 = zeros(matches, i64)
    g_bytes = zeros(guesses, i64)  # that are guessed, + 256; 0 for none
    g_cells = zeros(guesses, i64)  # in guess_maps
    extra = warmth(i64(settings[CFG_RATE_START]), i64(settings[CFG_RATE_FALL]))
    x[u64(match_at + 3 * matches)] = i32(BIAS)

    low, high, window, at = taken(coder)
    seen = i64(0)
    seen8 = i64(0)
    seen16 = i64(0)
    node = i64(1)
    if first > 0:
        renew(v, buf, first, settings, after1, after2, after3, fields, spots)
        follow(v, buf, first, least, m_pointer, m_length, m_missed, m_expected, table, match_bits, recovers)
    address(v, spec, hashes, places, checks, slots, shift)
    if first < skimmed:
        skim(
            first, skimmed, buf, settings, spec, least, hashes, places, checks, found, slots, slots64, after, v, after1,
            after2, after3, fields, spots, m_pointer, m_length, m_missed, m_expected, table, reached,
        )  # fmt: skip
    for pos in range(max(first, skimmed), end):
        reached[0] = pos
        last8 = u64(v[LAST8])
        last = i64(last8 & u64(255))
        longest = i64(-1)  # of the matches there are: what it expects, and its length's class
        expected = i64(0)
        grade = i64(0)
        for m in range(matches):
            if m_length[m] > 0:
                m_grade[m] = grade_of(m_length[m])
                if longest < 0:
                    longest = i64(m)
                    expected = i64(m_expected[m])
                    grade = i64(m_grade[m])
            else:
                m_grade[m] = i64(0)

        for j in range(guesses):
            g_bytes[j] = i64(fields[u64(R_BYTES + j)])
            g_cells[j] = 2 * i64(fields[u64(R_CELLS + j)])
            x[u64(guess_at + 2 * j)] = i32(0)
            x[u64(guess_at + 2 * j + 1)] = i32(0)
        symbol = i64(0)
        if mode != DECODE:
            symbol = i64(buf[u64(pos)])
        pair = i64(u64((last8 & u64(0xFFFF)) * u64(K1)) >> u64(48))
        hashed_by = u64(u64(v[WORD]) + (last8 & u64(255)))  # for the last sse
        beside = last  # for a mixer of the second layer
        if guesses > 0:
            hashed_by = u64(u64(v[ALIGNED]) + u64(u64(v[GUESSES]) << u64(24)))
            beside = i64(v[GUESSES])
        word_hash = i64(u64(hashed_by * u64(K1)) >> u64(48))
        above1 = u64(0)
        above2 = u64(0)
        above3 = u64(0)
        if nb > 0:
            above1 = around(buf, pos, period)
            above2 = around(buf, pos, 2 * period)
            above3 = around(buf, pos, 3 * period)
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
                near_bits = near_of(last8, partial, bit, above1, above2, above3)
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
                    cell = m * STRONG_MATCH_CELLS + i64(m_grade[m]) * 4 + trust_of(i64(m_missed[m]))
                    m_cell[m] = cell
                    p = i64(match_maps[u64(cell)] >> u32(16))
                    x[u64(base)] = i32(for_bit(y, i64(stretch[u64(p)])))
                    x[u64(base + 1)] = i32(for_bit(y, (p - 32768) >> 6))
                    cell = m * STRONG_MATCH_CELLS + 128 + (min(i64(m_grade[m]) >> 3, i64(3)) << 11)
                    cell += ((i64(m_expected[m]) & 255) << 3) + bit
                    m_cell2[m] = cell
                    p = i64(match_maps[u64(cell)] >> u32(16))
                    x[u64(base + 2)] = i32(for_bit(y, i64(stretch[u64(p)])))
                else:
                    x[u64(base)] = i32(0)
                    x[u64(base + 1)] = i32(0)
                    x[u64(base + 2)] = i32(0)

            for j in range(guesses):
                byte = i64(g_bytes[j])
                if byte > 0:
                    base = guess_at + 2 * j
                    if (byte >> (8 - bit)) == partial:
                        y = (byte >> (7 - bit)) & 1
                        p = i64(guess_maps[u64(i64(g_cells[j]) + (bit >> 2))] >> u32(16))
                        x[u64(base)] = i32(for_bit(y, i64(stretch[u64(p)])))
                        x[u64(base + 1)] = i32(for_bit(y, (p - 32768) >> 6))
                    else:
                        g_bytes[j] = 0
                        x[u64(base)] = i32(0)
                        x[u64(base + 1)] = i32(0)

            # ---- mix
            prefetch(sse, (SSE_LAST + (last << 8) + partial) << 4)
            for k in range(sets):
                selector = i64(selectors[k])
                if selector == SOURCE:
                    row = row_by_source(selectors, sets, k, v, bit)
                elif selector == PARTIAL:
                    row = partial
                elif selector == MATCH:
                    row = row_by_match(seen8, bit, guess, grade)
                else:
                    row = i64(near_bits & u64(3)) | i64((near_bits >> u64(19)) & u64(0x7C))
                    row |= i64((near_bits >> u64(31)) & u64(0x380))
                row += i64(selectors[sets + k])
                rows[k] = row
                start = row * inputs
                dots[k] = bounded(i64(dot(x, weights, start, vectors)) >> 8)
            f_rows[0] = partial * sets
            f_rows[1] = (FINAL_LAST + beside) * sets
            f_row = seen16
            if guess >= 0:
                f_row += ((grade >> 3) + 1) * 16
            f_rows[2] = (FINAL_MATCH + f_row) * sets
            f_rows[3] = (FINAL_SHAPE + (i64(u64(v[SHAPE]) & u64(4095)) << 3) + bit) * sets
            mixed = i64(0)
            for f in range(4):
                start = i64(f_rows[f])
                total = i64(0)
                for k in range(sets):
                    total += i64(dots[k]) * i64(final[u64(start + k)])
                f_dots[f] = bounded(total >> 16)
                mixed += i64(f_dots[f])
            mixed >>= 2
            p_mixed = squashed(mixed, squash)

            # ---- sse
            spot = spot_of(mixed)
            knot = spot >> 8
            part = spot & 255
            start0 = u32(knots[u64(knot)])
            start1 = u32(knots[u64(knot + 1)])
            a_cells[0] = (partial << 4) + knot
            a_cells[1] = ((SSE_LAST + (last << 8) + partial) << 4) + knot
            a_cells[2] = ((SSE_PAIR + (row_of(pair, partial) & 0xFFFF)) << 4) + knot
            if guess >= 0:
                a_cells[3] = ((SSE_EXPECTED + ((expected & 255) << 8) + partial) << 4) + knot
            else:
                a_cells[3] = ((SSE_EXPECTED + partial) << 4) + knot
            a_cells[4] = ((STRONG_SSE_WORD + (row_of(word_hash, partial) & 0xFFFF)) << 4) + knot
            q0 = between(sse, i64(a_cells[0]), start0, start1, part)
            q1 = between(sse, i64(a_cells[1]), start0, start1, part)
            q2 = between(sse, i64(a_cells[2]), start0, start1, part)
            q3 = between(sse, i64(a_cells[3]), start0, start1, part)
            q4 = between(sse, i64(a_cells[4]), start0, start1, part)
            p1 = (4 * p_mixed + q0 + 2 * q1 + 3 * q2 + 3 * q3 + 3 * q4 + 8) >> 4
            p1 = max(min(p1, i64(65535)), i64(1))

            # ---- code
            y = (symbol >> (7 - bit)) & 1
            if mode == DECODE:
                y, low, high, window, at = decode_step(low, high, window, at, coded, p1)
            elif mode != READ:
                low, high, at = encode_step(low, high, at, coded, y, p1)

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
                if pos + 1 < end:
                    renew(v, buf, pos + 1, settings, after1, after2, after3, fields, spots)
                    follow(
                        v, buf, pos + 1, least, m_pointer, m_length, m_missed, m_expected, table, match_bits, recovers,
                    )  # fmt: skip
                    address(v, spec, hashes, places, checks, slots, shift)

            if ((65536 - p1) if y else p1) > STRONG_SURE:
                for f in range(4):
                    start = i64(f_rows[f])
                    error = error_of(y, squashed(i64(f_dots[f]), squash), final_rate)
                    for k in range(sets):
                        w = start + k
                        changed = i64(final[u64(w)]) + ((i64(dots[k]) * error + 0x2000) >> 14)
                        final[u64(w)] = i32(max(min(changed, i64(WEIGHT_MAX)), i64(-WEIGHT_MAX)))
                # Loud inputs teach less at a time.
                power = i64(dot(x, x, i64(0), vectors))
                scale = ((loud + quiet) << 16) // ((power >> 8) + quiet)
                for k in range(sets):
                    row = i64(rows[k])
                    step = (warmed(uses, row, rate, extra) * scale) >> 16
                    e = i32(error_of(y, squashed(i64(dots[k]), squash), step))
                    if e > SMALL_ERROR or e < -SMALL_ERROR:
                        train(x, weights, row * inputs, vectors, e)
                target = y * 4194303
                for i in range(all_):
                    learn(maps, i64(cells[i]), target, limit, rates)
                for m in range(matches):
                    if m_guess[m] >= 0:
                        right = i64(4194303) if m_guess[m] == y else i64(0)
                        learn(match_maps, i64(m_cell[m]), right, i64(1022), rates)
                        learn(match_maps, i64(m_cell2[m]), right, i64(1022), rates)
                for j in range(guesses):
                    if g_bytes[j] > 0:
                        right = i64(4194303) if ((i64(g_bytes[j]) >> (7 - bit)) & 1) == y else i64(0)
                        learn(guess_maps, i64(g_cells[j]) + (bit >> 2), right, i64(1022), rates)
                upper = i64(part >= 128)
                start0 = start1 if upper else start0
                for k in range(5):
                    refine(sse, i64(a_cells[k]) + upper, start0, target, sse_limit, rates)
            partial = grown
            node = (node << 1) | y
        if mode != DECODE and at > room:
            break

    put_back(coder, low, high, window, at)
