"""nzip.formats.container: integers, header fields, flags, chunk types, limits, the parser."""

import io
import struct
import subprocess
import sys
import tracemalloc

import make_fixtures as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nzip
from nzip.codec.blocks import Limits
from nzip.formats import container
from nzip.formats.container import Block, BlockHeader, End, Header, IndexEntry, Parser, Reader, uleb


def parse_header(data):
    return Header.parse(Reader(data))


# Integers


@given(st.integers(0, (1 << 63) - 1))
def test_uleb_round_trip(value):
    data = uleb(value)
    assert data == make.uleb(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    assert Reader(data).uleb() == value


@pytest.mark.parametrize("value", [-1, 1 << 63, 1 << 64])
def test_uleb_refuses_what_does_not_fit(value):
    with pytest.raises(ValueError, match="63 bits"):
        uleb(value)


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff\x80\x00", b"\x80" * 9 + b"\x01", b"\xff" * 10, b"\xff" * 9])
def test_uleb_not_shortest_or_too_long(data):
    with pytest.raises(nzip.CorruptError):
        Reader(data + b"\x00").uleb()


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff"])
def test_uleb_cut(data):
    with pytest.raises(nzip.CorruptError):
        Reader(data).uleb()


def test_little_endian():
    reader = Reader(bytes(range(1, 16)))
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (0x01, 0x0302, 0x07060504, 0x0F0E0D0C0B0A0908)
    assert reader.left() == 0


def test_memory_byte_is_the_smallest_that_suffices():
    for size in (0, 1, 8192, 8193, 352 << 10, (352 << 10) + 1, 1 << 30, 3 << 40):
        code = container.pack_memory(size)
        assert container.unpack_memory(code) >= size
        assert code == 0 or container.unpack_memory(code - 1) < size
    assert container.unpack_memory(0) == 8 << 10
    assert container.unpack_memory(255) == 15 << 41
    with pytest.raises(ValueError, match="cannot be stated"):
        container.pack_memory((15 << 41) + 1)


def test_check16_is_the_crc_of_the_document():
    assert container.check16(b"123456789") == 0x29B1


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
    room = container.MAX_HEADER - 5 - 4 - 3  # magic, version, flags; check; Fields_Size of 3 bytes
    fields = make.field(0xF0, bytes(room - 4))
    longest = make.header(make.SOLO, fields)
    assert len(longest) == container.MAX_HEADER
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


@pytest.mark.parametrize("bit", range(2, 6))
def test_reserved_header_bits(bit):
    with pytest.raises(nzip.UnsupportedError, match="reserved"):
        parse_header(make.header(1 << bit))


@pytest.mark.parametrize("bit", [6, 7])
def test_unused_header_bits(bit):
    assert parse_header(make.header(1 << bit)) == Header()


@pytest.mark.parametrize("bit", range(1, 6))
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
    if kind >= 0x80:
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
    specs = tuple(container.TransformSpec(number, 1, b"p" * number, 5000 + number) for number in range(1, 5))
    header = BlockHeader(7, 3, 1 << 20, b"params", specs, len(raw), 100)
    data = header.encode(raw, bytes(100))
    parsed = BlockHeader.parse(Reader(data))
    assert (parsed.engine, parsed.engine_version, parsed.memory, parsed.packed) == (7, 3, 1 << 20, b"params")
    assert (parsed.transforms, parsed.raw_size, parsed.payload_size) == (specs, 5000, 100)
    assert parsed.check == container.block_check(raw, bytes(100), parsed.header_check)
    assert parsed.size == len(data)
    assert parsed.coded_size == 5004


def test_longest_block_header_fits_its_limit():
    specs = tuple(container.TransformSpec(255, 255, b"p" * 255, 1 << 31) for _ in range(4))
    header = BlockHeader(127, 255, 15 << 41, b"p" * 255, specs, 1 << 30, 1 << 30)
    assert len(header.encode(b"", b"")) <= container.MAX_BLOCK_HEADER


# End


@given(
    st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(1, 1 << 30), st.integers(1, 1 << 30)), max_size=20),
    st.integers(9, 65536),
    st.integers(0, 1 << 40),
    st.binary(max_size=9),
)
def test_end_round_trip(index, header_size, gap, raw):
    end = End(header_size, tuple(IndexEntry(*entry) for entry in index), gap, container.check64(raw))
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


# Limits


def gigabyte_claim(**more):
    """A whole file of under 60 bytes whose one block claims 2^30 raw bytes."""
    data = make.solo(make.zstd_block(b"", make.frame(make.run(b"a", 1000)), raw_size=1 << 30, **more))
    assert len(data) < 60
    return data


SMALL = 64 << 20


@pytest.mark.parametrize(
    "read",
    [
        lambda data: nzip.decompress(data, max_memory=SMALL),
        lambda data: nzip.open(io.BytesIO(data), max_memory=SMALL).read(),
        lambda data: nzip.Decompressor(max_block=SMALL).decompress(data),
        lambda data: nzip.Decompressor(max_output_size=SMALL).decompress(data),
        lambda data: nzip.decompress(data, max_output_size=SMALL),
    ],
)
def test_limits_come_before_allocation(read):
    data = gigabyte_claim()
    tracemalloc.start()
    try:
        with pytest.raises(nzip.LimitError, match="raise it"):
            read(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_limits_come_before_the_payload():
    data = gigabyte_claim()
    header_only = data[:-6]  # the payload is 6 bytes
    with pytest.raises(nzip.LimitError):
        nzip.Decompressor(max_memory=SMALL).decompress(header_only)


def test_limit_error_says_how_much():
    with pytest.raises(nzip.LimitError, match=r"1,024 MiB .* 64 MiB.*-M 1025M"):
        nzip.decompress(gigabyte_claim(), max_memory=SMALL)


def test_transform_sizes_count_as_memory():
    block = make.zstd_block(make.A, b"x", flags=1, transforms=b"\1" + make.transform(99, 1, b"", 1 << 31))
    with pytest.raises(nzip.LimitError):
        nzip.decompress(make.solo(block))


def test_stated_memory_counts():
    block = make.zstd_block(make.A, make.frame(make.run(b"a", 200)), memory=255)
    with pytest.raises(nzip.LimitError):
        nzip.decompress(make.solo(block))


def test_admit_adds_everything():
    header = BlockHeader(1, 1, 1000, b"", (container.TransformSpec(1, 1, b"", 200),), 300, 40)
    Limits(max_memory=1540).admit(header)
    with pytest.raises(nzip.LimitError):
        Limits(max_memory=1539).admit(header)
    Limits(max_block=300).admit(header)
    with pytest.raises(nzip.LimitError):
        Limits(max_block=299).admit(header)


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
@pytest.mark.parametrize("claim", ["block", "zstd frame", "optional chunk", "end", "header fields"])
def test_hostile_sizes_allocate_nothing(claim):
    """Each file is read in a process that may not take more than 600 MB of address space beyond what it has."""
    data = {
        "block": make.solo(make.block(b"hello", raw_size=1 << 30, body_size=(1 << 30) + 18)),
        "zstd frame": make.BAD["zstd-content-size-huge"].data,
        "optional chunk": make.BAD["chunk-optional-huge"].data,
        "end": make.BAD["end-body-huge"].data,
        "header fields": make.BAD["fields-size-huge"].data,
    }[claim]
    program = f"""
import io, resource, nzip
nzip.decompress(nzip.compress(b"warm " * 100, 1))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (600 << 20), resource.RLIM_INFINITY))
data = {data!r}
for read in (nzip.decompress, lambda d: nzip.open(io.BytesIO(d)).read(), lambda d: nzip.open(io.BytesIO(d)).seek(0, 2)):
    try:
        read(data)
    except nzip.CorruptError:
        pass
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# Parser


def events(data, cut):
    """Feed `data` in pieces of `cut` bytes and return what comes out."""
    parser, found = Parser(), []
    for position in range(0, len(data), cut):
        parser.feed(data[position : position + cut])
        while (event := parser.next()) is not None:
            found.append(event)
    return found, parser


@pytest.mark.parametrize(
    "name", ["store", "two-engines", "fields", "chunk-optional-unknown", "empty", "empty-not-solo"]
)
def test_parser_byte_by_byte(name):
    data = make.GOOD[name].data
    at_once, _ = events(data, len(data))
    for cut in (1, 2, 3, 7, 64):
        found, parser = events(data, cut)
        assert found == at_once
        assert parser.finished
        assert parser.unused == b""
    assert isinstance(found[0], Header)
    assert all(isinstance(event, Block) for event in found[1 : len(found) - (not found[0].solo)])


def test_parser_keeps_what_is_behind_the_member():
    found, parser = events(make.NESTED + b"behind", 200)
    assert parser.finished
    assert parser.unused == b"behind"
    assert isinstance(found[-1], End)


def test_parser_keeps_nothing_of_optional_chunks():
    parser = Parser()
    parser.feed(make.header() + b"\x80" + uleb(1 << 40))
    assert isinstance(parser.next(), Header)
    for _ in range(100):
        parser.feed(bytes(1000))
        assert parser.next() is None
        assert parser.unused == b""


def test_parser_started():
    parser = Parser()
    assert not parser.started
    parser.feed(b"\xf5")
    assert parser.started
    assert parser.next() is None
    assert "truncated" in str(parser.truncated())


def test_parser_asks_admit_once_before_the_payload():
    asked = []
    parser = Parser(asked.append)
    data = make.solo(make.block(bytes(1000)))
    parser.feed(data[:50])
    parser.next()
    assert parser.next() is None
    assert [header.raw_size for header in asked] == [1000]
    parser.feed(data[50:])
    assert isinstance(parser.next(), Block)
    assert len(asked) == 1


@given(st.binary(max_size=80))
def test_parser_on_noise_behind_a_header(noise):
    parser = Parser()
    parser.feed(make.header() + noise)
    try:
        while parser.next() is not None:
            pass
    except (nzip.CorruptError, nzip.UnsupportedError):
        pass


def test_mtime_is_signed():
    assert parse_header(make.header(0, make.field(0x83, struct.pack("<q", -5)))).mtime_ns == -5
