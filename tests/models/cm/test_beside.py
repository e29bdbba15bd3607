"""Blocks beside known bytes: the loops equal the plain-Python models where matches recover."""

from __future__ import annotations

import dataclasses
import os
import random

import naive_cm
import naive_cmfast
import naive_cmstrong
import pytest
from models.cm.maps import records, words

from nzip.models.base import Beside
from nzip.models.cm import engine
from nzip.models.cm.engine import CmEngine, CmFastEngine, CmStrongEngine
from nzip.models.cm.layout import BINARY, TEXT
from nzip.models.cm.presets import FAST, NORMAL
from nzip.models.cm.segments import Stretch, pack

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
SIZE = 300 if JIT else 60
SHORT = b"The cat sat on the mat; the dog sat by the door.\n"


def changed(data: bytes, often: float, seed: int) -> bytes:
    """A later version: bytes that differ here and there, now and then a few more or fewer."""
    dice, out = random.Random(seed), bytearray()
    for byte in data:
        roll = dice.random()
        out += bytes((byte ^ dice.randrange(1, 256),)) if roll < often else bytes((byte,))
        if roll > 1 - often / 8:
            out += dice.randbytes(2)
    return bytes(out)


def cases() -> list[tuple[bytes, list[Stretch], Beside]]:
    """Return blocks, their maps, and what is known beside them."""
    old = words(SIZE // 5, 2)[:SIZE]
    found = []
    for number, often in enumerate((0.02, 0.1, 0.5)):
        block = changed(old, often, number)
        found.append((block, [Stretch(TEXT, len(block))], Beside(old)))
    block = changed(old, 0.05, 9)
    table = records(SIZE // 12) if JIT else bytes(range(36))
    block, part = block + changed(table, 0.03, 4), len(block)
    stretches = [Stretch(TEXT, part), Stretch(BINARY, len(block) - part, 12)]
    heads = [(0, old[:30]), (part // 2, old[30:]), (part, table[:24]), (part + 7, table)]
    return [*found, (block, stretches, Beside(b"", heads)), (block, stretches, Beside(table, heads))]


NUMBERS = range(5)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("preset", NORMAL)
def test_cm_beside_known_bytes(preset: int, number: int) -> None:
    block, found, beside = cases()[number]
    params = {"preset": preset, "bits": 12, "primer": 0}
    payload = _encoded(CmEngine(), block, params, found, beside)
    predictor = naive_cm.Predictor(preset, 12, len(block) + beside.size)
    coded = naive_cm.encode_beside(block, naive_cm.unpack(payload, len(block))[0], predictor, beside.text, beside.heads)
    assert payload == pack(found) + coded


@pytest.mark.parametrize("number", NUMBERS)
def test_cmstrong_beside_known_bytes(number: int) -> None:
    block, found, beside = cases()[number]
    params = {"preset": 1, "bits": 12, "primer": 0}
    payload = _encoded(CmStrongEngine(), block, params, found, beside)
    stretches, _ = naive_cmstrong.unpack(payload, len(block))
    assert naive_cmstrong.encode_beside(block, params, stretches, beside.text, beside.heads) == payload


@pytest.mark.parametrize("part", [0, 23])
@pytest.mark.parametrize("number", NUMBERS)
def test_cmfast_beside_known_bytes(number: int, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "short_primer", lambda: SHORT)
    if part:  # rounds end often
        mixtures = tuple(dataclasses.replace(mixture, part=part) for mixture in FAST[1].mixtures)
        monkeypatch.setitem(FAST, 1, dataclasses.replace(FAST[1], mixtures=mixtures))
        monkeypatch.setattr(naive_cmfast, "PARTS", dict.fromkeys(naive_cmfast.TYPES.values(), part))
        naive_cmfast.primed.cache_clear()
    block, found, beside = cases()[number]
    params = {"bits": 12, "streams": 1}
    payload = _encoded(CmFastEngine(), block, params, found, beside)
    stretches, _ = naive_cmfast.unpack(payload, len(block))
    assert naive_cmfast.encode_beside(block, params, stretches, SHORT, beside.text, beside.heads) == payload
    naive_cmfast.primed.cache_clear()


def _encoded(
    made: engine.ContextMixing, block: bytes, params: dict[str, int], found: list[Stretch], beside: Beside
) -> bytes:
    """Return the payload of a block with a given map, which comes back."""
    payload = made._coded(block, made._full(params), found, beside)
    assert made.decode_beside(payload, len(block), params, beside) == block
    return payload
