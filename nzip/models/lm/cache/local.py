"""Models that lie on this machine already: added, by reference or as a copy, and removed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from nzip.models.folder import models_folder
from nzip.models.lm.cache.known_models import KNOWN, ModelFile, is_name
from nzip.models.lm.cache.locks import locked
from nzip.models.lm.cache.receiving import (
    OriginError,
    Progress,
    accept,
    bytes_below,
    counter,
    digest_of,
    need_space,
    receive,
)
from nzip.models.lm.cache.records import (
    Echo,
    InstalledModel,
    ModelError,
    missing,
    new_record,
    read_record,
    save_record,
    silent,
)
from nzip.models.lm.readers.opening import check_usable, open_source


def default_name(path: str | os.PathLike[str]) -> str:
    """Return a name for the model at `path`, made of its file's or folder's."""
    place = Path(path).absolute()
    stem = place.name.removesuffix(".gguf") if place.suffix == ".gguf" else place.name
    name = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:64].rstrip(".")
    return name if is_name(name) else "model"


def add(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    copy: bool = False,
    echo: Echo | None = None,
    progress: Progress | None = None,
) -> InstalledModel:
    """Make a GGUF file, or a folder in Hugging Face's layout, a model of this machine.

    Args:
        path: of the file or folder.
        name: what to call it; made of the file's name where left out.
        copy: bring the files to the cache; without it they must stay where they are.
        echo: prints one line of what happens.
        progress: called as bytes are read.

    Raises:
        CorruptError, UnsupportedError: it is not a model that nzip can run.
        ModelError: the name cannot be taken.
        OSError: a file cannot be read or written.
    """
    say = echo or silent
    called = default_name(path) if name is None else name
    if not is_name(called):
        raise ModelError(f"{called!r} cannot name a model; use small letters, digits, '.', '_' and '-', 64 at most")
    source = open_source(path)
    check_usable(source)
    total = sum(place.stat().st_size for place in source.files)
    tick = counter(progress, total * (2 if copy else 1))
    files = [ModelFile(place.name, place.stat().st_size, digest_of(place, tick)) for place in source.files]
    known = KNOWN.get(called)
    pinned = known is not None and known.pinned
    if known is not None and pinned and {file.sha256 for file in known.files} != {file.sha256 for file in files}:
        raise ModelError(f"the name {called} stands for another file; give this one a name with --name")
    with locked(called, say):
        folder = models_folder() / called
        if (folder / "model.json").is_file():
            here = read_record(called)
            if {file.sha256 for file in here.files} == {file.sha256 for file in files} and here.fault() is None:
                say(f"{called}: is here ({here.path})")
                return here
            raise ModelError(
                f"there is another model called {called}; choose a name with --name, "
                f"or remove that one with: nzip models remove {called}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        if copy:
            need_space(folder, total)
            for place, file in zip(source.files, files, strict=True):
                part = folder / (file.name + ".part")
                try:
                    with open(place, "rb") as stream:
                        receive(stream, part, file, tick)
                    accept(part, file, folder / file.name)
                except OriginError as error:
                    raise ModelError(f"{place}: changed while it was copied ({error}); try again") from None
                finally:
                    part.unlink(missing_ok=True)
        origin = str(Path(path).absolute())
        target = None if copy else Path(path).absolute()
        save_record(called, new_record(files, path=target, pinned=pinned, origin=origin))
        model = read_record(called)
    say(f"{called}: {model.size:,} bytes {'copied to' if copy else 'stay in'} {model.path}")
    return model


def remove(name: str, *, echo: Echo | None = None) -> int:
    """Delete a model, and what was made from it, from the cache; files added by reference stay where they are.

    Returns:
        Bytes that were freed.

    Raises:
        MissingModelError: it is not here.
    """
    folder = models_folder() / name
    if not is_name(name) or not folder.is_dir():
        raise missing(name)
    with locked(name, echo):
        size = bytes_below(folder)
        # The record goes first: a removal that is broken off leaves no model that seems whole.
        (folder / "model.json").unlink(missing_ok=True)
        shutil.rmtree(folder)
    (echo or silent)(f"{name}: removed, {size:,} bytes freed")
    return size
