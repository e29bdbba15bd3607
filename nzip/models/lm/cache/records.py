"""The language models of this machine: what is known of each, where it lies, which of them a file asks for.

A model is a folder `NAME` in the cache that holds `model.json` (its *record*: files, sizes, SHA-256, origin, ids), and
either the files themselves or, for one that was added by reference, the path of them. What is made from a model, such
as its requantised form, lies in `NAME/derived` and goes with it.

Invariants: a file appears under its name only when its size and, where one is known, its hash are right; a record is
written last, so what has a record is whole; only `pulling` uses the network, and not for what is here and intact;
nothing that a downloaded package holds is executed; two processes that change the same model wait for each other.

A model's *name* is for people. Its *id* is the SHA-256 of all that decides the bits once it is requantised; files carry
both, and the id decides.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nzip import outputs
from nzip.errors import NzipError, UnsupportedError
from nzip.models.folder import models_folder
from nzip.models.lm.cache.known_models import DEFAULT_MODEL, KNOWN, ModelFile, is_name
from nzip.models.lm.cache.locks import locked

Echo = Callable[[str], None]
MAX_RECORD = 1 << 20
MAX_FILES = 1 << 12  # of a model


class ModelError(NzipError):
    """Something about the models of this machine cannot be done.

    Attributes:
        kind: `"missing"`, `"damaged"`, `"refused"` or `"fetch"`.
    """

    def __init__(self, message: str, kind: str = "refused"):
        super().__init__(message)
        self.kind = kind


class MissingModelError(UnsupportedError):
    """A model that is needed is not here; the message says how to get it."""

    kind = "missing"


@dataclass(frozen=True)
class InstalledModel:
    """A model of this machine.

    Attributes:
        name: what it is called here.
        path: what `sources.open_source` takes: its file, or its folder.
        files: with sizes and the SHA-256 that they had when they came.
        folder: of the cache, for what is made from it.
        reference: whether the files lie outside of the cache.
        pinned: whether those SHA-256 are the ones that nzip knows for this name.
        origin: where it came from, for people.
        model_ids: ids that it was found to have, in hexadecimal.
    """

    name: str
    path: Path
    files: tuple[ModelFile, ...]
    folder: Path
    reference: bool
    pinned: bool
    origin: str
    model_ids: tuple[str, ...] = field(default=())

    @property
    def size(self) -> int:
        return sum(file.size or 0 for file in self.files)

    @property
    def places(self) -> list[Path]:
        """The paths of the files, in their order."""
        if len(self.files) == 1 and not self.path.is_dir():
            return [self.path]
        return [self.path / file.name for file in self.files]

    @property
    def derived(self) -> Path:
        """The folder for what is made from the model; it is made when it is first used, and goes with the model."""
        folder = self.folder / "derived"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fault(self) -> str | None:
        """Return what is visibly wrong, without reading the files, or None."""
        for place, file in zip(self.places, self.files, strict=True):
            if not place.is_file():
                return f"{place} is gone"
            if place.stat().st_size != file.size:
                return f"{place} has {place.stat().st_size:,} bytes in place of {file.size:,}"
        return None


def silent(line: str) -> None:
    """Say nothing."""


def installed() -> list[InstalledModel]:
    """Return the models of this machine by name. What has no readable record is left out."""
    root = models_folder()
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        if is_name(name) and (root / name / "model.json").is_file():
            with contextlib.suppress(ModelError):
                found.append(read_record(name))
    return found


def names_here() -> list[str]:
    """Return the names of all models that have a record, readable or not."""
    root = models_folder()
    if not root.is_dir():
        return []
    names = [entry.name for entry in os.scandir(root) if is_name(entry.name)]
    return sorted(name for name in names if (root / name / "model.json").is_file())


def find(name: str = DEFAULT_MODEL) -> InstalledModel:
    """Return the model called `name`; never uses the network.

    Raises:
        MissingModelError: it is not here.
        ModelError: its files are gone or have changed in size.
    """
    if not is_name(name) or not (models_folder() / name / "model.json").is_file():
        raise missing(name)
    model = read_record(name)
    fault = model.fault()
    if fault is not None:
        raise ModelError(f"model {name}: {fault}; {_remedy(model)}", "damaged")
    return model


def resolve(model_id: str, name: str, identify: Callable[[InstalledModel], str]) -> InstalledModel:
    """Return the model with the id that a file names.

    Models known to have the id come first, then the one called `name` and the others whose ids are not known yet.
    What `identify` finds is remembered.

    Args:
        model_id: 64 hexadecimal digits.
        name: what the file calls it; only a hint.
        identify: loads a model and returns its id.

    Raises:
        MissingModelError: none here has it.
        NzipError, OSError: the one that should have it cannot be loaded.
    """
    everything: list[InstalledModel] = []
    trouble: Exception | None = None
    for model in installed():
        fault = model.fault()
        if fault is None:
            everything.append(model)
        elif model_id in model.model_ids or model.name == name:
            trouble = MissingModelError(f"the model {model.name} is needed, and {fault}; {_remedy(model)}")
    have = [model for model in everything if model_id in model.model_ids]
    unknown = [model for model in everything if not model.model_ids]
    unknown.sort(key=lambda model: model.name != name)
    # One of the right name whose ids are others: an nzip that requantises differently may have written them.
    again = [model for model in everything if model.model_ids and model.name == name and model not in have]
    for model in [*have, *again, *unknown]:
        try:
            found = identify(model)
        except Exception as error:  # whatever is wrong with a model, it keeps no other from being found
            if model in have or model.name == name:
                known = isinstance(error, NzipError | OSError)
                trouble = trouble or (error if known else _broken(model, error))
            continue
        if found not in model.model_ids:
            remember(model.name, found)
        if found == model_id:
            return model
    if trouble is not None:
        raise trouble
    raise missing(name, model_id)


def _broken(model: InstalledModel, error: Exception) -> ModelError:
    reason = f"{type(error).__name__}: {str(error)[:80]}"
    return ModelError(f"model {model.name}: cannot be opened ({reason}); {_remedy(model)}", "damaged")


def remember(name: str, model_id: str) -> None:
    """Note that the model `name` has the id `model_id`; a cache that cannot be written to forgets it."""
    with contextlib.suppress(OSError, ModelError), locked(name):
        record = _load_record(name)
        if model_id not in record["model_ids"]:
            record["model_ids"].append(model_id)
            save_record(name, record)


def missing(name: str, model_id: str | None = None) -> MissingModelError:
    """Return the error for a model that is needed and not here: its name, its id, and how to get it."""
    shown = name if is_name(name) else repr(name[:64])
    if model_id is None:
        what = f"the model {shown} is not here"
    elif is_name(name) and (models_folder() / name / "model.json").is_file():
        # Pulling it again would bring the same.
        return MissingModelError(
            f"the model {shown} with the id {model_id[:16]}… is needed, and the one here has another; "
            f"add the file that it was with: nzip models add FILE --name OTHER"
        )
    else:
        what = f"the model {shown} (id {model_id[:16]}…) is needed and not here"
    if name in KNOWN:
        return MissingModelError(f"{what}; get it with: nzip models pull {name}")
    example = name if is_name(name) else "NAME"
    return MissingModelError(f"{what}; if you have it, add it with: nzip models add FILE --name {example}")


def _remedy(model: InstalledModel) -> str:
    if model.reference:
        return f"bring it back, or forget it with: nzip models remove {model.name}"
    if model.name in KNOWN:
        return f"get it again with: nzip models pull {model.name}"
    return f"add it again after: nzip models remove {model.name}"


# ---- records ---------------------------------------------------------------------------------------------------------


def _load_record(name: str) -> dict[str, Any]:
    place = models_folder() / name / "model.json"
    try:
        with open(place, "rb") as file:
            record = json.loads(file.read(MAX_RECORD))
        if record["schema"] != 1:
            raise ModelError(f"{place}: was written by a later nzip; upgrade nzip", "damaged")
        files = [ModelFile(item["name"], item["size"], item["sha256"]) for item in record["files"]]
        fits = (
            isinstance(record["path"], str | None)
            and isinstance(record["origin"], str)
            and isinstance(record["pinned"], bool)
            and all(isinstance(item, str) for item in record["model_ids"])
            and 0 < len(files) <= MAX_FILES
            and (record["path"] is None or (os.path.isabs(record["path"]) and "\0" not in record["path"]))
            and all(type(file.size) is int and file.size >= 0 and isinstance(file.sha256, str) for file in files)
            and all(_is_file_name(file.name) for file in files)
        )
        if not fits:
            raise ValueError("a value is not what it must be")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{place}: is damaged ({type(error).__name__}); remove the model with: nzip models remove {name}", "damaged"
        ) from None
    result: dict[str, Any] = record
    return result


def _is_file_name(name: str) -> bool:
    bad = r'[\\/:*?"<>|\x00-\x1f]'
    return isinstance(name, str) and bool(name) and Path(name).name == name and not re.search(bad, name)


def read_record(name: str) -> InstalledModel:
    record = _load_record(name)
    folder = models_folder() / name
    files = tuple(ModelFile(item["name"], item["size"], item["sha256"]) for item in record["files"])
    reference = record["path"] is not None
    path = Path(record["path"]) if reference else folder / files[0].name if len(files) == 1 else folder
    return InstalledModel(
        name, path, files, folder, reference, record["pinned"], record["origin"], tuple(record["model_ids"])
    )


def save_record(name: str, record: dict[str, Any]) -> None:
    outputs.write_text(models_folder() / name / "model.json", json.dumps(record, indent=1) + "\n")


def new_record(files: Sequence[ModelFile], *, path: Path | None, pinned: bool, origin: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "path": None if path is None else str(path),
        "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files],
        "pinned": pinned,
        "origin": origin,
        "model_ids": [],
    }
