"""What each part of the `cm` engine is worth: files without it, in bytes and in time.

    python benchmarks/cm_ablation.py PATH... [--preset 3] [--only TEXT] [--out benchmarks/results/cm_ablation.json]

Each row leaves out one part of the preset, and codes every file (those of a folder, not of folders in it) as one block.
Parts of a mixture that serves no byte of them are passed over. Bytes are payloads plus 25 a file for the container.
Times are of encoding, the processor's, the best of two passes, and are only comparable within a run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ablation import Block, chosen, files_of, options, read, write

from nzip.models.cm import presets, segments
from nzip.models.cm.engine import CmEngine, ContextMixing
from nzip.models.cm.layout import BINARY, BITMAP, BITS, MATCH, PARTIAL, TEXT
from nzip.models.cm.presets import ALL, Choice, Context, Preset

CONTAINER = 25
KINDS = ("text", "binary", "bitmap", "image", "audio", "rows", "table")  # of mixtures, in the order of their numbers
SOURCES = (
    "LAST8 LAST16 WORD WORD1 WORD2 WORD3 ABOVE COLUMN AFTER1 AFTER2 AFTER3 LINE SHAPE EXPECT IDENT IDENT1 MARKS PLACE "
    "GUESS BRACKET LETTERS ENDINGS LINEWORD WORDS PIXELS COLOURS SAMPLES FIELD ALIGNED CELL SPOT LINESHAPE GUESSES "
    "BESIDE FIRSTCELL UNLIKE"
)
NAMES = {getattr(presets, name): name for name in SOURCES.split()}


def describe(part: Context | Choice) -> str:
    """Return a context, or what chooses the rows of a weight set, in a few words."""
    if isinstance(part, Choice):
        if part.select in (PARTIAL, MATCH, BITS):
            return {PARTIAL: "PARTIAL", MATCH: "MATCH", BITS: "BITS"}[part.select]
        return f"{NAMES[part.source]} >> {part.shift} & {part.mask:#x}" + (" by bit" if part.by_bit else "")
    masked = (
        (part.first, part.first_mask),
        (part.second, part.second_mask),
        (part.third, part.third_mask),
    )
    return " + ".join(
        NAMES[source] + (f" & {mask:#x}" if mask != ALL else "") for source, mask in masked if source != presets.NONE
    )


def each(full: Preset, **changes: Any) -> Preset:
    """Return a preset with changes in each mixture."""
    return replace(full, mixtures=tuple(replace(mixture, **changes) for mixture in full.mixtures))


def one(full: Preset, kind: int, **changes: Any) -> Preset:
    """Return a preset with changes in one mixture."""
    mixtures = list(full.mixtures)
    mixtures[kind] = replace(mixtures[kind], **changes)
    return replace(full, mixtures=tuple(mixtures))


def used(blocks: Sequence[Block]) -> list[int]:
    """Return which mixtures serve some of the blocks; binary bytes may prove to be a bitmap."""
    found = {stretch.type for _, content in blocks for stretch in segments.stretches(content)}
    return sorted(found | ({BINARY} if BITMAP in found else set()))


def without(full: Preset, kinds: Sequence[int]) -> Iterator[tuple[str, Preset]]:
    """Yield each part's name and the preset without it."""
    yield "nothing", full
    for kind in kinds:
        contexts = full.mixtures[kind].contexts
        for i, context in enumerate(contexts):
            less = one(full, kind, contexts=contexts[:i] + contexts[i + 1 :])
            yield f"{KINDS[kind]} context {describe(context)}", less
    yield "match model", replace(each(full, matches=(0,)), ahead=0)
    if TEXT in kinds:
        yield "match of 6 bytes in text", one(full, TEXT, matches=(6,))
    yield "counters", replace(full, counters=0)
    yield "counter of three bytes", replace(full, counters=full.counters - 1)
    yield "primers", full
    for kind in kinds:
        sets = full.mixtures[kind].sets
        for i, choice in enumerate(sets):
            yield f"{KINDS[kind]} set {describe(choice)}", one(full, kind, sets=sets[:i] + sets[i + 1 :])
    yield "faster learning at the start", each(full, rate_start=0)
    yield "learning of the second layer", each(full, final_rate=0)
    wide = [tuple(replace(c, wide=not c.direct) for c in mixture.contexts) for mixture in full.mixtures]
    mixtures = tuple(replace(mixture, contexts=c) for mixture, c in zip(full.mixtures, wide, strict=True))
    yield "all hashed buckets wide (adds)", replace(full, mixtures=mixtures)
    yield "second inputs for all contexts (adds)", replace(each(full, inputs=0), inputs=64)


def measure(
    engine: ContextMixing, number: int, preset: Preset, blocks: Sequence[Block], repeats: int, container: int,
    **params: int,
) -> tuple[int, float]:  # fmt: skip
    """Return bytes and nanoseconds a bit of an engine with `preset` in the place of one of its presets."""
    best = float("inf")
    own = engine.presets[number]
    engine.presets[number] = preset
    try:
        for _ in range(repeats):
            start = time.process_time()
            coded = 0
            for block, content in blocks:
                coded += len(engine.encode(block, engine.fit({"preset": number, **params}, len(block)), content))
            best = min(best, time.process_time() - start)
    finally:
        engine.presets[number] = own
    return coded + container * len(blocks), best / sum(len(block) for block, _ in blocks) / 8 * 1e9


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = options(__doc__, "cm_ablation")
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--preset", type=int, choices=CmEngine.presets, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args(words)
    paths = files_of(args.paths)
    blocks = read(paths)
    engine = CmEngine()
    engine.prepare()
    rows: list[dict[str, Any]] = []
    for name, preset in chosen(without(engine.presets[args.preset], used(blocks)), args.only):
        primer = int(name != "primers")
        size, ns = measure(engine, args.preset, preset, blocks, args.repeats, CONTAINER, primer=primer)
        rows.append({"without": name, "bytes": size, "ns_per_bit": round(ns, 1)})
        first = rows[0]
        more = f"{size - first['bytes']:+8,d} {ns:7.1f} {ns - first['ns_per_bit']:+6.1f}"
        print(f"{name:64s} {size:9,d} {more}", flush=True)
    write(args.out, CmEngine, paths, preset=args.preset, rows=rows)


if __name__ == "__main__":
    main()
