"""`nzip bench`: nzip's levels, or its lossy codecs, and other compressors, on the user's files."""

from __future__ import annotations

import sys
from typing import Any

import click

from nzip.cli import choices, options
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.progress import steps

LOSSLESS_ONLY = ("levels", "engine", "streams", "window", "threads", "direction")
LOSSY_ONLY = ("codecs", "qualities", "speech", "html_path")


class Numbers(click.ParamType):
    """Whole numbers up to `highest`, as `1,6,9` or `1-9`; `name` is what they are."""

    def __init__(self, name: str, highest: int) -> None:
        self.name = name
        self.highest = highest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        found: list[int] = []
        try:
            for part in value.split(","):
                first, _, last = part.partition("-")
                found += range(int(first), int(last or first) + 1)
        except ValueError:
            found = []
        if not found or any(not 1 <= number <= self.highest for number in found):
            example = f"1,6,{self.highest} or 1-{self.highest}"
            self.fail(f"{value!r} names no {self.name}; write them as {example}", param, ctx)
        return list(dict.fromkeys(found))


@click.command(short_help="Measure nzip, and other compressors, on your files.")
@click.argument("paths", nargs=-1, required=True, type=options.ANY_PATH)
@click.option("--peers", is_flag=True, help="Measure every other compressor that is installed as well.")
@click.option("--levels", type=Numbers("levels", 9), help="nzip's levels, as 1,6,9 or 1-9; all where left out.")
@options.engine_option
@options.lm_options
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="The best time of N runs counts.")
@click.option(
    "-T", "--threads", type=click.IntRange(0), default=1, metavar="N", help="Threads for nzip; 1 where left out."
)
@click.option("--json", "json_path", type=options.ANY_PATH, metavar="FILE", help="Write the result as JSON.")
@click.option(
    "--plot",
    "plot_path",
    type=options.ANY_PATH,
    metavar="FILE",
    help="Draw size against speed, or rate against distortion (.png, .svg).",
)
@click.option(
    "--direction",
    type=click.Choice(["compress", "decompress"]),
    default="compress",
    help="Which speed the plot shows.",
)
@click.option("--lossy", is_flag=True, help="Measure the lossy codecs on pictures and sounds.")
@click.option(
    "--codecs",
    metavar="NAME,...",
    shell_complete=choices.codecs,
    help="With --lossy: these codecs, nzip's (walloc, walloc:MODEL, vqgan+50 with 50 rounds of search) or others; "
    "all of nzip's where left out.",
)
@click.option(
    "--qualities",
    type=Numbers("qualities", 100),
    metavar="N,...",
    help="With --lossy: settings of 1 to 100 for every codec, in place of its own ladder.",
)
@click.option("--speech", is_flag=True, help="With --lossy: the sounds are speech; measure STOI and PESQ too.")
@click.option(
    "--html",
    "html_path",
    type=options.ANY_PATH,
    metavar="FILE",
    help="With --lossy: write a page to look at and listen to.",
)
@options.verbose_option
@options.progress_option
def command(
    paths: tuple[str, ...],
    peers: bool,
    levels: list[int] | None,
    engine: str | None,
    model: str | None,
    streams: int | None,
    window: int | None,
    repeat: int,
    threads: int,
    json_path: str | None,
    plot_path: str | None,
    direction: str,
    lossy: bool,
    codecs: str | None,
    qualities: list[int] | None,
    speech: bool,
    html_path: str | None,
    verbose: int,
    no_progress: bool,
) -> None:
    """Compress and decompress the files below each PATH, one by one, and print bytes, speed and memory.

    Every output is compared with its input. With --lossy pictures and sounds are coded with loss, and bits, distortion,
    BD-rates and speeds are printed. With -v the results of each file are printed too.
    """
    _check_lossy(lossy)
    if lossy:
        from nzip.cli.eval.common import journal_warnings
        from nzip.evaluation.benchmark.lossy.run import main_run as lossy_run

        names = None if codecs is None else [name.strip() for name in codecs.split(",")]
        if model is not None:
            if names is None or len(names) != 1:
                raise click.UsageError("--model goes with --lossy and one codec; or write --codecs NAME:MODEL,...")
            names = [f"{names[0]}:{model}"]
        with journal_warnings(), steps(not no_progress and on_terminal(sys.stderr)) as progress:
            lossy_run(
                list(paths),
                codecs=names,
                peers=peers,
                qualities=qualities,
                speech=speech,
                repeat=repeat,
                json_path=json_path,
                plot_path=plot_path,
                html_path=html_path,
                echo=click.echo,
                progress=progress,
                verbose=verbose > 0,
            )
        return
    from nzip.evaluation.benchmark.lossless.run import main_run as lossless_run

    engine, params = options.engine_settings(engine, model, streams, window)
    with steps(not no_progress and on_terminal(sys.stderr)) as progress:
        lossless_run(
            list(paths),
            levels=levels,
            engine=engine,
            params=params,
            peers=peers,
            repeat=repeat,
            threads=threads,
            json_path=json_path,
            plot_path=plot_path,
            echo=click.echo,
            progress=progress,
            verbose=verbose > 0,
            direction=direction,
        )


def _check_lossy(lossy: bool) -> None:
    """Refuse options that say nothing to this kind of run.

    Raises:
        click.UsageError: there is one.
    """
    context = click.get_current_context()
    other = LOSSLESS_ONLY if lossy else LOSSY_ONLY
    for name in other:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            option = f"--{name.removesuffix('_path')}"
            raise click.UsageError(f"{option} {'does not go with' if lossy else 'goes with'} --lossy", context)
