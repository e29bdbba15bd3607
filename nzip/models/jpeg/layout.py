"""Numbers that the engine's memory and its loop share; this module imports nothing."""

from __future__ import annotations

ENCODE, DECODE = range(2)
LANES = 16
NODES = 32
# rows of cells of each context, for each of two sets of components
COEF = [1024]*16
SIGN = 16
