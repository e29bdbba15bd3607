"""Settings of the encoder: what a level of zlib's stands for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

Array = Any

DEFAULT, FILTERED, HUFFMAN, RLE, FIXED_CODES, GZIP = range(6)  # strategies; the last is GNU gzip's own program

# level: good, lazy, nice, chain
LEVELS = (
    (0, 0, 0, 0),
    (4, 4, 8, 4),
    (4, 5, 16, 8),
    (4, 6, 32, 32),
    (4, 4, 16, 16),
    (8, 16, 32, 32),
    (8, 16, 128, 128),
    (8, 32, 128, 256),
    (32, 128, 258, 1024),
    (32, 258, 258, 4096),
)
TOO_FAR = 4096  # from where on matches of three bytes are left out
GREEDIEST = 3  # levels up to this take what they find


class Settings(NamedTuple):
    """How an encoder is set.

    Attributes:
        level: 1 to 9.
        strategy: one of the above.
        memory: zlib's memLevel, 1 to 9: of the table of hashes.
        window: its logarithm, 9 to 15.
        block: zlib's memLevel, as far as it says how many tokens a block has.
        less: tokens that a block has less (0 or 1).
        first: 1: the first place of all is found as any other, which most encoders do not.
        far: 1: matches of three bytes are not left out however far they are.
    """

    level: int = 6
    strategy: int = DEFAULT
    memory: int = 8
    window: int = 15
    block: int = 8
    less: int = 0
    first: int = 0
    far: int = 0

    def full(self) -> int:
        """Return the tokens of a full block."""
        return 0x7FFF if self.strategy == GZIP else (1 << (self.block + 6)) - 1 - self.less

    def form(self, marks: list[int]) -> tuple[object, ...]:
        """Return what decides how given tokens are written."""
        stopping = self.strategy == GZIP and self.level > 2
        return self.full(), stopping, self.strategy == FIXED_CODES, self.window, tuple(marks)

    def matching(self) -> tuple[int, ...]:
        """Return what decides which tokens are chosen."""
        strategy = DEFAULT if self.strategy == FIXED_CODES else self.strategy
        return self.level, strategy, self.memory, self.window, self.first, self.far

    @lru_cache(maxsize=512)  # noqa: B019 - settings are values
    def packed(self) -> Array:
        """Return the array that the kernel takes (int64), but for the steps that are allowed."""
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel as kernel

        out = np.zeros(kernel.SETTINGS, np.int64)
        good, lazy, nice, chain = LEVELS[self.level]
        matcher = kernel.GREEDY if self.level <= GREEDIEST else kernel.PATIENT
        if self.strategy == HUFFMAN:
            matcher = kernel.NOTHING
        elif self.strategy == RLE:
            matcher = kernel.RUNS
        bits = self.memory + 7
        out[kernel.MATCHER], out[kernel.GOOD], out[kernel.LAZY] = matcher, good, lazy
        out[kernel.NICE], out[kernel.CHAIN] = nice, chain
        out[kernel.HASH_BITS], out[kernel.HASH_SHIFT] = bits, (bits + 2) // 3
        out[kernel.WINDOW], out[kernel.BLOCK] = 1 << self.window, self.full()
        out[kernel.SHORT] = self.strategy == FILTERED and self.level > GREEDIEST
        out[kernel.FIXED] = self.strategy == FIXED_CODES
        out[kernel.GZIP] = 0 if self.strategy != GZIP else (2 if self.level > 2 else 1)
        out[kernel.FIRST] = self.first
        out[kernel.TOO_FAR] = 1 << self.window if self.far else TOO_FAR
        return out
