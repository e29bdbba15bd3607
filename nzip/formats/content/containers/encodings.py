"""Runs of base64 and hexadecimal digits in text: mail, certificates, notebooks, SVG, RTF, PostScript."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from nzip.entropy.jit import Native
from nzip.formats.content.containers.alphabets import HEXADECIMAL, LETTERS
from nzip.formats.content.containers.base import Found
from nzip.process import imported

LEAST = 256  # characters of a run
MOST_RUNS = 1 << 14
SAMPLE = 1 << 14
COLUMNS = 7  # that the loop writes of each

_runs = Native("nzip.formats.content.containers.encodings_kernel", "runs")


def find(data: bytes) -> list[Found]:
    """Return the runs of `data` that are worth opening, in order."""
    imported("numpy")
    import numpy as np

    table = np.empty(COLUMNS * min(MOST_RUNS, len(data) // LEAST + 1), np.int64)
    count = _runs(np.frombuffer(data, np.uint8).copy(), _classes(), LEAST, table)
    found: list[Found] = []
    rows = table[: COLUMNS * count].reshape(-1, COLUMNS).tolist()
    for start, stop, alphabet, first, line, last, between in rows:
        hints: dict[str, Any] = {}
        if line:
            gap = data[start + first : start + first + between]
            hints = {"first": first, "line": line, "last": last, "between": gap}
        if alphabet & HEXADECIMAL:
            found.append(Found(start, stop, "hexadecimal", hints))
        elif _varied(data[start : min(stop, start + SAMPLE)]):
            found.append(Found(start, stop, "base64", hints))
    return found


@lru_cache(maxsize=1)
def _classes() -> Any:
    """Return the alphabets that each byte is of (uint8[256])."""
    import numpy as np

    kinds = np.zeros(256, np.uint8)
    for letters, kind in LETTERS:
        for letter in letters:
            kinds[letter] |= kind
    return kinds


def _varied(text: bytes) -> bool:
    """Whether characters are as base64 has them, rather than words, sequences of proteins, or one letter for ever."""
    import numpy as np

    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=256)
    upper, lower, digits = (int(counts[a : b + 1].sum()) for a, b in ((65, 90), (97, 122), (48, 57)))
    return upper * 8 >= len(text) and lower * 16 >= len(text) and digits * 32 >= len(text)
