"""Primers of one's own: a text that engines have read before the first byte of each record, made of samples of such.

What goes into a primer is chosen as zstd chooses its dictionaries (Liao, Petri, Moffat and Wirth, "Effective
construction of relative Lempel-Ziv dictionaries", WWW 2016): a piece of a sample is worth the strings in it that other
samples hold too, and that no piece chosen before has. An engine of context mixing learns more of whole records than of
scraps, so short samples are taken whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any

from nzip.codec.like import Old
from nzip.formats.container.primer import MOST, pack

SIZE = 112 << 10  # bytes of a primer, as zstd's dictionaries have
LEAST = 256
GRAM = 8  # bytes of the strings that are compared
PIECE = 1 << 10  # bytes of a piece; shorter samples are one
MOST_SAMPLES = 256 << 20  # bytes that are looked at
TABLE_BITS = 22


def make_primer(samples: Iterable[bytes | str | os.PathLike[str]], size: int = SIZE) -> bytes:
    """Return the file of a primer for records like these samples.

    Args:
        samples: records, or paths of files of one record each.
        size: bytes of text, at most.

    Raises:
        ValueError: there are no samples, or the size is out of range.
        OSError: one cannot be read.
    """
    if not LEAST <= size <= MOST:
        raise ValueError(f"a primer of {size:,} bytes is not within {LEAST:,} and {MOST:,}")
    pieces: list[bytes] = []
    total = 0
    for sample in samples:
        data = sample if isinstance(sample, bytes) else bytes(Old(sample).data)
        for piece in _pieces(data):
            if total + len(piece) > MOST_SAMPLES:
                break
            pieces.append(piece)
            total += len(piece)
    if not total:
        raise ValueError("the samples are empty; give some with bytes in them")
    text = b"".join(pieces) if total <= size else _chosen(pieces, size)
    return pack(text)


def _pieces(sample: bytes) -> list[bytes]:
    """Return a sample in pieces that end where lines do, if they do."""
    pieces = []
    at = 0
    while at < len(sample):
        stop = min(at + PIECE, len(sample))
        if len(sample) - at > 2 * PIECE:
            stop = max(sample.rfind(b"\n", at + PIECE // 2, stop) + 1, 0) or stop
        else:
            stop = len(sample)
        pieces.append(sample[at:stop])
        at = stop
    return pieces


def _chosen(pieces: list[bytes], size: int) -> bytes:
    """Return the pieces that are worth most, the best last: what was read last is known best."""
    import numpy as np

    grams = [np.unique(_hashes(piece)) for piece in pieces]
    counts = np.zeros(1 << TABLE_BITS, np.int64)
    for found in grams:
        counts[found] += 1
    # A string that only one piece holds helps no other; one that all hold is worth no more than its bytes.
    worth = np.log2(np.maximum(counts, 1)).astype(np.float64)
    chosen: list[int] = []
    left = size
    taken = [False] * len(pieces)
    while left > 0:
        before = len(chosen)
        value = worth.copy()
        heap = [
            (-float(value[grams[number]].sum()) / (len(piece) + 16), number)
            for number, piece in enumerate(pieces)
            if not taken[number] and 0 < len(piece) <= left
        ]
        heapify(heap)
        while heap and left > 0:
            _, number = heappop(heap)
            if len(pieces[number]) > left:
                continue
            now = -float(value[grams[number]].sum()) / (len(pieces[number]) + 16)
            if heap and now > heap[0][0]:
                if now < 0:
                    heappush(heap, (now, number))
                continue
            if now >= 0:
                break
            taken[number] = True
            chosen.append(number)
            left -= len(pieces[number])
            # Seen once a string is known, seen more often it is known better.
            value[grams[number]] *= 0.25
        if len(chosen) == before:
            break
    return b"".join(pieces[number] for number in reversed(chosen))


def _hashes(data: bytes) -> Any:
    """Return the hash (TABLE_BITS bits) of each string of GRAM bytes."""
    import numpy as np

    count = max(0, len(data) - GRAM + 1)
    value = np.ndarray((count,), "<u8", data + bytes(8), strides=(1,)).astype(np.uint64)
    return ((value * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - TABLE_BITS)).astype(np.int64)


def records(paths: Iterable[str], *, lines: bool = False) -> Iterator[bytes]:
    """Give the records in files, and in the files of directories; each line of them one where `lines` says so.

    Raises:
        OSError: one cannot be read.
    """
    for path in paths:
        files = [path]
        if os.path.isdir(path):
            files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        for file in files:
            data = bytes(Old(file).data)
            yield from (line for line in data.splitlines(keepends=True) if line.strip()) if lines else (data,)
