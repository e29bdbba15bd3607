"""The encoder: bit for bit what zlib 1.2.13 made once, and what the page says."""

import hashlib
import json
from pathlib import Path

import naive_deflate
import naive_inflate
import pytest
from formats.openers.deflate.plains import PLAINS, few, noise, table, words
from hypothesis import given
from hypothesis import strategies as st
from numba import config

from nzip.formats.container.wire import Reader
from nzip.formats.openers.deflate import recipe as recipes
from nzip.formats.openers.deflate.flushes import CLEAR, PARTIAL, SYNC
from nzip.formats.openers.deflate.redoing import Encoder
from nzip.formats.openers.deflate.settings import GZIP, Settings

PINNED = json.loads(Path(__file__).with_name("pinned.json").read_text())
FLUSHES = {"sync": SYNC, "full": SYNC | CLEAR, "partial": PARTIAL}
SLOW = bool(config.DISABLE_JIT)


@pytest.mark.parametrize("name", ["a byte", "noise"] if SLOW else list(PLAINS))
def test_what_zlib_made_once(name: str) -> None:
    plain = PLAINS[name]
    encoder = Encoder(plain)
    for of, level, memory, window, strategy, flush, size, digest in PINNED:
        if of != name or (flush and len(plain) <= 10000 and len(plain) > 1):
            continue
        stops = [min(5000 * k, len(plain)) for k in range(1, 4)] if flush else []
        if flush and len(plain) <= 1:
            continue  # the same place again and again: zlib writes nothing
        settings = Settings(level, strategy, memory, window, memory)
        made = encoder.redone(settings, [*stops, len(plain)], [FLUSHES[flush]] * 3 if flush else [], size)
        assert made is not None
        seen = (len(made), hashlib.sha256(made).hexdigest()[:16])
        assert seen == (size, digest), (level, memory, window, strategy, flush)


def settings_of(draw: st.DrawFn) -> Settings:
    return Settings(
        level=draw(st.integers(1, 9)),
        strategy=draw(st.integers(0, GZIP)),
        memory=draw(st.integers(1, 9)),
        window=draw(st.integers(9, 15)),
        block=draw(st.sampled_from([1, 2, 8, 9])),
        less=draw(st.integers(0, 1)),
        first=draw(st.integers(0, 1)),
        far=draw(st.integers(0, 1)),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[bytes, Settings, list[int], list[int]]:
    seed = draw(st.integers(0, 99))
    plain = draw(st.sampled_from([words(150, seed), table(90, seed), few(900, b"\0\0\0\1", seed), noise(300, seed)]))
    plain = plain * draw(st.integers(1, 2)) + draw(st.binary(max_size=20))
    stops = sorted(draw(st.lists(st.integers(0, len(plain)), max_size=3)))
    marks = [draw(st.sampled_from((1, 2, 3, 5, 6, 7))) for _ in stops]
    return plain, settings_of(draw), [*stops, len(plain)], marks


@given(cases())
def test_it_is_what_the_page_says(case: tuple[bytes, Settings, list[int], list[int]]) -> None:
    plain, settings, stops, marks = case
    made = Encoder(plain).redone(settings, stops, marks, 2 * len(plain) + 1000)
    assert made is not None
    packed = recipes.pack(settings, stops, marks)
    assert recipes.unpack(Reader(packed), len(plain)) == (settings, stops, marks)
    assert naive_deflate.close(plain, packed, len(made)) == made
    assert naive_inflate.inflated(made) == plain


def test_a_stream_that_is_longer_than_allowed() -> None:
    plain = words(500)
    made = Encoder(plain).redone(Settings(), [len(plain)], [], 5000)
    assert made is not None
    assert Encoder(plain).redone(Settings(), [len(plain)], [], len(made) - 1) is None


def test_tokens_are_compared_as_far_as_they_are_alike() -> None:
    from nzip.formats.openers.deflate.inflation import tokens_of

    plain = words(700, 3)
    encoder = Encoder(plain)
    made = encoder.redone(Settings(9), [len(plain)], [], 5000)
    assert made is not None
    found = tokens_of(made, 0, 1 << 20)
    assert found is not None
    counts = encoder.agreements([Settings(1), Settings(9), Settings(2)], [len(plain)], [], found.tokens)
    assert counts[1] == len(found.tokens)
    assert 0 < counts[0] < counts[1]
    assert 0 < counts[2] < counts[1]
