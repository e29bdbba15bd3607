"""What the tests of files share: contents, archives of all kinds, and what lies in a folder."""

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

import nzip

TEXT = b"to be, or not to be: that is the question\n" * 400
FAST: dict[str, Any] = {"level": 1}
D = tarfile.DIRTYPE
L = tarfile.SYMTYPE

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
not_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything")


def names(folder: Path) -> list[str]:
    """Return what lies in `folder`, unfinished outputs included."""
    return sorted(os.listdir(folder))


def content(root: Path) -> dict[str, Any]:
    """Return all that is in a directory."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        key = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[key] = ("link", os.readlink(path))
        elif path.is_dir():
            found[key] = "dir"
        else:
            found[key] = (path.read_bytes(), int(path.stat().st_mtime), stat.S_IMODE(path.stat().st_mode))
    return found


def hostile(path: Path, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], kind: str = "tar") -> Path:
    """Write an archive of `members` that claims to be a packed directory."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for item in members:
            member, data = item if isinstance(item, tuple) else (item, b"")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    with nzip.Compressor(1, kind=kind) as compressor:
        path.write_bytes(compressor.compress(raw.getvalue()) + compressor.flush())
    return path


def member(name: str, type_: bytes = tarfile.REGTYPE, linkname: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type_, linkname, mode
    return info
