"""The page of the engine `midicoth`: its formula of the memory, and its examples."""

from __future__ import annotations

import naive_midicoth as naive
import pytest
from naive_cm import DOCS

from nzip.models.midicoth.engine import MidicothEngine
from tests.docs.payloads import FOUR, WORDS, Parts, shown

PAGE = (DOCS / "MIDICOTH.md").read_text("utf-8")
ENGINE = MidicothEngine()


@pytest.mark.parametrize("size", [1, 5000, 1 << 20, 1 << 25])
def test_its_formula_gives_the_memory(size: int) -> None:
    match_bits = min(20, max(10, (size - 1).bit_length()))
    for bits in (10, 12, 22, 24):
        need = (16 << bits) + 32 * max(512, (1 << bits) // 8) + (20 << match_bits) + 12_582_912 + size
        assert ENGINE.memory({"bits": bits}, size) == need


@pytest.mark.parametrize(("packed", "parts"), [("0C", WORDS), ("0A", FOUR)])
def test_its_examples(packed: str, parts: Parts) -> None:
    payload, block = shown(PAGE)[packed], b"".join(part for part, _ in parts)
    params = ENGINE.unpack(bytes.fromhex(packed))
    assert ENGINE.decode(payload, len(block), params) == block
    assert naive.encode(block, naive.Predictor(params["bits"], len(block))) == payload
