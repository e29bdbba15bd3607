"""JSON lines; what is wrong with a line is kept, and the reading goes on."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from nzip.errors import NzipError
from nzip.evaluation.data.reading import open_binary, reading
from nzip.evaluation.harness.outputs import AnyPath

SHOWN_PROBLEMS = 20
LONGEST_LINE = 1 << 28  # bytes of a JSON line


@dataclass
class JsonLines:
    """The objects of a file of JSON lines; what is wrong with a line is kept, and the reading goes on.

    Args:
        path: the file; `.gz` and `.nz` are decompressed on the way.
        check: returns what is wrong with an object, None if it is good.

    Attributes:
        read: lines read so far, blank ones not counted.
        problems: numbers (from 1) of bad lines, with reasons.
    """

    path: AnyPath
    check: Callable[[Mapping[str, Any]], str | None] | None = None
    read: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield line numbers and objects.

        Raises:
            NzipError: the file cannot be read.
        """
        with reading(self.path), open_binary(self.path) as file:
            for number, line in enumerate(_bounded(file), 1):
                if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
                    raise NzipError(f"{os.fspath(self.path)}: is UTF-16 or UTF-32; save it as UTF-8")
                if not unmarked(line).strip():
                    continue
                self.read += 1
                found = self.parse(line)
                if isinstance(found, str):
                    self.problems.append((number, found))
                else:
                    yield number, found

    def parse(self, line: bytes) -> dict[str, Any] | str:
        """Return the object of a line, or what is wrong with it."""
        if len(line) > LONGEST_LINE:
            return f"is longer than {LONGEST_LINE:,} bytes"
        try:
            value = json.loads(unmarked(line).decode())
        except UnicodeDecodeError:
            return "is not UTF-8"
        except RecursionError:
            return "is not JSON that can be read: nested too deeply"
        except ValueError as error:
            if b"\r" in line.strip():
                return "is several lines, each with CR alone behind it; write LF there"
            return f"is not JSON: {error}"
        if not isinstance(value, dict):
            return "is no JSON object"
        wrong = None if self.check is None else self.check(value)
        return value if wrong is None else wrong

    def notes(self) -> list[str]:
        """Return lines that say what was left out; none if all was good."""
        if not self.problems:
            return []
        path = os.fspath(self.path)
        lines = [f"{path}, line {number}: {reason}; left out" for number, reason in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"{path}: and {len(self.problems) - SHOWN_PROBLEMS:,} more such lines")
        return [*lines, f"{path}: {len(self.problems):,} of {self.read:,} lines left out"]


def _bounded(file: IO[bytes]) -> Iterator[bytes]:
    """Yield lines; of one that is longer than LONGEST_LINE only so much that it can be seen to be."""
    while line := file.readline(LONGEST_LINE + 1):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield line


def unmarked(line: bytes) -> bytes:
    """Return a line without a byte order mark in front, as it stands where files that had one were joined."""
    return line.removeprefix(codecs.BOM_UTF8)


def has_text(name: str) -> Callable[[Mapping[str, Any]], str | None]:
    """Return a check that an object has a string under `name`."""

    def check(value: Mapping[str, Any]) -> str | None:
        if name not in value:
            return f'has no field "{name}"'
        return None if isinstance(value[name], str) else f'its field "{name}" is no string'

    return check
