"""What both sides have beside a file: one that it is like, or a primer of one's own; and what blocks make of it."""

from __future__ import annotations

import hashlib
import mmap
import os
from functools import cached_property

from nzip.codec.coding import Coding
from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.container.copies import Copies, Copy
from nzip.formats.container.structures import DIGEST, BlockHeader, Named
from nzip.formats.container.wire import pack_memory, unpack_memory
from nzip.formats.content.detection import detect
from nzip.formats.repeats.beside import MARGIN, WHOLE, heads, size_of
from nzip.models.base import Beside, Engine
from nzip.process import imported
from nzip.registry import ENGINES

Path = str | bytes | os.PathLike[str]
PIECE = 1 << 20
MOST = 1 << 31  # bytes of an old file
MOST_WHOLE = 1 << 20  # bytes of an old file that is read as a whole


class Old:
    """A file that both sides have.

    Args:
        like: its bytes, or its path.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large.
    """

    def __init__(self, like: Path | bytearray | memoryview):
        self.name = "the bytes that were given"
        if isinstance(like, str | os.PathLike):
            self.name = os.fsdecode(like)
            with open(like, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                # A file that is made while it is read has no size.
                self.data: bytes | memoryview = (
                    memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else file.read()
                )
        else:
            self.data = memoryview(like).cast("B")
        if len(self.data) >= MOST:
            raise ValueError(f"{self.name} has {len(self.data):,} bytes, and a file to be like has fewer than {MOST:,}")

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def named(self) -> Named:
        """What a header says of it."""
        digest = hashlib.blake2b(digest_size=DIGEST)
        for at in range(0, len(self.data), PIECE):
            digest.update(self.data[at : at + PIECE])
        return Named(len(self.data), digest.digest())

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from one place to another."""
        return bytes(self.data[start:stop])


Like = Path | bytearray | memoryview | Old | None


def old_of(like: Like) -> Old | None:
    """Return the old file of a path or bytes, where there is one."""
    return like if like is None or isinstance(like, Old) else Old(like)


def needed(like: Named | None, old: Old | None) -> Old | None:
    """Return the old file of a member whose header names `like`.

    Raises:
        UnsupportedError: it is not there, or another one.
    """
    if like is None:
        return None
    what = f"the file that it was made like, of {like.size:,} bytes and with the BLAKE2b-128 hash {like.digest.hex()}"
    if old is None:
        raise UnsupportedError(f"decoding needs {what} (--like)")
    if old.named != like:
        raise UnsupportedError(
            f"decoding needs {what}; {old.name} is another one, of {old.named.size:,} bytes and with the hash "
            f"{old.named.digest.hex()}"
        )
    return old


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
    engine, params = coding.last
    if not engine.learns_beside or not literals or not len(old):
        return None
    margin = WHOLE if len(old) <= MOST_WHOLE else MARGIN
    imported("numpy", *engine.imports)
    read = beside(old, copies, before, len(literals), margin)
    if not read.size:
        return None
    fitted = engine.fit(engine.alone(params), len(literals) + read.size)
    payload = engine.encode_beside(literals, fitted, detect(literals, apart=engine.sees_records), read)
    if len(payload) >= len(literals):
        return None
    header = BlockHeader(
        engine=engine.id,
        engine_version=engine.version,
        memory=unpack_memory(pack_memory(engine.memory(fitted, len(literals) + read.size))),
        packed=engine.pack(fitted),
        transforms=(),
        raw_size=raw_size,
        payload_size=len(packed) + len(payload),
        copies_size=len(packed),
        literal_size=len(literals),
        beside=(margin, read.size),
    )
    return header.encode(literals, packed + payload)


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
    packed = payload[: header.copies_size]
    copies = list(Copies(packed, header.raw_size, header.literal_size, before + 1)) if packed else []
    most = size_of(heads(copies, before, header.literal_size, len(old), margin))
    if most + (len(old) if margin == WHOLE else 0) != size:
        raise CorruptError("a block reads another number of bytes than its header says")
    imported("numpy", *engine.imports)
    read = beside(old, copies, before, header.literal_size, margin)
    return engine.decode_beside(payload[header.copies_size :], header.literal_size, params, read)
