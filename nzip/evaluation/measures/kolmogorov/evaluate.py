"""The KoLMogorov test: how small data becomes as programs that print it, beside compressors on the same data.

After Yoran et al., "The KoLMogorov Test: Compression by Code Generation" (ICLR 2025). Data is cut in sequences; a
solver answers each with a program; each program runs (`sandbox`, or `dsl` for programs in that language), and **counts
only if it gives its sequence**. One bit for each sequence says whether a program or the sequence itself follows; all
programs are joined and coded under a prior, and so are all sequences that are left:

    rate = (bits of programs + bits of sequences + flags) / bits of the data, uncompressed

A prior is a compressor (gzip, nzip) or, for programs in the language of `dsl`, that language's uniform price. Programs
are joined by zero bytes, which no program holds; sequences by nothing, for their length is known. Accuracy is the share
of sequences whose program is right; precision the bits of right programs over gzip's bits for the sequences they print.
Every compressed size is that of bytes which were decompressed and compared.

`docs/reference/EVALUATION.md` says where this leaves the released evaluator, and why.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nzip.errors import NzipError
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks
from nzip.evaluation.harness.journal import key_of
from nzip.evaluation.measures.kolmogorov.answers import Limits, Outcome, Solver, begin, end, work
from nzip.evaluation.measures.kolmogorov.coders import GZIP, Baseline, baseline_names, coder
from nzip.evaluation.measures.kolmogorov.sandbox import Sandbox
from nzip.evaluation.measures.kolmogorov.score import Score, plan, score
from nzip.evaluation.measures.kolmogorov.solvers import (
    DSL,
    fingerprint,
    load_function,
    read_answer,
    split,
)
from nzip.evaluation.measures.kolmogorov.sources import Modality

LEVELS = (1, 3, 6, 9)
PIECE_LEVELS = (1,)
PRIOR_LEVELS = (9,)
FILE_CHUNK, LIVE_CHUNK = 256, 16  # sequences in a task: programs at hand, programs to be made
PIECES = 2048  # sequences in a task, each compressed alone


@dataclass
class Result:
    """All that a run found, one entry of `outcomes` for each modality that a solver was asked about."""

    modalities: list[Modality]
    baselines: list[Baseline]
    solver: Solver | None
    outcomes: dict[str, list[Outcome]]
    scores: list[Score]
    layers: tuple[str, ...] = ()


def evaluate(
    modalities: Sequence[Modality],
    solver: Solver | None = None,
    *,
    levels: Sequence[int] = LEVELS,
    piece_levels: Sequence[int] = PIECE_LEVELS,
    prior_levels: Sequence[int] = PRIOR_LEVELS,
    baselines: bool = True,
    limits: Limits | None = None,
    running: Running = HERE,
) -> Result:
    """Measure compressors, and a solver's programs, on `modalities`.

    Args:
        modalities: the data, each kind once.
        solver: where programs come from; None for compressors alone.
        levels: nzip's, on the data as a whole.
        piece_levels: nzip's, on each sequence alone.
        prior_levels: nzip's, as prior of programs and of the sequences that are left.
        baselines: measure compressors too.
        limits: of each Python program.
        running: see `Running`. A command is started once for each process.

    Raises:
        NzipError: a codec did not give bytes back; a command or function cannot be started; the system cannot hold
            programs (see `sandbox`).
        ValueError: a modality comes twice, or there is none.
    """
    if not modalities or len({modality.key for modality in modalities}) < len(modalities):
        raise ValueError("no modality, or one that comes twice")
    limits = limits or Limits()
    layers = _check(solver, limits)
    tasks: list[Task] = []
    forms: list[tuple[str, str, str]] = []
    for modality in modalities if baselines else ():
        for codec, form in baseline_names(levels, piece_levels):
            for task in _baseline_tasks(modality, codec, form):
                tasks.append(task)
                forms.append((modality.key, codec, form))
    spans = []
    for modality in modalities if solver is not None else ():
        assert solver is not None
        for task in _answer_tasks(modality, solver, limits):
            tasks.append(task)
            spans.append(modality.key)
    asked = None if solver is None else replace(solver, answers={})  # the tasks hold them
    shared = (list(modalities), asked, limits)
    try:
        records = run_tasks(tasks, work, running, setup=begin, shared=shared)
    finally:
        end()
    sizes: dict[tuple[str, str, str], int] = {}
    for name, record in zip(forms, records, strict=False):
        sizes[name] = sizes.get(name, 0) + record["bytes"]
    found = [Baseline(*name, size) for name, size in sizes.items()]
    outcomes: dict[str, list[Outcome]] = {}
    for key, record in zip(spans, records[len(forms) :], strict=True):
        outcomes.setdefault(key, []).extend(Outcome(*entry) for entry in record["outcomes"])
    scores = _scores(modalities, outcomes, prior_levels, running)
    return Result(list(modalities), found, solver, outcomes, scores, layers)


def _check(solver: Solver | None, limits: Limits) -> tuple[str, ...]:
    """Find out early what would end the run; return the sandbox's layers where one is needed."""
    if solver is None or solver.kind == "search":
        return ()
    if solver.kind == "callable":
        load_function(solver.name)
    elif solver.kind == "command":
        words = split(solver.name)
        if shutil.which(words[0]) is None:
            raise NzipError(f"{words[0]}: cannot run it: there is no such program")
    elif solver.kind == "file" and all(answer.language == DSL for answer in solver.answers.values()):
        return ()
    with Sandbox(seconds=limits.seconds, memory=limits.memory, unsafe=limits.unsafe) as sandbox:
        return sandbox.layers


def _baseline_tasks(modality: Modality, codec: str, form: str) -> list[Task]:
    """Return one task, or, where each sequence is coded alone, one for some thousands of them."""
    used = coder(codec)
    count = len(modality.sequences)
    spans: list[tuple[int, int] | None] = [None]
    if form == "pieces":
        spans = [(start, min(count, start + PIECES)) for start in range(0, count, PIECES)]
    tasks = []
    for span in spans:
        words = [modality.sha256, None if form == "whole" else modality.length, *([span] if span else [])]
        key = key_of("kolmogorov", form, *words, codec, used.version, used.settings)
        payload = {"kind": "baseline", "modality": modality.key, "codec": codec, "form": form, "span": span}
        tasks.append(Task(key, f"{modality.title}: {codec}", payload))
    return tasks


def _answer_tasks(modality: Modality, solver: Solver, limits: Limits) -> list[Task]:
    count = len(modality.sequences)
    chunk = FILE_CHUNK if solver.kind == "file" else LIVE_CHUNK
    own = [solver.kind, solver.name, solver.effort]
    if solver.kind == "callable":
        own.append(fingerprint(solver.name))
    elif solver.kind == "file":
        own = ["file"]
    elif solver.kind == "search":
        own += [_search_hash()]
    tasks = []
    for start in range(0, count, chunk):
        stop = min(count, start + chunk)
        answers = None
        if solver.kind == "file":
            found = [solver.answers.get(f"{modality.key}:{at}", read_answer(None)) for at in range(start, stop)]
            answers = [[answer.program, answer.language, answer.failure] for answer in found]
        words = [modality.sha256, modality.length, start, stop, *own, limits.seconds, limits.memory, answers]
        payload = {"kind": "answers", "modality": modality.key, "span": (start, stop), "answers": answers}
        label = f"{modality.title}: {start:,} of {count:,}"
        tasks.append(Task(key_of("kolmogorov", "answers", *words), label, payload))
    return tasks


def _search_hash() -> str:
    """Return a hash of the search's own source, so that no journal keeps what an earlier search found."""
    paths = (Path(__file__).with_name(f"{name}.py") for name in ("dsl", "search", "segments"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _scores(
    modalities: Sequence[Modality],
    outcomes: Mapping[str, Sequence[Outcome]],
    levels: Sequence[int],
    running: Running,
) -> list[Score]:
    """Compress, once each, all that the scores need, and return them."""
    plans = [(m, row) for m in modalities if m.key in outcomes for row in plan(m, outcomes[m.key], levels)]
    needed: dict[tuple[str, bytes], None] = {}
    for _, row in plans:
        needed |= {(row["rest"], row["sequences"]): None, (GZIP, row["printed"]): None}
        if row["cost"] is None:
            needed[row["prior"], row["programs"]] = None
    wanted = [name for name in needed if name[1]]
    tasks = []
    for codec, data in wanted:
        used = coder(codec)
        key = key_of("kolmogorov", "bytes", hashlib.sha256(data).hexdigest(), codec, used.version, used.settings)
        tasks.append(Task(key, f"scores: {codec}", {"kind": "bytes", "codec": codec, "data": data}))
    records = run_tasks(tasks, work, running) if tasks else []
    sizes = {name: int(record["bytes"]) for name, record in zip(wanted, records, strict=True)}
    return [score(modality, row, lambda codec, data: sizes.get((codec, data), 0)) for modality, row in plans]
