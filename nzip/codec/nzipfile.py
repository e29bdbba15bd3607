"""File objects over compressed files: `NzipFile` and `open`, in the shape of the standard library's `lzma`.

Writing keeps what it was given until the file under it has it. Where an exception comes in between, the next call goes
on where that one stopped.
"""

from __future__ import annotations

import atexit
import builtins
import codecs
import contextlib
import errno
import io
import operator
import os
import threading
import weakref
from collections.abc import Callable
from typing import IO, Any, BinaryIO, Literal, TypeVar, cast, overload

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.compressor import Compressor
from nzip.codec.like import Known, Like
from nzip.codec.members import READ_SIZE
from nzip.codec.reader import ContentReader, SalvageReader, can_seek
from nzip.codec.salvage.content import Salvage
from nzip.codec.salvage.faults import Fault, Lost
from nzip.codec.threads import exclusive
from nzip.errors import NzipError
from nzip.formats.container.structures import Header
from nzip.settings import DEFAULT_LEVEL, STORED, Settings

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
T = TypeVar("T")


# What is written and not closed when the program ends is finished then, as the standard library does it. Engines are
# imported when they are needed, which is too late when the interpreter takes itself apart.
_writers: weakref.WeakSet[NzipFile] = weakref.WeakSet()
_texts: weakref.WeakSet[_TextFile] = weakref.WeakSet()


def _finish_writers() -> None:
    errors = []
    for finish in [*(text.flush_at_exit for text in list(_texts)), *(file._finish_at_exit for file in list(_writers))]:
        try:
            finish()
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


atexit.register(_finish_writers)


class NzipFile(io.BufferedIOBase):
    """A file object that compresses what is written and decompresses what is read, as `lzma.LZMAFile`.

    One thread works on it at a time; others wait. A writer that is still open when the program ends is finished then;
    one that an exception leaves by `with` is not.

    Where the content is damaged, reading gives the sound bytes before the fault, and then raises; reading all at once
    raises and goes back to where it began. What follows behind the last member is damage too, unlike in `lzma`.

    Args:
        file: a path, or a binary file object (which then stays open when this one is closed).
        mode: `"r"`, `"w"`, `"x"` or `"a"` (which adds a member), with or without `"b"`.
        level, threads: as for `Compressor` and `Decompressor`.
        max_memory: as for `Decompressor`.
        lost: go on reading after damage: `"zeros"` puts zeros in the place of what is lost, where its size is known,
            `"gaps"` leaves it out. See `salvage`; the file then cannot seek, and `faults` says what is lost.
        like, primer: as for `Compressor` and `Decompressor`.
        settings: further arguments of `Compressor`.

    Raises:
        CorruptError, UnsupportedError, LimitError: on reading; see `Decompressor`.
        OSError: the file cannot be opened, read or written.
    """

    _file: BinaryIO | None = None
    _compressor: Compressor | None = None
    _process = 0

    def __init__(
        self,
        file: Path | IO[bytes],
        mode: str = "r",
        *,
        level: int | Settings = DEFAULT_LEVEL,
        threads: int = 1,
        max_memory: int = DEFAULT_MAX_MEMORY,
        lost: Lost | None = None,
        like: Like = None,
        primer: Like = None,
        **settings: Any,
    ):
        self._lock = threading.RLock()
        self._owned = False
        self._reader: io.BufferedReader | None = None
        self._raw: ContentReader | None = None
        self._salvage: Salvage | None = None
        self._process = os.getpid()
        self._before = 0  # bytes of content in members that were finished
        self._sent = 0  # bytes of the compressor's output that the file under this one has
        self._base: int | None = None  # where in that file they begin, if it can tell
        self._unsure = False  # a write raised, so `_sent` may be too low
        kind = mode.replace("b", "") if isinstance(mode, str) else ""
        if kind not in ("r", "w", "x", "a") or mode.count("b") > 1:
            raise ValueError(f"invalid mode {mode!r}")
        if kind == "r" and settings:
            raise TypeError(f"{sorted(settings)[0]!r} is for writing")
        if kind != "r":
            if lost is not None:
                raise TypeError("'lost' is for reading")
            self._compressor = Compressor(level, threads=threads, like=like, primer=primer, **settings)
        if isinstance(file, str | bytes | os.PathLike):
            # Without a buffer a write that failed leaves nothing behind that is written later.
            buffering = -1 if kind == "r" else 0
            self._file = cast(BinaryIO, builtins.open(file, kind + "b", buffering))  # noqa: SIM115 - closed in close()
            self._owned = True
        elif hasattr(file, "read") or hasattr(file, "write"):
            self._file = cast(BinaryIO, file)
        else:
            raise TypeError(f"a path or a binary file object is needed, not {type(file).__name__}")
        self.mode = kind + "b"
        if kind != "r":
            _writers.add(self)
        elif lost is not None:
            self._salvage = Salvage(
                self._file, lost=lost, max_memory=max_memory, threads=threads, like=like, primer=primer
            )
            self._reader = io.BufferedReader(SalvageReader(self._salvage), READ_SIZE)
        else:
            self._raw = ContentReader(self._file, max_memory=max_memory, threads=threads, known=Known.of(like, primer))
            self._reader = io.BufferedReader(self._raw, READ_SIZE)

    @property
    def name(self) -> Any:
        """The name of the file under this one."""
        return getattr(self._file, "name", "")

    @property
    def header(self) -> Header | None:
        """The first member's header, once the first bytes were read; None in writing."""
        if self._salvage is not None:
            return self._salvage.header
        return None if self._raw is None else self._raw.header

    @property
    def faults(self) -> list[Fault]:
        """What was found to be lost so far, in reading with `lost`."""
        return [] if self._salvage is None else self._salvage.faults

    @property
    def closed(self) -> bool:
        return self._file is None

    def close(self) -> None:
        """Finish the member (in writing) and close the file if it was opened here.

        What cannot be coded (there is no memory, or it is interrupted) is stored as it is, and the error raised.
        """
        with exclusive(self._lock):
            if self._file is None:
                return
            try:
                if self._compressor is not None:
                    try:
                        self._finish_member(self._compressor)
                    finally:
                        self._compressor.close()
                elif self._reader is not None:
                    self._reader.close()
            finally:
                self._let_go()

    def abort(self) -> None:
        """Close without finishing the member: what was written so far is no valid file."""
        with exclusive(self._lock):
            if self._compressor is not None:
                self._compressor.close()
                self._let_go()
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
        return self.readable() and self._salvage is None and can_seek(self._opened())

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` decoded bytes, all of the rest for -1 or None."""
        with exclusive(self._lock):
            if size is None or operator.index(size) < 0:
                return self._careful(self._reading().read)
            return self._read(size)

    def read1(self, size: int = -1) -> bytes:
        """Return up to `size` decoded bytes, and wait for no more than one block."""
        with exclusive(self._lock):
            return self._careful(self._reading().read1, READ_SIZE if size < 0 else size)

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with decoded bytes and return how many there were."""
        with exclusive(self._lock), memoryview(buffer).cast("B") as view:
            data = self._read(len(view))
            view[: len(data)] = data
            return len(data)

    def readinto1(self, buffer: Any) -> int:
        """Fill `buffer` with decoded bytes of at most one block and return how many there were."""
        with exclusive(self._lock):
            return self._careful(self._reading().readinto1, buffer)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the next line, its newline included."""
        with exclusive(self._lock):
            return self._careful(self._reading().readline, -1 if size is None else size)

    def peek(self, size: int = 0) -> bytes:
        """Return decoded bytes without going on: at least one, unless the end is reached."""
        with exclusive(self._lock):
            return self._careful(self._reading().peek, size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the decoded content and return it. Only the blocks that are then read are decoded.

        Before the start is the start, behind the end is the end. The content is then checked block by block; the
        check of the whole is made when all blocks of a member were read in order, and raises at the end.
        """
        with exclusive(self._lock):
            return self._reading().seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the decoded content."""
        self._opened()
        if self._compressor is not None:
            return self._before + self._compressor.bytes_in
        return self._reading().tell()

    def write(self, data: Any) -> int:
        """Compress `data` and return how many bytes it was.

        A call that raises has taken what `tell` says, and the next call, or `close`, goes on from there. Where the
        file under this one failed and cannot tell how much it took, all further calls raise OSError.
        """
        with exclusive(self._lock):
            self._opened()
            if self._compressor is None:
                raise io.UnsupportedOperation("the file was opened for reading")
            with memoryview(data) as view:
                count = view.nbytes
            self._hand_out(self._compressor)
            self._compressor._feed(data)
            self._hand_out(self._compressor)
            return count

    def flush(self) -> None:
        """Flush the file under this one. A block that is not full stays in memory until `close`."""
        with exclusive(self._lock):
            file = self._opened()
            if self._compressor is not None:
                self._hand_out(self._compressor)
                if hasattr(file, "flush"):
                    file.flush()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("I/O operation on closed file")
        return self._file

    def _let_go(self) -> None:
        file, self._file = self._file, None
        self._compressor = self._reader = None
        _writers.discard(self)
        if self._owned and file is not None:
            file.close()

    # Reading

    def _reading(self) -> io.BufferedReader:
        self._opened()
        if self._reader is None:
            raise io.UnsupportedOperation("the file was opened for writing")
        return self._reader

    def _careful(self, read: Callable[..., T], *arguments: Any) -> T:
        """Call a method of the reader; where it raises, the place is what it was before."""
        before = self._reading().tell()
        try:
            return read(*arguments)
        except BaseException:
            self._go_back(before)
            raise

    def _read(self, size: int) -> bytes:
        """Return up to `size` bytes; fewer where the end or a fault comes, which the next call then meets."""
        reader = self._reading()
        before = reader.tell()
        parts: list[bytes] = []
        left = size
        try:
            while left:
                if left < READ_SIZE:
                    reader.peek(1)  # read1 alone would not fill the buffer
                part = reader.read1(min(left, 1 << 20))
                if not part:
                    break
                parts.append(part)
                left -= len(part)
            return b"".join(parts)
        except NzipError:
            if parts:
                return b"".join(parts)
            self._go_back(before)
            raise
        except BaseException:
            self._go_back(before)
            raise

    def _go_back(self, position: int) -> None:
        if self._raw is not None and self._reader is not None and not self._raw.closed:
            self._reader.detach()
            self._reader = io.BufferedReader(self._raw, READ_SIZE)
            self._raw.go_back(position)

    # Writing

    def _hand_out(self, compressor: Compressor) -> None:
        """Write what the compressor has ready to the file under this one."""
        for piece in compressor._ready():
            assert piece.chunk is not None
            while (done := self._sent - piece.offset) < len(piece.chunk):
                if self._unsure:
                    self._find_out(piece.offset + len(piece.chunk))
                else:
                    self._write_under(piece.chunk[done:])
            compressor._drop(piece)

    def _write_under(self, data: bytes) -> None:
        """Write from the start of `data` what the file under this one takes."""
        file = self._opened()
        self._base = self._place(file)
        self._unsure = True
        taken = file.write(data)
        if taken is None:
            if isinstance(file, io.RawIOBase):
                self._unsure = False
                raise BlockingIOError(errno.EAGAIN, "the file under this one takes no data now; nzip waits for none")
            taken = len(data)  # of an object that does not say
        if not 0 < taken <= len(data):
            raise OSError(f"the file under this one took {taken} of {len(data)} bytes")
        self._sent += taken
        self._unsure = False

    def _place(self, file: BinaryIO) -> int | None:
        """Return where in the file under this one the compressor's output begins; None when that cannot tell."""
        try:
            return file.tell() - self._sent if can_seek(file) else None
        except (AttributeError, OSError):
            return None

    def _find_out(self, most: int) -> None:
        """After a write that raised, ask the file under this one how much it has."""
        base = self._base
        sent = -1 if base is None else self._opened().tell() - base
        if not self._sent <= sent <= most:
            raise OSError("an earlier write failed, and how much of it arrived is not known; the file is incomplete")
        self._sent = sent
        self._unsure = False

    def _finish_member(self, compressor: Compressor) -> None:
        try:
            compressor._finish()
            self._hand_out(compressor)
        except BaseException:
            # Nothing that was accepted is lost because there was no memory for it, or no time.
            with contextlib.suppress(Exception):
                compressor._store_rest()
                compressor._finish()
                self._hand_out(compressor)
            raise

    def _finish_at_exit(self) -> None:
        """End the member while all can still be imported; what a layer above writes later is stored in another."""
        if self._process != os.getpid() or not self._lock.acquire(timeout=60):
            return
        try:
            if self._file is None or self._compressor is None:
                return
            if self._compressor.bytes_in:
                self._finish_member(self._compressor)
                self._before += self._compressor.bytes_in
                self._compressor = _Later(engine=STORED.engine)
                self._sent = 0
            else:
                self._compressor._store_rest()
        finally:
            self._lock.release()

    def __del__(self) -> None:
        # A forked process has a copy of a writer, and must not write what the first one writes.
        if self._file is not None and (self._compressor is None or self._process == os.getpid()):
            super().__del__()

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        if kind is not None and self._compressor is not None:
            # An error inside `with` must not leave something that looks complete.
            self.abort()
        else:
            self.close()


class _Later(Compressor):
    """A compressor that writes no member where no input comes."""

    def _finish(self) -> None:
        if self.bytes_in:
            super()._finish()


class _TextFile(io.TextIOWrapper):
    """Text over an `NzipFile`; like that, an error inside `with` must not leave something that looks complete."""

    def flush_at_exit(self) -> None:
        """Hand down what this layer holds, in the process that made it."""
        file = self.buffer
        if isinstance(file, NzipFile) and file._process == os.getpid() and not file.closed and file.writable():
            self.flush()

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        file = self.buffer
        if kind is not None and isinstance(file, NzipFile) and not file.closed and file.writable():
            file.abort()
        else:
            self.close()


_Binary = Literal["r", "rb", "br", "w", "wb", "bw", "x", "xb", "bx", "a", "ab", "ba"]
_Text = Literal["rt", "tr", "wt", "tw", "xt", "tx", "at", "ta"]


@overload
def open(
    filename: Path | IO[bytes],
    mode: _Binary = "rb",
    *,
    level: int | Settings = ...,
    threads: int = ...,
    max_memory: int = ...,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    **settings: Any,
) -> NzipFile: ...


@overload
def open(
    filename: Path | IO[bytes],
    mode: _Text,
    *,
    level: int | Settings = ...,
    threads: int = ...,
    max_memory: int = ...,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **settings: Any,
) -> io.TextIOWrapper: ...


@overload
def open(
    filename: Path | IO[bytes],
    mode: str,
    *,
    level: int | Settings = ...,
    threads: int = ...,
    max_memory: int = ...,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **settings: Any,
) -> NzipFile | io.TextIOWrapper: ...


def open(
    filename: Path | IO[bytes],
    mode: str = "rb",
    *,
    level: int | Settings = DEFAULT_LEVEL,
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
        level, threads, max_memory, settings: as for `NzipFile`; `like` and `primer` are such settings.
        encoding, errors, newline: as for the built-in `open`, in text mode only.

    Raises:
        ValueError: the mode is invalid, or text arguments stand with a binary mode.
    """
    if not isinstance(mode, str):
        raise ValueError(f"invalid mode {mode!r}")
    if "t" in mode:
        if "b" in mode:
            raise ValueError(f"invalid mode {mode!r}")
    elif encoding is not None or errors is not None or newline is not None:
        raise ValueError("encoding, errors and newline are for text mode")
    file = NzipFile(
        filename, mode.replace("t", ""), level=level, threads=threads, max_memory=max_memory, **settings
    )
    if "t" not in mode:
        return file
    try:
        text = _TextFile(file, io.text_encoding(encoding), errors, newline)
        if file.mode in ("wb", "xb") and codecs.lookup(text.encoding).name in ("utf-16", "utf-32"):
            # Where it cannot seek, the text layer writes no byte order mark, and what it wrote cannot be read.
            file.write(codecs.getincrementalencoder(text.encoding)().encode(""))
    except BaseException:
        file.abort()
        raise
    _texts.add(text)
    return text
