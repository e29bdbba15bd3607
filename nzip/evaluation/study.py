"""What the measures of `nzip eval` have in common: tasks, journal, JSON lines, confidence intervals, tables, outputs.

A measure is a function that cuts its work in tasks, has `run_tasks` do them (in order or in several processes, each
result appended to a journal of JSON lines, from which an interrupted run goes on), and makes `Findings` of the records.
`publish` prints its tables and writes JSON, CSV, the plot and the page. No result depends on the number of processes,
and whatever is drawn by lot comes from a seed.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import signal
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import xxhash
from numpy.typing import NDArray

from nzip import outputs
from nzip.errors import CorruptError, LimitError, NzipError, UnsupportedError
from nzip.evaluation.bench import Echo, Progress, check_outputs, digits, machine, software

SCHEMA = 1
ROUNDS = 10_000  # of a bootstrap
CONFIDENCE = 0.95
WAITING = 4  # tasks for each process that are handed out at once
SHOWN_PROBLEMS = 20
LONGEST_LINE = 1 << 28  # bytes of a JSON line

AnyPath = str | os.PathLike[str]
Record = dict[str, Any]


# Outputs


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


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, and how `format` shows a number in it (`",.3f"`, or `"3 digits"` that mean
    something); text stays as it is."""

    title: str
    spec: str = ""

    def show(self, value: Any) -> str:
        """Return a cell: `-` for None."""
        if value is None:
            return "-"
        if isinstance(value, str):
            return value
        count, _, word = self.spec.partition(" ")
        return digits(value, int(count)) if word == "digits" else format(value, self.spec)


@dataclass(frozen=True)
class Table:
    """Rows of numbers and words, None where there is no value; the first column names the row."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: str = ""

    @property
    def words(self) -> list[bool]:
        """Which columns hold text, and so stand to the left, heads and cells."""
        return [
            all(isinstance(row[at], str | None) for row in self.rows) and any(row[at] is not None for row in self.rows)
            for at in range(len(self.columns))
        ]

    def lines(self) -> list[str]:
        """Return the table as text: the title, then aligned columns, numbers to the right, then the note."""
        cells = [[column.title for column in self.columns]]
        cells += [[column.show(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]
        widths = [max(len(row[at]) for row in cells) for at in range(len(self.columns))]
        words = self.words
        body = [
            "  ".join(
                cell.ljust(width) if word else cell.rjust(width)
                for cell, width, word in zip(row, widths, words, strict=True)
            ).rstrip()
            for row in cells
        ]
        return [self.title, *body, *([self.note] if self.note else [])]


@dataclass(frozen=True)
class Findings:
    """What a measure found, ready to be shown.

    Attributes:
        title: of the page.
        result: what is written as JSON; begins with `head`.
        tables: printed, and on the page.
        records: one row for each thing measured, as CSV.
        notes: printed below the tables: protocol, what is counted, what was left out.
        draw: fills a matplotlib figure; None where there is nothing to draw.
        size: width and height of the figure in inches.
    """

    title: str
    result: dict[str, Any]
    tables: Sequence[Table]
    records: Table
    notes: Sequence[str] = ()
    draw: Callable[[Any], None] | None = None
    size: tuple[float, float] = (9.0, 5.6)


def head(tool: str, *, seed: int | None = None, **settings: Any) -> dict[str, Any]:
    """Return how every result begins: schema, tool, versions, machine, date, seed, settings."""
    start = {"schema": SCHEMA, "tool": tool, **software(), "machine": machine()}
    start["date"] = datetime.now(UTC).isoformat(timespec="seconds")
    return {**start, **({} if seed is None else {"seed": seed}), "settings": settings}


def publish(findings: Findings, outputs: Outputs, echo: Echo | None = None) -> None:
    """Write the findings where `outputs` says and print them; the figures first: who reads the tables may leave early.

    Raises:
        NzipError: a file cannot be written, or there is nothing to draw.
    """
    if outputs.json is not None:
        text = json.dumps(findings.result, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        write_text(outputs.json, text)
    if outputs.csv is not None:
        write_csv(findings.records, outputs.csv)
    if echo is not None:
        for table in findings.tables:
            for line in table.lines():
                echo(_plain(line))
            echo("")
        for note in findings.notes:
            echo(_plain(note))
    if outputs.plot is not None:
        from nzip.evaluation.plot import save

        if findings.draw is None:
            raise NzipError(f"{os.fspath(outputs.plot)}: there is nothing to draw")
        save(outputs.plot, findings.draw, size=findings.size)
    if outputs.html is not None:
        from nzip.evaluation.page import write_page

        write_page(findings, outputs.html)


def _plain(line: str) -> str:
    return line.encode("utf-8", "backslashreplace").decode()


def write_text(path: AnyPath, text: str) -> None:
    """Write `text` to `path`, whole or not at all.

    Raises:
        NzipError: it cannot be written.
    """
    # What is no text (names of files may be any bytes) becomes an escape, which JSON takes for what it was.
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


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


@contextlib.contextmanager
def reading(path: AnyPath) -> Iterator[None]:
    """Say which file it is that cannot be read, or decompressed as `open_binary` does.

    Raises:
        NzipError: what is done inside cannot read it.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, CorruptError, UnsupportedError, LimitError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NzipError(f"{os.fspath(path)}: cannot read it: {reason}") from None


def write_csv(table: Table, path: AnyPath) -> None:
    """Write a table as CSV (RFC 4180), numbers with all their digits, empty where there is none.

    Raises:
        NzipError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([column.title for column in table.columns])
    writer.writerows(table.rows)
    write_text(path, text.getvalue())


# Tasks


@dataclass(frozen=True)
class Task:
    """A piece of work: `key` tells it from every other (`key_of`), `payload` is all that the worker is given."""

    key: str
    label: str
    payload: Any


def key_of(*words: Any) -> str:
    """Return the key of a task: a hash of JSON values and of the versions of what does the work."""
    return hashlib.sha256(json.dumps([SCHEMA, *words, software()], sort_keys=True).encode()).hexdigest()


class JournalWarning(UserWarning):
    """Lines of a journal were left out; its text is the one line to show."""


CHECKED = b'{"check": "'  # how a line of a journal begins; 16 hexadecimal digits follow


def checked(text: str) -> str:
    """Return a JSON object as a line of a journal: with the XXH64 of its text as its first field."""
    return f'{CHECKED.decode()}{xxhash.xxh64_hexdigest(text.encode())}", {text[1:]}'


class Journal:
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

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cores(jobs: int) -> int:
    """Return the number of processes that `jobs` asks for: 0 for every core.

    Raises:
        ValueError: it is negative.
    """
    if jobs < 0:
        raise ValueError("jobs is less than 0")
    if jobs:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(
    tasks: Sequence[Task],
    work: Callable[[Any], Record],
    *,
    jobs: int = 1,
    journal: AnyPath | None = None,
    progress: Progress | None = None,
    setup: Callable[[Any], None] | None = None,
    shared: Any = None,
    keep: Callable[[Record], Record] | None = None,
) -> list[Record]:
    """Return the records of `tasks`, in their order.

    Args:
        tasks: what to do.
        work: a function of a module, called with a task's payload; returns a record that JSON can hold. What it
            expects to fail it reports as `{"error": …}`; what it raises ends the run.
        jobs: processes; 1 works in this one, 0 is one for each core.
        journal: where records are kept; those found there are not made anew.
        progress: called with tasks done, tasks in all and a label.
        setup: called once in each process before its first task, with `shared`.
        shared: what every task needs; sent to each process once.
        keep: returns what is kept of a record, where whole ones would take too much memory; called once for each, in
            any order. The journal has the whole.

    Raises:
        NzipError: the journal is no good, or a process died.
        ValueError: `jobs` is negative.
    """
    records: list[Record | None] = [None] * len(tasks)
    with Journal(journal) as notes:
        open_tasks = []
        for at, task in enumerate(tasks):
            known = notes.known.get(task.key)
            if known is None:
                open_tasks.append(at)
            else:
                records[at] = known if keep is None else keep(known)
        done = len(tasks) - len(open_tasks)
        if progress is not None:
            progress(done, len(tasks), tasks[open_tasks[0]].label if open_tasks else "")
        processes = min(cores(jobs), len(open_tasks))
        finished = (
            _here(tasks, open_tasks, work, setup, shared)
            if processes <= 1
            else _in_processes(tasks, open_tasks, work, setup, shared, processes)
        )
        for at, record in finished:
            notes.add(tasks[at].key, record)
            records[at] = record if keep is None else keep(record)
            done += 1
            if progress is not None:
                progress(done, len(tasks), tasks[at].label)
    return [record for record in records if record is not None]


def _here(
    tasks: Sequence[Task],
    chosen: Sequence[int],
    work: Callable[[Any], Record],
    setup: Callable[[Any], None] | None,
    shared: Any,
) -> Iterator[tuple[int, Record]]:
    if setup is not None and chosen:
        setup(shared)
    for at in chosen:
        yield at, work(tasks[at].payload)


def _in_processes(
    tasks: Sequence[Task],
    chosen: Sequence[int],
    work: Callable[[Any], Record],
    setup: Callable[[Any], None] | None,
    shared: Any,
    processes: int,
) -> Iterator[tuple[int, Record]]:
    """Yield records as they are made; only a few tasks for each process are handed out at a time."""
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # numba's threads do not survive a fork
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(setup, shared))
    try:
        waiting: dict[Future[Record], int] = {}
        rest = iter(chosen)
        while True:
            while len(waiting) < WAITING * processes and (at := next(rest, None)) is not None:
                waiting[pool.submit(work, tasks[at].payload)] = at
            if not waiting:
                break
            done = wait(waiting, return_when=FIRST_COMPLETED).done
            # What went well first: it is to be in the journal before an error ends the run.
            for future in sorted(done, key=lambda future: (future.exception() is not None, waiting[future])):
                yield waiting.pop(future), future.result()
    except BrokenProcessPool:
        raise NzipError("a process died: out of memory, or killed; try again with fewer --jobs") from None
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(setup: Callable[[Any], None] | None, shared: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes
    if setup is not None:
        setup(shared)


# JSON lines


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


def open_binary(path: AnyPath) -> IO[bytes]:
    """Open a file for reading, decompressed if its name ends in `.gz` or `.nz`.

    Raises:
        OSError: it cannot be read.
        CorruptError: it is no nzip file.
    """
    import nzip

    if os.fspath(path).endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if os.fspath(path).endswith(".nz"):
        return nzip.open(path)  # type: ignore[return-value]
    return open(path, "rb")


# Statistics


def bootstrap(
    numerators: Sequence[float], denominators: Sequence[float] | None = None, *, seed: int = 0, rounds: int = ROUNDS
) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of sum(numerators) / sum(denominators), or None for fewer than two items.

    Percentile bootstrap (Efron 1979): the items are drawn `rounds` times with replacement.

    Args:
        numerators: one for each item, as bits of a file.
        denominators: one for each item, as its bytes; left out: 1 each, so that the interval is that of the mean.
        seed: of the draws.
        rounds: how many.
    """
    above = np.asarray(numerators, np.float64)
    below = np.ones_like(above) if denominators is None else np.asarray(denominators, np.float64)
    if len(above) < 2:
        return None
    random = np.random.Generator(np.random.PCG64(seed))
    values = np.empty(rounds)
    step = max(1, 4_000_000 // len(above))
    for start in range(0, rounds, step):
        drawn = random.integers(0, len(above), (min(step, rounds - start), len(above)))
        with np.errstate(divide="ignore", invalid="ignore"):
            values[start : start + step] = above[drawn].sum(axis=1) / below[drawn].sum(axis=1)
    return middle(values)


def middle(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float] | None:
    """Return where the middle 95 % of a bootstrap's values lie, those left out that are not finite; None of nothing."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    if not len(found):
        return None
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, (edge, 1 - edge))
    return float(low), float(high)
