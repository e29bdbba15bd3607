"""How a model comes to predict: from its files or what was made of them, by its name or by the id that a file has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, NzipError
from nzip.models.lm.cache.known_models import DEFAULT_MODEL
from nzip.models.lm.cache.local import default_name
from nzip.models.lm.cache.records import InstalledModel, find, remember, resolve
from nzip.models.lm.model import LanguageModel
from nzip.models.lm.network import arithmetic, corrections, weights
from nzip.models.lm.network.config import LlamaConfig, config_of
from nzip.models.lm.readers.opening import open_source
from nzip.models.lm.readers.source import ModelSource
from nzip.models.lm.tree.vocabulary_tree import tree_order
from nzip.models.lm.vocabulary import Vocabulary
from nzip.process import lock


class _InOrder(Mapping[str, NDArray[Any]]):
    """Tensors of a model, the rows of those that belong to tokens put in another order."""

    ROWS = ("model.embed_tokens.weight", "lm_head.weight")

    def __init__(self, tensors: Mapping[str, NDArray[Any]], order: NDArray[np.int32]):
        self._tensors = tensors
        self._order = order

    def __getitem__(self, name: str) -> NDArray[Any]:
        array = self._tensors[name]
        return array[self._order] if name in self.ROWS else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def in_order(source: ModelSource) -> tuple[LlamaConfig, Mapping[str, NDArray[Any]]]:
    """Return a model's shape and its tensors, rows of tokens in tree order."""
    order = tree_order(source.vocabulary.pieces)
    config = config_of(source.architecture, int(np.flatnonzero(order == source.vocabulary.start_id)[0]))
    return config, _InOrder(source.tensors, order)


def quantised(source: ModelSource, corrected: bool = True) -> weights.LmWeights:
    """Return a model's weights in the exact form, corrected where nzip knows how, unless `corrected` is false."""
    config, tensors = in_order(source)
    made = weights.build(config, tensors)
    packed = corrections.read(made.model_id()) if corrected else None
    if packed is None:
        return made
    found = corrections.unpacked(made, packed)
    return weights.checked(found.multiplied(weights.build(config, found.added(made, tensors))))


def open_installed(model: InstalledModel) -> LanguageModel:
    """Return a model of this machine, from what was made of it before or, the first time, from its own files.

    Raises:
        CorruptError: its files are damaged.
        UnsupportedError: it is a model that the arithmetic is not made for.
        OSError: a file cannot be read.
    """
    source = open_source(model.path)
    place = model.derived / f"exact-{arithmetic.ARITHMETIC}-{corrections.version()}.bin"
    known = None
    if place.is_file():
        try:
            known = _loaded(model.name, place, source.vocabulary)
        except NzipError:
            known = None
        if known is not None and (not model.model_ids or known.id in model.model_ids):
            return known
    try:
        made = quantised(source)
    except NzipError as error:
        raise type(error)(f"{model.path}: {error}") from error
    try:
        digest = made.save(place)
    except OSError:  # a cache that cannot be written to costs time only
        return LanguageModel(model.name, made, made.model_id(), source.vocabulary)
    return _loaded(model.name, place, source.vocabulary, digest)


def open_path(path: str | os.PathLike[str]) -> LanguageModel:
    """Return the model of a GGUF file or of a folder in Hugging Face's layout, without making it one of this machine.

    Raises:
        CorruptError: its files are damaged.
        UnsupportedError: it is a model that the arithmetic is not made for.
        OSError: a file cannot be read.
    """
    source = open_source(path)
    try:
        made = quantised(source)
    except NzipError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from error
    return LanguageModel(default_name(path), made, made.model_id(), source.vocabulary)


def _loaded(name: str, place: Path, vocabulary: Vocabulary, digest: str | None = None) -> LanguageModel:
    if digest is None:
        with open(place, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return LanguageModel(name, weights.load(place), digest, vocabulary)


_lock = lock()
_opened: dict[str, LanguageModel] = {}  # by id, one: models are large


def _identify(model: InstalledModel) -> str:
    opened = open_installed(model)
    _opened.clear()
    _opened[opened.id] = opened
    return opened.id


def by_name(name: str = DEFAULT_MODEL) -> LanguageModel:
    """Return the model called `name` here.

    Raises:
        MissingModelError: there is none.
        NzipError, OSError: it cannot be loaded.
    """
    with _lock:
        for opened in _opened.values():
            if opened.name == name:
                return opened
        model = find(name)
        found = _identify(model)
        if found not in model.model_ids:
            remember(name, found)
        return _opened[found]


def by_id(model_id: str, name: str) -> LanguageModel:
    """Return the model that a file names.

    Args:
        model_id: 64 hexadecimal digits.
        name: what the file calls it.

    Raises:
        MissingModelError: it is not here.
        NzipError, OSError: it cannot be loaded.
    """
    with _lock:
        if model_id not in _opened:
            resolve(model_id, name, _identify)
        if model_id not in _opened:
            raise CorruptError(f"the model {name} changed while it was loaded; try again")
        return _opened[model_id]


def use(model: LanguageModel) -> None:
    """Make a model known by its id without a cache, as tests and programs with models of their own do."""
    with _lock:
        _opened.clear()
        _opened[model.id] = model
