"""The encoder: from what a stream holds, and settings, to the stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.formats.openers.deflate.settings import Settings
from nzip.process import imported

Array = Any
STEPS = 1024  # of searches that a byte may take, on the average, and
FEWEST = 1 << 16  # so many more
TRIES = 4  # times that, to find settings


class Arrays:
    """What kernels work in where settings are looked for; `head` has zeros between their calls."""

    def __init__(self) -> None:
        import numpy as np

        from nzip.formats.openers.deflate import trees_kernel
        from nzip.formats.openers.deflate.constants import FARTHEST

        self.head = np.zeros(1 << 16, np.int32)
        self.before = np.empty(FARTHEST, np.uint16)
        self.tokens = np.empty(1 << 15, np.uint32)
        self.work = np.zeros(trees_kernel.WORK, np.int64)


class Encoder:
    """What is deflated, in the form that the kernels take.

    Args:
        plain: the bytes.
        arrays: of an earlier encoder, to look for settings.
    """

    def __init__(self, plain: bytes | Array, arrays: Arrays | None = None):
        imported("numba", "nzip.formats.openers.deflate.redo_kernel")
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel

        given = np.frombuffer(plain, np.uint8)
        self.size = len(given)
        self.plain = np.zeros(self.size + redo_kernel.PAD, np.uint8)
        self.plain[: self.size] = given
        self._arrays = arrays

    @property
    def arrays(self) -> Arrays:
        """What the kernels work in."""
        if self._arrays is None:
            self._arrays = Arrays()
        return self._arrays

    def agreements(self, settings: Sequence[Settings], stops: list[int], marks: list[int], tokens: Array) -> list[int]:
        """Return for each of the settings how many tokens from the first on are those that they give."""
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel
        from nzip.formats.openers.deflate.tables import TABLES

        if not len(tokens):
            return [0] * len(settings)
        arrays, none, found = self.arrays, self.plain[:0], list[int]()
        given = np.array(stops, np.int64), np.array([*marks, 0], np.int64), arrays.head, arrays.before, tokens[:0]
        steps = TRIES * (STEPS * self.size + FEWEST)  # of all of them
        for each in settings:
            packed = each.packed().copy()
            packed[redo_kernel.STEPS] = steps
            found.append(
                redo_kernel.redo(self.plain, self.size, packed, *given, arrays.work, TABLES, none, tokens, given[0][:0])
            )
            steps = packed[redo_kernel.STEPS]
        return found

    def agreement(self, settings: Settings, stops: list[int], marks: list[int], tokens: Array, coded: bytes) -> int:
        """Return how many tokens from the first on are those of `tokens`, -1 if the stream that settings give is
        `coded`. It is given up where a token differs."""
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel, trees_kernel
        from nzip.formats.openers.deflate.tables import TABLES

        packed, arrays = settings.packed().copy(), self.arrays
        packed[redo_kernel.STEPS] = STEPS * self.size + FEWEST
        out = np.empty(len(coded), np.uint8)
        arrays.work[:] = 0
        status: int = redo_kernel.redo(
            self.plain, self.size, packed, np.array(stops, np.int64), np.array([*marks, 0], np.int64),
            arrays.head, arrays.before, arrays.tokens, arrays.work, TABLES, out, tokens, np.empty(0, np.int64),
        )  # fmt: skip
        if not len(tokens):
            arrays.head[:] = 0
        whole = status == len(tokens) and arrays.work[trees_kernel.AT] == len(coded)
        return -1 if whole and out.tobytes() == coded else max(status, 0)

    def redone(self, settings: Settings, stops: list[int], marks: list[int], size: int) -> bytes | None:
        """Return the stream, None if it has more than `size` bytes."""
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel, trees_kernel
        from nzip.formats.openers.deflate.tables import TABLES

        packed = settings.packed().copy()
        packed[redo_kernel.STEPS] = STEPS * self.size + FEWEST
        out = np.empty(size, np.uint8)
        work = np.zeros(trees_kernel.WORK, np.int64)
        status = redo_kernel.redo(
            self.plain, self.size, packed, np.array(stops, np.int64), np.array([*marks, 0], np.int64),
            np.zeros(1 << int(packed[redo_kernel.HASH_BITS]), np.int32), np.empty(1 << settings.window, np.uint16),
            np.empty(min(settings.full(), self.size) + 1, np.uint32), work, TABLES, out, np.empty(0, np.uint32),
            np.empty(0, np.int64),
        )  # fmt: skip
        written = int(work[trees_kernel.AT])
        return out[:written].tobytes() if status >= 0 and written <= size else None
