"""Choosing documents by their likeness to a target set, as compression sees it.

ZIP-FIT (Obbad et al., "ZIP-FIT: Embedding-Free Data Selection via Compression-Based Alignment", 2024, section 3): the
alignment of a document is 1 - the mean of NCD(document, t) over the targets t; the top n are taken. That is a coding
for each document and target. The conditional form reads all targets once and asks how much they save:
(C(d) - C(d | T)) / C(d), two codings a document.

The corpus is a file of JSON lines, of any length: it is read in chunks, and of each only the best lines are kept.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from nzip.closing import Closing
from nzip.errors import NzipError
from nzip.evaluation.compressors.conditional import FAST, Compressor, compressor
from nzip.evaluation.data.files import find_files
from nzip.evaluation.data.json_lines import SHOWN_PROBLEMS, JsonLines, has_text, unmarked
from nzip.evaluation.data.reading import open_binary, reading
from nzip.evaluation.harness.drawing import INK, OURS, PEER, plain
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks
from nzip.evaluation.harness.journal import Record, key_of
from nzip.evaluation.harness.outputs import AnyPath, replacing
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.tables import Column, Table
from nzip.evaluation.measures.ncd import ncd

KINDS = ("ncd", "conditional")
CHUNK_LINES, CHUNK_BYTES = 500, 4 << 20  # of a task, at most
MOST = 1 << 14  # bytes of a document that tables are made for
BIN = 0.01  # width of the histogram's bars
BETWEEN = b"\n"  # between the targets that are read
SHOWN = 10
SCORE = "alignment"  # the field that `write` may add


def published(alone: float, targets: Sequence[float], joint: Sequence[float]) -> float:
    """Return ZIP-FIT's alignment from C(d), every C(t) and every C(dt)."""
    distances = [ncd(alone, one, both) for one, both in zip(targets, joint, strict=True)]
    return 1 - sum(distances) / len(distances)


def saved(alone: float, after: float) -> float:
    """Return the share of C(d) that reading the targets saves, from C(d) and C(d | T); 0 for an empty document."""
    return (alone - after) / alone if alone else 0.0


def read_targets(paths: Sequence[AnyPath], name: str = "text") -> tuple[list[bytes], list[str]]:
    """Return the target texts of files, and notes on lines that are left out.

    Args:
        paths: files of JSON lines (`.jsonl`, `.ndjson`, each with `.gz` or `.nz` behind it or not), whose lines are a
            target each; any other file is a target as a whole. Folders stand for the files in them.
        name: field of the texts.

    Raises:
        NzipError: a file cannot be read, or there is no target.
    """
    targets: list[bytes] = []
    notes: list[str] = []
    for file in find_files(paths):
        if file.path.removesuffix(".gz").removesuffix(".nz").endswith((".jsonl", ".ndjson")):
            lines = JsonLines(file.location, has_text(name))
            targets += [value[name].encode("utf-8", "surrogatepass") for _, value in lines]
            notes += lines.notes()
        else:
            with reading(file.location):
                targets.append(file.location.read_bytes())
    targets = [target for target in targets if target]
    if not targets:
        raise NzipError(f"{os.fspath(paths[0])}: holds no target text")
    return targets, notes


@dataclass(frozen=True, order=True)
class Chosen:
    """A line of the corpus. The best sorts first: highest score, then earliest line.

    Attributes:
        rank: minus the score.
        line: its number, from 1.
        start, size: where it lies in the corpus, in bytes.
        marked: it bears the label that was asked for.
    """

    rank: float
    line: int
    start: int = field(compare=False)
    size: int = field(compare=False)
    marked: bool = field(compare=False)

    @property
    def score(self) -> float:
        return -self.rank


@dataclass
class Ranking:
    """What was chosen from a corpus.

    Attributes:
        chosen: best first.
        documents: lines that were scored; of them `marked` bear the label that was asked for.
        mean: of their scores.
        histogram: number of lines for each bar: bar k is for scores in [k, k + 1) * BIN.
        problems: lines that were left out: numbers and reasons, the first ones; `bad` counts all.
        cpu_s: seconds of one core.
    """

    chosen: list[Chosen]
    documents: int = 0
    marked: int = 0
    mean: float = 0.0
    histogram: Counter[int] = field(default_factory=Counter)
    problems: list[tuple[int, str]] = field(default_factory=list)
    bad: int = 0
    cpu_s: float = 0.0


class Corpus(Closing):
    """A file of JSON lines whose parts any process can read. `-` is standard input.

    What is compressed, or comes through a pipe, is laid down decompressed in a temporary file while it is used.
    """

    def __init__(self, path: AnyPath):
        self.name = "standard input" if os.fspath(path) == "-" else os.fspath(path)
        self.place = os.fspath(path)
        self._stack = ExitStack()
        if self.place == "-" or self.place.endswith((".gz", ".nz")) or not Path(self.place).is_file():
            self._lay_down()

    def _lay_down(self) -> None:
        with reading(self.name), ExitStack() as stack:
            spool = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".jsonl"))
            with sys.stdin.buffer if self.place == "-" else open_binary(self.place) as file:
                while part := file.read(1 << 20):
                    spool.write(part)
            spool.flush()
            self.place = spool.name
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Remove the temporary file."""
        self._stack.close()

    def open(self) -> IO[bytes]:
        """Open it at its start.

        Raises:
            NzipError: it cannot be read.
        """
        try:
            return open(self.place, "rb")
        except OSError as error:
            raise NzipError(f"{self.name}: cannot read it: {error.strerror}") from None

    def chunks(self) -> Iterator[tuple[int, int, int, str]]:
        """Yield first line, first byte, bytes and SHA-256 of each chunk of whole lines."""
        with self.open() as file:
            line, start, count, size, digest = 1, 0, 0, 0, hashlib.sha256()
            for text in file:
                if count and (count >= CHUNK_LINES or size + len(text) > CHUNK_BYTES):
                    yield line, start, size, digest.hexdigest()
                    line, start, count, size, digest = line + count, start + size, 0, 0, hashlib.sha256()
                digest.update(text)
                count += 1
                size += len(text)
            if count:
                yield line, start, size, digest.hexdigest()


_shared: dict[str, Any] = {}


def _setup(shared: dict[str, Any]) -> None:
    _shared.clear()
    _shared.update(shared)
    _shared["score"] = scorer(compressor(shared["name"]), shared["kind"], shared["targets"])


def scorer(used: Compressor, kind: str, targets: Sequence[bytes]) -> Any:
    """Return what scores a document (bytes to float) against `targets`."""
    if kind == "conditional":
        # What stands last is remembered best where a window forgets: the order is that of the input.
        after = used.conditional(b"".join(target + BETWEEN for target in targets), MOST)
        alone = used.conditional(b"", MOST)
        return lambda text: saved(alone(text), after(text))
    sizes = [used.size(target) for target in targets]

    def score(text: bytes) -> float:
        joint = used.joint(text, max(map(len, targets)))
        return published(used.size(text), sizes, [joint(target) for target in targets])

    return score


def _chunk(work: tuple[int, int, int]) -> Record:
    number, start, size = work
    top, label = _shared["top"], _shared["label"]
    lines = JsonLines(_shared["place"], has_text(_shared["field"]))
    begun = time.process_time()
    with open(_shared["place"], "rb") as file:
        file.seek(start)
        block = file.read(size)
    found: list[Chosen] = []
    problems: list[tuple[int, str]] = []
    bars: Counter[int] = Counter()
    total, marked = 0.0, 0
    at = start
    for line, text in enumerate(_split(block), number):
        place, at = at, at + len(text)
        if not unmarked(text).strip():
            continue
        value = lines.parse(text)
        if isinstance(value, str):
            problems.append((line, value))
            continue
        score = _shared["score"](value[_shared["field"]].encode("utf-8", "surrogatepass"))
        total += score
        bars[int(score // BIN)] += 1
        mark = label is not None and str(value.get(label[0])) == label[1]
        marked += mark
        found.append(Chosen(-score, line, place, len(text), mark))
    best = heapq.nsmallest(top, found)
    return {
        "best": [[chosen.rank, chosen.line, chosen.start, chosen.size, chosen.marked] for chosen in best],
        "documents": len(found),
        "marked": marked,
        "total": total,
        "bars": sorted(bars.items()),
        "problems": problems[:SHOWN_PROBLEMS],
        "bad": len(problems),
        "cpu_s": time.process_time() - begun,
    }


def _split(block: bytes) -> list[bytes]:
    """Return the lines as a file yields them: only a line feed ends one."""
    parts = block.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def rank(
    corpus: Corpus,
    targets: Sequence[bytes],
    top: int,
    *,
    name: str = FAST,
    kind: str = "conditional",
    text: str = "text",
    label: tuple[str, str] | None = None,
    running: Running = HERE,
) -> Ranking:
    """Return the `top` lines of `corpus` that are most like `targets`.

    Args:
        corpus: what is chosen from.
        targets: texts.
        top: how many lines.
        name: see `conditional.compressor`.
        kind: `"ncd"`, as published, or `"conditional"`.
        text: field of the documents.
        label: a field and its value; lines that bear it are counted. It takes no part in the choice.
        running: see `Running`.

    Raises:
        NzipError: there is no such compressor, or no document.
        ValueError: `kind` is unknown, or there is no target.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if not targets:
        raise ValueError("there is no target")
    used = compressor(name).describe()
    about = hashlib.sha256(json.dumps([hashlib.sha256(target).hexdigest() for target in targets]).encode()).hexdigest()
    shared = {
        "name": name, "kind": kind, "targets": list(targets), "top": top, "label": label, "field": text,
        "place": corpus.place,
    }  # fmt: skip
    tasks = [
        Task(
            key_of("align", used, kind, about, top, label, text, digest, number, start),
            f"line {number:,}",
            (number, start, size),
        )
        for number, start, size, digest in corpus.chunks()
    ]
    chosen: list[Chosen] = []

    def keep(record: Record) -> Record:
        """Take the best lines out of a record: of all that were seen no more than 2 * `top` are ever kept."""
        chosen.extend(Chosen(*best) for best in record["best"])
        if len(chosen) > 2 * top:
            chosen[:] = heapq.nsmallest(top, chosen)
        return {**record, "best": None}

    records = run_tasks(
        tasks, _chunk, running, setup=_setup, shared=shared, keep=keep
    )
    ranking = Ranking(heapq.nsmallest(top, chosen))
    total = 0.0
    for record in records:
        ranking.documents += record["documents"]
        ranking.marked += record["marked"]
        ranking.bad += record["bad"]
        ranking.cpu_s += record["cpu_s"]
        ranking.histogram.update({bar: count for bar, count in record["bars"]})
        ranking.problems += [tuple(problem) for problem in record["problems"]]
        total += record["total"]
    if not ranking.documents:
        raise NzipError(f"{corpus.name}: holds no document with a field {text!r}")
    ranking.mean = total / ranking.documents
    return ranking


def write(corpus: Corpus, ranking: Ranking, out: AnyPath, *, scores: bool = False) -> None:
    """Write the chosen lines, best first, as they stand in the corpus.

    Args:
        corpus: what was ranked.
        ranking: what `rank` returned.
        out: the file; it is there whole or not at all.
        scores: add the field `alignment` to each object, which is then written anew.

    Raises:
        NzipError: it cannot be written.
    """
    with corpus.open() as file, replacing(out) as written:
        for chosen in ranking.chosen:
            file.seek(chosen.start)
            line = unmarked(file.read(chosen.size)).rstrip(b"\r\n")
            if scores:
                line = json.dumps({**json.loads(line), SCORE: chosen.score}, ensure_ascii=False).encode(
                    "utf-8", "surrogatepass"
                )
            written.write(line + b"\n")


def excerpt(corpus: Corpus, chosen: Chosen, text: str, length: int = 60) -> str:
    """Return the start of a chosen document on one line."""
    with corpus.open() as file:
        file.seek(chosen.start)
        words = " ".join(str(json.loads(unmarked(file.read(chosen.size)))[text]).split())
    shown = "".join(c if c.isprintable() else "?" for c in words)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def findings(
    corpus: Corpus,
    ranking: Ranking,
    targets: Sequence[bytes],
    *,
    name: str,
    kind: str,
    text: str = "text",
    label: tuple[str, str] | None = None,
    seconds: float | None = None,
    jobs: int = 1,
    notes: Sequence[str] = (),
) -> Findings:
    """Return what was chosen as tables, JSON, CSV and a histogram.

    Args:
        corpus, targets: what was ranked, and by what.
        ranking: what `rank` returned.
        name, kind, text, label: as `rank` was given them.
        seconds: that the ranking took; None where part of it came from a journal.
        jobs: processes.
        notes: on what was left out of the targets.
    """
    used = compressor(name)
    top = len(ranking.chosen)
    hits = sum(chosen.marked for chosen in ranking.chosen)
    summary: list[list[Any]] = [
        ["documents", ranking.documents],
        ["lines left out", ranking.bad],
        ["targets", len(targets)],
        ["chosen", top],
        ["mean score", ranking.mean],
        ["lowest score chosen", ranking.chosen[-1].score if top else None],
        ["CPU seconds", ranking.cpu_s],
        ["seconds", seconds],
    ]
    if label is not None:
        summary += [
            [f"share with {label[0]} = {label[1]}, corpus", ranking.marked / ranking.documents],
            [f"share with {label[0]} = {label[1]}, chosen", hits / top if top else None],
        ]
    result = {
        **head("nzip eval align", compressor=used.describe(), kind=kind, field=text, jobs=jobs),
        "corpus": {"documents": ranking.documents, "left_out": ranking.bad, "mean_score": ranking.mean},
        "targets": {"count": len(targets), "bytes": sum(map(len, targets))},
        "seconds": seconds,
        "cpu_s": round(ranking.cpu_s, 3),
        "label": None
        if label is None
        else {
            "field": label[0],
            "value": label[1],
            "corpus_share": ranking.marked / ranking.documents,
            "precision": hits / top if top else None,
            "recall": hits / ranking.marked if ranking.marked else None,
        },
        "histogram": {"width": BIN, "bars": sorted(ranking.histogram.items())},
        "chosen": [{"line": chosen.line, "score": chosen.score} for chosen in ranking.chosen],
    }
    best = [[str(chosen.line), chosen.score, excerpt(corpus, chosen, text)] for chosen in ranking.chosen[:SHOWN]]
    tables = [
        Table(f"Alignment ({kind}, {name})", [Column(""), Column("", ",.6g")], summary),
        Table("Best lines", [Column("line"), Column("score", ".4f"), Column("text")], best),
    ]
    records = Table(
        "Chosen",
        [Column("rank"), Column("line"), Column("score")],
        [[at, chosen.line, chosen.score] for at, chosen in enumerate(ranking.chosen, 1)],
    )
    formula = (
        "score = 1 - mean over targets t of (C(dt) - min(C(d), C(t))) / max(C(d), C(t))"
        if kind == "ncd"
        else "score = (C(d) - C(d|T)) / C(d), T: all targets"
    )
    said = [f"{formula}. C: {used.name}, {used.version}, {used.settings}.", *notes, *_problems(corpus, ranking)]
    return Findings(
        "Documents like a target set", result, tables, records, said, lambda figure: draw(figure, ranking, kind)
    )


def _problems(corpus: Corpus, ranking: Ranking) -> list[str]:
    if not ranking.bad:
        return []
    shown = ranking.problems[:SHOWN_PROBLEMS]
    lines = [f"{corpus.name}, line {number}: {reason}; left out" for number, reason in shown]
    if ranking.bad > len(shown):
        lines.append(f"{corpus.name}: and {ranking.bad - len(shown):,} more such lines")
    return [*lines, f"{corpus.name}: {ranking.bad:,} of {ranking.bad + ranking.documents:,} lines left out"]


def draw(figure: Any, ranking: Ranking, kind: str) -> None:
    """Draw the histogram of scores; the chosen part has a colour of its own."""
    axes = figure.add_subplot()
    title = f"Alignment of {ranking.documents:,} documents with the targets"
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    inside = Counter(int(chosen.score // BIN) for chosen in ranking.chosen)
    bars = sorted(ranking.histogram)
    places = [(bar + 0.5) * BIN for bar in bars]
    others = [ranking.histogram[bar] - inside[bar] for bar in bars]
    axes.bar(places, others, width=BIN, color=PEER, label=f"others: {sum(others):,}")
    chosen = [inside[bar] for bar in bars]
    axes.bar(places, chosen, width=BIN, bottom=others, color=OURS, label=f"chosen: {sum(chosen):,}")
    axes.set_xlabel(f"alignment ({kind})")
    axes.set_ylabel("documents")
    axes.set_ylim(0, 1.06 * max(ranking.histogram.values(), default=1))
    axes.legend(frameon=False)
    plain(axes, grid="")
    figure.tight_layout()
