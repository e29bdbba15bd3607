"""Codebooks of `vqgan` by k-means, and the grids of codewords' numbers that pictures have with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.training import data
from nzip.models.latent.vqgan.codec import nearest
from nzip.models.latent.vqgan.training.losses import Loss, flat

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]
Grid = NDArray[np.uint16]

PASSES, FEW = 8, 8  # of k-means, and how many points a codeword it begins with
LATENTS = 200  # batches whose latents k-means sees


def latents(loss: Loss, networks: Mapping[str, Floats]) -> Floats:
    """Return latents of pieces, float32 (P, D)."""
    import torch

    placed = {name: loss.ops.array(value) for name, value in networks.items()}
    with torch.no_grad():
        parts = [loss.ops.numpy(flat(loss.encoded(placed, loss.batch(10**6 + n)))) for n in range(LATENTS)]
    return np.concatenate(parts)


def clustered(points: Floats, count: int, random: np.random.Generator) -> Floats:
    """Return `count` codewords for points by k-means (Lloyd, 1982), begun as k-means++ does (Arthur and Vassilvitskii,
    2007) on a part of the points where they are many.

    Args:
        points: float32 (P, D).
        count: K; where there are fewer points, some codewords are the same.
        random: what is drawn is drawn from it.

    Returns:
        Float32 (K, D).
    """
    part = points[random.choice(len(points), min(len(points), FEW * count), replace=False)]
    book = np.empty((count, points.shape[1]), np.float32)
    distance = np.ones(len(part), np.float64)
    for k in range(count):
        total = distance.sum()
        book[k] = part[random.choice(len(part), p=distance / total) if total > 0 else 0]
        gap = np.square(part - book[k]).sum(axis=1).astype(np.float64)
        distance = gap if k == 0 else np.minimum(distance, gap)
    for _ in range(PASSES):
        chosen = nearest(points, book)
        mass = np.bincount(chosen, minlength=count)
        sums = np.stack([np.bincount(chosen, column, minlength=count) for column in points.T], axis=1)
        book = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1)[:, None], book).astype(np.float32)
    return book


def grids(
    pieces: Sequence[NDArray[np.uint8]], loss: Loss, networks: Mapping[str, Tensor], books: Mapping[int, Floats],
    views: int, seed: int,
) -> dict[int, list[Grid]]:  # fmt: skip
    """Return the grids of numbers that pictures have with each codebook, from several shifts and turns of each."""
    import torch

    random = np.random.default_rng(seed)
    out: dict[int, list[Grid]] = {size: [] for size in books}
    for _ in range(views):
        for piece in pieces:
            y, x = (int(random.integers(0, 16)) for _ in range(2))
            cut = piece[y:, x:]
            cut = cut[:, ::-1] if random.random() < 0.5 else cut
            cut = cut.transpose(1, 0, 2) if random.random() < 0.25 else cut
            height, width = (n // 16 * 16 for n in cut.shape[:2])
            planes = data.signal_of(cut[:height, :width])[None]
            with torch.no_grad():
                z = loss.encoded(networks, loss.ops.array(planes))
            points = loss.ops.numpy(flat(z))
            for size, book in books.items():
                out[size].append(nearest(points, book).astype(np.uint16).reshape(z.shape[2:]))
    return out
