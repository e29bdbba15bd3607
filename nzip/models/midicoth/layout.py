"""Numbers that the engine `midicoth` and its kernels share: this module, unlike theirs, imports nothing."""

from __future__ import annotations

STRETCH_MAX = 12 * 256 - 1  # as in tables

# Odd multipliers for hashing.
K1 = 0x9E3779B97F4A7C15
K2 = 0xD6E8FEB86659FD93
K3 = 0xC2B2AE3D27D4EB4F
K4 = 0xBF58476D1CE4E5B9
K5 = 0x2545F4914F6CDD1D

# Settings, by place in `settings`.
CFG_BITS, CFG_UNITS, CFG_PARTS, CFG_MATCH_BITS = range(4)
CFG_SIZE = 4

# What takes part; PPM always does. Files are coded with ALL; the rest is for measuring.
MATCH, WORDS, HIGH_ORDERS, DENOISE, REFINE = 1, 2, 4, 8, 16
EXPERTS = MATCH | WORDS | HIGH_ORDERS
ALL = EXPERTS | DENOISE

# Contexts: orders 0..8 by their number, then the node of the trie, then the pair of words.
ORDER4, ORDER8, WORD, PAIR, CONTEXTS = 4, 8, 9, 10, 11

SLOT = 8  # u16s of a slot: check, number of entries, then 6 entries, or block (32 bits) and its size
INLINE = 6
UNIT = 16  # entries of the smallest block; sizes double, 0..4
SIZES = 5
DIRECT = 4 + 256  # slots behind the hashed ones: order 0 in a line of its own, then order 1
ENTRY_MAX = 250  # a count above it halves the counts of its slot
FIRST, PPM_MORE, MORE = 2, 2, 3  # the first count of a symbol, and what each further one adds

MASS = 40  # log2 of the mass that PPM shares out
LEAST_MASS = 16  # log2 of the least mass of a symbol
LISTS = 3  # experts that are counts: high order, trie, pair
EXPECTED = 16 << 8  # cells of the match model in `maps`, behind 16 maps of 256
MAP_LIMIT, SEE_LIMIT = 1022, 255

INPUTS, SETS = 8, 3
BIAS = 256  # the input that is always there
SET_NODE, SET_ORDER, ROWS = 256, 512, 560  # where the second and third set's rows begin; rows of all
RATE = 300

KNOT, KNOTS = 9, 16  # log2 of the distance between probability bins; bins of a row (13 are used)
NODES = 28  # bit contexts
SHAPES = 12
BY_LAST = NODES * 3 * 4 * SHAPES  # rows of the first view; behind them stand 65536 of the second
CELLS = (BY_LAST + 65536) * KNOTS
DOUBT = 12  # observations that a cell's first, neutral state counts for
CELL_LIMIT = 255
SHAPE1, SHAPE2, SHAPE3 = 0xCCCCCCCCC, 0x2666666666, 0x6666666666  # 5, 15 and 40 % of 2^MASS
