"""Numbers of the loop over bytes; this module imports nothing."""

ORDERS = 5
TABLE_BITS = 16  # log2 of the cells of an order
MATCH_BITS = 14  # log2 of places that a match is looked for by
LIMIT = 250
RATE = 24
LEAST = 4  # bytes that a match is found by
ROWS = 16 * 8  # of weights: class of the match's length, bit
WEIGHT = 20000  # of each input but the last ones
CELLS = (ORDERS << TABLE_BITS) + 64
