"""gzip's habits beside the commands: `nzip FILE`, `nzip -d`, `-c`, `-t`, `-l`, `-9k`, and a bare `nzip` in a pipe.

What does not begin with a command's name is read as gzip would read it and handed to the command that does that:
compress, decompress, test or list. So nzip can stand where a program expects gzip (`tar -I`, logrotate, xargs, find).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from nzip.cli.output.words import shown

# Where several are given the one furthest down counts, as in gzip.
MODES = {
    "-z": "compress", "--compress": "compress",
    "-d": "decompress", "--decompress": "decompress", "--uncompress": "decompress",
    "-t": "test", "--test": "test",
    "-l": "list", "--list": "list",
}  # fmt: skip
COMMANDS = tuple(dict.fromkeys(MODES.values()))
OTHER_NAMES = {"--to-stdout": "--stdout", "--silent": "--quiet"}
ALREADY_SO = ("-n", "--no-name")  # no name is stored unless -N asks for it
LEVELS = "levels are -1 … -9"


@dataclass
class Piece:
    """One option, or one argument, of a command line.

    Attributes:
        option: `-d`, `--memory`; empty for an argument, `--` for one that stands behind `--`.
        words: the option's value, if it came with one in a word of its own or behind `=`; or the argument.
    """

    option: str
    words: tuple[str, ...] = ()


def valued(command: click.Command) -> dict[str, bool]:
    """Return the options of `command`, and whether each takes a value."""
    return {
        name: not (param.is_flag or param.count)
        for param in command.params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }


def pieces(args: Sequence[str], takes_value: dict[str, bool]) -> Iterator[Piece]:
    """Take a command line apart: `-9kT4` is `-9`, `-k`, `-T` with `4`. An option that nobody knows takes no value.

    Raises:
        click.UsageError: a level of two digits, which would mean something else silently; an option without the value
            that it takes.
    """
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield from (Piece("--", (name,)) for name in rest)
            return
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if equals:
                yield Piece(name, (value,))
            elif takes_value.get(name):
                yield Piece(name, (_next_word(name, rest, takes_value),))
            else:
                yield Piece(name)
        elif word.startswith("-") and word != "-":
            yield from _cluster(word, rest, takes_value)
        else:
            yield Piece("", (word,))


def _cluster(word: str, rest: list[str], takes_value: dict[str, bool]) -> Iterator[Piece]:
    """Take one word of short options apart; a value may be the next word of `rest`."""
    for at, letter in enumerate(word[1:], 1):
        option, value = f"-{letter}", word[at + 1 :]
        if takes_value.get(option):
            yield Piece(option, (value or _next_word(option, rest, takes_value),))
            return
        if letter.isdigit() and "-1" in takes_value and (letter == "0" or value[:1].isdigit()):
            number = letter + "".join(_leading_digits(value))
            raise click.UsageError(f"-{number} is no level: {LEVELS}", _context())
        yield Piece(option)


def _next_word(option: str, rest: list[str], takes_value: dict[str, bool]) -> str:
    """Take the value of `option` from `rest`.

    Raises:
        click.UsageError: there is none. `--` and the options of this command are none: `nzip FILE --rm -o -f` does not
            write to a file called `-f`.
    """
    if not rest or rest[0] == "--" or rest[0] in takes_value:
        hint = f"; a file called {rest[0]} is ./{rest[0]}" if rest and option in ("-o", "--output") else ""
        raise click.UsageError(f"option {option} requires an argument{hint}", _context())
    return rest.pop(0)


def _context() -> click.Context | None:
    return click.get_current_context(silent=True)


def _leading_digits(text: str) -> Iterator[str]:
    for letter in text:
        if not letter.isdigit():
            return
        yield letter


def translated(args: Sequence[str], modes: Mapping[str, click.Command], table: Sequence[str]) -> list[str]:
    """Return the command, and its arguments, that `args` stand for when they are read as gzip's.

    Options that only other modes know say nothing and are left out: `tar -I 'nzip -9'` runs `nzip -9 -d`.

    Args:
        args: the words behind `nzip`.
        modes: the commands called `COMMANDS`.
        table: the names of all commands.

    Raises:
        click.UsageError: both -z and -d; a level of two digits; an option without its value; a command's name behind
            options, where no file has it.
    """
    known = {name: valued(command) for name, command in modes.items()}
    every = {option: value for options in known.values() for option, value in options.items()}
    # `-d` is a mode here, whatever a command may call so.
    found = [*pieces(args, {**every, **dict.fromkeys([*MODES, *ALREADY_SO], False)})]
    if any(piece.option in ("-V", "--version") for piece in found):
        return ["--version"]
    asked = {MODES[piece.option] for piece in found if piece.option in MODES}
    if {"compress", "decompress"} <= asked:
        raise click.UsageError("-z (compress) and -d (decompress) exclude each other", _context())
    mode = max(asked, key=COMMANDS.index, default="compress")
    if mode == "compress" and args[0].startswith("-"):
        _refuse_misplaced(found, table)
    options: list[str] = []
    arguments: list[str] = []
    for piece in found:
        name = OTHER_NAMES.get(piece.option, piece.option)
        if name in ("", "--"):
            arguments += piece.words
        elif name not in MODES and name not in ALREADY_SO and (name in known[mode] or name not in every):
            options += _spelled(name, *piece.words)
    return [mode, *options, "--", *arguments]


def _spelled(name: str, value: str | None = None) -> list[str]:
    """Return an option as words in which no value can be taken for an option."""
    if value is None:
        return [name]
    if name.startswith("--"):
        return [f"{name}={value}"]
    return [name + value] if len(value) > 1 and value.startswith("-") else [name, value]


def _refuse_misplaced(found: Sequence[Piece], table: Sequence[str]) -> None:
    """Refuse `nzip -v test FILE`: it would compress FILE.

    Raises:
        click.UsageError: an argument before `--` is the name of a command, and of no file.
    """
    for piece in found:
        word = piece.words[0] if not piece.option else ""
        if word in table and not os.path.lexists(word):
            hint = f"if the command {word} is meant, put {word} first"
            raise click.UsageError(f"there is no file {word!r}; {hint}", _context())


def is_fed() -> bool:
    """Whether a bare `nzip` is there to compress stdin: it is a pipe, a file or a device that can give something.

    At a terminal, or where stdin is closed or empty by its nature (/dev/null), help is wanted.
    """
    try:
        status = os.fstat(sys.stdin.fileno())
        if os.isatty(sys.stdin.fileno()):
            return False
    except (AttributeError, OSError, ValueError):
        return False
    return not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.stat(os.devnull).st_rdev


def refuse_mistyped(word: str, table: Sequence[str], ctx: click.Context) -> None:
    """Refuse a first word that is no command, no option, no file, and does not look like the name of one.

    Raises:
        click.UsageError: so it is; it names the command that is meant, or all of them.
    """
    if word.startswith("-") or os.path.lexists(word) or any(mark in word for mark in (os.sep, "/", ".")):
        return
    from difflib import get_close_matches

    near = get_close_matches(word, table, 1)
    hint = f"did you mean {near[0]}?" if near else f"the commands are {', '.join(table)}"
    raise click.UsageError(f"there is no command and no file {shown(word)!r}; {hint}", ctx)
