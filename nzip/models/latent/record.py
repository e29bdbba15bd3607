"""The content of a lossy member: what a signal was, and the symbols that stand for it.

`docs/reference/FORMAT.md` is normative.

A record is a head, the symbols, and side data (an alpha channel, a colour profile) that is kept exactly. It is the
member's content like any other: coded in blocks, checked, the same on every machine. Only what is made of it, the
signal, may differ in its last digits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.container import Reader, uleb
from nzip.formats.signals.base import MAX_CHANNELS, MOST_PIXELS, MOST_SAMPLES, PICTURES, SOUNDS
from nzip.models.latent.codecs import MAX_SETTINGS, LatentCodec, Symbols
from nzip.models.latent.weights import ID_BYTES

Bytes = bytes | bytearray | memoryview

VERSION = 1
PICTURE, SOUND = 1, 2
DEEP = 8  # in a picture's form: 16 bits a pixel
ALPHA, PROFILE, EXIF, TAGS, XMP, CHUNKS = 1, 2, 3, 4, 5, 6  # side data
SIDE = {PICTURE: {ALPHA, PROFILE, EXIF, TAGS, XMP, CHUNKS}, SOUND: {TAGS, CHUNKS}}
MAX_HEAD = 1024
MAX_SUBTYPE = 32
MAX_EXPONENT = 128
MAX_PARTS = 1 << 16  # of all groups
MAX_RATE = 1 << 24  # samples a second
MAX_RATIO = 64  # between a sound's rate and that of a codec that has one of its own, either way
OVERLAP = {PICTURE: 16, SOUND: 1024}  # samples along an axis that a part shares with the next
LEAST_TILE = {PICTURE: 256, SOUND: 1 << 16}  # what a part costs, however small it is, is to count for little
LARGEST = {PICTURE: 1 << 22, SOUND: 1 << 23}  # samples of a part, see `area`
ROUNDED = 16  # pixels to whose multiples the sides of a part are rounded up for that


def area(kind: int, size: tuple[int, ...]) -> int:
    """Return what counts of a part's size: codecs work on whole blocks, so a line of pixels costs more than its own."""
    return math.prod(-(-n // ROUNDED) * ROUNDED for n in size) if kind == PICTURE else size[0]


@dataclass(frozen=True)
class Head:
    """What stands before the symbols.

    Attributes:
        codec: its number.
        model: its model's id.
        settings: the codec's.
        kind: PICTURE or SOUND.
        size: (H, W), or (samples,) at the sound's own rate.
        channels: of the signal: 1 to 4, or a sound's.
        deep: a picture has 16 bits a pixel.
        format: number of the file's format in `signals.PICTURES` or `SOUNDS`.
        rate: of a sound, samples a second.
        subtype: libsndfile's name of a sound's samples.
        exponent: a sound was divided by 2 to this power, so that it stays within 1.
        tile: samples along each axis from one part to the next; 0 where the signal is not cut so.
        symbols: bytes of the symbols of all parts.
        side: type and length of each piece of side data.
    """

    codec: int
    model: str
    settings: tuple[int, ...]
    kind: int
    size: tuple[int, ...]
    channels: int
    deep: bool = False
    format: int = 0
    rate: int = 0
    subtype: str = ""
    exponent: int = 0
    tile: int = 0
    symbols: int = 0
    side: tuple[tuple[int, int], ...] = ()

    def groups(self, codec: LatentCodec) -> int:
        """Return how many signals of the codec's channels the signal makes; none where it has no samples."""
        if 0 in self.size:
            return 0
        return 1 if self.kind == PICTURE else -(-self.channels // codec.channels)

    def coded_size(self, codec: LatentCodec) -> tuple[int, ...]:
        """Return the size of the whole signal at the codec's own rate.

        Raises:
            CorruptError: the sound's rate is too far from the codec's.
        """
        if self.kind == SOUND and codec.rate:
            if not codec.rate <= self.rate * MAX_RATIO <= codec.rate * MAX_RATIO**2:
                raise CorruptError(
                    f"a sound of {self.rate:,} samples a second is none that the codec {codec.name} codes"
                )
            return (-(-self.size[0] * codec.rate // self.rate),)
        return self.size

    def places(self, codec: LatentCodec) -> list[tuple[slice, ...]]:
        """Return where the parts of each group lie, rows first.

        Raises:
            CorruptError: there would be very many, or one would be very large.
        """
        size = self.coded_size(codec)
        overlap = OVERLAP[self.kind]
        first = tuple(min(self.tile + overlap, n) for n in size) if self.tile else size
        if area(self.kind, first) > LARGEST[self.kind]:
            raise CorruptError("a record of latents has a part that is larger than the format allows")
        counts = [max(1, -(-(n - overlap) // self.tile)) if self.tile else 1 for n in size]
        if math.prod(counts) * self.groups(codec) > MAX_PARTS:
            raise CorruptError("a record of latents has too many parts")
        if not self.tile:
            return [tuple(slice(0, n) for n in size)]
        return [
            tuple(slice(k * self.tile, min((k + 1) * self.tile + overlap, n)) for k, n in zip(at, size, strict=True))
            for at in np.ndindex(*counts)
        ]

    def encode(self) -> bytes:
        """Return the head's bytes, its length before it."""
        out = bytearray((VERSION, self.codec)) + bytes.fromhex(self.model)
        out += uleb(len(self.settings)) + b"".join(map(uleb, self.settings))
        out.append(self.kind)
        if self.kind == PICTURE:
            out += uleb(self.size[0]) + uleb(self.size[1])
            out += bytes((self.channels | (DEEP if self.deep else 0), self.format)) + uleb(self.tile)
        else:
            out += uleb(self.channels) + uleb(self.size[0]) + uleb(self.rate) + bytes((self.format,))
            out += uleb(len(self.subtype)) + self.subtype.encode("ascii") + uleb(self.exponent) + uleb(self.tile)
        out += uleb(self.symbols) + uleb(len(self.side))
        for kind, length in self.side:
            out += bytes((kind,)) + uleb(length)
        return uleb(len(out)) + bytes(out)

    @property
    def output_size(self) -> int:
        """Bytes of the signal as an array: of pixels, or of samples in float32."""
        return math.prod(self.size) * self.channels * (4 if self.kind == SOUND else 2 if self.deep else 1)

    @classmethod
    def parse(cls, data: bytes) -> tuple[Head, int]:
        """Return the head that `data` starts with, and where the symbols begin.

        Raises:
            CorruptError: it is none.
            UnsupportedError: it needs a later nzip.
        """
        reader = Reader(data)
        length = reader.uleb()
        if not 1 <= length <= MAX_HEAD:
            raise CorruptError("a record of latents has no head")
        end = reader.pos + length
        reader = Reader(data, reader.pos, end) if end <= len(data) else Reader(b"")
        if (version := reader.u8()) != VERSION:
            raise UnsupportedError(f"a record of latents has version {version}; upgrade nzip")
        codec, model = reader.u8(), reader.bytes(ID_BYTES).hex()
        count = reader.uleb()
        if count > MAX_SETTINGS:
            raise CorruptError("a record of latents has too many settings")
        settings = tuple(reader.uleb() for _ in range(count))
        kind = reader.u8()
        values: dict[str, Any] = {}
        if kind == PICTURE:
            size: tuple[int, ...] = (reader.uleb(), reader.uleb())
            form, format_ = reader.u8(), reader.u8()
            channels, values["deep"] = form & 7, bool(form & DEEP)
            fits = form < 16 and 1 <= channels <= 4 and format_ < len(PICTURES)
            fits = fits and min(size) >= 1 and size[0] * size[1] <= MOST_PIXELS
            fits = fits and (channels == 1 or not values["deep"])
        elif kind == SOUND:
            channels, size = reader.uleb(), (reader.uleb(),)
            values["rate"], format_ = reader.uleb(), reader.u8()
            name = reader.bytes(min(reader.uleb(), MAX_SUBTYPE + 1))
            values["exponent"] = reader.uleb()
            fits = 1 <= channels <= MAX_CHANNELS and size[0] * channels <= MOST_SAMPLES and format_ < len(SOUNDS)
            fits = fits and 1 <= values["rate"] <= MAX_RATE and values["exponent"] <= MAX_EXPONENT
            fits = fits and len(name) <= MAX_SUBTYPE and name.isascii()
            values["subtype"] = name.decode("ascii", "replace")
        else:
            raise UnsupportedError(f"a record of latents is of the kind {kind}; upgrade nzip")
        values["tile"] = tile = reader.uleb()
        symbols, pieces = reader.uleb(), reader.uleb()
        if not fits or pieces > 16 or (tile and not LEAST_TILE[kind] <= tile <= 1 << 32):
            raise CorruptError("a record of latents describes a signal that cannot be")
        side = tuple((reader.u8(), reader.uleb()) for _ in range(pieces))
        if reader.left():
            raise CorruptError("the head of a record of latents is longer than its contents")
        _check_side(kind, side, math.prod(size) if kind == PICTURE and channels in (2, 4) else None)
        head = cls(codec, model, settings, kind, size, channels, format=format_, symbols=symbols, side=side, **values)
        return head, end


def _check_side(kind: int, side: tuple[tuple[int, int], ...], alpha: int | None) -> None:
    """Refuse side data that is unknown, stands twice, or does not go with the signal.

    Args:
        kind: of the signal.
        side: types and lengths.
        alpha: bytes of the alpha channel, where there must be one.
    """
    types = [number for number, _ in side]
    if unknown := set(types) - SIDE[kind]:
        raise UnsupportedError(f"a record of latents holds side data of the type {min(unknown)}; upgrade nzip")
    if len(set(types)) != len(types) or dict(side).get(ALPHA) != alpha:
        raise CorruptError("the side data of a record of latents does not go with its signal")


def sizes(head: Head, codec: LatentCodec) -> list[tuple[int, ...]]:
    """Return the size of every part, those of the first group first.

    Raises:
        CorruptError: the head states another number of bytes than the parts' symbols have.
    """
    groups = head.groups(codec)
    one = [tuple(cut.stop - cut.start for cut in place) for place in head.places(codec)] if groups else []
    count = 0
    for size, times in Counter(one).items():
        layout = codec.layout(size, head.settings)
        count += times * sum(kind.itemsize * math.prod(shape) for kind, shape in layout)
    if count * groups != head.symbols:
        raise CorruptError("a record of latents has another number of symbols than its signal needs")
    return one * groups


def to_bytes(parts: list[Symbols]) -> bytes:
    """Return symbols as they stand in a record, little-endian, one array behind the other."""
    return b"".join(
        np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes() for symbols in parts for array in symbols
    )


def from_bytes(data: Bytes, head: Head, codec: LatentCodec) -> Iterator[Symbols]:
    """Give the symbols of each part.

    Raises:
        CorruptError: there is another number of bytes than the head states.
    """
    parts = sizes(head, codec)
    if len(data) != head.symbols:
        raise CorruptError("a record of latents ends before its symbols do")
    return _parts(data, parts, head, codec)


def _parts(data: Bytes, parts: list[tuple[int, ...]], head: Head, codec: LatentCodec) -> Iterator[Symbols]:
    at = 0
    for size in parts:
        symbols: Symbols = []
        for kind, shape in codec.layout(size, head.settings):
            count = math.prod(shape)
            array: NDArray[Any] = np.frombuffer(data, kind.newbyteorder("<"), count, at)
            symbols.append(array.astype(kind).reshape(shape))
            at += count * kind.itemsize
        yield symbols
