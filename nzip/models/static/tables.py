"""The tables of a byte model with frozen counts, and how they are made of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

MAX_ORDER = 7  # of a model of one's own: a context and its byte fit in 64 bits
ORDER = 6  # of a model where nothing else is said
SCALE_BITS = 20
SHARE_BITS = 12
DENSE = 2  # contexts of this length and shorter have whole rows
LEAST = (1, 1, 1, 2, 2, 3, 3, 3)  # occurrences of a context that make it worth keeping, by length
# By length, of 256: what is taken from each count, and how many occurrences the shorter context is worth.
DISCOUNT = (64, 128, 160, 180, 180, 180, 180, 180)
STRENGTH = (256, 5120, 10240, 15360, 15360, 12800, 10240, 10240)


class Tables(NamedTuple):
    """What the kernels read. Nodes are contexts, sorted by length; node 0 is the empty one.

    Attributes:
        dense: rows of the nodes up to length `DENSE`, uint32, shape (D, 256).
        first: where a node's entries begin, int32, shape (N + 1,).
        symbols, amounts, after: entries: the byte (uint8), its own share of the row (uint32), the node of context +
            byte, -1 for none (int32); sorted by byte within a node; shape (E,).
        shares: of 2^12, what a node gives to its shorter context, uint32, shape (N,).
        shorter: the node of the next shorter context, int32, shape (N,).
    """

    dense: npt.NDArray[np.uint32]
    first: npt.NDArray[np.int32]
    symbols: npt.NDArray[np.uint8]
    amounts: npt.NDArray[np.uint32]
    after: npt.NDArray[np.int32]
    shares: npt.NDArray[np.uint32]
    shorter: npt.NDArray[np.int32]


def _grams(text: bytes, length: int) -> npt.NDArray[np.uint64]:
    """Return each string of `length` (1..8) bytes as a number, the last byte lowest."""
    count = max(0, len(text) - length + 1)
    padded = bytes(text) + bytes(8)
    value = np.ndarray((count,), ">u8", padded, strides=(1,)).astype(np.uint64)
    return value >> np.uint64(64 - 8 * length)


def train(texts: Sequence[tuple[bytes, int]], order: int) -> Tables:
    """Return the tables of texts, each with its weight (a positive integer).

    Raises:
        ValueError: the order is not 0..7, or there is no text.
    """
    if not 0 <= order <= MAX_ORDER:
        raise ValueError(f"the order is 0..{MAX_ORDER}, got {order}")
    if not any(len(text) for text, _ in texts):
        raise ValueError("there is no text to train on")
    keys: npt.NDArray[np.uint64] = np.zeros(1, np.uint64)  # contexts of this length that are kept, ascending
    offset = 0  # node of the first of them
    previous: npt.NDArray[np.uint64] = keys
    firsts, symbols, amounts, afters, shares, shorters = [], [], [], [], [], []
    dense: list[npt.NDArray[np.int64]] = []
    entries = 0
    pending: tuple[Any, Any] | None = None  # strings of the entries whose `after` is not known yet, and where they are
    for length in range(order + 1):
        strings = np.concatenate([_grams(text, length + 1) for text, _ in texts])
        weights = np.concatenate([np.full(max(0, len(t) - length), w, np.int64) for t, w in texts])
        rank = np.argsort(strings, kind="stable")
        strings, weights = strings[rank], weights[rank]
        starts = np.flatnonzero(np.concatenate((np.ones(min(1, strings.size), bool), strings[1:] != strings[:-1])))
        counts = np.add.reduceat(weights, starts) if starts.size else np.zeros(0, np.int64)
        strings = strings[starts]
        contexts = strings >> np.uint64(8)
        begins = np.flatnonzero(np.concatenate((np.ones(min(1, contexts.size), bool), contexts[1:] != contexts[:-1])))
        sums = np.add.reduceat(counts, begins) if begins.size else np.zeros(0, np.int64)
        distinct = np.diff(np.concatenate((begins, [contexts.size])))
        keep = sums >= LEAST[length]
        mask = np.repeat(keep, distinct)
        keys, sums, distinct = contexts[begins][keep], sums[keep], distinct[keep]
        strings, counts = strings[mask], counts[mask]
        if pending is not None:
            wanted, places = pending
            found = np.searchsorted(keys, wanted)
            if keys.size:
                hit = keys[np.minimum(found, keys.size - 1)] == wanted
                places[hit] = (found[hit] + offset).astype(np.int32)
        whole = 256 * sums + STRENGTH[length]
        node = np.repeat(np.arange(keys.size), distinct)
        left: npt.NDArray[np.int64] = np.maximum(256 * counts - DISCOUNT[length], 0).astype(np.int64)
        amounts.append((left << SCALE_BITS) // whole[node])
        first = np.concatenate(([0], np.cumsum(distinct)))[:-1]
        taken = (whole - (np.add.reduceat(left, first) if first.size else 0)).astype(np.int64)
        shares.append(np.minimum((taken << SHARE_BITS) // whole, (1 << SHARE_BITS) - 1))
        firsts.append(entries + first)
        symbols.append((strings & np.uint64(255)).astype(np.uint8))
        after = np.full(strings.size, -1, np.int32)
        afters.append(after)
        pending = (strings, after)
        if length:
            suffix = keys & np.uint64((1 << (8 * (length - 1))) - 1)
            shorters.append(np.searchsorted(previous, suffix) + (offset - previous.size))
        else:
            shorters.append(np.zeros(keys.size, np.int64))
        if length <= min(DENSE, order):
            above = dense[length - 1][shorters[-1] - (offset - previous.size)] if length else np.full((1, 256), 4096)
            rows = above.astype(np.int64) * shares[-1][:, None] >> SHARE_BITS
            rows[node, symbols[-1]] += amounts[-1]
            dense.append(rows)
        entries += strings.size
        offset += keys.size
        previous = keys
    return Tables(
        np.concatenate(dense).astype(np.uint32),
        np.concatenate([*firsts, [entries]]).astype(np.int32),
        np.concatenate(symbols),
        np.concatenate(amounts).astype(np.uint32),
        np.concatenate(afters),
        np.concatenate(shares).astype(np.uint32),
        np.concatenate(shorters).astype(np.int32),
    )
