"""The codebooks of `grvq` while it learns: found by k-means, quantised with, and moved as averages.

Van den Oord et al., "Neural Discrete Representation Learning" (2017), appendix A; codewords that nothing uses are set
anew (Zeghidour et al., "SoundStream", 2021, section III-C).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

LAYER_ODDS = (0.15, 0.30, 0.15, 0.40)  # of how many layers a sound uses; of the last few where there are fewer
DECAY = 0.99  # of the codebooks' averages
UNUSED = 0.08  # uses a step below which a codeword is set anew


def layer_odds(layers: int) -> NDArray[np.float64]:
    """Return how likely a sound is to use 1, 2 and so on up to `layers` layers."""
    odds = np.array((LAYER_ODDS[:1] * layers + LAYER_ODDS)[-layers:])
    return odds / odds.sum()


def quantised(z: Tensor, codes: Tensor, layers: Tensor) -> tuple[Tensor, list[tuple[int, int, Tensor, Tensor]]]:
    """Quantise latents, each sound with its own number of layers.

    Args:
        z: (N, groups depth, F).
        codes: (layers, groups, codes, depth).
        layers: of each sound, (N,).

    Returns:
        What the codewords add up to, as z, without gradients; and for each layer and group its number of both, the
        vectors that were quantised (M, depth) and their codewords (M,).
    """
    import torch

    groups, depth = codes.shape[1], codes.shape[3]
    # A copy: what is taken off below must not come off the latents themselves.
    rest = z.detach().transpose(1, 2).reshape(z.shape[0], z.shape[2], groups, depth).clone()
    whole = torch.zeros_like(rest)
    seen = []
    for number in range(codes.shape[0]):
        used = layers > number
        if not used.any():
            break
        for group in range(groups):
            vectors = rest[used, :, group].reshape(-1, depth)
            book = codes[number, group]
            near = ((book**2).sum(dim=1) - 2 * vectors @ book.T).argmin(dim=1)
            found = book[near].reshape(-1, z.shape[2], depth)
            rest[used, :, group] -= found
            whole[used, :, group] += found
            seen.append((number, group, vectors, near))
    return whole.reshape(z.shape[0], z.shape[2], -1).transpose(1, 2), seen


def means_of(vectors: Tensor, count: int, rounds: int = 6) -> tuple[Tensor, Tensor]:
    """Return `count` means of vectors (M, depth) by k-means, and the mean that is nearest to each vector."""
    import torch

    means = vectors[torch.randperm(len(vectors), device=vectors.device)[:count]].clone()
    for _ in range(rounds):
        near = ((means**2).sum(dim=1) - 2 * vectors @ means.T).argmin(dim=1)
        uses = torch.bincount(near, minlength=count).float()
        sums = torch.zeros_like(means).index_add_(0, near, vectors)
        lost = uses == 0
        means = sums / uses.clamp(min=1)[:, None]
        means[lost] = vectors[torch.randint(len(vectors), (int(lost.sum()),), device=vectors.device)]
    return means, ((means**2).sum(dim=1) - 2 * vectors @ means.T).argmin(dim=1)
