"""The command `nzip`: a group that loads a command's file when that command is used.

Invariants: importing this module imports neither numpy, numba, zstandard nor rich; every failure ends as one line
on stderr and an exit status (see `docs/reference/BEHAVIOUR.md`), never as a traceback.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from nzip._version import __version__
from nzip.cli.output import errors, lines, signals, words

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

OWN_OPTIONS = ("-h", "--help", "-V", "--version")

# Name, help line: what `nzip --help` shows without loading the commands.
COMMANDS = {
    "compress": "Compress files, or directories with -r.",
    "decompress": "Restore files and directories.",
    "test": "Check files without writing anything.",
    "list": "List sizes and ratios of compressed files.",
    "grep": "Search compressed text, and decode what may match only.",
    "info": "Show all that a compressed file says about itself.",
    "levels": "Show the levels: engine, block size, memory.",
    "engines": "Show the engines, and the parameters they take.",
    "bench": "Measure nzip, and other compressors, on your files.",
    "eval": "Measure models and data by how well they compress.",
    "corpora": "List, fetch and verify the public test corpora.",
    "models": "List, fetch, add, verify and remove language models.",
    "train": "Learn a model from your pictures, sounds or records.",
    "primer": "Make primers of your own, which short records begin behind.",
    "tokenize": "Turn text into Equal-Info tokens for training models, and back.",
    "prepare": "Compile everything ahead: for images and read-only installations.",
    "completion": "Print the completion script for a shell.",
}


class HelpfulCommand(click.Command):
    """A command that prints its help where it is given nothing at all, and ends well."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:  # for groups click 8.2 and later call that an error
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)


class HelpfulGroup(HelpfulCommand, click.Group):
    """A group that prints its help where nothing is named, and names its commands where one is mistyped."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"there is no command {words.shown(args[0])!r}; there are {', '.join(names)}", ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(HelpfulGroup):
    """A group whose commands are imported when they are used.

    Args:
        package: where a command's file is; it defines `command`.
        table: name and help line of each command.
    """

    def __init__(
        self, *args: Any, package: str = "nzip.cli", table: Mapping[str, str] = COMMANDS, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.package, self.table = package, table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.table]  # not list(): that name is the submodule's once it is loaded

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.load(cmd_name) if cmd_name in self.table else None

    def load(self, name: str) -> click.Command:
        """Return the command of this name, which there is."""
        command: click.Command = importlib.import_module(f"{self.package}.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*self.table.items()])


class MainGroup(LazyGroup):
    """The command `nzip` itself: takes gzip's habits, and ends every failure as one line and a status."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            from nzip.cli import habits

            if not ctx.resilient_parsing and habits.is_fed():
                args = ["compress"]
        elif args[0] not in self.table and args[0] not in OWN_OPTIONS:
            from nzip.cli import habits

            if not ctx.resilient_parsing:
                habits.refuse_mistyped(args[0], self.list_commands(ctx), ctx)
            modes = {name: self.load(name) for name in habits.COMMANDS}
            args = habits.translated(args, modes, self.list_commands(ctx))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would write an empty line first
            ctx.exit(lines.interrupted())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands; and files, and the options of compress, for `nzip FILE` compresses."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            compress = self.load("compress")
            return [*super().shell_complete(ctx, incomplete), *compress.shell_complete(ctx, incomplete)]
        # The file comes first: bash forgets what stands before it, and takes files only where nothing else fits.
        return [CompletionItem(incomplete, type="file"), *super().shell_complete(ctx, incomplete)]

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command; end the process with its status in standalone mode, else return it."""
        words.write_any_text()
        first = [*(sys.argv[1:] if args is None else args)][:1]
        try:
            with signals.ending_on("SIGINT", "SIGTERM", "SIGHUP"):
                status = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.UsageError as error:
            named = next((word for word in first if word in self.table and os.path.lexists(word)), None)
            status = lines.usage_error(error, f"; the file called {named} is ./{named}" if named else "")
        except click.ClickException as error:
            status = lines.complain(error.format_message())
        except (click.Abort, KeyboardInterrupt):
            status = lines.interrupted()
        except BrokenPipeError:
            status = lines.pipe_closed()
        except Exception as error:
            if os.environ.get("NZIP_DEBUG"):
                raise
            status = lines.complain(errors.describe(error, "stdout" if isinstance(error, OSError) else None))
        status = lines.flush_stdout(status if isinstance(status, int) else 0)
        if standalone_mode:
            sys.exit(status)
        return status


@click.group(
    cls=MainGroup,
    subcommand_metavar="COMMAND [ARGS]... | FILES...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 all is well, 1 something failed, 2 wrong usage, 130 interrupted.",
)
@click.version_option(__version__, "-V", "--version", prog_name="nzip", message="%(prog)s %(version)s")
def cli() -> None:
    """Compress any file with learned probability models, and get every bit back.

    nzip compress FILE writes FILE.nz and keeps FILE; nzip decompress FILE.nz restores it.

    gzip's ways do too: nzip FILE, nzip -d FILE.nz, -c, -t, -l, -9, nzip < IN > OUT, tar -I nzip; FILE is kept.
    A file that is called like a command is written ./list.
    """


def main() -> None:
    """Run the command `nzip` and end the process with its exit status."""
    cli.main(prog_name="nzip")


def unnz() -> None:
    """Run `nzip -d`, whose other name `unnz` is."""
    cli.main(["-d", *sys.argv[1:]], prog_name="nzip")


def nzcat() -> None:
    """Run `nzip -dc`, whose other name `nzcat` is."""
    cli.main(["-dc", *sys.argv[1:]], prog_name="nzip")
