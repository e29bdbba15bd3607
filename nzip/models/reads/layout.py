"""Numbers that the engine `reads` and its kernel share: this module imports nothing."""

from __future__ import annotations

# The numbers below, and the contexts, were chosen on reads of three machines.
CONTEXTS = 15
LANES = 32  # inputs of the mixer: two for each context, a bias, nothing
BIAS = 256
GROUP = 3  # decisions whose cells lie side by side
SETS = 4
STARTS = (0, 256, 256 + 16384, 256 + 2 * 16384)  # rows of weights: by node alone; and place, quality before, changes
ROWS = 256 + 3 * 16384
RATE, WARM, COOL = 20, 600_000, 500  # the rate at a row's n-th use is RATE + WARM // (COOL + n)
MOST_USES = 1 << 22
FIRST = 5243  # a weight at first, of 2^16
FINAL_FIRST, FINAL_RATE = 16384, 20
LIMIT = 255  # of the counts of cells
LAST_ROWS = 256 * 64  # rows of 16 cells of the last stage: node, quality before
PLACES = 4096  # of a read that are told apart
NEWLINE = 10  # ends the qualities of a read
