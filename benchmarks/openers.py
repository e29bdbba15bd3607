"""How many deflate streams of files are opened, what the recipes cost, and how quick that is.

Streams are looked for wherever one might start: behind headers of zlib, gzip and ZIP, and joined in PNG. Speeds are
CPU time, with that of Python's zlib for the same stream beside them.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from nzip.formats.openers.deflate.inflation import inflate  # noqa: E402
from nzip.formats.openers.deflate.opener import DeflateOpener  # noqa: E402

MOST = 1 << 28
LEAST = 32  # coded bytes of a stream that counts
ZLIB_STARTS = {
    bytes((a, b)) for a in range(0x08, 0x79, 16) for b in range(256) if (a * 256 + b) % 31 == 0 and not b & 32
}


def streams(data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield what was found before each raw deflate stream, and the stream."""
    at = 0
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from _png(data)
        return
    while at < len(data) - 8:
        found = _at(data, at)
        if found is None:
            at += 1
            continue
        kind, start, stop, plain = found
        yield kind, data[start:stop]
        if depth < 2 and len(plain) > LEAST:
            yield from ((f"{kind}>{k}", each) for k, each in streams(plain, depth + 1))
        at = stop


def _png(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 8
    joined = b""
    while at + 12 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size
        if kind == b"IDAT":
            joined += body
        elif joined:
            yield from _zlib("png", joined)
            joined = b""
        if kind == b"fdAT":
            yield from _zlib("apng", body[4:])
        elif kind in (b"iCCP", b"zTXt", b"iTXt"):
            yield from streams(body, 2)


def _zlib(kind: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    found = inflate(data, 2, MOST)
    if found is not None:
        yield kind, data[2 : found[1]]


def _at(data: bytes, at: int) -> tuple[str, int, int, bytes] | None:
    head = data[at : at + 2]
    if head == b"PK" and data[at : at + 4] == b"PK\3\4" and len(data) > at + 30:
        method, names, extra = data[at + 8], *struct.unpack("<HH", data[at + 26 : at + 30])
        start, kind = at + 30 + names + extra, "zip"
        if method != 8:
            return None
    elif head == b"\x1f\x8b" and data[at + 2] == 8 and data[at + 3] < 32:
        start, flags, kind = at + 10, data[at + 3], "gzip"
        if flags & 4:
            start += 2 + int.from_bytes(data[start : start + 2], "little")
        for bit in (8, 16):
            if flags & bit:
                start = data.find(b"\0", start) + 1
        start += 2 if flags & 2 else 0
    elif head in ZLIB_STARTS:
        start, kind = at + 2, "zlib"
    elif data[at : at + 8] == b"\x89PNG\r\n\x1a\n":
        end = data.find(b"IEND", at)
        joined = [*_png(data[at : end + 8])] if end > 0 else []
        if joined:
            return None  # its chunks; found by themselves where the picture has one
        return None
    else:
        return None
    found = inflate(data, start, MOST)
    if found is None:
        return None
    plain, stop = found
    if kind == "zlib" and data[stop : stop + 4] != struct.pack(">I", zlib.adler32(plain)):
        return None
    return kind, start, stop, plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    opener = DeflateOpener()
    opener.open(zlib.compress(b"something to begin with, something")[2:-4], 1000)
    total = {"streams": 0, "bytes": 0, "redone": 0, "redone_bytes": 0, "recipes": 0, "plain": 0}
    rows = []
    open_time = close_time = 0.0
    for path in args.files:
        row = dict.fromkeys(total, 0)
        for kind, coded in streams(path.read_bytes()):
            if len(coded) < LEAST:
                continue
            row["streams"] += 1
            row["bytes"] += len(coded)
            began = time.process_time()
            opened = opener.open(coded, MOST)
            open_time += time.process_time() - began
            if opened is not None:
                began = time.process_time()
                assert opener.close(opened.inner, opened.recipe, len(coded)) == coded
                close_time += time.process_time() - began
                row["redone"] += 1
                row["redone_bytes"] += len(coded)
                row["recipes"] += len(opened.recipe)
                row["plain"] += len(opened.inner)
            if args.verbose:
                stated = "-"
                if opened is not None:
                    stated = f"{len(opened.inner)} {len(opened.recipe)} {opened.recipe[:4].hex()}"
                print(f"  {path.name} {kind} {len(coded)} {stated}", flush=True)
        if row["streams"]:
            rows.append({"file": path.name, **row})
            print(path.name, *row.values(), flush=True)
        for name, value in row.items():
            total[name] += value
    print(json.dumps({**total, "open_seconds": open_time, "close_seconds": close_time}))
    print(f"{100 * total['redone_bytes'] / max(1, total['bytes']):.2f} % of bytes redone")
    if args.json:
        args.json.write_text(json.dumps({"files": rows, "total": total}, indent=1) + "\n")


if __name__ == "__main__":
    main()
