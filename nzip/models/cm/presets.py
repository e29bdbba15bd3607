"""The presets of the `cm` engine: what the kernel mixes, as data.

A context is two masked sources hashed together; a source is a 64-bit value that the kernel renews at each byte
(the last eight bytes, a word's hash, the byte above in a record, ...). A preset names the contexts of each class of
block, the selectors of the mixer's weight sets, and the rates. Nothing here is code: another list of contexts is
another preset, and the kernel stays as it is. Presets are part of the format: changing one changes payloads, so it
takes a new engine version.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MASK64 = (1 << 64) - 1


class Source(IntEnum):
    """Values the kernel renews at each byte; the comments say how the 64 bits are filled, lowest byte first."""

    NONE = 0
    LAST8 = 1  # the last byte, the one before, ... eight of them
    LAST16 = 2  # the ninth to last byte ... the sixteenth to last
    WORD = 3  # hash of the letters of the current word, case folded
    WORD1 = 4  # hash of the word before
    WORD2 = 5  # hash of the word before that one
    ABOVE = 6  # bytes at distance R, 2R, R - 1, R + 1, 3R, for the record length R
    COLUMN = 7  # position modulo R
    AFTER1 = 8  # bytes that followed the last byte earlier, the latest first
    AFTER2 = 9  # bytes that followed the last two bytes earlier, the latest first
    LINE = 10  # column in the line, the byte above in the line before, the line's first byte
    SHAPE = 11  # classes of the last 16 bytes, 4 bits each
    WORDS = 12  # hash of the two words before


@dataclass(frozen=True)
class Context:
    """One context: `first` and `second`, each masked, hashed together.

    Attributes:
        direct: the masked `first` is an index and not hashed (for contexts of a byte at most).
        wide: the bucket of a byte's second nibble may lie anywhere. Otherwise it lies in the cache line beside the
            first nibble's, which is faster, and crowds contexts that many different bytes follow.
    """

    first: Source
    first_mask: int
    second: Source = Source.NONE
    second_mask: int = 0
    direct: bool = False
    wide: bool = False


class Select(IntEnum):
    """What chooses a row of a weight set."""

    ONE = 0  # nothing: one row
    PARTIAL = 1  # the bits of the current byte so far
    LAST = 2  # the last byte
    MATCH = 3  # number of buckets seen before, class of the match's length, and bit position
    SEEN = 4  # number of buckets seen before, and bit position
    LAST2 = 5  # the byte before the last
    SHAPES = 6  # classes of the last two bytes
    COLUMNS = 7  # position in the record


def select_rows(select: Select, contexts: int) -> int:
    """Return how many rows `select` chooses from when there are `contexts` contexts."""
    if select == Select.ONE:
        return 1
    if select == Select.MATCH:
        return 72 * (contexts + 1)
    return 8 * (contexts + 1) if select == Select.SEEN else 256


@dataclass(frozen=True)
class Preset:
    """One preset.

    Attributes:
        text, binary: contexts for each class of block.
        text_sets, binary_sets: selectors of the mixer's weight sets for each class.
        max_bits: log2 of the most buckets (of 16 bytes) in the hash table.
        inputs: the most inputs of the mixer, a multiple of 16. Contexts beyond what fits have one input, not two.
        match_min: bytes that the match model hashes, and its shortest match; 0 for no match model.
        match_min_binary: the same for binary blocks.
        ahead: 1 where the match model hashes one byte less and looks up a byte early; not with match_min 0.
        limit: bound of the counts of the adaptive maps; 1022 at most, as are the next.
        apm_limit: bound of the counts of the refinement.
        rate, rate_start, rate_fall: learning rate of the first layer: `rate_start` is added to `rate` at first, and
            half of it after `rate_fall` uses of a row.
        final_rate: learning rate of the second layer.
        weight: what the weights of stretched probabilities start with, in 1/65536.
        refine: 1 for the refinement stage, 0 for none.
        counters: counters of the last 1..`counters` bytes, at most 3: adaptive probabilities without histories.
        counter_limit: bound of their counts.
        large: the preset that `fit` takes in its place for blocks of `LARGE` bytes and more; 0 for none.
        primer: bytes of a primer that are read before a block of text, at most; from version 2 on.
    """

    text: tuple[Context, ...]
    binary: tuple[Context, ...]
    text_sets: tuple[Select, ...]
    binary_sets: tuple[Select, ...]
    max_bits: int
    inputs: int = 64
    match_min: int = 6
    match_min_binary: int = 6
    ahead: int = 0
    limit: int = 1022
    apm_limit: int = 255
    rate: int = 180
    rate_start: int = 5000
    rate_fall: int = 48
    final_rate: int = 50
    weight: int = 12000
    refine: int = 1
    counters: int = 0
    counter_limit: int = 255
    large: int = 0
    primer: int = 1 << 16


S = Source


def _order(n: int) -> Context:
    """The last `n` bytes (0..8)."""
    return Context(S.LAST8, (1 << 8 * n) - 1, direct=n <= 1, wide=2 <= n <= 3)


def _bytes(*which: int) -> Context:
    """Those of the last eight bytes that `which` lists (1 is the last)."""
    return Context(S.LAST8, sum(255 << 8 * (k - 1) for k in which), wide=True)


# Words. Each name says what the context holds; `LAST` is the last byte.
_WORD_LAST = Context(S.WORD, MASK64, S.LAST8, 0xFF, wide=True)
_WORD = Context(S.WORD, MASK64)
_WORD_WORD1 = Context(S.WORD, MASK64, S.WORD1, MASK64)
_WORD_WORDS = Context(S.WORD, MASK64, S.WORDS, MASK64)
_WORD_WORD2 = Context(S.WORD, MASK64, S.WORD2, MASK64)
_WORD1_LAST = Context(S.WORD1, MASK64, S.LAST8, 0xFF)
# Shapes: the classes of the last 6, 8, 12 and 16 bytes.
_SHAPE6 = Context(S.SHAPE, 0xFFFFFF)
_SHAPE8 = Context(S.SHAPE, 0xFFFFFFFF)
_SHAPE12_WORD = Context(S.SHAPE, (1 << 48) - 1, S.WORD, MASK64)
_SHAPE12_LAST = Context(S.SHAPE, (1 << 48) - 1, S.LAST8, 0xFF)
_SHAPE16 = Context(S.SHAPE, MASK64)
# Lines.
_LINE = Context(S.LINE, 0xFFFF)
_LINE_COLUMN_LAST = Context(S.LINE, 0xFF, S.LAST8, 0xFF)
_LINE_ABOVE_LAST2 = Context(S.LINE, 0xFF00, S.LAST8, 0xFFFF)
_LINE_FIRST_LAST2 = Context(S.LINE, 0xFF0000, S.LAST8, 0xFFFF)
# What came after the same bytes before.
_AFTER1 = Context(S.AFTER1, 0xFFFF, S.LAST8, 0xFF)
_AFTER1_LONG = Context(S.AFTER1, 0xFFFFFF, S.LAST8, 0xFF)
_AFTER2 = Context(S.AFTER2, 0xFFFF, S.LAST8, 0xFF)
# Records.
_ABOVE_COLUMN = Context(S.ABOVE, 0xFFFF, S.COLUMN, MASK64)
_ABOVE_LAST = Context(S.ABOVE, 0xFFFF, S.LAST8, 0xFF)
_AROUND = Context(S.ABOVE, 0xFFFFFFFF)
_AROUND_LAST = Context(S.ABOVE, 0xFFFF00FF, S.LAST8, 0xFF)
_COLUMN_LAST = Context(S.COLUMN, MASK64, S.LAST8, 0xFF)

_TEXT1 = (*map(_order, (1, 2, 3, 4, 6)), _WORD_LAST)
_TEXT2 = (*_TEXT1, _SHAPE8)
_TEXT3 = (*map(_order, (0, 1, 2, 3, 4)), _WORD_LAST, _WORD_WORD1, _SHAPE8, _LINE)
_TEXT4 = (*_TEXT3, _order(6), _AFTER1, _SHAPE12_WORD, _WORD_WORD2, _order(5), _bytes(2, 3))
_TEXT5 = (*_TEXT4, _AFTER2, _WORD, _LINE_COLUMN_LAST, _LINE_ABOVE_LAST2, _SHAPE12_LAST, _order(8))
_TEXT6 = (
    *_TEXT5, _bytes(3, 4), _bytes(2), _LINE_FIRST_LAST2, _WORD1_LAST, _SHAPE16, _AFTER1_LONG, _bytes(2, 3, 4),
)  # fmt: skip

_BINARY1 = (*map(_order, (1, 2, 3, 4)), _bytes(2, 3), _ABOVE_LAST)
_BINARY2 = (*_BINARY1, _SHAPE6)
_BINARY3 = (
    *map(_order, (0, 1, 2, 6)), _bytes(2, 3), _bytes(3, 4), _ABOVE_COLUMN, _ABOVE_LAST, _AROUND_LAST, _SHAPE6,
)  # fmt: skip
_BINARY4 = (*_BINARY3, _order(4), _order(3), _bytes(1, 4), _AFTER2, _AROUND, _COLUMN_LAST)
_BINARY5 = (*_BINARY4, _order(5), _bytes(2, 4), _AFTER1, _WORD_LAST, _LINE, _bytes(4))
_BINARY6 = (
    *_BINARY5, _bytes(2), _bytes(3), _bytes(1, 3), _SHAPE12_WORD, _bytes(5), _AFTER1_LONG, _bytes(2, 3, 4),
)  # fmt: skip

_SETS1 = (Select.PARTIAL,)
_SETS2 = (Select.LAST, Select.MATCH)
_SETS3 = (Select.PARTIAL, Select.LAST, Select.MATCH)
_SETS4 = (*_SETS3, Select.LAST2)
_SETS_TEXT = (*_SETS4, Select.SHAPES, Select.SEEN)
_SETS_BINARY = (*_SETS4, Select.COLUMNS, Select.SEEN)

DEFAULT_PRESET = 3
LARGE = 1 << 21
PRESETS_1: dict[int, Preset] = {  # of version 1
    1: Preset(_TEXT1, _BINARY1, _SETS1, _SETS1, 22, inputs=16),
    2: Preset(_TEXT2, _BINARY2, _SETS3, _SETS3, 22, inputs=16),
    3: Preset(_TEXT3, _BINARY3, _SETS3, _SETS2, 23, inputs=16),
    4: Preset(_TEXT4, _BINARY4, _SETS4, _SETS4, 24, inputs=32, weight=9000),
    5: Preset(_TEXT5, _BINARY5, _SETS_TEXT, _SETS_BINARY, 24, weight=6000),
    6: Preset(_TEXT6, _BINARY6, _SETS_TEXT, _SETS_BINARY, 25, weight=6000),
}

_SETS = (Select.SHAPES, Select.MATCH)
_FAST_TEXT = (_order(4), _order(6), _WORD_LAST, _WORD_WORD1)
_FAST_BINARY = (_order(1), _order(2), _order(4), _bytes(2, 3), _ABOVE_LAST)
_TEXT = (*_FAST_TEXT, _SHAPE8)
_MORE_TEXT = (*map(_order, (0, 4, 6)), _WORD_LAST, _WORD_WORD1, _SHAPE8, _LINE)
_LARGE_TEXT = (*_MORE_TEXT, _SHAPE12_WORD, _order(2), _order(3), _WORD_WORD2, _WORD_WORDS)
_LARGE_BINARY = (*_BINARY3, _order(4))

PRESETS: dict[int, Preset] = {  # of version 2
    1: Preset(_FAST_TEXT, _FAST_BINARY, _SETS, _SETS, 22, 16, 8, rate=60, counters=3, ahead=1, primer=1 << 13),
    2: Preset(_TEXT, _BINARY2, _SETS, _SETS, 22, 16, 8, rate=60, counters=3, ahead=1, primer=1 << 15),
    3: Preset(_MORE_TEXT, _BINARY3, _SETS, _SETS3, 22, 16, 8, rate=60, counters=3, ahead=1, large=4),
    # Contexts of two and three words take megabytes of text to pay.
    4: Preset(_LARGE_TEXT, _LARGE_BINARY, (Select.PARTIAL, *_SETS), _SETS3, 23, 32, 8, rate=60, counters=3, ahead=1),
}
