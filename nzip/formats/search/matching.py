"""Finds the lines of a text that match patterns, and where in them.

Lines are found as grep finds them: with several patterns, whole lines or words, in any case of letters. Where several
matches begin at one place, the longest is meant, as POSIX wants it; Python's expressions give the first one, so longer
ones are looked for where that can differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from nzip.formats.search.patterns import (
    Need,
    Node,
    PatternError,
    Writer,
    either_of,
    is_literal,
    is_one_way,
    is_plain,
    longest,
    needed,
    parse,
)

LEAST_SOUGHT = 2  # characters of a text that is sought before expressions are tried
FOLDED = "kKsS"  # letters that stand, in another case, for some beyond ASCII


class Matcher:
    """Matches lines.

    Args:
        patterns: a line or more each; a line end between two patterns.
        syntax: `basic`, `extended` or `fixed`.
        any_case: letters match those of the other case.
        words, lines: only whole words, or whole lines, match.
        utf8: text is UTF-8; else each byte is a character. Bytes of patterns that are none stand as surrogates.

    Attributes:
        need: what text must hold for a line to match; None where that is not known.

    Raises:
        PatternError: a pattern is wrong, or cannot be searched for.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        *,
        syntax: str = "basic",
        any_case: bool = False,
        words: bool = False,
        lines: bool = False,
        utf8: bool = True,
    ):
        self.any_case, self.utf8 = any_case, utf8
        self._words, self._lines = words, lines
        each = [line for pattern in patterns for line in pattern.split("\n")]
        if not utf8:
            each = [line.encode("utf-8", "surrogateescape").decode("latin-1") for line in each]
        each = list(dict.fromkeys(each))
        self.nothing = not patterns  # no pattern matches no line
        try:
            trees = [parse(line, syntax) for line in each]
            self.need: Need | None = either_of([needed(tree) for tree, _, _ in trees])
            nodes = [tree for tree, _, _ in trees]
            sure = len(nodes) == 1 and is_one_way(nodes[0])
            self._plain = all(map(is_plain, nodes)) and not any_case and not words
            self._bytes: re.Pattern[bytes] = self._compiled(trees, wide=False)
            self._trees = trees
        except RecursionError:
            raise PatternError("the pattern is nested too deep") from None
        self._wide_made: re.Pattern[str] | None = None
        self._literal = b""
        if len(nodes) == 1 and is_literal(nodes[0]) and not (words or lines or any_case):
            self._literal = self._encoded(longest(self.need))
        sought = longest(self.need)
        self._sought = self._encoded(sought) if not any_case and len(sought) >= LEAST_SOUGHT else b""
        self._sure = sure

    def _compiled(self, trees: Sequence[tuple[Node, int, bool]], *, wide: bool) -> Any:
        parts, before = [], 0
        for tree, groups, backs in trees:
            writer = Writer(wide=wide, any_case=self.any_case, utf8=self.utf8, backs=backs, before=before)
            parts.append(writer.write(tree))
            before += groups * backs
        text = "|".join(parts) if parts else "(?!)"
        if self._lines:
            text = f"^(?:{text})$"
        elif self._words:
            text = rf"(?<!\w)(?:{text})(?!\w)"
        flags = re.MULTILINE | (re.IGNORECASE if self.any_case else 0)
        try:
            return re.compile(text if wide else text.encode("latin-1"), flags)
        except (re.error, OverflowError) as error:
            raise PatternError(f"the pattern cannot be searched for ({error})") from None

    @property
    def _wide(self) -> re.Pattern[str]:
        if self._wide_made is None:
            self._wide_made = self._compiled(self._trees, wide=True)
        return self._wide_made

    def _encoded(self, text: str) -> bytes:
        return text.encode("utf-8", "surrogateescape") if self.utf8 else text.encode("latin-1")

    def found(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Give the lines of `text` that match: where each begins, and where it ends, without its line end."""
        if self.nothing or not text:
            return iter(())
        if self._literal:
            return self._holding(text, self._literal, sure=True)
        if self._sought:
            return self._holding(text, self._sought, sure=False)
        if self._plain or not self.utf8 or text.isascii():
            return self._searched(text)
        return self._by_line(text)

    def _holding(self, text: bytes, sought: bytes, *, sure: bool) -> Iterator[tuple[int, int]]:
        at, size = 0, len(text)
        while at < size:
            place = text.find(sought, at)
            if place < 0:
                return
            begin = text.rfind(b"\n", at, place) + 1 or at
            end = text.find(b"\n", place + len(sought))
            end = size if end < 0 else end
            if sure or self._matches(text[begin:end]):
                yield begin, end
            at = end + 1

    def _searched(self, text: bytes) -> Iterator[tuple[int, int]]:
        at, size, search = 0, len(text), self._bytes.search
        while at < size:
            match = search(text, at)
            if match is None or (match.start() == size and text.endswith(b"\n")):
                return
            place = match.start()
            begin = text.rfind(b"\n", at, place) + 1 or at
            end = text.find(b"\n", place)
            end = size if end < 0 else end
            yield begin, end
            at = end + 1

    def _by_line(self, text: bytes) -> Iterator[tuple[int, int]]:
        at, size = 0, len(text)
        while at < size:
            end = text.find(b"\n", at)
            end = size if end < 0 else end
            if self._matches(text[at:end]):
                yield at, end
            at = end + 1

    def _matches(self, line: bytes) -> bool:
        if self._plain or not self.utf8 or line.isascii():
            return self._bytes.search(line) is not None
        return self._wide.search(line.decode("utf-8", "surrogateescape")) is not None

    def spans(self, line: bytes) -> Iterator[tuple[int, int]]:
        """Give the places in a line, its line end left out, that match and are not empty, in order."""
        if self.nothing:
            return
        wide = self.utf8 and not line.isascii()
        text: Any = line.decode("utf-8", "surrogateescape") if wide else line
        expression: Any = self._wide if wide else self._bytes
        at = done = place = 0
        while at < len(text):
            match = expression.search(text, at)
            if match is None or match.start() >= len(text):
                return
            begin, end = match.span()
            if not self._sure:
                end = self._longest(expression, text, begin, end)
            if end == begin:
                at = begin + 1
                continue
            if wide:
                place += len(text[done:begin].encode("utf-8", "surrogateescape"))
                size = len(text[begin:end].encode("utf-8", "surrogateescape"))
                yield place, place + size
                place += size
            else:
                yield begin, end
            at = done = end

    @staticmethod
    def _longest(expression: Any, text: Any, begin: int, end: int) -> int:
        """Return where the longest match that begins at `begin` ends; one ends at `end`."""
        for stop in range(len(text), end, -1):
            if expression.fullmatch(text, begin, stop):
                # What stands behind the end was not seen, so it is tried again with that in sight.
                again = _ending(expression.pattern, expression.flags, len(text) - stop)
                if again.match(text, begin):
                    return stop
        return end


@lru_cache(512)
def _ending(pattern: Any, flags: int, left: int) -> Any:
    """Return an expression that matches where `pattern` does and so many characters of the line follow."""
    flags &= re.MULTILINE | re.IGNORECASE
    if isinstance(pattern, bytes):
        return re.compile(b"(?:%b)(?=[^\\n]{%d}\\Z)" % (pattern, left), flags)
    return re.compile(f"(?:{pattern})(?=[^\\n]{{{left}}}\\Z)", flags)
