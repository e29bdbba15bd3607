"""Opener `zip`: an archive becomes what its members hold, sorted by the endings of their names, and a short directory.

Checks, sizes, offsets, the second header of each member and its second name are computed. The opener of deflate redoes
the members; one that it does not redo stays as it is. Archives that are not laid out as usual are left alone.
docs/reference/OPENERS.md defines it to the bit.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.wrapped import deflate
from nzip.formats.openers.zip import directory as kept
from nzip.formats.openers.zip import entries as parts
from nzip.formats.openers.zip.directory import Directory
from nzip.formats.openers.zip.entries import Archive, Entry

# The form of a member: the descriptor's kind in three bits; what its local header states of check and sizes in two;
# whether the directory leaves the sizes to an extra field; how its data is kept in two.
TRUE, ZERO, UNSTATED, NEITHER = range(4)
PLAIN, OPENED, KEPT = range(3)
NAME_END = b"\n"
MOST_ENDING = 8  # characters of a name's ending
MOST_MEMBERS = 1 << 15
LEAST = parts.LOCAL_SIZE + 1  # bytes of a member, without its entry in the directory
MEMBER = 3 << 9  # bytes of memory that each takes


class Inner(NamedTuple):
    """The parts of the inner bytes.

    Attributes:
        directory: where it begins; it ends where the names begin.
        names: where they begin; the first member follows them.
        groups: where members begin whose names end alike, in order; the last is where all end.
        starts: where each member begins, in the order in which they lie there.
    """

    directory: int
    names: int
    groups: list[int]
    starts: list[int]


class ZipOpener(Opener):
    """Takes a whole archive, or members that follow each other (hint `sizes`: the bytes of each one's data)."""

    name = "zip"
    id = 22
    version = 1

    def open(self, coded: bytes, most: int, *, sizes: tuple[int, ...] = (), **hints: Any) -> Opened | None:
        try:
            archive = parts.run(coded, sizes) if sizes else parts.whole(coded)
        except (ValueError, struct.error):
            return None
        names = [entry.local.name for entry in archive.entries]
        if not 1 <= len(names) <= MOST_MEMBERS or any(NAME_END in name for name in names):
            return None
        left, fields, members, datas = most - len(coded), list[kept.Fields](), list[bytes](), list[bytes]()
        for entry in archive.entries:
            data = coded[entry.local.data : entry.stop]
            member, field = _member(entry, data, left + len(data), hints)
            left += len(data) - len(member)
            fields.append(field)
            members.append(member)
            datas.append(data)
        comment = _usual_comment(archive, len(coded))
        order = archive.order if archive.order != sorted(archive.order) else []
        tail = archive.tail if comment is None else b""
        sizes_inside, listed = list(map(len, members)), bool(archive.order)
        found = Directory(fields, sizes_inside, listed, order, archive.base, comment, tail)
        text = kept.written(found)
        lead = uleb(len(text)) + text + NAME_END.join(names) + NAME_END
        inner = lead + b"".join(members[number] for number in _sorted(names))
        try:
            if len(inner) > most or _archive(found, names, members, datas, len(coded)) != coded:
                return None
        except CorruptError:
            return None
        return Opened(inner, b"")

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        if recipe:
            raise CorruptError("a recipe of zip is too long")
        found, names, starts, _ = _taken_apart(inner, min(MOST_MEMBERS, size // LEAST))
        members = [inner[start : start + length] for start, length in zip(starts, found.sizes, strict=True)]
        datas, left = list[bytes](), size
        for member, fields in zip(members, found.fields, strict=True):
            data = member
            if fields[kept.FORM][0] >> 6 == OPENED:
                data = deflate().close_within(member, fields[kept.RECIPE], left)
            left -= len(data)
            if left < 0:
                raise CorruptError("a recipe of zip makes too many bytes")
            datas.append(data)
        return _archive(found, names, members, datas, size)

    def longest_recipe(self, size: int) -> int:
        return 0

    def memory(self, inner: int, size: int) -> int:
        return deflate().memory(inner, size) + 2 * inner + 2 * size + MEMBER * min(MOST_MEMBERS, size // LEAST)

    def prepare(self) -> None:
        deflate().prepare()


def layout(inner: bytes) -> Inner:
    """Return where the parts of the inner bytes of an archive lie.

    Raises:
        CorruptError: they are not such bytes.
    """
    _, names, starts, names_at = _taken_apart(inner, MOST_MEMBERS)
    groups, ending, in_order = list[int](), b"\n", list[int]()
    for number in _sorted(names):
        if _ending(names[number]) != ending:
            ending = _ending(names[number])
            groups.append(starts[number])
        in_order.append(starts[number])
    return Inner(len(uleb(names_at)), names_at, [*groups, len(inner)], in_order)


def _ending(name: bytes) -> bytes:
    last = name.rpartition(b"/")[2]
    ending = last.rpartition(b".")[2].lower()
    return ending if len(ending) <= MOST_ENDING and b"." in last else b""


def _sorted(names: list[bytes]) -> list[int]:
    """Return the members in the order in which the inner bytes have them: by ending, as endings first appear."""
    groups: dict[bytes, list[int]] = {}
    for number, name in enumerate(names):
        groups.setdefault(_ending(name), []).append(number)
    return [number for group in groups.values() for number in group]


def _taken_apart(inner: bytes, most: int) -> tuple[Directory, list[bytes], list[int], int]:
    """Return the directory of `most` members at most, the names, where each member begins, and where the names do."""
    source = Reader(inner)
    found = kept.read(source.bytes(source.uleb()), most)
    at = names_at = source.pos
    names = list[bytes]()
    for _ in found.sizes:
        end = inner.find(NAME_END, at)
        if end < 0:
            raise CorruptError("a recipe of zip has a member without a name")
        names.append(inner[at:end])
        at = end + 1
    starts = [0] * len(names)
    for number in _sorted(names):
        starts[number] = at
        at += found.sizes[number]
    if at != len(inner):
        raise CorruptError("a recipe of zip is for other bytes")
    return found, names, starts, names_at


def _member(entry: Entry, data: bytes, most: int, hints: dict[str, Any]) -> tuple[bytes, kept.Fields]:
    """Return what a member has in the inner bytes, and its fields."""
    local, central = entry.local, entry.central
    check, size = entry.stated
    how, member, recipe = KEPT, data, b""
    if not local.flags & parts.ENCRYPTED and local.method == parts.STORED:
        how = PLAIN if len(data) == size and zlib.crc32(data) == check else KEPT
    elif not local.flags & parts.ENCRYPTED and local.method == parts.DEFLATED and most > 0:
        opened = deflate().open(data, most, **hints)
        # What is inside is believed where nothing in the headers says how much it is: it is compared at the end.
        unstated = central is None and local.flags & parts.LATER
        if opened is not None and (unstated or zlib.crc32(opened.inner) == check):
            how, member, recipe = OPENED, opened.inner, opened.recipe
    stated = (local.check, local.packed, local.size)
    if stated == (0, 0, 0) and local.flags & parts.LATER:
        heading = ZERO
    elif local.packed == local.size == parts.UNSTATED:
        heading = NEITHER if local.check == 0 and local.flags & parts.LATER else UNSTATED
    else:
        heading = TRUE
    elsewhere = central is not None and central.packed == central.size == parts.UNSTATED
    form = entry.descriptor | heading << 3 | elsewhere << 5 | how << 6
    facts = struct.pack("<II", check, size) if how == KEPT else b""
    fixed = local.fixed
    fields = [
        fixed[:2], fixed[2:4], fixed[4:6], fixed[6:], bytes((form,)), entry.between, local.extra, recipe, facts,
    ]  # fmt: skip
    if central is None:
        return member, (*fields, *(bytes(width) for width in kept.WIDTHS[kept.MADE :]))
    differs = b"" if central.fixed == fixed else central.fixed
    return member, (*fields, central.made, central.inner, central.outer, differs, central.extra, central.comment)


def _usual_comment(archive: Archive, size: int) -> bytes | None:
    """Return the archive's comment if all that stands behind the directory follows from it and the members."""
    if not archive.order:
        return b"" if not archive.tail else None
    comment = archive.tail[parts.END_SIZE :][:0xFFFF]
    start = archive.entries[-1]
    begin = start.stop + parts.DESCRIPTORS[start.descriptor] + len(start.between)
    stop = size - len(archive.tail)
    usual = _end_record(len(archive.entries), stop - begin, archive.base + begin, comment)
    return comment if usual == archive.tail else None


def _end_record(count: int, size: int, start: int, comment: bytes) -> bytes:
    places = size & parts.UNSTATED, start & parts.UNSTATED
    return parts.END + struct.pack("<HHHHII", 0, 0, count, count, *places) + _lengths(comment) + comment


def _archive(found: Directory, names: list[bytes], members: list[bytes], datas: list[bytes], size: int) -> bytes:
    """Return the archive of `size` bytes that is made of members whose data is made already."""
    out, centrals, at, listed = list[bytes](), list[bytes](), 0, 0
    for pieces, central in _headed(found, names, members, datas):
        start = at
        at += sum(map(len, pieces))
        listed += sum(map(len, central)) + 4 if found.listed else 0
        if at + listed > size:
            raise CorruptError("a recipe of zip makes too many bytes")
        out += pieces
        if found.listed:
            head, tail = central
            centrals.append(head + struct.pack("<I", (start + found.base) & parts.UNSTATED) + tail)
    if found.listed:
        listing = b"".join(centrals[number] for number in found.order or range(len(centrals)))
        tail = found.tail
        if found.comment is not None:
            tail = _end_record(len(centrals), len(listing), at + found.base, found.comment)
        out += (listing, tail)
        at += len(listing) + len(tail)
    elif found.comment is None:
        out.append(found.tail)
        at += len(found.tail)
    if at != size:
        raise CorruptError("a recipe of zip makes another archive")
    return b"".join(out)


def _headed(
    found: Directory, names: list[bytes], members: list[bytes], datas: list[bytes]
) -> Iterator[tuple[list[bytes], tuple[bytes, bytes]]]:
    """Yield for each member its local header, data, descriptor and what follows; and the two parts of its entry of the
    directory, between which its offset stands."""
    for fields, name, member, data in zip(found.fields, names, members, datas, strict=True):
        form = fields[kept.FORM][0]
        descriptor, heading, elsewhere, how = form & 7, form >> 3 & 3, form >> 5 & 1, form >> 6
        if descriptor >= len(parts.DESCRIPTORS) or how > KEPT or (how == KEPT) != (len(fields[kept.KEPT]) == 8):
            raise CorruptError("a recipe of zip has a member of no form")
        check, size = zlib.crc32(member), len(member)
        if how == KEPT:
            check, size = struct.unpack("<II", fields[kept.KEPT])
        true = struct.pack("<III", check, len(data) & parts.UNSTATED, size & parts.UNSTATED)
        unstated = b"\xff" * 8
        local = (true, bytes(12), true[:4] + unstated, bytes(4) + unstated)[heading]
        fixed = b"".join(fields[: kept.FORM])
        extra = fields[kept.EXTRA]
        lengths = _lengths(name, extra)
        later = b""
        if descriptor:
            wide = descriptor > 2
            word = parts.DESCRIPTOR if descriptor in (1, 3) else b""
            later = word + struct.pack("<IQQ" if wide else "<III", check, len(data), size)
        pieces = [parts.LOCAL, fixed, local, lengths, name, extra, data, later, fields[kept.BETWEEN]]
        comment, extra = fields[kept.COMMENT], fields[kept.CENTRAL_EXTRA]
        sizes = true[:4] + unstated if elsewhere else true
        differs = fields[kept.FIXED]
        if len(differs) not in (0, len(fixed)):
            raise CorruptError("a recipe of zip has fields that are too long")
        lengths = _lengths(name, extra, comment) + bytes(2)
        head = parts.CENTRAL + fields[kept.MADE] + (differs or fixed) + sizes + lengths
        yield pieces, (head + fields[kept.INNER] + fields[kept.OUTER], name + extra + comment)


def _lengths(*texts: bytes) -> bytes:
    if any(len(text) > 0xFFFF for text in texts):
        raise CorruptError("a recipe of zip has a field that is too long")
    return b"".join(len(text).to_bytes(2, "little") for text in texts)
