"""A block that was opened: its leaves sorted into streams, the parts coded, and the plan of how they meet again.

A leaf that an engine of the level accepts goes to that engine's part, unless the level's last one is tried too and
does better. All others go to the part of the last engine, which sees text, machine code and other bytes one after
another, behind the plan. What is the same as an earlier leaf goes nowhere: the plan takes that one again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from nzip.codec.coding import SHORT_SOUND, Coding, coded, doubtful
from nzip.errors import CorruptError
from nzip.formats.container.structures import BUNDLE_ENGINE, STORE_ENGINE
from nzip.formats.container.wire import check64
from nzip.formats.content.detection import described, detect, look
from nzip.formats.content.kinds import CODE_KINDS, TEXT_KINDS, Content, Segment
from nzip.formats.content.tree import Leaf, Share, Tree, leaves
from nzip.formats.openers.base import Opener
from nzip.formats.openers.plan import Account, again_stretch, check, most_made, opened_stretch, rebuild, stream_stretch
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.bundle import Head, Part, Used, joined, memory_params, most_decoded
from nzip.models.coding import Coder
from nzip.params import Params
from nzip.registry import ENGINES
from nzip.settings import Room, block_memory, has_room, largest_part

DOUBTED = 1 << 18  # bytes of short sounds that are tried in a block: of many, what is learned of the first serves all
SEEN = 64  # bytes that are looked at, or looked for; fewer go where the last ones went

Name = str | tuple[int, int]  # of a stream: a kind of general bytes; an engine's number, and that of its part
APART: Name = (-1, 0)  # of samples that the last engine codes in a part of their own, behind the general bytes


class Place(NamedTuple):
    """Where `size` bytes of a leaf are: in a stream, from `start` on; `again` if another leaf has put them there."""

    stream: Name
    start: int
    size: int
    again: bool = False


def _of_length(segment: Segment, length: int, frame: int) -> Segment:
    """Return what a segment says of so many bytes: itself, as a rule."""
    if segment.length == length and segment.frame == frame:
        return segment
    return replace(segment, length=length, frame=frame)


class Stream:
    """Leaves of one kind, joined."""

    def __init__(self) -> None:
        self.size = 0
        self.pieces: list[bytes] = []
        self.segments: list[Segment | int] = []  # what a piece holds, or its bytes where that has to be looked for

    def add(self, leaf: Leaf) -> None:
        if leaf.segment is not None:
            frame = leaf.segment.frame if leaf.segment.frame <= self.size + leaf.segment.offset else 0
            self.segments.append(_of_length(leaf.segment, len(leaf.data), frame))
        elif self.segments and isinstance(self.segments[-1], int):
            self.segments[-1] += len(leaf.data)
        else:
            self.segments.append(len(leaf.data))
        self.size += len(leaf.data)
        self.pieces.append(leaf.data)

    def joined(self) -> bytes:
        """Return the leaves' bytes, which are kept here no longer."""
        data = b"".join(self.pieces)
        self.pieces.clear()
        return data

    def content(self, data: bytes, apart: bool) -> list[Segment]:
        """Return what the joined bytes hold."""
        found, at = list[Segment](), 0
        for segment in self.segments:
            if isinstance(segment, int):
                found += detect(data[at : at + segment], apart=apart).segments
                at += segment
            else:
                found.append(described(data[at : at + segment.length], segment) if apart else segment)
                at += segment.length
        return found


class Sorted:
    """A tree's plan, and its leaves in streams.

    Args:
        tree: what was opened.
        coding: the level's engines.
    """

    def __init__(self, tree: Tree, coding: Coding):
        self._coding = coding
        self._engines: list[tuple[Engine, Params]] = [
            (ENGINES.by_name(name), params) for name, params in coding.engines[:-1]
        ]
        self._largest: dict[int, int] = {}  # bytes of a part of an engine, as soon as that is asked
        self._parts = [0] * len(self._engines)  # the number of each engine's part that leaves are added to
        self._general = "binary"  # the stream of bytes that are no leaf of an engine's
        self._doubted = DOUBTED  # bytes
        size = sum(len(node.data) if isinstance(node, Leaf) else node.size for node in tree)
        others = sum(len(leaf.data) for leaf in leaves(tree) if leaf.share is Share.OTHERS)
        room = coding.room(size) or Room(0, 0)
        self._spare = size + room.others - others  # bytes of samples that the part of general bytes has room for,
        self._apart = room.drawn  # and another part of the last engine's
        self._seen: dict[int, tuple[bytes, Place]] = {}  # leaves by their hash
        self._places: list[list[Place]] = []  # of each leaf, in pieces
        self.streams: dict[Name, Stream] = {}
        self.openers: dict[Opener, list[int]] = {}
        self._place(tree)
        self.names: list[Name] = [name for name in ("binary", "code", "text") if name in self.streams]
        self.names += sorted(name for name in self.streams if isinstance(name, tuple))
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._next = iter(self._places)
        self.plan = self._planned(tree)
        self._seen.clear()  # it holds leaves, which are in the streams now

    def _place(self, tree: Tree) -> None:
        # What lies around the containers of a file is torn, and still one file.
        around = b"".join(node.data for node in tree if isinstance(node, Leaf) and node.segment is None)
        if len(around) >= SEEN:
            kind = look(around, closely=False).kind
            self._general = "text" if kind in TEXT_KINDS else "code" if kind in CODE_KINDS else "binary"
        general = self._general
        for node in tree:
            if isinstance(node, Leaf):
                self._places.append(self._placed(node, general))
            else:
                uses = self.openers.setdefault(node.opener, [0, 0])
                uses[0] += 1
                self._place(node.children)

    def _placed(self, leaf: Leaf, general: str) -> list[Place]:
        """Return the places of a leaf's pieces, after it was put there; in stream `general` if no engine has it."""
        data, place = self._seen.get(check64(leaf.data), (b"", None))
        if place is not None and data == leaf.data:
            return [place._replace(again=True)]
        if leaf.segment is None:
            return [self._put(general, leaf)]
        content = Content((_of_length(leaf.segment, len(leaf.data), leaf.segment.frame),))
        for number, (engine, params) in enumerate(self._engines):
            if engine.accepts(content):
                pieces = list(divided(leaf, leaf.segment, self._most(number)))
                if len(pieces[0].data) > self._most(number):
                    continue
                segment = _of_length(leaf.segment, len(pieces[0].data), leaf.segment.frame)
                if self._better(pieces[0].data, segment, engine, params):
                    return [self._put(self._part(number, len(piece.data)), piece) for piece in pieces]
        if leaf.share is Share.OTHERS:
            return [self._put("binary", leaf)]
        return [*self._drawn(leaf, leaf.segment)]

    def _drawn(self, leaf: Leaf, segment: Segment) -> Iterator[Place]:
        """Yield the places of samples that the last engine codes: among other bytes as far as there is room."""
        here, *rest = cut(leaf, segment, self._spare)
        if len(here.data) <= self._spare:
            self._spare -= len(here.data)
            yield self._put("binary", here)
        else:
            rest = [leaf]
        for piece in rest:
            self._apart -= len(piece.data)
            yield self._put(APART, piece)

    def _most(self, number: int) -> int:
        """Return how many bytes a part of engine `number` has at most."""
        if number not in self._largest:
            self._largest[number] = largest_part(self._coding.engines[number], self._coding.engines)
        return self._largest[number]

    def _part(self, number: int, size: int) -> Name:
        """Return the stream of the part of engine `number` that `size` bytes are added to: a new one where the last is
        full."""
        held = self.streams.get((number, self._parts[number]))
        if held is not None and held.size + size > self._most(number):
            self._parts[number] += 1
        return number, self._parts[number]

    def _put(self, name: Name, leaf: Leaf) -> Place:
        stream = self.streams.setdefault(name, Stream())
        place = Place(name, stream.size, len(leaf.data))
        stream.add(leaf)
        if len(leaf.data) >= SEEN:
            self._seen[check64(leaf.data)] = leaf.data, place
        return place

    def _better(self, data: bytes, segment: Segment, engine: Engine, params: Params) -> bool:
        """Return whether an engine that accepts a leaf does better than the last one, or that has no memory for it;
        where that is doubtful, both are tried on as much of it as goes to one part."""
        content = Content((segment,))
        # Tensors, unlike samples, are counted among general bytes already.
        room = len(data) if segment.kind == "weights" else self._spare + self._apart
        if len(data) > room or not doubtful(data, content, min(SHORT_SOUND, self._doubted)):
            return True
        if segment.kind == "audio":
            self._doubted -= len(data)
        _, own = coded(data, content, self._coding, engine, params)
        content = Content((described(data, content.whole),))
        _, other = coded(data, content, self._coding, *self._coding.last)
        return len(own) < len(other)

    def _planned(self, tree: Tree) -> bytes:
        """Return the plan of a content."""
        out: list[bytes] = []
        for node in tree:
            if isinstance(node, Leaf):
                out += map(self._stretch, next(self._next))
            else:
                inner = sum(len(child.data) if isinstance(child, Leaf) else child.size for child in node.children)
                self.openers[node.opener][1] += inner
                number = list(self.openers).index(node.opener)
                out += [opened_stretch(number, node.size, inner, node.recipe), self._planned(node.children)]
        return b"".join(out)

    def _stretch(self, place: Place) -> bytes:
        """Return the plan of a leaf, or a piece of one."""
        number = self._numbers[place.stream]
        if place.again:
            return again_stretch(number, place.size, place.start)
        return stream_stretch(number, place.size)

    @property
    def has_parts_of_engines(self) -> bool:
        """Whether anything goes to another engine than the last."""
        return any(isinstance(name, tuple) and name != APART for name in self.names)

    def engine(self, name: Name) -> tuple[Engine, Params] | None:
        """Return whose part a stream is; None for general bytes."""
        if name == APART:
            return self._coding.last
        return self._engines[name[0]] if isinstance(name, tuple) else None


def takes_too_much(content: Content, coding: Coding) -> bool:
    """Return whether a block of this content is to be divided, as the engine that accepts it takes too much memory."""
    for choice in coding.engines[:-1]:
        engine: Engine = ENGINES.by_name(choice[0])
        if engine.accepts(content):
            return not has_room(choice, content.size, coding.engines)
    return False


def divided(leaf: Leaf, segment: Segment, most: int) -> Iterator[Leaf]:
    """Yield a picture's rows, the frames of a sound or the values of a tensor in pieces of at most `most` bytes, as far
    as that can be."""
    first, *rest = cut(leaf, segment, most)
    yield first
    for behind in rest:
        yield from divided(behind, replace(segment, length=len(behind.data), offset=0, frame=0), most)


def cut(leaf: Leaf, segment: Segment, most: int) -> list[Leaf]:
    """Return a picture's first rows, the first frames of a sound or values of a tensor, of at most `most` bytes, and
    the rest; the leaf alone where there are no more, or none can be cut off."""
    unit = {"image": segment.row, "audio": segment.stride, "weights": segment.stride}.get(segment.kind, 0)
    if segment.kind == "weights" and 0 < segment.row <= most // 2:
        unit = segment.row
    size = segment.offset + (most - segment.offset) // unit * unit if unit else 0
    if len(leaf.data) <= most or size <= segment.offset:
        return [leaf]
    behind = replace(segment, length=len(leaf.data) - size, offset=0, frame=0)
    return [Leaf(leaf.data[:size], replace(segment, length=size, frame=0)), Leaf(leaf.data[size:], behind)]


def bundled(raw: bytes, found: Sorted, coding: Coding) -> tuple[Coder, bytes] | None:
    """Return the coder and the payload of a block that was opened; None where it does not come back, or takes too much
    memory or work. The streams are used up."""
    last, params = coding.last
    datas = {name: found.streams[name].joined() for name in found.names}
    streamed = len(found.plan) + sum(map(len, datas.values()))
    if streamed > most_decoded(len(raw)):
        return None
    memory = block_memory(coding.engines, len(raw), coding.room(len(raw)))
    account = Account(memory - streamed, most_made(len(raw), streamed))
    try:
        if not found.openers:  # the leaves are the block
            check(found.plan, list(map(len, datas.values())), (), len(raw), account)
        elif rebuild(found.plan, list(datas.values()), list(found.openers), len(raw), account) != raw:
            return None
    except CorruptError:
        return None
    general = [name for name in found.names if found.engine(name) is None]
    segments = [Segment("binary", len(found.plan))]
    for name in general:
        segments += found.streams[name].content(datas[name], last.sees_records)
    sizes = (len(found.plan), *(len(datas[name]) for name in general))
    whole = b"".join((found.plan, *(datas.pop(name) for name in general)))
    with progress.part(len(whole) / streamed):
        made = [_part(sizes, whole, segments, coding, last, params)]
    del whole
    for name in [*datas]:
        if (own := found.engine(name)) is not None:
            data = datas.pop(name)
            with progress.part(len(data) / streamed):
                made.append(_part((len(data),), data, found.streams[name].content(data, False), coding, *own))
    used = [Used(opener.id, opener.version, *uses) for opener, uses in found.openers.items()]
    head = Head(used, [part for part, _ in made])
    if head.working() > memory or head.decoded > most_decoded(len(raw)):
        return None
    bundle: Engine = ENGINES.by_id(BUNDLE_ENGINE, 1)
    coder = Coder(bundle.id, bundle.version, bundle.pack(memory_params(head, account)))
    return coder, joined(head, [payload for _, payload in made])


def _part(
    sizes: tuple[int, ...], data: bytes, segments: list[Segment], coding: Coding, engine: Engine, params: Params
) -> tuple[Part, bytes]:
    """Return the part of streams of these `sizes`, and its payload, by `engine` or else by the level's last one."""
    mixed = None if len(segments) == 1 else replace(segments[0], kind="binary", length=len(data), confidence=0)
    coder, payload = coded(data, Content(tuple(segments), mixed), coding, engine, params)
    if len(payload) >= len(data) and engine is not coding.last[0]:
        starts = accumulate((segment.length for segment in segments), initial=0)
        known = [described(data[at : at + each.length], each) for at, each in zip(starts, segments, strict=False)]
        coder, payload = coded(data, Content(tuple(known), mixed), coding, *coding.last)
    if len(payload) < len(data):
        return Part(coder, sizes, len(payload)), payload
    return Part(Coder(STORE_ENGINE), sizes, len(data)), data
