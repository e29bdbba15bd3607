"""Tables of numbers and words: as aligned text, as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nzip.evaluation.harness.outputs import AnyPath, write_text


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, and how `format` shows a number in it (`",.3f"`, or `"3 digits"` that mean
    something); text stays as it is."""

    title: str
    spec: str = ""

    def show(self, value: Any) -> str:
        """Return a cell: `-` for None."""
        if value is None:
            return "-"
        if isinstance(value, str):
            return value
        count, _, word = self.spec.partition(" ")
        return digits(value, int(count)) if word == "digits" else format(value, self.spec)


@dataclass(frozen=True)
class Table:
    """Rows of numbers and words, None where there is no value; the first column names the row."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: str = ""

    @property
    def words(self) -> list[bool]:
        """Which columns hold text, and so stand to the left, heads and cells."""
        return [
            all(isinstance(row[at], str | None) for row in self.rows) and any(row[at] is not None for row in self.rows)
            for at in range(len(self.columns))
        ]

    def lines(self) -> list[str]:
        """Return the table as text: the title, then aligned columns, numbers to the right, then the note."""
        cells = [[column.title for column in self.columns]]
        cells += [[column.show(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]
        widths = [max(len(row[at]) for row in cells) for at in range(len(self.columns))]
        words = self.words
        body = [
            "  ".join(
                cell.ljust(width) if word else cell.rjust(width)
                for cell, width, word in zip(row, widths, words, strict=True)
            ).rstrip()
            for row in cells
        ]
        return [self.title, *body, *([self.note] if self.note else [])]


def write_csv(table: Table, path: AnyPath) -> None:
    """Write a table as CSV (RFC 4180), numbers with all their digits, empty where there is none.

    Raises:
        NzipError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([column.title for column in table.columns])
    writer.writerows(table.rows)
    write_text(path, text.getvalue())


def digits(value: float, count: int = 3) -> str:
    """Return `value` with `count` digits that mean something, or all before the point: never 0.00 of what is not 0."""
    if not math.isfinite(value) or not value:
        return f"{value:g}"
    before = math.floor(math.log10(abs(float(f"{value:.{count}g}"))))  # of what is shown: 9.999 is 10.0
    return f"{value:,.{max(0, count - 1 - before)}f}"


def align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines
