"""The report of a lossless run as lines: a codec each, and file by file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.evaluation.harness.tables import align, digits

MB = 1_000_000


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
