"""A directory into one compressed tar archive, the same bytes for the same tree."""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any, BinaryIO, cast

from nzip import outputs
from nzip.codec.compressor import Compressor
from nzip.codec.files.memory import encode_threads
from nzip.codec.files.names import TREE_SUFFIX, packed_name
from nzip.codec.files.restored import read_header
from nzip.codec.files.results import FileResult, Prepare, Progress
from nzip.codec.files.sources import CHUNK, stream_name
from nzip.codec.files.targets import NewFile, Run
from nzip.codec.files.trees import table
from nzip.codec.files.trees.links import Links
from nzip.codec.files.trees.order import Item, archive_order, walk_order
from nzip.codec.files.trees.tar import KINDS
from nzip.codec.files.trees.unpacker import MAX_DEPTH
from nzip.errors import FileError, NzipError
from nzip.formats.container.entries import TreeEntry
from nzip.formats.container.structures import Header
from nzip.outputs import AnyPath, named, special
from nzip.registry import ENGINES
from nzip.settings import DEFAULT_LEVEL, Settings, resolve

LEAST = 1 << 20  # bytes of an archive that gets a table of its entries: a smaller one is decoded as soon as it is asked


def compress_tree(
    folder: AnyPath,
    target: AnyPath | BinaryIO | None = None,
    *,
    level: int | Settings = DEFAULT_LEVEL,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    threads: int = 0,
    block_size: int | None = None,
    verify: bool | None = None,
    max_memory: int | None = None,
    store_name: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Pack a directory as one compressed tar archive.

    Files that are alike stand together, links and directories behind them, and the same tree gives the same bytes.
    Files, directories, symbolic and hard links are packed with mode and modification time (in seconds), without owners.
    Symbolic links are not followed. Sockets, devices and pipes hold no bytes to pack and are listed in the result.
    A table of the entries, by which `list_tree` and `extract_tree` find single ones, stands behind the blocks of all
    but small archives.

    Args:
        folder: the directory.
        target: a path, or a binary stream; `packed_name(folder)` where left out.
        store_name: store `NAME.tar` and the directory's modification time in the file.
        level, engine, params, threads, block_size, verify, max_memory, force, progress, prepare: as for
            `compress_file`.

    Raises:
        FileError, LimitError, OSError, ValueError: as for `compress_file`; a file that cannot be read, or lies too
            deep to be extracted again, ends it.
    """
    started = time.perf_counter()
    root = os.fspath(folder)
    info = os.stat(root)
    if not stat.S_ISDIR(info.st_mode):
        raise FileError(root, "is not a directory")
    place = packed_name(root)
    top = os.path.basename(place)[: -len(TREE_SUFFIX)]
    settings = resolve(level, engine=engine, params=params, block_size=block_size)
    fields: dict[str, Any] = {"name": top + ".tar", "mtime_ns": info.st_mtime_ns} if store_name else {}
    try:
        Header(**fields).encode()
    except ValueError as error:
        raise FileError(root, f"{error}; leave out store_name=True") from None
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(_tree_target(place if target is None else target, root, force=force, run=run))
        left_out = {
            os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
            for path in (out.path, getattr(out, "part", None))
            if path is not None
        }
        items, skipped = _items(os.path.join(root, ""), top, left_out)
        total = sum(item.size for item in items)
        most = total + 4096 * len(items) + tarfile.RECORDSIZE  # headers included
        count = encode_threads(threads, most, max_memory, settings)
        if prepare is not None:
            prepare(ENGINES.by_name(settings.engines[-1].engine))
        compressor = stack.enter_context(Compressor(settings, threads=count, verify=verify, kind="tar", **fields))

        def report(coded: int) -> None:
            if progress is not None:
                progress(min(coded, total), total, out.size)

        # Not closed on failure: what is thrown away needs no end.
        stream = cast(IO[bytes], _Compressed(compressor, out, report))
        tar = tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        tar.copybufsize = CHUNK  # type: ignore[attr-defined]
        entries: list[TreeEntry] = []
        for alike in archive_order(items):
            compressor._border(sum(item.archived_size for item in alike))
            entries += [_add(tar, item) for item in alike]
        tar.close()
        if compressor.bytes_in >= LEAST:
            compressor._add_table(table.encode(entries, settings))
        out.write(compressor.flush())
        out.finish()
        out.commit()
        if run is not None and out.path is not None:
            run.wrote(out.path, root)
        if progress is not None:
            progress(total, total, out.size)
        return FileResult(
            root,
            out.name,
            compressor.bytes_in,
            out.size,
            time.perf_counter() - started,
            kind="tar",
            entries=len(entries),
            skipped=tuple(skipped),
            outside=_links_outside(entries),
        )


class _Compressed:
    """What `tarfile` writes to."""

    def __init__(self, compressor: Compressor, out: outputs.Target, report: Callable[[int], None]):
        self._compressor, self._out, self._report = compressor, out, report

    def tell(self) -> int:
        return self._compressor.bytes_in

    def write(self, data: bytes) -> int:
        self._out.write(self._compressor.compress(data))
        self._report(self._compressor.bytes_coded)
        return len(data)


def _tree_target(target: AnyPath | BinaryIO, root: str, *, force: bool, run: Run | None) -> outputs.Target:
    if run is not None:
        run.refuse(target)
    if not isinstance(target, str | os.PathLike):
        return outputs.Stream(target, stream_name(target))
    path = os.fspath(target)
    if outputs.stream_word(path) is not None:
        return outputs.Stream(path)
    if force and os.path.isfile(path) and _lies_in(path, root) and not _is_packed(path):
        raise FileError(path, "lies in the directory that is packed, and would be lost; choose another place")
    return NewFile(path, force=force)


def _lies_in(path: str, root: str) -> bool:
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), ""))


def _is_packed(path: str) -> bool:
    """Whether a file is a packed directory: an earlier output, which is not packed itself."""
    try:
        return read_header(path).kind == "tar"
    except (NzipError, OSError):
        return False


def _items(root: str, top: str, left_out: set[str]) -> tuple[list[Item], list[str]]:
    """Return everything below `root`, itself included, and what is skipped."""
    found = [Item(root, top, os.stat(root).st_mode, 0)]
    skipped: list[str] = []
    stack = [(root, top)]
    while stack:
        folder, name = stack.pop()
        real = os.path.realpath(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                inside = f"{name}/{entry.name}"
                info = entry.stat(follow_symlinks=False)
                if os.path.join(real, entry.name) in left_out:
                    continue
                if special(info.st_mode):
                    skipped.append(entry.path)
                    continue
                if inside.count("/") >= MAX_DEPTH:
                    raise FileError(entry.path, f"lies more than {MAX_DEPTH} levels deep, which is not extracted again")
                size = info.st_size if stat.S_ISREG(info.st_mode) else 0
                found.append(Item(entry.path, inside, info.st_mode, size))
                if stat.S_ISDIR(info.st_mode):
                    stack.append((entry.path, inside))
    return found, sorted(skipped, key=walk_order)


def _links_outside(entries: Iterable[TreeEntry]) -> int:
    """Return how many links of a packed directory lead outside of it, as `extract_tree` would see it."""
    leads = {entry.name: entry.linkname for entry in entries if entry.kind == "link"}
    tree = Links()
    for name, linkname in leads.items():
        tree.add(name.split("/")[1:], linkname)
    return sum(tree.lead_outside(name.split("/")[1:-1], linkname) for name, linkname in leads.items())


def _add(tar: tarfile.TarFile, item: Item) -> TreeEntry:
    """Add one entry, without its owner and with whole seconds, so that equal trees give equal archives."""
    path = item.path
    file: IO[bytes] | None = None
    try:
        info = os.lstat(path)
        if stat.S_ISREG(info.st_mode):
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            file = os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb")
            info = os.fstat(file.fileno())
            entry = tar.gettarinfo(arcname=item.name, fileobj=file)
        else:
            entry = tar.gettarinfo(path, item.name)
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = info.st_mtime_ns // 10**9  # rounded down, before 1970 too
        start: int = tar.offset
        try:
            tar.addfile(entry, file if entry.isreg() else None)
        except OSError as error:
            if error.errno is None:  # tarfile: fewer bytes came than the size said
                raise FileError(path, "changed its size while it was read; try again") from None
            raise named(error, path) from None
        tar.getmembers().clear()  # it would keep them all
        return TreeEntry(
            item.name,
            KINDS[entry.type],
            entry.mode & 0o7777,
            entry.mtime,
            entry.size,
            entry.linkname,
            tar.offset - start - entry.size - -entry.size % tarfile.BLOCKSIZE,
            start,
        )
    finally:
        if file is not None:
            file.close()
