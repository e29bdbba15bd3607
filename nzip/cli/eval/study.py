"""What the measures' commands share: where results go, how many processes work, the seed, the bar."""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nzip.cli import options
from nzip.cli.output import lines, words
from nzip.cli.output.lines import on_terminal
from nzip.cli.output.progress import steps
from nzip.outputs import stream_word

if TYPE_CHECKING:
    from nzip.evaluation.harness.findings import Echo, Findings
    from nzip.evaluation.harness.jobs import Running
    from nzip.evaluation.harness.outputs import Outputs

F = TypeVar("F", bound=Callable[..., Any])


def compressor_option(default: str) -> Callable[[F], F]:
    """Add --compressor, of `nzip.evaluation.compressors.conditional`."""
    return click.option(
        "--compressor",
        default=default,
        show_default=True,
        metavar="NAME",
        help="gzip, xz, zstd, bzip2, brotli, ppmd, nzip-1 … nzip-9, static, or an engine: cmfast, cm:preset=2.",
    )


def models_option(metavar: str) -> Callable[[F], F]:
    """Add -m, language models as `nzip.evaluation.compressors.language_models` loads them."""
    return click.option(
        "-m",
        "--model",
        "models",
        multiple=True,
        metavar=metavar,
        help="A model of this machine by its name, or a GGUF file, or a folder with config.json and safetensors; may "
        "be given more than once. [default: smollm2-135m]",
    )


@dataclass
class Study:
    """How a measure is to be run, and where its findings go."""

    outputs: Outputs
    journal: str | None
    jobs: int
    seed: int
    bar: bool
    quiet: bool
    kept: bool  # the journal stays when the run is done

    @contextlib.contextmanager
    def running(self) -> Iterator[Running]:
        """Give how the tasks are to be done, and draw a bar while the work lasts."""
        from nzip.evaluation.harness.jobs import Running

        with steps(self.bar) as step:
            yield Running(self.jobs, self.journal, step)

    def publish(self, findings: Findings) -> None:
        """Print the findings, write the files, and remove a journal that nobody asked for."""
        from pathlib import Path

        from nzip.evaluation.harness.publishing import publish

        publish(findings, self.outputs, None if self.quiet else self.echo)
        if self.journal is not None and not self.kept:
            Path(self.journal).unlink(missing_ok=True)

    @property
    def echo(self) -> Echo:
        return click.echo


def _paths(values: Iterable[Any]) -> list[str]:
    """Return the arguments of a command that may name files, also as `NAME=FILE`."""
    found: list[str] = []
    for value in values:
        if isinstance(value, str):
            found += {value, value.partition("=")[2]} - {""}
        elif isinstance(value, list | tuple):
            found += _paths(value)
    return found


@contextlib.contextmanager
def journal_warnings() -> Iterator[None]:
    """Say on stderr, in one line, what was left out of a journal."""
    from nzip.evaluation.harness.journal import JournalWarning

    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, JournalWarning):
            lines.complain(words.shown(str(message)))
        else:
            usual(message, category, *rest)

    with warnings.catch_warnings():
        warnings.simplefilter("always", JournalWarning)
        warnings.showwarning = show
        yield


def study_options(command: F) -> F:
    """Add the options of every measure; the command gets a `Study` as its argument `study`."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,
        json_path: str | None,
        csv_path: str | None,
        html_path: str | None,
        plot_path: str | None,
        journal: str | None,
        jobs: int,
        seed: int,
        quiet: bool,
        no_progress: bool,
        **given: Any,
    ) -> Any:
        from nzip.evaluation.harness.outputs import Outputs

        outputs = Outputs(json_path, csv_path, html_path, plot_path)
        outputs.check(_paths(given.values()), journal)
        kept = journal is not None
        if journal is None and json_path is not None and stream_word(json_path) is None:
            journal = json_path + ".journal"
        bar = not quiet and not no_progress and on_terminal(sys.stderr)
        with journal_warnings():
            return command(*args, study=Study(outputs, journal, jobs, seed, bar, quiet, kept), **given)

    found: Any = wrapped
    for option in reversed(
        (
            click.option("--json", "json_path", type=options.ANY_PATH, metavar="FILE", help="Write all as JSON."),
            click.option("--csv", "csv_path", type=options.ANY_PATH, metavar="FILE", help="Write the records as CSV."),
            click.option(
                "--html", "html_path", type=options.ANY_PATH, metavar="FILE", help="Write a page with sortable tables."
            ),
            click.option(
                "--plot", "plot_path", type=options.ANY_PATH, metavar="FILE", help="Draw the picture (.png, .svg)."
            ),
            click.option(
                "--journal",
                type=options.ANY_PATH,
                metavar="FILE",
                help="Append each result to this JSONL file, and take up those that it has. With --json there is one "
                "beside it until the run is done.",
            ),
            click.option(
                "-j", "--jobs", type=click.IntRange(0), default=1, metavar="N", help="Processes; 0 for every core."
            ),
            click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Of all that is drawn by lot."),
            options.quiet_option,
            options.progress_option,
        )
    ):
        found = option(found)
    return found
