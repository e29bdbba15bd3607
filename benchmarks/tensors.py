"""Weights of networks by nzip and by peers: bytes and speed of whole files.

    python benchmarks/tensors.py FILE... [--like OLD] [--levels 1 2 3 6] [--peers PYTHON] [--out FILE]

Each file is compressed and decompressed as a whole, and compared. Speeds are bytes of the file by the time of the
processor, the best of several runs for what is fast. zstd 19 and xz 9e run here; `--peers`, which may be given several
times, names a Python that has pcodec or zipnn: of the types of values that each knows the one that gives fewest bytes
counts. With `--like` the files are coded beside an older one, as networks that were trained further (`fine_tunes.py`
makes such), also by zstd with that as what was before, and by zipnn's differences.
"""

from __future__ import annotations

import argparse
import json
import lzma
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import zstandard

import nzip
from nzip.evaluation.harness.provenance import head

RUNS, ENOUGH = 7, 2.0  # runs at most, and seconds after which no other one begins
PEERS = """
import json, sys, time
data, out = sys.stdin.buffer.read(), {}
old = open(sys.argv[1], "rb").read() if len(sys.argv) > 1 else None
def measure(name, encode, decode):
    start = time.process_time()
    coded = encode(bytearray(data))
    middle = time.process_time()
    back = decode(coded)
    end = time.process_time()
    if bytes(back) == data and (name not in out or len(coded) < out[name]["bytes"]):
        out[name] = {"bytes": len(coded), "in": middle - start, "out": end - middle}
try:
    if old is not None:
        raise ImportError
    import numpy as np
    import pcodec
    from pcodec import ChunkConfig, standalone
    for kind in ("<u2", "<u4"):
        width = int(kind[2])
        whole = len(data) // width * width
        measure("pcodec 12",
                lambda raw: standalone.simple_compress(np.frombuffer(bytes(raw[:whole]), kind),
                                                       ChunkConfig(compression_level=12)) + bytes(raw[whole:]),
                lambda coded: standalone.simple_decompress(coded[:len(coded) - len(data) + whole]).tobytes()
                + coded[len(coded) - len(data) + whole:])
except ImportError:
    pass
try:
    import zipnn
    for kind in ("bfloat16", "float16", "float32"):
        if old is None:
            def coder(): return zipnn.ZipNN(bytearray_dtype=kind, input_format="byte")
            measure("zipnn", lambda raw: coder().compress(raw), lambda coded: coder().decompress(coded))
        elif len(old) == len(data):
            def coder(): return zipnn.ZipNN(bytearray_dtype=kind, input_format="byte", delta_compressed_type="byte")
            measure("zipnn delta", lambda raw: coder().compress(raw, delta_second_data=bytearray(old)),
                    lambda coded: coder().decompress(coded, delta_second_data=bytearray(old)))
except ImportError:
    pass
print(json.dumps(out))
"""
def measured(data: bytes, encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]) -> dict[str, float]:
    """Return bytes and seconds, the best of some runs."""
    best, begun = {"bytes": 0.0, "in": 1e9, "out": 1e9}, time.process_time()
    for run in range(RUNS):
        if run > 1 and time.process_time() - begun > ENOUGH:
            break
        start = time.process_time()
        coded = encode(data)
        middle = time.process_time()
        back = decode(coded)
        end = time.process_time()
        if back != data:
            raise SystemExit("a file did not come back")
        best = {"bytes": len(coded), "in": min(best["in"], middle - start), "out": min(best["out"], end - middle)}
    return best


def of_peers(data: bytes, pythons: list[str], like: Path | None) -> dict[str, Any]:
    """Return what the peers of other Pythons make of a file, or of it beside another."""
    found: dict[str, Any] = {}
    for python in pythons:
        words = [python, "-c", PEERS, *([str(like)] if like else [])]
        run = subprocess.run(words, input=data, capture_output=True, check=True)
        found.update(json.loads(run.stdout.splitlines()[-1]))
    return found


def row_of(data: bytes, like: Path | None, levels: list[int], peers: list[str]) -> dict[str, Any]:
    """Return a file's row."""
    row: dict[str, Any] = {"size": len(data)}
    old = like.read_bytes() if like else None
    for level in levels:
        row[f"level {level}"] = measured(
            data, partial(nzip.compress, level=level, like=old), partial(nzip.decompress, like=old)
        )
    if old is None:
        zstd = zstandard.ZstdCompressor(level=19)
        row["zstd 19"] = measured(data, zstd.compress, zstandard.ZstdDecompressor().decompress)
        row["xz 9e"] = measured(data, partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME), lzma.decompress)
    else:
        row["level 3 alone"] = measured(data, partial(nzip.compress, level=3), nzip.decompress)
        known = zstandard.ZstdCompressionDict(old, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        window = (len(old) + len(data)).bit_length()
        params = zstandard.ZstdCompressionParameters.from_level(19, window_log=max(window, 20), enable_ldm=True)
        zstd = zstandard.ZstdCompressor(compression_params=params, dict_data=known)
        back = zstandard.ZstdDecompressor(dict_data=known, max_window_size=1 << 30)
        row["zstd 19 --patch-from"] = measured(data, zstd.compress, back.decompress)
    return row | of_peers(data, peers, like)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--levels", nargs="+", type=int, default=[1, 2, 3, 6])
    parser.add_argument("--like", type=Path, metavar="OLD")
    parser.add_argument("--peers", action="append", default=[], metavar="PYTHON")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "tensors.json")
    options = parser.parse_args()
    result = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    result |= head("benchmarks/tensors.py", levels=options.levels)
    if options.like:
        rows = result.setdefault("like", {}).setdefault(options.like.name, {})
    else:
        rows = result["files"] = {}
    for path in options.files:
        rows[path.name] = row = row_of(path.read_bytes(), options.like, options.levels, options.peers)
        print(path.name, {name: one["bytes"] for name, one in row.items() if isinstance(one, dict)}, flush=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
