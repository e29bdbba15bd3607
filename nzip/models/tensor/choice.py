"""Which planes get a table, and which: integers alone decide, so that all machines make the same payload."""

from __future__ import annotations

from nzip.entropy.integers import Array, i64, u64, width
from nzip.entropy.jit import bare, inlined
from nzip.models.tensor.lanes import normalise
from nzip.models.tensor.layout import AGAIN, CLASSES, CONSTANT, NEAR, RAW, SEVEN, STATIC, TABLE_BITS
from nzip.models.tensor.planes import tally

FEW = 1 << 14  # values of a plane that are counted without a look at some of them
STEP = 13  # of so many one is looked at
ENTRY, TABLE = 10 << 12, 24 << 12  # what a table takes, in 4096ths of a bit: for each symbol, and in any case
NEVER = 1 << 62


@inlined
def log2(value: int, logs: Array) -> int:
    """Return about 4096 log2 of a number from 1 on; `logs` is the table of `estimate.log2_table`."""
    shift = max(width(i64(value)) - 12, i64(0))
    return i64(logs[u64(i64(value) >> shift)]) + (shift << 12)


@bare
def entropy(counts: Array, at: int, total: int, logs: Array) -> int:
    """Return the code length of `total` symbols that occur `counts[at : at + 256]` times, in 4096ths of a bit."""
    length = total * log2(max(total, i64(1)), logs)
    for s in range(256):
        n = i64(counts[at + s])
        if n > 0:
            length -= n * log2(n, logs)
    return length


@bare
def cost(planes: Array, count: int, wide: int, logs: Array, counts: Array) -> int:
    """Return the code length of `wide` planes of `count` bytes, in 4096ths of a bit; `counts` is int32[256]."""
    length = i64(0)
    for p in range(wide):
        for s in range(256):
            counts[s] = 0
        tally(planes, p * count, count, i64(1), counts, i64(0))
        length += entropy(counts, i64(0), count, logs)
    return length


@bare
def priced(counts: Array, at: int, freqs: Array, table: int, logs: Array) -> int:
    """Return what symbols take by a table, in 4096ths of a bit; NEVER where it does not have them all."""
    length = i64(0)
    for s in range(256):
        n = i64(counts[at + s])
        if n > 0:
            f = i64(freqs[256 * table + s])
            if f == 0:
                return i64(NEVER)
            length += n * ((TABLE_BITS << 12) - log2(f, logs))
    return length


@bare
def choose(
    planes: Array, starts: Array, sizes: Array, classes: Array, small: Array, seven: Array, margin: int, most: int,
    logs: Array, counts: Array, groups: Array, group_tables: Array, spare: Array, freqs: Array, modes: Array,
    tables: Array,
) -> int:  # fmt: skip
    """Choose the mode of each plane, and its table, or its constant, which go to `modes` and `tables`.

    Args:
        starts, sizes: of the planes in `planes`.
        classes: below CLASSES; planes that may share tables have the same.
        small: whether a plane's tensor is a small one.
        seven: whether the plane's bytes have 7 bits.
        margin: a table must save one byte in 2^margin.
        most: tables.
        logs: see `log2`.
        counts: int32[256] for each plane, zeros. groups: int64[256 * CLASSES], zeros. group_tables: int64[CLASSES].
        spare: int64[256]. freqs: int64[256] for each of `most` tables and one more.

    Returns:
        How many tables there are.
    """
    for c in range(CLASSES):
        group_tables[c] = -1
    for p in range(len(starts)):
        size, at = i64(sizes[p]), i64(256 * p)
        modes[p] = STATIC
        if size > FEW:
            seen = tally(planes, i64(starts[p]), size, i64(STEP), counts, at)
            found = entropy(counts, at, seen, logs)
            raw = seen * (7 if seven[p] else 8) << 12
            if found + (raw >> margin) > raw:
                modes[p] = SEVEN if seven[p] else RAW
                continue
            for s in range(256):
                counts[at + s] = 0
        tally(planes, i64(starts[p]), size, i64(1), counts, at)
        if small[p]:
            for s in range(256):
                groups[256 * i64(classes[p]) + s] += counts[at + s]
    made = i64(0)
    for p in range(len(starts)):
        if modes[p] != STATIC:
            continue
        size, at, c = i64(sizes[p]), i64(256 * p), i64(classes[p])
        first = i64(planes[i64(starts[p])])
        if counts[at + first] == size:
            modes[p] = CONSTANT
            tables[p] = first
            continue
        raw = size * (7 if seven[p] else 8) << 12
        least = raw - (raw >> margin)
        mode, table = i64(SEVEN if seven[p] else RAW), i64(0)
        kinds = normalise(counts, at, spare, i64(0))
        own = priced(counts, at, spare, i64(0), logs) + TABLE + ENTRY * kinds
        if own < least and made < most:
            least, mode = own, i64(STATIC)
        for back in range(min(made, i64(NEAR))):
            length = priced(counts, at, freqs, made - 1 - back, logs) + (8 << 12)
            if length < least:
                least, mode, table = length, i64(AGAIN), made - 1 - back
        if small[p]:
            total, kinds = i64(0), i64(0)
            for s in range(256):
                total += groups[256 * c + s]
                kinds += i64(groups[256 * c + s] > 0)
            share = (TABLE + ENTRY * kinds) * size // total + (8 << 12)  # of what the table takes
            if group_tables[c] >= 0:
                length = priced(counts, at, freqs, i64(group_tables[c]), logs) + share
                if length < least:
                    least, mode, table = length, i64(AGAIN), i64(group_tables[c])
            elif made < most:
                # Its frequencies stand where the next table would, until it is known whether they are wanted.
                normalise(groups, 256 * c, freqs, 256 * made)
                if priced(counts, at, freqs, made, logs) + share < least:
                    group_tables[c] = tables[p] = made
                    modes[p] = STATIC
                    made += 1
                    continue
        if mode == STATIC:
            for s in range(256):
                freqs[256 * made + s] = spare[s]
            table = made
            made += 1
        modes[p] = mode
        tables[p] = table
    return made
