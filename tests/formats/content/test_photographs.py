"""Photographs are told from drawings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nzip.formats.content.kinds import Segment
from nzip.formats.content.photographs import FILMED, judged, photographic


def segment(pixels: npt.NDArray[np.uint8]) -> Segment:
    _, width, channels = pixels.shape
    return Segment(
        "image", pixels.size, width=1, channels=channels, stride=channels, row=width * channels, confidence=95
    )


def slope(height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    y, x, c = np.mgrid[:height, :width, :channels]
    noise = np.random.default_rng(1).integers(-3, 4, y.shape)
    return np.clip(90 + 30 * np.sin(y / 5 + c) + 2 * x + noise, 0, 255).astype(np.uint8)


def test_photographs_are_told_from_drawings() -> None:
    photograph = slope(60, 60, 3)
    assert photographic(photograph.tobytes(), segment(photograph))
    drawing = np.tile(np.random.default_rng(2).integers(0, 9, (10, 10, 1)), (9, 9, 1)).astype(np.uint8)
    assert not photographic(drawing.tobytes(), segment(drawing))
    assert not photographic(photograph.tobytes(), replace(segment(photograph), indexed=True))
    assert photographic(b"", Segment("image", 0))
    assert judged(drawing.tobytes(), segment(drawing)).indexed
    assert not judged(photograph.tobytes(), segment(photograph)).indexed
    filmed = replace(segment(drawing), confidence=FILMED)
    assert judged(drawing.tobytes(), filmed) == filmed
