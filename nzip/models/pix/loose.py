"""The loop of loose bytes: heads, tails and the filling of rows, by the last one and two bytes."""

from __future__ import annotations

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64
from nzip.entropy.jit import bare
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import count, counted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.vectors import dot8, train8

ENCODE, DECODE = 0, 1
BITS = 16  # log2 of the cells of a context
INPUTS = 8
RATE, LIMIT = 60, 250


@bare
def code(
    mode: int,
    data: Array,  # uint8: the bytes; decoding fills it
    cells: Array,  # uint32 (4 << BITS,): probability 22 bits, count 10 bits, each xor HALF
    weights: Array,  # int32 (256 * INPUTS,): 16 fractional bits
    coded: Array, coder: Array,
    squash: Array, stretch: Array, rates: Array,
) -> None:  # fmt: skip
    """Code bytes, each from its highest bit on."""
    low, high, window, at = taken(coder)
    x = zeros(INPUTS, i32)
    x[4] = i32(256)
    last = i64(0)
    for k in range(data.shape[0]):
        node = i64(1)
        byte = i64(data[u64(k)]) if mode == ENCODE else i64(0)
        third = ((last * 0x2F0B) >> 3) & 0xFFFF
        second = (((last & 0xFFFF) * 0x6F4F) >> 4) & 0xFFFF
        for shift in range(8):
            c0 = node
            c1 = (1 << BITS) + ((last & 255) << 8) + node
            c2 = (2 << BITS) + ((second ^ (node * 0x3D35)) & 0xFFFF)
            c3 = (3 << BITS) + ((third ^ (node * 0x3D35)) & 0xFFFF)
            x[0] = i32(stretch[u64(counted(cells, c0) >> u32(20))])
            x[1] = i32(stretch[u64(counted(cells, c1) >> u32(20))])
            x[2] = i32(stretch[u64(counted(cells, c2) >> u32(20))])
            x[3] = i32(stretch[u64(counted(cells, c3) >> u32(20))])
            row = node * INPUTS
            p = squashed(bounded(i64(dot8(x, weights, 0, row)) >> 8), squash)
            one = max(min(p, i64(65535)), i64(1))
            bit = (byte >> (7 - shift)) & 1
            if mode == DECODE:
                bit, low, high, window, at = decode_step(low, high, window, at, coded, one)
            else:
                low, high, at = encode_step(low, high, at, coded, bit, one)
            train8(x, weights, 0, row, i32(error_of(bit, p, i64(RATE))))
            target = bit * 4194303
            count(cells, c0, target, i64(LIMIT), rates)
            count(cells, c1, target, i64(LIMIT), rates)
            count(cells, c2, target, i64(LIMIT), rates)
            count(cells, c3, target, i64(LIMIT), rates)
            node = 2 * node + bit
        if mode == DECODE:
            data[u64(k)] = u8(node)
        last = ((last << 8) | (node & 255)) & 0xFFFFFF
    put_back(coder, low, high, window, at)
