"""Learning a circuit from records: a Chow-Liu tree of hidden variables, by expectation maximisation.

The tree joins bytes that tell most of each other (Chow and Liu, "Approximating discrete probability distributions with
dependence trees", 1968); each has a hidden variable, and these hang on each other as the bytes do (Liu and Van den
Broeck, 2021). EM goes through the records in portions, and what it counts fades (Cappe and Moulines, "On-line
expectation-maximization", 2009). Chances of values are smoothed from near values. At the end the contexts of the mixer
learn from records that EM did not see, for it knows those that it saw too well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nzip.models.circuit import model
from nzip.models.circuit.engine import ALONE, encode_records, run
from nzip.models.circuit.layout import LEVELS, LONGEST
from nzip.models.circuit.learning_kernel import believed, met, scaled, smoothed
from nzip.models.circuit.model import Circuit, Lessons, walk_of

Array = Any

LEAST = 64  # records that can be learned from
CLASSES, PAIRED = 8, 1 << 26  # classes of values that are compared in pairs, and numbers that this takes
NEAR, BESIDE, CLOSE = 0.05, 0.01, 1e-3  # what neighbours are favoured by, in nats
GROUPED, ROUNDS = 6000, 5  # records, and rounds, by which states are first told apart
PORTION = 3000  # records that are counted before tables change
FADING = 0.6
CHANCE = 0.1  # what is added to counts of states
SMOOTHING = (0.6, 0.93, 4.0, 20.0, 1e-4)
BATCH = 1 << 24  # numbers of messages that are there at once
USUAL_BITS = 18  # of tables of contexts, at most; each more doubles them in the file, and gives a half percent
WINDING = 16  # edges of the tree a byte, on average, above which bytes are taken in the tree's own order
HELD, MOST_HELD, TAUGHT, MOST_TAUGHT = 20, 1000, 6, 10000  # one record in so many is kept back, is for contexts


@dataclass
class Options:
    """How to learn.

    Attributes:
        states: of each hidden variable.
        epochs: how often all records are gone through.
        seed: of all that is drawn.
        bits: log2 of the size of contexts' tables; 0 for none, None for what suits the records.
    """

    states: int = 32
    epochs: int = 12
    seed: int = 1
    bits: int | None = None


@dataclass
class Learned:
    """What came of learning.

    Attributes:
        circuit: the model.
        held: records that nothing was learned from.
        figures: bits a byte of these, by the circuit alone and with contexts.
    """

    circuit: Circuit
    held: int
    figures: dict[str, float] = field(default_factory=dict)


def learn(
    records: Array, line: int, head: bytes, options: Options, report: Callable[[int, int, dict[str, float]], None]
) -> Learned:
    """Return the circuit of records.

    Args:
        records: uint8 (N, size).
        line: bytes of a line of a record; 0 if it has none.
        head: what stands before the records of each file; empty if that is not always the same.
        options: how.
        report: called after each epoch with its number, how many there are, and bits a byte on records that are
            learned from (`bits`) and that are not (`held`).

    Raises:
        ValueError: there are too few records, or they are too long or too many states are asked for.
    """
    count, size = records.shape
    if count < LEAST:
        raise ValueError(f"{count:,} records are too few to learn from; {LEAST} are the least")
    if size > LONGEST:
        raise ValueError(f"records of {size:,} bytes are too long; {LONGEST:,} are the most")
    if model.tables_memory(size, options.states) > model.MOST_TABLES:
        raise ValueError(f"records of {size:,} bytes with {options.states} states are too much; take fewer states")
    line = line if line and size % line == 0 else size
    rng = np.random.default_rng(options.seed)
    records = records[rng.permutation(count)]
    held, taught = max(4, min(MOST_HELD, count // HELD)), max(8, min(MOST_TAUGHT, count // TAUGHT))
    parts = records[:held], records[held : held + taught], records[held + taught :]
    parents, depth = chow_liu(parts[2], line, rng)
    places, line = _order(parents, depth, size, line)
    renumbered = np.argsort(places)
    parents = np.where(parents[places] < 0, np.arange(size), renumbered[parents[places]])
    tree = Tree(parents, parts[2][:, places], options.states, rng)
    ordered = [np.ascontiguousarray(part[:, places]) for part in parts]
    tree.fit(ordered[2], ordered[0], options.epochs, rng, report)
    codes = tree.codes()
    bits = options.bits if options.bits is not None else _bits(ordered[1].size)
    circuit = Circuit(size, line, options.states, head, places, parents, *codes, None)
    figures = {"tree": _cost(circuit, ordered[0])}
    if bits:
        lessons = Lessons.none(bits)
        taught_by = Circuit(size, line, options.states, head, places, parents, *codes, lessons)
        taught_by.__dict__["tables"] = circuit.tables
        run(taught_by, ordered[1], ALONE, np.zeros(2 * ordered[1].size, np.uint8), False, lessons, teaches=True)
        circuit = model.parse(taught_by.packed)  # as it will be read
        figures["mixed"] = _cost(circuit, ordered[0])
    return Learned(circuit, held, figures)


def _bits(contexts: int) -> int:
    return max(12, min(USUAL_BITS, contexts.bit_length() - 3))


def _cost(circuit: Circuit, records: Array) -> float:
    """Return bits a byte of records, each alone."""
    coded = encode_records(circuit, records, ALONE, 2 * records.size + 64)
    return 8 * len(coded) / records.size


# ---- the tree --------------------------------------------------------------------------------------------------------


def chow_liu(records: Array, line: int, rng: Any) -> tuple[Array, Array]:
    """Return on which byte each byte of a record hangs (-1 for the root), and how deep: int64 (size,) both."""
    count, size = records.shape
    most = max(256, min(8000, PAIRED // (size * CLASSES)))
    sample = records[rng.permutation(count)[:most]]
    worth = _information(_classes(sample))
    worth += _nearness(worth, line)
    parents = np.full(size, -1, np.int64)
    depth = np.zeros(size, np.int64)
    root = int(worth.sum(axis=1).argmax())
    there = np.zeros(size, bool)
    there[root] = True
    best, best_of = worth[root].copy(), np.full(size, root)
    for _ in range(size - 1):
        byte = int(np.where(there, -np.inf, best).argmax())
        there[byte] = True
        parents[byte], depth[byte] = best_of[byte], depth[best_of[byte]] + 1
        better = worth[byte] > best
        best[better], best_of[better] = worth[byte][better], byte
    return parents, depth


def _classes(sample: Array) -> Array:
    """Return values in classes, int64 (n, size): zero, then ranges that are equally frequent."""
    out = np.zeros(sample.shape, np.int64)
    for byte in range(sample.shape[1]):
        column = sample[:, byte]
        some = column[column > 0]
        if len(some):
            edges = np.unique(np.quantile(some, np.arange(1, CLASSES - 1) / (CLASSES - 1)))
            out[:, byte] = np.where(column > 0, 1 + np.searchsorted(edges, column, side="right"), 0)
    return out


def _information(classes: Array) -> Array:
    """Return what bytes tell of each other, in nats: float32 (size, size)."""
    count, size = classes.shape
    one = np.zeros((count, size * CLASSES), np.float32)
    for each in range(CLASSES):
        one[:, np.arange(size) * CLASSES + each] = classes == each
    chance = one.mean(axis=0) + np.float32(1e-9)
    out = np.zeros((size, size), np.float32)
    step = max(1, 512 // CLASSES)
    for begin in range(0, size, step):
        end = min(size, begin + step)
        cut = slice(begin * CLASSES, end * CLASSES)
        both = one[:, cut].T @ one / np.float32(count)
        told = both * np.log(np.maximum(both, 1e-12) / (chance[cut, None] * chance[None]))
        out[begin:end] = told.reshape(end - begin, CLASSES, size, CLASSES).sum(axis=(1, 3))
    return out


def _nearness(told: Array, line: int) -> Array:
    """Return what bytes are favoured by for standing near each other: float32 (size, size).

    Bytes that never change tell nothing of any: they should hang on what is beside them, not on the root. And a tree
    whose branches follow lines, or columns, has a short walk from byte to byte.

    Args:
        told: what bytes tell of each other, (size, size).
        line: bytes of a line.
    """
    size = len(told)
    row, column = np.arange(size) // line, np.arange(size) % line
    rows, columns = np.abs(row[:, None] - row), np.abs(column[:, None] - column)
    along, across = (rows == 0) & (columns == 1), (rows == 1) & (columns == 0)
    if across.any() and told[across].mean() > told[along].mean():
        along, across = across, along
    return (CLOSE / (1.0 + rows + columns) + NEAR * along + BESIDE * across).astype(np.float32)


def _order(parents: Array, depth: Array, size: int, line: int) -> tuple[Array, int]:
    """Return the order in which bytes are coded, int64 (size,), and how long lines are in it.

    Rows first, or columns first, as the tree has less of a walk; along the tree where both would take too long.
    """
    tree = np.where(parents < 0, np.arange(size), parents)
    orders = [(np.arange(size), line)]
    if line < size:
        orders.append((np.arange(size).reshape(-1, line).T.reshape(-1), size // line))
    walks = []
    for places, _ in orders:
        renumbered = np.argsort(places)
        walks.append(_winding(renumbered[tree[places]].tolist(), depth[places].tolist()))
    best = int(np.argmin(walks))
    if walks[best] <= WINDING * size:
        return orders[best]
    kids = [np.flatnonzero(parents == byte).tolist() for byte in range(size)]
    todo, found = [int(np.flatnonzero(parents < 0)[0])], []
    while todo:
        byte = todo.pop()
        found.append(byte)
        todo += reversed(kids[byte])
    return np.array(found), size


def _winding(parents: list[int], depth: list[int]) -> float:
    """Return how many edges the walk along a tree has."""
    root = next(place for place, parent in enumerate(parents) if place == parent)
    try:
        return float(len(walk_of(parents, depth, root)[0]))
    except model.CorruptError:
        return float("inf")


# ---- the circuit -----------------------------------------------------------------------------------------------------


class Tree:
    """A circuit while it is learned; places are in the order of coding.

    Args:
        parents: int64 (size,); the root's is itself.
        records: uint8 (N, size), to tell states apart at first.
        states: of each hidden variable.
        rng: draws.
    """

    def __init__(self, parents: Array, records: Array, states: int, rng: Any):
        self.size, self.states, self.count = len(parents), states, len(records)
        self.parents = parents
        self.root = int(np.flatnonzero(parents == np.arange(self.size))[0])
        self.kids: list[list[int]] = [[] for _ in range(self.size)]
        for place in range(self.size):
            if place != self.root:
                self.kids[parents[place]].append(place)
        self.order = [self.root]  # parents first
        for place in self.order:
            self.order += self.kids[place]
        self.alike = np.stack([np.bincount(records[:, k], minlength=256) for k in range(self.size)])
        self.alike = (self.alike / np.float32(self.count)).astype(np.float32)
        self.counts = self._first(records, rng)
        self.step = 0
        self._maximise(min(self.count, GROUPED))

    def _empty(self) -> tuple[Array, Array, Array]:
        size, states = self.size, self.states
        return (
            np.zeros((size, states, states), np.float32), np.zeros((size, 256, states), np.float32),
            np.zeros(states, np.float32),
        )  # fmt: skip

    def _first(self, records: Array, rng: Any) -> tuple[Array, Array, Array]:
        """Return counts, a record, where states are groups of records that are alike around each place."""
        sample = records[rng.permutation(self.count)[:GROUPED]]
        count = len(sample)
        values = sample.astype(np.float32)
        group = np.zeros((self.size, count), np.int64)
        for place in range(self.size):
            near = self._beside(place)
            far = [two for one in near for two in self._beside(one) if two != place and two not in near]
            seen = np.concatenate([values[:, [place]], values[:, near] * 0.7, values[:, far] * 0.4], axis=1)
            seen = seen + rng.normal(0, 2, seen.shape).astype(np.float32)
            centres = seen[rng.permutation(count)[np.arange(self.states) % count]]
            for _ in range(ROUNDS):
                group[place] = ((centres * centres).sum(axis=1) - 2 * seen @ centres.T).argmin(axis=1)
                members = np.zeros((count, self.states), np.float32)
                members[np.arange(count), group[place]] = 1
                many = members.sum(axis=0)[:, None]
                drawn = seen[rng.permutation(count)[np.arange(self.states) % count]]
                centres = np.where(many > 0, members.T @ seen / np.maximum(many, 1), drawn)
        tables, leaves, start = self._empty()
        for place in range(self.size):
            if place != self.root:
                np.add.at(tables[place], (group[self.parents[place]], group[place]), 1)
            np.add.at(leaves[place], (sample[:, place], group[place]), 1)
        start += np.bincount(group[self.root], minlength=self.states)
        return tables / np.float32(count), leaves / np.float32(count), start / np.float32(count)

    def _beside(self, place: int) -> list[int]:
        return self.kids[place] + ([int(self.parents[place])] if place != self.root else [])

    def _maximise(self, seen: int) -> None:
        """Make tables of counts, which are of `seen` records."""
        tables, leaves, start = self.counts
        tables = tables * np.float32(seen) + np.float32(CHANCE)
        self.tables = tables / tables.sum(axis=2, keepdims=True)
        start = start * np.float32(seen) + np.float32(CHANCE)
        self.start = start / start.sum()
        self.leaves = np.empty_like(leaves)
        for place in range(self.size):
            alike = self.alike[place][:, None] * np.float32(seen) + np.float32(0.02)
            self.leaves[place] = smoothed(leaves[place] * np.float32(seen), alike, *SMOOTHING)

    def fit(
        self, records: Array, held: Array, epochs: int, rng: Any,
        report: Callable[[int, int, dict[str, float]], None],
    ) -> None:  # fmt: skip
        """Go through all records `epochs` times."""
        batch = max(16, min(500, BATCH // (self.size * self.states)))
        for epoch in range(1, epochs + 1):
            order = rng.permutation(len(records))
            logs = []
            for begin in range(0, len(records), PORTION):
                portion = order[begin : begin + PORTION]
                found = self._empty()
                for at in range(0, len(portion), batch):
                    logs.append(self._expect(records[portion[at : at + batch]], found))
                self.step += 1
                share = max(len(portion) / len(records), (self.step + 1) ** -FADING if self.step > 1 else 1.0)
                for old, new in zip(self.counts, found, strict=True):
                    old *= np.float32(1 - share)
                    old += np.float32(share / len(portion)) * new
                self._maximise(min(len(records), int(len(portion) / share)))
            other = np.concatenate([self._expect(held[at : at + batch]) for at in range(0, len(held), batch)])
            figures = {"bits": self._bits(np.concatenate(logs)), "held": self._bits(other)}
            report(epoch, epochs, figures)

    def _bits(self, logs: Array) -> float:
        return float(-logs.mean() / np.log(2) / self.size)

    def _expect(self, records: Array, found: tuple[Array, Array, Array] | None = None) -> Array:
        """Return the logarithms of the chances of records, float64 (B,), and add what is expected to `found`."""
        values = np.ascontiguousarray(records.T)
        count = len(records)
        below = np.ones((self.size, count, self.states), np.float32)
        message = np.empty_like(below)
        logs = np.zeros(count)
        for place in reversed(self.order):
            for kid in self.kids[place]:
                below[place] *= message[kid]
                scaled(below[place], logs)
            met(below[place], self.leaves[place], values[place])
            scaled(below[place], logs)
            if place != self.root:
                np.matmul(below[place], self.tables[place].T, out=message[place])
        above = np.broadcast_to(self.start, (count, self.states)).astype(np.float32)
        logs += np.log((below[self.root] * above).sum(axis=1))
        if found is None:
            return logs
        tables, leaves, start = found
        belief = np.empty_like(below)
        believed(below[self.root], above, above.copy(), belief[self.root], values[self.root], leaves[self.root])
        start += belief[self.root].sum(axis=0)
        for place in self.order[1:]:
            back = belief[self.parents[place]] / (message[place] + np.float32(1e-30))
            np.matmul(back, self.tables[place], out=above)
            believed(below[place], above, back, belief[place], values[place], leaves[place])
            tables[place] += self.tables[place] * (back.T @ below[place])
        return logs

    def codes(self) -> tuple[Array, Array, Array]:
        """Return the codes of the root's states, of tables, and of leaves, as `Circuit` takes them."""
        tables = _coded(self.tables)
        tables[self.root] = 0
        return _coded(self.start[None])[0], tables, _coded(self.leaves.transpose(0, 2, 1))


def _coded(chances: Array) -> Array:
    """Return the codes of the counts that chances come to, four to an octave: uint8 of the same shape."""
    counts = np.maximum(chances, 1e-9) * np.float32(65536)
    codes = np.rint(4 * np.log2(counts)) + 1
    return np.where(counts < 0.5, 0, np.clip(codes, 1, LEVELS - 1)).astype(np.uint8)
