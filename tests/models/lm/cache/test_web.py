"""Models from an address, in whatever way it fails."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from models.lm.cache.setting import know, names_below, sha256
from models.lm.model_files import CODABLE, write_folder
from models.lm.web import Web

from nzip.models.lm.cache import known_models, local, pulling, receiving, records, verification
from nzip.models.lm.cache.known_models import ModelFile, WebOrigin
from nzip.models.lm.cache.records import MissingModelError, ModelError
from nzip.models.lm.readers.opening import open_source


class TestWeb:
    @pytest.fixture
    def data(self, gguf: Path, web: Web) -> bytes:
        web.files["/tiny.gguf"] = gguf.read_bytes()
        return gguf.read_bytes()

    def pinned(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        know(monkeypatch, [ModelFile("tiny.gguf", len(data), sha256(data))], WebOrigin(web.url))

    def test_pull(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        seen: list[tuple[int, int | None]] = []
        model = pulling.pull("tiny", progress=lambda done, total: seen.append((done, total)))
        assert model.path.read_bytes() == data
        assert model.pinned
        assert seen[-1] == (len(data), len(data))
        assert names_below(folder) == ["tiny/model.json", "tiny/tiny.gguf"]
        assert verification.verify()[0]["status"] == "ok"

    def test_offline_when_here(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        first = pulling.pull("tiny")
        web.requests.clear()
        lines: list[str] = []
        assert pulling.pull("tiny", echo=lines.append) == first
        assert web.requests == []
        assert lines == [f"tiny: is here ({first.path})"]

    def test_damaged_is_fetched_again(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        model = pulling.pull("tiny")
        model.path.write_bytes(data[:-1] + b"x")
        assert pulling.pull("tiny").path.read_bytes() == data
        model.path.unlink()
        assert pulling.pull("tiny").path.read_bytes() == data
        (model.folder / "model.json").write_text("?")
        assert pulling.pull("tiny") == model

    def test_resumed(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        web.breaks = [1000, 500]
        for end in (1000, 1500):
            with pytest.raises(ModelError, match=f"broke off after {end:,} bytes"):
                pulling.pull("tiny")
            assert "tiny/tiny.gguf.part" in names_below(folder)
            assert "tiny/tiny.gguf" not in names_below(folder)
        assert pulling.pull("tiny").path.read_bytes() == data
        assert [wanted for _, wanted in web.requests] == [None, "bytes=1000-", "bytes=1500-"]
        assert names_below(folder) == ["tiny/model.json", "tiny/tiny.gguf"]

    def test_changed_meanwhile(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        web.breaks = [1000]
        with pytest.raises(ModelError):
            pulling.pull("tiny")
        web.tag = '"two"'
        assert pulling.pull("tiny").path.read_bytes() == data

    @pytest.mark.parametrize("rest", [b"", b"other"])
    def test_part_of_something_else(
        self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path, rest: bytes
    ) -> None:
        self.pinned(monkeypatch, web, data)
        (folder / "tiny").mkdir(parents=True)
        for part in (rest * 10 + b"x", data[:-1] + b"?", data, data + b"more"):
            (folder / "tiny" / "tiny.gguf.part").write_bytes(part)
            assert pulling.pull("tiny").path.read_bytes() == data
            local.remove("tiny")
            (folder / "tiny").mkdir()

    def test_server_without_ranges(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        web.breaks, web.ranges, web.tag = [1000], False, ""
        with pytest.raises(ModelError):
            pulling.pull("tiny")
        assert pulling.pull("tiny").path.read_bytes() == data

    def test_wrong(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        for sized in (True, False):
            web.sized = sized
            for wrong, match in (
                (data[:-1] + b"x", "SHA-256"),
                (data[:-1], "in place of"),
                (data + b"x", "in place of|more than"),
            ):
                web.files["/tiny.gguf"] = wrong
                with pytest.raises(ModelError, match=match) as caught:
                    pulling.pull("tiny")
                assert "\n" not in str(caught.value)
                assert "tiny/tiny.gguf" not in names_below(folder)
                with pytest.raises(MissingModelError):
                    records.find("tiny")
            (folder / "tiny" / "tiny.gguf.part").unlink(missing_ok=True)

    def test_no_file_and_no_host(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        web.files.clear()
        with pytest.raises(ModelError, match="404 Not Found") as caught:
            pulling.pull("tiny")
        assert caught.value.kind == "fetch"
        known = known_models.KNOWN["tiny"]
        nowhere = WebOrigin("http://nowhere.invalid/x")
        monkeypatch.setitem(known_models.KNOWN, "tiny", replace(known, origins=(nowhere, *known.origins)))
        with pytest.raises(ModelError, match=r"cannot be reached .*; .*404"):
            pulling.pull("tiny")
        web.files["/tiny.gguf"] = data
        assert pulling.pull("tiny").path.read_bytes() == data
        with pytest.raises(ModelError, match="no model is known as 'x'"):
            pulling.pull("x")

    def test_no_space(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        usage = type("Usage", (), {"free": 10})()
        monkeypatch.setattr(receiving.shutil, "disk_usage", lambda path: usage)
        with pytest.raises(ModelError, match="10 are free"):
            pulling.pull("tiny")
        assert "tiny/tiny.gguf" not in names_below(folder)

    def test_folder_without_hashes(
        self, monkeypatch: pytest.MonkeyPatch, web: Web, tmp_path: Path, folder: Path
    ) -> None:
        source = write_folder(tmp_path / "source", CODABLE)
        names = [path.name for path in source.iterdir()]
        know(monkeypatch, [ModelFile(name) for name in names], WebOrigin(web.url))
        for name in names:
            web.files[f"/{name}"] = (source / name).read_bytes()
        web.breaks = [1 << 30, 1 << 30, 100]  # the third file breaks off
        with pytest.raises(ModelError, match="broke off"):
            pulling.pull("tiny")
        web.requests.clear()
        lines: list[str] = []
        model = pulling.pull("tiny", echo=lines.append)
        assert len(web.requests) == 1
        assert web.requests[0][1] == "bytes=100-"
        assert "not verified" in lines[-1]
        assert not model.pinned
        assert open_source(model.path).vocabulary.size == 300
        assert verification.verify()[0]["status"] == "unchanged"
        assert names_below(folder) == sorted(["tiny/model.json", *(f"tiny/{name}" for name in names)])

    def test_no_model(self, monkeypatch: pytest.MonkeyPatch, web: Web, folder: Path) -> None:
        web.files["/tiny.gguf"] = b"<html>please log in</html>"
        know(monkeypatch, [ModelFile("tiny.gguf")], WebOrigin(web.url))
        with pytest.raises(ModelError, match="no GGUF file"):
            pulling.pull("tiny")
        assert names_below(folder) == []

    def test_two_processes(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        """Both ask for the model at once: one downloads, the other waits and finds it."""
        self.pinned(monkeypatch, web, data)
        web.hangs = 0.5
        results: list[records.InstalledModel] = []
        lines: list[str] = []
        threads = [
            threading.Thread(target=lambda: results.append(pulling.pull("tiny", echo=lines.append))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(web.requests) == 1
        assert results == [results[0]] * 3
        assert sum("waiting" in line for line in lines) == 2
