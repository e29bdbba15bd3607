"""How the codec `grvq` learns speech.

Two runs of the shared loop. The first learns encoder, decoder and codebooks from distances between spectra: mel
spectra and magnitudes at several lengths of window, as HiFi-Codec (Yang et al., 2023, section 3.3) and its kin weigh
them, and complex spectra with a small weight. It starts without the quantiser; after `settle` steps the codebooks are
found by k-means in the latents, and from then on they follow them as moving averages (van den Oord et al., "Neural
Discrete Representation Learning", 2017, appendix A), codewords that nothing uses being set anew (Zeghidour et al.,
"SoundStream", 2021, section III-C). The gradients pass the quantiser unchanged, and each sound uses a random number of
its layers (same paper, section III-C), so one codec serves every rate.

The second run adds two small discriminators of complex spectra (Jang et al., "UnivNet", 2021, section 2.2; Défossez et
al., "High Fidelity Neural Audio Compression", 2022, section 3.4), with the codebooks and the encoder as they are: they
take the buzz out of what the decoder makes.

Voices that were never heard are the aim, so every piece is also heard at another speed, pitch and formants with it,
and gains, noise and narrower bands are drawn for each.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip import outputs
from nzip.models.latent import weights as files
from nzip.models.latent.grvq.codec import GrvqCodec
from nzip.models.latent.grvq.networks import Shape, new_weights, weight_shapes
from nzip.models.latent.grvq.training.losses import AdversarialLoss, SpectralLoss, held_out, judges
from nzip.models.latent.grvq.training.prior import learn_prior, streams
from nzip.models.latent.grvq.training.setup import FIRST, SECOND, Setup
from nzip.models.latent.grvq.training.sounds import as_floats, speeds
from nzip.models.latent.layers import TorchOps, Weights
from nzip.models.latent.priors.frames import FramesPrior
from nzip.models.latent.training import data, loop
from nzip.models.latent.training.options import Options

Floats = NDArray[np.float32]

FROZEN = ("codes", "uses", "sums")
APART = 16  # one of so many files is held out, where none is named


def first_weights(shape: Shape, seed: int) -> dict[str, Floats]:
    """Return what the first run begins with: the networks, and codebooks that wait."""
    books = (shape.layers, shape.groups, shape.codes)
    return {
        **new_weights(shape, seed),
        "codes": np.zeros((*books, shape.depth), np.float32),
        "uses": np.zeros(books, np.float32),
        "sums": np.zeros((*books, shape.depth), np.float32),
    }


def with_codes(result: loop.Result, folder: Path) -> loop.Result:
    """Return a result with the codebooks of its checkpoint: they are averages themselves, and the loop keeps none."""
    kept = files.load(folder / "checkpoint.safetensors").tensors
    for name in FROZEN:
        result.weights[name] = kept[f"weights/{name}"].astype(np.float32)
    return result


def parted(material: data.Material, held: Sequence[str]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Return the pieces that are learned from, and those of the files that are held out."""
    named = list(zip(material.sources, material.pieces, strict=True))
    return (
        [piece for source, piece in named if source.file not in held],
        [piece for source, piece in named if source.file in held],
    )


def train(
    material: data.Material, folder: str | os.PathLike[str], setup: Setup, held: Sequence[str] = (), *,
    device: str = "cpu", progress: loop.Progress | None = None,
) -> loop.Result:  # fmt: skip
    """Learn a codec, all but its prior, from sounds.

    Args:
        material: speech, at the codec's rate, one channel.
        folder: for checkpoints and logs; a run that was broken off goes on from there.
        setup: see `Setup`.
        held: names of files that are not learned from but looked at now and then.
        device: torch's name of it.
        progress: see `loop.run`.

    Returns:
        The result of the second run, with the seconds of both; of the first where there is no second, or not yet.

    Raises:
        UnsupportedError: the sounds are too short; or as `loop.run`.
        CorruptError: a checkpoint is damaged.
    """
    shape, place, began = setup.shape, Path(folder), time.monotonic()
    heard, kept = parted(material, held)
    length = int(setup.seconds * shape.rate) // shape.hop * shape.hop
    crops = data.Crops(speeds(heard, shape.rate), length, setup.batch, setup.seed)
    spectral = SpectralLoss(crops, setup, device)
    check = held_out(spectral, kept) if kept else None
    first = loop.run(
        first_weights(shape, setup.seed), spectral.loss, setup.first, place / "first", check=check, device=device,
        frozen=lambda name: name in FROZEN, progress=progress,
    )  # fmt: skip
    first = with_codes(first, place / "first")
    plan = setup.second
    if plan.minutes:
        plan = replace(plan, minutes=max(plan.minutes - (time.monotonic() - began) / 60, 0.01))
    if not (plan.steps and first.finished):
        return first
    adversarial = AdversarialLoss(crops, setup, device)
    fixed = {name: value for name, value in first.weights.items() if name not in ("uses", "sums")}
    second = loop.run(
        fixed | judges(setup.seed), adversarial.loss, plan, place / "second", check=check, device=device,
        frozen=lambda name: name == "codes" or name.startswith("enc."), progress=progress,
    )  # fmt: skip
    return replace(second, seconds=first.seconds + second.seconds)


def as_model(
    weights: Weights, prior: FramesPrior, shape: Shape
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return tensors and metadata of a file of weights: kernels in 8 bits, codewords in 16, the prior as it is."""
    tensors = files.small({name: weights[name].astype(np.float16) for name in weight_shapes(shape)})
    tensors["codes"] = weights["codes"].astype(np.float16)
    about = {"codec": "grvq", "config": json.dumps(shape.described(), sort_keys=True)}
    return {**tensors, **prior.tensors()}, about


def without_prior(weights: Weights, shape: Shape) -> GrvqCodec:
    """Return the codec of weights whose prior is still to be learned."""
    packed = files.pack(*as_model(weights, FramesPrior.uniform(weights["codes"].shape), shape))
    return GrvqCodec(files.unpack(packed, "grvq"))


def rates(codec: GrvqCodec, pieces: Sequence[NDArray[Any]], seconds: int = 60) -> dict[int, float]:
    """Return the bits a frame that the codec needs for the first `seconds` of pieces, by how many layers it uses."""
    ops, out = TorchOps(), {}
    for layers in range(1, codec.shape.layers + 1):
        bits = frames = 0
        for piece in pieces:
            symbols = codec.analyse(as_floats(piece[:, : seconds * codec.rate]), (layers,), ops)
            bits += 8 * len(codec.encode(symbols, (layers,)))
            frames += symbols[0].shape[1]
        out[layers] = bits / frames
    return out


def finish(
    result: loop.Result, material: data.Material, out: str | os.PathLike[str], setup: Setup, held: Sequence[str] = (),
    *, prior: FramesPrior | None = None, device: str = "cpu", progress: loop.Progress | None = None,
) -> dict[int, float]:  # fmt: skip
    """Learn the prior, and write the model and its card.

    Args:
        result: of `train`.
        material, setup, held: as `train` was given them.
        out: path of the model; its card gets the same name and `.md`.
        prior: one that was learned before, for the same encoder and codebooks; none is learned then.
        device: torch's name of it.
        progress: see `learn_prior`.

    Returns:
        Bits a frame by how many layers are used, of what was held out, or of everything where nothing was.

    Raises:
        OSError: a file cannot be written.
    """
    shape, plan, path = setup.shape, setup.prior, Path(out)
    heard, kept = parted(material, held)
    if prior is None:
        codec = without_prior(result.weights, shape)
        prior = learn_prior(codec, streams(codec, heard, plan.minutes, device, plan.seed), plan, device, progress)
    tensors, about = as_model(result.weights, prior, shape)
    files.save(path, tensors, about)
    model = files.load(path)
    figures = rates(GrvqCodec(model), kept or heard)
    networks = {name: value for name, value in result.weights.items() if name in tensors}
    words = (
        f"Model {model.id} of the codec grvq for speech, {shape.rate:,} samples a second, one channel, {model.size:,} "
        f"bytes: frames of {shape.hop} samples, {shape.groups} groups and up to {shape.layers} residual layers of "
        f"{shape.codes:,} codewords. Networks and codebooks are 16-bit floats, the prior of the symbols is integers. "
        f"It learned from distances between spectra for {setup.first.steps:,} steps, and then against discriminators, "
        f"the encoder and the codebooks as they were, for {setup.second.steps:,}; the tables tell of the last of them."
    )
    text = loop.card(
        f"grvq: speech at {shape.rate:,} Hz", replace(result, weights=networks),
        setup.second if setup.second.steps else setup.first, material.described(), words, list(held),
    )  # fmt: skip
    lines = ["", "## Rates", "", "Of what was held out." if kept else "Of what it learned from.", ""]
    lines += ["| layers | kbit/s as symbols | kbit/s coded |", "|---|---|---|"]
    frames = shape.rate / shape.hop / 1000
    for layers, bits in figures.items():
        plain = layers * shape.groups * math.log2(shape.codes)
        lines.append(f"| {layers} | {plain * frames:.2f} | {bits * frames:.2f} |")
    outputs.write_text(path.with_suffix(".md"), text + "\n".join(lines) + "\n")
    return figures


def recipe(
    kind: str, paths: list[Any], out: Path, folder: Path, options: Options,
    progress: loop.Progress | None = None,
) -> loop.Result:  # fmt: skip
    """Learn a model from files; see `recipes`. The one variant is 16k; `steps` and `rate` are the first run's."""
    if options.variant not in (None, "16k"):
        raise ValueError(f"grvq has no variant {options.variant!r} for {kind}; there is 16k")
    shape = Shape()
    setup = Setup(
        shape=shape, first=options.plan(FIRST),
        second=replace(SECOND, seed=options.seed, minutes=options.minutes), seed=options.seed,
        batch=options.batch or Setup.batch, seconds=options.crop / shape.rate if options.crop else Setup.seconds,
    )  # fmt: skip
    material = data.sounds(paths, rate=shape.rate, channels=1)
    held = [source.file for source in material.sources[APART - 1 :: APART]]
    result = train(material, folder, setup, held, device=options.device, progress=progress)
    if result.finished:
        finish(result, material, out, setup, held, device=options.device)
    return result
