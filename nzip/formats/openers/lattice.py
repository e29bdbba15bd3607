"""Opener `lattice`: floating point numbers that are integers times a step become those integers again.

Measurements and model output are packed as small integers, and programs write them unpacked: value = k * step + offset,
rounded. A step that gives every number back to the bit is found here. Numbers that are none of it, as NaN and fill
values are, become masks. docs/reference/OPENERS.md defines the recipe to the bit.

Only single operations of IEEE 754 binary64 and binary32 with rounding to nearest are used, each in an array of its own,
so that every machine gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.process import imported

DIVIDED, SCALED, SINGLE = range(3)  # k / step; k * step + offset; the same in binary32
MOST = 1 << 16  # integers between the least and the greatest
MOST_MASKS = 2
LARGEST = 1 << 53  # of an integer that is divided or scaled, which binary64 holds exactly
ROUNDS = 60  # of a search for a slope
PARTS = 64  # of distances, in which a step is corrected
DIGITS = 9  # decimal places that are tried
SHORTEST = 1 << 12  # distances that a common step is sought of
APART = 8  # times the range of all others that a fill value lies away from them
LONGEST_RECIPE = 64  # bytes
SAMPLE = 1 << 14  # numbers that are tried before all are
PIECE = 1 << 15  # numbers that are made at a time
WORKING = 1 << 21


class Grid(NamedTuple):
    """How integers become numbers.

    Attributes:
        form: `DIVIDED`, `SCALED` or `SINGLE`.
        step, offset: numbers of binary64; of binary32 with `SINGLE`.
        base: the integer that is stored as 0.
    """

    form: int
    step: float
    offset: float
    base: int

    def numbers(self, stored: Any, kind: Any) -> Any:
        """Return the numbers, of dtype `kind`, that `stored` integers (int64) stand for."""
        import numpy as np

        with np.errstate(all="ignore"):
            whole = (stored + self.base).astype(np.float64)
            if self.form == DIVIDED:
                return (whole / np.float64(self.step)).astype(kind)
            if self.form == SCALED:
                return (whole * np.float64(self.step) + np.float64(self.offset)).astype(kind)
            scaled = whole.astype(np.float32) * np.float32(self.step)
            return (scaled + np.float32(self.offset)).astype(kind)


class _Found(NamedTuple):
    """Numbers on a grid.

    Attributes:
        grid: it.
        cells: the integer of each number (int64); the last one before where it is masked.
        patterns: the bits of the numbers that are different.
        where: which of these each number is.
        odd: which of these are masked.
    """

    grid: Grid
    cells: Any
    patterns: Any
    where: Any
    odd: Any


class LatticeOpener(Opener):
    """Finds the integers behind floating point numbers."""

    name = "lattice"
    id = 33
    version = 1

    def open(
        self, coded: bytes, most: int, *, width: int = 4, columns: int = 1, big: bool = False, **hints: Any
    ) -> Opened | None:  # fmt: skip
        """Return masks, then integers.

        Args:
            coded: the numbers.
            most: bytes that `inner` may have.
            width: bytes of a number: 4 or 8.
            columns: numbers of a row; masks have their rows.
            big: whether numbers begin with their highest byte.
            hints: what others take.
        """
        count = len(coded) // width
        if width not in (4, 8) or len(coded) % width or not count or columns < 1 or count % columns:
            return None
        imported("numpy")
        import numpy as np

        numbers = np.frombuffer(coded, f"{'>' if big else '<'}f{width}").astype(f"f{width}")
        if count > SAMPLE and not _promising(numbers[:SAMPLE]):
            return None
        found = _found(numbers, min(MOST + MOST_MASKS, 3 * count // 4))
        if found is None:
            return None
        grid, cells, patterns, where, odd = found
        odds = np.flatnonzero(odd)
        size = 1 if cells.max() < 256 else 2
        head = bytes((big | (width == 8) << 1 | grid.form << 2 | (size - 1) << 4 | len(odds) << 5,))
        recipe = head + uleb(columns) + _packed(grid) + patterns[odd].astype(f"<u{width}").tobytes()
        masks = [np.packbits((where == number).reshape(-1, columns), axis=1).tobytes() for number in odds]
        inner = b"".join((*masks, cells.astype(f"<u{size}").tobytes()))
        return self.tried(inner, recipe, coded) if len(inner) <= most else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        import numpy as np

        reader = Reader(recipe)
        head, columns = reader.u8(), reader.uleb()
        width, form, stored, masks = 4 << (head >> 1 & 1), head >> 2 & 3, 1 + (head >> 4 & 1), head >> 5
        count = size // width
        if form > SINGLE or masks > MOST_MASKS or size % width or not columns or not count or count % columns:
            raise CorruptError("a recipe of a lattice does not fit its bytes")
        grid = _unpacked(reader, form)
        patterns = np.frombuffer(reader.bytes(masks * width), f"<u{width}")
        across = (columns + 7) // 8
        held = count // columns * across
        if reader.left() or len(inner) != masks * held + count * stored:
            raise CorruptError("a recipe of a lattice does not fit its bytes")
        cells = np.frombuffer(inner, f"<u{stored}", count, masks * held)
        bits = np.empty(count, f"u{width}")
        for start in range(0, count, PIECE):
            made = grid.numbers(cells[start : start + PIECE].astype(np.int64), f"f{width}")
            bits[start : start + PIECE] = made.view(bits.dtype)
        for k in range(masks):
            rows = np.frombuffer(inner, np.uint8, held, k * held).reshape(-1, across)
            bits[np.unpackbits(rows, axis=1, count=columns).ravel() > 0] = patterns[k]
        return bytes(bits.astype(f"{'>' if head & 1 else '<'}u{width}").tobytes())

    def longest_recipe(self, size: int) -> int:
        return LONGEST_RECIPE

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 4 * size


def masks_of(inner: int, count: int, columns: int) -> tuple[int, int, int]:
    """Return how many masks `inner` bytes of `count` numbers begin with, the bytes of each, and those of an integer."""
    held = count // columns * ((columns + 7) // 8)
    for masks in range(MOST_MASKS + 1):
        for width in (1, 2):
            if inner == masks * held + count * width:
                return masks, held, width
    return 0, 0, 1


def _promising(numbers: Any) -> bool:
    """Return whether the first numbers of many may lie on a grid."""
    import numpy as np

    values = np.unique(numbers.view(f"u{numbers.itemsize}")).view(numbers.dtype)
    return 10 * len(values) <= 9 * len(numbers) and (bool(_odd(values).all()) or integers(numbers) is not None)


def integers(numbers: Any) -> Any:
    """Return the integers (int64) that floating point numbers on a grid are, with the last one before where a number is
    masked; None where they lie on none."""
    found = _found(numbers, 9 * len(numbers) // 10)
    return None if found is None else found.cells


def _found(numbers: Any, most: int) -> _Found | None:
    """Return the grid that numbers lie on, if at most `most` of them are different."""
    import numpy as np

    patterns, where = np.unique(numbers.view(f"u{numbers.itemsize}"), return_inverse=True)
    if len(patterns) > most:
        return None
    values = patterns.view(numbers.dtype)
    odd = _odd(values)
    if odd.sum() > MOST_MASKS or odd.all():
        return None
    found = _grid(values[~odd])
    if found is None:
        return None
    grid, integers = found
    stored = np.zeros(len(patterns), np.int64)
    stored[~odd] = integers
    return _Found(grid, _filled(stored[where], odd[where]), patterns, where, odd)


def _odd(values: Any) -> Any:
    """Return which of the different numbers are no numbers, or far from all others: NaN, infinities, fill values."""
    import numpy as np

    odd = ~np.isfinite(values) | ((values == 0) & np.signbit(values))
    order = np.argsort(np.where(odd, np.inf, values))[: int((~odd).sum())]
    for _ in range(MOST_MASKS):
        if len(order) < 3 or odd.sum() >= MOST_MASKS:
            break
        least, second, behind, most = (float(values[order[k]]) for k in (0, 1, -2, -1))
        if most - behind > APART * (behind - least):
            odd[order[-1]], order = True, order[:-1]
        elif second - least > APART * (most - second):
            odd[order[0]], order = True, order[1:]
        else:
            break
    return odd


def _grid(values: Any) -> tuple[Grid, Any] | None:
    """Return the grid that all `values`, which are different, lie on, and their integers from 0 on."""
    import numpy as np

    exact = values.astype(np.float64)
    for grid, whole in _candidates(exact, values.dtype):
        if not np.isfinite(whole).all() or np.abs(whole).max() >= LARGEST:
            continue
        integers = whole.astype(np.int64)
        base = int(integers.min())
        integers -= base
        if integers.max() >= MOST:
            continue
        grid = grid._replace(base=grid.base + base)
        if grid.numbers(integers, values.dtype).tobytes() == values.tobytes():
            return grid, integers
    return None


def _candidates(exact: Any, kind: Any) -> Iterator[tuple[Grid, Any]]:
    """Yield grids that may be, with base 0, and the integers of all numbers."""
    import numpy as np

    with np.errstate(all="ignore"):
        for digits in range(DIGITS + 1):
            yield Grid(DIVIDED, 10.0**digits, 0.0, 0), np.rint(exact * 10.0**digits)
        power = _power(exact)
        yield Grid(SCALED, power, 0.0, 0), np.rint(exact / power)
        ordered = np.sort(exact)
        if len(ordered) < 3:
            return
        near = np.sort(np.diff(ordered))
        least = _step(ordered, near, float(near[0]))
        common = _common(near, 2 * float(np.spacing(np.abs(exact).max().astype(kind))))
        for step in (least, least / 2, least / 3, _step(ordered, near, common) if common else 0.0):
            whole = np.rint((exact - ordered[0]) / step)
            if not np.isfinite(whole).all() or not 1 <= whole.max() < MOST:
                continue
            slope, middle = _line(whole, exact, np.spacing(np.abs(exact).astype(kind)).astype(np.float64) / 2)
            yield Grid(SCALED, slope, middle, 0), whole
            slopes = slope, float(np.float32(slope)), *(_shortened(slope, digits) for digits in range(3, 9))
            for fitted in dict.fromkeys(slopes):
                yield Grid(SCALED, fitted, 0.0, 0), np.rint(exact / fitted)
                starts = float(ordered[0]), middle, _shortened(middle, 6)
                for start in dict.fromkeys(starts):
                    yield Grid(SCALED, fitted, start, 0), whole
                    if kind.itemsize == 4:
                        yield Grid(SINGLE, float(np.float32(fitted)), float(np.float32(start)), 0), whole


def _line(whole: Any, exact: Any, near: Any) -> tuple[float, float]:
    """Return the slope and the offset of the line that all numbers, at places `whole`, lie no further than `near` from,
    with as much room as there is; the room for the offset is concave in the slope."""
    import numpy as np

    def room(slope: float) -> tuple[float, float]:
        left = exact - whole * slope
        return float((left - near).max()), float((left + near).min())

    middle = float((exact * whole).sum() - exact.mean() * whole.sum())
    middle /= float((whole * whole).sum() - whole.mean() * whole.sum())
    reach = 4 * float(near.max()) / float(whole.max())
    low, high = middle - reach, middle + reach
    for _ in range(ROUNDS):
        first, second = low + (high - low) / 3, high - (high - low) / 3
        (a, b), (c, d) = room(first), room(second)
        if b - a < d - c:
            low = first
        else:
            high = second
    slope = (low + high) / 2
    return slope, float(np.mean(room(slope)))


def _shortened(number: float, digits: int) -> float:
    return float(f"{number:.{digits}g}")


def _power(exact: Any) -> float:
    """Return the greatest power of two that all numbers are multiples of."""
    import numpy as np

    parts, exponents = np.frexp(exact[exact != 0])
    if not len(parts):
        return 1.0
    whole = (parts * 2.0**53).astype(np.int64)
    low = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
    return float(2.0 ** max(-1000, int((exponents - 53 + low).min())))


def _common(near: Any, error: float) -> float:
    """Return the step that distances in order have in common, by Euclid's algorithm for what is known to `error`; 0 for
    none, or where it is the shortest distance."""
    step = float(near[0])
    for longer in near[1:SHORTEST].tolist():
        if not longer < LARGEST * step:
            return 0.0
        while abs(longer - round(longer / step) * step) > error * (1 + longer / step):
            longer, step = step, abs(longer - round(longer / step) * step)
            if step < 4 * error:
                return 0.0
    return step if step < float(near[0]) else 0.0


def _step(ordered: Any, near: Any, start: float) -> float:
    """Return the step between numbers in order, if they lie on a grid: about `start`, corrected by all distances of
    neighbours `near`, from the shortest on, and by all that begin with the first number."""
    import numpy as np

    step, steps, far = start, 0.0, 0.0
    for some in np.array_split(near, min(len(near), PARTS)):
        steps += float(np.rint(some / step).sum())
        far += float(some.sum())
        step = far / max(1.0, steps)
    behind = [len(ordered) >> shift for shift in range(len(ordered).bit_length() - 1, 0, -1)]
    for distance in (ordered[[*behind, -1]] - ordered[0]).tolist():
        if not 0 < step < distance + step < np.inf:
            return 0.0
        step = distance / max(1.0, float(np.rint(distance / step)))
    return step


def _filled(cells: Any, masked: Any) -> Any:
    """Return integers in which masked ones are the last that is not."""
    import numpy as np

    places = np.where(masked, -1, np.arange(len(cells)))
    places = np.maximum.accumulate(places)
    return np.where(places >= 0, cells[np.maximum(places, 0)], 0)


def _packed(grid: Grid) -> bytes:
    import numpy as np

    base = uleb(grid.base << 1 if grid.base >= 0 else (-grid.base << 1) - 1)
    return np.array((grid.step, grid.offset), "<f8").tobytes() + base


def _unpacked(reader: Reader, form: int) -> Grid:
    import numpy as np

    step, offset = np.frombuffer(reader.bytes(16), "<f8").tolist()
    code = reader.uleb()
    base = -(code + 1 >> 1) if code & 1 else code >> 1
    with np.errstate(over="ignore"):
        kept = np.isfinite(np.array((step, offset), np.float32 if form == SINGLE else np.float64)).all()
    if not kept or abs(base) > LARGEST or (form == DIVIDED and step == 0):
        raise CorruptError("a recipe of a lattice has no numbers that can be used")
    return Grid(form, step, offset, base)
