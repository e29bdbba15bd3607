"""The language models of the GPU script, the same on both machines: two from a seed, and SmolLM2 from a file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.lm import loading, model
from nzip.models.lm.network import weights
from nzip.models.lm.network.config import LlamaConfig
from nzip.models.lm.vocabulary import Vocabulary

SEED = 15
GGUF = "smollm2.gguf"  # its name in the bundle

# `shape` has the sizes of SmolLM2-135M, so that it takes as long and has the same shapes of products, and nothing of it
# has to travel; its weights are noise with outliers.
CONFIGS = {
    "tiny": LlamaConfig(
        vocab=320, layers=2, width=64, heads=6, kv_heads=2, head_dim=16, ffn=96, rope_theta=10000.0, rms_eps=1e-5,
        max_context=64, tied=True, bos=0,
    ),
    "shape": LlamaConfig(
        vocab=49152, layers=30, width=576, heads=9, kv_heads=3, head_dim=64, ffn=1536, rope_theta=100000.0,
        rms_eps=1e-5, max_context=2048, tied=True, bos=0,
    ),
}  # fmt: skip
NAMES = (*CONFIGS, "smollm2")


class Noise(dict[str, Any]):
    """Float32 tensors by Hugging Face's names, each from the seed and its name when it is asked for."""

    def __init__(self, config: LlamaConfig) -> None:
        self._c = config

    def __contains__(self, name: object) -> bool:
        return name != "lm_head.weight" or not self._c.tied

    def __missing__(self, name: str) -> NDArray[np.float32]:
        c = self._c
        # Only the parts of the name decide: Python's own hash differs from run to run. The stream is frozen for ever.
        rng = np.random.RandomState([SEED, *name.encode()])
        if "norm" in name:
            return (1 + 0.3 * rng.standard_normal(c.width)).astype(np.float32)
        n, k, size = {
            "embed_tokens": (c.vocab, c.width, 3.0),
            "lm_head": (c.vocab, c.width, 3.0),
            "q_proj": (c.query_width, c.width, 2.0),
            "k_proj": (c.kv_width, c.width, 2.0),
            "v_proj": (c.kv_width, c.width, 1.0),
            "o_proj": (c.width, c.query_width, 1.0),
            "gate_proj": (c.ffn, c.width, 2.0),
            "up_proj": (c.ffn, c.width, 1.0),
            "down_proj": (c.width, c.ffn, 1.0),
        }[name.split(".")[-2]]
        out = rng.standard_normal((n, k)) * (size / np.sqrt(k))
        out[rng.randint(n), rng.randint(k)] *= 8
        return out.astype(np.float32)


def pieces(count: int) -> list[bytes]:
    """Return the bytes of so many tokens: none for the first, every single byte, then pairs and more of letters."""
    letters = b"etaoinshrdlucmfwypvbgkjqxz "
    out = [b"", *(bytes([value]) for value in range(256))]
    number = 0
    while len(out) < count:
        rest, piece = number, bytearray()
        while True:
            piece.append(letters[rest % len(letters)])
            rest = rest // len(letters) - 1
            if rest < 0:
                break
        if len(piece) > 1:
            out.append(bytes(piece))
        number += 1
    return out[:count]


@functools.lru_cache(maxsize=1)  # models are large
def language(name: str, bundle: Path) -> model.LanguageModel:
    """Return a model by its name of NAMES.

    Raises:
        FileNotFoundError: it is SmolLM2, and its file is not in the bundle.
    """
    if name == "smollm2":
        if not (bundle / GGUF).is_file():
            raise FileNotFoundError(bundle / GGUF)
        return loading.open_path(bundle / GGUF)
    config = CONFIGS[name]
    built = weights.build(config, Noise(config))
    words = pieces(config.vocab)
    ranks = {} if name == "shape" else _pairs(words)
    return model.LanguageModel(f"gpu-{name}", built, built.model_id(), Vocabulary(words, ranks))


def _pairs(words: list[bytes]) -> dict[Any, int]:
    """Return merges of two letters each, so that tokens are not bytes alone."""
    pairs = [word for word in words if len(word) == 2]
    return {(word[:1], word[1:]): rank for rank, word in enumerate(pairs)}
