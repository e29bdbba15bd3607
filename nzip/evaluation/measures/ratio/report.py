"""The report of the ratio measure: tables, notes and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.evaluation.harness.drawing import INK, OURS, logarithmic, plain
from nzip.evaluation.harness.journal import Record
from nzip.evaluation.harness.tables import Column, Table
from nzip.evaluation.measures.ratio import contamination

FORMULA = "total description length = payload of all files + model once (two-part code, Rissanen 1978), 8 bits a byte"


def payload_table(result: Record) -> Table:
    anchor = result["settings"]["reference"]
    columns = [
        Column("codec"),
        Column("bytes", ","),
        Column("ratio", ".3f"),
        Column("bits/byte", ".4f"),
        Column("95 % from", ".4f"),
        Column("to", ".4f"),
        Column("bits/char", ".4f"),
        Column(f"against {anchor}", "+.4f"),
        Column("95 % from", "+.4f"),
        Column("to", "+.4f"),
        Column("round trip"),
    ]
    rows = []
    for entry in result["codecs"]:
        if entry["total"] is None:
            rows.append([entry["name"], *[None] * 9, f"failed on {entry['failed']}"])
            continue
        total, gap = entry["total"], entry["difference"] or {"bits_per_byte": None, "interval": None}
        if entry["name"] == anchor:
            gap = {"bits_per_byte": None, "interval": None}
        rows.append(
            [
                entry["name"],
                total["bytes_out"],
                total["ratio"],
                total["bits_per_byte"],
                *(total["interval"] or (None, None)),
                total["bits_per_character"],
                gap["bits_per_byte"],
                *(gap["interval"] or (None, None)),
                entry["round_trip"],
            ]
        )
    chunk = result["settings"]["chunk"]
    size = sum(file["bytes"] for file in result["files"])
    how = "each coded whole" if chunk is None else f"cut in chunks of {chunk:,} bytes, each coded alone"
    note = f"{_count(len(result['files']), 'file')}, {size:,} bytes, {how}. Models are not counted here."
    texts = [file for file in result["files"] if file["characters"]]
    if texts and len(texts) < len(result["files"]):
        note += f" bits/char: over the {_count(len(texts), 'file')} that {'is' if len(texts) == 1 else 'are'} UTF-8."
    return Table("Payload", columns, rows, note)


def total_table(result: Record) -> Table:
    columns = [
        Column("codec"),
        Column("payload bytes", ","),
        Column("model bytes", ","),
        Column("total bytes", ","),
        Column("total bits", ","),
        Column("ratio", "#.4g"),
        Column("bits/byte", ".4f"),
    ]
    done = [entry for entry in result["codecs"] if entry["total"] is not None]
    rows = [
        [
            entry["name"],
            entry["total"]["bytes_out"],
            entry["model_bytes"],
            entry["total"]["total_bytes"],
            entry["total"]["total_bits"],
            entry["total"]["total_ratio"],
            entry["total"]["total_bits_per_byte"],
        ]
        for entry in sorted(done, key=lambda entry: entry["total"]["total_bytes"])
    ]
    return Table("Total description length", columns, rows, f"{FORMULA}. No program's size is counted.")


def seen_table(result: Record) -> Table:
    columns = [
        Column("codec"),
        Column("model's date"),
        Column(f"files {contamination.OLDER}"),
        Column(contamination.NEWER),
        Column(contamination.UNKNOWN),
    ]
    rows = []
    for entry in result["codecs"]:
        if contamination.NO_MODEL in entry["seen"]:
            rows.append([entry["name"], contamination.NO_MODEL, None, None, None])
            continue
        counts = [
            entry["seen"].get(said, 0) for said in (contamination.OLDER, contamination.NEWER, contamination.UNKNOWN)
        ]
        rows.append([entry["name"], entry["model_date"] or contamination.UNKNOWN, *counts])
    note = (
        "A file that was public before the model came out may be among what it learned from; a file's time stamp is no "
        "evidence. That an nzip primer is younger than a file says no more than that: its model card lists its sources."
    )
    return Table("Have the models seen the files?", columns, rows, note)


def files_table(result: Record, names: Sequence[str]) -> Table:
    by_name = {(row["codec"], row["path"]): row["bits_per_byte"] for row in result["records"]}
    columns = [Column("file"), Column("bytes", ","), Column("date"), *(Column(name, ".4f") for name in names)]
    rows = [
        [file["path"], file["bytes"], file["date"], *(by_name[name, file["path"]] for name in names)]
        for file in result["files"]
    ]
    return Table("Bits per byte, file by file", columns, rows)


def records_table(rows: Sequence[Record]) -> Table:
    titles = (
        "codec",
        "path",
        "bytes_in",
        "characters",
        "bytes_out",
        "chunks",
        "ratio",
        "bits_per_byte",
        "bits_per_character",
        "round_trip",
        "seen",
        "error",
    )
    return Table("records", [Column(title) for title in titles], [[row[title] for title in titles] for row in rows])


def report_notes(result: Record) -> list[str]:
    notes = []
    if result["settings"]["chunk"] is not None:
        notes.append(
            "Chunks: each is coded with nothing known of those before it. That costs dictionary and adaptive coders "
            "most of what they can do; compare these numbers with others of the same chunk size only."
        )
    if len(result["files"]) > 1:
        notes.append(
            "Intervals: percentile bootstrap over files, 10,000 draws; those of differences are paired, file by file. "
            "They hold for files drawn like these."
        )
    public = [file["path"] for file in result["files"] if file["public_text"]]
    if public:
        notes.append(
            f"In public text collections that language models are trained on, whatever a date says: {', '.join(public)}"
        )
    for entry in result["codecs"]:
        if entry["error"]:
            notes.append(f"{entry['name']} failed on {_count(entry['failed'], 'file')}: {entry['error']}")
    return notes


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"


def failure(result: Record) -> str | None:
    """Return a line for the first codec that failed, None if none did."""
    for entry in result["codecs"]:
        if entry["error"]:
            return f"{entry['name']}: {entry['error']}"
    return None


def draw(result: Record, figure: Any) -> None:
    """Two panels with one row for each codec: the payload with its interval, and the total with the model in it."""
    done = [entry for entry in result["codecs"] if entry["total"] and entry["total"]["bits_per_byte"] is not None]
    places = range(len(done))
    height = figure.get_size_inches()[1]
    left, right = figure.subplots(1, 2, sharey=True)
    colours = [OURS if entry["family"] == "nzip" else "#b9b9b9" for entry in done]
    values = [entry["total"]["bits_per_byte"] for entry in done]
    left.barh(places, values, color=colours, height=0.66)
    reach = 0.0
    for place, entry, value in zip(places, done, values, strict=True):
        reach = max(reach, value)
        if entry["total"]["interval"] is not None:
            low, high = entry["total"]["interval"]
            apart = [[max(0, value - low)], [max(0, high - value)]]
            left.errorbar(value, place, xerr=apart, color=INK, capsize=2.5, linewidth=1)
            reach = max(reach, high)
    for place, value in zip(places, values, strict=True):  # in a column, clear of the intervals
        left.text(1.17 * reach, place, f"{value:.3f}", ha="right", va="center", fontsize=8.5, color=INK)
    left.set_xlim(0, 1.17 * reach)
    left.set_yticks(list(places), [entry["name"] for entry in done], fontsize=9)
    for label, entry in zip(left.get_yticklabels(), done, strict=True):
        label.set_color(OURS if entry["family"] == "nzip" else INK)
        label.set_fontweight("bold" if entry["family"] == "nzip" else "normal")
    left.set_ylim(len(done) - 0.45, -0.55)
    whole = [entry["total"]["total_bits_per_byte"] for entry in done]
    wide = max(whole) > 12 * max(values)
    if wide:  # a bar on a logarithmic scale has no foot, and its length would say nothing
        right.hlines(places, values, whole, colors=colours, linewidth=1.6)
        right.scatter(values, places, color=colours, zorder=3)
        right.scatter(whole, places, edgecolors=colours, facecolors="white", zorder=4)
    else:
        right.barh(places, values, color=colours, height=0.66)
        added = [max(0.0, all_of - value) for all_of, value in zip(whole, values, strict=True)]
        right.barh(
            places, added, left=values, height=0.66, color="white", edgecolor=colours, hatch="////", linewidth=0.8
        )
    end = max(whole)
    for place, value in zip(places, whole, strict=True):
        text = f"{value:.3f}" if value < 100 else f"{value:,.0f}"
        style = {"va": "center", "fontsize": 8.5, "color": INK}
        right.annotate(text, (value, place), xytext=(7 if wide else 4, 0), textcoords="offset points", **style)
    if wide:
        logarithmic(right, ticks=(), spec=",g")
        right.set_xlim(min(values) / 2, end * (end / min(values)) ** 0.15)
    else:
        right.set_xlim(0, 1.14 * end)
    many = len(result["files"]) > 1
    left.set_title("payload" + (", 95 % interval over files" if many else ""), loc="left", fontsize=10.5)
    look = "payload: full dot; with the model once: open" if wide else "with the model counted once (hatched)"
    right.set_title(look, loc="left", fontsize=10.5)
    left.set_xlabel("bits per byte (smaller is better)", fontsize=9)
    right.set_xlabel(f"bits per byte{' (log scale)' if wide else ''}", fontsize=9)
    for axes in (left, right):
        axes.tick_params(axis="x", labelsize=8.5)
        axes.tick_params(axis="y", length=0)
        plain(axes, grid="x", hidden=("top", "right", "left"))
    chunk = result["settings"]["chunk"]
    size = sum(file["bytes"] for file in result["files"])
    title = f"{_count(len(result['files']), 'file')}, {size:,} bytes"
    title += "" if chunk is None else f", in chunks of {chunk:,} bytes, each coded alone"
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.36 / height), w_pad=2)
    figure.text(0.012, 1 - 0.1 / height, title, ha="left", va="top", fontsize=12, fontweight="bold", color=INK)
