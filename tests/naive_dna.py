"""The engines `dna` and `reads` in plain Python, written from docs/reference/DNA.md and READS.md."""

from __future__ import annotations

from functools import lru_cache

import naive_cm as cm
from naive import BinaryCoder
from naive_bundle import Cursor

K1, K2, K3 = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F
WORD = (1 << 64) - 1
PRESETS = {
    1: ((3, 8, 11), (5, 9), (12, 18), (20,)),
    2: ((2, 4, 6, 8, 11), (5, 8, 10), (12, 16, 20), (24, 12)),
    3: ((1, 2, 3, 4, 6, 8, 9, 10, 11), (5, 2, 3, 4, 7, 8, 10), (12, 11, 14, 16, 18, 22), (24, 12, 16, 20)),
}
PRESETS[4] = PRESETS[3]


def spread(context: int) -> int:
    g = (context + 1) * K1 & WORD
    return (g ^ g >> 32) * K2 & WORD


def row_of(context: int, order: int, bits: int) -> int:
    return context if 2 * order <= bits else spread(context) >> (64 - bits)


@lru_cache(maxsize=256)
def cost_of(q: int) -> int:
    x = max(11, min(501, 2 * q + 1))
    return (512**64 // x**64).bit_length() - 1


def learned(cell: list[int], bit: int, limit: int) -> None:
    """Let a cell of a map, (p, count), learn a bit."""
    cell[0] += (bit * ((1 << 22) - 1) - cell[0]) * cm.rate_of(cell[1]) >> 16
    cell[1] += cell[1] < limit


class Rows:
    """Rows of cells: by any key, three chances and visits."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, ...], list[int]] = {}

    def at(self, *key: int) -> list[int]:
        return self.rows.setdefault(key, [1 << 15, 1 << 15, 1 << 15, 0])

    def learn(self, symbol: int, *key: int) -> None:
        row = self.at(*key)
        high, low = symbol >> 1, symbol & 1
        row[0] += (65535 * high - row[0]) * (65536 // (row[3] + 6)) >> 16
        row[1 + high] += (65535 * low - row[1 + high]) * (65536 // ((row[3] >> 1) + 6)) >> 16
        row[3] = min(row[3] + 1, 255)


class Counts:
    """Rows of counts of one model."""

    def __init__(self, order: int, bits: int):
        self.order, self.bits = order, min(2 * order, bits)
        self.rows: dict[int, tuple[int, list[int]]] = {}
        self.map: dict[tuple[int, int, int], list[int]] = {}

    def _place(self, context: int) -> tuple[int, int]:
        hashed = 2 * self.order > self.bits
        return row_of(context, self.order, self.bits), spread(context) >> 8 & 0xFFFF if hashed else 0

    def seen(self, context: int) -> list[int]:
        row, check = self._place(context)
        kept, counts = self.rows.get(row, (0, [0] * 4))
        return counts if kept == check else [0] * 4

    def learn(self, symbol: int, context: int) -> None:
        row, check = self._place(context)
        counts = list(self.seen(context))
        if counts[symbol] == 15:
            counts = [count >> 1 for count in counts]
        if self.order >= 14:
            counts = [count if k == symbol else count >> 1 for k, count in enumerate(counts)]
        counts[symbol] += 1
        self.rows[row] = check, counts

    def cell(self, node: int, z: int, o: int) -> list[int]:
        extra = 2 if node else 4
        return self.map.setdefault((node, z, o), [4194303 * (2 * o + extra) // (2 * (z + o + extra)), 6])


class Match:
    def __init__(self, order: int, inverted: bool):
        self.order, self.inverted = order, inverted
        self.pointer = self.length = self.misses = 0
        self.guesses: dict[tuple[int, ...], list[int]] = {}

    def look(self, known: list[int], context: int, reverse: int, places: dict[int, int], bits: int) -> None:
        i = len(known)
        if self.length >= self.order or i < self.order:
            return
        t = places.get(spread(reverse if self.inverted else context) >> (64 - bits), 0)
        a = 0
        if self.inverted:
            t -= self.order
            while t > 0 and a < min(i - t, 32) and known[t + a] == 3 - known[i - 1 - a]:
                a += 1
        else:
            while t > 0 and a < min(t, 32) and known[t - 1 - a] == known[i - 1 - a]:
                a += 1
        if t > 0 and a >= self.order and a > self.length:
            self.pointer, self.length, self.misses = t - self.inverted, a, 0

    def expected(self, known: list[int]) -> int:
        if not self.length:
            return -1
        return 3 - known[self.pointer] if self.inverted else known[self.pointer]

    @property
    def grade(self) -> int:
        if self.length < 16:
            return self.length
        return 16 + (self.length - 16 >> 2) if self.length < 32 else min(20 + (self.length - 32 >> 4), 31)

    @property
    def missed(self) -> int:
        return min(self.misses.bit_count(), 15)

    def guess(self, half: int) -> list[int]:
        first = 4194303 * (8 + 2 * self.grade) // (19 + 2 * self.grade + 8 * self.missed)
        return self.guesses.setdefault((self.grade, self.missed, self.misses & 3, half), [first, 4])

    def learn(self, expected: int, symbol: int) -> None:
        if not self.length:
            return
        self.misses = self.misses << 1 & 0xFFFF
        self.length = min(self.length + 1, 65535)
        if expected != symbol:
            self.misses |= 1
            self.length = int(self.misses.bit_count() <= 10)
        self.pointer += -1 if self.inverted else 1
        if self.pointer < 0:
            self.length = 0


class Mixer:
    """Sets of weights, and the last four."""

    def __init__(self, inputs: int, models: int, first: int, rate: tuple[int, int, int], final: int):
        self.first = [first] * models + [0] * (inputs - models)
        self.rate, self.final_rate = rate, final
        self.rows: dict[tuple[int, ...], list[int]] = {}
        self.uses: dict[tuple[int, ...], int] = {}
        self.final: dict[tuple[int, ...], list[int]] = {}

    def mix(self, inputs: list[int], chosen: list[tuple[int, ...]], top: tuple[int, ...]) -> int:
        self.inputs, self.top = inputs, self.final.setdefault(top, [16384] * 4)
        self.chosen = [(number, *key) for number, key in enumerate(chosen)]
        self.dots = []
        for key in self.chosen:
            row = self.rows.setdefault(key, list(self.first))
            total = sum(value * weight >> 8 for value, weight in zip(inputs, row, strict=True))
            self.dots.append(cm.clamp(total >> 8, 3071))
        self.mixed: int = cm.clamp(sum(d * w for d, w in zip(self.dots, self.top, strict=True)) >> 16, 3071)
        return self.mixed

    def learn(self, bit: int) -> None:
        base, warm, cool = self.rate
        for key, dot in zip(self.chosen, self.dots, strict=True):
            uses = self.uses.get(key, 0)
            e = ((bit << 16) - cm.squash(dot)) * (base + warm // (cool + uses)) >> 10
            self.uses[key] = min(uses + 1, 1 << 22)
            self.rows[key] = [
                cm.clamp(weight + (value * e + 8192 >> 14), (1 << 19) - 1)
                for weight, value in zip(self.rows[key], self.inputs, strict=True)
            ]
        e = ((bit << 16) - cm.squash(self.mixed)) * self.final_rate >> 10
        self.top[:] = [
            cm.clamp(w + (dot * e + 8192 >> 14), 1 << 19) for w, dot in zip(self.top, self.dots, strict=True)
        ]


class Nucleotides:
    def __init__(self, preset: int, bits: int):
        self.cells, self.frames, counts, matches = PRESETS[preset]
        self.bits = bits
        self.rows = {order: Rows() for order in self.cells}
        self.framed = {order: Rows() for order in self.frames}
        self.counts = [Counts(order, bits) for order in counts]
        self.matches = [Match(order, inverted) for order in matches for inverted in (False, True)]
        self.places: dict[int, dict[int, int]] = {order: {} for order in matches}
        models = len(self.cells) + len(self.frames) + len(counts) + 2 * len(matches)
        self.mixer = Mixer(models + 1, models, 11800 * 15 // models, (200, 6_000_000, 2000), 60)
        self.known: list[int] = []
        self.window = self.other = self.reading = 0
        self.spent = [0] * 6

    def frame(self, reading: int) -> int:
        j = len(self.known) % 3
        return (reading + j) % 3 if reading < 3 else 3 + (reading - j) % 3

    def cell_row(self, context: int, order: int) -> int:
        return row_of(context, order, min(2 * order, self.bits))

    def frame_row(self, context: int, order: int) -> int:
        return row_of(context, order, min(2 * order, self.bits - 2))

    def code(self, coder: BinaryCoder, symbol: int = 0) -> int:
        def context(order: int) -> int:
            return self.window & (1 << 2 * order) - 1

        def reverse(order: int) -> int:
            return self.other >> (64 - 2 * order)

        least = min(range(6), key=lambda r: self.spent[r])
        if self.spent[least] < self.spent[self.reading]:
            self.reading = least
        rest = min(cost for r, cost in enumerate(self.spent) if r != self.reading)
        margin = min((rest - self.spent[self.reading]) // 192, 7)
        frame = self.frame(self.reading)
        number = len(self.known)
        for match in self.matches:
            places = self.places[match.order]
            match.look(self.known, context(match.order), reverse(match.order), places, self.bits - 2)
        for order, places in self.places.items():
            if number >= order:
                places[spread(context(order)) >> (64 - (self.bits - 2))] = number
        expected = [match.expected(self.known) for match in self.matches]
        best = max([0, *(max(m.grade - 2 * m.missed, 1) for m in self.matches if m.length)])
        bits: list[int] = []
        for half in range(2):
            node = half and 1 + bits[0]
            inputs, cells = [], []
            for order in self.cells:
                inputs.append(cm.stretch(self.rows[order].at(self.cell_row(context(order), order))[node] >> 4))
            for order in self.frames:
                row = self.framed[order].at(frame, self.frame_row(context(order), order))
                inputs.append(cm.stretch(row[node] >> 4))
            totals = []
            for counts in self.counts:
                c = counts.seen(context(counts.order))
                z, o = ((c[0] + c[1], c[2] + c[3]), (c[0], c[1]), (c[2], c[3]))[node]
                cells.append(counts.cell(node, z, o))
                inputs.append(cm.stretch(cells[-1][0] >> 10) if z + o else 0)
                totals.append(z + o)
            guesses = []
            for match, one in zip(self.matches, expected, strict=True):
                value = 0
                if one >= 0 and (half == 0 or one >> 1 == bits[0]):
                    told = one >> (1 - half) & 1
                    guesses.append((match.guess(half), told))
                    value = cm.stretch(guesses[-1][0][0] >> 10) * (1 if told else -1)
                inputs.append(value)
            chosen = [
                (best, node), (self.window & 255, node),
                (sum(total > 0 for total in totals), min(totals[0], 15) >> 1, node),
                (frame, margin, self.window & 15, node),
            ]  # fmt: skip
            chance = cm.squash(self.mixer.mix([*inputs, 256], chosen, (best, node)))
            bit = coder.code(chance, symbol >> (1 - half) & 1)
            self.mixer.learn(bit)
            for cell in cells:
                learned(cell, bit, 1022)
            for cell, told in guesses:
                learned(cell, int(told == bit), 1022)
            bits.append(bit)
        symbol = 2 * bits[0] + bits[1]
        first = self.frames[0]
        for reading in range(6):
            row = self.framed[first].at(self.frame(reading), self.frame_row(context(first), first))
            q = [row[0] >> 8, row[1 + bits[0]] >> 8]
            cost = sum(cost_of(p if bit else 255 - p) for p, bit in zip(q, bits, strict=True))
            self.spent[reading] += cost - (self.spent[reading] >> 7)
        for order in self.cells:
            self.rows[order].learn(symbol, self.cell_row(context(order), order))
        for order in self.frames:
            self.framed[order].learn(symbol, frame, self.frame_row(context(order), order))
        for counts in self.counts:
            counts.learn(symbol, context(counts.order))
        for match, one in zip(self.matches, expected, strict=True):
            match.learn(one, symbol)
        self.other = self.other >> 2 | (3 - symbol) << 62
        self.known.append(symbol)
        for order in {*self.cells, *self.frames, *(counts.order for counts in self.counts)}:
            if number < order:
                continue
            gone = 3 - self.known[number - order]
            if order in self.cells:
                self.rows[order].learn(gone, self.cell_row(reverse(order), order))
            if order in self.frames:
                turned = 3 + (frame - order) % 3 if frame < 3 else (frame + order) % 3
                self.framed[order].learn(gone, turned, self.frame_row(reverse(order), order))
            for counts in self.counts:
                if counts.order == order:
                    counts.learn(gone, reverse(order))
        self.window = (self.window << 2 | symbol) & WORD
        return symbol


def encode(block: bytes, preset: int, bits: int) -> bytes:
    coder, model = BinaryCoder(), Nucleotides(preset, bits)
    for byte in block:
        for shift in (6, 4, 2, 0):
            model.code(coder, byte >> shift & 3)
    return coder.end()


class Qualities:
    def __init__(self, used: bytes, bases: list[int], size: int):
        self.used, self.bases = used, bases
        self.depth = max(1, (len(used) - 1).bit_length())
        self.bits = max(10, min(20, (4 * size).bit_length()))
        self.cells: dict[tuple[int, int], list[int]] = {}
        self.mixer = Mixer(31, 30, 5243, (20, 600_000, 500), 20)
        self.sse: dict[tuple[int, int], cm.AdaptiveMap] = {}
        self.above, self.read = [0] * 4097, [0] * 4097
        self.length = self.base = 0
        self.begin()

    def begin(self) -> None:
        self.here: list[int] = []
        self.changes = self.mean = 0

    def at(self, place: int) -> int:
        return self.bases[place] if 0 <= place < len(self.bases) else 0

    def contexts(self) -> list[int]:
        here = self.here
        q1, q2, q3 = ([0] * 3 + here)[:-4:-1]
        place = len(here)
        part, pace, spot, where = min(place // 8, 63), min(self.changes // 8, 31), min(place, 1023), min(place, 4095)
        b0, b1, b2, b3, after = (self.at(self.base + k) for k in (0, -1, -2, -3, 1))
        total, lows = sum(here[-8:]), sum(4 * q < len(self.used) for q in here)
        three, mean = b0 | b1 << 2 | b2 << 4, self.mean
        self.part, self.pace, self.q1, self.q2 = part, pace, q1, q2
        return [
            q1 | max(q2, q3) << 8 | part << 16 | pace << 24,
            q1 | spot << 8,
            spot | mean // 16 << 12,
            q1 | three << 8 | q2 << 16,
            self.above[where] | q1 << 8 | self.above[where + 1] << 16,
            q1 | q2 << 8 | total // 16 << 16 | min(lows, 15) << 24,
            q1 | mean // 8 << 8 | part << 24,
            three | b3 << 6 | spot << 8,
            three | b3 << 6 | q1 << 8 | total // 32 << 16,
            0,
            spot | q1 << 10 | q2 << 18,
            spot | q1 << 10 | (three & 15) << 18,
            spot | mean // 16 << 10 | three << 20,
            q1 | q2 << 8 | q3 << 16,
            q1 | three << 8 | after << 14,
        ]

    def code(self, coder: BinaryCoder, rank: int = 0) -> int:
        contexts = self.contexts()
        ends = 1 + (0 < self.length == len(self.here))
        bases = [(context * 2 + ends) * K1 & WORD for context in contexts]
        node = inner = 1
        group: list[int] = []
        for digit in range(self.depth):
            if digit % 3 == 0:
                inner, group = 1, []
                for k, base in enumerate(bases):
                    h = base + (256 * k + node) * K2 & WORD
                    group.append((h ^ h >> 32) * K3 % (1 << 64) >> (64 - self.bits + 3))
            cells = [self.cells.setdefault((k, row, inner), [1 << 21, 0]) for k, row in enumerate(group)]
            inputs: list[int] = []
            for p, count in cells:
                if count:
                    lean = p - (1 << 21) >> (13 if count < 4 else 12 if count < 32 else 11)
                    inputs += (cm.stretch(p >> 10), lean)
                else:
                    inputs += (0, 0)
            chosen = [
                (node,), (node, self.part), (node, min(self.q1, 63)), (node, self.pace + 32 * (self.q1 == self.q2)),
            ]  # fmt: skip
            mixed = self.mixer.mix([*inputs, 256], chosen, (node,))
            sse = self.sse.setdefault((node, min(self.q1, 63)), cm.AdaptiveMap(cm.knots(), 255))
            z = (mixed + 3072) * 5 >> 3
            knot, part = z >> 8, z & 255
            answer = sse.p[knot] * (256 - part) + sse.p[knot + 1] * part >> 14
            chance = max(1, min(65535, 3 * cm.squash(mixed) + answer >> 2))
            bit = coder.code(chance, rank >> (self.depth - 1 - digit) & 1)
            self.mixer.learn(bit)
            sse.update(knot + (part >= 128), bit)
            for cell in cells:
                learned(cell, bit, 255)
            node, inner = 2 * node + bit, 2 * inner + bit
        rank = node - (1 << self.depth)
        self.follow(rank)
        return rank

    def follow(self, rank: int) -> None:
        if rank < len(self.used) and self.used[rank] == 10:
            self.length = len(self.here)
            self.above[:4096] = self.read[:4096]
            self.begin()
            return
        place = len(self.here)
        self.read[min(place, 4095)] = rank
        if place:
            self.changes += abs(rank - self.here[-1])
            self.mean += (rank * 16 - self.mean) // min(place + 1, 16)
        else:
            self.mean = rank * 16
        self.here.append(rank)
        self.base += 1


def encode_reads(block: bytes, payload: bytes, preset: int, bits: int) -> bytes:
    """Code a block of the stretches that `payload` names."""
    head, cursor = Cursor(payload), Cursor(block)
    found = [(head.uleb(), head.uleb()) for _ in range(head.uleb())]
    qualities = nucleotides = b""
    for count, packed in found:
        assert cursor.uleb() == count
        qualities += block[cursor.at : cursor.at + count]
        nucleotides += block[cursor.at + count : cursor.at + count + packed]
        cursor.at += count + packed
    used = bytes(sorted(set(qualities)))
    made = payload[: head.at] + uleb(len(used)) + used
    inner = encode(nucleotides, preset, bits) if nucleotides else b""
    made += uleb(len(inner)) + inner
    bases = [byte >> shift & 3 for byte in nucleotides for shift in (6, 4, 2, 0)]
    coder, model = BinaryCoder(), Qualities(used, bases, len(block))
    for quality in qualities:
        model.code(coder, used.index(quality))
    return made + coder.end()


def uleb(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes((number & 127 | 128,))
        number >>= 7
    return out + bytes((number,))
