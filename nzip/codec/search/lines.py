"""Which lines of a content are selected, and those around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nzip.codec.search.walk import Piece, Walk
from nzip.formats.search.matching import Matcher
from nzip.formats.search.times import FORMS, Range, time_of


class Line(NamedTuple):
    """A line that is selected, or stands near one.

    Attributes:
        number: the first is 1.
        offset: where it begins in the content.
        text: without its line end.
        selected: whether it is.
        apart: whether it does not follow the line that was given before it, and was accepted.
    """

    number: int
    offset: int
    text: bytes
    selected: bool
    apart: bool = False


class Selection:
    """The lines of a content that are selected.

    Args:
        walk: gives the content.
        matcher: says which lines match.
        invert: those are selected that do not.
        times: only lines of these times are.
        most: so many lines are selected at most; -1 for all.
        before, after: so many lines before and after each are given as well.
        binary: bytes that are no text are no reason to end; NUL is a character as others.

    Attributes:
        count: how many lines were selected so far.
        refused: who takes the lines sets this where one was not accepted; it is then as if it had not been given.
        not_text: NUL was met, so that the content is no text; each ends a line then.
    """

    def __init__(
        self,
        walk: Walk,
        matcher: Matcher,
        *,
        invert: bool = False,
        times: Range | None = None,
        most: int = -1,
        before: int = 0,
        after: int = 0,
        binary: bool = False,
    ):
        self.count = 0
        self.refused = False
        self.not_text = False
        self._walk, self._matcher, self._invert, self._times = walk, matcher, invert, times
        self._most, self._before, self._after, self._binary = most, before, after, binary
        self._time: int | None = None

    def __iter__(self) -> Iterator[Line]:
        """Give selected lines and those around them, in order, each once."""
        left = 0  # lines that are given because one before is selected
        given = -1  # number of the last line that was given and accepted
        ahead_of = -1  # number of the line behind the last one that was selected
        history: list[Line] = []  # the last lines of the piece before
        for piece in self._walk:
            text = piece.text
            if not self._binary and (self.not_text or b"\0" in text):
                self.not_text = True
                text = text.replace(b"\0", b"\n")
                piece = piece._replace(text=text)
            if not piece.follows:
                history = []
            number, at = piece.line + 1, 0  # of the first line that was not looked at
            following, behind = number, 0  # of the one behind the last that was accepted
            for begin, end in self._selected(piece):
                number += text.count(b"\n", at, begin)
                apart = not (self._invert and ahead_of == number)
                while left and apart and behind < begin:
                    line = _line(text, behind, following, piece.offset)
                    yield line
                    if not self._taken():
                        left = 0
                        break
                    given, left = following, left - 1
                    behind, following = behind + len(line.text) + 1, following + 1
                if self._before and apart:
                    for line in self._lines_before(piece, begin, number, given, history):
                        yield line._replace(apart=apart and line.number - 1 != given)
                        apart = False
                        if self._taken():
                            given = line.number
                            if line.offset >= piece.offset:
                                behind, following = line.offset - piece.offset + len(line.text) + 1, given + 1
                self.count += 1
                left = self._after
                yield Line(number, piece.offset + begin, text[begin:end], True, apart and number - 1 != given)
                at, number = end + 1, number + 1
                if self._taken():
                    given, behind, following = number - 1, at, number
                ahead_of = number
                if self.count == self._most:
                    break
            while left and behind < len(text):
                line = _line(text, behind, following, piece.offset)
                yield line
                if not self._taken():
                    left = 0
                    break
                given, left = following, left - 1
                behind, following = behind + len(line.text) + 1, following + 1
            if self.count == self._most and not left:
                return
            self._walk.more = left > 0
            if self._before:
                last = piece.line + text.count(b"\n") + (not text.endswith(b"\n"))
                history = [*history, *_last(text, len(text), self._before, last, piece.offset)][-self._before :]

    def _taken(self) -> bool:
        """Whether the line that was given was accepted."""
        taken, self.refused = not self.refused, False
        return taken

    def _lines_before(self, piece: Piece, begin: int, number: int, given: int, history: list[Line]) -> list[Line]:
        """Return the lines before line `number`, which begins at `begin` in the piece, that were not given."""
        most = min(self._before, number - 1 - max(given, 0))
        found = _last(piece.text, begin, most, number - 1, piece.offset)
        missing = most - len(found)
        if missing > 0 and not history and not piece.follows:
            texts = self._walk.before(piece.offset, self._before)
            first = piece.line + 1 - len(texts)
            offset = piece.offset - sum(map(len, texts))
            for text in texts:
                history.append(Line(first, offset, text.removesuffix(b"\n"), False))
                first, offset = first + 1, offset + len(text)
        if missing > 0:
            found = history[-missing:] + found
        return [line for line in found if line.number > given]

    def _selected(self, piece: Piece) -> Iterator[tuple[int, int]]:
        """Give where the lines of a piece that are selected begin and end."""
        if self.count == self._most:
            return iter(())
        found = self._matcher.found(piece.text)
        if self._invert:
            found = _others(piece.text, found)
        return found if self._times is None else self._timed(piece, found)

    def _timed(self, piece: Piece, found: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        assert self._times is not None
        if not piece.follows:
            self._time = piece.time
        if piece.form is None:
            return
        form = FORMS[piece.form] if piece.form < len(FORMS) else None
        if form is None:
            return
        # Of the lines before `looked`, the last with a time has this one.
        text, looked, time = piece.text, 0, self._time

        def up_to(end: int) -> int | None:
            """Return the time of the last line before `end` that has one."""
            stop = end
            while stop > looked:
                begin = text.rfind(b"\n", 0, stop - 1) + 1
                value = time_of(text, begin, form)
                if value is not None:
                    return value
                stop = begin
            return time

        for begin, end in found:
            time, looked = up_to(min(end + 1, len(text))), end + 1
            if time is not None and self._times.holds(time, form.yearless):
                yield begin, end
        self._time = up_to(len(text))


def _line(text: bytes, at: int, number: int, offset: int) -> Line:
    """Return the line that begins at `at`, which is not selected."""
    end = text.find(b"\n", at)
    return Line(number, offset + at, text[at : len(text) if end < 0 else end], False)


def _last(text: bytes, stop: int, most: int, number: int, offset: int) -> list[Line]:
    """Return the last lines before `stop`, `most` at most, of which the last one has this number."""
    found: list[Line] = []
    while stop > 0 and len(found) < most:
        begin = text.rfind(b"\n", 0, stop - 1) + 1
        found.append(Line(number - len(found), offset + begin, text[begin:stop].removesuffix(b"\n"), False))
        stop = begin
    return found[::-1]


def _others(text: bytes, found: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Give all lines but those `found`."""
    at = 0
    for begin, end in found:
        yield from _lines(text, at, begin)
        at = end + 1
    yield from _lines(text, at, len(text))


def _lines(text: bytes, at: int, stop: int) -> Iterator[tuple[int, int]]:
    while at < stop:
        end = text.find(b"\n", at)
        end = stop if end < 0 else end
        yield at, end
        at = end + 1
