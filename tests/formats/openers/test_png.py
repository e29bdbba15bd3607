"""The opener of PNG files."""

import struct

import pytest
from formats.openers.checks import alike, damaged, left_alone, opened
from formats.openers.made import apng_of, chunk, image_header, png_of, words, zlib_of
from hypothesis import given
from hypothesis import strategies as st

from nzip.registry import OPENERS

ROWS = b"".join(b"\0" + bytes((x * y) % 251 for x in range(30)) for y in range(40))
HEADER = image_header(10, 40)
TEXTS = chunk(b"tEXt", b"Software\0a program") + chunk(b"iCCP", b"profile\0\0" + zlib_of(words(200)))


@pytest.mark.parametrize("size", [0, 1, 2, 100, 8192])
def test_comes_back_however_its_chunks_are_cut(size: int) -> None:
    found = opened("png", png_of(ROWS, HEADER, size, TEXTS))
    assert found.inner.endswith(ROWS)
    assert b"a program" in found.inner
    assert len(found.recipe) < 20 or size == 1


def test_chunks_of_all_lengths() -> None:
    stream = zlib_of(ROWS)
    pieces, at = [], 0
    for size in (0, 5, 1, 0, 40, 7, len(stream)):
        pieces.append(chunk(b"IDAT", stream[at : at + size]))
        at += size
    coded = b"\x89PNG\r\n\x1a\n" + HEADER + b"".join(pieces) + chunk(b"IEND", b"")
    found = opened("png", coded)
    damaged("png", found, len(coded), 1)


def test_animated() -> None:
    frames = [ROWS, ROWS[::-1], ROWS[5:] + ROWS[:5]]
    coded = apng_of(frames, HEADER, 10, 40, 90)
    found = opened("png", coded)
    assert found.inner.endswith(b"".join(frames))
    damaged("png", found, len(coded), 2)
    wrong = bytearray(coded)
    at = wrong.rfind(b"fdAT")
    wrong[at + 7] ^= 1  # a sequence number
    left_alone("png", bytes(wrong))


def test_one_stream_of_two_may_stay_as_it_is() -> None:
    coded = apng_of([ROWS, ROWS], HEADER, 10, 40, 1 << 20)
    data = bytearray(coded)
    at = data.rfind(b"fdAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    data[at + length] ^= 1  # of the second Adler-32
    data[at + 4 + length : at + 8 + length] = chunk(b"fdAT", bytes(data[at + 4 : at + 4 + length]))[-4:]
    found = opened("png", bytes(data))
    assert found.inner.count(ROWS) == 1


def test_damage() -> None:
    coded = png_of(ROWS, HEADER, 100, TEXTS)
    damaged("png", opened("png", coded), len(coded), 3)


@given(st.binary(max_size=60), st.binary(max_size=20), st.integers(1, 80))
def test_any_recipe_is_as_its_reference_says(inner: bytes, recipe: bytes, size: int) -> None:
    alike("png", inner, recipe, size)
    alike("png", b"\0\0\0\0IDAT" + inner, b"\x01\x00" + bytes((len(inner),)) + b"\0" + recipe, 20 + len(inner))


def test_what_is_wrong_or_cut_off_is_left() -> None:
    coded = png_of(ROWS, HEADER, 100, TEXTS)
    for cut in (0, 7, 8, 12, 20, len(coded) // 2, len(coded) - 12, len(coded) - 1):
        left_alone("png", coded[:cut])
    left_alone("png", coded + b"x")
    for at in (0, 9, 17, coded.find(b"IDAT") - 5, coded.find(b"IDAT") + 30, len(coded) - 1, len(coded) - 9):
        left_alone("png", coded[:at] + bytes((coded[at] ^ 33,)) + coded[at + 1 :])
    left_alone("png", b"\x89PNG\r\n\x1a\n" + HEADER + chunk(b"IEND", b""))
    left_alone("png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 1 << 31) + b"IDAT" + bytes(99))


@pytest.mark.parametrize("most", [0, 1, 50, 200, 400, 1000])
def test_little_room_is_left(most: int) -> None:
    """Where others took what containers may hold together, less than nothing is left behind the first streams."""
    coded = apng_of([ROWS, ROWS], HEADER, 10, 40, 90)
    assert OPENERS.by_name("png").open(coded, most) is None
