"""Writes `pinned.json`: what zlib 1.2.13 makes of `plains.PLAINS`. Run once, with the real zlib; tests only read it.

    PYTHONPATH=tests python tests/formats/openers/deflate/make_pinned.py
"""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

from formats.openers.deflate.plains import PLAINS

FLUSHES = {"sync": zlib.Z_SYNC_FLUSH, "full": zlib.Z_FULL_FLUSH, "partial": zlib.Z_PARTIAL_FLUSH}


def _seen(stream: bytes) -> list[object]:
    return [len(stream), hashlib.sha256(stream).hexdigest()[:16]]


def main() -> None:
    assert zlib.ZLIB_RUNTIME_VERSION == "1.2.13"
    settings = [(level, 8, 15, strategy) for level in range(1, 10) for strategy in range(5)]
    settings += [(level, memory, 15, 0) for level in (1, 6) for memory in (1, 2, 3, 4, 5, 6, 7, 9)]
    settings += [(level, 8, window, 0) for level in (3, 9) for window in range(9, 15)]
    rows = []
    for name, plain in PLAINS.items():
        for level, memory, window, strategy in settings:
            packer = zlib.compressobj(level, zlib.DEFLATED, -window, memory, strategy)
            stream = packer.compress(plain) + packer.flush()
            rows.append([name, level, memory, window, strategy, "", *_seen(stream)])
        for flush, value in FLUSHES.items():
            for level in (1, 6):
                packer = zlib.compressobj(level, zlib.DEFLATED, -15, 8, 0)
                parts = [packer.compress(plain[at : at + 5000]) + packer.flush(value) for at in (0, 5000, 10000)]
                stream = b"".join(parts) + packer.compress(plain[15000:]) + packer.flush()
                rows.append([name, level, 8, 15, 0, flush, *_seen(stream)])
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    Path(__file__).with_name("pinned.json").write_text(text)


if __name__ == "__main__":
    main()
