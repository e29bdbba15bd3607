"""Samples of tracker modules: what the finder says of small ones of each kind."""

import random
import struct

import pytest

from nzip.formats.content.containers import modules, search
from nzip.registry import OPENERS

DRAW = random.Random(2)
FIRST, SECOND = (bytes(DRAW.randrange(256) for _ in range(size)) for size in (600, 1000))


def impulse() -> bytes:
    head = b"IMPM" + bytes(28) + struct.pack("<HHHH", 2, 0, 4, 0) + bytes(0xC0 - 0x28) + b"\0\1"
    place = len(head) + 16
    offsets, heads, data = b"", b"", b""
    for flags, sample in ((1, FIRST), (3, SECOND), (9, FIRST), (1, b"short")):
        offsets += struct.pack("<I", place + len(heads))
        begin = place + 4 * 80 + len(data)
        length = len(sample) // (2 if flags & 2 else 1)
        heads += (b"IMPS" + bytes(14) + bytes((flags,))).ljust(0x30, b"\0") + struct.pack("<I", length) + bytes(20)
        heads += struct.pack("<I", begin) + bytes(4)
        data += sample
    return head + offsets + heads + data


def scream() -> bytes:
    head = (bytes(32) + struct.pack("<HHH", 2, 2, 0) + bytes(6) + b"SCRM").ljust(0x60, b"\0") + b"\0\1"
    instruments, data = b"", b""
    for flags, sample in ((0, FIRST), (4, SECOND)):
        begin = (0x80 + 2 * 0x50 + len(data)) // 16
        length = len(sample) // (2 if flags & 4 else 1)
        place = bytes((begin >> 16,)) + struct.pack("<HI", begin & 0xFFFF, length)
        one = (b"\1" + bytes(12) + place).ljust(0x1F, b"\0")
        instruments += (one + bytes((flags,))).ljust(0x4C, b"\0") + b"SCRS"
        data += sample.ljust(-(-len(sample) // 16) * 16, b"\0")
    return (head + struct.pack("<HH", 8, 13)).ljust(0x80, b"\0") + instruments + data


def fast() -> bytes:
    head = b"Extended Module: ".ljust(60, b" ") + struct.pack("<IHHHHH", 276, 1, 0, 4, 1, 2) + bytes(262)
    pattern = struct.pack("<IBHH", 9, 0, 64, 5) + bytes(5)
    data = b""
    for flags, sample in ((0, FIRST), (16, SECOND)):
        instrument = (struct.pack("<I", 263) + bytes(23) + struct.pack("<HI", 1, 40)).ljust(263, b"\0")
        data += instrument + (struct.pack("<I", len(sample)) + bytes(10) + bytes((flags,))).ljust(40, b"\0") + sample
    return head + pattern + data


def pro() -> bytes:
    heads = b"".join(bytes(22) + struct.pack(">H", size // 2) + bytes(6) for size in (600, 0, 1000, *[0] * 28))
    return bytes(20) + heads + bytes((2, 127, 0, 1)).ljust(130, b"\0") + b"M.K." + bytes(2048) + FIRST + SECOND


@pytest.mark.parametrize(
    ("data", "word", "widths"),
    [(impulse(), 0, (1, 2)), (scream(), 44, (1, 2)), (pro(), 1080, (1, 1))],
    ids=["it", "s3m", "mod"],
)
def test_samples(data: bytes, word: int, widths: tuple[int, ...]) -> None:
    data = b"before" + data + b"behind"
    found = modules.find(data, 6 + word, search.budget_of(1))
    assert [data[each.start : each.stop] for each in found] == [FIRST, SECOND]
    segments = [each.segment for each in found if each.segment is not None]
    assert [(one.kind, one.width, one.length) for one in segments] == [
        ("audio", width, len(sample)) for width, sample in zip(widths, (FIRST, SECOND), strict=True)
    ]


def test_samples_that_are_differences() -> None:
    data = fast()
    found = modules.find(data, 0, search.budget_of(1))
    assert [data[each.start : each.stop] for each in found] == [FIRST, SECOND]
    opened = [OPENERS.by_name(each.opener).open(data[each.start : each.stop], 5000, **each.hints) for each in found]
    assert opened[0] is not None
    assert list(opened[0].inner[:3]) == [sum(FIRST[: k + 1]) % 256 for k in range(3)]
    assert found[1].hints["width"] == 2


@pytest.mark.parametrize(
    ("data", "word"), [(impulse(), 0), (scream(), 44), (fast(), 0), (pro(), 1080)], ids=["it", "s3m", "xm", "mod"]
)
def test_damage(data: bytes, word: int) -> None:
    for cut in range(0, len(data), 7):
        assert all(each.stop <= cut for each in modules.find(data[:cut], word, search.budget_of(1)))
    for k in range(min(len(data), 1200)):
        broken = data[:k] + bytes((data[k] ^ 0xFF,)) + data[k + 1 :]
        found = modules.find(broken, word, search.budget_of(1))
        assert all(each.stop <= len(data) for each in found)
        assert len(found) <= 4
