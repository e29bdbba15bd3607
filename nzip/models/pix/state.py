"""What the pictures of a block share: memory of the loops, and the coder; and how planes go through the loops."""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.models.pix.pictures import LEAST_SPLIT, MOST_BACK, Picture
from nzip.models.pix.plans import How, numbers, order, rgb
from nzip.models.pix.presets import PRESETS, Preset

ENCODE, DECODE = 0, 1
SAMPLE_SIDE = 128  # rows and columns of the sample that decides


class Span(NamedTuple):
    """What the samples of a plane are, as a loop takes them: the least, the largest, and as in `Bounds`."""

    low: int
    high: int
    shrink: int


_photo = Native("nzip.models.pix.photo", "code")
_loose = Native("nzip.models.pix.loose", "code")
_made = Native("nzip.models.pix.colours", "made")
_put_right = Native("nzip.models.pix.colours", "put_right")


class State:
    """What the pictures of a block share: memory of the loops, and the coder."""

    def __init__(self, mode: int, preset: Preset, coded: Any, coder: Any) -> None:
        import numpy as np

        from nzip.models.cm.memory import constants
        from nzip.models.pix import layout

        self.mode, self.coded, self.coder = mode, coded, coder
        tables = constants()
        self.tables = tables["squash"], tables["stretch"], tables["rates"]
        self.knots = tables["knots"]
        self.preset = preset
        rows = layout.KINDS * layout.NODES + (layout.LEVELS + 81) * layout.SHORTS
        self.memory = (
            np.zeros(preset.contexts * layout.ROWS * layout.NODES, np.uint32),
            np.full(rows * preset.lanes, preset.first, np.int32),
            np.zeros(rows, np.uint16),
            np.zeros(layout.SSE_ROWS * 16 + 16, np.uint32),
            np.zeros(layout.MEMOS << layout.MEMO_BITS, np.int32),
            np.zeros(layout.MEMOS << layout.MEMO_BITS, np.int32),
            np.zeros(layout.MEMOS * layout.MEMO_COUNTS * layout.SHORTS, np.uint32),
        )
        self.chances = np.full(layout.CHANCES, 1 << 15, np.uint16)
        self.known: dict[int, Any] = {}
        self.earlier: list[tuple[Any, list[list[Any]]] | None] = []  # the pictures before, for those that follow them

    def loose(self, data: Any) -> None:
        """Code bytes that are no samples; decoding fills `data`."""
        import numpy as np

        from nzip.models.pix import loose

        if len(data):
            cells = np.zeros(4 << loose.BITS, np.uint32)
            weights = np.full(256 * loose.INPUTS, 20000, np.int32)
            _loose(self.mode, data, cells, weights, self.coded, self.coder, *self.tables)

    def encode(self, picture: Picture, how: How, channels: list[Any], found: list[Any], kept: bool) -> None:
        """Code a picture: its channels, and its planes, those with gaps as ranks. `kept`: whether one follows it."""
        import numpy as np

        spans = [
            Span(0, int(plane.max()), each.shrink) if each.gaps else Span(each.low, each.high, each.shrink)
            for each, plane in zip(how.bounds, found, strict=True)
        ]
        planes = self.planes(picture, how, spans, found, kept)
        if how.wrong:
            made, doubts = _colours(how, planes)
            right = [np.ascontiguousarray(c, np.int32).reshape(-1) for c in rgb(how, channels)]
            self._put_right(picture, how, made, right, doubts)

    def decode(self, picture: Picture, how: How, bitmaps: list[Any], kept: bool) -> list[Any]:
        """Return the channels of a picture, each (height, width), given the bitmaps of its planes, and whether one
        follows it."""
        import numpy as np

        spans, used = list[Span](), list[Any]()
        for each, bitmap in zip(how.bounds, bitmaps, strict=True):
            which = numbers(bitmap, each) if each.gaps else None
            used.append(which)
            low, high = (0, len(which) - 1) if which is not None else (each.low, each.high)
            spans.append(Span(low, high, each.shrink))
        planes = self.planes(picture, how, spans, None, kept)
        channels: list[Any] = [None] * picture.channels
        for place, plane, which in zip(order(picture.channels), planes, used, strict=True):
            channels[place] = plane if which is None else which[plane]
        if how.formula:
            made, doubts = _colours(how, planes)
            if how.wrong:
                self._put_right(picture, how, made, made, doubts)
            made = [plane.reshape(picture.height, picture.width) for plane in made]
            channels[:3] = rgb(how, made)
        if picture.depth == 2:
            channels = [channel.astype(np.uint16) for channel in channels]
            if how.signed:
                channels = [channel ^ 0x8000 for channel in channels]
        return channels

    def _put_right(self, picture: Picture, how: How, made: list[Any], right: list[Any], doubts: Any) -> None:
        import numpy as np

        flags = np.zeros(len(doubts), np.uint8)
        _put_right(
            self.mode, how.formula, picture.width, *made, *right, flags, doubts, self.chances, self.coded, self.coder
        )  # fmt: skip

    def planes(
        self, picture: Picture, how: How, spans: list[Span], found: list[Any] | None, kept: bool = False
    ) -> list[Any]:
        """Code the planes of a picture, each (height, width), and return them.

        Args:
            found: the planes, for encoding.
            kept: whether a later picture follows this one.
        """
        from nzip.models.pix import sheets

        earlier = self.earlier[-picture.follows] if picture.follows else None
        plain = [0, *range(3, picture.channels)] if how.split else list(range(picture.channels))
        known = None if found is None else [found[plane] for plane in plain]
        alike = (picture.shape, how.formula, how.reversed, how.signed)
        can_follow = not how.split and not any(each.gaps for each in how.bounds)
        count, before, turns = 0, list[list[Any]](), sheets.whole(plain)
        if can_follow and earlier is not None and earlier[0] == alike:
            count, before, turns = len(plain), earlier[1], sheets.following(len(plain))
        room = sheets.Room(picture.height, picture.width, count + len(plain))
        values, errors = self._code(room, turns, spans, known, before)
        # What is kept is copied: a room has margins, and what was followed, and is several times as large.
        missed = [room.inside(errors, sheet).copy() for sheet in range(count, room.sheets) if kept and can_follow]
        if how.split:
            before = [sheets.quarters(room.inside(each, 0), how.down, how.right) for each in (values, errors)]
        del errors
        planes: list[Any] = [None] * picture.channels
        for sheet, plane in enumerate(plain, count):
            planes[plane] = room.inside(values, sheet).copy()
        del values
        self.earlier = [*self.earlier[1 - MOST_BACK :], (alike, [list(planes), missed]) if missed else None]
        if how.split:
            height, width = before[0][0].shape
            quarters = sheets.Room(height, width, 3 * sheets.SPLIT_KNOWN)
            known = None
            if found is not None:
                known = [part for plane in found[1:3] for part in sheets.quarters(plane, how.down, how.right)]
            values, _ = self._code(quarters, sheets.split(), spans, known, before)
            for plane in (1, 2):
                part = [quarters.inside(values, 4 * plane + k) for k in range(4)]
                planes[plane] = sheets.joined(part, planes[0].shape, how.down, how.right)
        return planes

    def _code(
        self, room: Any, turns: list[Any], spans: list[Span], found: list[Any] | None, before: list[list[Any]]
    ) -> tuple[Any, Any]:
        """Code the sheets of a room; return the arrays of their samples and of what was missed.

        Args:
            found: what the sheets of the turns hold, for encoding.
            before: the sheets before these, which are known, and what was missed in them.
        """
        import numpy as np

        from nzip.models.pix import layout
        from nzip.models.pix.sheets import taps

        values = np.zeros(room.sheets * room.each, np.int32)
        errors = np.zeros(room.sheets * room.each, np.int32)
        for array, parts in zip((values, errors), before, strict=False):
            for sheet, part in enumerate(parts):
                room.fill(array, sheet, part)
        block = layout.BLOCK
        while room.width > block * layout.MOST_BLOCKS:
            block *= 2
        count = -(-room.width // block)
        preset = self.preset
        n = preset.taps
        fits = np.array(preset.fits, np.int64).reshape(-1)
        sums = np.zeros(count * (n + 1) * n, np.int32)
        row_sums = np.zeros(count * (n + 1) * n, np.int32)
        for place, turn in enumerate(turns):
            low, high, shrink = spans[turn.plane]
            room.framed(values, turn.sheet)[:] = (low + high) >> 1
            if found is not None:
                room.inside(values, turn.sheet)[:] = found[place]
            if low == high:
                continue
            refs = [(other - turn.sheet) * room.each for other in turn.refs]
            known = self.known.setdefault(turn.number, np.zeros((n + 1) * n + 1, np.int64))
            settings = np.zeros(layout.S_SIZE, np.int64)
            settings[: layout.S_REF] = (
                room.origin(turn.sheet), room.height, room.width, room.stride, low, high, turn.kind,
                min(turn.number, 23), shrink, len(refs), block, block // layout.BLOCK, preset.contexts, preset.sets,
                preset.lanes, preset.rate, preset.limit, preset.strong, preset.start, preset.fall, *turn.mean,
            )  # fmt: skip
            settings[layout.S_REF : layout.S_REF + len(refs)] = refs
            _photo(
                self.mode, values, errors, settings, taps(room, turn, n), fits, known, sums, row_sums, *self.memory,
                self.knots, self.coded, self.coder, *self.tables,
            )  # fmt: skip
        return values, errors


def _colours(how: How, planes: list[Any]) -> tuple[list[Any], Any]:
    """Return red, green and blue as the formula makes them, int32 (pixels,), and what is doubtful (uint8)."""
    import numpy as np

    made = [np.array(plane, np.int32, order="C").reshape(-1) for plane in planes[:3]]
    doubts = np.zeros(len(made[0]), np.uint8)
    _made(how.formula, *made, doubts)
    return made, doubts


def split(how: How, planes: list[Any]) -> How:
    """Return whether and how to code chroma in quarters, as the middle of a picture shows it."""
    import numpy as np

    from nzip.entropy import bounds

    if min(planes[0].shape) < LEAST_SPLIT:
        return how
    bends = []
    for axis in (0, 1):
        both = [0, 0]
        for plane in planes[1:]:
            bend = np.abs(np.diff(plane.astype(np.int64), 2, axis=axis)).sum(axis=1 - axis)
            both[1] += int(bend[0::2].sum())
            both[0] += int(bend[1::2].sum())
        bends.append(both[1] > both[0])
    middle = []
    for plane in planes:
        y, x = ((side - min(side, SAMPLE_SIDE)) // 4 * 2 for side in plane.shape)
        middle.append(np.ascontiguousarray(plane[y : y + SAMPLE_SIDE, x : x + SAMPLE_SIDE]))
    height, width = middle[0].shape
    picture = Picture(0, width, height, 3, 1, False, 0)
    ways = (how, how._replace(split=True, down=bends[0], right=bends[1]))
    sizes = []
    for way in ways:
        coder = bounds.begin()
        state = State(ENCODE, PRESETS[1], np.empty(1, np.uint8), coder)
        state.planes(picture, way, [Span(*each[:3]) for each in how.bounds[:3]], middle)
        sizes.append(int(coder[bounds.AT]))
    return ways[sizes[1] < sizes[0]]
