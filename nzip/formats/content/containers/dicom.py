"""Pictures of DICOM files (PS3.5 of the standard, 7.1 and 8) that are not compressed."""

from __future__ import annotations

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.kinds import Segment

PREAMBLE, MARK = 128, b"DICM"
EXPLICIT, IMPLICIT = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0"  # transfer syntaxes, lowest byte first
LONG = frozenset((b"OB", b"OW", b"OF", b"SQ", b"UT", b"UN", b"OD", b"OL", b"UC", b"UR"))
SYNTAX, FRAMES, PIXELS = b"\2\0\x10\0", b"\x28\0\x08\0", b"\xe0\x7f\x10\0"
CHANNELS, PLANAR, ROWS, COLUMNS, BITS = (
    b"\x28\0\2\0", b"\x28\0\6\0", b"\x28\0\x10\0", b"\x28\0\x11\0", b"\x28\0\0\1",
)  # fmt: skip
NUMBERS = frozenset((CHANNELS, PLANAR, ROWS, COLUMNS, BITS))
MOST = 10_000  # elements that are looked at


def find(data: bytes, start: int, budget: Budget) -> list[Found]:
    """Return the pixels of a file that begins at `start` of `data`, if elements of known lengths lead to them."""
    at, explicit, frames = start + PREAMBLE + len(MARK), True, 1
    found = {CHANNELS: 1, PLANAR: 0, ROWS: 0, COLUMNS: 0, BITS: 0}
    for _ in budget.steps(MOST):
        tag, kind = data[at : at + 4], data[at + 4 : at + 6]
        if not explicit and tag[:2] != b"\2\0":
            length, begin = int.from_bytes(data[at + 4 : at + 8], "little"), at + 8
        elif kind in LONG:
            length, begin = int.from_bytes(data[at + 8 : at + 12], "little"), at + 12
        else:
            length, begin = int.from_bytes(data[at + 6 : at + 8], "little"), at + 8
        if begin + length > len(data):
            return []
        value = data[begin : begin + min(length, 64)]
        if tag == SYNTAX:
            if value not in (EXPLICIT, IMPLICIT):
                return []
            explicit = value == EXPLICIT
        elif tag == FRAMES and value.strip(b" \0").isdigit():
            frames = int(value.strip(b" \0"))
        elif tag in NUMBERS:
            found[tag] = int.from_bytes(value[:2], "little")
        elif tag == PIXELS:
            return _pixels(begin, length, found, frames)
        at = begin + length
    return []


def _pixels(begin: int, length: int, found: dict[bytes, int], frames: int) -> list[Found]:
    width, channels = found[BITS] // 8, found[CHANNELS]
    if found[PLANAR] and channels > 1:
        frames, channels = frames * channels, 1
    row = found[COLUMNS] * channels * width
    size = row * found[ROWS]
    if found[BITS] not in (8, 16) or not 1 <= channels <= 4 or not 0 < size <= length:
        return []
    count = max(1, min(frames, length // size))
    segment = Segment(
        "image", size * count, width=width, channels=channels, stride=width * channels, row=row,
        frame=size if count > 1 else 0, confidence=95,
    )  # fmt: skip
    return [Found(begin, begin + size * count, segment=segment)]
