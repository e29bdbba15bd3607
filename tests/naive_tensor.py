"""The engine `tensor` in plain Python, written from docs/reference/TENSOR.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import naive_cm as cm
from naive import BinaryCoder
from naive_bundle import Cursor

WORD = (1 << 64) - 1


class Piece(NamedTuple):
    form: int
    values: int
    row: int
    old: bytes = b""  # what it stands beside
    groups: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        return 1 << (self.form & 3)

    @property
    def order(self) -> str:
        return "big" if self.form & 8 else "little"

    def olds(self) -> list[int]:
        """The older values."""
        w = self.width
        return [int.from_bytes(self.old[k : k + w], self.order) for k in range(0, len(self.old), w)]  # type: ignore[arg-type]

    def keys(self) -> list[int]:
        return [value >> max(0, 8 * self.width - 9) & 255 for value in self.olds()]

    def levels(self) -> list[int]:
        return [key if self.form & 4 else key >> 3 if self.form & 16 else 0 for key in self.keys()]

    def places(self) -> list[int]:
        """The numbers of the values in the order of their keys."""
        keys = self.keys()
        return sorted(range(self.values), key=lambda k: keys[k])

    def in_order(self, value: int) -> int:
        """The place of a value among all; and the value of a place."""
        top = 1 << 8 * self.width - 1
        return value ^ (top - 1) if self.form & (4 | 16) and value & top else value


class Plane(NamedTuple):
    mode: int
    table: list[int]
    constant: int = 0


class Payload:
    """A payload taken apart; `block` is what it stands for, and `again` makes the payload of that."""

    def __init__(self, payload: bytes, size: int, preset: int, file: bytes = b""):
        cursor = Cursor(payload)
        self.preset = preset
        self.pieces, behind = list[Piece](), 0
        for _ in range(cursor.uleb()):
            form, values = cursor.byte(), cursor.uleb()
            piece = Piece(form, values, cursor.uleb() if preset == 2 else 0)
            if form & 32:
                away = cursor.uleb()
                start = behind + (-(away + 1) // 2 if away % 2 else away // 2)
                behind = start + values * piece.width
                piece = piece._replace(old=file[start:behind])
                if preset == 1:
                    groups = [cursor.uleb() for _ in range(cursor.uleb() - 1)]
                    piece = piece._replace(groups=(*groups, values - sum(groups)))
            self.pieces.append(piece)
        self.planes, tables = list[Plane](), list[list[int]]()
        for piece in self.pieces:
            for _ in self.counts(piece):
                mode = cursor.byte()
                if mode == 2:
                    tables.append(table(cursor))
                back = cursor.uleb() if mode == 3 else 0
                constant = cursor.byte() if mode == 1 else 0
                self.planes.append(Plane(mode, tables[-1 - back] if mode in (2, 3) else [], constant))
        self.head = payload[: cursor.at]
        self.sizes = [count for piece in self.pieces for count in self.counts(piece)]
        self.rest = cursor
        found = self._quick() if preset == 1 else self._mixed()
        self.block = b"".join(map(self.joined, self.pieces, self._by_piece(found)))
        assert len(self.block) == size

    def counts(self, piece: Piece) -> list[int]:
        """How many values each plane of a piece has."""
        if piece.form & 32 and self.preset == 2:
            return [piece.values] * (piece.width + 1)
        return [count for count in piece.groups or (piece.values,) for _ in range(piece.width)]

    def joined(self, piece: Piece, planes: list[list[int]]) -> bytes:
        if not piece.form & 32:
            return joined(piece, planes)
        return unmeasured(piece, planes) if self.preset == 2 else unfolded(piece, planes)

    def parted(self, piece: Piece, data: bytes) -> list[list[int]]:
        if not piece.form & 32:
            return parted(piece, data)
        return measured(piece, data) if self.preset == 2 else folded(piece, data)

    def _by_piece(self, planes: list[list[int]]) -> Iterator[list[list[int]]]:
        at = 0
        for piece in self.pieces:
            count = len(self.counts(piece))
            yield planes[at : at + count]
            at += count

    def _quick(self) -> list[list[int]]:
        total = sum(size for size, plane in zip(self.sizes, self.planes, strict=True) if plane.mode in (2, 3))
        counts = [2 * lanes(min(131072, total - k)) + self.rest.uleb() for k in range(0, total, 131072)]
        symbols: list[int] = []
        pairs = list(zip(self.sizes, self.planes, strict=True))
        tables = [plane for size, plane in pairs if plane.mode in (2, 3) for _ in range(size)]
        for chunk, count in enumerate(counts):
            data = self.rest.take(2 * count)
            words = [int.from_bytes(data[k : k + 2], "little") for k in range(0, len(data), 2)]
            symbols += lanes_decoded(words, tables[131072 * chunk : 131072 * (chunk + 1)])
        found = []
        for size, plane in zip(self.sizes, self.planes, strict=True):
            if plane.mode == 0:
                found.append(list(self.rest.take(size)))
            elif plane.mode == 1:
                found.append([plane.constant] * size)
            elif plane.mode == 4:
                packed = self.rest.take(-(-size // 8) * 7)
                groups = [int.from_bytes(packed[k : k + 7], "little") for k in range(0, len(packed), 7)]
                found.append([groups[k >> 3] >> 7 * (k & 7) & 127 for k in range(size)])
            else:
                found.append(symbols[:size])
                symbols = symbols[size:]
        return found

    def _mixed(self) -> list[list[int]]:
        found = []
        for size, plane in zip(self.sizes, self.planes, strict=True):
            found.append(list(self.rest.take(size)) if plane.mode == 0 else [plane.constant] * size)
        coder = BinaryCoder(self.rest.take(len(self.rest.data) - self.rest.at))
        model, at = Model(), 0
        for piece in self.pieces:
            count = len(self.counts(piece))
            modes = [plane.mode for plane in self.planes[at : at + count]]
            model.piece(piece, modes, found[at : at + count], coder)
            at += count
        return found

    def again(self) -> bytes:
        """The payload of the block, with the pieces, modes and tables of this one."""
        found, at = list[list[int]](), 0
        for piece in self.pieces:
            size = piece.values * piece.width
            found += self.parted(piece, self.block[at : at + size])
            at += size
        out = self.head
        if self.preset == 2:
            coder, model, number = BinaryCoder(), Model(), 0
            for piece in self.pieces:
                count = len(self.counts(piece))
                modes = [plane.mode for plane in self.planes[number : number + count]]
                model.piece(piece, modes, found[number : number + count], coder)
                number += count
            raw = [bytes(values) for values, plane in zip(found, self.planes, strict=True) if plane.mode == 0]
            return out + b"".join(raw) + coder.end()
        pairs = zip(self.planes, found, strict=True)
        coded = [(plane, symbol) for plane, values in pairs for symbol in values if plane.mode in (2, 3)]
        chunks = [lanes_encoded(coded[k : k + 131072]) for k in range(0, len(coded), 131072)]
        for k, words in enumerate(chunks):
            out += uleb(len(words) - 2 * lanes(min(131072, len(coded) - 131072 * k)))
        for words in chunks:
            out += b"".join(word.to_bytes(2, "little") for word in words)
        for values, plane in zip(found, self.planes, strict=True):
            if plane.mode == 0:
                out += bytes(values)
            elif plane.mode == 4:
                for k in range(0, len(values), 8):
                    out += sum(value << 7 * j for j, value in enumerate(values[k : k + 8])).to_bytes(7, "little")
        return out


def uleb(value: int) -> bytes:
    return bytes((value,)) if value < 128 else bytes((value & 127 | 128,)) + uleb(value >> 7)


def table(cursor: Cursor) -> list[int]:
    freqs, at = [0] * 256, cursor.byte()
    while sum(freqs) < 4096:
        f = cursor.byte()
        if f > 127:
            f = f & 127 | cursor.byte() << 7
        freqs[at] = f
        at += 1
        if not f:
            at += cursor.byte()
    return freqs


def bits(value: int, n: int, first: int, last: int) -> int:
    """Bits `first` to `last` of a value of n bits, the highest one being bit 0."""
    return value >> (n - 1 - last) & ((1 << (last - first + 1)) - 1)


def parted(piece: Piece, data: bytes) -> list[list[int]]:
    """The planes of a piece."""
    w, order = piece.width, "big" if piece.form & 8 else "little"
    n, planes = 8 * w, [list[int]() for _ in range(w)]
    for at in range(0, len(data), w):
        value = int.from_bytes(data[at : at + w], order)  # type: ignore[arg-type]
        bytes_ = list(value.to_bytes(w, "big"))
        if piece.form & 4:
            bytes_[:2] = bits(value, n, 1, 8), bits(value, n, 0, 0) << 7 | bits(value, n, 9, 15)
        if piece.form & 16:
            bytes_[:2] = bits(value, n, 2, 9), bits(value, n, 0, 0) << 6 | bits(value, n, 10, 15)
        for plane, byte in zip(planes, bytes_, strict=True):
            plane.append(byte)
    return planes


def joined(piece: Piece, planes: list[list[int]]) -> bytes:
    """The bytes of a piece."""
    w, order, out = piece.width, "big" if piece.form & 8 else "little", bytearray()
    for bytes_ in zip(*planes, strict=True):
        value = int.from_bytes(bytes(bytes_), "big")
        if piece.form & (4 | 16):
            rest, n = value & ((1 << (8 * w - 16)) - 1), 8 * w
            a, b = bytes_[:2]
            if piece.form & 4:
                high = (b >> 7) << 15 | a << 7 | b & 127
            else:
                high = (b >> 6 & 1) << 15 | a << 6 | b & 63
            value = high << (n - 16) | rest
        out += value.to_bytes(w, order)  # type: ignore[arg-type]
    return bytes(out)


def away(piece: Piece, data: bytes) -> list[int]:
    """How far values are from the older ones, -2^(n-1) to 2^(n-1) - 1."""
    w, top = piece.width, 1 << 8 * piece.width - 1
    values = [int.from_bytes(data[k : k + w], piece.order) for k in range(0, len(data), w)]  # type: ignore[arg-type]
    pairs = zip(values, piece.olds(), strict=True)
    return [(piece.in_order(new) - piece.in_order(old) + top) % (2 * top) - top for new, old in pairs]


def back(piece: Piece, differences: list[int]) -> bytes:
    n, out = 8 * piece.width, bytearray()
    for d, old in zip(differences, piece.olds(), strict=True):
        value = piece.in_order((piece.in_order(old) + d) % (1 << n))
        out += value.to_bytes(piece.width, piece.order)  # type: ignore[arg-type]
    return bytes(out)


def folded(piece: Piece, data: bytes) -> list[list[int]]:
    """The planes of preset 1."""
    differences = away(piece, data)
    values = [2 * d if d >= 0 else -2 * d - 1 for d in (differences[k] for k in piece.places())]
    planes, at = list[list[int]](), 0
    for count in piece.groups:
        bytes_ = [value.to_bytes(piece.width, "big") for value in values[at : at + count]]
        planes += [[value[k] for value in bytes_] for k in range(piece.width)]
        at += count
    return planes


def unfolded(piece: Piece, planes: list[list[int]]) -> bytes:
    values = list[int]()
    for k in range(0, len(planes), piece.width):
        values += [int.from_bytes(bytes(each), "big") for each in zip(*planes[k : k + piece.width], strict=True)]
    differences = [0] * piece.values
    for k, value in zip(piece.places(), values, strict=True):
        differences[k] = -(value + 1) // 2 if value % 2 else value // 2
    return back(piece, differences)


def measured(piece: Piece, data: bytes) -> list[list[int]]:
    """The planes of preset 2."""
    n, planes = 8 * piece.width, [list[int]() for _ in range(piece.width + 1)]
    for d in away(piece, data):
        digits = abs(d).bit_length()
        rest = (abs(d) << n - digits) % (1 << n - 1) | (d < 0) << n - 1
        for plane, byte in zip(planes, (digits, *rest.to_bytes(piece.width, "big")), strict=True):
            plane.append(byte)
    return planes


def unmeasured(piece: Piece, planes: list[list[int]]) -> bytes:
    n, differences = 8 * piece.width, list[int]()
    for digits, *bytes_ in zip(*planes, strict=True):
        rest = int.from_bytes(bytes(bytes_), "big")
        size = (rest | 1 << n - 1) >> n - min(digits, n) if digits else 0
        differences.append(-size if rest >> n - 1 else size)
    return back(piece, differences)


def lanes(symbols: int) -> int:
    return 32 if symbols >= 4096 else 4


def lanes_of(planes: list[Plane]) -> list[int]:
    """The lane of each symbol of a chunk, by the plane that it is of: each run begins with lane 0."""
    found, k = list[int](), 0
    for number, plane in enumerate(planes):
        k = 0 if number and plane is not planes[number - 1] else k
        found.append(k % lanes(len(planes)))
        k += 1
    return found


def lanes_decoded(words: list[int], planes: list[Plane]) -> list[int]:
    count = lanes(len(planes))
    states = [words[2 * k] | words[2 * k + 1] << 16 for k in range(count)]
    at, out = 2 * count, list[int]()
    for plane, lane in zip(planes, lanes_of(planes), strict=True):
        x = states[lane]
        slot, start = x % 4096, 0
        symbol = 0
        while slot >= start + plane.table[symbol]:
            start += plane.table[symbol]
            symbol += 1
        x = plane.table[symbol] * (x // 4096) + slot - start
        if x < 1 << 15:
            x = x << 16 | words[at]
            at += 1
        states[lane] = x
        out.append(symbol)
    assert states == [1 << 15] * count
    assert at == len(words)
    return out


def lanes_encoded(coded: list[tuple[Plane, int]]) -> list[int]:
    states, words = [1 << 15] * lanes(len(coded)), list[int]()
    for (plane, symbol), lane in reversed(list(zip(coded, lanes_of([plane for plane, _ in coded]), strict=True))):
        x, f = states[lane], plane.table[symbol]
        if x >= f << 19:
            words.append(x & 0xFFFF)
            x >>= 16
        states[lane] = x // f * 4096 + x % f + sum(plane.table[:symbol])
    for x in reversed(states):
        words += [x >> 16, x & 0xFFFF]
    return words[::-1]


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


class Model:
    def __init__(self) -> None:
        self.cells: dict[tuple[int, ...], list[int]] = {}
        self.weights: dict[tuple[int, ...], list[int]] = {}
        self.sse: dict[tuple[int, int], cm.AdaptiveMap] = {}

    def piece(self, piece: Piece, modes: list[int], planes: list[list[int]], coder: BinaryCoder) -> None:
        """Code the planes of a piece of mode 5, which get their bytes when decoding."""
        row, beside = piece.row, piece.form & 32
        wide = piece.width + 1 if beside else piece.width
        keys, levels = piece.keys(), piece.levels() or [0] * piece.values
        kind = min(piece.values.bit_length(), 31) + 32 * bool(row)
        mean = across = 0
        columns = [0] * row
        for key in [key for key in self.cells if key[:2] == (0, 1)]:
            del self.cells[key]
        for i in range(piece.values):
            c, line = (i % row, i // row) if row else (i, 0)
            firsts = planes[0]
            level = levels[i]

            def near_by(k: int) -> int:
                return clamp(firsts[k] + levels[k] - level, 0, 255) if beside else firsts[k]  # noqa: B023

            w, ww = (near_by(i - 1) if i > 0 else 0), (near_by(i - 2) if i > 1 else 0)
            n = near_by(i - row) if line else w
            ne = near_by(i - row + 1) if line and c + 1 < row else n
            down = columns[c] if line else across if c else mean
            if i == 0:
                expected = 127 << 8
            elif line == 0:
                expected = across if c else mean
            else:
                expected = clamp(across + down - mean, 0, (511 if beside else 255) << 8) if c else down
            whole = expected
            if beside:
                expected = clamp(expected - (level << 8), 0, 255 << 8)
            if modes[0] == 5:
                near = 4 * (3 * w + 2 * n + ww + ne + 1) // 7 if line else 4 * (2 * w + ww) // 3

                def d(x: int) -> int:
                    return clamp(x, -8, 7) + 8

                numbers = [
                    kind, 0, w, n, expected >> 5, near,
                    d((across - mean) >> 6) + 16 * d((down - mean) >> 6),
                    d(w - (expected >> 8)) + 16 * d(n - (expected >> 8)), c % 4096, (expected + 64 * near) >> 9,
                ]  # fmt: skip
                if beside:
                    numbers += [
                        keys[i], 64 * min(expected >> 6, 63) + 8 * min(w, 7) + min(n, 7),
                        16 * min(expected >> 5, 127) + min(w, 15),
                    ]  # fmt: skip
                firsts[i] = self.byte(0, numbers, firsts[i], coder, (expected >> 6) % 4, (expected >> 7) % 2)
            first = firsts[i]
            v = first << 8
            apart = v - expected
            if beside:
                v = (first + level) << 8 if first or i == 0 else min(level << 8, whole)
            if i == 0:
                mean = across = v
            else:
                mean += (v - mean) // min(i + 2, 1024)
                across += (v - across) // min(c + 2, 64)
            if row:
                columns[c] = down + (v - down) // min(line + 2, 64) if line else v
            if wide > 1 and modes[1] == 5:
                p = planes[1][i - 1] if i else 0
                q = planes[1][i - row] if line else p
                far = clamp(apart >> 6, -32, 31) + 32
                numbers = [
                    kind, first, 4 * far + 2 * (p >> 7) + (q >> 7), p, q, 128 * (first % 8) + far,
                    (p >> 5) + 8 * (q >> 5), c % 256 if row else 0,
                ]  # fmt: skip
                planes[1][i] = self.byte(1, numbers, planes[1][i], coder, far >> 1)
            h = first << 8 | planes[1][i] if wide > 1 else first
            lower = 0
            for k in range(wide - 1, 1, -1):
                if modes[k] == 5:
                    g = (h ^ h >> 29) * 0xBF58476D1CE4E5B9 & WORD
                    g = (g ^ g >> 31) * 0x94D049BB133111EB & WORD
                    number = 2 * (k % 8) + (lower != 0)
                    planes[k][i] = self.byte(k, [number, 256 * number + first, g >> 52], planes[k][i], coder, first)
                lower = planes[k][i]
                h = (h << 8 | lower) & WORD
            if row and c + 1 == row:
                across = (across + mean) >> 1

    def byte(self, plane: int, numbers: list[int], byte: int, coder: BinaryCoder, chosen: int, side: int = 0) -> int:
        """Code a byte of a plane; return it."""
        node, of = 1, min(plane, 2)
        begin, usual = (4000, 5000, 13000)[of], (10, 8, 3)[of]
        for b in range(8):
            cells = [self.cells.setdefault((of, k, number, node), [1 << 21, 0]) for k, number in enumerate(numbers)]
            inputs = [cm.stretch(cell[0] >> 10) for cell in cells]
            inputs.insert(min(len(inputs), 10), 256)
            inputs += [0] * (14 - len(inputs))
            keys = (
                ((0, 0, node), (0, 1, node, chosen)),
                ((1, 0, node), (1, 1, chosen, b)),
                ((2, 0, node, plane % 8), (2, 1, chosen)),
            )[of]
            rows = [self.weights.setdefault(key, [begin] * usual + [0] + [begin] * 3) for key in keys]
            total = sum(value * weight >> 8 for row in rows for value, weight in zip(inputs, row, strict=False))
            mixed = cm.clamp(total >> 8, 3071)
            squashed = chance = cm.squash(mixed)
            if plane == 0:
                sse = self.sse.setdefault((node, side), cm.AdaptiveMap(cm.knots(), 255))
                z = (mixed + 3072) * 5 >> 3
                knot, part = z >> 8, z & 255
                chance = squashed + (sse.p[knot] * (256 - part) + sse.p[knot + 1] * part >> 14) >> 1
            shift = b if plane > 1 else 7 - b
            bit = coder.code(clamp(chance, 1, 65535), byte >> shift & 1)
            error = ((bit << 16) - squashed) * 150 >> 10
            for row in rows:
                row[:] = [
                    cm.clamp(weight + (value * error + 8192 >> 14), (1 << 19) - 1)
                    for weight, value in zip(row, [*inputs, *[0] * 9], strict=False)
                ]
            for k, cell in enumerate(cells):
                cell[0] += ((bit * ((1 << 22) - 1)) - cell[0]) * cm.rate_of(cell[1]) >> 16
                cell[1] += cell[1] < (30 if plane > 1 and k == 2 else 90)
            if plane == 0:
                sse.update(knot + (part >= 128), bit)
            byte = byte & ~(1 << shift) | bit << shift
            node = 2 * node + bit
        return byte
