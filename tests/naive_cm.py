"""The `cm` engine in plain Python: what docs/reference/CM.md says, as short as it can be said, and as slow.

One object a part; a predictor is asked for `p()`, the 16-bit probability of a one, and then told the bit. Tests hold
the kernel to this module bit for bit. Nothing is shared with it: the presets are read from the tables of the page.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from decimal import Decimal, localcontext
from functools import lru_cache
from itertools import chain, dropwhile, takewhile
from pathlib import Path
from typing import NamedTuple

from naive import BinaryCoder
from naive_rows import Rows
from naive_segments import AUDIO, IMAGE, ROWS, TABLE, TEXT, Stretch, pixels, samples, unpack

M64 = (1 << 64) - 1
K1, K2, K3, K4, K5 = (
    0x9E3779B97F4A7C15,
    0xD6E8FEB86659FD93,
    0xC2B2AE3D27D4EB4F,
    0xBF58476D1CE4E5B9,
    0x2545F4914F6CDD1D,
)
TOP = 3071
DOCS = Path(__file__).parents[1] / "docs" / "reference"


# ---- what the page lists


class Source(NamedTuple):
    """A source, shifted and masked."""

    name: str
    shift: int
    mask: int
    by_bit: bool

    def of(self, v):
        return v[self.name] >> self.shift & self.mask


class Context(NamedTuple):
    a: Source
    b: Source
    kind: str


class Mixture(NamedTuple):
    numbers: list[int]
    contexts: list[Context]
    sets: list[Source]
    inputs: int
    least: int
    rates: tuple[int, int, int]
    guesses: int


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def table(*head, page="CM.md"):
    """Return the rows of a page's table with these columns."""
    lines = dropwhile(lambda line: _cells(line) != [*head], (DOCS / page).read_text("utf-8").splitlines())
    return [_cells(line) for line in takewhile(lambda line: line.startswith("|"), lines)][2:]


def source(words):
    """Return the source that the words of a page's table say."""
    name, shift, mask, by_bit = re.fullmatch(
        r"\(?(\w+)(?: >> (\d+)\))?(?: & (\w+))?( by bit)?", words or "NONE"
    ).groups()
    return Source(name, int(shift or 0), int(mask, 16) if mask else M64, bool(by_bit))


@lru_cache(maxsize=4)
def mixtures(preset):
    """Return the mixtures of a preset for text, binary, bitmap, image, audio, rows and tables."""
    known = {name: Context(source(a), source(b), kind) for name, a, b, kind in table("name", "a", "b", "kind")}
    rows = table("preset", "type", "contexts", "weight sets", "I", "least")
    rows = [row[1:] for row in rows if row[0] in (str(preset), "1..4")]
    assert [row[0] for row in rows] == ["text", "binary", "bitmap", "image", "audio", "rows", "table"]
    names = [row[1].split() for row in rows]
    numbers = {name: k for k, name in enumerate(dict.fromkeys(chain(*names)), 1)}
    return [
        Mixture(
            [numbers[name] for name in these], [known[name] for name in these],
            [source(words) for words in sets.split(", ")], int(inputs), int(least),
            *(((100, 10000, 100), 4) if kind in ("rows", "table") else ((60, 5000, 50), 0)),
        )
        for these, (kind, _, sets, inputs, least) in zip(names, rows, strict=True)
    ]  # fmt: skip


# ---- the constant tables


@lru_cache(maxsize=1)
def squashes():
    """Return squash(x) for x = -3071..3071."""
    with localcontext() as context:
        context.prec = 40
        upper = [min(65535, round(65536 / (1 + (Decimal(-x) / 256).exp()))) for x in range(TOP + 1)]
    return [65536 - value for value in upper[:0:-1]] + upper


def squash(x):
    return squashes()[x + TOP]


@lru_cache(maxsize=2)
def stretches_of(bits):
    """Return stretch(p) for p of so many bits."""
    whole = 1 << bits
    with localcontext() as context:
        context.prec = 40
        borders = [(Decimal(2 * x + 1) / 512).exp() for x in range(TOP)]
        odds = [Decimal(2 * p + 1) / (2 * (whole - p) - 1) for p in range(whole // 2, whole)]
    upper = [bisect_left(borders, x) for x in odds]
    return [-x for x in reversed(upper)] + upper


def stretch(p12):
    return stretches_of(12)[p12]


def rate_of(count):
    return (1 << 17) // (2 * count + 3) if count < 1023 else 0


def _after(state, bit):
    """Return the state that a bit leads to: a tuple of up to four bits, or a list of counts and the last bit."""
    if state[0] == 0 and len(state[3]) < 4:
        bits = (*state[3], bit)
        return (0, bits.count(0), bits.count(1), bits)
    counts = [state[1], state[2]]
    counts[bit] += 1
    other = counts[1 - bit]
    counts[1 - bit] = other if other <= 2 else other.bit_length() + (other > 5)
    while True:
        rare, frequent = sorted(counts)
        if rare <= 4 and frequent <= (48, 32, 11, 6, 5)[rare]:
            break
        if rare == frequent:
            counts[1 - bit] -= 1
        else:
            counts[counts.index(rare if rare > 4 else frequent)] -= 1
    n0, n1 = counts
    kept = n0 > 0 and n1 > 0 and n0 + n1 <= 16
    return (1, n0, n1, (bit if kept else int(n0 <= n1),))


@lru_cache(maxsize=1)
def states():
    """Return all states in order: (0 or, for counts, 1; zeros; ones; bits or the last bit)."""
    found, todo = set(), [(0, 0, 0, ())]
    while todo:
        state = todo.pop()
        if state not in found:
            found.add(state)
            todo += [_after(state, 0), _after(state, 1)]
    return sorted(found, key=lambda s: (s[1] + s[2], s[0], s[1], s[2], s[3]))


@lru_cache(maxsize=1)
def state_table():
    numbers = {state: k for k, state in enumerate(states())}
    return [(numbers[_after(s, 0)], numbers[_after(s, 1)]) for s in states()]


@lru_cache(maxsize=1)
def state_priors():
    rest = [((10 * n1 + 4) * ((1 << 22) - 1) // (10 * (n0 + n1) + 8), 20) for _, n0, n1, _ in states()[1:]]
    return [(1 << 21, 1023), *rest]


@lru_cache(maxsize=1)
def match_priors():
    return [((1 << 22) - 1 - (1 << 22) // (2 * grade + 3), 2) for grade in range(32) for _ in range(4)]


@lru_cache(maxsize=1)
def knots():
    return [(squash(clamp(6144 * k // 15 - 3072, TOP)) << 6, 6) for k in range(16)]


def clamp(value, bound):
    return max(-bound, min(bound, value))


# ---- what learns


class AdaptiveMap:
    """Probabilities of 22 bits that follow the bits seen under an index, quickly at first."""

    def __init__(self, priors, limit):
        self.p = [p for p, _ in priors]
        self.count = [count for _, count in priors]
        self.limit = limit

    def update(self, index, bit):
        target = (1 << 22) - 1 if bit else 0
        self.p[index] += (target - self.p[index]) * rate_of(self.count[index]) >> 16
        if self.count[index] < self.limit:
            self.count[index] += 1


class Slots:
    """The hash table: buckets of a check and 15 bit histories, four to a line; and those that are not hashed."""

    def __init__(self, bits):
        self.bits = bits
        self.buckets: dict[int, list[int]] = {}
        self.direct: dict[tuple[int, int, int], list[int]] = {}

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

    def __init__(self, number: int, context: Context, slots: Slots):
        self.number, self.context, self.slots = number, context, slots
        self.map = AdaptiveMap(state_priors(), 1022)
        self.seen = False  # whether the bucket had been used before

    def begin_byte(self, v):
        self.a = self.context.a.of(v)
        t = (self.a * K1 & M64) ^ (self.context.b.of(v) * K2 & M64)
        t = ((t ^ t >> 29) + self.number) * K3 & M64
        self.hash = t = (t ^ t >> 32) * K4 & M64
        self.index = t >> (64 - self.slots.bits)
        self._begin_nibble(1, self.index, t >> 16 & 255)

    def begin_second_nibble(self, partial):
        t = (self.hash ^ (partial * K1 & M64)) * K3 & M64
        t = (t ^ t >> 32) * K2 & M64
        index = t >> (64 - self.slots.bits) if self.context.kind == "wide" else (self.index ^ 4) ^ (t >> 62)
        self._begin_nibble(partial, index, t >> 16 & 255)

    def _begin_nibble(self, partial, index, check):
        if self.context.kind == "direct":
            self.bucket = self.slots.direct.setdefault((self.number, self.a, partial), [0] * 16)
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
        self.bucket[self.node] = state_table()[self.state][bit]
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


def equal_before(data, pointer):
    """Return how many bytes before `pointer` are those at the end of `data`, 400 at most."""
    n = 0
    while n < 400 and pointer > n and data[pointer - n - 1] == data[len(data) - n - 1]:
        n += 1
    return n


class Match:
    """Follows the longest earlier repetition of the last bytes and says which bit it expects."""

    def __init__(self, bits):
        self.bits, self.table = bits, [0] * (1 << bits)
        self.candidate = self.pointer = self.length = self.missed = 0
        self.recovers = False

    def begin_byte(self, data, least):
        pos = len(data)
        if self.length and data[self.pointer] == data[-1]:
            self.length, self.pointer = min(self.length + 1, 65535), self.pointer + 1
            self.missed = self.missed << 1 & 255
        elif self.length:
            self._fail()
        if not self.length and self.recovers:
            if self.pointer and self.missed.bit_count() <= 4:
                self.pointer, self.length = self.pointer + 1, 1
            known = equal_before(data, self.candidate + 1) if self.candidate else 0
            if known >= (16 if self.length else least):
                self.pointer, self.length = self.candidate + 1, known
        elif not self.length and self.candidate:
            self.pointer = self.candidate + 1
            known = equal_before(data, self.pointer)
            self.length = known if known >= least else 0
        recent = int.from_bytes(bytes(data[-8:]), "big") << (64 - 8 * (least - 1)) & M64
        h = (recent * K1 & M64) >> (64 - self.bits)
        self.candidate, self.table[h] = self.table[h], pos
        self.expected = data[self.pointer] | 256 if self.length else 0
        n = self.length
        self.grade = n if n < 16 else 16 + (n - 16 >> 3) if n < 80 else min(24 + (n - 80 >> 6), 31)

    def _fail(self):
        self.length = 0
        self.missed = (self.missed << 1 | 1) & 255

    def predict(self, cells, partial, bit):
        """Return both inputs for the mixer."""
        self.guess, self.map = -1, cells
        if self.length and self.expected >> (8 - bit) != partial:
            self._fail()
        if not self.length:
            return 0, 0
        self.guess = self.expected >> (7 - bit) & 1
        self.cell = self.grade * 4 + (2 + (self.missed & 1) if self.missed & 15 else 1 if self.missed else 0)
        p, sign = cells.p[self.cell] >> 10, 2 * self.guess - 1
        return sign * stretch(p), sign * (p - 2048) >> 2

    def update(self, bit):
        if self.guess >= 0:
            self.map.update(self.cell, bit == self.guess)


class Guess:
    """One of the guesses of rows."""

    def __init__(self, cells):
        self.cells = cells

    def begin_byte(self, byte, cell):
        self.byte, self.cell = byte, cell

    def predict(self, partial, bit):
        """Return the input for the mixer."""
        self.guess = self.byte >> (7 - bit) & 1 if self.byte and self.byte >> (8 - bit) == partial else -1
        if self.guess < 0:
            return 0
        self.now = 2 * self.cell + (bit >= 4)
        p = stretch(self.cells.p[self.now] >> 10)
        return p if self.guess else -p

    def update(self, bit):
        if self.guess >= 0:
            self.cells.update(self.now, bit == self.guess)


class WeightSet:
    """Rows of weights of which a choice takes one; learns from its own error."""

    def __init__(self, rows, start, rate=60, more=5000):
        self.rate, self.more = rate, more
        self.weights = [list(start) for _ in range(rows)]
        self.uses = [0] * rows

    def set(self, row, inputs):
        self.row, self.inputs = row, inputs
        total = sum(x * w >> 8 for x, w in zip(inputs, self.weights[row], strict=True))
        self.dot = clamp(total >> 8, TOP)
        return self.dot

    def update(self, bit):
        row = self.row
        step = self.rate + self.more * 48 // (48 + 4 * min(self.uses[row] >> 2, 255))
        self.uses[row] = min(self.uses[row] + 1, 65535)
        error = ((bit << 16) - squash(self.dot)) * step >> 10
        if abs(error) > 15:
            self.weights[row] = [
                clamp(w + (x * error + 8192 >> 14), (1 << 19) - 1)
                for x, w in zip(self.inputs, self.weights[row], strict=True)
            ]


class FinalMixer:
    """The second layer: mixes what the sets say, with weights chosen by the partial byte."""

    def __init__(self, sets, rate=50):
        self.rate = rate
        self.weights = [[65536 // sets] * sets for _ in range(256)]

    def set(self, partial, dots):
        self.row, self.dots = self.weights[partial], dots
        self.out = clamp(sum(d * w for d, w in zip(dots, self.row, strict=True)) >> 16, TOP)
        return self.out

    def update(self, bit):
        error = ((bit << 16) - squash(self.out)) * self.rate >> 10
        for k, dot in enumerate(self.dots):
            self.row[k] += dot * error + 8192 >> 14


class Sse:
    """One sse map: 16 knots over the stretch domain for each context."""

    def __init__(self):
        self.rows: dict[int, AdaptiveMap] = {}

    def p(self, context, mixed):
        if context not in self.rows:
            self.rows[context] = AdaptiveMap(knots(), 255)
        self.row = self.rows[context]
        spot = (mixed + 3072) * 5 >> 3
        knot, part = spot >> 8, spot & 255
        self.nearest = knot + (part >= 128)
        return self.row.p[knot] * (256 - part) + self.row.p[knot + 1] * part >> 14

    def update(self, bit):
        self.row.update(self.nearest, bit)


# ---- the sources


class Sources:
    """The values that contexts are made of."""

    def __init__(self):
        names = "NONE LAST8 WORD WORD1 WORD2 WORDS SHAPE LINE ABOVE COLUMN PIXELS COLOURS SAMPLES"
        names += " ALIGNED CELL SPOT LINESHAPE GUESSES BESIDE FIRSTCELL UNLIKE"
        self.v = dict.fromkeys(names.split(), 0)
        self.rows = Rows()
        self.line_start = self.line_before = 0

    def update(self, data, s, origin):
        """Take in the last byte of `data`; the byte to come is one of stretch `s`, whose places count from `origin`."""
        v, pos, c = self.v, len(data), data[-1]
        v["LAST8"] = (v["LAST8"] << 8 | c) & M64
        lower = 97 <= c <= 122 or c >= 128
        upper = 65 <= c <= 90
        fixed = {32: 4, 10: 5, 0: 6}
        kind = 1 if lower else 2 if upper else 3 if 48 <= c <= 57 else fixed.get(c, 8 + (c & 7))
        v["SHAPE"] = (v["SHAPE"] << 4 | kind) & M64
        if lower or upper:
            v["WORD"] = (v["WORD"] + c + 32 * upper) * K5 & M64
        elif v["WORD"]:
            v["WORD2"], v["WORD1"], v["WORD"] = v["WORD1"], v["WORD"], 0
            v["WORDS"] = (v["WORD1"] + v["WORD2"] * K2) & M64

        if c == 10:
            self.line_before, self.line_start = self.line_start, pos
        column = pos - self.line_start
        above = self.line_before + column
        v["LINE"] = min(column, 255)
        v["LINE"] |= data[above] << 8 if above < self.line_start else 0
        v["LINE"] |= data[self.line_start] << 16 if column else 0

        if s.type == IMAGE:
            self._rows(data, s.period)
            v["PIXELS"], v["COLOURS"], v["COLUMN"] = pixels(data, pos, 0, origin, s.stride, s.period)
        elif s.type == AUDIO:
            self._rows(data, s.stride)
            v["SAMPLES"], v["COLUMN"] = samples(data, pos, 0, origin, s.stride, s.width, s.big)
        elif s.type in (ROWS, TABLE):
            self.rows.update(v, data, s.mode)
        elif s.period:
            self._rows(data, s.period)
            v["COLUMN"] = (pos - origin) % s.period

    def _rows(self, data, r):
        pos, above = len(data), 0
        for shift, distance in ((0, r), (8, 2 * r), (16, r - 1), (24, r + 1), (32, 3 * r)):
            if distance and max(distance, r) <= pos:
                above |= data[pos - distance] << shift
        self.v["ABOVE"] = above


# ---- the model


class Mixing:
    """What one type of bytes has for itself: the maps of its contexts and of the match model, and its weights."""

    def __init__(self, mixture: Mixture, slots: Slots):
        n = len(mixture.contexts)
        numbered = zip(mixture.numbers, mixture.contexts, strict=True)
        self.histories = [History(number, context, slots) for number, context in numbered]
        self.match_map = AdaptiveMap(match_priors(), 1022)
        self.least, self.choices = mixture.least, mixture.sets
        cells = AdaptiveMap([(3 << 20, 2)] * 3072, 1022)
        self.guesses = [Guess(cells) for _ in range(mixture.guesses)]
        self.width = min(mixture.inputs, (2 * n + 6 + mixture.guesses + 15) // 16 * 16)
        self.doubled = min(n, self.width - n - 6 - mixture.guesses)
        start = [0] * self.width
        behind = n + self.doubled
        for k in (*range(n), behind, *range(behind + 3, behind + 6 + mixture.guesses)):
            start[k] = 12000
        rows = {"PARTIAL": 256, "MATCH": 72 * (n + 1)}
        counts = (rows.get(c.name, (c.mask + 1) * (8 if c.by_bit else 1)) for c in self.choices)
        self.sets = [WeightSet(count, start, *mixture.rates[:2]) for count in counts]
        self.final = FinalMixer(len(self.sets), mixture.rates[2])


class Predictor:
    """The whole model of one block: `size` bytes are read and coded. Begins with text."""

    def __init__(self, preset: int, bits: int, size: int):
        self.slots = Slots(bits)
        self.match = Match(min(22, max(10, (size - 1).bit_length())))
        counter_bits = min(18, max(8, size.bit_length() - 1))
        cells = AdaptiveMap([(1 << 21, 0)] * (16 << counter_bits), 255)
        self.counters = [Counter(k, counter_bits, cells) for k in (1, 2, 3)]
        self.sses = [Sse() for _ in range(4)]
        self.sources = Sources()
        self.mixings = [Mixing(mixture, self.slots) for mixture in mixtures(preset)]
        self.data: list[int] = []
        self.partial, self.bit = 1, 0
        self.begin(Stretch(TEXT, 0))

    def begin(self, stretch):
        """Expect bytes of `stretch` from here on."""
        self.now = self.mixings[stretch.type]
        self.stretch, self.origin = stretch, len(self.data) - stretch.phase

    def p(self) -> int:
        """Return the probability that the next bit is one, in 16 bits."""
        self.one = self._p()
        return self.one

    def _p(self) -> int:
        v, histories = self.sources.v, self.now.histories
        if self.bit == 0:
            if self.data:
                self.sources.update(self.data, self.stretch, self.origin)
            self.match.begin_byte(self.data, self.now.least)
            rows = self.sources.rows
            for guess, byte, cell in zip(self.now.guesses, rows.bytes, rows.cells, strict=False):
                guess.begin_byte(byte, cell)
        if self.bit in (0, 4):
            for history in histories:
                history.begin_byte(v) if self.bit == 0 else history.begin_second_nibble(self.partial)
            self.seen = sum(history.seen for history in histories)
            for counter in self.counters:
                counter.begin_nibble(v["LAST8"], self.partial)

        pairs = [history.predict() for history in histories]
        inputs = [first for first, _ in pairs] + [second for _, second in pairs[: self.now.doubled]]
        inputs += [*self.match.predict(self.now.match_map, self.partial, self.bit), 256]
        inputs += [counter.predict() for counter in self.counters]
        inputs += [guess.predict(self.partial, self.bit) for guess in self.now.guesses]
        inputs += [0] * (self.now.width - len(inputs))
        sets = zip(self.now.choices, self.now.sets, strict=True)
        dots = [weights.set(self._row(choice), inputs) for choice, weights in sets]
        mixed = self.now.final.set(self.partial, dots)

        last = v["LAST8"] & 255
        by_partial, by_last, by_expected, by_pair = self.sses
        q0 = by_partial.p(self.partial, mixed)
        q1 = by_last.p(last << 8 | self.partial, mixed)
        if self.match.guess < 0:
            pair = ((v["LAST8"] & 65535) * K1 & M64) >> 48
            q2 = by_pair.p((pair ^ self.partial * 40501) & 4095, mixed)
        else:
            q2 = by_expected.p((self.match.expected & 255) << 8 | self.partial, mixed)
        self.used = [by_partial, by_last, by_pair if self.match.guess < 0 else by_expected]
        return max(1, min(65535, 2 * squash(mixed) + q0 + 2 * q1 + 3 * q2 + 4 >> 3))

    def _row(self, choice: Source) -> int:
        if choice.name == "PARTIAL":
            return self.partial
        if choice.name == "MATCH":
            return self.seen * 72 + (8 + 8 * (self.match.grade >> 2) if self.match.guess >= 0 else 0) + self.bit
        return choice.of(self.sources.v) * 8 + self.bit if choice.by_bit else choice.of(self.sources.v)

    def update(self, bit: int) -> None:
        now = self.now
        for history in now.histories:
            history.step(bit)
        if (65536 - self.one if bit else self.one) > 32:
            for part in (now.final, *now.sets, *now.histories, *self.counters, self.match, *now.guesses, *self.used):
                part.update(bit)
        for counter in self.counters:
            counter.step(bit)
        self.partial, self.bit = self.partial << 1 | bit, self.bit + 1
        if self.bit == 8:
            self.data.append(self.partial & 255)
            self.partial, self.bit = 1, 0

    def read(self, text) -> None:
        """Learn from a primer."""
        for byte in text:
            for k in range(7, -1, -1):
                self.p()
                self.update(byte >> k & 1)


def encode(block: bytes, stretches, predictor: Predictor) -> bytes:
    """Return what the arithmetic coder writes for `block`."""
    coder, at = BinaryCoder(), 0
    for stretch in stretches:
        predictor.begin(stretch)
        for byte in block[at : at + stretch.length]:
            for k in range(7, -1, -1):
                predictor.update(coder.code(predictor.p(), byte >> k & 1))
        at += stretch.length
    return coder.end()


def encode_beside(block: bytes, stretches, predictor: Predictor, text: bytes, heads) -> bytes:
    """As `encode`, beside known bytes: `text` before all, and (place, bytes) before what stands there in the block."""
    coder, at, heads = BinaryCoder(), 0, dict(heads)
    predictor.match.recovers = bool(text or heads)
    predictor.begin(max(stretches, key=lambda stretch: stretch.length))
    predictor.read(text)
    for stretch in stretches:
        predictor.begin(stretch)
        for byte in block[at : at + stretch.length]:
            predictor.read(heads.get(at, b""))
            for k in range(7, -1, -1):
                predictor.update(coder.code(predictor.p(), byte >> k & 1))
            at += 1
    return coder.end()


def decode(coded: bytes, stretches, predictor: Predictor) -> bytes:
    """Return the block that `coded` stands for."""
    coder, begin = BinaryCoder(coded), len(predictor.data)
    for stretch in stretches:
        predictor.begin(stretch)
        for _ in range(8 * stretch.length):
            predictor.update(coder.code(predictor.p()))
    return bytes(predictor.data[begin:])


def read_head(payload: bytes, size: int, primer: int):
    """Return the stretches of an intact block, the number of its primer (0 for none), and the coded bits."""
    stretches, rest = unpack(payload, size)
    if primer and any(stretch.type in (TEXT, ROWS, TABLE) for stretch in stretches):
        return stretches, rest[0], rest[1:]
    return stretches, 0, rest
