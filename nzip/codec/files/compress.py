"""One file or stream into one member of an nzip file: as it is, or as a picture or sound with loss."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from nzip.codec.compressor import Compressor
from nzip.codec.decompressor import Contents
from nzip.codec.files.memory import encode_threads, memory_budget
from nzip.codec.files.names import TREE_SUFFIX, compressed_name
from nzip.codec.files.results import FileResult, Prepare, Progress
from nzip.codec.files.sources import CHUNK, Source
from nzip.codec.files.targets import Run
from nzip.codec.files.transfer import Reread, Transfer
from nzip.codec.like import Known, Like
from nzip.errors import FileError
from nzip.formats.container.structures import Header
from nzip.outputs import AnyPath
from nzip.registry import ENGINES
from nzip.settings import DEFAULT_LEVEL, Settings, resolve

if TYPE_CHECKING:
    from nzip.codec.signals.goals import Goal


def compress_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    level: int | Settings = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    threads: int = 0,
    block_size: int | None = None,
    window_bits: int | None = None,
    verify: bool | None = None,
    max_memory: int | None = None,
    store_name: bool = False,
    like: Like = None,
    primer: Like = None,
    searchable: bool | None = None,
    remove: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Compress one file or stream.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `compressed_name(source)` where left out.
        level, engine, params, block_size, window_bits, verify, like, primer, searchable: as for `Compressor`.
        threads: as for `Compressor`, and fewer when they do not fit in the memory.
        max_memory: most bytes of memory for all blocks under way; None to go by `memory_budget`.
        store_name: store the source's base name, mode and modification time in the file.
        remove: delete the source once what was written was read back and found to be the same.
        force: overwrite an existing target; with `remove`, delete a link, or one of a file's several names.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.
        progress, prepare: hooks.

    Raises:
        FileError: the output exists, is the input, the source is no regular file, or it changed meanwhile.
        LimitError: one thread does not fit in `max_memory`.
        OSError: reading or writing failed.
        ValueError: a setting is out of range.
    """
    settings = resolve(level, engine=engine, params=params, block_size=block_size)
    known = Known.of(like, primer)
    remedy = f"nzip.compress_tree packs it as one {TREE_SUFFIX}"
    with Transfer(source, remove=remove, force=force, run=run, progress=progress, folder_remedy=remedy) as way:
        src = way.src
        fields = header_fields(src) if store_name else {}
        count = encode_threads(threads, src.size, max_memory, settings)
        way.open(target, compressed_name)
        with Compressor(
            settings,
            threads=count,
            window_bits=window_bits,
            verify=verify,
            content_size=src.size,
            like=known.old,
            primer=known.primer,
            searchable=searchable,
            **fields,
        ) as compressor:
            for data in way.read():
                if prepare is not None and src.count == len(data):
                    prepare(ENGINES.by_name(settings.engines[-1].engine))
                way.out.write(compressor.compress(data))
                way.tell(compressor.bytes_coded)
            way.out.write(compressor.flush())
        way.tell(src.count)
        way.finish(None, _decoded(count, max_memory, known), "what was written does not give the source back")
        return way.result(src.count, way.out.size)


def _decoded(threads: int, max_memory: int | None, known: Known) -> Reread:
    """Return what gives the content of a file that was just written here: limits are for files of others."""
    budget = memory_budget() if max_memory is None else max_memory

    def reread(src: Source, take: Callable[[bytes], Any]) -> None:
        beside: dict[str, Any] = {"like": known.old, "primer": known.primer}
        with Contents(src.read, max_memory=1 << 62, budget=budget, threads=threads, **beside) as contents:
            while data := contents.read(CHUNK):
                take(data)

    return reread


def compress_signal_file(
    source: AnyPath | BinaryIO,
    target: AnyPath | BinaryIO | None = None,
    *,
    codec: str | None = None,
    model: AnyPath | None = None,
    goal: Goal | None = None,
    search: int = 0,
    strip: bool = False,
    store_name: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
) -> FileResult:
    """Compress a picture or sound with loss; the source is kept.

    Args:
        source: a path, or a binary stream.
        target: a path, or a binary stream; `compressed_name(source)` where left out.
        codec, model, goal, search: see `encode_signal`.
        strip: leave out all but pixels or samples.
        store_name: store the source's base name, mode and modification time in the file.
        force: overwrite an existing target.
        run: the files that this and other calls read and write, which are not overwritten, even with `force`.
        progress: hook; a search tells what it has done by `models.progress`.

    Raises:
        CorruptError, UnsupportedError, LimitError: the source is no picture or sound that can be taken.
        FileError: the output exists, is the input, the source is no regular file, or a setting is out of range or
            does not go with the source.
        OSError: reading or writing failed.
    """
    from nzip.codec.signals import encode
    from nzip.formats.signals.base import Image
    from nzip.formats.signals.files import read_signal

    remedy = "name the pictures or sounds in it"
    with Transfer(source, force=force, run=run, progress=progress, folder_remedy=remedy) as way:
        src = way.src
        fields = header_fields(src) if store_name else {}
        way.open(target, compressed_name)
        data = io.BytesIO(b"".join(way.read()))
        data.name = src.name
        signal = read_signal(data, strip=strip)
        what: dict[str, Any] = {"kind": "lossy"}
        if isinstance(signal, Image):
            size, what["pixels"] = signal.pixels.size, signal.pixels.shape[0] * signal.pixels.shape[1]
        else:
            size, what["length"] = signal.samples.size, signal.samples.shape[1] / signal.rate
        if progress is not None:
            progress(0, size, 0)
        try:
            encoded = encode.encode_signal(signal, codec=codec, model=model, goal=goal, search=search, fields=fields)
        except ValueError as error:
            raise FileError(src.name, str(error)) from None
        what["psnr"] = encode.psnr(signal, encoded.data) if encoded.psnr is None else encoded.psnr
        way.out.write(encoded.data)
        way.finish()
        return way.result(src.count, way.out.size, **what)


def header_fields(src: Source) -> dict[str, Any]:
    """Return the header fields that describe the source."""
    path = src.known_path
    assert src.stat is not None
    fields: dict[str, Any] = {
        "name": os.path.basename(path),
        "mode": stat.S_IMODE(src.stat.st_mode) & 0o777,
        "mtime_ns": src.stat.st_mtime_ns,
    }
    try:
        Header(**fields).encode()
    except ValueError as error:
        raise FileError(path, f"{error}; leave out store_name=True") from None
    return fields
