"""Which blocks of a member may hold lines that a search wants, by the table of their words and times."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nzip.formats.container.search import DOTTED, LETTERS, NUMBERS, Known
from nzip.formats.search.layout import DOTS, LEAST_NUMBER
from nzip.formats.search.matching import Matcher
from nzip.formats.search.patterns import Need
from nzip.formats.search.times import FORMS, Range

_PIECES = re.compile(rb"[A-Za-z]+|[0-9.]+|[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}")
# What a letter may match, in any case, though it is no ASCII: U+017F, U+212A, U+0130, U+0131.
_OTHERS = (b"\xc5\xbf", b"\xe2\x84\xaa", b"\xc4\xb0", b"\xc4\xb1")


def candidates(known: Known, matcher: Matcher | None, times: Range | None) -> bytearray:
    """Return for each block whether a line that begins in it may match.

    Args:
        known: what is known of the member.
        matcher: what is looked for; None for any line.
        times: when the lines are of; None for any time.
    """
    wanted = bytearray(b"\1") * len(known.lines)
    if matcher is not None and matcher.need is not None and known.kinds:
        words = _Words(known, matcher)
        wanted = words.of(matcher.need)
        if matcher.any_case and matcher.utf8:
            for other in _OTHERS:
                wanted = _either(wanted, words.holding(other, True, True))
    if times is not None:
        if known.times is None:  # lines without a time have that of one above, wherever it is
            return bytearray(b"\1") * len(known.lines)
        yearless = FORMS[known.times.form].yearless
        for number, found in enumerate(known.times.ranges):
            if found is None or not times.may_hold(*found, yearless):
                wanted[number] = 0
    return wanted


class _Words:
    """The words of a member's blocks."""

    def __init__(self, known: Known, matcher: Matcher):
        self._known, self._any_case, self._utf8 = known, matcher.any_case, matcher.utf8
        self._words = known.words.lower() if matcher.any_case else known.words

    def of(self, need: Need) -> bytearray:
        """Return for each block whether it may hold what is needed."""
        if need.either:
            wanted = bytearray(len(self._known.lines))
            for other in need.others:
                wanted = _either(wanted, self.of(other))
            return wanted
        wanted = bytearray(b"\1") * len(self._known.lines)
        for found in (*map(self.of, need.others), *self._text(need.text)):
            wanted = _both(wanted, found)
        return wanted

    def _text(self, text: str) -> Iterator[bytearray]:
        """Give for each word of a text which blocks may hold it."""
        data = text.encode("utf-8", "surrogateescape") if self._utf8 else text.encode("latin-1")
        kinds = self._known.kinds
        for piece in _PIECES.finditer(data):
            word = piece[0]
            around = (data[: piece.start()][-1:], data[piece.end() :][:1])
            # In another case, what is beyond ASCII may be a letter of the same word.
            begins, ends = (bool(byte) and (byte.isascii() or not self._any_case) for byte in around)
            if word[0] >= 0x80:
                if kinds & LETTERS and not self._any_case:
                    yield self.holding(word, True, True)
            elif word.isalpha():
                if kinds & LETTERS:
                    yield self.holding(word, begins, ends)
            elif word.count(b".") >= DOTS:
                if kinds & DOTTED:
                    yield self.holding(word, begins, ends)
            elif kinds & NUMBERS and kinds & DOTTED:
                # A number may also stand in a word with dots, which is then listed as a whole.
                for number in re.finditer(rb"[0-9]+", word):
                    if len(number[0]) >= LEAST_NUMBER:
                        yield self.holding(number[0], False, False)

    def holding(self, word: bytes, begins: bool, ends: bool) -> bytearray:
        """Return for each block whether it may hold a word that has `word` in it.

        Args:
            word: the bytes.
            begins, ends: whether the word begins and ends so.
        """
        known, words = self._known, self._words
        wanted = bytearray(known.open)
        key = b"\n" * begins + (word.lower() if self._any_case else word) + b"\n" * ends
        number = counted = at = 0
        while True:
            place = words.find(key, at)
            if place < 0:
                return wanted
            number += words.count(b"\n", counted, place + begins)
            counted = place + begins
            for first, stop in known.steps.blocks(number - 1, len(wanted)):
                wanted[first:stop] = b"\1" * (stop - first)
            at = words.find(b"\n", place + begins + len(word))  # behind the word that was found
            if at < 0:
                return wanted


def _both(first: bytearray, second: bytearray) -> bytearray:
    size = len(first)
    return bytearray((int.from_bytes(first, "little") & int.from_bytes(second, "little")).to_bytes(size, "little"))


def _either(first: bytearray, second: bytearray) -> bytearray:
    size = len(first)
    return bytearray((int.from_bytes(first, "little") | int.from_bytes(second, "little")).to_bytes(size, "little"))
