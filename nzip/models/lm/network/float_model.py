"""The model in floating point, with torch: to learn corrections (`tuning`), and to measure what exactness costs.

Nothing that is coded comes from here: what floats add up to is another number on another machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nzip.models.lm.network import corrections as tuning
from nzip.models.lm.network.arithmetic import RESIDUAL_BITS
from nzip.models.lm.network.config import LlamaConfig
from nzip.models.lm.network.weights import LmWeights, layout, parts_of_layer

Tensor = Any  # torch.Tensor: the package may be absent where types are checked


def dequantised(weights: LmWeights) -> dict[str, NDArray[np.float32]]:
    """Return the tensors, by their Hugging Face names, that the int8 rows and scales of `weights` stand for."""
    c = weights.config
    unit = np.float32(1 << RESIDUAL_BITS)

    def rows(name: str, scale: Any, matrix: Any) -> NDArray[np.float32]:
        scale = np.asarray(scale) / unit if name in ("out", "down", "embedding") else np.asarray(scale)
        return np.asarray(np.asarray(matrix, np.float32) * scale[:, None], np.float32)

    tensors = {
        "model.norm.weight": np.array(weights.final_gain),
        "model.embed_tokens.weight": rows("embedding", weights.embedding_scale, weights.embedding),
        "lm_head.weight": rows("head", weights.head_scale, weights.head),
    }
    for layer in range(c.layers):
        tensors[f"model.layers.{layer}.input_layernorm.weight"] = np.array(weights.attention_gain[layer])
        tensors[f"model.layers.{layer}.post_attention_layernorm.weight"] = np.array(weights.ffn_gain[layer])
        for matrix, parts in parts_of_layer(c, layer).items():
            whole = rows(matrix, getattr(weights, f"{matrix}_scale")[layer], getattr(weights, matrix)[layer])
            row = 0
            for name, count, _ in parts:
                tensors[name] = whole[row : row + count]
                row += count
    return tensors


class FloatModel:
    """A Llama-family decoder with corrections that can learn.

    `factors` holds a factor less 1 for each number of the arrays in `tuning.NAMES`, float32; `thin` the matrices B
    (layers, N, rank) and A (layers, rank, K) for each of `tuning.MATRICES`. All need gradients.
    """

    def __init__(
        self, config: LlamaConfig, tensors: Mapping[str, Any], *, rank: int = 0, dtype: Tensor = torch.float32
    ) -> None:
        """Take the tensors of a model.

        Args:
            config: its shape.
            tensors: float arrays by their Hugging Face names, rows of tokens in tree order.
            rank: of the thin matrices; B begins with zeros, A with normal numbers (`torch.manual_seed` decides).
            dtype: of matrix products; everything else is float32.
        """
        c = self.config = config
        self._dtype = dtype

        def load(name: str) -> Tensor:
            return torch.from_numpy(np.array(tensors[name], np.float32))

        self._embedding = load("model.embed_tokens.weight")
        self._head = self._embedding.to(dtype) if c.tied else load("lm_head.weight").to(dtype)
        self._final_gain = load("model.norm.weight")
        self._gains: dict[str, list[Tensor]] = {
            "attention_gain": [load(f"model.layers.{n}.input_layernorm.weight") for n in range(c.layers)],
            "ffn_gain": [load(f"model.layers.{n}.post_attention_layernorm.weight") for n in range(c.layers)],
        }
        self._matrices: dict[str, list[Tensor]] = {name: [] for name in tuning.MATRICES}
        for layer in range(c.layers):
            for name, parts in parts_of_layer(c, layer).items():
                self._matrices[name].append(torch.cat([load(part) for part, _, _ in parts]).to(dtype))
        shapes = {name: shape for name, _, shape in layout(c)}
        self.factors = {name: torch.zeros(shapes[name]) for name in tuning.NAMES}
        self.thin: dict[str, tuple[Tensor, Tensor]] = {}
        for name in tuning.MATRICES if rank else ():
            layers, n, k = shapes[name]
            self.thin[name] = (torch.zeros(layers, n, rank), torch.randn(layers, rank, k) / math.sqrt(k))
        for parameter in self.parameters():
            parameter.requires_grad_()
        self._turns = 1.0 / (c.rope_theta ** (torch.arange(0, c.head_dim, 2).float() / c.head_dim))

    def parameters(self) -> list[Tensor]:
        """Return all that can learn: the factors, then the thin matrices."""
        return [*self.factors.values(), *(part for both in self.thin.values() for part in both)]

    def _norm(self, x: Tensor, gain: Tensor, change: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.config.rms_eps) * (gain * (1 + change))

    def _times(self, x: Tensor, name: str, layer: int) -> Tensor:
        x = x.to(self._dtype)
        y = x @ self._matrices[name][layer].T
        if self.thin:
            b, a = (part[layer].to(self._dtype) for part in self.thin[name])
            y = y + (x @ a.T) @ b.T
        return y.float() * (1 + self.factors[f"{name}_scale"][layer])

    def hidden(self, ids: Tensor) -> Tensor:
        """Return what the head is multiplied by, float32 (T, width), for the tokens of one stream, int64 (T,)."""
        c = self.config
        count, half = len(ids), c.head_dim // 2
        x = self._embedding[ids]
        angle = torch.cat([torch.arange(count).float()[:, None] * self._turns] * 2, -1)
        cos, sin = angle.cos(), angle.sin()

        def heads(part: Tensor, turn: bool) -> Tensor:
            part = part.view(count, -1, c.head_dim).transpose(0, 1)
            if turn:
                part = part * cos + torch.cat([-part[..., half:], part[..., :half]], -1) * sin
            return part.repeat_interleave(c.heads // len(part), 0)[None].to(self._dtype)

        for layer in range(c.layers):
            y = self._norm(x, self._gains["attention_gain"][layer], self.factors["attention_gain"][layer])
            q, k, v = self._times(y, "qkv", layer).split([c.query_width, c.kv_width, c.kv_width], -1)
            y = torch.nn.functional.scaled_dot_product_attention(
                heads(q, True), heads(k, True), heads(v, False), is_causal=True
            )[0]
            x = x + self._times(y.transpose(0, 1).reshape(count, -1), "out", layer)
            y = self._norm(x, self._gains["ffn_gain"][layer], self.factors["ffn_gain"][layer])
            gate, up = self._times(y, "gate_up", layer).chunk(2, -1)
            x = x + self._times(torch.nn.functional.silu(gate) * up, "down", layer)
        return self._norm(x, self._final_gain, self.factors["final_gain"])

    def costs(self, given: Tensor, ids: Tensor) -> Tensor:
        """Return the cost of each token of `ids` in nats, float32 (T,), when the tokens `given` were fed before it."""
        logits = (self.hidden(given).to(self._dtype) @ self._head.T).float()
        return torch.nn.functional.cross_entropy(logits, ids, reduction="none")

    def packed(self) -> bytes:
        """Return what was learned as a file of `tuning`."""
        factors = {name: 1 + change.detach().numpy() for name, change in self.factors.items()}
        return tuning.pack(factors, {n: (b.detach().numpy(), a.detach().numpy()) for n, (b, a) in self.thin.items()})
