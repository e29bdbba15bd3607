"""The presets as data."""

from __future__ import annotations

from typing import NamedTuple


class Preset(NamedTuple):
    """What a preset looks at.

    Attributes:
        strong: whether the second list of contexts is used.
        contexts: how many there are.
        sets: weight sets of the mixer.
        lanes: its inputs, a multiple of 16.
        rate, start, fall: how fast its weights learn, what is added for unused ones, and how soon that is gone.
        limit: of the counts of cells.
        taps: samples that foretell one.
        fits: for each prediction its taps, the blocks to each side that it learns from (-1: all), and how much less
            all rows before weigh (log2).
        first: weights at first.
    """

    strong: bool
    contexts: int
    sets: int
    lanes: int
    rate: int
    start: int
    fall: int
    limit: int
    taps: int
    fits: tuple[tuple[int, int, int], ...]
    first: int


PRESETS = {
    1: Preset(False, 13, 2, 16, 60, 0, 100, 250, 16, ((16, 1, 0), (16, -1, 0)), 7864),
    2: Preset(
        True, 41, 6, 48, 20, 60, 200, 250, 32, ((16, 1, 0), (32, -1, 0), (8, 0, 2), (32, 2, 0), (24, 1, 0)), 700
    ),
}  # fmt: skip
