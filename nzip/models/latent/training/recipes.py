"""Which recipe makes a model of which codec, and what all recipes are told.

A recipe is a function `recipe(kind, paths, out, folder, options, progress)` that learns from files, writes the model to
`out` and its card beside it, and returns what the loop gave. It goes on from the checkpoint in `folder` if there is
one, and leaves out the model where the loop was not finished.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nzip.models.latent.training import loop

AnyPath = str | os.PathLike[str]

RECIPES = {
    ("image", "walloc"): "nzip.models.latent.walloc.training:recipe",
    ("image", "vqgan"): "nzip.models.latent.vqgan.training:recipe",
    ("image", "hyperprior"): "nzip.models.latent.hyperprior.training:recipe",
    ("audio", "walloc"): "nzip.models.latent.walloc.training:recipe",
    ("audio", "grvq"): "nzip.models.latent.grvq.training:recipe",
}


@dataclass(frozen=True)
class Options:
    """What a recipe is told; what is None is the recipe's to choose.

    Attributes:
        variant: which of the codec's sizes, by name.
        steps, rate, seed, minutes: see `loop.Plan`.
        batch: pieces at a time.
        crop: pixels of a side of a piece, or samples.
        reduce: how many pixels along each axis become one, to take the traces of JPEG out of photographs.
        device: torch's name of it.
    """

    variant: str | None = None
    steps: int | None = None
    rate: float | None = None
    batch: int | None = None
    crop: int | None = None
    seed: int = 1
    minutes: float = 0.0
    reduce: int = 1
    device: str = "cpu"

    def plan(self, plan: loop.Plan) -> loop.Plan:
        """Return a recipe's plan with what was asked for in it."""
        asked: dict[str, Any] = {"steps": self.steps, "rate": self.rate}
        asked = {name: value for name, value in asked.items() if value is not None}
        return replace(plan, seed=self.seed, minutes=self.minutes, **asked)


def codecs_of(kind: str) -> list[str]:
    """Return the codecs that can learn from pictures ("image") or sounds ("audio")."""
    return [codec for other, codec in RECIPES if other == kind]


def train(
    kind: str,
    codec: str,
    paths: Sequence[AnyPath],
    out: AnyPath,
    folder: AnyPath,
    options: Options,
    progress: loop.Progress | None = None,
) -> loop.Result:
    """Learn a model of a codec from files.

    Args:
        kind: "image" or "audio".
        codec: its name.
        paths: pictures or sounds, or folders of them.
        out: path of the model; its card gets the same name and `.md`.
        folder: for checkpoints and the log.
        options: see `Options`.
        progress: see `loop.run`.

    Raises:
        ValueError: there is no such recipe or variant.
        UnsupportedError: there is nothing to learn from, or a package is missing.
        CorruptError: the checkpoint is damaged.
    """
    if (kind, codec) not in RECIPES:
        raise ValueError(f"no recipe makes {codec} for {kind}; there are {', '.join(codecs_of(kind))}")
    module, _, name = RECIPES[kind, codec].partition(":")
    recipe = getattr(importlib.import_module(module), name)
    result: loop.Result = recipe(kind, list(paths), Path(out), Path(folder), options, progress)
    return result
