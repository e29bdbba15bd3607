"""A model whose costs are known: each byte is a token, and costs as many bits as tokens before it are seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Counting:
    """Costs of 1, 2, 3, ... bits inside of a window; `without` is a byte that is no token."""

    def __init__(self, name: str = "counting", window: int = 2000, without: int | None = None, scale: float = 1.0):
        self.name = name
        self.id = f"id of {name}"
        self.window = window
        self.size = 1000
        self.without = without
        self.scale = scale
        self.calls: list[tuple[list[int], int]] = []

    def encode(self, data: bytes) -> NDArray[np.int32]:
        return np.frombuffer(data, np.uint8).astype(np.int32)

    def pieces(self, tokens: NDArray[np.int32]) -> list[bytes]:
        return [bytes([token]) for token in tokens.tolist()]

    def costs(self, tokens: NDArray[np.int32], first: int = 1) -> NDArray[np.float64]:
        self.calls.append((tokens.tolist(), first))
        bits = np.arange(first, len(tokens)) * self.scale
        bits[tokens[first:] == self.without] = np.nan
        return bits

    def shape(self) -> dict[str, Any]:
        return {
            "vocab_size": 10,
            "num_hidden_layers": 2,
            "hidden_size": 8,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 4,
            "intermediate_size": 16,
        }
