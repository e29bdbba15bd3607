"""Streams longer than a block, and files that a block would tear: what is opened of them, and where blocks end."""

from __future__ import annotations

import functools
import gzip
import io
import random
import zipfile
import zlib
from pathlib import Path

import pytest
from formats.openers.made import chunk, words
from numba import config

import nzip
from nzip.codec.inspect import BlockInfo

if config.DISABLE_JIT:
    pytest.skip("parts of streams are large", allow_module_level=True)

LEVEL, BLOCK = 2, 1 << 18


@functools.cache
def text(size: int = 3_000_000, seed: int = 3) -> bytes:
    """Return text of which a third is left when it is deflated."""
    draw = random.Random(seed)
    lines = [words(9, draw.randrange(500)) + b" %x\n" % draw.getrandbits(64) for _ in range(size // 55)]
    return b"".join(lines)


@functools.cache
def stream(level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(text()) + packer.flush()


def blocks_of(packed: bytes) -> list[BlockInfo]:
    return [block for member in nzip.inspect(io.BytesIO(packed)).members for block in member.blocks]


def torn(packed: bytes) -> int:
    """Return how many bytes were in parts of streams, with their windows."""
    found = [each for block in blocks_of(packed) for each in block.openers if each.name == "torn"]
    return sum(each.inner_size for each in found)


def packed(data: bytes, level: int = LEVEL, **options: int) -> bytes:
    """Compress, and try that it comes back."""
    out: bytes = nzip.compress(data, level, **{"block_size": BLOCK, **options})
    assert nzip.decompress(out) == data
    return out


@pytest.mark.parametrize("level", [1, 6, 9])
def test_a_stream_longer_than_a_block_is_opened_in_every_block(level: int) -> None:
    data = stream(level)
    assert len(data) > 3 * BLOCK
    out = packed(data)
    blocks = blocks_of(out)
    assert all([each.name for each in block.openers] == ["torn"] for block in blocks)
    assert torn(out) == len(text()) + 32768 * (len(blocks) - 1)
    assert len(out) < 0.8 * len(nzip.compress(data, LEVEL, engine="zstd"))


def test_threads_and_pieces_change_nothing() -> None:
    data = words(3000) + stream() + stream(9)[:-5000] + text(400_000, 5)
    out = packed(data)
    assert packed(data, threads=2) == out
    draw = random.Random(1)
    with nzip.Compressor(LEVEL, block_size=BLOCK, threads=2) as compressor:
        found, at = b"", 0
        while at < len(data):
            size = draw.choice([1, 4096, 100_000, 1 << 20])
            found += compressor.compress(data[at : at + size])
            at += size
        assert found + compressor.flush() == out


def test_parts_are_read_alone(tmp_path: Path) -> None:
    data = stream()
    path = tmp_path / "stream.nz"
    path.write_bytes(packed(data))
    blocks = blocks_of(path.read_bytes())
    damaged = bytearray(path.read_bytes())
    damaged[blocks[1].offset + blocks[1].size // 2] ^= 1  # no other needs it
    with nzip.open(io.BytesIO(bytes(damaged))) as file:
        for block in (blocks[3], blocks[0], blocks[-1]):
            file.seek(block.raw_offset + 5)
            assert file.read(1000) == data[block.raw_offset + 5 : block.raw_offset + 1005][: block.raw_size - 5]
        file.seek(blocks[1].raw_offset)
        with pytest.raises(nzip.CorruptError):
            file.read(10)


def test_streams_in_streams_and_beside_each_other() -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", text(50_000, 8))
        archive.writestr("b.txt", text())
        archive.writestr("c.txt", text(50_000, 9))
    data = zipped.getvalue() + b"between" * 99 + zlib.compress(text(900_000, 4), 9)
    out = packed(data)
    assert torn(out) > len(text())
    assert len(out) < 0.8 * len(nzip.compress(data, LEVEL, engine="zstd"))


def test_a_stream_that_holds_more_than_a_block_may() -> None:
    draw = random.Random(6)
    sparse = b"".join(bytes(1900) + draw.randbytes(3) for _ in range(21_000))
    data = gzip.compress(sparse + text(60_000), 6, mtime=0)
    assert len(data) < BLOCK
    out = packed(data)
    assert torn(out) > 9 << 20  # in some blocks it costs as little as it is
    assert len(blocks_of(out)) > 2
    assert max(block.header.memory for block in blocks_of(out)) < 64 << 20


def test_repeats_of_streams_are_copies() -> None:
    one = packed(stream())
    twice = packed(stream() + words(99) + stream())
    assert len(twice) < 1.1 * len(one)
    out = packed(text(200_000, 2) + stream() + text(200_000, 2))
    assert torn(out) > len(text())


@pytest.mark.parametrize("damage", ["cut", "flipped", "noise"])
def test_broken_streams(damage: str) -> None:
    data = bytearray(stream())
    if damage == "cut":
        del data[-300_000:]
    elif damage == "flipped":
        data[len(data) // 2] ^= 16
    else:
        data[400_000:400_100] = random.Random(1).randbytes(100)
    out = packed(bytes(data))
    assert torn(out) > len(text()) // 4


def test_a_file_that_would_be_torn_begins_the_next_block() -> None:
    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT", random.Random(1).randbytes(30_000))
    picture += chunk(b"IEND", b"")
    draw = random.Random(2)
    for before, begins in ((BLOCK - 9000, True), (BLOCK // 2, False)):
        data = draw.randbytes(before) + picture + draw.randbytes(BLOCK)
        starts = [block.raw_offset for block in blocks_of(packed(data))]
        assert (before in starts) == begins
    member = gzip.compress(words(20_000, 7), 6, mtime=0)
    assert len(member) > 20_000
    data = draw.randbytes(BLOCK - 5000) + member + draw.randbytes(BLOCK)
    found = blocks_of(packed(data))
    assert found[1].raw_offset == BLOCK - 5000


def test_an_archive_that_would_be_torn_begins_the_next_block() -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            archive.writestr(f"{number}.txt", text(12_000, number))
    noise = random.Random(3).randbytes
    size = len(zipped.getvalue())
    for here in (size - 50, size - 1000, size // 2, 9000):  # how much of it a block would have
        data = noise(BLOCK - here) + zipped.getvalue() + noise(BLOCK // 2)
        assert blocks_of(packed(data))[1].raw_offset == BLOCK - here
    data = noise(BLOCK - size) + zipped.getvalue() + noise(BLOCK // 2)
    assert blocks_of(packed(data))[1].raw_offset == BLOCK


def test_levels_that_open_nothing_end_blocks_as_before() -> None:
    out = packed(stream(), level=1)
    assert {block.raw_size for block in blocks_of(out)[:-1]} == {BLOCK}
