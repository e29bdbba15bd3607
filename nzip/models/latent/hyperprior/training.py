"""How the models of `hyperprior` learn: the lapped network from photographs, and a smaller one from a larger."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip import outputs
from nzip.errors import UnsupportedError
from nzip.models.latent.codecs import CODECS, SUFFIX, shipped_folder
from nzip.models.latent.hyperprior import lapped
from nzip.models.latent.hyperprior.codec import WORTH, HyperpriorCodec
from nzip.models.latent.layers import NumpyOps, Pads, TorchOps
from nzip.models.latent.priors import exact
from nzip.models.latent.priors.tables import Tables, tables_of
from nzip.models.latent.training import data, loop
from nzip.models.latent.training.recipes import Options
from nzip.models.latent.weights import Model, load, pack, unpack

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

# What a step of Adam changes is in proportion to these; the numbers that go into these layers are large.
TRANSFORM_SHARE = 0.005
LINEAR_SHARE = 0.03
NEAR_SHARE = 0.1
# Steps are learned for both ways at once, and what sets the way back apart slowly: it is an error of whole means.
GAIN_SHARE, UNGAIN_SHARE = 0.3, 0.02
# The class of the hyperprior's numbers to begin with, and what a unit of its weights is in classes.
HYPER_CLASS, HYPER_SPAN = 18, 10
EVEN = 0.7  # power of the step by which pictures of all rates weigh alike
TINY = 1e-9
# MS-SSIM (Wang, Simoncelli and Bovik, 2003) of values in 0..1, and what the whole of it is worth in bits a pixel times
# the square of the step: near that, models that learned with squared error alone lie on both curves' slopes.
WINDOW, SIGMA, LUMINANCE, STRUCTURE = 11, 1.5, 0.01**2, 0.03**2
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LUMA = (0.299, 0.587, 0.114)
UNLIKE = 47000.0
SIMILAR, LEAST_SIMILAR = 0.6, WINDOW << (len(SCALES) - 1)  # share of it in the error, and the sides that it takes
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
            start[name] /= np.float32(_share(name))
    start |= {
        "analysis.fixed": forth, "analysis.change": np.zeros_like(forth),
        "synthesis.fixed": back, "synthesis.change": np.zeros_like(back),
        "parity.fixed": lapped.parities(order).astype(np.float32),
        "gain": np.zeros((3, lapped.BANDS), np.float32), "ungain": np.zeros((3, lapped.BANDS), np.float32),
        "hyper.place": np.zeros((2, sizes.hyper), np.float32), "hyper.scale": np.zeros((2, sizes.hyper), np.float32),
    }  # fmt: skip
    return start, order


def _share(name: str) -> float:
    return NEAR_SHARE if name.endswith(".near.linear") else LINEAR_SHARE


def frozen(name: str) -> bool:
    return name.endswith(".fixed")


def folded(weights: dict[str, Any]) -> dict[str, Any]:
    """Return the weights as the network takes them."""
    out = {}
    for name, value in weights.items():
        if name.endswith(".linear"):
            out[name] = value * _share(name)
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


def _bits(off: Tensor, classes: Tensor) -> Tensor:
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
    hard = _bits(_rounded(off), classes)
    return 0.5 * (hard + _bits(off, classes)) if soft else hard


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


def _blurred(x: Tensor) -> Tensor:
    """Return planes (N, C, H, W) under the Gaussian window of SSIM, where it fits."""
    import torch
    from torch.nn.functional import conv2d

    places = torch.arange(WINDOW, device=x.device) - (WINDOW - 1) / 2
    taps = torch.softmax(-places.square() / (2 * SIGMA**2), 0).to(x.dtype)
    count = x.shape[1]
    x = conv2d(x, taps.reshape(1, 1, -1, 1).repeat(count, 1, 1, 1), groups=count)
    return conv2d(x, taps.reshape(1, 1, 1, -1).repeat(count, 1, 1, 1), groups=count)


def ms_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Return the multi-scale structural similarity of the luma of pictures (N, 3, H, W) in -1/2..1/2, (N,).

    As `evaluation.distortion.ms_ssim` measures it, for sides that are multiples of 16 from 176 on.
    """
    import torch
    from torch.nn.functional import avg_pool2d

    weights = torch.tensor(LUMA, device=one.device, dtype=one.dtype).reshape(1, 3, 1, 1)
    one, other = (((x + 0.5) * weights).sum(dim=1, keepdim=True) for x in (one, other))
    total = torch.ones(len(one), device=one.device)
    for number, share in enumerate(SCALES):
        both = torch.cat([one, other, one * one + other * other, one * other], dim=1)
        first, second, squares, product = _blurred(both).unbind(dim=1)
        cross, powers = first * second, first**2 + second**2
        value = (2 * (product - cross) + STRUCTURE) / (squares - powers + STRUCTURE)
        if number == len(SCALES) - 1:
            value = value * (2 * cross + LUMINANCE) / (powers + LUMINANCE)
        total = total * value.mean(dim=(1, 2)).clamp(min=TINY) ** share
        one, other = avg_pool2d(one, 2), avg_pool2d(other, 2)
    return total


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


def restart(model: Model) -> dict[str, NDArray[np.float32]]:
    """Return weights to learn from that are those of a finished model, as near as its numbers of fewer bits are.

    Raises:
        UnsupportedError: it is of another architecture.
    """
    if model.config.get("architecture") != "lapped":
        raise UnsupportedError("only models of nzip's own network can learn on")
    floats = model.floats("net/")
    w = {name: value for name, value in floats.items() if name.startswith(("refine.", "restore.", "hyper_encode."))}
    for name, value in model.tensors.items():
        if name.startswith("prior/") and not name.endswith(".shift"):
            shift = model.tensors.get(f"{name}.shift")
            scale = exact.ONE if shift is None else 2.0 ** int(shift[0])
            w[name.removeprefix("prior/")] = (value / scale).astype(np.float32)
    for name in list(w):
        if name.endswith(".linear"):
            w[name] /= np.float32(_share(name))
        elif name.endswith((".apart.kernel", "level.kernel")):
            w[f"{name.removesuffix('kernel')}fixed"] = w.pop(name)
    for name in ("analysis", "synthesis"):
        w[f"{name}.fixed"] = floats[f"{name}.kernel"]
        w[f"{name}.change"] = np.zeros_like(floats[f"{name}.kernel"])
    w["parity.fixed"] = floats["parity"]
    t = np.array([lapped.rate_number(rate) for rate in range(lapped.RATES)])
    power = np.stack([np.ones_like(t), t, t * t], axis=1)
    for name, sign in (("gain", 1), ("ungain", -1)):
        change = np.log(floats[name].astype(np.float64)) + sign * np.log(lapped.STEPS)[:, None]
        w[name] = np.linalg.lstsq(power, change, rcond=None)[0].astype(np.float32)
    w["ungain"] = (w["ungain"] + w["gain"]) / np.float32(UNGAIN_SHARE)
    w["gain"] /= np.float32(GAIN_SHARE)
    classes = (model.tensors["z.classes"].astype(np.float64) - HYPER_CLASS) / HYPER_SPAN
    w["hyper.scale"] = np.linalg.lstsq(power[:, :2], classes, rcond=None)[0].astype(np.float32)
    places = model.tensors["z.places"].astype(np.float64)
    w["hyper.place"] = np.linalg.lstsq(power[:, :2], places, rcond=None)[0].astype(np.float32)
    return w


SMALL = Sizes(encoder=48, decoder=80, blocks=3, features=32, width=40)


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


WIDEST = 511  # symbols to each side that a table has
UNSEEN = 200.0  # occurrences that the logistic distribution counts for beside what was seen


def logistic_tables(seen: NDArray[np.float64] | None = None) -> Tables:
    """Return a table for each class of scales.

    Args:
        seen: how often each symbol from -WIDEST to WIDEST was met in each class, and then how often another was,
            (64, 2 WIDEST + 2); without it the tables are those of logistic distributions.
    """
    shares: list[NDArray[np.float64]] = []
    offsets: list[int] = []
    for number in range(lapped.CLASSES):
        scale = lapped.LEAST_SCALE * 2 ** (number / lapped.PER_OCTAVE)
        far = min(WIDEST, math.ceil(12 * scale) + 2)
        at = np.arange(-far, far + 1)
        inner = np.tanh((at + 0.5) / (2 * scale)) - np.tanh((at - 0.5) / (2 * scale))
        share = np.append(np.maximum(inner / 2, 1e-7), 1 - np.tanh((far + 0.5) / (2 * scale)) + 1e-6)
        share /= share.sum()
        if seen is not None:
            met = seen[number, WIDEST - far : WIDEST + far + 1]
            share = np.append(met, seen[number].sum() - met.sum()) + UNSEEN * share
        shares.append(share)
        offsets.append(-far)
    return tables_of(shares, offsets)


def packed(
    weights: dict[str, NDArray[np.float32]], slices: Sequence[int], tables: Tables, variant: str, about: dict[str, str]
) -> bytes:
    """Return the file of a model: floats of 16 bits, of 32 where large numbers go through, integers for the prior."""
    w = {name: np.asarray(value, np.float32) for name, value in folded(weights).items()}
    t = np.array([lapped.rate_number(rate) for rate in range(lapped.RATES)])
    power = np.stack([np.ones_like(t), t, t * t], axis=1)
    steps = lapped.STEPS[:, None]
    places = power[:, :2] @ w["hyper.place"].astype(np.float64)
    classes = power[:, :2] @ w["hyper.scale"].astype(np.float64) * HYPER_SPAN + HYPER_CLASS
    out: dict[str, NDArray[Any]] = {
        "net/gain": (np.exp(power @ w["gain"]) / steps).astype(np.float32),
        "net/ungain": (np.exp(power @ w["ungain"]) * steps).astype(np.float32),
        "net/parity": w["parity"],
        "z.places": np.rint(places).astype(np.int16),
        "z.classes": np.clip(np.rint(classes), 0, lapped.CLASSES - 1).astype(np.uint8),
        "y.cdf": tables.cdf, "y.lengths": tables.lengths, "y.offsets": tables.offsets,
    }  # fmt: skip
    steers = {name: value for name, value in w.items() if name.startswith(("hyper_decode.", "slice", "level."))}
    out |= {f"prior/{name}": value for name, value in exact.quantise(steers).items()}
    for name, value in w.items():
        if name.startswith(("refine.", "restore.", "hyper_encode.", "level.")):
            out[f"net/{name}"] = value.astype(np.float16)
        elif name.endswith("is.kernel"):
            out[f"net/{name}"] = value
    config = {"architecture": "lapped", "slices": list(slices)}
    return pack(out, {"codec": "hyperprior", "variant": variant, "config": json.dumps(config), **about})


def finish(
    weights: dict[str, NDArray[np.float32]], slices: Sequence[int], pieces: Sequence[NDArray[np.uint8]], *,
    variant: str = "photo", about: dict[str, str] | None = None, rates: Sequence[int] = tuple(range(2, 64, 6)),
    device: str = "cpu",
) -> bytes:  # fmt: skip
    """Return the file of what was learned, with tables of the symbols that pictures give.

    Args:
        weights: of `learn`.
        slices: of the network.
        pieces: pictures that it learned from, uint8 (H, W, 3).
        variant: part of the file's name.
        about: more for the metadata.
        rates: that symbols are counted at.
        device: torch's name.
    """
    ops = TorchOps(device)
    tables = logistic_tables()
    for _ in range(2):  # what an encoder chooses depends on the tables
        codec = HyperpriorCodec(unpack(packed(weights, slices, tables, variant, {}), variant))
        seen = np.zeros((lapped.CLASSES, 2 * WIDEST + 2))
        for number, piece in enumerate(pieces):
            settings = (rates[number % len(rates)],)
            x = data.signal_of(piece)
            for found, classes in codec.coded(codec.analyse(x, settings, ops), settings):
                at = np.where(np.abs(found) <= WIDEST, found + WIDEST, 2 * WIDEST + 1)
                np.add.at(seen, (classes.reshape(-1), at.reshape(-1)), 1)
        tables = logistic_tables(seen)
    return packed(weights, slices, tables, variant, about or {})


def train(
    paths: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str], *, folder: str | os.PathLike[str],
    variant: str = "photo", teacher: str | os.PathLike[str] | None = None, sizes: Sizes | None = None,
    plan: loop.Plan | None = None, reduce: int = 2, held: int = 2, size: int = 192, batch: int = 3,
    device: str = "cpu", similar: float = SIMILAR, progress: loop.Progress | None = None,
) -> loop.Result:  # fmt: skip
    """Learn a model from pictures and write its file, and a card beside it, if all steps were made.

    Args:
        paths: files or folders of pictures.
        out: the file of weights, .safetensors.
        folder: of the checkpoint and the log; a run that was broken off goes on from there.
        variant: its name in the file.
        teacher: a finished model's file, from which a smaller one is to learn.
        sizes: of the network; `Sizes()`, or `SMALL` with a teacher, where left out.
        plan: how long and how fast.
        reduce: how many pixels along each axis become one, which takes the traces of JPEG out.
        held: how many pictures, the last ones, are held out to look at.
        size, batch: of the pieces that are cut out.
        device: torch's name.
        similar: share of MS-SSIM in the error; pieces of less than 176 pixels are too small for it, and learn by
            squared error alone.
        progress: called with each line of the log.

    Raises:
        UnsupportedError: there is nothing to learn from.
    """
    material = data.pictures(paths, reduce=reduce, least=size)
    held = min(held, len(material.pieces) - 1)
    cut = len(material.pieces) - held
    pieces, rest = material.pieces[:cut], material.pieces[cut:]
    sizes = sizes or (SMALL if teacher is not None else Sizes())
    plan = plan or loop.Plan(20000, rate=8e-4)
    common: dict[str, Any] = {
        "sizes": sizes, "plan": plan, "size": size, "batch": batch, "device": device, "progress": progress,
        "similar": similar if size >= LEAST_SIMILAR else 0.0,
    }  # fmt: skip
    if teacher is None:
        result = learn(pieces, rest, folder, **common)
    else:
        result = distil(load(teacher), pieces, rest, folder, **common)
    if not result.finished:
        return result
    place = Path(out)
    outputs.write_bytes(place, finish(result.weights, sizes.slices, pieces, variant=variant, device=device))
    names = [source.file for source in material.sources[cut:]]
    words = "Pictures at 64 rates by a lapped transform, networks that correct it and an integer prior with context."
    if teacher is not None:
        words += f" It learned from the larger model {Path(teacher).stem}."
    described = loop.card(f"hyperprior-{variant}", result, plan, material.described(), words, names)
    outputs.write_text(place.with_suffix(".md"), described)
    return result


def recipe(
    kind: str, paths: list[Any], out: Path, folder: Path, options: Options, progress: loop.Progress | None = None
) -> loop.Result:
    """Learn a model from files; see `recipes`. Variants: "photo", and "small", which learns from the one of nzip."""
    if options.variant not in (None, "photo", "small"):
        raise ValueError(f"hyperprior has no variant {options.variant!r}; there are photo and small")
    small = options.variant == "small"
    teacher = shipped_folder() / f"{CODECS['hyperprior'].defaults[kind]}{SUFFIX}" if small else None
    plan = options.plan(loop.Plan(8000, rate=1.5e-3) if small else loop.Plan(20000, rate=8e-4))
    return train(
        paths, out, folder=folder, variant=options.variant or "photo", teacher=teacher, plan=plan,
        reduce=options.reduce, size=options.crop or 192, batch=options.batch or 3, device=options.device,
        progress=progress,
    )  # fmt: skip
