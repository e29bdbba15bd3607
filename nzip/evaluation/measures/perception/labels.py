"""Labels of files, as a task may want them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from nzip.errors import NzipError
from nzip.evaluation.data.rows import read_rows
from nzip.evaluation.data.signals import Source
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.measures.perception.tasks import Item


def read_labels(path: AnyPath) -> dict[str, str]:
    """Return labels by path from a CSV file of two columns, path and label; a first line `path,label` is passed over.

    Raises:
        NzipError: it cannot be read, a line has another number of columns, or a path stands there twice.
    """
    found: dict[str, str] = {}
    for line, row in read_rows(path):
        if line == 1 and row == ["path", "label"]:
            continue
        where = f"{os.fspath(path)}, line {line}"
        if len(row) != 2:
            raise NzipError(f"{where}: has {len(row)} columns; write path,label")
        if row[0] in found:
            raise NzipError(f"{where}: {row[0]} has a label already")
        found[row[0]] = row[1]
    return found


def labelled(sources: Sequence[Source], labels: Mapping[str, str] | None) -> list[Item]:
    """Return the items; a label goes to the path that results show, else to the only file of that name.

    Raises:
        NzipError: a file has no label.
    """
    names = [Path(source.file.path).name for source in sources]
    items = []
    for source, name in zip(sources, names, strict=True):
        path = source.file.path
        label = None
        if labels is not None:
            label = labels.get(path, labels.get(name) if names.count(name) == 1 else None)
            if label is None:
                raise NzipError(f"{path}: has no label; add a line {path},LABEL")
        items.append(Item(path, source.kind, label, source.file.sha256, str(source.file.location)))
    return items
