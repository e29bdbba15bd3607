"""`nzip prepare`: compile everything ahead."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nzip.cli import options
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.report import Report
from nzip.cli.output.words import seconds_text, shown, size_text

if TYPE_CHECKING:
    from nzip.codec.prepare import Step


@click.command(short_help="Compile everything ahead: for images and read-only installations.")
@click.option(
    "--dir", "folder", metavar="DIR", type=click.Path(path_type=Path),
    help="Keep the machine code in DIR; nzip finds it there if NZIP_CACHE_DIR names DIR.",
)  # fmt: skip
@options.quiet_option
@options.verbose_option
@options.json_option
def command(folder: Path | None, quiet: bool, verbose: int, as_json: bool) -> None:
    """Compile all kernels for this machine, and keep them, so that nothing is compiled later.

    Without --dir the place is the first of these that can be written: the folder that NZIP_CACHE_DIR names, the
    installed package's own, the user's cache. What is there and good stays. Nothing else is needed, no network either.
    """
    from nzip.codec import prepare
    from nzip.entropy import jit

    report = Report("prepare", quiet=quiet, verbose=verbose, as_json=as_json)
    places = [folder] if folder is not None else [place.path for place in jit.folders() if not place.private]
    chosen, reasons = _writable(places)
    if chosen is None:
        raise click.ClickException(f"{reasons[0]}; name another folder with --dir, and set NZIP_CACHE_DIR to it")
    names: list[str] = []
    began = time.monotonic()
    with jit.only(chosen), jit.compiling(names.append):
        for step in prepare.steps() + _more():
            if verbose or on_terminal(sys.stderr):
                report.line(f"nzip: {step.name}: compiling what is not there …")
            step.run()
    files = [path for path in chosen.iterdir() if path.suffix == ".nzk"]
    size = sum(path.stat().st_size for path in files)
    values = {"ok": True, "folder": os.fspath(chosen), "compiled": len(names), "files": len(files), "size": size}
    report.json(values)
    seconds = seconds_text(time.monotonic() - began)
    kept = f"{len(files):,} files, {size_text(size)}"
    report.line(f"{shown(chosen)}: {kept}; {len(names):,} kernels compiled in {seconds}")
    if folder is not None and os.environ.get("NZIP_CACHE_DIR") != os.fspath(folder):
        report.line(f"set NZIP_CACHE_DIR={shown(folder.absolute())} where nzip runs")


def _more() -> list[Step]:
    """The steps of what only measures."""
    from nzip.codec.prepare import Step

    return [Step("eval kolmogorov", _search)]


def _search() -> None:
    import numpy as np

    from nzip.evaluation.measures.kolmogorov import segments
    from nzip.evaluation.measures.kolmogorov.search import search

    search([*range(40), 7, 7, 9, *range(40)])
    segments.echoes(np.arange(12), np.zeros(12, np.int64), np.zeros((12, 2), np.int64))  # of long lists alone


def _writable(places: list[Path]) -> tuple[Path | None, list[str]]:
    """Return the first place that can be written, and why those before it cannot."""
    from nzip.cli.output.errors import describe

    reasons: list[str] = []
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            reasons.append(describe(error, os.fspath(place)))
        else:
            return place, reasons
    return None, reasons

