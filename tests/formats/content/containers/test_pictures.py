"""GIF, TIFF and pictures behind headers of Windows' bitmaps: what the finders say of them."""

import base64
import random
import struct
from typing import Any

import pytest
from naive_encodings import close_fax, close_lzw, close_packbits

from nzip.formats.container.wire import uleb
from nzip.formats.content.containers import dib, gif, psd, search, tiff
from nzip.formats.content.containers.base import Found
from nzip.formats.content.kinds import Segment
from nzip.registry import OPENERS

DRAW = random.Random(8)


class AnySize(int):
    """A size that equals every other."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def grown(data: bytes, found: list[Found]) -> list[tuple[bytes, Segment]]:
    """The leaves that are pictures, with what they hold."""
    leaves: list[tuple[bytes, Segment]] = []
    at = 0
    for each in found:
        assert at <= each.start < each.stop <= len(data)
        at = each.stop
        coded = data[each.start : each.stop]
        if each.segment is not None:
            leaves.append((coded, each.segment))
            continue
        opened = OPENERS.by_name(each.opener).open(coded, 1 << 24, **each.hints)
        assert opened is not None
        assert each.inside is not None
        leaves += grown(opened.inner, list(each.inside(opened.inner)))
    return leaves


def gif_file(frames: list[tuple[int, int, int, int, bytes, int]], palette: bytes) -> bytes:
    """A GIF of frames (left, top, width, height, pixels, flags)."""
    out = b"GIF89a" + struct.pack("<HHBBB", 99, 99, 0xF7, 0, 0) + palette
    for left, top, width, height, pixels, flags in frames:
        recipe = bytes.fromhex("0c08ff" if flags & 0x40 else "0408ff") + (uleb(width) if flags & 0x40 else b"")
        out += b"\x21\xf9\4\0\0\0\0\0" + b"\x2c" + struct.pack("<HHHHB", left, top, width, height, flags)
        out += close_lzw(pixels, recipe + bytes.fromhex("00010500"), AnySize())
    return out + b";"


def pixels(width: int, height: int) -> bytes:
    return bytes((x // 3 + y // 2 + DRAW.randrange(2)) % 256 for y in range(height) for x in range(width))


COLOURS = random.Random(1).randbytes(768)
GREYS = bytes(k for k in range(256) for _ in range(3))


def test_frames_of_a_gif() -> None:
    places = [(0, 0, 40, 30, 0), (0, 5, 40, 20, 0x40), (1, 0, 40, 20, 0)]
    frames = [(*place[:4], pixels(*place[2:4]), place[4]) for place in places]
    data = b"before" + gif_file(frames, COLOURS) + b"behind"
    leaves = grown(data, gif.find(data, 6, search.budget_of(1)))
    assert [leaf for leaf, _ in leaves] == [frame[4] for frame in frames]
    assert [(one.kind, one.row, one.stride, one.indexed) for _, one in leaves] == [("image", 40, 1, True)] * 3
    assert [one.frame for _, one in leaves] == [0, 40 * 30 - 40 * 5, 0]


def test_a_gif_of_greys_has_samples() -> None:
    data = gif_file([(0, 0, 40, 30, pixels(40, 30), 0)], GREYS)
    assert [one.indexed for _, one in grown(data, gif.find(data, 0, search.budget_of(1)))] == [False]


def test_a_gif_that_is_cut_off() -> None:
    data = gif_file([(0, 0, 40, 30, pixels(40, 30), 0), (0, 0, 40, 30, pixels(40, 30), 0)], COLOURS)
    for cut in range(len(data)):
        found = gif.find(data[:cut], 0, search.budget_of(1))
        assert all(each.stop <= cut for each in found)
        assert len(found) <= 2
    for k in range(0, len(data), 3):
        broken = bytearray(data)
        broken[k] ^= 0xFF
        assert all(each.stop <= len(data) for each in gif.find(bytes(broken), 0, search.budget_of(1)))


def tiff_file(fields: dict[int, tuple[int, ...]], strips: list[bytes], order: str = "<", gap: int = 0) -> bytes:
    """A TIFF with strips, then its directory."""
    data = (b"II*\0" if order == "<" else b"MM\0*") + bytes(4)
    offsets = []
    for strip in strips:
        offsets.append(len(data))
        data += strip + bytes(gap)
    fields = {**fields, 273: tuple(offsets), 279: tuple(map(len, strips))}
    extra, entries = b"", b""
    end = len(data) + 2 + 12 * len(fields) + 4
    for tag, values in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(packed) > 4:
            place = struct.pack(f"{order}I", end + len(extra))
            extra += packed
        else:
            place = packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + place
    directory = struct.pack(f"{order}H", len(fields)) + entries + bytes(4) + extra
    return data[:4] + struct.pack(f"{order}I", len(data)) + data[8:] + directory


def lzw(data: bytes) -> bytes:
    return close_lzw(data, bytes.fromhex("030800010500"), AnySize())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("gap", [0, 1])
def test_strips_of_a_tiff_are_one_picture(order: str, gap: int) -> None:
    rows = pixels(60, 50)
    fields: dict[int, tuple[int, ...]] = {256: (20,), 257: (50,), 258: (8, 8, 8), 259: (5,), 277: (3,), 278: (16,)}
    data = tiff_file(fields, [lzw(rows[k : k + 960]) for k in range(0, 3000, 960)], order, gap)
    [(leaf, segment)] = grown(data, tiff.find(data, 0, search.budget_of(1)))
    assert leaf == rows
    assert (segment.kind, segment.row, segment.stride, segment.channels) == ("image", 60, 3, 3)


def test_differences_and_planes_of_a_tiff() -> None:
    rows = pixels(20, 50)
    fields: dict[int, tuple[int, ...]] = {256: (20,), 257: (25,), 258: (8, 8), 259: (5,), 277: (2,), 278: (25,)}
    data = tiff_file({**fields, 284: (2,), 317: (2,)}, [lzw(rows[:500]), lzw(rows[500:])])
    [(leaf, segment)] = grown(data, tiff.find(data, 0, search.budget_of(1)))
    assert (segment.row, segment.stride, segment.channels, segment.frame) == (40, 2, 2, 0)
    assert leaf[:4] == bytes((rows[0], rows[500], (rows[0] + rows[1]) % 256, (rows[500] + rows[501]) % 256))


def test_planes_of_16_bits_stay_apart() -> None:
    rows = pixels(40, 50)
    fields: dict[int, tuple[int, ...]] = {256: (20,), 257: (25,), 258: (16, 16), 259: (5,), 277: (2,), 278: (25,)}
    data = tiff_file({**fields, 284: (2,)}, [lzw(rows[:1000]), lzw(rows[1000:])])
    [(leaf, segment)] = grown(data, tiff.find(data, 0, search.budget_of(1)))
    assert leaf == rows
    assert (segment.row, segment.width, segment.stride, segment.frame) == (40, 2, 2, 1000)


def test_a_facsimile_in_a_tiff() -> None:
    rows = bytes(DRAW.randrange(256) & DRAW.randrange(256) for _ in range(40 * 25))
    fields: dict[int, tuple[int, ...]] = {256: (320,), 257: (25,), 258: (1,), 259: (4,), 278: (25,)}
    data = tiff_file(fields, [close_fax(rows, bytes.fromhex("00c0020101"), AnySize())])
    [(leaf, segment)] = grown(data, tiff.find(data, 0, search.budget_of(1)))
    assert leaf == rows
    assert (segment.kind, segment.row) == ("bitmap", 40)


def test_a_facsimile_in_a_pdf() -> None:
    rows = bytes(DRAW.randrange(256) & DRAW.randrange(256) for _ in range(40 * 25))
    coded = close_fax(rows, bytes.fromhex("00c0020101"), AnySize())
    words = b"%PDF-1.4\n1 0 obj\n<</Filter /CCITTFaxDecode /DecodeParms <</K -1 /Columns 320>> /Height 25>>\n"
    data = words + b"stream\n" + coded + b"\nendstream\nendobj\n"
    [(leaf, segment)] = grown(data, list(search.find(data)))
    assert leaf == rows
    assert (segment.kind, segment.row) == ("bitmap", 40)
    assert search.find(data.replace(b"/K -1", b"/K 0")) == []


def test_base_85_of_a_pdf_with_two_ends_a_line() -> None:
    text = base64.a85encode(COLOURS)
    broken = b"\r\r".join(text[k : k + 81] for k in range(0, len(text), 81))
    data = b"1 0 obj\n<</Filter /ASCII85Decode>>\nstream\r\n" + broken + b"~>\r\nendstream\nendobj\n"
    [found] = search.find(data)
    assert OPENERS.by_name(found.opener).open(data[found.start : found.stop], 1 << 20, **found.hints).inner == COLOURS


def test_a_tiff_without_compression() -> None:
    rows = pixels(60, 50)
    fields: dict[int, tuple[int, ...]] = {256: (10,), 257: (50,), 258: (16,) * 3, 277: (3,), 278: (50,)}
    data = b"before" + tiff_file(fields, [rows], ">")
    [(leaf, segment)] = grown(data, tiff.find(data, 6, search.budget_of(1)))
    assert leaf == rows
    assert (segment.width, segment.row, segment.big) == (2, 60, True)


def test_a_tiff_that_is_damaged() -> None:
    rows = pixels(20, 50)
    fields: dict[int, tuple[int, ...]] = {256: (20,), 257: (50,), 258: (8,), 259: (5,), 278: (25,), 284: (1,)}
    data = tiff_file(fields, [lzw(rows[:500]), lzw(rows[500:])])
    for k in range(len(data)):
        for value in (0, 255, data[k] ^ 1):
            broken = data[:k] + bytes((value,)) + data[k + 1 :]
            for each in tiff.find(broken, 0, search.budget_of(1)):
                assert each.stop <= len(data)
        assert all(each.stop <= k for each in tiff.find(data[:k], 0, search.budget_of(1)))


@pytest.mark.parametrize(
    ("bits", "height", "stated", "expected"),
    [
        (24, 100, 0, {"kind": "image", "channels": 3, "row": 300}),
        (32, -100, 100 * 400, {"kind": "image", "channels": 4, "row": 400}),
        (32, 200, 0, {"kind": "image", "channels": 4, "row": 400, "length": 40000}),
        (24, 200, 100 * 300 + 100 * 16, {"kind": "image", "channels": 3, "row": 300, "length": 30000}),
        (1, 4000, 0, {"kind": "bitmap", "row": 16}),
        (16, 100, 0, {}),
        (24, 100, 7, {}),
        (24, 20, 0, {}),
    ],
)
def test_a_picture_behind_a_header(bits: int, height: int, stated: int, expected: dict[str, Any]) -> None:
    head = struct.pack("<IiiHHIIiiII", 40, 100, height, 1, bits, 0, stated, 0, 0, 0, 0)
    data = b"x" + head + DRAW.randbytes(70_000)
    found = dib.find(data, 1, search.budget_of(1))
    assert len(found) == (1 if expected else 0)
    for each in found:
        assert each.segment is not None
        assert {name: getattr(each.segment, name) for name in expected} == expected
        assert each.stop - each.start == each.segment.length <= len(data)
    assert dib.find(data[:300], 1, search.budget_of(1)) == []


def packed(rows: bytes, row: int) -> bytes:
    """Rows as libtiff packs them."""
    return close_packbits(rows, bytes.fromhex("010202") + b"\x80\x80" + uleb(row) + b"\1\0\0", AnySize())


def test_runs_in_a_tiff() -> None:
    rows = b"".join(bytes((DRAW.randrange(3),)) * DRAW.choice((1, 1, 2, 5, 200)) for _ in range(3000))[: 100 * 90]
    fields = {256: (100,), 257: (90,), 258: (8,), 259: (32773,), 277: (1,), 278: (40,)}
    data = tiff_file(fields, [packed(rows[k : k + 4000], 100) for k in range(0, 9000, 4000)])
    [(leaf, segment)] = grown(data, tiff.find(data, 0, search.budget_of(1)))
    assert (leaf, segment.kind, segment.row, segment.channels) == (rows, "image", 100, 1)


def psd_file(large: bool, mode: int, layers: list[tuple[int, int, list[bytes]]], whole: list[bytes]) -> bytes:
    """A Photoshop file of packed pictures of 40 columns; layers are (top, rows, channels)."""
    wide, entry = (">Q", 4) if large else (">I", 2)

    def coded(channels: list[bytes]) -> bytes:
        rows = [packed(plane[k : k + 40], 40) for plane in channels for k in range(0, len(plane), 40)]
        return b"\0\1" + b"".join(len(row).to_bytes(entry, "big") for row in rows) + b"".join(rows)

    records, pixels = b"", b""
    for top, height, channels in layers:
        records += struct.pack(">iiiiH", top, 0, top + height, 40, len(channels))
        for number, channel in enumerate(channels):
            records += struct.pack(">h", number - 1) + struct.pack(wide, len(coded([channel])))
            pixels += coded([channel])
        records += b"8BIMnorm\xff\0\0\0" + struct.pack(">I", 4) + b"name"
    section = struct.pack(">h", -len(layers)) + records + pixels
    section = struct.pack(wide, len(section)) + section if layers else b""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 2 if large else 1, len(whole), len(whole[0]) // 40, 40, 8, mode)
    head += struct.pack(">I3sI5s", 3, b"col", 5, b"resou")
    return head + struct.pack(wide, len(section)) + section + coded(whole)


@pytest.mark.parametrize("large", [False, True])
def test_layers_and_the_whole_of_a_photoshop_file(large: bool) -> None:
    planes = [pixels(40, 30) for _ in range(3)]
    layer = [bytes(40 * 10) + pixels(40, 10), pixels(40, 20)]
    data = b"before" + psd_file(large, 3, [(5, 20, layer)], planes) + b"behind"
    found = psd.find(data, 6, search.budget_of(1))
    assert [each.opener for each in found] == ["packbits"] * 3
    assert [opened(data, each) for each in found] == [*layer, b"".join(planes)]
    leaves = [leaf for each in found[:2] for leaf in grown(data, [each])]
    assert [(segment.row, segment.channels) for _, segment in leaves] == [(40, 1)] * 2
    [shuffled] = found[2].inside(b"".join(planes)) if found[2].inside else []
    assert shuffled.opener == "shuffle"
    assert [(each.start, each.stop) for each in search.find(data)] == [(each.start, each.stop) for each in found]


def opened(data: bytes, found: Found) -> bytes:
    inner: bytes = OPENERS.by_name(found.opener).open(data[found.start : found.stop], 1 << 24, **found.hints).inner
    return inner


def test_a_photoshop_file_that_is_damaged() -> None:
    data = psd_file(False, 1, [(0, 20, [pixels(40, 20)])] * 2, [pixels(40, 30)])
    for k in range(0, len(data), 3):
        for cut in (data[:k], data[:k] + bytes((data[k] ^ 0xFF,)) + data[k + 1 :], data[:k] + b"\xff" * 8 + data[k:]):
            at = 0
            for each in psd.find(cut, 0, search.budget_of(1)):
                assert at <= each.start < each.stop <= len(cut)
                at = each.stop
