"""A folder for models, a tiny model, a web server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from models.lm.model_files import CODABLE, write_gguf
from models.lm.web import Web, serve


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the models; it does not exist at first."""
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "Tiny Model.Q4.gguf", CODABLE)


@pytest.fixture
def web() -> Iterator[Web]:
    with serve() as running:
        yield running
