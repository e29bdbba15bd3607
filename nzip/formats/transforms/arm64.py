"""Transform `arm64`: relative targets in 64-bit ARM code become places in the block.

An instruction has four bytes, lowest first, and lies at a multiple of four. Two of them name what is far away: a call
(BL) by a distance in instructions; ADRP, which stands before loads and stores, by a distance in pages of 4 KiB ("Arm
Architecture Reference Manual for A-profile", C6.2). Two calls of one function differ; as places they are equal, and an
engine sees a repeat. Only distances below 32 MiB are rewritten, and to such: data that happens to look like an
instruction mostly has another. The other bits of an instruction stay, so the inverse finds the same ones.
docs/reference/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nzip.formats.content.kinds import Content
from nzip.formats.transforms.base import Chain, CodeTransform
from nzip.params import Flag, Parameters, Params

PART = 1 << 18  # instructions that are looked at together, so that little memory is taken
LEAST = 16  # instructions of a kind that pay
SHARE = 64  # of them, one in so many must share its place with others


@dataclass(frozen=True)
class Kind:
    """One kind of instruction.

    Attributes:
        mask, word: it is one of these where `instruction & mask == word`.
        bits: of the distance, which has a sign: its lowest two stand from bit `low` on, the others from `high` on.
        unit: log2 of the instructions that a distance counts by.
        reach: distances from `-reach` up to `reach - 1` are rewritten; a power of two.
    """

    mask: int
    word: int
    bits: int
    low: int
    high: int
    unit: int
    reach: int

    def find(self, words: Any, first: int = 0) -> tuple[Any, Any, Any]:
        """Return of these instructions in `words` (uint32 array) the indices, distances plus `reach`, and places.

        The block's instruction `first` is the first of `words`.
        """
        import numpy as np

        at = np.flatnonzero(words & self.mask == self.word)
        found = words[at]
        distance = (found >> self.low & 3) | (found >> self.high & ((1 << self.bits - 2) - 1)) << 2
        raised = (distance + self.reach) & ((1 << self.bits) - 1)
        near = raised < 2 * self.reach
        at = at[near]
        return at, raised[near], (at + first >> self.unit).astype(np.uint32)

    def write(self, words: Any, at: Any, raised: Any) -> None:
        """Give the instructions at `at` distances, which are `raised` by `reach` and taken modulo its double."""
        distance = ((raised & (2 * self.reach - 1)) - self.reach) & ((1 << self.bits) - 1)
        others = 0xFFFFFFFF - (3 << self.low) - (((1 << self.bits - 2) - 1) << self.high)
        words[at] = words[at] & others | (distance & 3) << self.low | distance >> 2 << self.high

    def repays(self, words: Any) -> bool:
        """Whether the places are clearly fewer than the distances."""
        import numpy as np

        _, raised, places = self.find(words)
        targets = (raised + places) & (2 * self.reach - 1)
        fewer = len(np.unique(raised)) - len(np.unique(targets))
        return len(raised) >= LEAST and fewer * SHARE >= len(raised)


CALL = Kind(mask=0xFC000000, word=0x94000000, bits=26, low=0, high=2, unit=0, reach=1 << 23)
PAGE = Kind(mask=0x9F000000, word=0x90000000, bits=21, low=29, high=5, unit=10, reach=1 << 13)


class Arm64Transform(CodeTransform):
    """Rewrites the distances in BL and ADRP; the length stays."""

    name = "arm64"
    id = 4
    version = 1
    parameters = Parameters(
        "transform arm64",
        Flag(name="adrp", default=1, bits=8, help="1 to rewrite those of ADRP (pages of data) too."),
    )

    def rewritten(self, data: bytes, params: Params, back: bool) -> bytes:
        words = _words(data)
        for first in range(0, len(words), PART):
            part = words[first : first + PART]
            for kind in (CALL, PAGE)[: 1 + params["adrp"]]:
                at, raised, places = kind.find(part, first)
                kind.write(part, at, raised - places if back else raised + places)
        return words.astype("<u4", copy=False).tobytes() + data[4 * len(words) :]

    def proposals(self, content: Content, before: Chain, sees_records: bool, sees_lines: bool) -> list[dict[str, Any]]:
        return [{"adrp": 1}, {"adrp": 0}] if content.kind == "exe-arm64" and not before else []

    def repays(self, block: bytes, params: Params) -> bool:
        words = _words(block)
        return CALL.repays(words) and (params["adrp"] == 0 or PAGE.repays(words))


def _words(data: bytes) -> Any:
    """Return the instructions as integers of the machine; the bytes behind the last whole one are left out."""
    import numpy as np

    return np.frombuffer(data, "<u4", len(data) // 4).astype(np.uint32)
