"""Sheets: the samples of one channel of a picture, or of what its colours were made of, as the loops take them.

The sheets of a picture stand one behind the other in one array, each with margins on its four sides. A sheet is coded
whole before the next one begins, so that the later ones see all sides of a pixel in the earlier ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.models.pix.pictures import Picture

MARGIN = 4

# What foretells a sample: places around it, as rows and columns.
AROUND = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, -1), (-2, 1), (-1, -2), (-1, 2), (0, -3), (-3, 0),
    (-2, -2), (-2, 2), (-1, -3), (-1, 3), (-3, -1), (-3, 1), (0, -4), (-4, 0), (-3, -2), (-3, 2), (-2, -3), (-2, 3),
    (-1, -4), (-1, 4), (-3, -3), (-3, 3), (-2, -4), (-2, 4), (-4, -1), (-4, 1),
)  # fmt: skip
THERE = ((0, 0), (0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, 1), (1, -1), (0, 2), (2, 0))
PULLS = {(0, -1): 49152, (-1, 0): 49152, (-1, -1): -32768}
# Between the samples of a sheet that was coded before, to the right of each, below it, and both.
RIGHT = ((0, 0), (0, 1), (0, -1), (0, 2), (1, 0), (1, 1), (-1, 0), (-1, 1))
BELOW = ((0, 0), (1, 0), (-1, 0), (2, 0), (0, 1), (1, 1), (0, -1), (1, -1))
BOTH = ((0, 0), (0, 1), (1, 0), (1, 1), (0, -1), (-1, 0))
SPLIT_KNOWN = 4  # sheets of luma, before those of chroma


class Turn(NamedTuple):
    """A sheet that is to be coded.

    Attributes:
        sheet: its number in the room.
        plane: whose bounds it has.
        kind: 0 for the first sheet, 1 for the second, 2 for later ones, 3 for one that others may give.
        number: which statistics it shares with such sheets of other pictures.
        refs: sheets before it that foretell it.
        taps: places that foretell a sample: (0 for its own sheet or 1 + which of `refs`, row, column).
        mean: the first, and how many (2 or 4), of the taps whose mean a sample may be.
    """

    sheet: int
    plane: int
    kind: int
    number: int
    refs: tuple[int, ...]
    taps: tuple[tuple[int, int, int], ...]
    mean: tuple[int, int] = (0, 0)


def _taps(*shares: tuple[int, int, tuple[tuple[int, int], ...]]) -> tuple[tuple[int, int, int], ...]:
    """Return taps of shares: (which sheet, how many more, of which places)."""
    out = list[tuple[int, int, int]]()
    for of, more, places in shares:
        had = sum(1 for tap in out if tap[0] == of)
        out += [(of, dy, dx) for dy, dx in places[had : had + more]]
    return tuple(out)


def whole(planes: list[int]) -> list[Turn]:
    """Return the turns of planes that are coded as they are."""
    own, there = AROUND, THERE
    shares = (
        _taps((0, 32, own)),
        _taps((0, 4, own), (1, 5, there), (0, 4, own), (1, 3, there), (0, 13, own), (1, 3, there)),
        _taps(
            (0, 4, own), (1, 3, there), (2, 3, there), (0, 2, own), (1, 2, there), (2, 2, there), (0, 6, own),
            (1, 4, there), (2, 4, there), (0, 2, own),
        ),
    )  # fmt: skip
    out = []
    for sheet, plane in enumerate(planes):
        refs = tuple(range(sheet - 1, max(sheet - 3, -1), -1))
        out.append(Turn(sheet, plane, min(sheet, 2), plane, refs, shares[len(refs)]))
    return out


def following(count: int) -> list[Turn]:
    """Return the turns of planes that stand behind as many of the picture before, which has the same shape."""
    own, there = AROUND, THERE
    out = []
    for plane in range(count):
        sheet, same = count + plane, plane
        before = tuple(range(sheet - 1, max(sheet - 3, count - 1), -1))
        refs = (same,) if not before else (before[0], same, *[other - count for other in before[:1]], *before[1:])
        if not before:
            taps = _taps(
                (0, 4, own), (1, 5, there), (0, 4, own), (1, 3, there), (0, 8, own), (1, 3, there), (0, 5, own)
            )  # fmt: skip
        elif len(before) == 1:
            taps = _taps(
                (0, 4, own), (1, 3, there), (2, 3, there), (3, 1, there), (0, 2, own), (1, 2, there), (2, 1, there),
                (0, 6, own), (1, 3, there), (2, 4, there), (3, 3, there),
            )  # fmt: skip
        else:
            taps = _taps(
                (0, 4, own), (1, 3, there), (2, 3, there), (3, 1, there), (4, 3, there), (0, 2, own), (1, 2, there),
                (2, 2, there), (4, 2, there), (0, 6, own), (1, 2, there), (3, 2, there),
            )  # fmt: skip
        out.append(Turn(sheet, plane, min(plane + 1, 2), 12 + plane, refs, taps))
    return out


def split() -> list[Turn]:
    """Return the turns of two planes of chroma that are coded in quarters, behind the quarters of luma."""
    own, there = AROUND, THERE
    out = []
    for plane in (1, 2):
        a = 4 * plane  # this plane's quarters: a, a + 1 to the right, a + 2 below, a + 3 both
        other = (a - 4,) if plane == 2 else ()
        both = ((1, 5, there),) if other else ()
        k = len(other)
        out.append(
            Turn(a, plane, 1, a, (*other, 0, 1, 2, 3), _taps(
                (0, 5, own), *both, (k + 1, 3, there), (k + 2, 1, there), (k + 3, 1, there), (k + 4, 1, there),
                (0, 5, own), (k + 1, 4, there), (k + 2, 4, there), (k + 3, 4, there), (k + 4, 4, there), (0, 12, own),
            ))
        )  # fmt: skip
        out.append(
            Turn(a + 1, plane, 3, a + 1, (a, *[o + 1 for o in other], 1, 0, *other), _taps(
                (1, 8, RIGHT), (0, 2, own), *(((2, 1, there), (5, 2, RIGHT)) if other else ()), (k + 2, 1, there),
                (k + 3, 2, RIGHT), (0, 6, own), (k + 2, 4, there), (k + 3, 4, RIGHT), (0, 12, own),
            ), (0, 2))
        )  # fmt: skip
        out.append(
            Turn(a + 2, plane, 3, a + 2, (a, *[o + 2 for o in other], 2, 0, *other, a + 1), _taps(
                (1, 8, BELOW), (0, 2, own), *(((2, 1, there), (5, 2, BELOW)) if other else ()), (k + 2, 1, there),
                (k + 3, 2, BELOW), (0, 6, own), (k + 2, 4, there), (k + 3, 4, BELOW), (0, 12, own),
            ), (0, 2))
        )  # fmt: skip
        out.append(
            Turn(a + 3, plane, 3, a + 3, (a + 1, a + 2, *[o + 3 for o in other], a, 3), _taps(
                (1, 4, BELOW), (2, 4, RIGHT), (k + 3, 4, BOTH), (0, 2, own), *(((3, 1, there),) if other else ()),
                (k + 4, 1, there), (1, 4, BELOW), (2, 4, RIGHT), (0, 4, own), (k + 4, 4, there), (0, 12, own),
            ), (8, 4))
        )  # fmt: skip
    return out


class Room(NamedTuple):
    """The array that holds a picture's sheets.

    Attributes:
        height, width: samples of a sheet, without margins.
        sheets: how many.
    """

    height: int
    width: int
    sheets: int

    @property
    def stride(self) -> int:
        return self.width + 2 * MARGIN

    @property
    def each(self) -> int:
        return (self.height + 2 * MARGIN) * self.stride

    def origin(self, sheet: int) -> int:
        return sheet * self.each + MARGIN * self.stride + MARGIN

    def framed(self, array: Any, sheet: int) -> Any:
        """Return a sheet with its margins."""
        return array[sheet * self.each : (sheet + 1) * self.each].reshape(-1, self.stride)

    def inside(self, array: Any, sheet: int) -> Any:
        """Return a sheet without its margins, (height, width)."""
        return self.framed(array, sheet)[MARGIN : MARGIN + self.height, MARGIN : MARGIN + self.width]

    def fill(self, array: Any, sheet: int, samples: Any) -> None:
        """Write a sheet (height, width), and repeat its edges in its margins."""
        framed, rows = self.framed(array, sheet), slice(MARGIN, MARGIN + self.height)
        framed[rows, MARGIN:-MARGIN] = samples
        framed[rows, :MARGIN] = framed[rows, MARGIN : MARGIN + 1]
        framed[rows, -MARGIN:] = framed[rows, -MARGIN - 1 : -MARGIN]
        framed[:MARGIN] = framed[MARGIN]
        framed[-MARGIN:] = framed[-MARGIN - 1]


def taps(room: Room, turn: Turn, count: int) -> Any:
    """Return the places that foretell a sample, each with the sheet whose mean it is taken from, and the weight it is
    drawn to: int64 (3 * count,)."""
    import numpy as np

    places, of, pulls = list[int](), list[int](), list[int]()
    for number, dy, dx in turn.taps[:count]:
        shift = (turn.refs[number - 1] - turn.sheet) * room.each if number else 0
        places.append(shift + dy * room.stride + dx)
        pulls.append(0 if number else PULLS.get((dy, dx), 0))
        of.append(number)
    return np.array(places + of + pulls, np.int64)


def quarters(plane: Any, down: bool, right: bool) -> list[Any]:
    """Return the four quarters of a plane (height, width): every second sample of every second row, those to the right
    of these, those below, and the others. With `down` the first row, with `right` the first column is taken twice, and
    so is the last where it would have no other."""
    import numpy as np

    height, width = plane.shape[0] + down, plane.shape[1] + right
    grown = np.pad(plane, ((down, height & 1), (right, width & 1)), mode="edge")
    return [grown[y::2, x::2] for y in (0, 1) for x in (0, 1)]


def joined(parts: list[Any], shape: tuple[int, int], down: bool, right: bool) -> Any:
    """Return the plane whose quarters are given."""
    import numpy as np

    grown = np.empty((2 * parts[0].shape[0], 2 * parts[0].shape[1]), parts[0].dtype)
    for part, (y, x) in zip(parts, ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True):
        grown[y::2, x::2] = part
    return grown[down : down + shape[0], right : right + shape[1]]


def samples(block: Any, at: int, picture: Picture) -> tuple[list[Any], Any]:
    """Return the channels of a picture that stands at block[at:] (uint8), each (height, width) unsigned, and the
    filling of its rows."""
    rows = block[at : at + picture.size].reshape(picture.height, picture.row)
    pixels = rows[:, : picture.row - picture.filling]
    if picture.depth == 2:
        pixels = pixels.copy().view(">u2" if picture.big else "<u2")
    pixels = pixels.reshape(picture.height, picture.width, picture.channels)
    return [pixels[:, :, k] for k in range(picture.channels)], rows[:, picture.row - picture.filling :]


def put(block: Any, at: int, picture: Picture, channels: list[Any], filling: Any) -> None:
    """Write what `samples` returns."""
    import numpy as np

    rows = block[at : at + picture.size].reshape(picture.height, picture.row)
    kind = np.uint8 if picture.depth == 1 else np.dtype(">u2" if picture.big else "<u2")
    pixels = np.empty((picture.height, picture.width, picture.channels), kind)
    for k, channel in enumerate(channels):
        pixels[:, :, k] = channel
    rows[:, : picture.row - picture.filling] = pixels.reshape(picture.height, -1).view(np.uint8)
    rows[:, picture.row - picture.filling :] = filling
