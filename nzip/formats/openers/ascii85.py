"""Opener `ascii85`: four bytes as five characters (PostScript's and PDF's ASCII85Decode), on one line or many.

docs/reference/ENCODINGS.md defines the recipe to the byte.
"""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.openers.lines import broken, length, read
from nzip.formats.openers.text import TextOpener
from nzip.process import imported

PLAIN = 1  # zeros are not written as "z"
FIRST = 33  # the character of 0
POWERS = (85**4, 85**3, 85**2, 85, 1)
WORKING = 1 << 16


class Ascii85Opener(TextOpener):
    """Streams in PDF and PostScript."""

    name = "ascii85"
    id = 15
    version = 1

    def held(self, characters: int) -> int:
        return 4 * characters

    def undone(self, text: bytes) -> tuple[bytes, bytes] | None:
        plain = b"z" not in text
        text = text.replace(b"z", b"!!!!!")
        if not text or len(text) % 5 == 1 or min(text) < FIRST or max(text) >= FIRST + 85:
            return None
        inner = _bytes(text)
        plain &= inner.find(bytes(4)) >= 0
        return inner, bytes((plain * PLAIN,))

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        reader = Reader(recipe)
        flags = reader.u8()
        lines = read(reader)
        if flags > 1 or reader.left() or len(inner) > 4 * size:
            raise CorruptError("a recipe of base 85 has a form that there is not")
        text = _characters(inner, flags == PLAIN)
        if length(len(text), lines) != size:
            raise CorruptError(f"base 85 does not take the {size:,} bytes that belong there")
        return broken(text, lines)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 24 * inner + 4 * size


def _bytes(text: bytes) -> bytes:
    """Return what characters stand for, none of them a short form; a group that is too large gives any bytes."""
    imported("numpy")
    import numpy as np

    missing = -len(text) % 5
    digits = np.frombuffer(text + b"u" * missing, np.uint8).reshape(-1, 5) - np.uint8(FIRST)
    words = digits.astype(np.int64) @ np.array(POWERS, np.int64)
    made = words.astype(">u4").tobytes()
    return made[: len(made) - missing]


def _characters(inner: bytes, plain: bool) -> bytes:
    imported("numpy")
    import numpy as np

    missing = -len(inner) % 4
    words = np.frombuffer(inner + bytes(missing), ">u4").astype(np.uint32)
    digits = np.stack([words // np.uint32(power) % np.uint32(85) for power in POWERS], axis=1).astype(np.uint8)
    rows = (digits + np.uint8(FIRST)).reshape(-1, 5)
    if plain or not (short := np.flatnonzero(words[: len(inner) // 4] == 0)).size:
        text = rows.tobytes()
        return text[: len(text) - missing]
    keep = np.ones(rows.shape, np.bool_)
    keep[short, 1:] = False
    rows[short, 0] = ord("z")
    text = rows[keep].tobytes()
    return text[: len(text) - missing]
