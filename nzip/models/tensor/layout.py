"""Numbers that the engine `tensor` and its kernels share: this module imports nothing."""

from __future__ import annotations

LANES, FEWER = 32, 4  # states of rANS that take turns; in a chunk of fewer than
MANY = 1 << 12  # symbols
TABLE_BITS = 12
WHOLE = 1 << TABLE_BITS  # what the frequencies of a table add up to
LEAST_STATE = 1 << 15  # a state is never smaller between symbols, nor 2^16 times as large
CHUNK = 1 << 17  # symbols that share states

# Modes of planes: as it is, one value, by a new table, by an earlier one, 7 bits a value, by mixed probabilities
RAW, CONSTANT, STATIC, AGAIN, SEVEN, MIXED = range(6)
ROTATED, BIG, SHIFTED, BESIDE = 4, 8, 16, 32  # bits of a form, beside the logarithm of a value's bytes
MOST_PLANES, MOST_TABLES = 1 << 14, 1 << 10
SMALL = 4096  # bytes of a tensor; smaller ones of one form may share a table
CLASSES = 64  # forms and planes
NEAR = 8  # tables back that are tried

# Preset 2
LANES_MIXED = 16  # inputs of a mixer: contexts, a bias, nothing
CELLS = 256  # of a context: nodes of a tree of 8 bits
CONTEXTS0 = (64, 1, 256, 256, 2048, 1024, 256, 256, 4096, 256)  # values of the contexts of the first plane,
CONTEXTS1 = (64, 256, 256, 256, 256, 1024, 256, 256)  # of the second
CONTEXTS2 = (16, 4096, 4096)  # and of all others
BIAS = 256
CONTEXTS_BESIDE = (256, 4096, 2048)  # more of the first plane, where values stand beside older ones
# Rows of weights of the planes: where the first plane's begin, the second's, those of all others, and how many are
ROWS = 0, 5 * 256, 7 * 256, 16 * 256
WEIGHTS = 4000, 5000, 13000  # theirs at first, of 2^16; that of the bias is 0
RATE = 150  # of mixers
LIMIT, QUICK = 90, 30  # of the counts of adaptive probabilities; of those that follow what came last
FINAL_LIMIT = 255


def most_planes(size: int) -> int:
    """Return how many planes the pieces of a block of `size` bytes may have."""
    return min(MOST_PLANES, 16 + size // 16)


def most_tables(size: int) -> int:
    """Return how many tables of frequencies a block of `size` bytes may have."""
    return min(MOST_TABLES, 2 + size // 256)


def lanes_of(symbols: int) -> int:
    """Return the states of a chunk of so many symbols."""
    return LANES if symbols >= MANY else FEWER
