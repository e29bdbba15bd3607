"""What each part of the `cm` engine is worth: a corpus without it, in bytes and in time.

Usage: python benchmarks/cm_ablation.py CORPUS_FOLDER [--preset 3] [--out benchmarks/results/cm_ablation.json]

Each row leaves out one part of the preset, and codes every file of the folder as one block. Bytes are payloads plus
25 a file for the container. Times are of encoding, the best of two passes, and are only comparable within a run.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nzip.models.cm import presets
from nzip.models.cm.engine import CmEngine
from nzip.models.cm.presets import Context, Preset, Source

CONTAINER = 25


def describe(context: Context) -> str:
    """Return a context in a few words."""
    parts = []
    for source, mask in ((context.first, context.first_mask), (context.second, context.second_mask)):
        if source != Source.NONE:
            width = f" & {mask:#x}" if mask != presets.MASK64 else ""
            parts.append(f"{source.name}{width}")
    return " + ".join(parts)


def without(full: Preset) -> Iterator[tuple[str, Preset]]:
    """Yield each part's name and the preset without it."""
    yield "nothing", full
    for kind in ("text", "binary"):
        contexts = getattr(full, kind)
        for i, context in enumerate(contexts):
            yield f"{kind} context {describe(context)}", replace(full, **{kind: contexts[:i] + contexts[i + 1 :]})
    yield "match model", replace(full, match_min=0, match_min_binary=0, ahead=0)
    if full.counters:
        yield "counters", replace(full, counters=0)
        yield "counter of three bytes", replace(full, counters=full.counters - 1)
    yield "match of 6 bytes in text", replace(full, match_min=6)
    yield "primers", full
    for kind in ("text_sets", "binary_sets"):
        sets = getattr(full, kind)
        for i, select in enumerate(sets):
            if len(sets) > 1:
                yield f"{kind} {select.name}", replace(full, **{kind: sets[:i] + sets[i + 1 :]})
    yield "refinement", replace(full, refine=0)
    yield "faster learning at the start", replace(full, rate_start=0)
    yield "learning of the second layer", replace(full, final_rate=0)
    yield (
        "all hashed buckets wide (adds)",
        replace(
            full,
            text=tuple(replace(c, wide=not c.direct) for c in full.text),
            binary=tuple(replace(c, wide=not c.direct) for c in full.binary),
        ),
    )
    yield "second inputs for all contexts (adds)", replace(full, inputs=64)


def measure(preset: Preset, blocks: list[bytes], repeats: int, primer: int) -> tuple[int, float]:
    """Return bytes and nanoseconds a bit."""
    engine = CmEngine()
    presets.PRESETS[0] = preset
    best = float("inf")
    try:
        for _ in range(repeats):
            start = time.perf_counter()
            params = {"preset": 0, "primer": primer}
            coded = sum(len(engine.encode(block, engine.fit(params, len(block)))) for block in blocks)
            best = min(best, time.perf_counter() - start)
    finally:
        del presets.PRESETS[0]
    return coded + CONTAINER * len(blocks), best / sum(map(len, blocks)) / 8 * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--preset", type=int, default=presets.DEFAULT_PRESET)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cm_ablation.json")
    args = parser.parse_args()
    blocks = [path.read_bytes() for path in sorted(args.corpus.iterdir()) if path.is_file()]
    blocks = [block for block in blocks if block]
    CmEngine().prepare()
    rows = []
    for name, preset in without(presets.PRESETS[args.preset]):
        size, ns = measure(preset, blocks, args.repeats, int(name != "primers"))
        first = rows[0] if rows else {"bytes": size, "ns_per_bit": ns}
        rows.append({"without": name, "bytes": size, "ns_per_bit": round(ns, 1)})
        print(
            f"{name:52s} {size:9,d} {size - first['bytes']:+8,d} {ns:7.1f} {ns - first['ns_per_bit']:+6.1f}", flush=True
        )
    result = {
        "corpus": args.corpus.name,
        "files": len(blocks),
        "raw": sum(map(len, blocks)),
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
