"""The tasks of a measure, done in order or in several processes, each result kept in a journal.

No result depends on the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.harness.journal import Journal, Record
from nzip.evaluation.harness.outputs import AnyPath

Progress = Callable[[int, int, str], None]  # tasks done, tasks in all, a label

WAITING = 4  # tasks for each process that are handed out at once


@dataclass(frozen=True)
class Task:
    """A piece of work: `key` tells it from every other (`key_of`), `payload` is all that the worker is given."""

    key: str
    label: str
    payload: Any


@dataclass(frozen=True)
class Running:
    """How the tasks of a measure are done.

    Attributes:
        jobs: processes; 1 works in this one, 0 is one for each core.
        journal: where records are kept; those found there are not made anew.
        progress: called with tasks done, tasks in all and a label.
    """

    jobs: int = 1
    journal: AnyPath | None = None
    progress: Progress | None = None

    @property
    def processes(self) -> int:
        """The number of processes that `jobs` asks for.

        Raises:
            ValueError: it is negative.
        """
        if self.jobs < 0:
            raise ValueError("jobs is less than 0")
        if self.jobs:
            return self.jobs
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


HERE = Running()


def said(error: Exception) -> str:
    """Return an error as one line: as it is if nzip raised it for users, else with its kind."""
    words = " ".join(str(error).split())
    return words if isinstance(error, NzipError) else f"{type(error).__name__}: {words}".rstrip(": ")


def run_tasks(
    tasks: Sequence[Task],
    work: Callable[[Any], Record],
    running: Running = HERE,
    *,
    setup: Callable[[Any], None] | None = None,
    shared: Any = None,
    keep: Callable[[Record], Record] | None = None,
) -> list[Record]:
    """Return the records of `tasks`, in their order.

    Args:
        tasks: what to do.
        work: a function of a module, called with a task's payload; returns a record that JSON can hold. What it
            expects to fail it reports as `{"error": …}`; what it raises ends the run.
        running: in how many processes, with which journal.
        setup: called once in each process before its first task, with `shared`.
        shared: what every task needs; sent to each process once.
        keep: returns what is kept of a record, where whole ones would take too much memory; called once for each, in
            any order. The journal has the whole.

    Raises:
        NzipError: the journal is no good, or a process died.
        ValueError: the number of jobs is negative.
    """
    records: list[Record | None] = [None] * len(tasks)
    progress = running.progress
    with Journal(running.journal) as notes:
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
        processes = min(running.processes, len(open_tasks))
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
