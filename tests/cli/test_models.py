"""models: list, pull, add, verify, remove."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tools import Run, Shell
from models.lm.model_files import CODABLE, write_folder, write_gguf
from models.lm.web import Web, serve

from nzip.models.lm.cache import known_models, pulling, receiving, records
from nzip.models.lm.cache.known_models import KnownModel, ModelFile, WebOrigin


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def web() -> Iterator[Web]:
    with serve() as running:
        yield running


@pytest.fixture
def tiny(here: Path) -> Path:
    return write_gguf(here / "tiny.gguf", CODABLE)


@pytest.fixture
def known(web: Web, tiny: Path) -> Iterator[Web]:
    """A web server that has the model `small`."""
    web.files["/small.gguf"] = tiny.read_bytes()
    file = ModelFile("small.gguf", tiny.stat().st_size, receiving.digest_of(tiny))
    model = KnownModel("small", "a small model", "https://example.org", "none", (file,), (WebOrigin(web.url),))
    before = dict(known_models.KNOWN)
    known_models.KNOWN.clear()
    known_models.KNOWN["small"] = model
    yield web
    known_models.KNOWN.clear()
    known_models.KNOWN.update(before)  # in the order in which they stood


class TestList:
    def test_nothing_here(self, run: Run, models: Path) -> None:
        result = run("models", "list")
        assert (result.exit_code, result.stderr) == (0, "")
        lines = result.stdout.splitlines()
        assert lines[0].split() == ["name", "bytes", "here", "title"]
        assert lines[1].split()[:3] == ["smollm2-135m", "98,362,432", "no"]
        assert len(lines) == 1 + len(known_models.KNOWN)
        assert not models.exists()

    def test_what_is_here(self, run: Run, tiny: Path, models: Path) -> None:
        run("models", "add", "tiny.gguf")
        records.remember("tiny", "ab" * 32)
        line = run("models", "list").stdout.splitlines()[-1]
        assert line.split()[:3] == ["tiny", f"{tiny.stat().st_size:,}", "yes"]
        verbose = run("models", "list", "-v").stdout
        assert f"    path: {tiny}\n" in verbose
        assert f"    id: {'ab' * 32}\n" in verbose
        assert verbose.endswith(f"folder: {models}\n")
        tiny.unlink()
        assert run("models", "list").stdout.splitlines()[-1].split()[2] == "damaged"

    def test_json(self, run: Run, tiny: Path) -> None:
        run("models", "add", "tiny.gguf")
        rows = [json.loads(line) for line in run("models", "list", "--json").stdout.splitlines()]
        assert all(row["ok"] and row["command"] == "models list" for row in rows)
        first, last = rows[0], rows[-1]
        assert (first["name"], first["installed"], first["pinned"]) == ("smollm2-135m", False, True)
        assert [row["name"] for row in rows if row["default"]] == ["smollm2-135m"]
        assert (last["name"], last["installed"], last["reference"], last["path"]) == ("tiny", True, True, str(tiny))


class TestAdd:
    def test_reference(self, run: Run, tiny: Path) -> None:
        result = run("models", "add", "tiny.gguf")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"tiny: {tiny.stat().st_size:,} bytes stay in {tiny}\n"

    def test_copy_with_a_name(self, run: Run, tiny: Path, models: Path) -> None:
        result = run("models", "add", "--copy", "--name", "mine", "tiny.gguf")
        assert result.stderr == f"mine: {tiny.stat().st_size:,} bytes copied to {models / 'mine' / 'tiny.gguf'}\n"
        assert run("models", "add", "-q", "--name", "mine", "tiny.gguf").output == ""

    def test_json(self, run: Run, here: Path) -> None:
        write_folder(here / "folder", CODABLE, shards=2)
        result = run("models", "add", "--json", "folder")
        row = json.loads(result.stdout)
        assert (row["ok"], row["command"], row["name"], row["reference"]) == (True, "models add", "folder", True)
        assert len(row["files"]) == 5
        assert result.stderr == ""

    @pytest.mark.parametrize(
        ("args", "line", "kind"),
        [
            (["nothing"], "nothing: no such file or directory", "io"),
            (
                ["text"],
                "text: is no GGUF file; nzip reads GGUF, and folders with config.json and safetensors",
                "unsupported",
            ),
            (["."], ".: has no config.json; name a folder in Hugging Face's layout, or a GGUF file", "unsupported"),
            (["tiny.gguf", "--name", "a/b"], None, "refused"),
            (["tiny.gguf", "--name", "smollm2-135m"], None, "refused"),
            (["cut.gguf"], None, "corrupt"),
        ],
    )
    def test_refused(self, run: Run, tiny: Path, here: Path, args: list[str], line: str | None, kind: str) -> None:
        (here / "cut.gguf").write_bytes(tiny.read_bytes()[:-1])
        result = run("models", "add", *args)
        assert (result.exit_code, result.stdout) == (1, "")
        assert len(result.stderr.splitlines()) == 1
        assert line is None or result.stderr == f"nzip: {line}\n"
        row = json.loads(run("models", "add", "--json", *args).stdout)
        assert (row["ok"], row["kind"], f"nzip: {row['error']}\n") == (False, kind, result.stderr)

    def test_usage(self, run: Run) -> None:
        assert run("models", "add").exit_code == 2
        assert run("models", "remove").exit_code == 2
        assert run("models", "fly").exit_code == 2


class TestPull:
    def test_pull(self, run: Run, known: Web, tiny: Path, models: Path) -> None:
        result = run("models", "pull", "small")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr.splitlines() == [
            f"small: from {known.url}",
            f"small: {tiny.stat().st_size:,} bytes in {models / 'small'}",
        ]
        assert run("models", "pull", "small").stderr == f"small: is here ({models / 'small' / 'small.gguf'})\n"
        assert run("models", "pull", "-q", "small").output == ""
        row = json.loads(run("models", "pull", "--json", "small").stdout)
        assert (row["ok"], row["name"], row["pinned"]) == (True, "small", True)

    def test_default(self, run: Run, known: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(known_models, "DEFAULT_MODEL", "small")
        assert run("models", "pull").exit_code == 0

    def test_failures(self, run: Run, known: Web) -> None:
        known.files.clear()
        result = run("models", "pull", "-q", "large", "small")
        assert result.exit_code == 1
        assert result.stderr.splitlines() == [
            "nzip: no model is known as 'large'; there are small",
            f"nzip: small: cannot be fetched ({known.url}: the server says 404 Not Found); try again with a network",
        ]
        rows = [json.loads(line) for line in run("models", "pull", "--json", "large", "small").stdout.splitlines()]
        assert [(row["ok"], row["kind"]) for row in rows] == [(False, "missing"), (False, "fetch")]

    @pytest.mark.skipif(os.name != "posix", reason="POSIX only")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_interrupted(self, shell: Shell, known: Web, tiny: Path, models: Path, number: int) -> None:
        """A download that is broken off leaves a part, which the next one takes up."""
        known.hangs = 30
        file = known_models.KNOWN["small"].files[0]
        code = (
            "from nzip.models.lm.cache import known_models as cache\nfrom nzip.cli import main\n"
            f"file = cache.ModelFile({file.name!r}, {file.size}, {file.sha256!r})\n"
            f"origin = cache.WebOrigin({known.url!r})\n"
            "cache.KNOWN['small'] = cache.KnownModel('small', '', '', '', (file,), (origin,))\n"
            "main()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, "models", "pull", "small"], cwd=shell.folder, stderr=subprocess.PIPE
        )
        part = models / "small" / "small.gguf.part"
        for _ in range(600):
            if part.exists():
                break
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(number)
        assert process.wait(30) == (130 if number == signal.SIGINT else 128 + number)
        assert process.stderr is not None
        error = process.stderr.read().decode()
        process.stderr.close()
        assert "Traceback" not in error
        assert not (models / "small" / "small.gguf").exists()
        known.hangs = 0
        assert pulling.pull("small").path.read_bytes() == tiny.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="a script in place of Python")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_package(shell: Shell, here: Path, models: Path, number: int) -> None:
    """Of a package that was under way nothing stays, and pip does not go on."""
    fake = here / "python"
    fake.write_text(f"#!/bin/sh\necho $$ > {here / 'pid'}\necho x > $TMPDIR/half\nexec sleep 60\n")
    fake.chmod(0o755)
    code = f"import sys\nsys.executable = {str(fake)!r}\nfrom nzip.cli import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "models", "pull", "-q"], cwd=shell.folder, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        if (here / "pid").exists() and (here / "pid").read_text().strip():
            break
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    assert process.wait(30) == (130 if number == signal.SIGINT else 128 + number)
    assert not (models / "smollm2-135m").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((here / "pid").read_text()), 0)


class TestVerify:
    def test_verify(self, run: Run, known: Web, tiny: Path) -> None:
        result = run("models", "verify")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "no model is here; get one with: nzip models pull\n"
        run("models", "pull", "small")
        run("models", "add", "tiny.gguf")
        result = run("models", "verify")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "small: ok\ntiny: unchanged\n", "")
        tiny.write_bytes(tiny.read_bytes()[:-1] + b"x")
        result = run("models", "verify")
        assert result.exit_code == 1
        assert re.fullmatch(
            r"small: ok\ntiny: damaged \(tiny\.gguf has the SHA-256 [0-9a-f]{16}… in place of [0-9a-f]{16}…\)\n",
            result.stdout,
        )
        tiny.unlink()
        rows = [json.loads(line) for line in run("models", "verify", "--json").stdout.splitlines()]
        found = [(row["name"], row["ok"], row["status"]) for row in rows]
        assert found == [("small", True, "ok"), ("tiny", False, "missing")]
        assert run("models", "verify", "-q", "small").output == ""

    def test_damaged_record(self, run: Run, known: Web, models: Path) -> None:
        run("models", "pull", "small")
        (models / "small" / "model.json").write_text("?")
        assert run("models", "verify").exit_code == 1
        assert run("models", "pull", "small").exit_code == 0

    def test_missing(self, run: Run) -> None:
        result = run("models", "verify", "smollm2-135m")
        assert result.exit_code == 1
        assert result.stderr == (
            "nzip: the model smollm2-135m is not here; get it with: nzip models pull smollm2-135m\n"
        )


class TestRemove:
    def test_remove(self, run: Run, known: Web, tiny: Path, models: Path) -> None:
        run("models", "pull", "small")
        run("models", "add", "tiny.gguf")
        result = run("models", "remove", "small", "tiny")
        assert result.exit_code == 0
        assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["small", "tiny"]
        assert tiny.exists()
        assert records.installed() == []
        result = run("models", "remove", "tiny")
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        row = json.loads(run("models", "remove", "--json", "tiny").stdout)
        assert (row["ok"], row["kind"]) == (False, "missing")


def test_nothing_heavy(shell: Shell) -> None:
    """Listing and help need neither numpy nor numba."""
    code = (
        "import sys\nfrom nzip.cli import cli\n"
        "try:\n    cli.main(['models', 'list'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'numba', 'torch', 'gguf', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == "[]\n"
