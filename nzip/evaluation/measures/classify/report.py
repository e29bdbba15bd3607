"""The scores of classification as tables, JSON, CSV and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.evaluation.harness.drawing import INK, OURS, PEER, logarithmic, plain
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.provenance import head
from nzip.evaluation.harness.tables import Column, Table, digits


def findings(measured: dict[str, Any], name: str, seed: int, notes: Sequence[str] = (), **settings: Any) -> Findings:
    """Return the scores as tables, JSON, CSV and a picture.

    Args:
        measured: what `classify` returned.
        name: what was classified.
        seed: that of the split.
        notes: on what was left out.
        settings: for the result's head.
    """
    result = {**head("nzip eval classify", seed=seed, **settings), "name": name, **measured}
    columns = [
        Column("method"), Column("rule"), Column("accuracy", ".4f"), Column("from", ".4f"), Column("to", ".4f"),
        Column("macro-F1", ".4f"), Column("ties", ","), Column("if ties were right", ".4f"),
        Column("CPU s", "3 digits"),
    ]  # fmt: skip
    fields = ("method", "rule", "accuracy", "low", "high", "macro_f1", "ties", "optimistic", "cpu_s")
    rows = [[row[key] for key in fields] for row in measured["methods"]]
    kinds = [kind["name"] for kind in measured["classes"]]
    best = max(measured["methods"], key=lambda row: row["accuracy"])
    tables = [
        Table(
            f"Classes of {name}: {measured['split']['test']:,} test items, {measured['split']['train']:,} for training",
            columns,
            rows,
            "from, to: 95 % (Wilson). CPU s: of one core, for training and test together.",
        ),
        Table(
            f"Classes found (columns) for true ones (rows): {best['method']}, {best['rule']}",
            [Column("true"), *(Column(kind, ",") for kind in kinds)],
            [[kind, *row] for kind, row in zip(kinds, best["confusion"], strict=True)],
        ),
    ]
    ways = [f"{row['method']}, {row['rule']}" for row in measured["methods"]]
    records = Table(
        "Items",
        [Column("item"), Column("group"), Column("truth"), *map(Column, ways)],
        [[row["item"], row["group"], row["truth"], *row["found"]] for row in measured["found"]],
    )
    said = [
        f"{measured['test_items_also_in_training']:,} test items are, byte for byte, training items as well.",
        "Ties of votes go to the smaller sum of distances, then to the nearest voter's class.",
        *notes,
    ]
    return Findings(
        f"Classes by compression: {name}",
        result,
        tables,
        records,
        said,
        lambda figure: draw(figure, measured["methods"], f"Classes by compression: {name}"),
        (10.0, max(2.6, 1.2 + 0.32 * len(rows))),
    )


def draw(figure: Any, methods: Sequence[dict[str, Any]], title: str) -> None:
    """Draw accuracy with its interval, and seconds, a line for each method."""
    left, right = figure.subplots(1, 2, sharey=True)
    left.set_title(title, loc="left", fontsize=11, color=INK)
    y = list(range(len(methods)))
    ours = [(row["compressor"] or {"version": ""})["version"].startswith("nzip") for row in methods]
    colours = [OURS if own else PEER for own in ours]
    for at, row in enumerate(methods):
        left.plot([row["low"], row["high"]], [at, at], color=colours[at], linewidth=1.5)
    left.scatter([row["accuracy"] for row in methods], y, color=colours, zorder=3)
    left.set_yticks(y, [f"{row['method']}, {row['rule']}" for row in methods], fontsize=8)
    left.set_ylim(len(methods) - 0.4, -0.6)
    left.set_xlabel("accuracy, 95 %")
    # Dots: a bar on a logarithmic scale has no foot, and its length would say nothing.
    seconds = [max(row["cpu_s"], 1e-3) for row in methods]
    right.scatter(seconds, y, color=colours, zorder=3)
    logarithmic(right, ticks=(), spec=",g")
    right.set_xlim(min(seconds) / 2, max(seconds) * 4)
    for at, row in enumerate(methods):
        right.annotate(digits(row["cpu_s"]), (seconds[at], at), xytext=(7, 0), textcoords="offset points", va="center",
                       fontsize=8, color=INK)  # fmt: skip
    right.set_xlabel("CPU seconds (log scale)")
    for axes in (left, right):
        plain(axes, grid="x")
    figure.tight_layout()
