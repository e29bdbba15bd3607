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
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.compressors.conditional import Compressor, compressor
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks
from nzip.evaluation.harness.journal import Record, key_of
from nzip.evaluation.measures.classify.examples import Example, split
from nzip.evaluation.measures.classify.scores import Outcome, vote
from nzip.evaluation.measures.ncd import conditional, ncd

CHUNK = 8  # test items of a task of nearest neighbours
BETWEEN = b"\n"  # between the items that a class model reads
KINDS = ("knn", "near", "class", "kmer")
METHODS = ("class:static", "knn:gzip")
KS = (1, 2, 3, 5)
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
    running: Running = HERE,
) -> dict[str, Any]:
    """Return how well each method finds the classes of the same test items.

    Args:
        examples: what is split in training and test items.
        methods: see `Method.parse`. `knn` is nearest neighbours by NCD of the concatenation, the test item first;
            `near` by the conditional distance; `class` the class models; `kmer` naive Bayes.
        ks: numbers of neighbours.
        share: of the items that are tested.
        seed: of the split.
        running: see `Running`.

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
    run = _Run(texts, labels, train, test, running)
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
    running: Running

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
            tasks, work, self.running, setup=_setup, shared=shared
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
