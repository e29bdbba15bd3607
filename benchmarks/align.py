"""How well a target set chooses documents of its kind from a mixed corpus, and how long that takes.

    python benchmarks/align.py --of code --out benchmarks/results/eval_align.json \
        logs=DIR code=DIR prose=FILE xml=FILE
    python benchmarks/align.py --documents 20000 --out benchmarks/results/eval_align_kinds.json …

Each KIND=PATH is a file, or a folder of files. Documents of 200 to 500 bytes are cut at random places: those of the
corpus from the first four fifths of each file, the targets from the last fifth, so that no target stands in the
corpus. Every kind has the same number of documents, a file's share grows with its size. Short sources are cut many
times over: documents overlap. For each kind its targets choose as many lines as the corpus has of it; the precision is
the share of these that are of the kind, and chance would give one in as many as there are kinds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nzip.evaluation.compressors.conditional import compressor
from nzip.evaluation.data.files import find_files
from nzip.evaluation.harness.jobs import Running
from nzip.evaluation.harness.outputs import write_text
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.measures import align

LEAST, MOST = 200, 500  # bytes of a document
KNOWN = 0.8  # share of each file that the corpus is cut from
METHODS = (
    ("cmfast", "conditional"),
    ("gzip", "conditional"),
    ("gzip", "ncd"),
)


def cut(files: list[bytes], count: int, random: np.random.Generator, last: bool) -> list[str]:
    """Return `count` documents from the first parts of files, or from the last ones."""
    parts = [data[int(len(data) * KNOWN) :] if last else data[: int(len(data) * KNOWN)] for data in files]
    parts = [part for part in parts if len(part) > LEAST]
    sizes = np.array([len(part) for part in parts], np.float64)
    found = []
    for which in random.choice(len(parts), count, p=sizes / sizes.sum()):
        part = parts[which]
        size = int(random.integers(LEAST, MOST + 1))
        start = int(random.integers(0, max(1, len(part) - size)))
        found.append(part[start : start + size].decode("utf-8", "replace"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+", metavar="KIND=PATH")
    parser.add_argument("--out", required=True)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--targets", type=int, default=32)
    parser.add_argument("--of", action="append", metavar="KIND", help="choose by the targets of this kind only")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sources = {}
    for word in given.kinds:
        kind, _, path = word.partition("=")
        sources[kind] = [file.location.read_bytes() for file in find_files([path])]
    random = np.random.Generator(np.random.PCG64(given.seed))
    each = given.documents // len(sources)
    rows = [(kind, text) for kind, files in sources.items() for text in cut(files, each, random, last=False)]
    order = random.permutation(len(rows))
    targets = {
        kind: [text.encode() for text in cut(files, given.targets, random, last=True)]
        for kind, files in sources.items()
    }
    result = {
        **head(
            "benchmarks/align.py", seed=given.seed, jobs=given.jobs, document_bytes=[LEAST, MOST], targets=given.targets
        ),
        "documents": len(rows),
        "kinds": {kind: {"documents": each, "source_bytes": sum(map(len, files))} for kind, files in sources.items()},
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "corpus.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            for at in order:
                print(json.dumps({"text": rows[at][1], "kind": rows[at][0]}), file=file)
        result["corpus_bytes"] = path.stat().st_size
        for name, form in METHODS:
            for kind in given.of or sources:
                start = time.perf_counter()
                with align.Corpus(path) as corpus:
                    found = align.rank(
                        corpus, targets[kind], each, name=name, kind=form, label=("kind", kind),
                        running=Running(given.jobs),
                    )
                seconds = time.perf_counter() - start
                thousand = found.chosen[: min(1000, each)]
                row = {
                    "compressor": compressor(name).describe(),
                    "form": form,
                    "targets_of": kind,
                    "seconds": round(seconds, 2),
                    "cpu_s": round(found.cpu_s, 2),
                    "precision": sum(chosen.marked for chosen in found.chosen) / len(found.chosen),
                    "precision_at_1000": sum(chosen.marked for chosen in thousand) / len(thousand),
                }
                result["runs"].append(row)
                print(
                    f"{name:7} {form:12} {kind:8} {seconds:7.1f} s  {found.cpu_s:7.1f} CPU s  "
                    f"precision {row['precision']:.4f}  of the first 1,000 {row['precision_at_1000']:.4f}",
                    file=sys.stderr,
                    flush=True,
                )
    write_text(given.out, json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
