"""Frames of YUV4MPEG2 files: the planes of luma and chroma, one leaf each."""

from __future__ import annotations

import re
from dataclasses import replace

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.pixels import picture
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.photographs import FILMED

MAGIC = b"YUV4MPEG2 "
LONGEST = 256  # bytes of a line
MARK = b"FRAME"
# What chroma has less than luma, across and down, by the form's first characters; None where there is none.
FORMS: dict[bytes, tuple[int, int] | None] = {
    b"420": (2, 2), b"422": (2, 1), b"444": (1, 1), b"411": (4, 1), b"440": (1, 2), b"mono": None,
}  # fmt: skip
LINE = re.compile(rb"YUV4MPEG2 (?=[^\n]{0,240}\bW(\d{1,5})\b)(?=[^\n]{0,240}\bH(\d{1,5})\b)[^\n]{0,240}\n")
FORM = re.compile(rb" C(420|422|444|411|440|mono)([a-z0-9]*)")


def find(data: bytes, start: int, budget: Budget) -> list[Found]:
    """Return the planes of the frames of a file that begins at `start` of `data`; none if it is no such file."""
    if not data.startswith(MAGIC, start):
        return []
    line = LINE.match(data, start, start + LONGEST)
    if line is None:
        return []
    stated = FORM.search(line[0])
    name, more = (stated[1], stated[2]) if stated else (b"420", b"")
    if more[:5] == b"alpha":
        return []
    depth = 16 if re.fullmatch(rb"p?(9|1[0-6])", more) else 8
    width, height, less = int(line[1]), int(line[2]), FORMS[name]
    shapes = [(width, height)]
    if less is not None:
        shapes += [(-(-width // less[0]), -(-height // less[1]))] * 2
    sizes = [w * h * depth // 8 for w, h in shapes]
    found, at = list[Found](), line.end()
    if min(sizes) < 1:
        return []
    while data.startswith(MARK, at) and budget.walk():
        end = data.find(b"\n", at, at + LONGEST) + 1
        if not end or end + sum(sizes) > len(data):
            break
        for (w, _), size in zip(shapes, sizes, strict=True):
            segment = picture(size, w * depth // 8, depth, 1, frame=sum(sizes) + end - at)
            if segment is not None:
                found.append(Found(end, end + size, segment=replace(segment, confidence=FILMED)))
            at = end = end + size
    return found
