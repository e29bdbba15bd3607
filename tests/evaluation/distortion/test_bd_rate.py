"""BD-rate: the curve through points by hand and against scipy, known gaps, and what has no answer."""

import math

import numpy as np
import pytest

from nzip.evaluation.distortion.bd_rate import Gap, Pchip, bd_rate, front, rate_for, value_at

CURVE = [(0.1, 25.0), (0.2, 28.5), (0.4, 31.0), (0.9, 34.5), (2.0, 38.0)]


class TestPchip:
    def test_line(self) -> None:
        line = Pchip([1, 3], [2, 6])
        assert line(2) == 4
        assert line.integral(1, 3) == pytest.approx(8)

    def test_by_hand(self) -> None:
        # Slopes between the points: 1 and 3, lengths 1; so inside 6 / (3/1 + 3/3) = 1.5, left (3 - 3) / 2 = 0,
        # right (9 - 1) / 2 = 4.
        curve = Pchip([0, 1, 2], [0, 1, 4])
        assert curve.slopes.tolist() == [0, 1.5, 4]
        # The first piece is 1.5 t^2 - 0.5 t^3.
        assert curve(0.5) == pytest.approx(1.5 * 0.25 - 0.5 * 0.125)
        assert curve.integral(0, 1) == pytest.approx(0.5 - 0.125)

    def test_unequal_lengths(self) -> None:
        # 2 h1 + h0 = 5, h1 + 2 h0 = 4; slopes 2 and 1: 9 / (5/2 + 4/1).
        assert Pchip([0, 1, 3], [0, 2, 4]).slopes[1] == pytest.approx(9 / 6.5)

    def test_flat_at_turns(self) -> None:
        assert Pchip([0, 1, 2, 3], [0, 1, 0, 5]).slopes[1:3].tolist() == [0, 0]

    def test_ends_stay_monotone(self) -> None:
        assert Pchip([0, 1, 2], [0, 1, 10]).slopes[0] == 0  # (3 - 9) / 2 would fall
        assert Pchip([0, 1, 2], [0, 1, -9]).slopes[0] == 3  # (3 + 10) / 2 is held at three times the rise

    @pytest.mark.parametrize("seed", range(5))
    def test_equals_scipy(self, seed: int) -> None:
        interpolate = pytest.importorskip("scipy.interpolate")
        rng = np.random.default_rng(seed)
        x, y = np.cumsum(rng.uniform(0.1, 2, 8)), rng.normal(0, 3, 8)
        theirs, ours = interpolate.PchipInterpolator(x, y), Pchip(x, y)
        for at in np.linspace(x[0], x[-1], 50):
            assert ours(float(at)) == pytest.approx(float(theirs(at)))
        low, high = np.sort(rng.uniform(x[0], x[-1], 2))
        assert ours.integral(low, high) == pytest.approx(float(theirs.integrate(low, high)))

    @pytest.mark.parametrize("x", [[1], [1, 1], [2, 1]])
    def test_refused(self, x: list[float]) -> None:
        with pytest.raises(ValueError, match="two points"):
            Pchip(x, x)


class TestBdRate:
    def test_equal(self) -> None:
        assert bd_rate(CURVE, CURVE) == Gap(0, 1)

    @pytest.mark.parametrize("factor", [2, 0.5, 1.1])
    def test_shifted_in_rate(self, factor: float) -> None:
        gap = bd_rate(CURVE, [(rate * factor, quality) for rate, quality in CURVE])
        assert gap is not None
        assert gap.percent == pytest.approx(100 * (factor - 1))

    def test_other_points_of_the_same_curve(self) -> None:
        one = [(2.0**k, 30.0 + k) for k in range(6)]
        gap = bd_rate(one, [(2.0**k, 30.0 + k) for k in (0.5, 1.25, 4.75)])
        assert gap is not None
        assert gap.percent == pytest.approx(0, abs=1e-9)

    def test_by_hand(self) -> None:
        # Log2 of the rates over the qualities 30..32: 0, 1, 2 and 1, 2, 3 where they overlap, from 31 to 32: one bit.
        anchor, test = [(1.0, 30.0), (2.0, 31.0), (4.0, 32.0)], [(4.0, 31.0), (8.0, 32.0), (16.0, 33.0), (32.0, 34.0)]
        gap = bd_rate(anchor, test)
        assert gap is not None
        assert gap.percent == pytest.approx(100)
        assert gap.overlap == pytest.approx(0.5)

    def test_order_of_points_does_not_matter(self) -> None:
        test = [(0.15, 26.0), (0.7, 33.0), (1.5, 38.5)]
        assert bd_rate(CURVE[::-1], test[::-1]) == bd_rate(CURVE, test)

    def test_none(self) -> None:
        assert bd_rate(CURVE, [(0.1, 40.0), (0.2, 41.0)]) is None
        assert bd_rate(CURVE, CURVE[:1]) is None
        assert bd_rate([], CURVE) is None
        assert bd_rate(CURVE, [(0.1, 38.0), (0.2, 39.0)]) is None  # they touch in one point

    def test_front(self) -> None:
        points = [(1.0, 30.0), (2.0, 29.0), (2.0, 31.0), (3.0, 31.0), (0.5, 30.0)]
        assert front(points) == [(0.5, 30.0), (2.0, 31.0)]


class TestReading:
    POINTS = ((4.0, 1.0), (1.0, 0.5), (2.0, 0.9))

    def test_value_at(self) -> None:
        assert value_at(self.POINTS, 2.0) == pytest.approx(0.9)
        assert value_at(self.POINTS, math.sqrt(2)) == pytest.approx(0.7)
        assert value_at(self.POINTS, 0.9) is None
        assert value_at(self.POINTS, 4.1) is None
        assert value_at([], 1.0) is None

    def test_rate_for(self) -> None:
        rate, at_most = rate_for(self.POINTS, 0.95)
        assert (rate, at_most) == (pytest.approx(2 * math.sqrt(2)), False)
        assert rate_for(self.POINTS, 0.5) == (1.0, True)
        assert rate_for(self.POINTS, 1.1) == (None, False)
        assert rate_for([], 0.5) == (None, False)

    def test_what_is_lost_again_does_not_count(self) -> None:
        rate, at_most = rate_for([(1.0, 1.0), (2.0, 0.9), (4.0, 1.0)], 0.95)
        assert (rate, at_most) == (pytest.approx(2 * math.sqrt(2)), False)
