"""Synthetic sequences with the programs that made them, for the KoLMogorov test.

After Yoran et al., "The KoLMogorov Test" (ICLR 2025): initiators make short lists; each may be modified; lists are
joined by concatenation (0.8) or interleaving (0.2); a list made before is used again with probability 0.2. A group of
modifiers is switched on for a sequence with probability 0.4, and one of a group that is on is applied to a list with a
probability drawn between 0.05 and 0.1. How long the lists are, and how often each initiator is drawn, is ours
(`Settings`). Invariants: the same seed and settings give the same sequences on every machine, sequence by sequence, so
fewer are a prefix of more; `run(program)` gives the sequence; every list on the way holds bytes only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nzip.evaluation.measures.kolmogorov.dsl import MAX_LINES, DslError, Line, Program, apply, pruned

LENGTH = 128
MAX_LENGTH = 255  # the last index that a slice can name is 255; initiators and joins stay within MAX_ITEMS

# Modifiers that are switched on together.
GROUPS = {
    "order": ("reverse", "repeat_list", "jump", "slice"),
    "number": ("add_number", "subtract_number", "mod_number", "max", "min", "substitute"),
    "filter": ("even", "odd", "nonzero"),
    "scan": ("scan_add",),
    "lists": ("add_lists", "subtract_lists", "mod_lists"),
}
_MODIFIERS = {key for keys in GROUPS.values() for key in keys}


@dataclass(frozen=True)
class Settings:
    """What the paper leaves open, and what it fixes.

    Attributes:
        length: bytes of each sequence.
        initiators: how often a list begins as range, range down, range with step, repeated number, literal.
        longest: items drawn for a range at most; bytes may end before, and a repeated number has 20.
        longest_literal: items of a literal at most.
        interleave, reuse, group_on: probabilities.
        applied: lowest and highest probability with which a modifier of a group that is on is applied to a list.
        join: probability that two finished lists are joined before another begins.
    """

    length: int = LENGTH
    initiators: tuple[float, ...] = (0.25, 0.1, 0.2, 0.25, 0.2)
    longest: int = 96
    longest_literal: int = 16
    interleave: float = 0.2
    reuse: float = 0.2
    group_on: float = 0.4
    applied: tuple[float, float] = (0.05, 0.1)
    join: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.length <= MAX_LENGTH:
            raise ValueError(f"a sequence has 1 to {MAX_LENGTH} bytes, not {self.length}")


def sequences(
    seed: int, total: int, length: int = LENGTH, *, settings: Settings | None = None
) -> Iterator[tuple[list[int], Program]]:
    """Yield sequences of `length` bytes, each with the program that made it, until they hold `total` bytes.

    Args:
        seed: of the whole set; sequence `k` depends on the seed and `k` alone.
        total: bytes; the last sequence may pass it.
        length: of each sequence, 1 to 255.
        settings: in place of the defaults; its own length then counts.

    Raises:
        ValueError: the length is out of range.
    """
    settings = settings or Settings(length=length)
    for index in range(-(-total // settings.length)):
        yield sequence(np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index]))), settings)


def sequence(random: np.random.Generator, settings: Settings) -> tuple[list[int], Program]:
    """Draw one sequence of `settings.length` bytes and the program that makes it."""
    while True:
        made, program = _Maker(random, settings).make()
        if len(program) <= MAX_LINES:
            return made, program


class _Maker:
    """One program as it grows: its lines, the list of each, and the lists that wait to be joined."""

    def __init__(self, random: np.random.Generator, settings: Settings) -> None:
        self.random = random
        self.settings = settings
        self.lines: list[Line] = []
        self.lists: list[list[int]] = []
        self.waiting: list[int] = []  # numbers of lines
        low, high = settings.applied
        self.modifiers = [
            (key, low + (high - low) * random.random())
            for keys in GROUPS.values()
            if random.random() < settings.group_on
            for key in keys
        ]

    def make(self) -> tuple[list[int], Program]:
        settings = self.settings
        while (room := self.room()) > 0:
            again = [at for at, made in enumerate(self.lists, 1) if 1 < len(made) <= room and max(made) < 256]
            if again and self.random.random() < settings.reuse:
                at = again[self.below(len(again))]
            else:
                at = self.initiate(room)
            self.waiting.append(self.modify(at, room))
            while len(self.waiting) > 1 and self.random.random() < settings.join:
                self.join()
            if self.room() == 0:
                while len(self.waiting) > 1:
                    self.join()
        return self.lists[self.waiting[0] - 1], pruned(self.lines, self.waiting[0])

    def room(self) -> int:
        """Return how many items are missing yet."""
        return self.settings.length - sum(len(self.lists[at - 1]) for at in self.waiting)

    def below(self, count: int) -> int:
        return int(self.random.integers(count))

    def between(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def add(self, key: str, *arguments: int) -> int | None:
        """Add a line and return its number; None, and no line, where its list is empty, not of bytes or not new."""
        line = Line(key, arguments)
        try:
            made = apply(line, self.lists, len(self.lines) + 1)
        except DslError:
            return None
        if not made or min(made) < 0 or max(made) > 255:
            return None
        if key in _MODIFIERS and made == self.lists[arguments[0] - 1]:
            return None
        self.lines.append(line)
        self.lists.append(made)
        return len(self.lines)

    def initiate(self, room: int) -> int:
        """Add a list of 1 to `room` items."""
        settings = self.settings
        keys = ("range", "range_down", "range_step", "repeat", "list")
        weights = np.asarray(settings.initiators)
        key = keys[int(np.searchsorted(np.cumsum(weights / weights.sum()), self.random.random(), side="right"))]
        items = self.between(2, max(2, min(settings.longest, room))) if room > 1 else 1
        first = self.below(256)
        made: int | None
        if key == "range":
            made = self.add(key, first, min(first + items - 1, 255))
        elif key == "range_down":
            made = self.add(key, first, max(first - items + 1, 0))
        elif key == "range_step":
            step = self.between(2, 5)
            made = self.add(key, first, min(first + step * (items - 1), 255), step)
        elif key == "repeat":
            made = self.add(key, first, min(items, 20))
        else:
            made = self.add(key, *(self.below(256) for _ in range(min(items, settings.longest_literal))))
        assert made is not None
        return made

    def modify(self, at: int, room: int, *, shorten: bool = True) -> int:
        """Apply what is drawn of the modifiers to a list; it then has 1 to `room` items."""
        for key, probability in self.modifiers:
            if self.random.random() < probability and (made := self.modified(key, at)) is not None:
                items = len(self.lists[made - 1])
                if items <= room and (shorten or items >= len(self.lists[at - 1])):
                    at = made
        return at

    def modified(self, key: str, at: int) -> int | None:
        items = self.lists[at - 1]
        match key:
            case "reverse" | "even" | "odd" | "nonzero":
                return self.add(key, at)
            case "repeat_list":
                return self.add(key, at, self.between(2, 4))
            case "jump":
                return self.add(key, at, self.between(2, 5))
            case "slice":
                first, last = sorted((self.below(len(items)), self.below(len(items))))
                return self.add(key, at, first, last)
            case "substitute":
                return self.add(key, at, items[self.below(len(items))], self.below(256))
            case "add_number":
                return self.add(key, at, self.between(0, 255 - max(items)))
            case "subtract_number":
                return self.add(key, at, self.between(0, min(items)))
            case "mod_number":
                return self.add(key, at, self.between(2, 256))
            case "max" | "min":
                return self.add(key, at, self.between(min(items), max(items)))
            case "scan_add":
                return self.scanned(at)
        other = self.initiate(len(items))
        if len(self.lists[other - 1]) != len(items):
            return None
        return self.add(key, at, other)

    def scanned(self, at: int) -> int | None:
        """Add sums and their remainders by a number, which keeps them bytes; the sums themselves where they are."""
        made = self.add("scan_add", at)
        if made is not None:
            return made
        line = Line("scan_add", (at,))
        self.lines.append(line)
        self.lists.append(apply(line, self.lists, len(self.lines)))
        return self.add("mod_number", len(self.lines), self.between(2, 256))

    def join(self) -> None:
        other, one = self.waiting.pop(), self.waiting.pop()
        key = "interleave" if self.random.random() < self.settings.interleave else "concatenate"
        made = self.add(key, one, other)
        assert made is not None
        self.waiting.append(self.modify(made, self.room(), shorten=False))
