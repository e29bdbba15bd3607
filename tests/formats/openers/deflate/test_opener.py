"""The opener: what it opens, what it leaves, and bytes that mean it harm."""

import random
import zlib

import pytest
from formats.openers.deflate.plains import PLAINS, by_zlib, noise, words
from formats.openers.made import deflated
from numba import config

from nzip.errors import CorruptError
from nzip.formats.openers.deflate.opener import FEW_HIDDEN, DeflateOpener
from nzip.formats.openers.deflate.redoing import Encoder
from nzip.formats.openers.deflate.settings import Settings
from nzip.registry import OPENERS

MOST = 1 << 22
HUGE = b"\xff" * 8 + b"\x7f"  # the largest integer
SLOW = bool(config.DISABLE_JIT)


def test_it_is_registered() -> None:
    assert isinstance(OPENERS.by_name("deflate"), DeflateOpener)


@pytest.mark.parametrize("name", ["words", "noise"] if SLOW else ["words", "table", "zeros", "noise", "mixed"])
def test_streams_come_back(name: str) -> None:
    opener = DeflateOpener()
    for level in (1, 6) if SLOW else (0, 1, 2, 3, 4, 5, 6, 7, 8, 9):
        plain = PLAINS[name][:3000] if SLOW else PLAINS[name]
        stream = deflated(plain, level) if level else by_zlib(plain, 0)
        found = opener.open(stream, MOST)
        assert found is not None
        assert opener.close(found.inner, found.recipe, len(stream)) == stream
        assert opener.close_within(found.inner, found.recipe, len(stream) + 50) == stream
        assert opener.open(stream, len(found.inner)) == found
        assert opener.open(stream, len(found.inner) - 1) is None
        assert opener.memory(len(found.inner), len(stream)) > len(stream)


def test_stored_blocks_are_not_tried_with_all_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """They show no tokens, by which settings are told apart."""
    tried, agreement = [], Encoder.agreement

    def counted(self: Encoder, *given: object) -> int:
        tried.append(given)
        return agreement(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoder, "agreement", counted)
    plain = words(9, 500 if SLOW else 40_000)
    stream = by_zlib(plain, 0)
    found = DeflateOpener().open(stream, MOST)
    assert found is not None
    assert len(found.recipe) < 100
    assert len(tried) <= FEW_HIDDEN


def test_usual_recipes_are_short() -> None:
    from nzip.formats.openers.deflate.redoing import Encoder

    for plain in (b"", b"a", words(9), words(2000)):
        for level in (1, 6, 9):
            stream = Encoder(plain).redone(Settings(level), [len(plain)], [], 20000)
            assert stream is not None
            found = DeflateOpener().open(stream, MOST)
            assert found is not None
            assert len(found.recipe) == 1


@pytest.mark.parametrize(
    "stream",
    [b"", b"\x07", b"\1\1\0\0\0a", b"not a stream", by_zlib(b"abc") + b"x", by_zlib(words(99))[:-1], noise(500)],
)
def test_what_is_left_alone(stream: bytes) -> None:
    assert DeflateOpener().open(stream, MOST) is None


def test_a_bomb_is_stopped() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1 if SLOW else 16)) + packer.flush()
    assert DeflateOpener().open(bomb, 1 << 16) is None


@pytest.mark.parametrize(
    "recipe",
    [
        b"", b"\0", b"\0\7", b"\x0a", b"\x66", b"\x06\0", b"\x86\x77", b"\x86\x99\0\0", b"\x86\x77\x07\0",
        b"\x86\x77\x40\0", b"\x86\x77\6\1" + HUGE + b"\1", b"\x86\x77\6\1\2" + HUGE, b"\x86\x77\6\1\0" + HUGE,
        b"\0\x8f\xff\xff\0", b"\0\7\xff\xff" + HUGE,
        b"\6" * 300000,
    ],
)  # fmt: skip
def test_bad_recipes(recipe: bytes) -> None:
    with pytest.raises(CorruptError):
        DeflateOpener().close(words(9), recipe, 40)


def test_damaged_recipes_raise_one_error() -> None:
    opener, draw = DeflateOpener(), random.Random(7)
    stream = by_zlib(words(400))
    found = opener.open(stream, MOST)
    assert found is not None
    for _ in range(200):
        recipe = draw.choice([found.recipe, b"\0\7\xff\xff\x80\x08"]) + draw.randbytes(draw.randrange(30))
        damaged = bytearray(recipe)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        try:
            made = opener.close(found.inner, bytes(damaged), len(stream))
        except CorruptError:
            continue
        assert len(made) == len(stream)



def test_searches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from nzip.formats.openers.deflate import redoing

    monkeypatch.setattr(redoing, "STEPS", 0)
    monkeypatch.setattr(redoing, "FEWEST", 10)
    with pytest.raises(CorruptError):
        DeflateOpener().close(words(200), b"\x09", 2000)
