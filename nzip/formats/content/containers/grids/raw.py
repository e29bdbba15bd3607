"""Fields in bytes of which nothing is known: arrays that programs write without a header, and chunks of Zarr arrays.

A number of a field is foretold by those before it and above it better than by one of them alone, and far better than by
what lies elsewhere in the row above. The numbers' form and the length of a row that show this most are taken. Only
integers are compared, so every machine finds the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.grids.fields import LEAST_SIDE, Array, fields
from nzip.formats.content.containers.streams import Budget
from nzip.formats.openers import lattice
from nzip.process import imported

LEAST = 1 << 12  # bytes
LEAST_COLUMNS = 32  # fewer are what tables have
LONGEST = 1 << 13  # numbers of a row
LOOKED = 1 << 10  # numbers that are looked at for each length of a row
REALS = 1 << 16  # floating point numbers of which integers are sought
USUAL = 100  # is the exponent of 2 below, of most floating point numbers
SCALE = 16  # parts of a bit
SMOOTH = 5 * SCALE // 2  # what the number before must save, a number,
ABOVE = SCALE // 4  # and the one above beyond that
FAR = 12345  # numbers back is what has nothing to do with this one
FORMS = (("|u1", False), ("<i2", False), (">i2", False), ("<f4", True), (">f4", True), ("<f8", True), (">f8", True))


class Shape(NamedTuple):
    """What numbers show: bits (in parts) that one takes, by those before and above it, and numbers of a row."""

    cost: int
    columns: int


def between(data: bytes, found: Iterable[Found], starts: Iterable[int], budget: Budget) -> Iterator[Found]:
    """Yield what was found, and fields where nothing was.

    Args:
        data: what was searched.
        found: what was found, in order.
        starts: where files begin, in order.
        budget: what may be spent.
    """
    borders, at = list(starts), 0
    for each in (*found, None):
        stop = each.start if each else len(data)
        inner = borders[bisect_right(borders, at) : bisect_left(borders, stop)]
        for begin, end in zip([at, *inner], [*inner, stop], strict=True):
            if end - begin >= LEAST and budget.walk(2 * LEAST):
                yield from find(data, begin, end, budget)
        if each:
            yield each
            at = each.stop


def find(data: bytes, start: int, stop: int, budget: Budget) -> list[Found]:
    """Return the fields that the bytes from `start` to `stop` are."""
    imported("numpy")
    import numpy as np

    best: tuple[int, Array] | None = None
    for form, real in FORMS:
        width = int(form[2])
        numbers: Any = np.frombuffer(data, form, (stop - start) // width, start)
        if real:
            numbers = lattice.integers(numbers[:REALS].astype(f"f{width}")) if _usual(numbers) else None
        if numbers is None or len(numbers) < 2 * LOOKED or not _smooth(numbers):
            continue
        if not budget.walk(LONGEST << 8):
            break
        shape = _shape(numbers)
        if shape is not None and (best is None or shape.cost // width < best[0]):
            rows = (stop - start) // (width * shape.columns)
            best = shape.cost // width, Array(start, width, (rows, shape.columns), form[0] == ">", real)
    return fields(data, best[1]) if best else []


def _usual(numbers: Any) -> bool:
    """Return whether most floating point numbers are about as large as measurements are."""
    import numpy as np

    sample = numbers[:: max(1, len(numbers) // LOOKED)]
    size = len(sample)
    sample = sample[np.isfinite(sample)].astype(np.float64)
    usual = np.abs(np.frexp(sample)[1]) < USUAL
    return 8 * int(usual.sum()) >= 7 * size


def _bits(numbers: Any) -> Any:
    """Return how many bits the values of integers take, of each."""
    import numpy as np

    return np.frexp(np.abs(numbers).astype(np.float64))[1]


def _smooth(numbers: Any) -> bool:
    """Return whether a number is far nearer to the one before it than to others."""
    import numpy as np

    places = _places(len(numbers), min(FAR, len(numbers) // 2))
    here = numbers[places].astype(np.int64)
    near = int(_bits(here - numbers[places - 1]).sum())
    other = int(_bits(here - numbers[places - min(FAR, len(numbers) // 2)]).sum())
    return SCALE * (other - near) >= SMOOTH * len(places)


def _places(count: int, reach: int) -> Any:
    """Return places of numbers, behind the first `reach`, spread over all."""
    import numpy as np

    return reach + np.arange(LOOKED, dtype=np.int64) * (count - reach - 1) // LOOKED


def _shape(numbers: Any) -> Shape | None:
    """Return the length of a row of `numbers`, if they are a field."""
    import numpy as np

    longest = min(LONGEST, len(numbers) // LEAST_SIDE)
    if longest < LEAST_COLUMNS:
        return None
    values = numbers.astype(np.int64)
    places = _places(len(values), longest * 5 // 4 + 2)
    here = values[places]
    costs = np.full(longest + 1, 1 << 40, np.int64)
    for columns in range(LEAST_COLUMNS, longest + 1):
        costs[columns] = _bits(here - values[places - columns]).sum()
    order = np.argsort(costs, kind="stable")[:8]
    places = (places | 1) + 1 - np.arange(LOOKED) % 2  # others than those that chose, odd and even in turn
    here, west, before = values[places], values[places - 1], values[places - 2]
    alone = min(int(_bits(here - guess).sum()) for guess in (west, 2 * west - before))
    best: Shape | None = None
    for columns in sorted(order.tolist()):
        north, corner = values[places - columns], values[places - columns - 1]
        guesses = (west + north) >> 1, west + north - corner, (3 * west - before + north - corner) >> 1
        cost = min(int(_bits(here - guess).sum()) for guess in guesses)
        upright = int(_bits(here - north).sum())
        beside = min(int(_bits(here - values[places - other]).sum()) for other in (columns * 3 // 4, columns * 5 // 4))
        turns = [int(_bits(here - guesses[0])[k::2].sum()) for k in (0, 1)]
        if 2 * abs(turns[0] - turns[1]) > max(LOOKED, turns[0] + turns[1] >> 1):
            continue  # halves of longer numbers
        clear = ABOVE * LOOKED // SCALE
        rows = upright + LOOKED <= beside
        if rows and cost <= alone and cost + clear <= upright and (best is None or SCALE * cost // LOOKED < best.cost):
            best = Shape(SCALE * cost // LOOKED, columns)
    return best
