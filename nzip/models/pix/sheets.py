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
# For sheets with no, one and two others before them: (sheet, how many more of its places), in the order of the taps.
TURNS = (
    ((0, 32),),
    ((0, 4), (1, 5), (0, 4), (1, 3), (0, 13), (1, 3)),
    ((0, 4), (1, 3), (2, 3), (0, 2), (1, 2), (2, 2), (0, 6), (1, 4), (2, 4), (0, 2)),
)


class Room(NamedTuple):
    """The array that holds a picture's sheets.

    Attributes:
        height, width: samples of a sheet, without margins.
        count: sheets.
    """

    height: int
    width: int
    count: int

    @property
    def stride(self) -> int:
        return self.width + 2 * MARGIN

    @property
    def each(self) -> int:
        return (self.height + 2 * MARGIN) * self.stride

    def origin(self, sheet: int) -> int:
        return sheet * self.each + MARGIN * self.stride + MARGIN

    def inside(self, array: Any, sheet: int) -> Any:
        """Return a sheet without its margins, (height, width)."""
        whole = array[sheet * self.each : (sheet + 1) * self.each].reshape(-1, self.stride)
        return whole[MARGIN : MARGIN + self.height, MARGIN : MARGIN + self.width]


def taps(room: Room, refs: list[int], count: int) -> Any:
    """Return the places that foretell a sample, each with the sheet whose mean it is taken from, and the weight it is
    drawn to: int64 (3 * count,)."""
    import numpy as np

    places, of, pulls = list[int](), list[int](), list[int]()
    for number, more in TURNS[len(refs)]:
        for _ in range(more):
            dy, dx = (THERE if number else AROUND)[of.count(number)]
            places.append((refs[number - 1] if number else 0) + dy * room.stride + dx)
            pulls.append(0 if number else PULLS.get((dy, dx), 0))
            of.append(number)
    return np.array(places[:count] + of[:count] + pulls[:count], np.int64)


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
