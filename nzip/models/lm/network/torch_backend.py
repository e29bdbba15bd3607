"""The model of `exact` with torch, on a CPU or on CUDA.

Rows are a rectangle of B streams by T tokens: a step has T = 1 and all streams, a prefill has one stream. Streams that
are not active are computed along and write to a place that nothing sees, so a step has the same shapes whatever is
active, and needs nothing from the host. On a GPU it is recorded as a CUDA graph and repeated, if that gives the same.

What keeps the bits, beyond the rules in `exact`:
* No compiler and no fused operation: each line is one operation a kernel.
* Divisors are tensors on the device: CUDA kernels turn division by a host number into a product with its reciprocal,
  and so does torch for a number divided by a tensor.
* Matrix products are int8 to int32 (`torch._int_mm`), or float32 of integers whose partial sums stay within 2^24, in
  full float32 precision (no TF32, no bfloat16 inside).
* The first of equal maxima is found by comparing indices: `argmax` promises no order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nzip.errors import LimitError
from nzip.models.lm.network import arithmetic
from nzip.models.lm.network.config import SINKS
from nzip.models.lm.network.weights import LmWeights
from nzip.process import lock

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Inputs = tuple[Tensor, Tensor, Tensor]  # tokens, positions and which streams are active, of `advance`
Results = tuple[Tensor, Tensor]  # of `advance`

EIGHT = 8  # CUDA's int8 product wants multiples of this
FEW = 32  # and more than 16 rows
BUCKET = 128  # places that attention looks at grow by this, so few shapes occur
FIRST_PLACES = 256
_PRECISION = lock()


@contextmanager
def _full_precision() -> Iterator[None]:
    """Float32 products in float32, whatever the program around us has asked torch for."""
    with _PRECISION:
        before = torch.get_float32_matmul_precision()
        if before != "highest":
            torch.set_float32_matmul_precision("highest")
        try:
            with torch.inference_mode():
                yield
        finally:
            if before != "highest":
                torch.set_float32_matmul_precision(before)


@dataclass
class TorchState:
    """What attention keeps of S streams. P places (the last one is for what nobody sees), G key heads, L layers."""

    keys: Tensor  # int8 (L, S, G, P, d)
    key_scale: Tensor  # float32 (L, S, G, P)
    values: Tensor  # int8 (L, S, G, P, d)
    value_scale: Tensor  # float32 (L, S, G, P)
    positions: NDArray[np.int64]  # (S,)
    window: int
    ring: int
    lookahead: int
    # Recorded steps, by places; None where it cannot be done.
    graphs: dict[int, Callable[[Inputs], Results] | None] = field(default_factory=dict)

    def reset(self, stream: int) -> None:
        """Make one stream new."""
        self.positions[stream] = 0

    def grow(self, tokens: int) -> None:
        """Make room for streams of `tokens` tokens."""
        have, most = self.key_scale.shape[3] - 1, SINKS + self.ring
        if min(tokens, most) > have:
            places = min(most, max(tokens, 2 * have)) + 1
            for name in ("keys", "key_scale", "values", "value_scale"):
                old = getattr(self, name)
                new = old.new_zeros((*old.shape[:3], places, *old.shape[4:]))
                new[:, :, :, :have] = old[:, :, :, :have]
                setattr(self, name, new)
            self.graphs.clear()  # they are about the memory that was


def _recorder(device: torch.device) -> Callable[[Callable[[], Results]], tuple[Callable[[], None], Results]] | None:
    """Return what records a computation on `device`: it gives what repeats it, and where its results then are."""
    if device.type != "cuda":
        return None
    pool = torch.cuda.graph_pool_handle()  # one for all: what a graph gives is read before the next one runs

    def record(run: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            results = run()
        return graph.replay, results

    return record


class TorchModel:
    """`TokenModel` with torch. One object may be shared: calls wait for each other."""

    def __init__(self, weights: LmWeights, device: str | torch.device = "cpu") -> None:
        """Copy `weights` to `device`."""
        c = self.config = weights.config
        self.device = torch.device(device)
        w = weights

        def put(array: Any) -> Tensor:
            return torch.from_numpy(np.array(array)).to(self.device)

        def matrices(array: NDArray[np.int8]) -> list[Tensor]:
            """Layers as (K, N) views of (N, K) memory, N and K grown to multiples of 8."""
            n, k = array.shape[-2:]
            out = np.zeros((array.size // (n * k), -(-n // EIGHT) * EIGHT, -(-k // EIGHT) * EIGHT), np.int8)
            out[:, :n, :k] = array.reshape(-1, n, k)
            return [layer.t() for layer in put(out)]

        self._attention_gain, self._ffn_gain = put(w.attention_gain), put(w.ffn_gain)
        self._qkv, self._qkv_scale = matrices(w.qkv), put(w.qkv_scale)
        self._out, self._out_scale = matrices(w.out), put(w.out_scale)
        self._gate_up, self._gate_up_scale = matrices(w.gate_up), put(w.gate_up_scale)
        self._down, self._down_scale = matrices(w.down), put(w.down_scale)
        self._head, self._head_scale = matrices(w.head)[0], put(w.head_scale)
        self._final_gain = put(w.final_gain)
        self._embedding, self._embedding_scale = put(w.embedding), put(w.embedding_scale)
        self._exp, self._gate = put(arithmetic.exp_table()), put(arithmetic.gate_table())
        self._rope = put(arithmetic.rope_table(c.rope_theta, c.head_dim))
        self._tokens = torch.arange(c.vocab, device=self.device)

        def number(value: float, kind: torch.dtype = torch.float32) -> Tensor:
            return torch.tensor(value, dtype=kind, device=self.device)

        self._levels = [number(v) for v in arithmetic.input_levels(c)]
        self._wide = [v > arithmetic.LEVELS for v in arithmetic.input_levels(c)]
        self._int8 = number(arithmetic.LEVELS)
        self._share_one = number(1 << arithmetic.SHARE_BITS)
        self._value_one = number(1 << arithmetic.VALUE_BITS, torch.float64)
        self._width = number(c.width, torch.float64)
        self._residual_unit = number(2.0**-arithmetic.RESIDUAL_BITS, torch.float64)
        self._step = float(np.float32(arithmetic.STEP / math.sqrt(c.head_dim)))
        self._never = number(-3.0e38)
        self._record = _recorder(self.device)

    # ---- the seam ----------------------------------------------------------------------------------------------------

    def begin(self, streams: int, lookahead: int = 1, window: int | None = None) -> TorchState:
        """Return the state of new streams; the arguments are those of the other backends."""
        c = self.config
        window = arithmetic.checked_window(c, window)
        if streams < 1 or lookahead < 1:
            raise ValueError("streams or lookahead is less than 1")
        ring = window - SINKS + -(-(lookahead - 1) // 16) * 16
        shape = (c.layers, streams, c.kv_heads, min(FIRST_PLACES, SINKS + ring) + 1)
        return TorchState(
            keys=torch.zeros((*shape, c.head_dim), dtype=torch.int8, device=self.device),
            key_scale=torch.zeros(shape, device=self.device),
            values=torch.zeros((*shape, c.head_dim), dtype=torch.int8, device=self.device),
            value_scale=torch.zeros(shape, device=self.device),
            positions=np.zeros(streams, np.int64),
            window=window,
            ring=ring,
            lookahead=lookahead,
        )

    def step(
        self,
        state: TorchState,
        tokens: NDArray[np.int32],
        active: NDArray[np.bool_] | None = None,
        hidden: NDArray[np.int16] | None = None,
    ) -> NDArray[np.uint32]:
        """Feed one token to each active stream; return the frequencies of what follows, uint32 (S, V).

        Each active row sums up to 2^24 and has no zero; the others are zeros. `hidden` (S, width), where given, is
        filled with the integers that the head is multiplied by, for active rows.
        """
        on = np.ones(len(state.positions), bool) if active is None else np.asarray(active, bool)
        chosen = np.where(on, tokens, 0).astype(np.int64)
        self._check(chosen, state.positions + 1)
        state.grow(int(state.positions.max()) + 1)
        places = self._places(state, int(state.positions.max()) + 1)
        with _full_precision():
            inputs = self._send(chosen[:, None]), self._send(state.positions[:, None]), self._send(on)
            out, inside = self._advance_all(state, inputs, places)
            out = out[:, 0]
            if not on.all():
                out = out * inputs[2][:, None]
        state.positions[on] += 1
        if hidden is not None:
            hidden[on] = inside[:, 0].cpu().numpy()[on]
        return out.cpu().numpy().view(np.uint32)

    def _advance_all(self, state: TorchState, inputs: Inputs, places: int) -> Results:
        """Return what `advance` gives for one token of each stream, by a graph where there is one."""
        repeat = state.graphs.get(places)
        if repeat is not None:
            return repeat(inputs)
        results = self.advance(state, slice(None), *inputs, places)
        if self._record is not None and places not in state.graphs:
            state.graphs[places] = self._graph(state, inputs, places, results)
        return results

    def _graph(
        self, state: TorchState, inputs: Inputs, places: int, wanted: Results
    ) -> Callable[[Inputs], Results] | None:
        """Record a step; return what repeats it, or None if it cannot be recorded or does not give `wanted`.

        A step writes keys and values to places of its own, so doing it again changes nothing.
        """
        assert self._record is not None
        ids, positions, active = held = tuple(tensor.clone() for tensor in inputs)
        try:
            replay, results = self._record(
                lambda: self.advance(state, slice(None), ids, positions, active, places)
            )
            replay()
        except RuntimeError:  # no memory, or an operation that this version of torch cannot record
            return None
        if not all(torch.equal(a, b) for a, b in zip(results, wanted, strict=True)):
            return None

        def repeat(inputs: Inputs) -> Results:
            for place, tensor in zip(held, inputs, strict=True):
                place.copy_(tensor)
            replay()
            return results

        return repeat

    def prefill(
        self,
        state: TorchState,
        stream: int,
        tokens: NDArray[np.int32],
        hidden: NDArray[np.int16] | None = None,
        logits: bool = False,
    ) -> NDArray[Any]:
        """Feed tokens to one stream, at most the state's `lookahead`; return what follows each, uint32 (T, V).

        With `logits` return in place of frequencies what they are made of, float32 (T, V), in units of 1/256 nat.
        """
        count = len(tokens)
        if count > state.lookahead:
            raise ValueError("a stream has more rows than the state looks ahead")
        positions = state.positions[stream] + np.arange(count)
        self._check(tokens, positions + 1)
        state.grow(int(positions[-1]) + 1)
        with _full_precision():
            rows, inside = self.advance(
                state,
                slice(stream, stream + 1),
                self._send(np.asarray(tokens, np.int64)[None]),
                self._send(positions[None]),
                self._send(np.ones(1, bool)),
                self._places(state, int(positions[-1]) + 1),
                logits,
            )
            out = rows[0]
        state.positions[stream] += count
        if hidden is not None:
            hidden[:] = inside[0].cpu().numpy()
        return out.cpu().numpy() if logits else out.cpu().numpy().view(np.uint32)

    def _send(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device, non_blocking=True)

    def _check(self, tokens: NDArray[Any], after: NDArray[Any]) -> None:
        if tokens.min() < 0 or tokens.max() >= self.config.vocab:
            raise ValueError("a token is not in the vocabulary")
        if after.max() > arithmetic.MAX_POSITION:
            raise LimitError(f"a stream of a language model has more than {arithmetic.MAX_POSITION} tokens")

    @staticmethod
    def _places(state: TorchState, tokens: int) -> int:
        """Return how many places attention needs to look at, rounded up so that few shapes occur."""
        return min(state.key_scale.shape[3] - 1, max(2 * SINKS, -(-tokens // BUCKET) * BUCKET))

    # ---- the arithmetic ----------------------------------------------------------------------------------------------

    def _quantise(self, values: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows (..., K) as integers in float32, and their scales (...)."""
        top = values.abs().amax(-1).clamp_(min=arithmetic.TINY)
        factor = torch.div(levels, top)
        return torch.round(values * factor[..., None]), torch.div(top, levels)

    def _product(self, q: Tensor, scale: Tensor, wide: bool, weight: Tensor, scales: Tensor) -> Tensor:
        """Return weight (K, N) times quantised rows (M, K), float32 (M, N)."""
        m, n = len(q), len(scales)
        if wide:
            q = q.to(torch.int32)
            high = (q + 64) >> 7
            rows = torch.cat([high, q - (high << 7)]).to(torch.int8)
        else:
            rows = q.to(torch.int8)
        few = FEW if self.device.type == "cuda" else 1
        down, right = max(0, few - len(rows)), weight.shape[0] - rows.shape[1]
        if down or right:
            rows = torch.nn.functional.pad(rows, (0, right, 0, down))
        total = torch._int_mm(rows, weight)
        total = (total[:m] << 7) + total[m : 2 * m] if wide else total[:m]
        return total[:, :n].to(torch.float32) * scale[:, None] * scales

    def _normalise(self, residual: Tensor, gain: Tensor, place: int) -> tuple[Tensor, Tensor]:
        """Return RMSNorm of rows (M, D), quantised, and their scales."""
        half = 1 << arithmetic.SQUARE_SHIFT >> 1
        coarse = ((residual + half) >> arithmetic.SQUARE_SHIFT).to(torch.int64)
        squares = (coarse * coarse).sum(-1)
        # In two exact halves, so that there is one rounding: not every conversion of int64 is known to round well.
        whole = (squares >> 32).to(torch.float64) * 2.0**32 + (squares & 0xFFFFFFFF).to(torch.float64)
        mean = torch.div(whole, self._width) * 2.0 ** (2 * arithmetic.SQUARE_SHIFT - 2 * arithmetic.RESIDUAL_BITS)
        inverse = torch.div(self._residual_unit, torch.sqrt(mean + self.config.rms_eps)).to(torch.float32)
        q, scale = self._quantise(residual.to(torch.float32) * gain, self._levels[place])
        return q, scale * inverse

    @staticmethod
    def _add(residual: Tensor, change: Tensor) -> Tensor:
        limit = arithmetic.RESIDUAL_LIMIT
        change = torch.round(change.clamp(-limit, limit)).to(torch.int32)
        return (residual + change).clamp_(-int(limit), int(limit))

    def _angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines, float32 (B, T, 1, d / 2)."""
        at = self._rope[2, positions >> 16]  # (B, T, 2, d / 2)
        c, s = at[:, :, 0], at[:, :, 1]
        for level in (1, 0):
            at = self._rope[level, (positions >> (8 * level)) & 255]
            c1, s1 = at[:, :, 0], at[:, :, 1]
            c, s = c * c1 - s * s1, s * c1 + c * s1
        return c.to(torch.float32)[:, :, None], s.to(torch.float32)[:, :, None]

    @staticmethod
    def _rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """Return heads (B, T, H, d) turned."""
        cos, sin = angles
        half = x.shape[-1] // 2
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def _seen(self, state: TorchState, positions: Tensor, places: int) -> Tensor:
        """Return which places the rows (B, T) see, bool (B, T, places)."""
        place = torch.arange(places, device=self.device)
        p = positions[..., None]
        age = torch.remainder(p - place, state.ring)  # both count from the ring's start: it cancels
        behind = (place >= SINKS) & (age < state.window - SINKS) & (age <= p - SINKS)
        return torch.where(place < SINKS, place <= p, behind)

    def advance(
        self,
        state: TorchState,
        streams: slice,
        tokens: Tensor,
        positions: Tensor,
        active: Tensor,
        places: int,
        raw: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Run rows (B, T) through all layers; return the frequencies of what follows, int32 (B, T, V).

        The second result is what the head is multiplied by, int16 (B, T, D).

        All arguments but `streams` and `places` are tensors on the device; nothing is read back.

        Args:
            state: with room for all positions; the caller counts them up.
            streams: the B streams.
            tokens: int64 (B, T).
            positions: int64 (B, T).
            active: bool (B,); the others write to the unseen place.
            places: that attention looks at; all seen ones are among them.
            raw: return in place of frequencies what they are made of, float32 (B, T, V), in units of 1/256 nat.
        """
        c = self.config
        b, t = tokens.shape
        m, g, d = b * t, c.kv_heads, c.head_dim
        near_turn = self._angles(positions)
        far_turn = self._angles(positions.clamp(max=state.window - 1))
        seen = self._seen(state, positions, places)[:, None, :, None]  # (B, 1, T, 1, P)
        slot = torch.where(positions < SINKS, positions, SINKS + torch.remainder(positions - SINKS, state.ring))
        slot = torch.where(active[:, None], slot, state.key_scale.shape[3] - 1)  # (B, T)
        stream = torch.arange(b, device=self.device)[:, None]

        ids = tokens.reshape(-1)
        x = torch.zeros((m, c.width), dtype=torch.int32, device=self.device)
        x = self._add(x, self._embedding[ids].to(torch.float32) * self._embedding_scale[ids][:, None])
        for layer in range(c.layers):
            q, scale = self._normalise(x, self._attention_gain[layer], 0)
            qkv = self._product(q, scale, self._wide[0], self._qkv[layer], self._qkv_scale[layer]).view(b, t, -1, d)
            queries, key, value = qkv.split([c.heads, g, g], 2)
            key, key_scale = self._quantise(self._rotate(key, near_turn), self._int8)
            value, value_scale = self._quantise(value, self._int8)
            keys, values = state.keys[layer, streams], state.values[layer, streams]
            key_scales, value_scales = state.key_scale[layer, streams], state.value_scale[layer, streams]
            keys[stream, :, slot] = key.to(torch.int8)  # (B, T, G, d)
            values[stream, :, slot] = value.to(torch.int8)
            key_scales[stream, :, slot] = key_scale
            value_scales[stream, :, slot] = value_scale

            near, near_scale = self._quantise(self._rotate(queries, near_turn), self._int8)
            far, far_scale = self._quantise(self._rotate(queries, far_turn), self._int8)

            def by_head(rows: Tensor) -> Tensor:
                """(B, T, H, ...) to (B, G, T * H / G, ...): rows that share keys stand together."""
                rest = rows.shape[3:]
                return rows.view(b, t, g, c.group, *rest).transpose(1, 2).reshape(b, g, t * c.group, *rest)

            seen_keys = keys[:, :, :places].to(torch.float32)  # (B, G, P, d)
            dots = torch.cat(
                [
                    by_head(far) @ seen_keys[:, :, :SINKS].transpose(2, 3),
                    by_head(near) @ seen_keys[:, :, SINKS:].transpose(2, 3),
                ],
                -1,
            )  # (B, G, T * H / G, P)
            scores = dots * key_scales[:, :, None, :places]
            factors = torch.cat(
                [
                    by_head(far_scale * self._step)[..., None].expand(-1, -1, -1, SINKS),
                    by_head(near_scale * self._step)[..., None].expand(-1, -1, -1, places - SINKS),
                ],
                -1,
            )
            scores = (scores * factors).view(b, g, t, c.group, places)
            scores = torch.where(seen, scores, self._never).view(b, g, t * c.group, places)
            heads = self._attend(scores, value_scales[:, :, None, :places], values[:, :, :places].to(torch.float32))
            heads = heads.view(b, g, t, c.group, d).transpose(1, 2).reshape(m, c.query_width)
            q, scale = self._quantise(heads, self._levels[1])
            x = self._add(x, self._product(q, scale, self._wide[1], self._out[layer], self._out_scale[layer]))

            q, scale = self._normalise(x, self._ffn_gain[layer], 2)
            both = self._product(q, scale, self._wide[2], self._gate_up[layer], self._gate_up_scale[layer])
            q, scale = self._quantise(self._gated(both[:, : c.ffn], both[:, c.ffn :]), self._levels[3])
            x = self._add(x, self._product(q, scale, self._wide[3], self._down[layer], self._down_scale[layer]))
        q, scale = self._normalise(x, self._final_gain, 4)
        logits = self._product(q, scale * float(arithmetic.STEP), self._wide[4], self._head, self._head_scale)
        if raw:
            return logits.view(b, t, c.vocab), q.to(torch.int16).view(b, t, c.width)
        few = 8 if self.device.type == "cpu" else len(logits)  # what a CPU's cache holds
        out = torch.cat([self._spread(rows) for rows in logits.split(few)]).view(b, t, c.vocab)
        return out, q.to(torch.int16).view(b, t, c.width)

    def _gated(self, gates: Tensor, ups: Tensor) -> Tensor:
        """Return SiLU(gates) * ups."""
        steps = (gates * float(arithmetic.GATE_STEP)).clamp(-arithmetic.GATE_SIZE, arithmetic.GATE_SIZE)
        index = torch.round(steps).to(torch.int64)
        logistic = self._gate[index + arithmetic.GATE_SIZE].to(torch.float32) * 2.0**-24
        return gates * logistic * ups

    def _attend(self, scores: Tensor, value_scales: Tensor, values: Tensor) -> Tensor:
        """Return heads (B, G, R, d) from scores (B, G, R, P), scales (B, G, 1, P) and values (B, G, P, d)."""
        distance = (scores.amax(-1, keepdim=True) - scores).clamp_(max=arithmetic.EXP_SIZE - 1)
        weight = self._exp[torch.round(distance).to(torch.int64)]
        whole = weight.sum(-1, dtype=torch.int64).to(torch.float64)
        share = weight.to(torch.float32) * value_scales
        top = share.amax(-1).clamp_(min=arithmetic.TINY)
        share = torch.round(share * torch.div(self._share_one, top)[..., None])
        total = share.to(torch.int64).sum(-1).clamp_(min=1).to(torch.float64)
        small = torch.round(share * torch.div(self._value_one, total).to(torch.float32)[..., None])
        scale = torch.div(top.to(torch.float64) * total, whole * 2.0 ** (arithmetic.SHARE_BITS + arithmetic.VALUE_BITS))
        return (small @ values) * scale.to(torch.float32)[..., None]

    def _spread(self, logits: Tensor) -> Tensor:
        """Return frequencies, int32 (M, V)."""
        top = logits.amax(-1, keepdim=True)
        distance = (top - logits).clamp_(max=arithmetic.EXP_SIZE - 1)
        weight = self._exp[torch.round(distance).to(torch.int64)].to(torch.int64)
        most = (arithmetic.TOTAL - self.config.vocab) << arithmetic.SPREAD_BITS
        factor = torch.div(torch.full_like(weight[:, 0], most), weight.sum(-1), rounding_mode="floor")
        out = ((weight * factor[:, None]) >> arithmetic.SPREAD_BITS) + 1
        first = torch.where(logits == top, self._tokens, self.config.vocab).amin(-1, keepdim=True)
        rest = arithmetic.TOTAL - out.sum(-1, keepdim=True)
        return out.scatter(1, first, out.gather(1, first) + rest).to(torch.int32)
