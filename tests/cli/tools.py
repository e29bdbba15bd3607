"""What the tests of the command share; `tests` is on the import path, so this is `cli.tools`."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import Result

TEXT = b"to be, or not to be: that is the question\n" * 400

Run = Callable[..., Result]


@dataclass
class Shell:
    """Runs the command as a process of its own."""

    folder: Path

    def arguments(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "nzip", *args]

    def __call__(self, *args: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
        settings.setdefault("stdout", subprocess.PIPE)
        if "input" not in settings:
            settings.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            self.arguments(*args), cwd=self.folder, stderr=subprocess.PIPE, timeout=120, check=False, **settings
        )

    def start(self, *args: str, **settings: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.arguments(*args), cwd=self.folder, stderr=subprocess.PIPE, **settings
        )


def files_in(folder: Path) -> list[str]:
    """Return the names in `folder`, unfinished outputs included."""
    return sorted(os.listdir(folder))
