"""Numbers that presets, the engine's memory and the kernels share: this module, unlike theirs, imports nothing."""

from __future__ import annotations

STRETCH_MAX = 12 * 256 - 1  # as in tables

# What a loop does.
ENCODE, DECODE, READ = range(3)

# Odd multipliers for hashing.
K1 = 0x9E3779B97F4A7C15
K2 = 0xD6E8FEB86659FD93
K3 = 0xC2B2AE3D27D4EB4F
K4 = 0xBF58476D1CE4E5B9
K5 = 0x2545F4914F6CDD1D

# What chooses a row of a weight set.
SOURCE, PARTIAL, MATCH, BITS = range(4)

# Settings of the loops, by place in `settings`.
(
    CFG_INPUTS, CFG_LIMIT, CFG_RECORD, CFG_RATE, CFG_RATE_START, CFG_RATE_FALL, CFG_MATCH_MIN, CFG_MATCH_BITS,
    CFG_FINAL_RATE, CFG_SSE_LIMIT, CFG_BITS, CFG_COUNTERS, CFG_COUNTER_BITS, CFG_COUNTER_LIMIT, CFG_AHEAD,
    CFG_LOUD, CFG_QUIET, CFG_SECOND, CFG_SKIM, CFG_STREAMS, CFG_PART,
    CFG_SKIMMED, CFG_TYPE, CFG_STRIDE, CFG_WIDTH, CFG_BIG, CFG_ORIGIN, CFG_RECOVERS, CFG_GUESSES,
    CFG_MODE,
) = range(30)  # fmt: skip
CFG_SIZE = 30

RECOVERED = 16  # bytes of a new match, at least, that takes the place of one that goes on behind a byte that differed
MATCH_VERIFY = 400  # bytes of a candidate that are compared at most
SMALL_ERROR = 15  # would move no weight by more than a few units of 2^-16: left out for speed
BIAS = 256  # the input that is always there
HALF = 1 << 31  # a counter's cell at first, but for this xor

# A bit that came with at most so many 2^-16 of doubt teaches nothing: left out for speed.
SURE, STRONG_SURE = 32, 16
MATCH_MAPS = 32 * 4  # cells of a match model: by length and misses
STRONG_MATCH_CELLS = 128 + 4 * 2048  # the same, then by class of length, expected byte and bit
BIT_BITS = 22  # log2 of the histories of near bits
SKIM_AHEAD = 32  # bytes between asking for buckets and looking them up, while all is known
# Rows of 16 cells in `sse`: by the partial byte, by the last byte, by the expected byte, by the last two bytes,
SSE_LAST, SSE_EXPECTED, SSE_PAIR, SSE_ROWS = 256, 65792, 131328, 135424
# and, where pairs have more rows, by the word.
STRONG_SSE_WORD, STRONG_SSE_ROWS = 196864, 262400
# Where the rows of the second layer begin: by the partial byte, the last byte, the match, the shape.
FINAL_LAST, FINAL_MATCH, FINAL_SHAPE, FINAL_ROWS = 256, 512, 592, 592 + 32768

# Of the loop `fast`:
FAST_CONTEXTS = 5
FAST_LANES = 8  # mixer inputs: the contexts, the match model, a bias, nothing
FAST_DIRECT = 256 * 32 * 16  # bytes of the buckets of the first context, which is not hashed
FAST_ROWS = 8 * 4 * (FAST_CONTEXTS + 1)  # weight rows: buckets seen before, class of the match, bit position
FAST_SSE_ROWS = 1 << 16  # rows of 16 knots: last byte, partial byte
FAST_SSE_SHIFT = 6
FAST_SSE_ONE = 65535 + 63  # so that rounding down leaves 65535 within reach
FAST_LIMIT = 1022  # of the counts of its maps
FAST_VERIFY = 32  # bytes of a candidate that are compared at most

# Types of bytes; a preset has a mixture for each.
TEXT, BINARY, BITMAP, IMAGE, AUDIO, ROWS, TABLE = range(7)

# How fields are told apart: by lines, by keys; any other number is the byte between columns.
LINES, KEYED = 0, 1
# What `components.rows` knows, by place in `fields`:
(
    R_FULL, R_LEAD, R_LINE, R_SHAPE, R_SHAPE1, R_SHAPE2, R_TOKEN, R_SIZE, R_HEX, R_COLUMN, R_QUOTED, R_KEY, R_SINCE,
    R_ALIGNED, R_AGREE, R_COPY, R_COUNT, R_NUMBER, R_WIDTH, R_SPOT, R_STAMP, R_TIME, R_CLOCK, R_CLOCKED,
) = range(24)  # fmt: skip
R_DIGITS = 3  # of a number that is written somewhere: its digits come behind its size, place and history
R_STEPPED, R_OFFSET = 40, 64
R_BYTES, R_CELLS = 88, 92  # of the four guesses: the byte, plus 256, or 0; and the number of its cell
R_CLOCKS = 96  # of eight times of the day in a line: offset, history
R_TOKENS, R_PLACES = 128, 160  # the last 32 tokens: hash, where they begin
R_NUMBERS = 192  # 2,048 entries of four: value, step, offset, note
R_NOTES = R_NUMBERS + 4 * 2048  # 4,096 of them, of places in lines
R_FIELDS = R_NOTES + 4096
R_ZERO = 1 << 62  # added to what may be negative
SPOTS = 1 << 16  # positions, by the hash of what led there
GUESS_CELLS = 2 * (512 + 256 + 256 + 512)  # for each guess, twice: of bits of the first and of the second nibble
