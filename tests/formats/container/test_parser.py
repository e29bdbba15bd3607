"""nzip.formats.container.parser: limits, and the bytes of a member in pieces."""

import io
import subprocess
import sys
import tracemalloc

import make_fixtures as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nzip
import nzip.codec.nzipfile  # so that what it takes is not counted below
from nzip.codec.blocks import Limits
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.structures import (
    BlockHeader,
    End,
    Header,
    TransformSpec,
)
from nzip.formats.container.wire import uleb

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
        with pytest.raises(nzip.LimitError, match=r"raise (max_memory|max_block|max_output_size|it)"):
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
    with pytest.raises(nzip.LimitError, match=r"1,024.3 MiB .* 64 MiB.*raise max_memory to 1025 MiB"):
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
    header = BlockHeader(1, 1, 1000, b"", (TransformSpec(1, 1, b"", 200),), 300, 40)
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
