"""The `cm` engine in plain Python: what docs/reference/CM.md says, as short as it can be said, and as slow.

One object a part; a predictor is asked for `p()`, the 16-bit probability of a one, and then told the bit. Tests hold
the kernel to this module bit for bit. Only the preset data and the constant tables are shared with the kernel; the
tables have tests of their own.
"""

from __future__ import annotations

from nzip.models.cm import layout as Source
from nzip.models.cm import tables
from nzip.models.cm.presets import Context, Preset

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
K1, K2, K3, K4, K5 = (
    0x9E3779B97F4A7C15,
    0xD6E8FEB86659FD93,
    0xC2B2AE3D27D4EB4F,
    0xBF58476D1CE4E5B9,
    0x2545F4914F6CDD1D,
)
TOP = tables.STRETCH_MAX


def clamp(value, bound):
    return max(-bound, min(bound, value))


def stretch(p12):
    return tables.stretch_values()[p12]


def squash(x):
    return tables.squash_values()[x + TOP]


class AdaptiveMap:
    """Probabilities of 22 bits that follow the bits seen under an index, quickly at first."""

    def __init__(self, priors, limit):
        self.p = [entry >> 10 for entry in priors]
        self.count = [entry & 1023 for entry in priors]
        self.limit = limit

    def update(self, index, bit):
        target = (1 << 22) - 1 if bit else 0
        self.p[index] += (target - self.p[index]) * tables.rates()[self.count[index]] >> 16
        if self.count[index] < self.limit:
            self.count[index] += 1


class Slots:
    """The hash table: buckets of a check and 15 bit histories, four to a line."""

    def __init__(self, bits):
        self.bits = bits
        self.buckets: dict[int, list[int]] = {}

    def find(self, index, check):
        """Return the bucket for a nibble: one of three in the line, else the least used of them, emptied."""
        near = [self.buckets.setdefault(k, [0] * 16) for k in (index, index ^ 1, index ^ 2)]
        for bucket in near:
            if bucket[0] == check:
                return bucket
        least = min(near, key=lambda bucket: bucket[1])
        least[:] = [check] + [0] * 15  # in place: another context may be using it, and then they share it
        return least


class History:
    """One context: finds its bucket at each nibble, and turns the history it reads there into mixer inputs."""

    def __init__(self, number: int, context: Context, slots: Slots, limit: int):
        self.number, self.context, self.slots = number, context, slots
        self.map = AdaptiveMap(tables.state_priors(), limit)
        self.unhashed: dict[tuple[int, int], list[int]] = {}
        self.seen = False  # whether the bucket had been used before

    def begin_byte(self, v):
        c = self.context
        self.first = v[c.first] & c.first_mask
        t = (self.first * K1 & M64) ^ ((v[c.second] & c.second_mask) * K2 & M64)
        t = ((t ^ t >> 29) + self.number) * K3 & M64
        self.hash = t = (t ^ t >> 32) * K4 & M64
        self.index = t >> (64 - self.slots.bits)
        self._begin_nibble(0, self.index, t >> 16 & 255)

    def begin_second_nibble(self, partial):
        t = (self.hash ^ (partial * K1 & M64)) * K3 & M64
        t = (t ^ t >> 32) * K2 & M64
        index = t >> (64 - self.slots.bits) if self.context.wide else (self.index ^ 4) ^ (t >> 62)
        self._begin_nibble(partial, index, t >> 16 & 255)

    def _begin_nibble(self, partial, index, check):
        if self.context.direct:
            self.bucket = self.unhashed.setdefault((self.first, partial), [0] * 16)
        else:
            self.bucket = self.slots.find(index, check)
            self.seen = self.bucket[1] > 0
        self.node = 1

    def predict(self):
        """Return both inputs for the mixer."""
        self.state = self.bucket[self.node]
        p = self.map.p[self.state] >> 10
        return stretch(p), p - 2048 >> 2

    def update(self, bit):
        self.map.update(self.state, bit)

    def step(self, bit):
        """Note the bit in the history; its state was read before."""
        self.bucket[self.node] = tables.state_table()[self.state][bit]
        self.node = self.node << 1 | bit


class Counter:
    """One probability for each value of the last few bytes and the bits of the current one, but for crowding."""

    def __init__(self, order: int, bits: int, cells: AdaptiveMap):
        self.order, self.bits, self.cells = order, bits, cells

    def begin_nibble(self, last8, partial):
        known = last8 & ((1 << 8 * self.order) - 1)
        t = (known * K1 & M64) ^ ((partial + 32 * self.order) * K2 & M64)
        self.line = ((t ^ t >> 32) * K3 & M64) >> (64 - self.bits)
        self.node = 1

    def predict(self):
        return stretch(self.cells.p[16 * self.line + self.node] >> 10)

    def update(self, bit):
        self.cells.update(16 * self.line + self.node, bit)

    def step(self, bit):
        self.node = self.node << 1 | bit


class Match:
    """Follows the longest earlier repetition of the last bytes and says which bit it expects."""

    def __init__(self, least, bits, ahead, limit=1022):
        self.least, self.bits, self.ahead = least, bits, ahead
        self.candidate = 0
        self.table = [0] * (1 << bits)
        self.map = AdaptiveMap(tables.match_priors(), limit)
        self.pointer = self.length = self.missed = 0
        self.guess = -1

    def begin_byte(self, data):
        pos = len(data)
        if self.length and data[self.pointer] == data[-1]:
            self.length, self.pointer = min(self.length + 1, 65535), self.pointer + 1
            self.missed = self.missed << 1 & 255
        elif self.length:
            self._fail()
        if self.ahead:
            if not self.length and self.candidate:
                self.pointer = self.candidate + 1
                self._verify(data)
            recent = int.from_bytes(bytes(data[-8:]), "big") << (64 - 8 * (self.least - 1)) & M64
            h = (recent * K1 & M64) >> (64 - self.bits)
            self.candidate, self.table[h] = self.table[h], pos
        elif self.least and pos >= self.least:
            recent = int.from_bytes(bytes(data[-self.least :]), "big") << (64 - 8 * self.least)
            h = (recent * K1 & M64) >> (64 - self.bits)
            if not self.length and self.table[h]:
                self.pointer = self.table[h]
                self._verify(data)
            self.table[h] = pos
        self.expected = data[self.pointer] | 256 if self.length else 0
        n = self.length
        self.grade = n if n < 16 else 16 + (n - 16 >> 3) if n < 80 else min(24 + (n - 80 >> 6), 31)

    def _verify(self, data):
        n, pos = 0, len(data)
        while n < 400 and self.pointer > n and data[self.pointer - n - 1] == data[pos - n - 1]:
            n += 1
        self.length = n if n >= self.least else 0

    def _fail(self):
        self.length = 0
        self.missed = (self.missed << 1 | 1) & 255

    def predict(self, partial, bit):
        self.guess = -1
        if self.length:
            if self.expected >> (8 - bit) != partial:
                self._fail()
            else:
                self.guess = self.expected >> (7 - bit) & 1
                trust = 2 + (self.missed & 1) if self.missed & 15 else 1 if self.missed else 0
                self.cell = self.grade * 4 + trust

    def inputs(self):
        """Return both inputs for the mixer."""
        if self.guess < 0:
            return 0, 0
        p, sign = self.map.p[self.cell] >> 10, 2 * self.guess - 1
        return sign * stretch(p), sign * (p - 2048) >> 2

    def update(self, bit):
        if self.guess >= 0:
            self.map.update(self.cell, bit == self.guess)


class MixerSet:
    """Rows of weights of which a selector chooses one; learns from its own error."""

    def __init__(self, rows, start, preset, mixture):
        self.weights = [list(start) for _ in range(rows)]
        self.uses = [0] * rows
        self.preset, self.mixture = preset, mixture

    def set(self, row, inputs):
        self.row, self.inputs = row, inputs
        total = sum(x * w >> 8 for x, w in zip(inputs, self.weights[row], strict=True))
        self.dot = clamp(total >> 8, TOP)
        return self.dot

    def update(self, bit):
        fall, row = self.preset.rate_fall, self.row
        rate = self.mixture.rate + self.mixture.rate_start * fall // (fall + 4 * min(self.uses[row] >> 2, 255))
        self.uses[row] = min(self.uses[row] + 1, 65535)
        error = ((bit << 16) - squash(self.dot)) * rate >> 10
        if abs(error) > 15:
            self.weights[row] = [
                clamp(w + (x * error + 8192 >> 14), (1 << 19) - 1)
                for x, w in zip(self.inputs, self.weights[row], strict=True)
            ]


class FinalMixer:
    """The second layer: mixes what the sets say, with weights chosen by the partial byte."""

    def __init__(self, sets, rate):
        self.weights = [[65536 // sets] * sets for _ in range(256)]
        self.rate = rate

    def set(self, partial, dots):
        self.row, self.dots = self.weights[partial], dots
        self.out = clamp(sum(d * w for d, w in zip(dots, self.row, strict=True)) >> 16, TOP)
        return self.out

    def update(self, bit):
        error = ((bit << 16) - squash(self.out)) * self.rate >> 10
        for k, dot in enumerate(self.dots):
            self.row[k] += dot * error + 8192 >> 14


class Sse:
    """One adaptive probability map: 16 knots over the stretch domain for each context."""

    def __init__(self, limit):
        self.rows: dict[int, AdaptiveMap] = {}
        self.limit = limit

    def p(self, context, spot):
        self.row = self.rows.setdefault(context, AdaptiveMap(tables.sse_priors()[:17], self.limit))
        knot, part = spot >> 8, spot & 255
        self.nearest = knot + (part >= 128)
        return self.row.p[knot] * (256 - part) + self.row.p[knot + 1] * part >> 14

    def update(self, bit):
        self.row.update(self.nearest, bit)


class Sources:
    """The values that contexts are made of, as `presets.Source` names them."""

    def __init__(self, record):
        self.record = record
        self.v = [0] * Source.SOURCES
        self.after1: dict[int, int] = {}
        self.after2: dict[int, int] = {}
        self.line_start = self.line_before = 0

    def update(self, data):
        """Take in the last byte of `data`."""
        v, pos, c = self.v, len(data), data[-1]
        old = v[Source.LAST8]
        if pos >= 2:
            for after, key in ((self.after1, old & 255), (self.after2, old & 65535)):
                after[key] = (after.get(key, 0) << 8 | c) & M64
        v[Source.LAST16] = (v[Source.LAST16] << 8 | old >> 56) & M64
        v[Source.LAST8] = now = (old << 8 | c) & M64
        v[Source.AFTER1] = self.after1.get(now & 255, 0)
        v[Source.AFTER2] = self.after2.get(now & 65535, 0)

        lower = 97 <= c <= 122 or c >= 128
        upper = 65 <= c <= 90
        fixed = {32: 4, 10: 5, 0: 6}
        kind = 1 if lower else 2 if upper else 3 if 48 <= c <= 57 else fixed.get(c, 8 + (c & 7))
        v[Source.SHAPE] = (v[Source.SHAPE] << 4 | kind) & M64
        if lower or upper:
            v[Source.WORD] = (v[Source.WORD] + c + 32 * upper) * K5 & M64
        elif v[Source.WORD]:
            v[Source.WORD2], v[Source.WORD1], v[Source.WORD] = v[Source.WORD1], v[Source.WORD], 0
            v[Source.WORDS] = (v[Source.WORD1] + v[Source.WORD2] * K2) & M64

        if c == 10:
            self.line_before, self.line_start = self.line_start, pos
        column = pos - self.line_start
        above = self.line_before + column
        line = min(column, 255)
        line |= data[above] << 8 if above < self.line_start else 0
        line |= data[self.line_start] << 16 if column else 0
        v[Source.LINE] = line

        if self.record:
            r = self.record
            around = 0
            for shift, distance in ((0, r), (8, 2 * r), (16, r - 1), (24, r + 1), (32, 3 * r)):
                if distance <= pos and distance and (distance >= r or r <= pos):
                    around |= data[pos - distance] << shift
            v[Source.ABOVE], v[Source.COLUMN] = around, pos % r


class Predictor:
    """The whole model of one block."""

    def __init__(self, preset: Preset, bits: int, binary: bool, record: int, match_bits: int, counter_bits: int):
        contexts = preset.binary if binary else preset.text
        self.selects = preset.binary_sets if binary else preset.text_sets
        n = len(contexts)
        self.preset = preset
        slots = Slots(bits)
        self.histories = [History(i, context, slots, preset.limit) for i, context in enumerate(contexts)]
        self.match = Match(preset.match_min_binary if binary else preset.match_min, match_bits, preset.ahead)
        counts = AdaptiveMap([1 << 31] * (16 << counter_bits), preset.counter_limit)
        self.counters = [Counter(k + 1, counter_bits, counts) for k in range(preset.counters)]
        self.width = min(preset.inputs, (2 * n + 3 + preset.counters + 15) // 16 * 16)
        self.doubled = min(n, self.width - n - 3 - preset.counters)
        start = [0] * self.width
        start[:n] = [preset.weight] * n
        behind = n + self.doubled
        start[behind] = preset.weight  # the match model's stretched probability
        start[behind + 3 : behind + 3 + preset.counters] = [preset.weight] * preset.counters
        self.sets = [MixerSet(select_rows(select, n), start, preset) for select in self.selects]
        self.final = FinalMixer(len(self.sets), preset.final_rate)
        self.sses = [Sse(preset.sse_limit) for _ in range(4)]
        self.sources = Sources(record)
        self.data: list[int] = []
        self.partial, self.bit = 1, 0

    def p(self) -> int:
        """Return the probability that the next bit is one, in 16 bits."""
        self.one = self._p()
        return self.one

    def _p(self) -> int:
        v, n = self.sources.v, len(self.histories)
        if self.bit == 0:
            self.match.begin_byte(self.data)
        if self.bit in (0, 4):
            for history in self.histories:
                history.begin_byte(v) if self.bit == 0 else history.begin_second_nibble(self.partial)
            self.seen = sum(history.seen for history in self.histories)
            for counter in self.counters:
                counter.begin_nibble(v[Source.LAST8], self.partial)

        inputs = [0] * self.width
        for i, history in enumerate(self.histories):
            inputs[i], second = history.predict()
            if i < self.doubled:
                inputs[n + i] = second
        self.match.predict(self.partial, self.bit)
        behind = n + self.doubled
        known = [*self.match.inputs(), 256, *(counter.predict() for counter in self.counters)]
        inputs[behind : behind + len(known)] = known

        dots = [mixer.set(self._row(select), inputs) for select, mixer in zip(self.selects, self.sets, strict=True)]
        mixed = self.final.set(self.partial, dots)
        p_mixed = squash(mixed)
        if not self.preset.refine:
            self.used = []
            return p_mixed

        spot = (mixed + TOP + 1) * 5 >> 3
        last = v[Source.LAST8] & 255
        pair = ((v[Source.LAST8] & 65535) * K1 & M64) >> 48
        by_partial, by_last, by_expected, by_pair = self.sses
        self.used = [by_partial, by_last, by_pair if self.match.guess < 0 else by_expected]
        q0 = by_partial.p(self.partial, spot)
        q1 = by_last.p(last << 8 | self.partial, spot)
        if self.match.guess < 0:
            q2 = by_pair.p((pair ^ self.partial * 0x9E35) & 4095, spot)
        else:
            q2 = by_expected.p((self.match.expected & 255) << 8 | self.partial, spot)
        return max(1, min(65535, 2 * p_mixed + q0 + 2 * q1 + 3 * q2 + 4 >> 3))

    def _row(self, select: Select) -> int:
        last8 = self.sources.v[Source.LAST8]
        grade = 1 + (self.match.grade >> 2) if self.match.guess >= 0 else 0
        return {
            Select.ONE: 0,
            Select.PARTIAL: self.partial,
            Select.LAST: last8 & 255,
            Select.MATCH: self.seen * 72 + grade * 8 + self.bit,
            Select.SEEN: self.seen * 8 + self.bit,
            Select.LAST2: last8 >> 8 & 255,
            Select.SHAPES: self.sources.v[Source.SHAPE] & 255,
            Select.COLUMNS: self.sources.v[Source.COLUMN] & 255,
        }[select]

    def update(self, bit: int) -> None:
        for history in self.histories:
            history.step(bit)
        if (65536 - self.one if bit else self.one) > 32:
            for part in (self.final, *self.sets, *self.histories, *self.counters, self.match, *self.used):
                part.update(bit)
        for counter in self.counters:
            counter.step(bit)
        self.partial, self.bit = self.partial << 1 | bit, self.bit + 1
        if self.bit == 8:
            self.data.append(self.partial & 255)
            self.sources.update(self.data)
            self.partial, self.bit = 1, 0


def read(text: bytes, predictor: Predictor) -> None:
    """Let `predictor` learn from `text`."""
    for byte in text:
        for k in range(7, -1, -1):
            predictor.p()
            predictor.update(byte >> k & 1)


def encode(block: bytes, predictor: Predictor) -> bytes:
    """Return what the arithmetic coder writes for `block`."""
    low, high, out = 0, M32, bytearray()
    for byte in block:
        for k in range(7, -1, -1):
            bit = byte >> k & 1
            middle = low + ((high - low) * predictor.p() >> 16)
            low, high = (low, middle) if bit else (middle + 1, high)
            while low >> 24 == high >> 24:
                out.append(high >> 24)
                low, high = low << 8 & M32, (high << 8 | 255) & M32
            predictor.update(bit)
    for k in range(5):
        rest = (1 << (32 - 8 * k)) - 1
        end = (low + rest) & ~rest
        if end <= high:
            return bytes(out) + (end >> (32 - 8 * k)).to_bytes(k, "big")
    raise AssertionError("four bytes always do")


def decode(coded: bytes, size: int, predictor: Predictor) -> bytes:
    """Return the block of `size` bytes that `coded` stands for."""
    low, high = 0, M32
    stream = iter(coded)
    window = 0
    for _ in range(4):
        window = window << 8 | next(stream, 0)
    for _ in range(8 * size):
        middle = low + ((high - low) * predictor.p() >> 16)
        bit = int(window <= middle)
        low, high = (low, middle) if bit else (middle + 1, high)
        while low >> 24 == high >> 24:
            window = (window << 8 | next(stream, 0)) & M32
            low, high = low << 8 & M32, (high << 8 | 255) & M32
        predictor.update(bit)
    return bytes(predictor.data)
