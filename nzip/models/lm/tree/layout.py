"""Where everything stands in the arrays that the kernel and its wrapper share, and the numbers of the mixing."""

from __future__ import annotations

STRETCH_MAX = 16 * 256 - 1  # of the stretch domain, 1/256 of a natural-logarithm unit: all that 22 bits can tell apart
P_BITS = 22
P_ONE = 1 << P_BITS
TOTAL_BITS = 24  # of a row of frequencies

K1 = 0x9E3779B97F4A7C15
K2 = 0xD6E8FEB86659FD93
K3 = 0xC2B2AE3D27D4EB4F
K4 = 0xBF58476D1CE4E5B9
K5 = 0x2545F4914F6CDD1D

# What `code` does.
ENCODE, DECODE, READ = range(3)
IDLE = -2  # instead of a rank: the stream takes no part in this step

# A stream's numbers, by place in a row of `v`.
LOW, RNG, AT, BYTES, LAST8, WORD, WORD1, HITS, ESCAPED = range(9)
T1 = 9  # the last four tokens, latest first: rank + 1, 0 for none
PTR, LEN, MISSED = 16, 20, 24  # of each match
COLUMN = 28  # bytes since the last line end
VARS = 32

# Contexts, in the order of their inputs. The first ones go with the node, the others with the bits of the byte so far.
(
    C_NONE, C_T1, C_T2, C_T3, C_T4, C_SKIP, C_COLUMN, C_TOP, C_TOP1, C_TOP2,
    C_B1, C_B2, C_B3, C_B4, C_B5, C_B6, C_WORD, C_WORDS, C_GAP, C_BEFORE,
) = range(20)  # fmt: skip
CONTEXTS = 20
BY_NODE = 10
MATCHES = 3
SHORTEST = (24, 12, 6)  # bytes that a match has at least
VERIFY = 64  # bytes of a candidate that are compared at most
LENGTH_MAX = 400

# Inputs of the mixer.
X_MODEL, X_BIAS, X_MATCH, X_HISTORY = 0, 1, 2, 6
X_DELTA = X_HISTORY + CONTEXTS
INPUTS = 48
BIAS = 256  # the input that is always there
SETS = 6
SET_ROWS = 1024  # rows of weights that a set has at most
FINALS = 3 * 16  # rows of the second layer

COLUMNS = 255  # that are told apart
KNOTS = 17  # of a map over the stretch domain
KNOT_BITS = 9  # log2 of their distance
HISTORY_CELLS = 256 * KNOTS  # of a context
MATCH_CELLS = 16 * 4 * 3 * KNOTS  # of a match model
REFINE_ROWS = 1 << 16  # of each of the two hashed refinements

DELTA_ONE = 1 << 16  # a natural-logarithm unit in a learned correction
DELTA_MAX = 8 * DELTA_ONE
MULT_ONE = 1 << 16
MULT_LEAST, MULT_MOST = 1 << 8, 1 << 23

# Settings, by place in `settings`.
(
    CFG_ROOT, CFG_PARTS, CFG_CONTEXTS, CFG_SETS, CFG_BITS, CFG_MATCH_BITS, CFG_RATE, CFG_RATE_START, CFG_RATE_FALL,
    CFG_LIMIT, CFG_FINAL_RATE, CFG_REFINE_LIMIT, CFG_TOKEN_RATE, CFG_DOUBT, CFG_PROOF_MAX, CFG_ADAPT_RATE,
    CFG_ADAPT_START, CFG_ADAPT_FALL, CFG_SHARP,
) = range(19)  # fmt: skip
CFG_SIZE = 19

# What takes part. Files are coded with USED (bit histories gained nothing beside learned corrections); the rest is for
# measuring.
MIX, HISTORY, DELTA, MATCH, REFINE, TOKENS = 1, 2, 4, 8, 16, 32
ALL = 63
USED = ALL & ~HISTORY
# Of the twenty contexts these are used: more of them gained nothing, and cost time.
USED_CONTEXTS = sum(1 << c for c in (C_NONE, C_T2, C_T3, C_COLUMN, C_TOP, C_TOP2, C_B3, C_WORD, C_WORDS))
USED_SETS = 0b111011
