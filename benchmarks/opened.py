"""What packing a container costs beside packing what is in it: JAR, wheels, office files, PDF.

    python benchmarks/opened.py FILE... [--level 6] [--out opened.json]

Of a ZIP the content is all members, joined; of a PDF what stands in it with every stream inflated that can be. Both are
packed with the same level, decoded and compared. Results: benchmarks/results/opened.json.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import zipfile
from pathlib import Path
from typing import Any

import nzip
from nzip.formats.content import tree
from nzip.formats.content.tree import leaves
from nzip.settings import Room

RESULT = Path(__file__).parent / "results" / "opened.json"
MOST = 1 << 28  # bytes that a file's content may have


def content(data: bytes) -> bytes:
    """Return what is in a file, inflated."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as files:
            return b"".join(map(files.read, files.namelist()))
    return b"".join(leaf.data for leaf in leaves(tree.grow(data, Room(MOST, MOST))))


def packed(data: bytes, level: int) -> int:
    small = nzip.compress(data, level)
    assert nzip.decompress(small) == data
    return len(small)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--level", type=int, default=6)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for path in args.files:
        data = path.read_bytes()
        inside = content(data)
        row = {"file": path.name, "bytes": len(data), "content": len(inside)}
        row |= {"packed": packed(data, args.level), "content_packed": packed(inside, args.level)}
        rows.append(row)
        print(*row.values(), f"{row['packed'] / row['content_packed'] - 1:+.2%}", flush=True)
    result = {"tool": "opened", "nzip": nzip.__version__, "python": platform.python_version(), "level": args.level}
    args.out.write_text(json.dumps({**result, "files": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
