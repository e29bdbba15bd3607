"""What is classified: the rows of a table, or the files of folders; and its split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.data.files import find_files
from nzip.evaluation.data.json_lines import JsonLines
from nzip.evaluation.data.reading import reading
from nzip.evaluation.data.rows import read_rows
from nzip.evaluation.harness.outputs import AnyPath


@dataclass(frozen=True)
class Example:
    """An item: its bytes, its class, and the group (a file, say) that no split divides."""

    data: bytes
    label: str
    group: str


@dataclass
class Labelled:
    """Examples, and notes on what was left out."""

    examples: list[Example]
    notes: list[str] = field(default_factory=list)


def read_table(path: AnyPath, text: str, label: str) -> Labelled:
    """Return the rows of a table: JSON lines (`.jsonl`, `.ndjson`, `.json`), or text with a head and tabs or commas.

    Args:
        path: of the file; `.gz` and `.nz` are decompressed.
        text, label: names of the columns.

    Raises:
        NzipError: the file cannot be read, has no such column, or no row.
    """
    name = os.fspath(path)
    plain = name.removesuffix(".gz").removesuffix(".nz")
    if plain.endswith((".jsonl", ".ndjson", ".json")):
        lines = JsonLines(path, lambda value: _wrong(value, text, label))
        found = [Example(_bytes(value[text]), str(value[label]), str(number)) for number, value in lines]
        return _some(name, Labelled(found, lines.notes()))
    rows = read_rows(path, "\t,")
    columns = rows[0][1] if rows else []
    for wanted in (text, label):
        if wanted not in columns:
            raise NzipError(f"{name}: has no column {wanted!r}; there are {', '.join(columns) or 'none'}")
    at, kind = columns.index(text), columns.index(label)
    labelled = Labelled([])
    for line, cells in rows[1:]:
        if len(cells) != len(columns) or not cells[at] or not cells[kind]:
            labelled.notes.append(f"{name}, line {line}: has no {text} or no {label}; left out")
            continue
        labelled.examples.append(Example(_bytes(cells[at]), cells[kind], str(line)))
    return _some(name, labelled)


def read_folders(paths: Sequence[AnyPath], cut: int = 0, pieces: int = 0) -> Labelled:
    """Return the files of folders; the folder's name is the class.

    Args:
        paths: a folder for each class.
        cut: cuts each file in pieces of so many bytes, a last one of less than half of that left out; 0 for whole
            files. The pieces of a file stay on one side of a split.
        pieces: of each file, the first ones, at most; 0 for all.

    Raises:
        NzipError: a path is no folder, or a file cannot be read.
    """
    found = []
    for path in paths:
        if not Path(path).is_dir():
            raise NzipError(f"{os.fspath(path)}: is no folder; each class is one")
        label = Path(path).resolve().name
        for file in find_files([path]):
            with reading(file.location):
                data = file.location.read_bytes()
            parts = [data]
            if cut:
                parts = [data[at : at + cut] for at in range(0, len(data), cut)]
                parts = [part for part in parts if 2 * len(part) >= cut]
            found += [Example(part, label, f"{label}/{file.path}") for part in parts[: pieces or None] if part]
    return _some(", ".join(os.fspath(path) for path in paths), Labelled(found))


def _wrong(value: Any, text: str, label: str) -> str | None:
    for name in (text, label):
        if name not in value:
            return f'has no field "{name}"'
    if not isinstance(value[text], str) or not value[text]:
        return f'its field "{text}" is no string, or empty'
    return None if isinstance(value[label], str | int) else f'its field "{label}" is no string or integer'


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _some(name: str, labelled: Labelled) -> Labelled:
    if len({example.label for example in labelled.examples}) < 2:
        raise NzipError(f"{name}: holds fewer than two classes; nothing can be told apart")
    return labelled


def split(examples: Sequence[Example], share: float = 0.2, seed: int = 0) -> tuple[list[int], list[int]]:
    """Return the places of the training and of the test items, sorted.

    Of each class, groups drawn by lot go to the test until it holds `share` of the items, rounded; the last group of
    a class always stays for training.

    Raises:
        ValueError: `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"test share {share} is not between 0 and 1")
    random = np.random.Generator(np.random.PCG64(seed))
    train, test = [], []
    for label in sorted({example.label for example in examples}):
        groups: dict[str, list[int]] = {}
        for at, example in enumerate(examples):
            if example.label == label:
                groups.setdefault(example.group, []).append(at)
        names = list(groups)
        order = [names[k] for k in random.permutation(len(names))]
        wanted = round(share * sum(map(len, groups.values())))
        taken: list[int] = []
        for name in order[:-1]:
            if len(taken) >= wanted:
                break
            taken += groups[name]
        test += taken
        train += sorted({at for group in groups.values() for at in group} - set(taken))
    return sorted(train), sorted(test)
