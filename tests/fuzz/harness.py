"""Mutations by the million: worker processes forked from one that has everything warm, watched from outside.

A case is made of the seed, the target's name and its number, so nothing need be kept of those that pass. A worker says
which case it is at in memory that it shares with the parent; where it dies, hangs or grows, the parent knows the case,
keeps it as a file, and goes on behind it with a new worker.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import hashlib
import json
import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from random import Random
from typing import Any

from nzip.entropy.jit import compiling
from nzip.errors import NzipError

from .target import MEBI, OUTCOMES, Target, Wrong, judged

SECONDS = 10.0  # of the processor that a case may take
STILL = 60.0  # and of the clock, for one that does nothing
COMPILING = 120.0  # of both, that kernels may take beside, which a case is the first to need
BESIDE = 100 * MEBI  # memory above the limit that a case may take
ROOM = 700 * MEBI  # and what the system refuses beyond that, to keep the machine alive
KEPT = 3  # reproducers of one kind
REPORT = 0.5  # seconds between a worker's reports

_PROGRESS = struct.Struct("<qdd")  # number of the case, clock and processor time when it began


@dataclass
class Finding:
    """What must not happen, and where it did."""

    target: str
    number: int
    kind: str  # "wrong bytes", "exception", "memory", "slow", "hang", "death"
    place: str  # what the like of it have in common
    detail: str = ""
    case: bytes = b""

    @property
    def key(self) -> str:
        return f"{self.kind}: {self.place}"


@dataclass
class Tally:
    """What came of a target's mutations."""

    done: list[list[int]] = field(default_factory=list)  # ranges of numbers, in order
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(end - start for start, end in self.done)

    def cover(self, start: int, end: int) -> None:
        """Take note that the cases start..end-1 are done."""
        ranges = sorted([*self.done, [start, end]])
        joined = [ranges[0]]
        for begin, stop in ranges[1:]:
            if begin <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], stop)
            else:
                joined.append([begin, stop])
        self.done = [r for r in joined if r[0] < r[1]]

    def missing(self, count: int) -> list[tuple[int, int]]:
        """Return the ranges below `count` that are not done."""
        out, at = [], 0
        for begin, stop in self.done:
            if at < begin:
                out.append((at, min(begin, count)))
            at = max(at, stop)
        if at < count:
            out.append((at, count))
        return [(a, b) for a, b in out if a < b]


def case_of(target: Target, seed: int, number: int) -> bytes:
    """Return a case: the same whenever it is made of the same seeds."""
    digest = hashlib.blake2b(f"{seed}/{target.name}/{number}".encode(), digest_size=16).digest()
    return target.mutation(Random(int.from_bytes(digest, "little")))


# One case.


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def _reset_peak() -> int | None:
    """Forget the most memory that this process had; return what it has, or None where the system cannot tell."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return _rss()
    except OSError:
        return None


def _peak() -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) << 10
    return 0


def place_of(error: BaseException) -> str:
    """Return the error's type and the innermost function of nzip that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f"{os.sep}nzip{os.sep}" in f.filename] or frames
    where = f"{Path(own[-1].filename).parent.name}/{Path(own[-1].filename).name}:{own[-1].name}" if own else "?"
    return f"{type(error).__name__} in {where}"


def tried(target: Target, case: bytes, late: Callable[[str], None] = str) -> tuple[str, Finding | None]:
    """Run a case in this process; return its outcome, or a finding without its number.

    A case that had kernels compiled runs again, for its time and memory; `late` hears their names before.
    """
    compiled: list[str] = []
    with compiling(late), compiling(compiled.append):
        outcome, found = _measured(target, case)
    if compiled and found is not None and found.kind in ("memory", "slow"):
        return _measured(target, case)
    return outcome, found


def _measured(target: Target, case: bytes) -> tuple[str, Finding | None]:
    before = _reset_peak()
    started = time.process_time()
    found: Finding | None = None
    outcome = "finding"
    try:
        outcome = target.run(case)
    except NzipError as error:
        outcome = judged(error)
    except Wrong as error:
        found = Finding(target.name, 0, "wrong", str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = "".join(traceback.format_exception(error)[-6:])[-3000:]
        found = Finding(target.name, 0, "exception", place_of(error), text)
    taken = time.process_time() - started
    if found is None and before is not None:
        grown = _peak() - before
        if grown > target.limit + BESIDE:
            found = Finding(target.name, 0, "memory", f"above the limit ({outcome})", f"{grown >> 20} MiB")
    if found is None and taken > SECONDS:
        found = Finding(target.name, 0, "slow", f"more than {SECONDS:.0f} s ({outcome})", f"{taken:.1f} s")
    return outcome, found


# The worker.


def _bound(target: Target) -> None:
    """Let the system refuse memory far above what a case may take."""
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * mmap.PAGESIZE
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size + target.limit + BESIDE + ROOM, hard))


def _work(targets: dict[str, Target], seed: int, pipe: Connection, shared: mmap.mmap, trace: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log = open(trace, "w")  # noqa: SIM115  the process's own, to its end
    faulthandler.enable(log)
    faulthandler.register(signal.SIGUSR1, log, all_threads=False)
    warnings.simplefilter("ignore")  # numpy's, of numbers in models that are none
    entered: set[str] = set()

    def waits(number: int) -> None:
        later = time.monotonic() + COMPILING, time.process_time() + COMPILING
        shared[: _PROGRESS.size] = _PROGRESS.pack(number, *later)

    while (task := pipe.recv()) is not None:
        name, start, end = task
        target = targets[name]
        if name not in entered:
            target.enter()
            entered.add(name)
        _bound(target)
        outcomes: Counter[str] = Counter()
        findings: list[Finding] = []
        first, told, cpu = start, time.monotonic(), time.process_time()
        for number in range(start, end):
            case = case_of(target, seed, number)
            shared[: _PROGRESS.size] = _PROGRESS.pack(number, time.monotonic(), time.process_time())
            outcome, found = tried(target, case, lambda _name, n=number: waits(n))
            if found is None:
                outcomes[outcome] += 1
            else:
                found.number, found.case = number, case
                findings.append(found)
            now = time.monotonic()
            if now - told > REPORT or number + 1 == end:
                seconds = time.process_time() - cpu
                pipe.send((name, first, number + 1, outcomes, findings, seconds))
                outcomes, findings, first, told, cpu = Counter(), [], number + 1, now, time.process_time()
        shared[: _PROGRESS.size] = _PROGRESS.pack(-1, 0.0, 0.0)


class _Worker:
    """A forked process and what it is at."""

    def __init__(self, targets: dict[str, Target], seed: int, folder: Path, others: list[_Worker]):
        self.pipe, theirs = Pipe()
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)
        self.shared[: _PROGRESS.size] = _PROGRESS.pack(-1, 0.0, 0.0)
        self.trace = folder / f"trace-{os.getpid()}-{id(self)}"
        self.task: tuple[str, int, int] | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                for other in others:
                    other.pipe.close()
                self.pipe.close()
                _work(targets, seed, theirs, self.shared, self.trace)
                code = 0
            except EOFError:
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        theirs.close()

    def give(self, task: tuple[str, int, int]) -> None:
        self.task = task
        self.pipe.send(task)

    def at(self) -> tuple[int, float, float]:
        """Return the number of the case, -1 for none, and how long it takes: by the clock and the processor."""
        number, clock, cpu = _PROGRESS.unpack(self.shared[: _PROGRESS.size])
        try:
            with open(f"/proc/{self.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            return number, 0.0, 0.0
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return number, time.monotonic() - clock, used - cpu

    def kill(self) -> str:
        """End it; return where it was, as far as it could tell."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(0.3)
            os.kill(self.pid, signal.SIGKILL)
        return self.end()[1]

    def end(self) -> tuple[int, str]:
        """Wait for its end; return the signal or minus its exit status, and what it wrote about where it was."""
        self.pipe.close()
        _, status = os.waitpid(self.pid, 0)
        text = self.trace.read_text(errors="replace") if self.trace.exists() else ""
        self.trace.unlink(missing_ok=True)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status), text


def _traced(text: str) -> str:
    """Return the innermost function of nzip in a trace of `faulthandler`."""
    for line in text.splitlines():
        if f"{os.sep}nzip{os.sep}" in line and "File" in line:
            path = Path(line.split('"')[1])
            return f"{path.parent.name}/{path.name}:{line.rsplit(' in ', 1)[-1]}"
    return "?"


class Run:
    """Fuzzes targets; what it knows can be saved and taken up again.

    Args:
        targets: prepared.
        seed: of all mutations.
        counts: how many mutations each target gets in all.
        findings: the folder for reproducers; made when there is the first.
        jobs: processes.
    """

    def __init__(self, targets: list[Target], seed: int, counts: dict[str, int], findings: Path, jobs: int = 1):
        self.targets = {target.name: target for target in targets}
        self.seed, self.counts, self.folder, self.jobs = seed, counts, findings, jobs
        self.tallies = {name: Tally() for name in self.targets}
        self.found: list[Finding] = []
        self._kept: Counter[tuple[str, str]] = Counter()

    def go(self, seconds: float | None = None, tell: Callable[[Run], None] | None = None, every: float = 5.0) -> bool:
        """Do what is left; return whether nothing is.

        Args:
            seconds: of the clock, after which no new cases are begun.
            tell: called now and then, and at the end.
            every: how often.
        """
        gc.collect()
        gc.freeze()
        self.folder.mkdir(parents=True, exist_ok=True)
        left = {name: tally.missing(self.counts[name])[::-1] for name, tally in self.tallies.items()}
        rates = {name: 20.0 for name in left}
        workers: list[_Worker] = []
        started = told = time.monotonic()
        ended = False
        try:
            while True:
                now = time.monotonic()
                ended = seconds is not None and now - started >= seconds
                for worker in workers:
                    if worker.task is None and not ended and (task := self._next(left, rates)):
                        worker.give(task)
                while len(workers) < self.jobs and not ended and (task := self._next(left, rates)):
                    workers.append(_Worker(self.targets, self.seed, self.folder, workers))
                    workers[-1].give(task)
                busy = [worker for worker in workers if worker.task is not None]
                if not busy:
                    break
                for pipe in wait([worker.pipe for worker in busy], timeout=0.2):
                    worker = next(worker for worker in busy if worker.pipe is pipe)
                    try:
                        report = pipe.recv()  # type: ignore[union-attr]
                    except (EOFError, OSError):
                        workers.remove(worker)
                        self._died(worker, left)
                        continue
                    self._take(report, rates)
                    assert worker.task is not None
                    worker.task = (worker.task[0], report[2], worker.task[2]) if report[2] < worker.task[2] else None
                for worker in [w for w in workers if w.task is not None]:
                    number, clock, cpu = worker.at()
                    if number >= 0 and (
                        cpu > SECONDS + 1 or (clock > STILL and cpu < clock / 20)
                    ):  # a busy machine is no fault
                        workers.remove(worker)
                        self._hung(worker, left)
                if tell is not None and now - told > every:
                    told = now
                    tell(self)
        finally:
            for worker in workers:
                if worker.task is None:
                    with contextlib.suppress(OSError):
                        worker.pipe.send(None)
                else:
                    os.kill(worker.pid, signal.SIGKILL)
                worker.end()
            with contextlib.suppress(OSError):
                self.folder.rmdir()
        if tell is not None:
            tell(self)
        return not any(tally.missing(self.counts[name]) for name, tally in self.tallies.items())

    def _next(self, left: dict[str, list[tuple[int, int]]], rates: dict[str, float]) -> tuple[str, int, int] | None:
        """Return the next cases, of the target that is least far."""
        waiting = [name for name, ranges in left.items() if ranges]
        if not waiting:
            return None
        name = min(waiting, key=lambda n: 1 - sum(b - a for a, b in left[n]) / max(1, self.counts[n]))
        start, end = left[name].pop()
        stop = min(end, start + max(8, int(2 * rates[name])))
        if stop < end:
            left[name].append((stop, end))
        return name, start, stop

    def _take(self, report: Any, rates: dict[str, float]) -> None:
        name, start, end, outcomes, findings, seconds = report
        tally = self.tallies[name]
        tally.cover(start, end)
        tally.outcomes.update(outcomes)
        tally.seconds += seconds
        if seconds > 0.05:
            rates[name] = 0.5 * rates[name] + 0.5 * (end - start) / seconds
        for found in findings:
            self._keep(found)

    def _died(self, worker: _Worker, left: dict[str, list[tuple[int, int]]]) -> None:
        number, _, _ = worker.at()
        code, text = worker.end()
        if number < 0 or code == -1:
            raise RuntimeError(f"a worker of the fuzzer failed, see above (task {worker.task}); {text}")
        how = signal.Signals(code).name if code > 0 else f"exit status {-code}"
        self._lost(worker, left, Finding("", number, "death", f"{how} in {_traced(text)}", text[-3000:]))

    def _hung(self, worker: _Worker, left: dict[str, list[tuple[int, int]]]) -> None:
        number, clock, cpu = worker.at()
        text = worker.kill()
        detail = f"{clock:.0f} s, {cpu:.0f} s of the processor\n{text[-3000:]}"
        self._lost(worker, left, Finding("", number, "hang", f"in {_traced(text)}", detail))

    def _lost(self, worker: _Worker, left: dict[str, list[tuple[int, int]]], found: Finding) -> None:
        assert worker.task is not None
        name, start, end = worker.task
        found.target = name
        found.case = case_of(self.targets[name], self.seed, found.number)
        left[name] += [(a, b) for a, b in ((found.number + 1, end), (start, found.number)) if a < b]
        self.tallies[name].cover(found.number, found.number + 1)
        self._keep(found)

    def _keep(self, found: Finding) -> None:
        """Count a finding, and keep the first few of a kind as files."""
        self.tallies[found.target].findings[found.key] += 1
        kind = (found.target, found.key)
        self._kept[kind] += 1
        if self._kept[kind] <= KEPT:
            self.found.append(found)
            save(found, self.seed, self.folder)

    # What is kept between runs.

    def to_dict(self) -> dict[str, Any]:
        """Return what is known, for JSON."""
        return {
            "seed": self.seed,
            "mutations": sum(tally.count for tally in self.tallies.values()),
            "targets": {
                name: {
                    "mutations": tally.count,
                    "asked": self.counts[name],
                    "limit": self.targets[name].limit,
                    "seconds": round(tally.seconds, 1),
                    "outcomes": {word: tally.outcomes[word] for word in OUTCOMES if tally.outcomes[word]},
                    "findings": dict(sorted(tally.findings.items())),
                    "done": tally.done,
                }
                for name, tally in self.tallies.items()
            },
        }

    def resume(self, known: dict[str, Any]) -> None:
        """Take up what `to_dict` gave of an earlier run.

        Raises:
            ValueError: it had another seed.
        """
        if known.get("seed") != self.seed:
            raise ValueError(f"the earlier run has the seed {known.get('seed')}; take that, or another file")
        for name, entry in known.get("targets", {}).items():
            if name in self.tallies:
                self.tallies[name] = Tally(
                    [list(r) for r in entry["done"]], Counter(entry["outcomes"]), Counter(entry["findings"]),
                    entry["seconds"],
                )  # fmt: skip


# Reproducers.


def save(found: Finding, seed: int, folder: Path) -> Path:
    """Write a finding as a file: a line of JSON, then the case."""
    about = {"target": found.target, "seed": seed, "number": found.number, "kind": found.kind, "place": found.place}
    head = json.dumps({**about, "detail": found.detail}).encode()
    path = folder / f"{found.target}-{found.kind}-{seed}-{found.number}.case"
    path.write_bytes(head + b"\n" + found.case)
    return path


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return what `save` wrote: what is said of a case, and the case."""
    head, _, case = path.read_bytes().partition(b"\n")
    return json.loads(head), case
