"""Measures one codec, in a process of its own so that its memory can be told from everyone else's.

`measure` is the measurement. `main` is the process: it is sent one request and answers for each file.

Memory is the highest resident size while the call runs, less the resident size just before it, when the input is
already held (`harness.memory`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.selection import from_spec
from nzip.evaluation.harness.child import serve
from nzip.evaluation.harness.memory import peak_of

ENOUGH_SECONDS = 5.0


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
    """Serve one request: the codec's `spec`, `repeat` and the files' paths."""
    requests, send = serve()
    for spec, repeat, paths in requests:
        codec = from_spec(spec)
        codec.prepare()
        for path in paths:
            with open(path, "rb") as file:
                data = file.read()
            send(measure(codec, data, repeat=repeat))
    return 0
