"""The script that measures what transforms save."""

from __future__ import annotations

import importlib
import json
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

import nzip

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"
SAMPLES = ROOT / "corpora" / "samples"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs a checkout")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("transforms")


def test_writes_what_files_take(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks are those of nzip files, and a folder is an archive of its files."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "b").write_bytes(b"some text, some text\n" * 50)
    (folder / "a").write_bytes(bytes(range(256)))
    out = tmp_path / "out" / "found.json"
    monkeypatch.setattr(sys, "argv", ["transforms.py", str(SAMPLES / "structs.bin"), str(folder), "--out", str(out)])
    script.main()
    first, second = json.loads(out.read_bytes())["rows"]
    assert first["file"] == "samples/structs.bin"
    assert first["level 2"]["chain"] == "p4"
    assert first["level 2"]["with"] < first["level 2"]["plain"]
    assert first["level 6"]["chain"] == ""
    data = (SAMPLES / "structs.bin").read_bytes()
    for level in (2, 6):
        assert 0 < len(nzip.compress(data, level)) - first[f"level {level}"]["with"] < 25
    assert second["file"] == f"{tmp_path.name}/folder as tar"
    (tmp_path / "made.tar").write_bytes(script.archive(folder))
    with tarfile.open(tmp_path / "made.tar") as tar:
        assert tar.getnames() == ["a", "b"]
