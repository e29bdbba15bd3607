"""The members of a file: what stands at their start, the one way in which they are written, and the walk over them."""

from __future__ import annotations

from collections.abc import Callable

from nzip.formats.container import Header, Parser

SIGNALS = ("image", "audio")  # kinds of members that stand for a picture or sound
READ_SIZE = 1 << 17  # bytes of a file that are read at a time

Read = Callable[[int], bytes | memoryview]
"""Gives the next bytes of a file, at most as many as it is asked for, and none at its end."""


def read_header(read: Read, begin: bytes = b"") -> tuple[Header, bytes]:
    """Return the header of the first member, and all bytes that were read, `begin` first.

    Raises:
        CorruptError, UnsupportedError: there is none that can be read.
    """
    parser = Parser()
    taken = bytearray()
    fresh: bytes | memoryview = begin
    while True:
        taken += fresh
        parser.feed(fresh)
        parser.next()
        if parser.header is not None:
            return parser.header, bytes(taken)
        fresh = read(READ_SIZE)
        if not fresh:
            raise parser.truncated()
