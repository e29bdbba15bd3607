"""What each part of the engine `pcm` is worth: sounds without it, in bytes and in time.

    python benchmarks/pcm_ablation.py PATH... [--preset 1] [--only TEXT] [--out benchmarks/results/pcm_ablation.json]

A variant is a preset with parts left out, or the kernel's source with lines replaced, compiled anew; every file (those
of a folder, not of folders in it) is one block. Bytes are payloads plus 25 a file for the container. Times are the
processor's, of encoding, of one pass, and only comparable within a run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from ablation import Block, changed, chosen, compiled, files_of, options, read, write

from nzip.models.pcm import engine as own
from nzip.models.pcm import memory, samples
from nzip.models.pcm.presets import PRESETS, Preset

SOURCE = Path(memory.__file__).with_name("kernel.py").read_text(encoding="utf-8")
CONTAINER = 25
Change = tuple[str, str]


class Variant(NamedTuple):
    """What is left out: of the preset, of the kernel's source, of what samples are taken for."""

    preset: Callable[[Preset], Preset] = lambda preset: preset
    changes: tuple[Change, ...] = ()
    alone: bool = False  # no channel has a partner
    plain: bool = False  # no list of values


def _no_solver(number: int) -> Variant:
    def without(preset: Preset) -> Preset:
        return preset._replace(solvers=tuple(s for k, s in enumerate(preset.solvers) if k != number))

    return Variant(without)


def _no_filter(number: int) -> Variant:
    def without(preset: Preset) -> Preset:
        return preset._replace(filters=tuple(f for k, f in enumerate(preset.filters) if k != number))

    return Variant(without)


def _no_context(number: int) -> Variant:
    return Variant(changes=((f"i32(values[{4 + number}])", "i32(0)"),))


VARIANTS = {
    "nothing": Variant(),
    "partners of channels": Variant(alone=True),
    "solver 0": _no_solver(0),
    "solver 1": _no_solver(1),
    "solver 2": _no_solver(2),
    "solver 3, the long one": _no_solver(3),
    "all solvers but the first": Variant(lambda preset: preset._replace(solvers=preset.solvers[:1])),
    "filter of 1,024": _no_filter(0),
    "filter of 256": _no_filter(1),
    "filter of 16": _no_filter(2),
    "all filters": Variant(lambda preset: preset._replace(filters=())),
    "distribution of the slow error": Variant(changes=(("i32(values[1])", "i32(0)"),)),
    "distribution around the blend": Variant(changes=(("i32(values[2])", "i32(0)"),)),
    "distribution around solver 1": Variant(changes=(("i32(values[3])", "i32(0)"),)),
    "all distributions but the first": Variant(
        changes=tuple((f"i32(values[{number}])", "i32(0)") for number in (1, 2, 3))
    ),
    "context of the mean error": _no_context(0),
    "context of the last two errors": _no_context(1),
    "context of the partner's error": _no_context(2),
    "all contexts": Variant(changes=tuple((f"i32(values[{number}])", "i32(0)") for number in (4, 5, 6))),
    "lists of values": Variant(plain=True),
}


def measure(variant: Variant, preset: int, blocks: Sequence[Block], kernel: Any) -> tuple[int, float]:
    """Return bytes with the container, and nanoseconds a byte of encoding."""
    made = samples.make

    def make(data: bytes, sound: Any, real: bool) -> Any:
        found = made(data, sound, real)
        found = found[:1] if variant.plain else found
        each = range(sound.channels)
        return [m._replace(sound=m.sound._replace(partners=tuple(each))) if variant.alone else m for m in found]

    presets = {**PRESETS, preset: variant.preset(PRESETS[preset])}
    total, spent, size = 0, 0.0, 0
    with (
        mock.patch.object(own, "PRESETS", presets),
        mock.patch.object(own, "code", kernel),
        mock.patch.object(samples, "make", make),
    ):
        engine = own.PcmEngine()
        engine.encode(blocks[0][0], {"preset": preset}, blocks[0][1])  # compiles
        for block, content in blocks:
            begin = time.process_time()
            total += min(len(block), len(engine.encode(block, {"preset": preset}, content))) + CONTAINER
            spent += time.process_time() - begin
            size += len(block)
    return total, spent / size * 1e9


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = options(__doc__, "pcm_ablation")
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--preset", type=int, default=1, choices=sorted(PRESETS))
    args = parser.parse_args(words)
    paths = files_of(args.paths)
    blocks = read(paths)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, variant in chosen(VARIANTS.items(), args.only):
            kernel: Any = own.code
            if variant.changes:
                number = list(VARIANTS).index(name)
                source = changed(SOURCE, variant.changes)
                kernel = compiled(f"pcm_variant{number}", source, Path(folder)).code
            size, ns = measure(variant, args.preset, blocks, kernel)
            rows.append({"without": name, "bytes": size, "ns_per_byte": round(ns, 1)})
            print(f"| {name} | {size:,} | {size - rows[0]['bytes']:+,} | {ns:.1f} |", flush=True)
    write(args.out, own.PcmEngine, paths, preset=args.preset, rows=rows)


if __name__ == "__main__":
    main()
