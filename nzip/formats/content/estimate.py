"""Integer estimates of code lengths, for decisions that must be the same on every machine.

`code_length` is the empirical entropy of Shannon (1948) in 4096ths of a bit, from a table of logarithms that integer
code makes; no float takes part.
"""

from __future__ import annotations

from typing import Any

from nzip.process import lock

UNIT_BITS = 12
UNIT = 1 << UNIT_BITS  # one bit
SAMPLE = 1 << 18  # bytes in which repeats are counted

_lock = lock()
_table: list[Any] = []


def log2_table() -> Any:
    """Return floor(4096 log2 n) for n below 4096 (0 for n = 0), as an int64 array."""
    import numpy as np

    with _lock:
        if not _table:
            n = np.arange(1, UNIT, dtype=np.uint64)
            whole = np.searchsorted(np.uint64(1) << np.arange(UNIT_BITS, dtype=np.uint64), n, side="right") - 1
            part = n << (31 - whole).astype(np.uint64)  # n / 2^whole, with 31 bits behind the point
            log = whole.astype(np.int64)
            for _ in range(UNIT_BITS):  # squaring doubles the logarithm: its next bit moves before the point
                part = part * part >> np.uint64(31)
                bit = part >> np.uint64(32)
                part >>= bit
                log = 2 * log + bit.astype(np.int64)
            _table.append(np.concatenate([np.zeros(1, np.int64), log]))
    return _table[0]


def log2(counts: Any) -> Any:
    """Return about 4096 log2 of each count (int64 array, below 2^40); 0 for a count of 0."""
    import numpy as np

    table = log2_table()
    if counts.max(initial=0) < UNIT:  # mostly
        return table[counts]
    powers = np.int64(1) << np.arange(41, dtype=np.int64)
    shift = np.maximum(np.searchsorted(powers, counts, side="right") - UNIT_BITS, 0)
    return table[counts >> shift] + shift * UNIT


def code_length(counts: Any) -> int:
    """Return the entropy of symbols that occur `counts` times (integer array), in 4096ths of a bit, all together."""
    import numpy as np

    counts = counts[counts > 0].astype(np.int64)
    total = int(counts.sum())
    shift = max(total.bit_length() - UNIT_BITS, 0)
    return total * (int(log2_table()[total >> shift]) + shift * UNIT) - int(np.dot(counts, log2(counts)))


def order0(data: Any) -> int:
    """Return the code length of a uint8 array under its own byte counts, in 4096ths of a bit."""
    import numpy as np

    return code_length(np.bincount(data, minlength=256)) if len(data) else 0


def conditional(data: Any, context: Any) -> int:
    """Return the code length of `data` given `context` (uint8 arrays of one length), in 4096ths of a bit.

    Each pair that occurs is charged 6 bits for being learnt.
    """
    import numpy as np

    if not len(data):
        return 0
    pairs = np.sort(context.astype(np.uint16) << 8 | data, kind="stable")  # by digits: faster than 65536 counts
    ends = np.flatnonzero(pairs[1:] != pairs[:-1])
    counts = np.diff(ends, prepend=-1, append=len(pairs) - 1)
    return code_length(counts) - order0(context) + 6 * UNIT * len(counts)


def columns0(data: Any, period: int) -> int:
    """Return the code length of a uint8 array with `period` interleaved columns, each under its own byte counts, in
    4096ths of a bit."""
    return sum(order0(data[column::period]) for column in range(period))


def columns(data: Any, period: int) -> int:
    """Return the code length of a uint8 array with `period` interleaved columns, each under the better of its own
    byte counts and those given the byte before, in 4096ths of a bit."""
    total = 0
    before = data[:-1]
    for column in range(period):
        mine = data[1:][column::period]
        total += min(order0(mine), conditional(mine, before[column::period]))
    return total


def repeated(data: bytes) -> int:
    """Return how many of 256 places in a sample of `data` have eight bytes that another place of it has as well."""
    import numpy as np

    start = max(0, (len(data) - SAMPLE) // 2)
    sample = np.frombuffer(data, np.uint8)[start : start + SAMPLE]
    if len(sample) < 8:
        return 0
    places = np.zeros(len(sample) - 7, np.uint64)
    for k in range(8):
        places = places << np.uint64(8) | sample[k : len(sample) - 7 + k]
    return 256 - 256 * len(np.unique(places)) // len(places)
