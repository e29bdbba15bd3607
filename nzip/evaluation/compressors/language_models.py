"""Language models as the measures need them: bits of tokens, by name or file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.errors import NzipError


class Scorer(Protocol):
    """A language model as the measures need it; `LanguageModel` of `nzip.models.lm` is one."""

    name: str
    id: str

    @property
    def window(self) -> int:
        """Tokens that a prediction may see."""

    @property
    def size(self) -> int | None:
        """Bytes of the model's files."""

    def encode(self, data: bytes) -> NDArray[np.int32]:
        """Return the tokens of `data`, (n,)."""

    def pieces(self, tokens: NDArray[np.int32]) -> list[bytes]:
        """Return the bytes of each token."""

    def costs(self, tokens: NDArray[np.int32], first: int = 1) -> NDArray[np.float64]:
        """Return bits of `tokens[first:]`, each given all before it; nan where the model has no such token."""

    def shape(self) -> dict[str, Any]:
        """Return the sizes of the network, by the names of Hugging Face's `config.json`."""


class _Model:
    """A `Scorer` of a model that nzip loads."""

    def __init__(self, language: Any, name: str, size: int):
        self._language = language
        self.name = name
        self.id: str = language.id
        self.window: int = language.config.max_context
        self.size: int | None = size
        self.encode = language.encode
        self.pieces = language.pieces
        self.costs = language.costs

    def shape(self) -> dict[str, Any]:
        c = self._language.config
        return {
            "vocab_size": c.vocab,
            "num_hidden_layers": c.layers,
            "hidden_size": c.width,
            "num_attention_heads": c.heads,
            "num_key_value_heads": c.kv_heads,
            "head_dim": c.head_dim,
            "intermediate_size": c.ffn,
        }


@functools.lru_cache(maxsize=1)  # models are large
def load_model(name: str) -> Scorer:
    """Return a model: one of this machine by its name, or a GGUF file or a folder in Hugging Face's layout by its path.

    Raises:
        NzipError: it is not here (the error says how to get it), damaged, or of a kind that nzip does not run.
    """
    from nzip.models.folder import models_folder
    from nzip.models.lm import loading
    from nzip.models.lm.cache.known_models import is_name
    from nzip.models.lm.cache.local import default_name
    from nzip.models.lm.cache.records import find
    from nzip.models.lm.readers.opening import open_source

    place = Path(name)
    try:
        here = is_name(name) and (models_folder() / name / "model.json").is_file()
        if here or (is_name(name) and not place.exists()):
            return _Model(loading.by_name(name), name, find(name).size)
        if not place.exists():
            raise NzipError(f"{name}: no such model; list those here: nzip models list; get one: nzip models pull")
        size = sum(file.stat().st_size for file in open_source(place).files)
        return _Model(loading.open_path(place), default_name(place), size)
    except OSError as error:
        raise NzipError(f"{name}: cannot read it: {error.strerror or error}") from None


_given: dict[str, Scorer] = {}


def scorer(model: str | Scorer) -> Scorer:
    """Return a model by what `models` of a measure names it; an object is remembered under its name."""
    if isinstance(model, str):
        return _given.get(model) or load_model(model)
    _given[model.name] = model
    return model
