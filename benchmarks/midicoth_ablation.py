"""What each component of the `midicoth` engine is worth, added one after the other as in the paper's table.

    python benchmarks/midicoth_ablation.py FILE... [--repeats 3] [--only TEXT] [--out FILE]

FILE of `--out` is benchmarks/results/midicoth_ablation.json where it is left out. Each file is coded as one block.
Bytes are of the payload; an nzip file adds about 25. Times are process times of encoding (and of decoding, which every
row checks), the best of the repeats, and only comparable within a run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ablation import chosen, files_of, options, write

from nzip.entropy import bounds
from nzip.models.midicoth import kernel, layout
from nzip.models.midicoth.engine import MidicothEngine, build_state

ROWS = (
    ("PPM, orders 0-4", 0),
    ("+ match model", layout.MATCH),
    ("+ word model", layout.MATCH | layout.WORDS),
    ("+ high orders 5-8", layout.EXPERTS),
    ("+ denoiser: all", layout.ALL),
    ("all, two sse for the denoiser", layout.EXPERTS | layout.REFINE),
    ("all but the match model", layout.ALL & ~layout.MATCH),
    ("all but the word model", layout.ALL & ~layout.WORDS),
    ("all but the high orders", layout.ALL & ~layout.HIGH_ORDERS),
    ("PPM + denoiser", layout.DENOISE),
    ("PPM + two sse", layout.REFINE),
)


def measure(block: bytes, parts: int, repeats: int) -> tuple[int, float, float]:
    """Return bytes of the payload, and the KB/s of encoding and of decoding."""
    data = np.frombuffer(block, np.uint8)
    bits = MidicothEngine().fit({}, len(block))["bits"]
    end, encoding, decoding = 0, float("inf"), float("inf")
    for _ in range(repeats):
        coded = np.empty(len(block) + 1000, np.uint8)
        coder = bounds.begin()
        state = build_state(bits, len(block), parts).values()
        start = time.process_time()
        kernel.code(False, data.copy(), coded, coder, *state)
        encoding = min(encoding, time.process_time() - start)
        end = bounds.finish(coder, coded)
        back, rest = np.empty(len(block), np.uint8), coded[:end].copy()
        coder = bounds.begin(rest)
        state = build_state(bits, len(block), parts).values()
        start = time.process_time()
        kernel.code(True, back, rest, coder, *state)
        decoding = min(decoding, time.process_time() - start)
        if back.tobytes() != block:
            raise AssertionError("did not come back")
    return end, len(block) / encoding / 1000, len(block) / decoding / 1000


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = options(__doc__, "midicoth_ablation")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(words)
    MidicothEngine().prepare()
    paths, measured = files_of(args.files), []
    for path in paths:
        block = path.read_bytes()
        print(f"{path.name}, {len(block):,d} bytes")
        rows: list[dict[str, Any]] = []
        for name, parts in chosen(ROWS, args.only):
            size, encoding, decoding = measure(block, parts, args.repeats)
            bpb = round(8 * size / len(block), 4)
            rows.append({
                "parts": name, "bytes": size, "bpb": bpb, "encode_kbs": round(encoding), "decode_kbs": round(decoding),
            })  # fmt: skip
            print(f"  {name:32s} {size:9,d} {bpb:7.4f} {encoding:6.0f} {decoding:6.0f}", flush=True)
        measured.append({"file": path.name, "raw": len(block), "rows": rows})
    write(args.out, MidicothEngine, paths, repeats=args.repeats, measured=measured)


if __name__ == "__main__":
    main()
