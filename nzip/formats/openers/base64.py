"""Opener `base64`: bytes as 64 characters (RFC 4648), on one line or many.

Six bits to a character hide from a model where bytes begin, and all codings inside. docs/reference/ENCODINGS.md
defines the recipe to the byte.
"""

from __future__ import annotations

import binascii

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.content import estimate
from nzip.formats.openers.lines import broken, length, read
from nzip.formats.openers.text import TextOpener
from nzip.process import imported

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
TO_URL, FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
URL, PADDED, SPARE = 1, 2, 4
WORKING = 1 << 16
MARGIN = 32


class Base64Opener(TextOpener):
    """Attachments of mail, certificates, pictures in JSON and SVG."""

    name = "base64"
    id = 12
    version = 1

    def held(self, characters: int) -> int:
        return characters * 3 // 4

    def undone(self, text: bytes) -> tuple[bytes, bytes] | None:
        url = b"-" in text or b"_" in text
        plain = text.translate(FROM_URL) if url else text
        characters = plain.rstrip(b"=")
        if len(characters) % 4 == 1:
            return None
        try:
            inner = binascii.a2b_base64(characters + b"=" * (-len(characters) % 4))
        except binascii.Error:
            return None
        if not inner or not _repays(text, inner):
            return None
        flags = url * URL | (plain != characters) * PADDED
        tail = b""
        if len(characters) % 4:
            spare = ALPHABET.find(characters[-1:]) & ((1 << 2 * (-len(characters) % 4)) - 1)
            if spare > 0:
                flags, tail = flags | SPARE, bytes((spare,))
        return inner, bytes((flags,)) + tail

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        reader = Reader(recipe)
        flags = reader.u8()
        spare = reader.u8() if flags & SPARE else 0
        lines = read(reader)
        missing = -len(inner) % 3
        if flags > 7 or reader.left() or spare >> 2 * missing or (flags & SPARE and not spare):
            raise CorruptError("a recipe of base64 has a form that there is not")
        characters = -(-len(inner) // 3) * 4 - (0 if flags & PADDED else missing)
        if length(characters, lines) != size:
            raise CorruptError(f"base64 does not take the {size:,} bytes that belong there")
        text = binascii.b2a_base64(inner, newline=False)
        if missing:
            end = len(text) - missing - 1
            last = ALPHABET[ALPHABET.index(text[end]) + spare]
            text = text[:end] + bytes((last,)) + (text[end + 1 :] if flags & PADDED else b"")
        return broken(text.translate(TO_URL) if flags & URL else text, lines)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 5 * size


def _repays(text: bytes, inner: bytes) -> bool:
    """Whether bytes that stand alone are told no worse than characters: else these are words."""
    imported("numpy")
    import numpy as np

    plain, opened = (estimate.code_length(np.bincount(np.frombuffer(data, np.uint8))) for data in (text, inner))
    return opened * MARGIN <= plain * (MARGIN + 1)
