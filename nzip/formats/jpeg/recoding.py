"""JPEG files taken apart into coefficients and what else there is, and put together again.

A file is its head (all bytes but the entropy-coded stretches), the coefficients, and a few facts about how its encoder
wrote them (`Manner`). `take_apart` has compared what `put_together` makes of these with the file before it returns.
Pictures that one scan codes from top to bottom are never held whole: coefficients are read from the file again, strip
by strip, by whoever wants them (`Source`).

numpy and the kernels are imported when a file is coded, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.jpeg.planes import Planes
from nzip.formats.jpeg.structure import MOST_SCANS, PROGRESSIVE, ZIGZAG, Code, Frame, Refused, Scan, begun

LEAST = 128  # bytes of a file that is worth the work
MOST_BLOCKS = 1 << 20  # of a picture that has to be held whole, where the caller says nothing else
SIZE = 49  # numbers of a scan, as `scans` has them
STATE, AT, UNIT, PADS, BREAKS = 15, 0, 1, 2, 3  # numbers of where a loop is in a scan, and some of these
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
        breaks: for each scan the units before which a run of ended blocks ends earlier than it must, as `packed`
            has them.
    """

    scans: int
    units: int = 0
    fill: int = ONES
    pads: bytes = b""
    breaks: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Outline:
    """What a head says: the frame, quantisation tables by number, scans and where in the head each belongs."""

    frame: Frame
    quantisers: dict[int, tuple[int, ...]]
    scans: tuple[Scan, ...]
    places: tuple[int, ...]
    by_rows: bool

    def planes(self) -> Planes:
        """Return room for the picture's coefficients."""
        return Planes(self.frame, not self.by_rows)


@dataclass(frozen=True)
class Apart:
    """A file that was taken apart; the last `tail` bytes of the head are those behind the last scan."""

    size: int
    head: bytes
    manner: Manner
    outline: Outline
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
        most: blocks of a picture that has to be held whole, at most.
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
    return Outline(walk.frame, dict(walk.quantisers), tuple(scans), tuple(places), walk.by_rows)


def take_apart(data: bytes, start: int = 0, end: int | None = None, most: int = MOST_BLOCKS) -> Apart | None:
    """Return the file that begins at `start`, taken apart; None where none begins that comes back to the bit.

    Args:
        data: bytes; what is behind the file is not looked at.
        start, end: the stretch of them that is searched.
        most: blocks of a picture that has to be held whole, at most; a block takes 128 bytes of memory.
    """
    stop = len(data) if end is None else end
    whole = MOST_SCANS
    try:
        data = data[start : _end(data, start, stop)]
        found = _parsed(data, most, whole)
        if isinstance(found, int):  # a progressive scan broke off, and what earlier ones made may have changed
            whole = found
            found = _parsed(data, most, whole)
    except Refused:
        return None
    if found is None or isinstance(found, int):
        return None
    apart, planes = found
    if apart.size < LEAST or apart.tail > apart.size // 4:
        return None
    data = data[: apart.size]
    try:
        again = outline(apart.head, apart.manner, apart.size, most)
        if planes.whole:
            planes.rewind()
            same = put_together(apart.head, apart.manner, again, apart.size, _filled, planes)
        else:
            same = put_together(apart.head, apart.manner, again, apart.size, Source(data, apart).fill)
    except CorruptError:
        return None
    return apart if same.data == memoryview(data) else None


def _filled(planes: Planes) -> None:
    """Fill a strip that is filled."""


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


class _Reading:
    """A scan that is read, strip by strip.

    Args:
        source: uint8, a file.
        start: where the entropy-coded stretch begins.
        frame, scan: what was said of it.

    Attributes:
        at: where reading is; behind the last unit, where the stretch ends.
        done: units that were read.
        bad: whether the stretch ended before.
    """

    def __init__(self, source: Any, start: int, frame: Frame, scan: Scan):
        import numpy as np

        self._source, self._frame, self._scan = source, frame, scan
        self._lookup, self._zigzag = _lookup(scan), np.array(ZIGZAG, np.int64)
        self._pads = np.zeros(scan.units // scan.interval + 2 if scan.interval else 2, np.uint8)
        runs = frame.kind == PROGRESSIVE and scan.first
        self._breaks = np.zeros(scan.units + 1 if runs else 1, np.int64)
        self._state = np.zeros(STATE, np.int64)
        self._state[AT] = start
        self.bad = False

    @property
    def at(self) -> int:
        return int(self._state[AT])

    @property
    def done(self) -> int:
        return int(self._state[UNIT])

    @property
    def pads(self) -> bytes:
        """The bits that filled up bytes, as `Manner` has them."""
        return bytes(self._pads[: self._state[PADS]].tobytes())

    @property
    def breaks(self) -> bytes:
        """The units before which a run of ended blocks ends early, packed."""
        return packed(self._breaks[: self._state[BREAKS]].tolist())

    def read(self, planes: Planes) -> None:
        """Read a strip; nothing behind a unit that is not whole."""
        if not self.bad:
            self.bad = bool(
                _read(
                    self._source, len(self._source), _until(planes, self._scan), _numbers(planes, self._scan),
                    self._lookup, self._zigzag, planes.values, self._pads, self._breaks, self._state,
                )
            )  # fmt: skip
            if self.bad:
                _clear(planes, self._scan, self.done)


class Source:
    """A file whose coefficients are read once more.

    Args:
        data: the file's bytes.
        apart: what it is made of.
    """

    def __init__(self, data: bytes, apart: Apart):
        import numpy as np

        self._scans = apart.manner.scans
        self._walk = begun(data, 0, len(data), len(data), 1 << 40)
        self._source = np.frombuffer(data, np.uint8).copy()
        self._reading: _Reading | None = None

    def fill(self, planes: Planes) -> None:
        """Read the strip behind the one that was read before."""
        if self._reading is None:
            for _ in range(self._scans):
                scan = self._walk.following()
                assert scan is not None
                self._reading = _Reading(self._source, self._walk.at, planes.frame, scan)
                self._reading.read(planes)
                self._walk.at = self._reading.at
        else:
            self._reading.read(planes)


def packed(units: Iterable[int]) -> bytes:
    """Return units of a scan, each as its distance from the one before, as a uleb."""
    out, last = bytearray(), 0
    for unit in units:
        out += uleb(unit - last)
        last = unit
    return bytes(out)


def _unpacked(packed: bytes, most: int) -> Iterator[int]:
    """Yield what `packed` made its bytes of. Raises CorruptError where that is `most` numbers or more, or none."""
    reader, unit = Reader(packed), 0
    while reader.left():
        unit += reader.uleb()
        if most <= 0 or unit >> 31:
            raise CorruptError("a JPEG file does not come back (its runs end more often than there are blocks)")
        most -= 1
        yield unit


def _parsed(data: bytes, most: int, whole: int) -> tuple[Apart, Planes] | int | None:
    """Return the file that `data` begins with, with at most `whole` scans taken apart, and its coefficients, or the
    last strip of them; None where that cannot be.

    An integer says that only so many scans, of a progressive file, can be read. Raises Refused.
    """
    import numpy as np

    stop = len(data)
    walk = begun(data, 0, stop, stop, most)
    source = np.frombuffer(data, np.uint8).copy()
    planes: Planes | None = None
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
            by_rows = walk.by_rows
            planes = Planes(walk.frame, not by_rows)
        heads.append(data[held : walk.at])
        scans.append(scan)
        places.append(sum(map(len, heads)))
        quantisers = dict(walk.quantisers)
        reading = _Reading(source, walk.at, walk.frame, scan)
        planes.rewind()
        while not reading.bad and planes.following():
            reading.read(planes)
        pads.append(reading.pads)
        breaks.append(reading.breaks)
        held = walk.at = reading.at
        if reading.bad:
            if walk.frame.kind == PROGRESSIVE or not reading.done:
                return len(scans) - 1 if len(scans) > 1 else None
            units = reading.done
            break
    if planes is None:
        return None
    if units or len(scans) == whole:  # what follows is not understood
        walk.at = stop
    heads.append(data[held : walk.at])
    every = b"".join(pads)
    fill = ONES if all(_full(pad) for pad in every) else ODD
    if fill == ODD and all(_empty(pad) for pad in every):
        fill = ZEROS
    manner = Manner(len(scans), units, fill, every if fill == ODD else b"", tuple(breaks))
    said = Outline(planes.frame, quantisers, tuple(scans), tuple(places), by_rows)
    return Apart(walk.at, b"".join(heads), manner, said, walk.at - held), planes


def put_together(
    head: bytes,
    manner: Manner,
    outline: Outline,
    size: int,
    fill: Callable[[Planes], None],
    planes: Planes | None = None,
) -> Any:
    """Return the file of `size` bytes that these make, as uint8 (size,).

    Args:
        head, manner, outline: what the file is made of.
        size: its bytes.
        fill: fills the next strip with coefficients.
        planes: the room for them, where that is not new.
    Raises:
        CorruptError: they make no file of this size.
    """
    import numpy as np

    out = np.zeros(size, np.uint8)
    zigzag = np.array(ZIGZAG, np.int64)
    pads = np.frombuffer(manner.pads, np.uint8).copy()
    planes = planes or outline.planes()
    state = np.zeros(STATE, np.int64)
    taken = 0
    while planes.following():
        fill(planes)
        for k, (scan, place) in enumerate(zip(outline.scans, outline.places, strict=True)):
            stop = scan.units
            if k == manner.scans - 1 and manner.units:
                stop = min(stop, manner.units)
            if not planes.first:
                at = _placed(out, int(state[AT]), head[taken:place])
                taken = place
                used = state[PADS]
                state = np.zeros(STATE, np.int64)
                state[AT], state[PADS] = at, used
                codes = _codes(scan)
                of_runs = _unpacked(manner.breaks[k] if k < len(manner.breaks) else b"", scan.units)
                breaks = np.fromiter(of_runs, np.int64)
            if state[UNIT] < stop and _write(
                planes.values, _numbers(planes, scan), codes, zigzag, min(_until(planes, scan), stop), stop,
                manner.fill, pads, breaks, out, state,
            ):  # fmt: skip
                raise CorruptError("a JPEG file does not come back (its coefficients have no codes, or no room)")
    at = _placed(out, int(state[AT]), head[taken:])
    if at != size:
        raise CorruptError(f"a JPEG file does not come back (it has {at} bytes of {size})")
    return out


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


def _alone(scan: Scan) -> bool:
    """Return whether the units of a scan are blocks of one component, and only those that are seen."""
    return len(scan.members) == 1


def _until(planes: Planes, scan: Scan) -> int:
    """Return how many units of a scan there are up to the end of a strip."""
    if not _alone(scan):
        return planes.stop * planes.frame.units_wide
    component = planes.frame.components[scan.members[0][0]]
    return min(planes.stop * component.down, component.seen_high) * component.seen_wide


def _parts(planes: Planes, scan: Scan) -> list[tuple[int, int, int, int]]:
    """Return for each block of a unit whose it is, where it is in unit 0, and how far from there to the next units,
    across and down."""
    parts = []
    for member, (place, _, _) in enumerate(scan.members):
        component = planes.frame.components[place]
        across, down = (1, 1) if _alone(scan) else (component.across, component.down)
        for y in range(down):
            first = planes.origin(place) + y * component.wide
            parts += [(member, first + x, across, down * component.wide) for x in range(across)]
    return parts


def _wide(planes: Planes, scan: Scan) -> int:
    """Return how many units of a scan stand in a row."""
    return planes.frame.components[scan.members[0][0]].seen_wide if _alone(scan) else planes.frame.units_wide


def _clear(planes: Planes, scan: Scan, unit: int) -> None:
    """Let the blocks of a unit be zeros."""
    row, column = divmod(unit, _wide(planes, scan))
    for _, first, across, down in _parts(planes, scan):
        block = first + column * across + row * down
        planes.values[64 * block : 64 * block + 64] = 0


def _numbers(planes: Planes, scan: Scan) -> Any:
    """Return a scan as the kernels take it."""
    import numpy as np

    kind = (1 if scan.first == 0 else 3) + (scan.high > 0) if planes.frame.kind == PROGRESSIVE else 0
    parts = _parts(planes, scan)
    values = [kind, scan.first, scan.last, scan.high, scan.low, scan.interval, scan.units, len(parts)]
    values += [_wide(planes, scan), *(number for part in parts for number in part)]
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
