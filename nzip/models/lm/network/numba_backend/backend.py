"""The network on the CPU without torch, as a `TokenModel`: weights in blocks, states, threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import config
from numpy.typing import NDArray

from nzip.errors import LimitError
from nzip.models.lm.network import arithmetic
from nzip.models.lm.network.config import SINKS
from nzip.models.lm.network.numba_backend.kernel import COUNTERS, LANES, PAIR, PHASES_PER_LAYER, forward
from nzip.models.lm.network.weights import LmWeights
from nzip.process import lock

_settings: Any = config

ROWS = 64  # that one call of the kernel takes at most
FIRST_PLACES = 256  # that a new state has room for


def _blocks(matrix: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return weights (..., N, K) in blocks of 16 outputs by 4 inputs, flat (..., N * K), N up to a multiple of 32."""
    *front, n, k = matrix.shape
    out = np.empty((*front, -(-n // PAIR) * PAIR * k), np.uint8)
    for index in np.ndindex(*front):
        whole = np.full((-(-n // PAIR) * PAIR, k), 128, np.uint8)
        whole[:n] = matrix[index].view(np.uint8) ^ np.uint8(128)
        out[index] = whole.reshape(-1, LANES, k // 4, 4).transpose(0, 2, 1, 3).reshape(-1)
    return out


def _padded(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scales (..., N) with zeros up to a multiple of 32."""
    n = scales.shape[-1]
    out = np.zeros((*scales.shape[:-1], -(-n // PAIR) * PAIR), np.float32)
    out[..., :n] = scales
    return out


class _Helper:
    """One more thread. What it is given it does in order, so its workspace has one user at a time."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self._pool = ThreadPoolExecutor(1, "nzip-lm")
        self._work: list[Future[None]] = []

    def start(self, run: Callable[..., None], args: tuple[Any, ...]) -> None:
        """Take part in a call, unless two earlier ones still wait for the system to run this thread."""
        self._work = [work for work in self._work if not work.done()]
        if len(self._work) < 2:
            self._work.append(self._pool.submit(run, self.thread, *args))


@dataclass
class NumbaState:
    """What attention keeps of S streams, and how many tokens each has seen.

    A place is a token of the first 16, or of the ring behind them; P places, G key heads, L layers, d channels.
    """

    keys: NDArray[np.uint8]  # (S, L, G, P / 16, d / 4, 16, 4), key + 128
    key_scale: NDArray[np.float32]  # (S, L, G, P)
    values: NDArray[np.int8]  # (S, L, G, P, d)
    value_scale: NDArray[np.float32]  # (S, L, G, P)
    positions: NDArray[np.int32]  # (S,)
    window: int  # tokens that attention sees
    ring: int  # places behind the first 16, when all are there
    lookahead: int

    def reset(self, stream: int) -> None:
        """Make one stream new. Old keys stay where they are: nothing sees them."""
        self.positions[stream] = 0

    def grow(self, tokens: int) -> None:
        """Make room for streams of `tokens` tokens: memory follows need, for many streams are short."""
        have, most = self.key_scale.shape[3], SINKS + self.ring
        if min(tokens, most) > have:
            # While one array is copied both are there: small steps keep the peak low.
            places = min(most, -(-max(tokens, have + have // 4) // LANES) * LANES)
            for name, axis in (
                ("keys", places // LANES),
                ("key_scale", places),
                ("values", places),
                ("value_scale", places),
            ):
                old = getattr(self, name)
                new = np.zeros((*old.shape[:3], axis, *old.shape[4:]), old.dtype)
                new[:, :, :, : old.shape[3]] = old
                setattr(self, name, new)


class NumbaModel:
    """`TokenModel` on the CPU without torch.

    One object may be shared: calls wait for each other. Results of `step` and `feed` are views of memory that the
    next call overwrites.
    """

    def __init__(self, weights: LmWeights, threads: int | None = None) -> None:
        """Derive the layout in memory from `weights`; the result is exact for any number of threads (1..64)."""
        c = self.config = weights.config
        self.threads = max(1, min(64, threads if threads is not None else int(_settings.NUMBA_NUM_THREADS)))
        w = weights
        head = _blocks(np.asarray(w.head))
        self._weights = (
            np.array(w.attention_gain), _blocks(np.asarray(w.qkv)), _padded(w.qkv_scale),
            _blocks(np.asarray(w.out)), _padded(w.out_scale),
            np.array(w.ffn_gain), _blocks(np.asarray(w.gate_up)), _padded(w.gate_up_scale),
            _blocks(np.asarray(w.down)), _padded(w.down_scale),
            np.array(w.final_gain), head, _padded(w.head_scale),
            np.array(w.embedding), np.array(w.embedding_scale),
            np.array(arithmetic.exp_table()), np.array(arithmetic.gate_table()),
            np.array(arithmetic.rope_table(c.rope_theta, c.head_dim)),
        )  # fmt: skip
        self._levels = np.array(arithmetic.input_levels(c), np.float32)
        self._step = np.float32(arithmetic.STEP / math.sqrt(c.head_dim))
        inputs = max(c.width, c.query_width, c.ffn)
        self._residual = np.zeros((ROWS, c.width), np.int32)
        self._inputs = np.zeros((self.threads, 2 * ROWS, inputs), np.int8)
        self._totals = np.zeros((self.threads, 2 * ROWS), np.int32)
        self._scale = np.zeros((self.threads, ROWS), np.float32)
        self._wide = np.zeros((ROWS, max(c.query_width + 2 * c.kv_width, 2 * c.ffn)), np.float32)
        self._heads = np.zeros((ROWS, c.query_width), np.float32)
        self._accs = np.zeros((self.threads, 2 * ROWS, PAIR), np.int32)
        self._counters = COUNTERS * (1 + PHASES_PER_LAYER * (c.layers + 1))
        self._result = np.zeros((0, c.vocab), np.float32)
        self._scores = np.zeros((self.threads, c.group, 0), np.float32)
        self._lock = lock()
        self._helpers = [_Helper(thread) for thread in range(1, self.threads)]

    def begin(self, streams: int, lookahead: int = 1, window: int | None = None) -> NumbaState:
        """Return the state of new streams.

        Args:
            streams: how many, 1 or more.
            lookahead: rows of one stream that one call of `feed` may have, 1..64. No result depends on it.
            window: tokens that attention sees, a multiple of 16 from 32 to the model's `max_context` (the default).
        """
        c = self.config
        window = arithmetic.checked_window(c, window)
        if streams < 1 or not 1 <= lookahead <= ROWS:
            raise ValueError("streams is less than 1, or lookahead not in 1..64")
        ring = window - SINKS + -(-(lookahead - 1) // LANES) * LANES
        places = min(SINKS + ring, FIRST_PLACES)
        shape = (streams, c.layers, c.kv_heads, places)
        return NumbaState(
            keys=np.zeros((*shape[:3], places // LANES, c.head_dim // 4, LANES, 4), np.uint8),
            key_scale=np.zeros(shape, np.float32),
            values=np.zeros((*shape, c.head_dim), np.int8),
            value_scale=np.zeros(shape, np.float32),
            positions=np.zeros(streams, np.int32),
            window=window,
            ring=ring,
            lookahead=lookahead,
        )

    def state_bytes(self, streams: int, tokens: int) -> int:
        """Return the memory that `streams` streams of at most `tokens` tokens touch."""
        c = self.config
        places = min(c.max_context + ROWS, tokens)
        return streams * places * c.layers * c.kv_heads * (2 * c.head_dim + 8)

    def step(
        self,
        state: NumbaState,
        tokens: NDArray[np.int32],
        active: NDArray[np.bool_] | None = None,
        hidden: NDArray[np.int16] | None = None,
    ) -> NDArray[np.uint32]:
        """Feed one token to each active stream; return the frequencies of what follows, uint32 (S, V).

        Each active row sums up to 2^24 and has no zero; the others are zeros.

        Args:
            state: of the streams.
            tokens: of each stream, (S,).
            active: which streams take part, all where left out.
            hidden: (S, width), filled with the integers that the head is multiplied by, for active rows.
        """
        streams = len(state.positions)
        which = np.arange(streams) if active is None else np.flatnonzero(active)
        rows = self._room(streams)
        if len(which) < streams:
            rows[:streams] = 0
        for at in range(0, len(which), ROWS):
            part = which[at : at + ROWS]
            inside = None if hidden is None else np.empty((len(part), self.config.width), np.int16)
            if len(which) == streams:
                self._run(state, part, tokens[part], rows[at : at + len(part)], inside)
            else:
                small = np.zeros((len(part), self.config.vocab), np.float32)
                self._run(state, part, tokens[part], small, inside)
                rows[part] = small
            if hidden is not None and inside is not None:
                hidden[part] = inside
        return rows[:streams].view(np.uint32)

    def feed(
        self,
        state: NumbaState,
        streams: NDArray[np.int64],
        tokens: NDArray[np.int32],
        predict: bool = True,
        hidden: NDArray[np.int16] | None = None,
        logits: bool = False,
    ) -> NDArray[Any]:
        """Feed any rows, those of one stream in their order; return frequencies of what follows each, uint32 (R, V).

        Args:
            state: of the streams.
            streams: of each row, (R,); no stream more often than the state's `lookahead`.
            tokens: of each row, (R,).
            predict: without, nothing is predicted and the result has no rows.
            hidden: (R, width), filled with the integers that the head is multiplied by; only with `predict`.
            logits: return in place of frequencies what they are made of, float32 (R, V), in units of 1/256 nat.
        """
        out = self._room(len(tokens) if predict else 0)
        for at in range(0, len(tokens), ROWS):
            stop = min(at + ROWS, len(tokens))
            if int(np.bincount(streams[at:stop]).max()) > state.lookahead:
                raise ValueError("a stream has more rows than the state looks ahead")
            inside = None if hidden is None else hidden[at:stop]
            self._run(state, streams[at:stop], tokens[at:stop], out[at:stop] if predict else None, inside, logits)
        rows = out[: len(tokens) if predict else 0]
        return rows if logits else rows.view(np.uint32)

    def _room(self, rows: int) -> NDArray[np.float32]:
        if len(self._result) < rows:
            self._result = np.zeros((rows, self.config.vocab), np.float32)
        return self._result

    def _run(
        self,
        state: NumbaState,
        streams: NDArray[Any],
        tokens: NDArray[Any],
        result: NDArray[np.float32] | None,
        hidden: NDArray[np.int16] | None = None,
        logits: bool = False,
    ) -> None:
        c, rows = self.config, len(tokens)
        streams = np.asarray(streams, np.int32)
        tokens = np.asarray(tokens, np.int32)
        if tokens.min() < 0 or tokens.max() >= c.vocab:
            raise ValueError("a token is not in the vocabulary")
        if streams.min() < 0 or streams.max() >= len(state.positions):
            raise ValueError("there is no such stream")
        # The n-th row of a stream in this call comes n places behind its position.
        order = np.argsort(streams, kind="stable")
        ordered = streams[order]
        nth = np.empty(rows, np.int32)
        nth[order] = np.arange(rows) - np.searchsorted(ordered, ordered)
        positions = (state.positions[streams] + nth).astype(np.int32)
        if positions.max() >= arithmetic.MAX_POSITION:
            raise LimitError(f"a stream of a language model has more than {arithmetic.MAX_POSITION} tokens")
        sizes = np.array(
            (c.layers, c.width, c.heads, c.kv_heads, c.head_dim, c.ffn, c.vocab, state.window, state.ring, rows,
             0 if result is None else 1 + logits), np.int64,
        )  # fmt: skip
        with self._lock:
            state.grow(int(positions.max()) + 1)
            if self._scores.shape[2] < state.ring + SINKS:
                self._scores = np.zeros((self.threads, c.group, state.ring + SINKS), np.float32)
            args = (
                sizes, c.rms_eps, self._levels, self._step, *self._weights,
                state.keys, state.key_scale, state.values, state.value_scale,
                tokens, streams, positions,
                self._residual, self._inputs, self._totals, self._scale, self._wide, self._heads,
                self._accs, self._scores, np.zeros(self._counters, np.int32),
                self._wide[:0] if result is None else result,
                np.empty((0, c.width), np.int16) if hidden is None else hidden,
            )  # fmt: skip
            run: Callable[..., None] = forward
            for helper in self._helpers:
                helper.start(run, args)
            run(0, *args)  # returns when all is done; threads that come late find nothing to do
        np.maximum.at(state.positions, streams, positions + 1)
