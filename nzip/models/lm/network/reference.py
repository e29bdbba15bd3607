"""The whole network in plain numpy, one row at a time: the specification that every backend matches to the bit."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nzip.models.lm.network.arithmetic import (
    F32,
    LEVELS,
    STEP,
    Floats,
    Ints,
    add,
    attend,
    checked_window,
    gate,
    input_levels,
    normalise,
    product,
    quantise,
    rope,
    rotate,
    spread,
)  # fmt: skip
from nzip.models.lm.network.config import SINKS
from nzip.models.lm.network.weights import LmWeights


class _Past(NamedTuple):
    """What attention keeps of one stream: by layer, by position, lists of (kv_heads, ...)."""

    keys: list[list[Any]]
    key_scales: list[list[Any]]
    values: list[list[Any]]
    value_scales: list[list[Any]]
    window: int


class ReferenceModel:
    """The specification as a `TokenModel`: one row at a time, and slow."""

    def __init__(self, weights: LmWeights) -> None:
        self.weights = weights
        self.config = weights.config

    def begin(self, streams: int, window: int | None = None) -> list[_Past]:
        """Return `streams` empty pasts of which attention sees `window` tokens."""
        window = checked_window(self.config, window)

        def empty() -> list[list[Any]]:
            return [[] for _ in range(self.config.layers)]

        return [_Past(empty(), empty(), empty(), empty(), window) for _ in range(streams)]

    def step(
        self,
        state: list[_Past],
        tokens: Ints,
        active: NDArray[np.bool_] | None = None,
        hidden: NDArray[np.int16] | None = None,
    ) -> NDArray[np.uint32]:
        """Feed one token to each active stream; return the frequencies of what follows, uint32 (S, V).

        Rows of streams that are not active are zeros. `hidden` (S, width), where given, is filled with the integers
        that the head is multiplied by.
        """
        out = np.zeros((len(state), self.config.vocab), np.uint32)
        for i, past in enumerate(state):
            if active is None or active[i]:
                out[i] = self.row(past, int(tokens[i]), None if hidden is None else hidden[i])
        return out

    def row(self, past: _Past, token: int, hidden: NDArray[np.int16] | None = None) -> NDArray[np.uint32]:
        """Feed one token to one stream; return the frequencies of what follows, uint32 (V,)."""
        w, c = self.weights, self.config
        position = len(past.keys[0])
        turn, turn_sinks = rope(c, position), rope(c, min(position, past.window - 1))
        for_qkv, for_out, for_gate, for_down, for_head = input_levels(c)
        step = F32(STEP / math.sqrt(c.head_dim))
        sinks = min(position + 1, SINKS)
        first = max(sinks, position + 1 - (past.window - SINKS))
        seen = [*range(sinks), *range(first, position + 1)]

        x = add(np.zeros(c.width, np.int32), w.embedding[token].astype(F32) * w.embedding_scale[token])
        for layer in range(c.layers):
            q, scale = normalise(x, w.attention_gain[layer], c.rms_eps, for_qkv)
            qkv = product(q, scale, w.qkv[layer], w.qkv_scale[layer])
            queries, keys, values = np.split(qkv, [c.query_width, c.query_width + c.kv_width])
            queries = queries.reshape(c.heads, c.head_dim)
            self._keep(past, layer, rotate(keys.reshape(c.kv_heads, -1), *turn), values.reshape(c.kv_heads, -1))
            heads = []
            for head in range(c.heads):
                g = head // c.group
                near, near_scale = quantise(rotate(queries[head], *turn), LEVELS)
                far, far_scale = quantise(rotate(queries[head], *turn_sinks), LEVELS)
                key = np.array([past.keys[layer][t][g] for t in seen])
                dots = np.where(np.arange(len(seen)) < sinks, key @ far, key @ near).astype(F32)
                factor = np.where(np.arange(len(seen)) < sinks, far_scale * step, near_scale * step)
                scores = dots * np.array([past.key_scales[layer][t][g] for t in seen]) * factor
                value_scales = np.array([past.value_scales[layer][t][g] for t in seen])
                heads.append(attend(scores, value_scales, np.array([past.values[layer][t][g] for t in seen])))
            q, scale = quantise(np.concatenate(heads), for_out)
            x = add(x, product(q, scale, w.out[layer], w.out_scale[layer]))
            q, scale = normalise(x, w.ffn_gain[layer], c.rms_eps, for_gate)
            both = product(q, scale, w.gate_up[layer], w.gate_up_scale[layer])
            q, scale = quantise(gate(both[: c.ffn], both[c.ffn :]), for_down)
            x = add(x, product(q, scale, w.down[layer], w.down_scale[layer]))
        q, scale = normalise(x, w.final_gain, c.rms_eps, for_head)
        if hidden is not None:
            hidden[:] = q
        return spread(product(q, scale * F32(STEP), w.head, w.head_scale))

    def _keep(self, past: _Past, layer: int, keys: Floats, values: Floats) -> None:
        for rows, stored, scales in (
            (keys, past.keys, past.key_scales),
            (values, past.values, past.value_scales),
        ):
            pairs = [quantise(row, LEVELS) for row in rows]
            stored[layer].append(np.array([q for q, _ in pairs]))
            scales[layer].append(np.array([s for _, s in pairs], F32))
