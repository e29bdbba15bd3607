"""The presets of the engine `pcm`, as data."""

from __future__ import annotations

from typing import NamedTuple


class Solver(NamedTuple):
    """Linear prediction by least squares.

    Attributes:
        own: samples of the channel that predict.
        partner: samples of its partner's.
        each: log2 of the samples between solutions.
        decay: sums lose one part in 2^decay each time.
    """

    own: int
    partner: int
    each: int
    decay: int


class Filter(NamedTuple):
    """A filter that follows a gradient, with so many taps and so large a step."""

    taps: int
    step: int


class Preset(NamedTuple):
    """Solvers, the main one first, and filters, the longest first."""

    solvers: tuple[Solver, ...]
    filters: tuple[Filter, ...]


FILTERS = (Filter(1024, 1 << 23), Filter(256, 1 << 24), Filter(16, 1 << 25))
PRESETS = {
    1: Preset((Solver(32, 16, 6, 3), Solver(16, 8, 5, 3), Solver(8, 4, 4, 2), Solver(128, 32, 11, 1)), FILTERS),
    2: Preset((Solver(32, 16, 3, 6), Solver(16, 8, 3, 5), Solver(8, 2, 2, 4), Solver(256, 64, 9, 3)), FILTERS),
}
