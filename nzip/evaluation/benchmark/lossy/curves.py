"""What follows from the records of a lossy run: mean curves, BD-rates, top-1 agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nzip.evaluation.distortion.bd_rate import KEPT, Point, bd_rate, rate_for
from nzip.evaluation.harness.journal import Record


def _good(result: dict[str, Any], kind: str, codec: str) -> list[Record]:
    return [
        record
        for record in result["records"]
        if record["kind"] == kind and record["codec"] == codec and not record["error"]
    ]


def curve(records: Sequence[Record], metric: str, paths: set[str]) -> list[Point]:
    """Return a codec's mean curve: at each setting the means over files of the rate and of a metric.

    Settings where a file of `paths` has no finite value are left out.
    """
    by_setting: dict[int, dict[str, Point]] = {}
    for record in records:
        value = record["values"][metric]
        if record["path"] in paths and value is not None:
            by_setting.setdefault(record["setting"], {})[record["path"]] = record["rate"], value
    return [
        (float(np.mean([rate for rate, _ in files.values()])), float(np.mean([value for _, value in files.values()])))
        for _, files in sorted(by_setting.items())
        if len(files) == len(paths)
    ]


def curves(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each codec's means over the files it coded at every setting, and its speeds over all it coded."""
    amounts = {file["path"]: file["amount"] for file in result["files"]}
    found = []
    for codec in result["codecs"]:
        records = _good(result, codec["kind"], codec["name"])
        by_path: dict[str, int] = {}
        for record in records:
            by_path[record["path"]] = by_path.get(record["path"], 0) + 1
        whole = {path for path, count in by_path.items() if count == len(codec["ladder"])}
        amount = sum(amounts[record["path"]] for record in records)
        entry = {
            "codec": codec["name"],
            "kind": codec["kind"],
            "files": len(whole),
            "encode_speed": _speed(amount, sum(record["encode_s"] for record in records)),
            "decode_speed": _speed(amount, sum(record["decode_s"] for record in records)),
            "points": [],
        }
        for setting in codec["ladder"]:
            at = [record for record in records if record["setting"] == setting and record["path"] in whole]
            if at:
                means = {}
                for metric in at[0]["values"]:
                    values = [record["values"][metric] for record in at]
                    means[metric] = None if None in values else float(np.mean(values))
                rate = float(np.mean([record["rate"] for record in at]))
                entry["points"].append({"setting": setting, "rate": rate, "values": means})
        found.append(entry)
    return found


def _speed(amount: float, seconds: float) -> float | None:
    return float(f"{amount / seconds:.4g}") if seconds > 0 else None


def bd_table(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the BD-rate of every codec against every other of its kind, for each metric that is compared.

    An entry has `averaged` and `per_file` (percent, None where the curves do not overlap), the `overlap` of the
    averaged curves (see `bd_rate.Gap`), `files` (those that both coded) and `per_file_files` (those whose own curves
    overlap).
    """
    table = []
    for metric, meaning in result["metrics"].items():
        if not meaning["compared"]:
            continue
        sign = 1 if meaning["more"] else -1
        codecs = [codec["name"] for codec in result["codecs"] if codec["kind"] == meaning["kind"]]
        records = {name: _good(result, meaning["kind"], name) for name in codecs}
        for anchor in codecs:
            for name in codecs:
                if name == anchor:
                    continue
                paths = {record["path"] for record in records[name]} & {record["path"] for record in records[anchor]}
                gaps = []
                for group in [paths, *({path} for path in sorted(paths))]:
                    sides = (
                        [(rate, sign * value) for rate, value in curve(records[side], metric, group)]
                        for side in (anchor, name)
                    )
                    gaps.append(bd_rate(*sides))
                own = [gap.percent for gap in gaps[1:] if gap is not None]
                table.append(
                    {
                        "kind": meaning["kind"],
                        "metric": metric,
                        "codec": name,
                        "anchor": anchor,
                        "files": len(paths),
                        "averaged": round(gaps[0].percent, 3) if gaps[0] else None,
                        "overlap": round(gaps[0].overlap, 3) if gaps[0] else None,
                        "per_file": round(float(np.mean(own)), 3) if own else None,
                        "per_file_files": len(own),
                    }
                )
    return table


def top1_agreement(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for each codec of pictures how often the network sees in the copy what it sees in the original.

    An entry has `points` (mean rate and share of files at each setting), and `rate_kept`: from which rate on the share
    is `KEPT` or more, on straight lines between the points; None where it never is. `at_most` says that it is so at the
    lowest rate measured already.
    """
    found = []
    for entry in result["curves"]:
        if entry["kind"] != "image":
            continue
        points = [(point["rate"], point["values"]["top1_agreement"]) for point in entry["points"]]
        if not points or any(share is None for _, share in points):
            continue
        rate, at_most = rate_for(points, KEPT)
        found.append(
            {
                "codec": entry["codec"],
                "files": entry["files"],
                "points": [{"rate": rate, "share": share} for rate, share in sorted(points)],
                "kept": KEPT,
                "rate_kept": rate,
                "at_most": at_most,
            }
        )
    return found
