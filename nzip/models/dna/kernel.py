"""The loop of the engine `dna`: a nucleotide is two binary decisions, which many contexts foretell.

Four kinds of models look at what came before, and most of them also at the other strand, on which the same genes are
read backwards with complements: what they learn of a context they learn of its reverse complement, too.

* cells: adaptive probabilities by the last few nucleotides;
* frames: the same by the place in a codon. Nobody says where genes are: of six readings (three places on two strands)
  the one that foretold the last hundred nucleotides best is taken, and it alone learns;
* counts: what came after the last twelve nucleotides and more, as four small counts, whose worth a map learns;
* matches: what followed an earlier copy, or preceded an inverted one; copies go on behind nucleotides that differ.

A mixer with four sets of weights joins them, and a small one those.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u16, u32, u64
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import learn
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.vectors import dot, prefetch, train
from nzip.models.cm.layout import K1, K2
from nzip.models.dna.layout import (
    BASE,
    BIAS,
    BITS,
    CELLS,
    COLUMNS,
    COOL,
    COST_SHIFT,
    COUNTS,
    FADING,
    FINAL_RATE,
    FORGIVEN,
    FRAMES,
    FULL,
    GUESSES,
    KIND,
    LIMIT,
    LOOKED,
    MAP_ROWS,
    MARGIN,
    MATCHES,
    MOST_USES,
    ORDER,
    RATE,
    SETS,
    STARTS,
    STEADY,
    TABLE,
    WARM,
)  # fmt: skip

HALF = 0x8000
MODELS, LANES = 32, 32


@inlined
def spread(context: int) -> Any:
    """Return a hash of 64 bits."""
    h = u64(u64(context + u64(1)) * u64(K1))
    h = u64(h ^ (h >> u64(32)))
    return u64(h * u64(K2))


@inlined
def row_of(context: int, order: int, bits: int) -> Any:
    """Return the row of a context of `order` nucleotides in a table of 2^bits rows."""
    if 2 * order <= bits:
        row = i64(context)
    else:
        row = i64(u64(spread(context) >> u64(64 - bits)))
    return row


@inlined
def check_of(context: int, order: int, bits: int) -> Any:
    """Return what tells contexts of one row apart."""
    if 2 * order <= bits:
        check = i64(0)
    else:
        check = i64(u64(spread(context) >> u64(8)) & u64(0xFFFF))
    return check


@inlined
def last(window: int, order: int) -> Any:
    """Return the last `order` nucleotides of a window."""
    return u64(window & u64((u64(1) << u64(2 * order)) - u64(1)))


@inlined
def frame_of(reading: int, third: int) -> Any:
    """Return which of the six tables a reading uses at a place whose number modulo 3 is `third`."""
    if reading < 3:
        frame = (reading + third) % 3
    else:
        frame = 3 + (reading - third) % 3
    return frame


@inlined
def symbol_at(data: Array, place: int) -> Any:
    """Return a nucleotide."""
    return (i64(data[u64(place >> 2)]) >> (6 - 2 * (place & 3))) & 3


@inlined
def follow(cells: Array, row: int, symbol: int, rates: Array) -> None:
    """Let a row of cells learn a nucleotide."""
    at = u64(row << 2)
    visits = i64(cells[at + u64(3)])
    p = i64(cells[at]) ^ HALF
    p += (((65535 * (symbol >> 1)) - p) * i64(rates[u64(visits)])) >> 16
    cells[at] = u16(p ^ HALF)
    second = at + u64(1 + (symbol >> 1))
    p = i64(cells[second]) ^ HALF
    p += (((65535 * (symbol & 1)) - p) * i64(rates[u64(visits >> 1)])) >> 16
    cells[second] = u16(p ^ HALF)
    cells[at + u64(3)] = u16(visits + i64(visits < STEADY))


@inlined
def counted_on(counts: Array, row: int, check: int, symbol: int, fades: bool) -> None:
    """Let a row of counts learn a nucleotide."""
    at = u64(row << 1)
    four = i64(counts[at])
    if i64(counts[at + u64(1)]) != check:
        four = i64(0)
        counts[at + u64(1)] = u16(check)
    shift = 4 * symbol
    own = (four >> shift) & 15
    if own == FULL:
        four = (four >> 1) & 0x7777
        own = i64(FULL >> 1)
    if fades:
        four = (four >> 1) & 0x7777
    counts[at] = u16((four & ~(15 << shift)) | (own + 1) << shift)


@inlined
def ones(value: int) -> Any:
    """How many of 16 bits are set."""
    value = value - ((value >> 1) & 0x5555)
    value = (value & 0x3333) + ((value >> 2) & 0x3333)
    value = (value + (value >> 4)) & 0x0F0F
    return (value + (value >> 8)) & 31


@inlined
def grade_of(length: int) -> Any:
    """Return the class (0..31) of a match's length."""
    if length < 16:
        grade = i64(length)
    elif length < 32:
        grade = 16 + ((length - 16) >> 2)
    else:
        grade = min(20 + ((length - 32) >> 4), i64(31))
    return grade


@bare
def agreed(data: Array, start: int, step: int, flip: int, window: int, most: int) -> Any:
    """Return how many nucleotides of `data`, from `start` on in steps of `step`, are the last ones of a window, latest
    first; `flip` is 3 where they are complements."""
    length = i64(0)
    while length < most and symbol_at(data, start + step * length) ^ flip == i64(window >> u64(2 * length)) & 3:
        length += 1
    return length


@bare
def code(
    decode: bool,
    data: Array,  # uint8: four nucleotides a byte, the highest bits the first
    size: int,  # nucleotides
    coded: Array, coder: Array,
    plan: Array,  # int64 (models * COLUMNS,)
    models: int, vectors: int,
    cells: Array, counts: Array, places: Array,
    maps: Array, guesses: Array, weights: Array, uses: Array, final: Array,
    squash: Array, stretch: Array, rates: Array, steps: Array, costs: Array, reached: Array,
) -> None:  # fmt: skip
    """Code nucleotides."""
    x = zeros(LANES, i32)
    rows = zeros(MODELS, i64)  # of cells and counts, by model
    checks = zeros(MODELS, i64)
    others = zeros(MODELS, i64)  # the same for the reverse complement
    other_checks = zeros(MODELS, i64)
    four = zeros(MODELS, i64)
    spots = zeros(MODELS, i64)
    pointers = zeros(MODELS, i64)
    lengths = zeros(MODELS, i64)
    missed = zeros(MODELS, i64)
    guessed = zeros(MODELS, i64)
    keys = zeros(MODELS, i64)
    spent = zeros(6, i64)
    chosen = zeros(SETS, i64)
    dots = zeros(SETS, i64)
    chances = zeros(SETS, i64)
    low, high, window, at = taken(coder)
    before = u64(0)
    beyond = u64(0)  # the other strand
    reading = i64(0)
    third = i64(0)
    lanes = 16 * vectors
    framed = i64(-1)  # the model of frames that tells readings apart
    for k in range(models):
        if framed < 0 and i64(plan[u64(k * COLUMNS + KIND)]) == FRAMES:
            framed = i64(k)
    x[u64(models)] = i32(BIAS)
    for i in range(size):
        # What the models look at.
        best = i64(0)
        margin = i64(0)
        frame = i64(0)
        if framed >= 0:
            least = i64(0)
            for r in range(1, 6):
                if spent[u64(r)] < spent[u64(least)]:
                    least = i64(r)
            if spent[u64(least)] < spent[u64(reading)]:
                reading = least
            second = i64(1 << 40)
            for r in range(6):
                if r != reading:
                    second = min(second, i64(spent[u64(r)]))
            margin = min((second - i64(spent[u64(reading)])) // MARGIN, i64(7))
            frame = i64(frame_of(reading, third))
        for k in range(models):
            p = u64(k * COLUMNS)
            kind = i64(plan[p + u64(KIND)])
            order = i64(plan[p + u64(ORDER)])
            base = i64(plan[p + u64(BASE)])
            bits = i64(plan[p + u64(BITS)])
            if kind == CELLS:
                rows[u64(k)] = base + i64(row_of(last(before, order), order, bits))
            elif kind == FRAMES:
                rows[u64(k)] = base + (frame << bits) + i64(row_of(last(before, order), order, bits))
            elif kind == COUNTS:
                row = base + i64(row_of(last(before, order), order, bits))
                check = i64(check_of(last(before, order), order, bits))
                rows[u64(k)] = row
                checks[u64(k)] = check
                at_row = u64(row << 1)
                four[u64(k)] = i64(counts[at_row]) if i64(counts[at_row + u64(1)]) == check else i64(0)
            else:
                inverted = i64(plan[p + u64(TABLE)])
                length = i64(lengths[u64(k)])
                if i >= order:
                    if inverted == 0:
                        keys[u64(k)] = base + i64(u64(spread(last(before, order)) >> u64(64 - bits)))
                    if length < order:
                        if inverted == 0:
                            there = i64(places[u64(keys[u64(k)])])
                            if there > 0:
                                known = i64(agreed(data, there - 1, -1, 0, before, min(there, i64(LOOKED))))
                                if known >= order and known > length:
                                    pointers[u64(k)] = there
                                    lengths[u64(k)] = known
                                    missed[u64(k)] = 0
                        else:
                            key = base + i64(u64(spread(u64(beyond >> u64(64 - 2 * order))) >> u64(64 - bits)))
                            there = i64(places[u64(key)]) - order
                            if there > 0:
                                known = i64(agreed(data, there, 1, 3, before, min(i - there, i64(LOOKED))))
                                if known >= order and known > length:
                                    pointers[u64(k)] = there - 1
                                    lengths[u64(k)] = known
                                    missed[u64(k)] = 0
                guessed[u64(k)] = -1
                length = i64(lengths[u64(k)])
                if length > 0:
                    flip = i64(3) if inverted else i64(0)
                    guessed[u64(k)] = i64(symbol_at(data, i64(pointers[u64(k)]))) ^ flip
                    grade = i64(grade_of(length))
                    past = i64(missed[u64(k)])
                    misses = min(i64(ones(past)), i64(15))
                    spots[u64(k)] = ((grade * 16 + misses) * 4 + (past & 3)) << 1
                    best = max(best, max(grade - 2 * misses, i64(1)))
        # Places become known after all models of this step have looked.
        for k in range(models):
            p = u64(k * COLUMNS)
            kind = i64(plan[p + u64(KIND)])
            if kind == MATCHES and i64(plan[p + u64(TABLE)]) == 0 and i >= i64(plan[p + u64(ORDER)]):
                places[u64(keys[u64(k)])] = u32(i)
        symbol = i64(0)
        if not decode:
            symbol = i64(symbol_at(data, i64(i)))
        first = i64(0)
        for half in range(2):
            node = i64(0) if half == 0 else 1 + first
            bit = (symbol >> 1) if half == 0 else (symbol & 1)
            known = i64(0)
            sure = i64(-1)
            number = i64(0)
            guesser = i64(0)
            for k in range(models):
                kind = i64(plan[u64(k * COLUMNS + KIND)])
                value = i32(0)
                if kind <= FRAMES:
                    p = u64((i64(rows[u64(k)]) << 2) + node)
                    value = i32(stretch[u64((i64(cells[p]) ^ HALF) >> 4)])
                elif kind == COUNTS:
                    seen = i64(four[u64(k)])
                    if node == 0:
                        zero = (seen & 15) + ((seen >> 4) & 15)
                        one = ((seen >> 8) & 15) + ((seen >> 12) & 15)
                    elif node == 1:
                        zero, one = seen & 15, (seen >> 4) & 15
                    else:
                        zero, one = (seen >> 8) & 15, (seen >> 12) & 15
                    spot = number * MAP_ROWS + (node << 10 | zero << 5 | one)
                    spots[u64(k)] = spot
                    number += 1
                    if sure < 0:
                        sure = min(zero + one, i64(15)) >> 1
                    if zero + one > 0:
                        known += 1
                        value = i32(stretch[u64(u32(maps[u64(spot)]) >> u32(20))])
                else:
                    guess = i64(guessed[u64(k)])
                    if guess >= 0 and (half == 0 or guess >> 1 == first):
                        spot = guesser * GUESSES + i64(spots[u64(k)]) + half
                        value = i32(stretch[u64(u32(guesses[u64(spot)]) >> u32(20))])
                        expected = (guess >> 1) if half == 0 else (guess & 1)
                        if expected == 0:
                            value = i32(-value)
                    guesser += 1
                x[u64(k)] = value
            near = i64(before & u64(255))
            chosen[0] = i64(STARTS[0]) + best * 3 + node
            chosen[1] = i64(STARTS[1]) + near * 3 + node
            chosen[2] = i64(STARTS[2]) + (known * 8 + max(sure, i64(0))) * 3 + node
            chosen[3] = i64(STARTS[3]) + (frame + 6 * margin + 48 * (near & 15)) * 3 + node
            top = (best * 3 + node) * SETS
            total = i64(0)
            for k in range(SETS):
                mixed = i64(bounded(i64(dot(x, weights, i64(chosen[u64(k)]) * lanes, vectors)) >> 8))
                dots[u64(k)] = mixed
                chances[u64(k)] = i64(squashed(mixed, squash))
                total += mixed * i64(final[u64(top + k)])
            chance = i64(squashed(bounded(total >> 16), squash))
            if decode:
                bit, low, high, window, at = decode_step(low, high, window, at, coded, chance)
                symbol = symbol << 1 | bit
            else:
                low, high, at = encode_step(low, high, at, coded, bit, chance)
            # What was foretold is compared with what came.
            for k in range(SETS):
                row = i64(chosen[u64(k)])
                used = i64(uses[u64(row)])
                uses[u64(row)] = u32(min(used + 1, i64(MOST_USES)))
                error = i32(error_of(bit, i64(chances[u64(k)]), RATE + WARM // (COOL + used)))
                train(x, weights, row * lanes, vectors, error)
            error = i64(error_of(bit, chance, i64(FINAL_RATE)))
            for k in range(SETS):
                weight = i64(final[u64(top + k)]) + ((i64(dots[u64(k)]) * error + 8192) >> 14)
                final[u64(top + k)] = i32(max(min(weight, i64(1 << 19)), i64(-(1 << 19))))
            target = bit * 4194303
            guesser = i64(0)
            for k in range(models):
                kind = i64(plan[u64(k * COLUMNS + KIND)])
                if kind == COUNTS:
                    learn(maps, i64(spots[u64(k)]), target, i64(LIMIT), rates)
                elif kind == MATCHES:
                    guess = i64(guessed[u64(k)])
                    if guess >= 0 and (half == 0 or guess >> 1 == first):
                        expected = (guess >> 1) if half == 0 else (guess & 1)
                        spot = guesser * GUESSES + i64(spots[u64(k)]) + half
                        learn(guesses, spot, i64(4194303) if expected == bit else i64(0), i64(LIMIT), rates)
                    guesser += 1
            if half == 0:
                first = bit
        if decode:
            place = u64(i >> 2)
            data[place] = u8(i64(data[place]) | symbol << (6 - 2 * (i & 3)))
        # All models learn the nucleotide.
        if framed >= 0:
            p = u64(framed * COLUMNS)
            order = i64(plan[p + u64(ORDER)])
            base = i64(plan[p + u64(BASE)])
            bits = i64(plan[p + u64(BITS)])
            row = i64(row_of(last(before, order), order, bits))
            for r in range(6):
                cell = u64((base + (i64(frame_of(i64(r), third)) << bits) + row) << 2)
                one = (i64(cells[cell]) ^ HALF) >> 8
                two = (i64(cells[cell + u64(1 + (symbol >> 1))]) ^ HALF) >> 8
                cost = i64(costs[u64(one if symbol >> 1 else 255 - one)])
                cost += i64(costs[u64(two if symbol & 1 else 255 - two)])
                spent[u64(r)] += cost - (i64(spent[u64(r)]) >> COST_SHIFT)
        known_before = i64(i)
        was = before
        before = u64((before << u64(2)) | u64(symbol))
        beyond = u64((beyond >> u64(2)) | (u64(3 - symbol) << u64(62)))
        for k in range(models):
            p = u64(k * COLUMNS)
            kind = i64(plan[p + u64(KIND)])
            order = i64(plan[p + u64(ORDER)])
            base = i64(plan[p + u64(BASE)])
            bits = i64(plan[p + u64(BITS)])
            if kind != MATCHES and known_before >= order:
                context = u64(beyond >> u64(64 - 2 * order))
                row = base + i64(row_of(context, order, bits))
                if kind == FRAMES:
                    if frame < 3:
                        row += (3 + (frame - order) % 3) << bits
                    else:
                        row += ((frame + order) % 3) << bits
                others[u64(k)] = row
                if kind == COUNTS:
                    other_checks[u64(k)] = i64(check_of(context, order, bits))
                    prefetch(counts, row << 1)
                    prefetch(counts, (base + i64(row_of(last(before, order), order, bits))) << 1)
                elif order >= 8:
                    prefetch(cells, row << 2)
        for k in range(models):
            p = u64(k * COLUMNS)
            kind = i64(plan[p + u64(KIND)])
            order = i64(plan[p + u64(ORDER)])
            if kind == MATCHES:
                guess = i64(guessed[u64(k)])
                if guess >= 0:
                    past = (i64(missed[u64(k)]) << 1) & 0xFFFF
                    length = min(i64(lengths[u64(k)]) + 1, i64(65535))
                    if guess != symbol:
                        past = past | 1
                        length = i64(1) if i64(ones(past)) <= FORGIVEN else i64(0)
                    pointer = i64(pointers[u64(k)])
                    if i64(plan[p + u64(TABLE)]) == 0:
                        pointer += 1
                    else:
                        pointer -= 1
                        if pointer < 0:
                            length = i64(0)
                    pointers[u64(k)] = pointer
                    lengths[u64(k)] = length
                    missed[u64(k)] = past
            else:
                gone = 3 - (i64(was >> u64(2 * (order - 1))) & 3)
                if kind == COUNTS:
                    fades = order >= FADING
                    counted_on(counts, i64(rows[u64(k)]), i64(checks[u64(k)]), symbol, fades)
                    if known_before >= order:
                        counted_on(counts, i64(others[u64(k)]), i64(other_checks[u64(k)]), gone, fades)
                else:
                    follow(cells, i64(rows[u64(k)]), symbol, steps)
                    if known_before >= order:
                        follow(cells, i64(others[u64(k)]), gone, steps)
        third = third + 1 if third < 2 else i64(0)
        if i & 3 == 3:
            reached[0] += 1
    put_back(coder, low, high, window, at)
