"""The constant tables of the engine `midicoth`: each is what its formula says, and never changes."""

from __future__ import annotations

import hashlib
import itertools
from fractions import Fraction

from nzip.models.midicoth import tables


def test_logarithms() -> None:
    values = tables.log_values()
    assert len(values) == 1025
    assert values[0] == 0
    assert values[1024] == 45426  # ln 2 * 2^16
    assert all(a < b for a, b in itertools.pairwise(values))
    # ln(1 + x) lies between x - x^2 / 2 and x.
    for f in range(1, 50):
        x = Fraction(f, 1024)
        assert (x - x * x / 2) * 65536 - 1 < values[f] < x * 65536 + 1


def test_squash_is_a_rising_odd_function() -> None:
    values = tables.squash_values()
    assert len(values) == 2 * tables.STRETCH_MAX + 1
    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(a + b == 65536 for a, b in zip(values, reversed(values), strict=True))
    assert (values[0], values[tables.STRETCH_MAX], values[-1]) == (1, 32768, 65535)
    assert values[tables.STRETCH_MAX + 256] == 47911  # 65536 e / (1 + e)


def test_levels() -> None:
    values = tables.levels()
    assert len(values) == 256
    assert values[0] == 0
    assert set(values) == set(range(tables.LEVELS))
    assert all(0 <= b - a <= 1 for a, b in itertools.pairwise(values))


def test_priors() -> None:
    assert len(tables.count_priors()) == tables.LEVELS**2
    assert len(tables.match_priors()) == 128
    assert len(tables.escape_priors()) == 5 * 8 * 16 * 4
    assert len(tables.rates()) == 1024
    for entry in (*tables.count_priors(), *tables.match_priors(), *tables.escape_priors()):
        assert 0 < entry >> 10 < 1 << 22
        assert entry & 1023 in (2, 4)


def test_tables_are_pinned() -> None:
    everything = (
        tables.squash_values(),
        tables.log_values(),
        tables.rates(),
        tables.levels(),
        tables.count_priors(),
        tables.match_priors(),
        tables.escape_priors(),
    )
    assert hashlib.sha256(repr(everything).encode()).hexdigest()[:16] == "37b4811a58044b3c"
