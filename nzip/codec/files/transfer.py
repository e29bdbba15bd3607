"""The one road of a file: from a source that is read to a target that appears when all is written.

Only then, and only after what was written was read back and compared, is a source deleted that is to go.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import xxhash

from nzip import outputs
from nzip.closing import Closing
from nzip.codec.files.results import FileResult, Progress
from nzip.codec.files.sources import CHUNK, Source
from nzip.codec.files.targets import NewFile, Run, open_target
from nzip.errors import FileError
from nzip.formats.container.structures import Header
from nzip.outputs import AnyPath

Reread = Callable[[Source, Callable[[bytes], Any]], Any]
"""Gives the content of what was written, which it reads from the source, to the function."""


class Transfer(Closing):
    """What is done with one file, for a `with`: on any failure nothing is written, and the source is as it was.

    Args:
        source: a path, or a binary stream.
        remove: delete the source at the end.
        force: overwrite an existing target; with `remove`, delete a link, or one of a file's several names.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.
        progress: hook.
        folder_remedy: what to do when the source turns out to be a directory.

    Attributes:
        src: what is read.
        out: what is written, once it was opened.

    Raises:
        FileError: the source is no regular file; or it is to be deleted, and this name of it is not all there is.
        OSError: it cannot be opened.
    """

    _out: outputs.Target | None = None

    def __init__(
        self,
        source: AnyPath | BinaryIO,
        *,
        remove: bool = False,
        force: bool = False,
        run: Run | None = None,
        progress: Progress | None = None,
        folder_remedy: str = "name the files in it",
    ):
        self._began = time.perf_counter()
        self._remove, self._force, self._run, self._progress = remove, force, run, progress
        self._content = xxhash.xxh3_128()
        self.src = Source(source, folder_remedy=folder_remedy)

        try:
            if remove and not force:
                self.src.refuse_removal()
        except BaseException:
            self.src.close()
            raise

    @property
    def out(self) -> outputs.Target:
        assert self._out is not None
        return self._out

    def close(self) -> None:
        try:
            if self._out is not None:
                self._out.close()
        finally:
            self.src.close()

    def open(self, target: AnyPath | BinaryIO | None, usual: Callable[[str], str]) -> AnyPath | BinaryIO:
        """Open what is to be written, and return its path or the stream.

        Args:
            target: a path, or a binary stream.
            usual: names it, from the source's path, where it is left out.

        Raises:
            FileError: it exists, is the input, or is not to be overwritten.
            OSError: it cannot be opened.
            ValueError: the target is left out, and the source is a stream.
        """
        target = usual(self.src.known_path) if target is None else target
        self._out = open_target(
            target,
            self.src,
            force=self._force,
            remove=self._remove,
            like=self.src.path is not None,
            run=self._run,
        )
        return target

    def read(self) -> Iterator[bytes]:
        """Give the source in pieces, as the content that is to come back.

        Raises:
            FileError: it has another size at its end than it had when it was opened.
        """
        size = self.src.size
        while (data := self.src.read(CHUNK)) and (size is None or self.src.count <= size):
            self._note(data)
            yield data
        if size is not None and self.src.count != size:
            raise FileError(self.src.name, "changed its size while it was read; compress it again when it is complete")

    def write(self, data: bytes) -> None:
        """Write a piece of the content."""
        self._note(data)
        self.out.write(data)
        # A damaged file is not read from its start to its end, but from what is sound of it.
        self.tell(self.src.count or min(self.out.size, self.src.size or self.out.size))

    def _note(self, data: bytes) -> None:
        if self._remove:
            self._content.update(data)

    def tell(self, done: int) -> None:
        """Report how many bytes of the source are done."""
        if self._progress is not None:
            self._progress(done, self.src.size, self.out.size)

    def finish(
        self,
        header: Header | None = None,
        reread: Reread | None = None,
        differs: str = "reads back other bytes than were written",
    ) -> None:
        """Put what was written in its place, and delete the source if it is to go.

        Args:
            header: whose mode and time the output gets, where it states them, in place of the source's.
            reread: how the content is had from what was written; left out, that is the content.
            differs: what is said where it is another than it was.

        Raises:
            FileError: what was written is not what was to be written; the source changed, or cannot be deleted.
            OSError: writing failed.
        """
        src, out = self.src, self.out
        _finish(out, src.stat if src.path is not None else None, header)
        if self._remove:
            assert isinstance(out, NewFile)
            found = xxhash.xxh3_128()
            with Source(out.part) as written:
                (reread or _copied)(written, found.update)
            if found.digest() != self._content.digest():
                raise FileError(out.path, f"{differs}; the source was kept")
            src.refuse_changed()
        out.commit()
        if self._run is not None and out.path is not None:
            self._run.wrote(out.path, src.name)
        if self._remove:
            assert isinstance(out, NewFile)
            out.sync_folder()
            delete(src, self._run)

    def result(self, raw_size: int, size: int, **what: Any) -> FileResult:
        """Return what was done.

        Args:
            raw_size, size: bytes of content, and compressed.
            what: further attributes.
        """
        names = (self.src.name, self.out.name)
        return FileResult(*names, raw_size, size, self.seconds, removed=self._remove, **what)

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return time.perf_counter() - self._began


def delete(src: Source, run: Run | None) -> None:
    """Delete a source whose output is on the disk."""
    assert src.stat is not None
    src.remove()
    if run is not None and src.stat.st_nlink == 1:
        run.removed(src.stat)


def _copied(src: Source, take: Callable[[bytes], Any]) -> None:
    """Give what is in a file as it is."""
    while data := src.read(CHUNK):
        take(data)


def _finish(out: outputs.Target, like: os.stat_result | None, header: Header | None = None) -> None:
    """Give an output the mode, times and owner of `like`, or the time in `header` and its mode less the umask."""
    mode = None if like is None else stat.S_IMODE(like.st_mode)
    times = None if like is None else (like.st_atime_ns, like.st_mtime_ns)
    if header is not None and header.mode is not None:
        mode = header.mode
        if out.path is not None:
            mode &= outputs.permitted(os.path.dirname(out.path))
    if header is not None and header.mtime_ns is not None:
        times = (header.mtime_ns, header.mtime_ns)
    out.finish(mode=mode, times=times, owner=None if like is None else (like.st_uid, like.st_gid))
