"""nzip files taken apart, changed, and put together again with checks that hold.

A member is a `Member` of plain values. `encode` makes every length, check and index anew, so that a change is not
stopped by the first check on its way; what `encode` is told to leave wrong is left wrong.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from random import Random

from nzip.codec.blocks import decode_block
from nzip.codec.like import UNKNOWN, Known
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.structures import (
    BESIDE,
    BLOCK,
    COPIED,
    END,
    FIELDS,
    MAGIC,
    PRIMED,
    SOLO,
    STORE_ENGINE,
    TRAILER_MAGIC,
    TRANSFORMED,
    End,
    Header,
)
from nzip.formats.container.wire import Reader, block_check, check16, check32, check64, pack_memory

from . import mutate
from .mutate import uleb


@dataclass
class Chunk:
    """A block, or another chunk with a body."""

    type: int
    body: bytes = b""  # of a chunk that is no block
    flags: int = 0
    engine: int = 0
    version: int = 1
    memory: int = 0
    packed: bytes = b""
    transforms: list[tuple[int, int, bytes, int]] = field(default_factory=list)
    raw_size: int = 0
    payload: bytes = b""
    raw: bytes = b""  # what it decodes to, before any change
    literals: bytes | None = None  # of that, what it does not copy; None for all
    literal_size: int = 0  # as it states it, where it copies
    copies_size: int = 0
    beside: tuple[int, int] = (0, 0)
    size_error: int = 0  # added to the stated size of the body
    odd: int = 0  # which varint is written in a wrong form: 1 the body's size, 2 the raw size
    break_header: int = 0  # xor of the header's check
    break_check: int = 0  # xor of the block's check


@dataclass
class Member:
    """A member: its header, its chunks, what its end says otherwise than it should."""

    magic: bytes = MAGIC
    version: int = 1
    flags: int = 0
    fields: list[tuple[int, bytes]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    end: bool = True
    header_size_error: int = 0
    count_error: int = 0
    entry_errors: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    gap_error: int = 0
    break_header: int = 0
    break_content: int = 0
    break_end: int = 0
    tail: bytes | None = None  # in place of the size and the magic behind the end

    @property
    def solo(self) -> bool:
        return bool(self.flags & SOLO)

    def content(self) -> bytes:
        return b"".join(chunk.raw for chunk in self.chunks if chunk.type == BLOCK)


def split(data: bytes, content: bytes = b"", known: Known = UNKNOWN) -> list[Member]:
    """Return the members of a sound file; with its content and what is known beside it where blocks copy."""
    members, start = [], 0
    while data:
        parser = Parser()
        parser.feed(data)
        member = Member()
        at = 0
        while (event := parser.next()) is not None:
            if isinstance(event, Header):
                reader = Reader(data, at)
                member.flags = data[at + 4]
                if member.flags & FIELDS:
                    reader.pos = at + 5
                    inside = Reader(reader.bytes(reader.uleb()))
                    while inside.left():
                        member.fields.append((inside.u8(), inside.bytes(inside.uleb())))
                at += event.size
            elif isinstance(event, Block):
                h = event.header
                flags = (TRANSFORMED if h.transforms else 0) | (COPIED if h.copies_size else 0)
                flags |= (BESIDE if h.beside else 0) | (PRIMED if h.primed else 0)
                literals = decode_block(h, event.payload, known, len(member.chunks))
                raw = content[start : start + h.raw_size] if h.copies_size else literals
                start += h.raw_size
                member.chunks.append(
                    Chunk(
                        BLOCK, flags=flags, engine=h.engine,
                        version=h.engine_version, memory=pack_memory(h.memory) if h.memory else 0,
                        packed=h.packed,
                        transforms=[(s.id, s.version, s.packed, s.size) for s in h.transforms], raw_size=h.raw_size,
                        payload=event.payload, raw=raw, literals=literals if h.copies_size else None,
                        literal_size=h.literal_size, copies_size=h.copies_size, beside=h.beside or (0, 0),
                    )
                )  # fmt: skip
        assert parser.finished
        member.end = not member.solo
        members.append(member)
        data = parser.unused
    return members


def copied(members: list[Member]) -> list[Member]:
    """Return members whose lists are their own."""
    return [
        replace(
            m,
            fields=list(m.fields),
            chunks=[replace(c, transforms=list(c.transforms)) for c in m.chunks],
            entry_errors={},
        )
        for m in members
    ]


def encode_chunk(chunk: Chunk, r: Random | None = None) -> bytes:
    """Return a chunk's bytes; a block's check is that of its raw bytes as they were."""
    if chunk.type != BLOCK:
        size = len(chunk.body) + chunk.size_error
        return bytes((chunk.type,)) + uleb(max(0, size)) + chunk.body
    body = bytearray((chunk.flags, chunk.engine))
    if chunk.engine != STORE_ENGINE:
        body += bytes((chunk.version, chunk.memory, len(chunk.packed))) + chunk.packed
    if chunk.flags & TRANSFORMED:
        body.append(len(chunk.transforms) & 255)
        for id_, version, packed, size in chunk.transforms:
            body += bytes((id_, version, len(packed))) + packed + uleb(size)
    body += mutate.uleb_odd(r, chunk.raw_size) if chunk.odd == 2 and r else uleb(chunk.raw_size)
    if chunk.flags & COPIED:
        body += uleb(max(0, chunk.literal_size)) + uleb(max(0, chunk.copies_size))
    if chunk.flags & BESIDE:
        body += uleb(chunk.beside[0]) + uleb(chunk.beside[1])
    size = max(0, len(body) + 10 + len(chunk.payload) + chunk.size_error)
    head = bytes((BLOCK,)) + (mutate.uleb_odd(r, size) if chunk.odd == 1 and r else uleb(size)) + body
    header_check = check16(head) ^ chunk.break_header
    literals = chunk.raw if chunk.literals is None else chunk.literals
    check = block_check(literals, chunk.payload, header_check) ^ chunk.break_check
    return head + struct.pack("<HQ", header_check, check) + chunk.payload


def encode(members: list[Member], r: Random | None = None) -> bytes:
    """Return the file."""
    out = bytearray()
    for member in members:
        head = member.magic + bytes((member.version, member.flags))
        if member.flags & FIELDS:
            fields = b"".join(bytes((tag,)) + uleb(len(value)) + value for tag, value in member.fields)
            head += uleb(len(fields)) + fields
        head += struct.pack("<I", check32(head) ^ member.break_header)
        out += head
        entries: list[tuple[int, int, int]] = []
        gap = 0
        for chunk in member.chunks:
            data = encode_chunk(chunk, r)
            out += data
            if chunk.type == BLOCK:
                entries.append((gap, len(data), chunk.raw_size))
                gap = 0
            else:
                gap += len(data)
        if not member.end:
            continue
        errors = member.entry_errors
        body = uleb(max(0, len(head) + member.header_size_error)) + uleb(max(0, len(entries) + member.count_error))
        for number, entry in enumerate(entries):
            error = errors.get(number, (0, 0, 0))
            body += b"".join(uleb(max(0, a + b) & (1 << 63) - 1) for a, b in zip(entry, error, strict=True))
        body += uleb(max(0, gap + member.gap_error))
        body += struct.pack("<Q", check64(member.content()) ^ member.break_content)
        chunk_bytes = bytes((END,)) + uleb(len(body) + 12) + body
        chunk_bytes += struct.pack("<I", check32(chunk_bytes) ^ member.break_end)
        tail = struct.pack("<I", len(chunk_bytes) + 8) + TRAILER_MAGIC
        out += chunk_bytes + (tail if member.tail is None else member.tail)
    return bytes(out)


def with_true_checks(data: bytes, raws: list[bytes]) -> bytes | None:
    """Return a file with the checks of the blocks' and members' contents as they must be for what it decodes to.

    Args:
        data: the file.
        raws: what its blocks decode to, in order.

    Returns:
        None where it has another number of blocks, or cannot be walked through.
    """
    out = bytearray(data)
    rest, start, number = data, 0, 0
    while rest:
        parser = Parser()
        parser.feed(rest)
        at, content = 0, bytearray()
        while (event := parser.next()) is not None:
            at = len(rest) - len(parser.unused)  # just behind the event
            if isinstance(event, Block):
                if number == len(raws):
                    return None
                place = start + at - len(event.payload) - 8
                check = block_check(raws[number], event.payload, event.header.header_check)
                out[place : place + 8] = struct.pack("<Q", check)
                content += raws[number]
                number += 1
            elif isinstance(event, End):
                begin, end = start + at - event.size, start + at
                out[end - 20 : end - 12] = struct.pack("<Q", check64(bytes(content)))
                out[end - 12 : end - 8] = struct.pack("<I", check32(bytes(out[begin : end - 12])))
        if not parser.finished:
            return None
        start += len(rest) - len(parser.unused)
        rest = parser.unused
    return bytes(out) if number == len(raws) else None
