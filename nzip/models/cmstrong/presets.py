"""The presets of the `cmstrong` engine: what the kernel mixes, as data.

A context is up to three masked sources hashed together; a source is a 64-bit value that the kernel renews at each
byte (the last eight bytes, a word's hash, the byte above in a record, ...). A bitmap's blocks also have contexts that
change at each bit: masks of the near bits. A preset names the contexts of each class of block, what chooses the rows
of the mixer's weight sets, and the rates. Nothing here is code: another list of contexts is another preset, and the
kernel stays as it is. Presets are part of the format: changing one changes payloads, so it takes a new engine
version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

ALL = (1 << 64) - 1


class Source(IntEnum):
    """Values the kernel renews at each byte; the comments say how the 64 bits are filled, lowest byte first."""

    NONE = 0
    LAST8 = 1  # the last byte, the one before, ... eight of them
    LAST16 = 2  # the ninth to last byte ... the sixteenth to last
    WORD = 3  # hash of the letters of the current word, case folded
    WORD1 = 4  # hash of the word before
    WORD2 = 5  # hash of the word before that one
    WORD3 = 6  # and of the one before that
    ABOVE = 7  # bytes at distance R, 2R, R - 1, R + 1, 3R, R - 2, for the record length R
    COLUMN = 8  # position modulo R
    AFTER1 = 9  # bytes that followed the last byte earlier, the latest first
    AFTER2 = 10  # bytes that followed the last two bytes earlier, the latest first
    AFTER3 = 11  # bytes that followed the last three bytes (their hash) earlier, the latest first
    LINE = 12  # column in the line, the byte above in the line before, the line's first byte
    SHAPE = 13  # classes of the last 16 bytes, 4 bits each
    EXPECT = 14  # the byte the longest match expects, then its length's class + 1; 0 without a match
    IDENT = 15  # hash of the letters, digits and underscores of the current name
    IDENT1 = 16  # hash of the name before
    MARKS = 17  # the last eight bytes that were neither letter, digit nor space
    PLACE = 18  # letters in the word so far, bytes since the last letter, first letter of the last word
    GUESS = 19  # above + last - above left, 2 above - two above, (above + last) / 2: a byte each
    BRACKET = 20  # the innermost open bracket or quote, then the one around it
    LETTERS = 21  # the last eight letters, case folded
    ENDINGS = 22  # last three letters of the word before, of the word before that, 16 bits of the former's beginning
    LINEWORD = 23  # hash of the line's first word


@dataclass(frozen=True)
class Context:
    """One context: `first`, `second` and `third`, each masked, hashed together."""

    first: Source
    first_mask: int
    second: Source = Source.NONE
    second_mask: int = 0
    third: Source = Source.NONE
    third_mask: int = 0


class Select(IntEnum):
    """What chooses a row of a weight set."""

    SOURCE = 0  # bits of a source
    PARTIAL = 1  # the bits of the current byte so far
    MATCH = 2  # share of buckets seen before, class of the longest match's length, and bit position
    BITS = 3  # near bits of a bitmap


FIXED_ROWS = {Select.PARTIAL: 256, Select.MATCH: 576, Select.BITS: 1024}


@dataclass(frozen=True)
class Choice:
    """How a weight set's row is chosen.

    Attributes:
        select: the kind; the other attributes belong to `Select.SOURCE`.
        source, shift, mask: the row is `(source >> shift) & mask`,
        by_bit: times 8, plus the bit position, if true.
    """

    select: Select
    source: Source = Source.NONE
    shift: int = 0
    mask: int = 0
    by_bit: bool = False

    @property
    def rows(self) -> int:
        """How many rows there are to choose from."""
        if self.select != Select.SOURCE:
            return FIXED_ROWS[self.select]
        return (self.mask + 1) * (8 if self.by_bit else 1)


@dataclass(frozen=True)
class Preset:
    """One preset. Tuples of three stand for the classes: text, binary, bitmap.

    Attributes:
        contexts: contexts of whole bytes.
        near: masks of near bits, a context each. Bits 0..15 are the last bits of this row, bit 0 the latest; bits
            16..31 those of the row above around the place of the bit to come (which is bit 7 of them, a lower bit
            lies further right), bits 32..47 and 48..63 those of the two rows above that.
        sets: how the weight sets of the first layer choose their rows.
        max_bits: log2 of the most buckets (of 16 bytes) in the hash table.
        matches: bytes that each match model hashes (4..16), its shortest match; longest first.
        limit: bound of the counts of the contexts' maps; 1022 at most, as is the next.
        apm_limit: bound of the counts of the refinement.
        rate, rate_start, rate_fall: learning rate of the first layer: `rate_start` is added to `rate` at first, and
            half of it after `rate_fall` uses of a row.
        loud, quiet: the rate is multiplied by (loud + quiet) / (power + quiet), where `power` is that of the inputs.
        final_rate: learning rate of the second layer.
        weight: what the weights of stretched probabilities start with, in 1/65536.
        primer: bytes of a primer that are read before a block of text, at most.
        skim: the first so many contexts skim all other primers before that; 0 for no skimming.
    """

    contexts: tuple[tuple[Context, ...], ...]
    near: tuple[tuple[int, ...], ...]
    sets: tuple[tuple[Choice, ...], ...]
    max_bits: int
    matches: tuple[int, ...] = (16, 9, 5)
    limit: int = 1022
    apm_limit: int = 255
    rate: tuple[int, ...] = (20, 80, 60)
    rate_start: tuple[int, ...] = (1000, 1500, 1000)
    rate_fall: int = 96
    loud: int = 600
    quiet: int = 200
    final_rate: int = 100
    weight: int = 3500
    primer: int = 1 << 17
    skim: int = 0


S = Source


def _masked(mask: int) -> Context:
    """Some bits of the last eight bytes."""
    return Context(S.LAST8, mask)


def _order(n: int) -> Context:
    """The last `n` bytes (0..16)."""
    if n <= 8:
        return _masked((1 << 8 * n) - 1)
    return Context(S.LAST8, ALL, S.LAST16, (1 << 8 * (n - 8)) - 1)


def _bytes(*which: int) -> Context:
    """Those of the last eight bytes that `which` lists (1 is the last)."""
    return _masked(sum(255 << 8 * (k - 1) for k in which))


def _near(latest: int, *rows: Iterable[int]) -> int:
    """The `latest` bits, and bits of the rows above by their offset (-8..7) from straight above."""
    mask = (1 << latest) - 1
    for k, offsets in enumerate(rows):
        mask |= sum(1 << (16 * (k + 1) + 7 - offset) for offset in offsets)
    return mask


def _to(first: int, last: int) -> range:
    return range(first, last + 1)


_TEXT1 = (
    _order(1), _order(2), _order(3), _order(4), _order(6), Context(S.WORD, ALL, S.LAST8, 0xFF), Context(S.WORD, ALL),
    Context(S.WORD, ALL, S.WORD1, ALL), Context(S.SHAPE, 0xFFFFFFFF), Context(S.LINE, 0xFFFF), _masked(0xE0E0E0E0),
    Context(S.MARKS, 0xFFFFFF, S.WORD, ALL), Context(S.SHAPE, 0xFFFFFFFFFFFF, S.WORD, ALL),
    Context(S.EXPECT, 0xFF, S.LAST8, 0xFFFF),
)  # fmt: skip
_BINARY1 = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(6), _bytes(2, 3), _bytes(3, 4),
    Context(S.ABOVE, 0xFFFF, S.COLUMN, ALL), Context(S.ABOVE, 0xFFFF, S.LAST8, 0xFF),
    Context(S.ABOVE, 0xFFFF00FF, S.LAST8, 0xFF), Context(S.SHAPE, 0xFFFFFF), _masked(0xE0E0E0E0), _masked(0xF0F0FF),
    Context(S.AFTER2, 0xFFFF, S.LAST8, 0xFF), Context(S.EXPECT, 0xFF, S.LAST8, 0xFF),
)  # fmt: skip

_TEXT2 = (
    *_TEXT1, _order(0), _order(5), Context(S.WORD, ALL, S.WORD2, ALL), Context(S.LINE, 0xFF, S.LAST8, 0xFF),
    Context(S.AFTER1, 0xFFFF, S.LAST8, 0xFF), Context(S.AFTER3, 0xFFFF, S.LAST8, 0xFF), _bytes(2, 3), _bytes(2),
    Context(S.MARKS, 0xFFFF, S.LAST8, 0xFF), Context(S.LINEWORD, ALL, S.WORD, ALL), Context(S.WORD, ALL, S.MARKS, 0xFF),
    Context(S.IDENT, ALL, S.MARKS, 0xFF), Context(S.IDENT, ALL, S.IDENT1, ALL),
    Context(S.BRACKET, 0xFFFF, S.LAST8, 0xFF), Context(S.MARKS, 0xFFFFFFFF), _bytes(1, 3),
    Context(S.WORD1, ALL, S.LAST8, 0xFF), Context(S.LETTERS, 0xFFFFFFFF),
    Context(S.LAST8, 0xFFFFFF, S.SHAPE, 0xFFFF000),
)  # fmt: skip
_BINARY2 = (
    *_BINARY1, _bytes(1, 4), _bytes(2, 4), _bytes(2), _bytes(3), _bytes(4), _bytes(1, 3), Context(S.ABOVE, 0xFFFFFFFF),
    Context(S.COLUMN, ALL, S.LAST8, 0xFF), Context(S.GUESS, 0xFF, S.COLUMN, ALL),
    Context(S.AFTER1, 0xFFFF, S.LAST8, 0xFF), Context(S.AFTER3, 0xFFFF, S.LAST8, 0xFF),
    Context(S.WORD, ALL, S.LAST8, 0xFF), Context(S.SHAPE, 0xFFFFFFFF), _masked(0xE0E0E0E0FFFF), _masked(0xF0F0F0F0),
    _masked(0xFFF0), _masked(0xF0FFF0FF), Context(S.PLACE, ALL, S.LAST8, 0xFF), _bytes(1, 3, 5),
)  # fmt: skip

_TEXT3 = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(5), _order(6), _order(8), _order(11),
    Context(S.WORD, ALL, S.LAST8, 0xFF), Context(S.WORD, ALL), Context(S.WORD, ALL, S.WORD1, ALL),
    Context(S.WORD, ALL, S.WORD2, ALL), Context(S.WORD, ALL, S.WORD3, ALL),
    Context(S.WORD1, ALL, S.LAST8, 0xFF), Context(S.WORD1, ALL, S.PLACE, 0xFFFF),
    Context(S.IDENT, ALL, S.IDENT1, ALL), Context(S.SHAPE, 0xFFFFFFFF),
    Context(S.SHAPE, 0xFFFFFFFFFFFF, S.WORD, ALL), Context(S.SHAPE, 0xFFFFFFFFFFFF, S.LAST8, 0xFF),
    Context(S.SHAPE, ALL), Context(S.LINE, 0xFFFF), Context(S.LINE, 0xFF, S.LAST8, 0xFF),
    Context(S.LINE, 0xFF00, S.LAST8, 0xFFFF), Context(S.LINE, 0xFF0000, S.LAST8, 0xFFFF),
    Context(S.AFTER1, 0xFFFF, S.LAST8, 0xFF), Context(S.AFTER1, 0xFFFFFF, S.LAST8, 0xFF),
    Context(S.AFTER2, 0xFFFF, S.LAST8, 0xFF), Context(S.AFTER3, 0xFFFF, S.LAST8, 0xFF), _bytes(2, 3),
    _bytes(2), Context(S.EXPECT, 0xFFFF), Context(S.EXPECT, 0xFF, S.LAST8, 0xFFFF),
    Context(S.MARKS, 0xFFFF, S.LAST8, 0xFF), Context(S.MARKS, 0xFFFFFF, S.WORD, ALL),
    Context(S.BRACKET, 0xFF, S.LAST8, 0xFFFF), Context(S.LINEWORD, ALL, S.WORD, ALL), _masked(0xE0E0E0E0),
    Context(S.WORD, ALL, S.MARKS, 0xFF), Context(S.IDENT, ALL, S.MARKS, 0xFF),
    Context(S.MARKS, 0xFFFF, S.PLACE, 0xFFFF, S.LAST8, 0xFF), Context(S.BRACKET, 0xFFFF, S.WORD, ALL),
    Context(S.BRACKET, 0xFFFF, S.LAST8, 0xFF), Context(S.MARKS, 0xFFFFFFFF), _bytes(1, 3),
    Context(S.PLACE, 0xFF00FF, S.LAST8, 0xFF), Context(S.IDENT, ALL, S.LAST8, 0xFF),
    Context(S.WORD, ALL, S.WORD2, ALL, S.LAST8, 0xFF), Context(S.LINEWORD, ALL, S.LINE, 0xFF),
    Context(S.LINEWORD, ALL, S.LAST8, 0xFFFF), Context(S.AFTER1, 0xFF, S.AFTER2, 0xFF, S.AFTER3, 0xFF),
    Context(S.LETTERS, 0xFFFFFFFF), Context(S.LAST8, 0xFFFFFF, S.SHAPE, 0xFFFF000),
    Context(S.EXPECT, 0xFF, S.WORD, ALL), Context(S.WORD, ALL, S.LAST8, 0xFFFF),
    Context(S.WORD, ALL, S.ENDINGS, 0xFFFF000000000000), Context(S.WORD, ALL, S.WORD1, ALL, S.LAST8, 0xFF),
    Context(S.WORD, ALL, S.LINE, 0xFF), Context(S.WORD, ALL, S.LINE, 0xFF0000),
    Context(S.LETTERS, 0xFFFFFFFFFF, S.LAST8, 0xFF),
    Context(S.LETTERS, 0xFFFFFF, S.LAST8, 0xFF, S.PLACE, 0xFF), _masked(0xF0F0F0F0F0F0), _bytes(1, 2, 4),
    Context(S.IDENT, ALL, S.MARKS, 0xFFFFFF), Context(S.IDENT, ALL, S.WORD1, ALL, S.MARKS, 0xFF),
    Context(S.EXPECT, 0xFFFF, S.LAST8, 0xFF), Context(S.LINE, 0xFF00, S.LAST8, 0xFF),
    Context(S.LINE, 0xFF00, S.WORD, ALL), Context(S.LINEWORD, ALL, S.LINE, 0xFF00),
    Context(S.AFTER1, 0xFF, S.WORD, ALL), Context(S.BRACKET, 0xFF, S.LAST8, 0xFFFFFF),
    Context(S.ENDINGS, 0xFFFFFFFFFFFF, S.LAST8, 0xFF), _bytes(2, 3, 4), _bytes(3, 4), _masked(0xE0E0E0FF),
    Context(S.LAST8, 0xFF, S.SHAPE, 0xFF0, S.PLACE, 0xFF),
)  # fmt: skip

_BINARY3 = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(5), _order(6), _bytes(2, 3), _bytes(3, 4),
    _bytes(1, 4), _bytes(2, 4), _bytes(4), _bytes(2), _bytes(3), _bytes(1, 3), _bytes(5), _bytes(2, 3, 4),
    Context(S.ABOVE, 0xFFFF, S.COLUMN, ALL), Context(S.ABOVE, 0xFFFF, S.LAST8, 0xFF),
    Context(S.ABOVE, 0xFFFFFFFF), Context(S.ABOVE, 0xFFFF00FF, S.LAST8, 0xFF),
    Context(S.COLUMN, ALL, S.LAST8, 0xFF), Context(S.ABOVE, 0xFF, S.COLUMN, ALL),
    Context(S.COLUMN, ALL, S.LAST8, 0xFFFF), Context(S.ABOVE, 0xFFFFFF),
    Context(S.GUESS, 0xFF, S.COLUMN, ALL), Context(S.GUESS, 0xFF00, S.COLUMN, ALL),
    Context(S.GUESS, 0xFF, S.LAST8, 0xFF), Context(S.SHAPE, 0xFFFFFF),
    Context(S.SHAPE, 0xFFFFFFFFFFFF, S.WORD, ALL), Context(S.AFTER1, 0xFFFF, S.LAST8, 0xFF),
    Context(S.AFTER1, 0xFFFFFF, S.LAST8, 0xFF), Context(S.AFTER2, 0xFFFF, S.LAST8, 0xFF),
    Context(S.AFTER3, 0xFFFF, S.LAST8, 0xFF), Context(S.WORD, ALL, S.LAST8, 0xFF),
    Context(S.WORD, ALL, S.WORD1, ALL), Context(S.LINE, 0xFFFF), Context(S.EXPECT, 0xFFFF),
    Context(S.EXPECT, 0xFF, S.LAST8, 0xFF), Context(S.EXPECT, 0xFF, S.COLUMN, ALL), _masked(0xE0E0E0E0),
    _masked(0xE0E0E0E0FFFF), _masked(0xF0F0F0F0), _masked(0xF8F8F8F8F8), _masked(0xF0F0F0F0F0F0),
    Context(S.LAST8, 0xFF, S.SHAPE, 0xFFFFF0), Context(S.SHAPE, 0xFFFFFFFF), Context(S.SHAPE, ALL),
    Context(S.WORD, ALL, S.WORD2, ALL), Context(S.IDENT, ALL, S.IDENT1, ALL),
    Context(S.MARKS, 0xFFFF, S.LAST8, 0xFF), Context(S.MARKS, 0xFFFFFF),
    Context(S.BRACKET, 0xFFFF, S.LAST8, 0xFF), Context(S.AFTER1, 0xFF, S.AFTER2, 0xFF, S.AFTER3, 0xFF),
    Context(S.AFTER1, 0xFFFF, S.AFTER2, 0xFFFF), _bytes(1, 3, 5), _bytes(1, 2, 5), _bytes(6),
    _bytes(4, 5, 6), _masked(0xF0F0FF), _masked(0xFFF0), _masked(0xF0FFF0FF), Context(S.COLUMN, ALL),
    Context(S.COLUMN, ALL, S.LAST8, 0xF0F0), Context(S.PLACE, ALL, S.LAST8, 0xFF),
    Context(S.ABOVE, 0xFF, S.LAST8, 0xFFFF), Context(S.ABOVE, 0xFFFF, S.LAST8, 0xFFFF),
    Context(S.EXPECT, 0xFF, S.AFTER1, 0xFF), _order(8), Context(S.LAST8, 0xFFFF, S.SHAPE, 0xFFFF00),
    Context(S.WORD, ALL),
    Context(S.IDENT, ALL, S.MARKS, 0xFF), _masked(0xE0E0FF),
    _masked(0xF0F000FF), _masked(0xF00000FF), _masked(0xF0F000F0F0), _masked(0xE0E0E0E0E0E0),
    _masked(0xC0C0C0C0C0C0C0C0), Context(S.LAST8, 0xF0, S.COLUMN, ALL),
    Context(S.ABOVE, 0xF0F0, S.LAST8, 0xF0F0), Context(S.ABOVE, 0xFF, S.COLUMN, ALL, S.LAST8, 0xF0),
    _masked(0xF8F8F800), _masked(0xF8F8F80000), _masked(0xFCFF),
    Context(S.LAST8, 0xF8, S.SHAPE, 0xFF0),
)  # fmt: skip

_BITMAP = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(6), Context(S.ABOVE, 0xFFFF, S.LAST8, 0xFF),
    Context(S.ABOVE, 0xFF), Context(S.ABOVE, 0xFFFF), Context(S.ABOVE, 0xFFFFFFFF),
    Context(S.ABOVE, 0xFFFF00FF, S.LAST8, 0xFF), Context(S.ABOVE, 0xFF, S.LAST8, 0xFFFF),
    Context(S.EXPECT, 0xFFFF),
)  # fmt: skip

_NEAR = (
    _near(2, _to(-1, 1)),
    _near(3, _to(-2, 2)),
    _near(4, _to(-3, 3)),
    _near(4, _to(-2, 2), _to(-1, 1)),
    _near(5, _to(-3, 3), _to(-2, 2)),
    _near(3, _to(-2, 3), _to(-2, 2), _to(-1, 1)),
    _near(6, _to(-4, 4), _to(-3, 3), _to(-1, 1)),
    _near(4, _to(-2, 2), _to(-2, 2), _to(-2, 2)),
    _near(1, _to(-1, 1), _to(-1, 1), _to(-1, 1)),
    _near(12),
    _near(0, _to(-5, 6)),
    _near(8, _to(-5, 5)),
    _near(2, _to(-1, 2), _to(-1, 2), _to(-4, 4)),
    _near(0, (0,), (0,), (0,)),
    _near(9, _to(-6, 6), _to(-4, 4), _to(-2, 2)),
    _near(2, _to(-2, 7)),
    _near(3, _to(-1, 1), _to(-5, 5)),
)


def _by(source: Source, shift: int = 0, mask: int = 255, by_bit: bool = False) -> Choice:
    return Choice(Select.SOURCE, source, shift, mask, by_bit)


_PARTIAL, _MATCH, _BITS = Choice(Select.PARTIAL), Choice(Select.MATCH), Choice(Select.BITS)
_LAST, _LAST2 = _by(S.LAST8), _by(S.LAST8, 8)
_LAST_BIT, _LAST2_BIT = _by(S.LAST8, 0, 255, True), _by(S.LAST8, 8, 255, True)
_SHAPES = _by(S.SHAPE, 0, 255, True)

_SETS1 = (_MATCH, _LAST, _LAST2, _SHAPES)
_SETS2 = (_PARTIAL, _MATCH, _LAST_BIT, _LAST2_BIT, _by(S.LAST8, 16), _SHAPES, _by(S.LAST8, 11, 2047))
_SETS3 = (
    _PARTIAL, _MATCH, _LAST_BIT, _LAST2_BIT, _by(S.LAST8, 16), _by(S.LAST8, 24), _by(S.LAST8, 3, 2047),
    _by(S.LAST8, 11, 2047), _by(S.SHAPE, 0, 4095), _by(S.SHAPE, 4, 255, True), _by(S.WORD, 48, 1023),
)  # fmt: skip
_SETS_BITMAP = (_PARTIAL, _MATCH, _LAST, _by(S.ABOVE), _by(S.ABOVE, 8), _BITS)
_SETS_TEXT3 = (*_SETS3, _by(S.WORD1, 48, 1023), _by(S.EXPECT), _by(S.LINE))
_SETS_BINARY3 = (*_SETS3, _by(S.EXPECT), _by(S.COLUMN), _by(S.ABOVE))

_ALL_NEAR = ((), (), _NEAR)
DEFAULT_PRESET = 3
PRESETS: dict[int, Preset] = {
    1: Preset((_TEXT1, _BINARY1, _BITMAP), _ALL_NEAR, (_SETS1, _SETS1, _SETS_BITMAP), 24, matches=(6,), weight=9000),
    2: Preset((_TEXT2, _BINARY2, _BITMAP), _ALL_NEAR, (_SETS2, _SETS2, _SETS_BITMAP), 24, matches=(12, 5), weight=5000),
    3: Preset((_TEXT3, _BINARY3, _BITMAP), _ALL_NEAR, (_SETS_TEXT3, _SETS_BINARY3, _SETS_BITMAP), 25, skim=8),
}
