"""Correlation of two columns of numbers, with what a few points allow to say: permutation test and bootstrap.

Pearson's r (1895) is that of the values, Spearman's rho (1904) that of their ranks, ties given the mean of theirs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.evaluation.harness.statistics import ROUNDS, middle

LEAST = 3  # points
EXACT = 8  # points up to which every permutation is tried: 40,320

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """How two columns go together.

    Attributes:
        n: points.
        pearson, spearman: coefficients, -1..1.
        pearson_p, spearman_p: share of the permutations of one column with a coefficient as far from 0 (two-sided).
        pearson_interval, spearman_interval: 95 % percentile bootstrap over points.
        slope, intercept: of the least-squares line.
        rmse: root of the mean squared distance from the line, in units of y.
    """

    n: int
    pearson: float
    pearson_p: float
    pearson_interval: tuple[float, float] | None
    spearman: float
    spearman_p: float
    spearman_interval: tuple[float, float] | None
    slope: float
    intercept: float
    rmse: float

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def ranks(values: Array) -> Array:
    """Return the rank of each value along the last axis, from 1; equal ones share the mean of theirs."""
    below = (values[..., None, :] < values[..., :, None]).sum(-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(-1)
    return below + (equal + 1) / 2


def pearson(x: Array, y: Array) -> Array:
    """Return r along the last axis; nan where a column is constant."""
    x = x - x.mean(-1, keepdims=True)
    y = y - y.mean(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1)))


def correlate(x: Sequence[float], y: Sequence[float], *, seed: int = 0) -> Correlation:
    """Return how `y` goes with `x`.

    Args:
        x, y: as many numbers each, 3 or more, neither column constant.
        seed: of bootstrap and permutations (all of them are tried up to 8 points).

    Raises:
        ValueError: there are fewer than 3 points, or a column is constant.
    """
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(a) != len(b) or len(a) < LEAST:
        raise ValueError(f"a correlation needs {LEAST} points or more, and there are {len(a)}")
    if not (np.ptp(a) > 0 and np.ptp(b) > 0):
        raise ValueError("a correlation needs numbers that differ")
    random = np.random.Generator(np.random.PCG64(seed))
    if len(a) <= EXACT:
        orders = np.array(list(itertools.permutations(range(len(a)))))
    else:
        orders = random.permuted(np.tile(np.arange(len(a)), (ROUNDS, 1)), axis=1)
    drawn = random.integers(0, len(a), (ROUNDS, len(a)))
    flat = ranks(a), ranks(b)
    by_values = _tested(pearson, a, b, orders)
    by_ranks = _tested(pearson, *flat, orders)
    slope, intercept = np.polyfit(a, b, 1)
    return Correlation(
        len(a),
        float(pearson(a, b)),
        by_values,
        middle(pearson(a[drawn], b[drawn])),
        float(pearson(*flat)),
        by_ranks,
        middle(pearson(ranks(a[drawn]), ranks(b[drawn]))),
        float(slope),
        float(intercept),
        float(np.sqrt(np.mean((slope * a + intercept - b) ** 2))),
    )


def _tested(how: Callable[[Array, Array], Array], a: Array, b: Array, orders: NDArray[Any]) -> float:
    found = abs(float(how(a, b))) - 1e-12
    far = int((np.abs(how(a, b[orders])) >= found).sum())
    # Where not all permutations are tried, the order found counts as one of them (Davison and Hinkley, 1997, 4.3).
    return far / len(orders) if len(a) <= EXACT else (far + 1) / (len(orders) + 1)
