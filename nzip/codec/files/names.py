"""Where outputs go when nobody says: the names of files that are compressed, packed, decompressed and extracted."""

from __future__ import annotations

import os

from nzip.errors import FileError
from nzip.formats.container.structures import Header
from nzip.outputs import AnyPath

SUFFIX = ".nz"
TREE_SUFFIX = ".tar.nz"


def compressed_name(source: AnyPath) -> str:
    """Return where `compress_file` puts its output: the source's path and `.nz`."""
    return os.fspath(source) + SUFFIX


def packed_name(folder: AnyPath) -> str:
    """Return where `compress_tree` puts its output: beside the directory, `NAME.tar.nz`.

    Raises:
        FileError: the directory has no name (it is the root).
    """
    parent, name = os.path.split(os.path.abspath(folder))
    if not name:
        raise FileError(folder, "the root directory has no name to pack it under; name the directories in it")
    spelled = os.fspath(folder).rstrip("/" + os.sep)
    if os.path.basename(spelled) == name:
        return spelled + TREE_SUFFIX
    return os.path.join(os.path.relpath(parent), name + TREE_SUFFIX)  # ".", "x/.."


def decompressed_name(source: AnyPath, header: Header | None = None) -> str:
    """Return where `decompress_file` puts its output: the path without `.nz`, or the name stored in `header`.

    Raises:
        FileError: neither gives a name.
    """
    path = os.fspath(source)
    if header is not None and header.name is not None:
        return os.path.join(os.path.dirname(path), header.name)
    if path.endswith(SUFFIX) and os.path.basename(path) != SUFFIX:
        return path[: -len(SUFFIX)]
    raise FileError(path, f"its name does not end in {SUFFIX}; say where to write")


def extracted_name(source: AnyPath) -> str:
    """Return where `extract_tree` puts the directory: the path without `.tar.nz`, or without `.nz`.

    Raises:
        FileError: that gives no name.
    """
    path = os.fspath(source)
    folder, name = os.path.split(path)
    for suffix in (TREE_SUFFIX, SUFFIX):
        if name.endswith(suffix):
            name = name[: -len(suffix)]
            if name in ("", os.curdir, os.pardir):
                break
            return os.path.join(folder, name)
    raise FileError(
        path,
        f"its name gives none to the directory in it (as NAME{TREE_SUFFIX} and NAME{SUFFIX} do); say where to extract "
        "it",
    )
