"""Times of lines, and those that users name."""

from __future__ import annotations

from datetime import datetime

import pytest

from nzip.formats.search.times import DAY, FORMS, SECOND, Range, asked_time, form_of, rough_times, time_of, without_year

LINES = [
    (0, b"2015-07-29 17:41:44,747 - INFO", "2015-07-29 17:41:44.747"),
    (0, b"2016-09-28T04:30:30.25Z x", "2016-09-28 04:30:30.25"),
    (1, b"[2015-07-29 17:41:44] x", "2015-07-29 17:41:44"),
    (2, b"Jun  9 06:06:20 combo", "2000-06-09 06:06:20"),
    (3, b"[Sun Dec 04 04:47:44 2005] [notice]", "2005-12-04 04:47:44"),
    (4, b'127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /"', "2000-10-10 13:55:36"),
    (5, b"081109 203518 143 INFO", "2008-11-09 20:35:18"),
    (6, b"20171223-22:15:29:606|Step", "2017-12-23 22:15:29.606"),
    (6, b"20171224-0:1:2:6|Step", "2017-12-24 00:01:02.006"),
    (7, b"03-17 16:13:38.811  1702", "2000-03-17 16:13:38.811"),
    (8, b"[10.30 16:49:06] chrome.exe", "2000-10-30 16:49:06"),
    (9, b"17/06/09 20:10:40 INFO", "2017-06-09 20:10:40"),
    (10, b"I0317 16:13:38.811221 12 a.cc", "2000-03-17 16:13:38.811221"),
    (11, b"1117838570 a line", "2005-06-03 22:42:50"),
    (11, b"1117838570123 a line", "2005-06-03 22:42:50.123"),
    (12, b"- 1117838570 2005.06.03 R02", "2005-06-03 22:42:50"),
    (13, b'{"level": "info", "ts": "2015-07-29T17:41:44.5Z"}', "2015-07-29 17:41:44.5"),
]


def value(text: str) -> int:
    when = datetime.fromisoformat(text.ljust(26, "0") if "." in text else text)
    seconds = (when.hour * 60 + when.minute) * 60 + when.second
    return when.toordinal() * DAY + seconds * SECOND + when.microsecond


@pytest.mark.parametrize(("form", "line", "when"), LINES)
def test_a_line_states_its_time(form: int, line: bytes, when: str) -> None:
    assert form_of(b"a first line without one\n" + line + b"\n") == form
    assert time_of(line, 0, FORMS[form]) == value(when)
    head = line[: FORMS[form].size]
    heads = {head} if head else {found[0] for found in FORMS[form].head.finditer(line)}
    ends = rough_times(heads, FORMS[form])
    assert ends is not None
    assert ends[0] <= value(when) <= ends[1]


@pytest.mark.parametrize("line", [b"", b"2015-13-29 17:41:44", b"Xyz 14 15:16:01", b"2015-02-30 10:00:00", b"12:00:00"])
def test_what_is_no_time(line: bytes) -> None:
    assert form_of(line) is None


def test_no_heads_hide_others() -> None:
    """One that looks like a time and is none does not hide the first or the last."""
    form = FORMS[0]
    heads = {b"2015-07-29 17:41", b"2015-01-00 00:00", b"2015-99-99 99:99", b"2015-03-01 00:00"}
    assert rough_times(heads, form) == (value("2015-03-01 00:00:00"), value("2015-07-29 17:42:00"))
    assert rough_times({b"no time at all  "}, form) is None


@pytest.mark.parametrize(
    ("text", "when", "yearless"),
    [
        ("2015-07-29 17", "2015-07-29 17:00:00", False), ("2015-07", "2015-07-01 00:00:00", False),
        ("2015", "2015-01-01 00:00:00", False), ("Jun 14", "2000-06-14 00:00:00", True),
        ("jun 4 15:16", "2000-06-04 15:16:00", True), ("10/Oct/2000:13", "2000-10-10 13:00:00", False),
        ("081109 203518", "2008-11-09 20:35:18", False), ("1117838570", "2005-06-03 22:42:50", False),
        ("2015-07-29T17:41:44.5Z", "2015-07-29 17:41:44.5", False), ("03-17 16:13", "2000-03-17 16:13:00", True),
        ("Sun Dec 04 04:47:44 2005", "2005-12-04 04:47:44", False), ("17/06/09", "2017-06-09 00:00:00", False),
    ],
)  # fmt: skip
def test_users_name_times(text: str, when: str, yearless: bool) -> None:
    assert asked_time(text) == (value(when), yearless)


@pytest.mark.parametrize("text", ["", "yesterday", "17:41", "2015-13", "Foo 14"])
def test_what_users_name_that_is_no_time(text: str) -> None:
    assert asked_time(text) is None


def test_ranges() -> None:
    after, before = asked_time("2015-07-29"), asked_time("2015-07-30")
    day = Range(after, before)
    first, last = value("2015-07-29 00:00:00"), value("2015-07-30 00:00:00")
    assert day.holds(first, False)
    assert not day.holds(last, False)
    assert day.may_hold(first - 5, first, False)
    assert not day.may_hold(last, last + 5, False)
    assert day.holds(without_year(first), True)
    june = Range(asked_time("Jun 1"), asked_time("Jul 1"))
    assert june.holds(value("2013-06-30 23:59:59"), False)
    assert not june.holds(value("2013-07-01 00:00:00"), False)
    assert june.may_hold(value("2013-01-01 00:00:00"), value("2014-01-01 00:00:00"), False)
    assert not june.may_hold(value("2013-07-01 00:00:00"), value("2013-12-01 00:00:00"), False)
