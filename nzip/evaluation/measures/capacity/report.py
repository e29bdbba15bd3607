"""Information capacity as tables and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.evaluation.harness.drawing import INK, MARKERS, plain
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.tables import Column, Table


def findings(result: dict[str, Any], extra: Sequence[str]) -> Findings:
    settings = result["settings"]
    columns = [
        Column("model"), Column("family"), Column("from"), Column("TS, bits/token", ".3f"),
        Column("NLL, bits/token", ".3f"), Column("FLOPs/token", ".4g"), Column("log2", ".3f"), Column("IC", ".4f"),
        Column("low", ".4f"), Column("high", ".4f"), Column("IC, b = 0", ".4f"),
    ]  # fmt: skip
    rows = [
        [row["model"], row["family"], row["source"], row["ts"], row["nll"], row["flops"], row["log2_flops"],
         row["capacity"], *(row["capacity_interval"] or (None, None)), row["capacity_without_bias"]]
        for row in result["models"]
    ]  # fmt: skip
    how = "fitted: least variance inside of families" if settings["fitted"] else "given"
    tables = [Table(f"Information capacity, b = {settings['bias']:.4g} ({how})", columns, rows)]
    if len(result["families"]) < len(result["models"]):
        tables.append(
            Table(
                "Families",
                [Column("family"), Column("models", ","), Column("mean IC", ".4f"), Column("deviation", ".5f"),
                 Column("least", ".4f"), Column("most", ".4f")],
                [[row[word] for word in ("family", "models", "mean", "deviation", "least", "most")]
                 for row in result["families"]],
            )
        )  # fmt: skip
    notes = [
        *extra,
        f"Samples of {settings['length']:,} tokens at most, without their first. Capacities compare models on the same "
        "text only; rows from files are as good as the text they were measured on.",
    ]
    words = ("model", "family", "source", "ts", "nll", "flops", "log2_flops", "capacity", "capacity_without_bias")
    records = Table("", [Column(word) for word in words], [[row[word] for word in words] for row in result["models"]])

    title = "Information capacity of language models"
    return Findings(title, result, tables, records, notes, lambda figure: draw(figure, result))


def draw(figure: Any, result: dict[str, Any]) -> None:
    axes = figure.add_axes((0.1, 0.11, 0.87, 0.8))
    families = [row["family"] for row in result["families"]]
    for at, family in enumerate(families):
        own = sorted((row for row in result["models"] if row["family"] == family), key=lambda row: row["flops"])
        axes.plot([row["flops"] for row in own], [row["capacity"] for row in own], linewidth=1,
                  marker=MARKERS[at % len(MARKERS)], label=family)  # fmt: skip
        for row in own:
            axes.annotate(row["model"], (row["flops"], row["capacity"]), xytext=(5, 4), textcoords="offset points",
                          fontsize=8, color=INK)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("floating-point operations per token (log scale)")
    axes.set_ylabel(f"information capacity, b = {result['settings']['bias']:.4g}")
    axes.set_title("Information capacity", loc="left", fontsize=11.5, fontweight="bold", color=INK)
    plain(axes, hidden=())
    if len(families) > 1:
        axes.legend(frameon=False, fontsize=8.5)
