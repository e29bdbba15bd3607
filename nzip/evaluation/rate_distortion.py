"""`nzip bench --lossy`: lossy codecs on the user's own pictures and sounds, how many bits for how much distortion.

Every codec encodes and decodes every file at every setting of its ladder, in a process of its own on one thread, after
one go beforehand that is not timed. `distortion` measures what came back. A rate is that of all the bytes that a file
would hold: bits per pixel, or kbit/s. Pictures are measured as 8-bit red, green and blue; what is not that, deeper or
with an alpha channel, is left out, and the result says so.

A result is a dictionary (JSON with `json_path`): versions, settings, one record for each file, codec and setting, and
what follows from them: the codecs' mean curves, BD-rates (`bd_rate`) and machine perception. While it is made, the
records are kept in a journal beside it, one JSON line each; a run that was interrupted goes on from there.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nzip import outputs
from nzip.errors import CorruptError, LimitError, NzipError, UnsupportedError
from nzip.evaluation import efficientnet
from nzip.evaluation.bd_rate import Point, bd_rate, rate_for, value_at
from nzip.evaluation.bench import (
    Echo,
    InputFile,
    Progress,
    align,
    check_outputs,
    digits,
    find_files,
    machine,
    model_notes,
    software,
)
from nzip.evaluation.distortion import METRICS, PictureReference, SoundReference
from nzip.evaluation.lossy_codecs import KINDS, LossyCodec, Signal, choose, kind_of
from nzip.evaluation.lossy_worker import CodecProcess
from nzip.evaluation.study import Journal, key_of
from nzip.formats.signals.base import Audio, Image
from nzip.formats.signals.files import read_signal

SCHEMA = 1
RATES = {"picture": "bits per pixel", "sound": "kbit/s"}
SPEEDS = {"picture": "MPix/s", "sound": "x real time"}
SHOWN_RATES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)  # bits per pixel, for the table of machine perception
KEPT = 0.95
WIDE, MARK = 0.5, "*"  # an overlap under it is marked
NOTE = f"{MARK} the curves overlap in less than {WIDE:.0%} of the shorter one"
WARM_UP = "each codec, but for those that search, goes once both ways over each file before it is measured there"
BD_RATE = (
    "mean gap of log rate at equal quality, PCHIP over the qualities that both reach; averaged: of the curves of means "
    "over files at each setting; per_file: arithmetic mean of the files' own BD-rates"
)

AnyPath = str | os.PathLike[str]
Record = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """A file to measure, and what is in it."""

    file: InputFile
    kind: str
    shape: dict[str, int]  # width and height; or channels, samples and rate

    @property
    def amount(self) -> float:
        """Millions of pixels, or seconds."""
        if self.kind == "picture":
            return self.shape["width"] * self.shape["height"] / 1e6
        return self.shape["samples"] / self.shape["rate"]

    def rate(self, size: int) -> float:
        """Return the rate of so many bytes in the unit of `RATES`."""
        return size / self.size(1)

    def size(self, rate: float) -> float:
        """Return the bytes that a rate in the unit of `RATES` makes."""
        return rate * self.amount * (1e6 if self.kind == "picture" else 1e3) / 8


def load(path: AnyPath) -> Signal:
    """Return the picture, as uint8 (H, W, 3), or the sound in a file.

    Raises:
        CorruptError: the file is damaged, or neither.
        UnsupportedError: it is of a kind that is not measured.
        LimitError: it is too large.
        OSError: it cannot be read.
    """
    signal = read_signal(path, strip=True)
    if isinstance(signal, Audio):
        if signal.samples.size == 0:
            raise UnsupportedError(f"{os.fspath(path)}: there is nothing in it")
        return signal
    pixels = signal.pixels
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3):
        raise UnsupportedError(f"{os.fspath(path)}: more than 8 bits, or an alpha channel; convert it to 8-bit RGB")
    return Image(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))


def find_sources(paths: Sequence[AnyPath]) -> tuple[list[Source], list[dict[str, str]]]:
    """Return the pictures and sounds among the files named, and those that are left out with the reasons.

    Raises:
        NzipError: a path does not exist, or no picture or sound is left.
    """
    sources, skipped = [], []
    for file in find_files(paths):
        try:
            signal = load(file.location)
        except (CorruptError, UnsupportedError, LimitError) as error:
            reason = str(error).removeprefix(f"{file.location}: ")
            skipped.append({"path": file.path, "reason": reason})
            continue
        except OSError as error:
            raise NzipError(f"{file.location}: cannot read it: {error.strerror}") from None
        if isinstance(signal, Image):
            shape = {"width": signal.pixels.shape[1], "height": signal.pixels.shape[0]}
        else:
            channels, samples = signal.samples.shape
            shape = {"channels": channels, "samples": samples, "rate": signal.rate}
        sources.append(Source(file, kind_of(signal), shape))
    if not sources:
        what = f"; {skipped[0]['path']}: {skipped[0]['reason']}" if skipped else ""
        raise NzipError(f"no pictures or sounds to measure{what}")
    return sources, skipped


def main_run(
    paths: Sequence[AnyPath],
    *,
    codecs: Sequence[str] | None = None,
    peers: bool = False,
    qualities: Sequence[int] | None = None,
    speech: bool = False,
    repeat: int = 1,
    json_path: AnyPath | None = None,
    plot_path: AnyPath | None = None,
    html_path: AnyPath | None = None,
    echo: Echo | None = None,
    progress: Progress | None = None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Measure lossy codecs on `paths`; print the tables; write JSON, the plot and the page.

    Args:
        paths: files and folders.
        codecs: names of the codecs; all of nzip's where it is left out.
        peers: measure every installed peer as well.
        qualities: settings for all of them in place of each one's own ladder.
        speech: the sounds are speech: measure STOI and PESQ too.
        repeat: the best time of so many runs counts.
        json_path: where to write the result.
        plot_path: where to draw the curves, `.png` or `.svg`.
        html_path: where to write a page of crops and players at matched rates.
        echo: prints one line of the report.
        progress: called with steps done, steps in all and a label.
        verbose: print every record as well.

    Raises:
        NzipError: the input, an output path or a name is no good, or one of nzip's codecs failed on a file.
        ValueError: `repeat` is less than 1.
    """
    if repeat < 1:
        raise ValueError("repeat is less than 1")
    check_outputs(json_path, plot_path, html_path, inputs=paths)
    sources, skipped = find_sources(paths)
    kinds = [kind for kind in KINDS if any(source.kind == kind for source in sources)]
    chosen = choose(kinds, codecs, with_peers=peers)
    if qualities is not None:
        chosen = [with_ladder(codec, qualities) for codec in chosen]
    journal = None
    if json_path is not None and outputs.stream_word(json_path) is None:
        journal = Path(os.fspath(json_path) + ".journal")
    result = run(chosen, sources, speech=speech, repeat=repeat, journal=journal, progress=progress)
    result["skipped"] = skipped
    if json_path is not None:
        outputs.write_text(json_path, json.dumps(result, indent=1, allow_nan=False) + "\n")
    if journal is not None:
        journal.unlink(missing_ok=True)
    if echo is not None:
        for line in format_tables(result) + (format_records(result) if verbose else []):
            echo(line)
    if plot_path is not None:
        from nzip.evaluation.rate_distortion_plot import plot_curves

        plot_curves(result, plot_path)
    if html_path is not None:
        from nzip.evaluation.rate_distortion_page import write_page

        write_page(result, sources, chosen, html_path)
    for record in result["records"]:
        if record["error"]:
            raise NzipError(f"{record['codec']} at {record['setting']}, {record['path']}: {record['error']}")
    return result


def with_ladder(codec: LossyCodec, ladder: Iterable[int]) -> LossyCodec:
    """Return the codec with other settings, rising.

    Raises:
        NzipError: the codec has no such setting.
    """
    settings = tuple(sorted(set(ladder)))
    for setting in settings:
        if not codec.least <= setting <= codec.most:
            raise NzipError(f"{codec.name} has no setting {setting}; take {codec.least} to {codec.most}")
    return dataclasses.replace(codec, ladder=settings)


def run(
    codecs: Sequence[LossyCodec],
    sources: Sequence[Source],
    *,
    speech: bool = False,
    repeat: int = 1,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure `codecs` on `sources` and return the result as `main_run` writes it.

    Args:
        codecs: each for one kind of signal, with its ladder.
        sources: the files.
        speech: the sounds are speech.
        repeat: the best time of so many runs counts.
        journal: where records are kept while the run lasts; those found there are not measured anew.
        progress: called with steps done, steps in all and a label.
    """
    if len({(codec.kind, codec.name) for codec in codecs}) < len(codecs):
        raise ValueError("two codecs have the same name")
    tasks = sum(len(codec.ladder) for source in sources for codec in codecs if codec.kind == source.kind)
    records: list[Record] = []
    with ExitStack() as stack:
        processes = [stack.enter_context(CodecProcess(codec)) for codec in codecs]
        notes = stack.enter_context(Journal(journal))
        for source in sources:
            measurer = _Measurer(source, speech, repeat)
            for process in processes:
                if process.codec.kind != source.kind:
                    continue
                for setting in process.codec.ladder:
                    if progress is not None:
                        progress(len(records), tasks, f"{process.codec.name}, {source.file.path}")
                    key = _key(process.codec, source, setting, speech, repeat)
                    record = notes.known.get(key)
                    if record is None:
                        record = measurer.measure(process, setting)
                        notes.add(key, record)
                    records.append({**record, "path": source.file.path})
    if progress is not None:
        progress(tasks, tasks, "")
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "tool": "nzip bench --lossy",
        **software(),
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "repeat": repeat,
        "warm_up": WARM_UP,
        "rates": RATES,
        "speeds": SPEEDS,
        "metrics": {name: dataclasses.asdict(metric) for name, metric in METRICS.items()},
        "network": efficientnet.network().sha256 if efficientnet.available() else None,
        "files": [
            {
                "path": source.file.path,
                "bytes": source.file.size,
                "sha256": source.file.sha256,
                "kind": source.kind,
                **source.shape,
                "amount": source.amount,
            }
            for source in sources
        ],
        "skipped": [],
        "codecs": [
            {
                "name": codec.name,
                "kind": codec.kind,
                "family": codec.family,
                "version": codec.version,
                "settings": codec.settings,
                "ladder": list(codec.ladder),
                "model_bytes": codec.model_bytes,
            }
            for codec in codecs
        ],
        "records": records,
    }
    result["curves"] = curves(result)
    result["bd_rate"] = {"method": BD_RATE, "table": bd_table(result)}
    result["machine_perception"] = machine_perception(result)
    return result


class _Measurer:
    """Measures codecs on one file, which is read when it is first needed."""

    def __init__(self, source: Source, speech: bool, repeat: int) -> None:
        self.source = source
        self._speech, self._repeat = speech, repeat
        self._signal: Signal | None = None
        self._reference: PictureReference | SoundReference | None = None
        self._warm: set[str] = set()

    def measure(self, process: CodecProcess, setting: int) -> Record:
        if self._signal is None:
            self._signal = load(self.source.file.location)
            if isinstance(self._signal, Image):
                self._reference = PictureReference(self._signal.pixels)
            else:
                self._reference = SoundReference(self._signal.samples, self._signal.rate, speech=self._speech)
        codec = process.codec
        record: Record = {"kind": codec.kind, "codec": codec.name, "setting": setting, "error": None}
        try:
            coded = process.code(
                self._signal, setting, repeat=self._repeat, warm_up=codec.warm and codec.name not in self._warm
            )
        except NzipError as error:
            return record | {"error": str(error)}
        self._warm.add(codec.name)
        if isinstance(self._reference, PictureReference):
            assert isinstance(coded.signal, Image)
            values = self._reference.measure(coded.signal.pixels)
        else:
            assert isinstance(self._reference, SoundReference)
            assert isinstance(coded.signal, Audio)
            values = self._reference.measure(coded.signal.samples)
        return record | {
            "bytes": len(coded.data),
            "rate": self.source.rate(len(coded.data)),
            "encode_s": round(coded.encode_s, 7),
            "decode_s": round(coded.decode_s, 7),
            "values": values,
        }


def _key(codec: LossyCodec, source: Source, setting: int, speech: bool, repeat: int) -> str:
    """Return what tells a measurement from every other."""
    words = [codec.kind, codec.name, codec.version, codec.settings, source.file.sha256, setting, speech, repeat]
    return key_of(*words, sorted(METRICS))


# What follows from the records


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


def machine_perception(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for each codec of pictures how often the network sees in the copy what it sees in the original.

    An entry has `points` (mean rate and share of files at each setting), and `rate_kept`: from which rate on the share
    is `KEPT` or more, on straight lines between the points; None where it never is. `at_most` says that it is so at the
    lowest rate measured already.
    """
    found = []
    for entry in result["curves"]:
        if entry["kind"] != "picture":
            continue
        points = [(point["rate"], point["values"]["agrees"]) for point in entry["points"]]
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


# The report


def format_tables(result: dict[str, Any]) -> list[str]:
    """Return the lines of the report: the codecs, BD-rates, machine perception, what was left out and what failed."""
    lines = [
        f"nzip {result['nzip']}, Python {result['python']}, {result['machine']['system']} {result['machine']['arch']}; "
        f"one thread, best of {result['repeat']}, loading and compiling not counted"
    ]
    for kind in KINDS:
        files = [file for file in result["files"] if file["kind"] == kind]
        if files:
            lines += ["", f"{len(files):,} {kind}{'s' * (len(files) != 1)}"]
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
    """Return the tables of a kind of signal as rows, heads first: the codecs, BD-rates, and machine perception."""
    found = [_codec_table(result, kind), *_bd_tables(result, kind)]
    if kind == "picture" and result["machine_perception"]:
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
    entries = result["machine_perception"]
    rates = [rate for rate in SHOWN_RATES if any(value_at(_shares(entry), rate) is not None for entry in entries)]
    rows = [("% of pictures seen as before, at bits per pixel", *(f"{rate:g}" for rate in rates), f"{KEPT:.0%} from")]
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
