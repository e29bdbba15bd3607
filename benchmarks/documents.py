"""A folder as people have one, packed by nzip and by its peers: bytes, time both ways, every file compared.

    python benchmarks/documents.py DATA [--coders 'nzip -6,7z -mx=9,...'] [--journal documents.jsonl]
    python benchmarks/documents.py --plot          only draw docs/pictures/documents.svg from the results

DATA is the folder of corpora. The folder that is packed is made of files in DATA/kinds: photographs, pictures, office
files, PDF, text and sound, in a folder each. Programs are taken from the PATH and left out, with a word, where they are
not there. Those that pack files and no folders get a tar archive. `--journal` keeps what was measured, so that a second
run goes on. Results: benchmarks/results/documents.json, and the plot.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import nzip
from nzip.evaluation.harness.drawing import INK, OURS, PEER, plain, save

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "documents.json"
PICTURE = ROOT / "docs" / "pictures" / "documents.svg"
NAME = "Documents"
FOLDERS = {  # of the folder that is packed: what of DATA/kinds it holds
    "Photographs": "jpeg",
    "Pictures": "png",
    "Office": "office",
    "PDF": "pdf",
    "Notes": "text",
    "Sound": "audio",
}
TIME = 1_700_000_000  # of all files, so that archives do not differ from run to run
NZIP = f"{sys.executable} -m nzip"


class Coder(NamedTuple):
    """A way to pack a folder: the words of two commands, and what tells the program's version.

    In the words `{in}` is the folder, or where the program packs files alone its tar archive; `{out}` the archive,
    `{back}` where it is unpacked.
    """

    pack: str
    unpack: str
    version: str
    folder: bool = True


CODERS = {
    **{
        f"nzip -{level}": Coder(
            f"{NZIP} compress -q -{level} -r {{in}} -o {{out}}.tar.nz",
            f"{NZIP} decompress -q {{out}}.tar.nz -o {{back}}/{NAME}",
            f"{NZIP} --version",
        )
        for level in (3, 6, 9)
    },
    "7z -mx=9": Coder("7z a -mx=9 -bd {out}.7z {in}", "7z x -bd -o{back} {out}.7z", "7z"),
    "zpaq -m3": Coder("zpaq add {out}.zpaq {in} -m3", "zpaq extract {out}.zpaq -to {back}", "zpaq"),
    "zpaq -m5": Coder("zpaq add {out}.zpaq {in} -m5", "zpaq extract {out}.zpaq -to {back}", "zpaq"),
    "zstd -22 --long=31": Coder(
        "zstd -q --ultra -22 --long=31 {in} -o {out}", "zstd -q -d --long=31 {out} -o {back}", "zstd -V", folder=False
    ),
    "xz -9e": Coder("xz -9e -k -c {in}", "xz -d -c {out}", "xz -V", folder=False),
    "zip -9": Coder("zip -9 -q -r {out}.zip {in}", "unzip -q {out}.zip -d {back}", "zip -v"),
}  # fmt: skip


def made(data: Path, place: Path) -> Path:
    """Make the folder that is packed in `place`, and return it."""
    root = place / NAME
    for name, kind in FOLDERS.items():
        (root / name).mkdir(parents=True)
        for path in sorted((data / "kinds" / kind).iterdir()):
            shutil.copyfile(path, root / name / path.name)
            os.utime(root / name / path.name, (TIME, TIME))
        os.utime(root / name, (TIME, TIME))
    os.utime(root, (TIME, TIME))
    return root


def content(root: Path) -> dict[str, str]:
    """Return the hashes of all files in a folder by name."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def archived(root: Path, target: Path) -> Path:
    """Write the tar archive of a folder in the order of names, and return it."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in (root, *sorted(root.rglob("*"))):
            info = tar.gettarinfo(path, path.relative_to(root.parent).as_posix())
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            with path.open("rb") if info.isreg() else tempfile.TemporaryFile() as file:
                tar.addfile(info, file)
    return target


def timed(line: str, places: dict[str, Path], folder: Path) -> tuple[bytes, float, float]:
    """Run a command in `folder`; return what it prints, seconds, and CPU seconds of it and what it starts."""
    words = line.split()
    for name, place in places.items():
        words = [word.replace(f"{{{name}}}", str(place)) for word in words]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, check=False, cwd=folder, env=environment)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{line}: {(done.stderr or done.stdout).decode(errors='replace')[-300:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, seconds, cpu


def measured(coder: Coder, root: Path) -> dict[str, Any]:
    """Pack and unpack a folder, compare it, and return bytes and seconds."""
    with tempfile.TemporaryDirectory(dir=root.parent) as place:
        work = Path(place)
        source = Path(NAME) if coder.folder else archived(root, work / "in.tar")
        out, back = work / "out", work / "back"
        if "{out}." in coder.pack or coder.folder:
            back.mkdir()
        printed, seconds_in, cpu_in = timed(coder.pack, {"in": source, "out": out}, root.parent)
        packed = next(iter(work.glob("out*")), out)
        if not packed.exists():
            packed.write_bytes(printed)
        printed, seconds_out, cpu_out = timed(coder.unpack, {"out": out, "back": back}, root.parent)
        if not coder.folder:
            tar = work / "back.tar"
            if back.exists():
                back.rename(tar)
            else:
                tar.write_bytes(printed)
            with tarfile.open(tar) as archive:
                archive.extractall(work / "files", filter="data")
            back = work / "files"
        found = next(path for path in (back / NAME, back) if (path / next(iter(FOLDERS))).is_dir())
        if content(found) != content(root):
            raise RuntimeError(f"{coder.pack}: other bytes come back")
        return {
            "bytes": packed.stat().st_size,
            "in_s": round(seconds_in, 2),
            "out_s": round(seconds_out, 2),
            "in_cpu_s": round(cpu_in, 2),
            "out_cpu_s": round(cpu_out, 2),
        }


def version(coder: Coder) -> str:
    """Return the line in which a program tells its version."""
    done = subprocess.run(coder.version.split(), capture_output=True, text=True, check=False)
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if re.search(r"\d\.\d", line)]
    return lines[0][:60] if lines else ""


def draw(result: dict[str, Any], path: Path = PICTURE) -> None:
    """Draw the bytes of all coders as bars, the fewest on top."""
    rows = sorted(result["coders"], key=lambda row: row["bytes"])
    whole = result["bytes"]

    def bars(figure: Any) -> None:
        axes = figure.add_axes((0.19, 0.03, 0.75, 0.8))
        places = range(len(rows))
        ours = [row["name"].startswith("nzip") for row in rows]
        colors = [OURS if own else PEER for own in ours]
        axes.barh(places, [row["bytes"] / 1e6 for row in rows], color=colors, height=0.7)
        for place, row, own in zip(places, rows, ours, strict=True):
            size = row["bytes"] / 1e6
            style = {"color": OURS if own else INK, "fontweight": "bold" if own else "normal", "va": "center"}
            axes.text(size + whole / 1e6 * 0.008, place, f"{size:.2f} MB · {row['bytes'] / whole:.0%}", **style)
        axes.axvline(whole / 1e6, color=INK, linewidth=0.8, linestyle=":")
        axes.text(whole / 1e6, -0.75, "as it is", fontsize=9, color=INK, ha="center")
        axes.set_yticks(places, [row["name"] for row in rows], fontsize=11)
        for label, own in zip(axes.get_yticklabels(), ours, strict=True):
            label.set_color(OURS if own else INK)
            label.set_fontweight("bold" if own else "normal")
        axes.set_xlim(0, whole / 1e6 * 1.05)
        axes.set_xticks([])
        axes.invert_yaxis()
        plain(axes, hidden=("top", "right", "bottom"))
        axes.grid(False)
        words = f"A folder of documents, packed: {result['files']} files, {whole / 1e6:.1f} MB"
        figure.text(0.02, 0.94, words, fontsize=13, fontweight="bold", color=INK)
        kinds = "photographs, pictures, office files, PDF, text, sound; shorter is better; every bit comes back"
        figure.text(0.02, 0.885, kinds, fontsize=10, color=INK)

    save(path, bars, size=(9.0, 0.42 * len(rows) + 1.1))


def show(result: dict[str, Any]) -> None:
    """Print the results, the fewest bytes first."""
    print(f"{result['files']} files, {result['bytes']:,} bytes")
    for row in sorted(result["coders"], key=lambda row: row["bytes"]):
        share, speeds = row["bytes"] / result["bytes"], (row["in_s"], row["out_s"])
        print(f"  {row['name']:20} {row['bytes']:12,} {share:7.2%}  {speeds[0]:7.1f} s in {speeds[1]:7.1f} s out")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--coders", default=",".join(CODERS))
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--plot", action="store_true")
    args = parser.parse_args()
    if args.plot or args.data is None:
        draw(json.loads(args.out.read_text("utf-8")), args.picture)
        return
    known: dict[str, dict[str, Any]] = {}
    if args.journal and args.journal.exists():
        known = {row["name"]: row for row in map(json.loads, args.journal.read_text("utf-8").splitlines())}
    rows: list[dict[str, Any]] = []
    prepared = False
    with tempfile.TemporaryDirectory() as place:
        root = made(args.data, Path(place))
        sizes = {name: sum(file.stat().st_size for file in (root / name).iterdir()) for name in FOLDERS}
        for name in args.coders.split(","):
            coder = CODERS[name]
            if shutil.which(coder.pack.split()[0]) is None:
                print(f"{name} is left out: there is no program {coder.pack.split()[0]}")
                continue
            if name not in known:
                if name.startswith("nzip") and not prepared:
                    timed(f"{NZIP} prepare", {}, root)  # kernels are compiled
                    prepared = True
                known[name] = {"name": name, "version": version(coder), **measured(coder, root)}
                if args.journal:
                    with args.journal.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(known[name]) + "\n")
            rows.append({**known[name], "command": coder.pack.replace(sys.executable, "python")})
        files = sum(len([*(root / name).iterdir()]) for name in FOLDERS)
    result = {
        "tool": "documents",
        "nzip": nzip.__version__,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "files": files,
        "bytes": sum(sizes.values()),
        "folders": sizes,
        "coders": rows,
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    show(result)
    draw(result, args.picture)


if __name__ == "__main__":
    main()
