"""`nzip models`: the language models of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from nzip.cli import HelpfulGroup, choices, options
from nzip.cli.output import errors, lines, progress, signals
from nzip.cli.output.lines import FAILED
from nzip.cli.output.report import Report
from nzip.cli.output.words import columns, shown, size_text

DONE_WELL = ("ok", "unchanged")


@click.group(cls=HelpfulGroup, short_help="List, fetch, add, verify and remove language models.")
def command() -> None:
    """Manage the language models that the engine lm predicts with.

    They lie in a folder for caches, which NZIP_MODELS names where it is set. Only pull uses the network.
    """


def _fail(report: Report, name: str, error: Exception) -> None:
    """Say what went wrong with the model `name`."""
    from nzip.errors import NzipError

    report.failed = True
    known = getattr(error, "kind", None) if isinstance(error, NzipError) else None
    named = known == "missing" or str(error).startswith(f"{name}: ")
    text = errors.describe(error, None if named else name)
    report.json({"ok": False, "name": name, "kind": known or errors.error_kind(error), "error": text})
    lines.complain(text)


def _each(report: Report, names: tuple[str, ...], work: Callable[[str], None]) -> None:
    """Do `work` for every name; one that fails does not keep the others from their turn."""
    for name in dict.fromkeys(names):
        try:
            work(name)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("NZIP_DEBUG"):
                raise
            _fail(report, name, error)
    if report.failed:
        raise click.exceptions.Exit(FAILED)


class _EndedError(BaseException):
    """A signal ends the command.

    Like KeyboardInterrupt no Exception, so that nothing on the way takes it for its own.
    """

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _tidy_end() -> Iterator[None]:
    """Let signals end the command by exceptions: on the way out what is unfinished is removed, what fetches ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    def end(number: int, frame: Any) -> None:
        raise _EndedError(number)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup
            signal.signal(number, end)
    try:
        with signals.interruptible():
            yield
    except _EndedError as error:
        raise click.exceptions.Exit(128 + error.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    """A bar on stderr that appears when the work takes a while.

    Used as `progress` of the calls that have one; draws on the thread that works.
    """

    def __init__(self, label: str, draw: bool):
        self._label = label
        self._draw = draw
        self._started = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: int, total: int | None) -> None:
        if not self._draw or time.monotonic() - self._started < progress.BAR_AFTER:
            return
        if self._bar is None:
            from rich.console import Console
            from rich.markup import escape
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                DownloadColumn(binary_units=True),
                TransferSpeedColumn(),
                console=Console(stderr=True, highlight=False),
                transient=True,
                expand=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(escape(self._label), total=total)
        self._bar.update(self._task, completed=done, total=total)

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            lines.say(text)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()


@command.command("list")
@options.verbose_option
@options.json_option
def list_command(verbose: int, as_json: bool) -> None:
    """List the models that are here and those that pull can bring; -v shows more of each."""
    from nzip.models import folder
    from nzip.models.lm.cache import known_models, records

    report = Report("models list", as_json=as_json)
    here = {model.name: model for model in records.installed()}
    rows = [("name", "bytes", "here", "title")]
    details: list[list[tuple[str, str]]] = [[]]
    for name in [*known_models.KNOWN, *(name for name in here if name not in known_models.KNOWN)]:
        known, model = known_models.KNOWN.get(name), here.get(name)
        fault = None if model is None else model.fault()
        ids = [] if model is None else list(model.model_ids)
        size = model.size if model is not None else known.size if known is not None else None
        state = "no" if model is None else "yes" if fault is None else "damaged"
        title = known.title if known is not None else f"added from {model.origin}" if model is not None else ""
        values = {
            "name": name,
            "title": title,
            "installed": model is not None and fault is None,
            "fault": fault,
            "bytes": size,
            "pinned": known.pinned if known is not None else False,
            "default": name == known_models.DEFAULT_MODEL,
            "path": None if model is None else str(model.path),
            "reference": model is not None and model.reference,
            "model_ids": ids,
            "home": known.home if known is not None else None,
            "terms": known.terms if known is not None else None,
        }
        report.json({"ok": True, **values})
        rows.append((name, "?" if size is None else f"{size:,}", state, shown(title)))
        details.append(
            [
                (key, shown(str(text)))
                for key, text in (
                    ("path", values["path"]),
                    ("fault", fault),
                    ("home", values["home"]),
                    ("terms", values["terms"]),
                    ("checked by", None if known is None else "SHA-256" if known.pinned else "nothing but its form"),
                    ("id", ", ".join(ids) or None),
                )
                if text is not None
            ]
        )
    if as_json:
        return
    for number, line in enumerate(columns(rows, left=(0, 2, 3))):
        click.echo(line)
        if verbose:
            for key, text in details[number]:
                click.echo(f"    {key}: {text}")
    if verbose:
        click.echo(f"folder: {shown(folder.models_folder())}")


@command.command("latent")
@options.json_option
def latent_command(as_json: bool) -> None:
    """List the models of the lossy codecs: those that come with nzip, and one's own in the folder `latent`."""
    from nzip.models.latent import codecs, weights

    report = Report("models latent", as_json=as_json)
    rows = [("name", "codec", "bytes", "id", "from")]

    def one(name: str) -> None:
        path = Path(name)
        model = weights.load(path)
        codec = model.about.get("codec", "?")
        shipped = path.parent == codecs.shipped_folder()
        report.json({
            "ok": True, "name": path.stem, "codec": codec, "bytes": model.size, "id": model.id, "path": name,
            "shipped": shipped,
        })  # fmt: skip
        rows.append((shown(path.stem), shown(codec), f"{model.size:,}", model.id, "nzip" if shipped else "you"))

    try:
        report.each(tuple(map(os.fspath, codecs.found_models())), one)
    finally:
        if not as_json:
            for line in columns(rows, left=(0, 1, 3, 4)):
                click.echo(line)


@command.command("records")
@options.json_option
def records_command(as_json: bool) -> None:
    """List the models of records (nzip train records) in the folder `records`, where files that need them look."""
    from nzip.models.circuit import models

    report = Report("models records", as_json=as_json)
    rows = [("name", "record", "states", "bytes", "id")]

    def one(name: str) -> None:
        model = models.use(name)
        stem, size = Path(name).stem, len(model.packed)
        report.json({
            "ok": True, "name": stem, "record": model.size, "states": model.states, "bytes": size, "id": model.id,
            "path": name,
        })  # fmt: skip
        rows.append((shown(stem), f"{model.size:,}", str(model.states), f"{size:,}", model.id))

    try:
        report.each(tuple(map(os.fspath, models.found_models())), one)
    finally:
        if not as_json:
            for line in columns(rows, left=(0, 4)):
                click.echo(line)


@command.command("pull")
@click.argument("names", nargs=-1, metavar="[NAMES]...", shell_complete=choices.known_models)
@options.quiet_option
@options.progress_option
@options.json_option
def pull_command(names: tuple[str, ...], quiet: bool, no_progress: bool, as_json: bool) -> None:
    """Bring the models NAMES (smollm2-135m where left out) and check them.

    What is here and intact is left alone. A download that breaks off is taken up where it ended.
    """
    from nzip.models.lm.cache import known_models, pulling

    report = Report("models pull", quiet=quiet, as_json=as_json, bar=not no_progress)

    def one(name: str) -> None:
        with _Bar(name, report.bar) as bar:
            model = pulling.pull(name, echo=None if quiet or as_json else bar.line, progress=bar)
        report.json({"ok": True, **_summary(model)})

    with _tidy_end():
        _each(report, names or (known_models.DEFAULT_MODEL,), one)


@command.command("add", cls=options.Command)
@click.argument("path", type=options.ANY_PATH)
@click.option("--name", help="What to call it; made of the file's name where left out.")
@click.option(
    "--copy/--reference",
    default=False,
    cls=options.Pair,
    off_help="Use the files where they are; the default.",
    help="Copy the files to the cache; or, the default, use them there.",
)
@options.quiet_option
@options.progress_option
@options.json_option
def add_command(path: str, name: str | None, copy: bool, quiet: bool, no_progress: bool, as_json: bool) -> None:
    """Make PATH, a GGUF file or a folder in Hugging Face's layout, a model of this machine."""
    from nzip.models.lm.cache import local

    report = Report("models add", quiet=quiet, as_json=as_json, bar=not no_progress)

    def one(path: str) -> None:
        with _Bar(os.path.basename(path), report.bar) as bar:
            model = local.add(
                path, name, copy=copy, echo=None if quiet or as_json else bar.line, progress=bar
            )
        report.json({"ok": True, **_summary(model)})

    with _tidy_end():
        _each(report, (path,), one)


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAMES]...", shell_complete=choices.language_models)
@options.quiet_option
@options.progress_option
@options.json_option
def verify_command(names: tuple[str, ...], quiet: bool, no_progress: bool, as_json: bool) -> None:
    """Read the files of the models NAMES (all that are here where left out) and compare their SHA-256.

    `ok` is what nzip knows for the model, `unchanged` what it was when it came. A model that is damaged or missing
    makes the exit status 1.
    """
    from nzip.models.lm.cache import records, verification

    report = Report("models verify", quiet=quiet, as_json=as_json, bar=not no_progress)
    rows: list[dict[str, Any]] = []

    def one(name: str) -> None:
        with _Bar(name, report.bar) as bar:
            (row,) = verification.verify([name], progress=bar)
        rows.append(row)
        well = row["status"] in DONE_WELL
        report.json({"ok": well, **row})
        if not as_json and not quiet:
            click.echo(shown(f"{name}: {row['status']}" + ("" if well else f" ({row['fault']})")))
        report.failed |= not well

    with _tidy_end():
        _each(report, names or tuple(records.names_here()), one)
    if not rows:
        report.line("no model is here; get one with: nzip models pull")


@command.command("remove")
@click.argument("names", nargs=-1, required=True, shell_complete=choices.language_models)
@options.quiet_option
@options.json_option
def remove_command(names: tuple[str, ...], quiet: bool, as_json: bool) -> None:
    """Delete the models NAMES, and what was made from them, from the cache.

    Files that were added by reference stay where they are.
    """
    from nzip.models.lm.cache import local

    report = Report("models remove", quiet=quiet, as_json=as_json)

    def one(name: str) -> None:
        freed = local.remove(name)
        report.json({"ok": True, "name": name, "freed": freed})
        report.line(f"{name}: removed, {size_text(freed)} freed")

    _each(report, names, one)


def _summary(model: Any) -> dict[str, Any]:
    """Return what `--json` says of a model that has come."""
    return {
        "name": model.name,
        "path": str(model.path),
        "bytes": model.size,
        "pinned": model.pinned,
        "reference": model.reference,
        "files": [{"name": file.name, "bytes": file.size, "sha256": file.sha256} for file in model.files],
    }
