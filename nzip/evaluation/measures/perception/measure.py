"""`nzip eval perception`: what a task of the user's still sees after lossy coding, at how many bits.

The protocol is that of "Machine Perceptual Quality: Evaluating the Impact of Severe Lossy Compression on Audio and
Image Models" (Jacobellis, Cummings, Yadwadkar, 2024): decode, hand the signal to a task that has never heard of
compression, and put its score beside the rate and beside its score on the undistorted signals. `tasks` says
what a task is. Every codec goes through its ladder of settings; files that a codec did not take at every setting are
left out of all its numbers, so that the points of a curve are of the same files.

What follows from the scores: the share of the clean score that is kept (clean score by score, where less is better),
and the rate from which on 95 % of it are kept, on straight lines over the logarithm of the rate. Intervals are 95 %
percentile bootstrap over files; the share's is paired, score and clean score of the same drawn files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.compressors.lossy.selection import find as find_codec
from nzip.evaluation.compressors.lossy.worker import CodecProcess
from nzip.evaluation.data.signals import KINDS, NOUNS, Source, find_sources
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import HERE, Running, run_tasks, said
from nzip.evaluation.harness.jobs import Task as Work
from nzip.evaluation.harness.journal import Record, key_of
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.measures.perception.conclusion import conclude
from nzip.evaluation.measures.perception.labels import labelled
from nzip.evaluation.measures.perception.tasks import Item, Task
from nzip.evaluation.measures.perception.tasks import find as find_task


@dataclass(frozen=True)
class Shared:
    """What every task of the work needs; codecs and task by name where they go to other processes."""

    task: Task | str
    items: Sequence[Item]
    codecs: Sequence[LossyCodec | tuple[str, str]]


@dataclass
class _State:
    task: Task
    items: Sequence[Item]
    processes: list[CodecProcess]
    stack: ExitStack


_states: list[_State] = []  # of this process; one at most


def _begin(shared: Shared) -> None:
    _end()
    task = find_task(shared.task) if isinstance(shared.task, str) else shared.task
    task.prepare(shared.items)
    stack = ExitStack()
    codecs = [find_codec(*codec) if isinstance(codec, tuple) else codec for codec in shared.codecs]
    processes = [stack.enter_context(CodecProcess(codec)) for codec in codecs]
    _states.append(_State(task, shared.items, processes, stack))


def _end() -> None:
    while _states:
        _states.pop().stack.close()


def look(payload: tuple[int, int | None, int]) -> Record:
    """Return what the task says of a file: `answer`, and `bytes` where a codec went first; or `error`.

    Args:
        payload: numbers of the file and of the codec (None: undistorted), and the setting.

    Raises:
        TaskError: the task failed on an undistorted signal, so it is the task that is wrong.
    """
    state = _states[-1]
    number, codec, setting = payload
    item = state.items[number]
    try:
        original = item.original()
    except OSError as error:
        raise NzipError(f"{item.path}: cannot read it: {error.strerror}") from None
    if codec is None:
        return {"answer": state.task.ask(original, item)}
    try:
        coded = state.processes[codec].code(original, setting)
        return {"bytes": len(coded.data), "answer": state.task.ask(coded.signal, item)}
    except NzipError as error:
        return {"error": said(error)}


def measure(
    paths: Sequence[AnyPath],
    task: str,
    codecs: Sequence[LossyCodec],
    *,
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    running: Running = HERE,
    verbose: bool = False,
) -> Findings:
    """Ask a task about the pictures and sounds below `paths`, undistorted and after each codec at each setting.

    Args:
        paths: files and folders.
        task: `MODULE:NAME`, `FILE.py:NAME` or one of `tasks.BUILT_IN`.
        codecs: each for one kind of signal, with its ladder (`lossy.selection.choose`).
        labels: by paths, see `read_labels`.
        seed: of the bootstrap.
        running: see `Running`.
        verbose: a table of all records too.

    Raises:
        NzipError: the input, the labels or the task are no good, or the task fails on an undistorted signal.
        ValueError: two codecs have the same name.
    """
    if len({(codec.kind, codec.name) for codec in codecs}) < len(codecs):
        raise ValueError("two codecs have the same name")
    asked = find_task(task)
    sources, skipped = usable(paths, asked)
    items = labelled(sources, labels)
    kinds = [kind for kind in KINDS if any(item.kind == kind for item in items)]
    codecs = [codec for codec in codecs if codec.kind in kinds]
    if not codecs:
        noun = NOUNS[kinds[0]]
        raise NzipError(f"no codec for a {noun} is here; measure others with --peers, or name some with --codecs")
    sent = running.processes > 1
    for codec in codecs:
        if sent and not codec.built_in:
            raise NzipError(f"{codec.name}: cannot be sent to other processes; use one (--jobs 1)")
    named = [(codec.kind, codec.name) if sent else codec for codec in codecs]
    known = hashlib.sha256(json.dumps([dataclasses.astuple(item)[:4] for item in items]).encode()).hexdigest()
    work = [Work(_key(asked, item, known), f"undistorted, {item.path}", (at, None, 0)) for at, item in enumerate(items)]
    for at, item in enumerate(items):
        for number, codec in enumerate(codecs):
            if codec.kind == item.kind:
                for setting in codec.ladder:
                    key = _key(asked, item, known, codec.name, codec.version, codec.settings, setting)
                    work.append(Work(key, f"{codec.name}, {item.path}", (at, number, setting)))
    try:
        shared = Shared(task if sent else asked, items, named)
        records = run_tasks(work, look, running, setup=_begin, shared=shared)
    finally:
        _end()
    if sent and asked.whole:
        asked.prepare(items)  # before it makes totals
    clean = [record["answer"] for record in records[: len(items)]]
    coded = {entry.payload: record for entry, record in zip(work, records, strict=True)}
    return conclude(asked, sources, items, codecs, clean, coded, skipped=skipped, seed=seed, verbose=verbose)


def usable(paths: Sequence[AnyPath], task: Task) -> tuple[list[Source], list[dict[str, str]]]:
    """Return the files that a task is for, and those that are left out with the reasons.

    Raises:
        NzipError: a path does not exist, or no file is left.
    """
    sources, skipped = find_sources(paths)
    if task.kind is None:
        return sources, skipped
    noun = NOUNS[task.kind]
    left = [source for source in sources if source.kind == task.kind]
    skipped += [
        {"path": source.file.path, "reason": f"the task is for a {noun}"}
        for source in sources
        if source.kind != task.kind
    ]
    if not left:
        raise NzipError(f"{task.name}: is for a {noun}, and there is none among the files")
    return left, skipped


def _key(task: Task, item: Item, known: str, *words: Any) -> str:
    return key_of("perception", task.name, task.identity, item.path, item.sha256, item.label, known, *words)
