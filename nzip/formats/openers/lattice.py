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

DIVIDED, SCALED, SINGLE = range(3)  # k / step + offset; k * step + offset; the same in binary32
MOST, NARROW = 1 << 31, 1 << 16  # integers between the least and the greatest; fewer may be as near as numbers can be
COARSE, COARSER = 4, 64  # times the distance of neighbouring numbers that a step of more has; and where bits differ
MOST_MASKS = 2
LARGEST = 1 << 53  # of an integer that is divided or scaled, which binary64 holds exactly
WRONG = 2  # one in so many different numbers may differ from its grid by a few bits
MOST_OFF = 127  # units of the last place that it may differ by
ROUNDS = 60  # of a search for a slope
PARTS = 64  # of distances, in which a step is corrected
DIGITS, LONGEST = 9, 12  # decimal places that are tried, of a step and of an offset
ENDS = 9  # digits of a step that programs are given
SHORTEST = 1 << 12  # distances that a common step is sought of
APART = 8  # times the range of all others that a fill value lies away from them
LONGEST_RECIPE = 64  # bytes
SAMPLE = 1 << 14  # numbers that are tried before all are
LEAST_COLUMNS = 8  # of fields; rows of fewer numbers are those of a signal
LOOKED, TESTED = 1 << 8, 1 << 12  # different numbers that a grid is tried on; those that offsets are
FARTHEST, OFFSETS = 1 << 16, 1 << 21  # integers from the nearest number to 0 at most; offsets that are tried
ROUNDED = 1 << 10  # times as far as numbers are apart that rounding may put the last one of a line
REFINED = 3
SPREAD = 40503  # odd
KEPT, WORK = 2, 1 << 24  # offsets that are left for all numbers; numbers that are made to find them
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
                return (whole / np.float64(self.step) + np.float64(self.offset)).astype(kind)
            if self.form == SCALED:
                return (whole * np.float64(self.step) + np.float64(self.offset)).astype(kind)
            scaled = whole.astype(np.float32) * np.float32(self.step)
            return (scaled + np.float32(self.offset)).astype(kind)


class _Found(NamedTuple):
    """Numbers on a grid.

    Attributes:
        grid: it.
        cells: the integer of each number (int64); the last one before where it is masked.
        off: by how many units of the last place each number differs from its grid (int8); None where none does.
        patterns: the bits of the numbers that are different.
        where: which of these each number is.
        odd: which of these are masked.
    """

    grid: Grid
    cells: Any
    off: Any
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
        found = _found(numbers, 3 * count // 4)
        if found is None:
            return None
        grid, cells, off, patterns, where, odd = found
        odds = np.flatnonzero(odd)
        size = stored_bytes(int(cells.max()), columns)
        if size >= width:
            return None
        recipe = bytes((big | (width == 8) << 1 | grid.form << 2,)) + uleb(columns) + _packed(grid)
        recipe += patterns[odd].astype(f"<u{width}").tobytes()
        masks = [np.packbits((where == number).reshape(-1, columns), axis=1).tobytes() for number in odds]
        head = bytes((size - 1 | len(odds) << 2 | (off is not None) << 4,))
        planes = cells.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :size].tobytes()
        inner = b"".join((head, *masks, b"" if off is None else off.tobytes(), planes))
        return self.tried(inner, recipe, coded) if len(inner) <= most else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        import numpy as np

        reader = Reader(recipe)
        head, columns = reader.u8(), reader.uleb()
        width, form = 4 << (head >> 1 & 1), head >> 2
        count = size // width
        if form > SINGLE or size % width or not columns or not count or count % columns or not inner:
            raise CorruptError("a recipe of a lattice does not fit its bytes")
        grid = _unpacked(reader, form)
        layout = layout_of(inner, count, columns)
        patterns = np.frombuffer(reader.bytes(layout.masks * width), f"<u{width}")
        if reader.left() or layout.masks > MOST_MASKS or inner[0] >> 5 or len(inner) != layout.size:
            raise CorruptError("a recipe of a lattice does not fit its bytes")
        planes = np.frombuffer(inner, np.uint8, count * layout.width, layout.integers).reshape(-1, layout.width)
        bits = np.empty(count, f"u{width}")
        for start in range(0, count, PIECE):
            some = planes[start : start + PIECE]
            whole = np.zeros((len(some), 8), np.uint8)
            whole[:, : layout.width] = some
            made = grid.numbers(whole.view("<i8").ravel().astype(np.int64), f"f{width}").view(bits.dtype)
            if layout.off:
                off = np.frombuffer(inner, np.int8, len(some), layout.off + start)
                made = made + off.astype(f"i{width}").view(bits.dtype)
            bits[start : start + PIECE] = made
        for k in range(layout.masks):
            rows = np.frombuffer(inner, np.uint8, layout.held, 1 + k * layout.held).reshape(count // columns, -1)
            bits[np.unpackbits(rows, axis=1, count=columns).ravel() > 0] = patterns[k]
        return bytes(bits.astype(f"{'>' if head & 1 else '<'}u{width}").tobytes())

    def longest_recipe(self, size: int) -> int:
        return LONGEST_RECIPE

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 4 * size


class Layout(NamedTuple):
    """Where in inner bytes what lies.

    Attributes:
        masks: how many there are, from byte 1 on,
        held: and the bytes of each.
        off: where the numbers begin by which others differ from their grid; 0 where there are none.
        integers: where these begin,
        width: and the bytes of each.
        size: of all.
    """

    masks: int
    held: int
    off: int
    integers: int
    width: int
    size: int


def layout_of(inner: bytes, count: int, columns: int) -> Layout:
    """Return where in the inner bytes of `count` numbers, `columns` of them in a row, what lies; their first byte says
    so."""
    width, masks, held = (inner[0] & 3) + 1, inner[0] >> 2 & 3, count // columns * ((columns + 7) // 8)
    off = 1 + masks * held
    integers = off + count * (inner[0] >> 4 & 1)
    return Layout(masks, held, off if integers > off else 0, integers, width, integers + count * width)


def stored_bytes(largest: int, columns: int) -> int:
    """Return the bytes of integers from 0 to `largest`: of fields, whose pixels have one byte or two if that is enough,
    or of signals, whose samples have two at least, and a sign."""
    if columns >= LEAST_COLUMNS:
        return 1 if largest < 256 else 2 if largest < NARROW else 3 if largest < 1 << 24 else 4
    return 2 if largest < 1 << 15 else 3 if largest < 1 << 23 else 4


def _promising(numbers: Any) -> bool:
    """Return whether the first numbers of many may lie on a grid."""
    import numpy as np

    values = np.unique(numbers.view(f"u{numbers.itemsize}")).view(numbers.dtype)
    return bool(_odd(values).all()) or _found(numbers, 9 * len(numbers) // 10) is not None


def integers(numbers: Any) -> Any:
    """Return the integers (int64) that floating point numbers on a grid are, with the last one before where a number is
    masked; None where they lie on none."""
    found = _found(numbers, 9 * len(numbers) // 10)
    return None if found is None else found.cells


def _found(numbers: Any, most: int) -> _Found | None:
    """Return the grid that numbers lie on; one that is not coarse only if at most `most` of them are different."""
    import numpy as np

    patterns, where = np.unique(numbers.view(f"u{numbers.itemsize}"), return_inverse=True)
    values = patterns.view(numbers.dtype)
    odd = _odd(values)
    if odd.sum() > MOST_MASKS or odd.all():
        return None
    found = _grid(values[~odd], len(patterns) <= most)
    if found is None:
        return None
    grid, whole, differ = found
    stored = np.zeros(len(patterns), np.int64)
    stored[~odd] = whole
    off = None
    if differ.any():
        off = np.zeros(len(patterns), np.int8)
        off[~odd] = differ
        off = off[where]
    return _Found(grid, _filled(stored[where], odd[where]), off, patterns, where, odd)


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


def _grid(values: Any, few: bool) -> tuple[Grid, Any, Any] | None:
    """Return the grid that all `values`, which are different, lie on, their integers from 0 on, and by how many units
    of the last place (int8) they differ: a few may, where the grid is coarse.

    Args:
        values: the numbers.
        few: whether there are so few that a grid need not be coarse.
    """
    import numpy as np

    exact, kind = values.astype(np.float64), values.dtype
    unit = float(np.spacing(np.abs(values).max()))
    best: tuple[int, Grid, Any, Any] | None = None
    some = np.unique(np.linspace(0, len(values) - 1, min(LOOKED, len(values))).astype(np.int64))
    for grid, whole in _candidates(exact, kind, 0.0 if few else COARSE * unit):
        if not np.isfinite(whole).all() or np.abs(whole).max() >= LARGEST:
            continue
        integers = whole.astype(np.int64)
        base = int(integers.min())
        integers -= base
        grid = grid._replace(base=grid.base + base)
        step = abs(1 / grid.step) if grid.form == DIVIDED else abs(grid.step)
        largest = int(integers.max())
        if largest >= (NARROW if few and step < COARSE * unit else MOST) or (not few and step < COARSE * unit):
            continue
        if WRONG * np.count_nonzero(_differ(grid, integers[some], values[some])) > len(some):
            continue
        differ = _differ(grid, integers, values)
        wrong = int(np.count_nonzero(differ))
        found = wrong, grid, integers, differ.astype(np.int8)
        if not wrong and np.gcd.reduce(integers) <= 1:
            return found[1:]  # else a step of several will do
        if wrong and (np.abs(differ).max() > MOST_OFF or step < COARSER * unit):
            continue
        if best is None or (wrong, largest) < (best[0], int(best[2].max())):
            best = found
    return best[1:] if best is not None and WRONG * best[0] <= len(values) else None


def _differ(grid: Grid, integers: Any, values: Any) -> Any:
    """Return by how many units of the last place `values` are more than their grid says (int64)."""
    import numpy as np

    kind = f"i{values.itemsize}"
    return values.view(kind).astype(np.int64) - grid.numbers(integers, values.dtype).view(kind).astype(np.int64)


def _candidates(exact: Any, kind: Any, finest: float) -> Iterator[tuple[Grid, Any]]:
    """Yield grids that may be, with base 0 and a step of `finest` at least, and the integers of all numbers."""
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
        unit = float(np.spacing(np.abs(exact).max().astype(kind)))
        least = _step(ordered, near, float(near[0]))
        common = _common(near, 2 * unit)
        for step in (least, least / 2, least / 3, _step(ordered, near, common) if common else 0.0):
            whole = np.rint((exact - ordered[0]) / step)
            if not np.isfinite(whole).all() or not 1 <= whole.max() < MOST or step < finest:
                continue
            if np.gcd.reduce(whole.astype(np.int64)) > 1:
                continue  # a step of several is one, too
            some = np.unique(np.append(np.linspace(0, len(exact) - 1, TESTED).astype(np.int64), exact.argmax()))
            room = np.spacing(np.abs(exact[some]).astype(kind)).astype(np.float64) / 2
            if kind.itemsize == 8:
                room += unit / 2  # products were rounded before
            if np.abs(exact[some] - ordered[0] - whole[some] * step).max() > max(4 * unit, step / 8):
                continue
            slope, middle = _line(whole[some], exact[some], room)
            for _ in range(REFINED):  # what is left over is known better than what it is left of
                rest, far = exact[some] - (whole[some] * slope + middle), whole[some] - whole[some].mean()
                slope += float((rest * far).sum() / (far * far).sum())
                middle += float(np.mean(exact[some] - (whole[some] * slope + middle)))
            yield Grid(SCALED, slope, middle, 0), whole
            if step >= COARSE * unit:
                for grid in _offsets(slope, middle, whole, exact.astype(kind)):
                    yield grid._replace(base=0), whole - grid.base
            slopes = slope, float(np.float32(slope)), *(_shortened(slope, digits) for digits in range(3, 9))
            for fitted in dict.fromkeys(slopes):
                yield Grid(SCALED, fitted, 0.0, 0), np.rint(exact / fitted)
                starts = float(ordered[0]), middle, _shortened(middle, 6)
                for start in dict.fromkeys(starts):
                    yield Grid(SCALED, fitted, start, 0), whole
                    if kind.itemsize == 4:
                        yield Grid(SINGLE, float(np.float32(fitted)), float(np.float32(start)), 0), whole


def _offsets(slope: float, middle: float, whole: Any, values: Any) -> Iterator[Grid]:
    """Yield grids on the line of a slope; the integer 0 stands at place `base` of `whole`.

    The same numbers are k * step + offset for many offsets, which are steps apart, and each is rounded in its own way:
    those that have few decimal places are tried first, also far from all numbers, then all.

    Args:
        slope, middle: of the line that the numbers lie on, as exactly as they show it.
        whole: places of the numbers on it.
        values: the numbers.
    """
    import numpy as np

    unit, largest = float(np.spacing(np.abs(values).max())), float(whole.max())
    inverse = float(np.rint(1 / slope))
    shorts = (_shortened(slope, digits) for digits in range(1, ENDS + 1))
    room = ROUNDED * unit / max(1.0, largest)
    step = next((short for short in (*shorts, 1 / inverse if inverse else 0.0) if abs(short - slope) <= room), 0.0)
    reach = int(min(max(FARTHEST, largest), OFFSETS // 2))
    bases = np.arange(-reach, min(largest + reach, OFFSETS - reach))
    turned = np.argsort(np.arange(len(whole)) * SPREAD % NARROW, kind="stable")  # from all over the range
    search = _Search(whole[turned], values[turned])
    near = (slope, float(np.nextafter(slope, np.inf)), float(np.nextafter(slope, -np.inf)))
    finest = 64.0 if values.itemsize == 8 else 0.25
    for each in (step,) if step else near if values.itemsize == 8 else ():
        offsets = float(np.median(values - whole * each)) + each * bases
        forms = [(SCALED, each), *([(DIVIDED, inverse)] if abs(inverse * each - 1) < 1e-12 else [])]
        if values.itemsize == 4:
            forms.append((SINGLE, float(np.float32(each))))
        for places in range(LONGEST + 1):
            scale = 10.0**places
            short = np.rint(offsets * scale)
            fits = (np.abs(offsets - short / scale) <= 8 * unit) & (np.abs(short) < LARGEST)
            if finest * unit * scale > 1 or not fits.any():
                continue
            for form, factor in forms:
                yield from search.grids(form, factor, bases[fits], short[fits] / scale)
            if fits.all():
                return
    for each in () if step or values.itemsize == 4 else near:
        offsets = middle + each * bases
        for start in (offsets, np.nextafter(offsets, np.inf), np.nextafter(offsets, -np.inf)):
            yield from search.grids(SCALED, each, bases, start)


class _Search:
    """A search for the offsets by which integers become numbers, with an end.

    Args:
        whole: places of the numbers, in any order.
        values: the numbers.
    """

    def __init__(self, whole: Any, values: Any):
        self._whole, self._values, self._work = whole.tolist(), values, WORK

    def grids(self, form: int, step: float, bases: Any, offsets: Any) -> Iterator[Grid]:
        """Yield the grids, a few at most, that nearly all numbers lie on, of those with these bases and offsets."""
        import numpy as np

        least = self._work - WORK // 4
        for place, value in zip(self._whole, self._values, strict=True):
            self._work -= len(bases)
            if self._work < max(0, least) or len(bases) <= KEPT:
                break
            right = _made(form, step, offsets, place - bases, self._values.dtype) == value
            if right.any():  # else this number is another one, whatever the offset
                bases, offsets = bases[right], offsets[right]
        for base, offset in list(zip(bases.tolist(), offsets.tolist(), strict=True))[:KEPT]:
            yield Grid(form, step, float(np.float32(offset)) if form == SINGLE else offset, base)


def _made(form: int, step: float, offsets: Any, whole: Any, kind: Any) -> Any:
    """Return the numbers that integers stand for, each with an offset of its own."""
    import numpy as np

    if form == SINGLE:
        return (whole.astype(np.float32) * np.float32(step) + offsets.astype(np.float32)).astype(kind)
    return ((whole / step if form == DIVIDED else whole * step) + offsets).astype(kind)


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
