"""`nzip primer`: primers of one's own, made of samples."""

from __future__ import annotations

import click

from nzip.cli import HelpfulGroup, options
from nzip.cli.output.words import shown

SHOWN = 3  # samples that an error names


@click.group(cls=HelpfulGroup, short_help="Make primers of your own, which short records begin behind.")
def command() -> None:
    """Make primers of your own: texts that engines have read before the first byte of each record."""


@command.command(cls=options.Command, short_help="Make a primer of samples.")
@click.argument("samples", nargs=-1, required=True, type=options.ANY_PATH, metavar="SAMPLES...")
@click.option("-o", "--output", type=options.ANY_PATH, required=True, help="Write the primer to this file.")
@click.option(
    "--size",
    type=options.Size(256, 16 << 20),
    default="112K",
    show_default=True,
    help="Bytes of text in the primer, at most; its file holds them compressed.",
)
@click.option("--lines", is_flag=True, help="Each line of the samples is a record.")
@options.force_option()
@options.quiet_option
def make(samples: tuple[str, ...], output: str, size: int, lines: bool, force: bool, quiet: bool) -> None:
    """Make a primer of SAMPLES: files of one record each, directories of such, or with --lines files of many.

    Compress and decompress records with --primer FILE then, or with primer= in Python.
    """
    from nzip.codec.files.targets import refuse_existing
    from nzip.codec.primers import make_primer, records
    from nzip.errors import FileError
    from nzip.outputs import write_bytes

    refuse_existing(output, force=force)
    try:
        data = make_primer(records(samples, lines=lines), size)
    except ValueError as error:
        raise FileError(", ".join(samples[:SHOWN]) + " …" * (len(samples) > SHOWN), str(error)) from None
    write_bytes(output, data)
    if not quiet:
        click.echo(f"{shown(output)}: {len(data):,} bytes")
