"""How each picture of a block is coded: what made its colours, the bounds of its planes, what is left out of them.

An encoder finds this out by looking at the pixels; it stands in the payload behind the map of pictures.
docs/reference/PIX.md specifies it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.models.pix.layout import FORMULAS, PHOTO_YCC
from nzip.models.pix.pictures import LEAST_SPLIT, Picture

MOST_VALUE = 1 << 17
MOST_SHRINK = 8
ENOUGH = 96  # in a hundred of a sample's pixels without 0 and 255, which much may become, must be made by numbers
SAMPLE_ROWS = 24

_found = Native("nzip.models.pix.colours", "found")


class Bounds(NamedTuple):
    """The samples of a plane.

    Attributes:
        low, high: the least and the largest.
        shrink: binary digits that are left out where weights are learned.
        gaps: whether many numbers between these are no sample; which are, stands among the loose bytes.
    """

    low: int
    high: int
    shrink: int
    gaps: bool = False

    @property
    def bitmap(self) -> int:
        """Bytes that say which numbers are samples."""
        return (self.high - self.low + 8) // 8 if self.gaps else 0


class How(NamedTuple):
    """How a picture is coded.

    Attributes:
        formula: what its colours were made by; 0 for nothing.
        reversed: whether blue is the first channel.
        wrong: whether pixels must be put right after the formula.
        split: whether chroma is coded in quarters, each of them (`down`, `right`) one row, one column later.
        signed: whether samples of two bytes are of the two's complement.
        bounds: of each plane.
    """

    formula: int = 0
    reversed: bool = False
    wrong: bool = False
    signed: bool = False
    split: bool = False
    down: bool = False
    right: bool = False
    bounds: tuple[Bounds, ...] = ()


def order(channels: int) -> list[int]:
    """Return the channels in the order in which they are coded: green first."""
    return [1, 0, *range(2, channels)] if channels > 2 else list(range(channels))


def plan(picture: Picture, channels: list[Any]) -> tuple[How, list[Any]]:
    """Return how to code a picture, and its planes (int32, (height, width))."""
    import numpy as np

    how = How()
    if picture.depth == 1 and picture.channels in (3, 4):
        how = _formula(channels)
    if picture.depth == 2:
        as_signed = [channel.astype(np.uint16) ^ 0x8000 for channel in channels]
        if sum(map(_roughness, as_signed)) < sum(map(_roughness, channels)):
            how, channels = how._replace(signed=True), as_signed
    planes = [np.ascontiguousarray(channels[k], np.int32) for k in order(len(channels))]
    if how.formula:
        r, g, b = (np.ascontiguousarray(c, np.int32).reshape(-1) for c in rgb(how, channels))
        made = [np.zeros_like(r) for _ in range(3)]
        wrong = _found(how.formula, 0, len(r), picture.width, r, g, b, *made)
        how = how._replace(wrong=wrong > 0 or how.formula == PHOTO_YCC)
        planes[:3] = [plane.reshape(picture.height, picture.width) for plane in made]
    return how._replace(bounds=tuple(_bounds(plane, not how.formula) for plane in planes)), planes


def rgb(how: How, channels: list[Any]) -> list[Any]:
    return channels[2::-1] if how.reversed else channels[:3]


def _roughness(channel: Any) -> int:
    import numpy as np

    return int(np.abs(np.diff(channel.astype(np.int64), axis=1)).sum())


def _bounds(plane: Any, rank: bool) -> Bounds:
    """Return the bounds of a plane; with `rank` it may have gaps."""
    import numpy as np

    steps = np.abs(np.diff(plane, axis=1)).reshape(-1)
    large = int(np.partition(steps, len(steps) * 99 // 100)[len(steps) * 99 // 100]) if len(steps) else 0
    low, high = int(plane.min()), int(plane.max())
    if rank and high - low + 1 <= 8 * plane.size:
        used = int(np.count_nonzero(np.bincount(plane.reshape(-1) - low)))
        if 4 * used <= 3 * (high - low + 1) and 2 * used <= plane.size:
            return Bounds(low, high, max(0, used.bit_length() - 10), True)
    return Bounds(low, high, max(0, large.bit_length() - 9))


def ranked(plane: Any, bounds: Bounds) -> tuple[Any, Any]:
    """Return a plane with gaps as the ranks of its samples, and the bitmap (uint8) of the numbers that are samples."""
    import numpy as np

    used = np.bincount(plane.reshape(-1) - bounds.low, minlength=bounds.high - bounds.low + 1) > 0
    ranks = np.cumsum(used, dtype=np.int32) - 1
    return ranks[plane - bounds.low].astype(np.int32), np.packbits(used, bitorder="little")


def numbers(bitmap: Any, bounds: Bounds) -> Any:
    """Return the numbers that a bitmap says are samples, in order, int32.

    Raises:
        CorruptError: there are none.
    """
    import numpy as np

    used = np.unpackbits(bitmap, bitorder="little")[: bounds.high - bounds.low + 1]
    found = np.flatnonzero(used).astype(np.int32) + bounds.low
    if not len(found):
        raise CorruptError("a picture has a plane without samples")
    return found


def _formula(channels: list[Any]) -> How:
    """Return what made the colours of a picture, if a sample of its rows says so."""
    import numpy as np

    height, width = channels[0].shape
    rows = np.unique(np.linspace(0, height - 1, min(height, SAMPLE_ROWS)).astype(int))
    sample = [np.ascontiguousarray(channel[rows], np.int32).reshape(-1) for channel in channels[:3]]
    if all(np.array_equal(sample[0], other) for other in sample[1:]):
        return How()
    inside = np.logical_and.reduce([(channel > 0) & (channel < 255) for channel in sample])
    best, most = How(), (100 - ENOUGH) * int(np.count_nonzero(inside)) // 100
    for formula in range(1, FORMULAS):
        for reverse in (False, True):
            how = How(formula=formula, reversed=reverse)
            made = [np.zeros_like(sample[0]) for _ in range(3)]
            wrong = _found(formula, 0, len(sample[0]), width, *rgb(how, sample), *made)
            if wrong < most:
                best, most = how, wrong
    return best


def pack(how: How) -> bytes:
    """Return the bytes that say how a picture is coded."""
    out = bytearray((how.formula | how.reversed << 2 | how.wrong << 3 | how.signed << 4,))
    out[0] |= how.split << 5 | how.down << 6 | how.right << 7
    for low, high, shrink, gaps in how.bounds:
        out += uleb(low << 1 if low >= 0 else -low << 1 | 1) + uleb(high - low) + bytes((shrink | gaps << 7,))
    return bytes(out)


def unpack(reader: Reader, picture: Picture) -> How:
    """Return how a picture is coded.

    Raises:
        CorruptError: it is malformed, or out of bounds.
    """
    head = reader.u8()
    how = How(
        head & 3, reversed=bool(head & 4), wrong=bool(head & 8), signed=bool(head & 16), split=bool(head & 32),
        down=bool(head & 64), right=bool(head & 128),
    )  # fmt: skip
    if how.formula >= FORMULAS or (how.formula and not (picture.depth == 1 and 3 <= picture.channels <= 4)):
        raise CorruptError("a picture's colours are made by what is not known")
    if not how.formula and head & 0b11101100:
        raise CorruptError("a picture's colours are not made by anything, and yet it says how")
    if how.split and min(picture.width, picture.height) < LEAST_SPLIT:
        raise CorruptError("a picture is too small for quarters")
    bounds = []
    for _ in range(picture.channels):
        low = reader.uleb()
        low = -(low >> 1) if low & 1 else low >> 1
        high = low + reader.uleb()
        last = reader.u8()
        if not -MOST_VALUE < low <= high < MOST_VALUE or last & 127 > MOST_SHRINK or (last > 127 and how.formula):
            raise CorruptError("a picture's samples are out of range")
        bounds.append(Bounds(low, high, last & 127, last > 127))
    return how._replace(bounds=tuple(bounds))
