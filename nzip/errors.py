"""The errors nzip raises on purpose.

Every message is one line that says what is wrong and, where there is one, the remedy. All of them can be pickled and
copied, so that they pass between processes.
"""

from __future__ import annotations

import os
from typing import Any


class NzipError(Exception):
    """Base of all errors that nzip raises about data it was given."""

    def __reduce__(self) -> tuple[Any, ...]:
        # What __init__ took need not be what `args` holds, so an error is made again without it.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[NzipError], args: tuple[Any, ...], state: dict[str, Any]) -> NzipError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class CorruptError(NzipError):
    """The data is damaged, truncated, or not an nzip file.

    Attributes:
        block: number of the block at fault, the first of the file being 0; None where no one block is.
        start, stop: the bytes of the content that are lost with it: `start` is the first, `stop` the one behind the
            last, the same where nothing is lost but what closes the file. None where that is not known.
    """

    block: int | None = None
    start: int | None = None
    stop: int | None = None


class TruncatedError(CorruptError, EOFError):
    """The data ends before the end that it should have, as far as can be seen undamaged until there."""


class UnsupportedError(NzipError):
    """The data may be intact, but this installation cannot decode it.

    Raised for a later format version, an unknown engine, engine version or transform, and an unknown
    chunk that is marked as required.
    """


class LimitError(NzipError):
    """The work would need more memory, or give more output, than the caller's limit allows."""


def over_memory(what: str, needed: int, limit: int, remedy: str = "", *, least: bool = False) -> LimitError:
    """Return the error for work that needs more memory than is allowed.

    Args:
        what: the work.
        needed, limit: bytes.
        remedy: what can be done; where left out, to raise the limit.
        least: it may need more.
    """
    remedy = remedy or f"raise max_memory to {-(-needed // 1048576)} MiB"
    bound = "at least " if least else ""
    return LimitError(f"{what} needs {bound}{_size(needed)} of memory and the limit is {_size(limit)}; {remedy}")


def _size(size: int) -> str:
    for unit, bytes_ in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_:
            return f"{size / bytes_:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} byte{'s' if size != 1 else ''}"


class FileError(NzipError):
    """An operation on a file was refused or given up; the file is as it was.

    Attributes:
        path: the file that is at fault.
        reason: what is wrong and the remedy.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str):
        super().__init__(f"{os.fspath(path)}: {reason}")
        self.path = os.fspath(path)
        self.reason = reason
