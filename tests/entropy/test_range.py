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
from nzip.entropy.range import decode_start, decode_target, encode_step
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
    assert encode_symbols([0, 1, 2, 2, 1, 0] * 4, [3, 5, 8]).hex() == "14f89ba032"
    stream = [(k * k % (3 * k + 1), 1, 3 * k + 1) for k in range(40)]
    data = encode_intervals(*zip(*stream, strict=True))
    assert data.hex() == "6d0df6699b9c10c0b4ec7d03f0d1577c1a39412855bfe08a95f7205a"
    symbols = [k * k % 11 for k in range(60)]
    assert encode_adaptive(symbols, 11).hex() == "125bba0b1822861af2b6b168902686b8dd8cd77c025565"
    assert encode_adaptive([], 11) == b""


def test_carry_through_a_run_of_ff():
    """Intervals that close in on 1/2 from below, so that 7f ff ff ... is written, then one that starts above 1/2."""
    rng = np.random.default_rng(1)
    longest = 0
    for _ in range(30):
        stream = []
        decoder = RangeDecoder(b"\x80" + bytes(2000))
        while len(stream) < 100:
            total = int(rng.integers(2, 1 << int(rng.integers(2, 25))))
            target = decoder.target(total)
            start = int(rng.integers(0, target + 1))
            stream.append((start, int(rng.integers(target + 1, total + 1)) - start, total))
            decoder.advance(*stream[-1])
        total = 1 << 24
        above = min(decoder.target(total) + 1, total - 1)
        stream.append((above, total - above, total))
        out = np.zeros(3 * len(stream) + 6, np.uint8)
        low, size, pos = np.uint64(0), np.uint64((1 << 48) - 1), 0
        for interval in stream:
            before = out[:pos].tobytes()
            low, size, pos = encode_step(low, size, pos, out, *map(np.uint64, interval))
        run = len(before) - 1
        assert before == b"\x7f" + b"\xff" * run
        assert out[: run + 1].tobytes() == b"\x80" + bytes(run)
        longest = max(longest, run)
        data = encode_intervals(*zip(*stream, strict=True))
        assert data == naive.range_code(stream)
        decoder = RangeDecoder(data)
        for start, freq, total in stream:
            assert start <= decoder.target(total) < start + freq
            decoder.advance(start, freq, total)
        decoder.finish()
    assert longest >= 15


def test_the_rarest_symbol_of_2_to_the_24():
    """The last interval takes what a division of the range leaves over, where a target would lie past the total."""
    freqs = [(1 << 24) - 1, 1]
    assert RangeDecoder(b"\xff\xff\xff\xff\xff\xfe").target(1 << 24) == (1 << 24) - 1
    size = np.uint64((1 << 48) - 1)
    assert decode_target(size - np.uint64(1), size, np.uint64(1 << 24)) == (1 << 24) - 1
    for symbols in ([1] * 50, [0] * 5000, [0, 1] * 30):
        data = encode_symbols(symbols, freqs)
        assert data == naive.range_code([(freqs[0] * s, freqs[s], 1 << 24) for s in symbols])
        assert decode_symbols(data, freqs, len(symbols)).tolist() == symbols
        assert len(data) * 8 <= code_length_bits(symbols, freqs) + 16


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


def both_ways(count):
    """Return decoders of `count` symbols of an alphabet of 10."""
    return lambda data: decode_adaptive(data, 10, count), lambda data: decode_symbols(data, [1] * 10, count)


@given(st.lists(st.integers(0, 9), min_size=5, max_size=80), st.data())
def test_damage_is_found_or_gives_symbols(symbols, draw):
    data = bytearray(encode_adaptive(symbols, 10))
    if data:  # the first interval needs none: symbols that are all 0 are few bytes or no byte
        data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    for bad in (bytes(data), bytes(data[:3]), b""):
        for read in both_ways(len(symbols)):
            try:
                found = read(bad)
            except CorruptError:
                continue
            assert found.size == len(symbols)
            assert found.min() >= 0
            assert found.max() < 10


def test_a_number_above_the_range_is_refused():
    """Six bytes of 255 are no place of the first range; they would leave the decoder outside its range for ever."""
    for data in (b"\xff" * 6, b"\xff" * 100):
        for read in both_ways(2 * len(data)):
            with pytest.raises(CorruptError):
                read(data)
        with pytest.raises(CorruptError):
            RangeDecoder(data)
    code, size, _ = decode_start(np.full(6, 255, np.uint8))
    assert code < size


def decode_one_by_one(data, count):
    """Decode symbols of four of equal frequency."""
    decoder, found = RangeDecoder(data), []
    for _ in range(count):
        found.append(decoder.target(4))
        decoder.advance(found[-1], 1, 4)
    decoder.finish()
    return found


def test_missing_and_left_over_bytes():
    data = encode_symbols([1, 2, 3] * 50, [1] * 4)
    for bad in (data[:-2], b"", data + b"\0\0"):
        with pytest.raises(CorruptError):
            decode_symbols(bad, [1] * 4, 150)
        with pytest.raises(CorruptError):
            decode_one_by_one(bad, 150)
    assert decode_one_by_one(data, 150) == [1, 2, 3] * 50
    data = encode_adaptive([1, 2, 3] * 50, 4)
    for bad in (data[:-2], data[:10], data + b"\0\0"):
        with pytest.raises(CorruptError):
            decode_adaptive(bad, 4, 150)


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
    huge = 1 << 62  # start + freq would wrap around to a negative number
    for starts, freqs, totals in (
        ([huge], [huge], 5),
        ([0.5], [1], 5),
        ([0], [1], 5.5),
        ([0, 0], [1, 1], [5]),
        ([0], [1, 1], 5),
    ):
        with pytest.raises(ValueError):
            encode_intervals(starts, freqs, totals)
    for freqs in ([], [0, 0], [-1, 2], [0.5], [(1 << 24) + 1], np.array([1 << 63, 1 << 63, 1], np.uint64)):
        with pytest.raises(ValueError):
            encode_symbols([0], freqs)
        with pytest.raises(ValueError):
            decode_symbols(b"", freqs, 1)
    for count in (-1, -(1 << 40)):
        with pytest.raises(ValueError):
            decode_symbols(b"", [1, 1], count)
        with pytest.raises(ValueError):
            decode_adaptive(b"", 2, count)
    with pytest.raises(ValueError):
        encode_adaptive([[0]], 5)
    model = AdaptiveModel(5)
    for call in (model.interval, model.learn, model.find):
        for value in (-1, 5):
            with pytest.raises(ValueError):
                call(value)
    encoder = RangeEncoder()
    encoder.finish()
    with pytest.raises(ValueError):
        encoder.encode(0, 1, 2)
    with pytest.raises(ValueError):
        encoder.finish()
    decoder = RangeDecoder(encode_symbols([1], [1, 1]))
    with pytest.raises(ValueError):
        decoder.advance(0, 1, 2)
