"""The engine `pcm` in plain Python: what docs/reference/PCM.md says, as short as it can be said, and as slow.

The page's tables are read from it. What an encoder may choose, the map of sounds, is taken from the payload.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

from naive import BinaryCoder
from naive_cm import rate_of, squash, stretch

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "PCM.md"
M64 = (1 << 64) - 1
FILTERS = ((1024, 1 << 23), (256, 1 << 24), (16, 1 << 25))


def clamp(value, bound):
    return max(-bound, min(bound, value))


def heads():
    text = PAGE.read_text("utf-8").split("<!-- heads -->")[1].split("```")[1]
    return bytes.fromhex("".join(text.split()[1:]))


def solvers_of(preset):
    lines = PAGE.read_text("utf-8").split("<!-- solvers -->")[1].split("<!-- /solvers -->")[0].split("\n")
    rows = [[int(cell) for cell in line.strip("| ").split("|")] for line in lines if "|" in line]
    return [row[2:] for row in rows if row[0] == preset]


# ---- the map


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def uleb(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


class Sound:
    """A stretch of the map."""

    def __init__(self, reader, length):
        self.length = length
        self.offset, self.frames = reader.uleb(), reader.uleb()
        self.width = self.channels = self.listed = self.form = 0
        if not self.frames:
            return
        shape, self.channels = reader.byte(), reader.byte()
        self.width, self.big, self.unsigned, self.form = (shape & 3) + 1, shape & 4, shape & 8, shape >> 4
        if self.form in (1, 4):
            values, self.listed = reader.uleb(), reader.uleb()
            self.low = -(values >> 1)
            self.high = self.low + values - 1
        else:
            exponent, low = reader.byte(), reader.uleb()
            self.exponent = exponent - 256 if exponent > 127 else exponent
            self.low = -(low + 1 >> 1) if low & 1 else low >> 1
            self.high = self.low + reader.uleb()
        channels = range(self.channels)
        self.partners = [reader.byte() for _ in channels] if self.channels > 1 else [0]
        self.parts = [reader.byte() - 32 for _ in channels]

    @property
    def size(self):
        return self.frames * self.channels * self.width


def sounds_of(payload, size):
    """Return the stretches of a map, and its length."""
    reader, found = Reader(payload), []
    for left in range(reader.uleb() - 1, -1, -1):
        found.append(Sound(reader, reader.uleb() if left else size - sum(sound.length for sound in found)))
    return found, reader.at


# ---- maps and mixers


class Cells(dict):
    """An adaptive map; [p, count] of each cell that was used."""

    limit = 255

    def of(self, k):
        return self.setdefault(k, [1 << 21, 0])

    def learn(self, k, y):
        cell = self.of(k)
        cell[0] += (((1 << 22) - 1 if y else 0) - cell[0]) * rate_of(cell[1]) >> 16
        cell[1] += cell[1] < self.limit


def mixed(weights, inputs):
    return squash(clamp(sum(i * w >> 8 for i, w in zip(inputs, weights, strict=True)) >> 8, 3071))


def train(weights, inputs, y, p, rate):
    error = ((y << 16) - p) * rate >> 10
    for k, value in enumerate(inputs):
        weights[k] = clamp(weights[k] + (value * error + (1 << 13) >> 14), (1 << 19) - 1)


# ---- bytes


def code_bytes(coder, data):
    """Code bytes, or with a decoder as many as `data` has; return them."""
    if not data:
        return b""
    known = heads()
    maps = [Cells() for _ in range(5)]
    rows = [[22000] * 5 + [0] for _ in range(8)]
    last, out = 0, bytearray()
    for number, byte in enumerate(known + data):
        node = 1
        for bit in range(8):
            cells = []
            for j in range(5):
                k = ((last % (1 << 8 * j) + j) * 0x9E3779B97F4A7C15 & M64) ^ node
                cells.append((k * 0xD6E8FEB86659FD93 & M64) >> 48)
            inputs = [stretch(m.of(k)[0] >> 10) for m, k in zip(maps, cells, strict=True)] + [256]
            p = mixed(rows[bit], inputs)
            y = byte >> 7 - bit & 1
            if number >= len(known):
                y = coder.code(p, y)
            for m, k in zip(maps, cells, strict=True):
                m.learn(k, y)
            train(rows[bit], inputs, y, p, 12)
            node = node * 2 + y
        last = (last << 8 | node & 255) & M64
        out.append(node & 255)
    return bytes(out[len(known) :])


# ---- prediction


def mul(a, b, shift):
    return a * b >> shift


def solution(sums, ridge):
    """Return the weights (from number 1 on) for a triangle of sums, whose row 0 is what is predicted."""
    n = len(sums) - 1
    down = max(1, *(sums[i][i] for i in range(n + 1))).bit_length() - 44
    least = (1 << 14) + (1 << 10 + max(0, -down))

    def a(i, j):
        s = sums[max(i, j)][min(i, j)]
        return s >> down if down >= 0 else s << -down

    low = [[0] * (n + 1) for _ in range(n + 1)]
    digits, inverse = [0] * (n + 1), [0] * (n + 1)
    found = [0] * (n + 1)
    for i in [*range(1, n + 1), 0]:
        v = [0] * (n + 1)
        for j in range(1, i if i else n + 1):
            v[j] = a(i, j) - (sum(v[k] * low[j][k] for k in range(1, j)) >> 44)
            if i:
                low[i][j] = mul(v[j], inverse[j], digits[j] + 17)
            else:
                found[j] = mul(v[j], inverse[j], digits[j] + 37)
        if i:
            diagonal = a(i, i) + (a(i, i) >> ridge) + least
            d = max(least, diagonal - (sum(v[k] * low[i][k] for k in range(1, i)) >> 44))
            digits[i] = d.bit_length()
            h = d << 62 - digits[i]
            r = (1 << 62) // (h >> 31)
            inverse[i] = (r << 30) + mul((1 << 62) - mul(h, r, 31), r, 32)
    for i in range(n, 0, -1):
        for j in range(1, i):
            found[j] -= mul(low[i][j], found[i], 44)
    return [clamp(f + 8 >> 4, 1 << 27) for f in found[1:]]


class Solver:
    def __init__(self, fields, channel, partner, up):
        self.own, self.other, self.each, self.decay = fields
        self.channel, self.partner = channel, partner
        if channel == partner:
            self.other = 0
        self.up = up - self.each - self.decay
        n = self.own + self.other
        self.sums = [[0] * (i + 1) for i in range(n + 1)]
        self.weights = [0] * n

    def known(self, x, t):
        """Return what predicts in frame t: u_1, u_2, ..."""
        late = t + (self.partner < self.channel)
        mine = [at(x[self.channel], t - i) for i in range(1, self.own + 1)]
        return mine + [at(x[self.partner], late - j) for j in range(1, self.other + 1)]

    def renew(self, x, t):
        period = 1 << self.each
        early = {1 << k for k in range(self.each) if 1 << k >= 2 * self.own}
        if not t or (t % period and t not in early):
            return
        size = period if t > period else t - max([0, *(each for each in early if each < t)])
        us = [[at(x[self.channel], time), *self.known(x, time)] for time in range(t - size, t)]
        columns = list(zip(*us, strict=True))
        for i, row in enumerate(self.sums):
            for j, s in enumerate(row):
                new = sum(a * b for a, b in zip(columns[i], columns[j], strict=True))
                row[j] = s - (s >> self.decay) + (new << self.up)
        self.weights = solution(self.sums, 28)

    def says(self, x, t, shift):
        total = sum(w * u for w, u in zip(self.weights, self.known(x, t), strict=True))
        return (total + (1 << 15) >> 16) << shift


def at(values, place):
    return values[place] if place >= 0 else 0


class Filter:
    def __init__(self, taps, step):
        self.taps, self.step = taps, step
        self.weights, self.seen = [0] * taps, [0] * taps  # the latest first

    def says(self):
        self.p = sum(w * h for w, h in zip(self.weights, self.seen, strict=True)) >> 24
        return self.p

    def learn(self, h):
        energy = sum(s * s for s in self.seen)
        gain = clamp((h - self.p) * self.step // (energy // self.taps + 64), 32767)
        self.weights = [
            clamp(w + (s * gain + (1 << 13) >> 14), 1 << 30) for w, s in zip(self.weights, self.seen, strict=True)
        ]
        self.seen = [h, *self.seen[:-1]]


class Channel:
    """What a channel has for itself."""

    def __init__(self, sound, c, preset, digits, shift):
        self.number, self.partner, self.part, self.shift = c, sound.partners[c], sound.parts[c], shift
        self.bounds = sound.low << 4, sound.high << 4
        fields = solvers_of(preset)
        self.solvers = [Solver(each, c, self.partner, 58 - 2 * (digits - shift - 1)) for each in fields]
        count = len(fields)
        self.sums = [[0] * (i + 1) for i in range(count)]
        self.weights = [(1 << 20) // count] * (count - 1)
        self.filters = [Filter(*each) for each in FILTERS]
        self.errors = [max(64, 3 << 15 + self.part if self.part >= 0 else 3 << 15 >> -self.part)] * 4
        self.left = self.before = 0

    def bounded(self, value):
        return max(self.bounds[0], min(self.bounds[1], value))

    def predict(self, x, t):
        """Set the middles of the distributions."""
        for solver in self.solvers:
            solver.renew(x, t)
        said = [solver.says(x, t, self.shift) for solver in self.solvers]
        if t and t % 8 == 0:
            self.sums = [[s - (s >> 5) for s in row] for row in self.sums]
            self.weights = solution(self.sums, 16)
        total = sum(w * (s - said[0]) for w, s in zip(self.weights, said[1:], strict=True))
        ahead = self.bounded(said[0] + (total + (1 << 19) >> 20))
        shifted = [f.says() << self.part if self.part >= 0 else f.says() >> -self.part for f in self.filters]
        guess = self.bounded(ahead + sum(shifted))
        self.said, self.shifted = said, shifted
        self.middles = [guess, guess, ahead, said[1]]

    def learn(self, v):
        exact, base = v << 4, (self.middles[0] >> 4) + 1
        self.before, self.left = self.left, v - base + 1
        for j, (m, r) in enumerate(zip(self.middles, (4, 7, 5, 5), strict=True)):
            self.errors[j] += (abs(exact - m) << 6) - self.errors[j] >> r
        rest = exact - self.middles[2]
        for f, p in zip(self.filters, self.shifted, strict=True):
            f.learn(clamp(rest >> self.part if self.part >= 0 else rest << -self.part, 32767))
            rest -= p
        first = self.said[0]
        u = [clamp(value - first >> self.shift, 1 << 20) for value in (exact, *self.said[1:])]
        self.sums = [[s + (u[i] * u[j] << 8) for j, s in enumerate(row)] for i, row in enumerate(self.sums)]


# ---- decisions


@lru_cache(maxsize=1)
def tables():
    """Return g and t, with 200 digits behind the point."""
    one = 1 << 200

    def exp(numerator, denominator):
        total = term = one
        k = 1
        while term:
            term = term * numerator // (denominator * k)
            total, k = total + term, k + 1
        return total

    g = [(one << 40) // (one + exp(k, 32)) for k in range(898)]
    t, value, border = [], 0, exp(1, 512)
    for k in range(1024):
        while one * (1024 + k) // 1024 > border:
            value += 1
            border = exp(2 * value + 1, 512)
        t.append(value)
    return g, t


def log(x):
    x = max(1, x)
    n = x.bit_length() - 1
    return (11357 * n >> 6) + tables()[1][(x << 10 >> n) - 1024]


class Distribution:
    def __init__(self, middle, error):
        self.middle = middle
        self.cut = max(0, error.bit_length() - 20)
        self.over = (1 << 34) // max(48, 3 * (error >> self.cut) >> 2)
        self.lower, self.upper = (0, 1 << 40), (1 << 40, 0)  # (below, above)

    def at(self, border):
        d = (border << 4) - 8 - self.middle >> self.cut
        z = min(28671, min(abs(d), 1 << 32) * self.over >> 18)
        g = tables()[0]
        tail = g[z >> 5] - ((g[z >> 5] - g[(z >> 5) + 1]) * (z % 32) >> 5)
        return ((1 << 40) - tail, tail) if d >= 0 else (tail, (1 << 40) - tail)

    def input(self, border):
        here = self.at(border)
        if self.lower[0] >= 1 << 39:
            a, b = here[1] - self.upper[1], self.lower[1] - here[1]
        else:
            a, b = self.upper[0] - here[0], here[0] - self.lower[0]
        return clamp(log(a) - log(b), 2047)

    def narrow(self, border, y):
        if y:
            self.lower = self.at(border)
        else:
            self.upper = self.at(border)


class Samples:
    """What the sounds of a block share."""

    def __init__(self, coder, preset):
        self.coder, self.preset = coder, preset
        self.maps = [Cells() for _ in range(3)]
        self.rows = {}

    def sound(self, sound, known):
        """Code a sound; `known` has its integers, for an encoder."""
        digits = 1 + max(sound.high, -1 - sound.low, 0).bit_length()
        shift = max(0, digits - 24)
        channels = [Channel(sound, c, self.preset, digits, shift) for c in range(sound.channels)]
        x, out = [[] for _ in channels], []
        for t in range(sound.frames):
            for channel in channels:
                channel.predict(x, t)
                v = self.sample(sound, channel, channels, known[len(out)] if known else None)
                channel.learn(v)
                x[channel.number].append(v >> shift)
                out.append(v)
        return out

    def sample(self, sound, channel, channels, v):
        self.which = min(channel.number, 1)
        a = log(channel.errors[0]) * 8 // 177
        self.contexts = (
            a,
            40 * abs(channel.left).bit_length() + abs(channel.before).bit_length(),
            40 * (a >> 1) + abs(channels[channel.partner].left).bit_length(),
        )
        self.spread = [Distribution(*each) for each in zip(channel.middles, channel.errors, strict=True)]
        base = (channel.middles[0] >> 4) + 1
        most = max(1, (sound.high - sound.low).bit_length())
        begin = min(most, (3 * channel.errors[0] >> 2 >> 10).bit_length())
        sign = self.decide(base, 0, 0, v)
        m = None if v is None else v - base + 1 if sign else base - v

        def asked(size, name, row):
            border = base + size - 1 if sign else base - size + 1
            return self.decide(border, name, row, v) == sign

        number, turn = (begin, 0) if begin else (1, 1)
        while True:
            row = 1 + 16 * sign + min(15, max(0, number - begin + 6))
            large = asked(1 << number, 1 + number + 64 * sign + 128 * turn, row)
            if turn == 2:
                number -= not large
                if large or not number:
                    break
            elif large:
                number, turn = number + 1, 1
                if number > most:
                    number = most
                    break
            else:
                number -= 1
                if turn or not number:
                    break
                turn = 2
        size, node = 1 << number, 1
        for digit in range(number - 1, -1, -1):
            if digit >= number - 3:
                name = 512 + 8 * number + node + 512 * sign
                y = asked(size + (1 << digit), name, 33 + 8 * sign + node)
                node = 2 * node + y
            else:
                y = self.coder.code(1 << 15, 0 if m is None else m >> digit & 1)
            size += y << digit
        if v is None:
            v = max(sound.low, min(sound.high, base + size - 1 if sign else base - size))
        return v

    def decide(self, border, name, row, v):
        cells = [((2 * c + self.which) * 2048 + name) * 0x9E3779B1 >> 7 & (1 << 18) - 1 for c in self.contexts]
        inputs = [d.input(border) for d in self.spread]
        inputs += [stretch(m.of(k)[0] >> 10) for m, k in zip(self.maps, cells, strict=True)] + [256]
        weights = self.rows.setdefault((self.which, row), [20000] * 4 + [0] * 4)
        p = max(4, min(65532, mixed(weights, inputs)))
        y = self.coder.code(p, 0 if v is None else int(v >= border))
        train(weights, inputs, y, p, 40)
        for m, k in zip(self.maps, cells, strict=True):
            m.learn(k, y)
        for d in self.spread:
            d.narrow(border, y)
        return y


# ---- forms


def code_floats(coder, sound, integers, words):
    """Code what floats hold beyond integers; with form 2 nothing is coded, and all of it is 0."""
    cells, last, out = Cells(), 0, []

    def bit(k, y):
        if sound.form == 2:
            return 0
        y = coder.code(max(1, cells.of(k)[0] >> 6), y)
        cells.learn(k, y)
        return y

    for number, v in enumerate(integers):
        word = words[number] if words else 0
        n = abs(v).bit_length()
        if not v:
            node = 1
            for place in range(30, 22, -1):
                node = 2 * node + bit(node, word >> place & 1)
            if sound.form == 2:
                node = 256
            made = (node & 255) << 23 | bit(256, word >> 31) << 31
            left = 23 * bit(257, int(word & 0x7FFFFF != 0))
        else:
            left = 24 - n
            made = (v < 0) << 31 | (n + sound.exponent + 126 & 255) << 23 | (abs(v) << left) & 0x7FFFFF
            if left:
                last = bit(512 + 2 * left + last, int(word & (1 << left) - 1 != 0))
                left *= last
        for place in range(left - 1, -1, -1):
            made |= coder.code(1 << 15, word >> place & 1) << place
        out.append(made)
    return out


def words_of(data, sound):
    order = "big" if sound.big else "little"
    return [int.from_bytes(data[k : k + sound.width], order) for k in range(0, len(data), sound.width)]


def listed(data, sound):
    reader, words = Reader(data), []
    while reader.at < len(data):
        words.append(reader.uleb() + (words[-1] + 1 if words else 0))
    return words


def placed(word, sound):
    """Return the word as a number in whose order the samples stand."""
    top = 1 << 8 * sound.width - 1
    if sound.form == 4:
        return word + top if word < top else (1 << 32) - 1 - word
    return word if sound.unsigned else word ^ top


def integers_of(words, sound, values):
    """Return the integers that samples are made of."""
    half = 1 << 8 * sound.width - 1
    if sound.form in (1, 4):
        places = {value: k for k, value in enumerate(values)}
        return [places[placed(word, sound)] + sound.low for word in words]
    if sound.form == 0:
        words = [word ^ half if sound.unsigned else word for word in words]
        return [((word ^ half) - half) >> sound.exponent for word in words]
    found = []
    for word in words:
        exponent, digits = word >> 23 & 255, (word >> 23 & 255) - 126 - sound.exponent
        cut = (word & 0x7FFFFF | 1 << 23) >> 24 - digits if 0 < exponent < 255 and 0 < digits <= 24 else 0
        found.append(-cut if word >> 31 else cut)
    return found


def words_from(integers, sound, values):
    """Undo `integers_of`, but for floats."""
    if sound.form in (1, 4):
        top = 1 << 8 * sound.width - 1
        found = [values[v - sound.low] for v in integers]
        if sound.form == 4:
            return [w - top if w >= top else (1 << 32) - 1 - w for w in found]
        return found if sound.unsigned else [w ^ top for w in found]
    half = 1 << 8 * sound.width - 1
    words = [(v << sound.exponent) % (2 * half) for v in integers]
    return [w ^ half if sound.unsigned else w for w in words]


# ---- blocks


def encode(block, params, payload):
    """Return the payload of a block whose map stands in `payload`."""
    sounds, at_map = sounds_of(payload, len(block))
    coder, plain, start, held = BinaryCoder(), b"", 0, []
    for sound in sounds:
        data = block[start : start + sound.length]
        start += sound.length
        words = words_of(data[sound.offset : sound.offset + sound.size], sound) if sound.frames else []
        values = sorted({placed(word, sound) for word in words}) if sound.listed else []
        steps = [b - a - 1 for a, b in zip([-1, *values], values, strict=False)]
        plain += data[: sound.offset] + b"".join(map(uleb, steps)) + data[sound.offset + sound.size :]
        held.append((words, values))
    code_bytes(coder, plain)
    samples = Samples(coder, params["preset"])
    for sound, (words, values) in zip(sounds, held, strict=True):
        if sound.frames:
            integers = integers_of(words, sound, values)
            samples.sound(sound, integers)
            if sound.form == 3:
                code_floats(coder, sound, integers, words)
    return payload[:at_map] + coder.end()


def decode(payload, size, params):
    """Return the block of a payload."""
    sounds, at_map = sounds_of(payload, size)
    coder, block = BinaryCoder(payload[at_map:]), b""
    plain = code_bytes(coder, bytes(sum(sound.length - sound.size + sound.listed for sound in sounds)))
    samples = Samples(coder, params["preset"])
    for sound in sounds:
        block += plain[: sound.offset]
        values = listed(plain[sound.offset : sound.offset + sound.listed], sound)
        if sound.frames:
            integers = samples.sound(sound, None)
            floats = sound.form in (2, 3)
            words = code_floats(coder, sound, integers, None) if floats else words_from(integers, sound, values)
            order = ">" if sound.big else "<"
            raw = [struct.pack(f"{order}Q", word) for word in words]
            block += b"".join(each[8 - sound.width :] if sound.big else each[: sound.width] for each in raw)
        tail = sound.length - sound.offset - sound.size
        block += plain[sound.offset + sound.listed :][:tail]
        plain = plain[sound.offset + sound.listed + tail :]
    return block


def uleb(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
