"""Options that several commands share, and where their outputs go."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from nzip.cli import choices
from nzip.cli.output.lines import on_terminal
from nzip.outputs import descriptor_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from nzip.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

ANY_PATH = click.Path(readable=False)  # whether it can be read is found out by reading it
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Size(click.ParamType):
    """A number of bytes: `4096`, `512K`, `64M`, `1.5G`; also `MB`, `MiB`. Units are powers of 1024.

    Args:
        least, most: the range that is allowed.
    """

    name = "size"

    def __init__(self, least: int = 1, most: int | None = None):
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*([KMGT]?)(?:i?B)?", value.strip(), re.IGNORECASE | re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not a size; write it as 4096, 512K, 64M or 1.5G", param, ctx)
        size = int(float(match[1]) * UNITS[match[2].upper()])
        if size < self._least or (self._most is not None and size > self._most):
            most = "" if self._most is None else f" and at most {self._most:,}"
            self.fail(f"{value!r} is not at least {self._least:,}{most} bytes", param, ctx)
        return size


class Levels(click.Option):
    """The first of the options -1 … -9, which stands for all of them in the help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        return "-1 … -9, --level N", "Fastest … smallest; 6 where left out. See nzip levels."


class Pair(click.Option):
    """An option that is also written the other way round (`--rm`, `--keep`); completion has a help for each.

    Args:
        off_help: of the other way.
    """

    def __init__(self, *args: Any, off_help: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.off_help = off_help


class Command(click.Command):
    """A command that takes no option for another's value; its completion tells what the other way of a `Pair` does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from nzip.cli.habits import pieces, valued

        if not ctx.resilient_parsing:
            ctx.meta["nzip.options"] = [piece.option for piece in pieces(args, valued(self))]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer options and arguments."""
        others = {name: p.off_help for p in self.params if isinstance(p, Pair) for name in p.secondary_opts}
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            item.help = others.get(item.value, item.help)
        return items


class LeveledCommand(Command):
    """A command with -1 … -9; the last one given counts. It refuses -0, -12, -19 …, for those are no two levels."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        given = [o for o in ctx.meta.get("nzip.options", ()) if o == "--level" or o in LEVEL_OPTIONS]
        if given and given[-1] != "--level":
            ctx.meta["nzip.level"] = LEVEL_OPTIONS[given[-1]]
        return rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer all of the levels too, with what they are for."""
        from click.shell_completion import CompletionItem

        from nzip.settings import LEVELS

        items = [item for item in super().shell_complete(ctx, incomplete) if item.value not in LEVEL_OPTIONS]
        if not incomplete.startswith("-") or incomplete.startswith("--"):
            return items
        levels = ((f"-{number}", level) for number, level in LEVELS.items())
        found = [CompletionItem(o, help=f"{v.words}: {v.summary}") for o, v in levels if o.startswith(incomplete)]
        return found + items


# By option; the words are gzip's.
LEVEL_OPTIONS = {**{f"-{number}": number for number in range(1, 10)}, "--fast": 1, "--best": 9}


def _set_level(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        ctx.meta["nzip.level"] = value


def level_options(command: F) -> F:
    """Add -1 … -9 and --level to a `LeveledCommand`, which calls `chosen_level`; the last one given counts."""
    for name in reversed(LEVEL_OPTIONS):
        shown = {"cls": Levels} if name == "-1" else {"hidden": True}
        command = click.option(
            name, f"level_{name.strip('-')}", is_flag=True, expose_value=False, **shown
        )(command)
    return click.option(
        "--level",
        type=click.IntRange(1, 9),
        hidden=True,
        expose_value=False,
        callback=_set_level,
        shell_complete=choices.levels,
    )(command)


def chosen_level(ctx: click.Context) -> int:
    """Return the level that was asked for."""
    from nzip.settings import DEFAULT_LEVEL

    level: int = ctx.meta.get("nzip.level", DEFAULT_LEVEL)
    return level


files_argument = click.argument("files", nargs=-1, type=ANY_PATH)


def engine_options(command: F) -> F:
    """Add --engine, --param and --model; the command calls `chosen_settings`."""
    command = click.option(
        "--model",
        metavar="NAME",
        shell_complete=choices.models,
        help="Use engine lm with this language model (nzip models); with --lossy: a codec's model, by name or file.",
    )(command)
    command = click.option(
        "-p",
        "--param",
        "params",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=choices.parameters,
        help="Set a parameter of the engine (see nzip engines). Can be repeated.",
    )(command)
    return click.option(
        "-e",
        "--engine",
        metavar="NAME",
        shell_complete=choices.engines,
        help="Use this engine in place of the level's.",
    )(command)


def engine_and_params(
    engine: str | None, params: Sequence[str], model: str | None
) -> tuple[str | None, tuple[str, ...]]:
    """Return the engine and its parameters with the model as one of them; a model alone asks for the engine that takes
    one."""
    from nzip.settings import MODEL_ENGINE

    return (engine, (*params,)) if model is None else (engine or MODEL_ENGINE, (*params, f"model={model}"))


def chosen_settings(
    ctx: click.Context,
    engine: str | None,
    params: Sequence[str],
    *,
    level: int | None = None,
    block_size: int | None = None,
) -> Settings:
    """Return what level, engine and parameters come to.

    Raises:
        click.UsageError: one is unknown, out of range, or goes with another engine.
    """
    from nzip.settings import resolve

    if level is None:
        level = chosen_level(ctx)
    try:
        return resolve(level, engine=engine, params=params, block_size=block_size)
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from None


def lossy_options(command: F) -> F:
    """Add --lossy and what it is told; the command calls `lossy_settings`."""
    for name, text in (
        ("psnr", "With --lossy: the smallest file of at least N dB."),
        ("kbps", "With --lossy: the best sound of at most N kbit a second."),
        ("bpp", "With --lossy: the best picture of at most N bits a pixel."),
    ):
        command = click.option(f"--{name}", type=click.FloatRange(0, min_open=True), metavar="N", help=text)(command)
    command = click.option(
        "--quality", type=click.IntRange(1, 100), metavar="1..100", help="With --lossy: more is larger; 60 if left out."
    )(command)
    command = click.option(
        "--codec",
        metavar="NAME",
        shell_complete=choices.codecs,
        help="With --lossy: walloc, vqgan, hyperprior for pictures; walloc, grvq for sounds.",
    )(command)
    command = click.option(
        "--search",
        type=click.IntRange(0, 10000),
        default=0,
        metavar="ROUNDS",
        help="With --lossy --codec vqgan: search for a better code; 50 rounds are plenty. Takes torch, and time.",
    )(command)
    command = click.option(
        "--strip",
        is_flag=True,
        help="With --lossy: leave out all but pixels or samples, and accept files that hold more.",
    )(command)
    return click.option(
        "--lossy", is_flag=True, help="Make a picture or sound smaller with loss; nzip decompress gives one alike."
    )(command)


def lossy_settings(lossy: bool, given: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Return what `compress_signal_file` is told.

    Args:
        lossy: whether --lossy was given.
        given: codec, strip, search, quality, bpp, kbps, psnr.
        others: options by name that do not go with --lossy, with their values.

    Raises:
        click.UsageError: options do not go together.
    """
    asked = [name for name, value in given.items() if value not in (None, False)]  # 0 rounds are False too
    if not lossy:
        if asked:
            raise click.UsageError(f"--{asked[0]} goes with --lossy; add that")
        return {}
    against = [name for name, value in others.items() if value not in (None, False)]
    if against:
        raise click.UsageError(f"{against[0]} does not go with --lossy")
    goals = [name for name in asked if name not in ("codec", "strip", "search")]
    if len(goals) > 1:
        raise click.UsageError(f"--{goals[0]} and --{goals[1]} exclude each other")
    from nzip.codec.signals.goals import Goal
    from nzip.models.latent.codecs import CODECS

    if given["codec"] is not None and given["codec"] not in CODECS:
        raise click.UsageError(f"--codec {given['codec']}: there are {', '.join(CODECS)}")
    settings = {name: given[name] for name in ("codec", "strip", "search")}
    return {**settings, "goal": Goal(**{name: given[name] for name in goals})}


def records_options(text: str) -> Callable[[F], F]:
    """Add --records, explained by `text`."""
    return click.option("--records", type=ANY_PATH, metavar="MODEL", help=text)


records_written = records_options("Use this model of records (nzip train records); decompressing needs it too.")
records_read = records_options("The model of records that the file was made with, where it is not in nzip's folder.")


def of_records(
    records: str | None, engine: str | None, params: Sequence[str], model: str | None
) -> tuple[str | None, tuple[str, ...]]:
    """Return the engine and its parameters, where a model of records may be named.

    Raises:
        click.UsageError: it is, and another engine or model.
        NzipError, OSError: the model cannot be read.
    """
    if records is None:
        return engine_and_params(engine, params, model)
    from nzip.settings import RECORDS_ENGINE

    if model is not None or engine not in (None, RECORDS_ENGINE):
        raise click.UsageError(f"--records does not go with {'--model' if model is not None else '--engine'}")
    from nzip.models.circuit.models import use

    return RECORDS_ENGINE, (*params, f"id={use(records).id}")


def know_records(records: str | None) -> None:
    """Let a model of records that is named be found by the files that need it.

    Raises:
        NzipError, OSError: it cannot be read.
    """
    if records is not None:
        from nzip.models.circuit.models import use

        use(records)


block_size_option = click.option(
    "-B", "--block-size", type=Size(1 << 10, 1 << 30), help="Cut the input in blocks of this size (1K … 1G)."
)
threads_option = click.option(
    "-T",
    "--threads",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Blocks coded at the same time; 0, the default, for all cores. Changes no byte of the output.",
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
verbose_option = click.option("-v", "--verbose", count=True, help="Say more; can be repeated.")
progress_option = click.option("--no-progress", is_flag=True, help="Draw no progress bar.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file to stdout.")
stdout_option = click.option("-c", "--stdout", "to_stdout", is_flag=True, help="Write to stdout; keep the input.")


def memory_option(text: str) -> Callable[[F], F]:
    """Add -M, explained by `text`."""
    return click.option("-M", "--memory", type=Size(), help=text)


def force_option(more: str = "") -> Callable[[F], F]:
    """Add -f, which overwrites, and does what `more` says."""
    text = "Overwrite outputs that exist"
    return click.option("-f", "--force", is_flag=True, help=f"{text}; {more}" if more else f"{text}.")


def output_option(text: str) -> Callable[[F], F]:
    """Add -o, explained by `text`."""
    return click.option("-o", "--output", type=ANY_PATH, help=text)


def beside_options(like: str, primer: str) -> Callable[[F], F]:
    """Add --like and --primer, explained by these texts."""

    def add(command: F) -> F:
        command = click.option("--primer", type=ANY_PATH, metavar="FILE", help=primer)(command)
        return click.option("--like", type=ANY_PATH, metavar="OLD", help=like)(command)

    return add


beside_written = beside_options(
    "Store only how the file differs from this one; decompressing needs the same file.",
    "A primer of your own (nzip primer make), which short records begin behind; decompressing needs it too.",
)
beside_read = beside_options(
    "The old file that the file was made beside, with --like.",
    "The primer that the file was made with, with --primer.",
)


def known(like: str | None, primer: str | None) -> dict[str, Any]:
    """Return what is known beside files, read once, as arguments.

    Raises:
        UsageError: both are named.
        NzipError, OSError: it cannot be read.
    """
    if like is None and primer is None:
        return {}
    if like is not None and primer is not None:
        raise click.UsageError("--like and --primer do not go together")
    from nzip.codec.like import Known

    found = Known.of(like, primer)
    return {"like": found.old, "primer": found.primer}


removal_option = click.option(
    "--rm/--keep",
    " /-k",
    "remove",
    default=False,
    cls=Pair,
    off_help="Keep the input; the default.",
    help="Delete the input once the output was read back and compared. The default is to keep it.",
)


def inputs(files: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files to work on: stdin where none is named.

    Raises:
        UsageError: none is named and stdin is a terminal.
    """
    if files:
        return files
    if sys.stdin is None or on_terminal(sys.stdin):
        raise click.UsageError("name a file, or feed data to stdin", click.get_current_context())
    return ("-",)


def stdin() -> BinaryIO:
    """Return stdin for bytes.

    Raises:
        ClickException: it is closed.
    """
    if sys.stdin is None:
        raise click.ClickException("stdin: is closed; feed data to it, or name a file")
    return sys.stdin.buffer


def stdout() -> BinaryIO:
    """Return stdout for bytes.

    Raises:
        ClickException: it is closed.
    """
    if sys.stdout is None:
        raise click.ClickException("stdout: is closed; use -o FILE")
    return sys.stdout.buffer


class Destination:
    """Where the outputs of a run go: -o and -c, checked against each other and the number of inputs.

    Args:
        files: the inputs.
        output: what -o says.
        to_stdout: -c was given.
        as_json: stdout is taken by JSON.
        remove: inputs are to be deleted.
    """

    def __init__(
        self, files: tuple[str, ...], output: str | None, to_stdout: bool, *, as_json: bool, remove: bool
    ):
        ctx = click.get_current_context()
        if output is not None and to_stdout:
            raise click.UsageError("-o and -c exclude each other", ctx)
        if output is not None and descriptor_of(output) == 1:  # /dev/stdout
            output = "-"
        self.folder = output if output not in (None, "-") and os.path.isdir(str(output)) else None
        self.file = None if self.folder is not None or output == "-" else output
        self.to_stdout = to_stdout or output == "-"
        if self.file is not None and (self.file.endswith("/") or not self.file):
            raise click.UsageError(f"-o {self.file!r} is no directory", ctx)
        if self.file is not None and len(files) > 1:
            raise click.UsageError(f"-o {self.file} is no directory, and there are {len(files)} inputs", ctx)
        if self.folder is not None and "-" in files:
            raise click.UsageError("what comes from stdin has no name to give it in a directory; use -o FILE", ctx)
        self.uses_stdout = self.to_stdout or (self.file is None and "-" in files)
        if self.uses_stdout and as_json:
            raise click.UsageError("--json needs stdout; write the data to a file with -o", ctx)
        if remove and (self.uses_stdout or "-" in files):
            raise click.UsageError("--rm needs a file to read and a file to write", ctx)

    def of(self, name: str) -> str | None:
        """Return the path to write what is automatically called `name`; None for stdout."""
        if self.to_stdout:
            return None
        if self.folder is not None:
            return os.path.join(self.folder, os.path.basename(name))
        return self.file if self.file is not None else name
