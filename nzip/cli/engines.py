"""`nzip engines`: the engines, and what they can be told."""

from __future__ import annotations

import click

from nzip.cli import options
from nzip.cli.output.report import Report
from nzip.cli.output.words import columns


@click.command(short_help="Show the engines, and the parameters they take.")
@options.json_option
def command(as_json: bool) -> None:
    """Show each engine with the parameters that -p takes: their values, what stands where one is left out, their use.

    Where nothing stands for a parameter that is left out, the engine chooses it for each block.
    """
    from nzip.registry import ENGINES

    report = Report("engines", as_json=as_json)
    rows = [("engine", "parameter", "values", "default", "")]
    for name in ENGINES:
        engine = ENGINES.by_name(name)
        if not engine.offered:
            continue
        summary = (engine.__doc__ or "").partition("\n")[0]
        report.json(
            {
                "ok": True,
                "engine": name,
                "version": engine.version,
                "summary": summary,
                "params": [
                    {"name": p.name, "values": p.range, "default": p.default, "help": p.help} for p in engine.parameters
                ],
            }
        )
        rows.append((name, "", "", "", summary))
        rows += [("", p.name, p.range, "" if p.default is None else str(p.default), p.help) for p in engine.parameters]
    if not as_json:
        for line in columns(rows, left=(0, 1, 2, 4)):
            click.echo(line)
