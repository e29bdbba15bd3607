"""The loop `normal`: equal to the plain-Python model for every type of bytes, alone and one after the other."""

from __future__ import annotations

import itertools
import math
import os
import random
from collections.abc import Callable
from dataclasses import replace

import naive_cm as naive
import pytest
from naive_segments import pack

from nzip.models import primers
from nzip.models.cm import layout
from nzip.models.cm.engine import CmEngine
from nzip.models.cm.layout import AUDIO, BINARY, BITMAP, IMAGE, TEXT
from nzip.models.cm.presets import NORMAL
from nzip.models.cm.segments import Stretch

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
ENGINE = CmEngine()


def _words(count: int, seed: int) -> bytes:
    rng = random.Random(seed)
    words = ["mixing", "of", "contexts", "Predicts", "the", "next", "bit;", "and", "a", "coder", "spends", "it.\n"]
    return " ".join(rng.choice(words) for _ in range(count)).encode()


def _records(count: int) -> bytes:
    return b"".join(k.to_bytes(4, "little") + bytes((k * k % 251, 7, 0)) for k in range(count))


def _pixels(width: int, height: int, channels: int) -> bytes:
    rng = random.Random(width)
    places = itertools.product(range(height), range(width), range(channels))
    return bytes((3 * x + 2 * y + 40 * c + rng.randrange(4)) % 256 for y, x, c in places)


def _samples(count: int, channels: int, width: int, big: bool) -> bytes:
    rng = random.Random(count)
    top = 1 << (8 * width - 2)
    values = (int(top * math.sin(k / 9 + c)) + rng.randrange(3) for k in range(count) for c in range(channels))
    return b"".join((value % (4 * top)).to_bytes(width, "big" if big else "little") for value in values)


def _dots(width: int, height: int) -> bytes:
    return bytes((255 if (x * x + y * y) % 7 else 60) if y % 3 else 0 for y in range(height) for x in range(width))


def _audio(stride: int, width: int, big: bool = False, phase: int = 0) -> Stretch:
    return Stretch(AUDIO, 0, 0, stride, width, big, phase)


# Blocks: what stands in each stretch, and what is said of it.
Block = list[tuple[bytes, Stretch]]
TEXT_ALONE: Block = [(_words(60, 1), Stretch(TEXT, 0))]
EVERY_TYPE: Block = [
    (_words(12, 1), Stretch(TEXT, 0)),
    (_records(15), Stretch(BINARY, 0, 7)),
    (_words(12, 2), Stretch(TEXT, 0)),
    (_pixels(8, 4, 3)[1:], Stretch(IMAGE, 0, 24, 3)),
    (_samples(25, 2, 2, False)[3:], _audio(4, 2, phase=3)),
    (b"ab" * 20, Stretch(BINARY, 0, 0)),
    (_dots(9, 7), Stretch(BITMAP, 0, 9)),
    (_words(12, 1), Stretch(TEXT, 0)),
    (_samples(20, 1, 4, True)[1:], _audio(4, 4, True, 1)),
]
PRESETS: dict[str, Block] = {  # coded by each preset
    "text": TEXT_ALONE,
    "records": [(_records(40), Stretch(BINARY, 0, 7))],
    "bitmap": [(_dots(12, 22), Stretch(BITMAP, 0, 12))],
    "every type": EVERY_TYPE,
}
SHAPES: dict[str, Block] = {  # whose contexts all presets have
    "pixels of one byte": [(_pixels(15, 16, 1), Stretch(IMAGE, 0, 15, 1))],
    "pixels of three bytes": [(_pixels(15, 6, 3), Stretch(IMAGE, 0, 45, 3))],
    "one pixel a row": [(_pixels(1, 80, 3), Stretch(IMAGE, 0, 3, 3))],
    "samples of one byte": [(_samples(120, 2, 1, False)[1:], _audio(2, 1, phase=1))],
    "samples of two bytes": [(_samples(80, 2, 2, False), _audio(4, 2))],
    "samples of three bytes": [(_samples(50, 2, 3, True)[2:], _audio(6, 3, True, 2))],
    "samples that do not fill the frame": [(_samples(60, 2, 2, False), _audio(5, 2, True, 4))],
    "a record that is longer than what is there": [(_records(20), Stretch(BINARY, 0, 65535))],
    "records of one byte, of two": [(bytes(120), Stretch(BINARY, 0, 1)), (bytes(120), Stretch(BITMAP, 0, 2))],
    "lines": [(b"".join(b"%5d  %-12s|\r\n" % (k * 37, b"ab" * (k % 5)) for k in range(20)), Stretch(TEXT, 0))],
    "a long match": [(_words(40, 3)[:200] * 3, Stretch(TEXT, 0))],
}


def _block(parts: Block) -> tuple[bytes, list[Stretch]]:
    """Return a block and its stretches; short ones without the compiler."""
    parts = parts if JIT else [(part[: 90 // len(parts)], stretch) for part, stretch in parts]
    return b"".join(part for part, _ in parts), [stretch._replace(length=len(part)) for part, stretch in parts]


def _same(parts: Block, preset: int, bits: int, primer: int = 0, told: bytes = b"") -> None:
    """Check that the engine and the plain-Python model write the same payload, and read it."""
    block, stretches = _block(parts)
    params = {"preset": preset, "bits": bits, "primer": primer}
    payload = ENGINE._encode(block, ENGINE._full(params), stretches)
    assert len(payload) <= len(block)
    found, number, coded = naive.read_head(payload, len(block), primer)
    assert found == stretches
    assert pack(found) + bytes((number,)) * (number > 0) + coded == payload

    def predictor() -> naive.Predictor:
        made = naive.Predictor(NORMAL[preset], bits, len(told) + len(block))
        made.read(told)
        return made

    assert naive.encode(block, found, predictor()) == coded
    assert ENGINE.decode(payload, len(block), params) == block
    if preset == 3:
        assert naive.decode(coded, found, predictor()) == block


@pytest.mark.parametrize("preset", NORMAL)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_equals_the_naive_model(name: str, preset: int) -> None:
    _same(PRESETS[name], preset, 8 if name == "every type" else 14)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_equals_the_naive_model(name: str) -> None:
    _same(SHAPES[name], 3, 12)


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
def test_more_bytes_equal_the_naive_model() -> None:
    _same([(_words(250, 9), Stretch(TEXT, 0)), (_records(100), Stretch(BINARY, 0, 7))], 3, 16)


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
@pytest.mark.parametrize("cut", [0, 7])
def test_what_follows_a_primer_equals_the_naive_model(told: Callable[[bytes], bytes], preset: int, cut: int) -> None:
    text = _words(40 if JIT else 8, 4) + b"\nMixing of lines\n"
    _same(TEXT_ALONE if cut else EVERY_TYPE, preset, 12, 1, told(text[cut:]))


def test_a_longer_primer_counts_with_its_end(told: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(_words(40, 4))
    _, stretches = _block(TEXT_ALONE)
    full = ENGINE._full({"preset": 1, "bits": 12})
    monkeypatch.setitem(NORMAL, 1, replace(NORMAL[1], primer=len(text)))
    begin, state = ENGINE._begin(full, ENGINE._reading(full, stretches, 5), 100)
    told(b"None of this is read. " * 9 + text)
    again, other = ENGINE._begin(full, ENGINE._reading(full, stretches, 5), 100)
    assert begin == again == len(text)
    for one, two in zip(state.changed(NORMAL[1].mixtures[TEXT]), other.changed(NORMAL[1].mixtures[TEXT]), strict=True):
        assert one.any()
        assert (one == two).all()


def test_presets_fit_the_loop() -> None:
    for preset in NORMAL.values():
        assert max(preset.limit, preset.sse_limit, preset.counter_limit) <= 1022
        assert preset.counters <= 3
        assert len(preset.mixtures) == 5
        for mixture in preset.mixtures:
            contexts, inputs = mixture.contexts, mixture.inputs or preset.inputs
            assert inputs % 16 == 0
            assert len(contexts) + 3 + preset.counters <= inputs
            assert len(set(contexts)) == len(contexts)
            assert all(context.first_mask <= 255 for context in contexts if context.direct)
            assert not any(context.third for context in contexts)
            assert len(mixture.matches) == 1
            assert 2 <= mixture.matches[0] <= 8
            assert not mixture.near
            assert all(choice.select != layout.BITS for choice in mixture.sets)
