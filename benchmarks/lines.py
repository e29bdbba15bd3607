"""Logs at fast levels, with and without the transform `lines`, beside levels that mix contexts and other programs.

    python benchmarks/lines.py FILE... [--repeat 1] [--out benchmarks/results/lines.json]

Each file is coded alone, decoded and compared, on one thread. Times are of the processor, in seconds. What is not
installed (brotli, zpaq) is left out. The table of docs/reference/TRANSFORMS.md is made from it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import lzma
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

import nzip
from nzip.codec.blocks import Coding, encode_block

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
RESULTS = Path(__file__).resolve().parent / "results"


def of_nzip(level: int) -> Codec:
    return lambda data: nzip.compress(data, level), nzip.decompress


def without(level: int) -> Codec:
    """Return a level that has no transforms, which is measured by its blocks."""
    settings = nzip.levels()[level]
    coding = Coding(settings.engines, transforms=False)

    def encode(data: bytes) -> bytes:
        size = settings.block_size
        return b"".join(encode_block(data[at : at + size], coding) for at in range(0, len(data), size))

    return encode, lambda packed: b""


def of_zstd(level: int) -> Codec:
    return zstandard.ZstdCompressor(level=level).compress, zstandard.ZstdDecompressor().decompress


def zpaq(data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "log").write_bytes(data)
        subprocess.run(["zpaq", "add", "a.zpaq", "log", "-m5", "-t1"], cwd=folder, check=True, capture_output=True)
        return Path(folder, "a.zpaq").read_bytes()


def unzpaq(packed: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.zpaq").write_bytes(packed)
        subprocess.run(["zpaq", "extract", "a.zpaq", "-t1"], cwd=folder, check=True, capture_output=True)
        return Path(folder, "log").read_bytes()


def codecs() -> dict[str, Codec]:
    """Return what is measured, by name."""
    found: dict[str, Codec] = {
        "level 1 without": without(1), "level 1": of_nzip(1), "level 2 without": without(2), "level 2": of_nzip(2),
        "level 3": of_nzip(3), "level 6": of_nzip(6), "zstd -3": of_zstd(3), "zstd -19": of_zstd(19),
        "xz -9e": (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    }  # fmt: skip
    if importlib.util.find_spec("brotli"):
        import brotli

        found["brotli 11"] = (lambda data: brotli.compress(data, quality=11, lgwin=24), brotli.decompress)
    if shutil.which("zpaq"):
        found["zpaq -m5"] = (zpaq, unzpaq)
    return found


def spent() -> float:
    """Return the seconds of the processor that this process and those that it waited for took."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measured(data: bytes, codec: Codec, repeat: int) -> dict[str, Any]:
    best = [float("inf")] * 2
    for _ in range(repeat):
        packed, decoded = b"", b""
        for way in (0, 1):
            began = spent() if codec[0] is zpaq else time.process_time()
            if way:
                decoded = codec[1](packed)
            else:
                packed = codec[0](data)
            best[way] = min(best[way], (spent() if codec[0] is zpaq else time.process_time()) - began)
        if decoded and decoded != data:
            raise SystemExit("other bytes came back")
    return {"size": len(packed), "encoding": round(best[0], 5), "decoding": round(best[1], 5) if decoded else None}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "lines.json")
    asked = parser.parse_args()
    chosen, rows = codecs(), []
    for codec in chosen.values():  # what is imported and compiled at first use is not counted
        codec[1](codec[0](asked.files[0].read_bytes()[:60000]))
    for path in asked.files:
        data = path.read_bytes()
        row = {"file": path.name, "bytes": len(data), "codecs": {}}
        for name, codec in chosen.items():
            row["codecs"][name] = measured(data, codec, asked.repeat)
        rows.append(row)
        print(path.name, {name: each["size"] for name, each in row["codecs"].items()}, flush=True)
    found = {
        "tool": "benchmarks/lines.py", "nzip": nzip.__version__, "python": platform.python_version(),
        "zstd": ".".join(map(str, zstandard.ZSTD_VERSION)), "rows": rows,
    }  # fmt: skip
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
