"""The pictures that `vqgan` learns from: what is held out, smaller copies, pieces in which much happens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nzip.errors import UnsupportedError
from nzip.models.latent.training import data

Floats = NDArray[np.float32]


@dataclass
class Pictures:
    """What there is to learn from.

    Attributes:
        pieces: pictures as they are, at half and at a quarter of their size: most photographs are larger than what
            they are looked at, so there is more in a piece of one that was made smaller.
        held: pictures that are only looked at, at half their size.
        names: of those that were held out.
        material: all of them with their sources.
    """

    pieces: list[NDArray[np.uint8]]
    held: list[NDArray[np.uint8]]
    names: list[str]
    material: data.Material


def pictures(paths: Sequence[str | os.PathLike[str]], held: Sequence[str] = (), reduce: int = 1) -> Pictures:
    """Return the pictures in files and folders; those named in `held`, or every twelfth, are held out.

    Raises:
        UnsupportedError: there is nothing to learn from.
    """
    material = data.pictures(paths, reduce=reduce)
    names = list(held) or [source.file for source in material.sources[11::12]]
    kept = [_halved(p) for p, source in zip(material.pieces, material.sources, strict=True) if source.file in names]
    others = [p for p, source in zip(material.pieces, material.sources, strict=True) if source.file not in names]
    if not others:
        raise UnsupportedError("all pictures are held out; name fewer of them, or give more pictures")
    halves = [_halved(piece) for piece in others]
    # A piece is drawn as often as it is large: copies make up for the smaller sizes.
    pieces = others + 4 * halves + 8 * [_halved(piece) for piece in halves]
    return Pictures(pieces, kept, names, material)


def _halved(piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = (n // 2 for n in piece.shape[:2])
    cells = piece[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.rint(cells.mean(axis=(1, 3))).astype(np.uint8)


def fuller(batch: Floats) -> Floats:
    """Return of each two pieces (2 N, 3, H, W) that one in which more happens: skies are learned soon."""
    change = np.abs(np.diff(batch, axis=2)).mean(axis=(1, 2, 3)) + np.abs(np.diff(batch, axis=3)).mean(axis=(1, 2, 3))
    chosen = 2 * np.arange(len(batch) // 2) + (change[1::2] > change[::2])
    return batch[chosen]


def coloured(batch: Floats, step: int) -> Floats:
    """Return a batch with the colours of one piece in six exchanged, since there are few photographs."""
    random = np.random.default_rng((7, step))
    for piece in batch:
        if random.random() < 1 / 6:
            piece[:] = piece[random.permutation(3)]
    return batch
