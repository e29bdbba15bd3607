"""`nzip decompress`: FILE.nz to FILE, DIR.tar.nz to the directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from nzip.cli import options
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.progress import watch
from nzip.cli.output.report import Report

if TYPE_CHECKING:
    from nzip.codec.files.results import FileResult


@click.command(cls=options.Command, short_help="Restore files and directories.")
@options.files_argument
@options.output_option("Write to this file or directory, or into it when it is a directory; - for stdout.")
@options.stdout_option
@options.removal_option
@options.force_option("read from a terminal; with -c, give what is no nzip file as it is.")
@click.option(
    "-N", "--name", "restore", is_flag=True, help="Restore the stored name, mode and time; a directory's own name."
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATH",
    help="Of every FILE extract only this path, as nzip list --files shows it, or pattern. Can be repeated.",
)
@click.option("--no-extract", is_flag=True, help="Give the tar archive of a packed directory as it is.")
@click.option(
    "--outside-links", is_flag=True, help="Extract symbolic links that lead outside of the directory as well."
)
@click.option(
    "--strip", is_flag=True, help="Of lossy pictures and sounds, leave out what the output's format does not hold."
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Go on after damage: zeros stand for what is lost, and a report says what. A directory comes as its archive.",
)
@click.option("--gaps", is_flag=True, help="With --keep-going: leave out what is lost.")
@click.option(
    "--unplaced",
    is_flag=True,
    help="With --keep-going: give as well what is found behind damage and may not belong there.",
)
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
    output: str | None,
    to_stdout: bool,
    remove: bool,
    force: bool,
    restore: bool,
    only: tuple[str, ...],
    no_extract: bool,
    outside_links: bool,
    strip: bool,
    keep_going: bool,
    gaps: bool,
    unplaced: bool,
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
    """Restore each FILE.nz to FILE and keep it. Without FILE, or for -, restore stdin to stdout.

    A packed directory is extracted beside its archive, DIR.tar.nz as DIR, or to where -o says. With -c and -f together,
    what is no nzip file is given as it is.

    What follows an archive of a directory and does not end in .nz is a PATH in it: nzip decompress DIR.tar.nz
    DIR/sub '*.txt' extracts those alone, under their paths, beside the archive or in the directory that -o names; with
    -c, the contents of files go to stdout. Only the blocks that hold them are decoded.
    """
    from nzip.codec.files.decompress import decompress_file
    from nzip.codec.files.names import decompressed_name
    from nzip.codec.files.restored import read_header
    from nzip.codec.files.targets import Run
    from nzip.codec.files.trees.extract import extract_tree
    from nzip.codec.files.trees.some import extract_some, give_some
    from nzip.errors import NzipError

    if gaps and not keep_going:
        raise click.UsageError("--gaps goes with --keep-going; add that")
    if unplaced and not keep_going:
        raise click.UsageError("--unplaced goes with --keep-going; add that")
    if keep_going and remove:
        raise click.UsageError("--rm does not go with --keep-going: the damaged file is all there is")
    files, inside = _split(options.inputs(files), only)
    if inside and (remove or keep_going or no_extract or restore):
        word = "--rm" if remove else "--keep-going" if keep_going else "--no-extract" if no_extract else "-N"
        raise click.UsageError(f"{word} is for whole archives, and does not go with paths in one")
    goal = options.Destination(files, output, to_stdout, as_json=as_json, remove=remove)
    if "-" in files and not force and on_terminal(options.stdin()):
        raise click.ClickException("stdin: is a terminal, and compressed data is not read from it; name a file")
    report = Report("decompress", quiet=quiet, verbose=verbose, as_json=as_json, bar=not no_progress)
    settings: dict[str, Any] = {
        "threads": threads,
        "max_memory": memory,
        "restore": restore,
        "remove": remove,
        "force": force,
        "run": Run(file for file in files if file != "-"),
    }
    beside = options.known(like, primer)
    options.know_records(records)
    damage: dict[str, Any] = {"lost": "gaps" if gaps else "zeros", "unplaced": unplaced} if keep_going else {}

    def watched(file: str, work: Callable[..., FileResult], *places: Any, **more: Any) -> FileResult:
        """Do the work on a file, and show how far it is."""
        return watch(
            lambda tally: work(*places, progress=tally, prepare=report.preparing(tally), **settings, **more),
            label=os.path.basename(file),
            bar=report.bar,
        )

    def some(file: str, paths: tuple[str, ...]) -> None:
        """Extract paths of an archive."""
        common: dict[str, Any] = {"max_memory": memory, **beside}
        if not goal.to_stdout:
            common |= {"outside_links": outside_links, "force": force, "run": settings["run"]}
        place: Any = options.stdout() if goal.to_stdout else goal.folder or goal.file
        result = watch(
            lambda tally: (give_some if goal.to_stdout else extract_some)(
                file, paths, place, progress=tally, prepare=report.preparing(tally), **common
            ),
            label=os.path.basename(file),
            bar=report.bar,
        )
        report.result(file, result, compressing=False, to_stdout=goal.to_stdout)

    def one(file: str) -> None:
        if paths := inside.get(file):
            some(file, paths)
            return
        source: Any = options.stdin() if file == "-" else file
        path = goal.file
        if file != "-" and not goal.to_stdout:
            header = None
            with contextlib.suppress(NzipError) if keep_going else contextlib.nullcontext():
                header = read_header(file)
            if header is not None and header.kind == "tar" and not (no_extract or keep_going):
                places = {"folder": goal.folder, "outside_links": outside_links, **beside}
                report.result(file, watched(file, extract_tree, file, goal.file, **places), compressing=False)
                return
            path = path or goal.of(decompressed_name(file, header if restore else None))
        target: Any = options.stdout() if path is None else path
        more = {"strip": strip, "pass_through": goal.to_stdout and force, **damage, **beside}
        result = watched(file, decompress_file, source, target, **more)
        report.result(file, result, compressing=False, to_stdout=path is None)
        if keep_going:
            report.lost(file, result.faults)

    report.each(files, one)


def _split(files: tuple[str, ...], only: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return the files, and for each of which not all is asked for the paths in it.

    Raises:
        UsageError: stdin is among them.
    """
    from nzip.codec.files.names import SUFFIX

    named: list[str] = []
    inside: dict[str, tuple[str, ...]] = {}
    for file in files:
        if file != "-" and not file.endswith(SUFFIX) and named and _is_archive(named[-1]):
            inside[named[-1]] = (*inside.get(named[-1], ()), file)
        else:
            named.append(file)
    if only:
        inside = {file: (*inside.get(file, ()), *only) for file in named}
    if "-" in inside:
        raise click.UsageError("single paths are read here and there, which stdin does not allow; name a file")
    return tuple(named), inside


def _is_archive(file: str) -> bool:
    """Whether a file holds an archive of files, as its name or its header says."""
    from nzip.codec.files.names import TREE_SUFFIX
    from nzip.codec.files.restored import read_header
    from nzip.errors import NzipError

    if file == "-" or file.endswith(TREE_SUFFIX):
        return file != "-"
    with contextlib.suppress(NzipError, OSError):
        return read_header(file).kind == "tar"
    return False
