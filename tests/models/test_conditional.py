"""Priming: what a block costs after other bytes, that a decoder reaches it, and that nothing is learned from blocks."""

from __future__ import annotations

import os
import random
import zlib

import numpy as np
import pytest

import nzip
from nzip.models.conditional import Concatenated

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
pytestmark = pytest.mark.compiled
NATIVE = [("cm", {"preset": 1}), ("cm", {"preset": 3}), ("cmfast", {})]


def _words(count: int, seed: int) -> bytes:
    rng = random.Random(seed)
    words = ["mixing", "of", "contexts", "Predicts", "the", "next", "bit;", "and", "a", "coder", "spends", "it.\n"]
    return " ".join(rng.choice(words) for _ in range(count)).encode()


def _records(count: int) -> bytes:
    return b"".join(k.to_bytes(4, "little") + bytes((k * k % 251, 7, 0)) for k in range(count))


BITMAP = b"".join((0x7FF << 40 - k % 30).to_bytes(8, "big") for k in range(60))
KNOWN = {"text": _words(60, 1), "records": _records(40), "bitmap": BITMAP, "byte": b"a", "two": b"ab", "nothing": b""}
BLOCKS = [_words(20, 2), BITMAP[:200], _records(12), b"z", random.Random(3).randbytes(90), bytes(40)]


@pytest.mark.parametrize(("engine", "params"), NATIVE)
@pytest.mark.parametrize("kind", ["text", "records", "bitmap", "byte", "two"])
def test_what_a_block_changes_is_undone(engine: str, params: dict, kind: str) -> None:
    primed = nzip.conditional(KNOWN[kind], engine=engine, params=params, most=600)
    for block in BLOCKS if JIT else [block[:40] for block in BLOCKS[:2]]:
        assert primed.encode(block)
        for was, now in zip(*(state.changed(primed._mixture) for state in (primed._was, primed._work)), strict=True):
            assert np.array_equal(was, now)


@pytest.mark.parametrize(("engine", "params"), NATIVE)
@pytest.mark.parametrize("kind", ["text", "records", "bitmap"])
def test_a_decoder_that_read_the_same_gets_the_block_back(engine: str, params: dict, kind: str) -> None:
    writer = nzip.conditional(KNOWN[kind], engine=engine, params=params, most=300)
    reader = nzip.conditional(KNOWN[kind], engine=engine, params=params, most=300)
    for block in BLOCKS if JIT else [BLOCKS[0][:40]]:
        payload = writer.encode(block)
        assert reader.decode(payload, len(block)) == block
        # The last byte may be left out where zeros do as well, or be filled up: two bytes either way.
        assert abs(8 * len(payload) - writer.bits(block)) <= 16


@pytest.mark.parametrize(("engine", "params"), NATIVE)
def test_costs_are_differences_of_coded_sizes(engine: str, params: dict) -> None:
    x, y = _words(300, 4), _words(200, 5)
    if not JIT:
        x, y = x[:300], y[:200]
    size = len(x) + len(y)
    nothing = nzip.conditional(b"", engine=engine, params=params, most=size)
    after = nzip.conditional(x, engine=engine, params=params, most=len(y)).bits(y)
    # cmfast looks for matches anew at the start of what is coded: a few bits.
    assert after == pytest.approx(nothing.bits(x + y) - nothing.bits(x), abs=1 if engine == "cm" else 40)
    assert after < nothing.bits(y)


def test_bits_are_the_coder_s_own() -> None:
    # As a block of its own, with the same tables and no primer, `known` empty: the payload holds the cost, and a head.
    block = _words(100, 6)
    chosen = nzip.engines()["cm"]
    params = chosen.fit({"preset": 1, "primer": 0}, len(block))
    payload = chosen.encode(block, params)
    bits = chosen.conditional(b"", {"preset": 1, "bits": params["bits"]}, len(block)).bits(block)
    assert abs(8 * (len(payload) - 1) - bits) <= 16


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_blocks_larger_than_announced() -> None:
    for engine, params in NATIVE:
        primed = nzip.conditional(_words(50, 1), engine=engine, params=params, most=10)
        block = _words(2000, 9)
        first = primed.bits(block)
        assert primed.decode(primed.encode(block), len(block)) == block
        assert primed.bits(block) == first


@pytest.mark.parametrize(("engine", "params"), NATIVE)
def test_nothing(engine: str, params: dict) -> None:
    assert nzip.conditional(b"", engine=engine, params=params, most=64).bits(b"") == 0
    assert nzip.conditional(b"abc", engine=engine, params=params, most=64).bits(b"") == 0
    unprimed = nzip.conditional(b"", engine=engine, params=params, most=64)
    assert unprimed.bits(b"abc abc abc abc") == unprimed.bits(b"abc abc abc abc") > 0


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_more_kinds_of_blocks_than_are_kept() -> None:
    unprimed = nzip.conditional(b"", engine="cmfast", most=600)
    blocks = [bytes((k % 3, 1, *([0] * length))) * 40 for length in range(2, 9) for k in range(2)]
    assert [unprimed.bits(block) for block in blocks] == [unprimed.bits(block) for block in blocks]


@pytest.mark.parametrize(("engine", "params"), [("zstd", {"level": 3}), ("store", {}), ("midicoth", {})])
def test_other_engines_by_concatenation(engine: str, params: dict) -> None:
    x, y = (_words(60, 1), _words(30, 1)) if JIT else (b"abcab", b"abc")
    primed = nzip.conditional(x, engine=engine, params=params)
    assert isinstance(primed, Concatenated)
    assert not primed.exact
    chosen = nzip.engines()[engine]
    both, alone = (len(chosen.encode(data, chosen.fit(params, len(data)))) for data in (x + y, x))
    assert primed.bits(y) == 8 * (both - alone)
    assert primed.bits(b"") == 0
    assert nzip.conditional(b"", engine=engine, params=params).bits(b"") == 0


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
@pytest.mark.parametrize("engine", ["cm", "cmfast"])
def test_no_window_forgets(engine: str) -> None:
    # A block that stands 38 kB back costs gzip all its bytes, for 32 KiB is what it knows; an engine next to nothing.
    known = random.Random(7).randbytes(40_000)
    block = known[:2000]
    window = 8 * (len(zlib.compress(known + block, 9, 31)) - len(zlib.compress(known, 9, 31)))
    assert window > 0.95 * 8 * len(block)
    assert nzip.conditional(known, engine=engine, most=len(block)).bits(block) < 0.1 * window


def test_levels_and_errors() -> None:
    assert type(nzip.conditional(b"abc", 3, most=64)) is type(nzip.conditional(b"abc", engine="cmfast", most=64))
    assert nzip.conditional(b"abc", 1).exact is False
    with pytest.raises(ValueError, match="level 12"):
        nzip.conditional(b"", 12)
    with pytest.raises(ValueError, match="no engine is called 'huff'"):
        nzip.conditional(b"", engine="huff")
    with pytest.raises(ValueError, match="preset 9"):
        nzip.conditional(b"abc", engine="cm", params={"preset": 9})
