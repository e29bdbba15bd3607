"""The transform `lines` in plain Python, written from docs/reference/TRANSFORMS.md, and a log to try it on."""

from __future__ import annotations

import random
from collections.abc import Iterator

from nzip.errors import CorruptError

LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Stream:
    """Bytes that are read from front to back."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise CorruptError("too short")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def uleb(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                if byte == 0 and shift > 7:
                    raise CorruptError("not the shortest form")
                return value
            if shift == 63:
                raise CorruptError("too long")

    def index(self) -> int:
        byte = self.byte()
        if byte < 240:
            return byte
        if byte < 255:
            return 240 + 256 * (byte - 240) + self.byte()
        return 240 + 3840 + int.from_bytes(self.take(3), "big")

    def end(self) -> None:
        if self.at != len(self.data):
            raise CorruptError("too long")


def fields_of(template: bytes) -> Iterator[tuple[bytes, int, int, tuple[int, int]]]:
    """Give the literal before each field, its mark, its form, and what its column is known by."""
    literal, at, number = b"", 0, 0
    while at < len(template):
        mark, form = template[at], 0
        if not 1 <= mark <= 3:
            literal += template[at : at + 1]
            at += 1
            continue
        at += 1
        if mark == 3:
            form = template[at]
            if not 64 <= form < 80:
                raise CorruptError("no form of a time")
            at += 1
        begin = len(literal)
        while begin and literal[begin - 1] not in LETTERS:
            begin -= 1
        while begin and literal[begin - 1] in LETTERS:
            begin -= 1
        h = 0
        for byte in (min(number, 6), *literal[begin:], *([form] if form else []), template[at]):
            h = 33 * h % 2**32 ^ byte
        yield literal, mark, form, (h, mark)
        literal, number = b"", number + 1
    yield literal, 0, 0, (0, 0)


def time_of_day(value: int, form: int) -> bytes:
    bits = form - 64
    between = b"." if bits & 1 else b":"
    fraction = b""
    if bits >> 1 & 3:
        digits = 6 if bits & 8 else 3
        fraction = b" .,:"[bits >> 1 & 3 :][:1] + b"%0*d" % (digits, value % 10**digits)
        value //= 10**digits
    if value >= 360000:
        raise CorruptError("no time")
    return between.join((b"%02d" % (value // 3600), b"%02d" % (value // 60 % 60), b"%02d" % (value % 60))) + fraction


def naive_lines(coded: bytes, size: int, whole: int = 0, plain: int = 0) -> bytes:
    """Return the block of `size` bytes."""
    if not coded and not size:
        return b""
    head = Stream(coded)
    first = head.byte()
    if first == 0:
        if len(coded) - 1 != size:
            raise CorruptError("another size")
        return coded[1:]
    count, templates = head.uleb(), head.uleb()
    sizes = [head.uleb() for _ in range(6)]
    if first > 2 or not 0 < count <= size // 4 or not 0 < templates <= count:
        raise CorruptError("sizes")
    texts = head.take(sizes[0])
    indexes, modes, near, far, again = (Stream(head.take(n)) for n in sizes[1:])
    strings = Stream(head.data[head.at :])
    if texts[-1:] != b"\n" or texts.count(b"\n") != templates:
        raise CorruptError("templates")
    columns: dict[tuple[int, int], int] = {}
    shapes = []
    for text in texts.split(b"\n")[:-1]:
        shape = [*fields_of(text + b"\n")]
        for *_, known in shape[:-1]:
            columns.setdefault(known, len(columns))
        shapes.append(shape)
    if len(modes.data) != len(columns):
        raise CorruptError("columns")
    lines = [indexes.index() for _ in range(count)]
    indexes.end()
    if max(lines) >= templates:
        raise CorruptError("no such template")
    in_column = [0] * len(columns)
    for line in lines:
        for *_, known in shapes[line][:-1]:
            in_column[columns[known]] += 1
    if sum(in_column) > size // 4:
        raise CorruptError("too many fields")
    values: list[Iterator[int | bytes]] = []
    for (_, mark), number in columns.items():
        mode = modes.byte()
        if (mode % 20 == 0 and mode) or mode > 179 or (mode and mark == 2) or (mode != 1 and mark == 3):
            raise CorruptError("no such mode")
        if mode > 20:
            read = plain_numbers(near, far, in_column[number], mode // 20)
        else:
            read = numbers(near, far, in_column[number]) if mode else strings_of(again, strings, in_column[number])
        values.append(iter([b"%0*d" % (mode % 20 - 1, n) for n in read] if mode and mark == 1 else read))
    for stream in (near, far, again, strings):
        stream.end()
    out = b""
    for line in lines:
        for literal, mark, form, known in shapes[line]:
            out += literal
            if mark:
                value = next(values[columns[known]])
                out += time_of_day(value, form) if isinstance(value, int) else value
    if len(out) != size + (first == 2):
        raise CorruptError("another size")
    return out[:size]


def numbers(near: Stream, far: Stream, count: int) -> list[int]:
    found, value = [], 0
    for _ in range(count):
        folded = near.byte()
        if folded >= 200:
            if folded > 207:
                raise CorruptError("too many bytes")
            folded = int.from_bytes(far.take(folded - 199), "big")
            if folded >= 2**63:
                raise CorruptError("too large")
        value += folded // 2 if folded % 2 == 0 else -(folded // 2) - 1
        if not 0 <= value < 10**18:
            raise CorruptError("no such number")
        found.append(value)
    return found


def plain_numbers(near: Stream, far: Stream, count: int, width: int) -> Iterator[int | bytes]:
    for _ in range(count):
        value = int.from_bytes(bytes([near.byte()]) + far.take(width - 1), "big")
        if value >= 10**18:
            raise CorruptError("no such number")
        yield value


def strings_of(again: Stream, strings: Stream, count: int) -> list[bytes]:
    found: list[bytes] = []
    known: list[bytes] = []
    for _ in range(count):
        index = again.index()
        if index == 0:
            if not found:
                raise CorruptError("nothing before")
            found.append(found[-1])
        elif index == 1:
            stop = strings.data.find(b"\n", strings.at)
            if stop < 0:
                raise CorruptError("no end")
            found.append(strings.take(stop - strings.at))
            strings.take(1)
            if len(known) < 2**17:
                known.append(found[-1])
        else:
            if index - 2 >= len(known):
                raise CorruptError("no such text")
            found.append(known[index - 2])
    return found


def log(lines: int) -> bytes:
    """Return lines of a log that nobody wrote."""
    dice, out, clock, job = random.Random(18), [], 50_000_000, 118
    names = ["north", "south", "harbour"]
    for _ in range(lines):
        clock += dice.randrange(900)
        job += dice.randrange(2)
        moment = time_of_day(clock, 64 + 4).decode()
        out.append(
            f"2031-04-{dice.choice((7, 8)):02} {moment} "
            + dice.choice(
                (
                    f"INFO  [worker-{job % 5}] job {job} done in {dice.randrange(4000)} ms",
                    f"WARN  [{dice.choice(names)}] peer 10.1.{dice.randrange(3)}.{dice.randrange(9)} lost, {job % 3}",
                    f"DEBUG [{dice.choice(names)}] cache key=7f{dice.randrange(99):02x}a9b{job % 3}c n=00{job % 9} ok",
                    "INFO  [main] nothing to do",
                )
            )
            + "\n"
        )
    return "".join(out).encode()
