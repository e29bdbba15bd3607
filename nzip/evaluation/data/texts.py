"""Texts to measure language models on: corpora of documents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import NzipError
from nzip.evaluation.data.json_lines import JsonLines, has_text
from nzip.evaluation.data.reading import open_binary, reading
from nzip.evaluation.harness.outputs import AnyPath

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
