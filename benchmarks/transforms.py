"""What the transforms save: blocks without and with the chain that nzip chooses, at a level that finds repeats and at
one that models what it sees.

    python benchmarks/transforms.py PATH... [--out benchmarks/results/transforms.json]

Each file is one block: at most 16 MiB of it for level 2 and 4 MiB for level 6. PNG pictures are measured as the PNM
files they stand for (this needs pillow), a folder as a tar archive of its files. The table of
docs/reference/TRANSFORMS.md is made from it; benchmarks/README.md has the files.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Any

import zstandard

import nzip
from nzip.codec.blocks import Coding, encode_block
from nzip.formats.content.choice import choose
from nzip.formats.content.detection import detect

LIMITS = {2: 16 << 20, 6: 4 << 20}  # bytes of a block, by the level
SHORT = {
    "delta": lambda p: f"d{p['stride']},{p['width']}{'B' if p.get('big') else ''}",
    "shuffle": lambda p: f"p{p['width']}",
}


def archive(folder: Path) -> bytes:
    """Return a tar archive of the files of a folder that says nothing else of them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return packed.getvalue()


def content(path: Path) -> tuple[str, bytes]:
    """Return what is measured of a path, and its name."""
    name = f"{path.resolve().parent.name}/{path.name}"
    if path.is_dir():
        return f"{name} as tar", archive(path)
    if path.suffix != ".png":
        return name, path.read_bytes()
    from PIL import Image

    with Image.open(path) as picture:
        grey = picture.mode in ("1", "L", "I;16")
        pixels = picture.convert("L" if grey else "RGB")
        return f"{name} as PNM", b"P%d %d %d 255\n" % (5 if grey else 6, *pixels.size) + pixels.tobytes()


def measure(level: int, block: bytes) -> dict[str, Any]:
    """Return a block's bytes without and with the chosen chain, and the chain."""
    block = block[: LIMITS[level]]
    engines = nzip.levels()[level].engines
    plain = Coding(engines, transforms=False, verify=False)
    sees = plain.last[0].sees_records
    chain = choose(block, detect(block, apart=sees), sees_records=sees)
    size = len(encode_block(block, plain))
    words = " ".join(SHORT[name](params) if name in SHORT else name for name, params in chain)
    return {
        "plain": size,
        "with": len(encode_block(block, Coding(engines, verify=False))) if chain else size,
        "chain": words,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "transforms.json")
    args = parser.parse_args()
    rows = []
    for path in args.paths:
        name, block = content(path)
        row: dict[str, Any] = {"file": name, "bytes": len(block), "sha256": hashlib.sha256(block).hexdigest()}
        row |= {f"level {level}": measure(level, block) for level in LIMITS}
        rows.append(row)
        print(row, flush=True)
    result = {
        "nzip": nzip.__version__,
        "zstd": ".".join(map(str, zstandard.ZSTD_VERSION)),
        "limits": LIMITS,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
