"""The `pix` engine in plain Python: what docs/reference/PIX.md says, as short as it can be said, and as slow.

`Payload` reads a payload; `Payload.again` codes the same numbers once more, which must give the same bytes. Nothing is
shared with the engine.
"""

from __future__ import annotations

from collections import defaultdict

from naive import BinaryCoder
from naive_cm import K1, K2, K3, K4, M64, knots, rate_of, squash, stretch

OWN = """(0,-1) (-1,0) (-1,-1) (-1,1) (0,-2) (-2,0) (-2,-1) (-2,1) (-1,-2) (-1,2) (0,-3) (-3,0) (-2,-2) (-2,2) (-1,-3)
    (-1,3) (-3,-1) (-3,1) (0,-4) (-4,0) (-3,-2) (-3,2) (-2,-3) (-2,3) (-1,-4) (-1,4) (-3,-3) (-3,3) (-2,-4) (-2,4)
    (-4,-1) (-4,1)"""
PLACES = {
    "o": OWN,
    "t": "(0,0) (0,-1) (-1,0) (0,1) (1,0) (-1,-1) (-1,1) (1,1) (1,-1) (0,2) (2,0)",
    "r": "(0,0) (0,1) (0,-1) (0,2) (1,0) (1,1) (-1,0) (-1,1)",
    "l": "(0,0) (1,0) (-1,0) (2,0) (0,1) (1,1) (0,-1) (1,-1)",
    "b": "(0,0) (0,1) (1,0) (1,1) (0,-1) (-1,0)",
}
SHARES = {
    0: "o32", 1: "o4 1t5 o4 1t3 o13 1t3", 2: "o4 1t3 2t3 o2 1t2 2t2 o6 1t4 2t4 o2",
    "frame 0": "o4 1t5 o4 1t3 o8 1t3 o5", "frame 1": "o4 1t3 2t3 3t1 o2 1t2 2t1 o6 1t3 2t4 3t3",
    "frame 2": "o4 1t3 2t3 3t1 4t3 o2 1t2 2t2 4t2 o6 1t2 3t2",
}  # fmt: skip
QUARTERS = (
    (4, (0, 1, 2, 3), "o5 1t3 2t1 3t1 4t1 o5 1t4 2t4 3t4 4t4 o12", ()),
    (5, (4, 1, 0), "1r8 o2 2t1 3r2 o6 2t4 3r4 o12", (0, 1)),
    (6, (4, 2, 0, 5), "1l8 o2 2t1 3l2 o6 2t4 3l4 o12", (0, 1)),
    (7, (5, 6, 4, 3), "1l4 2r4 3b4 o2 4t1 1l4 2r4 o4 4t4 o12", (8, 9, 10, 11)),
    (8, (4, 0, 1, 2, 3), "o5 1t5 2t3 3t1 4t1 5t1 o5 2t4 3t4 4t4 5t4 o12", ()),
    (9, (8, 5, 1, 0, 4), "1r8 o2 2t1 5r2 3t1 4r2 o6 3t4 4r4 o12", (0, 1)),
    (10, (8, 6, 2, 0, 4, 9), "1l8 o2 2t1 5l2 3t1 4l2 o6 3t4 4l4 o12", (0, 1)),
    (11, (9, 10, 7, 8, 3), "1l4 2r4 4b4 o2 3t1 5t1 1l4 2r4 o4 5t4 o12", (8, 9, 10, 11)),
)
ALL = None
FITS = {1: [(16, 1, 0), (16, ALL, 0)], 2: [(16, 1, 0), (32, ALL, 0), (8, 0, 2), (32, 2, 0), (24, 1, 0)]}
TAPS, CONTEXTS, SETS, LANES = {1: 16, 2: 32}, {1: 13, 2: 41}, {1: 2, 2: 6}, {1: 16, 2: 48}
RATES = {1: (60, 0, 100), 2: (20, 60, 200)}
FIRST = {1: 7864, 2: 700}
PULLS = {(0, -1): 49152, (-1, 0): 49152, (-1, -1): -32768}


def clamp(x, low, high):
    return max(low, min(x, high))


def within(x, most):
    return clamp(x, -most, most)


def level(x):
    return x if x < 4 else 2 * x.bit_length() - 2 + (x >> (x.bit_length() - 2) & 1)


def sg(x, most):
    return most + min(level(x), most) if x >= 0 else most - min(level(-x), most)


def taps_of(shares):
    """Return (0 or number of the ref, row, column) of each tap."""
    taken = defaultdict(int)
    taps = []
    for share in shares.split():
        ref, word = (0, share) if share[0] == "o" else (int(share[0]), share[1:])
        places = [tuple(map(int, place.strip("()").split(","))) for place in PLACES[word[0]].split()]
        for _ in range(int(word[1:])):
            taps.append((ref, *places[taken[ref]]))
            taken[ref] += 1
    return taps


class Cell:
    """An adaptive probability of 22 bits, with a count."""

    def __init__(self, p=1 << 21, count=0):
        self.p, self.count = p, count

    def stretched(self):
        return stretch(self.p >> 10)

    def learn(self, bit, limit=250):
        self.p += (((1 << 22) - 1 if bit else 0) - self.p) * rate_of(self.count) >> 16
        self.count += self.count < limit


class Sheet:
    """Samples and errors by (row, column), margins too."""

    def __init__(self, height, width, fill=0, rows=None, errors=None):
        self.height, self.width = height, width
        self.x, self.e = defaultdict(lambda: fill), defaultdict(int)
        for array, given in ((self.x, rows), (self.e, errors)):
            if given is not None:
                for y in range(-4, height + 4):
                    for c in range(-4, width + 4):
                        array[y, c] = given[clamp(y, 0, height - 1)][clamp(c, 0, width - 1)]

    def rows(self, array=None):
        array = self.x if array is None else array
        return [[array[y, c] for c in range(self.width)] for y in range(self.height)]


class System:
    """Products of inputs with each other, and with what they were to foretell."""

    def __init__(self, n):
        self.s = [[0] * n for _ in range(n)]
        self.t = [0] * n

    def add(self, other, change=lambda x: x):
        for mine, its in zip((*self.s, self.t), (*other.s, other.t), strict=True):
            for j, x in enumerate(its):
                mine[j] += change(x)

    def fade(self, by):
        for row in (*self.s, self.t):
            for j, x in enumerate(row):
                row[j] -= x >> by

    def learn(self, u, v):
        for i, x in enumerate(u):
            row = self.s[i]
            for j, z in enumerate(u):
                row[j] += x * z
            self.t[i] += v * x

    def solve(self, m, pull):
        largest = min(max(1, *(self.s[i][i] for i in range(m))), (1 << 62) - 1)
        shift = 30 - largest.bit_length()

        def scaled(x):
            x = within(x, largest)
            return x << shift if shift >= 0 else x >> -shift

        s = [[scaled(x) for x in row[:m]] for row in self.s[:m]]
        t = [scaled(x) for x in self.t[:m]]
        ridge = 1 << 17
        if 0 < shift < 26:
            ridge += 16 << shift
        elif shift >= 26:
            ridge += 1 << 30
        products, lower = [[0] * m for _ in range(m)], [[0] * m for _ in range(m)]
        pivots, z, w = [0] * m, [0] * m, [0] * m
        for i in range(m):
            s[i][i] += ridge
            t[i] += ridge * pull[i] >> 16
        for i in range(m):
            for j in range(i):
                total = sum(products[i][k] * lower[j][k] for k in range(j))
                products[i][j] = within(s[i][j] - (total >> 22), 1 << 31)
                lower[i][j] = within((products[i][j] << 22) // pivots[j], (1 << 27) - 1)
            pivots[i] = max(s[i][i] - (sum(products[i][k] * lower[i][k] for k in range(i)) >> 22), ridge >> 1)
            z[i] = within(t[i] - (sum(z[k] * lower[i][k] for k in range(i)) >> 22), 1 << 31)
        for i in reversed(range(m)):
            total = sum(lower[k][i] * w[k] for k in range(i + 1, m))
            w[i] = within((z[i] << 16) // pivots[i] - (total >> 22), (1 << 20) - 1)
        return w


class Mixer:
    """Rows of weights by number."""

    def __init__(self, lanes, first, rate, start, fall):
        self.weights = defaultdict(lambda: [first] * lanes)
        self.uses = defaultdict(int)
        self.speed = rate, start, fall

    def mix(self, inputs, rows):
        total = sum(x * w >> 8 for row in rows for x, w in zip(inputs, self.weights[row], strict=True))
        return within(total >> 8, 3071)

    def learn(self, inputs, rows, p, bit):
        rate, start, fall = self.speed
        for row in rows:
            step = rate + start * fall // (fall + self.uses[row])
            self.uses[row] = min(self.uses[row] + 1, 65535)
            error = ((bit << 16) - p) * step >> 10
            self.weights[row] = [
                within(w + (x * error + 8192 >> 14), (1 << 19) - 1)
                for x, w in zip(inputs, self.weights[row], strict=True)
            ]


class Model:
    """What the pictures of a block share."""

    def __init__(self, preset, coder):
        self.preset, self.coder, self.n = preset, coder, TAPS[preset]
        self.encodes = coder.coded is None
        self.cells = defaultdict(Cell)
        self.memo_cells = defaultdict(Cell)
        self.memos = ({}, {})
        self.mixer = Mixer(LANES[preset], FIRST[preset], *RATES[preset])
        self.sse = {}
        self.known = {}
        self.counts = defaultdict(int)
        self.chances = defaultdict(lambda: 32768)

    def loose(self, data, size):
        """Code bytes; decode them where `data` is None."""
        out = bytearray()
        mixer, cells, z = Mixer(8, 20000, 60, 0, 1), defaultdict(Cell), 0
        for k in range(size):
            node = 1
            y2, y3 = ((z & 0xFFFF) * 28495 >> 4) & 0xFFFF, (12043 * z >> 3) & 0xFFFF
            for shift in range(7, -1, -1):
                salted = 15669 * node
                used = [
                    cells[0, node], cells[1, (z & 255) * 256 + node], cells[2, (y2 ^ salted) & 0xFFFF],
                    cells[3, (y3 ^ salted) & 0xFFFF],
                ]  # fmt: skip
                inputs = [*(cell.stretched() for cell in used), 256, 0, 0, 0]
                p = squash(mixer.mix(inputs, [node]))
                bit = self.coder.code(clamp(p, 1, 65535), data[k] >> shift & 1 if self.encodes else 0)
                mixer.learn(inputs, [node], p, bit)
                for cell in used:
                    cell.learn(bit)
                node = 2 * node + bit
            out.append(node & 255)
            z = (z << 8 | node & 255) & 0xFFFFFF
        return bytes(out)

    def put_right(self, width, made, doubts, right):
        """Code which of the colours in `made` are wrong; return all as they are."""
        out, wrong = [], []
        for at, (colour, doubt) in enumerate(zip(made, doubts, strict=True)):
            left, above = at >= 1 and wrong[at - 1], at >= width and wrong[at - width]
            near = 2 * left + 4 * above + 8 * (at >= width > 1 and wrong[at - width + 1])
            t = (0 in colour or 255 in colour) + (near if doubt is None else 784 + 2 * doubt)
            wrong.append(self._chance(t, 5 if doubt is None else 4, right is not None and right[at] != colour))
            if wrong[-1]:
                colour = tuple(self._right(k, x, right and right[at][k]) for k, x in enumerate(colour))
            out.append(colour)
        return out

    def _right(self, k, made, right):
        node, difference = 1, (right - made) % 256 if right is not None else 0
        for shift in range(7, -1, -1):
            node = 2 * node + self._chance(16 + 256 * k + node, 4, difference >> shift & 1)
        return (made + node) % 256

    def _chance(self, cell, by, bit):
        p = self.chances[cell]
        bit = self.coder.code(max(p, 16), int(bit))
        self.chances[cell] = p + ((65535 * bit - p) >> by)
        return bit

    def code(self, room, number_of, taps, refs, kind, number, bounds, means, rows):
        """Code sheet `number_of` of a room (its sheets by number); `rows` are its samples, for encoding."""
        low, high, shrink = bounds
        first = next(iter(room.values()))
        height, width, n = first.height, first.width, self.n
        sheet = room[number_of] = Sheet(height, width, (low + high) >> 1)
        if low == high:
            return
        x, e = sheet.x, sheet.e
        others = [sheet, *(room[ref] for ref in refs)]
        taps = taps_of(taps)[:n]
        pull = [PULLS.get(tap[1:], 0) if tap[0] == 0 else 0 for tap in taps]
        size = 16
        while width > size * 512:
            size *= 2
        blocks = -(-width // size)
        known = self.known.setdefault(number, System(n))
        sums = [System(n) for _ in range(blocks)]
        fits = FITS[self.preset]
        missed = defaultdict(int)
        for y in range(height):
            if y:
                for k in range(1, 5):
                    x[y, -k], e[y, -k] = x[y - 1, 0], e[y - 1, 0]
                for f in range(len(fits)):
                    missed[f, y, -1] = missed[f, y - 1, 0]
            here = [System(n) for _ in range(blocks)]
            share = 0
            while self.counts[number] >> share > 256:
                share += 1
            weights = {}
            for q in range(blocks):
                for f, (m, wide, less) in enumerate(fits):
                    if wide is ALL:
                        if q == 0:
                            weights[f] = known.solve(m, pull)
                        continue
                    system = System(n)
                    system.add(known, lambda v, by=share + less: v >> by)
                    for b in range(max(0, q - wide), min(blocks, q + wide + 1)):
                        system.add(sums[b])
                        if b < q:
                            system.add(here[b])
                    weights[f] = system.solve(m, pull)
                for c in range(q * size, min(width, (q + 1) * size)):
                    bases = [(other.x[y, c - 1] + other.x[y - 1, c]) >> 1 for other in others]
                    d = [others[r].x[y + dy, c + dx] - bases[r] for r, dy, dx in taps]
                    preds, misses = [], []
                    for f in range(len(fits)):
                        total = sum(a * b for a, b in zip(d, weights[f], strict=False))
                        preds.append(clamp((bases[0] << 4) + (total >> 12), low << 4, high << 4))
                        around = ((y, c - 1), (y - 1, c), (y - 1, c - 1), (y - 1, c + 1))
                        misses.append(min(4 + sum(missed[f, *place] for place in around), 1 << 16))
                    g = [(1 << 34) // (miss * miss) + 1 for miss in misses]
                    p = preds[0] + sum(w * (v - preds[0]) for w, v in zip(g, preds, strict=True)) // sum(g)
                    mean = 16 * (x[y, c - 1] + x[y - 1, c] - x[y - 1, c - 1])
                    if means:
                        of = [taps[k] for k in means]
                        mean = 64 * sum(others[r].x[y + dy, c + dx] for r, dy, dx in of) >> (3 if len(of) == 2 else 4)
                    want = rows[y][c] if self.encodes else None
                    value = self._sample(
                        others, y, c, p, preds, misses, mean, low, high, kind, number, want
                    )  # fmt: skip
                    x[y, c] = value
                    if y == 0:
                        for k in range(1, 4):
                            for j in range(1, 5):
                                x[-k, c + j] = value
                    e[y, c] = within(16 * value - p, 1 << 24)
                    for f, v in enumerate(preds):
                        missed[f, y, c] = abs(16 * value - v)
                    if c % (size // 16) == 0:
                        u = [within(v >> shrink, 1024) for v in d]
                        here[q].learn(u, within((value - bases[0]) >> shrink, 1024))
            for k in range(4):
                x[y, width + k], e[y, width + k] = x[y, width - 1], e[y, width - 1]
            for f in range(len(fits)):
                missed[f, y, width] = missed[f, y, width - 1]
            known.fade(7)
            self.counts[number] += width // (size // 16) - (self.counts[number] >> 7)
            for q in range(blocks):
                known.add(here[q])
                sums[q].fade(3)
                sums[q].add(here[q])
        for y in range(height, height + 4):
            for c in range(-4, width + 4):
                x[y, c], e[y, c] = x[height - 1, c], e[height - 1, c]

    def _rows(self, others, y, c, p, preds, misses, mean, kind, number, centre, frac):
        """Return the row of each context, and what sets are chosen by."""

        def v(dy, dx, r=0):
            return others[r].x[y + dy, c + dx] if r < len(others) else 0

        def e(dy, dx, r=0):
            return others[r].e[y + dy, c + dx] if r < len(others) else 0

        near = 2 * abs(e(0, -1)) + 2 * abs(e(-1, 0)) + sum(abs(e(*at)) for at in ((-1, -1), (-1, 1), (0, -2), (-2, 0)))
        lvl = min(level(near >> 2), 39)
        coarse = lvl >> 1
        lvl2 = min(level((abs(e(0, -1)) + abs(e(-1, 0))) >> 1), 39)
        near1 = level((2 * abs(e(0, 0, 1)) + abs(e(0, 1, 1)) + abs(e(1, 0, 1))) >> 2)
        apart = preds[0] - preds[1]
        four = v(0, -1), v(-1, 0), v(-1, 1), v(-1, -1)
        dw, dn, dne, dnw = (sg((16 * each - p) >> 3, 7) for each in four)
        e1, e2 = e(0, 0, 1), e(0, 0, 2)
        rows = [
            16 * lvl + frac,
            25 * lvl2 + sg(apart >> 1, 12),
            6 * (13 * sg(e(0, -1) >> 2, 6) + sg(e(-1, 0) >> 2, 6)) + min(coarse >> 1, 5),
            4 * (15 * dw + dn) + (frac >> 2),
            4 * (15 * dne + dnw) + min(coarse >> 2, 3),
            3 * (13 * sg(e1 >> 1, 12) + min(near1 >> 1, 12)) + min(kind, 2),
            6 * (13 * sg(e1 >> 2, 6) + sg(e2 >> 2, 6)) + min(coarse >> 1, 5),
            4 * (centre % 256) + kind,
            25 * lvl + sg((e(0, -1) + e(-1, 0) + ((e(-1, 1) + e(-1, -1)) >> 1)) >> 3, 12),
            32 * min(level(max(four) - min(four)), 31) + min(near1, 31),
            24 * lvl + min(number, 23),
            3 * (16 * coarse + frac) + min(kind, 2),
            32 * (15 + within(((mean - 16 * centre) >> 2) - 2, 15)) + min(lvl, 31),
        ]
        if self.preset == 2:
            rows += self._more(v, e, p, preds, misses, kind, lvl, frac)
        return rows, lvl, coarse, apart, near1

    def _more(self, v, e, p, preds, misses, kind, lvl, frac):
        big, half = min(lvl, 31), min(min(lvl >> 1, 15) >> 1, 5)
        w, n, nw, ne = 16 * v(0, -1), 16 * v(-1, 0), 16 * v(-1, -1), 16 * v(-1, 1)
        ww, nn, nne, nee, nww = 16 * v(0, -2), 16 * v(-2, 0), 16 * v(-2, 1), 16 * v(-1, 2), 16 * v(-1, -2)
        r, rw, rn, re, rs = (16 * v(*at, 1) for at in ((0, 0), (0, -1), (-1, 0), (0, 1), (1, 0)))
        q, qw, qn = (16 * v(*at, 2) for at in ((0, 0), (0, -1), (-1, 0)))
        e1, e2, ee, es, ew, en = e(0, 0, 1), e(0, 0, 2), e(0, 1, 1), e(1, 0, 1), e(0, -1, 1), e(-1, 0, 1)

        def s(x):
            return 32 * sg((x - p) >> 1, 14) + big

        def pair(a, b):
            return 6 * (13 * sg(a >> 2, 6) + sg(b >> 2, 6)) + half

        def three(a, b):
            return 60 * sg(a >> 3, 7) + 4 * sg(b >> 3, 7) + (frac >> 2)

        def sizes(a, b):
            return 22 * min(level(abs(a)), 21) + min(level(abs(b)), 21)

        four = abs(e(0, -1)) + abs(e(-1, 0)) + abs(e(-1, 1)) + abs(e(-1, -1))
        return [
            *(24 * sg(f - p, 20) + min(level(miss >> 3), 23) for f, miss in zip(preds, misses, strict=True)),
            s(w + n - nw), s(n + ne - nne), s(2 * w - ww), s(2 * n - nn), s((w + ne) >> 1),
            s(n + r - rn), s(w + r - rw), s(((n + w - rn - rw) >> 1) + r), s(n + q - qn), s(w + q - qw),
            pair(e(-1, 1), e(-1, -1)), pair(e(0, -2), e(-2, 0)), pair(ee, es),
            4 * (15 * sg((ew - e(0, -1)) >> 2, 7) + sg((en - e(-1, 0)) >> 2, 7)) + kind,
            32 * sg((2 * e1 + ee + es) >> 2, 15) + big,
            three(ww - p, nn - p), three(nee - p, nww - p), three(re - r, rs - r),
            31 * sg(e1, 15) + sg(e2, 15),
            sizes(e(0, -1), e(-1, 0)), sizes(e(-1, 1), e(-1, -1)), sizes(e1, four >> 2),
            sizes(abs(n - nn) >> 2, abs(w - ww) >> 2),
        ]  # fmt: skip

    def _sample(self, others, y, c, p, preds, misses, mean, low, high, kind, number, want):
        centre = clamp(p >> 4, low, high - 1)
        frac = clamp(p - 16 * centre, 0, 15)
        rows, lvl, coarse, apart, near1 = self._rows(
            others, y, c, p, preds, misses, mean, kind, number, centre, frac
        )  # fmt: skip
        x = others[0].x
        v1, v2 = (others[k].x[y, c] if k < len(others) else 0 for k in (1, 2))
        h = ((x[y, c - 1] * K1 + x[y - 1, c] * K2 ^ v1 * K4) + number) & M64
        if number > 23:
            h = (h - number + 23) & M64
        k = (((h ^ h >> 31) * K3 + x[y - 1, c + 1] * K1) + x[y - 1, c - 1] * K2 ^ v2 * K4) & M64
        at = [((each ^ each >> 29) * K3 & M64) >> 48 for each in (h, k)]
        memos = [memo.get(place, (0, 0)) for memo, place in zip(self.memos, at, strict=True)]
        agree = [min((count + 1) >> 1, 2) for _, count in memos]
        chosen = [
            lvl, 40 + 3 * agree[0] + agree[1], 49 + min(level(abs(apart)), 23), 73 + min(near1, 31), 105 + frac
        ][: SETS[self.preset] - 1]  # fmt: skip

        def split(value):
            return (1, value - centre - 1) if value > centre else (0, centre - value)

        def coded(node, short, bit, expected):
            used = [self.cells[i, row, node] for i, row in enumerate(rows)]
            inputs = [*(cell.stretched() for cell in used), 256]
            memo_cells = []
            for i, guess in enumerate(expected):
                cell = self.memo_cells[i, min(memos[i][1], 15), short] if guess is not None else None
                memo_cells.append(cell)
                inputs.append(0 if cell is None else cell.stretched() if guess else -cell.stretched())
            inputs += [0] * (LANES[self.preset] - len(inputs))
            sets = [128 * kind + node, *(512 + 16 * row + short for row in chosen)]
            mixed = self.mixer.mix(inputs, sets)
            q = squash(mixed)
            spot = (mixed + 3072) * 5 >> 3
            knot, part = spot >> 8, spot & 255
            row = self.sse.setdefault((coarse, node), [Cell(*each) for each in knots()])
            refined = row[knot].p * (256 - part) + row[knot + 1].p * part >> 14
            bit = self.coder.code(clamp((q + refined + 1) >> 1, 1, 65535), bit)
            self.mixer.learn(inputs, sets, q, bit)
            for cell in used:
                cell.learn(bit)
            for cell, guess in zip(memo_cells, expected, strict=True):
                if cell is not None:
                    cell.learn(int(bit == guess))
            row[knot + (part >= 128)].learn(bit, 255)
            return bit

        live = [count > 0 for _, count in memos]
        guesses = [split(value) for value, _ in memos]
        side, m = split(want) if self.encodes else (0, 0)
        side = coded(62, 0, side, [g[0] if ok else None for g, ok in zip(guesses, live, strict=True)])
        most = high - centre - 1 if side else centre - low
        if most > 0:
            live = [ok and g[0] == side for g, ok in zip(guesses, live, strict=True)]
            far = [g[1] for g in guesses]
            step = 0
            while 1 << step <= most:
                expected = [
                    int(t >= 1 << step) if ok and t >= (1 << step) >> 1 else None
                    for t, ok in zip(far, live, strict=True)
                ]
                if not coded(64 * side + step, 1 + min(step, 11), int(m >= 1 << step), expected):
                    break
                step += 1
            if not self.encodes:
                m = 1 << step >> 1
            for place in range(step - 2, -1, -1):
                bit = m >> place & 1
                head = m >> (place + 1)
                if place < step - 3:
                    bit = self.coder.code(32768, bit)
                else:
                    expected = [
                        t >> place & 1 if ok and t >> (place + 1) == head else None
                        for t, ok in zip(far, live, strict=True)
                    ]
                    last = place == step - 3
                    node = 36 + 2 * min(step, 11) + (head & 1) if last else 18 + step
                    bit = coded(64 * side + node, 14 if last else 13, bit, expected)
                if not self.encodes:
                    m |= bit << place
        else:
            m = 0
        value = clamp(centre + 1 + m if side else centre - m, low, high)
        for i, place in enumerate(at):
            t, count = memos[i]
            self.memos[i][place] = (t, min(count + 1, 255)) if t == value else (value, 1)
        return value


class Picture:
    """A picture and how it is coded, as a payload has it."""


class Head:
    """The map of pictures of a payload, and how each is coded."""

    def __init__(self, payload):
        self.payload, self.at = payload, 0
        self.pictures = []
        for _ in range(self._uleb()):
            self.pictures.append(self._entry())
        for picture in self.pictures:
            self._how(picture)

    def _u8(self):
        self.at += 1
        return self.payload[self.at - 1]

    def _uleb(self):
        byte = self._u8()
        return byte if byte < 128 else byte - 128 + 128 * self._uleb()

    def _entry(self):
        head, picture = self._u8(), Picture()
        picture.gap = self._uleb() if head & 128 else 0
        picture.back = self._u8() if head & 2 else 0
        picture.channels, picture.depth, picture.big = (head >> 2 & 7) + 1, (head >> 5 & 1) + 1, head & 64
        if head & 1:
            last = self.pictures[-1]
            picture.width, picture.height, picture.filling = last.width, last.height, last.filling
        else:
            picture.width, picture.height, picture.filling = self._uleb(), self._uleb(), self._uleb()
        return picture

    def _how(self, picture):
        head = self._u8()
        picture.formula = head & 3
        names = ("reversed", "wrong", "signed", "split", "down", "right")
        for k, name in enumerate(names, 2):
            setattr(picture, name, head >> k & 1)
        picture.bounds = []
        for _ in range(picture.channels):
            low = self._uleb()
            low = -(low >> 1) if low & 1 else low >> 1
            high = low + self._uleb()
            last = self._u8()
            picture.bounds.append((low, high, last & 127, last >> 7))

class Payload(Head):
    """A payload of `size` bytes, decoded.

    Attributes:
        block: the bytes.
    """

    def __init__(self, payload, size, preset):
        super().__init__(payload)
        self.size, self.preset = size, preset
        model = Model(preset, BinaryCoder(payload[self.at :]))
        used = sum(p.width * p.height * p.channels * p.depth for p in self.pictures)
        bitmaps = sum((high - low + 8) // 8 for p in self.pictures for low, high, _, gaps in p.bounds if gaps)
        self.loose = model.loose(None, size - used + bitmaps)
        self._run(model)

    def again(self):
        """Return the payload that the same numbers give."""
        model = Model(self.preset, BinaryCoder())
        model.loose(self.loose, len(self.loose))
        self._run(model)
        return self.payload[: self.at] + model.coder.end()

    # ---- the pictures

    def _run(self, model):
        """Code all pictures: put the block together where the model decodes."""
        loose, out, done = self.loose, bytearray(), []
        beside, at = [], 0
        for p in self.pictures:
            gap, at = loose[at : at + p.gap], at + p.gap
            filling, at = loose[at : at + p.filling * p.height], at + p.filling * p.height
            used = []
            for low, high, _, gaps in p.bounds:
                count = (high - low + 8) // 8 * gaps
                bits = int.from_bytes(loose[at : at + count], "little")
                used.append([low + k for k in range(high - low + 1) if bits >> k & 1] if gaps else None)
                at += count
            beside.append((gap, filling, used))
        for p, (gap, filling, used) in zip(self.pictures, beside, strict=True):
            out += gap
            rows = self._picture(model, p, used, done)
            row = p.filling
            for y, pixels in enumerate(rows):
                for pixel in pixels:
                    for sample in pixel:
                        out += sample.to_bytes(p.depth, "big" if p.big else "little")
                out += filling[y * row : (y + 1) * row]
        self.block = bytes(out + loose[at:])

    def _picture(self, model, p, used, done):
        """Code a picture; return its rows of pixels."""
        spans = [
            (0, len(numbers) - 1, shrink) if numbers else (low, high, shrink)
            for numbers, (low, high, shrink, _) in zip(used, p.bounds, strict=True)
        ]
        plain = [0, *range(3, p.channels)] if p.split else list(range(p.channels))
        planes = getattr(p, "planes", None)
        alike = (p.formula, p.reversed, p.signed)
        may = not p.split and not any(used)
        earlier = done[-p.back] if p.back else None
        room = {}
        if may and earlier is not None and earlier[0] == alike:
            m = len(plain)
            for k, (rows, errors) in enumerate(earlier[1]):
                room[k] = Sheet(p.height, p.width, 0, rows, errors)
            for k in range(m):
                refs = ((k,), (m, 1, 0), (m + k - 1, k, k - 1, m + k - 2))[min(k, 2)]
                model.code(
                    room, m + k, SHARES[f"frame {min(k, 2)}"], refs, min(k + 1, 2), 12 + k, spans[k], (),
                    planes and planes[k],
                )  # fmt: skip
            sheets = [room[m + k] for k in range(m)]
        else:
            room[-1] = Sheet(p.height, p.width)
            for i, k in enumerate(plain):
                refs = [i - 1, i - 2][: min(i, 2)]
                model.code(room, i, SHARES[len(refs)], refs, min(i, 2), k, spans[k], (), planes and planes[k])
            sheets = [room[i] for i in range(len(plain))]
        done.append((alike, [(s.rows(), s.rows(s.e)) for s in sheets]) if may else None)
        found = dict(zip(plain, (s.rows() for s in sheets), strict=True))
        if p.split:
            found |= self._quarters(model, p, sheets[0], spans, planes)
        p.planes = [found[k] for k in range(p.channels)]
        channels = self._channels(model, p, used)
        return [list(zip(*lines, strict=True)) for lines in zip(*channels, strict=True)]

    def _cut(self, p, rows):
        rows = [*rows[:1] * p.down, *rows]
        rows += rows[-1:] * (len(rows) & 1)
        rows = [[*row[:1] * p.right, *row] for row in rows]
        rows = [[*row, *row[-1:] * (len(row) & 1)] for row in rows]
        return [[row[x::2] for row in rows[y::2]] for y in (0, 1) for x in (0, 1)]

    def _quarters(self, model, p, luma, spans, planes):
        room = {}
        both = zip(self._cut(p, luma.rows()), self._cut(p, luma.rows(luma.e)), strict=True)
        for k, (rows, errors) in enumerate(both):
            room[k] = Sheet(len(rows), len(rows[0]), 0, rows, errors)
        parts = {4 * k + j: part for k in (1, 2) for j, part in enumerate(self._cut(p, planes[k]))} if planes else {}
        for number, refs, shares, means in QUARTERS:
            kind = 3 if number % 4 else 1
            model.code(room, number, shares, refs, kind, number, spans[number // 4], means, parts.get(number))
        out = {}
        for k in (1, 2):
            rows = [room[4 * k + j].rows() for j in range(4)]
            whole = [[rows[2 * (y & 1) + (x & 1)][y >> 1][x >> 1] for x in range(2 * len(rows[0][0]))]
                     for y in range(2 * len(rows[0]))]  # fmt: skip
            out[k] = [row[p.right : p.right + p.width] for row in whole[p.down : p.down + p.height]]
        return out

    def _channels(self, model, p, used):
        """Return the channels that planes stand for."""
        numbers = [
            [[which[x] for x in row] for row in plane] if which else plane
            for which, plane in zip(used, p.planes, strict=True)
        ]
        order = [1, 0, *range(2, p.channels)] if p.channels > 2 else range(p.channels)
        channels = dict(zip(order, numbers, strict=True))
        if p.formula:
            abc = [tuple(numbers[k][y][x] for k in range(3)) for y in range(p.height) for x in range(p.width)]
            colours = [colour_of(p.formula, *each) for each in abc]
            if p.wrong:
                doubts = [doubt_of(*each) if p.formula == 2 else None for each in abc]
                colours = p.colours = model.put_right(p.width, colours, doubts, getattr(p, "colours", None))
            for k in range(3):
                flat = [colour[k] for colour in colours]
                lines = [flat[y * p.width : (y + 1) * p.width] for y in range(p.height)]
                channels[2 - k if p.reversed else k] = lines
        flip = 0x8000 if p.signed and p.depth == 2 else 0
        return [[[x ^ flip for x in row] for row in channels[k]] for k in range(p.channels)]


def colour_of(formula, a, b, c):
    """Return red, green and blue."""
    if formula == 1:
        red, blue = a + (91881 * c + 32768) // 65536, a + (116130 * b + 32768) // 65536
        green = a + (32768 - 22554 * b - 46802 * c) // 65536
    else:
        parts = 13584 * a + 18215 * c, 13584 * a - 4303 * b - 9271 * c, 13584 * a + 22179 * b
        red, green, blue = (x // 10000 for x in parts)
    return tuple(clamp(x, 0, 255) for x in (red, green, blue))


def doubt_of(a, b, c):
    """Return the class of the fractions that formula 2 drops."""
    green, c1, c2 = (x % 10000 for x in (13584 * a - 4303 * b - 9271 * c, 22179 * b, 18215 * c))
    return 16 * (16 * green // 10000) + 4 * (4 * c1 // 10000) + 4 * c2 // 10000
