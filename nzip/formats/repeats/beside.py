"""What an engine reads of an old file beside a block that is like a part of it.

A block holds what is left between its copies. Where a copy from the old file ends, that file goes on with what stood
there before: this is what the rest most likely resembles, and the engine reads it before the block. And before the
first byte behind a copy the engine reads the last bytes of the copy, as they are what that byte follows.

docs/reference/FORMAT.md, section 2.6, defines it. Both sides make it of the block's copies, so nothing of it is stored
but how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nzip.formats.container.copies import Copy

HEAD = 32  # bytes that are read before the first one behind a copy
WIDE = 4096  # bytes in the old file between two copies that are read, beside four times those between them in the new
WHOLE = 0  # the margin that stands for all of the old file

Read = Callable[[int, int], bytes]
"""Gives the bytes of the old file from one place to another."""


def stretches(
    copies: Iterable[Copy], before: int, literals: int, old: int, margin: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int, int]]]:
    """Return what of the old file is read before a block, in its order; and where heads stand.

    Args:
        copies: of the block, in order.
        before: blocks of the member before it.
        literals: bytes of the block that are in no copy.
        old: bytes of the old file.
        margin: bytes that are read beside what stands between two copies; `WHOLE` for the whole file.

    Returns:
        Starts and ends in the old file; and of each head its place among the literals, start and end.
    """
    found: list[tuple[int, int]] = [(0, old)] if margin == WHOLE else []
    heads: list[tuple[int, int, int]] = []
    end = -1  # in the old file, of the copy at the place; -1 for none from there
    place = 0

    def between(start: int, stop: int, start_at: int) -> None:
        """Note the literals from `start` to `stop`, when a copy from `start_at` (or -1) follows."""
        size = stop - start
        if size and end >= 0:
            heads.append((start, max(0, end - HEAD), end))
        if not size or margin == WHOLE:
            return
        if end >= 0 and 0 <= start_at - end <= 4 * size + WIDE:
            found.append((end - margin, start_at + margin))
            return
        if end >= 0:
            found.append((end - margin, end + size + margin))
        if start_at >= 0:
            found.append((start_at - size - margin, start_at + margin))

    for copy in copies:
        start = copy.offset if copy.back == before + 1 else -1
        between(place, copy.place, start)
        place, end = copy.place, (-1 if start < 0 else min(start + copy.length, old))
    between(place, literals, -1)
    joined: list[tuple[int, int]] = []
    for start, stop in sorted((max(0, start), min(old, stop)) for start, stop in found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        elif stop > start:
            joined.append((start, stop))
    return joined, heads


def size_of(stretches: list[tuple[int, int]], heads: list[tuple[int, int, int]]) -> int:
    """Return how many bytes these are."""
    return sum(stop - start for start, stop in stretches) + sum(stop - start for _, start, stop in heads)
