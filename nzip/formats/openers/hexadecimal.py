"""Opener `hexadecimal`: bytes as two digits each, on one line or many.

Pictures in RTF and PostScript are written so. docs/reference/ENCODINGS.md defines the recipe to the byte.
"""

from __future__ import annotations

from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.lines import Lines, broken, joined, length, read

UPPER = 1
WORKING = 1 << 16


class HexadecimalOpener(Opener):
    """Digits 0 to 9 and either a to f or A to F."""

    name = "hexadecimal"
    id = 13
    version = 1

    def open(
        self, coded: bytes, most: int, *, first: int = 0, line: int = 0, last: int = 0, between: bytes = b"",
        **hints: Any,
    ) -> Opened | None:  # fmt: skip
        """Return the bytes that the digits stand for.

        Args:
            coded: from the first to the last digit; their number is even.
            most: bytes that `inner` may have.
            first, line, last, between: as in `Lines`.
            hints: what others take.
        """
        lines = Lines(first, line, last, between)
        text = joined(coded, lines)
        if text is None or len(text) > 2 * most:
            return None
        try:
            inner = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            return None
        recipe = bytes(((text.lower() != text) * UPPER,)) + lines.pack()
        return self.tried(inner, recipe, coded) if inner else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        reader = Reader(recipe)
        flags = reader.u8()
        lines = read(reader)
        if flags > 1 or reader.left():
            raise CorruptError("a recipe of hexadecimal digits has a form that there is not")
        if length(2 * len(inner), lines) != size:
            raise CorruptError(f"hexadecimal digits do not take the {size:,} bytes that belong there")
        text = inner.hex().encode("ascii")
        return broken(text.upper() if flags & UPPER else text, lines)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 3 * size
