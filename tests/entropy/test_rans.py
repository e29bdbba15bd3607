"""rANS: equal to the reference for any number of lanes, near the ideal size, calm on damaged words."""

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


@given(streams(), LANES)
def test_symbol_by_symbol(stream, lanes):
    symbols, freqs, precision = stream
    words = encode_reverse(symbols, RansTable(freqs, precision), lanes=lanes)
    cdf = freqs_to_cdf(freqs)
    decoder = RansDecoder(words, precision, lanes=lanes)
    for symbol in symbols:
        found = int(np.searchsorted(cdf, decoder.target(), side="right")) - 1
        assert found == symbol
        decoder.advance(int(cdf[symbol]), int(freqs[symbol]))
    decoder.finish()


def test_a_table_for_each_symbol():
    rng = np.random.default_rng(5)
    freqs = np.stack([quantise_counts(rng.integers(0, 50, 30) + (np.arange(30) == k % 30), 16) for k in range(200)])
    symbols = rng.integers(0, 30, 200)
    cdfs = freqs_to_cdf(freqs)
    rows = np.arange(200)
    for lanes in (1, 4, 64):
        words = encode_reverse_family(cdfs[rows, symbols], freqs[rows, symbols], 16, lanes=lanes)
        assert (decode_family(words, cdfs, 16, lanes=lanes) == symbols).all()


def test_golden_words():
    table = RansTable([3, 5, 8], 4)
    assert encode_reverse([0, 1, 2, 2, 1, 0] * 4, table).tolist() == naive.rans_words(
        [((0, 3), (3, 5), (8, 8))[s] for s in [0, 1, 2, 2, 1, 0] * 4], 4, 1
    )
    assert encode_reverse([2], table).tolist() == [8, 1]
    assert encode_reverse([], table, lanes=2).tolist() == [1 << 31, 0, 1 << 31, 0]


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
    assert (constriction.stream.stack.AnsCoder(theirs).decode(model, symbols.size) == decode(words, table, 30_000, lanes=4)).all()


@given(streams().filter(lambda s: len(s[0]) > 3), LANES, st.data())
def test_damage_never_goes_outside(stream, lanes, draw):
    symbols, freqs, precision = stream
    table = RansTable(freqs, precision)
    words = encode_reverse(symbols, table, lanes=lanes)
    damaged = words.copy()
    damaged[draw.draw(st.integers(0, words.size - 1))] ^= np.uint32(draw.draw(st.integers(1, 0xFFFFFFFF)))
    for bad in (damaged, words[: draw.draw(st.integers(0, words.size - 1))]):
        try:
            assert decode(bad, table, len(symbols), lanes=lanes).size == len(symbols)
        except CorruptError:
            pass


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
