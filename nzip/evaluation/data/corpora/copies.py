"""Copies of corpora on this machine: whether they are there and intact."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.data.corpora.manifest import Corpus, CorpusFile, corpora_named
from nzip.evaluation.harness.findings import Echo

CHUNK = 1 << 20


def verify(names: Sequence[str], folder: str | os.PathLike[str], *, echo: Echo | None = None) -> list[dict[str, Any]]:
    """Check the corpora `names` (all where empty) below `folder` and return a row for each file.

    A file is looked for as `folder/NAME/path`, then anywhere below `folder` by its name, where a copy with the right
    bytes wins.

    Returns:
        Rows of `corpus`, `path`, `location` (None where missing), `bytes` (expected), `status`: `"ok"`, `"missing"`,
        `"damaged"`, or `"unverified"` (the size is right, no hash is known).

    Raises:
        NzipError: a name is unknown, or the folder does not exist.
    """
    corpora = corpora_named(names)
    root = Path(folder)
    if not root.is_dir():
        raise NzipError(f"{folder}: no such folder")
    say = echo or silent
    below = Below(root)
    rows = []
    for corpus in corpora:
        counts: dict[str, int] = {}
        for file in corpus.files:
            location, status = below.find(corpus, file)
            counts[status] = counts.get(status, 0) + 1
            if status in ("damaged", "missing"):
                say(f"{corpus.name}/{file.path}: {status}")
            rows.append(
                {
                    "corpus": corpus.name,
                    "path": file.path,
                    "location": None if location is None else str(location),
                    "bytes": file.size,
                    "status": status,
                }
            )
        words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        note = " (unverified: the size is right, no hash is known)" if "unverified" in counts else ""
        say(f"{corpus.name}: {words}{note}")
    return rows


def silent(line: str) -> None:
    return None


def fault(size: int, digest: str, file: CorpusFile) -> str | None:
    """Return what is wrong with bytes of `size` and `digest`, or None."""
    if size != file.size:
        return f"has {size:,} bytes in place of {file.size:,}"
    if file.sha256 is not None and digest != file.sha256:
        return f"has SHA-256 {digest[:16]}… in place of {file.sha256[:16]}…"
    return None


def state(location: Path, file: CorpusFile) -> str:
    """Return `ok`, `unverified`, `damaged` or `missing`."""
    if not location.is_file():
        return "missing"
    if location.stat().st_size != file.size:
        return "damaged"
    if file.sha256 is None:
        return "unverified"
    with open(location, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return "ok" if digest == file.sha256 else "damaged"


class Below:
    """Finds files below a folder by their names; walks it once, and only when it has to."""

    def __init__(self, root: Path):
        self._root = root
        self._names: dict[str, list[Path]] | None = None

    def named(self, name: str) -> list[Path]:
        """Return all files with this base name, in order."""
        if self._names is None:
            self._names = {}
            for folder, folders, names in os.walk(self._root):
                folders.sort()
                for inner in sorted(names):
                    self._names.setdefault(inner, []).append(Path(folder, inner))
        return self._names.get(name, [])

    def find(self, corpus: Corpus, file: CorpusFile) -> tuple[Path | None, str]:
        """Return the best copy of `file` and its state.

        A file of the right name elsewhere is only taken for a copy when its size is right, and for one without a
        known hash never: too many files are called alike.
        """
        proper = self._root / corpus.name / file.path
        status = state(proper, file)
        if status in ("ok", "unverified"):
            return proper, status
        if file.sha256 is not None:
            for location in self.named(PurePosixPath(file.path).name):
                if location.stat().st_size == file.size and state(location, file) == "ok":
                    return location, "ok"
        return (None, "missing") if status == "missing" else (proper, "damaged")
