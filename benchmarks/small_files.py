"""Measures what a small file costs as a whole process, and many small files in one call, in both directions.

    python benchmarks/small_files.py
    python benchmarks/small_files.py --beside CHECKOUT    # one small file with another state of nzip too, turn by turn

A file of 3,000 bytes (the start of README.md) is compressed and decompressed by `python -m nzip` at several levels,
from the start of the process to its end, by the clock and by the processor's time, which what else runs moves less;
then 1,500 files of 100 bytes each, every 97 bytes one from README.md and docs/reference/CMSTRONG.md, in one call.
Everything is compiled before. All outputs are compared with what went in. Beside it stands what the disk alone asks for
a file: made, written, synchronised and renamed by a bare loop. Written to `benchmarks/results/small_files.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nzip.evaluation.harness.provenance import machine, software

ROOT = Path(__file__).resolve().parents[1]
OUT = Path(__file__).resolve().parent / "results" / "small_files.json"
SIZE, PIECE, STEP = 3000, 100, 97
LEVELS = (1, 3, 5, 6, 7, 9)
SIDES = ("compress_s", "compress_cpu_s", "decompress_s", "decompress_cpu_s")


def run(root: Path, folder: Path, *words: str) -> tuple[float, float]:
    """Run nzip of the checkout at `root` in `folder`; return the seconds it took, and those of the processor."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(root)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "nzip", *words], cwd=folder, env=environment, check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def single(roots: dict[str, Path], folder: Path, content: bytes, level: int, repeat: int) -> list[dict[str, Any]]:
    """Return the time of one small file, for each of `roots`."""
    (folder / "one").write_bytes(content)
    times: dict[str, dict[str, list[float]]] = {name: {side: [] for side in SIDES} for name in roots}
    sizes: dict[str, int] = {}
    for turn in range(repeat + 1):
        for name, root in roots.items():
            into = run(root, folder, "compress", f"-{level}", "-kfq", "one")
            sizes[name] = (folder / "one.nz").stat().st_size
            out = run(root, folder, "decompress", "-kfq", "one.nz", "-o", "back")
            assert (folder / "back").read_bytes() == content
            if turn:  # the first compiles
                for side, value in zip(SIDES, (*into, *out), strict=True):
                    times[name][side].append(value)
    return [
        {
            "nzip": name, "level": level, "files": 1, "bytes_in": len(content), "bytes_out": sizes[name],
            **{side: round(statistics.median(times[name][side]), 4) for side in SIDES},
        }
        for name in roots
    ]  # fmt: skip


def many(roots: dict[str, Path], folder: Path, pieces: list[bytes], level: int) -> list[dict[str, Any]]:
    """Return the time of many small files in one call, for each of `roots`."""
    names = [f"f{number}" for number in range(len(pieces))]
    found = []
    for name, root in roots.items():
        for each, piece in zip(names, pieces, strict=True):
            (folder / each).write_bytes(piece)
        into = run(root, folder, "compress", f"-{level}", "-q", *names)
        packed = [folder / f"{each}.nz" for each in names]
        size = sum(path.stat().st_size for path in packed)
        for each in names:
            (folder / each).unlink()
        out = run(root, folder, "decompress", "-q", *(path.name for path in packed))
        assert [(folder / each).read_bytes() for each in names] == pieces
        for path in packed:
            path.unlink()
        found.append(
            {
                "nzip": name, "level": level, "files": len(pieces), "bytes_in": sum(map(len, pieces)),
                "bytes_out": size, **{side: round(value, 3) for side, value in zip(SIDES, (*into, *out), strict=True)},
            }
        )  # fmt: skip
    return found


def bare(folder: Path, pieces: list[bytes]) -> float:
    """Return the seconds that a loop takes which only writes files, so that they outlive a loss of power."""
    began = time.perf_counter()
    for number, piece in enumerate(pieces):
        part = folder / f"b{number}.part"
        with part.open("wb") as file:
            file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / f"b{number}")
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another state of nzip, measured in turn")
    parser.add_argument("--repeat", type=int, default=5, help="runs of which the median counts")
    parser.add_argument("--files", type=int, default=1500, help="how many in one call")
    parser.add_argument("--levels", default=",".join(map(str, LEVELS)), help="of the one small file")
    parser.add_argument("--many", default="1,6", metavar="LEVELS", help="of the many")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    roots = {"this": ROOT} | ({"beside": given.beside.resolve()} if given.beside else {})
    text = (ROOT / "README.md").read_bytes() + (ROOT / "docs" / "reference" / "CMSTRONG.md").read_bytes()
    pieces = [(text * 2)[STEP * k % len(text) :][:PIECE] for k in range(given.files)]
    result: dict[str, Any] = {
        "tool": "small_files", **software(), "machine": machine(), "repeat": given.repeat,
        "date": datetime.now(UTC).isoformat(timespec="seconds"), "runs": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="nzip-small-") as name:
        folder = Path(name)
        for level in map(int, given.levels.split(",")):
            result["runs"] += single(roots, folder, text[:SIZE], level, given.repeat)
        for level in map(int, given.many.split(",")):
            result["runs"] += many({"this": ROOT}, folder, pieces, level)
        result["bare_s"] = round(bare(folder, pieces), 3)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row in result["runs"]:
        print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
