"""The presets: what the loops mix, as data.

A context is up to three masked sources hashed together; a source is a 64-bit value that a loop renews at each byte
(the last eight bytes, a word's hash, the byte above in a record, ...). A mixture names the contexts that serve one type
of bytes (text, binary, bitmap, ...), the weight sets of the mixer and what chooses their rows, and the rates at which
these learn; a preset has a mixture for each type. Nothing here is code: another list of contexts is another preset, and
the loops stay as they are. Presets are part of the format: changing one changes payloads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nzip.models.cm.layout import BITS, MATCH, PARTIAL, SOURCE

# The sources: what `v` holds. The comments say how the 64 bits are filled, lowest byte first.
NONE = 0
LAST8 = 1  # the last byte, the one before, ... eight of them
LAST16 = 2  # the ninth to last byte ... the sixteenth to last
WORD = 3  # hash of the letters of the current word, case folded
WORD1, WORD2, WORD3 = 4, 5, 6  # hashes of the words before: the last, the second to last, the third to last
ABOVE = 7  # bytes at distance R, 2R, R - 1, R + 1, 3R, R - 2, for the record length R
COLUMN = 8  # position in the record
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
WORDS = 24  # hash of the two words before
PIXELS = 25  # of an image: left, above, above left, above right, two left, two above, the last byte, the one before
COLOURS = 26  # predictions of a byte of a pixel, from bytes around it and from how these differ in the last channel
SAMPLES = 27  # four predictions of a byte of an audio sample, 16 bits each: 8 bits behind the byte
FIELD = 28  # the byte of the line before at the same place in the same field, the one behind it
# Of rows (`components.rows`):
ALIGNED = 41  # the byte to come of the aligned line, the one behind it, the digit of the stepped number
CELL = 42  # hash of what leads to this token, and of its bytes so far
SPOT = 43  # hash of what leads to this token, and of its shape so far, or the digits of the number so far
LINESHAPE = 44  # hash of the shape of the line before
GUESSES = 45  # which guesses there are, and which agree
BESIDE = 46  # hash of the token before in this line, and of what led to it
FIRSTCELL = 47  # the same of the line's first token
UNLIKE = 48  # how this number differs from the aligned one: by what its first other digit does, and since when
# Numbers that only the renewal of the sources uses, then the stack of open brackets.
LINE_START, LINE_BEFORE, DEPTH, COUNT, GAP, FIRST, LINE_FIRST, STEM_NOW, OVER = range(32, 41)
STACK = 64
SOURCES = 128

ALL = (1 << 64) - 1


@dataclass(frozen=True)
class Context:
    """One context: `first`, `second` and `third`, each masked, hashed together; the loop `strong` alone has a third.

    Attributes:
        direct: the masked `first` is an index and not hashed (in the loop `normal`, for contexts of a byte at most).
        wide: the bucket of a byte's second nibble may lie anywhere. Otherwise it lies in the cache line beside the
            first nibble's, which is faster, and crowds contexts that many different bytes follow. In the loop `strong`
            all are wide, in `fast` none is.
        shift: of the second, which the loop `fast` adds to the first.
    """

    first: int
    first_mask: int
    second: int = NONE
    second_mask: int = 0
    third: int = NONE
    third_mask: int = 0
    direct: bool = False
    wide: bool = False
    shift: int = 0


@dataclass(frozen=True)
class Choice:
    """How a weight set's row is chosen.

    Attributes:
        select: SOURCE, PARTIAL (the bits of the current byte so far), MATCH (how many buckets have been seen before,
            class of the longest match's length, and bit position), or BITS (near bits of a bitmap). The other
            attributes belong to SOURCE:
        source, shift, mask: the row is `(source >> shift) & mask`,
        by_bit: times 8, plus the bit position, if true.
    """

    select: int
    source: int = NONE
    shift: int = 0
    mask: int = 0
    by_bit: bool = False

    def rows(self, contexts: int) -> int:
        """Return how many rows there are to choose from, where the MATCH rows tell `contexts` numbers of buckets."""
        if self.select == SOURCE:
            return (self.mask + 1) * (8 if self.by_bit else 1)
        return {PARTIAL: 256, MATCH: 72 * contexts, BITS: 1024}[self.select]


@dataclass(frozen=True)
class Mixture:
    """What serves one type of bytes.

    Attributes:
        contexts: contexts of whole bytes; in the loop `fast` four, behind that of the last byte.
        sets: how the weight sets of the first layer choose their rows.
        matches: bytes that each match model hashes, its shortest match; longest first. The loop `strong` has several
            (4..16), the others one (2..8; 0 for none, in the loop `normal`).
        rate, rate_start: learning rate of the first layer, and what is added to it at first.
        final_rate: that of the second layer.
        near: masks of near bits, a context each. Bits 0..15 are the last bits of this row, bit 0 the latest; bits
            16..31 those of the row above around the place of the bit to come (which is bit 7 of them, a lower bit
            lies further right), bits 32..47 and 48..63 those of the two rows above that.
        part: bytes that each stream codes before the streams meet again (in the loop `fast`).
        inputs: as the preset's, where it is not 0.
        guesses: of `components.rows` that are inputs: 4, or 0 where nothing is known of rows.
    """

    contexts: tuple[Context, ...]
    sets: tuple[Choice, ...] = ()
    matches: tuple[int, ...] = (8,)
    rate: int = 60
    rate_start: int = 5000
    final_rate: int = 50
    near: tuple[int, ...] = ()
    part: int = 0
    inputs: int = 0
    guesses: int = 0


@dataclass(frozen=True)
class Preset:
    """One preset.

    Attributes:
        mixtures: for text, binary, bitmap, image, audio and, but for the loop `fast`, rows and tables,
            in the order of their numbers.
        max_bits: log2 of the most buckets (of 16 bytes) in the hash table.
        inputs: the most inputs of the mixer, a multiple of 16 (in the loop `normal`). Contexts beyond what fits have
            one input, not two.
        ahead: 1 where the match model hashes one byte less and looks up a byte early (in the loop `normal`; not where
            there is none).
        limit: bound of the counts of the adaptive maps; 1022 at most, as is the next.
        sse_limit: bound of the counts of the sse.
        rate_fall: half of `rate_start` is gone after so many uses of a row.
        loud, quiet: in the loop `strong` the rate is multiplied by (loud + quiet) / (power + quiet), where `power` is
            that of the inputs.
        weight: what the weights of stretched probabilities start with, in 1/65536.
        counters: counters of the last 1..`counters` bytes, at most 3: adaptive probabilities without histories.
        counter_limit: bound of their counts.
        large: the preset that `fit` takes in its place for blocks of `LARGE` bytes and more; 0 for none.
        primer: bytes of a primer that are read before a block of text, at most.
        skim: the first so many contexts skim all other primers before that; 0 for no skimming.
    """

    mixtures: tuple[Mixture, ...]
    max_bits: int
    inputs: int = 16
    ahead: int = 0
    limit: int = 1022
    sse_limit: int = 255
    rate_fall: int = 48
    loud: int = 600
    quiet: int = 200
    weight: int = 12000
    counters: int = 0
    counter_limit: int = 255
    large: int = 0
    primer: int = 1 << 16
    skim: int = 0


def _masked(mask: int) -> Context:
    """Some bits of the last eight bytes."""
    return Context(LAST8, mask)


def _order(n: int) -> Context:
    """The last `n` bytes (0..16), as the loop `strong` has them."""
    if n <= 8:
        return _masked((1 << 8 * n) - 1)
    return Context(LAST8, ALL, LAST16, (1 << 8 * (n - 8)) - 1)


def _bytes(*which: int) -> Context:
    """Those of the last eight bytes that `which` lists (1 is the last)."""
    return _masked(sum(255 << 8 * (k - 1) for k in which))


def _by(source: int, shift: int = 0, mask: int = 255, by_bit: bool = False) -> Choice:
    return Choice(SOURCE, source, shift, mask, by_bit)


_PARTIAL, _MATCH, _BITS = Choice(PARTIAL), Choice(MATCH), Choice(BITS)
_LAST, _LAST2, _SHAPES = _by(LAST8), _by(LAST8, 8), _by(SHAPE)
LARGE = 1 << 21

# ---- the loop `fast`

_WORD_AND_LAST = Context(WORD, ALL, LAST8, 0xFF)
_FAST_TEXT = (_order(2), _order(3), _order(5), _WORD_AND_LAST)
_FAST_BINARY = (_order(2), _order(4), _bytes(2, 3), Context(ABOVE, 0xFFFF, LAST8, 0xFF, shift=16))
_FAST_TEXT_MIXTURE = Mixture(_FAST_TEXT, matches=(8,), rate=180, part=1 << 13)
_FAST_BINARY_MIXTURE = Mixture(_FAST_BINARY, matches=(6,), rate=180, part=1 << 16)

_FAST_IMAGE = (
    Context(COLOURS, 0xFF << 32, COLUMN, 15, shift=48),
    Context(COLOURS, 0xFFFF00, COLUMN, 15, shift=48),
    Context(PIXELS, 0xFF000000F8F8, COLUMN, 15, shift=56),
    Context(COLOURS, 0xF0F0FF, COLUMN, 15, shift=48),
)
_FAST_AUDIO = (
    Context(SAMPLES, 0xFFF << 52, COLUMN, 15),
    Context(SAMPLES, 0xFFC << 20, COLUMN, 15),
    Context(LAST8, 0xFF, COLUMN, 15, shift=40),
    Context(SAMPLES, 0xFF00FF << 40, COLUMN, 15),
)
_FAST_IMAGE_MIXTURE = Mixture(_FAST_IMAGE, matches=(6,), rate=180, part=1 << 16)
_FAST_AUDIO_MIXTURE = Mixture(_FAST_AUDIO, matches=(6,), rate=180, part=1 << 16)
_FAST_MIXTURES = (
    _FAST_TEXT_MIXTURE, _FAST_BINARY_MIXTURE, _FAST_BINARY_MIXTURE, _FAST_IMAGE_MIXTURE, _FAST_AUDIO_MIXTURE,
)  # fmt: skip

FAST: dict[int, Preset] = {
    1: Preset(
        _FAST_MIXTURES, 22, weight=22000, primer=1 << 14,
    ),
}  # fmt: skip

# ---- the loop `normal`


def _near_order(n: int) -> Context:
    """The last `n` bytes (0..8)."""
    return Context(LAST8, (1 << 8 * n) - 1, direct=n <= 1, wide=2 <= n <= 3)


def _wide_bytes(*which: int) -> Context:
    return Context(LAST8, _bytes(*which).first_mask, wide=True)


_WORD_LAST = Context(WORD, ALL, LAST8, 0xFF, wide=True)
_WORD_WORD1 = Context(WORD, ALL, WORD1, ALL)
_WORD_WORDS = Context(WORD, ALL, WORDS, ALL)
_WORD_WORD2 = Context(WORD, ALL, WORD2, ALL)
_SHAPE6 = Context(SHAPE, 0xFFFFFF)
_SHAPE8 = Context(SHAPE, 0xFFFFFFFF)
_SHAPE12_WORD = Context(SHAPE, (1 << 48) - 1, WORD, ALL)
_LINE = Context(LINE, 0xFFFF)
_ABOVE_COLUMN = Context(ABOVE, 0xFFFF, COLUMN, ALL)
_ABOVE_LAST = Context(ABOVE, 0xFFFF, LAST8, 0xFF)
_AROUND_LAST = Context(ABOVE, 0xFFFF00FF, LAST8, 0xFF)

_BINARY1 = (*map(_near_order, (1, 2, 3, 4)), _wide_bytes(2, 3), _ABOVE_LAST, _SHAPE6)
_BINARY2 = (
    *map(_near_order, (0, 1, 2, 6)), _wide_bytes(2, 3), _wide_bytes(3, 4), _ABOVE_COLUMN, _ABOVE_LAST, _AROUND_LAST,
    _SHAPE6,
)  # fmt: skip
_QUICK_TEXT = (_near_order(4), _near_order(6), _WORD_LAST, _WORD_WORD1)
_QUICK_BINARY = (_near_order(1), _near_order(2), _near_order(4), _wide_bytes(2, 3), _ABOVE_LAST)
_MORE_TEXT = (*map(_near_order, (0, 4, 6)), _WORD_LAST, _WORD_WORD1, _SHAPE8, _LINE)
_LARGE_TEXT = (*_MORE_TEXT, _SHAPE12_WORD, _near_order(2), _near_order(3), _WORD_WORD2, _WORD_WORDS)
_LARGE_BINARY = (*_BINARY2, _near_order(4))
_SETS = (_SHAPES, _MATCH)
_BINARY_SETS = (_PARTIAL, _LAST, _MATCH)
_CHANNELS = _by(COLUMN, 0, 15, True)
_IMAGE_SETS = (_PARTIAL, _CHANNELS, _MATCH, _by(COLOURS, 32))
_AUDIO_SETS = (_PARTIAL, _CHANNELS, _MATCH)


# A bitmap: the bytes above.
_ROWS = (Context(ABOVE, 0xFFFF00FF), Context(ABOVE, 0xFFFFFFFF), Context(ABOVE, 0xFF, LAST8, 0xFFFF))
# A pixel: predictions, alone and together with what stands around.
_IMAGE = (
    Context(COLOURS, 0xFF, COLUMN, 15), Context(COLOURS, 0xFF00, COLUMN, 15),
    Context(COLOURS, 0xFF0000, COLUMN, 15), Context(COLOURS, 0xFF << 32, COLUMN, 15),
    Context(COLOURS, 0xFFFF00, COLUMN, 15), Context(COLOURS, 0xFF00F0F0F0, COLUMN, 15),
    Context(PIXELS, 0xFF00000000FFFF, COLUMN, 15), Context(COLOURS, 0xFF << 40, COLUMN, 15),
    Context(COLOURS, 0xFF << 48, COLUMN, 15), Context(PIXELS, 0xFFFF, COLUMN, 15),
    Context(COLOURS, 0xFF000000FF, COLUMN, 15), Context(PIXELS, 0xF0F0F0F0F0F0, COLUMN, 15),
    Context(COLOURS, 0xFFFF << 48, COLUMN, 15),
)  # fmt: skip
# A sample: predictions, with bits behind the byte.
_AUDIO = (
    Context(SAMPLES, 0xFF00, COLUMN, 15), Context(SAMPLES, 0xFFE0, COLUMN, 15),
    Context(SAMPLES, 0xFF00 << 16, COLUMN, 15), Context(SAMPLES, 0xFFE0 << 16, COLUMN, 15),
    Context(SAMPLES, 0xFF00 << 32, COLUMN, 15), Context(SAMPLES, 0xFF80 << 32, COLUMN, 15),
    Context(SAMPLES, 0xFF00 << 48, COLUMN, 15), Context(SAMPLES, 0xFFE0 << 48, COLUMN, 15),
    Context(SAMPLES, 0xFF00FE00 << 16, COLUMN, 15), Context(LAST8, 0xFF, COLUMN, 15),
    Context(SAMPLES, 0xFC00FC00FC00FC00, COLUMN, 15), Context(ABOVE, 0xFF, COLUMN, 15),
    Context(COLUMN, 15),
)  # fmt: skip


# Rows: the byte to come by its place in the line, and by the aligned line.
_SPOT_ALIGNED = Context(SPOT, ALL, ALIGNED, 0xFF00FF)
_CELL_LINE = Context(CELL, ALL, LINESHAPE, ALL)
_ALIGNED_LAST = Context(ALIGNED, 0xFFFF, LAST8, 0xFF)
_CELL_BESIDE = Context(CELL, ALL, BESIDE, ALL)
_CELL_FIRST = Context(CELL, ALL, FIRSTCELL, ALL)
_SPOT_UNLIKE = Context(SPOT, ALL, UNLIKE, ALL)
_QUICK_FIELDS = (_near_order(6), _WORD_LAST, _SPOT_ALIGNED)
_SOME_FIELDS = (_near_order(6), _WORD_LAST, _SPOT_ALIGNED, _SHAPE8)
_MORE_FIELDS = (_near_order(6), _WORD_LAST, _SPOT_ALIGNED, _SHAPE8, _LINE, _CELL_LINE)
_LARGE_FIELDS = (
    _near_order(0), _near_order(2), _near_order(4), *_MORE_FIELDS, _WORD_WORD1, _ALIGNED_LAST, _SHAPE12_WORD,
    _WORD_WORDS,
)  # fmt: skip
_QUICK_FIELD_SETS = (_MATCH, _by(SPOT, 54, 1023))
_FIELD_SETS = (*_QUICK_FIELD_SETS, _by(GUESSES))
_LARGE_FIELD_SETS = (*_FIELD_SETS, _SHAPES)


def _rows(contexts: tuple[Context, ...], sets: tuple[Choice, ...] = _FIELD_SETS) -> Mixture:
    return Mixture(contexts, sets, rate=100, rate_start=10000, final_rate=100, inputs=32, guesses=4)


_QUICK_ROWS = (_rows(_QUICK_FIELDS, _QUICK_FIELD_SETS), _rows((*_QUICK_FIELDS, _LINE), _QUICK_FIELD_SETS))
_SOME_ROWS = (_rows(_SOME_FIELDS, _QUICK_FIELD_SETS), _rows((*_SOME_FIELDS, _LINE), _QUICK_FIELD_SETS))
_CELLS = (_CELL_BESIDE, _CELL_FIRST, _SPOT_UNLIKE)
_TABLE = _rows(
    (_near_order(0), _near_order(4), *_MORE_FIELDS, _ALIGNED_LAST, _SHAPE12_WORD, _WORD_WORDS, *_CELLS),
    (*_LARGE_FIELD_SETS, _PARTIAL),
)  # fmt: skip
_LARGE_ROWS = (
    _rows(_LARGE_FIELDS, _LARGE_FIELD_SETS), _rows((*_LARGE_FIELDS, _WORD_WORD2, *_CELLS), _LARGE_FIELD_SETS),
)  # fmt: skip


def _normal(
    text: tuple[Context, ...], binary: tuple[Context, ...], rows: Mixture, table: Mixture,
    sets: tuple[Choice, ...] = _SETS, binary_sets: tuple[Choice, ...] = _BINARY_SETS,
) -> tuple[Mixture, ...]:  # fmt: skip
    records = Mixture(binary, binary_sets, matches=(6,))
    image = Mixture(_IMAGE, _IMAGE_SETS, matches=(6,), inputs=32)
    audio = Mixture(_AUDIO, _AUDIO_SETS, matches=(6,), inputs=32)
    bitmap = Mixture((*binary, *_ROWS), (*binary_sets, _by(ABOVE)), matches=(6,), inputs=32)
    return Mixture(text, sets), records, bitmap, image, audio, rows, table


NORMAL: dict[int, Preset] = {
    1: Preset(
        _normal(_QUICK_TEXT, _QUICK_BINARY, *_QUICK_ROWS, _SETS, _SETS), 22, ahead=1,
        counters=3, primer=1 << 13,
    ),
    2: Preset(
        _normal((*_QUICK_TEXT, _SHAPE8), _BINARY1, *_SOME_ROWS, _SETS, _SETS), 22, ahead=1,
        counters=3, primer=1 << 15,
    ),
    3: Preset(_normal(_MORE_TEXT, _BINARY2, _rows(_MORE_FIELDS), _TABLE), 22, ahead=1, counters=3, large=4),
    # Contexts of two and three words take megabytes of text to pay.
    4: Preset(
        _normal(
            _LARGE_TEXT, _LARGE_BINARY, *_LARGE_ROWS, (_PARTIAL, *_SETS),
        ), 23, inputs=32, ahead=1, counters=3,
    ),
}

# ---- the loop `strong`


def _near(latest: int, *rows: Iterable[int]) -> int:
    """The `latest` bits, and bits of the rows above by their offset (-8..7) from straight above."""
    mask = (1 << latest) - 1
    for k, offsets in enumerate(rows):
        mask |= sum(1 << (16 * (k + 1) + 7 - offset) for offset in offsets)
    return mask


def _to(first: int, last: int) -> range:
    return range(first, last + 1)


_STRONG_TEXT1 = (
    _order(1), _order(2), _order(3), _order(4), _order(6), Context(WORD, ALL, LAST8, 0xFF), Context(WORD, ALL),
    Context(WORD, ALL, WORD1, ALL), Context(SHAPE, 0xFFFFFFFF), Context(LINE, 0xFFFF), _masked(0xE0E0E0E0),
    Context(MARKS, 0xFFFFFF, WORD, ALL), Context(SHAPE, 0xFFFFFFFFFFFF, WORD, ALL),
    Context(EXPECT, 0xFF, LAST8, 0xFFFF), Context(FIELD, 0xFFFF, LAST8, 0xFF),
)  # fmt: skip
_STRONG_BINARY1 = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(6), _bytes(2, 3), _bytes(3, 4),
    Context(ABOVE, 0xFFFF, COLUMN, ALL), Context(ABOVE, 0xFFFF, LAST8, 0xFF),
    Context(ABOVE, 0xFFFF00FF, LAST8, 0xFF), Context(SHAPE, 0xFFFFFF), _masked(0xE0E0E0E0), _masked(0xF0F0FF),
    Context(AFTER2, 0xFFFF, LAST8, 0xFF), Context(EXPECT, 0xFF, LAST8, 0xFF),
)  # fmt: skip

_STRONG_TEXT2 = (
    *_STRONG_TEXT1, _order(0), _order(5), Context(WORD, ALL, WORD2, ALL), Context(LINE, 0xFF, LAST8, 0xFF),
    Context(AFTER1, 0xFFFF, LAST8, 0xFF), Context(AFTER3, 0xFFFF, LAST8, 0xFF), _bytes(2, 3), _bytes(2),
    Context(MARKS, 0xFFFF, LAST8, 0xFF), Context(LINEWORD, ALL, WORD, ALL), Context(WORD, ALL, MARKS, 0xFF),
    Context(IDENT, ALL, MARKS, 0xFF), Context(IDENT, ALL, IDENT1, ALL),
    Context(BRACKET, 0xFFFF, LAST8, 0xFF), Context(MARKS, 0xFFFFFFFF), _bytes(1, 3),
    Context(WORD1, ALL, LAST8, 0xFF), Context(LETTERS, 0xFFFFFFFF),
    Context(LAST8, 0xFFFFFF, SHAPE, 0xFFFF000),
)  # fmt: skip
_STRONG_BINARY2 = (
    *_STRONG_BINARY1, _bytes(1, 4), _bytes(2, 4), _bytes(2), _bytes(3), _bytes(4), _bytes(1, 3),
    Context(ABOVE, 0xFFFFFFFF),
    Context(COLUMN, ALL, LAST8, 0xFF), Context(GUESS, 0xFF, COLUMN, ALL),
    Context(AFTER1, 0xFFFF, LAST8, 0xFF), Context(AFTER3, 0xFFFF, LAST8, 0xFF),
    Context(WORD, ALL, LAST8, 0xFF), Context(SHAPE, 0xFFFFFFFF), _masked(0xE0E0E0E0FFFF), _masked(0xF0F0F0F0),
    _masked(0xFFF0), _masked(0xF0FFF0FF), Context(PLACE, ALL, LAST8, 0xFF), _bytes(1, 3, 5),
)  # fmt: skip

_STRONG_TEXT3 = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(5), _order(6), _order(8), _order(11),
    Context(WORD, ALL, LAST8, 0xFF), Context(WORD, ALL), Context(WORD, ALL, WORD1, ALL),
    Context(WORD, ALL, WORD2, ALL), Context(WORD, ALL, WORD3, ALL),
    Context(WORD1, ALL, LAST8, 0xFF), Context(WORD1, ALL, PLACE, 0xFFFF),
    Context(IDENT, ALL, IDENT1, ALL), Context(SHAPE, 0xFFFFFFFF),
    Context(SHAPE, 0xFFFFFFFFFFFF, WORD, ALL), Context(SHAPE, 0xFFFFFFFFFFFF, LAST8, 0xFF),
    Context(SHAPE, ALL), Context(LINE, 0xFFFF), Context(LINE, 0xFF, LAST8, 0xFF),
    Context(LINE, 0xFF00, LAST8, 0xFFFF), Context(LINE, 0xFF0000, LAST8, 0xFFFF),
    Context(AFTER1, 0xFFFF, LAST8, 0xFF), Context(AFTER1, 0xFFFFFF, LAST8, 0xFF),
    Context(AFTER2, 0xFFFF, LAST8, 0xFF), Context(AFTER3, 0xFFFF, LAST8, 0xFF), _bytes(2, 3),
    _bytes(2), Context(EXPECT, 0xFFFF), Context(EXPECT, 0xFF, LAST8, 0xFFFF),
    Context(MARKS, 0xFFFF, LAST8, 0xFF), Context(MARKS, 0xFFFFFF, WORD, ALL),
    Context(BRACKET, 0xFF, LAST8, 0xFFFF), Context(LINEWORD, ALL, WORD, ALL), _masked(0xE0E0E0E0),
    Context(WORD, ALL, MARKS, 0xFF), Context(IDENT, ALL, MARKS, 0xFF),
    Context(MARKS, 0xFFFF, PLACE, 0xFFFF, LAST8, 0xFF), Context(BRACKET, 0xFFFF, WORD, ALL),
    Context(BRACKET, 0xFFFF, LAST8, 0xFF), Context(MARKS, 0xFFFFFFFF), _bytes(1, 3),
    Context(PLACE, 0xFF00FF, LAST8, 0xFF), Context(IDENT, ALL, LAST8, 0xFF),
    Context(WORD, ALL, WORD2, ALL, LAST8, 0xFF), Context(LINEWORD, ALL, LINE, 0xFF),
    Context(LINEWORD, ALL, LAST8, 0xFFFF), Context(AFTER1, 0xFF, AFTER2, 0xFF, AFTER3, 0xFF),
    Context(LETTERS, 0xFFFFFFFF), Context(LAST8, 0xFFFFFF, SHAPE, 0xFFFF000),
    Context(EXPECT, 0xFF, WORD, ALL), Context(WORD, ALL, LAST8, 0xFFFF),
    Context(WORD, ALL, ENDINGS, 0xFFFF000000000000), Context(WORD, ALL, WORD1, ALL, LAST8, 0xFF),
    Context(WORD, ALL, LINE, 0xFF), Context(WORD, ALL, LINE, 0xFF0000),
    Context(LETTERS, 0xFFFFFFFFFF, LAST8, 0xFF),
    Context(LETTERS, 0xFFFFFF, LAST8, 0xFF, PLACE, 0xFF), _masked(0xF0F0F0F0F0F0), _bytes(1, 2, 4),
    Context(IDENT, ALL, MARKS, 0xFFFFFF), Context(IDENT, ALL, WORD1, ALL, MARKS, 0xFF),
    Context(EXPECT, 0xFFFF, LAST8, 0xFF), Context(LINE, 0xFF00, LAST8, 0xFF),
    Context(LINE, 0xFF00, WORD, ALL), Context(LINEWORD, ALL, LINE, 0xFF00),
    Context(AFTER1, 0xFF, WORD, ALL), Context(BRACKET, 0xFF, LAST8, 0xFFFFFF),
    Context(ENDINGS, 0xFFFFFFFFFFFF, LAST8, 0xFF), _bytes(2, 3, 4), _bytes(3, 4), _masked(0xE0E0E0FF),
    Context(LAST8, 0xFF, SHAPE, 0xFF0, PLACE, 0xFF), Context(FIELD, 0xFFFF, WORD, ALL),
)  # fmt: skip

_STRONG_BINARY3 = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(5), _order(6), _bytes(2, 3), _bytes(3, 4),
    _bytes(1, 4), _bytes(2, 4), _bytes(4), _bytes(2), _bytes(3), _bytes(1, 3), _bytes(5), _bytes(2, 3, 4),
    Context(ABOVE, 0xFFFF, COLUMN, ALL), Context(ABOVE, 0xFFFF, LAST8, 0xFF),
    Context(ABOVE, 0xFFFFFFFF), Context(ABOVE, 0xFFFF00FF, LAST8, 0xFF),
    Context(COLUMN, ALL, LAST8, 0xFF), Context(ABOVE, 0xFF, COLUMN, ALL),
    Context(COLUMN, ALL, LAST8, 0xFFFF), Context(ABOVE, 0xFFFFFF),
    Context(GUESS, 0xFF, COLUMN, ALL), Context(GUESS, 0xFF00, COLUMN, ALL),
    Context(GUESS, 0xFF, LAST8, 0xFF), Context(SHAPE, 0xFFFFFF),
    Context(SHAPE, 0xFFFFFFFFFFFF, WORD, ALL), Context(AFTER1, 0xFFFF, LAST8, 0xFF),
    Context(AFTER1, 0xFFFFFF, LAST8, 0xFF), Context(AFTER2, 0xFFFF, LAST8, 0xFF),
    Context(AFTER3, 0xFFFF, LAST8, 0xFF), Context(WORD, ALL, LAST8, 0xFF),
    Context(WORD, ALL, WORD1, ALL), Context(LINE, 0xFFFF), Context(EXPECT, 0xFFFF),
    Context(EXPECT, 0xFF, LAST8, 0xFF), Context(EXPECT, 0xFF, COLUMN, ALL), _masked(0xE0E0E0E0),
    _masked(0xE0E0E0E0FFFF), _masked(0xF0F0F0F0), _masked(0xF8F8F8F8F8), _masked(0xF0F0F0F0F0F0),
    Context(LAST8, 0xFF, SHAPE, 0xFFFFF0), Context(SHAPE, 0xFFFFFFFF), Context(SHAPE, ALL),
    Context(WORD, ALL, WORD2, ALL), Context(IDENT, ALL, IDENT1, ALL),
    Context(MARKS, 0xFFFF, LAST8, 0xFF), Context(MARKS, 0xFFFFFF),
    Context(BRACKET, 0xFFFF, LAST8, 0xFF), Context(AFTER1, 0xFF, AFTER2, 0xFF, AFTER3, 0xFF),
    Context(AFTER1, 0xFFFF, AFTER2, 0xFFFF), _bytes(1, 3, 5), _bytes(1, 2, 5), _bytes(6),
    _bytes(4, 5, 6), _masked(0xF0F0FF), _masked(0xFFF0), _masked(0xF0FFF0FF), Context(COLUMN, ALL),
    Context(COLUMN, ALL, LAST8, 0xF0F0), Context(PLACE, ALL, LAST8, 0xFF),
    Context(ABOVE, 0xFF, LAST8, 0xFFFF), Context(ABOVE, 0xFFFF, LAST8, 0xFFFF),
    Context(EXPECT, 0xFF, AFTER1, 0xFF), _order(8), Context(LAST8, 0xFFFF, SHAPE, 0xFFFF00),
    Context(WORD, ALL),
    Context(IDENT, ALL, MARKS, 0xFF), _masked(0xE0E0FF),
    _masked(0xF0F000FF), _masked(0xF00000FF), _masked(0xF0F000F0F0), _masked(0xE0E0E0E0E0E0),
    _masked(0xC0C0C0C0C0C0C0C0), Context(LAST8, 0xF0, COLUMN, ALL),
    Context(ABOVE, 0xF0F0, LAST8, 0xF0F0), Context(ABOVE, 0xFF, COLUMN, ALL, LAST8, 0xF0),
    _masked(0xF8F8F800), _masked(0xF8F8F80000), _masked(0xFCFF),
    Context(LAST8, 0xF8, SHAPE, 0xFF0),
)  # fmt: skip

_BITMAP = (
    _order(0), _order(1), _order(2), _order(3), _order(4), _order(6), Context(ABOVE, 0xFFFF, LAST8, 0xFF),
    Context(ABOVE, 0xFF), Context(ABOVE, 0xFFFF), Context(ABOVE, 0xFFFFFFFF),
    Context(ABOVE, 0xFFFF00FF, LAST8, 0xFF), Context(ABOVE, 0xFF, LAST8, 0xFFFF),
    Context(EXPECT, 0xFFFF),
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


_LAST_BIT, _LAST2_BIT = _by(LAST8, 0, 255, True), _by(LAST8, 8, 255, True)
_SHAPES_BIT = _by(SHAPE, 0, 255, True)

_STRONG_SETS1 = (_MATCH, _LAST, _LAST2, _SHAPES_BIT)
_STRONG_SETS2 = (_PARTIAL, _MATCH, _LAST_BIT, _LAST2_BIT, _by(LAST8, 16), _SHAPES_BIT, _by(LAST8, 11, 2047))
_STRONG_SETS3 = (
    _PARTIAL, _MATCH, _LAST_BIT, _LAST2_BIT, _by(LAST8, 16), _by(LAST8, 24), _by(LAST8, 3, 2047),
    _by(LAST8, 11, 2047), _by(SHAPE, 0, 4095), _by(SHAPE, 4, 255, True), _by(WORD, 48, 1023),
)  # fmt: skip
_SETS_BITMAP = (_PARTIAL, _MATCH, _LAST, _by(ABOVE), _by(ABOVE, 8), _BITS)
_SETS_TEXT3 = (*_STRONG_SETS3, _by(WORD1, 48, 1023), _by(EXPECT), _by(LINE))
_SETS_BINARY3 = (*_STRONG_SETS3, _by(EXPECT), _by(COLUMN), _by(ABOVE))

_STRONG_IMAGE = (
    Context(COLOURS, 0xFFFF, COLUMN, 15), Context(COLOURS, 0xFF00FF, COLUMN, 15),
    Context(PIXELS, 0xFF00000000FF00, COLUMN, 15), Context(PIXELS, 0xFF0000000000FF, COLUMN, 15),
    Context(PIXELS, 0xFFFF000000000000, COLUMN, 15, COLOURS, 0xFF << 32),
    Context(PIXELS, 0xFFFF00, COLUMN, 15), Context(PIXELS, 0xFF00FF00, COLUMN, 15),
    Context(COLOURS, 0xFC00FCFCFC, COLUMN, 15), Context(COLOURS, 0xFF << 56, COLUMN, 15),
    Context(COLOURS, 0xF8F8F8F800F8F8F8, COLUMN, 15), Context(COLOURS, 0xFF << 24, COLUMN, 15),
    Context(COLOURS, 0xFF00FF0000, COLUMN, 15), Context(COLOURS, 0xFF0000FF00, COLUMN, 15),
    Context(PIXELS, 0xFFF8F8F8F8, COLUMN, 15), Context(COLOURS, 0xFFFF << 40, COLUMN, 15),
)  # fmt: skip
_STRONG_AUDIO = (
    Context(SAMPLES, 0xFFF8, COLUMN, 15), Context(SAMPLES, 0xFFF8 << 16, COLUMN, 15),
    Context(SAMPLES, 0xFFF8 << 32, COLUMN, 15), Context(SAMPLES, 0xFFF8 << 48, COLUMN, 15),
    Context(SAMPLES, 0xFF00FF00, COLUMN, 15), Context(SAMPLES, 0xFF00FF00 << 32, COLUMN, 15),
    Context(SAMPLES, 0xFF0000FF00, COLUMN, 15), Context(LAST8, 0xFFFF, COLUMN, 15),
    Context(SAMPLES, 0xFF00 << 48, LAST8, 0xFF, COLUMN, 15), Context(SAMPLES, 0xFE00FE00FE00, COLUMN, 15),
    Context(SAMPLES, 0xFC00 << 48, COLUMN, 15), Context(ABOVE, 0xFFFF, COLUMN, 15),
)  # fmt: skip
# Rows: what text has, but for what serves prose, and what is aligned.
_OF_PROSE = (
    _order(1), _order(2), _order(3), Context(WORD, ALL), Context(WORD, ALL, WORD1, ALL),
    Context(WORD, ALL, WORD2, ALL), Context(WORD, ALL, WORD3, ALL),
    Context(WORD1, ALL, LAST8, 0xFF), Context(LINE, 0xFF0000, LAST8, 0xFFFF), Context(BRACKET, 0xFF, LAST8, 0xFFFF),
    Context(LINEWORD, ALL, WORD, ALL), Context(IDENT, ALL, MARKS, 0xFF), Context(BRACKET, 0xFFFF, LAST8, 0xFF),
    Context(PLACE, 0xFF00FF, LAST8, 0xFF), Context(WORD, ALL, WORD2, ALL, LAST8, 0xFF),
    Context(LINEWORD, ALL, LAST8, 0xFFFF), Context(WORD, ALL, LAST8, 0xFFFF),
    Context(WORD, ALL, ENDINGS, 0xFFFF000000000000), Context(WORD, ALL, WORD1, ALL, LAST8, 0xFF),
    Context(WORD, ALL, LINE, 0xFF0000), Context(LETTERS, 0xFFFFFFFFFF, LAST8, 0xFF),
    Context(LETTERS, 0xFFFFFF, LAST8, 0xFF, PLACE, 0xFF), Context(ENDINGS, 0xFFFFFFFFFFFF, LAST8, 0xFF),
)  # fmt: skip
_STRONG_FIELDS1 = (
    _SPOT_ALIGNED, _CELL_LINE, _ALIGNED_LAST, Context(SPOT, ALL), Context(CELL, ALL),
    Context(ALIGNED, 0xFFFFFF, GUESSES, ALL), Context(SPOT, ALL, FIELD, 0xFFFF),
    Context(CELL, ALL, WORD1, ALL, WORD2, ALL),
)  # fmt: skip
_STRONG_FIELDS2 = (*_STRONG_FIELDS1, Context(CELL, ALL, LAST8, ALL))
_STRONG_FIELDS3 = (
    *_STRONG_FIELDS2, Context(SPOT, ALL, LINESHAPE, ALL), Context(ALIGNED, 0xFF, EXPECT, 0xFF, GUESSES, ALL),
    Context(SPOT, ALL, AFTER1, 0xFFFF), Context(SPOT, ALL, LAST8, 0xFFFF), Context(ALIGNED, 0xFFFF, WORD, ALL),
)  # fmt: skip
_SPOTS = _by(SPOT, 54, 1023)
_FIELD_SETS1 = (_MATCH, _SHAPES_BIT, _SPOTS, _by(GUESSES))
_FIELD_SETS2 = (_PARTIAL, *_FIELD_SETS1, _by(SHAPE, 0, 4095), _by(LINE), _by(LINESHAPE, 54, 1023))
_FIELD_SETS3 = (
    _PARTIAL, _MATCH, _LAST_BIT, _by(SHAPE, 0, 4095), _by(SHAPE, 4, 255, True), _by(WORD, 48, 1023),
    _by(WORD1, 48, 1023), _by(LINE), _SPOTS, _by(LINESHAPE, 54, 1023), _by(GUESSES),
)  # fmt: skip


def _of_rows(text: tuple[Context, ...], fields: tuple[Context, ...]) -> tuple[Context, ...]:
    return (*(context for context in text if context not in _OF_PROSE), *fields)


_STRONG_IMAGE_SETS = (_by(COLOURS, 8), _by(COLOURS, 16))
_SAMPLE_SET = _by(SAMPLES, 56)


def _strong(
    text: tuple[Context, ...], binary: tuple[Context, ...], fields: tuple[Context, ...],
    text_sets: tuple[Choice, ...], binary_sets: tuple[Choice, ...], field_sets: tuple[Choice, ...],
    matches: tuple[int, ...],
) -> tuple[Mixture, ...]:  # fmt: skip
    rows = Mixture(fields, field_sets, matches, rate=45, rate_start=1000, final_rate=400, guesses=4)
    return (
        Mixture(text, text_sets, matches, rate=20, rate_start=1000, final_rate=180),
        Mixture(binary, binary_sets, matches, rate=80, rate_start=1500, final_rate=330),
        Mixture(_BITMAP, _SETS_BITMAP, matches, rate=60, rate_start=1000, final_rate=100, near=_NEAR),
        Mixture(
            (*_IMAGE, *_STRONG_IMAGE), (*_IMAGE_SETS, *_STRONG_IMAGE_SETS), matches, rate=40, rate_start=1500,
            final_rate=100,
        ),
        Mixture(
            (*_AUDIO, *_STRONG_AUDIO), (*_AUDIO_SETS, _SAMPLE_SET), matches, rate=40, rate_start=1500, final_rate=100,
        ),
        rows,
        rows,
    )  # fmt: skip


STRONG: dict[int, Preset] = {
    number: Preset(
        _strong(text, binary, _of_rows(text, fields), text_sets, binary_sets, field_sets, matches), max_bits,
        rate_fall=96, weight=weight, primer=1 << 17, skim=skim,
    )
    for number, text, binary, fields, text_sets, binary_sets, field_sets, matches, max_bits, weight, skim in (
        (
            1, _STRONG_TEXT1, _STRONG_BINARY1, _STRONG_FIELDS1, _STRONG_SETS1, _STRONG_SETS1, _FIELD_SETS1, (6,), 24,
            9000, 0,
        ),
        (
            2, _STRONG_TEXT2, _STRONG_BINARY2, _STRONG_FIELDS2, _STRONG_SETS2, _STRONG_SETS2, _FIELD_SETS2, (12, 5), 24,
            5000, 0,
        ),
        (
            3, _STRONG_TEXT3, _STRONG_BINARY3, _STRONG_FIELDS3, _SETS_TEXT3, _SETS_BINARY3, _FIELD_SETS3, (16, 9, 5),
            25, 3500, 8,
        ),
    )
}  # fmt: skip
