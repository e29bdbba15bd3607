"""Three small files, cut at every byte and with every bit flipped: one of two errors, and never wrong bytes."""

import contextlib
import io

import pytest
from sources import NOISE, TEXT

import nzip

REFUSED = (nzip.CorruptError, nzip.UnsupportedError)


def with_fields(content, **settings):
    with nzip.Compressor(1, name="file.txt", mode=0o644, mtime_ns=1_700_000_000_000_000_000, **settings) as compressor:
        return compressor.compress(content) + compressor.flush()


FILES = {
    "solo-store": (nzip.compress(NOISE[:100], engine="store"), NOISE[:100]),
    "solo-zstd": (with_fields(TEXT[:700]), TEXT[:700]),
    "blocks": (with_fields(TEXT[:2300], block_size=1024, content_size=2300), TEXT[:2300]),
}


def opened(data):
    with nzip.open(io.BytesIO(data)) as file:
        return file.read()


def sought(data):
    """Read by random access, the second half first."""
    with nzip.open(io.BytesIO(data)) as file:
        middle = file.seek(0, io.SEEK_END) // 2
        file.seek(middle)
        tail = file.read()
        file.seek(0)
        return file.read(middle) + tail


def streamed(data):
    reader, out = nzip.Decompressor(), b""
    for position in range(0, len(data), 9):
        out += reader.decompress(data[position : position + 9])
        while reader.eof and (reader.unused_data or position + 9 < len(data)):
            rest, reader = reader.unused_data, nzip.Decompressor()
            out += reader.decompress(rest)
    if not reader.eof:
        reader.end_input()
        while not reader.eof:
            out += reader.decompress()
    return out


def threaded(data):
    return nzip.decompress(data, threads=2)


def check(damaged, content):
    """Hold `damaged` against every reader: none may take it, even where a change would decode to the right bytes."""
    for read in (nzip.decompress, opened, streamed):
        with pytest.raises(REFUSED):
            read(damaged)
    # Random access does not look at every byte of the file (the check of the whole content, for example), so it may
    # succeed; what it gives is then right.
    with contextlib.suppress(REFUSED):
        assert sought(damaged) == content
    with contextlib.suppress(REFUSED):
        nzip.inspect(io.BytesIO(damaged)).to_dict()


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_whole(name):
    data, content = FILES[name]
    assert len(data) < 700
    for read in (nzip.decompress, opened, sought, streamed, threaded):
        assert read(data) == content


@pytest.mark.parametrize("name", FILES)
def test_truncation_at_every_byte(name):
    data, content = FILES[name]
    for size in range(len(data)):
        check(data[:size], content)
        with pytest.raises(nzip.CorruptError):
            nzip.decompress(data[:size])
        with pytest.raises(nzip.CorruptError):
            nzip.inspect(io.BytesIO(data[:size]))
        with pytest.raises(nzip.CorruptError):
            sought(data[:size])


@pytest.mark.parametrize("name", FILES)
def test_flip_of_every_bit(name):
    data, content = FILES[name]
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            check(bytes(damaged), content)


@pytest.mark.parametrize("name", FILES)
def test_every_byte_set_to_extremes(name):
    data, content = FILES[name]
    for position in range(len(data)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            if data[position] != value:
                damaged = data[:position] + bytes([value]) + data[position + 1 :]
                check(damaged, content)


def test_flips_with_threads():
    data, _ = FILES["blocks"]
    for position in range(0, len(data), 5):
        damaged = data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]
        with pytest.raises(REFUSED):
            threaded(damaged)


@pytest.mark.parametrize("name", FILES)
def test_every_byte_removed_or_doubled(name):
    data, content = FILES[name]
    for position in range(len(data)):
        without = data[:position] + data[position + 1 :]
        doubled = data[:position] + data[position : position + 1] + data[position:]
        check(without, content)
        check(doubled, content)
