"""How settings are stored: one byte where they are usual, a few where they are not."""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.deflate.settings import GZIP, SYNC, Settings

MORE = 0x80
MOST_STOPS = 1 << 20


def pack(settings: Settings, stops: list[int]) -> bytes:
    """Return settings and where the stream was flushed, the end last."""
    head = settings.level | settings.strategy << 4
    usual = Settings(settings.level, settings.strategy)
    if settings._replace(mark=SYNC) == usual and len(stops) == 1:
        return bytes((head,))
    gaps: list[list[int]] = []  # each with how many times it follows itself
    at = 0
    for stop in stops[:-1]:
        if gaps and gaps[-1][0] == stop - at:
            gaps[-1][1] += 1
        else:
            gaps.append([stop - at, 1])
        at = stop
    second = settings.memory - 1 | settings.block - 1 << 4
    third = settings.window - 9 | settings.less << 3 | (settings.mark - SYNC) << 4
    listed = b"".join(uleb(gap) + uleb(times) for gap, times in gaps)
    return bytes((head | MORE, second, third)) + uleb(len(gaps)) + listed


def unpack(source: Reader, size: int) -> tuple[Settings, list[int]]:
    """Return what `pack` stored for `size` bytes.

    Raises:
        CorruptError: they are no settings.
    """
    head = source.u8()
    level, strategy = head & 15, head >> 4 & 7
    if not 1 <= level <= 9 or strategy > GZIP:
        raise CorruptError("a deflate recipe has settings that do not exist")
    settings = Settings(level, strategy)
    if not head & MORE:
        return settings, [size]
    second, third = source.u8(), source.u8()
    if second & 15 > 8 or second >> 4 > 8 or third & 7 > 6 or third >> 4 > 2:
        raise CorruptError("a deflate recipe has settings that do not exist")
    settings = Settings(
        level, strategy, (second & 15) + 1, (third & 7) + 9, (second >> 4) + 1, third >> 3 & 1, SYNC + (third >> 4)
    )
    many = source.uleb()
    stops = []
    at = 0
    for _ in range(many):
        gap, times = source.uleb(), source.uleb()
        if len(stops) + times > MOST_STOPS or at + gap * times > size:
            raise CorruptError("a deflate recipe has a flush behind the end")
        for _ in range(times):
            at += gap
            stops.append(at)
    return settings, [*stops, size]

