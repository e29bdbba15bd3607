"""What is in an nzip file, without decoding it: members, headers, blocks."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, TypeVar, overload

from nzip.codec.blocks import DEFAULT_MAX_MEMORY, ENTRY_MEMORY, Limits
from nzip.codec.members import Window, walk
from nzip.errors import NzipError
from nzip.formats.container.parser import Block
from nzip.formats.container.structures import BUNDLE_ENGINE, FORMAT_VERSION, BlockHeader, Header
from nzip.formats.container.wire import OutOfBytes, Reader
from nzip.models.bundle import Head
from nzip.registry import ENGINES, OPENERS, TRANSFORMS

BUNDLE_HEAD, MOST_BUNDLE_HEAD = 1 << 12, 1 << 17  # bytes that a bundle's head takes mostly, and at most
BRIEF_HEAD = 16  # bytes that a short member's header has at most
BUNDLE_MEMORY = 200  # bytes that the head of a block that was opened takes beside its own

T = TypeVar("T")


class OpenerInfo(NamedTuple):
    """What an opener undid in a block that was opened.

    Attributes:
        name: the opener's name, or `"opener N"` when it is not known here.
        version: the opener's version.
        times: how many stretches it opened.
        inner_size: bytes that were inside of them.
    """

    name: str
    version: int
    times: int
    inner_size: int


class PartInfo(NamedTuple):
    """A part of a block that was opened: what an engine codes together.

    Attributes:
        engine: the engine's name, or `"engine N"` when it is not known here.
        transforms: names of the part's transforms.
        streams: how many streams of bytes it holds.
        raw_size: bytes in them.
        size: bytes of payload.
    """

    engine: str
    transforms: tuple[str, ...]
    streams: int
    raw_size: int
    size: int


@dataclass(frozen=True)
class BlockInfo:
    """One block.

    Attributes:
        offset: of its chunk in the file, in bytes.
        size: bytes of its chunk.
        raw_offset: of its first decoded byte in the file's decoded content.
        header: the block header as it stands in the file.
        openers: what was opened in it, and
        parts: what was coded of what was found; none of both for a block that was not opened.
    """

    offset: int
    size: int
    raw_offset: int
    header: BlockHeader
    openers: tuple[OpenerInfo, ...] = ()
    parts: tuple[PartInfo, ...] = ()

    @property
    def raw_size(self) -> int:
        """Decoded bytes."""
        return self.header.raw_size

    @property
    def copied(self) -> int:
        """How many of these it copies from earlier ones, or from the file that its member is like."""
        return self.header.raw_size - self.header.literal_size

    @property
    def payload_size(self) -> int:
        """Bytes of payload."""
        return self.header.payload_size

    @property
    def engine(self) -> str:
        """The engine's name, or `"engine N"` when it is not known here."""
        return ENGINES.name_of(self.header.engine)

    @property
    def engine_id(self) -> int:
        """The engine's number, as it stands in the block header."""
        return self.header.engine

    @property
    def engine_version(self) -> int:
        """The engine's version."""
        return self.header.engine_version

    @property
    def params(self) -> dict[str, Any] | None:
        """The engine's parameters, or None when the engine is not known here."""
        try:
            return ENGINES.by_id(self.header.engine, self.header.engine_version).unpack(self.header.packed)
        except NzipError:
            return None

    @property
    def transforms(self) -> list[tuple[str, int, dict[str, int] | None]]:
        """Name, version and parameters of each transform, in the encoder's order."""
        found: list[tuple[str, int, dict[str, int] | None]] = []
        for spec in self.header.transforms:
            try:
                params = TRANSFORMS.by_id(spec.id, spec.version).unpack(spec.packed)
            except NzipError:
                params = None
            found.append((TRANSFORMS.name_of(spec.id), spec.version, params))
        return found

    @property
    def memory(self) -> int:
        """Bytes of working memory that decoding needs, beside the block and the payload."""
        return self.header.memory

    @property
    def check(self) -> int:
        """The check of the decoded bytes, as it stands in the block header."""
        return self.header.check

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return {
            "offset": self.offset,
            "size": self.size,
            "raw_offset": self.raw_offset,
            "raw_size": self.raw_size,
            "copied": self.copied,
            "payload_size": self.payload_size,
            "engine": self.engine,
            "engine_version": self.engine_version,
            "params": self.params,
            "transforms": [{"name": n, "version": v, "params": p} for n, v, p in self.transforms],
            "memory": self.memory,
            "check": f"{self.header.check:016x}",
            "openers": [opener._asdict() for opener in self.openers],
            "parts": [{**part._asdict(), "transforms": [*part.transforms]} for part in self.parts],
        }


class _Table:
    """What a walk finds, in arrays: a file may hold very many blocks and members of few bytes.

    Headers are kept as they stand in the file, and read again when they are asked for.
    """

    def __init__(self) -> None:
        # Of each block; the last two have one more, where the next would begin.
        self.offsets = array("Q")
        self.sizes = array("I")
        self.raw_offsets = array("Q", (0,))
        self.heads = array("Q", (0,))
        self.head_bytes = bytearray()
        self.bundles: dict[int, bytes] = {}  # by the number of a block that was opened: what its payload begins with
        self.bundle_bytes = 0
        # Of each member, likewise.
        self.member_offsets = array("Q", (0,))
        self.member_blocks = array("Q", (0,))
        self.member_heads = array("Q", (0,))
        self.member_head_bytes = bytearray()
        self.checks = array("Q")
        self.engines: set[int] = set()
        self.kinds: set[str] = set()
        self.needed = 0  # bytes of memory for the block that needs most

    @property
    def memory(self) -> int:
        """Bytes that this takes, and what is made of it for a moment."""
        blocks, members = len(self.offsets), len(self.checks)
        heads = len(self.head_bytes) + len(self.member_head_bytes)
        return ENTRY_MEMORY * (blocks + members) + heads + self.bundle_bytes + BUNDLE_MEMORY * len(self.bundles)

    def add_block(self, offset: int, header: BlockHeader, head: bytes) -> None:
        self.offsets.append(offset)
        self.sizes.append(header.size)
        self.raw_offsets.append(self.raw_offsets[-1] + header.raw_size)
        self.head_bytes += head
        self.heads.append(len(self.head_bytes))
        self.engines.add(header.engine)
        self.needed = max(self.needed, header.memory + header.raw_size + header.payload_size)

    def add_bundle(self, head: bytes) -> None:
        """Add what the payload of the latest block begins with, which was opened."""
        self.bundles[len(self.offsets) - 1] = head
        self.bundle_bytes += len(head)

    def add_member(self, end: int, head: bytes, check: int) -> None:
        """Close the member of the latest blocks, which ends where the next begins: at byte `end`."""
        self.member_offsets.append(end)
        self.member_blocks.append(len(self.offsets))
        self.member_head_bytes += head
        self.member_heads.append(len(self.member_head_bytes))
        self.checks.append(check)

    def block(self, number: int) -> BlockInfo:
        head = bytes(self.head_bytes[self.heads[number] : self.heads[number + 1]])
        header = BlockHeader.parse(Reader(head))
        openers, parts = _opened(self.bundles[number]) if number in self.bundles else ((), ())
        return BlockInfo(self.offsets[number], self.sizes[number], self.raw_offsets[number], header, openers, parts)

    def member(self, number: int) -> MemberInfo:
        offset, end = self.member_offsets[number], self.member_offsets[number + 1]
        head = bytes(self.member_head_bytes[self.member_heads[number] : self.member_heads[number + 1]])
        header = Header.parse(Reader(head))
        blocks = _Lazy(self.block, range(self.member_blocks[number], self.member_blocks[number + 1]))
        return MemberInfo(offset, end - offset, header, blocks, None if header.solo else self.checks[number])


class _Lazy(Sequence[T]):
    """A sequence whose items are made when they are asked for.

    Args:
        make: returns the item of a number.
        numbers: of the items.
    """

    __slots__ = ("_make", "_numbers")

    def __init__(self, make: Callable[[int], T], numbers: range):
        self._make = make
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> T: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[T]: ...

    def __getitem__(self, number: int | slice) -> T | Sequence[T]:
        if isinstance(number, slice):
            return _Lazy(self._make, self._numbers[number])
        return self._make(self._numbers[number])

    def __iter__(self) -> Iterator[T]:
        return map(self._make, self._numbers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __add__(self, other: Sequence[T]) -> list[T]:
        return [*self, *other]

    def __repr__(self) -> str:
        return f"<{len(self)} items>"


@dataclass(frozen=True)
class MemberInfo:
    """One member of a file: its place, its header and its blocks."""

    offset: int
    size: int
    header: Header
    blocks: Sequence[BlockInfo] = field(repr=False)
    content_check: int | None
    format_version: int = FORMAT_VERSION

    @property
    def solo(self) -> bool:
        """Whether the member is one block without an end index."""
        return self.header.solo

    @property
    def raw_size(self) -> int:
        """Decoded bytes."""
        if not self.blocks:
            return 0
        last = self.blocks[-1]
        return last.raw_offset + last.raw_size - self.blocks[0].raw_offset

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        header = self.header
        return {
            "offset": self.offset,
            "size": self.size,
            "raw_size": self.raw_size,
            "format_version": self.format_version,
            "solo": self.solo,
            "name": header.name,
            "mode": header.mode,
            "mtime_ns": header.mtime_ns,
            "kind": header.kind,
            "content_check": None if self.content_check is None else f"{self.content_check:016x}",
            "blocks": [block.to_dict() for block in self.blocks],
        }


@dataclass(frozen=True)
class FileInfo:
    """A whole file: its path (None for a file object), its size and its members.

    Members and blocks are made when they are asked for: a file may hold very many.
    """

    path: str | None
    size: int
    members: Sequence[MemberInfo]
    blocks: Sequence[BlockInfo] = field(repr=False)
    engines: tuple[str, ...]
    """The names of the engines of all blocks, sorted."""
    kinds: tuple[str, ...]
    """The kinds that the members' headers state, sorted."""
    memory: int
    """Bytes of memory that decoding takes: the most for one block, with what goes in and comes out."""

    @property
    def raw_size(self) -> int:
        """Decoded bytes."""
        if not self.blocks:
            return 0
        last = self.blocks[-1]
        return last.raw_offset + last.raw_size

    @property
    def ratio(self) -> float:
        """Decoded bytes for one byte of the file: more is better; 0 for empty content."""
        return self.raw_size / self.size if self.size else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form; it takes some 2 KiB of memory a block."""
        return {
            "path": self.path,
            "size": self.size,
            "raw_size": self.raw_size,
            "ratio": float(f"{self.ratio:.6g}"),
            "members": [member.to_dict() for member in self.members],
        }


def inspect(file: str | os.PathLike[str] | BinaryIO, *, max_memory: int = DEFAULT_MAX_MEMORY) -> FileInfo:
    """Return what `file` (a path, or a seekable binary file) contains, reading headers only.

    Args:
        file: what to look at.
        max_memory: most bytes of memory for what is found: some 50 for a block without parameters.

    Raises:
        CorruptError: it is damaged or no nzip file.
        UnsupportedError: it needs a later nzip.
        LimitError: it holds more blocks than `max_memory` has room for.
        OSError: it cannot be read.
        TypeError: `file` is neither; of bytes `io.BytesIO` makes a file.
    """
    if not isinstance(file, str | os.PathLike) and not (hasattr(file, "seek") and hasattr(file, "read")):
        hint = "; use io.BytesIO" if isinstance(file, bytes | bytearray | memoryview) else ""
        raise TypeError(f"inspect takes a path or a seekable binary file, not {type(file).__name__}{hint}")
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            return _scan(opened, os.fspath(file), Limits(max_memory))
    return _scan(file, None, Limits(max_memory))


def _bundle_head(window: Window, offset: int, size: int) -> bytes:
    """Return what a bundle's payload begins with, up to the payloads of its parts; nothing where it is damaged."""
    for count in (BUNDLE_HEAD, MOST_BUNDLE_HEAD):
        data = window.read(offset, min(count, size))
        reader = Reader(data, partial=True)
        try:
            Head.parse(reader)
        except OutOfBytes:
            continue
        except NzipError:
            break
        return data[: reader.pos]
    return b""


def _opened(data: bytes) -> tuple[tuple[OpenerInfo, ...], tuple[PartInfo, ...]]:
    """Return what the head of a bundle says."""
    if not data:
        return (), ()
    head = Head.parse(Reader(data))
    openers = [OpenerInfo(OPENERS.name_of(used.id), used.version, used.times, used.inner) for used in head.openers]
    parts = [
        PartInfo(
            ENGINES.name_of(part.coder.engine),
            tuple(TRANSFORMS.name_of(spec.id) for spec in part.coder.transforms),
            len(part.streams),
            sum(part.streams),
            part.payload,
        )
        for part in head.parts
    ]
    return tuple(openers), tuple(parts)


def _scan(file: BinaryIO, path: str | None, limits: Limits) -> FileInfo:
    window = Window(file)
    table = _Table()
    for offset, event in walk(window):
        if isinstance(event, Header):
            start, header = offset, event
            if header.kind is not None:
                table.kinds.add(header.kind)
        elif isinstance(event, Block):
            block = event.header
            table.add_block(offset, block, window.at(offset, block.size - block.payload_size))
            if block.engine == BUNDLE_ENGINE:
                coded = block.payload_size - block.copies_size
                table.add_bundle(_bundle_head(window, offset + block.size - coded, coded))
            if header.solo:
                table.add_member(offset + block.size, window.at(start, header.size or BRIEF_HEAD), 0)
        else:
            table.add_member(offset + event.size, window.at(start, header.size), event.check)
        if len(table.offsets) % 4096 == 0:
            limits.admit_memory(table.memory, f"a list of {len(table.offsets):,} blocks")
    limits.admit_memory(table.memory, f"a list of {len(table.offsets):,} blocks")
    return FileInfo(
        path,
        window.size,
        _Lazy(table.member, range(len(table.checks))),
        _Lazy(table.block, range(len(table.offsets))),
        tuple(sorted(map(ENGINES.name_of, table.engines))),
        tuple(sorted(table.kinds)),
        table.needed,
    )
