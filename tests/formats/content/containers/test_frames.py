"""Pictures of DICOM files and frames of YUV4MPEG2 files: what the finders say of them."""

from __future__ import annotations

import random
import struct

import pytest

from nzip.formats.content.containers import dicom, search, y4m
from nzip.formats.content.kinds import Segment


def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH", group, number) + kind
    if kind in dicom.LONG:
        return head + bytes(2) + struct.pack("<I", len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def dicom_file(
    rows: int, columns: int, *, bits: int = 16, channels: int = 1, frames: int = 1, syntax: bytes = dicom.EXPLICIT
) -> bytes:
    def number(value: int) -> bytes:
        return struct.pack("<H", value)

    pixels = bytes(k % 251 for k in range(rows * columns * channels * frames * bits // 8))
    return bytes(128) + dicom.MARK + b"".join((
        element(2, 0x10, b"UI", syntax), element(8, 0x1140, b"SQ", bytes(20)),
        element(0x28, 2, b"US", number(channels)),
        element(0x28, 8, b"IS", b"%d " % frames), element(0x28, 0x10, b"US", number(rows)),
        element(0x28, 0x11, b"US", number(columns)), element(0x28, 0x100, b"US", number(bits)),
        element(0x7FE0, 0x10, b"OW", pixels), b"behind",
    ))  # fmt: skip


def y4m_file(width: int, height: int, form: bytes, size: int, frames: int = 3) -> bytes:
    head = b"YUV4MPEG2 W%d H%d F25:1%s\n" % (width, height, form and b" C" + form)
    return head + b"".join(b"FRAME\n" + bytes((k + 7 * n) % 251 for k in range(size)) for n in range(frames)) + b"end"


def leaves(data: bytes) -> list[tuple[int, int, Segment]]:
    found = search.find(data)
    assert all(each.segment is not None and each.segment.length == each.stop - each.start for each in found)
    return [(each.start, each.stop, each.segment) for each in found if each.segment is not None]


def test_pixels_of_dicom() -> None:
    data = dicom_file(20, 30)
    ((start, stop, segment),) = leaves(data)
    assert data[stop:] == b"behind"
    assert (stop - start, segment.kind, segment.width, segment.row, segment.frame) == (1200, "image", 2, 60, 0)
    ((_, _, segment),) = leaves(dicom_file(20, 30, bits=8, channels=3, frames=4))
    assert (segment.stride, segment.row, segment.frame, segment.length) == (3, 90, 1800, 7200)


@pytest.mark.parametrize("syntax", [b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.2\0"])
def test_compressed_dicom_is_left(syntax: bytes) -> None:
    assert not dicom.find(dicom_file(20, 30, syntax=syntax), 0, search.budget_of(1))


def test_dicom_that_is_cut_or_changed() -> None:
    data = dicom_file(9, 9)
    dice = random.Random(1)
    for _ in range(300):
        wrong = bytearray(data[: dice.randrange(140, len(data))])
        for _ in range(3):
            wrong[dice.randrange(132, len(wrong))] = dice.randrange(256)
        for each in dicom.find(bytes(wrong), 0, search.budget_of(1)):
            assert 0 <= each.start < each.stop <= len(wrong)
    assert not dicom.find(dicom_file(9, 9, bits=12), 0, search.budget_of(1))


@pytest.mark.parametrize(
    ("form", "size", "planes"),
    [
        (b"", 16 * 12 + 2 * 8 * 6, 3), (b"420jpeg", 16 * 12 + 2 * 8 * 6, 3), (b"422", 2 * 16 * 12, 3),
        (b"444", 3 * 16 * 12, 3), (b"mono", 16 * 12, 1), (b"420p10", 2 * (16 * 12 + 2 * 8 * 6), 3),
    ],
)  # fmt: skip
def test_planes_of_frames(form: bytes, size: int, planes: int) -> None:
    data = y4m_file(16, 12, form, size)
    found = leaves(data)
    assert len(found) == 3 * planes
    assert sum(stop - start for start, stop, _ in found) == 3 * size
    assert {segment.width for _, _, segment in found} == {2 if b"p10" in form else 1}
    assert found[0][2].row == 16 * found[0][2].width
    distances = {after[0] - before[0] for before, after in zip(found, found[planes:], strict=False)}
    assert distances == {size + 6}


def test_frames_that_are_cut() -> None:
    data = y4m_file(16, 12, b"420", 16 * 12 + 2 * 8 * 6)
    assert len(y4m.find(data[:-4], 0, search.budget_of(1))) == 6
    for wrong in (b"YUV4MPEG2 W16\nFRAME\n", b"YUV4MPEG2 W16 H12 C444alpha\nFRAME\n", b"YUV4MPEG2 W0 H9\nFRAME\n"):
        assert not y4m.find(wrong + bytes(9999), 0, search.budget_of(1))
