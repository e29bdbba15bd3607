"""Pictures and sounds to measure lossy codecs on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nzip.errors import CorruptError, LimitError, NzipError, UnsupportedError
from nzip.evaluation.data.files import InputFile, find_files
from nzip.evaluation.harness.outputs import AnyPath
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.files import read_signal

Signal = Image | Audio
KINDS = ("image", "audio")
NOUNS = {"image": "picture", "audio": "sound"}  # what a reader is told
RATES = {"image": "bits per pixel", "audio": "kbit/s"}


def counted(count: int, kind: str) -> str:
    """Return a number of signals of a kind in words, as `3 pictures`."""
    return f"{count:,} {NOUNS[kind]}{'s' * (count != 1)}"


def kind_of(signal: Signal) -> str:
    """Return `"image"` or `"audio"`."""
    return "image" if isinstance(signal, Image) else "audio"




@dataclass(frozen=True)
class Source:
    """A file to measure, and what is in it."""

    file: InputFile
    kind: str
    shape: dict[str, int]  # width and height; or channels, samples and rate

    @property
    def amount(self) -> float:
        """Millions of pixels, or seconds."""
        if self.kind == "image":
            return self.shape["width"] * self.shape["height"] / 1e6
        return self.shape["samples"] / self.shape["rate"]

    def rate(self, size: int) -> float:
        """Return the rate of so many bytes in the unit of `RATES`."""
        return size / self.size(1)

    def size(self, rate: float) -> float:
        """Return the bytes that a rate in the unit of `RATES` makes."""
        return rate * self.amount * (1e6 if self.kind == "image" else 1e3) / 8


def load(path: AnyPath) -> Signal:
    """Return the picture, as uint8 (H, W, 3), or the sound in a file.

    Raises:
        CorruptError: the file is damaged, or neither.
        UnsupportedError: it is of a kind that is not measured.
        LimitError: it is too large.
        OSError: it cannot be read.
    """
    signal = read_signal(path, strip=True)
    if isinstance(signal, Audio):
        if signal.samples.size == 0:
            raise UnsupportedError(f"{os.fspath(path)}: there is nothing in it")
        return signal
    pixels = signal.pixels
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3):
        raise UnsupportedError(f"{os.fspath(path)}: more than 8 bits, or an alpha channel; convert it to 8-bit RGB")
    return Image(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))


def find_sources(paths: Sequence[AnyPath]) -> tuple[list[Source], list[dict[str, str]]]:
    """Return the pictures and sounds among the files named, and those that are left out with the reasons.

    Raises:
        NzipError: a path does not exist, or no picture or sound is left.
    """
    sources, skipped = [], []
    for file in find_files(paths):
        try:
            signal = load(file.location)
        except (CorruptError, UnsupportedError, LimitError) as error:
            reason = str(error).removeprefix(f"{file.location}: ")
            skipped.append({"path": file.path, "reason": reason})
            continue
        except OSError as error:
            raise NzipError(f"{file.location}: cannot read it: {error.strerror}") from None
        if isinstance(signal, Image):
            shape = {"width": signal.pixels.shape[1], "height": signal.pixels.shape[0]}
        else:
            channels, samples = signal.samples.shape
            shape = {"channels": channels, "samples": samples, "rate": signal.rate}
        sources.append(Source(file, kind_of(signal), shape))
    if not sources:
        what = f"; {skipped[0]['path']}: {skipped[0]['reason']}" if skipped else ""
        raise NzipError(f"no pictures or sounds to measure{what}")
    return sources, skipped
