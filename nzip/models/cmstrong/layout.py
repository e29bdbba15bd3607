"""Numbers that the engine `cmstrong` and its kernels share: this module, unlike theirs, imports nothing."""

from __future__ import annotations

STRETCH_MAX = 12 * 256 - 1  # as in tables

# What `v` holds: presets.Source, then numbers that only `renew` uses, then the stack of open brackets.
(
    NONE, LAST8, LAST16, WORD, WORD1, WORD2, WORD3, ABOVE, COLUMN, AFTER1, AFTER2, AFTER3, LINE, SHAPE, EXPECT, IDENT,
    IDENT1, MARKS, PLACE, GUESS, BRACKET, LETTERS, ENDINGS, LINEWORD,
) = range(24)  # fmt: skip
LINE_START, LINE_BEFORE, DEPTH, COUNT, GAP, FIRST, LINE_FIRST, STEM_NOW = 32, 33, 34, 35, 36, 37, 38, 39
STACK = 64
SOURCES = 128

# What `code` does.
ENCODE, DECODE, READ = range(3)

# presets.Select
SOURCE, PARTIAL, MATCH, BITS = range(4)

# Odd multipliers for hashing.
K1 = 0x9E3779B97F4A7C15
K2 = 0xD6E8FEB86659FD93
K3 = 0xC2B2AE3D27D4EB4F
K4 = 0xBF58476D1CE4E5B9
K5 = 0x2545F4914F6CDD1D

# Settings, by place in `settings`.
(
    CFG_INPUTS, CFG_LIMIT, CFG_RECORD, CFG_RATE, CFG_RATE_START, CFG_RATE_FALL, CFG_LOUD, CFG_QUIET, CFG_MATCH_BITS,
    CFG_FINAL_RATE, CFG_APM_LIMIT, CFG_BITS, CFG_SECOND, CFG_SKIM,
) = range(14)  # fmt: skip
CFG_SIZE = 14

BIT_BITS = 22  # log2 of the histories of near bits
MATCH_CELLS = 128 + 4 * 2048  # by length and misses, then by class of length, expected byte and bit
MATCH_VERIFY = 400  # bytes of a candidate that are compared at most
SURE = 16  # a bit that came with at most so many 2^-16 of doubt teaches nothing: left out for speed
SMALL_ERROR = 15  # would move no weight by more than a few units of 2^-16: left out for speed
SKIM_AHEAD = 32  # bytes between asking for buckets and looking them up, while all is known
BIAS = 256  # the input that is always there
# Rows of 16 cells in `apm`: by the partial byte, by the last byte, by the expected byte, by the last two, by the word.
APM_LAST, APM_EXPECTED, APM_PAIR, APM_WORD, APM_ROWS = 256, 65792, 131328, 196864, 262400
