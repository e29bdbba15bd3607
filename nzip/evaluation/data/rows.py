"""Tables in CSV as people's programs write them.

What is read the same: LF, CR LF or CR alone behind a line; a byte order mark in front, of UTF-8, UTF-16 or UTF-32
(what spreadsheets call "Unicode text"); cells of any length; `.gz` and `.nz`. What nobody can read for certain is
refused with its line: a quote that nothing closes (it would swallow what follows), bytes that are no UTF-8, NUL.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

from nzip.errors import NzipError
from nzip.evaluation.data.reading import LARGEST, read_text
from nzip.evaluation.harness.outputs import AnyPath


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
