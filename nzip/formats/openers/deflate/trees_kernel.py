"""How blocks are written: Huffman codes as zlib builds them, headers, symbols; apart because this imports numba.

The order in which a heap gives up nodes of equal weight decides about codes, so this follows zlib's heap step by step.
All numbers are in one array, `work` (int64), whose parts are named below.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i64, u8, u64
from nzip.entropy.jit import bare
from nzip.formats.openers.deflate import constants
from nzip.formats.openers.deflate.constants import (
    CODE_LENGTHS,
    DISTANCE_BASE,
    DISTANCE_BITS,
    DISTANCE_SYMBOL,
    DISTANCES,
    END,
    LENGTH_BASE,
    LENGTH_BITS,
    LENGTH_SYMBOL,
    LITERALS,
    ORDER,
)

# Of literals and lengths, of distances, of code lengths: how often symbols occur, the lengths of their codes, the
# codes, and the highest symbol that has one.
FREQ = 0  # + 0, 288, 320
LENS = 352
CODE = 704
LIT, DIST, BL = 0, 288, 320
TOP = 1056  # + 0, 1, 2
OPT, STATIC = 1060, 1061  # bits of the block with its own codes, with the fixed ones
CODES = 1062  # lengths of code lengths that are written
STEP_COUNT = 1063
STEPS = 1064  # 320: how lengths are written: symbol | repeats << 8
NODES = 1400  # 573: weights
PARENT = NODES + 576
DEPTH = PARENT + 576
HEAP = DEPTH + 576
NODE_LENS = HEAP + 576
COUNTS = NODE_LENS + 576  # 16
NEXT = COUNTS + 16
WRITER = NEXT + 16  # bits that are not yet written, their number, bytes written
HELD, HELD_BITS, AT = WRITER, WRITER + 1, WRITER + 2
WORK = WRITER + 8

_HEAP_SIZE = 573


@bare
def _smaller(work: Array, a: int, b: int) -> bool:
    fa, fb = i64(work[u64(NODES + a)]), i64(work[u64(NODES + b)])
    return fa < fb or (fa == fb and i64(work[u64(DEPTH + a)]) <= i64(work[u64(DEPTH + b)]))


@bare
def _sink(work: Array, k: int, size: int) -> None:
    node = i64(work[u64(HEAP + k)])
    j = k << 1
    while j <= size:
        if j < size and _smaller(work, i64(work[u64(HEAP + j + 1)]), i64(work[u64(HEAP + j)])):
            j += 1
        below = i64(work[u64(HEAP + j)])
        if _smaller(work, node, below):
            break
        work[u64(HEAP + k)] = below
        k = j
        j <<= 1
    work[u64(HEAP + k)] = node


@bare
def _extra(tables: Array, tree: int, symbol: int) -> int:
    """Return the extra bits of a symbol."""
    if tree == LIT:
        return i64(tables[u64(LENGTH_BITS + symbol - 257)]) if symbol > END else 0
    if tree == DIST:
        return i64(tables[u64(DISTANCE_BITS + symbol)])
    return 2 if symbol == 16 else (3 if symbol == 17 else (7 if symbol == 18 else 0))


@bare
def fixed_length(tree: int, symbol: int) -> int:
    """Return the length of a symbol's fixed code."""
    if tree == LIT:
        return 8 if symbol < 144 else (9 if symbol < 256 else (7 if symbol < 280 else 8))
    return 5 if tree == DIST else 0


@bare
def build(work: Array, tables: Array, tree: int, elements: int, most: int) -> None:
    """Give the symbols of a tree lengths of at most `most` bits as zlib does; add to the two sums of bits."""
    size = 0
    top = -1
    for n in range(elements):
        freq = i64(work[u64(FREQ + tree + n)])
        work[u64(NODES + n)] = freq
        work[u64(LENS + tree + n)] = 0
        if freq != 0:
            size += 1
            top = n
            work[u64(HEAP + size)] = n
            work[u64(DEPTH + n)] = 0
    while size < 2:
        node = 0
        if top < 2:
            top += 1
            node = top
        size += 1
        work[u64(HEAP + size)] = node
        work[u64(NODES + node)] = 1
        work[u64(DEPTH + node)] = 0
        work[OPT] -= 1
        work[STATIC] -= fixed_length(tree, node)
    work[u64(TOP + (0 if tree == LIT else (1 if tree == DIST else 2)))] = top
    for n in range(size >> 1, 0, -1):
        _sink(work, n, size)
    node = elements
    high = _HEAP_SIZE
    while True:
        a = i64(work[HEAP + 1])
        work[HEAP + 1] = work[u64(HEAP + size)]
        size -= 1
        _sink(work, i64(1), size)
        b = i64(work[HEAP + 1])
        work[u64(HEAP + high - 1)] = a
        work[u64(HEAP + high - 2)] = b
        high -= 2
        work[u64(NODES + node)] = work[u64(NODES + a)] + work[u64(NODES + b)]
        da, db = i64(work[u64(DEPTH + a)]), i64(work[u64(DEPTH + b)])
        work[u64(DEPTH + node)] = (da if da >= db else db) + 1
        work[u64(PARENT + a)] = node
        work[u64(PARENT + b)] = node
        work[HEAP + 1] = node
        node += 1
        _sink(work, i64(1), size)
        if size < 2:
            break
    high -= 1
    work[u64(HEAP + high)] = work[HEAP + 1]
    _lengths(work, tables, tree, high, top, most)


@bare
def _lengths(work: Array, tables: Array, tree: int, high: int, top: int, most: int) -> None:
    for k in range(16):
        work[u64(COUNTS + k)] = 0
    work[u64(NODE_LENS + i64(work[u64(HEAP + high)]))] = 0
    over = 0
    for h in range(high + 1, _HEAP_SIZE):
        n = i64(work[u64(HEAP + h)])
        bits = i64(work[u64(NODE_LENS + i64(work[u64(PARENT + n)]))]) + 1
        if bits > most:
            bits = most
            over += 1
        work[u64(NODE_LENS + n)] = bits
        if n <= top:
            work[u64(COUNTS + bits)] += 1
            extra = _extra(tables, tree, n)
            freq = i64(work[u64(NODES + n)])
            work[OPT] += freq * (bits + extra)
            if tree != BL:
                work[STATIC] += freq * (fixed_length(tree, n) + extra)
    if over > 0:
        while over > 0:
            bits = most - 1
            while i64(work[u64(COUNTS + bits)]) == 0:
                bits -= 1
            work[u64(COUNTS + bits)] -= 1
            work[u64(COUNTS + bits + 1)] += 2
            work[u64(COUNTS + most)] -= 1
            over -= 2
        h = _HEAP_SIZE
        for bits in range(most, 0, -1):
            left = i64(work[u64(COUNTS + bits)])
            while left > 0:
                h -= 1
                n = i64(work[u64(HEAP + h)])
                if n > top:
                    continue
                had = i64(work[u64(NODE_LENS + n)])
                if had != bits:
                    work[OPT] += (bits - had) * i64(work[u64(NODES + n)])
                    work[u64(NODE_LENS + n)] = bits
                left -= 1
    for h in range(high + 1, _HEAP_SIZE):
        n = i64(work[u64(HEAP + h)])
        if n <= top:
            work[u64(LENS + tree + n)] = work[u64(NODE_LENS + n)]


@bare
def build_sorted(work: Array, tree: int, elements: int, most: int) -> None:
    """Give the symbols of a tree lengths as libdeflate, miniz and others do: by sorting them.

    Symbols stand in the order of their counts, then of their numbers; two queues, of symbols and of nodes, give the
    lengths, of which the longest go to the first symbols.
    """
    size = 0
    for n in range(elements):
        work[u64(LENS + tree + n)] = 0
        freq = i64(work[u64(FREQ + tree + n)])
        if freq > 0:
            work[u64(HEAP + size)] = freq << 10 | n
            size += 1
    for k in range(16):
        work[u64(COUNTS + k)] = 0
    if size < 2:
        # One code, or two of one bit.
        for k in range(size):
            work[u64(LENS + tree + (i64(work[u64(HEAP + k)]) & 1023))] = 1
        if size > 0 and tree != DIST:
            n = i64(work[HEAP]) & 1023
            work[u64(LENS + tree + (1 if n == 0 else 0))] = 1
        return
    # Shell's way of sorting.
    gap = 301
    while gap > 0:
        for k in range(gap, size):
            key = i64(work[u64(HEAP + k)])
            j = k
            while j >= gap and i64(work[u64(HEAP + j - gap)]) > key:
                work[u64(HEAP + j)] = work[u64(HEAP + j - gap)]
                j -= gap
            work[u64(HEAP + j)] = key
        gap = 132 if gap == 301 else (57 if gap == 132 else (23 if gap == 57 else (10 if gap == 23 else
              (4 if gap == 10 else (1 if gap == 4 else 0)))))  # fmt: skip
    leaf = 0
    node = 0  # the next to be taken, of the nodes made
    made = 0
    while made < size - 1:
        weight = 0
        for _ in range(2):
            if leaf < size and (node >= made or (i64(work[u64(HEAP + leaf)]) >> 10) <= i64(work[u64(NODES + node)])):
                weight += i64(work[u64(HEAP + leaf)]) >> 10
                leaf += 1
            else:
                weight += i64(work[u64(NODES + node)])
                work[u64(PARENT + node)] = made
                node += 1
        work[u64(NODES + made)] = weight
        work[u64(DEPTH + made)] = leaf  # symbols that are taken so far
        made += 1
    # Depths of nodes from the root down; symbols hang where a node took them.
    work[u64(NODE_LENS + made - 1)] = 0
    for k in range(made - 2, -1, -1):
        work[u64(NODE_LENS + k)] = work[u64(NODE_LENS + i64(work[u64(PARENT + k)]))] + 1
    taken = 0
    for k in range(made):
        depth = i64(work[u64(NODE_LENS + k)]) + 1
        if depth > most:
            depth = most
        work[u64(COUNTS + depth)] += i64(work[u64(DEPTH + k)]) - taken
        taken = i64(work[u64(DEPTH + k)])
    # Too long ones were cut: shorter ones make room.
    total = 0
    for k in range(1, most + 1):
        total += i64(work[u64(COUNTS + k)]) << (most - k)
    while total > 1 << most:
        work[u64(COUNTS + most)] -= 1
        for k in range(most - 1, 0, -1):
            if i64(work[u64(COUNTS + k)]) > 0:
                work[u64(COUNTS + k)] -= 1
                work[u64(COUNTS + k + 1)] += 2
                break
        total -= 1
    at = 0
    for k in range(most, 0, -1):
        for _ in range(i64(work[u64(COUNTS + k)])):
            work[u64(LENS + tree + (i64(work[u64(HEAP + at)]) & 1023))] = k
            at += 1


@bare
def codes(work: Array, tree: int, elements: int) -> None:
    """Make the codes of lengths, mirrored as they are written."""
    for k in range(16):
        work[u64(COUNTS + k)] = 0
    for n in range(elements):
        work[u64(COUNTS + i64(work[u64(LENS + tree + n)]))] += 1
    code = 0
    work[COUNTS] = 0
    for k in range(1, 16):
        code = (code + i64(work[u64(COUNTS + k - 1)])) << 1
        work[u64(NEXT + k)] = code
    for n in range(elements):
        length = i64(work[u64(LENS + tree + n)])
        if length > 0:
            code = i64(work[u64(NEXT + length)])
            work[u64(NEXT + length)] = code + 1
            mirrored = 0
            for k in range(length):
                mirrored |= ((code >> k) & 1) << (length - 1 - k)
            work[u64(CODE + tree + n)] = mirrored


@bare
def count(work: Array, tables: Array, tokens: Array, n: int) -> None:
    """Count the symbols of n tokens and of the block's end."""
    for k in range(LITERALS):
        work[u64(FREQ + LIT + k)] = 0
    for k in range(DISTANCES):
        work[u64(FREQ + DIST + k)] = 0
    for k in range(n):
        token = i64(tokens[u64(k)])
        if token < 256:
            work[u64(FREQ + token)] += 1
        else:
            work[u64(FREQ + 257 + i64(tables[u64(LENGTH_SYMBOL + (token & 511))]))] += 1
            work[u64(FREQ + DIST + distance_symbol(tables, token >> 9))] += 1
    work[FREQ + END] = 1


@bare
def distance_symbol(tables: Array, distance: int) -> int:
    """Return the symbol of a distance."""
    d = distance - 1
    return i64(tables[u64(DISTANCE_SYMBOL + (d if d < 256 else 256 + (d >> 7)))])


@bare
def runs(work: Array, first: int, n: int) -> None:
    """Append to the steps how zlib writes the lengths of n symbols (`first`: where they are)."""
    steps = i64(work[STEP_COUNT])
    before = -1
    after = i64(work[u64(first)])
    many = 0
    most, least = (138, 3) if after == 0 else (7, 4)
    for k in range(n):
        now = after
        after = i64(work[u64(first + k + 1)]) if k + 1 < n else -1
        many += 1
        if many < most and now == after:
            continue
        if many < least:
            for _ in range(many):
                work[u64(STEPS + steps)] = now | 1 << 8
                steps += 1
        elif now != 0:
            if now != before:
                work[u64(STEPS + steps)] = now | 1 << 8
                steps += 1
                many -= 1
            work[u64(STEPS + steps)] = 16 | many << 8
            steps += 1
        else:
            work[u64(STEPS + steps)] = (17 if many <= 10 else 18) | many << 8
            steps += 1
        many = 0
        before = now
        if after == 0:
            most, least = 138, 3
        elif now == after:
            most, least = 6, 3
        else:
            most, least = 7, 4
    work[STEP_COUNT] = steps


@bare
def count_steps(work: Array) -> None:
    """Count the symbols of the steps."""
    for k in range(CODE_LENGTHS):
        work[u64(FREQ + BL + k)] = 0
    for k in range(i64(work[STEP_COUNT])):
        work[u64(FREQ + BL + (i64(work[u64(STEPS + k)]) & 255))] += 1


@bare
def codes_written(work: Array, tables: Array) -> int:
    """Return how many lengths of code lengths have to be written."""
    n = CODE_LENGTHS
    while n > 4 and i64(work[u64(LENS + BL + i64(tables[u64(ORDER + n - 1)]))]) == 0:
        n -= 1
    return n


@bare
def build_all(work: Array, tables: Array) -> None:
    """Make all lengths of a block's codes from the counts, and its header's steps."""
    work[OPT] = 0
    work[STATIC] = 0
    build(work, tables, i64(LIT), i64(LITERALS), i64(15))
    build(work, tables, i64(DIST), i64(DISTANCES), i64(15))
    work[STEP_COUNT] = 0
    runs(work, i64(LENS + LIT), i64(work[TOP]) + 1)
    runs(work, i64(LENS + DIST), i64(work[TOP + 1]) + 1)
    count_steps(work)
    build(work, tables, i64(BL), i64(CODE_LENGTHS), i64(7))
    work[CODES] = codes_written(work, tables)
    work[OPT] += 3 * i64(work[CODES]) + 14


@bare
def put(work: Array, out: Array, value: int, bits: int) -> None:
    """Write at most 48 bits; what `out` has no room for is counted and left out."""
    held = u64(work[HELD]) | u64(value) << u64(i64(work[HELD_BITS]))
    many = i64(work[HELD_BITS]) + bits
    at = i64(work[AT])
    while many >= 8:
        if at < out.shape[0]:
            out[u64(at)] = u8(held & u64(255))
        at += 1
        held >>= u64(8)
        many -= 8
    work[HELD] = i64(held)
    work[HELD_BITS] = many
    work[AT] = at


@bare
def align(work: Array, out: Array, padding: int) -> None:
    """Fill the last byte."""
    if i64(work[HELD_BITS]) > 0:
        free = 8 - i64(work[HELD_BITS])
        put(work, out, padding & ((1 << free) - 1), free)


@bare
def put_stored(work: Array, out: Array, plain: Array, start: int, stop: int, last: int) -> None:
    """Write a stored block of at most 65535 bytes."""
    put(work, out, last, i64(3))
    align(work, out, i64(0))
    put(work, out, (stop - start) | ((stop - start) ^ 0xFFFF) << 16, i64(32))
    at = i64(work[AT])
    size = stop - start
    if size > out.shape[0] - at:
        size = out.shape[0] - at if out.shape[0] > at else 0
    for k in range(size):
        out[u64(at + k)] = plain[u64(start + k)]
    work[AT] = at + stop - start


@bare
def fixed_codes(work: Array) -> None:
    """Let the codes be the fixed ones."""
    for n in range(LITERALS):
        work[u64(LENS + LIT + n)] = fixed_length(i64(LIT), n)
    work[u64(LENS + LIT + 286)] = 8  # two codes that stand for nothing, and count
    work[u64(LENS + LIT + 287)] = 8
    for n in range(DISTANCES):
        work[u64(LENS + DIST + n)] = 5
    codes(work, i64(LIT), i64(288))
    codes(work, i64(DIST), i64(DISTANCES))


@bare
def put_header(work: Array, tables: Array, out: Array, literals: int, distances: int) -> None:
    """Write the header of a dynamic block behind its first three bits, and make its codes."""
    codes(work, i64(BL), i64(CODE_LENGTHS))
    written = i64(work[CODES])
    put(work, out, (literals - 257) | (distances - 1) << 5 | (written - 4) << 10, i64(14))
    for k in range(written):
        put(work, out, i64(work[u64(LENS + BL + i64(tables[u64(ORDER + k)]))]), i64(3))
    for k in range(i64(work[STEP_COUNT])):
        step = i64(work[u64(STEPS + k)])
        symbol = step & 255
        put(work, out, i64(work[u64(CODE + BL + symbol)]), i64(work[u64(LENS + BL + symbol)]))
        if symbol == 16:
            put(work, out, (step >> 8) - 3, i64(2))
        elif symbol == 17:
            put(work, out, (step >> 8) - 3, i64(3))
        elif symbol == 18:
            put(work, out, (step >> 8) - 11, i64(7))
    codes(work, i64(LIT), i64(LITERALS))
    codes(work, i64(DIST), i64(DISTANCES))


@bare
def put_tokens(work: Array, tables: Array, out: Array, tokens: Array, n: int) -> bool:
    """Write n tokens and the block's end; return whether all of them have codes."""
    held = u64(work[HELD])
    many = i64(work[HELD_BITS])
    at = i64(work[AT])
    room = out.shape[0]
    good = i64(work[LENS + END]) > 0
    for k in range(n + 1):
        token = i64(tokens[u64(k)]) if k < n else END
        if token <= END:
            length = i64(work[u64(LENS + token)])
            held |= u64(work[u64(CODE + token)]) << u64(many)
            many += length
            good = good and length > 0
        else:
            size = token & 511
            place = i64(tables[u64(LENGTH_SYMBOL + size)])
            length = i64(work[u64(LENS + 257 + place)])
            good = good and length > 0
            held |= u64(work[u64(CODE + 257 + place)]) << u64(many)
            many += length
            held |= u64(size - i64(tables[u64(LENGTH_BASE + place)])) << u64(many)
            many += i64(tables[u64(LENGTH_BITS + place)])
            distance = token >> 9
            place = distance_symbol(tables, distance)
            length = i64(work[u64(LENS + DIST + place)])
            good = good and length > 0
            held |= u64(work[u64(CODE + DIST + place)]) << u64(many)
            many += length
            held |= u64(distance - i64(tables[u64(DISTANCE_BASE + place)])) << u64(many)
            many += i64(tables[u64(DISTANCE_BITS + place)])
        while many >= 8:
            if at < room:
                out[u64(at)] = u8(held & u64(255))
            at += 1
            held >>= u64(8)
            many -= 8
    work[HELD] = i64(held)
    work[HELD_BITS] = many
    work[AT] = at
    return good


@bare
def put_block(
    work: Array, tables: Array, out: Array, tokens: Array, n: int, plain: Array, start: int, stop: int, last: int,
    fixed: int, storable: bool,
) -> None:  # fmt: skip
    """Write a block as zlib would: stored, with fixed or with its own codes, whatever takes the fewest bytes."""
    count(work, tables, tokens, n)
    build_all(work, tables)
    own = (i64(work[OPT]) + 10) >> 3
    common = (i64(work[STATIC]) + 10) >> 3
    if common <= own or fixed > 0:
        own = common
    size = stop - start
    if size + 4 <= own and size <= 65535 and storable:
        put_stored(work, out, plain, start, stop, last)
    elif common == own:
        put(work, out, constants.FIXED << 1 | last, i64(3))
        fixed_codes(work)
        put_tokens(work, tables, out, tokens, n)
    else:
        put(work, out, constants.DYNAMIC << 1 | last, i64(3))
        put_header(work, tables, out, i64(work[TOP]) + 1, i64(work[TOP + 1]) + 1)
        put_tokens(work, tables, out, tokens, n)
