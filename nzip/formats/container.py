"""Container version 1: the bytes of an nzip file. `docs/reference/FORMAT.md` is normative; this module follows it.

Three layers, from the inside out:

* `Reader`, a cursor over bytes that turns "ran out of bytes" into one exception;
* one dataclass for each structure (`Header`, `BlockHeader`, `End`) with `encode` and `parse`;
* `Parser`, which is fed bytes as they come, in pieces of any size, and returns whole structures. It does no
  input or output, so that files, sockets and byte strings are all read by the same code.

Invariants: nothing is allocated on the word of a length field (bytes are only kept once they have come);
every header is checked before it is believed; all integers are little-endian or ULEB128.
"""

from __future__ import annotations

import binascii
import operator
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import xxhash

from nzip.errors import CorruptError, TruncatedError, UnsupportedError

MAGIC = b"\xf5nz"
FORMAT_VERSION = 1
TRAILER_MAGIC = b"\x01zn\xf5"

MAX_HEADER = 1 << 16  # bytes, magic and check included
MAX_BLOCK = 1 << 30  # decoded bytes of one block
MAX_BLOCK_HEADER = 4096  # bytes before the payload
MAX_CHUNK = 10 + MAX_BLOCK + MAX_BLOCK_HEADER  # bytes of the chunk of one block
MAX_BLOCKS = 1 << 28  # in one member, so that the end index has a bound
MAX_TRANSFORMS = 4
MAX_NAME = 4096  # bytes of UTF-8

# Header flags
SOLO = 0x01
FIELDS = 0x02
RESERVED_FLAGS = 0x3C
# Block flags
TRANSFORMED = 0x01
RESERVED_BLOCK_FLAGS = 0x3E

# Chunk types; bit 7 set means a reader that does not know the type may skip the chunk.
BLOCK = 0x01
END = 0x02
OPTIONAL = 0x80

# Header field tags; bit 7 as for chunks.
FIELD_NAME = 0x81
FIELD_MODE = 0x82
FIELD_MTIME = 0x83
FIELD_CONTENT_SIZE = 0x84
FIELD_KIND = 0x85

KINDS = {1: "tar", 2: "image", 3: "audio"}
STORE_ENGINE = 0


class OutOfBytes(Exception):
    """More bytes are needed to parse a structure."""


def check64(data: bytes, *, seed: int = 0) -> int:
    """Return the 64-bit XXH3 of `data`, the check of decoded bytes."""
    return xxhash.xxh3_64_intdigest(data, seed=seed)


def block_check(raw: bytes, payload: bytes, header_check: int) -> int:
    """Return the check of a block: `check64` of the raw bytes, seeded with that of the payload, seeded with the
    header's. So no byte of a block can change without notice, even where a change decodes to the same bytes."""
    return check64(raw, seed=check64(payload, seed=header_check))


def check32(data: bytes) -> int:
    """Return the low 32 bits of the 64-bit XXH3 of `data`, the check of headers and indexes."""
    return xxhash.xxh3_64_intdigest(data) & 0xFFFFFFFF


def check16(data: bytes) -> int:
    """Return CRC-16 (polynomial 0x1021, start 0xFFFF) of `data`: finds every error of up to 16 bits in a row."""
    return binascii.crc_hqx(data, 0xFFFF)


def uleb(value: int) -> bytes:
    """Return `value` (0 .. 2**63-1) as ULEB128 in its shortest form."""
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{value} does not fit in 63 bits")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """A cursor over `data[pos:end]`.

    Past the end it raises CorruptError, or `OutOfBytes` when `partial` says that more may come.
    """

    def __init__(self, data: bytes | bytearray, pos: int = 0, end: int | None = None, *, partial: bool = False):
        self.data = data
        self.pos = pos
        self.end = len(data) if end is None else end
        self.partial = partial

    def left(self) -> int:
        return self.end - self.pos

    def bytes(self, count: int) -> bytes:
        if count > self.end - self.pos:
            if self.partial:
                raise OutOfBytes
            raise CorruptError("a structure is shorter than its contents")
        self.pos += count
        return bytes(self.data[self.pos - count : self.pos])

    def u8(self) -> int:
        pos = self.pos
        if pos >= self.end:
            return self.bytes(1)[0]  # raises
        self.pos = pos + 1
        return self.data[pos]

    def u16(self) -> int:
        return int.from_bytes(self.bytes(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.bytes(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.bytes(8), "little")

    def ulebs(self) -> Iterator[int]:
        """Give all integers from here to the end, as `uleb` does and much faster. The cursor stays where it is."""
        value = shift = 0
        for byte in memoryview(self.data)[self.pos : self.end]:
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise CorruptError("an integer is not in its shortest form")
                yield value
                value = shift = 0
            elif shift == 56:
                raise CorruptError("an integer is longer than 63 bits")
            else:
                shift += 7
        if shift:
            raise CorruptError("a structure is shorter than its contents")

    def uleb(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise CorruptError("an integer is not in its shortest form")
                return value
        raise CorruptError("an integer is longer than 63 bits")


def pack_memory(size: int) -> int:
    """Return the smallest memory byte that stands for at least `size` bytes."""
    for code in range(256):
        if unpack_memory(code) >= size:
            return code
    raise ValueError(f"{size} bytes of memory cannot be stated in a block header")


def unpack_memory(code: int) -> int:
    """Return the bytes that a memory byte stands for: (8 + low 3 bits) << (high 5 bits), in KiB."""
    return ((8 + (code & 7)) << (code >> 3)) << 10


def valid_name(name: str) -> bool:
    """Whether `name` may stand in a header: one path component without control characters."""
    return (
        name not in ("", ".", "..")
        and not any(c in "/\\" or ord(c) < 32 or ord(c) == 127 for c in name)
        and len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME
    )


@dataclass(frozen=True)
class Header:
    """What stands at the start of a member.

    Attributes:
        solo: the member is one block and nothing else.
        name: base name of the file that was compressed.
        mode: its permission bits.
        mtime_ns: its modification time, nanoseconds since 1970 UTC.
        content_size: decoded bytes in the member, when the writer knew.
        kind: `"tar"` when the content is a tar archive of one directory, `"image"` or `"audio"` when it is the latents
            of a lossy picture or sound.
        size: bytes of the encoded header (set by `parse`).
    """

    solo: bool = False
    name: str | None = None
    mode: int | None = None
    mtime_ns: int | None = None
    content_size: int | None = None
    kind: str | None = None
    size: int = field(default=0, compare=False)

    def encode(self) -> bytes:
        """Return the header's bytes.

        Raises:
            ValueError: a field is out of range.
        """
        fields = bytearray()

        def add(tag: int, value: bytes) -> None:
            fields.append(tag)
            fields.extend(uleb(len(value)) + value)

        if self.name is not None:
            if not valid_name(self.name):
                raise ValueError(f"{self.name!r} cannot be stored as a file name")
            try:
                add(FIELD_NAME, self.name.encode("utf-8"))
            except UnicodeEncodeError:
                raise ValueError(f"{self.name!r} cannot be stored: it is not valid Unicode") from None
        if self.mode is not None:
            if not 0 <= self.mode <= 0o7777:
                raise ValueError(f"{self.mode:o} is not a file mode")
            add(FIELD_MODE, uleb(self.mode))
        if self.mtime_ns is not None:
            if not -1 << 63 <= self.mtime_ns < 1 << 63:
                raise ValueError(f"the modification time {self.mtime_ns} does not fit in 64 bits")
            add(FIELD_MTIME, struct.pack("<q", self.mtime_ns))
        if self.content_size is not None and not self.solo:
            add(FIELD_CONTENT_SIZE, uleb(self.content_size))
        if self.kind is not None:
            codes = [code for code, kind in KINDS.items() if kind == self.kind]
            if not codes:
                raise ValueError(f"unknown kind of content {self.kind!r}")
            add(FIELD_KIND, bytes(codes))
        flags = (SOLO if self.solo else 0) | (FIELDS if fields else 0)
        out = MAGIC + bytes((FORMAT_VERSION, flags))
        if fields:
            out += uleb(len(fields)) + fields
        return out + struct.pack("<I", check32(out))

    @classmethod
    def parse(cls, reader: Reader) -> Header:
        """Read a header.

        Raises:
            CorruptError: this is no header, or a damaged one.
            UnsupportedError: it needs a later nzip.
        """
        start = reader.pos
        # Byte by byte, so that the first wrong byte is reported without waiting for more.
        for expected in MAGIC:
            if reader.u8() != expected:
                raise CorruptError("not an nzip file (wrong magic bytes)")
        version = reader.u8()
        if version != FORMAT_VERSION:
            raise UnsupportedError(
                f"format version {version} is not known to this nzip (it reads version {FORMAT_VERSION}); upgrade nzip"
            )
        flags = reader.u8()
        raw_fields = b""
        if flags & FIELDS:
            size = reader.uleb()
            if size > MAX_HEADER - (reader.pos - start) - 4:
                raise CorruptError(f"the header claims more than {MAX_HEADER} bytes")
            raw_fields = reader.bytes(size)
        covered = bytes(reader.data[start : reader.pos])
        if reader.u32() != check32(covered):
            raise CorruptError("the header is damaged (its check does not match)")
        if flags & RESERVED_FLAGS:
            raise UnsupportedError("the header sets reserved flags; the file needs a later nzip")
        values = cls._parse_fields(Reader(raw_fields))
        if flags & FIELDS and not raw_fields:
            raise CorruptError("the header announces fields and has none")
        if flags & SOLO and "content_size" in values:
            raise CorruptError("a solo member's header states a content size, which its block does")
        return cls(solo=bool(flags & SOLO), size=reader.pos - start, **values)  # type: ignore[arg-type]

    @staticmethod
    def _parse_fields(reader: Reader) -> dict[str, object]:
        values: dict[str, object] = {}
        last = -1
        while reader.left():
            tag = reader.u8()
            if tag & 0x7F <= last:
                raise CorruptError("header fields are out of order")
            last = tag & 0x7F
            body = Reader(reader.bytes(reader.uleb()))
            if tag == FIELD_NAME:
                try:
                    name = body.bytes(body.left()).decode("utf-8")
                except UnicodeDecodeError:
                    raise CorruptError("the stored file name is not UTF-8") from None
                if not valid_name(name):
                    raise CorruptError("the stored file name is not a plain name")
                values["name"] = name
            elif tag == FIELD_MODE:
                values["mode"] = body.uleb()
                if values["mode"] > 0o7777:  # type: ignore[operator]
                    raise CorruptError("the stored file mode is out of range")
            elif tag == FIELD_MTIME:
                values["mtime_ns"] = struct.unpack("<q", body.bytes(8))[0]
            elif tag == FIELD_CONTENT_SIZE:
                values["content_size"] = body.uleb()
            elif tag == FIELD_KIND:
                # A kind is a hint about the content; an unknown one does not change the bytes.
                values["kind"] = KINDS.get(body.u8())
            elif not tag & OPTIONAL:
                raise UnsupportedError(f"header field {tag} is required and unknown; the file needs a later nzip")
            else:
                continue
            if body.left():
                raise CorruptError("a header field is longer than its contents")
        return values


@dataclass(frozen=True)
class TransformSpec:
    """One transform of a block: its id, version, packed parameters, and the bytes that it gave."""

    id: int
    version: int
    packed: bytes
    size: int


@dataclass(frozen=True)
class BlockHeader:
    """What stands before a block's payload.

    Attributes:
        engine: id of the engine; 0 stores the bytes as they are.
        engine_version: the engine's own version.
        memory: working memory in bytes that decoding needs, rounded up to what the memory byte can say.
        packed: the engine's parameters in packed form.
        transforms: in the order in which the encoder applied them.
        raw_size: decoded bytes.
        payload_size: bytes of payload.
        check: `block_check` of the block.
        size: bytes of the whole chunk (set by `parse`).
    """

    engine: int
    engine_version: int
    memory: int
    packed: bytes
    transforms: tuple[TransformSpec, ...]
    raw_size: int
    payload_size: int
    check: int = 0
    header_check: int = 0
    size: int = 0

    @property
    def coded_size(self) -> int:
        """Bytes between transforms and engine; equal to raw_size without transforms."""
        return self.transforms[-1].size if self.transforms else self.raw_size

    def encode(self, raw: bytes, payload: bytes) -> bytes:
        """Return the whole chunk of a block that decodes from `payload` to `raw`."""
        body = bytearray((TRANSFORMED if self.transforms else 0, self.engine))
        if self.engine != STORE_ENGINE:
            body += bytes((self.engine_version, pack_memory(self.memory), len(self.packed))) + self.packed
        if self.transforms:
            body.append(len(self.transforms))
            for spec in self.transforms:
                body += bytes((spec.id, spec.version, len(spec.packed))) + spec.packed + uleb(spec.size)
        body += uleb(self.raw_size)
        head = bytes((BLOCK,)) + uleb(len(body) + 10 + self.payload_size) + body
        header_check = check16(head)
        return head + struct.pack("<HQ", header_check, block_check(raw, payload, header_check)) + payload

    @classmethod
    def parse(cls, reader: Reader) -> BlockHeader:
        """Read the block header that starts at the chunk's type byte, up to the payload.

        Raises:
            CorruptError: the header is damaged.
            UnsupportedError: reserved flags are set.
        """
        start = reader.pos
        if reader.u8() != BLOCK:
            raise CorruptError("a block was expected")
        body_size = reader.uleb()
        body_start = reader.pos
        if body_size > MAX_BLOCK + MAX_BLOCK_HEADER:
            raise CorruptError("a block claims more bytes than the format allows")
        flags = reader.u8()
        engine = reader.u8()
        version, memory, packed = 1, 0, b""
        if engine != STORE_ENGINE:
            version = reader.u8()
            memory = unpack_memory(reader.u8())
            packed = reader.bytes(reader.u8())
        transforms: list[TransformSpec] = []
        if flags & TRANSFORMED:
            count = reader.u8()
            if not 1 <= count <= MAX_TRANSFORMS:
                raise CorruptError(f"a block claims {count} transforms")
            for _ in range(count):
                id_, tversion = reader.u8(), reader.u8()
                transforms.append(TransformSpec(id_, tversion, reader.bytes(reader.u8()), reader.uleb()))
        raw_size = reader.uleb()
        covered = bytes(reader.data[start : reader.pos])
        header_check = reader.u16()
        if header_check != check16(covered):
            raise CorruptError("a block header is damaged (its check does not match)")
        check = reader.u64()
        if flags & RESERVED_BLOCK_FLAGS:
            raise UnsupportedError("a block sets reserved flags; the file needs a later nzip")
        payload_size = body_start + body_size - reader.pos
        if payload_size < 0:
            raise CorruptError("a block is shorter than its header")
        if raw_size > MAX_BLOCK or any(spec.size > 2 * MAX_BLOCK for spec in transforms):
            raise CorruptError("a block claims more decoded bytes than the format allows")
        if (raw_size == 0 and engine != STORE_ENGINE) or any(spec.size == 0 for spec in transforms):
            raise CorruptError("a block claims to code no bytes")
        if payload_size > raw_size or (engine == STORE_ENGINE and (payload_size != raw_size or transforms)):
            raise CorruptError("a block's sizes do not fit together")
        return cls(
            engine=engine,
            engine_version=version,
            memory=memory,
            packed=packed,
            transforms=tuple(transforms),
            raw_size=raw_size,
            payload_size=payload_size,
            check=check,
            header_check=header_check,
            size=body_start + body_size - start,
        )


@dataclass(frozen=True)
class IndexEntry:
    """Where one block lies: bytes between it and the block before, its chunk's bytes, its decoded bytes."""

    gap: int
    chunk_size: int
    raw_size: int


class Index(Sequence[IndexEntry]):
    """The entries of many blocks, in 8 bytes each: a block takes 19 bytes of a file, and one file holds very many.

    Args:
        entries: what it begins with.
    """

    __slots__ = ("_gaps", "_sizes")

    def __init__(self, entries: Iterable[IndexEntry] = ()):
        self._sizes = array("I")  # chunk size and raw size of each block
        self._gaps: array[int] | None = None  # only where a gap was met: this version writes none
        for entry in entries:
            self.add(entry.gap, entry.chunk_size, entry.raw_size)

    def add(self, gap: int, chunk_size: int, raw_size: int) -> None:
        """Add the entry of the next block, whole or not at all.

        Raises:
            CorruptError: no block has such sizes.
        """
        if not (1 <= raw_size <= MAX_BLOCK and chunk_size <= MAX_CHUNK):
            raise CorruptError("the end index lists a block of a size that the format does not allow")
        if gap and self._gaps is None:
            self._gaps = array("Q", bytes(8 * len(self)))
        if self._gaps is not None:
            self._gaps.append(gap)
        self._sizes.frombytes(struct.pack("=II", chunk_size, raw_size))

    def __len__(self) -> int:
        return len(self._sizes) // 2

    @overload
    def __getitem__(self, number: int) -> IndexEntry: ...

    @overload
    def __getitem__(self, number: slice) -> list[IndexEntry]: ...

    def __getitem__(self, number: int | slice) -> IndexEntry | list[IndexEntry]:
        if isinstance(number, slice):
            return [self[at] for at in range(*number.indices(len(self)))]
        at = range(len(self))[number]
        gap = 0 if self._gaps is None else self._gaps[at]
        return IndexEntry(gap, self._sizes[2 * at], self._sizes[2 * at + 1])

    def __iter__(self) -> Iterator[IndexEntry]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Index):
            return self._sizes == other._sizes and (self._gaps or None) == (other._gaps or None)
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    def __hash__(self) -> int:
        return hash(self._sizes.tobytes())

    @property
    def has_gaps(self) -> bool:
        """Whether optional chunks stand between blocks."""
        return self._gaps is not None and any(self._gaps)

    @property
    def raw_size(self) -> int:
        """Decoded bytes of all blocks."""
        return sum(self._sizes[1::2])

    @property
    def size(self) -> int:
        """Bytes of all chunks and gaps."""
        return sum(self._sizes[0::2]) + sum(self._gaps or ())

    def encode(self) -> bytes:
        """Return the entries as they stand in an end chunk."""
        return b"".join(uleb(e.gap) + uleb(e.chunk_size) + uleb(e.raw_size) for e in self)


@dataclass(frozen=True)
class End:
    """The chunk that closes a member: the index of its blocks and the check of the whole content.

    Attributes:
        header_size: bytes of the member's header.
        entries: one for each block, in order.
        gap: bytes between the last block and this chunk.
        check: `check64` of all decoded bytes of the member.
        size: bytes of the whole chunk, trailer included (set by `parse`).
    """

    header_size: int
    entries: Sequence[IndexEntry]
    gap: int
    check: int
    size: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.entries, Index):
            object.__setattr__(self, "entries", Index(self.entries))

    @property
    def index(self) -> Index:
        """The entries, as what they are kept in."""
        assert isinstance(self.entries, Index)
        return self.entries

    @property
    def raw_size(self) -> int:
        """Decoded bytes in the member."""
        return self.index.raw_size

    @property
    def member_size(self) -> int:
        """Bytes of the whole member, from its header to its trailer."""
        return self.header_size + self.index.size + self.gap + self.size

    def encode(self) -> bytes:
        """Return the chunk's bytes, trailer included."""
        body = uleb(self.header_size) + uleb(len(self.entries)) + self.index.encode()
        body += uleb(self.gap) + struct.pack("<Q", self.check)
        head = bytes((END,)) + uleb(len(body) + 4 + 8)
        chunk = head + body
        chunk += struct.pack("<I", check32(chunk))
        return chunk + struct.pack("<I", len(chunk) + 8) + TRAILER_MAGIC

    @classmethod
    def parse(cls, chunk: bytes) -> End:
        """Read a whole End chunk.

        Raises:
            CorruptError: it is damaged.
        """
        reader = Reader(chunk)
        if len(chunk) < 14 or reader.u8() != END or reader.uleb() != reader.left():
            raise CorruptError("the end index is malformed")
        tail = Reader(chunk, len(chunk) - 12)
        if tail.u32() != check32(chunk[:-12]) or tail.u32() != len(chunk) or tail.bytes(4) != TRAILER_MAGIC:
            raise CorruptError("the end index is damaged (its check does not match)")
        reader.end -= 20
        header_size = reader.uleb()
        count = reader.uleb()
        if count * 3 > reader.left():
            raise CorruptError("the end index claims more blocks than it lists")
        index = Index()
        numbers = reader.ulebs()
        for _, gap, chunk_size, raw_size in zip(range(count), numbers, numbers, numbers, strict=False):
            index.add(gap, chunk_size, raw_size)
        gap = next(numbers, -1)
        if len(index) < count or gap < 0:
            raise CorruptError("a structure is shorter than its contents")
        if next(numbers, None) is not None:
            raise CorruptError("the end index is longer than its contents")
        return cls(header_size, index, gap, int.from_bytes(chunk[-20:-12], "little"), len(chunk))


@dataclass(frozen=True)
class Block:
    """A block as the parser returns it: its header and its payload."""

    header: BlockHeader
    payload: bytes


Event = Header | Block | End


class Parser:
    """Turns the bytes of one member, fed in pieces of any size, into `Header`, `Block`s and `End`.

    Args:
        admit: called with each block header before its payload is waited for; raises if the caller's limits
            do not allow the block.
        inside: start at a block (random access); nothing but `Block`s may come then.
    """

    def __init__(self, admit: Callable[[BlockHeader], None] | None = None, *, inside: bool = False):
        self._admit = admit
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's start in the member
        self._skip = 0  # bytes of an unknown optional chunk still to drop
        self._gap = 0  # bytes of optional chunks since the last block
        self._pending: BlockHeader | None = None
        self._index = Index()
        self._inside = inside
        self.header: Header | None = Header() if inside else None
        self.finished = False

    @property
    def unused(self) -> bytes:
        """What was fed and not consumed; after the end, the bytes behind the member."""
        return bytes(self._buffer)

    @property
    def pending(self) -> BlockHeader | None:
        """The block whose payload is waited for."""
        return self._pending

    @property
    def started(self) -> bool:
        """Whether any byte was fed."""
        return bool(self._offset or self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes to what `next` works on."""
        self._buffer += data

    @property
    def offset(self) -> int:
        """Bytes of the member that were consumed."""
        return self._offset

    @property
    def blocks(self) -> int:
        """Block headers read so far."""
        return len(self._index)

    @property
    def left(self) -> int:
        """Bytes that were fed and not consumed."""
        return len(self._buffer)

    def take_over(self, other: Parser) -> None:
        """Go on with what `other` was fed and did not consume, without a copy of it."""
        self._buffer, other._buffer = other._buffer, bytearray()

    def truncated(self, before: int = 0) -> TruncatedError:
        """Return the error for input that ends here, `before` being bytes of the file before the member."""
        where = f"at byte {before + self._offset + len(self._buffer):,}"
        return TruncatedError(f"the file is truncated ({where}); its end is missing")

    def next(self) -> Event | None:
        """Return the next structure, or None when more bytes are needed or the member is finished.

        Raises:
            CorruptError, UnsupportedError: see the structures.
        """
        while not self.finished:
            if self._skip:
                dropped = min(self._skip, len(self._buffer))
                self._consume(dropped)
                self._skip -= dropped
                if self._skip:
                    return None
            try:
                event = self._step()
            except OutOfBytes:
                return None
            if event is not None:
                return event
        return None

    def _consume(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._offset += count
        return data

    def _step(self) -> Event | None:
        if self.header is None:
            reader = Reader(self._buffer, partial=True)
            self.header = Header.parse(reader)
            self._consume(reader.pos)
            return self.header
        if self._pending is not None:
            header = self._pending
            if len(self._buffer) < header.payload_size:
                raise OutOfBytes
            self._pending = None
            if self.header.solo:
                self.finished = True
            return Block(header, self._consume(header.payload_size))
        reader = Reader(self._buffer, partial=True)
        kind = reader.u8()
        if kind == BLOCK:
            # A block header is at most MAX_BLOCK_HEADER bytes, so waiting for it keeps little.
            self._start_block(Reader(self._buffer, partial=True))
            return None
        if self._inside:
            raise CorruptError("the end index does not describe the blocks before it")
        if kind == 0:
            raise CorruptError(f"there is no chunk of type 0 (at byte {self._offset:,})")
        if self.header.solo:
            raise CorruptError("a solo member holds something other than one block")
        size = reader.uleb()
        if kind == END:
            if size > len(self._index) * 27 + 64:
                raise CorruptError("the end index is larger than the blocks before it can need")
            reader.bytes(size)
            end = End.parse(self._consume(reader.pos))
            self._verify_end(end)
            self.finished = True
            return end
        if not kind & OPTIONAL:
            raise UnsupportedError(f"chunk type {kind} is required and unknown; the file needs a later nzip")
        self._consume(reader.pos)
        self._skip = size
        self._gap += reader.pos + size
        return None

    def _start_block(self, reader: Reader) -> None:
        assert self.header is not None
        header = BlockHeader.parse(reader)
        if header.raw_size == 0 and not self.header.solo:
            raise CorruptError("an empty block is only allowed alone")
        if len(self._index) >= MAX_BLOCKS:
            raise CorruptError(f"a member holds more than {MAX_BLOCKS} blocks")
        if self._admit is not None:
            self._admit(header)
        self._consume(reader.pos)
        self._pending = header
        if header.raw_size:
            self._index.add(self._gap, header.size, header.raw_size)
        self._gap = 0

    def _verify_end(self, end: End) -> None:
        assert self.header is not None
        if end.header_size != self.header.size or end.index != self._index or end.gap != self._gap:
            raise CorruptError("the end index does not describe the blocks before it")
        if self.header.content_size is not None and self.header.content_size != end.raw_size:
            raise CorruptError("the header states another content size than the blocks have")
