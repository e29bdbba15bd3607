"""Containers, engines and transforms: nzip files that are changed with their checks repaired, or left to fail."""

from __future__ import annotations

import io
import json
import os
import struct
from contextlib import suppress
from random import Random
from typing import Any, ClassVar

import nzip
from nzip.codec import blocks
from nzip.codec.decompressor import Decompressor
from nzip.codec.inspect import inspect
from nzip.codec.salvage.content import Salvage
from nzip.errors import CorruptError, NzipError
from nzip.formats.container import copies
from nzip.formats.container.parser import Block, Parser
from nzip.formats.container.structures import BLOCK, FIELDS, SOLO, TRAILER_MAGIC, TRANSFORMED, Header
from nzip.formats.container.wire import Reader, pack_memory
from nzip.params import Params
from nzip.registry import ENGINES, TRANSFORMS

from . import mutate, wire
from .mutate import uleb
from .samples import code, table, text
from .target import ANY, MEBI, RIGHT, Believed, Slow, Target, Wrong, replaced
from .wire import Chunk, Member

# What the first byte of a case says.
BELIEVE = 1  # checks of contents hold, whatever the contents
TWICE = 2  # then once more, with true checks written
WAY = 2  # from this bit on: how the file is read
WHOLE, PIECES, FORWARD, SEEKING, INSPECT = range(5)

MOST_OUTPUT = 1 << 16


class LargerError(Exception):
    """A payload is larger than its block, which no reader would look at."""


def member_of(kind: Any, params: Params, raw: bytes, payload: bytes, size: int | None = None, **more: Any) -> Member:
    """Return a member of one block that an engine coded, as `size` bytes where transforms made others of it."""
    if len(payload) > len(raw):
        raise LargerError(f"a seed of {kind.name} is not smaller than its block")
    chunk = Chunk(BLOCK, engine=kind.id, version=kind.version, raw_size=len(raw), raw=raw, payload=payload, **more)
    if kind.id:
        chunk.packed = kind.pack(params)
        chunk.memory = pack_memory(kind.memory(params, len(raw) if size is None else size))
    return Member(flags=SOLO, chunks=[chunk], end=False)


def solo(engine: str, raw: bytes, **params: int | str) -> Member:
    """Return a member of one block that the engine codes."""
    kind = ENGINES.by_name(engine)
    fitted = kind.fit(params, len(raw))
    return member_of(kind, fitted, raw, kind.encode(raw, fitted))


def joined(members: list[Member], **header: object) -> Member:
    """Return one member of the blocks of several."""
    data = Header(**header).encode()  # type: ignore[arg-type]
    chunks = [chunk for member in members for chunk in member.chunks]
    made = Member(flags=data[4], chunks=chunks)
    if made.flags & FIELDS:
        reader = Reader(data, 5)
        inside = Reader(reader.bytes(reader.uleb()))
        while inside.left():
            made.fields.append((inside.u8(), inside.bytes(inside.uleb())))
    return made


class FileTarget(Target):
    """A target whose cases are nzip files: a byte that says how they are read, then the file.

    Attributes:
        believes: the part of the cases whose contents' checks hold.
        most: bytes that a file may hold.
        ways: how the files are read.
        again: whether what was read is now and then written with true checks, and read once more.
    """

    believes: ClassVar[float] = 0.85
    most: ClassVar[int] = MOST_OUTPUT
    again: ClassVar[bool] = True
    ways: ClassVar[tuple[int, ...]] = (WHOLE, WHOLE, WHOLE, PIECES)

    def prepare(self) -> None:
        self.seeds = self.made()
        self.known = {chunk.raw for seed in self.seeds for member in seed for chunk in member.chunks}
        self.payloads = [chunk.payload for seed in self.seeds for member in seed for chunk in member.chunks]
        self.chunks = [chunk for seed in self.seeds for member in seed for chunk in member.chunks]
        for seed in self.seeds:
            data = wire.encode(seed)
            whole = b"".join(member.content() for member in seed)
            assert nzip.decompress(data, max_memory=self.limit, **self.given) == whole
            for way in set(self.ways):
                assert self.run(bytes((way << WAY,)) + data) == RIGHT

    def made(self) -> list[list[Member]]:
        """Return the seeds."""
        raise NotImplementedError

    @property
    def given(self) -> dict[str, Any]:
        """What readers are told."""
        return {}

    def mutation(self, r: Random) -> bytes:
        believe = r.random() < self.believes
        members = wire.copied(r.choice(self.seeds))
        twice = TWICE if self.again and r.random() < 0.1 else 0
        head = (BELIEVE | twice if believe else 0) | r.choice(self.ways) << WAY
        for _ in range(r.choice((1, 1, 1, 2, 3))):
            self.change(r, members)
        data = wire.encode(members, r)
        if r.random() < 0.03:
            data = mutate.octets(r, data)
        return bytes((head,)) + data

    def change(self, r: Random, members: list[Member]) -> None:
        """Change a block's payload, mostly."""
        chunk = r.choice(r.choice(members).chunks) if all(m.chunks for m in members) else None
        if chunk is None or r.random() < 0.1:
            change_container(r, members, self.chunks)
        elif r.random() < 0.75:
            chunk.payload = self.payload(r, chunk)[: max(1, chunk.raw_size)]
        else:
            change_block(r, chunk, self.chunks)

    def payload(self, r: Random, chunk: Chunk) -> bytes:
        """Return a changed payload."""
        way = r.random()
        if way < 0.3:  # what a payload starts with says most
            head = mutate.octets(r, chunk.payload[:4], rounds=1)
            return head + chunk.payload[4:]
        if way < 0.35:
            return r.randbytes(len(chunk.payload))
        return mutate.octets(r, chunk.payload, self.payloads)

    def run(self, case: bytes) -> str:
        way, data = case[0], case[1:]
        if not way & BELIEVE:
            _, raws = self.read(way >> WAY, data)
            if any(raw not in self.known for raw in raws):
                raise Wrong("wrong bytes of a block under its own check")
            return RIGHT
        raws: list[bytes] = []

        def believed(raw: bytes, payload: bytes, header_check: int) -> Believed:
            raws.append(raw)
            return Believed()

        outcome: NzipError | None = None
        with replaced(blocks, block_check=believed), replaced(copies, check64=lambda content: Believed()):
            try:
                self.read(way >> WAY, data)
            except NzipError as error:
                outcome = error
        if way & TWICE and raws and way >> WAY in (WHOLE, PIECES, FORWARD):
            true = wire.with_true_checks(data, raws)
            if true is not None:
                try:
                    again, _ = self.read(way >> WAY, true)
                except NzipError:
                    if outcome is None:
                        raise Wrong("a file whose checks are true is refused") from None
                    raise
                if again != b"".join(raws):
                    raise Wrong("decoding twice gave two results")
        if outcome is not None:
            raise outcome
        return ANY

    def read(self, way: int, data: bytes) -> tuple[bytes, list[bytes]]:
        """Return what a file holds, and its blocks where they are known one by one."""
        limits: dict[str, Any] = {"max_memory": self.limit, **self.given}
        if way == INSPECT:
            info = inspect(io.BytesIO(data))
            json.dumps(info.to_dict())
            return b"", []
        if way == PIECES:
            out = self.in_pieces(data)
        elif way == FORWARD:
            with nzip.open(Slow(data, 97), **limits) as file:  # type: ignore[arg-type]
                out = b""
                # What is sound before a fault comes first, and the fault with the next call.
                while len(out) <= self.most and (piece := file.read(self.most + 1 - len(out))):
                    out += piece
        elif way == SEEKING:
            return self.seeking(data), []
        else:
            out = nzip.decompress(data, max_output_size=self.most, **limits)
        sizes = self.sizes(data)
        if way != FORWARD or len(out) <= self.most:
            if len(out) != sum(sizes):
                raise Wrong("another number of bytes than the blocks state")
            at, raws = 0, []
            for size in sizes:
                raws.append(out[at : at + size])
                at += size
            return out, raws
        return out, []

    def in_pieces(self, data: bytes) -> bytes:
        """Decompress with small buffers in and out."""
        out, step = bytearray(), 1 + sum(data[-1:]) % 61
        while True:
            limits = {"max_memory": self.limit, "max_output_size": self.most - len(out), **self.given}
            with Decompressor(threads=1, **limits) as member:
                while not member.eof:
                    if not member.needs_input:
                        piece = b""
                    else:
                        piece, data = data[:step], data[step:]
                        if not piece:
                            member.end_input()
                    got = member.decompress(piece, 100)
                    if len(got) > 100:
                        raise Wrong("more bytes than were asked for")
                    out += got
                data = member.unused_data + data
            if not data:
                return bytes(out)

    def seeking(self, data: bytes) -> bytes:
        """Read here and there by the index, and compare with what the front gives."""
        try:
            front = nzip.decompress(data, max_output_size=self.most, max_memory=self.limit, **self.given)
        except NzipError:
            front = None
        r = Random(len(data))
        with nzip.open(io.BytesIO(data), max_memory=self.limit, **self.given) as file:
            for _ in range(3):
                place = r.randrange(1 << r.randrange(1, 14))
                file.seek(place)
                part = file.read(r.randrange(1, 300))
                if front is not None and part != front[place : place + len(part)]:
                    raise Wrong("a seeking reader gave other bytes than the front")
            end = file.seek(0, os.SEEK_END)
            if front is not None and end != len(front):
                raise Wrong("a seeking reader found another end than the front")
        return b""

    @staticmethod
    def sizes(data: bytes) -> list[int]:
        found = []
        while data:
            parser = Parser()
            parser.feed(data)
            while (event := parser.next()) is not None:
                if isinstance(event, Block):
                    found.append(event.header.raw_size)
            data = parser.unused
        return found


def change_block(r: Random, chunk: Chunk, others: list[Chunk]) -> None:
    """Change a field of a block's header."""
    way = r.randrange(14)
    if way == 0:
        chunk.raw_size = mutate.number(r, chunk.raw_size)
    elif way == 1:
        chunk.raw_size = max(0, chunk.raw_size + r.randrange(-9, 10))
    elif way < 5:
        chunk.packed = mutate.octets(r, chunk.packed, rounds=1)[:255]
        chunk.memory = max(chunk.memory, r.choice((0, 60, 90, 255)))  # or the first fault is always the memory
    elif way == 5:
        chunk.memory = mutate.octet(r, chunk.memory)
    elif way == 6:
        chunk.engine = mutate.octet(r, chunk.engine) if r.random() < 0.5 else r.randrange(len(list(ENGINES)) + 1)
    elif way == 7:
        chunk.version = mutate.octet(r, chunk.version)
    elif way == 8:
        chunk.flags = r.choice((chunk.flags ^ TRANSFORMED, chunk.flags ^ 1 << r.randrange(8)))
    elif way == 9:
        change_transforms(r, chunk)
    elif way == 10:
        chunk.size_error = r.choice((-1, 1, 2, -9, 100, 1 << 30, 1 << 40))
    elif way == 11:
        chunk.odd = r.choice((1, 2))
    elif way == 12:
        other = r.choice(others)  # the parameters of one, the payload of another
        chunk.payload = other.payload[: max(1, chunk.raw_size)]
    else:
        chunk.break_header, chunk.break_check = r.choice(((1 << r.randrange(16), 0), (0, 1 << r.randrange(64))))


PLAN = "300;400=delta.1:0c040000,shuffle.1:0c00;500=x86.1:01"


def change_transforms(r: Random, chunk: Chunk) -> None:
    """Change which transforms a block has, or their parameters and sizes."""
    from formats.transforms.cases import CASES

    chunk.flags |= TRANSFORMED
    size = chunk.raw_size
    if not chunk.transforms or r.random() < 0.3:
        name = r.choice(list(CASES))
        kind = TRANSFORMS.by_name(name)
        packed = kind.pack(r.choice(CASES[name].good))
        chunk.transforms.insert(r.randrange(len(chunk.transforms) + 1), (kind.id, kind.version, packed, size))
        return
    at = r.randrange(len(chunk.transforms))
    id_, version, packed, size = chunk.transforms[at]
    way = r.randrange(7)
    if way < 3:
        packed = mutate.octets(r, packed, rounds=1)[:255]
    elif way == 3:
        size = mutate.number(r, size)
    elif way == 4:
        size = max(0, size + r.choice((-1, 1, 4)))
    elif way == 5:
        id_, version = r.choice(((r.randrange(1, len(CASES) + 2), 1), (id_, mutate.octet(r, version))))
    else:
        chunk.transforms = chunk.transforms * r.choice((2, 4, 5, 60)) if r.random() < 0.5 else []
        return
    chunk.transforms[at] = (id_, version, packed, size)


def change_container(r: Random, members: list[Member], others: list[Chunk]) -> None:
    """Change what stands around the blocks: header, fields, order, index, end."""
    member = r.choice(members)
    way = r.randrange(17)
    if way == 0:
        at = r.randrange(4)
        head = bytearray(member.magic + bytes((member.version,)))
        head[at] = mutate.octet(r, head[at])
        member.magic, member.version = bytes(head[:3]), head[3]
    elif way == 1:
        member.flags ^= 1 << r.randrange(8)
    elif way == 2 and member.fields:
        at = r.randrange(len(member.fields))
        tag, value = member.fields[at]
        member.fields[at] = (tag, mutate.octets(r, value))
    elif way == 3:
        tag = r.choice((0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 1, 0, 0xFF, r.randrange(256)))
        value = r.choice((b"", b"a", b"..", b"x" * 4097, uleb(mutate.number(r, 0o644)), r.randbytes(8), b"\xff\xfe"))
        member.fields.insert(r.randrange(len(member.fields) + 1), (tag, value))
        member.flags |= FIELDS
        if r.random() < 0.7:
            member.fields.sort(key=lambda entry: entry[0] & 0x7F)
    elif way == 4:
        member.header_size_error = r.choice((-1, 1, 5, 1 << 20, 1 << 62))
    elif way == 5:
        member.count_error = r.choice((-1, 1, 2, 1 << 20, 1 << 28, 1 << 40))
    elif way == 6 and member.chunks:
        error = [0, 0, 0]
        error[r.randrange(3)] = r.choice((-1, 1, 7, -20, 1 << 30, 1 << 31, 1 << 62))
        member.entry_errors[r.randrange(len(member.chunks))] = (error[0], error[1], error[2])
    elif way == 7:
        member.gap_error = r.choice((1, 2, 1 << 20, 1 << 62))
    elif way == 8:
        member.tail = mutate.octets(r, struct.pack("<I", 40) + TRAILER_MAGIC, rounds=1)
    elif way == 9:
        what = r.choice(("break_header", "break_content", "break_end"))
        setattr(member, what, 1 << r.randrange(32))
    elif way == 10:
        kind = r.choice((0x80, 0x81, 0xFF, 0, 2, 3, 0x7F, r.randrange(256)))
        body = r.choice((b"", r.randbytes(r.randrange(40)), bytes(300)))
        if kind != BLOCK:
            extra = Chunk(kind, body, size_error=r.choice((0, 0, 0, 1, -1, 1 << 40)))
            member.chunks.insert(r.randrange(len(member.chunks) + 1), extra)
    elif way == 11 and member.chunks:
        at = r.randrange(len(member.chunks))
        del member.chunks[at]
    elif way == 12 and member.chunks:
        chunk = wire.replace(r.choice(others), transforms=[])
        member.chunks.insert(r.randrange(len(member.chunks) + 1), chunk)
    elif way == 13 and len(member.chunks) > 1:
        r.shuffle(member.chunks)
    elif way == 14:
        member.end = not member.end
    elif way == 15:
        at = r.randrange(len(members))
        members[at:at] = wire.copied([r.choice(members)]) * r.choice((1, 1, 2, 60))
    elif len(members) > 1:
        del members[r.randrange(len(members))]


class ContainerTarget(FileTarget):
    """Everything around the blocks, in every way of reading."""

    name = "container"
    share = 30.0
    limit = 32 * MEBI
    believes = 0.4
    ways = (WHOLE, PIECES, FORWARD, SEEKING, SEEKING, INSPECT)

    def made(self) -> list[list[Member]]:
        short, long = solo("store", b"abc"), solo("zstd", text(1, 700), level=3)
        small = solo("zstd", b"a" * 200, level=19)
        stored = solo("store", text(2, 300))
        named = {"name": "note.txt", "mode": 0o644, "mtime_ns": 1_600_000_000_000_000_000}
        blocks = joined([stored, long, small, short])
        full = joined([long, stored, long], content_size=1700, kind="tar", **named)
        hidden = joined([long, small])
        hidden.chunks.insert(1, Chunk(0x90, b"optional"))
        empty = Member(flags=0)
        many = joined([short] * 60)
        return [[short], [long], [blocks], [full], [hidden], [blocks, empty, short, full], [many]]

    def change(self, r: Random, members: list[Member]) -> None:
        chunks = [chunk for member in members for chunk in member.chunks if chunk.type == BLOCK]
        if chunks and r.random() < 0.35:
            change_block(r, r.choice(chunks), self.chunks)
        elif chunks and r.random() < 0.2:
            chunk = r.choice(chunks)
            chunk.payload = self.payload(r, chunk)
        else:
            change_container(r, members, self.chunks)


class SalvageTarget(ContainerTarget):
    """What is saved of damaged files: only blocks of the seeds, all that can be read, and a fault for the rest."""

    name = "salvage"
    share = 8.0
    believes = 0.0  # every block stands under its own check
    ways = (WHOLE, SEEKING)

    def mutation(self, r: Random) -> bytes:
        case = super().mutation(r)
        way = r.random()
        if way < 0.25:
            return case[: r.randrange(1, len(case) + 1)]
        if way < 0.5:
            start = r.randrange(1, len(case) + 1)
            return case[:start] + case[start + r.randrange(1, 300) :]
        if way < 0.7:
            start = r.randrange(1, len(case) + 1)
            return case[:start] + r.randbytes(r.randrange(1, 300)) + case[start:]
        return case

    def run(self, case: bytes) -> str:
        data, unplaced = case[1:], case[0] >> WAY == SEEKING
        limits = {"max_memory": self.limit, "max_output_size": self.most}
        saved = Salvage(io.BytesIO(data), lost="gaps", unplaced=unplaced, **limits)  # type: ignore[arg-type]
        blocks = list(saved)
        if any(block not in self.known for block in blocks):
            raise Wrong("wrong bytes of a block under its own check")
        try:
            whole = nzip.decompress(data, **limits)
        except CorruptError:
            if not saved.faults:
                raise Wrong("a damaged file is saved without a fault") from None
            content, faults = nzip.salvage(data, unplaced=unplaced, **limits)  # type: ignore[arg-type]
            if len(content) < saved.size or len(faults) != len(saved.faults):
                raise Wrong("zeros change more than what is lost") from None
            return ANY
        if saved.faults or b"".join(blocks) != whole:
            raise Wrong("a sound file is not saved as it is")
        return RIGHT


class ZstdTarget(FileTarget):
    name = "zstd"
    share = 10.0
    limit = 32 * MEBI

    def made(self) -> list[list[Member]]:
        raws = (text(1, 900), b"ab" * 500, table(2, 3000), b"\0" * 4000)
        return [[solo("zstd", raw, level=level)] for raw in raws for level in (1, 19)]


class MidicothTarget(FileTarget):
    name = "midicoth"
    share = 6.0
    limit = 48 * MEBI

    def made(self) -> list[list[Member]]:
        raws = (text(1, 500), text(2, 90), table(3, 600), b"abcabcabd" * 40, bytes(range(256)) * 2)
        return [[solo("midicoth", raw, bits=bits)] for raw in raws for bits in (10, 16)]


class EnginesTarget(FileTarget):
    """Each row of the table of engines that needs nothing beside it."""

    name = "engines"
    share = 6.0
    limit = 160 * MEBI

    def made(self) -> list[list[Member]]:
        from models.cases import CASES

        seeds = []
        for case in CASES:
            if case.needs_more or case.engine == "store":
                continue
            for raw in (case.blocks()[about] for about in ("records", "text")):
                fitted = case.coder.fit(case.params, len(raw))
                if case.coder.memory(fitted, len(raw)) < self.limit // 2:
                    with suppress(LargerError):  # text as numbers
                        seeds.append([solo(case.engine, raw, **case.params)])
        return seeds


class LmTarget(FileTarget):
    """The language model of `tiny_llama`, with every single byte as a token, or most of them."""

    name = "lm"
    share = 2.0
    limit = 512 * MEBI

    def made(self) -> list[list[Member]]:
        import tiny_llama

        from nzip.models.lm import loading, model
        from nzip.models.lm.vocabulary import Vocabulary

        pieces = [b" the", *(bytes([value]) for value in range(1, tiny_llama.CONFIG.vocab))]
        loading.use(model.LanguageModel("tiny", tiny_llama.model(), "00", Vocabulary(pieces, {})))
        raws = [text(1, 90), b"no token for these: xyz {|}" * 3]
        seeds = [
            [lm_member(raw, streams=streams, window=window, mix=mix)]
            for raw in raws
            for streams, window, mix in ((1, 32, 0), (2, 48, 1), (7, 32, 1))
        ]
        seeds.append([lm_member(text(3, 40), binary=table(1, 120), streams=2, window=32, mix=1)])
        seeds.append([lm_member(text(4, 30), binary=bytes(range(60)), streams=1, window=32, mix=0)])
        return seeds

    def payload(self, r: Random, chunk: Chunk) -> bytes:
        if r.random() < 0.4:
            return super().payload(r, chunk)
        reader = Reader(chunk.payload)
        try:
            runs = [reader.uleb() for _ in range(reader.uleb())]
        except CorruptError:
            return super().payload(r, chunk)
        rest = chunk.payload[reader.pos :]
        way = r.randrange(5)
        if way == 0 and runs:
            at = r.randrange(len(runs))
            runs[at] = mutate.number(r, runs[at])
        elif way == 1:
            at = r.randrange(len(runs) + 1)
            runs[at:at] = [0] * r.choice((1, 2, 30))
        elif way == 2 and len(runs) > 1:
            a, b = r.randrange(len(runs)), r.randrange(len(runs))
            step = r.randrange(5)
            runs[a], runs[b] = runs[a] + step, max(0, runs[b] - step)
        elif way == 3:
            rest = mutate.octets(r, rest[:8], rounds=1) + rest[8:]
        else:
            rest = mutate.octets(r, rest)
        count = len(runs) if r.random() < 0.9 else mutate.number(r, len(runs))
        return uleb(count) + b"".join(map(uleb, runs)) + rest


def lm_member(raw: bytes, binary: bytes = b"", **params: int) -> Member:
    """Return a member of a block whose payload is made by the engine's own parts, however long it is.

    A random model gives payloads that are longer than the text, and such a block would be refused: the text is taken
    to be of as many bytes as it needs by a run of binary data behind it, or by what pads it.
    """
    from nzip.models.lm import engine as binary_runs
    from nzip.models.lm import loading
    from nzip.models.lm.streams import encode_text

    kind = ENGINES.by_name("lm")
    language = loading.by_name("tiny")
    fitted = kind.fit({"model": "tiny", **params}, len(raw) + len(binary))
    for padding in (0, 1 << 8, 1 << 10, 1 << 11, 1 << 12):
        behind = binary + bytes(padding)
        payloads = encode_text(language, raw, min(fitted["streams"], len(raw)), fitted["window"], bool(fitted["mix"]))
        runs = [len(raw), len(behind)] if behind else [len(raw)]
        head = uleb(len(runs)) + b"".join(map(uleb, runs))
        if behind:
            cm = ENGINES.by_name("cm")
            chosen = cm.fit({"preset": binary_runs.BINARY_PRESET}, len(behind))
            coded = cm.encode(behind, chosen)
            packed = cm.pack(chosen)
            head += bytes((1, len(packed))) + packed + uleb(len(coded)) + coded
        payload = head + b"".join(uleb(len(part)) for part in payloads) + b"".join(payloads)
        whole = raw + behind
        if len(payload) <= len(whole):
            break
    return member_of(kind, fitted, whole, payload)


class TransformTarget(FileTarget):
    """Every transform, alone and in chains, before a fast engine."""

    name = "transforms"
    share = 12.0
    limit = 32 * MEBI

    def made(self) -> list[list[Member]]:
        from formats.transforms.cases import CASES

        chains: list[tuple[bytes, list[tuple[str, dict[str, int]]]]] = [
            *((case.block[:1500], [(name, case.good[-1])]) for name, case in CASES.items()),
            (table(1, 600), [("delta", {"stride": 12, "width": 4})]),
            (table(2, 601), [("delta", {"stride": 6, "width": 3, "big": 1, "offset": 5}), ("shuffle", {"width": 3})]),
            (table(3, 333), [("shuffle", {"width": 12, "offset": 7})]),
            (code(4, 700), [("x86", {})]),
            (code(5, 400), [("x86", {"jcc": 0}), ("shuffle", {"width": 2}), ("delta", {}), ("delta", {})]),
            (b"ab" * 70, [("shuffle", {"width": 255})]),
            (text(6, 300) + table(6, 400) + code(6, 500), [("parts", {"plan": PLAN})]),
        ]
        return [[transformed(raw, chain, engine)] for raw, chain in chains for engine in ("zstd", "cmfast")]

    def change(self, r: Random, members: list[Member]) -> None:
        chunk = r.choice(r.choice(members).chunks) if all(m.chunks for m in members) else None
        if chunk is None or r.random() < 0.4:
            super().change(r, members)
        else:
            change_transforms(r, chunk)


def transformed(raw: bytes, chain: list[tuple[str, dict[str, int]]], engine: str) -> Member:
    """Return a member of a block with a chain of transforms."""
    coded, specs = raw, []
    for name, params in chain:
        kind = TRANSFORMS.by_name(name)
        coded = kind.forward(coded, params)
        specs.append((kind.id, kind.version, kind.pack(params), len(coded)))
    kind_ = ENGINES.by_name(engine)
    params_ = kind_.fit({"level": 3} if engine == "zstd" else {"bits": 12}, len(coded))
    payload = kind_.encode(coded, params_)
    return member_of(kind_, params_, raw, payload, len(coded), flags=TRANSFORMED, transforms=specs)


TARGETS = [
    ContainerTarget,
    SalvageTarget,
    ZstdTarget,
    MidicothTarget,
    EnginesTarget,
    LmTarget,
    TransformTarget,
]
