"""What a block holds, in the words that travel with it: kinds, segments and the shape of their samples.

`nzip.formats.content.detection` fills these; transforms and engines read them. What an engine needs for decoding it
writes in its payload, so a reader never detects anything.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = (
    "text", "code", "json", "html", "xml", "csv", "log",
    "exe-x86", "audio", "image", "bitmap", "array", "compressed", "binary",
)  # fmt: skip
TEXT_KINDS = frozenset(KINDS[:7])


@dataclass(frozen=True)
class Segment:
    """A stretch of a block whose bytes are alike.

    Attributes:
        kind: one of `KINDS`. `image` has pixels of whole bytes, `bitmap` pixels of one bit.
        length: bytes.
        width: bytes of a sample; 0 if it is not known.
        stride: bytes from a pixel (all its channels) or an audio frame to the next; 0 if there is none.
        row: bytes from a row of an image or a bitmap to the next; 0 if there is none.
        record: bytes from a record to the next alike one; 0 if there is none.
        offset: bytes before the first sample, pixel or record.
        big: whether samples begin with their highest byte.
        confidence: 0..100; 90 and more rests on a header.
    """

    kind: str
    length: int
    width: int = 0
    stride: int = 0
    row: int = 0
    record: int = 0
    offset: int = 0
    big: bool = False
    confidence: int = 50


@dataclass(frozen=True)
class Content:
    """What a block holds.

    Attributes:
        segments: stretches of the block in order; their lengths add up to the block's.
    """

    segments: tuple[Segment, ...]

    @property
    def kind(self) -> str:
        """The kind that most bytes are of; `binary` for an empty block."""
        sizes: dict[str, int] = {}
        for segment in self.segments:
            sizes[segment.kind] = sizes.get(segment.kind, 0) + segment.length
        return max(sizes, key=lambda kind: sizes[kind]) if sizes else "binary"

    @property
    def size(self) -> int:
        """Bytes of the block."""
        return sum(segment.length for segment in self.segments)
