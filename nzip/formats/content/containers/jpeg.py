"""Finder of JPEG files, which may stand in anything: in PDFs, in archives, in icons, in films."""

from __future__ import annotations

from nzip.entropy.jit import Native
from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.kinds import Segment
from nzip.formats.jpeg.recoding import take_apart

LEAST = 256  # bytes

_end = Native("nzip.formats.content.containers.scan_kernel", "jpeg_end")


def jpeg(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the JPEG file that begins at `at`."""
    import numpy as np

    if budget.walked <= 0:
        return []
    end = _end(np.frombuffer(data, np.uint8), at, budget.walked)
    budget.walked -= abs(end) - at
    if end - at < LEAST or take_apart(data, at, end) is None:
        return []  # other engines do better with what does not come back
    return [Found(at, end, segment=Segment("image-jpeg", end - at, confidence=95))]
