"""The `midicoth` engine in plain Python: what docs/reference/MIDICOTH.md says, as short as it can be said, and as slow.

A predictor is asked for `p()`, the 16-bit probability of a one, and then told the bit. Tests hold the kernel to this
module bit for bit. Nothing is shared with it.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

from naive import BinaryCoder
from naive_cm import TOP, squash

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
K1, K2, K3, K4, K5 = (
    0x9E3779B97F4A7C15,
    0xD6E8FEB86659FD93,
    0xC2B2AE3D27D4EB4F,
    0xBF58476D1CE4E5B9,
    0x2545F4914F6CDD1D,
)
BORDERS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 33, 50, 80, 140)  # of levels
with localcontext() as exact:
    exact.prec = 40
    LOGS = [round(65536 * (1 + Decimal(f) / 1024).ln()) for f in range(1024)]


def clamp(value, bound):
    return max(-bound, min(bound, value))


def log(x):
    digits = x.bit_length()
    return 45426 * digits + LOGS[(x << 11 >> digits) - 1024]


def odds(one, zero):
    """Return ln(one / zero) in the stretch domain."""
    return clamp((log(one) - log(zero)) >> 8, TOP)


def level(n):
    return sum(n >= border for border in BORDERS)


# What cells start with: a probability and a count.


def escape_priors():
    for wide, d in enumerate((1, 2, 3, 4, 5, 9, 17, 36)):
        for deep in range(16):
            n = (1, *BORDERS)[deep] if wide == 0 else max(1, 3 * d * 2**deep // 16)
            yield from [(2**22 * 2 * d // (n + 2 * d), 4)] * 4


def count_priors():
    middles = (0, 1, 2, 3, 4, 5, 6, 8, 11, 14, 19, 27, 41, 64, 109, 159)
    return [(2**22 * (10 * b + 4) // (10 * (a + b) + 8), 2) for a in middles for b in middles]


def match_priors():
    return [(2**22 - 1 - 2**22 // (2 * g + 3), 2) for g in range(32) for _ in range(4)]


class Cells:
    """Adaptive cells: a probability of 22 bits and a count."""

    def __init__(self, priors, limit):
        self.p, self.n = map(list, zip(*priors, strict=True))
        self.limit = limit

    def stretch(self, k):
        return odds(self.p[k] + 1, (1 << 22) - self.p[k])

    def update(self, k, bit):
        self.p[k] += (((1 << 22) - 1 if bit else 0) - self.p[k]) * (2**17 // (2 * self.n[k] + 3)) >> 16
        self.n[k] += self.n[k] < self.limit


class Pool:
    """Knows whether there is room for longer lists; which room it is has no influence."""

    def __init__(self, units):
        self.units, self.top, self.free = units, 0, [0] * 5

    def take(self, size):
        if self.free[size]:
            self.free[size] -= 1
        elif self.top + (1 << size) <= self.units:
            self.top += 1 << size
        else:
            return False
        return True


class Slot:
    """A context's symbols: a list of [symbol, count]."""

    def __init__(self, pool):
        self.check, self.entries, self.size, self.pool = 0, [], -1, pool

    def worth(self):
        n = len(self.entries)
        return (n << 8) + (self.entries[0][1] if 0 < n <= 6 else 0)

    def reset(self, check):
        if self.size >= 0:
            self.pool.free[self.size] += 1
        self.check, self.entries, self.size = check, [], -1

    def count(self, symbol, more):
        e = self.entries
        for k, (s, n) in enumerate(e):
            if s == symbol:
                e[k][1] = n + more
                if k and e[k - 1][1] <= n + more:
                    e[k - 1], e[k] = e[k], e[k - 1]
                if n + more > 250:
                    for entry in e:
                        entry[1] -= entry[1] >> 1
                return
        room = 6 if self.size < 0 else 16 << self.size
        if len(e) == room and self.size < 4 and self.pool.take(self.size + 1):
            if self.size >= 0:
                self.pool.free[self.size] += 1
            self.size += 1
            room = 16 << self.size
        if len(e) == room:
            e.pop()
        e.append([symbol, 2])


class Contexts:
    """Eleven contexts: orders 0..8, the trie's node, the pair's; where they are, and what they hold."""

    def __init__(self, bits, units):
        self.bits, self.pool = bits, Pool(units)
        self.slots: dict[object, Slot] = {}

    def slot(self, key):
        if key not in self.slots:
            self.slots[key] = Slot(self.pool)
        return self.slots[key]

    def look(self, last8, word, word1, gap):
        """Find each context's slot, or None."""
        self.places = []
        self.found = []
        for o in range(11):
            if o < 2:
                place = (o, last8 & 255 if o else 0), 0
                found = self.slot(place[0])
                self.found.append(found if found.entries else None)
            else:
                if o <= 8:
                    t = (last8 << (64 - 8 * o) & M64) * K1 & M64
                elif o == 9:
                    t = word ^ gap * K4 & M64
                else:
                    t = ((word + K5) * K1 ^ word1 * K2 ^ gap * K4) & M64
                t = ((t ^ t >> 29) + o) * K3 & M64
                t = (t ^ t >> 32) * K2 & M64
                place = (t >> (64 - self.bits)) & ~3, t & 0xFFFF
                near = [self.slot(place[0] + k) for k in range(4)]
                self.found.append(next((s for s in near if s.entries and s.check == place[1]), None))
            self.places.append(place)

    def at(self, o):
        """Return the slot of context `o`, made if there is none."""
        if self.found[o] is None:
            place, check = self.places[o]
            if o < 2:
                return self.slot(place)
            least = min((self.slot(place + k) for k in range(4)), key=Slot.worth)
            least.reset(check)
            return least
        return self.found[o]


class Match:
    """Follows the longest context seen before, and expects the byte that came then."""

    LENGTHS = (16, 12, 8, 6, 4)

    def __init__(self, size):
        self.bits = max(10, min(20, (size - 1).bit_length()))
        self.tables: list[dict[int, int]] = [{} for _ in self.LENGTHS]
        self.length = self.pointer = self.missed = 0
        self.cells = Cells(match_priors(), 1022)

    def fail(self):
        self.length, self.missed, self.expected = 0, (self.missed << 1 | 1) & 255, -1

    def begin_byte(self, data, last8, last16):
        pos = len(data)
        if self.length and data[self.pointer] == data[-1]:
            self.length, self.pointer = min(self.length + 1, 65535), self.pointer + 1
            self.missed = self.missed << 1 & 255
        elif self.length:
            self.fail()
        for least, table in zip(self.LENGTHS, self.tables, strict=True):
            if pos < least:
                continue
            t = (last8 << (64 - 8 * min(least, 8)) & M64) * K1 & M64
            if least > 8:
                t ^= (last16 << (128 - 8 * least) & M64) * K3 & M64
            h = ((t ^ t >> 32) * K2 & M64) >> (64 - self.bits)
            if not self.length:
                self.pointer = table.get(h, 0)
                n = 0
                while n < 400 and self.pointer > n and data[self.pointer - n - 1] == data[pos - n - 1]:
                    n += 1
                self.length = n if n >= least else 0
            table[h] = pos
        n = self.length
        self.expected = data[self.pointer] if n else -1
        self.grade = n if n < 16 else 16 + (n - 16 >> 2) if n < 32 else min(20 + (n - 32 >> 5), 31)

    def predict(self, partial, bit):
        self.guess = -1
        if self.expected < 0:
            return 0
        if (self.expected | 256) >> (8 - bit) != partial:
            self.fail()
            return 0
        self.guess = self.expected >> (7 - bit) & 1
        trust = 2 + (self.missed & 1) if self.missed & 15 else 1 if self.missed else 0
        self.cell = self.grade * 4 + trust
        x = self.cells.stretch(self.cell)
        return x if self.guess else -x


class Ppm:
    """Orders 4 to 0: shares out a mass among the symbols."""

    def __init__(self):
        self.see = Cells([*escape_priors()] * 5, 255)

    def begin_byte(self, contexts):
        self.masses: dict[int, int] = {}
        self.cells: dict[int, int] = {}
        self.order, self.confidence = -1, 0
        left = 1 << 40
        for o in (4, 3, 2, 1, 0):
            slot = contexts.found[o]
            fresh = {s: n for s, n in slot.entries if s not in self.masses} if slot else {}
            if not fresh:
                continue
            d, n = len(fresh), sum(fresh.values())
            if self.order < 0:
                self.order, self.confidence = o, n
            wide = d - 1 if d <= 4 else 4 + (d >= 7) + (d >= 12) + (d >= 24)
            deep = level(n) if d == 1 else min((4 * n // d).bit_length(), 15)
            flags = (len(self.masses) > 0) + 2 * (len(slot.entries) - d > d)
            self.cells[o] = ((o * 8 + wide) * 16 + deep) * 4 + flags
            escaped = (left >> 22) * self.see.p[self.cells[o]]
            scale = (left - escaped) // n
            self.masses |= {s: m * scale for s, m in fresh.items()}
            left = escaped
        self.even = (left >> 8) + 65536
        most = max(self.masses.values(), default=0)
        self.shape = sum(most > bound for bound in (0xCCCCCCCCC, 0x2666666666, 0x6666666666))

    def split(self, partial, bit):
        """Return the masses to the left and to the right."""
        masses = [0, 0]
        for s, mass in self.masses.items():
            if (s | 256) >> (8 - bit) == partial:
                masses[s >> (7 - bit) & 1] += mass
        return [mass + (self.even << (7 - bit)) for mass in masses]

    def end_byte(self, contexts, symbol):
        for o in (4, 3, 2, 1, 0):
            slot = contexts.found[o]
            knew = slot is not None and any(s == symbol for s, _ in slot.entries)
            if o in self.cells:
                self.see.update(self.cells[o], not knew)
            contexts.at(o).count(symbol, 2)
            if knew:
                break


class Denoiser:
    """Two views of a decision; each corrects it by the mean residual of its cell, shrunk where that is doubtful."""

    def __init__(self):
        self.cells: dict[tuple[int, ...], list[int]] = {}

    def p(self, mixed, blended, views):
        z = mixed + TOP + 1
        knot, part = z >> 9, z & 511
        change = 0
        for i, near in ((0, 512 - part), (1, part)):
            centre = squash(min((knot + i) << 9, 2 * TOP) - TOP)
            neutral = 12 * (centre * (65536 - centre) >> 18) + 1
            for view in views:
                residuals, squares, n = self.cells.get((*view, knot + i), (0, 0, 0))
                trust = min((residuals * residuals >> 10) // (squares + neutral), 256)
                change += ((residuals * ((1 << 24) // (n + 12)) >> 16) * trust >> 8) * near
        self.used = [(*view, knot + (part >= 256)) for view in views]
        self.blended = blended
        return max(1, min(65535, blended + (change >> 18)))

    def update(self, bit):
        error = (bit << 16) - self.blended
        for key in self.used:
            cell = self.cells.setdefault(key, [0, 0, 0])
            cell[:] = cell[0] + error, cell[1] + (error * error >> 18), cell[2] + 1
            if cell[2] == 255:
                cell[:] = cell[0] >> 1, cell[1] >> 1, 127


class Predictor:
    """The whole model of one block."""

    def __init__(self, bits, size):
        self.contexts = Contexts(bits, max(512, (1 << bits) // 8))
        self.ppm, self.match, self.denoiser = Ppm(), Match(size), Denoiser()
        self.maps = Cells(count_priors() * 16, 1022)
        self.weights: dict[tuple[int, ...], list[int]] = {}
        self.data: list[int] = []
        self.last8 = self.last16 = self.word = self.word1 = self.gap = 0
        self.partial, self.bit = 1, 0

    def begin_byte(self):
        self.contexts.look(self.last8, self.word, self.word1, self.gap)
        self.match.begin_byte(self.data, self.last8, self.last16)
        self.ppm.begin_byte(self.contexts)
        found = self.contexts.found
        self.peak = next((o - 4 for o in (8, 7, 6, 5) if found[o]), 0)
        inside = self.word != 0
        self.counted = [
            (self.peak, found[self.peak + 4] if self.peak else None),
            (5 + inside, found[9]),
            (7 + inside, found[10]),
        ]

    def p(self) -> int:
        """Return the probability that the next bit is one, in 16 bits."""
        if self.bit == 0:
            self.begin_byte()
        zeros, ones = self.ppm.split(self.partial, self.bit)
        x = [odds(ones, zeros)]
        self.cells = []
        for number, slot in self.counted:
            n = [0, 0]
            for s, count in slot.entries if slot else ():
                if (s | 256) >> (8 - self.bit) == self.partial:
                    n[s >> (7 - self.bit) & 1] += count
            cell = number * 256 + level(n[0]) * 16 + level(n[1]) if n != [0, 0] else None
            self.cells.append(cell)
            x.append(0 if cell is None else self.maps.stretch(cell))
        x.append(self.match.predict(self.partial, self.bit))
        x.append(256)
        self.x = x
        guess = self.match.guess >= 0
        high, trie, pair = (cell is not None for cell in self.cells)
        self.rows = [
            (0, 1 + (self.match.grade >> 2) if guess else 0, self.peak if high else 0, trie, pair),
            (1, self.partial),
            (2, self.ppm.order, self.bit),
        ]
        self.dots = []
        for row in self.rows:
            weights = self.weights.setdefault(row, [40000, 16000, 16000, 16000, 16000, 0])
            self.dots.append(clamp(sum(a * w >> 8 for a, w in zip(x, weights, strict=True)) >> 8, TOP))
        mixed = sum(self.dots) * 21845 >> 16

        node = self.partial if self.bit < 3 else 8 + 4 * (self.bit - 3) + (self.partial * 2654435761 & M32) // (1 << 30)
        group = (self.ppm.order >= 2) + (self.ppm.order >= 4)
        trusted = min(self.ppm.confidence.bit_length() >> 1, 3)
        form = self.ppm.shape + (4 + 4 * (self.match.length >= 16) if guess else 0)
        views = (node, group, trusted, form), (self.last8 & 255, self.partial)
        return self.denoiser.p(mixed, squash(mixed), views)

    def update(self, bit: int) -> None:
        self.denoiser.update(bit)
        for row, dot in zip(self.rows, self.dots, strict=True):
            error = ((bit << 16) - squash(dot)) * 300 >> 10
            self.weights[row] = [
                clamp(w + (a * error + 8192 >> 14), (1 << 19) - 1)
                for a, w in zip(self.x, self.weights[row], strict=True)
            ]
        if self.match.guess >= 0:
            self.match.cells.update(self.match.cell, bit == self.match.guess)
        for cell in self.cells:
            if cell is not None:
                self.maps.update(cell, bit)
        self.partial, self.bit = self.partial << 1 | bit, self.bit + 1
        if self.bit == 8:
            self.end_byte(self.partial & 255)

    def end_byte(self, c):
        self.ppm.end_byte(self.contexts, c)
        for o in (*range(max(5, self.peak + 4), 9), 9, 10):
            self.contexts.at(o).count(c, 3)
        self.data.append(c)
        self.last16 = (self.last16 << 8 | self.last8 >> 56) & M64
        self.last8 = (self.last8 << 8 | c) & M64
        if 97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c >= 128 or c in b"'-":
            self.word, self.gap = (self.word + c + 32 * (65 <= c <= 90)) * K5 & M64, 0
        else:
            self.word1, self.word = self.word or self.word1, 0
            self.gap = (self.gap + c + 1) * K5 & M64
        self.partial, self.bit = 1, 0


def encode(block: bytes, predictor: Predictor) -> bytes:
    """Return what the arithmetic coder writes for `block`."""
    coder = BinaryCoder()
    for byte in block:
        for k in range(7, -1, -1):
            predictor.update(coder.code(predictor.p(), byte >> k & 1))
    return coder.end()


def decode(coded: bytes, size: int, predictor: Predictor) -> bytes:
    """Return the block of `size` bytes that `coded` stands for."""
    coder = BinaryCoder(coded)
    for _ in range(8 * size):
        predictor.update(coder.code(predictor.p()))
    return bytes(predictor.data)
