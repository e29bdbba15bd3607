"""`nzip tokenize`: FILE to the token file FILE.nzt, and with -d back."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import click

from nzip.cli import options
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.progress import watch
from nzip.cli.output.report import Report
from nzip.cli.output.words import seconds_text, shown, shown_input


@click.command(cls=options.Command, short_help="Turn text into Equal-Info tokens for training models, and back.")
@options.files_argument
@options.output_option("Write to this file, or into this directory; - for stdout.")
@options.stdout_option
@options.force_option("write tokens to a terminal; with -d, read them from one.")
@click.option("-d", "--decode", is_flag=True, help="Give back the text of token files.")
@click.option(
    "-W", "--window-bits", type=click.IntRange(8, 1 << 16), default=16, show_default=True, help="Bits of a window."
)
@click.option("--token-bits", type=click.Choice(["8", "16"]), default="16", show_default=True, help="Bits of a token.")
@click.option(
    "--variant",
    type=click.Choice(["reserved", "delay", "lookahead"]),
    default="reserved",
    show_default=True,
    help="How a window ends.",
)
@click.option(
    "--reset",
    type=click.Choice(["window", "second", "never"]),
    default="window",
    show_default=True,
    help="When the model forgets: at each window, at every second one, never.",
)
@click.option(
    "--model",
    type=click.Choice(["text", "unigram", "adaptive"]),
    default="text",
    show_default=True,
    help="What predicts the bytes: trained orders 0 to 6, trained order 0, or what the window itself teaches.",
)
@click.option(
    "--npy", is_flag=True, help="Write the tokens alone, as FILE.npy for NumPy; this way cannot be gone back."
)
@options.memory_option("With -d: refuse texts that are larger than this (2G where left out).")
@options.quiet_option
@options.progress_option
@options.json_option
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    output: str | None,
    to_stdout: bool,
    force: bool,
    decode: bool,
    window_bits: int,
    token_bits: str,
    variant: str,
    reset: str,
    model: str,
    npy: bool,
    memory: int | None,
    quiet: bool,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Write the tokens of each FILE to FILE.nzt. Without FILE, or for -, from stdin to stdout.

    The text is cut in windows that a byte model codes in exactly -W bits each (Equal-Info Windows); with -d the token
    files become texts again, and no setting need be repeated.
    """
    _check_usage(ctx, decode, memory)
    files = options.inputs(files)
    goal = options.Destination(files, output, to_stdout, as_json=as_json, remove=False)
    if goal.uses_stdout and not decode and not force and on_terminal(options.stdout()):
        raise click.ClickException(
            "stdout: is a terminal, and tokens are not written to it; use -o FILE, or -f to do it anyway"
        )
    if decode and "-" in files and not force and on_terminal(options.stdin()):
        raise click.ClickException("stdin: is a terminal, and tokens are not read from it; name a file")
    from nzip.codec.files.targets import Run
    from nzip.codec.tokens import files as operations
    from nzip.codec.tokens.tokenizer import EqualInfoTokenizer

    settings: dict[str, Any] = {"force": force, "run": Run(file for file in files if file != "-")}
    report = Report("tokenize", quiet=quiet, as_json=as_json, bar=not no_progress)

    @cache  # its model takes seconds to train, which a signal must be able to end
    def tokenizer() -> EqualInfoTokenizer:
        return EqualInfoTokenizer(model, window_bits, int(token_bits), variant=variant, reset=reset)

    def one(file: str) -> None:
        source: Any = options.stdin() if file == "-" else file
        path = goal.file if file == "-" else _path(goal, file, decode, npy)
        target: Any = options.stdout() if path is None else path

        def work(tally: Any) -> Any:
            if decode:
                limit = 2 << 30 if memory is None else memory
                return operations.detokenize_file(source, target, max_output_size=limit, progress=tally, **settings)
            return operations.tokenize_file(source, target, tokenizer(), numpy_file=npy, progress=tally, **settings)

        result = watch(work, label=os.path.basename(file), bar=report.bar)
        report.json(_row(file, result))
        if path is not None:
            change = _change(result, decode)
            report.line(f"{shown_input(file)}: {change} in {seconds_text(result.seconds)} -> {shown(result.target)}")

    report.each(files, one)


def _check_usage(ctx: click.Context, decode: bool, memory: int | None) -> None:
    """Refuse options that say nothing in this direction."""
    given = [
        name
        for name in ("window_bits", "token_bits", "variant", "reset", "model", "npy")
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ]
    if decode and given:
        raise click.UsageError(f"-d takes no --{given[0].replace('_', '-')}: the token file says it", ctx)
    if memory is not None and not decode:
        raise click.UsageError("-M is for -d", ctx)


def _path(goal: options.Destination, file: str, decode: bool, npy: bool) -> str | None:
    """Return where the result of a file goes; None for stdout."""
    from nzip.codec.tokens import files as operations
    from nzip.errors import FileError

    if not decode:
        return goal.of(file + (".npy" if npy else operations.SUFFIX))
    if goal.to_stdout or goal.file is not None:
        return goal.file
    if file.endswith(operations.SUFFIX) and os.path.basename(file) != operations.SUFFIX:
        return goal.of(file.removesuffix(operations.SUFFIX))
    raise FileError(file, f"does not end in {operations.SUFFIX}; say with -o or -c where its text goes")


def _row(file: str, result: Any) -> dict[str, Any]:
    """Return what --json says of a file."""
    return {
        "ok": True,
        "source": file,
        "target": result.target,
        "raw_size": result.raw_size,
        "size": result.size,
        "windows": result.windows,
        "tokens": result.tokens,
        "corrections": result.corrections,
        "seconds": round(result.seconds, 3),
    }


def _change(result: Any, decode: bool) -> str:
    """Return what became what, in words."""
    if decode:
        return f"{result.tokens:,} tokens -> {result.raw_size:,} bytes"
    rate = f" ({result.raw_size / result.tokens:.2f} bytes a token)" if result.tokens else ""
    return f"{result.raw_size:,} bytes -> {result.tokens:,} tokens{rate}"
