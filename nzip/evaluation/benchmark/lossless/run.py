"""`nzip bench`: nzip's levels beside every installed peer, on the user's own files, both directions, in one run.

What makes the numbers comparable: every codec sees the same files one by one; each works in a process of its own, on
one thread; compiling and loading are done before the clock starts; every output is decompressed and compared with the
input before it counts. The result is a dictionary (written as JSON with `json_path`) that names versions and
settings, and neither the host nor any path above the files' common folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossless.report import MB, format_files, format_table
from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.levels import nzip_codecs
from nzip.evaluation.compressors.peers import peers
from nzip.evaluation.compressors.worker import measure
from nzip.evaluation.data.files import InputFile, find_files
from nzip.evaluation.harness.child import Child, ChildDied
from nzip.evaluation.harness.findings import Echo
from nzip.evaluation.harness.jobs import Progress
from nzip.evaluation.harness.outputs import check_outputs, write_json
from nzip.evaluation.harness.provenance import start

WARM_UP = (
    "each codec is loaded or compiled, and codes 64 KiB of the file (with a model of 16 MiB or more: 1 KiB) once, "
    "before the clock starts"
)
MEMORY = "highest resident size during the call less that before it, input excluded; of the program itself for zpaq"


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
        write_json(json_path, result)
    if plot_path is not None:
        from nzip.evaluation.benchmark.lossless.pareto import plot_pareto

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
        except ChildDied as failure:
            error = str(failure)
        entries.append(_entry(codec, rows, error))
    if progress is not None:
        progress(total, total, "")
    return {
        **start("nzip bench"),
        "repeat": repeat,
        "warm_up": WARM_UP,
        "memory": MEMORY,
        "files": [{"path": file.path, "bytes": file.size, "sha256": file.sha256} for file in files],
        "codecs": entries,
    }


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


def _in_process(codec: Codec, files: Sequence[InputFile], repeat: int) -> Iterator[dict[str, Any]]:
    codec.prepare()
    for file in files:
        yield measure(codec, file.location.read_bytes(), repeat=repeat)


def _in_worker(codec: Codec, files: Sequence[InputFile], repeat: int) -> Iterator[dict[str, Any]]:
    """Yield the measurements that a process of `codec`'s own makes."""
    with Child("nzip.evaluation.compressors.worker") as child:
        child.send((codec.spec, repeat, [str(file.location) for file in files]))
        for _ in files:
            yield child.receive()
