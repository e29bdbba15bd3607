"""The loop of the engine `reads`: qualities, a few binary decisions each.

Contexts are the qualities before, how they went so far in the read, the place in it, the nucleotides here and before,
which are known, and the read before (Bonfield and Mahoney, "Compression of FASTQ and SAM format sequencing data", 2013,
for the first of these). A mixer with four sets of weights joins them, a small one those, and a last stage looks up
what their word has been worth.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import count, counted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.sse import between, refine, spot_of
from nzip.models.cm.components.vectors import dot, train
from nzip.models.cm.layout import K1, K2, K3
from nzip.models.reads.layout import (
    BIAS,
    CONTEXTS,
    COOL,
    FINAL_RATE,
    GROUP,
    LANES,
    LIMIT,
    MOST_USES,
    PLACES,
    RATE,
    SETS,
    STARTS,
    WARM,
)  # fmt: skip


@inlined
def base_at(bases: Array, place: int) -> Any:
    """Return a nucleotide of bytes of four; 0 where there is none."""
    base = i64(0)
    if 0 <= place < 4 * i64(bases.shape[0]):
        base = (i64(bases[u64(place >> 2)]) >> (6 - 2 * (place & 3))) & 3
    return base


@bare
def code(
    decode: bool,
    data: Array,  # uint8: qualities by rank, `last` behind each read
    bases: Array,  # uint8: four nucleotides a byte, one for each quality
    last: int, ranks: int, depth: int,  # the rank of an end, how many ranks there are, binary digits of one
    coded: Array, coder: Array,
    cells: Array, bits: int,  # uint32: CONTEXTS tables of 2^bits
    weights: Array, uses: Array, final: Array, sse: Array,
    above: Array, here: Array,  # uint8 (PLACES + 1,): qualities of the read before, and of this one
    squash: Array, stretch: Array, rates: Array, knots: Array, reached: Array,
) -> None:  # fmt: skip
    """Code qualities."""
    x = zeros(LANES, i32)
    contexts = zeros(CONTEXTS, u64)
    rows = zeros(CONTEXTS, i64)
    chosen = zeros(SETS, i64)
    dots = zeros(SETS, i64)
    chances = zeros(SETS, i64)
    low, high, window, at = taken(coder)
    x[u64(2 * CONTEXTS)] = i32(BIAS)
    place = length = base = changes = mean = lows = i64(0)
    q1 = q2 = q3 = i64(0)
    eight = u64(0)
    shift = u64(64 - bits + GROUP)
    for i in range(data.shape[0]):
        symbol = i64(0)
        if not decode:
            symbol = i64(data[u64(i)])
        part = min(place >> 3, i64(63))
        pace = min(changes >> 3, i64(31))
        spot = min(place, i64(1023))
        where = min(place, i64(PLACES - 1))
        b0, b1, b2, b3 = (
            i64(base_at(bases, base)), i64(base_at(bases, base - 1)), i64(base_at(bases, base - 2)),
            i64(base_at(bases, base - 3)),
        )  # fmt: skip
        after = i64(base_at(bases, base + 1))
        sum_ = i64(0)
        for k in range(8):
            sum_ += i64(u64(eight >> u64(8 * k)) & u64(255))
        three = b0 | b1 << 2 | b2 << 4
        contexts[0] = u64(q1 | max(q2, q3) << 8 | part << 16 | pace << 24)
        contexts[1] = u64(q1 | spot << 8)
        contexts[2] = u64(spot | (mean >> 4) << 12)
        contexts[3] = u64(q1 | three << 8 | q2 << 16)
        contexts[4] = u64(i64(above[u64(where)]) | q1 << 8 | i64(above[u64(where + 1)]) << 16)
        contexts[5] = u64(q1 | q2 << 8 | (sum_ >> 4) << 16 | min(lows, i64(15)) << 24)
        contexts[6] = u64(q1 | (mean >> 3) << 8 | part << 24)
        contexts[7] = u64(three | b3 << 6 | spot << 8)
        contexts[8] = u64(three | b3 << 6 | q1 << 8 | (sum_ >> 5) << 16)
        contexts[9] = u64(0)
        contexts[10] = u64(spot | q1 << 10 | q2 << 18)
        contexts[11] = u64(spot | q1 << 10 | (three & 15) << 18)
        contexts[12] = u64(spot | (mean >> 4) << 10 | three << 20)
        contexts[13] = u64(q1 | q2 << 8 | q3 << 16)
        contexts[14] = u64(q1 | three << 8 | after << 14)
        ends = i64(length > 0 and place == length)
        for k in range(CONTEXTS):
            contexts[u64(k)] = u64(u64(u64(contexts[u64(k)]) * u64(2) + u64(1 + ends)) * u64(K1))
        node = i64(1)
        inner = i64(1)
        for j in range(depth):
            if j % GROUP == 0:
                inner = i64(1)
                for k in range(CONTEXTS):
                    h = u64(u64(contexts[u64(k)]) + u64(u64(256 * k + node) * u64(K2)))
                    h = u64(u64(h ^ (h >> u64(32))) * u64(K3))
                    rows[u64(k)] = (i64(k) << bits) + (i64(u64(h >> shift)) << GROUP)
            for k in range(CONTEXTS):
                cell = i64(counted(cells, i64(rows[u64(k)]) + inner))
                seen = cell & 1023
                value = i64(0)
                lean = i64(0)
                if seen > 0:
                    value = i64(stretch[u64(cell >> 20)])
                    lean = ((cell >> 10) - 2097152) >> (13 if seen < 4 else 12 if seen < 32 else 11)
                x[u64(2 * k)] = i32(value)
                x[u64(2 * k + 1)] = i32(lean)
            chosen[0] = i64(STARTS[0]) + node
            chosen[1] = i64(STARTS[1]) + node * 64 + part
            chosen[2] = i64(STARTS[2]) + node * 64 + min(q1, i64(63))
            chosen[3] = i64(STARTS[3]) + node * 64 + pace + 32 * i64(q1 == q2)
            total = i64(0)
            for k in range(SETS):
                mixed = i64(bounded(i64(dot(x, weights, i64(chosen[u64(k)]) * LANES, LANES // 16)) >> 8))
                dots[u64(k)] = mixed
                chances[u64(k)] = i64(squashed(mixed, squash))
                total += mixed * i64(final[u64(node * SETS + k)])
            mixed = i64(bounded(total >> 16))
            p = i64(squashed(mixed, squash))
            there = i64(spot_of(mixed))
            knot = (node * 64 + min(q1, i64(63))) * 16 + (there >> 8)
            share = there & 255
            start0, start1 = u32(knots[u64(there >> 8)]), u32(knots[u64((there >> 8) + 1)])
            refined = i64(between(sse, knot, start0, start1, share))
            chance = max(min((3 * p + refined) >> 2, i64(65535)), i64(1))
            bit = i64(0)
            if decode:
                bit, low, high, window, at = decode_step(low, high, window, at, coded, chance)
                symbol = symbol << 1 | bit
            else:
                bit = (symbol >> (depth - 1 - j)) & 1
                low, high, at = encode_step(low, high, at, coded, bit, chance)
            for k in range(SETS):
                row = i64(chosen[u64(k)])
                used = i64(uses[u64(row)])
                uses[u64(row)] = u32(min(used + 1, i64(MOST_USES)))
                error = i32(error_of(bit, i64(chances[u64(k)]), RATE + WARM // (COOL + used)))
                train(x, weights, row * LANES, LANES // 16, error)
            error = i64(error_of(bit, p, i64(FINAL_RATE)))
            for k in range(SETS):
                spot_ = u64(node * SETS + k)
                weight = i64(final[spot_]) + ((i64(dots[u64(k)]) * error + 8192) >> 14)
                final[spot_] = i32(max(min(weight, i64(1 << 19)), i64(-(1 << 19))))
            target = bit * 4194303
            nearer = share >> 7
            refine(sse, knot + nearer, start1 if nearer else start0, target, i64(LIMIT), rates)
            for k in range(CONTEXTS):
                count(cells, i64(rows[u64(k)]) + inner, target, i64(LIMIT), rates)
            node = node * 2 + bit
            inner = inner * 2 + bit
        if decode:
            data[u64(i)] = u8(symbol)
        if symbol == last:
            length, place = place, i64(0)
            changes = mean = lows = i64(0)
            q1 = q2 = q3 = i64(0)
            eight = u64(0)
            for k in range(PLACES):
                above[u64(k)] = here[u64(k)]
        else:
            here[u64(where)] = u8(symbol)
            if place > 0:
                changes += max(symbol - q1, q1 - symbol)
                mean += (symbol * 16 - mean) // min(place + 1, i64(16))
            else:
                mean = symbol * 16
            q3, q2, q1 = q2, q1, symbol
            eight = u64((eight << u64(8)) | u64(symbol))
            lows += i64(4 * symbol < ranks)
            place += 1
            base += 1
        reached[0] += 1
    put_back(coder, low, high, window, at)
