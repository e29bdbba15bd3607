"""`nzip compress`: files to FILE.nz, directories to DIR.tar.nz."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from nzip.cli import options
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.progress import Tally, watch
from nzip.cli.output.report import Report
from nzip.errors import FileError

if TYPE_CHECKING:
    from nzip.codec.files.results import FileResult


@click.command(cls=options.LeveledCommand, short_help="Compress files, or directories with -r.")
@options.files_argument
@options.level_options
@options.output_option("Write to this file, or into this directory when it exists; - for stdout.")
@options.stdout_option
@options.removal_option
@options.force_option("compress what ends in .nz; write compressed data to a terminal.")
@click.option("-r", "--recursive", is_flag=True, help="Pack each directory as one DIR.tar.nz.")
@click.option("-N", "--name", "store_name", is_flag=True, help="Store the file's name, mode and time in the output.")
@click.option(
    "--verify/--no-verify",
    default=None,
    cls=options.Pair,
    off_help="Do not decode the blocks, with engine lm too.",
    help="Decode every block after it was encoded, and store those that fail. Engine lm does unless told not to.",
)
@click.option(
    "--searchable/--not-searchable",
    default=None,
    cls=options.Pair,
    off_help="Write no table of a text's words and times for nzip grep.",
    help="Write a table of a text's words and times for nzip grep, whatever it costs. From level 2 on, large texts "
    "have one that is at most a hundredth of the file.",
)
@options.threads_option
@options.memory_option("Use at most this much memory: fewer threads, or an error.")
@options.block_size_option
@options.engine_options
@options.records_written
@click.option(
    "--window-bits",
    type=click.IntRange(256, 1 << 26),
    metavar="N",
    help="With an engine that can, as lm: cut blocks of about N bits of output each, for random access at equal cost.",
)
@options.beside_written
@options.lossy_options
@options.quiet_option
@options.verbose_option
@options.progress_option
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    output: str | None,
    to_stdout: bool,
    remove: bool,
    force: bool,
    recursive: bool,
    store_name: bool,
    verify: bool | None,
    searchable: bool | None,
    threads: int,
    memory: int | None,
    block_size: int | None,
    engine: str | None,
    params: tuple[str, ...],
    model: str | None,
    records: str | None,
    window_bits: int | None,
    like: str | None,
    primer: str | None,
    lossy: bool,
    quiet: bool,
    verbose: int,
    no_progress: bool,
    as_json: bool,
    **asked: Any,  # with --lossy
) -> None:
    """Compress each FILE to FILE.nz and keep it. Without FILE, or for -, compress stdin to stdout.

    With -r a directory becomes one DIR.tar.nz, which nzip decompress extracts again. With --lossy each FILE is a
    picture or sound, and a much smaller one that is like it comes back.
    """
    from nzip.codec.files.compress import compress_file, compress_signal_file
    from nzip.codec.files.targets import Run
    from nzip.codec.files.trees.pack import compress_tree

    files = options.inputs(files)
    goal = options.Destination(files, output, to_stdout, as_json=as_json, remove=remove)
    if goal.uses_stdout and not force and on_terminal(options.stdout()):
        raise click.ClickException(
            "stdout: is a terminal, and compressed data is not written to it; use -o FILE, or -f to do it anyway"
        )
    signal = options.lossy_settings(
        lossy,
        asked,
        {
            "--searchable": searchable is True, "--not-searchable": searchable is False,
            "-r": recursive, "--engine": engine, "--param": params or None, "--window-bits": window_bits,
            "-B": block_size, "--verify": verify is True, "--no-verify": verify is False, "-M": memory,
            "-T": threads, "a level": ctx.meta.get("nzip.level"),
            "--like": like, "--primer": primer, "--records": records, "--rm (what comes back is not the same)": remove,
        },
    )  # fmt: skip
    engine, params = options.of_records(records, engine, params, None if lossy else model)
    chosen = options.chosen_settings(ctx, engine, params, block_size=block_size)
    if window_bits is not None and (recursive or not chosen.cuts):
        raise click.UsageError("--window-bits goes with an engine that cuts blocks, as --engine lm, and not with -r")
    if recursive and (like or primer):
        raise click.UsageError("--like and --primer are for files; tar a directory first, or leave out -r")
    if window_bits is not None and (like or primer):
        raise click.UsageError("--window-bits does not go with --like or --primer")
    report = Report("compress", quiet=quiet, verbose=verbose, as_json=as_json, bar=not no_progress)
    common: dict[str, Any] = {"store_name": store_name, "force": force}
    common["run"] = Run(file for file in files if file != "-")
    settings: dict[str, Any] = {"level": chosen, "threads": threads, "verify": verify, "max_memory": memory}

    beside = options.known(like, primer)

    def one(file: str) -> None:
        tree = recursive and file != "-" and os.path.isdir(file)
        path = _place(file, goal, tree=tree, remove=remove, force=force, store_name=store_name)
        source: Any = options.stdin() if file == "-" else file
        target: Any = options.stdout() if path is None else path

        def work(tally: Tally) -> FileResult:
            if lossy:
                return compress_signal_file(source, target, model=model, progress=tally, **common, **signal)
            hooks: dict[str, Any] = {"progress": tally, "prepare": report.preparing(tally)}
            if tree:
                return compress_tree(source, target, **common, **settings, **hooks)
            more: dict[str, Any] = {"remove": remove, "searchable": searchable, "window_bits": window_bits, **beside}
            return compress_file(source, target, **common, **settings, **hooks, **more)

        result = watch(work, label=os.path.basename(path or file) if tree else os.path.basename(file), bar=report.bar)
        report.result(file, result, compressing=True, to_stdout=path is None)

    report.each(files, one)


def _place(
    file: str, goal: options.Destination, *, tree: bool, remove: bool, force: bool, store_name: bool
) -> str | None:
    """Return where the output of `file` goes, None for stdout.

    Raises:
        FileError: it is not compressed so.
    """
    from nzip.codec.files.names import SUFFIX, compressed_name, packed_name

    if file == "-":
        if store_name:
            raise FileError("stdin", "has no name to store; leave out -N")
        return goal.file
    if tree:
        if remove:
            raise FileError(file, "is a directory, which --rm never deletes; leave out --rm")
        return goal.of(packed_name(file))
    if file.endswith(SUFFIX) and not force and not os.path.isdir(file):
        raise FileError(file, f"already ends in {SUFFIX}; add -f to compress it again")
    return goal.of(compressed_name(file))
