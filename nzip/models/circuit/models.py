"""Where circuits are found: those that a command names, and those in the folder `records` of the models' folder."""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from pathlib import Path

from nzip.errors import CorruptError, FileError, UnsupportedError
from nzip.models.circuit import model
from nzip.models.circuit.model import Circuit
from nzip.models.folder import models_folder
from nzip.outputs import named
from nzip.process import lock

SUFFIX = ".circuit"
MOST_FILE = 256 << 20

_lock = lock()
_open: dict[str, Circuit] = {}


def own_folder() -> Path:
    """Return the folder of the user's circuits."""
    return models_folder() / "records"


def found_models() -> list[Path]:
    """Return the files of the circuits in that folder."""
    folder = own_folder()
    return sorted(folder.glob("*" + SUFFIX)) if folder.is_dir() else []


def use(path: str | os.PathLike[str]) -> Circuit:
    """Read the circuit of a file, or of that name in the folder; from now on this process finds it by its id.

    Raises:
        CorruptError, UnsupportedError: the file is none.
        OSError: it cannot be read.
    """
    place = Path(path)
    if place.parent == Path() and not place.exists() and (own_folder() / f"{place.name}{SUFFIX}").exists():
        place = own_folder() / f"{place.name}{SUFFIX}"
    return keep(_read(place), os.fspath(place))


def keep(data: bytes, where: str) -> Circuit:
    """Read a circuit from the bytes of its file; from now on this process finds it by its id.

    Args:
        data: the bytes.
        where: what messages call them.

    Raises:
        CorruptError, UnsupportedError: they are none.
    """
    with _lock:
        found = _open.get(model.id_of(data))
        if found is not None and found.packed == data:
            return found
        try:
            made = model.parse(data)
        except (CorruptError, UnsupportedError) as error:
            raise type(error)(f"{where}: {error}") from None
        return _open.setdefault(made.id, made)


def by_id(id_: str) -> Circuit:
    """Return the circuit that a file names.

    Raises:
        UnsupportedError: it is not here.
        CorruptError: it is damaged.
    """
    with _lock:
        if id_ in _open:
            return _open[id_]
    for path in found_models():
        # A file that cannot be read is no reason to refuse what another made.
        with contextlib.suppress(OSError):
            if _id_of(path, path.stat().st_mtime_ns) == id_:
                return keep(_read(path), os.fspath(path))
    raise UnsupportedError(
        f"the model of records {id_} is not here; name its file with --records, or put it into {own_folder()}"
    )


@lru_cache(maxsize=256)
def _id_of(path: Path, changed: int) -> str:
    with open(path, "rb") as file:
        return model.id_of(file.read(64))


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise FileError(path, "is a directory; name the file of a model of records")
        with open(path, "rb") as file:
            data = file.read(MOST_FILE + 1)
    except OSError as error:
        raise named(error, os.fspath(path)) from None
    if len(data) > MOST_FILE:
        raise FileError(path, f"is no model of records: it has more than {MOST_FILE:,} bytes")
    return data
