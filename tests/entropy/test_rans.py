"""rANS: equal to the reference for any number of lanes, near the ideal size, calm on damaged words."""

import contextlib

import constriction
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.entropy import (
    RansDecoder,
    RansTable,
    bytes_to_words,
    code_length_bits,
    decode,
    decode_family,
    encode_reverse,
    encode_reverse_family,
    freqs_to_cdf,
    quantise_counts,
    words_to_bytes,
)
from nzip.entropy.rans import _high_product, _reciprocals
from nzip.errors import CorruptError

LANES = st.sampled_from([1, 2, 4, 7, 8, 32, 64])


@st.composite
def streams(draw):
    counts = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any))
    precision = draw(st.integers(6, 24))
    symbols = draw(st.lists(st.integers(0, len(counts) - 1), max_size=100))
    return symbols, quantise_counts(counts, precision), precision


@given(streams(), LANES)
def test_equals_the_reference_and_comes_back(stream, lanes):
    symbols, freqs, precision = stream
    table = RansTable(freqs, precision)
    words = encode_reverse(symbols, table, lanes=lanes)
    cdf = freqs_to_cdf(freqs).tolist()
    assert words.tolist() == naive.rans_words([(cdf[s], cdf[s + 1] - cdf[s]) for s in symbols], precision, lanes)
    assert decode(words, table, len(symbols), lanes=lanes).tolist() == symbols
    assert (bytes_to_words(words_to_bytes(words)) == words).all()


def decode_one_by_one(words, table, count, lanes=1):
    decoder, found = RansDecoder(words, table.precision, lanes=lanes), []
    for _ in range(count):
        found.append(int(np.searchsorted(table.cdf, decoder.target(), side="right")) - 1)
        decoder.advance(int(table.cdf[found[-1]]), int(table.freqs[found[-1]]))
    decoder.finish()
    return found


@given(streams(), LANES)
def test_symbol_by_symbol(stream, lanes):
    symbols, freqs, precision = stream
    table = RansTable(freqs, precision)
    words = encode_reverse(symbols, table, lanes=lanes)
    assert decode_one_by_one(words, table, len(symbols), lanes) == symbols


def test_a_table_for_each_symbol():
    rng = np.random.default_rng(5)
    freqs = np.stack([quantise_counts(rng.integers(0, 50, 30) + (np.arange(30) == k % 30), 16) for k in range(200)])
    symbols = rng.integers(0, 30, 200)
    cdfs = freqs_to_cdf(freqs)
    rows = np.arange(200)
    for lanes in (1, 4, 64):
        words = encode_reverse_family(cdfs[rows, symbols], freqs[rows, symbols], 16, lanes=lanes)
        assert (decode_family(words, cdfs, 16, lanes=lanes) == symbols).all()


GOLDEN = {
    1: [0x81935B72, 0xD6, 0x687B2821],
    4: [0x8ACF20B2, 0x246, 0x8ACF2534, 0x246, 0x8ACF0E28, 0x246, 0x8ACF0A6D, 0x246],
    8: [
        *(0x111110F1, 0x11, 0x111110E7, 0x11, 0x111110CF, 0x11, 0x111110E9, 0x11),
        *(0x11111196, 0x11, 0x11111172, 0x11, 0x111110F1, 0x11, 0x111110E7, 0x11),
    ],
}
GOLDEN_24 = {
    1: """
        ad114d139f0c0000c26aff8b05e9ff706d15ff2e2f7bffd8c9e0feebf757ff6e0efdff43ea32ffdde395ff9c4dbffe8caa6fff8e1bedffc6
        6550ff5446bbff4f0832ff851e8cffc2
    """,
    4: """
        4c9460180100000063fafe4df5eb0331dd35ffa71f000000d16bff6b3d000000dbcafe5d600bff762e4cfffc1429ff32f98bff1c83c1fff5
        8af3fe817b96ff41be01ffddb577ffdc2c9dff22e283ffbc0abbff41c8fbffae64ecfe28
    """,
    8: """
        78d3c6113b63900122fafe3fa2e5625be037ff530e000000786afff7130000002099ff365900000016e4ff8a999ca544cac2fe1a01000000
        480bff87010000002eabff6df3f4ffe460dffe597955ff47c48aff0f7b06ff513046ff4b3677ffa1329fffa749eeffab82ddfeea111eff6b
        ac51ffeb
    """,
}


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_golden_words(lanes):
    symbols = [0, 1, 2, 2, 1, 0] * 4
    assert encode_reverse(symbols, RansTable([3, 5, 8], 4), lanes=lanes).tolist() == GOLDEN[lanes]
    freqs = [k * k * 977 % 5000 + 1 for k in range(40)]
    freqs[0] += (1 << 24) - sum(freqs)
    symbols = [7 * k % 40 for k in range(40)]
    words = encode_reverse(symbols, RansTable(freqs, 24), lanes=lanes)
    assert words_to_bytes(words) == bytes.fromhex(GOLDEN_24[lanes])
    cdf = freqs_to_cdf(freqs)[symbols]
    family = encode_reverse_family(cdf, [freqs[k] for k in symbols], 24, lanes=lanes)
    assert words_to_bytes(family) == bytes.fromhex(GOLDEN_24[lanes])


def test_golden_words_of_short_streams():
    table = RansTable([3, 5, 8], 4)
    assert encode_reverse([2], table).tolist() == [8, 1]
    assert encode_reverse([], table, lanes=2).tolist() == [1 << 31, 0, 1 << 31, 0]
    assert decode(encode_reverse([], table, lanes=2), table, 0, lanes=2).size == 0


@given(st.integers(0, 24), st.integers(-2, 2), st.integers(0, (1 << 63) - 1) | st.sampled_from([0, 1, (1 << 63) - 1]))
def test_division_by_reciprocals_is_exact(power, beside, x):
    """Also at x = k f - 1 and k f, where a reciprocal that is a little off would show."""
    f = min(max((1 << power) + beside, 1), 1 << 24)
    (packed, reciprocal), _ = _reciprocals(freqs_to_cdf([f, (1 << 24) - f]), 24).tolist()
    assert packed & ((1 << 25) - 1) == f
    for value in (x, x // f * f, max(x // f * f - 1, 0)):
        high = int(_high_product(np.uint64(value), np.uint64(reciprocal)))
        assert high == value * reciprocal >> 64
        if f > 1:
            assert high >> (packed >> 50) == value // f
        else:
            assert high == max(value - 1, 0)


@pytest.mark.parametrize("size", [300, 5000, 70_000])
def test_large_alphabets(size):
    """Buckets with no, one and many borders, frequencies from 0 up, and more symbols than 16 bits tell apart."""
    rng = np.random.default_rng(size)
    counts = rng.integers(1, 1 << 20, size) >> rng.integers(0, 24, size)
    counts[-3:] = 1, 0, 1  # the last bucket has several symbols
    table = RansTable(quantise_counts(counts, 20, keep_zeros=True), 20)
    possible = np.flatnonzero(table.freqs)
    symbols = np.concatenate([possible[:: 1 + size // 300], possible[-5:], rng.choice(possible, 300)])
    words = encode_reverse(symbols, table, lanes=8)
    intervals = [(int(table.cdf[s]), int(table.freqs[s])) for s in symbols]
    assert words.tolist() == naive.rans_words(intervals, 20, 8)
    assert (decode(words, table, symbols.size, lanes=8) == symbols).all()


def test_the_rarest_symbol_of_2_to_the_24():
    freqs = [1, (1 << 24) - 1]
    table = RansTable(freqs, 24)
    for symbols in ([0] * 50, [1] * 5000, [0, 1] * 30):
        for lanes in (1, 8):
            words = encode_reverse(symbols, table, lanes=lanes)
            assert decode(words, table, len(symbols), lanes=lanes).tolist() == symbols
            assert words.size * 32 <= code_length_bits(symbols, freqs) * 1.0001 + 64 * lanes + 32


def test_one_symbol_costs_nothing():
    table = RansTable([1 << 12], 12)
    words = encode_reverse([0] * 10_000, table)
    assert words.size == 2
    assert not decode(words, table, 10_000).any()


def test_size_is_near_the_ideal_and_constrictions():
    rng = np.random.default_rng(6)
    counts = rng.integers(1, 1000, 256)
    freqs = quantise_counts(counts, 16)
    symbols = rng.choice(256, 30_000, p=counts / counts.sum()).astype(np.int32)
    table = RansTable(freqs, 16)
    words = encode_reverse(symbols, table, lanes=4)
    assert words.size * 32 <= code_length_bits(symbols, freqs) * 1.00005 + 4 * 64 + 32
    coder = constriction.stream.stack.AnsCoder()
    model = constriction.stream.model.Categorical(freqs / (1 << 16), perfect=False)
    coder.encode_reverse(symbols, model)
    theirs = coder.get_compressed()
    assert words.size <= theirs.size + 8
    found = constriction.stream.stack.AnsCoder(theirs).decode(model, symbols.size)
    assert (found == decode(words, table, 30_000, lanes=4)).all()


@given(streams().filter(lambda s: len(s[0]) > 3), LANES, st.data())
def test_damage_never_goes_outside(stream, lanes, draw):
    symbols, freqs, precision = stream
    table = RansTable(freqs, precision)
    words = encode_reverse(symbols, table, lanes=lanes)
    damaged = words.copy()
    damaged[draw.draw(st.integers(0, words.size - 1))] ^= np.uint32(draw.draw(st.integers(1, 0xFFFFFFFF)))
    for bad in (damaged, words[: draw.draw(st.integers(0, words.size - 1))]):
        with contextlib.suppress(CorruptError):
            found = decode(bad, table, len(symbols), lanes=lanes)
            assert found.size == len(symbols)
            assert found.min() >= 0
            assert found.max() < freqs.size


def test_no_words_and_no_states():
    table = RansTable([3, 5, 8], 4)
    cdfs = np.tile(table.cdf, (300, 1))
    for words in ([], [1 << 31], [0, 0], [(1 << 31) - 1, 0], [0, 1 << 31], [0xFFFFFFFF] * 2, [1 << 31, 0]):
        array = np.array(words, np.uint32)
        with pytest.raises(CorruptError):
            decode(array, table, 300)
        with pytest.raises(CorruptError):
            decode_family(array, cdfs, 4)
        with pytest.raises(CorruptError):
            decode_one_by_one(array, table, 300)


def test_what_the_end_shows():
    table = RansTable([3, 5, 8], 4)
    words = encode_reverse([0, 1, 2] * 100, table, lanes=2)
    with pytest.raises(CorruptError):
        decode(words[:-1], table, 300, lanes=2)
    with pytest.raises(CorruptError):
        decode(np.append(words, np.uint32(1)), table, 300, lanes=2)
    with pytest.raises(CorruptError):
        decode(words, table, 299, lanes=2)
    with pytest.raises(CorruptError):
        bytes_to_words(b"abc")


def test_bad_arguments():
    with pytest.raises(ValueError):
        RansTable([3, 5], 4)
    with pytest.raises(ValueError):
        RansTable([3, 5], 25)
    table = RansTable([0, 16], 4)
    for symbols in ([2], [-1], [0], [0.5]):
        with pytest.raises(ValueError):
            encode_reverse(symbols, table)
    for lanes in (0, 65):
        with pytest.raises(ValueError):
            encode_reverse([1], table, lanes=lanes)
        with pytest.raises(ValueError):
            decode(np.array([8, 1], np.uint32), table, 1, lanes=lanes)
        with pytest.raises(ValueError):
            RansDecoder(np.array([8, 1], np.uint32), 4, lanes=lanes)
    words = encode_reverse([1], table)
    for bad in (words.astype(np.int64), words.astype(float), words[None, :]):
        with pytest.raises(ValueError):
            decode(bad, table, 1)
    with pytest.raises(ValueError):
        decode(words, table, -1)
    huge = 1 << 62  # start + freq would wrap around to a negative number
    for starts, freqs in (([huge], [huge]), ([0], [0]), ([-1], [2]), ([8], [9]), ([0.5], [1]), ([0, 0], [1])):
        with pytest.raises(ValueError):
            encode_reverse_family(starts, freqs, 4)
    for cdfs in ([0, 16], [[0]], [[0, 15]], [[1, 16]], [[0, 9, 8, 16]], [[0, 17, 16]], [[0.0, 16.0]]):
        with pytest.raises(ValueError):
            decode_family(words, cdfs, 4)
    for precision in (0, 25):
        with pytest.raises(ValueError):
            encode_reverse_family([0], [1], precision)
        with pytest.raises(ValueError):
            decode_family(words, [[0, 16]], precision)
        with pytest.raises(ValueError):
            RansDecoder(words, precision)
    with pytest.raises(ValueError):
        RansDecoder(words, 4).advance(0, 0)
