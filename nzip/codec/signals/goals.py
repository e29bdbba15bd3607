"""What a lossy file is to be like, and how near it is to what it was made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nzip.formats.signals.base import Audio, Image

Signal = Image | Audio
Floats = NDArray[np.float32]
DEFAULT_QUALITY = 60
SPEECH_RATE = 8.0  # kbit/s a channel below which sounds go to the codec for speech


@dataclass(frozen=True)
class Goal:
    """What a lossy file is to be like; one of these at most.

    Attributes:
        quality: 1 to 100.
        bpp: bits a pixel, at most.
        kbps: kbit a second of sound, at most.
        psnr: decibels, at least.
    """

    quality: int | None = None
    bpp: float | None = None
    kbps: float | None = None
    psnr: float | None = None

    def check(self, kind: str) -> None:
        """Refuse what does not go together.

        Raises:
            ValueError: more than one is given, one is out of range, or does not go with pictures or sounds.
        """
        given = [name for name in ("quality", "bpp", "kbps", "psnr") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; give one")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ValueError(f"quality {self.quality} is not in 1..100")
        for name in given:
            if name != "quality" and not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} {getattr(self, name)} is not a positive number")
        if self.bpp is not None and kind == "audio":
            raise ValueError("bpp is for pictures; say kbps for sounds")
        if self.kbps is not None and kind == "image":
            raise ValueError("kbps is for sounds; say bpp for pictures")

    def most_bytes(self, signal: Signal) -> int | None:
        """Return the bytes that a file of the signal may have; None where that is not asked for."""
        if isinstance(signal, Image):
            pixels = signal.pixels.shape[0] * signal.pixels.shape[1]
            return None if self.bpp is None else int(self.bpp * pixels / 8)
        seconds = signal.samples.shape[1] / signal.rate
        return None if self.kbps is None else int(self.kbps * 1000 * seconds / 8)


def usual_codec(signal: Signal, goal: Goal) -> str:
    """Return the name of the codec that fits where none is named."""
    if isinstance(signal, Audio) and goal.kbps is not None and goal.kbps <= SPEECH_RATE * len(signal.samples):
        return "grvq" if 8000 <= signal.rate <= 1 << 18 else "walloc"
    return "walloc"


def decibels(parts: list[Floats], back: list[Floats], kind: str) -> float:
    """Return decibels below full scale, which is 1 from end to end for pictures and 1 for sounds."""
    if not parts:
        return math.inf
    squares = sum(float(np.sum((a.astype(np.float64) - b) ** 2)) for a, b in zip(parts, back, strict=True))
    error = squares / sum(part.size for part in parts)
    return math.inf if error == 0 else -10 * math.log10(error) + (6.02 if kind == "audio" else 0.0)
