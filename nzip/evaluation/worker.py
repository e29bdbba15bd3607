"""Measures one codec, in a process of its own so that its memory can be told from everyone else's.

`measure` is the measurement. `main` is the process: it reads one JSON request from standard input and writes one JSON
line for each file to standard output.

Memory is the highest resident size while the call runs, less the resident size just before it, when the input is
already held. On Linux the kernel's own high-water mark is reset before each call; elsewhere only the mark of the whole
process is known, and a call that stays under an earlier one is counted as 0.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from nzip.evaluation.codecs import Codec, from_spec

ENOUGH_SECONDS = 5.0


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


def _best(call: Callable[[], bytes], repeat: int, external: bool) -> tuple[bytes, float, int]:
    """Return the result of `call`, the shortest time of `repeat` runs in seconds, and the memory of the first.

    Once they took `ENOUGH_SECONDS` together, no other run begins: noise weighs little in long ones.
    """
    taken: list[float] = []

    def timed() -> bytes:
        begin = time.perf_counter()
        out = call()
        taken.append(time.perf_counter() - begin)
        return out

    result, memory = peak_of(timed, external=external)
    while len(taken) < repeat and sum(taken) < ENOUGH_SECONDS:
        timed()
    return result, min(taken), memory


def measure(codec: Codec, data: bytes, *, repeat: int = 1) -> dict[str, Any]:
    """Compress and restore `data`, and return what it took.

    The first bytes (64 KiB, for most) are coded once beforehand, so that neither compiling nor loading is measured.

    Returns:
        `bytes_out`, `compress_s`, `decompress_s` (the best of `repeat`), `compress_memory`, `decompress_memory`
        (bytes), `restored` (whether the bytes came back).
    """
    head = data[: codec.warm_up]
    if not codec.external:
        codec.decompress(codec.compress(head), len(head))
    packed, compress_s, compress_memory = _best(lambda: codec.compress(data), repeat, codec.external)
    again, decompress_s, decompress_memory = _best(lambda: codec.decompress(packed, len(data)), repeat, codec.external)
    return {
        "bytes_out": len(packed),
        "compress_s": round(compress_s, 7),
        "decompress_s": round(decompress_s, 7),
        "compress_memory": compress_memory,
        "decompress_memory": decompress_memory,
        "restored": again == data,
    }


def main() -> int:
    """Serve one request: `{"spec": …, "repeat": …, "files": [path, …]}`."""
    request = json.loads(sys.stdin.read())
    # Nothing that a library prints may mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    begin = time.perf_counter()
    codec = from_spec(request["spec"])
    codec.prepare()
    print(json.dumps({"prepare_s": round(time.perf_counter() - begin, 3)}), file=answers, flush=True)
    for path in request["files"]:
        with open(path, "rb") as file:
            data = file.read()
        answer = measure(codec, data, repeat=request["repeat"])
        print(json.dumps(answer), file=answers, flush=True)
    return 0
