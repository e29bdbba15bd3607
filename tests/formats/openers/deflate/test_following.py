"""Streams of other programs: coded by what is foreseen, at a small part of their size."""

from pathlib import Path

import naive_deflate
import naive_inflate
import naive_openers
import pytest
from formats.openers.deflate.plains import by_zlib, few, noise, table, words
from hypothesis import given
from hypothesis import strategies as st
from numba import config

from nzip.errors import CorruptError
from nzip.formats.openers.deflate import following
from nzip.formats.openers.deflate.following import ALL, Follower, Guide
from nzip.formats.openers.deflate.inflation import tokens_of
from nzip.formats.openers.deflate.opener import DeflateOpener

SAMPLES = {path.stem: path.read_bytes() for path in Path(__file__).with_name("samples").glob("*.deflate")}
# Bytes that recipes may have at most.
WORTH = {
    "gzip-6": 1, "gzip-9": 1, "infozip-6": 1, "java-6": 1, "libdeflate-1": 45, "libdeflate-6": 55, "libdeflate-12": 380,
    "zlib-ng-1": 400, "zlib-ng-2": 470, "zlib-ng-6": 55, "isal-1": 370, "node-1": 300, "node-6": 50, "7zip-9": 400,
    "zopfli": 450,
}  # fmt: skip
SLOW = bool(config.DISABLE_JIT)


def recipe_of(stream: bytes, guide: Guide) -> tuple[bytes, bytes]:
    found = tokens_of(stream, 0, 1 << 20)
    assert found is not None
    follower = Follower(stream, found)
    made = follower.coded_by(guide, ALL)
    assert made is not None
    return found.plain.tobytes(), following.pack(guide, follower.most_tokens, found.padding, made[0])


def test_all_samples_have_a_bound() -> None:
    assert set(WORTH) == set(SAMPLES)


@pytest.mark.skipif(SLOW, reason="takes too long without compiled code")
@pytest.mark.parametrize("name", WORTH)
def test_streams_of_other_programs(name: str) -> None:
    stream = SAMPLES[name]
    found = DeflateOpener().open(stream, 12000)
    assert found is not None
    assert len(found.inner) == 12000
    assert len(found.recipe) <= WORTH[name]
    assert DeflateOpener().close(found.inner, found.recipe, len(stream)) == stream
    assert naive_deflate.close(found.inner, found.recipe, len(stream)) == stream


@st.composite
def guides(draw: st.DrawFn) -> Guide:
    return Guide(
        depth=draw(st.integers(0, following.DEEPEST)),
        nice=draw(st.integers(3, 258)),
        family=draw(st.integers(0, 1)),
        sparse=draw(st.integers(3, 258)),
        builder=draw(st.integers(0, 1)),
        joined=draw(st.integers(0, 1)),
    )


@given(guides(), st.integers(0, 99), st.integers(0, 9), st.integers(0, 3), st.binary(max_size=20))
def test_any_guide_gives_the_stream(guide: Guide, seed: int, level: int, kind: int, rest: bytes) -> None:
    plain = (words(150, seed), table(90, seed), few(900, b"\0\0\0\1", seed), noise(300, seed))[kind] + rest
    stream = by_zlib(plain, level)
    inner, recipe = recipe_of(stream, guide)
    assert inner == plain
    assert following.close(plain, recipe, len(stream)) == stream
    assert naive_deflate.close(plain, recipe, len(stream)) == stream


def test_bits_behind_the_end() -> None:
    text = words(200)
    stream = _ended(by_zlib(text))
    inner, recipe = recipe_of(stream, Guide())
    assert inner == text
    assert following.close(inner, recipe, len(stream)) == stream
    assert naive_deflate.close(inner, recipe, len(stream)) == stream


def _ended(stream: bytes) -> bytes:
    """Put an empty block behind the last one of a stream, and odd bits behind that."""
    for padding in range(8):
        made = naive_inflate.Writer()
        made.put(int.from_bytes(stream, "little") & ~1, 8 * len(stream) - padding)
        made.put(3, 3)  # a last block with fixed codes
        made.code((7, 0))
        made.align(0x55)
        data = made.data()
        found = tokens_of(data, 0, 1 << 20)
        if found is not None and found.end == len(data) and len(found.blocks) == 2:
            return data
    raise AssertionError("a stream ends somewhere in its last byte")


@given(st.binary(max_size=60), st.binary(max_size=80), st.integers(0, 200))
def test_any_recipe_is_read_as_the_page_says(inner: bytes, recipe: bytes, size: int) -> None:
    alike(inner, b"\0" + recipe, size)


@given(st.data())
def test_damaged_recipes_are_read_as_the_page_says(data: st.DataObject) -> None:
    stream = by_zlib(words(60, data.draw(st.integers(0, 9))))
    inner, recipe = recipe_of(stream, Guide(depth=3))
    damaged = bytearray(recipe)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(recipe) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    alike(inner, bytes(damaged[: data.draw(st.integers(0, len(recipe)))]), len(stream))
    alike(inner, bytes(damaged), len(stream))


def alike(inner: bytes, recipe: bytes, size: int) -> None:
    try:
        wanted = naive_deflate.close(inner, recipe, size)
    except naive_openers.Corrupt:
        wanted = None
    try:
        made = DeflateOpener().close(inner, recipe, size)
    except CorruptError:
        made = None
    assert made == wanted
