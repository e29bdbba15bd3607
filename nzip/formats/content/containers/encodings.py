"""Runs of base64 and hexadecimal digits in text: mail, certificates, notebooks, SVG, RTF, PostScript."""

from __future__ import annotations

from typing import Any

from nzip.formats.content.containers.base import Found
from nzip.process import imported

LEAST = 256  # characters of a run
MOST_RUNS = 1 << 14
SAMPLE = 1 << 14


def find(data: bytes) -> list[Found]:
    """Return the runs of `data` that are worth opening, in order."""
    imported("numba", "nzip.formats.content.containers.encodings_kernel")
    import numpy as np

    from nzip.formats.content.containers import encodings_kernel as loop

    table = np.empty((min(MOST_RUNS, len(data) // LEAST + 1), 7), np.int64)
    count = loop.runs(np.frombuffer(data, np.uint8), LEAST, table)
    found: list[Found] = []
    for start, stop, alphabet, first, line, last, between in table[:count].tolist():
        hints: dict[str, Any] = {}
        if line:
            gap = data[start + first : start + first + between]
            hints = {"first": first, "line": line, "last": last, "between": gap}
        if alphabet & loop.HEXADECIMAL:
            found.append(Found(start, stop, "hexadecimal", hints))
        elif _varied(data[start : min(stop, start + SAMPLE)]):
            found.append(Found(start, stop, "base64", hints))
    return found


def _varied(text: bytes) -> bool:
    """Whether characters are as base64 has them, rather than words, sequences of proteins, or one letter for ever."""
    import numpy as np

    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=256)
    upper, lower, digits = (int(counts[a : b + 1].sum()) for a, b in ((65, 90), (97, 122), (48, 57)))
    return upper * 8 >= len(text) and lower * 16 >= len(text) and digits * 32 >= len(text)
