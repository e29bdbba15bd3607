"""The memory of the loops: all of it is counted, and a state that is kept comes back as it was."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nzip.entropy import bounds
from nzip.models.cm import layout, memory
from nzip.models.cm.memory import KeptState, Loop, State
from nzip.models.cm.presets import FAST, NORMAL, STRONG, Preset
from nzip.models.cm.segments import Stretch
from nzip.registry import ENGINES

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
EVERY = [
    *((memory.FAST, preset) for preset in FAST.values()),
    *((memory.NORMAL, preset) for preset in NORMAL.values()),
    *((memory.STRONG, preset) for preset in STRONG.values()),
]


@pytest.mark.parametrize(("loop", "preset"), EVERY)
@pytest.mark.parametrize(("bits", "size"), [(8, 1), (14, 5000)])
def test_all_arrays_of_all_mixtures_are_counted(loop: Loop, preset: Preset, bits: int, size: int) -> None:
    state = State(loop, preset, bits, size)
    arrays: dict[int, Any] = {}
    for mixture in preset.mixtures:
        arrays |= {array.ctypes.data: array for array in state.arrays(mixture).values()}
    assert len(arrays) > 10
    assert sum(array.nbytes for array in arrays.values()) < loop.memory(preset, bits, size)


@pytest.mark.parametrize(("loop", "preset"), EVERY)
def test_memory_grows_with_what_it_is_for(loop: Loop, preset: Preset) -> None:
    sizes = [loop.memory(preset, 12, size) for size in (1, 1 << 10, 1 << 16, 1 << 25)]
    assert sizes == sorted(sizes)
    assert loop.memory(preset, 20, 1) - loop.memory(preset, 12, 1) == (16 << 20) - (16 << 12)


@pytest.mark.parametrize(("loop", "preset"), [EVERY[0], EVERY[1], EVERY[-1]])
def test_mixtures_share_what_is_for_all(loop: Loop, preset: Preset) -> None:
    state = State(loop, preset, 8, 100)
    text, binary = (state.arrays(mixture) for mixture in preset.mixtures[:2])
    assert all(text[name] is binary[name] for name in loop.shared)
    assert all(text[name] is not binary[name] for name in loop.own)
    assert all(text[name] is state.arrays(replace(preset.mixtures[0]))[name] for name in loop.own)  # by their values


@pytest.mark.parametrize("share", [0, 1 / 5000, 1 / 300, 1 / 3, 1] if JIT else [0, 1 / 5000])
def test_a_kept_state_comes_back(share: float) -> None:
    dice = np.random.default_rng(7)
    preset = NORMAL[1]
    mixture = preset.mixtures[0]
    state = State(memory.NORMAL, preset, 8, 1000)
    for array in state.changed(mixture):
        there = array.view(np.uint8)
        there[:] = dice.integers(0, 256, len(there), np.uint8) * (dice.random(len(there)) < share)
    kept = KeptState(state, mixture)
    for _ in range(2):
        for back, was in zip(kept.state().changed(mixture), state.changed(mixture), strict=True):
            assert np.array_equal(back, was)
    whole = sum(array.nbytes for array in state.changed(mixture))
    assert kept.size <= whole
    if share < 1 / 3:
        assert kept.size < whole // 20


@pytest.mark.parametrize(("loop", "preset"), [EVERY[0], EVERY[1], EVERY[-1]])
def test_a_copy_is_another_state(loop: Loop, preset: Preset) -> None:
    mixture = preset.mixtures[0]
    state = State(loop, preset, 8, 100)
    state.changed(mixture)[0][:] = 7
    copy = state.copied(mixture)
    for one, two in zip(state.changed(mixture), copy.changed(mixture), strict=True):
        assert np.array_equal(one, two)
        assert not np.shares_memory(one, two)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("cm", {"preset": 1, "primer": 0, "bits": 8}),
        ("cm", {"preset": 4, "primer": 0, "bits": 12}),
        ("cmfast", {"streams": 1, "bits": 12}),
        ("cmfast", {"streams": 2, "bits": 12}),
        ("cmstrong", {"preset": 3, "primer": 0, "bits": 8}),
    ],
)
def test_memory_is_stated_for_blocks_that_hardly_shrink(
    name: str, params: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the loop's arrays there are a block, its payload and copies of both, but never all of them."""

    def run(state: State, mode: int, first: int, end: int, buf: Any, coded: Any, coder: Any, mixture: Any, **_: int):  # type: ignore[no-untyped-def]
        state.arrays(mixture)
        coder[bounds.AT] = len(coded) - (8 if mode == layout.ENCODE else 0)

    monkeypatch.setattr(State, "run", run)
    engine, block = ENGINES.by_name(name), bytes(range(256)) * (1 << 17) + b"!"
    size = len(block)
    whole = size - size % params.get("streams", 1)
    found = [Stretch(kind, whole // 10 * 2, 4) for kind in (1, 2)]
    found += [Stretch(layout.IMAGE, whole // 10 * 2, 4, 4), Stretch(layout.AUDIO, whole // 10 * 2, 0, 4, 2)]
    found.append(Stretch(layout.BINARY, whole - sum(stretch.length for stretch in found)))
    payload = engine.encode_stretches(block, params, found)
    assert size - 16 < len(payload) < size
    # A block and its payload are counted by the caller: one of both is there before the engine is called.
    for act, stated, made in (
        (lambda: engine.encode_stretches(block, params, found), engine.encode_memory(params, size), len(payload)),
        (lambda: engine.decode(payload, size, params), engine.memory(params, size), size),
    ):
        tracemalloc.start()
        try:
            assert len(act()) == made
            assert tracemalloc.get_traced_memory()[1] < stated + made
        finally:
            tracemalloc.stop()
