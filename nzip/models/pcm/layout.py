"""Numbers that presets, the engine's memory and the kernel share: this module imports nothing."""

from __future__ import annotations

FRACTION = 4  # binary digits of a prediction behind the point
SCALE = 6  # and of a mean error, behind those
SCALE_FIRST = 3 << 15  # a mean error at first, where filters see what is left as it is

# Linear prediction solved from sums of products.
TOP = 44  # binary digits that the largest sum of a system has, scaled
LOWER = 44  # digits behind the point of the triangular factor
SOLUTION = 24  # and of a solution while it is found
WEIGHT = 20  # and of a weight
WEIGHT_MAX = 1 << 27
RIDGE = 14  # log2 of what is added to a scaled diagonal, at least
ROUNDED = 10  # log2 of what the sums may be wrong by
HISTORY = 24  # digits of a sample that predicts, at most
SUM = 58  # digits that a sum of products has, at most

# The blend of what the solvers predict.
BLEND_EACH = 8  # samples between solutions
BLEND_DECAY = 5
BLEND_MAX = 1 << 20  # differences of predictions that it is learnt from, at most
BLEND_UP = 8

# Filters that follow a gradient.
LEVEL_MAX = 32767  # of what they see
FILTER = 24  # digits behind the point of their weights
FILTER_MAX = 1 << 30
STEP = 14

# Distributions.
UNIT = 1024  # of the distance from a distribution's middle: a scale
TAIL_STEP = 32  # of which one has a row in the table of tails
TAIL_END = 28  # scales
ONE = 1 << 40  # certainty
STRETCHED = 2047  # how sure a distribution may be
MODELLED = 3  # binary digits of a size below its first that are modelled
LANES = 8  # inputs of the mixer: distributions, contexts, a bias
DISTRIBUTIONS, CONTEXTS = 4, 3
BIAS = 256
CONTEXT_BITS = 18
NODES = 1 << 11
CONTEXT_LIMIT = 255
RATE = 40
FIRST = 20000  # weight of a distribution at first, of 2^16
SETS = 64  # rows of weights of a channel
CHANNEL_SETS = 2  # channels that have rows of their own; others share the last one's

# Settings, by place.
(
    CFG_FRAMES, CFG_CHANNELS, CFG_PAD, CFG_LOW, CFG_HIGH, CFG_SHIFT, CFG_UP, CFG_SOLVERS, CFG_FILTERS, CFG_DIGITS,
    CFG_ROW,
) = range(11)  # fmt: skip
CFG_SIZE = 11

# Of a solver: own samples, the partner's, log2 of samples between solutions, decay; of a filter: taps, step.
SOLVER = 4
FILTER_FIELDS = 2

# Bytes around samples, by the 0 to 4 before each.
BYTE_ORDERS = 5
BYTE_BITS = 16
BYTE_LIMIT = 255
BYTE_RATE = 12
BYTE_FIRST = 22000
# What floats hold beyond integers.
REST_LIMIT = 255
REST_CELLS = 1024
