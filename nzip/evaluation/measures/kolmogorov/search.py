"""A search for short programs of the KoLMogorov test's language, without learning.

`View` finds the cheapest way to write every segment of a list by dynamic programming (`segments`). What that cannot see
at once comes from other views: the two halves of interleaved lists, also where one goes on after the other's end;
differences modulo a number, for running sums; and lists that the program makes already, used again as they are, cut,
reversed or shifted. The views are solved again with the lists of the best program so far until it gets no shorter.
Programs are priced by `dsl.bits` and run before they are given, so a wrong one is never returned. The same input gives
the same program on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nzip.evaluation.measures.kolmogorov import segments
from nzip.evaluation.measures.kolmogorov.dsl import MAX_ITEMS, DslError, Line, Program, apply, bits, references, run

EFFORT = 2
MAX_EFFORT = 3
REFERENCE = 3.3  # bits of a reference, until a program says it better
LEAST = 3  # places that must speak for a modulus
_INTERLEAVED = 1
_POOL = 1000

Values = NDArray[np.int64]


class Expression:
    """What a list is made of: a function, other expressions, numbers; concatenation may join more than two."""

    __slots__ = ("children", "function", "numbers", "places", "values")

    def __init__(self, function: str, children: Sequence[Expression] = (), numbers: Sequence[int] = ()) -> None:
        """Evaluate it.

        Raises:
            DslError: as `dsl.run` does.
        """
        self.places: Values | None = None  # of what it makes in the sequence, if it was found for one segment
        self.function = function
        self.numbers = tuple(numbers)
        self.children: tuple[Expression, ...] = tuple(children)
        self.values: tuple[int, ...]
        if function == "concatenate":
            self.values = tuple(value for child in children for value in child.values)
        else:
            arguments = (*range(1, len(children) + 1), *self.numbers)
            self.values = tuple(apply(Line(function, arguments), [list(child.values) for child in children], 1))


def _joined(parts: Sequence[Expression]) -> Expression:
    flat: list[Expression] = []
    for part in parts:
        flat.extend(part.children if part.function == "concatenate" else [part])
    return flat[0] if len(flat) == 1 else Expression("concatenate", flat)


def written(expression: Expression) -> Program:
    """Return the program of an expression, in which no list is made twice."""
    lines: list[Line] = []
    made: dict[tuple[int, ...], int] = {}

    def add(line: Line, values: tuple[int, ...]) -> int:
        lines.append(line)
        made[values] = len(lines)
        return len(lines)

    def write(part: Expression) -> int:
        if part.values in made:
            return made[part.values]
        if part.function != "concatenate":
            at = [write(child) for child in part.children]
            return add(Line(part.function, (*at, *part.numbers)), part.values)
        values = part.children[0].values
        last = write(part.children[0])
        for child in part.children[1:]:
            values += child.values
            last = made.get(values) or add(Line("concatenate", (last, write(child))), values)
        return last

    write(expression)
    return Program(lines)


# Leaves


def _progression(first: int, last: int, step: int) -> Expression:
    """Return first, first + step, ... last, as a range of one kind or the reverse of one."""
    if step in (1, -1):
        return Expression("range" if step == 1 else "range_down", (), (first, last))
    if step > 0:
        return Expression("range_step", (), (first, last, step))
    return Expression("reverse", [Expression("range_step", (), (last, first, -step))])


def _leaf(kind: int, values: Values, a: int, b: int, free: int) -> Expression:
    """Return the expression of a leaf that `segments.leaves` found."""
    length = b - a
    first, last = int(values[a]), int(values[b - 1])
    step = int(values[a + 1]) - first
    if kind == segments.RANGE:
        return _progression(first, last, step)
    if kind == segments.FAR_STEP:
        factor = segments.far_factor(abs(step))
        rising = Expression("range_step", (), (min(first, last), max(first, last), abs(step) // factor))
        every = Expression("jump", [rising], (factor,))
        return every if step > 0 else Expression("reverse", [every])
    if kind == segments.CONSTANT:
        return Expression("repeat", (), (first, length))
    if kind == segments.LONG_CONSTANT:
        if first + length - 1 <= 255:
            return Expression("min", [_progression(first, first + length - 1, 1)], (first,))
        return Expression("max", [_progression(first - length + 1, first, 1)], (first,))
    if kind == segments.PLATEAU_FIRST:
        end = a + int(np.argmax(values[a:b] != first))
        _, step = segments.slope(values, end)
        step = int(step) or (1 if values[end] > first else -1)
        start = int(values[end]) - step * (end - a)
        slope = _progression(start, start + step * (length - 1), step)
        return Expression("max" if step > 0 else "min", [slope], (first,))
    if kind == segments.PLATEAU_LAST:
        slope = _progression(first, first + step * (length - 1), step)
        return Expression("min" if step > 0 else "max", [slope], (last,))
    if kind == segments.EXCEPTION:
        slope = _progression(first, last, step)
        at = int(np.argmax(np.asarray(slope.values) != values[a:b]))
        return Expression("substitute", [slope], (slope.values[at], int(values[a + at])))
    modulus, rise, _ = (int(number) for number in segments.wrap(values, a))
    if kind == segments.WRAPPED:
        inner = _progression(first, first + rise * (length - 1), rise)
    elif kind == segments.WRAPPED_DOWN:
        start = first + (255 - first) // modulus * modulus
        inner = _progression(start, start - (modulus - rise) * (length - 1), rise - modulus)
    elif kind == segments.SUMS:
        inner = Expression("scan_add", [Expression("repeat", (), (rise, length))])
    else:
        factor = segments.short_factor(length)
        few = Expression("repeat", (), (rise, length // factor))
        inner = Expression("scan_add", [Expression("repeat_list", [few], (factor,))])
    return inner if modulus == free else Expression("mod_number", [inner], (modulus,))


# Views


class Pool:
    """Lists that a program makes already, and which of them an expression used, in which way.

    Of `parts`, which it does not make yet, each is offered a little cheaper where it stands, for it may pay elsewhere.
    """

    def __init__(self, known: Sequence[Expression] = (), parts: Sequence[Expression] = ()) -> None:
        self.known = len(known)
        self.items = items = [*known, *parts]
        self.arrays: list[tuple[Values, NDArray[np.bool_]]] = []
        for item in items:
            own = np.zeros(MAX_ITEMS, np.bool_)
            own[item.places] = True
            self.arrays.append((np.array(item.values, np.int64), own))
        self.uses: list[tuple[int, int]] = []

    def use(self, at: int, way: int, values: list[int]) -> Expression:
        self.uses.append((at, way))
        return _variant(self.items[at], way, values)

    def worth(self) -> Pool:
        """Return a pool of the lists that were used more than once, or in another way than as they are."""
        ways = [[way for used, way in self.uses if used == at] for at in range(len(self.items))]
        kept = [at for at, found in enumerate(ways) if len(found) > 1 or any(found)]
        return Pool(
            [self.items[at] for at in kept if at < self.known], [self.items[at] for at in kept if at >= self.known]
        )


class _Offer:
    """Segments of a view that begin at `start`, found elsewhere: their costs by length, and how to write one."""

    def __init__(self, start: int) -> None:
        self.start = start

    def views(self) -> Iterable[View]:
        raise NotImplementedError

    def used(self, end: int) -> Iterable[tuple[View, int]]:
        """Yield the views that a segment is made of, and where it ends in each."""
        raise NotImplementedError

    def costs(self, reference: float) -> Iterable[tuple[int, float]]:
        """Yield ends of segments and what they cost."""
        raise NotImplementedError

    def expression(self, end: int, pool: Pool) -> Expression:
        raise NotImplementedError


class _Overhang(_Offer):
    """Two interleaved lists up to `turn`, then the rest of one of them: segments [start, end) for each end after."""

    def __init__(self, view: View, start: int, turn: int, longer: int, depth: int) -> None:
        super().__init__(start)
        self.turn = turn
        self.longer = longer
        self.half = (turn - start) // 2
        at = np.arange(len(view.values))
        parts = [at[start:turn:2], at[start + 1 : turn : 2]]
        parts[longer] = np.concatenate([parts[longer], at[turn:]])
        self.parts = [View(view.values[part], view.places[part], depth, view.free) for part in parts]

    def views(self) -> Iterable[View]:
        return self.parts

    def costs(self, reference: float) -> Iterable[tuple[int, float]]:
        short = self.parts[1 - self.longer].cost[0, self.half] + segments.CODE + 2 * reference
        long = self.parts[self.longer].cost
        for more in range(1, len(self.parts[self.longer].values) - self.half + 1):
            yield self.turn + more, short + long[0, self.half + more]

    def used(self, end: int) -> Iterable[tuple[View, int]]:
        lengths = [self.half, self.half]
        lengths[self.longer] += end - self.turn
        return zip(self.parts, lengths, strict=True)

    def expression(self, end: int, pool: Pool) -> Expression:
        return Expression("interleave", [part.expression(0, length, pool) for part, length in self.used(end)])


class _Sums(_Offer):
    """Running sums modulo a number."""

    def __init__(self, view: View, start: int, end: int, modulus: int, depth: int) -> None:
        super().__init__(start)
        self.modulus = modulus
        self.free = view.free
        self.values = view.values[start:end]
        steps = np.diff(self.values, prepend=0)
        self.wraps = (np.minimum.accumulate(steps) < 0) & (modulus != self.free)
        self.inner = View(steps % modulus, view.places[start:end], depth, modulus)

    def views(self) -> Iterable[View]:
        return [self.inner]

    def used(self, end: int) -> Iterable[tuple[View, int]]:
        return [(self.inner, end - self.start)]

    def costs(self, reference: float) -> Iterable[tuple[int, float]]:
        line = segments.CODE + reference
        for length in range(2, len(self.wraps) + 1):
            yield self.start + length, self.inner.cost[0, length] + line + (line + 8 if self.wraps[length - 1] else 0)

    def expression(self, end: int, pool: Pool) -> Expression:
        sums = Expression("scan_add", [self.inner.expression(0, end - self.start, pool)])
        apart = np.array(sums.values) - self.values[: end - self.start]
        fits = not np.any(apart % self.free if self.free else apart)
        return sums if fits else Expression("mod_number", [sums], (self.modulus,))


class View:
    """A list, the cost of each of its segments, and the views that these costs were found with."""

    def __init__(self, values: Values, places: Values, depth: int, free: int = 0) -> None:
        """Take the list, and where each of its values stands in the sequence.

        `depth` is how often its halves are looked at as interleaved lists again. What is made of the list is taken
        modulo `free`, if that is not 0, so congruent values do.
        """
        self.free = free
        self.places = np.ascontiguousarray(places)
        self.values = np.ascontiguousarray(values, np.int64)
        n = len(self.values)
        self.halves: list[View] = []
        if depth > 0 and n >= 8:
            self.halves = [View(self.values[i::2], places[i::2], depth - 1, free) for i in range(2)]
        self.offers: list[_Offer] = []
        self.cost = np.zeros((n + 1, n + 1))
        self.how = np.zeros((n + 1, n + 1), np.int16)
        self.detail = np.zeros((n + 1, n + 1), np.int16)
        self.who = np.zeros((n + 1, n + 1), np.int32)

    def solve(self, reference: float, pool: Pool) -> None:
        """Find the costs, where the lists of `pool` cost next to nothing."""
        n = len(self.values)
        extra = np.full((n + 1, n + 1), np.inf)
        for view in (*self.halves, *(view for offer in self.offers for view in offer.views())):
            view.solve(reference, pool)
        if self.halves:
            evens, odds = self.halves
            segments.interleaved(self.values, evens.cost, odds.cost, reference, extra, self.who, _INTERLEAVED)
        for at, offer in enumerate(self.offers):
            for end, cost in offer.costs(reference):
                if cost < extra[offer.start, end]:
                    extra[offer.start, end] = cost
                    self.who[offer.start, end] = _INTERLEAVED + 1 + at
        for at in range(len(pool.items)):
            known, own = pool.arrays[at]
            segments.matches(self.values, self.places, known, own, reference, extra, self.who, _POOL + 8 * at)
            if at >= pool.known:
                self._prefer(pool.items[at], _POOL + 8 * at, reference, extra)
        segments.cheapest(self.values, reference, self.free, extra, self.cost, self.how, self.detail)

    def _prefer(self, part: Expression, name: int, reference: float, extra: NDArray[np.float64]) -> None:
        """Offer a literal where it stands, cheaper by what a slice of a longer one would cost elsewhere."""
        assert part.places is not None
        at, n = np.flatnonzero(self.places == part.places[0]), len(part.values)
        if len(at) and np.array_equal(self.places[at[0] : at[0] + n], part.places):
            a = int(at[0])
            if tuple(self.values[a : a + n]) == part.values:
                extra[a, a + n] = segments.CODE + 8 * n - (segments.CODE + 16 + reference)
                self.who[a, a + n] = name

    def expression(self, a: int, b: int, pool: Pool) -> Expression:
        """Return the cheapest expression of segment [a, b), with the pool that `solve` had."""
        made = self._expression(a, b, pool)
        if made.places is None:
            made.places = self.places[a:b]
        return made

    def _expression(self, a: int, b: int, pool: Pool) -> Expression:
        way, detail = int(self.how[a, b]), int(self.detail[a, b])
        if way == segments.LITERAL:
            return Expression("list", (), [int(value) for value in self.values[a:b]])
        if way == segments.SPLIT:
            return _joined([self.expression(a, detail, pool), self.expression(detail, b, pool)])
        if way in (segments.REPEATED, segments.REPEATED_CUT):
            times = -(-(b - a) // detail)
            whole = Expression("repeat_list", [self.expression(a, a + detail, pool)], (times,))
            return whole if way == segments.REPEATED else Expression("slice", [whole], (0, b - a - 1))
        if way >= segments.LEAF:
            return _leaf(way - segments.LEAF, self.values, a, b, self.free)
        return self._extra(int(self.who[a, b]), a, b, pool)

    def _extra(self, who: int, a: int, b: int, pool: Pool) -> Expression:
        if who == _INTERLEAVED:
            one, two = (b - a + 1) // 2, (b - a) // 2
            first, second = self.halves if a % 2 == 0 else self.halves[::-1]
            at, then = a // 2, (a + 1) // 2
            return Expression(
                "interleave", [first.expression(at, at + one, pool), second.expression(then, then + two, pool)]
            )
        if who < _POOL:
            return self.offers[who - _INTERLEAVED - 1].expression(b, pool)
        at, way = divmod(who - _POOL, 8)
        return pool.use(at, way, [int(value) for value in self.values[a:b]])

    def used(self, a: int, b: int) -> Iterator[tuple[View, int, int]]:
        """Yield what segment [a, b) is made of, down to its leaves: views and segments of them, this one first."""
        yield self, a, b
        way, detail, who = int(self.how[a, b]), int(self.detail[a, b]), int(self.who[a, b])
        if way == segments.SPLIT:
            yield from self.used(a, detail)
            yield from self.used(detail, b)
        elif way in (segments.REPEATED, segments.REPEATED_CUT):
            yield from self.used(a, a + detail)
        elif way == segments.EXTRA and who == _INTERLEAVED:
            at, then = a // 2, (a + 1) // 2
            first, second = self.halves if a % 2 == 0 else self.halves[::-1]
            yield from first.used(at, at + (b - a + 1) // 2)
            yield from second.used(then, then + (b - a) // 2)
        elif way == segments.EXTRA and who < _POOL:
            for view, end in self.offers[who - _INTERLEAVED - 1].used(b):
                yield from view.used(0, end)


def _variant(item: Expression, way: int, values: list[int]) -> Expression:
    """Return `values` made of a list as `segments.matches` says."""
    made = item
    shifted, backward, cut = way & 4, way & 2, way & 1
    target = values[::-1] if backward else values
    if cut:
        known, size = item.values, len(values)
        for at in range(len(known) - size + 1):
            shift = target[0] - known[at]
            if (shift == 0 or shifted) and all(known[at + i] + shift == target[i] for i in range(size)):
                made = Expression("slice", [made], (at, at + size - 1))
                break
    if backward:
        made = Expression("reverse", [made])
    shift = values[0] - made.values[0]
    if shift:
        made = Expression("add_number" if shift > 0 else "subtract_number", [made], (abs(shift),))
    return made


# The search


def search(sequence: Sequence[int] | bytes, *, effort: int = EFFORT) -> Program | None:
    """Return the shortest program found that gives a sequence of bytes.

    Args:
        sequence: 1 to 256 values, 0 to 255.
        effort: 0 to 3; more looks at more of what may have been interleaved, summed or used again, and takes longer.

    Returns:
        A program whose `run` was seen to give the sequence; None where none takes fewer bits than a literal list.

    Raises:
        ValueError: the sequence is no such list, or the effort is out of range.
    """
    values = np.array(list(sequence), np.int64)
    if not 1 <= len(values) <= MAX_ITEMS or values.min() < 0 or values.max() > 255:
        raise ValueError(f"a sequence has 1 to {MAX_ITEMS} values, 0 to 255")
    if not 0 <= effort <= MAX_EFFORT:
        raise ValueError(f"effort is 0 to {MAX_EFFORT}, not {effort}")
    program = _Search(values, effort).best()
    literal = Program([Line("list", tuple(int(value) for value in values))])
    return program if program is not None and bits(program) < bits(literal) else None


class _Search:
    """The views of one sequence, and the best program so far."""

    def __init__(self, values: Values, effort: int) -> None:
        self.values = values
        self.effort = effort
        self.program: Program | None = None
        self.bits = math.inf
        self.expression: Expression | None = None
        self.reference = REFERENCE

    def best(self) -> Program | None:
        view = View(self.values, np.arange(len(self.values)), 2)
        self.attempt(view, Pool())
        if self.expression is None:  # it passes a cap, as no literal does
            return None
        for _ in range(self.effort):
            if not self.explore(view):
                break
            self.attempt(view, Pool())
        for _ in range(2 * self.effort):
            before = self.bits
            pool = Pool(self.known())
            self.attempt(view, pool)
            self.attempt(view, pool.worth())
            pool = Pool(*self.parted())
            self.attempt(view, pool)
            self.attempt(view, pool.worth())
            if self.bits >= before:
                break
        return self.program

    def explore(self, view: View) -> bool:
        """Add offers to the views that the cheapest expression uses; return whether there are any."""
        parts: dict[int, tuple[View, list[tuple[int, int]]]] = {}
        for part, a, b in view.used(0, len(view.values)):
            parts.setdefault(id(part), (part, []))[1].append((a, b))
        offers = [
            (part, [*_overhangs(part, spans, self.effort), *_sums(part, spans, self.effort)])
            for part, spans in parts.values()
        ]
        for part, more in offers:
            part.offers += more
        return any(more for _, more in offers)

    def known(self) -> list[Expression]:
        """Return what the best program makes that may be worth using again."""
        assert self.expression is not None
        found: dict[tuple[int, ...], Expression] = {}

        def visit(part: Expression) -> None:
            if len(part.values) > 2 and part.values not in found and len(found) < 64:
                found[part.values] = part
            for child in part.children:
                if child.places is None:
                    child.places = part.places
                visit(child)

        for child in self.expression.children:
            visit(child)
        return [part for part in found.values() if max(part.values) < 256]

    def parted(self) -> tuple[list[Expression], list[Expression]]:
        """Return what `known` does and beginnings of literals; and parts of literals that their ends may be made of."""
        assert self.expression is not None
        known = self.known()
        whole, parts = list(known), list[Expression]()
        for literal in (self.expression, *known):
            n = len(literal.values)
            if literal.function != "list" or n < 10 or literal.places is None:
                continue
            gains, sources = np.zeros(n, np.int64), np.zeros((n, 2), np.int64)
            segments.echoes(np.array(literal.values, np.int64), gains, sources)
            for at in np.argsort(-gains, kind="stable")[: self.effort]:
                if gains[at] > 0:
                    for (a, b), found in (((0, at), whole), (sources[at], parts)):
                        part = Expression("list", (), literal.values[a:b])
                        part.places = literal.places[a:b]
                        found.append(part)
        return whole, parts

    def attempt(self, view: View, pool: Pool) -> None:
        """Solve a view, and keep its program where that is right and the shortest so far."""
        view.solve(self.reference, pool)
        try:
            expression = view.expression(0, len(self.values), pool)
            program = written(expression)
            price = bits(program)
            if price >= self.bits or run(program) != self.values.tolist():
                return
        except DslError:  # it passes a cap of the language
            return
        self.program, self.bits, self.expression = program, price, expression
        asked = [math.log2(at) for at, line in enumerate(program, 1) for _ in references(line)]
        if asked:
            self.reference = sum(asked) / len(asked)


def _overhangs(view: View, spans: Sequence[tuple[int, int]], effort: int) -> list[_Offer]:
    """Look for interleaved lists one of which goes on after the other's end, where halves were found interleaved."""
    n = len(view.values)
    known = {(offer.start, offer.turn) for offer in view.offers if isinstance(offer, _Overhang)}
    found: list[_Offer] = []
    for a, b in spans:
        if view.how[a, b] != segments.EXTRA or view.who[a, b] != _INTERLEAVED:
            continue
        even = b - (b - a) % 2
        for turn in (even, even - 2, even + 2)[: 1 + effort]:
            if a + 2 < turn < n and (a, turn) not in known:
                known.add((a, turn))
                found += [_Overhang(view, a, turn, longer, min(effort - 1, 2)) for longer in range(2)]
    return found


def _sums(view: View, spans: Sequence[tuple[int, int]], effort: int, nested: bool = True) -> list[_Offer]:
    """Look for running sums: moduli under which many differences follow a pattern, and where that pays.

    With `nested`, the differences may be sums themselves.
    """
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    if last - first < 8:
        return []
    values = view.values[first:last]
    n = len(values)
    scores = np.zeros(257, np.int64)
    segments.rate_moduli(values, scores)
    found: list[_Offer] = []
    known = {(offer.start, offer.modulus) for offer in view.offers if isinstance(offer, _Sums)}
    before = view.cost[first, first:last]  # of what lies before a start
    after = np.append(view.cost[first + 1 : last, last], 0.0)  # of what lies behind an end
    whole = view.cost[first, last]
    for modulus in (int(at) for at in np.argsort(-scores, kind="stable")[:effort]):
        if scores[modulus] < LEAST:
            break
        steps = np.diff(values, prepend=0) % modulus
        fits = (values >= 0) & (values < modulus)
        inner = View(np.where(fits, steps, -1), view.places[first:last], min(effort, 2), modulus)
        deeper = _solved(inner, effort, nested)
        # The first sum is its own step; it costs little where the steps behind it lead on from it.
        led = np.zeros(n)
        led[:-2] = (values[:-2] != steps[1:-1]) & (values[:-2] - steps[1:-1] != steps[1:-1] - steps[2:])
        total = before[:, None] + inner.cost[1:, 1:] + after[None, :] + 12 * led[:, None]
        total[~fits] = np.inf
        total[np.tril_indices(n)] = np.inf
        ends = total.argmin(axis=1)
        prices = total[np.arange(n), ends] + 2 * (segments.CODE + REFERENCE) + 8
        for at in (int(at) for at in np.argsort(prices, kind="stable")[: 1 + effort]):
            if not prices[at] < whole:
                break
            start = first + at
            above = np.flatnonzero((view.values[start:] < 0) | (view.values[start:] >= modulus))
            end = start + int(above[0]) if len(above) else len(view.values)
            if (start, modulus) not in known and end - start > 2:
                known.add((start, modulus))
                sums = _Sums(view, start, end, modulus, min(effort, 2))
                if deeper:
                    _solved(sums.inner, effort, nested)
                found.append(sums)
    return found


def _solved(view: View, effort: int, nested: bool) -> bool:
    """Solve a view of differences; return whether it was found to hold sums itself."""
    view.solve(REFERENCE, Pool())
    more = _sums(view, [(0, len(view.values))], effort, False) if nested and effort > 1 else []
    if more:
        view.offers += more
        view.solve(REFERENCE, Pool())
    return bool(more)
