"""An independent reader of nzip files, written from docs/reference/FORMAT.md alone.

It shares no code with the package and prefers plainness to speed: the whole file is in memory, one function for each
section of the document. It reads a file in two ways, from the front (`decode`) and from the end through the End
chunks (`decode_backwards`), and knows the engines `store` and `zstd`; other engines and the transforms are given by
the caller as functions of (payload, size, params, version).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import xxhash
import zstandard

Function = Callable[[bytes, int, bytes, int], bytes]


class Corrupt(Exception):
    """What the document calls *corrupt*."""


class Unsupported(Exception):
    """What the document calls *unsupported*."""


@dataclass
class Block:
    """Section 2.3, with the raw bytes."""

    offset: int
    size: int
    engine: int
    engine_version: int
    memory: int
    params: bytes
    transforms: list[tuple[int, int, bytes, int]]
    raw_size: int
    header_check: int
    check: int
    payload: bytes
    literal_size: int
    copies_size: int
    gap: int = 0


@dataclass
class Member:
    """Section 2: a header, blocks, and unless it is solo an End."""

    offset: int
    size: int = 0
    solo: bool = False
    header_size: int = 0
    fields: dict[int, bytes] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    content_check: int | None = None
    table: bytes | None = None


# Section 1: conventions.


class Cursor:
    """Reads the integer types of section 1; running out of bytes is *corrupt*."""

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None):
        self.data, self.pos, self.end = data, pos, len(data) if end is None else end

    def take(self, count: int) -> bytes:
        if self.pos + count > self.end:
            raise Corrupt("out of bytes")
        self.pos += count
        return self.data[self.pos - count : self.pos]

    def unsigned(self, count: int) -> int:
        return sum(byte << 8 * place for place, byte in enumerate(self.take(count)))

    def uleb(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.unsigned(1)
            value |= (byte & 127) << shift
            if value >= 1 << 63 or shift > 56:
                raise Corrupt("uleb of 2^63 or more")
            if not byte & 128:
                if byte == 0 and shift > 0:
                    raise Corrupt("uleb not in its shortest form")
                return value
            shift += 7


def uleb_bytes(value: int) -> bytes:
    """Return the uleb of `value`."""
    if value < 128:
        return bytes([value])
    return bytes([value & 127 | 128]) + uleb_bytes(value >> 7)


def xxh3(data: bytes, seed: int = 0) -> int:
    """Return XXH3(data, seed)."""
    return xxhash.xxh3_64(data, seed=seed).intdigest()


def crc16(data: bytes) -> int:
    """Return CRC16(data), bit by bit."""
    register = 0xFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            feedback = (register >> 15) ^ (byte >> bit & 1)
            register = (register << 1) & 0xFFFF
            if feedback:
                register ^= 0x1021
    return register


def memory_of(code: int) -> int:
    """Return the bytes that a `Memory` byte stands for."""
    return (8 + code % 8 << code // 8) * 1024


# Section 2.1


def read_header(data: bytes, offset: int) -> Member:
    """Read the header of the member at `offset`."""
    cursor = Cursor(data, offset)
    if cursor.take(3) != bytes.fromhex("F5 6E 7A"):
        raise Corrupt("magic")
    if cursor.unsigned(1) != 1:
        raise Unsupported("version")
    flags = cursor.unsigned(1)
    fields = b""
    if flags & 2:
        size = cursor.uleb()
        fields = cursor.take(size)
        if size == 0:
            raise Corrupt("Fields_Size is at least 1")
    covered = data[offset : cursor.pos]
    if cursor.unsigned(4) != xxh3(covered) % 2**32:
        raise Corrupt("header check")
    if cursor.pos - offset > 65536:
        raise Corrupt("header too long")
    if flags & 0b111000:
        raise Unsupported("reserved header flag")
    if flags & 4:
        raise Unsupported("a short member, whose engines are given no primer here")
    member = Member(offset, solo=bool(flags & 1), header_size=cursor.pos - offset)
    inner, last = Cursor(fields), -1
    while inner.pos < inner.end:
        tag = inner.unsigned(1)
        if tag % 128 <= last:
            raise Corrupt("tags not ascending")
        last = tag % 128
        value = inner.take(inner.uleb())
        check_field(tag, value, member.solo)
        member.fields[tag] = value
    return member


def check_field(tag: int, value: bytes, solo: bool) -> None:
    """Hold a field against the table of section 2.1."""
    whole = Cursor(value)
    if tag == 0x81:
        try:
            name = value.decode("utf-8")
        except UnicodeDecodeError:
            raise Corrupt("name") from None
        if not 1 <= len(value) <= 4096 or name in (".", "..") or set(name) & set("/\\\x7f") or min(name) < " ":
            raise Corrupt("name")
        return
    if tag == 0x82:
        if whole.uleb() > 0o7777:
            raise Corrupt("mode")
    elif tag == 0x83:
        whole.take(8)
    elif tag == 0x84:
        if solo:
            raise Corrupt("Content_Size with Solo")
        whole.uleb()
    elif tag == 0x85:
        whole.take(1)
    elif tag == 0x06:
        if solo or not 1 <= whole.unsigned(1) <= 40:
            raise Corrupt("Reach")
    elif tag < 0x80:
        raise Unsupported("required field")
    else:
        return
    if whole.pos != whole.end:
        raise Corrupt("field has another size than its type")


# Section 2.3


def read_block(data: bytes, offset: int) -> Block:
    """Read the block whose chunk starts at `offset`."""
    cursor = Cursor(data, offset)
    if cursor.unsigned(1) != 1:
        raise Corrupt("no block")
    body_size = cursor.uleb()
    end = cursor.pos + body_size
    flags, engine = cursor.unsigned(1), cursor.unsigned(1)
    version, memory, params = 1, 0, b""
    if engine != 0:
        version, memory = cursor.unsigned(1), memory_of(cursor.unsigned(1))
        params = cursor.take(cursor.unsigned(1))
    transforms = []
    if flags & 1:
        count = cursor.unsigned(1)
        if not 1 <= count <= 4:
            raise Corrupt("transform count")
        for _ in range(count):
            id_, tversion = cursor.unsigned(1), cursor.unsigned(1)
            tparams = cursor.take(cursor.unsigned(1))
            transforms.append((id_, tversion, tparams, cursor.uleb()))
    raw_size = literal_size = cursor.uleb()
    copies_size = 0
    if flags & 2:
        literal_size, copies_size = cursor.uleb(), cursor.uleb()
    if flags & 4:
        cursor.uleb(), cursor.uleb()
    covered = data[offset : cursor.pos]
    header_check = cursor.unsigned(2)
    if header_check != crc16(covered):
        raise Corrupt("block header check")
    check = cursor.unsigned(8)
    if flags & 0b110000:
        raise Unsupported("reserved block flag")
    if flags & 0b001100:
        raise Unsupported("a block that reads an old file or a primer, which are not given here")
    if cursor.pos > end:
        raise Corrupt("the body ends inside the block header")
    if raw_size > 2**30 or not all(1 <= size <= 2**31 for *_, size in transforms):
        raise Corrupt("sizes")
    payload_size = end - cursor.pos
    coded = payload_size - copies_size
    if payload_size > raw_size or not 0 <= coded <= literal_size or (engine == 0 and transforms):
        raise Corrupt("payload size")
    if (engine == 0 and coded != literal_size) or (flags & 2 and (literal_size >= raw_size or copies_size == 0)):
        raise Corrupt("payload size")
    if literal_size == 0 and engine != 0:
        raise Corrupt("an empty block is stored")
    payload = cursor.take(payload_size)
    return Block(
        offset,
        end - offset,
        engine,
        version,
        memory,
        params,
        transforms,
        raw_size,
        header_check,
        check,
        payload,
        literal_size,
        copies_size,
    )


def decode_zstd(payload: bytes, size: int, params: bytes, version: int) -> bytes:
    """Section 3, engine 1."""
    if len(params) != 2 or not 1 <= params[0] <= 22 or not 10 <= params[1] <= 30:
        raise Corrupt("zstd parameters")
    if payload[:1] != b"\0":
        raise Corrupt("the frame states its content size, a checksum or a dictionary")
    # The magic number is put back, so that an ordinary Zstandard reader reads the frame.
    reader = zstandard.ZstdDecompressor(max_window_size=2 ** params[1]).decompressobj()
    try:
        out = reader.decompress(bytes.fromhex("28 B5 2F FD") + payload)
    except zstandard.ZstdError as error:
        raise Corrupt(f"zstd frame: {error}") from None
    if not reader.eof or reader.unused_data:
        raise Corrupt("not one whole zstd frame")
    return out


def literals_of(block: Block, engines: Mapping[int, Function], transforms: Mapping[int, Function]) -> bytes:
    """Return the literals of a block: section 2.3, "Decoding"."""
    payload = block.payload[block.copies_size :]
    sizes = [block.literal_size] + [size for *_, size in block.transforms]
    if block.engine == 0:
        data = payload
    elif block.engine == 1 and block.engine_version == 1:
        if len(block.params) == 2 and 2 ** min(block.params[1], 40) + (320 << 10) > block.memory:
            raise Corrupt("memory")
        data = decode_zstd(payload, sizes[-1], block.params, block.engine_version)
    elif block.engine in engines:
        data = engines[block.engine](payload, sizes[-1], block.params, block.engine_version)
    else:
        raise Unsupported(f"engine {block.engine} version {block.engine_version}")
    if len(data) != sizes[-1]:
        raise Corrupt("engine gave another size")
    for number in reversed(range(len(block.transforms))):
        id_, version, params, _ = block.transforms[number]
        if id_ not in transforms:
            raise Unsupported(f"transform {id_}")
        data = transforms[id_](data, sizes[number], params, version)
    if len(data) != block.literal_size or xxh3(data, xxh3(block.payload, block.header_check)) != block.check:
        raise Corrupt("block check")
    return data


# Section 2.6


def put_copies(block: Block, literals: bytes, earlier: list[bytes]) -> bytes:
    """Return the raw bytes of a block, `earlier` being the literals of each block before it in the member."""
    if block.copies_size == 0:
        return literals
    cursor = Cursor(block.payload, 0, block.copies_size)
    content_check, count, form = cursor.unsigned(8), cursor.uleb(), cursor.unsigned(1)
    columns = cursor.take(cursor.end - cursor.pos)
    most = 9 * (5 * count + 4)
    if not 1 <= count <= max(1, block.raw_size // 64) or form > 1:
        raise Corrupt("Count")
    if form == 1:
        window = 10
        while 2**window < most:
            window += 1
        columns = decode_zstd(columns, most, bytes((1, window)), 1)
        if len(columns) > most:
            raise Corrupt("Columns")
    cursor = Cursor(columns)
    sizes = [cursor.uleb() for _ in range(4)]
    gaps, lengths, kinds, sources = (Cursor(cursor.take(size)) for size in sizes)
    offsets = Cursor(cursor.take(cursor.end - cursor.pos))
    before = b"".join(earlier)
    out, place, streams = b"", 0, []
    for _ in range(count):
        gap, length, kind, source = gaps.uleb(), lengths.uleb(), kinds.uleb(), sources.uleb()
        if kind == 4:
            back, offset = source, offsets.uleb()
            streams = streams[:3]
        elif kind < len(streams):
            back, offset = streams.pop(kind)
            offset += source // 2 if source % 2 == 0 else -(source + 1) // 2
        else:
            raise Corrupt("Stream")
        streams.insert(0, (back, offset + length))
        out += literals[place : place + gap]
        place += gap
        if length == 0 or place > len(literals) or back > len(earlier) or offset < 0:
            raise Corrupt("a copy")
        own = [*earlier, literals][len(earlier) - back]
        start = sum(map(len, earlier[: len(earlier) - back])) + offset
        known = before + literals[:place]
        if (back > 0 and offset >= len(own)) or start + length > len(known):
            raise Corrupt("the source of a copy")
        out += known[start : start + length]
    out += literals[place:]
    if any(column.pos != column.end for column in (gaps, lengths, kinds, sources, offsets)):
        raise Corrupt("a column")
    if len(out) != block.raw_size or xxh3(out) != content_check:
        raise Corrupt("Content_Check")
    return out


def raws_of(member: Member, engines: Mapping[int, Function], transforms: Mapping[int, Function]) -> list[bytes]:
    """Return the raw bytes of each block of a member."""
    earlier, raws = [], []
    for block in member.blocks:
        literals = literals_of(block, engines, transforms)
        raws.append(put_copies(block, literals, earlier))
        earlier.append(literals)
    return raws


# Section 2.4


def read_end(data: bytes, offset: int) -> tuple[int, list[tuple[int, int, int]], int, int, int]:
    """Return Header_Size, the index, Gap, Content_Check and the size of the End chunk at `offset`."""
    cursor = Cursor(data, offset)
    if cursor.unsigned(1) != 2:
        raise Corrupt("no End chunk")
    body_size = cursor.uleb()
    end = cursor.pos + body_size
    if end > len(data):
        raise Corrupt("the End chunk is cut off")
    cursor.end = end
    header_size = cursor.uleb()
    count = cursor.uleb()
    if count > 2**28:
        raise Corrupt("block count")
    index = []
    for _ in range(count):
        index.append((cursor.uleb(), cursor.uleb(), cursor.uleb()))
    gap = cursor.uleb()
    content_check = cursor.unsigned(8)
    covered = data[offset : cursor.pos]
    if cursor.unsigned(4) != xxh3(covered) % 2**32:
        raise Corrupt("End_Check")
    if cursor.unsigned(4) != end - offset or cursor.take(4) != bytes.fromhex("01 7A 6E F5") or cursor.pos != end:
        raise Corrupt("trailer")
    return header_size, index, gap, content_check, end - offset


# Section 2, from the front


def read_members(data: bytes) -> list[Member]:
    """Split a file into members and blocks and check all that can be checked without decoding."""
    members, offset = [], 0
    while offset < len(data) or not members:
        member = read_member(data, offset)
        members.append(member)
        offset += member.size
    return members


def read_member(data: bytes, offset: int) -> Member:
    """Read the member at `offset`, chunk by chunk."""
    member = read_header(data, offset)
    position, gap = offset + member.header_size, 0
    if member.solo:
        block = read_block(data, position)
        member.blocks.append(block)
        member.size = position + block.size - offset
        return member
    while True:
        cursor = Cursor(data, position)
        kind = cursor.unsigned(1)
        if kind == 0:
            raise Corrupt("chunk type 0")
        if kind == 1:
            block = read_block(data, position)
            if block.raw_size == 0:
                raise Corrupt("an empty block outside a solo member")
            block.gap, gap = gap, 0
            member.blocks.append(block)
            position += block.size
        elif kind == 2:
            header_size, index, last_gap, member.content_check, size = read_end(data, position)
            if (
                header_size != member.header_size
                or index != [(block.gap, block.size, block.raw_size) for block in member.blocks]
                or last_gap != gap
            ):
                raise Corrupt("the index is not what was found")
            if 0x84 in member.fields:
                stated = Cursor(member.fields[0x84]).uleb()
                if stated != sum(block.raw_size for block in member.blocks):
                    raise Corrupt("Content_Size")
            member.size = position + size - offset
            return member
        elif kind < 0x80:
            raise Unsupported("required chunk")
        else:
            size = cursor.uleb()
            if kind == 0x81:
                member.table = checked_table(data, position, cursor.pos, size)
            cursor.take(size)
            gap += cursor.pos - position
            position = cursor.pos


# Section 2.5


def checked_table(data: bytes, start: int, body: int, size: int) -> bytes:
    """Return the member that an Entries chunk at `start` holds, whose body of `size` bytes begins at `body`."""
    end = body + size
    if not 4 <= size <= 1 << 26 or end > len(data):
        raise Corrupt("Entries")
    if int.from_bytes(data[end - 4 : end], "little") != xxh3(data[start : end - 4]) % (1 << 32):
        raise Corrupt("Entries_Check")
    return data[body : end - 4]


def read_entries(table: bytes) -> list[tuple[str, int, int, int, int, str, int, int]]:
    """Return name, kind, mode, time, size, target, bytes of headers and place of each entry in a table's raw bytes."""
    cursor = Cursor(table)
    count = cursor.uleb()
    if count > (len(table) - cursor.pos) / 6:
        raise Corrupt("Count")
    kinds = [cursor.unsigned(1) for _ in range(count)]
    shared, modes, steps, headers = ([cursor.uleb() for _ in range(count)] for _ in range(4))
    sizes = [cursor.uleb() if kind == 0 else 0 for kind in kinds]
    rests = [word(cursor) for _ in range(count)]
    targets = [word(cursor) if kind in (2, 3) else b"" for kind in kinds]
    if cursor.pos != len(table) or any(kind > 3 for kind in kinds):
        raise Corrupt("Entries")
    found, name, time, place = [], b"", 0, 0
    for number in range(count):
        if shared[number] > len(name) or modes[number] > 0o7777 or not 1 <= headers[number] <= 1 << 26:
            raise Corrupt("Entries")
        name = name[: shared[number]] + rests[number]
        time += steps[number] // 2 if steps[number] % 2 == 0 else -(steps[number] + 1) // 2
        if not 1 <= len(name) <= 4096 or len(targets[number]) > 4096 or abs(time) >= 1 << 63:
            raise Corrupt("Entries")
        texts = [raw.decode("utf-8", "surrogateescape") for raw in (name, targets[number])]
        taken = headers[number] * 512
        found.append((texts[0], kinds[number], modes[number], time, sizes[number], texts[1], taken, place))
        place += taken + (sizes[number] + 511) // 512 * 512
        if place >= 1 << 63:
            raise Corrupt("Entries")
    return found


def word(cursor: Cursor) -> bytes:
    """Return the bytes up to the next zero."""
    found = b""
    while (byte := cursor.take(1)) != b"\0":
        found += byte
    return found


def decode(data: bytes, engines: Mapping[int, Function] = {}, transforms: Mapping[int, Function] = {}) -> bytes:
    """Return the raw bytes of a file, reading it from the front."""
    out = []
    for member in read_members(data):
        raw = b"".join(raws_of(member, engines, transforms))
        if member.content_check is not None and member.content_check != xxh3(raw):
            raise Corrupt("Content_Check")
        out.append(raw)
    return b"".join(out)


# Section 2.4, "Random access"


def read_places(data: bytes) -> list[tuple[int, int, int]] | None:
    """Return offset, chunk size and raw size of every block, from the end; None where that is not possible."""
    position, found = len(data), []
    while position > 0:
        if position < 8 or data[position - 4 : position] != bytes.fromhex("01 7A 6E F5"):
            return None
        size = int.from_bytes(data[position - 8 : position - 4], "little")
        if size > position:
            return None
        try:
            header_size, index, gap, _, end_size = read_end(data[:position], position - size)
            start = position - header_size - sum(g + c for g, c, _ in index) - gap - end_size
            if start < 0 or end_size != size:
                return None
            header = read_header(data, start)
        except (Corrupt, Unsupported):
            return None
        if header.solo or header.header_size != header_size:
            return None
        places, offset = [], start + header_size
        for before, chunk_size, raw_size in index:
            places.append((offset + before, chunk_size, raw_size))
            offset += before + chunk_size
        found.append(places)
        position = start
    return [place for places in reversed(found) for place in places]


def decode_backwards(
    data: bytes,
    engines: Mapping[int, Function] = {},
    transforms: Mapping[int, Function] = {},
) -> bytes | None:
    """Return the raw bytes through the End chunks alone, or None when the file has to be read from the front."""
    places = read_places(data)
    if places is None:
        return None
    out, earlier, end = [], [], 0
    for offset, chunk_size, raw_size in places:
        if offset != end:  # a header stands between
            earlier = []
        end = offset + chunk_size
        block = read_block(data, offset)
        if (block.size, block.raw_size) != (chunk_size, raw_size):
            raise Corrupt("the index is not what was found")
        literals = literals_of(block, engines, transforms)
        out.append(put_copies(block, literals, earlier))
        earlier.append(literals)
    return b"".join(out)
