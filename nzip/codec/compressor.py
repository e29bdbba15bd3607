"""Streaming compression: bytes in, bytes of one member out.

The input is cut in blocks of a fixed size, each block is coded alone, and the chunks are written in order. Where
repeats are looked for (`formats.repeats`), a block says what it copies from those before it; only what is left is
coded, and has that size. What is written depends on the input and the settings, never on how the input was cut in calls
or on the number of threads.

An exception may come at any place: an interrupt, no memory, a thread that fails. So no state is kept twice, what is to
be coded is kept until its chunk was handed out, and each step either happened or is made again by the next call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple

from nzip.closing import Closing
from nzip.codec.blocks import encode_block, encode_copied, encode_within, end_of_block
from nzip.codec.coding import Coding
from nzip.codec.like import UNKNOWN, Known, Like, encode_like
from nzip.codec.members import MemberWriter
from nzip.codec.search.table import Searched
from nzip.codec.threads import Task, Workers, exclusive, thread_count
from nzip.codec.tuned import Alike, alike, encode_tuned, same, within
from nzip.formats.container import copies
from nzip.formats.container.structures import Header
from nzip.formats.content.containers.search import find, whole
from nzip.formats.content.containers.tensors import files as weights
from nzip.formats.content.continued import Begun, behind
from nzip.formats.content.torn import Ending, Torn, ending
from nzip.formats.openers.deflate.torn import Part
from nzip.formats.repeats.finder import Cut, Finder
from nzip.formats.search.gather import is_text
from nzip.process import imported
from nzip.settings import DEFAULT_LEVEL, LEAST_REPEATED, STORED, Settings, resolve

Buffer = bytes | bytearray | memoryview
MOST_GAIN = 64  # bytes of text that one byte of a window may stand for
LIKE_REACH = 1 << 26  # bytes that copies reach back, at levels without any, where a file is like another
FEW = 2048  # of a block of text that is searched so much comes from another, or nothing: both would be decoded
_HEADER = -1
_END = -2


class _Piece:
    """A part of the output: a header, the chunk of a block, or the end.

    Args:
        number: the block's number, `_HEADER` or `_END`.
        start: where its bytes begin in the content.
        raw: its bytes; dropped when the chunk is there.
        cut: the same without repeats, where these were looked for.
        task: what makes the chunk.
        behind: what goes on behind its bytes, if it is pictures, sound or tensors,
        torn: and if it is a deflate stream.
        offset: of the chunk in the output; known when the chunk is there.
        chunk: its part of the output, when it is there.
    """

    __slots__ = ("behind", "chunk", "cut", "end", "number", "offset", "raw", "start", "task", "torn")

    def __init__(
        self,
        number: int,
        start: int,
        raw: bytes = b"",
        task: Task[bytes] | None = None,
        *,
        cut: Cut | None = None,
        behind: Begun = (),
        torn: Torn | None = None,
        offset: int = 0,
        chunk: bytes | None = None,
    ):
        self.number = number
        self.start = start
        self.end = start + len(raw)
        self.raw = raw
        self.cut = cut
        self.task = task
        self.behind = behind
        self.torn = torn
        self.offset = offset
        self.chunk = chunk


class _Rest(NamedTuple):
    """Input that no piece holds: where it begins in the content, what it is, and what goes on there: a picture, a
    sound, tensors or a deflate stream."""

    start: int
    data: bytearray
    begun: Begun = ()
    torn: Torn | None = None


class _Block(NamedTuple):
    """The next block: its bytes, the same without repeats where these were looked for, how it ends, and what it has of
    tensors that an old file has too."""

    raw: bytes
    cut: Cut | None
    ending: Ending
    alike: Sequence[Alike] = ()

    @property
    def literals(self) -> bytes:
        return self.raw if self.cut is None else self.cut.literals


class Compressor(Closing):
    """Compresses a stream into one member of an nzip file, as `lzma.LZMACompressor` does.

    After an exception, of whatever kind, a compressor can be used on: what was finished and not handed out comes with
    the next call. `bytes_in` then says how much of its data the call that failed has taken. One thread calls at a time;
    others wait.

    Args:
        level: 1 (fastest) .. 9 (smallest), or settings that were resolved before.
        engine: name of an engine to use in place of the level's; parameters may follow it, as in `"cm:preset=2"`.
        params: its parameters, or some of those of the level's engine.
        threads: blocks coded at the same time; 0 for all cores. The output does not depend on it.
        block_size: bytes of input in a block, 1 KiB .. 1 GiB; the level's where left out.
        window_bits: cut blocks so that each has about so many bits of payload, 256 .. 2^26, for random access at
            equal cost; only for engines that can (`lm`), and one block after the other.
        verify: decode every block after it is encoded; a block that does not come back is stored as it is. Left out,
            the engine says whether (`lm` does).
        content_size: bytes that will be given, when known; stored for readers that want it ahead.
        name: base name to store.
        mode: permission bits to store.
        mtime_ns: modification time to store, nanoseconds since 1970 UTC.
        kind: `"tar"` when the content is a tar archive of one directory.
        like: a file that the content is like, as a path or its bytes; who decodes needs it as well.
        primer: one that `nzip.make_primer` made, as a path or its bytes; who decodes needs it as well.
        searchable: whether text of several blocks gets a table of its words and times, by which `nzip.grep` finds lines
            without decoding all. Left out, the level says so (from 2 on), and the table is at most a hundredth of the
            rest; True writes one whatever it costs.

    Attributes:
        bytes_in: bytes of input taken.
        bytes_coded: bytes of input whose blocks were handed out.
        bytes_out: bytes of output handed out.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        level: int | Settings = DEFAULT_LEVEL,
        *,
        engine: str | None = None,
        params: Mapping[str, Any] | Sequence[str] | None = None,
        threads: int = 1,
        block_size: int | None = None,
        window_bits: int | None = None,
        verify: bool | None = None,
        content_size: int | None = None,
        name: str | None = None,
        mode: int | None = None,
        mtime_ns: int | None = None,
        kind: str | None = None,
        like: Like = None,
        primer: Like = None,
        searchable: bool | None = None,
    ):
        settings = resolve(level, engine=engine, params=params, block_size=block_size)
        self._block_size = settings.block_size
        if window_bits is not None:
            if not 256 <= window_bits <= 1 << 26:
                raise ValueError(f"window_bits {window_bits} is not in 256..{1 << 26}")
            if not settings.cuts:
                raise ValueError(f"engine {settings.engines[-1].engine} cannot cut blocks by window_bits")
        self._limit = 0 if window_bits is None else -(-window_bits // 8)
        if self._limit:
            self._block_size = min(self._block_size, MOST_GAIN * self._limit)
        self._most_content = self._block_size if self._limit else settings.most_content
        self._beside = Known.of(like, primer)
        self._old = self._beside.old
        self._reach = settings.reach if settings.finds_repeats and not self._limit else 0
        if self._limit and self._beside != UNKNOWN:
            raise ValueError("blocks that are like a file, or have a primer, cannot be cut by window_bits")
        if self._old is not None:
            self._reach = settings.reach or LIKE_REACH
            self._most_content = max(self._most_content, 4 * self._block_size)
        self._repeats: Finder | None = None
        self._alike: Sequence[Alike] = ()  # tensors of the whole content that the old file has too
        self._coding = Coding(
            settings.engines,
            opened=settings.opened,
            block_size=self._block_size,
            verify=verify,
            beside=settings.beside,
        )
        self._search = Searched(searchable) if searchable or (searchable is None and settings.searched) else None
        self._writer = MemberWriter(
            Header(
                name=name,
                mode=mode,
                mtime_ns=mtime_ns,
                content_size=content_size,
                kind=kind,
                reach=self._reach,
                like=None if self._old is None else self._old.named,
                primer=None if self._beside.primer is None else self._beside.primer.id,
            )
        )
        self._workers = Workers(1 if self._limit else thread_count(threads))
        self._lock = threading.RLock()
        self._rest = _Rest(0, bytearray())
        self._pieces: list[_Piece] = []  # what was not handed out, in order
        self._begun = False  # the header is made; a solo member's is part of its one piece
        self._table = b""  # the chunk that stands behind the blocks of a packed directory
        self._end: _Piece | None = None
        self._closed = False
        self._dropped: int | None = None  # what bytes_out was when the work was dropped

    @property
    def bytes_in(self) -> int:
        return self._rest.start + len(self._rest.data)

    @property
    def bytes_coded(self) -> int:
        return self._pieces[0].start if self._pieces else self._rest.start

    @property
    def bytes_out(self) -> int:
        if self._dropped is not None:
            return self._dropped
        if self._pieces and self._pieces[0].chunk is not None:
            return self._pieces[0].offset
        if self._end is not None and self._end.chunk is not None:
            return self._end.offset + len(self._end.chunk)
        return self._made

    @property
    def _made(self) -> int:
        """Bytes of output up to the last block that is coded."""
        return self._writer.size if self._begun else 0

    def compress(self, data: Buffer) -> bytes:
        """Take `data` in and return what is ready of the output, possibly nothing.

        Raises:
            ValueError: `flush` or `close` was called before.
        """
        with exclusive(self._lock):
            self._feed(data)
            return self._take()

    def flush(self) -> bytes:
        """Finish the member and return the rest of the output.

        Where it fails, it can be called again.

        Raises:
            ValueError: it was called before, or another number of bytes came than `content_size` said.
        """
        with exclusive(self._lock):
            if self._closed or (self._end is not None and not self._pieces):
                raise ValueError("the compressor has been flushed")
            self._finish()
            self._workers.close()
            return self._take()

    def close(self) -> None:
        """Drop unfinished work and end the threads. Safe to call at any time."""
        with self._lock:
            self._close()

    # For archives of directories

    def _border(self, ahead: int) -> None:
        """Say that `ahead` bytes of another kind begin here: a block that is half full ends, lest those be torn. Where
        they fit in it, it goes on, for each block begins anew with what it learns.

        Raises:
            ValueError: `flush` or `close` was called before.
        """
        with exclusive(self._lock):
            self._settle()
            if self._closed or self._end is not None:
                raise ValueError("the compressor has been flushed")
            if not self._limit and 2 * len(self._rest.data) >= self._block_size and ahead > self._room:
                self._cut()

    def _add_table(self, chunk: bytes) -> None:
        """Have the table of a directory's entries (`formats.container.entries`) stand behind the blocks; with one, a
        member is never solo."""
        self._table = chunk

    # What follows `NzipFile` uses too: it hands out each piece as the file under it takes it.

    def _feed(self, data: Buffer) -> None:
        """Take `data` in."""
        self._settle()
        if self._closed or self._end is not None:
            raise ValueError("the compressor has been flushed")
        view = memoryview(data).cast("B")
        # In parts of a block at most, so that no more than a block of it is copied.
        while view:
            # A full block is only coded when more follows: an input of one block is a solo member.
            if not self._room:
                self._cut(more=True)
            buffer = self._rest.data
            part = view[: self._room]
            buffer += part
            view = view[len(part) :]
            self._look()
        if self._pieces:
            self._collect(self._most_waiting)

    def _finish(self) -> None:
        """Make the rest of the member, where that is not done."""
        self._settle()
        if self._end is not None:
            return
        expected = self._writer.header.content_size
        if expected is not None and expected != self.bytes_in:
            raise ValueError(f"content_size was {expected} and {self.bytes_in} bytes came")
        self._look()
        block = None if self._begun or self._table or self._limit else self._next()
        if block is not None and len(block.raw) == len(self._rest.data):
            end = self._writer.solo(self._job(block, 0)(), block.raw)
        elif not self._rest.data and not self._begun and not self._table:
            end = self._writer.solo(_coded(b"", None, self._coding, self._beside, 0), b"")
        else:
            self._start()
            while self._rest.data:
                self._cut()
            self._collect(0)
            end = self._writer.end(self._table + self._searched())
        self._add(_Piece(_END, self.bytes_in, offset=self._made, chunk=end))

    def _store_rest(self) -> None:
        """Have all that is not coded yet stored as it is, which asks for neither memory nor time."""
        self._coding, self._limit = Coding((STORED,)), 0
        self._search = None
        self._reach, self._repeats = 0, None
        for piece in self._pieces:
            if piece.chunk is None:
                piece.task = Task(partial(_coded, piece.raw, piece.cut, self._coding, UNKNOWN, 0))

    def _ready(self) -> list[_Piece]:
        """Return the pieces from the first on whose chunks are there."""
        self._settle()
        coded = len(self._writer.index)
        return list(takewhile(lambda piece: piece.number < coded, self._pieces))

    def _drop(self, piece: _Piece) -> None:
        """Forget the first piece, which is handed out."""
        if self._pieces and self._pieces[0] is piece:
            del self._pieces[0]

    def _take(self) -> bytes:
        """Hand out what is ready."""
        ready = self._ready()
        out = b"".join([piece.chunk or b"" for piece in ready])
        try:
            del self._pieces[: len(ready)]
            return out
        except BaseException:
            if ready and self._pieces[:1] != ready[:1]:
                self._pieces[:0] = ready
            raise

    def _close(self) -> None:
        if not self._closed and self._end is None:
            self._dropped = self.bytes_out
        self._closed = True
        for piece in self._pieces:
            if piece.task is not None:
                piece.task.cancel()
        self._pieces = []
        self._rest = _Rest(self.bytes_in, bytearray())
        self._workers.close()

    def _add(self, piece: _Piece) -> None:
        self._pieces.append(piece)
        self._settle()

    def _settle(self) -> None:
        """Do what follows from the last piece: where an exception came in between, the next call does it."""
        if not self._pieces:
            return
        last, rest = self._pieces[-1], self._rest
        if last.number == _END:
            self._end = last
        elif last.number == _HEADER:
            self._begun = True
        else:
            if last.end > rest.start:
                self._rest = _Rest(last.end, rest.data[last.end - rest.start :], last.behind, last.torn)
            if last.cut is not None and self._repeats is not None:
                self._repeats.advance(last.cut)

    def _start(self) -> None:
        if not self._begun:
            self._add(_Piece(_HEADER, 0, chunk=self._writer.begin()))

    @property
    def _most_waiting(self) -> int:
        return self._workers.count if self._workers.count > 1 else 0

    def _waiting(self) -> int:
        """Return how many blocks, the last of the pieces, are not coded or not added to the index yet."""
        if not self._pieces or self._pieces[-1].number < 0:
            return 0
        return self._pieces[-1].number + 1 - len(self._writer.index)

    def _cut(self, *, more: bool = False) -> None:
        """Make the next block of what is there: all; or, for a window, what one takes; or, where `more` follows, all up
        to a border of content near the end. The rest waits for more."""
        self._start()
        number = len(self._writer.index) + self._waiting()
        if self._limit:
            count, chunk = encode_within(bytes(self._rest.data), self._coding, self._limit)
            self._add(_Piece(number, self._rest.start, bytes(self._rest.data[:count]), Task(lambda: chunk)))
        else:
            block = self._next(more=more)
            torn = block.ending.torn
            follows = more and self._coding.opened and torn is None
            # Tensors lie where the content has them, with or without what is copied.
            seen = block.raw if _are_tensors(self._rest.begun) or weights.begins(block.raw, 0) else block.literals
            after = behind(seen, self._rest.begun) if follows else ()
            task = self._workers.submit(self._job(block, number))
            piece = _Piece(number, self._rest.start, block.raw, task, cut=block.cut, behind=after, torn=torn)
            self._add(piece)
        self._collect(self._most_waiting)

    def _next(self, *, more: bool = False) -> _Block:
        """Return the next block of what is there: all, but where that tears long streams; or, where `more` follows, all
        up to a border of content near the end."""
        raw = bytes(self._rest.data)
        if self._repeats is not None:
            self._look()
            return self._without_repeats(raw, self._repeats, more)
        found = self._ending(raw, more)
        return _Block(raw[: found.size], None, found)

    def _ending(self, literals: bytes, more: bool) -> Ending:
        """Return where a block that could hold `literals` ends."""
        found, room = Ending(len(literals)), self._coding.opened
        begun = sum(segment.length for segment in self._rest.begun)
        if room is not None and (begun >= len(literals) or weights.fills(literals)):
            return found  # there are no streams in it
        if room is not None and room.total and self._beside == UNKNOWN and literals:
            imported("numpy")
            found = ending(literals, self._rest.torn, self._block_size, room, more)
        if more and found == Ending(len(literals)) and literals:
            found = Ending(end_of_block(literals, self._coding))
        return found

    def _job(self, block: _Block, number: int) -> Callable[[], bytes]:
        """Return what makes the chunk of a block."""
        known, begun, parts = self._beside, self._rest.begun, block.ending.parts
        if _are_tensors(begun) and block.cut is not None and block.cut.copies:
            begun = ()  # what is left of them lies elsewhere
        return partial(_coded, block.raw, block.cut, self._coding, known, number, begun, parts, block.alike)

    def _collect(self, most_waiting: int) -> None:
        """Add finished chunks to the index, in order; wait for the oldest while more than `most_waiting` wait."""
        while waiting := self._waiting():
            piece = self._pieces[-waiting]
            if piece.chunk is None:
                assert piece.task is not None
                if waiting <= most_waiting and not piece.task.done():
                    return
                piece.offset = self._made
                piece.chunk = piece.task.result()
            if self._search is not None:
                self._search.add(piece.number, piece.raw)
            self._writer.add(piece.number, piece.raw, piece.chunk)
            piece.raw, piece.task = b"", None
            if piece.cut is not None:
                piece.cut = piece.cut._replace(literals=b"", copies=())

    def _searched(self) -> bytes:
        """Return the chunk for searches; nothing where there is none."""
        return b"" if self._search is None else self._search.chunk(self._writer.size)

    # ---- repeats

    @property
    def _room(self) -> int:
        """Bytes that the block still takes."""
        size = len(self._rest.data)
        if self._repeats is None:
            return max(0, self._block_size - size)
        return max(0, min(self._block_size - self._repeats.literals, self._most_content - size))

    def _look(self) -> None:
        """Look for repeats in what there is of the block: from so many bytes on, and then in all."""
        if not self._reach or (self._repeats is None and self._old is None and self.bytes_in < LEAST_REPEATED):
            return
        if self._repeats is None:
            imported("numpy")
            self._repeats = Finder(self._reach) if self._old is None else self._old.finder(self._reach)
        self._repeats.scan(self._rest.data)

    def _without_repeats(self, raw: bytes, repeats: Finder, more: bool) -> _Block:
        """Return the next block, what it copies left out."""
        if self._old is not None and not self._rest.start:
            self._alike = alike(raw, self._old)
        tensors = within(self._alike, self._rest.start, self._rest.start + len(raw))
        if self._old is not None and tensors and not same(tensors, raw, self._old):
            cut = repeats.cut(self._block_size, block=raw, apart=[(each.start, each.stop) for each in tensors])
            return _Block(raw[: cut.size], cut, Ending(len(cut.literals)), within(tensors, 0, cut.size))
        files: list[tuple[int, int]] = []
        if self._coding.opened and self._old is None and repeats.copies:
            files = [(part.start, part.stop) for part in self._ending(raw, more).parts]
            spans = whole(find(raw))
            if _are_tensors(self._rest.begun):
                held = min(len(raw), sum(segment.length for segment in self._rest.begun))
                spans = [(0, held), *(span for span in spans if span[0] >= held)]
            files = sorted(files + spans)
        least = self._block_size // FEW if self._search is not None and is_text(raw) else 0
        cut = repeats.cut(self._block_size, files, least, raw)
        found = self._ending(cut.literals, more)
        if found.size < len(cut.literals):
            cut = repeats.cut(found.size, files, least, raw)
        return _Block(raw[: cut.size], cut, found)


def _are_tensors(begun: Begun) -> bool:
    return any(segment.kind == "weights" for segment in begun)


def _coded(
    raw: bytes,
    cut: Cut | None,
    coding: Coding,
    known: Known,
    before: int,
    begun: Begun = (),
    parts: Sequence[Part] = (),
    alike: Sequence[Alike] = (),
) -> bytes:
    """Return the chunk of a block: with what it copies where repeats were looked for, and by what is known beside."""
    literals, found = (raw, []) if cut is None else (cut.literals, list(cut.copies))
    packed = copies.pack(found, raw, len(literals))
    chunk = None
    if known.old is not None and alike:
        chunk = encode_tuned(literals, coding, known.old, alike, found, packed, len(raw))
    if known.old is not None and chunk is None:
        chunk = encode_like(literals, coding, known.old, before, found, packed, len(raw))
    elif known.primer is not None:
        chunk = known.primer.encode(literals, coding, packed, len(raw))
    if chunk is not None:
        return chunk
    if packed:
        return encode_copied(literals, coding, packed, len(raw), begun, parts)
    return encode_block(literals, coding, begun, parts)


def compress(
    data: Buffer,
    level: int | Settings = DEFAULT_LEVEL,
    *,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    threads: int = 1,
    block_size: int | None = None,
    window_bits: int | None = None,
    verify: bool | None = None,
    like: Like = None,
    primer: Like = None,
    searchable: bool | None = None,
) -> bytes:
    """Return `data` as an nzip file of one member; see `Compressor` for the arguments."""
    with Compressor(
        level,
        engine=engine,
        params=params,
        threads=threads,
        block_size=block_size,
        window_bits=window_bits,
        verify=verify,
        like=like,
        primer=primer,
        searchable=searchable,
    ) as compressor:
        return compressor.compress(data) + compressor.flush()
