"""`nzip levels`: the table of levels."""

from __future__ import annotations

import click

from nzip.cli import options
from nzip.cli.output.report import Report
from nzip.cli.output.words import columns, size_text


@click.command(short_help="Show the levels: engine, block size, memory.")
@options.json_option
def command(as_json: bool) -> None:
    """Show each level's engine, its parameters, its block size, and the memory that one thread needs."""
    from nzip.settings import DEFAULT_LEVEL, levels

    report = Report("levels", as_json=as_json)
    rows = [("level", "engine", "parameters", "block", "memory/thread", "")]
    for number, level in levels().items():
        report.json(
            {
                "ok": True,
                "level": number,
                "default": number == DEFAULT_LEVEL,
                "engine": level.engine,
                "params": dict(level.params),
                "block_size": level.block_size,
                "memory": level.memory,
                "summary": level.summary,
            }
        )
        rows.append(
            (
                f"-{number}",
                level.engine,
                " ".join(f"{key}={value}" for key, value in level.params.items()),
                size_text(level.block_size),
                size_text(level.memory),
                level.summary,
            )
        )
    if not as_json:
        for line in columns(rows, left=(0, 1, 2, 5)):
            click.echo(line)
