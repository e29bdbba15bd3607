"""Where the arrays of the loop of inflating have what: this module imports nothing."""

from __future__ import annotations

# The state: bits read, bytes, tokens and blocks written; odd padding seen; bytes made until reading ended.
BIT, OUT, TOKENS, BLOCKS, PADDING, REACHED = range(6)
DONE, MORE, BAD, SHORT = range(4)  # more: an array is full; short: the coded bytes end too early
FIELDS = 5  # of a block: bit of its header, type and (4) whether it is the last, its first token, first and last byte
KIND_AT, TOKEN_AT, START_AT, STOP_AT = 1, 2, 3, 4

# Parts of the scratch (int32).
LIT_BITS, DIST_BITS = 10, 8
LIT = 0  # entries of the first bits of a code; 0: a longer code, or none
DIST = 1024
LENGTHS = 1280  # lengths of codes
LIT_COUNT = 1600  # codes of each length, and
LIT_SORTED = 1616  # symbols in the order of their codes
DIST_COUNT = 1904
DIST_SORTED = 1920
OFFSETS = 1952
SCRATCH = 1968
