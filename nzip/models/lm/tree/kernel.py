"""The kernel that codes tokens as decisions of the vocabulary tree, and the components that it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from nzip.entropy.integers import Array, i32, i64, u8, u32, u64, width
from nzip.entropy.jit import inlined, kernel
from nzip.models.cm.components.vectors import dot16, train16
from nzip.models.lm.tree.adapter import feature, learn, lift, recall, remember, through
from nzip.models.lm.tree.layout import (
    AT,
    BIAS,
    BY_NODE,
    BYTES,
    C_B1,
    C_B3,
    C_B6,
    C_BEFORE,
    C_COLUMN,
    C_GAP,
    C_SKIP,
    C_T1,
    C_T2,
    C_T3,
    C_T4,
    C_TOP,
    C_TOP1,
    C_TOP2,
    C_WORD,
    C_WORDS,
    CFG_ADAPT_FALL,
    CFG_ADAPT_RATE,
    CFG_ADAPT_START,
    CFG_BITS,
    CFG_CONTEXTS,
    CFG_DOUBT,
    CFG_FINAL_RATE,
    CFG_LIMIT,
    CFG_MATCH_BITS,
    CFG_PARTS,
    CFG_PROOF_MAX,
    CFG_RATE,
    CFG_RATE_FALL,
    CFG_RATE_START,
    CFG_REFINE_LIMIT,
    CFG_ROOT,
    CFG_SETS,
    CFG_SHARP,
    CFG_TOKEN_RATE,
    COLUMN,
    COLUMNS,
    CONTEXTS,
    DECODE,
    DELTA,
    DELTA_MAX,
    ESCAPED,
    HISTORY,
    HISTORY_CELLS,
    HITS,
    IDLE,
    INPUTS,
    K1,
    K2,
    K3,
    K4,
    K5,
    KNOT_BITS,
    KNOTS,
    LAST8,
    LEN,
    LENGTH_MAX,
    LOW,
    MATCH,
    MATCHES,
    MISSED,
    MIX,
    MULT_LEAST,
    MULT_MOST,
    P_BITS,
    P_ONE,
    PTR,
    READ,
    REFINE,
    REFINE_ROWS,
    RNG,
    SET_ROWS,
    SETS,
    STRETCH_MAX,
    T1,
    TOKENS,
    VERIFY,
    WORD,
    WORD1,
    X_BIAS,
    X_DELTA,
    X_HISTORY,
    X_MATCH,
    X_MODEL,
)  # fmt: skip


@kernel
def log(x: int, logs: Array) -> Any:
    """Return ln(2 x) * 2^16, from the 11 highest bits of x (1 or more)."""
    digits = width(i64(x))
    f = x >> (digits - 11) if digits > 11 else x << (11 - digits)
    return digits * i64(logs[1024]) + i64(logs[u64(f - 1024)])


@kernel
def stretched(n1: int, n0: int, logs: Array) -> Any:
    """Return ln(n1 / n0) in the stretch domain."""
    return max(min((log(n1, logs) - log(n0, logs)) >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX))


@kernel
def squashed(x: int, squash: Array) -> Any:
    """Return the probability (22 bits) of x, which may lie outside the stretch domain."""
    return i64(squash[u64(max(min(x, i64(STRETCH_MAX)), i64(-STRETCH_MAX)) + STRETCH_MAX)])


@kernel
def between(maps: Array, cell: int, part: int) -> Any:
    """Return the probability (22 bits) that is `part` / 512 of the way from `cell` to the next."""
    return (i64(maps[u64(cell)] >> u32(10)) * (512 - part) + i64(maps[u64(cell + 1)] >> u32(10)) * part) >> 9


@kernel
def adapt(maps: Array, cell: int, target: int, limit: int, rates: Array) -> None:
    """Move a cell (probability 22 bits, count 10 bits) towards `target`, 0 or 2^22 - 1."""
    old = u32(maps[u64(cell)])
    count = i64(old & u32(1023))
    p = i64(old >> u32(10))
    p += ((target - p) * i64(rates[u64(count)])) >> 16
    maps[u64(cell)] = u32((p << 10) | (count + i64(count < limit)))


@kernel
def mixed64(x: int) -> Any:
    """Return a hash of x."""
    t = u64(u64(x) * u64(K3))
    t = u64(u64(t ^ (t >> u64(29))) * u64(K1))
    return u64(t ^ (t >> u64(32)))


@kernel
def grade(n: int) -> Any:
    """Return the class, 0..15, of a match of n bytes."""
    if n < 16:
        return n >> 1
    if n < 32:
        return 8 + ((n - 16) >> 2)
    return min(12 + ((n - 32) >> 5), i64(15))


@kernel
def letter(c: int) -> Any:
    """Return a byte that words are made of, in lower case, or 0."""
    if c >= 128 or 97 <= c <= 122:
        return c
    if 65 <= c <= 90:
        return c + 32
    return i64(0)


@kernel
def carry(coded: Array, s: int, at: int) -> None:
    """Add one to the number that the bytes coded[s, :at] are."""
    i = at - 1
    while i > 0 and coded[u64(s), u64(i)] == 255:
        coded[u64(s), u64(i)] = 0
        i -= 1
    coded[u64(s), u64(i)] = u8(i64(coded[u64(s), u64(i)]) + 1)


@kernel
def step(mode: int, coded: Array, s: int, size: int, w: Array, y: int, p1: int) -> Any:
    """Code one decision: the bit y, or the bit that is read and returned. p1: its chance to be 1, 22 bits.

    size: bytes of coded[s] that are there (decoding), or room (encoding; what does not fit is only counted).
    """
    if mode == READ:
        return y
    low = u64(w[LOW])
    rng = u64(w[RNG])
    at = i64(w[AT])
    bound = u64(u64(rng * u64(p1)) >> u64(P_BITS))
    if mode == DECODE:
        y = i64(low < bound)
    if y > 0:
        rng = bound
    else:
        rng = u64(rng - bound)
        if mode == DECODE:
            low = u64(low - bound)
        else:
            low = u64(low + bound)
            if low >> u64(32):
                if at <= size:
                    carry(coded, s, at)
                low = u64(low & u64(0xFFFFFFFF))
    while rng < u64(1 << 24):
        if mode == DECODE:
            low = u64(low << u64(8))
            if at < size:
                low = u64(low | u64(coded[u64(s), u64(at)]))
        else:
            if at < size:
                coded[u64(s), u64(at)] = u8(low >> u64(24))
            low = u64((low & u64(0xFFFFFF)) << u64(8))
        at += 1
        rng = u64(rng << u64(8))
    w[LOW] = low
    w[RNG] = rng
    w[AT] = u64(at)
    return y


@kernel
def scale(given: Array, mult: Array, tokens: int, size: int, row: Array) -> None:
    """Fill `row` with the frequencies, with the bias of each token when `tokens` is not 0."""
    if tokens > 0:
        for i in range(size):
            f = u64(u64(u64(given[u64(i)]) * u64(mult[u64(i)])) >> u64(16))
            row[u64(i)] = u32(max(f, u64(1)))
    else:
        for i in range(size):
            row[u64(i)] = given[u64(i)]


@kernel
def sums(row: Array, size: int, blocks: Array) -> Any:
    """Fill blocks[k] with the sum of row[:64 k]; return the sum of row[:size] and the first place of its greatest."""
    count = (size + 63) >> 6
    total = u32(0)
    best = u32(0)
    where = i64(0)
    for k in range(count):
        blocks[u64(k)] = total
        part = u32(0)
        most = u32(0)
        for i in range(k << 6, min((k << 6) + 64, size)):
            f = u32(row[u64(i)])
            part = u32(part + f)
            most = max(most, f)
        total = u32(total + part)
        if most > best:
            best = most
            where = i64(k)
    blocks[u64(count)] = total
    top = where << 6
    while u32(row[u64(top)]) != best:
        top += 1
    return total, top


@kernel
def below(row: Array, blocks: Array, rank: int) -> Any:
    """Return the sum of row[:rank]."""
    total = u32(blocks[u64(rank >> 6)])
    for i in range((rank >> 6) << 6, rank):
        total = u32(total + u32(row[u64(i)]))
    return i64(total)


@kernel
def learn_token(mult: Array, row: Array, blocks: Array, size: int, total: int, rank: int, rate: int) -> None:
    """Make the token that came likelier, and those likelier than 2^-10 less likely, by the gradient of its cost."""
    least = total >> 10
    for b in range((size + 63) >> 6):
        if i64(blocks[u64(b + 1)]) - i64(blocks[u64(b)]) >= least:
            for i in range(b << 6, min((b << 6) + 64, size)):
                f = i64(row[u64(i)])
                if f >= least:
                    m = i64(mult[u64(i)])
                    mult[u64(i)] = u32(max(m - ((m * ((f << 12) // total) * rate) >> 24), i64(MULT_LEAST)))
    m = i64(mult[u64(rank)])
    mult[u64(rank)] = u32(min(m + ((m * rate) >> 12), i64(MULT_MOST)))


# ---- components of `code` --------------------------------------------------------------------------------------------


@kernel
def escape(
    mode: int, coded: Array, s: int, room: int, w: Array, target: int, size: int, escapes: Array, rates: Array
) -> Any:
    """Code whether a byte comes that no token has, and which; return its rank, or -1 for a token."""
    cell = i64(w[ESCAPED])
    y = step(mode, coded, s, room, w, i64(target >= size), max(i64(escapes[u64(cell)] >> u32(10)), i64(1)))
    adapt(escapes, cell, y * (P_ONE - 1), i64(30), rates)
    w[ESCAPED] = u64(y)
    if y == 0:
        return i64(-1)
    partial = i64(1)
    for bit in range(8):
        y = ((target - size) >> (7 - bit)) & 1
        y = step(mode, coded, s, room, w, y, max(i64(escapes[u64(2 + partial)] >> u32(10)), i64(1)))
        adapt(escapes, 2 + partial, y * (P_ONE - 1), i64(30), rates)
        partial = (partial << 1) | y
    return size + (partial & 255)


@kernel
def token_hashes(w: Array, top: int, hashes: Array) -> None:
    """Fill in the hashes that hold for all decisions of a token."""
    t1 = u64(w[T1])
    t2 = u64(w[T1 + 1])
    hashes[C_T1] = mixed64(u64(t1 + u64(1)))
    hashes[C_T2] = mixed64(u64(u64(hashes[C_T1]) + t2))
    hashes[C_T3] = mixed64(u64(u64(hashes[C_T2]) + u64(w[T1 + 2])))
    hashes[C_T4] = mixed64(u64(u64(hashes[C_T3]) + u64(w[T1 + 3])))
    hashes[C_SKIP] = mixed64(u64(t2 + u64(1 << 32)))
    hashes[C_COLUMN] = mixed64(u64(min(u64(w[COLUMN]), u64(COLUMNS)) + u64(3 << 32)))
    hashes[C_TOP] = mixed64(u64(u64(top) + u64(2 << 32)))
    hashes[C_TOP1] = mixed64(u64(u64(hashes[C_TOP]) + t1))
    hashes[C_TOP2] = mixed64(u64(u64(hashes[C_TOP1]) + t2))


@kernel
def find_match(
    m: int, w: Array, v: Array, pos: int, base: int, capacity: int, streams: int, match_bits: int, hist: Array,
    table: Array,
) -> Any:  # fmt: skip
    """Look for a match where there is none; return whether there is one now, and where its next byte is."""
    n = i64(w[u64(LEN + m)])
    p = i64(w[u64(PTR + m)])
    need = i64(24) >> m
    if pos >= need:
        h = u64(0)
        for q in range(base + pos - need, base + pos):
            h = u64(u64(h + u64(hist[u64(q)]) + u64(1)) * u64(K5))
        e = (i64(m) << match_bits) + i64(mixed64(h) >> u64(64 - match_bits))
        if n == 0:
            p = i64(table[u64(e)])
            if p > 0:
                room_back = min(min(p % capacity, pos), i64(VERIFY))
                while n < room_back and hist[u64(p - n - 1)] == hist[u64(base + pos - n - 1)]:
                    n += 1
                if n < need:
                    n = i64(0)
        table[u64(e)] = u32(base + pos)
    w[u64(LEN + m)] = u64(n)
    w[u64(PTR + m)] = u64(p)
    other = p // capacity
    return i64(n > 0 and other < streams and p < other * capacity + i64(v[u64(other), BYTES])), p


@kernel
def follow_match(m: int, w: Array, v: Array, old: int, pos: int, base: int, capacity: int, hist: Array) -> None:
    """Take a match along the bytes hist[base + old : base + pos] of a token, or end it."""
    n = i64(w[u64(LEN + m)])
    if n > 0:
        p = i64(w[u64(PTR + m)])
        other = p // capacity
        end = other * capacity + i64(v[u64(other), BYTES])
        j = i64(0)
        while j < pos - old and p + j < end and hist[u64(p + j)] == hist[u64(base + old + j)]:
            j += 1
        if j == pos - old:
            w[u64(LEN + m)] = u64(min(n + j, i64(LENGTH_MAX)))
            w[u64(PTR + m)] = u64(p + j)
            w[u64(MISSED + m)] = u64(w[u64(MISSED + m)]) >> u64(1)
        else:
            w[u64(LEN + m)] = u64(0)
            w[u64(MISSED + m)] = u64(3)


@kernel
def sureness(first: int, total: int) -> Any:
    """Return the class, 0..7, of the language model's first guess."""
    sure = i64(0)
    if first * 10 <= total * 9:
        sure = i64(1)
        while sure < 7 and (first << sure) < total:
            sure += 1
    return sure


@inlined
def found_slot(slots: Array, h: int, shift: int) -> Any:
    """Return the place of the slot for a hash; it is made where there is none."""
    place = i64(h >> shift)
    check = u64((h >> u64(12)) & u64(255))
    e = u64(slots[u64(place)])
    if e == u64(0) or u64((e >> u64(8)) & u64(255)) != check:
        beside = u64(slots[u64(place ^ 1)])
        if beside != u64(0) and u64((beside >> u64(8)) & u64(255)) == check:
            place ^= 1
        else:
            # A lower state has seen fewer bits: that one is given up.
            if u64(beside & u64(255)) < u64(e & u64(255)):
                place ^= 1
            slots[u64(place)] = u64(u64(1 << 63) | u64(check << u64(8)))
    return place


@inlined
def guessed(p: int, k: int, partial: int, begins: Array, hist: Array) -> Any:
    """Return the bit that a match whose next byte is hist[p] expects of a decision of kind k; -1 for none."""
    guess = i64(-1)
    if k == 0:
        guess = 1 - i64(begins[u64(p)])
    elif k < 9:
        e9 = i64(hist[u64(p)]) | 256
        if (e9 >> (9 - k)) == partial:
            guess = (e9 >> (8 - k)) & 1
    return guess


@inlined
def learned(e: int, model: int, y: int, delta: int, doubt: int, proof_max: int, state: int, squash: Array) -> Any:
    """Return the slot e after the bit y: its correction of the model's odds, how well that is proved, its state."""
    c = i64(e >> u64(32)) - (1 << 31)
    proof = i64((e >> u64(16)) & u64(0xFFFF))
    if delta > 0:
        p = squashed(model + (c >> 8), squash)
        c += (((y << P_BITS) - p) * 16) // (doubt + proof)
        c = max(min(c, i64(DELTA_MAX)), i64(-DELTA_MAX))
        proof = min(proof + ((p * (P_ONE - p)) >> 34), proof_max)
    return u64(u64(u64(c + (1 << 31)) << u64(32)) | u64(u64(proof) << u64(16)) | u64(e & u64(0xFF00)) | state)


@inlined
def weighed(x: Array, weights: Array, row_of: Array, sets: int, final: Array, from_final: int, dots: Array) -> Any:
    """Return the inputs x mixed by the rows of weights that are chosen, and those mixed again; fill in `dots`."""
    total = i64(0)
    for j in range(SETS):
        if (sets >> j) & 1:
            o = (row_of[j] + j * SET_ROWS) * INPUTS
            acc = i64(0)
            for lane in range(0, INPUTS, 16):
                acc += i64(dot16(x, weights, lane, o + lane))
            dots[j] = max(min(acc >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
            total += i64(dots[j]) * i64(final[u64(from_final + j)])
    return max(min(total >> 16, i64(STRETCH_MAX)), i64(-STRETCH_MAX))


@inlined
def teach(
    x: Array, weights: Array, uses: Array, row_of: Array, sets: int, final: Array, from_final: int, dots: Array, y: int,
    p_mix: int, final_rate: int, rate: int, rate_start: int, rate_fall: int, squash: Array,
) -> None:  # fmt: skip
    """Move all weights that took part along the gradient of the cost of the bit y."""
    error = ((y << P_BITS) - p_mix) >> 6
    for j in range(SETS):
        if (sets >> j) & 1:
            f = from_final + j
            dot = i64(dots[j])
            final[u64(f)] = i64(final[u64(f)]) + ((dot * error * final_rate + (1 << 23)) >> 24)
            r = i64(row_of[j]) + j * SET_ROWS
            used = i64(uses[u64(r)])
            uses[u64(r)] = used + 1
            pace = rate + rate_start * rate_fall // (rate_fall + used)
            e32 = ((((y << P_BITS) - squashed(dot, squash)) >> 6) * pace) >> 10
            for lane in range(0, INPUTS, 16):
                train16(x, weights, lane, r * INPUTS + lane, i32(e32))


@kernel
def take_byte(w: Array, c: int) -> None:
    """Take a byte into a stream's last bytes, words and column."""
    w[COLUMN] = u64(i64(w[COLUMN]) + 1) if c != 10 else u64(0)
    w[LAST8] = u64((u64(w[LAST8]) << u64(8)) | u64(c))
    word = u64(w[WORD])
    if letter(c) > 0:
        w[WORD] = u64(u64(word + u64(letter(c))) * u64(K5))
    elif word != u64(0):
        w[WORD1] = word
        w[WORD] = u64(0)


@kernel
def code(
    mode: int,
    rows: Array,  # uint32 (T, S, V): frequencies by rank; what stands behind rank R - 1 is not looked at
    ranks: Array,  # int32 (T, S): ranks, R + byte for an escape, IDLE; decoding fills in all that are not IDLE
    coded: Array,  # uint8 (S, room): the coded bits; encoding fills it
    sizes: Array,  # int64 (S,): bytes that are in coded (decoding) or have room there (encoding)
    settings: Array,  # int64 (CFG_SIZE,)
    left: Array,  # int32 (R,): by decision: the next one, or minus the rank
    right: Array,  # int32 (R,)
    kind: Array,  # uint8 (R,): 0 the end, 1..8 a bit, 9 between tokens of the same bytes
    depth: Array,  # int32 (R,): bytes of the token that are known
    text: Array,  # uint8: the bytes of all tokens
    start: Array,  # int64 (R + 1,): where in `text` a token begins
    escapes: Array,  # uint32 (2 + 256,): whether an escape comes, then its byte; empty if every byte has a token
    v: Array,  # uint64 (S, VARS)
    hist: Array,  # uint8 (S * capacity,): the bytes of all streams, at least one less than capacity each
    begins: Array,  # uint8 (S * capacity,): 1 where a token begins
    slots: Array,  # uint64 (1 << bits,): correction + 2^31, 32 bits; proof, 16; check, 8; bit history, 8
    maps: Array,  # uint32 (CONTEXTS * HISTORY_CELLS + MATCHES * MATCH_CELLS,): probability 22 bits, count 10 bits
    table: Array,  # uint32 (MATCHES << match bits,): where a hash was seen last
    weights: Array,  # int32 (SETS * SET_ROWS * INPUTS,): 16 fractional bits
    uses: Array,  # int64 (SETS * SET_ROWS,)
    final: Array,  # int32 (FINALS * SETS,): 16 fractional bits
    refined: Array,  # uint32 (KNOTS * (R + 2 * REFINE_ROWS),): as maps
    mult: Array,  # uint32 (R,): what frequencies are multiplied with, 16 fractional bits
    squash: Array,  # int32 (2 * STRETCH_MAX + 1,): 22 bits
    logs: Array,  # int32 (1025,): ln(1 + f / 1024), 16 fractional bits
    after: Array,  # uint8 (2 * states,)
    rates: Array,  # int32 (1024,)
    hidden: Array,  # int16 (T, S, D): what the model's head is multiplied by; D is 0 where nothing is adapted
    seen: Array,  # int64 (1,): tokens that the adapter has learned from
    mean: Array,  # int32 (D,)
    square: Array,  # int64 (D,)
    adapted: Array,  # int32 (D, D)
    head: Array,  # int8 (R or more, D)
    head_scales: Array,  # int32 (R or more,)
    exps: Array,  # int32 (2 * LIFT_MAX + 1,)
    keys: Array,  # int8 (N, D): remembered hidden states; N is 0 where none are
    followed: Array,  # int32 (N,): the ranks that came after them
    trust: Array,  # int64 (BUCKETS * SURE, 2): weight of what is recalled, 22 bits, and count
    fades: Array,  # int32: 2^24 exp(-i / 256)
) -> None:
    """Code a run of steps of all streams."""
    streams = i64(rows.shape[1])
    size = i64(left.shape[0])
    capacity = i64(hist.shape[0]) // streams
    parts = i64(settings[CFG_PARTS])
    wanted = i64(settings[CFG_CONTEXTS])
    sets = i64(settings[CFG_SETS])
    shift = u64(64 - i64(settings[CFG_BITS]))
    match_bits = i64(settings[CFG_MATCH_BITS])
    rate = i64(settings[CFG_RATE])
    rate_start = i64(settings[CFG_RATE_START])
    rate_fall = i64(settings[CFG_RATE_FALL])
    limit = i64(settings[CFG_LIMIT])
    final_rate = i64(settings[CFG_FINAL_RATE])
    refine_limit = i64(settings[CFG_REFINE_LIMIT])
    doubt = i64(settings[CFG_DOUBT])
    proof_max = i64(settings[CFG_PROOF_MAX])
    mixing = parts & MIX
    history = parts & HISTORY
    delta = parts & DELTA
    matching = parts & MATCH
    refine = parts & REFINE
    tokens = parts & TOKENS
    match_base = CONTEXTS * HISTORY_CELLS

    blocks = np.zeros(((size + 63) >> 6) + 1, np.uint32)
    row = np.zeros(size, np.uint32)
    hashes = np.zeros(CONTEXTS, np.uint64)
    places = np.zeros(CONTEXTS, np.int64)
    entries = np.zeros(CONTEXTS, np.uint64)
    cells = np.zeros(CONTEXTS + MATCHES, np.int64)
    alive = np.zeros(MATCHES, np.int64)  # whether a match agrees with the token so far
    there = np.zeros(MATCHES, np.int64)  # the byte that it expects next
    guesses = np.zeros(MATCHES, np.int64)
    x = np.zeros(INPUTS, np.int32)
    row_of = np.zeros(SETS, np.int64)
    dots = np.zeros(SETS, np.int64)
    depth_h = i64(hidden.shape[2])
    said = np.zeros(depth_h, np.int32)
    raw = np.zeros(depth_h, np.int32)
    moves = np.zeros(depth_h, np.int32)
    slope = np.zeros(depth_h, np.int32)
    picked = np.zeros(1 << 13 if depth_h > 0 else 0, np.int32)
    moved = i64(0)
    lifted = np.zeros(picked.shape[0], np.int64)
    own_total = i64(0)
    many = i64(0)
    bucket = i64(0)
    short = np.zeros(depth_h, np.int8)
    alike = np.zeros(keys.shape[0], np.int32)
    touched = np.zeros(keys.shape[0], np.int32)
    mass = np.zeros(size if keys.shape[0] > 0 else 0, np.int64)
    x[X_BIAS] = BIAS

    for t in range(rows.shape[0]):
        for s in range(streams):
            target = i64(ranks[t, s])
            if target == IDLE:
                continue
            w = v[s]
            room = i64(sizes[s])
            pos = i64(w[BYTES])
            base = i64(s) * capacity
            rank = i64(-1)

            # ---- a byte that no token has
            if escapes.shape[0] > 0:
                rank = escape(mode, coded, s, room, w, target, size, escapes, rates)

            top = i64(0)
            total = u32(0)
            if rank < 0:
                scale(rows[t, s], mult, tokens, size, row)
                total, top = sums(row, size, blocks)
                if depth_h > 0:
                    feature(hidden[t, s], mean, square, i64(seen[0]), raw, said)
                    through(adapted, said, moves, slope)
                    moved = lift(
                        row, blocks, size, i64(total), head, head_scales, moves, exps, rows[t, s], picked, lifted
                    )
                    total, top = sums(row, size, blocks)
                    own_total = i64(total)
                    if keys.shape[0] > 0:
                        many, bucket = recall(
                            said, keys, followed, i64(seen[0]), short, alike, fades, mass, touched, row, own_total,
                            i64(row[u64(top)]), i64(settings[CFG_SHARP]), trust,
                        )  # fmt: skip
                        total, top = sums(row, size, blocks)

            # ---- what is known before the token
            if mixing > 0:
                token_hashes(w, i64(top), hashes)
                for m in range(MATCHES):
                    alive[m], there[m] = find_match(m, w, v, pos, base, capacity, streams, match_bits, hist, table)
            sure = i64(0)
            if mixing > 0 and rank < 0:
                sure = sureness(i64(row[u64(top)]), i64(total))
            hits = i64(w[HITS] & u64(15))

            # ---- the decisions
            last8 = u64(w[LAST8])
            word = u64(w[WORD])
            word1 = u64(w[WORD1])
            known = i64(-1)
            low_sum = i64(0)
            high_sum = i64(total)
            node = i64(settings[CFG_ROOT]) if rank < 0 else i64(0)
            while node > 0:
                middle_sum = below(row, blocks, node)
                model = stretched(high_sum - middle_sum, middle_sum - low_sum, logs)
                mix = model
                p_mix = squashed(mix, squash)
                p1 = p_mix
                k = i64(kind[u64(node)])
                if mixing > 0:
                    # ---- contexts of bytes
                    d = i64(depth[u64(node)])
                    at_byte = i64(start[u64(node)])
                    if d != known:
                        for j in range(max(known, i64(0)), d):
                            c = i64(text[u64(at_byte + j)])
                            last8 = u64((last8 << u64(8)) | u64(c))
                            if letter(c) > 0:
                                word = u64(u64(word + u64(letter(c))) * u64(K5))
                            elif word != u64(0):
                                word1 = word
                                word = u64(0)
                            for m in range(MATCHES):
                                if alive[m] > 0:
                                    p = i64(there[m])
                                    other = p // capacity
                                    there[m] = p + 1
                                    alive[m] = i64(
                                        i64(hist[u64(p)]) == c
                                        and p + 1 < other * capacity + i64(v[u64(other), BYTES])
                                    )
                        known = d
                        for n in range(6):
                            hashes[C_B1 + n] = mixed64(u64(u64(last8 << u64(56 - 8 * n)) + u64(n)))
                        hashes[C_WORD] = mixed64(u64(word + u64(last8 & u64(255))))
                        hashes[C_WORDS] = mixed64(u64(word + u64(word1 * u64(K2))))
                        hashes[C_GAP] = mixed64(u64(last8 & u64(0xFFFF00)))
                        hashes[C_BEFORE] = mixed64(u64(u64(word1 * u64(K4)) + u64(last8 & u64(255))))
                    partial = i64(0)
                    if k == 9:
                        partial = i64(257)
                    elif k > 0:
                        partial = (i64(text[u64(at_byte + d)]) | 256) >> (9 - k)
                    class3 = min(k, i64(2))
                    spot = model + STRETCH_MAX + 1
                    knot = spot >> KNOT_BITS
                    part = spot & 511
                    seen_tokens = i64(0)
                    seen_bytes = i64(0)
                    for i in range(CONTEXTS):
                        if (wanted >> i) & 1:
                            key = u64(node) if i < BY_NODE else u64(partial + (1 << 20))
                            h = mixed64(u64(u64(hashes[i]) ^ u64(u64(key + u64(i << 24)) * u64(K4))))
                            place = found_slot(slots, h, shift)
                            e = u64(slots[u64(place)])
                            places[i] = place
                            entries[i] = e
                            state = i64(e & u64(255))
                            if state > 0:
                                if C_T1 <= i <= C_T4:
                                    seen_tokens = i64(i)
                                elif C_B3 <= i <= C_B6:
                                    seen_bytes = i64(i - C_B3 + 1)
                            if history > 0:
                                cell = (i * 256 + state) * KNOTS + knot
                                p = between(maps, cell, part)
                                cells[i] = cell + (part >> 8)
                                x[u64(X_HISTORY + i)] = stretched(p + 1, P_ONE - p, logs) - model
                            if delta > 0:
                                x[u64(X_DELTA + i)] = (i64(e >> u64(32)) - (1 << 31)) >> 8
                    agree = i64(0)
                    for m in range(MATCHES):
                        x[u64(X_MATCH + m)] = 0
                        guess = i64(-1)
                        if alive[m] > 0 and matching > 0:
                            guess = guessed(i64(there[m]), k, partial, begins, hist)
                            if guess < 0 and k > 0 and k < 9:
                                alive[m] = 0
                        guesses[m] = guess
                        if guess >= 0:
                            own = model if guess > 0 else -model
                            spot = own + STRETCH_MAX + 1
                            g = grade(i64(w[LEN + m]))
                            missed = i64(w[MISSED + m])
                            cell = match_base + (((m * 16 + g) * 4 + missed) * 3 + class3) * KNOTS + (spot >> KNOT_BITS)
                            p = between(maps, cell, spot & 511)
                            cells[CONTEXTS + m] = cell + ((spot & 511) >> 8)
                            own = stretched(p + 1, P_ONE - p, logs) - own
                            x[u64(X_MATCH + m)] = own if guess > 0 else -own
                            if agree == 0:
                                agree = 1 + (g >> 2) * 2 + i64((guess > 0) == (model > 0)) + 8 * i64(m)
                    x[X_MODEL] = model

                    # ---- mix
                    certain = abs(model) >> 8
                    row_of[0] = class3 * 16 + certain
                    row_of[1] = agree * 3 + class3
                    row_of[2] = (seen_tokens * 5 + seen_bytes) * 3 + class3
                    row_of[3] = (sure * 16 + hits) * 2 + i64(k == 0)
                    row_of[4] = min(d, i64(7)) * 10 + k
                    row_of[5] = i64(last8 & u64(255)) * 3 + class3
                    from_final = (class3 * 16 + certain) * SETS
                    mix = weighed(x, weights, row_of, sets, final, from_final, dots)
                    p_mix = squashed(mix, squash)
                    p1 = p_mix

                    # ---- refine
                    r0 = i64(0)
                    r1 = i64(0)
                    r2 = i64(0)
                    if refine > 0:
                        spot = mix + STRETCH_MAX + 1
                        part = spot & 511
                        r0 = node * KNOTS + (spot >> KNOT_BITS)
                        h = mixed64(u64(u64(u64(last8 & u64(255)) << u64(32)) + u64(partial)))
                        r1 = (size + i64(h >> u64(48))) * KNOTS + (spot >> KNOT_BITS)
                        h = mixed64(u64(u64(u64(w[T1]) << u64(32)) + u64(node)))
                        r2 = (size + REFINE_ROWS + i64(h >> u64(48))) * KNOTS + (spot >> KNOT_BITS)
                        q = between(refined, r0, part) + between(refined, r1, part) + between(refined, r2, part)
                        p1 = (5 * p_mix + q + 4) >> 3
                        r0 += part >> 8
                        r1 += part >> 8
                        r2 += part >> 8
                p1 = max(min(p1, i64(P_ONE - 1)), i64(1))

                y = step(mode, coded, s, room, w, i64(target >= node), p1)

                # ---- learn
                if mixing > 0:
                    goal = y * (P_ONE - 1)
                    for i in range(CONTEXTS):
                        if (wanted >> i) & 1:
                            e = u64(entries[i])
                            state = i64(e & u64(255))
                            if history > 0:
                                adapt(maps, i64(cells[i]), goal, limit, rates)
                            slots[u64(places[i])] = learned(
                                e, model, y, delta, doubt, proof_max, u64(after[u64(2 * state + y)]), squash
                            )
                    for m in range(MATCHES):
                        guess = i64(guesses[m])
                        if guess >= 0:
                            right_guess = i64(P_ONE - 1) if guess == y else i64(0)
                            adapt(maps, i64(cells[CONTEXTS + m]), right_guess, limit, rates)
                            if guess != y and k > 0:
                                alive[m] = 0
                    teach(
                        x, weights, uses, row_of, sets, final, from_final, dots, y, p_mix, final_rate, rate, rate_start,
                        rate_fall, squash,
                    )  # fmt: skip
                    if refine > 0:
                        adapt(refined, r0, goal, refine_limit, rates)
                        adapt(refined, r1, goal, refine_limit, rates)
                        adapt(refined, r2, goal, refine_limit, rates)
                if y > 0:
                    low_sum = middle_sum
                    node = i64(right[u64(node)])
                else:
                    high_sum = middle_sum
                    node = i64(left[u64(node)])

            # ---- what the token leaves behind
            if rank < 0:
                rank = -node
                if depth_h > 0:
                    n = i64(seen[0])
                    seen[0] = n + 1
                    fall = i64(settings[CFG_ADAPT_FALL])
                    pace = i64(settings[CFG_ADAPT_RATE]) + i64(settings[CFG_ADAPT_START]) * fall // (fall + n)
                    learn(adapted, said, lifted, own_total, picked, moved, rank, head, head_scales, pace, slope)
                    if keys.shape[0] > 0:
                        remember(said, keys, followed, n, mass, touched, many, row, rank, trust, bucket)
                if tokens > 0:
                    learn_token(mult, row, blocks, size, i64(total), rank, i64(settings[CFG_TOKEN_RATE]))
            ranks[t, s] = rank
            first = i64(0)
            length = i64(1)
            if rank < size:
                first = i64(start[u64(rank)])
                length = i64(start[u64(rank + 1)]) - first
            for j in range(length):
                c = i64(text[u64(first + j)]) if rank < size else rank - size
                if pos < capacity - 1:  # a pointer behind the last byte still lies in the stream's own part
                    hist[u64(base + pos)] = c
                    begins[u64(base + pos)] = i64(j == 0)
                    pos += 1
                take_byte(w, c)
            w[T1 + 3] = w[T1 + 2]
            w[T1 + 2] = w[T1 + 1]
            w[T1 + 1] = w[T1]
            w[T1] = u64(rank + 1)
            w[HITS] = u64((u64(w[HITS] & u64(7)) << u64(1)) | u64(rank == top))
            old = i64(w[BYTES])
            w[BYTES] = u64(pos)
            for m in range(MATCHES):
                follow_match(m, w, v, old, pos, base, capacity, hist)


@kernel
def finish(coded: Array, s: int, size: int, w: Array) -> Any:
    """Write the fewest bytes (none or one) that, followed by zeros, lie inside the last range. Returns the length."""
    low = u64(w[LOW])
    at = i64(w[AT])
    if low == u64(0) or at > size:
        return at
    if u64(0x100000000) - low < u64(w[RNG]):
        carry(coded, s, at)
        return at
    top = u64(low + u64(0xFFFFFF)) >> u64(24)
    if top > u64(255):
        carry(coded, s, at)
    if at < size:
        coded[u64(s), u64(at)] = u8(top & u64(255))
    return at + 1
