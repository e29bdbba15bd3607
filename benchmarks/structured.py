"""Tables, JSON and texts with keys: levels of nzip beside other programs, and beside an earlier state of nzip.

    python benchmarks/structured.py FILE... [--levels 3,6,9] [--zli PROGRAM] [--before CHECKOUT]
                                    [--out benchmarks/results/structured.json]

Each file is coded alone, decoded and compared, on one thread. Times are of the processor, in seconds. `--zli` is the
program of OpenZL, which is trained on the very file for two minutes at most, with its profile for tables where the
file is one (`.csv`), and as bytes else; its frames carry what decoding needs, so its compressor is not counted.
What is not installed (brotli, zpaq) is left out. The table of docs/reference/CM.md is made from the results.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import zstandard
from lines import Codec, measured, of_nzip, of_zstd, unzpaq, zpaq

import nzip

RESULTS = Path(__file__).resolve().parent / "results"
BEFORE = "level 6 before"
TRAINING = 120  # seconds at most


def of_checkout(checkout: Path, level: int) -> Codec:
    """Return a level of another checkout of nzip; its time, with what it imports and compiles, says nothing."""
    work = f"import sys, nzip; sys.stdout.buffer.write(nzip.compress(sys.stdin.buffer.read(), {level}))"

    def encode(data: bytes) -> bytes:
        there = {**os.environ, "PYTHONPATH": str(checkout)}
        command = [sys.executable, "-c", work]
        return subprocess.run(command, input=data, env=there, check=True, capture_output=True).stdout

    return encode, lambda packed: b""


def openzl(program: Path, path: Path) -> dict[str, Any] | None:
    """Return what OpenZL makes of a file after it was trained on it; nothing where it fails."""
    profile = "csv" if path.suffix == ".csv" else "serial"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "samples").mkdir()
        sample = folder / "samples" / path.name
        sample.write_bytes(path.read_bytes())
        limits = ["--threads", "1", "--max-time-secs", str(TRAINING)]
        train = [program, "train", "-p", profile, folder / "samples", *limits]
        steps = (
            [*train, "-o", folder / "made.zlc"],
            [program, "compress", "-c", folder / "made.zlc", sample, "-o", folder / "packed"],
            [program, "decompress", folder / "packed", "-o", folder / "again"],
        )
        for step in steps:
            if subprocess.run(list(map(str, step)), capture_output=True).returncode:
                return None
        if (folder / "again").read_bytes() != sample.read_bytes():
            raise SystemExit("other bytes came back from OpenZL")
        trained = (folder / "made.zlc").stat().st_size
        size = (folder / "packed").stat().st_size
        return {"size": size, "encoding": None, "decoding": None, "profile": profile, "compressor": trained}


def codecs(levels: list[int], before: Path | None) -> dict[str, Codec]:
    """Return what is measured, by name."""
    found: dict[str, Codec] = {f"level {level}": of_nzip(level) for level in levels}
    if before:
        found[BEFORE] = of_checkout(before, 6)
    found["zstd -19"] = of_zstd(19)
    found["xz -9e"] = (partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME), lzma.decompress)
    if shutil.which("zpaq"):
        found["zpaq -m5"] = (zpaq, unzpaq)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--levels", default="3,6,9")
    parser.add_argument("--zli", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS / "structured.json")
    asked = parser.parse_args()
    chosen, rows = codecs(list(map(int, asked.levels.split(","))), asked.before), []
    for codec in chosen.values():  # what is imported and compiled at first use is not counted
        codec[1](codec[0](asked.files[0].read_bytes()[:60000]))
    for path in asked.files:
        data = path.read_bytes()
        row: dict[str, Any] = {"file": path.name, "bytes": len(data)}
        row["codecs"] = {name: measured(data, codec, 1) for name, codec in chosen.items()}
        if asked.before:
            row["codecs"][BEFORE]["encoding"] = None
        if asked.zli:
            row["codecs"]["OpenZL, trained"] = openzl(asked.zli, path)
        rows.append(row)
        print(path.name, {name: each and each["size"] for name, each in row["codecs"].items()}, flush=True)
        found = {
            "tool": "benchmarks/structured.py", "nzip": nzip.__version__, "python": platform.python_version(),
            "zstd": ".".join(map(str, zstandard.ZSTD_VERSION)), "rows": rows,
        }  # fmt: skip
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
