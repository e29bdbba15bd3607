"""How `walloc` learns: principal components, then the decoder's network on random gains, then priors.

The encoder is the best linear one, the principal components of the wavelet packets of all the data, so only the
decoder is left to gradient descent. Its loss is the mean squared error in the signal, as in the paper (Jacobellis and
Yadwadkar, "Learned Compression for Compressed Learning", DCC 2025, section III). The paper lets uniform noise stand
for rounding, for its encoder's sake; here no gradient has to pass and latents are rounded. A network that had learned
from noise took 2 dB of noise away, which rounding does not make, and gave nothing on rounded latents.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip import outputs
from nzip.models.latent import weights as files
from nzip.models.latent.layers import TorchOps, new_conv
from nzip.models.latent.priors import planes
from nzip.models.latent.training import data, loop
from nzip.models.latent.training.options import Options
from nzip.models.latent.walloc import codec as walloc
from nzip.models.latent.walloc import wavelet
from nzip.models.latent.walloc.training.prior import learn
from nzip.models.latent.weights import Model

Tensor = Any  # torch.Tensor: the package may be absent where types are checked
Floats = NDArray[np.float32]

SATURATION = 50.0  # deviation of a latent times its gain, at most, so that companding does not cut off its ends
SCALE = 4.0  # what the network sees is of the order of one
SQUARE = 768  # pixels of a side of what priors see of a picture
MOST = 320_000  # places that priors are learned from, about


@dataclass(frozen=True)
class Shape:
    """A codec to learn.

    Attributes:
        axes: 2 for pictures, 1 for sounds.
        levels: of the wavelet packets.
        latents: Z.
        width: features of the network.
        blocks: residual blocks.
        gains: the lowest and the highest.
        priors: how many, at gains spread from the lowest to the highest.
        rate: of sounds, samples a second.
    """

    axes: int = 2
    levels: int = 3
    latents: int = 48
    width: int = 128
    blocks: int = 5
    gains: tuple[float, float] = (1.0, 24.0)
    priors: int = 13
    rate: int = 0

    @property
    def channels(self) -> int:
        return 3 if self.axes == 2 else 2


PICTURES = {"48": Shape(), "12": Shape(latents=12)}
# Above a gain of 126 loud music runs into the ends of companding.
SOUNDS = {str(z): Shape(1, 8, z, 192, 4, (4.0, 126.5), 7, 44100) for z in (108, 27)}


def join(bands: Tensor, levels: int, axes: int) -> Tensor:
    """Return the signal (N, C, H, W) or (N, C, T) of bands: `wavelet.synthesise`, with gradients."""
    import torch

    steps = wavelet.STEPS
    x = bands
    for _ in range(levels):
        # Along the width first, then along the height: the other way round than they were split.
        for axis in range(axes):
            x = x.unflatten(1, (-1, 2))
            low, high = x[:, :, 0] / wavelet.SCALE, x[:, :, 1] * wavelet.SCALE
            at = -1 - axis
            low = low - steps[3] * (high + high.roll(1, at))
            high = high - steps[2] * (low + low.roll(-1, at))
            low = low - steps[1] * (high + high.roll(1, at))
            high = high - steps[0] * (low + low.roll(-1, at))
            size = list(low.shape)
            size[at] *= 2
            x = torch.stack([low, high], dim=low.dim() + at + 1).reshape(size)
    return x


def components(pieces: list[NDArray[Any]], shape: Shape) -> tuple[Floats, Floats]:
    """Return the encoder (Z, B) and the linear decoder (B, Z).

    A component that varies so much that companding would cut it off at the highest gain is made smaller.
    """
    size = shape.channels << (shape.axes * shape.levels)
    total, count = np.zeros((size, size)), 0
    for piece in pieces:
        bands = wavelet.analyse(walloc.padded(data.signal_of(piece), 1 << shape.levels), shape.levels).reshape(size, -1)
        total += bands.astype(np.float64) @ bands.T
        count += bands.shape[1]
    values, vectors = np.linalg.eigh(total / count)
    order = np.argsort(values)[::-1][: shape.latents]
    basis = vectors[:, order].T
    basis *= np.where(basis.sum(axis=1, keepdims=True) < 0, -1, 1)  # the sign is free: one for all machines
    deviation = np.sqrt(np.maximum(values[order], 1e-12))
    shrink = np.minimum(1.0, SATURATION / (deviation * shape.gains[1]))[:, None]
    return np.array(basis * shrink, np.float32), np.array((basis / shrink).T, np.float32)


def fresh(shape: Shape, seed: int) -> dict[str, Floats]:
    """Return the network's weights to begin with: it adds nothing yet."""
    random = np.random.default_rng(seed)
    taps = [3] * shape.axes
    out = new_conv(random, "first", shape.width, shape.latents + 1, *taps, scale=0.6)
    for block in range(shape.blocks):
        out |= new_conv(random, f"blocks.{block}.one", shape.width, shape.width, *taps, scale=0.6)
        out |= new_conv(random, f"blocks.{block}.other", shape.width, shape.width, *taps, scale=0.1)
    return out | new_conv(random, "last", shape.channels << (shape.axes * shape.levels), shape.width, *taps, scale=0.01)


def _quantised(z: Tensor, gain: Tensor) -> Tensor:
    """Return latents as the decoder has them, without their gain."""
    import torch

    u = torch.round(walloc.LEVELS * torch.erf(z * gain / (walloc.SPREAD * math.sqrt(2))))
    share = (u / (2 * walloc.LEVELS) + 0.5).clamp(walloc.LEAST, 1 - walloc.LEAST)
    return walloc.SPREAD * math.sqrt(2) * torch.erfinv(2 * share - 1) / gain


def train(
    material: data.Material,
    folder: str | os.PathLike[str],
    shape: Shape,
    plan: loop.Plan,
    *,
    crop: int,
    batch: int,
    held: int = 3,
    device: str = "cpu",
    progress: loop.Progress | None = None,
) -> tuple[loop.Result, Floats, list[str]]:
    """Learn a codec's matrices and network.

    Args:
        material: pictures, or sounds at the shape's rate with two channels.
        folder: for checkpoints.
        shape: of the codec.
        plan: of the loop.
        crop: samples along each axis of what is learned from, a multiple of 2^levels.
        batch: crops at a time.
        held: pieces, spread over all, that are held out to look at.
        device: torch's name of it.
        progress: see `loop.run`.

    Returns:
        What the loop gave, its weights `network.*` and `linear`; the encoder; and names of what was held out.
    """
    import torch

    pieces = material.pieces
    apart = {len(pieces) * (2 * n + 1) // (2 * held) for n in range(held)} if len(pieces) > 4 * held else set()
    crops = data.Crops([p for n, p in enumerate(pieces) if n not in apart], crop, batch, plan.seed)
    encoder, linear = components(crops.pieces, shape)
    ops, basis = TorchOps(device), torch.from_numpy(encoder).to(device)
    wide = [1] * shape.axes
    low, high = map(math.log, shape.gains)

    def back(w: dict[str, Tensor], bands: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """Return bands with and without the network."""
        z = _quantised(torch.einsum("zb,nb...->nz...", basis, bands), gain)
        told = torch.log(gain / walloc.MIDDLE_GAIN).expand(-1, 1, *z.shape[2:])
        alone = torch.einsum("bz,nz...->nb...", w["linear"], z)
        network = {name.removeprefix("network."): value for name, value in w.items()}
        kind = "cuda" if device.startswith("cuda") else "cpu"
        with torch.autocast(kind, dtype=torch.bfloat16):
            more = walloc.refine(ops, network, SCALE * z, told)
        return alone + more.float(), alone

    def bands_of(signals: Floats) -> Tensor:
        return ops.array(np.stack([wavelet.analyse(signal, shape.levels) for signal in signals]))

    def loss(w: dict[str, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        signals = crops.at(step)
        gain = torch.exp(low + (high - low) * torch.rand(len(signals), 1, *wide)).to(device)
        found, alone = back(w, bands_of(signals), gain)
        goal = ops.array(signals)
        error = (join(found, shape.levels, shape.axes) - goal).pow(2).flatten(1).mean(1)
        with torch.no_grad():
            plain = (join(alone, shape.levels, shape.axes) - goal).pow(2).flatten(1).mean(1)
            gains = 10 * torch.log10((plain + 1e-9) / (error + 1e-9)).mean().item()
        # Errors at coarse gains are larger; each counts by its share of what is left without the network.
        return (error / (plain + 1e-5)).mean(), {"mse": error.mean().item(), "db_gained": gains}

    def check(w: dict[str, Tensor]) -> dict[str, float]:
        out: dict[str, float] = {}
        for name, gain in (("low", 0.2), ("middle", 0.5), ("high", 0.8)):
            level = torch.full((1, 1, *wide), math.exp(low + (high - low) * gain), device=device)
            values = []
            for number in sorted(apart):
                signal = data.signal_of(pieces[number])
                ends = tuple(slice(min(n, 16 * crop) // (1 << shape.levels) << shape.levels) for n in signal.shape[1:])
                signal = np.ascontiguousarray(signal[(slice(None), *ends)])
                found, alone = back(w, bands_of(signal[None]), level)
                goal = ops.array(signal[None])
                errors = [(join(x, shape.levels, shape.axes) - goal).pow(2).mean().item() for x in (found, alone)]
                values.append([-10 * math.log10(error + 1e-12) for error in errors])
            mean = np.mean(values, axis=0) if values else np.zeros(2)
            out |= {f"psnr_{name}": float(mean[0]), f"linear_{name}": float(mean[1])}
        return out

    start = {f"network.{name}": value for name, value in fresh(shape, plan.seed).items()} | {"linear": linear}

    # Least squares gave the matrix; learning on gains 0.02 dB at best, and one step too large ruins it.
    def frozen(name: str) -> bool:
        return name == "linear"

    result = loop.run(start, loss, plan, folder, check=check, device=device, frozen=frozen, progress=progress)
    return result, encoder, [material.sources[n].file for n in sorted(apart)]


def _learned_from(pieces: list[NDArray[Any]], encoder: Floats, shape: Shape) -> list[Floats]:
    """Return the bands that priors learn from: of pictures those squares, one of each, that have more to code, since
    skies and blurred grounds are too many in photographs to put on walls, and hide what a prior is for."""
    found: list[tuple[float, Floats]] = []
    places = 0
    for number in np.random.default_rng(1).permutation(len(pieces)):
        piece = pieces[number]
        signal = data.signal_of(piece[:SQUARE, :SQUARE] if shape.axes == 2 else piece)
        bands = wavelet.analyse(walloc.padded(signal, 1 << shape.levels), shape.levels)
        if places < MOST:
            z = walloc.compand((np.float32(walloc.MIDDLE_GAIN) * encoder) @ bands.reshape(len(bands), -1))
            found.append((float(np.log2(1 + np.abs(z.astype(np.float32))).mean()), bands))
        places += math.prod(bands.shape[1:])
    if shape.axes == 2:
        found = sorted(found, key=lambda pair: -pair[0])[: -(-len(found) // 2)]
    return [bands for _, bands in found]


def finish(
    result: loop.Result, encoder: Floats, pieces: list[NDArray[Any]], shape: Shape, out: str | os.PathLike[str]
) -> Model:
    """Learn the priors and write the model.

    Args:
        result, encoder: of `train`.
        pieces: what to learn the priors from.
        shape: of the codec.
        out: path of the safetensors file.
    """
    tensors: dict[str, NDArray[Any]] = {"encoder": encoder, "linear": result.weights["linear"]}
    network = {name: w.astype(np.float16) for name, w in result.weights.items() if name.startswith("network.")}
    tensors |= files.small(network)
    low, high = shape.gains
    all_bands = _learned_from(pieces, encoder, shape)
    for number in range(shape.priors):
        gain = low * (high / low) ** (number / (shape.priors - 1))
        latents = []
        for bands in all_bands:
            z = walloc.compand((np.float32(gain) * encoder) @ bands.reshape(len(bands), -1))
            planar = bands.shape[1:] if shape.axes == 2 else (1, *bands.shape[1:])
            latents.append(z.reshape(shape.latents, *planar))
        tensors |= planes.to_tensors(learn(latents), f"priors.{number}.")
    config = {
        "levels": shape.levels, "channels": shape.channels, "axes": shape.axes, "rate": shape.rate, "scale": SCALE,
        "gains": list(shape.gains), "priors": shape.priors,
    }  # fmt: skip
    files.save(out, tensors, {"codec": "walloc", "config": json.dumps(config)})
    return files.load(Path(out))


def recipe(
    kind: str, paths: list[Any], out: Path, folder: Path, options: Options, progress: loop.Progress | None = None
) -> loop.Result:
    """Learn a model from files; see `recipes`. Variants are numbers of latents."""
    shapes = PICTURES if kind == "image" else SOUNDS
    variant = options.variant or next(iter(shapes))
    if variant not in shapes:
        raise ValueError(f"walloc has no variant {variant!r} for {kind}; there are {', '.join(shapes)}")
    shape = shapes[variant]
    if kind == "image":
        material = data.pictures(paths, least=options.crop or 160, reduce=options.reduce)
        crop, batch = options.crop or 160, options.batch or 8
    else:
        material = data.sounds(paths, rate=shape.rate, channels=2)
        crop, batch = options.crop or 1 << 15, options.batch or 8
    plan = options.plan(loop.Plan(steps=9000, rate=5e-4, warm=200))
    result, encoder, held = train(
        material, folder, shape, plan, crop=crop, batch=batch, device=options.device, progress=progress
    )
    if result.finished:
        kept = [p for p, source in zip(material.pieces, material.sources, strict=True) if source.file not in held]
        model = finish(result, encoder, kept, shape, out)
        words = (
            f"Model {model.id} of the codec walloc, {shape.latents} latents for {encoder.shape[1]} bands, "
            f"{model.size:,} bytes. Encoder: principal components of the wavelet packets. Decoder: a matrix and "
            f"{shape.blocks} residual blocks of {shape.width} features, learned on latents at random gains from "
            f"{shape.gains[0]:g} to {shape.gains[1]:g}. Kernels are 8-bit integers with a scale for each row. "
            f"Priors: {shape.priors}, over planes."
        )
        text = loop.card(f"walloc-{shape.latents}", result, plan, material.described(), words, held)
        outputs.write_text(out.with_suffix(".md"), text)
    return result
