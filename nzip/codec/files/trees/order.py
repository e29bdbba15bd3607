"""The order in which the entries of a directory stand in its archive: files that are alike meet in a block.

What a file is, its first bytes say: whether it is text, which container, or what its header says. Within a kind stand
together what has one extension, or extensions that go with each other; among those the files of a folder, and names
that begin alike. So what was made from a file stands beside it. Links and directories follow the files, directories
behind all that lies in them: whoever extracts from front to back writes nothing into a directory that has its time and
mode already.

The order depends on names and first bytes alone. That of names, in which a list is shown, is `walk_order`.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from nzip.formats.content import headers, texts

LOOK, LOOK_AT_TEXT = 4 << 10, 1 << 10  # bytes of a file that are looked at, in search of a header and of text
# What files hold, in the order of the archive: where a kind ends, neighbours share a block. Containers of text stand
# beside text, pictures beside pictures.
KINDS = (
    "text", "container", "binary", "exe-x86", "exe-arm64", "array", "bitmap", "image", "picture", "image-jpeg", "audio",
    "compressed",
)  # fmt: skip
MAGICS = {
    b"PK\3\4": "container", b"\x1f\x8b": "container", b"%PDF-": "container", b"\x89PNG": "picture", b"GIF8": "picture",
    b"\xff\xd8\xff": "image-jpeg",
}  # fmt: skip
# Extensions that go with each other: one file is made from the other, or they are the same by another name.
TOGETHER = (
    "py pyc pyi pyx pxd", "c h cc cpp cxx hh hpp hxx inl", "js mjs cjs ts jsx tsx map", "java class", "po pot mo",
    "htm html xhtml", "jpg jpeg jpe jfif", "tif tiff",
)  # fmt: skip
GROUPS = {word: words.split()[0] for words in TOGETHER for word in words.split()}
SOURCES = ("py", "java", "po")  # groups whose binary files stand with their text
CACHE = "__pycache__"  # a folder of what was made from the files beside it


class Item(NamedTuple):
    """Something below a directory that is packed.

    Attributes:
        path: where it lies.
        name: its name in the archive.
        mode: type and permission bits.
        size: bytes of a file.
    """

    path: str
    name: str
    mode: int
    size: int

    @property
    def archived_size(self) -> int:
        """Bytes that it takes in the archive, about: names of many bytes take more."""
        return tarfile.BLOCKSIZE + self.size + -self.size % tarfile.BLOCKSIZE


def walk_order(name: str) -> bytes:
    """Return the key of the order of names: a directory stands before what is in it, and siblings by their names."""
    return os.fsencode(name).replace(b"/", b"\0")


def archive_order(items: Iterable[Item]) -> list[list[Item]]:
    """Return what is to be packed in the order of the archive: the files of each sort, and links and directories last.

    Raises:
        OSError: a file cannot be read.
    """
    found = sorted(items, key=lambda item: walk_order(item.name))
    files = [item for item in found if stat.S_ISREG(item.mode)]
    folders = [item for item in found if stat.S_ISDIR(item.mode)]
    others = [item for item in found if not (stat.S_ISREG(item.mode) or stat.S_ISDIR(item.mode))]
    keyed = sorted(((likeness(item), item) for item in files), key=itemgetter(0))
    sorts = [[item for _, item in same] for _, same in groupby(keyed, key=lambda pair: pair[0][:2])]
    return [*sorts, [*others, *reversed(folders)]]


def likeness(item: Item) -> tuple[Any, ...]:
    """Return the key by which files that are alike stand together; its first two values are the file's sort."""
    folder, _, name = item.name.rpartition("/")
    ending = extension(name)
    group = GROUPS.get(ending, ending)
    kind = "text" if group in SOURCES else kind_of(item)
    return KINDS.index(kind), group, walk_order(folder.removesuffix("/" + CACHE)), walk_order(name)


def extension(name: str) -> str:
    """Return what follows the last dot of a file's name, in small letters; nothing where it begins with that."""
    start = name.rfind(".", 1)
    return name[start + 1 :].lower() if start > 0 else ""


def kind_of(item: Item) -> str:
    """Return which of `KINDS` a file is, as its first bytes show it.

    Raises:
        OSError: it cannot be read.
    """
    if not item.size:
        return "text"
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    number = os.open(item.path, flags)
    try:
        head = os.read(number, LOOK)
    finally:
        os.close(number)
    for magic, kind in MAGICS.items():
        if head.startswith(magic):
            return kind
    found = headers.parse(head, item.size)
    if found is not None:
        return found.kind if found.kind in KINDS else "binary"
    counts = Counter(head[:LOOK_AT_TEXT])
    return "text" if texts.is_text([counts[byte] for byte in range(256)]) else "binary"
