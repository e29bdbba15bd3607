"""The plain-Python decoder, written from the page, reads what the kernels write."""

from __future__ import annotations

import os

import naive_jpeg
import pytest
from formats.jpeg import made

from nzip.formats.jpeg import planes
from nzip.models.jpeg import standard
from nzip.registry import ENGINES

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
SMALL = {"tiny": made.file("tiny")}
if not JIT_OFF:
    chosen = (
        "cmyk",
        "flat",
        "progressive_444_restarts",
        "thumbnail",
        "odd",
        "cut",
        "broken runs",
        "4:4:0",
        "baseline_420",
    )
    SMALL |= {name: made.variants()[name] for name in chosen}


@pytest.mark.parametrize("preset", [1, 2])
@pytest.mark.parametrize("name", SMALL)
def test_the_reference_reads_payloads(name: str, preset: int) -> None:
    block = SMALL[name]
    payload = ENGINES.by_name("jpeg").encode(block, {"preset": preset})
    assert len(payload) < len(block)
    assert naive_jpeg.decode(payload, preset, standard.read_before()) == block


def test_the_reference_reads_several_files() -> None:
    block = SMALL["tiny"] * 2 + b"between" + SMALL["tiny"]
    payload = ENGINES.by_name("jpeg").encode(block, {"preset": 1})
    assert naive_jpeg.decode(payload, 1, standard.read_before()) == block


@pytest.mark.skipif(JIT_OFF, reason="takes long")
@pytest.mark.parametrize("name", ["baseline_420", "4:4:0", "cmyk", "progressive_444_restarts"])
def test_the_reference_reads_strips(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planes, "STRIP", 20)
    monkeypatch.setattr(naive_jpeg, "STRIP", 20)
    payload = ENGINES.by_name("jpeg").encode(SMALL[name], {"preset": 1})
    assert naive_jpeg.decode(payload, 1, standard.read_before()) == SMALL[name]
