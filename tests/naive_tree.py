"""The vocabulary tree of engine `lm` in plain Python, from docs/reference/LMTREE.md: slow, and written to be read.

Decisions are found by looking at the sorted tokens, not by the tables that the kernel walks. Tables are dictionaries
that make a first value when asked. Nothing is shared with the package but the constant tables.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

from nzip.models.cm import tables as cm_tables
from nzip.models.lm.network import arithmetic
from nzip.models.lm.tree import adapter as adapt
from nzip.models.lm.tree import coder
from nzip.models.lm.tree import layout as constants
from nzip.models.midicoth import tables as log_tables

M64 = (1 << 64) - 1
K1, K2, K3, K4, K5 = constants.K1, constants.K2, constants.K3, constants.K4, constants.K5
TOP = 4095
ONE = 1 << 22
SQUASH = coder.squash_values()
LOGS = log_tables.log_values()
AFTER = cm_tables.state_table()
RATES = cm_tables.rates()
LIFTS = adapt.lift_values()
FADES = [int(x) for x in arithmetic.exp_table()]


def signed32(x: int) -> int:
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


def clamp(x: int, most: int) -> int:
    return max(-most, min(most, x))


def squash(x: int) -> int:
    return SQUASH[clamp(x, TOP) + TOP]


def log(x: int) -> int:
    digits = x.bit_length()
    f = x >> (digits - 11) if digits > 11 else x << (11 - digits)
    return digits * LOGS[1024] + LOGS[f - 1024]


def stretch(n1: int, n0: int) -> int:
    return clamp((log(n1) - log(n0)) >> 8, TOP)


def mixed64(x: int) -> int:
    t = (x & M64) * K3 & M64
    t = (t ^ (t >> 29)) * K1 & M64
    return t ^ (t >> 32)


def letter(c: int) -> int:
    return c if c >= 128 or 97 <= c <= 122 else c + 32 if 65 <= c <= 90 else 0


def grade(n: int) -> int:
    return n >> 1 if n < 16 else 8 + ((n - 16) >> 2) if n < 32 else min(12 + ((n - 32) >> 5), 15)


class Map(defaultdict[object, list[int]]):
    """Cells of probability (22 bits) and count that start on the identity over the 17 knots of the stretch domain."""

    def __init__(self, count: Callable[[object], int]) -> None:
        super().__init__()
        self.count = count

    def __missing__(self, key: object) -> list[int]:
        row, knot = key  # type: ignore[misc]
        self[key] = [squash(512 * knot - 4096), self.count(row)]
        return self[key]

    def look(self, row: object, x: int) -> tuple[int, object]:
        """Return the probability at x, and the nearer cell."""
        knot, part = divmod(x + 4096, 512)
        p = (self[row, knot][0] * (512 - part) + self[row, knot + 1][0] * part) >> 9
        return p, (row, knot + (part >= 256))

    def learn(self, key: object, one: bool | int, limit: int) -> None:
        p, count = self[key]
        self[key] = [p + (((ONE - 1 if one else 0) - p) * RATES[count] >> 16), count + (count < limit)]


def learn_cell(cell: list[int], y: int) -> None:
    cell[0] += ((ONE - 1 if y else 0) - cell[0]) * RATES[cell[1]] >> 16
    cell[1] += cell[1] < 30


class Bits:
    """The binary coder as one big number: the bits are those of a range coder with 32 bits and carries."""

    def __init__(self, payload: bytes | None) -> None:
        self.low, self.range, self.shifts = 0, (1 << 32) - 1, 0
        self.payload = payload
        if payload is not None:
            self.code = min(int.from_bytes(payload[:4].ljust(4, b"\0"), "big"), (1 << 32) - 2)

    def step(self, y: int, p: int) -> int:
        bound = self.range * p >> 22
        if self.payload is not None:
            y = int(self.code < bound)
            if not y:
                self.code -= bound
        elif not y:
            self.low += bound
        self.range = bound if y else self.range - bound
        while self.range < 1 << 24:
            self.range <<= 8
            self.low <<= 8
            self.shifts += 1
            if self.payload is not None:
                at = 3 + self.shifts
                self.code = self.code << 8 | (self.payload[at] if at < len(self.payload) else 0)
        return y

    def finish(self) -> bytes:
        """The shortest bytes, of `shifts` or one more, that lie in the range when zeros follow."""
        end = 32
        low = (self.low + (1 << end) - 1) >> end
        if low << end < self.low + self.range:
            return low.to_bytes(self.shifts, "big")
        low = (self.low + (1 << 24) - 1) >> 24
        return low.to_bytes(self.shifts + 1, "big")


class Stream:
    def __init__(self, payload: bytes | None) -> None:
        self.bits = Bits(payload)
        self.text = bytearray()
        self.begins = bytearray()
        self.tokens = [0, 0, 0, 0]
        self.last8 = self.word = self.word1 = self.hits = self.escaped = self.column = 0
        self.pointer: list[tuple[int, int]] = [(0, 0)] * 3  # stream, place
        self.length = [0] * 3
        self.missed = [0] * 3

    def read(self, c: int, state: tuple[int, int, int]) -> tuple[int, int, int]:
        last8, word, word1 = state
        if letter(c):
            word = (word + letter(c)) * K5 & M64
        elif word:
            word, word1 = 0, word
        return (last8 << 8 | c) & M64, word, word1


class Adapter:
    """What moves the model's logits: see "Adapter" in docs/reference/LMTREE.md. A is a list of rows by channel of u."""

    def __init__(self, head: list[list[int]], scales: list[float], settings: coder.Settings) -> None:
        self.head, self.s = head, settings
        self.scales = [round(s * (1 << 28)) for s in scales]
        self.width = len(head[0])
        self.seen = 0
        self.mean = [0] * self.width
        self.square = [1 << 34] * self.width
        self.kept: list[tuple[list[int], int]] = []
        self.trust = [[1 << 16, 20] for _ in range(64)]
        self.a = [[0] * self.width for _ in range(self.width)]

    def feature(self, q: list[int]) -> list[int]:
        factor = 1024.0 * math.sqrt(float(self.width) / float(max(sum(x * x for x in q), 1)))
        pace = 65536 // (min(self.seen, 1000) + 20)
        white = []
        for k, x in enumerate(q):
            d = (round(float(x) * factor) << 8) - self.mean[k]
            white.append(clamp(round(float(d) * (256.0 / math.sqrt(float(self.square[k])))), 4095))
            self.mean[k] += d * pace >> 16
            self.square[k] = max(self.square[k] + (d * d - self.square[k] >> 16) * pace, 1 << 16)
        factor = 768.0 / math.sqrt(float(max(sum(x * x for x in white), 1)))
        return [clamp(round(float(x) * factor), 127) for x in white]

    def lift(self, row: list[int], q: list[int], given: list[int]) -> list[int]:
        self.u = self.feature(q)
        z = []
        for j in range(self.width):
            total = sum((self.a[k][j] >> 16) * self.u[k] for k in range(self.width))
            z.append(clamp(signed32(total) >> 10, (1 << 14) - 1))
        least = sum(row) >> 13
        self.picked = [i for i, f in enumerate(row) if f >= least][: 1 << 13]
        out = list(row)
        for i in self.picked:
            dot = signed32(sum(h * x for h, x in zip(self.head[i], z, strict=True)))
            moved = row[i] * LIFTS[clamp(dot * self.scales[i] >> 34, 1536) + 1536] >> 20
            out[i] = max(min(moved, given[i] * 128), 1)
        self.own = out
        return self.recall(out)

    def recall(self, row: list[int]) -> list[int]:
        out, self.mass = list(row), {}
        if not self.kept:
            return out
        scores = [sum(a * b for a, b in zip(key, self.u, strict=True)) for key, _ in self.kept]
        best = max(scores)
        mass: dict[int, int] = defaultdict(int)
        for score, (_, rank) in zip(scores, self.kept, strict=True):
            if (best - score) // self.s.sharp < 4351:
                mass[rank] += FADES[(best - score) // self.s.sharp]
        self.bucket = 4 * max(0, min(best // 36864, 15)) + sum(max(row) << n < sum(row) for n in (1, 2, 3))
        t = self.trust[self.bucket][0]
        share = sum(row) * t // ((1 << 22) - t)
        for rank, m in mass.items():
            self.mass[rank] = share * ((m << 20) // sum(mass.values())) >> 20
            out[rank] += self.mass[rank]
        return out

    def learn(self, mixed: list[int], rank: int) -> None:
        if self.mass:
            t, seen = self.trust[self.bucket]
            right = (self.mass.get(rank, 0) << 22) // mixed[rank]
            self.trust[self.bucket] = [min(t + (right - t) // seen, 1 << 21), min(seen + 1, 400)]
        if self.s.entries:
            self.kept = [*self.kept, (self.u, rank)][-self.s.entries :]
        row = self.own
        total, e = sum(row), [0] * self.width
        for i, g in [(rank, 65536), *((i, -((row[i] << 16) // total)) for i in self.picked)]:
            if abs(g) >= 8:
                w = g * self.scales[i] >> 22
                e = [x + w * h for x, h in zip(e, self.head[i], strict=True)]
        s = self.s
        rate = s.adapt_rate + s.adapt_start * s.adapt_fall // (s.adapt_fall + self.seen)
        e = [clamp(signed32(x) * rate >> 16, 1 << 23) for x in e]
        for k, x in enumerate(self.u):
            self.a[k] = [signed32(old + y * x) for old, y in zip(self.a[k], e, strict=True)]
        self.seen += 1


class NaiveTreeCoder:
    def __init__(
        self,
        vocabulary: list[bytes],
        streams: int,
        settings: coder.Settings,
        capacity: int,
        payloads: list[bytes] | None = None,
        head: tuple[list[list[int]], list[float]] | None = None,
    ) -> None:
        self.adapter = Adapter(*head, settings) if head else None
        self.order = sorted((i for i in range(len(vocabulary)) if vocabulary[i]), key=lambda i: (vocabulary[i], i))
        self.words = [vocabulary[i] for i in self.order]
        self.size = len(self.words)
        self.s = settings
        self.capacity = capacity  # a place in all histories is stream * capacity + byte: it decides nothing but hashes
        self.streams = [Stream(payloads[k] if payloads is not None else None) for k in range(streams)]
        single = {w[0] for w in self.words if len(w) == 1}
        self.escaping = len(single) < 256
        self.escapes = defaultdict(lambda: [1 << 21, 2])
        self.escapes[0] = [1 << 6, 30]
        self.slots: dict[int, tuple[int, int, int, int]] = {}  # correction, proof, check, history
        s = settings
        self.history = Map(lambda row: s.none_count if row[1] == 0 else s.history_count)  # type: ignore[index]
        self.match = Map(lambda row: s.match_count)
        self.refined = Map(lambda row: s.refine_count)
        self.table: dict[tuple[int, int], tuple[int, int]] = {}
        first = [0] * constants.INPUTS
        first[0] = 1 << 16
        for k in (2, 3, 4, *range(6, 46)):
            first[k] = s.share
        self.weights: dict[tuple[int, int], list[int]] = defaultdict(lambda: list(first))
        self.uses: dict[tuple[int, int], int] = defaultdict(int)
        self.final: dict[tuple[int, int], int] = defaultdict(lambda: 65536 // max(1, s.sets.bit_count()))
        self.mult = [1 << 16] * self.size

    # ---- the tree
    def split(self, lo: int, hi: int) -> tuple[int, int, int]:
        """Return border, kind and depth of the first decision between the ranks lo..hi - 1."""
        words = self.words
        d = 0
        while len(words[lo]) > d and len({w[d] for w in (words[lo], words[hi - 1])}) == 1:
            d += 1
        if len(words[lo]) == d:
            ends = [r for r in range(lo, hi) if len(words[r]) == d]
            if len(ends) < hi - lo:
                return ends[-1] + 1, 0, d
            return lo + 1, 9, d
        differ = words[lo][d] ^ words[hi - 1][d]
        bit = 8 - differ.bit_length()
        border = next(r for r in range(lo, hi) if words[r][d] >> (7 - bit) & 1)
        return border, 1 + bit, d

    # ---- one step of one stream
    def token(self, k: int, row: list[int], target: int | None, hidden: list[int] | None = None) -> int:
        """Code the rank `target` (size + byte for an escape), or decode and return one."""
        stream, parts = self.streams[k], self.s.parts
        bits = stream.bits
        rank = -1
        if self.escaping:
            cell = self.escapes[stream.escaped]
            y = bits.step(int(target is not None and target >= self.size), max(cell[0], 1))
            learn_cell(cell, y)
            stream.escaped = y
            if y:
                partial = 1
                for bit in range(8):
                    cell = self.escapes[2 + partial]
                    y = 0 if target is None else (target - self.size) >> (7 - bit) & 1
                    y = bits.step(y, max(cell[0], 1))
                    learn_cell(cell, y)
                    partial = partial << 1 | y
                rank = self.size + partial - 256
        given = row = list(row[: self.size])
        if parts & constants.TOKENS:
            row = [max(1, f * m >> 16) for f, m in zip(row, self.mult, strict=True)]
        if self.adapter and hidden is not None and rank < 0:
            row = self.adapter.lift(row, hidden, given)
        top = row.index(max(row)) if rank < 0 else 0
        if parts & constants.MIX:
            self.before(k, top)
        if rank < 0:
            rank = self.walk(k, row, top, target)
            if self.adapter and hidden is not None:
                self.adapter.learn(row, rank)
            if parts & constants.TOKENS:
                self.learn_token(row, rank)
        self.behind(k, rank, top)
        return rank

    def before(self, k: int, top: int) -> None:
        """Find the matches, and the hashes of the contexts that the token's bytes do not change."""
        stream = self.streams[k]
        t1, t2, t3, t4 = stream.tokens
        h = [0] * 20
        h[1] = mixed64(t1 + 1)
        h[2] = mixed64(h[1] + t2)
        h[3] = mixed64(h[2] + t3)
        h[4] = mixed64(h[3] + t4)
        h[5] = mixed64(t2 + (1 << 32))
        h[6] = mixed64(min(stream.column, 255) + (3 << 32))
        h[7] = mixed64(top + (2 << 32))
        h[8] = mixed64(h[7] + t1)
        h[9] = mixed64(h[8] + t2)
        self.hashes = h
        self.alive = [False] * 3
        self.there = [(0, 0)] * 3
        pos = len(stream.text)
        for m, need in enumerate((24, 12, 6)):
            if pos >= need:
                t = 0
                for c in stream.text[-need:]:
                    t = (t + c + 1) * K5 & M64
                key = m, mixed64(t) >> (64 - self.s.match_bits)
                if stream.length[m] == 0 and key in self.table:
                    other, p = stream.pointer[m] = self.table[key]
                    old, n = self.streams[other].text, 0
                    while n < min(p, pos, 64) and old[p - n - 1] == stream.text[pos - n - 1]:
                        n += 1
                    stream.length[m] = n if n >= need else 0
                self.table[key] = k, pos
            other, p = stream.pointer[m]
            self.alive[m] = stream.length[m] > 0 and p < len(self.streams[other].text)
            self.there[m] = other, p

    def walk(self, k: int, row: list[int], top: int, target: int | None) -> int:
        s, stream, parts = self.s, self.streams[k], self.s.parts
        sums = [0]
        for f in row:
            sums.append(sums[-1] + f)
        total = sums[-1]
        sure = 0
        if row[top] * 10 <= total * 9:
            sure = 1
            while sure < 7 and row[top] << sure < total:
                sure += 1
        state = stream.last8, stream.word, stream.word1
        known = -1
        lo, hi = 0, self.size
        h = getattr(self, "hashes", [0] * 20)
        while hi - lo > 1:
            node, kind, d = self.split(lo, hi)
            model = stretch(sums[hi] - sums[node], sums[node] - sums[lo])
            if not parts & constants.MIX:
                y = stream.bits.step(int(target is not None and target >= node), squash(model))
                lo, hi = (node, hi) if y else (lo, node)
                continue
            word = self.words[node]
            for c in word[max(known, 0) : max(d, 0)] if d != known else b"":
                state = stream.read(c, state)
                for m in range(3):
                    if self.alive[m]:
                        other, p = self.there[m]
                        text = self.streams[other].text
                        self.there[m] = other, p + 1
                        self.alive[m] = text[p] == c and p + 1 < len(text)
            known = d
            last8, now, before = state
            for n in range(6):
                h[10 + n] = mixed64((last8 << (56 - 8 * n) & M64) + n)
            h[16] = mixed64(now + (last8 & 255))
            h[17] = mixed64(now + (before * K2 & M64))
            h[18] = mixed64(last8 & 0xFFFF00)
            h[19] = mixed64((before * K4 & M64) + (last8 & 255))
            partial = 257 if kind == 9 else 0 if kind == 0 else (word[d] | 256) >> (9 - kind)
            class3 = min(kind, 2)

            x = [0] * constants.INPUTS
            x[0], x[1] = model, 256
            used: dict[int, tuple[int, tuple[int, int, int, int], object]] = {}
            seen_tokens = seen_bytes = 0
            for i in range(20):
                if not s.contexts >> i & 1:
                    continue
                key = node if i < 10 else partial + (1 << 20)
                t = mixed64(h[i] ^ ((key + (i << 24)) * K4 & M64))
                place, check = t >> (64 - s.bits), t >> 12 & 255
                entry, beside = self.slots.get(place), self.slots.get(place ^ 1)
                if entry is None or entry[2] != check:
                    if beside is not None and beside[2] == check:
                        place, entry = place ^ 1, beside
                    else:
                        if (beside[3] if beside else 0) < (entry[3] if entry else 0):
                            place ^= 1
                        entry = self.slots[place] = (0, 0, check, 0)
                if entry[3]:
                    if 1 <= i <= 4:
                        seen_tokens = i
                    elif 12 <= i <= 15:
                        seen_bytes = i - 11
                cell: object = None
                if parts & constants.HISTORY:
                    p, cell = self.history.look((i, entry[3]), model)
                    x[6 + i] = stretch(p + 1, ONE - p) - model
                if parts & constants.DELTA:
                    x[26 + i] = entry[0] >> 8
                used[i] = place, entry, cell
            agree = 0
            guesses: dict[int, tuple[int, object]] = {}
            for m in range(3):
                if not (self.alive[m] and parts & constants.MATCH) or kind == 9:
                    continue
                other, p = self.there[m]
                if kind == 0:
                    guess = 1 - self.streams[other].begins[p]
                else:
                    expected = self.streams[other].text[p] | 256
                    if expected >> (9 - kind) != partial:
                        self.alive[m] = False
                        continue
                    guess = expected >> (8 - kind) & 1
                own = model if guess else -model
                g = grade(stream.length[m])
                q, cell = self.match.look((m, g, stream.missed[m], class3), own)
                own = stretch(q + 1, ONE - q) - own
                x[2 + m] = own if guess else -own
                guesses[m] = guess, cell
                if not agree:
                    agree = 1 + (g >> 2) * 2 + ((guess > 0) == (model > 0)) + 8 * m

            certain = abs(model) >> 8
            rows = (
                class3 * 16 + certain,
                agree * 3 + class3,
                (seen_tokens * 5 + seen_bytes) * 3 + class3,
                (sure * 16 + stream.hits) * 2 + (kind == 0),
                min(d, 7) * 10 + kind,
                (last8 & 255) * 3 + class3,
            )
            dots: dict[int, int] = {}
            mix = 0
            for j in range(6):
                if s.sets >> j & 1:
                    w = self.weights[j, rows[j]]
                    dots[j] = clamp(sum(a * b >> 8 for a, b in zip(x, w, strict=True)) >> 8, TOP)
                    mix += dots[j] * self.final[rows[0], j]
            mix = clamp(mix >> 16, TOP)
            p_mix = p1 = squash(mix)
            refined = []
            if parts & constants.REFINE:
                h1 = mixed64(((last8 & 255) << 32) + partial) >> 48
                h2 = mixed64((stream.tokens[0] << 32) + node) >> 48
                total_q = 0
                for where in ((0, node), (1, h1), (2, h2)):
                    q, cell = self.refined.look(where, mix)
                    total_q += q
                    refined.append(cell)
                p1 = (5 * p_mix + total_q + 4) >> 3
            p1 = max(1, min(ONE - 1, p1))

            y = stream.bits.step(int(target is not None and target >= node), p1)

            for place, (c, proof, check, history), cell in used.values():
                if parts & constants.HISTORY:
                    self.history.learn(cell, y, s.limit)
                if parts & constants.DELTA:
                    p = squash(model + (c >> 8))
                    c = clamp(c + ((y << 22) - p) * 16 // (s.doubt + proof), 8 << 16)
                    proof = min(proof + (p * (ONE - p) >> 34), s.proof_max)
                self.slots[place] = c, proof, check, AFTER[history][y]
            for m, (guess, cell) in guesses.items():
                self.match.learn(cell, guess == y, s.limit)
                if guess != y and kind:
                    self.alive[m] = False
            error = ((y << 22) - p_mix) >> 6
            for j, dot in dots.items():
                self.final[rows[0], j] += (dot * error * s.final_rate + (1 << 23)) >> 24
                n = self.uses[j, rows[j]]
                self.uses[j, rows[j]] += 1
                pace = s.rate + s.rate_start * s.rate_fall // (s.rate_fall + n)
                e = (((y << 22) - squash(dot)) >> 6) * pace >> 10
                w = self.weights[j, rows[j]]
                for q in range(constants.INPUTS):
                    w[q] = clamp(w[q] + ((x[q] * e + 0x2000) >> 14), (1 << 19) - 1)
            for cell in refined:
                self.refined.learn(cell, y, s.refine_limit)
            lo, hi = (node, hi) if y else (lo, node)
        return lo

    def learn_token(self, row: list[int], rank: int) -> None:
        total, rate = sum(row), self.s.token_rate
        least = total >> 10
        for i, f in enumerate(row):
            if f >= least:
                self.mult[i] = max(self.mult[i] - (self.mult[i] * ((f << 12) // total) * rate >> 24), 1 << 8)
        self.mult[rank] = min(self.mult[rank] + (self.mult[rank] * rate >> 12), 1 << 23)

    def behind(self, k: int, rank: int, top: int) -> None:
        stream = self.streams[k]
        text = self.words[rank] if rank < self.size else bytes([rank - self.size])
        old = len(stream.text)
        for j, c in enumerate(text):
            if len(stream.text) < self.capacity - 1:
                stream.text.append(c)
                stream.begins.append(j == 0)
            stream.column = 0 if c == 10 else stream.column + 1
            stream.last8, stream.word, stream.word1 = stream.read(c, (stream.last8, stream.word, stream.word1))
        stream.tokens = [rank + 1, *stream.tokens[:3]]
        stream.hits = (stream.hits << 1 | (rank == top)) & 15
        new = stream.text[old:]
        for m in range(3):
            if stream.length[m]:
                other, p = stream.pointer[m]
                if self.streams[other].text[p : p + len(new)] == new:
                    stream.length[m] = min(stream.length[m] + len(new), 400)
                    stream.pointer[m] = other, p + len(new)
                    stream.missed[m] >>= 1
                else:
                    stream.length[m] = 0
                    stream.missed[m] = 3

    def payload(self, k: int) -> bytes:
        return self.streams[k].bits.finish()
