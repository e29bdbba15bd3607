"""The table for searches as it stands in a file: a chunk with a member of its own."""

from __future__ import annotations

from typing import BinaryIO

from nzip.codec.blocks import Coding, Limits, decode_block, encode_block
from nzip.codec.index import Gap
from nzip.codec.members import MemberWriter, read_at
from nzip.errors import NzipError
from nzip.formats.container import entries, search
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.search import Known
from nzip.formats.container.structures import Header
from nzip.formats.search.gather import DEAR, Gatherer
from nzip.formats.search.times import FORMS
from nzip.settings import SEARCH_TABLE

SHARE = 100  # bytes of a member for one of its table


class Searched:
    """Makes the table of a member while its blocks are made.

    Args:
        always: write it whatever it costs.
    """

    def __init__(self, always: bool | None = False):
        self._always = bool(always)
        self._gatherer: Gatherer | None = None

    def add(self, number: int, raw: bytes) -> None:
        """Take the content of block `number`; it can be given again."""
        if self._gatherer is None:
            self._gatherer = Gatherer()
        self._gatherer.add(number, raw)

    def chunk(self, size: int) -> bytes:
        """Return the chunk of a member that has `size` bytes without it; nothing where it would be too large."""
        gatherer = self._gatherer
        if gatherer is None:
            return b""
        for kinds in (0, *DEAR):  # those are left out until it is small enough
            known = gatherer.without(kinds)
            if known is None:
                break
            table = search.encode_table(known)
            chunk = search.encode_chunk(MemberWriter(Header()).solo(encode_block(table, Coding((SEARCH_TABLE,)))))
            if max(len(table), len(chunk)) <= search.MAX_TABLE and (self._always or len(chunk) * SHARE <= size):
                return chunk
        return b""


def load(file: BinaryIO, gap: Gap, max_memory: int) -> Known | None:
    """Return what the table among the chunks behind a member's blocks says; None where there is none to believe."""
    offset, size = gap.offset, gap.size
    try:
        before = entries.chunk_size(read_at(file, offset, min(size, entries.TABLE_HEAD)))
        if before is not None:
            offset, size = offset + before, size - before
        if size <= 0 or search.chunk_size(read_at(file, offset, min(size, search.HEAD))) != size:
            return None
        parser = Parser(Limits(max_memory, search.MAX_TABLE).admit)
        parser.feed(search.decode_chunk(read_at(file, offset, size)))
        while not parser.finished:
            event = parser.next()
            if event is None:
                return None
        if not isinstance(event, Block) or parser.left or parser.header is None or not parser.header.solo:
            return None
        known = search.decode_table(decode_block(event.header, event.payload), gap.stop - gap.first)
        if known.times is not None and known.times.form >= len(FORMS):  # of a later version
            known = known._replace(times=None)
        return known
    except NzipError:
        return None
