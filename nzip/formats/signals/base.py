"""Pictures and sounds as arrays: the two kinds of signal, the formats of their files, and what reading them shares.

What a lossy codec could not give back as it was, more bits, more frames, other colours, is refused on reading with the
reason and the remedy, so that nothing is lost that nobody asked to lose. What files hold besides is carried (see
`extras`) or, where it cannot be, refused too, until the user agrees.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nzip.errors import UnsupportedError
from nzip.formats.signals import extras
from nzip.formats.signals.extras import Chunks

PICTURES = ("PNG", "PPM", "WEBP", "JPEG", "TIFF")
SOUNDS = ("WAV", "FLAC", "OGG", "WAVEX", "RF64", "AIFF", "W64", "CAF", "AU", "MP3")
MOST_PIXELS = 1 << 28
MOST_SAMPLES = 1 << 32  # of all channels
MAX_CHANNELS = 64

AnyPath = str | os.PathLike[str]


@dataclass
class Image:
    """A picture.

    Attributes:
        pixels: uint8 (H, W, C), or uint16 (H, W, 1); C is 1 (grey), 2 (grey and alpha), 3 (red, green, blue) or 4 (and
            alpha).
        format: pillow's name of the file's format, one of PICTURES.
        profile: the ICC profile, or nothing.
        exif: the EXIF block, or nothing; of TIFF, all tags that are not about how pixels are stored.
        xmp: the XMP packet, or nothing.
        dpi: points an inch, across and down.
        chunks: what else the file holds, see `extras`; it is put back into a file of the same format.
    """

    pixels: NDArray[Any]
    format: str = "PNG"
    profile: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    chunks: Chunks = ()


@dataclass
class Audio:
    """A sound.

    Attributes:
        samples: float32 (C, T), full scale from -1 to 1 (files in floating point may go beyond).
        rate: samples a second.
        format: libsndfile's name of the file's format, one of SOUNDS.
        subtype: its name of the form of samples, as PCM_16.
        extra: title, artist and the like.
        chunks: what else the file holds, see `extras`; it is put back into a file of the same format.
    """

    samples: NDArray[np.float32]
    rate: int
    format: str = "WAV"
    subtype: str = "PCM_16"
    extra: dict[str, str] = field(default_factory=dict)
    chunks: Chunks = ()


@contextlib.contextmanager
def opened(source: AnyPath | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """Give a binary file and its name for messages."""
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            yield file, os.fspath(source)
    else:
        yield source, str(getattr(source, "name", "") or "the stream")


def refuse_behind(name: str, format: str, data: bytes, what: str, strip: bool) -> None:
    """Refuse one picture or sound behind another, and unless it was agreed to, bytes behind one."""
    found = extras.behind(format, data)
    if found.another:
        raise UnsupportedError(f"{name}: more than one {what} in one file; save each as a file of its own")
    refuse_loss(name, found.lost, strip)


def refuse_loss(name: str, lost: list[str], strip: bool) -> None:
    """Refuse what would not come back, unless it was agreed to."""
    if lost and not strip:
        raise UnsupportedError(
            f"{name}: holds {', '.join(dict.fromkeys(lost))}, which would not come back; "
            "leave it out with strip=True"
        )


def reason(error: BaseException) -> str:
    """Return what a library says is wrong, without the names of objects in memory."""
    text = str(getattr(error, "error_string", "") or error) or type(error).__name__
    return re.sub(r"\s*<[^<>]* at 0x[0-9a-fA-F]+>:?", "", text).strip().rstrip(".")


def name_of(target: AnyPath | BinaryIO) -> str:
    return os.fspath(target) if isinstance(target, str | os.PathLike) else "the output"


def put(target: AnyPath | BinaryIO, data: bytes) -> None:
    if isinstance(target, str | os.PathLike):
        with open(target, "wb") as file:
            file.write(data)
    else:
        target.write(data)
