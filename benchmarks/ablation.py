"""What the scripts that leave out a part of an engine, one by one, share."""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine

RESULTS = Path(__file__).resolve().parent / "results"
Block = tuple[bytes, Content]
Part = TypeVar("Part")


def options(doc: str | None, name: str) -> argparse.ArgumentParser:
    """Return the options of a script with docstring `doc`, whose results are `name`."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="the first row, and those with TEXT in their names")
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.json")
    return parser


def chosen(rows: Iterable[tuple[str, Part]], only: str) -> Iterator[tuple[str, Part]]:
    """Yield the first of the named rows, and those with `only` in their names."""
    for number, (name, part) in enumerate(rows):
        if number == 0 or only in name:
            yield name, part


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return the files among `paths` and those in the folders among them."""
    found = [path for place in paths for path in (sorted(place.iterdir()) if place.is_dir() else [place])]
    return [path for path in found if path.is_file() and path.stat().st_size]


def read(paths: Sequence[Path]) -> list[Block]:
    """Return what files hold, and what that is."""
    blocks = [path.read_bytes() for path in paths]
    return [(block, detect(block)) for block in blocks]


def changed(source: str, changes: Sequence[tuple[str, str]]) -> str:
    """Return a source with texts replaced, each of which occurs in it once."""
    for old, new in changes:
        if source.count(old) != 1:
            raise ValueError(f"{old!r} is {source.count(old)} times in the kernel's source, and not once")
        source = source.replace(old, new)
    return source


def compiled(name: str, source: str, folder: Path) -> ModuleType:
    """Return the module `name` of a source, which is kept in `folder`."""
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def write(out: Path, engine: type[Engine], paths: Sequence[Path], **found: Any) -> None:
    """Write what was found on files to `out`."""
    result = {
        "engine": engine.name,
        "engine_version": engine.version,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "files": [path.name for path in paths],
        "raw": sum(path.stat().st_size for path in paths),
        **found,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
