"""How the prior of a codebook of `vqgan` learns: in floats that are rounded just as they will be when it codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.priors import indices
from nzip.models.latent.training import loop

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]
Grid = NDArray[np.uint16]

EMBEDDING, HIDDEN, FINAL = 24, 96, 64  # widths of the prior
PLACES, HIDDEN_TAPS, DECAY = 1024, 0.03, 2e-5  # batch of the prior, share of taps put outside, pull towards 0
EMBEDDED, WEIGHTED = 32.0, 64.0  # what 1 is among embeddings and weights
SUMMED = EMBEDDED * WEIGHTED  # and in a layer's sums, where activations count as embeddings do


def _kept(x: Tensor, rounded: Tensor) -> Tensor:
    """Return what was rounded, with the gradient of what it was before."""
    return x + (rounded - x).detach()


def _byte(x: Tensor, scale: float) -> Tensor:
    return _kept(x * scale, (x * scale).round()).clamp(-127, 127)


def prior_logits(weights: Mapping[str, Tensor], around: Tensor) -> Tensor:
    """Return binary logarithms of chances, up to a constant, (P, K), from the numbers at the taps (P, 10)."""

    def active(x: Tensor) -> Tensor:
        x = x / (1 << indices.SHIFT)
        return _kept(x, x.floor()).clamp(0, indices.TOP)

    embedded = _byte(weights["embedding"], EMBEDDED)[around]  # (P, 10, E)
    first = _byte(weights["first"], WEIGHTED).reshape(-1, weights["first"].shape[2])
    x = active(embedded.reshape(len(around), -1) @ first + weights["first_bias"] * SUMMED)
    x = active(x @ _byte(weights["second"], WEIGHTED) + weights["second_bias"] * SUMMED)
    return (x @ _byte(weights["last"], WEIGHTED).T + weights["last_bias"] * SUMMED) / SUMMED


def rounded_prior(weights: Mapping[str, Floats]) -> indices.IndexPrior:
    """Return the prior of integers that `prior_logits` was made to be."""

    def byte(name: str, scale: float) -> NDArray[np.int8]:
        return np.clip(np.rint(weights[name] * np.float32(scale)), -127, 127).astype(np.int8)

    def bias(name: str) -> NDArray[np.int32]:
        return np.clip(np.rint(weights[name] * SUMMED), 1 - (1 << 22), (1 << 22) - 1).astype(np.int32)

    return indices.IndexPrior(
        byte("embedding", EMBEDDED), byte("first", WEIGHTED), bias("first_bias"), byte("second", WEIGHTED),
        bias("second_bias"), byte("last", WEIGHTED), bias("last_bias"),
    )  # fmt: skip


def learn_prior(
    grids: Sequence[Grid], held: Sequence[Grid], book: Floats, plan: loop.Plan, folder: Path, device: str,
    progress: loop.Progress | None = None,
) -> indices.IndexPrior:  # fmt: skip
    """Return the prior of a codebook.

    Args:
        grids: numbers to learn from.
        held: numbers that are only looked at.
        book: the codebook (K, D); codewords that are alike begin with embeddings that are.
        plan, folder, device, progress: of the loop.
    """
    import torch

    count, depth = book.shape
    random = np.random.default_rng(plan.seed)

    def drawn(scale: float, *shape: int) -> Floats:
        return (scale * random.standard_normal(shape)).astype(np.float32)

    seen = [(indices.contexts(grid, count), grid.reshape(-1).astype(np.int64)) for grid in grids]
    around, numbers = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    shares = np.bincount(numbers, minlength=count) + 1.0
    embedding, last = drawn(0.2, count + 1, EMBEDDING), drawn(0.05, count, FINAL)
    used, scaled = min(depth, EMBEDDING), book / max(float(book.std()), 1e-6)
    embedding[:count, :used] = scaled[:, :used]
    last += 0.1 * scaled @ drawn(depth**-0.5, depth, FINAL)
    taps = len(indices.TAPS)
    start = {
        "embedding": embedding, "first": drawn((taps * EMBEDDING) ** -0.5, taps, EMBEDDING, HIDDEN),
        "first_bias": drawn(0.1, HIDDEN), "second": drawn((2 / HIDDEN) ** 0.5, HIDDEN, FINAL),
        "second_bias": drawn(0.1, FINAL), "last": last,
        "last_bias": np.log2(shares / shares.sum()).astype(np.float32),
    }  # fmt: skip
    contexts, wanted = torch.from_numpy(around.astype(np.int32)), torch.from_numpy(numbers)

    def bits(weights: dict[str, Tensor], around: Tensor, numbers: Tensor) -> Tensor:
        logits = prior_logits(weights, around) * float(np.log(2))
        return torch.nn.functional.cross_entropy(logits, numbers) / float(np.log(2))

    def loss(weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        places = torch.randint(0, len(wanted), (PLACES,))
        near = contexts[places].long()
        near[torch.rand(near.shape) < HIDDEN_TAPS] = count
        value = bits(weights, near.to(device), wanted[places].to(device))
        pull = sum(weights[name].square().sum() for name in ("first", "second", "last", "embedding"))
        return value + DECAY * pull, {"bits": value.item()}

    def check(weights: dict[str, Tensor]) -> dict[str, float]:
        total = sum(
            float(bits(weights, torch.from_numpy(indices.contexts(grid, count)).long().to(device),
                       torch.from_numpy(grid.reshape(-1).astype(np.int64)).to(device))) * grid.size
            for grid in held
        )  # fmt: skip
        return {"bits": total / sum(grid.size for grid in held)} if held else {}

    result = loop.run(start, loss, plan, folder, check=check, device=device, progress=progress)
    return rounded_prior(result.weights)
