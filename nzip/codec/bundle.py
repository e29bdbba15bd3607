"""A block that was opened: its leaves sorted into streams, the parts coded, and the plan of how they meet again.

A leaf that an engine of the level accepts goes to that engine's part, unless the level's last one is tried too and
does better. All others go to the part of the last engine, which sees text, machine code and other bytes one after
another, behind the plan. What is the same as an earlier leaf goes nowhere: the plan takes that one again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from nzip.codec.coding import Coding, coded, doubtful
from nzip.errors import CorruptError
from nzip.formats.container.structures import BUNDLE_ENGINE, STORE_ENGINE
from nzip.formats.content.detection import detect, look
from nzip.formats.content.kinds import CODE_KINDS, TEXT_KINDS, Content, Segment
from nzip.formats.content.tree import Leaf, Tree
from nzip.formats.openers.base import Opener
from nzip.formats.openers.plan import Account, Rebuilder, again_stretch, most_made, opened_stretch, stream_stretch
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.bundle import Head, Part, Used, joined, memory_params
from nzip.models.coding import Coder
from nzip.params import Params
from nzip.registry import ENGINES

SEEN = 64  # bytes that are looked at, or looked for; fewer go where the last ones went


class Place(NamedTuple):
    """Where a leaf's bytes are: in a stream, from `start` on; `again` if another leaf has put them there."""

    stream: str | int
    start: int
    again: bool


class Stream:
    """Leaves of one kind, joined."""

    def __init__(self) -> None:
        self.size = 0
        self.pieces: list[bytes] = []
        self.segments: list[Segment | int] = []  # what a piece holds, or its bytes where that has to be looked for

    def add(self, leaf: Leaf) -> None:
        self.size += len(leaf.data)
        self.pieces.append(leaf.data)
        if leaf.segment is not None:
            self.segments.append(replace(leaf.segment, length=len(leaf.data)))
        elif self.segments and isinstance(self.segments[-1], int):
            self.segments[-1] += len(leaf.data)
        else:
            self.segments.append(len(leaf.data))

    def content(self, data: bytes, apart: bool) -> list[Segment]:
        """Return what the joined bytes hold."""
        found, at = list[Segment](), 0
        for segment in self.segments:
            if isinstance(segment, int):
                found += detect(data[at : at + segment], apart=apart).segments
                at += segment
            else:
                found.append(segment)
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
        self._general = "binary"  # the stream of bytes that are no leaf of an engine's
        self._seen: dict[bytes, Place] = {}
        self._places: list[Place] = []  # of each leaf: the kind of general bytes, or the number of its engine
        self.streams: dict[str | int, Stream] = {}
        self.openers: dict[Opener, list[int]] = {}
        self._place(tree)
        order: list[str | int] = ["binary", "code", "text", *range(len(self._engines))]
        self.names = [name for name in order if name in self.streams]
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._next = iter(self._places)
        self.plan = self._planned(tree)

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

    def _placed(self, leaf: Leaf, general: str) -> Place:
        """Return the place of a leaf, after it was put there; in stream `general` if no engine has it."""
        found = self._seen.get(leaf.data)
        if found is not None:
            return found._replace(again=True)
        name = general if leaf.segment is None else self._stream(leaf, leaf.segment)
        stream = self.streams.setdefault(name, Stream())
        place = Place(name, stream.size, False)
        stream.add(leaf)
        if len(leaf.data) >= SEEN:
            self._seen[leaf.data] = place
        return place

    def _stream(self, leaf: Leaf, segment: Segment) -> str | int:
        """Return the name of the stream that a leaf of a known kind belongs to."""
        content = Content((replace(segment, length=len(leaf.data)),))
        for number, (engine, params) in enumerate(self._engines):
            if engine.accepts(content) and self._better(leaf.data, content, engine, params):
                return number
        return "binary"

    def _better(self, data: bytes, content: Content, engine: Engine, params: Params) -> bool:
        """Return whether an engine that accepts a leaf does better than the last one; it is tried where that is
        doubtful."""
        if not doubtful(data, content):
            return True
        _, own = coded(data, content, self._coding, engine, params)
        _, other = coded(data, content, self._coding, *self._coding.last)
        return len(own) < len(other)

    def _planned(self, tree: Tree) -> bytes:
        """Return the plan of a content."""
        out: list[bytes] = []
        for node in tree:
            if isinstance(node, Leaf):
                place, size = next(self._next), len(node.data)
                number = self._numbers[place.stream]
                out.append(again_stretch(number, size, place.start) if place.again else stream_stretch(number, size))
            else:
                inner = sum(len(child.data) if isinstance(child, Leaf) else child.size for child in node.children)
                self.openers[node.opener][1] += inner
                number = list(self.openers).index(node.opener)
                out += [opened_stretch(number, node.size, inner, node.recipe), self._planned(node.children)]
        return b"".join(out)

    def engine(self, name: str | int) -> tuple[Engine, Params] | None:
        """Return whose part a stream is; None for general bytes."""
        return self._engines[name] if isinstance(name, int) else None


def bundled(raw: bytes, tree: Tree, coding: Coding) -> tuple[Coder, bytes] | None:
    """Return the coder and the payload of a block that was opened; None where it does not come back."""
    found = Sorted(tree, coding)
    last, params = coding.last
    datas = {name: b"".join(found.streams[name].pieces) for name in found.names}
    streams = [datas[name] for name in found.names]
    account = Account(1 << 62, most_made(len(raw), len(found.plan) + sum(map(len, streams))))
    try:
        if Rebuilder(found.plan, streams, list(found.openers), account).rebuild(len(raw)) != raw:
            return None
    except CorruptError:
        return None
    general = [name for name in found.names if found.engine(name) is None]
    whole = found.plan + b"".join(datas[name] for name in general)
    segments = [Segment("binary", len(found.plan))]
    for name in general:
        segments += found.streams[name].content(datas[name], last.sees_records)
    jobs = [((len(found.plan), *(len(datas[name]) for name in general)), whole, segments, last, params)]
    for name in found.names:
        if (own := found.engine(name)) is not None:
            jobs.append(((len(datas[name]),), datas[name], found.streams[name].content(datas[name], False), *own))
    parts, payloads, total = [], [], sum(len(data) for _, data, *_ in jobs)
    for sizes, data, held, engine, chosen in jobs:
        with progress.part(len(data) / total):
            part, payload = _part(sizes, data, held, coding, engine, chosen)
        parts.append(part)
        payloads.append(payload)
    used = [Used(opener.id, opener.version, *uses) for opener, uses in found.openers.items()]
    head = Head(used, parts)
    bundle: Engine = ENGINES.by_id(BUNDLE_ENGINE, 1)
    return Coder(bundle.id, bundle.version, bundle.pack(memory_params(head, account))), joined(head, payloads)


def _part(
    sizes: tuple[int, ...], data: bytes, segments: list[Segment], coding: Coding, engine: Engine, params: Params
) -> tuple[Part, bytes]:
    """Return the part of streams of these `sizes`, and its payload, by `engine` or else by the level's last one."""
    mixed = None if len(segments) == 1 else replace(segments[0], kind="binary", length=len(data), confidence=0)
    content = Content(tuple(segments), mixed)
    for one, chosen in [(engine, params), *([coding.last] if engine is not coding.last[0] else [])]:
        coder, payload = coded(data, content, coding, one, chosen)
        if len(payload) < len(data):
            return Part(coder, sizes, len(payload)), payload
    return Part(Coder(STORE_ENGINE), sizes, len(data)), data
