"""Numbers that the engine and its loops share: this module imports nothing."""

from __future__ import annotations

MARGIN = 4  # samples around a sheet
FINE = 4  # fractional bits of predictions and errors
NODES = 128  # decisions that a context tells apart
SIDE = 62  # the first of them
ROWS = 1024  # of a context
LEVELS = 40  # classes of how much was missed nearby
CONTEXTS = 12
LANES = 16  # inputs of the mixer
WEIGHT_ROWS = 3 * NODES + LEVELS * 16
SSE_ROWS = (LEVELS // 2) * NODES
FIRST_WEIGHT = 7864  # 0.12
TAPS = 16
BLOCK = 16  # columns whose weights are learned together
MOST_BLOCKS = 512
RATE, LIMIT = 24, 250
