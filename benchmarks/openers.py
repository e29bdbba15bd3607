"""How many deflate streams of files are opened, what the recipes cost, and how quick that is.

Streams are looked for wherever one might start: behind headers of zlib, gzip and ZIP, and joined in PNG. Speeds are
CPU time, with that of Python's zlib for the same stream beside them.
"""

from __future__ import annotations

import argparse
import json
import platform
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from nzip.formats.container.wire import Reader  # noqa: E402
from nzip.formats.openers.deflate import recipe as recipes  # noqa: E402
from nzip.formats.openers.deflate.inflation import inflate  # noqa: E402
from nzip.formats.openers.deflate.opener import DeflateOpener  # noqa: E402
from nzip.formats.openers.deflate.settings import GZIP, Settings  # noqa: E402

T = TypeVar("T")
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
        if data[at : at + 8] == b"\x89PNG\r\n\x1a\n" and (end := data.find(b"IEND", at)) > 0:
            yield from _png(data[at : end + 8])
            at = end + 8
            continue
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
    else:
        return None
    found = inflate(data, start, MOST)
    if found is None:
        return None
    plain, stop = found
    if kind == "zlib" and data[stop : stop + 4] != struct.pack(">I", zlib.adler32(plain)):
        return None
    return kind, start, stop, plain


def made_by(recipe: bytes) -> str:
    """Return whose choices a stream follows, as its recipe has them."""
    if recipe[0] == 0:
        return "other encoders"
    settings, _, marks = recipes.unpack(Reader(recipe), 1 << 40)
    program = "GNU gzip" if settings.strategy == GZIP else "zlib"
    strategy = {1: ", filtered", 2: ", Huffman only", 3: ", runs", 4: ", fixed"}.get(settings.strategy, "")
    memory = "" if settings.memory == settings.block == 8 else f", memory {settings.memory}/{settings.block}"
    return f"{program} {settings.level}{strategy}{memory}{', flushed' if marks else ''}"


def timed(work: Callable[..., T], *args: Any) -> tuple[T, float]:
    began = time.process_time()
    result = work(*args)
    return result, time.process_time() - began


def by_zlib(recipe: bytes, plain: bytes) -> bytes:
    """Deflate with Python's zlib at the settings of a recipe; level 6 for those of other encoders."""
    settings = Settings() if recipe[0] == 0 else recipes.unpack(Reader(recipe), len(plain))[0]
    packer = zlib.compressobj(settings.level, zlib.DEFLATED, -settings.window, settings.block, settings.strategy % GZIP)
    return packer.compress(plain) + packer.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, help="where results are written")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each stream")
    args = parser.parse_args()
    opener = DeflateOpener()
    opener.prepare()
    total: dict[str, float] = dict.fromkeys(("streams", "bytes", "redone", "redone_bytes", "recipes", "plain"), 0)
    seconds = dict.fromkeys(("open", "inflate", "zlib inflate", "redo", "zlib redo"), 0.0)
    programs: dict[str, list[int]] = {}
    rows = []
    for path in args.files:
        row = dict.fromkeys(total, 0)
        for kind, coded in streams(path.read_bytes()):
            if len(coded) < LEAST:
                continue
            row["streams"] += 1
            row["bytes"] += len(coded)
            opened, spent = timed(opener.open, coded, MOST)
            seconds["open"] += spent
            stated, maker = "-", "left"
            if opened is not None:
                plain, recipe = opened
                again, spent = timed(opener.close, plain, recipe, len(coded))
                assert again == coded
                seconds["redo"] += spent
                seconds["zlib redo"] += timed(by_zlib, recipe, plain)[1]
                seconds["inflate"] += timed(inflate, coded)[1]
                seconds["zlib inflate"] += timed(zlib.decompress, coded, -15)[1]
                row["redone"] += 1
                row["redone_bytes"] += len(coded)
                row["recipes"] += len(recipe)
                row["plain"] += len(plain)
                stated, maker = f"{len(plain)} {len(recipe)} {recipe[:4].hex()}", made_by(recipe)
            program = programs.setdefault(maker, [0, 0, 0])
            program[0] += 1
            program[1] += len(coded)
            program[2] += len(opened.recipe) if opened is not None else 0
            if args.verbose:
                print(f"  {path.name} {kind} {len(coded)} {stated}", flush=True)
        if row["streams"]:
            rows.append({"file": path.name, **row})
            print(path.name, *row.values(), flush=True)
        for name, value in row.items():
            total[name] += value
    table = [
        {"made by": name, "streams": count, "bytes": size, "recipes": spent}
        for name, (count, size, spent) in sorted(programs.items(), key=lambda item: -item[1][1])
    ]
    speeds = {name: round(total["plain"] / 1e6 / spent, 1) if spent else 0 for name, spent in seconds.items()}
    print(*(" | ".join(map(str, line.values())) for line in table), sep="\n")
    print("MB/s of what streams hold:", speeds)
    print(json.dumps(total))
    print(f"{100 * total['redone_bytes'] / max(1, total['bytes']):.2f} % of bytes redone")
    if args.json:
        about = {"python": platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION, "speeds": speeds}
        args.json.write_text(json.dumps({**about, "total": total, "made by": table, "files": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
