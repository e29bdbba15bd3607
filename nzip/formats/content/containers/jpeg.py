"""Finder of JPEG files, which may stand in anything: in PDFs, in archives, in icons, in films."""

from __future__ import annotations

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.kinds import Segment
from nzip.formats.jpeg.recoding import take_apart
from nzip.process import imported

LEAST = 256  # bytes
SLOW = 8  # times as long as a look at a byte takes what decodes it


def jpeg(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the JPEG file that begins at `at`."""
    imported("numba", "nzip.formats.content.containers.scan_kernel")
    import numpy as np

    from nzip.formats.content.containers import scan_kernel

    if budget.walked <= 0:
        return []
    end = scan_kernel.jpeg_end(np.frombuffer(data, np.uint8), at, budget.walked)
    budget.walk(abs(end) - at)
    if end - at < LEAST:
        return []
    if take_apart(data, at, end) is None:
        budget.walk(SLOW * (end - at))
        return []  # other engines do better with what does not come back
    return [Found(at, end, segment=Segment("image-jpeg", end - at, confidence=95))]
