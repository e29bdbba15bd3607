"""The engine `pcm` beside FLAC and WavPack, and beside what nzip would do without it: bytes and speed, verified.

    python benchmarks/pcm.py FILE... [--presets 1,2] [--out benchmarks/results/pcm.json]

Each file is coded alone, as one block, and decoded, and must come back; times are CPU time in one thread (of a program,
its own). `flac` and `wavpack` are taken from the PATH where they are there; FLAC gives samples back and leaves out what
stands around them, so its output is compared with the samples. The tables of docs/reference/PCM.md are made from it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nzip.errors import NzipError
from nzip.formats.content.detection import detect
from nzip.models.pcm import samples
from nzip.models.pcm.engine import _sound
from nzip.registry import ENGINES

CONTAINER = 25  # bytes of an nzip file around a payload


class Measured(NamedTuple):
    """What a codec made of a file: bytes, and seconds in and out."""

    size: int
    encoding: float
    decoding: float


def _timed(work: Callable[[], Any], whose: int) -> tuple[Any, float]:
    """Return what `work` returns, and the CPU seconds that it took of this process, or of its children."""
    begin = resource.getrusage(whose)
    found = work()
    end = resource.getrusage(whose)
    return found, end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime


def by_engine(name: str, params: dict[str, Any], block: bytes) -> Measured:
    """Code a block by an engine."""
    engine, content = ENGINES.by_name(name), detect(block)
    fitted = engine.fit(params, len(block))
    payload, encoding = _timed(lambda: engine.encode(block, fitted, content), resource.RUSAGE_SELF)
    if len(payload) >= len(block):
        return Measured(len(block) + CONTAINER, encoding, 0.0)
    back, decoding = _timed(lambda: engine.decode(payload, len(block), fitted), resource.RUSAGE_SELF)
    if back != block:
        raise NzipError(f"{name} does not give a file back")
    return Measured(len(payload) + CONTAINER, encoding, decoding)


def _samples(data: bytes) -> bytes:
    sound, _ = _sound(data, detect(data).segments[0])
    return samples.words_of(data, sound).tobytes()


def by_program(pack: Sequence[str], unpack: Sequence[str], path: Path) -> Measured | None:
    """Code a file by a program; `{in}` and `{out}` stand for files. None where it is not for the file."""
    with tempfile.TemporaryDirectory() as folder:
        packed, back = Path(folder, "packed.wv"), Path(folder, "back.wav")

        def run(words: Sequence[str], source: Path, target: Path) -> int:
            told = [word.replace("{in}", str(source)).replace("{out}", str(target)) for word in words]
            return subprocess.run(told, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}).returncode

        status, encoding = _timed(lambda: run(pack, path, packed), resource.RUSAGE_CHILDREN)
        if status:
            return None
        status, decoding = _timed(lambda: run(unpack, packed, back), resource.RUSAGE_CHILDREN)
        if status or _samples(back.read_bytes()) != _samples(path.read_bytes()):
            raise NzipError(f"{pack[0]} does not give {path.name} back")
        return Measured(packed.stat().st_size, encoding, decoding)


PROGRAMS = {
    "flac -8": (("flac", "-s", "-8", "-f", "{in}", "-o", "{out}"), ("flac", "-s", "-d", "-f", "{in}", "-o", "{out}")),
    "wavpack -hh -x6": (
        ("wavpack", "-q", "-y", "-hh", "-x6", "{in}", "-o", "{out}"),
        ("wvunpack", "-q", "-y", "{in}", "-o", "{out}"),
    ),
}


def _version(program: str) -> str:
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (found.stdout + found.stderr).strip().split("\n")[0]


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--presets", default="1,2")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "pcm.json")
    args = parser.parse_args(words)
    codecs: dict[str, Callable[[Path], Measured | None]] = {}
    for number in map(int, args.presets.split(",")):
        codecs[f"pcm:preset={number}"] = lambda path, number=number: by_engine(  # type: ignore[misc]
            "pcm", {"preset": number}, path.read_bytes()
        )
    codecs["cm:preset=3"] = lambda path: by_engine("cm", {"preset": 3}, path.read_bytes())
    versions = {}
    for name, (pack, unpack) in PROGRAMS.items():
        if shutil.which(pack[0]) and shutil.which(unpack[0]):
            codecs[name] = lambda path, pack=pack, unpack=unpack: by_program(pack, unpack, path)  # type: ignore[misc]
            versions[name] = _version(pack[0])
    rows: list[dict[str, Any]] = []
    for path in args.files:
        row = {"file": path.name, "bytes": path.stat().st_size, "codecs": {}}
        for name, codec in codecs.items():
            if not rows and name not in PROGRAMS:
                codec(path)  # compiles
            measured = codec(path)
            row["codecs"][name] = measured and measured._asdict()
            print(path.name, row["bytes"], name, measured, flush=True)
        rows.append(row)
    result = {
        "tool": "benchmarks/pcm.py", "python": platform.python_version(), "machine": platform.machine(),
        "time": time.strftime("%Y-%m-%d"), "versions": versions, "rows": rows,
    }  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
