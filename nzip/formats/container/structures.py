"""One dataclass for each structure of the container (`Header`, `BlockHeader`, `End`), with `encode` and `parse`.

Invariants: nothing is allocated on the word of a length field, and every header is checked before it is believed.
"""

from __future__ import annotations

import operator
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload

from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.container.wire import Reader, block_check, check16, check32, pack_memory, uleb, unpack_memory

MAGIC = b"\xf5nz"
FORMAT_VERSION = 1
TRAILER_MAGIC = b"\x01zn\xf5"
REMEDY = "name a file that nzip compress made"  # for one that is none

MAX_HEADER = 1 << 16  # bytes, magic and check included
MAX_BLOCK = 1 << 30  # decoded bytes of one block
MAX_BLOCK_HEADER = 4096  # bytes before the payload
MAX_CHUNK = 10 + MAX_BLOCK + MAX_BLOCK_HEADER  # bytes of the chunk of one block
MAX_BLOCKS = 1 << 28  # in one member, so that the end index has a bound
MAX_TRANSFORMS = 4
MAX_NAME = 4096  # bytes of UTF-8
DIGEST = 16  # bytes of the hash of what both sides have
PRIMER_DIGEST = 4  # and of a primer, as it stands before short records: what a wrong one gives, a block's check finds
MAX_REACH = 1 << 40  # bytes of literals that are kept for later blocks

# Header flags
SOLO = 0x01
FIELDS = 0x02
BRIEF = 0x04
RESERVED_FLAGS = 0x38
# Block flags
TRANSFORMED = 0x01
COPIED = 0x02
BESIDE = 0x04
PRIMED = 0x08
RESERVED_BLOCK_FLAGS = 0x30

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
FIELD_REACH = 0x06
FIELD_LIKE = 0x07
FIELD_PRIMER = 0x08

KINDS = {1: "tar", 2: "image", 3: "audio"}
STORE_ENGINE = 0
BUNDLE_ENGINE = 9


def valid_name(name: str) -> bool:
    """Whether `name` may stand in a header: one path component without control characters."""
    return (
        name not in ("", ".", "..")
        and not any(c in "/\\" or ord(c) < 32 or ord(c) == 127 for c in name)
        and len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME
    )


class Named(NamedTuple):
    """Bytes that both sides have.

    Attributes:
        size: how many there are.
        digest: their BLAKE2b hash of `DIGEST` bytes.
    """

    size: int
    digest: bytes


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
        reach: bytes of the literals of earlier blocks that a reader has to keep, as later blocks may copy from them; a
            power of two, or 0.
        like: the file that the member was made like, which decoding needs.
        primer: the first bytes of the hash of the primer that decoding needs.
        brief: the member is one record behind a primer, in the short form (`BlockHeader.encode_brief`).
        size: bytes of the encoded header (set by `parse`).
    """

    solo: bool = False
    name: str | None = None
    mode: int | None = None
    mtime_ns: int | None = None
    content_size: int | None = None
    kind: str | None = None
    reach: int = 0
    like: Named | None = None
    primer: bytes | None = None
    brief: bool = False
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
        if self.reach:
            if self.reach.bit_count() != 1 or self.reach > MAX_REACH:
                raise ValueError(f"copies cannot reach back {self.reach} bytes")
            add(FIELD_REACH, bytes((self.reach.bit_length() - 1,)))
        if self.like is not None:
            add(FIELD_LIKE, uleb(self.like.size) + self.like.digest)
        if self.primer is not None:
            add(FIELD_PRIMER, self.primer)
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
                raise CorruptError(f"not an nzip file (wrong magic bytes); {REMEDY}")
        version = reader.u8()
        if version != FORMAT_VERSION:
            raise UnsupportedError(
                f"format version {version} is not known to this nzip (it reads version {FORMAT_VERSION}); upgrade nzip"
            )
        flags = reader.u8()
        if flags & BRIEF and not flags & (RESERVED_FLAGS | FIELDS) and flags & SOLO:
            primer = reader.bytes(PRIMER_DIGEST)
            reader.pos = start  # what stands here is the block as well
            return cls(solo=True, primer=primer, brief=True)
        raw_fields = b""
        if flags & FIELDS:
            size = reader.uleb()
            if size > MAX_HEADER - (reader.pos - start) - 4:
                raise CorruptError(f"the header claims more than {MAX_HEADER} bytes")
            raw_fields = reader.bytes(size)
        covered = bytes(reader.data[start : reader.pos])
        if reader.u32() != check32(covered):
            raise CorruptError("the header is damaged (its check does not match)")
        if flags & (RESERVED_FLAGS | BRIEF):
            raise UnsupportedError("the header sets reserved flags; the file needs a later nzip")
        values = cls._parse_fields(Reader(raw_fields))
        if flags & FIELDS and not raw_fields:
            raise CorruptError("the header announces fields and has none")
        if flags & SOLO and "content_size" in values:
            raise CorruptError("a solo member's header states a content size, which its block does")
        if flags & SOLO and "reach" in values:
            raise CorruptError("a solo member's header states a reach of copies, which have no other block")
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
            elif tag == FIELD_REACH:
                reach = body.u8()
                if not 0 < reach < MAX_REACH.bit_length():
                    raise CorruptError("the header states a reach of copies that the format does not allow")
                values["reach"] = 1 << reach
            elif tag == FIELD_LIKE:
                values["like"] = Named(body.uleb(), body.bytes(DIGEST))
            elif tag == FIELD_PRIMER:
                values["primer"] = body.bytes(PRIMER_DIGEST)
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


def pack_transforms(transforms: Sequence[TransformSpec]) -> bytes:
    """Return a list of transforms as it is stored."""
    out = bytearray((len(transforms),))
    for spec in transforms:
        out += bytes((spec.id, spec.version, len(spec.packed))) + spec.packed + uleb(spec.size)
    return bytes(out)


def read_transforms(reader: Reader) -> tuple[TransformSpec, ...]:
    """Read a list of transforms.

    Raises:
        CorruptError: there are too many, or one gives no bytes, or more than the format allows.
    """
    count = reader.u8()
    if count > MAX_TRANSFORMS:
        raise CorruptError(f"a block claims {count} transforms")
    found = []
    for _ in range(count):
        spec = TransformSpec(reader.u8(), reader.u8(), reader.bytes(reader.u8()), reader.uleb())
        if not 1 <= spec.size <= 2 * MAX_BLOCK:
            raise CorruptError("a block claims a transform that gives no bytes, or more than the format allows")
        found.append(spec)
    return tuple(found)


@dataclass(frozen=True)
class BlockHeader:
    """What stands before a block's payload.

    Attributes:
        engine: id of the engine; 0 stores the bytes as they are.
        engine_version: the engine's own version.
        memory: working memory in bytes that decoding needs, rounded up to what the memory byte can say.
        packed: the engine's parameters in packed form.
        transforms: in the order in which the encoder applied them.
        raw_size: bytes of content.
        payload_size: bytes of payload.
        copies_size: how many of these, the first ones, say what the block copies (`container.copies`); 0 for nothing.
        literal_size: bytes of content that it does not copy, which engine and transforms give; -1 for all.
        beside: how the engine reads in the file that the member is like (`repeats.beside`), and how many bytes that
            makes; None where it does not.
        primed: the engine reads the member's primer.
        brief: in the short form, of which the check has 32 bits.
        check: `block_check` of the block's literals.
        size: bytes of the whole chunk (set by `parse`).
    """

    engine: int
    engine_version: int
    memory: int
    packed: bytes
    transforms: tuple[TransformSpec, ...]
    raw_size: int
    payload_size: int
    copies_size: int = 0
    literal_size: int = -1
    beside: tuple[int, int] | None = None
    primed: bool = False
    brief: bool = False
    check: int = 0
    header_check: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        if self.literal_size < 0:
            object.__setattr__(self, "literal_size", self.raw_size)

    @property
    def coded_size(self) -> int:
        """Bytes between transforms and engine; equal to literal_size without transforms."""
        return self.transforms[-1].size if self.transforms else self.literal_size

    def encode(self, literals: bytes, payload: bytes) -> bytes:
        """Return the whole chunk of a block whose `payload` decodes to `literals`."""
        flags = (TRANSFORMED if self.transforms else 0) | (COPIED if self.copies_size else 0)
        flags |= (0 if self.beside is None else BESIDE) | (PRIMED if self.primed else 0)
        body = bytearray((flags, self.engine))
        if self.engine != STORE_ENGINE:
            body += bytes((self.engine_version, pack_memory(self.memory), len(self.packed))) + self.packed
        if self.transforms:
            body += pack_transforms(self.transforms)
        body += uleb(self.raw_size)
        if self.copies_size:
            body += uleb(self.literal_size) + uleb(self.copies_size)
        if self.beside is not None:
            body += uleb(self.beside[0]) + uleb(self.beside[1])
        head = bytes((BLOCK,)) + uleb(len(body) + 10 + self.payload_size) + body
        header_check = check16(head)
        return head + struct.pack("<HQ", header_check, block_check(literals, payload, header_check)) + payload

    def encode_brief(self, primer: bytes, raw: bytes, payload: bytes) -> bytes | None:
        """Return the whole member of a block behind a primer in the short form; None where that cannot say it."""
        plain = not self.transforms and not self.copies_size and self.primed and self.engine_version == 1
        if not plain or self.engine > 31 or len(self.packed) > 7:
            return None
        head = MAGIC + bytes((FORMAT_VERSION, SOLO | BRIEF)) + primer
        head += bytes((self.engine | len(self.packed) << 5, pack_memory(self.memory))) + self.packed
        head += uleb(self.raw_size) + uleb(len(payload))
        return head + struct.pack("<I", block_check(raw, payload, check16(head)) & 0xFFFFFFFF) + payload

    @classmethod
    def _parse_brief(cls, reader: Reader) -> BlockHeader:
        start = reader.pos
        begin = reader.bytes(len(MAGIC) + 2 + PRIMER_DIGEST)
        if begin[: len(MAGIC) + 1] != MAGIC + bytes((FORMAT_VERSION,)) or begin[len(MAGIC) + 1] & 0x3F != SOLO | BRIEF:
            raise CorruptError("a block was expected")
        engine = reader.u8()
        memory = unpack_memory(reader.u8())
        packed = reader.bytes(engine >> 5)
        engine &= 31
        raw_size, payload_size = reader.uleb(), reader.uleb()
        header_check = check16(bytes(reader.data[start : reader.pos]))
        check = reader.u32()
        if engine == STORE_ENGINE or not 0 < payload_size <= raw_size <= MAX_BLOCK:
            raise CorruptError("a block's sizes do not fit together")
        return cls(
            engine=engine,
            engine_version=1,
            memory=memory,
            packed=packed,
            transforms=(),
            raw_size=raw_size,
            payload_size=payload_size,
            primed=True,
            brief=True,
            check=check,
            header_check=header_check,
            size=reader.pos - start + payload_size,
        )

    @classmethod
    def parse(cls, reader: Reader) -> BlockHeader:
        """Read the block header that starts at the chunk's type byte, or at a short member's first, up to the payload.

        Raises:
            CorruptError: the header is damaged.
            UnsupportedError: reserved flags are set.
        """
        start = reader.pos
        kind = reader.u8()
        if kind == MAGIC[0]:
            reader.pos = start
            return cls._parse_brief(reader)
        if kind != BLOCK:
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
        transforms = read_transforms(reader) if flags & TRANSFORMED else ()
        if flags & TRANSFORMED and not transforms:
            raise CorruptError("a block claims 0 transforms")
        raw_size = literal_size = reader.uleb()
        copies_size = 0
        if flags & COPIED:
            literal_size, copies_size = reader.uleb(), reader.uleb()
        beside = (reader.uleb(), reader.uleb()) if flags & BESIDE else None
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
        if raw_size > MAX_BLOCK:
            raise CorruptError("a block claims more decoded bytes than the format allows")
        if literal_size == 0 and engine != STORE_ENGINE:
            raise CorruptError("a block claims to code no bytes")
        coded = payload_size - copies_size
        if payload_size > raw_size or not 0 <= coded <= literal_size or (engine == STORE_ENGINE and transforms):
            raise CorruptError("a block's sizes do not fit together")
        if engine == STORE_ENGINE and coded != literal_size:
            raise CorruptError("a block's sizes do not fit together")
        if beside is not None and (engine == STORE_ENGINE or transforms or not 0 < beside[1] <= MAX_BLOCK):
            raise CorruptError("a block reads beside it what it cannot")
        if flags & PRIMED and (engine == STORE_ENGINE or transforms or beside is not None):
            raise CorruptError("a block reads a primer where it cannot")
        if flags & COPIED and (literal_size >= raw_size or not copies_size):
            raise CorruptError("a block's sizes do not fit what it copies")
        return cls(
            engine=engine,
            engine_version=version,
            memory=memory,
            packed=packed,
            transforms=transforms,
            raw_size=raw_size,
            payload_size=payload_size,
            copies_size=copies_size,
            literal_size=literal_size,
            beside=beside,
            primed=bool(flags & PRIMED),
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
