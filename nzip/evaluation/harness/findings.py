"""What a measure found, ready to be shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nzip.evaluation.harness.tables import Table

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Findings:
    """What a measure found, ready to be shown.

    Attributes:
        title: of the page.
        result: what is written as JSON; begins with `head`.
        tables: printed, and on the page.
        records: one row for each thing measured, as CSV.
        notes: printed below the tables: protocol, what is counted, what was left out.
        draw: fills a matplotlib figure; None where there is nothing to draw.
        size: width and height of the figure in inches.
    """

    title: str
    result: dict[str, Any]
    tables: Sequence[Table]
    records: Table
    notes: Sequence[str] = ()
    draw: Callable[[Any], None] | None = None
    size: tuple[float, float] = (9.0, 5.6)
