"""What the KoLMogorov test shows: tables, records, picture, and the files of questions and outcomes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nzip.evaluation.harness.drawing import plain
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.outputs import AnyPath, write_text
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.tables import Column, Table
from nzip.evaluation.measures.kolmogorov.answers import FAILURES, RIGHT, WRONG, Outcome
from nzip.evaluation.measures.kolmogorov.coders import coder
from nzip.evaluation.measures.kolmogorov.evaluate import Result
from nzip.evaluation.measures.kolmogorov.score import ALL
from nzip.evaluation.measures.kolmogorov.solvers import request
from nzip.evaluation.measures.kolmogorov.sources import Modality

OWN = "programs that made it, DSL uniform"


def findings(result: Result, *, seed: int, **settings: Any) -> Findings:
    """Return the tables, the records and the picture of a run."""
    tables = [table for table in (baseline_table(result), answer_table(result), score_table(result)) if table.rows]
    return Findings(
        title="KoLMogorov test",
        result={**head("eval kolmogorov", seed=seed, **settings), **_result(result)},
        tables=tables,
        records=_records(result),
        notes=_notes(result),
        draw=lambda figure: _draw(figure, result),
        size=(9.5, 5.6),
    )


def _with_model(size: int, codec: str) -> int:
    return size + coder(codec).model_bytes


def baseline_table(result: Result) -> Table:
    """Return the table of compressors: rows of codecs, columns of modalities; DNA in bytes as well."""
    columns = [Column("compressed / uncompressed")]
    for modality in result.modalities:
        columns.append(Column(modality.title, ".4f"))
        if modality.bits < 8:
            columns.append(Column(f"{modality.title} as bytes", ".4f"))
    by_name: dict[tuple[str, str], dict[str, int]] = {}
    for entry in result.baselines:
        by_name.setdefault((entry.codec, entry.form), {})[entry.modality] = entry.size
    rows: list[list[Any]] = []

    def add(title: str, sizes: Mapping[str, float]) -> None:
        row: list[Any] = [title]
        for modality in result.modalities:
            size = sizes.get(modality.key)
            row.append(None if size is None else 8 * size / modality.raw_bits)
            if modality.bits < 8:
                row.append(None if size is None else size / len(modality.data))
        rows.append(row)

    tried = [name for name, form in by_name if name.startswith("PPMd")]
    for (codec, form), sizes in by_name.items():
        if codec in tried:
            if codec == tried[0]:
                add("best PPMd", {key: min(by_name[name, form][key] for name in tried) for key in sizes})
            continue
        suffix = {"whole": "", "released": ", joined as released", "pieces": ", each alone"}[form]
        add(codec + suffix, sizes)
        if coder(codec).model_bytes:
            add(f"{codec}{suffix} + model", {key: _with_model(size, codec) for key, size in sizes.items()})
    own = {modality.key: modality.own_bits for modality in result.modalities if modality.programs}
    if own and rows:
        add(OWN, {key: bits / 8 for key, bits in own.items() if bits is not None})
    note = "+ model: with the bytes of data that nzip has beside its program, counted once."
    if tried:
        orders = ", ".join(name.rpartition("o")[2] for name in tried)
        note += f" Best PPMd: the smallest of orders {orders}."
    return Table("Compressors", columns, rows, note)


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how many sequences came to what: RIGHT, WRONG, then the FAILURES that there were."""
    found = Counter(outcome.status for outcome in outcomes)
    return {RIGHT: found[RIGHT], WRONG: found[WRONG], **{kind: found[kind] for kind in FAILURES if found[kind]}}


def answer_table(result: Result) -> Table:
    """Return what became of the programs, a row for each modality."""
    kinds = [kind for kind in FAILURES if any(kind in counts(list_) for list_ in result.outcomes.values())]
    columns = [Column("programs"), Column("sequences", ",d"), Column("accuracy", ".4f"), Column(RIGHT, ",d")]
    columns += [Column("ran, but wrong", ",d"), *(Column(kind, ",d") for kind in kinds)]
    rows = []
    for modality in result.modalities:
        if modality.key in result.outcomes:
            found = counts(result.outcomes[modality.key])
            total = len(result.outcomes[modality.key])
            row = [modality.title, total, found[RIGHT] / total, found[RIGHT], found[WRONG]]
            rows.append([*row, *(found.get(kind, 0) for kind in kinds)])
    return Table(f"Programs of {result.solver.name if result.solver else 'nobody'}", columns, rows)


def score_table(result: Result) -> Table:
    """Return the rates, a row for each modality, prior and choice."""
    columns = [
        Column("rates"), Column("prior"), Column("rest"), Column("used"), Column("programs", ",d"),
        Column("program bits", ",.0f"), Column("sequence bits", ",.0f"), Column("flag bits", ",d"),
        Column("rate", ".4f"), Column("flags gzipped", ".4f"), Column("+ model", ".4f"), Column("precision", ".4f"),
    ]  # fmt: skip
    titles = {modality.key: modality.title for modality in result.modalities}
    rows = [
        [titles[s.modality], s.prior, s.rest, s.choose, s.used, s.program_bits, s.sequence_bits, s.flag_bits, s.rate,
         s.rate_gzip_flags, s.rate_with_model if s.model_bytes else None, s.precision]
        for s in result.scores
    ]  # fmt: skip
    note = "prior: codes programs; rest: codes sequences without one. used: all right programs, or the best of them."
    return Table("Compression rates", columns, rows, note)


def _result(result: Result) -> dict[str, Any]:
    modalities = []
    for modality in result.modalities:
        entry: dict[str, Any] = {"modality": modality.key, "symbols": len(modality.data), "bits": modality.bits}
        entry |= {"length": modality.length, "sequences": len(modality.sequences), "sha256": modality.sha256}
        if modality.programs:
            entry["own_program_bits"] = modality.own_bits
        modalities.append(entry | {"files": list(modality.files), "notes": list(modality.notes)})
    by_key = {modality.key: modality for modality in result.modalities}
    baselines = []
    for found in result.baselines:
        used, raw = coder(found.codec), by_key[found.modality].raw_bits
        entry = {"modality": found.modality, "codec": found.codec, "form": found.form, "version": used.version}
        entry |= {"settings": used.settings, "bytes": found.size, "rate": 8 * found.size / raw}
        if used.model_bytes:
            counted = 8 * _with_model(found.size, found.codec)
            entry |= {"model_bytes": used.model_bytes, "rate_with_model": counted / raw}
        baselines.append(entry)
    programs = []
    for key, outcomes in result.outcomes.items():
        programs.append({"modality": key, "sequences": len(outcomes), "outcomes": counts(outcomes)})
    scores = []
    for s in result.scores:
        entry = {"modality": s.modality, "prior": s.prior, "rest": s.rest, "choose": s.choose, "used": s.used}
        entry |= {"program_bits": s.program_bits, "sequence_bits": s.sequence_bits, "flag_bits": s.flag_bits}
        entry |= {"flag_gzip_bits": s.flag_gzip_bits, "raw_bits": s.raw_bits, "precision": s.precision}
        entry |= {"rate": s.rate, "rate_gzip_flags": s.rate_gzip_flags}
        scores.append(entry | ({"rate_with_model": s.rate_with_model} if s.model_bytes else {}))
    solver = None if result.solver is None else {"kind": result.solver.kind, "name": result.solver.name}
    out = {"modalities": modalities, "baselines": baselines, "solver": solver, "programs": programs, "scores": scores}
    return out | {"sandbox": list(result.layers), "notes": _notes(result)}


def _records(result: Result) -> Table:
    titles = ("modality", "kind", "name", "rest", "choose", "bits", "rate", "rate + model")
    rows: list[list[Any]] = []
    by_key = {modality.key: modality for modality in result.modalities}
    for found in result.baselines:
        raw = by_key[found.modality].raw_bits
        bits, counted = 8 * found.size, 8 * _with_model(found.size, found.codec)
        rows.append([found.modality, found.form, found.codec, None, None, bits, bits / raw, counted / raw])
    for s in result.scores:
        rows.append([s.modality, "programs", s.prior, s.rest, s.choose, s.bits, s.rate, s.rate_with_model])
    return Table("KoLMogorov test", [Column(title) for title in titles], rows)


def _notes(result: Result) -> list[str]:
    notes = ["rate: bits over bits uncompressed, less is better; DNA takes 3 bits a symbol uncompressed."]
    if result.solver is not None:
        notes.append("A program counts only if it gives its sequence; a bit for each sequence says which it is.")
        notes += result.solver.notes
    if result.layers:
        notes.append(f"Python programs ran behind: {', '.join(result.layers)}.")
    for modality in result.modalities:
        notes += [f"{modality.title}: {note}" for note in modality.notes]
    return notes


def _draw(figure: Any, result: Result) -> None:
    """Draw the rates as bars, a group for each modality, nzip's and the programs' in colour."""
    bars: dict[str, dict[str, float]] = {}
    raw = {modality.key: modality.raw_bits for modality in result.modalities}
    for found in result.baselines:
        if found.form == "whole":
            name = "best PPMd" if found.codec.startswith("PPMd") else found.codec
            rates = bars.setdefault(name, {})
            rate = 8 * found.size / raw[found.modality]
            rates[found.modality] = min(rate, rates.get(found.modality, rate))
    for s in result.scores:
        if s.choose == ALL:
            prior = s.prior if s.rest == s.prior else f"{s.prior}, {s.rest}"
            bars.setdefault(f"programs, {prior}", {})[s.modality] = s.rate
    axes = figure.add_subplot()
    groups = [modality.key for modality in result.modalities]
    width = 0.84 / max(1, len(bars))
    greys, blues, reds = ("#c8c8c8", "#a4a4a4", "#808080", "#5c5c5c"), (0.35, 0.95), (0.4, 0.95)
    names = list(bars)
    kinds = {name: "nzip" if name.startswith("nzip") else "p" if name.startswith("programs") else "" for name in names}
    import matplotlib

    for index, name in enumerate(names):
        same = [other for other in names if kinds[other] == kinds[name]]
        place = same.index(name) / max(1, len(same) - 1) if len(same) > 1 else 1.0
        if not kinds[name]:
            colour: Any = greys[same.index(name) % len(greys)]
        else:
            map_name, (low, high) = ("Blues", blues) if kinds[name] == "nzip" else ("Oranges", reds)
            colour = matplotlib.colormaps[map_name](low + (high - low) * place)
        at = [group + (index - (len(names) - 1) / 2) * width for group in range(len(groups))]
        values = [bars[name].get(key, 0.0) for key in groups]
        axes.bar(at, values, width * 0.92, color=colour, label=name)
    axes.axhline(1, color="#999999", linewidth=0.8, linestyle="--")
    axes.set_xticks(range(len(groups)), [modality.title for modality in result.modalities])
    axes.set_ylabel("share of the bits that is left (less is better)")
    plain(axes, grid="")
    axes.set_title("KoLMogorov test: compression rates", loc="left", fontsize=11.5)
    # A few columns, over the figure's whole width: long names would leave it otherwise.
    figure.legend(frameon=False, fontsize=8.5, ncols=3, loc="lower center")
    figure.tight_layout(rect=(0, 0.03 + 0.035 * -(-len(names) // 3), 1, 1))


def write_export(path: AnyPath, modalities: Sequence[Modality]) -> int:
    """Write what a solver is asked about each sequence, as JSON lines; return how many.

    Raises:
        NzipError: it cannot be written.
    """
    lines = [
        json.dumps(request(modality, at, sequence))
        for modality in modalities
        for at, sequence in enumerate(modality.sequences)
    ]
    write_text(path, "".join(line + "\n" for line in lines))
    return len(lines)


def write_outcomes(path: AnyPath, result: Result) -> None:
    """Write what became of each sequence, as JSON lines: id, outcome, detail, program, language.

    Raises:
        NzipError: it cannot be written.
    """
    lines = []
    for key, outcomes in result.outcomes.items():
        for at, outcome in enumerate(outcomes):
            entry = {"id": f"{key}:{at}", "outcome": outcome.status, "detail": outcome.detail}
            lines.append(json.dumps(entry | {"program": outcome.program, "language": outcome.language}) + "\n")
    write_text(path, "".join(lines))
