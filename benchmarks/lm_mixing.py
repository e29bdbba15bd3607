"""What each part of the mixing behind the language model is worth, in bits per byte.

Usage: python benchmarks/lm_mixing.py FOLDER NAME [NAME ...] [--tokens N] [--out benchmarks/results/lm_mixing.json]

FOLDER holds what a language model said about each file, so that a row takes seconds and not hours:
`vocab.json` (the bytes of each token id, in hexadecimal), `NAME.ids.npy` (int32 token ids) and `NAME.freq` (raw uint32
of shape (tokens, V): frequencies in tree order with the total 2^24). It is made by running the model over the
file; it is large (a token takes 4 V bytes) and never committed.

Each row leaves one part out, or adds one, and codes the whole file as one stream. Sizes are those of the coded bits.
`--streams` cuts the file in equal runs of tokens and codes them as independent streams and as streams that share a
state; the frequencies stay those of the uncut file, so that only the mixing is compared.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nzip.models.lm import tree as lm
from nzip.models.lm.tree import Settings, TreeCoder, VocabularyTree

RUN = 256  # tokens that are read from the disk at once
CONTEXT_NAMES = (
    "node", "1 token", "2 tokens", "3 tokens", "4 tokens", "token before the last", "column",
    "the model's first guess", "first guess + 1 token", "first guess + 2 tokens", "1 byte", "2 bytes", "3 bytes",
    "4 bytes", "5 bytes", "6 bytes", "word", "two words", "two bytes before the last", "word before + byte",
)  # fmt: skip
SET_NAMES = ("certainty", "match", "seen", "first guess and hits", "place in the token", "last byte")


def rows_of(full: Settings) -> Iterator[tuple[str, Settings]]:
    """Yield each row's name and settings."""
    yield "the language model alone", replace(full, parts=0)
    yield "+ bias of tokens", replace(full, parts=lm.TOKENS)
    yield "everything", full
    for name, part in (
        ("learned corrections", lm.DELTA), ("matches", lm.MATCH),
        ("refinement", lm.REFINE), ("bias of tokens", lm.TOKENS),
    ):  # fmt: skip
        yield f"without {name}", replace(full, parts=full.parts & ~part)
    yield "with bit histories", replace(full, parts=full.parts | lm.HISTORY)
    yield "with all 20 contexts", replace(full, contexts=(1 << lm.CONTEXTS) - 1)
    yield "with all 6 sets of weights", replace(full, sets=(1 << lm.SETS) - 1)
    for i, name in enumerate(CONTEXT_NAMES):
        if full.contexts >> i & 1:
            yield f"without context: {name}", replace(full, contexts=full.contexts & ~(1 << i))
    for i, name in enumerate(SET_NAMES):
        if full.sets >> i & 1:
            yield f"without weights by: {name}", replace(full, sets=full.sets & ~(1 << i))


class Case:
    """A file and what the model said about it."""

    def __init__(self, folder: Path, name: str, tokens: int, vocabulary: list[bytes]) -> None:
        ids = np.load(folder / f"{name}.ids.npy")
        self.rows = np.memmap(folder / f"{name}.freq", np.uint32, "r", shape=(len(ids), len(vocabulary)))
        self.ids = ids[: tokens or len(ids)]
        self.name = name
        self.lengths = np.array([len(vocabulary[i]) for i in self.ids])
        self.bytes = int(self.lengths.sum())

    def code(self, tree: VocabularyTree, settings: Settings) -> int:
        """Return the bytes of one stream."""
        coder = TreeCoder(tree, [self.bytes], settings)
        for i in range(0, len(self.ids), RUN):
            ids = self.ids[i : i + RUN]
            coder.encode(np.array(self.rows[i : i + len(ids)])[:, None], ids[:, None])
        return sum(map(len, coder.payloads()))

    def code_streams(self, tree: VocabularyTree, settings: Settings, streams: int, shared: bool) -> int:
        """Return the bytes of `streams` streams."""
        each = -(-len(self.ids) // streams)
        borders = list(range(0, len(self.ids), each))
        sizes = [int(self.lengths[b : b + each].sum()) for b in borders]
        if not shared:
            total = 0
            for b, size in zip(borders, sizes, strict=True):
                coder = TreeCoder(tree, [size], settings)
                ids = self.ids[b : b + each]
                coder.encode(np.array(self.rows[b : b + len(ids)])[:, None], ids[:, None])
                total += len(coder.payloads()[0])
            return total
        coder = TreeCoder(tree, sizes, settings)
        for t in range(each):
            places = [b + t for b in borders]
            ids = np.array([self.ids[p] if p < len(self.ids) else -1 for p in places])
            rows = np.array(self.rows[[min(p, len(self.ids) - 1) for p in places]])
            coder.encode(rows[None], ids[None])
        return sum(map(len, coder.payloads()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--tokens", type=int, default=0, help="of each file at most")
    parser.add_argument("--streams", type=int, nargs="*", default=[])
    parser.add_argument("--only", help="rows whose name contains this")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    vocabulary = [bytes.fromhex(token) for token in json.loads((args.folder / "vocab.json").read_text())]
    tree = VocabularyTree(vocabulary)
    cases = [Case(args.folder, name, args.tokens, vocabulary) for name in args.names]
    results: list[dict[str, Any]] = []

    def note(row: str, sizes: list[int], seconds: float) -> None:
        bpb = {case.name: round(8 * size / case.bytes, 4) for case, size in zip(cases, sizes, strict=True)}
        results.append({"row": row, "bits_per_byte": bpb, "coded": dict(zip(bpb, sizes, strict=True))})
        print(f"{row:44s}", *(f"{name} {value:.4f}" for name, value in bpb.items()), f"{seconds:.1f} s", flush=True)

    for row, settings in rows_of(Settings()):
        if not args.only or args.only in row:
            start = time.perf_counter()
            note(row, [case.code(tree, settings) for case in cases], time.perf_counter() - start)
    for streams in args.streams:
        for shared in (False, True):
            start = time.perf_counter()
            sizes = [case.code_streams(tree, Settings(), streams, shared) for case in cases]
            note(f"{streams} streams, {'shared' if shared else 'own'} state", sizes, time.perf_counter() - start)
    if args.out:
        report = {
            "files": {case.name: {"bytes": case.bytes, "tokens": len(case.ids)} for case in cases},
            "python": platform.python_version(),
            "numpy": np.__version__,
            "rows": results,
        }
        args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
