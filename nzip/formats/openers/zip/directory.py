"""What an opened archive keeps of its headers: a field that is as in the member before costs one bit of a mask.

The values that changed stand field by field, in columns, which a model of bytes predicts better than rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb

ANY = 0  # the width of a field of any length
# Fields of a member: local version, flags, method, time and date, form, what stands behind it, extra field, recipe;
# check and size where its data is kept as it is; then the directory's version, internal and external attributes, the
# first four fields where they differ there, extra field and comment.
WIDTHS = (2, 2, 2, 4, 1, ANY, ANY, ANY, ANY, 2, 2, 4, ANY, ANY, ANY)
NEEDED, FLAGS, METHOD, TIME, FORM, BETWEEN, EXTRA, RECIPE, KEPT = range(9)
MADE, INNER, OUTER, FIXED, CENTRAL_EXTRA, COMMENT = range(9, len(WIDTHS))
MASK = 2  # bytes

Fields = Sequence[bytes]


class Directory(NamedTuple):
    """What is kept of an archive.

    Attributes:
        fields: of each member, in the order of the data.
        sizes: bytes of each member in the inner bytes.
        listed: whether a directory follows.
        order: the members in the directory's order; empty where that is the data's.
        base: what offsets have added to them.
        comment: of the archive; None where `tail` says all that stands behind the directory.
        tail: that.
    """

    fields: list[Fields]
    sizes: list[int]
    listed: bool
    order: list[int]
    base: int
    comment: bytes | None
    tail: bytes


LISTED, ORDERED, USUAL = 1, 2, 4


def written(directory: Directory) -> bytes:
    """Return the bytes that `read` takes."""
    usual = directory.comment is not None
    flags = LISTED * directory.listed | ORDERED * bool(directory.order) | USUAL * usual
    tail = directory.tail if directory.comment is None else directory.comment
    out = [uleb(len(directory.fields)), bytes((flags,)), uleb(directory.base), uleb(len(tail)), tail]
    before: Fields = tuple(bytes(width) for width in WIDTHS)
    masks, columns = bytearray(), [bytearray() for _ in WIDTHS]
    for fields in directory.fields:
        mask = 0
        for number, width in enumerate(WIDTHS):
            value = fields[number]
            if value != before[number]:
                mask |= 1 << number
                if width == ANY:
                    columns[number] += uleb(len(value))
                columns[number] += value
        masks += mask.to_bytes(MASK, "little")
        before = fields
    last = -1
    for number in directory.order:
        step = number - last - 1
        out.append(uleb(2 * step if step >= 0 else -2 * step - 1))
        last = number
    sizes = b"".join(map(uleb, directory.sizes))
    return b"".join((*out, bytes(masks), *map(bytes, columns), sizes))


def read(text: bytes, most: int) -> Directory:
    """Return what `written` wrote.

    Args:
        most: members that there may be.

    Raises:
        CorruptError: it is not that.
    """
    source = Reader(text)
    count, flags, base = source.uleb(), source.u8(), source.uleb()
    tail = source.bytes(source.uleb())
    if count > most or flags > (LISTED | ORDERED | USUAL):
        raise CorruptError("a recipe of zip has too many members")
    order, last = list[int](), -1
    for _ in range(count if flags & ORDERED else 0):
        step = source.uleb()
        last += 1 + (-(step + 1) // 2 if step & 1 else step // 2)
        order.append(last)
    if flags & ORDERED and sorted(order) != list(range(count)):
        raise CorruptError("a recipe of zip has no order of its members")
    masks = source.bytes(MASK * count)
    columns: list[list[bytes]] = []
    for number, width in enumerate(WIDTHS):
        column, value = list[bytes](), bytes(width)
        for k in range(count):
            if masks[MASK * k + number // 8] >> number % 8 & 1:
                value = source.bytes(width if width != ANY else source.uleb())
            column.append(value)
        columns.append(column)
    sizes = [source.uleb() for _ in range(count)]
    if source.left():
        raise CorruptError("a recipe of zip is too long")
    usual = flags & USUAL
    return Directory(
        list(zip(*columns, strict=True)), sizes, bool(flags & LISTED), order, base, tail if usual else None,
        b"" if usual else tail,
    )  # fmt: skip
