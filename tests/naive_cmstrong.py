"""The engine `cmstrong` in plain Python: what docs/reference/CMSTRONG.md says, as short as it can be said, and as slow.

One object a part; a predictor is asked for `p()`, the 16-bit probability of a one, and then told the bit. Tests hold
the kernel to this module bit for bit. Only the preset data and the constant tables are shared with the kernel; the
tables have tests of their own.
"""

from __future__ import annotations

from collections import defaultdict

from naive import BinaryCoder
from naive_segments import AUDIO, IMAGE, TEXT, Stretch, pack, pixels, samples, unpack

from nzip.models.cm import layout as source
from nzip.models.cm import tables
from nzip.models.cm.presets import STRONG, Choice, Context, Mixture, Preset

M64 = (1 << 64) - 1
K1, K2, K3, K4, K5 = (
    0x9E3779B97F4A7C15,
    0xD6E8FEB86659FD93,
    0xC2B2AE3D27D4EB4F,
    0xBF58476D1CE4E5B9,
    0x2545F4914F6CDD1D,
)
TOP = tables.STRETCH_MAX
STRETCH, SQUASH, RATES, NEXT = (
    tables.stretch_values(16), tables.squash_values(), tables.rates(), tables.state_table(),
)  # fmt: skip


def clamp(value, bound=TOP):
    return max(-bound, min(bound, value))


def stretch(p16):
    return STRETCH[p16]


def squash(x):
    return SQUASH[x + TOP]


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
        self.p[index] += (target - self.p[index]) * RATES[self.count[index]] >> 16
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
        self.bucket[self.node] = NEXT[self.state][bit]
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
        self.table[self.place] = NEXT[self.state][bit]


class Match:
    """Follows the latest earlier repetition of the last bytes and says which bit it expects."""

    def __init__(self, least, bits):
        self.least, self.bits = least, bits
        self.table: dict[int, int] = {}
        self.pointer = self.length = self.missed = self.expected = 0

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


class Expectation:
    """What a match's bit is worth, as one mixture has learned it."""

    def __init__(self, match):
        self.match = match
        self.by_length = AdaptiveMap(tables.match_priors(), 1022)
        self.by_byte = AdaptiveMap([15 << 28 | 2] * 8192, 1022)

    def predict(self, partial, bit):
        """Return three inputs for the mixer."""
        m = self.match
        self.guess = -1
        if not m.length or (m.expected | 256) >> (8 - bit) != partial:
            return 0, 0, 0
        self.guess = m.expected >> (7 - bit) & 1
        sign = 2 * self.guess - 1
        trust = 2 + (m.missed & 1) if m.missed & 15 else 1 if m.missed else 0
        grade = grade_of(m.length)
        self.cell = grade * 4 + trust
        self.cell2 = min(grade >> 3, 3) << 11 | m.expected << 3 | bit
        p, q = self.by_length.p[self.cell] >> 6, self.by_byte.p[self.cell2] >> 6
        return sign * stretch(p), sign * (p - 32768 >> 6), sign * stretch(q)

    def update(self, bit):
        if self.guess >= 0:
            self.by_length.update(self.cell, bit == self.guess)
            self.by_byte.update(self.cell2, bit == self.guess)


def moved(weights, inputs, error):
    """Return what weights are after an error."""
    new = [w + (x * error + 8192 >> 14) for x, w in zip(inputs, weights, strict=True)]
    return [max(-524287, min(524287, w)) for w in new] if min(new) < -524287 or max(new) > 524287 else new


class MixerSet:
    """Rows of weights of which a selector chooses one; learns from its own error."""

    def __init__(self, start, preset, mixture):
        self.weights = defaultdict(lambda: list(start))
        self.uses = defaultdict(int)
        self.preset, self.rate, self.rate_start = preset, mixture.rate, mixture.rate_start

    def set(self, row, inputs):
        self.row, self.inputs = row, inputs
        total = sum(x * w >> 8 for x, w in zip(inputs, self.weights[row], strict=True))
        self.dot = clamp(total >> 8)
        return self.dot

    def update(self, bit, power):
        preset, row = self.preset, self.row
        used = 4 * min(self.uses[row] >> 2, 255)
        rate = self.rate + self.rate_start * preset.rate_fall // (preset.rate_fall + used)
        rate = rate * ((preset.loud + preset.quiet << 16) // (power + preset.quiet)) >> 16
        self.uses[row] = min(self.uses[row] + 1, 65535)
        error = ((bit << 16) - squash(self.dot)) * rate >> 10
        if abs(error) > 15:
            self.weights[row] = moved(self.weights[row], self.inputs, error)


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
        self.row[:] = moved(self.row, self.dots, error)


class Sse:
    """One secondary estimation: 16 knots over the stretch domain for each context."""

    def __init__(self, limit):
        self.rows: dict[int, AdaptiveMap] = {}
        self.limit = limit

    def p(self, context, spot):
        self.row = self.rows.setdefault(context, AdaptiveMap(tables.sse_priors(), self.limit))
        knot, part = spot >> 8, spot & 255
        self.nearest = knot + (part >= 128)
        return self.row.p[knot] * (256 - part) + self.row.p[knot + 1] * part >> 14

    def update(self, bit):
        self.row.update(self.nearest, bit)


class Sources:
    """The values that contexts are made of, by their numbers."""

    def __init__(self):
        self.v = [0] * 32
        self.after: list[dict[int, int]] = [{}, {}, {}]
        self.line_start = self.line_before = 0
        self.letters = self.gap = self.first = self.stem = self.line_first = 0
        self.stack: list[int] = []

    def update(self, data, shape, origin):
        """Take in the last byte of `data`; the one to come belongs to a stretch `shape`."""
        v, pos, c = self.v, len(data), data[-1]
        old = v[source.LAST8]
        now = (old << 8 | c) & M64
        v[source.LAST16] = (v[source.LAST16] << 8 | old >> 56) & M64
        v[source.LAST8] = now
        for n, after in enumerate((source.AFTER1, source.AFTER2, source.AFTER3)):
            mask = (1 << 8 * (n + 1)) - 1
            place, next_place = old & mask, now & mask
            if n == 2:
                place, next_place = (place * K1 & M64) >> 48, (next_place * K1 & M64) >> 48
            self.after[n][place] = (self.after[n].get(place, 0) << 8 | c) & M64
            v[after] = self.after[n].get(next_place, 0)

        lower = 97 <= c <= 122 or c >= 128
        upper = 65 <= c <= 90
        fixed = {32: 4, 10: 5, 0: 6}
        kind = 1 if lower else 2 if upper else 3 if 48 <= c <= 57 else fixed.get(c, 8 + (c & 7))
        v[source.SHAPE] = (v[source.SHAPE] << 4 | kind) & M64
        self._words(c + 32 * upper if lower or upper else 0)
        if kind <= 3 or c == 95:
            v[source.IDENT] = (v[source.IDENT] + c + 1) * K5 & M64
        elif v[source.IDENT]:
            v[source.IDENT1], v[source.IDENT] = v[source.IDENT], 0
        if kind > 4:
            v[source.MARKS] = (v[source.MARKS] << 8 | c) & M64
        self._brackets(c)
        if c == 10:
            self.line_before, self.line_start, self.line_first = self.line_start, pos, 0
        v[source.LINEWORD] = self.line_first
        column = pos - self.line_start
        above = self.line_before + column
        line = min(column, 255)
        line |= data[above] << 8 if above < self.line_start else 0
        line |= data[self.line_start] << 16 if column else 0
        v[source.LINE] = line
        period = shape.stride if shape.type == AUDIO else shape.period
        if period:
            self._records(data, period, origin)
        if shape.type == IMAGE:
            v[source.PIXELS], v[source.COLOURS], v[source.COLUMN] = pixels(
                data, pos, 0, origin, shape.stride, shape.period
            )
        if shape.type == AUDIO:
            v[source.SAMPLES], v[source.COLUMN] = samples(
                data, pos, 0, origin, shape.stride, shape.width, shape.big
            )

    def _words(self, letter):
        v = self.v
        word = v[source.WORD]
        if letter:
            v[source.LETTERS] = (v[source.LETTERS] << 8 | letter) & M64
            if self.letters == 5:
                self.stem = word >> 48
            if self.letters == 0:
                self.first = letter
            self.letters, self.gap = min(self.letters + 1, 255), 0
            v[source.WORD] = (word + letter) * K5 & M64
        else:
            if word:
                v[source.WORD3], v[source.WORD2] = v[source.WORD2], v[source.WORD1]
                v[source.WORD1], v[source.WORD] = word, 0
                ending = v[source.LETTERS] & ((1 << 8 * min(self.letters, 3)) - 1)
                stem = self.stem if self.letters > 5 else word >> 48
                v[source.ENDINGS] = stem << 48 | (v[source.ENDINGS] & 0xFFFFFF) << 24 | ending
                self.line_first = self.line_first or word
            self.letters, self.gap = 0, min(self.gap + 1, 255)
        v[source.PLACE] = self.letters | self.gap << 8 | self.first << 16

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
        self.v[source.BRACKET] = inner | (stack[-2] << 8 if len(stack) > 1 else 0)

    def _records(self, data, r, origin):
        pos, c = len(data), data[-1]

        def back(distance, known):
            return data[pos - distance] if pos >= known else 0

        above, two, three = back(r, r), back(2 * r, 2 * r), back(3 * r, 3 * r)
        right = back(r - 1, r) if r > 1 else 0
        right2 = back(r - 2, r) if r > 2 else 0
        left = back(r + 1, r + 1)
        v = self.v
        v[source.ABOVE] = above | two << 8 | right << 16 | left << 24 | three << 32 | right2 << 40
        v[source.COLUMN] = (pos - origin) % r
        v[source.GUESS] = (above + c - left & 255) | (2 * above - two & 255) << 8 | (above + c >> 1) << 16


class Mixed:
    """What the stretches of one mixture have for themselves: contexts with their maps, weights."""

    def __init__(self, preset: Preset, mixture: Mixture, slots: Slots, matches: list[Match]):
        table: dict[int, int] = defaultdict(int)
        self.choices = mixture.sets
        self.histories = [History(i, context, slots, preset.limit) for i, context in enumerate(mixture.contexts)]
        self.bit_histories = [BitHistory(j, mask, table, preset.limit) for j, mask in enumerate(mixture.near)]
        self.expectations = [Expectation(match) for match in matches]
        self.all = [*self.histories, *self.bit_histories]
        c, m = len(self.all), len(matches)
        self.width = (c + 3 * m + 1 + 15) // 16 * 16
        self.seconds = min(c, self.width - c - 3 * m - 1)
        start = [0] * self.width
        start[:c] = [preset.weight] * c
        first = c + self.seconds
        start[first : first + 3 * m : 3] = [preset.weight] * m
        self.sets = [MixerSet(start, preset, mixture) for _ in self.choices]
        self.finals = [FinalMixer(len(self.sets), preset.final_rate) for _ in range(4)]


class Predictor:
    """The whole model of one block; `turn_to` says to which stretch the next bytes belong."""

    def __init__(self, preset: Preset, bits: int, match_bits: int):
        self.preset = preset
        self.slots = Slots(bits)
        self.matches = [Match(least, match_bits) for least in preset.mixtures[TEXT].matches]
        self.sses = [Sse(preset.sse_limit) for _ in range(5)]
        self.sources = Sources()
        self.mixed: dict[Mixture, Mixed] = {}
        self.data: list[int] = []
        self.partial, self.bit = 1, 0

    def turn_to(self, shape: Stretch) -> None:
        mixture = self.preset.mixtures[shape.type]
        if mixture not in self.mixed:
            self.mixed[mixture] = Mixed(self.preset, mixture, self.slots, self.matches)
        self.now, self.shape, self.origin = self.mixed[mixture], shape, len(self.data) - shape.phase

    def _begin_byte(self) -> None:
        if not self.data:
            return
        self.sources.update(self.data, self.shape, self.origin)
        expect = 0
        for match in self.matches:
            match.begin_byte(self.data)
            if match.length and not expect:
                expect = match.expected | (grade_of(match.length) + 1) << 8
        self.sources.v[source.EXPECT] = expect

    def p(self) -> int:
        """Return the probability that the next bit is one, in 16 bits."""
        if self.bit == 0:
            self._begin_byte()
        now, v, n = self.now, self.sources.v, len(self.now.histories)
        last8 = v[source.LAST8]
        last = last8 & 255
        if self.bit in (0, 4):
            for history in now.histories:
                history.begin_byte(v) if self.bit == 0 else history.begin_second_nibble(self.partial)
            self.seen = sum(history.seen for history in now.histories)
        pairs = [history.predict() for history in now.histories]
        if now.bit_histories:
            self.near = self._near()
            pairs += [history.predict(self.near) for history in now.bit_histories]
        inputs = [a for a, _ in pairs] + [b for _, b in pairs[: now.seconds]]
        for expectation in now.expectations:
            inputs += expectation.predict(self.partial, self.bit)
        inputs.append(256)
        inputs += [0] * (now.width - len(inputs))
        self.power = sum(x * x >> 8 for x in inputs) >> 8

        # The longest match speaks for all, and is silent when its byte is not the one that comes.
        longest = next((e for e in now.expectations if e.match.length), None)
        silent = longest is None or longest.guess < 0
        grade = 0 if longest is None or silent else grade_of(longest.match.length)
        expected = 0 if longest is None or silent else longest.match.expected

        dots = []
        for choice, mixer in zip(now.choices, now.sets, strict=True):
            dots.append(mixer.set(self._row(choice, silent, grade), inputs))
        f_row = self.seen * 16 // (n + 1) + (0 if silent else ((grade >> 3) + 1) * 16)
        total = 0
        shape = (v[source.SHAPE] & 4095) << 3 | self.bit
        for final, row in zip(now.finals, (self.partial, last, f_row, shape), strict=True):
            total += final.set(row, dots)
        mixed = total >> 2

        spot = (mixed + TOP + 1) * 5 >> 3
        spread = self.partial * 0x9E35
        pair = ((last8 & 65535) * K1 & M64) >> 48
        word = ((v[source.WORD] + last & M64) * K1 & M64) >> 48
        rows = (
            self.partial,
            last << 8 | self.partial,
            (pair ^ spread) & 65535,
            expected << 8 | self.partial,
            (word ^ spread) & 65535,
        )
        q = [sse.p(row, spot) for sse, row in zip(self.sses, rows, strict=True)]
        one = 4 * squash(mixed) + q[0] + 2 * q[1] + 3 * q[2] + 3 * q[3] + 3 * q[4] + 8 >> 4
        self.one = max(1, min(65535, one))
        return self.one

    def _near(self) -> int:
        """Return bits of this row and of the three above it, 16 each."""
        pos, r, data = len(self.data), self.shape.period, self.data
        before = (data[-2] << 8 if pos > 1 else 0) | (data[-1] if pos else 0)
        near = (before << self.bit | self.partial ^ 1 << self.bit) & 65535
        for k in (1, 2, 3):
            row = 0
            for place in range(pos - k * r - 1, pos - k * r + 2):
                row = row << 8 | (data[place] if 0 <= place < pos else 0)
            near |= (row >> (8 - self.bit) & 65535) << 16 * k
        return near

    def _row(self, choice: Choice, silent: bool, grade: int) -> int:
        if choice.select == source.PARTIAL:
            return self.partial
        if choice.select == source.MATCH:
            seen = self.seen * 8 // (len(self.now.histories) + 1)
            return seen * 72 + self.bit + (0 if silent else ((grade >> 2) + 1) * 8)
        if choice.select == source.BITS:
            return self.near & 3 | self.near >> 19 & 0x7C | self.near >> 31 & 0x380
        row = self.sources.v[choice.source] >> choice.shift & choice.mask
        return row * 8 + self.bit if choice.by_bit else row

    def update(self, bit: int) -> None:
        now = self.now
        for history in now.all:
            history.step(bit)
        if (65536 - self.one if bit else self.one) > 16:
            for mixer in now.sets:
                mixer.update(bit, self.power)
            for part in (*now.finals, *now.all, *now.expectations, *self.sses):
                part.update(bit)
        self.partial, self.bit = self.partial << 1 | bit, self.bit + 1
        if self.bit == 8:
            self.data.append(self.partial & 255)
            self.partial, self.bit = 1, 0

    def skim(self, byte: int) -> None:
        """Take note of a byte: in the histories of the first contexts, and in the match models."""
        self._begin_byte()
        few = self.now.histories[: self.preset.skim]
        for nibble in (byte >> 4, 16 | byte >> 4):
            for history in few:
                history.begin_byte(self.sources.v) if nibble < 16 else history.begin_second_nibble(nibble)
            for history in few:
                for k in range(3, -1, -1):
                    history.state = history.bucket[history.node]
                    history.step((byte >> 4 if nibble < 16 else byte) >> k & 1)
        self.data.append(byte)


def _begin(params, size, number, texts):
    """Return the model after the primer `number` of `texts`, and after skimming the others."""
    preset = STRONG[params["preset"]]
    skimmed = read = b""
    if number:
        skimmed = b"".join(texts[k] for k in sorted(texts) if k != number) if preset.skim else b""
        read = texts[number][-preset.primer :]
    total = len(skimmed) + len(read) + size
    predictor = Predictor(preset, params["bits"], max(10, min(22, (total - 1).bit_length())))
    predictor.turn_to(Stretch(TEXT, len(skimmed) + len(read)))
    for byte in skimmed:
        predictor.skim(byte)
    for byte in read:
        for k in range(7, -1, -1):
            predictor.p()
            predictor.update(byte >> k & 1)
    return predictor


def encode(block, params, stretches, number=0, texts=None):
    """Return the payload of `block` with a given segment map and primer."""
    named = params["primer"] and any(s.type == TEXT for s in stretches)
    predictor, coder = _begin(params, len(block), number, texts), BinaryCoder()
    at = 0
    for s in stretches:
        predictor.turn_to(s)
        for byte in block[at : at + s.length]:
            for k in range(7, -1, -1):
                predictor.update(coder.code(predictor.p(), byte >> k & 1))
        at += s.length
    return pack(stretches) + bytes((number,) if named else ()) + coder.end()


def decode(payload, size, params, texts=None):
    """Return the block of `size` bytes that `payload` stands for."""
    stretches, rest = unpack(payload, size)
    number = 0
    if params["primer"] and any(s.type == TEXT for s in stretches):
        number, rest = rest[0], rest[1:]
    predictor, coder = _begin(params, size, number, texts), BinaryCoder(rest)
    begin = len(predictor.data)
    for s in stretches:
        predictor.turn_to(s)
        for _ in range(8 * s.length):
            predictor.update(coder.code(predictor.p()))
    return bytes(predictor.data[begin:])
