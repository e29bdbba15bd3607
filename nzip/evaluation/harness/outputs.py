"""Where a run writes: paths that are checked before the work, files that are whole or not there."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from nzip import outputs
from nzip.errors import NzipError

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Outputs:
    """Where the findings go besides the screen; None where nothing is written."""

    json: AnyPath | None = None
    csv: AnyPath | None = None
    html: AnyPath | None = None
    plot: AnyPath | None = None

    def check(self, inputs: Sequence[AnyPath] = (), journal: AnyPath | None = None) -> None:
        """Find out before the work what would make its end useless, or one of `inputs` be lost.

        Raises:
            NzipError: a folder does not exist, a plot cannot be drawn, or files are the same.
        """
        check_outputs(self.json, self.plot, self.csv, self.html, journal, inputs=inputs)


def write_text(path: AnyPath, text: str) -> None:
    """Write `text` to `path`, whole or not at all.

    Raises:
        NzipError: it cannot be written.
    """
    # What is no text (names of files may be any bytes) becomes an escape, which JSON takes for what it was.
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: AnyPath, result: Mapping[str, Any]) -> None:
    """Write a result to `path`, whole or not at all.

    Raises:
        NzipError: it cannot be written.
    """
    write_text(path, json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def replacing(path: AnyPath) -> Iterator[BinaryIO]:
    """Yield a binary file; what is written to it is at `path` at the end, whole or not at all (see `nzip.outputs`).

    Raises:
        NzipError: it cannot be written.
    """
    try:
        with outputs.replacing(path) as file:
            yield file
    except OSError as error:
        raise NzipError(f"{os.fspath(path)}: cannot write it: {error.strerror or error}") from None


def check_outputs(
    json_path: str | os.PathLike[str] | None,
    plot_path: str | os.PathLike[str] | None,
    *others: str | os.PathLike[str] | None,
    inputs: Sequence[str | os.PathLike[str]] = (),
) -> None:
    """Find out before the work what would make its end useless, or a file that is read be lost.

    Raises:
        NzipError: the folder of a path does not exist, a plot cannot be drawn, or two paths, or a path and one of
            `inputs`, are the same file.
    """
    from nzip.codec.files.targets import Run

    run, seen = Run(inputs), set()
    for path in (json_path, plot_path, *others):
        if path is None or outputs.stream_word(path) is not None:
            continue
        place = Path(path).resolve()
        if not place.parent.is_dir():
            raise NzipError(f"{path}: its folder does not exist; make it first")
        run.refuse(path)
        if place in seen:
            raise NzipError(f"{path}: is written twice; give each output a file of its own")
        seen.add(place)
    if plot_path is not None:
        if Path(plot_path).suffix.lower() not in (".png", ".svg"):
            raise NzipError(f"{plot_path}: a plot is written as .png or .svg; change the suffix")
        if importlib.util.find_spec("matplotlib") is None:
            raise NzipError("plots need matplotlib; install it with: pip install 'nzip[plot]'")
