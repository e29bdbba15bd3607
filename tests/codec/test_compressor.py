"""nzip.Compressor"""

import io
import threading

import pytest
import spec_decoder
from formats.transforms.naive_lines import naive_lines
from hypothesis import given
from hypothesis import strategies as st
from sources import MIXED, TEXT, contents, pieces

import nzip
from nzip.formats.transforms.lines import LinesTransform


@given(contents, st.lists(st.integers(1, 3000), max_size=5), st.integers(1024, 3000), st.sampled_from([1, 3]))
def test_streaming_equals_one_shot(content, sizes, block_size, threads):
    with nzip.Compressor(1, block_size=block_size, threads=threads) as compressor:
        data = b"".join(compressor.compress(piece) for piece in pieces(content, sizes)) + compressor.flush()
    assert data == nzip.compress(content, 1, block_size=block_size)
    assert (compressor.bytes_in, compressor.bytes_out) == (len(content), len(data))


def test_empty_pieces_change_nothing():
    compressor = nzip.Compressor(1)
    data = compressor.compress(b"") + compressor.compress(TEXT) + compressor.compress(b"") + compressor.flush()
    assert data == nzip.compress(TEXT, 1)


def test_output_comes_while_input_comes():
    compressor = nzip.Compressor(engine="store", block_size=1024)
    assert compressor.compress(bytes(1024)) == b""  # it may still be a solo member
    first = compressor.compress(b"\0")
    assert len(first) > 1024
    assert compressor.bytes_out == len(first)
    compressor.close()


def test_header_fields():
    fields = {"name": "a b.txt", "mode": 0o755, "mtime_ns": 12345, "kind": "tar"}
    for content in (b"short", MIXED):
        compressor = nzip.Compressor(1, block_size=1024, content_size=len(content), **fields)
        data = compressor.compress(content) + compressor.flush()
        reader = nzip.Decompressor()
        assert reader.decompress(data) == content
        header = reader.header
        assert (header.name, header.mode, header.mtime_ns, header.kind) == ("a b.txt", 0o755, 12345, "tar")
        assert header.content_size == (None if header.solo else len(content))


def test_content_size_must_be_true():
    compressor = nzip.Compressor(1, content_size=5)
    compressor.compress(b"1234")
    with pytest.raises(ValueError, match="content_size was 5 and 4 bytes came"):
        compressor.flush()


def test_use_after_flush():
    compressor = nzip.Compressor(1)
    compressor.flush()
    with pytest.raises(ValueError, match="flushed"):
        compressor.compress(b"x")
    with pytest.raises(ValueError, match="flushed"):
        compressor.flush()
    compressor.close()
    compressor.close()


def test_use_after_close():
    with nzip.Compressor(1) as compressor:
        compressor.compress(b"x")
    with pytest.raises(ValueError, match="flushed"):
        compressor.flush()


def test_close_ends_the_threads():
    before = threading.active_count()
    compressor = nzip.Compressor(1, block_size=1024, threads=3)
    compressor.compress(MIXED)
    compressor.close()
    assert threading.active_count() == before
    compressor = nzip.Compressor(1, block_size=1024, threads=3)
    compressor.compress(MIXED)
    compressor.flush()
    assert threading.active_count() == before


def test_memory_of_waiting_blocks_is_bounded():
    compressor = nzip.Compressor(engine="store", block_size=1024, threads=2)
    out = 0
    for _ in range(200):
        out += len(compressor.compress(bytes(1024)))
    # At most: one block that fills, as many under way as there are threads, and one beside them.
    assert compressor.bytes_in - out <= 5 * 1024
    compressor.close()


def test_members_can_be_joined():
    first, second = nzip.compress(TEXT, 1, block_size=1024), nzip.compress(MIXED, 2)
    assert nzip.decompress(first + second) == TEXT + MIXED
    lines = {LinesTransform.id: lambda coded, size, params, version: naive_lines(coded, size)}
    assert spec_decoder.decode(first + second, transforms=lines) == TEXT + MIXED


def test_a_border_ends_a_block_where_what_comes_would_be_torn():
    sizes = []
    for before, ahead in ((500, 600), (512, 512), (512, 513), (1024, 100), (1500, 549), (1600, 449), (600, 0)):
        with nzip.Compressor(engine="store", block_size=1024) as compressor:
            data = compressor.compress(bytes(before))
            compressor._border(ahead)
            data += compressor.compress(bytes(ahead)) + compressor.flush()
        assert nzip.decompress(data) == bytes(before + ahead)
        sizes.append([block.raw_size for block in nzip.inspect(io.BytesIO(data)).blocks])
        with pytest.raises(ValueError, match="flushed"):
            compressor._border(1)
    assert sizes == [[1024, 76], [1024], [512, 513], [1024, 100], [1024, 1024, 1], [1024, 576, 449], [600]]


def test_a_table_stands_behind_the_blocks():
    chunk = b"\x85\x02no"  # any optional chunk will do here
    for size in (0, 10, 3000):
        with nzip.Compressor(engine="store", block_size=1024) as compressor:
            data = compressor.compress(bytes(size))
            compressor._add_table(chunk)
            data += compressor.flush()
        assert nzip.decompress(data) == spec_decoder.decode(data) == bytes(size)
        assert chunk in data
        assert not nzip.inspect(io.BytesIO(data)).members[0].solo


def test_level_default_is_6():
    from nzip.settings import DEFAULT_LEVEL

    assert DEFAULT_LEVEL == 6
