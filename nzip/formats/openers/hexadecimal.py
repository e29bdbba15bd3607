"""Opener `hexadecimal`: bytes as two digits each, on one line or many.

Pictures in RTF and PostScript are written so. docs/reference/ENCODINGS.md defines the recipe to the byte.
"""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.openers.lines import broken, length, read
from nzip.formats.openers.text import TextOpener

UPPER = 1
WORKING = 1 << 16


class HexadecimalOpener(TextOpener):
    """Digits 0 to 9 and either a to f or A to F."""

    name = "hexadecimal"
    id = 13
    version = 1

    def held(self, characters: int) -> int:
        return (characters + 1) // 2

    def undone(self, text: bytes) -> tuple[bytes, bytes] | None:
        try:
            inner = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            return None
        return inner, bytes(((text.lower() != text) * UPPER,))

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
        return WORKING + 5 * size
