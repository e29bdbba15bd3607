"""Streams of PDF files with other filters than deflate: base 85, hexadecimal digits, LZW, facsimiles of group 4.

ISO 32000-1, 7.4. Filters in a row are undone from the first on, as far as they are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.kinds import BITMAP, Segment

FILTERS = re.compile(rb"/Filter\s*(?:\[([^\]]{0,200})\]|/(\w{1,20}))")
NAME = re.compile(rb"/(\w{1,20})")
SHORT = {b"A85": b"ASCII85Decode", b"AHx": b"ASCIIHexDecode", b"LZW": b"LZWDecode", b"CCF": b"CCITTFaxDecode"}
END = re.compile(rb"\r?\n?endstream")
LENGTH = re.compile(rb"/Length\s+(\d{1,10})(?!\s+\d+\s+R)\b")
LINE = re.compile(rb"([!-uz]+)([\r\n\t \0]+)([!-uz]+)")
LEAST = 64  # bytes of a stream
MOST = 1 << 26  # and those that are looked through for its end
HEADED = 95  # confidence

Inside = Callable[[bytes], Iterable[Found]] | None


def stream_end(data: bytes, start: int, words: bytes, budget: Budget) -> int:
    """Return where the stream ends that begins at `start` and whose dictionary is `words`; `start` if nothing says so,
    or its first filter is none of these."""
    if not _filters(words):
        return start
    stated = LENGTH.search(words)
    stop = start + int(stated[1]) if stated else start
    if stop > start and END.match(data, stop) is not None:
        return stop
    most = start + max(0, min(budget.walked, MOST))
    stop = data.find(b"endstream", start, most)
    budget.walked -= (stop if stop >= 0 else min(most, len(data))) - start
    if stop < 0:
        return start
    stop -= data[max(start, stop - 1) : stop] == b"\n"
    return stop - (data[max(start, stop - 1) : stop] == b"\r")


def filtered(coded: bytes, start: int, words: bytes, inside: Inside) -> list[Found]:
    """Find what the first filter of a stream made.

    Args:
        coded: the stream.
        start: where it is.
        words: its dictionary.
        inside: what finds rows and pictures in the stream without its filters.
    """
    return list(_stage(_filters(words), words, inside)(coded, start)) if len(coded) >= LEAST else []


def _filters(words: bytes) -> list[bytes]:
    """Return the filters of a dictionary, if the first one is one of these."""
    names = FILTERS.search(words)
    if names is None:
        return []
    filters = [SHORT.get(name, name) for name in NAME.findall(names[1] or b"/" + (names[2] or b""))]
    return filters if filters and filters[0] in STAGES else []


def _stage(filters: list[bytes], words: bytes, inside: Inside) -> Callable[[bytes, int], Iterable[Found]]:
    """Return what finds what the first of `filters` made in bytes that begin at a place, the second value."""

    def found(coded: bytes, start: int) -> Iterable[Found]:
        rest: Inside = inside
        if len(filters) > 1:
            rest = None
            if filters[1] in STAGES:
                after = _stage(filters[1:], words, inside)
                rest = lambda inner: after(inner, 0)  # noqa: E731
        one = STAGES[filters[0]](coded, words)
        if one is None:
            return []
        first, stop, opener, hints, own = one
        return [Found(start + first, start + stop, opener, hints, inside=own or rest)]

    return found


Stage = tuple[int, int, str, dict[str, Any], Inside]


def _lines(text: bytes) -> dict[str, Any]:
    """How a text is broken into lines, as openers of such text take it; without an answer where it is one line."""
    match = LINE.match(text)
    if match is None:
        return {}
    first, between = len(match[1]), match[2]
    second = len(match[3])
    last = len(text) - text.rfind(between) - len(between)
    line = second if second >= last or match.end() < len(text) else first
    return {"first": first, "line": line, "last": last if last > line else 0, "between": between}


def _ascii85(coded: bytes, words: bytes) -> Stage | None:
    stop = coded.find(b"~>")
    first = len(coded) - len(coded.lstrip())
    if stop < 0:
        return None
    stop = len(coded[:stop].rstrip())
    return (first, stop, "ascii85", _lines(coded[first:stop]), None) if stop - first >= LEAST else None


def _hexadecimal(coded: bytes, words: bytes) -> Stage | None:
    stop = coded.find(b">")
    first = len(coded) - len(coded.lstrip())
    stop = len(coded[: stop if stop >= 0 else len(coded)].rstrip())
    return (first, stop, "hexadecimal", _lines(coded[first:stop]), None) if stop - first >= LEAST else None


def _lzw(coded: bytes, words: bytes) -> Stage | None:
    return 0, len(coded), "lzw", {"early": not re.search(rb"/EarlyChange\s+0\b", words)}, None


def _fax(coded: bytes, words: bytes) -> Stage | None:
    numbers = {name: int(value) for name, value in re.findall(rb"/(K|Columns|Rows|Height|H)\s+(-?\d{1,7})\b", words)}
    width = numbers.get(b"Columns", 1728)
    height = numbers.get(b"Height", numbers.get(b"H", 0)) or numbers.get(b"Rows", 0)
    if numbers.get(b"K", 0) >= 0 or width <= 0 or height < 0:
        return None
    hints = {"width": width, "rows": (height,), "aligned": bool(re.search(rb"/EncodedByteAlign\s+true\b", words))}
    row = (width + 7) // 8

    def leaf(rows: bytes) -> Iterable[Found]:
        segment = Segment("bitmap", len(rows), BITMAP, width=1, channels=1, row=row, confidence=HEADED)
        return [Found(0, len(rows), segment=segment)]

    return 0, len(coded), "fax", hints, leaf


STAGES: dict[bytes, Callable[[bytes, bytes], Stage | None]] = {
    b"ASCII85Decode": _ascii85,
    b"ASCIIHexDecode": _hexadecimal,
    b"LZWDecode": _lzw,
    b"CCITTFaxDecode": _fax,
}
