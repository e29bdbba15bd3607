"""The loop `normal`: equal to the plain-Python model for every type of bytes, alone and one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import naive_cm as naive
import pytest
from models.cm.maps import MAPS, ROW_MAPS, records, shortened, words
from naive_segments import pack

from nzip.models import primers
from nzip.models.cm import layout
from nzip.models.cm.engine import CmEngine
from nzip.models.cm.layout import BINARY, BITMAP, TEXT
from nzip.models.cm.presets import NORMAL
from nzip.models.cm.segments import Stretch

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
ENGINE = CmEngine()
SHORT = 250 if JIT else 90  # bytes of a block


def _same(block: bytes, stretches: list[Stretch], preset: int, bits: int, primer: int = 0, told: bytes = b"") -> None:
    """Check that the engine and the plain-Python model write the same payload, and read it."""
    params = {"preset": preset, "bits": bits, "primer": primer}
    payload = ENGINE.encode_stretches(block, params, stretches)
    assert len(payload) <= len(block)
    found, number, coded = naive.read_head(payload, len(block), primer)
    assert found == [stretch[:-1] for stretch in stretches]  # `guessed` is no part of the map
    assert pack(found) + bytes((number,)) * (number > 0) + coded == payload

    def predictor() -> naive.Predictor:
        made = naive.Predictor(preset, bits, len(told) + len(block))
        made.read(told)
        return made

    assert naive.encode(block, found, predictor()) == coded
    assert ENGINE.decode(payload, len(block), params) == block
    if preset == 3:
        assert naive.decode(coded, found, predictor()) == block


@pytest.mark.parametrize("name", MAPS)
def test_every_map_equals_the_naive_model(name: str) -> None:
    _same(*shortened(name, SHORT), preset=3, bits=12)


@pytest.mark.parametrize("preset", NORMAL)
@pytest.mark.parametrize("name", ROW_MAPS)
def test_rows_equal_the_naive_model(name: str, preset: int) -> None:
    _same(*shortened(name, 3 * SHORT), preset=preset, bits=13)


@pytest.mark.parametrize("preset", set(NORMAL) - {3})
@pytest.mark.parametrize("name", ["text", "records", "bitmap", "all types"])
def test_every_preset_equals_the_naive_model(name: str, preset: int) -> None:
    _same(*shortened(name, SHORT), preset=preset, bits=14)


@pytest.mark.parametrize("preset", NORMAL)
def test_a_crowded_table_equals_the_naive_model(preset: int) -> None:
    _same(*shortened("all types", 2 * SHORT), preset=preset, bits=8)


def test_odd_records_equal_the_naive_model() -> None:
    """Of none, one and two bytes, and of more than there are."""
    shapes = ((BINARY, 0), (BINARY, 1), (BITMAP, 2), (BITMAP, 1), (BINARY, 65535), (BINARY, 0))
    block = (bytes(range(40)) + bytes(20)) * len(shapes)
    _same(block, [Stretch(kind, 60, period) for kind, period in shapes], preset=3, bits=12)


def test_long_matches_equal_the_naive_model() -> None:
    line = words(40, 3)[:150]
    block = line * (7 if JIT else 1) + line[20:90] + line
    _same(block, [Stretch(TEXT, len(block))], preset=2, bits=12)


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
def test_more_bytes_equal_the_naive_model() -> None:
    text, more = words(150, 9), records(60)
    _same(text + more, [Stretch(TEXT, len(text)), Stretch(BINARY, len(more), 7)], preset=3, bits=16)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], bytes]:
    """Let a short text be every primer."""

    def tell(text: bytes) -> bytes:
        monkeypatch.setattr(primers, "text", lambda number: text)
        monkeypatch.setattr(primers, "nearest", lambda block: 5)
        monkeypatch.setattr(ENGINE, "_states", type(ENGINE._states)())
        return text

    return tell


@pytest.mark.parametrize("preset", NORMAL)
@pytest.mark.parametrize("name", ["text", "all types"])
def test_what_follows_a_primer_equals_the_naive_model(told: Callable[[bytes], bytes], name: str, preset: int) -> None:
    text = words(40 if JIT else 8, 4) + b"\nMixing of " + name.encode()
    _same(*shortened(name, SHORT), preset=preset, bits=12, primer=1, told=told(text))


def test_a_longer_primer_counts_with_its_end(told: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(words(40, 4))
    stretches = [Stretch(TEXT, 100)]
    full = ENGINE._full({"preset": 1, "bits": 12})
    monkeypatch.setitem(NORMAL, 1, replace(NORMAL[1], primer=len(text)))
    begin, state = ENGINE._begin(full, ENGINE._reading(full, stretches, 5), 100)
    told(b"None of this is read. " * 9 + text)
    again, other = ENGINE._begin(full, ENGINE._reading(full, stretches, 5), 100)
    assert begin == again == len(text)
    kept = [each.changed(NORMAL[1].mixtures[TEXT]) for each in (state, other)]
    assert sum(not array.any() for array in kept[0]) == 2  # what is known of rows
    assert all((one == two).all() for one, two in zip(*kept, strict=True))


def test_presets_fit_the_loop() -> None:
    for preset in NORMAL.values():
        assert max(preset.limit, preset.sse_limit, preset.counter_limit) <= 1022
        assert preset.counters <= 3
        assert len(preset.mixtures) == 7
        for mixture in preset.mixtures:
            contexts, inputs = mixture.contexts, mixture.inputs or preset.inputs
            assert inputs % 16 == 0
            assert len(contexts) + 3 + preset.counters + mixture.guesses <= inputs
            assert len(set(contexts)) == len(contexts)
            assert all(context.first_mask <= 255 for context in contexts if context.direct)
            assert not any(context.third for context in contexts)
            assert len(mixture.matches) == 1
            assert 2 <= mixture.matches[0] <= 8
            assert not mixture.near
            assert all(choice.select != layout.BITS for choice in mixture.sets)
