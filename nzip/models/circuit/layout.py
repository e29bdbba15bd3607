"""Numbers that the engine `circuit` and its kernel share: this module imports nothing."""

from __future__ import annotations

WHOLE = 65535  # what the counts of a table add up to
NODES = 256  # places in the tree of a byte's bits, the first of which is not used
CONTEXTS = 15
FEWEST_BITS, MOST_BITS = 10, 20  # of the places of each context's table of adaptive probabilities
LANES = 32  # inputs of the mixer: the circuit, a bias, contexts
BIAS = 256
BYTE_ROWS, TRUST_ROWS, PLACE_ROWS = 256, 512, 256  # rows of weights: by bits so far, by the circuit's word, by its mean
ROWS = BYTE_ROWS + TRUST_ROWS + PLACE_ROWS
OWN, OTHER = 21000, 700  # weights at first, of 2^16: of the circuit, of a context
RATE, RATE_START = 40, 400
LIMIT = 500  # of the counts of adaptive probabilities
FINAL_LIMIT = 1000
FINAL_ROWS = 256 + 4096  # rows of 16 cells of the last stage
SURE = 8  # a bit with at most so many 2^-16 of doubt teaches nothing
FAITH = 4  # a context that came so often has half of its say
LEVELS = 66  # codes of counts: nothing, then four to an octave from 1 to 2^16
COUNTS = (0, 1, 2, 3, 6, 16, 64, 500)  # that cells of a model have
STEP = 48  # of the stretch domain, to which probabilities of a model's cells are kept
WEIGHT_SHIFT = 5  # bits that weights of a model leave out
LONGEST = 4096  # bytes of a record
MOST_STATES = 128
MOST_TABLES = 128 << 20  # bytes of memory of a circuit's tables
MOST_WALK = 64  # edges of a tree that are gone along for each byte, on average
MOST_HEAD = 64  # bytes before the records of a file that a model knows
