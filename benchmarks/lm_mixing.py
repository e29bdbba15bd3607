"""What each part behind the language model is worth, in bits per byte, and what its corrections are.

    nzip models pull
    python benchmarks/lm_mixing.py FILE… [--tokens 10000] [--streams 8] [--out benchmarks/results/lm_mixing.json]

The model says once what it expects at each of a file's first tokens; then each row leaves one part out, or adds one,
and codes them as one stream. A token takes 4 V bytes of memory meanwhile (197 KB with SmolLM2). Sizes are those of the
coded bits. One more pass of the model shows what it says without its corrections (docs/reference/LM.md).

`--streams` cuts the tokens in equal runs and codes them as independent streams and as streams that share a state; the
frequencies stay those of the uncut text, so that only the mixing is compared.
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

from nzip.models.lm import loading, model
from nzip.models.lm.cache import known_models, records
from nzip.models.lm.network.numba_backend.backend import NumbaModel
from nzip.models.lm.readers import opening
from nzip.models.lm.tree import layout as lm
from nzip.models.lm.tree.coder import Settings, TreeCoder

RUN = 64  # tokens that the model takes at once
CONTEXT_NAMES = (
    "node", "1 token", "2 tokens", "3 tokens", "4 tokens", "token before the last", "column",
    "the model's first guess", "first guess + 1 token", "first guess + 2 tokens", "1 byte", "2 bytes", "3 bytes",
    "4 bytes", "5 bytes", "6 bytes", "word", "two words", "two bytes before the last", "word before + byte",
)  # fmt: skip
SET_NAMES = ("certainty", "match", "seen", "first guess and hits", "place in the token", "last byte")


def rows_of(full: Settings) -> Iterator[tuple[str, Settings, bool]]:
    """Yield each row's name and settings, and whether the model's head is adapted."""
    yield "the language model alone", replace(full, parts=0), False
    yield "+ bias of tokens", replace(full, parts=lm.TOKENS), False
    yield "everything", full, True
    yield "without adapter and memory of hidden states", full, False
    yield "without memory of hidden states", replace(full, entries=1), True
    yield "without adapter", replace(full, adapt_rate=0, adapt_start=0), True
    for name, part in (
        ("learned corrections of odds", lm.DELTA), ("matches", lm.MATCH),
        ("refinement", lm.REFINE), ("bias of tokens", lm.TOKENS),
    ):  # fmt: skip
        yield f"without {name}", replace(full, parts=full.parts & ~part), True
    yield "with bit histories", replace(full, parts=full.parts | lm.HISTORY), True
    yield "with all 20 contexts", replace(full, contexts=(1 << lm.CONTEXTS) - 1), True
    yield "with all 6 sets of weights", replace(full, sets=(1 << lm.SETS) - 1), True
    for i, name in enumerate(CONTEXT_NAMES):
        if full.contexts >> i & 1:
            yield f"without context: {name}", replace(full, contexts=full.contexts & ~(1 << i)), True
    for i, name in enumerate(SET_NAMES):
        if full.sets >> i & 1:
            yield f"without weights by: {name}", replace(full, sets=full.sets & ~(1 << i)), True


class Case:
    """A file's first tokens and what a model says about them."""

    def __init__(self, file: Path, language: model.LanguageModel, tokens: int) -> None:
        self.name, self.tree = file.name, language.tree
        with open(file, "rb") as opened:
            ids = language.encode(opened.read(32 * tokens))[:tokens]
        self.ids = ids
        self.lengths = np.array([len(piece) for piece in language.pieces(ids)])
        self.bytes = int(self.lengths.sum())
        self.given = np.concatenate([[language.start], language.fed(ids[:-1])]).astype(np.int32)
        self.rows = np.empty((len(ids), language.config.vocab), np.uint32)
        self.hidden = np.empty((len(ids), language.config.width), np.int16)

    def predict(self, of: Any) -> None:
        """Fill the rows with what weights say."""
        backend = NumbaModel(of)
        state = backend.begin(1, RUN)
        self.head = (of.head, of.head_scale)
        for i in range(0, len(self.ids), RUN):
            part = self.given[i : i + RUN]
            rows = backend.feed(state, np.zeros(len(part), np.int64), part, hidden=self.hidden[i : i + RUN])
            self.rows[i : i + RUN] = rows

    def code(self, settings: Settings, adapted: bool, borders: list[int] | None = None) -> int:
        """Return the bytes of streams that share a state and begin at `borders`."""
        borders = borders or [0]
        each = -(-len(self.ids) // len(borders))
        sizes = [int(self.lengths[b : b + each].sum()) for b in borders]
        coder = TreeCoder(self.tree, sizes, settings, head=self.head if adapted else None)
        if len(borders) == 1:
            hidden = self.hidden[:, None] if adapted else None
            coder.encode(self.rows[:, None], self.ids[:, None], hidden)
        else:
            for t in range(each):
                places = np.array([b + t for b in borders])
                inside = np.minimum(places, len(self.ids) - 1)
                ids = np.where(places < len(self.ids), self.ids[inside], -1)
                coder.encode(self.rows[inside][None], ids[None], self.hidden[inside][None] if adapted else None)
        return sum(map(len, coder.payloads()))

    def part(self, begin: int, count: int) -> Case:
        """Return some of the tokens."""
        out = Case.__new__(Case)
        out.name, out.tree, out.head = self.name, self.tree, self.head
        for name in ("ids", "lengths", "rows", "hidden"):
            setattr(out, name, getattr(self, name)[begin : begin + count])
        return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--model", default=known_models.DEFAULT_MODEL)
    parser.add_argument("--tokens", type=int, default=10_000, help="of each file at most")
    parser.add_argument("--streams", type=int, nargs="*", default=[])
    parser.add_argument("--only", help="rows whose name contains this")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    language = loading.by_name(args.model)
    cases = [Case(file, language, args.tokens) for file in args.files]
    for case in cases:
        case.predict(language.weights)
    results: list[dict[str, Any]] = []

    def note(row: str, sizes: list[int], seconds: float) -> None:
        bpb = {case.name: round(8 * size / case.bytes, 4) for case, size in zip(cases, sizes, strict=True)}
        results.append({"row": row, "bits_per_byte": bpb, "coded": dict(zip(bpb, sizes, strict=True))})
        print(f"{row:44s}", *(f"{name} {value:.4f}" for name, value in bpb.items()), f"{seconds:.1f} s", flush=True)

    for row, settings, adapted in rows_of(Settings()):
        if not args.only or args.only in row:
            start = time.perf_counter()
            note(row, [case.code(settings, adapted) for case in cases], time.perf_counter() - start)
    for streams in args.streams:
        for shared in (False, True):
            start = time.perf_counter()
            sizes = []
            for case in cases:
                each = -(-len(case.ids) // streams)
                borders = list(range(0, len(case.ids), each))
                if shared:
                    sizes.append(case.code(Settings(), True, borders))
                else:
                    sizes.append(sum(case.part(b, each).code(Settings(), True) for b in borders))
            note(f"{streams} streams, {'shared' if shared else 'own'} state", sizes, time.perf_counter() - start)
    plain = loading.quantised(opening.open_source(records.find(args.model).path), corrected=False)
    for case in cases:
        case.predict(plain)
    for row, settings, adapted in list(rows_of(Settings()))[:3]:
        start = time.perf_counter()
        note(f"uncorrected: {row}", [case.code(settings, adapted) for case in cases], time.perf_counter() - start)
    if args.out:
        report = {
            "files": {case.name: {"bytes": case.bytes, "tokens": len(case.ids)} for case in cases},
            "model": args.model,
            "model_id": language.id,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "rows": results,
        }
        args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
