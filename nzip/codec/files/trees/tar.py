"""Reading tar archives (POSIX.1-2001 pax and GNU) from their start to their end, as data of strangers.

The header of an entry is parsed by the standard library. Its reader of whole archives is not used: it takes a damaged
header for the end of the archive, reads extension headers of any size into memory, and calls itself for each of them.

Invariants: memory and time grow with what is kept of one entry, never with what a header claims; everything that is not
understood is an error that says so; the archive ends at its end mark, and nothing but zeros stands behind it.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from nzip.errors import CorruptError, NzipError, UnsupportedError

BLOCK = 512
CHUNK = 1 << 20
MAX_EXTENSION = 1 << 20  # bytes of an extension header
MAX_NAME = 4096  # bytes of a path, as systems have it

EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "pipe (FIFO)",
}
_KEYS = (b"path", b"linkpath", b"size", b"mtime")  # of the records of pax headers
_NOTHING = bytes(BLOCK)


class UnsafeError(NzipError):
    """The archive asks for what is not done for anybody."""


class Input(Protocol):
    """What an archive is read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


@dataclass
class Entry:
    """One entry of an archive.

    Attributes:
        name: as it stands there, without slashes at its end; bytes that are no UTF-8 as surrogates.
        kind: one of `KINDS`, or `"unknown"`.
        mode: permission bits, with set-id and sticky bits.
        mtime_ns: modification time in nanoseconds since 1970.
        size: bytes of content; 0 for what is no file.
        linkname: what a link leads to.
    """

    name: str
    kind: str
    mode: int
    mtime_ns: int
    size: int
    linkname: str
    _stream: Input
    _left: int = 0

    def read(self, size: int = CHUNK) -> bytes:
        """Return up to `size` bytes of the content, none at its end.

        Raises:
            CorruptError: the archive ends before.
        """
        if not self._left or not size:
            return b""
        data = self._stream.read(min(size, self._left))
        if not data:
            raise broken("it ends within a file")
        self._left -= len(data)
        return data

    def pass_over(self) -> None:
        """Pass over what is left of the content.

        Raises:
            CorruptError: the archive ends before.
        """
        skip = getattr(self._stream, "skip", None)
        if skip is not None:
            skip(self._left)
            self._left = 0
        while self.read():
            pass


def broken(why: str) -> CorruptError:
    """Return the error for an archive that cannot be read."""
    return CorruptError(f"the content is no intact tar archive ({why}); nzip.open gives it as it is")


def entries(stream: Input, *, whole: bool = True) -> Iterator[Entry]:
    """Yield the entries of an archive; what was not read of one's content is passed over.

    Args:
        stream: read from its start to its end; where it has a `skip`, by that many bytes, that passes over contents.
        whole: read what stands behind the end mark too.

    Raises:
        CorruptError: it is damaged.
        UnsafeError: a header or a name is larger than is sensible.
        UnsupportedError: it holds a sparse file.
    """
    lasting: dict[bytes, bytes] = {}  # of global headers
    while True:
        records: dict[bytes, bytes] = {}  # of the entry's own headers
        extended = False
        while True:
            block = _block(stream)
            if block == _NOTHING or not block:
                if extended:
                    raise broken("it ends after an extension header")
                if whole:
                    _expect_zeros(stream)
                return
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except (tarfile.HeaderError, ValueError) as error:
                raise broken(str(error)) from None
            if info.type not in EXTENSIONS:
                break
            extended = info.type != tarfile.XGLTYPE
            _extend(records, lasting, info, stream)
        entry = _entry(info, {**lasting, **records}, stream)
        padding = -entry.size % BLOCK
        yield entry
        entry.pass_over()
        if padding and len(_exactly(stream, padding)) < padding:
            raise broken("it ends within a file")


def _exactly(stream: Input, size: int) -> bytes:
    """Return `size` bytes, fewer at the end."""
    data = stream.read(size)
    if len(data) == size or not data:
        return data
    pieces = [data]
    left = size - len(data)
    while left and (data := stream.read(left)):
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)


def _block(stream: Input) -> bytes:
    """Return a header, nothing at the end."""
    block = _exactly(stream, BLOCK)
    if len(block) not in (0, BLOCK):
        raise broken("it ends within a header")
    return block


def _expect_zeros(stream: Input) -> None:
    """Read the rest, so that every check is made."""
    while data := stream.read(CHUNK):
        if data.strip(b"\0"):
            raise broken("more stands behind its end mark, as where archives were put one after another")


def _extend(records: dict[bytes, bytes], lasting: dict[bytes, bytes], info: tarfile.TarInfo, stream: Input) -> None:
    """Read an extension header."""
    size = info.size
    if not 0 <= size <= MAX_EXTENSION:
        raise UnsafeError(f"it has an extension header of {size:,} bytes, and {MAX_EXTENSION:,} are the most")
    data = _exactly(stream, size + -size % BLOCK)
    if len(data) < size:
        raise broken("it ends within a header")
    data = data[:size]
    if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        key = b"path" if info.type == tarfile.GNUTYPE_LONGNAME else b"linkpath"
        records[key] = data.partition(b"\0")[0]
        return
    into = lasting if info.type == tarfile.XGLTYPE else records
    for key, value in _records(data):
        if key.startswith(b"GNU.sparse."):
            raise _sparse()
        if key in _KEYS:
            into[key] = value


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the records `LENGTH KEY=VALUE` of a pax header."""
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + 20)
        length = data[at:space] if space > 0 else b""
        end = at + int(length) if length.isdigit() else at
        equals = data.find(b"=", space, end)
        if not space < equals < end <= len(data) or data[end - 1] != 10:
            raise broken("bad records in a pax header")
        yield data[space + 1 : equals], data[equals + 1 : end - 1]
        at = end


def _entry(info: tarfile.TarInfo, records: dict[bytes, bytes], stream: Input) -> Entry:
    """Return the entry of a header and the records that go before it; an empty record stands for none."""
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise _sparse()
    name, linkname = info.name, info.linkname
    if value := records.get(b"path"):
        name = _text(value)
    if value := records.get(b"linkpath"):
        linkname = _text(value)
    size = info.size
    if value := records.get(b"size"):
        if not value.isdigit() or len(value) > 19:
            raise broken(f"size {_shown(value)}")
        size = int(value)
    if not 0 <= size < 1 << 63:
        raise broken(f"size {size:,}")
    kind = KINDS.get(info.type, "unknown")
    size = size if kind in ("file", "unknown") else 0
    if value := records.get(b"mtime"):
        mtime_ns = _nanoseconds(value)
    else:
        mtime_ns = int(info.mtime) * 10**9
    if not -(1 << 63) <= mtime_ns // 10**9 < 1 << 63:
        raise broken("a modification time that no system has")
    return Entry(name.rstrip("/") or name[:1], kind, info.mode & 0o7777, mtime_ns, size, linkname, stream, size)


def _text(value: bytes) -> str:
    if b"\0" in value:
        raise broken("a NUL in a name")
    if len(value) > MAX_NAME:
        raise UnsafeError(f"it has a name of {len(value):,} bytes, and {MAX_NAME:,} are the most")
    return value.decode("utf-8", "surrogateescape")


def _nanoseconds(value: bytes) -> int:
    """Return a time, given in seconds as a decimal number, rounded down."""
    match = re.fullmatch(rb"(-?)(\d{1,19})(?:\.(\d*))?", value)
    if match is None:
        raise broken(f"modification time {_shown(value)}")
    sign, whole, part = match[1], match[2], match[3] or b""
    count = int(whole) * 10**9 + int(part[:9].ljust(9, b"0"))
    if not sign:
        return count
    return -count - (1 if part[9:].strip(b"0") else 0)


def _shown(value: bytes) -> str:
    return ascii(value[:40])[1:]


def _sparse() -> UnsupportedError:
    return UnsupportedError(
        "the content is a tar archive with sparse files, which nzip does not extract; nzip.open gives it as it is"
    )
