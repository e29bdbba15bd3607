"""What a reader may spend: output, memory, block size; and that reading and writing stay within it."""

import io
import sys
import tracemalloc

import make_fixtures as make
import pytest
from sources import MIXED

import nzip
from nzip.codec.blocks import memory_needed
from nzip.formats.container.structures import BlockHeader, TransformSpec
from nzip.formats.container.wire import pack_memory, unpack_memory
from nzip.registry import ENGINES, TRANSFORMS

MIB = 1 << 20


def peak_of(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bomb(blocks):
    """A file of some 40 bytes a block, each of which stands for 128 KiB."""
    run = make.frame(make.run(b"\0", 1 << 17), window=0x38)
    part = (make.zstd_block(bytes(1 << 17), run, params=b"\x03\x11", memory=0x33), bytes(1 << 17))
    return make.member(*[part] * blocks)


def test_a_bomb_is_stopped_by_max_output_size():
    data = bomb(100)  # 12 MiB

    def read():
        with pytest.raises(nzip.LimitError, match="max_output_size"):
            nzip.decompress(data, max_output_size=MIB)

    assert len(data) < 6_000
    assert peak_of(read) < 4 * MIB


def test_a_bomb_is_read_in_little_memory_through_a_file_object():
    data = bomb(100)
    read = 0

    def run():
        nonlocal read
        with nzip.open(io.BytesIO(data)) as file:
            while piece := file.read(1 << 16):
                read += len(piece)

    assert peak_of(run) < 4 * MIB
    assert read == 100 << 17


def test_max_length_bounds_what_is_held():
    data = bomb(100)

    def run():
        reader = nzip.Decompressor()
        out = len(reader.decompress(data, 1000))
        while not reader.eof:
            out += len(reader.decompress(max_length=1 << 16))
        assert out == 100 << 17

    assert peak_of(run) < 4 * MIB


def test_writing_holds_a_few_blocks():
    def run():
        with nzip.Compressor(engine="store", block_size=1 << 18) as compressor:
            for _ in range(100):
                compressor.compress(bytes(1 << 18))
            compressor.flush()

    assert peak_of(run) < 4 * MIB


def test_limit_is_that_of_each_block():
    data = nzip.compress(MIXED, 1, block_size=1024)
    blocks = nzip.inspect(io.BytesIO(data)).blocks
    needed = max(
        b.memory + b.raw_size + b.payload_size + sum(t.size for t in b.header.transforms) for b in blocks
    )

    def streamed(limit):
        reader, out = nzip.Decompressor(max_memory=limit), b""
        while not reader.eof:
            out += reader.decompress(data if reader.needs_input else b"")
        return out

    for read in (
        lambda limit: nzip.decompress(data, max_memory=limit),
        lambda limit: nzip.open(io.BytesIO(data), max_memory=limit).read(),
        streamed,
    ):
        assert read(needed) == MIXED
        with pytest.raises(nzip.LimitError):
            read(needed - 1)


def test_what_a_transform_takes_is_counted():
    raw = bytes(4 * MIB + 1)
    delta, params = TRANSFORMS.by_name("delta"), {"stride": 3, "width": 3, "big": 1, "offset": 1}
    engine = ENGINES.by_name("zstd")
    fitted = engine.fit({"level": 1, "window": 10}, len(raw))
    payload = engine.encode(delta.forward(raw, params), fitted)
    header = BlockHeader(
        engine=engine.id,
        engine_version=engine.version,
        memory=unpack_memory(pack_memory(engine.memory(fitted, len(raw)))),
        packed=engine.pack(fitted),
        transforms=(TransformSpec(delta.id, delta.version, delta.pack(params), len(raw)),),
        raw_size=len(raw),
        payload_size=len(payload),
    )
    data = make.solo(header.encode(raw, payload))
    assert nzip.decompress(data) == raw
    needed = memory_needed(header)
    assert 3 * len(raw) < peak_of(lambda: nzip.decompress(data)) < needed
    assert nzip.decompress(data, max_memory=needed) == raw
    with pytest.raises(nzip.LimitError):
        nzip.decompress(data, max_memory=needed - 1)


def test_random_access_has_the_limit_too():
    data = nzip.compress(MIXED, 1, block_size=1024)
    with nzip.open(io.BytesIO(data), max_memory=5000) as file:
        file.seek(2000)
        with pytest.raises(nzip.LimitError):
            file.read(1)


def test_limit_error_is_neither_of_the_two():
    assert not issubclass(nzip.LimitError, (nzip.CorruptError, nzip.UnsupportedError))


def test_inspect_needs_no_limit():
    data = make.solo(make.zstd_block(b"", make.frame(make.run(b"a", 1000)), raw_size=1 << 30, memory=255))
    (block,) = nzip.inspect(io.BytesIO(data)).blocks
    assert (block.raw_size, block.memory) == (1 << 30, 15 << 41)


def test_max_block_of_the_format():
    with pytest.raises(nzip.LimitError, match="max_block"):
        nzip.Decompressor(max_block=4).decompress(make.GOOD["store"].data)
    assert nzip.Decompressor(max_block=5).decompress(make.GOOD["store"].data) == b"hello"


def test_a_huge_optional_chunk_is_not_kept():
    head = make.header() + b"\x80" + make.uleb(64 * MIB)

    def run():
        reader = nzip.Decompressor()
        reader.decompress(head)
        for _ in range(64):
            reader.decompress(bytes(MIB))
        assert reader.decompress(make.end(b"", [], gap=len(head) - 9 + 64 * MIB)) == b""
        assert reader.eof

    assert peak_of(run) < 8 * MIB


@pytest.mark.skipif(sys.maxsize < 1 << 32, reason="needs 64 bits")
def test_sizes_of_63_bits_are_no_error_by_themselves():
    for seek in (False, True):
        with nzip.open(io.BytesIO(make.BAD["chunk-optional-huge"].data)) as file, pytest.raises(nzip.CorruptError):
            file.seek(0, io.SEEK_END) if seek else file.read()
