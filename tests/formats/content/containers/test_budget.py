"""Files made so that finders read the same bytes again and again: what they step through is bounded all the same."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from nzip.formats.content.containers import search, streams
from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import STEP, Budget

WORD = b"\x89PNG\r\n\x1a\n"


def directories(count: int) -> bytes:
    """A TIFF file whose directories have one field many times."""
    first = 8 + 4096
    fields = struct.pack("<HHII", 273, 1, 4096, 8) * 512
    out = b"II*\0" + struct.pack("<I", first) + bytes(4096)
    for number in range(count):
        following = first + (number + 1) * (len(fields) + 6) if number < count - 1 else 0
        out += struct.pack("<H", 512) + fields + struct.pack("<I", following)
    return out


def one_directory(count: int) -> bytes:
    """TIFF headers that share one directory."""
    place = 8 * count + 4096
    heads = b"".join(b"II*\0" + struct.pack("<I", place - 8 * k) for k in range(count))
    return heads + bytes(4096) + struct.pack("<H", 512) + struct.pack("<HHII", 273, 1, 4096, 0) * 512 + bytes(4)


def gif(mark: bytes) -> bytes:
    unit = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + mark
    return unit + bytes((len(unit),))


def layers(count: int) -> bytes:
    """PSD headers that share one section of layers."""
    layer = struct.pack(">iiiiH", 0, 0, 1, 1, 56) + struct.pack(">hI", 0, 0) * 56 + bytes(16)
    body = struct.pack(">h", 500) + layer * 500
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 10, 10, 8, 3) + bytes(4)
    heads = b"".join(head + struct.pack(">I", (count - 1 - k) * (len(head) + 4)) for k in range(count))
    return heads + struct.pack(">II", len(body) + 4, len(body)) + body + bytes(100)


def dicom(count: int) -> bytes:
    """Where WAVE files might begin that are also DICOM files, each of whose elements is followed by the next."""
    unit = b"RIFF" + struct.pack("<HH", 0, 0)
    head = unit * 16 + b"DICM"
    return head * 2 + (b"\2\0\1\0UL\0\0" * 100 + head) * count


def members(count: int) -> bytes:
    """Members of a ZIP file whose directory names another one at the end."""
    local = b"PK\3\4" + bytes(22) + struct.pack("<HH", 1, 0) + b"a"
    central = b"".join(
        b"PK\1\2" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, len(local) * k) + b"ab"[k == count - 1 :][:1]
        for k in range(count)
    )
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(central), len(local) * count, 0)
    return local * count + central + end


SHAPES = {
    "tiff": directories(40),
    "tiffs": one_directory(300),
    "gif": gif(b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2") * 2000,
    "extensions": gif(b"!\xff") * 2000,
    "psd": layers(60),
    "impulse": b"IMPM" * 2000,
    "scream": bytes(44) + b"SCRM" * 2000,
    "fast": b"Extended Module: " * 500,
    "protracker": bytes(1080) + b"M.K." * 2000,
    "png": WORD + (struct.pack(">I", 8) + b"abcd" + WORD + bytes(4)) * 2000,
    "jpeg": b"\xff\xd8\xff\xfe\0\4" * 4000,
    "riff": (b"RIFF\4\0\0\0WAVE") * 4000,
    "aiff": (b"FORM\0\0\0\4AIFF") * 4000,
    "dicom": dicom(40),
    "zip": members(400),
    "stream": b"/LZWDecode stream\n" * 2000,
}  # fmt: skip


class Counted(Budget):
    """Counts the steps that are asked for, also those that are refused."""

    def __init__(self, size: int):
        super().__init__(size, search.found_in)
        self.asked = self.taken = 0

    def walk(self, count: int = STEP) -> bool:
        self.asked += 1
        self.taken += count
        return super().walk(count)


def searched(data: bytes, budget: Budget) -> Iterable[Found]:
    return list(search.found_in(data, (0,), budget=budget))


@pytest.mark.parametrize("name", SHAPES)
def test_who_cannot_pay_finds_nothing_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = SHAPES[name]
    monkeypatch.setattr(streams, "ROOM", 1 << 16)
    budget = Counted(len(data))
    places = 2 + data.count(b"II*\0") + len(data) // 4  # where a word may stand, at most
    before = budget.walked
    searched(data, budget)
    # Each place asks once or twice more when nothing is left; the last one to be paid for may cost the file's length.
    assert budget.asked <= before // STEP + 3 * places
    assert min(budget.walked, 0) >= -(16 * len(data) + 3 * STEP * places + 2 * 4096 * places)


@pytest.mark.parametrize("name", SHAPES)
def test_every_step_is_paid_for(name: str) -> None:
    """What is read again and again costs in proportion: twice the headers, twice the steps or more."""
    budget = Counted(len(SHAPES[name]))
    searched(SHAPES[name], budget)
    assert budget.asked > 30


def test_a_budget_that_is_spent() -> None:
    budget = Budget(0, search.found_in)
    budget.walked = 3 * STEP
    assert list(budget.steps(9)) == [0, 1, 2]
    assert not budget.walk(1) and list(budget.steps(9)) == []


def test_the_first_of_fields_that_are_there_twice_counts() -> None:
    from nzip.formats.content.containers import tiff

    fields = [(256, 4, 1, 9), (256, 4, 1, 11)]
    data = b"II*\0" + struct.pack("<IH", 8, 2) + b"".join(struct.pack("<HHII", *each) for each in fields) + bytes(4)
    assert tiff._fields(data, 0, 8, "little", Budget(9, search.found_in)) == ({256: (9,)}, 0)
