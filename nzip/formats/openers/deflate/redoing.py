"""The encoder: from what a stream holds, and settings, to the stream."""

from __future__ import annotations

from typing import Any

from nzip.formats.openers.deflate.settings import Settings
from nzip.process import imported

Array = Any
STEPS = 1024  # of a search that a byte may take, on the average


class Encoder:
    """What is deflated, in the form that the kernels take.

    Args:
        plain: the bytes.
    """

    def __init__(self, plain: bytes | Array):
        imported("numba", "nzip.formats.openers.deflate.redo_kernel")
        import numpy as np

        from nzip.formats.openers.deflate.redo_kernel import PAD

        given = np.frombuffer(plain, np.uint8)
        self.size = len(given)
        self.plain = np.zeros(self.size + PAD, np.uint8)
        self.plain[: self.size] = given
        self._none = np.empty(0, np.uint32)

    def _run(
        self, settings: Settings, stops: list[int], marks: list[int], out: Array, wanted: Array
    ) -> tuple[int, int]:
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel, trees_kernel
        from nzip.formats.openers.deflate.constants import TABLES

        packed = settings.packed(STEPS * self.size + (1 << 16))
        work = np.zeros(trees_kernel.WORK, np.int64)
        head = np.zeros(1 << packed[redo_kernel.HASH_BITS], np.int32)
        before = np.empty(packed[redo_kernel.WINDOW], np.int32)
        tokens = np.empty(min(packed[redo_kernel.BLOCK], self.size) + 1, np.uint32)
        status = redo_kernel.redo(
            self.plain, self.size, packed, np.array(stops, np.int64),
            np.array([*marks, 0], np.int64), head, before, tokens, work, TABLES, out, wanted
        )
        return int(status), int(work[trees_kernel.AT])

    def agrees(self, settings: Settings, stops: list[int], marks: list[int], tokens: Array) -> int:
        """Return how many tokens from the first on are those that these settings give."""
        if not len(tokens):
            return 0
        return self._run(settings, stops, marks, self.plain[:0], tokens)[0]

    def redone(self, settings: Settings, stops: list[int], marks: list[int], size: int) -> bytes | None:
        """Return the stream, None if it has more than `size` bytes."""
        import numpy as np

        out = np.empty(size, np.uint8)
        status, written = self._run(settings, stops, marks, out, self._none)
        return out[:written].tobytes() if status >= 0 and written <= size else None
