"""What each part of the engine `cmstrong` is worth: a corpus without it, in bytes and in time.

Usage: python benchmarks/cmstrong_ablation.py FILE... [--preset 3] [--out benchmarks/results/cmstrong_ablation.json]

Each row leaves out one group of contexts, one weight set or one part of the preset, and codes every file as one block,
with primers. Bytes are payloads plus 27 a file for the container. Times are the processor's, of encoding, of one pass
with the reading of primers; they are only comparable within a run, and differences below a tenth say nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nzip.models.cmstrong import presets
from nzip.models.cmstrong.engine import CmStrongEngine
from nzip.models.cmstrong.presets import Choice, Context, Preset, Select, Source

CONTAINER = 27
# Contexts by the first source in this list that they use.
GROUPS = {
    "match's expected byte": (Source.EXPECT,),
    "words": (Source.WORD, Source.WORD1, Source.WORD2, Source.WORD3, Source.LETTERS, Source.ENDINGS, Source.LINEWORD),
    "names and marks": (Source.IDENT, Source.IDENT1, Source.MARKS, Source.PLACE),
    "brackets": (Source.BRACKET,),
    "lines": (Source.LINE,),
    "shapes": (Source.SHAPE,),
    "what followed before": (Source.AFTER1, Source.AFTER2, Source.AFTER3),
    "records": (Source.ABOVE, Source.COLUMN, Source.GUESS),
    "bytes": (Source.LAST8, Source.LAST16),
}


def group(context: Context) -> str:
    """Return the group that `context` belongs to; parts of bytes and gaps are apart from whole orders."""
    sources = {context.first, context.second, context.third}
    name = next(name for name, members in GROUPS.items() if sources.intersection(members))
    if name != "bytes":
        return name
    if (context.first_mask + 1) & context.first_mask == 0 and context.first_mask.bit_length() % 8 == 0:
        return "orders"
    whole = all(context.first_mask >> 8 * k & 255 in (0, 255) for k in range(8))
    return "bytes with gaps" if whole else "parts of bytes"


def describe(choice: Choice) -> str:
    """Return a weight set's selector in a few words."""
    if choice.select != Select.SOURCE:
        return choice.select.name
    return f"{choice.source.name} >> {choice.shift} & {choice.mask:#x}" + (" by bit" if choice.by_bit else "")


def without(full: Preset) -> Iterator[tuple[str, Preset]]:
    """Yield each part's name and the preset without it."""
    yield "nothing", full
    for name in [*list(GROUPS)[:-1], "bytes with gaps", "parts of bytes"]:
        contexts = tuple(tuple(c for c in kind if group(c) != name) for kind in full.contexts)
        yield f"contexts: {name}", replace(full, contexts=contexts)
    yield "contexts: near bits", replace(full, near=((), (), ()))
    yield "match models but the last", replace(full, matches=full.matches[-1:])
    for choice in dict.fromkeys(choice for sets in full.sets for choice in sets):
        sets = tuple(tuple(c for c in kind if c != choice) for kind in full.sets)
        yield f"weight set {describe(choice)}", replace(full, sets=sets)
    yield "all weight sets but PARTIAL", replace(full, sets=tuple(kind[:1] for kind in full.sets))
    yield "faster learning at the start", replace(full, rate_start=(0, 0, 0))
    yield "slower learning from loud inputs", replace(full, loud=1 << 20, quiet=1 << 20)
    yield "learning of the second layer", replace(full, final_rate=0)
    yield "skimming", replace(full, skim=0)
    yield "the first half of the primer", replace(full, primer=full.primer // 2)


def measure(preset: Preset, blocks: list[bytes]) -> tuple[int, float]:
    """Return bytes and nanoseconds a bit."""
    engine = CmStrongEngine()
    presets.PRESETS[0] = preset
    try:
        start = time.process_time()
        coded = sum(len(engine.encode(block, engine.fit({"preset": 0}, len(block)))) for block in blocks)
        spent = time.process_time() - start
    finally:
        del presets.PRESETS[0]
    return coded + CONTAINER * len(blocks), spent / sum(map(len, blocks)) / 8 * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--preset", type=int, default=presets.DEFAULT_PRESET)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cmstrong_ablation.json")
    args = parser.parse_args()
    blocks = [path.read_bytes() for path in args.files]
    CmStrongEngine().prepare()
    rows = []
    for name, preset in without(presets.PRESETS[args.preset]):
        size, ns = measure(preset, blocks)
        rows.append({"without": name, "bytes": size, "ns_per_bit": round(ns)})
        print(f"| {name} | {size:,} | {size - rows[0]['bytes']:+,} | {ns:.0f} |", flush=True)
    result = {
        "files": [path.name for path in args.files],
        "raw": sum(map(len, blocks)),
        "preset": args.preset,
        "engine_version": CmStrongEngine.version,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
