"""What a tar archive of strangers holds, put into a room of its own, compared, and moved to its place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import IO, Any

import xxhash

from nzip import outputs
from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.codec.files.names import extracted_name
from nzip.codec.files.sources import CHUNK
from nzip.codec.files.targets import Run
from nzip.codec.files.trees import tar
from nzip.codec.files.trees.links import Links, leads_to, link_at
from nzip.codec.files.trees.tar import Entry
from nzip.errors import CorruptError, FileError, LimitError
from nzip.outputs import AnyPath, changing, sync_folder

MAX_DEPTH = 256  # names in a path of an archive
_ENTRY_COST = 400  # bytes of memory that are kept for a directory or link, beside its names


class Unpacker:
    """Puts the entries of a tar archive into a room of their own, then into their place.

    Links are judged by the names in them, and one that climbs out of the directory is refused even where it comes back:
    it would lead elsewhere once the directory has another name. Modes and times of directories come last.
    """

    def __init__(
        self,
        archive: str,
        room: str,
        target: AnyPath | None,
        *,
        outside_links: bool,
        force: bool,
        run: Run,
        memory: int = DEFAULT_MAX_MEMORY,
    ):
        self._archive = archive
        self._room = room
        self._parent = os.path.dirname(room)
        self._target = None if target is None else os.fspath(target)
        self._outside_links = outside_links
        self._force = force
        self._run = run
        self._memory = memory
        self._top: str | None = None  # as the archive calls it
        self._root = ""  # where it lies in the room
        self._permitted = outputs.permitted(self._room)
        self._folders: dict[str, tuple[int, int | None]] = {}  # mode, and time if the archive named it
        self._links: dict[str, tuple[str, int]] = {}
        self._replaced: dict[str, int] = {}  # what the archive holds older versions of: how many

    def unpack(self, stream: tar.Input) -> int:
        """Extract everything but symbolic links; return the number of entries."""
        count = 0
        for entry in self._entries(stream):
            count += 1
            self.take(entry)
        if self._top is None:
            raise CorruptError("the content is an empty tar archive; nzip.open gives it as it is")
        return count

    def take(self, entry: Entry) -> None:
        """Extract one entry; a symbolic link is remembered."""
        place = self._place(entry)
        if entry.kind == "link":
            # Links are made last, so that nothing is ever written through one.
            if not entry.linkname:
                raise self._unsafe(f"the link {entry.name!r} leads nowhere")
            self._keep(place, entry.linkname)
            if place in self._links:
                self._older(place)
            self._links[place] = entry.linkname, entry.mtime_ns
        elif entry.kind == "directory":
            if place not in self._folders:
                self._keep(place)
            self._folders[place] = entry.mode & self._permitted, entry.mtime_ns
            self._make(place, self._make_folder)
        elif entry.kind == "hard link":
            self._hard_link(entry, place)
        elif entry.kind == "file":
            self._file(entry, place)
        else:
            raise self._unsafe(f"{entry.name!r} is no file, directory or link ({entry.kind})")

    def _entries(self, stream: tar.Input) -> Iterator[Entry]:
        try:
            yield from tar.entries(stream)
        except tar.UnsafeError as error:
            raise self._unsafe(str(error)) from None

    def _place(self, entry: Entry) -> str:
        """Return where in the room an entry belongs."""
        parts = self._parts(entry.name)
        if self._top is None:
            self._top = parts[0]
            self._root = os.path.join(self._room, self._top)
            self._refuse_existing()
        if parts[0] != self._top or (len(parts) == 1 and entry.kind != "directory"):
            raise self._unsafe(f"{entry.name!r} does not lie in the one directory that the archive holds")
        return os.path.join(self._root, *parts[1:])

    def _parts(self, name: str) -> list[str]:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        foreign = os.name == "nt" and any(char in part for part in parts for char in '\\:')
        if not parts or os.pardir in parts or foreign:
            raise self._unsafe(f"{name!r} does not lie in the one directory that the archive holds")
        if len(parts) > MAX_DEPTH:
            raise self._unsafe(f"it holds a path of {len(parts):,} names, and {MAX_DEPTH} are the most")
        return parts

    def _keep(self, *words: str) -> None:
        """Account for what is remembered of an entry until the end."""
        self._memory -= _ENTRY_COST + sum(map(len, words))
        if self._memory < 0:
            raise LimitError(
                "the archive has more directories and links than fit in the memory allowed; raise max_memory; "
                "nzip.open gives the tar as it is"
            )

    # What is made in the room. Each step is one change that the end of the process waits for, or keeps from happening.

    def _make(self, place: str, make: Callable[[str], Any]) -> Any:
        """Make something at `place`, and before that the directories above that the archive has not named."""
        try:
            try:
                with changing():
                    return make(place)
            except FileNotFoundError:
                missing = []
                folder = os.path.dirname(place)
                while len(folder) > len(self._room) and not os.path.lexists(folder):
                    missing.append(folder)
                    folder = os.path.dirname(folder)
                for folder in reversed(missing):
                    self._keep(folder)
                    self._folders[folder] = self._permitted, None
                    with changing():
                        self._make_folder(folder)
                with changing():
                    return make(place)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise self._unsafe(f"{self._inside(place)!r} would be a file and a directory, or lie in a file") from None
        except OSError as error:
            raise self._named(error, place) from None

    @staticmethod
    def _make_folder(place: str) -> None:
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(place).st_mode):
                raise

    def _make_file(self, place: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            return os.open(place, flags, 0o600)
        except FileExistsError:  # of an archive that newer versions were added to
            if not stat.S_ISREG(os.lstat(place).st_mode):
                raise
            os.unlink(place)
            self._older(place)
            return os.open(place, flags, 0o600)

    def _older(self, place: str) -> None:
        """Remember that the archive holds an older version of a file or link."""
        if place not in self._replaced:
            self._keep(place)
        self._replaced[place] = self._replaced.get(place, 0) + 1

    def _file(self, entry: Entry, place: str) -> None:
        if self._links.pop(place, None):
            self._older(place)
        number = self._make(place, self._make_file)
        try:
            with os.fdopen(number, "wb") as file:
                holes = outputs.Holes(file)
                while data := entry.read():
                    holes.write(data)
                holes.end()
            os.chmod(place, entry.mode & self._permitted)
            with contextlib.suppress(OSError, OverflowError):
                os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns))
        except OSError as error:
            raise self._named(error, place) from None

    def _linked(self, entry: Entry) -> str:
        """Return where in the room the file lies that a hard link is to."""
        return os.path.join(self._root, *self._parts(entry.linkname)[1:])

    def _hard_link(self, entry: Entry, place: str) -> None:
        parts = self._parts(entry.linkname)
        source = self._linked(entry)
        if parts[0] != self._top or source in self._links or not os.path.isfile(source) or os.path.islink(source):
            raise self._unsafe(f"the hard link {entry.name!r} leads to {entry.linkname!r}, which is no file in it")
        if source == place:
            return
        if self._links.pop(place, None):
            self._older(place)

        def make(place: str) -> None:
            if os.path.isfile(place):
                os.unlink(place)
                self._older(place)
            try:
                os.link(source, place, follow_symlinks=False)
            except (OSError, NotImplementedError) as error:
                if getattr(error, "errno", None) in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
                    raise
                shutil.copy2(source, place, follow_symlinks=False)  # no hard links here

        self._make(place, make)

    def _named(self, error: OSError, place: str) -> OSError:
        if error.errno is None:
            return error
        return OSError(error.errno, error.strerror, self._later(place))

    def _later(self, place: str) -> str:
        """Return where something lies in the end, for messages."""
        final = self._final
        return final if place == self._root else os.path.join(final, *self._below(place))

    def _inside(self, place: str) -> str:
        return place[len(self._room) + 1 :]

    def _unsafe(self, why: str) -> FileError:
        why = why if len(why) < 400 else why[:200] + " … " + why[-100:]
        return FileError(self._archive, f"is not safe: {why}; nothing was extracted, nzip.open gives the tar")

    def finish(self) -> None:
        """Make the links, after all else: nothing was written through one."""
        tree = self._tree_of_links()
        if not self._outside_links:
            for place, (linkname, _) in self._links.items():
                if tree.lead_outside(self._below(place)[:-1], linkname):
                    raise self._outside(place, linkname)
        room = os.path.realpath(self._room)
        for place, (linkname, mtime_ns) in self._links.items():

            def make(place: str, linkname: str = linkname) -> None:
                # Where names differ by case alone, links can lie behind links that the tree of names does not show.
                parent = os.path.dirname(place)
                if leads_to(room, self._inside(parent), link_at) != os.path.join(room, self._inside(parent)):
                    raise self._unsafe(f"{self._inside(place)!r} lies behind a link")
                if os.path.lexists(place):
                    if stat.S_ISDIR(os.lstat(place).st_mode):
                        raise self._unsafe(f"{self._inside(place)!r} is a link, and a directory as well")
                    os.unlink(place)
                    self._older(place)
                os.symlink(linkname, place)

            self._make(place, make)
            with contextlib.suppress(OSError, NotImplementedError, OverflowError):
                os.utime(place, ns=(mtime_ns, mtime_ns), follow_symlinks=False)
        if not self._outside_links:  # once more, as the system sees it
            root = os.path.join(room, os.path.basename(self._root))
            link = lru_cache(4096)(link_at)
            for place, (linkname, _) in self._links.items():
                leads = leads_to(room, self._inside(place), link)
                if leads is not None and leads != root and not leads.startswith(root + os.sep):
                    raise self._outside(place, linkname)

    def _outside(self, place: str, linkname: str) -> FileError:
        linkname = linkname if len(linkname) < 200 else linkname[:200] + "…"
        return FileError(
            self._archive,
            f"holds the link {self._inside(place)!r} -> {linkname!r}, which leads outside of the directory; nothing "
            "was extracted; if you trust the archive, add outside_links=True",
        )

    def _below(self, place: str) -> list[str]:
        return place[len(self._root) + 1 :].split(os.sep)

    def _tree_of_links(self) -> Links:
        """Return the links by the names in their paths.

        Raises:
            FileError: one lies behind another.
        """
        tree = Links()
        for place, (linkname, _) in self._links.items():
            if not tree.add(self._below(place), linkname):
                raise self._unsafe(f"{self._inside(place)!r} lies behind a link, or has entries behind it")
        return tree

    def compare(self, stream: tar.Input) -> None:
        """Compare all that was extracted with the archive, and force files to the disk.

        Raises:
            FileError: something is not as the archive has it.
        """
        older: dict[str, bytes] = {}  # of names that the archive gives to something else later on: what they hold
        for entry in self._entries(stream):
            place = self._place(entry)
            if entry.kind == "directory":
                if os.path.islink(place) or not os.path.isdir(place):
                    raise self._differs(place)
                continue
            if entry.kind == "hard link" and self._linked(entry) == place:
                continue
            if place in self._replaced:
                self._replaced[place] -= 1
            last = self._replaced.get(place, -1) < 0
            if entry.kind == "file":
                self._compare_file(entry, place, older, last=last)
            elif entry.kind == "hard link":
                self._compare_hard_link(self._linked(entry), place, older, last=last)
            elif last and not (os.path.islink(place) and os.readlink(place) == entry.linkname):
                raise self._differs(place)

    def _compare_file(self, entry: Entry, place: str, older: dict[str, bytes], *, last: bool) -> None:
        if not last:
            digest = xxhash.xxh3_128()
            while data := entry.read():
                digest.update(data)
            older[place] = digest.digest()
            return
        with self._readable(place) as file:
            while data := entry.read():
                if file.read(len(data)) != data:
                    raise self._differs(place)
            if file.read(1):
                raise self._differs(place)
            os.fsync(file.fileno())

    def _compare_hard_link(self, source: str, place: str, older: dict[str, bytes], *, last: bool) -> None:
        """The file that was linked is still there under its name, unless the archive replaces it later on."""
        held = older[source] if self._replaced.get(source, -1) >= 0 else None
        if not last:
            older[place] = held or self._digest(source)
            return
        if held is None and os.path.isfile(place) and os.path.samefile(place, source):
            return
        if self._digest(place) != (held or self._digest(source)):
            raise self._differs(place)

    def _digest(self, place: str) -> bytes:
        """Return the digest of an extracted file, which is on the disk then."""
        digest = xxhash.xxh3_128()
        with self._readable(place) as file:
            while data := file.read(CHUNK):
                digest.update(data)
            os.fsync(file.fileno())
        return digest.digest()

    def _differs(self, place: str) -> FileError:
        return FileError(self._later(place), "reads back other bytes than were written; the archive was kept")

    @contextlib.contextmanager
    def _readable(self, place: str) -> Iterator[IO[bytes]]:
        """Open an extracted file, also one that its owner may not read."""
        info = os.lstat(place)
        if not stat.S_ISREG(info.st_mode):
            raise self._differs(place)
        closed = not info.st_mode & stat.S_IRUSR
        if closed:
            os.chmod(place, 0o600)
        try:
            with open(place, "rb") as file:
                yield file
        finally:
            if closed:
                os.chmod(place, stat.S_IMODE(info.st_mode))

    @property
    def _final(self) -> str:
        assert self._top is not None
        return self._target.rstrip("/") if self._target is not None else os.path.join(self._parent, self._top)

    def _refuse_existing(self) -> None:
        place = self._final
        if not os.path.lexists(place):
            return
        if self._target is None and not self._is_asked_for(place) and (not os.path.isdir(place) or os.listdir(place)):
            raise FileError(
                place, "already exists, and only the archive asks for that name; choose another place"
            )
        self._refuse_folder(place)

    def _refuse_folder(self, place: str) -> None:
        """Raise FileError where no directory is to be put in the place of what is at `place`."""
        if not self._force:
            raise FileError(place, "already exists; add force=True to replace it, or choose another place")
        if os.path.islink(place) or not os.path.isdir(place):
            raise FileError(place, "is no directory; a directory is not put in its place")
        inside = os.path.realpath(place)
        if (os.path.realpath(self._archive) + os.sep).startswith(inside + os.sep):
            raise FileError(place, "holds the archive itself and cannot be replaced; choose another place")
        self._run.refuse_folder(place)

    def _is_asked_for(self, place: str) -> bool:
        """Whether the archive's own file name gives the directory the name that it states."""
        with contextlib.suppress(FileError):
            return os.path.basename(extracted_name(self._archive)) == os.path.basename(place)
        return False

    def _seal(self, place: str, mode: int, mtime_ns: int | None) -> None:
        """Give a directory its mode and, if it has one, its time."""
        if mtime_ns is not None:
            with contextlib.suppress(OSError, OverflowError):
                os.utime(place, ns=(mtime_ns, mtime_ns))
        # Where new directories take their parent's group, they keep that mark.
        os.chmod(place, mode | (os.stat(place).st_mode & stat.S_ISGID))

    def commit(self, *, sync: bool = False) -> str:
        """Give directories their mode and time, move the finished one to its place and return that.

        Args:
            sync: force the entries of all directories to the disk.
        """
        new, place = self._root, self._final
        if sync:
            for folder in self._folders:
                sync_folder(folder)
        top = self._folders.pop(new, None)
        # The deepest first, for what lies in a closed directory cannot be reached.
        for folder in sorted(self._folders, key=lambda folder: folder.count(os.sep), reverse=True):
            self._seal(folder, *self._folders[folder])
        outputs.put_folder(new, place, self._refuse_existing)
        if top is not None:
            # Last, for a directory that may not be written cannot be moved.
            self._seal(place, *top)
        return place


@contextlib.contextmanager
def new_room(folder: str) -> Iterator[str]:
    """Make a directory in `folder`; remove it in the end with all that was not moved out of it."""
    part, _ = outputs.begin(folder, lambda part: os.mkdir(part, 0o700))
    try:
        yield part
    finally:
        outputs.discard(part)
