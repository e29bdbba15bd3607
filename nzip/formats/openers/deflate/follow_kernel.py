"""Streams of encoders that are not ours: each token is coded by what a search of our own makes likely.

One body codes and decodes. At each token it looks for the longest match there, and at the byte behind. Whether a
match was taken, its length and its distance are binary decisions under contexts of these, so any encoder that follows
a rule of this kind is soon foreseen, and one that weighs costs is mostly. Codes of blocks are foreseen from the counts
of their symbols. Apart because this imports numba.
"""

from __future__ import annotations

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u32, u64, width
from nzip.entropy.jit import bare
from nzip.formats.openers.deflate import constants
from nzip.formats.openers.deflate.constants import CODE_LENGTHS, DISTANCES, LITERALS, LONGEST, ORDER, SHORTEST
from nzip.formats.openers.deflate.inflate_kernel import read_lengths
from nzip.formats.openers.deflate.layout import KIND_AT, LENGTHS, START_AT, STOP_AT, TOKEN_AT
from nzip.formats.openers.deflate.redo_kernel import longest, step_back
from nzip.formats.openers.deflate.trees_kernel import (
    AT,
    BL,
    CODES,
    DIST,
    FREQ,
    LENS,
    LIT,
    OPT,
    STEP_COUNT,
    STEPS,
    WORK,
    align,
    build,
    build_sorted,
    codes_written,
    count,
    count_steps,
    fixed_codes,
    put,
    put_header,
    put_stored,
    put_tokens,
    runs,
)

# The settings (int64).
DEPTH, NICE, FAMILY, SPARSE, BUILDER, JOINED, BUDGET, MOST_TOKENS, PADDING, WRITTEN = range(10)
START, ON = 10, 11  # of a part of a stream: bytes before it, in which matches are found; whether it goes on behind
OVER = 12  # tokens of a block that are coded behind the last one that is wanted, at most
SETTINGS = 16
THREE, FOUR = range(2)  # families: chains of places whose first three or four bytes hash alike

CODING, DECODING = range(2)
HASH_BITS = 15
MASK = constants.FARTHEST - 1
DEEPEST = 1 << 13  # places that are looked at for a distance

# Contexts.
KIND = 0  # 16: of the block
SIZE = 16  # numbers have 128 contexts each
STORED_SIZE = SIZE + 128
TAKEN = STORED_SIZE + 128  # 16 * 10 * 4 * 2
SAME_LENGTH = TAKEN + 1280  # 16 * 8
LONGER = SAME_LENGTH + 128  # 16
SHORTER_BY = LONGER + 16  # 128
LONGER_BY = SHORTER_BY + 128
ANY_LENGTH = LONGER_BY + 128  # 256
NEAREST = ANY_LENGTH + 256  # 16 * 3
HOPS = NEAREST + 48  # 2 * 128
FAR = HOPS + 256  # 32: the bits of a distance that is found nowhere
TREE = FAR + 32  # 3 * 64
TREE_SAME = TREE + 192  # 8
RUN = TREE_SAME + 8  # 64
RUN_BITS = RUN + 64  # 128
DISTANCE_WIDTH = RUN_BITS + 128  # 16
CONTEXTS = DISTANCE_WIDTH + 16
LIMIT = 1023


@bare
def bit(mode: int, y: int, context: int, probs: Array, coder: Array, data: Array) -> int:
    """Code or decode a bit under a context; return it.

    probs (int64): the chance of a 1 in units of 2^-22 << 10 | how often the context was met.
    """
    state = i64(probs[u64(context)])
    chance = state >> 10
    times = state & 1023
    one = chance >> 6
    if one < 1:
        one = 1
    low, high, window, at = taken(coder)
    if mode == CODING:
        low, high, at = encode_step(low, high, at, data, y, u64(one))
    else:
        y, low, high, window, at = decode_step(low, high, window, at, data, u64(one))
    put_back(coder, low, high, window, at)
    # Towards the bit by a share that falls with the times that the context was met.
    if y > 0:
        chance += (((1 << 22) - 1 - chance) * 2) // (2 * times + 3)
    else:
        chance -= (chance * 2) // (2 * times + 3)
    if times < LIMIT:
        times += 1
    probs[u64(context)] = chance << 10 | times
    return y


@bare
def number(mode: int, value: int, context: int, probs: Array, coder: Array, data: Array) -> int:
    """Code or decode a number from 0 to 2^24 - 2: its width in unary, then its bits from the top."""
    value += 1
    wide = width(i64(value))
    n = 1
    while n < 25:
        more = bit(mode, i64(wide > n), context + n, probs, coder, data)
        if more == 0:
            break
        n += 1
    result = 1
    for k in range(n - 2, -1, -1):
        place = context + 32 + (n * 3 + (2 if n - 2 - k > 2 else n - 2 - k) if k > n - 5 else 90)
        result = result << 1 | bit(mode, (value >> k) & 1, place, probs, coder, data)
    return result - 1


@bare
def tree(mode: int, value: int, bits: int, context: int, probs: Array, coder: Array, data: Array) -> int:
    """Code or decode a number of a fixed width, each bit under those before it."""
    node = 1
    for k in range(bits - 1, -1, -1):
        node = node << 1 | bit(mode, (value >> k) & 1, context + node, probs, coder, data)
    return node - (1 << bits)


@bare
def _size_class(length: int) -> int:
    """0 to 15."""
    if length < 3:
        return 0
    if length <= 8:
        return length - 2
    if length <= 10:
        return 7
    if length <= 15:
        return 8
    if length <= 23:
        return 9
    if length <= 31:
        return 10
    if length <= 63:
        return 11
    if length <= 127:
        return 12
    return 13 if length < LONGEST else 14


@bare
def _insert(plain: Array, size: int, p: int, family: int, head: Array, short: Array, before: Array) -> None:
    """Put place p, which has three bytes, into its chain; `short` holds the latest place of three bytes."""
    three = i64(plain[u64(p)]) | i64(plain[u64(p + 1)]) << 8 | i64(plain[u64(p + 2)]) << 16
    if family == THREE:
        h = ((i64(plain[u64(p)]) << 10) ^ (i64(plain[u64(p + 1)]) << 5) ^ i64(plain[u64(p + 2)])) & 0x7FFF
    else:
        four = three | i64(plain[u64(p + 3)]) << 24
        h = ((four * 0x1E35A7BD) & 0xFFFFFFFF) >> 17
    before[u64(p & MASK)] = step_back(p + 1, i64(head[u64(h)]))
    head[u64(h)] = i32(p + 1)
    if family == FOUR:
        h = ((three * 0x1E35A7BD) & 0xFFFFFFFF) >> 17
        before[u64(MASK + 1 + (p & MASK))] = step_back(p + 1, i64(short[u64(h)]))
        short[u64(h)] = i32(p + 1)


@bare
def _match(
    plain: Array, size: int, p: int, family: int, before: Array, depth: int, nice: int
) -> int:
    """Return the longest match at p, which is in its chain, as `longest` does; the length is 2 if there is none."""
    look = size - p
    if look < SHORTEST:
        return 2
    reach = LONGEST if look > LONGEST else look
    enough = reach if nice > reach else nice
    best = 2
    found = 0
    taken_steps = 0
    limit = p - constants.FARTHEST
    if family == FOUR:
        near = p - i64(before[u64(MASK + 1 + (p & MASK))])
        if (
            near < p
            and near >= limit
            and plain[u64(near)] == plain[u64(p)]
            and plain[u64(near + 1)] == plain[u64(p + 1)]
            and plain[u64(near + 2)] == plain[u64(p + 2)]
        ):
            best = 3
            found = near
    near = p - i64(before[u64(p & MASK)])
    if near < p and near >= limit:
        if limit < 0:
            limit = i64(-1)
        result = longest(plain, before, i64(MASK), p, near, limit, best, enough, depth, reach)
        if (result & 511) > best:
            return result
        taken_steps = result >> 40
    return best | found << 9 | taken_steps << 40


@bare
def _hops(plain: Array, p: int, length: int, distance: int, before: Array, wanted: int) -> int:
    """Walk the chain of p over places that match `length` bytes.

    wanted < 0: find how many come before the one at `distance`. Else find the distance of the place behind `wanted`
    such places. Returns that + 1, 0 if it is not there, plus the steps that it took << 40.
    """
    place = p - i64(before[u64(p & MASK)])
    hops = 0
    cost = 0
    result = 0
    for _ in range(DEEPEST):
        away = p - place
        if place < 0 or away > constants.FARTHEST or away <= 0 or (wanted < 0 and away > distance):
            break
        cost += 1
        k = 0
        if plain[u64(place + length - 1)] == plain[u64(p + length - 1)]:
            while k < length and plain[u64(place + k)] == plain[u64(p + k)]:
                k += 1
            cost += k >> 3
        if k == length:
            if wanted < 0 and away == distance:
                result = hops + 1
                break
            if wanted == hops:
                result = away + 1
                break
            hops += 1
        back = i64(before[u64(place & MASK)])
        if back == 0:
            break
        place -= back
    return result | cost << 40


@bare
def _lengths(mode: int, work: Array, which: int, elements: int, most: int, actual: Array, first: int, probs: Array,
             coder: Array, data: Array) -> None:  # fmt: skip
    """Code or decode lengths of codes: differences to those that are foreseen, which stand in `work`."""
    base = TREE + (0 if which == LIT else (64 if which == DIST else 128))
    last = 0
    for n in range(elements):
        foreseen = i64(work[u64(LENS + which + n)])
        now = foreseen
        if mode == CODING:
            now = i64(actual[u64(first + n)])
        known = 1 if i64(work[u64(FREQ + which + n)]) > 0 else 0
        differs = bit(mode, i64(now != foreseen), base + known * 4 + last, probs, coder, data)
        if differs > 0:
            below = bit(mode, i64(now < foreseen), base + 8 + known * 4 + last, probs, coder, data)
            step = 1
            while step < 15:
                away = foreseen - now if now < foreseen else now - foreseen
                more = bit(mode, i64(away > step), base + 16 + known * 16 + step, probs, coder, data)
                if more == 0:
                    break
                step += 1
            now = foreseen - step if below > 0 else foreseen + step
            if now < 0:
                now = 0
            if now > most:
                now = most
            last = 1 + below
        else:
            last = 0
        work[u64(LENS + which + n)] = now


@bare
def _any_differs(work: Array, which: int, elements: int, actual: Array, first: int) -> int:
    for n in range(elements):
        if i64(work[u64(LENS + which + n)]) != i64(actual[u64(first + n)]):
            return 1
    return 0


@bare
def _foreseen_steps(work: Array, joined: int, lits: int, dists: int, lens: Array) -> None:
    """Make the steps of a header; `lens` (int64, 320) is scratch."""
    work[STEP_COUNT] = 0
    if joined == 0:
        runs(work, i64(LENS + LIT), lits)
        runs(work, i64(LENS + DIST), dists)
        return
    # Behind one another, where the counts of symbols stand, which are not needed any more.
    for n in range(lits):
        work[u64(FREQ + n)] = work[u64(LENS + LIT + n)]
    for n in range(dists):
        work[u64(FREQ + lits + n)] = work[u64(LENS + DIST + n)]
    runs(work, i64(FREQ), lits + dists)


@bare
def _step_codes(mode: int, work: Array, total: int, lits: int, steps: Array, probs: Array, coder: Array,
                data: Array) -> bool:  # fmt: skip
    """Code or decode how lengths are written, where it is not as foreseen. steps (int32): as `read_lengths` gives it.
    """
    n = 0
    k = 0
    before = -1
    while n < total:
        at = LENS + LIT + n if n < lits else LENS + DIST + n - lits
        value = i64(work[u64(at)])
        same = 1
        while n + same < total and same < 138:
            at = LENS + LIT + n + same if n + same < lits else LENS + DIST + n + same - lits
            if i64(work[u64(at)]) != value:
                break
            same += 1
        symbol = value
        repeat = 1
        if mode == CODING:
            step = i64(steps[u64(k)])
            symbol = step & 255
            repeat = step >> 8
        able = same >= 3 and (value == 0 or value == before)
        run = 0
        if able:
            context = RUN + (0 if value == 0 else 8) + (same if same < 7 else 7)
            run = bit(mode, i64(symbol > 15), context, probs, coder, data)
        if run > 0:
            most = 6
            again = 1  # the value before once more
            if value == 0:
                again = 0
                if before == 0:
                    again = bit(mode, i64(symbol == 16), i64(RUN + 24), probs, coder, data)
            if again > 0:
                symbol = 16
            else:
                long = bit(mode, i64(symbol == 18), RUN + 16 + (1 if same > 10 else 0), probs, coder, data)
                symbol = 17 + long
                most = 10 if long == 0 else 138
                if long > 0 and same < 11:
                    return False
            if same < most:
                most = same
            whole = bit(mode, i64(repeat == most), RUN + 20 + symbol - 16, probs, coder, data)
            least = 11 if symbol == 18 else 3
            if whole > 0:
                repeat = most
            else:
                repeat = least + tree(mode, (repeat - least) & 127, i64(7), i64(RUN_BITS), probs, coder, data)
            if repeat > most:
                return False
        else:
            symbol = value
            repeat = 1
        work[u64(STEPS + k)] = symbol | repeat << 8
        k += 1
        n += repeat
        before = value
    work[STEP_COUNT] = k
    return True


@bare
def _header(mode: int, work: Array, tables: Array, settings: Array, scratch: Array, steps: Array, lens: Array,
            probs: Array, coder: Array, data: Array, sizes: Array) -> bool:  # fmt: skip
    """Code or decode the header of a dynamic block, whose symbols are counted.

    Coding, `scratch` and `steps` (int32) are what `read_lengths` gave. sizes (int64): the numbers of codes, out.
    """
    work[OPT] = 0
    if i64(settings[BUILDER]) == 0:
        build(work, tables, i64(LIT), i64(LITERALS), i64(15))
        build(work, tables, i64(DIST), i64(DISTANCES), i64(15))
    else:
        build_sorted(work, i64(LIT), i64(LITERALS), i64(15))
        build_sorted(work, i64(DIST), i64(DISTANCES), i64(15))
    first = LENGTHS
    for side in range(2):
        which = LIT if side == 0 else DIST
        elements = LITERALS if side == 0 else DISTANCES
        place = first if side == 0 else first + 288
        differs = 0
        if mode == CODING:
            differs = _any_differs(work, which, elements, scratch, place)
        differs = bit(mode, differs, TREE_SAME + side, probs, coder, data)
        if differs > 0:
            _lengths(mode, work, which, elements, i64(15), scratch, place, probs, coder, data)
        top = elements - 1
        least = 256 if side == 0 else 0
        while top > least and i64(work[u64(LENS + which + top)]) == 0:
            top -= 1
        many = top + 1
        if mode == CODING:
            many = i64(steps[u64(side)])
        more = bit(mode, i64(many != top + 1), TREE_SAME + 2 + side, probs, coder, data)
        if more > 0:
            many = least + 1 + tree(mode, many - least - 1, i64(5), RUN_BITS + 32 * side, probs, coder, data)
            if many > elements:
                return False
        else:
            many = top + 1
        sizes[u64(side)] = many
    lits, dists = i64(sizes[0]), i64(sizes[1])
    _foreseen_steps(work, i64(settings[JOINED]), lits, dists, lens)
    differs = 0
    if mode == CODING:
        differs = 1 if i64(steps[22]) != i64(work[STEP_COUNT]) else 0
        for k in range(i64(steps[22])):
            if i64(steps[u64(23 + k)]) != i64(work[u64(STEPS + k)]):
                differs = 1
    differs = bit(mode, differs, i64(TREE_SAME + 4), probs, coder, data)
    if differs > 0 and not _step_codes(mode, work, lits + dists, lits, steps[23:], probs, coder, data):
        return False
    count_steps(work)
    if i64(settings[BUILDER]) == 0:
        build(work, tables, i64(BL), i64(CODE_LENGTHS), i64(7))
    else:
        build_sorted(work, i64(BL), i64(CODE_LENGTHS), i64(7))
    if mode == CODING:
        written = i64(steps[2])
        for k in range(CODE_LENGTHS):
            lens[u64(k)] = 0
        for k in range(written):
            lens[u64(i64(tables[u64(ORDER + k)]))] = i64(steps[u64(3 + k)])
        differs = _any_differs(work, i64(BL), i64(CODE_LENGTHS), lens, i64(0))
    differs = bit(mode, differs, i64(TREE_SAME + 5), probs, coder, data)
    if differs > 0:
        _lengths(mode, work, i64(BL), i64(CODE_LENGTHS), i64(7), lens, i64(0), probs, coder, data)
    foreseen = codes_written(work, tables)
    written = foreseen
    if mode == CODING:
        written = i64(steps[2])
    differs = bit(mode, i64(written != foreseen), i64(TREE_SAME + 6), probs, coder, data)
    if differs > 0:
        written = 4 + tree(mode, written - 4, i64(4), i64(RUN_BITS + 64), probs, coder, data)
        if written > CODE_LENGTHS:
            return False
    work[CODES] = written
    return True


@bare
def follow(
    mode: int, plain: Array, size: int, settings: Array, head: Array, short: Array, before: Array, tokens: Array,
    work: Array, tables: Array, coded: Array, blocks: Array, scratch: Array, steps: Array, probs: Array, coder: Array,
    data: Array, out: Array, limit: int,
) -> int:  # fmt: skip
    """Code a stream's tokens and blocks, or decode them and write the stream.

    plain (uint8): `size` bytes and padding. head, short (int32): zeros. before (uint16): two windows. CODING: tokens
    and blocks are those of the stream `coded`, and coding ends behind the block in which token `limit` stands, or in
    it after OVER tokens more.
    DECODING: tokens (uint32) has room for a block's, and `out` takes the stream. data (uint8): what the coder writes or
    reads. Returns the bytes of the plain text that were coded, below 0 where the data stands for no stream.
    """
    depth, nice = i64(settings[DEPTH]), i64(settings[NICE])
    family, sparse = i64(settings[FAMILY]), i64(settings[SPARSE])
    budget = i64(settings[BUDGET])
    over = i64(settings[OVER])
    lens = work[WORK:]
    sizes = work[WORK + 320 :]
    need = SHORTEST if family == THREE else 4
    p = i64(settings[START])
    on = i64(settings[ON])
    ahead = i64(0)
    block = i64(0)
    kind = i64(2)
    token = i64(0)  # CODING: the next of the stream
    history = i64(0)  # whether lengths were the longest, the latest bit last
    while True:
        final = i64(0)
        now = i64(2)
        if mode == CODING:
            now = i64(blocks[u64(block), KIND_AT]) & 3
            final = i64(block == blocks.shape[0] - 1)
        own = bit(mode, i64(now == 2), KIND + kind, probs, coder, data)
        if own == 0:
            now = bit(mode, i64(now == 1), KIND + 3 + kind, probs, coder, data)
        else:
            now = i64(2)
        final = bit(mode, final, KIND + 6 + now, probs, coder, data)
        kind = now
        n = i64(0)  # tokens
        if kind == 0:
            many = i64(0)
            if mode == CODING:
                many = i64(blocks[u64(block), STOP_AT]) - i64(blocks[u64(block), START_AT])
            many = number(mode, many, i64(STORED_SIZE), probs, coder, data)
            if many > size - p or many > 65535:
                return -1
            if mode == DECODING:
                put_stored(work, out, plain, p, p + many, i64(final > on))
            p += many
        else:
            last_token = -1
            first_token = token
            if mode == CODING:
                last_token = tokens.shape[0]
                if (block + 1) < blocks.shape[0]:
                    last_token = i64(blocks[u64(block + 1), TOKEN_AT])
                n = last_token - token
            if final == 0:
                n = number(mode, n, i64(SIZE), probs, coder, data)
                if n > i64(settings[MOST_TOKENS]):
                    return -1
            cached = 0
            one = i64(0)
            was_literal = 0
            done = i64(0)
            while (done < n) if final == 0 else (p < size):
                look = size - p
                if look <= 0 or (mode == DECODING and done >= tokens.shape[0]):
                    return -1
                if cached == 0:
                    while ahead <= p and ahead + need <= size:
                        _insert(plain, size, ahead, family, head, short, before)
                        ahead += 1
                    one = i64(2)
                    if p + need <= size:
                        one = _match(plain, size, p, family, before, depth, nice)
                        budget -= one >> 40
                length1 = one & 511
                place1 = (one >> 9) & 0x7FFFFFFF
                two = i64(2)
                cached = 0
                if length1 >= SHORTEST and length1 < LONGEST and look > SHORTEST:
                    while ahead <= p + 1 and ahead + need <= size:
                        _insert(plain, size, ahead, family, head, short, before)
                        ahead += 1
                    if p + 1 + need <= size:
                        two = _match(plain, size, p + 1, family, before, depth, nice)
                        budget -= two >> 40
                    cached = 1
                if budget < 0:
                    return -1
                length2 = two & 511
                # What is coded or was.
                actual = i64(0)
                distance = i64(0)
                if mode == CODING:
                    value = i64(tokens[u64(token)])
                    token += 1
                    if value > 255:
                        actual = value & 511
                        distance = value >> 9
                distance1 = p - place1 if length1 >= SHORTEST else 1
                relation = 0
                if length2 >= SHORTEST:
                    nearer = width(i64(distance1)) - width(i64(p + 1 - ((two >> 9) & 0x7FFFFFFF)))
                    gain = length2 - length1
                    if gain < 0:
                        relation = 1
                    elif gain == 0:
                        relation = 2 if nearer <= 2 else 3
                    elif gain == 1:
                        relation = 4 if nearer <= -2 else 5
                    elif gain == 2:
                        relation = 6 if nearer <= -6 else 7
                    else:
                        relation = 8
                away = 0
                if distance1 > 4096:
                    away = 1 if distance1 <= 8192 else (2 if distance1 <= 16384 else 3)
                if length1 > 5:
                    away = history & 3
                size1 = _size_class(length1)
                context = TAKEN + ((size1 * 10 + relation) * 4 + away) * 2 + was_literal
                match = 0
                if look >= SHORTEST:
                    match = bit(mode, i64(actual > 0), context, probs, coder, data)
                if match == 0:
                    if mode == DECODING:
                        tokens[u64(done)] = u32(plain[u64(p)])
                    was_literal = 1 if length1 >= SHORTEST else 0
                    one = two
                    p += 1
                else:
                    cached = 0
                    was_literal = 0
                    same = 0
                    if length1 >= SHORTEST:
                        same = bit(
                            mode, i64(actual == length1), SAME_LENGTH + size1 * 8 + (history & 7), probs, coder,
                            data,
                        )  # fmt: skip
                        history = (history << 1 | same) & 255
                        if same > 0:
                            actual = length1
                        else:
                            above = bit(mode, i64(actual > length1), LONGER + size1, probs, coder, data)
                            if above > 0:
                                actual = length1 + 1 + number(
                                    mode, actual - length1 - 1, i64(LONGER_BY), probs, coder, data
                                )
                            else:
                                actual = length1 - 1 - number(
                                    mode, length1 - 1 - actual, i64(SHORTER_BY), probs, coder, data
                                )
                    else:
                        actual = SHORTEST + tree(mode, actual - SHORTEST, i64(8), i64(ANY_LENGTH), probs, coder, data)
                    if actual > look or actual < SHORTEST or actual > LONGEST:
                        return -1
                    near = 0
                    if same > 0:
                        near = bit(mode, i64(distance == distance1), NEAREST + size1, probs, coder, data)
                    if near > 0:
                        distance = distance1
                    else:
                        # The chain that leads to it: of p, which is in it if it has the bytes.
                        hops = i64(0)  # and 1
                        if mode == CODING and p + need <= size:
                            found = _hops(plain, p, actual, distance, before, i64(-1))
                            budget -= found >> 40
                            hops = found & 0xFFFFFFFF
                        hops = number(mode, hops, HOPS + 128 * same, probs, coder, data)
                        if hops > 0:
                            if p + need > size:
                                return -1
                            if mode == DECODING:
                                found = _hops(plain, p, actual, i64(0), before, hops - 1)
                                budget -= found >> 40
                                distance = (found & 0xFFFFFFFF) - 1
                                if distance < 0:
                                    return -1
                        else:
                            wide = tree(mode, width(i64(distance - 1)), i64(4), i64(DISTANCE_WIDTH), probs, coder, data)
                            rest = 1 if wide > 0 else 0
                            for k in range(wide - 2, -1, -1):
                                rest = rest << 1 | bit(
                                    mode, ((distance - 1) >> k) & 1, FAR + (k if k < 15 else 15), probs, coder, data
                                )
                            distance = rest + 1
                            if distance > p or distance > constants.FARTHEST:
                                return -1
                    if mode == DECODING:
                        tokens[u64(done)] = u32(actual | distance << 9)
                    p += actual
                    if actual > sparse and ahead < p:
                        ahead = p
                done += 1
                if mode == CODING and token >= limit + over:
                    return p
            if mode == CODING:
                count(work, tables, tokens[first_token:], done)
            else:
                count(work, tables, tokens, done)
            if kind == 2:
                found = i64(0)
                if mode == CODING:
                    found = read_lengths(coded, i64(blocks[u64(block), 0]) + 3, scratch, tables, steps)
                if found < 0:
                    return -1
                if not _header(mode, work, tables, settings, scratch, steps, lens, probs, coder, data, sizes):
                    return -1
            if mode == DECODING:
                put(work, out, kind << 1 | i64(final > on), i64(3))
                if kind == 2:
                    put_header(work, tables, out, i64(sizes[0]), i64(sizes[1]))
                else:
                    fixed_codes(work)
                if not put_tokens(work, tables, out, tokens, done):
                    return -1
        block += 1
        if mode == DECODING and i64(work[AT]) > out.shape[0]:
            return -1
        if final > 0 or (mode == CODING and token >= limit):
            break
    if mode == DECODING:
        if on == 0:
            align(work, out, i64(settings[PADDING]))
        settings[WRITTEN] = work[AT]
    return p
