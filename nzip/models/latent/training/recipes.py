"""Which recipe makes a model of which codec.

A recipe is the function `recipe(kind, paths, out, folder, options, progress)` of the module `training.recipe` in a
codec's folder. It learns from files, writes the model to `out` and its card beside it, and returns what the loop gave.
It goes on from the checkpoint in `folder` if there is one, and writes no model where the loop was not finished.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from nzip.models.latent.training import loop
from nzip.models.latent.training.options import Options

AnyPath = str | os.PathLike[str]

RECIPES = {"image": ("walloc", "vqgan", "hyperprior"), "audio": ("walloc", "grvq")}


def codecs_of(kind: str) -> list[str]:
    """Return the codecs that can learn from pictures ("image") or sounds ("audio")."""
    return list(RECIPES.get(kind, ()))


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
    if codec not in codecs_of(kind):
        raise ValueError(f"no recipe makes {codec} for {kind}; there are {', '.join(codecs_of(kind))}")
    made_by = importlib.import_module(f"nzip.models.latent.{codec}.training.recipe")
    result: loop.Result = made_by.recipe(kind, list(paths), Path(out), Path(folder), options, progress)
    return result
