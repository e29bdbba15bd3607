"""Archives of directories, through `extract_tree`."""

from __future__ import annotations

import io
import os
import re
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import nzip
from nzip.codec.files.trees.extract import extract_tree
from nzip.codec.files.trees.tree import Tree, list_tree
from nzip.errors import FileError, NzipError
from nzip.formats.container.entries import encode_chunk, encode_table
from nzip.formats.container.structures import FIELD_KIND, FIELDS, Header

from . import mutate, wire
from .lossless import solo
from .samples import text
from .target import ANY, MEBI, Target, Wrong, cleared, own_folder

BLOCK = 512
_NUMBERS = {
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "devmajor": (329, 8),
    "devminor": (337, 8),
}
_TEXTS = {"name": (0, 100), "linkname": (157, 100), "prefix": (345, 155)}
_PAX = (
    "path",
    "linkpath",
    "size",
    "mtime",
    "uid",
    "gid",
    "uname",
    "GNU.sparse.map",
    "GNU.sparse.major",
    "GNU.sparse.minor",
    "GNU.sparse.realsize",
    "GNU.sparse.size",
    "GNU.sparse.numblocks",
    "hdrcharset",
    "comment",
    "SCHILY.xattr.user.a",
)
_ODD_NAMES = (
    b"",
    b".",
    b"..",
    b"/",
    b"../x",
    b"top/../../x",
    b"/etc/x",
    b"top",
    b"top/",
    b"top//b",
    b"top/./a",
    b"other/x",
    b"top/a\0b",
    b"top/\xff\xfe",
    b"top/" + b"d/" * 60 + b"x",
    b"victim/key",
    b"top/link/x",
    b"C:\\x",
    b"top/a b\n",
)
_ODD_LINKS = (
    b"a.txt",
    b"../victim/key",
    b"../top/a.txt",
    b"/etc/passwd",
    b"..",
    b".",
    b"",
    b"link",
    b"top/a.txt",
    b"sub/../../x",
    b"../" * 9 + b"etc",
    b"sub",
    b"a.txt/x",
    b"\0",
    b"sub/link2",
)
_VALUES = (
    b"",
    b"0",
    b"-1",
    b"nan",
    b"inf",
    b"-inf",
    b"1e300",
    b"1e-300",
    b"-5.5",
    b"9" * 30,
    b"1" * 5000,
    b"\0",
    b"a\0b",
    b"\xff",
    b"../x",
    b"0,1,2",
    b"1,1," * 50,
    b"12345678901234567890",
    b"top/x",
)


class TarTarget(Target):
    """Archives of directories, through `extract_tree`: nothing may be written, or be led to, outside of the target."""

    name = "tar"
    share = 5.0
    limit = 100 * MEBI

    def prepare(self) -> None:
        self.seeds = [
            archive(tarfile.PAX_FORMAT),
            archive(tarfile.GNU_FORMAT),
            archive(tarfile.USTAR_FORMAT, rich=False),
        ]
        self.zeros = solo("zstd", bytes(1 << 20), level=1).chunks[0]
        self.enter()
        for seed in self.seeds:
            assert self.run(b"\0" + packed(b"".join(b"".join(entry) for entry in seed) + bytes(2 * BLOCK))) == ANY
        cleared(self.folder)
        self.folder.rmdir()

    def enter(self) -> None:
        self.folder = own_folder()

    def mutation(self, r: Random) -> bytes:
        entries = list(r.choice(self.seeds))
        for _ in range(r.choice((1, 1, 2, 3, 5))):
            at = r.randrange(len(entries))
            head, body = entries[at]
            way = r.randrange(12)
            if way < 5:
                entries[at] = (_repaired(_changed_head(r, head)), body)
            elif way == 5:
                entries[at] = (head, mutate.octets(r, body) if body else r.randbytes(BLOCK))
            elif way == 6:
                entries.insert(r.randrange(len(entries) + 1), pax_entry(r))
            elif way == 7:
                entries.insert(r.randrange(len(entries) + 1), _long_name(r))
            elif way == 8:
                entries.insert(r.randrange(len(entries) + 1), r.choice(r.choice(self.seeds)))
            elif way == 9 and len(entries) > 1:
                del entries[at]
            elif way == 10:
                other = r.randrange(len(entries))
                entries[at], entries[other] = entries[other], entries[at]
            else:
                entries[at:at] = [entries[at]] * r.choice((1, 3))
        data = b"".join(head + body for head, body in entries) + bytes(BLOCK * r.choice((0, 1, 2, 20)))
        if r.random() < 0.02:
            data = _deep(r.choice((30, 254, 257, 257, 300, 1600))) + data
        if r.random() < 0.005:
            return b"\0" + self.bomb(r, data)
        if r.random() < 0.05:
            data = mutate.octets(r, data)
        return bytes((r.randrange(8),)) + packed(data)

    def bomb(self, r: Random, data: bytes) -> bytes:
        """Return an archive that begins with an extended header of a great many zeros, which take few bytes."""
        size = r.choice((1 << 20, 1 << 21, 300 << 20))
        head, _ = _entry(r.choice((b"x", b"g", b"L", b"K")), b"%d comment=" % size)
        out = bytearray(head)
        out[124:136] = b"%011o\0" % size
        parts = [_repaired(bytes(out)) + (b"%d comment=" % size).ljust(BLOCK, b"\0"), data]
        zeros = [replace(self.zeros, raw=self.zeros.raw) for _ in range(size >> 20)]
        chunks = [solo("store", part).chunks[0] for part in parts]
        return wire.encode(
            [
                wire.Member(
                    flags=FIELDS,
                    fields=[(FIELD_KIND, b"\1")],
                    chunks=[chunks[0], *zeros, chunks[1]],
                )
            ]
        )

    def run(self, case: bytes) -> str:
        try:
            return self.extracted(case)
        finally:
            cleared(self.folder)

    def extracted(self, case: bytes) -> str:
        way, data = case[0], case[1:]
        room, victim = self.folder / "room", self.folder / "victim"
        for folder in (room, victim, room / "victim", room / "secret"):
            folder.mkdir()
            (folder / "key").write_bytes(b"a secret of " + folder.name.encode())
        source = self.folder / "archive.tar.nz"
        source.write_bytes(data)
        before = _tree(self.folder)
        target = room / "new" if way & 1 else None
        try:
            result = extract_tree(
                source,
                target,
                folder=None if target else room,
                max_memory=self.limit,
                threads=1,
                outside_links=bool(way == 6),
                force=bool(way & 4),
            )
        except (NzipError, OSError) as error:
            if isinstance(error, OSError) and not error.errno:
                raise
            after = _tree(self.folder)
            if after != before:
                left = sorted(set(after) - set(before)) or sorted(set(before) - set(after)) or ["changed files"]
                raise Wrong("a failed extraction left " + _plain(left[0])) from error
            if isinstance(error, OSError):  # a name that the system does not take, said by its own error
                raise FileError(source, str(error)) from error
            raise
        place = Path(result.target)
        if place.parent != room or (target and place != target):
            raise Wrong("the directory lies where it should not")
        if place.name in ("victim", "secret") and way & 4:
            return ANY  # an archive whose directory has that name, and -f: it was to be replaced
        after = _tree(self.folder)
        inside = f"room/{place.name}"
        beside = {name: what for name, what in after.items() if name != inside and not name.startswith(inside + "/")}
        if beside != {name: what for name, what in before.items() if name != inside}:
            raise Wrong("an extraction changed what lies outside")
        if way != 6:
            root = os.path.realpath(place)
            for name, what in after.items():
                if name.startswith(inside) and what[0] == "link":
                    leads = os.path.realpath(self.folder / name)
                    if leads != root and not leads.startswith(root + os.sep):
                        raise Wrong("a link leads outside of the directory")
        return ANY


class SomeTarget(TarTarget):
    """Single files of such archives, with tables of their entries that say other things; also `list_tree`."""

    name = "some"
    share = 3.0
    paths = (
        ["top"], ["*"], ["top/sub", "a.txt"], ["**/*a*", "*/*i*"], ["top/hard", "nothing"], ["top/**/l*", "/etc/x"]
    )  # fmt: skip

    def prepare(self) -> None:
        super().prepare()
        self.tables: list[bytes] = []
        self.raws = [b"".join(b"".join(entry) for entry in seed) + bytes(2 * BLOCK) for seed in self.seeds[:2]]
        for raw in self.raws:
            compressor = nzip.Compressor(1, engine="store", kind="tar")
            with Tree(io.BytesIO(compressor.compress(raw) + compressor.flush())) as tree:
                found = tree.entries
            self.tables.append(encode_table(found))

    def mutation(self, r: Random) -> bytes:
        if r.random() < 0.5:
            return super().mutation(r)
        number = r.randrange(len(self.raws))
        raw, table = self.raws[number], mutate.octets(r, self.tables[number])
        if r.random() < 0.3:
            raw = mutate.octets(r, raw)
        compressor = nzip.Compressor(1, engine="store", block_size=1024, kind="tar")
        data = compressor.compress(raw)
        chunk = encode_chunk(nzip.compress(table[: 1 << 20], engine="store"))
        compressor._add_table(mutate.octets(r, chunk) if r.random() < 0.1 else chunk)
        return bytes((r.randrange(8 * len(self.paths)),)) + data + compressor.flush()

    def extracted(self, case: bytes) -> str:
        way, paths, data = case[0] % 8, self.paths[case[0] // 8 % len(self.paths)], case[1:]
        room, victim = self.folder / "room", self.folder / "victim"
        for folder in (room, victim, room / "victim"):
            folder.mkdir()
            (folder / "key").write_bytes(b"a secret of " + folder.name.encode())
        source = self.folder / "archive.tar.nz"
        source.write_bytes(data)
        before = _tree(self.folder)
        try:
            list_tree(source, max_memory=self.limit)
            extract_tree(
                source,
                folder=room,
                paths=paths,
                max_memory=self.limit,
                outside_links=way == 6,
                force=bool(way & 4),
            )
        except (NzipError, OSError) as error:
            if isinstance(error, OSError) and not error.errno:
                raise
            if _tree(self.folder) != before:
                raise Wrong("a failed extraction of some files changed what was there") from error
            if isinstance(error, OSError):
                raise FileError(source, str(error)) from error
            raise
        after = _tree(self.folder)
        kept = {name for name in before if not (way & 4 and name.startswith("room/"))}
        if any(after.get(name) != before[name] for name in kept):
            raise Wrong("an extraction of some files changed what was there")
        if any(not name.startswith("room/") for name in {*after} - {*before}):
            raise Wrong("an extraction of some files put something outside")
        if way != 6:
            root = os.path.realpath(room)
            for name, what in after.items():
                leads = os.path.realpath(self.folder / name)
                if what[0] == "link" and leads != root and not leads.startswith(root + os.sep):
                    raise Wrong("a link leads outside of the directory")
        return ANY


def _plain(name: str) -> str:
    return re.sub(r"[0-9a-f]{8,}", "…", re.sub(r"/.*", "/…", name))


def _tree(folder: Path) -> dict[str, tuple[str, Any]]:
    """Return what lies in a folder: directories, files with their content, links."""
    found: dict[str, tuple[str, Any]] = {}
    waiting = [str(folder)]
    skip = len(waiting[0]) + 1
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                name = entry.path[skip:]
                if entry.is_symlink():
                    found[name] = ("link", os.readlink(entry.path))
                elif entry.is_dir():
                    found[name] = ("folder", None)
                    waiting.append(entry.path)
                elif entry.is_file():
                    with open(entry.path, "rb") as file:
                        found[name] = ("file", zlib.crc32(file.read(1 << 16)))
                else:
                    found[name] = ("other", None)
    return found


def packed(data: bytes) -> bytes:
    """Return an nzip file of an archive, stored."""
    member = solo("store", data)
    head = Header(solo=True, kind="tar").encode()
    return head + wire.encode_chunk(member.chunks[0])


def archive(form: int, rich: bool = True) -> list[tuple[bytes, bytes]]:
    """Return the entries of a small archive: header and content of each."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:

        def add(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(data)
            info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o640
            info.mtime = 1_600_000_000 + (0.25 if form == tarfile.PAX_FORMAT else 0)
            tar.addfile(info, io.BytesIO(data))

        add("top", kind=tarfile.DIRTYPE)
        add("top/a.txt", text(1, 700))
        add("top/sub", kind=tarfile.DIRTYPE)
        add("top/sub/empty")
        add("top/link", kind=tarfile.SYMTYPE, link="a.txt")
        add("top/sub/link2", kind=tarfile.SYMTYPE, link="../sub/empty")
        add("top/hard", kind=tarfile.LNKTYPE, link="top/a.txt")
        if rich:
            add("top/" + "long/" * 30 + "name", b"x")
            add("top/größe", b"y" * 513)
            add("top/far", kind=tarfile.SYMTYPE, link="sub/" + "../sub/" * 30 + "empty")
    data = out.getvalue()
    entries, at = [], 0
    while data[at : at + BLOCK].strip(b"\0"):
        head = data[at : at + BLOCK]
        size = int(head[124:136].rstrip(b"\0 ") or b"0", 8)
        stop = at + BLOCK + -(-size // BLOCK) * BLOCK
        entries.append((head, data[at + BLOCK : stop]))
        at = stop
    return entries


def _repaired(head: bytes) -> bytes:
    """Return a header with the sum that it must have."""
    total = sum(head[:148]) + 8 * 32 + sum(head[156:BLOCK])
    return head[:148] + b"%06o\0 " % (total & 0o777777) + head[156:]


def _changed_head(r: Random, head: bytes) -> bytes:
    out = bytearray(head)
    way = r.randrange(8)
    if way == 0:
        out[156:157] = r.choice(
            (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S", b"L", b"K", b"x", b"g", b"X", b"\0", b"V", b"D")
        )
    elif way < 3:
        at, size = _NUMBERS[r.choice([*_NUMBERS])]
        value = mutate.number(r, r.randrange(5000))
        field = r.choice(
            (
                b"%0*o\0" % (size - 1, value),
                b"\x80" + value.to_bytes(size - 1, "big") if value < 1 << 8 * size - 8 else b"\x80",
                b"-1",
                b"\xff" * size,
                b" " * size,
                r.randbytes(size),
            )
        )
        out[at : at + size] = field[:size].ljust(size, b"\0")
    elif way < 6:
        name = r.choice([*_TEXTS])
        at, size = _TEXTS[name]
        value = r.choice(_ODD_LINKS if name == "linkname" else _ODD_NAMES)
        out[at : at + size] = value[:size].ljust(size, b"\0")
        if name == "linkname" and r.random() < 0.5:
            out[156:157] = r.choice((b"1", b"2"))
    elif way == 6:
        at = r.randrange(BLOCK)
        out[at] = mutate.octet(r, out[at])
    else:  # a sparse file of GNU's old form
        out[156:157] = b"S"
        for place in range(386, 482, 12):
            out[place : place + 12] = b"%011o\0" % (mutate.number(r, 512, 8**11 - 1))
        out[482] = r.randrange(2)
        out[483:495] = b"%011o\0" % mutate.number(r, 1024, 8**11 - 1)
    return bytes(out)


def _entry(kind: bytes, body: bytes, name: bytes = b"././@PaxHeader") -> tuple[bytes, bytes]:
    info = tarfile.TarInfo("x")
    info.size = len(body)
    head = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    head[:100] = name[:100].ljust(100, b"\0")
    head[156:157] = kind
    return _repaired(bytes(head)), body + bytes(-len(body) % BLOCK)


def pax_entry(r: Random) -> tuple[bytes, bytes]:
    """Return an extended header with odd keys and values."""
    body = b""
    for _ in range(r.choice((1, 1, 2, 5))):
        key = r.choice(_PAX).encode() if r.random() < 0.9 else r.randbytes(5)
        value = r.choice(_VALUES) if r.random() < 0.6 else r.choice(_ODD_NAMES + _ODD_LINKS)
        record = b" " + key + b"=" + value + b"\n"
        size = len(record) + len(str(len(record)))
        size = len(record) + len(str(size))
        if r.random() < 0.1:
            size = mutate.number(r, size)
        body += b"%d" % size + record
    return _entry(r.choice((b"x", b"x", b"x", b"g", b"X")), body if r.random() < 0.9 else mutate.octets(r, body))


def _long_name(r: Random) -> tuple[bytes, bytes]:
    return _entry(r.choice((b"L", b"K")), r.choice(_ODD_NAMES + _ODD_LINKS) + r.choice((b"\0", b"")), b"././@LongLink")


def _deep(depth: int) -> bytes:
    head, body = _entry(b"L", b"top/" + b"d/" * depth + b"x\0", b"././@LongLink")
    info = tarfile.TarInfo("top")
    info.type = tarfile.DIRTYPE
    return info.tobuf(tarfile.USTAR_FORMAT) + head + body + tarfile.TarInfo("top/x").tobuf(tarfile.USTAR_FORMAT)


TARGETS = [TarTarget, SomeTarget]
