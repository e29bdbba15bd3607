"""What an engine reads of an old file beside a block that is like a part of it.

A block holds what is left between its copies. Where a copy from the old file ends, that file goes on with what stood
there before: this is what the rest most likely resembles, and the engine reads it before it codes the rest. Then it
reads the last bytes of the copy, which is what the rest follows. A small file is read before the block, as a whole.

docs/reference/FORMAT.md, section 2.7, defines it. Both sides make it of the block's copies, so nothing of it is stored
but how much.
"""

from __future__ import annotations

from collections.abc import Iterable

from nzip.formats.container.copies import Copy

HEAD = 32  # bytes that are read before the first one behind a copy
WIDE = 4096  # bytes in the old file between two copies that are read, beside four times those between them in the new
WHOLE = 0  # the margin that stands for all of the old file
MARGIN = 64

def heads(
    copies: Iterable[Copy], before: int, literals: int, old: int, margin: int
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Return what of the old file is read within a block.

    Args:
        copies: of the block, in order.
        before: blocks of the member before it.
        literals: bytes of the block that are in no copy.
        old: bytes of the old file.
        margin: bytes that are read on either side of what stands between two copies; `WHOLE` where the whole file is
            read before the block, and nothing of this.

    Returns:
        Places among the literals, and of each the starts and ends in the old file.
    """
    found: list[tuple[int, list[tuple[int, int]]]] = []
    place, end = 0, -1  # behind the latest copy: among the literals, and in the old file or -1

    def between(stop: int, start: int) -> None:
        """Note what is read before the literals up to `stop`, behind which a copy from `start` (or -1) follows."""
        size = stop - place
        if not size:
            return
        parts = []
        if margin != WHOLE:
            if end >= 0 and 0 <= start - end <= 4 * size + WIDE:
                parts.append((end - margin, start + margin))
            elif end >= 0:
                parts.append((end - margin, end + size + margin))
            elif start >= 0:
                parts.append((start - size - margin, start + margin))
        if end >= 0:
            parts.append((end - HEAD, end))
        parts = [(max(0, first), min(old, last)) for first, last in parts]
        if any(first < last for first, last in parts):
            found.append((place, parts))

    for copy in copies:
        start = copy.offset if copy.back == before + 1 else -1
        between(copy.place, start)
        place, end = copy.place, (-1 if start < 0 else min(start + copy.length, old))
    between(literals, -1)
    return found


def size_of(heads: list[tuple[int, list[tuple[int, int]]]]) -> int:
    """Return how many bytes these are."""
    return sum(max(0, last - first) for _, parts in heads for first, last in parts)
