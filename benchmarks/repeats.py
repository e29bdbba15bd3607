"""What is stored once although it stands in several places: trees doubled, new versions beside old ones, small records.

    python benchmarks/repeats.py --trees OLD.whl NEW.whl --pairs OLD NEW [OLD NEW ...] --records DATA

`--trees`: the trees of two wheels (Django 5.0 and 5.1) in one tar archive, and that archive twice over, each packed
by itself; a level should need for two copies what it needs for one. `--pairs`: `nzip.compress(NEW, like=OLD)` beside
zstd's `--patch-from` at -19 and at its strongest; the trees' archives are a pair too. `--records`: 100 lines of each
of three files in the folder of corpora, each alone, with a primer made of other lines of the file, beside zstd with a
dictionary of them. Everything is decoded and compared. Times are CPU seconds. Results:
benchmarks/results/repeats.json.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

import nzip

RESULT = Path(__file__).parent / "results" / "repeats.json"
RECORDS = ("structured/amazon_cellphones.ndjson", "logs/OpenStack_2k.log", "logs/HDFS_2k.log")
TESTED, TRAINED = 100, 5_900  # records that are coded, and others from which primers and dictionaries are made
DICTIONARY = 112 << 10  # bytes of zstd's dictionary, as its program makes them
PATCHES = ("zstd -19 --long=27 --patch-from", "zstd --ultra -22 --long=31 --patch-from")


def tree(wheel: Path, place: str) -> bytes:
    """Return a wheel's tree below a folder `place` as a tar archive, in the order of names."""
    out = io.BytesIO()
    with zipfile.ZipFile(wheel) as files, tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(files.namelist()):
            info = tarfile.TarInfo(f"{place}/{name}")
            content = files.read(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def timed(function: Callable[[], bytes]) -> tuple[bytes, float]:
    begun = time.process_time()
    made = function()
    return made, round(time.process_time() - begun, 3)


def packed(data: bytes, level: int, like: bytes | None = None) -> dict[str, Any]:
    """Return what packing does to `data`, beside `like` if that is given."""
    small, spent = timed(lambda: nzip.compress(data, level, like=like))
    back, again = timed(lambda: nzip.decompress(small, like=like))
    assert back == data
    return {"bytes": len(small), "in": spent, "out": again}


def patch(old: bytes, new: bytes, command: str) -> int:
    """Return the bytes of zstd's patch from `old` to `new`, applied and compared."""
    with tempfile.TemporaryDirectory() as place:
        paths = {name: Path(place, name) for name in ("old", "new", "patch", "back")}
        paths["old"].write_bytes(old)
        paths["new"].write_bytes(new)
        beside = f"--patch-from={paths['old']}"
        made: list[str | Path] = [*command.split()[:-1], beside, "-q", paths["new"], "-o", paths["patch"]]
        subprocess.run(made, check=True)
        back: list[str | Path] = ["zstd", "-d", "--long=31", beside, "-q", paths["patch"], "-o", paths["back"]]
        subprocess.run(back, check=True)
        assert paths["back"].read_bytes() == new
        return paths["patch"].stat().st_size


def doubled(one: bytes, levels: list[int]) -> list[dict[str, Any]]:
    rows = []
    for level in levels:
        row: dict[str, Any] = {"level": level, "one": packed(one, level), "doubled": packed(one + one, level)}
        print("doubled", level, row["one"]["bytes"], row["doubled"]["bytes"], flush=True)
        rows.append(row)
    return rows


def delta(name: str, old: bytes, new: bytes, levels: list[int]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "old": len(old), "new": len(new)}
    row["zstd"], row["strongest"] = (patch(old, new, command) for command in PATCHES)
    for level in levels:
        row[f"nzip -{level}"] = packed(new, level, old)
        print(name, level, row[f"nzip -{level}"]["bytes"], "zstd", row["zstd"], flush=True)
    return row


def records(path: Path, levels: list[int]) -> dict[str, Any]:
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    random.Random(1).shuffle(lines)
    tested, others = lines[:TESTED], lines[TESTED : TESTED + TRAINED]
    row: dict[str, Any] = {"file": path.name, "bytes": sum(map(len, tested)), "samples": sum(map(len, others))}
    dictionary = zstandard.train_dictionary(DICTIONARY, list[Any](others))
    coder = zstandard.ZstdCompressor(level=19, dict_data=dictionary)
    row["zstd"] = sum(len(coder.compress(line)) for line in tested)
    primer, spent = timed(lambda: nzip.make_primer(others))
    row |= {"primer": len(primer), "primer_s": spent}
    for level in levels:
        small = [nzip.compress(line, level, primer=primer) for line in tested]
        assert [nzip.decompress(line, primer=primer) for line in small] == tested
        alone = sum(len(nzip.compress(line, level)) for line in tested)
        row[f"nzip -{level}"] = {"bytes": sum(map(len, small)), "without": alone}
        print(path.name, level, row[f"nzip -{level}"], "zstd", row["zstd"], flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=Path, nargs=2, metavar="WHEEL")
    parser.add_argument("--pairs", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--records", type=Path, metavar="DATA")
    parser.add_argument("--levels", default="3,6,9")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    if len(args.pairs) % 2:
        parser.error("--pairs takes an old and a new file each time")
    levels = list(map(int, args.levels.split(",")))
    if shutil.which("zstd") is None:
        parser.error("there is no program zstd")
    result: dict[str, Any] = {"tool": "repeats", "nzip": nzip.__version__, "python": platform.python_version()}
    said = subprocess.run(["zstd", "-V"], capture_output=True, text=True, check=True).stdout
    library = ".".join(map(str, zstandard.ZSTD_VERSION))
    result |= {"cpus": os.cpu_count(), "patch": PATCHES, "zstd": said.split()[4], "libzstd of records": library}
    for level in levels:
        nzip.decompress(nzip.compress(b"kernels are compiled" * 99, level, like=b"before" * 999), like=b"before" * 999)
    pairs = [(old.name, old.read_bytes(), new.read_bytes()) for old, new in zip(*[iter(args.pairs)] * 2, strict=True)]
    if args.trees:
        both = b"".join(tree(wheel, wheel.stem) for wheel in args.trees)
        result["trees"] = [wheel.name for wheel in args.trees]
        result["doubled"] = doubled(both, [level for level in (2, *levels) if level < 7])
        old, new = (tree(wheel, "tree") for wheel in args.trees)
        pairs.append((f"{args.trees[0].stem} as tar", old, new))
    result["deltas"] = [delta(*pair, levels) for pair in pairs]
    if args.records:
        result["records"] = [records(args.records / name, levels) for name in RECORDS]
    args.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
