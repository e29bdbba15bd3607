"""Integer estimates of code lengths."""

import numpy as np

from nzip.formats.content import estimate


def test_logarithms_are_exact_to_their_last_bit() -> None:
    table = estimate.log2_table().tolist()
    for n in [1, 2, 3, 5, 7, 1023, 1024, 1025, 4095]:
        # 2^(t/4096) <= n < 2^((t+1)/4096), with both sides raised to the power 4096; the last bit may be missing.
        assert 1 << table[n] <= n**4096 < 1 << table[n] + 2
    assert table[2] == 4096
    assert table[2048] == 11 * 4096


def test_code_lengths() -> None:
    assert estimate.code_length(np.array([4, 4])) == 8 * estimate.UNIT
    assert estimate.code_length(np.array([0, 9, 0])) == 0
    assert estimate.code_length(np.array([1 << 20] * 256)) == (8 << 28) * estimate.UNIT
    assert estimate.order0(np.zeros(0, np.uint8)) == 0
    pairs = np.array([1, 2] * 500, np.uint8)
    assert estimate.conditional(pairs[1:], pairs[:-1]) == 2 * 6 * estimate.UNIT
