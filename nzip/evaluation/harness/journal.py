"""Results kept while a run lasts, a JSON line each, from which an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from pathlib import Path
from typing import IO, Any

import xxhash

from nzip.closing import Closing
from nzip.errors import NzipError
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.harness.provenance import SCHEMA, software

Record = dict[str, Any]


def key_of(*words: Any) -> str:
    """Return the key of a task: a hash of JSON values and of the versions of what does the work."""
    return hashlib.sha256(json.dumps([SCHEMA, *words, software()], sort_keys=True).encode()).hexdigest()


class JournalWarning(UserWarning):
    """Lines of a journal were left out; its text is the one line to show."""


CHECKED = b'{"check": "'  # how a line of a journal begins; 16 hexadecimal digits follow


def checked(text: str) -> str:
    """Return a JSON object as a line of a journal: with the XXH64 of its text as its first field."""
    return f'{CHECKED.decode()}{xxhash.xxh64_hexdigest(text.encode())}", {text[1:]}'


class Journal(Closing):
    """Results kept while a run lasts, one JSON line each, `{"check": …, "key": …, "record": …}`.

    `check` is that of `checked`; a line is parsed only if it is right. Lines that are damaged, cut or no results, and
    second results of a key, are left out and counted, which one `JournalWarning` says.

    Args:
        path: the file; made when the first result comes. None keeps nothing. What is no plain file is only written to.

    Attributes:
        known: records by key.
        left_out: lines that were left out, by reason.

    Raises:
        NzipError: it is there and is no journal, or cannot be read.
    """

    def __init__(self, path: AnyPath | None) -> None:
        self.path = None if path is None else Path(path)
        self.known: dict[str, Record] = {}
        self.left_out: Counter[str] = Counter()
        self._file: IO[str] | None = None
        if self.path is None or not (self.path.is_file() or self.path.is_dir()):
            return
        ours, lines = False, 0
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    line = line.strip()
                    if line:
                        lines += 1
                        ours = ours or line.startswith(CHECKED) or CHECKED.startswith(line)
                        self._take(line)
        except OSError as error:
            raise NzipError(f"{self.path}: cannot read it: {error.strerror}") from None
        if lines and not ours:
            raise NzipError(f"{self.path}: is no journal of an earlier run; name another file")
        if self.left_out:
            words = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
            total = self.left_out.total()
            warnings.warn(
                f"{self.path}: {total:,} of {lines:,} lines left out ({words}); what is missing is done again",
                JournalWarning,
                stacklevel=2,
            )

    def _take(self, line: bytes) -> None:
        text = b"{" + line[len(CHECKED) + 19 :]
        if line != CHECKED + xxhash.xxh64_hexdigest(text).encode() + b'", ' + text[1:]:
            self.left_out["damaged"] += 1
            return
        try:
            entry = json.loads(text)
            key, record = entry["key"], entry["record"]
        except (ValueError, KeyError, TypeError, RecursionError):
            key = record = None
        if not isinstance(key, str) or not isinstance(record, dict) or record.get("error"):
            self.left_out["no results"] += 1
        elif key in self.known:
            self.left_out["second results"] += 1
        else:
            self.known[key] = record

    def add(self, key: str, record: Record) -> None:
        """Append a record; one with an error is not kept, so that the next run tries again.

        Raises:
            NzipError: it cannot be written.
        """
        if self.path is None or record.get("error"):
            return
        try:
            if self._file is None:
                self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115  closed by close()
                if self._file.tell():
                    self._file.write("\n")
            print(checked(json.dumps({"key": key, "record": record})), file=self._file, flush=True)
        except OSError as error:
            raise NzipError(f"{self.path}: cannot write it: {error.strerror}") from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

