"""Numbers that the engine `cmfast` and its kernels share: this module, unlike theirs, imports nothing."""

from __future__ import annotations

STRETCH_MAX = 12 * 256 - 1  # as in cm.tables
K1 = 0x9E3779B97F4A7C15
K3 = 0xC2B2AE3D27D4EB4F
K5 = 0x2545F4914F6CDD1D

ENCODE, DECODE, TRAIN = 0, 1, 2
CONTEXTS = 5
LANES = 8  # mixer inputs: the contexts, the match model, a bias, nothing
BIAS = 256
DIRECT = 256 * 32 * 16  # bytes of the buckets of the first context, which is not hashed
ROWS = 8 * 4 * (CONTEXTS + 1)  # weight rows: buckets seen before, class of the match, bit position
APM_ROWS = 1 << 16  # rows of 16 knots: last byte, partial byte
RATE = 180  # of the mixer's learning
APM_SHIFT = 6
APM_ONE = 65535 + 63  # so that rounding down leaves 65535 within reach
MAP_LIMIT, MATCH_LIMIT = 1022, 1022
VERIFY = 32  # bytes of a candidate that are compared at most
