"""The opener of filtered rows."""

import random

import pytest
from formats.openers.checks import alike, damaged, left_alone, opened
from hypothesis import given
from hypothesis import strategies as st

from nzip.registry import OPENERS

ROWS = OPENERS.by_name("rows")

shapes = st.tuples(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5))


def pixels(row: int, count: int, seed: int) -> bytes:
    draw = random.Random(seed)
    value, out = 128, bytearray()
    for _ in range(row * count):
        value = (value + draw.randint(-3, 3)) % 256
        out.append(value)
    return bytes(out)


def filtered(raw: bytes, row: int, step: int, height: int, kinds: list[int]) -> bytes:
    runs = b"".join(bytes((kind, 1)) for kind in kinds)
    recipe = bytes((0, row, step, height)) + runs
    return bytes(ROWS.close(raw, recipe, len(raw) + len(kinds)))


@given(shapes, st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(0, 99))
def test_comes_back_and_equals_its_reference(shape: tuple[int, int, int], kinds: list[int], seed: int) -> None:
    row, step, height = shape
    raw = pixels(row, len(kinds), seed)
    coded = filtered(raw, row, step, height, kinds)
    found = opened("rows", coded, row=row, step=step, height=height)
    assert found.inner == raw
    damaged("rows", found, len(coded), seed, 10)


@given(st.binary(max_size=60), st.binary(max_size=20), st.integers(1, 80))
def test_any_recipe_is_as_its_reference_says(inner: bytes, recipe: bytes, size: int) -> None:
    alike("rows", inner, recipe, size)
    alike("rows", inner, bytes((recipe[0] % 3 if recipe else 0, 3, 1, 0)) + recipe, size)


def test_the_usual_choice_of_filters_costs_nothing() -> None:
    raw = pixels(60, 50, 1)
    guess = bytes((2, 60, 3, 0))
    found = opened("rows", ROWS.close(raw, guess, len(raw) + 50), row=60, step=3)
    assert found.recipe == guess
    changed = bytearray(ROWS.close(raw, guess + bytes((7, 0)), len(raw) + 50))
    assert opened("rows", bytes(changed), row=60, step=3).recipe == guess + bytes((7, 0))


def test_one_filter_for_all_rows() -> None:
    raw = pixels(60, 50, 2)
    found = opened("rows", filtered(raw, 60, 3, 0, [1] * 50), row=60, step=3)
    assert found.recipe == bytes((0, 60, 3, 0, 1, 50))


def test_filters_of_no_rule() -> None:
    draw = random.Random(5)
    kinds = [draw.randint(0, 4) for _ in range(50)]
    found = opened("rows", filtered(pixels(60, 50, 3), 60, 3, 0, kinds), row=60, step=3)
    assert found.recipe == bytes((1, 60, 3, 0, *kinds))


def test_the_example_of_the_page() -> None:
    assert ROWS.close(bytes.fromhex("0A0B0C0D"), bytes.fromhex("0002010001010201"), 6).hex() == "010a01020202"


def test_a_last_row_may_end_early() -> None:
    raw = pixels(10, 3, 4)[:27]
    coded = ROWS.close(raw, bytes((0, 10, 1, 0, 4, 3)), 30)
    assert opened("rows", coded, row=10, step=1).inner == raw
    left_alone("rows", coded[:23], row=10, step=1)  # a filter without bytes


@pytest.mark.parametrize(
    "hints",
    [{}, {"row": 0}, {"row": 5, "step": 0}, {"row": 5, "step": 65}, {"row": 1 << 31}, {"row": 5, "step": 1}],
)
def test_what_is_no_rows_is_left(hints: dict[str, int]) -> None:
    left_alone("rows", b"\x05abcde\x09abcde", **hints)
    left_alone("rows", b"", **hints)
