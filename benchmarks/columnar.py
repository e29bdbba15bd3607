"""The engine `columnar` beside the levels around it: bytes and speed.

    python benchmarks/columnar.py FILE... [--repeat 3] [--out benchmarks/results/columnar.json]

Each file is coded alone, decoded and compared, as by `nzip bench`, on one thread. The table of
docs/reference/COLUMNAR.md is made from it; benchmarks/README.md has the files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nzip.evaluation.benchmark.lossless.run import run
from nzip.evaluation.compressors import selection
from nzip.evaluation.data.files import find_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "columnar.json")
    args = parser.parse_args()
    codecs = selection.choose(["2", "columnar", "3"])
    result = run(codecs, find_files(args.files), repeat=args.repeat)
    result["tool"] = "benchmarks/columnar.py"
    for files in (result["files"], *(codec["files"] for codec in result["codecs"])):
        for file in files:
            file["path"] = "/".join(Path(file["path"]).parts[-2:])  # where they lie on this machine is of no interest
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
