"""The scores of a task as tables, notes and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.evaluation.data.signals import NOUNS, RATES, counted
from nzip.evaluation.distortion.bd_rate import KEPT, value_at
from nzip.evaluation.harness.drawing import INK, logarithmic, plain, styles
from nzip.evaluation.harness.journal import Record
from nzip.evaluation.harness.tables import Column, Table

SHOWN_RATES = {"image": (0.05, 0.1, 0.2, 0.5, 1.0, 2.0), "audio": (3, 6, 12, 24, 48, 96)}
UNITS = {"image": "bpp", "audio": "kbit/s"}


def score_tables(result: Record, kind: str) -> list[Table]:
    title, clean, unit = result["task"]["title"], result["clean"][kind], UNITS[kind]
    entries = [entry for entry in result["codecs"] if entry["kind"] == kind and entry["points"]]
    curves = {entry["name"]: [(point["rate"], point["score"]) for point in entry["points"]] for entry in entries}
    lines = list(curves.values())
    rates = [rate for rate in SHOWN_RATES[kind] if any(value_at(points, rate) is not None for points in lines)]
    columns = [
        Column("codec"),
        Column("files", ","),
        Column("clean", ".3f"),
        *(Column(f"{rate:g} {unit}", ".3f") for rate in rates),
        Column(f"{100 * KEPT:g} % kept from, {unit}", ".3f"),
        Column(""),
        Column("model bytes", ","),
    ]
    rows = [
        [
            entry["name"],
            entry["files"],
            entry["clean_score"],
            *(value_at(curves[entry["name"]], rate) for rate in rates),
            entry["rate_kept"],
            "never" if entry["rate_kept"] is None else "or less" if entry["at_most"] else "",
            entry["model_bytes"],
        ]
        for entry in entries
    ]
    count = counted(clean["files"], kind)
    low, high = clean["interval"] or (None, None)
    said = f"{clean['score']:.4f}" + ("" if low is None else f" ({low:.4f} … {high:.4f})")
    note = f"{count}; on the undistorted ones the score is {said}{', less is better' * result['task']['less']}."
    found = [Table(f"{title}, {NOUNS[kind]}s: score at {RATES[kind]}", columns, rows, note)]
    columns = [
        Column("codec"),
        Column("setting"),
        Column(RATES[kind], ".4f"),
        Column("score", ".4f"),
        Column("95 % from", ".4f"),
        Column("to", ".4f"),
        Column("kept", ".3f"),
        Column("95 % from", ".3f"),
        Column("to", ".3f"),
    ]
    rows = [
        [
            entry["name"],
            point["setting"],
            point["rate"],
            point["score"],
            *(point["interval"] or (None, None)),
            point["kept"],
            *(point["kept_interval"] or (None, None)),
        ]
        for entry in entries
        for point in entry["points"]
    ]
    return [*found, Table(f"{title}, {NOUNS[kind]}s: every setting", columns, rows)]


def records_table(result: Record) -> Table:
    titles = ("path", "codec", "setting", "bytes", "rate", "score", "clean_score", "error")
    rows = [[row[title] for title in titles] for row in result["records"]]
    specs = {"bytes": ",", "rate": ".4f", "score": ".4f", "clean_score": ".4f"}
    return Table("records", [Column(title, specs.get(title, "")) for title in titles], rows)


def report_notes(result: Record) -> list[str]:
    if result["task"]["less"]:
        kept = "clean score divided by score, since less is better"
    else:
        kept = "score divided by clean score"
    notes = [
        f"Kept: {kept}. Rates are of all bytes of a file, the models not among them. Intervals: percentile bootstrap "
        "over files. Scores between two settings: straight lines over the logarithm of the rate."
    ]
    notes += [f"left out: {entry['path']}: {entry['reason']}" for entry in result["skipped"]]
    notes += [
        f"{entry['name']} failed {entry['failed']:,} times: {entry['error']}"
        for entry in result["codecs"]
        if entry["failed"]
    ]
    return notes


def failure(result: Record) -> str | None:
    """Return a line for the first of nzip's own codecs that failed, None if none did."""
    for entry in result["codecs"]:
        if entry["family"] == "nzip" and entry["error"]:
            return f"{entry['name']}: {entry['error']}"
    return None


def draw(result: Record, kinds: Sequence[str], figure: Any) -> None:
    """One panel for each kind of signal: the score over the rate, a line for each codec, the clean score across."""
    looks = styles(result)
    banded = False  # bands of nzip's codecs alone: those of all would hide each other
    height = figure.get_size_inches()[1]
    for axes, kind in zip(figure.subplots(len(kinds), 1, squeeze=False)[:, 0], kinds, strict=True):
        clean = result["clean"][kind]["score"]
        axes.axhline(clean, color=INK, linewidth=1, linestyle="--", label="undistorted", zorder=1)
        if clean > 0:
            aim = clean / KEPT if result["task"]["less"] else clean * KEPT
            axes.axhline(aim, color=INK, linewidth=0.8, linestyle=":", label=f"{100 * KEPT:g} % of it", zorder=1)
        for entry in result["codecs"]:
            if entry["kind"] != kind or not entry["points"]:
                continue
            points = sorted(entry["points"], key=lambda point: point["rate"])
            rates = [point["rate"] for point in points]
            look = looks[entry["name"]]
            if entry["family"] == "nzip" and all(point["interval"] is not None for point in points):
                low, high = ([point["interval"][side] for point in points] for side in (0, 1))
                axes.fill_between(rates, low, high, color=look["color"], alpha=0.12, linewidth=0, zorder=0)
                banded = True
            axes.plot(rates, [point["score"] for point in points], label=entry["name"], **look)
        logarithmic(axes)
        if result["task"]["less"]:
            axes.invert_yaxis()  # better is up
        axes.set_title(counted(result["clean"][kind]["files"], kind), loc="left", fontsize=10)
        axes.set_xlabel(f"{RATES[kind]} (log scale)", fontsize=9)
        axes.set_ylabel(result["task"]["title"] + (" (less is better)" if result["task"]["less"] else ""), fontsize=9)
        axes.tick_params(labelsize=8.5)
        plain(axes)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, handlelength=2.4)
    title = f"Score over rate{'; bands: 95 % intervals over files, of nzip' * banded}"
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.36 / height), h_pad=2)
    figure.text(
        0.012, 1 - 0.1 / height, title, ha="left", va="top", fontsize=12, fontweight="bold", color=INK
    )
