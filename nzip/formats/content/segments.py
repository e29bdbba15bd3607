"""Where in a block another kind of content begins."""

from __future__ import annotations

from typing import NamedTuple

from nzip.formats.content.kinds import Segment


class Stretch(NamedTuple):
    """Bytes `start` up to `stop` of a block, which are taken to be of one kind.

    Attributes:
        skipped: bytes at its beginning that only announce it, such as a member's header in an archive.
    """

    start: int
    stop: int
    skipped: int = 0


def stretches(block: bytes, whole: Segment) -> list[Stretch]:
    """Return the stretches of `block`, in order; one where all of it is alike.

    Args:
        block: the bytes.
        whole: what they look like together.
    """
    return [Stretch(0, len(block))]
