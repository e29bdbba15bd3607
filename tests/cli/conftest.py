"""Fixtures for the tests of the command."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from cli.tools import TEXT, Run, Shell
from click.testing import CliRunner, Result

from nzip.cli import cli


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with the file `text`."""
    (tmp_path / "text").write_bytes(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# click 8.1 has to be asked to keep stderr apart; later it always does.
APART: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}


@pytest.fixture
def run(here: Path) -> Run:
    """Run the command in this process: `run("compress", "-1", "text")`."""

    def call(*args: str, input: bytes | None = b"") -> Result:
        return CliRunner(**APART).invoke(cli, args, input=input, prog_name="nzip")

    return call


@pytest.fixture
def shell(here: Path) -> Shell:
    return Shell(here)
