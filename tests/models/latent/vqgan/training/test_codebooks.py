"""k-means finds where the points are."""

from __future__ import annotations

import numpy as np

from nzip.models.latent.vqgan.training.codebooks import clustered


def test_clusters_are_where_the_points_are():
    random = np.random.default_rng(4)
    centres = 10 * random.standard_normal((6, 4)).astype(np.float32)
    points = (centres[random.integers(0, 6, 600)] + 0.01 * random.standard_normal((600, 4))).astype(np.float32)
    book = clustered(points, 6, random)
    gaps = np.square(centres[:, None] - book[None]).sum(axis=2)
    assert (gaps.min(axis=1) < 0.01).all()
    assert clustered(points[:3], 5, random).shape == (5, 4)
