"""`Parser` is fed the bytes of a member as they come, in pieces of any size, and returns whole structures.

It does no input or output, so that files, sockets and byte strings are all read by the same code. Bytes are only kept
once they have come, whatever a length field says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nzip.errors import CorruptError, TruncatedError, UnsupportedError
from nzip.formats.container.entries import ENTRIES, MAX_TABLE, decode_chunk
from nzip.formats.container.structures import (
    BLOCK,
    END,
    MAGIC,
    MAX_BLOCKS,
    OPTIONAL,
    REMEDY,
    BlockHeader,
    End,
    Header,
    Index,
)
from nzip.formats.container.wire import OutOfBytes, Reader

BLOCK_MARK, END_MARK, BRIEF_MARK = bytes((BLOCK,)), bytes((END,)), MAGIC[:1]


@dataclass(frozen=True)
class Block:
    """A block as the parser returns it: its header and its payload."""

    header: BlockHeader
    payload: bytes


Event = Header | Block | End


def empty() -> TruncatedError:
    """Return the error for a file without any bytes."""
    return TruncatedError("not an nzip file (it is empty); " + REMEDY)


class Parser:
    """Turns the bytes of one member, fed in pieces of any size, into `Header`, `Block`s and `End`.

    Args:
        admit: called with each block header before its payload is waited for; raises if the caller's limits
            do not allow the block.
        inside: start at a block (random access); nothing but `Block`s may come then.
        payloads: return blocks with their payloads; without, each comes as soon as its header is there, and `skip`
            bytes follow that need not be fed.
    """

    def __init__(
        self, admit: Callable[[BlockHeader], None] | None = None, *, inside: bool = False, payloads: bool = True
    ):
        self._admit = admit
        self._payloads = payloads
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's start in the member
        self._skip = 0  # bytes of an unknown optional chunk, or of a payload, still to drop
        self._gap = 0  # bytes of optional chunks since the last block
        self._pending: BlockHeader | None = None
        self._index = Index()
        self._inside = inside
        self.header: Header | None = Header() if inside else None
        self.finished = False

    @property
    def unused(self) -> bytes:
        """What was fed and not consumed; after the end, the bytes behind the member."""
        return bytes(self._buffer)

    @property
    def pending(self) -> BlockHeader | None:
        """The block whose payload is waited for."""
        return self._pending

    @property
    def started(self) -> bool:
        """Whether any byte was fed."""
        return bool(self._offset or self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes to what `next` works on."""
        self._buffer += data

    @property
    def offset(self) -> int:
        """Bytes of the member that were consumed."""
        return self._offset

    @property
    def blocks(self) -> int:
        """Block headers read so far."""
        return len(self._index)

    @property
    def left(self) -> int:
        """Bytes that were fed and not consumed."""
        return len(self._buffer)

    @property
    def skip(self) -> int:
        """Bytes behind those that were consumed that nobody needs."""
        return self._skip

    @property
    def behind_blocks(self) -> bool:
        """Whether all blocks were read, as far as can be seen, and the end was not."""
        if self.header is None or self.header.solo or self._pending is not None or self.finished:
            return False
        if self.header.content_size is None:
            return self._buffer[:1] == END_MARK
        return self.header.content_size == self._index.raw_size

    def pass_over(self) -> None:
        """Take what need not be fed as consumed."""
        del self._buffer[: self._skip]
        self._offset += self._skip
        self._skip = 0

    def take_over(self, other: Parser) -> None:
        """Go on with what `other` was fed and did not consume, without a copy of it."""
        self._buffer, other._buffer = other._buffer, bytearray()

    def truncated(self, before: int = 0) -> TruncatedError:
        """Return the error for input that ends here, `before` being bytes of the file before the member."""
        there = before + self._offset + len(self._buffer)
        if not there:
            return empty()
        where = f"at byte {there:,}"
        missing = "all blocks are there, and only what closes them" if self.behind_blocks else "its end"
        return TruncatedError(f"the file is truncated ({where}); {missing} is missing")

    def next(self) -> Event | None:
        """Return the next structure, or None when more bytes are needed or the member is finished.

        Raises:
            CorruptError, UnsupportedError: see the structures.
        """
        while not self.finished:
            if self._skip:
                dropped = min(self._skip, len(self._buffer))
                self._consume(dropped)
                self._skip -= dropped
                if self._skip:
                    return None
            try:
                event = self._step()
            except OutOfBytes:
                return None
            if event is not None:
                return event
        return None

    def _consume(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count

    def _taken(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        self._consume(count)
        return data

    def _step(self) -> Event | None:
        if self.header is None:
            reader = Reader(self._buffer, partial=True)
            self.header = Header.parse(reader)
            self._consume(reader.pos)
            return self.header
        if self._pending is not None:
            header = self._pending
            if len(self._buffer) < header.payload_size:
                raise OutOfBytes
            self._pending = None
            self.finished = self.header.solo
            return Block(header, self._taken(header.payload_size))
        reader = Reader(self._buffer, partial=True)
        brief = self.header.brief or (self._inside and self._buffer[:1] == BRIEF_MARK)
        if self._buffer[:1] == BLOCK_MARK or brief:
            # A block header is at most MAX_BLOCK_HEADER bytes, so waiting for it keeps little.
            header = self._start_block(reader)
            if self._payloads:
                self._pending = header
                return None
            self._skip = header.payload_size
            self.finished = self.header.solo
            return Block(header, b"")
        kind = reader.u8()
        if self._inside:
            raise CorruptError("the end index does not describe the blocks before it")
        if kind == 0:
            raise CorruptError(f"there is no chunk of type 0 (at byte {self._offset:,})")
        if self.header.solo:
            raise CorruptError("a solo member holds something other than one block")
        size = reader.uleb()
        if kind == END:
            if size > len(self._index) * 27 + 64:
                raise CorruptError("the end index is larger than the blocks before it can need")
            reader.bytes(size)
            end = End.parse(bytes(self._buffer[: reader.pos]))
            self._verify_end(end)
            self._consume(reader.pos)
            self.finished = True
            return end
        if not kind & OPTIONAL:
            # Behind bytes that are lost anything may stand where a chunk should, so it need not be a later version's.
            raise UnsupportedError(
                f"the file is damaged or made by a later nzip (at byte {self._offset:,} of its member is a chunk of "
                f"type {kind}, which is required and unknown)"
            )
        if kind == ENTRIES:
            if size > MAX_TABLE:
                raise CorruptError("a table of entries is larger than the format allows")
            if self._payloads:
                reader.bytes(size)
                decode_chunk(bytes(self._buffer[: reader.pos]))
                size = 0
        self._gap += reader.pos + size
        self._consume(reader.pos)
        self._skip = size
        return None

    def _start_block(self, reader: Reader) -> BlockHeader:
        assert self.header is not None
        header = BlockHeader.parse(reader)
        if header.raw_size == 0 and not self.header.solo:
            raise CorruptError("an empty block is only allowed alone")
        if len(self._index) >= MAX_BLOCKS:
            raise CorruptError(f"a member holds more than {MAX_BLOCKS} blocks")
        if self._admit is not None:
            self._admit(header)
        self._consume(reader.pos)
        if header.raw_size:
            self._index.add(self._gap, header.size, header.raw_size)
        self._gap = 0
        return header

    def _verify_end(self, end: End) -> None:
        assert self.header is not None
        if end.header_size != self.header.size or end.index != self._index or end.gap != self._gap:
            raise CorruptError("the end index does not describe the blocks before it")
        if self.header.content_size is not None and self.header.content_size != end.raw_size:
            raise CorruptError("the header states another content size than the blocks have")
