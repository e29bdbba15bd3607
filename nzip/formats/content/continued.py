"""What goes on over the end of a block: samples and pixels of a file that is larger than one.

Blocks are coded alone, and only the first block of a file has its header. So whoever cuts blocks remembers what that
header said of what follows; the reader needs none of it.
"""

from __future__ import annotations

from dataclasses import replace

from nzip.formats.content import headers
from nzip.formats.content.kinds import Segment
from nzip.formats.content.segments import PAGE, members

KINDS = frozenset(("audio", "image"))
ENDLESS = 1 << 62  # bytes of a file of which the rest is not here


def behind(block: bytes, begun: Segment | None) -> Segment | None:
    """Return what the bytes behind a block go on with: a segment with the bytes that are left; None where a file, or
    nothing known, begins there.

    Args:
        block: the bytes.
        begun: the same of the bytes before the block.
    """
    size = len(block)
    if begun is not None and begun.length > size:
        return _moved(begun, size)
    start, stop = begun.length if begun else 0, ENDLESS
    for member in members(block):
        start, stop = member.start + PAGE, member.stop
    header = headers.parse(block[start : start + headers.HEAD], ENDLESS)
    if header is None or header.kind not in KINDS or not header.stride or start + header.offset > size:
        return None
    end = min(start + header.length, stop)
    return replace(_moved(header, size - start), length=end - size) if end > size else None


def _moved(segment: Segment, by: int) -> Segment:
    """Return a segment without its first bytes, of which the last are samples."""
    unit = segment.row if segment.kind == "image" else segment.stride
    return replace(segment, length=segment.length - by, offset=(segment.offset - by) % max(1, unit))
