"""The constant tables of the `cm` engine: squash, stretch, adaptation rates and the bit-history automaton.

Everything here is made by integer arithmetic on Python integers, so every machine makes the same tables; what
reaches the coder never saw a float. The logistic pair stretch(p) = ln(p / (1 - p)) and its inverse squash come
from the logistic mixing of PAQ (Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression",
2005). The bit-history automaton follows the idea described there as indirect modelling of nonstationary sources:
a state stands for a bounded pair of bit counts, and a bit that contradicts a long run discounts the run.

Fixed-point forms: probabilities are of a one bit, in 12, 16 or 22 bits; the stretch domain counts 1/256 of a
natural logarithm unit and ends at +-STRETCH_MAX (12 units, beyond what 16 bits can tell from certainty).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

STRETCH_ONE = 256
STRETCH_MAX = 12 * STRETCH_ONE - 1
SQUASH_SIZE = 2 * STRETCH_MAX + 1
EXACT_HISTORY = 4
MAX_STATES = 256

SCALE = 96  # fractional bits while the exponential is computed


def exp_step(denominator: int) -> int:
    """Return exp(1 / denominator) with SCALE fractional bits, by its series."""
    total, term, k = 1 << SCALE, 1 << SCALE, 1
    while term:
        term //= denominator * k
        total += term
        k += 1
    return total


def logistic_values(bits: int, most: int) -> tuple[int, ...]:
    """Return 2^bits / (1 + exp(-x / 256)), rounded and within 1..2^bits - 1, for x = -most..most."""
    one, step = 1 << SCALE, exp_step(STRETCH_ONE)
    upper, power = [], one
    for _ in range(most + 1):
        upper.append(min((1 << bits) - 1, ((power << (bits + 1)) // (one + power) + 1) >> 1))
        power = power * step >> SCALE
    return tuple((1 << bits) - v for v in upper[:0:-1]) + tuple(upper)


@lru_cache(maxsize=1)
def squash_values() -> tuple[int, ...]:
    """Return squash(x) in 1..65535 for x = -STRETCH_MAX..STRETCH_MAX."""
    return logistic_values(16, STRETCH_MAX)


@lru_cache(maxsize=4)
def stretch_values(bits: int = 12) -> tuple[int, ...]:
    """Return stretch((p + 1/2) / 2^bits) for p = 0..2^bits - 1: the x whose odds are nearest from below, made
    odd-symmetric.
    """
    one, step = 1 << SCALE, exp_step(2 * STRETCH_ONE)  # the borders lie half-way between two values
    whole = 1 << bits
    upper = []
    x, border = 0, step  # border = exp((x + 1/2) / 256)
    for p in range(whole // 2, whole):
        odds = ((2 * p + 1) << SCALE) // (2 * (whole - p) - 1)
        while odds > border:
            x += 1
            border = border * step // one * step // one
        upper.append(min(x, STRETCH_MAX))
    return tuple(-v for v in reversed(upper)) + tuple(upper)


# The longest count of the rarer bit allows fewer of the more frequent one: (most frequent's bound by rarer's count).
COUNT_BOUND = (48, 32, 11, 6, 5)
LAST_BIT_TOTAL = 16  # histories longer than this forget which bit came last


def _discounted(count: int) -> int:
    """What remains of a count when the other bit arrives: small counts whole, large ones about their logarithm."""
    return count if count <= 2 else count.bit_length() + (1 if count > 5 else 0)


def _bounded(n0: int, n1: int, last: int) -> tuple[int, int, int]:
    """Bring a pair of counts into the bounds, taking from the bit that did not come last first."""
    while True:
        rare, frequent = min(n0, n1), max(n0, n1)
        if rare < len(COUNT_BOUND) and frequent <= COUNT_BOUND[rare]:
            break
        if n0 == n1:
            n0, n1 = (n0 - 1, n1) if last else (n0, n1 - 1)
        elif rare >= len(COUNT_BOUND):
            n0, n1 = (rare - 1, n1) if n0 < n1 else (n0, rare - 1)
        else:
            n0, n1 = (n0 - 1, n1) if n0 > n1 else (n0, n1 - 1)
    return n0, n1, last if n0 and n1 and n0 + n1 <= LAST_BIT_TOTAL else (0 if n0 > n1 else 1)


State = tuple[Any, ...]  # ("h", bits...) exact history, or ("c", n0, n1, last)


def _counts(state: State) -> tuple[int, int]:
    if state[0] == "c":
        return state[1], state[2]
    return state[1:].count(0), state[1:].count(1)


def _next(state: State, bit: int) -> State:
    if state[0] == "h" and len(state) <= EXACT_HISTORY:
        return (*state, bit)
    n0, n1 = _counts(state)
    n0, n1 = (_discounted(n0), n1 + 1) if bit else (n0 + 1, _discounted(n1))
    return ("c", *_bounded(n0, n1, bit))


@lru_cache(maxsize=1)
def states() -> tuple[State, ...]:
    """Return all states by number: state 0 is the empty history; a greater number never has fewer bits seen."""
    found: dict[State, None] = {("h",): None}
    todo: list[State] = [("h",)]
    while todo:
        state = todo.pop()
        for bit in (0, 1):
            after = _next(state, bit)
            if after not in found:
                found[after] = None
                todo.append(after)
    return tuple(sorted(found, key=lambda s: (sum(_counts(s)), s[0] == "c", *_counts(s), s)))


@lru_cache(maxsize=1)
def state_table() -> tuple[tuple[int, int], ...]:
    """Return (next state after a zero, next state after a one) of each state."""
    number = {state: k for k, state in enumerate(states())}
    return tuple((number[_next(s, 0)], number[_next(s, 1)]) for s in states())


@lru_cache(maxsize=1)
def rates() -> tuple[int, ...]:
    """Return 65536 / (n + 3/2) for the n-th adaptation, n = 0..1022; the last entry is 0 and stands for never."""
    return (*((1 << 17) // (2 * n + 3) for n in range(1023)), 0)


PRIOR_COUNT = 20


@lru_cache(maxsize=1)
def state_priors() -> tuple[int, ...]:
    """Return the first probability (22 bits) and count (10 bits) of each state; the empty history stays at 1/2."""
    entries = [(1 << 31) | 1023]
    for state in states()[1:]:
        n0, n1 = _counts(state)
        entries.append(((10 * n1 + 4) * ((1 << 22) - 1) // (10 * (n0 + n1) + 8)) << 10 | PRIOR_COUNT)
    return tuple(entries)


@lru_cache(maxsize=1)
def sse_priors() -> tuple[int, ...]:
    """Return probability and count that each of the 16 knots starts with: the identity."""
    knots = (k * (2 * STRETCH_MAX + 2) // 15 - STRETCH_MAX - 1 for k in range(17))
    squash = squash_values()
    return tuple(squash[min(2 * STRETCH_MAX, max(0, x + STRETCH_MAX))] << 16 | 6 for x in knots)


@lru_cache(maxsize=1)
def arrays() -> dict[str, Any]:
    """Return what mixers and maps of chances read, in the order of kernels' arguments: squash, stretch (int32), rates
    (int64), knots (uint32)."""
    import numpy as np

    return {
        "squash": np.array(squash_values(), np.int32), "stretch": np.array(stretch_values(12), np.int32),
        "rates": np.array(rates(), np.int64), "knots": np.array(sse_priors(), np.uint32),
    }  # fmt: skip


@lru_cache(maxsize=1)
def match_priors() -> tuple[int, ...]:
    """Return the first probability that a match of each length class goes on, and its count."""
    return tuple(((1 << 22) - 1 - (1 << 22) // (2 * k + 3)) << 10 | 2 for k in range(32) for _ in range(4))
