"""What a block holds, in the words that travel with it: kinds, classes, segments and the shape of their samples.

`nzip.formats.content.detection` fills these; transforms and engines read them. What an engine needs for decoding it
writes in its payload, so a reader never detects anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

KINDS = (
    "text", "code", "json", "html", "xml", "csv", "log",
    "exe-x86", "exe-arm64", "audio", "image", "bitmap", "array", "compressed", "binary",
    "image-jpeg", "weights", "nucleotides", "sequenced",
)  # fmt: skip
TEXT_KINDS = frozenset(KINDS[:7])
CODE_KINDS = frozenset(KINDS[7:9])  # machine code

TEXT, BINARY, BITMAP = 0, 1, 2  # classes: which family of contexts serves the bytes

SURE = 90  # a confidence that rests on a header


@dataclass(frozen=True)
class Segment:
    """A stretch of a block whose bytes are alike.

    Attributes:
        kind: one of `KINDS`. `image` has pixels of whole bytes, `bitmap` pixels of one bit.
        length: bytes.
        cls: `TEXT`, `BINARY` or `BITMAP`, as samples of the bytes show it, whatever the kind says. `BITMAP` is a guess
            where no header says so (a table of mostly zeros looks the same); engines without contexts for bitmaps take
            it as `BINARY`.
        width: bytes of a sample; 0 if it is not known.
        channels: of audio or an image; 0 if it is not known.
        stride: bytes from a pixel (all its channels), an audio frame or a number of an array to the next; 0 if there
            is none.
        row: bytes from a row of an image, a bitmap or an array to the next; 0 if there is none.
        record: the distance in bytes at which most bytes repeat, 2 or more; 0 for text. A record file has its
            record's length here; any other binary bytes have the best guess there is.
        offset: bytes before the first sample, pixel or record.
        frame: bytes from a pixel to the same pixel of the frame before; 0 if there is none.
        big: whether samples begin with their highest byte.
        indexed: whether pixels are places in a palette, or repeat exactly as these do (`photographs`).
        real: whether samples are IEEE 754 floats.
        exponent: bits of the exponent of a tensor's values, which tells bfloat16 (8) from IEEE's form (5); 0 for
            integers, and where it is not known.
        separator: the byte between the columns of a `csv`; 0 for other kinds.
        lines: whether most lines of a text begin as others do.
        confidence: 0..100; `SURE` and more rests on a header.
    """

    kind: str
    length: int
    cls: int = BINARY
    width: int = 0
    channels: int = 0
    stride: int = 0
    row: int = 0
    record: int = 0
    offset: int = 0
    frame: int = 0
    big: bool = False
    indexed: bool = False
    real: bool = False
    exponent: int = 0
    separator: int = 0
    lines: bool = False
    confidence: int = 50

    @property
    def sure(self) -> bool:
        """Whether a header says what the bytes are."""
        return self.confidence >= SURE

    @property
    def numeric(self) -> bool:
        """Whether the bytes may be samples, pixels, numbers or records of them."""
        return self.kind not in TEXT_KINDS | CODE_KINDS | {"compressed", "image-jpeg", "nucleotides", "sequenced"}


@dataclass(frozen=True)
class Content:
    """What a block holds.

    Attributes:
        segments: stretches of the block in order, one or more; their lengths add up to the block's.
        mixed: the block taken as one stretch, where it has several segments.
    """

    segments: tuple[Segment, ...]
    mixed: Segment | None = None

    @property
    def whole(self) -> Segment:
        """The block taken as one stretch: its only segment, or what all of them look like together."""
        return self.segments[0] if self.mixed is None else self.mixed

    @property
    def kind(self) -> str:
        """The kind of `whole`."""
        return self.whole.kind

    @property
    def size(self) -> int:
        """Bytes of the block."""
        return sum(segment.length for segment in self.segments)

    def seen_as(self, cls: int, record: int) -> Content:
        """Return the same with another class and record for `whole`."""
        if self.mixed is None:
            return Content((replace(self.segments[0], cls=cls, record=record), *self.segments[1:]))
        return replace(self, mixed=replace(self.mixed, cls=cls, record=record))
