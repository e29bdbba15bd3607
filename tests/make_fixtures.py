"""Makes tests/good, tests/bad and tests/unsupported: small files built field by field after docs/reference/FORMAT.md.

The builder is independent of nzip's writer, so that it can also write what nzip never would. Every file is one entry of
the tables below; the README of each folder is written from them.

    python tests/make_fixtures.py            write the files and the READMEs
    python tests/make_fixtures.py --check    compare them with what is there
"""

from __future__ import annotations

import binascii
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import xxhash

HERE = Path(__file__).parent
MAGIC, TRAILER = b"\xf5nz", b"\x01zn\xf5"
SOLO, FIELDS = 1, 2


@dataclass(frozen=True)
class Fixture:
    """One file: its bytes, one line on what it is, and for a good one its content."""

    data: bytes
    about: str
    content: bytes | None = None
    headers: bool = True  # the fault shows in the headers, so that inspect() reports it too


# The builder


def xxh3(data: bytes, seed: int = 0) -> int:
    return xxhash.xxh3_64_intdigest(data, seed=seed)


def uleb(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def field(tag: int, value: bytes) -> bytes:
    return bytes([tag]) + uleb(len(value)) + value


def header(
    flags: int = 0,
    fields: bytes | None = None,
    *,
    version: int = 1,
    fields_size: bytes | None = None,
    spoil: int = 0,
) -> bytes:
    """A header with a right check; `spoil` is XORed into the check."""
    out = MAGIC + bytes([version, flags | (FIELDS if fields is not None else 0)])
    if fields is not None:
        out += (uleb(len(fields)) if fields_size is None else fields_size) + fields
    return out + struct.pack("<I", xxh3(out) & 0xFFFFFFFF ^ spoil)


def block(
    raw: bytes,
    payload: bytes | None = None,
    *,
    engine: int = 0,
    version: int = 1,
    memory: int = 0x2B,
    params: bytes = b"\x03\x0a",
    flags: int = 0,
    transforms: bytes = b"",
    raw_size: int | None = None,
    body_size: int | None = None,
    spoil_header: int = 0,
    spoil_check: int = 0,
    seeded: bool = True,
) -> bytes:
    """A block chunk with right checks. Without `payload` the raw bytes are the payload."""
    payload = raw if payload is None else payload
    head = bytes([flags, engine])
    if engine:
        head += bytes([version, memory, len(params)]) + params
    head += transforms + uleb(len(raw) if raw_size is None else raw_size)
    size = len(head) + 10 + len(payload) if body_size is None else body_size
    head = b"\x01" + uleb(size) + head
    crc = binascii.crc_hqx(head, 0xFFFF)
    check = xxh3(raw, seed=xxh3(payload, seed=crc) if seeded else 0) ^ spoil_check
    return head + struct.pack("<HQ", crc ^ spoil_header, check) + payload


def transform(id_: int, version: int, params: bytes, size: int) -> bytes:
    return bytes([id_, version, len(params)]) + params + uleb(size)


def zstd_block(raw: bytes, frame: bytes, **more: object) -> bytes:
    return block(raw, frame, engine=1, **more)  # type: ignore[arg-type]


def frame(*blocks: bytes, descriptor: int = 0, window: int = 0, extra: bytes = b"") -> bytes:
    """A Zstandard frame without its magic number (RFC 8878, 3.1.1); the last block's flag is set here."""
    last = bytes([blocks[-1][0] | 1]) + blocks[-1][1:]
    start = bytes([descriptor]) + (b"" if descriptor & 0x20 else bytes([window]))
    return start + extra + b"".join(blocks[:-1]) + last


def run(byte: bytes, count: int) -> bytes:
    """An RLE block of a frame."""
    return (1 << 1 | count << 3).to_bytes(3, "little") + byte


def literal(data: bytes) -> bytes:
    """A raw block of a frame."""
    return (len(data) << 3).to_bytes(3, "little") + data


def end(
    raw: bytes,
    index: list[tuple[int, int, int]],
    *,
    header_size: int = 9,
    gap: int = 0,
    count: int | None = None,
    spoil_content: int = 0,
    spoil_end: int = 0,
    more_size: int = 0,
    more_body: int = 0,
    tail: bytes = b"",
    trailer: bytes = TRAILER,
) -> bytes:
    """An End chunk with right checks."""
    body = uleb(header_size) + uleb(len(index) if count is None else count)
    body += b"".join(uleb(a) + uleb(b) + uleb(c) for a, b, c in index)
    body += uleb(gap) + tail + struct.pack("<Q", xxh3(raw) ^ spoil_content)
    out = b"\x02" + uleb(len(body) + 12 + more_body) + body
    out += struct.pack("<I", xxh3(out) & 0xFFFFFFFF ^ spoil_end)
    return out + struct.pack("<I", len(out) + 8 + more_size) + trailer


def optional(body: bytes, kind: int = 0x80) -> bytes:
    return bytes([kind]) + uleb(len(body)) + body


def member(*parts: tuple[bytes, bytes], fields: bytes | None = None, flags: int = 0, **wrong: object) -> bytes:
    """A member with an End. A part is (chunk, raw bytes); one without raw bytes is an optional chunk."""
    start = header(flags, fields)
    index, gap, raw = [], 0, b""
    for chunk, content in parts:
        if content:
            index.append((gap, len(chunk), len(content)))
            gap = 0
        else:
            gap += len(chunk)
        raw += content
    settings: dict = {"header_size": len(start), "gap": gap} | wrong
    return start + b"".join(chunk for chunk, _ in parts) + end(raw, **{"index": index} | settings)


def solo(chunk: bytes, fields: bytes | None = None) -> bytes:
    return header(SOLO, fields) + chunk


# The files

HELLO = b"hello"
WORLD = b" world, "
A = b"a" * 200
TEXT = bytes(range(32, 127)) * 3
HELLO_PART = (block(HELLO), HELLO)
WORLD_PART = (block(WORLD), WORLD)
A_PART = (zstd_block(A, frame(run(b"a", 200))), A)
NAME, MODE, MTIME, SIZE, KIND = 0x81, 0x82, 0x83, 0x84, 0x85
ALL_FIELDS = (
    field(NAME, b"note.txt")
    + field(MODE, uleb(0o644))
    + field(MTIME, struct.pack("<q", 1_700_000_000_123_456_789))
    + field(SIZE, uleb(205))
    + field(KIND, b"\x01")
)
NESTED = member(HELLO_PART, WORLD_PART)


def named(name: bytes) -> bytes:
    return solo(block(HELLO), field(NAME, name))


GOOD = {
    "empty": Fixture(solo(block(b"")), "no content: a solo member with an empty stored block", b""),
    "empty-not-solo": Fixture(header() + end(b"", []), "no content: a header and an End without blocks", b""),
    "one-byte": Fixture(solo(block(b"\x00")), "one byte, 0", b"\x00"),
    "store": Fixture(solo(block(HELLO)), "a solo member with a stored block", HELLO),
    "store-285": Fixture(solo(block(TEXT)), "Body_Size and Raw_Size take two bytes", TEXT),
    "store-127-body": Fixture(solo(block(TEXT[:114])), "the longest body whose size takes one byte", TEXT[:114]),
    "zstd": Fixture(solo(A_PART[0]), "a solo member with a zstd block: one run", A),
    "zstd-many-blocks": Fixture(
        solo(zstd_block(A + HELLO + A, frame(run(b"a", 200), literal(HELLO), run(b"a", 200)))),
        "a zstd frame of three blocks",
        A + HELLO + A,
    ),
    "zstd-window-20": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200), window=0x50), params=b"\x16\x14", memory=0x3B)),
        "a zstd window of 1 MiB, level 22",
        A,
    ),
    "memory-overstated": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), memory=0x60)), "Memory states 32 MiB, more than is needed", A
    ),
    "two-blocks": Fixture(NESTED, "two stored blocks and an End", HELLO + WORLD),
    "two-engines": Fixture(member(HELLO_PART, A_PART, WORLD_PART), "store, zstd and store blocks", HELLO + A + WORLD),
    "one-block-not-solo": Fixture(
        member(HELLO_PART), "one block and an End, which a solo member would not need", HELLO
    ),
    "fields": Fixture(member(HELLO_PART, A_PART, fields=ALL_FIELDS), "every field of version 1", HELLO + A),
    "fields-solo": Fixture(named("Größe - 大小.txt".encode()), "a solo member with a file name of many scripts", HELLO),
    "mtime-before-1970": Fixture(
        solo(block(HELLO), field(MTIME, struct.pack("<q", -1))), "a modification time of -1 ns", HELLO
    ),
    "name-longest": Fixture(named(b"n" * 4096), "a file name of 4,096 bytes", HELLO),
    "kind-unknown": Fixture(solo(block(HELLO), field(KIND, b"\x07")), "a Kind that no version defines", HELLO),
    "field-optional-unknown": Fixture(
        solo(block(HELLO), field(NAME, b"n") + field(0xF0, b"later")), "an unknown optional field", HELLO
    ),
    "chunk-optional-unknown": Fixture(
        member(
            (optional(b"", 0x80), b""),
            (optional(b"first" * 40, 0xFF), b""),
            HELLO_PART,
            (optional(b"between", 0x9A), b""),
            WORLD_PART,
            (optional(b"behind", 0x80), b""),
        ),
        "unknown optional chunks before, between and behind the blocks",
        HELLO + WORLD,
    ),
    "unused-bits": Fixture(
        header(0xC0 | SOLO) + block(HELLO, flags=0xC0), "all unused bits set, in the header and in the block", HELLO
    ),
    "concatenated": Fixture(
        solo(block(HELLO)) + member(WORLD_PART, A_PART) + solo(A_PART[0]), "three members", HELLO + WORLD + A + A
    ),
    "concatenated-empty": Fixture(
        solo(block(b"")) + solo(block(HELLO)) + header() + end(b"", []) + solo(block(WORLD)) + solo(block(b"")),
        "empty members before, between and behind others",
        HELLO + WORLD,
    ),
    "payload-like-a-file": Fixture(
        solo(block(NESTED)), "a stored block that is itself an nzip file, and so ends as an End chunk does", NESTED
    ),
    "payload-like-a-file-behind": Fixture(
        NESTED + solo(block(NESTED)), "the same behind a member that has an End", HELLO + WORLD + NESTED
    ),
}

BAD = {
    # The header
    "no-bytes": Fixture(b"", "no bytes at all: a file has at least one member"),
    "magic-wrong": Fixture(b"\xf5nx" + solo(block(HELLO))[3:], "the third byte of the magic is wrong"),
    "magic-only": Fixture(MAGIC, "the file ends behind the magic"),
    "header-cut": Fixture(header(SOLO)[:-1], "the file ends in the header's check"),
    "header-only": Fixture(header(), "a header and nothing else"),
    "header-only-solo": Fixture(header(SOLO), "a solo header and nothing else"),
    "header-check-wrong": Fixture(header(SOLO, spoil=1) + block(HELLO), "Header_Check is off by one bit"),
    "fields-empty": Fixture(solo(block(HELLO), b""), "Fields_Present with Fields_Size 0"),
    "fields-size-huge": Fixture(
        header(SOLO, b"", fields_size=uleb(1 << 40)) + block(HELLO), "Fields_Size of 1 TiB in a file of 41 bytes"
    ),
    "fields-size-over-64k": Fixture(
        header(SOLO, b"", fields_size=uleb(65536)) + block(HELLO), "Fields_Size that makes the header too long"
    ),
    "uleb-not-shortest": Fixture(
        header(SOLO, field(NAME, b"n"), fields_size=b"\x83\x00") + block(HELLO), "Fields_Size is 3 in two bytes"
    ),
    "uleb-64-bits": Fixture(
        header(SOLO, field(NAME, b"n"), fields_size=b"\xff" * 9 + b"\x01") + block(HELLO), "Fields_Size is 2^64 - 1"
    ),
    "uleb-63-bits": Fixture(
        header(SOLO, field(NAME, b"n"), fields_size=b"\x80" * 9 + b"\x01") + block(HELLO), "Fields_Size is 2^63"
    ),
    "fields-out-of-order": Fixture(
        solo(block(HELLO), field(MODE, b"\x00") + field(NAME, b"n")), "Mode stands before Name"
    ),
    "field-twice": Fixture(solo(block(HELLO), field(NAME, b"n") * 2), "Name stands twice"),
    "field-twice-as-required": Fixture(
        solo(block(HELLO), field(NAME, b"n") + field(0x01, b"n")), "tags 0x81 and 0x01 have the same low 7 bits"
    ),
    "field-past-fields": Fixture(solo(block(HELLO), b"\x81\x05name"), "a field is longer than Fields"),
    "field-without-size": Fixture(solo(block(HELLO), field(NAME, b"n") + b"\x82"), "a tag and no size"),
    "name-empty": Fixture(named(b""), "an empty file name"),
    "name-dot": Fixture(named(b"."), "the file name `.`"),
    "name-dot-dot": Fixture(named(b".."), "the file name `..`"),
    "name-slash": Fixture(named(b"../../etc/passwd"), "a file name that is a path"),
    "name-backslash": Fixture(named(b"..\\x"), "a file name that is a path on Windows"),
    "name-control": Fixture(named(b"a\nb"), "a file name with a line break"),
    "name-nul": Fixture(named(b"a\0b"), "a file name with a NUL"),
    "name-delete": Fixture(named(b"a\x7fb"), "a file name with U+007F"),
    "name-not-utf8": Fixture(named(b"caf\xe9"), "a file name in Latin-1"),
    "name-surrogate": Fixture(named(b"\xed\xa0\x80"), "a file name with a lone surrogate"),
    "name-overlong": Fixture(named(b"\xc0\xaf"), "a file name with an overlong `/`"),
    "name-4097": Fixture(named(b"n" * 4097), "a file name of 4,097 bytes"),
    "mode-over-7777": Fixture(solo(block(HELLO), field(MODE, uleb(0o10000))), "Mode is octal 10000"),
    "mode-long": Fixture(solo(block(HELLO), field(MODE, b"\x01\x00")), "a byte behind Mode's value"),
    "mode-empty": Fixture(solo(block(HELLO), field(MODE, b"")), "Mode without a value"),
    "mode-not-shortest": Fixture(solo(block(HELLO), field(MODE, b"\x81\x00")), "Mode is 1 in two bytes"),
    "mtime-7-bytes": Fixture(solo(block(HELLO), field(MTIME, b"\0" * 7)), "Mtime has 7 bytes"),
    "mtime-9-bytes": Fixture(solo(block(HELLO), field(MTIME, b"\0" * 9)), "Mtime has 9 bytes"),
    "content-size-wrong": Fixture(
        member(HELLO_PART, fields=field(SIZE, b"\x06")), "Content_Size is 6 and the content has 5 bytes"
    ),
    "content-size-solo": Fixture(solo(block(HELLO), field(SIZE, b"\x05")), "Content_Size in a solo member"),
    "kind-two-bytes": Fixture(solo(block(HELLO), field(KIND, b"\x01\x01")), "Kind has 2 bytes"),
    # Chunks
    "chunk-type-0": Fixture(header() + b"\0\0" + end(b"", []), "a chunk of type 0"),
    "chunk-type-0-solo": Fixture(header(SOLO) + b"\0\0", "a chunk of type 0 in a solo member"),
    "chunk-optional-cut": Fixture(header() + b"\x80\x20abc", "the file ends in an optional chunk"),
    "chunk-optional-huge": Fixture(
        header() + b"\x80" + uleb((1 << 63) - 1) + b"abc", "an optional chunk of 2^63 - 1 B"
    ),
    "solo-end": Fixture(header(SOLO) + end(b"", []), "a solo member that holds an End"),
    "solo-optional": Fixture(
        header(SOLO) + optional(b"x") + block(HELLO), "a solo member that begins with an optional chunk"
    ),
    "solo-then-end": Fixture(
        solo(block(HELLO)) + end(HELLO, [(0, len(block(HELLO)), 5)]), "an End behind a solo member"
    ),
    "end-missing": Fixture(NESTED[: -len(end(HELLO + WORLD, [(0, 20, 5), (0, 23, 8)]))], "blocks without an End"),
    "byte-behind": Fixture(solo(block(HELLO)) + b"\0", "a byte behind the member"),
    "text-behind": Fixture(NESTED + b"and so on", "text behind the member"),
    "byte-between": Fixture(solo(block(HELLO)) + b"\0" + solo(block(HELLO)), "a byte between two members"),
    "second-member-cut": Fixture(solo(block(HELLO)) + NESTED[:-1], "the second member lacks its last byte"),
    # Blocks
    "block-header-check-wrong": Fixture(solo(block(HELLO, spoil_header=0x8000)), "a block's Header_Check is wrong"),
    "block-check-wrong": Fixture(solo(block(HELLO, spoil_check=1)), "a block's Check is wrong", headers=False),
    "block-check-unseeded": Fixture(
        solo(block(HELLO, seeded=False)), "a block's Check is right but for the seed", headers=False
    ),
    "block-content-wrong": Fixture(solo(block(HELLO)[:-1] + b"p"), "one bit of a stored byte is wrong", headers=False),
    "block-cut": Fixture(solo(block(HELLO))[:-1], "the last payload byte is missing"),
    "block-header-cut": Fixture(solo(block(HELLO))[:20], "the file ends in a block header"),
    "body-shorter-than-header": Fixture(solo(block(HELLO, body_size=9)), "Body_Size ends inside the block header"),
    "body-huge": Fixture(solo(block(HELLO, body_size=1 << 40)), "Body_Size of 1 TiB"),
    "raw-size-over-1g": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), raw_size=(1 << 30) + 1)), "Raw_Size of 2^30 + 1"
    ),
    "raw-size-0-not-solo": Fixture(
        header() + block(b"") + end(b"", [(0, 15, 0)]), "an empty block in a member that is not solo"
    ),
    "raw-size-0-zstd": Fixture(solo(zstd_block(b"", b"")), "an empty block of the engine zstd"),
    "store-size-short": Fixture(solo(block(HELLO, raw_size=6)), "a stored block of 5 bytes that states 6"),
    "store-size-long": Fixture(solo(block(HELLO, raw_size=4)), "a stored block of 5 bytes that states 4"),
    "store-transformed": Fixture(
        solo(block(HELLO, flags=1, transforms=b"\x01" + transform(1, 1, b"", 5))), "a stored block with a transform"
    ),
    "payload-longer": Fixture(
        solo(zstd_block(HELLO, frame(literal(HELLO)))), "the payload is longer than the raw bytes"
    ),
    "transform-count-0": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), flags=1, transforms=b"\0")), "Transformed with no transforms"
    ),
    "transform-count-5": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), flags=1, transforms=b"\5" + transform(1, 1, b"", 200) * 5)),
        "five transforms",
    ),
    "transform-size-0": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), flags=1, transforms=b"\1" + transform(99, 1, b"", 0))),
        "a transform that gave no bytes",
    ),
    "transform-size-over-2g": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), flags=1, transforms=b"\1" + transform(99, 1, b"", (1 << 31) + 1))),
        "a transform that gave 2^31 + 1 bytes",
    ),
    # The engine zstd
    "memory-understated": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), memory=0x2A)),
        "Memory states 320 KiB and 321 are needed",
        headers=False,
    ),
    "zstd-params-short": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), params=b"\x03")), "zstd parameters of one byte", headers=False
    ),
    "zstd-params-long": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), params=b"\x03\x0a\0")),
        "zstd parameters of three bytes",
        headers=False,
    ),
    "zstd-level-0": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), params=b"\x00\x0a")), "zstd level 0", headers=False
    ),
    "zstd-level-23": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), params=b"\x17\x0a")), "zstd level 23", headers=False
    ),
    "zstd-window-9": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), params=b"\x03\x09")), "zstd window 2^9", headers=False
    ),
    "zstd-window-31": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), params=b"\x03\x1f")), "zstd window 2^31", headers=False
    ),
    "zstd-window-wider": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200), window=0x08))),
        "a frame with a window of 2^11 in a block that states 2^10",
        headers=False,
    ),
    "zstd-frame-empty": Fixture(solo(zstd_block(A, b"")), "no frame", headers=False),
    "zstd-frame-cut": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200))[:-1])), "a frame without its end", headers=False
    ),
    "zstd-frame-short": Fixture(
        solo(zstd_block(A, frame(run(b"a", 199)))), "a frame of 199 bytes in a block of 200", headers=False
    ),
    "zstd-frame-long": Fixture(
        solo(zstd_block(A, frame(run(b"a", 201)))), "a frame of 201 bytes in a block of 200", headers=False
    ),
    "zstd-two-frames": Fixture(
        solo(zstd_block(A, frame(run(b"a", 100)) * 2)), "two frames of 100 bytes in a block of 200", headers=False
    ),
    "zstd-byte-behind": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)) + b"\0")), "a byte behind the frame", headers=False
    ),
    "zstd-frame-magic": Fixture(
        solo(zstd_block(A, b"\x28\xb5\x2f\xfd" + frame(run(b"a", 200)))), "a frame with its magic number", headers=False
    ),
    "zstd-content-size": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200), descriptor=0x20, extra=b"\xc8"))),
        "a frame with its content size",
        headers=False,
    ),
    "zstd-content-size-huge": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200), descriptor=0xC0, extra=struct.pack("<Q", 1 << 40)))),
        "a frame that claims a content of 1 TiB",
        headers=False,
    ),
    "zstd-checksum": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200), descriptor=0x04) + b"\0\0\0\0")),
        "a frame with a checksum",
        headers=False,
    ),
    "zstd-block-reserved": Fixture(
        solo(zstd_block(A, b"\0\0" + (1 | 3 << 1 | 200 << 3).to_bytes(3, "little") + b"a")),
        "a frame with a block of the reserved type",
        headers=False,
    ),
    # The End
    "index-chunk-size": Fixture(
        member(HELLO_PART, WORLD_PART, index=[(0, 21, 5), (0, 22, 8)]), "the index states wrong chunk sizes"
    ),
    "index-raw-size": Fixture(
        member(HELLO_PART, WORLD_PART, index=[(0, 20, 8), (0, 23, 5)]), "the index states wrong raw sizes"
    ),
    "index-gap": Fixture(
        member(HELLO_PART, WORLD_PART, index=[(0, 20, 5), (1, 22, 8)]), "the index states a gap that is not there"
    ),
    "index-last-gap": Fixture(member(HELLO_PART, WORLD_PART, gap=1), "the last Gap is wrong"),
    "index-hides-a-block": Fixture(
        member(HELLO_PART, WORLD_PART, index=[(20, 23, 8)]), "the index calls the first block a gap"
    ),
    "index-header-size": Fixture(member(HELLO_PART, WORLD_PART, header_size=8), "Header_Size is wrong"),
    "index-block-count-more": Fixture(member(HELLO_PART, WORLD_PART, count=3), "Block_Count is 3 with 2 entries"),
    "index-block-count-less": Fixture(member(HELLO_PART, WORLD_PART, count=1), "Block_Count is 1 with 2 entries"),
    "index-block-count-huge": Fixture(member(HELLO_PART, WORLD_PART, count=(1 << 63) - 1), "Block_Count is 2^63 - 1"),
    "index-empty": Fixture(member(HELLO_PART, WORLD_PART, index=[]), "the index lists no block"),
    "end-tail": Fixture(member(HELLO_PART, WORLD_PART, tail=b"\0"), "a byte more than the End's fields"),
    "end-check-wrong": Fixture(member(HELLO_PART, WORLD_PART, spoil_end=1), "End_Check is wrong"),
    "end-size-wrong": Fixture(member(HELLO_PART, WORLD_PART, more_size=1), "End_Size is wrong"),
    "end-magic-wrong": Fixture(member(HELLO_PART, WORLD_PART, trailer=b"\x01zn\xf4"), "End_Magic is wrong"),
    "end-body-long": Fixture(member(HELLO_PART, WORLD_PART, more_body=1), "the End's Body_Size is one too large"),
    "end-body-short": Fixture(member(HELLO_PART, WORLD_PART, more_body=-1), "the End's Body_Size is one too small"),
    "end-body-huge": Fixture(
        member(HELLO_PART, WORLD_PART, more_body=1 << 50), "the End's Body_Size is over a petabyte"
    ),
    "end-cut": Fixture(NESTED[:-1], "the last byte is missing"),
    "content-check-wrong": Fixture(
        member(HELLO_PART, WORLD_PART, spoil_content=1), "Content_Check is wrong, all else is right", headers=False
    ),
    "blocks-swapped": Fixture(
        header() + WORLD_PART[0] + HELLO_PART[0] + end(HELLO + WORLD, [(0, 23, 8), (0, 20, 5)]),
        "two blocks have changed places and the index follows them; Content_Check does not",
        headers=False,
    ),
}

UNSUPPORTED = {
    "version-0": Fixture(header(SOLO, version=0) + block(HELLO), "format version 0"),
    "version-2": Fixture(header(SOLO, version=2) + block(HELLO), "format version 2"),
    "version-2-other-layout": Fixture(MAGIC + b"\x02", "format version 2, and nothing that version 1 could read"),
    "version-255": Fixture(header(SOLO, version=255) + block(HELLO), "format version 255"),
    **{
        f"header-reserved-bit-{bit}": Fixture(header(SOLO | 1 << bit) + block(HELLO), f"bit {bit} of Flags is set")
        for bit in range(3, 6)
    },
    "field-required-1": Fixture(solo(block(HELLO), field(0x01, b"n")), "an unknown required field, 0x01"),
    "field-required-127": Fixture(solo(block(HELLO), field(0x7F, b"")), "an unknown required field, 0x7F"),
    "chunk-required-3": Fixture(header() + b"\x03\x00" + end(b"", []), "an unknown required chunk, 0x03"),
    "chunk-required-127": Fixture(
        header() + HELLO_PART[0] + b"\x7f\x02ab" + end(HELLO, [(4, 20, 5)]), "an unknown required chunk, 0x7F"
    ),
    **{
        f"block-reserved-bit-{bit}": Fixture(solo(block(HELLO, flags=1 << bit)), f"bit {bit} of Block_Flags is set")
        for bit in range(4, 6)
    },
    "engine-62": Fixture(solo(block(HELLO, HELLO[:1], engine=62)), "engine 62", headers=False),
    "engine-63": Fixture(solo(block(HELLO, HELLO[:1], engine=63)), "engine 63", headers=False),
    "engine-127": Fixture(solo(block(HELLO, HELLO[:1], engine=127)), "a private engine, 127", headers=False),
    "engine-255": Fixture(solo(block(HELLO, HELLO[:1], engine=255)), "engine 255", headers=False),
    "zstd-version-2": Fixture(solo(zstd_block(A, frame(run(b"a", 200)), version=2)), "zstd version 2", headers=False),
    "zstd-version-0": Fixture(solo(zstd_block(A, frame(run(b"a", 200)), version=0)), "zstd version 0", headers=False),
    "cm-version-255": Fixture(
        solo(block(HELLO, HELLO[:1], engine=2, version=255, params=b"")), "cm version 255", headers=False
    ),
    "transform-99": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), flags=1, transforms=b"\1" + transform(99, 1, b"p", 200))),
        "transform 99",
        headers=False,
    ),
    "transform-version-255": Fixture(
        solo(zstd_block(A, frame(run(b"a", 200)), flags=1, transforms=b"\1" + transform(1, 255, b"", 200))),
        "transform 1 version 255",
        headers=False,
    ),
    "second-block-engine-62": Fixture(
        member(HELLO_PART, (block(WORLD, b"w", engine=62), WORLD)),
        "a stored block, then one of engine 62",
        headers=False,
    ),
}

FOLDERS = {
    "good": (GOOD, "Each of these files MUST decode, to the content stated."),
    "bad": (BAD, "Each of these files MUST be reported as *corrupt*, in little time and memory."),
    "unsupported": (UNSUPPORTED, "Each of these files MUST be reported as *unsupported*, not as corrupt."),
}


def files() -> dict[Path, bytes]:
    """Return every file of the three folders, the READMEs included."""
    found: dict[Path, bytes] = {}
    for folder, (fixtures, promise) in FOLDERS.items():
        lines = [
            f"# {folder}",
            "",
            promise,
            "Made by `tests/make_fixtures.py`, as this page is; see docs/reference/FORMAT.md.",
            "",
        ]
        for name, fixture in sorted(fixtures.items()):
            line = f"* `{name}.nz` ({len(fixture.data):,} bytes): {fixture.about}."
            if fixture.content is not None:
                line += f" Content: {stated(fixture.content)}."
            elif not fixture.headers:
                line += " The headers are whole."
            lines.append(line)
            found[HERE / folder / f"{name}.nz"] = fixture.data
        found[HERE / folder / "README.md"] = ("\n".join(lines) + "\n").encode()
    return found


def stated(content: bytes) -> str:
    """Return the content in a form that fits in a line."""
    if len(content) > 20:
        return f"{len(content):,} bytes, XXH3 {xxh3(content):016x}"
    return f"`{content.decode('ascii')!r}`" if content else "none"


def main(arguments: list[str]) -> int:
    wanted = files()
    present = {path for folder in FOLDERS for path in (HERE / folder).glob("*")}
    wrong = sorted(path for path in present | set(wanted) if path not in wanted or path not in present
                   or path.read_bytes() != wanted[path])  # fmt: skip
    if "--check" in arguments:
        for path in wrong:
            print(f"differs: {path}")
        return 1 if wrong else 0
    for path in wrong:
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(wanted[path])
        else:
            path.unlink()
    print(f"{len(wanted)} files, {len(wrong)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
