"""The engine `cmstrong` in plain Python: what docs/reference/CMSTRONG.md says, as short as it can be said, and as slow.

One object a part; a predictor is asked for `p()`, the 16-bit probability of a one, and then told the bit. Tests hold
the kernel to this module bit for bit. Nothing is shared with it: the presets are read from the tables of the page, and
what is the same in the engine `cm` is that of its model.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

import naive_cm as cm
from naive import BinaryCoder
from naive_cm import K1, K2, K3, K4, K5, M64, TOP, AdaptiveMap, Slots, Source, Sse, source, squash, state_table, table
from naive_segments import ROWS, TABLE, TEXT, Stretch, pack, unpack

PAGE = "CMSTRONG.md"
READ = 131072  # bytes of a primer that are read
SKIM = {3: 8}  # contexts that skim the other primers, by preset


# ---- what the page lists


class Mixture(NamedTuple):
    contexts: list[tuple[Source, Source, Source]]
    numbers: list[int]
    near: list[int]
    sets: list[Source]
    rate: int
    rate_start: int
    final_rate: int
    guesses: int


@lru_cache(maxsize=3)
def preset(number):
    """Return the mixtures of a preset, the least lengths of its match models, and what weights begin with."""
    known = {name: (a, b, "") for name, a, b, _ in table("name", "a", "b", "kind") if name.strip("`")[0] in "is"}
    known |= {name: sources for name, *sources in table("name", "a", "b", "d", page=PAGE)}
    rates = {kind: [*map(int, rates)] for kind, *rates in table("type", "rate", "rate_start", "final_rate", page=PAGE)}
    text = (cm.DOCS / PAGE).read_text("utf-8")
    near = [int(mask, 16) for mask in re.findall(r"\b[0-9A-F]{16}\b", text.split("### Mixtures")[1].split("|")[0])]
    mixtures: dict[str, Mixture] = {}
    text_names: list[str] = []
    for numbers, kind, names, sets in table("preset", "type", "contexts", "weight sets", page=PAGE):
        if numbers in (str(number), "1..3"):
            listed = names.strip("`").split()
            contexts = [tuple(map(source, known[f"`{name}`"])) for name in listed]
            text_names = text_names or listed
            numbered = [*dict.fromkeys((*text_names, *listed))] if kind == "rows" else listed
            masks = near if kind == "bitmap" else []
            mixtures[kind] = Mixture(
                contexts, [numbered.index(name) + 1 for name in listed], masks,
                [source(words) for words in sets.split(", ")], *rates[kind], 4 * (kind == "rows"),
            )  # fmt: skip
    _, least, weight = table("preset", "match models: `least`", "weight", page=PAGE)[number - 1]
    return [mixtures[kind] for kind in rates], [int(n) for n in least.split(", ")], int(weight)


def stretch(p16):
    return cm.stretches_of(16)[p16]


def clamp(value):
    return max(-TOP, min(TOP, value))


def grade_of(length):
    """Return the class of a match's length."""
    return length if length < 16 else 16 + (length - 16 >> 3) if length < 80 else min(24 + (length - 80 >> 6), 31)


class History:
    """A context of whole bytes: finds its bucket at each nibble."""

    def __init__(self, number: int, context: tuple[Source, Source, Source], slots: Slots):
        self.number, self.context, self.slots = number, context, slots
        self.map = AdaptiveMap(cm.state_priors(), 1022)

    def begin_byte(self, v):
        a, b, d = (each.of(v) for each in self.context)
        t = ((a * K1 & M64) ^ (b * K2 & M64)) + d * K3 & M64
        t = ((t ^ t >> 29) + self.number) * K3 & M64
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
        self.bucket[self.node] = state_table()[self.state][bit]
        self.node = self.node << 1 | bit


class BitHistory:
    """A context of near bits: one history for each value of them, in a table without checks."""

    def __init__(self, number: int, mask: int, table: dict[int, int]):
        self.number, self.mask, self.table = number, mask, table
        self.map = AdaptiveMap(cm.state_priors(), 1022)

    def predict(self, near):
        t = (near & self.mask) * K1 & M64
        t = ((t ^ t >> 29) + self.number) * K3 & M64
        self.place = t >> 42
        self.state = self.table[self.place]
        p = self.map.p[self.state] >> 6
        return stretch(p), p - 32768 >> 6

    def update(self, bit):
        self.map.update(self.state, bit)

    def step(self, bit):
        self.table[self.place] = state_table()[self.state][bit]


class Match:
    """Follows the latest earlier repetition of the last bytes and says which bit it expects."""

    def __init__(self, least, bits):
        self.least, self.bits = least, bits
        self.table: dict[int, int] = {}
        self.pointer = self.length = self.missed = self.expected = 0
        self.recovers = False

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
            there = self.table.get(h, 0)
            if not self.length and self.recovers:
                if self.pointer and self.missed.bit_count() <= 4:
                    self.pointer, self.length = self.pointer + 1, 1
                known = cm.equal_before(data, there) if there > 1 else 0
                if known >= (max(16, least) if self.length else least):
                    self.pointer, self.length = there, known
            if not self.length and there:
                self.pointer = there
                known = cm.equal_before(data, there)
                self.length = known if known >= least else 0
            self.table[h] = pos
        if self.length:
            self.expected = data[self.pointer]


class Guess:
    """One of the guesses of rows, of which all have one map."""

    def __init__(self, cells):
        self.cells = cells

    def predict(self, byte, cell, partial, bit):
        """Return both inputs for the mixer."""
        self.guess = byte >> (7 - bit) & 1 if byte and byte >> (8 - bit) == partial else -1
        if self.guess < 0:
            return 0, 0
        self.cell = 2 * cell + (bit >= 4)
        p, sign = self.cells.p[self.cell] >> 6, 2 * self.guess - 1
        return sign * stretch(p), sign * (p - 32768 >> 6)

    def update(self, bit):
        if self.guess >= 0:
            self.cells.update(self.cell, bit == self.guess)


class Expectation:
    """What a match's bit is worth, as one mixture has learned it."""

    def __init__(self, match):
        self.match = match
        self.by_length = AdaptiveMap(cm.match_priors(), 1022)
        self.by_byte = AdaptiveMap([(15 << 18, 2)] * 8192, 1022)

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

    def __init__(self, start, mixture):
        self.weights = defaultdict(lambda: list(start))
        self.uses = defaultdict(int)
        self.mixture = mixture

    def set(self, row, inputs):
        self.row, self.inputs = row, inputs
        total = sum(x * w >> 8 for x, w in zip(inputs, self.weights[row], strict=True))
        self.dot = clamp(total >> 8)
        return self.dot

    def update(self, bit, power):
        row = self.row
        step = self.mixture.rate + self.mixture.rate_start * 96 // (96 + 4 * min(self.uses[row] >> 2, 255))
        step = step * ((800 << 16) // (power + 200)) >> 16
        self.uses[row] = min(self.uses[row] + 1, 65535)
        error = ((bit << 16) - squash(self.dot)) * step >> 10
        if abs(error) > 15:
            self.weights[row] = moved(self.weights[row], self.inputs, error)


class FinalMixer:
    """One mixer of the second layer: mixes what the sets say."""

    def __init__(self, sets, rate):
        self.weights, self.rate = defaultdict(lambda: [65536 // sets] * sets), rate

    def set(self, row, dots):
        self.row, self.dots = self.weights[row], dots
        self.out = clamp(sum(d * w for d, w in zip(dots, self.row, strict=True)) >> 16)
        return self.out

    def update(self, bit):
        error = ((bit << 16) - squash(self.out)) * self.rate >> 10
        self.row[:] = moved(self.row, self.dots, error)


class Sources(cm.Sources):
    """Those of `cm`, and more."""

    def __init__(self):
        super().__init__()
        names = "LAST16 WORD3 GUESS AFTER1 AFTER2 AFTER3 EXPECT IDENT IDENT1 MARKS PLACE BRACKET LETTERS ENDINGS"
        self.v |= dict.fromkeys((*names.split(), "LINEWORD", "FIELD"), 0)
        self.after: list[dict[int, int]] = [{}, {}, {}]
        self.letters = self.gap = self.first = self.stem = self.line_first = self.over = 0
        self.stack: list[int] = []

    def update(self, data, s, origin):
        """Take in the last byte of `data`; the byte to come is one of stretch `s`, whose places count from `origin`."""
        v, c = self.v, data[-1]
        old = v["LAST8"]
        now = (old << 8 | c) & M64
        v["LAST16"] = (v["LAST16"] << 8 | old >> 56) & M64
        for n, after in enumerate(self.after):
            mask = (1 << 8 * (n + 1)) - 1
            place, next_place = old & mask, now & mask
            if n == 2:
                place, next_place = (place * K1 & M64) >> 48, (next_place * K1 & M64) >> 48
            after[place] = (after.get(place, 0) << 8 | c) & M64
            v[f"AFTER{n + 1}"] = after.get(next_place, 0)
        lower, upper, digit = 97 <= c <= 122 or c >= 128, 65 <= c <= 90, 48 <= c <= 57
        self._letters(c + 32 * upper if lower or upper else 0)
        if lower or upper or digit or c == 95:
            v["IDENT"] = (v["IDENT"] + c + 1) * K5 & M64
        elif v["IDENT"]:
            v["IDENT1"], v["IDENT"] = v["IDENT"], 0
        if not (lower or upper or digit or c == 32):
            v["MARKS"] = (v["MARKS"] << 8 | c) & M64
        self._brackets(c)
        if c == 10:
            self.line_first = 0
        v["LINEWORD"] = self.line_first
        super().update(data, s, origin)
        self._field(data)

    def _field(self, data):
        """Go along the line before, of the lines that are known by now."""

        def near(most):
            return data[self.over : min(self.over + most, self.line_start)]

        def plain(c):
            return c >= 128 or chr(c).isalnum()

        c = data[-1]
        if c == 10:
            self.over = self.line_before
        elif plain(c):
            self.over += any(map(plain, near(1)))
        elif c in near(64):
            self.over += 1 + near(64).index(c)
        self.v["FIELD"] = int.from_bytes(bytes(near(2)), "little")

    def _letters(self, letter):
        """Take in a letter, or 0; the words are still those before."""
        v = self.v
        word = v["WORD"]
        if letter:
            v["LETTERS"] = (v["LETTERS"] << 8 | letter) & M64
            if self.letters == 5:
                self.stem = word >> 48
            if self.letters == 0:
                self.first = letter
            self.letters, self.gap = min(self.letters + 1, 255), 0
        else:
            if word:
                v["WORD3"] = v["WORD2"]
                ending = v["LETTERS"] & ((1 << 8 * min(self.letters, 3)) - 1)
                stem = self.stem if self.letters > 5 else word >> 48
                v["ENDINGS"] = stem << 48 | (v["ENDINGS"] & 0xFFFFFF) << 24 | ending
                self.line_first = self.line_first or word
            self.letters, self.gap = 0, min(self.gap + 1, 255)
        v["PLACE"] = self.letters | self.gap << 8 | self.first << 16

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
        self.v["BRACKET"] = inner | (stack[-2] << 8 if len(stack) > 1 else 0)

    def _rows(self, data, r):
        super()._rows(data, r)
        v, pos, c = self.v, len(data), data[-1]
        v["ABOVE"] |= data[pos - r + 2] << 40 if pos >= r > 2 else 0
        above, two, left = (v["ABOVE"] >> shift & 255 for shift in (0, 8, 24))
        v["GUESS"] = (above + c - left & 255) | (2 * above - two & 255) << 8 | (above + c >> 1) << 16


class Mixed:
    """What the stretches of one mixture have for themselves: contexts with their maps, weights."""

    def __init__(self, mixture: Mixture, weight: int, slots: Slots, matches: list[Match]):
        histories: dict[int, int] = defaultdict(int)
        self.choices = mixture.sets
        numbered = zip(mixture.numbers, mixture.contexts, strict=True)
        self.histories = [History(number, context, slots) for number, context in numbered]
        self.bit_histories = [BitHistory(j, mask, histories) for j, mask in enumerate(mixture.near, 1)]
        self.expectations = [Expectation(match) for match in matches]
        self.all = [*self.histories, *self.bit_histories]
        cells = AdaptiveMap([(3 << 20, 2)] * 3072, 1022)
        self.guesses = [Guess(cells) for _ in range(mixture.guesses)]
        c, m, g = len(self.all), len(matches), mixture.guesses
        self.width = (c + 3 * m + 1 + 2 * g + 15) // 16 * 16
        self.seconds = min(c, self.width - c - 3 * m - 1 - 2 * g)
        start = [0] * self.width
        start[:c] = [weight] * c
        first = c + self.seconds
        start[first : first + 3 * m : 3] = [weight] * m
        first += 3 * m + 1
        start[first : first + 2 * g : 2] = [weight] * g
        self.sets = [MixerSet(start, mixture) for _ in self.choices]
        self.finals = [FinalMixer(len(self.sets), mixture.final_rate) for _ in range(4)]


class Predictor:
    """The whole model of one block; `turn_to` says to which stretch the next bytes belong."""

    def __init__(self, number: int, bits: int, match_bits: int):
        mixtures, matches, weight = preset(number)
        slots = Slots(bits)
        self.skimming = SKIM.get(number, 0)
        self.matches = [Match(least, match_bits) for least in matches]
        self.sses = [Sse() for _ in range(5)]
        self.sources = Sources()
        self.mixed = [Mixed(mixture, weight, slots, self.matches) for mixture in mixtures]
        self.mixed.append(self.mixed[-1])  # what serves rows serves tables
        self.data: list[int] = []
        self.partial, self.bit = 1, 0

    def turn_to(self, shape: Stretch) -> None:
        self.now, self.shape, self.origin = self.mixed[shape.type], shape, len(self.data) - shape.phase

    def _begin_byte(self) -> None:
        if not self.data:
            return
        self.sources.update(self.data, self.shape, self.origin)
        expect = 0
        for match in self.matches:
            match.begin_byte(self.data)
            if match.length and not expect:
                expect = match.expected | (grade_of(match.length) + 1) << 8
        self.sources.v["EXPECT"] = expect

    def p(self) -> int:
        """Return the probability that the next bit is one, in 16 bits."""
        if self.bit == 0:
            self._begin_byte()
        now, v, n = self.now, self.sources.v, len(self.now.histories)
        last8 = v["LAST8"]
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
        rows = self.sources.rows
        for guess, byte, cell in zip(now.guesses, rows.bytes, rows.cells, strict=False):
            inputs += guess.predict(byte, cell, self.partial, self.bit)
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
        shape = (v["SHAPE"] & 4095) << 3 | self.bit
        beside = v["GUESSES"] if now.guesses else last
        for final, row in zip(now.finals, (self.partial, beside, f_row, shape), strict=True):
            total += final.set(row, dots)
        mixed = total >> 2

        spread = self.partial * 0x9E35
        pair = ((last8 & 65535) * K1 & M64) >> 48
        word = v["ALIGNED"] + (v["GUESSES"] << 24) if now.guesses else v["WORD"] + last
        word = (word * K1 & M64) >> 48
        rows = (
            self.partial,
            last << 8 | self.partial,
            (pair ^ spread) & 65535,
            expected << 8 | self.partial,
            (word ^ spread) & 65535,
        )
        q = [sse.p(row, mixed) for sse, row in zip(self.sses, rows, strict=True)]
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

    def _row(self, choice: Source, silent: bool, grade: int) -> int:
        if choice.name == "PARTIAL":
            return self.partial
        if choice.name == "MATCH":
            seen = self.seen * 8 // (len(self.now.histories) + 1)
            return seen * 72 + self.bit + (0 if silent else ((grade >> 2) + 1) * 8)
        if choice.name == "BITS":
            return self.near & 3 | self.near >> 19 & 0x7C | self.near >> 31 & 0x380
        row = choice.of(self.sources.v)
        return row * 8 + self.bit if choice.by_bit else row

    def update(self, bit: int) -> None:
        now = self.now
        for history in now.all:
            history.step(bit)
        if (65536 - self.one if bit else self.one) > 16:
            for mixer in now.sets:
                mixer.update(bit, self.power)
            for part in (*now.finals, *now.all, *now.expectations, *now.guesses, *self.sses):
                part.update(bit)
        self.partial, self.bit = self.partial << 1 | bit, self.bit + 1
        if self.bit == 8:
            self.data.append(self.partial & 255)
            self.partial, self.bit = 1, 0

    def skim(self, byte: int) -> None:
        """Take note of a byte: in the histories of the first contexts, and in the match models."""
        self._begin_byte()
        few = self.now.histories[: self.skimming]
        for nibble in (byte >> 4, 16 | byte >> 4):
            for history in few:
                history.begin_byte(self.sources.v) if nibble < 16 else history.begin_second_nibble(nibble)
            for history in few:
                for k in range(3, -1, -1):
                    history.state = history.bucket[history.node]
                    history.step((byte >> 4 if nibble < 16 else byte) >> k & 1)
        self.data.append(byte)


def _like(stretches):
    """Return the stretch as whose bytes a primer is read; None where there is none of text, rows or a table."""
    kinds = sorted((s for s in stretches if s.type in (TEXT, ROWS, TABLE)), key=lambda s: s.type != TEXT)
    return kinds[0] if kinds else None


def _begin(params, size, number, texts, like):
    """Return the model after the primer `number` of `texts`, and after skimming the others, as bytes of `like`."""
    skimmed = read = b""
    if number:
        skimmed = b"".join(texts[k] for k in sorted(texts) if k != number) if params["preset"] in SKIM else b""
        read = texts[number][-READ:]
    total = len(skimmed) + len(read) + size
    predictor = Predictor(params["preset"], params["bits"], max(10, min(22, (total - 1).bit_length())))
    predictor.turn_to(like or Stretch(TEXT, 0))
    for byte in skimmed:
        predictor.skim(byte)
    for byte in read:
        for k in range(7, -1, -1):
            predictor.p()
            predictor.update(byte >> k & 1)
    return predictor


def encode(block, params, stretches, number=0, texts=None):
    """Return the payload of `block` with a given segment map and primer."""
    like = _like(stretches)
    predictor, coder = _begin(params, len(block), number, texts, like), BinaryCoder()
    at = 0
    for s in stretches:
        predictor.turn_to(s)
        for byte in block[at : at + s.length]:
            for k in range(7, -1, -1):
                predictor.update(coder.code(predictor.p(), byte >> k & 1))
        at += s.length
    return pack(stretches) + bytes((number,) if params["primer"] and like else ()) + coder.end()


def encode_beside(block, params, stretches, text, heads):
    """As `encode` without a primer, beside known bytes: `text` before all, and (place, bytes) before those there."""
    heads, coder, at = dict(heads), BinaryCoder(), 0
    predictor = _begin(params, len(block) + len(text) + sum(map(len, heads.values())), 0, None, None)

    def learn(known):
        for byte in known:
            for k in range(7, -1, -1):
                predictor.p()
                predictor.update(byte >> k & 1)

    for match in predictor.matches:
        match.recovers = bool(text or heads)
    predictor.turn_to(max(stretches, key=lambda stretch: stretch.length))
    learn(text)
    for s in stretches:
        predictor.turn_to(s)
        for byte in block[at : at + s.length]:
            learn(heads.get(at, b""))
            for k in range(7, -1, -1):
                predictor.update(coder.code(predictor.p(), byte >> k & 1))
            at += 1
    return pack(stretches) + coder.end()


def decode(payload, size, params, texts=None):
    """Return the block of `size` bytes that `payload` stands for."""
    stretches, rest = unpack(payload, size)
    number, like = 0, _like(stretches)
    if params["primer"] and like:
        number, rest = rest[0], rest[1:]
    predictor, coder = _begin(params, size, number, texts, like), BinaryCoder(rest)
    begin = len(predictor.data)
    for s in stretches:
        predictor.turn_to(s)
        for _ in range(8 * s.length):
            predictor.update(coder.code(predictor.p()))
    return bytes(predictor.data[begin:])
