"""A packed directory back to its files: written to a room beside the target, compared, and renamed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.files.names import extracted_name
from nzip.codec.files.restored import Members
from nzip.codec.files.results import FileResult, Prepare, Progress
from nzip.codec.files.sources import CHUNK, Source
from nzip.codec.files.targets import Run
from nzip.codec.files.transfer import delete
from nzip.codec.files.trees.some import extract_some
from nzip.codec.files.trees.unpacker import Unpacker, new_room
from nzip.codec.like import Like
from nzip.outputs import AnyPath, sync_folder


def extract_tree(
    source: AnyPath,
    target: AnyPath | None = None,
    *,
    folder: AnyPath | None = None,
    paths: Iterable[str] | None = None,
    threads: int = 0,
    max_memory: int | None = None,
    like: Like = None,
    primer: Like = None,
    restore: bool = False,
    outside_links: bool = False,
    remove: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Extract a directory that `compress_tree` packed.

    Everything is written to a new directory beside the target, checked, and renamed. No entry can be written, and
    no link can lead, outside of the extracted directory. Owners and special permissions are not restored, nor
    permissions that the umask takes away.

    Args:
        source: the path of the archive.
        target: the path that the directory shall have; the name of `extracted_name` in `folder` where left out.
        folder: the directory to extract into; the archive's own where left out.
        paths: extract only these, from the blocks that hold them; see `extract_some`. Then `source` may be any tar
            archive that was compressed, and `target`, `restore` and `remove` are left out.
        restore: where `target` is left out, take the name that the archive states for the directory.
        threads, max_memory, like, primer, progress, prepare: as for `decompress_file`.
        outside_links: also make symbolic links that lead outside. Nothing is written through them.
        remove: delete the archive once all that was extracted was compared with it.
        force: replace an existing directory by the extracted one, but with `restore` none that has something in it
            and another name than `extracted_name` gives; with `remove`, delete a link, or one of several names.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`; CorruptError also for a damaged archive.
        FileError: the target exists, or the archive holds something that is not safe to extract.
        OSError: reading or writing failed.
        ValueError: an argument does not go with `paths`.
    """
    if paths is not None:
        if target is not None or restore or remove:
            raise ValueError("target, restore and remove are for whole archives")
        common: dict[str, Any] = {"max_memory": max_memory, "like": like, "primer": primer}
        common |= {"outside_links": outside_links, "force": force, "run": run}
        return extract_some(source, paths, folder, progress=progress, prepare=prepare, **common)
    started = time.perf_counter()
    path = os.fspath(source)
    with Source(path) as src:
        if remove and not force:
            src.refuse_removal()
        if target is None and not restore:
            name = extracted_name(path)
            target = name if folder is None else os.path.join(folder, os.path.basename(name))
        if folder is None:
            folder = os.path.dirname(path) if target is None else os.path.dirname(os.fspath(target).rstrip("/"))
        with new_room(os.fspath(folder)) as room:
            unpacker = Unpacker(
                path,
                room,
                target,
                outside_links=outside_links,
                force=force,
                run=run or Run([path]),
                memory=DEFAULT_MAX_MEMORY if max_memory is None else max_memory,
            )
            beside: dict[str, Any] = {"like": like, "primer": primer}
            with Members(src, threads=threads, max_memory=max_memory, prepare=prepare, **beside) as content:
                stream = _Stream(src, content, progress)
                entries = unpacker.unpack(stream)
            unpacker.finish()
            if remove:
                with Source(path) as again, Members(again, threads=threads, max_memory=max_memory, **beside) as content:
                    unpacker.compare(_Stream(again, content))
                src.refuse_changed()
            place = unpacker.commit(sync=remove)
        if run is not None:
            run.wrote(place, path)
        if remove:
            sync_folder(os.path.dirname(place))
            delete(src, run)
        seconds = time.perf_counter() - started
        return FileResult(path, place, stream.count, src.count, seconds, kind="tar", removed=remove, entries=entries)


class _Stream:
    """The content of a packed directory, read in very many pieces of any size; counts and reports them."""

    def __init__(self, src: Source, content: Members, progress: Progress | None = None):
        self._src, self._content, self._progress = src, content, progress
        self._piece, self._at = b"", 0
        self.count = 0

    def read(self, size: int) -> bytes:
        if self._at == len(self._piece):
            self._piece, self._at = self._content.read(CHUNK), 0
        data = self._piece[self._at : self._at + size]
        self._at += len(data)
        self.count += len(data)
        if self._progress is not None:
            self._progress(self._src.count, self._src.size, self.count)
        return data
