"""What a lossy file is to be like."""

import math

import numpy as np
import pytest

from nzip.codec.signals import goals


def test_decibels_are_of_all_samples():
    """Parts of unequal size count by their samples."""
    parts = [np.zeros((1, 90), np.float32), np.zeros((1, 10), np.float32)]
    back = [np.full((1, 90), 0.01, np.float32), np.full((1, 10), 0.1, np.float32)]
    whole = goals.decibels([np.concatenate(parts, axis=1)], [np.concatenate(back, axis=1)], "image")
    assert goals.decibels(parts, back, "image") == pytest.approx(whole)
    assert whole == pytest.approx(-10 * math.log10((90 * 1e-4 + 10 * 1e-2) / 100))
