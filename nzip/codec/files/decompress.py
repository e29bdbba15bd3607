"""A compressed file or stream back to what it was made from: decompressed, saved as far as it is sound, or tested."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, BinaryIO

from nzip.codec.files.names import decompressed_name
from nzip.codec.files.restored import Members, restored, salvaged
from nzip.codec.files.results import FileResult, Prepare, Progress
from nzip.codec.files.sources import Source
from nzip.codec.files.targets import Run
from nzip.codec.files.transfer import Transfer
from nzip.codec.like import Like
from nzip.codec.salvage.faults import Lost
from nzip.outputs import AnyPath


def decompress_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    threads: int = 0,
    max_memory: int | None = None,
    restore: bool = False,
    remove: bool = False,
    force: bool = False,
    run: Run | None = None,
    strip: bool = False,
    pass_through: bool = False,
    lost: Lost | None = None,
    unplaced: bool = False,
    like: Like = None,
    primer: Like = None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Decompress one file or stream: all its members, one after another.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `decompressed_name(source)` where left out.
        threads: as for `Decompressor`, and fewer when they do not fit in the memory.
        max_memory: most bytes of memory for one block (None for 2 GiB), and for all blocks under way (None to
            go by `memory_budget`).
        restore: use the name, the mode and the modification time that the first member's header states, where
            it does. An explicit `target` wins over the name.
        remove: delete the source once what was written was read back and found to be the same.
        force: overwrite an existing target; with `remove`, delete a link, or one of a file's several names.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.
        pass_through: give what does not begin as nzip files do as it is (`members` is 0 then).
        lost: go on after damage: `"zeros"` puts zeros in the place of what is lost, `"gaps"` leaves it out. The result
            says what is lost; the archive of a packed directory comes as it is. See `Salvage`.
        unplaced: with `lost`, give as well what is found where its place in the content is not known.
        like, primer: as for `Decompressor`.
        progress, prepare: hooks.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`; not with `lost`.
        FileError: the output exists, is the input, or has no name; the source is no regular file; or it is to be saved
            and holds a picture or sound made smaller with loss.
        OSError: reading or writing failed.
        ValueError: both `lost` and `remove` are asked for.
    """
    if lost is not None and remove:
        raise ValueError("a damaged file is all there is, and is not deleted; leave out remove")
    with Transfer(source, remove=remove, force=force, run=run, progress=progress) as way:
        src = way.src
        if lost is not None:
            content = salvaged(
                src, lost=lost, unplaced=unplaced, threads=threads, max_memory=max_memory, like=like, primer=primer
            )
        else:
            content = restored(
                src,
                threads=threads,
                max_memory=max_memory,
                prepare=prepare,
                progress=progress,
                strip=strip,
                pass_through=pass_through,
                like=like,
                primer=primer,
            )
        with content:
            header = content.header if restore else None
            target = way.open(target, partial(decompressed_name, header=header))
            for piece in content.pieces(target):
                way.write(piece)
            way.finish(header)
            assert content.header is not None
            return way.result(
                way.out.size,
                src.size or src.count,
                members=content.members,
                kind=content.header.kind,
                faults=content.faults,
            )


def test_file(
    source: AnyPath | BinaryIO,
    *,
    threads: int = 0,  # noqa: PT028
    max_memory: int | None = None,  # noqa: PT028
    like: Like = None,  # noqa: PT028
    primer: Like = None,  # noqa: PT028
    progress: Progress | None = None,  # noqa: PT028
    prepare: Prepare | None = None,  # noqa: PT028
) -> FileResult:
    """Decode a file or stream, check everything and write nothing.

    Args:
        source: a path, or a binary stream.
        threads, max_memory, like, primer, progress, prepare: as for `decompress_file`.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`.
        FileError, OSError: it cannot be read.
    """
    started = time.perf_counter()
    beside: dict[str, Any] = {"like": like, "primer": primer}
    limits: dict[str, Any] = {"threads": threads, "max_memory": max_memory}
    with Source(source) as src, Members(src, prepare=prepare, **limits, **beside) as content:
        raw_size = 0
        for piece in content.pieces():
            raw_size += len(piece)
            if progress is not None:
                progress(src.count, src.size, raw_size)
        assert content.header is not None
        seconds = time.perf_counter() - started
        return FileResult(
            src.name, None, raw_size, src.count, seconds, members=content.members, kind=content.header.kind
        )
