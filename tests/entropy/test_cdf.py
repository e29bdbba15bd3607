"""CDF quantisation: equal to exact fractions, the same for every float type, sums and bounds that hold."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nzip.entropy import code_length_bits, entropy_bits, freqs_to_cdf, quantise_counts, quantise_floats

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


@given(
    hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(0, 3e38, width=32, allow_subnormal=True)).filter(np.any),
    st.integers(6, 24),
)
def test_floats_of_equal_values_give_equal_tables(table, precision):
    freqs = quantise_floats(table, precision)
    assert (quantise_floats(table.astype(np.float64), precision) == freqs).all()
    assert int(freqs.sum()) == 1 << precision
    assert freqs.min() >= 1


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


def test_reports():
    assert entropy_bits([4, 4, 4, 4]) == 2.0
    assert code_length_bits([0, 1, 1], [1, 3]) == pytest.approx(2 + 2 * np.log2(4 / 3))
