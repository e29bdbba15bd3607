"""What follows from the sizes: totals, intervals, differences from a reference codec."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.commands import CommandCodec
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.journal import Record
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.statistics import bootstrap
from nzip.evaluation.measures.ratio import contamination
from nzip.evaluation.measures.ratio.report import (
    FORMULA,
    draw,
    files_table,
    payload_table,
    records_table,
    report_notes,
    seen_table,
    total_table,
)

TOOL = "nzip eval ratio"
VERIFIED, ONE_WAY = "verified", "not verified"


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
    tables = [payload_table(result), total_table(result), seen_table(result)]
    if verbose:
        tables.append(files_table(result, [codec.name for codec in codecs]))
    done = [entry for entry in entries if entry["total"] and entry["total"]["bits_per_byte"] is not None]
    return Findings(
        "Compression ratio",
        result,
        tables,
        records_table(rows),
        report_notes(result),
        functools.partial(draw, result) if done else None,
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
