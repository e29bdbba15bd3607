"""A prior over frames of codewords, several to a frame: networks of integers, and a range coder.

The codec `grvq` codes its symbols with it. What the networks see are latents as integers: what the codewords of this
frame that are known already add up to, the two frames before, and a running mean. All sums stay within 32 bits, so
every machine finds the same frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.entropy.jit import kernel
from nzip.entropy.range import (
    PRIME,
    check_head,
    check_overread,
    decode_start,
    decode_step,
    decode_target,
    encode_end,
    encode_step,
)
from nzip.errors import CorruptError
from nzip.models.latent.weights import Model

Floats = NDArray[np.float32]

LATENT_BITS = 6  # fractional, of the latents that the prior sees
LATENT_MOST = 511
HIDDEN_MOST = 4095
LOGIT_BITS = 8  # fractional, of base-2 logarithms of probabilities
MEMORY_BITS = 4  # the prior's running mean takes a sixteenth of each frame
PRECISION = 20  # of probabilities
_MEMORY_POINT = 8  # fractional bits of the mean


def _powers() -> NDArray[np.int64]:
    """Return 2^(30 - r / 2^LOGIT_BITS) for r = 0..2^LOGIT_BITS - 1, rounded down, by integer square roots alone."""
    count = 1 << LOGIT_BITS
    bits = 64  # fractional
    roots, value = [], 1 << (bits - 1)
    for _ in range(LOGIT_BITS):
        value = math.isqrt(value << bits)
        roots.append(value)
    out = []
    for r in range(count):
        power = 1 << bits
        for number, root in enumerate(roots, 1):
            if r >> (LOGIT_BITS - number) & 1:
                power = power * root >> bits
        out.append(power >> (bits - 30))
    return np.array(out, np.int64)


POWERS = _powers()


@kernel
def _frequencies(seen, counts, wide, wide_bias, shift, deep, deep_scale, deep_bias, hidden, logits, freqs):  # type: ignore[no-untyped-def]
    """Fill `freqs` (uint64[K]) with what the prior expects of one symbol; they sum to 2^PRECISION.

    seen: int32[I], integers that the network sees. wide: int8[I, H]. wide_bias: int32[H]. deep: int8[H, K].
    deep_scale, deep_bias: int32[K]. counts, hidden: int32[H]; logits: int32[K]; room to work in.
    """
    width, codes = wide.shape[1], deep.shape[1]
    for j in range(width):
        counts[j] = wide_bias[j]
    for i in range(seen.size):
        value = seen[i]
        if value:
            for j in range(width):
                counts[j] += np.int32(value * np.int32(wide[i, j]))
    for j in range(width):
        hidden[j] = min(max(counts[j] >> shift, 0), HIDDEN_MOST)
    for k in range(codes):
        logits[k] = 0
    for j in range(width):
        value = hidden[j]
        if value:
            for k in range(codes):
                logits[k] += np.int32(value * np.int32(deep[j, k]))
    best = 0
    for k in range(codes):
        logits[k] = np.int32((np.int64(logits[k]) * np.int64(deep_scale[k]) >> 16) + np.int64(deep_bias[k]))
        if logits[k] > logits[best]:
            best = k
    total = np.int64(0)
    for k in range(codes):
        below = np.int64(logits[best]) - np.int64(logits[k])
        whole = min(below >> LOGIT_BITS, 40)
        freqs[k] = np.uint64(POWERS[below & ((1 << LOGIT_BITS) - 1)] >> whole)
        total += np.int64(freqs[k])
    left = np.int64(1 << PRECISION) - np.int64(codes)
    rest = left
    for k in range(codes):
        share = np.int64(freqs[k]) * left // total
        rest -= share
        freqs[k] = np.uint64(share + 1)
    freqs[best] += np.uint64(rest)


@kernel
def _next_frame(seen, memory):  # type: ignore[no-untyped-def]
    """Turn what the network sees to the next frame.

    seen: int32[4 n]: this frame as far as it is known, both frames before it, the mean. memory: int64[n], the mean.
    """
    size = memory.size
    for i in range(size):
        memory[i] += ((np.int64(seen[i]) << _MEMORY_POINT) - memory[i]) >> MEMORY_BITS
        seen[2 * size + i] = seen[size + i]
        seen[size + i] = seen[i]
        seen[3 * size + i] = memory[i] >> _MEMORY_POINT
        seen[i] = 0


@kernel
def _add_codeword(seen, group, vector):  # type: ignore[no-untyped-def]
    """Add a codeword (int32[D]) to its group's part of this frame."""
    first = group * vector.size
    for i in range(vector.size):
        seen[first + i] = min(max(seen[first + i] + vector[i], -LATENT_MOST), LATENT_MOST)


@kernel
def contexts(symbols, vectors, out):  # type: ignore[no-untyped-def]
    """Fill out (int16[F, S, 4 G D]) with what the prior's networks see of symbols (int16[S, F])."""
    groups = vectors.shape[1]
    seen = np.zeros(out.shape[2], np.int32)
    memory = np.zeros(out.shape[2] // 4, np.int64)
    for t in range(out.shape[0]):
        _next_frame(seen, memory)
        for slot in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[t, slot, i] = seen[i]
            _add_codeword(seen, slot % groups, vectors[slot // groups, slot % groups, symbols[slot, t]])


@kernel
def _pass(data, decoding, symbols, vectors, wide, wide_bias, shifts, deep, deep_scale, deep_bias):  # type: ignore[no-untyped-def]
    """Code all symbols, frame by frame and in each frame layer by layer.

    data: uint8, what is decoded, or room to encode into. symbols: int16[layers * G, F]. vectors: int32[L, G, K, D].
    wide: int8[S, 4 G D, H] and so on, a first axis of slots. Returns the bytes read or written.
    """
    slots, frames = symbols.shape
    groups, codes, depth = vectors.shape[1], vectors.shape[2], vectors.shape[3]
    size = groups * depth
    width = wide.shape[2]
    seen = np.zeros(4 * size, np.int32)
    memory = np.zeros(size, np.int64)
    counts, hidden = np.zeros(width, np.int32), np.zeros(width, np.int32)
    logits, freqs = np.zeros(codes, np.int32), np.zeros(codes, np.uint64)
    total = np.uint64(1 << PRECISION)
    low, code, rng, pos = np.uint64(0), np.uint64(0), np.uint64((1 << 48) - 1), 0
    if decoding:
        code, rng, pos = decode_start(data)
    for t in range(frames):
        _next_frame(seen, memory)
        for slot in range(slots):
            _frequencies(
                seen, counts, wide[slot], wide_bias[slot], shifts[slot], deep[slot], deep_scale[slot],
                deep_bias[slot], hidden, logits, freqs,
            )  # fmt: skip
            start = np.uint64(0)
            if decoding:
                target = decode_target(code, rng, total)
                symbol = 0
                while start + freqs[symbol] <= target:
                    start += freqs[symbol]
                    symbol += 1
                symbols[slot, t] = symbol
                code, rng, pos = decode_step(code, rng, pos, data, start, freqs[symbol], total)
            else:
                symbol = symbols[slot, t]
                for k in range(symbol):
                    start += freqs[k]
                low, rng, pos = encode_step(low, rng, pos, data, start, freqs[symbol], total)
            _add_codeword(seen, slot % groups, vectors[slot // groups, slot % groups, symbol])
    return pos if decoding else encode_end(low, rng, pos, data)


@dataclass(frozen=True)
class FramesPrior:
    """What was learned of which codeword comes next: for each number of layers and each slot, a network of integers.

    A slot is a layer and a group. Its network sees the latents that the codewords known so far add up to (this frame's,
    both frames before, a running mean), in 64ths, all within 511; one layer of H sums, shifted, cut to 0..4095; and a
    layer of K sums, which are base-2 logarithms of probabilities in 256ths. All sums stay within 32 bits.

    Attributes:
        wide: int8 (S, 4 G D, H).
        wide_bias: int32 (L, S, H), the first axis by how many layers are in use.
        shifts: int32 (S,).
        deep: int8 (S, H, K).
        deep_scale: int32 (S, K), in 65536ths.
        deep_bias: int32 (S, K).
    """

    wide: NDArray[np.int8]
    wide_bias: NDArray[np.int32]
    shifts: NDArray[np.int32]
    deep: NDArray[np.int8]
    deep_scale: NDArray[np.int32]
    deep_bias: NDArray[np.int32]

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays as they stand in a file of weights."""
        return {f"prior.{field.name}": getattr(self, field.name) for field in fields(self)}

    @classmethod
    def uniform(cls, books: tuple[int, int, int, int]) -> FramesPrior:
        """Return a prior that takes every codeword of books (L, G, K, D) to be as likely as any other."""
        layers, groups, codes, depth = books
        slots, size = layers * groups, groups * depth
        return cls(
            np.zeros((slots, 4 * size, 1), np.int8), np.zeros((layers, slots, 1), np.int32),
            np.zeros(slots, np.int32), np.zeros((slots, 1, codes), np.int8),
            np.zeros((slots, codes), np.int32), np.zeros((slots, codes), np.int32),
        )  # fmt: skip

    @classmethod
    def read(cls, model: Model, books: tuple[int, int, int, int]) -> FramesPrior:
        """Return the prior that a model holds, for books (L, G, K, D).

        Raises:
            CorruptError: it does not fit the codec's sizes, or its sums could leave 32 bits.
        """
        layers, groups, codes, depth = books
        slots, size = layers * groups, groups * depth
        found = model.tensors.get("prior.wide")
        width = found.shape[2] if found is not None and found.ndim == 3 else 0
        wanted: dict[str, tuple[type, tuple[int, ...]]] = {
            "wide": (np.int8, (slots, 4 * size, width)),
            "wide_bias": (np.int32, (layers, slots, width)),
            "shifts": (np.int32, (slots,)),
            "deep": (np.int8, (slots, width, codes)),
            "deep_scale": (np.int32, (slots, codes)),
            "deep_bias": (np.int32, (slots, codes)),
        }
        arrays = {name: model.tensor(f"prior.{name}", *what) for name, what in wanted.items()}
        inside = (
            4 * size * 128 * LATENT_MOST < 1 << 30
            and width * 128 * HIDDEN_MOST < 1 << 30
            and np.abs(arrays["wide_bias"].astype(np.int64)).max(initial=0) < 1 << 30
            and np.abs(arrays["deep_bias"].astype(np.int64)).max(initial=0) < 1 << 30
            and arrays["deep_scale"].min(initial=0) >= 0
            and arrays["deep_scale"].max(initial=0) < 1 << 15
            and ((arrays["shifts"] >= 0) & (arrays["shifts"] < 31)).all()
        )
        if not inside:
            raise CorruptError(f"the model {model.id} has a prior whose sums could overflow; get its file again")
        return cls(**arrays)

    def encode(self, symbols: NDArray[np.int16], vectors: NDArray[np.int32]) -> bytes:
        """Return symbols (layers G, F) as bytes."""
        out = np.empty(3 * symbols.size + PRIME, np.uint8)
        return out[: self._run(out, False, symbols, vectors)].tobytes()

    def decode(self, data: bytes, symbols: NDArray[np.int16], vectors: NDArray[np.int32]) -> None:
        """Fill symbols (layers G, F) from what `encode` wrote.

        Raises:
            CorruptError: it did not write that.
        """
        check_head(data)
        read = self._run(np.array(np.frombuffer(data, np.uint8)), True, symbols, vectors)
        check_overread(int(read), len(data))

    def _run(self, data: NDArray[np.uint8], decoding: bool, symbols: NDArray[np.int16], vectors: Any) -> int:
        bias = self.wide_bias[len(symbols) // vectors.shape[1] - 1]
        return int(
            _pass(
                data, decoding, symbols, vectors, self.wide, bias, self.shifts, self.deep, self.deep_scale,
                self.deep_bias,
            )
        )  # fmt: skip


def whole_vectors(codes: Floats) -> NDArray[np.int32]:
    """Return codebooks as the prior sees them, int32 of the same shape: rounding is exact, so the same everywhere."""
    scaled = np.rint(codes.astype(np.float64) * (1 << LATENT_BITS))
    return np.clip(scaled, -LATENT_MOST, LATENT_MOST).astype(np.int32)
