"""The opener of integers of few bits."""

import random

import pytest
from formats.openers.checks import alike, damaged, left_alone, opened
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("bits", range(1, 17))
def test_integers_get_bytes_of_their_own(bits: int) -> None:
    draw = random.Random(bits)
    for count in (1, 7, 8, 300):
        data = draw.randbytes((bits * count + 7) // 8 + draw.randrange(3))
        found = opened("packed", data, bits=bits, count=count)
        value, width = int.from_bytes(data, "big") >> (8 * len(data) - bits * count), 1 + (bits > 8)
        expected = [value >> (bits * (count - 1 - i)) & ((1 << bits) - 1) for i in range(count)]
        assert [int.from_bytes(found.inner[width * i : width * (i + 1)], "little") for i in range(count)] == expected
        damaged("packed", found, len(data), seed=count, times=20)


def test_many_are_turned_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random.Random(1).randbytes(1000)
    found = opened("packed", data, bits=11, count=700)
    monkeypatch.setattr("nzip.formats.openers.packed.PIECE", 16)
    assert opened("packed", data, bits=11, count=700) == found


def test_what_does_not_fit_is_left() -> None:
    left_alone("packed", bytes(10))
    for bits, count in ((17, 2), (3, 0), (8, 11), (9, 9)):
        left_alone("packed", bytes(10), bits=bits, count=count)


@given(st.binary(max_size=60), st.integers(0, 18), st.integers(0, 40), st.integers(0, 255), st.integers(1, 60))
def test_any_recipe_is_as_its_reference_says(inner: bytes, bits: int, count: int, spare: int, size: int) -> None:
    alike("packed", inner, bytes((bits, count, spare)), size)
    width = 1 + (bits > 8)
    if width * count <= len(inner):
        made = (bits * count + 7) // 8 + len(inner) - width * count
        alike("packed", inner, bytes((bits, count, spare)), max(1, made))
