"""What the search finds in small files of every kind, and in bytes made to keep it busy."""

from __future__ import annotations

import base64
import random
import struct
import time
import zlib
from pathlib import Path

import pytest
from formats.openers import made
from formats.openers.made import Member, deflated, gzip_of, image_header, png_of, words, zip_of, zlib_of
from hypothesis import given
from hypothesis import strategies as st
from numba import config

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.search import find
from nzip.formats.content.tree import Branch, Leaf, Tree, grow, leaves
from nzip.settings import Room

TEXT = words(400)
NOISE = random.Random(9).randbytes(3000).replace(b"\x78", b"\0")
MOST = Room(1 << 24, 1 << 24)


def rebuilt(tree: Tree) -> bytes:
    return b"".join(
        node.data if isinstance(node, Leaf) else node.opener.close(rebuilt(node.children), node.recipe, node.size)
        for node in tree
    )


def shape(tree: Tree) -> list[object]:
    """Return the names of the openers and of what leaves are said to hold, as they lie in each other."""
    out: list[object] = []
    for node in tree:
        if isinstance(node, Branch):
            out.append((node.opener.name, *shape(node.children)))
        elif node.segment is not None:
            out.append(node.segment.kind)
    return out


def opened(data: bytes) -> list[object]:
    tree = grow(data, MOST)
    assert rebuilt(tree) == data
    return shape(tree)


def jpeg(name: str = "baseline_420") -> bytes:
    """Return a JPEG file."""
    return (Path(__file__).parents[2] / "jpeg" / "files" / f"{name}.jpg").read_bytes()


def rows(columns: int, count: int) -> bytes:
    return b"".join(b"\1" + bytes((x * y) % 251 for x in range(columns)) for y in range(count))


PNG = png_of(rows(30, 40), image_header(10, 40), 500)
WAV = b"RIFF" + struct.pack("<I", 236) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
WAV += b"data" + struct.pack("<I", 200) + bytes(range(200))


@pytest.mark.parametrize("around", [b"", TEXT[:200], NOISE], ids=["alone", "in text", "in noise"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (zlib_of(TEXT), [("zlib",)]),
        (zlib_of(TEXT)[:-4] + b"none", [("deflate",)]),
        (gzip_of(TEXT), [("gzip",)]),
        (gzip_of(TEXT) + gzip_of(TEXT[::-1]), [("gzip",), ("gzip",)]),
        (gzip_of(gzip_of(TEXT) * 40), [("gzip", *[("gzip",)] * 40)]),
        (PNG, [("png", ("rows", "image"))]),
        (jpeg(), ["image-jpeg"]),
        (jpeg("progressive_420"), ["image-jpeg"]),
        (zip_of([Member(b"a.txt", TEXT), Member(b"b.png", PNG, 0)]), [("zip", "binary", ("png", ("rows", "image")))]),
        (zip_of([Member(b"s.wav", WAV), Member(b"b.jpg", jpeg())]), [("zip", "binary", "audio", "image-jpeg")]),
    ],
)
def test_files_are_found_in_anything(data: bytes, expected: list[object], around: bytes) -> None:
    assert opened(around + data + around) == expected


def test_a_picture_in_an_archive_in_an_archive_in_an_archive() -> None:
    inner = zip_of([Member(b"p.png", PNG, 0), Member(b"t.txt", TEXT)])
    outer = gzip_of(zip_of([Member(b"inner.zip", inner), Member(b"more.txt", TEXT)]))
    assert opened(outer) == [("gzip", ("zip", "binary", ("zip", "binary", ("png", ("rows", "image")))))]


@pytest.mark.parametrize(
    ("depth", "colour", "expected"),
    [(8, 0, (1, 1, False)), (8, 2, (1, 3, False)), (8, 3, (1, 1, True)), (8, 4, (1, 2, False)), (8, 6, (1, 4, False)),
     (16, 0, (2, 1, False)), (16, 6, (2, 4, False)), (4, 3, (1, 1, True)), (2, 0, (1, 1, True))],
)  # fmt: skip
def test_pixels_of_png(depth: int, colour: int, expected: tuple[int, int, bool]) -> None:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = (24 * depth * channels + 7) // 8
    data = png_of(rows(row, 30), image_header(24, 30, depth, colour))
    (png,) = grow(data, MOST)
    assert isinstance(png, Branch)
    (pixels,) = [node for node in png.children if isinstance(node, Branch)]
    (leaf,) = pixels.children
    assert isinstance(leaf, Leaf)
    found = leaf.segment
    assert found is not None
    assert (found.width, found.channels, found.indexed) == expected
    assert (found.row, found.length, found.big) == (row, row * 30, depth == 16)
    assert rebuilt((png,)) == data


def test_interlaced() -> None:
    passes = [(3, 5), (2, 5), (5, 4), (5, 9), (10, 9), (10, 18), (20, 17)]  # of 20 by 35 pixels
    plain = b"".join(rows(3 * columns, count) for columns, count in passes)
    found = opened(png_of(plain, image_header(20, 35, 8, 2, 1)))
    assert found == [("png", *[("rows", "image")] * 7)]


def test_animated() -> None:
    frames = [rows(30, 40), rows(30, 40)[::-1], rows(30, 40)]
    frames[1] = bytes(len(frames[1]))
    data = made.apng_of(frames, image_header(10, 40), 10, 40, 300)
    assert opened(data) == [("png", *[("rows", "image")] * 3)]
    pictures = [leaf.segment for leaf in leaves(grow(data, MOST)) if leaf.segment is not None]
    assert [picture.frame for picture in pictures] == [0, 1200, 1200]


def test_a_picture_that_is_cut_off() -> None:
    assert opened(PNG[:-30]) == []
    data = png_of(rows(30, 10), image_header(10, 40))  # fewer rows than are stated
    assert opened(data)[0][0] == "png"


def pdf(words: bytes, stream: bytes, ending: bytes = b"\n") -> bytes:
    length = b"/Length %d" % len(stream)
    return b"%PDF-1.5\n1 0 obj\n<< " + words + length + b" >>\nstream" + ending + stream + b"\nendstream\nendobj\n"


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("words", "plain", "expected"),
    [
        (b"/Filter /FlateDecode ", TEXT, [("zlib",)]),
        (b"/Filter/FlateDecode/DecodeParms<</Columns 30/Predictor 12>>", rows(30, 20), [("zlib",)]),
        (b"/Filter[/FlateDecode]/Width 10/Height 20/BitsPerComponent 8/ColorSpace/DeviceRGB", bytes(range(200)) * 3,
         [("zlib", "image")]),
        (b"/Filter/FlateDecode/Width 10/Height 20/BitsPerComponent 8/DecodeParms<</Columns 10/Colors 3/Predictor 15>>",
         rows(30, 20), [("zlib", ("rows", "image"))]),
        (b"/Filter/FlateDecode/DecodeParms<</Columns 99999999/Predictor 12>>", rows(30, 20), [("zlib",)]),
        (b"/Nothing ", TEXT, [("zlib",)]),
    ],
)  # fmt: skip
def test_streams_of_pdf(words: bytes, plain: bytes, expected: list[object], ending: bytes) -> None:
    assert opened(pdf(words, zlib_of(plain), ending)) == expected
    small = zlib_of(plain, b"\x48\x89")
    assert opened(pdf(words, small, ending)) == expected


def in_base_85(plain: bytes, line: int) -> bytes:
    text = base64.a85encode(plain)
    return b"\n".join(text[at : at + line] for at in range(0, len(text), line)) + b"~>"


@pytest.mark.parametrize("line", [72, 1 << 20])
def test_streams_of_pdf_in_other_codings(line: int) -> None:
    words = b"/Filter [ /ASCII85Decode /FlateDecode ] "
    assert opened(pdf(words, in_base_85(zlib_of(TEXT), line))) == [("ascii85", ("zlib",))]
    assert opened(pdf(b"/Filter /A85", in_base_85(bytes(range(99)) * 4, line))) == [("ascii85",)]
    codes = [256, *range(99), 257]  # the first one clears the table, the last one ends it
    bits = "".join(f"{code:09b}" for code in codes).ljust(8 * -(-9 * len(codes) // 8), "0")
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert opened(pdf(b"/Filter /LZWDecode ", packed)) == [("lzw",)]
    assert opened(pdf(b"/Filter [/A85 /LZW] ", in_base_85(packed, line))) == [("ascii85", ("lzw",))]
    assert opened(pdf(b"/Filter [/A85 /LZW] ", in_base_85(packed, line))[:-20]) == []
    assert opened(pdf(b"/Filter /LZWDecode ", b"")) == []


def test_deflated_strips_of_tiff_are_one_picture() -> None:
    strips = [zlib_of(bytes(range(60)) * 10), zlib_of(bytes(range(60)) * 5)]
    for gap in (b"", b"\0"):
        second = 8 + len(strips[0]) + len(gap)
        fields = [(256, 3, 1, 20), (257, 3, 1, 15), (258, 3, 1, 8), (259, 3, 1, 8), (277, 3, 1, 3), (278, 3, 1, 10)]
        place = second + len(strips[1])
        fields += [(273, 4, 2, place), (279, 4, 2, place + 8)]
        data = b"II\x2a\0" + struct.pack("<I", place + 16) + strips[0] + gap + strips[1]
        data += struct.pack("<4I", 8, second, *map(len, strips)) + struct.pack("<H", len(fields))
        data += b"".join(struct.pack("<HHII", *field) for field in sorted(fields)) + bytes(4)
        assert opened(data) == [("zlib", "image")]
        (leaf,) = [leaf.segment for leaf in leaves(grow(data, MOST)) if leaf.segment is not None]
        assert (leaf.row, leaf.channels, leaf.length) == (60, 3, 900)


def test_hdf5() -> None:
    numbers = struct.pack("<300I", *(k * k for k in range(300)))
    planes = b"".join(numbers[k::4] for k in range(4))
    stream = zlib_of(planes)
    message = b"\2\0\x08\0\1\0\1\0shuffle\0\4\0\0\0"
    assert opened(b"\x89HDF\r\n\x1a\n" + bytes(40) + message + bytes(20) + stream) == [("zlib", ("shuffle",))]
    assert opened(b"\x89HDF\r\n\x1a\n" + bytes(60) + stream) == [("zlib",)]
    # Two lengths of numbers: the layout's tree says which chunks have which.
    tree = 200
    layout = b"\x10\x08\0\0\4\0\0\0" + message + b"\3\2\2" + struct.pack("<QII", tree, 300, 4)
    node = b"TREE\1\0" + struct.pack("<H", 1) + bytes(16) + bytes(8 + 16) + struct.pack("<Q", 300)
    file = (b"\x89HDF\r\n\x1a\n" + bytes(8) + message[:-4] + b"\x08\0\0\0" + layout).ljust(tree, b"\0")
    file = (file + node).ljust(300, b"\0") + stream + stream
    assert opened(file) == [("zlib", ("shuffle",)), ("zlib",)]
    # A chunk's shape makes it a field.
    field = b"".join(struct.pack("<40h", *(100 * y + x * x for x in range(40))) for y in range(30))
    stream = zlib_of(field[::2] + field[1::2])
    layout = b"\3\2\4" + struct.pack("<QIIII", tree, 1, 30, 40, 2)
    kind = b"\x10\x08\0\0\2\0\0\0"
    node = b"TREE\1\0" + struct.pack("<H", 1) + bytes(16) + bytes(8 + 32) + struct.pack("<Q", 320)
    file = (b"\x89HDF\r\n\x1a\n" + bytes(8) + kind + message[:-4] + b"\2\0\0\0" + layout).ljust(tree, b"\0") + node
    assert opened(file.ljust(320, b"\0") + stream) == [("zlib", ("shuffle", "image"))]
    # So it does without the filter, and where it is not deflated; and an array says where it lies and what it is.
    file = (b"\x89HDF\r\n\x1a\n" + bytes(8) + kind + layout).ljust(tree, b"\0") + node
    assert opened(file.ljust(320, b"\0") + zlib_of(field)) == [("zlib", "image")]
    sized = node[:24] + struct.pack("<Q", len(field)) + node[32:]
    file = (b"\x89HDF\r\n\x1a\n" + bytes(8) + kind + layout).ljust(tree, b"\0") + sized
    assert [each.start for each in find(file.ljust(320, b"\0") + field)] == [320]
    shape = b"\1\2" + bytes(6) + struct.pack("<QQ", 30, 40)
    file = b"\x89HDF\r\n\x1a\n" + bytes(8) + shape + kind + b"\3\1" + struct.pack("<QQ", 320, len(field))
    assert [(each.start, each.stop) for each in find(file.ljust(320, b"\0") + field)] == [(320, 320 + len(field))]
    assert find((file[:-8] + struct.pack("<Q", 7)).ljust(320, b"\0") + field[:2000]) == []


def test_archives_that_are_cut_off() -> None:
    members = [Member(b"folder/a%d.txt" % k, words(200, k), descriptor="word<III" if k % 2 else "") for k in range(6)]
    data = zip_of(members)
    second = data.find(b"PK\3\4", 4)
    assert opened(data[:-200]) == [("zip", "binary")]
    assert opened(data[second - 30 :]) == [("zip", "binary")]
    assert opened(data[second - 30 : -200]) == [("zip", "binary")]
    for cut in range(1, len(data), 97):
        assert rebuilt(grow(data[cut:], MOST)) == data[cut:]
        assert rebuilt(grow(data[:cut], MOST)) == data[:cut]


def test_an_archive_that_is_odd_is_opened_member_by_member() -> None:
    data = zip_of([Member(b"two\nlines", TEXT), Member(b"b.zip", zip_of([Member(b"c.txt", TEXT)]), 0)])
    assert opened(data) == [("deflate",), ("zip", "binary")]


def test_a_program_that_unpacks_itself() -> None:
    data = zip_of([Member(b"a.txt", TEXT), Member(b"b.txt", TEXT[::-1])], base=len(NOISE))
    assert opened(b"MZ" + NOISE[2:] + data) == [("zip", "binary")]


def test_groups_of_members_are_leaves() -> None:
    texts = [words(200, k) for k in range(4)]
    endings = [b"xml", b"py", b"xml", b"py"]
    data = zip_of([Member(b"%d.%s" % (k, end), text) for k, (end, text) in enumerate(zip(endings, texts, strict=True))])
    (archive,) = grow(data, MOST)
    assert isinstance(archive, Branch)
    found = [node.data for node in archive.children if isinstance(node, Leaf)]
    assert found[0].endswith(b"0.xml\n1.py\n2.xml\n3.py\n")
    assert found[1:] == [texts[0] + texts[2], texts[1] + texts[3]]


def test_many_names_are_text_before_what_they_name() -> None:
    data = zip_of([Member(b"folder/with/a/long/name/%d.txt" % k, TEXT[k : k + 9], 0) for k in range(200)])
    assert opened(data) == [("zip", "binary", "text")]


def test_members_of_a_tar_archive_begin_files() -> None:
    header = bytearray(512)
    picture = b"P6\n20 10\n255\n" + bytes(range(200)) * 3
    header[:8], header[257:262], header[124:135] = b"file.ppm", b"ustar", b"%011o" % len(picture)
    header[148:156] = b"%06o\0 " % (sum(header) + 8 * 32)
    tar = bytes(header) + picture.ljust(1024, b"\0") + bytes(1024)
    assert opened(tar) == ["image"]
    assert opened(gzip_of(tar)) == [("gzip", "image")]


def found_is_in_order(data: bytes) -> list[Found]:
    found, at = find(data), 0
    for each in found:
        assert at <= each.start < each.stop <= len(data)
        assert each.segment is None or each.segment.length == each.stop - each.start
        at = each.stop
    return found


pieces = st.sampled_from(
    [PNG, PNG[:90], zlib_of(TEXT), zlib_of(TEXT)[:50], gzip_of(TEXT), gzip_of(TEXT)[:30], jpeg(), jpeg()[:-2], WAV,
     zip_of([Member(b"a", TEXT)]), zip_of([Member(b"a", TEXT)])[:-40], zip_of([Member(b"a", TEXT)])[20:],
     pdf(b"/FlateDecode", zlib_of(TEXT)), b"PK\5\6" + bytes(30), b"PK\1\2" + bytes(60), b"\x89HDF\r\n\x1a\n",
     b"stream\r\n", b"\xff\xd8\xff", b"\xff\xd9"],
)  # fmt: skip


@given(st.lists(st.one_of(pieces, st.binary(max_size=20)), max_size=8), st.randoms(use_true_random=False))
def test_any_bytes_come_back(parts: list[bytes], draw: random.Random) -> None:
    data = bytearray(b"".join(parts))
    found_is_in_order(bytes(data))
    assert rebuilt(grow(bytes(data), MOST)) == data
    for _ in range(draw.randint(0, 4)):
        if data:
            data[draw.randrange(len(data))] = draw.randrange(256)
    found_is_in_order(bytes(data))
    assert rebuilt(grow(bytes(data), MOST)) == data


def bombs() -> dict[str, bytes]:
    zeros = zlib.compress(bytes(1 << 20), 9)
    first = b"\xff\xd8\xff\xc0\0\x02\xff\xda\0\x02"
    local = b"PK\3\4" + bytes(22) + struct.pack("<HH", 1, 0) + b"x"
    huge = b"PK\3\4" + struct.pack("<HHHIIIIHH", 20, 0, 8, 0, 0, 0xFFFFFFF0, 0xFFFFFFF0, 1, 0) + b"x"
    directory = b"PK\1\2" + bytes(42)
    loop = b"\x89HDF\r\n\x1a\n" + b"".join(b"\2\0\x08\0\1\0\1\0shuffle\0%c\0\0\0" % width for width in (2, 4))
    loop += b"\3\2\2" + struct.pack("<QII", 100, 300, 4)
    loop = loop.ljust(100, b"\0") + b"TREE\1\5" + struct.pack("<H", 60000)
    kinds = b"\2\x08\0\1" + b"\x10\x08\0\0\4\0\0\0"
    return {
        "bombs": zeros * 2000,
        "zlib": b"\x78\x9c\x4b" * 400_000,
        "zlib that goes on": b"\x78\x9c\xec" + bytes(1 << 21),
        "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b" * 100_000,
        "zip": local * 40_000,
        "zip of huge members": huge * 40_000,
        "ends of zip": b"PK\3\4" * 50_000 + b"PK\5\6" * 50_000 + directory * 1000,
        "directories": local * 1000 + directory * 20_000 + b"PK\5\6" + bytes(8) + struct.pack("<IIH", 920_000, 0, 0),
        "jpeg": first * 100_000,
        "jpeg without an end": b"\xff\xd8\xff" * 300_000,
        "png": b"\x89PNG\r\n\x1a\n" * 100_000,
        "png of many chunks": (b"\x89PNG\r\n\x1a\n" + made.chunk(b"aaaa", b"") * 100) * 800,
        "pdf": b"stream\n\x78\x9c" * 100_000,
        "pdf of many words": (b"/Columns 1 " * 300 + b" obj stream\nx\x9c\x03\0") * 300,
        "hdf5": b"\x89HDF\r\n\x1a\n" * 100_000,
        "hdf5 in a loop": loop + struct.pack("<Q", 100) * 60_000,
        "hdf5 of many shapes": b"\x89HDF\r\n\x1a\n" + (kinds * 40 + b"\3\1" + b"\1\1\1\1\1\1\0\0" * 2) * 4000,
        "wav": b"RIFF\0\0\0\0WAVEfmt " * 60_000,
    }


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="the time is that of compiled code")
@pytest.mark.parametrize("name", bombs())
def test_time_is_bounded(name: str) -> None:
    data = bombs()[name]
    find(b"\x78\x9c" + deflated(TEXT) + jpeg())  # compiles
    before = time.process_time()
    found_is_in_order(data)
    assert time.process_time() - before < 20  # of any machine; a second of a fast one
