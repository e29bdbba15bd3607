"""What the measures of language models read: corpora of documents, and models by name or file."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.errors import NzipError
from nzip.evaluation.study import AnyPath, JsonLines, has_text, open_binary, reading

JSONL = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.nz", ".ndjson.nz")


@dataclass
class Corpus:
    """Documents under one name.

    Attributes:
        name: what its column is called.
        documents: their bytes, none empty; text is UTF-8, as a rule.
    """

    name: str
    documents: list[bytes] = field(default_factory=list)

    def about(self) -> dict[str, Any]:
        """Return what results say of it: numbers, and the SHA-256 of all documents one after another."""
        digest = hashlib.sha256()
        for document in self.documents:
            digest.update(document)
        return {
            "name": self.name,
            "documents": len(self.documents),
            "bytes": sum(map(len, self.documents)),
            "characters": sum(map(characters, self.documents)),
            "sha256": digest.hexdigest(),
        }


def starts(data: bytes) -> NDArray[np.bool_]:
    """Return which bytes of UTF-8 begin a code point, (n,): all but those of the form 10xxxxxx."""
    return (np.frombuffer(data, np.uint8) & 0xC0) != 0x80


def characters(data: bytes) -> int:
    """Return how many code points of UTF-8 begin in `data`; a piece of one counts where its first byte is."""
    return int(np.count_nonzero(starts(data)))


def first_characters(data: bytes, count: int) -> bytes:
    """Return the start of `data` that has `count` whole characters, or all of it."""
    places = np.flatnonzero(starts(data))
    return data if len(places) <= count else data[: places[count]]


def read_corpora(
    paths: Sequence[AnyPath], *, text_field: str = "text", limit: int | None = None
) -> tuple[list[Corpus], list[str]]:
    """Return the corpora that `paths` name, and notes of what was left out.

    Args:
        paths: of files and folders, `NAME=PATH` where the name is not to be the file's; one name given more than once
            is one corpus. A file of JSON lines has a document in each line, any other file is one document (`.gz` and
            `.nz` are decompressed); of a folder all files are taken, sorted.
        text_field: of a JSON line, that holds the document.
        limit: characters of a corpus, from its start.

    Raises:
        NzipError: a file cannot be read, or a corpus has no text.
    """
    found: dict[str, Corpus] = {}
    notes: list[str] = []
    for path in paths:
        given = os.fspath(path)
        name, place = "", Path(given)
        if not place.exists() and "=" in given:
            name, _, rest = given.partition("=")
            place = Path(rest)
        name = name or place.name or str(place)
        corpus = found.setdefault(name, Corpus(name))
        for file in _files(place):
            if file.name.endswith(JSONL):
                lines = JsonLines(file, has_text(text_field))
                documents = [value[text_field].encode("utf-8", "surrogatepass") for _, value in lines]
                notes += lines.notes()
            else:
                documents = [_read(file)]
            corpus.documents += [document for document in documents if document]
    for corpus in found.values():
        if limit is not None:
            corpus.documents = _within(corpus.documents, limit)
        if not corpus.documents:
            raise NzipError(f"{corpus.name}: has no text; name a file with some, or its --field")
    return list(found.values()), notes


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(file for file in place.rglob("*") if file.is_file())
    if not place.is_file():
        raise NzipError(f"{place}: no such file or folder")
    return [place]


def _read(path: Path) -> bytes:
    with reading(path), open_binary(path) as file:
        return file.read()


def _within(documents: Sequence[bytes], limit: int) -> list[bytes]:
    kept = []
    for document in documents:
        if limit <= 0:
            break
        kept.append(first_characters(document, limit))
        limit -= characters(kept[-1])
    return [document for document in kept if document]


# Models


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
    from nzip.models import folder
    from nzip.models.lm import loading
    from nzip.models.lm.cache import known_models, local, records
    from nzip.models.lm.readers import opening

    place = Path(name)
    try:
        here = known_models.is_name(name) and (folder.models_folder() / name / "model.json").is_file()
        if here or (known_models.is_name(name) and not place.exists()):
            return _Model(loading.by_name(name), name, records.find(name).size)
        if not place.exists():
            raise NzipError(f"{name}: no such model; list those here: nzip models list; get one: nzip models pull")
        size = sum(file.stat().st_size for file in opening.open_source(place).files)
        return _Model(loading.open_path(place), local.default_name(place), size)
    except OSError as error:
        raise NzipError(f"{name}: cannot read it: {error.strerror or error}") from None


_given: dict[str, Scorer] = {}


def scorer(model: str | Scorer) -> Scorer:
    """Return a model by what `models` of a measure names it; an object is remembered under its name."""
    if isinstance(model, str):
        return _given.get(model) or load_model(model)
    _given[model.name] = model
    return model
