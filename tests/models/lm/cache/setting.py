"""What the tests of the cache share: a known model, ids, the names of files."""

import hashlib
from pathlib import Path

import pytest

from nzip.models.lm.cache import known_models
from nzip.models.lm.cache.known_models import KnownModel, ModelFile, PackageOrigin, WebOrigin

ID, OTHER_ID = "ab" * 32, "cd" * 32


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def know(monkeypatch: pytest.MonkeyPatch, files: list[ModelFile], *origins: PackageOrigin | WebOrigin) -> None:
    model = KnownModel("tiny", "a tiny model", "https://example.org", "none", tuple(files), tuple(origins))
    monkeypatch.setitem(known_models.KNOWN, "tiny", model)


def names_below(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts]
    return sorted(path.relative_to(folder).as_posix() for path in files)
