"""The seam of the fuzzer: a target makes seeds, changes them, decodes what came of it and judges the outcome."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from nzip.errors import CorruptError, LimitError, NzipError, UnsupportedError

MEBI = 1 << 20

# Outcomes that are as they should be.
RIGHT = "right bytes"  # what the seed was made of
ANY = "other bytes"  # of the stated size, where checks were repaired or nothing else is promised
OUTCOMES = (RIGHT, ANY, "corrupt", "unsupported", "limit", "refused")


class Wrong(AssertionError):
    """What came out is not what may come out; the text says in what way, in words that are the same each time."""


class Target(ABC):
    """One decoder under mutations; its state is made once and then copied to worker processes by fork.

    Attributes:
        name: of one word.
        share: of the mutations, relative to other targets'.
        limit: bytes of memory that its decoder is told to keep to.
    """

    name: ClassVar[str]
    share: ClassVar[float] = 1.0
    limit: ClassVar[int] = 64 * MEBI

    @abstractmethod
    def prepare(self) -> None:
        """Make the seeds and decode each once, so that kernels and tables are there."""

    @abstractmethod
    def mutation(self, r: Random) -> bytes:
        """Return a case, which depends on `r` and the seeds alone."""

    @abstractmethod
    def run(self, case: bytes) -> str:
        """Decode a case and return `RIGHT` or `ANY`.

        Raises:
            NzipError: as decoders do; counted as what it says.
            Wrong: what came out must not.
            Exception: any other is a finding too.
        """

    def enter(self) -> None:  # noqa: B027 - optional hook
        """Make what each worker process has of its own."""


def judged(error: NzipError) -> str:
    """Return the outcome that an error of nzip's stands for."""
    if isinstance(error, CorruptError):
        return "corrupt"
    if isinstance(error, UnsupportedError):
        return "unsupported"
    return "limit" if isinstance(error, LimitError) else "refused"


class Believed:
    """Stands for a check that fits whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


@contextlib.contextmanager
def replaced(module: Any, **values: Any) -> Iterator[None]:
    """Let names of a module stand for other things."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def own_folder() -> Path:
    """Return a new folder of this process, in memory where the system has such a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="nzip-fuzz-", dir=place))
    return folder


def cleared(folder: Path) -> None:
    """Remove what is in a folder, however deep, and whatever modes it has."""
    folders, waiting = [], [str(folder)]
    while waiting:
        place = waiting.pop()
        folders.append(place)
        try:
            entries = list(os.scandir(place))
        except PermissionError:
            os.chmod(place, 0o700)
            entries = list(os.scandir(place))
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                continue
            try:
                os.unlink(entry.path)
            except PermissionError:
                os.chmod(place, 0o700)
                os.unlink(entry.path)
    for place in folders[:0:-1]:
        try:
            os.rmdir(place)
        except PermissionError:
            os.chmod(os.path.dirname(place), 0o700)
            os.rmdir(place)


class Slow(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, most: int):
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(size, self._most))
