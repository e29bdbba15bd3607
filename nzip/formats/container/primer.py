"""The file of a primer of one's own: a text, packed, and its hash. docs/reference/FORMAT.md, section 2.8, defines it.

Invariants: nothing is allocated on the word of a length field; a text that does not match its hash is never returned.
"""

from __future__ import annotations

import hashlib

from nzip.errors import CorruptError
from nzip.formats.container.structures import DIGEST
from nzip.formats.container.wire import opened, uleb

MAGIC = b"\xf5np"
VERSION = 1
MOST = 16 << 20  # bytes of a text
LEVEL = 19


def digest_of(text: bytes) -> bytes:
    """Return the hash of a text, whose first bytes headers state."""
    return hashlib.blake2b(text, digest_size=DIGEST).digest()


def pack(text: bytes) -> bytes:
    """Return the file of a primer.

    Raises:
        ValueError: the text is empty, or too long.
    """
    import zstandard

    if not 0 < len(text) <= MOST:
        raise ValueError(f"a primer has 1 to {MOST:,} bytes, not {len(text):,}")
    frame = zstandard.ZstdCompressor(level=LEVEL, write_content_size=False).compress(text)
    return MAGIC + bytes((VERSION,)) + digest_of(text) + uleb(len(text)) + frame


def parse(data: bytes) -> bytes:
    """Return the text of a primer's file.

    Raises:
        CorruptError: it is none, or a damaged one.
        UnsupportedError: a later nzip made it.
    """
    import zstandard

    reader = opened(data, MAGIC, VERSION, what="primers", other="is no primer; nzip primer make makes one")
    digest, size = reader.bytes(DIGEST), reader.uleb()
    if not 0 < size <= MOST:
        raise CorruptError(f"the primer is damaged (it claims {size:,} bytes); get it again, or make it again")
    frame = reader.bytes(reader.left())
    text = b""
    try:
        if zstandard.get_frame_parameters(frame).content_size == zstandard.CONTENTSIZE_UNKNOWN:
            window = max(1 << 10, 1 << (size - 1).bit_length())
            reading = zstandard.ZstdDecompressor(max_window_size=window)
            text = reading.decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError:
        pass
    if len(text) != size or digest_of(text) != digest:
        raise CorruptError("the primer is damaged (its text does not match its hash); get it again, or make it again")
    return text
