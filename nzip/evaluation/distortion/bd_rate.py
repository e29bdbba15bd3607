"""BD-rate: how many more or fewer bits one codec takes than another, on average, for equal quality.

Bjontegaard, "Calculation of average PSNR differences between RD-curves" (ITU-T VCEG-M33, 2001): each codec's points are
joined to a curve, the logarithm of its rate over its quality; the mean gap of two curves, where they overlap, is the
mean gain. As in later practice the curve is piecewise cubic and monotone (PCHIP: Fritsch and Butland, 1984) where that
paper fits one polynomial, so any number of points from two on will do, and it does not swing between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Point = tuple[float, float]  # rate, quality
KEPT = 0.95  # the share of a score whose lowest rate is asked for


@dataclass(frozen=True)
class Gap:
    """What `bd_rate` found.

    Attributes:
        percent: more bits than the anchor takes; under zero means fewer.
        overlap: the range of qualities that both reach, as a share of the shorter of the two curves' ranges.
    """

    percent: float
    overlap: float


class Pchip:
    """A piecewise cubic through points, monotone between each two, with a continuous slope.

    Fritsch and Butland, "A method for constructing local monotone piecewise cubic interpolants" (SIAM J. Sci. Stat.
    Comput. 5, 1984): a slope inside is the harmonic mean of the two next to it, weighted by the lengths, and 0 where
    they differ in sign; one at an end comes from three points, held so that the curve stays monotone. Two points give a
    line.
    """

    def __init__(self, x: Sequence[float] | Doubles, y: Sequence[float] | Doubles) -> None:
        """Take the points.

        Args:
            x: rising, two at least.
            y: as many.

        Raises:
            ValueError: there are fewer, or x does not rise.
        """
        self.x = np.asarray(x, np.float64)
        self.y = np.asarray(y, np.float64)
        if len(self.x) < 2 or len(self.x) != len(self.y) or np.any(np.diff(self.x) <= 0):
            raise ValueError("a curve takes two points or more, the first coordinates rising")
        self.slopes = self._slopes()

    def _slopes(self) -> Doubles:
        lengths = np.diff(self.x)
        rises = np.diff(self.y) / lengths
        if len(rises) == 1:
            return np.repeat(rises, 2)
        slopes = np.zeros(len(self.x))
        one, other = rises[:-1], rises[1:]
        same = one * other > 0
        near, far = 2 * lengths[1:] + lengths[:-1], lengths[1:] + 2 * lengths[:-1]
        slopes[1:-1][same] = (near + far)[same] / (near[same] / one[same] + far[same] / other[same])
        slopes[0] = _end_slope(lengths[0], lengths[1], rises[0], rises[1])
        slopes[-1] = _end_slope(lengths[-1], lengths[-2], rises[-1], rises[-2])
        return slopes

    def _pieces(self) -> Doubles:
        """Return each piece as a + b t + c t^2 + d t^3 with t from its left end, (4, pieces)."""
        lengths = np.diff(self.x)
        rises = np.diff(self.y) / lengths
        left, right = self.slopes[:-1], self.slopes[1:]
        square = (3 * rises - 2 * left - right) / lengths
        cube = (left + right - 2 * rises) / lengths**2
        return np.stack([self.y[:-1], left, square, cube])

    def __call__(self, at: float) -> float:
        """Return the curve's value at a place between its ends."""
        piece = int(np.clip(np.searchsorted(self.x, at, side="right") - 1, 0, len(self.x) - 2))
        a, b, c, d = self._pieces()[:, piece]
        t = at - self.x[piece]
        return float(a + t * (b + t * (c + t * d)))

    def integral(self, low: float, high: float) -> float:
        """Return the area under the curve from one place to another, both between its ends."""
        pieces = self._pieces()
        ends = np.clip([self.x[:-1], self.x[1:]], low, high) - self.x[:-1]  # (2, pieces)
        powers = np.arange(1, 5)[:, None]  # (4, 1)
        areas = pieces * (ends[1] ** powers - ends[0] ** powers) / powers  # (4, pieces)
        return float(areas.sum())


def _end_slope(near_length: float, far_length: float, near: float, far: float) -> float:
    slope = ((2 * near_length + far_length) * near - near_length * far) / (near_length + far_length)
    if slope * near <= 0:
        return 0.0
    if near * far < 0 and abs(slope) > 3 * abs(near):
        return 3 * near
    return slope


def front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats in both rate and quality, the rates and qualities rising."""
    kept: list[Point] = []
    for rate, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((rate, quality))
    return kept


def bd_rate(anchor: Sequence[Point], test: Sequence[Point]) -> Gap | None:
    """Return how many percent more bits `test` takes than `anchor` for equal quality, on average over log rate.

    Points that another of the same codec beats in both rate and quality are left out of its curve.

    Args:
        anchor: rates (positive, in any unit) and qualities (more is better) of the codec that is compared with.
        test: those of the codec in question, in the same units.

    Returns:
        The gap, or None where one of them has fewer than two points left or no quality is reached by both.
    """
    curves = []
    for points in (anchor, test):
        kept = front(points)
        if len(kept) < 2:
            return None
        curves.append(Pchip([quality for _, quality in kept], [math.log(rate) for rate, _ in kept]))
    low = max(curve.x[0] for curve in curves)
    high = min(curve.x[-1] for curve in curves)
    if high <= low:
        return None
    first, second = (curve.integral(low, high) / (high - low) for curve in curves)
    overlap = (high - low) / min(curve.x[-1] - curve.x[0] for curve in curves)
    return Gap(100 * math.expm1(second - first), float(overlap))


def value_at(points: Sequence[Point], rate: float) -> float | None:
    """Return the value at a rate, on straight lines over the logarithm of the rate; None outside the points."""
    if not points:
        return None
    ordered = sorted(points)
    if not ordered[0][0] <= rate <= ordered[-1][0]:
        return None
    rates, values = zip(*ordered, strict=True)
    return float(np.interp(math.log(rate), np.log(rates), values))


def rate_for(points: Sequence[Point], value: float) -> tuple[float | None, bool]:
    """Return the rate from which on the value is kept, and whether it may be kept at lower rates too.

    Straight lines over the logarithm of the rate join the points. None: it is not kept even at the highest rate.

    Args:
        points: rates and values.
        value: that is to be reached, and not lost at any higher rate measured.
    """
    ordered = sorted(points)
    below = [index for index, (_, got) in enumerate(ordered) if got < value]
    if not ordered or (below and below[-1] == len(ordered) - 1):
        return None, False
    if not below:
        return ordered[0][0], True
    (low, lost), (high, kept) = ordered[below[-1]], ordered[below[-1] + 1]
    share = (value - lost) / (kept - lost)
    return math.exp(math.log(low) + share * (math.log(high) - math.log(low))), False
