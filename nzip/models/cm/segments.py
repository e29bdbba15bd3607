"""The segment map: which type of bytes each stretch of a block is, with what its contexts must know.

The map stands at the start of a payload. docs/reference/CM.md specifies it. What is read is believed only within its
bounds.
"""

from __future__ import annotations

from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content, Segment
from nzip.models.cm.layout import AUDIO, BINARY, BITMAP, IMAGE, KEYED, ROWS, TABLE, TEXT

MOST = 256  # stretches of a block
SHORTEST = 2048  # bytes of a stretch that pays for its entry and for contexts that have to learn
MAX_RECORD = 0xFFFF
MAX_ROW = 1 << 20
MAX_STRIDE = 15


class Stretch(NamedTuple):
    """A stretch of a block.

    `guessed` is no part of the map.

    Attributes:
        type: `TEXT`, `BINARY`, `BITMAP`, `IMAGE`, `AUDIO`, `ROWS` or `TABLE`.
        length: bytes.
        period: bytes from a record, or a row, to the next; 0 if there is none.
        stride: bytes from a pixel or an audio frame to the next; 0 for other types.
        width: bytes of an audio sample.
        big: whether these begin with their highest byte.
        phase: how many bytes of an image's row, or of an audio frame, lie before the stretch.
        mode: how the fields of a table are told apart: `KEYED`, or the byte between columns.
        guessed: whether it is a bitmap, rows or a table only by the looks of its bytes.
    """

    type: int
    length: int
    period: int = 0
    stride: int = 0
    width: int = 0
    big: bool = False
    phase: int = 0
    mode: int = 0
    guessed: bool = False


def stretches(content: Content) -> list[Stretch]:
    """Return the stretches of a block that holds `content`: those worth an entry each."""
    joined = _joined([_stretch(segment) for segment in content.segments if segment.length])
    return joined if len(joined) <= MOST else [_stretch(content.whole)._replace(length=content.size)]


def _stretch(segment: Segment) -> Stretch:
    if segment.sure and 1 <= segment.stride <= MAX_STRIDE:
        length, stride, width = segment.length, segment.stride, segment.width
        if segment.kind == "image" and stride <= segment.row <= MAX_ROW:
            return _begun(Stretch(IMAGE, length, segment.row, stride), segment.offset)
        if segment.kind == "audio" and 1 <= width <= 4 and width <= stride:
            return _begun(Stretch(AUDIO, length, stride=stride, width=width, big=segment.big), segment.offset)
    if segment.sure and segment.kind == "bitmap" and 0 < segment.row <= MAX_RECORD:
        return Stretch(BITMAP, segment.length, segment.row)
    if segment.cls == TEXT:
        return _text(segment)
    return Stretch(segment.cls, segment.length, min(segment.record, MAX_RECORD), guessed=segment.cls == BITMAP)


def _text(segment: Segment) -> Stretch:
    """Return a stretch of text, or of one of rows or a table where its kind says so, or may say so."""
    if segment.kind == "csv":
        return Stretch(TABLE, segment.length, mode=segment.separator)
    if segment.kind in ("json", "xml"):
        return Stretch(TABLE, segment.length, mode=KEYED, guessed=segment.kind == "xml")
    if segment.kind == "log":
        return Stretch(ROWS, segment.length)
    return Stretch(ROWS, segment.length, guessed=True) if segment.lines else Stretch(TEXT, segment.length)


def _joined(found: list[Stretch]) -> list[Stretch]:
    """Return the same bytes with short stretches joined to the one before (the first to the one behind)."""
    out: list[Stretch] = []
    lead = 0
    for number, stretch in enumerate(found, 1):
        same = bool(out) and stretch._replace(length=0, phase=0) == out[-1]._replace(length=0, phase=0)
        if out and ((same and not stretch.stride) or stretch.length < SHORTEST):
            out[-1] = out[-1]._replace(length=out[-1].length + stretch.length)
        elif not out and stretch.length < SHORTEST and number < len(found):
            lead += stretch.length
        else:
            out.append(_begun(stretch._replace(length=stretch.length + lead), lead))
            lead = 0
    return out


def _cycle(stretch: Stretch) -> int:
    """Return after how many bytes the places in a pixel, or in a frame, come round again."""
    if stretch.type == IMAGE and stretch.period % stretch.stride:
        return stretch.period  # rows are filled up
    return stretch.stride


def _begun(stretch: Stretch, earlier: int) -> Stretch:
    """Return a stretch that begins so many bytes earlier (or later, where that is negative)."""
    cycle = _cycle(stretch)
    return stretch._replace(phase=(stretch.phase - earlier) % cycle) if cycle else stretch


def even(found: list[Stretch], streams: int, size: int) -> list[Stretch]:
    """Return stretches of `size` bytes (a multiple of `streams`) that begin at multiples of `streams`."""
    out: list[Stretch] = []
    start = end = 0
    for stretch in found:
        begin, end = end, end + stretch.length
        border = min(size, end // streams * streams)
        if border > start:
            out.append(_begun(stretch._replace(length=border - start), begin - start))
        start = border
    if out:
        out[-1] = out[-1]._replace(length=out[-1].length + size - sum(stretch.length for stretch in out))
    return out or [found[0]._replace(length=size)]


def pack(found: list[Stretch]) -> bytes:
    """Return the map of a block's stretches; the last one's length is what the others leave."""
    out = bytearray()
    for left, stretch in zip(range(len(found) - 1, -1, -1), found, strict=True):
        more = left > 0
        out.append(stretch.type | more << 3 | stretch.stride << 4)
        if more:
            out += _uleb(stretch.length)
        if stretch.type in (BINARY, BITMAP):
            out += stretch.period.to_bytes(2, "little")
        elif stretch.type == IMAGE:
            out += _uleb(stretch.period) + _uleb(stretch.phase)
        elif stretch.type == TABLE:
            out.append(stretch.mode)
        elif stretch.type == AUDIO:
            out.append(stretch.width - 1 | stretch.big << 2 | stretch.phase << 3)
    return bytes(out)


def unpack(payload: bytes, size: int, types: int) -> tuple[list[Stretch], int]:
    """Return the stretches of a block of `size` bytes, and where in `payload` the map ends.

    Args:
        payload: it begins with the map.
        size: bytes of the block.
        types: how many types of bytes there are.

    Raises:
        CorruptError: the map is malformed, or a number in it is out of its bounds.
    """
    found: list[Stretch] = []
    at, left, more = 0, size, True
    while more:
        head, at = _byte(payload, at)
        kind, more, stride = head & 7, bool(head & 8), head >> 4
        length = left
        if more:
            length, at = _read_uleb(payload, at)
        if kind >= types or len(found) == MOST or (more and not 0 < length < left):
            raise CorruptError("a block's segment map is malformed")
        if (stride > 0) != (kind in (IMAGE, AUDIO)):
            raise CorruptError("a block's segment map has a stride where there is none, or none where there is one")
        stretch = Stretch(kind, length, stride=stride)
        if kind in (BINARY, BITMAP):
            low, at = _byte(payload, at)
            high, at = _byte(payload, at)
            stretch = stretch._replace(period=low | high << 8)
        elif kind == IMAGE:
            row, at = _read_uleb(payload, at)
            phase, at = _read_uleb(payload, at)
            stretch = stretch._replace(period=row, phase=phase)
            if not stride <= row <= MAX_ROW or phase >= _cycle(stretch):
                raise CorruptError(f"a block's segment map has a row of {row} bytes that begins at {phase}")
        elif kind == TABLE:
            mode, at = _byte(payload, at)
            stretch = stretch._replace(mode=mode)
        elif kind == AUDIO:
            shape, at = _byte(payload, at)
            stretch = stretch._replace(width=(shape & 3) + 1, big=bool(shape & 4), phase=shape >> 3)
            if stretch.width > stride or stretch.phase >= stride:
                raise CorruptError("a block's segment map has samples longer than their frame")
        found.append(stretch)
        left -= length
    return found, at


def _byte(payload: bytes, at: int) -> tuple[int, int]:
    if at >= len(payload):
        raise CorruptError("a block ends within its segment map")
    return payload[at], at + 1


def _uleb(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_uleb(payload: bytes, at: int) -> tuple[int, int]:
    """Return a number of at most 32 bits in its shortest form, and where it ends."""
    value = shift = 0
    while True:
        byte, at = _byte(payload, at)
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            break
        if shift > 28:
            raise CorruptError("a block's segment map has a number that is too large")
    if value >= 1 << 32 or (byte == 0 and shift > 7):
        raise CorruptError("a block's segment map has a number that is not in its shortest form")
    return value, at
