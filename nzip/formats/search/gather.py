"""Takes the blocks of a text in order, and gathers what a search wants to know of each.

Lines belong to the block in which they begin: a line that a block's end tears is looked at when the rest of it comes.

Invariants: a block can be given again after an exception, and changes nothing if it was taken before; what is kept is
bounded by `MOST_KEPT` and `MOST_STEPS`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.formats.container.search import DOTTED, LETTERS, MOST_CARRIED, NUMBERS, Known, Steps, Times
from nzip.formats.search.layout import (
    FULL,
    FULL_NUMBERS,
    HEADS,
    MOST_HEADS,
    MOST_WORDS,
    SAID,
    SLOT_BITS,
    kinds,
)
from nzip.formats.search.times import FORMS, form_of, rough_times, time_of

LEAST_LINE, MOST_LINE = 20, 2000  # bytes of lines, on average
MOST_TORN = 1 << 16  # bytes of a line
MOST_KEPT = 1 << 17  # distinct words
DEAR = (NUMBERS, DOTTED, LETTERS)  # kinds of words that are let go, one after the other, where they are too many
MOST_STEPS = 1 << 21  # of all words, from blocks that have them to blocks that have not
LOOKED_BACK = 1 << 12  # lines before a block's end of which one has a time
SAMPLE = 1 << 20  # bytes that are looked at to see whether this is text
TRIED = 4  # blocks after which words are given up where most blocks have too many

_words = Native("nzip.formats.search.kernel", "words")


@lru_cache(1)
def _kinds() -> Any:
    import numpy as np

    return np.frombuffer(kinds(), np.uint8)


class _Taken(NamedTuple):
    """What the blocks so far come to.

    Attributes:
        blocks: their number.
        owner: the block in which the latest line begins, if its end was not seen; -1 where there is none.
        torn: what there is of that line,
        own: and how many bytes of it are in that block.
        time: of the last line with a time.
    """

    blocks: int = 0
    owner: int = -1
    torn: bytes = b""
    own: int = 0
    time: int | None = None


class _Settled(NamedTuple):
    """The blocks whose words are all known: their number, and the words of the last."""

    blocks: int = 0
    words: frozenset[int] | set[int] = frozenset()


def is_text(raw: bytes) -> bool:
    """Whether bytes are lines of text, as of a log or of records."""
    sample = raw[:SAMPLE]
    lines = sample.count(b"\n")
    return lines > 0 and b"\0" not in sample and LEAST_LINE * lines <= len(sample) <= MOST_LINE * lines


class Gatherer:
    """Gathers what is known of the blocks of a member.

    Attributes:
        given_up: the content is no text that a search gains from.
    """

    def __init__(self) -> None:
        self.given_up = False
        self._kinds = LETTERS | DOTTED | NUMBERS
        self._taken, self._settled = _Taken(), _Settled()
        self._numbers: dict[bytes, int] = {}  # of each word,
        self._steps: list[list[int]] = []  # and its steps,
        self._step_count = 0  # all together
        self._held: dict[int, set[int]] = {}  # the words of blocks that are not settled
        self._lines: list[int] = []
        self._skipped: list[int] = []
        self._carried: list[bytes] = []
        self._open: list[int] = []
        self._form: int | None = None
        self._ranges: list[tuple[int, int] | None] = []
        self._last: list[int | None] = []
        self._room: tuple[Any, ...] = ()

    def add(self, number: int, raw: bytes) -> None:
        """Take block `number`, which follows those that were taken."""
        if not self.given_up and number == self._taken.blocks:
            self._add(number, raw)

    def known(self) -> Known | None:
        """Return what is known of all blocks; None where a search gains nothing from it."""
        taken = self._taken
        if self.given_up:
            return None
        if taken.owner >= 0 and self._settled.blocks < taken.blocks:
            time = self._look(taken.owner, taken.torn, self._before(taken.owner))
            self._last[taken.owner :] = [time] * (taken.blocks - taken.owner)
        self._settle(taken.blocks)
        if not self._kinds and self._form is None:
            return None
        times = None if self._form is None else Times(self._form, self._ranges, self._last)
        words = sorted(self._numbers) if self._kinds else []
        blob = b"\n" + b"".join(word + b"\n" for word in words)
        steps = Steps.of((self._steps[self._numbers[word]] for word in words), taken.blocks)
        return Known(
            kinds=self._kinds,
            ended=taken.owner < 0,
            lines=self._lines,
            skipped=self._skipped,
            carried=self._carried,
            open=bytes(self._open),
            words=blob,
            steps=steps,
            times=times,
        )

    def without(self, kinds: int) -> Known | None:
        """Return what is known without words of these kinds; None where that is nothing."""
        self._drop(kinds)
        return self.known()

    @property
    def kinds(self) -> int:
        """The kinds of words that are listed."""
        return self._kinds

    def _add(self, number: int, raw: bytes) -> None:
        taken = self._taken
        if not number:
            if not is_text(raw):
                return self._give_up()
            self._form = form_of(raw)
        if raw.find(b"\0") >= 0:
            return self._give_up()
        # An earlier call may have broken off anywhere in what follows.
        for column in (self._lines, self._skipped, self._carried, self._open, self._ranges, self._last):
            del column[number:]
        begin = 0 if taken.owner < 0 else raw.find(b"\n") + 1 or len(raw)
        ended = taken.owner >= 0 and raw[:begin].endswith(b"\n")
        stop = max(begin, raw.rfind(b"\n") + 1)
        owner, torn, own, time = taken.owner, taken.torn + raw[:begin], taken.own, taken.time
        self._held[number] = set()
        self._open.append(0)
        self._carried.append(b"")
        self._skipped.append(begin)
        self._ranges.append(None)
        self._last.append(time)
        if len(torn) > MOST_TORN:
            return self._give_up()
        if ended:
            self._carried[owner] = torn[own:] if len(torn) - own <= MOST_CARRIED else b""
            time = self._look(owner, torn, self._before(owner))
            self._last[owner:] = [time] * (number + 1 - owner)
        if ended or owner < 0:
            owner, torn, own = -1, b"", 0
            if begin < stop:
                time = self._look(number, raw if stop - begin == len(raw) else raw[begin:stop], time)
                self._last[number] = time
            if stop < len(raw):
                owner, torn, own = number, raw[stop:], len(raw) - stop
                if own > MOST_TORN:
                    return self._give_up()
        self._lines.append(raw.count(b"\n"))
        self._settle(number if owner < 0 else owner)
        if number + 1 == TRIED and 2 * sum(self._open) > TRIED:
            self._kinds = 0
        if not self._kinds and self._form is None:
            return self._give_up()
        self._taken = _Taken(number + 1, owner, torn, own, time)

    def _give_up(self) -> None:
        self.given_up = True
        self._numbers, self._steps, self._held = {}, [], {}

    def _before(self, number: int) -> int | None:
        """Return the time of the last line with one that is wholly known in block `number` or before."""
        return self._last[number]

    def _look(self, number: int, text: bytes, time: int | None) -> int | None:
        """Add what is in whole lines that begin in block `number`; return the time of the last of them, which is `time`
        where none has one."""
        import numpy as np

        if not self._room:
            self._room = (
                np.empty(1 << SLOT_BITS, np.int32), np.empty(2 * MOST_WORDS, np.int64),
                np.empty(MOST_HEADS, np.int64), np.empty(SAID, np.int64),
            )  # fmt: skip
        slots, places, heads, said = self._room
        slots.fill(0)
        said.fill(0)
        size = 0 if self._form is None else FORMS[self._form].size
        digits = 0 if not self._kinds & DOTTED else 2 if self._kinds & NUMBERS else 1
        count = int(_words(np.frombuffer(text, np.uint8), _kinds(), size, digits, slots, places, heads, said))
        if said[FULL]:
            self._open[number] = 1
        if self._kinds:
            held, known = self._held[number], self._numbers
            found = places[: 2 * count].tolist()
            for at, length in zip(found[::2], found[1::2], strict=True):
                held.add(known.setdefault(text[at : at + length], len(known)))
            if said[FULL_NUMBERS]:
                self._drop(NUMBERS)
            self._bound()
        return self._timed(number, text, time, heads[: int(said[HEADS])].tolist(), int(said[HEADS]))

    def _timed(self, number: int, text: bytes, time: int | None, heads: list[int], count: int) -> int | None:
        if self._form is None:
            return None
        form = FORMS[self._form]
        if count > MOST_HEADS:
            self._form = None
            return None
        if form.size:
            begun = {text[at : at + form.size] for at in heads}
        else:
            begun = {match[0] for match in form.head.finditer(text)}
        found = rough_times(begun, form)
        ends = [each for each in (found, self._ranges[number], time and (time, time)) if each]
        if ends:
            self._ranges[number] = (min(each[0] for each in ends), max(each[1] for each in ends))
        stop = len(text)
        for _ in range(LOOKED_BACK):
            if stop <= 0:
                return time
            begin = text.rfind(b"\n", 0, stop - 1) + 1
            value = time_of(text, begin, form)
            if value is not None:
                return value
            stop = begin
        if found is not None:
            self._form = None  # a time may stand so far up that nobody would look for it
        return time

    def _settle(self, blocks: int) -> None:
        """Note where words begin and cease to stand in blocks, of all before number `blocks`."""
        if not self._kinds:
            self._held, self._steps = {}, []
            return
        while self._settled.blocks < blocks:
            number = self._settled.blocks
            words = self._held[number]
            self._steps += [[] for _ in range(len(self._numbers) - len(self._steps))]
            for word in words ^ self._settled.words:
                steps = self._steps[word]
                if not steps or steps[-1] != number:  # else it was noted before
                    steps.append(number)
                    self._step_count += 1
            self._settled = _Settled(number + 1, words)
            self._held.pop(number, None)
        self._bound()

    def _bound(self) -> None:
        """Let go of kinds of words, those that cost most first, until what is kept is bounded."""
        for kind in DEAR:
            if len(self._numbers) <= MOST_KEPT and self._step_count <= MOST_STEPS:
                return
            self._drop(kind)

    def _drop(self, kinds: int) -> None:
        """Forget the words of these kinds; those that are left get new numbers."""
        if not self._kinds & kinds:
            return
        left = [word for word in self._numbers if kind_of(word) & self._kinds & ~kinds]
        renumbered = {self._numbers[word]: number for number, word in enumerate(left)}
        steps = [self._steps[number] for number in renumbered if number < len(self._steps)]

        def kept(words: frozenset[int] | set[int]) -> set[int]:
            return {renumbered[word] for word in words if word in renumbered}

        held = {number: kept(words) for number, words in self._held.items()}
        settled = self._settled._replace(words=kept(self._settled.words))
        numbers, count = dict(zip(left, range(len(left)), strict=True)), sum(map(len, steps))
        self._kinds, self._numbers, self._held = self._kinds & ~kinds, numbers, held
        self._steps, self._step_count, self._settled = steps, count, settled


def kind_of(word: bytes) -> int:
    """Return the kind of a word of the table."""
    if not word[:1].isdigit() and word[:1] != b".":
        return LETTERS
    return DOTTED if b"." in word else NUMBERS


def prepare() -> None:
    """Compile what looks for words."""
    Gatherer().add(0, b"2015-07-29 17:41:44 a line of a log\n")
