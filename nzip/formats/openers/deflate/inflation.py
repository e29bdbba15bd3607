"""Inflating: from a raw deflate stream to its tokens, its blocks and what it holds."""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.formats.openers.deflate import layout
from nzip.process import imported

Array = Any
read = Native("nzip.formats.openers.deflate.inflate_kernel", "inflate")
GUESS = 4  # bytes that a coded byte is first thought to hold
LEAST = 512


class Inflated(NamedTuple):
    """A stream that was read to its end.

    Attributes:
        plain: what it holds.
        end: where it ends among the bytes that were read.
        padding: the bits between its last block and the end of its last byte.
        odd: whether bits before a stored block are not zero.
        tokens: (n,) uint32.
        blocks: (n, FIELDS) int64.
    """

    plain: Array
    end: int
    padding: int
    odd: bool
    tokens: Array
    blocks: Array


def inflate(data: bytes | bytearray | memoryview, start: int = 0, most: int = 1 << 30) -> tuple[bytes, int] | None:
    """Inflate the raw deflate stream at `start`.

    Args:
        data: bytes that may go on behind the stream.
        most: bytes that it may hold.
    Returns:
        (what it holds, where it ends); None where there is no whole stream, or it holds more.
    """
    found = tokens_of(data, start, most, keep=False)
    return None if found is None else (found.plain.tobytes(), found.end)


def tokens_of(data: bytes | bytearray | memoryview, start: int, most: int, keep: bool = True) -> Inflated | None:
    """As `inflate`, with tokens and blocks if `keep` says so."""
    if most < 0:  # nothing is left of what containers may hold together
        return None
    imported("numpy")
    import numpy as np

    from nzip.formats.openers.deflate.tables import TABLES

    coded = np.frombuffer(data, np.uint8)[start:].copy()  # arrays that cannot be written are passed by numba alone
    room = min(most, LEAST + GUESS * min(len(coded), 1 << 22))
    plain = np.empty(room, np.uint8)
    tokens = np.empty(min(room, 8 * len(coded)) if keep else 0, np.uint32)
    blocks = np.empty((8 + len(coded) // 8192) * layout.FIELDS if keep else 0, np.int64)
    state = np.zeros(8, np.int64)
    scratch = np.empty(layout.SCRATCH, np.int32)
    while True:
        status = read(coded, state, plain, tokens, blocks, scratch, TABLES)
        if status != layout.MORE:
            break
        if keep and (state[layout.BLOCKS] + 1) * layout.FIELDS > len(blocks):
            blocks = np.concatenate((blocks, np.empty_like(blocks)))
            continue
        if len(plain) >= most:
            return None
        room = min(most, 2 * len(plain) + LEAST)
        plain = np.concatenate((plain[: state[layout.OUT]], np.empty(room - state[layout.OUT], np.uint8)))
        if keep:
            room = min(room, 8 * len(coded))
            tokens = np.concatenate((tokens[: state[layout.TOKENS]], np.empty(room - state[layout.TOKENS], np.uint32)))
    if status != layout.DONE:
        return None
    bits = int(state[layout.BIT])
    padding = int(coded[bits >> 3]) >> (bits & 7) if bits & 7 else 0
    return Inflated(
        plain[: state[layout.OUT]],
        start + (bits + 7) // 8,
        padding,
        bool(state[layout.PADDING]),
        tokens[: state[layout.TOKENS]],
        blocks[: state[layout.BLOCKS] * layout.FIELDS].reshape(-1, layout.FIELDS),
    )
