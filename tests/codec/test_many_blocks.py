"""Files of very many blocks and members: bounded memory, and time in proportion to their size; what readers keep."""

import io
import tracemalloc

import make_fixtures as make
import pytest
from sources import NOISE, TEXT

import nzip
from nzip.codec import reader as reader_module
from nzip.codec.files.decompress import test_file as check_file
from nzip.codec.index import load_index
from nzip.formats.container.parser import Parser
from nzip.formats.container.structures import End, Index, IndexEntry

SOLO = nzip.compress(b"a", engine="store")


def blocks_file(count):
    """One member of `count` blocks of one byte each, 16 bytes in the file and 3 or more in its index."""
    block = make.block(b"a")
    index = [(0, len(block), 1)] * count
    raw = b"a" * count
    return make.header() + block * count + make.end(raw, index, header_size=len(make.header()))


def peak_of(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_index_takes_eight_bytes_a_block():
    entries = [IndexEntry(0, 20, 1)] * 50_000
    made = []
    assert peak_of(lambda: made.append(Index(entries))) < 50_000 * 20
    (index,) = made
    assert len(index) == 50_000
    assert index[-1] == entries[0]
    assert index == entries == index[:]
    assert index.raw_size == 50_000
    assert index.size == 1_000_000
    assert not index.has_gaps
    end = End(9, index, 0, 0).encode()
    assert End.parse(end).index == index
    gaps = Index([IndexEntry(0, 20, 1), IndexEntry(7, 20, 1), IndexEntry(0, 20, 1)])
    assert gaps.has_gaps
    assert [entry.gap for entry in gaps] == [0, 7, 0]
    assert gaps != Index([IndexEntry(0, 20, 1)] * 3)
    assert gaps.size == 67


@pytest.mark.parametrize("kind", ["blocks", "members"])
def test_memory_and_content_of_many(kind):
    count = 3_000
    data = blocks_file(count) if kind == "blocks" else SOLO * count
    file = io.BytesIO(data)

    def inspected():
        info = nzip.inspect(file)
        assert (len(info.blocks), info.raw_size, info.engines) == (count, count, ("store",))
        assert sum(1 for _ in info.members) == (1 if kind == "blocks" else count)
        assert info.blocks[count - 1].raw_offset == count - 1
        assert info.blocks[7].to_dict()["size"] == info.blocks[-1].size

    def sought():
        file.seek(0)
        with nzip.open(file) as reader:
            reader.seek(-5, 2)
            assert reader.tell() == count - 5
            assert reader.read() == b"aaaaa"
            reader.seek(0)
            assert reader.read(3) == b"aaa"

    def read():
        file.seek(0)
        with nzip.open(file) as reader:
            while reader.read(1 << 10):
                pass

    assert peak_of(inspected) < 150 * count + (1 << 18)
    assert peak_of(sought) < 150 * count + (1 << 18)
    assert peak_of(read) < 100 * count + (1 << 20)
    assert nzip.decompress(data) == b"a" * count


@pytest.mark.parametrize("kind", ["blocks", "members"])
def test_a_limit_on_the_places_of_blocks(kind):
    count = 20_000
    data = blocks_file(count) if kind == "blocks" else SOLO * count
    limit = 400_000
    readers = [lambda: nzip.inspect(io.BytesIO(data), max_memory=limit), lambda: sought(limit)]
    if kind == "blocks":
        readers += [
            lambda: nzip.decompress(data, max_memory=limit),
            lambda: nzip.open(io.BytesIO(data), max_memory=limit).read(),
        ]

    def sought(limit):
        with nzip.open(io.BytesIO(data), max_memory=limit) as file:
            return file.seek(0, 2)

    for read in readers:
        with pytest.raises(nzip.LimitError, match=r"a list of [\d,]+ blocks needs .* raise max_memory"):
            read()
    assert sought(1 << 22) == count


def test_time_is_in_proportion(monkeypatch):
    """No member costs a copy of all that was read: what goes into the parsers is little more than the file."""
    fed = []
    original = Parser.feed

    def feed(self, data):
        fed.append(len(data))
        original(self, data)

    monkeypatch.setattr(Parser, "feed", feed)
    data = SOLO * 3000
    for read in (nzip.decompress, lambda d: nzip.open(io.BytesIO(d)).read(), lambda d: check_file(io.BytesIO(d))):
        fed.clear()
        read(data)
        assert sum(fed) <= len(data) + 1000


def test_places_know_their_members():
    data = SOLO + nzip.compress(NOISE, engine="store", block_size=1024) + nzip.compress(b"", 1) + SOLO
    places = load_index(io.BytesIO(data))
    assert [places.member_of(number) is not None for number in range(len(places))] == [False, True, True, True, False]
    assert [places.at(position) for position in (-1, 0, 1, 1024, 1025, 3000, 3001, 3002)] == [-1, 0, 1, 1, 2, 3, 4, -1]
    assert sum(places[number].raw_size for number in range(5)) == places.raw_size == 3002


# What readers keep


def count_decoded(monkeypatch):
    decoded = []
    original = reader_module.decode_block

    def counting(header, payload):
        decoded.append(header.raw_size)
        return original(header, payload)

    monkeypatch.setattr(reader_module, "decode_block", counting)
    return decoded


def test_alternate_reads_of_blocks_decode_each_once(monkeypatch):
    decoded = count_decoded(monkeypatch)
    content = NOISE * 10
    with nzip.open(io.BytesIO(nzip.compress(content, engine="store", block_size=1024))) as file:
        file.seek(1)
        for _ in range(20):
            for place in (0, 9000, 20_000):
                file.seek(place)
                assert file.read1(10) == content[place:][:10]
    assert len(decoded) <= 3 + 3 * (reader_module.READ_SIZE // 1024 > 0)


@pytest.mark.parametrize("max_memory", [1 << 20, 30_000])
def test_what_is_kept_is_bounded_by_memory(monkeypatch, max_memory):
    content = NOISE * 100
    data = nzip.compress(content, engine="store", block_size=10_000)
    with nzip.open(io.BytesIO(data), max_memory=max_memory) as file:
        for place in [*range(1, len(content), 10_000), 5, 25_000, 5, 299_999]:
            file.seek(place)
            assert file.read1(10) == content[place:][:10]
            kept = file._raw._kept
            assert len(kept) <= reader_module.KEPT_BLOCKS
            assert sum(map(len, kept.values())) <= max(10_000, max_memory // 8 + 10_000)


# The check of the whole


def wrong_check():
    data = bytearray(nzip.compress(TEXT, 1, block_size=1024))
    end = make.end
    info = nzip.inspect(io.BytesIO(data))
    index = [(0, block.size, block.raw_size) for block in info.blocks]
    size = info.members[0].header.size
    body = sum(block.size for block in info.blocks)
    return bytes(data[: size + body]) + end(TEXT + b"!", index, header_size=size)


def test_a_seeking_reader_that_reads_all_meets_the_check_of_the_whole():
    data = wrong_check()
    with nzip.open(io.BytesIO(data)) as file:
        file.seek(100)
        assert file.read(2000) == TEXT[100:2100]
        file.seek(0)
        with pytest.raises(nzip.CorruptError, match="check of the whole"):
            file.read()
    with nzip.open(io.BytesIO(data)) as file:  # what is read of it in pieces comes first
        file.seek(3)
        file.seek(0)
        parts = []
        with pytest.raises(nzip.CorruptError, match="check of the whole"):  # noqa: PT012
            while True:
                parts.append(file.read(100))
        assert b"".join(parts) == TEXT
    with nzip.open(io.BytesIO(data)) as file:  # not all was read
        file.seek(3000)
        assert file.read() == TEXT[3000:]
