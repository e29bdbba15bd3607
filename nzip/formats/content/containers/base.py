"""What finders of containers return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nzip.formats.content.kinds import Segment


class Found(NamedTuple):
    """A stretch of the searched bytes that is more than bytes.

    Attributes:
        start, stop: where it lies.
        opener: the name of what may open it; empty for a leaf, which stays as it is.
        hints: for the opener.
        segment: of a leaf: what it holds; `segment.length` is `stop - start`.
        inside: finds what the inner bytes hold; None for the usual search.
        otherwise: finds what the stretch itself holds where it is not opened (places count from `start`); None where
            it stays as it is.
    """

    start: int
    stop: int
    opener: str = ""
    hints: Mapping[str, Any] = MappingProxyType({})
    segment: Segment | None = None
    inside: Callable[[bytes], Iterable[Found]] | None = None
    otherwise: Callable[[bytes], Iterable[Found]] | None = None
