"""The commands of benchmarks/README.md are those of the scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs a checkout")


def commands() -> list[tuple[str, list[str]]]:
    """Return each script that is called, and the options it is called with."""
    text = (FOLDER / "README.md").read_text("utf-8").replace("\\\n", " ")
    called = re.findall(r"^    python benchmarks/(\S+\.py)([^#\n]*)", text, re.MULTILINE)
    return [(name, re.findall(r"--[\w-]+", words)) for name, words in called]


def test_every_script_is_listed() -> None:
    scripts = {path.name for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8")}
    assert scripts == {name for name, _ in commands()}


def test_options_are_those_of_the_scripts() -> None:
    unknown = []
    for name, words in commands():
        source = (FOLDER / name).read_text("utf-8")
        if "from ablation import" in source:
            source += (FOLDER / "ablation.py").read_text("utf-8")
        unknown += [f"{name} {word}" for word in words if f'"{word}"' not in source]
    assert unknown == []
