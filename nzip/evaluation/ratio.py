"""`nzip eval ratio`: bits per byte of any codecs on any files, the models counted and not.

Every codec codes every file alone (or every piece of it, with `chunk`), and what it gives is decompressed and compared
with the file before it counts. What follows from the sizes:

* payload: bits per byte, and per character (Unicode code point) of the files that are UTF-8, over all files together;
* total description length: the payload of all files and, once, the bytes of the model that both sides must have
  (a two-part code: Rissanen, "Modeling by shortest data description", Automatica 14, 1978). The program's own size is
  counted for no codec;
* intervals: 95 % percentile bootstrap over files (`study.bootstrap`), of bits per byte and of its difference from a
  reference codec. The difference is paired: both are summed over the same drawn files, so how hard these are to code
  falls out;
* whether the codec's model may have read the files (`contamination`).

With `chunk` each piece is coded as if it were a file, as is usual for language models with a short window (Deletang
et al., "Language Modeling Is Compression", ICLR 2024: 2,048 bytes). That takes from dictionary and adaptive coders what
they live on, so such numbers say nothing of what these do to whole files; the result says which was done.
"""

from __future__ import annotations

import dataclasses
import functools
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation import codecs as all_codecs
from nzip.evaluation import contamination
from nzip.evaluation.bench import InputFile, Progress, find_files
from nzip.evaluation.codecs import Codec
from nzip.evaluation.commands import CommandCodec
from nzip.evaluation.study import (
    AnyPath,
    Column,
    Findings,
    Record,
    Table,
    Task,
    bootstrap,
    cores,
    head,
    key_of,
    run_tasks,
)

TOOL = "nzip eval ratio"
FORMULA = "total description length = payload of all files + model once (two-part code, Rissanen 1978), 8 bits a byte"
VERIFIED, ONE_WAY = "verified", "not verified"
PLAIN = "nzip -"


# Which codecs


def choose(
    names: Sequence[str] | None = None,
    *,
    peers: bool = False,
    engine: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> list[Codec]:
    """Return the codecs that are named, in that order.

    Args:
        names: nzip's levels (`6`, `nzip -6`, `1-9`), peers by their short names (`codecs.SHORT`: `gzip`, `xz`) or by
            how their names begin (`xz -`, `zpaq`), nzip's engines (`cm`; `nzip zstd` where a peer begins so too).
            nzip's levels where it is left out.
        peers: every installed peer as well, but for those that take minutes a file.
        engine: an engine that is measured as well if no name is its.
        params: its parameters, wherever it is named.

    Raises:
        NzipError: there is none of a name.
    """
    import nzip

    found: list[Codec] = []
    known = all_codecs.peers(slow=True)
    levels = {str(level) for level in nzip.levels()}

    def of_engine(name: str) -> Codec:
        return all_codecs.nzip_codec(6, engine=name, params=params if name == engine else None)

    for name in [f"{min(nzip.levels())}-{max(nzip.levels())}"] if names is None else names:
        ours = name.removeprefix("nzip").strip()
        first, _, last = ours.removeprefix("-").partition("-")
        matches = [codec for codec in known if codec.name == all_codecs.SHORT.get(name)]
        if not matches and name and not name.startswith("nzip"):
            matches = [codec for codec in known if codec.name.startswith(name)]
        if first in levels and (last or first) in levels and int(first) <= int(last or first):
            found += [all_codecs.nzip_codec(level) for level in range(int(first), int(last or first) + 1)]
        elif matches:
            found += matches
        elif ours in nzip.engines():
            found.append(of_engine(ours))
        else:
            short = (name for name, whole in all_codecs.SHORT.items() if any(codec.name == whole for codec in known))
            there = [f"{min(levels)}-{max(levels)}", *sorted(nzip.engines()), *short, *(codec.name for codec in known)]
            raise NzipError(f"no codec {name!r} is here; there are {', '.join(there)}")
    if engine is not None and not any(codec.spec and codec.spec.get("engine") == engine for codec in found):
        found.append(of_engine(engine))
    if peers:
        found += all_codecs.peers()
    return list({codec.name: codec for codec in found}.values())


# The work


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker is given: a file, and a codec or how to make it."""

    location: str
    codec: Codec | None
    spec: str | None  # repr of the dictionary, so that it can be a key
    chunk: int | None


@functools.cache
def _made(spec: str) -> Codec:
    import ast

    codec = all_codecs.from_spec(ast.literal_eval(spec))
    codec.prepare()
    return codec


def code_file(job: Job) -> Record:
    """Return `bytes_in`, `bytes_out`, `chunks` and `verified` (None where nothing can be restored), or `error`."""
    try:
        with open(job.location, "rb") as file:
            data = file.read()
    except OSError as error:
        return {"error": f"cannot read it: {error.strerror}"}
    try:
        codec = job.codec
        if codec is None:
            assert job.spec is not None
            codec = _made(job.spec)
        one_way = isinstance(codec, CommandCodec) and codec.one_way
        step = job.chunk or max(1, len(data))
        size = chunks = 0
        for start in range(0, max(1, len(data)), step):
            piece = data[start : start + step]
            packed = codec.compress(piece)
            if not one_way and codec.decompress(packed, len(piece)) != piece:
                return {"error": "did not give the bytes back"}
            size += len(packed)
            chunks += 1
    except NzipError as error:
        return {"error": " ".join(str(error).split())}
    except Exception as error:  # whatever a codec raises is a result
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return {
        "bytes_in": len(data),
        "bytes_out": size,
        "chunks": chunks,
        "verified": None if one_way else True,
    }


def characters(data: bytes) -> int | None:
    """Return the number of Unicode code points if `data` is UTF-8, else None."""
    try:
        return len(data.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def measure(
    paths: Sequence[AnyPath],
    codecs: Sequence[Codec],
    *,
    chunk: int | None = None,
    reference: str | None = None,
    corpus_dates: Mapping[str, str] | None = None,
    model_dates: Mapping[str, str] | None = None,
    seed: int = 0,
    jobs: int = 1,
    journal: AnyPath | None = None,
    progress: Progress | None = None,
    verbose: bool = False,
) -> Findings:
    """Measure `codecs` on the files below `paths`.

    Args:
        paths: files and folders.
        codecs: what `choose` and `commands.command_codec` give, or any others.
        chunk: bytes of a piece that is coded alone; whole files where it is left out.
        reference: name of the codec that differences are taken from; the first where it is left out.
        corpus_dates: dates of files by patterns of their paths, see `contamination.date_of`.
        model_dates: dates of models by names of codecs.
        seed: of the bootstrap.
        jobs: processes.
        journal: where records are kept.
        progress: called with tasks done, tasks in all and a label.
        verbose: a table of the files too.

    Raises:
        NzipError: the input is no good, or a codec made by hand cannot be sent to another process.
        ValueError: two codecs have one name, there is none, a name is no codec's, a date is none, `chunk` is under 1.
    """
    names = [codec.name for codec in codecs]
    if not names or len(set(names)) < len(names):
        raise ValueError("two codecs have the same name" if names else "no codecs to measure")
    reference = names[0] if reference is None else reference
    for name in (reference, *(model_dates or {})):
        if name not in names:
            raise ValueError(f"no codec named {name!r} is measured; there are {', '.join(names)}")
    for text in (*(corpus_dates or {}).values(), *(model_dates or {}).values()):
        contamination.period(text)
    if chunk is not None and chunk < 1:
        raise ValueError("a chunk has less than 1 byte")
    files = find_files(paths)
    tasks = [_task(codec, file, chunk, cores(jobs) > 1) for codec in codecs for file in files]
    answers = iter(run_tasks(tasks, code_file, jobs=jobs, journal=journal, progress=progress))
    records = {codec.name: [{"path": file.path, **next(answers)} for file in files] for codec in codecs}
    return conclude(
        codecs,
        _described(files, corpus_dates or {}),
        records,
        chunk=chunk,
        reference=reference,
        model_dates=model_dates or {},
        seed=seed,
        verbose=verbose,
    )


def _task(codec: Codec, file: InputFile, chunk: int | None, sent: bool) -> Task:
    key = key_of("ratio", file.sha256, codec.name, codec.version, codec.settings, chunk)
    if codec.spec is not None:
        job = Job(str(file.location), None, repr(codec.spec), chunk)
    else:
        job = Job(str(file.location), codec, None, chunk)
        if sent:
            try:
                pickle.dumps(codec)
            except (pickle.PicklingError, AttributeError, TypeError):
                raise NzipError(f"{codec.name}: cannot be sent to other processes; use one (--jobs 1)") from None
    return Task(key, f"{codec.name}, {file.path}", job)


def _described(files: Sequence[InputFile], dates: Mapping[str, str]) -> list[Record]:
    public = contamination.public_texts()
    found = []
    for file in files:
        try:
            data = file.location.read_bytes()
        except OSError as error:
            raise NzipError(f"{file.location}: cannot read it: {error.strerror}") from None
        day, source = contamination.date_of(file.path, file.sha256, dates)
        found.append(
            {
                "path": file.path,
                "bytes": file.size,
                "sha256": file.sha256,
                "characters": characters(data),
                "date": day,
                "date_from": source,
                "public_text": public.get(file.sha256),
            }
        )
    return found


# What follows


def conclude(
    codecs: Sequence[Codec],
    files: Sequence[Record],
    records: Mapping[str, Sequence[Record]],
    *,
    chunk: int | None,
    reference: str,
    model_dates: Mapping[str, str],
    seed: int,
    verbose: bool,
) -> Findings:
    """Return the findings of the records: for each codec one for each file, in the files' order."""
    entries: list[Record] = []
    rows: list[Record] = []
    anchor = records[reference]
    for codec in codecs:
        own = records[codec.name]
        errors = [f"{record['path']}: {record['error']}" for record in own if record.get("error")]
        day = contamination.model_date(codec, model_dates)
        verdicts = [
            contamination.NO_MODEL
            if not codec.model_bytes and day is None and codec.family != "command"
            else contamination.verdict(file["date"], day)
            for file in files
        ]
        rows += [
            _row(codec, file, record, said) for file, record, said in zip(files, own, verdicts, strict=True)
        ]
        usable = not any(record.get("error") for record in anchor)
        entries.append(
            {
                "name": codec.name,
                "family": codec.family,
                "version": codec.version,
                "settings": codec.settings,
                "model_bytes": codec.model_bytes,
                "model_date": day,
                "round_trip": ONE_WAY if isinstance(codec, CommandCodec) and codec.one_way else VERIFIED,
                "seen": {said: verdicts.count(said) for said in dict.fromkeys(verdicts)},
                "failed": len(errors),
                "error": errors[0] if errors else None,
                "total": None if errors else totals(files, own, codec.model_bytes, seed),
                "difference": None if errors or not usable else difference(own, anchor, seed),
            }
        )
    entries.sort(key=lambda entry: (entry["total"] is None, entry["total"] and entry["total"]["bytes_out"]))
    result = {
        **head(TOOL, seed=seed, chunk=chunk, reference=reference),
        "formula": FORMULA,
        "files": list(files),
        "codecs": entries,
        "records": rows,
    }
    tables = [_payload_table(result), _total_table(result), _seen_table(result)]
    if verbose:
        tables.append(_files_table(result, [codec.name for codec in codecs]))
    done = [entry for entry in entries if entry["total"] and entry["total"]["bits_per_byte"] is not None]
    return Findings(
        "Compression ratio",
        result,
        tables,
        _records_table(rows),
        _notes(result),
        functools.partial(_draw, result) if done else None,
        (11.0, 1.6 + 0.32 * max(2, len(done))),
    )


def totals(files: Sequence[Record], records: Sequence[Record], model_bytes: int, seed: int = 0) -> dict[str, Any]:
    """Return what a codec made of all files together; None where it has no meaning, as for files without a byte.

    Args:
        files: with `bytes` and `characters`.
        records: with `bytes_out`.
        model_bytes: of the codec.
        seed: of the bootstrap.
    """
    sizes = [file["bytes"] for file in files]
    outs = [record["bytes_out"] for record in records]
    size, out = sum(sizes), sum(outs)
    texts = [(file["characters"], got) for file, got in zip(files, outs, strict=True) if file["characters"]]
    letters = sum(count for count, _ in texts)
    whole = out + model_bytes
    return {
        "bytes_in": size,
        "bytes_out": out,
        "ratio": size / out if out else None,
        "bits_per_byte": 8 * out / size if size else None,
        "interval": bootstrap([8 * got for got in outs], sizes, seed=seed),
        "characters": letters,
        "text_files": len(texts),
        "bits_per_character": 8 * sum(got for _, got in texts) / letters if letters else None,
        "total_bytes": whole,
        "total_bits": 8 * whole,
        "total_ratio": size / whole if whole else None,
        "total_bits_per_byte": 8 * whole / size if size else None,
    }


def difference(records: Sequence[Record], reference: Sequence[Record], seed: int = 0) -> dict[str, Any] | None:
    """Return how many bits per byte more than the reference a codec takes on the same files, with its interval.

    Args:
        records: with `bytes_in` and `bytes_out`.
        reference: those of the other codec, for the same files in the same order.
        seed: of the bootstrap.
    """
    sizes = [record["bytes_in"] for record in records]
    more = [8 * (one["bytes_out"] - other["bytes_out"]) for one, other in zip(records, reference, strict=True)]
    if not sum(sizes):
        return None
    return {"bits_per_byte": sum(more) / sum(sizes), "interval": bootstrap(more, sizes, seed=seed)}


def _row(codec: Codec, file: Record, record: Record, said: str) -> Record:
    error = record.get("error")
    out = None if error else record["bytes_out"]
    bits = None if out is None else 8 * out
    return {
        "codec": codec.name,
        "path": file["path"],
        "bytes_in": file["bytes"],
        "characters": file["characters"],
        "bytes_out": out,
        "chunks": None if error else record["chunks"],
        "ratio": file["bytes"] / out if out else None,
        "bits_per_byte": bits / file["bytes"] if bits is not None and file["bytes"] else None,
        "bits_per_character": bits / file["characters"] if bits is not None and file["characters"] else None,
        "round_trip": None if error else VERIFIED if record["verified"] else ONE_WAY,
        "seen": said,
        "error": error,
    }


# The report


def _payload_table(result: Record) -> Table:
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


def _total_table(result: Record) -> Table:
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


def _seen_table(result: Record) -> Table:
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


def _files_table(result: Record, names: Sequence[str]) -> Table:
    by_name = {(row["codec"], row["path"]): row["bits_per_byte"] for row in result["records"]}
    columns = [Column("file"), Column("bytes", ","), Column("date"), *(Column(name, ".4f") for name in names)]
    rows = [
        [file["path"], file["bytes"], file["date"], *(by_name[name, file["path"]] for name in names)]
        for file in result["files"]
    ]
    return Table("Bits per byte, file by file", columns, rows)


def _records_table(rows: Sequence[Record]) -> Table:
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


def _notes(result: Record) -> list[str]:
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


def _draw(result: Record, figure: Any) -> None:
    """Two panels with one row for each codec: the payload with its interval, and the total with the model in it."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from nzip.evaluation.plot import INK, OURS

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
        right.set_xscale("log")
        right.set_xlim(min(values) / 2, end * (end / min(values)) ** 0.15)
        right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        right.xaxis.set_minor_formatter(NullFormatter())
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
        axes.grid(True, axis="x", color="#e6e6e6", linewidth=0.7)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    chunk = result["settings"]["chunk"]
    size = sum(file["bytes"] for file in result["files"])
    title = f"{_count(len(result['files']), 'file')}, {size:,} bytes"
    title += "" if chunk is None else f", in chunks of {chunk:,} bytes, each coded alone"
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.36 / height), w_pad=2)
    figure.text(0.012, 1 - 0.1 / height, title, ha="left", va="top", fontsize=12, fontweight="bold", color=INK)
