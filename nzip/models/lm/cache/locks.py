"""Two processes that change the same model wait for each other."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import IO

from nzip.models.folder import models_folder


@contextlib.contextmanager
def locked(name: str, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep other processes from changing the model `name`; wait for one that does.

    The lock's file stays: to delete it would let two processes lock two files of one name.
    """
    folder = models_folder() / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "a+b") as file:
        waiting = False
        while not _try_lock(file):
            if not waiting and say is not None:
                say(f"{name}: waiting for another nzip that is at work on it")
            waiting = True
            time.sleep(0.1)
        try:
            yield
        finally:
            _unlock(file)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
