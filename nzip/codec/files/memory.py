"""How many blocks are coded side by side: as many as there are threads for, and as fit in the memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.threads import thread_count
from nzip.errors import LimitError
from nzip.registry import ENGINES
from nzip.settings import DEFAULT_LEVEL, level_of


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


def encode_memory(
    *,
    level: int = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
    block_size: int | None = None,
    size: int | None = None,
    threads: int = 1,
) -> int:
    """Return the bytes of memory that compressing `size` bytes (None if unknown) needs with these settings.

    What Python and compiled code take (some 150 MB with engine `cm`) is not counted.

    Raises:
        ValueError: a setting is out of range.
    """
    chosen = level_of(level)
    block = chosen.block_size if block_size is None else block_size
    if size is not None:
        block = max(1, min(block, size))
    if engine is None or (engine == chosen.engine and params is None):
        engine, params = chosen.engine, chosen.params
    coder = ENGINES.by_name(engine)
    fitted = coder.fit(params or {}, block)
    return block + threads * (coder.encode_memory(fitted, block) + 2 * block)


def encode_threads(threads: int, size: int | None, max_memory: int | None, settings: dict[str, Any]) -> int:
    """Return how many of `threads` have work and fit in the memory."""
    block = settings["block_size"] or level_of(settings["level"]).block_size
    count = thread_count(threads)
    if size is not None:
        count = max(1, min(count, -(-size // block)))
    budget = memory_budget() if max_memory is None else max_memory
    while count > 1 and encode_memory(**settings, size=size, threads=count) > budget:
        count -= 1
    if max_memory is not None and (needed := encode_memory(**settings, size=size)) > max_memory:
        raise LimitError(
            f"compressing needs {needed / 1048576:,.1f} MiB of memory and the limit is "
            f"{max_memory / 1048576:,.1f} MiB; raise it (-M), or take a lower level or smaller blocks (-B)"
        )
    return count
