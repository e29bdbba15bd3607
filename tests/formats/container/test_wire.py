"""nzip.formats.container.wire: integers, checks, the cursor."""

import make_fixtures as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nzip
from nzip.formats.container.wire import Reader, check16, pack_memory, uleb, unpack_memory

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
        code = pack_memory(size)
        assert unpack_memory(code) >= size
        assert code == 0 or unpack_memory(code - 1) < size
    assert unpack_memory(0) == 8 << 10
    assert unpack_memory(255) == 15 << 41
    with pytest.raises(ValueError, match="cannot be stated"):
        pack_memory((15 << 41) + 1)


def test_check16_is_the_crc_of_the_document():
    assert check16(b"123456789") == 0x29B1
