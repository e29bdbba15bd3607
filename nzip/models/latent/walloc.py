"""WaLLoC: wavelet packets, one linear layer to small integers, and a deeper network back.

Jacobellis and Yadwadkar, "Learned Compression for Compressed Learning" (DCC 2025). A signal's wavelet packets
(`models.wavelet`) at one place are a vector of B bands; the encoder is a matrix (Z, B), so it is cheap. A latent is
companded by the Gaussian distribution function, u = 2 L (Phi(z / s) - 1/2), which fits every number into 8 bits, and
rounded. The decoder expands it again and adds what a small convolutional network says to what a second matrix gives.

Both run in numpy, without torch; torch only learns them (`models.latent.train`). What the decoder gives is the lossy
signal and may differ in its last digits from machine to machine. The latents do not: they are what is stored.

Differences from the paper: the second matrix beside the network (at first the best linear answer, so learning starts
there); residual blocks of two 3x3 products with SiLU instead of the blocks of a large diffusion model's decoder; a
learned prior and rANS for the latents (`models.latent.planes`) instead of lossless WebP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nzip.models import wavelet

Floats = NDArray[np.float32]

BITS = 8
LEVELS = (1 << (BITS - 1)) - 1 + 0.5 - 0.001  # L
SPREAD = ((1 << (BITS - 1)) - 1) / 1.85  # s
LEAST = 1e-4  # of the share that is expanded


@dataclass(frozen=True)
class Walloc:
    """The weights of one codec, all float32.

    Attributes:
        levels: of the wavelet packets.
        channels: of the signal, C.
        encoder: (Z, B), B = C 4^levels for pictures or C 2^levels for sound.
        linear: (B, Z), the second matrix.
        first: (M, Z, k) or (M, Z, k, k): latents to M features, k = 3.
        blocks: pairs of (M, M, 3) or (M, M, 3, 3), with biases (M,).
        last: (B, M, 3) or (B, M, 3, 3).
    """

    levels: int
    channels: int
    encoder: Floats
    linear: Floats
    first: tuple[Floats, Floats]
    blocks: tuple[tuple[tuple[Floats, Floats], tuple[Floats, Floats]], ...]
    last: tuple[Floats, Floats]

    @property
    def latents(self) -> int:
        return int(self.encoder.shape[0])

    @property
    def step(self) -> int:
        """Samples along each axis that one place stands for."""
        return 1 << self.levels


@njit(cache=True, nogil=True)
def _compand(z: Any, out: Any) -> None:
    scale = 1.0 / (SPREAD * math.sqrt(2.0))
    for i in range(z.size):
        u = LEVELS * math.erf(z[i] * scale)
        out[i] = np.int8(np.rint(u))


def _inverse_normal() -> Floats:
    """Return s Phi^-1 of the share of each latent, float32 (256,), by its number plus 128."""
    from statistics import NormalDist

    normal = NormalDist()
    out = np.zeros(256, np.float32)
    for number in range(-128, 128):
        share = min(max(number / (2 * LEVELS) + 0.5, LEAST), 1 - LEAST)
        out[number + 128] = SPREAD * normal.inv_cdf(share)
    return out


EXPANDED = _inverse_normal()


def analyse(signal: Floats, codec: Walloc) -> NDArray[np.int8]:
    """Return the latents of a signal.

    Args:
        signal: float32 (C, H, W) or (C, T) in -1/2..1/2, each length a multiple of the codec's `step`.
        codec: its weights.

    Returns:
        int8 (Z, H / step, W / step) or (Z, T / step).

    Raises:
        ValueError: the signal has another shape.
    """
    if signal.shape[0] != codec.channels:
        raise ValueError(f"a codec of {codec.channels} channels does not fit a signal of the shape {signal.shape}")
    bands = wavelet.analyse(signal, codec.levels)
    z = codec.encoder @ bands.reshape(len(bands), -1)
    out = np.empty(z.size, np.int8)
    _compand(z.reshape(-1), out)
    return out.reshape(codec.latents, *bands.shape[1:])


def expand(latents: NDArray[np.int8]) -> Floats:
    """Return what latents stand for before they were companded, float32 of the same shape."""
    return EXPANDED[latents.astype(np.int16) + 128]


def _convolved(x: Floats, weights: tuple[Floats, Floats]) -> Floats:
    """Return x (M, h, w) or (M, t) through a layer of three taps an axis, the ends repeated."""
    kernel, bias = weights
    space = x.shape[1:]
    padded = np.pad(x, [(0, 0)] + [(1, 1)] * len(space), mode="edge")
    out = np.zeros((kernel.shape[0], math.prod(space)), np.float32)
    for tap in np.ndindex(*kernel.shape[2:]):
        part = padded[(slice(None), *(slice(k, k + n) for k, n in zip(tap, space, strict=True)))]
        out += kernel[(slice(None), slice(None), *tap)] @ np.ascontiguousarray(part).reshape(len(x), -1)
    return (out + bias[:, None]).reshape(-1, *space)


def _silu(x: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


def synthesise(latents: NDArray[np.int8], codec: Walloc) -> Floats:
    """Return the signal of latents, float32 in -1/2..1/2: the lossy inverse of `analyse`.

    Raises:
        ValueError: the latents have another shape.
    """
    if latents.shape[0] != codec.latents:
        raise ValueError(f"a codec of {codec.latents} latents does not fit an array of the shape {latents.shape}")
    z = expand(latents)
    bands = (codec.linear @ z.reshape(len(z), -1)).reshape(-1, *z.shape[1:])
    x = _convolved(z / np.float32(SPREAD), codec.first)
    for one, other in codec.blocks:
        x = x + _convolved(_silu(_convolved(_silu(x), one)), other)
    bands = bands + _convolved(_silu(x), codec.last)
    return np.clip(wavelet.synthesise(bands, codec.levels), -0.5, 0.5)
