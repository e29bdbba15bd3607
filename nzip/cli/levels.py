"""`nzip levels`: the table of levels."""

from __future__ import annotations

import click

from nzip.cli import options
from nzip.cli.output.report import Report
from nzip.cli.output.words import columns, size_text


@click.command(short_help="Show the levels: engine, block size, memory.")
@options.json_option
def command(as_json: bool) -> None:
    """Show each level's engines with their parameters, its block size, and the memory that one thread needs.

    Of several engines the first that suits a block's content is tried first. See nzip engines for what they take.
    """
    from nzip.settings import DEFAULT_LEVEL, levels

    report = Report("levels", as_json=as_json)
    rows = [("level", "engine", "block", "memory/thread", "")]
    for number, level in levels().items():
        report.json(
            {
                "ok": True,
                "level": number,
                "default": number == DEFAULT_LEVEL,
                "engines": [{"engine": name, "params": dict(params)} for name, params in level.engines],
                "block_size": level.block_size,
                "memory": level.memory,
                "summary": level.summary,
            }
        )
        rows.append(
            (
                f"-{number}",
                level.words,
                size_text(level.block_size),
                size_text(level.memory),
                level.summary,
            )
        )
    if not as_json:
        for line in columns(rows, left=(0, 1, 4)):
            click.echo(line)
