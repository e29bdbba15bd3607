"""Measures nzip's sizes again in results that exist, and leaves the times of their run.

    python benchmarks/sizes.py DATA --sets calgary,small --levels 6,9 [--files 'cp.html'] [--journal sizes.jsonl]

For when what a model has read is changed (a primer) and nothing else: sizes are other ones, times and memory are not,
and times of another day on another load would not compare. Files are found below DATA by their hashes; each is coded
alone, at the level's settings, decoded and compared. `--journal` keeps what was measured, so that a second run goes on.
A result that was changed says when, as `sizes_date`.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
from fnmatch import fnmatch
from pathlib import Path

import nzip

RESULTS = Path(__file__).parent / "results"
PRIMED = (3, 4, 5, 6, 7, 8, 9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default="calgary,calgary-paq8px,canterbury,large,small,text")
    parser.add_argument("--levels", default=",".join(map(str, PRIMED)))
    parser.add_argument("--files", default="*")
    parser.add_argument("--journal", type=Path)
    args = parser.parse_args()
    known: dict[tuple[str, int], int] = {}
    if args.journal and args.journal.exists():
        for line in args.journal.read_text().splitlines():
            row = json.loads(line)
            known[row["sha256"], row["level"]] = row["bytes_out"]
    paths: dict[str, Path] = {}
    for path in sorted(path for path in args.data.rglob("*") if path.is_file()):
        paths.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)

    def measured(sha256: str, level: int) -> int:
        if (sha256, level) not in known:
            data = paths[sha256].read_bytes()
            packed = nzip.compress(data, level)
            if nzip.decompress(packed) != data:
                raise SystemExit(f"{paths[sha256]}: level {level} does not give it back")
            known[sha256, level] = len(packed)
            if args.journal:
                with args.journal.open("a") as file:
                    file.write(json.dumps({"sha256": sha256, "level": level, "bytes_out": len(packed)}) + "\n")
        return known[sha256, level]

    for name in args.sets.split(","):
        target = RESULTS / f"{name}.json"
        result = json.loads(target.read_text("utf-8"))
        hashes = {file["path"]: file["sha256"] for file in result["files"]}
        for codec in result["codecs"]:
            level = int(codec["name"].partition(" -")[2] or 0) if codec["name"].startswith("nzip -") else 0
            if level not in PRIMED:
                continue
            engine, params = nzip.levels()[level].engine, nzip.levels()[level].params
            codec["model_bytes"] = nzip.engines()[engine].model_bytes(params)
            if str(level) not in args.levels.split(","):
                continue
            for file in codec["files"]:
                if fnmatch(file["path"], args.files):
                    file["bytes_out"] = measured(hashes[file["path"]], level)
            total = codec["total"]
            before, total["bytes_out"] = total["bytes_out"], sum(file["bytes_out"] for file in codec["files"])
            total["ratio"] = round(total["bytes_in"] / total["bytes_out"], 4)
            total["bits_per_byte"] = round(8 * total["bytes_out"] / total["bytes_in"], 4)
            print(f"{name}: {codec['name']}: {before:,} -> {total['bytes_out']:,}", flush=True)
        result["sizes_date"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        target.write_text(json.dumps(result, indent=indent(target)) + "\n", "utf-8")


def indent(target: Path) -> int | None:
    """Return how the file is indented, so that little of it changes."""
    line = target.read_text("utf-8").split("\n", 2)[1:2]
    return len(line[0]) - len(line[0].lstrip()) if line and line[0].strip() else None


if __name__ == "__main__":
    main()
