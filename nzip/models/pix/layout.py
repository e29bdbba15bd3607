"""Numbers that the engine and its loops share: this module imports nothing."""

from __future__ import annotations

MARGIN = 4  # samples around a sheet
FINE = 4  # fractional bits of predictions and errors
NODES = 128  # decisions that a context tells apart
SIDE = 62  # the first of them
ROWS = 1024  # of a context
LEVELS = 40  # classes of how much was missed nearby
KINDS = 4
SHORTS = 16  # classes of decisions
MEMOS = 2
MEMO_BITS = 16
MEMO_COUNTS = 16
BLOCK = 16  # columns whose weights are learned together
MOST_BLOCKS = 512
MOST_REFS = 8
SSE_ROWS = (LEVELS // 2) * NODES

# Settings of a sheet, by place.
(
    S_ORIGIN, S_HEIGHT, S_WIDTH, S_STRIDE, S_LOW, S_HIGH, S_KIND, S_NUMBER, S_SHRINK, S_REFS, S_BLOCK, S_EVERY,
    S_CONTEXTS, S_SETS, S_LANES, S_RATE, S_LIMIT, S_STRONG, S_START, S_FALL,
    S_MEAN, S_OF,
) = range(22)  # fmt: skip
S_REF = 22  # MOST_REFS places
S_SIZE = S_REF + MOST_REFS

# What made the colours of a picture: nothing, and
JFIF, PHOTO_YCC, FORMULAS = 1, 2, 3
WHOLE = 10000  # what the numbers of Photo YCC are parts of
FRACTIONS, PARTS = 16, 4  # classes of the fraction of green, and of those of two products
FLAGS = 16 + 3 * 256  # chances before those of flags with Photo YCC
CHANCES = FLAGS + 2 * FRACTIONS * PARTS * PARTS
