"""The engine `circuit` in plain Python, written from docs/reference/CIRCUIT.md."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import naive_cm as cm
import zstandard
from naive import BinaryCoder
from naive_bundle import Cursor

WHOLE = 65535
WORD = (1 << 64) - 1
K1, K2, K3, K4 = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0xBF58476D1CE4E5B9
COUNTS = (0, 1, 2, 3, 6, 16, 64, 500)


def level(code: int) -> int:
    return (math.isqrt(math.isqrt(1 << (code + 63))) + (1 << 15)) >> 16 if code else 0


def counts(codes: bytes) -> list[int]:
    """A row of counts."""
    values = [level(code) for code in codes]
    if not sum(values):
        return values
    out = [value * WHOLE // sum(values) for value in values]
    out[out.index(max(out))] += WHOLE - sum(out)
    return out


def settle(v: list[int]) -> list[int]:
    shift = sum(v).bit_length() - 15
    return [(x >> min(shift, 31) if shift >= 0 else x << -shift) & 0xFFFFFFFF | 1 for x in v]


def times(v: list[int], w: list[int]) -> list[int]:
    return settle([a * b & 0xFFFFFFFF for a, b in zip(v, w, strict=True)])


class Model:
    """What a file holds."""

    def __init__(self, data: bytes) -> None:
        assert data[:4] == b"\xf5nr\1"
        cursor = Cursor(data)
        cursor.at = 20
        self.n, self.line, self.m, self.bits, length = (cursor.uleb() for _ in range(5))
        self.head = data[cursor.at : cursor.at + length]
        numbers = data[20 : cursor.at + length]
        plain = zstandard.ZstdDecompressor().decompress(data[cursor.at + length :], max_output_size=1 << 28)
        assert hashlib.blake2b(numbers + plain, digest_size=16).digest() == data[4:20]
        self.plain, self.at = plain, 0
        n, m = self.n, self.m
        self.places = [int.from_bytes(self.take(2), "little") for _ in range(n)]
        self.parents = [int.from_bytes(self.take(2), "little") for _ in range(n)]
        self.start = counts(self.take(m))
        self.tables = [[counts(self.take(m)) for _ in range(m)] for _ in range(n)]
        self.leaves = [[counts(self.take(256)) for _ in range(m)] for _ in range(n)]
        self.root = next(k for k in range(n) if self.parents[k] == k)
        self.kids = [[j for j in range(n) if self.parents[j] == k and j != k] for k in range(n)]
        if self.bits:
            size = 15 << self.bits
            self.words, self.counts = self.take(size), self.take(size)
            self.weights = [int.from_bytes(self.take(2), "little", signed=True) << 5 for _ in range(1024 * 32)]
            self.uses = [int.from_bytes(self.take(2), "little") for _ in range(1024)]
            self.final = [int.from_bytes(self.take(4), "little") for _ in range(69633)]

    def take(self, size: int) -> bytes:
        self.at += size
        return self.plain[self.at - size : self.at]


class Contexts:
    """What contexts have learned."""

    def __init__(self, model: Model, bits: int) -> None:
        self.model, self.bits = model, bits
        self.cells: dict[int, list[int]] = {}
        self.rows: dict[int, list[int]] = {}
        self.uses: dict[int, int] = {}
        self.sse: dict[int, cm.AdaptiveMap] = {}

    def cell(self, number: int) -> list[int]:
        if number not in self.cells:
            found = [1 << 21, 0]
            if self.model.bits and self.model.counts[number]:
                place = 48 * self.model.words[number] + 24 - 3072
                found = [cm.squash(place) << 6, COUNTS[self.model.counts[number]]]
            self.cells[number] = found
        return self.cells[number]

    def row(self, number: int) -> list[int]:
        if number not in self.rows:
            known = self.model.bits
            first = [21000, 0] + [700] * 15 + [0] * 15
            self.rows[number] = self.model.weights[32 * number : 32 * number + 32] if known else first
            self.uses[number] = self.model.uses[number] if known else 0
        return self.rows[number]

    def map(self, number: int) -> cm.AdaptiveMap:
        if number not in self.sse:
            found = cm.AdaptiveMap(cm.knots(), 1000)
            if self.model.bits:
                for k in range(16):
                    kept = self.model.final[16 * number + k] ^ (found.p[k] << 10 | found.count[k])
                    found.p[k], found.count[k] = kept >> 10, kept & 1023
            self.sse[number] = found
        return self.sse[number]


class Coding:
    """Codes records of a model."""

    def __init__(self, model: Model, apart: int, count: int) -> None:
        self.model, self.apart = model, apart
        self.mixes = apart == 0 or model.bits > 0
        bits = model.bits or max(10, min(18, (count * model.n).bit_length() - 2))
        self.contexts = Contexts(model, bits)
        self.past: list[int] | None = None

    def around(self, k: int, but: int | None = None) -> list[int]:
        v = self.down[k]
        if k in self.seen:
            v = times(v, self.seen[k])
        for kid in self.model.kids[k]:
            if kid != but and kid in self.up:
                v = times(v, self.up[kid])
        return v

    def go(self, here: int, to: int) -> None:
        """Go along the tree."""
        model = self.model
        above = [to]
        while above[-1] != model.root:
            above.append(model.parents[above[-1]])
        while here not in above:
            v = self.seen.get(here, [1] * model.m)
            for kid in model.kids[here]:
                if kid in self.up:
                    v = times(v, self.up[kid])
            v = settle(v)
            rows = model.tables[here]
            self.up[here] = settle([sum(a * b for a, b in zip(v, row, strict=True)) & 0xFFFFFFFF for row in rows])
            here = model.parents[here]
        for k in reversed(above[: above.index(here)]):
            v = self.around(model.parents[k], k)
            columns = zip(*model.tables[k], strict=True)
            self.down[k] = settle([sum(a * b for a, b in zip(v, col, strict=True)) & 0xFFFFFFFF for col in columns])

    def record(self, coder: BinaryCoder, known: list[int] | None) -> list[int]:
        model = self.model
        self.down: dict[int, list[int]] = {model.root: model.start}
        self.seen: dict[int, list[int]] = {}
        self.up: dict[int, list[int]] = {}
        made: list[int] = []
        here = model.root
        for k in range(model.n):
            self.go(here, k)
            here = k
            made.append(self.byte(k, coder, made, known[k] if known else 0))
            self.seen[k] = settle([leaf[made[k]] for leaf in model.leaves[k]])
        self.past = made if self.apart == 0 else None
        return made

    def byte(self, k: int, coder: BinaryCoder, made: list[int], value: int) -> int:
        leaves, v = self.model.leaves[k], self.around(k)
        means = [sum(x * count for x, count in enumerate(leaf)) // WHOLE for leaf in leaves]
        mean = sum(a * b for a, b in zip(v, means, strict=True)) // sum(v)
        spread = sum(a * abs(b - mean) for a, b in zip(v, means, strict=True)) // sum(v)
        hashes = self.hashes(k, made, mean, spread)
        c = 1
        for bit in range(7, -1, -1):

            def share(c: int) -> int:
                shift = 9 - c.bit_length()
                low, high = c << shift & 255, ((c + 1) << shift) - 1 & 255
                return sum(a * sum(leaf[low : high + 1]) for a, leaf in zip(v, leaves, strict=True))

            p = share(c)
            own = max(1, min(65535, (share(2 * c + 1) << 16) // p)) if p else 1 << 15
            if self.mixes:
                c = 2 * c + self.mixed(own, c, hashes, mean, spread, coder, value >> bit & 1)
            else:
                c = 2 * c + coder.code(own, value >> bit & 1)
        return c & 255

    def hashes(self, k: int, made: list[int], mean: int, spread: int) -> list[int]:
        size, line = self.model.n, self.model.line
        y, x = divmod(k, line)
        w = made[k - 1] if x else 0
        ww = made[k - 2] if x > 1 else 0
        n = made[k - line] if y else w
        nn = made[k - 2 * line] if y > 1 else n
        nw = made[k - line - 1] if x and y else n
        ne = made[k - line + 1] if y and x < line - 1 else n
        across = made[y * line + line - 1 - x] if 2 * x > line - 1 else mean
        over = made[size - (y + 1) * line + x] if (2 * y + 1) * line > size else mean
        past = self.past[k] if self.past else 256
        slope = max(0, min(255, w + n - nw))
        pairs: list[tuple[Any, Any]] = [
            (mean, spread // 4), (k, mean // 8), (w, mean // 4), (n, mean // 4), (w, n),
            (slope, 16 * abs(w - n).bit_length() | mean // 16),
            (64 * (w // 4) + n // 4, 64 * (nw // 4) + ne // 4), (256 * w + ww, mean // 32), (256 * n + nn, mean // 32),
            (64 * ne | n // 4, mean // 8), ((w + n) // 2, mean // 4), (past, mean // 8),
            (w << 24 | n << 16 | nw << 8 | ne, mean // 64), (across, mean // 8), (over, mean // 8),
        ]  # fmt: skip
        out = []
        for m, (a, b) in enumerate(pairs):
            t = ((a * K1 & WORD ^ (b + 1) * K2 & WORD) + m & WORD) * K3 & WORD
            out.append(t ^ t >> 29)
        return out

    def mixed(self, own: int, c: int, hashes: list[int], mean: int, spread: int, coder: BinaryCoder, bit: int) -> int:
        contexts = self.contexts
        numbers = [
            (m << contexts.bits) + (((t + c * K1 & WORD) * K4 & WORD) >> (64 - contexts.bits))
            for m, t in enumerate(hashes)
        ]
        cells = [contexts.cell(number) for number in numbers]
        s = cm.stretches_of(16)[own]
        inputs = [s, 256] + [cm.stretch(p >> 10) * (256 * n // (n + 4)) >> 8 for p, n in cells]
        known = c.bit_length() - 1
        quiet = min(spread // 4, 15)
        rows = [c, 256 + min(abs(s) >> 7, 15) + 16 * (s > 0) + 32 * quiet, 768 + mean // 8 + 32 * known]
        weights = [contexts.row(row) for row in rows]
        total = sum(value * weight >> 8 for row in weights for value, weight in zip(inputs, row, strict=False))
        mixed = cm.clamp(total >> 8, 3071)
        z = (mixed + 3072) * 5 >> 3
        knot, part = z >> 8, z & 255
        maps = [contexts.map(c), contexts.map(256 + 128 * (mean // 8) + 8 * quiet + known)]
        answers = [sse.p[knot] * (256 - part) + sse.p[knot + 1] * part >> 14 for sse in maps]
        chance = max(1, min(65535, 2 * cm.squash(mixed) + sum(answers) >> 2))
        bit = coder.code(chance, bit)
        if self.apart == 0 and ((1 << 16) - chance if bit else chance) > 8:
            for row, learned in zip(rows, weights, strict=True):
                rate = 40 + 400 * 64 // (64 + contexts.uses[row])
                contexts.uses[row] = min(65535, contexts.uses[row] + 1)
                error = ((bit << 16) - cm.squash(mixed)) * rate >> 10
                for i, value in enumerate(inputs):
                    learned[i] = cm.clamp(learned[i] + (value * error + 8192 >> 14), (1 << 19) - 1)
            for cell in cells:
                cell[0] += (bit * ((1 << 22) - 1) - cell[0]) * cm.rate_of(cell[1]) >> 16
                cell[1] += cell[1] < 500
            for sse in maps:
                sse.update(knot + (part >= 128), bit)
        return bit


def encode(block: bytes, payload: bytes, file: bytes, apart: int) -> bytes:
    """Code a block, with what `payload` says of where its records are, by the model of a file."""
    model = Model(file)
    cursor = Cursor(payload)
    length = cursor.uleb()
    head = payload[cursor.at : cursor.at + length - 1] if length else model.head
    cursor.at += max(0, length - 1)
    tail = cursor.uleb()
    cursor.at += tail
    out = payload[: cursor.at]
    body = block[len(head) : len(block) - tail]
    records = [body[at : at + model.n] for at in range(0, len(body), model.n)]
    coding = Coding(model, apart, len(records))
    parts = []
    coder = BinaryCoder()
    for record in records:
        coding.record(coder, [record[place] for place in model.places])
        if apart == 2:
            parts.append(coder.end())
            coder = BinaryCoder()
    if apart != 2:
        return out + coder.end()
    return out + b"".join(_uleb(len(part)) for part in parts) + b"".join(parts)


def _uleb(value: int) -> bytes:
    return bytes((value,)) if value < 128 else bytes((value & 127 | 128,)) + _uleb(value >> 7)
