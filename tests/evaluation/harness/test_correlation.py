"""Correlation by hand, and against scipy where it is installed."""

import math

import numpy as np
import pytest

from nzip.evaluation.harness.correlation import correlate, ranks

# x - 2.5: -1.5 -0.5 0.5 1.5; y - 3: -2 0 -1 3. Products: 3 + 0 - 0.5 + 4.5 = 7; squares: 5 and 14.
X, Y = [1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 6.0]


def test_by_hand() -> None:
    found = correlate(X, Y)
    assert found.n == 4
    assert found.pearson == pytest.approx(7 / math.sqrt(5 * 14))
    # Ranks of Y: 1 3 2 4; distances 0 1 1 0: 1 - 6 * 2 / (4 * 15) = 0.8.
    assert found.spearman == pytest.approx(0.8)
    assert found.slope == pytest.approx(7 / 5)
    assert found.intercept == pytest.approx(3 - 2.5 * 7 / 5)
    # The line gives 0.9, 2.3, 3.7, 5.1; what is left: 0.1, 0.7, -1.7, 0.9.
    assert found.rmse == pytest.approx(math.sqrt((0.01 + 0.49 + 2.89 + 0.81) / 4))
    # Of the 24 orders of four ranks, |rho| is 0.8 or more where the squared distances sum up to 2 or less (1 order with
    # 0, 3 with 2: neighbours swapped) or to 18 or more (as many): 8 / 24.
    assert found.spearman_p == pytest.approx(8 / 24)
    low, high = found.pearson_interval or (0, 0)
    assert -1 <= low < found.pearson < high <= 1 + 1e-12


def test_perfect() -> None:
    found = correlate([1, 2, 3, 4, 5], [-2, -4, -6, -8, -10])
    assert (found.pearson, found.spearman, found.rmse) == pytest.approx((-1, -1, 0), abs=1e-12)
    assert found.pearson_p == pytest.approx(2 / 120)  # this order and the one turned round
    assert found.pearson_interval == pytest.approx((-1, -1))


def test_ties_share_a_rank() -> None:
    assert ranks(np.array([3.0, 1, 3, 2, 3])).tolist() == [4, 1, 4, 2, 4]


def test_many_points_and_the_seed() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=30)
    y = -x + random.normal(size=30) * 0.5
    one, again, other = correlate(x, y, seed=1), correlate(x, y, seed=1), correlate(x, y, seed=2)
    assert one == again
    assert one.pearson == other.pearson
    assert one.pearson_interval != other.pearson_interval
    assert one.pearson_p == pytest.approx(1 / 10_001)


def test_equals_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(3)
    x = random.integers(0, 8, 20).astype(float)
    y = x + random.integers(0, 8, 20)
    found = correlate(x, y)
    assert found.pearson == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([1, 1, 1], [1, 2, 3])])
def test_refused(x: list[float], y: list[float]) -> None:
    with pytest.raises(ValueError, match="a correlation needs"):
        correlate(x, y)
