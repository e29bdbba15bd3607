"""The networks of `grvq`: spectra and samples to latents, latents to spectra, and these to samples.

The decoder ends in magnitudes and phases of short spectra, which an inverse Fourier transform turns into samples
(Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio
synthesis", 2023, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.layers import Array, Ops, Weights, new_conv

Floats = NDArray[np.float32]

FLOOR = 1e-4  # of magnitudes, before the logarithm
HEIGHT = 8.0  # most that a logarithm of a magnitude may be
EARLY = (1, 3)  # dilations of the blocks: the encoder's, at half frames
SLOW = (1, 2, 1)  # at frames
TRUNK = (1, 2, 4, 1)  # the decoder's, at frames
LATE = (1, 3)  # at half frames


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
