"""A random Llama for tests: small, seeded, with outliers as real models have them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nzip.models.lm.network import weights
from nzip.models.lm.network.config import LlamaConfig
from nzip.models.lm.network.reference import ReferenceModel

STREAMS, TOKENS = 3, 90  # more tokens than the window of 48

CONFIG = LlamaConfig(
    vocab=107, layers=2, width=64, heads=6, kv_heads=2, head_dim=16, ffn=96, rope_theta=10000.0, rms_eps=1e-5,
    max_context=48, tied=True, bos=0,
)  # fmt: skip


def tensors(config: LlamaConfig = CONFIG, seed: int = 1) -> dict[str, np.ndarray]:
    """Return float32 tensors by Hugging Face names."""
    rng = np.random.RandomState(seed)  # its stream is frozen for ever

    def matrix(n: int, k: int, size: float) -> np.ndarray:
        out = rng.standard_normal((n, k)) * size / np.sqrt(k)
        out[rng.randint(n), rng.randint(k)] *= 8
        return out.astype(np.float32)

    def gain() -> np.ndarray:
        return (1 + 0.3 * rng.standard_normal(config.width)).astype(np.float32)

    c = config
    out = {
        "model.embed_tokens.weight": matrix(c.vocab, c.width, 3.0),
        "model.norm.weight": gain(),
    }
    for layer in range(c.layers):
        p = f"model.layers.{layer}."
        out |= {
            p + "input_layernorm.weight": gain(),
            p + "self_attn.q_proj.weight": matrix(c.query_width, c.width, 2.0),
            p + "self_attn.k_proj.weight": matrix(c.kv_width, c.width, 2.0),
            p + "self_attn.v_proj.weight": matrix(c.kv_width, c.width, 1.0),
            p + "self_attn.o_proj.weight": matrix(c.width, c.query_width, 1.0),
            p + "post_attention_layernorm.weight": gain(),
            p + "mlp.gate_proj.weight": matrix(c.ffn, c.width, 2.0),
            p + "mlp.up_proj.weight": matrix(c.ffn, c.width, 1.0),
            p + "mlp.down_proj.weight": matrix(c.width, c.ffn, 1.0),
        }
    if not c.tied:
        out["lm_head.weight"] = matrix(c.vocab, c.width, 3.0)
    return out


@lru_cache(maxsize=8)
def model(config: LlamaConfig = CONFIG, seed: int = 1) -> weights.LmWeights:
    """Return the model, quantised."""
    return weights.build(config, tensors(config, seed))


@lru_cache(maxsize=1)
def tokens() -> np.ndarray:
    """Return tokens to feed, int32 (STREAMS, TOKENS)."""
    return np.random.RandomState(5).randint(0, CONFIG.vocab, (STREAMS, TOKENS)).astype(np.int32)


@lru_cache(maxsize=1)
def expected() -> np.ndarray:
    """Return the reference's frequencies, (TOKENS, STREAMS, V)."""
    reference = ReferenceModel(model())
    state = reference.begin(STREAMS)
    return np.array([reference.step(state, tokens()[:, i]) for i in range(TOKENS)])
