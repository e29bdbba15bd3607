"""The openers of sequences in plain Python, written from docs/reference/SEQUENCES.md."""

from __future__ import annotations

import re
from pathlib import Path

from naive_bundle import Cursor
from naive_openers import Corrupt

import nzip

VCF_LINES = Path(nzip.__file__).parent / "formats" / "openers" / "vcf_lines.txt"


class Bytes(Cursor):
    """Bytes read one after another; corrupt where they end."""

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Corrupt
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > 62:
                raise Corrupt
        if shift > 7 and not byte:
            raise Corrupt
        return value

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def numbers(self, most: int) -> list[int]:
        count = self.number()
        if count > min(most, self.left):
            raise Corrupt
        return [self.number() for _ in range(count)]

    def runs(self, count: int) -> list[bool]:
        runs = self.numbers(count // 8 + 8)
        if sum(runs) > count or 0 in runs[1:]:
            raise Corrupt
        flags, value = list[bool](), False
        for run in runs:
            flags += [value] * run
            value = not value
        return flags + [value] * (count - len(flags))


def letters(packed: bytes) -> list[int]:
    return [byte >> shift & 3 for byte in packed for shift in (6, 4, 2, 0)]


def sequences(inner: bytes, size: int) -> bytes:
    whole = Bytes(inner)
    texts, lists = whole.number(), whole.number()
    text, told = Bytes(whole.take(texts)), Bytes(whole.take(lists))
    packed = inner[whole.at :]
    pieces: list[bytes | int] = []
    total = count = 0
    entries = told.number()
    if 16 * entries > size + 1024:
        raise Corrupt
    for _ in range(entries):
        gap, length, times = told.number(), told.number(), told.number()
        total += (gap + length) * times
        count += length * times
        if total > size or length < 8 or not times or (times > 1 and gap > 2):
            raise Corrupt
        pieces += [text.take(gap), length] * times
    small, unknown = told.runs(count), told.runs(count)
    if told.left or len(packed) != -(-unknown.count(False) // 4):
        raise Corrupt
    known, made, at = iter(letters(packed)), bytearray(), 0
    for piece in pieces:
        if isinstance(piece, bytes):
            made += piece
            continue
        for k in range(at, at + piece):
            letter = ord("N") if unknown[k] else b"ACGT"[next(known)]
            made.append(letter + 32 * small[k])
        at += piece
    return bytes(made) + text.take(text.left)


def _unknown(told: Bytes, qualities: bytes) -> list[bool]:
    kind = told.take(1)[0]
    if kind > 1:
        raise Corrupt
    if kind:
        quality = told.take(1)[0]
        return [each == quality for each in qualities]
    return told.runs(len(qualities))


def _spelled(symbols: list[int], unknown: list[bool]) -> bytes:
    return bytes(ord("N") if n else b"ACGT"[s] for s, n in zip(symbols, unknown, strict=True))


def _parts(inner: bytes) -> tuple[bytes, Bytes, bytes, bytes]:
    whole = Bytes(inner)
    texts, lists = whole.number(), whole.number()
    text, told = whole.take(texts), Bytes(whole.take(lists))
    qualities = whole.take(whole.number())
    return text, told, qualities, inner[whole.at :]


def fastq(inner: bytes, size: int) -> bytes:
    text, told, qualities, packed = _parts(inner)
    flags, count = told.take(1)[0], told.number()
    names, rows = text.split(b"\n"), qualities.split(b"\n")
    if flags > 7 or count * 32 > size + 1024 or len(names) != count or len(rows) != count + 1 or rows.pop():
        raise Corrupt
    total = b"".join(rows)
    if len(packed) != -(-len(total) // 4):
        raise Corrupt
    spelled = _spelled(letters(packed)[: len(total)], _unknown(told, total))
    if told.left:
        raise Corrupt
    end, made = b"\r\n" if flags & 1 else b"\n", b""
    for name, row in zip(names, rows, strict=True):
        read, spelled = spelled[: len(row)], spelled[len(row) :]
        made += end.join((b"@" + name, read, b"+" + name if flags & 2 else b"+", row)) + end
    return made[: len(made) - len(end)] if flags & 4 else made


def _integer(text: bytes) -> int:
    if not re.fullmatch(rb"0|-?[1-9][0-9]{0,18}", text):
        raise Corrupt
    return int(text)


def sam(inner: bytes, size: int) -> bytes:
    text, told, qualities, packed = _parts(inner)
    count = told.number()
    if not 0 < count * 64 <= size + 4096:
        raise Corrupt
    mates = told.numbers(count)
    fields, rows = text.split(b"\n"), qualities.split(b"\n")
    if len(fields) != 10 * count or len(rows) != count + 1 or rows.pop():
        raise Corrupt
    flags = [_integer(field) for field in fields[count : 2 * count]]
    rows = [row[::-1] if flag & 16 else row for flag, row in zip(flags, rows, strict=True)]
    unknown = _unknown(told, b"".join(rows))
    changes, fresh = told.numbers(len(unknown) // 8 + 8), letters(packed)
    lying: dict[int, int] = {}
    once: dict[int, int] = {}
    origin, lain, since, made, left = 0, b"", 0, b"", size
    lines: list[tuple[bytes, int, int]] = []
    reference, place = b"", 0

    def taken() -> int:
        if not fresh:
            raise Corrupt
        return fresh.pop(0)

    for number, row in enumerate(rows):
        name, flag, named, moved, mapped, shape, next_, next_moved, span, tags = fields[number::count]
        mate = None
        if not name:
            back = mates.pop(0) if mates else 0
            if not 0 < back <= number:
                raise Corrupt
            mate = lines[number - back]
            name = mate[0]
        reference = named or reference
        place += _integer(moved)
        if next_moved:
            next_place = place + _integer(next_moved)
        elif mate:
            next_place = mate[1]
        else:
            raise Corrupt
        if span:
            spanned = _integer(span)
        elif mate:
            spanned = -mate[2]
        else:
            d = next_place - place
            spanned = d + (d > 0) * len(row) - (d < 0) * len(row)
        ns, unknown = unknown[: len(row)], unknown[len(row) :]
        if shape == b"%dM" % len(row) and place > 0 and reference != b"*" and 0 < len(row) <= 32768:
            if reference != lain or not 0 <= place - origin < 65536:
                lying.clear()
                once.clear()
                origin, lain = place, reference
            elif place + len(row) > origin + 65536:
                origin = place
                for kept in (lying, once):
                    for at in [at for at in kept if at < origin]:
                        del kept[at]
            symbols = []
            for at in range(place, place + len(row)):
                if at not in lying:
                    symbols.append(-1)
                    continue
                symbols.append(lying[at])
                if changes and since == changes[0] // 3:
                    symbols[-1] = (symbols[-1] + 1 + changes.pop(0) % 3) & 3
                    since = 0
                else:
                    since += 1
            symbols = [taken() if symbol < 0 else symbol for symbol in symbols]
            for at, symbol, n in zip(range(place, place + len(row)), symbols, ns, strict=True):
                if not n and lying.get(at) != symbol:
                    if at not in lying or once.get(at) == symbol:
                        lying[at] = symbol
                    once[at] = symbol
        else:
            symbols = [taken() for _ in row]
        line = b"\t".join((
            name, flag, reference, b"%d" % place, mapped, shape, next_, b"%d" % next_place, b"%d" % spanned,
            _spelled(symbols, ns) or b"*", row or b"*",
        )) + tags + b"\n"  # fmt: skip
        left -= len(line)
        if left < 0:
            raise Corrupt
        made += line
        lines.append((name, place, spanned))
    if told.left or mates or changes or len(fresh) > 3:
        raise Corrupt
    return made


def vcf(inner: bytes, size: int) -> bytes:
    whole = Bytes(inner)
    flags, samples = whole.take(1)[0], whole.number()
    apart, way = flags & 1, flags >> 1
    if way > 2:
        raise Corrupt

    def line() -> bytes:
        found = b""
        while (byte := whole.take(1)) != b"\n":
            found += byte
        return found

    beginnings = VCF_LINES.read_bytes().split(b"\n")
    made = b""
    while whole.left and (whole.data[whole.at] == 35 or whole.data[whole.at] >= 128):
        own = line()
        made += (beginnings[own[0] - 128] + own[1:] if own[0] >= 128 else own) + b"\n"
        if len(made) > size:
            raise Corrupt
    rows = list[list[bytes]]()
    while own := line():
        rows.append(own.split(b"\t"))
    if not rows:
        raise Corrupt
    if samples * len(rows) > whole.left:
        raise Corrupt
    cells = [[line() for _ in range(samples)] for _ in rows]
    nucleotides = whole.take(whole.left)
    coming = iter("ACGT"[symbol] for symbol in letters(nucleotides))
    name, expected, used = b"", 0, 0
    for row, more in zip(rows, cells, strict=True):
        if len(row) < 8 or (samples and len(row) != 9):
            raise Corrupt
        if row[0]:
            name, expected = row[0], 0
        if not re.fullmatch(rb"0|-?[1-9][0-9]{0,18}", row[1]):
            raise Corrupt
        place = expected + int(row[1])
        if place < 0:
            raise Corrupt
        if apart and re.fullmatch(rb"0|[1-9][0-9]{0,17}", row[3]):
            count = int(row[3])
            used += count
            if used > 4 * len(nucleotides):
                raise Corrupt
            row[3] = "".join(next(coming) for _ in range(count)).encode()
        expected = place
        if way:
            expected += len(row[3])
        if way == 2:
            for field in row[7].split(b";"):
                if re.fullmatch(rb"END=(0|[1-9][0-9]{0,17})", field):
                    expected = int(field[4:]) + 1
                    break
        row[0], row[1] = name, str(place).encode()
        made += b"\t".join(row + more) + b"\n"
    if len(nucleotides) != -(-used // 4):
        raise Corrupt
    return made
