"""The encoder: from what a stream holds, and settings, to the stream."""

from __future__ import annotations

from typing import Any

from nzip.formats.openers.deflate.settings import Settings
from nzip.process import imported

Array = Any
STEPS = 1024  # of searches that a byte may take, on the average, and
FEWEST = 1 << 16  # so many more
TRIES = 4  # times that, to find settings


class Encoder:
    """What is deflated, in the form that the kernels take.

    Args:
        plain: the bytes.
    """

    def __init__(self, plain: bytes | Array):
        imported("numba", "nzip.formats.openers.deflate.redo_kernel")
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel, trees_kernel

        given = np.frombuffer(plain, np.uint8)
        self.size = len(given)
        self.plain = np.zeros(self.size + redo_kernel.PAD, np.uint8)
        self.plain[: self.size] = given
        self.left = TRIES * (STEPS * self.size + FEWEST)  # steps that comparing may take
        self._none = np.empty(0, np.uint32)
        self._work = np.zeros(trees_kernel.WORK, np.int64)
        self._head = np.zeros(0, np.int32)
        self._before = np.empty(0, np.int32)
        self._tokens = self._none
        self._agreed: dict[tuple[object, ...], int] = {}

    def _run(
        self, settings: Settings, stops: list[int], marks: list[int], out: Array, wanted: Array
    ) -> tuple[int, int]:
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel, trees_kernel
        from nzip.formats.openers.deflate.constants import TABLES

        allowed = STEPS * self.size + FEWEST
        if len(wanted):
            allowed = min(allowed, self.left)
        packed = settings.packed().copy()
        packed[redo_kernel.STEPS] = allowed
        hashes, window = 1 << int(packed[redo_kernel.HASH_BITS]), 1 << settings.window
        if len(self._head) == hashes:
            self._head[:] = 0
        else:
            self._head = np.zeros(hashes, np.int32)
        if len(self._before) != window:
            self._before = np.empty(window, np.int32)
        most = min(settings.full(), self.size) + 1
        if not len(wanted) and len(self._tokens) != most:
            self._tokens = np.empty(most, np.uint32)
        self._work[:] = 0
        status = redo_kernel.redo(
            self.plain, self.size, packed, np.array(stops, np.int64), np.array([*marks, 0], np.int64), self._head,
            self._before, self._tokens, self._work, TABLES, out, wanted,
        )  # fmt: skip
        if len(wanted):
            self.left -= max(0, allowed - int(packed[redo_kernel.STEPS]))
        return int(status), int(self._work[trees_kernel.AT])

    def agrees(self, settings: Settings, stops: list[int], marks: list[int], tokens: Array) -> int:
        """Return how many tokens from the first on are those that these settings give; `stops` and `tokens` are the
        same in all calls."""
        if not len(tokens) or self.left <= 0:
            return 0
        key = (*settings.matching(), *marks)
        if key not in self._agreed:
            self._agreed[key] = self._run(settings, stops, marks, self.plain[:0], tokens)[0]
        return self._agreed[key]

    def redone(self, settings: Settings, stops: list[int], marks: list[int], size: int) -> bytes | None:
        """Return the stream, None if it has more than `size` bytes."""
        import numpy as np

        out = np.empty(size, np.uint8)
        status, written = self._run(settings, stops, marks, out, self._none)
        return out[:written].tobytes() if status >= 0 and written <= size else None
