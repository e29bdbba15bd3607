"""What each part of the `cmfast` engine is worth: files without it, in bytes and in time.

    python benchmarks/cmfast_ablation.py PATH... [--only TEXT] [--out benchmarks/results/cmfast_ablation.json]

A variant is the kernel's source with lines replaced, compiled anew; every file (those of a folder, not of folders in
it) is one block. Bytes are payloads plus 25 a file for the container. Times are the processor's, of encoding, of one
pass, and only comparable within a run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ablation import Block, changed, chosen, compiled, files_of, options, read, write

from nzip.models.cm import memory
from nzip.models.cm.engine import CmFastEngine, Reading
from nzip.models.cm.segments import Stretch

SOURCE = Path(memory.__file__).with_name("fast.py").read_text(encoding="utf-8")
CONTAINER = 25


class Variant(NamedTuple):
    """Replacements in the kernel's source, or how the kernel as it is is used."""

    changes: tuple[tuple[str, str], ...] = ()
    streams: int = 2
    primer: bool = True


def _context(number: int) -> Variant:
    return Variant(((f"i32(ready[u64(cell{number})])", "i32(0)"),))


VARIANTS = {
    "nothing": Variant(),
    "context 0: last byte": _context(0),
    "context 1: last 2 bytes": _context(1),
    "context 2: last 3 bytes (binary: 4)": _context(2),
    "context 3: last 5 bytes (binary: two, but for the last)": _context(3),
    "context 4: word and last byte (binary: record)": _context(4),
    "match model": Variant((("if length < least:", "if length < 99999:"),)),
    "weight rows by buckets seen": Variant((("row = i64(seen[s]) * 32 + bit", "row = bit + i64(0)"),)),
    "weight rows by match": Variant((("row += 8 + ((g >> 4) << 3)", "row += 0"),)),
    "sse": Variant((("one[s] = max(min((p + 3 * q + 2) >> 2,", "one[s] = max(min(p,"),)),
    "learning of the maps": Variant((
        ("teach(i64(cells[u64(s * FAST_CONTEXTS + turn)]), y * 4194303, maps, ready, stretch, rates)", "pass"),
    )),
    "second stream": Variant(streams=1),
    "primer": Variant(primer=False),
}  # fmt: skip


def engine_of(number: int, variant: Variant, folder: Path) -> CmFastEngine:
    """Return an engine with a variant of the kernel, whose module is kept in `folder`."""
    kernel: Any = memory.FAST.code
    if variant.changes:
        kernel = compiled(f"cmfast_variant{number}", changed(SOURCE, variant.changes), folder).code

    class Loop(memory.Fast):
        def __init__(self) -> None:
            super().__init__()
            self.code = kernel

    class Engine(CmFastEngine):
        loop = Loop()

        def _reading(self, full: dict[str, int], found: list[Stretch], number: int) -> Reading:
            return super()._reading(full, found, number) if variant.primer else Reading()

    return Engine()


def measure(engine: CmFastEngine, blocks: Sequence[Block], streams: int) -> tuple[int, float]:
    """Return bytes with the container, and nanoseconds a bit of encoding."""
    total, spent, bits = 0, 0.0, 0
    engine.prepare()
    for block, content in blocks:
        params = engine.fit({"streams": streams}, len(block))
        begin = time.process_time()
        total += min(len(block), len(engine.encode(block, params, content))) + CONTAINER
        spent += time.process_time() - begin
        bits += 8 * len(block)
    return total, spent / bits * 1e9


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = options(__doc__, "cmfast_ablation")
    parser.add_argument("paths", type=Path, nargs="+")
    args = parser.parse_args(words)
    paths = files_of(args.paths)
    blocks = read(paths)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, variant in chosen(VARIANTS.items(), args.only):
            number = list(VARIANTS).index(name)
            size, ns = measure(engine_of(number, variant, Path(folder)), blocks, variant.streams)
            rows.append({"without": name, "bytes": size, "ns_per_bit": round(ns, 1)})
            print(f"| {name} | {size:,} | {size - rows[0]['bytes']:+,} | {ns:.1f} |", flush=True)
    write(args.out, CmFastEngine, paths, rows=rows)


if __name__ == "__main__":
    main()
