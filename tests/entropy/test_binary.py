"""The binary arithmetic coder: equal to the reference, exact at the extremes, calm on damaged data."""

import constriction
import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.entropy import BinaryDecoder, BinaryEncoder, decode_bits, encode_bits
from nzip.errors import CorruptError

STREAMS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 65535) | st.sampled_from([1, 2, 65534, 65535])))


def split(pairs):
    return [b for b, _ in pairs], [p for _, p in pairs]


@given(STREAMS)
def test_equals_the_reference_and_comes_back(pairs):
    bits, probs = split(pairs)
    data = encode_bits(bits, probs)
    assert data == naive.binary_code(bits, probs)
    assert decode_bits(data, probs).tolist() == bits


@given(STREAMS)
def test_bit_by_bit_writes_the_same(pairs):
    bits, probs = split(pairs)
    encoder = BinaryEncoder()
    for bit, prob in pairs:
        encoder.encode(bit, prob)
    data = encoder.finish()
    assert data == encode_bits(bits, probs)
    decoder = BinaryDecoder(data)
    assert [decoder.decode(prob) for prob in probs] == bits
    decoder.finish()


def test_golden_bytes():
    assert encode_bits([1, 0, 1, 1], [40000] * 4).hex() == "8a"
    bits = [int(b) for b in f"{0x123456789ABCDEF0FEDCBA9876543210:0128b}"]
    probs = [1 + (977 * k * k + 12345) % 65535 for k in range(128)]
    assert encode_bits(bits, probs).hex() == naive.binary_code(bits, probs).hex()


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("prob", [1, 65535])
def test_extreme_probabilities(bit, prob):
    bits, probs = [bit] * 500, [prob] * 500
    data = encode_bits(bits, probs)
    assert decode_bits(data, probs).tolist() == bits
    likely = prob / 65536 if bit else 1 - prob / 65536
    assert len(data) <= 500 * -np.log2(likely) / 8 + 2


def test_carry_through_a_run_of_ff():
    """Bits that keep low just under a byte border, then one that pushes it over."""
    found = 0
    for first in range(1, 400):
        bits, probs = [0] + [1] * 60 + [0], [65535 - first] + [32768] * 60 + [1]
        bits = [0, *([0] * 40), 1, 0]
        probs = [first * 160, *([1] * 40), 65535, 1]
        data = encode_bits(bits, probs)
        found += b"\xff\xff" in naive.binary_code(bits[:-1], probs[:-1])
        assert data == naive.binary_code(bits, probs)
        assert decode_bits(data, probs).tolist() == bits


def test_size_is_near_the_ideal_and_constrictions():
    rng = np.random.default_rng(7)
    probs = rng.integers(200, 65336, 20000)
    bits = (rng.random(20000) < probs / 65536).astype(np.uint8)
    data = encode_bits(bits, probs)
    ideal = -np.log2(np.where(bits == 1, probs, 65536 - probs) / 65536).sum() / 8
    assert ideal <= len(data) <= ideal * 1.0002 + 2
    table = np.stack([1 - probs / 65536, probs / 65536], axis=1)
    coder = constriction.stream.queue.RangeEncoder()
    coder.encode(bits.astype(np.int32), constriction.stream.model.Categorical(perfect=False), table)
    words = coder.get_compressed()
    assert len(data) <= len(words) * 4 + 4
    decoder = constriction.stream.queue.RangeDecoder(words)
    theirs = decoder.decode(constriction.stream.model.Categorical(perfect=False), table)
    assert (decode_bits(data, probs) == theirs).all()


@given(STREAMS.filter(bool), st.data())
def test_damage_is_found_or_gives_bits(pairs, draw):
    bits, probs = split(pairs)
    data = bytearray(encode_bits(bits, probs))
    if data:
        data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        assert len(decode_bits(bytes(data), probs)) == len(bits)
    except CorruptError:
        pass


def test_missing_and_left_over_bytes():
    probs = [32768] * 400
    data = encode_bits([k % 3 == 0 for k in range(400)], probs)
    for bad in (data[:-2], data[:10], b"", data + b"\0\0"):
        with pytest.raises(CorruptError):
            decode_bits(bad, probs)


def test_bad_arguments():
    for bits, probs in (([0], [0]), ([0], [65536]), ([2], [5]), ([0, 1], [5]), ([0], [0.5])):
        with pytest.raises(ValueError):
            encode_bits(bits, probs)
    encoder = BinaryEncoder()
    encoder.finish()
    with pytest.raises(ValueError):
        encoder.encode(1, 5)
