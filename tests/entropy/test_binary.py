"""The binary arithmetic coder: equal to the reference, exact at the extremes, calm on damaged data."""

import contextlib

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
    assert decode_one_by_one(data, probs) == bits


def test_golden_bytes():
    assert encode_bits([1, 0, 1, 1], [40000] * 4).hex() == "60"  # in [0.3725, 0.4612)
    bits = [int(b) for b in f"{0x123456789ABCDEF0FEDCBA9876543210:0128b}"]
    probs = [1 + (977 * k * k + 12345) % 65535 for k in range(128)]
    data = encode_bits(bits, probs)
    assert data.hex() == "a8b8382db2e3ca1faf71fb22aeed09502109e066"
    assert decode_bits(data, probs).tolist() == bits
    assert encode_bits([], []) == b""
    assert encode_bits([1] * 9, [65535] * 9) == b""  # the number 0 needs no byte
    assert encode_bits([0, 0], [1, 65535]).hex() == "ffff01"


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("prob", [1, 65535])
def test_extreme_probabilities(bit, prob):
    bits, probs = [bit] * 500, [prob] * 500
    data = encode_bits(bits, probs)
    assert decode_bits(data, probs).tolist() == bits
    likely = prob / 65536 if bit else 1 - prob / 65536
    assert len(data) <= 500 * -np.log2(likely) / 8 + 2


def test_bounds_on_either_side_of_a_border():
    """While 2^31 lies between the bounds no byte leaves; then all four leave at once, which is the most."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        bits, probs, coder = [], [], naive.BinaryCoder()
        while coder.high - coder.low > 1:
            prob = int(rng.integers(1, 65536))
            middle = coder.low + ((coder.high - coder.low) * prob >> 16)
            if middle != (1 << 31) - 1:  # else the border would lie between the parts
                probs.append(prob)
                bits.append(coder.code(prob, int(middle >= 1 << 31)))
        assert coder.out == b""
        bits.append(coder.code(1, 1))
        probs.append(1)
        assert coder.out == b"\x7f\xff\xff\xff"
        data = encode_bits(bits, probs)
        assert data == bytes(coder.out) == naive.binary_code(bits, probs)
        assert decode_bits(data, probs).tolist() == bits


def test_size_is_near_the_ideal_and_constrictions():
    rng = np.random.default_rng(7)
    probs = rng.integers(200, 65336, 20000)
    bits = (rng.random(20000) < probs / 65536).astype(np.uint8)
    data = encode_bits(bits, probs)
    ideal = -np.log2(np.where(bits == 1, probs, 65536 - probs) / 65536).sum() / 8
    # The last byte holds up to 8 bits, and may be left out where the range allows it.
    assert ideal * 0.9999 - 1 <= len(data) <= ideal * 1.0001 + 1
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
    for bad in (bytes(data), bytes(data[: draw.draw(st.integers(0, len(data)))])):
        with contextlib.suppress(CorruptError):
            found = decode_bits(bad, probs)
            assert found.shape == (len(bits),)
            assert found.max() <= 1


def decode_one_by_one(data, probs):
    decoder = BinaryDecoder(data)
    bits = [decoder.decode(prob) for prob in probs]
    decoder.finish()
    return bits


def test_missing_and_left_over_bytes():
    probs = [32768] * 400
    data = encode_bits([k % 3 == 0 for k in range(400)], probs)
    for bad in (data[:-2], data[:10], b"", data + b"\0\0"):
        with pytest.raises(CorruptError):
            decode_bits(bad, probs)
        with pytest.raises(CorruptError):
            decode_one_by_one(bad, probs)
    assert len(decode_bits(data, probs)) == 400
    with pytest.raises(CorruptError):
        decode_bits(b"\x60\0", [40000] * 4)  # one byte too many where the end took one


def test_no_bit_comes_from_far_behind_the_end():
    decoder = BinaryDecoder(b"")
    assert decoder.decode(65535) == 1
    assert decoder.overread == 4
    with pytest.raises(CorruptError, match="truncated"):
        decoder.decode(1)  # two bytes leave the coder, and two more are read


def test_bad_arguments():
    for bits, probs in (([0], [0]), ([0], [65536]), ([2], [5]), ([0, 1], [5]), ([0], [0.5])):
        with pytest.raises(ValueError):
            encode_bits(bits, probs)
    encoder = BinaryEncoder()
    for bit, prob in ((2, 5), (0, 0), (0, 65536)):
        with pytest.raises(ValueError):
            encoder.encode(bit, prob)
    encoder.finish()
    with pytest.raises(ValueError):
        encoder.encode(1, 5)
    with pytest.raises(ValueError):
        encoder.finish()
    with pytest.raises(ValueError):
        BinaryDecoder(b"").decode(0)
    with pytest.raises(ValueError):
        decode_bits(b"", [0])
