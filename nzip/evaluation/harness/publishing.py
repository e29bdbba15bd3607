"""Where findings go: the screen, JSON, CSV, the plot and the page."""

from __future__ import annotations

import os

from nzip.errors import NzipError
from nzip.evaluation.harness.drawing import save
from nzip.evaluation.harness.findings import Echo, Findings
from nzip.evaluation.harness.outputs import Outputs, write_json
from nzip.evaluation.harness.page import write_page
from nzip.evaluation.harness.tables import write_csv


def publish(findings: Findings, outputs: Outputs, echo: Echo | None = None) -> None:
    """Write the findings where `outputs` says and print them; the figures first: who reads the tables may leave early.

    Raises:
        NzipError: a file cannot be written, or there is nothing to draw.
    """
    if outputs.json is not None:
        write_json(outputs.json, findings.result)
    if outputs.csv is not None:
        write_csv(findings.records, outputs.csv)
    if echo is not None:
        for table in findings.tables:
            for line in table.lines():
                echo(_plain(line))
            echo("")
        for note in findings.notes:
            echo(_plain(note))
    if outputs.plot is not None:
        if findings.draw is None:
            raise NzipError(f"{os.fspath(outputs.plot)}: there is nothing to draw")
        save(outputs.plot, findings.draw, size=findings.size)
    if outputs.html is not None:
        write_page(findings, outputs.html)


def _plain(line: str) -> str:
    return line.encode("utf-8", "backslashreplace").decode()
