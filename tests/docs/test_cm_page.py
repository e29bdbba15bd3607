"""The page of the engine `cm`: what it lists beside the presets, which the plain-Python model reads from it."""

from __future__ import annotations

import hashlib
import struct
from itertools import product
from pathlib import Path

import naive_cm as naive
import pytest
from naive_segments import pack

from nzip.models import primers
from nzip.models.cm import memory
from nzip.models.cm.engine import CmEngine
from nzip.models.cm.presets import NORMAL
from tests.docs.payloads import FOUR, WORDS, Parts, shown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "CM.md"
ENGINE = CmEngine()


def test_it_lists_the_primers() -> None:
    listed = [[str(number), f"`{each.kind}`", f"`{each.sha256}`"] for number, each in primers.PRIMERS.items()]
    assert naive.table("number", "kind", "SHA-256 of the text") == listed
    assert {each.size for each in primers.PRIMERS.values()} == {131072}
    assert f"{primers.model_bytes():,} bytes of the package" in PAGE.read_text("utf-8")


def test_its_checksums_are_those_of_the_tables() -> None:
    def packed(values: list[int], kind: str) -> bytes:
        return struct.pack(f"<{len(values)}{kind}", *values)

    cells = (naive.state_priors(), naive.match_priors(), naive.knots())
    tables = [
        packed(naive.squashes(), "H"),
        packed(naive.stretches_of(12), "h"),
        bytes(after for pair in naive.state_table() for after in pair),
        *(packed([p << 10 | count for p, count in each], "I") for each in cells),
    ]
    listed = [row[1] for row in naive.table("table", "SHA-256 begins")]
    assert listed == [f"`{hashlib.sha256(table).hexdigest()[:16]}`" for table in tables]


@pytest.mark.parametrize("preset", NORMAL)
def test_its_formula_gives_the_memory(preset: int) -> None:
    primer = {1: 8192, 2: 32768, 3: 65536, 4: 65536}[preset]
    mixtures = naive.mixtures(preset)
    assert memory.NORMAL.base == 2_097_152
    for size, bits, primed in product((1, 100, 5000, 1 << 22, 1 << 25), (8, 17, 23), (0, 1)):
        read = primer * primed
        both = size + read
        cells = 1 << min(22, max(10, (both - 1).bit_length()))
        cells += 16 << min(18, max(8, both.bit_length() - 1))
        cells += 2_260_352
        direct = set()
        for mixture in mixtures:
            n, sets = len(mixture.contexts), naive.Mixing(mixture, naive.Slots(8)).sets
            width = len(sets[0].weights[0])
            cells += 256 * (n + len(sets)) + (width + 2) * sum(len(each.weights) for each in sets)
            direct |= {context.a.mask for context in mixture.contexts if context.kind == "direct"}
        need = (16 << bits) + 512 * sum(mask + 1 for mask in direct) + 4 * cells + 2_097_152
        if primed:
            need = need + (1 << 26) if need <= 1 << 26 else max(need, 1 << 27)
        assert ENGINE.memory({"preset": preset, "bits": bits, "primer": primed}, size) == need + size + 3 * read


@pytest.mark.parametrize(("packed", "parts"), [("83 0A", WORDS), ("81 08", FOUR)])
def test_its_examples(packed: str, parts: Parts) -> None:
    payload, block = shown(PAGE.read_text("utf-8"))[packed], b"".join(part for part, _ in parts)
    params = ENGINE.unpack(bytes.fromhex(packed))
    assert ENGINE.decode(payload, len(block), params) == block
    stretches, _, coded = naive.read_head(payload, len(block), 0)
    assert stretches == [stretch for _, stretch in parts]
    assert pack(stretches) + coded == payload
    predictor = naive.Predictor(params["preset"], params["bits"], len(block))
    assert naive.decode(coded, stretches, predictor) == block
