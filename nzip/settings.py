"""Levels 1..9: named bundles of an engine, its parameters and a block size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nzip.registry import ENGINES

MIB = 1 << 20
DEFAULT_LEVEL = 6
MIN_BLOCK_SIZE = 1 << 10


@dataclass(frozen=True)
class Level:
    """One level.

    Attributes:
        number: 1..9.
        engine: the engine's name.
        params: its parameters for a full block.
        block_size: bytes cut from the input at a time. A larger block compresses better; the blocks of an input
            are coded side by side when there are threads for them.
        summary: what it is for, in a few words.
    """

    number: int
    engine: str
    params: dict[str, Any] = field(hash=False)
    block_size: int
    summary: str

    @property
    def memory(self) -> int:
        """Bytes of memory that one thread needs to encode a full block.

        Beside the engine's own these are four blocks: the one being filled, the one being coded, its payload
        and the chunk made of it.
        """
        engine = ENGINES.by_name(self.engine)
        params = engine.fit(self.params, self.block_size)
        return engine.encode_memory(params, self.block_size) + 4 * self.block_size


LEVELS: dict[int, Level] = {
    level.number: level
    for level in (
        Level(1, "zstd", {"level": 3, "window": 23}, 8 * MIB, "fastest"),
        Level(2, "zstd", {"level": 12, "window": 24}, 16 * MIB, "fast, decodes fast"),
        Level(3, "cmfast", {"streams": 2}, 8 * MIB, "context mixing at several MB/s"),
        Level(4, "cmfast", {"streams": 1}, 12 * MIB, "the same, a little smaller and slower"),
        Level(5, "cm", {"preset": 2}, 12 * MIB, "context mixing, quicker than the default"),
        Level(6, "cm", {"preset": 3}, 12 * MIB, "the default"),
        Level(7, "cmstrong", {"preset": 1}, 48 * MIB, "more contexts"),
        Level(8, "cmstrong", {"preset": 2}, 48 * MIB, "many contexts"),
        Level(9, "cmstrong", {"preset": 3}, 48 * MIB, "smallest"),
    )
}


def levels() -> dict[int, Level]:
    """Return the levels by number."""
    return dict(LEVELS)


def level_of(number: int) -> Level:
    """Return level `number`.

    Raises:
        ValueError: it is not in 1..9.
    """
    if number not in LEVELS:
        raise ValueError(f"level {number!r} is not in 1..9")
    return LEVELS[number]
