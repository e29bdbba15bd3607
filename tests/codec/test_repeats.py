"""Far repeats from end to end: streams, threads, random access, damage, limits, interrupts."""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import replace

import pytest

import nzip
from nzip.codec.compressor import Compressor, compress
from nzip.errors import CorruptError, LimitError
from nzip.formats.container.structures import BlockHeader
from nzip.formats.container.wire import Reader
from nzip.settings import LEAST_REPEATED, Settings, resolve
from tests import spec_decoder

BLOCK = LEAST_REPEATED
SMALL = resolve(2, block_size=BLOCK)


def varied(seed: int = 1) -> bytes:
    """Return a tree, other data, the tree again with changes."""
    random_ = random.Random(seed)
    tree = b"".join(b"%d %s\n" % (i, random_.choice((b"alpha", b"beta", b"gamma"))) for i in range(12_000))
    again = bytearray(tree)
    for _ in range(30):
        again[random_.randrange(len(again))] = random_.randrange(256)
    return tree + random_.randbytes(90_000) + bytes(again) + tree[1000:90_000]


DATA = varied()
PACKED = compress(DATA, SMALL)


def with_reach(reach: int) -> Settings:
    return replace(resolve(2, engine="zstd:level=3", block_size=BLOCK), reach=reach)


def test_a_repeat_is_stored_once():
    info = nzip.inspect(io.BytesIO(PACKED))
    assert sum(block.copied for block in info.blocks) > len(DATA) // 3
    once = compress(DATA[: len(DATA) // 2], SMALL)
    assert len(PACKED) < 1.05 * len(once)
    assert nzip.decompress(PACKED) == DATA


@pytest.mark.parametrize("level", range(1, 10))
def test_levels(level):
    data = DATA[:120_000] * 2
    packed = compress(data, level)
    assert nzip.decompress(packed) == data
    copied = sum(block.copied for block in nzip.inspect(io.BytesIO(packed)).blocks)
    assert copied == (0 if level == 1 else pytest.approx(120_000, rel=0.01))


def test_short_input_is_not_looked_in():
    data = DATA[: LEAST_REPEATED // 4] * 2
    assert not nzip.inspect(io.BytesIO(compress(data, 2))).blocks[0].copied


def test_the_document_says_the_same():
    assert spec_decoder.decode(PACKED) == DATA
    assert spec_decoder.decode_backwards(PACKED) == DATA


def test_calls_and_threads_change_no_byte():
    for threads, piece in ((1, 999), (3, 100_000), (2, 7777)):
        with Compressor(SMALL, threads=threads) as compressor:
            parts = [compressor.compress(DATA[at : at + piece]) for at in range(0, len(DATA), piece)]
            assert b"".join(parts) + compressor.flush() == PACKED
    for threads in (1, 2, 5):
        assert nzip.decompress(PACKED, threads=threads) == DATA


def test_streams_in_pieces():
    decompressor, out = nzip.Decompressor(), b""
    for at in range(0, len(PACKED), 777):
        out += decompressor.decompress(PACKED[at : at + 777])
    assert out == DATA
    assert decompressor.eof


def test_joined_files():
    assert nzip.decompress(PACKED + PACKED) == DATA + DATA
    with nzip.open(io.BytesIO(PACKED + compress(DATA[:300_000], SMALL))) as file:
        file.seek(len(DATA) + 200_000)
        assert file.read(50_000) == DATA[200_000:250_000]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("memory", [2 << 30, 3 << 20])
def test_random_access(threads, memory):
    random_ = random.Random(2)
    with nzip.open(io.BytesIO(PACKED), threads=threads, max_memory=memory) as file:
        for _ in range(60):
            at, count = random_.randrange(len(DATA)), random_.choice((1, 100, 100_000))
            file.seek(at)
            assert file.read(count) == DATA[at : at + count]
        file.seek(0)
        assert file.read() == DATA


@pytest.mark.parametrize("reach", [1 << 16, 1 << 17, 1 << 18])
def test_reach(reach):
    packed = compress(DATA, with_reach(reach))
    assert nzip.decompress(packed) == DATA
    assert len(packed) > len(PACKED)


def test_what_is_kept_is_refused_ahead():
    packed = compress(DATA, with_reach(1 << 30))
    with pytest.raises(LimitError, match="later blocks"):
        nzip.decompress(packed, max_memory=1 << 28)
    known = compress(DATA, SMALL)
    with Compressor(with_reach(1 << 30), content_size=len(DATA)) as compressor:
        known = compressor.compress(DATA) + compressor.flush()
    assert nzip.decompress(known, max_memory=1 << 28) == DATA  # no more is kept than there is


def test_a_bomb_is_stopped():
    data = DATA[:70_000] * 60
    packed = compress(data, SMALL)
    assert len(packed) * 100 < len(data)
    with pytest.raises(LimitError, match="max_output_size"):
        nzip.decompress(packed, max_output_size=1 << 20)
    decompressor = nzip.Decompressor(max_block=BLOCK)
    assert decompressor.decompress(packed) == data[:BLOCK]
    with pytest.raises(LimitError, match="max_block"):
        decompressor.decompress()


def test_a_damaged_source():
    info = nzip.inspect(io.BytesIO(PACKED))
    damaged = bytearray(PACKED)
    damaged[info.blocks[1].offset + info.blocks[1].size - 3] ^= 1
    with pytest.raises(CorruptError):
        nzip.decompress(bytes(damaged))
    saved, faults = nzip.salvage(bytes(damaged))
    assert len(saved) == len(DATA)
    lost = [(fault.start, fault.start + fault.size) for fault in faults]
    assert lost[0] == (info.blocks[1].raw_offset, info.blocks[1].raw_offset + info.blocks[1].raw_size)
    assert any("lost" in fault.reason for fault in faults)
    sound = [at for at in range(0, len(DATA), 97) if not any(start <= at < stop for start, stop in lost)]
    assert all(saved[at] == DATA[at] for at in sound)
    assert len(sound) > len(DATA) // 97 // 4


def test_a_lost_header():
    info = nzip.inspect(io.BytesIO(PACKED))
    damaged = bytearray(PACKED)
    damaged[info.blocks[2].offset + 2] ^= 255
    saved, faults = nzip.salvage(bytes(damaged))
    assert len(saved) == len(DATA)
    assert faults
    assert saved[: info.blocks[2].raw_offset] == DATA[: info.blocks[2].raw_offset]


def test_flips_in_what_says_of_copies():
    block = next(b for b in nzip.inspect(io.BytesIO(PACKED)).blocks if b.header.copies_size)
    reader = Reader(PACKED[block.offset : block.offset + 100])
    BlockHeader.parse(reader)
    for at in range(block.offset + reader.pos, block.offset + reader.pos + block.header.copies_size, 3):
        damaged = PACKED[:at] + bytes((PACKED[at] ^ 0x10,)) + PACKED[at + 1 :]
        with pytest.raises(CorruptError):
            nzip.decompress(damaged)


def test_blocks_in_another_order():
    info = nzip.inspect(io.BytesIO(PACKED))
    first, second = info.blocks[0], info.blocks[1]
    swapped = (
        PACKED[: first.offset]
        + PACKED[second.offset : second.offset + second.size]
        + PACKED[first.offset : first.offset + first.size]
        + PACKED[second.offset + second.size :]
    )
    with pytest.raises(CorruptError):
        nzip.decompress(swapped)


def test_an_interrupted_writer_goes_on(monkeypatch):
    from nzip.formats.repeats import finder

    calls = []

    def failing(name):
        real = getattr(finder, name)

        def call(*arguments):
            calls.append(name)
            if len(calls) % 7 == 3:
                raise KeyboardInterrupt
            out = real(*arguments)
            if len(calls) % 7 == 5:
                raise KeyboardInterrupt
            return out

        monkeypatch.setattr(finder, name, call)

    for name in ("_scan", "_advance", "_slide", "_grown"):
        failing(name)
    compressor, out = Compressor(SMALL), b""
    at = 0
    while at < len(DATA):
        with contextlib.suppress(KeyboardInterrupt):
            out += compressor.compress(DATA[at : at + 50_000])
        at = compressor.bytes_in
    while True:
        try:
            out += compressor.flush()
            break
        except KeyboardInterrupt:
            pass
    monkeypatch.undo()
    assert calls
    assert out == PACKED


def test_a_block_that_found_no_memory_is_coded_later(monkeypatch):
    import nzip.codec.compressor as module

    real, calls = module.encode_copied, []

    def none(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return real(*arguments)

    data, file = DATA * 3, io.BytesIO()
    writer = nzip.open(file, "wb", level=SMALL)
    monkeypatch.setattr(module, "encode_copied", none)
    with pytest.raises(MemoryError):
        writer.write(data)
    taken = writer.tell()
    writer.write(data[taken:])
    writer.close()
    assert file.getvalue() == compress(data, SMALL)


def test_rest_is_stored_where_there_is_no_memory(monkeypatch):
    from nzip.models.zstd import ZstdEngine

    def none(*_):
        raise MemoryError

    file = io.BytesIO()
    writer = nzip.open(file, "wb", level=SMALL)
    writer.write(DATA)
    monkeypatch.setattr(ZstdEngine, "encode", none)
    with pytest.raises(MemoryError):
        writer.close()
    assert nzip.decompress(file.getvalue()) == DATA
