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
    end = _end(data, at, budget)
    if end - at < LEAST:
        return []
    if take_apart(data, at, end) is None:
        budget.walk(SLOW * (end - at))
        return []  # other engines do better with what does not come back
    return [Found(at, end, segment=Segment("image-jpeg", end - at, confidence=95))]


def end_of(data: bytes, at: int, budget: Budget) -> int:
    """Return where the JPEG file at `at` ends; more than there is of `data` if it is torn; `at` if it is none, or takes
    too long to tell."""
    end = _end(data, at, budget)
    return end if end > 0 else len(data) + 1 if -end >= len(data) - 4 else at


def _end(data: bytes, at: int, budget: Budget) -> int:
    """Return where the JPEG file at `at` ends; less the place where it is seen to be none, or looking stops."""
    imported("numba", "nzip.formats.content.containers.scan_kernel")
    import numpy as np

    from nzip.formats.content.containers import scan_kernel

    end = int(scan_kernel.jpeg_end(np.frombuffer(data, np.uint8), at, max(0, budget.walked)))
    budget.walk(max(0, abs(end) - at))
    return end
