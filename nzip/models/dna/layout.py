"""Numbers that the engine `dna` and its kernel share: this module imports nothing."""

from __future__ import annotations

# The numbers below were chosen on a bacterium, a phage, a chloroplast, genes of an ape, and reads of two machines.
LONGEST = 24  # nucleotides of a context
CELLS, FRAMES, COUNTS, MATCHES = range(4)  # kinds of models, in the order in which they stand
ORDER, BASE, BITS, KIND, TABLE = range(5)  # columns of a model's row in the plan
COLUMNS = 5
STEADY = 255  # visits after which a row of cells adapts no slower
DELAY = 6  # its rate at a visit is 1 / (visits + DELAY)
MAP_ROWS = 3 * 1024  # of a model of counts: node, counts of 0 and of 1 (5 bits each)
FULL = 15  # of a count
FADING = 14  # nucleotides of a context from which on counts of what did not come are halved
LIMIT = 1022  # of the counts of maps and guesses
GUESSES = 32 * 16 * 4 * 2  # cells of a match model: length, misses, the last two, which bit
FORGIVEN = 10  # misses of the last 16 that a match survives
LOOKED = 32  # nucleotides of a candidate that are compared
COST_SHIFT = 7  # by how much less a frame's past weighs: 2^-7 a nucleotide
COST_BIT = 64  # a bit of cost
MARGIN = 3 * COST_BIT  # of costs, for a class
SETS = 4
STARTS = (0, 96, 96 + 768, 96 + 768 + 216)  # rows of weights: by match, nucleotides before, what is known, frame
ROWS = 96 + 768 + 216 + 2304
FINAL_ROWS = 96
RATE, WARM, COOL = 200, 6_000_000, 2000  # the rate at a row's n-th use is RATE + WARM // (COOL + n)
MOST_USES = 1 << 22
FIRST = 11800  # a weight at first, of 2^16
FINAL_FIRST, FINAL_RATE = 16384, 60
BIAS = 256
SOON = (8, 19)  # the first probability of a guess is SOON[0] + length of SOON[1] + length, see `engine`
