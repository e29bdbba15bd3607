"""grvq: speech at 1 to 4 kbit/s, by group-residual vector quantisation.

Yang et al., "HiFi-Codec: Group-residual Vector quantization for High Fidelity Audio Codec" (2023), section 3: the
latent of a frame is split into groups, each group is quantised with a codebook of its own, and what is left over is
quantised again, layer by layer. Here a frame is 320 samples at 16 kHz, with 2 groups and up to 4 layers of 1,024
codewords: 20 bits a layer and frame, so 1 kbit/s a layer before the entropy coder.

All of the work is done at the rate of half a frame or below: the encoder sees a mel spectrum and the samples
themselves, and the decoder ends in magnitudes and phases of short spectra which an inverse Fourier transform turns into
samples (Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio
synthesis", 2023, section 3). That is cheap enough for numpy.

Symbols are coded by a range coder whose probabilities come from a small network of integers (`SymbolsPrior`): the
latents of the frames before, as integers, and the codewords of this frame that are known already.

Invariants: what the entropy coder needs is integers only; what the decoder's network gives is the lossy signal and may
differ in its last digits from machine to machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

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
from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent.codecs import Settings, Symbols, check_range
from nzip.models.latent.layers import Array, Ops, Weights, new_conv, place, widest
from nzip.models.latent.weights import Model

Floats = NDArray[np.float32]

FLOOR = 1e-4  # of magnitudes, before the logarithm
HEIGHT = 8.0  # most that a logarithm of a magnitude may be
WINDOW = 1000  # frames that go through the networks at a time
MARGIN = 16  # frames of the neighbourhood that they are shown besides; more than they look at
PATHS = 4  # ways through the layers that the search for codewords keeps

LATENT_BITS = 6  # fractional, of the latents that the prior sees
LATENT_MOST = 511
HIDDEN_MOST = 4095
LOGIT_BITS = 8  # fractional, of base-2 logarithms of probabilities
MEMORY_BITS = 4  # the prior's running mean takes a sixteenth of each frame
PRECISION = 20  # of probabilities
_MEMORY_POINT = 8  # fractional bits of the mean


@dataclass(frozen=True)
class Shape:
    """The sizes of a codec.

    Attributes:
        rate: samples a second.
        hop: samples of a frame, even.
        groups, layers, codes: of the quantiser.
        depth: numbers of a group's vector.
        bands: of the mel spectrum that the encoder sees.
        encoder: channels of the encoder.
        decoder: channels of the decoder, a frame.
        late: its channels, half a frame.
    """

    rate: int = 16000
    hop: int = 320
    groups: int = 2
    layers: int = 4
    codes: int = 1024
    depth: int = 32
    bands: int = 80
    encoder: int = 192
    decoder: int = 384
    late: int = 256

    @property
    def half(self) -> int:
        """Samples between two spectra."""
        return self.hop // 2

    @property
    def bins(self) -> int:
        """Frequencies of a spectrum of three half frames."""
        return 3 * self.half // 2 + 1

    def described(self) -> dict[str, int]:
        """Return the sizes as JSON has them."""
        return asdict(self)


@lru_cache(maxsize=8)
def mel_filters(rate: int, size: int, bands: int) -> Floats:
    """Return triangles that gather size // 2 + 1 frequencies in bands of equal width in mel: float32 (bands, bins)."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1) * size / rate
    bins = np.arange(size // 2 + 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    # A triangle narrower than a bin still takes its share of the nearest one.
    rise = (bins - low) / np.maximum(middle - low, 1)
    fall = (high - bins) / np.maximum(high - middle, 1)
    filters = np.clip(np.minimum(rise, fall), 0, None)
    return np.ascontiguousarray(filters / np.maximum(filters.sum(axis=1, keepdims=True), 1), np.float32)


@lru_cache(maxsize=4)
def _hann(size: int) -> Floats:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def features(signal: Floats, shape: Shape) -> Floats:
    """Return what the encoder sees of signals.

    Args:
        signal: float32 (N, T) in -1..1, T a multiple of the hop.
        shape: sizes.

    Returns:
        float32 (N, bands + half, T / half): logarithms of a mel spectrum around each half frame, and its samples,
        their range compressed by a square root.
    """
    size, half = 2 * shape.hop, shape.half
    margin = (size - half) // 2
    padded = np.pad(signal, ((0, 0), (margin, margin)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::half]
    spectra = np.abs(np.fft.rfft(frames * _hann(size), axis=2)).astype(np.float32)
    mel = np.log(spectra @ mel_filters(shape.rate, size, shape.bands).T + np.float32(FLOOR))
    samples = signal.reshape(len(signal), -1, half)
    rooted = np.sign(samples) * np.sqrt(np.abs(samples))
    found = np.concatenate([(mel + 3) / 3, rooted], axis=2)
    return np.ascontiguousarray(found.transpose(0, 2, 1), np.float32)


def _level(ops: Ops, x: Array) -> Array:
    """Return x (N, C, T) over its root mean square at each time."""
    channels = x.shape[1]
    mean = ops.array(np.full((1, channels, 1), 1 / channels, np.float32))
    return x / ops.sqrt(ops.conv(x * x, mean) + 1e-5)


def _block(ops: Ops, weights: Weights, name: str, x: Array, dilation: int = 1) -> Array:
    y = _level(ops, x) * weights[f"{name}.gain"][:, None]
    y = ops.conv(
        y, weights[f"{name}.wide.kernel"], weights[f"{name}.wide.bias"], pad=dilation, dilation=dilation
    )  # (N, C, T)
    return x + ops.conv(ops.silu(y), weights[f"{name}.point.kernel"], weights[f"{name}.point.bias"])


EARLY = (1, 3)  # dilations of the blocks: the encoder's, at half frames
SLOW = (1, 2, 1)  # at frames
TRUNK = (1, 2, 4, 1)  # the decoder's, at frames
LATE = (1, 3)  # at half frames


def encoder(ops: Ops, weights: Weights, x: Array) -> Array:
    """Return the latents (N, groups depth, F) of `features` (N, bands + half, 2 F); each has a mean square of 1."""
    x = ops.conv(x, weights["enc.in.kernel"], weights["enc.in.bias"], pad=1)
    for i, dilation in enumerate(EARLY):
        x = _block(ops, weights, f"enc.early.{i}", x, dilation)
    x = ops.conv(ops.silu(x), weights["enc.down.kernel"], weights["enc.down.bias"], stride=2, pad=1)
    for i, dilation in enumerate(SLOW):
        x = _block(ops, weights, f"enc.slow.{i}", x, dilation)
    return _level(ops, ops.conv(_level(ops, x), weights["enc.out.kernel"], weights["enc.out.bias"]))


def spectra(ops: Ops, weights: Weights, z: Array) -> Array:
    """Return what the decoder makes of latents (N, groups depth, F): (N, 2 bins, 2 F), logarithms and phases."""
    x = ops.conv(z, weights["dec.in.kernel"], weights["dec.in.bias"], pad=1)
    for i, dilation in enumerate(TRUNK):
        x = _block(ops, weights, f"dec.trunk.{i}", x, dilation)
    x = ops.conv_up(ops.silu(_level(ops, x)), weights["dec.up.kernel"], weights["dec.up.bias"], stride=2, pad=1)
    for i, dilation in enumerate(LATE):
        x = _block(ops, weights, f"dec.late.{i}", x, dilation)
    return ops.conv(_level(ops, x), weights["dec.out.kernel"], weights["dec.out.bias"], pad=1)


@lru_cache(maxsize=2)
def _inverse_transform(half: int) -> Floats:
    """Return the kernel (half, 2 bins, 3) that turns spectra into samples: inverse transform, window, overlap."""
    size = 3 * half
    bins = size // 2 + 1
    angles = 2 * np.pi * np.outer(np.arange(bins), np.arange(size)) / size
    share = np.full((bins, 1), 2 / size)
    share[0] = 1 / size
    if size % 2 == 0:
        share[-1] = 1 / size
    window = _hann(size) / 1.5  # three windows lie over each sample, and sum to one
    basis = np.concatenate([share * np.cos(angles), -share * np.sin(angles)]) * window  # (2 bins, size)
    parts = basis.reshape(2 * bins, 3, half)[:, ::-1]
    return np.ascontiguousarray(parts.transpose(2, 0, 1), np.float32)


def waves(ops: Ops, shape: Shape, x: Array) -> Array:
    """Return the signals (N, T) of `spectra` (N, 2 bins, T / half)."""
    bins = shape.bins
    height = HEIGHT * ops.tanh(x[:, :bins] / HEIGHT)
    large = ops.sigmoid(height) / ops.sigmoid(-height)  # the exponential
    phase = x[:, bins:]
    parts = ops.concat([large * ops.sin(phase + math.pi / 2), large * ops.sin(phase)])
    frames = ops.conv(parts, ops.array(_inverse_transform(shape.half)), pad=1)  # (N, half, T / half)
    return frames.swapaxes(1, 2).reshape(frames.shape[0], -1)


def _layers(shape: Shape) -> Iterator[tuple[str, int, int, int, float]]:
    """Give each convolution's name, channels out and in, taps, and the scale that it begins with."""
    e, d, late, z = shape.encoder, shape.decoder, shape.late, shape.groups * shape.depth
    yield "enc.in", e, shape.bands + shape.half, 3, 1.0
    yield "enc.down", e, e, 4, 1.4
    yield "enc.out", z, e, 1, 1.0
    yield "dec.in", d, z, 3, 1.0
    yield "dec.up", late, d, 4, 2.0
    yield "dec.out", 2 * shape.bins, late, 3, 0.5
    for name, width in _blocks(shape):
        yield f"{name}.wide", width, width, 3, 1.4
        yield f"{name}.point", width, width, 1, 0.3


def _blocks(shape: Shape) -> Iterator[tuple[str, int]]:
    """Give each residual block's name and channels."""
    for name, dilations, width in (
        ("enc.early", EARLY, shape.encoder), ("enc.slow", SLOW, shape.encoder),
        ("dec.trunk", TRUNK, shape.decoder), ("dec.late", LATE, shape.late),
    ):  # fmt: skip
        for i in range(len(dilations)):
            yield f"{name}.{i}", width


def new_weights(shape: Shape, seed: int = 1) -> dict[str, Floats]:
    """Return the weights of networks that are to learn."""
    random = np.random.default_rng(seed)
    weights: dict[str, Floats] = {}
    for name, out, into, taps, scale in _layers(shape):
        weights.update(new_conv(random, name, out, into, taps, scale=scale, up=name.endswith(".up")))
    for name, width in _blocks(shape):
        weights[f"{name}.gain"] = np.ones(width, np.float32)
    weights["dec.out.bias"][: shape.bins] = -2.0  # speech is quiet in most places
    return weights


def weight_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Return the shapes of `new_weights`, by name."""
    found: dict[str, tuple[int, ...]] = {f"{name}.gain": (width,) for name, width in _blocks(shape)}
    for name, out, into, taps, _ in _layers(shape):
        found[f"{name}.kernel"] = (into, out, taps) if name.endswith(".up") else (out, into, taps)
        found[f"{name}.bias"] = (out,)
    return found


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
class SymbolsPrior:
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
    def uniform(cls, shape: Shape) -> SymbolsPrior:
        """Return a prior that takes every codeword to be as likely as any other."""
        slots, size = shape.layers * shape.groups, shape.groups * shape.depth
        return cls(
            np.zeros((slots, 4 * size, 1), np.int8), np.zeros((shape.layers, slots, 1), np.int32),
            np.zeros(slots, np.int32), np.zeros((slots, 1, shape.codes), np.int8),
            np.zeros((slots, shape.codes), np.int32), np.zeros((slots, shape.codes), np.int32),
        )  # fmt: skip

    @classmethod
    def read(cls, model: Model, shape: Shape) -> SymbolsPrior:
        """Return the prior that a model holds.

        Raises:
            CorruptError: it does not fit the codec's sizes, or its sums could leave 32 bits.
        """
        slots, size = shape.layers * shape.groups, shape.groups * shape.depth
        found = model.tensors.get("prior.wide")
        width = found.shape[2] if found is not None and found.ndim == 3 else 0
        wanted: dict[str, tuple[type, tuple[int, ...]]] = {
            "wide": (np.int8, (slots, 4 * size, width)),
            "wide_bias": (np.int32, (shape.layers, slots, width)),
            "shifts": (np.int32, (slots,)),
            "deep": (np.int8, (slots, width, shape.codes)),
            "deep_scale": (np.int32, (slots, shape.codes)),
            "deep_bias": (np.int32, (slots, shape.codes)),
        }
        arrays = {name: _tensor(model, f"prior.{name}", *what) for name, what in wanted.items()}
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
            raise CorruptError("the model of the codec grvq has a prior whose sums could overflow; get its file again")
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


def nearest(vectors: Floats, books: Floats, paths: int = PATHS) -> NDArray[np.int16]:
    """Return the codewords of vectors through residual layers, by a search that keeps the best few ways so far.

    Args:
        vectors: float32 (F, D).
        books: float32 (layers, K, D).
        paths: ways that are kept; with 1, each layer takes the nearest codeword.

    Returns:
        int16 (layers, F).
    """
    count = len(vectors)
    rest = vectors[:, None]  # (F, P, D)
    chosen = np.zeros((0, count, 1), np.int16)
    for book in books:
        # Squares of what would be left: (F, P, K).
        left = (rest**2).sum(axis=2)[:, :, None] + (book**2).sum(axis=1) - 2 * rest @ book.T
        kept = min(paths, left.shape[1] * len(book))
        flat = left.reshape(count, -1)
        best = np.argpartition(flat, kept - 1, axis=1)[:, :kept]
        way, word = np.divmod(best, len(book))
        rest = np.take_along_axis(rest, way[:, :, None], axis=1) - book[word]
        chosen = np.take_along_axis(chosen, way[None], axis=2)
        chosen = np.concatenate([chosen, word[None].astype(np.int16)])
    final = (rest**2).sum(axis=2).argmin(axis=1)
    return np.ascontiguousarray(chosen[:, np.arange(count), final])


def _tensor(model: Model, name: str, kind: type, shape: tuple[int, ...]) -> NDArray[Any]:
    found = model.tensors.get(name)
    fits = found is not None and found.shape == shape
    if found is None or not fits or (found.dtype.kind != "f" if kind is np.float32 else found.dtype != kind):
        raise CorruptError(f"the model of the codec grvq has no tensor {name} of the shape {shape}; get its file")
    return np.array(found, kind, order="C")


def _pieces(frames: int) -> Iterator[tuple[int, int, int, int]]:
    """Give the bounds of each window of frames, and those of what the networks are shown for it."""
    for start in range(0, frames, WINDOW):
        past = min(start + WINDOW, frames)
        yield start, past, max(0, start - MARGIN), min(frames, past + MARGIN)


class GrvqCodec:
    """The codec: speech of one channel to symbols, symbols to bytes, and back.

    Args:
        model: weights that were learned (`models.latent.grvq.training`).

    Raises:
        CorruptError: tensors are missing or do not fit.
        UnsupportedError: the model is of another codec, or of sizes that this version does not know.
    """

    name: ClassVar[str] = "grvq"
    kind: ClassVar[str] = "audio"
    channels: int = 1

    def __init__(self, model: Model) -> None:
        if model.about.get("codec") != self.name:
            raise UnsupportedError(f"the model {model.id} is not one of the codec grvq; name another")
        most = {"hop": 2048, "bands": 1024}  # what transforms of their sizes are made of
        config = {field.name: model.number(field.name, 1, most.get(field.name, 65536)) for field in fields(Shape)}
        self.shape = shape = Shape(**config)
        if shape.hop % 2 or shape.codes > 1 << 15 or shape.layers * shape.groups > 64:
            raise UnsupportedError(f"the model {model.id} has sizes that this version does not know; get a newer nzip")
        self.rate = shape.rate
        floats = model.floats()
        self.weights = {}
        for name, sizes in weight_shapes(shape).items():
            if name not in floats or floats[name].shape != sizes:
                raise CorruptError(f"the model {model.id} has no tensor {name} of the shape {sizes}; get its file")
            self.weights[name] = floats[name]
        books = (shape.layers, shape.groups, shape.codes, shape.depth)
        self.codes = _tensor(model, "codes", np.float32, books)
        self.vectors = whole_vectors(self.codes)
        self._prior = SymbolsPrior.read(model, shape)

    def settings(self, quality: int) -> Settings:
        """Return (layers,) for a quality of 1 to 100; each layer adds 1 kbit/s before the entropy coder."""
        return (1 + min(max(quality, 1) - 1, 99) * self.shape.layers // 100,)

    def layout(self, size: tuple[int, ...], settings: Settings) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return the dtype and shape of the one array of symbols: int16 (layers groups, frames).

        Raises:
            CorruptError: the settings are none of this codec.
        """
        if len(settings) != 1 or not 1 <= settings[0] <= self.shape.layers:
            raise CorruptError(f"the file asks for settings {tuple(settings)} that the codec grvq does not have")
        return [(np.dtype(np.int16), (settings[0] * self.shape.groups, -(-size[0] // self.shape.hop)))]

    def memory(self, size: tuple[int, ...], settings: Settings) -> int:
        """Return the bytes that making a signal of this size takes: that of one window, and of what goes in and out."""
        shape = self.shape
        frames = -(-size[0] // shape.hop)
        window = 2 * (min(frames, WINDOW) + 2 * MARGIN) * max(widest(self.weights), 4 * shape.bins + shape.half)
        return 4 * (4 * window + frames * (2 * shape.groups * shape.depth + 3 * shape.hop))

    def analyse(self, signal: Floats, settings: Settings, ops: Ops) -> Symbols:
        """Return the symbols of a signal, float32 (1, T) in -1..1, T >= 1."""
        shape = self.shape
        (kind, (slots, frames)) = self.layout(signal.shape[1:], settings)[0]
        padded = np.pad(signal.astype(np.float32), ((0, 0), (0, frames * shape.hop - signal.shape[1])), mode="edge")
        weights = place(self.weights, ops)
        symbols = np.empty((slots, frames), kind)
        for start, past, low, high in _pieces(frames):
            seen = features(padded[:, low * shape.hop : high * shape.hop], shape)
            z = ops.numpy(encoder(ops, weights, ops.array(seen)))[0, :, start - low : past - low]
            for group in range(shape.groups):
                vectors = np.ascontiguousarray(z[group * shape.depth : (group + 1) * shape.depth].T)
                books = self.codes[: settings[0], group]
                symbols[group :: shape.groups, start:past] = nearest(vectors, books)
        return [symbols]

    def synthesise(
        self, symbols: Symbols, size: tuple[int, ...], settings: Settings, ops: Ops
    ) -> Floats:
        """Return the signal of symbols, float32 (1, T).

        Raises:
            ValueError: some are no codewords.
        """
        shape = self.shape
        check_range(symbols[0], shape.codes - 1)
        _, (slots, frames) = self.layout(size, settings)[0]
        z = np.zeros((1, shape.groups * shape.depth, frames), np.float32)
        for slot in range(slots):
            layer, group = divmod(slot, shape.groups)
            z[0, group * shape.depth : (group + 1) * shape.depth] += self.codes[layer, group][symbols[0][slot]].T
        weights = place(self.weights, ops)
        out = np.empty((1, frames * shape.hop), np.float32)
        for start, past, low, high in _pieces(frames):
            found = ops.numpy(waves(ops, shape, spectra(ops, weights, ops.array(z[:, :, low:high]))))
            first, end = (start - low) * shape.hop, (past - low) * shape.hop
            out[:, start * shape.hop : past * shape.hop] = found[:, first:end]
        return np.clip(out[:, : size[0]], -1, 1)

    def encode(self, symbols: Symbols, settings: Settings) -> bytes:
        """Return symbols as bytes.

        Raises:
            ValueError: some are no codewords.
        """
        check_range(symbols[0], self.shape.codes - 1)
        return self._prior.encode(np.ascontiguousarray(symbols[0], np.int16), self.vectors)

    def decode(self, data: bytes, size: tuple[int, ...], settings: Settings) -> Symbols:
        """Return the symbols that `encode` was given.

        Raises:
            CorruptError: the settings or the data are damaged.
        """
        kind, shape = self.layout(size, settings)[0]
        symbols = np.zeros(shape, kind)
        self._prior.decode(data, symbols, self.vectors)
        return [symbols]
