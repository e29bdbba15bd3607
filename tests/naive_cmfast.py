"""The `cmfast` engine in plain Python: what docs/reference/CMFAST.md says, as short as it can be said, and as slow.

A `Model` is what all streams share; a `Stream` is one part of the block on its way. Tests hold the kernel to this
module bit for bit. Only the constant tables are shared with the kernel; they have tests of their own.
"""

from __future__ import annotations

from nzip.models.cm import tables

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
K1, K3, K5 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x2545F4914F6CDD1D
TOP = tables.STRETCH_MAX
PART = {False: 1 << 13, True: 1 << 16}  # bytes of a stream before the streams meet again: text, binary


def clamp(value, low, high):
    return max(low, min(high, value))


def stretch(p22):
    return tables.stretch_values()[p22 >> 10]


def squash(x):
    return tables.squash_values()[x + TOP]


def adapt(cell, bit):
    """Move a cell [probability of 22 bits, count] towards a bit."""
    cell[0] += (((1 << 22) - 1 if bit else 0) - cell[0]) * tables.rates()[cell[1]] >> 16
    cell[1] += cell[1] < 1022


class Model:
    """Tables that all streams share; `data` holds the primer and the block, None where a byte is not known yet."""

    def __init__(self, bits, binary, record, match_bits, size):
        self.bits, self.binary, self.record, self.match_bits = bits, binary, record, match_bits
        self.least, self.part = 6 if binary else 8, PART[binary]
        self.buckets: dict[object, list[int]] = {}
        self.maps = [[[entry >> 10, entry & 1023] for entry in tables.state_priors()] for _ in range(5)]
        self.match_map = [[entry >> 10, entry & 1023] for entry in tables.match_priors()[::4]]
        self.table = [0] * (1 << match_bits)
        self.weights = [[22000] * 6 + [0, 0] for _ in range(192)]
        self.apm: dict[tuple[int, int], list[int]] = {}
        self.data: list[int | None] = [None] * size
        self.last8 = self.word = 0

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
    """One part of the block: data[start:start + size]."""

    def __init__(self, model, start, known_from):
        self.model, self.pos, self.known_from = model, start, known_from
        self.last8, self.word = model.last8, model.word
        self.pointer = self.length = self.candidate = 0
        self.expected = None

    def begin_byte(self, parts):
        """Look for a match; `parts` are the starts of the parts behind the first."""
        m, data, pos = self.model, self.model.data, self.pos
        if self.expected is not None and self.expected == self.last8 & 255:
            self.length, self.pointer = min(self.length + 1, 65535), self.pointer + 1
        else:
            self.length = 0
            if self.candidate:
                self.pointer = self.candidate + 1
                start = max([0] + [part for part in parts if part <= self.pointer])
                known = min(32, self.pointer - start, pos - self.known_from)
                while self.length < known and data[self.pointer - self.length - 1] == data[pos - self.length - 1]:
                    self.length += 1
                if self.length < m.least:
                    self.length = 0
        self.hash = (self.last8 << (64 - 8 * (m.least - 1)) & M64) * K1 % (1 << 64) >> (64 - m.match_bits)
        self.expected = data[self.pointer] if self.length else None
        n = self.length
        self.grade = n if n < 16 else min(15 + (n >> 4), 31)
        self.partial, self.bit = 1, 0
        self._first_nibble()

    def _contexts(self):
        m, c = self.model, self.last8
        if not m.binary:
            return c & 0xFFFF, c & 0xFFFFFF, c & 0xFFFFFFFFFF, (self.word + (c & 255)) & M64
        above = 0
        if m.record and self.pos - self.known_from >= 2 * m.record:
            above = m.data[self.pos - m.record] | m.data[self.pos - 2 * m.record] << 8
        return c & 0xFFFF, c & 0xFFFFFFFF, c & 0xFFFF00, above | (c & 255) << 16

    def _first_nibble(self):
        m = self.model
        self._use_first(m.buckets.setdefault(("direct", self.last8 & 255), [0] * 16))
        self.hashes = []
        for i, context in enumerate(self._contexts(), 1):
            t = (context + i + 1) * K3 & M64
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
        m = self.model
        self.states = [bucket[self.node] for bucket in self.used]
        self.guess = None
        if self.expected is not None:
            if (self.expected | 256) >> (8 - self.bit) == self.partial:
                self.guess = self.expected >> (7 - self.bit) & 1
            else:
                self.expected = None
        self.inputs = [stretch(m.maps[i][state][0]) for i, state in enumerate(self.states)] + [0, 256, 0]
        row = self.seen * 32 + self.bit
        if self.guess is not None:
            p = stretch(m.match_map[self.grade][0])
            self.inputs[5] = p if self.guess else -p
            row += 8 * (1 + (self.grade >> 4))
        self.row = m.weights[row]
        total = sum(x * w >> 8 for x, w in zip(self.inputs, self.row, strict=True))
        dot = clamp(total >> 8, -TOP, TOP)
        self.mixed = squash(dot)
        spot = (dot + TOP + 1) * 5 >> 3
        knot, part = spot >> 8, spot & 255
        start = [entry >> 16 for entry in tables.apm_priors()[:16]]
        self.knots = m.apm.setdefault((self.last8 & 255, self.partial), start)
        refined = self.knots[knot] * (256 - part) + self.knots[knot + 1] * part >> 8
        self.knot = knot + (part >= 128)
        return clamp(self.mixed + 3 * refined + 2 >> 2, 1, 65535)

    def take(self, bit):
        """Note the bit in what only this stream knows; histories and maps learn later."""
        self.was = self.partial
        self.partial = self.partial << 1 | bit
        if self.partial >= 256:
            c = self.partial & 255
            self.model.data[self.pos] = c
            upper = 65 <= c <= 90
            letter = upper or 97 <= c <= 122 or c >= 128
            self.word = (self.word + c + 32 * upper) * K5 & M64 if letter else 0

    def learn(self, bit, turn):
        m = self.model
        for bucket, state in zip(self.used, self.states, strict=True):
            bucket[self.node] = tables.state_table()[state][bit]
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


class Coder:
    """The arithmetic coder; `coded` is None while it encodes."""

    def __init__(self, coded=None):
        self.low, self.high, self.out = 0, M32, bytearray()
        self.coded = None if coded is None else iter(coded)
        if self.coded:
            self.window = 0
            for _ in range(4):
                self.window = self.window << 8 | next(self.coded, 0)

    def code(self, p, bit):
        middle = self.low + ((self.high - self.low) * p >> 16)
        if self.coded:
            bit = int(self.window <= middle)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            self.out.append(self.high >> 24)
            self.low, self.high = self.low << 8 & M32, (self.high << 8 | 255) & M32
            if self.coded:
                self.window = (self.window << 8 | next(self.coded, 0)) & M32
        return bit

    def end(self):
        for k in range(5):
            rest = (1 << (32 - 8 * k)) - 1
            end = (self.low + rest) & ~rest
            if end <= self.high:
                return bytes(self.out) + (end >> (32 - 8 * k)).to_bytes(k, "big")
        raise AssertionError("four bytes always do")


def _pass(model, begin, size, count, block, coder):
    """Code (or with coder None only learn) `size` bytes in `count` streams; `block` is None while decoding."""
    base, end, turn = begin, begin + size, 0
    while base < end:
        each = min(model.part, (end - base) // count)
        parts = [base + k * each for k in range(count)]
        streams = [Stream(model, start, start if k else 0) for k, start in enumerate(parts)]
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
                    y = block[stream.pos - begin] >> (7 - bit) & 1 if block is not None else 0
                    bits.append(coder.code(p, y) if coder else y)
                for stream, y in zip(streams, bits, strict=True):
                    stream.take(y)
                for stream, y in zip(streams, bits, strict=True):
                    stream.learn(y, turn % 5)
            turn += 1
        base += count * each
        model.last8, model.word = streams[-1].last8, streams[-1].word


def _start(primer, bits, binary, record, match_bits, size):
    model = Model(bits, binary, record, match_bits, len(primer) + size)
    if primer:
        _pass(model, 0, len(primer), 1, primer, None)
    return model


def encode(block, primer, bits, streams, binary, record, match_bits):
    """Return the coded bits of `block`, whose length is a multiple of `streams`."""
    model, coder = _start(primer, bits, binary, record, match_bits, len(block)), Coder()
    _pass(model, len(primer), len(block), streams, block, coder)
    return coder.end()


def decode(coded, size, primer, bits, streams, binary, record, match_bits):
    """Return the block of `size` bytes that `coded` stands for."""
    model, coder = _start(primer, bits, binary, record, match_bits, size), Coder(coded)
    _pass(model, len(primer), size, streams, None, coder)
    return bytes(model.data[len(primer) :])
