"""What went wrong, in one line: the file, the reason, the remedy."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys

from nzip.cli.output.words import one_line, shown, shown_input

# Of what is corrupt: it is not the file, or it is said already.
SAID = ("damaged", "truncated", "not an nzip file", "model", "get its file again")
MAYBE_DAMAGED = "the file is damaged or made by a later nzip"
REASONS = {
    errno.ENOENT: "no such file or directory",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.ENOSPC: "no space left on the device; free some and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EFBIG: "the file would be larger than is allowed here (ulimit -f)",
    errno.EROFS: "the file system is read-only; choose another place with -o",
    errno.ENAMETOOLONG: "the file name is too long; choose another with -o",
    errno.EBADF: "cannot be read",
    errno.EMFILE: "too many open files",
}
# Where something cannot be written.
REMEDIES = {
    errno.ENOENT: "make that directory first, or choose another place",
    errno.ENOTDIR: "choose another place",
    errno.EACCES: "choose another place, or allow writing there",
    errno.EPERM: "choose another place, or allow writing there",
}
# What the library tells its callers to do, and what that is to users of the command.
OPTIONS = (
    ("force=True", "-f"),
    ("remove=True", "--rm"),
    ("store_name=True", "-N"),
    ("strip=True", "--strip"),
    ("outside_links=True", "--outside-links"),
    ("unplaced=True", "--unplaced"),
    ("name it with like=", "name it with --like"),
    ("name it with primer=", "name it with --primer"),
    ("smaller blocks (block_size)", "smaller blocks (-B)"),
    ("say how many bytes each has", "say how many bytes each has with --record"),
    ("choose another place", "choose another place with -o"),
    ("choose another name", "choose another name with -o"),
    ("say where to write", "say where to write with -o FILE, or -c for stdout"),
    ("say where to extract it", "say where to extract it with -o DIR"),
    ("nzip.compress_tree packs it", "add -r to pack it"),
    ("nzip.open gives", "--no-extract gives"),
    ("open it and give that", "use: nzip … - < {path}"),
)


def in_options(text: str, path: str = "") -> str:
    """Return a message of the library about `path` with the command's options in place of the library's arguments."""
    text = re.sub(r"raise max_memory(?: to ([0-9]+) MiB)?", lambda found: f"raise it (-M{_mebibytes(found[1])})", text)
    for word, option in OPTIONS:
        text = text.replace(word, option.replace("{path}", path))
    return text


def _mebibytes(number: str | None) -> str:
    return f" {number}M" if number else ""


def describe(error: BaseException, name: str | None = None, *, read: bool = False) -> str:
    """Return one line for `error`: the file, what is wrong, the remedy.

    Args:
        name: the file.
        read: the file was read as one of nzip's: what is corrupt is said to be damaged.
    """
    from nzip.errors import CorruptError, FileError, NzipError

    where = "" if name is None else f"{shown_input(name)}: "
    if isinstance(error, FileError):
        return f"{shown(error.path)}: {in_options(one_line(error.reason), shown(error.path))}"
    if isinstance(error, NzipError):
        text = in_options(one_line(str(error)))
        if name is not None and text.startswith(where):  # a picture, sound or model, which says it all
            return text
        if read and isinstance(error, CorruptError) and not any(word in text for word in SAID):
            text = f"the file is damaged: {text}"
        return where + text
    if isinstance(error, OSError):
        if error.filename is not None:
            where = f"{shown(os.fsdecode(error.filename))}: "
            if error.filename2 is not None:  # what was to come there
                where = f"{shown(os.fsdecode(error.filename2))}: cannot be written: {where}"
        known = REASONS.get(error.errno or 0)
        there = error.errno == errno.ENOENT and error.filename2 is not None and os.path.isdir(error.filename)
        reason = one_line(known or (error.strerror or str(error) or type(error).__name__).lower())
        remedy = REMEDIES.get(error.errno or 0) if error.filename2 is not None else None
        if there:  # a directory of the system's
            reason, remedy = "no file can be made in it", "choose another place"
        return f"{where}{reason}; {remedy}" if remedy else where + reason
    if isinstance(error, UnicodeEncodeError) and error.encoding == sys.getfilesystemencoding():
        return f"{where}a name has characters that names of files cannot have in this locale; set LC_ALL=C.UTF-8"
    if isinstance(error, MemoryError):
        return f"{where}not enough memory; use fewer threads (-T1), a lower level or smaller blocks (-B)"
    return f"{where}internal error ({type(error).__name__}: {one_line(str(error))}); set NZIP_DEBUG=1 to see more"


def remedy(error: BaseException, name: str, command: str) -> str:
    """Return what `command` says can be done about the damage that `error` tells of, or nothing."""
    from nzip.codec.files.restored import read_header
    from nzip.codec.members import SIGNALS
    from nzip.errors import CorruptError, NzipError, TruncatedError

    checks = command in ("list", "info")  # these look at headers alone
    if command not in ("decompress", "test") and not checks:
        return ""
    text = str(error)
    if isinstance(error, CorruptError):
        if text.startswith("not an nzip file") or "get its file again" in text:
            return ""
        if isinstance(error, TruncatedError) and (checks or error.start is None):
            return ""
    elif not (isinstance(error, NzipError) and text.startswith(MAYBE_DAMAGED)):
        return ""
    with contextlib.suppress(NzipError, OSError):
        if name != "-" and read_header(name).kind in SIGNALS:
            return ""  # of which no part can be saved
    return f"; {'nzip test checks it, and ' * checks}nzip decompress --keep-going gives what is sound"


def error_kind(error: BaseException) -> str:
    """Return the word that `--json` has for a failure."""
    from nzip.errors import CorruptError, FileError, LimitError, UnsupportedError

    for kind, word in (
        (FileError, "refused"),
        (CorruptError, "corrupt"),
        (UnsupportedError, "unsupported"),
        (LimitError, "limit"),
        (OSError, "io"),
        (MemoryError, "memory"),
    ):
        if isinstance(error, kind):
            return word
    return "internal"
