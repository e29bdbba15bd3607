"""Engine `pix`: pictures without loss.

Each sample is foretold by least squares from samples around it and from the channels before its own, and coded by
binary decisions whose chances are mixed from many contexts of what was foretold, and how well, nearby. Pictures whose
colours were made of luma and chroma are taken back to these first (`colours`). The pictures of a block share what was
learned. The method is that of the best programs for photographs (Ye and Hou, "Least squares-based adaptive prediction",
2006; Meyer and Tischer, "Glicbawls", 2001; the mixing of Mahoney's PAQ family), in integers alone.

docs/reference/PIX.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine
from nzip.models.pix import pictures
from nzip.models.pix.pictures import Picture
from nzip.models.pix.presets import PRESETS, Preset
from nzip.params import Number, Parameters, Params

ENCODE, DECODE = 0, 1
FIXED, PER_BYTE = 48 << 20, 20  # memory
MOST_VALUE = 1 << 17
LEAST_SPLIT = 48  # rows and columns
SAMPLE_SIDE = 128  # rows and columns of the sample that decides

_photo = Native("nzip.models.pix.photo", "code")
_loose = Native("nzip.models.pix.loose", "code")
_found = Native("nzip.models.pix.colours", "found")
_made = Native("nzip.models.pix.colours", "made")
_put_right = Native("nzip.models.pix.colours", "put_right")


class How(NamedTuple):
    """How a picture is coded.

    Attributes:
        formula: what its colours were made by; 0 for nothing.
        reversed: whether blue is the first channel.
        wrong: whether pixels must be put right after the formula.
        split: whether chroma is coded in quarters, each of them (`down`, `right`) one row, one column later.
        signed: whether samples of two bytes are of the two's complement.
        bounds: (low, high, shrink) of each sheet.
    """

    formula: int = 0
    reversed: bool = False
    wrong: bool = False
    signed: bool = False
    split: bool = False
    down: bool = False
    right: bool = False
    bounds: tuple[tuple[int, int, int], ...] = ()


class PixEngine(Engine):
    """Codes pictures, and what is between them."""

    name = "pix"
    id = 11
    version = 1
    parameters = Parameters("engine pix", Number(name="preset", help="1 quick, 2 small", bits=8, low=1, high=2, default=1, newer=True))
    imports = ("numpy",)

    def accepts(self, content: Content) -> bool:
        return all(pictures.of_segment(segment) is not None for segment in content.segments)

    def memory(self, params: Params, size: int) -> int:
        return FIXED + PER_BYTE * size

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        found = pictures.of_content(content) if content is not None and content.size == len(block) else []
        data = np.frombuffer(block, np.uint8)
        head = pictures.pack(found)
        coded = np.empty(len(block) + 1, np.uint8)
        coder = bounds.begin()
        state = State(ENCODE, PRESETS[params["preset"]], coded, coder)
        hows, splits, loose, at = [], [], [], 0
        for picture in found:
            loose.append(data[at : at + picture.gap])
            at += picture.gap
            channels, filling = _samples(data, at, picture)
            loose.append(filling.reshape(-1))
            how, sheets = _plan(picture, channels)
            hows.append(how)
            splits.append((channels, sheets))
            head += _packed(how)
            at += picture.size
        loose.append(data[at:])
        state.loose(np.concatenate(loose))
        for picture, how, (channels, sheets) in zip(found, hows, splits, strict=True):
            state.encode(picture, how, channels, sheets)
        end = bounds.finish(coder, coded) if coder[bounds.AT] <= len(coded) else len(coded) + 1
        if len(head) + end > len(block):
            return bytes(len(block) + 1)
        return head + bytes(coded[:end].tobytes())

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        reader = Reader(payload)
        found = pictures.unpack(reader, size)
        hows = [_unpacked(reader, picture) for picture in found]
        coded = np.frombuffer(payload, np.uint8)[reader.pos :].copy()
        coder = bounds.begin(coded)
        state = State(DECODE, PRESETS[params["preset"]], coded, coder)
        loose = np.zeros(size - sum(p.size - p.filling * p.height for p in found), np.uint8)
        state.loose(loose)
        data = np.empty(size, np.uint8)
        at = used = 0
        for picture, how in zip(found, hows, strict=True):
            data[at : at + picture.gap] = loose[used : used + picture.gap]
            at, used = at + picture.gap, used + picture.gap
            filling = loose[used : used + picture.filling * picture.height].reshape(picture.height, -1)
            used += filling.size
            _put(data, at, picture, state.decode(picture, how), filling)
            at += picture.size
        data[at:] = loose[used:]
        bounds.check_end(coder, len(coded))
        return bytes(data.tobytes())


def _samples(block: Any, at: int, picture: Picture) -> tuple[list[Any], Any]:
    from nzip.models.pix import sheets

    return sheets.samples(block, at, picture)


def _put(block: Any, at: int, picture: Picture, channels: list[Any], filling: Any) -> None:
    from nzip.models.pix import sheets

    sheets.put(block, at, picture, channels, filling)


def _order(channels: int) -> list[int]:
    """Return the channels in the order in which they are coded: green first."""
    return [1, 0, *range(2, channels)] if channels > 2 else list(range(channels))


def _plan(picture: Picture, channels: list[Any]) -> tuple[How, list[Any]]:
    """Return how to code a picture, and its sheets (int32, (height, width))."""
    import numpy as np

    how = How()
    if picture.depth == 1 and picture.channels in (3, 4):
        how = _formula(channels)
    if picture.depth == 2:
        as_signed = [channel.astype(np.uint16) ^ 0x8000 for channel in channels]
        if sum(map(_roughness, as_signed)) < sum(map(_roughness, channels)):
            how, channels = how._replace(signed=True), as_signed
    sheets = [np.ascontiguousarray(channels[k], np.int32) for k in _order(len(channels))]
    if how.formula:
        r, g, b = (np.ascontiguousarray(c, np.int32).reshape(-1) for c in _rgb(how, channels))
        made = [np.zeros_like(r) for _ in range(3)]
        wrong = _found(how.formula, 0, len(r), picture.width, r, g, b, *made)
        how = how._replace(wrong=wrong > 0)
        sheets[:3] = [sheet.reshape(picture.height, picture.width) for sheet in made]
    how = how._replace(bounds=tuple(map(_bounds, sheets)))
    return (_split(how, sheets[:3]) if how.formula else how), sheets


def _split(how: How, planes: list[Any]) -> How:
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
        state.planes(picture, way, middle)
        sizes.append(int(coder[bounds.AT]))
    return ways[sizes[1] < sizes[0]]


def _rgb(how: How, channels: list[Any]) -> list[Any]:
    return channels[2::-1] if how.reversed else channels[:3]


def _roughness(channel: Any) -> int:
    import numpy as np

    return int(np.abs(np.diff(channel.astype(np.int64), axis=1)).sum())


def _bounds(sheet: Any) -> tuple[int, int, int]:
    import numpy as np

    steps = np.abs(np.diff(sheet, axis=1)).reshape(-1)
    large = int(np.partition(steps, len(steps) * 99 // 100)[len(steps) * 99 // 100]) if len(steps) else 0
    return int(sheet.min()), int(sheet.max()), max(0, large.bit_length() - 9)


def _formula(channels: list[Any]) -> How:
    """Return what made the colours of a picture, if a sample of its rows says so."""
    import numpy as np

    from nzip.models.pix import colours

    height, width = channels[0].shape
    rows = np.unique(np.linspace(0, height - 1, min(height, colours.SAMPLE_ROWS)).astype(int))
    sample = [np.ascontiguousarray(channel[rows], np.int32).reshape(-1) for channel in channels[:3]]
    if all(np.array_equal(sample[0], other) for other in sample[1:]):
        return How()
    best, most = How(), (1 - colours.ENOUGH) * len(sample[0])
    for formula in range(1, colours.FORMULAS):
        for reverse in (False, True):
            how = How(formula=formula, reversed=reverse)
            made = [np.zeros_like(sample[0]) for _ in range(3)]
            wrong = _found(formula, 0, len(sample[0]), width, *_rgb(how, sample), *made)
            if wrong < most:
                best, most = how, wrong
    return best


def _packed(how: How) -> bytes:
    """Return the bytes that say how a picture is coded."""
    out = bytearray((how.formula | how.reversed << 4 | how.wrong << 5 | how.signed << 6 | bool(how.formula) << 7,))
    if how.formula:
        out.append(how.split | how.down << 1 | how.right << 2)
    for low, high, shrink in how.bounds:
        out += uleb(low << 1 if low >= 0 else -low << 1 | 1) + uleb(high - low) + bytes((shrink,))
    return bytes(out)


def _unpacked(reader: Reader, picture: Picture) -> How:
    from nzip.models.pix import colours

    head = reader.u8()
    how = How(head & 15, bool(head & 16), bool(head & 32), bool(head & 64))
    if head & 128:
        second = reader.u8()
        how = how._replace(split=bool(second & 1), down=bool(second & 2), right=bool(second & 4))
    bounds = []
    for _ in range(picture.channels):
        low = reader.uleb()
        low = -(low >> 1) if low & 1 else low >> 1
        high = low + reader.uleb()
        shrink = reader.u8()
        if not -MOST_VALUE < low <= high < MOST_VALUE or shrink > 8:
            raise CorruptError("a picture's samples are out of range")
        bounds.append((low, high, shrink))
    if how.formula >= colours.FORMULAS or (how.formula and (picture.depth != 1 or picture.channels < 3)) or bool(head & 128) != bool(how.formula):
        raise CorruptError("a picture's colours are made by what is not known")
    return how._replace(bounds=tuple(bounds))


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
        self.chances = np.full(16 + 3 * 256, 1 << 15, np.uint16)
        self.known: dict[int, Any] = {}

    def loose(self, data: Any) -> None:
        """Code bytes that are no samples; decoding fills `data`."""
        import numpy as np

        from nzip.models.pix import loose

        if len(data):
            cells = np.zeros(4 << loose.BITS, np.uint32)
            weights = np.full(256 * loose.INPUTS, 20000, np.int32)
            _loose(self.mode, data, cells, weights, self.coded, self.coder, *self.tables)

    def encode(self, picture: Picture, how: How, channels: list[Any], found: list[Any]) -> None:
        """Code a picture."""
        import numpy as np

        planes = self.planes(picture, how, found)
        if how.wrong:
            made = _colours(how, planes)
            right = [np.ascontiguousarray(c, np.int32).reshape(-1) for c in _rgb(how, channels)]
            flags = np.zeros(len(made[0]), np.uint8)
            _put_right(self.mode, picture.width, *made, *right, flags, self.chances, self.coded, self.coder)

    def decode(self, picture: Picture, how: How) -> list[Any]:
        """Return the channels of a picture, each (height, width)."""
        import numpy as np

        planes = self.planes(picture, how, None)
        channels: list[Any] = [None] * picture.channels
        for place, plane in zip(_order(picture.channels), planes, strict=True):
            channels[place] = plane
        if how.formula:
            made = _colours(how, planes)
            if how.wrong:
                flags = np.zeros(len(made[0]), np.uint8)
                _put_right(self.mode, picture.width, *made, *made, flags, self.chances, self.coded, self.coder)
            made = [plane.reshape(picture.height, picture.width) for plane in made]
            channels[:3] = _rgb(how, made)
        if picture.depth == 2:
            channels = [channel.astype(np.uint16) for channel in channels]
            if how.signed:
                channels = [channel ^ 0x8000 for channel in channels]
        return channels

    def planes(self, picture: Picture, how: How, found: list[Any] | None) -> list[Any]:
        """Code the planes of a picture, each (height, width), and return them."""
        from nzip.models.pix import sheets

        plain = [0, *range(3, picture.channels)] if how.split else list(range(picture.channels))
        room = sheets.Room(picture.height, picture.width, len(plain))
        known = None if found is None else [found[plane] for plane in plain]
        values, errors = self._code(room, sheets.whole(plain), how, known, [])
        planes: list[Any] = [None] * picture.channels
        for sheet, plane in enumerate(plain):
            planes[plane] = room.inside(values, sheet)
        if how.split:
            before = [sheets.quarters(each, how.down, how.right) for each in (planes[0], room.inside(errors, 0))]
            height, width = before[0][0].shape
            quarters = sheets.Room(height, width, 3 * sheets.SPLIT_KNOWN)
            parts = None
            if found is not None:
                parts = [part for plane in found[:3] for part in sheets.quarters(plane, how.down, how.right)]
            values, _ = self._code(quarters, sheets.split(), how, parts, before)
            for plane in (1, 2):
                part = [quarters.inside(values, 4 * plane + k) for k in range(4)]
                planes[plane] = sheets.joined(part, planes[0].shape, how.down, how.right)
        return planes

    def _code(
        self, room: Any, turns: list[Any], how: How, found: list[Any] | None, before: list[list[Any]]
    ) -> tuple[Any, Any]:
        """Code the sheets of a room; return the arrays of their samples and of what was missed.

        Args:
            found: what the sheets hold, for encoding.
            before: the first sheets, which are known, and what was missed in them.
        """
        import numpy as np

        from nzip.models.pix import layout
        from nzip.models.pix.sheets import taps

        values = np.zeros(room.count * room.each, np.int32)
        errors = np.zeros(room.count * room.each, np.int32)
        for array, parts in zip((values, errors), before, strict=False):
            for sheet, part in enumerate(parts):
                room.framed(array, sheet)[:] = np.pad(part, layout.MARGIN, mode="edge")
        block = layout.BLOCK
        while room.width > block * layout.MOST_BLOCKS:
            block *= 2
        count = -(-room.width // block)
        preset = self.preset
        n = preset.taps
        fits = np.array(preset.fits, np.int64).reshape(-1)
        sums = np.zeros(count * (n + 1) * n, np.int32)
        row_sums = np.zeros(count * (n + 1) * n, np.int32)
        for turn in turns:
            low, high, shrink = how.bounds[turn.plane]
            room.framed(values, turn.sheet)[:] = (low + high) >> 1
            if found is not None:
                room.inside(values, turn.sheet)[:] = found[turn.sheet]
            if low == high:
                continue
            refs = [(other - turn.sheet) * room.each for other in turn.refs]
            known = self.known.setdefault(turn.number, np.zeros((n + 1) * n + 1, np.int64))
            sheet = np.zeros(layout.S_SIZE, np.int64)
            sheet[: layout.S_REF] = (
                room.origin(turn.sheet), room.height, room.width, room.stride, low, high, turn.kind,
                min(turn.number, 23), shrink, len(refs), block, block // layout.BLOCK, preset.contexts, preset.sets,
                preset.lanes, preset.rate, preset.limit, preset.strong, preset.start, preset.fall, *turn.mean,
            )  # fmt: skip
            sheet[layout.S_REF : layout.S_REF + len(refs)] = refs
            _photo(
                self.mode, values, errors, sheet, taps(room, turn, n), fits, known, sums, row_sums, *self.memory,
                self.knots, self.coded, self.coder, *self.tables,
            )  # fmt: skip
        return values, errors


def _colours(how: How, planes: list[Any]) -> list[Any]:
    """Return red, green and blue as the formula makes them, int32 (pixels,)."""
    import numpy as np

    made = [np.array(plane, np.int32, order="C").reshape(-1) for plane in planes[:3]]
    _made(how.formula, *made)
    return made
