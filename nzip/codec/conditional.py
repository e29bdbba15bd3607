"""What a block costs after other bytes were read: conditional compression, for distances and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nzip.models.conditional import Conditional
from nzip.registry import ENGINES
from nzip.settings import DEFAULT_LEVEL, Settings, resolve

MOST = 1 << 16


def conditional(
    data: bytes,
    level: int | Settings = DEFAULT_LEVEL,
    *,
    engine: str | None = None,
    params: Mapping[str, Any] | Sequence[str] | None = None,
    most: int = MOST,
) -> Conditional:
    """Return an engine that has read `data`; its method `bits` says what a block costs after that.

    This is C(block | data) of compression distances, nearer to it than C(data block) - C(data) of whole files: no
    header is paid, no window forgets `data`, and `data` is read once for any number of blocks. Engines `cm` and
    `cmfast` give costs to a fraction of a bit, which their methods `encode` and `decode` reach; every other engine
    codes `data` and the block anew each time, and the difference of sizes is taken.

    Args:
        data: what is read first; may be empty.
        level, engine, params: as for `Compressor`; of several engines the last counts, which codes any content.
        most: bytes of the largest block that is to come: tables are made for so many. Larger ones are coded as well,
            and cost a little more.

    Raises:
        ValueError: level, engine or a parameter is unknown or out of range.
    """
    name, chosen = resolve(level, engine=engine, params=params).engines[-1]
    after: Conditional = ENGINES.by_name(name).conditional(bytes(data), chosen, most)
    return after
