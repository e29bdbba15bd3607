"""What the container is written in: integers, the checks of structures, and a cursor over bytes.

All integers are little-endian or ULEB128 in its shortest form, 63 bits at most.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

import xxhash

from nzip.errors import CorruptError, UnsupportedError


class OutOfBytes(Exception):
    """More bytes are needed to parse a structure."""


def check64(data: bytes | bytearray, *, seed: int = 0) -> int:
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
    if 0 <= value < 128:
        return bytes((value,))
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


def opened(data: bytes, magic: bytes, version: int, *, what: str, other: str) -> Reader:
    """Return a cursor behind the magic bytes and the version that a file begins with.

    Args:
        data: the file.
        magic, version: what is to stand there.
        what: such files, for the user.
        other: the complaint where `data` is none.

    Raises:
        CorruptError: it is none.
        UnsupportedError: it has another version.
    """
    if data[: len(magic)] != magic:
        raise CorruptError(other)
    reader = Reader(data, len(magic))
    found = reader.u8()
    if found != version:
        raise UnsupportedError(
            f"version {found} of {what} is not known to this nzip (it reads version {version}); upgrade nzip"
        )
    return reader


def pack_memory(size: int) -> int:
    """Return the smallest memory byte that stands for at least `size` bytes."""
    for code in range(256):
        if unpack_memory(code) >= size:
            return code
    raise ValueError(f"{size} bytes of memory cannot be stated in a block header")


def unpack_memory(code: int) -> int:
    """Return the bytes that a memory byte stands for: (8 + low 3 bits) << (high 5 bits), in KiB."""
    return ((8 + (code & 7)) << (code >> 3)) << 10
