"""Parts of deflate streams: that they come back, what they need beside the bytes, and bytes that mean them harm."""

from __future__ import annotations

import hashlib
import random
import zlib

import naive_deflate
import pytest
from formats.openers.deflate.parts import parts_of, small
from formats.openers.deflate.plains import PLAINS, by_zlib, noise, words
from hypothesis import given
from hypothesis import strategies as some
from naive_openers import Corrupt
from numba import config

from nzip.errors import CorruptError
from nzip.formats.openers.base import Opened
from nzip.formats.openers.deflate.torn import Part, TornOpener
from nzip.registry import OPENERS

MOST = 1 << 24
SLOW = bool(config.DISABLE_JIT)
SIZE = 6000 if SLOW else 300_000
TEXT = b" ".join(words(700, seed) for seed in range(100))[:SIZE]


def opened(coded: bytes, part: Part, held: bytes) -> Opened:
    """Open a part that must open, and come back, by the kernels and in plain Python."""
    found = TornOpener().open(coded, MOST, part=part)
    assert found is not None
    assert found.inner == part.window + held
    assert TornOpener().close(found.inner, found.recipe, len(coded)) == coded
    assert TornOpener().memory(len(found.inner), len(coded)) > len(coded)
    return found


def test_it_is_registered() -> None:
    assert isinstance(OPENERS.by_name("torn"), TornOpener)
    assert TornOpener().open(by_zlib(TEXT), MOST) is None  # what is no part


@pytest.mark.parametrize("level", [6] if SLOW else [1, 3, 4, 6, 9])
def test_parts_come_back(level: int) -> None:
    for coded, part, held in parts_of(by_zlib(TEXT, level), 1):
        found = opened(coded, part, held)
        # Places inside of matches are in no chain at the lowest levels: which, shows in 32 KiB.
        assert len(found.recipe) < 100 or level < 4


@pytest.mark.parametrize("name", ["noise", "mixed", "zeros", "table"])
def test_parts_of_any_bytes_come_back(name: str) -> None:
    plain = PLAINS[name][: SIZE // 3] + TEXT[: SIZE // 4] + PLAINS[name][: SIZE // 3]
    for level, strategy in ((6, 0), (2, 0), (6, zlib.Z_RLE), (9, zlib.Z_FILTERED)):
        for coded, part, held in parts_of(small(plain, level, 5, strategy), 3, 300):
            opened(coded, part, held)


def test_plain_python_says_the_same() -> None:
    text = TEXT[:4000] + noise(700) + TEXT[1000:4000]
    for level in (1, 6):
        for coded, part, held in list(parts_of(small(text, level), 4))[4:]:
            found = opened(coded, part, held)
            assert naive_deflate.torn(found.inner, found.recipe, len(coded)) == coded


def flushed(level: int) -> bytes:
    """Deflate as programs do that share the work among threads."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 5)
    out = b""
    for at in range(0, len(TEXT), len(TEXT) // 9):
        out += packer.compress(TEXT[at : at + len(TEXT) // 9]) + packer.flush(zlib.Z_SYNC_FLUSH)
    return out + packer.flush()


def test_parts_of_flushed_streams_come_back() -> None:
    for coded, part, held in parts_of(flushed(6), 3, 300):
        assert len(opened(coded, part, held).recipe) < 60


def test_recipes_of_other_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TornOpener, "_exact", lambda *_: iter(()))
    monkeypatch.setattr("nzip.formats.openers.deflate.torn.WORTH", 1)
    parts = list(parts_of(small(TEXT[:9000], 6), 2 if SLOW else 6, 200))
    assert len(parts) > 2
    for coded, part, held in parts:
        found = opened(coded, part, held)
        assert naive_deflate.torn(found.inner, found.recipe, len(coded)) == coded


def some_part() -> tuple[bytes, Part, Opened]:
    coded, part, held = list(parts_of(small(TEXT[:5000], 1), 2))[-2]
    return coded, part, opened(coded, part, held)


def alike(inner: bytes, recipe: bytes, size: int) -> None:
    """Check that both make the same, or nothing."""
    try:
        made = TornOpener().close(inner, recipe, size)
    except CorruptError:
        made = None
    try:
        wanted = naive_deflate.torn(inner, recipe, size)
    except Corrupt:
        wanted = None
    assert made == wanted


@pytest.mark.parametrize(
    "recipe",
    [
        b"", b"\0", b"\x10\0\0\0\6\0", b"\1\2\0\0\6\0", b"\0\0\x64\x63\6\0", b"\0\0\xff\xff\3\0\6\0",
        b"\0\0\0\0\6", b"\0\0\0\0\6\1", b"\0\0\0\0\6\0\0", b"\0\0\0\0\6\1\0\1\0", b"\0\0\0\0\6\1\5\1\5",
        b"\0\0\0\0\6\1\5\x81\2\0", b"\0\0\0\0\6\1\xff\x7f\0", b"\0\0\0\0\6\xff\xff\xff\x7f", b"\0\0\0\0\6\2\5\0\0\0",
        b"\0\0\5\5\x86\x77\6\1\x10\1\0", b"\0\0\0\0\0", b"\0\0\0\0\0\7\xff\xff\x80\x08",
        b"\0\0\0\0\6" + b"\xff" * 8 + b"\x7f", b"\0" * 800_000,
    ],
)  # fmt: skip
def test_bad_recipes(recipe: bytes) -> None:
    with pytest.raises(CorruptError):
        TornOpener().close(words(9), recipe, 40)
    if len(recipe) < 1000:
        alike(words(9), recipe, 40)


def test_damaged_recipes_raise_one_error() -> None:
    draw = random.Random(5)
    coded, _, found = some_part()
    for _ in range(30 if SLOW else 300):
        recipe = bytearray(found.recipe)
        for _ in range(draw.randrange(1, 3)):
            recipe[draw.randrange(len(recipe))] ^= 1 << draw.randrange(8)
        alike(found.inner, bytes(recipe[: draw.randrange(1, len(recipe) + 1)]), len(coded))


def test_truncated_recipes_and_windows() -> None:
    coded, part, found = some_part()
    for stop in range(len(found.recipe)):
        alike(found.inner, found.recipe[:stop], len(coded))
    for inner in (found.inner[1:], found.inner[:-1], found.inner[:10], b"", found.inner[: len(part.window)]):
        alike(inner, found.recipe, len(coded))


@given(some.binary(max_size=300), some.binary(max_size=24), some.integers(0, 300), some.integers(0, 15))
def test_any_recipe_gives_what_the_page_says(inner: bytes, rest: bytes, size: int, flags: int) -> None:
    window = len(inner) // 2
    head = bytes((flags, 0)) + 2 * (bytes((window,)) if window < 128 else bytes((window & 127 | 128, window >> 7)))
    alike(inner, head + rest, size)
    alike(inner, rest, size)


@pytest.mark.parametrize(
    ("place", "recipe", "size", "digest"),
    [
        (97199, "0000808002aff7010600", 15931, "187ff059c8b69f82"),
        (90353, "0000808002f1c1010102e9810200290108", 19794, "f79ebc7a791472a1"),
        (90353, "0800808002f1c1010102f68102003b0108", 19794, "5053254375285415"),
    ],
)
def test_pinned_parts(place: int, recipe: str, size: int, digest: str) -> None:
    """What a recipe stands for never changes."""
    inner = b" ".join(words(700, seed) for seed in range(40))[place - 32768 :]
    made = TornOpener().close(inner, bytes.fromhex(recipe), size)
    assert hashlib.sha256(made).hexdigest()[:16] == digest
    assert naive_deflate.torn(inner, bytes.fromhex(recipe), size) == made


def test_tokens_that_do_not_fit_are_put_right() -> None:
    """A part whose first tokens nobody would choose."""
    coded, part, found = some_part()
    at = len(part.window) + 40
    text = found.inner
    size = 3 if text[at : at + 3] in text[:at] else 0
    token = bytes((at & 127 | 128, at >> 7, 0)) if not size else bytes((at & 127 | 128, at >> 7, 1, 5))
    recipe = bytes((part.bit, coded[0] & (1 << part.bit) - 1)) + 2 * bytes(
        (len(part.window) & 127 | 128, len(part.window) >> 7)
    )
    for n in range(len(coded) - 4, len(coded) + 8):
        alike(found.inner, recipe + b"\6\1" + token, n)
