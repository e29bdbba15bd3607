"""Work, and the bar that says how far it is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from nzip.cli.output import lines
from nzip.cli.output.signals import ending, ending_on, interruptible
from nzip.cli.output.words import ratio_text, seconds_text, size_text, speed_text
from nzip.models import progress as engine_progress

T = TypeVar("T")

BAR_AFTER = 0.4  # seconds of work before the bar appears


class Tally:
    """How far the work is; written by the thread that works, read by the one that draws."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.done = 0
        self.total: int | None = None
        self.written = 0
        self.meter: engine_progress.Meter | None = None  # how far the work within blocks is

    def __call__(self, done: int, total: int | None, written: int) -> None:
        self.done, self.total, self.written = done, total, written

    @property
    def reached(self) -> int:
        """Bytes that are done, those of blocks under way among them."""
        within = 0 if self.meter is None else int(self.meter.reached())
        return max(self.done, within if self.total is None else min(within, self.total))

    @property
    def tokens(self) -> int:
        """Steps of language models."""
        return 0 if self.meter is None else self.meter.tokens


def watch(work: Callable[[Tally], T], *, label: str, bar: bool) -> T:
    """Return `work(tally)`, drawing a bar on stderr meanwhile.

    The work is done in another thread, so that a signal ends the process at once even while a block is coded:
    coding a block takes long and cannot be interrupted.

    Args:
        work: what to do; it calls the tally as it goes on.
        label: stands before the bar.
        bar: draw it.
    """
    tally = Tally()
    ended = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(tally))
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    with ending_on("SIGINT", "SIGTERM", "SIGHUP"), engine_progress.measured() as tally.meter:
        ending.waiting = ended
        threading.Thread(target=run, daemon=True, name="nzip-work").start()
        if bar and not ended.wait(BAR_AFTER):
            ending.drawn.clear()
            try:
                _draw(tally, ended, label)
            finally:
                ending.drawn.set()
        while not ended.wait(0.5):
            pass
        while ending.begun:  # what the work ended with is of no interest
            time.sleep(1)
    if errors:
        raise errors[0]
    return results[0]


def _draw(tally: Tally, ended: threading.Event, label: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[sizes]}", justify="right"),
        TextColumn("{task.fields[speed]}", justify="right"),
        TextColumn("{task.fields[ratio]}", justify="right"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", justify="right"),
        console=console,
        transient=True,
        expand=True,
        refresh_per_second=8,
    ) as progress:
        lines.live = console
        name = label if len(label) <= 24 else "…" + label[-23:]
        # Nothing is known before the first block is done: the bar then only moves.
        task = progress.add_task(escape(name), total=None, sizes="", speed="", ratio="", left="")
        while not ended.wait(0.1):
            done, total, written = tally.reached, tally.total, tally.written
            if not done:
                continue
            seconds = max(time.monotonic() - tally.started, 1e-3)
            speed = done / seconds
            tokens = f" ({tally.tokens / seconds:,.0f} tokens/s)" if tally.tokens else ""
            sizes = size_text(done) if total is None else f"{size_text(done)} of {size_text(total)}"
            progress.update(
                task,
                completed=done,
                total=total,
                sizes=sizes,
                speed=f"{speed_text(speed)}{tokens}",
                ratio=ratio_text(written, tally.done) if tally.done else "",
                left="" if total is None else f"{seconds_text(max(0, total - done) / speed)} left",
            )
        lines.live = None


@contextlib.contextmanager
def steps(shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """Draw a bar over the steps of a run if it is to be shown; yields what a run calls with its progress.

    The run is `interruptible`.
    """
    if not shown:
        with interruptible():
            yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, highlight=False),
        transient=True,
    )
    with interruptible(), bar:
        task = bar.add_task("", total=None)

        def step(done: int, total: int, label: str) -> None:
            bar.update(task, completed=done, total=total, description=label)
            if done >= total:
                bar.stop()  # the table follows

        yield step
