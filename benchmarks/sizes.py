"""Measures nzip's sizes again in results that exist, and leaves the times of their run.

    python benchmarks/sizes.py DATA --sets calgary,small --levels 6,9 [--files 'cp.html'] [--journal sizes.jsonl]
    python benchmarks/sizes.py DATA --sets eval_ratio,eval_ratio_2k --levels 3,6,9

For when models, primers or transforms changed and the programs beside nzip did not: times and memory are as they were,
within what `before_after.py` shows, and times of another day on another load would not compare. Files are found below
DATA by their hashes; each is coded alone, at the level's settings, decoded and compared. `--journal` keeps what was
measured, so that a second run goes on.
A result that was changed says when, as `sizes_date`. Results of `nzip eval ratio` get new totals and intervals as well.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nzip
from nzip.evaluation.measures.ratio import conclusion, contamination

RESULTS = Path(__file__).parent / "results"
LEVELS = (1, 2, 3, 4, 5, 6, 7, 8, 9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default="calgary,calgary-paq8px,canterbury,large,small,text")
    parser.add_argument("--levels", default=",".join(map(str, LEVELS)))
    parser.add_argument("--files", default="*")
    parser.add_argument("--journal", type=Path)
    args = parser.parse_args()
    known: dict[tuple[str, int, int | None], int] = {}  # by hash, level and bytes of a piece
    if args.journal and args.journal.exists():
        for line in args.journal.read_text().splitlines():
            row = json.loads(line)
            known[row["sha256"], row["level"], row.get("chunk")] = row["bytes_out"]
    paths: dict[str, Path] = {}
    for path in sorted(path for path in args.data.rglob("*") if path.is_file()):
        paths.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)

    def measured(sha256: str, level: int, chunk: int | None = None) -> int:
        key = sha256, level, chunk
        if key not in known:
            data, known[key] = paths[sha256].read_bytes(), 0
            step = chunk or len(data)
            for start in range(0, len(data), step):
                packed = nzip.compress(data[start : start + step], level)
                if nzip.decompress(packed) != data[start : start + step]:
                    raise SystemExit(f"{paths[sha256]}: level {level} does not give it back")
                known[key] += len(packed)
            if args.journal:
                row = {"sha256": sha256, "level": level, "bytes_out": known[key]} | ({"chunk": chunk} if chunk else {})
                with args.journal.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        return known[key]

    for name in args.sets.split(","):
        target = RESULTS / f"{name}.json"
        result = json.loads(target.read_text("utf-8"))
        hashes = {file["path"]: file["sha256"] for file in result["files"]}
        if result["tool"] == conclusion.TOOL:
            concluded(result, args.levels.split(","), measured)
            target.write_text(json.dumps(result, indent=indent(target)) + "\n", "utf-8")
            continue
        for codec in result["codecs"]:
            level = int(codec["name"].partition(" -")[2] or 0) if codec["name"].startswith("nzip -") else 0
            if level not in LEVELS:
                continue
            engine, params = nzip.levels()[level].engines[-1]
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
        result["sizes_date"] = now()
        target.write_text(json.dumps(result, indent=indent(target)) + "\n", "utf-8")


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def concluded(result: dict[str, Any], levels: list[str], measured: Callable[[str, int, int | None], int]) -> None:
    """Measure nzip's levels in a result of `nzip eval ratio`, and conclude from their sizes anew."""
    files, seed = result["files"], result["seed"]
    records: dict[str, list[dict[str, Any]]] = {}
    for record in result["records"]:
        records.setdefault(record["codec"], []).append(record)
    for codec in result["codecs"]:
        level = codec["name"].removeprefix("nzip -")
        if level == codec["name"] or level not in levels:
            continue
        engine, params = nzip.levels()[int(level)].engines[-1]
        codec["model_bytes"] = nzip.engines()[engine].model_bytes(params)
        codec["model_date"] = contamination.MODEL_DATES["nzip primers"] if codec["model_bytes"] else None
        own = records[codec["name"]]
        for file, record in zip(files, own, strict=True):
            record["bytes_out"] = measured(file["sha256"], int(level), result["settings"]["chunk"])
            record["ratio"] = file["bytes"] / record["bytes_out"]
            record["bits_per_byte"] = 8 * record["bytes_out"] / file["bytes"]
            if file["characters"]:
                record["bits_per_character"] = 8 * record["bytes_out"] / file["characters"]
            if codec["model_bytes"]:
                record["seen"] = contamination.verdict(file["date"], codec["model_date"])
        said = [record["seen"] for record in own]
        codec["seen"] = {word: said.count(word) for word in dict.fromkeys(said)}
        before, codec["total"] = codec["total"], conclusion.totals(files, own, codec["model_bytes"], seed)
        codec["difference"] = conclusion.difference(own, records[result["settings"]["reference"]], seed)
        print(f"{codec['name']}: {before['bytes_out']:,} -> {codec['total']['bytes_out']:,}", flush=True)
    result["codecs"].sort(key=lambda codec: (codec["total"] is None, codec["total"] and codec["total"]["bytes_out"]))
    result["sizes_date"] = now()


def indent(target: Path) -> int | None:
    """Return how the file is indented, so that little of it changes."""
    line = target.read_text("utf-8").split("\n", 2)[1:2]
    return len(line[0]) - len(line[0].lstrip()) if line and line[0].strip() else None


if __name__ == "__main__":
    main()
