"""Files with deflate streams in them, made field by field, so that any field can be odd."""

from __future__ import annotations

import random
import struct
import zlib
from typing import NamedTuple

from nzip.registry import OPENERS


def deflated(plain: bytes, level: int = 6) -> bytes:
    """Return a raw deflate stream, as zlib makes it at a level, whatever zlib there is."""
    made: bytes = OPENERS.by_name("deflate").close_within(plain, bytes((level,)), 1 << 24)
    return made


def zlib_of(plain: bytes, header: bytes = b"\x78\x9c") -> bytes:
    return header + deflated(plain) + struct.pack(">I", zlib.adler32(plain))


def gzip_of(plain: bytes, header: bytes = b"\x1f\x8b\x08\0\0\0\0\0\0\x03") -> bytes:
    return header + deflated(plain) + struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)


def words(count: int, seed: int = 1) -> bytes:
    """Return text that deflates well."""
    draw = random.Random(seed)
    vocabulary = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 7))) for _ in range(40)]
    return " ".join(draw.choices(vocabulary, k=count)).encode()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def image_header(columns: int, rows: int, depth: int = 8, colour: int = 2, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, interlaced))


def png_of(plain: bytes, header: bytes, size: int = 0, others: bytes = b"") -> bytes:
    """Return a PNG file with these filtered rows, in chunks of `size` bytes."""
    stream = zlib_of(plain)
    size = size or len(stream)
    pieces = b"".join(chunk(b"IDAT", stream[at : at + size]) for at in range(0, len(stream), size))
    return b"\x89PNG\r\n\x1a\n" + header + others + pieces + chunk(b"IEND", b"")


def apng_of(frames: list[bytes], header: bytes, columns: int, rows: int, size: int) -> bytes:
    """Return an animated PNG file with these frames, the first of which is the picture."""
    out, number = b"\x89PNG\r\n\x1a\n" + header + chunk(b"acTL", struct.pack(">II", len(frames), 0)), 0
    for index, plain in enumerate(frames):
        place = struct.pack(">IIIIIHHBB", number, columns, rows, 0, 0, 1, 10, 0, 0)
        out += chunk(b"fcTL", place)
        number += 1
        stream = zlib_of(plain)
        for at in range(0, len(stream), size):
            if index:
                out += chunk(b"fdAT", struct.pack(">I", number) + stream[at : at + size])
                number += 1
            else:
                out += chunk(b"IDAT", stream[at : at + size])
    return out + chunk(b"IEND", b"")


class Member(NamedTuple):
    """A member of an archive; what is None follows from the rest."""

    name: bytes
    plain: bytes
    method: int = 8
    flags: int = 0
    time: int = 0x58211234
    extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    descriptor: str = ""  # how check and sizes are packed behind the data, with "word" before it where a word is
    data: bytes | None = None
    check: int | None = None
    unstated: bool = False
    between: bytes = b""
    outer: int = 0


def zip_of(members: list[Member], comment: bytes = b"", base: int = 0, order: list[int] | None = None) -> bytes:
    """Return an archive."""
    out, entries = b"", []
    for each in members:
        data = each.data if each.data is not None else deflated(each.plain) if each.method == 8 else each.plain
        check = zlib.crc32(each.plain) if each.check is None else each.check
        flags = each.flags | (8 if each.descriptor else 0)
        facts = check, len(data), len(each.plain)
        local = (0, 0, 0) if each.descriptor else (check, 0xFFFFFFFF, 0xFFFFFFFF) if each.unstated else facts
        fixed = struct.pack("<HHHI", 20, flags, each.method, each.time)
        lengths = struct.pack("<HH", len(each.name), len(each.extra))
        start = len(out)
        out += b"PK\3\4" + fixed + struct.pack("<III", *local) + lengths + each.name + each.extra + data
        if each.descriptor:
            out += b"PK\7\x08" if each.descriptor.startswith("word") else b""
            out += struct.pack(each.descriptor.removeprefix("word"), *facts)
        out += each.between
        entry = b"PK\1\2" + struct.pack("<H", 0x314) + fixed + struct.pack("<III", *facts)
        entry += struct.pack("<HHHHHII", len(each.name), len(each.central_extra), len(each.comment), 0, 0, each.outer,
                             base + start)  # fmt: skip
        entries.append(entry + each.name + each.central_extra + each.comment)
    directory = b"".join(entries[k] for k in (order or range(len(entries))))
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), base + len(out), len(comment))
    return out + directory + b"PK\5\6" + end + comment
