"""How a file comes: to a part first, which gets the file's name when it is known to be the file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

from nzip.errors import NzipError
from nzip.models.lm.cache.known_models import ModelFile
from nzip.models.lm.cache.records import ModelError

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, None where they are not known."""

CHUNK = 1 << 20
MAX_UNKNOWN = 1 << 36  # bytes of a file whose size nobody has stated


class OriginError(NzipError):
    """One place where a model could come from does not give it."""


def digest_of(place: Path, tick: Callable[[int], None] | None = None) -> str:
    digest = hashlib.sha256()
    with open(place, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            if tick is not None:
                tick(len(chunk))
    return digest.hexdigest()


def fault_of(file: ModelFile, size: int, digest: str) -> str | None:
    """Return what is wrong with bytes of that size and digest, or None."""
    if file.size is not None and size != file.size:
        return f"{file.name} has {size:,} bytes in place of {file.size:,}"
    if file.sha256 is not None and digest != file.sha256:
        return f"{file.name} has the SHA-256 {digest[:16]}… in place of {file.sha256[:16]}…"
    return None


def receive(
    stream: IO[bytes], part: Path, file: ModelFile, tick: Callable[[int], None], *, resume: bool = False
) -> None:
    """Write what comes to `part`, not more than the file can have.

    Raises:
        OriginError: more comes.
    """
    most = MAX_UNKNOWN if file.size is None else file.size
    with open(part, "ab" if resume else "wb") as out:
        size = out.tell()
        tick(size)
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > most:
                raise OriginError(f"{file.name} has more than {most:,} bytes")
            out.write(chunk)
            tick(len(chunk))
        out.flush()
        os.fsync(out.fileno())


def accept(part: Path, file: ModelFile, target: Path) -> None:
    """Give a part its name if it is the file.

    Raises:
        OriginError: it is not; it is deleted.
    """
    fault = fault_of(file, part.stat().st_size, digest_of(part))
    if fault is not None:
        part.unlink()
        raise OriginError(f"{fault}; it is another version, or damaged")
    os.replace(part, target)


def need_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise ModelError(f"needs {size:,} bytes in {folder}, and {free:,} are free; free some and try again", "fetch")


def counter(progress: Progress | None, total: int | None) -> Callable[[int], None]:
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return tick


def bytes_below(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # gone meanwhile
                total += os.stat(os.path.join(where, name)).st_size
    return total
