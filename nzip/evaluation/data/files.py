"""The files that a user names, and those in folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nzip.errors import NzipError


@dataclass(frozen=True)
class InputFile:
    """A file to measure: where it is, and what the results call it."""

    location: Path
    path: str
    size: int
    sha256: str


def find_files(paths: Sequence[str | os.PathLike[str]]) -> list[InputFile]:
    """Return the files named by `paths`, and those under the folders among them, sorted by path.

    Links to folders and what is not a plain file are passed over.

    Raises:
        NzipError: a path does not exist, or no file is left.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    inner = Path(folder, name)
                    if inner.is_file() and not inner.is_symlink():
                        found[inner.resolve()] = None
        elif path.is_file():
            found[path.resolve()] = None
        else:
            raise NzipError(f"{path}: no such file or folder")
    if not found:
        raise NzipError("no files to measure: name files, or folders that hold some")
    common = Path(os.path.commonpath([location.parent for location in found]))
    files = []
    for location in sorted(found):
        try:
            with open(location, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise NzipError(f"{location}: cannot read it: {error.strerror}") from None
        name = location.relative_to(common).as_posix()
        files.append(InputFile(location, name, location.stat().st_size, digest))
    return files
