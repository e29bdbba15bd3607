"""How the models of `hyperprior` learn: the lapped network from photographs, and a smaller one from a larger."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nzip import outputs
from nzip.models.latent.codecs import CODECS, SUFFIX, shipped_folder
from nzip.models.latent.hyperprior.training.files import finish
from nzip.models.latent.hyperprior.training.network import Sizes
from nzip.models.latent.hyperprior.training.runs import LEAST_SIMILAR, SIMILAR, SMALL, distil, learn
from nzip.models.latent.training import data, loop
from nzip.models.latent.training.options import Options
from nzip.models.latent.weights import load


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
