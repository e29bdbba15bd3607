"""The network in plain numpy: pinned, and near the same network in floating point."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from tiny_llama import CONFIG, expected, model, tensors, tokens

from nzip.models.lm.network.config import LlamaConfig
from nzip.models.lm.network.reference import ReferenceModel


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def test_reference_is_pinned() -> None:
    assert digest(expected().astype("<u4")) == "49572f60766429d9"


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
