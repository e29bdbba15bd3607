"""How classes are chosen and scored: votes, confusion, macro-F1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nzip.evaluation.harness.statistics import wilson


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
