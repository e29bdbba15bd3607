"""What the transforms save: payloads of files without and with the chain that nzip chooses, for zstd and `cm`.

Usage: python benchmarks/transforms.py FILE… [--out benchmarks/results/transforms.json]

Each file is one block: at most 16 MiB of it for zstd (level 19) and 4 MiB for `cm` (preset 3). PNG pictures are
measured as the PNM files they stand for (this needs pillow). Prints the table of docs/reference/TRANSFORMS.md.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import zstandard

import nzip
from nzip.formats.content.choice import choose
from nzip.formats.content.detection import detect
from nzip.formats.transforms.base import Chain

LIMITS = {"zstd": 16 << 20, "cm": 4 << 20}
PARAMS = {"zstd": {"level": 19}, "cm": {"preset": 3}}
SHORT = {
    "delta": lambda p: f"d{p['stride']},{p['width']}{'B' if p.get('big') else ''}",
    "shuffle": lambda p: f"p{p['width']}",
}


def content(path: Path) -> bytes:
    """Return the file's bytes, or those of the PNM file that a PNG stands for."""
    if path.suffix != ".png":
        return path.read_bytes()
    from PIL import Image

    with Image.open(path) as picture:
        grey = picture.mode in ("1", "L", "I;16")
        pixels = picture.convert("L" if grey else "RGB")
        return b"P%d %d %d 255\n" % (5 if grey else 6, *pixels.size) + pixels.tobytes()


def measure(engine: str, block: bytes) -> dict[str, Any]:
    """Return the payload's bytes without and with the chosen chain, and the chain."""
    block = block[: LIMITS[engine]]
    coder = nzip.engines()[engine]

    def size(data: bytes) -> int:
        return len(coder.encode(data, coder.fit(PARAMS[engine], len(data))))

    chain: Chain = choose(block, detect(block), sees_records=coder.sees_records)
    coded = block
    for name, params in chain:
        coded = nzip.transforms()[name].forward(coded, params)
    plain = size(block)
    words = " ".join(SHORT[name](params) if name in SHORT else name for name, params in chain)
    return {"plain": plain, "with": size(coded) if chain else plain, "chain": words}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "transforms.json")
    args = parser.parse_args()
    print("| file | zstd 19 | with | chain | cm | with | chain |\n|---|---:|---:|---|---:|---:|---|")
    rows = []
    for path in args.files:
        block = content(path)
        name = f"{path.parent.name}/{path.name}" + (" as PNM" if path.suffix == ".png" else "")
        row: dict[str, Any] = {"file": name, "bytes": len(block)}
        cells = [name]
        for engine in ("zstd", "cm"):
            row[engine] = found = measure(engine, block)
            changed = f"{found['with']:,}" if found["chain"] else "="
            cells += [f"{found['plain']:,}", changed, found["chain"]]
        rows.append(row)
        print("| " + " | ".join(cells) + " |", flush=True)
    result = {
        "zstd": ".".join(map(str, zstandard.ZSTD_VERSION)),
        "cm": nzip.engines()["cm"].version,
        "params": PARAMS,
        "limits": LIMITS,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
