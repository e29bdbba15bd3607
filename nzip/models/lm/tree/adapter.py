"""An adapter between a language model's last hidden state and its head, learned from the text that is coded.

Dynamic evaluation of the last layer (Krause et al., "Dynamic Evaluation of Transformer Language Models", 2019): a
matrix A, zero at first, moves the logit of token i by E_i . (A u), with E the head's rows and u what the hidden state
says. A follows the gradient of each token's cost. u is the hidden state less its mean, each channel by its own
deviation, as known so far: a step in u is then nearly as long in every direction.

The head itself is not computed again: tokens that the model gives 2^-13 or more are moved by what A says, the others
stay. So the model's rows come as before, and any number at a time.

Beside it stands a neural cache (Grave, Joulin and Usunier, "Improving Neural Language Models with a Continuous Cache",
2017): the last u are kept with the tokens that came after them, and what followed the ones most like this one is
blended in, as far as that has proved right before.

Invariants:
* All sums are of integers, and exact or modulo 2^32, so their order is free. Float steps are float64 quotients, square
  roots and products of single numbers, each rounded as IEEE 754 says, made to integers at once.
* What one stream learned the next one knows, as in `tree`, in whose kernel these parts are called.
docs/reference/LMTREE.md is the specification; tests/naive_tree.py says the same in plain Python.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import config

from nzip.entropy.integers import Array, i32, i64, u32, u64
from nzip.entropy.jit import kernel
from nzip.models.cm import tables as cm_tables

if TYPE_CHECKING or config.DISABLE_JIT:

    def wrapped(x: Any) -> int:
        return ((int(x) + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)

else:
    wrapped = i32

FEATURE = 1024.0  # the root mean square of a hidden state, before anything else
MEAN_BITS = 8  # fractional bits of means
PACE_FIRST, PACE_LAST = 20, 1020  # tokens that means are taken over, at first and at last
WHITE = 256.0  # the deviation of a channel
WHITE_MAX = 4095
LENGTH = 768.0  # of u
U_MAX = 127
Z_MAX = (1 << 14) - 1
A_SHIFT = 16  # of A, before it is multiplied with u
Z_SHIFT = 10  # of the sums
HEAD_BITS = 28  # fractional bits of the head's scales
GRAD_BITS = 22  # of the gradient
LIFT_SHIFT = HEAD_BITS + 14 - 8
LIFT_MAX = 1536  # most that a logit moves, in 1/256
LIFT_ONE = 20  # fractional bits of a factor
LEAST_BITS = 13  # tokens with 2^-13 or more are moved
FACTOR_MOST = 1 << 7  # of all factors together: the sum of a row stays in 32 bits
STEP_MAX = 1 << 23
ENTRIES = 1 << 13  # hidden states that are remembered
ALIKE = 768 * 768  # the product of a hidden state with itself
BUCKETS = 16  # of how alike the nearest is
SURE = 4  # classes of the model's first guess: half, a quarter, an eighth or less
TRUST_BITS = 22
TRUST_FIRST, TRUST_MAX = 1 << 16, 1 << 21
TRUST_COUNT, TRUST_LAST = 20, 400


@lru_cache(maxsize=1)
def lift_values() -> tuple[int, ...]:
    """Return round(2^20 exp(i / 256)) for i = -LIFT_MAX..LIFT_MAX."""
    one, step = 1 << cm_tables.SCALE, cm_tables.exp_step(256)
    out, power = [1 << LIFT_ONE], one
    down: list[int] = []
    for _ in range(LIFT_MAX):
        power = power * step >> cm_tables.SCALE
        out.append(((power >> (cm_tables.SCALE - 1 - LIFT_ONE)) + 1) >> 1)
        down.append((((one << (LIFT_ONE + 1)) // power) + 1) >> 1)
    return tuple(down[::-1]) + tuple(out)


@kernel
def feature(q: Array, mean: Array, square: Array, seen: int, x: Array, u: Array) -> None:
    """Fill u (int32) with what the hidden state q (int16) says; move the means."""
    width = q.shape[0]
    squares = i64(0)
    for k in range(width):
        squares += i64(q[u64(k)]) * i64(q[u64(k)])
    factor = FEATURE * math.sqrt(np.float64(width) / np.float64(max(squares, i64(1))))
    pace = i64(65536) // (min(seen, i64(PACE_LAST - PACE_FIRST)) + PACE_FIRST)
    squares = i64(0)
    for k in range(width):
        v = i64(np.rint(np.float64(q[u64(k)]) * factor))
        d = (v << MEAN_BITS) - i64(mean[u64(k)])
        s = i64(square[u64(k)])
        w = i64(np.rint(np.float64(d) * (WHITE / math.sqrt(np.float64(s)))))
        w = max(min(w, i64(WHITE_MAX)), i64(-WHITE_MAX))
        x[u64(k)] = w
        squares += w * w
        mean[u64(k)] = i64(mean[u64(k)]) + ((d * pace) >> 16)
        square[u64(k)] = max(s + (((d * d - s) >> 16) * pace), i64(1 << 16))
    factor = LENGTH / math.sqrt(np.float64(max(squares, i64(1))))
    for k in range(width):
        w = i64(np.rint(np.float64(x[u64(k)]) * factor))
        u[u64(k)] = max(min(w, i64(U_MAX)), i64(-U_MAX))


@kernel
def through(a: Array, u: Array, z: Array, sums: Array) -> None:
    """Fill z (int32) with A u."""
    width = u.shape[0]
    for j in range(width):
        sums[u64(j)] = 0
    for k in range(width):
        f = i32(u[u64(k)])
        if f != 0:
            line = a[u64(k)]
            for j in range(width):
                sums[j] = wrapped(i32(sums[j]) + wrapped(i32(i32(line[j]) >> i32(A_SHIFT)) * f))
    for j in range(width):
        z[u64(j)] = max(min(i32(sums[u64(j)]) >> i32(Z_SHIFT), i32(Z_MAX)), i32(-Z_MAX))


@kernel
def lift(
    row: Array, blocks: Array, size: int, total: int, head: Array, scales: Array, z: Array, exps: Array, given: Array,
    picked: Array, moved: Array,
) -> Any:  # fmt: skip
    """Move the frequencies in `row`; fill `picked` with the ranks of those moved and return their number."""
    width = z.shape[0]
    least = total >> LEAST_BITS
    count = i64(0)
    for b in range((size + 63) >> 6):
        if i64(blocks[u64(b + 1)]) - i64(blocks[u64(b)]) >= least:
            for i in range(b << 6, min((b << 6) + 64, size)):
                f = i64(row[u64(i)])
                if f >= least and count < picked.shape[0]:
                    line = head[u64(i)]
                    dot = i32(0)
                    for j in range(width):
                        dot = wrapped(dot + wrapped(i32(line[j]) * i32(z[j])))
                    move = (i64(dot) * i64(scales[u64(i)])) >> LIFT_SHIFT
                    move = max(min(move, i64(LIFT_MAX)), i64(-LIFT_MAX))
                    f = (f * i64(exps[u64(move + LIFT_MAX)])) >> LIFT_ONE
                    f = max(min(f, i64(given[u64(i)]) * FACTOR_MOST), i64(1))
                    row[u64(i)] = f
                    picked[u64(count)] = i
                    moved[u64(count)] = f
                    count += 1
    return count


@kernel
def learn(
    a: Array, u: Array, moved: Array, total: int, picked: Array, count: int, rank: int, head: Array, scales: Array,
    rate: int, e: Array,
) -> None:  # fmt: skip
    """Move A along the gradient of the cost of the token `rank`."""
    width = u.shape[0]
    for j in range(width):
        e[u64(j)] = 0
    for n in range(-1, count):
        i = rank if n < 0 else i64(picked[u64(n)])
        g = i64(65536) if n < 0 else -((i64(moved[u64(n)]) << 16) // total)
        if g > -8 and g < 8:
            continue
        w = wrapped((g * i64(scales[u64(i)])) >> (16 + HEAD_BITS - GRAD_BITS))
        line = head[u64(i)]
        for j in range(width):
            e[j] = wrapped(i32(e[j]) + wrapped(w * i32(line[j])))
    for j in range(width):
        s = (i64(e[u64(j)]) * rate) >> 16
        e[u64(j)] = max(min(s, i64(STEP_MAX)), i64(-STEP_MAX))
    for k in range(width):
        f = i32(u[u64(k)])
        if f != 0:
            line = a[u64(k)]
            for j in range(width):
                line[j] = wrapped(i32(line[j]) + wrapped(i32(e[j]) * f))


@kernel
def recall(
    u: Array, keys: Array, after: Array, count: int, short: Array, scores: Array, exps: Array, mass: Array,
    touched: Array, row: Array, total: int, most: int, sharp: int, trust: Array,
) -> Any:  # fmt: skip
    """Add to `row` what followed hidden states like u; return how many ranks, and the number of the trust taken.

    `mass` (zeros) is filled with what each of the `touched` ranks got, `short` with u as int8: of two such rows the
    compiler makes a quick product.
    """
    width = u.shape[0]
    for j in range(width):
        short[u64(j)] = u[u64(j)]
    entries = min(count, keys.shape[0])
    best = i32(-(1 << 30))
    for n in range(entries):
        line = keys[u64(n)]
        dot = i32(0)
        for j in range(width):
            dot = i32(dot + i32(i32(line[j]) * i32(short[j])))
        scores[u64(n)] = dot
        best = max(best, dot)
    if entries == 0:
        return i64(0), i64(0)
    whole = i64(0)
    many = i64(0)
    for n in range(entries):
        d = (i64(best) - i64(scores[u64(n)])) // sharp
        if d < exps.shape[0]:
            w = i64(exps[u64(d)])
            if w > 0:
                r = u64(after[u64(n)])
                if i64(mass[r]) == 0:
                    touched[u64(many)] = r
                    many += 1
                mass[r] = i64(mass[r]) + w
                whole += w
    bucket = max(min(i64(best) // (ALIKE // BUCKETS), i64(BUCKETS - 1)), i64(0)) * SURE
    for n in range(1, SURE):
        bucket += i64((most << n) < total)
    t = i64(trust[u64(bucket), 0])
    share = total * t // ((1 << TRUST_BITS) - t)
    for n in range(many):
        r = u64(touched[u64(n)])
        more = (share * ((i64(mass[r]) << 20) // whole)) >> 20
        mass[r] = more
        row[r] = u32(i64(row[r]) + more)
    return many, bucket


@kernel
def remember(
    u: Array, keys: Array, after: Array, count: int, mass: Array, touched: Array, many: int, row: Array, rank: int,
    trust: Array, bucket: int,
) -> None:  # fmt: skip
    """Keep u and the rank that followed; learn how far to trust what was recalled."""
    if many > 0:
        t = i64(trust[u64(bucket), 0])
        seen = i64(trust[u64(bucket), 1])
        right = (i64(mass[u64(rank)]) << TRUST_BITS) // i64(row[u64(rank)])
        trust[u64(bucket), 0] = min(t + (right - t) // seen, i64(TRUST_MAX))
        trust[u64(bucket), 1] = min(seen + 1, i64(TRUST_LAST))
    for n in range(many):
        mass[u64(touched[u64(n)])] = 0
    place = u64(count % keys.shape[0])
    line = keys[place]
    for j in range(u.shape[0]):
        line[j] = u[j]
    after[place] = rank


def head_scales(scales: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the head's scales (float32) with HEAD_BITS fractional bits, int32."""
    return np.rint(np.asarray(scales, np.float64) * (1 << HEAD_BITS)).astype(np.int32)
