"""What is read: files of any size and streams, and nothing that would hang or that is another file by now."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, BinaryIO

from nzip.closing import Closing
from nzip.errors import FileError
from nzip.outputs import AnyPath, named, special

CHUNK = 1 << 20  # bytes of content moved at a time
READ_SIZE = 1 << 17  # bytes of compressed input read at a time


class Source(Closing):
    """A file or stream to read from. Errors carry its name.

    Args:
        source: a path or a stream.
        folder_remedy: what to do when it turns out to be a directory.
    """

    def __init__(self, source: AnyPath | BinaryIO, *, folder_remedy: str = "name the files in it"):
        self.path: str | None = None
        self.count = 0  # bytes read so far
        if isinstance(source, str | os.PathLike):
            self.path = self.name = os.fspath(source)
            _refuse_special(self.path, os.stat(self.path), folder_remedy)
            # Without O_NONBLOCK a pipe that took the file's place in between would hang here.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            self._file: Any = os.fdopen(os.open(self.path, flags), "rb", buffering=0)
            self._read: Callable[[int], bytes | None] = self._file.read
            self.stat: os.stat_result | None = os.fstat(self._file.fileno())
            try:
                _refuse_special(self.path, self.stat, folder_remedy)
            except FileError:
                self._file.close()
                raise
        else:
            self._file = source
            self._read = getattr(source, "read1", None) or source.read
            self.name = stream_name(source)
            self.stat = stream_stat(source)

    @property
    def known_path(self) -> str:
        """The path, where the target's is made of it."""
        if self.path is None:
            raise ValueError("a target is needed when the source is a stream")
        return self.path

    @property
    def size(self) -> int | None:
        """Bytes in the file, where that is known. Files that the system makes up (`/proc`) claim to be empty."""
        if self.path is None or self.stat is None or not self.stat.st_size:
            return None
        return self.stat.st_size

    def read(self, count: int = READ_SIZE) -> bytes:
        try:
            data = self._read(count)
        except OSError as error:
            raise named(error, self.name) from None
        if data is None:  # a stream that does not block, with nothing there yet
            raise FileError(self.name, "has no data ready; nzip reads streams that wait for data")
        self.count += len(data)
        return data

    def seekable(self) -> bool:
        """No: it is read once, from the start to the end."""
        return False

    def changed(self) -> bool:
        """Whether the file is another than when it was opened."""
        assert self.path is not None
        assert self.stat is not None
        now = os.stat(self.path)
        old = self.stat
        return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) != (
            old.st_dev,
            old.st_ino,
            old.st_size,
            old.st_mtime_ns,
        )

    def remove(self) -> None:
        """Delete the file, unless it changed since it was read."""
        assert self.path is not None
        self.close()
        self.refuse_changed()
        try:
            os.unlink(self.path)
        except OSError as error:
            raise FileError(self.path, f"could not be deleted ({error.strerror}); its output is complete") from None

    def refuse_removal(self) -> None:
        """Raise FileError when deleting this name would not delete the file."""
        if self.path is None or self.stat is None:
            return
        if os.path.islink(self.path):
            raise FileError(self.path, "is a link, and remove=True would delete that alone; name the file it leads to")
        if self.stat.st_nlink > 1:
            others = self.stat.st_nlink - 1
            raise FileError(
                self.path,
                f"has {others} other name{'s' * (others > 1)} (hard links), and remove=True would delete this one "
                "alone; add force=True to do that",
            )

    def refuse_changed(self) -> None:
        """Raise FileError when the file is another than when it was opened."""
        assert self.path is not None
        if self.changed():
            raise FileError(self.path, "changed while it was read and was therefore not deleted; try again")

    def close(self) -> None:
        if self.path is not None:
            self._file.close()


def stream_name(stream: Any) -> str:
    """Return what messages call a stream."""
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):
        number = None
    if number in (0, 1):
        return ("stdin", "stdout")[number]
    name = getattr(stream, "name", None)
    if isinstance(name, str):
        return name.strip("<>")
    return "stream"


def stream_stat(stream: Any) -> os.stat_result | None:
    """Return what the system says of the file under a stream, if there is one."""
    try:
        return os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def _refuse_special(path: str, info: os.stat_result, folder_remedy: str) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise FileError(path, f"is a directory; {folder_remedy}")
    if word := special(info.st_mode):
        raise FileError(path, f"is a {word} and not a regular file; to read it, open it and give that")


def refuse_unreadable(path: AnyPath) -> None:
    """Raise FileError when `path` is no regular file, and OSError when it cannot be opened."""
    with Source(path):
        pass
