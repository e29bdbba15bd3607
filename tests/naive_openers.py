"""What openers of containers make, in plain Python, written from docs/reference/OPENERS.md.

`redeflate(plain, recipe)` gives a raw deflate stream, as that page says.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable

Redeflate = Callable[[bytes, bytes], bytes]


class Corrupt(Exception):
    """What the page calls corrupt."""


class Cursor:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        check(self.at + count <= len(self.data))
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            check(shift < 63 and (byte or not shift))
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def text(self) -> bytes:
        return self.take(self.uleb())

    def done(self) -> bool:
        return self.at == len(self.data)


def check(right: object) -> None:
    if not right:
        raise Corrupt


def rows(inner: bytes, recipe: bytes) -> bytes:
    source = Cursor(recipe)
    mode, row, step, height = source.byte(), source.uleb(), source.byte(), source.uleb()
    check(mode <= 2 and 1 <= row <= 1 << 30 and 1 <= step <= 64)
    lines = [inner[at : at + row] for at in range(0, len(inner), row)]

    def filtered(number: int, kind: int) -> list[int]:
        out, line = [], lines[number]
        above = bytes(row) if number == 0 or (height and number % height == 0) else lines[number - 1]
        for i, x in enumerate(line):
            a, c = (line[i - step], above[i - step]) if i >= step else (0, 0)
            b = above[i]
            near = min((a, b, c), key=lambda value: abs(a + b - c - value))
            out.append((x - (0, a, b, (a + b) // 2, near)[kind]) % 256)
        return out

    kinds: list[int] = []
    if mode == 0:
        while len(kinds) < len(lines):
            kind, count = source.byte(), source.uleb()
            check(1 <= count <= len(lines) - len(kinds))
            kinds += [kind] * count
    elif mode == 1:
        kinds = list(source.take(len(lines)))
    else:
        for number in range(len(lines)):
            sums = [sum(min(v, 256 - v) for v in filtered(number, kind)) for kind in range(5)]
            kinds.append(sums.index(min(sums)))
        at = -1
        while not source.done():
            at += source.uleb() + 1
            check(at < len(lines))
            kinds[at] = source.byte()
    check(source.done() and all(kind < 5 for kind in kinds))
    return b"".join(bytes([kind, *filtered(number, kind)]) for number, kind in enumerate(kinds))


def zlib_header(header: bytes) -> bool:
    number = int.from_bytes(header, "big")
    return number % 31 == 0 and header[0] % 16 == 8 and header[0] < 128 and header[1] & 32 == 0


def zlib_stream(plain: bytes, header: bytes, recipe: bytes, redeflate: Redeflate) -> bytes:
    return header + redeflate(plain, recipe) + struct.pack(">I", zlib.adler32(plain))


def zlib_streams(inner: bytes, recipe: bytes, redeflate: Redeflate) -> bytes:
    source = Cursor(recipe)
    first = source.byte()
    if first:
        header = bytes((first, source.byte()))
        check(zlib_header(header))
        return zlib_stream(inner, header, recipe[2:], redeflate)
    held, out = Cursor(inner), b""
    count = source.uleb()
    check(count <= 65536)
    for _ in range(count):
        header = source.take(2)
        plain = held.take(source.uleb())
        check(zlib_header(header))
        out += zlib_stream(plain, header, source.text(), redeflate) + source.text()
    check(held.done() and source.done())
    return out


def gzip(inner: bytes, recipe: bytes, redeflate: Redeflate) -> bytes:
    source = Cursor(recipe)
    head = source.take(7)
    flags = head[0]
    check(flags < 32)
    if flags & 4:
        source.take(int.from_bytes(source.take(2), "little"))
    for flag in (8, 16):
        while flags & flag and source.byte():
            pass
    source.take(2 if flags & 2 else 0)
    header, rest = recipe[: source.at], recipe[source.at :]
    return (
        b"\x1f\x8b\x08"
        + header
        + redeflate(inner, rest)
        + struct.pack("<II", zlib.crc32(inner), len(inner) % (1 << 32))
    )


def png(inner: bytes, recipe: bytes, size: int, redeflate: Redeflate) -> bytes:
    source = Cursor(recipe)
    count = source.uleb()
    check(1 <= count <= 4096)
    stated = []
    for _ in range(count):
        form = source.uleb()
        lengths = [source.uleb() for _ in range(source.uleb())] if form == 1 else []
        plain, first = source.uleb(), source.byte()
        header = bytes((first, source.byte())) if first else b""
        stated.append((form, lengths, plain, header, source.text() if first else b""))
    check(source.done() and sum(len(lengths) for _, lengths, *_ in stated) <= size // 12)
    start = len(inner) - sum(plain for _, _, plain, _, _ in stated)
    check(start >= 0)
    held, skeleton, streams = Cursor(inner[start:]), Cursor(inner[:start]), []
    for form, lengths, plain, header, text in stated:
        stream = held.take(plain)
        if header:
            stream = zlib_stream(stream, header, text, redeflate)
        if form == 0:
            lengths = [len(stream)]
        elif form > 1:
            lengths = [form] * (len(stream) // form) + ([len(stream) % form] if len(stream) % form else [])
        check(sum(lengths) == len(stream))
        pieces = Cursor(stream)
        streams.append([pieces.take(length) for length in lengths])
    out, sequence = b"\x89PNG\r\n\x1a\n", 0

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    while not skeleton.done():
        length, name = int.from_bytes(skeleton.take(4), "big"), skeleton.take(4)
        check(length <= 1 << 30 and name.isalpha())
        data = skeleton.take(length)
        if name in (b"IDAT", b"fdAT"):
            check(streams)
            for piece in streams.pop(0):
                if name == b"fdAT":
                    piece = struct.pack(">I", sequence % (1 << 32)) + piece
                    sequence += 1
                out += chunk(name, piece)
            continue
        if name == b"fcTL":
            sequence = int.from_bytes(data[:4], "big") + 1
        out += chunk(name, data)
        if name == b"IEND":
            check(skeleton.done())
    check(not streams)
    return out


WIDTHS = (2, 2, 2, 4, 1, None, None, None, None, 2, 2, 4, None, None, None)


def ending(name: bytes) -> bytes:
    last = name.split(b"/")[-1]
    found = last.split(b".")[-1].lower() if b"." in last else b""
    return found if len(found) <= 8 else b""


def archive(inner: bytes, recipe: bytes, size: int, redeflate: Redeflate) -> bytes:
    check(not recipe)
    source = Cursor(inner)
    listing = Cursor(source.text())
    count, flags, base = listing.uleb(), listing.byte(), listing.uleb()
    check(count <= min(32768, size // 31) and flags < 8)
    tail = listing.text()
    order, last = [], -1
    for _ in range(count if flags & 2 else 0):
        step = listing.uleb()
        last += 1 + (step // 2 if step % 2 == 0 else -(step + 1) // 2)
        order.append(last)
    check(not flags & 2 or sorted(order) == list(range(count)))
    masks = [int.from_bytes(listing.take(2), "little") for _ in range(count)]
    columns = []
    for number, width in enumerate(WIDTHS):
        column, value = [], bytes(width or 0)
        for mask in masks:
            if mask >> number & 1:
                value = listing.text() if width is None else listing.take(width)
            column.append(value)
        columns.append(column)
    sizes = [listing.uleb() for _ in range(count)]
    check(listing.done())
    names = []
    for _ in range(count):
        name = b""
        while (byte := source.take(1)) != b"\n":
            name += byte
        names.append(name)
    seen = list(dict.fromkeys(map(ending, names)))
    members = {}
    for number in sorted(range(count), key=lambda number: seen.index(ending(names[number]))):
        members[number] = source.take(sizes[number])
    check(source.done())

    def number(value: int, width: int) -> bytes:
        return (value % 256**width).to_bytes(width, "little")

    def length(text: bytes) -> bytes:
        check(len(text) < 1 << 16)
        return number(len(text), 2)

    out, entries = b"", []
    for k in range(count):
        (
            needed, flag, method, time, form, between, extra, text, facts, made, inside, outside, fixed, other, comment,
        ) = (column[k] for column in columns)  # fmt: skip
        descriptor, heading, elsewhere, kept = form[0] % 8, form[0] // 8 % 4, form[0] // 32 % 2, form[0] // 64
        check(descriptor <= 4 and kept < 3 and len(facts) == (8 if kept == 2 else 0) and len(fixed) in (0, 10))
        member, name = members[k], names[k]
        data = redeflate(member, text) if kept == 1 else member
        crc, plain = number(zlib.crc32(member), 4), len(member)
        if kept == 2:
            crc, plain = facts[:4], int.from_bytes(facts[4:], "little")
        true = crc + number(len(data), 4) + number(plain, 4)
        far = b"\xff" * 8
        start = len(out)
        out += b"PK\3\4" + needed + flag + method + time + (true, bytes(12), crc + far, bytes(4) + far)[heading]
        out += length(name) + length(extra) + name + extra + data
        out += b"PK\7\x08" if descriptor in (1, 3) else b""
        out += b"" if not descriptor else true if descriptor < 3 else crc + number(len(data), 8) + number(plain, 8)
        out += between
        entry = b"PK\1\2" + made + (fixed or needed + flag + method + time) + (crc + far if elsewhere else true)
        entry += length(name) + length(other) + length(comment) + bytes(2) + inside + outside + number(base + start, 4)
        entries.append(entry + name + other + comment)
    if flags & 1:
        begin, directory = len(out), b"".join(entries[k] for k in (order or range(count)))
        out += directory
        if flags & 4:
            out += b"PK\5\6" + bytes(4) + 2 * number(count, 2) + number(len(directory), 4) + number(base + begin, 4)
            out += length(tail)
        return out + tail
    return out + (b"" if flags & 4 else tail)


def shuffle(inner: bytes, recipe: bytes) -> bytes:
    source = Cursor(recipe)
    width = source.uleb()
    check(source.done() and 2 <= width <= 4096)
    count = len(inner) // width
    return b"".join(inner[j : width * count : width] for j in range(width)) + inner[width * count :]


def single(number: float) -> float:
    """Return a number rounded to binary32."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)


def finite(number: float) -> bool:
    return math.isfinite(number)


def lattice(inner: bytes, recipe: bytes, size: int) -> bytes:
    source = Cursor(recipe)
    head, columns = source.byte(), source.uleb()
    width, form = (8 if head & 2 else 4), head >> 2
    check(form < 3 and columns > 0 and size > 0 and size % (width * columns) == 0 and len(inner) > 0)
    stored, masks, differ = (inner[0] & 3) + 1, inner[0] >> 2 & 3, inner[0] >> 4
    check(masks < 3 and differ < 2)
    step, offset = struct.unpack("<2d", source.take(16))
    code = source.uleb()
    base = -(code + 1) // 2 if code & 1 else code // 2
    check(abs(base) <= 1 << 53 and finite(step) and finite(offset) and (form or step != 0))
    if form == 2:
        step, offset = single(step), single(offset)
        check(finite(step) and finite(offset))
    patterns = [source.take(width) for _ in range(masks)]
    count, across = size // width, (columns + 7) // 8
    held = count // columns * across
    check(source.done() and len(inner) == 1 + masks * held + differ * count + stored * count)
    out = bytearray()
    for i in range(count):
        at = 1 + masks * held + differ * count + stored * i
        k = float(int.from_bytes(inner[at : at + stored], "little") + base)
        if form == 0:
            number = k / step + offset
        elif form == 1:
            number = k * step + offset
        else:
            number = single(single(single(k) * step) + offset)
        made = struct.pack("<d", number) if width == 8 else struct.pack("<f", single(number))
        if differ:
            more = int.from_bytes(inner[1 + masks * held + i :][:1], "little", signed=True)
            made = ((int.from_bytes(made, "little") + more) % 256**width).to_bytes(width, "little")
        for m, pattern in enumerate(patterns):
            row, column = divmod(i, columns)
            if inner[1 + m * held + row * across + column // 8] >> (7 - column % 8) & 1:
                made = pattern
        out += made[::-1] if head & 1 else made
    return bytes(out)


def packed(inner: bytes, recipe: bytes) -> bytes:
    source = Cursor(recipe)
    bits, count, spare = source.byte(), source.uleb(), source.byte()
    check(source.done() and 1 <= bits <= 16 and count > 0)
    width, free = 1 + (bits > 8), -count * bits % 8
    check(spare < 1 << free and width * count <= len(inner))
    value = 0
    for i in range(count):
        value = value << bits | int.from_bytes(inner[width * i : width * i + width], "little") & ((1 << bits) - 1)
    return (value << free | spare).to_bytes((count * bits + 7) // 8, "big") + inner[width * count :]
