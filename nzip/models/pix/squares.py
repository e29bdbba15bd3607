"""Least squares in integers: weights that foretell a sample from others, learned from samples that are known.

A system of `n` unknowns (a multiple of 16) is n + 1 rows of n numbers: products of the inputs with each other, then
with what they were to foretell. It is solved by the decomposition L D L' (Golub and Van Loan, "Matrix Computations",
4.1) in fixed point. Every intermediate number is kept within bounds that hold for any system, so that nothing can
overflow and every machine finds the same weights.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import Array, i32, i64, u64, width
from nzip.entropy.jit import bare

LARGEST = 1 << 10  # inputs are kept within this, so that sums of their products stay within 32 bits
MOST_WEIGHT = (1 << 20) - 1  # weights have 16 fractional bits: within +-16


@bare
def within(x: int, most: int) -> Any:
    """Return `x` kept within +-most."""
    return max(min(x, most), -most)


@bare
def gather(sums: Array, at: int, n: int, inputs: Array, target: int) -> None:
    """Add what one sample says to the system at sums[at:]; `inputs` (n,) and `target` within +-LARGEST."""
    for i in range(n):
        x = i32(inputs[u64(i)])
        o = u64(at + i * n)
        for j in range(n):
            sums[o + u64(j)] += i32(x * i32(inputs[u64(j)]))
    o = u64(at + n * n)
    for j in range(n):
        sums[o + u64(j)] += i32(target * i32(inputs[u64(j)]))


@bare
def solve(
    system: Array, n: int, pull: Array, loose: int, lower: Array, products: Array, pivots: Array, out: Array
) -> None:  # fmt: skip
    """Find the weights of a system.

    Args:
        system: int64 ((n + 1) * n,); changed.
        pull: int64 (n,), weights that the solution is drawn to where the system says nothing.
        loose: the larger, the weaker it is drawn: by the largest sum of squares >> loose.
        lower, products: int64 (n * n,), pivots: int64 (n,); written.
        out: int64 (n,), the weights, 16 fractional bits.
    """
    largest = i64(1)
    for i in range(n):
        largest = max(largest, i64(system[u64(i * n + i)]))
    largest = min(largest, (i64(1) << 62) - 1)
    shift = 30 - width(largest)
    if shift >= 0:
        for i in range(n * n + n):
            system[u64(i)] = within(i64(system[u64(i)]), largest) << shift
    else:
        for i in range(n * n + n):
            system[u64(i)] = within(i64(system[u64(i)]), largest) >> -shift
    ridge = max(i64(1) << (30 - loose), i64(1))
    if shift > 0 and shift < 26:
        ridge += i64(16) << shift
    elif shift >= 26:
        ridge += i64(1) << 30
    for i in range(n):
        system[u64(i * n + i)] += ridge
        system[u64(n * n + i)] += (ridge * i64(pull[u64(i)])) >> 16
    bound = i64(1) << 31
    for i in range(n):
        o = i * n
        for j in range(i):
            t = i64(0)
            for k in range(j):
                t += i64(products[u64(o + k)]) * i64(lower[u64(j * n + k)])
            t = within(i64(system[u64(o + j)]) - (t >> 22), bound)
            products[u64(o + j)] = t
            lower[u64(o + j)] = within((t << 22) // i64(pivots[u64(j)]), (i64(1) << 27) - 1)
        t = i64(0)
        for k in range(i):
            t += i64(products[u64(o + k)]) * i64(lower[u64(o + k)])
        pivots[u64(i)] = max(i64(system[u64(o + i)]) - (t >> 22), max(ridge >> 1, i64(1)))
        # forward: what the target says of this unknown
        t = i64(0)
        for k in range(i):
            t += i64(out[u64(k)]) * i64(lower[u64(o + k)])
        out[u64(i)] = within(i64(system[u64(n * n + i)]) - (t >> 22), bound)
    for r in range(n):
        i = n - 1 - r
        t = i64(0)
        for k in range(i + 1, n):
            t += i64(lower[u64(k * n + i)]) * i64(out[u64(k)])
        u = (i64(out[u64(i)]) << 16) // i64(pivots[u64(i)])
        out[u64(i)] = within(u - (t >> 22), i64(MOST_WEIGHT))
