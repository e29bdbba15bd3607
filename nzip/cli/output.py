"""What the commands say: messages, sizes, results, the progress bar; and how they end.

Results go to stdout only where stdout is for them (`list`, `info`, `--json` …); everything else goes to stderr.
"""

from __future__ import annotations

import _thread
import codecs
import contextlib
import dataclasses
import errno
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from nzip import _start
from nzip.entropy import jit
from nzip.models import progress as engine_progress
from nzip.outputs import discard_unfinished

if TYPE_CHECKING:
    from rich.console import Console

    from nzip.codec.files.results import FileResult
    from nzip.codec.salvage import Fault
    from nzip.models.base import Engine

T = TypeVar("T")

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, _start.INTERRUPTED
# Nobody who mistypes an option is led to one that loses, deletes, overwrites or lets pass.
RISKY = {"--lossy", "--rm", "--force", "--strip", "--no-verify", "--outside-links", "--keep-going", "--unplaced"}
# Of what is corrupt: it is not the file, or it is said already.
SAID = ("damaged", "truncated", "not an nzip file", "model", "get its file again")
NEAR = 0.75  # likeness of what was typed and what is suggested, of at most 1
BAR_AFTER = 0.4  # seconds of work before the bar appears

REASONS = {
    errno.ENOENT: "no such file or directory",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.ENOSPC: "no space left on the device; free some and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EFBIG: "the file would be larger than is allowed here (ulimit -f)",
    errno.EROFS: "the file system is read-only; choose another place with -o",
    errno.ENAMETOOLONG: "the file name is too long; choose another with -o",
    errno.EBADF: "cannot be read",
    errno.EMFILE: "too many open files",
}


# --- text that any terminal can show ---------------------------------------------------------------------------------

PLAIN = {
    "\u2026": "...", "\u2192": "->", "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x", "\u2264": "<=",
    "\u2265": ">=", "\u00b7": "*", "\u00b2": "2", "\u00b1": "+-",
}  # fmt: skip


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace characters that an encoding lacks: a sign's plain form, or the character's number as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(plain), error.end


def write_any_text() -> None:
    """Have stdout and stderr take any text, whatever the locale: what an encoding lacks is written plainly."""
    codecs.register_error("nzip-plain", _plainly)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it is closed, or somebody's own
            stream.reconfigure(errors="nzip-plain")  # type: ignore[union-attr]


# --- words and numbers -----------------------------------------------------------------------------------------------


def shown(name: str | os.PathLike[str]) -> str:
    """Return `name` on one line: what is not printable is escaped."""
    text = os.fspath(name)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def shown_input(name: str) -> str:
    """Return `name` as `shown` does; `-` is stdin."""
    return "stdin" if name == "-" else shown(name)


def size_text(size: int) -> str:
    """Return a size with a unit and three digits that count: `1.52 MiB`."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1023.5 or unit == "TiB":
            break
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f} {unit}"


def digits(value: float, count: int = 4) -> str:
    """Return a number with `count` digits that count: `4.055`, `0.01234`, `1,234,567`; never zero for what is more."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    exponent = int(f"{value:.{count - 1}e}".partition("e")[2])  # after rounding
    return f"{value:,.{max(0, count - 1 - exponent)}f}"


def significant(value: float) -> float:
    """Return a number with six digits that count, for JSON."""
    return float(f"{value:.6g}")


def ratio_text(size: int, raw_size: int) -> str:
    """Return the ratio, bytes of content for a compressed byte: `4.055`; more is better."""
    return digits(raw_size / size) if raw_size and size else "-"


def bits_text(size: int, raw_size: int) -> str:
    """Return bits of output for a byte of content."""
    return digits(8 * size / raw_size) if raw_size else "-"


def speed_text(speed: float) -> str:
    """Return bytes a second with a unit: `1.52 MiB/s`, `0.0123 B/s`."""
    return f"{size_text(round(speed)) if speed >= 10 else f'{digits(speed, 3)} B'}/s"


def seconds_text(seconds: float) -> str:
    """Return a duration: `0.2 s`, `3 min 05 s`, `2 h 03 min`."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def columns(rows: Sequence[tuple[str, ...]], left: tuple[int, ...] = (0,)) -> list[str]:
    """Return `rows` as aligned lines; the columns in `left` are left-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def describe(error: BaseException, name: str | None = None, *, read: bool = False) -> str:
    """Return one line for `error`: the file, what is wrong, the remedy.

    Args:
        name: the file.
        read: the file was read as one of nzip's: what is corrupt is said to be damaged.
    """
    from nzip.errors import CorruptError, FileError, NzipError

    where = "" if name is None else f"{shown_input(name)}: "
    if isinstance(error, FileError):
        return f"{shown(error.path)}: {one_line(error.reason)}"
    if isinstance(error, NzipError):
        text = one_line(str(error))
        if name is not None and text.startswith(where):  # a picture, sound or model, which says it all
            return text
        if read and isinstance(error, CorruptError) and not any(word in text for word in SAID):
            text = f"the file is damaged: {text}"
        return where + text
    if isinstance(error, OSError):
        if error.filename is not None:
            where = f"{shown(os.fsdecode(error.filename))}: "
            if error.filename2 is not None:  # what was to come there
                where = f"{shown(os.fsdecode(error.filename2))}: cannot be written: {where}"
        known = REASONS.get(error.errno or 0)
        return where + one_line(known or (error.strerror or str(error) or type(error).__name__).lower())
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return f"{where}a name has characters that names of files cannot have in this locale; set LC_ALL=C.UTF-8"
    if isinstance(error, MemoryError):
        return f"{where}not enough memory; use fewer threads (-T1), a lower level or smaller blocks (-B)"
    return f"{where}internal error ({type(error).__name__}: {one_line(str(error))}); set NZIP_DEBUG=1 to see more"


def one_line(text: str) -> str:
    return shown(" ".join(text.split()))


def error_kind(error: BaseException) -> str:
    """Return the word that `--json` has for a failure."""
    from nzip.errors import CorruptError, FileError, LimitError, UnsupportedError

    for kind, word in (
        (FileError, "refused"),
        (CorruptError, "corrupt"),
        (UnsupportedError, "unsupported"),
        (LimitError, "limit"),
        (OSError, "io"),
        (MemoryError, "memory"),
    ):
        if isinstance(error, kind):
            return word
    return "internal"


# --- ends ------------------------------------------------------------------------------------------------------------


def complain(line: str, status: int = FAILED) -> int:
    """Print `nzip: LINE` to stderr and return `status`."""
    tell(f"nzip: {line}")
    return status


def tell(text: str) -> None:
    """Print a line to stderr. Where that does not work (a full disk) nothing says so, and no status changes."""
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        _mute(sys.stderr)


def usage_error(error: click.UsageError, more: str = "") -> int:
    """Say in one line what is wrong with the command line, and `more`."""
    path = error.ctx.command_path if error.ctx is not None else "nzip"
    if isinstance(error, click.NoSuchOption):
        near = [name for name in error.possibilities or () if name not in RISKY and _is_near(error.option_name, name)]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        message = f"no such option {shown(error.option_name)}{hint}"
    else:
        message = " ".join(error.format_message().split()).rstrip(".")
    return complain(f"{message[:1].lower()}{message[1:]}{more}; see {path} --help", USAGE)


def _is_near(typed: str, name: str) -> bool:
    """Whether an option that was typed is most likely a mistyped `name`."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, typed.strip("-"), name.strip("-")).ratio() >= NEAR


def interrupted() -> int:
    return complain("interrupted", INTERRUPTED)


def pipe_closed() -> int:
    """Nobody reads stdout any more: end quietly."""
    _mute(sys.stdout)
    return FAILED


def _mute(stream: Any) -> None:
    """Keep the interpreter from writing what is left in the buffer of stdout or stderr when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def flush_stdout(status: int) -> int:
    """Flush stdout and return `status`, or a failure when that does not work."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return pipe_closed()
    except (OSError, ValueError) as error:
        _mute(sys.stdout)
        return status or complain(describe(error, "stdout"))
    return status


class _Ending:
    """That the process was told to end, by the first signal; those after it are ignored.

    A signal handler may have interrupted any code of the main thread, which may hold any lock. So the handler takes
    none: it has another thread end the process, and the main thread goes on until that is done.
    """

    def __init__(self) -> None:
        self.begun = False
        self.waiting: threading.Event | None = None  # what the main thread waits for
        self.drawn = threading.Event()  # no bar is on the screen
        self.drawn.set()

    def hear(self, number: int, frame: object = None) -> None:
        """Handle a signal."""
        if self.begun:
            return
        self.begun = True
        # Not SIG_IGN: of a signal that has come already Python would then complain.
        for one in _ending_signals("SIGINT", "SIGTERM", "SIGHUP"):
            if signal.getsignal(one) is not signal.SIG_IGN:
                signal.signal(one, self.hear)
        try:
            _thread.start_new_thread(self.end, (number,))
        except RuntimeError:  # no more threads
            self.end(number)

    def end(self, number: int) -> NoReturn:
        """End at once: no work is waited for, no unfinished output stays."""
        try:
            discard_unfinished()
            if self.waiting is not None:
                self.waiting.set()
                self.drawn.wait(1)
            if number == signal.SIGINT:
                interrupted()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
        finally:
            os._exit(INTERRUPTED if number == signal.SIGINT else 128 + number)


_ending = _Ending()


def _ending_signals(*names: str) -> list[signal.Signals]:
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextlib.contextmanager
def ending_on(*names: str) -> Iterator[None]:
    """Let the signals with these names end the process at once, and remove its unfinished outputs before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ending_signals(*names)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup, or a shell's &
            signal.signal(number, _ending.hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and not _ending.begun:
                signal.signal(number, handler)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt: for work that ends processes of its own on its way out."""
    number = signal.SIGINT
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(number) != _ending.hear:
        yield
        return
    signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, _ending.hear)


def _as_before() -> None:
    """Let signals end a process that was forked from this one, as they would have without `ending_on`."""
    for number in _ending_signals("SIGINT", "SIGTERM", "SIGHUP"):
        if signal.getsignal(number) in (_ending.hear, _start.end):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_as_before)


# --- work and its progress -------------------------------------------------------------------------------------------


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


_live: Console | None = None  # the console of the bar, while there is one


def say(text: str) -> None:
    """Print a line to stderr, above the bar if there is one."""
    if _live is not None:
        _live.print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        tell(text)


def on_terminal(stream: Any) -> bool:
    """Whether `stream` is a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


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
        _ending.waiting = ended
        threading.Thread(target=run, daemon=True, name="nzip-work").start()
        if bar and not ended.wait(BAR_AFTER):
            _ending.drawn.clear()
            try:
                _draw(tally, ended, label)
            finally:
                _ending.drawn.set()
        while not ended.wait(0.5):
            pass
        while _ending.begun:  # what the work ended with is of no interest
            time.sleep(1)
    if errors:
        raise errors[0]
    return results[0]


def _draw(tally: Tally, ended: threading.Event, label: str) -> None:
    global _live
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
        _live = console
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
        _live = None


# --- results ---------------------------------------------------------------------------------------------------------


class Report:
    """What one run of a command says, file by file.

    Args:
        command: its name.
        quiet: no lines but errors.
        verbose: how many -v.
        as_json: one JSON object a file on stdout, no lines but errors.
        bar: a bar may be drawn.
    """

    def __init__(
        self, command: str, *, quiet: bool = False, verbose: int = 0, as_json: bool = False, bar: bool = True
    ):
        self.command = command
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json
        self.failed = False
        self._prepared: set[str] = set()
        self.bar = bar and not quiet and not as_json and on_terminal(sys.stderr)

    def line(self, text: str) -> None:
        """Print a line to stderr, unless it is to be quiet."""
        if not self.quiet and not self.as_json:
            say(text)

    def json(self, values: dict[str, Any]) -> None:
        """Print an object to stdout if JSON was asked for."""
        if self.as_json:
            click.echo(json.dumps({"command": self.command, **values}))

    def fail(self, name: str, error: Exception) -> None:
        """Say what went wrong with the file `name`."""
        self.failed = True
        text = describe(error, name, read=self.command != "compress")
        self.json({"ok": False, "source": name, "kind": error_kind(error), "error": text})
        complain(text)

    def lost(self, name: str, faults: Sequence[Fault]) -> None:
        """Say what is lost of the file `name`; the run then ends as one that failed."""
        for fault in faults:
            self.failed = True
            complain(f"{shown_input(name)}: {fault}")

    def each(self, names: tuple[str, ...], work: Callable[[str], None]) -> None:
        """Do `work` for every name; one that fails does not keep the others from their turn."""
        for name in names:
            try:
                work(name)
            except BrokenPipeError:
                raise click.exceptions.Exit(pipe_closed()) from None
            except (click.ClickException, click.exceptions.Exit):
                raise
            except Exception as error:
                if os.environ.get("NZIP_DEBUG"):
                    raise
                self.fail(name, error)
        if self.failed:
            raise click.exceptions.Exit(FAILED)

    def preparing(self, tally: Tally) -> Callable[[Engine], None]:
        """Return a hook that prepares an engine, says so if that compiles, and keeps it out of the speed."""

        def prepare(engine: Engine) -> None:
            if engine.name in self._prepared:
                return
            told: list[str] = []

            def note(kernel: str) -> None:
                if not told and on_terminal(sys.stderr):
                    self.line(f"nzip: compiling engine {engine.name} for this machine (once) …")
                told.append(kernel)

            began = time.monotonic()
            with jit.compiling(note):
                engine.prepare()
            tally.started += time.monotonic() - began
            self._prepared.add(engine.name)

        return prepare

    def result(self, name: str, result: FileResult, *, compressing: bool, to_stdout: bool = False) -> None:
        """Print what was done with the file that was called `name` on the command line."""
        size, raw_size = result.size, result.raw_size
        values: dict[str, Any] = {
            "ok": not result.faults,
            "source": name,
            "target": result.target,
            "raw_size": raw_size,
            "size": size,
            **_rates(result),
            "seconds": round(result.seconds, 3),
            "members": result.members,
            "kind": result.kind,
            "removed": result.removed,
        }
        if result.faults:
            text = f"{shown_input(name)}: {result.faults[0]}"
            faults = [dataclasses.asdict(fault) for fault in result.faults]
            values.update(kind="corrupt", error=text, faults=faults)
        if result.entries:
            values["entries"] = result.entries
            values["skipped"] = list(result.skipped)
            if compressing:
                values["outside_links"] = result.outside
        self.json(values)
        for path in result.skipped:
            self.line(f"nzip: {shown(path)}: left out (a socket, device or pipe holds nothing to pack)")
        if result.outside:
            links = "1 link leads" if result.outside == 1 else f"{result.outside:,} links lead"
            self.line(
                f"nzip: {shown_input(name)}: {links} outside of the directory, which nzip decompress refuses; "
                "extract with --outside-links"
            )
        if result.target is None:
            self.line(f"{shown_input(name)}: intact, {size:,} -> {raw_size:,} bytes in {seconds_text(result.seconds)}")
            return
        if result.kind == "lossy" and size > raw_size:
            self.line(
                f"nzip: {shown_input(name)}: became larger, for it was packed well before; keep it, compress it "
                "without --lossy, or ask for less with --quality"
            )
        # Beside data on stdout, lines are only for those who ask for them.
        if to_stdout and not self.verbose:
            return
        if compressing:
            change = f"{raw_size:,} -> {size:,} bytes"
            if raw_size:
                change += f" ({_rates_text(result)})"
        else:
            change = f"{size:,} -> {raw_size:,} bytes"
        entries = f", {result.entries:,} entries" if result.entries else ""
        gone = f" ({shown_input(name)} removed)" if result.removed else ""
        self.line(
            f"{shown_input(name)}: {change}{entries} in {seconds_text(result.seconds)} "
            f"-> {'stdout' if to_stdout else shown(result.target)}{gone}"
        )
        if self.verbose and raw_size:
            speed = speed_text(raw_size / max(result.seconds, 1e-9))
            members = f", {result.members:,} members" if result.members > 1 else ""
            self.line(f"  {speed}{members}")


def _rates(result: FileResult) -> dict[str, Any]:
    """Return what `--json` says of how small something became; of a lossy file no ratio, for the source was packed."""
    if result.kind in ("image", "audio"):
        return {}
    if result.kind != "lossy":
        raw_size = result.raw_size
        bits = 8 * result.size / raw_size if raw_size else 0.0
        return {"ratio": significant(result.ratio), "bits_per_byte": significant(bits)}
    found = {"bits_per_pixel": result.bits_per_pixel, "kbps": result.kbps, "psnr": result.psnr}
    finite = {key: value for key, value in found.items() if value is not None and math.isfinite(value)}
    return {key: significant(value) for key, value in finite.items()}


def _rates_text(result: FileResult) -> str:
    if result.kind != "lossy":
        bits = bits_text(result.size, result.raw_size)
        return f"ratio {ratio_text(result.size, result.raw_size)}, {bits} bits/byte"
    rates = ((result.bits_per_pixel, "bits/pixel"), (result.kbps, "kbit/s"), (result.psnr, "dB"))
    return ", ".join(f"{digits(value)} {unit}" for value, unit in rates if value is not None)


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
