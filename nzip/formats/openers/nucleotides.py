"""Nucleotides as bytes of four, and the rest of text that holds them: what the openers of sequences share.

A run of the letters A, C, G, T and N is taken out of text. Its letters' case and its Ns are lists, the other letters
are two bits each, the first in a byte's highest bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb

LETTERS = b"ACGT"
UNKNOWN, NEITHER = 4, 5  # N; no residue
SPARSE = 8  # a list has at most one entry for so many letters, and so many more


@lru_cache(maxsize=1)
def codes() -> Any:
    """Return for each byte 0 to 3 for a nucleotide of either case, `UNKNOWN` for N, else `NEITHER` (uint8[256])."""
    import numpy as np

    table = np.full(256, NEITHER, np.uint8)
    for code, letter in enumerate(LETTERS + b"N"):
        table[letter] = table[letter | 32] = code
    return table


def numbers(reader: Reader, most: int) -> Any:
    """Return integers of which the first says how many follow, `most` at most (int64).

    Raises:
        CorruptError: they are not there.
    """
    import numpy as np

    count = reader.uleb()
    if count > min(most, reader.left()):
        raise CorruptError("a list is longer than it may be, or than what holds it")
    return np.fromiter((reader.uleb() for _ in range(count)), np.int64, count)


def lines_of(text: bytes) -> Iterator[bytes]:
    """Yield what stands between the ends of lines, before the first and behind the last one."""
    start = 0
    while (stop := text.find(b"\n", start)) >= 0:
        yield text[start:stop]
        start = stop + 1
    yield text[start:]


def ulebs(numbers: Iterable[int]) -> bytes:
    """Return integers one after another."""
    return b"".join(map(uleb, numbers))


def packed(symbols: Any) -> bytes:
    """Return nucleotides 0 to 3 (uint8) as bytes of four; the last one is filled up with zeros."""
    import numpy as np

    four = np.zeros((-(-len(symbols) // 4), 4), np.uint8)
    four.reshape(-1)[: len(symbols)] = symbols
    made: bytes = (four[:, 0] << 6 | four[:, 1] << 4 | four[:, 2] << 2 | four[:, 3]).astype(np.uint8).tobytes()
    return made


def unpacked(data: bytes, count: int) -> Any:
    """Return the first `count` nucleotides of bytes of four (uint8)."""
    import numpy as np

    whole = np.frombuffer(data, np.uint8)
    four = np.empty((len(whole), 4), np.uint8)
    for k in range(4):
        four[:, k] = whole >> (6 - 2 * k) & 3
    return four.reshape(-1)[:count]


def listed(flags: Any) -> bytes | None:
    """Return truth values as the lengths of runs, the first of them false, and how many runs there are; None where
    these are too many."""
    import numpy as np

    borders = np.flatnonzero(np.diff(flags, prepend=False))
    if len(borders) > len(flags) // SPARSE + SPARSE:
        return None
    runs = np.diff(borders, prepend=0).tolist()
    return uleb(len(runs)) + ulebs(runs)


def flagged(reader: Reader, count: int) -> Any:
    """Return what `listed` wrote of `count` truth values.

    Raises:
        CorruptError: there are fewer.
    """
    import numpy as np

    lengths = numbers(reader, count // SPARSE + SPARSE)
    if (lengths > count).any() or int(lengths.sum()) > count or not lengths[1:].all():
        raise CorruptError("runs are empty, or lie behind the end of what they are in")
    flags = np.zeros(count, np.bool_)
    borders = np.cumsum(lengths)
    flags[borders[borders < count]] = True
    return np.logical_xor.accumulate(flags, out=flags) if count else flags


def taken_apart(letters: Any) -> tuple[bytes, bytes] | None:
    """Return lists of letters of nucleotides and N (uint8), and the nucleotides; None where the lists are long."""
    symbols = codes()[letters]
    unknown = symbols == UNKNOWN
    small, others = listed(letters & 32 != 0), listed(unknown)
    if small is None or others is None:
        return None
    return small + others, packed(symbols[~unknown])


def put_together(reader: Reader, data: bytes, count: int) -> Any:
    """Return the `count` letters (uint8) that `taken_apart` was given.

    Raises:
        CorruptError: lists and nucleotides do not belong together.
    """
    import numpy as np

    small, unknown = flagged(reader, count), flagged(reader, count)
    known = count - int(np.count_nonzero(unknown))
    if len(data) != -(-known // 4):
        raise CorruptError("there are more nucleotides, or fewer, than belong there")
    letters = np.full(count, ord("N"), np.uint8)
    letters[~unknown] = np.frombuffer(LETTERS, np.uint8)[unpacked(data, known)]
    letters[small] |= 32
    return letters
