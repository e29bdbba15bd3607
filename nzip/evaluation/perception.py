"""`nzip eval perception`: what a task of the user's still sees after lossy coding, at how many bits.

The protocol is that of "Machine Perceptual Quality: Evaluating the Impact of Severe Lossy Compression on Audio and
Image Models" (Jacobellis, Cummings, Yadwadkar, 2024): decode, hand the signal to a task that has never heard of
compression, and put its score beside the rate and beside its score on the undistorted signals. `perception_tasks` says
what a task is. Every codec goes through its ladder of settings; files that a codec did not take at every setting are
left out of all its numbers, so that the points of a curve are of the same files.

What follows from the scores: the share of the clean score that is kept (clean score by score, where less is better),
and the rate from which on 95 % of it are kept, on straight lines over the logarithm of the rate. Intervals are 95 %
percentile bootstrap over files; the share's is paired, score and clean score of the same drawn files.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.bd_rate import rate_for, value_at
from nzip.evaluation.bench import Progress
from nzip.evaluation.lossy_codecs import KINDS, LossyCodec
from nzip.evaluation.lossy_codecs import find as find_codec
from nzip.evaluation.lossy_worker import CodecProcess
from nzip.evaluation.perception_tasks import Item, Task, TaskError
from nzip.evaluation.perception_tasks import find as find_task
from nzip.evaluation.rate_distortion import RATES, Source, find_sources
from nzip.evaluation.study import (
    AnyPath,
    Column,
    Findings,
    Record,
    Table,
    bootstrap,
    cores,
    head,
    key_of,
    middle,
    run_tasks,
)
from nzip.evaluation.study import Task as Work
from nzip.evaluation.tables import read_rows

TOOL = "nzip eval perception"
KEPT = 0.95
SET_ROUNDS = 1_000  # of a bootstrap where each draw asks the task for a total
SHOWN_RATES = {"picture": (0.05, 0.1, 0.2, 0.5, 1.0, 2.0), "sound": (3, 6, 12, 24, 48, 96)}
UNITS = {"picture": "bpp", "sound": "kbit/s"}

Interval = tuple[float, float] | None


def read_labels(path: AnyPath) -> dict[str, str]:
    """Return labels by path from a CSV file of two columns, path and label; a first line `path,label` is passed over.

    Raises:
        NzipError: it cannot be read, a line has another number of columns, or a path stands there twice.
    """
    found: dict[str, str] = {}
    for line, row in read_rows(path):
        if line == 1 and row == ["path", "label"]:
            continue
        where = f"{os.fspath(path)}, line {line}"
        if len(row) != 2:
            raise NzipError(f"{where}: has {len(row)} columns; write path,label")
        if row[0] in found:
            raise NzipError(f"{where}: {row[0]} has a label already")
        found[row[0]] = row[1]
    return found


def _labelled(sources: Sequence[Source], labels: Mapping[str, str] | None) -> list[Item]:
    """Return the items; a label goes to the path that results show, else to the only file of that name.

    Raises:
        NzipError: a file has no label.
    """
    names = [Path(source.file.path).name for source in sources]
    items = []
    for source, name in zip(sources, names, strict=True):
        path = source.file.path
        label = None
        if labels is not None:
            label = labels.get(path, labels.get(name) if names.count(name) == 1 else None)
            if label is None:
                raise NzipError(f"{path}: has no label; add a line {path},LABEL")
        items.append(Item(path, source.kind, label, source.file.sha256, str(source.file.location)))
    return items


# The work


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
        return {"error": " ".join(str(error).split())}


def measure(
    paths: Sequence[AnyPath],
    task: str,
    codecs: Sequence[LossyCodec],
    *,
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    jobs: int = 1,
    journal: AnyPath | None = None,
    progress: Progress | None = None,
    verbose: bool = False,
) -> Findings:
    """Ask a task about the pictures and sounds below `paths`, undistorted and after each codec at each setting.

    Args:
        paths: files and folders.
        task: `MODULE:NAME`, `FILE.py:NAME` or one of `perception_tasks.BUILT_IN`.
        codecs: each for one kind of signal, with its ladder (`lossy_codecs.choose`).
        labels: by paths, see `read_labels`.
        seed: of the bootstrap.
        jobs: processes.
        journal: where records are kept.
        progress: called with steps done, steps in all and a label.
        verbose: a table of all records too.

    Raises:
        NzipError: the input, the labels or the task are no good, or the task fails on an undistorted signal.
        ValueError: two codecs have the same name.
    """
    if len({(codec.kind, codec.name) for codec in codecs}) < len(codecs):
        raise ValueError("two codecs have the same name")
    asked = find_task(task)
    sources, skipped = usable(paths, asked)
    items = _labelled(sources, labels)
    kinds = [kind for kind in KINDS if any(item.kind == kind for item in items)]
    codecs = [codec for codec in codecs if codec.kind in kinds]
    if not codecs:
        raise NzipError(f"no codec for a {kinds[0]} is here; measure others with --peers, or name some with --codecs")
    sent = cores(jobs) > 1
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
        records = run_tasks(work, look, jobs=jobs, journal=journal, progress=progress, setup=_begin, shared=shared)
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
    other = [source for source in sources if task.kind not in (None, source.kind)]
    skipped += [{"path": source.file.path, "reason": f"the task is for a {task.kind}"} for source in other]
    left = [source for source in sources if source not in other]
    if not left:
        raise NzipError(f"{task.name}: is for a {task.kind}, and there is none among the files")
    return left, skipped


def _key(task: Task, item: Item, known: str, *words: Any) -> str:
    return key_of("perception", task.name, task.identity, item.path, item.sha256, item.label, known, *words)


# What follows


@dataclass(frozen=True)
class Set:
    """The files that one codec took at every setting, with what the task said of them undistorted."""

    task: Task
    items: Sequence[Item]
    clean: Sequence[Any]
    seed: int

    def kept(self, score: float, clean: float) -> float | None:
        """Return the share of the clean score that a score is; None where that has no meaning."""
        above, below = (clean, score) if self.task.less else (score, clean)
        return above / below if below > 0 else None

    def point(self, answers: Sequence[Any]) -> dict[str, Any]:
        """Return `score`, `interval`, `kept` and `kept_interval` of answers, one for each item."""
        score, clean = self.task.total(answers, self.items), self.task.total(self.clean, self.items)
        interval: Interval
        share: Interval
        if self.task.whole:
            interval, share = self._by_totals(answers)
        else:
            interval = bootstrap(answers, seed=self.seed)
            above, below = (self.clean, answers) if self.task.less else (answers, self.clean)
            share = bootstrap(above, below, seed=self.seed)
        kept = self.kept(score, clean)
        return {
            "score": score,
            "interval": interval,
            "kept": kept,
            "kept_interval": None if kept is None else share,
        }

    def _by_totals(self, answers: Sequence[Any]) -> tuple[Interval, Interval]:
        """Return the intervals of score and share where each draw takes a total; draws without one do not count."""
        count = len(self.items)
        if count < 2:
            return None, None
        random = np.random.Generator(np.random.PCG64(self.seed))
        scores, shares = [], []
        for _ in range(SET_ROUNDS):
            drawn = random.integers(0, count, count).tolist()
            items = [self.items[at] for at in drawn]
            try:
                score = self.task.total([answers[at] for at in drawn], items)
                clean = self.task.total([self.clean[at] for at in drawn], items)
            except TaskError:
                continue
            scores.append(score)
            share = self.kept(score, clean)
            if share is not None:
                shares.append(share)
        return middle(scores), middle(shares)


def conclude(
    task: Task,
    sources: Sequence[Source],
    items: Sequence[Item],
    codecs: Sequence[LossyCodec],
    clean: Sequence[Any],
    coded: Mapping[Any, Record],
    *,
    skipped: Sequence[Mapping[str, str]] = (),
    seed: int = 0,
    verbose: bool = False,
) -> Findings:
    """Return the findings of records.

    Args:
        task: that was asked.
        sources: the files.
        items: the same files as the task knows them.
        codecs: that went first.
        clean: the task's answers on the undistorted signals.
        coded: records by what `look` was given.
        skipped: files left out.
        seed: of the bootstrap.
        verbose: a table of all records too.
    """
    rows: list[Record] = []
    entries: list[Record] = []
    for number, codec in enumerate(codecs):
        own = [at for at, item in enumerate(items) if item.kind == codec.kind]
        good = [at for at in own if not any(coded[at, number, setting].get("error") for setting in codec.ladder)]
        for at in own:
            rows += [
                _row(task, codec, setting, sources[at], clean[at], coded[at, number, setting])
                for setting in codec.ladder
            ]
        entries.append(_entry(task, codec, number, good, sources, items, clean, coded, seed))
    result: Record = {
        **head(TOOL, seed=seed, task=_shown_name(task.name), kept=KEPT),
        "task": {"title": task.title, "less": task.less, "whole_set": task.whole, "code_sha256": task.identity},
        "rates": RATES,
        "files": [
            {
                "path": source.file.path,
                "bytes": source.file.size,
                "sha256": source.file.sha256,
                "kind": source.kind,
                **source.shape,
                "label": item.label,
            }
            for source, item in zip(sources, items, strict=True)
        ],
        "skipped": list(skipped),
        "clean": _clean(task, items, clean, seed),
        "codecs": entries,
        "records": rows,
    }
    tables = [table for kind in KINDS if kind in result["clean"] for table in _tables(result, kind)]
    records = _records_table(result)
    if verbose:
        tables.append(dataclasses.replace(records, title="File by file"))
    drawn = [kind for kind in KINDS if any(entry["kind"] == kind and entry["points"] for entry in entries)]
    return Findings(
        f"Machine perception: {task.title}",
        result,
        tables,
        records,
        _notes(result),
        functools.partial(_draw, result, drawn) if drawn else None,
        (9.5, 0.4 + 4.6 * max(1, len(drawn))),
    )


def _shown_name(name: str) -> str:
    """Return a task's name without the folders before it: results name no place of a machine."""
    place, colon, attribute = name.rpartition(":")
    return f"{Path(place).name}:{attribute}" if colon and place.endswith(".py") else name


def _clean(task: Task, items: Sequence[Item], clean: Sequence[Any], seed: int) -> dict[str, Any]:
    found = {}
    for kind in KINDS:
        own = [at for at, item in enumerate(items) if item.kind == kind]
        if own:
            answers = [clean[at] for at in own]
            point = Set(task, [items[at] for at in own], answers, seed).point(answers)
            found[kind] = {"files": len(own), "score": point["score"], "interval": point["interval"]}
    return found


def _row(task: Task, codec: LossyCodec, setting: int, source: Source, clean: Any, record: Record) -> Record:
    error = record.get("error")
    return {
        "path": source.file.path,
        "codec": codec.name,
        "setting": setting,
        "bytes": None if error else record["bytes"],
        "rate": None if error else source.rate(record["bytes"]),
        "score": None if error or task.whole else record["answer"],
        "clean_score": None if task.whole else clean,
        "error": error,
    }


def _entry(
    task: Task,
    codec: LossyCodec,
    number: int,
    good: Sequence[int],
    sources: Sequence[Source],
    items: Sequence[Item],
    clean: Sequence[Any],
    coded: Mapping[Any, Record],
    seed: int,
) -> Record:
    """Return what became of one codec, over the files that it took at every setting."""
    entry: Record = {
        "name": codec.name,
        "kind": codec.kind,
        "family": codec.family,
        "version": codec.version,
        "settings": codec.settings,
        "model_bytes": codec.model_bytes,
        "files": len(good),
        "clean_score": None,
        "points": [],
        "rate_kept": None,
        "at_most": False,
    }
    errors = [
        f"{items[at].path} at {setting}: {coded[at, number, setting]['error']}"
        for at, item in enumerate(items)
        if item.kind == codec.kind
        for setting in codec.ladder
        if coded[at, number, setting].get("error")
    ]
    entry |= {"failed": len(errors), "error": errors[0] if errors else None}
    if not good:
        return entry
    group = Set(task, [items[at] for at in good], [clean[at] for at in good], seed)
    entry["clean_score"] = group.task.total(group.clean, group.items)
    for setting in codec.ladder:
        records = [coded[at, number, setting] for at in good]
        rates = [sources[at].rate(record["bytes"]) for at, record in zip(good, records, strict=True)]
        entry["points"].append(
            {
                "setting": setting,
                "rate": float(np.mean(rates)),
                **group.point([record["answer"] for record in records]),
            }
        )
    if entry["clean_score"] > 0:
        entry["rate_kept"], entry["at_most"] = rate_kept(entry["points"], entry["clean_score"], less=task.less)
    return entry


def rate_kept(
    points: Sequence[Mapping[str, Any]], clean: float, *, less: bool = False
) -> tuple[float | None, bool]:
    """Return the rate from which on `KEPT` of the clean score is kept (None: never), and whether it may be lower.

    Args:
        points: with `rate` and `score`.
        clean: the score of the undistorted signals, above 0.
        less: a smaller score is better, so it may grow to clean / KEPT.
    """
    sign = -1 if less else 1
    aim = -clean / KEPT if less else clean * KEPT
    return rate_for([(point["rate"], sign * point["score"]) for point in points], aim)


# The report


def _tables(result: Record, kind: str) -> list[Table]:
    title, clean, unit = result["task"]["title"], result["clean"][kind], UNITS[kind]
    entries = [entry for entry in result["codecs"] if entry["kind"] == kind and entry["points"]]
    curves = {entry["name"]: [(point["rate"], point["score"]) for point in entry["points"]] for entry in entries}
    lines = list(curves.values())
    rates = [rate for rate in SHOWN_RATES[kind] if any(value_at(points, rate) is not None for points in lines)]
    columns = [
        Column("codec"),
        Column("files", ","),
        Column("clean", ".3f"),
        *(Column(f"{rate:g} {unit}", ".3f") for rate in rates),
        Column(f"{100 * KEPT:g} % kept from, {unit}", ".3f"),
        Column(""),
        Column("model bytes", ","),
    ]
    rows = [
        [
            entry["name"],
            entry["files"],
            entry["clean_score"],
            *(value_at(curves[entry["name"]], rate) for rate in rates),
            entry["rate_kept"],
            "never" if entry["rate_kept"] is None else "or less" if entry["at_most"] else "",
            entry["model_bytes"],
        ]
        for entry in entries
    ]
    count = f"{clean['files']:,} {kind}{'s' * (clean['files'] != 1)}"
    low, high = clean["interval"] or (None, None)
    said = f"{clean['score']:.4f}" + ("" if low is None else f" ({low:.4f} … {high:.4f})")
    note = f"{count}; on the undistorted ones the score is {said}{', less is better' * result['task']['less']}."
    found = [Table(f"{title}, {kind}s: score at {RATES[kind]}", columns, rows, note)]
    columns = [
        Column("codec"),
        Column("setting"),
        Column(RATES[kind], ".4f"),
        Column("score", ".4f"),
        Column("95 % from", ".4f"),
        Column("to", ".4f"),
        Column("kept", ".3f"),
        Column("95 % from", ".3f"),
        Column("to", ".3f"),
    ]
    rows = [
        [
            entry["name"],
            point["setting"],
            point["rate"],
            point["score"],
            *(point["interval"] or (None, None)),
            point["kept"],
            *(point["kept_interval"] or (None, None)),
        ]
        for entry in entries
        for point in entry["points"]
    ]
    return [*found, Table(f"{title}, {kind}s: every setting", columns, rows)]


def _records_table(result: Record) -> Table:
    titles = ("path", "codec", "setting", "bytes", "rate", "score", "clean_score", "error")
    rows = [[row[title] for title in titles] for row in result["records"]]
    specs = {"bytes": ",", "rate": ".4f", "score": ".4f", "clean_score": ".4f"}
    return Table("records", [Column(title, specs.get(title, "")) for title in titles], rows)


def _notes(result: Record) -> list[str]:
    if result["task"]["less"]:
        kept = "clean score divided by score, since less is better"
    else:
        kept = "score divided by clean score"
    notes = [
        f"Kept: {kept}. Rates are of all bytes of a file, the models not among them. Intervals: percentile bootstrap "
        "over files. Scores between two settings: straight lines over the logarithm of the rate."
    ]
    notes += [f"left out: {entry['path']}: {entry['reason']}" for entry in result["skipped"]]
    notes += [
        f"{entry['name']} failed {entry['failed']:,} times: {entry['error']}"
        for entry in result["codecs"]
        if entry["failed"]
    ]
    return notes


def failure(result: Record) -> str | None:
    """Return a line for the first of nzip's own codecs that failed, None if none did."""
    for entry in result["codecs"]:
        if entry["family"] == "nzip" and entry["error"]:
            return f"{entry['name']}: {entry['error']}"
    return None


def _draw(result: Record, kinds: Sequence[str], figure: Any) -> None:
    """One panel for each kind of signal: the score over the rate, a line for each codec, the clean score across."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    from nzip.evaluation.plot import INK
    from nzip.evaluation.rate_distortion_plot import styles

    looks = styles(result)
    banded = False  # bands of nzip's codecs alone: those of all would hide each other
    height = figure.get_size_inches()[1]
    for axes, kind in zip(figure.subplots(len(kinds), 1, squeeze=False)[:, 0], kinds, strict=True):
        clean = result["clean"][kind]["score"]
        axes.axhline(clean, color=INK, linewidth=1, linestyle="--", label="undistorted", zorder=1)
        if clean > 0:
            aim = clean / KEPT if result["task"]["less"] else clean * KEPT
            axes.axhline(aim, color=INK, linewidth=0.8, linestyle=":", label=f"{100 * KEPT:g} % of it", zorder=1)
        for entry in result["codecs"]:
            if entry["kind"] != kind or not entry["points"]:
                continue
            points = sorted(entry["points"], key=lambda point: point["rate"])
            rates = [point["rate"] for point in points]
            look = looks[entry["name"]]
            if entry["family"] == "nzip" and all(point["interval"] is not None for point in points):
                low, high = ([point["interval"][side] for point in points] for side in (0, 1))
                axes.fill_between(rates, low, high, color=look["color"], alpha=0.12, linewidth=0, zorder=0)
                banded = True
            axes.plot(rates, [point["score"] for point in points], label=entry["name"], **look)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if result["task"]["less"]:
            axes.invert_yaxis()  # better is up
        axes.set_title(f"{result['clean'][kind]['files']} {kind}s", loc="left", fontsize=10)
        axes.set_xlabel(f"{RATES[kind]} (log scale)", fontsize=9)
        axes.set_ylabel(result["task"]["title"] + (" (less is better)" if result["task"]["less"] else ""), fontsize=9)
        axes.tick_params(labelsize=8.5)
        axes.grid(True, color="#e6e6e6", linewidth=0.7)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, handlelength=2.4)
    title = f"Machine perception: score over rate{'; bands: 95 % intervals over files, of nzip' * banded}"
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.36 / height), h_pad=2)
    figure.text(
        0.012, 1 - 0.1 / height, title, ha="left", va="top", fontsize=12, fontweight="bold", color=INK
    )
