"""How many threads to use."""

from __future__ import annotations

import os


def thread_count(threads: int) -> int:
    """Return the number of threads that `threads` asks for; 0 asks for one a core this process may use.

    Raises:
        ValueError: it is negative.
    """
    if threads < 0:
        raise ValueError(f"threads must be 0 or more, not {threads}")
    if threads:
        return threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
