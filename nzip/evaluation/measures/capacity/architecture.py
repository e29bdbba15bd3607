"""What of a decoder decides the work of a token, and how much it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nzip.errors import NzipError

LENGTH = 1024  # tokens of a sample, and of the generated text whose work is counted


@dataclass(frozen=True)
class Architecture:
    """What of a decoder decides the work of a token.

    Attributes:
        layers, width, vocabulary: as the names say.
        queries: channels of all query heads together.
        keys: channels of all key heads together.
        inner: inner channels of gated feed-forward parts that a token passes, summed over layers and experts.
    """

    layers: int
    width: int
    queries: int
    keys: int
    inner: int
    vocabulary: int

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str = "config.json") -> Architecture:
        """Return that of a configuration in Hugging Face's names; `text_config` is looked into.

        Of a mixture of experts those count that a token passes: `num_experts_per_tok`, of `moe_intermediate_size` where
        that is stated, and shared ones; layers before `first_k_dense_replace` are dense.

        Raises:
            NzipError: sizes are missing, or attention is of another kind.
        """
        if isinstance(config.get("text_config"), Mapping):
            config = config["text_config"]
        if config.get("kv_lora_rank"):
            raise NzipError(f"{name}: has latent attention, whose work is not counted here; state its flops in a row")

        def number(*names: str, default: int | None = None) -> int:
            for key in names:
                value = config.get(key)
                if value is not None:
                    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                        raise NzipError(f"{name}: {key} is {str(value)[:40]}, which no model has")
                    return value
            if default is None:
                raise NzipError(f"{name}: lacks {names[0]}; state the model's flops in a row")
            return default

        layers, width = number("num_hidden_layers", "n_layer"), number("hidden_size", "n_embd")
        heads = number("num_attention_heads", "n_head")
        if not (layers and width and heads):
            raise NzipError(f"{name}: has no layers, no width or no heads, which no model has")
        dim = number("head_dim", default=width // heads)
        inner = number("intermediate_size", "n_inner", "ffn_hidden_size", default=4 * width)
        active = number("num_experts_per_tok", "num_experts_per_token", default=0)
        total = layers * inner
        if active:
            expert = number("moe_intermediate_size", default=inner)
            shared = number("shared_expert_intermediate_size", default=number("n_shared_experts", default=0) * expert)
            dense = min(layers, number("first_k_dense_replace", default=0))
            total = dense * inner + (layers - dense) * (active * expert + shared)
        keys = number("num_key_value_heads", default=heads) * dim
        return cls(layers, width, heads * dim, keys, total, number("vocab_size"))


def flops_per_token(shape: Architecture, length: int = LENGTH) -> float:
    """Return the floating-point operations of a token, the mean of generating `length` tokens from nothing.

    Each layer: queries and output 2 · width · queries each, keys and values 2 · width · keys each; attention
    4 · queries for each token before it, of which there are (length - 1) / 2 on average, as in the paper's program; the
    gated feed-forward part 6 · width · inner. Then the head, 2 · width · vocabulary.
    """
    a = shape
    attention = 4 * a.width * a.queries + 4 * a.width * a.keys + 4 * a.queries * (length - 1) / 2
    return a.layers * attention + 6 * a.width * a.inner + 2 * a.width * a.vocabulary
