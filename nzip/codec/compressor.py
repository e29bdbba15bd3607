"""Streaming compression: bytes in, bytes of one member out.

The input is cut in blocks of a fixed size, each block is coded alone, and the chunks are written in order. What is
written depends on the input and the settings, never on how the input was cut in calls or on the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import xxhash

from nzip.codec.blocks import Coding, encode_block, encode_within
from nzip.codec.levels import DEFAULT_LEVEL, MIN_BLOCK_SIZE, level_of
from nzip.codec.registry import ENGINES
from nzip.codec.threads import thread_count
from nzip.formats.container import MAX_BLOCK, End, Header, IndexEntry

Buffer = bytes | bytearray | memoryview
MOST_GAIN = 64  # bytes of text that one byte of a window may stand for


class Compressor:
    """Compresses a stream into one member of an nzip file, as `lzma.LZMACompressor` does.

    Args:
        level: 1 (fastest) .. 9 (smallest).
        engine: name of an engine to use in place of the level's.
        params: parameters for `engine`; the engine's defaults where left out.
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

    Attributes:
        bytes_in: bytes of input taken.
        bytes_coded: bytes of input whose blocks were handed out.
        bytes_out: bytes of output handed out.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        level: int = DEFAULT_LEVEL,
        *,
        engine: str | None = None,
        params: Mapping[str, Any] | None = None,
        threads: int = 1,
        block_size: int | None = None,
        window_bits: int | None = None,
        verify: bool | None = None,
        content_size: int | None = None,
        name: str | None = None,
        mode: int | None = None,
        mtime_ns: int | None = None,
        kind: str | None = None,
    ):
        chosen = level_of(level)
        if params is not None and engine is None:
            raise ValueError("params needs engine")
        self._block_size = chosen.block_size if block_size is None else block_size
        if not MIN_BLOCK_SIZE <= self._block_size <= MAX_BLOCK:
            raise ValueError(f"block size {self._block_size} is not in {MIN_BLOCK_SIZE}..{MAX_BLOCK}")
        if engine is None or (engine == chosen.engine and params is None):
            engine, params = chosen.engine, chosen.params
        ENGINES.by_name(engine).pack(params or {})
        if window_bits is not None:
            if not 256 <= window_bits <= 1 << 26:
                raise ValueError(f"window_bits {window_bits} is not in 256..{1 << 26}")
            if not ENGINES.by_name(engine).cuts:
                raise ValueError(f"engine {engine} cannot cut blocks by window_bits")
        self._limit = 0 if window_bits is None else -(-window_bits // 8)
        if self._limit:
            self._block_size = min(self._block_size, MOST_GAIN * self._limit)
        self._coding = Coding(engine, dict(params or {}), verify=verify)
        self._header = Header(
            name=name, mode=mode, mtime_ns=mtime_ns, content_size=content_size, kind=kind
        )
        self._header.encode()
        self._threads = thread_count(threads)
        self._pool: ThreadPoolExecutor | None = None
        self._queue: deque[tuple[int, Future[bytes]]] = deque()
        self._buffer = bytearray()
        self._hash = xxhash.xxh3_64()
        self._entries: list[IndexEntry] = []
        self._header_size = 0  # 0 until the header is written
        self._finished = False
        self.bytes_in = 0
        self.bytes_coded = 0
        self.bytes_out = 0

    def compress(self, data: Buffer) -> bytes:
        """Take `data` in and return what is ready of the output, possibly nothing.

        Raises:
            ValueError: `flush` was called before.
        """
        if self._finished:
            raise ValueError("the compressor has been flushed")
        view = memoryview(data).cast("B")
        self.bytes_in += len(view)
        self._hash.update(view)
        out = bytearray()
        # A full block is only coded when more follows: an input of one block is a solo member.
        while len(view) > self._block_size - len(self._buffer):
            room = self._block_size - len(self._buffer)
            self._buffer += view[:room]
            view = view[room:]
            if not self._header_size:
                out += self._start(self._header)
            if self._limit:
                # A window takes part of what is there; the rest waits for more.
                self._cut()
            else:
                self._submit()
            out += self._collect(self._threads)
        self._buffer += view
        if self._queue:
            out += self._collect(self._threads)
        self.bytes_out += len(out)
        return bytes(out)

    def flush(self) -> bytes:
        """Finish the member and return the rest of the output.

        Raises:
            ValueError: it was called before, or another number of bytes came than `content_size` said.
        """
        if self._finished:
            raise ValueError("the compressor has been flushed")
        expected = self._header.content_size
        if expected is not None and expected != self.bytes_in:
            raise ValueError(f"content_size was {expected} and {self.bytes_in} bytes came")
        self._finished = True
        try:
            if not self._header_size and not (self._limit and self._buffer):
                out = self._solo()
            else:
                out = bytearray(b"" if self._header_size else self._start(self._header))
                while self._limit and self._buffer:
                    self._cut()
                if self._buffer:
                    self._submit()
                out += self._collect(0)
                out += End(self._header_size, tuple(self._entries), 0, self._hash.intdigest()).encode()
        finally:
            self.close()
        self.bytes_out += len(out)
        return bytes(out)

    def close(self) -> None:
        """Drop unfinished work and end the threads. Safe to call at any time."""
        self._finished = True
        for _, future in self._queue:
            future.cancel()
        self._queue.clear()
        self._buffer = bytearray()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, header: Header) -> bytes:
        out = header.encode()
        self._header_size = len(out)
        return out

    def _solo(self) -> bytearray:
        fields = self._header
        header = Header(solo=True, name=fields.name, mode=fields.mode, mtime_ns=fields.mtime_ns, kind=fields.kind)
        return bytearray(self._start(header) + encode_block(bytes(self._buffer), self._coding))

    def _cut(self) -> None:
        """Code one window from the start of the buffer."""
        count, chunk = encode_within(bytes(self._buffer), self._coding, self._limit)
        del self._buffer[:count]
        future: Future[bytes] = Future()
        future.set_result(chunk)
        self._queue.append((count, future))

    def _submit(self) -> None:
        raw = bytes(self._buffer)
        self._buffer = bytearray()
        if self._threads == 1:
            future: Future[bytes] = Future()
            future.set_result(encode_block(raw, self._coding))
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="nzip")
            future = self._pool.submit(encode_block, raw, self._coding)
        self._queue.append((len(raw), future))

    def _collect(self, most_waiting: int) -> bytes:
        """Return finished chunks in order; wait for the oldest while more than `most_waiting` are under way."""
        out = bytearray()
        while self._queue and (len(self._queue) > most_waiting or self._queue[0][1].done()):
            raw_size, future = self._queue.popleft()
            chunk = future.result()
            self._entries.append(IndexEntry(0, len(chunk), raw_size))
            self.bytes_coded += raw_size
            out += chunk
        return bytes(out)


def compress(
    data: Buffer,
    level: int = DEFAULT_LEVEL,
    *,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
    threads: int = 1,
    block_size: int | None = None,
    window_bits: int | None = None,
    verify: bool | None = None,
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
    ) as compressor:
        return compressor.compress(data) + compressor.flush()


