"""The members of a file: the one way in which they are written, and the one walk over what is in them.

A member is written in steps, each of which happened or can be made again, as an exception may come at any place. It is
read by `formats.container.Parser`: fed with what comes, by `Decompressor`; or, where the file can seek, by `walk`,
which passes over the payloads. Only `salvage` looks for itself: it has to doubt what the parser may believe.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple, TypeVar

import xxhash

from nzip.errors import CorruptError, TruncatedError
from nzip.formats.container.parser import Block, Event, Parser, empty
from nzip.formats.container.structures import MAX_BLOCK_HEADER, BlockHeader, End, Header, Index
from nzip.formats.container.wire import OutOfBytes, Reader

SIGNALS = ("image", "audio")  # kinds of members that stand for a picture or sound
READ_SIZE = 1 << 17  # bytes of a file that are read at a time
HEAD = 64  # bytes that most headers have at most

Read = Callable[[int], bytes | memoryview]
"""Gives the next bytes of a file, at most as many as it is asked for, and none at its end."""
S = TypeVar("S", Header, BlockHeader)


# --- writing ---------------------------------------------------------------------------------------------------------


class _Added(NamedTuple):
    """What the blocks up to one of them come to: their number, hash, and bytes of chunks."""

    blocks: int
    hash: xxhash.xxh3_64
    size: int


class MemberWriter:
    """Makes the bytes of one member: what stands before, behind and around the chunks of its blocks.

    Args:
        header: what it is to say; whether the member is solo is found out.

    Attributes:
        index: of the blocks that were added.

    Raises:
        ValueError: the header cannot say that.
    """

    def __init__(self, header: Header):
        self.header = header
        self._begin = header.encode()
        self._added = _Added(0, xxhash.xxh3_64(), 0)  # ahead of the index while a block is added to it
        self.index = Index()

    @property
    def size(self) -> int:
        """Bytes of the header and of all chunks so far."""
        return len(self._begin) + self._added.size

    def begin(self) -> bytes:
        """Return the header's bytes."""
        return self._begin

    def add(self, number: int, raw: bytes, chunk: bytes) -> None:
        """Note that the chunk of block `number`, which decodes to `raw`, comes next. Can be called again."""
        added = self._added
        if added.blocks == number:
            digest = added.hash.copy()
            digest.update(raw)
            self._added = _Added(number + 1, digest, added.size + len(chunk))
        self.index.add(0, len(chunk), len(raw))

    def end(self, table: bytes = b"") -> bytes:
        """Return what stands behind the last block: the chunk of a table of entries, if there is one, and the end."""
        return table + End(len(self._begin), self.index, len(table), self._added.hash.intdigest()).encode()

    def solo(self, chunk: bytes, raw: bytes | None = None) -> bytes:
        """Return the whole member where it is one block; by its content also in the short form, where there is one."""
        said = self.header
        bare = Header(primer=said.primer, content_size=said.content_size, reach=said.reach)
        if raw is not None and said.primer is not None and said == bare:
            reader = Reader(chunk)
            block = BlockHeader.parse(reader)
            brief = block.encode_brief(said.primer, raw, chunk[reader.pos :])
            if brief is not None:
                return brief
        header = replace(said, solo=True, content_size=None, reach=0)
        return header.encode() + chunk


def written(header: Header, blocks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a whole member.

    Args:
        header: what it is to say.
        blocks: the decoded bytes and the chunk of each, one or more.

    Raises:
        ValueError: the header cannot say that.
    """
    writer = MemberWriter(header)
    chunks = []
    for number, (raw, chunk) in enumerate(blocks):
        writer.add(number, raw, chunk)
        chunks.append(chunk)
    if len(chunks) == 1:
        return writer.solo(chunks[0], raw)
    return b"".join((writer.begin(), *chunks, writer.end()))


# --- reading ---------------------------------------------------------------------------------------------------------


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


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Return `count` bytes at `offset`, fewer only at the file's end; an unbuffered file may give them in parts."""
    file.seek(offset)
    data = file.read(count)
    while len(data) < count:
        more = file.read(count - len(data))
        if not more:
            break
        data += more
    return data


class Window:
    """Small pieces of a seekable file, read in larger ones.

    Attributes:
        size: bytes of the file.
    """

    NEAR = 1 << 16  # a piece further away than this is read alone

    def __init__(self, file: BinaryIO):
        self._file = file
        self._start = 0
        self._data = b""
        self.size = file.seek(0, os.SEEK_END)

    def truncated(self) -> TruncatedError:
        """Return the error for a file that ends too early."""
        if not self.size:
            return empty()
        return TruncatedError(f"the file is truncated (at byte {self.size:,}); its end is missing")

    def at(self, offset: int, count: int) -> bytes:
        """Return `count` bytes at `offset`, fewer only at the file's end."""
        begin = offset - self._start
        if begin < 0 or begin + count > len(self._data):
            near = 0 <= begin < len(self._data) + self.NEAR
            self._data = read_at(self._file, offset, max(count, self.NEAR if near else MAX_BLOCK_HEADER))
            self._start, begin = offset, 0
        return self._data[begin : begin + count]

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes at `offset`, fewer only at the file's end, and keep none of them."""
        begin = offset - self._start
        if begin >= 0 and begin + count <= len(self._data):
            return self._data[begin : begin + count]
        return read_at(self._file, offset, count)


def parsed(window: Window, offset: int, parse: Callable[[Reader], S], most: int) -> S:
    """Return the header that begins at `offset` and has at most `most` bytes.

    Raises:
        CorruptError, UnsupportedError: it is damaged, or cannot be read here.
        TruncatedError: the file ends in it.
    """
    # Most headers take under 64 bytes; the long read is for those with long fields or parameters.
    for count in (64, most):
        try:
            return parse(Reader(window.at(offset, count), partial=True))
        except OutOfBytes:
            pass
    raise window.truncated()


def walk(window: Window) -> Iterator[tuple[int, Event]]:
    """Give all that is in a file, with its place: of each member the header, the blocks without payloads, and the end.

    Raises:
        CorruptError, UnsupportedError: the file is damaged, or cannot be read here.
    """
    position = 0
    while position < window.size or not position:
        parser = Parser(payloads=False)
        try:
            yield from _walk_member(window, position, parser)
        except TruncatedError:
            raise
        except CorruptError as error:
            raise CorruptError(f"{error} (in the member at byte {position:,})") from None
        position += parser.offset


def _walk_member(window: Window, start: int, parser: Parser) -> Iterator[tuple[int, Event]]:
    def feed(count: int) -> None:
        piece = window.at(start + parser.offset + parser.left, count)
        if not piece:
            raise parser.truncated(start)
        parser.feed(piece)

    asked = HEAD
    while not parser.finished:
        if not parser.left:
            feed(asked)
        event = parser.next()
        place = start + parser.offset
        if place + parser.skip > window.size:
            raise window.truncated()
        if event is not None:
            size = event.header.size - event.header.payload_size if isinstance(event, Block) else event.size
            parser.pass_over()
            asked = HEAD
            yield place - size, event
        elif parser.skip:
            parser.pass_over()
        else:
            asked *= 4
            feed(asked)
