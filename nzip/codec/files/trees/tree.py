"""What is in a packed directory, and single files of it, from the blocks that hold them alone.

A table behind the blocks says where entries stand (`table`). Without one, as in a tar archive of another program,
the headers of the archive are read one after another, and contents are passed over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO, cast

from nzip.closing import Closing
from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.files.sources import refuse_unreadable
from nzip.codec.files.trees import table, tar
from nzip.codec.files.trees.order import walk_order
from nzip.codec.like import Like
from nzip.codec.nzipfile import NzipFile
from nzip.errors import CorruptError, FileError, UnsupportedError, over_memory
from nzip.formats.container.entries import TreeEntry
from nzip.outputs import AnyPath

_ENTRY_COST = 500  # bytes of memory that an entry takes beside its names


def list_tree(
    source: AnyPath | BinaryIO, *, max_memory: int | None = None, like: Like = None, primer: Like = None
) -> list[TreeEntry]:
    """Return the entries of a packed directory, or of any tar archive that was compressed, in the order of their names.

    Args:
        source: a path, or a seekable binary file.
        max_memory: most bytes of memory for a block, and for the entries; None for 2 GiB.
        like, primer: as for `Decompressor`.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`; CorruptError also for a damaged archive.
        FileError: it is no archive.
        OSError: it cannot be read.
    """
    with Tree(source, max_memory=max_memory, like=like, primer=primer) as tree:
        return sorted(tree.entries, key=lambda entry: walk_order(entry.name))


class Tree(Closing):
    """The entries of an archive and their contents, for a `with`.

    Args:
        source, max_memory, like, primer: as for `list_tree`.

    Attributes:
        name: of the source, for messages.
        entries: in the order of the archive.
        tabled: whether they are from a table.
    """

    def __init__(
        self, source: AnyPath | BinaryIO, *, max_memory: int | None = None, like: Like = None, primer: Like = None
    ):
        limit = DEFAULT_MAX_MEMORY if max_memory is None else max_memory
        self._owned = isinstance(source, str | os.PathLike)
        if self._owned:
            path = os.fspath(cast(AnyPath, source))
            refuse_unreadable(path)
            self.name: str = path
            self._file = cast(BinaryIO, open(path, "rb"))  # noqa: SIM115 - closed in close()
        else:
            self._file = cast(BinaryIO, source)
            self.name = getattr(source, "name", "stream")
        self._limit = self._left = limit
        self._stream: _Stream | None = None
        try:
            found = None
            with contextlib.suppress(UnsupportedError):  # a table of a later nzip; the archive says the same
                found = table.decode(self._file, limit, self._keep)
            self.tabled = found is not None
            self._file.seek(0)
            self._content = NzipFile(self._file, max_memory=limit, like=like, primer=primer)
            self.entries = list(self._walked()) if found is None else found
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._owned:
            self._file.close()

    def _keep(self, size: int) -> None:
        self._left -= _ENTRY_COST + size
        if self._left < 0:
            raise over_memory("a list of the archive's entries", self._limit - self._left, self._limit, least=True)

    def _walked(self) -> Iterator[TreeEntry]:
        """Give the entries as the archive's headers have them."""
        stream = _Stream(self._content)
        at = 0
        try:
            for entry in tar.entries(stream, whole=False):
                content = stream.place
                self._keep(len(entry.name) + len(entry.linkname))
                mtime = entry.mtime_ns // 10**9
                yield TreeEntry(
                    entry.name, entry.kind, entry.mode, mtime, entry.size, entry.linkname, content - at, at
                )
                at = content + entry.size + -entry.size % tar.BLOCK
        except CorruptError:
            if at or self._content.header is None or self._content.header.kind == "tar":
                raise
            raise FileError(self.name, "holds no archive of files") from None

    def open(self, entry: TreeEntry) -> tar.Entry:
        """Return an entry with its content, which is read before the next one is opened.

        Raises:
            CorruptError: the archive has another entry there than its table says.
        """
        stream = _Stream(self._content)
        if not self.tabled:
            stream.skip(entry.offset + entry.header)
            mtime_ns = entry.mtime * 10**9
            return tar.Entry(
                entry.name, entry.kind, entry.mode, mtime_ns, entry.size, entry.linkname, stream, entry.size
            )
        stream.skip(entry.offset)
        found = next(tar.entries(stream, whole=False), None)
        if (
            found is None
            or (found.name, found.kind, found.mode, found.mtime_ns, found.size)
            != (entry.name, entry.kind, entry.mode, entry.mtime * 10**9, entry.size)
            or (found.linkname if found.kind in ("link", "hard link") else "") != entry.linkname
            or stream.place != entry.offset + entry.header
        ):
            raise CorruptError(f"the table of entries says of {entry.name!r} what the archive does not say")
        return found


class _Stream:
    """The content from its start, or from a place in it."""

    def __init__(self, content: NzipFile):
        self._content = content
        self.place = 0

    def read(self, size: int) -> bytes:
        self._content.seek(self.place)
        data = self._content.read(size)
        self.place += len(data)
        return data

    def skip(self, size: int) -> None:
        """Pass over bytes."""
        self.place += size
