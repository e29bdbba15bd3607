"""Rows of the engine `cm` in plain Python: what docs/reference/CM.md says of lines with fields.

`data` is a list of all bytes that were read or coded.
"""

from __future__ import annotations

M64 = (1 << 64) - 1
K1, K2, K3, K5 = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0x2545F4914F6CDD1D
LINES, KEYED = 0, 1
LETTER, DIGIT, SEPARATOR = 1, 2, 3


def h(a, b):
    t = ((a ^ (b * K2 & M64)) + K5) * K3 & M64
    return t ^ t >> 29


def g(a, x):
    return (a + x + 1) * K5 & M64


def kind_of(c):
    if c >= 128 or 97 <= c <= 122 or 65 <= c <= 90:
        return LETTER
    return DIGIT if 48 <= c <= 57 else SEPARATOR


def clock(data, k, end):
    """Return the time of the day at place k of what is known up to `end`; None for none."""
    text = bytes(data[k : k + 8])
    if not 0 < k <= end - 8 or kind_of(data[k - 1]) == DIGIT or text[2:3] not in (b":", b".") or text[2] != text[5]:
        return None
    parts = text.split(text[2:3])
    if any(len(part) != 2 or not part.isdigit() or part[0] > 53 for part in parts):
        return None
    hours, minutes, seconds = map(int, parts)
    t = 3600 * hours + 60 * minutes + seconds
    return t if t < 86400 else None


class Written:
    """A number or a time of the day that may come."""

    def __init__(self):
        self.digits, self.at, self.history = b"", 0, 0

    def write(self, digits, history):
        self.digits, self.at, self.history = digits, 0, history

    def write_number(self, value, entry, history):
        digits = b"%d" % value
        if entry.zero:
            digits = digits.rjust(entry.width, b"0")
        self.write(digits if value >= 0 and len(digits) <= 18 else b"", history)

    def follow(self, c):
        if self.digits[self.at : self.at + 1] == bytes((c,)):
            self.at += 1
        else:
            self.digits, self.at = b"", 0

    @property
    def next(self):
        return self.digits[self.at] if self.at < len(self.digits) else 0

    def cell(self, first):
        return 2 * (8 * self.history + min(self.at, 7)) + (self.next == first)


class Entry:
    """What was noted of the numbers of a place."""

    def __init__(self):
        self.check = self.value = self.step = self.width = self.same = self.one = self.s = self.o = 0
        self.offset = -(1 << 62)
        self.zero = False


class Note:
    def __init__(self):
        self.a = self.back = self.c = 0


class Rows:
    """What is known of rows; `bytes` and `cells` are those of the four guesses."""

    def __init__(self):
        self.full = self.lead = self.lineshape = self.shape = self.shape1 = self.shape2 = self.token = 0
        self.size = self.hex = self.column = self.quoted = self.key = self.since = 0
        self.aligned = self.agree = self.copy = self.count = self.unlike = self.beside = self.firstcell = 0
        self.number = self.width = self.spot = self.stamp = self.time = self.clock = self.clocked = 0
        self.stepped, self.offset = Written(), Written()
        self.clocks = [[0, 0] for _ in range(8)]
        self.ring = [(0, 0)] * 32
        self.entries = [Entry() for _ in range(2048)]
        self.notes = [Note() for _ in range(4096)]
        self.places = [0] * 65536
        self.bytes, self.cells = [0] * 4, [0] * 4

    def update(self, v, data, mode):
        """Take in the last byte of `data`, and renew the sources `v`."""
        pos, c = len(data), data[-1]
        kind = kind_of(c)
        if kind != DIGIT and self.width:
            self._end_number(data, kind)
        self.stepped.follow(c)
        self.offset.follow(c)
        self.copy = self.copy + 1 if self.copy and data[self.copy] == c else 0
        there = data[self.aligned] if self.aligned else -1
        self._compare(c, kind, there)
        self._align(data, c, kind, there)
        if kind != SEPARATOR:
            self._within(c, kind)
        else:
            self._separator(data, c, mode, there)

        first = data[self.aligned] if self.aligned else 0
        second = data[self.aligned + 1] if self.aligned and self.aligned + 1 < pos else 0
        kind1 = kind_of(first) if self.aligned else 0
        if kind != DIGIT and kind1 == DIGIT:
            self._write(data, kind)
        third = data[self.copy] if self.copy else 0
        note = self.notes[self.lead >> 52]
        step, offset, m = self.stepped.next, self.offset.next, min(self.size, 3)
        self.bytes = [
            256 + first if self.aligned else 0, 256 + step if step else 0, 256 + offset if offset else 0,
            256 + third if self.copy else 0,
        ]  # fmt: skip
        self.cells = [
            ((2 * note.a + self.agree) * 4 + kind1) * 4 + m,
            512 + self.stepped.cell(first),
            768 + self.offset.cell(first),
            1024 + 2 * ((4 * note.c + m) * 4 + kind_of(third)) + (third == first),
        ]
        v["ALIGNED"] = first | second << 8 | step << 16
        v["CELL"] = h(self.lead, self.token)
        v["SPOT"] = h(self.lead, self.width if kind == DIGIT else self.shape)
        v["LINESHAPE"] = self.lineshape
        v["BESIDE"], v["FIRSTCELL"], v["UNLIKE"] = self.beside, self.firstcell, self.unlike
        v["GUESSES"] = self.agree + 2 * kind1 + (0 if not step else 8 if step == first else 16) + 32 * bool(offset)
        v["GUESSES"] += 0 if not self.copy else 64 if third == first else 128

    def _end_number(self, data, kind):
        t = clock(data, len(data) - 9, len(data) - 1) if kind == SEPARATOR and self.width == 2 else None
        if self.clock:
            self.clock -= 1
        elif self.width <= 18:
            self._note_number()
        if t is not None:
            pair = self.clocks[self.clocked]
            ahead = (t - self.time) % 86400
            pair[:] = ahead, (2 * pair[1] + (ahead == pair[0])) % 16
            self.time, self.clock, self.clocked = t, 0, min(self.clocked + 1, 7)
        self.width = 0

    def _note_number(self):
        entry, check = self.entries[self.spot >> 53], self.spot % (1 << 42)
        step = 0
        if entry.check == check:
            step = self.number - entry.value
            entry.same = min(entry.same + 1, 15) if step == entry.step else entry.same // 2
            entry.one = min(entry.one + 1, 15) if step == 1 else entry.one // 2
            right = bool(self.stepped.digits) and self.stepped.at == len(self.stepped.digits)
            entry.s = (2 * entry.s + right) % 16
        else:
            entry.same = entry.one = entry.s = entry.o = 0
        ahead = self.number - self.stamp
        entry.o = (2 * entry.o + (self.stamp > 0 and ahead == entry.offset)) % 16
        entry.check, entry.value, entry.step, entry.offset, entry.width = check, self.number, step, ahead, self.width
        entry.zero = self.width > 1 and self.number < 10 ** (self.width - 1)
        self.stamp = self.number
        if self.width == 10:
            self.time = self.number

    def _compare(self, c, kind, there):
        if self.unlike:
            self.unlike = min(self.unlike + 32, 160 + self.unlike % 32)
        elif kind != SEPARATOR and there != c:
            self.unlike = 32 + (10 + c - there if kind == DIGIT and kind_of(there) == DIGIT else 31)
        if kind == SEPARATOR and c != 46:
            self.unlike = 0

    def _align(self, data, c, kind, there):
        if there == c:
            self.aligned += 1
        elif kind != SEPARATOR:
            self.agree = 0
            if self.aligned and kind_of(there) != SEPARATOR:
                self.aligned += 1
        elif self.aligned and c != 10:
            near = bytes(data[self.aligned : min(self.aligned + 48, len(data) - 1)]).split(b"\n")[0]
            if c in near:
                self.aligned += near.index(c) + 1

    def _within(self, c, kind):
        self.token, self.size = g(self.token, c), self.size + 1
        if kind == DIGIT:
            if not self.width:
                self.spot, self.number = h(self.lead, self.shape), 0
                self.shape = g(self.shape, 48)
                self.hex |= 1
            if self.width < 18:
                self.number = 10 * self.number + c - 48
            self.width = min(self.width + 1, 19)
        else:
            self.shape = g(self.shape, c)
            if chr(c) not in "abcdefABCDEF":
                self.hex = 2

    def _separator(self, data, c, mode, there):
        pos, before = len(data), self.full
        if self.size:
            self.beside = h(self.lead, self.token)
            self.firstcell = self.firstcell or self.beside
            self._note_token(pos, self.agree and there == c)
        if mode > KEYED and c == 34:
            self.quoted = 1 - self.quoted
        full = h(self.full, self.shape1) if self.size else self.full
        if mode == KEYED:
            if c in b":=>" and self.count:
                self.key, self.since = h(self.shape1, self.shape2), 0
            self.since = min(self.since + 1, 6)
            full = h(full, c) if c in b"-./_" else h(h(self.key, self.since), c)
        elif c == 10:
            full = 0
        elif c == mode and mode != LINES and not self.quoted:
            self.column += 1
            full = self.column * K1 & M64
        else:
            full = h(full, c)
        if c == 10:
            self.lineshape = h(before, self.shape1)
            self.column = self.quoted = self.shape1 = self.shape2 = 0
            self.stamp = self.time = self.clock = self.clocked = self.beside = self.firstcell = 0
        self.full = self.lead = full
        short = h(h(self.shape1, self.shape2), c + 256 * self.column)
        k = (full * K1 & M64) >> 48
        known, self.places[k] = self.places[k], pos
        k = (short * K1 & M64) >> 48
        similar, self.places[k] = self.places[k], pos
        if known and data[known - 1] == c:
            self.aligned = known
        elif 0 < similar < pos and data[similar - 1] == c:
            self.aligned, self.lead = similar, short
        self.agree, self.token, self.shape, self.size, self.hex = 1, 0, 0, 0, 0
        back = self.notes[self.lead >> 52].back
        self.copy = self.ring[(self.count - back) % 32][1] if back else 0

    def _note_token(self, pos, right):
        note, ring = self.notes[self.lead >> 52], self.ring
        note.a = (2 * note.a + right) % 16
        equal = [back for back in range(1, 32) if ring[(self.count - back) % 32][0] == self.token]
        note.c = (2 * note.c + (note.back in equal)) % 16
        if note.back not in equal:
            note.back = equal[0] if equal else 0
        ring[self.count % 32] = (self.token, pos - 1 - self.size)
        self.count += 1
        self.shape2, self.shape1 = self.shape1, 120 if self.hex == 1 and self.size > 3 else self.shape

    def _write(self, data, kind):
        t = clock(data, self.aligned, len(data)) if kind == SEPARATOR and not self.clock else None
        if t is not None:
            self.clock = 3
            offset, history = self.clocks[self.clocked]
            if self.time:
                t = (self.time + offset) % 86400
                mark = data[self.aligned + 2]
                text = b"%02d:%02d:%02d" % (t // 3600, t // 60 % 60, t % 60)
                self.offset.write(text.replace(b":", bytes((mark,))), history)
        spot = h(self.lead, self.shape)
        entry = self.entries[spot >> 53]
        if entry.check == spot % (1 << 42):
            step = 1 if entry.step == 0 or entry.one > entry.same else entry.step
            self.stepped.write_number(entry.value + step, entry, entry.s)
            if self.stamp and not self.clock:
                self.offset.write_number(self.stamp + entry.offset, entry, entry.o)
