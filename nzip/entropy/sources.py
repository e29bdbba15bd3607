"""Which sources of kernels this process runs: those that lay on the disk when the first of them was imported.

A package may be replaced while a program runs, which then has modules of the old and of the new one. What such a
process compiles belongs to neither, so it keeps nothing and believes nothing that was kept. The packages that hold
kernels, and what kernels are made of, import this module before any other of theirs.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache

FOLDERS = ("entropy", "models", "formats")
DIGEST = 32
# Not resolved: where a link is turned to another version, its modules are imported from then on.
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Seen = list[tuple[str, int, int, int]]


def _look() -> Seen | None:
    """Return path, size and times of each source; None where they cannot be seen."""
    found: Seen = []
    folders = [os.path.join(PACKAGE, folder) for folder in FOLDERS]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        seen = entry.stat()
                        found.append((entry.path, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))
                    elif "." not in entry.name and entry.name not in ("__pycache__", "weights") and entry.is_dir():
                        folders.append(entry.path)
    except OSError:
        return None
    return sorted(found)


_first = _look()
_changed = not _first


def unchanged() -> bool:
    """Whether all sources have been as they are now since the first of them was imported."""
    global _changed
    _changed = _changed or _look() != _first
    return not _changed


@lru_cache(maxsize=1)
def digest() -> bytes:
    """Return the hash of all sources; it is that of what runs here only while they are `unchanged`."""
    hashed = hashlib.blake2b(digest_size=DIGEST)
    for path, *_ in _first or ():
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            content = b""  # gone, so they have changed
        name = os.path.relpath(path, PACKAGE).replace(os.sep, "/")
        hashed.update(f"{name}\0{len(content)}\0".encode() + content)
    return hashed.digest()
