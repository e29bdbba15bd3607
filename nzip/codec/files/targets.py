"""What is written: streams as they are, files that appear whole, and none over a file that must stay.

`nzip.outputs` writes; here is decided what may be written to.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import BinaryIO

from nzip import outputs
from nzip.codec.files.sources import Source, stream_name, stream_stat
from nzip.errors import FileError
from nzip.outputs import AnyPath, special


class Run:
    """The files of one run of a command: its inputs, and what it wrote. None of them is overwritten, even with force.

    Files are told apart by device and inode, so links, other spellings and folders that take no note of case change
    nothing.

    Args:
        inputs: what will be read.
    """

    def __init__(self, inputs: Iterable[AnyPath] = ()):
        self._files: dict[tuple[int, int], str] = {}
        self._folders: dict[tuple[int, int], str] = {}  # with one of them in it, at any depth
        for path in inputs:
            self._add(path, "is an input of this run")

    def wrote(self, path: AnyPath, source: AnyPath) -> None:
        """Remember an output."""
        self._add(path, f"was written before in this run, from {os.fspath(source)}")

    def removed(self, info: os.stat_result) -> None:
        """Forget an input that was deleted: another file may get its inode."""
        self._files.pop((info.st_dev, info.st_ino), None)

    def _add(self, path: AnyPath, what: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            info = os.stat(path)
            if special(info.st_mode) or not info.st_ino:
                return
            self._files[info.st_dev, info.st_ino] = what
            folder = os.path.realpath(os.path.dirname(os.fspath(path)) or ".")
            while True:
                above = os.stat(folder)
                if (above.st_dev, above.st_ino) in self._folders:
                    return
                self._folders[above.st_dev, above.st_ino] = os.fspath(path)
                if folder == (folder := os.path.dirname(folder)):
                    return

    def refuse(self, path: AnyPath | BinaryIO) -> None:
        """Raise FileError when `path`, or the file under a stream, must not be written."""
        if isinstance(path, str | os.PathLike):
            with contextlib.suppress(OSError, ValueError):
                info = os.stat(path)
                if found := self._files.get((info.st_dev, info.st_ino)):
                    raise FileError(path, f"{found}, and is not overwritten; write to another file")
            return
        found = self._files.get(_identity(stream_stat(path)), "")
        if found.startswith("is"):  # several outputs to one stream are as they should be
            raise FileError(stream_name(path), f"{found}, and is not overwritten; write to another file")

    def refuse_folder(self, path: AnyPath) -> None:
        """Raise FileError when the directory `path` must not be replaced by another."""
        self.refuse(path)
        with contextlib.suppress(OSError, ValueError):
            info = os.stat(path)
            if found := self._folders.get((info.st_dev, info.st_ino)):
                raise FileError(path, f"holds {found}, which this run read or wrote; choose another place")


def _identity(info: os.stat_result | None) -> tuple[int, int]:
    return (0, 0) if info is None else (info.st_dev, info.st_ino)


class NewFile(outputs.NewFile):
    """A new file; one that is in its place and must not be overwritten is refused with the remedy."""

    def __init__(self, path: str, *, force: bool, mode: int = 0o666):
        refuse_existing(path, force=force)
        super().__init__(path, force=force, mode=mode)

    def commit(self) -> None:
        try:
            super().commit()
        except FileExistsError:
            refuse_existing(self.path)
            raise


def open_target(
    target: AnyPath | BinaryIO, src: Source, *, force: bool, remove: bool, like: bool, run: Run | None = None
) -> outputs.Target:
    """Open what is to be written.

    Args:
        target: a path, or a stream.
        src: what is read: the same file is refused.
        force: replace a file that exists.
        remove: the source is to be deleted afterwards, so the target must be a file.
        like: the file will get the source's mode: until then nobody else may read it.
        run: whose other files are refused too.
    """
    if not isinstance(target, str | os.PathLike):
        if remove:
            raise FileError(src.name, "is not deleted when the output is a stream; leave out remove=True")
        info = stream_stat(target)
        if info is not None and stat.S_ISREG(info.st_mode) and src.stat and os.path.samestat(info, src.stat):
            raise FileError(src.name, "is the input and the output; write to another file")
        if run is not None:
            run.refuse(target)
        return outputs.Stream(target, stream_name(target))
    path = os.fspath(target)
    try:
        info = os.stat(path)
    except OSError:
        info = None
    if info is not None:
        if src.stat is not None and os.path.samestat(info, src.stat) and not special(info.st_mode):
            raise FileError(path, "is the input and the output; write to another file")
        if run is not None:
            run.refuse(path)
        if stat.S_ISBLK(info.st_mode) and not force:
            raise FileError(path, "is a block device; add force=True to overwrite it")
    if word := outputs.stream_word(path):
        if remove:
            raise FileError(src.name, f"is not deleted when the output is a {word}; leave out remove=True")
        return outputs.Stream(path)
    return NewFile(path, force=force, mode=0o600 if like else 0o666)


def refuse_existing(path: AnyPath, *, force: bool = False) -> None:
    """Raise FileError when something is at `path` that must not be overwritten."""
    path = os.fspath(path)
    if os.path.isdir(path):
        raise FileError(path, "is a directory; name a file to write")
    if not force and os.path.lexists(path):
        raise FileError(path, "already exists; add force=True to overwrite it, or choose another name")
