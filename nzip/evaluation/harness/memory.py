"""The highest resident size of a call.

On Linux the kernel's own high-water mark is reset before each call; elsewhere only the mark of the whole process is
known, and a call that stays under an earlier one is counted as 0.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Any


def _status(field: str) -> int | None:
    """Return a `Vm...` line of this process in bytes, or None where there is none."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _usage(children: bool) -> int:
    """Return what `getrusage` calls the highest resident size, in bytes; 0 where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def highest_resident() -> int:
    """Return the highest resident size of this process in bytes since the start or the last reset."""
    # Not ru_maxrss where there is a choice: a process inherits that of the one it was started from.
    mark = _status("VmHWM")
    return _usage(children=False) if mark is None else mark


def reset_highest_resident() -> bool:
    """Let the mark fall to the present size, where the system can; return whether it did.

    Freed memory is given back first, so that what follows has to ask for its own.
    """
    _trim()
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


def _trim() -> None:
    """Give freed memory back to the system, so that the next call has to ask for its own."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def peak_of(call: Callable[[], Any], *, external: bool = False) -> tuple[Any, int]:
    """Run `call` and return its result and the bytes by which it raised the resident size at its highest.

    With `external` the memory is that of the programs it ran: the highest of them since this process began.
    """
    if external:
        return call(), _usage(children=True)
    reset_highest_resident()
    before = highest_resident()
    result = call()
    return result, max(0, highest_resident() - before)
