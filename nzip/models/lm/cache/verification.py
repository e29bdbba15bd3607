"""Whether the files of models are still what they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.models.folder import models_folder
from nzip.models.lm.cache.known_models import is_name
from nzip.models.lm.cache.receiving import Progress, digest_of, fault_of
from nzip.models.lm.cache.records import InstalledModel, ModelError, missing, names_here, read_record


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
            models.append(read_record(name))
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
                fault = fault_of(file, place.stat().st_size, digest_of(place, tick))
                if fault is not None:
                    status = "damaged"
                    break
        rows.append(
            {"name": model.name, "path": str(model.path), "bytes": model.size, "status": status, "fault": fault}
        )
    return sorted(rows, key=lambda row: str(row["name"]))
