"""The engine `cmstrong` in plain Python: what docs/reference/CMSTRONG.md says, as short as it can be said, and as slow.

One object a part; a predictor is asked for `p()`, the 16-bit probability of a one, and then told the bit. Tests hold
the kernel to this module bit for bit. Only the preset data and the constant tables are shared with the kernel; the
tables have tests of their own.
"""

from __future__ import annotations

from collections import defaultdict

from nzip.models.cm import tables
from nzip.models.cmstrong.presets import Choice, Context, Preset, Select, Source

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
K1, K2, K3, K4, K5 = (
    0x9E3779B97F4A7C15,
    0xD6E8FEB86659FD93,
    0xC2B2AE3D27D4EB4F,
    0xBF58476D1CE4E5B9,
    0x2545F4914F6CDD1D,
)
TOP = tables.STRETCH_MAX
HALF = (1 << 31) | 2


def clamp(value, bound=TOP):
    return max(-bound, min(bound, value))


def stretch(p16):
    return tables.stretch_values(16)[p16]


def squash(x):
    return tables.squash_values()[x + TOP]


def grade_of(length):
    """Return the class of a match's length."""
    return length if length < 16 else 16 + (length - 16 >> 3) if length < 80 else min(24 + (length - 80 >> 6), 31)


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
    """A context of whole bytes: finds its bucket at each nibble."""

    def __init__(self, number: int, context: Context, slots: Slots, limit: int):
        self.number, self.context, self.slots = number, context, slots
        self.map = AdaptiveMap(tables.state_priors(), limit)

    def begin_byte(self, v):
        c = self.context
        t = (v[c.first] & c.first_mask) * K1 & M64
        t ^= (v[c.second] & c.second_mask) * K2 & M64
        t = t + (v[c.third] & c.third_mask) * K3 & M64
        t = ((t ^ t >> 29) + self.number + 1) * K3 & M64
        self.hash = (t ^ t >> 32) * K4 & M64
        self._begin_nibble(self.hash)

    def begin_second_nibble(self, partial):
        t = (self.hash ^ (partial * K1 & M64)) * K3 & M64
        self._begin_nibble((t ^ t >> 32) * K2 & M64)

    def _begin_nibble(self, t):
        self.bucket = self.slots.find(t >> (64 - self.slots.bits), t >> 16 & 255)
        self.seen = self.bucket[1] > 0
        self.node = 1

    def predict(self):
        """Return both inputs for the mixer."""
        self.state = self.bucket[self.node]
        p = self.map.p[self.state] >> 6
        return stretch(p), p - 32768 >> 6

    def update(self, bit):
        self.map.update(self.state, bit)

    def step(self, bit):
        """Note the bit in the history; its state was read before."""
        self.bucket[self.node] = tables.state_table()[self.state][bit]
        self.node = self.node << 1 | bit


class BitHistory:
    """A context of near bits: one history for each value of them, in a table without checks."""

    def __init__(self, number: int, mask: int, table: dict[int, int], limit: int):
        self.number, self.mask, self.table = number, mask, table
        self.map = AdaptiveMap(tables.state_priors(), limit)

    def predict(self, near):
        t = (near & self.mask) * K1 & M64
        t = ((t ^ t >> 29) + self.number + 1) * K3 & M64
        self.place = t >> 42
        self.state = self.table[self.place]
        p = self.map.p[self.state] >> 6
        return stretch(p), p - 32768 >> 6

    def update(self, bit):
        self.map.update(self.state, bit)

    def step(self, bit):
        self.table[self.place] = tables.state_table()[self.state][bit]


class Match:
    """Follows the latest earlier repetition of the last bytes and says which bit it expects."""

    def __init__(self, least, bits):
        self.least, self.bits = least, bits
        self.table: dict[int, int] = {}
        self.by_length = AdaptiveMap(tables.match_priors(), 1022)
        self.by_byte = AdaptiveMap([15 << 28 | 2] * 8192, 1022)
        self.pointer = self.length = self.missed = self.expected = 0
        self.guess = -1

    def begin_byte(self, data):
        """Look where the bytes before the one to come (one or more) stood before."""
        if self.length and self.expected == data[-1]:
            self.length, self.pointer = min(self.length + 1, 65535), self.pointer + 1
            self.missed = self.missed << 1 & 255
        elif self.length:
            self.length = 0
            self.missed = (self.missed << 1 | 1) & 255
        pos, least = len(data), self.least
        if pos >= least:
            near = int.from_bytes(bytes(data[-min(least, 8) :]), "big")
            if least <= 8:
                h = (near << (64 - 8 * least)) * K1 & M64
            else:
                far = int.from_bytes(bytes(data[-least:-8]), "big") << (128 - 8 * least)
                h = (near * K1 & M64) ^ (far * K2 & M64)
                h = (h ^ h >> 32) * K3 & M64
            h >>= 64 - self.bits
            if not self.length and self.table.get(h):
                self.pointer = self.table[h]
                n = 0
                while n < 400 and self.pointer > n and data[self.pointer - n - 1] == data[pos - n - 1]:
                    n += 1
                self.length = n if n >= least else 0
            self.table[h] = pos
        if self.length:
            self.expected = data[self.pointer]

    def predict(self, partial, bit):
        """Return three inputs for the mixer."""
        self.guess = -1
        if not self.length or (self.expected | 256) >> (8 - bit) != partial:
            return 0, 0, 0
        self.guess = self.expected >> (7 - bit) & 1
        sign = 2 * self.guess - 1
        trust = 2 + (self.missed & 1) if self.missed & 15 else 1 if self.missed else 0
        grade = grade_of(self.length)
        self.cell = grade * 4 + trust
        self.cell2 = min(grade >> 3, 3) << 11 | self.expected << 3 | bit
        p, q = self.by_length.p[self.cell] >> 6, self.by_byte.p[self.cell2] >> 6
        return sign * stretch(p), sign * (p - 32768 >> 6), sign * stretch(q)

    def update(self, bit):
        if self.guess >= 0:
            self.by_length.update(self.cell, bit == self.guess)
            self.by_byte.update(self.cell2, bit == self.guess)


class MixerSet:
    """Rows of weights of which a selector chooses one; learns from its own error."""

    def __init__(self, start, preset, cls):
        self.weights = defaultdict(lambda: list(start))
        self.uses = defaultdict(int)
        self.preset, self.rate, self.rate_start = preset, preset.rate[cls], preset.rate_start[cls]

    def set(self, row, inputs):
        self.row, self.inputs = row, inputs
        total = sum(x * w >> 8 for x, w in zip(inputs, self.weights[row], strict=True))
        self.dot = clamp(total >> 8)
        return self.dot

    def update(self, bit):
        preset, row = self.preset, self.row
        used = 4 * min(self.uses[row] >> 2, 255)
        rate = self.rate + self.rate_start * preset.rate_fall // (preset.rate_fall + used)
        power = sum(x * x >> 8 for x in self.inputs) >> 8
        rate = rate * ((preset.loud + preset.quiet << 16) // (power + preset.quiet)) >> 16
        self.uses[row] = min(self.uses[row] + 1, 65535)
        error = ((bit << 16) - squash(self.dot)) * rate >> 10
        if abs(error) > 15:
            self.weights[row] = [
                clamp(w + (x * error + 8192 >> 14), (1 << 19) - 1)
                for x, w in zip(self.inputs, self.weights[row], strict=True)
            ]


class FinalMixer:
    """One mixer of the second layer: mixes what the sets say."""

    def __init__(self, sets, rate):
        self.weights = defaultdict(lambda: [65536 // sets] * sets)
        self.rate = rate

    def set(self, row, dots):
        self.row, self.dots = self.weights[row], dots
        self.out = clamp(sum(d * w for d, w in zip(dots, self.row, strict=True)) >> 16)
        return self.out

    def update(self, bit):
        error = ((bit << 16) - squash(self.out)) * self.rate >> 10
        for k, dot in enumerate(self.dots):
            self.row[k] = clamp(self.row[k] + (dot * error + 8192 >> 14), (1 << 19) - 1)


class Refinement:
    """One adaptive probability map: 16 knots over the stretch domain for each context."""

    def __init__(self, limit):
        self.rows: dict[int, AdaptiveMap] = {}
        self.limit = limit

    def p(self, context, spot):
        self.row = self.rows.setdefault(context, AdaptiveMap(tables.apm_priors()[:17], self.limit))
        knot, part = spot >> 8, spot & 255
        self.nearest = knot + (part >= 128)
        return self.row.p[knot] * (256 - part) + self.row.p[knot + 1] * part >> 14

    def update(self, bit):
        self.row.update(self.nearest, bit)


class Sources:
    """The values that contexts are made of, as `presets.Source` names them."""

    def __init__(self, record):
        self.record = record
        self.v = [0] * len(Source)
        self.after: list[dict[int, int]] = [{}, {}, {}]
        self.line_start = self.line_before = 0
        self.letters = self.gap = self.first = self.stem = self.line_first = 0
        self.stack: list[int] = []

    def update(self, data):
        """Take in the last byte of `data`."""
        v, pos, c = self.v, len(data), data[-1]
        old = v[Source.LAST8]
        now = (old << 8 | c) & M64
        v[Source.LAST16] = (v[Source.LAST16] << 8 | old >> 56) & M64
        v[Source.LAST8] = now
        for n, source in enumerate((Source.AFTER1, Source.AFTER2, Source.AFTER3)):
            mask = (1 << 8 * (n + 1)) - 1
            place, next_place = old & mask, now & mask
            if n == 2:
                place, next_place = (place * K1 & M64) >> 48, (next_place * K1 & M64) >> 48
            self.after[n][place] = (self.after[n].get(place, 0) << 8 | c) & M64
            v[source] = self.after[n].get(next_place, 0)

        lower = 97 <= c <= 122 or c >= 128
        upper = 65 <= c <= 90
        fixed = {32: 4, 10: 5, 0: 6}
        kind = 1 if lower else 2 if upper else 3 if 48 <= c <= 57 else fixed.get(c, 8 + (c & 7))
        v[Source.SHAPE] = (v[Source.SHAPE] << 4 | kind) & M64
        self._words(c + 32 * upper if lower or upper else 0)
        if kind <= 3 or c == 95:
            v[Source.IDENT] = (v[Source.IDENT] + c + 1) * K5 & M64
        elif v[Source.IDENT]:
            v[Source.IDENT1], v[Source.IDENT] = v[Source.IDENT], 0
        if kind > 4:
            v[Source.MARKS] = (v[Source.MARKS] << 8 | c) & M64
        self._brackets(c)
        if c == 10:
            self.line_before, self.line_start, self.line_first = self.line_start, pos, 0
        v[Source.LINEWORD] = self.line_first
        column = pos - self.line_start
        above = self.line_before + column
        line = min(column, 255)
        line |= data[above] << 8 if above < self.line_start else 0
        line |= data[self.line_start] << 16 if column else 0
        v[Source.LINE] = line
        if self.record:
            self._records(data)

    def _words(self, letter):
        v = self.v
        word = v[Source.WORD]
        if letter:
            v[Source.LETTERS] = (v[Source.LETTERS] << 8 | letter) & M64
            if self.letters == 5:
                self.stem = word >> 48
            if self.letters == 0:
                self.first = letter
            self.letters, self.gap = min(self.letters + 1, 255), 0
            v[Source.WORD] = (word + letter) * K5 & M64
        else:
            if word:
                v[Source.WORD3], v[Source.WORD2] = v[Source.WORD2], v[Source.WORD1]
                v[Source.WORD1], v[Source.WORD] = word, 0
                ending = v[Source.LETTERS] & ((1 << 8 * min(self.letters, 3)) - 1)
                stem = self.stem if self.letters > 5 else word >> 48
                v[Source.ENDINGS] = stem << 48 | (v[Source.ENDINGS] & 0xFFFFFF) << 24 | ending
                self.line_first = self.line_first or word
            self.letters, self.gap = 0, min(self.gap + 1, 255)
        v[Source.PLACE] = self.letters | self.gap << 8 | self.first << 16

    def _brackets(self, c):
        stack = self.stack
        openers = {41: 40, 93: 91, 125: 123, 62: 60}
        if c == 34 and stack and stack[-1] == 34:
            stack.pop()
        elif c in (34, 40, 91, 123, 60):
            if len(stack) < 62:
                stack.append(c)
        elif c in openers:
            if stack and stack[-1] == openers[c]:
                del stack[-1:]
            elif len(stack) > 1 and stack[-2] == openers[c]:
                del stack[-2:]
        inner = stack[-1] if stack else 0
        self.v[Source.BRACKET] = inner | (stack[-2] << 8 if len(stack) > 1 else 0)

    def _records(self, data):
        r, pos, c = self.record, len(data), data[-1]

        def back(distance, known):
            return data[pos - distance] if pos >= known else 0

        above, two, three = back(r, r), back(2 * r, 2 * r), back(3 * r, 3 * r)
        right = back(r - 1, r) if r > 1 else 0
        right2 = back(r - 2, r) if r > 2 else 0
        left = back(r + 1, r + 1)
        v = self.v
        v[Source.ABOVE] = above | two << 8 | right << 16 | left << 24 | three << 32 | right2 << 40
        v[Source.COLUMN] = pos % r
        v[Source.GUESS] = (above + c - left & 255) | (2 * above - two & 255) << 8 | (above + c >> 1) << 16


class Predictor:
    """The whole model of one block."""

    def __init__(self, preset: Preset, bits: int, cls: int, record: int, match_bits: int):
        contexts, masks = preset.contexts[cls], preset.near[cls]
        self.preset, self.choices, self.record = preset, preset.sets[cls], record
        slots = Slots(bits)
        table: dict[int, int] = defaultdict(int)
        self.histories = [History(i, context, slots, preset.limit) for i, context in enumerate(contexts)]
        self.bit_histories = [BitHistory(j, mask, table, preset.limit) for j, mask in enumerate(masks)]
        self.matches = [Match(least, match_bits) for least in preset.matches]
        self.all = [*self.histories, *self.bit_histories]
        c, m = len(self.all), len(self.matches)
        self.width = (c + 3 * m + 1 + 15) // 16 * 16
        self.seconds = min(c, self.width - c - 3 * m - 1)
        start = [0] * self.width
        start[:c] = [preset.weight] * c
        first = c + self.seconds
        start[first : first + 3 * m : 3] = [preset.weight] * m
        self.sets = [MixerSet(start, preset, cls) for _ in self.choices]
        self.finals = [FinalMixer(len(self.sets), preset.final_rate) for _ in range(4)]
        self.apms = [Refinement(preset.apm_limit) for _ in range(5)]
        self.sources = Sources(record)
        self.data: list[int] = []
        self.partial, self.bit = 1, 0

    def p(self) -> int:
        """Return the probability that the next bit is one, in 16 bits."""
        v, n = self.sources.v, len(self.histories)
        last8 = v[Source.LAST8]
        last = last8 & 255
        if self.bit in (0, 4):
            for history in self.histories:
                history.begin_byte(v) if self.bit == 0 else history.begin_second_nibble(self.partial)
            self.seen = sum(history.seen for history in self.histories)
        pairs = [history.predict() for history in self.histories]
        if self.bit_histories:
            self.near = self._near()
            pairs += [history.predict(self.near) for history in self.bit_histories]
        inputs = [a for a, _ in pairs] + [b for _, b in pairs[: self.seconds]]
        for match in self.matches:
            inputs += match.predict(self.partial, self.bit)
        inputs.append(256)
        inputs += [0] * (self.width - len(inputs))

        # The longest match speaks for all, and is silent when its byte is not the one that comes.
        longest = next((match for match in self.matches if match.length), None)
        silent = longest is None or longest.guess < 0
        grade = 0 if longest is None or silent else grade_of(longest.length)

        dots = []
        for choice, mixer in zip(self.choices, self.sets, strict=True):
            dots.append(mixer.set(self._row(choice, silent, grade), inputs))
        f_row = self.seen * 16 // (n + 1) + (0 if silent else ((grade >> 3) + 1) * 16)
        total = 0
        shape = (v[Source.SHAPE] & 4095) << 3 | self.bit
        for final, row in zip(self.finals, (self.partial, last, f_row, shape), strict=True):
            total += final.set(row, dots)
        mixed = total >> 2

        spot = (mixed + TOP + 1) * 5 >> 3
        spread = self.partial * 0x9E35
        pair = ((last8 & 65535) * K1 & M64) >> 48
        word = ((v[Source.WORD] + last & M64) * K1 & M64) >> 48
        rows = (
            self.partial,
            last << 8 | self.partial,
            (pair ^ spread) & 65535,
            (0 if silent else longest.expected) << 8 | self.partial,
            (word ^ spread) & 65535,
        )
        q = [apm.p(row, spot) for apm, row in zip(self.apms, rows, strict=True)]
        one = 4 * squash(mixed) + q[0] + 2 * q[1] + 3 * q[2] + 3 * q[3] + 3 * q[4] + 8 >> 4
        self.one = max(1, min(65535, one))
        return self.one

    def _near(self) -> int:
        """Return bits of this row and of the three above it, 16 each."""
        pos, r, data = len(self.data), self.record, self.data
        before = (data[-2] << 8 if pos > 1 else 0) | (data[-1] if pos else 0)
        near = (before << self.bit | self.partial ^ 1 << self.bit) & 65535
        for k in (1, 2, 3):
            row = 0
            for place in range(pos - k * r - 1, pos - k * r + 2):
                row = row << 8 | (data[place] if 0 <= place < pos else 0)
            near |= (row >> (8 - self.bit) & 65535) << 16 * k
        return near

    def _row(self, choice: Choice, silent: bool, grade: int) -> int:
        if choice.select == Select.PARTIAL:
            return self.partial
        if choice.select == Select.MATCH:
            seen = self.seen * 8 // (len(self.histories) + 1)
            return seen * 72 + self.bit + (0 if silent else ((grade >> 2) + 1) * 8)
        if choice.select == Select.BITS:
            near = self.near if self.bit_histories else 0
            return near & 3 | near >> 19 & 0x7C | near >> 31 & 0x380
        row = self.sources.v[choice.source] >> choice.shift & choice.mask
        return row * 8 + self.bit if choice.by_bit else row

    def update(self, bit: int) -> None:
        for history in self.all:
            history.step(bit)
        if (65536 - self.one if bit else self.one) > 16:
            for part in (*self.finals, *self.sets, *self.all, *self.matches, *self.apms):
                part.update(bit)
        self.partial, self.bit = self.partial << 1 | bit, self.bit + 1
        if self.bit == 8:
            self._end_byte(self.partial & 255)
            self.partial, self.bit = 1, 0

    def _end_byte(self, byte: int) -> None:
        self.data.append(byte)
        self.sources.update(self.data)
        expect = 0
        for match in self.matches:
            match.begin_byte(self.data)
            if match.length and not expect:
                expect = match.expected | (grade_of(match.length) + 1) << 8
        self.sources.v[Source.EXPECT] = expect

    def skim(self, byte: int) -> None:
        """Take note of a byte: in the histories of the first contexts, and in the match models."""
        few = self.histories[: self.preset.skim]
        for nibble in (byte >> 4, 16 | byte >> 4):
            for history in few:
                history.begin_byte(self.sources.v) if nibble < 16 else history.begin_second_nibble(nibble)
            for history in few:
                for k in range(3, -1, -1):
                    history.state = history.bucket[history.node]
                    history.step((byte >> 4 if nibble < 16 else byte) >> k & 1)
        self._end_byte(byte)


def read(text: bytes, predictor: Predictor) -> None:
    """Let `predictor` learn from `text`."""
    for byte in text:
        for k in range(7, -1, -1):
            predictor.p()
            predictor.update(byte >> k & 1)


def skim(text: bytes, predictor: Predictor) -> None:
    """Let `predictor` skim `text`."""
    for byte in text:
        predictor.skim(byte)


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
    return bytes(predictor.data[-size:])
