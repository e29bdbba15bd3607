"""Squares of pixels become channels, and channels pixels again."""

from __future__ import annotations

import numpy as np

from nzip.models.latent.vqgan import networks


def test_shuffles_are_inverse():
    x = np.arange(2 * 3 * 8 * 12).reshape(2, 3, 8, 12)
    y = networks.unshuffle(x, 4)
    assert y.shape == (2, 48, 2, 3)
    assert (y[0, :16, 1, 2] == x[0, 0, 4:8, 8:12].reshape(-1)).all()
    assert (networks.shuffle(y, 4) == x).all()
