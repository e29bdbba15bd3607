"""The numbers of RFC 1951, and where `tables` has them for kernels.

A token is one uint32: a literal is its byte; a match is its length plus its distance times 512.
"""

from __future__ import annotations

LENGTH_EXTRA = (0,) * 8 + (1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (5,) * 4 + (0,)
DISTANCE_EXTRA = (0, 0, *(n // 2 for n in range(28)))
CODE_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)

LITERALS = 286  # symbols of literals and lengths that may occur
DISTANCES = 30
CODE_LENGTHS = 19
END = 256
SHORTEST, LONGEST = 3, 258
FARTHEST = 32768
STORED, FIXED, DYNAMIC = range(3)


# Where each table begins.
LENGTH_BASE = 0  # 29: the shortest length of a symbol
LENGTH_BITS = 32  # 29
DISTANCE_BASE = 64  # 30
DISTANCE_BITS = 96  # 30
ORDER = 128  # 19
LENGTH_SYMBOL = 160  # 259: length -> symbol - 257
DISTANCE_SYMBOL = 448  # 512: distance - 1, or 256 + (distance - 1) // 128 -> symbol
SIZE = 960
