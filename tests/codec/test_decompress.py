"""nzip.decompress"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import MIXED, TEXT, contents

import nzip


@given(st.lists(st.tuples(contents, st.one_of(st.none(), st.just(1024))), min_size=1, max_size=5))
def test_concatenated_members_are_all_read(parts):
    data = b"".join(nzip.compress(content, 1, block_size=size) for content, size in parts)
    assert nzip.decompress(data) == b"".join(content for content, _ in parts)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_bytes_like_inputs(wrap):
    out = nzip.decompress(wrap(nzip.compress(TEXT, 1)))
    assert out == TEXT
    assert type(out) is bytes


def test_text_is_refused():
    with pytest.raises(TypeError):
        nzip.decompress("text")


def test_no_bytes_are_no_file():
    with pytest.raises(nzip.CorruptError, match="it is empty"):
        nzip.decompress(b"")


def test_other_formats_are_refused():
    for data in (b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"plain text", b"\0" * 100):
        with pytest.raises(nzip.CorruptError, match="not an nzip file"):
            nzip.decompress(data)


def test_what_is_behind_the_last_member_is_corruption():
    data = nzip.compress(TEXT, 1)
    for behind in (b"\0", b"\n", b"\xf5", b"\xf5nz", data[:-1]):
        with pytest.raises(nzip.CorruptError):
            nzip.decompress(data + behind)


def test_max_output_size():
    data = nzip.compress(TEXT[:500], 1) + nzip.compress(MIXED, 1, block_size=1024)
    size = 500 + len(MIXED)
    assert len(nzip.decompress(data, max_output_size=size)) == size
    for limit in (0, 1, 499, 500, 501, size - 1):
        with pytest.raises(nzip.LimitError, match="max_output_size"):
            nzip.decompress(data, max_output_size=limit)
    assert nzip.decompress(nzip.compress(b"", 1), max_output_size=0) == b""


def test_max_memory():
    data = nzip.compress(TEXT, 2)
    assert nzip.decompress(data, max_memory=1 << 20) == TEXT
    with pytest.raises(nzip.LimitError, match="max_memory"):
        nzip.decompress(data, max_memory=1 << 16)


def test_very_many_members():
    # Each member is read without a copy of all that follows it.
    data = nzip.compress(b"x", engine="store") * 20_000
    assert nzip.decompress(data) == b"x" * 20_000


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_wrong_block_is_reported(threads):
    data = bytearray(nzip.compress(MIXED, engine="store", block_size=1024))
    data[len(data) // 2] ^= 1
    with pytest.raises(nzip.CorruptError, match="damaged"):
        nzip.decompress(bytes(data), threads=threads)


def test_negative_threads():
    with pytest.raises(ValueError, match="threads"):
        nzip.decompress(nzip.compress(b"", 1), threads=-1)
