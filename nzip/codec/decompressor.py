"""Streaming decompression: bytes of an nzip file in, verified bytes out.

Only blocks whose check matched are handed out, so wrong bytes never leave this module.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import xxhash

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, Limits, decode_block, memory_needed
from nzip.codec.threads import thread_count
from nzip.errors import CorruptError, LimitError
from nzip.formats.container import MAX_BLOCK, Block, BlockHeader, End, Header, Parser

Buffer = bytes | bytearray | memoryview
PIECE = 1 << 16  # bytes that `decompress` feeds at a time


class Decompressor:
    """Decompresses one member, as `lzma.LZMADecompressor` does. A file may hold several: see `unused_data`.

    Args:
        max_output_size: most decoded bytes to hand out; None for no limit.
        max_memory: most bytes of memory for the blocks decoded at one time; fewer than `threads` are where they
            need more together.
        max_block: most decoded bytes of one block; None for the format's own limit.
        threads: blocks decoded at the same time; 0 for all cores.

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
    ):
        self._limits = Limits(max_memory, MAX_BLOCK if max_block is None else max_block)
        self._max_output_size = max_output_size
        self._threads = thread_count(threads)
        self._pool: ThreadPoolExecutor | None = None
        self._parser = Parser(self._admit)
        self._queue: deque[tuple[int, Future[bytes]]] = deque()  # memory needed, decoded bytes
        self._ready = bytearray()
        self._hash = xxhash.xxh3_64()
        self._end: End | None = None
        self._admitted = 0
        self._failure: Exception | None = None
        self._input_ended = False
        self.output_size = 0
        self.eof = False
        self.needs_input = True

    @property
    def header(self) -> Header | None:
        return self._parser.header

    @property
    def unused_data(self) -> bytes:
        return self._parser.unused if self.eof else b""

    def decompress(self, data: Buffer = b"", max_length: int = -1) -> bytes:
        """Take `data` in and return decoded bytes, at most `max_length` of them when it is not negative.

        Raises:
            CorruptError: the data is damaged or no nzip file.
            UnsupportedError: it needs a later nzip or an engine that is not installed.
            LimitError: it needs more memory or output than the limits allow.
            EOFError: the end of the member was reached before.
        """
        if self.eof:
            raise EOFError("the end of the member was already reached")
        if self._failure is not None:
            raise self._failure
        try:
            self._parser.feed(data)
            stalled = self._advance(max_length)
            if self._parser.finished and not self._queue:
                self._finish()
            if stalled and self._input_ended and not self._ready and not self._parser.finished:
                raise self._parser.truncated()
        except Exception as error:
            self._failure = error
            self.close()
            raise
        count = len(self._ready) if max_length < 0 else min(max_length, len(self._ready))
        out = bytes(self._ready[:count])
        del self._ready[:count]
        self.eof = self._parser.finished and not self._queue and not self._ready
        self.needs_input = stalled and not self.eof and not self._ready and not self._input_ended
        if self.eof:
            self.close()
        return out

    def end_input(self) -> None:
        """Say that no more input comes: a member that is not complete then raises CorruptError."""
        self._input_ended = True
        self.needs_input = False

    def close(self) -> None:
        """Drop unfinished work and end the threads. Safe to call at any time."""
        for _, future in self._queue:
            future.cancel()
        self._queue.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _admit(self, header: BlockHeader) -> None:
        self._limits.admit(header)
        self._admitted += header.raw_size
        if self._max_output_size is not None and self._admitted > self._max_output_size:
            raise LimitError(
                f"the decoded data is larger than {self._max_output_size:,} bytes (max_output_size); raise it"
            )

    def _advance(self, max_length: int) -> bool:
        """Parse and decode until `max_length` bytes are ready; return whether more input is needed to go on."""
        while max_length < 0 or len(self._ready) < max_length:
            event = self._parser.next() if len(self._queue) < self._threads else None
            if isinstance(event, Block):
                self._submit(event)
            elif isinstance(event, End):
                self._end = event
            elif event is None:
                full = len(self._queue) >= self._threads
                ended = self._parser.finished or self._input_ended
                if not self._queue or not (full or ended or self._queue[0][1].done()):
                    return True
                self._collect()
        return False

    def _submit(self, block: Block) -> None:
        needed = memory_needed(block.header)
        while self._queue and sum(n for n, _ in self._queue) + needed > self._limits.max_memory:
            self._collect()
        if self._threads == 1:
            future: Future[bytes] = Future()
            future.set_result(decode_block(block.header, block.payload))
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="nzip")
            future = self._pool.submit(decode_block, block.header, block.payload)
        self._queue.append((needed, future))

    def _collect(self) -> None:
        raw = self._queue.popleft()[1].result()
        self._hash.update(raw)
        self.output_size += len(raw)
        self._ready += raw

    def _finish(self) -> None:
        if self._end is not None and self._hash.intdigest() != self._end.check:
            raise CorruptError("the content is damaged (its blocks match, the check of the whole does not)")


def decompress(
    data: Buffer,
    *,
    max_output_size: int | None = None,
    max_memory: int = DEFAULT_MAX_MEMORY,
    threads: int = 1,
) -> bytes:
    """Return what `data`, an nzip file of one or more members, was made from.

    Args:
        data: the whole file.
        max_output_size: most decoded bytes to return; None for no limit. Set it for data you do not trust.
        max_memory: most bytes of memory for the blocks decoded at one time.
        threads: blocks decoded at the same time; 0 for all cores.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`.
    """
    out = bytearray()
    view = memoryview(data).cast("B")
    pos = 0
    while True:
        left = None if max_output_size is None else max_output_size - len(out)
        with Decompressor(max_output_size=left, max_memory=max_memory, threads=threads) as member:
            # In pieces, so that a file of very many members is not copied whole for each of them.
            while not member.eof:
                piece = view[pos : pos + PIECE]
                pos += len(piece)
                if not piece:
                    member.end_input()
                out += member.decompress(piece)
            pos -= len(member.unused_data)
        if pos == len(view):
            return bytes(out)
