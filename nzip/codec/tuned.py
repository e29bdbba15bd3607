"""Weights that an old file, which both sides have, holds with other values: a network that was trained further.

Each tensor of the new file is looked for in the old one: by its name where the format has names, else by its kind and
place in the order. The engine of tensors then codes how far its values are from the old ones. Nothing is copied within
tensors, so that they stay whole.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from nzip.codec.coding import Coding
from nzip.codec.like import Old, finished
from nzip.formats.container.copies import Copy
from nzip.formats.content.containers.search import budget_of
from nzip.formats.content.containers.tensors import files
from nzip.formats.content.containers.tensors.tensor import Tensor
from nzip.formats.content.kinds import Content, Segment
from nzip.formats.repeats.beside import WHOLE
from nzip.models.base import Beside, Engine
from nzip.process import imported
from nzip.registry import ENGINES

LOOKED = 1 << 25  # bytes of the old file in which its headers are looked for


class Alike(NamedTuple):
    """A tensor, or a part of one.

    Attributes:
        start, stop: where it lies in the content, or in a block of it.
        base: where what it resembles begins in the old file; -1 for nothing.
        segment: what it holds.
    """

    start: int
    stop: int
    base: int
    segment: Segment


def alike(begin: bytes, old: Old) -> list[Alike]:
    """Return the tensors of the file of weights that a content is, in order; none if nothing of it stands beside any of
    the old file. `begin` is the content's first block."""
    new = files.tensors(begin, 0, budget_of(len(begin)))
    if not new:
        return []
    head = old.read(0, min(len(old), LOOKED))
    there = [each for each in files.tensors(head, 0, budget_of(len(head))) if each.stop <= len(old)]
    named = {each.name: each for each in there if each.name}
    found: dict[int, Tensor] = {}
    for number, each in enumerate(new):
        other = named.get(each.name)
        if other is not None and _kind(other) == _kind(each):
            found[number] = other
    taken = {each.start for each in found.values()}
    rest: dict[tuple[object, ...], deque[Tensor]] = defaultdict(deque)
    for each in there:
        if each.start not in taken:
            rest[_kind(each)].append(each)
    for number, each in enumerate(new):
        if number not in found and rest[_kind(each)]:
            found[number] = rest[_kind(each)].popleft()
    if not found:
        return []
    return [
        Alike(each.start, each.stop, found[number].start if number in found else -1, each.segment)
        for number, each in enumerate(new)
    ]


def _kind(tensor: Tensor) -> tuple[object, ...]:
    """Return what a tensor has in common with one that it can stand beside."""
    return tensor.stop - tensor.start, tensor.width, tensor.exponent, tensor.row, tensor.big


def same(tensors: Sequence[Alike], block: bytes, old: Old) -> bool:
    """Return whether all tensors of a block are the same in the old file: copies say that in fewer bytes."""
    return all(
        each.base >= 0 and old.read(each.base, each.base + each.segment.length) == block[each.start : each.stop]
        for each in tensors
    )


def within(tensors: Sequence[Alike], start: int, stop: int) -> list[Alike]:
    """Return what the bytes from `start` to `stop` of a content have of tensors, counted from `start` on."""
    found = list[Alike]()
    for first, last, base, segment in tensors:
        low, high = max(first, start), min(last, stop)
        if low >= high:
            continue
        gone = low - first
        offset = -gone % (segment.row or segment.width)
        part = replace(segment, length=high - low, offset=min(offset, high - low))
        found.append(Alike(low - start, high - start, base + gone if base >= 0 else -1, part))
    return found


def encode_tuned(
    literals: bytes,
    coding: Coding,
    old: Old,
    tensors: Sequence[Alike],
    copies: Sequence[Copy],
    packed: bytes,
    raw_size: int,
) -> bytes | None:
    """Return the chunk of a block of weights beside older ones; None where that is no use.

    Args:
        literals, packed, raw_size: as for `encode_copied`.
        old: the file.
        tensors: of the block, places counted in its content; no copy lies in one.
        copies: what `packed` says.
    """
    beside = sum(each.stop - each.start for each in tensors if each.base >= 0)
    choice = next(((name, params) for name, params in coding.engines if ENGINES.by_name(name).refers), None)
    if choice is None or 2 * beside < len(literals):
        return None
    engine: Engine = ENGINES.by_name(choice[0])
    segments, bases, at = list[Segment](), list[int](), 0
    copied, following = 0, deque(copies)  # bytes of content before a place that are copied
    for each in tensors:
        while following and following[0].place + copied <= each.start:
            copied += following.popleft().length
        start = each.start - copied
        if at < start:
            segments.append(Segment("weights", start - at, width=1))
            bases.append(-1)
        segments.append(each.segment)
        bases.append(each.base)
        at = start + each.segment.length
    if at < len(literals):
        segments.append(Segment("weights", len(literals) - at, width=1))
        bases.append(-1)
    content = Content(tuple(segments))
    if content.size != len(literals) or not engine.accepts(content):
        return None
    imported("numpy", *engine.imports)
    size = 2 * len(literals)
    fitted = engine.fit(choice[1], size)
    payload = engine.encode_beside(literals, fitted, content, Beside(file=old.data, bases=bases))
    memory, read = engine.memory(fitted, size), (WHOLE, len(literals))
    return finished(literals, engine, fitted, memory, payload, packed, raw_size, beside=read)
