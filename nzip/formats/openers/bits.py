"""The end of a stream of bits, as recipes of openers have it: what no code takes."""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb

TURN = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # for `bytes.translate`: bits in the opposite order


def rest(stream: bytes, bits: int, *, big: bool) -> bytes:
    """Return the recipe of what follows the first `bits` bits of `stream`; empty where those fill it but for zeros.

    Args:
        stream: the bytes.
        bits: how many bits codes take.
        big: whether the highest bit of a byte is its first.
    """
    used, free = -(-bits // 8), -bits % 8
    spare = 0
    if free:
        spare = stream[used - 1] & ((1 << free) - 1) if big else stream[used - 1] >> (8 - free)
    if not spare and used == len(stream):
        return b""
    return bytes((spare,)) + uleb(len(stream) - used) + stream[used:]


def with_rest(coded: bytes, bits: int, reader: Reader, *, big: bool) -> bytes:
    """Return `coded`, of which the first `bits` bits are codes and the others zeros, with what `rest` wrote.

    Raises:
        CorruptError: it is more than there is room for.
    """
    spare, more = reader.u8(), reader.bytes(reader.uleb())
    free = -bits % 8
    if spare >> free:
        raise CorruptError("a recipe has more bits than a byte has room for")
    if spare:
        coded = coded[:-1] + bytes((coded[-1] | (spare if big else spare << (8 - free)),))
    return coded + more
