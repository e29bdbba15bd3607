"""All layers of the network for a batch of rows, as one of several threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nzip.entropy import jit
from nzip.models.lm.network import arithmetic
from nzip.models.lm.network.config import SINKS
from nzip.models.lm.network.numba_backend.intrinsics import (
    INT_LIMIT,
    LIMIT,
    add_narrow,
    add_wide,
    fetch,
    fetch_add,
    let_others,
    mix1x1,
    mix1x4,
    mix2x4,
    mix3x4,
    rint,
    store_narrow,
    store_scores,
    store_wide,
    tile1x1,
    tile1x2,
    tile2x1,
    tile2x2,
    tile3x1,
    tile4x1,
    tile4x2,
    tile8x2,
)  # fmt: skip

Array = Any
Number = Any  # of a kernel: numba has its own idea of its type
kernel: Any = jit.kernel  # numba types what it decorates in its own way
LANES = 16  # outputs, or tokens, of one register
PAIR = 2 * LANES  # outputs of a tile
NEVER = -3.0e38  # the score of a place that is not seen: its weight is 0

F127, TINY = np.float32(arithmetic.LEVELS), np.float32(arithmetic.TINY)
EXP_LAST = np.float32(arithmetic.EXP_SIZE - 1)
GATE_STEP, GATE_LAST = np.float32(arithmetic.GATE_STEP), np.float32(arithmetic.GATE_SIZE)
STEP = np.float32(arithmetic.STEP)
ONE = np.float32(1)
UNIT24 = np.float32(2.0**-24)
SHARE_ONE = np.float32(1 << arithmetic.SHARE_BITS)
VALUE_ONE = float(1 << arithmetic.VALUE_BITS)
SHARE_VALUE = 2.0 ** (arithmetic.SHARE_BITS + arithmetic.VALUE_BITS)
SQUARE_SHIFT = arithmetic.SQUARE_SHIFT
SQUARE_HALF = 1 << arithmetic.SQUARE_SHIFT >> 1
SQUARE_UNIT = 2.0 ** (2 * arithmetic.SQUARE_SHIFT - 2 * arithmetic.RESIDUAL_BITS)
RESIDUAL_UNIT = 2.0**-arithmetic.RESIDUAL_BITS
TOTAL, SPREAD_BITS = arithmetic.TOTAL, arithmetic.SPREAD_BITS


# ---- pieces of work --------------------------------------------------------------------------------------------------

# A phase is a number of pieces of work. Its counters, a cache line apart: pieces taken, pieces done.
TAKEN, DONE, COUNTERS = 0, 16, 32


@kernel
def take(sync: Array, phase: int) -> Number:
    """Return the number of a piece of the phase that is now this thread's; there may be no such piece."""
    return np.int64(fetch_add(sync, phase * COUNTERS + TAKEN, 1))


@kernel
def over(sync: Array, phase: int, pieces: int) -> bool:
    """Tell whether all pieces of the phase are done."""
    return fetch(sync, phase * COUNTERS + DONE) >= pieces


@kernel
def wait(sync: Array, phase: int, pieces: int) -> None:
    """Return when all pieces of the phase are done. Only a thread that holds one is waited for, so a thread that the
    system does not run, or that comes late, holds up nobody.
    """
    spins = 0
    while fetch(sync, phase * COUNTERS + DONE) < pieces:
        spins += 1
        if spins > 500:
            let_others()


# ---- steps -----------------------------------------------------------------------------------------------------------


@kernel
def absmax(x: Array, size: int) -> np.float32:
    """Return the largest magnitude of x[:size]; size is a multiple of 16."""
    top = np.zeros(16, np.float32)
    for i in range(0, size, 16):
        for j in range(16):
            v = abs(x[i + j])
            top[j] = v if v > top[j] else top[j]
    out = top[0]
    for j in range(1, 16):
        out = top[j] if top[j] > out else out
    return out


@kernel
def quantise(
    x: Array, size: int, levels: np.float32, high: Array, low: Array, sums: Array, row: int, rows: int
) -> np.float32:
    """Write a row as int8, or as two halves when there are more than 127 levels; return its scale."""
    top = absmax(x, size)
    top = top if top > TINY else TINY
    factor = levels / top
    if levels <= F127:
        total = np.int32(0)
        for i in range(size):
            q = np.int32(rint(x[i] * factor))
            high[i] = np.int8(q)
            total += q
        sums[row] = total
    else:
        above, below = np.int32(0), np.int32(0)
        for i in range(size):
            q = np.int32(rint(x[i] * factor))
            h = (q + np.int32(64)) >> np.int32(7)
            r = q - (h << np.int32(7))
            high[i] = np.int8(h)
            low[i] = np.int8(r)
            above += h
            below += r
        sums[row] = above
        sums[rows + row] = below
    return top / levels


@kernel
def normalise(residual: Array, gain: Array, eps: float, width: int, values: Array) -> np.float32:
    """Write the row times the gain to `values`; return the inverse root mean square."""
    squares = np.int64(0)
    for i in range(width):
        coarse = np.int64((residual[i] + np.int32(SQUARE_HALF)) >> np.int32(SQUARE_SHIFT))
        squares += coarse * coarse
        values[i] = np.float32(residual[i]) * gain[i]
    mean = np.float64(squares) / np.float64(width) * SQUARE_UNIT
    return np.float32(RESIDUAL_UNIT / math.sqrt(mean + eps))


# What a product does with its results.
STORE, ADD = range(2)


@kernel
def sums_of_tile(w: Array, at: int, k: int, x: Array, stride: int, rows: int, acc: Array) -> None:
    """Fill acc (rows, 32) with the raw sums of two blocks of outputs that start at w[at]."""
    k4 = k // 4
    r = 0
    while rows - r >= 8:
        tile8x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)
        r += 8
    if rows - r >= 4:
        tile4x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)
        r += 4
    if rows - r >= 2:
        tile2x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)
        r += 2
    if rows - r >= 1:
        tile1x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)


@kernel
def product(
    kind: int, w: Array, scales: Array, n: int, k: int, rows: int, wide: bool, x: Array, sums: Array, row_scale: Array,
    out: Array, residual: Array, sync: Array, phase: int, acc: Array,
) -> None:  # fmt: skip
    """Multiply rows by a matrix, taking pairs of blocks of outputs from the shared counter until none is left.

    Returns when all are done.
    """
    stride = x.shape[1]
    flat = x.reshape(-1)
    flat_acc, flat_out, flat_residual = acc.reshape(-1), out.reshape(-1), residual.reshape(-1)
    many = 2 * rows if wide else rows
    pairs = (n + PAIR - 1) // PAIR
    line, column = np.empty(PAIR, np.float32), np.empty(PAIR, np.float32)
    while True:
        pair = take(sync, phase)
        if pair >= pairs:
            break
        sums_of_tile(w, pair * PAIR * k, k, flat, stride, many, flat_acc)
        first = pair * PAIR
        count = min(PAIR, n - first)
        for j in range(PAIR):
            column[j] = scales[first + j]
        if count == PAIR:
            for r in range(rows):
                if wide:
                    bias = np.int32((sums[r] << np.int32(14)) + (sums[rows + r] << np.int32(7)))
                    if kind == ADD:
                        add_wide(flat_acc, r * PAIR, (rows + r) * PAIR, bias, row_scale[r], column, 0, flat_residual,
                                 r * residual.shape[1] + first)  # fmt: skip
                    else:
                        store_wide(flat_acc, r * PAIR, (rows + r) * PAIR, bias, row_scale[r], column, 0, flat_out,
                                   r * out.shape[1] + first)  # fmt: skip
                else:
                    bias = np.int32(sums[r] << np.int32(7))
                    if kind == ADD:
                        add_narrow(flat_acc, r * PAIR, 0, bias, row_scale[r], column, 0, flat_residual,
                                   r * residual.shape[1] + first)  # fmt: skip
                    else:
                        store_narrow(flat_acc, r * PAIR, 0, bias, row_scale[r], column, 0, flat_out,
                                     r * out.shape[1] + first)  # fmt: skip
            fetch_add(sync, phase * COUNTERS + DONE, 1)
            continue
        for r in range(rows):
            scale = row_scale[r]
            if wide:
                bias = (sums[r] << np.int32(14)) + (sums[rows + r] << np.int32(7))
                for j in range(PAIR):
                    total = (acc[r, j] << np.int32(7)) + acc[rows + r, j] - bias
                    line[j] = np.float32(np.int32(total)) * scale * column[j]
            else:
                bias = sums[r] << np.int32(7)
                for j in range(PAIR):
                    line[j] = np.float32(np.int32(acc[r, j] - bias)) * scale * column[j]
            if kind == ADD:
                to = residual[r, first : first + PAIR]
                for j in range(count):
                    v = line[j]
                    v = v if v > -LIMIT else -LIMIT
                    v = v if v < LIMIT else LIMIT
                    t = to[j] + np.int32(rint(v))
                    to[j] = min(max(t, np.int32(-INT_LIMIT)), np.int32(INT_LIMIT))
            else:
                put = out[r, first : first + PAIR]
                for j in range(count):
                    put[j] = line[j]
        fetch_add(sync, phase * COUNTERS + DONE, 1)
    wait(sync, phase, pairs)


@kernel
def gate(gates: Array, ups: Array, size: int, table: Array, out: Array) -> None:
    """Write SiLU(gates) * ups."""
    for i in range(size):
        t = gates[i] * GATE_STEP
        t = t if t > -GATE_LAST else -GATE_LAST
        t = t if t < GATE_LAST else GATE_LAST
        logistic = np.float32(table[np.uint32(np.int32(rint(t)) + np.int32(GATE_LAST))]) * UNIT24
        out[i] = gates[i] * logistic * ups[i]


@kernel
def rotate(x: Array, cos: Array, sin: Array, half: int, out: Array) -> None:
    """Turn a head."""
    for i in range(half):
        a, b = x[i], x[half + i]
        ac = a * cos[i]
        bs = b * sin[i]
        bc = b * cos[i]
        as_ = a * sin[i]
        out[i] = ac - bs
        out[half + i] = bc + as_


@kernel
def angle(table: Array, position: int, half: int, cos: Array, sin: Array) -> None:
    """Write cosines and sines of a position."""
    high, middle, low = position >> 16, (position >> 8) & 255, position & 255
    for i in range(half):
        c, s = table[2, high, 0, i], table[2, high, 1, i]
        c1, s1 = table[1, middle, 0, i], table[1, middle, 1, i]
        cc, ss, sc, cs = c * c1, s * s1, s * c1, c * s1
        c, s = cc - ss, sc + cs
        c1, s1 = table[0, low, 0, i], table[0, low, 1, i]
        cc, ss, sc, cs = c * c1, s * s1, s * c1, c * s1
        cos[i] = np.float32(cc - ss)
        sin[i] = np.float32(sc + cs)


@kernel
def slot(position: int, ring: int) -> int:
    """Return where a token's key and value stand."""
    return position if position < SINKS else SINKS + (position - SINKS) % ring


@kernel
def keep(
    keys: Array, key_scale: Array, values: Array, value_scale: Array, place: int,
    key: Array, value: Array, high: Array, none: Array, total: Array,
) -> None:  # fmt: skip
    """Store one head's key (turned) and value, at one place of one stream and layer."""
    dim = key.shape[0]
    key_scale[place] = quantise(key, dim, F127, high, none, total, 0, 1)
    block, lane = place // LANES, place % LANES
    for i in range(dim):
        keys[block, i // 4, lane, i % 4] = np.uint8(np.int32(high[i]) + np.int32(128))
    value_scale[place] = quantise(value, dim, F127, high, none, total, 0, 1)
    for i in range(dim):
        values[place, i] = high[i]


@kernel
def score(keys: Array, key_scale: Array, first: int, last: int, dim: int, q: Array, totals: Array, scales: Array,
          group: int, dots: Array, scores: Array) -> None:  # fmt: skip
    """Write scores (group, place), in table steps, of the blocks of places first..last-1."""
    flat, flat_q, flat_dots = keys.reshape(-1), q.reshape(-1), dots.reshape(-1)
    flat_scores, stride = scores.reshape(-1), scores.shape[1]
    for block in range(first, last):
        at = block * LANES * dim
        g = 0
        while group - g >= 4:
            tile4x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
            g += 4
        if group - g == 3:
            tile3x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
        elif group - g == 2:
            tile2x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
        elif group - g == 1:
            tile1x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
        place = block * LANES
        for g in range(group):
            bias = np.int32(totals[g] << np.int32(7))
            store_scores(flat_dots, g * LANES, 0, bias, scales[g], key_scale, place, flat_scores, g * stride + place)


@kernel
def shares(scores: Array, value_scale: Array, size: int, table: Array) -> np.float32:
    """Turn scores of `size` places (a multiple of 16) to integer weights, in place; return the output's scale."""
    out = scores
    tops = np.empty(16, np.float32)
    for j in range(16):
        tops[j] = scores[j]
    for i in range(16, size, 16):
        for j in range(16):
            v = scores[i + j]
            tops[j] = v if v > tops[j] else tops[j]
    top = tops[0]
    for j in range(1, 16):
        top = tops[j] if tops[j] > top else top
    whole = np.int64(0)
    for i in range(size):
        d = top - scores[i]
        d = d if d < EXP_LAST else EXP_LAST
        weight = table[np.uint32(np.int32(rint(d)))]
        whole += np.int64(weight)
        out[i] = np.float32(weight) * value_scale[i]
    most = absmax(out, size)
    most = most if most > TINY else TINY
    factor = SHARE_ONE / most
    total = np.int64(0)
    for i in range(size):
        share = rint(out[i] * factor)
        total += np.int64(np.int32(share))
        out[i] = share
    total = total if total > 1 else np.int64(1)
    factor = np.float32(VALUE_ONE / np.float64(total))
    for i in range(size):
        out[i] = rint(out[i] * factor)
    return np.float32(np.float64(most) * np.float64(total) / (np.float64(whole) * SHARE_VALUE))


@kernel
def weigh(weights: Array, values: Array, places: int, group: int, dim: int, total: Array) -> None:
    """Add up values (places, dim) by the weights (group, places) of heads: total (group, dim).

    All partial sums are integers below 2^24, so float32 holds them exactly in any order.
    """
    flat_w, flat_v, flat_t, stride = weights.reshape(-1), values.reshape(-1), total.reshape(-1), weights.shape[1]
    g = 0
    while g < group:
        many = min(3, group - g) if dim % 64 == 0 else 1
        w, t = flat_w[g * stride :], flat_t[g * dim :]
        if dim % 64:
            for i in range(0, dim, 16):
                mix1x1(w, stride, flat_v, i, dim, places, t, i, dim)
        else:
            for i in range(0, dim, 64):
                if many == 3:
                    mix3x4(w, stride, flat_v, i, dim, places, t, i, dim)
                elif many == 2:
                    mix2x4(w, stride, flat_v, i, dim, places, t, i, dim)
                else:
                    mix1x4(w, stride, flat_v, i, dim, places, t, i, dim)
        g += many


@kernel
def spread(row: Array, size: int, table: Array) -> None:
    """Turn logits in table steps to frequencies, in place: the same memory is float32, then int32."""
    ints = row.view(np.int32)
    top = row[0]
    for i in range(1, size):
        top = row[i] if row[i] > top else top
    first = 0
    while row[first] != top:
        first += 1
    whole = np.int64(0)
    for i in range(size):
        d = top - row[i]
        d = d if d < EXP_LAST else EXP_LAST
        weight = table[np.uint32(np.int32(rint(d)))]
        whole += np.int64(weight)
        ints[i] = weight
    factor = (np.int64(TOTAL - size) << np.int64(SPREAD_BITS)) // whole
    given = np.int64(0)
    for i in range(size):
        f = np.int64(1) + ((np.int64(ints[i]) * factor) >> np.int64(SPREAD_BITS))
        given += f
        ints[i] = np.int32(f)
    ints[first] += np.int32(TOTAL - given)


# Places in `sizes`.
(
    S_LAYERS, S_WIDTH, S_HEADS, S_KV, S_DIM, S_FFN, S_VOCAB, S_WINDOW, S_RING, S_ROWS, S_LOGITS,
) = range(11)  # fmt: skip
PHASES_PER_LAYER = 10


# ---- phases: rows, or heads of rows, that threads share --------------------------------------------------------------


@kernel
def next_row(own: bool, row: int, sync: Array, phase: int) -> Number:
    """Return the next row of a thread that prepares all rows for itself (`own`), or one that it has taken."""
    return row + 1 if own else take(sync, phase)


@kernel
def done(own: bool, sync: Array, phase: int) -> None:
    """Count a row, unless the thread prepared it for itself."""
    if not own:
        fetch_add(sync, phase * COUNTERS + DONE, 1)


@kernel
def embed(
    tokens: Array, embedding: Array, scales: Array, width: int, rows: int, residual: Array, sync: Array, phase: int
) -> None:
    """Begin the residual stream of each row."""
    while True:
        r = take(sync, phase)
        if r >= rows:
            break
        token = tokens[r]
        for i in range(width):
            v = rint(np.float32(embedding[token, i]) * scales[token])
            v = v if v > -LIMIT else -LIMIT
            v = v if v < LIMIT else LIMIT
            residual[r, i] = np.int32(v)
        fetch_add(sync, phase * COUNTERS + DONE, 1)
    wait(sync, phase, rows)


@kernel
def normalise_rows(
    own: bool, residual: Array, gain: Array, eps: float, width: int, level: np.float32, unit: np.float32, rows: int,
    x: Array, sums: Array, scale: Array, sync: Array, phase: int,
) -> None:  # fmt: skip
    """Quantise the normalised residual stream for a product; `unit` is a factor of its result."""
    line = np.empty(width, np.float32)
    r: Number = np.int64(-1)
    while True:
        r = next_row(own, r, sync, phase)
        if r >= rows:
            break
        inverse = normalise(residual[r], gain, eps, width, line)
        scale[r] = quantise(line, width, level, x[r], x[rows + r], sums, r, rows) * inverse * unit
        done(own, sync, phase)
    if not own:
        wait(sync, phase, rows)


@kernel
def quantise_heads(
    own: bool, heads: Array, size: int, level: np.float32, rows: int,
    x: Array, sums: Array, scale: Array, sync: Array, phase: int,
) -> None:  # fmt: skip
    """Quantise what attention gave for the product that brings the heads together."""
    r: Number = np.int64(-1)
    while True:
        r = next_row(own, r, sync, phase)
        if r >= rows:
            break
        scale[r] = quantise(heads[r], size, level, x[r], x[rows + r], sums, r, rows)
        done(own, sync, phase)
    if not own:
        wait(sync, phase, rows)


@kernel
def gate_rows(
    own: bool, wide_rows: Array, ffn: int, table: Array, level: np.float32, rows: int,
    x: Array, sums: Array, scale: Array, sync: Array, phase: int,
) -> None:  # fmt: skip
    """Quantise the gated feed-forward for the product that brings it back to the residual stream."""
    line = np.empty(ffn, np.float32)
    r: Number = np.int64(-1)
    while True:
        r = next_row(own, r, sync, phase)
        if r >= rows:
            break
        gate(wide_rows[r], wide_rows[r, ffn:], ffn, table, line)
        scale[r] = quantise(line, ffn, level, x[r], x[rows + r], sums, r, rows)
        done(own, sync, phase)
    if not own:
        wait(sync, phase, rows)


@kernel
def keep_rows(
    layer: int, sizes: Array, rope_table: Array, wide_rows: Array, streams: Array, positions: Array,
    keys: Array, key_scale: Array, values: Array, value_scale: Array, sync: Array, phase: int,
) -> None:  # fmt: skip
    """Keep the keys and values of all rows, before anyone looks."""
    rows, kv, dim = sizes[S_ROWS], sizes[S_KV], sizes[S_DIM]
    query, kv_width, half = sizes[S_HEADS] * dim, kv * dim, dim // 2
    cos, sin, turned = np.empty(half, np.float32), np.empty(half, np.float32), np.empty(dim, np.float32)
    high, none, one = np.empty(dim, np.int8), np.empty(1, np.int8), np.empty(1, np.int32)
    while True:
        r = take(sync, phase)
        if r >= rows:
            break
        place = slot(positions[r], sizes[S_RING])
        angle(rope_table, positions[r], half, cos, sin)
        for g in range(kv):
            at = query + g * dim
            rotate(wide_rows[r, at : at + dim], cos, sin, half, turned)
            at += kv_width
            keep(keys[streams[r], layer, g], key_scale[streams[r], layer, g],
                 values[streams[r], layer, g], value_scale[streams[r], layer, g], place,
                 turned, wide_rows[r, at : at + dim], high, none, one)  # fmt: skip
        fetch_add(sync, phase * COUNTERS + DONE, 1)
    wait(sync, phase, rows)


@kernel
def hide(points: Array, position: int, window: int, ring: int, size: int) -> None:
    """Take from `size` scores those of places that hold nothing, or nothing that the window still has."""
    newest: Number = position - SINKS  # in the ring, if it were endless
    oldest: Number
    for i in range(min(position + 1, SINKS), SINKS):
        points[i] = NEVER
    if newest >= 0:
        if newest < ring:
            oldest = max(np.int64(0), newest - (window - SINKS) + 1)
            for i in range(oldest):
                points[SINKS + i] = NEVER
            for i in range(newest + 1, size - SINKS):
                points[SINKS + i] = NEVER
        else:
            for i in range(ring - (window - SINKS)):
                points[SINKS + (newest + 1 + i) % ring] = NEVER


@kernel
def attend_rows(
    layer: int, sizes: Array, step: np.float32, rope_table: Array, exp_table: Array, wide_rows: Array,
    streams: Array, positions: Array, keys: Array, key_scale: Array, values: Array, value_scale: Array,
    points: Array, heads_out: Array, sync: Array, phase: int,
) -> None:  # fmt: skip
    """Let each row attend to its stream's past, one key head of one row at a time. points: workspace for scores."""
    rows, kv, dim, ring, window = sizes[S_ROWS], sizes[S_KV], sizes[S_DIM], sizes[S_RING], sizes[S_WINDOW]
    group, half = sizes[S_HEADS] // kv, dim // 2
    cos, sin = np.empty((2, half), np.float32), np.empty((2, half), np.float32)
    turned, none = np.empty(dim, np.float32), np.empty(1, np.int8)
    q_near, q_far = np.empty((group, dim), np.int8), np.empty((group, dim), np.int8)
    sum_near, sum_far = np.empty(group, np.int32), np.empty(group, np.int32)
    scale_near, scale_far = np.empty(group, np.float32), np.empty(group, np.float32)
    dots = np.empty((group, LANES), np.int32)
    mix, factors = np.empty((group, dim), np.float32), np.empty(group, np.float32)
    while True:
        item = take(sync, phase)
        if item >= rows * kv:
            break
        r, g = item // kv, item % kv
        stream, position = streams[r], np.int64(positions[r])
        far = position >= window  # the first tokens are then nearer than they were
        angle(rope_table, position, half, cos[0], sin[0])
        if far:
            angle(rope_table, window - 1, half, cos[1], sin[1])
        for h in range(group):
            at = (g * group + h) * dim
            rotate(wide_rows[r, at : at + dim], cos[0], sin[0], half, turned)
            scale_near[h] = quantise(turned, dim, F127, q_near[h], none, sum_near, h, 1) * step
            if far:
                rotate(wide_rows[r, at : at + dim], cos[1], sin[1], half, turned)
                scale_far[h] = quantise(turned, dim, F127, q_far[h], none, sum_far, h, 1) * step
        k, ks, v, vs = (
            keys[stream, layer, g], key_scale[stream, layer, g], values[stream, layer, g],
            value_scale[stream, layer, g],
        )  # fmt: skip
        behind = position + 1 - SINKS  # tokens of the ring, if it were endless
        used = 1 + (min(behind, ring) + LANES - 1) // LANES if behind > 0 else 1  # blocks
        if far:
            score(k, ks, 0, 1, dim, q_far, sum_far, scale_far, group, dots, points)
        else:
            score(k, ks, 0, 1, dim, q_near, sum_near, scale_near, group, dots, points)
        score(k, ks, 1, used, dim, q_near, sum_near, scale_near, group, dots, points)
        size = used * LANES
        for h in range(group):
            hide(points[h], position, window, ring, size)
            factors[h] = shares(points[h], vs, size, exp_table)
        weigh(points, v, size, group, dim, mix)
        for h in range(group):
            at = (g * group + h) * dim
            for i in range(dim):
                heads_out[r, at + i] = mix[h, i] * factors[h]
        fetch_add(sync, phase * COUNTERS + DONE, 1)
    wait(sync, phase, rows * kv)


@kernel
def predict(
    sizes: Array, level: np.float32, exp_table: Array, x: Array, result: Array, hidden: Array, sync: Array, phase: int
) -> None:
    """Make frequencies of logits, and tell what the head was multiplied by."""
    rows = sizes[S_ROWS]
    while True:
        r = take(sync, phase)
        if r >= rows:
            break
        if sizes[S_LOGITS] == 1:
            spread(result[r], sizes[S_VOCAB], exp_table)
        # Here and not where it is made: who has a piece of a phase cannot be late.
        if hidden.shape[0] > 0:
            for i in range(sizes[S_WIDTH]):
                if level > F127:
                    hidden[r, i] = np.int16((np.int32(x[r, i]) << np.int32(7)) + np.int32(x[rows + r, i]))
                else:
                    hidden[r, i] = np.int16(x[r, i])
        fetch_add(sync, phase * COUNTERS + DONE, 1)
    wait(sync, phase, rows)


# ---- the whole step --------------------------------------------------------------------------------------------------


@kernel
def forward(
    thread: int, sizes: Array, eps: float, levels: Array, step: np.float32,
    attention_gain: Array, qkv_w: Array, qkv_s: Array, out_w: Array, out_s: Array,
    ffn_gain: Array, gate_up_w: Array, gate_up_s: Array, down_w: Array, down_s: Array,
    final_gain: Array, head_w: Array, head_s: Array, embedding: Array, embedding_s: Array,
    exp_table: Array, gate_table: Array, rope_table: Array,
    keys: Array, key_scale: Array, values: Array, value_scale: Array,
    tokens: Array, streams: Array, positions: Array,
    residual: Array, inputs: Array, totals: Array, row_scale: Array, wide_rows: Array, heads_out: Array,
    accs: Array, scores: Array, sync: Array, result: Array, hidden: Array,
) -> None:  # fmt: skip
    """Run all layers for a batch of rows, as one of several threads.

    Args:
        thread: which one.
        levels: of the inputs of qkv, out, gate_up, down and head, float32 (5,).
        step: table steps per unit of a score.
        tokens, streams, positions: of the rows, int32; rows of one stream have positions that follow each other.
        inputs, totals, row_scale: quantised rows, by thread: (threads, 2 ROWS, K), (threads, 2 ROWS), (threads, ROWS).
        wide_rows: float32 (ROWS, widest), what a product wrote.
        heads_out: float32 (ROWS, query width).
        accs, scores: workspace by thread.
        sync: counters of the phases, zeros at the start.
        result: float32 (rows, vocab), which the frequencies replace, unless S_LOGITS is 2; not used when it is 0.
        hidden: int16 (rows, width), filled with what the head is multiplied by, or without rows.
    """
    width, dim, ffn, rows = sizes[S_WIDTH], sizes[S_DIM], sizes[S_FFN], sizes[S_ROWS]
    query, kv_width = sizes[S_HEADS] * dim, sizes[S_KV] * dim
    own = rows <= 2  # few rows: every thread prepares all of them for itself, and none waits
    mine = thread if own else 0
    x, sums, scale = inputs[mine], totals[mine], row_scale[mine]
    acc, points = accs[thread], scores[thread]
    embed(tokens, embedding, embedding_s, width, rows, residual, sync, 0)
    phase: Number = np.int64(1)
    for layer in range(sizes[S_LAYERS]):
        phase = np.int64(1 + layer * PHASES_PER_LAYER)
        if over(sync, phase + PHASES_PER_LAYER - 1, (width + PAIR - 1) // PAIR):
            continue  # this thread is late
        # A thread that prepares rows for itself alone may be late and read what others already replace; then it gets no
        # piece of the product that follows either.
        normalise_rows(own, residual, attention_gain[layer], eps, width, levels[0], ONE, rows, x, sums, scale, sync,
                       phase)  # fmt: skip
        product(STORE, qkv_w[layer], qkv_s[layer], query + 2 * kv_width, width, rows, levels[0] > F127, x, sums, scale,
                wide_rows, residual, sync, phase + 1, acc)  # fmt: skip
        keep_rows(layer, sizes, rope_table, wide_rows, streams, positions, keys, key_scale, values, value_scale, sync,
                  phase + 2)  # fmt: skip
        attend_rows(layer, sizes, step, rope_table, exp_table, wide_rows, streams, positions, keys, key_scale, values,
                    value_scale, points, heads_out, sync, phase + 3)  # fmt: skip
        quantise_heads(own, heads_out, query, levels[1], rows, x, sums, scale, sync, phase + 4)
        product(ADD, out_w[layer], out_s[layer], width, query, rows, levels[1] > F127, x, sums, scale, wide_rows,
                residual, sync, phase + 5, acc)  # fmt: skip
        normalise_rows(own, residual, ffn_gain[layer], eps, width, levels[2], ONE, rows, x, sums, scale, sync,
                       phase + 6)  # fmt: skip
        product(STORE, gate_up_w[layer], gate_up_s[layer], 2 * ffn, width, rows, levels[2] > F127, x, sums, scale,
                wide_rows, residual, sync, phase + 7, acc)  # fmt: skip
        gate_rows(own, wide_rows, ffn, gate_table, levels[3], rows, x, sums, scale, sync, phase + 8)
        product(ADD, down_w[layer], down_s[layer], width, ffn, rows, levels[3] > F127, x, sums, scale, wide_rows,
                residual, sync, phase + 9, acc)  # fmt: skip
    if sizes[S_LOGITS] > 0:
        phase = np.int64(1 + sizes[S_LAYERS] * PHASES_PER_LAYER)
        normalise_rows(own, residual, final_gain, eps, width, levels[4], STEP, rows, x, sums, scale, sync, phase)
        product(STORE, head_w, head_s, sizes[S_VOCAB], width, rows, levels[4] > F127, x, sums, scale, result,
                residual, sync, phase + 1, acc)  # fmt: skip
        predict(sizes, levels[4], exp_table, x, result, hidden, sync, phase + 2)
