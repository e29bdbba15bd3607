"""What stands for lost codewords before the transformer has its say."""

from __future__ import annotations

import numpy as np

from nzip.models.latent.vqgan.filler import copied


def test_copies_come_from_the_nearest_known_place():
    grid = np.arange(30).reshape(5, 6)
    lost = np.zeros((5, 6), bool)
    lost[1:4, 1:5] = True
    got = copied(grid, lost)
    assert (got[~lost] == grid[~lost]).all()
    for y, x in np.argwhere(lost):
        gaps = [abs(y - a) + abs(x - b) for a, b in np.argwhere(~lost)]
        near = [grid[a, b] for (a, b), gap in zip(np.argwhere(~lost), gaps, strict=True) if gap == min(gaps)]
        assert got[y, x] in near
    assert not copied(grid, np.ones((5, 6), bool)).any()
