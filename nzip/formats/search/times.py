"""The times that lines of logs begin with.

A time is a number of microseconds, of the clock that wrote it: a zone that stands with it is not applied. Forms without
a year have times of the year 2000. Of each form two expressions are known: that of all of it, and that of its beginning
(down to the minute, mostly), which says roughly when a line was written.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

SECOND = 1_000_000
DAY = 86_400 * SECOND
NO_YEAR = 2000  # of forms without one; it has all days that there are
EPOCH = date(1970, 1, 1).toordinal() * DAY
BEGINNING = 1 << 16  # bytes of a text in whose lines a form is looked for
LINE = 512  # bytes of a line in which its time is looked for

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = "(?P<name>[A-Z][a-z]{2})"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d)"
_REST = r":(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
_ISO = rf"(?P<year>\d{{4}})[-/.](?P<month>\d\d)[-/.](?P<day>\d\d)[ T]{_CLOCK}"
_CLF = rf"(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):(?P<hour>\d\d):(?P<minute>\d\d)"
_JSON = r'"(?:@timestamp|timestamp|time|date|ts)": ?"'


class Form(NamedTuple):
    """One way in which lines state their time.

    Attributes:
        whole: matches the beginning of a line that has a time.
        head: matches the beginning of such times, in the first `size` bytes of the line.
        size: how many; 0 where times stand elsewhere, and `head` is searched for.
        span: microseconds that times with the same head lie apart at most.
        yearless: there is no year.
        ordered: heads with the same first three bytes, as those of one month, stand in the order of their times.
    """

    whole: re.Pattern[bytes]
    head: re.Pattern[bytes]
    size: int
    span: int = 60 * SECOND
    yearless: bool = False
    ordered: bool = True


def _form(
    head: str, rest: str, size: int, before: str = "", *, minutes: int = 1, yearless: bool = False, ordered: bool = True
) -> Form:
    whole = re.compile((before + head + rest).encode())
    return Form(whole, re.compile(head.encode()), size, minutes * 60 * SECOND, yearless, ordered)


FORMS: tuple[Form, ...] = (
    _form(_ISO, _REST, 16),
    _form(rf"\[{_ISO}", _REST, 17),
    _form(rf"{_MONTH} (?P<day>[ \d]\d) {_CLOCK}", _REST, 12, yearless=True),
    _form(rf"\[[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ \d]\d) {_CLOCK}{_REST} (?P<year>\d{{4}})\]", "", 33, ordered=False),
    _form(rf"\[{_CLF}", r":(?P<second>\d\d)", 0, r"\S{1,255} \S{1,99} [^\[\n]{1,99} ", ordered=False),
    _form(r"(?P<short>\d\d)(?P<month>\d\d)(?P<day>\d\d) (?P<hour>\d\d)(?P<minute>\d\d)", r"(?P<second>\d\d)\b", 11),
    _form(
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)-(?P<hour>\d\d?):(?P<minute>\d\d?)",
        r":(?P<second>\d\d?):(?P<milli>\d{1,3})\b", 14, ordered=False,
    ),
    _form(rf"(?P<month>\d\d)-(?P<day>\d\d) {_CLOCK}", _REST, 11, yearless=True),
    _form(rf"\[(?P<month>\d\d)\.(?P<day>\d\d) {_CLOCK}", _REST + r"\]", 12, yearless=True),
    _form(rf"(?P<short>\d\d)/(?P<month>\d\d)/(?P<day>\d\d) {_CLOCK}", _REST, 14),
    _form(rf"[A-Z](?P<month>\d\d)(?P<day>\d\d) {_CLOCK}", _REST, 11, yearless=True),
    _form(r"(?P<hundreds>[12]\d{7})", r"(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9})|(?P<milli>\d{3}))?\b", 8, minutes=2),
    _form(
        r" (?P<hundreds>[12]\d{7})\d\d \d{4}\.", "", 0,
        r"\S{1,20} (?P<epoch>[12]\d{9}) \d{4}\.\d\d\.\d\d |(?!)", minutes=2, ordered=False,
    ),
    _form(_JSON + _ISO, _REST, 0, r"\{[^\n]{0,300}?", ordered=False),
)  # fmt: skip


@lru_cache(4096)
def _day(year: int, month: int, day: int) -> int:
    """Return the number of a day, -1 for one that there is not."""
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return -1


def _value(found: re.Match[bytes]) -> int | None:
    """Return the time that was found; None where there is no such time."""
    return _moment(found.groupdict())


def _moment(said: dict[str, bytes | None]) -> int | None:
    """Return the time whose parts are `said`."""

    def number(name: str) -> int:
        return int(said.get(name) or 0)

    fraction = int((said.get("fraction") or b"0").ljust(6, b"0")[:6]) + 1000 * number("milli")
    if said.get("epoch"):
        return EPOCH + number("epoch") * SECOND
    if said.get("hundreds"):
        return EPOCH + (100 * number("hundreds") + number("second")) * SECOND + fraction
    name = said.get("name")
    if name:
        text = name.decode().lower()
        if text not in MONTHS:
            return None
        month = 1 + MONTHS.index(text)
    else:
        month = number("month")
    year = number("year") if said.get("year") else 2000 + number("short") if said.get("short") else NO_YEAR
    day = _day(year, month, number("day"))
    hour, minute, second = number("hour"), number("minute"), number("second")
    if day < 0 or hour > 23 or minute > 59 or second > 60:
        return None
    return day * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + fraction


def time_of(text: bytes, at: int, form: Form) -> int | None:
    """Return the time of the line that begins at `at`; None where it has none of this form."""
    found = form.whole.match(text, at, at + LINE)
    return None if found is None else _value(found)


def form_of(text: bytes) -> int | None:
    """Return the number of the form of the times in a text: that of the first line that has a time."""
    for line in text[:BEGINNING].split(b"\n"):
        for number, form in enumerate(FORMS):
            if time_of(line, 0, form) is not None:
                return number
    return None


def rough_times(heads: set[bytes], form: Form) -> tuple[int, int] | None:
    """Return two times between which all lie whose lines begin so; None where none of them is a time."""
    stated = [head for head in heads if form.head.match(head)]
    if form.ordered:
        groups: dict[bytes, list[bytes]] = {}
        for head in stated:
            groups.setdefault(head[:3], []).append(head)
        stated = []
        for each in groups.values():
            ends = min(each), max(each)
            # One that is no time, as of month 13, would hide others.
            stated += ends if all(_rough(end, form) is not None for end in ends) else each
    found = [value for head in stated if (value := _rough(head, form)) is not None]
    return (min(found), max(found) + form.span) if found else None


def _rough(head: bytes, form: Form) -> int | None:
    match = form.head.match(head)
    return None if match is None else _value(match)


# What users write: as much of a time as they like, from its beginning on.
_ASKED = (
    r"(?P<year>\d{4})[-/.](?P<month>\d\d?)(?:[-/.](?P<day>\d\d?)(?:[ T_](?P<hour>\d\d?)(?::(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?)?)?",
    r"(?P<year>\d{4})",
    r"(?P<name>[A-Za-z]{3})(?: +(?P<day>\d\d?)(?: (?P<hour>\d\d?)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)"
    r"(?:[.,](?P<fraction>\d{1,9}))?)?)?)?)?",
    r"(?P<month>\d\d)[-.](?P<day>\d\d)(?: (?P<hour>\d\d?)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)"
    r"(?:[.,](?P<fraction>\d{1,9}))?)?)?)?",
    r"\[?(?P<day>\d\d)/(?P<name>[A-Za-z]{3})/(?P<year>\d{4})(?::(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?)?)?",
    r"\[?[A-Za-z]{3} (?P<name>[A-Za-z]{3}) +(?P<day>\d\d?) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:\.(?P<fraction>\d{1,9}))? (?P<year>\d{4})\]?",
    r"(?P<short>\d\d)/(?P<month>\d\d)/(?P<day>\d\d)(?: (?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?)?)?",
    r"(?P<short>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?: (?P<hour>\d\d)(?:(?P<minute>\d\d)(?P<second>\d\d)?)?)?",
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:-(?P<hour>\d\d?)(?::(?P<minute>\d\d?)(?::(?P<second>\d\d?))?)?)?",
    r"(?P<epoch>[12]\d{9})",
)
_ZONE = r"(?:Z| ?[+-]\d\d:?\d\d)?"


class Asked(NamedTuple):
    """A time that a user names: its microseconds, and whether it has no year."""

    value: int
    yearless: bool


def asked_time(text: str) -> Asked | None:
    """Return the first moment of the time that begins with `text`; None where that is none."""
    for expression in _ASKED:
        found = re.fullmatch((expression + _ZONE).encode(), text.strip().encode())
        if found is None:
            continue
        said = {"month": b"1", "day": b"1", **{name: part for name, part in found.groupdict().items() if part}}
        value = _moment(said)
        if value is not None:
            return Asked(value, not any(said.get(name) for name in ("year", "short", "epoch")))
    return None


def without_year(value: int) -> int:
    """Return the time as if it were of the year that forms without one have."""
    day = date.fromordinal(value // DAY)
    return date(NO_YEAR, day.month, day.day).toordinal() * DAY + value % DAY


class Range(NamedTuple):
    """Lines that are wanted: from one time on and before another; None leaves an end open."""

    after: Asked | None
    before: Asked | None

    def _limits(self, yearless: bool) -> tuple[int | None, int | None, bool]:
        asked = [end for end in self if end is not None]
        bare = yearless or any(end.yearless for end in asked)
        after, before = (None if end is None else without_year(end.value) if bare else end.value for end in self)
        return after, before, bare and not yearless

    def holds(self, value: int, yearless: bool) -> bool:
        """Whether a time is wanted.

        Args:
            value: the time.
            yearless: whether it has no year.
        """
        after, before, strip = self._limits(yearless)
        value = without_year(value) if strip else value
        return (after is None or value >= after) and (before is None or value < before)

    def may_hold(self, least: int, most: int, yearless: bool) -> bool:
        """Whether one of the times from `least` to `most` can be wanted."""
        after, before, strip = self._limits(yearless)
        if strip:
            if date.fromordinal(least // DAY).year != date.fromordinal(most // DAY).year:
                return True
            least, most = without_year(least), without_year(most)
        return (after is None or most >= after) and (before is None or least < before)
