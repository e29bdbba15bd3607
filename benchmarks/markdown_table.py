"""How the tables of the documents are written: for `report.py` and those that make tables for it."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Return a Markdown table; the first row is its head, all columns but those of `left` are aligned right."""
    head, *body = rows
    rule = ["---" if column in left else "---:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


def bold(name: str, text: str) -> str:
    """Mark nzip's rows."""
    return f"**{text}**" if name.startswith("nzip") else text
