"""A block opened: what its containers hold, and what their contents hold, as a tree of stretches.

What is opened is decided here and by the openers, from the bytes alone; the reader follows a plan and searches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.grids import files as grids
from nzip.formats.content.containers.search import budget_of, find
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors import files as weights
from nzip.formats.content.continued import Begun, first
from nzip.formats.content.kinds import Segment
from nzip.formats.content.photographs import judged
from nzip.formats.openers.base import Opener
from nzip.formats.openers.deflate.torn import Part
from nzip.formats.openers.plan import DEEPEST
from nzip.registry import OPENERS
from nzip.settings import Room

DEPTH = DEEPEST - 1
SAMPLED = frozenset(("image", "audio", "nucleotides", "sequenced"))  # kinds


class Share(IntEnum):
    """Kinds of bytes that take room of their own, as `Room` has it."""

    OTHERS, DRAWN, SAMPLES = range(3)


class Leaf(NamedTuple):
    """Bytes that stay as they are; `segment` says what they hold where their container does."""

    data: bytes
    segment: Segment | None = None

    @property
    def share(self) -> Share:
        """What room the bytes take."""
        segment = self.segment
        if segment is None or segment.kind not in SAMPLED:
            return Share.OTHERS
        drawn = segment.indexed or (segment.kind == "image" and segment.real)
        return Share.DRAWN if drawn else Share.SAMPLES


class Branch(NamedTuple):
    """A stretch of `size` bytes that `opener` makes of the bytes of its children and a recipe."""

    opener: Opener
    recipe: bytes
    size: int
    children: tuple[Leaf | Branch, ...]


Tree = tuple[Leaf | Branch, ...]


def grow(block: bytes, room: Room, parts: Sequence[Part] = (), begun: Begun = ()) -> Tree:
    """Return what `block` is made of; one leaf without a segment where nothing is found in it.

    Args:
        block: the bytes.
        room: what may come out of containers; where that is nothing, only a file of weights is taken apart.
        parts: those of longer streams that lie in the rest, in order; places count from its start.
        begun: what the bytes begin with (`nzip.formats.content.continued`).
    """
    budget = budget_of(len(block))
    grower = _Grower(room, budget)
    tree, start = list[Leaf | Branch](), 0
    for segment in first(begun, len(block)):
        held = block[start : start + segment.length]
        whole = [Found(0, len(held), segment=segment)] if segment.stride else []
        tree += grower.content(held, grids.again(held, 0, segment) or whole, 0)
        start += len(held)
    rest = block[start:]
    if rest or not tree:
        if not room.total:
            found: Iterable[Found] = weights.find(rest, 0, budget)
        else:
            found = _found(rest, parts, budget) if parts else find(rest, budget)
        tree += grower.content(rest, found, 0)
    return tuple(tree)


def _found(block: bytes, parts: Sequence[Part], budget: Budget) -> Iterator[Found]:
    """Yield the parts, and what is found around them."""
    at = 0
    for start, stop, part in [*((part.start, part.stop, part) for part in parts), (len(block), len(block), None)]:
        for each in find(block[at:start], budget):
            yield each._replace(start=at + each.start, stop=at + each.stop)
        if part is not None:
            yield Found(start, stop, "torn", {"part": part})
        at = stop


def leaves(tree: Tree) -> Iterator[Leaf]:
    """Yield the leaves of a tree in order."""
    for node in tree:
        if isinstance(node, Leaf):
            yield node
        else:
            yield from leaves(node.children)


class _Grower:
    """Opens what is found, as far as there is room.

    What does not fit in the end is opened in vain, at any depth, and what it holds is then opened by itself: that ends
    when as much as there is room for came out in vain too.
    """

    def __init__(self, room: Room, budget: Budget):
        self._left, self._budget = room, budget
        self._work = 3 * room.total  # bytes that may still come out, also in vain

    def content(self, data: bytes, found: Iterable[Found], depth: int) -> Tree:
        nodes: list[Leaf | Branch] = []
        at = 0
        for each in list(found):  # the search ends before another one begins
            if not at <= each.start < each.stop <= len(data):
                continue  # a finder's fault costs size only
            grown = self._grown(data, each, depth)
            if grown:
                if at < each.start:
                    nodes.append(Leaf(data[at : each.start]))
                nodes += grown
                at = each.stop
        if at < len(data) or not nodes:
            nodes.append(Leaf(data[at:]))
        return tuple(nodes)

    def _grown(self, data: bytes, found: Found, depth: int) -> Tree:
        """Return the nodes for a stretch; none where it is not worth it."""
        coded = data[found.start : found.stop]
        if not found.opener:
            return (Leaf(coded, judged(coded, found.segment) if found.segment else None),)
        if depth < DEPTH and found.opener in OPENERS:
            before = self._left
            branch = self._opened(coded, found, depth)
            if branch is not None:
                return (branch,)
            self._left = before
        if found.otherwise is None:
            return ()
        return self.content(coded, found.otherwise(coded), depth)

    def _opened(self, coded: bytes, found: Found, depth: int) -> Branch | None:
        """Return the branch of a stretch; None where it stays closed, or takes more room than there is."""
        opener: Opener = OPENERS.by_name(found.opener)
        most = min(self._left.total, self._work)  # what of the inner bytes is opened further takes no room
        try:
            opened = opener.open(coded, most, **found.hints)
        except MemoryError:
            raise
        except Exception:
            return None  # an opener's fault costs size only
        if opened is None or len(opened.inner) > most:
            return None
        self._work -= len(opened.inner)
        inside = find(opened.inner, self._budget) if found.inside is None else found.inside(opened.inner)
        children = self.content(opened.inner, inside, depth + 1) if opened.inner else ()
        sizes = [0, 0, 0]
        for child in children:
            if isinstance(child, Leaf):
                sizes[child.share] += len(child.data)
        total, others, apart = self._left
        drawn = min(sizes[Share.DRAWN], apart)
        others -= sizes[Share.OTHERS] + sizes[Share.DRAWN] - drawn
        left = Room(total - sum(sizes), others, apart - drawn)
        if min(left) < 0:
            return None
        self._left = left
        return Branch(opener, opened.recipe, len(coded), children)
