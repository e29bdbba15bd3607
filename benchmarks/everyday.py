"""The files that people have, by nzip and by the best program for each kind: sizes and CPU time, both ways, verified.

    python benchmarks/everyday.py DATA [--sets kinds,one_a_kind,kodak,...] [--only TEXT] [--journal everyday.jsonl]

DATA is the folder of corpora. Each file is coded alone. A set names its codecs; programs are taken from the PATH and
left out, with a word, where they are not there. Times are CPU seconds of this process, or of the program's; `--journal`
keeps what was measured, so that a second run goes on. Results: benchmarks/results/everyday.json.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import nzip

RESULT = Path(__file__).parent / "results" / "everyday.json"
KODAK_JPEG = (1, 4, 5, 8, 13, 19, 23)
JPEG_SETTINGS: dict[str, dict[str, Any]] = {
    "q75 4:2:0": {"quality": 75, "subsampling": 2},
    "q90 4:2:0": {"quality": 90, "subsampling": 2},
    "q95 4:4:4": {"quality": 95, "subsampling": 0},
    "q85 progressive": {"quality": 85, "subsampling": 2, "progressive": True, "optimize": True},
}
PALETTE = ("gimp_single-window_palette.png", "gimp_spirograph_apng_palette.png", "page.png")


class Coder(NamedTuple):
    """One way to make bytes smaller; `encode` and `decode` raise ValueError for what it is not for.

    Attributes:
        shown: what must come back; all bytes where it is None.
    """

    name: str
    version: str
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], Any]
    shown: Callable[[bytes], Any] | None = None


class Item(NamedTuple):
    """A file: its name, its bytes, and those that a coder of pixels or samples gets in their place."""

    name: str
    data: bytes


# ---- sets ------------------------------------------------------------------------------------------------------------


def folder(data: Path, *places: str) -> Iterator[Item]:
    for place in places:
        root = data / place
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and path.name != "MANIFEST.tsv":
                yield Item(str(path.relative_to(data)), path.read_bytes())


def one_a_kind(data: Path) -> Iterator[Item]:
    """The first file of 15 to 110 KB of each folder of kinds."""
    for place in sorted(path for path in (data / "kinds").iterdir() if path.is_dir()):
        for path in sorted(place.iterdir()):
            if 15_000 <= path.stat().st_size <= 110_000:
                yield Item(str(path.relative_to(data)), path.read_bytes())
                break


def kodak_jpegs(data: Path, name: str) -> Iterator[Item]:
    from PIL import Image

    for number in KODAK_JPEG:
        out = io.BytesIO()
        with Image.open(data / "images" / "kodak" / f"kodim{number:02}.png") as picture:
            picture.save(out, "JPEG", **JPEG_SETTINGS[name])
        yield Item(f"kodim{number:02} {name}", out.getvalue())


def palette(data: Path) -> Iterator[Item]:
    for item in folder(data, "kinds/gif", "kinds/png", "images/other"):
        if item.name.endswith(".gif") or Path(item.name).name in PALETTE:
            yield item


def photographs(data: Path) -> Iterator[Item]:
    """Pictures that are not Kodak's, of 8 bits a sample and without a palette."""
    from PIL import Image

    for item in folder(data, "kinds/png", "kinds/bmp", "kinds/tiff", "images/other"):
        with Image.open(io.BytesIO(item.data)) as picture:
            one = picture.mode in ("RGB", "L") and getattr(picture, "n_frames", 1) == 1
            one = one and "16" not in str(picture.tile)  # of which a library here would give the upper bits
        if one and Path(item.name).name not in PALETTE:
            yield item


SETS: dict[str, tuple[Callable[[Path], Iterator[Item]], tuple[str, ...]]] = {
    "kinds": (lambda data: folder(data, "kinds"), ("nzip -6", "xz -9e", "zpaq -m5")),
    "one_a_kind": (one_a_kind, ("nzip -6", "nzip -9", "xz -9e", "paq8px -8")),
    "jpeg": (lambda data: folder(data, "kinds/jpeg"), ("nzip -3", "nzip -6", "nzip -9", "lepton", "jxl -e9 of JPEG")),
    **{
        f"jpeg {name}": (partial(kodak_jpegs, name=name), ("nzip -6", "nzip -9", "lepton", "jxl -e9 of JPEG"))
        for name in JPEG_SETTINGS
    },
    "kodak": (lambda data: folder(data, "images/kodak"), ("nzip -6", "nzip -9", "jxl -e7", "webp")),
    "photographs": (photographs, ("nzip -6", "nzip -9", "jxl -e7", "jxl -e9", "webp")),
    "palette": (palette, ("nzip -6", "nzip -9", "webp", "jxl -e9")),
    "audio": (lambda data: folder(data, "audio"), ("nzip -6", "nzip -9", "flac -8", "wavpack -hhx6")),
    "text": (lambda data: folder(data, "calgary", "canterbury"), ("nzip -3", "nzip -6", "xz -9e")),
}


# ---- coders ----------------------------------------------------------------------------------------------------------


def coder(name: str) -> Coder | None:
    """Return a coder by its name; None where its program or library is not installed."""
    if name.startswith("nzip -"):
        level = int(name[6:])
        return Coder(name, nzip.__version__, partial(nzip.compress, level=level), nzip.decompress)
    try:
        return {
            "xz -9e": lambda: command(name, "xz -9e -k -c {in}", "xz -d -c {in}", version="xz --version"),
            "zpaq -m5": lambda: archive(name),
            "paq8px -8": lambda: paq8px(name),
            "flac -8": lambda: command(
                name, "flac -8 -s --keep-foreign-metadata-if-present {in}.wav -o {out}.flac",
                "flac -d -s --keep-foreign-metadata-if-present {in}.flac -o {out}.wav", version="flac -v",
            ),
            "wavpack -hhx6": lambda: command(
                name, "wavpack -hh -x6 -q {in}.wav -o -", "wvunpack -q {in}.wv -o -", version="wavpack --version"
            ),
            "lepton": lepton,
            "jxl -e9 of JPEG": lambda: command(
                name, "cjxl -q 100 -e 9 --quiet {in}.jpg {out}.jxl", "djxl --quiet {in}.jxl {out}.jpg",
                version="cjxl --version",
            ),
            "jxl -e7": lambda: pixels(name, "jxl", 7),
            "jxl -e9": lambda: pixels(name, "jxl", 9),
            "webp": lambda: pixels(name, "webp", 0),
        }[name]()  # fmt: skip
    except (ImportError, FileNotFoundError) as error:
        print(f"{name} is left out: {error}")
        return None


def command(name: str, encode: str, decode: str, version: str) -> Coder:
    """Return a coder of two command lines; what they print is the result, or what they write to `{out}`."""
    first = encode.split()[0]
    if shutil.which(first) is None:
        raise FileNotFoundError(f"there is no program {first}")
    found = subprocess.run(version.split(), capture_output=True, text=True, check=False)
    words = (found.stdout or found.stderr).split("\n")[0].strip()
    return Coder(name, words, partial(run, encode), partial(run, decode))


def run(line: str, data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        words = [word.replace("{in}", f"{place}/in").replace("{out}", f"{place}/out") for word in line.split()]
        suffix = next((re.sub(r".*\{in\}", "", word) for word in line.split() if "{in}" in word), "")
        Path(place, f"in{suffix}").write_bytes(data)
        done = subprocess.run(words, capture_output=True, check=False, cwd=place)
        written = sorted(Path(place).glob("out*"))
        if done.returncode:
            raise ValueError(done.stderr.decode(errors="replace").strip().split("\n")[-1][:100])
        return written[0].read_bytes() if written else done.stdout


def archive(name: str) -> Coder:
    """zpaq, less the 900 bytes or so that its archive takes beside the code of the one file in it."""
    if shutil.which("zpaq") is None:
        raise FileNotFoundError("there is no program zpaq")

    def encode(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as place:
            Path(place, "in").write_bytes(data)
            subprocess.run(["zpaq", "add", "a.zpaq", "in", "-m5", "-t1"], capture_output=True, check=True, cwd=place)
            return Path(place, "a.zpaq").read_bytes()

    def decode(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as place:
            Path(place, "a.zpaq").write_bytes(data)
            subprocess.run(["zpaq", "extract", "a.zpaq", "-t1"], capture_output=True, check=True, cwd=place)
            return Path(place, "in").read_bytes()

    words = subprocess.run(["zpaq"], capture_output=True, text=True, check=False).stdout.split()
    return Coder(name, words[1] if len(words) > 1 else "", encode, decode)


def paq8px(name: str) -> Coder:
    program = shutil.which("paq8px")
    if program is None:
        raise FileNotFoundError("there is no program paq8px")

    def encode(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as place:
            Path(place, "in").write_bytes(data)
            subprocess.run([program, "-8", "in", "out"], capture_output=True, check=True, cwd=place)
            return next(Path(place).glob("out*")).read_bytes()

    def decode(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as place:
            Path(place, "a.paq8px").write_bytes(data)
            subprocess.run([program, "-d", "a.paq8px", "back"], capture_output=True, check=True, cwd=place)
            return Path(place, "back").read_bytes()

    words = subprocess.run([program], capture_output=True, text=True, check=False).stdout
    return Coder(name, re.sub(r"\s+", " ", words.strip())[:40], encode, decode)


def lepton() -> Coder:
    from importlib.metadata import version

    import lepton_jpeg_python

    def wrapped(function: Callable[[bytes], bytes], data: bytes) -> bytes:
        try:
            return bytes(function(data))
        except BaseException as error:
            raise ValueError(str(error)[:100]) from None

    return Coder(
        "lepton",
        version("lepton-jpeg-python"),
        partial(wrapped, lepton_jpeg_python.compress_bytes),
        partial(wrapped, lepton_jpeg_python.decompress_bytes),
    )


def pixels(name: str, kind: str, effort: int) -> Coder:
    """Return a coder of pixels: its result does not hold the file, only what it shows, frame by frame."""
    from importlib.metadata import version

    import imagecodecs
    import numpy as np
    from PIL import Image, ImageSequence

    def frames(data: bytes) -> list[Any]:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                modes = ("L", "RGB", "RGBA") if kind == "jxl" else ("RGB", "RGBA")
                found = []
                for frame in ImageSequence.Iterator(picture):
                    mode = frame.mode if frame.mode in modes else "RGBA" if "transparency" in frame.info else "RGB"
                    found.append(np.ascontiguousarray(frame.convert(mode)))
                return found
        except OSError as error:
            raise ValueError(str(error)) from None

    def one(frame: Any) -> bytes:
        if kind == "jxl":
            return bytes(imagecodecs.jpegxl_encode(frame, lossless=True, effort=effort, numthreads=1))
        return bytes(imagecodecs.webp_encode(frame, lossless=True, level=100))

    def encode(data: bytes) -> bytes:
        return b"".join(len(code).to_bytes(4, "little") + code for code in map(one, frames(data)))

    def decode(data: bytes) -> list[Any]:
        found, at = [], 0
        while at < len(data):
            stop = at + 4 + int.from_bytes(data[at : at + 4], "little")
            code = data[at + 4 : stop]
            found.append((imagecodecs.jpegxl_decode if kind == "jxl" else imagecodecs.webp_decode)(code).tolist())
            at = stop
        return found

    def shown(data: bytes) -> list[Any]:
        return [frame.tolist() for frame in frames(data)]

    return Coder(name, f"imagecodecs {version('imagecodecs')}", encode, decode, shown)


# ---- measuring -------------------------------------------------------------------------------------------------------


def spent() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measured(one: Coder, item: Item) -> dict[str, Any]:
    """Return bytes and CPU seconds of both directions; `bytes` is None where the coder cannot do the file."""
    try:
        begin = spent()
        packed = one.encode(item.data)
        middle = spent()
    except ValueError as error:
        return {"bytes": None, "why": str(error)}
    try:
        back = one.decode(packed)
        end = spent()
    except ValueError as error:
        return {"bytes": None, "why": str(error)}
    if back != (item.data if one.shown is None else one.shown(item.data)):
        return {"bytes": None, "why": "it does not come back"}
    return {"bytes": len(packed), "in": round(middle - begin, 4), "out": round(end - middle, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--coders", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    known: dict[tuple[str, str], dict[str, Any]] = {}
    if args.journal and args.journal.exists():
        for line in args.journal.read_text().splitlines():
            kept = json.loads(line)
            known[kept["coder"], kept["sha256"]] = kept["result"]
    prepare = [sys.executable, "-m", "nzip", "prepare"]  # kernels are compiled
    subprocess.run(prepare, check=True, env={**os.environ, "PYTHONPATH": str(Path(nzip.__file__).parents[1])})
    coders: dict[str, Coder | None] = {}
    sets: dict[str, Any] = {}
    result = {"tool": "everyday", "python": platform.python_version(), "cpus": os.cpu_count(), "sets": sets}
    for name in args.sets.split(","):
        items, wanted = SETS[name]
        wanted = tuple(args.coders.split(",")) if args.coders else wanted
        files = [item for item in items(args.data) if args.only in item.name]
        rows: list[dict[str, Any]] = []
        for item in files:
            row: dict[str, Any] = {"file": item.name, "size": len(item.data)}
            for label in wanted:
                new = label not in coders
                one = coders[label] = coder(label) if new else coders[label]
                if one is None:
                    continue
                key = label, hashlib.sha256(item.data).hexdigest()
                if key not in known:
                    if new and label.startswith("nzip"):
                        measured(one, item)  # they are loaded
                    known[key] = measured(one, item)
                    if args.journal:
                        with args.journal.open("a") as file:
                            file.write(json.dumps({"coder": label, "sha256": key[1], "result": known[key]}) + "\n")
                row[label] = known[key]
            rows.append(row)
        versions = {label: one.version for label in wanted if (one := coders.get(label)) is not None}
        sets[name] = {"coders": versions, "files": rows}
        show(name, rows, list(versions))
        args.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def show(name: str, rows: list[dict[str, Any]], labels: list[str]) -> None:
    total = sum(row["size"] for row in rows)
    print(f"{name}: {len(rows)} files, {total:,} bytes")
    for label in labels:
        done = [(row["size"], row[label]) for row in rows if row[label]["bytes"] is not None]
        size, packed = sum(size for size, _ in done), sum(each["bytes"] for _, each in done)
        speeds = []
        for way in ("in", "out"):
            seconds = sum(each[way] or 0 for _, each in done)
            speeds.append(f"{size / seconds / 1e6:.3f}" if seconds else "-")
        left = f", without {len(rows) - len(done)}" if len(done) < len(rows) else ""
        print(f"  {label:18} {packed:12,} {packed / max(1, size):7.4f}   MB/s {' / '.join(speeds)}{left}")


if __name__ == "__main__":
    main()
