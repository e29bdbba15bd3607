"""What both sides have beside a file: one that it is like, or a primer of one's own; and what blocks make of it."""

from __future__ import annotations

import hashlib
import mmap
import os
from functools import cached_property
from typing import Any, NamedTuple

from nzip.codec.coding import Coding
from nzip.errors import CorruptError, FileError, UnsupportedError
from nzip.formats.container.copies import Copies, Copy
from nzip.formats.container.primer import parse
from nzip.formats.container.structures import DIGEST, PRIMER_DIGEST, BlockHeader, Header, Named
from nzip.formats.container.wire import pack_memory, unpack_memory
from nzip.formats.content.detection import detect
from nzip.formats.repeats.beside import MARGIN, WHOLE, heads, size_of
from nzip.formats.repeats.finder import FAR, Finder
from nzip.models.base import Beside, Engine
from nzip.outputs import named
from nzip.params import Params
from nzip.process import imported
from nzip.registry import ENGINES

Path = str | bytes | os.PathLike[str]
PIECE = 1 << 20
MOST = 1 << 31  # bytes of an old file
KEPT = 64 << 20  # bytes of what an engine keeps that has read a primer
FAR_WHOLE = 1 << 16  # bytes of a copy, at least, from a file that is read as a whole
MOST_WHOLE = 1 << 20  # bytes of an old file that is read as a whole


def _mapped(path: str | os.PathLike[str]) -> bytes | memoryview:
    """Return the bytes of a file."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        # A file that is made while it is read has no size.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else file.read()


class Old:
    """A file that both sides have.

    Args:
        like: its bytes, or its path.

    Raises:
        FileError: it is a directory, or too large.
        OSError: it cannot be read.
        ValueError: the bytes are too many.
    """

    def __init__(self, like: Path | bytearray | memoryview):
        self.name = "what was given"
        if isinstance(like, str | os.PathLike):
            self.name = os.fsdecode(like)
            if os.path.isdir(like):
                raise FileError(like, "is a directory; name a file, or the tar of a directory")
            try:
                self.data: bytes | memoryview = _mapped(like)
            except OSError as error:
                raise named(error, self.name) from None
        else:
            self.data = memoryview(like).cast("B")
        if len(self.data) >= MOST:
            wrong = f"has {len(self.data):,} bytes, and a file to be like has fewer than {MOST:,}; name a part of it"
            raise FileError(self.name, wrong) if isinstance(like, str | os.PathLike) else ValueError(f"like {wrong}")

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def named(self) -> Named:
        """What a header says of it."""
        digest = hashlib.blake2b(digest_size=DIGEST)
        for at in range(0, len(self.data), PIECE):
            digest.update(self.data[at : at + PIECE])
        return Named(len(self.data), digest.digest())

    @property
    def whole(self) -> bool:
        """Whether it is read before each block as a whole."""
        return len(self) <= MOST_WHOLE

    def finder(self, reach: int) -> Finder:
        """Return what finds the file in content: an engine that has read all of it needs no help but for speed."""
        return Finder(reach, self.data, far=FAR_WHOLE if self.whole else FAR)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from one place to another."""
        return bytes(self.data[start:stop])


class Primer(Old):
    """A primer of the user's."""

    @classmethod
    def of(cls, primer: Path | bytearray | memoryview | Old) -> Primer:
        """Return a primer from its file, or the bytes of that.

        Raises:
            CorruptError, UnsupportedError: it is no primer, or a damaged one.
            ValueError: it is too large.
            OSError: it cannot be read.
        """
        file = primer if isinstance(primer, Old) else Old(primer)
        try:
            made = cls(parse(bytes(file.data)))
        except (CorruptError, UnsupportedError) as error:
            raise type(error)(f"{file.name}: {error}") from None
        made.name = file.name
        return made

    @property
    def id(self) -> bytes:
        """What headers say of it."""
        return self.named.digest[:PRIMER_DIGEST]

    @cached_property
    def text(self) -> bytes:
        """What is read before a block: one object, as engines keep what they learned of it."""
        return bytes(self.data)

    def encode(self, literals: bytes, coding: Coding, packed: bytes, raw_size: int) -> bytes | None:
        """Return the chunk of a block behind the primer; None where that is no use. Arguments as for `encode_like`."""
        name, params = coding.engines[-1]
        engine: Engine = ENGINES.by_name(name)
        if not engine.learns_beside or not literals:
            return None
        imported("numpy", *engine.imports)
        size = len(literals) + len(self)
        fitted = engine.fit(engine.alone(params, kept=True), size)
        payload = engine.encode_beside(literals, fitted, None, Beside(self.text, kept=True))
        memory = engine.memory(fitted, size) + KEPT
        return finished(literals, engine, fitted, memory, payload, packed, raw_size, primed=True)

    def decode(self, header: BlockHeader, payload: bytes) -> bytes:
        """Return the literals of a block behind the primer.

        Raises:
            CorruptError: the payload is damaged.
        """
        engine: Engine = ENGINES.by_id(header.engine, header.engine_version)
        params = engine.unpack(header.packed)
        if engine.memory(params, header.literal_size + len(self)) + KEPT > header.memory:
            raise CorruptError("a block needs more memory than its header states")
        imported("numpy", *engine.imports)
        beside = Beside(self.text, kept=True)
        return engine.decode_beside(payload[header.copies_size :], header.literal_size, params, beside)


Like = Path | bytearray | memoryview | Old | None


class Known(NamedTuple):
    """What is known beside a member.

    Attributes:
        old: the file that it is like.
        primer: a primer of the user's.
    """

    old: Old | None = None
    primer: Primer | None = None

    @classmethod
    def of(cls, like: Like, primer: Like) -> Known:
        """Return what is known by paths or bytes.

        Raises:
            ValueError: both are given, or what is given cannot be such.
            OSError: it cannot be read.
        """
        if like is not None and primer is not None:
            raise ValueError("a file is like another one or has a primer, not both")
        return cls(
            like if like is None or isinstance(like, Old) else Old(like),
            primer if primer is None or isinstance(primer, Primer) else Primer.of(primer),
        )

    def needed(self, header: Header) -> Known:
        """Return what of this a member with this header is decoded with.

        Raises:
            UnsupportedError: what it needs is not there, or another one is.
        """
        old = primer = None
        if header.like is not None:
            size, digest = header.like
            what = f"the file that it was made like, of {size:,} bytes and with the BLAKE2b-128 hash {digest.hex()}"
            if self.old is None:
                raise UnsupportedError(f"decoding needs {what}; name it with like=")
            old, there = self.old, self.old.named
            if there != header.like:
                raise UnsupportedError(
                    f"decoding needs {what}; name that, and not {old.name}, which has {there.size:,} bytes and the "
                    f"hash {there.digest.hex()}"
                )
        if header.primer is not None:
            what = f"the primer whose BLAKE2b-128 hash begins with {header.primer.hex()}"
            if self.primer is None:
                raise UnsupportedError(f"decoding needs {what}; name it with primer=")
            primer = self.primer
            if primer.id != header.primer:
                raise UnsupportedError(
                    f"decoding needs {what}; name that, and not {primer.name}, whose hash begins with {primer.id.hex()}"
                )
        return Known(old, primer)

    def beside(self, header: Header | None) -> Known:
        """Return what is known beside a member that may be damaged: nothing where it is not there."""
        try:
            return UNKNOWN if header is None else self.needed(header)
        except UnsupportedError:
            return UNKNOWN


UNKNOWN = Known()


def beside(old: Old, copies: list[Copy], before: int, literals: int, margin: int) -> Beside:
    """Return what an engine reads beside a block; see `formats.repeats.beside`."""
    text = old.read(0, len(old)) if margin == WHOLE else b""
    found = heads(copies, before, literals, len(old), margin)
    return Beside(text, [(place, b"".join(old.read(*part) for part in parts)) for place, parts in found])


def encode_like(
    literals: bytes, coding: Coding, old: Old, before: int, copies: list[Copy], packed: bytes, raw_size: int
) -> bytes | None:
    """Return the chunk of a block of a member that is like an old file; None where reading in that is no use.

    Args:
        literals, packed, raw_size: as for `encode_copied`.
        old: the file.
        before: blocks of the member before this one.
        copies: what `packed` says.
    """
    name, params = coding.engines[-1] if coding.beside is None else coding.beside
    engine: Engine = ENGINES.by_name(name)
    if not engine.learns_beside or not literals or not len(old):
        return None
    margin = WHOLE if old.whole else MARGIN
    imported("numpy", *engine.imports)
    read = beside(old, copies, before, len(literals), margin)
    if not read.size:
        return None
    fitted = engine.fit(engine.alone(params), len(literals) + read.size)
    payload = engine.encode_beside(literals, fitted, detect(literals, apart=engine.sees_records), read)
    memory = engine.memory(fitted, len(literals) + read.size)
    return finished(literals, engine, fitted, memory, payload, packed, raw_size, beside=(margin, read.size))


def finished(
    literals: bytes, engine: Engine, fitted: Params, memory: int, payload: bytes, packed: bytes, raw_size: int,
    **read: Any,
) -> bytes | None:  # fmt: skip
    """Return the chunk of a block that reads what stands beside it; None where its payload is no shorter.

    Args:
        literals, packed, raw_size: as for `encode_copied`.
        engine, fitted, memory, payload: what codes the literals, and what that came to.
        read: what the header says of what is read.
    """
    if len(payload) >= len(literals):
        return None
    header = BlockHeader(
        engine=engine.id,
        engine_version=engine.version,
        memory=unpack_memory(pack_memory(memory)),
        packed=engine.pack(fitted),
        transforms=(),
        raw_size=raw_size,
        payload_size=len(packed) + len(payload),
        copies_size=len(packed),
        literal_size=len(literals),
        **read,
    )
    return header.encode(literals, packed + payload)


def decode_known(header: BlockHeader, payload: bytes, known: Known, before: int) -> bytes:
    """Return the literals of a block that reads in what is known beside its member.

    Raises:
        CorruptError: the payload is damaged, or the member names nothing to be read.
    """
    if not header.primed:
        return decode_like(header, payload, known.old, before)
    if known.primer is None:
        raise CorruptError("a block reads a primer that its member does not name")
    return known.primer.decode(header, payload)


def decode_like(header: BlockHeader, payload: bytes, old: Old | None, before: int) -> bytes:
    """Return the literals of a block that reads in an old file.

    Raises:
        CorruptError: the payload is damaged, or the member is like no file.
    """
    if old is None or header.beside is None:
        raise CorruptError("a block reads in a file that its member does not name")
    engine: Engine = ENGINES.by_id(header.engine, header.engine_version)
    params = engine.unpack(header.packed)
    margin, size = header.beside
    if engine.memory(params, header.literal_size + size) > header.memory:
        raise CorruptError("a block needs more memory than its header states")
    if engine.refers:
        if (margin, size) != (WHOLE, header.literal_size):
            raise CorruptError("a block reads another number of bytes than its header says")
        imported("numpy", *engine.imports)
        return engine.decode_beside(payload[header.copies_size :], header.literal_size, params, Beside(file=old.data))
    packed = payload[: header.copies_size]
    copies = list(Copies(packed, header.raw_size, header.literal_size, before + 1)) if packed else []
    most = size_of(heads(copies, before, header.literal_size, len(old), margin))
    if most + (len(old) if margin == WHOLE else 0) != size:
        raise CorruptError("a block reads another number of bytes than its header says")
    imported("numpy", *engine.imports)
    read = beside(old, copies, before, header.literal_size, margin)
    return engine.decode_beside(payload[header.copies_size :], header.literal_size, params, read)
