"""The examples of the pages of the engines of context mixing: the blocks that they describe, the payloads they show."""

from __future__ import annotations

import re

from naive_segments import AUDIO, BINARY, BITMAP, IMAGE, TEXT, Stretch

Parts = list[tuple[bytes, Stretch]]

WORDS: Parts = [(b"the cat and the dog and the bird sat on the mat. " * 3, Stretch(TEXT, 147))]
FOUR: Parts = [
    (b"name,size\nalpha,17\nbeta,218\ngamma,9\n", Stretch(TEXT, 36)),
    (b"".join(bytes((k, 0, k * k % 256, 0)) for k in range(16)), Stretch(BINARY, 64, 4)),
    (
        bytes((10 * x + 5 * y + 40 * c) % 256 for y in range(4) for x in range(6) for c in range(3)),
        Stretch(IMAGE, 72, 18, 3),
    ),
    (
        b"".join((37 * k * k % 2000 - 1000).to_bytes(2, "little", signed=True) * 2 for k in range(16)),
        Stretch(AUDIO, 64, 0, 4, 2),
    ),
]
FIVE: Parts = [*FOUR, (b"".join((255 << k).to_bytes(3, "big") for k in range(16)), Stretch(BITMAP, 48, 3))]
LINES: Parts = [(b"import sys\n\n\ndef main():\n    print(len(sys.argv), file=sys.stderr)\n", Stretch(TEXT, 67))]


def shown(page: str) -> dict[str, bytes]:
    """Return the payloads among a page's examples, by the parameters before them."""
    examples = page.split("\n## Examples\n")[1].split("\n## ")[0]
    found = re.findall(r"`([0-9A-F]{2} [0-9A-F]{2})`.*?\n\n((?: {4}(?:[0-9A-F]{2} ?)+\n)+)", examples + "\n", re.DOTALL)
    return {packed: bytes.fromhex(payload) for packed, payload in found}
