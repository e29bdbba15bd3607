"""The prior over grids of codewords: a plain reference, a code that stays, and priors that do not fit."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from models.latent.tiny import index_prior

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent.priors import indices


def naive_chances(prior, grid, y, x):
    """The frequencies of one place, by plain integers of Python."""
    count = prior.codewords
    around = []
    for up, right in indices.TAPS:
        inside = y - up >= 0 and 0 <= x + right < grid.shape[1]
        around.append(int(grid[y - up, x + right]) if inside else count)

    def layer(rows, bias, weights):
        sums = [int(b) for b in bias]
        for value, row in zip(rows, weights, strict=True):
            sums = [s + value * int(w) for s, w in zip(sums, row, strict=True)]
        return [min(max(s >> 6, 0), 127) for s in sums]

    first = prior.first.reshape(-1, prior.first.shape[2])
    hidden = layer([int(v) for number in around for v in prior.embedding[number]], prior.first_bias, first)
    hidden = layer(hidden, prior.second_bias, prior.second)
    logits = [
        (sum(h * int(w) for h, w in zip(hidden, row, strict=True)) + int(bias)) >> 5
        for row, bias in zip(prior.last, prior.last_bias, strict=True)
    ]
    best = max(logits)
    # Floating point is good enough for a check, for none of these lies next to an integer.
    shares = [math.floor(2 ** (24 - (best - v) / 64)) if best - v <= 1280 else 0 for v in logits]
    rest = (1 << 20) - count
    freqs = [share * rest // sum(shares) + 1 for share in shares]
    freqs[logits.index(best)] += (1 << 20) - sum(freqs)
    return freqs


def test_the_prior_is_what_it_says():
    prior = index_prior(7, 30)
    coder = indices.Coder(prior)
    grid = np.random.default_rng(2).integers(0, 30, (6, 7)).astype(np.int32)
    starts, freqs = coder.intervals(grid)
    rows, columns = indices.order(6, 7)
    for y, x, start, freq in zip(rows, columns, starts, freqs, strict=True):
        wanted = naive_chances(prior, grid, y, x)
        assert sum(wanted) == 1 << 20
        assert (start, freq) == (sum(wanted[: grid[y, x]]), wanted[grid[y, x]])


def test_the_code_stays_as_it_is():
    """Files are decoded for ever: numbers by a formula, and the code that they have had from the first version on."""

    def some(low, high, *shape):
        count = np.arange(math.prod(shape)).reshape(shape)
        return low + (count * 7919 + 104729) % 65537 % (high - low + 1)

    prior = indices.IndexPrior(
        some(-127, 127, 41, 6).astype(np.int8), some(-60, 60, 10, 6, 20).astype(np.int8),
        some(-999, 999, 20).astype(np.int32), some(-90, 90, 20, 16).astype(np.int8),
        some(-999, 999, 16).astype(np.int32), some(-30, 30, 40, 16).astype(np.int8),
        some(-999, 999, 40).astype(np.int32),
    )  # fmt: skip
    grid = some(0, 39, 13, 17)
    code = indices.Coder(prior).encode(grid)
    assert (len(code), hashlib.sha256(code).hexdigest()[:16]) == (216, "aa67fa11099ab3ea")
    assert (indices.Coder(prior).decode(code, grid.shape) == grid).all()


def test_every_place_hangs_on_earlier_lines_alone():
    rows, columns = indices.order(9, 5)
    lines = columns + 2 * rows
    assert (np.diff(lines) >= 0).all()
    assert all(2 * up - right > 0 for up, right in indices.TAPS)
    table = indices.chances()
    assert table[0] == 1 << 24
    assert table[64] == 1 << 23
    assert table[32] == math.isqrt(1 << 47)


def test_large_codebooks_have_room_for_every_number():
    prior = index_prior(3, 5000, width=2, hidden=3, final=2)
    coder = indices.Coder(prior)
    grid = np.random.default_rng(2).integers(0, 5000, (5, 9))
    assert (coder.decode(coder.encode(grid), grid.shape) == grid).all()


def test_priors_of_other_shapes_are_refused():
    prior = index_prior(1, 6)
    with pytest.raises(CorruptError):
        replace(prior, second=prior.second.astype(np.int16))
    with pytest.raises(CorruptError):
        replace(prior, last_bias=np.full(6, 1 << 23, np.int32))
    with pytest.raises(UnsupportedError):
        index_prior(1, 6, hidden=600)
    with pytest.raises(ValueError, match="below 6"):
        indices.Coder(prior).encode(np.full((2, 2), 6))
