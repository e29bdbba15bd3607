"""`nzip bench --lossy`: lossy codecs on the user's own pictures and sounds, how many bits for how much distortion.

Every codec encodes and decodes every file at every setting of its ladder, in a process of its own on one thread, after
one go beforehand that is not timed. `distortion` measures what came back. A rate is that of all the bytes that a file
would hold: bits per pixel, or kbit/s. Pictures are measured as 8-bit red, green and blue; what is not that, deeper or
with an alpha channel, is left out, and the result says so.

A result is a dictionary (JSON with `json_path`): versions, settings, one record for each file, codec and setting, and
what follows from them: the codecs' mean curves, BD-rates (`bd_rate`) and top-1 agreement. While it is made, the
records are kept in a journal beside it, one JSON line each; a run that was interrupted goes on from there.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nzip import outputs
from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossy.curves import bd_table, curves, top1_agreement
from nzip.evaluation.benchmark.lossy.report import SPEEDS, format_records, format_tables
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.compressors.lossy.selection import choose
from nzip.evaluation.compressors.lossy.worker import CodecProcess
from nzip.evaluation.data.signals import KINDS, RATES, Signal, Source, find_sources, load
from nzip.evaluation.distortion import efficientnet
from nzip.evaluation.distortion.audio import SoundReference
from nzip.evaluation.distortion.images import PictureReference
from nzip.evaluation.distortion.metrics import METRICS
from nzip.evaluation.harness.findings import Echo
from nzip.evaluation.harness.jobs import Progress
from nzip.evaluation.harness.journal import Journal, Record, key_of
from nzip.evaluation.harness.outputs import AnyPath, check_outputs, write_json
from nzip.evaluation.harness.provenance import start
from nzip.formats.signals.base import Audio, Image

WARM_UP = "each codec, but for those that search, goes once both ways over each file before it is measured there"
BD_RATE = (
    "mean gap of log rate at equal quality, PCHIP over the qualities that both reach; averaged: of the curves of means "
    "over files at each setting; per_file: arithmetic mean of the files' own BD-rates"
)


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
        write_json(json_path, result)
    if journal is not None:
        journal.unlink(missing_ok=True)
    if echo is not None:
        for line in format_tables(result) + (format_records(result) if verbose else []):
            echo(line)
    if plot_path is not None:
        from nzip.evaluation.benchmark.lossy.plot import plot_curves

        plot_curves(result, plot_path)
    if html_path is not None:
        from nzip.evaluation.benchmark.lossy.page import write_page

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
        **start("nzip bench --lossy"),
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
    result["top1_agreement"] = top1_agreement(result)
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
