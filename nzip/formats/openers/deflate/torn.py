"""Opener `torn`: a part of a deflate stream, as where a block ends before the stream that it holds.

A part has whole blocks of the stream, from the bit on where one begins. What stands before it is needed for matches:
so much of it as they reach back is the first of what is inside (the *window*), and the encoder begins with it in its
chains. An encoder that begins in the middle does not know what the one that made the stream had in mind there: where
it would choose other tokens, the recipe says which. docs/reference/DEFLATE.md, section 4, defines it to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.deflate import following, inflation, layout
from nzip.formats.openers.deflate import recipe as recipes
from nzip.formats.openers.deflate.constants import FARTHEST, LONGEST, SHORTEST
from nzip.formats.openers.deflate.inflation import Inflated
from nzip.formats.openers.deflate.opener import MOST_SETTINGS, WORTH
from nzip.formats.openers.deflate.redoing import FEWEST, STEPS, TRIES
from nzip.formats.openers.deflate.search import LIKELY, MARGIN, Structure, candidates
from nzip.formats.openers.deflate.settings import GREEDIEST, HUFFMAN, RLE, Settings
from nzip.process import imported

Array = Any
GOES_ON = 8  # a flag of recipes
NONE, FEW, MANY = 4, 64, 1 << 13  # tokens that may be put right; so many only where not all places are in chains
MOST = 1 << 16
MANY_SETTINGS, MANY_FORMS = 256, 16  # that are tried; and to the end
FAR = 1 << 17  # a place that stands for all that are as far from where the window of an encoder begins


class Part(NamedTuple):
    """Where in a block a part of a deflate stream lies.

    Attributes:
        start, stop: its bytes.
        bit: how many bits of its first byte belong to what stands before it.
        held: how many bits of the byte behind it belong to it, and
        tail: that byte.
        window: what the stream holds before it, 32 KiB at most.
        place: how much the stream holds before it.
        goes_on: whether the stream goes on behind it.
        size: what it holds, in bytes.
    """

    start: int
    stop: int
    bit: int
    held: int
    tail: int
    window: bytes
    place: int
    goes_on: bool
    size: int


class Stretch(NamedTuple):
    """What was inflated.

    Attributes:
        stream: as of a whole stream; it holds the window too.
        bit: where the last block ends.
        done: whether it is the last of the stream.
    """

    stream: Inflated
    bit: int
    done: bool


def inflate_on(data: bytes | memoryview, bit: int, window: bytes, most: int, keep: bool = False) -> Stretch:
    """Inflate whole blocks from a bit on, as many as there are and `most` bytes can hold.

    Args:
        data: the coded bytes.
        bit: where a block begins.
        window: what stands before it.
        most: bytes that the blocks may hold.
        keep: whether tokens and blocks are wanted.
    """
    imported("numpy")
    import numpy as np

    coded = np.frombuffer(data, np.uint8).copy()
    before = len(window)
    room = before + min(most, 1032 * len(coded))
    reading = inflation.Reading(coded, room, min(room, 8 * len(coded)) if keep else None)
    reading.plain[:before] = np.frombuffer(window, np.uint8)
    reading.state[layout.BIT], reading.state[layout.OUT] = bit, before
    reading.read()
    return Stretch(reading.inflated(), int(reading.state[layout.BIT]), reading.done)


class _Head(NamedTuple):
    """How a part begins and ends: what stands first in a recipe.

    Attributes:
        held: bits of the first byte that are there already, and
        bits: these.
        goes_on: whether the stream goes on.
        window: bytes before it.
        place: the place of the first byte that it holds, modulo 32 KiB.
    """

    held: int
    bits: int
    goes_on: int
    window: int
    place: int

    def pack(self) -> bytes:
        flags = self.held | GOES_ON * self.goes_on
        return bytes((flags, self.bits)) + uleb(self.window) + uleb(self.place)

    @classmethod
    def unpack(cls, source: Reader, size: int) -> _Head:
        flags, bits, window, place = source.u8(), source.u8(), source.uleb(), source.uleb()
        head = cls(flags & 7, bits, flags >> 3, window, place)
        if flags >= 2 * GOES_ON or bits >> head.held or window > min(FARTHEST, size) or place >= FARTHEST:
            raise CorruptError("a recipe of a part of a deflate stream has a head that does not exist")
        if window < FARTHEST and place != window:
            raise CorruptError("a recipe of a part of a deflate stream says two things of where it begins")
        return head

    @property
    def edges(self) -> following.Edges:
        """The same for following."""
        return following.Edges(self.window, self.goes_on, self.held, self.bits)

    def slid(self, settings: Settings) -> int:
        """Return where the encoder's window begins when the part does, as a place."""
        least = {RLE: LONGEST + 1, HUFFMAN: 1}.get(settings.strategy, MARGIN)
        window = 1 << settings.window
        start = self.window if self.window < FARTHEST else FAR + self.place
        return max(0, -(-(start + least - 2 * window) // window)) * window - start + self.window


class _Encoder:
    """Deflates a part.

    Args:
        inner: the window, and what the part holds.
        head: how it begins and ends.
    """

    def __init__(self, inner: bytes | Array, head: _Head):
        imported("numba", "nzip.formats.openers.deflate.redo_kernel")
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel

        self.size = len(inner)
        self.plain = np.zeros(self.size + redo_kernel.PAD, np.uint8)
        self.plain[: self.size] = np.frombuffer(inner, np.uint8)
        self._head = head
        self.steps = TRIES * (STEPS * self.size + FEWEST)  # that trials may take together

    def _run(
        self, settings: Settings, stops: list[int], marks: list[int], forced: Array, most: int, wanted: Array, size: int
    ) -> tuple[int, Array, Array]:
        """Return what the kernel returns, the settings behind it, and what it wrote."""
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel as kernel
        from nzip.formats.openers.deflate import trees_kernel
        from nzip.formats.openers.deflate.tables import TABLES

        packed = settings.packed().copy()
        packed[kernel.STEPS] = self.steps if len(wanted) else STEPS * self.size + FEWEST
        packed[kernel.START], packed[kernel.ON] = self._head.window, self._head.goes_on
        packed[kernel.SLID], packed[kernel.FORCED] = self._head.slid(settings), most
        work = np.zeros(trees_kernel.WORK, np.int64)
        work[trees_kernel.HELD], work[trees_kernel.HELD_BITS] = self._head.bits, self._head.held
        out = np.empty(size, np.uint8)
        status = kernel.redo(
            self.plain, self.size, packed, np.array(stops, np.int64), np.array([*marks, 0], np.int64),
            np.zeros(1 << int(packed[kernel.HASH_BITS]), np.int32), np.empty(1 << settings.window, np.uint16),
            np.empty(0 if len(wanted) else min(settings.full(), self.size) + 1, np.uint32), work, TABLES, out, wanted,
            forced,
        )  # fmt: skip
        written = int(work[trees_kernel.AT])
        return int(status), packed, out[:written] if written <= size else out[:0]

    def corrections(
        self, settings: Settings, stops: list[int], marks: list[int], wanted: Array, most: int
    ) -> Array | None:
        """Return where the tokens `wanted` are not those of the settings, and which stand there (int64, flat); None if
        that is oftener than `most` times."""
        import numpy as np

        from nzip.formats.openers.deflate import redo_kernel as kernel

        forced = np.zeros(2 * most, np.int64)
        if not len(wanted):
            return forced[:0]
        reached, packed, _ = self._run(settings, stops, marks, forced, most, wanted, 0)
        self.steps = max(0, int(packed[kernel.STEPS]))
        return forced[: 2 * int(packed[kernel.FORCED])] if reached == len(wanted) else None

    def redone(self, settings: Settings, stops: list[int], marks: list[int], forced: Array, size: int) -> bytes | None:
        """Return the part, None if it does not have `size` bytes."""
        import numpy as np

        status, _, made = self._run(settings, stops, marks, forced, len(forced) // 2, np.empty(0, np.uint32), size)
        return made.tobytes() if status >= 0 and len(made) == size else None


class TornOpener(Opener):
    """Gives what a part of a deflate stream holds, behind its window.

    Hint: `part`, a `Part`.
    """

    name = "torn"
    id = 2
    version = 1

    def open(self, coded: bytes, most: int, *, part: Part | None = None, **hints: Any) -> Opened | None:
        if part is None:
            return None
        tail = bytes((part.tail,)) if part.held else b""
        data = coded + tail
        found = inflate_on(data, part.bit, part.window, min(most, part.size), keep=True)
        end = 8 * len(coded) + part.held
        if found.done == part.goes_on or (found.bit != end if part.goes_on else found.stream.end != len(coded)):
            return None
        inner = found.stream.plain.tobytes()
        head = _Head(
            part.bit, coded[0] & (1 << part.bit) - 1, int(part.goes_on), len(part.window), part.place % FARTHEST
        )
        for recipe in self._recipes(data, len(coded), found.stream, head):
            if (opened := self.tried(inner, head.pack() + recipe, coded)) is not None:
                return opened
        return None

    def _recipes(self, data: bytes, size: int, stream: Inflated, head: _Head) -> Iterator[bytes]:
        """Yield recipes that may do, without their heads."""
        if not stream.padding and not stream.odd:
            yield from self._exact(size, stream, head)
        follower = following.Follower(data, stream, head.edges)
        if follower.able():
            guide, cost, reached = follower.best()
            if cost * len(stream.plain) * WORTH <= size * reached + 64 * WORTH * len(stream.plain):
                made = follower.coded_by(guide, following.ALL)
                if made is not None and len(made[0]) * WORTH <= size:
                    yield following.pack(guide, follower.most_tokens, stream.padding, made[0])

    def _exact(self, size: int, stream: Inflated, head: _Head) -> Iterator[bytes]:
        structure = Structure(stream, open_end=bool(head.goes_on))
        encoder = _Encoder(stream.plain, head)
        wanted = structure.seen[:LIKELY]
        tried: set[tuple[object, ...]] = set()
        forms: set[tuple[object, ...]] = set()  # that were tried with the right tokens
        for most in (NONE, FEW, MANY):
            for number, (settings, marks) in enumerate(candidates(structure)):
                if number > MANY_SETTINGS or (most == MANY and settings.level > GREEDIEST):
                    continue
                key = (*settings.matching(), most, *marks)
                stops = structure.stops
                if key in tried or encoder.corrections(settings, stops, marks, wanted, most) is None:
                    tried.add(key)
                    continue
                forced = encoder.corrections(settings, stops, marks, structure.seen, most)
                if forced is None:
                    continue
                # Of those that give the same tokens, others that write them in the same way fail too.
                form = (*settings.form(marks), *(settings.matching() if structure.hidden else ()), forced.tobytes())
                if form not in forms and len(forms) < MANY_FORMS:
                    forms.add(form)
                    yield _pack(settings, stops, marks, forced)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        if len(recipe) > self.longest_recipe(size):
            raise CorruptError("a recipe of a part of a deflate stream is longer than that")
        source = Reader(recipe)
        head = _Head.unpack(source, len(inner))
        rest = source.bytes(source.left())
        if rest[:1] == bytes((following.MARK,)):
            made = following.close(inner, rest, size, head.edges)
        else:
            source = Reader(rest)
            settings, stops, marks = recipes.unpack(source, len(inner))
            forced = _unpack(source, len(inner), stops, head)
            made = _Encoder(inner, head).redone(settings, stops, marks, forced, size) or b""
        if len(made) != size:
            raise CorruptError("a part of a deflate stream does not have the size that is stated for it")
        return made

    def longest_recipe(self, size: int) -> int:
        return size + MOST_SETTINGS + 6 * MOST

    def memory(self, inner: int, size: int) -> int:
        return inner + 3 * size + 4 * min(inner, following.MOST_TOKENS) + (6 << 20)

    def prepare(self) -> None:
        import zlib

        for level in (6, 1):
            stream = zlib.compress(bytes(range(64)) * 8, level, -15)
            self.open(stream, 1 << 10, part=Part(0, len(stream), 0, 0, 0, b"", 0, False, 512))


def _pack(settings: Settings, stops: list[int], marks: list[int], forced: Array) -> bytes:
    """Return settings, and tokens that are not theirs."""
    out, at = [recipes.pack(settings, stops, marks), uleb(len(forced) // 2)], 0
    for place, token in forced.reshape(-1, 2).tolist():
        length = token & 511 if token > 255 else 0
        out += (uleb(place - at), uleb(length - 2 if length else 0))
        if length:
            out.append(uleb((token >> 9) - 1))
        at = place
    return b"".join(out)


def _unpack(source: Reader, size: int, stops: list[int], head: _Head) -> Array:
    """Return the tokens of a recipe.

    Raises:
        CorruptError: there are none such.
    """
    import numpy as np

    count = source.uleb()
    if stops[0] < head.window or count > MOST:
        raise CorruptError("a recipe of a part of a deflate stream has settings that do not exist")
    forced = np.zeros(2 * count, np.int64)
    at = 0
    for number in range(count):
        at += source.uleb()
        length = source.uleb()
        distance = source.uleb() + 1 if length else 0
        if at < head.window or at >= size or length > LONGEST - SHORTEST + 1 or distance > min(at, FARTHEST):
            raise CorruptError("a recipe of a part of a deflate stream has a token that cannot be")
        forced[2 * number] = at
        forced[2 * number + 1] = length + 2 | distance << 9 if length else -1
    if source.left():
        raise CorruptError("a recipe of a part of a deflate stream has bytes too many")
    return forced
