"""CDF quantisation: equal to exact fractions, the same for every float type, sums and bounds that hold."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nzip.entropy import code_length_bits, entropy_bits, freqs_to_cdf, quantise_counts, quantise_floats

FLOAT32_MAX = float(np.finfo(np.float32).max)
COUNTS = st.lists(st.integers(0, 1 << 19), min_size=1, max_size=60).filter(any)


@given(COUNTS, st.integers(6, 24), st.booleans())
def test_equals_exact_fractions(counts, precision, keep_zeros):
    freqs = quantise_counts(counts, precision, keep_zeros=keep_zeros)
    assert freqs.dtype == np.uint32
    assert freqs.tolist() == naive.quantise_counts(counts, precision, keep_zeros=keep_zeros)
    assert int(freqs.sum()) == 1 << precision


@given(st.lists(st.integers(0, (1 << 62) - 1), min_size=1, max_size=40).filter(any), st.integers(6, 24))
def test_large_counts_keep_the_promises(counts, precision):
    freqs = quantise_counts(counts, precision)
    assert int(freqs.sum()) == 1 << precision
    assert freqs.min() >= 1
    left = (1 << precision) - len(counts)
    for count, freq in zip(counts, freqs.tolist(), strict=True):
        assert abs(freq - 1 - count * left / sum(counts)) < 1.01


def test_golden_tables():
    assert quantise_counts([1, 2, 3], 4).tolist() == [3, 5, 8]
    assert quantise_counts([0, 1, 1, 1], 5, keep_zeros=True).tolist() == [0, 11, 11, 10]
    assert quantise_floats([0.5, 0.25, 0.25, 0.0], 8).tolist() == [127, 64, 64, 1]
    assert quantise_counts([[k * k * k % 101 for k in range(12)], [1 << k for k in range(50, 62)]], 12).tolist() == [
        [1, 14, 104, 350, 828, 311, 182, 518, 92, 285, 1177, 234],
        [2, 3, 5, 9, 17, 33, 65, 129, 256, 512, 1022, 2043],
    ]
    shares = [[1 / 3, 1 / 7, 1e-9, 0.5], [3.0, 2.0, 1e30, 0.1]]
    assert quantise_floats(shares, 24).tolist() == [
        [5728805, 2455203, 1, 8593207],
        [1, 1, 16777213, 1],
    ]
    assert freqs_to_cdf([[3, 5, 8], [1, 0, 15]]).tolist() == [[0, 3, 8, 16], [0, 1, 1, 16]]


@given(
    hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(0, FLOAT32_MAX, width=32)).filter(np.any),
    st.integers(6, 24),
)
def test_floats_of_equal_values_give_equal_tables(table, precision):
    freqs = quantise_floats(table, precision)
    assert (quantise_floats(table.astype(np.float64), precision) == freqs).all()
    assert int(freqs.sum()) == 1 << precision
    assert freqs.min() >= 1


@given(st.lists(st.integers(0, (1 << 36) - 1), min_size=1, max_size=40).filter(any), st.integers(-1100, 900))
def test_floats_are_the_integers_they_stand_for(weights, exponent):
    """A row whose peak has 36 bits loses nothing, so it is quantised as its integers are, at any power of two."""
    weights[0] |= 1 << 35
    table = np.ldexp(np.array(weights, np.float64), max(exponent, -1000))
    assert quantise_floats(table, 20).tolist() == naive.quantise_counts(weights, 20)


def test_floats_of_any_size():
    """The smallest and the largest floats in one row: what is too small beside the largest still gets 1."""
    smallest, largest = float(np.nextafter(0, 1)), float(np.finfo(np.float64).max)
    assert quantise_floats([smallest, largest, 0.0], 6).tolist() == [1, 62, 1]
    assert quantise_floats([smallest, smallest], 6).tolist() == [32, 32]
    assert quantise_floats([smallest, 3 * smallest], 6).tolist() == [17, 47]  # 15.5 and 46.5, and 1 each
    assert quantise_floats(np.array([1, 3], np.float16), 6).tolist() == [17, 47]


def test_the_last_bit_of_a_float_that_counts():
    """36 bits of the largest are kept: what they tell apart decides who gets the odd unit, all else is a tie."""
    assert quantise_floats([1, 1 + 2**-35, 0.0], 6).tolist() == [31, 32, 1]
    assert quantise_floats([1, 1 + 2**-36, 0.0], 6).tolist() == [32, 31, 1]


def test_a_batch_is_its_rows():
    rng = np.random.default_rng(3)
    table = rng.random((7, 3000)) ** 8
    freqs = quantise_floats(table, 20)
    for row, expected in zip(table, freqs, strict=True):
        assert (quantise_floats(row, 20) == expected).all()
    cdfs = freqs_to_cdf(freqs)
    assert cdfs.shape == (7, 3001)
    assert (np.diff(cdfs) == freqs).all()


def test_a_vocabulary():
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, 50_000)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    freqs = quantise_floats(p, 24)
    cost = -(p * np.log2(freqs / (1 << 24))).sum()
    assert cost <= -(p * np.log2(p)).sum() + 0.006


@pytest.mark.parametrize(
    "counts",
    [[], [0, 0], [-1, 2], [1 << 62, 1], [0.5, 0.5], [[[1]]]],
)
def test_bad_counts(counts):
    with pytest.raises(ValueError):
        quantise_counts(counts, 12)


@pytest.mark.parametrize("table", [[float("nan"), 1.0], [float("inf"), 1.0], [-0.1, 1.0], [0.0, 0.0], [1, 2]])
def test_bad_floats(table):
    with pytest.raises(ValueError):
        quantise_floats(table, 12)


def test_bad_precision():
    for precision in (0, 25):
        with pytest.raises(ValueError):
            quantise_counts([1, 1], precision)
    with pytest.raises(ValueError):
        quantise_counts([1] * 5, 2)


@pytest.mark.parametrize(
    "freqs",
    [[0.5], [-1, 2], [1 << 24, 1], [[[1]]], np.array([1 << 63, 1 << 63], np.uint64), [1 << 62] * 4],
)
def test_bad_freqs(freqs):
    """The last two sum to 0 in 64 bits."""
    with pytest.raises(ValueError):
        freqs_to_cdf(freqs)


def test_reports():
    assert entropy_bits([4, 4, 4, 4]) == 2.0
    assert code_length_bits([0, 1, 1], [1, 3]) == pytest.approx(2 + 2 * np.log2(4 / 3))
