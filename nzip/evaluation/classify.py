"""Classes of sequences by compression: nearest neighbours by distance, and the class whose model codes in fewest bits.

Nearest neighbours by NCD: Jiang et al., "Low-Resource Text Classification: A Parameter-Free Classification Method with
Compressors", 2023; on DNA with gzip, brotli and LZMA: "DNA Sequence Classification with Compressors", 2024. Ties of
votes are settled without a look at the truth (`vote`); what counting each as right would give is reported beside it.

Class models: an engine reads all training items of a class, and an item belongs to the class after which it costs the
fewest bits (Frank, Chui, Witten, "Text Categorization Using Compression Models", 2000).

Reference: multinomial naive Bayes on overlapping k-mers of bytes, as k-mer classifiers of sequences do.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.bench import Progress, digits, find_files
from nzip.evaluation.compressors import Compressor, compressor
from nzip.evaluation.ncd import conditional, ncd
from nzip.evaluation.study import (
    AnyPath,
    Column,
    Findings,
    JsonLines,
    Record,
    Table,
    Task,
    head,
    key_of,
    reading,
    run_tasks,
)
from nzip.evaluation.tables import read_rows

CHUNK = 8  # test items of a task of nearest neighbours
BETWEEN = b"\n"  # between the items that a class model reads
KINDS = ("knn", "near", "class", "kmer")
METHODS = ("class:static", "knn:gzip")
KS = (1, 2, 3, 5)
Z = 1.959963984540054  # of the normal distribution's central 95 %


@dataclass(frozen=True)
class Example:
    """An item: its bytes, its class, and the group (a file, say) that no split divides."""

    data: bytes
    label: str
    group: str


@dataclass
class Labelled:
    """Examples, and notes on what was left out."""

    examples: list[Example]
    notes: list[str] = field(default_factory=list)


# What is classified


def read_table(path: AnyPath, text: str, label: str) -> Labelled:
    """Return the rows of a table: JSON lines (`.jsonl`, `.ndjson`, `.json`), or text with a head and tabs or commas.

    Args:
        path: of the file; `.gz` and `.nz` are decompressed.
        text, label: names of the columns.

    Raises:
        NzipError: the file cannot be read, has no such column, or no row.
    """
    name = os.fspath(path)
    plain = name.removesuffix(".gz").removesuffix(".nz")
    if plain.endswith((".jsonl", ".ndjson", ".json")):
        lines = JsonLines(path, lambda value: _wrong(value, text, label))
        found = [Example(_bytes(value[text]), str(value[label]), str(number)) for number, value in lines]
        return _some(name, Labelled(found, lines.notes()))
    rows = read_rows(path, "\t,")
    columns = rows[0][1] if rows else []
    for wanted in (text, label):
        if wanted not in columns:
            raise NzipError(f"{name}: has no column {wanted!r}; there are {', '.join(columns) or 'none'}")
    at, kind = columns.index(text), columns.index(label)
    labelled = Labelled([])
    for line, cells in rows[1:]:
        if len(cells) != len(columns) or not cells[at] or not cells[kind]:
            labelled.notes.append(f"{name}, line {line}: has no {text} or no {label}; left out")
            continue
        labelled.examples.append(Example(_bytes(cells[at]), cells[kind], str(line)))
    return _some(name, labelled)


def read_folders(paths: Sequence[AnyPath], cut: int = 0, pieces: int = 0) -> Labelled:
    """Return the files of folders; the folder's name is the class.

    Args:
        paths: a folder for each class.
        cut: cuts each file in pieces of so many bytes, a last one of less than half of that left out; 0 for whole
            files. The pieces of a file stay on one side of a split.
        pieces: of each file, the first ones, at most; 0 for all.

    Raises:
        NzipError: a path is no folder, or a file cannot be read.
    """
    found = []
    for path in paths:
        if not Path(path).is_dir():
            raise NzipError(f"{os.fspath(path)}: is no folder; each class is one")
        label = Path(path).resolve().name
        for file in find_files([path]):
            with reading(file.location):
                data = file.location.read_bytes()
            parts = [data]
            if cut:
                parts = [data[at : at + cut] for at in range(0, len(data), cut)]
                parts = [part for part in parts if 2 * len(part) >= cut]
            found += [Example(part, label, f"{label}/{file.path}") for part in parts[: pieces or None] if part]
    return _some(", ".join(os.fspath(path) for path in paths), Labelled(found))


def _wrong(value: Any, text: str, label: str) -> str | None:
    for name in (text, label):
        if name not in value:
            return f'has no field "{name}"'
    if not isinstance(value[text], str) or not value[text]:
        return f'its field "{text}" is no string, or empty'
    return None if isinstance(value[label], str | int) else f'its field "{label}" is no string or integer'


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _some(name: str, labelled: Labelled) -> Labelled:
    if len({example.label for example in labelled.examples}) < 2:
        raise NzipError(f"{name}: holds fewer than two classes; nothing can be told apart")
    return labelled


def split(examples: Sequence[Example], share: float = 0.2, seed: int = 0) -> tuple[list[int], list[int]]:
    """Return the places of the training and of the test items, sorted.

    Of each class, groups drawn by lot go to the test until it holds `share` of the items, rounded; the last group of
    a class always stays for training.

    Raises:
        ValueError: `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"test share {share} is not between 0 and 1")
    random = np.random.Generator(np.random.PCG64(seed))
    train, test = [], []
    for label in sorted({example.label for example in examples}):
        groups: dict[str, list[int]] = {}
        for at, example in enumerate(examples):
            if example.label == label:
                groups.setdefault(example.group, []).append(at)
        names = list(groups)
        order = [names[k] for k in random.permutation(len(names))]
        wanted = round(share * sum(map(len, groups.values())))
        taken: list[int] = []
        for name in order[:-1]:
            if len(taken) >= wanted:
                break
            taken += groups[name]
        test += taken
        train += sorted({at for group in groups.values() for at in group} - set(taken))
    return sorted(train), sorted(test)


# How it is scored


def vote(distances: Sequence[float], labels: Sequence[str], k: int) -> tuple[str, list[str]]:
    """Return the class that the `k` nearest neighbours choose, and the classes that share most votes.

    Neighbours of equal distance count in their order. A tie of votes goes to the class whose voters' distances have
    the smallest sum, and if these are equal to that of the nearest voter among them. The truth is not asked.

    Args:
        distances: to each training item.
        labels: of the training items.
        k: voters.
    """
    near = np.argsort(np.asarray(distances), kind="stable")[:k]
    votes = Counter(labels[at] for at in near)
    most = max(votes.values())
    tied = [label for label in votes if votes[label] == most]  # in the order of their nearest voters
    sums = {label: math.fsum(distances[at] for at in near if labels[at] == label) for label in tied}
    return min(tied, key=lambda label: sums[label]), sorted(tied)


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    reach = Z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def confusion(truth: Sequence[str], found: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    """Return counts: a row for each true class, a column for each found one."""
    counts = Counter(zip(truth, found, strict=True))
    return [[counts[row, column] for column in labels] for row in labels]


def macro_f1(matrix: Sequence[Sequence[int]]) -> float:
    """Return the mean over classes of 2 right / (truly so + found so); a class that is in neither is left out."""
    values = []
    for at, row in enumerate(matrix):
        both = sum(row) + sum(line[at] for line in matrix)
        if both:
            values.append(2 * row[at] / both)
    return sum(values) / len(values) if values else 0.0


@dataclass(frozen=True)
class Outcome:
    """What a method found for the test items, and how many ties of votes it had to settle."""

    method: str
    rule: str
    found: list[str]
    tied: list[list[str]]
    cpu_s: float
    compressor: dict[str, Any] | None = None

    def score(self, truth: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
        """Return accuracy, interval, macro-F1, ties and what they would give if each counted as right."""
        right = sum(a == b for a, b in zip(truth, self.found, strict=True))
        hopeful = sum(label in tied for label, tied in zip(truth, self.tied, strict=True))
        low, high = wilson(right, len(truth))
        matrix = confusion(truth, self.found, labels)
        return {
            "method": self.method,
            "rule": self.rule,
            "accuracy": right / len(truth),
            "low": low,
            "high": high,
            "macro_f1": macro_f1(matrix),
            "ties": sum(len(tied) > 1 for tied in self.tied),
            "optimistic": hopeful / len(truth),
            "cpu_s": float(f"{self.cpu_s:.4g}"),
            "confusion": matrix,
            "compressor": self.compressor,
        }


# Work


_shared: dict[str, Any] = {}


def _setup(shared: dict[str, Any]) -> None:
    _shared.clear()
    _shared.update(shared)
    if shared["name"] is not None:
        used = _shared["used"] = compressor(shared["name"])
        warm = b"what is compiled or loaded is so before the clock starts" * 2
        used.size(warm)
        used.conditional(warm, 64)(warm[:40])


def _sizes(chosen: Sequence[int]) -> dict[str, Any]:
    used: Compressor = _shared["used"]
    start = time.process_time()
    cost = used.size if not _shared["conditional"] else used.conditional(b"", _shared["most"])
    return {"bits": [cost(_shared["texts"][at]) for at in chosen], "cpu_s": time.process_time() - start}


def _joint(work: tuple[Sequence[int], Sequence[int]]) -> dict[str, Any]:
    """C(xy) or, for conditional distances, C(y | x), for each x of the first and each y of the second."""
    used: Compressor = _shared["used"]
    texts, most = _shared["texts"], _shared["most"]
    start = time.process_time()
    rows = []
    for at in work[0]:
        cost = used.conditional(texts[at], most) if _shared["conditional"] else used.joint(texts[at], most)
        rows.append([cost(texts[other]) for other in work[1]])
    return {"bits": rows, "cpu_s": time.process_time() - start}


def _class(work: tuple[Sequence[int], Sequence[int]]) -> dict[str, Any]:
    """C(item | class) for each item of the second, after all of the first."""
    used: Compressor = _shared["used"]
    texts = _shared["texts"]
    start = time.process_time()
    cost = used.conditional(b"".join(texts[at] + BETWEEN for at in work[0]), _shared["most"])
    return {"bits": [cost(texts[at]) for at in work[1]], "cpu_s": time.process_time() - start}


def _kmers(k: int) -> dict[str, Any]:
    start = time.process_time()
    found = kmer_bayes(_shared["texts"], _shared["labels"], _shared["train"], _shared["test"], k)
    return {"found": found, "cpu_s": time.process_time() - start}


def kmer_bayes(
    texts: Sequence[bytes], labels: Sequence[str], train: Sequence[int], test: Sequence[int], k: int
) -> list[str]:
    """Return the classes of the test items by multinomial naive Bayes on overlapping k-mers.

    Every k-mer of the training set is a word, others are passed over; one is added to every count, and the prior is
    the share of the training items.

    Args:
        texts, labels: of all items.
        train, test: their places.
        k: bytes of a word, 1..8.
    """
    kinds = sorted({labels[at] for at in train})
    words = {at: _words(texts[at], k) for at in (*train, *test)}
    known = np.unique(np.concatenate([words[at] for at in train]))
    counts = np.ones((len(kinds), len(known)))
    items = np.zeros(len(kinds))
    for at in train:
        row = kinds.index(labels[at])
        np.add.at(counts[row], np.searchsorted(known, words[at]), 1)
        items[row] += 1
    logs = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
    found = []
    for at in test:
        place = np.minimum(np.searchsorted(known, words[at]), len(known) - 1)
        place = place[known[place] == words[at]]
        found.append(kinds[int(np.argmax(logs[:, place].sum(axis=1) + np.log(items / items.sum())))])
    return found


def _words(text: bytes, k: int) -> np.ndarray:
    letters = np.frombuffer(text, np.uint8).astype(np.uint64)
    count = max(0, len(letters) - k + 1)
    value = np.zeros(count, np.uint64)
    for at in range(k):
        value = (value << np.uint64(8)) | letters[at : at + count]
    return value


@dataclass(frozen=True)
class Method:
    """How items are classified: `kind` (KINDS), and a compressor's name or a k-mer's length."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Method:
        """Return the method that is written as `knn:gzip`, `near:cmfast`, `class:cm`, `kmer:8`.

        Raises:
            NzipError: there is no such kind, compressor or length.
        """
        kind, _, name = text.partition(":")
        if kind not in KINDS or not name:
            raise NzipError(f"{text!r} is no method; write knn:gzip, near:cmfast, class:cm or kmer:8")
        if kind == "kmer":
            if not name.isdecimal() or not 1 <= int(name) <= 8:
                raise NzipError(f"{text!r}: a k-mer has 1 to 8 bytes")
        else:
            compressor(name)
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def classify(
    examples: Sequence[Example],
    methods: Sequence[str] = METHODS,
    *,
    ks: Sequence[int] = KS,
    share: float = 0.2,
    seed: int = 0,
    jobs: int = 1,
    journal: AnyPath | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return how well each method finds the classes of the same test items.

    Args:
        examples: what is split in training and test items.
        methods: see `Method.parse`. `knn` is nearest neighbours by NCD of the concatenation, the test item first;
            `near` by the conditional distance; `class` the class models; `kmer` naive Bayes.
        ks: numbers of neighbours.
        share: of the items that are tested.
        seed: of the split.
        jobs, journal, progress: see `run_tasks`.

    Returns:
        A result without head: `items`, `classes`, `split`, `methods` with their scores, `found` with each test item.

    Raises:
        NzipError: a method is unknown, or nothing is left to test.
    """
    parsed = [Method.parse(text) for text in methods]
    train, test = split(examples, share, seed)
    if not test:
        raise NzipError("no item is left to test: too few items or groups in each class; raise the test share")
    texts = [example.data for example in examples]
    labels = [example.label for example in examples]
    kinds = sorted(set(labels))
    truth = [labels[at] for at in test]
    run = _Run(texts, labels, train, test, jobs, journal, progress)
    outcomes: list[Outcome] = []
    for method in parsed:
        if method.kind == "kmer":
            outcomes.append(run.kmer(method))
        elif method.kind == "class":
            outcomes.append(run.classes(method))
        else:
            outcomes += run.neighbours(method, ks)
    seen = {texts[at] for at in train}
    return {
        "items": len(examples),
        "bytes": sum(map(len, texts)),
        "classes": [
            {"name": kind, "train": sum(labels[at] == kind for at in train), "test": truth.count(kind)}
            for kind in kinds
        ],
        "split": {"share": share, "train": len(train), "test": len(test)},
        "test_items_also_in_training": sum(texts[at] in seen for at in test),
        "methods": [outcome.score(truth, kinds) for outcome in outcomes],
        "found": [
            {"item": at, "group": examples[at].group, "truth": labels[at], "found": [out.found[k] for out in outcomes]}
            for k, at in enumerate(test)
        ],
    }


@dataclass
class _Run:
    """What all methods share."""

    texts: list[bytes]
    labels: list[str]
    train: list[int]
    test: list[int]
    jobs: int
    journal: AnyPath | None
    progress: Progress | None

    @cached_property
    def digest(self) -> str:
        rows = [[hashlib.sha256(text).hexdigest(), label] for text, label in zip(self.texts, self.labels, strict=True)]
        return hashlib.sha256(json.dumps([rows, self.test]).encode()).hexdigest()

    def tasks(self, work: Any, what: str, method: Method, payloads: Sequence[Any], **extra: Any) -> list[Record]:
        used = None if method.kind == "kmer" else compressor(method.name)
        shared = {
            "name": None if used is None else method.name,
            "conditional": method.kind == "near",
            "texts": self.texts,
            "most": max(map(len, self.texts)),
            **extra,
        }
        tasks = [
            Task(
                key_of("classify", what, str(method), used and used.describe(), self.digest, payload),
                f"{method} {what}",
                payload,
            )
            for payload in payloads
        ]
        return run_tasks(
            tasks, work, jobs=self.jobs, journal=self.journal, progress=self.progress, setup=_setup, shared=shared
        )

    def kmer(self, method: Method) -> Outcome:
        extra = {"labels": self.labels, "train": self.train, "test": self.test}
        (record,) = self.tasks(_kmers, "words", method, [int(method.name)], **extra)
        found = record["found"]
        return Outcome(str(method), "naive Bayes", found, [[label] for label in found], record["cpu_s"])

    def neighbours(self, method: Method, ks: Sequence[int]) -> list[Outcome]:
        every = [*self.train, *self.test]
        chunks = [every[at : at + 64] for at in range(0, len(every), 64)]
        records = self.tasks(_sizes, "alone", method, chunks)
        alone = dict(zip(every, (bits for record in records for bits in record["bits"]), strict=True))
        cpu = sum(record["cpu_s"] for record in records)
        tests = [self.test[at : at + CHUNK] for at in range(0, len(self.test), CHUNK)]
        records = self.tasks(_joint, "pairs", method, [(part, self.train) for part in tests])
        cpu += sum(record["cpu_s"] for record in records)
        joint = np.array([row for record in records for row in record["bits"]])  # (test, train)
        if method.kind == "near":
            trains = [self.train[at : at + CHUNK] for at in range(0, len(self.train), CHUNK)]
            records = self.tasks(_joint, "pairs back", method, [(part, self.test) for part in trains])
            cpu += sum(record["cpu_s"] for record in records)
            back = np.array([row for record in records for row in record["bits"]]).T  # (test, train)
        distances = [
            [
                conditional(alone[x], alone[y], float(back[i, j]), float(joint[i, j]))
                if method.kind == "near"
                else ncd(alone[x], alone[y], float(joint[i, j]))
                for j, y in enumerate(self.train)
            ]
            for i, x in enumerate(self.test)
        ]
        labels = [self.labels[at] for at in self.train]
        about = compressor(method.name).describe()
        outcomes = []
        for k in ks:
            votes = [vote(row, labels, k) for row in distances]
            found = [label for label, _ in votes]
            outcomes.append(Outcome(str(method), f"k = {k}", found, [tied for _, tied in votes], cpu, about))
        return outcomes

    def classes(self, method: Method) -> Outcome:
        kinds = sorted({self.labels[at] for at in self.train})
        members = {kind: [at for at in self.train if self.labels[at] == kind] for kind in kinds}
        records = self.tasks(_class, "models", method, [(members[kind], self.test) for kind in kinds])
        cpu = sum(record["cpu_s"] for record in records)
        bits = np.array([record["bits"] for record in records]).T  # (test, classes)
        tied = [[kinds[k] for k in np.flatnonzero(row == row.min())] for row in bits]
        about = compressor(method.name).describe()
        return Outcome(str(method), "fewest bits", [names[0] for names in tied], tied, cpu, about)


# What is shown


def findings(measured: dict[str, Any], name: str, seed: int, notes: Sequence[str] = (), **settings: Any) -> Findings:
    """Return the scores as tables, JSON, CSV and a picture.

    Args:
        measured: what `classify` returned.
        name: what was classified.
        seed: that of the split.
        notes: on what was left out.
        settings: for the result's head.
    """
    result = {**head("nzip eval classify", seed=seed, **settings), "name": name, **measured}
    columns = [
        Column("method"), Column("rule"), Column("accuracy", ".4f"), Column("from", ".4f"), Column("to", ".4f"),
        Column("macro-F1", ".4f"), Column("ties", ","), Column("if ties were right", ".4f"),
        Column("CPU s", "3 digits"),
    ]  # fmt: skip
    fields = ("method", "rule", "accuracy", "low", "high", "macro_f1", "ties", "optimistic", "cpu_s")
    rows = [[row[key] for key in fields] for row in measured["methods"]]
    kinds = [kind["name"] for kind in measured["classes"]]
    best = max(measured["methods"], key=lambda row: row["accuracy"])
    tables = [
        Table(
            f"Classes of {name}: {measured['split']['test']:,} test items, {measured['split']['train']:,} for training",
            columns,
            rows,
            "from, to: 95 % (Wilson). CPU s: of one core, for training and test together.",
        ),
        Table(
            f"Classes found (columns) for true ones (rows): {best['method']}, {best['rule']}",
            [Column("true"), *(Column(kind, ",") for kind in kinds)],
            [[kind, *row] for kind, row in zip(kinds, best["confusion"], strict=True)],
        ),
    ]
    ways = [f"{row['method']}, {row['rule']}" for row in measured["methods"]]
    records = Table(
        "Items",
        [Column("item"), Column("group"), Column("truth"), *map(Column, ways)],
        [[row["item"], row["group"], row["truth"], *row["found"]] for row in measured["found"]],
    )
    said = [
        f"{measured['test_items_also_in_training']:,} test items are, byte for byte, training items as well.",
        "Ties of votes go to the smaller sum of distances, then to the nearest voter's class.",
        *notes,
    ]
    return Findings(
        f"Classes by compression: {name}",
        result,
        tables,
        records,
        said,
        lambda figure: draw(figure, measured["methods"], f"Classes by compression: {name}"),
        (10.0, max(2.6, 1.2 + 0.32 * len(rows))),
    )


def draw(figure: Any, methods: Sequence[dict[str, Any]], title: str) -> None:
    """Draw accuracy with its interval, and seconds, a line for each method."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from nzip.evaluation.plot import INK, OURS, PEER

    left, right = figure.subplots(1, 2, sharey=True)
    left.set_title(title, loc="left", fontsize=11, color=INK)
    y = list(range(len(methods)))
    ours = [(row["compressor"] or {"version": ""})["version"].startswith("nzip") for row in methods]
    colours = [OURS if own else PEER for own in ours]
    for at, row in enumerate(methods):
        left.plot([row["low"], row["high"]], [at, at], color=colours[at], linewidth=1.5)
    left.scatter([row["accuracy"] for row in methods], y, color=colours, zorder=3)
    left.set_yticks(y, [f"{row['method']}, {row['rule']}" for row in methods], fontsize=8)
    left.set_ylim(len(methods) - 0.4, -0.6)
    left.set_xlabel("accuracy, 95 %")
    # Dots: a bar on a logarithmic scale has no foot, and its length would say nothing.
    seconds = [max(row["cpu_s"], 1e-3) for row in methods]
    right.scatter(seconds, y, color=colours, zorder=3)
    right.set_xscale("log")
    right.set_xlim(min(seconds) / 2, max(seconds) * 4)
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    right.xaxis.set_minor_formatter(NullFormatter())
    for at, row in enumerate(methods):
        right.annotate(digits(row["cpu_s"]), (seconds[at], at), xytext=(7, 0), textcoords="offset points", va="center",
                       fontsize=8, color=INK)  # fmt: skip
    right.set_xlabel("CPU seconds (log scale)")
    for axes in (left, right):
        axes.grid(axis="x", color="#dddddd")
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.tight_layout()
