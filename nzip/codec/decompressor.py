"""Streaming decompression: bytes of an nzip file in, verified bytes out.

Only blocks whose check matched are handed out, so wrong bytes never leave this module. What is sound before a fault is
handed out before the fault is raised.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import xxhash

from nzip.closing import Closing
from nzip.codec.blocks import DEFAULT_MAX_MEMORY, Limits, at_block, decode_block, memory_needed
from nzip.codec.like import UNKNOWN, Known, Like
from nzip.codec.members import READ_SIZE, Read
from nzip.codec.past import Past
from nzip.codec.threads import Task, Workers, exclusive, thread_count
from nzip.errors import CorruptError, LimitError, TruncatedError
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.structures import MAX_BLOCK, REMEDY, BlockHeader, End, Header

Buffer = bytes | bytearray | memoryview
PIECE = 1 << 16  # bytes that `decompress` feeds at a time


class _Waiting(NamedTuple):
    """A block that is being decoded."""

    header: BlockHeader
    copies: bytes
    task: Task[bytes]


class Decompressor(Closing):
    """Decompresses one member, as `lzma.LZMADecompressor` does. A file may hold several: see `unused_data`.

    Where the data is damaged, the call that meets the fault gives the sound bytes before it, and the next one raises;
    where there are none it raises at once. So the end is only reached when `eof` is true. One thread calls at a time;
    others wait.

    Args:
        max_output_size: most decoded bytes to hand out; None for no limit.
        max_memory: most bytes of memory for the blocks decoded at one time; fewer than `threads` are where they
            need more together.
        max_block: most decoded bytes of one block; None for the format's own limit.
        threads: blocks decoded at the same time; 0 for all cores.
        like, primer: the file that the member was made like, or the primer, as a path or its bytes, where it has one.

    Attributes:
        eof: the member's end was reached and verified.
        unused_data: bytes behind the end of the member.
        needs_input: `decompress` has nothing more to give before it gets more input.
        header: the member's `Header`, once it was read.
        output_size: decoded bytes so far.
    """

    def __init__(
        self,
        *,
        max_output_size: int | None = None,
        max_memory: int = DEFAULT_MAX_MEMORY,
        max_block: int | None = None,
        threads: int = 1,
        like: Like = None,
        primer: Like = None,
    ):
        self._given = Known.of(like, primer)
        self._beside = UNKNOWN  # what of this the member needs
        self._limits = Limits(max_memory, MAX_BLOCK if max_block is None else max_block)
        self._max_output_size = max_output_size
        self._workers = Workers(thread_count(threads))
        self._lock = threading.RLock()
        self._parser = Parser(self._admit)
        self._queue: deque[_Waiting] = deque()
        self._ready: bytes | bytearray = b""  # a block as it came, as long as it is the only one, and is given whole
        self._hash = xxhash.xxh3_64()
        self._past = Past(0)
        self._kept = 0  # bytes that it takes
        self._end: End | None = None
        self._admitted = 0
        self._collected = 0
        self._failure: Exception | None = None
        self._blame: CorruptError | None = None  # what names the place of a member that is none
        self._busy = False  # still true at the next call when an exception ended a call
        self._input_ended = False
        self._before = (0, 0, 0)  # blocks, decoded bytes and bytes of the members before this one
        self._budget = max_memory  # for all blocks under way
        self._prepare: Callable[[BlockHeader], None] | None = None  # called with each header before its block
        self.output_size = 0
        self.eof = False
        self.needs_input = True

    @property
    def header(self) -> Header | None:
        return self._parser.header

    @property
    def _follows(self) -> bool:
        """Whether nothing was given of this member and another one stands before it: a file may end here."""
        return self._before[2] > 0 and not self._parser.started

    @property
    def unused_data(self) -> bytes:
        return self._parser.unused if self.eof else b""

    def decompress(self, data: Buffer = b"", max_length: int = -1) -> bytes:
        """Take `data` in and return decoded bytes, at most `max_length` of them when it is not negative.

        Raises:
            CorruptError: the data is damaged or no nzip file. Says which block and bytes of the content are lost.
            TruncatedError: `end_input` was called before the end of the member; both CorruptError and EOFError.
            UnsupportedError: it needs a later nzip or an engine that is not installed.
            LimitError: it needs more memory or output than the limits allow.
            EOFError: the end of the member was reached before.
            RuntimeError: an earlier call was interrupted.
        """
        with exclusive(self._lock):
            if self._busy and self._failure is None:
                raise RuntimeError("an earlier call was interrupted; begin again with a new Decompressor")
            if self.eof:
                raise EOFError("the end of the member was already reached")
            self._busy = True
            out = self._decompress(data, max_length)
            self._busy = False
            return out

    def end_input(self) -> None:
        """Say that no more input comes: a member that is not complete then raises TruncatedError."""
        self._input_ended = True
        self.needs_input = False

    def close(self) -> None:
        """Drop unfinished work and end the threads. Safe to call at any time."""
        for waiting in self._queue:
            waiting.task.cancel()
        self._queue.clear()
        self._workers.close()

    def _next(self) -> Decompressor:
        """Return what decompresses the member behind this one, and has what this one was given and did not use.

        It counts blocks and bytes from the file's start, for messages.
        """
        left = None if self._max_output_size is None else self._max_output_size - self.output_size
        member = Decompressor(
            max_output_size=left,
            max_memory=self._limits.max_memory,
            max_block=self._limits.max_block,
            threads=self._workers.count,
            like=self._given.old,
            primer=self._given.primer,
        )
        blocks, raw, size = self._before
        member._before = (blocks + self._parser.blocks, raw + self.output_size, size + self._parser.offset)
        member._budget, member._prepare = self._budget, self._prepare
        member._parser.take_over(self._parser)
        member.needs_input = not member._parser.left
        return member

    def _decompress(self, data: Buffer, max_length: int) -> bytes:
        stalled = False
        if self._failure is None:
            try:
                self._parser.feed(data)
                stalled = self._advance(max_length)
                if self._parser.finished and not self._queue:
                    self._finish()
                if stalled and self._input_ended and not self._ready and not self._parser.finished:
                    raise self._truncated()
            except MemoryError:
                raise
            except Exception as error:
                self._failure = self._blamed(error)
                self.close()
        if self._failure is not None and not self._ready:
            raise self._failure
        count = len(self._ready) if max_length < 0 else min(max_length, len(self._ready))
        if count == len(self._ready):
            out, self._ready = bytes(self._ready), b""
        else:
            self._ready = kept = _growing(self._ready)
            out = bytes(kept[:count])
            del kept[:count]
        if self._failure is None:
            self.eof = self._parser.finished and not self._queue and not self._ready
        self.needs_input = stalled and not self.eof and not self._ready and not self._input_ended
        if self.eof:
            self.close()
        return out

    def _admit(self, header: BlockHeader) -> None:
        self._limits.admit(header, self._parser.blocks, self._kept)
        if self._prepare is not None:
            self._prepare(header)
        self._admitted += header.raw_size
        if self._max_output_size is not None and self._admitted > self._max_output_size:
            raise LimitError(
                f"the decoded data is larger than {self._max_output_size:,} bytes (max_output_size); raise it"
            )

    def _advance(self, max_length: int) -> bool:
        """Parse and decode until `max_length` bytes are ready; return whether more input is needed to go on."""
        failure: Exception | None = None
        while max_length < 0 or len(self._ready) < max_length:
            event = None
            if len(self._queue) < self._workers.count and failure is None:
                try:
                    event = self._parser.next()
                except MemoryError:
                    raise
                except Exception as error:
                    # What was read before it is under way and comes first.
                    failure = self._blamed(error)
            if failure is not None and not self._queue:
                raise failure
            if isinstance(event, Block):
                self._submit(event)
            elif isinstance(event, Header):
                self._begin(event)
            elif isinstance(event, End):
                self._end = event
            elif event is None:
                full = len(self._queue) >= self._workers.count
                ended = self._parser.finished or self._input_ended or failure is not None
                if not self._queue or not (full or ended or self._queue[0].task.done()):
                    return True
                self._collect()
        if failure is not None:
            raise failure
        return False

    def _begin(self, header: Header) -> None:
        """Make ready for what the header says that blocks copy from."""
        self._beside = self._given.needed(header)
        if header.reach:
            kept = header.reach if header.content_size is None else min(header.reach, header.content_size)
            self._limits.admit_memory(kept, "keeping what later blocks may copy")
            self._kept = kept
        self._past = Past(header.reach, self._beside.old)

    def _submit(self, block: Block) -> None:
        needed = memory_needed(block.header)
        while self._queue and sum(memory_needed(w.header) for w in self._queue) + needed > self._budget:
            self._collect()
        number = self._collected + len(self._queue)
        call = partial(decode_block, block.header, block.payload, self._beside, number)
        # A solo member is one block, which no thread needs to be started for.
        alone = self._workers.count == 1 or (self.header is not None and self.header.solo)
        task = Task(call) if alone else self._workers.submit(call)
        self._queue.append(_Waiting(block.header, block.payload[: block.header.copies_size], task))
        if alone:
            self._collect()

    def _collect(self) -> None:
        header, copies, task = self._queue[0]
        try:
            raw = self._past.content(header, copies, task.result())
        except CorruptError as error:
            blocks, before, _ = self._before
            raise at_block(error, blocks + self._collected, before + self.output_size, header.raw_size) from None
        self._queue.popleft()
        self._collected += 1
        self._hash.update(raw)
        self.output_size += len(raw)
        if self._ready:
            self._ready = _growing(self._ready)
            self._ready += raw
        else:
            self._ready = raw

    def _finish(self) -> None:
        if self._end is not None and self._hash.intdigest() != self._end.check:
            raise CorruptError("the content is damaged (its blocks match, the check of the whole does not)")

    def _truncated(self) -> CorruptError:
        return self._parser.truncated(self._before[2])

    def _blamed(self, error: Exception) -> Exception:
        """Return `error` with what is lost in its message, where it is one of the data."""
        blocks, before, size = self._before
        parser = self._parser
        if not isinstance(error, CorruptError) or error.block is not None or parser.finished or error is self._blame:
            return error
        if parser.behind_blocks:  # no block is at fault, and nothing lost
            error.start = error.stop = before + self._admitted
            return error
        if parser.header is None:
            if not size:
                return error
            if isinstance(error, TruncatedError):
                error.start = before
                return error
            place = f"what follows byte {size:,}, where a complete member ends"
            why = str(error).removesuffix(f"; {REMEDY}")
            self._blame = CorruptError(f"{place}, is no member: {why}")
            return self._blame
        if parser.pending is not None:
            header = parser.pending
            return at_block(
                error, blocks + parser.blocks - 1, before + self._admitted - header.raw_size, header.raw_size
            )
        return at_block(error, blocks + parser.blocks, before + self._admitted, None)


def _growing(data: bytes | bytearray) -> bytearray:
    return data if isinstance(data, bytearray) else bytearray(data)


class Contents(Closing):
    """The content of all members that a file holds, one after another, for a `with`.

    Args:
        read: gives the next bytes of the file.
        begin: bytes of it that were read before.
        max_output_size, max_memory, threads, like, primer: as for `Decompressor`.
        budget: most bytes of memory for all blocks under way, where `max_memory` is for each of them.
        prepare: called with each block's header, which is within the limits, before the block is waited for.

    Attributes:
        header: of the first member, once it was read.
        members: how many were read to their ends.
    """

    def __init__(
        self,
        read: Read,
        begin: Buffer = b"",
        *,
        max_output_size: int | None = None,
        max_memory: int = DEFAULT_MAX_MEMORY,
        threads: int = 1,
        budget: int | None = None,
        prepare: Callable[[BlockHeader], None] | None = None,
        like: Like = None,
        primer: Like = None,
    ):
        self._read = read
        self._begin = begin
        self._member: Decompressor | None = Decompressor(
            max_output_size=max_output_size, max_memory=max_memory, threads=threads, like=like, primer=primer
        )
        self._member._budget = max_memory if budget is None else budget
        self._member._prepare = prepare
        self.header: Header | None = None
        self.members = 0

    def read(self, size: int = -1) -> bytes:
        """Return decoded bytes, at most `size` of them when it is not negative; none at the end.

        Raises:
            CorruptError, TruncatedError, UnsupportedError, LimitError: as `Decompressor.decompress`.
            OSError: the file cannot be read.
        """
        while (member := self._member) is not None and size:
            data, self._begin = self._begin, b""
            if not data and member.needs_input:
                data = self._read(READ_SIZE)
                if not data and member._follows:
                    self.close()
                    break
                if not data:
                    member.end_input()
            out = member.decompress(data, size)
            if self.header is None:
                self.header = member.header
            if member.eof:
                self.members += 1
                self._member = member._next()
            if out:
                return out
        return b""

    def close(self) -> None:
        """Drop unfinished work and end the threads. Safe to call at any time."""
        member, self._member = self._member, None
        if member is not None:
            member.close()


def decompress(
    data: Buffer,
    *,
    max_output_size: int | None = None,
    max_memory: int = DEFAULT_MAX_MEMORY,
    threads: int = 1,
    like: Like = None,
    primer: Like = None,
) -> bytes:
    """Return what `data`, an nzip file of one or more members, was made from.

    Args:
        data: the whole file.
        max_output_size: most decoded bytes to return; None for no limit. Set it for data you do not trust.
        max_memory: most bytes of memory for the blocks decoded at one time.
        threads: blocks decoded at the same time; 0 for all cores.
        like, primer: as for `Decompressor`.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`. `salvage` gives what is sound of damaged data.
    """
    view = memoryview(data).cast("B")
    pieces = (view[at : at + PIECE] for at in range(0, len(view), PIECE))
    with Contents(
        lambda _: next(pieces, b""),
        max_output_size=max_output_size,
        max_memory=max_memory,
        threads=threads,
        like=like,
        primer=primer,
    ) as contents:
        return b"".join(iter(contents.read, b""))
