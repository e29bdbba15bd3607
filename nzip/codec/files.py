"""Whole files: compress, decompress, test and pack them without ever risking the source.

Invariants:

* Output appears under its name only when it is complete and on the disk: it is written to `.nzip-….part` beside
  its place and then renamed. On any failure the part is removed and the source is as it was.
* A source is deleted only after what was written was read back and compared with what was read.
* Memory is bounded by the blocks under way, whatever the size of the file.

A path names a file; an open binary file is read or written as it comes and is neither closed nor renamed.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import stat
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, cast

import xxhash

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.compressor import Compressor
from nzip.codec.decompressor import Decompressor
from nzip.codec.file import NzipFile
from nzip.codec.levels import DEFAULT_LEVEL, level_of
from nzip.codec.registry import ENGINES
from nzip.codec.threads import thread_count
from nzip.errors import CorruptError, LimitError, NzipError
from nzip.formats.container import MAX_BLOCK_HEADER, MAX_HEADER, STORE_ENGINE, BlockHeader, Header, Parser
from nzip.models.engine import Engine

if TYPE_CHECKING:
    import tarfile

    from nzip.codec.lossy import Goal

SIGNALS = ("image", "audio")  # kinds of members that stand for a picture or sound
SUFFIX = ".nz"
TREE_SUFFIX = ".tar.nz"
CHUNK = 1 << 20  # bytes of content moved at a time
READ_SIZE = 1 << 17  # bytes of compressed input read at a time
_LOOK_AHEAD = MAX_HEADER + MAX_BLOCK_HEADER

AnyPath = str | os.PathLike[str]
Progress = Callable[[int, int | None, int], None]
"""Called with bytes of the source done, bytes of the source in all (None if unknown), bytes written."""
Prepare = Callable[[Engine], None]
"""Called with the engine that is needed, before the first block; may call its `prepare`."""


class FileError(NzipError):
    """An operation on a file was refused or given up; the file is as it was.

    Attributes:
        path: the file that is at fault.
        reason: what is wrong and the remedy.
    """

    def __init__(self, path: AnyPath, reason: str):
        super().__init__(f"{os.fspath(path)}: {reason}")
        self.path = os.fspath(path)
        self.reason = reason


@dataclass(frozen=True)
class FileResult:
    """What was done.

    Attributes:
        source: the path that was read; the stream's name when it was a stream.
        target: the path that was written; None when nothing was.
        raw_size: bytes of content.
        size: bytes compressed.
        seconds: how long it took.
        members: members in the compressed file.
        kind: `"tar"` when the content is a packed directory, `"image"` or `"audio"` when a picture or sound was made
            from latents, `"lossy"` when one was turned into them.
        removed: the source was deleted.
        entries: files, directories and links of a packed directory.
        skipped: paths in a directory that hold no bytes to pack (sockets, devices, pipes).
    """

    source: str
    target: str | None
    raw_size: int
    size: int
    seconds: float
    members: int = 1
    kind: str | None = None
    removed: bool = False
    entries: int = 0
    skipped: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Compressed bytes for one byte of content; 0 for empty content."""
        return self.size / self.raw_size if self.raw_size else 0.0


# --- names -----------------------------------------------------------------------------------------------------------


def compressed_name(source: AnyPath) -> str:
    """Return where `compress_file` puts its output: the source's path and `.nz`."""
    return os.fspath(source) + SUFFIX


def packed_name(folder: AnyPath) -> str:
    """Return where `compress_tree` puts its output: beside the directory, `NAME.tar.nz`.

    Raises:
        FileError: the directory has no name (it is the root).
    """
    parent, name = os.path.split(os.path.abspath(folder))
    if not name:
        raise FileError(folder, "the root directory has no name to pack it under; name the directories in it")
    spelled = os.fspath(folder).rstrip("/" + os.sep)
    if os.path.basename(spelled) == name:
        return spelled + TREE_SUFFIX
    return os.path.join(os.path.relpath(parent), name + TREE_SUFFIX)  # ".", "x/.."


def decompressed_name(source: AnyPath, header: Header | None = None) -> str:
    """Return where `decompress_file` puts its output: the path without `.nz`, or the name stored in `header`.

    Raises:
        FileError: neither gives a name.
    """
    path = os.fspath(source)
    if header is not None and header.name is not None:
        return os.path.join(os.path.dirname(path), header.name)
    if path.endswith(SUFFIX) and os.path.basename(path) != SUFFIX:
        return path[: -len(SUFFIX)]
    raise FileError(path, f"its name does not end in {SUFFIX}; say where to write with -o FILE, or -c for stdout")


def read_header(source: AnyPath) -> Header:
    """Return the header of the first member of a file.

    Raises:
        CorruptError, UnsupportedError: it has none that can be read.
        FileError, OSError: the file cannot be read.
    """
    with _Source(source) as src:
        header, _, _ = _look_ahead(src)
    return header


# --- memory ----------------------------------------------------------------------------------------------------------


def memory_budget() -> int:
    """Return the bytes that all threads together may use when no limit is given: half of the machine's memory.

    It only decides how many blocks are coded side by side, never whether a file can be decoded.
    """
    sizes = []
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
        sizes.append(int(file.read()))
    return max(min(sizes, default=DEFAULT_MAX_MEMORY) // 2, 1 << 28)


def encode_memory(
    *,
    level: int = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
    block_size: int | None = None,
    size: int | None = None,
    threads: int = 1,
) -> int:
    """Return the bytes of memory that compressing `size` bytes (None if unknown) needs with these settings.

    What Python and compiled code take (some 150 MB with engine `cm`) is not counted.

    Raises:
        ValueError: a setting is out of range.
    """
    chosen = level_of(level)
    block = chosen.block_size if block_size is None else block_size
    if size is not None:
        block = max(1, min(block, size))
    if engine is None or (engine == chosen.engine and params is None):
        engine, params = chosen.engine, chosen.params
    coder = ENGINES.by_name(engine)
    fitted = coder.fit(params or {}, block)
    return block + threads * (coder.encode_memory(fitted, block) + 2 * block)


def _encode_threads(threads: int, size: int | None, max_memory: int | None, settings: dict[str, Any]) -> int:
    """Return how many of `threads` have work and fit in the memory."""
    block = settings["block_size"] or level_of(settings["level"]).block_size
    count = thread_count(threads)
    if size is not None:
        count = max(1, min(count, -(-size // block)))
    budget = memory_budget() if max_memory is None else max_memory
    while count > 1 and encode_memory(**settings, size=size, threads=count) > budget:
        count -= 1
    if max_memory is not None and (needed := encode_memory(**settings, size=size)) > max_memory:
        raise LimitError(
            f"compressing needs {needed / 1048576:,.1f} MiB of memory and the limit is "
            f"{max_memory / 1048576:,.1f} MiB; raise it (-M), or take a lower level or smaller blocks (-B)"
        )
    return count


def _decode_threads(threads: int, block: BlockHeader | None, max_memory: int | None) -> int:
    """Return how many of `threads` fit in the memory, going by a member's first block."""
    count = thread_count(threads)
    if block is None:
        return count
    needed = max(1, block.memory + block.raw_size + block.payload_size + sum(spec.size for spec in block.transforms))
    return max(1, min(count, (memory_budget() if max_memory is None else max_memory) // needed))


# --- what is read ----------------------------------------------------------------------------------------------------


class _Source:
    """A file or stream to read from. Errors carry its name.

    Args:
        source: a path or a stream.
        folder_remedy: what to do when it turns out to be a directory.
    """

    def __init__(self, source: AnyPath | BinaryIO, *, folder_remedy: str = "name the files in it"):
        self.path: str | None = None
        self.count = 0  # bytes read so far
        if isinstance(source, str | os.PathLike):
            self.path = self.name = os.fspath(source)
            _refuse_special(self.path, os.stat(self.path), folder_remedy)
            # Without O_NONBLOCK a pipe that took the file's place in between would hang here.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            self._file: Any = os.fdopen(os.open(self.path, flags), "rb", buffering=0)
            self._read: Callable[[int], bytes | None] = self._file.read
            self.stat: os.stat_result | None = os.fstat(self._file.fileno())
            try:
                _refuse_special(self.path, self.stat, folder_remedy)
            except FileError:
                self._file.close()
                raise
        else:
            self._file = source
            self._read = getattr(source, "read1", None) or source.read
            self.name = _stream_name(source)
            self.stat = _stream_stat(source)

    @property
    def size(self) -> int | None:
        """Bytes in the file, where that is known. Files that the system makes up (`/proc`) claim to be empty."""
        if self.path is None or self.stat is None or not self.stat.st_size:
            return None
        return self.stat.st_size

    def read(self, count: int = READ_SIZE) -> bytes:
        try:
            data = self._read(count)
        except OSError as error:
            raise _named(error, self.name) from None
        if data is None:  # a stream that does not block, with nothing there yet
            raise FileError(self.name, "has no data ready; nzip reads streams that wait for data")
        self.count += len(data)
        return data

    def seekable(self) -> bool:
        """No: it is read once, from the start to the end."""
        return False

    def changed(self) -> bool:
        """Whether the file is another than when it was opened."""
        assert self.path is not None
        assert self.stat is not None
        now = os.stat(self.path)
        old = self.stat
        return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) != (
            old.st_dev,
            old.st_ino,
            old.st_size,
            old.st_mtime_ns,
        )

    def remove(self) -> None:
        """Delete the file, unless it changed since it was read."""
        assert self.path is not None
        self.close()
        self.refuse_changed()
        try:
            os.unlink(self.path)
        except OSError as error:
            raise FileError(self.path, f"could not be deleted ({error.strerror}); its output is complete") from None

    def refuse_changed(self) -> None:
        """Raise FileError when the file is another than when it was opened."""
        assert self.path is not None
        if self.changed():
            raise FileError(self.path, "changed while it was read and was therefore not deleted; try again")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.path is not None:
            self._file.close()


def _stream_name(stream: Any) -> str:
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):
        number = None
    if number in (0, 1):
        return ("stdin", "stdout")[number]
    name = getattr(stream, "name", None)
    if isinstance(name, str):
        return name.strip("<>")
    return "stream"


def _stream_stat(stream: Any) -> os.stat_result | None:
    try:
        return os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def _named(error: OSError, name: str) -> OSError:
    if error.filename is None:
        error.filename = name
    return error


def _special(mode: int) -> str | None:
    for test, word in (
        (stat.S_ISFIFO, "pipe (FIFO)"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "character device"),
        (stat.S_ISBLK, "block device"),
    ):
        if test(mode):
            return word
    return None


def _refuse_special(path: str, info: os.stat_result, folder_remedy: str) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise FileError(path, f"is a directory; {folder_remedy}")
    if word := _special(info.st_mode):
        raise FileError(path, f"is a {word} and not a regular file; to read it, use: nzip … - < {path}")


def refuse_unreadable(path: AnyPath) -> None:
    """Raise FileError when `path` is no regular file, and OSError when it cannot be opened."""
    with _Source(path):
        pass


def _look_ahead(src: _Source, start: bytes = b"") -> tuple[Header, BlockHeader | None, bytes]:
    """Read up to the first block header; return both headers and all bytes that were read, `start` first.

    The block header is None where it does not come soon, or is damaged; decoding then says so.

    Raises:
        CorruptError, UnsupportedError: there is no header that can be read.
    """
    found: list[BlockHeader] = []
    parser = Parser(found.append)
    data = bytearray(start)
    fed = 0
    while True:
        piece = bytes(data[fed : fed + 256])
        fed += len(piece)
        parser.feed(piece)
        try:
            while not found and parser.next() is not None:
                pass
        except NzipError:
            if parser.header is None:
                raise
            break
        if found or fed >= _LOOK_AHEAD:
            break
        if fed == len(data):
            more = src.read()
            if not more:
                break
            data += more
    if parser.header is None:
        raise parser.truncated()
    return parser.header, found[0] if found else None, bytes(data)


# --- what is written -------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_unfinished: set[str] = set()


def discard_unfinished() -> None:
    """Remove every unfinished output of this process, which is about to end; no output can appear afterwards.

    For a process that is ended by a signal while another thread works on a file. That thread waits for ever when
    it next begins or finishes an output.
    """
    _lock.acquire()
    for path in _unfinished:
        _remove(path)


def _remove(path: str) -> None:
    for _ in range(5):  # a thread that still writes into a folder can make its removal fail
        with contextlib.suppress(OSError):
            os.unlink(path)
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        time.sleep(0.02)


def _begin(folder: str, create: Callable[[str], Any]) -> tuple[str, Any]:
    """Make a new, empty output beside its later place and remember it until it is finished."""
    while True:
        part = os.path.join(folder, f".nzip-{os.urandom(6).hex()}.part")
        with _lock:
            try:
                made = create(part)
            except FileExistsError:
                continue
            except OSError as error:
                # What the user named is the folder, not the part.
                raise OSError(error.errno, error.strerror, folder or ".") from None
            _unfinished.add(part)
            return part, made


class _Target(ABC):
    """What is written to.

    Attributes:
        name: for messages and results.
        path: where it lies; None for a stream.
        size: bytes written so far.
    """

    name: str
    path: str | None = None
    size: int = 0

    @abstractmethod
    def write(self, data: bytes) -> int:
        """Write all of `data`; errors carry the target's name."""

    @abstractmethod
    def finish(self, *, like: os.stat_result | None = None, header: Header | None = None) -> None:
        """Give a file the mode and times of `like`, or those in `header`; have all that was written arrive."""

    @abstractmethod
    def commit(self) -> None:
        """Let a finished file appear in its place."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; what was not committed is removed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _NewFile(_Target):
    """A file that appears under its name when `commit` is called and not before.

    Args:
        path: its later place.
        force: replace what is there.
        mode: permission bits it is made with, less those the umask takes away.
    """

    def __init__(self, path: str, *, force: bool, mode: int = 0o666):
        self.path: str = path
        self.name = path
        self._force = force
        self._done = False
        refuse_existing(path, force=force)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self.part, number = _begin(os.path.dirname(path), lambda part: os.open(part, flags, mode))
        self._file = os.fdopen(number, "wb")

    def write(self, data: bytes) -> int:
        try:
            self._file.write(data)
        except OSError as error:
            raise _named(error, self.path) from None
        self.size += len(data)
        return len(data)

    def finish(self, *, like: os.stat_result | None = None, header: Header | None = None) -> None:
        mode = None if like is None else stat.S_IMODE(like.st_mode)
        times = None if like is None else (like.st_atime_ns, like.st_mtime_ns)
        if header is not None and header.mode is not None:
            mode = header.mode
        if header is not None and header.mtime_ns is not None:
            times = (header.mtime_ns, header.mtime_ns)
        try:
            self._file.flush()
            if like is not None and hasattr(os, "geteuid") and os.geteuid() == 0:
                with contextlib.suppress(OSError):
                    os.chown(self.part, like.st_uid, like.st_gid)
            if mode is not None:
                os.chmod(self.part, mode & 0o777)  # never setuid, setgid
            os.fsync(self._file.fileno())
            self._file.close()
            if times is not None:
                # A time that this file system cannot hold is no reason to lose the file.
                with contextlib.suppress(OSError, OverflowError):
                    os.utime(self.part, ns=times)
        except OSError as error:
            error.filename = self.path
            raise

    def commit(self) -> None:
        with _lock:
            try:
                if self._force:
                    os.replace(self.part, self.path)
                else:
                    _rename_new(self.part, self.path)
            except OSError as error:
                error.filename, error.filename2 = self.path, None
                raise
            _unfinished.discard(self.part)
            self._done = True

    def sync_folder(self) -> None:
        """Force the folder's entry for the file to the disk."""
        _sync_folder(os.path.dirname(self.path))

    def close(self) -> None:
        if not self._done:
            _remove(self.part)
            _unfinished.discard(self.part)
        with contextlib.suppress(OSError):  # of a full disk, which was reported before
            self._file.close()


class _Stream(_Target):
    """A stream, or a device or pipe that was named: written as it comes."""

    def __init__(self, target: str | BinaryIO):
        if isinstance(target, str):
            self.name = target
            self._file: Any = io.open(target, "wb", buffering=0)  # noqa: SIM115, UP020 - closed in __exit__
            self._owned = True
        else:
            self.name = _stream_name(target)
            self._file = target
            self._owned = False

    def write(self, data: bytes) -> int:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            raise _named(error, self.name) from None
        self.size += len(data)
        return len(data)

    def finish(self, *, like: os.stat_result | None = None, header: Header | None = None) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise _named(error, self.name) from None

    def commit(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        if self._owned:
            self._file.close()


def _open_target(target: AnyPath | BinaryIO, src: _Source, *, force: bool, remove: bool, like: bool) -> _Target:
    """Open what is to be written.

    Args:
        target: a path, or a stream.
        src: what is read: the same file is refused.
        force: replace a file that exists.
        remove: the source is to be deleted afterwards, so the target must be a file.
        like: the file will get the source's mode: until then nobody else may read it.
    """
    if not isinstance(target, str | os.PathLike):
        if remove:
            raise FileError(src.name, "is not deleted when the output is a stream; leave out --rm")
        info = _stream_stat(target)
        if info is not None and stat.S_ISREG(info.st_mode) and src.stat and os.path.samestat(info, src.stat):
            raise FileError(src.name, "is the input and the output; write to another file")
        return _Stream(target)
    path = os.fspath(target)
    try:
        info = os.stat(path)
    except OSError:
        info = None
    if info is not None:
        if src.stat is not None and os.path.samestat(info, src.stat):
            raise FileError(path, "is the input and the output; write to another file")
        if word := _special(info.st_mode):
            if remove:
                raise FileError(src.name, f"is not deleted when the output is a {word}; leave out --rm")
            if stat.S_ISBLK(info.st_mode) and not force:
                raise FileError(path, "is a block device; add -f to overwrite it")
            return _Stream(path)
    return _NewFile(path, force=force, mode=0o600 if like else 0o666)


def refuse_existing(path: AnyPath, *, force: bool = False) -> None:
    """Raise FileError when something is at `path` that must not be overwritten."""
    path = os.fspath(path)
    if os.path.isdir(path):
        raise FileError(path, "is a directory; name a file to write")
    if not force and os.path.lexists(path):
        raise FileError(path, "already exists; add -f to overwrite it, or choose another name with -o")


def _rename_new(part: str, path: str) -> None:
    """Rename without overwriting what came to `path` meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError:
        refuse_existing(path)
        raise
    except (OSError, NotImplementedError):  # no hard links here
        refuse_existing(path)
        os.rename(part, path)
    else:
        os.unlink(part)


def _sync_folder(folder: str) -> None:
    if os.name != "posix":
        return
    number = os.open(folder or ".", os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(number)


# --- files -----------------------------------------------------------------------------------------------------------


def compress_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    level: int = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
    threads: int = 0,
    block_size: int | None = None,
    window_bits: int | None = None,
    verify: bool | None = None,
    max_memory: int | None = None,
    store_name: bool = False,
    remove: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Compress one file or stream.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `compressed_name(source)` where left out.
        level, engine, params, block_size, window_bits, verify: as for `Compressor`.
        threads: as for `Compressor`, and fewer when they do not fit in the memory.
        max_memory: most bytes of memory for all blocks under way; None to go by `memory_budget`.
        store_name: store the source's base name, mode and modification time in the file.
        remove: delete the source once what was written was read back and found to be the same.
        force: overwrite an existing target.
        progress, prepare: hooks.

    Raises:
        FileError: the output exists, is the input, the source is no regular file, or it changed meanwhile.
        LimitError: one thread does not fit in `max_memory`.
        OSError: reading or writing failed.
        ValueError: a setting is out of range.
    """
    started = time.perf_counter()
    settings: dict[str, Any] = {"level": level, "engine": engine, "params": params, "block_size": block_size}
    with contextlib.ExitStack() as stack:
        src = stack.enter_context(_Source(source, folder_remedy=f"add -r to pack it as one {TREE_SUFFIX}"))
        fields = _fields(src) if store_name else {}
        count = _encode_threads(threads, src.size, max_memory, settings)
        out = stack.enter_context(
            _open_target(
                compressed_name(_path_of(src)) if target is None else target,
                src,
                force=force,
                remove=remove,
                like=src.path is not None,
            )
        )
        compressor = stack.enter_context(
            Compressor(
                threads=count,
                window_bits=window_bits,
                verify=verify,
                content_size=src.size,
                **fields,
                **settings,
            )
        )
        digest = xxhash.xxh3_128()
        while data := src.read(CHUNK):
            if prepare is not None and src.count == len(data):
                prepare(ENGINES.by_name(engine or level_of(level).engine))
            if src.size is not None and src.count > src.size:
                break
            if remove:
                digest.update(data)
            out.write(compressor.compress(data))
            if progress is not None:
                progress(compressor.bytes_coded, src.size, out.size)
        if src.size is not None and src.count != src.size:
            raise FileError(src.name, "changed its size while it was read; compress it again when it is complete")
        out.write(compressor.flush())
        if progress is not None:
            progress(src.count, src.size, out.size)
        out.finish(like=src.stat if src.path is not None else None)
        if remove:
            assert isinstance(out, _NewFile)
            _compare_content(out, src.count, digest.digest(), threads=count, max_memory=max_memory)
            _replace_source(src, out)
        else:
            out.commit()
        seconds = time.perf_counter() - started
        return FileResult(src.name, out.name, src.count, out.size, seconds, removed=remove)


def compress_signal_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    codec: str | None = None,
    model: AnyPath | None = None,
    goal: Goal | None = None,
    refine: int = 0,
    strip: bool = False,
    store_name: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> FileResult:
    """Compress a picture or sound with loss; the source is kept.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `compressed_name(source)` where left out.
        codec, model, goal, refine: see `lossy.encode_signal`.
        strip: leave out a colour profile, EXIF and tags.
        store_name: store the source's base name, mode and modification time in the file.
        force: overwrite an existing target.
        progress: hook; a search tells what it has done by `models.progress`.

    Raises:
        CorruptError, UnsupportedError, LimitError: the source is no picture or sound that can be taken.
        FileError: the output exists, is the input, the source is no regular file, or a setting is out of range or
            does not go with the source.
        OSError: reading or writing failed.
    """
    from nzip.codec import lossy
    from nzip.formats import signals

    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        src = stack.enter_context(_Source(source, folder_remedy="name the pictures or sounds in it"))
        fields = _fields(src) if store_name else {}
        if target is None:
            target = compressed_name(_path_of(src))
        out = stack.enter_context(_open_target(target, src, force=force, remove=False, like=src.path is not None))
        pieces = bytearray()
        while piece := src.read(CHUNK):
            pieces += piece
        data = io.BytesIO(pieces)
        data.name = src.name
        signal = signals.read_signal(data)
        signal = lossy.stripped(signal) if strip else signal
        if progress is not None:
            progress(0, (signal.pixels if isinstance(signal, signals.Picture) else signal.samples).size, 0)
        try:
            encoded = lossy.encode_signal(signal, codec=codec, model=model, goal=goal, refine=refine, fields=fields)
        except ValueError as error:
            raise FileError(src.name, str(error)) from None
        if src.size is not None and src.count != src.size:
            raise FileError(src.name, "changed its size while it was read; compress it again when it is complete")
        out.write(encoded.data)
        out.finish(like=src.stat if src.path is not None else None)
        out.commit()
        seconds = time.perf_counter() - started
        return FileResult(src.name, out.name, src.count, out.size, seconds, kind="lossy")


def _replace_source(src: _Source, out: _NewFile) -> None:
    """Put the verified output in its place and only then delete the source."""
    src.refuse_changed()
    out.commit()
    out.sync_folder()
    src.remove()


def _path_of(src: _Source) -> str:
    if src.path is None:
        raise ValueError("a target is needed when the source is a stream")
    return src.path


def _fields(src: _Source) -> dict[str, Any]:
    """Return the header fields that describe the source."""
    path = _path_of(src)
    assert src.stat is not None
    fields: dict[str, Any] = {
        "name": os.path.basename(path),
        "mode": stat.S_IMODE(src.stat.st_mode) & 0o777,
        "mtime_ns": src.stat.st_mtime_ns,
    }
    try:
        Header(**fields).encode()
    except ValueError as error:
        raise FileError(path, f"{error}; leave out -N") from None
    return fields


def _compare_content(
    out: _NewFile, size: int, digest: bytes, *, threads: int, max_memory: int | None
) -> None:
    """Decode what was written and compare it with what was read."""
    found = xxhash.xxh3_128()
    with _Source(out.part) as src:
        # The limit of decoding is for files of others; this one was just written here.
        decoded = _decode(src, found.update, threads=threads, max_memory=1 << 62, budget=max_memory)
    if decoded.raw_size != size or found.digest() != digest:
        raise FileError(out.path, "what was written does not give the source back; the source was kept")


@dataclass
class _Decoded:
    raw_size: int = 0
    members: int = 0
    header: Header | None = None


def _decode(
    src: _Source,
    write: Callable[[bytes], Any],
    *,
    threads: int,
    max_memory: int | None,
    budget: int | None = None,
    start: bytes = b"",
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> _Decoded:
    """Decode all members that `start` and then `src` hold."""
    limit = DEFAULT_MAX_MEMORY if max_memory is None else max_memory
    done = _Decoded()
    rest = start
    while True:
        offset = src.count - len(rest)
        try:
            header, block, rest = _look_ahead(src, rest)
            done.header = done.header or header
            if prepare is not None and block is not None and block.engine != STORE_ENGINE:
                _prepare_for(block, limit, prepare)
            with Decompressor(max_memory=limit, threads=_decode_threads(threads, block, budget)) as member:
                while not member.eof:
                    out = member.decompress(rest, CHUNK)
                    rest = b""
                    if out:
                        write(out)
                        done.raw_size += len(out)
                        if progress is not None:
                            progress(src.count, src.size, done.raw_size)
                    elif member.needs_input:
                        rest = src.read()
                        if not rest:
                            member.end_input()
                rest = member.unused_data
        except CorruptError as error:
            if not done.members:
                raise
            raise CorruptError(
                f"what follows byte {offset:,}, where a complete member ends, cannot be decoded: {error}"
            ) from None
        done.members += 1
        rest = rest or src.read()
        if not rest:
            return done


def _prepare_for(block: BlockHeader, limit: int, prepare: Prepare) -> None:
    """Prepare the block's engine; a block that will be refused is left for decoding to refuse."""
    try:
        engine = ENGINES.by_id(block.engine, block.engine_version)
    except NzipError:
        return
    if block.memory <= limit:
        prepare(engine)


def decompress_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    threads: int = 0,
    max_memory: int | None = None,
    restore: bool = False,
    remove: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Decompress one file or stream: all its members, one after another.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `decompressed_name(source)` where left out.
        threads: as for `Decompressor`, and fewer when they do not fit in the memory.
        max_memory: most bytes of memory for one block (None for 2 GiB), and for all blocks under way (None to
            go by `memory_budget`).
        restore: use the name, the mode and the modification time that the first member's header states, where
            it does. An explicit `target` wins over the name.
        remove: delete the source once what was written was read back and found to be the same.
        force: overwrite an existing target.
        progress, prepare: hooks.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`.
        FileError: the output exists, is the input, or has no name; the source is no regular file.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        src = stack.enter_context(_Source(source))
        header, block, start = _look_ahead(src)
        if target is None:
            target = decompressed_name(_path_of(src), header if restore else None)
        out = stack.enter_context(
            _open_target(target, src, force=force, remove=remove, like=src.path is not None)
        )
        digest = xxhash.xxh3_128()

        def write(data: bytes) -> None:
            if remove:
                digest.update(data)
            out.write(data)

        lossy = header.kind in SIGNALS
        if lossy:
            limit = DEFAULT_MAX_MEMORY if max_memory is None else max_memory
            if prepare is not None and block is not None and block.engine != STORE_ENGINE:
                _prepare_for(block, limit, prepare)
            decoded = _Decoded(members=1, header=header)
            write(_signal_bytes(src, start, target, limit, progress))
        else:
            decoded = _decode(
                src,
                write,
                threads=threads,
                max_memory=max_memory,
                budget=max_memory,
                start=start,
                progress=progress,
                prepare=prepare,
            )
        out.finish(like=src.stat if src.path is not None else None, header=header if restore else None)
        if remove:
            assert isinstance(out, _NewFile)
            _compare_bytes(out, digest.digest())
            _replace_source(src, out)
        else:
            out.commit()
        seconds = time.perf_counter() - started
        return FileResult(
            src.name,
            out.name,
            out.size if lossy else decoded.raw_size,
            src.count,
            seconds,
            members=decoded.members,
            kind=header.kind,
            removed=remove,
        )


def _signal_bytes(
    src: _Source, start: bytes, target: AnyPath | BinaryIO, max_memory: int, progress: Progress | None
) -> bytes:
    """Return the file of the picture or sound that a lossy file, of which `start` was read, stands for."""
    from nzip.codec import lossy
    from nzip.formats.signals import SUFFIXES

    def tell(done: int) -> None:
        if progress is not None:
            progress(src.count, src.size, done)

    found = lossy.receive(src.read, begin=start, max_memory=max_memory, progress=tell)
    suffix = os.path.splitext(os.fspath(target))[1].lower() if isinstance(target, str | os.PathLike) else ""
    return lossy.to_file(lossy.signal_of(found), SUFFIXES.get(suffix, ""))


def _compare_bytes(out: _NewFile, digest: bytes) -> None:
    found = xxhash.xxh3_128()
    with _Source(out.part) as src:
        while data := src.read(CHUNK):
            found.update(data)
    if found.digest() != digest:
        raise FileError(out.path, "reads back other bytes than were written; the source was kept")


def test_file(
    source: AnyPath | BinaryIO,
    *,
    threads: int = 0,  # noqa: PT028
    max_memory: int | None = None,  # noqa: PT028
    progress: Progress | None = None,  # noqa: PT028
    prepare: Prepare | None = None,  # noqa: PT028
) -> FileResult:
    """Decode a file or stream, check everything and write nothing.

    Args:
        source: a path, or a binary stream.
        threads, max_memory, progress, prepare: as for `decompress_file`.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`.
        FileError, OSError: it cannot be read.
    """
    started = time.perf_counter()
    with _Source(source) as src:
        decoded = _decode(
            src,
            len,
            threads=threads,
            max_memory=max_memory,
            budget=max_memory,
            progress=progress,
            prepare=prepare,
        )
        assert decoded.header is not None
        seconds = time.perf_counter() - started
        return FileResult(
            src.name,
            None,
            decoded.raw_size,
            src.count,
            seconds,
            members=decoded.members,
            kind=decoded.header.kind,
        )


# --- directories -----------------------------------------------------------------------------------------------------


def compress_tree(
    folder: AnyPath,
    target: AnyPath | BinaryIO | None = None,
    *,
    level: int = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
    threads: int = 0,
    block_size: int | None = None,
    verify: bool | None = None,
    max_memory: int | None = None,
    store_name: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Pack a directory as one compressed tar archive.

    Entries stand in the order of their names, so the same tree gives the same bytes. Files, directories, symbolic
    and hard links are packed with mode and modification time (in seconds), without owners. Symbolic links are not
    followed. Sockets, devices and pipes hold no bytes to pack and are listed in the result.

    Args:
        folder: the directory.
        target: a path, or a binary stream; `packed_name(folder)` where left out.
        store_name: store `NAME.tar` and the directory's modification time in the file.
        level, engine, params, threads, block_size, verify, max_memory, force, progress, prepare: as for
            `compress_file`.

    Raises:
        FileError, LimitError, OSError, ValueError: as for `compress_file`; a file that cannot be read ends it.
    """
    import tarfile

    started = time.perf_counter()
    root = os.fspath(folder)
    info = os.stat(root)
    if not stat.S_ISDIR(info.st_mode):
        raise FileError(root, "is not a directory")
    place = packed_name(root)
    top = os.path.basename(place)[: -len(TREE_SUFFIX)]
    settings: dict[str, Any] = {"level": level, "engine": engine, "params": params, "block_size": block_size}
    fields: dict[str, Any] = {"name": top + ".tar", "mtime_ns": info.st_mtime_ns} if store_name else {}
    try:
        Header(**fields).encode()
    except ValueError as error:
        raise FileError(root, f"{error}; leave out -N") from None
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(_tree_target(place if target is None else target, force=force))
        left_out = {os.path.realpath(path) for path in (out.path, getattr(out, "part", None)) if path is not None}
        paths, skipped, total = _entries(os.path.join(root, ""), top, left_out)
        most = total + 4096 * len(paths) + tarfile.RECORDSIZE  # headers included
        count = _encode_threads(threads, most, max_memory, settings)
        if prepare is not None:
            prepare(ENGINES.by_name(engine or level_of(level).engine))
        stream = stack.enter_context(
            _TreeWriter(
                cast(BinaryIO, out), "w", threads=count, verify=verify, kind="tar", **fields, **settings
            )
        )
        stream.report = None if progress is None else lambda coded: progress(min(coded, total), total, out.size)
        # Not closed on failure: what is thrown away needs no end.
        tar = tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        tar.copybufsize = CHUNK  # type: ignore[attr-defined]
        for path, name in paths:
            _add(tar, path, name)
        tar.close()
        raw_size = stream.tell()
        stream.close()
        out.finish()
        out.commit()
        if progress is not None:
            progress(total, total, out.size)
        return FileResult(
            root,
            out.name,
            raw_size,
            out.size,
            time.perf_counter() - started,
            kind="tar",
            entries=len(paths),
            skipped=tuple(skipped),
        )


class _TreeWriter(NzipFile):
    """An NzipFile that says how far it is."""

    report: Callable[[int], None] | None = None

    def write(self, data: Any) -> int:
        count = super().write(data)
        if self.report is not None and self._compressor is not None:
            self.report(self._compressor.bytes_coded)
        return count


def _tree_target(target: AnyPath | BinaryIO, *, force: bool) -> _Target:
    if not isinstance(target, str | os.PathLike):
        return _Stream(target)
    path = os.fspath(target)
    if os.path.exists(path) and _special(os.stat(path).st_mode):
        return _Stream(path)
    return _NewFile(path, force=force)


def _entries(root: str, top: str, left_out: set[str]) -> tuple[list[tuple[str, str]], list[str], int]:
    """Return path and archive name of everything below `root`, what is skipped, and the bytes of all files."""
    found: list[tuple[str, str]] = [(root, top)]
    skipped: list[str] = []
    total = 0
    stack = [(root, top)]
    while stack:
        folder, name = stack.pop()
        real = os.path.realpath(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                inside = f"{name}/{entry.name}"
                info = entry.stat(follow_symlinks=False)
                if os.path.join(real, entry.name) in left_out:
                    continue
                if _special(info.st_mode):
                    skipped.append(entry.path)
                    continue
                found.append((entry.path, inside))
                if stat.S_ISDIR(info.st_mode):
                    stack.append((entry.path, inside))
                elif stat.S_ISREG(info.st_mode):
                    total += info.st_size
    # A directory stands before what is in it, and siblings in the order of their names.
    found.sort(key=lambda item: os.fsencode(item[1]).split(b"/"))
    return found, skipped, total


def _add(tar: tarfile.TarFile, path: str, name: str) -> None:
    """Add one entry, without its owner and with whole seconds, so that equal trees give equal archives."""
    file: IO[bytes] | None = None
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            file = os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb")
            entry = tar.gettarinfo(arcname=name, fileobj=file)
        else:
            entry = tar.gettarinfo(path, name)
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = int(entry.mtime)
        try:
            tar.addfile(entry, file if entry.isreg() else None)
        except OSError as error:
            if error.errno is None:  # tarfile: fewer bytes came than the size said
                raise FileError(path, "changed its size while it was read; try again") from None
            raise _named(error, path) from None
    finally:
        if file is not None:
            file.close()


def extract_tree(
    source: AnyPath,
    target: AnyPath | None = None,
    *,
    folder: AnyPath | None = None,
    threads: int = 0,
    max_memory: int | None = None,
    outside_links: bool = False,
    remove: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Extract a directory that `compress_tree` packed.

    Everything is written to a new directory beside the target, checked, and renamed. No entry can be written, and
    no link can lead, outside of the extracted directory. Owners and special permissions are not restored.

    Args:
        source: the path of the archive.
        target: the path that the directory shall have; its own name in `folder` where left out.
        folder: the directory to extract into; the archive's own where left out.
        threads, max_memory, progress, prepare: as for `decompress_file`.
        outside_links: also make symbolic links that lead outside. Nothing is written through them.
        remove: delete the archive once the extracted files were compared with it.
        force: replace an existing directory by the extracted one.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`; CorruptError also for a damaged archive.
        FileError: the target exists, or the archive holds something that is not safe to extract.
        OSError: reading or writing failed.
    """
    import tarfile

    if not hasattr(tarfile, "data_filter"):
        raise FileError(source, "extracting safely needs Python 3.11.4 or later; --no-extract gives the tar")
    started = time.perf_counter()
    path = os.fspath(source)
    with _Source(path) as src:
        if folder is None:
            folder = os.path.dirname(path) if target is None else os.path.dirname(os.fspath(target).rstrip("/"))
        room = _NewFolder(os.fspath(folder))
        with room:
            unpacker = _Unpacker(path, room, target, outside_links=outside_links, force=force)
            with _tar_stream(src, threads, max_memory, progress, prepare) as stream:
                entries = unpacker.unpack(stream)
                raw_size = stream.count
            unpacker.finish()
            if remove:
                with _Source(path) as again, _tar_stream(again, threads, max_memory) as stream:
                    unpacker.compare(stream)
            place = unpacker.commit()
        if remove:
            _sync_folder(os.path.dirname(place))
            src.remove()
        seconds = time.perf_counter() - started
        return FileResult(path, place, raw_size, src.count, seconds, kind="tar", removed=remove, entries=entries)


@contextlib.contextmanager
def _tar_stream(
    src: _Source,
    threads: int,
    max_memory: int | None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> Iterator[_Content]:
    """Open the content of `src` for reading from its start to its end."""
    limit = DEFAULT_MAX_MEMORY if max_memory is None else max_memory
    _, block, start = _look_ahead(src)
    if prepare is not None and block is not None and block.engine != STORE_ENGINE:
        _prepare_for(block, limit, prepare)
    ahead = _Ahead(src, start)
    with NzipFile(
        cast(BinaryIO, ahead), threads=_decode_threads(threads, block, max_memory), max_memory=limit
    ) as stream:
        yield _Content(stream, None if progress is None else lambda count: progress(src.count, src.size, count))


class _Content:
    """What `tarfile` reads a packed directory from; counts and reports the bytes."""

    def __init__(self, stream: NzipFile, report: Callable[[int], None] | None):
        self._stream = stream
        self._report = report
        self.count = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        if self._report is not None:
            self._report(self.count)
        return data


class _Ahead:
    """A source with bytes that were read ahead put back in front."""

    def __init__(self, src: _Source, start: bytes):
        self._src = src
        self._start = start

    def read(self, count: int) -> bytes:
        if self._start:
            data, self._start = self._start, b""
            return data
        return self._src.read(count)

    def seekable(self) -> bool:
        return False


class _NewFolder:
    """A directory that is removed with all that is in it, unless what it was made for was moved out of it."""

    def __init__(self, folder: str):
        self.part, _ = _begin(folder, lambda part: os.mkdir(part, 0o700))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _make_removable(self.part)
        _remove(self.part)
        _unfinished.discard(self.part)


def _make_removable(folder: str) -> None:
    """Make sure that directories without write permission (of a tree that is replaced) can be removed."""
    for base, names, _ in os.walk(folder):
        for name in names:
            place = os.path.join(base, name)
            if not os.path.islink(place):
                with contextlib.suppress(OSError):
                    os.chmod(place, 0o700)


class _Unpacker:
    """Puts the entries of a tar archive into a room of their own, then into their place."""

    def __init__(
        self, archive: str, room: _NewFolder, target: AnyPath | None, *, outside_links: bool, force: bool
    ):
        self._archive = archive
        self._room = room.part
        self._parent = os.path.dirname(room.part)
        self._target = None if target is None else os.fspath(target)
        self._outside_links = outside_links
        self._force = force
        self._top: str | None = None
        self._folders: list[tuple[str, int, float]] = []
        self._links: list[tuple[str, str, float]] = []

    def unpack(self, stream: _Content) -> int:
        """Extract everything but symbolic links; return the number of entries."""
        import tarfile

        entries = 0
        for tar, member in self._members(stream):
            # Links are made last, so that nothing is ever written through one.
            probe = member
            if member.issym():
                probe = member.replace(deep=False)
                probe.type = tarfile.REGTYPE
            try:
                safe = tarfile.data_filter(probe, self._room)
            except tarfile.FilterError as error:
                raise self._unsafe(str(error)) from None
            parts = os.path.normpath(safe.name).split(os.sep)
            if self._top is None:
                self._top = parts[0]
                self._refuse_existing()
            if parts[0] != self._top or os.pardir in parts or (len(parts) == 1 and not member.isdir()):
                raise self._unsafe(f"{member.name!r} does not lie in the one directory that the archive holds")
            place = os.path.join(self._room, *parts)
            if member.issym():
                self._links.append((place, member.linkname, member.mtime))
            else:
                if member.isdir():
                    self._folders.append((place, (member.mode & 0o777) | 0o700, member.mtime))
                self._extract(tar, safe, place)
            entries += 1
        if self._top is None:
            raise CorruptError("the content is an empty tar archive; --no-extract gives it as it is")
        return entries

    def _extract(self, tar: tarfile.TarFile, member: tarfile.TarInfo, place: str) -> None:
        import tarfile

        try:
            tar.extract(member, self._room, filter="data")
        except tarfile.FilterError as error:
            raise self._unsafe(str(error)) from None
        except (tarfile.TarError, KeyError) as error:
            raise self._broken(error) from None
        except OSError as error:
            error.filename, error.filename2 = os.path.join(self._parent, self._inside(place)), None
            raise

    def _inside(self, place: str) -> str:
        return place[len(self._room) + 1 :]

    def _broken(self, error: Exception) -> CorruptError:
        return CorruptError(f"the content is no intact tar archive ({error}); --no-extract gives it as it is")

    def _members(self, stream: _Content) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        """Yield the members of the archive, then read the rest, so that every check is made."""
        import tarfile

        try:
            with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", bufsize=READ_SIZE, errorlevel=1) as tar:
                while (member := tar.next()) is not None:
                    yield tar, member
                    tar.members.clear()  # type: ignore[attr-defined]  # or memory grows with the archive
        except (tarfile.TarError, KeyError, EOFError) as error:
            raise self._broken(error) from None
        while stream.read(CHUNK):
            pass

    def _unsafe(self, why: str) -> FileError:
        return FileError(self._archive, f"is not safe: {why}; nothing was extracted, --no-extract gives the tar")

    def finish(self) -> None:
        """Make the links, and give directories their mode and time."""
        assert self._top is not None
        root = os.path.realpath(os.path.join(self._room, self._top))
        made = []
        for place, linkname, mtime in self._links:
            parent = os.path.dirname(place)
            os.makedirs(parent, exist_ok=True)
            if os.path.realpath(parent) != os.path.join(os.path.realpath(self._room), self._inside(parent)):
                raise self._unsafe(f"{self._inside(place)!r} lies behind a link")
            if os.path.lexists(place) and not os.path.isdir(place):
                os.unlink(place)
            os.symlink(linkname, place)
            with contextlib.suppress(OSError, NotImplementedError, OverflowError):
                os.utime(place, (mtime, mtime), follow_symlinks=False)
            made.append((place, linkname))
        if not self._outside_links:
            for place, linkname in made:
                leads = os.path.realpath(place)
                if os.path.isabs(linkname) or (leads != root and not leads.startswith(root + os.sep)):
                    raise FileError(
                        self._archive,
                        f"holds the link {self._inside(place)!r} -> {linkname!r}, which leads outside of the "
                        "directory; nothing was extracted; if you trust the archive, add --outside-links",
                    )
        for place, mode, mtime in reversed(self._folders):
            os.chmod(place, mode)
            with contextlib.suppress(OSError, OverflowError):
                os.utime(place, (mtime, mtime))

    def compare(self, stream: _Content) -> None:
        """Compare every extracted file with the archive, and force it to the disk."""
        for tar, member in self._members(stream):
            if not member.isreg():
                continue
            place = os.path.join(self._room, os.path.normpath(member.name.lstrip("/" + os.sep)))
            content = tar.extractfile(member)
            assert content is not None
            with open(place, "rb") as file:
                while data := content.read(CHUNK):
                    if file.read(len(data)) != data:
                        raise FileError(place, "reads back other bytes than were written; the archive was kept")
                os.fsync(file.fileno())

    @property
    def _place(self) -> str:
        assert self._top is not None
        return self._target.rstrip("/") if self._target is not None else os.path.join(self._parent, self._top)

    def _refuse_existing(self) -> None:
        place = self._place
        if not os.path.lexists(place):
            return
        if not self._force:
            raise FileError(place, "already exists; add -f to replace it, or choose another place with -o")
        if os.path.islink(place) or not os.path.isdir(place):
            raise FileError(place, "is no directory; a directory is not put in its place")
        inside = os.path.realpath(place)
        if (os.path.realpath(self._archive) + os.sep).startswith(inside + os.sep):
            raise FileError(place, "holds the archive itself and cannot be replaced; choose another place with -o")

    def commit(self) -> str:
        """Move the finished directory to its place and return that."""
        assert self._top is not None
        new, place = os.path.join(self._room, self._top), self._place
        old = os.path.join(self._room, f".old-{os.urandom(6).hex()}")
        with _lock:
            self._refuse_existing()
            if not os.path.lexists(place):
                os.rename(new, place)
                return place
            try:
                os.rename(place, old)
                os.rename(new, place)
            except BaseException:
                if os.path.lexists(old) and not os.path.lexists(place):
                    os.rename(old, place)
                raise
        return place
