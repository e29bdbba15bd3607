"""The pictures of a GIF file (CompuServe, "Graphics Interchange Format", version 89a).

Each picture is a stretch for the opener of LZW codes; what is inside are places in a palette, one byte a pixel. A
picture that has the width and the place of the one before is a further frame: `frame` of its segment counts back over
the end of that picture, which stands before it wherever pictures are put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.headers import grey
from nzip.formats.content.kinds import Segment

MAGIC = (b"GIF87a", b"GIF89a")
HEADER, PICTURE = 13, 10  # bytes of the header and of a picture's descriptor
PALETTE, INTERLACED = 0x80, 0x40
MOST_PICTURES = 1 << 14
HEADED = 98  # confidence


def find(data: bytes, start: int, budget: Budget) -> list[Found]:
    """Return the pictures of the GIF file that begins at `start` of `data`, as far as it is whole."""
    found: list[Found] = []
    at = start + HEADER
    if data[start : start + 6] not in MAGIC or at > len(data):
        return []
    shared = _palette(data[start + 10])
    plain = grey(data[at : at + shared], 3)
    at += shared
    before = (0, 0, 0, 0)
    while at < len(data) and len(found) < MOST_PICTURES:
        if data[at] == 0x21:  # an extension
            end = _blocks(data, at + 2, budget)
            if end is None:
                break
            at = end
            continue
        if data[at] != 0x2C or at + PICTURE >= len(data):
            break
        left, top, width, height = (int.from_bytes(data[at + k : at + k + 2], "little") for k in (1, 3, 5, 7))
        flags = data[at + 9]
        at += PICTURE
        own = _palette(flags)
        samples = grey(data[at : at + own], 3) if own else plain
        at += own
        end = _blocks(data, at + 1, budget)
        if end is None or not width or not height:
            break
        frame = 0
        if before[0] == left and before[2] == width:  # the pixel that was at the same place
            frame = width * (before[3] + before[1] - top)
        hints = {"gif": True, "size": width * height, "width": width if flags & INTERLACED else 0}
        found.append(Found(at, end, "lzw", hints, inside=_pixels(width, max(0, frame), not samples)))
        before = (left, top, width, height)
        at = end
    return found


def _palette(flags: int) -> int:
    """Bytes of the palette that `flags` speak of."""
    return 3 * (2 << (flags & 7)) if flags & PALETTE else 0


def _blocks(data: bytes, at: int, budget: Budget) -> int | None:
    """Return where the blocks that begin at `at` end, with the empty one; None where they are cut off."""
    while budget.walk() and at < len(data):
        if not data[at]:
            return at + 1
        at += 1 + data[at]
    return None


def _pixels(width: int, frame: int, indexed: bool) -> Callable[[bytes], Iterable[Found]]:
    def inside(pixels: bytes) -> Iterable[Found]:
        segment = Segment(
            "image", len(pixels), width=1, channels=1, stride=1, row=width, frame=frame, indexed=indexed,
            confidence=HEADED,
        )  # fmt: skip
        return [Found(0, len(pixels), segment=segment)]

    return inside
