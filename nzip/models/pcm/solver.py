"""Linear prediction by least squares, in integers: components of the kernel.

A solver predicts a sample from the samples before it in its channel, and in another channel, its partner, by the
weights that would have been best lately. It keeps the sums of products that the normal equations need, which lose a
share each time a block of samples is added; samples that are only moved by one have all but two products in common
(the covariance method: Atal and Hanauer, 1971), so that few sums are made anew. The equations are solved by a
factorisation into a triangle, its transpose and a diagonal between them (L D L^T), with products of 128 bits.

A system of `n` unknowns is a lower triangle in rows of n + 1: in row and column 0 stands the value that is predicted.
"""

from __future__ import annotations

from nzip.entropy.integers import Array, i32, i64, u64, width
from nzip.entropy.jit import bare, inlined
from nzip.models.pcm.layout import LOWER, RIDGE, ROUNDED, SOLUTION, TOP, WEIGHT, WEIGHT_MAX
from nzip.models.pcm.wide import mul_shift, wide_dot


@inlined
def dot(a: Array, i: int, b: Array, j: int, count: int) -> int:
    """Return the sum of a[i + k] * b[j + k], k < count, of int32."""
    total = i64(0)
    for k in range(count):
        total += i64(a[u64(i + k)]) * i64(b[u64(j + k)])
    return total


@inlined
def moved(x: Array, a: int, b: int, y: Array, c: int, d: int, i: int) -> int:
    """Return by how much a sum of products changes where both its windows begin one sample earlier for the i-th time:
    x[a:b] and y[c:d] as they were at first."""
    return i64(x[u64(a - i)]) * i64(y[u64(c - i)]) - i64(x[u64(b - i)]) * i64(y[u64(d - i)])


@bare
def gather(
    sums: Array, at: int, x: Array, own: int, a: int, b: int, mate: int, c: int, partner: int, decay: int, up: int,
) -> None:  # fmt: skip
    """Let the sums of a solver at sums[at:] lose a share, and add those of the samples x[a:b].

    own, partner: how many samples predict, of this channel and of the partner's, whose latest that is known to the
    first of the block is x[c] (`mate` is 0 where it has none).
    """
    row = own + 1 + partner
    for k in range(row * row):
        s = i64(sums[u64(at + k)])
        sums[u64(at + k)] = s - (s >> decay)
    size = b - a
    for lag in range(own + 1):
        s = dot(x, a, x, a - lag, size)
        sums[u64(at + lag * row)] += s << up
        for i in range(1, own - lag + 1):
            s += moved(x, a, b, x, a - lag, b - lag, i)
            sums[u64(at + (lag + i) * row + i)] += s << up
    if mate > 0:
        d = c + size
        first = own + 1
        for lag in range(partner):
            s = dot(x, c, x, c - lag, size)
            sums[u64(at + (first + lag) * row + first)] += s << up
            for i in range(1, partner - lag):
                s += moved(x, c, d, x, c - lag, d - lag, i)
                sums[u64(at + (first + lag + i) * row + first + i)] += s << up
        for lag in range(own + 1):
            s = dot(x, c, x, a - lag, size)
            sums[u64(at + first * row + lag)] += s << up
            for i in range(1, min(partner, own + 1 - lag)):
                s += moved(x, c, d, x, a - lag, b - lag, i)
                sums[u64(at + (first + i) * row + lag + i)] += s << up
        for lag in range(1, partner):
            s = dot(x, c - lag, x, a, size)
            sums[u64(at + (first + lag) * row)] += s << up
            for i in range(1, min(partner - lag, own + 1)):
                s += moved(x, c - lag, d - lag, x, a, b, i)
                sums[u64(at + (first + lag + i) * row + i)] += s << up


@bare
def solve(sums: Array, at: int, n: int, ridge: int, work: Array, weights: Array, to: int) -> None:
    """Write the solution of the system of `n` unknowns at sums[at:] to weights[to:].

    ridge: each diagonal grows by one part in 2^ridge. work: int64, n * n and 4 n of scratch.
    """
    row = n + 1
    v, size, inverse, found = n * n, n * n + n, n * n + 2 * n, n * n + 3 * n
    top = i64(1)
    for i in range(row):
        top = max(top, i64(sums[u64(at + i * row + i)]))
    down = width(top) - TOP
    left, right = max(-down, i64(0)), max(down, i64(0))
    least = (i64(1) << i64(RIDGE)) + (i64(1) << (left + ROUNDED))
    for i in range(n + 1):
        for j in range(min(i + 1, n)):
            place = (i + 1) * row + j + 1 if i < n else (j + 1) * row
            s = (i64(sums[u64(at + place)]) << left) >> right
            if i == j:
                s += (s >> ridge) + least
            s -= wide_dot(work, i64(v), work, i64(j * n), i64(j), i64(LOWER))
            if i == j:
                s = max(s, least)
                digits = width(s)
                high = s << (62 - digits)
                short = (i64(1) << i64(62)) // (high >> i64(31))
                wrong = (i64(1) << i64(62)) - mul_shift(high, short, i64(31))
                work[u64(size + i)] = digits
                work[u64(inverse + i)] = (short << i64(30)) + mul_shift(wrong, short, i64(32))
            else:
                work[u64(v + j)] = s
                digits = i64(work[u64(size + j)])
                over = i64(work[u64(inverse + j)])
                if i < n:
                    work[u64(i * n + j)] = mul_shift(s, over, digits + i64(61 - LOWER))
                else:
                    work[u64(found + j)] = mul_shift(s, over, digits + i64(61 - SOLUTION))
    for i in range(n - 1, -1, -1):
        s = i64(work[u64(found + i)])
        for j in range(i):
            work[u64(found + j)] -= mul_shift(i64(work[u64(i * n + j)]), s, i64(LOWER))
        s = (s + (1 << (SOLUTION - WEIGHT - 1))) >> i64(SOLUTION - WEIGHT)
        weights[u64(to + i)] = i32(max(min(s, i64(WEIGHT_MAX)), i64(-WEIGHT_MAX)))
