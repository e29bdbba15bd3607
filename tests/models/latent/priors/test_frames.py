"""The prior over frames of codewords, against plain integers of Python."""

from __future__ import annotations

import math

import numpy as np
from models.latent import tiny

from nzip.models.latent.priors import frames

CODEC = tiny.codec_of(tiny.grvq_bytes())
WIDTH = tiny.GRVQ_WIDTH


def test_random_symbols_come_back_and_cost_what_the_prior_says():
    symbols = np.random.default_rng(2).integers(0, 16, (4, 60)).astype(np.int16)
    data = CODEC.encode([symbols], (2,))
    [back] = CODEC.decode(data, (60 * 40,), (2,))
    assert (back == symbols).all()
    prior, bits, size = CODEC.prior, 0.0, 8
    before = [[0] * size, [0] * size]
    memory = [0] * size
    for t in range(60):
        memory = [m + ((b * 256 - m) >> 4) for m, b in zip(memory, before[0], strict=True)]
        now = [0] * size
        for slot in range(4):
            seen = [*now, *before[0], *before[1], *[m >> 8 for m in memory]]
            freqs = _naive_frequencies(prior, seen, slot, 1)
            bits -= math.log2(freqs[symbols[slot, t]] / 2**20)
            for i, value in enumerate(CODEC.vectors[slot // 2, slot % 2, symbols[slot, t]].tolist()):
                now[4 * (slot % 2) + i] += value
        before = [now, before[0]]
    assert bits / 8 - 1 <= len(data) <= bits / 8 + 4


def _naive_frequencies(prior, seen, slot, layers):
    hidden = []
    for j in range(WIDTH):
        total = int(prior.wide_bias[layers, slot, j]) + sum(
            value * int(prior.wide[slot, i, j]) for i, value in enumerate(seen)
        )
        hidden.append(min(max(total >> int(prior.shifts[slot]), 0), 4095))
    logits = []
    for k in range(16):
        total = sum(h * int(prior.deep[slot, j, k]) for j, h in enumerate(hidden))
        logits.append((total * int(prior.deep_scale[slot, k]) >> 16) + int(prior.deep_bias[slot, k]))
    best = logits.index(max(logits))
    powers = [int(frames.POWERS[(logits[best] - x) % 256]) >> min((logits[best] - x) // 256, 40) for x in logits]
    freqs = [1 + p * (2**20 - 16) // sum(powers) for p in powers]
    freqs[best] += 2**20 - sum(freqs)
    return freqs


def test_contexts_are_what_the_coder_sees():
    symbols = np.random.default_rng(4).integers(0, 16, (4, 9)).astype(np.int16)
    out = np.empty((9, 4, 32), np.int16)
    frames.contexts(symbols, CODEC.vectors, out)
    sums = [
        np.concatenate([CODEC.vectors[0, g, symbols[g, t]] + CODEC.vectors[1, g, symbols[2 + g, t]] for g in (0, 1)])
        for t in range(9)
    ]
    for t in range(2, 9):
        assert (out[t, :, 8:16] == sums[t - 1]).all()
        assert (out[t, :, 16:24] == sums[t - 2]).all()
        assert (out[t, 0, :8] == 0).all()
        assert (out[t, 1, :4] == CODEC.vectors[0, 0, symbols[0, t]]).all()
        assert (out[t, 2, 4:8] == CODEC.vectors[0, 1, symbols[1, t]]).all()


def test_powers_are_made_of_integers():
    wanted = 2.0 ** (30 - np.arange(256) / 256)
    assert (wanted - frames.POWERS >= 0).all()
    assert (wanted - frames.POWERS <= 1).all()
    assert frames.POWERS[[0, 1, 128, 255]].tolist() == [1 << 30, 1070838486, 759250124, 538326516]
