"""The page of the engine `cmstrong`: what it states beside the presets, which the plain-Python model reads from it."""

from __future__ import annotations

import hashlib
import os
import struct
from itertools import product

import naive_cm
import naive_cmstrong as naive
import pytest
from naive_cm import DOCS

from nzip.models.cm.engine import CmStrongEngine
from nzip.models.cm.presets import STRONG
from tests.docs.payloads import FIVE, LINES, WORDS, Parts, shown

PAGE = (DOCS / "CMSTRONG.md").read_text("utf-8")
ENGINE = CmStrongEngine()
JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def test_its_checksum_is_that_of_stretch() -> None:
    packed = struct.pack("<65536h", *naive_cm.stretches_of(16))
    assert f"`{hashlib.sha256(packed).hexdigest()[:16]}`" in PAGE


def test_it_names_no_context_twice_or_in_vain() -> None:
    rows = naive.table("name", "a", "b", "d", page=naive.PAGE)
    assert len({name for name, *_ in rows}) == len({tuple(sources) for _, *sources in rows}) == len(rows)
    used = {f"`{name}`" for row in naive.table("preset", "type", "contexts", "weight sets", page=naive.PAGE)
            for name in row[2].strip("`").split()}  # fmt: skip
    assert {name for name, *_ in rows} <= used


@pytest.mark.parametrize("preset", STRONG)
def test_its_formula_gives_the_memory(preset: int) -> None:
    mixtures, matches, weight = naive.preset(preset)
    m, fixed = len(matches), {"PARTIAL": 256, "MATCH": 576, "BITS": 1024}
    for size, bits, primed in product((1, 100, 5000, 1 << 22, 1 << 25), (8, 17, 23), (0, 1)):
        read = {1: 131_072, 2: 131_072, 3: 1_966_080}[preset] * primed
        cells = (m << min(22, max(10, (size + read - 1).bit_length()))) + 4_291_973
        for mixture in mixtures:
            mixed = naive.Mixed(mixture, weight, naive.Slots(8), [naive.Match(least, 10) for least in matches])
            rows = sum(fixed.get(c.name, (c.mask + 1) * (8 if c.by_bit else 1)) for c in mixture.sets)
            cells += 256 * len(mixed.all) + 8320 * m + 33_360 * len(mixture.sets) + (mixed.width + 2) * rows
        need = (16 << bits) + 4 * cells + 6_815_749 + size + 3 * read
        assert ENGINE.memory({"preset": preset, "bits": bits, "primer": primed}, size) == need


@pytest.mark.parametrize(("packed", "parts"), [("83 0A", WORDS), ("81 08", FIVE)])
def test_its_examples(packed: str, parts: Parts) -> None:
    payload, block = shown(PAGE)[packed], b"".join(part for part, _ in parts)
    params = ENGINE.unpack(bytes.fromhex(packed))
    assert ENGINE.decode(payload, len(block), params) == block
    assert naive.encode(block, params, [stretch for _, stretch in parts]) == payload


@pytest.mark.skipif(JIT_OFF, reason="reading primers takes minutes without the compiler")
def test_its_example_with_primers() -> None:
    payload, block = shown(PAGE)["03 10"], LINES[0][0]
    assert ENGINE.decode(payload, len(block), ENGINE.unpack(b"\x03\x10")) == block
