"""The table of a packed directory's entries as it stands in a file: a chunk with a member of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import BinaryIO

from nzip.codec.blocks import Coding, Limits, decode_block, encode_block
from nzip.codec.index import last_member
from nzip.codec.members import MemberWriter, read_at
from nzip.errors import CorruptError
from nzip.formats.container import entries
from nzip.formats.container.entries import TreeEntry
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.structures import Header
from nzip.registry import ENGINES
from nzip.settings import GENERAL, Settings


def encode(found: Sequence[TreeEntry], settings: Settings) -> bytes:
    """Return the chunk for a table of `found`; nothing where a table cannot say that."""
    last = settings.engines[-1]
    # Where the content's engine models contexts, so does the table's, and not slower than the default.
    coding = Coding((GENERAL if ENGINES.by_name(last.engine).sees_records else last,))
    raw = entries.encode_table(found)
    names = max((max(len(os.fsencode(entry.name)), len(os.fsencode(entry.linkname))) for entry in found), default=0)
    chunk = entries.encode_chunk(MemberWriter(Header()).solo(encode_block(raw, coding)))
    return chunk if max(len(raw), len(chunk)) <= entries.MAX_TABLE and names <= entries.MAX_ENTRY_NAME else b""


def decode(file: BinaryIO, max_memory: int, keep: Callable[[int], object]) -> list[TreeEntry] | None:
    """Return what the table of a file that is one member says; None where there is none.

    Args:
        file: seekable.
        max_memory: most bytes of memory for decoding the table.
        keep: see `decode_table`.

    Raises:
        CorruptError, UnsupportedError, LimitError: it is damaged, cannot be read here, or takes too much memory.
    """
    size = file.seek(0, os.SEEK_END)
    member = last_member(file, size)
    if member is None:
        return None
    start, end = member
    place = size - end.size - end.gap
    if start or entries.chunk_size(read_at(file, place, min(end.gap, entries.TABLE_HEAD))) != end.gap:
        return None
    limits = Limits(max_memory, entries.MAX_TABLE)
    parser = Parser(limits.admit)
    parser.feed(entries.decode_chunk(read_at(file, place, end.gap)))
    while not parser.finished:
        event = parser.next()
        if event is None:
            raise CorruptError("the table of entries is cut off")
    if not isinstance(event, Block) or parser.left or parser.header is None or not parser.header.solo:
        raise CorruptError("the table of entries is no member of one block")
    return entries.decode_table(decode_block(event.header, event.payload), keep)
