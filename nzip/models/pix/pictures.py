"""The map of pictures: where in a block they stand, how large they are, and how their samples are written.

It stands at the start of a payload; docs/reference/PIX.md specifies it. What is read is believed only within its
bounds.
"""

from __future__ import annotations

from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content, Segment
from nzip.models.pix.layout import MARGIN

MOST, MOST_PLANES = 1 << 14, 1 << 15  # pictures of a block, and channels of all of them
MOST_CHANNELS = 8
LEAST_SIDE = 16  # pixels, of pictures that are not small
SMALL = 1 << 19  # samples with margins
MOST_SIDE = 1 << 24
LEAST_SPLIT = 32  # pixels, of pictures whose chroma is coded in quarters
MOST_BACK = 4  # pictures between a frame and the one before, and one


class Picture(NamedTuple):
    """A picture in a block.

    Attributes:
        gap: bytes between the picture before (or the start of the block) and this one.
        width, height: pixels.
        channels: samples of a pixel.
        depth: bytes of a sample, 1 or 2.
        big: whether samples begin with their highest byte.
        filling: bytes behind the pixels of each row.
        follows: how many pictures back the frame before it is, which has the same shape; 0 for none.
    """

    gap: int
    width: int
    height: int
    channels: int
    depth: int
    big: bool
    filling: int
    follows: int = 0

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return self.width * self.channels * self.depth + self.filling

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return self.row * self.height

    @property
    def shape(self) -> tuple[int, ...]:
        """What pictures of one shape have alike."""
        return self[1:7]


def of_segment(segment: Segment) -> Picture | None:
    """Return the picture that a segment holds, with what is before it as its gap; None where it holds none."""
    depth = segment.width or 1
    if segment.kind != "image" or depth not in (1, 2) or segment.real or segment.stride < depth:
        return None
    channels, rest = divmod(segment.stride, depth)
    if rest or not 1 <= channels <= MOST_CHANNELS or segment.row < segment.stride:
        return None
    height = (segment.length - segment.offset) // segment.row
    width = segment.row // segment.stride
    picture = Picture(
        segment.offset, width, height, channels, depth, segment.big and depth > 1, segment.row - width * segment.stride
    )
    return picture if possible(picture) else None


def possible(picture: Picture) -> bool:
    """Whether a picture's sides are such that its margins take little memory."""
    width, height = picture.width, picture.height
    margined = (width + 2 * MARGIN) * (height + 2 * MARGIN) * picture.channels
    return (
        0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE and picture.filling < max(1 << 16, picture.row)
        and (margined <= SMALL or min(width, height) >= LEAST_SIDE)
    )  # fmt: skip


def followed(pictures: list[Picture]) -> list[bool]:
    """Return of each picture whether a later one follows it."""
    found = [False] * len(pictures)
    for number, picture in enumerate(pictures):
        if picture.follows:
            found[number - picture.follows] = True
    return found


def of_content(content: Content) -> list[Picture]:
    """Return the pictures of a block, in order."""
    found: list[Picture] = []
    gap = planes = 0
    for segment in content.segments:
        picture = of_segment(segment) if len(found) < MOST else None
        if picture is None or planes + picture.channels > MOST_PLANES:
            gap += segment.length
            continue
        frames = _frames(picture, segment)
        if len(found) + len(frames) > MOST or planes + len(frames) * picture.channels > MOST_PLANES:
            frames = [picture]
        planes += len(frames) * picture.channels
        for number, frame in enumerate(frames):
            follows = 1 if number else _back(frame, segment.frame, gap + frame.gap, found)
            found.append(frame._replace(gap=gap + frame.gap, follows=follows))
            gap = 0
        gap += segment.length - sum(frame.gap + frame.size for frame in frames)
    return found


def _frames(picture: Picture, segment: Segment) -> list[Picture]:
    """Return a segment's frames; the picture itself where there is one."""
    rows, between = divmod(segment.frame, picture.row)
    each = picture._replace(height=rows)
    if not 0 < rows < picture.height or not possible(each):
        return [picture]
    count = (segment.length - segment.offset + between) // segment.frame
    if not 1 < count <= MOST // 2:
        return [picture]
    return [each, *[each._replace(gap=between)] * (count - 1)]


def _back(picture: Picture, frame: int, gap: int, found: list[Picture]) -> int:
    """Return how many pictures back the frame before one is, which stands about `frame` bytes back; 0 for none."""
    best, least, distance = 0, frame, gap
    for back, other in enumerate(reversed(found[-MOST_BACK:]), 1):
        distance += other.size
        if other.shape == picture.shape and abs(distance - frame) < least:
            best, least = back, abs(distance - frame)
        distance += other.gap
    return best


def pack(pictures: list[Picture]) -> bytes:
    """Return the map of a block's pictures."""
    out = bytearray(uleb(len(pictures)))
    before: Picture | None = None
    for picture in pictures:
        same = before is not None and picture.shape == before.shape
        out.append(
            int(same) | bool(picture.follows) << 1 | (picture.channels - 1) << 2 | (picture.depth - 1) << 5
            | int(picture.big) << 6 | int(picture.gap > 0) << 7
        )  # fmt: skip
        if picture.gap:
            out += uleb(picture.gap)
        if picture.follows:
            out.append(picture.follows)
        if not same:
            out += uleb(picture.width) + uleb(picture.height) + uleb(picture.filling)
        before = picture
    return bytes(out)


def unpack(reader: Reader, size: int) -> list[Picture]:
    """Return the pictures of a block of `size` bytes.

    Raises:
        CorruptError: the map is malformed, or a number in it is out of its bounds.
    """
    count = reader.uleb()
    if count > MOST:
        raise CorruptError(f"a block states {count} pictures")
    found: list[Picture] = []
    left, planes = size, MOST_PLANES
    for _ in range(count):
        head = reader.u8()
        gap = reader.uleb() if head & 128 else 0
        follows = reader.u8() if head & 2 else 0
        width, height, filling = (found[-1].width, found[-1].height, found[-1].filling) if found else (0, 0, 0)
        if not head & 1:
            width, height, filling = reader.uleb(), reader.uleb(), reader.uleb()
        picture = Picture(
            gap, width, height, (head >> 2 & 7) + 1, (head >> 5 & 1) + 1, bool(head & 64), filling, follows
        )
        like = not head & 1 or (len(found) > 0 and picture.shape == found[-1].shape)
        if follows:
            like = like and follows <= min(len(found), MOST_BACK) and picture.shape == found[-follows].shape
        if not like or not possible(picture):
            raise CorruptError("a block's map of pictures is malformed")
        left -= gap + picture.size
        planes -= picture.channels
        if min(left, planes) < 0:
            raise CorruptError("a block's pictures are larger than the block, or too many")
        found.append(picture)
    return found
