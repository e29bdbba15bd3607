"""`nzip bench`: nzip's levels, and other compressors, on the user's files."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from nzip.cli import options
from nzip.cli.output import on_terminal


class Numbers(click.ParamType):
    """Levels as `1,6,9` or `1-9`."""

    name = "levels"

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
        if not found or any(not 1 <= number <= 9 for number in found):
            self.fail(f"{value!r} names no levels; write them as 1,6,9 or 1-9", param, ctx)
        return list(dict.fromkeys(found))


@click.command(short_help="Measure nzip, and other compressors, on your files.")
@click.argument("paths", nargs=-1, required=True, type=options.ANY_PATH)
@click.option("--peers", is_flag=True, help="Measure every other compressor that is installed as well.")
@click.option("--levels", type=Numbers(), help="nzip's levels, as 1,6,9 or 1-9; all where left out.")
@options.engine_option
@options.lm_options
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="The best time of N runs counts.")
@click.option(
    "-T", "--threads", type=click.IntRange(0), default=1, metavar="N", help="Threads for nzip; 1 where left out."
)
@click.option("--json", "json_path", type=options.ANY_PATH, metavar="FILE", help="Write the result as JSON.")
@click.option(
    "--plot", "plot_path", type=options.ANY_PATH, metavar="FILE", help="Draw size against speed (.png, .svg)."
)
@click.option(
    "--direction",
    type=click.Choice(["compress", "decompress"]),
    default="compress",
    help="Which speed the plot shows.",
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
    verbose: int,
    no_progress: bool,
) -> None:
    """Compress and decompress the files below each PATH, one by one, and print bytes, speed and memory.

    Every output is compared with its input. With -v the sizes of each file are printed too.
    """
    from nzip.evaluation.bench import main_run

    engine, params = options.engine_settings(engine, model, streams, window)
    with _steps(not no_progress and on_terminal(sys.stderr)) as progress:
        main_run(
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


@contextlib.contextmanager
def _steps(shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """Draw a bar over the steps of the run."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, highlight=False),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)

        def step(done: int, total: int, label: str) -> None:
            bar.update(task, completed=done, total=total, description=label)
            if done >= total:
                bar.stop()  # the table follows

        yield step
