"""Some of the files of an archive: only the blocks that hold them are decoded.

They pass through a room of their own and the same hands as a whole archive (`unpacker`). Then what was asked for is
moved to its place, one path after another: nothing is, where one of them must not be.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from nzip import outputs
from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.files.results import FileResult, Prepare, Progress
from nzip.codec.files.sources import stream_name
from nzip.codec.files.targets import Run
from nzip.codec.files.trees.choice import choose, clean
from nzip.codec.files.trees.order import walk_order
from nzip.codec.files.trees.tar import Entry, Input
from nzip.codec.files.trees.tree import Tree
from nzip.codec.files.trees.unpacker import Unpacker, new_room
from nzip.codec.inspect import inspect
from nzip.codec.like import Like
from nzip.errors import FileError, NzipError
from nzip.formats.container.entries import TreeEntry
from nzip.outputs import AnyPath, changing
from nzip.registry import ENGINES


class _Task:
    """What is to be read of an archive: an entry, and the names under which its content is wanted beside its own."""

    def __init__(self, entry: TreeEntry):
        self.entry = entry
        self.own = False  # wanted under its own name
        self.others: list[TreeEntry] = []  # hard links


def extract_some(
    source: AnyPath,
    paths: Iterable[str],
    folder: AnyPath | None = None,
    *,
    max_memory: int | None = None,
    like: Like = None,
    primer: Like = None,
    outside_links: bool = False,
    force: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Extract files and directories of a packed directory, or of any tar archive that was compressed.

    Each is put below `folder` under the path that it has in the archive. What the archive holds of it is safe to
    extract by the same rules as a whole archive, or nothing is extracted.

    Args:
        source: the path of the archive.
        paths: paths as `list_tree` has them, directories with all below, or patterns (see `choose`). Those that
            nothing answers to are named in the result's `missing`.
        folder: the directory to extract into, which is made if it is missing; the archive's own where left out.
        force: replace files and directories that are there.
        max_memory, like, primer, outside_links, run, progress, prepare: as for `extract_tree`.

    Raises:
        CorruptError, UnsupportedError, LimitError: see `Decompressor`; CorruptError also for a damaged archive.
        FileError: nothing answers to any of the paths, something exists, or is not safe to extract.
        OSError: reading or writing failed.
    """
    started = time.perf_counter()
    path = os.fspath(source)
    into = os.path.dirname(path) if folder is None else os.fspath(folder)
    with Tree(path, max_memory=max_memory, like=like, primer=primer) as tree:
        chosen = choose(tree.entries, paths)
        if not chosen.roots:
            raise FileError(path, _missing(chosen.missing))
        tasks = _tasks(tree.entries, chosen.roots)
        _prepare(path, prepare)
        with _folder(into), new_room(into) as room:
            picker = _Picker(
                path,
                room,
                into,
                tree.entries,
                outside_links=outside_links,
                force=force,
                run=run or Run([path]),
                memory=DEFAULT_MAX_MEMORY if max_memory is None else max_memory,
            )
            places = sorted({*chosen.roots.values()}, key=walk_order)
            picker.refuse(places)
            total = sum(task.entry.size for task in tasks)
            done = 0
            for task in tasks:
                for entry in _entries(tree, task):
                    picker.take(picker.renamed(entry))
                done += task.entry.size
                if progress is not None:
                    progress(done, total, done)
            picker.finish()
            picker.put(places)
        size = os.path.getsize(path)
    seconds = time.perf_counter() - started
    return FileResult(
        path, into or os.curdir, total, size, seconds, kind="files", entries=len(chosen.roots), missing=chosen.missing
    )


def give_some(
    source: AnyPath,
    paths: Iterable[str],
    out: BinaryIO,
    *,
    max_memory: int | None = None,
    like: Like = None,
    primer: Like = None,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> FileResult:
    """Write the contents of files of an archive to a stream, one after another in the order of their names.

    Args and raises: as for `extract_some`.
    """
    started = time.perf_counter()
    path = os.fspath(source)
    with Tree(path, max_memory=max_memory, like=like, primer=primer) as tree:
        chosen = choose(tree.entries, paths)
        if not chosen.roots:
            raise FileError(path, _missing(chosen.missing))
        _prepare(path, prepare)
        wanted: list[tuple[TreeEntry, TreeEntry]] = []
        for task in _tasks(tree.entries, chosen.roots):
            if task.entry.kind == "file":
                wanted += [(name, task.entry) for name in [task.entry][: task.own] + task.others]
        wanted.sort(key=lambda pair: walk_order(pair[0].name))
        total = sum(entry.size for _, entry in wanted)
        done = 0
        for _, entry in wanted:
            content = tree.open(entry)
            while data := content.read():
                out.write(data)
                done += len(data)
                if progress is not None:
                    progress(done, total, done)
        size = os.path.getsize(path)
    seconds = time.perf_counter() - started
    return FileResult(
        path, stream_name(out), total, size, seconds, kind="files", entries=len(wanted), missing=chosen.missing
    )


def _missing(paths: Sequence[str]) -> str:
    words = ", ".join(map(repr, paths[:3])) + ("" if len(paths) <= 3 else f" and {len(paths) - 3:,} more")
    return f"holds nothing that answers to {words}; nzip list --files shows what is in it"


def _prepare(path: str, prepare: Prepare | None) -> None:
    if prepare is not None:
        for engine in inspect(path).engines:
            with contextlib.suppress(NzipError, ValueError):  # left for decoding to refuse
                prepare(ENGINES.by_name(engine))


def _tasks(entries: Sequence[TreeEntry], wanted: Iterable[int]) -> list[_Task]:
    """Return what is to be read for the entries of the numbers `wanted`, in the order of the archive.

    Where the archive holds a name twice, the last counts. A hard link stands for the file that had the name it leads to
    when it was packed.
    """
    numbers = {*wanted}
    last = {tuple(clean(entry.name)): number for number, entry in enumerate(entries)}
    before: dict[tuple[str, ...], _Task] = {}
    tasks: list[_Task] = []
    for number, entry in enumerate(entries):
        name = tuple(clean(entry.name))
        task = _Task(entry)
        if entry.kind == "hard link":
            task = before.get(tuple(clean(entry.linkname)), task)
        before[name] = task
        tasks.append(task)
        if number in numbers and last[name] == number:
            if task.entry is entry:
                task.own = True
            else:
                task.others.append(entry)
    return [task for number, task in enumerate(tasks) if task.entry is entries[number] and (task.own or task.others)]


def _entries(tree: Tree, task: _Task) -> Iterator[Entry]:
    """Give what is to be made for a task: the first name has the content, and the others are hard links to it."""
    first = tree.open(task.entry) if task.entry.kind == "file" else _bare(task.entry)
    names = [task.entry][: task.own] + task.others
    yield replace(first, name=names[0].name)
    for other in names[1:]:
        yield _bare(other, linkname=names[0].name)


def _bare(entry: TreeEntry, linkname: str | None = None) -> Entry:
    """Return an entry without content, for which no block is decoded."""
    return Entry(
        entry.name,
        entry.kind,
        entry.mode,
        entry.mtime * 10**9,
        0,
        entry.linkname if linkname is None else linkname,
        _Nothing(),
    )


class _Nothing(Input):
    def read(self, size: int, /) -> bytes:
        return b""


class _Picker(Unpacker):
    """Puts some of an archive's entries into a room, and from there to their places.

    An archive of one directory keeps its links in that; one that holds several, or files beside them, is treated as if
    it had a directory around them.
    """

    def __init__(
        self,
        archive: str,
        room: str,
        folder: str,
        entries: Sequence[TreeEntry],
        *,
        outside_links: bool,
        force: bool,
        run: Run,
        memory: int,
    ):
        names = [clean(entry.name) for entry in entries]
        tops = {name[0] for name in names if name}
        files = any(len(name) == 1 and entry.kind != "directory" for name, entry in zip(names, entries, strict=True))
        self._around = "" if len(tops) == 1 and not files else "archive"
        top = self._around or tops.pop()
        super().__init__(
            archive,
            room,
            folder if self._around else os.path.join(folder, top),
            outside_links=outside_links,
            force=force,
            run=run,
            memory=memory,
        )
        self._folder = folder
        self._top = top
        self._root = os.path.join(room, top)
        self._make(self._root, self._make_folder)

    def renamed(self, entry: Entry) -> Entry:
        """Return an entry with its name as the room has it."""
        if not self._around:
            return entry
        linkname = f"{self._around}/{entry.linkname}" if entry.kind == "hard link" else entry.linkname
        return replace(entry, name=f"{self._around}/{entry.name}", linkname=linkname)

    def refuse(self, places: Iterable[str]) -> None:
        """Raise FileError where one of the paths must not be put in its place."""
        for place in places:
            self._refuse(os.path.join(self._folder, *self._parts(place)))

    def _refuse(self, place: str) -> None:
        above = os.path.dirname(place)
        while len(above) > len(self._folder):
            if os.path.lexists(above) and (os.path.islink(above) or not os.path.isdir(above)):
                raise FileError(above, "is a link or a file; nothing is put behind it; choose another place")
            above = os.path.dirname(above)
        if not os.path.lexists(place):
            return
        if os.path.isdir(place) and not os.path.islink(place):
            self._refuse_folder(place)
        elif not self._force:
            raise FileError(place, "already exists; add force=True to replace it, or choose another place")
        self._run.refuse(place)

    def put(self, places: Sequence[str]) -> None:
        """Move paths to their places, directories with mode and time."""
        self.refuse(places)
        rooms = [os.path.join(self._room, *filter(None, (self._around, *self._parts(place)))) for place in places]
        below = {*rooms}
        for folder in sorted(self._folders, key=lambda folder: folder.count(os.sep), reverse=True):
            if _lies_below(folder, below):
                self._seal(folder, *self._folders[folder])
        for room, path in zip(rooms, places, strict=True):
            place = os.path.join(self._folder, *self._parts(path))
            with changing():
                os.makedirs(os.path.dirname(place) or os.curdir, exist_ok=True)
            if os.path.isdir(room) and not os.path.islink(room):
                outputs.put_folder(room, place, partial(self._refuse, place))
                # Last, for a directory that may not be written cannot be moved.
                self._seal(place, *self._folders.get(room, (self._permitted, None)))
            else:
                self._put_file(room, place)
            self._run.wrote(place, self._archive)

    def _put_file(self, new: str, place: str) -> None:
        with changing():
            self._refuse(place)
            if os.path.isdir(place) and not os.path.islink(place):
                raise FileError(place, "is a directory; a file is not put in its place")
            try:
                os.replace(new, place)
            except OSError as error:
                raise OSError(error.errno, error.strerror, place) from None


def _lies_below(path: str, folders: Container[str]) -> bool:
    while path != (path := os.path.dirname(path)):
        if path in folders:
            return True
    return False


@contextlib.contextmanager
def _folder(place: str) -> Iterator[None]:
    """Have a directory at `place`; one that was made for it goes where it stays empty."""
    if not place or os.path.isdir(place):
        yield
        return
    with changing():
        os.makedirs(place)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.rmdir(place)
        raise
