"""Genomes, reads, placed reads and variants: nzip beside other programs, and what parts of the engine of nucleotides
are worth.

    python benchmarks/genomes.py [FILE...] [--levels 3,6,9] [--program GeCo3=PATH] [--program fqzcomp=PATH] [--ablate]
                                 [--before CHECKOUT] [--note NAME=TEXT] [--out FILE]

Each program gets each file that it takes: GeCo3 only the letters A, C, G and T of FASTA files, as capitals, without
anything else; fqzcomp only FASTQ files. zpaq is found where it is installed. Beside the files a sequence is measured
that is made here, of noise and of copies of what came before, half of them inverted, with a substitution in a hundred.
Times are of the processor, for all that a program does; nzip's kernels are compiled before.

`--ablate` leaves out one kind of models after another of the engine's preset 2, on the same sequences. `--before` also
measures the level 6 of another checkout. Notes go with the results: versions of programs, and which could not be had.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import json
import lzma
import os
import platform
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import zstandard
from ablation import RESULTS, changed, compiled

import nzip
from nzip.formats.openers.nucleotides import LETTERS, packed
from nzip.models.dna import engine as genomes
from nzip.models.dna.presets import PRESETS
from nzip.settings import resolve

SOURCE = Path(genomes.__file__).with_name("kernel.py").read_text(encoding="utf-8")
MADE = "made here"
ONE_STRAND = [  # nothing is learned of the other strand
    ("            if kind != MATCHES and known_before >= order:\n", "            if kind != MATCHES and order < 0:\n"),
    ("                    if known_before >= order:\n                        counted_on", "                    if order < 0:\n                        counted_on"),  # noqa: E501
    ("                    if known_before >= order:\n                        follow", "                    if order < 0:\n                        follow"),  # noqa: E501
]  # fmt: skip


def made(count: int = 1_000_000) -> bytes:
    """Return a FASTA file of noise and of copies, with substitutions, of what came before."""
    dice = random.Random(18)
    letters = dice.choices("ACGT", k=count // 3)
    while len(letters) < count:
        start, length = dice.randrange(len(letters) - 3000), dice.randrange(300, 3000)
        piece = letters[start : start + length]
        if dice.random() < 0.5:
            piece = ["TGCA"["ACGT".index(letter)] for letter in reversed(piece)]
        for _ in range(length // 100):
            piece[dice.randrange(length)] = dice.choice("ACGT")
        letters += piece + dice.choices("ACGT", k=dice.randrange(200))
    text = "".join(letters[:count])
    lines = (text[at : at + 70] for at in range(0, count, 70))
    return (">made\n" + "\n".join(lines) + "\n").encode()


def letters_of(data: bytes) -> bytes:
    """Return the letters A, C, G and T of a FASTA file, as capitals."""
    body = b"".join(line for line in data.split(b"\n") if not line.startswith(b">"))
    return re.sub(b"[^ACGT]", b"", body.upper())


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `work` returns, and seconds of the processor, those of programs that it runs too."""

    def spent() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    before = spent()
    result = work()
    return result, round(spent() - before, 2)


def run(command: list[str], data: bytes, written: str) -> int:
    """Return the bytes of the file that a command makes of `data` in a folder of its own, whose names it is told."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in").write_bytes(data)
        subprocess.run([*command], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return Path(folder, written).stat().st_size


def earlier(checkout: str, data: bytes) -> int:
    """Return the bytes that level 6 of another checkout takes."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in").write_bytes(data)
        code = "import nzip; print(len(nzip.compress(open('in', 'rb').read(), level=6)))"
        command = [sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(Path(checkout).resolve())}
        return int(subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True).stdout)


def rows(name: str, data: bytes, levels: list[int], programs: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what each program makes of a file."""
    for level in levels:
        settings = resolve(level)
        coded, seconds = timed(partial(nzip.compress, data, level=settings))
        back, again = timed(partial(nzip.decompress, coded))
        if back != data:
            raise SystemExit(f"{name} does not come back at level {level}")
        yield {"program": f"nzip -{level}", "bytes": len(coded), "seconds": seconds, "decoding": again}
    if "before" in programs:
        yield {"program": "nzip -6, before", "bytes": earlier(programs["before"], data)}
    for program, work in (
        ("xz -9e", lambda: len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))),
        ("zstd -19", lambda: len(zstandard.ZstdCompressor(level=19).compress(data))),
    ):
        size, seconds = timed(work)
        yield {"program": program, "bytes": size, "seconds": seconds}
    if shutil.which("zpaq"):
        size, seconds = timed(lambda: run(["zpaq", "add", "out.zpaq", "in", "-m5", "-t1"], data, "out.zpaq"))
        yield {"program": "zpaq -m5", "bytes": size, "seconds": seconds}
    if "GeCo3" in programs and data.startswith(b">"):
        letters = letters_of(data)
        for level in (3, 12):
            size, seconds = timed(partial(run, [programs["GeCo3"], "-l", str(level), "in"], letters, "in.co"))
            yield {"program": f"GeCo3 -l {level}, letters alone", "bytes": size, "seconds": seconds}
    if "fqzcomp" in programs and data.startswith(b"@") and b"\n+" in data[:4096]:
        size, seconds = timed(lambda: run([programs["fqzcomp"], "-s8+", "-q3", "-n2", "in", "out"], data, "out"))
        yield {"program": "fqzcomp -s8+ -q3 -n2", "bytes": size, "seconds": seconds}


def ablated(name: str, data: bytes) -> Iterator[dict[str, Any]]:
    """Yield what nucleotides take without parts of the engine."""
    table = bytes(LETTERS.find(letter) & 3 for letter in range(256))
    import numpy as np

    block = packed(np.frombuffer(letters_of(data).translate(table), np.uint8))
    whole, kernel = PRESETS[2], genomes.code
    variants: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
        ("all", {}, []),
        ("without frames", {"frames": ()}, []),
        ("without the reverse complement", {}, ONE_STRAND),
        ("without counts but one", {"counts": (12,)}, []),
        ("without cells but two", {"cells": (2, 11)}, []),
        ("without matches", {"matches": ()}, []),
        ("without short matches", {"matches": (24,)}, []),
        ("one rate for all uses", {}, [("RATE + WARM // (COOL + used)", "RATE + 0 * used")]),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for number, (about, fields, changes) in enumerate(variants):
            if changes:
                genomes.code = compiled(f"genomes_{number}", changed(SOURCE, changes), Path(folder)).code
            PRESETS[2] = whole._replace(**fields)
            coder = genomes.DnaEngine()
            params = coder.fit({"preset": 2}, len(block))
            coder.encode(bytes(64), params)
            payload, seconds = timed(partial(coder.encode, block, params))
            genomes.code, PRESETS[2] = kernel, whole
            each = round(seconds * 1e9 / (4 * len(block)))
            yield {"file": name, "variant": about, "bytes": len(payload), "ns a nucleotide": each}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--levels", default="3,6,9")
    parser.add_argument("--program", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--before", metavar="CHECKOUT")
    parser.add_argument("--note", action="append", default=[], metavar="NAME=TEXT")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "genomes.json")
    options = parser.parse_args()
    programs = dict(each.split("=", 1) for each in options.program)
    if options.before:
        programs["before"] = options.before
    levels = [int(level) for level in options.levels.split(",")]
    files = {MADE: made()}
    for path in options.files:
        data = path.read_bytes()
        files[path.name.removesuffix(".gz")] = gzip.decompress(data) if path.suffix == ".gz" else data
    for level in levels:
        for some in (files[MADE][:5000], b"@a\nACGT\n+\nFFFF\n" * 200, *files.values()):
            nzip.compress(some[: 1 << 16], level=level)  # compiles
    found, parts = [], []
    for name, data in files.items():
        for row in rows(name, data, levels, programs):
            found.append({"file": name, "size": len(data), **row})
            print(found[-1], flush=True)
        if options.ablate and data.startswith(b">"):
            for row in ablated(name, data):
                parts.append(row)
                print(row, flush=True)
    result = {
        "tool": "benchmarks/genomes.py",
        "nzip": nzip.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "zstandard": importlib.metadata.version("zstandard"),
        "programs": dict(each.split("=", 1) for each in options.note),
        "files": found,
        "ablation": parts,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
