"""Numbers that the engine `cm` and its kernels share: this module, unlike theirs, imports nothing."""

from __future__ import annotations

STRETCH_MAX = 12 * 256 - 1  # as in tables

# What `v` holds: presets.Source, then two numbers that only `renew` uses.
NONE, LAST8, LAST16, WORD, WORD1, WORD2, ABOVE, COLUMN, AFTER1, AFTER2, LINE, SHAPE, WORDS = range(13)
LINE_START, LINE_BEFORE = 13, 14
SOURCES = 16

# What `code` does.
ENCODE, DECODE, READ = range(3)

# presets.Select
ONE, PARTIAL, LAST, MATCH, SEEN, LAST2, SHAPES, COLUMNS = range(8)

# Odd multipliers for hashing.
K1 = 0x9E3779B97F4A7C15
K2 = 0xD6E8FEB86659FD93
K3 = 0xC2B2AE3D27D4EB4F
K4 = 0xBF58476D1CE4E5B9
K5 = 0x2545F4914F6CDD1D

# Settings, by place in `settings`.
(
    CFG_INPUTS, CFG_LIMIT, CFG_RECORD, CFG_RATE, CFG_RATE_START, CFG_RATE_FALL, CFG_MATCH_MIN, CFG_MATCH_BITS,
    CFG_FINAL_RATE, CFG_APM_LIMIT, CFG_REFINE, CFG_BITS, CFG_COUNTERS, CFG_COUNTER_BITS, CFG_COUNTER_LIMIT,
    CFG_AHEAD,
) = range(16)  # fmt: skip
CFG_SIZE = 16

MATCH_MAPS = 32 * 4
MATCH_VERIFY = 400  # bytes of a candidate that are compared at most
SURE = 32  # a bit that came with at most so many 2^-16 of doubt teaches nothing: left out for speed
SMALL_ERROR = 15  # would move no weight by more than a few units of 2^-16: left out for speed
BIAS = 256  # the input that is always there
# Rows of 16 cells in `apm`: by the partial byte, by the last byte, by the expected byte, by the last two bytes.
APM_LAST, APM_EXPECTED, APM_PAIR, APM_ROWS = 256, 256 + 65536, 256 + 2 * 65536, 256 + 2 * 65536 + 4096
HALF = 1 << 31  # a counter's cell at first, but for this xor
