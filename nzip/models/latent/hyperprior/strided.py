"""The networks of strided layers that started learned compression of pictures, in the layouts that CompressAI ships.

Balle, Minnen, Singh, Hwang and Johnston, "Variational Image Compression with a Scale Hyperprior" (2018), figure 4, and
Minnen, Balle and Toderici (2018), without its context: four layers of 5x5 with stride 2 and generalised divisive
normalisation (GDN) between, and a hyperprior of three layers. CompressAI (Begaint et al., 2020) calls them
bmshj2018-factorized, bmshj2018-hyperprior and mbt2018-mean; its names of weights are kept: g_a and g_s are the
transform and its inverse, h_a and h_s the hyperprior's.
"""

from __future__ import annotations

from nzip.models.latent.layers import Array, Ops, Weights
from nzip.models.latent.priors.exact import BasicOps

KINDS = ("factorized", "scale", "mean-scale")
STEP = 16  # pixels of one place of the latents
FINE = 4  # places of the latents of one of the hyperprior
SLOPE = 0.01  # of LeakyReLU in the mean-scale hyperprior


def _layer(ops: BasicOps, w: Weights, name: str, x: Array, stride: int = 2, up: bool = False) -> Array:
    kernel, bias = w[f"{name}.kernel"], w[f"{name}.bias"]
    pad = kernel.shape[2] // 2
    if up:
        return ops.conv_up(x, kernel, bias, stride=stride, pad=pad, more=stride - 1)
    return ops.conv(x, kernel, bias, stride=stride, pad=pad)


def _normalised(ops: Ops, w: Weights, name: str, x: Array, inverse: bool) -> Array:
    size = ops.sqrt(ops.conv(x * x, w[f"{name}.gamma"], w[f"{name}.beta"]))
    return x * size if inverse else x / size


def analyse(ops: Ops, w: Weights, x: Array) -> Array:
    """Return the latents (N, M, H / 16, W / 16) of pictures (N, 3, H, W) in -1/2..1/2."""
    x = x + 0.5
    for number in (0, 2, 4):
        x = _normalised(ops, w, f"g_a.{number + 1}", _layer(ops, w, f"g_a.{number}", x), False)
    return _layer(ops, w, "g_a.6", x)


def synthesise(ops: Ops, w: Weights, y: Array) -> Array:
    """Return the pictures of latents: the other way."""
    for number in (0, 2, 4):
        y = _normalised(ops, w, f"g_s.{number + 1}", _layer(ops, w, f"g_s.{number}", y, up=True), True)
    return _layer(ops, w, "g_s.6", y, up=True) - 0.5


def hyper_encode(ops: Ops, w: Weights, y: Array, kind: str) -> Array:
    """Return the hyperprior's numbers (N, C, h / 4, w / 4) of latents (N, M, h, w)."""
    slope = SLOPE if kind == "mean-scale" else 0.0
    y = y if kind == "mean-scale" else ops.relu(y) + ops.relu(-y)
    x = ops.relu(_layer(ops, w, "h_a.0", y, stride=1), slope)
    x = ops.relu(_layer(ops, w, "h_a.2", x), slope)
    return _layer(ops, w, "h_a.4", x)


def hyper_decode(ops: BasicOps, w: Weights, z: Array, kind: str) -> Array:
    """Return scales (N, M, h, w) from the hyperprior's numbers; scales, then means (N, 2 M, h, w), for "mean-scale".

    Codecs run this by `exact.IntegerOps`.
    """
    slope = SLOPE if kind == "mean-scale" else 0.0
    x = ops.relu(_layer(ops, w, "h_s.0", z, up=True), slope)
    x = ops.relu(_layer(ops, w, "h_s.2", x, up=True), slope)
    x = _layer(ops, w, "h_s.4", x, stride=1)
    return x if kind == "mean-scale" else ops.relu(x)
