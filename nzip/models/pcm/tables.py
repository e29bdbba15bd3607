"""The constant tables of the engine `pcm`, made by integer arithmetic."""

from __future__ import annotations

from functools import lru_cache

from nzip.models.cm.tables import SCALE, exp_step
from nzip.models.pcm.layout import ONE, TAIL_END, TAIL_STEP, UNIT


@lru_cache(maxsize=1)
def tail_values() -> tuple[int, ...]:
    """Return ONE / (1 + exp(k / 32)), rounded down, for k = 0..28 * 32 + 1: a logistic distribution's tail."""
    one, step, power, found = 1 << SCALE, exp_step(UNIT // TAIL_STEP), 1 << SCALE, []
    for _ in range(TAIL_END * UNIT // TAIL_STEP + 2):
        found.append((ONE << SCALE) // (one + power))
        power = power * step >> SCALE
    return tuple(found)


@lru_cache(maxsize=1)
def log_values() -> tuple[int, ...]:
    """Return 256 ln(1 + k / 1024), rounded, for k = 0..1023."""
    step, border, value, found = exp_step(256), exp_step(512), 0, []
    for k in range(1024):
        while ((1024 + k) << SCALE) // 1024 > border:
            border = border * step >> SCALE
            value += 1
        found.append(value)
    return tuple(found)
