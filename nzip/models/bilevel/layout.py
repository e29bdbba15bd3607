"""Numbers that the engine `bilevel` and its kernel share: this module imports nothing."""

from __future__ import annotations

MARGIN = 16  # white pixels on either side of a row
ABOVE = 4  # rows above that contexts see
REACH = 8  # pixels that they see on either side in those
# The numbers below, and the contexts, were chosen by `benchmarks/bilevel.py`, on pages that it makes.
# Bits of each context's table of adaptive probabilities.
CONTEXTS = (12, 20, 20, 20, 20, 20, 20, 20, 20, 20)
LANES = 16  # inputs of the mixer: contexts, a bias, nothing
BIAS = 512
NEAR_ROWS, AROUND_ROWS = 256, 256  # rows of weights by near pixels, and by how many are black
FIRST = 6750  # a weight at first, of 2^16
RATE = 280  # of the mixer
LIMIT = 60  # of the counts of adaptive probabilities
FINAL_LIMIT = 511
FINAL_ROWS = 4096  # rows of 16 cells of the last stage, by near pixels
SURE = 16  # a pixel with at most so many 2^-16 of doubt teaches nothing
WIDEST = 1 << 16  # bytes of a row
MOST = 1 << 14  # pictures of a block
