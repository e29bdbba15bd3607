"""Finder of streams in PDF files that are deflated, of the predictors in them, and of the pictures.

ISO 32000-1, 7.3.8 (streams) and 7.4.4 (FlateDecode and its predictors).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.deflated import zlib_stream
from nzip.formats.content.containers.pixels import picture, pixels
from nzip.formats.content.containers.streams import Budget, Search

BEFORE = 4096  # bytes before the word that may be the stream's dictionary
MOST = 1 << 24  # columns
FLATE = re.compile(rb"/(?:FlateDecode|Fl)\b")
OTHERS = re.compile(rb"/(?:(?:ASCII85|ASCIIHex|LZW|RunLength|DCT|JPX)Decode|A85|AHx|LZW|RL|DCT)\b")
NUMBER = re.compile(rb"/(Predictor|Columns|Colors|BitsPerComponent|BPC|Width|W|Height|H)\s+(\d{1,8})\b")
INDEXED = re.compile(rb"/Indexed\b|/I\b")


def pdf_stream(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the stream whose keyword is at `at`, if it is deflated."""
    start = at + 7
    if data[start - 1] == 0x0D and data[start : start + 1] == b"\n":
        start += 1
    if not (len(data) > start + 2 and data[start] & 15 == 8 and (data[start] << 8 | data[start + 1]) % 31 == 0):
        return []
    found = zlib_stream(data, start, budget)
    if not found:
        return []
    words = data[max(0, at - BEFORE) : at]
    words = words[words.rfind(b" obj") + 1 :]
    if not FLATE.search(words) or OTHERS.search(words):
        return found
    numbers = {name: int(value) for name, value in NUMBER.findall(words)}
    return [found[0]._replace(inside=_inside(numbers, INDEXED.search(words) is not None, budget.again))]


def _inside(numbers: dict[bytes, int], indexed: bool, again: Search) -> Callable[[bytes], Iterable[Found]] | None:
    """Return what finds rows and pictures in a stream with these numbers in its dictionary; None for the usual."""
    predictor, bits = numbers.get(b"Predictor", 1), numbers.get(b"BitsPerComponent", numbers.get(b"BPC", 8))
    width, height = numbers.get(b"Width", numbers.get(b"W", 0)), numbers.get(b"Height", numbers.get(b"H", 0))
    colors, columns = numbers.get(b"Colors", 1), numbers.get(b"Columns", 1)
    if bits not in (1, 2, 4, 8, 16) or not (0 < columns < MOST and width < MOST and height < MOST and 0 < colors < 33):
        return None
    if predictor < 2:
        return _picture(width, height, bits, indexed, again) if width and height else None
    row, step = (columns * colors * bits + 7) // 8, max(1, colors * bits // 8)
    hints: dict[str, Any] = {"row": row, "step": step}
    opener = "rows"
    if predictor == 2:
        if bits < 8:
            return None
        opener, hints = "differences", {"row": row, "width": bits // 8, "channels": colors, "big": True}
    leaf = pixels(row, bits, colors, indexed=indexed, big=True) if width and height else None

    def inside(inner: bytes) -> Iterable[Found]:
        return [Found(0, len(inner), opener, hints, inside=leaf)] if inner else []

    return inside


def _picture(width: int, height: int, bits: int, indexed: bool, again: Search) -> Callable[[bytes], Iterable[Found]]:
    """Return what finds a picture without a predictor, whose channels its size tells."""

    def inside(inner: bytes) -> Iterable[Found]:
        for channels in (1, 3, 4, 2):
            row = (width * bits * channels + 7) // 8
            if 0 <= len(inner) - row * height <= 2:
                segment = picture(len(inner), row, bits, channels, indexed=indexed, big=True)
                return [] if segment is None else [Found(0, len(inner), segment=segment)]
        return again(inner, (0,), 0)

    return inside
