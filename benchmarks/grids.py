"""Fields of numbers without loss: files as they are, and the same fields in other forms, beside other programs.

    python benchmarks/grids.py FILE.nc... [--levels 1 3 6 9] [--peers PYTHON] [--out benchmarks/results/grids.json]

A file is netCDF of a classic format. Its largest variables of small integers are written anew as programs write them:
NumPy's floating point numbers (k * 0.01 + 250, of 4 and 8 bytes), and bytes without a header. `--peers` names a Python
that has imagecodecs and pcodec: JPEG XL (effort 7) of each field of integers, pcodec of all numbers. xz, zstd and zpaq
are run where the machine has them. Everything that nzip wrote is decoded and compared. Speeds are by the time of the
processor.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from everyday import archive

import nzip
from nzip.formats.content.containers.grids import netcdf
from nzip.formats.content.containers.search import budget_of

PEERS = """
import io, json, sys
import imagecodecs, numpy as np, pcodec
from pcodec import ChunkConfig, standalone
a, out = np.load(io.BytesIO(sys.stdin.buffer.read())), {"imagecodecs": imagecodecs.__version__}
if a.dtype == np.int16:
    fields = (a.astype(np.int32) + 32768).astype(np.uint16).reshape(-1, *a.shape[-2:])
    coded = [imagecodecs.jpegxl_encode(f, level=0, lossless=True, effort=7) for f in fields]
    assert all(np.array_equal(imagecodecs.jpegxl_decode(c), f) for c, f in zip(coded, fields))
    out["jpegxl e7 of fields"] = sum(map(len, coded))
out["pcodec 12"] = len(standalone.simple_compress(np.ascontiguousarray(a).ravel(), ChunkConfig(compression_level=12)))
print(json.dumps(out))
"""
LEAST = 1 << 16  # numbers of a variable that is written anew


def forms(path: Path) -> Iterator[tuple[str, bytes, Any]]:
    """Yield names, bytes and arrays (None for the file itself) of a file and of other forms of its fields."""
    data = path.read_bytes()
    yield path.name, data, None
    for number, each in enumerate(netcdf.arrays(data, 0, budget_of(len(data)))):
        if each.width != 2 or each.real or np.prod(each.axes) < LEAST:
            continue
        whole = np.frombuffer(data, ">i2", int(np.prod(each.axes)), each.start).reshape(each.axes).astype(np.int16)
        name = f"{path.stem} variable {number}"
        yield f"{name}, int16 without a header", whole.tobytes(), whole
        for kind in (np.float32, np.float64):
            floats = ((whole.astype(np.int64) - int(whole.min())) * 0.01 + 250).astype(kind)
            out = io.BytesIO()
            np.save(out, floats)
            yield f"{name}, {np.dtype(kind).name} in npy", out.getvalue(), floats


def measured(data: bytes, level: int) -> dict[str, float]:
    """Return bytes and seconds of nzip."""
    start = time.process_time()
    packed = nzip.compress(data, level=level)
    middle = time.process_time()
    if nzip.decompress(packed) != data:
        raise AssertionError("a file did not come back")
    return {"bytes": len(packed), "in": round(middle - start, 3), "out": round(time.process_time() - middle, 3)}


def others(data: bytes, array: Any, peers: str) -> dict[str, Any]:
    """Return what other programs make of the bytes, and of the array."""
    found: dict[str, Any] = {
        "xz -9e": len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
        "zstd -19": len(zstandard.ZstdCompressor(level=19).compress(data)),
    }
    if shutil.which("zpaq"):
        coder = archive("zpaq -m5")
        packed = coder.encode(data)
        if coder.decode(packed) != data:
            raise AssertionError("zpaq did not give a file back")
        found |= {"zpaq -m5": len(packed), "zpaq": coder.version}
    if peers and array is not None:
        out = io.BytesIO()
        np.save(out, array)
        run = subprocess.run([peers, "-c", PEERS], input=out.getvalue(), capture_output=True, check=True)
        found |= json.loads(run.stdout)
    return found


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 3, 6, 9])
    parser.add_argument("--peers", default="", help="a Python that has imagecodecs and pcodec")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/grids.json"))
    asked = parser.parse_args()
    rows = []
    for path in asked.files:
        for name, data, array in forms(path):
            row = {"what": name, "raw": len(data)}
            row |= {f"nzip -{level}": measured(data, level) for level in asked.levels}
            row |= others(data, array, asked.peers)
            rows.append(row)
            print(json.dumps(row), flush=True)
    found = {"tool": "benchmarks/grids.py", "nzip": nzip.__version__, "numpy": np.__version__, "rows": rows}
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
