"""The networks of latent codecs in torch, to learn their weights; `walloc` and the others run without torch."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from nzip.models import wavelet
from nzip.models.latent import walloc

Tensor = Any  # torch.Tensor: the package may be absent where types are checked


def join(bands: Tensor, levels: int, axes: int) -> Tensor:
    """Return the signal (N, C, H, W) or (N, C, T) of bands: `wavelet.synthesise`, with gradients."""
    steps = wavelet.STEPS
    x = bands
    for _ in range(levels):
        # Along the width first, then along the height: the other way round than they were split.
        for axis in range(axes):
            x = x.unflatten(1, (-1, 2))
            low, high = x[:, :, 0] / wavelet.SCALE, x[:, :, 1] * wavelet.SCALE
            at = -1 - axis
            low = low - steps[3] * (high + high.roll(1, at))
            high = high - steps[2] * (low + low.roll(-1, at))
            low = low - steps[1] * (high + high.roll(1, at))
            high = high - steps[0] * (low + low.roll(-1, at))
            size = list(low.shape)
            size[at] *= 2
            x = torch.stack([low, high], dim=low.dim() + at + 1).reshape(size)
    return x


class WallocNetwork(nn.Module):
    """`walloc.Walloc` with gradients."""

    def __init__(self, channels: int, levels: int, latents: int, width: int, blocks: int, axes: int) -> None:
        """Make a network.

        Args:
            channels: of the signal.
            levels: of the wavelet packets.
            latents: Z.
            width: features of the decoder, M.
            blocks: residual blocks of the decoder.
            axes: 2 for pictures, 1 for sound.
        """
        super().__init__()
        self.channels, self.levels, self.axes = channels, levels, axes
        bands = channels * 2 ** (axes * levels)
        layer: Any = nn.Conv2d if axes == 2 else nn.Conv1d
        self.encoder = nn.Parameter(torch.zeros(latents, bands))
        self.linear = nn.Parameter(torch.zeros(bands, latents))
        self.first = layer(latents, width, 3, padding=1, padding_mode="replicate")
        self.blocks: Any = nn.ModuleList(
            nn.ModuleList(layer(width, width, 3, padding=1, padding_mode="replicate") for _ in range(2))
            for _ in range(blocks)
        )
        self.last: Any = layer(width, bands, 3, padding=1, padding_mode="replicate")
        for _, other in cast(Any, self.blocks):
            other.weight.data *= 0.1
        self.last.weight.data *= 0.01
        self.last.bias.data.zero_()

    def begin(self, bands: np.ndarray[Any, Any], gain: float) -> None:
        """Start from the best linear codec of bands (B, n): principal components, all with one gain."""
        covariance = np.cov(bands)
        values, vectors = np.linalg.eigh(covariance)
        order = np.argsort(values)[::-1][: len(self.encoder)]
        basis = vectors[:, order].T
        self.encoder.data = torch.from_numpy((gain * basis).astype(np.float32))
        self.linear.data = torch.from_numpy((basis.T / gain).astype(np.float32))

    def latents(self, bands: Tensor) -> Tensor:
        """Return latents before they are rounded."""
        z = torch.einsum("zb,nb...->nz...", self.encoder, bands)
        return walloc.LEVELS * torch.erf(z / (walloc.SPREAD * math.sqrt(2)))

    def decode(self, u: Tensor) -> Tensor:
        """Return bands from latents."""
        share = (u / (2 * walloc.LEVELS) + 0.5).clamp(walloc.LEAST, 1 - walloc.LEAST)
        z = walloc.SPREAD * math.sqrt(2) * torch.erfinv(2 * share - 1)
        bands = torch.einsum("bz,nz...->nb...", self.linear, z)
        x = self.first(z / walloc.SPREAD)
        for one, other in self.blocks:
            x = x + other(functional.silu(one(functional.silu(x))))
        return bands + self.last(functional.silu(x))

    def forward(self, bands: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signal that comes back, latents with noise in the place of rounding."""
        u = self.latents(bands)
        noisy = u + torch.rand_like(u) - 0.5
        return join(self.decode(noisy), self.levels, self.axes), u

    def weights(self) -> walloc.Walloc:
        """Return what was learned."""

        def pair(layer: Any) -> tuple[Any, Any]:
            return layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()

        return walloc.Walloc(
            self.levels,
            self.channels,
            self.encoder.detach().numpy().copy(),
            self.linear.detach().numpy().copy(),
            pair(self.first),
            tuple((pair(one), pair(other)) for one, other in self.blocks),
            pair(self.last),
        )
