"""How many blocks are coded side by side: as many as there are threads for, and as fit in the memory."""

from __future__ import annotations

import contextlib
import os

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.threads import thread_count
from nzip.errors import over_memory
from nzip.settings import Settings


def memory_budget() -> int:
    """Return the bytes that all threads together may use when no limit is given: half of the machine's memory.

    It only decides how many blocks are coded side by side, never whether a file can be decoded.
    """
    sizes = []
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
        sizes.append(int(file.read()))
    return max(min(sizes, default=DEFAULT_MAX_MEMORY) // 2, 1 << 28)


def encode_threads(threads: int, size: int | None, max_memory: int | None, settings: Settings) -> int:
    """Return how many of `threads` have work and fit in the memory."""
    count = thread_count(threads)
    if size is not None:
        count = max(1, min(count, -(-size // settings.block_size)))
    budget = memory_budget() if max_memory is None else max_memory
    while count > 1 and settings.encode_memory(size, count) > budget:
        count -= 1
    if max_memory is not None and (needed := settings.encode_memory(size)) > max_memory:
        remedy = "raise max_memory, or take a lower level or smaller blocks (block_size)"
        raise over_memory("compressing", needed, max_memory, remedy)
    return count
