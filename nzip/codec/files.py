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
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, cast

import xxhash

from nzip import outputs
from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.compressor import Compressor
from nzip.codec.decompressor import Decompressor
from nzip.codec.nzipfile import NzipFile
from nzip.codec.salvage import Fault, Lost, Salvage
from nzip.codec.threads import thread_count
from nzip.errors import CorruptError, LimitError, NzipError
from nzip.formats.container import MAGIC, MAX_BLOCK_HEADER, MAX_HEADER, STORE_ENGINE, BlockHeader, Header, Parser
from nzip.models.base import Engine
from nzip.outputs import _unfinished as _unfinished
from nzip.outputs import changing, named, special, sync_folder
from nzip.outputs import discard_unfinished as discard_unfinished
from nzip.registry import ENGINES
from nzip.settings import DEFAULT_LEVEL, Settings, resolve

if TYPE_CHECKING:
    import tarfile

    from nzip.codec.lossy import Goal
    from nzip.codec.tar import Entry

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
        outside: symbolic links of a directory that was packed which lead outside of it.
        pixels: of a picture that was compressed with loss; else 0.
        length: seconds of a sound that was compressed with loss; else 0.
        psnr: decibels of what comes back of such a picture or sound; None where it was not measured.
        faults: what is lost of a damaged file that was saved.
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
    outside: int = 0
    pixels: int = 0
    length: float = 0.0
    psnr: float | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def ratio(self) -> float:
        """Bytes of content for one compressed byte: more is better; 0 for empty content."""
        return self.raw_size / self.size if self.size else 0.0

    @property
    def bits_per_pixel(self) -> float | None:
        """Bits for a pixel of a picture that was compressed with loss; None for all else."""
        return 8 * self.size / self.pixels if self.pixels else None

    @property
    def kbps(self) -> float | None:
        """Kilobits for a second of a sound that was compressed with loss; None for all else."""
        return 8 * self.size / self.length / 1000 if self.length else None


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


def extracted_name(source: AnyPath) -> str:
    """Return where `extract_tree` puts the directory: the path without `.tar.nz`, or without `.nz`.

    Raises:
        FileError: that gives no name.
    """
    path = os.fspath(source)
    folder, name = os.path.split(path)
    for suffix in (TREE_SUFFIX, SUFFIX):
        if name.endswith(suffix):
            name = name[: -len(suffix)]
            if name in ("", os.curdir, os.pardir):
                break
            return os.path.join(folder, name)
    raise FileError(
        path,
        f"its name gives none to the directory in it (as NAME{TREE_SUFFIX} and NAME{SUFFIX} do); say where to extract "
        "it with -o DIR",
    )


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


def _encode_threads(threads: int, size: int | None, max_memory: int | None, settings: Settings) -> int:
    """Return how many of `threads` have work and fit in the memory."""
    count = thread_count(threads)
    if size is not None:
        count = max(1, min(count, -(-size // settings.block_size)))
    budget = memory_budget() if max_memory is None else max_memory
    while count > 1 and settings.encode_memory(size, count) > budget:
        count -= 1
    if max_memory is not None and (needed := settings.encode_memory(size)) > max_memory:
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
            raise named(error, self.name) from None
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

    def refuse_removal(self) -> None:
        """Raise FileError when deleting this name would not delete the file."""
        if self.path is None or self.stat is None:
            return
        if os.path.islink(self.path):
            raise FileError(self.path, "is a link, and --rm would delete that alone; name the file it leads to")
        if self.stat.st_nlink > 1:
            others = self.stat.st_nlink - 1
            raise FileError(
                self.path,
                f"has {others} other name{'s' * (others > 1)} (hard links), and --rm would delete this one alone; add "
                "-f to do that",
            )

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


def _refuse_special(path: str, info: os.stat_result, folder_remedy: str) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise FileError(path, f"is a directory; {folder_remedy}")
    if word := special(info.st_mode):
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


class Run:
    """The files of one run of a command: its inputs, and what it wrote. None of them is overwritten, even with force.

    Files are told apart by device and inode, so links, other spellings and folders that take no note of case change
    nothing.

    Args:
        inputs: what will be read.
    """

    def __init__(self, inputs: Iterable[AnyPath] = ()):
        self._files: dict[tuple[int, int], str] = {}
        self._folders: dict[tuple[int, int], str] = {}  # with one of them in it, at any depth
        for path in inputs:
            self._add(path, "is an input of this run")

    def wrote(self, path: AnyPath, source: AnyPath) -> None:
        """Remember an output."""
        self._add(path, f"was written before in this run, from {os.fspath(source)}")

    def removed(self, info: os.stat_result) -> None:
        """Forget an input that was deleted: another file may get its inode."""
        self._files.pop((info.st_dev, info.st_ino), None)

    def _add(self, path: AnyPath, what: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            info = os.stat(path)
            if special(info.st_mode) or not info.st_ino:
                return
            self._files[info.st_dev, info.st_ino] = what
            folder = os.path.realpath(os.path.dirname(os.fspath(path)) or ".")
            while True:
                above = os.stat(folder)
                if (above.st_dev, above.st_ino) in self._folders:
                    return
                self._folders[above.st_dev, above.st_ino] = os.fspath(path)
                if folder == (folder := os.path.dirname(folder)):
                    return

    def refuse(self, path: AnyPath | BinaryIO) -> None:
        """Raise FileError when `path`, or the file under a stream, must not be written."""
        if isinstance(path, str | os.PathLike):
            with contextlib.suppress(OSError, ValueError):
                info = os.stat(path)
                if found := self._files.get((info.st_dev, info.st_ino)):
                    raise FileError(path, f"{found}, and is not overwritten; write to another file")
            return
        found = self._files.get(_identity(_stream_stat(path)), "")
        if found.startswith("is"):  # several outputs to one stream are as they should be
            raise FileError(_stream_name(path), f"{found}, and is not overwritten; write to another file")

    def refuse_folder(self, path: AnyPath) -> None:
        """Raise FileError when the directory `path` must not be replaced by another."""
        self.refuse(path)
        with contextlib.suppress(OSError, ValueError):
            info = os.stat(path)
            if found := self._folders.get((info.st_dev, info.st_ino)):
                raise FileError(path, f"holds {found}, which this run read or wrote; choose another place with -o")


def _identity(info: os.stat_result | None) -> tuple[int, int]:
    return (0, 0) if info is None else (info.st_dev, info.st_ino)


class _NewFile(outputs.NewFile):
    """A new file; one that is in its place and must not be overwritten is refused with the remedy."""

    def __init__(self, path: str, *, force: bool, mode: int = 0o666):
        refuse_existing(path, force=force)
        super().__init__(path, force=force, mode=mode)

    def commit(self) -> None:
        try:
            super().commit()
        except FileExistsError:
            refuse_existing(self.path)
            raise


def _finish(out: outputs.Target, like: os.stat_result | None, header: Header | None = None) -> None:
    """Give an output the mode, times and owner of `like`, or the time in `header` and its mode less the umask."""
    mode = None if like is None else stat.S_IMODE(like.st_mode)
    times = None if like is None else (like.st_atime_ns, like.st_mtime_ns)
    if header is not None and header.mode is not None:
        mode = header.mode
        if out.path is not None:
            mode &= outputs.permitted(os.path.dirname(out.path))
    if header is not None and header.mtime_ns is not None:
        times = (header.mtime_ns, header.mtime_ns)
    out.finish(mode=mode, times=times, owner=None if like is None else (like.st_uid, like.st_gid))


def _open_target(
    target: AnyPath | BinaryIO, src: _Source, *, force: bool, remove: bool, like: bool, run: Run | None = None
) -> outputs.Target:
    """Open what is to be written.

    Args:
        target: a path, or a stream.
        src: what is read: the same file is refused.
        force: replace a file that exists.
        remove: the source is to be deleted afterwards, so the target must be a file.
        like: the file will get the source's mode: until then nobody else may read it.
        run: whose other files are refused too.
    """
    if not isinstance(target, str | os.PathLike):
        if remove:
            raise FileError(src.name, "is not deleted when the output is a stream; leave out --rm")
        info = _stream_stat(target)
        if info is not None and stat.S_ISREG(info.st_mode) and src.stat and os.path.samestat(info, src.stat):
            raise FileError(src.name, "is the input and the output; write to another file")
        if run is not None:
            run.refuse(target)
        return outputs.Stream(target, _stream_name(target))
    path = os.fspath(target)
    try:
        info = os.stat(path)
    except OSError:
        info = None
    if info is not None:
        if src.stat is not None and os.path.samestat(info, src.stat) and not special(info.st_mode):
            raise FileError(path, "is the input and the output; write to another file")
        if run is not None:
            run.refuse(path)
        if stat.S_ISBLK(info.st_mode) and not force:
            raise FileError(path, "is a block device; add -f to overwrite it")
    if word := outputs.stream_word(path):
        if remove:
            raise FileError(src.name, f"is not deleted when the output is a {word}; leave out --rm")
        return outputs.Stream(path)
    return _NewFile(path, force=force, mode=0o600 if like else 0o666)


def refuse_existing(path: AnyPath, *, force: bool = False) -> None:
    """Raise FileError when something is at `path` that must not be overwritten."""
    path = os.fspath(path)
    if os.path.isdir(path):
        raise FileError(path, "is a directory; name a file to write")
    if not force and os.path.lexists(path):
        raise FileError(path, "already exists; add -f to overwrite it, or choose another name with -o")


# --- files -----------------------------------------------------------------------------------------------------------


def compress_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    level: int | Settings = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    threads: int = 0,
    block_size: int | None = None,
    window_bits: int | None = None,
    verify: bool | None = None,
    max_memory: int | None = None,
    store_name: bool = False,
    remove: bool = False,
    force: bool = False,
    run: Run | None = None,
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
        force: overwrite an existing target; with `remove`, delete a link, or one of a file's several names.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.
        progress, prepare: hooks.

    Raises:
        FileError: the output exists, is the input, the source is no regular file, or it changed meanwhile.
        LimitError: one thread does not fit in `max_memory`.
        OSError: reading or writing failed.
        ValueError: a setting is out of range.
    """
    started = time.perf_counter()
    settings = resolve(level, engine=engine, params=params, block_size=block_size)
    with contextlib.ExitStack() as stack:
        src = stack.enter_context(_Source(source, folder_remedy=f"add -r to pack it as one {TREE_SUFFIX}"))
        if remove and not force:
            src.refuse_removal()
        fields = _fields(src) if store_name else {}
        count = _encode_threads(threads, src.size, max_memory, settings)
        out = stack.enter_context(
            _open_target(
                compressed_name(_path_of(src)) if target is None else target,
                src,
                force=force,
                remove=remove,
                like=src.path is not None,
                run=run,
            )
        )
        compressor = stack.enter_context(
            Compressor(
                settings,
                threads=count,
                window_bits=window_bits,
                verify=verify,
                content_size=src.size,
                **fields,
            )
        )
        digest = xxhash.xxh3_128()
        while data := src.read(CHUNK):
            if prepare is not None and src.count == len(data):
                prepare(ENGINES.by_name(settings.engines[-1].engine))
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
        _finish(out, src.stat if src.path is not None else None)
        if remove:
            assert isinstance(out, _NewFile)
            _compare_content(out, src.count, digest.digest(), threads=count, max_memory=max_memory)
        _put(out, src, remove=remove, run=run)
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
    run: Run | None = None,
    progress: Progress | None = None,
) -> FileResult:
    """Compress a picture or sound with loss; the source is kept.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `compressed_name(source)` where left out.
        codec, model, goal, refine: see `lossy.encode_signal`.
        strip: leave out all but pixels or samples.
        store_name: store the source's base name, mode and modification time in the file.
        force: overwrite an existing target.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.
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
        out = stack.enter_context(
            _open_target(target, src, force=force, remove=False, like=src.path is not None, run=run)
        )
        pieces = bytearray()
        while piece := src.read(CHUNK):
            pieces += piece
        data = io.BytesIO(pieces)
        data.name = src.name
        signal = signals.read_signal(data, strip=strip)
        if progress is not None:
            progress(0, (signal.pixels if isinstance(signal, signals.Image) else signal.samples).size, 0)
        try:
            encoded = lossy.encode_signal(signal, codec=codec, model=model, goal=goal, refine=refine, fields=fields)
        except ValueError as error:
            raise FileError(src.name, str(error)) from None
        if src.size is not None and src.count != src.size:
            raise FileError(src.name, "changed its size while it was read; compress it again when it is complete")
        psnr = lossy.psnr(signal, encoded.data) if encoded.psnr is None else encoded.psnr
        out.write(encoded.data)
        _finish(out, src.stat if src.path is not None else None)
        _put(out, src, remove=False, run=run)
        seconds = time.perf_counter() - started
        what: dict[str, Any] = {"kind": "lossy", "psnr": psnr}
        if isinstance(signal, signals.Image):
            what["pixels"] = signal.pixels.shape[0] * signal.pixels.shape[1]
        else:
            what["length"] = signal.samples.shape[1] / signal.rate
        return FileResult(src.name, out.name, src.count, out.size, seconds, **what)


def _put(out: outputs.Target, src: _Source, *, remove: bool, run: Run | None) -> None:
    """Put a finished output in its place, and only then delete its source, if it is to go."""
    if remove:
        src.refuse_changed()
    out.commit()
    if run is not None and out.path is not None:
        run.wrote(out.path, src.name)
    if remove:
        assert isinstance(out, _NewFile)
        assert src.stat is not None
        out.sync_folder()
        src.remove()
        if run is not None and src.stat.st_nlink == 1:
            run.removed(src.stat)


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
    member = Decompressor(max_memory=limit, threads=threads)
    member._budget = memory_budget() if budget is None else budget
    if prepare is not None:
        member._prepare = partial(_prepare_for, prepare=prepare)
    data = start
    try:
        while True:
            if not data and member.needs_input:
                data = src.read()
                if not data and member._follows:
                    return done
                if not data:
                    member.end_input()
            out = member.decompress(data, CHUNK)
            data = b""
            if out:
                write(out)
                done.raw_size += len(out)
                if progress is not None:
                    progress(src.count, src.size, done.raw_size)
            if member.eof:
                done.header = done.header or member.header
                done.members += 1
                member = member._next()
    finally:
        member.close()


def _prepare_for(block: BlockHeader, prepare: Prepare) -> None:
    """Prepare the engine of a block that is within the limits; one that is not here is left for decoding to refuse."""
    if block.engine == STORE_ENGINE:
        return
    try:
        engine = ENGINES.by_id(block.engine, block.engine_version)
    except NzipError:
        return
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
    run: Run | None = None,
    strip: bool = False,
    pass_through: bool = False,
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
        force: overwrite an existing target; with `remove`, delete a link, or one of a file's several names.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.
        pass_through: give what does not begin as nzip files do as it is (`members` is 0 then).
        progress, prepare: hooks.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`.
        FileError: the output exists, is the input, or has no name; the source is no regular file.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        src = stack.enter_context(_Source(source))
        if remove and not force:
            src.refuse_removal()
        start = b""
        while pass_through and len(start) < len(MAGIC) and (data := src.read()):
            start += data
        # Where a file ends within the magic, it is an nzip file that is cut off.
        plain = pass_through and (not start or start[: len(MAGIC)] != MAGIC[: len(start)])
        header, block, start = (Header(), None, start) if plain else _look_ahead(src, start)
        if target is None:
            target = decompressed_name(_path_of(src), header if restore else None)
        out = stack.enter_context(
            _open_target(target, src, force=force, remove=remove, like=src.path is not None, run=run)
        )
        digest = xxhash.xxh3_128()

        def write(data: bytes) -> None:
            if remove:
                digest.update(data)
            out.write(data)

        lossy = header.kind in SIGNALS
        if plain:
            decoded = _Decoded()
            while start:
                write(start)
                decoded.raw_size += len(start)
                if progress is not None:
                    progress(src.count, src.size, decoded.raw_size)
                start = src.read()
        elif lossy:
            limit = DEFAULT_MAX_MEMORY if max_memory is None else max_memory
            if prepare is not None and block is not None and block.memory <= limit:
                _prepare_for(block, prepare)
            decoded = _Decoded(members=1, header=header)
            write(_signal_bytes(src, start, target, limit, strip, progress))
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
        _finish(out, src.stat if src.path is not None else None, header if restore else None)
        if remove:
            assert isinstance(out, _NewFile)
            _compare_bytes(out, digest.digest())
        _put(out, src, remove=remove, run=run)
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


def salvage_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    lost: Lost = "zeros",
    unplaced: bool = False,
    threads: int = 0,
    max_memory: int | None = None,
    restore: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
) -> FileResult:
    """Decompress what is sound of a damaged file or stream; the source is kept.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `decompressed_name(source)` where left out. The archive of a packed
            directory is written as it is.
        lost: `"zeros"` puts zeros in the place of what is lost, `"gaps"` leaves it out; see `Salvage`.
        unplaced: give as well what is found where its place in the content is not known; see `Salvage`.
        threads, max_memory, restore, force, run, progress: as for `decompress_file`.

    Raises:
        FileError: the output exists, is the input, or has no name; the source is no regular file, or holds a picture or
            sound made smaller with loss.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        src = stack.enter_context(_Source(source))
        header = Header()
        if src.path is None:
            file = cast(BinaryIO, src)
        else:
            with contextlib.suppress(NzipError):
                header = read_header(src.path)
            file = stack.enter_context(io.open(src.path, "rb"))  # noqa: UP020 - not nzip's own
        if header.kind in SIGNALS:
            raise FileError(src.name, "holds a picture or sound made smaller with loss, of which no part can be saved")
        if target is None:
            target = decompressed_name(_path_of(src), header if restore else None)
        out = stack.enter_context(
            _open_target(target, src, force=force, remove=False, like=src.path is not None, run=run)
        )
        limit = DEFAULT_MAX_MEMORY if max_memory is None else max_memory
        saved = Salvage(file, lost=lost, max_memory=limit, threads=threads, unplaced=unplaced)
        for piece in saved:
            out.write(piece)
            if progress is not None:
                progress(min(out.size, src.size or out.size), src.size, out.size)
        _finish(out, src.stat if src.path is not None else None, header if restore else None)
        _put(out, src, remove=False, run=run)
        return FileResult(
            src.name,
            out.name,
            saved.size,
            src.size or src.count,
            time.perf_counter() - started,
            kind=header.kind,
            faults=tuple(saved.faults),
        )


def _signal_bytes(
    src: _Source, start: bytes, target: AnyPath | BinaryIO, max_memory: int, strip: bool, progress: Progress | None
) -> bytes:
    """Return the file of the picture or sound that a lossy file, of which `start` was read, stands for."""
    from nzip.codec import lossy
    from nzip.formats import signals

    def tell(done: int) -> None:
        if progress is not None:
            progress(src.count, src.size, done)

    found = lossy.receive(src.read, begin=start, max_memory=max_memory, progress=tell)
    own = lossy.format_of(found.head)
    format_ = signals.format_for(target, own) if isinstance(target, str | os.PathLike) else own
    return lossy.to_file(lossy.signal_of(found), format_, strip=strip)


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
    level: int | Settings = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    threads: int = 0,
    block_size: int | None = None,
    verify: bool | None = None,
    max_memory: int | None = None,
    store_name: bool = False,
    force: bool = False,
    run: Run | None = None,
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
        FileError, LimitError, OSError, ValueError: as for `compress_file`; a file that cannot be read, or lies too
            deep to be extracted again, ends it.
    """
    import tarfile

    started = time.perf_counter()
    root = os.fspath(folder)
    info = os.stat(root)
    if not stat.S_ISDIR(info.st_mode):
        raise FileError(root, "is not a directory")
    place = packed_name(root)
    top = os.path.basename(place)[: -len(TREE_SUFFIX)]
    settings = resolve(level, engine=engine, params=params, block_size=block_size)
    fields: dict[str, Any] = {"name": top + ".tar", "mtime_ns": info.st_mtime_ns} if store_name else {}
    try:
        Header(**fields).encode()
    except ValueError as error:
        raise FileError(root, f"{error}; leave out -N") from None
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(_tree_target(place if target is None else target, root, force=force, run=run))
        left_out = {
            os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            for path in (out.path, getattr(out, "part", None))
            if path is not None
        }
        paths, skipped, total = _entries(os.path.join(root, ""), top, left_out)
        most = total + 4096 * len(paths) + tarfile.RECORDSIZE  # headers included
        count = _encode_threads(threads, most, max_memory, settings)
        if prepare is not None:
            prepare(ENGINES.by_name(settings.engines[-1].engine))
        stream = stack.enter_context(
            _TreeWriter(
                cast(BinaryIO, out), "w", level=settings, threads=count, verify=verify, kind="tar", **fields
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
        if run is not None and out.path is not None:
            run.wrote(out.path, root)
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
            outside=_links_outside(paths),
        )


class _TreeWriter(NzipFile):
    """An NzipFile that says how far it is."""

    report: Callable[[int], None] | None = None

    def write(self, data: Any) -> int:
        count = super().write(data)
        if self.report is not None and self._compressor is not None:
            self.report(self._compressor.bytes_coded)
        return count


def _tree_target(target: AnyPath | BinaryIO, root: str, *, force: bool, run: Run | None) -> outputs.Target:
    if run is not None:
        run.refuse(target)
    if not isinstance(target, str | os.PathLike):
        return outputs.Stream(target, _stream_name(target))
    path = os.fspath(target)
    if outputs.stream_word(path) is not None:
        return outputs.Stream(path)
    if force and os.path.isfile(path) and _lies_in(path, root) and not _is_packed(path):
        raise FileError(path, "lies in the directory that is packed, and would be lost; choose another place with -o")
    return _NewFile(path, force=force)


def _lies_in(path: str, root: str) -> bool:
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), ""))


def _is_packed(path: str) -> bool:
    """Whether a file is a packed directory: an earlier output, which is not packed itself."""
    try:
        return read_header(path).kind == "tar"
    except (NzipError, OSError):
        return False


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
                if special(info.st_mode):
                    skipped.append(entry.path)
                    continue
                if inside.count("/") >= MAX_DEPTH:
                    raise FileError(entry.path, f"lies more than {MAX_DEPTH} levels deep, which is not extracted again")
                found.append((entry.path, inside))
                if stat.S_ISDIR(info.st_mode):
                    stack.append((entry.path, inside))
                elif stat.S_ISREG(info.st_mode):
                    total += info.st_size
    # A directory stands before what is in it, and siblings in the order of their names.
    found.sort(key=lambda item: os.fsencode(item[1]).split(b"/"))
    return found, skipped, total


def _links_outside(paths: Iterable[tuple[str, str]]) -> int:
    """Return how many links of a packed directory lead outside of it, as `extract_tree` would see it."""
    leads: dict[str, str] = {}
    for path, name in paths:
        with contextlib.suppress(OSError):  # no link; or it went meanwhile
            leads[name] = os.readlink(path)
    tree = _Links()
    for name, linkname in leads.items():
        node = tree
        for part in name.split("/")[1:]:
            node = node.below.setdefault(part, _Links())
        node.leads = linkname
    return sum(_Unpacker._leads_outside(tree, name.split("/")[1:-1], linkname) for name, linkname in leads.items())


def _add(tar: tarfile.TarFile, path: str, name: str) -> None:
    """Add one entry, without its owner and with whole seconds, so that equal trees give equal archives."""
    file: IO[bytes] | None = None
    try:
        info = os.lstat(path)
        if stat.S_ISREG(info.st_mode):
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            file = os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb")
            info = os.fstat(file.fileno())
            entry = tar.gettarinfo(arcname=name, fileobj=file)
        else:
            entry = tar.gettarinfo(path, name)
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = info.st_mtime_ns // 10**9  # rounded down, before 1970 too
        try:
            tar.addfile(entry, file if entry.isreg() else None)
        except OSError as error:
            if error.errno is None:  # tarfile: fewer bytes came than the size said
                raise FileError(path, "changed its size while it was read; try again") from None
            raise named(error, path) from None
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
    restore: bool = False,
    outside_links: bool = False,
    remove: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Extract a directory that `compress_tree` packed.

    Everything is written to a new directory beside the target, checked, and renamed. No entry can be written, and
    no link can lead, outside of the extracted directory. Owners and special permissions are not restored, nor
    permissions that the umask takes away.

    Args:
        source: the path of the archive.
        target: the path that the directory shall have; the name of `extracted_name` in `folder` where left out.
        folder: the directory to extract into; the archive's own where left out.
        restore: where `target` is left out, take the name that the archive states for the directory.
        threads, max_memory, progress, prepare: as for `decompress_file`.
        outside_links: also make symbolic links that lead outside. Nothing is written through them.
        remove: delete the archive once all that was extracted was compared with it.
        force: replace an existing directory by the extracted one, but with `restore` none that has something in it
            and another name than `extracted_name` gives; with `remove`, delete a link, or one of several names.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`; CorruptError also for a damaged archive.
        FileError: the target exists, or the archive holds something that is not safe to extract.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    path = os.fspath(source)
    with _Source(path) as src:
        if remove and not force:
            src.refuse_removal()
        if target is None and not restore:
            name = extracted_name(path)
            target = name if folder is None else os.path.join(folder, os.path.basename(name))
        if folder is None:
            folder = os.path.dirname(path) if target is None else os.path.dirname(os.fspath(target).rstrip("/"))
        limit = DEFAULT_MAX_MEMORY if max_memory is None else max_memory
        room = _NewFolder(os.fspath(folder))
        with room:
            unpacker = _Unpacker(
                path, room, target, outside_links=outside_links, force=force, run=run or Run([path]), memory=limit
            )
            with _tar_stream(src, threads, max_memory, progress, prepare) as stream:
                entries = unpacker.unpack(stream)
                raw_size = stream.count
            unpacker.finish()
            if remove:
                with _Source(path) as again, _tar_stream(again, threads, max_memory) as stream:
                    unpacker.compare(stream)
                src.refuse_changed()
            place = unpacker.commit(sync=remove)
        if run is not None:
            run.wrote(place, path)
        if remove:
            assert src.stat is not None
            sync_folder(os.path.dirname(place))
            src.remove()
            if run is not None and src.stat.st_nlink == 1:
                run.removed(src.stat)
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
    if prepare is not None and block is not None and block.memory <= limit:
        _prepare_for(block, prepare)
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
        self.part, _ = outputs.begin(folder, lambda part: os.mkdir(part, 0o700))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outputs.discard(self.part)


MAX_DEPTH = 256  # names in a path of an archive
_ENTRY_COST = 400  # bytes of memory that are kept for a directory or link, beside its names
_MOST_LINKS = 64  # followed for one link, more than systems do
_MOST_STEPS = 1024  # names in them


class _Unpacker:
    """Puts the entries of a tar archive into a room of their own, then into their place.

    Links are judged by the names in them, and one that climbs out of the directory is refused even where it comes back:
    it would lead elsewhere once the directory has another name. Modes and times of directories come last.
    """

    def __init__(
        self,
        archive: str,
        room: _NewFolder,
        target: AnyPath | None,
        *,
        outside_links: bool,
        force: bool,
        run: Run,
        memory: int = DEFAULT_MAX_MEMORY,
    ):
        self._archive = archive
        self._room = room.part
        self._parent = os.path.dirname(room.part)
        self._target = None if target is None else os.fspath(target)
        self._outside_links = outside_links
        self._force = force
        self._run = run
        self._memory = memory
        self._top: str | None = None  # as the archive calls it
        self._root = ""  # where it lies in the room
        self._permitted = outputs.permitted(self._room)
        self._folders: dict[str, tuple[int, int | None]] = {}  # mode, and time if the archive named it
        self._links: dict[str, tuple[str, int]] = {}
        self._replaced: dict[str, int] = {}  # what the archive holds older versions of: how many

    def unpack(self, stream: _Content) -> int:
        """Extract everything but symbolic links; return the number of entries."""
        count = 0
        for entry in self._entries(stream):
            count += 1
            place = self._place(entry)
            if entry.kind == "link":
                # Links are made last, so that nothing is ever written through one.
                if not entry.linkname:
                    raise self._unsafe(f"the link {entry.name!r} leads nowhere")
                self._keep(place, entry.linkname)
                if place in self._links:
                    self._older(place)
                self._links[place] = entry.linkname, entry.mtime_ns
            elif entry.kind == "directory":
                if place not in self._folders:
                    self._keep(place)
                self._folders[place] = entry.mode & self._permitted, entry.mtime_ns
                self._make(place, self._make_folder)
            elif entry.kind == "hard link":
                self._hard_link(entry, place)
            elif entry.kind == "file":
                self._file(entry, place)
            else:
                raise self._unsafe(f"{entry.name!r} is no file, directory or link ({entry.kind})")
        if self._top is None:
            raise CorruptError("the content is an empty tar archive; --no-extract gives it as it is")
        return count

    def _entries(self, stream: _Content) -> Iterator[Entry]:
        from nzip.codec import tar

        try:
            yield from tar.entries(stream)
        except tar.UnsafeError as error:
            raise self._unsafe(str(error)) from None

    def _place(self, entry: Entry) -> str:
        """Return where in the room an entry belongs."""
        parts = self._parts(entry.name)
        if self._top is None:
            self._top = parts[0]
            self._root = os.path.join(self._room, self._top)
            self._refuse_existing()
        if parts[0] != self._top or (len(parts) == 1 and entry.kind != "directory"):
            raise self._unsafe(f"{entry.name!r} does not lie in the one directory that the archive holds")
        return os.path.join(self._root, *parts[1:])

    def _parts(self, name: str) -> list[str]:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        foreign = os.name == "nt" and any(char in part for part in parts for char in '\\:')
        if not parts or os.pardir in parts or foreign:
            raise self._unsafe(f"{name!r} does not lie in the one directory that the archive holds")
        if len(parts) > MAX_DEPTH:
            raise self._unsafe(f"it holds a path of {len(parts):,} names, and {MAX_DEPTH} are the most")
        return parts

    def _keep(self, *words: str) -> None:
        """Account for what is remembered of an entry until the end."""
        self._memory -= _ENTRY_COST + sum(map(len, words))
        if self._memory < 0:
            raise LimitError(
                "the archive has more directories and links than fit in the memory allowed; raise it (-M), or take "
                "--no-extract"
            )

    # What is made in the room. Each step is one change that the end of the process waits for, or keeps from happening.

    def _make(self, place: str, make: Callable[[str], Any]) -> Any:
        """Make something at `place`, and before that the directories above that the archive has not named."""
        try:
            try:
                with changing():
                    return make(place)
            except FileNotFoundError:
                missing = []
                folder = os.path.dirname(place)
                while len(folder) > len(self._room) and not os.path.lexists(folder):
                    missing.append(folder)
                    folder = os.path.dirname(folder)
                for folder in reversed(missing):
                    self._keep(folder)
                    self._folders[folder] = self._permitted, None
                    with changing():
                        self._make_folder(folder)
                with changing():
                    return make(place)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise self._unsafe(f"{self._inside(place)!r} would be a file and a directory, or lie in a file") from None
        except OSError as error:
            raise self._named(error, place) from None

    @staticmethod
    def _make_folder(place: str) -> None:
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(place).st_mode):
                raise

    def _make_file(self, place: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            return os.open(place, flags, 0o600)
        except FileExistsError:  # of an archive that newer versions were added to
            if not stat.S_ISREG(os.lstat(place).st_mode):
                raise
            os.unlink(place)
            self._older(place)
            return os.open(place, flags, 0o600)

    def _older(self, place: str) -> None:
        """Remember that the archive holds an older version of a file or link."""
        if place not in self._replaced:
            self._keep(place)
        self._replaced[place] = self._replaced.get(place, 0) + 1

    def _file(self, entry: Entry, place: str) -> None:
        if self._links.pop(place, None):
            self._older(place)
        number = self._make(place, self._make_file)
        try:
            with os.fdopen(number, "wb") as file:
                holes = outputs.Holes(file)
                while data := entry.read():
                    holes.write(data)
                holes.end()
            os.chmod(place, entry.mode & self._permitted)
            with contextlib.suppress(OSError, OverflowError):
                os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns))
        except OSError as error:
            raise self._named(error, place) from None

    def _linked(self, entry: Entry) -> str:
        """Return where in the room the file lies that a hard link is to."""
        return os.path.join(self._root, *self._parts(entry.linkname)[1:])

    def _hard_link(self, entry: Entry, place: str) -> None:
        parts = self._parts(entry.linkname)
        source = self._linked(entry)
        if parts[0] != self._top or source in self._links or not os.path.isfile(source) or os.path.islink(source):
            raise self._unsafe(f"the hard link {entry.name!r} leads to {entry.linkname!r}, which is no file in it")
        if source == place:
            return
        if self._links.pop(place, None):
            self._older(place)

        def make(place: str) -> None:
            if os.path.isfile(place):
                os.unlink(place)
                self._older(place)
            try:
                os.link(source, place, follow_symlinks=False)
            except (OSError, NotImplementedError) as error:
                if getattr(error, "errno", None) in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
                    raise
                shutil.copy2(source, place, follow_symlinks=False)  # no hard links here

        self._make(place, make)

    def _named(self, error: OSError, place: str) -> OSError:
        if error.errno is None:
            return error
        return OSError(error.errno, error.strerror, self._later(place))

    def _later(self, place: str) -> str:
        """Return where something lies in the end, for messages."""
        final = self._final
        return final if place == self._root else os.path.join(final, *self._below(place))

    def _inside(self, place: str) -> str:
        return place[len(self._room) + 1 :]

    def _unsafe(self, why: str) -> FileError:
        why = why if len(why) < 400 else why[:200] + " … " + why[-100:]
        return FileError(self._archive, f"is not safe: {why}; nothing was extracted, --no-extract gives the tar")

    def finish(self) -> None:
        """Make the links, after all else: nothing was written through one."""
        tree = self._tree_of_links()
        if not self._outside_links:
            for place, (linkname, _) in self._links.items():
                if self._leads_outside(tree, self._below(place)[:-1], linkname):
                    raise self._outside(place, linkname)
        room = os.path.realpath(self._room)
        for place, (linkname, mtime_ns) in self._links.items():

            def make(place: str, linkname: str = linkname) -> None:
                # Where names differ by case alone, links can lie behind links that the tree of names does not show.
                parent = os.path.dirname(place)
                if _leads_to(room, self._inside(parent), _link) != os.path.join(room, self._inside(parent)):
                    raise self._unsafe(f"{self._inside(place)!r} lies behind a link")
                if os.path.lexists(place):
                    if stat.S_ISDIR(os.lstat(place).st_mode):
                        raise self._unsafe(f"{self._inside(place)!r} is a link, and a directory as well")
                    os.unlink(place)
                    self._older(place)
                os.symlink(linkname, place)

            self._make(place, make)
            with contextlib.suppress(OSError, NotImplementedError, OverflowError):
                os.utime(place, ns=(mtime_ns, mtime_ns), follow_symlinks=False)
        if not self._outside_links:  # once more, as the system sees it
            root = os.path.join(room, os.path.basename(self._root))
            link = lru_cache(4096)(_link)
            for place, (linkname, _) in self._links.items():
                leads = _leads_to(room, self._inside(place), link)
                if leads is not None and leads != root and not leads.startswith(root + os.sep):
                    raise self._outside(place, linkname)

    def _outside(self, place: str, linkname: str) -> FileError:
        linkname = linkname if len(linkname) < 200 else linkname[:200] + "…"
        return FileError(
            self._archive,
            f"holds the link {self._inside(place)!r} -> {linkname!r}, which leads outside of the directory; nothing "
            "was extracted; if you trust the archive, add --outside-links",
        )

    def _below(self, place: str) -> list[str]:
        return place[len(self._root) + 1 :].split(os.sep)

    def _tree_of_links(self) -> _Links:
        """Return the links by the names in their paths.

        Raises:
            FileError: one lies behind another.
        """
        tree = _Links()
        for place, (linkname, _) in self._links.items():
            node = tree
            for part in self._below(place):
                if node.leads is not None:
                    break
                node = node.below.setdefault(part, _Links())
            if node.leads is not None or node.below:
                raise self._unsafe(f"{self._inside(place)!r} lies behind a link, or has entries behind it")
            node.leads = linkname
        return tree

    @staticmethod
    def _leads_outside(tree: _Links, folders: Iterable[str], linkname: str) -> bool:
        """Whether a link in `folders` leads out of the directory on its way, also through other links and back."""
        nodes: list[_Links | None] = [tree]  # of the directory reached, and of those above it
        for part in folders:
            last = nodes[-1]
            nodes.append(last.below.get(part) if last is not None else None)
        todo = linkname.split("/")[::-1]
        steps, followed = len(todo), 0
        absolute = linkname.startswith("/")
        while todo and not absolute:
            part = todo.pop()
            if part == os.pardir:
                if len(nodes) == 1:
                    return True
                nodes.pop()
            elif part not in ("", os.curdir):
                last = nodes[-1]
                node = last.below.get(part) if last is not None else None
                if node is None or node.leads is None:
                    nodes.append(node)
                    continue
                followed += 1
                if followed > _MOST_LINKS:
                    return False  # no system follows as many; a link that leads to itself ends here
                absolute = node.leads.startswith("/")
                todo += node.leads.split("/")[::-1]
                steps += len(node.leads) // 2
                if steps > _MOST_STEPS:
                    return True
        return absolute

    def compare(self, stream: _Content) -> None:
        """Compare all that was extracted with the archive, and force files to the disk.

        Raises:
            FileError: something is not as the archive has it.
        """
        older: dict[str, bytes] = {}  # of names that the archive gives to something else later on: what they hold
        for entry in self._entries(stream):
            place = self._place(entry)
            if entry.kind == "directory":
                if os.path.islink(place) or not os.path.isdir(place):
                    raise self._differs(place)
                continue
            if entry.kind == "hard link" and self._linked(entry) == place:
                continue
            if place in self._replaced:
                self._replaced[place] -= 1
            last = self._replaced.get(place, -1) < 0
            if entry.kind == "file":
                self._compare_file(entry, place, older, last=last)
            elif entry.kind == "hard link":
                self._compare_hard_link(self._linked(entry), place, older, last=last)
            elif last and not (os.path.islink(place) and os.readlink(place) == entry.linkname):
                raise self._differs(place)

    def _compare_file(self, entry: Entry, place: str, older: dict[str, bytes], *, last: bool) -> None:
        if not last:
            digest = xxhash.xxh3_128()
            while data := entry.read():
                digest.update(data)
            older[place] = digest.digest()
            return
        with self._readable(place) as file:
            while data := entry.read():
                if file.read(len(data)) != data:
                    raise self._differs(place)
            if file.read(1):
                raise self._differs(place)
            os.fsync(file.fileno())

    def _compare_hard_link(self, source: str, place: str, older: dict[str, bytes], *, last: bool) -> None:
        """The file that was linked is still there under its name, unless the archive replaces it later on."""
        held = older[source] if self._replaced.get(source, -1) >= 0 else None
        if not last:
            older[place] = held or self._digest(source)
            return
        if held is None and os.path.isfile(place) and os.path.samefile(place, source):
            return
        if self._digest(place) != (held or self._digest(source)):
            raise self._differs(place)

    def _digest(self, place: str) -> bytes:
        """Return the digest of an extracted file, which is on the disk then."""
        digest = xxhash.xxh3_128()
        with self._readable(place) as file:
            while data := file.read(CHUNK):
                digest.update(data)
            os.fsync(file.fileno())
        return digest.digest()

    def _differs(self, place: str) -> FileError:
        return FileError(self._later(place), "reads back other bytes than were written; the archive was kept")

    @contextlib.contextmanager
    def _readable(self, place: str) -> Iterator[IO[bytes]]:
        """Open an extracted file, also one that its owner may not read."""
        info = os.lstat(place)
        if not stat.S_ISREG(info.st_mode):
            raise self._differs(place)
        closed = not info.st_mode & stat.S_IRUSR
        if closed:
            os.chmod(place, 0o600)
        try:
            with open(place, "rb") as file:
                yield file
        finally:
            if closed:
                os.chmod(place, stat.S_IMODE(info.st_mode))

    @property
    def _final(self) -> str:
        assert self._top is not None
        return self._target.rstrip("/") if self._target is not None else os.path.join(self._parent, self._top)

    def _refuse_existing(self) -> None:
        place = self._final
        if not os.path.lexists(place):
            return
        if self._target is None and not self._is_asked_for(place) and (not os.path.isdir(place) or os.listdir(place)):
            raise FileError(
                place, "already exists, and only the archive asks for that name; choose another place with -o"
            )
        if not self._force:
            raise FileError(place, "already exists; add -f to replace it, or choose another place with -o")
        if os.path.islink(place) or not os.path.isdir(place):
            raise FileError(place, "is no directory; a directory is not put in its place")
        inside = os.path.realpath(place)
        if (os.path.realpath(self._archive) + os.sep).startswith(inside + os.sep):
            raise FileError(place, "holds the archive itself and cannot be replaced; choose another place with -o")
        self._run.refuse_folder(place)

    def _is_asked_for(self, place: str) -> bool:
        """Whether the archive's own file name gives the directory the name that it states."""
        with contextlib.suppress(FileError):
            return os.path.basename(extracted_name(self._archive)) == os.path.basename(place)
        return False

    def _seal(self, place: str, mode: int, mtime_ns: int | None) -> None:
        """Give a directory its mode and, if it has one, its time."""
        if mtime_ns is not None:
            with contextlib.suppress(OSError, OverflowError):
                os.utime(place, ns=(mtime_ns, mtime_ns))
        # Where new directories take their parent's group, they keep that mark.
        os.chmod(place, mode | (os.stat(place).st_mode & stat.S_ISGID))

    def commit(self, *, sync: bool = False) -> str:
        """Give directories their mode and time, move the finished one to its place and return that.

        Args:
            sync: force the entries of all directories to the disk.
        """
        new, place = self._root, self._final
        if sync:
            for folder in self._folders:
                sync_folder(folder)
        top = self._folders.pop(new, None)
        # The deepest first, for what lies in a closed directory cannot be reached.
        for folder in sorted(self._folders, key=lambda folder: folder.count(os.sep), reverse=True):
            self._seal(folder, *self._folders[folder])
        # Beside it, not into the room: a directory that may not be written cannot be moved to another.
        old = os.path.join(os.path.dirname(place), f".nzip-{os.urandom(6).hex()}.part")
        with changing():
            self._refuse_existing()
            try:
                if not os.path.lexists(place):
                    os.rename(new, place)
                else:
                    os.rename(place, old)
                    try:
                        os.rename(new, place)
                    except BaseException:
                        os.rename(old, place)
                        raise
                    _unfinished.add(old)
            except OSError as error:
                raise OSError(error.errno, error.strerror, place) from None
        outputs.discard(old)
        if top is not None:
            # Last, for a directory that may not be written cannot be moved.
            self._seal(place, *top)
        return place


def _link(path: str) -> str | None:
    """Return what the link at `path` holds; None where there is none."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def _leads_to(room: str, place: str, link: Callable[[str], str | None]) -> str | None:
    """Return where the system ends up at `place` in `room`; None where it gives up, after too many links.

    Args:
        room: a path without links in it.
        place: a path in it.
        link: gives what the link at a path holds, or None.
    """
    here, todo, followed, steps = room, place.split(os.sep)[::-1], 0, 0
    while todo:
        part = todo.pop()
        steps += 1
        if steps > _MOST_STEPS * 4:
            return os.sep
        if part == os.pardir:
            here = os.path.dirname(here)
        elif part not in ("", os.curdir):
            path = os.path.join(here, part)
            leads = link(path)
            if leads is None:
                here = path
                continue
            followed += 1
            if followed > _MOST_LINKS:
                return None
            if leads.startswith("/"):
                here = os.sep
            todo += leads.split("/")[::-1]
    return here


@dataclass
class _Links:
    """What an archive's links make of a directory: the links in it, by name, and where it leads if it is one."""

    below: dict[str, _Links] = field(default_factory=dict)
    leads: str | None = None
