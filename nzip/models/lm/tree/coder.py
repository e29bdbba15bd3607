"""What codes the tokens of streams: the settings, and the memory that the kernel works in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from nzip.errors import CorruptError
from nzip.models.cm import tables as cm_tables
from nzip.models.lm.network import arithmetic
from nzip.models.lm.tree import adapter
from nzip.models.lm.tree.kernel import code, finish
from nzip.models.lm.tree.layout import (
    AT,
    BYTES,
    CFG_SIZE,
    CONTEXTS,
    DECODE,
    ENCODE,
    FINALS,
    HISTORY_CELLS,
    IDLE,
    INPUTS,
    KNOT_BITS,
    KNOTS,
    LOW,
    MATCHES,
    MIX,
    MULT_ONE,
    P_BITS,
    REFINE,
    REFINE_ROWS,
    RNG,
    SET_ROWS,
    SETS,
    STRETCH_MAX,
    USED,
    USED_CONTEXTS,
    USED_SETS,
    VARS,
    X_DELTA,
    X_HISTORY,
    X_MATCH,
    X_MODEL,
)  # fmt: skip
from nzip.models.lm.tree.vocabulary_tree import Frequencies, VocabularyTree
from nzip.models.midicoth import tables as log_tables


@lru_cache(maxsize=1)
def squash_values() -> tuple[int, ...]:
    """Return 2^22 / (1 + exp(-x / 256)), rounded and within 1..2^22 - 1, for x = -STRETCH_MAX..STRETCH_MAX."""
    return cm_tables.logistic_values(P_BITS, STRETCH_MAX)


@dataclass(frozen=True)
class Settings:
    """What decides the bits of a `TreeCoder` besides its input; part of the format.

    `rate` and `rate_start` are steps of the mixer in 2^-16; the latter falls by half in `rate_fall` uses of a row.
    """

    parts: int = USED
    contexts: int = USED_CONTEXTS
    sets: int = USED_SETS
    bits: int = 20
    match_bits: int = 16
    rate: int = 500
    rate_start: int = 3000
    rate_fall: int = 400
    limit: int = 1022
    final_rate: int = 20
    refine_limit: int = 1022
    token_rate: int = 150
    doubt: int = 512
    proof_max: int = 20000
    share: int = 7000  # a learned input's first weight, of 65536
    history_count: int = 3
    none_count: int = 60
    match_count: int = 4
    refine_count: int = 6
    adapt_rate: int = 300
    adapt_start: int = 0
    adapt_fall: int = 2000
    entries: int = adapter.ENTRIES
    sharp: int = 160  # of a hidden state's product with itself, 589,824, for 1/256 of a natural-logarithm unit


class TreeCoder:
    """Codes the tokens of one or more streams that learn from one another.

    Encoding: `encode` runs of steps in order, then `payloads`. Decoding: make it with `payloads`, then `decode` step by
    step. `encode` releases the GIL while it works; different objects share nothing, so each can have its thread.
    """

    def __init__(
        self,
        tree: VocabularyTree,
        sizes: Sequence[int],
        settings: Settings | None = None,
        payloads: Sequence[bytes] | None = None,
        head: tuple[Any, Any] | None = None,
    ) -> None:
        """Begin streams of `sizes` bytes; with `payloads`, to decode those.

        head: rows (int8 (V, D), in tree order) and scales (float32 (V,)) of the model's head, to adapt the model; then
        each run of steps comes with its hidden states.
        """
        self.tree = tree
        self.sizes = tuple(sizes)
        s = self.settings = settings or Settings()
        streams = len(self.sizes)
        capacity = max(self.sizes, default=0) + 1
        if streams * capacity >= 1 << 32:
            raise ValueError("streams that share a state hold less than 4 GiB together")
        self._mode = ENCODE if payloads is None else DECODE
        if payloads is None:
            # A byte costs at most an end and 8 bits of 22 bits each, or an escape.
            room = 64 + max(self.sizes, default=0) * 27
            self._coded = np.zeros((streams, room), np.uint8)
            self._lengths = np.full(streams, room, np.int64)
        else:
            self._lengths = np.array([len(payload) for payload in payloads], np.int64)
            self._coded = np.zeros((streams, max(self._lengths, default=0) + 1), np.uint8)
            for k, payload in enumerate(payloads):
                self._coded[k, : len(payload)] = np.frombuffer(payload, np.uint8)
        numbers = np.zeros(CFG_SIZE, np.int64)
        numbers[:] = (
            tree.root, s.parts, s.contexts, s.sets, s.bits, s.match_bits, s.rate, s.rate_start, s.rate_fall, s.limit,
            s.final_rate, s.refine_limit, s.token_rate, s.doubt, s.proof_max, s.adapt_rate, s.adapt_start,
            s.adapt_fall, s.sharp,
        )  # fmt: skip
        squash = np.array(squash_values(), np.int32)
        knots = (np.arange(KNOTS) << KNOT_BITS) - (STRETCH_MAX + 1)
        row = squash[np.clip(knots + STRETCH_MAX, 0, 2 * STRETCH_MAX)].astype(np.uint32) << 10
        mixing = bool(s.parts & MIX)
        maps = np.zeros(0, np.uint32)
        weights = np.zeros((SETS * SET_ROWS if mixing else 0, INPUTS), np.int32)
        refined = np.zeros(0, np.uint32)
        if mixing:
            maps = np.tile(row | s.history_count, CONTEXTS * 256 + MATCHES * 16 * 4 * 3).astype(np.uint32)
            maps[CONTEXTS * HISTORY_CELLS :] += np.uint32(s.match_count - s.history_count)
            for i in range(CONTEXTS):
                maps[i * HISTORY_CELLS : i * HISTORY_CELLS + KNOTS] = row | s.none_count
            weights[:, X_MODEL] = 1 << 16
            weights[:, X_MATCH : X_MATCH + MATCHES] = s.share
            weights[:, X_HISTORY : X_DELTA + CONTEXTS] = s.share
            if s.parts & REFINE:
                refined = np.tile(row | s.refine_count, tree.size + 2 * REFINE_ROWS).astype(np.uint32)
        used_sets = max(1, s.sets.bit_count())
        self.v = np.zeros((streams, VARS), np.uint64)
        self.v[:, RNG] = 0xFFFFFFFF
        if payloads is not None:
            self.v[:, AT] = 4
            for k in range(streams):
                # No encoder writes four bytes of 255 at the start.
                first = int.from_bytes(bytes(self._coded[k, :4]).ljust(4, b"\0"), "big")
                self.v[k, LOW] = min(first, 0xFFFFFFFE)
        escapes = np.zeros(0, np.uint32)
        if tree.missing:
            escapes = np.full(258, 1 << 31 | 2, np.uint32)
            escapes[0] = 1 << 16 | 30  # 2^-16 at first
        self._state = (
            numbers, tree.left, tree.right, tree.kind, tree.depth, tree.text, tree.start, escapes, self.v,
            np.zeros(streams * capacity, np.uint8), np.zeros(streams * capacity, np.uint8),
            np.zeros(1 << s.bits if mixing else 0, np.uint64), maps,
            np.zeros(MATCHES << s.match_bits if mixing else 0, np.uint32), weights.reshape(-1),
            np.zeros(weights.shape[0], np.int64), np.full(FINALS * SETS, 65536 // used_sets, np.int32), refined,
            np.full(tree.size, MULT_ONE, np.uint32), squash, np.array(log_tables.log_values(), np.int32),
            np.array(cm_tables.state_table(), np.uint8).reshape(-1), np.array(cm_tables.rates(), np.int32),
        )  # fmt: skip

        if head is None:
            head = np.zeros((0, 0), np.int8), np.zeros(0, np.float32)
        wide = head[0].shape[1]
        self._width = wide
        self._adapter = (
            np.zeros(1, np.int64), np.zeros(wide, np.int32), np.full(wide, 1 << 34, np.int64),
            np.zeros((wide, wide), np.int32), np.array(head[0]), adapter.head_scales(head[1]),
            np.array(adapter.lift_values(), np.int32), np.zeros((s.entries if wide else 0, wide), np.int8),
            np.zeros(s.entries if wide else 0, np.int32),
            np.full((adapter.BUCKETS * adapter.SURE, 2), (adapter.TRUST_FIRST, adapter.TRUST_COUNT), np.int64),
            np.array(arithmetic.exp_table()[:-1], np.int32),
        )  # fmt: skip

    def active(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which streams still have bytes to come; bool (S,)."""
        return self.v[:, BYTES].astype(np.int64) < np.array(self.sizes, np.int64)

    def _run(self, mode: int, rows: Frequencies, ranks: Any, hidden: Any) -> None:
        if hidden is None:
            hidden = np.zeros((*rows.shape[:2], 0), np.int16)
        if hidden.shape != (*rows.shape[:2], self._width):
            raise ValueError("the hidden states do not fit the head")
        code(mode, rows, ranks, self._coded, self._lengths, *self._state, hidden, *self._adapter)

    def encode(self, rows: Frequencies, ids: Any, hidden: Any = None) -> None:
        """Encode a run of steps.

        rows: uint32 (T, S, V), in tree order, the total of each 2^24 and no entry 0.
        ids: int (T, S): token ids; V + byte for a byte that no token has; negative where a stream takes no part.
        hidden: int16 (T, S, D): what the model's head was multiplied by; with a head only.
        """
        ids = np.asarray(ids)
        whole = len(self.tree.rank)
        ranks = np.where(ids < whole, self.tree.rank[np.clip(ids, 0, whole - 1)], ids - whole + self.tree.size)
        self._run(ENCODE, rows, np.where(ids < 0, IDLE, ranks).astype(np.int32), hidden)

    def written(self, stream: int) -> int:
        """Return how many bytes of a stream's payload are out; up to 5 more may follow at once."""
        return int(self.v[stream, AT])

    def payloads(self) -> list[bytes]:
        """Return the coded bits of each stream; the end of encoding."""
        ends = [int(finish(self._coded, k, int(self._lengths[k]), self.v[k])) for k in range(len(self.sizes))]
        if any(end > room for end, room in zip(ends, self._lengths, strict=True)):
            raise ValueError("a stream has more bytes than was said")
        return [self._coded[k, :end].tobytes() for k, end in enumerate(ends)]

    def decode(self, rows: Frequencies, active: Any, hidden: Any = None) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Decode one step.

        rows: uint32 (S, V), in tree order. active: bool (S,). hidden: int16 (S, D), with a head only.
        Returns int32 (S,): token ids; V + byte for a byte that no token has; -1 where a stream takes no part.
        """
        ranks = np.where(np.asarray(active), np.int32(-1), np.int32(IDLE)).astype(np.int32)[None]
        self._run(DECODE, rows[None], ranks, None if hidden is None else hidden[None])
        found = ranks[0]
        size, whole = self.tree.size, len(self.tree.rank)
        ids = np.where(found < size, self.tree.order[np.clip(found, 0, size - 1)], found - size + whole)
        return np.where(found == IDLE, -1, ids).astype(np.int32)

    def check_end(self) -> None:
        """After decoding: check that each payload held just what was read.

        Raises:
            CorruptError: if bytes are missing or left over.
        """
        behind = self.v[:, AT].astype(np.int64) - self._lengths
        if np.any(behind < 3) or np.any(behind > 4):
            raise CorruptError("the coded tokens do not end where their payload ends")
