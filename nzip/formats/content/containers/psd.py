"""The pictures of a Photoshop file (PSD, and PSB for large ones): the layers' channels, and the picture of them all.

Adobe, "Photoshop File Formats Specification". Pixels are there as they are, or each row packed by PackBits behind a
table of the packed rows' lengths. Deflated ones are found as other zlib streams are.
"""

from __future__ import annotations

from collections.abc import Iterable

from nzip.formats.container.wire import OutOfBytes
from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.pixels import pixels
from nzip.formats.content.containers.streams import STEP, Budget

MAGIC = b"8BPS"
LEAST = 64  # bytes of pixels
MOST_LAYERS, MOST_CHANNELS = 4096, 56
MOST_SIDE = 1 << 19
PLAIN, PACKED = 0, 1
INDEXED = 2


class _Fields:
    """A cursor over fields, the highest byte of each first.

    Attributes:
        at: where it stands.
        large: whether the file is a PSB, some of whose lengths take eight bytes.
    """

    def __init__(self, data: bytes, at: int):
        self._data = data
        self.at = at
        self.large = False

    def number(self, size: int, *, signed: bool = False) -> int:
        self.at += size
        if self.at > len(self._data):
            raise OutOfBytes
        return int.from_bytes(self._data[self.at - size : self.at], "big", signed=signed)

    def length(self) -> int:
        return self.number(8 if self.large else 4)


class _Plane:
    """What is known of the pixels of one channel, or of all of the whole picture."""

    def __init__(self, width: int, height: int, depth: int, planes: int = 1, *, indexed: bool = False):
        self.width, self.height, self.depth, self.planes, self.indexed = width, height, depth, planes, indexed
        self.row = (width * depth + 7) // 8
        self.size = self.row * height * planes

    def found(self, data: bytes, start: int, stop: int, coding: int, entry: int, budget: Budget) -> list[Found]:
        """Return the pixels that lie at start..stop, with what else stands at the end left out."""
        if not 0 < self.width < MOST_SIDE or not 0 < self.height < MOST_SIDE or self.size < LEAST:
            return []
        if coding == PLAIN and start + self.size <= stop and budget.walk(self.size):
            return [
                each._replace(start=start + each.start, stop=start + each.stop)
                for each in self._inside(data[start : start + self.size])
            ]
        head = entry * self.height * self.planes
        if coding != PACKED or start + head > stop or not budget.walk(self.height * self.planes * STEP // 4):
            return []
        table = data[start : start + head]
        end = start + head + sum(int.from_bytes(table[k : k + entry], "big") for k in range(0, head, entry))
        if end > stop:
            return []
        hints = {"row": self.row, "sizes": (self.size,), "table": entry}
        return [Found(start, end, "packbits", hints, inside=self._inside)]

    def _inside(self, plain: bytes) -> Iterable[Found]:
        """Return the picture that bytes are: planes that belong together become samples that stand together."""
        if self.depth == 8 and self.planes in (3, 4):
            behind = pixels(self.row * self.planes, 8, self.planes)
            return [Found(0, len(plain), "shuffle", {"width": self.planes}, inside=behind)]
        frame = self.row * self.height if self.planes > 1 else 0
        return pixels(self.row, self.depth, 1, indexed=self.indexed, big=True, frame=frame)(plain)


def find(data: bytes, start: int, budget: Budget) -> list[Found]:
    """Return the pictures of the file that begins at `start` of `data`, in order; those that are there if it is cut."""
    found: list[Found] = []
    if not budget.walk():
        return found
    fields = _Fields(data, start + 4)
    try:
        version, reserved = fields.number(2), fields.number(6)
        channels, height, width, depth, mode = (fields.number(size) for size in (2, 4, 4, 2, 2))
        if version not in (1, 2) or reserved or not 0 < channels <= MOST_CHANNELS or depth not in (1, 8, 16, 32):
            return []
        fields.large = version == 2
        for _ in range(2):  # colours, resources
            size = fields.number(4)
            fields.at += size
        layers = fields.length()
        end = fields.at + layers
        if layers:
            _layers(data, fields, end, depth, found, budget)
        fields.at = end
        whole = _Plane(width, height, depth, channels, indexed=mode == INDEXED)
        coding = fields.number(2)
        found += whole.found(data, fields.at, len(data), coding, 4 if fields.large else 2, budget)
    except OutOfBytes:
        pass
    return found


def _layers(data: bytes, fields: _Fields, end: int, depth: int, found: list[Found], budget: Budget) -> None:
    """Add the channels of the layers, whose section ends at `end`."""
    if not fields.length():
        return
    places: list[tuple[_Plane, int]] = []
    count = abs(fields.number(2, signed=True))
    if count > MOST_LAYERS:
        return
    for _ in budget.steps(count):
        top, left, bottom, right = (fields.number(4, signed=True) for _ in range(4))
        channels = fields.number(2)
        if channels > MOST_CHANNELS:
            return
        for _ in budget.steps(channels):
            mask = fields.number(2, signed=True) < -1  # which has a place of its own, and is left
            size = fields.length()
            places.append((_Plane(0 if mask else right - left, 0 if mask else bottom - top, depth), size))
        fields.at += 12
        size = fields.number(4)
        fields.at += size
    if budget.walked < 0:
        return
    for plane, size in places:
        start, stop = fields.at, fields.at + size
        if stop > min(end, len(data)):
            return
        if size > 2:
            found += plane.found(data, start + 2, stop, fields.number(2), 4 if fields.large else 2, budget)
        fields.at = stop
