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
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cm_ablation import describe, each, measure, read

from nzip.models.cm import presets as S
from nzip.models.cm.engine import CmStrongEngine
from nzip.models.cm.presets import Context, Preset

CONTAINER = 27
# Contexts by the first source in this list that they use.
GROUPS = {
    "match's expected byte": (S.EXPECT,),
    "words": (S.WORD, S.WORD1, S.WORD2, S.WORD3, S.LETTERS, S.ENDINGS, S.LINEWORD),
    "names and marks": (S.IDENT, S.IDENT1, S.MARKS, S.PLACE),
    "brackets": (S.BRACKET,),
    "lines": (S.LINE,),
    "shapes": (S.SHAPE,),
    "what followed before": (S.AFTER1, S.AFTER2, S.AFTER3),
    "pixels": (S.PIXELS, S.COLOURS),
    "samples": (S.SAMPLES,),
    "records": (S.ABOVE, S.COLUMN, S.GUESS),
    "bytes": (S.LAST8, S.LAST16),
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


def without(full: Preset) -> Iterator[tuple[str, Preset]]:
    """Yield each part's name and the preset without it."""
    yield "nothing", full
    for name in [*list(GROUPS)[:-1], "bytes with gaps", "parts of bytes"]:
        left = tuple(
            replace(mixture, contexts=tuple(c for c in mixture.contexts if group(c) != name))
            for mixture in full.mixtures
        )
        if left != full.mixtures:
            yield f"contexts: {name}", replace(full, mixtures=left)
    yield "contexts: near bits", each(full, near=())
    if len(full.mixtures[0].matches) > 1:
        yield "match models but the last", each(full, matches=full.mixtures[0].matches[-1:])
    for choice in dict.fromkeys(choice for mixture in full.mixtures for choice in mixture.sets):
        left = tuple(replace(m, sets=tuple(c for c in m.sets if c != choice)) for m in full.mixtures)
        yield f"weight set {describe(choice)}", replace(full, mixtures=left)
    first = tuple(replace(mixture, sets=mixture.sets[:1]) for mixture in full.mixtures)
    yield "all weight sets but the first", replace(full, mixtures=first)
    yield "faster learning at the start", each(full, rate_start=0)
    yield "slower learning from loud inputs", replace(full, loud=1 << 20, quiet=1 << 20)
    yield "learning of the second layer", replace(full, final_rate=0)
    if full.skim:
        yield "skimming", replace(full, skim=0)
    yield "the first half of the primer", replace(full, primer=full.primer // 2)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--preset", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cmstrong_ablation.json")
    args = parser.parse_args()
    blocks = read(args.files)
    engine = CmStrongEngine()
    engine.prepare()
    rows: list[dict[str, Any]] = []
    for name, preset in without(engine.presets[args.preset]):
        size, ns = measure(engine, args.preset, preset, blocks, 1, CONTAINER)
        rows.append({"without": name, "bytes": size, "ns_per_bit": round(ns)})
        print(f"| {name} | {size:,} | {size - rows[0]['bytes']:+,} | {ns:.0f} |", flush=True)
    result = {
        "files": [path.name for path in args.files],
        "raw": sum(len(block) for block, _ in blocks),
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
