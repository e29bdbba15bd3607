"""nzip.formats.container.structures: header fields, flags, chunk types, the end index."""

import io
import struct

import make_fixtures as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nzip
from nzip.formats.container.structures import (
    MAX_BLOCK_HEADER,
    MAX_HEADER,
    BlockHeader,
    End,
    Header,
    IndexEntry,
    TransformSpec,
)
from nzip.formats.container.wire import Reader, block_check, check64


def parse_header(data):
    return Header.parse(Reader(data))


# Header

HEADERS = [
    Header(),
    Header(solo=True),
    Header(name="a.txt"),
    Header(name="n" * 4096),
    Header(name="Größe", solo=True),
    Header(name="..."),
    Header(mode=0),
    Header(mode=0o7777),
    Header(mtime_ns=-(1 << 63)),
    Header(mtime_ns=(1 << 63) - 1),
    Header(content_size=0),
    Header(content_size=(1 << 63) - 1),
    Header(kind="tar"),
    Header(name="x", mode=0o644, mtime_ns=0, content_size=5, kind="tar"),
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: repr(header)[7:50])
def test_header_round_trip(header):
    data = header.encode()
    parsed = parse_header(data + b"what follows")
    assert parsed == header
    assert parsed.size == len(data)


def test_header_as_built_by_hand():
    written = Header(name="note.txt", mode=0o644, mtime_ns=1_700_000_000_123_456_789, content_size=205, kind="tar")
    assert written.encode() == make.header(0, make.ALL_FIELDS)
    assert Header().encode() == make.header()
    assert Header(solo=True).encode() == make.header(make.SOLO)


def test_solo_header_leaves_the_content_size_to_the_block():
    assert Header(solo=True, content_size=5).encode() == Header(solo=True).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"name": name}
        for name in ("", ".", "..", "a/b", "/", "a\\b", "a\0", "a\n", "\x1f", "\x7f", "n" * 4097, "é" * 2049, "\ud800")
    ]
    + [{"mode": -1}, {"mode": 0o10000}, {"mtime_ns": 1 << 63}, {"mtime_ns": -(1 << 63) - 1}]
    + [{"content_size": -1}, {"content_size": 1 << 63}, {"kind": "zip"}],
    ids=lambda fields: repr(fields)[:30],
)
def test_header_that_cannot_be_written(fields):
    with pytest.raises(ValueError):
        Header(**fields).encode()
    with pytest.raises(ValueError):
        nzip.Compressor(1, **fields)


def test_header_of_64_kib_is_the_longest():
    room = MAX_HEADER - 5 - 4 - 3  # magic, version, flags; check; Fields_Size of 3 bytes
    fields = make.field(0xF0, bytes(room - 4))
    longest = make.header(make.SOLO, fields)
    assert len(longest) == MAX_HEADER
    assert parse_header(longest) == Header(solo=True)
    data = longest + make.block(b"hello")
    assert nzip.decompress(data) == b"hello"
    assert nzip.inspect(io.BytesIO(data)).raw_size == 5
    longer = make.header(make.SOLO, make.field(0xF0, bytes(room - 3)))
    with pytest.raises(nzip.CorruptError, match="65536"):
        parse_header(longer)


def test_wrong_magic_is_seen_at_its_first_byte():
    for wrong in (b"\x1f", b"\xf5x", b"\xf5nx"):
        with pytest.raises(nzip.CorruptError, match="not an nzip file"):
            nzip.Decompressor().decompress(wrong)


def test_version_is_reported_before_anything_else():
    with pytest.raises(nzip.UnsupportedError, match=r"version 2 .*upgrade"):
        nzip.Decompressor().decompress(make.MAGIC + b"\x02")


def test_unknown_optional_fields_are_skipped_and_known_ones_read():
    fields = make.field(0x80, b"") + make.field(0x81, b"n") + make.field(0xFF, b"x" * 300)
    assert parse_header(make.header(0, fields)) == Header(name="n")


def test_unknown_kind_is_ignored():
    for kind in (0, 4, 255):
        assert parse_header(make.header(0, make.field(0x85, bytes([kind])))).kind is None


# Reserved and unused bits


@pytest.mark.parametrize("bit", range(2, 6))  # bit 2 is no part of a header that is not solo
def test_reserved_header_bits(bit):
    with pytest.raises(nzip.UnsupportedError, match="reserved"):
        parse_header(make.header(1 << bit))


@pytest.mark.parametrize("bit", [6, 7])
def test_unused_header_bits(bit):
    assert parse_header(make.header(1 << bit)) == Header()


@pytest.mark.parametrize("bit", range(4, 6))
def test_reserved_block_bits(bit):
    with pytest.raises(nzip.UnsupportedError, match="reserved"):
        BlockHeader.parse(Reader(make.block(b"hello", flags=1 << bit)))


@pytest.mark.parametrize("bit", [6, 7])
def test_unused_block_bits(bit):
    assert nzip.decompress(make.solo(make.block(b"hello", flags=1 << bit))) == b"hello"


def test_reserved_bits_with_a_wrong_check_are_corruption():
    data = bytearray(make.header())
    data[4] |= 0x04
    with pytest.raises(nzip.CorruptError):
        parse_header(bytes(data))


# Chunk types


@pytest.mark.parametrize("kind", range(256))
def test_chunk_types(kind):
    data = make.header() + bytes([kind]) + b"\x02ab" + make.end(b"", [], gap=4)
    if kind == 0x81:  # the table of entries, which has a check
        with pytest.raises(nzip.CorruptError):
            nzip.decompress(data)
    elif kind >= 0x80:
        assert nzip.decompress(data) == b""
    else:
        error = nzip.CorruptError if kind <= 2 else nzip.UnsupportedError
        with pytest.raises(error):
            nzip.decompress(data)
        with pytest.raises(error):
            nzip.inspect(io.BytesIO(data))


# Blocks


def test_block_header_round_trip():
    raw = bytes(5000)
    specs = tuple(TransformSpec(number, 1, b"p" * number, 5000 + number) for number in range(1, 5))
    header = BlockHeader(7, 3, 1 << 20, b"params", specs, len(raw), 100)
    data = header.encode(raw, bytes(100))
    parsed = BlockHeader.parse(Reader(data))
    assert (parsed.engine, parsed.engine_version, parsed.memory, parsed.packed) == (7, 3, 1 << 20, b"params")
    assert (parsed.transforms, parsed.raw_size, parsed.payload_size) == (specs, 5000, 100)
    assert parsed.check == block_check(raw, bytes(100), parsed.header_check)
    assert parsed.size == len(data)
    assert parsed.coded_size == 5004


def test_longest_block_header_fits_its_limit():
    specs = tuple(TransformSpec(255, 255, b"p" * 255, 1 << 31) for _ in range(4))
    header = BlockHeader(127, 255, 15 << 41, b"p" * 255, specs, 1 << 30, 1 << 30)
    assert len(header.encode(b"", b"")) <= MAX_BLOCK_HEADER


# End


@given(
    st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(1, 1 << 30), st.integers(1, 1 << 30)), max_size=20),
    st.integers(9, 65536),
    st.integers(0, 1 << 40),
    st.binary(max_size=9),
)
def test_end_round_trip(index, header_size, gap, raw):
    end = End(header_size, tuple(IndexEntry(*entry) for entry in index), gap, check64(raw))
    data = end.encode()
    assert data == make.end(raw, index, header_size=header_size, gap=gap)
    parsed = End.parse(data)
    assert parsed == end
    assert parsed.size == len(data)
    assert parsed.raw_size == sum(raw_size for _, _, raw_size in index)
    assert parsed.member_size == header_size + sum(a + b for a, b, _ in index) + gap + len(data)


@given(st.binary(max_size=60))
def test_end_of_noise(data):
    with pytest.raises(nzip.CorruptError):
        End.parse(data)


def test_mtime_is_signed():
    assert parse_header(make.header(0, make.field(0x83, struct.pack("<q", -5)))).mtime_ns == -5
