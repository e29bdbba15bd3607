"""What is in an nzip file, without decoding it: members, headers, blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from nzip.codec.registry import ENGINES, TRANSFORMS
from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.formats.container import (
    BLOCK,
    END,
    FORMAT_VERSION,
    MAX_BLOCK_HEADER,
    MAX_HEADER,
    OPTIONAL,
    BlockHeader,
    End,
    Header,
    IndexEntry,
    Reader,
)


@dataclass(frozen=True)
class BlockInfo:
    """One block.

    Attributes:
        offset: of its chunk in the file, in bytes.
        size: bytes of its chunk.
        raw_offset: of its first decoded byte in the file's decoded content.
        header: the block header as it stands in the file.
    """

    offset: int
    size: int
    raw_offset: int
    header: BlockHeader

    @property
    def raw_size(self) -> int:
        """Decoded bytes."""
        return self.header.raw_size

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
            "payload_size": self.payload_size,
            "engine": self.engine,
            "engine_version": self.engine_version,
            "params": self.params,
            "transforms": [{"name": n, "version": v, "params": p} for n, v, p in self.transforms],
            "memory": self.memory,
            "check": f"{self.header.check:016x}",
        }


@dataclass(frozen=True)
class MemberInfo:
    """One member of a file: its place, its header and its blocks."""

    offset: int
    size: int
    header: Header
    blocks: list[BlockInfo] = field(repr=False)
    content_check: int | None
    format_version: int = FORMAT_VERSION

    @property
    def solo(self) -> bool:
        """Whether the member is one block without an end index."""
        return self.header.solo

    @property
    def raw_size(self) -> int:
        """Decoded bytes."""
        return sum(block.raw_size for block in self.blocks)

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
    """A whole file: its path (None for a file object), its size and its members."""

    path: str | None
    size: int
    members: list[MemberInfo]

    @property
    def raw_size(self) -> int:
        """Decoded bytes."""
        return sum(member.raw_size for member in self.members)

    @property
    def ratio(self) -> float:
        """Decoded bytes for one byte of the file: more is better; 0 for empty content."""
        return self.raw_size / self.size if self.size else 0.0

    @property
    def blocks(self) -> list[BlockInfo]:
        """All blocks, in order."""
        return [block for member in self.members for block in member.blocks]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return {
            "path": self.path,
            "size": self.size,
            "raw_size": self.raw_size,
            "ratio": float(f"{self.ratio:.6g}"),
            "members": [member.to_dict() for member in self.members],
        }


def inspect(file: str | os.PathLike[str] | BinaryIO) -> FileInfo:
    """Return what `file` (a path, or a seekable binary file) contains, reading headers only.

    Raises:
        CorruptError: it is damaged or no nzip file.
        UnsupportedError: it needs a later nzip.
        OSError: it cannot be read.
    """
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:
            return FileInfo(os.fspath(file), *_scan(opened))
    return FileInfo(None, *_scan(file))


def _scan(file: BinaryIO) -> tuple[int, list[MemberInfo]]:
    size = file.seek(0, os.SEEK_END)
    members: list[MemberInfo] = []
    offset = raw_offset = 0
    while offset < size or not members:
        member = _member(file, offset, raw_offset, size)
        members.append(member)
        offset += member.size
        raw_offset += member.raw_size
    return size, members


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Return `count` bytes at `offset`, fewer only at the file's end; an unbuffered file may give them in parts."""
    file.seek(offset)
    data = file.read(count)
    while len(data) < count:
        more = file.read(count - len(data))
        if not more:
            break
        data += more
    return data


def _read(file: BinaryIO, offset: int, count: int, size: int) -> Reader:
    """Return a reader over up to `count` bytes at `offset`."""
    return Reader(read_at(file, offset, max(0, min(count, size - offset))))


def _member(file: BinaryIO, start: int, raw_offset: int, size: int) -> MemberInfo:
    """Walk one member chunk by chunk. The end index is compared with what the walk finds."""
    try:
        reader = _read(file, start, 64, size)
        try:
            header = Header.parse(reader)
        except CorruptError:
            if size - start <= 64:
                raise
            header = Header.parse(_read(file, start, MAX_HEADER, size))
        blocks: list[BlockInfo] = []
        entries: list[IndexEntry] = []
        gap = 0
        for offset, kind, chunk in _chunks(file, start + header.size, size):
            if kind == BLOCK:
                block = BlockHeader.parse(_block_reader(file, offset, size))
                if block.raw_size == 0 and not header.solo:
                    raise CorruptError("an empty block is only allowed alone")
                blocks.append(BlockInfo(offset, chunk, raw_offset, block))
                entries.append(IndexEntry(gap, chunk, block.raw_size))
                raw_offset += block.raw_size
                gap = 0
                if header.solo:
                    return MemberInfo(start, offset + chunk - start, header, blocks, None)
            elif header.solo or kind == 0:
                raise CorruptError(f"unexpected chunk of type {kind} at byte {offset:,}")
            elif kind == END:
                end = End.parse(bytes(_read(file, offset, chunk, size).data))
                if end.header_size != header.size or list(end.entries) != entries or end.gap != gap:
                    raise CorruptError("the end index does not describe the blocks before it")
                if header.content_size is not None and header.content_size != end.raw_size:
                    raise CorruptError("the header states another content size than the blocks have")
                return MemberInfo(start, offset + chunk - start, header, blocks, end.check)
            elif kind & OPTIONAL:
                gap += chunk
            else:
                raise UnsupportedError(f"chunk type {kind} is required and unknown; the file needs a later nzip")
    except CorruptError as error:
        raise CorruptError(f"{error} (in the member at byte {start:,})") from None
    raise CorruptError(f"the file is truncated (at byte {size:,}); its end is missing")


def _block_reader(file: BinaryIO, offset: int, size: int) -> Reader:
    reader = _read(file, offset, 64, size)
    # Most block headers take under 64 bytes; the long read is for those with long parameters.
    try:
        BlockHeader.parse(reader)
    except CorruptError:
        return _read(file, offset, MAX_BLOCK_HEADER, size)
    reader.pos = 0
    return reader


def _chunks(file: BinaryIO, offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield offset, type and size of each chunk from `offset` on."""
    while offset < size:
        reader = _read(file, offset, 10, size)
        kind = reader.u8()
        chunk = reader.uleb() + reader.pos
        if offset + chunk > size:
            return
        yield offset, kind, chunk
        offset += chunk
