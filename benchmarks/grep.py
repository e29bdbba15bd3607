"""How long a search in a compressed log takes: `nzip grep`, zgrep, zstdgrep, xzgrep and `rg -z` beside decoding all.

    python benchmarks/grep.py LOG [--size 1000000000] [--level 3] [--threads 2] [--folder FOLDER] [--out FILE]

LOG is a log whose lines begin with a time as syslog writes it, without a year. A rotation is made of it: copies one
behind the other, in each of which all times lie later by the span of the log, and all other numbers of two digits or
more are others, the same for the same, so that no copy repeats the one before. One line with a word of its own stands
in the middle. The rotation is compressed, decoded to nowhere, and searched for that word, in other case and with others
too, for one that stands in about 1 % of the lines, for one that is nowhere, and for lines of two days. What is found is
compared with what grep finds in the rotation itself. Tools that are not installed are left out. Times are of the
processor (user and system, all threads, children too) and of the clock, in seconds.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nzip
from nzip.codec.search.table import Searched
from nzip.formats.search.times import MONTHS
from nzip.settings import LEVELS

RESULTS = Path(__file__).resolve().parent / "results"
RARE, ABSENT = "zymurgical", "quixotically"
LINE = b"Jul  4 12:00:00 combo kernel: zymurgical fault in sector 4711\n"
TIME = re.compile(rb"^([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)", re.MULTILINE)
NUMBER = re.compile(rb"[0-9]{2,9}")
COMMON = 0.01  # share of the lines of the word that is not rare
PIECE = 1 << 20
PACKERS = (
    ("gzip", "gzip", ("-6",), "rotation.gz"),
    ("zstd", "zstd", ("-q", "-3"), "rotation.zst"),
    ("xz", "xz", ("-2", "-T2"), "rotation.xz"),
)
SEARCHERS = (
    ("zgrep", ["zgrep"], "rotation.gz"),
    ("zstdgrep", ["zstdgrep"], "rotation.zst"),
    ("xzgrep", ["xzgrep"], "rotation.xz"),
    ("rg", ["rg", "-z"], "rotation.gz"),
)


def copies(log: bytes) -> Iterator[bytes]:
    """Give ever later copies of a log with other numbers in it."""
    data = np.frombuffer(log, np.uint8)
    names = np.array([list(name.title().encode()) for name in MONTHS], np.uint8)
    times = [m for m in TIME.finditer(log)]
    places = np.array([m.start() for m in times])
    start = np.datetime64("2001-01-01T00:00:00", "s")
    seconds, before, year = [], -1, 2001
    for m in times:
        month = 1 + MONTHS.index(m[1].decode().lower())
        if month < before - 6:
            year += 1
        before = month
        day = f"{year}-{month:02}-{int(m[2]):02}T{m[3].decode()}:{m[4].decode()}:{m[5].decode()}"
        seconds.append((np.datetime64(day, "s") - start).astype(int))
    clock = np.array(seconds)
    span = int(clock.max() - clock.min()) + 60
    numbers: dict[int, list[int]] = collections.defaultdict(list)
    stamped = {m.start() for m in times}
    for line in re.finditer(rb"[^\n]*\n", log):
        begin = line.start() + (15 if line.start() in stamped else 0)
        for m in NUMBER.finditer(log, begin, line.end()):
            numbers[len(m[0])].append(m.start())
    digits = {size: np.array(starts)[:, None] + np.arange(size) for size, starts in numbers.items()}
    values = {s: (data[at] - 48).astype(np.int64) @ 10 ** np.arange(s - 1, -1, -1) for s, at in digits.items()}
    copy = 0
    while True:
        out = data.copy()
        moment = start + (clock + copy * span).astype("timedelta64[s]")
        days = moment.astype("datetime64[D]")
        months = moment.astype("datetime64[M]")
        out[places[:, None] + np.arange(3)] = names[months.astype(int) % 12]
        day = (days - months.astype("datetime64[D]")).astype(int) + 1
        rest = (moment - days.astype("datetime64[s]")).astype(int)
        parts = ((4, day), (7, rest // 3600), (10, rest // 60 % 60), (13, rest % 60))
        for column, number in parts:
            tens = number // 10
            out[places + column] = np.where((tens == 0) & (column == 4), 32, 48 + tens)
            out[places + column + 1] = 48 + number % 10
        for size, at in digits.items():
            # One to one: 3 and 7 divide no power of ten.
            changed = (values[size] * (2 * 10 * copy + 3 if copy % 2 else 10 * copy + 7) + 7919 * copy) % 10**size
            if copy:
                out[at] = 48 + changed[:, None] // 10 ** np.arange(size - 1, -1, -1) % 10
        yield out.tobytes()
        copy += 1


def measured(command: Sequence[str], out: Path | None = None, take: Any = None) -> dict[str, Any]:
    """Run a command and return its times, its status, and of its output the bytes and their hash."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    digest, size = hashlib.sha256(), 0
    with subprocess.Popen(command, stdin=take, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with (out or Path(os.devnull)).open("wb") as target:
            while data := process.stdout.read(PIECE):
                digest.update(data)
                size += len(data)
                if out:
                    target.write(data)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "cpu": round(cpu, 3), "wall": round(wall, 3), "status": process.returncode,
        "output": {"bytes": size, "sha256": digest.hexdigest()},
    }  # fmt: skip


def common(log: bytes) -> str:
    """Return the word that stands in a share of the lines that is nearest to `COMMON`."""
    lines = log.split(b"\n")
    counts = collections.Counter(word for line in lines for word in set(re.findall(rb"[A-Za-z]{5,}", line)))
    return min(counts, key=lambda word: (abs(counts[word] - COMMON * len(lines)), word)).decode()


def gathered(path: Path, level: int) -> float:
    """Return the seconds of the processor that gathering words and times takes, and making the table of them."""
    searched, block = Searched(), LEVELS[level].block_size
    began = time.process_time()
    with path.open("rb") as file:
        number = 0
        while data := file.read(block):
            searched.add(number, data)
            number += 1
    searched.chunk(1 << 40)
    return round(time.process_time() - began, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--size", type=int, default=10**9)
    parser.add_argument("--level", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS / "grep.json")
    asked = parser.parse_args()
    log = asked.log.read_bytes()
    folder = Path(tempfile.mkdtemp(prefix="grep-", dir=asked.folder))
    run = [sys.executable, "-m", "nzip"]
    threads = ["-T", str(asked.threads)]
    try:
        rotation = folder / "rotation.log"
        size, placed = 0, False
        with rotation.open("wb") as file:
            for copy in copies(log):
                if not placed and 2 * size >= asked.size:
                    copy, placed = LINE + copy, True
                file.write(copy)
                size += len(copy)
                if size >= asked.size:
                    break
        packed = folder / "rotation.nz"
        found: dict[str, Any] = {
            "log": asked.log.name, "log_bytes": len(log), "rotation_bytes": size,
            "level": asked.level, "threads": asked.threads, "nzip": nzip.__version__,
            "python": platform.python_version(), "processor": platform.processor(), "cores": os.cpu_count(),
        }  # fmt: skip
        made = measured([*run, "compress", "-q", f"-{asked.level}", *threads, str(rotation), "-o", str(packed)])
        infos = nzip.inspect(packed)
        chunks = sum(block.size for block in infos.blocks)
        table = infos.size - chunks
        found["compress"] = {
            **made, "bytes": infos.size, "blocks": len(infos.blocks),
            "table_and_index_bytes": table, "table_share": round(table / infos.size, 5),
            "table_cpu": gathered(rotation, asked.level),
        }  # fmt: skip
        found["compress"]["table_cpu_share"] = round(found["compress"]["table_cpu"] / made["cpu"], 4)
        found["decode"] = full = measured([*run, "decompress", "-q", "-c", *threads, str(packed)])
        for name, tool, options, path in PACKERS:
            if shutil.which(tool):
                made = measured([tool, *options, "-c", str(rotation)], folder / path)
                found[name] = {**made, "tool": " ".join((tool, *options))}
        rows = []
        usual = common(log)
        for what, wanted in (
            ("one place", [RARE]),
            ("one place, in any case", ["-i", RARE.upper()]),
            ("one place, or nowhere", ["-e", RARE, "-e", ABSENT]),
            ("1 % of the lines", [usual]),
            ("1 % of the lines, counted", ["-c", usual]),
            ("nowhere", [ABSENT]),
        ):
            row: dict[str, Any] = {"what": what, "asked": " ".join(wanted)}
            row["grep"] = measured(["grep", "-n", *wanted, str(rotation)])
            row["nzip"] = measured([*run, "grep", "-n", *threads, *wanted, str(packed)])
            for name, command, path in SEARCHERS if wanted in ([RARE], [ABSENT]) else ():
                if shutil.which(command[0]) and (folder / path).exists():
                    row[name] = measured([*command, "-n", *wanted, str(folder / path)])
            row["equal"] = row["nzip"]["output"] == row["grep"]["output"]
            row["share_of_decoding"] = {each: round(row["nzip"][each] / full[each], 5) for each in ("cpu", "wall")}
            rows.append(row)
            print(what, row["asked"], row["share_of_decoding"], "equal" if row["equal"] else "NOT EQUAL", flush=True)
        days = ["-c", "--after", "Jun 17", "--before", "Jun 19", "session opened"]
        row = {"what": "lines of two days, counted", "asked": " ".join(days)}
        row["grep"] = measured(["grep", "-c", "^Jun 1[78] .*session opened", str(rotation)])
        row["nzip"] = measured([*run, "grep", *threads, *days, str(packed)])
        row["equal"] = row["nzip"]["output"] == row["grep"]["output"]
        row["share_of_decoding"] = {each: round(row["nzip"][each] / full[each], 5) for each in ("cpu", "wall")}
        rows.append(row)
        found["searches"] = rows
        asked.out.write_text(json.dumps(found, indent=1) + "\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
