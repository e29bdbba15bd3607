"""Sounds at another rate keep what both rates can hold."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.formats.signals.resample import resample


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (16000, 44100), (48000, 24000), (8000, 16000), (7, 3)])
def test_a_tone_stays_a_tone(rate, wanted):
    count = 4000
    tone = 0.1 * min(rate, wanted)
    time = np.arange(count) / rate
    got = resample(np.sin(2 * np.pi * tone * time)[None].astype(np.float32), rate, wanted)
    assert got.shape == (1, -(-count * wanted // rate))
    expected = np.sin(2 * np.pi * tone * np.arange(got.shape[1]) / wanted)
    inner = slice(got.shape[1] // 4, -got.shape[1] // 4)
    assert np.abs(got[0, inner] - expected[inner]).max() < 2e-3


def test_what_the_lower_rate_cannot_hold_goes():
    time = np.arange(8000) / 16000
    got = resample(np.sin(2 * np.pi * 6000 * time)[None].astype(np.float32), 16000, 8000)
    assert np.abs(got[0, 200:-200]).max() < 2e-3


def test_nothing_and_no_rate():
    assert resample(np.zeros((2, 0), np.float32), 8000, 16000).shape == (2, 0)
    with pytest.raises(ValueError):
        resample(np.zeros((1, 4), np.float32), 0, 8000)
