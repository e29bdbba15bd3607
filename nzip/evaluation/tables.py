"""Tables, lists and lines of text as people's programs write them.

What is read the same: LF, CR LF or CR alone behind a line; a byte order mark in front, of UTF-8, UTF-16 or UTF-32
(what spreadsheets call "Unicode text"); cells of any length; `.gz` and `.nz`. What nobody can read for certain is
refused with its line: a quote that nothing closes (it would swallow what follows), bytes that are no UTF-8, NUL.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Iterator, Sequence
from typing import IO

from nzip.errors import NzipError
from nzip.evaluation.study import AnyPath, open_binary, reading

LARGEST = 1 << 30  # bytes of a table, unpacked
BLOCK = 1 << 20

# The marks of UTF-32 first: that of its little-endian form begins with that of UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_whole(path: AnyPath, most: int = LARGEST) -> bytes:
    """Return the bytes of a file, unpacked where its name says so.

    Raises:
        NzipError: it cannot be read, or has more than `most` bytes.
    """
    with reading(path), open_binary(path) as file:
        data = bytes(file.read(most + 1))
    if len(data) > most:
        raise NzipError(f"{os.fspath(path)}: has more than {most:,} bytes; give a smaller file")
    return data


def read_text(path: AnyPath, most: int = LARGEST) -> str:
    """Return the text of a file in UTF-8, or as its byte order mark says, without the mark.

    Raises:
        NzipError: it cannot be read, is too large, or is no text.
    """
    data, name = read_whole(path, most), os.fspath(path)
    encoding = "utf-8"
    for mark, found in MARKS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], found
            break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        words = f"is not {encoding.upper()} (byte {error.start:,})"
        raise NzipError(f"{name}: {words}; save it as text in UTF-8") from None
    if "\0" in text:
        raise NzipError(f"{name}: holds NUL, as no text does; save it as text in UTF-8")
    return text


def read_rows(path: AnyPath, delimiters: Sequence[str] = (",",)) -> list[tuple[int, list[str]]]:
    """Return the rows of a table in CSV (RFC 4180), each with the number of its first line, blank ones left out.

    Args:
        path: of the file.
        delimiters: the first of these that the first line holds is between cells, or the last.

    Raises:
        NzipError: the file cannot be read, is no text, or a quote is at a wrong place.
    """
    text, name = read_text(path), os.fspath(path)
    head = io.StringIO(text, newline="").readline()
    delimiter = next((sign for sign in delimiters if sign in head), delimiters[-1])
    limit = csv.field_size_limit(LARGEST)
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:
        raise NzipError(
            f"{name}, line {line}: a cell begins with a quote that nothing closes, or goes on behind one; "
            'put such a cell in quotes, and write each quote in it twice ("")'
        ) from None
    finally:
        csv.field_size_limit(limit)
    return rows


def pieces_of_lines(file: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yield the bytes of a text without ends of lines, in pieces, and whether each begins a line; marks are left out.

    Lines may be of any length: none is held as a whole.
    """
    begins, first = True, True
    while block := file.read(BLOCK):
        if first:
            block, first = block.removeprefix(codecs.BOM_UTF8), False
        for at, part in enumerate(block.replace(b"\r", b"\n").split(b"\n")):
            begins = begins or at > 0
            if part:
                yield begins, part
                begins = False
