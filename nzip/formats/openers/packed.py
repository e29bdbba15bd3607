"""Opener `packed`: integers of few bits each, behind each other without gaps, get bytes of their own.

Weather services pack the fields of GRIB files so (WMO, Manual on Codes, FM 92 GRIB, "simple packing"). The highest bit
of an integer comes first. docs/reference/OPENERS.md defines the recipe to the byte.
"""

from __future__ import annotations

from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.process import imported

MOST_BITS = 16
LONGEST_RECIPE = 32  # bytes
PIECE = 1 << 15  # integers that are turned at a time; a multiple of 8
WORKING = 1 << 21


class PackedOpener(Opener):
    """Takes packed integers apart; what is left behind the last one stays as it is.

    Hints: `bits` of an integer, 1..16, and `count` of them.
    """

    name = "packed"
    id = 34
    version = 1

    def open(self, coded: bytes, most: int, *, bits: int = 0, count: int = 0, **hints: Any) -> Opened | None:
        held = (count * bits + 7) // 8
        if not 1 <= bits <= MOST_BITS or count < 1 or held > len(coded):
            return None
        width = 1 + (bits > 8)
        if width * count + len(coded) - held > most:
            return None
        imported("numpy")
        import numpy as np

        inner = np.empty(count, f"<u{width}")
        for start in range(0, count, PIECE):
            stop = min(count, start + PIECE)
            packed = np.frombuffer(coded, np.uint8)[start * bits // 8 : (stop * bits + 7) // 8]
            each = np.unpackbits(packed, count=(stop - start) * bits).reshape(-1, bits)
            inner[start:stop] = each @ (1 << np.arange(bits)[::-1])
        spare = coded[held - 1] & ((1 << -count * bits % 8) - 1)
        recipe = bytes((bits,)) + uleb(count) + bytes((spare,))
        return self.tried(inner.tobytes() + coded[held:], recipe, coded)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        import numpy as np

        reader = Reader(recipe)
        bits, count, spare = reader.u8(), reader.uleb(), reader.u8()
        width, held = 1 + (bits > 8), (count * bits + 7) // 8
        if not 1 <= bits <= MOST_BITS or not count or reader.left() or spare >> (-count * bits % 8):
            raise CorruptError("a recipe of packed integers is damaged")
        if width * count > len(inner) or held + len(inner) - width * count != size:
            raise CorruptError("a recipe of packed integers does not fit its bytes")
        numbers = np.frombuffer(inner, f"<u{width}", count)
        made = list[bytes]()
        for start in range(0, count, PIECE):
            each = numbers[start : start + PIECE, None] >> np.arange(bits, dtype=numbers.dtype)[::-1] & 1
            made.append(np.packbits(each.astype(np.uint8)).tobytes())
        packed = b"".join(made)
        return packed[:-1] + bytes((packed[-1] | spare,)) + inner[width * count :]

    def longest_recipe(self, size: int) -> int:
        return LONGEST_RECIPE

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 3 * size
