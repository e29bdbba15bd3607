"""The opener of shuffled numbers."""

from formats.openers.checks import alike, left_alone, opened
from hypothesis import given
from hypothesis import strategies as st

from nzip.registry import OPENERS


@given(st.binary(min_size=4, max_size=300), st.integers(2, 9))
def test_comes_back_and_equals_its_reference(coded: bytes, width: int) -> None:
    if len(coded) >= 2 * width:
        opened("shuffle", coded, width=width)
    else:
        left_alone("shuffle", coded, width=width)


@given(st.binary(max_size=60), st.binary(max_size=4), st.integers(1, 80))
def test_any_recipe_is_as_its_reference_says(inner: bytes, recipe: bytes, size: int) -> None:
    alike("shuffle", inner, recipe, size)
    alike("shuffle", inner, recipe, max(1, len(inner)))


def test_numbers_are_put_together() -> None:
    assert opened("shuffle", b"acebdfx", width=2).inner == b"abcdefx"
    assert OPENERS.by_name("shuffle").close(b"abcdefx", bytes((2,)), 7) == b"acebdfx"
    left_alone("shuffle", b"abcdef")
    left_alone("shuffle", b"abcdef", width=4)
