"""The tables of the documents about the files that people have, made of `benchmarks/results`: for `report.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markdown_table import bold, markdown

from nzip.evaluation.harness.tables import digits

Result = dict[str, Any]
SETS = {
    "kinds": "198 files of all kinds",
    "one_a_kind": "one of each kind",
    "jpeg": "JPEG as cameras and programs write them",
    "jpeg q75 4:2:0": "Kodak as JPEG q75 4:2:0",
    "jpeg q90 4:2:0": "Kodak as JPEG q90 4:2:0",
    "jpeg q95 4:4:4": "Kodak as JPEG q95 4:4:4",
    "jpeg q85 progressive": "Kodak as JPEG q85 progressive",
    "kodak": "Kodak, 24 PNG",
    "photographs": "other pictures",
    "palette": "palettes, screenshots, GIF",
    "audio": "7 sounds",
    "text": "Calgary and Canterbury",
}


def everyday(found: Result) -> str:
    """Return, for each set, what each coder makes of the files that all of them can code, and the speeds there."""
    lines = [["files", "coder", "files coded", "bytes", "becomes", "share", "MB/s in", "MB/s out"]]
    for name, made in found["sets"].items():
        coders = [label for label in made["coders"] if any(row[label]["bytes"] for row in made["files"])]
        rows = [row for row in made["files"] if all(row[label]["bytes"] is not None for label in coders)]
        size = sum(row["size"] for row in rows)
        for label in sorted(coders, key=lambda label: sum(row[label]["bytes"] for row in rows)):
            packed = sum(row[label]["bytes"] for row in rows)
            speeds = [digits(size / 1e6 / max(1e-9, sum(row[label][way] for row in rows))) for way in ("in", "out")]
            count = f"{len(rows)} of {len(made['files'])}"
            cells = [SETS.get(name, name), bold(label, label), count, f"{size:,}", bold(label, f"{packed:,}")]
            lines.append([*cells, f"{packed / size:.1%}", *speeds])
    return markdown(lines, left=(0, 1))


def coders(found: Result) -> str:
    """Return the versions of what was compared."""
    seen = {label: version for made in found["sets"].values() for label, version in made["coders"].items()}
    return markdown([["coder", "version"], *([label, version] for label, version in seen.items())], left=(0, 1))


def opened(found: Result) -> str:
    """Return what containers become, and what is in them does."""
    lines = [["file", "bytes", "becomes", "content", "becomes", "more"]]
    for row in found["files"]:
        sizes = [f"{row[key]:,}" for key in ("bytes", "packed", "content", "content_packed")]
        lines.append([row["file"], *sizes, f"{row['packed'] / row['content_packed'] - 1:+.2%}"])
    return markdown(lines)


def doubled(found: Result) -> str:
    """Return what one copy of an archive becomes, and what two do."""
    lines = [["level", "one copy", "two copies", "more"]]
    for row in found["doubled"]:
        one, two = row["one"]["bytes"], row["doubled"]["bytes"]
        lines.append([str(row["level"]), f"{one:,}", f"{two:,}", f"{two / one - 1:+.2%}"])
    return markdown(lines)


def deltas(found: Result) -> str:
    """Return what new files become beside old ones."""
    levels = [name for name in found["deltas"][0] if name.startswith("nzip")]
    patches = [f"`{command}`" for command in found["patch"]]
    lines = [["old file", "bytes", "new", *patches, *levels, "share of the first"]]
    for row in found["deltas"]:
        sizes = [row[name]["bytes"] for name in levels]
        given = (row[key] for key in ("old", "new", "zstd", "strongest"))
        cells = [row["name"], *(f"{size:,}" for size in (*given, *sizes))]
        lines.append([*cells, " / ".join(f"{size / row['zstd']:.2f}" for size in sizes)])
    return markdown(lines)


def records(found: Result) -> str:
    """Return what short records become, each alone, with a primer and without, and with zstd's dictionary."""
    levels = [name for name in found["records"][0] if name.startswith("nzip")]
    lines = [["100 records of", "bytes", "zstd -19, dictionary", *(f"{name}, primer" for name in levels), "without"]]
    for row in found["records"]:
        cells = [row["file"], f"{row['bytes']:,}", f"{row['zstd']:,}", *(f"{row[name]['bytes']:,}" for name in levels)]
        lines.append([*cells, " / ".join(f"{row[name]['without']:,}" for name in levels)])
    return markdown(lines)


def tables(own: Callable[..., Any]) -> dict[str, Callable[[], str]]:
    """Return the tables by name; `own` reads the results of a program."""
    return {
        "everyday": lambda: everyday(own("everyday")),
        "everyday-coders": lambda: coders(own("everyday")),
        "opened": lambda: opened(own("opened")),
        "doubled": lambda: doubled(own("repeats")),
        "deltas": lambda: deltas(own("repeats")),
        "records": lambda: records(own("repeats")),
    }
