"""Finder of coded streams in PDF files, of the predictors in them, and of the pictures.

ISO 32000-1, 7.3.8 (streams), 7.4.3 (ASCII85Decode), and 7.4.4 (LZWDecode, FlateDecode and their predictors).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.deflated import zlib_stream
from nzip.formats.content.containers.pixels import picture, pixels
from nzip.formats.content.containers.streams import Budget, Search
from nzip.formats.openers.wrapped import zlib_header

BEFORE = 4096  # bytes before the word that may be the stream's dictionary
MOST = 1 << 24  # columns
FILTERS = re.compile(rb"/F(?:ilter)?\s*(?:\[((?:\s*/\w+){1,8})\s*\]|(/\w+))")
OPENERS = {b"FlateDecode": "zlib", b"Fl": "zlib", b"LZWDecode": "lzw", b"LZW": "lzw", b"ASCII85Decode": "ascii85",
           b"A85": "ascii85", b"CCITTFaxDecode": "fax", b"CCF": "fax"}  # fmt: skip
FAX = re.compile(rb"/(K|Columns|Rows|Height|H)\s+(-?\d{1,7})\b")
ALIGNED = re.compile(rb"/EncodedByteAlign\s+true\b")
WIDTH = 1728  # columns of a facsimile that does not say
NUMBER = re.compile(rb"/(Predictor|Columns|Colors|BitsPerComponent|BPC|Width|W|Height|H|EarlyChange)\s+(\d{1,8})\b")
INDEXED = re.compile(rb"/Indexed\b|/I\b")
END = b"endstream"

Inside = Callable[[bytes], Iterable[Found]]


def pdf_stream(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the stream whose keyword is at `at`, if a filter codes it that can be undone."""
    start = at + 7
    if data[start - 1] == 0x0D and data[start : start + 1] == b"\n":
        start += 1
    words = data[max(0, at - BEFORE) : at] if budget.walk(BEFORE) else b""
    words = words[words.rfind(b" obj") + 1 :]
    named = FILTERS.search(words)
    filters = [OPENERS.get(name) for name in (named[1] or named[2]).replace(b"/", b" ").split()] if named else []
    numbers = {name: int(value) for name, value in NUMBER.findall(words)}
    inside = _decoded(numbers, INDEXED.search(words) is not None, budget.again)
    if filters[:1] == ["fax"]:
        return _until_end(data, start, filters, numbers, None, budget, _fax(words))
    if filters[:1] in (["lzw"], ["ascii85"]):
        return _until_end(data, start, filters, numbers, inside, budget)
    if not zlib_header(data[start : start + 2]):
        return []
    found = zlib_stream(data, start, budget)
    return [found[0]._replace(inside=inside)] if found and filters == ["zlib"] else found


def _until_end(
    data: bytes, start: int, filters: list[str | None], numbers: dict[bytes, int], inside: Inside | None,
    budget: Budget, fax: dict[str, Any] | None = None,
) -> list[Found]:  # fmt: skip
    """Find a stream whose coding does not say itself where it ends: the keyword behind it does."""
    most = start + max(0, budget.walked)
    end = data.find(END, start, most)
    if not budget.walk((end if end >= 0 else min(most, len(data))) - start) or end < 0:
        return []
    stop = end - (2 if data[end - 2 : end] == b"\r\n" else 1 if data[end - 1 : end] in (b"\n", b"\r") else 0)
    coded = data[start:stop]
    if filters[0] == "fax":
        if not fax or not coded or len(filters) > 1:
            return []
        leaf = pixels((fax["width"] + 7) // 8, 1, 1)
        return [Found(start, stop, "fax", fax, inside=leaf)]
    if filters[0] == "lzw":
        hints: dict[str, Any] = {"big": True, "early": numbers.get(b"EarlyChange", 1) != 0}
        return [Found(start, stop, "lzw", hints, inside=inside if len(filters) == 1 else None)] if coded else []
    coded = coded[: coded.rfind(b"~>") if b"~>" in coded else len(coded)].rstrip()
    lead = len(coded) - len(coded.lstrip())
    hints = _lines(coded[lead:])
    behind = inside if len(filters) == 1 else None
    if len(filters) == 2 and filters[1]:
        opener, last = filters[1], inside

        def behind(inner: bytes) -> Iterable[Found]:
            return [Found(0, len(inner), opener, inside=last)]

    return [Found(start + lead, start + len(coded), "ascii85", hints, inside=behind)] if coded[lead:] else []


def _fax(words: bytes) -> dict[str, Any] | None:
    """Return what a dictionary says of a facsimile, if it is one of group 4."""
    numbers = {name: int(value) for name, value in FAX.findall(words)}
    width = numbers.get(b"Columns", WIDTH)
    rows = numbers.get(b"Height", numbers.get(b"H", 0)) or numbers.get(b"Rows", 0)
    if numbers.get(b"K", 0) >= 0 or width <= 0 or rows < 0:
        return None
    return {"width": width, "rows": (rows,), "aligned": ALIGNED.search(words) is not None}


def _lines(text: bytes) -> dict[str, Any]:
    """Return how text is broken in lines, as the openers of digits take it."""
    lines = re.split(rb"([\r\n]+)", text, maxsplit=2)
    if len(lines) < 3:
        return {}
    return {"first": len(lines[0]), "line": len(lines[2]), "between": lines[1]}


def _decoded(numbers: dict[bytes, int], indexed: bool, again: Search) -> Inside | None:
    """Return what finds rows and pictures in a stream with these numbers in its dictionary; None for the usual.

    Rows that are no picture stay filtered: in tables of places, differences are better than places.
    """
    predictor, bits = numbers.get(b"Predictor", 1), numbers.get(b"BitsPerComponent", numbers.get(b"BPC", 8))
    width, height = numbers.get(b"Width", numbers.get(b"W", 0)), numbers.get(b"Height", numbers.get(b"H", 0))
    colors, columns = numbers.get(b"Colors", 1), numbers.get(b"Columns", 1)
    if bits not in (1, 2, 4, 8, 16) or not (0 < columns < MOST and width < MOST and height < MOST and 0 < colors < 33):
        return None
    if predictor < 2:
        return _picture(width, height, bits, indexed, again) if width and height else None
    if not (width and height):
        return lambda inner: ()
    row, step = (columns * colors * bits + 7) // 8, max(1, colors * bits // 8)
    opener, hints = "rows", dict[str, Any](row=row, step=step)
    if predictor == 2:
        if bits < 8:
            return lambda inner: ()
        opener, hints = "differences", {"row": row, "width": bits // 8, "channels": colors, "big": True}
    leaf = pixels(row, bits, colors, indexed=indexed, big=True)
    return lambda inner: [Found(0, len(inner), opener, hints, inside=leaf)]


def _picture(width: int, height: int, bits: int, indexed: bool, again: Search) -> Inside:
    """Return what finds a picture without a predictor, whose channels its size tells."""

    def inside(inner: bytes) -> Iterable[Found]:
        for channels in (1, 3, 4, 2):
            row = (width * bits * channels + 7) // 8
            if 0 <= len(inner) - row * height <= 2:
                segment = picture(len(inner), row, bits, channels, indexed=indexed, big=True)
                return [] if segment is None else [Found(0, len(inner), segment=segment)]
        return again(inner, (0,), 0)

    return inside
