"""nzip.Decompressor"""

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import MIXED, NOISE, TEXT, contents, pieces

import nzip


@given(
    contents,
    st.lists(st.integers(1, 2000), max_size=5),
    st.lists(st.integers(0, 2000), max_size=5),
    st.sampled_from([None, 1024, 2000]),
    st.sampled_from([1, 3]),
)
def test_streaming_equals_one_shot(content, sizes, lengths, block_size, threads):
    data = nzip.compress(content, 1, block_size=block_size)
    out, waiting, turn = b"", pieces(data, sizes), 0
    lengths = [*lengths, 1000]
    with nzip.Decompressor(threads=threads) as reader:
        while not reader.eof:
            length = lengths[turn % len(lengths)]
            piece = waiting.pop(0) if reader.needs_input and waiting else b""
            got = reader.decompress(piece, length)
            assert len(got) <= length
            out += got
            turn += 1
    assert out == content
    assert not waiting
    assert reader.unused_data == b""
    assert reader.output_size == len(content)


@given(st.binary(max_size=50), st.integers(1, 300))
def test_unused_data(behind, size):
    data = nzip.compress(MIXED[:size], 1) + behind
    reader = nzip.Decompressor()
    assert reader.decompress(data) == MIXED[:size]
    assert reader.eof
    assert not reader.needs_input
    assert reader.unused_data == behind


def test_unused_data_is_empty_before_the_end():
    reader = nzip.Decompressor()
    reader.decompress(nzip.compress(TEXT, 1)[:30])
    assert reader.unused_data == b""
    assert not reader.eof
    assert reader.needs_input


def test_after_the_end():
    reader = nzip.Decompressor()
    reader.decompress(nzip.compress(b"x", 1))
    with pytest.raises(EOFError):
        reader.decompress(b"")


def test_max_length():
    reader = nzip.Decompressor()
    out = [reader.decompress(nzip.compress(TEXT, 1), 100)]
    assert not reader.needs_input
    while not reader.eof:
        out.append(reader.decompress(max_length=100))
    assert {len(part) for part in out[:-1]} == {100}
    assert b"".join(out) == TEXT


def test_max_length_that_is_the_whole_size_reaches_the_end():
    solo = nzip.Decompressor()
    assert solo.decompress(nzip.compress(TEXT, 1), len(TEXT)) == TEXT
    assert solo.eof
    blocks = nzip.Decompressor()
    assert blocks.decompress(nzip.compress(TEXT, 1, block_size=1024), len(TEXT)) == TEXT
    assert not blocks.eof
    assert blocks.decompress(b"", 10) == b""
    assert blocks.eof


def test_blocks_come_out_as_they_are_complete():
    data = nzip.compress(NOISE, engine="store", block_size=1024)
    reader = nzip.Decompressor()
    assert reader.decompress(data[:1500]) == NOISE[:1024]
    assert reader.header is not None
    assert not reader.header.solo


def test_end_input():
    reader = nzip.Decompressor()
    reader.decompress(nzip.compress(TEXT, 1)[:-1])
    reader.end_input()
    assert not reader.needs_input
    with pytest.raises(nzip.CorruptError, match="truncated"):
        reader.decompress()


@pytest.mark.parametrize("size", [True, False])
def test_an_end_that_is_cut_is_no_block(size):
    """With the content's size in the header, or where the end has begun, it is known that no block is missing."""
    compressor = nzip.Compressor(engine="store", block_size=1024, content_size=len(NOISE) if size else None)
    data = compressor.compress(NOISE) + compressor.flush()
    last = nzip.inspect(io.BytesIO(data)).blocks[-1]
    behind = last.offset + last.size
    whole = r"; all blocks are there, and only what closes them is missing$"
    for cut in (behind + 1, len(data) - 1, *[behind] * size):
        with pytest.raises(nzip.TruncatedError, match=whole) as caught:
            nzip.decompress(data[:cut])
        assert caught.value.block is None
        with pytest.raises(nzip.TruncatedError, match=whole):
            nzip.inspect(io.BytesIO(data[:cut]))
    with pytest.raises(nzip.CorruptError, match=r"the end index is damaged \(its check does not match\)$"):
        nzip.decompress(data[:-9] + bytes((data[-9] ^ 1,)) + data[-8:])
    with pytest.raises(nzip.TruncatedError, match="its end is missing; this is block "):
        nzip.decompress(data[: last.offset])


def test_an_error_stays():
    reader = nzip.Decompressor()
    with pytest.raises(nzip.CorruptError):
        reader.decompress(b"no nzip file")
    with pytest.raises(nzip.CorruptError):
        reader.decompress(nzip.compress(b"x", 1))
    assert not reader.eof


def test_only_verified_bytes_come_out():
    data = bytearray(nzip.compress(NOISE, engine="store", block_size=1024))
    data[1500] ^= 1  # in the second block
    reader, out = nzip.Decompressor(), bytearray()

    def read_all():
        for position in range(len(data)):
            out.extend(reader.decompress(data[position : position + 1]))

    with pytest.raises(nzip.CorruptError):
        read_all()
    assert out == NOISE[:1024]


def test_limits():
    data = nzip.compress(TEXT, 1, block_size=1024)
    for limits in ({"max_memory": 2000}, {"max_block": 1023}, {"max_output_size": len(TEXT) - 1}):
        reader, out = nzip.Decompressor(**limits), b""
        with pytest.raises(nzip.LimitError):  # noqa: PT012
            while True:
                out += reader.decompress(data)
        assert TEXT.startswith(out)
    limits = {"max_memory": 1 << 20, "max_block": 1024, "max_output_size": len(TEXT)}
    assert nzip.Decompressor(**limits).decompress(data) == TEXT


def test_close_ends_the_threads():
    before = threading.active_count()
    data = nzip.compress(MIXED, 1, block_size=1024)
    with nzip.Decompressor(threads=3) as reader:
        reader.decompress(data[:-40], 1)
    assert threading.active_count() == before
    reader = nzip.Decompressor(threads=3)
    assert reader.decompress(data) == MIXED
    assert threading.active_count() == before
    reader = nzip.Decompressor(threads=3)
    assert reader.decompress(data[:-5] + b"12345") == MIXED
    assert not reader.eof
    with pytest.raises(nzip.CorruptError):
        reader.decompress()
    assert threading.active_count() == before


def test_header_before_the_first_bytes():
    assert nzip.Decompressor().header is None


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_no_member_is_said_once(threads):
    data = nzip.compress(TEXT, 1)
    with pytest.raises(nzip.CorruptError) as caught:
        nzip.decompress(data + b"no member at all", threads=threads)
    expected = f"what follows byte {len(data):,}, where a complete member ends, is no member: not an nzip file"
    assert str(caught.value).startswith(expected)
    assert str(caught.value).count("what follows byte") == 1
