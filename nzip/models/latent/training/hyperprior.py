"""How the models of `hyperprior` learn: the lapped network from photographs, and a smaller one from a larger."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.models.latent import exact, lapped
from nzip.models.latent.hyperprior import WORTH, HyperpriorCodec
from nzip.models.latent.layers import NumpyOps, Pads, TorchOps
from nzip.models.latent.tables import Tables, tables_of
from nzip.models.latent.training import data, loop
from nzip.models.latent.weights import pack, unpack

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

# What a step of Adam changes is in proportion to these; the numbers that go into these layers are large.
TRANSFORM_SHARE = 0.005
LINEAR_SHARE = 0.03
NEAR_SHARE = 0.01
# The class of the hyperprior's numbers to begin with, and what a unit of its weights is in classes.
HYPER_CLASS, HYPER_SPAN = 18, 10
EVEN = 0.7  # power of the step by which pictures of all rates weigh alike
TINY = 1e-9
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
        x = piece[:height, :width].transpose(2, 0, 1)[None].astype(np.float32) / 255 - np.float32(0.5)
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
        elif not name.endswith((".change", ".fixed")):
            out[name] = value
    for name in ("analysis", "synthesis"):
        out[f"{name}.kernel"] = weights[f"{name}.fixed"] + TRANSFORM_SHARE * weights[f"{name}.change"]
    out["parity"] = weights["parity.fixed"]
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


@dataclass
class Pass:
    """What one way through the network gives, per picture.

    Attributes:
        bits: of the numbers (N,).
        hyper: bits of the hyperprior (N,).
        guess: pictures (N, 3, H, W).
        restored: (N, 192, h, w), before the inverse transform, over the steps.
    """

    bits: Tensor
    hyper: Tensor
    guess: Tensor
    restored: Tensor


def through(
    ops: TorchOps, weights: dict[str, Tensor], x: Tensor, t: Tensor, slices: Sequence[int], noise: bool
) -> Pass:
    """Return what pictures become at rates t (N, 1, 1, 1).

    Args:
        noise: bits are measured with noise for rounding, as gradients need it.
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
    noisy = z + torch.rand_like(z) - 0.5 if noise else (z - place.round()).round() + place.round()
    hyper = _bits(noisy - place.round(), classes.expand_as(z)).sum(dim=(1, 2, 3))
    features = lapped.hyper_decode(ops, w, _rounded(z), (y.shape[2], y.shape[3]))
    total = torch.zeros(len(x))
    at = 0
    parts: list[Tensor] = []

    def code(number: int, stage: int, mask: NDArray[np.float32], mean: Tensor, scale: Tensor) -> Tensor:
        nonlocal total, at
        if stage == 0:
            at = sum(slices[:number])
            parts.append(torch.zeros(()))
        wanted = y[:, at : at + slices[number]]
        here = torch.from_numpy(mask)
        off = wanted - mean
        random = off + torch.rand_like(off) - 0.5 if noise else off.round()
        total = total + (_bits(random, scale) * here).sum(dim=(1, 2, 3))
        parts[-1] = parts[-1] + here * (mean + _rounded(off))
        return parts[-1]

    rounded = lapped.predict(ops, w, features, t, slices, code)
    restored = lapped.restore(ops, w, rounded, t)
    guess = lapped.synthesise(ops, w, restored * ungain)
    return Pass(total, hyper, guess, restored)


def steps_of(t: Tensor) -> Tensor:
    """Return the steps of rates t (N, 1, 1, 1), (N,)."""
    return float(lapped.STEPS[0]) * ((t[:, 0, 0, 0] + 1) * (0.5 * math.log(lapped.STEPS[-1] / lapped.STEPS[0]))).exp()


def learn(
    pieces: list[NDArray[np.uint8]], held: list[NDArray[np.uint8]], folder: str | os.PathLike[str], *,
    sizes: Sizes | None = None, plan: loop.Plan | None = None, size: int = 192, batch: int = 4, device: str = "cpu",
    progress: loop.Progress | None = None,
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
        progress: called with each line of the log.
    """
    import torch

    sizes, plan = sizes or Sizes(), plan or loop.Plan(20000, rate=1e-3)
    crops = data.Crops(pieces, size, batch, plan.seed)
    ops = MixedOps(device)
    start, order = beginning(pieces, sizes, plan.seed)
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / "order.json").write_text(json.dumps({"order": order, "slices": sizes.slices}))

    def loss(weights: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        x = ops.array(crops.at(step))
        # One rate of each quarter, so that batches are alike.
        t = ((torch.arange(batch) + torch.rand(batch)) * (2 / batch) - 1).reshape(-1, 1, 1, 1).to(device)
        out = through(ops, weights, x, t, sizes.slices, True)
        pixels = size * size
        error = ((out.guess - x) ** 2).sum(dim=(1, 2, 3)) * lapped.LEVELS**2 / pixels
        bits = (out.bits + out.hyper) / pixels
        steps = steps_of(t)
        cost = (bits + error / (WORTH * steps**2)) * (steps / 20) ** EVEN
        figures = {
            "bits": bits.mean().item(), "hyper": out.hyper.mean().item() / pixels,
            "psnr": (10 * torch.log10(255**2 / (error / 3 + TINY))).mean().item(),
        }  # fmt: skip
        return cost.mean(), figures

    def check(weights: dict[str, Tensor]) -> dict[str, float]:
        found: dict[str, float] = {}
        for number, rate in enumerate((8, 24, 40, 56)):
            sums = np.zeros(2)
            for piece in held:
                cut = piece[: piece.shape[0] // 8 * 8, : piece.shape[1] // 8 * 8]
                x = ops.array(cut.transpose(2, 0, 1)[None].astype(np.float32) / 255 - np.float32(0.5))
                t = torch.full((1, 1, 1, 1), lapped.rate_number(rate))
                out = through(ops, weights, x, t, sizes.slices, False)
                error = float(((out.guess.clamp(-0.5, 0.5) - x) ** 2).mean())
                pixels = cut.shape[0] * cut.shape[1]
                sums += float(out.bits + out.hyper) / pixels, -10 * math.log10(error)
            found |= {f"bits{number}": sums[0] / len(held), f"psnr{number}": sums[1] / len(held)}
        return found

    return loop.run(
        start, loss, plan, folder, device=device, frozen=frozen, check=check if held else None, progress=progress
    )


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
    steers = {name: value for name, value in w.items() if name.startswith(("hyper_decode.", "slice"))}
    out |= {f"prior/{name}": value for name, value in exact.quantise(steers).items()}
    for name, value in w.items():
        if name.startswith(("refine.", "restore.", "hyper_encode.")):
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
            x = piece.transpose(2, 0, 1).astype(np.float32) / np.float32(255) - np.float32(0.5)
            for found, classes in codec.coded(codec.analyse(x, settings, ops), settings):
                at = np.where(np.abs(found) <= WIDEST, found + WIDEST, 2 * WIDEST + 1)
                np.add.at(seen, (classes.reshape(-1), at.reshape(-1)), 1)
        tables = logistic_tables(seen)
    return packed(weights, slices, tables, variant, about or {})
