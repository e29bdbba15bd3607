"""The loop over the bytes around coefficients: headers, tables, what is no picture.

Orders 1, 2, 3, 4 and 6 in tables of cells, and the longest match before; one mixer. There are few such bytes, so this
is short rather than strong. docs/reference/JPEG.md is the specification.
"""

from __future__ import annotations

from nzip.entropy.binary import decode_step, encode_step, put_back, taken
from nzip.entropy.integers import Array, i32, i64, u8, u32, u64
from nzip.entropy.jit import bare
from nzip.entropy.stack import zeros
from nzip.models.cm.components.learners import adapted
from nzip.models.cm.components.mixer import bounded, error_of, squashed
from nzip.models.cm.components.vectors import mix8, train8
from nzip.models.cm.layout import BIAS, DECODE, ENCODE, HALF, K1, K3
from nzip.models.jpeg.bytes_layout import LEAST, LIMIT, MATCH_BITS, ORDERS, RATE, TABLE_BITS


@bare
def code(
    mode: int,  # ENCODE, DECODE or READ, as of `cm`
    first: int,  # where in `data` to begin; what is before was read
    data: Array,  # uint8: decoding fills it from `first` on
    coded: Array,  # uint8
    coder: Array,  # int64 (4,)
    cells: Array,  # uint32 (ORDERS << TABLE_BITS, then 64 of matches)
    places: Array,  # int64 (1 << MATCH_BITS,): where bytes were last, plus 1
    weights: Array,  # int32 (ROWS * 8,)
    squash: Array,  # uint16
    stretch: Array,  # int16 (4096,)
    rates: Array,  # int32 (1024,)
) -> None:
    """Code data[first:]. Places of bytes before `first` are known from earlier calls."""
    x = zeros(8, i32)
    spot = zeros(6, i64)
    low, high, window, at = taken(coder)
    shift = u64(64 - TABLE_BITS)
    pointer = i64(0)  # where the byte that is expected stands, plus 1
    length = i64(0)
    for p in range(first, i64(data.shape[0])):
        history = u64(0)
        for k in range(1, 7):
            history = u64(history << u64(8))
            if p - 7 + k >= 0:
                history = u64(history | u64(data[u64(p - 7 + k)]))
        if p >= LEAST:
            h = u64(u64((history & u64(0xFFFFFFFF)) * u64(K1)) >> u64(64 - MATCH_BITS))
            if length > 0 and data[u64(pointer - 1)] == data[u64(p - 1)]:
                length = min(length + 1, i64(31))
                pointer += 1
            else:
                length = i64(0)
                pointer = i64(places[h])
                while (
                    pointer > 0
                    and length < 31
                    and pointer - 1 - length > 0
                    and (data[u64(pointer - 2 - length)] == data[u64(p - 1 - length)])
                ):
                    length += 1
                if length < LEAST:
                    length = i64(0)
            places[h] = p + 1
        partial = i64(1)
        for bit in range(8):
            inputs = zero_inputs(x)
            for k in range(ORDERS):
                size = k + 1 if k < 4 else i64(6)
                known = u64(history & u64((u64(1) << u64(8 * size)) - u64(1)))
                t = u64(u64(known + u64(k << 56)) * u64(K1))
                t = u64(u64(u64(t ^ (t >> u64(29))) ^ u64(partial)) * u64(K3))
                cell = (k << TABLE_BITS) + i64(t >> shift)
                spot[u64(k)] = cell
                x[u64(k)] = stretch[u64(u32(cells[u64(cell)] ^ u32(HALF)) >> u32(20))]
            guess = i64(-1)
            spot[5] = (i64(ORDERS) << TABLE_BITS) + 32 + length
            if length > 0:
                expected = i64(data[u64(pointer - 1)]) | 256
                if expected >> (8 - bit) == partial:
                    guess = (expected >> (7 - bit)) & 1
                    strength = i64(stretch[u64(u32(cells[u64(spot[5])] ^ u32(HALF)) >> u32(20))])
                    x[5] = strength if guess > 0 else -strength
                else:
                    length = i64(0)
            row = ((length >> 1) * 8 + bit) * 8 + inputs
            total = i64(mix8(x, weights, i64(0), row, x[0], x[1], x[2], x[3], x[4], x[5], i32(BIAS), i32(0)))
            chance = squashed(bounded(total >> 8), squash)
            y = (i64(data[u64(p)]) >> (7 - bit)) & 1
            if mode == DECODE:
                y, low, high, window, at = decode_step(low, high, window, at, coded, chance)
            elif mode == ENCODE:
                low, high, at = encode_step(low, high, at, coded, y, chance)
            for k in range(ORDERS):
                cell = u64(spot[u64(k)])
                cells[cell] = u32(adapted(u32(cells[cell] ^ u32(HALF)), y * 4194303, i64(LIMIT), rates) ^ u32(HALF))
            if guess >= 0:
                cell = u64(spot[5])
                right = i64(guess == y) * 4194303
                cells[cell] = u32(adapted(u32(cells[cell] ^ u32(HALF)), right, i64(LIMIT), rates) ^ u32(HALF))
            train8(x, weights, i64(0), row, i32(error_of(y, chance, i64(RATE))))
            partial = partial * 2 + y
        if mode == DECODE:
            data[u64(p)] = u8(partial & 255)
        if mode == ENCODE and at > coded.shape[0]:
            break
    put_back(coder, low, high, window, at)


@bare
def zero_inputs(x: Array) -> int:
    """Let all inputs be zero; return 0."""
    for k in range(8):
        x[k] = 0
    return i64(0)
