"""How settings are stored: one byte where they are usual, a few where they are not."""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.deflate.flushes import PARTIAL, SYNC
from nzip.formats.openers.deflate.settings import GZIP, Settings

MORE = 0x80
MOST_STOPS = 1 << 14


def pack(settings: Settings, stops: list[int], marks: list[int]) -> bytes:
    """Return settings, and where the stream was flushed and how; the end is the last of the stops, and has no mark."""
    head = settings.level | settings.strategy << 4
    if settings == Settings(settings.level, settings.strategy) and not marks:
        return bytes((head,))
    gaps: list[list[int]] = []  # each with its mark, and how many times it follows itself
    at = 0
    for stop, mark in zip(stops, marks, strict=False):
        gap = stop - at << 3 | mark
        if gaps and gaps[-1][0] == gap:
            gaps[-1][1] += 1
        else:
            gaps.append([gap, 1])
        at = stop
    second = settings.memory - 1 | settings.block - 1 << 4
    third = settings.window - 9 | settings.less << 3 | settings.first << 4 | settings.far << 5
    listed = b"".join(uleb(gap) + uleb(times) for gap, times in gaps)
    return bytes((head | MORE, second, third)) + uleb(len(gaps)) + listed


def unpack(source: Reader, size: int) -> tuple[Settings, list[int], list[int]]:
    """Return what `pack` stored for `size` bytes.

    Raises:
        CorruptError: they are no settings.
    """
    head = source.u8()
    level, strategy = head & 15, head >> 4 & 7
    if not 1 <= level <= 9 or strategy > GZIP:
        raise CorruptError("a deflate recipe has settings that do not exist")
    if not head & MORE:
        return Settings(level, strategy), [size], []
    second, third = source.u8(), source.u8()
    if second & 15 > 8 or second >> 4 > 8 or third & 7 > 6 or third > 63:
        raise CorruptError("a deflate recipe has settings that do not exist")
    memories = (second & 15) + 1, (second >> 4) + 1
    less, first, far = (third >> bit & 1 for bit in (3, 4, 5))
    settings = Settings(level, strategy, memories[0], (third & 7) + 9, memories[1], less, first, far)
    stops: list[int] = []
    marks: list[int] = []
    at = 0
    for _ in range(source.uleb()):
        gap, times = source.uleb(), source.uleb()
        if len(stops) + times > MOST_STOPS or at + (gap >> 3) * times > size:
            raise CorruptError("a deflate recipe has a flush behind the end")
        if not times or not gap & (PARTIAL | SYNC):
            raise CorruptError("a deflate recipe has a flush that writes nothing")
        for _ in range(times):
            at += gap >> 3
            stops.append(at)
        marks += [gap & 7] * times
    return settings, [*stops, size], marks
