"""What each part of the engine `cmstrong` is worth: files without it, in bytes and in time.

    python benchmarks/cmstrong_ablation.py PATH... [--preset 3] [--only TEXT] [--out FILE]

FILE is benchmarks/results/cmstrong_ablation.json where it is left out. Each row leaves out one group of contexts, one
weight set or one part of the preset, and codes every file (those of a folder, not of folders in it) as one block, with
primers. Bytes are payloads plus 27 a file for the container. Times are the processor's, of encoding, of one pass with
the reading of primers; they are only comparable within a run, and differences below a tenth say nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ablation import chosen, files_of, options, read, write
from cm_ablation import describe, each, measure

from nzip.models.cm import presets as S
from nzip.models.cm.engine import CmStrongEngine
from nzip.models.cm.presets import Context, Preset

CONTAINER = 27
# Contexts by the first source in this list that they use.
GROUPS = {
    "aligned lines": (S.ALIGNED, S.CELL, S.SPOT, S.LINESHAPE),
    "match's expected byte": (S.EXPECT,),
    "words": (S.WORD, S.WORD1, S.WORD2, S.WORD3, S.LETTERS, S.ENDINGS, S.LINEWORD),
    "names and marks": (S.IDENT, S.IDENT1, S.MARKS, S.PLACE),
    "brackets": (S.BRACKET,),
    "lines": (S.LINE, S.FIELD),
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
    yield "learning of the second layer", each(full, final_rate=0)
    if full.skim:
        yield "skimming", replace(full, skim=0)
    yield "the first half of the primer", replace(full, primer=full.primer // 2)


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = options(__doc__, "cmstrong_ablation")
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--preset", type=int, choices=CmStrongEngine.presets, default=3)
    args = parser.parse_args(words)
    paths = files_of(args.paths)
    blocks = read(paths)
    os.environ["NZIP_STATES"] = "0"  # reading primers counts, and states of other presets are of use to nobody
    engine = CmStrongEngine()
    engine.prepare()
    rows: list[dict[str, Any]] = []
    for name, preset in chosen(without(engine.presets[args.preset]), args.only):
        size, ns = measure(engine, args.preset, preset, blocks, 1, CONTAINER)
        rows.append({"without": name, "bytes": size, "ns_per_bit": round(ns)})
        print(f"| {name} | {size:,} | {size - rows[0]['bytes']:+,} | {ns:.0f} |", flush=True)
    write(args.out, CmStrongEngine, paths, preset=args.preset, rows=rows)


if __name__ == "__main__":
    main()
