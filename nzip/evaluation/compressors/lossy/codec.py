"""A lossy codec: a signal and a setting to bytes, and bytes to a signal.

A setting is a whole number from 0 (or 1) to 100, more for more bits: a codec's own quality where it has one. Pictures
here are uint8 (H, W, 3), sounds float32 (C, T) with a rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.data.signals import Signal
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.resample import resample


@dataclass(frozen=True)
class LossyCodec:
    """One lossy codec.

    Attributes:
        name: what tables and plots show (`"JPEG XL"`). Unique for its kind.
        kind: `"image"` or `"audio"`.
        family: `"nzip"` for ours, else `"peer"`.
        version: of the library that does the work.
        settings: what the name leaves out, in words.
        ladder: the settings that are measured, from few bits to many.
        encode: a signal and a setting to bytes, as a file would hold them.
        decode: bytes to a signal of the same kind and shape.
        least: the lowest setting there is.
        most: the highest.
        model_bytes: size of the model that both sides have beside the program.
        warm: go once both ways before anything is timed; left out where a go takes long anyhow.
        built_in: another process finds the same codec by its kind and name (`find`), so it is measured in a process
            of its own; otherwise it is measured in the process that asks.
    """

    name: str
    kind: str
    family: str
    version: str
    settings: str
    ladder: tuple[int, ...]
    encode: Callable[[Signal, int], bytes]
    decode: Callable[[bytes], Signal]
    least: int = 1
    most: int = 100
    model_bytes: int = 0
    warm: bool = True
    built_in: bool = True


def fitted(codec: LossyCodec, decoded: Signal, original: Signal) -> Signal:
    """Return what came out of a codec in the original's shape.

    A peer's sound may come at another rate, and then shorter or longer: it is resampled, cut, or ended with silence.

    Raises:
        NzipError: what came out is something else.
    """
    if isinstance(original, Image):
        if isinstance(decoded, Image) and decoded.pixels.shape == original.pixels.shape:
            return decoded
    elif isinstance(decoded, Audio) and len(decoded.samples) == len(original.samples):
        if decoded.samples.shape == original.samples.shape and decoded.rate == original.rate:
            return decoded
        if codec.family != "nzip":
            samples = resample(decoded.samples, decoded.rate, original.rate)[:, : original.samples.shape[1]]
            lack = original.samples.shape[1] - samples.shape[1]
            return Audio(np.pad(samples, ((0, 0), (0, lack))), original.rate, decoded.format, decoded.subtype)
    raise NzipError(f"{codec.name} gave back another shape than it was given")


def nearest(
    codec: LossyCodec, signal: Signal, size: float, known: Mapping[int, int] | None = None
) -> tuple[int, bytes]:
    """Return the setting whose bytes come nearest to a size, and the bytes.

    The settings are halved again and again, as if more never gave fewer bytes; so it takes nine encodings at most.

    Args:
        codec: which.
        signal: what to encode.
        size: in bytes; nearness is that of the ratio.
        known: sizes at some settings, which save encodings.
    """
    tried: dict[int, bytes] = {}

    def length(setting: int) -> int:
        if setting not in tried:
            tried[setting] = codec.encode(signal, setting)
        return len(tried[setting])

    low = max((setting for setting, got in (known or {}).items() if got < size), default=codec.least)
    high = min((setting for setting, got in (known or {}).items() if got >= size and setting > low), default=codec.most)
    while high - low > 1:
        middle = (low + high) // 2
        if length(middle) < size:
            low = middle
        else:
            high = middle
    length(low)
    length(high)
    best = min(tried, key=lambda setting: (abs(math.log(max(1, len(tried[setting])) / size)), setting))
    return best, tried[best]
