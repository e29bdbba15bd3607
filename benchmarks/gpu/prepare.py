"""Makes here, on a CPU, what `run.sh` takes to a CUDA machine, and checks what came back.

    python benchmarks/gpu/prepare.py [--gguf SmolLM2-135M.gguf] [--wheel zstandard==0.25.0 …]
    python benchmarks/gpu/prepare.py --check .gpu-result/gpu.json

The bundle is the folder `.gpu`, which git ignores: `manifest.json`, `cases` (some MB at most), `wheels` for Python
packages that the machine lacks, and SmolLM2's file in `parts`, small enough that the tracked files and one part
together stay below what one transfer may hold. Two of the three models come from a seed, so they need no file.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cases
import models
import numba
import numpy as np

import nzip
from nzip.models.lm.network import backends

MIB = 1 << 20
PART = 13 * MIB
ROOT = Path(__file__).resolve().parents[2]
TRANSFER = 64 * MIB
WHEELS = ("zstandard==0.25.0",)  # what machines with torch and numba, as a rule, lack
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def make(
    bundle: Path, chosen: Sequence[str], batches: Sequence[int], latents: Sequence[str], share: int = 1
) -> None:
    """Write the cases that are not there, and the manifest; texts have one part in `share` of their usual length."""
    os.environ[backends.BACKEND_VARIABLE] = "numba"
    for name in cases.names(chosen, batches, latents):
        path = bundle / "cases" / f"{name}.npz"
        if path.is_file():
            continue
        began = time.perf_counter()
        if name == "file":
            case = cases.make_file(models.language("tiny", bundle))
        elif name == "tensors":
            case = cases.make_tensors()
        elif name.startswith("latents-"):
            case = cases.make_latents(name.removeprefix("latents-"))
        else:
            which, _, batch = name.rpartition("-")
            case = cases.make_language(which, models.language(which, bundle), int(batch), share)
        cases.save(path, case)
        print(f"{path}: {path.stat().st_size:,} bytes, {time.perf_counter() - began:.1f} s", flush=True)
    made_by = {
        "nzip": nzip.__version__, "python": platform.python_version(), "numpy": np.__version__,
        "numba": numba.__version__, "arch": platform.machine(), "lm_backend": "numba",
    }  # fmt: skip
    files = {}
    for path in sorted([*(bundle / "cases").glob("*.npz"), *(bundle / "parts").glob("*")]):
        files[path.relative_to(bundle).as_posix()] = cases.sha(path.read_bytes())
    text = json.dumps({"made_by": made_by, "files": files}, indent=1) + "\n"
    (bundle / "manifest.json").write_text(text, encoding="utf-8")


def split(gguf: Path, bundle: Path, size: int = PART) -> int:
    """Cut a model's file in parts; return how many."""
    folder = bundle / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-gguf.stat().st_size // size)
    with open(gguf, "rb") as file:
        for number in range(count):
            (folder / f"{number:02}-of-{count:02}").write_bytes(file.read(size))
    whole = bundle / models.GGUF
    if not whole.exists():
        whole.symlink_to(gguf.resolve())
    return count


def join(bundle: Path) -> str:
    """Put the parts that are here together if they are all; return what is to be said."""
    parts = sorted((bundle / "parts").glob("*-of-*"))
    if (bundle / models.GGUF).is_file() or not parts:
        return ""
    count = int(parts[0].name.rpartition("-")[2])
    wanted = json.loads((bundle / "manifest.json").read_bytes())["files"]
    missing = [number for number in range(count) if not (bundle / "parts" / f"{number:02}-of-{count:02}").is_file()]
    if missing:
        return f"SmolLM2 has {count} parts, and these are not here yet: {', '.join(map(str, missing))}"
    for part in parts:
        if cases.sha(part.read_bytes()) != wanted.get(f"parts/{part.name}"):
            return f"{part}: is damaged; send it again"
    partial = bundle / (models.GGUF + ".part")
    with open(partial, "wb") as file:
        for part in parts:
            file.write(part.read_bytes())
    partial.replace(bundle / models.GGUF)
    return f"SmolLM2 put together from {count} parts"


def fetch_wheels(bundle: Path, names: Sequence[str]) -> None:
    """Fetch wheels for the machine's Python, none of what they need with them."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={PYTHON}", *(f"--platform={name}" for name in PLATFORMS)]
    subprocess.run([*command, "-d", str(bundle / "wheels"), *names], check=True)


def plan(bundle: Path) -> list[str]:
    """Return what to send in which transfer, and whether each stays below the largest that is reckoned with."""

    def size(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())

    def is_made(folder: str) -> bool:
        parts = Path(folder).relative_to(ROOT).parts
        return any(part.startswith(".") or part in ("build", "dist", "__pycache__") for part in parts)

    tree = sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(ROOT)
        if not is_made(folder)
        for name in names
    )
    first = tree + sum(size(bundle / name) for name in ("cases", "wheels"))
    lines = [f"the tree: {tree / MIB:.1f} MiB; with cases and wheels: {first / MIB:.1f} MiB"]
    lines.append("1: send .gpu/manifest.json .gpu/cases .gpu/wheels; benchmarks/gpu/run.sh --models tiny,shape")
    for number, part in enumerate(sorted((bundle / "parts").glob("*")), 2):
        whole = tree + part.stat().st_size
        lines.append(f"{number}: send {part} ({whole / MIB:.1f} MiB with the tree)")
        if whole > TRANSFER:
            lines.append(f"   that is more than {TRANSFER // MIB} MiB: make smaller parts (--part-mib)")
    if (bundle / "parts").is_dir():
        lines.append("then, with the last part: benchmarks/gpu/run.sh --models smollm2")
    if first > TRANSFER:
        lines.append(f"the first transfer is larger than {TRANSFER // MIB} MiB")
    return lines


def check(path: Path) -> list[str]:
    """Return what is wrong with a record: units that are not right, files made there that read otherwise here."""
    record: dict[str, Any] = json.loads(path.read_bytes())
    problems = [f"{name}: did not come out right there" for name, unit in record["units"].items() if not unit["ok"]]
    for name, unit in record["units"].items():
        if "made" not in unit:
            continue
        data = base64.b64decode(unit["made"]["file"])
        try:
            nzip.decompress_signal(data)
            symbols = cases.symbols_sha(data)
        except nzip.NzipError as error:
            problems.append(f"{name}: the file that was made there cannot be read here: {error}")
            continue
        if symbols != unit["made"]["symbols"]:
            problems.append(f"{name}: the file that was made there has other symbols here")
    return problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path(".gpu"))
    parser.add_argument("--gguf", type=Path, help="SmolLM2-135M's file; without it the other models alone")
    parser.add_argument("--part-mib", type=int, default=PART // MIB)
    parser.add_argument("--wheel", action="append", metavar="NAME==VERSION", help=f"[default: {', '.join(WHEELS)}]")
    parser.add_argument("--no-wheels", action="store_true")
    parser.add_argument("--models", default="tiny,shape")
    parser.add_argument("--batches", default=",".join(map(str, cases.BATCHES)))
    parser.add_argument("--latents", default=",".join(cases.LATENTS))
    parser.add_argument("--share", type=int, default=1, metavar="N", help="texts of one N-th of their length")
    parser.add_argument("--fresh", action="store_true", help="make all cases anew, as after a change of nzip")
    parser.add_argument("--check", type=Path, metavar="JSON", help="read here what a machine made there, and end")
    parser.add_argument("--join", action="store_true", help="put SmolLM2's parts together, and end (run.sh does it)")
    given = parser.parse_args(arguments)
    if given.check is not None:
        problems = check(given.check)
        print("\n".join(problems) or f"{given.check}: all right, and what was made there reads the same here")
        return 1 if problems else 0
    if given.join:
        if said := join(given.bundle):
            print(said)
        return 0
    if given.fresh:
        shutil.rmtree(given.bundle / "cases", ignore_errors=True)
    chosen = given.models.split(",")
    if given.gguf is not None:
        split(given.gguf, given.bundle, given.part_mib * MIB)
        chosen = [*dict.fromkeys([*chosen, "smollm2"])]
    latents = [name for name in given.latents.split(",") if name]
    make(given.bundle, chosen, [int(batch) for batch in given.batches.split(",")], latents, given.share)
    if not given.no_wheels:
        fetch_wheels(given.bundle, given.wheel or WHEELS)
    print("\n".join(plan(given.bundle)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
