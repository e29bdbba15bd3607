"""The constant table that `cm` does not have: stretch of probabilities in 16 bits.

Made by integer arithmetic, as the tables of `cm`, which `cmstrong` shares.
"""

from __future__ import annotations

from functools import lru_cache

from nzip.models.cm.tables import _SCALE, STRETCH_MAX, STRETCH_ONE


@lru_cache(maxsize=1)
def stretch16_values() -> tuple[int, ...]:
    """Return stretch((p + 1/2) / 65536), p = 0..65535: the x whose odds are nearest from below, made odd-symmetric."""
    one = 1 << _SCALE
    step, term, k = one, one, 1  # exp(1/512): the borders lie half-way between two values
    while term:
        term //= 2 * STRETCH_ONE * k
        step += term
        k += 1
    upper = []
    x, border = 0, step  # border = exp((x + 1/2) / 256)
    for p in range(32768, 65536):
        odds = ((2 * p + 1) << _SCALE) // (2 * (65536 - p) - 1)
        while odds > border:
            x += 1
            border = border * step // one * step // one
        upper.append(min(x, STRETCH_MAX))
    return tuple(-v for v in reversed(upper)) + tuple(upper)
