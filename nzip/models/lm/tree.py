"""The vocabulary tree: tokens as binary decisions, a language model's probabilities mixed with what the file teaches.

All tokens that have bytes are sorted by them. The byte trie over the sorted table is a binary tree: at a node "does the
token end here, or go on", then the bits of the next byte, where a decision that only one side is left of does not
exist. A tree of R leaves has R - 1 decisions, and each is the border between two neighbouring ranks: the decision at
border m of the ranks [lo, hi) is whether the token's rank is m or more, and the language model's odds of it are those
of two sums of its frequencies. Every decision's odds are then mixed, in the logistic domain, with corrections that
were learned online, and coded in binary.

The mixing follows Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression", 2005 (contexts of bits,
bit histories, gated logistic mixing, secondary estimation); the bias of single tokens is the exponentiated gradient of
Kivinen and Warmuth, "Exponentiated Gradient versus Gradient Descent for Linear Predictors", 1997, applied to the
language model's distribution, as is the idea of R. Tacconelli's "Nacrith", 2026. Where all learned inputs are zero, as
they are at the beginning, the mix is the language model's own probability. docs/LMTREE.md is the specification;
tests/naive_tree.py says the same in plain Python and must agree to the bit.

Invariants:
* Integers only, and every width is written: u64, i64 and so on are casts when compiled, and wrap by masks when numba
  is switched off. Sums of 32-bit products are exact whatever their order.
* Wrappers own all memory; kernels fill arrays. An array is indexed by unsigned numbers, which numba does not check
  for a sign, so each index stays in range for any input: damaged payloads lead to wrong tokens and nothing else.
* Streams that share a state are coded step by step and, within a step, in the order of their numbers, when encoding
  and when decoding. What one stream learned the next one knows.
* A stream finds nothing in the history of a stream (its own, too) that is not coded yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from nzip.entropy.integers import Array, i32, i64, u8, u32, u64, width
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError
from nzip.models.cm import tables as cm_tables
from nzip.models.cm.components.vectors import dot16, train16
from nzip.models.lm import adapt as adapter
from nzip.models.lm import exact
from nzip.models.lm.adapt import feature, learn, lift, recall, remember, through
from nzip.models.midicoth import tables as log_tables

STRETCH_MAX = 16 * 256 - 1  # of the stretch domain, 1/256 of a natural-logarithm unit: all that 22 bits can tell apart
P_BITS = 22
P_ONE = 1 << P_BITS
TOTAL_BITS = 24  # of a row of frequencies

K1 = 0x9E3779B97F4A7C15
K2 = 0xD6E8FEB86659FD93
K3 = 0xC2B2AE3D27D4EB4F
K4 = 0xBF58476D1CE4E5B9
K5 = 0x2545F4914F6CDD1D

# What `code` does.
ENCODE, DECODE, READ = range(3)
IDLE = -2  # instead of a rank: the stream takes no part in this step

# A stream's numbers, by place in a row of `v`.
LOW, RNG, AT, BYTES, LAST8, WORD, WORD1, HITS, ESCAPED = range(9)
T1 = 9  # the last four tokens, latest first: rank + 1, 0 for none
PTR, LEN, MISSED = 16, 20, 24  # of each match
COLUMN = 28  # bytes since the last line end
VARS = 32

# Contexts, in the order of their inputs. The first ones go with the node, the others with the bits of the byte so far.
(
    C_NONE, C_T1, C_T2, C_T3, C_T4, C_SKIP, C_COLUMN, C_TOP, C_TOP1, C_TOP2,
    C_B1, C_B2, C_B3, C_B4, C_B5, C_B6, C_WORD, C_WORDS, C_GAP, C_BEFORE,
) = range(20)  # fmt: skip
CONTEXTS = 20
BY_NODE = 10
MATCHES = 3
SHORTEST = (24, 12, 6)  # bytes that a match has at least
VERIFY = 64  # bytes of a candidate that are compared at most
LENGTH_MAX = 400

# Inputs of the mixer.
X_MODEL, X_BIAS, X_MATCH, X_HISTORY = 0, 1, 2, 6
X_DELTA = X_HISTORY + CONTEXTS
INPUTS = 48
BIAS = 256  # the input that is always there
SETS = 6
SET_ROWS = 1024  # rows of weights that a set has at most
FINALS = 3 * 16  # rows of the second layer

COLUMNS = 255  # that are told apart
KNOTS = 17  # of a map over the stretch domain
KNOT_BITS = 9  # log2 of their distance
HISTORY_CELLS = 256 * KNOTS  # of a context
MATCH_CELLS = 16 * 4 * 3 * KNOTS  # of a match model
REFINE_ROWS = 1 << 16  # of each of the two hashed refinements

DELTA_ONE = 1 << 16  # a natural-logarithm unit in a learned correction
DELTA_MAX = 8 * DELTA_ONE
MULT_ONE = 1 << 16
MULT_LEAST, MULT_MOST = 1 << 8, 1 << 23

# Settings, by place in `settings`.
(
    CFG_ROOT, CFG_PARTS, CFG_CONTEXTS, CFG_SETS, CFG_BITS, CFG_MATCH_BITS, CFG_RATE, CFG_RATE_START, CFG_RATE_FALL,
    CFG_LIMIT, CFG_FINAL_RATE, CFG_REFINE_LIMIT, CFG_TOKEN_RATE, CFG_DOUBT, CFG_PROOF_MAX, CFG_ADAPT_RATE,
    CFG_ADAPT_START, CFG_ADAPT_FALL, CFG_SHARP,
) = range(19)  # fmt: skip
CFG_SIZE = 19

# What takes part. Files are coded with USED (bit histories gained nothing beside learned corrections); the rest is for
# measuring.
MIX, HISTORY, DELTA, MATCH, REFINE, TOKENS = 1, 2, 4, 8, 16, 32
ALL = 63
USED = ALL & ~HISTORY
# Of the twenty contexts these are used: more of them gained nothing, and cost time.
USED_CONTEXTS = sum(1 << c for c in (C_NONE, C_T2, C_T3, C_COLUMN, C_TOP, C_TOP2, C_B3, C_WORD, C_WORDS))
USED_SETS = 0b111011

Frequencies = np.ndarray[Any, np.dtype[np.uint32]]


@lru_cache(maxsize=1)
def squash_values() -> tuple[int, ...]:
    """Return 2^22 / (1 + exp(-x / 256)), rounded and within 1..2^22 - 1, for x = -STRETCH_MAX..STRETCH_MAX."""
    return cm_tables.logistic_values(P_BITS, STRETCH_MAX)


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
                cell = i64(w[ESCAPED])
                y = step(mode, coded, s, room, w, i64(target >= size), max(i64(escapes[u64(cell)] >> u32(10)), i64(1)))
                adapt(escapes, cell, y * (P_ONE - 1), i64(30), rates)
                w[ESCAPED] = u64(y)
                if y > 0:
                    partial = i64(1)
                    for bit in range(8):
                        y = ((target - size) >> (7 - bit)) & 1
                        y = step(mode, coded, s, room, w, y, max(i64(escapes[u64(2 + partial)] >> u32(10)), i64(1)))
                        adapt(escapes, 2 + partial, y * (P_ONE - 1), i64(30), rates)
                        partial = (partial << 1) | y
                    rank = size + (partial & 255)

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
                for m in range(MATCHES):
                    n = i64(w[LEN + m])
                    p = i64(w[PTR + m])
                    need = 24 >> m
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
                    w[LEN + m] = u64(n)
                    w[PTR + m] = u64(p)
                    other = p // capacity
                    alive[m] = i64(n > 0 and other < streams and p < other * capacity + i64(v[u64(other), BYTES]))
                    there[m] = p
            sure = i64(0)  # class of the language model's first guess
            if mixing > 0 and rank < 0:
                f = i64(row[u64(top)])
                if f * 10 <= i64(total) * 9:
                    sure = i64(1)
                    while sure < 7 and (f << sure) < i64(total):
                        sure += 1
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
                            place = i64(h >> shift)
                            check = u64((h >> u64(12)) & u64(255))
                            e = u64(slots[u64(place)])
                            if e == u64(0) or u64((e >> u64(8)) & u64(255)) != check:
                                beside = u64(slots[u64(place ^ 1)])
                                if beside != u64(0) and u64((beside >> u64(8)) & u64(255)) == check:
                                    place ^= 1
                                    e = beside
                                else:
                                    # A lower state has seen fewer bits: that one is given up.
                                    if u64(beside & u64(255)) < u64(e & u64(255)):
                                        place ^= 1
                                    e = u64(u64(1 << 63) | u64(check << u64(8)))
                                    slots[u64(place)] = e
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
                            p = i64(there[m])
                            if k == 0:
                                guess = 1 - i64(begins[u64(p)])
                            elif k < 9:
                                e9 = i64(hist[u64(p)]) | 256
                                if (e9 >> (9 - k)) == partial:
                                    guess = (e9 >> (8 - k)) & 1
                                else:
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
                    sum_dots = i64(0)
                    for j in range(SETS):
                        if (sets >> j) & 1:
                            o = (row_of[j] + j * SET_ROWS) * INPUTS
                            acc = i64(0)
                            for lane in range(0, INPUTS, 16):
                                acc += i64(dot16(x, weights, lane, o + lane))
                            dots[j] = max(min(acc >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
                            sum_dots += i64(dots[j]) * i64(final[u64(from_final + j)])
                    mix = max(min(sum_dots >> 16, i64(STRETCH_MAX)), i64(-STRETCH_MAX))
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
                            c = i64(e >> u64(32)) - (1 << 31)
                            proof = i64((e >> u64(16)) & u64(0xFFFF))
                            if delta > 0:
                                p = squashed(model + (c >> 8), squash)
                                c += (((y << P_BITS) - p) * 16) // (doubt + proof)
                                c = max(min(c, i64(DELTA_MAX)), i64(-DELTA_MAX))
                                proof = min(proof + ((p * (P_ONE - p)) >> 34), proof_max)
                            slots[u64(places[i])] = u64(
                                u64(u64(c + (1 << 31)) << u64(32))
                                | u64(u64(proof) << u64(16))
                                | u64(e & u64(0xFF00))
                                | u64(after[u64(2 * state + y)])
                            )
                    for m in range(MATCHES):
                        guess = i64(guesses[m])
                        if guess >= 0:
                            right_guess = i64(P_ONE - 1) if guess == y else i64(0)
                            adapt(maps, i64(cells[CONTEXTS + m]), right_guess, limit, rates)
                            if guess != y and k > 0:
                                alive[m] = 0
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
            word = u64(w[WORD])
            word1 = u64(w[WORD1])
            last8 = u64(w[LAST8])
            for j in range(length):
                c = i64(text[u64(first + j)]) if rank < size else rank - size
                if pos < capacity - 1:  # a pointer behind the last byte still lies in the stream's own part
                    hist[u64(base + pos)] = c
                    begins[u64(base + pos)] = i64(j == 0)
                    pos += 1
                w[COLUMN] = u64(i64(w[COLUMN]) + 1) if c != 10 else u64(0)
                last8 = u64((last8 << u64(8)) | u64(c))
                if letter(c) > 0:
                    word = u64(u64(word + u64(letter(c))) * u64(K5))
                elif word != u64(0):
                    word1 = word
                    word = u64(0)
            w[WORD] = word
            w[WORD1] = word1
            w[LAST8] = last8
            w[T1 + 3] = w[T1 + 2]
            w[T1 + 2] = w[T1 + 1]
            w[T1 + 1] = w[T1]
            w[T1] = u64(rank + 1)
            w[HITS] = u64((u64(w[HITS] & u64(7)) << u64(1)) | u64(rank == top))
            old = i64(w[BYTES])
            w[BYTES] = u64(pos)
            for m in range(MATCHES):
                n = i64(w[LEN + m])
                if n > 0:
                    p = i64(w[PTR + m])
                    other = p // capacity
                    end = other * capacity + i64(v[u64(other), BYTES])
                    j = i64(0)
                    while j < pos - old and p + j < end and hist[u64(p + j)] == hist[u64(base + old + j)]:
                        j += 1
                    if j == pos - old:
                        w[LEN + m] = u64(min(n + j, i64(LENGTH_MAX)))
                        w[PTR + m] = u64(p + j)
                        w[MISSED + m] = u64(w[MISSED + m]) >> u64(1)
                    else:
                        w[LEN + m] = u64(0)
                        w[MISSED + m] = u64(3)


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


def tree_order(vocabulary: Sequence[bytes]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the ids of tokens by their bytes, then by id, int32 (V,); those without bytes stand last."""
    ids = sorted(range(len(vocabulary)), key=lambda i: (not vocabulary[i], vocabulary[i], i))
    return np.array(ids, np.int32)


class VocabularyTree:
    """The tokens of a vocabulary, sorted by their bytes, and the binary decisions between them.

    A row of frequencies must come in *tree order*: entry r is the frequency of token `order[r]`. The tokens without
    bytes, which are never coded, stand behind the `size` tokens that have some. A backend that permutes the rows of the
    model's head does this for free; `arrange` does it for rows that come by token id.

    Attributes:
        size: how many tokens have bytes.
        order: int32 (V,), token ids by rank.
        rank: int32 (V,), the inverse.
        missing: the byte values that no token consists of; they are escaped.
    """

    def __init__(self, vocabulary: Sequence[bytes]) -> None:
        """Sort `vocabulary`: the bytes of each token id, empty for special tokens.

        Raises:
            ValueError: if not one token has bytes.
        """
        self.order = tree_order(vocabulary)
        self.rank = np.empty(len(self.order), np.int32)
        self.rank[self.order] = np.arange(len(self.order), dtype=np.int32)
        tokens = [vocabulary[i] for i in self.order.tolist() if vocabulary[i]]
        if not tokens:
            raise ValueError("a vocabulary without a token that has bytes")
        self.size = len(tokens)
        self.tokens = tokens
        single = {token[0] for token in tokens if len(token) == 1}
        self.missing = tuple(b for b in range(256) if b not in single)
        self.text = np.frombuffer(b"".join(tokens), np.uint8)
        self.start = np.zeros(self.size + 1, np.int64)
        np.cumsum([len(token) for token in tokens], out=self.start[1:])
        self._connect()

    def _connect(self) -> None:
        """Find each decision's kind and depth, and its two sides: a Cartesian tree over the borders of the ranks."""
        n = self.size
        keys = [0] * n
        lower = [0] * n
        upper = [0] * n
        self.kind = np.zeros(n, np.uint8)
        self.depth = np.zeros(n, np.int32)
        path: list[int] = []
        for r in range(1, n):
            a, b = self.tokens[r - 1], self.tokens[r]
            d = 0
            while d < len(a) and d < len(b) and a[d] == b[d]:
                d += 1
            if d < len(a):
                self.kind[r] = 9 - (a[d] ^ b[d]).bit_length()
            elif d == len(b):
                self.kind[r] = 9
            self.depth[r] = d
            keys[r] = 10 * d + int(self.kind[r])  # a decision that comes earlier has the lower key
            last = 0
            while path and keys[path[-1]] > keys[r]:
                last = path.pop()
            lower[r] = last
            if path:
                upper[path[-1]] = r
            path.append(r)
        self.root = path[0] if path else 0
        self.left = np.array([lower[r] or 1 - r for r in range(n)], np.int32)
        self.right = np.array([upper[r] or -r for r in range(n)], np.int32)

    def arrange(self, rows: Frequencies) -> Frequencies:
        """Return rows (..., V) that came by token id in tree order."""
        return np.ascontiguousarray(rows[..., self.order])


@dataclass(frozen=True)
class Settings:
    """What decides the bits of a `TreeCoder` besides its input; part of the format.

    `rate` and `rate_start` are steps of the mixer in 2^-16; the latter falls by half in `rate_fall` uses of a row.
    """

    parts: int = USED
    contexts: int = USED_CONTEXTS
    sets: int = USED_SETS
    bits: int = 20
    match_bits: int = 16
    rate: int = 500
    rate_start: int = 3000
    rate_fall: int = 400
    limit: int = 1022
    final_rate: int = 20
    refine_limit: int = 1022
    token_rate: int = 150
    doubt: int = 512
    proof_max: int = 20000
    share: int = 7000  # a learned input's first weight, of 65536
    history_count: int = 3
    none_count: int = 60
    match_count: int = 4
    refine_count: int = 6
    adapt_rate: int = 300
    adapt_start: int = 0
    adapt_fall: int = 2000
    entries: int = adapter.ENTRIES
    sharp: int = 160  # of a hidden state's product with itself, 589,824, for 1/256 of a natural-logarithm unit


class TreeCoder:
    """Codes the tokens of one or more streams that learn from one another.

    Encoding: `encode` runs of steps in order, then `payloads`. Decoding: make it with `payloads`, then `decode` step by
    step. `encode` releases the GIL while it works; different objects share nothing, so each can have its thread.
    """

    def __init__(
        self,
        tree: VocabularyTree,
        sizes: Sequence[int],
        settings: Settings | None = None,
        payloads: Sequence[bytes] | None = None,
        head: tuple[Any, Any] | None = None,
    ) -> None:
        """Begin streams of `sizes` bytes; with `payloads`, to decode those.

        head: rows (int8 (V, D), in tree order) and scales (float32 (V,)) of the model's head, to adapt the model; then
        each run of steps comes with its hidden states.
        """
        self.tree = tree
        self.sizes = tuple(sizes)
        s = self.settings = settings or Settings()
        streams = len(self.sizes)
        capacity = max(self.sizes, default=0) + 1
        if streams * capacity >= 1 << 32:
            raise ValueError("streams that share a state hold less than 4 GiB together")
        self._mode = ENCODE if payloads is None else DECODE
        if payloads is None:
            # A byte costs at most an end and 8 bits of 22 bits each, or an escape.
            room = 64 + max(self.sizes, default=0) * 27
            self._coded = np.zeros((streams, room), np.uint8)
            self._lengths = np.full(streams, room, np.int64)
        else:
            self._lengths = np.array([len(payload) for payload in payloads], np.int64)
            self._coded = np.zeros((streams, max(self._lengths, default=0) + 1), np.uint8)
            for k, payload in enumerate(payloads):
                self._coded[k, : len(payload)] = np.frombuffer(payload, np.uint8)
        numbers = np.zeros(CFG_SIZE, np.int64)
        numbers[:] = (
            tree.root, s.parts, s.contexts, s.sets, s.bits, s.match_bits, s.rate, s.rate_start, s.rate_fall, s.limit,
            s.final_rate, s.refine_limit, s.token_rate, s.doubt, s.proof_max, s.adapt_rate, s.adapt_start,
            s.adapt_fall, s.sharp,
        )  # fmt: skip
        squash = np.array(squash_values(), np.int32)
        knots = (np.arange(KNOTS) << KNOT_BITS) - (STRETCH_MAX + 1)
        row = squash[np.clip(knots + STRETCH_MAX, 0, 2 * STRETCH_MAX)].astype(np.uint32) << 10
        mixing = bool(s.parts & MIX)
        maps = np.zeros(0, np.uint32)
        weights = np.zeros((SETS * SET_ROWS if mixing else 0, INPUTS), np.int32)
        refined = np.zeros(0, np.uint32)
        if mixing:
            maps = np.tile(row | s.history_count, CONTEXTS * 256 + MATCHES * 16 * 4 * 3).astype(np.uint32)
            maps[CONTEXTS * HISTORY_CELLS :] += np.uint32(s.match_count - s.history_count)
            for i in range(CONTEXTS):
                maps[i * HISTORY_CELLS : i * HISTORY_CELLS + KNOTS] = row | s.none_count
            weights[:, X_MODEL] = 1 << 16
            weights[:, X_MATCH : X_MATCH + MATCHES] = s.share
            weights[:, X_HISTORY : X_DELTA + CONTEXTS] = s.share
            if s.parts & REFINE:
                refined = np.tile(row | s.refine_count, tree.size + 2 * REFINE_ROWS).astype(np.uint32)
        used_sets = max(1, s.sets.bit_count())
        self.v = np.zeros((streams, VARS), np.uint64)
        self.v[:, RNG] = 0xFFFFFFFF
        if payloads is not None:
            self.v[:, AT] = 4
            for k in range(streams):
                # No encoder writes four bytes of 255 at the start.
                first = int.from_bytes(bytes(self._coded[k, :4]).ljust(4, b"\0"), "big")
                self.v[k, LOW] = min(first, 0xFFFFFFFE)
        escapes = np.zeros(0, np.uint32)
        if tree.missing:
            escapes = np.full(258, 1 << 31 | 2, np.uint32)
            escapes[0] = 1 << 16 | 30  # 2^-16 at first
        self._state = (
            numbers, tree.left, tree.right, tree.kind, tree.depth, tree.text, tree.start, escapes, self.v,
            np.zeros(streams * capacity, np.uint8), np.zeros(streams * capacity, np.uint8),
            np.zeros(1 << s.bits if mixing else 0, np.uint64), maps,
            np.zeros(MATCHES << s.match_bits if mixing else 0, np.uint32), weights.reshape(-1),
            np.zeros(weights.shape[0], np.int64), np.full(FINALS * SETS, 65536 // used_sets, np.int32), refined,
            np.full(tree.size, MULT_ONE, np.uint32), squash, np.array(log_tables.log_values(), np.int32),
            np.array(cm_tables.state_table(), np.uint8).reshape(-1), np.array(cm_tables.rates(), np.int32),
        )  # fmt: skip

        if head is None:
            head = np.zeros((0, 0), np.int8), np.zeros(0, np.float32)
        wide = head[0].shape[1]
        self._width = wide
        self._adapter = (
            np.zeros(1, np.int64), np.zeros(wide, np.int32), np.full(wide, 1 << 34, np.int64),
            np.zeros((wide, wide), np.int32), np.array(head[0]), adapter.head_scales(head[1]),
            np.array(adapter.lift_values(), np.int32), np.zeros((s.entries if wide else 0, wide), np.int8),
            np.zeros(s.entries if wide else 0, np.int32),
            np.full((adapter.BUCKETS * adapter.SURE, 2), (adapter.TRUST_FIRST, adapter.TRUST_COUNT), np.int64),
            np.array(exact.exp_table()[:-1], np.int32),
        )  # fmt: skip

    def active(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which streams still have bytes to come; bool (S,)."""
        return self.v[:, BYTES].astype(np.int64) < np.array(self.sizes, np.int64)

    def _run(self, mode: int, rows: Frequencies, ranks: Any, hidden: Any) -> None:
        if hidden is None:
            hidden = np.zeros((*rows.shape[:2], 0), np.int16)
        if hidden.shape != (*rows.shape[:2], self._width):
            raise ValueError("the hidden states do not fit the head")
        code(mode, rows, ranks, self._coded, self._lengths, *self._state, hidden, *self._adapter)

    def encode(self, rows: Frequencies, ids: Any, hidden: Any = None) -> None:
        """Encode a run of steps.

        rows: uint32 (T, S, V), in tree order, the total of each 2^24 and no entry 0.
        ids: int (T, S): token ids; V + byte for a byte that no token has; negative where a stream takes no part.
        hidden: int16 (T, S, D): what the model's head was multiplied by; with a head only.
        """
        ids = np.asarray(ids)
        whole = len(self.tree.rank)
        ranks = np.where(ids < whole, self.tree.rank[np.clip(ids, 0, whole - 1)], ids - whole + self.tree.size)
        self._run(ENCODE, rows, np.where(ids < 0, IDLE, ranks).astype(np.int32), hidden)

    def written(self, stream: int) -> int:
        """Return how many bytes of a stream's payload are out; up to 5 more may follow at once."""
        return int(self.v[stream, AT])

    def payloads(self) -> list[bytes]:
        """Return the coded bits of each stream; the end of encoding."""
        ends = [int(finish(self._coded, k, int(self._lengths[k]), self.v[k])) for k in range(len(self.sizes))]
        if any(end > room for end, room in zip(ends, self._lengths, strict=True)):
            raise ValueError("a stream has more bytes than was said")
        return [self._coded[k, :end].tobytes() for k, end in enumerate(ends)]

    def decode(self, rows: Frequencies, active: Any, hidden: Any = None) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Decode one step.

        rows: uint32 (S, V), in tree order. active: bool (S,). hidden: int16 (S, D), with a head only.
        Returns int32 (S,): token ids; V + byte for a byte that no token has; -1 where a stream takes no part.
        """
        ranks = np.where(np.asarray(active), np.int32(-1), np.int32(IDLE)).astype(np.int32)[None]
        self._run(DECODE, rows[None], ranks, None if hidden is None else hidden[None])
        found = ranks[0]
        size, whole = self.tree.size, len(self.tree.rank)
        ids = np.where(found < size, self.tree.order[np.clip(found, 0, size - 1)], found - size + whole)
        return np.where(found == IDLE, -1, ids).astype(np.int32)

    def check_end(self) -> None:
        """After decoding: check that each payload held just what was read.

        Raises:
            CorruptError: if bytes are missing or left over.
        """
        behind = self.v[:, AT].astype(np.int64) - self._lengths
        if np.any(behind < 3) or np.any(behind > 4):
            raise CorruptError("the coded tokens do not end where their payload ends")
