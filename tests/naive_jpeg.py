"""The `jpeg` engine's decoder in plain Python: what docs/reference/JPEG.md says, as short as it can be said, and slow.

`decode` gives the block of a payload that is right. Nothing is shared with the kernels.
"""

from __future__ import annotations

from naive import BinaryCoder
from naive_cm import clamp, squash, stretch

M64 = (1 << 64) - 1
K1, K3 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
STRIP = 1 << 15
LARGEST_WEIGHT = (1 << 19) - 1
ZIGZAG = sorted(range(64), key=lambda r: (r % 8 + r // 8, (r % 8, r // 8)[(r % 8 + r // 8) % 2]))
ORDER = [r for r in ZIGZAG if r % 8 and r // 8] + [*range(1, 8), *range(8, 64, 8), 0]
LOGS = [((4 + x) ** 32).bit_length() - 65 for x in range(4096)]
CHOSEN = {
    1: ([0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 13], [2, 3, 4, 7, 8, 9], [1, 2, 4, 5, 8, 9, 10], [1, 2, 4, 8, 9], [1, 3, 4, 5]),
    2: tuple(list(range(n)) for n in (18, 10, 11, 11, 6)),
}


class Cells:
    """Adaptive probabilities by any key."""

    def __init__(self, limit):
        self.cells, self.limit = {}, limit

    def input(self, key):
        return stretch(self.cells.get(key, (1 << 21, 0))[0] >> 10)

    def learn(self, key, bit):
        p, n = self.cells.get(key, (1 << 21, 0))
        p += (((1 << 22) - 1 if bit else 0) - p) * (2**17 // (2 * n + 3)) >> 16
        self.cells[key] = p, n + (n < self.limit)


def total(inputs, weights):
    return sum(x * w >> 8 for x, w in zip(inputs, weights, strict=True))


def moved(inputs, weights, error):
    return [clamp(w + (x * error + 8192 >> 14), LARGEST_WEIGHT) for x, w in zip(inputs, weights, strict=True)]


class Mixer:
    """Rows of weights by any key."""

    def __init__(self, start):
        self.rows, self.uses, self.start = {}, {}, start

    def code(self, coder, key, inputs, bit, rate=None):
        """Code a bit, or learn it where there is no coder."""
        weights = self.rows.get(key, self.start)
        p = squash(clamp(total(inputs, weights) >> 8, 3071))
        if coder:
            bit = coder.code(p)
        if rate is None:
            used = self.uses.get(key, 0)
            self.uses[key] = used + 1
            rate = 70 + 19200 // (64 + 4 * min(used // 4, 255))
        self.rows[key] = moved(inputs, weights, ((bit << 16) - p) * rate >> 10)
        return bit


class Bytes:
    """The model of bytes."""

    def __init__(self, before):
        self.data, self.cells, self.places = bytearray(), Cells(250), {}
        self.mixer = Mixer([20000] * 6 + [0, 0])
        self.length = self.place = 0
        for byte in before:
            self.byte(None, byte)
        self.length = 0  # the match ends where coding begins

    def byte(self, coder, byte=0):
        data, p = self.data, len(self.data)
        if p >= 4:
            h = int.from_bytes(data[-4:], "big") * K1 % (1 << 64) >> 50
            if self.length and data[self.place] == data[-1]:
                self.length, self.place = min(self.length + 1, 31), self.place + 1
            else:
                self.place, self.length = self.places.get(h, 0), 0
                while self.length < min(31, self.place - 1) and (
                    data[self.place - 1 - self.length] == data[p - 1 - self.length]
                ):
                    self.length += 1
                self.length *= self.length >= 4
            self.places[h] = p
        last = bytes(6) + bytes(data[-6:])
        partial = 1
        for bit in range(8):
            keys = []
            for k, size in enumerate((1, 2, 3, 4, 6)):
                t = (int.from_bytes(last[-size:], "big") + (k << 56)) * K1 & M64
                keys.append((k, ((t ^ t >> 29) ^ partial) * K3 % (1 << 64) >> 48))
            inputs = [self.cells.input(key) for key in keys]
            expected = -1
            if self.length and data[self.place] + 256 >> 8 - bit == partial:
                expected = data[self.place] >> 7 - bit & 1
            else:
                self.length = 0
            strength = self.cells.input(self.length)
            match = self.length
            inputs += [0 if expected < 0 else strength if expected else -strength, 256, 0]
            y = self.mixer.code(coder, (self.length >> 1, bit), inputs, byte >> 7 - bit & 1, 24)
            for key in keys:
                self.cells.learn(key, y)
            if expected >= 0:
                self.cells.learn(match, y == expected)
            partial = partial * 2 + y
        data.append(partial - 256)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def uleb(self):
        value = shift = 0
        while True:
            byte = self.bytes(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


# ---- files -----------------------------------------------------------------------------------------------------------


def up(a, b):
    return -(-a // b)


class Head:
    """What a head says, up to its last coded scan."""

    def __init__(self, head, scans):
        self.scans, self.tables, codes, interval, at = [], {}, {}, 0, 2
        while len(self.scans) < scans:
            at = head.index(b"\xff", at)
            marker = head[at + 1]
            if marker in (0, 1, 0xFF, *range(0xD0, 0xD8)):
                at += 1 if marker == 0xFF else 2
                continue
            size = int.from_bytes(head[at + 2 : at + 4], "big")
            body = head[at + 4 : at + 2 + size]
            at += 2 + size
            if marker == 0xDB:
                while body:
                    wide = 1 + (body[0] >> 4)
                    self.tables[body[0] & 15] = [
                        int.from_bytes(body[1 + wide * k : 1 + wide * (k + 1)], "big") for k in range(64)
                    ]
                    body = body[1 + 64 * wide :]
            elif marker == 0xC4:
                while body:
                    symbols, code, place = {}, 0, 17
                    for length in range(1, 17):
                        for _ in range(body[length]):
                            symbols[body[place]] = format(code, f"0{length}b")
                            code, place = code + 1, place + 1
                        code *= 2
                    codes[body[0]] = symbols
                    body = body[place:]
            elif marker == 0xDD:
                interval = int.from_bytes(body, "big")
            elif marker in (0xC0, 0xC1, 0xC2):
                self.frame(marker, body)
            elif marker == 0xDA:
                members = []
                for k in range(body[0]):
                    name, which = body[1 + 2 * k : 3 + 2 * k]
                    component = next(c for c in self.components if c.name == name)
                    members.append((component, codes.get(which >> 4, {}), codes.get(16 | which & 15, {})))
                self.scans.append((at, members, interval, body[-3], body[-2], body[-1] >> 4, body[-1] & 15))

    def frame(self, marker, body):
        self.progressive = marker == 0xC2
        height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        parts = [body[k : k + 3] for k in range(6, len(body), 3)]
        across, down = max(p[1] >> 4 for p in parts), max(p[1] & 15 for p in parts)
        self.wide, self.high = up(width, 8 * across), up(height, 8 * down)
        self.components = []
        for part in parts:
            c = Component()
            c.name, c.across, c.down, c.table = part[0], part[1] >> 4, part[1] & 15, part[2]
            c.wide, c.high = self.wide * c.across, self.high * c.down
            c.seen = up(up(width * c.across, across), 8), up(up(height * c.down, down), 8)
            c.blocks = {}
            self.components.append(c)


class Component:
    def block(self, x, y):
        """Return 64 coefficients in raster order."""
        return self.blocks.get((x, y), [0] * 64)


def signed_bits(value, size):
    return format(value if value >= 0 else value + (1 << size) - 1, f"0{size}b") if size else ""


def scan_bytes(head, number, stop, fill, pads, breaks):
    """Return an entropy-coded stretch, of `stop` units if that is not 0; `pads` loses what is used."""
    _, members, interval, first, last, high, low = head.scans[number]
    alone = len(members) == 1
    wide, tall = members[0][0].seen if alone else (head.wide, head.high)
    units = wide * tall
    out, bits, run = [], "", None

    def ended():
        """Write the run of ended blocks."""
        nonlocal bits, run
        if run:
            size = len(run).bit_length() - 1
            bits += members[0][2][size << 4] + (format(len(run) - (1 << size), f"0{size}b") if size else "")
            bits += "".join(run)
        run = []

    def filled():
        nonlocal bits
        free = -len(bits) % 8
        if free:
            bits += (format(pads.pop(0), "08b")[-free:]) if fill == 2 else str(fill) * free
        out.append(int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:].replace(b"\xff", b"\xff\0"))
        bits = ""

    run = []
    before = [0] * len(members)
    for unit in range(stop or units):
        again = interval and unit and unit % interval == 0
        if again or unit in breaks or len(run) == 32767:
            ended()
        if again:
            filled()
            out.append(bytes((0xFF, 0xD0 + (unit // interval - 1) % 8)))
            before = [0] * len(members)
        for m, (c, dc, ac) in enumerate(members):
            for part in range(1 if alone else c.across * c.down):
                if alone:
                    x, y = unit % wide, unit // wide
                else:
                    x = unit % wide * c.across + part % c.across
                    y = unit // wide * c.down + part // c.across
                block = [c.block(x, y)[r] for r in ZIGZAG]
                if first == 0:
                    if high:
                        bits += str(block[0] >> low & 1)
                    else:
                        value = block[0] >> low
                        size = abs(value - before[m]).bit_length()
                        bits += dc[size] + signed_bits(value - before[m], size)
                        before[m] = value
                zero, waiting = 0, ""
                sizes = [abs(value) >> low for value in block]
                final = max((k for k in range(64) if sizes[k] == 1), default=0)
                for k in range(max(first, 1), last + 1):
                    large = sizes[k]
                    if not large:
                        zero += 1
                        continue
                    while zero > 15 and (not high or k <= final):
                        ended()
                        bits += ac[0xF0] + waiting
                        waiting, zero = "", zero - 16
                    if high and large > 1:
                        waiting += str(large & 1)
                        continue
                    ended()
                    size = large.bit_length()
                    value = large if block[k] > 0 else -large
                    bits += ac[zero << 4 | size]
                    bits += (str(int(value > 0)) + waiting) if high else signed_bits(value, size)
                    zero, waiting = 0, ""
                if head.progressive and (zero or waiting):
                    run.append(waiting)
                elif zero and not head.progressive:
                    bits += ac[0]
    ended()
    if stop in (0, units):
        filled()
    else:
        bits = bits[: len(bits) // 8 * 8]
        filled()
    return b"".join(out)


# ---- coefficients ----------------------------------------------------------------------------------------------------


def cls(x, most=15):
    if x >= 4:
        n = x.bit_length()
        x = 2 * n + (x >> n - 2 & 1) - 2
    return min(x, most)


def way(x, most):
    return most + cls(x, most) if x >= 0 else most - cls(-x, most)


def sign(x):
    return (x > 0) - (x < 0) + 1


def log(x):
    return LOGS[min(x, 4095)]


class Coefficients:
    """The model of coefficients."""

    def __init__(self, preset):
        self.chosen, self.cells = CHOSEN[preset], Cells(400)
        self.lanes = 16 * preset
        self.mixer = Mixer([4587] * (self.lanes - 1) + [0])
        self.sizes, self.means = {}, {}

    def bit(self, kind, contexts, node, row):
        keys = [(kind, k, contexts[k], node) for k in self.chosen[kind]]
        inputs = [self.cells.input(key) for key in keys]
        inputs += [0] * (self.lanes - 1 - len(inputs)) + [256]
        y = self.mixer.code(self.coder, row, inputs, 0)
        for key in keys:
            self.cells.learn(key, y)
        return y

    def value(self, kind, contexts, signs, row):
        """Decode a value; rows of weights are `row` and the node."""
        if not self.bit(kind, contexts, 0, (row, 0)):
            return 0
        digits = 1
        while digits < 15 and self.bit(kind, contexts, digits, (row, digits)):
            digits += 1
        node = min(digits, 4) - 1
        negative = self.bit(kind + 1, signs, node, (row, 32 + node))
        value = 1
        for k in range(digits - 1):
            node = 31 if k else 15 + digits
            value = 2 * value + self.bit(kind, contexts, node, (row, node))
        return -value if negative else value

    def file(self, coder, head):
        self.coder = coder
        for c in head.components:
            c.edges, c.counts, c.errors = {}, {}, {}
        each = sum(c.wide * c.down for c in head.components)
        by_rows = not head.progressive and len(head.scans[0][1]) == len(head.components)
        rows = max(1, STRIP // each) if by_rows else head.high
        for row in range(0, head.high, rows):
            for number, c in enumerate(head.components):
                table = head.tables.get(c.table, [1] * 64)
                self.q = [max(1, table[ZIGZAG.index(r)]) for r in range(64)]
                self.c, self.number, self.s, self.head = c, number, int(number in (1, 2)), head
                self.edges, self.counts, self.errors = c.edges, c.counts, c.errors
                for y in range(row * c.down, min(row + rows, head.high) * c.down):
                    for x in range(c.wide):
                        self.block(x, y)

    def block(self, x, y):
        c, s, q = self.c, self.s, self.q
        block = c.blocks[x, y] = [0] * 64
        first, second = self.head.components[0], self.head.components[min(1, len(self.head.components) - 1)]
        if self.number:
            ox, oy = x * first.wide // c.wide, y * first.high // c.high
            one = first.block(ox, oy)
            two = first.block(
                min(ox + max(first.wide // c.wide - 1, 0), first.wide - 1),
                min(oy + max(first.high // c.high - 1, 0), first.high - 1),
            )
        else:
            one = c.block(x - 2, y) if x > 1 else c.block(x - 1, y)
            two = c.block(x, y - 2) if y > 1 else c.block(x, y - 1)
        paired = self.number > 1 and (second.wide, second.high) == (c.wide, c.high)
        pairs = second.block(x, y) if paired else [0] * 64
        weight = [1024] + [1448] * 7
        left_edge = list(self.edges.get((x - 1, y), ([0] * 8, 0))[0])
        top_edge = list(self.edges.get((x, y - 1), (0, [0] * 8))[1])
        right, down = [0] * 8, [0] * 8
        known = {}
        total_count = 0

        def take(r, value):
            d = clamp(value * q[r], (1 << 17) - 1)
            u, v = r % 8, r // 8
            known[u, v] = d
            left_edge[v] -= weight[u] * d
            right[v] += (-1) ** u * weight[u] * d
            top_edge[u] -= weight[v] * d
            down[u] += (-1) ** v * weight[v] * d

        rough = None
        for g, places in enumerate((ORDER[:49], ORDER[49:56], ORDER[56:63])):
            a, b = self.counts.get((x, y - 1, g), 0), self.counts.get((x - 1, y, g), 0)
            if y == 0:
                a = b
            if x == 0:
                b = a
            n = self.counts[x + 1, y - 1, g] if y and x + 1 < c.wide else a
            m, t = (a + b + 1) >> 1, cls(total_count)
            like = sum((one[r] != 0) + (two[r] != 0) for r in places) if self.number else 0
            p = sum(pairs[r] != 0 for r in places)
            G = 64 * (3 * s + g)
            rough = sum(abs(left_edge[i]) + abs(top_edge[i]) for i in range(1, 8))
            R = cls(rough * ((1 << 36) // (q[9] * 1448)) >> 34)
            contexts = [
                G + m, 16 * (G + a) + cls(b), 16 * (G + b) + cls(a), 16 * (G + m) + t, 16 * (G + m) + R,
                16 * (G + cls(a + b + n)) + cls(like), 16 * (G + p) + cls(m), G + total_count,
                16 * (G + cls(like)) + min(p, 15), 16 * (G + ((a + b + 2 * n + 2) >> 2)) + t, 16 * (G + t) + R,
            ]  # fmt: skip
            bits = 6 if g == 0 else 3
            node = 1
            for k in range(bits):
                node = 2 * node + self.bit(2, contexts, node, ("count", s, g, bits - k))
            count = min(node - (1 << bits), len(places))
            self.counts[x, y, g] = left = count
            total_count += count
            before, before2, recent = 0, 0, 0
            for place, r in enumerate(places):
                if not left:
                    break
                value = self.coefficient(
                    x, y, r, left, len(places) - place, before, before2, recent, known, left_edge, top_edge, one, two,
                    pairs,
                )  # fmt: skip
                block[r] = value
                if value:
                    left -= 1
                    take(r, value)
                recent = (3 * recent + 12 * abs(value)) >> 2
                before, before2 = abs(value), before
        # place 0
        by = (1 << 36) // (q[0] * 1024)
        fl, ft = left_edge[0] * by >> 32, top_edge[0] * by >> 32
        rl, rt = (sum(map(abs, edge[1:])) * by >> 34 for edge in (left_edge, top_edge))
        if x == 0:
            fl = ft
        elif y == 0:
            ft = fl
        guess = ft + (fl - ft) * (rt + 2) // (rl + rt + 4)
        expected, fine = clamp((guess + 8) >> 4, 8191), (guess + 8) & 15
        el, ea = self.errors.get((x - 1, y), 0), self.errors.get((x, y - 1), 0)
        ex = self.errors.get((x + 1, y - 1), 0) if x + 1 < c.wide else ea
        ep = second.errors[x, y] if paired else 0
        W, C, Y, Q = 64 * s, cls(abs(fl - ft) >> 2), way((fl - ft) >> 2, 15), cls(rl + rt)
        E, t = cls(abs(el) + abs(ea)), total_count
        contexts = [
            W + Q, 16 * (W + Q) + C, 16 * (W + C) + E, 16 * (W + Q) + E, 16 * (W + t) + Q,
            16 * (W + cls(rl)) + cls(rt), W + 4 * cls(abs(el)) + (min(cls(abs(ea)), 7) >> 1),
            16 * (W + cls(abs(ea))) + cls(abs(ex)), 16 * (W + cls(abs(ep))) + Q, 16 * (W + E) + min(t, 15), W + fine,
        ]  # fmt: skip
        signs = [
            32 * (W + fine) + Q, 32 * (W + Y) + C, 32 * (W + 3 * sign(el) + sign(ea)) + E,
            32 * (W + way(el, 15)) + way(ea, 15), 32 * (W + way(ep, 15)) + fine, 32 * (W + Y) + fine,
        ]  # fmt: skip
        error = self.value(3, contexts, signs, 18 + s)
        self.errors[x, y] = error
        block[0] = clamp(error + expected, 16383)
        take(0, block[0])
        self.edges[x, y] = right, down

    def coefficient(
        self, x, y, r, left, to_go, before, before2, recent, known, left_edge, top_edge, one, two, pairs
    ):  # fmt: skip
        c, s, q, u, v = self.c, self.s, self.q[r], r % 8, r // 8
        blocks = [c.block(x + i, y + j) for i, j in ((0, -1), (-1, 0), (-1, -1), (1, -1))]
        top, aside, corner, beyond = (block[r] for block in blocks)
        likes, pair = abs(one[r]) + abs(two[r]), pairs[r]
        f = (1 << 20) // q

        def d(i, j):
            return known.get((u + i, v + j), 0)

        beside4 = d(-1, 0), d(0, -1), d(1, 0), d(0, 1)
        corners = sum(abs(d(i, j)) for i in (-1, 1) for j in (-1, 1))
        inside = (2 * sum(map(abs, beside4)) + corners) * f >> 20
        beside = 8 * (abs(top) + abs(aside))
        if x and y:
            beside = 13 * (abs(top) + abs(aside)) + 6 * abs(corner) >> 2
        weight = [1024] + [1448] * 7
        fl = left_edge[v] * ((1 << 36) // (q * weight[u])) >> 32 if v else 0
        ft = top_edge[u] * ((1 << 36) // (q * weight[v])) >> 32 if u else 0
        joined = ft if v == 0 or x == 0 else fl if u == 0 or y == 0 else (fl + ft) >> 1
        around = 0
        for i, j in ((1, 0), (0, 1), (-1, 0), (0, -1)):
            if 0 <= u + i < 8 and 0 <= v + j < 8 and (u + i, v + j) != (0, 0):
                around += sum(abs(block[r + i + 8 * j]) for block in blocks[:2])
        z = r + 64 * s
        sizes = [log(4 * abs(value)) for value in (top, aside, corner, beyond)] + [log(4 * likes)]
        sizes += [log(abs(e) * f >> 18) for e in beside4] + [log(corners * f >> 19)]
        sizes += [log(abs(fl) >> 2), log(abs(ft) >> 2), log(2 * around), log(recent), log(4 * left), 64]
        size = max(total(sizes, self.sizes.setdefault(z, [5461] * 16)) >> 8, 0)
        means = [fl, ft, 16 * top, 16 * aside, 16 * corner, 16 * beyond, 16 * pair, 16 * one[r] if self.number else 0]
        means += [e * f >> 16 for e in (d(-2, 0), d(0, -2), d(2, 0), d(0, 2), *beside4)]
        means = [clamp(value, 1023) for value in means]
        mean = clamp(total(means, self.means.setdefault(z, [20000] * 2 + [0] * 14)) >> 8, 1023)
        zone = min(u + v, 8) + 16 * s
        S, B, In, J = min(size >> 3, 31), cls(beside), cls(inside), cls(abs(joined) >> 2)
        Lc, Tc, M, n = cls(abs(fl) >> 2), cls(abs(ft) >> 2), cls(abs(mean), 31), min(left, 15)
        b7, c7 = min(before, 7), min(before2, 7)
        wJ, wL, wT, wM = way(joined >> 2, 15), way(fl >> 3, 7), way(ft >> 3, 7), way(mean, 23)
        N = 3 * sign(top) + sign(aside)
        contexts = [
            32 * z + S, 32 * z + min(left, 31), 16 * z + Lc, 32 * (16 * B + In) + zone, 32 * (16 * n + In) + B + 16 * s,
            32 * (16 * Lc + Tc) + zone, 64 * (8 * S + b7) + 32 * min(before2, 1) + zone,
            8 * (16 * z + cls(2 * likes)) + min(abs(pair), 7), 16 * z + cls(recent), 2 * (64 * n + to_go) + s,
            2 * (16 * (8 * b7 + c7) + n) + s, 32 * (16 * S + J) + zone, 16 * z + Tc, 16 * (8 * z + (S >> 2)) + n,
            16 * (16 * S + n) + J, 32 * z + M, 16 * (32 * M + S) + n, 16 * (32 * M + zone) + B,
        ]  # fmt: skip
        around_signs = sign(d(-1, 0)) + 3 * sign(d(0, -1)) + 9 * sign(d(-2, 0)) + 27 * sign(d(0, -2))
        signs = [
            32 * z + wJ, 32 * (16 * wL + wT) + zone, 128 * N + z, 32 * around_signs + zone, 128 * sign(pair) + z,
            2 * (9 * wJ + N) + s, 2 * (9 * min(max((joined >> 2) + 32, 0), 63) + min(In, 8)) + s, 47 * z + wM,
            16 * (16 * wM + wL) + wT, 2 * (32 * wM + S) + s,
        ]  # fmt: skip
        value = self.value(0, contexts, signs, 9 * s + min(u + v, 8))
        self.sizes[z] = moved(sizes, self.sizes[z], 200 * (log(4 * abs(value)) - size))
        power = total(means, means) + 16
        error = clamp(40000 * (clamp(16 * value, 1023) - mean) // power, 1 << 20)
        self.means[z] = moved(means, self.means[z], error)
        return value


# ---- the payload -----------------------------------------------------------------------------------------------------


def decode(payload, preset, before):
    """Return the block of a payload; `before` is what the model of bytes reads first."""
    reader = Reader(payload)
    length = reader.uleb()
    coder = BinaryCoder(payload[reader.at :])
    model = Bytes(before)
    for _ in range(length):
        model.byte(coder)
    coefficients = Coefficients(preset)
    return stretch_of(Reader(bytes(model.data[len(before) :])), coder, coefficients)


def stretch_of(plan, coder, coefficients):
    out = b""
    for _ in range(plan.uleb()):
        out += plan.bytes(plan.uleb())
        size = plan.uleb()
        flags = plan.bytes(1)[0]
        scans = plan.uleb()
        stop = plan.uleb() if flags & 4 else 0
        pads = list(plan.bytes(plan.uleb())) if flags & 3 == 2 else []
        breaks = []
        for _ in range(scans if flags & 8 else 0):
            each, units, at = Reader(plan.bytes(plan.uleb())), set(), 0
            while each.at < len(each.data):
                at += each.uleb()
                units.add(at)
            breaks.append(units)
        text = stretch_of(plan, coder, coefficients)
        head = Head(text, scans)
        coefficients.file(coder, head)
        file, taken = b"", 0
        for k in range(scans):
            file += text[taken : head.scans[k][0]]
            taken = head.scans[k][0]
            last = k == scans - 1
            file += scan_bytes(head, k, stop if last else 0, flags & 3, pads, breaks[k] if breaks else ())
        file += text[taken:]
        assert len(file) == size
        out += file
    return out + plan.bytes(plan.uleb())
