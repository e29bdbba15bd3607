"""What each part of the `cm` engine is worth: a corpus without it, in bytes and in time.

Usage: python benchmarks/cm_ablation.py CORPUS_FOLDER [--preset 3] [--out benchmarks/results/cm_ablation.json]

Each row leaves out one part of the preset, and codes every file of the folder as one block. Parts of a mixture that
serves no byte of the corpus are passed over. Bytes are payloads plus 25 a file for the container. Times are of
encoding, the processor's, the best of two passes, and are only comparable within a run.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import Content
from nzip.models.cm import layout, presets, segments
from nzip.models.cm.engine import CmEngine, ContextMixing
from nzip.models.cm.presets import ALL, BITS, MATCH, PARTIAL, Choice, Context, Preset

CONTAINER = 25
KINDS = ("text", "binary", "bitmap", "image", "audio")  # of mixtures, in the order of their numbers
NAMES = {
    number: name
    for name, number in vars(presets).items()
    if name in {
        "LAST8", "LAST16", "WORD", "WORD1", "WORD2", "WORD3", "ABOVE", "COLUMN", "AFTER1", "AFTER2", "AFTER3", "LINE",
        "SHAPE", "EXPECT", "IDENT", "IDENT1", "MARKS", "PLACE", "GUESS", "BRACKET", "LETTERS", "ENDINGS", "LINEWORD",
        "WORDS", "PIXELS", "COLOURS", "SAMPLES",
    }
}  # fmt: skip

Block = tuple[bytes, Content]


def describe(part: Context | Choice) -> str:
    """Return a context, or what chooses the rows of a weight set, in a few words."""
    if isinstance(part, Choice):
        if part.select in (PARTIAL, MATCH, BITS):
            return {PARTIAL: "PARTIAL", MATCH: "MATCH", BITS: "BITS"}[part.select]
        return f"{NAMES[part.source]} >> {part.shift} & {part.mask:#x}" + (" by bit" if part.by_bit else "")
    parts = []
    for source, mask in ((part.first, part.first_mask), (part.second, part.second_mask)):
        if source != presets.NONE:
            parts.append(NAMES[source] + (f" & {mask:#x}" if mask != ALL else ""))
    return " + ".join(parts)


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
    return sorted(found | ({layout.BINARY} if layout.BITMAP in found else set()))


def without(full: Preset, kinds: Sequence[int]) -> Iterator[tuple[str, Preset]]:
    """Yield each part's name and the preset without it."""
    yield "nothing", full
    for kind in kinds:
        contexts = full.mixtures[kind].contexts
        for i, context in enumerate(contexts):
            yield (
                f"{KINDS[kind]} context {describe(context)}",
                one(full, kind, contexts=contexts[:i] + contexts[i + 1 :]),
            )
    yield "match model", replace(each(full, matches=(0,)), ahead=0)
    yield "match of 6 bytes in text", one(full, layout.TEXT, matches=(6,))
    if full.counters:
        yield "counters", replace(full, counters=0)
        yield "counter of three bytes", replace(full, counters=full.counters - 1)
    yield "primers", full
    for kind in kinds:
        sets = full.mixtures[kind].sets
        for i, choice in enumerate(sets if len(sets) > 1 else ()):
            yield f"{KINDS[kind]} set {describe(choice)}", one(full, kind, sets=sets[:i] + sets[i + 1 :])
    yield "faster learning at the start", each(full, rate_start=0)
    yield "learning of the second layer", replace(full, final_rate=0)
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


def read(paths: Sequence[Path]) -> list[Block]:
    """Return what files hold, and what that is."""
    blocks = [path.read_bytes() for path in paths]
    return [(block, detect(block)) for block in blocks if block]


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--preset", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cm_ablation.json")
    args = parser.parse_args()
    blocks = read([path for path in sorted(args.corpus.iterdir()) if path.is_file()])
    engine = CmEngine()
    engine.prepare()
    rows: list[dict[str, Any]] = []
    for name, preset in without(engine.presets[args.preset], used(blocks)):
        size, ns = measure(
            engine, args.preset, preset, blocks, args.repeats, CONTAINER, primer=int(name != "primers")
        )  # fmt: skip
        rows.append({"without": name, "bytes": size, "ns_per_bit": round(ns, 1)})
        first = rows[0]
        more = f"{size - first['bytes']:+8,d} {ns:7.1f} {ns - first['ns_per_bit']:+6.1f}"
        print(f"{name:64s} {size:9,d} {more}", flush=True)
    result = {
        "corpus": args.corpus.name,
        "files": len(blocks),
        "raw": sum(len(block) for block, _ in blocks),
        "preset": args.preset,
        "engine_version": CmEngine.version,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
