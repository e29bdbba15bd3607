"""Engine `dna`: nucleotides, four a byte.

Genomes are coded by what followed the same nucleotides before, on either strand, as the special programs do it (Pratas,
Pinho and Ferreira, "Efficient compression of genomic sequences", DCC 2016), and by the place in a codon that a
nucleotide is likely to have: nobody says where genes are, and the reading that foretold best of late is taken.

docs/reference/DNA.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.jit import Native
from nzip.formats.content.kinds import Content
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.dna import layout
from nzip.models.dna.presets import PRESETS, Preset, Tables, tables_of
from nzip.params import Number, Parameters, Params
from nzip.process import lock

FIXED = 4 << 20  # memory: what tables do not count
LEAST_BITS = 12

code = Native("nzip.models.dna.kernel", "code")

_lock = lock()
_constants: dict[str, Any] = {}


class DnaEngine(Engine):
    """Codes a block of nucleotides: two bits each (A, C, G, T: 0, 1, 2, 3), the first in a byte's highest bits."""

    name = "dna"
    id = 15
    version = 1
    parameters = Parameters(
        "engine dna",
        Number(name="preset", help="1 is quick, 4 makes smallest.", bits=3, low=1, high=4, default=2, newer=True),
        Number(name="bits", help="Log2 of the rows of its tables.", bits=5, low=LEAST_BITS, high=24, default=None),
    )
    imports = ("numpy",)
    sees_records = False
    takes_transformed = False

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        fitted = self.parameters.check(params)
        if fitted["bits"] is None:
            fitted["bits"] = max(LEAST_BITS, min(PRESETS[fitted["preset"]].bits, (8 * size).bit_length()))
        return fitted

    def memory(self, params: Params, size: int) -> int:
        preset, tables = _tables_of(self.fit(params, size))
        return FIXED + tables.memory(preset) + 2 * size

    def accepts(self, content: Content) -> bool:
        return all(segment.kind == "nucleotides" for segment in content.segments)

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        coded = np.zeros(len(block), np.uint8)
        coder = bounds.begin()
        _run(False, np.frombuffer(block, np.uint8).copy(), coded, coder, params)
        end = bounds.finish(coder, coded)
        return bytes(len(block) + 1) if end > len(coded) else coded[:end].tobytes()

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        coded = np.frombuffer(payload, np.uint8).copy()
        coder = bounds.begin(coded)
        data = np.zeros(size, np.uint8)
        _run(True, data, coded, coder, params)
        bounds.check_end(coder, len(coded))
        return data.tobytes()

    def prepare(self) -> None:
        params = self.fit({"preset": 1}, 64)
        self.decode(self.encode(bytes(64), params), 64, params)


def _tables_of(params: Params) -> tuple[Preset, Tables]:
    preset = PRESETS[params["preset"]]
    return preset, tables_of(preset, params["bits"])


def rates() -> list[int]:
    """Return how far a row of cells follows what comes, by its visits, in 2^-16."""
    return [65536 // (visits + layout.DELAY) for visits in range(layout.STEADY + 1)]


def costs() -> list[int]:
    """Return 64 times the bits that a decision with the chance (k + 1/2) / 256 costs; chances end at 1/50."""
    found = []
    for k in range(256):
        chance = max(11, min(501, 2 * k + 1))  # of 512
        # 64 log2(512 / chance): how often chance^64 can be doubled up to 512^64.
        found.append((512**64 // chance**64).bit_length() - 1)
    return found


def guesses() -> list[int]:
    """Return the first chances, and counts, that a match goes on: by its length, misses, the last two, and bit."""
    found = []
    for grade in range(32):
        for misses in range(16):
            good, all_ = layout.SOON[0] + 2 * grade, layout.SOON[1] + 2 * grade + 8 * misses
            found += [(4194303 * good // all_) << 10 | 4] * 8
    return found


def maps() -> list[int]:
    """Return the first chances, and counts, of a one after counts of both: by node, counts of 0 and of 1."""
    found = []
    for node in range(3):
        extra = 4 if node == 0 else 2
        for zero in range(32):
            found += [(4194303 * (2 * one + extra) // (2 * (zero + one + extra))) << 10 | 6 for one in range(32)]
    return found


def _tables() -> dict[str, Any]:
    """The constant tables, under the names of the kernel's arguments."""
    with _lock:
        if not _constants:
            import numpy as np

            from nzip.models.cm import tables

            _constants.update(
                squash=np.array(tables.squash_values(), np.int32),
                stretch=np.array(tables.stretch_values(12), np.int32),
                rates=np.array(tables.rates(), np.int64),
                steps=np.array(rates(), np.int64),
                costs=np.array(costs(), np.int64),
            )
    return _constants


def _run(decode: bool, data: Any, coded: Any, coder: Any, params: Params) -> None:
    """Code the nucleotides of `data`."""
    import numpy as np

    preset, tables = _tables_of(params)
    weights = np.zeros((layout.ROWS, 16 * preset.vectors), np.int32)
    weights[:, : preset.models] = layout.FIRST * 15 // preset.models
    learned = {
        "cells": np.zeros(4 * tables.cells, np.uint16),
        "counts": np.zeros(2 * tables.counts, np.uint16),
        "places": np.zeros(tables.places, np.uint32),
        "maps": np.array(maps() * len(preset.counts), np.uint32),
        "guesses": np.array(guesses() * (2 * len(preset.matches)), np.uint32),
        "weights": weights.reshape(-1),
        "uses": np.zeros(layout.ROWS, np.uint32),
        "final": np.full(layout.FINAL_ROWS * layout.SETS, layout.FINAL_FIRST, np.int32),
    }
    plan = np.array(tables.plan, np.int64).reshape(-1)
    reached = np.zeros(1, np.int64)
    with progress.watching(reached, 0, len(data)):
        code(
            decode, data, 4 * len(data), coded, coder, plan, preset.models, preset.vectors,
            *learned.values(), *_tables().values(), reached,
        )  # fmt: skip
