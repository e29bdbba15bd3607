"""A prior over a grid of codewords' numbers: a small network of integers that looks at the numbers decoded before.

Each number is predicted from ten around it, to the left and above. Each of these gives a vector that was learned
(an embedding); a layer of their sum, a second layer and a product with one vector for each codeword give the codewords'
logarithmic chances, as in language models of text (Bengio et al., "A Neural Probabilistic Language Model", JMLR 2003).
Neighbours lie so that all numbers on one slanting line, x + 2 y the same, hang on earlier lines alone: a line is
decoded at once ("wavefront").

Invariants:
* Weights are int8, activations integers in 0..127, sums under 2^24: float32 holds them exactly in any order, so the
  matrix product may be anybody's. Frequencies are a function of integers alone, the same on every machine.
* Chances are 2^(logit / 64) from a table that integer arithmetic makes; the frequencies of a place sum to 2^20, and
  none is 0.
* The code is that of rANS, line by line, in a line from top to bottom.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.entropy import rans
from nzip.entropy.jit import kernel
from nzip.errors import CorruptError, UnsupportedError

Array = Any

# Rows above and columns to the right; 2 rows - columns > 0 for each, which the lines ask.
TAPS = ((0, -1), (0, -2), (1, -2), (1, -1), (1, 0), (1, 1), (2, -1), (2, 0), (2, 1), (0, -3))
REACH = 3  # columns and rows that taps look at
PRECISION = 20
MAX_CODEWORDS = 1 << 14
MAX_WIDTH = 512  # of a layer: 512 * 127 * 127 < 2^23
STEPS = 64  # of a logit, in which a chance doubles
SHIFT = 6  # sums of a layer to its activations
LOGIT_SHIFT = 5  # sums of the last layer to steps
TOP = 127  # of activations
DEEPEST = 20 * STEPS  # steps below the best codeword from which on all chances are the least
PEAK = 1 << 24  # the best codeword's share
PLACES = 256  # places whose chances are made at once, at most

_BITS = np.uint64(PRECISION)
_MASK = np.uint64((1 << PRECISION) - 1)


@dataclass(frozen=True)
class IndexPrior:
    """What was learned for K codewords.

    Attributes:
        embedding: int8 (K + 1, E): the last stands for places outside.
        first: int8 (10, E, H): a layer for each tap.
        first_bias: int32 (H,).
        second: int8 (H, G).
        second_bias: int32 (G,).
        last: int8 (K, G).
        last_bias: int32 (K,).
    """

    embedding: NDArray[np.int8]
    first: NDArray[np.int8]
    first_bias: NDArray[np.int32]
    second: NDArray[np.int8]
    second_bias: NDArray[np.int32]
    last: NDArray[np.int8]
    last_bias: NDArray[np.int32]

    def __post_init__(self) -> None:
        count, width = len(self.last), self.embedding.shape[-1]
        hidden, final = self.second.shape if self.second.ndim == 2 else (0, 0)
        wanted = {
            "embedding": ((count + 1, width), np.int8), "first": ((len(TAPS), width, hidden), np.int8),
            "first_bias": ((hidden,), np.int32), "second": ((hidden, final), np.int8),
            "second_bias": ((final,), np.int32), "last": ((count, final), np.int8), "last_bias": ((count,), np.int32),
        }  # fmt: skip
        for part in fields(self):
            value = getattr(self, part.name)
            if (value.shape, value.dtype) != wanted[part.name]:
                raise CorruptError(f"the prior's {part.name} has the shape {value.shape}; get the model again")
            if value.dtype == np.int32 and value.size and np.abs(value.astype(np.int64)).max() >= 1 << 22:
                raise CorruptError(f"the prior's {part.name} holds numbers that are too large; get the model again")
        if not 1 <= count <= MAX_CODEWORDS or not 1 <= max(len(TAPS) * width, hidden, final) <= MAX_WIDTH:
            raise UnsupportedError(f"a prior for {count} codewords, layers of {hidden} and {final}, is not supported")

    @property
    def codewords(self) -> int:
        return len(self.last)


class Coder:
    """A prior, ready for coding any number of grids."""

    def __init__(self, prior: IndexPrior) -> None:
        self.codewords = prior.codewords
        embedding = prior.embedding.astype(np.int32)
        # What each tap adds for each number: the layer is a sum of rows of these.
        self._rows = np.stack([embedding @ part.astype(np.int32) for part in prior.first])  # (10, K + 1, H)
        self._first_bias, self._second_bias = prior.first_bias, prior.second_bias
        self._second = prior.second.astype(np.float32)
        self._last, self._last_bias = prior.last.T.astype(np.float32), prior.last_bias  # (G, K)

    def logits(self, around: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return logarithmic chances in steps, int32 (P, K), from the numbers at the taps, int32 (P, 10)."""
        total = self._first_bias[None].astype(np.int32)
        for tap in range(len(TAPS)):
            total = total + self._rows[tap, around[:, tap]]
        hidden = np.clip(total >> SHIFT, 0, TOP).astype(np.float32)  # (P, H)
        total = (hidden @ self._second).astype(np.int32) + self._second_bias
        hidden = np.clip(total >> SHIFT, 0, TOP).astype(np.float32)  # (P, G)
        out: NDArray[np.int32] = ((hidden @ self._last).astype(np.int32) + self._last_bias) >> LOGIT_SHIFT
        return out

    def intervals(self, grid: NDArray[np.int32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return starts and frequencies of the numbers of a grid, each uint32 (H W,), in coding order."""
        padded = _padded(grid.shape, self.codewords)
        padded[REACH:, REACH:-REACH] = grid
        rows, columns = order(*grid.shape)
        starts, freqs = np.empty(grid.size, np.uint32), np.empty(grid.size, np.uint32)
        for at in range(0, grid.size, PLACES):
            cut = slice(at, min(at + PLACES, grid.size))
            around = _around(padded, rows[cut], columns[cut])
            _intervals(self.logits(around), grid[rows[cut], columns[cut]], chances(), starts[cut], freqs[cut])
        return starts, freqs

    def encode(self, grid: NDArray[Any]) -> bytes:
        """Return the code of a grid of numbers (H, W), each below K.

        Raises:
            ValueError: the grid is empty, or a number is out of range.
        """
        if grid.ndim != 2 or grid.size == 0 or grid.min() < 0 or grid.max() >= self.codewords:
            raise ValueError(f"a grid of the shape {grid.shape} with numbers below {self.codewords} is needed")
        starts, freqs = self.intervals(grid.astype(np.int32))
        return rans.words_to_bytes(rans.encode_reverse_family(starts, freqs, PRECISION))

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.int32]:
        """Return the grid of a shape from its code.

        Raises:
            CorruptError: the code is damaged.
        """
        words = rans.bytes_to_words(data)
        state = rans.open_states(words, 1)
        padded = _padded(shape, self.codewords)
        rows, columns = order(*shape)
        lines = np.flatnonzero(np.diff(columns + 2 * rows, prepend=-1, append=-1))
        at = 2
        for begin, end in pairwise(lines):
            for some in range(begin, end, PLACES):
                y, x = rows[some : min(some + PLACES, end)], columns[some : min(some + PLACES, end)]
                found = np.empty(len(y), np.int32)
                at = int(_numbers(self.logits(_around(padded, y, x)), chances(), words, state, at, found))
                if at < 0:
                    raise CorruptError("the code of the codewords' numbers ends too early")
                padded[y + REACH, x + REACH] = found
        rans.check_end(words, state, at)
        return padded[REACH:, REACH:-REACH].copy()


def order(height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of a grid's places in coding order: by x + 2 y, then from top to bottom."""
    rows, columns = (part.reshape(-1) for part in np.indices((height, width)))
    by = np.lexsort((rows, columns + 2 * rows))
    return rows[by], columns[by]


def contexts(grid: NDArray[Any], codewords: int) -> NDArray[np.int32]:
    """Return the numbers at the taps of all places of a grid (H, W), row by row, int32 (H W, 10); K for outside."""
    padded = _padded(grid.shape, codewords)
    padded[REACH:, REACH:-REACH] = grid
    rows, columns = (part.reshape(-1) for part in np.indices(grid.shape))
    return _around(padded, rows, columns)


@cache
def chances() -> NDArray[np.int64]:
    """Return floor(2^24 2^(-d / 64)) for d = 0..DEEPEST, and 0 behind it, int64 (DEEPEST + 2,), by integers alone."""
    out = np.zeros(DEEPEST + 2, np.int64)
    for d in range(DEEPEST + 1):
        # The largest n with n^64 <= 2^(24 * 64 - d).
        power, low, high = 1 << (24 * STEPS - d), 0, PEAK + 1
        while high - low > 1:
            middle = (low + high) >> 1
            if middle**STEPS <= power:
                low = middle
            else:
                high = middle
        out[d] = low
    return out


def _padded(shape: tuple[int, ...], outside: int) -> NDArray[np.int32]:
    return np.full((shape[0] + REACH, shape[1] + 2 * REACH), outside, np.int32)


def _around(padded: NDArray[np.int32], rows: Array, columns: Array) -> NDArray[np.int32]:
    """Return the numbers at the taps of places, int32 (P, 10)."""
    return np.stack([padded[rows + REACH - up, columns + REACH + right] for up, right in TAPS], axis=1)


@kernel
def _frequencies(logits, table, freqs):  # type: ignore[no-untyped-def]
    """Fill the frequencies (int64) of one place."""
    best = 0
    for k in range(logits.size):
        if logits[k] > logits[best]:
            best = k
    total = 0
    for k in range(logits.size):
        below = np.int64(logits[best]) - np.int64(logits[k])
        freqs[k] = table[min(below, table.size - 1)]
        total += freqs[k]
    # One for each, the rest by the chances, and what rounding leaves to the best.
    rest = (1 << PRECISION) - logits.size
    left = rest
    for k in range(logits.size):
        share = freqs[k] * rest // total
        freqs[k] = share + 1
        left -= share
    freqs[best] += left


@kernel
def _intervals(logits, numbers, table, starts, out):  # type: ignore[no-untyped-def]
    """Fill starts and frequencies (uint32) of the numbers of places."""
    freqs = np.empty(logits.shape[1], np.int64)
    for i in range(numbers.size):
        _frequencies(logits[i], table, freqs)
        start = 0
        for k in range(numbers[i]):
            start += freqs[k]
        starts[i] = start
        out[i] = freqs[numbers[i]]


@kernel
def _numbers(logits, table, words, state, at, out):  # type: ignore[no-untyped-def]
    """Decode the numbers of places; return the place behind the last word, or -1 where they ran out."""
    freqs = np.empty(logits.shape[1], np.int64)
    for i in range(out.size):
        _frequencies(logits[i], table, freqs)
        slot = np.int64(state[0] & _MASK)
        start, k = 0, 0
        while start + freqs[k] <= slot:
            start += freqs[k]
            k += 1
        out[i] = k
        at = rans.take(words, state, at, start, freqs[k], _BITS)
        if at < 0:
            return at
    return at
