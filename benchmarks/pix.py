"""The engine `pix` beside JPEG XL and WebP: bytes and speed of pictures' pixels, and what parts of it are worth.

    python benchmarks/pix.py FILE... [--presets 1 2] [--peers PYTHON] [--ablate] [--out benchmarks/results/pix.json]

Each picture is decoded by Pillow to pixels, coded alone, decoded, and compared. Speeds are bytes of pixels by the time
of the processor. `--peers` names a Python that has imagecodecs: JPEG XL without loss by efforts 7 and 9, WebP without
loss, each decoded and compared, too. `--ablate` codes the pictures once more without one part after another.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nzip.formats.content.kinds import Content, Segment
from nzip.models.pix import plans, presets, state
from nzip.registry import ENGINES

PEERS = """
import io, json, sys, time
import imagecodecs, numpy as np
a, out = np.load(io.BytesIO(sys.stdin.buffer.read())), {"imagecodecs": imagecodecs.__version__}
ways = {f"jpegxl e{e}": (lambda x, e=e: imagecodecs.jpegxl_encode(x, level=0, lossless=True, effort=e),
                         imagecodecs.jpegxl_decode) for e in (7, 9)}
if a.dtype == np.uint8 and a.shape[2:] == (3,):
    ways["webp"] = (lambda x: imagecodecs.webp_encode(x, lossless=True, level=100), imagecodecs.webp_decode)
for name, (encode, decode) in ways.items():
    start = time.process_time()
    coded = encode(a)
    middle = time.process_time()
    assert np.array_equal(decode(coded), a), name
    out[name] = {"bytes": len(coded), "in": middle - start, "out": time.process_time() - middle}
print(json.dumps(out))
"""


def pixels_of(path: Path) -> Any:
    """Return the pixels of a picture, (height, width) or (height, width, channels)."""
    from PIL import Image

    with Image.open(path) as image:
        found = np.array(image)
    return found.astype(np.uint16) if found.dtype == np.int32 else found


def coded(pixels: Any, preset: int, *, back: bool = True) -> dict[str, float]:
    """Return bytes and seconds of a picture."""
    engine = ENGINES.by_name("pix")
    width = pixels.shape[1]
    stride = pixels[0, 0].nbytes
    segment = Segment(
        "image", pixels.nbytes, width=pixels.itemsize, channels=stride // pixels.itemsize, stride=stride,
        row=width * stride, confidence=95,
    )  # fmt: skip
    block, params = pixels.tobytes(), {"preset": preset}
    start = time.process_time()
    payload = engine.encode(block, params, Content((segment,)))
    middle = time.process_time()
    if back and engine.decode(payload, len(block), params) != block:
        raise AssertionError("a picture did not come back")
    return {"bytes": len(payload), "in": middle - start, "out": time.process_time() - middle}


@contextmanager
def changed(preset: int, what: str) -> Iterator[None]:
    """Code without one part while this lasts."""
    kept, formula, split = presets.PRESETS[preset], plans._formula, state.split
    without: dict[str, Callable[[], None]] = {
        "colours": lambda: setattr(plans, "_formula", lambda channels: plans.How()),
        "quarters": lambda: setattr(state, "split", lambda how, planes: how),
        "near weights": lambda: _preset(preset, fits=tuple(fit for fit in kept.fits if fit[1] < 0) * 2),
        "weights of all rows": lambda: _preset(preset, fits=(kept.fits[0],) * 2),
        "second contexts": lambda: _preset(preset, strong=False, contexts=13),
        "weight sets but one": lambda: _preset(preset, sets=1),
    }
    without[what]()
    try:
        yield
    finally:
        presets.PRESETS[preset] = kept
        plans._formula = formula
        state.split = split


def _preset(number: int, **more: Any) -> None:
    presets.PRESETS[number] = presets.PRESETS[number]._replace(**more)


PARTS = ("colours", "quarters", "near weights", "weights of all rows", "weight sets but one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--presets", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--peers", help="a Python that has imagecodecs")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "pix.json")
    args = parser.parse_args()
    coded(np.arange(3 * 64, dtype=np.uint8).reshape(8, 8, 3), 1)  # kernels are there
    rows = []
    for path in args.files:
        pixels = pixels_of(path)
        row: dict[str, Any] = {"path": "/".join(path.parts[-2:]), "size": pixels.nbytes, "shape": list(pixels.shape)}
        for preset in args.presets:
            row[f"pix {preset}"] = coded(pixels, preset)
            for part in PARTS if args.ablate else ():
                with changed(preset, part):
                    row[f"pix {preset} without {part}"] = coded(pixels, preset, back=False)
        if args.peers:
            file = io.BytesIO()
            np.save(file, pixels)
            run = subprocess.run([args.peers, "-c", PEERS], input=file.getvalue(), capture_output=True, check=True)
            row |= json.loads(run.stdout)
        rows.append(row)
        sizes = {name: value["bytes"] for name, value in row.items() if isinstance(value, dict)}
        print(row["path"], row["size"], sizes, flush=True)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"tool": "benchmarks/pix.py", "files": rows}, indent=1) + "\n")
    names = [name for name, value in rows[0].items() if isinstance(value, dict)]
    for name in names:
        sums = {key: sum(row[name][key] for row in rows if name in row) for key in ("bytes", "in", "out")}
        size = sum(row["size"] for row in rows if name in row)
        speeds = " ".join(f"{key} {size / max(sums[key], 1e-9) / 1e6:.2f} MB/s" for key in ("in", "out"))
        print(f"{name}: {sums['bytes']} of {size}, {speeds}", file=sys.stderr)


if __name__ == "__main__":
    main()
