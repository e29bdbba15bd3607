"""The shape of a Llama-family decoder: what its tensors do not say themselves.

The family: RMSNorm (Zhang and Sennrich, 2019), rotary positions (Su et al., 2021), grouped-query attention (Ainslie et
al., 2023), SwiGLU (Shazeer, 2020), as put together in LLaMA (Touvron et al., 2023). A shape outside the bounds in which
`arithmetic` is exact is refused here, once, so that no later step needs to look.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from nzip.errors import CorruptError, UnsupportedError

SINKS = 16  # first tokens of a stream that attention never forgets
MAX_WINDOW = 2048  # tokens; the sums of `arithmetic` are proved exact up to here


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes and constants of one model.

    Attributes:
        vocab: tokens.
        layers: decoder layers.
        width: of the residual stream.
        heads: query heads.
        kv_heads: key and value heads; divides `heads`.
        head_dim: channels of a head, a multiple of 16.
        ffn: width of the feed-forward product.
        rope_theta: base of the rotary frequencies.
        rms_eps: added to the mean square.
        max_context: tokens that attention sees, itself included; a multiple of 16 from 32 to 2048.
        tied: the head is the embedding.
        bos: the token that every stream starts with.
    """

    vocab: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    rope_theta: float
    rms_eps: float
    max_context: int
    tied: bool
    bos: int

    def __post_init__(self) -> None:
        for name, low, high in (
            ("vocab", 2, 1 << 20),
            ("layers", 1, 1024),
            ("width", 16, 1 << 13),
            ("heads", 1, 1024),
            ("kv_heads", 1, 1024),
            ("head_dim", 16, 512),
            ("ffn", 16, 1 << 17),
            ("max_context", 2 * SINKS, MAX_WINDOW),
            ("bos", 0, (1 << 20) - 1),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise UnsupportedError(f"model: {name} is {value!r}, not in {low}..{high}")
        if self.bos >= self.vocab:
            raise UnsupportedError(f"model: bos is {self.bos}, not in 0..{self.vocab - 1}")
        for name in ("width", "head_dim", "ffn", "max_context"):
            if getattr(self, name) % 16:
                raise UnsupportedError(f"model: {name} is {getattr(self, name)}, no multiple of 16")
        if self.heads % self.kv_heads:
            raise UnsupportedError(f"model: {self.heads} heads do not share {self.kv_heads} key heads evenly")
        if self.heads // self.kv_heads > 64:
            raise UnsupportedError("model: more than 64 heads share one key head")
        if type(self.tied) is not bool:
            raise UnsupportedError("model: tied is neither true nor false")
        for name, least, most in (("rope_theta", 1.0, 1e12), ("rms_eps", 1e-12, 1.0)):
            value = getattr(self, name)
            if type(value) is not float or not math.isfinite(value) or not least <= value <= most:
                raise UnsupportedError(f"model: {name} is {value!r}, not in {least:g}..{most:g}")

    @property
    def group(self) -> int:
        """Query heads that share one key head."""
        return self.heads // self.kv_heads

    @property
    def query_width(self) -> int:
        """Channels of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Channels of all key heads together."""
        return self.kv_heads * self.head_dim

    def to_json(self) -> str:
        """Return the canonical form: sorted names, no spaces. It is part of what the model id is made from."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> LlamaConfig:
        """Return the shape that `to_json` wrote.

        Raises:
            CorruptError: names are missing or unknown.
            UnsupportedError: a value is out of range.
        """
        names = {f.name for f in fields(cls)}
        if set(values) != names:
            raise CorruptError("model: the description of its shape has the wrong names")
        return cls(**values)


def config_of(architecture: Mapping[str, Any], start: int) -> LlamaConfig:
    """Return the shape of a model, for streams that begin with the token `start`.

    Raises:
        UnsupportedError: the arithmetic is not made for such a shape.
    """
    a = architecture
    return LlamaConfig(
        vocab=a["vocab_size"],
        layers=a["num_hidden_layers"],
        width=a["hidden_size"],
        heads=a["num_attention_heads"],
        kv_heads=a["num_key_value_heads"],
        head_dim=a["head_dim"],
        ffn=a["intermediate_size"],
        rope_theta=float(a["rope_theta"]),
        rms_eps=float(a["rms_norm_eps"]),
        max_context=min(a["max_position_embeddings"], MAX_WINDOW) // 16 * 16,
        tied=a["tie_word_embeddings"],
        bos=start,
    )
