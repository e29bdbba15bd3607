"""File objects over compressed files: `NzipFile` and `open`, in the shape of the standard library's `lzma`.

Reading from the start streams through `Decompressor` and checks everything. The first `seek` that is not a no-op
switches to random access over the block index; each block is still checked, the check of the whole content is not.
"""

from __future__ import annotations

import builtins
import io
import os
from bisect import bisect_right
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, BinaryIO, cast

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, Limits, decode_block, memory_needed
from nzip.codec.compressor import Compressor
from nzip.codec.decompressor import Decompressor
from nzip.codec.index import Place, load_index
from nzip.codec.inspect import read_at
from nzip.codec.levels import DEFAULT_LEVEL
from nzip.codec.threads import thread_count
from nzip.errors import CorruptError
from nzip.formats.container import MAX_HEADER, Block, Header, Parser, Reader

READ_SIZE = 1 << 17  # bytes asked of the file at a time
Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class _RawReader(io.RawIOBase):
    """The decoded content of a file as a raw stream."""

    def __init__(self, file: BinaryIO, *, max_memory: int, threads: int):
        self._file = file
        self._limits: dict[str, Any] = {"max_memory": max_memory, "threads": threads}
        self._threads = thread_count(threads)
        self._seekable = _can_seek(file)
        self._start = file.tell() if self._seekable else 0
        self._member: Decompressor | None = Decompressor(**self._limits)
        self._rest = b""
        self._members_seen = 0
        self._pos = 0
        # Random access
        self._places: list[Place] | None = None
        self._ahead: deque[tuple[int, Future[bytes]]] = deque()
        self._block: tuple[int, bytes] = (-1, b"")
        self._pool: ThreadPoolExecutor | None = None
        self.header: Header | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._pos

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer).cast("B") as view:
            data = self._read_sequential(len(view)) if self._places is None else self._read_indexed(len(view))
            view[: len(data)] = data
        self._pos += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._pos
        elif whence == io.SEEK_END:
            if not self._seekable:
                raise io.UnsupportedOperation("the size is not known: the file under this one cannot seek")
            places = self._index()
            offset += places[-1].raw_offset + places[-1].raw_size if places else 0
        elif whence != io.SEEK_SET:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}")
        if offset < 0:
            raise ValueError(f"seek to the negative position {offset}")
        if offset == self._pos:
            return offset
        if self._seekable:
            self._index()
            self._pos = offset
        elif offset > self._pos:
            scratch = bytearray(READ_SIZE)
            while self._pos < offset:
                if not self.readinto(memoryview(scratch)[: offset - self._pos]):
                    break
        else:
            raise io.UnsupportedOperation("cannot go back: the file under this one cannot seek")
        return self._pos

    def close(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = None
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        super().close()

    def _read_sequential(self, count: int) -> bytes:
        while self._member is not None and count:
            member = self._member
            if member.needs_input:
                data = self._rest or self._file.read(READ_SIZE)
                self._rest = b""
                if not data:
                    member.end_input()
            else:
                data = b""
            out = member.decompress(data, count)
            if self._members_seen == 0 and self.header is None:
                self.header = member.header
            if member.eof:
                self._rest = member.unused_data or self._file.read(READ_SIZE)
                self._members_seen += 1
                self._member = Decompressor(**self._limits) if self._rest else None
            if out:
                return out
        return b""

    def _index(self) -> list[Place]:
        if self._places is None:
            if self._member is not None:
                self._member.close()
                self._member = None
            file = cast(BinaryIO, _Window(self._file, self._start)) if self._start else self._file
            self._file = file
            self._places = load_index(file)
            if self.header is None:
                self.header = Header.parse(Reader(read_at(file, 0, MAX_HEADER)))
        return self._places

    def _read_indexed(self, count: int) -> bytes:
        places = self._index()
        number = bisect_right(places, self._pos, key=lambda place: place.raw_offset) - 1
        if number < 0:
            return b""
        inside = self._pos - places[number].raw_offset
        if inside >= places[number].raw_size:
            return b""
        return self._decoded(number)[inside : inside + count]

    def _decoded(self, number: int) -> bytes:
        """Return block `number`, and have the blocks after it decoded meanwhile."""
        if self._block[0] == number:
            return self._block[1]
        while self._ahead and self._ahead[0][0] < number:
            self._ahead.popleft()[1].cancel()
        if self._ahead and self._ahead[0][0] == number:
            raw = self._ahead.popleft()[1].result()
        else:
            self._ahead.clear()
            raw = decode_block(*self._load(number))
        assert self._places is not None
        # Only a reader that goes from block to block gains from reading ahead.
        if self._threads > 1 and number == self._block[0] + 1:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="nzip")
            following = self._ahead[-1][0] + 1 if self._ahead else number + 1
            for ahead in range(following, min(number + 1 + self._threads, len(self._places))):
                header, payload = self._load(ahead)
                # Without knowing the others' headers, each is taken to need as much as this one.
                if memory_needed(header) * (len(self._ahead) + 1) > self._limits["max_memory"]:
                    break
                self._ahead.append((ahead, self._pool.submit(decode_block, header, payload)))
        self._block = (number, raw)
        return raw

    def _load(self, number: int) -> tuple[Any, bytes]:
        assert self._places is not None
        place = self._places[number]
        self._file.seek(place.offset)
        # The block's own header says what it needs, so limits are checked as in a forward reading.
        parser = Parser(Limits(self._limits["max_memory"]).admit, inside=True)
        left = place.size
        while True:
            event = parser.next()
            if isinstance(event, Block):
                break
            data = self._file.read(min(READ_SIZE, left))
            if not data:
                raise parser.truncated()
            left -= len(data)
            parser.feed(data)
        if event.header.size != place.size or event.header.raw_size != place.raw_size:
            raise CorruptError("the end index does not describe the blocks before it")
        return event.header, event.payload


def _can_seek(file: Any) -> bool:
    """Whether `file` can seek; one that only has `read` cannot."""
    return hasattr(file, "seekable") and file.seekable()


def _write_all(file: Any, data: bytes) -> None:
    """Write all of `data`: an unbuffered file may take a part at a time."""
    while data:
        taken = file.write(data)
        data = b"" if taken is None else data[taken:]


class _Window:
    """The part of a file from `start` on, for content that does not begin at the file's first byte."""

    def __init__(self, file: BinaryIO, start: int):
        self._file = file
        self._start = start
        self.read = file.read

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            offset += self._start
        return self._file.seek(offset, whence) - self._start

    def seekable(self) -> bool:
        return True


class NzipFile(io.BufferedIOBase):
    """A file object that compresses what is written and decompresses what is read, as `lzma.LZMAFile`.

    Args:
        file: a path, or a binary file object (which then stays open when this one is closed).
        mode: `"r"`, `"w"`, `"x"` or `"a"` (which adds a member), with or without `"b"`.
        level, threads: as for `Compressor` and `Decompressor`.
        max_memory: as for `Decompressor`.
        settings: further arguments of `Compressor`.

    Raises:
        CorruptError, UnsupportedError, LimitError: on reading; see `Decompressor`.
        OSError: the file cannot be opened, read or written.
    """

    def __init__(
        self,
        file: Path | IO[bytes],
        mode: str = "r",
        *,
        level: int = DEFAULT_LEVEL,
        threads: int = 1,
        max_memory: int = DEFAULT_MAX_MEMORY,
        **settings: Any,
    ):
        self._file: BinaryIO | None = None
        self._owned = False
        self._reader: io.BufferedReader | None = None
        self._raw: _RawReader | None = None
        self._compressor: Compressor | None = None
        kind = mode.replace("b", "")
        if kind not in ("r", "w", "x", "a") or mode.count("b") > 1:
            raise ValueError(f"invalid mode {mode!r}")
        if kind == "r" and settings:
            raise TypeError(f"{sorted(settings)[0]!r} is for writing")
        if kind != "r":
            self._compressor = Compressor(level, threads=threads, **settings)
        if isinstance(file, str | bytes | os.PathLike):
            self._file = cast(BinaryIO, builtins.open(file, kind + "b"))  # noqa: SIM115 - closed in close()
            self._owned = True
        elif hasattr(file, "read") or hasattr(file, "write"):
            self._file = cast(BinaryIO, file)
        else:
            raise TypeError(f"a path or a binary file object is needed, not {type(file).__name__}")
        self.mode = kind + "b"
        if kind == "r":
            self._raw = _RawReader(self._file, max_memory=max_memory, threads=threads)
            self._reader = io.BufferedReader(self._raw, READ_SIZE)

    @property
    def name(self) -> Any:
        """The name of the file under this one."""
        return getattr(self._file, "name", "")

    @property
    def header(self) -> Header | None:
        """The first member's header, once the first bytes were read; None in writing."""
        return None if self._raw is None else self._raw.header

    @property
    def closed(self) -> bool:
        return self._file is None

    def close(self) -> None:
        """Finish the member (in writing) and close the file if it was opened here."""
        if self._file is None:
            return
        try:
            if self._compressor is not None:
                try:
                    _write_all(self._file, self._compressor.flush())
                finally:
                    self._compressor.close()
            elif self._reader is not None:
                self._reader.close()
        finally:
            file, self._file = self._file, None
            self._compressor = self._reader = None
            if self._owned:
                file.close()

    def abort(self) -> None:
        """Close without finishing the member: what was written so far is no valid file."""
        if self._compressor is not None:
            self._compressor.close()
            self._compressor = None
        self.close()

    def fileno(self) -> int:
        """Return the descriptor of the file under this one."""
        return self._opened().fileno()

    def readable(self) -> bool:
        self._opened()
        return self._reader is not None

    def writable(self) -> bool:
        self._opened()
        return self._compressor is not None

    def seekable(self) -> bool:
        return self.readable() and _can_seek(self._opened())

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` decoded bytes, all of the rest for -1 or None."""
        return self._reading().read(-1 if size is None else size)

    def read1(self, size: int = -1) -> bytes:
        """Return up to `size` decoded bytes, and wait for no more than one block."""
        return self._reading().read1(READ_SIZE if size < 0 else size)

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with decoded bytes and return how many there were."""
        return self._reading().readinto(buffer)

    def readinto1(self, buffer: Any) -> int:
        """Fill `buffer` with decoded bytes of at most one block and return how many there were."""
        return self._reading().readinto1(buffer)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the next line, its newline included."""
        return self._reading().readline(-1 if size is None else size)

    def peek(self, size: int = 0) -> bytes:
        """Return decoded bytes without going on: at least one, unless the end is reached."""
        return self._reading().peek(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the decoded content and return it. Only the blocks that are then read are decoded."""
        return self._reading().seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the decoded content."""
        self._opened()
        return self._compressor.bytes_in if self._compressor is not None else self._reading().tell()

    def write(self, data: Any) -> int:
        """Compress `data` and return how many bytes it was."""
        file = self._opened()
        if self._compressor is None:
            raise io.UnsupportedOperation("the file was opened for reading")
        with memoryview(data) as view:
            out = self._compressor.compress(view)
            count = view.nbytes
        if out:
            _write_all(file, out)
        return count

    def flush(self) -> None:
        """Flush the file under this one. A block that is not full stays in memory until `close`."""
        if self._compressor is not None:
            self._opened().flush()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("I/O operation on closed file")
        return self._file

    def _reading(self) -> io.BufferedReader:
        self._opened()
        if self._reader is None:
            raise io.UnsupportedOperation("the file was opened for writing")
        return self._reader

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        if kind is not None and self._compressor is not None:
            # An error inside `with` must not leave something that looks complete.
            self.abort()
        else:
            self.close()


def open(
    filename: Path | IO[bytes],
    mode: str = "rb",
    *,
    level: int = DEFAULT_LEVEL,
    threads: int = 1,
    max_memory: int = DEFAULT_MAX_MEMORY,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **settings: Any,
) -> NzipFile | io.TextIOWrapper:
    """Open an nzip file in binary (`"rb"`, `"wb"`, `"xb"`, `"ab"`) or text mode (`"rt"`, …), as `lzma.open`.

    Args:
        filename: a path or a binary file object.
        level, threads, max_memory, settings: as for `NzipFile`.
        encoding, errors, newline: as for the built-in `open`, in text mode only.

    Raises:
        ValueError: the mode is invalid, or text arguments stand with a binary mode.
    """
    if "t" in mode:
        if "b" in mode:
            raise ValueError(f"invalid mode {mode!r}")
    elif encoding is not None or errors is not None or newline is not None:
        raise ValueError("encoding, errors and newline are for text mode")
    file = NzipFile(
        filename, mode.replace("t", ""), level=level, threads=threads, max_memory=max_memory, **settings
    )
    if "t" in mode:
        return io.TextIOWrapper(file, io.text_encoding(encoding), errors, newline)
    return file
