"""The engine `cmfast` in plain Python: what docs/reference/CMFAST.md says, as short as it can be said, and as slow.

A `Model` is what all streams share, an `Own` what the stretches of one type have for themselves; a `Stream` is one part
of the block on its way. Tests hold the kernel to this module bit for bit. Nothing is shared with it: the contexts are
read from the page.
"""

from __future__ import annotations

import pickle
from functools import lru_cache

from naive import BinaryCoder
from naive_cm import (
    K1,
    K3,
    K5,
    M64,
    TOP,
    knots,
    match_priors,
    rate_of,
    source,
    squash,
    state_priors,
    state_table,
    stretch,
    table,
)  # fmt: skip
from naive_segments import AUDIO, BINARY, BITMAP, IMAGE, TEXT, Stretch, pack, pixels, samples, unpack

TYPES = {TEXT: "text", BINARY: "binary", BITMAP: "binary", IMAGE: "image", AUDIO: "audio"}
PRIMER = 16384  # bytes that the primer is shorter than
PARTS = {"text": 8192}  # bytes of a stream in a round


def clamp(value, low, high):
    return max(low, min(high, value))


def adapt(cell, bit):
    """Move a cell [probability of 22 bits, count] towards a bit."""
    cell[0] += (((1 << 22) - 1 if bit else 0) - cell[0]) * rate_of(cell[1]) >> 16
    cell[1] += cell[1] < 1022


@lru_cache(maxsize=1)
def contexts():
    """Return (a, b, shift) of the four hashed contexts of each type."""
    found: dict[str, list] = {}
    for kind, number, a, b, shift in table("type", "i", "a", "b", "shift", page="CMFAST.md"):
        found.setdefault(kind, []).append((source(a), source(b), int(shift)))
        assert len(found[kind]) == int(number)
    return found


class Own:
    """Maps and weights of one type."""

    def __init__(self, kind):
        self.contexts, self.least, self.part = contexts()[kind], 8 if kind == "text" else 6, PARTS.get(kind, 65536)
        self.maps = [[list(cell) for cell in state_priors()] for _ in range(5)]
        self.match_map = [list(cell) for cell in match_priors()[::4]]
        self.weights = [[22000] * 6 + [0, 0] for _ in range(192)]


class Model:
    """What all stretches and streams share; `data` is what was read, then the block: None where nothing is known."""

    def __init__(self, bits, match_bits):
        self.bits, self.match_bits = bits, match_bits
        self.buckets: dict[object, list[int]] = {}
        self.table = [0] * (1 << match_bits)
        self.knots: dict[tuple[int, int], list[int]] = {}
        self.own: dict[str, Own] = {}
        self.data: list[int | None] = []
        self.last8 = self.word = 0

    def of(self, kind):
        """Return maps and weights for a type of bytes."""
        if TYPES[kind] not in self.own:
            self.own[TYPES[kind]] = Own(TYPES[kind])
        return self.own[TYPES[kind]]

    def find(self, index, check):
        """Return the bucket for a nibble: one of two neighbours, else the less used of them, emptied."""
        near = [self.buckets.setdefault(k, [0] * 16) for k in (index, index ^ 1)]
        for bucket in near:
            if bucket[0] == check:
                return bucket
        least = min(near, key=lambda bucket: bucket[1])
        least[:] = [check] + [0] * 15  # in place: the other stream may be using it, and then they share it
        return least


class Stream:
    """One part of a stretch, from `start` on; of the bytes before `known_from` it knows nothing."""

    def __init__(self, model, shape, origin, start, known_from):
        self.model, self.own, self.shape, self.origin = model, model.of(shape.type), shape, origin
        self.pos, self.known_from = start, known_from
        self.last8, self.word = model.last8, model.word
        self.pointer = self.length = self.candidate = 0
        self.misses = None  # with known bytes: how often matches failed of late
        self.expected = None

    def begin_byte(self, parts):
        """Look for a match; `parts` are the starts of the parts behind the first."""
        m, data, pos, least = self.model, self.model.data, self.pos, self.own.least
        if self.expected is not None and self.expected == self.last8 & 255:
            self.length, self.pointer = min(self.length + 1, 65535), self.pointer + 1
            if self.misses:
                self.misses -= 1
        else:
            before, self.length = (self.pointer, self.length), 0
            if self.candidate:
                self.pointer = self.candidate + 1
                start = max([0] + [part for part in parts if part <= self.pointer])
                known = min(32, self.pointer - start, pos - self.known_from)
                while self.length < known and data[self.pointer - self.length - 1] == data[pos - self.length - 1]:
                    self.length += 1
                if self.length < least:
                    self.length = 0
            if self.misses is not None and before[1] and self.length < 16:
                self.misses += 4
                if self.misses < 24:
                    self.pointer, self.length = before[0] + 1, 1
                else:
                    self.misses = 0
        self.hash = (self.last8 << (64 - 8 * (least - 1)) & M64) * K1 % (1 << 64) >> (64 - m.match_bits)
        self.expected = data[self.pointer] if self.length else None
        n = self.length
        self.grade = n if n < 16 else min(15 + (n >> 4), 31)
        self.partial, self.bit = 1, 0
        self._first_nibble()

    def _sources(self):
        """Return what contexts are made of, by name."""
        v = {"NONE": 0, "LAST8": self.last8, "WORD": self.word, "ABOVE": 0}
        data, pos, start, shape = self.model.data, self.pos, self.known_from, self.shape
        if shape.type == IMAGE:
            v["PIXELS"], v["COLOURS"], v["COLUMN"] = pixels(data, pos, start, self.origin, shape.stride, shape.period)
        elif shape.type == AUDIO:
            v["SAMPLES"], v["COLUMN"] = samples(data, pos, start, self.origin, shape.stride, shape.width, shape.big)
        elif shape.period and pos - start >= 2 * shape.period:
            v["ABOVE"] = data[pos - shape.period] | data[pos - 2 * shape.period] << 8
        return v

    def _first_nibble(self):
        m, v = self.model, self._sources()
        self._use_first(m.buckets.setdefault(("direct", self.last8 & 255), [0] * 16))
        self.hashes = []
        for i, (a, b, shift) in enumerate(self.own.contexts, 1):
            t = (a.of(v) + (b.of(v) << shift) + i + 1) * K3 & M64
            t = (t ^ t >> 32) * K1 & M64
            self.hashes.append(t)
            self._use(m.find(t >> (64 - m.bits), t >> 16 & 255))

    def second_nibble(self):
        m = self.model
        self._use_first(m.buckets.setdefault(("direct", self.last8 & 255, self.partial), [0] * 16))
        for t in self.hashes:
            u = (t ^ self.partial * K1 & M64) * K3 & M64
            self._use(m.find((t >> (64 - m.bits) ^ 4) ^ u >> 62, u >> 40 & 255))

    def _use_first(self, bucket):
        self.used, self.seen, self.node = [], 0, 1
        self._use(bucket)

    def _use(self, bucket):
        self.used.append(bucket)
        self.seen += bucket[1] > 0  # as it is now: a later context may take the bucket for itself

    def predict(self):
        """Return the 16-bit probability of a one."""
        m = self.own
        self.states = [bucket[self.node] for bucket in self.used]
        self.guess = None
        if self.expected is not None:
            if (self.expected | 256) >> (8 - self.bit) == self.partial:
                self.guess = self.expected >> (7 - self.bit) & 1
            else:
                self.expected = None
        self.inputs = [stretch(m.maps[i][state][0] >> 10) for i, state in enumerate(self.states)] + [0, 256, 0]
        row = self.seen * 32 + self.bit
        if self.guess is not None:
            p = stretch(m.match_map[self.grade][0] >> 10)
            self.inputs[5] = p if self.guess else -p
            row += 8 * (1 + (self.grade >> 4))
        self.row = m.weights[row]
        total = sum(x * w >> 8 for x, w in zip(self.inputs, self.row, strict=True))
        dot = clamp(total >> 8, -TOP, TOP)
        self.mixed = squash(dot)
        spot = (dot + TOP + 1) * 5 >> 3
        knot, part = spot >> 8, spot & 255
        start = [p >> 6 for p, _ in knots()]
        self.knots = self.model.knots.setdefault((self.last8 & 255, self.partial), start)
        refined = self.knots[knot] * (256 - part) + self.knots[knot + 1] * part >> 8
        self.knot = knot + (part >= 128)
        return clamp(self.mixed + 3 * refined + 2 >> 2, 1, 65535)

    def take(self, bit):
        """Note the bit in what only this stream knows; histories and maps learn later."""
        self.partial = self.partial << 1 | bit
        if self.partial >= 256:
            c = self.partial & 255
            self.model.data[self.pos] = c
            upper = 65 <= c <= 90
            letter = upper or 97 <= c <= 122 or c >= 128
            self.word = (self.word + c + 32 * upper) * K5 & M64 if letter else 0

    def learn(self, bit, turn):
        m = self.own
        for bucket, state in zip(self.used, self.states, strict=True):
            bucket[self.node] = state_table()[state][bit]
        error = ((bit << 16) - self.mixed) * 180 >> 10
        for k, x in enumerate(self.inputs):
            self.row[k] = clamp(self.row[k] + (x * error + 8192 >> 14), -(1 << 19) + 1, (1 << 19) - 1)
        adapt(m.maps[turn][self.states[turn]], bit)
        if self.guess is not None:
            adapt(m.match_map[self.grade], self.guess == bit)
        self.knots[self.knot] += 65598 * bit - self.knots[self.knot] >> 6
        self.node, self.bit = self.node << 1 | bit, self.bit + 1
        if self.bit == 8:
            self.last8 = (self.last8 << 8 | self.partial & 255) & M64
            self.pos += 1


def _pass(model, shape, origin, size, count, block, coder, recovers=False):
    """Code (or with coder None only learn) `size` bytes of one stretch in `count` streams; without `block`, decode."""
    misses = 0 if recovers else None
    base = first = len(model.data)
    end, turn = base + size, 0
    model.data += [None] * size
    while base < end:
        each = min(model.of(shape.type).part, (end - base) // count)
        parts = [base + k * each for k in range(count)]
        streams = [Stream(model, shape, origin, start, start if k else 0) for k, start in enumerate(parts)]
        streams[0].misses = misses
        for _ in range(each):
            for stream in streams:
                stream.begin_byte(parts[1:])
            for bit in range(8):
                if bit == 4:
                    for stream in streams:
                        stream.candidate = model.table[stream.hash]
                    for stream in streams:
                        model.table[stream.hash] = stream.pos
                    for stream in streams:
                        stream.second_nibble()
                chances = [stream.predict() for stream in streams]
                bits = []
                for stream, p in zip(streams, chances, strict=True):
                    y = 0 if block is None else block[stream.pos - first] >> (7 - bit) & 1
                    bits.append(coder.code(p, y) if coder else y)
                for stream, y in zip(streams, bits, strict=True):
                    stream.take(y)
                for stream, y in zip(streams, bits, strict=True):
                    stream.learn(y, turn % 5)
            turn += 1
        base += count * each
        misses = streams[0].misses
        model.last8, model.word = streams[-1].last8, streams[-1].word


@lru_cache(maxsize=4)
def primed(primer, bits, match_bits):
    model = Model(bits, match_bits)
    if primer:
        _pass(model, Stretch(TEXT, len(primer)), 0, len(primer), 1, primer, None)
    return pickle.dumps(model)


def _model(primer, params, size, stretches):
    """Return the model before the first byte of a block."""
    told = primer if any(s.type == TEXT for s in stretches) else b""
    match_bits = clamp((size + PRIMER).bit_length(), 12, 20)
    return pickle.loads(primed(told, params["bits"], match_bits))


def encode(block, params, stretches, primer):
    """Return the payload of `block` with a given segment map; each stretch is a multiple of the streams long."""
    streams = params["streams"]
    size = len(block) - len(block) % streams
    model, coder, at = _model(primer, params, size, stretches), BinaryCoder(), 0
    for s in stretches:
        _pass(model, s, len(model.data) - s.phase, s.length, streams, block[at : at + s.length], coder)
        at += s.length
    return pack(stretches) + block[size:] + coder.end()


def encode_beside(block, params, stretches, primer, text, heads):
    """As `encode` in one stream, beside known bytes: `text` before all, and (place, bytes) before those there."""
    known = len(text) + sum(len(head) for _, head in heads)
    model, coder, at = _model(primer, params, len(block) + known, stretches), BinaryCoder(), 0
    heads, longest = dict(heads), max(stretches, key=lambda s: s.length)

    def run(data, s, origin, coder):
        if data:
            _pass(model, s, origin, len(data), 1, data, coder, recovers=known > 0)

    run(text, longest, len(model.data) - longest.phase, None)
    for s in stretches:
        origin, end = len(model.data) - s.phase, at + s.length
        while at < end:
            run(heads.get(at, b""), s, origin, None)
            stop = min([end, *(place for place in heads if place > at)])
            run(block[at:stop], s, origin, coder)
            at = stop
    return pack(stretches) + coder.end()


def decode(payload, size, params, primer):
    """Return the block of `size` bytes that `payload` stands for."""
    streams = params["streams"]
    left = size % streams
    stretches, rest = unpack(payload, size - left)
    model, coder = _model(primer, params, size - left, stretches), BinaryCoder(rest[left:])
    begin = len(model.data)
    for s in stretches:
        _pass(model, s, len(model.data) - s.phase, s.length, streams, None, coder)
    return bytes(model.data[begin:]) + rest[:left]
