"""`nzip corpora`: the public test corpora."""

from __future__ import annotations

import click

from nzip.cli import HelpfulGroup, choices, options
from nzip.cli.output.lines import FAILED
from nzip.cli.output.report import Report
from nzip.cli.output.words import columns, shown


@click.group(cls=HelpfulGroup, short_help="List, fetch and verify the public test corpora.")
def command() -> None:
    """List, fetch and verify the public corpora that compressors are measured on. None is part of nzip."""


dest_option = click.option(
    "--dest",
    type=options.ANY_PATH,
    default="corpora-data",
    show_default=True,
    help="The folder that holds a folder for each corpus.",
)


@command.command("list")
@options.verbose_option
@options.json_option
def list_command(verbose: int, as_json: bool) -> None:
    """List the corpora: files, bytes, and with -v home and terms."""
    from nzip.evaluation.data.corpora.manifest import list_corpora

    report = Report("corpora list", as_json=as_json)
    found = list_corpora()
    for entry in found:
        report.json({"ok": True, **entry})
    if as_json:
        return
    rows = [("name", "files", "bytes", "title")]
    rows += [(entry["name"], f"{entry['files']:,}", f"{entry['bytes']:,}", entry["title"]) for entry in found]
    for number, line in enumerate(columns(rows, left=(0, 3))):
        click.echo(line)
        if verbose and number:
            entry = found[number - 1]
            for key in ("description", "home", "terms"):
                click.echo(f"    {key}: {entry[key]}")


@command.command("fetch")
@click.argument("names", nargs=-1, required=True, shell_complete=choices.corpora)
@dest_option
@click.option(
    "--source", type=options.ANY_PATH, help="Take the files, or the archives, from this folder; download nothing."
)
@options.quiet_option
def fetch_command(names: tuple[str, ...], dest: str, source: str | None, quiet: bool) -> None:
    """Bring the corpora NAMES to the folder --dest and check them."""
    from nzip.evaluation.data.corpora.fetching import fetch

    report = Report("corpora fetch", quiet=quiet)
    fetch(names, dest, source=source, echo=report.line)


@command.command("verify")
@click.argument("names", nargs=-1, shell_complete=choices.corpora)
@dest_option
@options.quiet_option
@options.json_option
def verify_command(names: tuple[str, ...], dest: str, quiet: bool, as_json: bool) -> None:
    """Check the corpora NAMES (all where left out) below the folder --dest.

    A file that is damaged or missing makes the exit status 1. `unverified` means that its size is right and that
    nobody has a hash to compare it with.
    """
    from nzip.evaluation.data.corpora.copies import verify

    report = Report("corpora verify", quiet=quiet, as_json=as_json)
    rows = verify(names, dest, echo=lambda text: None if as_json or quiet else click.echo(shown(text)))
    for row in rows:
        report.json({"ok": row["status"] in ("ok", "unverified"), **row})
    if any(row["status"] not in ("ok", "unverified") for row in rows):
        raise click.exceptions.Exit(FAILED)
