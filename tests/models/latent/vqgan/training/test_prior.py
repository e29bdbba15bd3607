"""The prior of a codebook is rounded while it learns as it is when it codes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nzip.models.latent.priors import indices
from nzip.models.latent.training import loop
from nzip.models.latent.vqgan.training import prior as training

pytest.importorskip("torch")


def test_the_prior_that_learns_is_the_prior_that_codes(monkeypatch, tmp_path):
    """Grids of a pattern cost few bits, as many as the learning said."""
    for name, value in {"EMBEDDING": 6, "HIDDEN": 8, "FINAL": 6, "PLACES": 64}.items():
        monkeypatch.setattr(training, name, value)
    random = np.random.default_rng(1)

    def grid():
        y, x = np.indices((20, 24))
        return ((2 * y + x + int(random.integers(0, 9))) % 9).astype(np.uint16)

    grids, held = [grid() for _ in range(12)], [grid() for _ in range(3)]
    book = random.standard_normal((9, 5)).astype(np.float32)
    prior = training.learn_prior(grids, held, book, loop.Plan(steps=300, rate=0.02, check=300), tmp_path, "cpu")
    coder = indices.Coder(prior)
    freqs = np.concatenate([coder.intervals(g.astype(np.int32))[1] for g in held])
    bits = float(-np.log2(freqs / 2**indices.PRECISION).mean())
    said = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["held_bits"]
    assert bits < 1
    assert abs(bits - said) < 0.02 + 0.02 * said
    for g in held:
        assert (coder.decode(coder.encode(g), g.shape) == g).all()
