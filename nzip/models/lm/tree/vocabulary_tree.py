"""The tokens of a vocabulary, sorted by their bytes, and the binary decisions between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Frequencies = np.ndarray[Any, np.dtype[np.uint32]]


def tree_order(vocabulary: Sequence[bytes]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the ids of tokens by their bytes, then by id, int32 (V,); those without bytes stand last."""
    ids = sorted(range(len(vocabulary)), key=lambda i: (not vocabulary[i], vocabulary[i], i))
    return np.array(ids, np.int32)


class VocabularyTree:
    """The tokens of a vocabulary, sorted by their bytes, and the binary decisions between them.

    A row of frequencies must come in *tree order*: entry r is the frequency of token `order[r]`. The tokens without
    bytes, which are never coded, stand behind the `size` tokens that have some. A backend that permutes the rows of the
    model's head does this for free; `arrange` does it for rows that come by token id.

    Attributes:
        size: how many tokens have bytes.
        order: int32 (V,), token ids by rank.
        rank: int32 (V,), the inverse.
        missing: the byte values that no token consists of; they are escaped.
    """

    def __init__(self, vocabulary: Sequence[bytes]) -> None:
        """Sort `vocabulary`: the bytes of each token id, empty for special tokens.

        Raises:
            ValueError: if not one token has bytes.
        """
        self.order = tree_order(vocabulary)
        self.rank = np.empty(len(self.order), np.int32)
        self.rank[self.order] = np.arange(len(self.order), dtype=np.int32)
        tokens = [vocabulary[i] for i in self.order.tolist() if vocabulary[i]]
        if not tokens:
            raise ValueError("a vocabulary without a token that has bytes")
        self.size = len(tokens)
        self.tokens = tokens
        single = {token[0] for token in tokens if len(token) == 1}
        self.missing = tuple(b for b in range(256) if b not in single)
        self.text = np.frombuffer(b"".join(tokens), np.uint8)
        self.start = np.zeros(self.size + 1, np.int64)
        np.cumsum([len(token) for token in tokens], out=self.start[1:])
        self._connect()

    def _connect(self) -> None:
        """Find each decision's kind and depth, and its two sides: a Cartesian tree over the borders of the ranks."""
        n = self.size
        keys = [0] * n
        lower = [0] * n
        upper = [0] * n
        self.kind = np.zeros(n, np.uint8)
        self.depth = np.zeros(n, np.int32)
        path: list[int] = []
        for r in range(1, n):
            a, b = self.tokens[r - 1], self.tokens[r]
            d = 0
            while d < len(a) and d < len(b) and a[d] == b[d]:
                d += 1
            if d < len(a):
                self.kind[r] = 9 - (a[d] ^ b[d]).bit_length()
            elif d == len(b):
                self.kind[r] = 9
            self.depth[r] = d
            keys[r] = 10 * d + int(self.kind[r])  # a decision that comes earlier has the lower key
            last = 0
            while path and keys[path[-1]] > keys[r]:
                last = path.pop()
            lower[r] = last
            if path:
                upper[path[-1]] = r
            path.append(r)
        self.root = path[0] if path else 0
        self.left = np.array([lower[r] or 1 - r for r in range(n)], np.int32)
        self.right = np.array([upper[r] or -r for r in range(n)], np.int32)

    def arrange(self, rows: Frequencies) -> Frequencies:
        """Return rows (..., V) that came by token id in tree order."""
        return np.ascontiguousarray(rows[..., self.order])
