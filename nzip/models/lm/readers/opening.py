"""Opening a model as others store it, whatever its layout."""

from __future__ import annotations

import os
from pathlib import Path

from nzip.errors import UnsupportedError
from nzip.models.lm.network.config import config_of
from nzip.models.lm.readers.gguf import open_gguf
from nzip.models.lm.readers.hugging_face import open_folder
from nzip.models.lm.readers.source import ModelSource


def open_source(path: str | os.PathLike[str]) -> ModelSource:
    """Open a GGUF file or a folder with `config.json`, `*.safetensors` and `tokenizer.json`.

    Raises:
        CorruptError: it is damaged.
        UnsupportedError: it is a model of another architecture, or in another form.
        OSError: it cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        return open_folder(place)
    with open(place, "rb") as file:
        magic = file.read(4)
    if magic == b"GGUF":
        return open_gguf(place)
    if place.name == "config.json" or place.suffix == ".safetensors":
        raise UnsupportedError(f"{place}: is one file of a model; name its folder")
    raise UnsupportedError(f"{place}: is no GGUF file; nzip reads GGUF, and folders with config.json and safetensors")


def check_usable(source: ModelSource) -> None:
    """Refuse a model that could not be run later.

    Raises:
        CorruptError, UnsupportedError: its tokens cannot be read, or the arithmetic is not made for its shape.
    """
    try:
        config_of(source.architecture, source.vocabulary.start_id)
    except UnsupportedError as error:
        text = str(error)
        raise UnsupportedError(text if text.startswith(str(source.path)) else f"{source.path}: {text}") from None
