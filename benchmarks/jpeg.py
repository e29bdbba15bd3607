"""The engine `jpeg` beside lepton and JPEG XL's transcoding: bytes and speed.

    python benchmarks/jpeg.py NAME=PLACE... [--kodak FOLDER] [--peers PYTHON] [--repeat 2] [--only NAME] [--out FILE]

NAME=PLACE is a set: a JPEG file or a folder of them. `--kodak` is a folder of PNG files of the Kodak pictures, of which
seven are made into four sets of JPEG files, as web sites and cameras make them. Each file is coded alone, decoded and
compared. Speeds are of process time on one thread, the best of the repeats. `--peers` is a Python that has
`lepton_jpeg_python` and `imagecodecs`; it runs this script for them. Where a peer cannot take a file, its sums leave
that file out, and nzip's sum over the others stands beside. FILE is benchmarks/results/jpeg.json if left out; the table
of docs/reference/JPEG.md is made from it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PICTURES = ("kodim01", "kodim04", "kodim05", "kodim08", "kodim13", "kodim19", "kodim23")
KINDS = {
    "Kodak, quality 75, 4:2:0": {"quality": 75, "subsampling": 2},
    "Kodak, quality 90, 4:2:0": {"quality": 90, "subsampling": 2},
    "Kodak, quality 95, 4:4:4": {"quality": 95, "subsampling": 0},
    "Kodak, quality 85, progressive": {"quality": 85, "progressive": True, "optimize": True},
}
PRESETS = (1, 2)
Coder = tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]


def measure(coder: Coder, data: bytes, repeat: int) -> dict[str, Any]:
    """Return the bytes and the seconds of a file, which must come back."""
    encode, decode = coder
    inward = outward = float("inf")
    coded = b""
    for _ in range(repeat):
        start = time.process_time()
        coded = encode(data)
        inward = min(inward, time.process_time() - start)
        start = time.process_time()
        back = decode(coded, len(data))
        outward = min(outward, time.process_time() - start)
        if back != data:
            raise AssertionError("a file did not come back")
    return {"bytes": len(coded), "in_s": round(inward, 5), "out_s": round(outward, 5)}


def ours() -> dict[str, Coder]:
    """Return the engine with each preset; what it does not make shorter stays as it is."""
    from nzip.registry import ENGINES

    engine = ENGINES.by_name("jpeg")

    def coder(params: dict[str, int]) -> Coder:
        def encode(data: bytes) -> bytes:
            payload: bytes = engine.encode(data, params)
            return payload if len(payload) < len(data) else data

        def decode(coded: bytes, size: int) -> bytes:
            return coded if len(coded) == size else engine.decode(coded, size, params)

        return encode, decode

    engine.prepare()
    return {f"jpeg preset {preset}": coder({"preset": preset}) for preset in PRESETS}


def peers() -> dict[str, Coder]:
    """Return the peers that this Python has, by name and version."""
    import imagecodecs
    import lepton_jpeg_python as lepton

    name = f"lepton_jpeg {importlib.metadata.version('lepton_jpeg_python')}"
    return {
        name: (lepton.compress_bytes, lambda coded, _: lepton.decompress_bytes(coded)),
        f"JPEG XL ({imagecodecs.jpegxl_version()})": (
            imagecodecs.jpegxl_encode_jpeg,
            lambda coded, _: imagecodecs.jpegxl_decode_jpeg(coded),
        ),
    }


def run(coders: dict[str, Coder], files: list[Path], repeat: int) -> dict[str, list[dict[str, Any] | None]]:
    """Return what each coder makes of each file; None for one that it cannot take."""
    found: dict[str, list[dict[str, Any] | None]] = {}
    for name, coder in coders.items():
        found[name] = []
        for path in files:
            try:
                found[name].append(measure(coder, path.read_bytes(), repeat))
            except (RuntimeError, ValueError):  # what peers say of files that they cannot take
                found[name].append(None)
    return found


def made(kodak: Path, folder: Path) -> dict[str, list[Path]]:
    """Make the sets of JPEG files of the Kodak pictures."""
    from PIL import Image

    sets: dict[str, list[Path]] = {}
    for number, (name, options) in enumerate(KINDS.items()):
        for picture in PICTURES:
            file = io.BytesIO()
            Image.open(kodak / f"{picture}.png").convert("RGB").save(file, "jpeg", **options)
            path = folder / f"{number}-{picture}.jpg"
            path.write_bytes(file.getvalue())
            sets.setdefault(name, []).append(path)
    return sets


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="NAME=PLACE")
    parser.add_argument("--kodak", type=Path)
    parser.add_argument("--peers")
    parser.add_argument("--peer-files", type=Path, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "jpeg.json")
    args = parser.parse_args()
    if args.peer_files:
        json.dump(run(peers(), args.peer_files, args.repeat), sys.stdout)
        return
    with tempfile.TemporaryDirectory() as folder:
        sets: dict[str, list[Path]] = {}
        for each in args.sets:
            name, _, place = each.partition("=")
            path = Path(place)
            sets[name] = sorted(path.glob("*.jp*g")) if path.is_dir() else [path]
        sets |= made(args.kodak, Path(folder)) if args.kodak else {}
        coders, found = ours(), list[dict[str, Any]]()
        for name, files in sets.items():
            results = run(coders, files, args.repeat)
            if args.peers:
                command = [args.peers, __file__, "--repeat", str(args.repeat), "--peer-files", *map(str, files)]
                results |= json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            sizes = [path.stat().st_size for path in files]
            found.append({"set": name, "files": [path.name for path in files], "raw": sizes, "codecs": results})
            print(name, sum(sizes), {key: sum(r["bytes"] for r in value if r) for key, value in results.items()})
    result = {
        "tool": "benchmarks/jpeg.py", "python": platform.python_version(), "machine": platform.machine(),
        "repeat": args.repeat, "sets": found,
    }  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
