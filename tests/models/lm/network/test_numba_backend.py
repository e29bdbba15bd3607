"""The network by numba: the integers of the reference, whatever threads, rows, windows and instructions there are."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numba import config as numba_config
from tiny_llama import CONFIG, STREAMS, TOKENS, expected, model, tokens

from nzip.models.lm.network import arithmetic, weights
from nzip.models.lm.network.numba_backend.backend import ROWS, NumbaModel
from nzip.models.lm.network.reference import ReferenceModel

compiled = pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")


@compiled
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("order", [[0], [2, 0, 1], [1, 1, 0, 2, 2, 0, 1, 0, 2]])
def test_numba_is_the_reference(threads: int, order: list[int]) -> None:
    fast = NumbaModel(model(), threads=threads)
    state = fast.begin(len(order))
    for i in range(TOKENS):
        assert np.array_equal(fast.step(state, tokens()[order, i]), expected()[i, order])


@compiled
@pytest.mark.parametrize("streams", [1, 3])
def test_numba_hidden_states_are_the_reference(streams: int) -> None:
    reference, fast = ReferenceModel(model()), NumbaModel(model(), threads=2)
    past, state, ahead = reference.begin(streams), fast.begin(streams), fast.begin(streams, lookahead=8)
    fed = np.zeros((streams * 8, CONFIG.width), np.int16)
    fast.feed(ahead, np.repeat(np.arange(streams), 8), tokens()[:streams, :8].reshape(-1), hidden=fed)
    for i in range(8):
        wanted, found = np.zeros((2, streams, CONFIG.width), np.int16)
        active = np.ones(streams, bool)
        reference.step(past, tokens()[:streams, i], active, wanted)
        fast.step(state, tokens()[:streams, i], active if i % 2 else None, found)
        assert np.array_equal(found, wanted)
        assert np.array_equal(fed[i::8], wanted)
        assert np.abs(wanted).max() == arithmetic.input_levels(CONFIG)[4]


@compiled
def test_numba_with_streams_that_stop() -> None:
    fast = NumbaModel(model(), threads=2)
    state = fast.begin(STREAMS)
    rng = np.random.RandomState(2)
    at = np.zeros(STREAMS, int)
    while at.min() < TOKENS - 1:
        active = (rng.rand(STREAMS) < 0.7) & (at < TOKENS)
        if not active.any():
            continue
        out = fast.step(state, tokens()[range(STREAMS), np.minimum(at, TOKENS - 1)], active)
        for s in range(STREAMS):
            assert np.array_equal(out[s], expected()[at[s], s] if active[s] else np.zeros(CONFIG.vocab))
        at += active


@compiled
@pytest.mark.parametrize("chunk", [1, 7, 16, 21])
def test_numba_prefill_is_stepping(chunk: int) -> None:
    fast = NumbaModel(model(), threads=2)
    state = fast.begin(STREAMS, lookahead=chunk)
    for at in range(0, TOKENS, chunk):
        part = tokens()[:, at : at + chunk]
        count = part.shape[1]
        out = fast.feed(state, np.repeat([2, 0, 1], count), part[[2, 0, 1]].reshape(-1)).reshape(3, count, -1)
        for j in range(count):
            assert np.array_equal(out[[1, 2, 0], j], expected()[at + j])


@compiled
def test_numba_more_rows_than_one_call_takes() -> None:
    fast = NumbaModel(model(), threads=2)
    which = np.arange(ROWS + 9) % STREAMS
    state = fast.begin(len(which))
    for i in range(4):
        assert np.array_equal(fast.step(state, tokens()[which, i]), expected()[i, which])


@compiled
def test_numba_reset_and_unpredicted_rows() -> None:
    fast = NumbaModel(model(), threads=2)
    state = fast.begin(1, lookahead=8)
    fast.feed(state, np.zeros(8, np.int64), tokens()[1, :8])
    state.reset(0)
    assert fast.feed(state, np.zeros(5, np.int64), tokens()[0, :5], predict=False).shape == (0, CONFIG.vocab)
    assert np.array_equal(fast.step(state, tokens()[:1, 5]), expected()[5, :1])


@compiled
def test_numba_grows_and_windows() -> None:
    # A wider window, so that the state has to grow, and a narrower one of the same model.
    config = replace(CONFIG, max_context=336)
    ids = np.random.RandomState(8).randint(0, CONFIG.vocab, 380).astype(np.int32)
    reference, fast = ReferenceModel(model(config)), NumbaModel(model(config), threads=2)
    for window in (None, 64):
        past, state = reference.begin(1, window), fast.begin(1, lookahead=40, window=window)
        for at in range(0, 380, 40):
            part = ids[at : at + 40]
            out = fast.feed(state, np.zeros(len(part), np.int64), part)
            for j, token in enumerate(part):
                assert np.array_equal(out[j], reference.step(past, np.array([token]))[0])


@compiled
@pytest.mark.parametrize("shape", [(4, 1, 64, 80), (8, 8, 16, 48), (10, 2, 32, 16)])
def test_numba_other_shapes(shape: tuple[int, int, int, int]) -> None:
    heads, kv_heads, head_dim, ffn = shape
    config = replace(CONFIG, heads=heads, kv_heads=kv_heads, head_dim=head_dim, ffn=ffn, tied=False, layers=1)
    reference, fast = ReferenceModel(model(config)), NumbaModel(model(config), threads=2)
    past, state = reference.begin(2), fast.begin(2)
    for i in range(20):
        assert np.array_equal(fast.step(state, tokens()[:2, i]), reference.step(past, tokens()[:2, i]))


@compiled
def test_numba_refuses() -> None:
    fast = NumbaModel(model(), threads=1)
    state = fast.begin(2)
    with pytest.raises(ValueError, match="vocabulary"):
        fast.step(state, np.array([0, 107], np.int32))
    with pytest.raises(ValueError, match="looks ahead"):
        fast.feed(state, np.array([1, 1]), np.array([3, 4], np.int32))
    with pytest.raises(ValueError, match="window"):
        fast.begin(1, window=40)
    with pytest.raises(ValueError, match="streams"):
        fast.begin(0)


@compiled
def test_numba_without_dot_instructions() -> None:
    # Another process: the choice is made at import. What machine code is kept for says it too.
    import subprocess
    import sys

    code = (
        "import sys, hashlib, numpy as np; sys.path[:0] = sys.argv[1:]\n"
        "from nzip.models.lm.network import weights\n"
        "from nzip.models.lm.network.numba_backend import backend as n, intrinsics\n"
        "from tiny_llama import CONFIG, tensors\n"
        "assert not intrinsics._VNNI\n"
        "m = n.NumbaModel(weights.build(CONFIG, tensors()), threads=2); s = m.begin(3, lookahead=30)\n"
        "t = np.random.RandomState(5).randint(0, CONFIG.vocab, (3, 90)).astype(np.int32)[0, :30]\n"
        "print(hashlib.sha256(m.feed(s, np.zeros(30, int), t).tobytes()).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parents[3]), str(Path(weights.__file__).parents[4])],
        env={**os.environ, "NZIP_PORTABLE": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == hashlib.sha256(expected()[:30, 0].tobytes()).hexdigest()
