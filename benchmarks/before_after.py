"""Two checkouts of nzip beside each other, before and after a change: sizes, and the CPU time of both directions.

    python benchmarks/before_after.py CHECKOUT DATA/calgary DATA/canterbury FILE... [--levels 1-9] [--repeat 3]

CHECKOUT holds another `nzip` package; it is called `before`, and this one `after`. A folder is a set of its files, and
so is a file. Each checkout works in a process of its own, in turns: both code the same file at the same level, one
after the other, so that whatever else the machine does is fair to both. Of `--repeat` such turns the best time counts,
each way; once turns took 10 seconds together no other begins. Where memory happens to lie in a process moves times by
some hundredths, so `--rounds` of new processes are done, and their times added.

Speeds are ratios of CPU times: 1.05 means that what took 105 seconds takes 100 now. Each output is decompressed and
compared. `first` is a first `nzip compress`, of 1,200 bytes, whose kernels have to be compiled: seconds of CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SIDES = ("before", "after")
LONG = 10.0  # seconds that turns of one file take together, after which no other begins
WARM = 1 << 14  # bytes that are coded before the clock starts


def work() -> None:
    """Answer each line (path, level) on the standard input with size and CPU seconds."""
    import nzip

    warm: set[int] = set()
    for line in sys.stdin:
        path, level = json.loads(line)
        raw = Path(path).read_bytes()
        if level not in warm:
            nzip.decompress(nzip.compress(raw[:WARM], level))
            warm.add(level)
        begin = time.process_time()
        packed = nzip.compress(raw, level)
        middle = time.process_time()
        same = nzip.decompress(packed) == raw
        end = time.process_time()
        seconds = {"compress": round(middle - begin, 6), "decompress": round(end - middle, 6)}
        answer = {"bytes": len(packed), **seconds, "same": same}
        print(json.dumps(answer), flush=True)


class Side:
    """A process that works with one checkout."""

    def __init__(self, root: Path, cache: Path):
        self._environment = {**os.environ, "PYTHONPATH": str(root), "NZIP_CACHE_DIR": str(cache)}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE), "--work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root,
            env=self._environment,
        )  # fmt: skip

    def measure(self, path: Path, level: int) -> dict[str, Any]:
        """Return what `work` answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps((str(path), level)), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"error: level {level} of {path} failed")
        answer: dict[str, Any] = json.loads(line)
        if not answer["same"]:
            sys.exit(f"error: level {level} does not bring back {path}")
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def copy(checkout: Path, to: Path) -> Path:
    """Copy a checkout's package without machine code that it kept; return where it may be imported from."""
    shutil.copytree(checkout / "nzip", to / "nzip", ignore=shutil.ignore_patterns("__pycache__"))
    return to


def first(root: Path, level: int) -> float:
    """Return the CPU seconds of a first `nzip compress`."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPATH": str(root), "NZIP_CACHE_DIR": cache}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "nzip", "compress", f"-{level}", "-c"], input=b"to and fro, " * 100, check=True,
            capture_output=True, cwd=root, env=environment,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turns(sides: list[Side], path: Path, level: int, repeat: int) -> list[dict[str, Any]]:
    """Return the best of some turns for each side."""
    best: list[dict[str, Any]] = [{}, {}]
    begin = time.monotonic()
    for turn in range(repeat):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            found = sides[which].measure(path, level)
            for way in ("compress", "decompress"):
                found[way] = min(found[way], best[which].get(way, found[way]))
            best[which] = found
        if time.monotonic() - begin > LONG:
            break
    return best


def rows_of(name: str, files: list[Path], level: int, found: dict[tuple[Path, int], list[dict[str, Any]]]) -> Any:
    """Return what a set comes to at a level."""
    sums = [
        {way: sum(found[path, level][side][way] for path in files) for way in ("bytes", "compress", "decompress")}
        for side in (0, 1)
    ]
    before, after = sums
    return {
        "set": name,
        "level": level,
        **dict(zip(SIDES, sums, strict=True)),
        "bytes_more": after["bytes"] - before["bytes"],
        "compress_speed": round(before["compress"] / after["compress"], 3),
        "decompress_speed": round(before["decompress"] / after["decompress"], 3),
    }


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--levels", default="1-9", help="as 1,6,9 or 1-9 (default all)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "before_after.json")
    arguments = parser.parse_args()
    levels: list[int] = []
    for part in arguments.levels.split(","):
        low, _, high = part.partition("-")
        levels += range(int(low), int(high or low) + 1)
    sets = {
        path.name: sorted(p.resolve() for p in path.iterdir() if p.is_file()) if path.is_dir() else [path.resolve()]
        for path in arguments.paths
    }
    files = list(dict.fromkeys(path for each in sets.values() for path in each))
    found: dict[tuple[Path, int], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        checkouts = (arguments.checkout, HERE.parents[1])
        roots = [copy(checkout, Path(temporary) / side) for checkout, side in zip(checkouts, SIDES, strict=True)]
        firsts = [{"level": level, **{s: round(first(r, level), 2) for s, r in zip(SIDES, roots, strict=True)}}
                  for level in levels]  # fmt: skip
        for row in firsts:
            print(f"first compress, level {row['level']}: {row['before']:.2f} s, {row['after']:.2f} s", flush=True)
        caches = [Path(temporary) / f"cache-{side}" for side in SIDES]
        for cache in caches:
            cache.mkdir()
        for level in levels:
            for _ in range(arguments.rounds):
                sides = [Side(root, cache) for root, cache in zip(roots, caches, strict=True)]
                for path in files:
                    best = turns(sides, path, level, arguments.repeat)
                    known = found.setdefault((path, level), best)
                    if known is not best:
                        for sums, more in zip(known, best, strict=True):
                            for way in ("compress", "decompress"):
                                sums[way] += more[way]
                for side in sides:
                    side.close()
            for name, members in sets.items():
                row = rows_of(name, members, level, found)
                print(
                    f"{name:24s} level {level}  {row['before']['bytes']:10,d} {row['after']['bytes']:10,d}"
                    f" {row['bytes_more']:+8,d}  in x {row['compress_speed']:.3f}  out x {row['decompress_speed']:.3f}",
                    flush=True,
                )
    result = {
        "schema": 1,
        "python": platform.python_version(),
        "machine": {"arch": platform.machine(), "system": platform.system(), "cores": os.cpu_count()},
        "repeat": arguments.repeat,
        "rounds": arguments.rounds,
        "first": firsts,
        "sets": [rows_of(name, members, level, found) for level in levels for name, members in sets.items()],
        "files": [
            {"path": path.name, "level": level, "bytes_in": path.stat().st_size, **dict(zip(SIDES, both, strict=True))}
            for (path, level), both in found.items()
        ],
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    work() if sys.argv[1:] == ["--work"] else main()
