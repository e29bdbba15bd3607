"""Streams 2 GiB through `nzip.Compressor` and `nzip.Decompressor` and records how much memory each takes.

    python benchmarks/memory_2gib.py

One process makes the input a piece at a time and compresses it into a pipe; another reads the pipe and decompresses;
neither ever holds the stream. Both hash the plain bytes, and the hashes are compared. The peak is the process' highest
resident size from when the engine is loaded on, less the size at that moment. It is compared with what is stated: the
level's memory for compressing, the same number given as `max_memory` for decompressing. Level 6, being slower, gets a
smaller input that still has many blocks. Written to `benchmarks/results/memory.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nzip
from nzip.errors import NzipError
from nzip.evaluation.harness.memory import highest_resident, reset_highest_resident

OUT = Path(__file__).resolve().parent / "results" / "memory.json"
SAMPLES = Path(__file__).resolve().parents[1] / "corpora" / "samples"
MIB = 1 << 20
PIECE = MIB
# Reading and writing go through one piece each way, besides what the level states; Python keeps a little more.
SLACK = 16 * MIB


def synthetic(size: int) -> Iterator[bytes]:
    """Yield `size` bytes in pieces: the samples over and over, each piece with its number worked in."""
    text = b"".join(path.read_bytes() for path in sorted(SAMPLES.iterdir()))
    base = (text * (2 + PIECE // len(text)))[: PIECE + len(text)]
    number = 0
    while size > 0:
        start = number * 7919 % len(text)
        piece = bytearray(base[start : start + PIECE])
        stamp = hashlib.sha256(number.to_bytes(8, "little")).digest()
        for place in range(0, PIECE, 4096):
            piece[place : place + 32] = stamp
        yield bytes(piece[:size])
        size -= PIECE
        number += 1


def compress(level: int, size: int, threads: int) -> dict[str, Any]:
    """The writing process: standard output takes the compressed stream."""
    nzip.engines()[nzip.levels()[level].engine].prepare()
    nzip.compress(b"warm up " * 1000, level)
    digest, out = hashlib.sha256(), sys.stdout.buffer
    pieces = synthetic(size)
    first = next(pieces)
    reset_highest_resident()
    idle, begin = highest_resident(), time.perf_counter()
    with nzip.Compressor(level, threads=threads) as compressor:
        piece: bytes | None = first
        while piece is not None:
            digest.update(piece)
            out.write(compressor.compress(piece))
            piece = next(pieces, None)
        out.write(compressor.flush())
        written = compressor.bytes_out
    out.flush()
    return _answer(idle, begin, digest.hexdigest(), bytes_out=written)


def decompress(level: int, size: int, threads: int) -> dict[str, Any]:
    """The reading process: standard input gives the compressed stream."""
    nzip.decompress(nzip.compress(b"warm up " * 1000, level))
    digest, source = hashlib.sha256(), sys.stdin.buffer
    reset_highest_resident()
    idle, begin = highest_resident(), time.perf_counter()
    limit = nzip.levels()[level].memory + SLACK
    with nzip.Decompressor(max_memory=limit, threads=threads) as decompressor:
        while not decompressor.eof:
            data = source.read(PIECE) if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                raise NzipError("the stream ended early")
            digest.update(decompressor.decompress(data, PIECE))
    return _answer(idle, begin, digest.hexdigest())


def _answer(idle: int, begin: float, digest: str, **more: int) -> dict[str, Any]:
    peak = highest_resident()
    seconds = round(time.perf_counter() - begin, 2)
    return {"idle": idle, "peak": peak, "peak_above_idle": peak - idle, "seconds": seconds, "sha256": digest, **more}


def pair(level: int, size: int, threads: int) -> dict[str, Any]:
    """Run the two processes and return what both found."""
    common = [str(level), str(size), str(threads)]
    here = [sys.executable, os.path.abspath(__file__)]
    writer = subprocess.Popen(
        [*here, "--side", "compress", *common], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False
    )
    reader = subprocess.Popen([*here, "--side", "decompress", *common], stdin=writer.stdout, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.close()
    answers = []
    for process in (reader, writer):
        _, complaint = process.communicate()
        lines = complaint.decode("utf-8", "replace").strip().splitlines()
        if process.returncode:
            writer.kill()
            reader.kill()
            raise NzipError(f"level {level}: {lines[-1] if lines else process.returncode}")
        answers.append(json.loads(lines[-1]))
    read, written = answers
    if read.pop("sha256") != written.pop("sha256"):
        raise NzipError(f"level {level}: the bytes did not come back")
    stated = nzip.levels()[level].memory
    for side in (read, written):
        side["stated"] = stated * threads
        side["within"] = side["peak_above_idle"] <= side["stated"] + SLACK
    return {
        "level": level,
        "bytes": size,
        "threads": threads,
        "block_size": nzip.levels()[level].block_size,
        "bytes_out": written.pop("bytes_out"),
        "compress": written,
        "decompress": read,
    }


def main() -> int:
    """Run both levels and write the result."""
    parser = argparse.ArgumentParser(description="Measure the memory of streaming.")
    parser.add_argument("--large", default="1:2048", metavar="LEVEL:MIB", help="default 1:2048")
    parser.add_argument("--small", default="6:192", metavar="LEVEL:MIB", help="default 6:192")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        work = compress if arguments.side[0] == "compress" else decompress
        answer = work(*map(int, arguments.side[1:]))
        print(json.dumps(answer), file=sys.stderr)
        return 0
    runs = []
    for words in (arguments.large, arguments.small):
        level, size = map(int, words.split(":"))
        run = pair(level, size * MIB, arguments.threads)
        runs.append(run)
        for direction in ("compress", "decompress"):
            side = run[direction]
            print(
                f"level {level}, {size} MiB, {direction}: {side['peak_above_idle'] / MIB:.1f} MiB above an idle "
                f"{side['idle'] / MIB:.1f}; stated {side['stated'] / MIB:.1f} MiB; {side['seconds']} s"
            )
    result = {
        "schema": 1,
        "tool": "memory_2gib",
        "nzip": nzip.__version__,
        "format": nzip.FORMAT_VERSION,
        "python": platform.python_version(),
        "machine": {"arch": platform.machine(), "system": platform.system(), "cores": os.cpu_count()},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "slack": SLACK,
        "runs": runs,
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if all(run[side]["within"] for run in runs for side in ("compress", "decompress")) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NzipError as error:
        sys.exit(f"error: {error}")
