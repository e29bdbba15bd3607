"""The other loops of the engine `pcm`: bytes around samples, and what floats hold beyond integers."""

from __future__ import annotations

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64, width
from nzip.entropy.jit import bare, inlined
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import learn
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.vectors import mix8, train8
from nzip.models.pcm.layout import BIAS, BYTE_BITS, BYTE_LIMIT, BYTE_ORDERS, BYTE_RATE, LANES, REST_LIMIT


@bare
def code_bytes(
    decode: bool,
    data: Array,  # uint8: the bytes, behind `first` that are known
    first: int, coded: Array, coder: Array, mixer: Array, cells: Array, squash: Array, stretch: Array, rates: Array,
) -> None:  # fmt: skip
    """Code bytes by the 0 to 4 bytes before each, learning from those that are known."""
    inputs = zeros(LANES, i32)
    places = zeros(BYTE_ORDERS, i64)
    values = zeros(LANES, i64)
    low, high, window, at = taken(coder)
    last = u64(0)
    for k in range(i64(data.shape[0])):
        byte = i64(data[u64(k)])
        node = i64(1)
        for bit in range(7, -1, -1):
            for j in range(BYTE_ORDERS):
                seen = last & ((u64(1) << u64(8 * j)) - u64(1))
                key = u64(u64(seen + u64(j)) * u64(0x9E3779B97F4A7C15)) ^ u64(node)
                key = u64(key * u64(0xD6E8FEB86659FD93)) >> u64(64 - BYTE_BITS)
                places[u64(j)] = i64(key) + (j << BYTE_BITS)
                values[u64(j)] = i64(stretch[u64(u32(cells[u64(places[u64(j)])]) >> u32(20))])
            o = i64(7 - bit) * LANES
            mixed = i64(
                mix8(
                    inputs, mixer, i64(0), o, i32(values[0]), i32(values[1]), i32(values[2]), i32(values[3]),
                    i32(values[4]), i32(BIAS), i32(0), i32(0),
                )
            )  # fmt: skip
            p = max(squashed(bounded(mixed >> i64(8)), squash), i64(1))
            y = (byte >> bit) & 1
            if k >= first:
                if decode:
                    y, low, high, window, at = decode_step(low, high, window, at, coded, p)
                else:
                    low, high, at = encode_step(low, high, at, coded, y, p)
            train8(inputs, mixer, i64(0), o, i32(error_of(y, p, i64(BYTE_RATE))))
            for j in range(BYTE_ORDERS):
                learn(cells, i64(places[u64(j)]), y * 4194303, i64(BYTE_LIMIT), rates)
            node = node * 2 + y
        if decode and k >= first:
            data[u64(k)] = u8(node)
        last = u64(u64(last << u64(8)) | u64(node & 255))
    put_back(coder, low, high, window, at)


@inlined
def code_cell(
    decode: bool, y: int, cells: Array, cell: int, coded: Array, low: int, high: int, window: int, at: int,
    rates: Array,
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """Code a bit by one adaptive probability; return it, and the coder."""
    p = max(i64(u32(cells[u64(cell)]) >> u32(16)), i64(1))
    if decode:
        y, low, high, window, at = decode_step(low, high, window, at, coded, p)
    else:
        low, high, at = encode_step(low, high, at, coded, y, p)
    learn(cells, cell, y * 4194303, i64(REST_LIMIT), rates)
    return y, low, high, window, at


@inlined
def code_raw(
    decode: bool, word: int, count: int, coded: Array, low: int, high: int, window: int, at: int
) -> tuple[int, int, int, int, int]:
    """Code the lowest `count` bits of `word` as they are, the highest first; return them, and the coder."""
    bits = i64(0)
    left = i64(count)
    while left > 0:
        left -= 1
        y = (word >> left) & 1
        if decode:
            y, low, high, window, at = decode_step(low, high, window, at, coded, i64(32768))
        else:
            low, high, at = encode_step(low, high, at, coded, y, i64(32768))
        bits |= y << left
    return bits, low, high, window, at


@bare
def code_floats(
    decode: bool,
    bits: Array,  # uint32: the floats, in the order of `samples`
    samples: Array,  # int32: each cut to a multiple of 2^exponent
    exponent: int,
    exact: bool,  # whether they are nothing but that
    coded: Array, coder: Array, cells: Array, rates: Array,
) -> None:  # fmt: skip
    """Code what floats hold beyond the integers they were cut to.

    A float that was cut to 0 is coded whole: its exponent, its sign and the rest. One of 24 digits or fewer is known
    but for the digits that were cut off.
    """
    low, high, window, at = taken(coder)
    last = i64(0)
    for k in range(i64(samples.shape[0])):
        value = i64(samples[u64(k)])
        word = i64(bits[u64(k)]) if not decode else i64(0)
        digits = width(abs(value))
        if digits == 0:
            if exact:
                rest = i64(0)
            else:
                node = i64(1)
                for bit in range(7, -1, -1):
                    y = (word >> (23 + bit)) & 1
                    y, low, high, window, at = code_cell(
                        decode, y, cells, node, coded, low, high, window, at, rates
                    )  # fmt: skip
                    node = node * 2 + y
                rest = (node & 255) << 23
                y = word >> 31
                y, low, high, window, at = code_cell(
                    decode, y, cells, i64(256), coded, low, high, window, at, rates
                )  # fmt: skip
                rest |= y << 31
                y = i64(word & 0x7FFFFF != 0)
                y, low, high, window, at = code_cell(
                    decode, y, cells, i64(257), coded, low, high, window, at, rates
                )  # fmt: skip
                raw, low, high, window, at = code_raw(decode, word, 23 * y, coded, low, high, window, at)
                rest |= raw
        else:
            left = 24 - digits
            rest = (i64(value < 0) << 31) | (((digits + exponent + 126) & 255) << 23)
            rest |= (abs(value) << left) & 0x7FFFFF
            if not exact and left > 0:
                y = i64(word & ((1 << left) - 1) != 0)
                y, low, high, window, at = code_cell(
                    decode, y, cells, 512 + left * 2 + last, coded, low, high, window, at, rates
                )  # fmt: skip
                last = y
                raw, low, high, window, at = code_raw(decode, word, left * y, coded, low, high, window, at)
                rest |= raw
        if decode:
            bits[u64(k)] = u32(rest)
    put_back(coder, low, high, window, at)
