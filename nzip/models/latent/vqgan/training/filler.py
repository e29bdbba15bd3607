"""How the transformer of `vqgan` that restores lost codewords learns: on windows of grids with holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.layers import TorchOps
from nzip.models.latent.training import loop
from nzip.models.latent.vqgan.filler import WINDOW, copied, fill_network, new_filler

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]
Grid = NDArray[np.uint16]

WIDTH, LAYERS, HEADS = 128, 4, 4  # of the transformer
WINDOWS, LEAST_LOST, MOST_LOST = 16, 0.03, 0.35  # batch of the transformer, shares of what is lost


def learn_filler(
    grids: Mapping[int, Sequence[Grid]], books: Mapping[int, Floats], plan: loop.Plan, folder: Path, device: str,
    progress: loop.Progress | None = None,
) -> dict[str, Floats]:  # fmt: skip
    """Return the weights of the transformer that restores lost numbers."""
    import torch

    sizes = list(books)
    ops = TorchOps(device)
    placed = [ops.array(books[size]) for size in sizes]
    start = new_filler(
        np.random.default_rng(plan.seed), width=WIDTH, layers=LAYERS, latent=placed[0].shape[1], rungs=len(sizes)
    )
    # Small pictures give small windows.
    side = min(WINDOW, max(min(grid.shape) for grid in grids[sizes[0]]))
    large = {size: [grid for grid in grids[size] if min(grid.shape) >= side] for size in sizes}

    def loss(weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        random = np.random.default_rng((plan.seed, step))
        rung = step % len(sizes)
        book, cuts = placed[rung], []
        for _ in range(WINDOWS):
            grid = large[sizes[rung]][int(random.integers(len(large[sizes[rung]])))]
            y, x = (int(random.integers(0, n - side + 1)) for n in grid.shape)
            cuts.append(grid[y : y + side, x : x + side])
        share = random.uniform(LEAST_LOST, MOST_LOST, WINDOWS)
        holes = [random.random(cut.shape) < part for cut, part in zip(cuts, share, strict=True)]
        copies = np.stack([copied(cut, hole) for cut, hole in zip(cuts, holes, strict=True)])
        seen, numbers = (torch.from_numpy(np.asarray(part, np.int64)).to(device) for part in (copies, np.stack(cuts)))
        lost = ops.array(np.stack(holes))
        with torch.autocast(device, torch.bfloat16):
            got = fill_network(ops, weights, book[seen], lost[..., None], rung, HEADS)
        gone = lost.reshape(-1) > 0
        logits = got.float().reshape(-1, book.shape[1])[gone] @ book.T
        value = torch.nn.functional.cross_entropy(logits, numbers.reshape(-1)[gone]) / float(np.log(2))
        return value, {"share": value.item() / float(np.log2(sizes[rung]))}

    return loop.run(start, loss, plan, folder, device=device, progress=progress).weights
