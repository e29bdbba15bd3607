"""Pictures behind a header of Windows' bitmaps: in icons, metafiles, documents and programs, as well as in BMP files.

The header is BITMAPINFOHEADER with what its later versions add. Only rows of whole pixels without compression count.
"""

from __future__ import annotations

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.headers import grey
from nzip.formats.content.kinds import BITMAP, Segment

MAGIC = b"\x28\0\0\0"
MOST = 1 << 15  # pixels of a row or column
SMALLEST = 1 << 14  # bytes of rows; fewer are told as well by what stands around them
HEADED = 92  # confidence


def find(data: bytes, start: int, budget: Budget) -> list[Found]:
    """Return the rows of the picture whose header begins at `start` of `data`; none if it is no such header."""
    if not budget.walk():
        return []
    head = data[start : start + 40]
    size, bits = int.from_bytes(head[:4], "little"), int.from_bytes(head[14:16], "little")
    if len(head) < 40 or size not in (40, 108, 124) or head[12:14] != b"\1\0" or bits not in (1, 8, 24, 32):
        return []
    width, height = (int.from_bytes(head[k : k + 4], "little", signed=True) for k in (4, 8))
    coding, stated, colours = (int.from_bytes(head[k : k + 4], "little") for k in (16, 20, 32))
    rows, row = abs(height), (width * bits + 31) // 32 * 4
    if coding or not (0 < width <= MOST and 0 < rows <= MOST) or colours > 256:
        return []
    if rows == 2 * width and stated != row * rows:  # an icon: the second half is a mask
        rows = width
    masks = (width + 31) // 32 * 4 * rows
    if stated and not row * rows <= stated <= row * rows + masks + 4:
        return []
    palette = start + size
    begin = palette + 4 * ((colours or 1 << bits) if bits <= 8 else colours)
    end = begin + row * rows
    if end > len(data) or row * rows < SMALLEST:
        return []
    if bits == 1:
        segment = Segment("bitmap", end - begin, BITMAP, width=1, channels=1, row=row, confidence=HEADED)
    else:
        indexed = bits == 8 and not grey(data[palette:begin], 4)
        segment = Segment(
            "image", end - begin, width=1, channels=bits // 8, stride=bits // 8, row=row, indexed=indexed,
            confidence=HEADED,
        )  # fmt: skip
    return [Found(begin, end, segment=segment)]
