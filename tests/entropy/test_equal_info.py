"""Equal-Info Windows in plain Python: any model, every variant, every width of window."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.entropy.equal_info import (
    DELAY,
    LOOKAHEAD,
    RESERVED,
    Interval,
    cut_by_cost,
    decode_windows,
    encode_windows,
    wrong_lengths,
)
from nzip.errors import CorruptError

WIDTHS = [8, 9, 11, 13, 16, 17, 24, 31, 32, 33, 38, 39, 40, 63, 64, 65, 101, 128, 250]


class Order1:
    """Counts of what followed the last byte, since the last reset."""

    def __init__(self, high=1 << 10):
        self.high = high
        self.reset()

    def reset(self):
        self.last, self.counts = 0, {}

    def frequencies(self):
        return [1 + self.counts.get((self.last, byte), 0) for byte in range(256)]

    def update(self, byte):
        key = (self.last, byte)
        self.counts[key] = min(self.high, 2 * self.counts.get(key, 30))
        self.last = byte


class Skewed:
    """Always the same: the byte 0 has nearly everything, or all bytes are equal."""

    def __init__(self, top):
        self.top = top

    def reset(self):
        pass

    def frequencies(self):
        return [self.top] + [1] * 255

    def update(self, byte):
        pass


def round_trip(data, model, bits, variant, every):
    found = encode_windows(data, model, bits, variant, every)
    assert len(found.code) == -(-bits * len(found.lengths) // 8)
    assert found.lengths.sum() == len(data)
    assert all(found.lengths >= 1)
    wrong = wrong_lengths(data, found, model, bits, every) if variant == LOOKAHEAD else {}
    assert decode_windows(found.code, len(found.lengths), len(data), model, bits, variant, every, wrong) == data
    return found


TEXTS = [b"", b"a", b"\0", b"\0" * 60, b"\xff", b"\xff" * 20, b"abababababababababab", bytes(range(256))]


@pytest.mark.parametrize("variant", [RESERVED, DELAY, LOOKAHEAD])
@pytest.mark.parametrize("bits", WIDTHS)
def test_every_width(bits, variant):
    for data in TEXTS:
        round_trip(data, Order1(), bits, variant, 1)


@given(st.binary(max_size=60), st.integers(8, 140), st.sampled_from([RESERVED, DELAY, LOOKAHEAD]), st.integers(0, 2))
def test_round_trip(data, bits, variant, every):
    round_trip(data, Order1(), bits, variant, every)


@given(
    st.lists(st.sampled_from([0, 0, 0, 1, 255]), max_size=60),
    st.integers(8, 70),
    st.sampled_from([RESERVED, DELAY, LOOKAHEAD]),
    st.sampled_from([1, 3, 1 << 12, (1 << 24) - 255]),
)
def test_zeros_and_skewed_models(data, bits, variant, top):
    round_trip(bytes(data), Skewed(top), bits, variant, 1)


def test_a_byte_a_window_where_nothing_else_fits():
    found = round_trip(bytes(range(256)), Skewed(1), 8, RESERVED, 1)
    assert found.lengths.tolist() == [1] * 256
    assert found.code == bytes(range(256))


@pytest.mark.parametrize("variant", [RESERVED, DELAY, LOOKAHEAD])
def test_golden_codes(variant):
    data = b"to be or not to be or to be to be to be to be to be"
    assert encode_windows(data, Order1(), 56, variant, 0).code.hex() == GOLDEN[variant]


GOLDEN = {
    RESERVED: "746f206265208a8d1091db409359ae134e320a62214f980000000000",
    DELAY: "746f206265208a8d1091db40938d78e12d3e964e4a800000000000009000000000000080000000000000",
    LOOKAHEAD: "746f206265208a8d1091db40938d78e12d3e964e4a80000000000000",
}


@given(st.integers(8, 60), st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)), max_size=12))
def test_the_interval_narrows_exactly(bits, steps):
    interval = Interval(bits)
    low, width = Fraction(0), Fraction(1 << bits)
    for start, size in steps:
        start %= interval.range
        size = 1 + size % (interval.range - start)
        unit = width / interval.range
        low, width = low + start * unit, size * unit
        interval.narrow(start, size)
        assert (interval.low, interval.range << interval.shift) == (low, width)
        assert interval.range < 1 << 39
        value = interval.shortest()
        assert low <= value < low + width
        zeros = bits if value == 0 else (value & -value).bit_length() - 1
        step = 2 << zeros
        assert value == 0 or -(-low // step) * step >= low + width  # none inside has more zeros


def test_a_length_that_does_not_fit():
    data = b"any text will do, as long as it is a few windows long"
    found = encode_windows(data, Order1(), 24, RESERVED, 1)
    for length in (0, 1, 10, 10**9):
        with pytest.raises(CorruptError):
            decode_windows(found.code, len(found.lengths), length, Order1(), 24, RESERVED, 1)


@pytest.mark.parametrize("frequencies", [[1] * 255, [0] + [1] * 255, [1 << 24] + [1] * 255])
def test_models_that_are_wrong(frequencies):
    model = Skewed(1)
    model.frequencies = lambda: frequencies
    with pytest.raises(ValueError, match="the model gave"):
        encode_windows(b"a", model, 16, RESERVED, 1)


@given(st.lists(st.integers(0, 50), max_size=80), st.integers(1, 100))
def test_cut_by_cost(costs, budget):
    ends = cut_by_cost(np.array(costs, np.int64), budget).tolist()
    expected, at, spent = [], 0, 0
    for i, cost in enumerate(costs):
        if i > at and spent + cost > budget:
            expected.append(i)
            at, spent = i, 0
        spent += cost
    assert ends == expected + ([len(costs)] if costs else [])


@pytest.mark.parametrize(("costs", "budget"), [([1.5], 1), ([-1], 1), ([[1]], 1), ([1], 0)])
def test_cut_by_cost_refuses(costs, budget):
    with pytest.raises(ValueError):
        cut_by_cost(costs, budget)
