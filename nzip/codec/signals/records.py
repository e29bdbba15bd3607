"""The record that is the content of a lossy member: what it holds, and what it takes to make it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nzip.codec.inspect import BlockInfo
from nzip.codec.signals import pictures
from nzip.codec.signals.side import Bytes
from nzip.errors import CorruptError, LimitError, over_memory
from nzip.formats.signals.base import PICTURES, SOUNDS
from nzip.models.latent import codecs, record
from nzip.models.latent.base import LatentCodec, Symbols
from nzip.models.latent.record import Head
from nzip.outputs import AnyPath

FIXED = 160 << 20  # bytes of memory of a model, and of what networks and kernels need


@dataclass(frozen=True)
class Record:
    """What a lossy member holds, once its head was found to be possible and within limits.

    Attributes:
        head: as it stands at the start.
        codec: that it names.
        symbols: of all parts, as bytes.
        side: data of each piece.
    """

    head: Head
    codec: LatentCodec
    symbols: Bytes
    side: list[Bytes]

    @classmethod
    def parse(cls, content: Bytes) -> Record:
        """Return the record that is a member's content.

        Raises:
            CorruptError, UnsupportedError: it is none, or its codec or model is not here.
        """
        head, start = Head.parse(bytes(content[: record.MAX_HEAD + 2]))
        codec = codecs.by_id(head.codec, head.model)
        at = start + head.symbols
        if len(content) != at + sum(length for _, length in head.side):
            raise CorruptError("a record of latents has another size than its head states")
        view = memoryview(content)
        ends = [at, *itertools.accumulate((length for _, length in head.side), initial=at)][1:]
        side: list[Bytes] = [view[a:b] for a, b in itertools.pairwise(ends)]
        return cls(head, codec, view[start:at], side)

    def parts(self) -> Iterator[Symbols]:
        """Give the symbols of each part."""
        return record.from_bytes(self.symbols, self.head, self.codec)


def memory_needed(head: Head, codec: LatentCodec, start: int, *, signal: bool = True) -> int:
    """Return the bytes of memory that the signal of a record needs, a bound; or its latents alone.

    Args:
        head: of the record.
        codec: that it names.
        start: bytes of the head.
        signal: whether the signal is made.

    Raises:
        CorruptError: there is no such signal.
    """
    largest = max(set(record.sizes(head, codec)), key=math.prod, default=None)
    part = 0 if largest is None else codec.memory(largest, head.settings)
    sizes = FIXED + 2 * (start + head.symbols) + sum(length for _, length in head.side)
    if not signal:
        return sizes + part + 2 * head.symbols
    size = head.coded_size(codec)
    if head.kind == record.PICTURE:
        # A band of parts, what lies over the next, and what is made of it; then the pixels, and the file of them.
        band = 4 * 3 * size[1] * min(size[0], head.tile + 2 * record.OVERLAP[head.kind] if head.tile else size[0])
        made = 2 * band + 32 * max(pictures.STRIP, size[1]) + 3 * head.output_size
    else:
        group = 4 * codec.channels * size[0]
        other = 2 * head.output_size // head.channels * codec.channels if codec.rate else 0
        made = 2 * group + other + 2 * head.output_size
    return sizes + part + made


def admit(head: Head, start: int, raw_size: int, max_memory: int, max_output_size: int | None, *, signal: bool) -> int:
    """Check a record's head before its symbols are decoded; return the bytes of the whole record.

    Raises:
        CorruptError, UnsupportedError: it cannot be one, or its codec or model is not here.
        LimitError: it needs more than is allowed.
    """
    if raw_size != start + head.symbols:
        raise CorruptError("the first block of a lossy file holds something other than a head and its symbols")
    out = head.output_size if signal else head.symbols
    if max_output_size is not None and out > max_output_size:
        raise LimitError(f"it makes {out:,} bytes and the limit is {max_output_size:,} (max_output_size); raise it")
    total = start + head.symbols + sum(length for _, length in head.side)
    _within(max_memory, FIXED + total + out, least=True)  # before the model is read, which takes memory as well
    codec = codecs.by_id(head.codec, head.model)
    _within(max_memory, memory_needed(head, codec, start, signal=signal))
    return total


def _within(max_memory: int, needed: int, *, least: bool = False) -> None:
    if needed > max_memory:
        raise over_memory("decoding", needed, max_memory, least=least)


def format_of(head: Head) -> str:
    """Return the name of the format that a picture or sound had."""
    return (PICTURES if head.kind == record.PICTURE else SOUNDS)[head.format]


def describe(path: AnyPath, block: BlockInfo) -> dict[str, Any]:
    """Return what the head of a record says, without decoding its symbols.

    Args:
        path: of the file.
        block: the member's first block.

    Returns:
        `signal` ("image" or "audio"), `size` (height, width; or samples), `channels`, `rate`, `bits`, `format` of the
        original, `codec`, `settings`, `model` (its id), `here` (whether the model is), `side` (bytes of side data).

    Raises:
        CorruptError, UnsupportedError: there is no head that can be read.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(block.offset + block.size - block.payload_size)
        head, _ = Head.parse(file.read(min(block.payload_size, record.MAX_HEAD + 2)))
    picture = head.kind == record.PICTURE
    names = {entry.id: name for name, entry in codecs.CODECS.items()}
    return {
        "signal": "image" if picture else "audio",
        "size": list(head.size),
        "channels": head.channels,
        "rate": head.rate or None,
        "bits": (16 if head.deep else 8) if picture else None,
        "format": format_of(head),
        "codec": names.get(head.codec, f"codec {head.codec}"),
        "settings": list(head.settings),
        "model": head.model,
        "here": codecs.is_here(head.codec, head.model),
        "side": sum(length for _, length in head.side),
    }
