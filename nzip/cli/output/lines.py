"""Lines on stderr, and how a command ends that says one."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from nzip import _start
from nzip.cli.output.errors import describe
from nzip.cli.output.words import shown

if TYPE_CHECKING:
    from rich.console import Console

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, _start.INTERRUPTED
# Nobody who mistypes an option is led to one that loses, deletes, overwrites or lets pass.
RISKY = {"--lossy", "--rm", "--force", "--strip", "--no-verify", "--outside-links", "--keep-going", "--unplaced"}
NEAR = 0.75  # likeness of what was typed and what is suggested, of at most 1
live: Console | None = None  # the console of the bar, while there is one


def say(text: str) -> None:
    """Print a line to stderr, above the bar if there is one."""
    if live is not None:
        live.print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        tell(text)


def tell(text: str) -> None:
    """Print a line to stderr. Where that does not work (a full disk) nothing says so, and no status changes."""
    try:
        click.echo(text, err=True)
    except (OSError, ValueError):
        _mute(sys.stderr)


def complain(line: str, status: int = FAILED) -> int:
    """Print `nzip: LINE` to stderr and return `status`."""
    tell(f"nzip: {line}")
    return status


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


def on_terminal(stream: Any) -> bool:
    """Whether `stream` is a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False
