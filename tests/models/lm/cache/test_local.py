"""Models of files that lie here: added and removed."""

from pathlib import Path

import pytest
from models.lm.cache.setting import know, names_below, sha256
from models.lm.model_files import CODABLE, write_folder, write_gguf

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm.cache import local, records, verification
from nzip.models.lm.cache.known_models import ModelFile
from nzip.models.lm.cache.records import ModelError
from nzip.models.lm.readers.opening import open_source


class TestAdd:
    def test_by_reference(self, gguf: Path, folder: Path) -> None:
        lines: list[str] = []
        model = local.add(gguf, echo=lines.append)
        assert model.name == "tiny-model.q4"
        assert (model.path, model.reference, model.pinned, model.model_ids) == (gguf, True, False, ())
        assert model.files == (ModelFile(gguf.name, gguf.stat().st_size, sha256(gguf.read_bytes())),)
        assert names_below(folder) == ["tiny-model.q4/model.json"]
        assert records.find("tiny-model.q4") == model == records.installed()[0]
        assert open_source(model.path).vocabulary.size == 300
        assert len(lines) == 1

    def test_copy(self, gguf: Path, folder: Path) -> None:
        model = local.add(gguf, "mine", copy=True)
        assert model.path == folder / "mine" / gguf.name
        gguf.unlink()
        assert verification.verify() == [
            {"name": "mine", "path": str(model.path), "bytes": model.size, "status": "unchanged", "fault": None}
        ]
        assert names_below(folder) == [f"mine/{gguf.name}", "mine/model.json"]

    @pytest.mark.parametrize("copy", [False, True])
    def test_folder(self, tmp_path: Path, copy: bool) -> None:
        source = write_folder(tmp_path / "SmolLM", CODABLE, shards=2)
        seen = []
        model = local.add(source, copy=copy, progress=lambda done, total: seen.append((done, total)))
        assert model.name == "smollm"
        assert model.path.is_dir()
        assert len(model.files) == 5
        assert seen[-1][0] == seen[-1][1] == model.size * (1 + copy)
        assert open_source(model.path).architecture == open_source(source).architecture
        assert [row["status"] for row in verification.verify(["smollm"])] == ["unchanged"]

    def test_relative(self, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(gguf.parent)
        assert local.add(gguf.name, "mine").path == gguf

    def test_again(self, gguf: Path, tmp_path: Path) -> None:
        first = local.add(gguf, "mine")
        assert local.add(gguf, "mine") == first
        other = write_gguf(tmp_path / "other.gguf", CODABLE, seed=1)
        with pytest.raises(ModelError, match="another model called mine"):
            local.add(other, "mine")

    def test_refused(self, gguf: Path, tmp_path: Path, folder: Path) -> None:
        with pytest.raises(ModelError, match="cannot name a model"):
            local.add(gguf, "../x")
        with pytest.raises(ModelError, match="stands for another file"):
            local.add(gguf, "smollm2-135m")
        gguf.write_bytes(gguf.read_bytes()[:-1])
        with pytest.raises(CorruptError):
            local.add(gguf)
        with pytest.raises(UnsupportedError):
            local.add(tmp_path)
        with pytest.raises(FileNotFoundError):
            local.add(tmp_path / "nothing")
        assert names_below(folder) == []

    def test_known_file(self, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        know(monkeypatch, [ModelFile("x.gguf", gguf.stat().st_size, sha256(gguf.read_bytes()))])
        assert local.add(gguf, "tiny").pinned
        assert verification.verify()[0]["status"] == "ok"

    @pytest.mark.parametrize(
        ("path", "name"),
        [("a/B c.gguf", "b-c"), ("..gguf", "model"), ("x" * 99, "x" * 64), ("\u00e9", "model"), ("A_1.2/", "a_1.2")],
    )
    def test_default_name(self, path: str, name: str) -> None:
        assert local.default_name(path) == name
