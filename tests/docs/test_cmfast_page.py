"""The page of the engine `cmfast`: what it states beside the contexts, which the plain-Python model reads from it."""

from __future__ import annotations

import hashlib

import naive_cmfast as naive
import pytest
from naive_cm import DOCS

from nzip.models.cm.engine import CmFastEngine, short_primer
from tests.docs.payloads import FOUR, WORDS, Parts, shown

PAGE = (DOCS / "CMFAST.md").read_text("utf-8")
ENGINE = CmFastEngine()


def test_it_states_the_primer() -> None:
    primer = short_primer()
    assert f"({len(primer):,} bytes, SHA-256 `{hashlib.sha256(primer).hexdigest()}`)" in PAGE


@pytest.mark.parametrize("size", [1, 5000, 1 << 16, 1 << 20, 1 << 25])
def test_its_formula_gives_the_memory(size: int) -> None:
    match_bits = min(20, max(12, (size + 16384).bit_length()))
    for bits in (12, 16, 24):
        need = (16 << bits) + (4 << match_bits) + 2 * size + 10_148_608
        assert ENGINE.memory({"bits": bits, "streams": 1}, size) == need


@pytest.mark.parametrize(("packed", "parts"), [("10 01", WORDS), ("0C 02", FOUR)])
def test_its_examples(packed: str, parts: Parts) -> None:
    payload, block = shown(PAGE)[packed], b"".join(part for part, _ in parts)
    params = ENGINE.unpack(bytes.fromhex(packed))
    assert ENGINE.decode(payload, len(block), params) == block
    assert naive.encode(block, params, [stretch for _, stretch in parts], short_primer()) == payload
