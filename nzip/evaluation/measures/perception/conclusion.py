"""What follows from the scores: the share of the clean score that is kept, and at which rate."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.data.signals import KINDS, RATES, Source
from nzip.evaluation.distortion.bd_rate import KEPT, rate_for
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.journal import Record
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.statistics import bootstrap, middle, resamples
from nzip.evaluation.measures.perception.report import draw, records_table, report_notes, score_tables
from nzip.evaluation.measures.perception.tasks import Item, Task, TaskError

TOOL = "nzip eval perception"
SET_ROUNDS = 1_000  # of a bootstrap where each draw asks the task for a total
Interval = tuple[float, float] | None


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
        scores, shares = [], []
        for drawn in (row.tolist() for rows in resamples(count, self.seed, SET_ROUNDS) for row in rows):
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
    tables = [table for kind in KINDS if kind in result["clean"] for table in score_tables(result, kind)]
    records = records_table(result)
    if verbose:
        tables.append(dataclasses.replace(records, title="File by file"))
    drawn = [kind for kind in KINDS if any(entry["kind"] == kind and entry["points"] for entry in entries)]
    return Findings(
        f"After lossy coding: {task.title}",
        result,
        tables,
        records,
        report_notes(result),
        functools.partial(draw, result, drawn) if drawn else None,
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
