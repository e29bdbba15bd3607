"""Which settings an encoder had: found by trying, where the first tokens that differ rule one out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nzip.formats.openers.deflate.constants import FARTHEST
from nzip.formats.openers.deflate.flushes import CLEAR, PARTIAL, SYNC
from nzip.formats.openers.deflate.inflation import Inflated
from nzip.formats.openers.deflate.recipe import MOST_STOPS
from nzip.formats.openers.deflate.settings import (
    FILTERED,
    FIXED_CODES,
    GREEDIEST,
    GZIP,
    HUFFMAN,
    RLE,
    TOO_FAR,
    Settings,
)

Array = Any
USUAL = (6, 9, 1, 8, 5, 7, 3, 4, 2)  # levels, the likeliest first
MARGIN = 262  # a match of zlib's reaches no farther than the window without these
LIKELY = 1 << 12  # tokens by which settings are told apart, when several are tried


class Structure:
    """What the blocks of a stream tell.

    Attributes:
        stops: where it was flushed, its end last.
        marks: what stands there, but for the end.
        regular: whether the marks are such as zlib writes.
        full: tokens of full blocks, as far as they are known; None if they differ.
        seen: the first tokens, as far as no stored block hides some.
        hidden: whether one does.

    Args:
        stream: what was inflated.
        open_end: whether more follows, maybe a mark.
    """

    def __init__(self, stream: Inflated, open_end: bool = False):
        blocks = stream.blocks
        kinds, sizes = blocks[:, 1] & 3, blocks[:, 4] - blocks[:, 3]
        last = blocks[:, 1] >> 2
        after = [*blocks[1:, 2].tolist(), len(stream.tokens)]
        counts = [b - a for a, b in zip(blocks[:, 2].tolist(), after, strict=True)]
        size = len(stream.plain)
        self.regular = True
        self.stops: list[int] = []
        self.marks: list[int] = []
        seen = None
        whole: list[int] = []
        emptied = False  # the block before is a mark
        tail = False  # the latest block may be of any size if a mark follows
        for k, (kind, long, final, n) in enumerate(
            zip(kinds.tolist(), sizes.tolist(), last.tolist(), counts, strict=True)
        ):
            if long == 0 and not final and kind < 2:
                if emptied and self.marks[-1] == PARTIAL and kind == 0:
                    self.marks[-1] |= SYNC
                elif emptied:
                    self.regular = False
                else:
                    self.stops.append(int(blocks[k, 3]))
                    self.marks.append(PARTIAL if kind else SYNC)
                if tail:
                    whole.pop()
                tail, emptied = False, True
                continue
            tail = emptied = False
            if long == 0 and final and kind == 0:
                self.regular = False
            if kind == 0 and long > 0:
                if seen is None:
                    seen = after[k]
            elif not final:
                whole.append(n)
                tail = True
        self.stops.append(size)
        if open_end and tail:
            whole.pop()
        self.full = sorted(set(whole))
        self.most = max(counts)
        self.hidden = seen is not None
        self.seen = stream.tokens if seen is None else stream.tokens[:seen]
        self.fixed = not (kinds == 2).any()
        matches = stream.tokens[stream.tokens > 511]
        distances = matches >> 9
        self.farthest = int(distances.max()) if len(distances) else 0
        self.matches = len(matches)
        lengths = matches & 511
        self.shortest = int(lengths.min()) if len(matches) else 0
        self.far = bool((distances[lengths == 3] > TOO_FAR).any())

    def allows(self, settings: Settings) -> bool:
        """Whether blocks have as many tokens as settings give them, and no match is one that they leave out."""
        if self.far and settings.level > GREEDIEST and not settings.far:
            return False
        full = settings.full()
        if settings.strategy == GZIP:
            return len(self.stops) == 1 and all(n == full or n % 4096 == 0 for n in self.full)
        return self.most <= full and all(n == full for n in self.full)


def candidates(
    structure: Structure, recent: Sequence[tuple[Settings, bool]] = ()
) -> Iterator[tuple[Settings, list[int]]]:
    """Yield the settings that blocks and matches do not rule out, the likeliest first.

    Args:
        structure: the stream's.
        recent: settings of streams before it, and whether flushes forgot matches.
    """
    if not structure.regular or structure.farthest > FARTHEST - MARGIN or len(structure.stops) > MOST_STOPS:
        return
    marks = structure.marks
    for settings, clear in recent:
        if structure.allows(settings):
            yield settings, [mark | CLEAR for mark in marks] if clear else marks
    for settings in _settings(structure):
        if structure.far and settings.level > GREEDIEST:
            settings = settings._replace(far=1)
        yield settings, marks
        if marks:
            yield settings, [mark | CLEAR for mark in marks]


def _settings(structure: Structure) -> Iterator[Settings]:
    gzip = len(structure.stops) == 1 and all(n == 0x7FFF or n % 4096 == 0 for n in structure.full)
    memories = []  # of hashes and of blocks
    for block in (8, 9, 7, 6, 5, 4, 3, 2, 1) if structure.full else (8, 9, 7):
        full = (1 << (block + 6)) - 1
        for less in (0, 1):
            if structure.most <= full - less and all(n == full - less for n in structure.full):
                memories += [(memory, block, less) for memory in dict.fromkeys((block, 8))]
                break
    base = [Settings(memory=m, block=b, less=less) for m, b, less in memories]
    if structure.matches == 0:
        for each in base:
            yield each
            yield each._replace(strategy=HUFFMAN)
    elif structure.farthest == 1:
        for each in base:
            yield each._replace(strategy=RLE)
    if gzip:
        usual = (9, 6, *(level for level in USUAL if level not in (9, 6)))
        if not memories or structure.full:
            yield from (Settings(level, GZIP) for level in usual)
    for k, each in enumerate(base):
        yield from (each._replace(level=level) for level in USUAL)
        if structure.shortest > 5:
            yield from (each._replace(level=level, strategy=FILTERED) for level in USUAL if level > GREEDIEST)
        if k == 0 and gzip and not structure.full:
            yield from (Settings(level, GZIP) for level in usual)
    yield from (each._replace(level=level, first=1) for each in base for level in USUAL)
    # Smaller windows, where they would have made a difference.
    for window in range(9, 15):
        if structure.farthest <= (1 << window) - MARGIN < structure.stops[-1]:
            narrow = [each._replace(window=window) for each in base]
            yield from (each._replace(level=level) for each in narrow for level in USUAL)
            if structure.fixed:
                yield from (each._replace(level=level, strategy=FIXED_CODES) for each in narrow for level in USUAL)
            if structure.shortest > 5:
                levels = [level for level in USUAL if level > GREEDIEST]
                yield from (each._replace(level=level, strategy=FILTERED) for each in narrow for level in levels)
    if structure.fixed:
        yield from (each._replace(level=level, strategy=FIXED_CODES) for each in base for level in USUAL)
    if not structure.full:
        # Tables of hashes that are small, and rare.
        small = [memory for memory in (6, 5, 4, 3, 2, 1) if structure.most < 64 << memory]
        yield from (Settings(level, memory=memory, block=memory) for memory in small for level in USUAL)

