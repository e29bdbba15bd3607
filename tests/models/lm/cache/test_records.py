"""What is here, what a file asks for."""

import json
import os
import sys
from pathlib import Path

import pytest
from models.lm.cache.setting import ID, OTHER_ID
from models.lm.model_files import CODABLE, write_gguf

from nzip.errors import CorruptError, UnsupportedError
from nzip.models import folder as place
from nzip.models.lm.cache import local, records, verification
from nzip.models.lm.cache.records import MissingModelError, ModelError


class TestFolder:
    def test_order(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("NZIP_HOME", str(tmp_path / "home"))
        assert place.models_folder() == tmp_path / "models"
        monkeypatch.delenv("NZIP_MODELS")
        assert place.models_folder() == tmp_path / "home" / "models"
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
            assert place.models_folder() == tmp_path / expected
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert place.models_folder() == tmp_path / "user/.cache/nzip/models"

    def test_nothing_there(self, folder: Path) -> None:
        assert records.installed() == []
        assert verification.verify() == []
        with pytest.raises(MissingModelError, match="nzip models pull smollm2-135m"):
            records.find()
        assert not folder.exists()


class TestFind:
    def test_missing(self) -> None:
        for name in ("smollm2-135m", "other", "../x", "", "x" * 300, "a\nb"):
            with pytest.raises(MissingModelError) as caught:
                records.find(name)
            assert isinstance(caught.value, UnsupportedError)
            assert len(str(caught.value)) < 250
        with pytest.raises(MissingModelError, match="nzip models add FILE --name other"):
            records.find("other")

    def test_changed(self, gguf: Path) -> None:
        local.add(gguf, "mine")
        with open(gguf, "ab") as file:
            file.write(b"x")
        with pytest.raises(ModelError, match=r"bytes in place of .*nzip models remove mine"):
            records.find("mine")
        gguf.unlink()
        with pytest.raises(ModelError, match="is gone"):
            records.find("mine")

    def test_damaged_record(self, gguf: Path, folder: Path) -> None:
        local.add(gguf, "mine")
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
                records.find("mine")
            assert records.installed() == []
            (row,) = verification.verify()
            assert row["status"] == "damaged"
        local.remove("mine")
        assert verification.verify() == []


class TestIds:
    def test_remembered(self, gguf: Path) -> None:
        local.add(gguf, "mine")
        records.remember("mine", ID)
        records.remember("mine", ID)
        assert records.find("mine").model_ids == (ID,)
        records.remember("nothing", ID)

    def test_resolve(self, gguf: Path, tmp_path: Path) -> None:
        ids = {}
        for number, name in enumerate(("one", "two", "three")):
            local.add(write_gguf(tmp_path / f"{name}.gguf", CODABLE, seed=number), name)
            ids[name] = f"{number}" * 64
        asked: list[str] = []

        def identify(model: records.InstalledModel) -> str:
            asked.append(model.name)
            return ids[model.name]

        # The one of that name first, then the others until one has the id.
        assert records.resolve(ids["three"], "two", identify).name == "three"
        assert asked[0] == "two"
        assert asked[-1] == "three"
        asked.clear()
        assert records.resolve(ids["three"], "whatever", identify).name == "three"
        assert asked == ["three"]
        with pytest.raises(MissingModelError, match=r"the model four \(id efefefefefefefef…\)"):
            records.resolve("ef" * 32, "four", identify)
        with pytest.raises(MissingModelError, match="the one here has another"):
            records.resolve("ef" * 32, "two", identify)
        with pytest.raises(MissingModelError, match="nzip models pull smollm2-135m"):
            records.resolve("ef" * 32, "smollm2-135m", identify)

    def test_gone(self, gguf: Path) -> None:
        local.add(gguf, "mine")
        records.remember("mine", ID)
        gguf.unlink()
        for model_id, name in ((ID, "other"), (OTHER_ID, "mine")):
            with pytest.raises(MissingModelError, match=r"the model mine is needed, and .* is gone; bring"):
                records.resolve(model_id, name, lambda model: ID)

    def test_another_quantiser(self, gguf: Path) -> None:
        local.add(gguf, "mine")
        records.remember("mine", OTHER_ID)
        assert records.resolve(ID, "mine", lambda model: ID).model_ids == (OTHER_ID,)
        assert set(records.find("mine").model_ids) == {ID, OTHER_ID}

    def test_trouble(self, gguf: Path) -> None:
        local.add(gguf, "mine")

        def identify(model: records.InstalledModel) -> str:
            raise CorruptError("broken")

        with pytest.raises(CorruptError, match="broken"):
            records.resolve(ID, "mine", identify)
        with pytest.raises(MissingModelError):
            records.resolve(ID, "other", identify)

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
    def test_read_only(self, gguf: Path, folder: Path) -> None:
        local.add(gguf, "mine")
        (folder / "mine").chmod(0o500)
        records.remember("mine", ID)
        (folder / "mine").chmod(0o700)

    def test_derived(self, gguf: Path) -> None:
        model = local.add(gguf, "mine")
        (model.derived / "form").write_bytes(b"12345")
        assert local.remove("mine") > 5
        assert gguf.exists()
        assert not model.folder.exists()
