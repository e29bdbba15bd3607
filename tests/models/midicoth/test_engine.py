"""Engine `midicoth` beyond the table of cases: crowded slots, a full pool, its components."""

from __future__ import annotations

import os
import random
import tracemalloc
from typing import Any

import naive_midicoth as naive
import numpy as np
import pytest

import nzip
from nzip.entropy import bounds
from nzip.errors import CorruptError
from nzip.models.midicoth import layout
from nzip.models.midicoth.engine import MIN_BITS, MidicothEngine, build_state, code, units

ENGINE = MidicothEngine()
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def _words(count: int, seed: int) -> bytes:
    rng = random.Random(seed)
    words = ["noise", "of", "counts", "Denoise", "the", "next", "bit;", "and", "a", "tree", "that's", "it.\n", "x-ray"]
    return " ".join(rng.choice(words) for _ in range(count)).encode()


def _noise(size: int, seed: int = 5) -> bytes:
    return random.Random(seed).randbytes(size)


def _digits(size: int, symbols: int = 48) -> bytes:
    """Symbols without any order: lists grow long, and the pool fills."""
    rng = random.Random(7)
    return bytes(60 + int(symbols * rng.random()) for _ in range(size))


FAR = _words(30, 3) + _noise(300) + _words(30, 3)


def _encode(block: bytes, **params: int) -> tuple[bytes, dict[str, int]]:
    fitted = ENGINE.fit(params, len(block))
    return ENGINE.encode(block, fitted), fitted


@pytest.mark.skipif(not JIT, reason="slow without the compiler")
def test_round_trip_with_crowded_slots_and_a_full_pool() -> None:
    block = _digits(40_000) + _words(2000, 4) + _digits(20_000)
    payload = ENGINE.encode(block, {"bits": MIN_BITS})
    assert len(payload) < len(block)
    assert ENGINE.decode(payload, len(block), {"bits": MIN_BITS}) == block


def test_shrinks_what_it_should() -> None:
    text = _words(2000 if JIT else 40, 3)
    assert len(_encode(text)[0]) < len(text) * 0.45
    assert len(_encode(bytes(1500 if JIT else 100))[0]) < 16


def test_noise_is_given_up_early() -> None:
    block = _noise(5000 if JIT else 100)
    assert len(_encode(block)[0]) == len(block) + 1


def _equals_naive(block: bytes) -> naive.Predictor:
    """Let the plain-Python model code `block`, check that the kernel writes the same, and return the model."""
    predictor = naive.Predictor(MIN_BITS, len(block))
    payload = ENGINE.encode(block, {"bits": MIN_BITS})
    assert naive.encode(block, predictor) == payload
    return predictor


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
def test_kernel_equals_the_naive_model_on_more() -> None:
    _equals_naive(_words(900, 9))


@pytest.mark.skipif(not JIT, reason="a few KB take minutes without the compiler")
def test_kernel_equals_the_naive_model_when_the_pool_is_full() -> None:
    pool = _equals_naive(_digits(6000, 110)).contexts.pool
    assert pool.top + 16 > pool.units


def test_the_naive_model_decodes_what_the_kernel_wrote() -> None:
    block = _words(60 if JIT else 10, 8)
    payload, params = _encode(block)
    assert naive.decode(payload, len(block), naive.Predictor(params["bits"], len(block))) == block


def _decode_damaged(payload: bytes, size: int, params: dict[str, int]) -> None:
    try:
        block = ENGINE.decode(payload, size, params)
    except CorruptError:
        return
    assert len(block) == size


@pytest.mark.skipif(not JIT, reason="slow without the compiler")
def test_noise_decodes_to_something() -> None:
    for seed in range(20):
        _decode_damaged(_noise(3000, seed), 20_000, {"bits": MIN_BITS})


def test_memory_of_a_megabyte() -> None:
    needs = [ENGINE.memory(ENGINE.fit({}, size), size) for size in (1, 1 << 10, 1 << 16, 1 << 20, 1 << 26)]
    assert needs == sorted(needs)
    assert needs[0] < 16 << 20
    assert needs[3] < 128 << 20
    assert ENGINE.memory({"bits": 24}, (1 << 32) - 1) < 5 << 30


def test_memory_counts_all_arrays() -> None:
    for size, bits in ((1, MIN_BITS), (5000, 14), (1 << 20, 20)):
        arrays = build_state(bits, size)
        assert sum(array.nbytes for array in arrays.values()) < ENGINE.memory({"bits": bits}, size)


def test_memory_is_stated_for_blocks_that_hardly_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(decoding: bool, block: Any, coded: Any, coder: Any, *arrays: Any) -> None:
        coder[bounds.AT] = len(coded)

    monkeypatch.setattr("nzip.models.midicoth.engine.code", nothing)
    size, params = 1 << 25, {"bits": MIN_BITS}
    payload = bytes(size - 1)
    tracemalloc.start()
    try:
        assert len(ENGINE.decode(payload, size, params)) == size
        assert tracemalloc.get_traced_memory()[1] < ENGINE.memory(params, size) + size  # the block is counted elsewhere
    finally:
        tracemalloc.stop()


def test_the_pool_has_room_for_what_stands_behind_the_slots() -> None:
    for bits in (MIN_BITS, 16):
        slots = ((1 << bits) + layout.DIRECT) * layout.SLOT
        assert build_state(bits, 1)["cells"].size >= slots + units(bits) * layout.UNIT


@pytest.mark.skipif(not JIT, reason="slow without the compiler")
def test_components_each_save_bytes() -> None:
    block = _words(1500, 6) + FAR + _words(500, 6)
    sizes = []
    for parts in (0, layout.MATCH, layout.MATCH | layout.WORDS, layout.EXPERTS, layout.ALL):
        out, coder = np.empty(len(block), np.uint8), bounds.begin()
        code(False, np.frombuffer(block, np.uint8).copy(), out, coder, *build_state(16, len(block), parts).values())
        sizes.append(bounds.finish(coder, out))
        back, coded = np.empty(len(block), np.uint8), out[: sizes[-1]].copy()
        code(True, back, coded, bounds.begin(coded), *build_state(16, len(block), parts).values())
        assert back.tobytes() == block
    assert sizes[0] > sizes[1] > sizes[2] > sizes[4]


def test_through_the_api() -> None:
    data = _words(250 if JIT else 20, 1)
    packed = nzip.compress(data, engine="midicoth")
    assert nzip.decompress(packed) == data
    assert len(packed) < len(data)
