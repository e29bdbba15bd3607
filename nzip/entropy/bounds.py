"""The binary coder between calls of kernels: an array of its two bounds, what its decoder holds, and bytes so far.

This module, unlike `nzip.entropy.binary`, needs no compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nzip.errors import CorruptError

MOST = 4  # bytes that a bit makes at most, the decoder holds, and the end adds at most
LOW, HIGH, WINDOW, AT = range(4)  # bounds, what the decoder holds, bytes written or read

Array = Any


def begin(coded: Array | None = None) -> Array:
    """Return the coder before the first bit (int64 (4,)): an encoder, or the decoder of `coded` (uint8)."""
    first = b"" if coded is None else coded[:MOST].tobytes().ljust(MOST, b"\0")
    return np.array((0, 0xFFFFFFFF, int.from_bytes(first, "big"), len(first)), np.int64)


def last_bytes(coder: Array) -> bytes:
    """Return the fewest bytes that, with zeros behind them, lie between the bounds."""
    low, high = int(coder[LOW]), int(coder[HIGH])
    for count in range(MOST):
        rest = (1 << (32 - 8 * count)) - 1
        end = (low + rest) & ~rest
        if end <= high:
            return (end >> (32 - 8 * count)).to_bytes(count, "big")
    return low.to_bytes(MOST, "big")


def finish(coder: Array, out: Array) -> int:
    """Write an encoder's last bytes; return how many there are in all, or one more than `out` has room for."""
    at, rest = int(coder[AT]), last_bytes(coder)
    end = at + len(rest)
    if end > len(out):
        return len(out) + 1
    out[at:end] = np.frombuffer(rest, np.uint8)
    return end


def check_end(coder: Array, size: int) -> None:
    """Raise CorruptError unless a decoder that is done has read what an encoder wrote: `size` bytes."""
    needed = int(coder[AT]) - MOST + len(last_bytes(coder))
    if needed > size:
        raise CorruptError(f"coded data is truncated: {needed} bytes were needed, {size} are there")
    if needed < size:
        raise CorruptError(f"coded data has {size - needed} bytes too many")
