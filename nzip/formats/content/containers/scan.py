"""Where in bytes containers may begin: one pass over them, for the words of all formats at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from nzip.entropy.jit import Native
from nzip.process import imported

ZLIB, GZIP, ZIP, PNG, JPEG, GIF, STREAM, RIFF, AIFF, TIFF_LITTLE, TIFF_BIG, HDF5, DIB = range(1, 14)
IMPULSE, SCREAM, FAST, PRO = range(14, 18)  # tracker modules
PSD, NETCDF, GRIB = range(18, 21)
# The bytes that each begins with; where there are two forms, the bits in which they differ may be any.
WORDS: dict[int, tuple[bytes, ...]] = {
    GZIP: (b"\x1f\x8b\x08",),
    ZIP: (b"PK\3\4",),
    PNG: (b"\x89PNG\r\n\x1a\n",),
    JPEG: (b"\xff\xd8\xff",),
    GIF: (b"GIF87a", b"GIF89a"),
    STREAM: (b"stream\r", b"stream\n"),
    RIFF: (b"RIFF",),
    AIFF: (b"FORM",),
    TIFF_LITTLE: (b"II\x2a\0",),
    TIFF_BIG: (b"MM\0\x2a",),
    HDF5: (b"\x89HDF\r\n\x1a\n",),
    IMPULSE: (b"IMPM",),
    SCREAM: (b"SCRM",),
    FAST: (b"Extended Module: ",),
    PRO: (b"M.K.",),
    PSD: (b"8BPS",),
    GRIB: (b"GRIB",),
    NETCDF: (b"CDF\1", b"CDF\6"),  # versions 1, 2 and 5 are among them
    DIB: (b"\x28\0\0\0" + b"\0" * 8 + b"\1\0", b"\x28\0\0\0" + b"\xff" * 8 + b"\1\0"),
}
ROUND = 1 << 12  # places that are found at once

_scan = Native("nzip.formats.content.containers.scan_kernel", "scan")


@lru_cache(maxsize=1)
def _tables() -> tuple[Any, ...]:
    """Return the table of pairs, and the words as the kernel takes them."""
    import numpy as np

    table = np.zeros(1 << 16, np.uint8)
    for first in range(8, 128, 16):
        for second in range(256):
            if (first << 8 | second) % 31 == 0 and not second & 32:
                table[first << 8 | second] = ZLIB
    kinds, words, masks, starts = [0, ZLIB], b"", b"", [0, 0, 0]
    for kind, several in WORDS.items():
        same = bytes(
            255 if len(set(column)) == 1 else 255 ^ (column[0] ^ column[1]) for column in zip(*several, strict=True)
        )
        words += several[0]
        masks += same
        starts.append(len(words))
        table[several[0][0] << 8 | several[0][1]] = len(kinds)
        kinds.append(kind)
    as_array = [np.frombuffer(text, np.uint8).copy() for text in (words, masks)]
    return table, as_array[0], np.array(starts, np.int64), as_array[1], kinds


def places(data: bytes, first: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where something may begin in `data` from `first` on, in order, and which of the words it is."""
    imported("numpy")
    import numpy as np

    table, words, starts, masks, kinds = _tables()
    array = np.frombuffer(data, np.uint8).copy()  # arrays that cannot be written are passed by numba alone
    found, numbers, at = np.zeros(ROUND, np.int64), np.zeros(ROUND, np.int64), first
    while True:
        count = _scan(array, table, words, starts, masks, found, numbers, at)
        for place, number in zip(found[:count].tolist(), numbers[:count].tolist(), strict=True):
            yield place, kinds[number]
        if count < ROUND:
            return
        at = int(found[-1]) + 1
