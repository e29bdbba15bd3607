"""The markers of a JPEG file: where its parts lie, and what its scans say of themselves.

After ITU-T T.81, annex B. `Walk` reads the bytes of a file without its entropy-coded stretches ("the head"), marker by
marker, and stops behind each header of a scan. Reader and writer walk over the same bytes in the same way, so the head
and a few numbers are all that a file needs beside its coefficients.

Nothing is believed before it is bounded; what is no JPEG that this package can write again is a `Refused`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SOI, EOI, SOS, DQT, DHT, DRI, DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, 0xCC}  # all that begin a frame
ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length
MOST_COMPONENTS = 4
MOST_SCANS = 256
PER_BYTE = 4  # blocks that a byte of the file may stand for: each has two codes, of a bit or more
WORK = 64  # and blocks of all its scans, which may code many blocks by one run

ZIGZAG = (
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
)  # fmt: skip


class Refused(Exception):
    """These bytes are no JPEG file that could be taken apart and put together again."""


@dataclass(frozen=True)
class Component:
    """One colour plane of a frame.

    Attributes:
        name: the number that scans call it by.
        across, down: sampling factors, 1..4.
        table: number of its quantisation table.
        wide, high: blocks of the plane, with those that fill up the last interleaved units.
        seen_wide, seen_high: blocks that hold pixels of the picture; scans of one component code only these.
    """

    name: int
    across: int
    down: int
    table: int
    wide: int
    high: int
    seen_wide: int
    seen_high: int


@dataclass(frozen=True)
class Frame:
    """What a frame's header says."""

    kind: int
    width: int
    height: int
    components: tuple[Component, ...]
    blocks: int
    units_wide: int
    units_high: int


@dataclass(frozen=True)
class Code:
    """A Huffman table: how many codes there are of 1..16 bits, and their symbols in order."""

    counts: bytes
    symbols: bytes


@dataclass(frozen=True)
class Scan:
    """What a scan's header says, with the tables in force there.

    Attributes:
        members: of each component in it, its place in the frame and its DC and AC codes (None if it is not defined).
        units: how often the interleaved unit (of one component: the block) comes.
        interval: units between restarts, 0 for none.
        first, last: spectral selection; high, low: successive approximation.
    """

    members: tuple[tuple[int, Code | None, Code | None], ...]
    units: int
    interval: int
    first: int
    last: int
    high: int
    low: int


@dataclass
class Walk:
    """A walk over a head.

    Attributes:
        data: the bytes; while a file is read, those of the whole file.
        at: where the walk is.
        frame: None until its header was read.
        quantisers: tables by number, in zigzag order.
        budget: blocks that scans to come may code.
        room, most: blocks of a picture, and of one that is not coded by one scan from top to bottom.
        by_rows: whether the picture is coded so; such a scan is the only one.
        scans: how many came.
    """

    data: bytes
    at: int = 0
    end: int = -1
    frame: Frame | None = None
    quantisers: dict[int, tuple[int, ...]] = field(default_factory=dict)
    dc: dict[int, Code] = field(default_factory=dict)
    ac: dict[int, Code] = field(default_factory=dict)
    interval: int = 0
    budget: int = 0
    room: int = 0
    most: int = 0
    by_rows: bool = False
    scans: int = 0

    def begin(self) -> None:
        """Go behind the first marker. Raises Refused."""
        if self.end < 0:
            self.end = len(self.data)
        if self.end - self.at < 4 or self.data[self.at : self.at + 2] != b"\xff\xd8":
            raise Refused("no JPEG file begins here")
        self.at += 2

    def following(self) -> Scan | None:
        """Go behind the next header of a scan and return what it says; None where the file ends before.

        Behind the last scan the walk stands after the end marker, or at the end of the data.
        Raises:
            Refused: the bytes are not those of a file that can be taken apart.
        """
        data = self.data
        while True:
            at = data.find(b"\xff", self.at, self.end)
            if at < 0 or at + 1 >= self.end:
                self.at = self.end
                return None
            marker = data[at + 1]
            self.at = at + (1 if marker == 0xFF else 2)
            if marker in (0, 0xFF) or (marker in ALONE and marker != SOI):
                continue
            if marker == EOI:
                return None
            if marker == SOI:
                raise Refused("a file begins inside of another")
            size = int.from_bytes(data[at + 2 : at + 4], "big")
            stop = at + 2 + size
            if size < 2 or at + 4 > self.end:
                raise Refused("a marker has no length")
            if stop > self.end:
                self.at = self.end
                return None
            self.at = stop
            body = data[at + 4 : stop]
            if marker == SOS:
                return self._scan(body)
            if marker == DQT:
                self._quantisers(body)
            elif marker == DHT:
                self._codes(body)
            elif marker == DRI:
                if len(body) != 2:
                    raise Refused("a restart interval has 2 bytes")
                self.interval = int.from_bytes(body, "big")
            elif marker == DNL or marker == 0xCC:
                raise Refused("lines are counted late, or codes are arithmetic")
            elif marker in FRAMES:
                self._frame(marker, body)

    def _quantisers(self, body: bytes) -> None:
        at = 0
        while at < len(body):
            wide, number = body[at] >> 4, body[at] & 15
            size = 64 << wide
            if wide > 1 or number > 3 or at + 1 + size > len(body):
                raise Refused("a quantisation table is not as the standard says")
            step = 1 + wide
            values = body[at + 1 : at + 1 + size]
            self.quantisers[number] = tuple(int.from_bytes(values[k : k + step], "big") for k in range(0, size, step))
            at += 1 + size

    def _codes(self, body: bytes) -> None:
        at = 0
        while at < len(body):
            kind, number = body[at] >> 4, body[at] & 15
            counts = body[at + 1 : at + 17]
            total = sum(counts)
            if kind > 1 or number > 3 or len(counts) < 16 or total > 256 or at + 17 + total > len(body):
                raise Refused("a Huffman table is not as the standard says")
            room = 1
            for count in counts:
                room = 2 * room - count
                if room < 0:
                    raise Refused("a Huffman table has more codes than fit")
            code = Code(counts, body[at + 17 : at + 17 + total])
            if len(set(code.symbols)) < total:
                raise Refused("a Huffman table has a symbol twice")
            (self.ac if kind else self.dc)[number] = code
            at += 17 + total

    def _frame(self, kind: int, body: bytes) -> None:
        if self.frame is not None or kind not in (BASELINE, EXTENDED, PROGRESSIVE) or len(body) < 6:
            raise Refused("the frame is of a kind that is not known")
        precision, count = body[0], body[5]
        height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        if precision != 8 or not height or not width or not 1 <= count <= MOST_COMPONENTS or len(body) != 6 + 3 * count:
            raise Refused("the frame is of a kind that is not known")
        parts = [body[k : k + 3] for k in range(6, len(body), 3)]
        most_across = max(part[1] >> 4 for part in parts)
        most_down = max(part[1] & 15 for part in parts)
        if not 1 <= most_across <= 4 or not 1 <= most_down <= 4 or len({part[0] for part in parts}) < count:
            raise Refused("sampling factors are 1 to 4")
        units_wide = _up(width, 8 * most_across)
        units_high = _up(height, 8 * most_down)
        components, blocks = [], 0
        for part in parts:
            across, down = part[1] >> 4, part[1] & 15
            if not across or not down:
                raise Refused("sampling factors are 1 to 4")
            wide, high = units_wide * across, units_high * down
            seen_wide = _up(_up(width * across, most_across), 8)
            seen_high = _up(_up(height * down, most_down), 8)
            components.append(Component(part[0], across, down, part[2], wide, high, seen_wide, seen_high))
            blocks += wide * high
        if blocks > self.room:
            raise Refused("the picture is too large")
        self.frame = Frame(kind, width, height, tuple(components), blocks, units_wide, units_high)

    def _scan(self, body: bytes) -> Scan:
        frame = self.frame
        if frame is None or not body or len(body) != 4 + 2 * body[0] or not 1 <= body[0] <= len(frame.components):
            raise Refused("the header of a scan is not as the standard says")
        places = {component.name: place for place, component in enumerate(frame.components)}
        members = []
        for k in range(body[0]):
            name, tables = body[1 + 2 * k], body[2 + 2 * k]
            if name not in places:
                raise Refused("a scan is of a component that is not there")
            members.append((places.pop(name), self.dc.get(tables >> 4), self.ac.get(tables & 15)))
        first, last, high, low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
        if frame.kind != PROGRESSIVE:
            if (first, last, high, low) != (0, 63, 0, 0):
                raise Refused("a sequential scan has all coefficients")
        elif not (
            ((first == 0 and last == 0) or (1 <= first <= last <= 63 and len(members) == 1))
            and low <= 13
            and high in (0, low + 1)
        ):
            raise Refused("a progressive scan is not as the standard says")
        every = frame.kind != PROGRESSIVE and len(members) == len(frame.components)
        if self.by_rows or (every and self.scans):
            raise Refused("a scan follows one that has all there is, or comes before it")
        if not every and frame.blocks > self.most:
            raise Refused("the picture is too large to be held")
        self.by_rows = every
        self.scans += 1
        if len(members) == 1:
            component = frame.components[members[0][0]]
            units = component.seen_wide * component.seen_high
            work = units
        else:
            each = sum(c.across * c.down for c in (frame.components[place] for place, _, _ in members))
            if each > 10:
                raise Refused("an interleaved unit has at most 10 blocks")
            units = frame.units_wide * frame.units_high
            work = units * each
        self.budget -= work
        if self.budget < 0:
            raise Refused("the scans are more than such a file can hold")
        return Scan(tuple(members), units, self.interval, first, last, high, low)


def _up(count: int, size: int) -> int:
    """Return how many pieces of a size hold `count`."""
    return (count + size - 1) // size


def begun(data: bytes, at: int, end: int, size: int, most: int) -> Walk:
    """Return a walk over data[at:end], of a file of `size` bytes, behind its first marker.

    Args:
        most: blocks of a picture that is not coded from top to bottom, at most.
    Raises:
        Refused: no file begins there.
    """
    walk = Walk(data, at, end, budget=WORK * size, room=PER_BYTE * size, most=most)
    walk.begin()
    return walk
