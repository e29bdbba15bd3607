"""`nzip compress`: files to FILE.nz, directories to DIR.tar.nz."""

from __future__ import annotations

import os
from typing import Any

import click

from nzip.cli import options
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.progress import watch
from nzip.cli.output.report import Report


@click.command(cls=options.LeveledCommand, short_help="Compress files, or directories with -r.")
@options.files_argument
@options.level_options
@options.output_option("Write to this file, or into this directory when it exists; - for stdout.")
@options.stdout_option
@options.removal_option
@options.force_option
@click.option("-r", "--recursive", is_flag=True, help="Pack each directory as one DIR.tar.nz.")
@click.option("-N", "--name", "store_name", is_flag=True, help="Store the file's name, mode and time in the output.")
@click.option(
    "--verify/--no-verify",
    default=None,
    cls=options.Pair,
    off_help="Do not decode the blocks, with engine lm too.",
    help="Decode every block after it was encoded, and store those that fail. Engine lm does unless told not to.",
)
@options.threads_option
@options.memory_option("Use at most this much memory: fewer threads, or an error.")
@options.block_size_option
@options.engine_option
@options.lm_options
@click.option(
    "--window-bits",
    type=click.IntRange(256, 1 << 26),
    metavar="N",
    help="With --engine lm: cut blocks of about N bits of output each, for random access at equal cost.",
)
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
    threads: int,
    memory: int | None,
    block_size: int | None,
    engine: str | None,
    model: str | None,
    streams: int | None,
    window: int | None,
    window_bits: int | None,
    lossy: bool,
    codec: str | None,
    strip: bool,
    refine: int,
    quality: int | None,
    bpp: float | None,
    kbps: float | None,
    psnr: float | None,
    quiet: bool,
    verbose: int,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Compress each FILE to FILE.nz and keep it. Without FILE, or for -, compress stdin to stdout.

    With -r a directory becomes one DIR.tar.nz, which nzip decompress extracts again. With --lossy each FILE is a
    picture or sound, and a much smaller one that is like it comes back.
    """
    from nzip.codec.files import compress, names
    from nzip.codec.files.targets import Run
    from nzip.codec.files.trees import pack
    from nzip.errors import FileError

    files = options.inputs(files)
    goal = options.Destination(files, output, to_stdout, as_json=as_json, remove=remove)
    if goal.uses_stdout and not force and on_terminal(options.stdout()):
        raise click.ClickException(
            "stdout: is a terminal, and compressed data is not written to it; use -o FILE, or -f to do it anyway"
        )
    signal = options.lossy_settings(
        lossy,
        {
            "codec": codec, "strip": strip, "refine": refine, "quality": quality, "bpp": bpp, "kbps": kbps,
            "psnr": psnr,
        },
        {
            "-r": recursive, "--engine": engine, "--streams": streams, "--window": window, "--window-bits": window_bits,
            "-B": block_size, "--verify": verify is True, "--no-verify": verify is False, "-M": memory,
            "-T": threads, "a level": ctx.meta.get("nzip.level"), "--rm (what comes back is not the same)": remove,
        },
    )  # fmt: skip
    engine, params = options.engine_settings(engine, None if lossy else model, streams, window)
    if window_bits is not None and (engine != "lm" or recursive):
        raise click.UsageError("--window-bits goes with --engine lm, and not with -r")
    report = Report("compress", quiet=quiet, verbose=verbose, as_json=as_json, bar=not no_progress)
    settings: dict[str, Any] = {
        "level": options.chosen_level(ctx),
        "engine": engine,
        "params": params,
        "threads": threads,
        "block_size": block_size,
        "verify": verify,
        "max_memory": memory,
        "store_name": store_name,
        "force": force,
        "run": Run(file for file in files if file != "-"),
    }

    def one(file: str) -> None:
        if file == "-":
            if store_name:
                raise FileError("stdin", "has no name to store; leave out -N")
            source: Any = options.stdin()
            path = goal.file
        else:
            source = file
            tree = recursive and os.path.isdir(file)
            if tree and remove:
                raise FileError(file, "is a directory, which --rm never deletes; leave out --rm")
            if not tree and file.endswith(names.SUFFIX) and not force and not os.path.isdir(file):
                raise FileError(file, f"already ends in {names.SUFFIX}; add -f to compress it again")
            path = goal.of(names.packed_name(file) if tree else names.compressed_name(file))
        target: Any = options.stdout() if path is None else path
        if lossy:
            result = watch(
                lambda tally: compress.compress_signal_file(
                    source,
                    target,
                    model=model,
                    store_name=store_name,
                    force=force,
                    run=settings["run"],
                    progress=tally,
                    **signal,
                ),
                label=os.path.basename(file),
                bar=report.bar,
            )
        elif file != "-" and tree:
            result = watch(
                lambda tally: pack.compress_tree(
                    source, target, progress=tally, prepare=report.preparing(tally), **settings
                ),
                label=os.path.basename(path or file),
                bar=report.bar,
            )
        else:
            result = watch(
                lambda tally: compress.compress_file(
                    source,
                    target,
                    remove=remove,
                    window_bits=window_bits,
                    progress=tally,
                    prepare=report.preparing(tally),
                    **settings,
                ),
                label=os.path.basename(file),
                bar=report.bar,
            )
        report.result(file, result, compressing=True, to_stdout=path is None)

    report.each(files, one)
