"""What goes on over the end of a block: samples, pixels and tensors of a file that is larger than one.

Blocks are coded alone, and only the first block of a file has its header. So whoever cuts blocks remembers what that
header said of what follows; the reader needs none of it.
"""

from __future__ import annotations

from dataclasses import replace

from nzip.formats.content import headers
from nzip.formats.content.containers.grids import files as grids
from nzip.formats.content.containers.tensors import files as weights
from nzip.formats.content.kinds import Segment
from nzip.formats.content.segments import PAGE, members

KINDS = frozenset(("audio", "image"))
ENDLESS = 1 << 62  # bytes of a file of which the rest is not here

Begun = tuple[Segment, ...]  # what the bytes behind a block go on with, in order; `binary` for what is not known


def behind(block: bytes, begun: Begun = ()) -> Begun:
    """Return what the bytes behind a block go on with, as far as that is known; nothing where a file begins there.

    Args:
        block: the bytes.
        begun: the same of the bytes before the block.
    """
    size = len(block)
    held = sum(segment.length for segment in begun)
    if held > size:
        return _rest(begun, size)
    start, stop = held, ENDLESS
    for member in members(block):
        start, stop = member.start + PAGE, member.stop
    known = grids.behind(block, start, size) or weights.behind(block, start, size)
    if known:
        return tuple(known)
    header = headers.parse(block[start : start + headers.HEAD], ENDLESS)
    if header is None or header.kind not in KINDS or not header.stride or start + header.offset > size:
        return ()
    end = min(start + header.length, stop)
    return (replace(_moved(header, size - start), length=end - size),) if end > size else ()


def first(begun: Begun, size: int) -> Begun:
    """Return the first `size` bytes, or what there is of them."""
    found = list[Segment]()
    for segment in begun:
        if size > 0:
            found.append(replace(segment, length=min(size, segment.length)))
        size -= segment.length
    return tuple(found)


def _rest(begun: Begun, by: int) -> Begun:
    """Return what is left without the first `by` bytes."""
    for number, segment in enumerate(begun):
        if segment.length > by:
            return ((_moved(segment, by) if by else segment), *begun[number + 1 :])
        by -= segment.length
    return ()


def _moved(segment: Segment, by: int) -> Segment:
    """Return a segment without its first bytes, of which the last are samples."""
    unit = segment.stride if segment.kind == "audio" else segment.row or segment.stride
    return replace(segment, length=segment.length - by, offset=(segment.offset - by) % max(1, unit))
