"""A picture as a record has it, and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nzip.codec.signals.side import Bytes, chunks_of, tags_bytes, tags_of
from nzip.errors import CorruptError, LimitError
from nzip.formats.signals import extras
from nzip.formats.signals.base import MOST_PIXELS, PICTURES, Image
from nzip.models.latent import record
from nzip.models.latent.record import Head

Floats = NDArray[np.float32]
STRIP = 1 << 18  # samples that become pixels at a time


def apart(picture: Image, model_id: str) -> tuple[Head, list[Floats], list[bytes]]:
    """Return a head without codec and settings, what the codec takes, and the side data.

    Raises:
        ValueError: it is no picture.
        LimitError: it is too large.
    """
    pixels = picture.pixels
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
        raise ValueError(f"a picture of the shape {pixels.shape} is none; pixels are (height, width, 1 to 4)")
    deep = pixels.dtype == np.uint16
    if pixels.dtype not in (np.uint8, np.uint16) or (deep and pixels.shape[2] != 1):
        raise ValueError(f"pixels are uint8, or uint16 of one channel, and not {pixels.dtype} of {pixels.shape[2]}")
    height, width, channels = pixels.shape
    if height * width > MOST_PIXELS:
        raise LimitError(f"{height * width:,} pixels; the limit is {MOST_PIXELS:,}: cut the picture in parts")
    colour = pixels[:, :, : 3 if channels >= 3 else 1].transpose(2, 0, 1)
    part = colour.astype(np.float32) / np.float32(65535 if deep else 255) - np.float32(0.5)
    side = []
    if channels in (2, 4):
        side.append((record.ALPHA, np.ascontiguousarray(pixels[:, :, -1]).tobytes()))
    tags = {"dpi": " ".join(map(repr, map(float, picture.dpi)))} if picture.dpi else {}
    more = {
        record.PROFILE: picture.profile, record.EXIF: picture.exif, record.XMP: picture.xmp,
        record.TAGS: tags_bytes(tags), record.CHUNKS: extras.packed(picture.chunks),
    }  # fmt: skip
    side += [(kind, data) for kind, data in more.items() if data]
    format_ = PICTURES.index(picture.format) if picture.format in PICTURES else 0
    head = Head(
        0, model_id, (), record.PICTURE, (height, width), channels, deep, format_,
        side=tuple((kind, len(data)) for kind, data in side),
    )  # fmt: skip
    return head, [np.ascontiguousarray(np.broadcast_to(part, (3, height, width)))], [data for _, data in side]


def together(head: Head, pieces: Iterator[tuple[int, int, Floats]], more: dict[int, Bytes]) -> Image:
    """Return the picture of a record.

    Args:
        head: of the record.
        pieces: what the codec made, as `parts.joined` gives it.
        more: side data by its kind.

    Raises:
        CorruptError: the side data is damaged.
    """
    kind, most = (np.uint16, 65535) if head.deep else (np.uint8, 255)
    height, width = head.size
    colours = 3 if head.channels >= 3 else 1
    pixels = np.empty((height, width, head.channels), kind)
    if head.channels in (2, 4):
        pixels[:, :, -1] = np.frombuffer(more[record.ALPHA], np.uint8).reshape(height, width)
    rows = max(1, STRIP // width)
    for _, start, piece in pieces:
        for at in range(0, piece.shape[1], rows):
            part = piece[:, at : at + rows]
            colour = part.mean(axis=0, keepdims=True) if colours == 1 else part
            values = np.clip(np.rint((colour.transpose(1, 2, 0) + np.float32(0.5)) * np.float32(most)), 0, most)
            pixels[start + at : start + at + part.shape[1], :, :colours] = values
    try:
        across, down = (float(value) for value in tags_of(more).get("dpi", "0 0").split())
    except ValueError:
        raise CorruptError("the tags of a picture or sound are damaged") from None
    profile, exif, xmp = (bytes(more.get(kind, b"")) for kind in (record.PROFILE, record.EXIF, record.XMP))
    dpi = (across, down) if 0 < across < 1e9 and 0 < down < 1e9 else None
    return Image(pixels, PICTURES[head.format], profile, exif, xmp, dpi, chunks_of(more))
