"""What comes back of a compressed file: all members, or what is sound of them; a signal; or bytes as they are."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from builtins import open as open_file
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from nzip.closing import Closing
from nzip.codec import members
from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.decompressor import Contents
from nzip.codec.files.memory import memory_budget
from nzip.codec.files.results import Prepare, Progress
from nzip.codec.files.sources import CHUNK, Source
from nzip.codec.like import Like
from nzip.codec.salvage.content import Salvage
from nzip.codec.salvage.faults import Fault
from nzip.errors import FileError, NzipError
from nzip.formats.container.structures import MAGIC, STORE_ENGINE, BlockHeader, Header
from nzip.outputs import AnyPath
from nzip.registry import ENGINES


class Restored(Closing, ABC):
    """What a source gives, for a `with`.

    Attributes:
        header: of the first member; an empty one where none is known.
        members: how many there were.
        faults: what was found to be lost.
    """

    header: Header | None = Header()
    members = 1
    faults: tuple[Fault, ...] = ()

    @abstractmethod
    def pieces(self, target: AnyPath | BinaryIO) -> Iterator[bytes]:
        """Give it piece by piece, once.

        Args:
            target: where it will be written; its name may ask for a format.

        Raises:
            CorruptError, UnsupportedError, LimitError: see `Decompressor`.
        """

    def close(self) -> None:
        """End what is under way."""


class Members(Restored):
    """All members, one after another.

    Args:
        src: what is read.
        begin: bytes of it that were read before.
        threads: blocks decoded at the same time; fewer where they do not fit in the memory.
        max_memory: most bytes of memory for one block (None for 2 GiB), and for all blocks under way (None to go by
            `memory_budget`).
        prepare: hook.
        like, primer: as for `Decompressor`.
    """

    def __init__(
        self,
        src: Source,
        begin: bytes = b"",
        *,
        threads: int = 0,
        max_memory: int | None = None,
        prepare: Prepare | None = None,
        like: Like = None,
        primer: Like = None,
    ):
        self._contents = Contents(
            src.read,
            begin=begin,
            max_memory=_limit(max_memory),
            budget=memory_budget() if max_memory is None else max_memory,
            threads=threads,
            prepare=_preparing(prepare),
            like=like,
            primer=primer,
        )

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end."""
        data = self._contents.read(size)
        self.header, self.members = self._contents.header, self._contents.members
        return data

    def pieces(self, target: AnyPath | BinaryIO | None = None) -> Iterator[bytes]:
        while data := self.read(CHUNK):
            yield data

    def close(self) -> None:
        self._contents.close()


class _Plain(Restored):
    """Bytes that are no nzip file, as they are."""

    members = 0

    def __init__(self, src: Source, begin: bytes):
        self._src, self._begin = src, begin

    def pieces(self, target: AnyPath | BinaryIO) -> Iterator[bytes]:
        data = self._begin
        while data:
            yield data
            data = self._src.read()


class _Signal(Restored):
    """The file of a picture or sound that was made smaller with loss."""

    def __init__(
        self, src: Source, header: Header, begin: bytes, *, strip: bool, tell: Callable[[int], None], **limits: Any
    ):
        self.header = header
        self._src, self._begin, self._strip, self._tell, self._limits = src, begin, strip, tell, limits

    def pieces(self, target: AnyPath | BinaryIO) -> Iterator[bytes]:
        from nzip.codec.signals import decode, records
        from nzip.formats.signals.files import format_for

        found = decode.receive(self._src.read, begin=self._begin, progress=self._tell, **self._limits)
        own = records.format_of(found.head)
        format_ = own if hasattr(target, "write") else format_for(target, own)
        yield decode.to_file(decode.signal_of(found), format_, strip=self._strip)


class _Sound(Restored):
    """What is sound of a damaged file."""

    def __init__(self, header: Header, file: BinaryIO, **settings: Any):
        self.header = header
        self._file = file
        self._salvage = Salvage(file, **settings)

    def pieces(self, target: AnyPath | BinaryIO) -> Iterator[bytes]:
        yield from self._salvage
        self.faults = tuple(self._salvage.faults)

    def close(self) -> None:
        if not isinstance(self._file, Source):
            self._file.close()


def restored(
    src: Source,
    *,
    threads: int,
    max_memory: int | None,
    prepare: Prepare | None,
    progress: Progress | None,
    strip: bool,
    pass_through: bool,
    like: Like = None,
    primer: Like = None,
) -> Restored:
    """Return what an intact file gives; arguments as for `decompress_file`.

    Raises:
        CorruptError, UnsupportedError: it has no header that can be read.
        OSError: the source cannot be read.
    """
    begin = b""
    while pass_through and len(begin) < len(MAGIC) and (data := src.read()):
        begin += data
    # Where a file ends within the magic, it is an nzip file that is cut off.
    if pass_through and (not begin or begin[: len(MAGIC)] != MAGIC[: len(begin)]):
        return _Plain(src, begin)
    header, begin = members.read_header(src.read, begin)
    if header.kind not in members.SIGNALS:
        beside: dict[str, Any] = {"like": like, "primer": primer}
        found = Members(src, begin, threads=threads, max_memory=max_memory, prepare=prepare, **beside)
        found.header = header
        return found

    def tell(done: int) -> None:
        if progress is not None:
            progress(src.count, src.size, done)

    return _Signal(
        src, header, begin, strip=strip, tell=tell, max_memory=_limit(max_memory), prepare=_preparing(prepare)
    )


def salvaged(src: Source, *, max_memory: int | None, **settings: Any) -> Restored:
    """Return what is sound of a damaged file; arguments as for `Salvage`.

    Raises:
        FileError: it holds a picture or sound made smaller with loss.
        OSError: it cannot be opened again.
    """
    header = Header()
    if src.path is not None:
        with contextlib.suppress(NzipError):
            header = read_header(src.path)
    if header.kind in members.SIGNALS:
        raise FileError(src.name, "holds a picture or sound made smaller with loss, of which no part can be saved")
    file = cast(BinaryIO, src) if src.path is None else open_file(src.path, "rb")  # noqa: SIM115 - closed at its end
    return _Sound(header, file, max_memory=_limit(max_memory), **settings)


def read_header(source: AnyPath) -> Header:
    """Return the header of the first member of a file.

    Raises:
        CorruptError, UnsupportedError: it has none that can be read.
        FileError, OSError: the file cannot be read.
    """
    with Source(source) as src:
        return members.read_header(src.read)[0]


def _limit(max_memory: int | None) -> int:
    return DEFAULT_MAX_MEMORY if max_memory is None else max_memory


def _preparing(prepare: Prepare | None) -> Callable[[BlockHeader], None] | None:
    """Return what prepares the engine of a block that is within the limits."""

    def engine_of(block: BlockHeader) -> None:
        assert prepare is not None
        if block.engine == STORE_ENGINE:
            return
        try:
            engine = ENGINES.by_id(block.engine, block.engine_version)
        except NzipError:  # left for decoding to refuse
            return
        prepare(engine)

    return None if prepare is None else engine_of
