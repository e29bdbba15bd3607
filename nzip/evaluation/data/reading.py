"""Files as people's programs write them: packed or not, of any encoding that says so, with lines of any length."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from typing import IO

from nzip.errors import CorruptError, LimitError, NzipError, UnsupportedError
from nzip.evaluation.harness.outputs import AnyPath


@contextlib.contextmanager
def reading(path: AnyPath) -> Iterator[None]:
    """Say which file it is that cannot be read, or decompressed as `open_binary` does.

    Raises:
        NzipError: what is done inside cannot read it.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, CorruptError, UnsupportedError, LimitError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NzipError(f"{os.fspath(path)}: cannot read it: {reason}") from None


def open_binary(path: AnyPath) -> IO[bytes]:
    """Open a file for reading, decompressed if its name ends in `.gz` or `.nz`.

    Raises:
        OSError: it cannot be read.
        CorruptError: it is no nzip file.
    """
    import nzip

    if os.fspath(path).endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if os.fspath(path).endswith(".nz"):
        return nzip.open(path)  # type: ignore[return-value]
    return open(path, "rb")


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
