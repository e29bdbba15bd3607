"""Files that appear whole or not at all: the one way in which nzip writes what it was given a path for.

Invariants:

* A new file is written beside its place, under a random name that did not exist (`.nzip-….part`), and is renamed when
  it is complete. On any failure, and when the process is told to end, the part is removed.
* Devices, pipes and descriptors of this process (`/dev/stdout`, `/dev/fd/3`, links to them) are streams: they are
  written as the bytes come, and never replaced.
* Every entry in a folder is made or moved inside `changing`. After `discard_unfinished` none is made any more: a
  thread that asks waits for ever, so nothing can come back after it was removed.

Only the standard library and `closing` are used, so that every floor can write through here.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import os
import re
import shutil
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from nzip.closing import Closing

AnyPath = str | os.PathLike[str]
Times = tuple[int, int]
"""When a file was read and changed last, in nanoseconds."""

PAGE = 4096  # bytes of zeros that are worth a hole
_NOTHING = bytes(PAGE)
_MOST_LINKS = 40

_lock = threading.Lock()
_ending = False  # a lock is not fair: one who takes it again and again could keep the end waiting
_unfinished: set[str] = set()


@contextlib.contextmanager
def changing() -> Iterator[None]:
    """Make or move entries of folders inside this; waits for ever once the process ends."""
    with _lock:
        if not _ending:
            yield
            return
    threading.Event().wait()


def no_more_changes() -> None:
    """Have every later change wait for ever, since the process is about to end. A signal handler may call it."""
    global _ending
    _ending = True


def discard_unfinished(seconds: float = 10.0) -> bool:
    """Remove every unfinished output of this process, which is about to end; no output can appear afterwards.

    To be called from a thread of its own and never from a signal handler, which may have interrupted the very thread
    that holds the lock.

    Args:
        seconds: how long to wait for a change under way (a network drive may hang); nothing is removed after that.

    Returns:
        Whether everything was removed.
    """
    no_more_changes()
    if not _lock.acquire(timeout=seconds):
        return False
    return all([_remove(path) for path in [*_unfinished]])  # a copy: a thread may be in `discard`


def _after_fork() -> None:
    """What is unfinished is the parent's, and so was the thread that held the lock."""
    global _lock, _ending
    _lock, _ending = threading.Lock(), False
    _unfinished.clear()


def _at_exit() -> None:
    # An interrupt can come between the making of a part and the `with` that would remove it.
    for path in [*_unfinished]:
        _remove(path)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)


def _remove(path: str) -> bool:
    """Remove a file or a folder with all that is in it; return whether it is gone."""
    with contextlib.suppress(OSError):
        os.unlink(path)
        return True
    if os.path.isdir(path) and not os.path.islink(path):
        with contextlib.suppress(RecursionError):  # of an old directory a thousand levels deep
            shutil.rmtree(path, ignore_errors=True)
            if os.path.isdir(path):
                _make_removable(path)
                shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)


def _make_removable(folder: str) -> None:
    """Make sure that directories without write permission (of a tree that is replaced) can be removed."""
    with contextlib.suppress(OSError):
        os.chmod(folder, 0o700)
    for base, names, _ in os.walk(folder):
        for name in names:
            place = os.path.join(base, name)
            if not os.path.islink(place):
                with contextlib.suppress(OSError):
                    os.chmod(place, 0o700)


def begin(folder: str, create: Callable[[str], Any], path: str | None = None) -> tuple[str, Any]:
    """Make a new, empty output in `folder` and remember it until `forget`; return its path and what `create` gave.

    Args:
        folder: where it is made.
        create: makes it at the path that it is given.
        path: what it will be called, for the error.

    Raises:
        OSError: it cannot be made; `filename` is the folder, `filename2` the path.
    """
    while True:
        part = os.path.join(folder, f".nzip-{os.urandom(6).hex()}.part")
        with changing():
            _unfinished.add(part)
            try:
                return part, create(part)
            except FileExistsError:
                _unfinished.discard(part)
            except OSError as error:
                _unfinished.discard(part)
                # What the user named is the folder, not the part.
                raise OSError(error.errno, error.strerror, folder or ".", None, path) from None


def discard(part: str) -> None:
    """Remove an output that was begun."""
    _remove(part)
    _unfinished.discard(part)


def put_folder(new: str, place: str, refuse: Callable[[], None]) -> None:
    """Move a finished directory to `place`; one that is there goes when the new one is in its place.

    Args:
        new: the directory.
        place: its later place.
        refuse: raises where what is at `place` must stay; nothing comes between this and the move.

    Raises:
        OSError: it cannot be moved; what was there is there again.
    """
    # Beside it, not into a folder of its own: a directory that may not be written cannot be moved to another.
    old = os.path.join(os.path.dirname(place), f".nzip-{os.urandom(6).hex()}.part")
    with changing():
        refuse()
        try:
            if not os.path.lexists(place):
                os.rename(new, place)
            else:
                os.rename(place, old)
                try:
                    os.rename(new, place)
                except BaseException:
                    os.rename(old, place)
                    raise
                _unfinished.add(old)
        except OSError as error:
            raise OSError(error.errno, error.strerror, place) from None
    discard(old)


# --- what a path leads to --------------------------------------------------------------------------------------------


def special(mode: int) -> str | None:
    """Return the word for a file that holds no bytes of its own, by its `st_mode`; None for others."""
    for test, word in (
        (stat.S_ISFIFO, "pipe (FIFO)"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "character device"),
        (stat.S_ISBLK, "block device"),
    ):
        if test(mode):
            return word
    return None


def descriptor_of(path: AnyPath) -> int | None:
    """Return the descriptor of this process that `path` (`/dev/stdout`, `/dev/fd/3`, a link to one) names, if any."""
    if os.name != "posix":
        return None
    place = os.fspath(path)
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(place)
        # A folder that the system does not reach, behind a chain of links, is none of these.
        if name.isdecimal() and name.isascii() and os.path.isdir(folder or ".") and _is_own(os.path.realpath(folder)):
            return int(name)
        try:
            place = os.path.join(folder, os.readlink(place))
        except OSError:
            return None
    return None


def _is_own(folder: str) -> bool:
    """Whether `folder`, without links in it, lists the descriptors of this process."""
    if folder == "/dev/fd":  # where it is no link
        return True
    return re.fullmatch(re.escape(os.path.realpath("/proc/self")) + r"(/task/\d+)?/fd", folder) is not None


def stream_word(path: AnyPath) -> str | None:
    """Return what kind of stream `path` leads to; None when it is, or would become, a file."""
    if descriptor_of(path) is not None:
        return "stream"
    try:
        return special(os.stat(path).st_mode)
    except OSError:
        return None


def _behind(path: str) -> str:
    """Return where the links at `path` lead, one after another.

    Raises:
        OSError: there are more of them than are followed.
    """
    start = path
    for _ in range(_MOST_LINKS):
        if not os.path.islink(path):
            return path
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), start)


# --- who may read it -------------------------------------------------------------------------------------------------


def permitted(folder: str) -> int:
    """Return the permission bits that something new in `folder` may get: those that the umask leaves.

    A directory is made to see it: asking for the umask means changing it, for all threads.
    """
    part, _ = begin(folder, lambda part: os.mkdir(part, 0o777))
    try:
        return os.lstat(part).st_mode & 0o777
    finally:
        discard(part)


def narrowed(mode: int) -> int:
    """Return `mode` for a file that is of another group than it was: no one may do more with it than before.

    Members of the new group were others, and those of the old group are others now.
    """
    common = mode >> 3 & mode & 0o007
    return mode & ~0o077 | common << 3 | common


def _pass_owner(path: str, user: int, group: int) -> bool:
    """Give a file its group, and as root its owner; return whether it has the group."""
    if not hasattr(os, "chown"):
        return True
    with contextlib.suppress(OSError):
        os.chown(path, -1, group)
    passed = os.stat(path).st_gid == group
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.chown(path, user, -1)
    return passed


# --- what is written -------------------------------------------------------------------------------------------------


class Target(Closing, ABC):
    """What is written to.

    Attributes:
        name: for messages and results.
        path: where it lies; None for a stream.
        size: bytes written so far.
    """

    name: str
    path: str | None = None
    size: int = 0

    @abstractmethod
    def write(self, data: Any) -> int:
        """Write all of `data`; errors carry the target's name."""

    @abstractmethod
    def finish(
        self, *, mode: int | None = None, times: Times | None = None, owner: tuple[int, int] | None = None
    ) -> None:
        """Give a file its mode, times and owner; have all that was written arrive.

        Where the group cannot be had, the mode is `narrowed`.
        """

    @abstractmethod
    def commit(self) -> None:
        """Let a finished file appear in its place."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; what was not committed is removed."""


class Holes:
    """Writes to a regular file and leaves out pages of zeros, which take no room where the file system can do so.

    Args:
        file: a new, empty binary file.
    """

    def __init__(self, file: Any):
        self.file = file
        self._size = 0
        self._open = False  # the file ends in a hole that it does not have yet

    def write(self, data: bytes | bytearray) -> None:
        """Write all of `data`."""
        at, end = 0, len(data)
        page = -self._size % PAGE  # where the file's next page begins
        while page + PAGE <= end:
            stop = page
            while data.startswith(_NOTHING, stop):
                stop += PAGE
            if stop == page:
                page += PAGE
                continue
            self._bytes(data, at, page)
            self.file.seek(stop - page, io.SEEK_CUR)
            self._open = True
            at = page = stop
        self._bytes(data, at, end)
        self._size += end

    def _bytes(self, data: bytes | bytearray, at: int, end: int) -> None:
        if at < end:
            self.file.write(memoryview(data)[at:end])
            self._open = False

    def end(self) -> None:
        """Give the file its size; to be called when all is written."""
        self.file.flush()
        if self._open:
            self.file.truncate(self._size)


class NewFile(Target):
    """A file that appears under its name when `commit` is called and not before.

    Args:
        path: its later place.
        force: replace what is there.
        mode: permission bits it is made with, less those the umask takes away.

    Raises:
        OSError: it cannot be made or written; FileExistsError from `commit` where something came there meanwhile.
    """

    def __init__(self, path: str, *, force: bool = True, mode: int = 0o666):
        self.path: str = path
        self.name = path
        self._force = force
        self._done = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self.part, number = begin(os.path.dirname(path), lambda part: os.open(part, flags, mode), path)
        self._file = os.fdopen(number, "wb")
        self._holes = Holes(self._file)

    def write(self, data: Any) -> int:
        try:
            self._holes.write(data if isinstance(data, bytes | bytearray) else bytes(data))
        except OSError as error:
            raise named(error, self.path) from None
        self.size += len(data)
        return len(data)

    def finish(
        self, *, mode: int | None = None, times: Times | None = None, owner: tuple[int, int] | None = None
    ) -> None:
        try:
            self._holes.end()
            passed = owner is None or _pass_owner(self.part, *owner)
            if mode is not None and not passed:
                mode = narrowed(mode)
            if mode is not None:
                os.chmod(self.part, mode & 0o777)  # never setuid, setgid
            os.fsync(self._file.fileno())
            self._file.close()
            if times is not None:
                # A time that this file system cannot hold is no reason to lose the file.
                with contextlib.suppress(OSError, OverflowError):
                    os.utime(self.part, ns=times)
        except OSError as error:
            error.filename = self.path
            raise

    def commit(self) -> None:
        with changing():
            try:
                if self._force:
                    os.replace(self.part, self.path)
                else:
                    _rename_new(self.part, self.path)
            except OSError as error:
                raise OSError(error.errno, error.strerror, self.path) from None
            _unfinished.discard(self.part)
            self._done = True

    def sync_folder(self) -> None:
        """Force the folder's entry for the file to the disk."""
        sync_folder(os.path.dirname(self.path))

    def close(self) -> None:
        if not self._done:
            discard(self.part)
        with contextlib.suppress(OSError):  # of a full disk, which was reported before
            self._file.close()


class Stream(Target):
    """A stream, or a device, pipe or descriptor that was named: written as it comes.

    Args:
        target: a path or an open binary file, which stays open.
        name: of an open file.
    """

    def __init__(self, target: AnyPath | BinaryIO, name: str = "stream"):
        self._owned = isinstance(target, str | os.PathLike)
        if isinstance(target, str | os.PathLike):
            self.name = os.fspath(target)
            number = descriptor_of(target)
            # A descriptor is written where it stands; opened anew, a file under it would be written from its start.
            try:
                self._file: Any = open(target if number is None else os.dup(number), "wb", buffering=0)  # noqa: SIM115
            except OSError as error:
                raise named(error, self.name) from None
        else:
            self.name, self._file = name, target

    def write(self, data: Any) -> int:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            raise named(error, self.name) from None
        self.size += len(data)
        return len(data)

    def finish(
        self, *, mode: int | None = None, times: Times | None = None, owner: tuple[int, int] | None = None
    ) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise named(error, self.name) from None

    def commit(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        if self._owned:
            self._file.close()


class _Raw(io.RawIOBase):
    """A target in the shape of a file."""

    def __init__(self, target: Target):
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._target.write(data)


@contextlib.contextmanager
def replacing(path: AnyPath) -> Iterator[BinaryIO]:
    """Yield a binary file; what is written to it is at `path` when the block ends, and nothing of it when it fails.

    A file that is there is replaced and passes on its mode, its group and, where the system lets it, its owner. One
    behind a link is replaced at its own place; the link stays. Devices, pipes and descriptors are written as they are.

    Raises:
        OSError: it cannot be written.
    """
    place = os.fspath(path)
    target: Target
    mode = owner = None
    if stream_word(place) is not None:
        target = Stream(place)
    else:
        if os.path.isdir(place):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place)
        place = _behind(place)
        with contextlib.suppress(OSError):
            info = os.stat(place)
            mode, owner = stat.S_IMODE(info.st_mode), (info.st_uid, info.st_gid)
        # Nobody else reads the new file before it has the old one's mode.
        target = NewFile(place, mode=0o666 if mode is None else 0o600)
    with target:
        yield cast(BinaryIO, _Raw(target))
        target.finish(mode=mode, owner=owner)
        target.commit()


def write_bytes(path: AnyPath, data: bytes) -> None:
    """Write `data` to `path` as `replacing` does.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        file.write(data)


def write_text(path: AnyPath, text: str) -> None:
    """Write `text` to `path` as UTF-8, as `replacing` does.

    Raises:
        OSError: it cannot be written.
    """
    write_bytes(path, text.encode())


def named(error: OSError, name: str) -> OSError:
    """Return `error` with the name of the file it is about, if it had none."""
    if error.filename is None:
        error.filename = name
    return error


def _rename_new(part: str, path: str) -> None:
    """Rename without overwriting what came to `path` meanwhile.

    Raises:
        FileExistsError: something did.
    """
    try:
        os.link(part, path)
    except FileExistsError:
        raise  # it says so already
    except (OSError, NotImplementedError):  # no hard links here
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(part, path)
    else:
        os.unlink(part)


def sync_folder(folder: str) -> None:
    """Force what a folder lists to the disk, where the system can."""
    if os.name != "posix":
        return
    number = os.open(folder or ".", os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(number)
