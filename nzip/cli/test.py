"""`nzip test`: decode everything, write nothing."""

from __future__ import annotations

import os
from typing import Any

import click

from nzip.cli import options
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.progress import watch
from nzip.cli.output.report import Report


@click.command(cls=options.Command, short_help="Check files without writing anything.")
@options.files_argument
@options.beside_read
@options.records_read
@options.threads_option
@options.memory_option("Refuse files that need more memory than this (2G where left out).")
@options.quiet_option
@options.verbose_option
@options.progress_option
@options.json_option
def command(
    files: tuple[str, ...],
    like: str | None,
    primer: str | None,
    records: str | None,
    threads: int,
    memory: int | None,
    quiet: bool,
    verbose: int,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Decode each FILE (stdin without FILE, or for -), compare it with its checks, and write nothing."""
    from nzip.codec.files.decompress import test_file

    files = options.inputs(files)
    if "-" in files and on_terminal(options.stdin()):
        raise click.ClickException("stdin: is a terminal, and compressed data is not read from it; name a file")
    beside = options.known(like, primer)
    options.know_records(records)
    report = Report("test", quiet=quiet, verbose=verbose, as_json=as_json, bar=not no_progress)

    def one(file: str) -> None:
        source: Any = options.stdin() if file == "-" else file
        result = watch(
            lambda tally: test_file(
                source,
                threads=threads,
                max_memory=memory,
                progress=tally,
                prepare=report.preparing(tally),
                **beside,
            ),
            label=os.path.basename(file),
            bar=report.bar,
        )
        report.result(file, result, compressing=False)

    report.each(files, one)
