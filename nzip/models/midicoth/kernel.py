"""The kernels of the `midicoth` engine: contexts, prediction, mixing, denoising, coding, learning.

The method is R. Tacconelli, "Micro-Diffusion Compression: Binary Tree Tweedie Denoising", 2026: five online components
(PPM of orders 0 to 4, a match model, a word trie with pairs of words, contexts of orders 5 to 8, and a calibration of
the binary decisions by counted residuals with shrinkage). Where this differs, docs/reference/MIDICOTH.md says how and
why; it is the specification, and tests/naive_midicoth.py says the same in plain Python and must agree to the bit.

Invariants:
* Integers only, and every width is written: u64, i64 and so on are casts when compiled, and wrap by masks when numba
  is switched off. Sums of 32-bit products are exact whatever their order.
* Wrappers own all memory; kernels fill arrays. An array is indexed by unsigned numbers, which numba does not check
  for a sign, so each index stays in range for any input: damaged payloads lead to wrong bytes and nothing else.
* A slot holds 1..256 entries of different symbols with counts 1..255, and a block of the pool belongs to one slot or
  stands in one free list.
* Tables are arguments and never globals, which would become part of the machine code.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u16, u32, u64, width
from nzip.entropy.jit import bare
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import learn
from nzip.models.cm.components.match import failed, followed, looked_up, trust_of
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.vectors import dot8, prefetch, train8
from nzip.models.midicoth.layout import (
    BIAS,
    BY_LAST,
    CELL_LIMIT,
    CFG_BITS,
    CFG_MATCH_BITS,
    CFG_PARTS,
    CFG_UNITS,
    CONTEXTS,
    DENOISE,
    DIRECT,
    DOUBT,
    ENTRY_MAX,
    EXPECTED,
    EXPERTS,
    FIRST,
    HIGH_ORDERS,
    INLINE,
    INPUTS,
    K1,
    K2,
    K3,
    K4,
    K5,
    KNOT,
    KNOTS,
    LEAST_MASS,
    LISTS,
    MAP_LIMIT,
    MASS,
    MATCH,
    MORE,
    ORDER4,
    ORDER8,
    PPM_MORE,
    RATE,
    REFINE,
    SEE_LIMIT,
    SET_NODE,
    SET_ORDER,
    SETS,
    SHAPE1,
    SHAPE2,
    SHAPE3,
    SHAPES,
    SIZES,
    SLOT,
    STRETCH_MAX,
    UNIT,
    WORD,
    WORDS,
)  # fmt: skip


@bare
def take(cells: Array, heads: Array, size: int, units: int, base: int) -> Any:
    """Return the number of a free block of UNIT << size entries, or -1. heads: int64 (SIZES + 1,), the top last."""
    head = i64(heads[u64(size)])
    if head > 0:
        at = base + (head - 1) * UNIT
        heads[u64(size)] = i64(cells[u64(at)]) | (i64(cells[u64(at + 1)]) << 16)
        return head - 1
    top = i64(heads[SIZES])
    if top + (1 << size) > units:
        return i64(-1)
    heads[SIZES] = top + (1 << size)
    return top


@bare
def give(cells: Array, heads: Array, at: int, base: int) -> None:
    """Put back the block of the slot at cells[at]."""
    block = i64(cells[u64(at + 2)]) | (i64(cells[u64(at + 3)]) << 16)
    size = i64(cells[u64(at + 4)])
    head = i64(heads[u64(size)])
    to = base + block * UNIT
    cells[u64(to)] = u16(head)
    cells[u64(to + 1)] = u16(head >> 16)
    heads[u64(size)] = block + 1


@bare
def find(cells: Array, line: int, check: int) -> Any:
    """Return the slot in use, of the four from `line` on, whose check is right, or -1."""
    for k in range(4):
        at = (line + k) * SLOT
        if i64(cells[u64(at)]) == check and cells[u64(at + 1)] > 0:
            return line + k
    return i64(-1)


@bare
def make(cells: Array, heads: Array, base: int, line: int, check: int) -> Any:
    """Give up the least of the four slots from `line` on for a new context; return it, without entries."""
    best = line
    least = i64(1) << 40
    for k in range(4):
        at = (line + k) * SLOT
        n = i64(cells[u64(at + 1)])
        worth = n << 8
        if 0 < n <= INLINE:
            worth += i64(cells[u64(at + 2)]) >> 8
        if worth < least:
            least = worth
            best = line + k
    at = best * SLOT
    if i64(cells[u64(at + 1)]) > INLINE:
        give(cells, heads, at, base)
    cells[u64(at)] = u16(check)
    cells[u64(at + 1)] = u16(0)
    return best


@bare
def entries(cells: Array, slot: int, base: int) -> Any:
    """Return where in `cells` the entries of a slot begin."""
    at = slot * SLOT
    if i64(cells[u64(at + 1)]) > INLINE:
        return base + (i64(cells[u64(at + 2)]) | (i64(cells[u64(at + 3)]) << 16)) * UNIT
    return at + 2


@bare
def count(cells: Array, heads: Array, units: int, base: int, slot: int, symbol: int, more: int) -> None:
    """Count `symbol` in `slot`: `more` if it is there already, else FIRST."""
    at = slot * SLOT
    n = i64(cells[u64(at + 1)])
    start = entries(cells, slot, base)
    for k in range(start, start + n):
        e = i64(cells[u64(k)])
        if (e & 255) == symbol:
            e += more << 8
            if k > start and (i64(cells[u64(k - 1)]) >> 8) <= (e >> 8):
                cells[u64(k)] = cells[u64(k - 1)]
                cells[u64(k - 1)] = u16(e)
            else:
                cells[u64(k)] = u16(e)
            if (e >> 8) > ENTRY_MAX:
                for j in range(start, start + n):
                    e = i64(cells[u64(j)])
                    half = (e >> 8) - (e >> 9)
                    cells[u64(j)] = u16((half << 8) | (e & 255))
            return
    size = i64(-1)
    room = i64(INLINE)
    if n > INLINE:
        size = i64(cells[u64(at + 4)])
        room = i64(UNIT) << size
    if n == room and size < SIZES - 1:
        block = take(cells, heads, size + 1, units, base)
        if block >= 0:
            to = base + block * UNIT
            for k in range(n):
                cells[u64(to + k)] = cells[u64(start + k)]
            if size >= 0:
                give(cells, heads, at, base)
            cells[u64(at + 2)] = u16(block)
            cells[u64(at + 3)] = u16(block >> 16)
            cells[u64(at + 4)] = u16(size + 1)
            start = to
            room = i64(UNIT) << (size + 1)
    if n == room:
        n = room - 1  # the pool is full: the last entry goes
    cells[u64(start + n)] = u16((FIRST << 8) | symbol)
    cells[u64(at + 1)] = u16(n + 1)


@bare
def address(
    cells: Array, lines: Array, checks: Array, direct: int, shift: int, last8: int, word: int, word1: int, gap: int
) -> None:
    """Find the line and the check of each context, and ask for the lines."""
    lines[0] = direct
    lines[1] = direct + 4 + i64(last8 & u64(255))
    for o in range(2, CONTEXTS):
        if o <= ORDER8:
            t = u64(u64(last8 << u64(64 - 8 * o)) * u64(K1))
        elif o == WORD:
            t = u64(word ^ u64(gap * u64(K4)))
        else:
            t = u64(u64(u64(word + u64(K5)) * u64(K1)) ^ u64(word1 * u64(K2)) ^ u64(gap * u64(K4)))
        t = u64(u64(u64(t ^ (t >> u64(29))) + u64(o)) * u64(K3))
        t = u64(u64(t ^ (t >> u64(32))) * u64(K2))
        lines[u64(o)] = i64(t >> shift) & ~3
        checks[u64(o)] = i64(t & u64(0xFFFF))
        prefetch(cells, lines[u64(o)] * SLOT)


@bare
def log(x: int, logs: Array) -> Any:
    """Return ln(2 x) * 2^16, from the 11 highest bits of x (1 or more)."""
    digits = width(x)
    f = x >> (digits - 11) if digits > 11 else x << (11 - digits)
    return digits * i64(logs[1024]) + i64(logs[u64(f - 1024)])


@bare
def stretch(cell: int, logs: Array) -> Any:
    """Return the probability of an adaptive cell in the stretch domain; 22 bits stay within +-STRETCH_MAX + 833."""
    p = i64(cell >> u32(10))
    return max(min((log(p + 1, logs) - log((1 << 22) - p, logs)) >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX))


@bare
def code(
    decode: bool,
    buf: Array,  # uint8 (size,): the block; decoding fills it
    coded: Array,  # uint8: the coded bits; encoding fills it
    coder: Array,  # int64 (4,): as `nzip.entropy.bounds.begin` makes it
    settings: Array,  # int64 (CFG_SIZE,)
    cells: Array,  # uint16: slots, then the blocks of the pool; starts at a cache line
    table: Array,  # uint32 (lengths << match bits,): where the match model saw a hash last, by length
    lengths: Array,  # int64: match lengths, longest first
    see: Array,  # uint32 (5 * 8 * 16 * 4,): how often an order does not know the symbol; cells as in maps
    maps: Array,  # uint32 (16 * 256 + 128,): probability 22 bits, count 10 bits
    weights: Array,  # int32 (ROWS * INPUTS,): 16 fractional bits
    sums: Array,  # int32 (2 * CELLS,): sum of residuals, then sum of their squares and number
    squash: Array,  # int32 (2 * STRETCH_MAX + 1,): 16 bits
    logs: Array,  # int32 (1025,): ln(1 + f / 1024) with 16 fractional bits
    rates: Array,  # int32 (1024,)
    level: Array,  # uint8 (256,): levels of counts
    reached: Array,  # int64 (1,): the byte of `buf` that the kernel is at, for those who show it
) -> None:
    """Encode `buf` into `coded`, or decode it.

    Encoding stops once `coded` is full: the coder then has counted more bytes than there is room for.
    """
    size = i64(buf.shape[0])
    room = i64(coded.shape[0])
    units = i64(settings[CFG_UNITS])
    parts = i64(settings[CFG_PARTS])
    match_bits = i64(settings[CFG_MATCH_BITS])
    direct = i64(1) << i64(settings[CFG_BITS])
    base = (direct + DIRECT) * SLOT
    shift = u64(64 - i64(settings[CFG_BITS]))
    kinds = i64(lengths.shape[0])

    heads = zeros(SIZES + 1, i64)
    lines = zeros(CONTEXTS, i64)  # where each context's slot may lie
    checks = zeros(CONTEXTS, i64)
    old_lines = zeros(CONTEXTS, i64)
    old_checks = zeros(CONTEXTS, i64)
    where = zeros(CONTEXTS, i64)  # the slot found, or -1
    chosen = zeros(5, i64)  # cells of see, or -1
    marks = zeros(256, i64)  # when a symbol became a candidate last
    symbols = zeros(256, i64)  # PPM's candidates that agree with the bits so far
    masses = zeros(256, i64)
    listed = zeros(LISTS * 256, i32)  # entries of the other experts that agree with the bits so far
    many = zeros(LISTS, i64)
    total = zeros(LISTS, i64)
    map_of = zeros(LISTS, i64)
    used = zeros(LISTS, i64)  # cells of maps
    x = zeros(INPUTS, i32)
    rows = zeros(SETS, i64)
    dots = zeros(SETS, i64)
    views = zeros(2, i64)
    inverse = zeros(CELL_LIMIT + DOUBT, i64)  # 2^24 / k
    for k in range(1, CELL_LIMIT + DOUBT):
        inverse[k] = (1 << 24) // k
    x[5] = i32(BIAS)

    low, high, window, at = taken(coder)

    last8 = u64(0)  # the last eight bytes
    last16 = u64(0)  # the eight before
    word = u64(0)  # hash of the letters of this word, 0 outside one
    word1 = u64(0)  # of the word before
    gap = u64(0)  # hash of what came since the word ended, 0 inside one
    pointer = i64(0)  # of the match: where the byte expected next stands
    length = i64(0)  # of the match, 0 for none
    missed = i64(0)  # one bit a byte that a match predicted, 1 where it failed
    address(cells, lines, checks, direct, shift, last8, word, word1, gap)
    for pos in range(size):
        reached[0] = pos
        # ---- match model
        c1 = i64(last8 & u64(255))
        pointer, length, missed = followed(buf, c1, pointer, length, missed)
        if parts & MATCH:
            for k in range(kinds):
                least = i64(lengths[u64(k)])
                if pos >= least:
                    if least <= 8:
                        t = u64(u64(last8 << u64(64 - 8 * least)) * u64(K1))
                    else:
                        t = u64(u64(last8 * u64(K1)) ^ u64(u64(last16 << u64(128 - 8 * least)) * u64(K3)))
                    t = u64(u64(t ^ (t >> u64(32))) * u64(K2))
                    h = (k << match_bits) + i64(t >> u64(64 - match_bits))
                    pointer, length = looked_up(table, h, buf, pos, least, pointer, length)
        expected = i64(-1)
        grade = i64(0)
        if length > 0:
            expected = i64(buf[u64(pointer)])
            if length < 16:
                grade = length
            elif length < 32:
                grade = 16 + ((length - 16) >> 2)
            else:
                grade = min(20 + ((length - 32) >> 5), i64(31))

        # ---- PPM: method C with exclusion; the escapes are learned
        stamp = pos + 1
        candidates = i64(0)
        left = i64(1) << MASS
        order = i64(-1)  # the highest that has a part in the prediction, and the counts it has
        confidence = i64(0)
        for j in range(5):
            o = ORDER4 - j
            chosen[u64(o)] = -1
            if o >= 2:
                slot = find(cells, lines[u64(o)], checks[u64(o)])
            else:
                slot = i64(lines[u64(o)])
                if cells[u64(slot * SLOT + 1)] == 0:
                    slot = i64(-1)
            where[u64(o)] = slot
            if slot < 0:
                continue
            n = i64(cells[u64(slot * SLOT + 1)])
            start = entries(cells, slot, base)
            before = candidates
            counts = i64(0)
            for k in range(start, start + n):
                e = i64(cells[u64(k)])
                s = e & 255
                if marks[u64(s)] != stamp:
                    marks[u64(s)] = stamp
                    symbols[u64(candidates)] = s
                    masses[u64(candidates)] = e >> 8
                    counts += e >> 8
                    candidates += 1
            fresh = candidates - before
            if fresh == 0:
                continue
            if order < 0:
                order = o
                confidence = counts
            if fresh <= 4:
                wide = fresh - 1
            else:
                wide = 4 + i64(fresh >= 7) + i64(fresh >= 12) + i64(fresh >= 24)
            if fresh == 1:
                deep = i64(level[u64(counts)])
            else:
                deep = min(width(i64(u64(4 * counts) // u64(fresh))), i64(15))
            cell = (((o * 8 + wide) * 16 + deep) << 2) + i64(before > 0) + 2 * i64(n - fresh > fresh)
            chosen[u64(o)] = cell
            escaped = (left >> 22) * i64(see[u64(cell)] >> u32(10))
            scale = i64(u64(left - escaped) // u64(counts))
            for k in range(before, candidates):
                masses[u64(k)] = masses[u64(k)] * scale
            left = escaped
        even = (left >> 8) + (1 << LEAST_MASS)  # every symbol has this much beside
        whole = even << 8
        most = i64(0)
        for k in range(candidates):
            whole += masses[u64(k)]
            most = max(most, i64(masses[u64(k)]))
        shape = i64(most > SHAPE1) + i64(most > SHAPE2) + i64(most > SHAPE3)

        # ---- the experts that are counts
        peak = i64(0)  # the high order found, less 4
        total[0] = 0
        total[1] = 0
        total[2] = 0
        for j in range(6):
            o = ORDER8 - j if j < 4 else WORD + j - 4
            if (parts & HIGH_ORDERS) if j < 4 else (parts & WORDS):
                slot = find(cells, lines[u64(o)], checks[u64(o)])
                where[u64(o)] = slot
                if slot >= 0 and (j >= 4 or peak == 0):
                    i = max(j - 3, i64(0))
                    if j < 4:
                        peak = o - ORDER4
                        map_of[0] = peak
                    else:
                        map_of[u64(i)] = 3 + 2 * i + i64(word != u64(0))
                    n = i64(cells[u64(slot * SLOT + 1)])
                    start = entries(cells, slot, base)
                    counts = i64(0)
                    for k in range(n):
                        e = i64(cells[u64(start + k)])
                        listed[u64((i << 8) + k)] = i32(e)
                        counts += e >> 8
                    many[u64(i)] = n
                    total[u64(i)] = counts

        symbol = i64(0)
        if not decode:
            symbol = i64(buf[u64(pos)])
        partial = i64(1)  # a one, then the bits of this byte so far: the node of the tree
        for bit in range(8):
            if parts & (DENOISE | REFINE):
                row = (BY_LAST + (c1 << 8) + partial) * KNOTS * 2
                prefetch(sums, row)
                prefetch(sums, row + 16)
            down = 7 - bit

            # ---- what each expert says of this node
            ones = even << down
            for k in range(candidates):
                ones += masses[u64(k)] & -((symbols[u64(k)] >> down) & 1)
            noughts = whole - ones
            x[0] = i32(max(min((log(ones, logs) - log(noughts, logs)) >> 8, i64(STRETCH_MAX)), i64(-STRETCH_MAX)))
            for i in range(LISTS):
                x[u64(1 + i)] = i32(0)
                if total[u64(i)] > 0:
                    n1 = i64(0)
                    for k in range(i << 8, (i << 8) + many[u64(i)]):
                        e = i64(listed[u64(k)])
                        n1 += (e >> 8) & -((e >> down) & 1)
                    n0 = total[u64(i)] - n1
                    cell = i64(map_of[u64(i)]) << 8
                    cell += i64(level[u64(min(n0, i64(255)))]) << 4
                    cell += i64(level[u64(min(n1, i64(255)))])
                    used[u64(i)] = cell
                    x[u64(1 + i)] = i32(stretch(u32(maps[u64(cell)]), logs))
            guess = i64(-1)  # the bit that the match expects
            match_cell = i64(0)
            x[4] = i32(0)
            if expected >= 0:
                if ((expected | 256) >> (8 - bit)) == partial:
                    guess = (expected >> down) & 1
                    match_cell = EXPECTED + grade * 4 + trust_of(missed)
                    p = i64(stretch(u32(maps[u64(match_cell)]), logs))
                    x[4] = i32(p if guess else -p)
                else:
                    expected = i64(-1)
                    length = i64(0)
                    missed = failed(missed)

            # ---- blend
            mixed = i64(x[0])
            if parts & EXPERTS:
                found = i64(0)
                if guess >= 0:
                    found = 1 + (grade >> 2)
                rows[0] = (found * 5 + (peak if total[0] > 0 else 0)) * 4 + i64(total[1] > 0) * 2 + i64(total[2] > 0)
                rows[1] = SET_NODE + partial
                rows[2] = SET_ORDER + (order + 1) * 8 + bit
                mixed = i64(0)
                for k in range(SETS):
                    acc = i64(dot8(x, weights, i64(0), rows[u64(k)] * INPUTS))
                    dots[u64(k)] = bounded(acc >> 8)
                    mixed += dots[u64(k)]
                mixed = (mixed * 21845) >> 16
            blended = squashed(mixed, squash)

            # ---- denoise
            p1 = blended
            part = i64(0)
            if parts & (DENOISE | REFINE):
                z = mixed + STRETCH_MAX + 1
                knot = z >> KNOT
                part = z & ((1 << KNOT) - 1)
                node = partial
                if bit >= 3:
                    node = 8 + ((bit - 3) << 2) + i64(u32(u32(partial) * u32(2654435761)) >> u32(30))
                group = i64(order >= 2) + i64(order >= 4)
                trusted = min(width(confidence) >> 1, i64(3))
                form = shape
                if guess >= 0:
                    form += 4 + 4 * i64(length >= 16)
                views[0] = ((((node * 3 + group) * 4 + trusted) * SHAPES + form) * KNOTS + knot) * 2
                views[1] = ((BY_LAST + (c1 << 8) + partial) * KNOTS + knot) * 2
                change = i64(0)
                for i in range(2):
                    centre = i64(squash[u64(min((knot + i) << KNOT, i64(2 * STRETCH_MAX)))])
                    near = part if i else (1 << KNOT) - part
                    neutral = DOUBT * ((centre * (65536 - centre)) >> 18) + 1
                    for k in range(2):
                        residuals = i64(sums[u64(views[u64(k)] + 2 * i)])
                        rest = i64(sums[u64(views[u64(k)] + 2 * i + 1)])
                        if parts & DENOISE:
                            n = (rest & 255) + DOUBT
                            squares = (rest >> 8) + neutral
                            trust = min(i64(u64(u64(residuals * residuals) >> u64(10)) // u64(squares)), i64(256))
                            change += ((((residuals * i64(inverse[u64(n)])) >> 16) * trust) >> 8) * near
                        else:
                            change += ((residuals << 2) + (centre << 8) - (blended << 8)) * near
                p1 = blended + (change >> (KNOT + 9))
            p1 = max(min(p1, i64(65535)), i64(1))

            # ---- code
            y = (symbol >> down) & 1
            if decode:
                y, low, high, window, at = decode_step(low, high, window, at, coded, p1)
            else:
                low, high, at = encode_step(low, high, at, coded, y, p1)

            # ---- learn from the bit
            if parts & DENOISE:
                error = (y << 16) - blended
                for k in range(2):
                    cell = views[u64(k)] + 2 * (part >> (KNOT - 1))
                    residuals = i64(sums[u64(cell)]) + error
                    rest = i64(sums[u64(cell + 1)]) + (((error * error) >> 18) << 8) + 1
                    if (rest & 255) == CELL_LIMIT:
                        residuals >>= 1
                        rest = ((rest >> 9) << 8) | (CELL_LIMIT >> 1)
                    sums[u64(cell)] = i32(residuals)
                    sums[u64(cell + 1)] = i32(rest)
            elif parts & REFINE:
                upper = part >> (KNOT - 1)
                centre = i64(squash[u64(min((knot + upper) << KNOT, i64(2 * STRETCH_MAX)))])
                for k in range(2):
                    cell = views[u64(k)] + 2 * upper
                    n = i64(sums[u64(cell + 1)])
                    p = i64(sums[u64(cell)]) + (centre << 6)
                    p += (((y << 22) - y - p) * i64(rates[u64(n + 6)])) >> 16
                    sums[u64(cell)] = i32(p - (centre << 6))
                    sums[u64(cell + 1)] = i32(min(n + 1, i64(CELL_LIMIT)))
            if parts & EXPERTS:
                for k in range(SETS):
                    error = error_of(y, squashed(i64(dots[u64(k)]), squash), RATE)
                    train8(x, weights, i64(0), rows[u64(k)] * INPUTS, i32(error))
            if guess >= 0:
                target = i64(4194303) if guess == y else i64(0)
                learn(maps, match_cell, target, i64(MAP_LIMIT), rates)

            # ---- go down to the left or to the right
            whole = ones if y else noughts
            n = i64(0)
            for k in range(candidates):
                s = i64(symbols[u64(k)])
                symbols[u64(n)] = s
                masses[u64(n)] = masses[u64(k)]
                n += ((s >> down) & 1) ^ y ^ 1
            candidates = n
            for i in range(LISTS):
                if total[u64(i)] > 0:
                    cell = i64(used[u64(i)])
                    learn(maps, cell, y * 4194303, i64(MAP_LIMIT), rates)
                    n = i << 8
                    counts = i64(0)
                    for k in range(i << 8, (i << 8) + many[u64(i)]):
                        e = i64(listed[u64(k)])
                        agrees = ((e >> down) & 1) ^ y ^ 1
                        listed[u64(n)] = i32(e)
                        counts += (e >> 8) & -agrees
                        n += agrees
                    many[u64(i)] = n - (i << 8)
                    total[u64(i)] = counts
            partial = (partial << 1) | y

        symbol = partial & 255
        if decode:
            buf[u64(pos)] = u8(symbol)

        # ---- move on: the memory answers while the byte is counted
        last16 = u64((last16 << u64(8)) | (last8 >> u64(56)))
        last8 = u64((last8 << u64(8)) | u64(symbol))
        letter = i64(0)
        if 97 <= symbol <= 122 or symbol >= 128 or 48 <= symbol <= 57 or symbol == 39 or symbol == 45:
            letter = symbol
        elif 65 <= symbol <= 90:
            letter = symbol + 32
        if letter > 0:
            word = u64(u64(word + u64(letter)) * u64(K5))
            gap = u64(0)
        else:
            if word != u64(0):
                word1 = word
                word = u64(0)
            gap = u64(u64(gap + u64(symbol + 1)) * u64(K5))
        lines, old_lines = old_lines, lines
        checks, old_checks = old_checks, checks
        address(cells, lines, checks, direct, shift, last8, word, word1, gap)

        # ---- count the byte in PPM's orders, down to the one that knew it, in the high orders down to the one that
        # spoke, and in both contexts of words
        known = i64(0)
        for j in range(CONTEXTS):
            o = ORDER4 - j if j <= ORDER4 else j
            if j <= ORDER4:
                if known:
                    continue
            elif j <= ORDER8:
                if not (parts & HIGH_ORDERS) or j < ORDER4 + peak:
                    continue
            elif not (parts & WORDS):
                continue
            slot = i64(where[u64(o)])
            if slot < 0:
                slot = i64(old_lines[u64(o)])
                if o >= 2:
                    slot = make(cells, heads, base, slot, old_checks[u64(o)])
            elif j <= ORDER4:
                n = i64(cells[u64(slot * SLOT + 1)])
                start = entries(cells, slot, base)
                for k in range(start, start + n):
                    known |= i64((i64(cells[u64(k)]) & 255) == symbol)
                cell = i64(chosen[u64(o)])
                if cell >= 0:
                    target = i64(0) if known else i64(4194303)
                    learn(see, cell, target, i64(SEE_LIMIT), rates)
            count(cells, heads, units, base, slot, symbol, i64(PPM_MORE) if j <= ORDER4 else i64(MORE))
        if not decode and at > room:
            break

    put_back(coder, low, high, window, at)
