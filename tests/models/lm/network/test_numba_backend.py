"""The engine lm's arithmetic: tables pinned, the reference against backends, streams, sliding, prefill, threads."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import replace
from decimal import Decimal, getcontext
from pathlib import Path

import numpy as np
import pytest
from numba import config as numba_config
from tiny_llama import CONFIG, STREAMS, TOKENS, expected, model, tensors, tokens

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm.network import arithmetic, weights
from nzip.models.lm.network.config import LlamaConfig
from nzip.models.lm.network.numba_backend.backend import ROWS, NumbaModel
from nzip.models.lm.network.reference import ReferenceModel

compiled = pytest.mark.skipif(bool(numba_config.DISABLE_JIT), reason="the kernels are made of instructions")
MODEL_ID = "3fc810cd0ca6b17df456dd29bc6bbe6aceec74cb2abf7102cbe50ef1b1cc02fa"


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_tables_are_pinned() -> None:
    assert digest(arithmetic.exp_table()) == "9e47e2da88320c07"
    assert digest(arithmetic.gate_table()) == "2cf3dc3866397e93"
    assert digest(arithmetic.rope_table(100000.0, 64)) == "c11100f629dfd807"
    assert digest(arithmetic.rope_table(10000.0, 16)) == "b9b9f7ec125e0f96"


def test_exp_table_is_correctly_rounded() -> None:
    getcontext().prec = 40
    table = arithmetic.exp_table()
    assert len(table) == arithmetic.EXP_SIZE
    assert table[-1] == 0
    for i in range(0, arithmetic.EXP_SIZE - 1, 7):
        assert table[i] == int(((Decimal(-i) / 256).exp() * 2**24).quantize(Decimal(1)))


def test_gate_table_is_symmetric() -> None:
    table = arithmetic.gate_table().astype(np.int64)
    assert (table + table[::-1] == 1 << 24).all()
    assert all(abs(int(table[4096 + i]) - 2**24 / (1 + math.exp(-i / 256))) < 0.51 for i in range(0, 4097, 5))


@pytest.mark.parametrize("position", [0, 1, 255, 256, 65535, 65536, 9876543, arithmetic.MAX_POSITION - 1])
def test_rope_is_near_the_truth(position: int) -> None:
    config = replace(CONFIG, head_dim=64, rope_theta=500000.0)
    cos, sin = arithmetic.rope(config, position)
    # Angles by Decimal: a float64 product would be wrong in its last bits at far positions.
    getcontext().prec = 40
    turn = 2 * Decimal("3.14159265358979323846264338327950288419716939937510")
    for i in range(0, 32, 5):
        angle = float(position * ((Decimal(500000).ln() * -2 * i / 64).exp()) % turn)
        assert abs(cos[i] - math.cos(angle)) < 5e-8
        assert abs(sin[i] - math.sin(angle)) < 5e-8


def test_weights_of_attention_stay_exact_in_float32() -> None:
    # The widest window, all tokens alike: rounding adds up to half a unit each.
    size = 2048
    rng = np.random.RandomState(0)
    for scores, scales in (
        (np.zeros(size), np.full(size, 0.7)),
        (rng.rand(size) * 300, 0.1 + rng.rand(size)),
        (np.r_[np.zeros(1), np.full(size - 1, 256.0)], np.ones(size)),
    ):
        values = np.full((size, 16), 127, np.int8)
        total = arithmetic.attend(scores.astype(np.float32), scales.astype(np.float32), values)
        weight = np.exp(-(scores.max() - scores) / 256)
        assert np.allclose(total, 127 * (weight * scales).sum() / weight.sum(), rtol=0.02)
    assert (2**17 + size / 2 + 1) * 127 < 2**24


# ---- weights ---------------------------------------------------------------------------------------------------------


def test_model_id_is_pinned() -> None:
    assert model().model_id() == MODEL_ID


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "tiny.nzlm"
    assert model().save(path) == MODEL_ID
    assert hashlib.sha256(path.read_bytes()).hexdigest() == MODEL_ID
    assert path.stat().st_size == weights.file_size(CONFIG)
    loaded = weights.load(path, MODEL_ID)
    assert loaded.config == CONFIG
    for name, _, _ in weights.layout(CONFIG):
        assert np.array_equal(getattr(loaded, name), getattr(model(), name))
    assert list(tmp_path.iterdir()) == [path]


def test_free_head(tmp_path: Path) -> None:
    config = replace(CONFIG, tied=False)
    built = model(config)
    assert not np.array_equal(built.head, built.embedding)
    loaded = weights.load(tmp_path / "m", built.save(tmp_path / "m"))
    assert np.array_equal(loaded.head, built.head)
    assert np.array_equal(loaded.head_scale, built.head_scale)


def test_load_refuses(tmp_path: Path) -> None:
    path = tmp_path / "m"
    model().save(path)
    good = path.read_bytes()
    for at in range(weights.HEADER):  # no flip in the header goes unseen
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises((CorruptError, UnsupportedError)):
            weights.load(path, MODEL_ID)
    for size in (0, 7, 100, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(CorruptError):
            weights.load(path)
    path.write_bytes(good + b"\0")
    with pytest.raises(CorruptError, match="bytes, not"):
        weights.load(path)
    path.write_bytes(good[:-100] + bytes([good[-100] ^ 1]) + good[-99:])
    with pytest.raises(CorruptError, match="is not the model"):
        weights.load(path, MODEL_ID)
    path.write_bytes(good.replace(b'"arithmetic":1', b'"arithmetic":9'))
    with pytest.raises(UnsupportedError, match="version 9"):
        weights.load(path)


def test_build_refuses() -> None:
    good = tensors()
    name = "model.layers.1.mlp.up_proj.weight"
    for change, words in (
        ({name: None}, "missing"),
        ({name: good[name][:-1]}, "shape"),
        ({"model.layers.0.self_attn.q_proj.bias": np.zeros(3)}, "belongs to no"),
        ({name: np.full_like(good[name], np.nan)}, "no number"),
        ({name: np.full_like(good[name], 1e4)}, "beyond"),
        ({"model.norm.weight": np.full_like(good["model.norm.weight"], np.inf)}, "out of range"),
    ):
        changed = {k: v for k, v in {**good, **change}.items() if v is not None}
        with pytest.raises(UnsupportedError, match=words):
            weights.build(CONFIG, changed)


@pytest.mark.parametrize(
    "change",
    [{"heads": 5}, {"width": 40}, {"vocab": 1}, {"rms_eps": 0.0}, {"max_context": 4096}, {"bos": 107}, {"tied": 1}],
)
def test_config_refuses(change: dict) -> None:
    with pytest.raises(UnsupportedError):
        replace(CONFIG, **change)


# ---- the reference ---------------------------------------------------------------------------------------------------


def test_reference_is_pinned() -> None:
    assert digest(expected().astype("<u4")) == "49572f60766429d9"


def test_frequencies() -> None:
    assert (expected().sum(axis=2, dtype=np.int64) == 1 << 24).all()
    assert expected().min() >= 1
    for logits in (
        np.zeros(107),
        np.r_[1e6, np.zeros(106)],
        -np.arange(107.0) * 99,
        np.r_[np.zeros(50), 9, 9, np.zeros(55)],
    ):
        out = arithmetic.spread(logits.astype(np.float32))
        assert out.sum() == 1 << 24
        assert out.min() >= 1
        assert int(np.argmax(out)) == int(np.argmax(logits))  # the first of the most probable


def float_bits(config: LlamaConfig, ids: np.ndarray) -> float:
    """Return the cost of one stream's tokens in bits, by a float64 Llama: what the integers approximate."""
    w = {name: array.astype(np.float64) for name, array in tensors(config).items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config.rms_eps) * w[name]

    def heads(x: np.ndarray, turn: bool) -> np.ndarray:
        x = x.reshape(len(x), -1, config.head_dim)
        half = config.head_dim // 2
        angle = np.arange(len(x))[:, None, None] * config.rope_theta ** (-np.arange(half) / half)
        a, b = x[..., :half], x[..., half:]
        c, s = (np.cos(angle), np.sin(angle)) if turn else (1.0, 0.0)
        return np.concatenate([a * c - b * s, b * c + a * s], -1)

    x = w["model.embed_tokens.weight"][ids[:-1]]
    for layer in range(config.layers):
        p = f"model.layers.{layer}."
        h = norm(x, p + "input_layernorm.weight")
        q = heads(h @ w[p + "self_attn.q_proj.weight"].T, True)
        k = np.repeat(heads(h @ w[p + "self_attn.k_proj.weight"].T, True), config.group, 1)
        v = np.repeat(heads(h @ w[p + "self_attn.v_proj.weight"].T, False), config.group, 1)
        scores = np.einsum("thd,shd->hts", q, k) / math.sqrt(config.head_dim)
        scores += np.triu(np.full(scores.shape[1:], -np.inf), 1)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hts,shd->thd", scores / scores.sum(-1, keepdims=True), v).reshape(len(x), -1)
        x = x + mixed @ w[p + "self_attn.o_proj.weight"].T
        h = norm(x, p + "post_attention_layernorm.weight")
        g = h @ w[p + "mlp.gate_proj.weight"].T
        x = x + (g / (1 + np.exp(-g)) * (h @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
    logits = norm(x, "model.norm.weight") @ w["model.embed_tokens.weight"].T
    logits -= logits.max(-1, keepdims=True)
    chosen = logits[np.arange(len(x)), ids[1:]] - np.log(np.exp(logits).sum(-1))
    return float(-chosen.sum() / math.log(2))


def test_reference_is_the_model() -> None:
    ids = tokens()[0, :48]
    ours = 24.0 * 47 - np.log2(expected()[np.arange(47), 0, ids[1:]].astype(float)).sum()
    assert abs(ours / float_bits(CONFIG, ids) - 1) < 0.02


def test_inactive_streams_wait() -> None:
    reference = ReferenceModel(model())
    state = reference.begin(2)
    rng = np.random.RandomState(1)
    at = [0, 0]
    while min(at) < 12:
        active = rng.rand(2) < 0.6
        out = reference.step(state, np.array([tokens()[s, at[s]] for s in range(2)]), active)
        for s in range(2):
            assert np.array_equal(out[s], expected()[at[s], s] if active[s] else np.zeros(CONFIG.vocab))
            at[s] += int(active[s])


# ---- numba -----------------------------------------------------------------------------------------------------------


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
    # Another process: the choice is made at import. It must not share the compiled kernels.
    import subprocess
    import sys
    import tempfile

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
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parents[3]), str(Path(weights.__file__).parents[4])],
            env={**os.environ, "NZIP_PORTABLE": "1", "NUMBA_CACHE_DIR": cache},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == hashlib.sha256(expected()[:30, 0].tobytes()).hexdigest()
