"""The two runs of `hyperprior`: a network that learns from photographs, and a smaller one that learns from a larger."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import UnsupportedError
from nzip.models.latent.hyperprior import lapped
from nzip.models.latent.hyperprior.codec import WORTH
from nzip.models.latent.hyperprior.training import similarity
from nzip.models.latent.hyperprior.training.files import restart
from nzip.models.latent.hyperprior.training.network import MixedOps, Pass, Sizes, beginning, frozen, steps_of, through
from nzip.models.latent.hyperprior.training.similarity import TINY, ms_ssim
from nzip.models.latent.layers import TorchOps
from nzip.models.latent.training import data, loop
from nzip.models.latent.weights import Model

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

EVEN = 0.7  # power of the step by which pictures of all rates weigh alike
# What the whole of MS-SSIM is worth in bits a pixel times the square of the step: near that, models that learned with
# squared error alone lie on both curves' slopes.
UNLIKE = 47000.0
SIMILAR = 0.6  # share of MS-SSIM in the error
LEAST_SIMILAR = similarity.WINDOW << (len(similarity.SCALES) - 1)  # pixels of the sides that it takes
SMALL = Sizes(encoder=48, decoder=80, blocks=3, features=32, width=40)


def _draws(
    pieces: Sequence[NDArray[np.uint8]], size: int, batch: int, seed: int, ops: TorchOps
) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Return what gives the pictures and rates of a step."""
    import torch

    crops = data.Crops(pieces, size, batch, seed)

    def drawn(step: int) -> tuple[Tensor, Tensor]:
        # Rates all over the scale in each batch, so that batches are alike.
        t = (torch.arange(batch) + torch.rand(batch)) * (2 / batch) - 1
        return ops.array(crops.at(step)), t.reshape(-1, 1, 1, 1).to(ops.device)

    return drawn


def _cost(out: Pass, x: Tensor, t: Tensor, similar: float = 0.0) -> tuple[Tensor, dict[str, float]]:
    """Return bits and error, weighed as their rates do, and figures for the log; see `learn`."""
    import torch

    pixels = x.shape[2] * x.shape[3]
    error = ((out.guess - x) ** 2).sum(dim=(1, 2, 3)) * lapped.LEVELS**2 / pixels
    bits = (out.bits + out.hyper) / pixels
    steps = steps_of(t)
    worse = error / (WORTH * steps**2)
    psnr = 10 * torch.log10(255**2 / (error.detach() / 3 + TINY))
    figures = {"bits": bits.mean().item(), "hyper": out.hyper.mean().item() / pixels, "psnr": psnr.mean().item()}
    if similar:
        apart = 1 - ms_ssim(out.guess, x)
        worse = (1 - similar) * worse + similar * UNLIKE / steps**2 * apart
        figures["ms_ssim"] = -10 * math.log10(apart.mean().item() + TINY)
    cost = ((bits + worse) * (steps / 20) ** EVEN).mean()
    return cost, figures


def _check(held: Sequence[NDArray[np.uint8]], slices: Sequence[int], ops: TorchOps) -> loop.Check | None:
    """Return what measures bits a pixel and decibels of pictures that were held out, at four rates."""
    import torch

    if not held:
        return None

    def check(weights: dict[str, Tensor]) -> dict[str, float]:
        found: dict[str, float] = {}
        for number, rate in enumerate((8, 24, 40, 56)):
            sums = np.zeros(2)
            for piece in held:
                cut = piece[: piece.shape[0] // 8 * 8, : piece.shape[1] // 8 * 8]
                x = ops.array(data.signal_of(cut)[None])
                t = torch.full((1, 1, 1, 1), lapped.rate_number(rate), device=ops.device)
                out = through(ops, weights, x, t, slices, False)
                error = float(((out.guess.clamp(-0.5, 0.5) - x) ** 2).mean())
                pixels = cut.shape[0] * cut.shape[1]
                sums += float(out.bits + out.hyper) / pixels, -10 * math.log10(error)
            found |= {f"bits{number}": sums[0] / len(held), f"psnr{number}": sums[1] / len(held)}
        return found

    return check


def learn(
    pieces: list[NDArray[np.uint8]], held: list[NDArray[np.uint8]], folder: str | os.PathLike[str], *,
    sizes: Sizes | None = None, plan: loop.Plan | None = None, size: int = 192, batch: int = 4, device: str = "cpu",
    similar: float = 0.0, begin: Mapping[str, NDArray[np.float32]] | None = None, progress: loop.Progress | None = None,
) -> loop.Result:  # fmt: skip
    """Let a network learn; see `loop.run`.

    Args:
        pieces: pictures to learn from, uint8 (H, W, 3).
        held: pictures to look at now and then.
        folder: of the checkpoint and the log.
        sizes: of the network.
        plan: how long and how fast.
        size, batch: of the pieces that are cut out.
        device: torch's name.
        similar: share of MS-SSIM in what error is; the rest is squared error. Needs a size of 176 or more.
        begin: weights to go on from, as `restart` gives them; fresh ones where left out.
        progress: called with each line of the log.
    """
    sizes, plan = sizes or Sizes(), plan or loop.Plan(20000, rate=8e-4)
    ops = MixedOps(device)
    start = begin or beginning(pieces, sizes, plan.seed)[0]
    drawn = _draws(pieces, size, batch, plan.seed, ops)

    def loss(weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        x, t = drawn(step)
        return _cost(through(ops, weights, x, t, sizes.slices, True), x, t, similar)

    return loop.run(
        start, loss, plan, folder, device=device, frozen=frozen, check=_check(held, sizes.slices, ops),
        progress=progress,
    )  # fmt: skip


def distil(
    teacher: Model, pieces: list[NDArray[np.uint8]], held: list[NDArray[np.uint8]], folder: str | os.PathLike[str], *,
    sizes: Sizes = SMALL, plan: loop.Plan | None = None, size: int = 192, batch: int = 3, device: str = "cpu",
    similar: float = 0.0, progress: loop.Progress | None = None,
) -> loop.Result:  # fmt: skip
    """Let a smaller network learn from a larger one of the same transform.

    After Fu et al., "FEDS" (2025), in its three stages: in the first third of the steps the student's features (what
    it rounds and what it restores) are drawn to the teacher's; in the second the restored ones, each channel by its
    share of the teacher's bits; in the last it learns alone. Bits and error count all along. Taken from the paper are
    the stages, the loss on features and the weights by entropy; its networks are others.

    Args:
        teacher: a finished model.
        pieces, held, folder, plan, size, batch, device, similar, progress: see `learn`.
        sizes: of the student; its slices must be the teacher's.

    Raises:
        UnsupportedError: the teacher is of another architecture or has other slices.
    """
    import torch

    plan = plan or loop.Plan(6000, rate=1e-3)
    whole = restart(teacher)
    if tuple(teacher.config["slices"]) != tuple(sizes.slices):
        raise UnsupportedError(f"the teacher's slices are {teacher.config['slices']}; give the student the same")
    ops = MixedOps(device)
    start, _ = beginning(pieces, sizes, plan.seed)
    kept = ("analysis.", "synthesis.", "parity.", "gain", "ungain")
    start |= {name: value for name, value in whole.items() if name.startswith(kept)}
    knows = {name: ops.array(value) for name, value in whole.items()}
    drawn = _draws(pieces, size, batch, plan.seed, ops)

    def loss(weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        x, t = drawn(step)
        out = through(ops, weights, x, t, sizes.slices, True)
        cost, figures = _cost(out, x, t, similar)
        stage = 3 * step // plan.steps
        if stage < 2:
            with torch.no_grad():
                wanted = through(ops, knows, x, t, sizes.slices, True)
                weigh = wanted.shares / wanted.shares.mean() if stage else torch.ones_like(wanted.shares)
            apart = ((out.restored - wanted.restored) ** 2).mean(dim=(0, 2, 3)) @ weigh
            if not stage:
                apart = apart + ((out.latents - wanted.latents) ** 2).mean(dim=(0, 2, 3)).sum()
            # As squared error counts, a pixel: there are 64 to a block.
            apart = apart / (lapped.BLOCK**2 * WORTH)
            figures["apart"] = apart.item()
            cost = cost + apart
        return cost, figures

    return loop.run(
        start, loss, plan, folder, device=device, frozen=frozen, check=_check(held, sizes.slices, ops),
        progress=progress,
    )  # fmt: skip
