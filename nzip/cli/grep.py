"""`nzip grep`: grep for compressed text."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from nzip.cli import options
from nzip.cli.output.errors import describe
from nzip.cli.output.lines import complain, on_terminal, pipe_closed

if TYPE_CHECKING:
    from nzip.codec.search.lines import Line

SELECTED, NOTHING, TROUBLE = 0, 1, 2  # exit statuses, as grep's
STDIN = "(standard input)"
FLUSHED = 1 << 16  # bytes of output that are written together
VALUED = re.compile(r"-[A-Za-z]*[efmABC]|--(regexp|file|after|before|(after-|before-)?context|max-count)")
COLOURS = {"match": b"01;31", "name": b"35", "number": b"32", "mark": b"36"}


class Command(options.Command):
    """A command that takes `-5` for `-C 5`, and patterns that begin as an option does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        found: list[str] = []
        literal = value = False
        for word in args:
            literal = literal or (word == "--" and not value)
            if re.fullmatch(r"-[0-9]+", word) and not (literal or value):
                found += ["-C", word[1:]]
            elif value and word.startswith("-"):
                found[-1] += "=" + word if found[-1].startswith("--") else word
            else:
                found.append(word)
            value = not (value or literal) and VALUED.fullmatch(word) is not None
        return super().parse_args(ctx, found)


@dataclass
class Style:
    """How lines are printed.

    Attributes:
        names, numbers, offsets: these stand before lines.
        only: only what matches is printed.
        colours: for matches, names and marks.
        around: lines around those that are selected are printed.
        as_text: bytes that are no text are printed.
        utf8: text is UTF-8.
        invert: what is selected does not match.
    """

    names: bool
    numbers: bool
    offsets: bool
    only: bool
    colours: bool
    around: bool
    as_text: bool
    utf8: bool
    invert: bool


class Printer:
    """Writes lines as grep does.

    Args:
        style: how.
        spans: gives the places of a line that match.
    """

    def __init__(self, style: Style, spans: Any):
        self._style, self._spans = style, spans
        self._parts: list[bytes] = []
        self._size = 0
        self._used = False  # whether lines were printed before

    def line(self, name: str, line: Line) -> bool:
        """Print a line of the file `name`; False where it is no text, and was not printed."""
        style = self._style
        if style.around:
            if self._used and line.apart:
                self._write(self._painted("mark", b"--") + b"\n")
            self._used = True
        matching = line.selected != style.invert
        if style.only:
            whole = True
            for begin, end in self._spans(line.text) if matching else ():
                part = line.text[begin:end]
                if self._is_text(part):
                    head = self._head(name, line, line.offset + begin)
                    self._write(head + self._painted("match", part) + b"\n")
                else:
                    whole = False
            return whole
        if not self._is_text(line.text):
            return False
        text = line.text
        if style.colours and matching:
            parts, at = [], 0
            for begin, end in self._spans(text):
                parts += [text[at:begin], self._painted("match", text[begin:end])]
                at = end
            text = b"".join((*parts, text[at:]))
        self._write(self._head(name, line, line.offset) + text + b"\n")
        return True

    def named(self, name: str, text: bytes = b"") -> None:
        """Print the name of a file, and `text` behind a mark."""
        more = self._painted("mark", b":") + text if text else b""
        self._write(self._painted("name", os.fsencode(name)) + more + b"\n")

    def plain(self, text: bytes) -> None:
        """Print a line."""
        self._write(text + b"\n")

    def flush(self) -> None:
        """Write what was not written yet."""
        parts, self._parts, self._size = self._parts, [], 0
        if parts:
            out = options.stdout()
            out.write(b"".join(parts))
            out.flush()

    def _head(self, name: str, line: Line, offset: int) -> bytes:
        style = self._style
        mark = self._painted("mark", b":" if line.selected else b"-")
        head = b""
        if style.names:
            head += self._painted("name", os.fsencode(name)) + mark
        if style.numbers:
            head += self._painted("number", b"%d" % line.number) + mark
        if style.offsets:
            head += self._painted("number", b"%d" % offset) + mark
        return head

    def _is_text(self, text: bytes) -> bool:
        if self._style.as_text or not self._style.utf8 or text.isascii():
            return True
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
        return True

    def _painted(self, what: str, text: bytes) -> bytes:
        return b"\33[%bm\33[K%b\33[m\33[K" % (COLOURS[what], text) if self._style.colours else text

    def _write(self, text: bytes) -> None:
        self._parts.append(text)
        self._size += len(text)
        if self._size >= FLUSHED:
            self.flush()


@click.command(
    cls=Command,
    short_help="Search compressed text, and decode what may match only.",
    context_settings={"help_option_names": ["--help"]},
)
@click.argument("words", nargs=-1, type=options.ANY_PATH, metavar="PATTERN [FILES]...")
@click.option("-E", "--extended-regexp", "syntax", flag_value="extended", help="PATTERN is an extended expression.")
@click.option("-F", "--fixed-strings", "syntax", flag_value="fixed", help="PATTERN is text that stands for itself.")
@click.option("-G", "--basic-regexp", "syntax", flag_value="basic", help="PATTERN is a basic expression; the default.")
@click.option("-e", "--regexp", "patterns", multiple=True, metavar="PATTERN", help="A pattern; can be repeated.")
@click.option("-f", "--file", "pattern_files", multiple=True, type=options.ANY_PATH, help="Patterns, a line each.")
@click.option("-i", "--ignore-case", "-y", "any_case", is_flag=True, help="Letters match those of the other case.")
@click.option("-v", "--invert-match", "invert", is_flag=True, help="Select lines that do not match.")
@click.option("-w", "--word-regexp", "whole_words", is_flag=True, help="Match whole words only.")
@click.option("-x", "--line-regexp", "whole_lines", is_flag=True, help="Match whole lines only.")
@click.option("--after", metavar="TIME", help="Only lines from TIME on, by the times that they begin with.")
@click.option("--before", metavar="TIME", help="Only lines before TIME, as 2015-07-29 17:41, Jun 14, 10/Oct/2000.")
@click.option("-c", "--count", is_flag=True, help="Print how many lines are selected in each file.")
@click.option("-l", "--files-with-matches", "with_matches", is_flag=True, help="Print names of files with such lines.")
@click.option("-L", "--files-without-match", "without_match", is_flag=True, help="Print names of files without any.")
@click.option("-m", "--max-count", type=click.IntRange(min=0), metavar="N", help="End a file after N selected lines.")
@click.option("-o", "--only-matching", "only", is_flag=True, help="Print only what matches, a line each.")
@click.option("-n", "--line-number", "numbers", is_flag=True, help="Print the numbers of lines.")
@click.option("-b", "--byte-offset", "offsets", is_flag=True, help="Print where lines begin, in bytes of the content.")
@click.option("-H", "--with-filename", "names", flag_value="yes", help="Print names of files, also of a single one.")
@click.option("-h", "--no-filename", "names", flag_value="no", help="Print no names of files.")
@click.option("-A", "--after-context", type=click.IntRange(min=0), metavar="N", help="Print N lines after each.")
@click.option("-B", "--before-context", type=click.IntRange(min=0), metavar="N", help="Print N lines before each.")
@click.option("-C", "--context", type=click.IntRange(min=0), metavar="N", help="Print N lines around each; also -N.")
@click.option("-a", "--text", "as_text", is_flag=True, help="Print bytes that are no text, too.")
@click.option("-r", "-R", "--recursive", is_flag=True, help="Search all files of directories.")
@click.option("-q", "--quiet", "--silent", is_flag=True, help="Print nothing; the exit status tells.")
@click.option("-s", "--no-messages", is_flag=True, help="Do not say which files cannot be read.")
@click.option(
    "--color", "--colour",
    type=click.Choice(["auto", "always", "never"]), is_flag=False, flag_value="auto", default="never",
    metavar="[WHEN]", help="Colours: auto (on a terminal), always or never.",
)  # fmt: skip
@click.option("--no-table", is_flag=True, help="Decode all, whatever the file's own table of words says.")
@options.beside_read
@options.threads_option
@options.memory_option("Refuse files that need more memory than this (2G where left out).")
def command(**given: Any) -> None:
    """Print the lines of each FILE that match PATTERN, as grep does (stdin without FILE, or for -).

    A FILE that nzip did not make is searched as it is, and of a packed directory each file in it. Of text that nzip
    made at level 2 or above, only the blocks that may hold such lines are decoded.

    Exit status: 0 a line was selected, 1 none, 2 something failed.
    """
    raise click.exceptions.Exit(_Run(given).status())


class _Run:
    """One run of the command.

    Args:
        given: its options.
    """

    def __init__(self, given: dict[str, Any]):
        from nzip.codec.search.files import Searcher, asked_range
        from nzip.formats.search.matching import Matcher

        words: list[str] = list(given["words"])
        patterns = [*given["patterns"]]
        for name in given["pattern_files"]:
            patterns += _listed(name)
        if not given["patterns"] and not given["pattern_files"]:
            if not words:
                raise click.UsageError("missing argument: PATTERN", click.get_current_context())
            patterns = [words.pop(0)]
        self._given = given
        # As it is known that nothing is selected, no file is looked at.
        empty = patterns == [""] and given["invert"] and not (given["whole_lines"] or given["whole_words"])
        self._nothing = given["max_count"] == 0 or empty
        utf8 = _is_utf8()
        try:
            self._times = asked_range(given["after"], given["before"])
            self._matcher = Matcher(
                patterns,
                syntax=given["syntax"] or "basic",
                any_case=given["any_case"],
                words=given["whole_words"],
                lines=given["whole_lines"],
                utf8=utf8,
            )
        except ValueError as error:
            raise click.UsageError(str(error), click.get_current_context()) from None
        self._searcher = Searcher(
            None if given["invert"] else self._matcher,
            self._times,
            threads=given["threads"],
            tables=not given["no_table"],
            **({} if given["memory"] is None else {"max_memory": given["memory"]}),
            **options.known(given["like"], given["primer"]),
        )
        around = given["context"] or 0
        self._before = around if given["before_context"] is None else given["before_context"]
        self._after = around if given["after_context"] is None else given["after_context"]
        self._files = [*_files(words, given["recursive"])]
        several = given["recursive"] or len(words) > 1
        names = several if given["names"] is None else given["names"] == "yes"
        style = Style(
            names=names,
            numbers=given["numbers"],
            offsets=given["offsets"],
            only=given["only"],
            colours=_coloured(given["color"]),
            around=any(given[name] is not None for name in ("context", "before_context", "after_context")),
            as_text=given["as_text"],
            utf8=utf8,
            invert=given["invert"],
        )
        self._style = style
        self._printer = Printer(style, self._matcher.spans)
        self._failed = False
        self._selected = False

    def status(self) -> int:
        """Search all files and return the exit status."""
        if self._nothing and not self._given["without_match"]:
            return NOTHING
        try:
            for name in self._files:
                if self._searched(name):
                    return SELECTED
            self._printer.flush()
        except BrokenPipeError:
            return pipe_closed()
        return TROUBLE if self._failed else SELECTED if self._selected else NOTHING

    def _searched(self, name: str) -> bool:
        """Search the file `name`; return whether nothing more needs to be."""
        try:
            if name != "-" and os.path.isdir(name):
                raise IsADirectoryError(21, "is a directory", name)
            with contextlib.ExitStack() as stack:
                file: BinaryIO = options.stdin() if name == "-" else stack.enter_context(open(name, "rb"))
                label = STDIN if name == "-" else name
                for found in self._searcher.contents(file):
                    if self._content(label if found.inner is None else f"{label}:{found.inner}", found.walk):
                        return True
        except BrokenPipeError:
            raise
        except Exception as error:
            if os.environ.get("NZIP_DEBUG"):
                raise
            self._failed = True
            self._printer.flush()
            if not (self._given["no_messages"] and isinstance(error, OSError)):
                complain(describe(error, "stdin" if name == "-" else name, read=True))
        return False

    def _content(self, name: str, walk: Any) -> bool:
        """Search one content; return whether nothing more needs to be."""
        from nzip.codec.search.lines import Selection

        given, printer = self._given, self._printer
        listed = given["with_matches"] or given["without_match"]
        silent = given["quiet"] or listed or given["count"]
        most = -1 if given["max_count"] is None else given["max_count"]
        selection = Selection(
            walk,
            self._matcher,
            invert=given["invert"],
            times=self._times,
            most=min(most, 1) if most >= 0 and (given["quiet"] or listed) else 1 if given["quiet"] or listed else most,
            before=0 if silent else self._before,
            after=0 if silent else self._after,
            binary=given["as_text"],
        )
        hidden = False  # lines were selected and not printed, for they are no text
        for line in selection:
            if silent:
                continue
            if selection.not_text:
                hidden = hidden or line.selected
                if hidden:
                    break
            else:
                selection.refused = not printer.line(name, line)
                hidden = hidden or selection.refused
        count = selection.count
        if count:
            self._selected = True
            if given["quiet"]:
                return True
        if given["count"] and not listed:
            if self._style.names:
                printer.named(name, b"%d" % count)
            else:
                printer.plain(b"%d" % count)
        if given["with_matches"] and count:
            printer.named(name)
        if given["without_match"] and not count:
            printer.named(name)
        if hidden:
            printer.flush()
            complain(f"{name}: binary file matches")
        return False


def _listed(name: str) -> list[str]:
    """Return the patterns in a file."""
    try:
        data = options.stdin().read() if name == "-" else open(name, "rb").read()  # noqa: SIM115
    except OSError as error:
        raise click.UsageError(describe(error, name, read=True), click.get_current_context()) from None
    text = data.decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def _files(words: list[str], recursive: bool) -> Iterator[str]:
    """Give the files to be searched."""
    if not words:
        if not recursive:
            yield from options.inputs(())
            return
        for path in _inside("."):
            yield os.path.relpath(path)
        return
    for word in words:
        if recursive and word != "-" and os.path.isdir(word):
            yield from _inside(word)
        else:
            yield word


def _inside(folder: str) -> Iterator[str]:
    """Give the regular files below a directory."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def _is_utf8() -> bool:
    """Whether text is UTF-8 here, as the user's locale says."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name)
        if value:
            return "utf8" in value.lower().replace("-", "")
    return True


def _coloured(when: str) -> bool:
    return when == "always" or (
        when == "auto" and on_terminal(sys.stdout) and os.environ.get("TERM", "dumb") != "dumb"
    )
