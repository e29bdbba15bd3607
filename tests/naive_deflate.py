"""The opener of deflate streams in plain Python: what docs/reference/DEFLATE.md says, as short as it can be said.

`close(inner, recipe, size)` gives the stream, `torn(inner, recipe, size)` a part of one; `Corrupt` is what the page
calls corrupt. Nothing is shared with the kernels.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from naive import BinaryCoder
from naive_inflate import (
    FAR_BASE,
    FAR_BITS,
    FIXED,
    LENGTH_BASE,
    ORDER,
    Header,
    Token,
    Writer,
    last_at_most,
)
from naive_openers import Cursor, check

LEVELS = {
    1: (4, 4, 8, 4), 2: (4, 5, 16, 8), 3: (4, 6, 32, 32), 4: (4, 4, 16, 16), 5: (8, 16, 32, 32), 6: (8, 16, 128, 128),
    7: (8, 32, 128, 256), 8: (32, 128, 258, 1024), 9: (32, 258, 258, 4096),
}  # fmt: skip
# ---- writing blocks


def counts_of(tokens: list[Token]) -> tuple[list[int], list[int]]:
    lits, fars = [0] * 286, [0] * 30
    lits[256] = 1
    for token in tokens:
        if isinstance(token, int):
            lits[token] += 1
        else:
            lits[257 + last_at_most(LENGTH_BASE, token[0])] += 1
            fars[last_at_most(FAR_BASE, token[1])] += 1
    return lits, fars


def by_heap(counts: list[int], most: int) -> tuple[list[int], int]:
    """zlib's lengths, and the highest symbol that has one."""
    weight = {k: f for k, f in enumerate(counts) if f}
    heap, top = [None, *weight], max(weight, default=-1)
    while len(heap) < 3:
        top, added = (top + 1, top + 1) if top < 2 else (top, 0)
        weight[added] = 1
        heap.append(added)
    depth = dict.fromkeys(weight, 0)

    def below(a: Any, b: Any) -> bool:
        return (weight[a], depth[a]) < (weight[b], depth[b] + 1)

    def sink(k: int) -> None:
        node = heap[k]
        while 2 * k < len(heap):
            child = 2 * k
            if child + 1 < len(heap) and below(heap[child + 1], heap[child]):
                child += 1
            if below(node, heap[child]):
                break
            heap[k] = heap[child]
            k = child
        heap[k] = node

    for k in range((len(heap) - 1) // 2, 0, -1):
        sink(k)
    noted, parent, fresh = [], {}, len(counts)
    while True:
        a, last = heap[1], heap.pop()
        heap[1] = last
        sink(1)
        b = heap[1]
        noted += [a, b]
        weight[fresh], depth[fresh] = weight[a] + weight[b], max(depth[a], depth[b]) + 1
        parent[a] = parent[b] = fresh
        heap[1] = fresh
        fresh += 1
        sink(1)
        if len(heap) == 2:
            break
    lengths, cut = {heap[1]: 0}, 0
    for node in reversed(noted):
        wanted = lengths[parent[node]] + 1
        cut += wanted > most
        lengths[node] = min(wanted, most)
    leaves = [node for node in reversed(noted) if node < len(counts)]
    if cut:
        many = [sum(lengths[leaf] == k for leaf in leaves) for k in range(most + 1)]
        while cut > 0:
            k = max(k for k in range(1, most) if many[k])
            many[k] -= 1
            many[k + 1] += 2
            many[most] -= 1
            cut -= 2
        left = iter(reversed(leaves))
        for k in range(most, 0, -1):
            for _ in range(many[k]):
                lengths[next(left)] = k
    return [lengths[k] if k in leaves else 0 for k in range(len(counts))], top


def by_sorting(counts: list[int], most: int, distances: bool) -> list[int]:
    out = [0] * len(counts)
    leaves = sorted((f, k) for k, f in enumerate(counts) if f)
    if len(leaves) < 2:
        for _, k in leaves:
            out[k] = 1
            if not distances:
                out[0 if k else 1] = 1
        return out
    symbols, nodes = [(f, [k]) for f, k in leaves], []
    depth = dict.fromkeys((k for _, k in leaves), 0)
    while len(symbols) + len(nodes) > 1:
        pair = []
        for _ in range(2):
            if symbols and (not nodes or symbols[0][0] <= nodes[0][0]):
                pair.append(symbols.pop(0))
            else:
                pair.append(nodes.pop(0))
        inside = pair[0][1] + pair[1][1]
        for k in inside:
            depth[k] += 1
        nodes.append((pair[0][0] + pair[1][0], inside))
    many = [sum(min(d, most) == k for d in depth.values()) for k in range(most + 1)]
    while sum(n << (most - k) for k, n in enumerate(many) if k) > 1 << most:
        many[most] -= 1
        k = max(k for k in range(1, most) if many[k])
        many[k] -= 1
        many[k + 1] += 2
    order = iter(leaves)
    for k in range(most, 0, -1):
        for _ in range(many[k]):
            out[next(order)[1]] = k
    return out


def steps_of(row: list[int]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    at, before = 0, None
    while at < len(row):
        value = row[at]
        most, least = (138, 3) if value == 0 else (6, 3) if value == before else (7, 4)
        many = 1
        while many < most and at + many < len(row) and row[at + many] == value:
            many += 1
        at += many
        if many < least:
            out += [(value, 1)] * many
        elif value == 0:
            out.append((17 if many <= 10 else 18, many))
        else:
            if value != before:
                out.append((value, 1))
                many -= 1
            out.append((16, many))
        before = value
    return out


def step_counts(steps: list[tuple[int, int]]) -> list[int]:
    return [sum(symbol == k for symbol, _ in steps) for k in range(19)]


def written_of(lengths: list[int]) -> int:
    return max([4, *(k + 1 for k, symbol in enumerate(ORDER) if lengths[symbol])])


def put_block(out: Writer, tokens: list[Token], data: bytes, last: int, fixed: bool, storable: bool) -> None:
    counts = counts_of(tokens)
    header = Header()
    lits, top = by_heap(counts[0], 15)
    fars, far = by_heap(counts[1], 15)
    header.lits, header.fars = top + 1, far + 1
    header.steps = steps_of(lits[: top + 1]) + steps_of(fars[: far + 1])
    header.step_lengths, _ = by_heap(step_counts(header.steps), 7)
    header.written = written_of(header.step_lengths)

    def size_with(pair: Any, head: bool) -> int:
        trial = Writer()
        if head:
            trial.header(header)
        trial.tokens(tokens, *pair)
        return (len(trial.bits) + 10) // 8

    own, common = size_with((lits, fars), True), size_with(FIXED, False)
    least = common if common <= own or fixed else own
    if len(data) + 4 <= least and len(data) <= 65535 and storable:
        out.stored(data, last)
    elif least == common:
        out.put(2 | last, 3)
        out.tokens(tokens, *FIXED)
    else:
        out.put(4 | last, 3)
        out.header(header)
        out.tokens(tokens, lits, fars)


# ---- section 2


class Matches:
    """Places in chains."""

    def __init__(self, data: bytes, hashed: Any):
        self.data, self.hashed = data, hashed
        self.head: dict[int, int] = {}
        self.before: dict[int, int] = {}

    def enter(self, place: int) -> None:
        h = self.hashed(place)
        self.before[place] = self.head.get(h, -1)
        self.head[h] = place

    def equal(self, a: int, b: int, most: int) -> int:
        k = 0
        while k < most and self.data[a + k] == self.data[b + k]:
            k += 1
        return k

    def search(self, s: int, best: int, first: Any, further: Any, chain: int, nice: int, reach: int) -> tuple[int, int]:
        """(length, place), or (0, 0)."""
        found, place, allowed = (0, 0), self.before[s], first
        while chain and allowed(place):
            allowed = further
            length = self.equal(place, s, reach)
            if length > best:
                best, found = length, (length, place)
                if length >= nice:
                    break
            place = self.before.get(place, -1)
            chain -= 1
        return found


class Edges(NamedTuple):
    """How a part of a stream begins and ends; as it is here, it is the whole."""

    window: int = 0
    place: int = 0
    goes_on: bool = False
    held: int = 0
    bits: int = 0

    def writer(self) -> Writer:
        out = Writer()
        out.put(self.bits, self.held)
        return out

    def part(self, out: Writer) -> bytes:
        """What was written, without bits that make no byte where the stream goes on."""
        if self.goes_on:
            del out.bits[len(out.bits) // 8 * 8 :]
        return out.data()


WHOLE = Edges()


def redone(inner: bytes, source: Cursor, edges: Edges = WHOLE, is_part: bool = False) -> bytes:
    head = source.byte()
    level, strategy = head & 15, head >> 4 & 7
    check(1 <= level <= 9 and strategy <= 5)
    memory = blocks = 8
    window, less, first, far, stops = 15, 0, 0, 0, []
    if head & 128:
        sizes, more = source.byte(), source.byte()
        memory, blocks, window = (sizes & 15) + 1, (sizes >> 4) + 1, (more & 7) + 9
        less, first, far = more >> 3 & 1, more >> 4 & 1, more >> 5
        check(memory <= 9 and blocks <= 9 and window <= 15 and far <= 1)
        at = 0
        for _ in range(source.uleb()):
            gap, times = source.uleb(), source.uleb()
            check(len(stops) + times <= 1 << 14 and at + (gap >> 3) * times <= len(inner))
            check(times > 0 and gap & 3 > 0)
            for _ in range(times):
                at += gap >> 3
                stops.append((at, gap & 7))
    stops.append((len(inner), 0))
    begin, forced, at = edges.window, {}, 0
    check(stops[0][0] >= begin)
    if is_part:
        count = source.uleb()
        check(count <= 1 << 16)
        for _ in range(count):
            at += source.uleb()
            length = source.uleb()
            far = source.uleb() + 1 if length else 0
            check(begin <= at < len(inner) and length <= 256 and far <= min(at, 32768) and at not in forced)
            forced[at] = (length + 2, far) if length else (0, 0)
    check(source.done())
    good, lazy, nice, chain = LEVELS[level]
    full = 32767 if strategy == 5 else (1 << (blocks + 6)) - 1 - less
    reach_back = (1 << window) - 262
    shift, mask = (memory + 9) // 3, (1 << (memory + 7)) - 1
    data = inner + bytes(300)
    chains = Matches(data, lambda p: (data[p] << 2 * shift ^ data[p + 1] << shift ^ data[p + 2]) & mask)
    patient, hashes = level > 3 and strategy not in (2, 3), strategy not in (2, 3)
    least = {2: 1, 3: 259}.get(strategy, 262)
    out, base, ahead, start, known = edges.writer(), -first, 0, begin, 0
    behind = begin if begin < 32768 else (1 << 17) + edges.place
    slid = 0
    while behind > slid + (2 << window) - least:
        slid += 1 << window
    slid -= behind - begin
    tokens: list[Token] = []
    s = begin
    for number, (stop, mark) in enumerate(stops):
        pending: tuple[int, int] | None = None
        endless = edges.goes_on and number == len(stops) - 1
        sight = 1 << 60 if endless else stop
        if not patient and s > begin:
            ahead = max(s - 2, base + first)
        while True:
            while known - s < least:
                slides = s - slid >= (1 << window) + reach_back
                slid += (1 << window) * slides
                if known < sight:
                    known = min(sight, slid + (2 << window))
                elif not slides:
                    break
                if known == sight:
                    break
            look = stop - s
            if look == 0 and pending is None:
                break
            found, past = (0, 0), pending[0] if pending and pending[0] else 2
            if look >= 3 and hashes:
                for place in range(ahead, s + 1):
                    chains.enter(place)
                ahead = max(ahead, s + 1)
                if not patient or past < lazy:
                    bound = 258 if strategy == 5 else min(look, 258)
                    at = s
                    found = chains.search(
                        s, past,
                        lambda c, at=at, base=base: c > base and at - c <= reach_back,
                        lambda c, at=at, base=base: c > base and at - c < reach_back,
                        chain // 4 if past >= good else chain, nice if strategy == 5 else min(nice, look), bound,
                    )  # fmt: skip
                    found = (min(found[0], look), found[1])
                    left_out = found[0] == 3 and s - found[1] > 4096 and not far
                    if found[0] <= 5 and patient and (strategy == 1 or left_out):
                        found = (0, 0)
            elif look >= 3 and strategy == 3 and s > base + first:
                length = chains.equal(s - 1, s, min(look, 258))
                found = (length, s - 1) if length >= 3 else (0, 0)
            last = False
            if not patient:
                t, match = s, found
            elif pending is None:
                pending = found
                s += 1
                continue
            else:
                t, last = s - 1, look == 0
                match = pending if pending[0] >= 3 and found[0] <= pending[0] else (0, 0)
            if t in forced:
                length, far = forced.pop(t)
                check(length <= stop - t)
                match = (length, t - far)
            if match[0] >= 3:
                tokens.append((match[0], t - match[1]))
                s = end = t + match[0]
                pending = None
                if not patient and (match[0] > lazy or (stop - s < 3 and strategy != 5)):
                    ahead = s
            else:
                tokens.append(data[t])
                end = t + 1
                pending = found if patient and not last else None
                s += not last
            n = len(tokens)
            ended = n == full
            if strategy == 5 and level > 2 and n % 4096 == 0:
                matches = [token for token in tokens if not isinstance(token, int)]
                bits = 8 * n + sum(5 + FAR_BITS[last_at_most(FAR_BASE, far)] for _, far in matches)
                ended = ended or (len(matches) < n // 2 and bits // 8 < (t + patient - start) // 2)
            if ended and not last:
                put_block(out, tokens, inner[start:end], 0, strategy == 4, start >= slid)
                start, tokens = end, []
        final = number == len(stops) - 1
        if tokens or (final and not edges.goes_on):
            put_block(
                out, tokens, inner[start:stop], int(final and not edges.goes_on), strategy == 4, start >= slid
            )
        start, tokens = stop, []
        if not final and mark & 1:
            out.put(2, 3)
            out.tokens([], *FIXED)
        if not final and mark & 2:
            out.stored(b"", 0)
        if mark & 4:
            chains.head.clear()
            base, ahead, slid = stop - first, stop, stop
    check(not forced)
    return edges.part(out)


# ---- section 3

KIND, SIZE, STORED, TAKEN, SAME, LONGER, SHORTER_BY, LONGER_BY = 0, 16, 144, 272, 1552, 1680, 1696, 1824
ANY, NEAREST, HOPS, FAR, TREE, TREE_SAME, RUN, RUN_BITS, WIDTH = 1952, 2208, 2256, 2512, 2544, 2736, 2744, 2808, 2936


class Decisions:
    def __init__(self, data: bytes):
        self.coder, self.length = BinaryCoder(data), len(data)
        self.cells = defaultdict(lambda: [1 << 21, 0])

    def bit(self, context: int) -> int:
        cell = self.cells[context]
        y = self.coder.code(max(1, cell[0] // 64))
        c, t = cell
        c = c + 2 * ((1 << 22) - 1 - c) // (2 * t + 3) if y else c - 2 * c // (2 * t + 3)
        cell[:] = c, min(t + 1, 1023)
        return y

    def number(self, x: int) -> int:
        w = 1
        while w < 25 and self.bit(x + w):
            w += 1
        value = 1
        for i in range(w - 1):
            value = value << 1 | self.bit(x + 32 + 3 * w + i if i < 3 else x + 122)
        return value - 1

    def tree(self, x: int, count: int) -> int:
        node = 1
        for _ in range(count):
            node = node << 1 | self.bit(x + node)
        return node - (1 << count)


def size_class(length: int) -> int:
    if length < 3:
        return 0
    bounds = (3, 4, 5, 6, 7, 8, 10, 15, 23, 31, 63, 127, 257, 258)
    return 1 + next(k for k, bound in enumerate(bounds) if length <= bound)


def corrected(bits: Decisions, x: int, foreseen: list[int], counts: list[int], most: int) -> list[int]:
    out, last = [], 0
    for length, count in zip(foreseen, counts, strict=True):
        k = int(count > 0)
        if bits.bit(x + 4 * k + last):
            shorter, step = bits.bit(x + 8 + 4 * k + last), 1
            while step < 15 and bits.bit(x + 16 + 16 * k + step):
                step += 1
            length, last = min(max(length - step if shorter else length + step, 0), most), 1 + shorter
        else:
            last = 0
        out.append(length)
    return out


def read_header(bits: Decisions, tokens: list[Token], builder: int, joined: int) -> tuple[Header, list[int], list[int]]:
    counts, sides, many = counts_of(tokens), [], []
    for side, (total, least) in enumerate(((286, 257), (30, 1))):
        f = counts[side]
        lengths = by_sorting(f, 15, side == 1) if builder else by_heap(f, 15)[0]
        if bits.bit(TREE_SAME + side):
            lengths = corrected(bits, TREE + 64 * side, lengths, f, 15)
        n = max([least, *(k + 1 for k in range(total) if lengths[k])])
        if bits.bit(TREE_SAME + 2 + side):
            n = least + bits.tree(RUN_BITS + 32 * side, 5)
        check(n <= total)
        sides.append(lengths)
        many.append(n)
    header = Header()
    header.lits, header.fars = many
    rows = [sides[0][: many[0]], sides[1][: many[1]]]
    row = rows[0] + rows[1]
    header.steps = steps_of(row) if joined else steps_of(rows[0]) + steps_of(rows[1])
    if bits.bit(TREE_SAME + 4):
        header.steps, at, before = [], 0, None
        while at < len(row):
            value, same = row[at], 1
            while same < 138 and at + same < len(row) and row[at + same] == value:
                same += 1
            symbol, repeat = value, 1
            if same >= 3 and value in (0, before) and bits.bit(RUN + 8 * (value != 0) + min(same, 7)):
                if value == 0 and not (before == 0 and bits.bit(RUN + 24)):
                    symbol = 17 + bits.bit(RUN + 16 + (same > 10))
                    check(symbol == 17 or same > 10)
                else:
                    symbol = 16
                most = min(same, {16: 6, 17: 10, 18: 138}[symbol])
                repeat = most
                if not bits.bit(RUN + 4 + symbol):
                    repeat = (11 if symbol == 18 else 3) + bits.tree(RUN_BITS, 7)
                check(repeat <= most)
            header.steps.append((symbol, repeat))
            at += repeat
            before = value
    f = step_counts(header.steps)
    header.step_lengths = by_sorting(f, 7, False) if builder else by_heap(f, 7)[0]
    if bits.bit(TREE_SAME + 5):
        header.step_lengths = corrected(bits, TREE + 128, header.step_lengths, f, 7)
    header.written = written_of(header.step_lengths)
    if bits.bit(TREE_SAME + 6):
        header.written = 4 + bits.tree(RUN_BITS + 64, 4)
    check(header.written <= 19)
    return header, sides[0], sides[1]


def followed(inner: bytes, source: Cursor, edges: Edges = WHOLE) -> bytes:
    source.byte()
    form, nice, sparse = source.byte(), source.byte() + 3, source.byte() + 3
    depth, family, builder, joined = form & 15, form >> 4 & 1, form >> 5 & 1, form >> 6 & 1
    blocks, padding = divmod(source.uleb(), 256)
    m = len(inner)
    check(depth <= 12 and form < 128 and blocks <= min(1 << 20, m))
    data = source.data[source.at :]
    bits, out = Decisions(data), edges.writer()
    need = 4 if family else 3

    def multiplied(p: int, count: int) -> int:
        return (int.from_bytes(inner[p : p + count], "little") * 0x1E35A7BD & 0xFFFFFFFF) >> 17

    chains = Matches(inner, lambda p: multiplied(p, 4))
    if not family:
        chains.hashed = lambda p: (inner[p] << 10 ^ inner[p + 1] << 5 ^ inner[p + 2]) & 0x7FFF
    table: dict[int, int] = {}
    near: dict[int, int] = {}
    ahead = 0

    def enter_to(p: int) -> None:
        nonlocal ahead
        while ahead <= p and ahead + need <= m:
            chains.enter(ahead)
            h = multiplied(ahead, 3)
            near[ahead] = table.get(h, -1)
            table[h] = ahead
            ahead += 1

    def match_at(p: int) -> tuple[int, int]:
        if p + need > m:
            return 0, 1
        reach, best, found = min(258, m - p), 2, (0, p - 1)
        c = near[p]
        if family and c >= 0 and p - c <= 32768 and chains.equal(c, p, 3) == 3:
            best, found = 3, (3, c)
        longer = chains.search(
            p, best, lambda c: c >= 0 and p - c <= 32768, lambda c: c >= 0 and p - c < 32768, 1 << depth,
            min(nice, reach), reach,
        )  # fmt: skip
        found = longer if longer[0] else found
        return found[0], p - found[1]

    p, history = edges.window, 0
    kind, last = 2, 0
    while not last:
        kind = 2 if bits.bit(KIND + kind) else bits.bit(KIND + 3 + kind)
        last = bits.bit(KIND + 6 + kind)
        if kind == 0:
            size = bits.number(STORED)
            check(size <= 65535 and p + size <= m)
            out.stored(inner[p : p + size], last and not edges.goes_on)
            p += size
            continue
        count = -1 if last else bits.number(SIZE)
        check(count <= blocks)
        tokens: list[Token] = []
        after, cached = 0, None
        while p < m if last else len(tokens) < count:
            check(p < m and len(tokens) < blocks)
            look = m - p
            enter_to(p)
            l1, d1 = cached or match_at(p)
            l2, d2, cached = 0, 1, None
            if 3 <= l1 < 258 and look > 3:
                enter_to(p + 1)
                l2, d2 = cached = match_at(p + 1)
            g, e = l2 - l1, d1.bit_length() - d2.bit_length()
            relation = 0
            if l2:
                relation = 1 if g < 0 else (2 + (e > 2), 4 + (e > -2), 6 + (e > -6))[g] if g < 3 else 8
            away = (d1 > 4096) + (d1 > 8192) + (d1 > 16384) if l1 <= 5 else history & 3
            size = size_class(l1)
            if look < 3 or not bits.bit(TAKEN + ((10 * size + relation) * 4 + away) * 2 + after):
                tokens.append(inner[p])
                after = int(l1 >= 3)
                p += 1
                continue
            after, same, cached = 0, 0, None
            if l1 >= 3:
                same = bits.bit(SAME + 8 * size + (history & 7))
                history = (history << 1 | same) & 255
                if same:
                    length = l1
                elif bits.bit(LONGER + size):
                    length = l1 + 1 + bits.number(LONGER_BY)
                else:
                    length = l1 - 1 - bits.number(SHORTER_BY)
            else:
                length = 3 + bits.tree(ANY, 8)
            check(3 <= length <= min(258, look))
            if same and bits.bit(NEAREST + size):
                far = d1
            else:
                hops = bits.number(HOPS + 128 * same)
                if hops:
                    check(p + need <= m)
                    c, far = chains.before[p], 0
                    for _ in range(8192):
                        if c < 0 or p - c > 32768:
                            break
                        if chains.equal(c, p, length) == length:
                            hops -= 1
                            if hops == 0:
                                far = p - c
                                break
                        c = chains.before.get(c, -1)
                    check(far)
                else:
                    w = bits.tree(WIDTH, 4)
                    value = int(w > 0)
                    for k in range(w - 2, -1, -1):
                        value = value << 1 | bits.bit(FAR + k)
                    far = value + 1
                    check(far <= min(p, 32768))
            tokens.append((length, far))
            p += length
            if length > sparse:
                ahead = max(ahead, p)
        if kind == 1:
            out.put(2 | (last and not edges.goes_on), 3)
            out.tokens(tokens, *FIXED)
        else:
            header, lits, fars = read_header(bits, tokens, builder, joined)
            out.put(4 | (last and not edges.goes_on), 3)
            out.header(header)
            out.tokens(tokens, lits, fars)
    check(p == m)
    if not edges.goes_on:
        out.align(padding)
    check(len(bits.coder.end()) == len(data))
    return edges.part(out)


def close(inner: bytes, recipe: bytes, size: int) -> bytes:
    """Return the stream."""
    check(len(recipe) <= size + (1 << 18))
    source = Cursor(recipe)
    made = followed(inner, source) if recipe[:1] == b"\0" else redone(inner, source)
    check(len(made) == size)
    return made


# ---- section 4


def torn(inner: bytes, recipe: bytes, size: int) -> bytes:
    """Return the part of a stream."""
    check(len(recipe) <= size + (1 << 18) + 6 * (1 << 16))
    source = Cursor(recipe)
    flags, bits, window, place = source.byte(), source.byte(), source.uleb(), source.uleb()
    edges = Edges(window, place, flags >> 3 == 1, flags & 7, bits)
    check(flags < 16 and bits < 1 << edges.held and window <= min(32768, len(inner)) and place < 32768)
    check(window == 32768 or place == window)
    rest = Cursor(recipe[source.at :])
    made = followed(inner, rest, edges) if rest.data[:1] == b"\0" else redone(inner, rest, edges, is_part=True)
    check(len(made) == size)
    return made
