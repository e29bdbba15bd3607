"""JPEG files taken apart into coefficients and what else there is, and put together again.

A file is its head (all bytes but the entropy-coded stretches), the coefficients, and a few facts about how its encoder
wrote them (`Manner`). `take_apart` has compared what `put_together` makes of these with the file before it returns.

numpy and the kernels are imported when a file is coded, never before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.jpeg.structure import MOST_SCANS, PROGRESSIVE, ZIGZAG, Code, Frame, Refused, Scan, begun

LEAST = 128  # bytes of a file that is worth the work
MOST_BLOCKS = 1 << 20  # of a picture, where the caller says nothing else
SIZE = 25  # numbers of a scan, as `scans` has them
ONES, ZEROS, ODD = 1, 0, 2  # how bytes are filled up

_read = Native("nzip.formats.jpeg.scans", "read")
_write = Native("nzip.formats.jpeg.scans", "write")


@dataclass(frozen=True)
class Manner:
    """How a file's encoder wrote what it had a choice in.

    Attributes:
        scans: how many scans became coefficients; what is behind them stands in the head as it is.
        units: of the last of these scans; 0 for all. (The file is cut or damaged there.)
        fill: `ONES`, `ZEROS` or `ODD`: the bits that fill up bytes before markers.
        pads: if `ODD`, these: a one and then the bits of each such byte.
        breaks: for each scan the units before which a run of ended blocks ends earlier than it must.
    """

    scans: int
    units: int = 0
    fill: int = ONES
    pads: bytes = b""
    breaks: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Outline:
    """What a head says: the frame, quantisation tables by number, scans and where in the head each belongs."""

    frame: Frame
    quantisers: dict[int, tuple[int, ...]]
    scans: tuple[Scan, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class Apart:
    """A file that was taken apart: `planes` is int16 (64 * (blocks + 1),), raster order in
    a block, with a block of zeros behind them; the last `tail` bytes of
    the head are those behind the last scan."""

    size: int
    head: bytes
    manner: Manner
    outline: Outline
    planes: Any
    tail: int


def jpeg_length(data: bytes, start: int = 0, end: int | None = None) -> int | None:
    """Return where the JPEG file that begins at `start` ends, by its markers alone; None if there is none.

    A file without an end marker goes to the end of the data.
    """
    stop = len(data) if end is None else end
    try:
        walk = begun(data, start, stop, stop - start, 1 << 40)
        scans = 0
        while walk.following() is not None:
            scans += 1
    except Refused:
        return None
    return walk.at if scans else None


def outline(head: bytes, manner: Manner, size: int, most: int = MOST_BLOCKS) -> Outline:
    """Return what a head says.

    Args:
        head, manner: as `Apart` has them.
        size: bytes of the file, which bound how many blocks are believed.
        most: blocks, at most.
    Raises:
        CorruptError: the head is none of a file that can be put together.
    """
    try:
        walk = begun(head, 0, len(head), size, most)
        scans, places = [], []
        for _ in range(manner.scans):
            scan = walk.following()
            if scan is None:
                raise Refused("a scan is missing")
            scans.append(scan)
            places.append(walk.at)
    except Refused as error:
        raise CorruptError(f"a JPEG file's head is damaged ({error})") from None
    if walk.frame is None:
        raise CorruptError("a JPEG file's head is damaged (it has no scan)")
    return Outline(walk.frame, dict(walk.quantisers), tuple(scans), tuple(places))


def take_apart(data: bytes, start: int = 0, end: int | None = None, most: int = MOST_BLOCKS) -> Apart | None:
    """Return the file that begins at `start`, taken apart; None where none begins that comes back to the bit.

    Args:
        data: bytes; what is behind the file is not looked at.
        start, end: the stretch of them that is searched.
        most: blocks of the picture, at most; a block takes 128 bytes of memory.
    """
    stop = len(data) if end is None else end
    whole = MOST_SCANS
    try:
        data = data[start : _end(data, start, stop)]
        apart = _parsed(data, most, whole)
        if isinstance(apart, int):  # a progressive scan broke off, and what earlier ones made may have changed
            whole = apart
            apart = _parsed(data, most, whole)
    except Refused:
        return None
    if apart is None or isinstance(apart, int) or apart.size < LEAST or apart.tail > apart.size // 4:
        return None
    try:
        again = outline(apart.head, apart.manner, apart.size, most)
        same = put_together(apart.head, apart.manner, again, apart.planes, apart.size)
    except CorruptError:
        return None
    return apart if same == data[: apart.size] else None


def _end(data: bytes, start: int, stop: int) -> int:
    """Return where the file that begins at `start` ends at the latest. Raises Refused."""
    walk = begun(data, start, stop, stop - start, 1 << 40)
    try:
        while walk.following() is not None:
            pass
    except Refused:
        if walk.frame is None:
            raise
    return walk.at


def _parsed(data: bytes, most: int, whole: int) -> Apart | int | None:
    """Return the file that `data` begins with, with at most `whole` scans taken apart; None where that cannot be.

    An integer says that only so many scans, of a progressive file, can be read. Raises Refused.
    """
    import numpy as np

    stop = len(data)
    walk = begun(data, 0, stop, stop, most)
    source = np.frombuffer(data, np.uint8).copy()
    zigzag = np.array(ZIGZAG, np.int64)
    planes: Any = None
    heads, breaks, pads = [], [], []
    scans: list[Scan] = []
    places: list[int] = []
    quantisers: dict[int, tuple[int, ...]] = {}
    units = 0
    held = 0  # the head's bytes up to here were taken
    while len(scans) < whole:
        try:
            scan = walk.following()
        except Refused:
            if not scans:
                raise
            walk.at = held
            break
        if scan is None:
            break
        assert walk.frame is not None
        if planes is None:
            planes = np.zeros(64 * (walk.frame.blocks + 1), np.int16)
        heads.append(data[held : walk.at])
        scans.append(scan)
        places.append(sum(map(len, heads)))
        quantisers = dict(walk.quantisers)
        result = np.zeros(4, np.int64)
        progressive = walk.frame.kind == PROGRESSIVE
        pad = np.zeros(scan.units // scan.interval + 2 if scan.interval else 2, np.uint8)
        broken = np.zeros(scan.units + 1 if progressive and scan.first else 1, np.int64)
        bad = _read(
            source, walk.at, stop, _numbers(walk.frame, scan), _lookup(scan), zigzag, planes, pad, broken, result
        )
        at, done, count, gaps = result.tolist()
        pads.append(pad[:count].tobytes())
        breaks.append(tuple(broken[:gaps].tolist()))
        held = walk.at = at
        if bad:
            if progressive or not done:
                return len(scans) - 1 if len(scans) > 1 else None
            units = done
            _clear(planes, walk.frame, scan, done)
            break
    if not scans:
        return None
    if units or len(scans) == whole:  # what follows is not understood
        walk.at = stop
    heads.append(data[held : walk.at])
    assert walk.frame is not None
    every = b"".join(pads)
    fill = ONES if all(_full(pad) for pad in every) else ODD
    if fill == ODD and all(_empty(pad) for pad in every):
        fill = ZEROS
    manner = Manner(len(scans), units, fill, every if fill == ODD else b"", tuple(breaks))
    return Apart(
        walk.at, b"".join(heads), manner, Outline(walk.frame, quantisers, tuple(scans), tuple(places)), planes,
        walk.at - held,
    )  # fmt: skip


def put_together(head: bytes, manner: Manner, outline: Outline, planes: Any, size: int) -> bytes:
    """Return the file of `size` bytes that these make.

    Raises:
        CorruptError: they make no file of this size.
    """
    import numpy as np

    out = np.zeros(size, np.uint8)
    zigzag = np.array(ZIGZAG, np.int64)
    pads = np.frombuffer(manner.pads, np.uint8).copy()
    at = taken = used = 0
    for k, (scan, place) in enumerate(zip(outline.scans, outline.places, strict=True)):
        at = _placed(out, at, head[taken:place])
        taken = place
        stop = scan.units
        if k == manner.scans - 1 and manner.units:
            stop = min(stop, manner.units)
        breaks = np.array(manner.breaks[k] if k < len(manner.breaks) else (), np.int64)
        state = np.array([used], np.int64)
        at = _write(
            planes, _numbers(outline.frame, scan), _codes(scan), zigzag, stop, manner.fill, pads, state, breaks, out, at
        )
        used = int(state[0])
        if at < 0:
            raise CorruptError("a JPEG file does not come back (its coefficients have no codes, or no room)")
    at = _placed(out, at, head[taken:])
    if at != size:
        raise CorruptError(f"a JPEG file does not come back (it has {at} bytes of {size})")
    return out.tobytes()


def _placed(out: Any, at: int, piece: bytes) -> int:
    import numpy as np

    if at + len(piece) > len(out):
        raise CorruptError("a JPEG file does not come back (it is too long)")
    out[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
    return at + len(piece)


def _full(pad: int) -> bool:
    return pad & (pad + 1) == 0


def _empty(pad: int) -> bool:
    return pad & (pad - 1) == 0


def _clear(planes: Any, frame: Frame, scan: Scan, unit: int) -> None:
    """Let the blocks of a unit be zeros."""
    for place, _, _ in scan.members:
        component = frame.components[place]
        alone = len(scan.members) == 1
        across, down = (1, 1) if alone else (component.across, component.down)
        row, column = divmod(unit, component.seen_wide if alone else frame.units_wide)
        for y in range(row * down, row * down + down):
            for x in range(column * across, column * across + across):
                block = component.first + y * component.wide + x
                planes[64 * block : 64 * block + 64] = 0


def _numbers(frame: Frame, scan: Scan) -> Any:
    """Return a scan as the kernels take it."""
    import numpy as np

    if frame.kind != PROGRESSIVE:
        kind = 0
    else:
        kind = (1 if scan.first == 0 else 3) + (scan.high > 0)
    alone = len(scan.members) == 1
    wide = frame.components[scan.members[0][0]].seen_wide if alone else frame.units_wide
    values = [kind, scan.first, scan.last, scan.high, scan.low, scan.interval, scan.units, len(scan.members), wide]
    for place, _, _ in scan.members:
        component = frame.components[place]
        across, down = (1, 1) if alone else (component.across, component.down)
        values += [component.first, component.wide, across, down]
    return np.array(values + [0] * (SIZE - len(values)), np.int64)


def _each(code: Code | None) -> Any:
    """Yield the symbols of a table with their codes and lengths."""
    if code is None:
        return
    value = place = 0
    for length in range(1, 17):
        for _ in range(code.counts[length - 1]):
            yield code.symbols[place], value, length
            value, place = value + 1, place + 1
        value <<= 1


def _tables(scan: Scan) -> Any:
    for member, (_, dc, ac) in enumerate(scan.members):
        yield member, dc
        yield 4 + member, ac


def _lookup(scan: Scan) -> Any:
    import numpy as np

    lookup = np.zeros(8 << 16, np.uint16)
    for table, code in _tables(scan):
        at = table << 16
        for symbol, _, length in _each(code):
            count = 1 << (16 - length)
            lookup[at : at + count] = length << 8 | symbol
            at += count
    return lookup


def _codes(scan: Scan) -> Any:
    import numpy as np

    codes = np.zeros(8 << 8, np.uint32)
    for table, code in _tables(scan):
        for symbol, value, length in _each(code):
            codes[table << 8 | symbol] = length << 16 | value
    return codes
