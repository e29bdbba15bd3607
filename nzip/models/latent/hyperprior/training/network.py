"""The lapped network of `hyperprior` while it learns: its start, its weights folded, and one way through it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent.hyperprior import lapped
from nzip.models.latent.layers import NumpyOps, Pads, TorchOps
from nzip.models.latent.training import data

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

# What a step of Adam changes is in proportion to these; the numbers that go into these layers are large.
TRANSFORM_SHARE = 0.005
LINEAR_SHARE = 0.03
NEAR_SHARE = 0.1
# Steps are learned for both ways at once, and what sets the way back apart slowly: it is an error of whole means.
GAIN_SHARE, UNGAIN_SHARE = 0.3, 0.02
# The class of the hyperprior's numbers to begin with, and what a unit of its weights is in classes.
HYPER_CLASS, HYPER_SPAN = 18, 10
FAR_BITS = 16.0


class MixedOps(TorchOps):
    """Torch's layers with wide kernels in bfloat16 and the others in float32, as learning takes them.

    Means of the first numbers are large and want all digits; they come from kernels of one place or few channels.
    """

    def conv(
        self, x: Tensor, kernel: Tensor, bias: Tensor | None = None, *, stride: int = 1, pad: Pads = 0,
        mode: str = "zero", dilation: int = 1,
    ) -> Tensor:  # fmt: skip
        if kernel.shape[2] == 1 and stride == 1 and x.dtype == self._torch.float32:
            # As a product of matrices, which is faster than what torch does with such layers on one thread.
            out = kernel[:, :, 0, 0] @ x.flatten(2)
            return (out if bias is None else out + bias[:, None]).unflatten(2, x.shape[2:])
        exact = kernel.shape[1] <= lapped.NEAR or kernel.shape[1] == kernel.shape[0] == lapped.BANDS
        with self._torch.autocast(self.device, dtype=self._torch.bfloat16, enabled=not exact):
            out = super().conv(x, kernel, bias, stride=stride, pad=pad, mode=mode, dilation=dilation)
        return out.float()


@dataclass(frozen=True)
class Sizes:
    """How large a network is; see `lapped.start`."""

    slices: tuple[int, ...] = (3, 13, 48, 128)
    encoder: int = 128
    decoder: int = 160
    blocks: int = 4
    hyper: int = 16
    features: int = 64
    width: int = 80


def deviations_of(pieces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the deviation of each of the 192 channels of the transform at its start, by colour, row and column."""
    ops = NumpyOps()
    kernel, _ = lapped.start_transform()
    total, count = np.zeros(lapped.BANDS), 0
    for piece in pieces:
        height, width = (n // lapped.BLOCK * lapped.BLOCK for n in piece.shape[:2])
        x = data.signal_of(piece[:height, :width])[None]
        y = lapped.analyse(ops, {"analysis.kernel": kernel}, x)[0].reshape(lapped.BANDS, -1)
        total += (y.astype(np.float64) ** 2).sum(axis=1)
        count += y.shape[1]
    return np.sqrt(total / count)


def beginning(
    pieces: Sequence[NDArray[np.uint8]], sizes: Sizes, seed: int
) -> tuple[dict[str, NDArray[np.float32]], list[int]]:
    """Return weights to learn from, and the order of the channels: the means first, then by falling deviation."""
    deviations = deviations_of(pieces)
    means = [0, 64, 128]
    order = means + [int(k) for k in np.argsort(-deviations, kind="stable") if k not in means]
    forth, back = lapped.start_transform(order)
    middle = lapped.STEPS[lapped.RATES // 2]
    start = lapped.start(
        seed, deviations[order] / middle, sizes.slices, encoder=sizes.encoder, decoder=sizes.decoder,
        blocks=sizes.blocks, hyper=sizes.hyper, features=sizes.features, width=sizes.width,
    )  # fmt: skip
    for name in start:
        if name.endswith(".linear"):
            start[name] /= np.float32(share_of(name))
    start |= {
        "analysis.fixed": forth, "analysis.change": np.zeros_like(forth),
        "synthesis.fixed": back, "synthesis.change": np.zeros_like(back),
        "parity.fixed": lapped.parities(order).astype(np.float32),
        "gain": np.zeros((3, lapped.BANDS), np.float32), "ungain": np.zeros((3, lapped.BANDS), np.float32),
        "hyper.place": np.zeros((2, sizes.hyper), np.float32), "hyper.scale": np.zeros((2, sizes.hyper), np.float32),
    }  # fmt: skip
    return start, order


def share_of(name: str) -> float:
    return NEAR_SHARE if name.endswith(".near.linear") else LINEAR_SHARE


def frozen(name: str) -> bool:
    return name.endswith(".fixed")


def folded(weights: dict[str, Any]) -> dict[str, Any]:
    """Return the weights as the network takes them."""
    out = {}
    for name, value in weights.items():
        if name.endswith(".linear"):
            out[name] = value * share_of(name)
        elif name.endswith(".fixed"):
            out[f"{name.removesuffix('fixed')}kernel"] = value
        elif not name.endswith(".change"):
            out[name] = value
    for name in ("analysis", "synthesis"):
        out[f"{name}.kernel"] = weights[f"{name}.fixed"] + TRANSFORM_SHARE * weights[f"{name}.change"]
    out["parity"] = out.pop("parity.kernel")
    out["gain"] = GAIN_SHARE * weights["gain"]
    out["ungain"] = UNGAIN_SHARE * weights["ungain"] - out["gain"]
    return out


def bits_of(off: Tensor, classes: Tensor) -> Tensor:
    """Return the bits of a whole number's distance from the mean under logistic distributions of these classes.

    What is far out costs less than there, since tables have escapes, and a few such would hide all else.
    """
    import torch

    inside = classes.clamp(0, lapped.CLASSES - 1).detach() + (classes - classes.detach())
    over = torch.exp2(inside * (-1 / lapped.PER_OCTAVE)) * (1 / lapped.LEAST_SCALE)
    off = off.abs()
    logs = torch.nn.functional.logsigmoid((0.5 - off) * over) + torch.nn.functional.logsigmoid((0.5 + off) * over)
    bits = (logs + torch.log(-torch.expm1(-over))) * (-1 / math.log(2))
    return torch.where(bits > FAR_BITS, FAR_BITS * (1 + torch.log(bits.clamp(min=FAR_BITS) / FAR_BITS)), bits)


def _rounded(x: Tensor) -> Tensor:
    """Return x rounded, with the gradient of x."""
    return x + (x.round() - x).detach()


def _spent(off: Tensor, classes: Tensor, soft: bool) -> Tensor:
    """Return bits of distances from means, rounded; with `soft` half of them as if not, for gradients where they are 0.

    Noise in the place of rounding, as is usual, makes most of the many small numbers of this transform look dear.
    """
    hard = bits_of(_rounded(off), classes)
    return 0.5 * (hard + bits_of(off, classes)) if soft else hard


@dataclass
class Pass:
    """What one way through the network gives, per picture.

    Attributes:
        bits: of the numbers (N,).
        hyper: bits of the hyperprior (N,).
        guess: pictures (N, 3, H, W).
        latents: (N, 192, h, w), before rounding.
        restored: likewise, before the inverse transform, over the steps.
        shares: bits of each channel (192,).
    """

    bits: Tensor
    hyper: Tensor
    guess: Tensor
    latents: Tensor
    restored: Tensor
    shares: Tensor


def through(
    ops: TorchOps, weights: dict[str, Tensor], x: Tensor, t: Tensor, slices: Sequence[int], soft: bool
) -> Pass:
    """Return what pictures become at rates t (N, 1, 1, 1).

    Args:
        soft: bits are measured as gradients need it.
    """
    import torch

    w = folded(weights)
    step = float(lapped.STEPS[0]) * torch.exp((t + 1) * (0.5 * math.log(lapped.STEPS[-1] / lapped.STEPS[0])))
    power = torch.cat([torch.ones_like(t), t, t * t], dim=1)[:, :, 0, 0]
    gain = torch.exp(power @ w["gain"])[:, :, None, None] / step
    ungain = torch.exp(power @ w["ungain"])[:, :, None, None] * step
    y = lapped.analyse(ops, w, x) * gain
    y = lapped.refine(ops, w, y, t)
    z = lapped.hyper_encode(ops, w, y, t)
    place = (power[:, :2] @ w["hyper.place"])[:, :, None, None]
    classes = (power[:, :2] @ w["hyper.scale"])[:, :, None, None] * HYPER_SPAN + HYPER_CLASS
    hyper = _spent(z - place.round(), classes.expand_as(z), soft).sum(dim=(1, 2, 3))
    features = lapped.hyper_decode(ops, w, _rounded(z), (y.shape[2], y.shape[3]))
    total = torch.zeros(len(x), device=x.device)
    shares = torch.zeros(lapped.BANDS, device=x.device)
    at = 0
    parts: list[Tensor] = []

    def code(number: int, stage: int, mask: NDArray[np.float32], mean: Tensor, scale: Tensor) -> Tensor:
        nonlocal total, at
        if stage == 0:
            at = sum(slices[:number])
            parts.append(torch.zeros((), device=x.device))
        wanted = y[:, at : at + slices[number]]
        here = torch.from_numpy(mask).to(x.device)
        off = wanted - mean
        spent = (_spent(off, scale, soft) * here).sum(dim=(2, 3))
        total = total + spent.sum(dim=1)
        shares[at : at + slices[number]] += spent.detach().sum(dim=0)
        parts[-1] = parts[-1] + here * (mean + _rounded(off))
        return parts[-1]

    rounded = lapped.predict(ops, w, features, t, slices, code)
    restored = lapped.restore(ops, w, rounded, t)
    guess = lapped.synthesise(ops, w, restored * ungain)
    return Pass(total, hyper, guess, y, restored, shares)


def steps_of(t: Tensor) -> Tensor:
    """Return the steps of rates t (N, 1, 1, 1), (N,)."""
    return float(lapped.STEPS[0]) * ((t[:, 0, 0, 0] + 1) * (0.5 * math.log(lapped.STEPS[-1] / lapped.STEPS[0]))).exp()
