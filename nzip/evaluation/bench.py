"""`nzip bench`: nzip's levels beside every installed peer, on the user's own files, both directions, in one run.

What makes the numbers comparable: every codec sees the same files one by one; each works in a process of its own, on
one thread; compiling and loading are done before the clock starts; every output is decompressed and compared with the
input before it counts. The result is a dictionary (written as JSON with `json_path`) that names versions and
settings, and neither the host nor any path above the files' common folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nzip import outputs
from nzip.errors import NzipError
from nzip.evaluation.codecs import Codec, nzip_codecs, peers
from nzip.evaluation.worker import measure

__all__ = ["SCHEMA", "Codec", "InputFile", "find_files", "format_files", "format_table", "main_run", "peers", "run"]

SCHEMA = 1
MB = 1_000_000
WARM_UP = "each codec is loaded or compiled, and codes 64 KiB of the file (lm: 1 KiB) once, before the clock starts"
MEMORY = "highest resident size during the call less that before it, input excluded; of the program itself for zpaq"

Echo = Callable[[str], None]
Progress = Callable[[int, int, str], None]

_START = (
    "import json,sys; line=sys.stdin.readline(); sys.path[:]=json.loads(line);"
    "from nzip.evaluation.worker import main; raise SystemExit(main())"
)


@dataclass(frozen=True)
class InputFile:
    """A file to measure: where it is, and what the results call it."""

    location: Path
    path: str
    size: int
    sha256: str


def find_files(paths: Sequence[str | os.PathLike[str]]) -> list[InputFile]:
    """Return the files named by `paths`, and those under the folders among them, sorted by path.

    Links to folders and what is not a plain file are passed over.

    Raises:
        NzipError: a path does not exist, or no file is left.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    inner = Path(folder, name)
                    if inner.is_file() and not inner.is_symlink():
                        found[inner.resolve()] = None
        elif path.is_file():
            found[path.resolve()] = None
        else:
            raise NzipError(f"{path}: no such file or folder")
    if not found:
        raise NzipError("no files to measure: name files, or folders that hold some")
    common = Path(os.path.commonpath([location.parent for location in found]))
    files = []
    for location in sorted(found):
        try:
            with open(location, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise NzipError(f"{location}: cannot read it: {error.strerror}") from None
        name = location.relative_to(common).as_posix()
        files.append(InputFile(location, name, location.stat().st_size, digest))
    return files


def main_run(
    paths: Sequence[str | os.PathLike[str]],
    *,
    levels: Sequence[int] | None = None,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
    peers: bool | Sequence[str] = False,
    repeat: int = 1,
    json_path: str | os.PathLike[str] | None = None,
    plot_path: str | os.PathLike[str] | None = None,
    echo: Echo | None = None,
    progress: Progress | None = None,
    threads: int = 1,
    verbose: bool = False,
    direction: str = "compress",
) -> dict[str, Any]:
    """Measure nzip, and the peers if asked, on `paths`; print the table; write JSON and the plot.

    Args:
        paths: files and folders.
        levels: nzip's levels, all where left out.
        engine: use this engine in place of the levels' own.
        params: its parameters.
        peers: measure every installed peer as well, or those whose names begin with one of these; only so are those
            measured that take minutes a file.
        repeat: the best time of so many runs of a file counts, or of fewer that took 5 seconds together.
        json_path: where to write the result.
        plot_path: where to draw it, `.png` or `.svg`.
        echo: prints one line of the report.
        progress: called with steps done, steps in all and a label.
        threads: for nzip; the peers stay on one.
        verbose: print the sizes file by file as well.
        direction: which speed the plot shows, `"compress"` or `"decompress"`.

    Raises:
        NzipError: the input or an output path is no good, or (after all is written) a codec failed.
        ValueError: there is no such level or engine.
    """
    if repeat < 1:
        raise ValueError("repeat is less than 1")
    check_outputs(json_path, plot_path, inputs=paths)
    files = find_files(paths)
    codecs = nzip_codecs(levels, engine=engine, params=params, threads=threads)
    if peers:
        codecs += _installed_peers() if peers is True else _peers_named(peers)
    result = run(codecs, files, repeat=repeat, progress=progress)
    if echo is not None:
        for line in format_table(result):
            echo(line)
        if verbose:
            echo("")
            for line in format_files(result):
                echo(line)
    if json_path is not None:
        outputs.write_text(json_path, json.dumps(result, indent=1) + "\n")
    if plot_path is not None:
        from nzip.evaluation.plot import plot_pareto

        plot_pareto(result, plot_path, direction=direction)
    for entry in result["codecs"]:
        if entry["error"]:
            raise NzipError(f"{entry['name']}: {entry['error']}")
    return result


def _installed_peers() -> list[Codec]:
    return peers()


def _peers_named(names: Sequence[str]) -> list[Codec]:
    found = [codec for codec in peers(slow=True) if codec.name.startswith(tuple(names))]
    for name in names:
        if not any(codec.name.startswith(name) for codec in found):
            raise NzipError(f"no peer {name!r} is installed")
    return found


def check_outputs(
    json_path: str | os.PathLike[str] | None,
    plot_path: str | os.PathLike[str] | None,
    *others: str | os.PathLike[str] | None,
    inputs: Sequence[str | os.PathLike[str]] = (),
) -> None:
    """Find out before the work what would make its end useless, or a file that is read be lost.

    Raises:
        NzipError: the folder of a path does not exist, a plot cannot be drawn, or two paths, or a path and one of
            `inputs`, are the same file.
    """
    from nzip.codec.files.targets import Run

    run, seen = Run(inputs), set()
    for path in (json_path, plot_path, *others):
        if path is None or outputs.stream_word(path) is not None:
            continue
        place = Path(path).resolve()
        if not place.parent.is_dir():
            raise NzipError(f"{path}: its folder does not exist; make it first")
        run.refuse(path)
        if place in seen:
            raise NzipError(f"{path}: is written twice; give each output a file of its own")
        seen.add(place)
    if plot_path is not None:
        if Path(plot_path).suffix.lower() not in (".png", ".svg"):
            raise NzipError(f"{plot_path}: a plot is written as .png or .svg; change the suffix")
        if importlib.util.find_spec("matplotlib") is None:
            raise NzipError("plots need matplotlib; install it with: pip install 'nzip[plot]'")


def run(
    codecs: Sequence[Codec],
    files: Sequence[InputFile],
    *,
    repeat: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure `codecs` on `files` and return the result as `main_run` writes it."""
    names = [codec.name for codec in codecs]
    if len(set(names)) < len(names):
        raise ValueError("two codecs have the same name")
    total = len(codecs) * len(files)
    entries = []
    for position, codec in enumerate(codecs):
        rows: list[dict[str, Any]] = []
        error: str | None = None
        source = _in_process(codec, files, repeat) if codec.spec is None else _in_worker(codec, files, repeat)
        if progress is not None:
            progress(position * len(files), total, codec.name)
        try:
            for file, answer in zip(files, source, strict=True):
                restored = answer.pop("restored")
                if not restored:
                    error = f"did not give back {file.path}"
                    break
                rows.append({"path": file.path, "bytes_in": file.size, **answer})
                if progress is not None:
                    progress(position * len(files) + len(rows), total, codec.name)
        except _WorkerError as failure:
            error = str(failure)
        entries.append(_entry(codec, rows, error))
    if progress is not None:
        progress(total, total, "")
    return {
        "schema": SCHEMA,
        "tool": "nzip bench",
        **software(),
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "repeat": repeat,
        "warm_up": WARM_UP,
        "memory": MEMORY,
        "files": [{"path": file.path, "bytes": file.size, "sha256": file.sha256} for file in files],
        "codecs": entries,
    }


def software() -> dict[str, Any]:
    """Return the versions that a result names."""
    import numba
    import numpy

    import nzip

    return {
        "nzip": nzip.__version__,
        "format": nzip.FORMAT_VERSION,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
    }


def machine() -> dict[str, Any]:
    """Return what a result says of the machine, which is not its name."""
    return {"arch": platform.machine(), "system": platform.system(), "cores": os.cpu_count()}


def _entry(codec: Codec, rows: list[dict[str, Any]], error: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": codec.name,
        "family": codec.family,
        "version": codec.version,
        "settings": codec.settings,
        "model_bytes": codec.model_bytes,
        "error": error,
        "total": None,
        "files": rows,
    }
    if error is None:
        bytes_in = sum(row["bytes_in"] for row in rows)
        bytes_out = sum(row["bytes_out"] for row in rows)
        entry["total"] = {
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
            "ratio": float(f"{bytes_in / bytes_out:.6g}") if bytes_out else None,
            "bits_per_byte": float(f"{8 * bytes_out / bytes_in:.6g}") if bytes_in else None,
            "compress_mb_s": _speed(bytes_in, sum(row["compress_s"] for row in rows)),
            "decompress_mb_s": _speed(bytes_in, sum(row["decompress_s"] for row in rows)),
            "compress_memory": max(row["compress_memory"] for row in rows),
            "decompress_memory": max(row["decompress_memory"] for row in rows),
        }
    return entry


def _speed(size: int, seconds: float) -> float:
    return float(f"{size / MB / max(seconds, 1e-7):.4g}")


class _WorkerError(Exception):
    """A codec's process ended before its work did."""


def _in_process(codec: Codec, files: Sequence[InputFile], repeat: int) -> Iterator[dict[str, Any]]:
    codec.prepare()
    for file in files:
        yield measure(codec, file.location.read_bytes(), repeat=repeat)


def _in_worker(codec: Codec, files: Sequence[InputFile], repeat: int) -> Iterator[dict[str, Any]]:
    """Yield the measurements that a process of `codec`'s own makes."""
    request = {"spec": codec.spec, "repeat": repeat, "files": [str(file.location) for file in files]}
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            try:
                # The same modules as here, wherever they come from.
                process.stdin.write(json.dumps([str(Path(entry).resolve()) for entry in sys.path]) + "\n")
                process.stdin.write(json.dumps(request))
                process.stdin.close()
                process.stdout.readline()
            except BrokenPipeError:
                pass
            for _ in files:
                line = process.stdout.readline()
                if not line:
                    code = process.wait()
                    complaints.seek(0)
                    last = complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
                    raise _WorkerError(last[0] if last else f"its process ended with status {code}")
                yield json.loads(line)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def format_table(result: dict[str, Any]) -> list[str]:
    """Return the lines of the summary: one for each codec, the smallest output first."""
    files, machine = result["files"], result["machine"]
    size = sum(file["bytes"] for file in files)
    lines = [
        f"{len(files):,} file{'s' if len(files) != 1 else ''}, {size:,} bytes, each coded alone and verified; "
        f"best of {result['repeat']}{' (or of those begun in 5 s)' if result['repeat'] > 1 else ''}; "
        "compiling and loading not counted",
        f"nzip {result['nzip']} (format {result['format']}), Python {result['python']}, "
        f"numba {result['numba']}, {machine['system']} {machine['arch']}, {machine['cores']} cores",
        "",
    ]
    rows = [("codec", "bytes", "ratio", "bits/byte", "MB/s in", "MB/s out", "MB mem in", "MB mem out")]
    done = [entry for entry in result["codecs"] if entry["total"] is not None]
    for entry in sorted(done, key=lambda item: item["total"]["bytes_out"]):
        total = entry["total"]
        rows.append(
            (
                entry["name"],
                f"{total['bytes_out']:,}",
                "-" if total["ratio"] is None else digits(total["ratio"], 4),
                "-" if total["bits_per_byte"] is None else digits(total["bits_per_byte"], 4),
                digits(total["compress_mb_s"]),
                digits(total["decompress_mb_s"]),
                digits(total["compress_memory"] / MB),
                digits(total["decompress_memory"] / MB),
            )
        )
    lines += align(rows)
    lines += model_notes(done)
    lines += [f"{entry['name']} failed: {entry['error']}" for entry in result["codecs"] if entry["error"]]
    return lines


def model_notes(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line that says which of the codecs have data beside the program, and how much; none if none has."""
    sizes: dict[int, list[str]] = {}
    for entry in entries:
        if entry.get("model_bytes"):
            sizes.setdefault(entry["model_bytes"], []).append(entry["name"])
    words = [f"{', '.join(sorted(names))}: {size:,} bytes" for size, names in sorted(sizes.items())]
    return [f"models, in the programs and not counted above: {'; '.join(words)}"] if words else []


def format_files(result: dict[str, Any]) -> list[str]:
    """Return the lines of the second table: compressed bytes of every file, a column for each codec."""
    done = [entry for entry in result["codecs"] if entry["total"] is not None]
    rows = [("file", "bytes", *(entry["name"] for entry in done))]
    for position, file in enumerate(result["files"]):
        sizes = [f"{entry['files'][position]['bytes_out']:,}" for entry in done]
        rows.append((file["path"], f"{file['bytes']:,}", *sizes))
    return align(rows)


def digits(value: float, count: int = 3) -> str:
    """Return `value` with `count` digits that mean something, or all before the point: never 0.00 of what is not 0."""
    if not math.isfinite(value) or not value:
        return f"{value:g}"
    before = math.floor(math.log10(abs(float(f"{value:.{count}g}"))))  # of what is shown: 9.999 is 10.0
    return f"{value:,.{max(0, count - 1 - before)}f}"


def align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines
