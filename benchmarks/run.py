"""Runs the standard benchmark and writes `benchmarks/results/SET.json`.

    nzip corpora fetch calgary canterbury large silesia --dest DATA
    python benchmarks/run.py DATA

DATA may have any layout: files are found by name and hash. Sets whose files are not all there are left out, with a
line that says so. One run of one set measures nzip's levels and every installed peer, so that its numbers compare;
those of different sets may come from different days.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossless import run
from nzip.evaluation.data.corpora import copies

RESULTS = Path(__file__).resolve().parent / "results"
SAMPLES = Path(__file__).resolve().parents[1] / "corpora" / "samples"

# Name of a set -> corpus -> its files, all where None.
SETS: dict[str, dict[str, list[str] | None]] = {
    "calgary": {"calgary": None},
    "canterbury": {"canterbury": None},
    "large": {"large": ["bible.txt"], "silesia": ["dickens", "ooffice", "xml"]},
    "logs": {"loghub-2k": None},
}
FOLDER = "folder:"  # before a folder below DATA, all of whose files are a set
STANDARD = "calgary,canterbury,large"


def files_of(name: str, folder: Path) -> list[Path]:
    """Return where the files of set `name` are below `folder`.

    Raises:
        NzipError: one is missing or damaged.
    """
    found: list[Path] = []
    if name.startswith(FOLDER):
        found = [path for path in sorted((folder / name.removeprefix(FOLDER)).rglob("*")) if path.is_file()]
        if not found:
            raise NzipError(f"there are no files in {name.removeprefix(FOLDER)}")
        return found
    if name == "samples":
        return [path for path in sorted(SAMPLES.iterdir()) if path.name != "SHA256SUMS"]
    for corpus, wanted in SETS[name].items():
        for row in copies.verify([corpus], folder):
            if wanted is not None and row["path"] not in wanted:
                continue
            if row["status"] != "ok":
                raise NzipError(f"{corpus}/{row['path']} is {row['status']}; get it with: nzip corpora fetch {corpus}")
            found.append(Path(row["location"]))
    return found


def levels_of(words: str) -> list[int]:
    """Read `1,6,9` or `1-9`."""
    found: list[int] = []
    for part in words.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main() -> int:
    """Run the sets that are asked for."""
    parser = argparse.ArgumentParser(description="Run the standard benchmark.")
    parser.add_argument("folder", type=Path, help="a folder that holds the corpora")
    parser.add_argument("--sets", default=STANDARD, help=f"of {', '.join((*SETS, 'samples'))} (default {STANDARD})")
    parser.add_argument("--levels", type=levels_of, help="nzip's levels, as 1,6,9 or 1-9 (default all)")
    parser.add_argument("--repeat", type=int, default=1, help="the best time of so many counts (default 1)")
    parser.add_argument("--peers", help="measure those whose names begin so (comma between), slow ones among them")
    parser.add_argument("--name", help="name of the result, in place of the set's")
    parser.add_argument("--no-peers", action="store_true", help="measure nzip alone")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to write (default benchmarks/results)")
    arguments = parser.parse_args()
    names = arguments.sets.split(",")
    unknown = [name for name in names if name not in (*SETS, "samples") and not name.startswith(FOLDER)]
    if unknown:
        parser.error(f"no set named {unknown[0]}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    missing = 0
    for name in names:
        try:
            files = files_of(name, arguments.folder)
        except NzipError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            missing += 1
            continue
        begin = time.monotonic()
        out = arguments.out / f"{arguments.name or name.removeprefix(FOLDER).replace('/', '-')}.json"
        print(f"\n{name}\n")
        run.main_run(
            files,
            levels=arguments.levels,
            peers=arguments.peers.split(",") if arguments.peers else not arguments.no_peers,
            repeat=arguments.repeat,
            json_path=out,
            echo=print,
            progress=lambda done, total, label: (
                print(f"{done}/{total} {label}", file=sys.stderr, flush=True) if label else None
            ),
        )
        print(f"\n{name}: {time.monotonic() - begin:.0f} s, written to {out}")
    return 1 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NzipError as error:
        sys.exit(f"error: {error}")
