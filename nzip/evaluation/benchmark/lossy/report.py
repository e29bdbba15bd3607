"""The report of a lossy run as lines and tables."""

from __future__ import annotations

from typing import Any

from nzip.evaluation.benchmark.lossless.report import model_notes
from nzip.evaluation.benchmark.lossy.curves import KEPT
from nzip.evaluation.data.signals import KINDS, RATES, counted
from nzip.evaluation.distortion.bd_rate import Point, value_at
from nzip.evaluation.harness.tables import align, digits

SPEEDS = {"image": "MPix/s", "audio": "x real time"}
SHOWN_RATES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)  # bits per pixel, for the table of top-1 agreement
WIDE, MARK = 0.5, "*"  # an overlap under it is marked
NOTE = f"{MARK} the curves overlap in less than {WIDE:.0%} of the shorter one"


def format_tables(result: dict[str, Any]) -> list[str]:
    """Return the lines of the report: the codecs, BD-rates, top-1 agreement, what was left out and what failed."""
    lines = [
        f"nzip {result['nzip']}, Python {result['python']}, {result['machine']['system']} {result['machine']['arch']}; "
        f"one thread, best of {result['repeat']}, loading and compiling not counted"
    ]
    for kind in KINDS:
        files = [file for file in result["files"] if file["kind"] == kind]
        if files:
            lines += ["", counted(len(files), kind)]
            for number, rows in enumerate(tables(result, kind)):
                lines += [*([""] if number else []), *align(rows)]
            if any(MARK in line for line in lines):
                lines.append(NOTE)
    lines += model_notes(result["codecs"])
    if result["skipped"]:
        lines += ["", *(f"left out: {entry['path']}: {entry['reason']}" for entry in result["skipped"])]
    failed: dict[tuple[str, str], int] = {}
    for record in result["records"]:
        if record["error"]:
            failed[record["codec"], record["error"]] = failed.get((record["codec"], record["error"]), 0) + 1
    if failed:
        lines += ["", *(f"{codec} failed {count} times: {error}" for (codec, error), count in failed.items())]
    return lines


def tables(result: dict[str, Any], kind: str) -> list[list[tuple[str, ...]]]:
    """Return the tables of a kind of signal as rows, heads first: the codecs, BD-rates, and top-1 agreement."""
    found = [_codec_table(result, kind), *_bd_tables(result, kind)]
    if kind == "image" and result["top1_agreement"]:
        found.append(_perception_table(result))
    return found


def _codec_table(result: dict[str, Any], kind: str) -> list[tuple[str, ...]]:
    speed = SPEEDS[kind]
    metrics = [name for name, metric in result["metrics"].items() if metric["kind"] == kind and metric["compared"]]
    curves = [entry for entry in result["curves"] if entry["kind"] == kind and entry["points"]]
    metrics = [name for name in metrics if any(entry["points"][0]["values"][name] is not None for entry in curves)]
    rows = [("codec", RATES[kind], *(titled(result, name) for name in metrics), f"{speed} in", f"{speed} out")]
    for entry in curves:
        first, last = entry["points"][0], entry["points"][-1]
        spans = [
            f"{shown(first['values'][name])} .. {shown(last['values'][name])}" for name in metrics
        ]
        speeds = [digits(entry[name]) if entry[name] else "-" for name in ("encode_speed", "decode_speed")]
        rows.append((entry["codec"], f"{shown(first['rate'])} .. {shown(last['rate'])}", *spans, *speeds))
    return rows


def titled(result: dict[str, Any], metric: str) -> str:
    """Return a metric's title and unit."""
    meaning = result["metrics"][metric]
    return f"{meaning['title']} {meaning['unit']}".strip()


def shown(value: float | None) -> str:
    """Return a number as tables show it, and a dash for None."""
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _bd_tables(result: dict[str, Any], kind: str) -> list[list[tuple[str, ...]]]:
    anchors = [codec["name"] for codec in result["codecs"] if codec["kind"] == kind and codec["family"] == "peer"]
    names = [codec["name"] for codec in result["codecs"] if codec["kind"] == kind]
    anchors = anchors or names
    found: list[list[tuple[str, ...]]] = []
    for metric in result["metrics"]:
        entries = {
            (entry["codec"], entry["anchor"]): entry
            for entry in result["bd_rate"]["table"]
            if entry["metric"] == metric and entry["kind"] == kind
        }
        if all(entry["averaged"] is None for entry in entries.values()):
            continue
        rows = [(f"% more bits for equal {titled(result, metric)} than", *anchors)]
        for name in names:
            cells = []
            for anchor in anchors:
                entry = entries.get((name, anchor))
                if entry is None or entry["averaged"] is None:
                    cells.append("" if name == anchor else "-")
                else:
                    cells.append(f"{entry['averaged']:+.1f}{MARK if entry['overlap'] < WIDE else ' '}")
            rows.append((name, *cells))
        found.append(rows)
    return found


def _perception_table(result: dict[str, Any]) -> list[tuple[str, ...]]:
    entries = result["top1_agreement"]
    rates = [rate for rate in SHOWN_RATES if any(value_at(_shares(entry), rate) is not None for entry in entries)]
    rows = [("top-1 agreement, % of pictures, at bits per pixel", *(f"{rate:g}" for rate in rates), f"{KEPT:.0%} from")]
    for entry in entries:
        shares = [value_at(_shares(entry), rate) for rate in rates]
        kept = entry["rate_kept"]
        word = "never" if kept is None else f"{'<=' if entry['at_most'] else ''}{kept:.3f}"
        rows.append((entry["codec"], *("-" if share is None else f"{100 * share:.0f}" for share in shares), word))
    return rows


def _shares(entry: dict[str, Any]) -> list[Point]:
    return [(point["rate"], point["share"]) for point in entry["points"]]


def format_records(result: dict[str, Any]) -> list[str]:
    """Return the lines of every measurement."""
    lines: list[str] = []
    for kind in KINDS:
        metrics = [name for name, metric in result["metrics"].items() if metric["kind"] == kind]
        rows = [("file", "codec", "setting", "bytes", RATES[kind], *(titled(result, name) for name in metrics))]
        for record in result["records"]:
            if record["kind"] == kind and not record["error"]:
                values = [shown(record["values"][name]) for name in metrics]
                rate = shown(record["rate"])
                rows.append(
                    (record["path"], record["codec"], str(record["setting"]), f"{record['bytes']:,}", rate, *values)
                )
        if len(rows) > 1:
            lines += ["", *align(rows)]
    return lines
