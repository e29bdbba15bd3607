"""Leaves that are pictures, whose shape their container states."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nzip.formats.content.containers.base import Found
from nzip.formats.content.kinds import BITMAP, Segment

LEAST = 16  # bytes of a picture


def picture(
    length: int, row: int, depth: int, channels: int, *, indexed: bool = False, big: bool = False, real: bool = False,
    frame: int = 0,
) -> Segment | None:  # fmt: skip
    """Return the segment of `length` bytes of pixels; None where they are none that is told apart.

    Args:
        row: bytes of a row.
        depth: bits of a sample.
        channels: samples of a pixel.
        indexed, big, real, frame: as in `Segment`.
    """
    if length < max(LEAST, row) or row < 1:
        return None
    if depth == 1 and channels == 1:
        return Segment("bitmap", length, BITMAP, 1, 1, row=row, frame=frame, confidence=95)
    width, channels = (depth // 8, channels) if depth >= 8 else (1, 1)
    if depth not in (1, 2, 4, 8, 16, 24, 32, 64) or row < width * channels:
        return None
    return Segment(
        "image", length, width=width, channels=channels, stride=width * channels, row=row, frame=frame,
        big=big and width > 1, indexed=indexed or depth < 8, real=real, confidence=95,
    )  # fmt: skip


def pixels(
    row: int, depth: int, channels: int, *, indexed: bool = False, big: bool = False, frame: int = 0
) -> Callable[[bytes], Iterable[Found]]:
    """Return what finds one picture in bytes that are nothing else."""

    def inside(inner: bytes) -> Iterable[Found]:
        segment = picture(len(inner), row, depth, channels, indexed=indexed, big=big, frame=frame)
        return [] if segment is None else [Found(0, len(inner), segment=segment)]

    return inside
