"""Searching files: compressed ones, packed directories, and such as are not compressed."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.like import Known, Like
from nzip.codec.nzipfile import NzipFile
from nzip.codec.reader import ContentReader, can_seek
from nzip.codec.search.lines import Selection
from nzip.codec.search.walk import BlockWalk, Walk
from nzip.codec.threads import thread_count
from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.container.structures import MAGIC
from nzip.formats.search.matching import Matcher
from nzip.formats.search.times import Range, asked_time

ARCHIVE = "tar"


class Found(NamedTuple):
    """A content that is searched: its path in a packed directory, None where the file is none, and its pieces."""

    inner: str | None
    walk: Walk


class Searcher:
    """Opens files to be searched.

    Args:
        matcher: what is looked for; None where other lines are wanted as well.
        times: when the lines are of.
        threads, max_memory, like, primer: as for `Decompressor`.
        tables: go by tables of words and times.
    """

    def __init__(
        self,
        matcher: Matcher | None,
        times: Range | None = None,
        *,
        threads: int = 1,
        max_memory: int = DEFAULT_MAX_MEMORY,
        like: Like = None,
        primer: Like = None,
        tables: bool = True,
    ):
        self._matcher, self._times, self._tables = matcher, times, tables
        self._threads, self._max_memory = threads, max_memory
        self._known = Known.of(like, primer)

    def contents(self, file: BinaryIO) -> Iterator[Found]:
        """Give what is to be searched in a file; each is to be read before the next.

        Raises:
            CorruptError, UnsupportedError, LimitError, OSError: as reading does.
        """
        timed = self._times is not None
        begin = _begin(file, len(MAGIC))
        if begin[0] != MAGIC:
            yield Found(None, Walk(begin[1].read, timed))
            return
        beside: dict[str, Any] = {"like": self._known.old, "primer": self._known.primer}
        with contextlib.ExitStack() as stack:
            if self._tables and can_seek(file):
                reader = stack.enter_context(
                    contextlib.closing(
                        ContentReader(file, max_memory=self._max_memory, threads=self._threads, known=self._known)
                    )
                )
                count = thread_count(self._threads)
                walk = _block_walk(reader, self._matcher, self._times, self._max_memory, count)
                if walk is not None:
                    yield Found(None, walk)
                    return
                file.seek(0)
            content = stack.enter_context(
                NzipFile(cast(Any, begin[1]), threads=self._threads, max_memory=self._max_memory, **beside)
            )
            content.peek(1)
            if content.header is None or content.header.kind != ARCHIVE:
                yield Found(None, Walk(content.read, timed))
                return
            try:
                with tarfile.open(fileobj=content, mode="r|") as archive:
                    for entry in archive:
                        inner = archive.extractfile(entry) if entry.isfile() else None
                        if inner is not None:
                            yield Found(entry.name, Walk(inner.read, timed))
            except tarfile.TarError as error:
                raise CorruptError(f"the archive in it is damaged ({error})") from None


def _block_walk(
    reader: ContentReader, matcher: Matcher | None, times: Range | None, max_memory: int, ahead: int
) -> BlockWalk | None:
    """Return what leaves out blocks; None where none can be."""
    try:
        if not reader.places().gaps:
            return None
    except (CorruptError, UnsupportedError):
        return None  # reading says what is wrong, behind what is sound
    walk = BlockWalk(reader, matcher, times, max_memory, ahead)
    return walk if walk.leaves_out else None


class _Behind(io.RawIOBase):
    """What was read of a stream that cannot go back, and the rest of it."""

    def __init__(self, data: bytes, file: BinaryIO):
        self._data, self._file = data, file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._data:
            data, self._data = self._data[:size] if size >= 0 else self._data, self._data[size:] if size >= 0 else b""
            return data
        return self._file.read(size)


def _begin(file: BinaryIO, size: int) -> tuple[bytes, Any]:
    """Return the first bytes of a file, and what reads it from its start."""
    begin = b""
    while len(begin) < size:
        data = file.read(size - len(begin))
        if not data:
            break
        begin += data
    if can_seek(file):
        file.seek(-len(begin), os.SEEK_CUR)
        return begin, file
    return begin, _Behind(begin, file)


def asked_range(after: str | None, before: str | None) -> Range | None:
    """Return the range of times that a user names; None where it is all.

    Raises:
        ValueError: one is no time.
    """
    if after is None and before is None:
        return None
    found = []
    for text in (after, before):
        time = None if text is None else asked_time(text)
        if text is not None and time is None:
            raise ValueError(f"{text!r} is no time; write it as 2015-07-29 17:41:44, its beginning, or Jun 14 15:16")
        found.append(time)
    return Range(*found)


def grep(
    file: str | os.PathLike[str] | BinaryIO,
    pattern: str | bytes,
    *,
    syntax: str = "basic",
    any_case: bool = False,
    words: bool = False,
    lines: bool = False,
    invert: bool = False,
    after: str | None = None,
    before: str | None = None,
    utf8: bool = True,
    threads: int = 1,
    max_memory: int = DEFAULT_MAX_MEMORY,
    like: Like = None,
    primer: Like = None,
    tables: bool = True,
) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a compressed text that match, as grep finds them: number, the first being 1, and bytes.

    Blocks of which the file's table says that they hold no such line are not decoded. What is no nzip file is searched
    as it is; of a packed directory, the files in it one after the other.

    Args:
        file: a path, or a binary file.
        pattern: one, or several, a line each.
        syntax: `"basic"`, `"extended"` or `"fixed"`.
        any_case: letters match those of the other case.
        words, lines: only whole words, or whole lines, match.
        invert: give the lines that do not match.
        after, before: only lines of these times: from one on, and before the other.
        utf8: the text is UTF-8; else every byte is a character.
        threads, max_memory, like, primer: as for `Decompressor`.
        tables: believe what the file's table says of its words; a file can be made to deceive by it.

    Raises:
        ValueError: the pattern is wrong, or a time is none.
        CorruptError, UnsupportedError, LimitError, OSError: as reading does, behind the lines before.
    """
    text = pattern.decode("utf-8", "surrogateescape") if isinstance(pattern, bytes) else pattern
    matcher = Matcher([text], syntax=syntax, any_case=any_case, words=words, lines=lines, utf8=utf8)
    times = asked_range(after, before)
    searcher = Searcher(
        None if invert else matcher,
        times,
        threads=threads,
        max_memory=max_memory,
        like=like,
        primer=primer,
        tables=tables,
    )
    return _lines(file, searcher, matcher, invert, times)


def _lines(
    file: str | os.PathLike[str] | BinaryIO, searcher: Searcher, matcher: Matcher, invert: bool, times: Range | None
) -> Iterator[tuple[int, bytes]]:
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(open(file, "rb")) if isinstance(file, str | os.PathLike) else file
        for found in searcher.contents(opened):
            for line in Selection(found.walk, matcher, invert=invert, times=times, binary=True):
                yield line.number, line.text
