"""The losses of the first four runs of `vqgan`: of the networks, the codebook, the ladder and the decoder.

The loss of pictures is the absolute difference of pixels and the distance of deep features (`models.efficientnet`),
the latter on a random cut of each piece, so that the feature network's own grid never lies on ours in one way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models import efficientnet
from nzip.models.latent.layers import TorchOps
from nzip.models.latent.training import data, loop
from nzip.models.latent.vqgan.networks import decode_network, encode_network, normed
from nzip.models.latent.vqgan.training.pictures import coloured, fuller

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

CELLS, GROUPS = 4, 0  # pixels of an axis that become channels at first; channels that are normed together
SEEN = 7 / 8  # of a side, what the feature network sees
DEEP, COMMIT = 1.0, 0.25  # shares in the loss
NOISE = 0.25  # deviation of what stands for rounding in the first run
FORGET = 0.99  # of how often a codeword was chosen
EVERY, DEAD = 50, 0.02  # steps between looks for codewords that nobody chooses, and the count below which one is that
LOOKED = 512  # pixels of a side that are looked at of what was held out


class Mixed(TorchOps):
    """torch's layers, with pictures laid out as its convolutions like them."""

    def array(self, x: NDArray[Any]) -> Any:
        out = super().array(x)
        return out.contiguous(memory_format=self._torch.channels_last) if out.dim() == 4 else out


def nearest(z: Tensor, book: Tensor) -> Tensor:
    """Return the numbers of the codewords (K, D) nearest to z (P, D)."""
    return (z @ book.T - book.square().sum(dim=1) / 2).argmax(dim=1)


def flat(z: Tensor) -> Tensor:
    """Return latents (N, D, h, w) as points (N h w, D)."""
    return z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])


def unflat(points: Tensor, z: Tensor) -> Tensor:
    """Return points (N h w, D) in the shape of latents z (N, D, h, w)."""
    return points.reshape(z.shape[0], *z.shape[2:], z.shape[1]).permute(0, 3, 1, 2)


class Loss:
    """The loss of pictures, for `loop.run`.

    Args:
        crops: what the pieces are drawn from, twice as many as a batch has.
        network: of the features.
        device: torch's name of it.
        pixels: share of the pixels' difference.
        quantised: whether there is a codebook yet.
    """

    def __init__(
        self, crops: data.Crops, network: efficientnet.Network, device: str, pixels: float, quantised: bool
    ) -> None:
        self.crops, self.network, self.device = crops, network, device
        self.pixels, self.quantised = pixels, quantised
        self.ops = Mixed(device)

    def __call__(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        import torch

        x = self.batch(step)
        z = self.encoded(weights, x)
        if not self.quantised:
            return self.picture(weights, x, normed(z + NOISE * torch.randn_like(z)))
        found, extra, more = self.quantise(z, weights, step)
        value, figures = self.picture(weights, x, found)
        return value + extra, figures | more

    def batch(self, step: int) -> Tensor:
        return self.ops.array(coloured(fuller(self.crops.at(step)), step))

    def encoded(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        import torch

        with torch.autocast(self.device, torch.bfloat16):
            z = encode_network(self.ops, weights, x, GROUPS, CELLS)
        return normed(z.float())

    def decoded(self, weights: Mapping[str, Tensor], z: Tensor) -> Tensor:
        import torch

        with torch.autocast(self.device, torch.bfloat16):
            y = decode_network(self.ops, weights, z, GROUPS, CELLS)
        return y.float()

    def picture(self, weights: Mapping[str, Tensor], x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of what is drawn from z in place of x."""
        import torch

        y = self.decoded(weights, z)
        pixels = (y - x).abs().mean()
        size = self.crops.size
        seen = int(SEEN * size)
        top, left = (int(torch.randint(0, size - seen + 1, ())) for _ in range(2))
        rows, columns = slice(top, top + seen), slice(left, left + seen)
        with torch.autocast(self.device, torch.bfloat16):
            with torch.no_grad():
                wanted = efficientnet.stages(self.network, x[:, :, rows, columns])
            got = efficientnet.stages(self.network, y[:, :, rows, columns])
        deep = efficientnet.distance(wanted, got).mean()
        return self.pixels * pixels + DEEP * deep, {"pixels": pixels.item(), "deep": deep.item()}

    def quantise(self, z: Tensor, weights: dict[str, Tensor], step: int) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Return codewords in the place of z, whose gradients go to z, and the loss of both; note what was chosen."""
        import torch

        book, use = weights["codebook"], weights["use"]
        points = flat(z)
        with torch.no_grad():
            chosen = nearest(points, book)
            counts = torch.bincount(chosen, minlength=len(book)).float()
            use.mul_(FORGET).add_(counts, alpha=1 - FORGET)
            if step % EVERY == EVERY - 1:
                dead = torch.nonzero(use < DEAD * len(points) / len(book))[:, 0][: len(points) // 4]
                book[dead] = points[torch.randperm(len(points), device=points.device)[: len(dead)]]
                use[dead] = len(points) / len(book) / 4
        found = book[chosen]
        extra = (found - points.detach()).square().mean() + COMMIT * (found.detach() - points).square().mean()
        shares = use[use > 0] / use.sum()
        figures = {"extra": extra.item(), "bits": float(-(shares * shares.log2()).sum())}
        return z + (unflat(found, z) - z).detach(), extra, figures

    def check(self, held: Sequence[NDArray[np.uint8]]) -> loop.Check:
        """Return what looks at pictures that were held out: PSNR in dB and the distance of deep features."""

        def look(weights: dict[str, Tensor]) -> dict[str, float]:
            psnr, deep = [], []
            for piece in held:
                height, width = (min(n, LOOKED) // 32 * 32 for n in piece.shape[:2])
                x = self.ops.array(data.signal_of(piece[:height, :width])[None])
                z = self.encoded(weights, x)
                if self.quantised:
                    z = unflat(weights["codebook"][nearest(flat(z), weights["codebook"])], z)
                y = self.decoded(weights, z).clip(-0.5, 0.5)
                psnr.append(-10 * float((x - y).square().mean().log10()))
                seen = (efficientnet.stages(self.network, picture) for picture in (x, y))
                deep.append(float(efficientnet.distance(*seen)[0]))
            return {"psnr": float(np.mean(psnr)), "deep": float(np.mean(deep))}

        return look


class LadderLoss(Loss):
    """The loss of the smaller codebooks, one a step in turn, with the networks frozen."""

    def __init__(self, *given: Any, networks: Mapping[str, Tensor], sizes: Sequence[int]) -> None:
        super().__init__(*given)
        self.networks, self.sizes = networks, sizes

    def __call__(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        import torch

        size = self.sizes[step % len(self.sizes)]
        book, x = weights[f"codebook.{size}"], self.batch(step)
        with torch.no_grad():
            z = self.encoded(self.networks, x)
            chosen = nearest(flat(z), book)
        found = unflat(book[chosen], z)
        value, figures = self.picture(self.networks, x, found)
        return value + COMMIT * (found - z).square().mean(), figures


class DecoderLoss(Loss):
    """The loss of the decoder, with encoder and codebooks frozen: every other step the largest, the others in turn."""

    def __init__(self, *given: Any, networks: Mapping[str, Tensor], books: Sequence[Tensor]) -> None:
        super().__init__(*given)
        self.networks, self.books = networks, books

    def __call__(self, weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        import torch

        book = self.books[-1 if step % 2 else step // 2 % len(self.books)]
        x = self.batch(step)
        with torch.no_grad():
            z = self.encoded(self.networks, x)
            found = unflat(book[nearest(flat(z), book)], z)
        return self.picture(weights, x, found)

    def check(self, held: Sequence[NDArray[np.uint8]]) -> loop.Check:
        look = super().check(held)
        return lambda weights: look({**self.networks, **weights, "codebook": self.books[-1]})
