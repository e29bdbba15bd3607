"""The transformer of `vqgan` that restores codewords which were lost on the way, from those around them.

Mao et al. ("Extreme Image Compression using Fine-tuned VQGANs", DCC 2024). What it gives is a guess for the eye, and is
never coded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.layers import Array, Ops, Weights
from nzip.models.latent.vqgan.networks import EPSILON

Floats = NDArray[np.float32]
Numbers = NDArray[Any]

WINDOW, BLOCK = 16, 8  # places that the transformer sees along an axis, and those in their middle that it fills


def fill_network(ops: Ops, w: Weights, vectors: Array, lost: Array, rung: int, heads: int) -> Array:
    """Return what the codewords of windows are thought to be: a transformer (Vaswani et al., 2017) that sees them all.

    It begins at copies of known neighbours (`copied`) and learns where these are wrong.

    Args:
        ops: the layers.
        w: its weights.
        vectors: codewords (N, h, w, D), h and w at most WINDOW, copies where they are lost.
        lost: (N, h, w, 1), 1 where a codeword is a copy, else 0.
        rung: number of the codebook.
        heads: of attention.

    Returns:
        (N, h w, D); its products with the codewords are their logarithmic chances.
    """
    batch, high, wide, _ = vectors.shape
    width = w["lost"].shape[0]

    def linear(name: str, x: Array) -> Array:
        return x @ w[f"{name}.kernel"] + w[f"{name}.bias"]

    def norm(name: str, x: Array) -> Array:
        rows = x.reshape(-1, width, 1)
        return ops.norm(rows, w[f"{name}.gain"], w[f"{name}.bias"], epsilon=EPSILON).reshape(x.shape)

    x = linear("in", vectors) + lost * w["lost"]
    x = x + w["rows"][:high, None] + w["columns"][None, :wide] + w["rungs"][rung]
    x = x.reshape(batch, high * wide, width)
    layer = 0
    while f"layers.{layer}.q.kernel" in w:
        name = f"layers.{layer}"
        y = norm(f"{name}.norm1", x)
        q, k, v = (
            linear(f"{name}.{part}", y).reshape(batch, high * wide, heads, width // heads).swapaxes(1, 2)
            for part in "qkv"
        )  # (N, heads, P, width / heads)
        y = ops.softmax(q @ k.swapaxes(2, 3) * (width // heads) ** -0.5) @ v
        x = x + linear(f"{name}.out", y.swapaxes(1, 2).reshape(batch, high * wide, width))
        x = x + linear(f"{name}.mlp2", ops.silu(linear(f"{name}.mlp1", norm(f"{name}.norm2", x))))
        layer += 1
    return linear("out", norm("norm", x)) + w["copies"] * vectors.reshape(batch, high * wide, -1)


def new_filler(random: np.random.Generator, *, width: int, layers: int, latent: int, rungs: int) -> dict[str, Floats]:
    """Return the weights of a transformer for `fill_network` that is to learn."""
    out: dict[str, Floats] = {}

    def linear(name: str, into: int, wide: int, scale: float = 1.0) -> None:
        drawn = scale / np.sqrt(into) * random.standard_normal((into, wide))
        out[f"{name}.kernel"], out[f"{name}.bias"] = drawn.astype(np.float32), np.zeros(wide, np.float32)

    def norm(name: str) -> None:
        out[f"{name}.gain"], out[f"{name}.bias"] = np.ones(width, np.float32), np.zeros(width, np.float32)

    linear("in", latent, width)
    for name, count in (("rows", WINDOW), ("columns", WINDOW), ("rungs", rungs)):
        out[name] = (0.3 * random.standard_normal((count, width))).astype(np.float32)
    out["copies"] = np.full(1, 0.3, np.float32)
    out["lost"] = (0.3 * random.standard_normal(width)).astype(np.float32)
    for layer in range(layers):
        name = f"layers.{layer}"
        norm(f"{name}.norm1")
        for part in "qkv":
            linear(f"{name}.{part}", width, width)
        linear(f"{name}.out", width, width, 0.3)
        norm(f"{name}.norm2")
        linear(f"{name}.mlp1", width, 4 * width)
        linear(f"{name}.mlp2", 4 * width, width, 0.3)
    norm("norm")
    linear("out", width, latent, 0.3)
    return out


def copied(indices: Numbers, lost: NDArray[np.bool_]) -> Numbers:
    """Return numbers (H, W) where each lost one is that of a known place nearest to it; 0 where none is known."""
    if lost.all():
        return np.zeros_like(indices)
    out, missing = indices.copy(), lost.copy()
    while missing.any():
        before, gone = out.copy(), missing.copy()
        for up, left in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            # What each place sees at its neighbour; the border sees itself, which helps it to nothing.
            rows = np.clip(np.arange(out.shape[0]) - up, 0, out.shape[0] - 1)[:, None]
            columns = np.clip(np.arange(out.shape[1]) - left, 0, out.shape[1] - 1)[None]
            found = missing & ~gone[rows, columns]
            out[found] = before[rows, columns][found]
            missing &= ~found
    return out
