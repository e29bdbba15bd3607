"""Blocks with a segment map each: one type of bytes alone, or many in one block. Engines and references must agree."""

from __future__ import annotations

import math
import random

from nzip.models.cm.layout import AUDIO, BINARY, BITMAP, IMAGE, KEYED, ROWS, TABLE, TEXT
from nzip.models.cm.segments import Stretch


def words(count: int, seed: int = 1) -> bytes:
    dice = random.Random(seed)
    known = ["mixing", "of", "contexts", "Predicts", "the", "next", "bit;", "(and", "a", "coder)", "'spends'", "it.\n"]
    return " ".join(dice.choice(known) for _ in range(count)).encode()


def records(count: int) -> bytes:
    """Records of seven bytes."""
    return b"".join(k.to_bytes(4, "little") + bytes((k * k % 251, 7, 0)) for k in range(count))


def bitmap(rows: int) -> bytes:
    """Rows of 24 bytes: a slanted stripe on a white ground."""
    return b"".join((0x7FF << (120 - 2 * k % 90)).to_bytes(24, "big") for k in range(rows))


def noise(size: int, seed: int = 5) -> bytes:
    return random.Random(seed).randbytes(size)


def picture(size: int, stride: int, row: int) -> bytes:
    """Pixels that rise to the right and fall downwards, some of them to the ends of a byte, with a little noise."""
    dice = random.Random(7)
    out = bytearray()
    for at in range(size):
        y, x, channel = at // row, at % row // stride, at % stride
        out.append(max(0, min(255, 230 - 9 * y + 4 * x + 11 * channel + (dice.randrange(3) if y else 0))))
    return bytes(out)


def sound(size: int, stride: int, width: int, big: bool, phase: int = 0) -> bytes:
    """Samples of a low and a high note, a channel of each; those of one byte have no sign, long ones end with 0."""
    end, high = "big" if big else "little", (1 << (8 * width - 1)) - 1
    out = bytearray()
    for k in range(size // stride + 2):
        frame = bytearray()
        for channel in range(stride // width):
            value = int(high * (0.3 + 0.2 * channel) * math.sin(k / (11 - 2 * channel)))
            value = value >> 8 << 8 if width > 2 else value if width > 1 else value + 128
            frame += value.to_bytes(width, end, signed=width > 1)
        out += frame.ljust(stride, b"\1")
    return bytes(out[phase : phase + size])


def log(lines: int, seed: int = 3) -> bytes:
    """Lines of a log: seconds since 1970 and times of the day, a counter, names and hexadecimal numbers."""
    dice, out, now = random.Random(seed), [], 1_700_000_000
    for k in range(lines):
        now += dice.choice((0, 0, 1, 7, 55))
        hours, minutes, seconds = now // 3600 % 24, now // 60 % 60, now % 60
        host = f"node{dice.randrange(3):02d}"
        out.append(f"{now} {hours:02d}:{minutes:02d}:{seconds:02d}.{dice.randrange(1000):03d} {host} ")
        out.append(f"job[{900 + 3 * k}]: ")
        out.append(dice.choice((f"began on {host}", f"id {dice.getrandbits(32):x} ended", "user=a1 size=007")) + "\n")
    return "".join(out).encode()


def sheet(rows: int) -> bytes:
    """A table with a header and quotes."""
    dice = random.Random(6)
    body = (f'{k},2024-03-{k % 28 + 1:02d},"Hill, {dice.choice("NSEW")}",{k * 5 % 97}.50\n' for k in range(rows))
    return b"id,day,place,fare\n" + "".join(body).encode()


def objects(count: int) -> bytes:
    """JSON lines, and an element of XML."""
    dice = random.Random(8)
    lines = (f'{{"id": {k}, "ok": {dice.choice(("true", "false"))}, "at": [1.{k}, -2]}}\n' for k in range(count))
    return "".join(lines).encode() + b'<node id="7" lat="1.5"><tag k="name"/>x-ray</node>\n'


def _one(data: bytes, kind: int, **shape: int) -> tuple[bytes, list[Stretch]]:
    return data, [Stretch(kind, len(data), **shape)]


def _joined(*parts: tuple[bytes, list[Stretch]]) -> tuple[bytes, list[Stretch]]:
    return b"".join(data for data, _ in parts), [stretch for _, found in parts for stretch in found]


def _sound(size: int, stride: int, width: int, big: bool = False, phase: int = 0) -> tuple[bytes, list[Stretch]]:
    return _one(sound(size, stride, width, big, phase), AUDIO, stride=stride, width=width, big=big, phase=phase)


def _picture(size: int, stride: int, row: int, phase: int = 0) -> tuple[bytes, list[Stretch]]:
    return _one(picture(size + phase, stride, row)[phase:], IMAGE, stride=stride, period=row, phase=phase)


_TEXT = b"the cat sat on the mat, and the dog sat on the cat; "
MAPS = {
    "text": _one(_TEXT + words(70), TEXT),
    "records": _one(records(90), BINARY, period=7),
    "no records": _one(b"\0\1\2\3" * 30 + words(40), BINARY),
    "long records": _one(b"abab" * 50 + records(50), BINARY, period=101),
    "bitmap": _one(bitmap(24), BITMAP, period=24),
    "pixels": _picture(600, 3, 60),
    "grey pixels": _picture(500, 1, 20),
    "pixels as wide as a row": _picture(400, 15, 15),
    "rows that end within a pixel": _picture(500, 4, 50, 31),
    "samples of 16 bits": _sound(600, 4, 2),
    "samples of 24 bits": _sound(500, 6, 3, True, 5),
    "samples of 8 bits": _sound(400, 1, 1),
    "samples of 32 bits": _sound(400, 8, 4, False, 3),
    "frames that are no multiple of samples": _sound(400, 5, 2, True, 2),
    "all types": _joined(
        _one(words(20), TEXT), _one(records(24), BINARY, period=7), _picture(211, 3, 30), _sound(203, 4, 2, phase=3),
        _one(words(20), TEXT), _one(bitmap(6), BITMAP, period=24), _one(words(9), BINARY),
    ),
    "what was known is not forgotten": _joined(
        _picture(100, 5, 25), _one(records(20), BINARY), _one(bitmap(3), BITMAP), _picture(90, 1, 1000),
        _picture(60, 4, 31, 13), _sound(90, 3, 3), _one(b"once more: " + words(20), TEXT),
    ),
}  # fmt: skip

ROW_MAPS = {
    "a log": _one(log(30), ROWS),
    "a table": _one(sheet(60), TABLE, mode=44),
    "objects": _one(objects(50), TABLE, mode=KEYED),
    "rows of noise": _one(noise(40) + sheet(40), TABLE, mode=10),
    "a log in other bytes": _joined(
        _one(words(9), TEXT), _one(log(9), ROWS), _one(records(20), BINARY, period=7),
        _one(sheet(20), TABLE, mode=44), _one(log(9, 4), ROWS),
    ),
}  # fmt: skip


def shortened(name: str, most: int) -> tuple[bytes, list[Stretch]]:
    """Return the block and its map, each stretch cut so that there are `most` bytes in all."""
    block, found = {**MAPS, **ROW_MAPS}[name]
    data, kept, at = b"", [], 0
    for stretch in found:
        length = min(stretch.length, max(1, stretch.length * most // len(block)))
        data += block[at : at + length]
        kept.append(stretch._replace(length=length))
        at += stretch.length
    return data, kept
