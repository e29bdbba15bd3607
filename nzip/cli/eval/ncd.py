"""`nzip eval ncd`: distances by compression."""

from __future__ import annotations

import click

from nzip.cli import options
from nzip.cli.eval.study import Study, compressor_option, study_options


@click.command(short_help="Distances between files by compression, as a matrix and a tree.")
@click.argument("files", nargs=-1, type=options.ANY_PATH)
@click.option("--records", type=options.ANY_PATH, metavar="FILE", help="Compare the lines of this JSONL file instead.")
@click.option("--field", default="text", show_default=True, metavar="NAME", help="With --records: the text.")
@click.option("--name", metavar="NAME", help="With --records: the field that names a line; its number where left out.")
@compressor_option("nzip")
@click.option(
    "--kind",
    type=click.Choice(["ncd", "conditional"]),
    default="ncd",
    show_default=True,
    help="Of the concatenation, as published, or of each given the other.",
)
@study_options
def command(
    files: tuple[str, ...],
    records: str | None,
    field: str,
    name: str | None,
    compressor: str,
    kind: str,
    study: Study,
) -> None:
    """Measure how alike FILES are: what one tells a compressor of another.

    Folders stand for the files in them. The picture is the tree of average linkage.
    """
    from nzip.evaluation.measures import ncd

    if bool(files) == (records is not None):
        raise click.UsageError("Name files, or --records FILE.")
    notes: list[str] = []
    if records is not None:
        items, notes = ncd.read_records(records, field, name)
    else:
        items = ncd.read_files(files)
    with study.running() as running:
        measured = ncd.measure(items, compressor, kind, running=running)
    study.publish(ncd.findings(items, measured, compressor, notes))
