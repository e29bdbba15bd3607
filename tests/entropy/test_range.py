"""The range coder and its adaptive model: equal to the reference, near the ideal size, calm on damaged data."""

import constriction
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.entropy import (
    AdaptiveModel,
    RangeDecoder,
    RangeEncoder,
    code_length_bits,
    decode_adaptive,
    decode_symbols,
    encode_adaptive,
    encode_intervals,
    encode_symbols,
    quantise_counts,
)
from nzip.errors import CorruptError


@st.composite
def triples(draw):
    found = []
    for _ in range(draw(st.integers(0, 60))):
        total = draw(st.integers(1, 1 << 24) | st.sampled_from([1, 2, 3, (1 << 24) - 1, 1 << 24]))
        freq = draw(st.integers(1, total) | st.just(1))
        found.append((draw(st.integers(0, total - freq) | st.just(total - freq)), freq, total))
    return found


@given(triples())
def test_equals_the_reference_and_comes_back(stream):
    starts, freqs, totals = zip(*stream, strict=True) if stream else ((), (), ())
    data = encode_intervals(starts, freqs, totals)
    assert data == naive.range_code(stream)
    encoder = RangeEncoder()
    for interval in stream:
        encoder.encode(*interval)
    assert encoder.finish() == data
    decoder = RangeDecoder(data)
    for start, freq, total in stream:
        assert start <= decoder.target(total) < start + freq
        decoder.advance(start, freq, total)
    decoder.finish()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50).filter(any), st.data())
def test_one_table(counts, draw):
    possible = [k for k, c in enumerate(counts) if c]
    symbols = draw.draw(st.lists(st.sampled_from(possible), max_size=80))
    data = encode_symbols(symbols, counts)
    assert decode_symbols(data, counts, len(symbols)).tolist() == symbols


@given(st.lists(st.integers(0, 19), max_size=300), st.sampled_from([20, 33, 256]))
def test_adaptive_equals_the_reference(symbols, alphabet):
    data = encode_adaptive(symbols, alphabet)
    assert data == naive.range_code(list(naive.adaptive_triples(symbols, alphabet, 32, 1 << 16)))
    assert decode_adaptive(data, alphabet, len(symbols)).tolist() == symbols


def test_adaptive_halves_and_still_comes_back():
    rng = np.random.default_rng(8)
    symbols = np.minimum(rng.geometric(0.1, 20_000) - 1, 99)
    data = encode_adaptive(symbols, 100)
    assert (decode_adaptive(data, 100, symbols.size) == symbols).all()
    counts = np.bincount(symbols, minlength=100) + 1
    assert len(data) * 8 <= code_length_bits(symbols, counts) * 1.02 + 16


def test_model_in_python_is_the_array_function():
    symbols = [3, 3, 1, 0, 3, 2] * 20
    model = AdaptiveModel(4, increment=32, limit=500)
    encoder = RangeEncoder()
    triples = list(naive.adaptive_triples(symbols, 4, 32, 500))
    for symbol, expected in zip(symbols, triples, strict=True):
        assert (*model.interval(symbol), model.total) == expected
        encoder.encode(*expected)
        model.learn(symbol)
    decoder, model = RangeDecoder(encoder.finish()), AdaptiveModel(4, increment=32, limit=500)
    for symbol in symbols:
        assert model.find(decoder.target(model.total)) == symbol
        decoder.advance(*model.interval(symbol), model.total)
        model.learn(symbol)
    decoder.finish()


def test_golden_bytes():
    assert encode_intervals([0, 3, 0], [3, 1, 3], 4).hex() == "90"
    assert encode_symbols([0, 1, 2, 2, 1, 0] * 4, [3, 5, 8]).hex() == naive.range_code(
        [((0, 3, 16), (3, 5, 16), (8, 8, 16))[s] for s in [0, 1, 2, 2, 1, 0] * 4]
    ).hex()


def test_carries():
    """Intervals at the top of the range keep low just under a border; the last one pushes it over."""
    for total in (3, 255, 257, 65537, 1 << 24):
        for run in (1, 5, 40):
            stream = [(total - 1, 1, total)] * run + [(total - 1, 1, total), (total // 2, 1, total)]
            starts, freqs, totals = zip(*stream, strict=True)
            assert encode_intervals(starts, freqs, totals) == naive.range_code(stream)


def test_size_is_near_the_ideal_and_constrictions():
    rng = np.random.default_rng(9)
    counts = rng.integers(1, 1000, 256)
    freqs = quantise_counts(counts, 20)
    symbols = rng.choice(256, 30_000, p=counts / counts.sum()).astype(np.int32)
    data = encode_symbols(symbols, freqs)
    assert len(data) * 8 <= code_length_bits(symbols, freqs) * 1.00002 + 16
    coder = constriction.stream.queue.RangeEncoder()
    model = constriction.stream.model.Categorical(freqs / (1 << 20), perfect=False)
    coder.encode(symbols, model)
    words = coder.get_compressed()
    assert len(data) <= words.size * 4 + 4
    theirs = constriction.stream.queue.RangeDecoder(words).decode(model, symbols.size)
    assert (decode_symbols(data, freqs, symbols.size) == theirs).all()


@given(st.lists(st.integers(0, 9), min_size=5, max_size=80), st.data())
def test_damage_is_found_or_gives_symbols(symbols, draw):
    data = bytearray(encode_adaptive(symbols, 10))
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    for bad in (bytes(data), bytes(data[:3]), b""):
        for read in (lambda b: decode_adaptive(b, 10, len(symbols)), lambda b: decode_symbols(b, [1] * 10, len(symbols))):
            try:
                found = read(bad)
            except CorruptError:
                continue
            assert found.size == len(symbols)
            assert found.min() >= 0
            assert found.max() < 10


def test_missing_and_left_over_bytes():
    data = encode_symbols([1, 2, 3] * 50, [1] * 4)
    for bad in (data[:-2], b"", data + b"\0\0"):
        with pytest.raises(CorruptError):
            decode_symbols(bad, [1] * 4, 150)


def test_bad_arguments():
    for interval in ((0, 0, 5), (5, 1, 5), (-1, 2, 5), (0, 1, 0), (0, 1, (1 << 24) + 1)):
        with pytest.raises(ValueError):
            RangeEncoder().encode(*interval)
        with pytest.raises(ValueError):
            encode_intervals([interval[0]], [interval[1]], interval[2])
    with pytest.raises(ValueError):
        encode_symbols([0], [0, 5])
    with pytest.raises(ValueError):
        encode_adaptive([5], 5)
    with pytest.raises(ValueError):
        AdaptiveModel(0)
    decoder = RangeDecoder(encode_symbols([1], [1, 1]))
    with pytest.raises(ValueError):
        decoder.advance(0, 1, 2)
