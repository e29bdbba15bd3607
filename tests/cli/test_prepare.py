"""`nzip prepare`, and what is said while something is compiled."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli.tools import Run

import nzip
from nzip.cli.output import report
from nzip.cli.output.progress import Tally
from nzip.cli.output.report import Report
from nzip.codec import prepare
from nzip.entropy import jit
from nzip.registry import ENGINES, OPENERS, TRANSFORMS

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Steps that keep one file instead of compiling everything."""
    done: list[str] = []

    def step() -> None:
        done.append(str(jit.keep(jit.key_of("nzip.entropy.x", "y", ""), b"code")))

    monkeypatch.setattr(prepare, "steps", lambda: [prepare.Step("all", step)])
    monkeypatch.setattr("nzip.cli.prepare._more", list)
    return done


def test_every_engine_transform_and_opener_is_a_step() -> None:
    names = {step.name for step in prepare.steps()}
    for word, registry in (("engine", ENGINES), ("transform", TRANSFORMS), ("opener", OPENERS)):
        assert {f"{word} {name}" for name in registry} <= names


def test_a_folder_of_its_own(run: Run, here: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("prepare", "--dir", "code")
    assert result.exit_code == 0, result.stderr
    assert quick == ["code"]
    assert "code: 1 files" in result.stderr
    assert f"set NZIP_CACHE_DIR={here / 'code'} where nzip runs" in result.stderr
    monkeypatch.setenv("NZIP_CACHE_DIR", str(here / "code"))
    assert jit.load(jit.key_of("nzip.entropy.x", "y", "")) == b"code"
    assert jit.load(jit.key_of("nzip.entropy.x", "y", "other")) is None


def test_json(run: Run, here: Path, quick: list[str]) -> None:
    values = json.loads(run("prepare", "--dir", "code", "--json").stdout)
    assert (values["ok"], values["folder"], values["files"], values["compiled"]) == (True, "code", 1, 0)
    assert values["size"] == sum(path.stat().st_size for path in Path("code").iterdir())


def test_a_place_that_cannot_be_written_is_named(run: Run, here: Path, quick: list[str]) -> None:
    Path("file").write_bytes(b"")
    result = run("prepare", "--dir", "file")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "file" in result.stderr
    assert "--dir" in result.stderr
    assert quick == []


class _Engine:
    name = "slow"

    def __init__(self, compiles: bool):
        self._compiles = compiles

    def prepare(self) -> None:
        for _ in range(2 if self._compiles else 0):
            for listener in jit._listeners:
                listener("kernel")


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("compiles", [True, False])
def test_compiling_is_said_once_where_it_happens_and_somebody_sees_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool, compiles: bool
) -> None:
    monkeypatch.setattr(report, "on_terminal", lambda stream: terminal)
    Report("compress").preparing(Tally())(_Engine(compiles))  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert said.count("compiling engine slow") == (1 if terminal and compiles else 0)


def _kernels() -> set[str]:
    """Return module and name of every kernel, by the text of the sources."""
    package = Path(nzip.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        for name in re.findall(r"^@kernel\ndef (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.add(f"{path.stem}.{name}")
    return found


USE = """
import nzip, sys
from nzip.entropy import jit
from nzip.registry import ENGINES, OPENERS, TRANSFORMS
compiled = []
with jit.compiling(compiled.append):
    for text in (b"some text, and more of it; " * 40, bytes(range(256)) * 8):
        for level in range(1, 10):
            assert nzip.decompress(nzip.compress(text, level=level)) == text
        assert nzip.decompress(nzip.compress(text, engine="midicoth")) == text
print(compiled)
"""


@pytest.mark.slow
@pytest.mark.skipif(not JIT, reason="nothing is compiled with the JIT off")
def test_all_is_compiled_ahead(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    words = [sys.executable, "-m", "nzip", "prepare", "--dir", str(folder), "--json"]
    values = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    kept = {path.name.partition("-")[0] for path in folder.iterdir()}
    learning = {f"learning_kernel.{name}" for name in ("scaled", "met", "believed", "_blurred", "smoothed")}
    assert _kernels() - kept == {"frames.contexts", *learning}  # training alone uses them
    again = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert (again["compiled"], again["files"]) == (0, values["files"])
    folder.chmod(0o555)
    environment = {**os.environ, "NZIP_CACHE_DIR": str(folder)}
    run = subprocess.run([sys.executable, "-c", USE], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == "[]\n"
