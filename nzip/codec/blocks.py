"""One block's way in and out: detection, transforms, engine, checks.

`encode_block` and `decode_block` are pure functions and mirror each other; threads, streams and files are the
business of their callers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nzip.codec.bundle import Sorted, bundled, takes_too_much
from nzip.codec.coding import Coding, coded, doubtful
from nzip.codec.like import UNKNOWN, Known, decode_known
from nzip.errors import CorruptError, LimitError, over_memory
from nzip.formats.container.structures import BUNDLE_ENGINE, MAX_BLOCK, STORE_ENGINE, BlockHeader
from nzip.formats.container.wire import Reader, block_check, pack_memory, unpack_memory
from nzip.formats.content.continued import Begun
from nzip.formats.content.detection import described, detect
from nzip.formats.content.kinds import Content
from nzip.formats.content.segments import last_border
from nzip.formats.content.tree import Leaf, grow
from nzip.formats.openers.deflate.torn import Part
from nzip.formats.openers.notes import noting
from nzip.formats.transforms.base import WORKING
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.coding import Coder
from nzip.params import Params
from nzip.process import imported
from nzip.registry import ENGINES
from nzip.settings import Room, has_room

DEFAULT_MAX_MEMORY = 2 << 30
DOUBTED = 32  # a block that opening makes shorter by less than one byte in so many is coded as it is, too
ENTRY_MEMORY = 32  # bytes that a block's place takes at most while a file is read


@dataclass(frozen=True)
class Limits:
    """What a reader is ready to spend.

    Attributes:
        max_memory: bytes for the blocks decoded at one time: decoded bytes, payloads and working memory together; and
            for the places of blocks, which files of very many small ones are full of.
        max_block: decoded bytes of one block.
    """

    max_memory: int = DEFAULT_MAX_MEMORY
    max_block: int = MAX_BLOCK

    def admit(self, header: BlockHeader, blocks: int = 0, kept: int = 0) -> None:
        """Check a block against the limits before anything is allocated for it.

        Args:
            header: of the block.
            blocks: how many blocks' places are kept.
            kept: bytes that are kept beside, as blocks may copy from them.

        Raises:
            LimitError: the block needs more than is allowed.
        """
        if header.raw_size > self.max_block:
            raise LimitError(
                f"a block holds {header.raw_size:,} bytes and the limit is {self.max_block:,} (max_block); raise it"
            )
        self.admit_memory(memory_needed(header) + kept, "decoding")
        self.admit_memory(ENTRY_MEMORY * blocks, f"a list of {blocks:,} blocks")

    def admit_memory(self, needed: int, what: str) -> None:
        """Compare the bytes of memory that `what` needs with the limit.

        Raises:
            LimitError: it is more than is allowed.
        """
        if needed > self.max_memory:
            raise over_memory(what, needed, self.max_memory)


def memory_needed(header: BlockHeader) -> int:
    """Return the bytes of memory that decoding a block takes in all: a transform works when the engine is done."""
    sizes = [spec.size for spec in header.transforms]
    working = max(header.memory, WORKING * max(sizes, default=0))
    # What copies are made of is read when the engine is done, and takes no more than the content.
    working = max(working, header.raw_size) + header.raw_size if header.copies_size else working
    return working + header.literal_size + header.payload_size + sum(sizes)


def encode_block(raw: bytes, coding: Coding, begun: Begun = (), parts: Sequence[Part] = ()) -> bytes:
    """Return the chunk for one block: its header and its payload.

    Args:
        raw: the bytes.
        coding: how they are to be coded.
        begun: what they begin with, where that began in a block before (`nzip.formats.content.continued`).
        parts: those of longer deflate streams that lie in them (`nzip.formats.content.torn`).

    A block that no engine shrinks is stored, so a chunk is never more than 23 bytes longer than `raw`. Where an engine
    has a fallback, the shorter of both chunks is taken.
    """
    last, _ = coding.last
    if last.id == STORE_ENGINE or not raw:
        return _stored(raw)
    imported("numpy")
    with progress.block(len(raw)), noting():
        room = coding.room(len(raw))
        content, chunk = _opened(raw, coding, room, begun, parts) if room else (None, None)
        if chunk is not None and len(chunk) * DOUBTED < len(raw) * (DOUBTED - 1):
            return chunk
        whole = _in_one_piece(raw, content or detect(raw, apart=last.sees_records), coding)
        return whole if chunk is None else min(chunk, whole, key=len)


def _opened(
    raw: bytes, coding: Coding, room: Room, begun: Begun, parts: Sequence[Part]
) -> tuple[Content | None, bytes | None]:
    """Return what a block holds, where that was found out, and its chunk if it was opened."""
    tree = grow(raw, room, parts, begun)
    if len(tree) == 1 and isinstance(tree[0], Leaf):
        content = Content((tree[0].segment,)) if tree[0].segment else None
        if content is not None and content.kind != "weights":  # whose engine needs no more
            content = Content((described(raw, content.whole),))
        if content is None or not takes_too_much(content, coding):
            return content, None
    found = Sorted(tree, coding)
    del tree
    made = bundled(raw, found, coding)
    chunk = None if made is None else _finished(raw, coding, ENGINES.by_id(BUNDLE_ENGINE, 1), *made)
    if chunk is not None and any(opener.for_engines for opener in found.openers) and not found.has_parts_of_engines:
        chunk = min(chunk, _in_one_piece(raw, detect(raw, apart=coding.last[0].sees_records), coding), key=len)
    return None, chunk


def _in_one_piece(raw: bytes, content: Content, coding: Coding) -> bytes:
    """Return the chunk of a block by the first engine that makes it smaller, or the stored one. Where that is doubtful
    the last engine is tried, too."""
    stored = found = _stored(raw)
    last, _ = coding.last
    for name, params in coding.engines:
        engine: Engine = ENGINES.by_name(name)
        if engine is last and content.kind == "weights":
            content = Content((described(raw, content.whole),))
        if engine is last or (engine.accepts(content) and has_room((name, params), len(raw), coding.engines)):
            chunk = _encoded(raw, content, coding, engine, params)
            chunk = _or_fallback(raw, content, coding, engine, params, chunk)
            found = min(found, chunk, key=len)
            if len(found) < len(stored) and not (engine is not last and doubtful(raw, content)):
                return found
    return found


def end_of_block(raw: bytes, coding: Coding) -> int:
    """Return how much of `raw`, a full block that more follows, should be one: it may end a little earlier, at a border
    of content, so that what begins there is whole in the next block."""
    if not coding.last[0].sees_records:
        return len(raw)
    imported("numpy")
    return last_border(raw)


def encode_within(raw: bytes, coding: Coding, limit: int) -> tuple[int, bytes]:
    """Encode from the start of `raw` what a payload of about `limit` bytes holds.

    Returns:
        How many bytes that is, and their chunk.
    """
    engine, params = coding.last
    verify = _verifies(coding, engine)
    imported(*engine.imports)
    with progress.part(0.5 if verify else 1.0):
        count, payload, params = engine.encode_within(raw, params, limit)
        part = raw[:count]
        chunk = _stored(part)
        if payload:
            coder = Coder(engine.id, engine.version, engine.pack(params))
            chunk = _finished(part, coding, engine, coder, payload)
    return count, _or_fallback(part, None, coding, engine, params, chunk)


def _verifies(coding: Coding, engine: Engine) -> bool:
    return engine.verifies if coding.verify is None else coding.verify


def _or_fallback(
    raw: bytes, content: Content | None, coding: Coding, engine: Engine, params: Params, chunk: bytes
) -> bytes:
    """Return the shorter of a chunk and what the engine's fallback, if it has one, makes of the same bytes."""
    fallback = engine.falls_back(params)
    if fallback is None:
        return chunk
    other = Coding((fallback,), coding.transforms, verify=_verifies(coding, engine))
    return min(chunk, _encoded(raw, content or detect(raw), other, *other.last), key=len)


def _encoded(raw: bytes, content: Content, coding: Coding, engine: Engine, params: Params) -> bytes:
    with progress.part(0.5 if _verifies(coding, engine) else 1.0):
        return _finished(raw, coding, engine, *coded(raw, content, coding, engine, params))


def _finished(raw: bytes, coding: Coding, engine: Engine, coder: Coder, payload: bytes) -> bytes:
    """Return the chunk of a block, or that of the stored one where this is not shorter, or does not come back."""
    if len(payload) >= len(raw):
        return _stored(raw)
    size = coder.transforms[-1].size if coder.transforms else len(raw)
    header = BlockHeader(
        engine=coder.engine,
        engine_version=coder.version,
        memory=unpack_memory(pack_memory(engine.memory(engine.unpack(coder.packed), size))),
        packed=coder.packed,
        transforms=tuple(coder.transforms),
        raw_size=len(raw),
        payload_size=len(payload),
    )
    chunk = header.encode(raw, payload)
    if len(chunk) >= len(raw):
        stored = _stored(raw)
        if len(chunk) >= len(stored):
            return stored
    return _stored(raw) if _verifies(coding, engine) and not _comes_back(header, payload, raw) else chunk


def encode_copied(
    literals: bytes,
    coding: Coding,
    copies: bytes,
    raw_size: int,
    begun: Begun = (),
    parts: Sequence[Part] = (),
) -> bytes:
    """Return the chunk of a block that copies.

    Args:
        literals: its bytes without those that it copies.
        coding: how they are to be coded.
        copies: as `copies.pack` returns them; empty where it copies nothing.
        raw_size: bytes of content.
        begun, parts: as for `encode_block`, of the literals.
    """
    chunk = encode_block(literals, coding, begun, parts)
    if not copies:
        return chunk
    reader = Reader(chunk)
    header = BlockHeader.parse(reader)
    payload = copies + chunk[reader.pos :]
    header = replace(header, raw_size=raw_size, literal_size=len(literals), copies_size=len(copies))
    return replace(header, payload_size=len(payload)).encode(literals, payload)


def decode_block(header: BlockHeader, payload: bytes, known: Known = UNKNOWN, before: int = 0) -> bytes:
    """Return the literals of a block that a reader has admitted: all its bytes, but for what it copies.

    Args:
        header, payload: of the block.
        known: what is known beside the block's member.
        before: how many blocks stand before it there.

    Raises:
        CorruptError: they do not match the block's check, which covers what says of copies too.
        UnsupportedError: the engine or a transform is not known here.
    """
    with progress.block(header.literal_size):
        if header.beside is not None or header.primed:
            raw = decode_known(header, payload, known, before)
        else:
            raw = _decode(header, payload[header.copies_size :] if header.copies_size else payload)
    check = block_check(raw, payload, header.header_check)
    if header.check != (check & 0xFFFFFFFF if header.brief else check):
        raise CorruptError("a block is damaged (its decoded bytes do not match their check)")
    return raw


def at_block(error: CorruptError, block: int, start: int, size: int | None) -> CorruptError:
    """Return `error` with what is lost by it in its message.

    Args:
        error: what is wrong.
        block: number of the block, the first of the file being 0.
        start: its first byte in the content.
        size: its bytes, where that is known.
    """
    if error.block is not None:
        return error
    where = f"bytes {start:,} to {start + size - 1:,}" if size else f"byte {start:,} and what follows"
    found = type(error)(f"{error}; this is block {block:,}, {where} of the content")
    found.block, found.start, found.stop = block, start, None if size is None else start + size
    return found


def _stored(raw: bytes) -> bytes:
    header = BlockHeader(
        engine=STORE_ENGINE,
        engine_version=1,
        memory=0,
        packed=b"",
        transforms=(),
        raw_size=len(raw),
        payload_size=len(raw),
    )
    return header.encode(raw, raw)


def _decode(header: BlockHeader, payload: bytes) -> bytes:
    coder = Coder(header.engine, header.engine_version, header.packed, header.transforms)
    return coder.decode(payload, header.literal_size, header.memory)


def _comes_back(header: BlockHeader, payload: bytes, raw: bytes) -> bool:
    try:
        return _decode(header, payload) == raw
    except MemoryError:
        raise
    except Exception:
        return False  # whatever way decoding fails, the block is stored instead
