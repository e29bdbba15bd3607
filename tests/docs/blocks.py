"""The blocks of code in a page, and how they are run.

The blocks of a page are run in order, in one folder:

* `sh`: run by bash, which stops at the first command that fails;
* `python`: written to the file that its first line names (`# model.py`), or, without a name, run as a program;
* `pycon`: an interpreter's session, compared as doctests are;
* `text` right behind a `sh` or a `python` block: what that block printed, where `...` stands for anything;
* all others: shown only.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# ([\w.-]+\.\w+)\n")
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        page: where it stands.
        line: number of its first line, from 1.
        language: the word behind its fence.
        text: the code.
        follows: whether only blank lines are between the block before and this one.
    """

    page: Path
    line: int
    language: str
    text: str
    follows: bool

    @property
    def place(self) -> str:
        return f"{self.page.name}, line {self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the blocks of `page`."""
    text = page.read_text(encoding="utf-8")
    found, end = [], 0
    for match in FENCE.finditer(text):
        code = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        follows = end > 0 and not text[end : match.start()].strip()
        found.append(Block(page, text.count("\n", 0, match.start()) + 2, match[2], code, follows))
        end = match.end()
    return found


def commands(folder: Path) -> dict[str, str]:
    """Return the environment of shells: `nzip` and `python` are the ones under test."""
    bin_ = folder / ".bin"
    bin_.mkdir()
    (bin_ / "nzip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nzip "$@"\n')
    (bin_ / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for program in bin_.iterdir():
        program.chmod(0o755)
    return {**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}


def same(wanted: str, got: str, place: str) -> None:
    """Compare what a page shows with what came."""
    if not doctest.OutputChecker().check_output(wanted, got, LOOSE):
        raise AssertionError(f"{place}: the page shows\n{wanted}\nand what came is\n{got}")


class Session:
    """Runs the blocks of one page in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = commands(folder)
        self.printed = ""

    def program(self, words: list[str], block: Block, given: str = "") -> None:
        result = subprocess.run(
            words, input=given, cwd=self.folder, env=self.environment, timeout=300, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if result.returncode:
            raise AssertionError(f"{block.place}: status {result.returncode}\n{block.text}\n{result.stdout}")
        self.printed = result.stdout

    def run(self, page: list[Block]) -> None:
        """Run the blocks of a page in order."""
        for block in page:
            if block.language == "sh":
                self.program(["bash", "-euo", "pipefail", "-c", block.text], block)
            elif block.language == "python" and (name := NAME.match(block.text)):
                (self.folder / name[1]).write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                self.program([sys.executable, "-"], block, block.text)
            elif block.language == "pycon":
                session(block)
            elif block.language == "text" and block.follows:
                same(block.text, self.printed, block.place)


def session(block: Block) -> None:
    """Compare an interpreter's session with what really comes."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, block.place, str(block.page), block.line - 1)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=LOOSE).run(test, out=report.append)
    if report:
        raise AssertionError("".join(report))
