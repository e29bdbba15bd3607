"""The presets as data, and what they come to in tables of a size."""

from __future__ import annotations

from typing import NamedTuple

from nzip.models.dna.layout import CELLS, COUNTS, FRAMES, GUESSES, MAP_ROWS, MATCHES, ROWS


class Preset(NamedTuple):
    """What a preset looks at, in nucleotides of context.

    Attributes:
        cells, frames, counts: of the models of these kinds; of `frames` the first tells readings apart.
        matches: the least that copies, and inverted copies, agree in.
        bits: log2 of the rows of a table, at most.
    """

    cells: tuple[int, ...]
    frames: tuple[int, ...]
    counts: tuple[int, ...]
    matches: tuple[int, ...]
    bits: int

    @property
    def models(self) -> int:
        """How many models there are: one less than inputs of the mixer."""
        return len(self.cells) + len(self.frames) + len(self.counts) + 2 * len(self.matches)

    @property
    def vectors(self) -> int:
        """Inputs of the mixer, in sixteens."""
        return self.models // 16 + 1


PRESETS = {
    1: Preset((3, 8, 11), (5, 9), (12, 18), (20,), 22),
    2: Preset((2, 4, 6, 8, 11), (5, 8, 10), (12, 16, 20), (24, 12), 22),
    3: Preset((1, 2, 3, 4, 6, 8, 9, 10, 11), (5, 2, 3, 4, 7, 8, 10), (12, 11, 14, 16, 18, 22), (24, 12, 16, 20), 22),
}
PRESETS[4] = PRESETS[3]._replace(bits=24)


class Tables(NamedTuple):
    """Where models stand.

    Attributes:
        plan: a row for each: context, first row, log2 of rows, kind, and 1 for inverted copies.
        cells, counts, places: rows of these tables.
    """

    plan: list[tuple[int, int, int, int, int]]
    cells: int
    counts: int
    places: int

    def memory(self, preset: Preset) -> int:
        """Bytes of all tables."""
        maps = 4 * (MAP_ROWS * len(preset.counts) + 2 * GUESSES * len(preset.matches))
        return 8 * self.cells + 4 * self.counts + 4 * self.places + maps + 4 * ROWS * (16 * preset.vectors + 1)


def tables_of(preset: Preset, bits: int) -> Tables:
    """Return the tables of a preset, none with more than 2^bits rows."""
    plan, cells, counts, places = list[tuple[int, int, int, int, int]](), 0, 0, 0
    for order in preset.cells:
        rows = min(2 * order, bits)
        plan.append((order, cells, rows, CELLS, 0))
        cells += 1 << rows
    for order in preset.frames:
        rows = min(2 * order, bits - 2)
        plan.append((order, cells, rows, FRAMES, 0))
        cells += 6 << rows
    for order in preset.counts:
        rows = min(2 * order, bits)
        plan.append((order, counts, rows, COUNTS, 0))
        counts += 1 << rows
    for order in preset.matches:
        plan += [(order, places, bits - 2, MATCHES, 0), (order, places, bits - 2, MATCHES, 1)]
        places += 1 << (bits - 2)
    return Tables(plan, cells, counts, places)
