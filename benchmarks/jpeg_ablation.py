"""What each context of the `jpeg` engine is worth: bytes without it, and the time of a coefficient.

    python benchmarks/jpeg_ablation.py FILE... [--repeats 1] [--only TEXT] [--out FILE]

FILE of `--out` is benchmarks/results/jpeg_ablation.json where it is left out. Bytes are of coefficients alone, each
file for itself; times are process times of encoding them, for each coefficient that is not zero, the best of the
repeats, and only comparable within a run. Rows leave one context out of preset 2; the last rows are other mixtures.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ablation import chosen, files_of, options, write

from nzip.entropy import bounds
from nzip.formats.jpeg.planes import Planes
from nzip.formats.jpeg.recoding import Apart, Source, take_apart
from nzip.models.jpeg import kernel, layout, memory
from nzip.models.jpeg.engine import AFFORD, JpegEngine
from nzip.models.jpeg.layout import Preset

KINDS = ("coefficients", "signs", "counts", "place 0", "sign of place 0")
# What they are of, in the order of the page.
NAMES = (
    (
        "regression of sizes", "values to come", "left border", "neighbours, inside, zone", "inside, values to come",
        "both borders", "regression, values before", "like blocks, pair", "recent values", "values, places to come",
        "two values before", "regression, borders joined", "upper border", "regression, values to come",
        "regression, values to come, borders", "regression of values", "both regressions", "mean, zone, neighbours",
    ),
    (
        "borders joined", "both borders", "neighbours", "inside", "pair", "borders joined, neighbours",
        "borders joined finely", "regression of values", "regression, both borders", "both regressions",
    ),
)  # fmt: skip


def without(kind: int, context: int) -> Preset:
    """Return preset 2 without a context."""
    preset = layout.PRESETS[2]
    contexts = [list(each) for each in preset.contexts]
    contexts[kind].remove(context)
    return preset._replace(contexts=tuple(map(tuple, contexts)))


def rows() -> list[tuple[str, Preset]]:
    """Return the mixtures that are measured."""
    preset = layout.PRESETS[2]
    found = [("nothing: preset 2", preset)]
    for kind, names in enumerate(NAMES):
        found += [(f"{KINDS[kind]} {k}: {name}", without(kind, k)) for k, name in enumerate(names)]
    for kind in (2, 3, 4):
        found += [(f"{KINDS[kind]} {k}", without(kind, k)) for k in preset.contexts[kind]]
    one = ((0,), (7,), (1,), (1,), (1,))
    found += [("preset 1", layout.PRESETS[1]), ("all but one context of each kind", preset._replace(contexts=one))]
    return found


def measure(files: Sequence[tuple[bytes, Apart]], preset: Preset, repeats: int) -> tuple[int, float]:
    """Return the bytes of all files' coefficients, and the nanoseconds of one that is not zero."""
    total, seconds, values = 0, 0.0, 0
    for data, apart in files:
        best = float("inf")
        for _ in range(repeats):
            planes, source = apart.outline.planes(), Source(data, apart)
            picture, spent = memory.Picture(apart.outline, planes), 0.0
            coded = np.empty(apart.size + 1000, np.uint8)
            coder, state = bounds.begin(), memory.state(preset)
            state.settings[AFFORD] = 1 << 62
            order = memory.constants()["order"]
            while planes.following():
                source.fill(planes)
                shape = picture.shape(planes)
                start = time.process_time()
                kernel.code(
                    0, planes.values, shape, picture.quantisers, order, coded, coder, *state, *picture.passing
                )
                spent += time.process_time() - start
            best = min(best, spent)
        total += bounds.finish(coder, coded)
        seconds += best
        whole = Planes(apart.outline.frame, True)
        whole.following()
        Source(data, apart).fill(whole)
        values += int(np.count_nonzero(whole.values))
    return total, seconds / values * 1e9


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = options(__doc__, "jpeg_ablation")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args(words)
    JpegEngine().prepare()
    paths = files_of(args.files)
    datas = [path.read_bytes() for path in paths]
    files = [(data[: apart.size], apart) for data in datas if (apart := take_apart(data)) is not None]
    measure(files[:1], layout.PRESETS[2], 1)
    found = []
    for name, preset in chosen(rows(), args.only):
        size, nanoseconds = measure(files, preset, args.repeats)
        found.append({"without": name, "bytes": size, "ns_per_value": round(nanoseconds, 1)})
        print(found[-1], flush=True)
    write(args.out, JpegEngine, paths, rows=found)


if __name__ == "__main__":
    main()
